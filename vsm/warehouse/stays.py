"""Time in stage from an engine: what `vsm.metrics.stages` tells of visits, worked out where the visits are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pandas as pd

from vsm.config import Calendar
from vsm.metrics.stages import OVERTAKEN, _queues, _works, shows_queue
from vsm.scope import Scope
from vsm.warehouse.ranks import NEVER, count, in_hours, number, ranked, varies
from vsm.working_time import HOUR, micro, worked, working_days

if TYPE_CHECKING:
    from vsm.workflow import Stage

Expr = Any
LENGTHS = ("wait", "work", "dwell")


@dataclass(frozen=True)
class Window:
    """A scope's window in microseconds."""

    start: int
    end: int

    @classmethod
    def of(cls, scope: Scope) -> "Window":
        return cls(micro(scope.start), micro(scope.end))

    def holds(self, at: Expr) -> Expr:
        """Which times lie in it, both ends included; a missing one does not."""
        return at.notnull() & (at >= self.start) & (at <= self.end)

    def inside(self, visits: Expr) -> Expr:
        """Which visits are under way at its end."""
        return (visits.queued <= self.end) & (visits.left.isnull() | (visits.left > self.end))

    def sojourn(self, visits: Expr) -> Expr:
        """The microseconds of each visit that lie in it."""
        until = ibis.least(ibis.coalesce(visits.left, self.end), self.end)
        return ibis.greatest(until - ibis.greatest(visits.queued, self.start), 0)


def split(visits: Expr, line: "Sequence[Stage]") -> Expr:
    """The visits with wait, work and dwell (missing where unknown) and known, as `vsm.metrics.stages.split` tells them."""
    queues, works = (_among(visits.position, sides) for sides in (_queues(line), _works(line)))
    gone, begun = visits.left.notnull(), visits.started.notnull()
    ended = ibis.coalesce(ibis.least(visits.finished, visits.left), visits.left)
    none = ibis.null("int64")
    told = visits.mutate(
        dwell=ibis.cases((gone, visits.left - visits.queued), else_=none),
        work=ibis.cases((gone & begun & works, ended - visits.started), else_=none),
        known=gone & queues & (begun | ~works),
    )
    both, all_wait = gone & queues & begun & works, gone & queues & ~(begun & works)
    return told.mutate(wait=ibis.cases((both, told.dwell - told.work), (all_wait, told.dwell), else_=none))


def _among(position: Expr, sides: Sequence[bool]) -> Expr:
    return position.isin([place for place, side in enumerate(sides) if side] or [-1])


def stages(
    visits: Expr, line: "Sequence[Stage]", scope: Scope, calendar: Calendar | None, zone: ZoneInfo, keep: Any = lambda table: table
) -> pd.DataFrame:
    """The table of `vsm.metrics.stages.stages`, a row a stage, from visits that are `split`; and the variance of each median."""
    window = Window.of(scope)
    works = _among(visits.position, _works(line))
    gone, now, arrived = window.holds(visits.left), window.inside(visits), window.holds(visits.queued)
    begun = (visits.started <= window.end) & (visits.finished.isnull() | (visits.finished > window.end))
    working = now & works & ibis.coalesce(begun, ibis.literal(False))
    told = visits.group_by("position").agg(
        visits=count(gone),
        arrivals=count(arrived),
        rework_visits=count(arrived & (visits.kind_in == "back")),
        wip_now=count(now),
        working_now=count(working),
        total=window.sojourn(visits).cast("float64").sum(),
        seen=visits.count(),
        first=visits.queued.min(),
    )  # fmt: skip
    by_place = {int(row["position"]): row for row in told.to_pandas().to_dict("records")}
    seen = sum(int(row["seen"]) for row in by_place.values()) > 0
    names = ("visits", "arrivals", "rework_visits", "wip_now", "working_now")
    frame = pd.DataFrame({"stage": pd.Series([stage.name for stage in line], dtype="str")})
    counts = {
        name: np.array([int(by_place.get(place, {}).get(name, 0)) for place in range(len(line))], dtype="int64") for name in names
    }
    total = np.array([number(by_place.get(place, {}).get("total")) / HOUR for place in range(len(line))], dtype="float64")
    lengths: dict[str, Any] = {}
    for name in LENGTHS:
        lengths |= _lengths(visits.filter(gone), name, len(line))
    first = min((int(row["first"]) for row in by_place.values()), default=None)
    return frame.assign(
        visits=counts["visits"],
        **lengths,
        dwell_total=total if seen else np.nan,
        wip_mean=total / scope.hours if seen else np.nan,
        wip_now=counts["wip_now"],
        waiting_now=counts["wip_now"] - counts["working_now"],
        working_now=counts["working_now"],
        wip_limit=pd.array([stage.wip_limit for stage in line], dtype="Int64"),
        over_limit=_over_limit(visits, line, window, seen),
        arrivals=counts["arrivals"],
        departures=counts["visits"],
        rework_visits=counts["rework_visits"],
        queue_share=_queue_shares(visits, line, window, first, calendar, zone, keep),
        people=np.array([stage.people for stage in line], dtype="float64"),
        team=pd.Series([stage.team for stage in line], dtype="str"),
        has_capacity=np.array([stage.has_capacity for stage in line], dtype=bool),
    )


