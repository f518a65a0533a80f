"""Time in stage: each stay told apart into wait and work, and what each stage of the map holds, takes in and lets go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm.config import Calendar
from vsm.frames import begins, kept, places
from vsm.metrics.figure import mean, nearest_rank
from vsm.scope import Scope
from vsm.working_time import HOUR, NOT_A_TIME, Floats, Micros, micro, micros, worked

if TYPE_CHECKING:
    from vsm.workflow import Stage

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# A visit that this many later arrivals overtook waits for something other than people: it was parked.
# In a study of planted lines, three parked tickets made every queue look permanent.
OVERTAKEN = 8
NEVER = int(np.iinfo(np.int64).max)


def split(visits: pd.DataFrame, line: "Sequence[Stage]") -> pd.DataFrame:
    """The visits with dwell, wait and work (Timedelta, NaT where unknown) and known, whether the stay's split is known.

    Dwell is the whole stay, queued to left; an open stay has no lengths yet. How it splits depends
    on what the stage shows, a waiting side (statuses or events that queue), an active side
    (statuses or events that start work), or both:

    ==================  ===========  =======================  ==================  =====
    the stage shows     the visit    wait                     work                known
    ==================  ===========  =======================  ==================  =====
    both sides          started      dwell − work             started → finished  yes
    both sides          only queued  dwell                    missing             no
    only waiting        any          dwell: it holds work     missing             yes
    only active         started      missing: hidden in work  started → finished  no
    ==================  ===========  =======================  ==================  =====

    So wait is before and after the work, and wait + work = dwell wherever both are there. Who only
    queued may have been worked on without a record: the stay is wait, but its split is not known.
    """
    queued, started, finished, left = (micros(visits[name]) for name in ("queued", "started", "finished", "left"))
    code = stage_codes(visits, line)
    queues, works = (np.array([*sides, False])[code] for sides in (_queues(line), _works(line)))
    gone, begun = left != NOT_A_TIME, started != NOT_A_TIME
    ended = np.where(finished == NOT_A_TIME, left, np.minimum(finished, left))
    dwell = np.where(gone, left - queued, NOT_A_TIME)
    work = np.where(gone & begun & works, ended - started, NOT_A_TIME)
    all_wait = gone & queues & ~(begun & works)
    wait = np.where(gone & queues & begun & works, dwell - work, np.where(all_wait, dwell, NOT_A_TIME))
    known = gone & queues & (begun | ~works)
    spans = {name: pd.Series(_spans(span), index=visits.index) for name, span in (("wait", wait), ("work", work), ("dwell", dwell))}
    return visits.assign(**spans, known=known)


def _spans(lengths: Micros) -> npt.NDArray[np.timedelta64]:
    spans: npt.NDArray[np.timedelta64] = lengths.view("timedelta64[us]")
    return spans


def _queues(line: "Sequence[Stage]") -> list[bool]:
    """Which stages show that work waits in them; one that only holds work shows nothing else."""
    return [stage.has_queue or not stage.has_capacity for stage in line]


def _works(line: "Sequence[Stage]") -> list[bool]:
    return [stage.has_capacity for stage in line]


def stage_codes(visits: pd.DataFrame, line: "Sequence[Stage]") -> Codes:
    """Each visit's stage as its place on the line; −1 for a stage that is not on it."""
    return places(visits["stage"], pd.Index([stage.name for stage in line], dtype="str"))


def visit_before(visits: pd.DataFrame) -> Codes:
    """For each visit the row of the same item's visit before it; −1 for an item's first."""
    seq, first = visits["seq"].to_numpy(), begins(visits["item"])
    # Told item by item, as they mostly are, each visit but an item's first follows the one before it.
    if bool((first | (np.diff(seq, prepend=-1) > 0)).all()) and visits["item"][first].is_unique:
        return np.where(first, -1, np.arange(len(visits)) - 1)
    item = pd.factorize(visits["item"])[0]
    order = np.lexsort((visits["seq"].to_numpy(), item))
    follows = item[order][1:] == item[order][:-1]
    before = np.full(len(visits), -1, dtype="int64")
    before[order[1:][follows]] = order[:-1][follows]
    return before


