"""What a stage could do, told from the log alone: how many it works on while something waits, and where its output stops growing.

No number of people is asked for: people have other work too, and nobody logs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm.config import DAYS, Calendar
from vsm.metrics.stages import NEVER, Waits, observed_from, overtaken, stage_codes
from vsm.scope import Scope
from vsm.working_time import HOUR, NOT_A_TIME, Floats, Micros, micro, micros, worked

if TYPE_CHECKING:
    from vsm.workflow import Stage

STUCK = (
    24  # later ones that were finished before it: an item that so many overtook in work lies there; a long one is passed by some
)
LEVELS = 32  # numbers of items inside that are told apart; more of them are put together by their size
RARE = 0.2  # of the busiest hour or day: one with less does not belong to the working hours
OUTSIDE = 0.03  # of all work may begin or end outside the working hours; with more there are none
QUARTER = HOUR // 4  # the clocks of all zones differ by such
SOME = 200  # beginnings and ends of work that it takes to tell the working hours
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Capacity:
    """What each stage did in each piece of the window, so that pieces can be drawn again: rows are stages, columns pieces.

    Hours are working hours, and count from when the first work reached the stage.
    """

    open_hours: Floats
    queued: Floats  # something waits
    busy: Floats  # Σ of the hours that items were worked on
    pressed: Floats  # the same, while something waits
    inside: Floats  # stage, level: items inside at that level on average
    lasting: Floats  # stage, level, piece: hours with so many inside
    left: Floats  # stage, level, piece: departures from so many inside

    def queue_share(self, weights: Floats) -> Floats:
        """The share of working time in which something waits, a row a draw of pieces, a column a stage."""
        return _share(weights @ self.queued.T, weights @ self.open_hours.T)

    def at_once(self, weights: Floats) -> Floats:
        """Items worked on at the same time while something waits: what the stage can do, by its own doing."""
        return _share(weights @ self.pressed.T, weights @ self.queued.T)

    def load(self, weights: Floats) -> Floats:
        """Items worked on at the same time ÷ those worked on while something waits, 1 at most: how much of what it can is asked."""
        return np.minimum(_share(_share(weights @ self.busy.T, weights @ self.open_hours.T), self.at_once(weights)), 1.0)

    def saturation(self, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Where output stops growing with what is inside: items at that point, the share of time beyond it, load, and certainty.

        Departures as a Poisson stream at rate μ × min(inside, m): m of the greatest likelihood; the
        certainty is by how much (logarithm) it is likelier than output that grows without an end.
        """
        found = [self._saturation(place, weights) for place in range(len(self.inside))]
        parts = np.array(found).reshape(len(found), 4, len(weights))
        return parts[:, 0].T, parts[:, 1].T, parts[:, 2].T, parts[:, 3].T

    def _saturation(self, place: int, weights: Floats) -> Floats:
        inside = self.inside[place]
        points = inside[inside > 0]
        if not len(points):
            return np.zeros((4, len(weights)))
        lasting, left = weights @ self.lasting[place].T, weights @ self.left[place].T
        held = np.minimum(inside[:, None], points)  # level, candidate for m
        total = left[:, inside > 0].sum(axis=1, keepdims=True)
        work = np.maximum(lasting @ held, 1e-9)
        likely = left[:, inside > 0] @ np.log(held[inside > 0]) + total * np.log(np.maximum(total, 1e-9) / work)
        best = likely.argmax(axis=1)
        rows = np.arange(len(weights))
        time = np.maximum(lasting.sum(axis=1), 1e-9)
        beyond = (lasting * (inside > points[best][:, None])).sum(axis=1) / time
        return np.array([points[best], beyond, work[rows, best] / time / points[best], likely[rows, best] - likely[:, -1]])


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 1e-9)


def capacity(
    visits: pd.DataFrame, line: "Sequence[Stage]", queue: Waits, edges: Micros, calendar: Calendar | None, zone: ZoneInfo
) -> Capacity:
    """What each stage did between each two edges; items that many later ones overtook are left out."""
    stays = _Stays.of(visits, line, int(edges[-1]))
    pieces = [_Piecewise(stays, queue, place, edges, calendar, zone) for place in range(len(line))]
    shape = (len(line), len(edges) - 1)

    def rows(name: str, *wide: int) -> Floats:
        return np.array([getattr(piece, name) for piece in pieces], dtype="float64").reshape(shape[0], *wide or shape[1:])

    return Capacity(
        rows("open_hours"), rows("queued"), rows("busy"), rows("pressed"),
        rows("inside", LEVELS), rows("lasting", LEVELS, shape[1]), rows("left", LEVELS, shape[1]),
    )  # fmt: skip


@dataclass(frozen=True)
class _Stays:
    """Visits as numbers, as known at an instant; who was overtaken while waiting or in work is marked."""

    code: Numbers
    queued: Micros
    started: Micros
    finished: Micros
    left: Micros
    parked: npt.NDArray[np.bool_]
    stuck: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, visits: pd.DataFrame, line: "Sequence[Stage]", until: int) -> "_Stays":
        code = stage_codes(visits, line)
        queued, started, finished, left = (
            _as_of(micros(visits[name]), until) for name in ("queued", "started", "finished", "left")
        )
        over = np.minimum(finished, left)
        return cls(code, queued, started, over, left, overtaken(code, queued, left, STUCK), overtaken(code, started, over, STUCK))


def _as_of(times: Micros, until: int) -> Micros:
    return np.where((times == NOT_A_TIME) | (times > until), NEVER, times)


