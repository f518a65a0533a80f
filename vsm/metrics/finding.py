"""What a check of the data found, and the items that it speaks of."""

from dataclasses import dataclass

import pandas as pd

from vsm.pipeline import StreamFlow


@dataclass(frozen=True)
class Finding:
    """One check: the rows that it concerns, what that does to the numbers, what would mend it."""

    check: str
    found: pd.DataFrame
    effect: str
    remedy: str


def items_of(streams: tuple[StreamFlow, ...]) -> pd.DataFrame:
    """The items of some streams, one after the other."""
    return pd.concat([stream.items for stream in streams], ignore_index=True)


def about(items: pd.DataFrame) -> list[str]:
    """What tells a reader which items they are."""
    return [name for name in ("item", "title", "type", "url") if name in items.columns]