def _lengths(gone: Expr, name: str, size: int) -> dict[str, Any]:
    rows = ranked(gone, name, (50, 85), by=["position"]).to_pandas().to_dict("records")
    told = {int(row["position"]): row for row in rows}
    columns = {
        f"{name}_{what}": np.array([in_hours(told.get(place, {}).get(what)) for place in range(size)], dtype="float64")
        for what in ("p50", "p85", "mean")
    }
    counts = [int(told.get(place, {}).get("n", 0)) for place in range(size)]
    spreads = [varies(told.get(place, {}).get("apart"), n) for place, n in enumerate(counts)]
    return columns | {f"{name}_n": np.array(counts, dtype="int64"), f"{name}_spread": np.array(spreads, dtype="float64")}


def _over_limit(visits: Expr, line: "Sequence[Stage]", window: Window, seen: bool) -> Any:
    """The share of the window in which a stage held more than its limit; NaN of a stage without one."""
    limits = {place: stage.wip_limit for place, stage in enumerate(line) if stage.wip_limit is not None}
    shares = np.full(len(line), np.nan)
    if not limits or not seen:
        return shares
    shares[list(limits)] = 0.0
    mine = visits.filter(_among(visits.position, [place in limits for place in range(len(line))]) & (visits.queued < window.end))
    begin, end = ibis.greatest(mine.queued, window.start), ibis.least(ibis.coalesce(mine.left, window.end), window.end)
    one = ibis.literal(1, "int64")
    came = mine.select("position", at=begin, change=one)
    gone = mine.select("position", at=ibis.greatest(end, window.start), change=-one)
    steps = came.union(gone).group_by(["position", "at"]).agg(change=lambda t: t.change.sum().cast("int64"))
    steps = steps.mutate(
        inside=steps.change.sum().over(ibis.cumulative_window(group_by=steps.position, order_by=steps.at)),
        lasts=ibis.coalesce(steps.at.lead(1).over(ibis.window(group_by=steps.position, order_by=steps.at)), window.end) - steps.at,
    )
    above = steps.filter(steps.inside > steps.position.cases(*limits.items(), else_=0))
    rows = above.group_by("position").agg(lasts=above.lasts.cast("float64").sum()).to_pandas()
    for row in rows.to_dict("records"):
        shares[int(row["position"])] = number(row["lasts"]) / (window.end - window.start)
    return shares


# Queues. ----------------------------------------------------------------------------------------------------------------


def _queue_shares(
    visits: Expr, line: "Sequence[Stage]", window: Window, first: int | None, calendar: Calendar | None, zone: ZoneInfo, keep: Any
) -> Any:
    """The share of working time in which something waits for each stage, from the first record on; NaN where no queue is seen."""
    if first is None:
        return np.full(len(line), np.nan)
    start = min(max(window.start, first), window.end)
    open_hours = float(np.diff(worked(np.array([start, window.end]), calendar, zone))[0])
    if open_hours <= 0:
        return np.full(len(line), np.nan)
    queue = keep(marked(waits(lately(visits, window, first), line, window.end)))
    kept = queue.filter(~queue.parked)
    waiting = kept.select("code", begin=ibis.greatest(kept.due, start), end=ibis.least(kept.served, window.end))
    before = ibis.window(group_by=waiting.code, order_by=[waiting.begin, waiting.end], preceding=(None, 1))
    pieces = waiting.mutate(fresh=ibis.greatest(waiting.begin, ibis.coalesce(waiting.end.max().over(before), start)))
    pieces = keep(pieces.filter(pieces.end > pieces.fresh))
    passed = [working(pieces[name], start, window.end, calendar, zone) for name in ("fresh", "end")]
    rows = pieces.group_by("code").agg(spent=(passed[1] - passed[0]).cast("float64").sum()).to_pandas()
    spent = {int(row["code"]): number(row["spent"]) / HOUR for row in rows.to_dict("records")}
    shares = np.array([spent.get(place, 0.0) / open_hours for place in range(len(line))])
    return np.where(shows_queue(line), shares, np.nan)