def lately(visits: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The visits of the items that were in a stage in the window, or in the time of its length before it.

    What left all stages earlier has no hours in the window, and too long ago to tell of how work flows in it.
    The first visit of all stays: it says since when there are records.
    """
    if not len(visits):
        return visits
    item = _numbers(visits["item"])
    return kept(visits, _late(visits, item, scope)[item]).reset_index(drop=True)


def recent(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The same, and all visits of the items that were done or cancelled in the window: what any number of the window is made of."""
    if not len(visits):
        return visits
    item = _numbers(visits["item"])
    late = _late(visits, item, scope)
    closed = scope.holds(items["done_at"]) | scope.holds(items["cancelled_at"])
    late[item[places(visits["item"], items.loc[closed, "item"]) >= 0]] = True
    return kept(visits, late[item]).reset_index(drop=True)


def _late(visits: pd.DataFrame, item: Codes, scope: Scope) -> Mask:
    """Of each item whether it was in a stage in the window, or in the time of its length before it, or was the first of all."""
    left, bound = micros(visits["left"]), 2 * micro(scope.start) - micro(scope.end)
    late = np.bincount(item[(left == NOT_A_TIME) | (left >= bound)], minlength=int(item.max()) + 1) > 0
    late[item[micros(visits["queued"]).argmin()]] = True
    return late


def _numbers(items: pd.Series) -> Codes:
    """Items as numbers; of items that stand together without a look at each row's text."""
    first = begins(items)
    return np.cumsum(first) - 1 if items[first].is_unique else pd.factorize(items)[0].astype("int64")


def inside(visits: pd.DataFrame, at: pd.Timestamp) -> "pd.Series[bool]":
    """Which visits are under way at an instant."""
    return (visits["queued"] <= at) & ~(visits["left"] <= at)


def sojourn(visits: pd.DataFrame, scope: Scope) -> Floats:
    """The hours of each visit that lie in the window."""
    start, end = micro(scope.start), micro(scope.end)
    left = micros(visits["left"])
    until = np.where(left == NOT_A_TIME, end, np.minimum(left, end))
    hours: Floats = np.maximum(until - np.maximum(micros(visits["queued"]), start), 0) / HOUR
    return hours


def observed_from(visits: pd.DataFrame, scope: Scope) -> pd.Timestamp:
    """Since when the window can show work: its start, or the first visit where records begin later."""
    first = visits["queued"].min()
    return scope.start if pd.isna(first) else min(max(scope.start, first), scope.end)


def stages(
    visits: pd.DataFrame, line: "Sequence[Stage]", scope: Scope, calendar: Calendar | None, zone: ZoneInfo,
    queue: "Waits | None" = None,
) -> pd.DataFrame:  # fmt: skip
    """One row a stage, in map order: how long visits wait and are worked on (hours), what is inside, what comes and goes.

    Wait, work and dwell are of the visits that left in the window; dwell_total is the hours that all
    visits, open ones too, spent here within the window, so that wip_mean = dwell_total ÷ the window's hours.
    queue_share: how much of the working time something was waiting here (`queued_hours`), from the
    first record on; over_limit: how much of the window there was more inside than wip_limit allows.
    `queue`: the `waits` of these visits as known at the window's end, where somebody has told them.
    """
    told = split(visits, line)
    code = stage_codes(visits, line)
    gone = scope.holds(told["left"]).to_numpy()
    now = inside(told, scope.end).to_numpy()
    working = now & _working(told, line, code, scope.end)
    hours = sojourn(told, scope)

    def count(mask: Mask) -> Codes:
        return np.bincount(code[mask & (code >= 0)], minlength=len(line))

    total = np.bincount(code[code >= 0], weights=hours[code >= 0], minlength=len(line))
    arrived = scope.holds(told["queued"]).to_numpy()
    frame = pd.DataFrame({"stage": pd.Series([stage.name for stage in line], dtype="str"), "visits": count(gone)})
    for name in ("wait", "work", "dwell"):
        frame = frame.join(_lengths(name, told[name], gone, code, len(line)))
    return frame.assign(
        dwell_total=total if len(visits) else np.nan,
        wip_mean=total / scope.hours if len(visits) else np.nan,
        wip_now=count(now),
        waiting_now=count(now & ~working),
        working_now=count(working),
        wip_limit=pd.array([stage.wip_limit for stage in line], dtype="Int64"),
        over_limit=_over_limit(told, line, code, scope),
        arrivals=count(arrived),
        departures=count(gone),
        rework_visits=count(arrived & (told["kind_in"] == "back").to_numpy(dtype=bool, na_value=False)),
        queue_share=queue_shares(visits, line, scope, calendar, zone, queue),
        people=np.array([stage.people for stage in line], dtype="float64"),
        team=pd.Series([stage.team for stage in line], dtype="str"),
        has_capacity=np.array([stage.has_capacity for stage in line], dtype=bool),
    )


def _lengths(name: str, spans: "pd.Series[pd.Timedelta]", gone: Mask, code: Codes, size: int) -> pd.DataFrame:
    """Median, p85, mean and number of one length of visits, a row a stage."""
    length = spans.dt.total_seconds().to_numpy() / 3600
    slices = list(by_code(length, gone & ~np.isnan(length), code, size))
    columns = {
        f"{name}_p50": [nearest_rank(values, 0.5) for values in slices],
        f"{name}_p85": [nearest_rank(values, 0.85) for values in slices],
        f"{name}_mean": [mean(values) for values in slices],
    }
    numbers = pd.DataFrame({column: np.array(values, dtype="float64") for column, values in columns.items()})
    return numbers.assign(**{f"{name}_n": np.array([len(values) for values in slices], dtype="int64")})


def by_code(values: npt.NDArray[np.float64], mask: Mask, code: Codes, size: int) -> Iterator[Floats]:
    """The values under a mask, of each code from 0 on."""
    rows = np.flatnonzero(mask & (code >= 0))
    rows = rows[np.argsort(code[rows], kind="stable")]
    ends = np.searchsorted(code[rows], np.arange(size + 1))
    return (values[rows[begin:end]] for begin, end in pairwise(ends))


def _working(visits: pd.DataFrame, line: "Sequence[Stage]", code: Codes, at: pd.Timestamp) -> Mask:
    """Which visits are being worked on at an instant: started and not finished, in a stage that works."""
    works = np.array([*_works(line), False])[code]
    begun: Mask = ((visits["started"] <= at) & ~(visits["finished"] <= at)).to_numpy()
    return works & begun


def _over_limit(visits: pd.DataFrame, line: "Sequence[Stage]", code: Codes, scope: Scope) -> Floats:
    """The share of the window in which a stage held more than its limit; NaN of a stage without one."""
    shares = np.full(len(line), np.nan)
    start, end = micro(scope.start), micro(scope.end)
    queued, left = micros(visits["queued"]), micros(visits["left"])
    until = np.where(left == NOT_A_TIME, end, np.minimum(left, end))
    for place, stage in enumerate(line):
        if stage.wip_limit is not None and len(visits):
            mine = (code == place) & (queued < end)
            times, inside_then = _steps(np.maximum(queued[mine], start), np.maximum(until[mine], start))
            lasting = np.diff(np.append(times, end))
            shares[place] = lasting[inside_then > stage.wip_limit].sum() / (end - start)
    return shares


def _steps(begin: Micros, end: Micros) -> tuple[Micros, Codes]:
    """At which instants the number of open intervals changes, and what it is from then on (the last of an instant counts)."""
    times = np.concatenate([begin, end])
    change = np.repeat([1, -1], [len(begin), len(end)])
    order = np.argsort(times, kind="stable")
    return times[order], np.cumsum(change[order])


# Queues: what waits for a stage, in working time. ----------------------------------------------------------------------


def shows_queue(line: "Sequence[Stage]") -> list[bool]:
    """Which stages have a queue that can be measured: a waiting side of their own, or the stage before says when it closes."""
    closes = [False, *(bool(stage.closes) for stage in line)][: len(line)]
    return [shown or handed_on for shown, handed_on in zip(_queues(line), closes, strict=True)]


def queue_shares(
    visits: pd.DataFrame, line: "Sequence[Stage]", scope: Scope, calendar: Calendar | None, zone: ZoneInfo,
    queue: "Waits | None" = None,
) -> Floats:  # fmt: skip
    """The share of working time in which something waits for each stage; NaN where a queue cannot be seen."""
    edges = np.array([micro(observed_from(visits, scope)), micro(scope.end)])
    open_hours = float(np.diff(worked(edges, calendar, zone))[0])
    if not len(visits) or open_hours <= 0:
        return np.full(len(line), np.nan)
    queue = waits(visits, line, int(edges[1])) if queue is None else queue
    shares = queued_hours(queue, len(line), edges, calendar, zone)[:, 0] / open_hours
    return np.where(shows_queue(line), shares, np.nan)


@dataclass(frozen=True)
class Waits:
    """Waits for a stage (its place on the line, −1 for none): since when, until when (NEVER while it waits), and whether parked.

    ``row``: the row of the visit that each belongs to.
    """

    code: Codes
    due: Micros
    served: Micros
    parked: Mask
    row: Codes


def queued_hours(waits: Waits, size: int, edges: Micros, calendar: Calendar | None, zone: ZoneInfo) -> Floats:
    """Working hours in which anything but parked visits waits for a stage: a row a stage, a column for each span of edges."""
    kept = ~waits.parked & (waits.code >= 0)
    code, every = waits.code[kept], np.ones(int(kept.sum()), dtype=bool)
    begin = worked(waits.due[kept], calendar, zone)
    end = worked(np.minimum(waits.served[kept], edges[-1]), calendar, zone)
    sides = zip(by_code(begin, every, code, size), by_code(end, every, code, size), strict=True)
    marks = worked(edges, calendar, zone)
    return np.array([_covered(opening, closing, marks) for opening, closing in sides]).reshape(size, len(edges) - 1)


def waits(visits: pd.DataFrame, line: "Sequence[Stage]", until: int) -> Waits:
    """Every wait for a stage, as known at an instant: one a visit, and one for work that is finished but not handed on.

    A visit waits from its queueing to the start of work, or until it leaves where none started; in
    a stage that only holds work as long as it is there. Work that the stage before has finished
    but not handed on waits for the next stage already (for the next on the map, while it is there).
    """
    code = stage_codes(visits, line)
    queued, started, finished, left = (_as_of(micros(visits[name]), until) for name in ("queued", "started", "finished", "left"))
    over = np.minimum(finished, left)
    holds = ~np.array([*_works(line), True])[code]
    served = np.where(holds, over, np.minimum(started, over))
    before = visit_before(visits)
    handed_on = (before >= 0) & (queued < NEVER) & (left[before] == queued) & (finished[before] < queued)
    due = np.where(handed_on, finished[before], queued)
    ready = (finished < NEVER) & (left == NEVER) & (code >= 0) & (code + 1 < len(line))
    code, due = np.append(code, code[ready] + 1), np.append(due, finished[ready])
    served = np.append(served, np.full(int(ready.sum()), NEVER))
    code = np.where(due < NEVER, code, -1)
    row = np.append(np.arange(len(visits)), np.flatnonzero(ready))
    return Waits(code, due, served, overtaken(code, due, served) & (code >= 0), row)


def _as_of(times: Micros, until: int) -> Micros:
    """Times that had come by an instant; the others and the missing ones never."""
    return np.where((times == NOT_A_TIME) | (times > until), NEVER, times)


def overtaken(code: Codes, due: Micros, served: Micros, by: int = OVERTAKEN) -> Mask:
    """Which visits were overtaken: at least `by` later arrivals of the same stage were served before them."""
    late = np.zeros(len(code), dtype=bool)
    for one in range(int(code.min(initial=0)), int(code.max(initial=-1)) + 1):
        rows = np.flatnonzero(code == one)
        rows = rows[np.argsort(due[rows])]  # any sort will do, since who arrived at the same instant is no later arrival
        late[rows] = _overtaken(due[rows], served[rows], by)
    return late


def _overtaken(due: Micros, served: Micros, by: int) -> Mask:
    """The same in one stage, rows in order of arrival: is the by-th earliest service of all later arrivals before one's own?

    The running by-th smallest of a stream is the running smallest of what by − 1 such filters let
    pass: each keeps the smallest so far and hands on what that pushes out. So `by` passes suffice.
    """
    stream = served[::-1]
    some = stream <= _bound(stream, by)  # the others are too large to be among the by smallest
    passing = stream[some]
    smallest = np.empty_like(passing)
    for _ in range(by - 1 if len(passing) else 0):
        np.minimum.accumulate(passing, out=smallest)
        np.maximum(smallest[:-1], passing[1:], out=passing[1:])
        passing[0] = NEVER
    nth = np.append(NEVER, np.minimum.accumulate(passing))[np.cumsum(some)]
    last = np.append(np.flatnonzero(np.diff(due)) + 1, len(due))  # who arrived at the same instant did not arrive later
    later = np.repeat(last, np.diff(last, prepend=0))
    overtaken: Mask = np.append(nth[::-1], NEVER)[later] < served
    return overtaken


def _bound(stream: Micros, by: int) -> Micros:
    """For each of a stream what the by-th smallest before it cannot exceed: of `by` turns the greatest of their smallest."""
    turns = np.append(stream, np.full(-len(stream) % by, NEVER)).reshape(-1, by)
    bound = np.minimum.accumulate(turns, axis=0).max(axis=1)
    return np.repeat(np.append(NEVER, bound[:-1]), by)[: len(stream)]


def _covered(begin: Floats, end: Floats, edges: Floats) -> Floats:
    """How much of each span between two edges the union of intervals covers."""
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    begin = np.maximum(begin, np.append(-np.inf, end[:-1]))
    piece = end > begin
    begin, end = begin[piece], end[piece]
    before = np.append(0.0, np.cumsum(end - begin))
    place = np.searchsorted(begin, edges, side="right")
    if not len(begin):
        return np.zeros(len(edges) - 1)
    last = np.maximum(place - 1, 0)
    return np.diff(np.where(place > 0, before[last] + np.minimum(edges, end[last]) - begin[last], 0.0))
