"""Waste: where the hours of items in the stream go other than into work, each hour in one class, with its evidence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vsm.frames import empty, places
from vsm.metrics.figure import Figure, definition, no_rows
from vsm.metrics.handoffs import FEWEST
from vsm.metrics.waste_evidence import ROWS as ROWS
from vsm.metrics.waste_evidence import evidence, longest
from vsm.metrics.waste_hours import AFTER, NAMES, WORK, Pieces, Stays
from vsm.scope import Scope

if TYPE_CHECKING:
    from vsm.workflow import Stage

CLASSES = ("waiting", "batch wait", "handoff", "rework", "parked", "abandoned", "task switching")  # as they are listed


@dataclass(frozen=True)
class Waste:
    """Where the hours went.

    ``classes``: class, hours (missing where it cannot be told), items; a row for each of CLASSES.
    ``values``: hours by class, and of work, not classed, in_stages (all of them); items_per_person
    (in work at once). ``items``: how many were in a stage. ``said``: what could not be told.
    """

    classes: pd.DataFrame
    values: dict[str, float | None]
    items: int
    said: dict[str, str]
    _rows: Callable[[], pd.DataFrame] = field(repr=False, compare=False)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The hours behind every class, of work and those not classed too: item, stage, from, to, hours, class, evidence."""
        return self._rows()

    @property
    def figure(self) -> Figure:
        """All of it as a figure, with its rows."""
        return Figure(
            "waste",
            self.values,
            self.items,
            "hours",
            definition(waste),
            "hours that items spent in stages within the window, elapsed time; of several causes the first counts: "
            + ", ".join(NAMES[:WORK])
            + "; batches and overtaking are told from the window and the time of its length before it",
            self.rows,
            no_rows(),
            said=self.said,
        )


def waste(
    visits: pd.DataFrame, items: pd.DataFrame, line: "Sequence[Stage]", changes: pd.DataFrame, scope: Scope,
    counted: pd.Series | None = None, others: pd.DataFrame | None = None,
) -> Waste:  # fmt: skip
    """Waste by class: hours in stages in which nobody worked on an item, or in vain, or again; each by the first cause that fits.

    - abandoned: all hours of items that ended cancelled.
    - rework: all hours from where an item went back, or was reopened, until it got further than it had been.
    - parked: hours while the item was flagged, and waits that at least eight later arrivals overtook.
    - batch wait: waits to be let go in stages that let go in clumps, ended by a clump or not yet ended.
    - handoff: of waits on moves that change hands the share by which they are longer, on average, than the same moves
      without a change that met as many waiting; only where that is beyond chance, else the wait is waiting. Where every
      move changes the person, of moves that change the team.
    - waiting: all other waits: for work to begin, to be handed on, or in a stage that only holds work.
    - task switching: of time in work what went to other items that the same person had in work at once (k items, (k − 1) ÷ k
      of the time): items in progress per person beyond one, not what switching itself costs, which no record shows.

    The rest is work, or not classed: where a stage shows no queue, or no start of work was recorded, wait and work
    cannot be told apart. So all classes, work and what is not classed add up to the hours in stages.
    `visits`, `items`, `line`: a stream's, all of them. `changes`: ticket_changes. `counted`: the items whose hours are
    told (default: all). `others`: visits of other streams, in which the same people may have items in work.
    """
    visits = visits.reset_index(drop=True)
    told = Stays(visits, items, line, changes, scope)
    pieces = told.classed(others)
    keep = pieces.end > pieces.begin
    if counted is not None:
        mine = places(visits["item"], counted) >= 0
        keep = keep & mine[pieces.row]
    return _summed(told, pieces.where(keep))


def together(wastes: Iterable[Waste]) -> Waste:
    """Several streams' waste as one: an item is in one stream only, so hours and items add up."""
    each = list(wastes)
    if not each:
        return Waste(_classes({}, {}), {}, 0, {}, lambda: empty(ROWS))
    frames = pd.concat([one.classes for one in each])
    hours = {str(name): _sum(part) for name, part in frames.groupby("class")["hours"]}
    numbers = {str(name): int(part.sum()) for name, part in frames.groupby("class")["items"]}
    names = [name for name in each[0].values if name != "items_per_person"]
    values = {name: _sum(pd.Series([one.values[name] for one in each], dtype="float64")) for name in names}
    said = {name: "; ".join(one.said[name] for one in each if name in one.said) for one in each for name in one.said}

    def rows() -> pd.DataFrame:
        return longest(pd.concat([one.rows for one in each], ignore_index=True))

    return Waste(_classes(hours, numbers), values, sum(one.items for one in each), said, rows)


def _sum(hours: "pd.Series[float]") -> float | None:
    return float(hours.sum()) if hours.notna().any() else None


def _classes(hours: dict[str, float | None], items: dict[str, int]) -> pd.DataFrame:
    rows = [{"class": name, "hours": hours.get(name), "items": items.get(name, 0)} for name in CLASSES]
    return pd.DataFrame(rows).astype({"class": "str", "hours": "float64", "items": "int64"})


def _summed(told: Stays, pieces: Pieces) -> Waste:
    """The hours and items of each class."""
    hours = np.bincount(pieces.kind, weights=pieces.hours, minlength=len(NAMES))
    there = np.zeros((len(NAMES), len(told.names)), dtype=bool)
    there[pieces.kind, told.item[pieces.row]] = True
    items = there.sum(axis=1)
    seen = len(pieces.row) > 0
    known = _known(told, pieces)
    by_class = {name: float(hours[kind]) if seen and known.get(name, True) else None for kind, name in enumerate(NAMES)}
    values = {name: by_class[name] for name in (*CLASSES, "work", "not classed")}
    values |= {
        "in_stages": float(pieces.hours.sum()) if seen else None,
        "items_per_person": told.lost_to if seen and not np.isnan(told.lost_to) else None,
    }
    numbers = {name: int(items[kind]) for kind, name in enumerate(NAMES)}
    each = int(there.any(axis=0).sum())
    return Waste(_classes(by_class, numbers), values, each, _said(told, known), lambda: evidence(told, pieces))


def _known(told: Stays, pieces: Pieces) -> dict[str, bool]:
    """Which classes could be told at all."""
    both = (told.cost["matched_n"] >= FEWEST) & (told.cost["matched_kept_n"] >= FEWEST)
    return {
        "waiting": bool(told.queues.any() or (~told.works).any() or (pieces.shows == AFTER).any()),
        "batch wait": bool(~np.isnan(told.clumps.size).all()),
        "handoff": bool(both.any()),
        "task switching": told.seen_people,
    }


def _said(told: Stays, known: dict[str, bool]) -> dict[str, str]:
    """What could not be told, in words."""
    found = {}
    costs = told.cost
    alone = costs[(costs["changed_n"] > 0) & (costs["matched_kept_n"] < FEWEST)]
    if len(alone):
        ways = ", ".join(f"{one} → {other}" for one, other in zip(alone["from"], alone["to"], strict=True))
        found["handoff"] = (
            f"{ways}: fewer than {FEWEST} such moves keep their hands, so what a change costs cannot be told; "
            "their waits are in waiting"
        )
    if not known["task switching"]:
        found["task switching"] = "who works on what is not known"
    if not known["batch wait"]:
        found["batch wait"] = "no stage shows enough work that waits to be let go"
    return found