def lately(visits: Expr, window: Window, first: int) -> Expr:
    """The visits of `vsm.metrics.stages.lately`: of the items that were in a stage in the window or as long before it.

    `first`: when the first visit of all began, which says since when there are records and stays.
    """
    bound = 2 * window.start - window.end
    late = visits.filter(visits.left.isnull() | (visits.left >= bound)).select("item")
    oldest = visits.filter(visits.queued == first).item.min().to_pandas()
    return visits.semi_join(late.union(visits.filter(visits.item == oldest).select("item")), "item")


def waits(visits: Expr, line: "Sequence[Stage]", until: int) -> Expr:
    """Every wait for a stage as known at an instant (`vsm.metrics.stages.waits`): code, due, served; NEVER while it waits."""

    def known(at: Expr) -> Expr:
        return ibis.cases((at.notnull() & (at <= until), at), else_=NEVER)

    told = visits.mutate(**{name: known(visits[name]) for name in ("queued", "started", "finished", "left")})
    turn = ibis.window(group_by=told.item, order_by=told.seq)
    told = told.mutate(over=ibis.least(told.finished, told.left), left_before=told.left.lag(1).over(turn),
                       finished_before=told.finished.lag(1).over(turn))  # fmt: skip
    holds = _among(told.position, [not works for works in _works(line)])
    handed_on = told.left_before.notnull() & (told.left_before == told.queued) & (told.finished_before < told.queued)
    told = told.mutate(
        served=ibis.cases((holds, told.over), else_=ibis.least(told.started, told.over)),
        due=ibis.cases((handed_on & (told.queued < NEVER), told.finished_before), else_=told.queued),
    )
    own = told.select(code="position", due="due", served="served")
    ready = told.filter((told.finished < NEVER) & (told.left == NEVER) & (told.position + 1 < len(line)))
    ready = ready.select(code=ready.position + 1, due=ready.finished, served=ibis.literal(NEVER, "int64"))
    both = own.union(ready.cast(own.schema()))
    return both.filter(both.due < NEVER)


def marked(queue: Expr, by: int = OVERTAKEN) -> Expr:
    """The waits with parked: whether at least `by` later arrivals of the same stage were served before (`stages.overtaken`).

    The running by-th smallest is the running smallest of what by − 1 filters let pass: each keeps the smallest so far.
    """
    order = ibis.window(group_by=queue.code, order_by=[queue.due.desc(), queue.served])
    rows = queue.mutate(turn=ibis.row_number().over(order), stream=queue.served)
    for _ in range(by - 1):
        rows = rows.mutate(stream=ibis.greatest(_smallest_before(rows), rows.stream))
    rows = rows.mutate(smallest=_smallest_before(rows))
    # Who arrived at the same instant did not arrive later: for all of them what the first of them sees.
    nth = rows.smallest.max().over(ibis.window(group_by=[rows.code, rows.due]))
    return rows.select("code", "due", "served", parked=nth < rows.served)


def _smallest_before(rows: Expr) -> Expr:
    before = ibis.window(group_by=rows.code, order_by=rows.turn, preceding=(None, 1))
    return ibis.coalesce(rows.stream.min().over(before), NEVER)


def working(at: Expr, start: int, end: int, calendar: Calendar | None, zone: ZoneInfo) -> Expr:
    """The working time that had passed at an instant between two, in microseconds; without a calendar all time is working time."""
    if calendar is None:
        return at
    opens, closes, before = working_days(calendar, zone)
    first, last = max(int(np.searchsorted(opens, start, side="right")) - 1, 0), int(np.searchsorted(opens, end, side="right"))
    branches: list[tuple[Expr, Expr]] = []
    days = list(zip(opens[first:last].tolist(), (closes - opens)[first:last].tolist(), before[first:last].tolist(), strict=True))
    for opening, step, count_, length, passed in _weeks(days):
        day = ((at - opening) / step).floor().cast("int64") if count_ > 1 else ibis.literal(0, "int64")
        told = passed + day * length + ibis.least(at - opening - day * step, length)
        branches.append((at < opening + count_ * step, told))
    none = ibis.literal(days[0][2] if days else 0, "int64")
    return ibis.cases(*([(at < days[0][0], none)] if days else []), *branches, else_=none)


def _weeks(days: list[tuple[int, int, int]]) -> list[tuple[int, int, int, int, int]]:
    """Working days (opening, length, working time before) in runs of one step and length: opening, step, count, length, before."""
    runs: list[tuple[int, int, int, int, int]] = []
    for number_, (opening, length, before) in enumerate(days):
        step = days[number_ + 1][0] - opening if number_ + 1 < len(days) else NEVER - opening
        if runs and runs[-1][1] == step and runs[-1][3] == length:
            first, _, many, _, passed = runs[-1]
            runs[-1] = (first, step, many + 1, length, passed)
        else:
            runs.append((opening, step, 1, length, before))
    return runs