class _Piecewise:
    """One stage: how many wait, are worked on and are inside, as steps over working time, added up by piece."""

    def __init__(self, stays: _Stays, queue: Waits, place: int, edges: Micros, calendar: Calendar | None, zone: ZoneInfo) -> None:
        def hours(times: Micros) -> Floats:
            return worked(np.minimum(times, edges[-1]), calendar, zone)

        mine, waits = stays.code == place, (queue.code == place) & ~queue.parked
        first = min(int(stays.queued[mine].min(initial=NEVER)), int(edges[-1]))
        self.open_hours = np.diff(worked(np.maximum(edges, first), calendar, zone))
        work = mine & (stays.started < NEVER) & ~stays.stuck
        held = mine & (stays.queued < NEVER) & ~stays.parked
        sides = [
            (hours(queue.due[waits]), hours(queue.served[waits])),
            (hours(stays.started[work]), hours(stays.finished[work])),
            (hours(stays.queued[held]), hours(stays.left[held])),
        ]
        self.marks = hours(edges)
        times = np.concatenate([self.marks, *(side for pair in sides for side in pair)])
        order = np.argsort(times)  # any sort will do: between steps at the same time no time passes
        self.times = times[order]
        waiting, working, self.count = (_steps(which, sides, len(edges), order) for which in range(3))
        self.lasts = np.diff(self.times, append=self.times[-1])
        self.piece = np.searchsorted(self.marks, self.times, side="right") - 1
        self.queued, self.busy, self.pressed = (self._added(x) for x in (waiting > 0, working, working * (waiting > 0)))
        self._levels(hours(stays.left[held & (stays.left < NEVER)]))

    def _added(self, height: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """∫ of a step function over each piece."""
        size = len(self.marks) - 1
        inside = (self.piece >= 0) & (self.piece < size)
        return np.bincount(self.piece[inside], weights=(height * self.lasts)[inside], minlength=size)

    def _levels(self, gone: Floats) -> None:
        """Hours and departures by how many are inside, and by piece."""
        size = len(self.marks) - 1
        inside = (self.piece >= 0) & (self.piece < size) & (self.lasts > 0)
        top = int(self.count[inside].max(initial=0))
        level = _level(self.count, top)
        key, lasts = (level * size + self.piece)[inside], self.lasts[inside]
        self.lasting = np.bincount(key, weights=lasts, minlength=LEVELS * size).reshape(LEVELS, size)
        mean = np.bincount(level[inside], weights=(self.count * self.lasts)[inside], minlength=LEVELS)
        self.inside = mean / np.maximum(self.lasting.sum(axis=1), 1e-9)
        before = np.searchsorted(self.times, gone, side="left") - 1
        piece = np.searchsorted(self.marks, gone, side="left") - 1
        ours = (piece >= 0) & (piece < size) & (before >= 0)
        self.left = np.bincount(level[before[ours]] * size + piece[ours], minlength=LEVELS * size).reshape(LEVELS, size)


def _steps(which: int, sides: list[tuple[Floats, Floats]], edges: int, order: Numbers) -> Numbers:
    """How many intervals of one kind are open from each time on."""
    change = [np.zeros(edges, dtype="int64")]
    for kind, (begin, end) in enumerate(sides):
        own = int(kind == which)
        change += [np.full(len(begin), own), np.full(len(end), -own)]
    return np.cumsum(np.concatenate(change)[order])


def _level(count: Numbers, top: int) -> Numbers:
    """Which level a number of items is in: each its own, or many as groups that grow with the number."""
    if top < LEVELS:
        return np.clip(count, 0, LEVELS - 1)
    bounds = np.unique(np.geomspace(1, top + 1, LEVELS).astype("int64"))
    return np.clip(np.searchsorted(bounds, count, side="right"), 0, LEVELS - 1)


# Working hours, told from the log. --------------------------------------------------------------------------------------


def working_hours(visits: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> Calendar | None:
    """The weekdays and hours in which work begins and ends, where no calendar is configured; None where it goes round the clock."""
    times = np.concatenate([micros(visits[name][scope.holds(visits[name])]) for name in ("started", "finished")])
    if len(times) < SOME:
        return None
    quarters, count = np.unique(times // QUARTER, return_counts=True)
    local = pd.DatetimeIndex((quarters * QUARTER).view("datetime64[us]"), tz="UTC").tz_convert(zone)
    day, hour = local.day_of_week.to_numpy(), local.hour.to_numpy()
    days, hours = np.bincount(day, count, minlength=7), np.bincount(hour, count, minlength=24)
    works, open_ = days >= RARE * days.max(), np.flatnonzero(hours >= RARE * hours.max())
    first, last = int(open_.min()), int(open_.max()) + 1
    if works.all() and last - first > 20:
        return None
    inside = works[day] & (first <= hour) & (hour < last)
    if count[~inside].sum() / count.sum() > OUTSIDE:
        return None
    named = tuple(day for day, works_then in zip(DAYS, works, strict=True) if works_then)
    return Calendar(workdays=named, hours=(f"{first:02}:00", f"{last:02}:00"))


def window_edges(visits: pd.DataFrame, scope: Scope, length: int) -> Micros:
    """The window, from the first record on, in pieces of a length; what is left over is a shorter piece."""
    start, end = micro(observed_from(visits, scope)), micro(scope.end)
    return np.append(np.arange(start, max(end, start + 1), length), end)
