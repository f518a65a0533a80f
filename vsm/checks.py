"""What `vsm doctor` says of one thing, and where other packages hang their checks in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

CHECKS = "vsm.checks"  # entry points: (config, store URL) -> checks
PROPOSALS = "vsm.proposals"  # entry points: (config, store URL, the lines of those before) -> lines for vsm.toml


@dataclass(frozen=True)
class Check:
    """What was found of one thing: whether that is well (None: neither well nor wrong), a sentence, what to do about it."""

    what: str
    well: bool | None
    said: str
    remedy: str = ""


def found(group: str) -> Iterator[Callable[..., Iterator[Any]]]:
    """Every function that hangs in a group, in the order of their names."""
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        yield point.load()
