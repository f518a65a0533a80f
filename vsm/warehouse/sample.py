"""Single visits of an engine, no more than a process holds with ease, for what no aggregate tells: constraint, lever and waste."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm.frames import among
from vsm.scope import Scope

MOST = 1_000_000  # items and their visits, of a stream: some 200 MB
QUARTER = pd.Timedelta(weeks=13)  # what the finder looks at for one step of its history
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """``visits`` and ``items`` of a stream as the embedded path tells them, of those who were there in a stretch of time.

    All items that were in a stage, done or cancelled since ``since``, with all of their visits, or that still wait. ``changes``:
    when they were flagged. ``whole``: whether that is all that the window asks for.
    """

    visits: pd.DataFrame
    items: pd.DataFrame
    changes: pd.DataFrame
    since: pd.Timestamp
    whole: bool

    def of(self, scope: Scope) -> "Sample":
        """The items of a scope's team and application, with their visits."""
        mine = pd.Series(True, index=self.items.index)
        for column, name in (("team", scope.team), ("application", scope.application)):
            if name is not None:
                mine &= self.items[column] == name
        if mine.all():
            return self
        items = self.items[mine].reset_index(drop=True)
        return replace(self, visits=self.visits[among(self.visits["item"], items["item"])].reset_index(drop=True), items=items)

    def window(self, scope: Scope) -> Scope:
        """The part of a window of which the sample knows as much as is asked: as long before it, too."""
        if self.whole:
            return scope
        return replace(scope, start=max(scope.start, self.since + (scope.end - self.since) / 2))

    def year(self, scope: Scope) -> Scope:
        """The same of the year up to a window's end, in which the constraint's history is told."""
        start = min(scope.start, scope.end - pd.Timedelta(weeks=52))
        if not self.whole:
            start = max(start, self.since + min(QUARTER, (scope.end - self.since) / 2))
        return replace(scope, start=start)


def asked_since(scope: Scope) -> pd.Timestamp:
    """Since when a window asks for single visits: as long before it, and a year with a quarter before it for the history."""
    return min(scope.start - (scope.end - scope.start), scope.end - pd.Timedelta(weeks=52) - QUARTER)


def single_visits(counts: Counts, most: int = MOST) -> int | None:
    """From which day on single visits are taken from an engine, for the constraint, its history, the lever and waste.

    Of a stream at most a million items and visits, so that they fit into one process however long the log is: all that
    the window asks for, where they are no more (then the answers equal those of the embedded path). Of a longer log the
    items that were in a stage, done or cancelled on a day or later, or are not over, with all of their visits: the first
    day from which on they are no more than a million. The later half of that time is then the window of which the
    constraint, the lever and waste are told, and the report says so; the lever looks at the latest 300 items in any case.
    Where even the items that are not over are more, nothing is told. `counts`: items and visits by the day on which the
    item was there last, in order; at the end those that still are.
    """
    since = np.cumsum(counts[::-1])[::-1]
    few = np.flatnonzero(since <= most)
    return int(few[0]) if len(few) and few[0] < len(counts) - 1 else None
