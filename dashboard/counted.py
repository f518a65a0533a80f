"""The dashboard of an engine: what `vsm dashboard --engine URL` counts where a company's events are, instead of in a store."""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TYPE_CHECKING

import pandas as pd

from vsm.config import Config
from vsm.errors import UsageError
from vsm.measure import Measures
from vsm.metrics.figure import AWAY, Figure
from vsm.pipeline import Flow
from vsm.scope import Scope

if TYPE_CHECKING:
    from dashboard.charts.entry import Drawn
    from vsm.warehouse.measured import Warehouse

ENGINE = "VSM_ENGINE"  # the environment by which `vsm dashboard` hands over its option
STAYS = "Not drawn here: what it shows is not counted in an engine, or there is none in the window."
NOT_HERE = (
    "Single items stay in the engine, but for the few that a number is of: boards and the paths of items are not on these pages, "
    "nor charts that need all visits, nor lists of more than a thousand."
)
NO_RUNS = "An engine is filled by `vsm export warehouse`, or by the company itself: no runs of collectors are known of here."
NO_CHECKS = "Nothing is checked here: the checks read the sources' own facts, and an engine has none of them."
NOT_LISTED = "What is behind its marks is more than a thousand rows, which stay in the engine: they are not listed."
NO_PATH = "The path of an item is told from all that happened to it, which stays in the engine."
NO_BOARD = "No board here: its cards are single items, which stay in the engine. The charts tell how many are in each stage."


def url() -> str | None:
    """The engine that is asked; None where a store is shown."""
    return os.environ.get(ENGINE) or None


@dataclass(frozen=True)
class Held:
    """An engine with every item followed, one question at a time: connections are not shared between threads."""

    warehouse: "Warehouse"
    lock: RLock = field(default_factory=RLock, compare=False)

    @property
    def flow(self) -> Flow:
        """A flow of no items, with the configuration and what is "now"."""
        return self.warehouse.empty

    def measure(self, scope: Scope) -> Measures:
        """The measures of a scope. Raises ValueError for a stream that is not there."""
        from vsm.warehouse import listed, measured

        with self._asked():
            told = measured.measure(self.warehouse, scope, measured.samples(self.warehouse, scope))
            told = listed.with_rows(self.warehouse, told, scope)
            apart = told.applications  # now, while it is our turn to ask
        parts = {name: replace(one, _apart=dict) for name, one in told.streams.items()}
        return replace(told, _apart=lambda: apart, streams=parts)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        from vsm.warehouse.engine import answering

        with self.lock, answering(self.warehouse.engine):
            yield

    def names(self, column: str) -> tuple[str, ...]:
        """The teams or applications of the items."""
        with self._asked():
            found = [one.items.select(column).distinct().to_pandas()[column].dropna() for one in self.warehouse.streams]
        return tuple(sorted({str(name) for some in found for name in some}))

    def rows(self) -> int:
        """How many rows the engine's tables have."""
        with self._asked():
            return sum(self.warehouse.counts().values())


def held(place: str, config: Config, now: pd.Timestamp | None) -> Held:
    """The engine at a URL, as it was known at an instant; it stays open while somebody has it.

    Raises UsageError where it does not answer.
    """
    from vsm.warehouse.engine import answering, connect

    engine = connect(place, {"read_only": "true"})
    try:
        from vsm.warehouse import measured

        with answering(engine):
            told = Held(measured.read(engine, config, now))
    except Exception:  # whatever it was goes on; a file that stayed open could not be opened again
        engine.close()
        raise
    weakref.finalize(told, engine.close)  # once nobody asks it any more: a newer one has taken its place
    return told


def said() -> str | None:
    """What is to be said on every page of an engine: which it is, and what is not there and why; None where a store is shown."""
    place = url()
    return None if place is None else f"Counted in the engine {shown(place)}. {NOT_HERE}"


def shown(place: str) -> str:
    """An engine's URL without account and password."""
    kind, _, rest = place.partition("://")
    return f"{kind}://{rest.rpartition('@')[2]}"


def drawn(told: "Drawn") -> "Drawn":
    """A chart as it is shown of an engine: nothing is offered that cannot be had."""
    if told.empty:
        return replace(told, why=STAYS, finding="")
    if told.pick is not None and told.figure.n and told.figure.rows.empty:
        return replace(told, pick=None, reading=f"{told.reading} {NOT_LISTED}")
    return told


def nothing(figure: Figure) -> tuple[str, str]:
    """What stands where a figure's rows would be, and where those would be that were left out of it, if there are none."""
    away = figure.said.get(AWAY)
    if away is None:
        return "Nothing was counted.", "Nothing was left out."
    return f"Not listed: {away}." if figure.n else "Nothing was counted.", "Not told: what is left out stays in the engine."


def refused(level: object) -> None:
    """Raises UsageError for what only a store tells."""
    if level is not None:
        raise UsageError(
            "which tickets are counted as one is told from single items, which stay in the engine: take “As configured”"
        )
