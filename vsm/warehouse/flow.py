"""Flow from an engine: the numbers of `vsm.metrics.flow` and the days of `vsm.metrics.cumulative`, worked out where items are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pandas as pd

from vsm.metrics.cumulative import CANCELLED, DONE, days_of
from vsm.metrics.figure import Number
from vsm.scope import Scope, weeks
from vsm.warehouse.ranks import count, first_row, in_hours, least, number, place, ranked, varies, whole
from vsm.warehouse.stays import Window
from vsm.working_time import HOUR, micro, micros

if TYPE_CHECKING:
    from vsm.workflow import Stage

Expr = Any
ENDS = {"production": "in_production_at", "done": "done_at"}


def times(name: str, rows: Expr, value: str, *shares: int) -> Number:
    """Percentiles of a column of microseconds, in hours."""
    row = first_row(ranked(rows, value, shares))
    n = int(row["n"])
    return Number(name, {f"p{share}": in_hours(row[f"p{share}"]) for share in shares}, n, spread=varies(row["apart"], n))


def lead_time(items: Expr, window: Window, end: Literal["production", "done"]) -> Number:
    """From creation to in production, or to final done; cancelled items never count."""
    return times("lead_time", leads(items, window, end), "hours", 50, 85, 95)


def leads(items: Expr, window: Window, end: Literal["production", "done"]) -> Expr:
    """The items that have a lead time, with it (``hours``, in microseconds)."""
    at = items[ENDS[end]]
    dropped = items.cancelled_at.notnull() & items.done_at.isnull()
    return items.mutate(hours=at - items.created_at).filter(window.holds(at) & ~dropped & (items.created_at <= at))


def cycle_time(items: Expr, window: Window) -> Number:
    """From first active work to final done."""
    return times("cycle_time", cycles(items, window), "hours", 50, 85, 95)


def cycles(items: Expr, window: Window) -> Expr:
    """The items that have a cycle time, with it (``hours``, in microseconds)."""
    rows = items.mutate(hours=items.done_at - items.first_started)
    return rows.filter(window.holds(items.done_at) & (items.first_started <= items.done_at))


def work_item_age(items: Expr, window: Window) -> Number:
    """How long items in progress at the window's end have been so."""
    later = ibis.coalesce(items.done_at > window.end, ibis.literal(False)) | ibis.coalesce(
        items.cancelled_at > window.end, ibis.literal(False)
    )
    rows = items.mutate(vsm_hours=window.end - items.first_queued)
    rows = rows.filter((items.first_queued <= window.end) & ((items.state == "in progress") | later))
    return times("work_item_age", rows, "vsm_hours", 50, 85)


def throughput(items: Expr, scope: Scope) -> Number:
    """Items done in the window ÷ its weeks; None where no item has a history."""
    window = Window.of(scope)
    row = first_row(items.agg(done=count(window.holds(items.done_at)), followed=count(items.state != "no events")))
    return Number("throughput_per_week", {"mean": row["done"] / scope.weeks if row["followed"] else None}, row["done"])


def finished_by_week(items: Expr, scope: Scope, zone: ZoneInfo, back: int = 0) -> pd.DataFrame:
    """Items done in each week that the window touches, or so many weeks before its end: week (naive local Monday), whole, items."""
    start = min(scope.start, scope.end - pd.Timedelta(weeks=back)) if back else scope.start
    every = weeks(start, scope.end, zone)
    edges = micros(every["week"].dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward"))
    done = items.filter((items.done_at >= micro(start)) & (items.done_at <= micro(scope.end)))
    done = done.mutate(vsm_week=place(done.done_at, edges.tolist()))
    rows = done.group_by("vsm_week").agg(n=done.count()).to_pandas()
    counts = {int(row["vsm_week"]): int(row["n"]) for row in rows.to_dict("records")}
    return every.assign(items=np.array([counts.get(number_, 0) for number_ in range(len(every))], dtype="int64"))


def first(rows: Expr, at: str) -> pd.Timestamp | None:
    """The first of a column of times; None of none."""
    found = first_row(rows.agg(first=rows[at].min()))["first"]
    return None if found is None else pd.Timestamp(int(found), unit="us", tz="UTC").as_unit("us")


def wip(visits: Expr, scope: Scope) -> Number:
    """Items in any stage at the window's end, and on average over it."""
    window = Window.of(scope)
    spent = visits.select("item", hours=window.sojourn(visits).cast("float64"), now=whole(window.inside(visits)))
    by_item = spent.group_by("item").agg(hours=spent.hours.sum(), now=spent.now.max())
    row = first_row(
        by_item.agg(
            now=count(by_item.now > 0),
            hours=by_item.hours.sum(),
            n=count((by_item.hours > 0) | (by_item.now > 0)),
            seen=by_item.count(),
        )
    )
    seen = row["seen"] > 0
    mean = number(row["hours"]) / HOUR / scope.hours
    return Number("wip", {"now": float(row["now"]) if seen else None, "mean": mean if seen else None}, row["n"])


def flow_efficiency(visits: Expr, items: Expr, window: Window) -> Number:
    """Σ work ÷ Σ (wait + work) of the items done in the window, where both are known."""
    done = items.filter(window.holds(items.done_at)).select("item")
    mine = visits.semi_join(done, "item")
    work = ibis.cases((mine.known & mine.work.notnull(), mine.work), else_=0)
    time = ibis.cases((mine.known, mine.dwell), else_=0)
    sums = mine.group_by("item").agg(
        both=count(mine.known & mine.work.notnull()), work=work.cast("float64").sum(), time=time.cast("float64").sum()
    )
    sums = sums.filter(sums.both > 0)
    sums = sums.mutate(**{name: sums[name] / HOUR for name in ("work", "time")})
    products = {"both": sums.work * sums.time, "works": sums.work * sums.work, "times": sums.time * sums.time}
    added = {name: told.sum() for name, told in ({"work": sums.work, "time": sums.time} | products).items()}
    row = first_row(sums.agg(n=sums.count(), **added))
    n, (spent, time_, both, works, times_) = int(row["n"]), (number(row[name]) for name in added)
    share = spent / time_ if time_ else None
    # What each item's work is off the common share of its time, squared and added up.
    off = max(works - 2 * (share or 0.0) * both + (share or 0.0) ** 2 * times_, 0.0)
    spread = math.inf if n < 2 or not time_ else off * n / (n - 1) / time_**2
    return Number("flow_efficiency", {"value": share}, n, spread=spread)


def distribution(items: Expr, window: Window) -> pd.DataFrame:
    """Finished items by type: type (missing where there is none), n, share; the commonest first."""
    done = items.filter(window.holds(items.done_at))
    rows = done.group_by("type").agg(n=done.count()).to_pandas().astype({"type": "str", "n": "int64"})
    rows = rows.assign(share=rows["n"] / max(int(rows["n"].sum()), 1))
    return rows.sort_values(["n", "type"], ascending=[False, True], ignore_index=True)


# Day by day. ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Days:
    """The window's days, and the bounds between them in microseconds: an instant on a bound belongs to the day that begins."""

    days: Any
    ends: Any
    edges: list[int]

    @classmethod
    def of(cls, scope: Scope, zone: ZoneInfo) -> "_Days":
        days, ends = days_of(scope, zone)
        return cls(days, ends, [*(int(end) + 1 for end in ends)])

    def counts(self, rows: Expr, at: str, by: Sequence[str] = ()) -> list[dict[str, Any]]:
        """How many times lie in each day; 0: up to the first day's end."""
        known = rows.filter(rows[at].notnull() & (rows[at] < self.edges[-1]))
        known = known.mutate(vsm_day=place(known[at], self.edges) + 1)
        told = known.group_by([*by, "vsm_day"]).agg(n=known.count())
        found: list[dict[str, Any]] = told.to_pandas().to_dict("records")
        return found


def wip_by_day(visits: Expr, scope: Scope, zone: ZoneInfo) -> pd.DataFrame:
    """Items in any stage, day by day: items (at the day's end), mean (over the part of the day in the window)."""
    told, start = _Days.of(scope, zone), micro(scope.start)
    size = len(told.days)
    bounds = [start, *(int(end) for end in told.ends)]
    count_, spent = np.zeros(size), np.zeros(size + 1)
    for name, sign in (("queued", 1), ("left", -1)):
        rows = visits.filter(visits[name].notnull() & (visits[name] <= bounds[-1]))
        since = ibis.greatest(rows[name] - start, 0)
        day = ibis.cases(
            (rows[name] <= start, ibis.literal(0, "int64")), else_=place(rows[name], [bound + 1 for bound in bounds]) + 1
        )
        rows = rows.mutate(vsm_day=day, since=since.cast("float64"))
        n, hours = np.zeros(size + 1), np.zeros(size + 1)
        for row in rows.group_by("vsm_day").agg(n=rows.count(), since=rows.since.sum()).to_pandas().to_dict("records"):
            n[int(row["vsm_day"])], hours[int(row["vsm_day"])] = row["n"], number(row["since"]) / HOUR
        n, hours = np.cumsum(n), np.cumsum(hours)
        passed = (np.array(bounds) - start) / HOUR
        spent += sign * (n * passed - hours)
        count_ += sign * n[1:]
    lasting = np.diff(np.array(bounds)) / HOUR
    mean = np.divide(np.diff(spent), lasting, out=count_.copy(), where=lasting > 0)
    return pd.DataFrame({"day": told.days, "items": count_.astype("int64"), "mean": mean})


def cumulative(
    visits: Expr, items: Expr, line: "Sequence[Stage]", scope: Scope, zone: ZoneInfo, keep: Any = lambda table: table
) -> pd.DataFrame:
    """How many items had come as far as each stage by the end of each day, as `cumulative.cumulative` counts them."""
    told = _Days.of(scope, zone)
    ends = _ended(visits, items)
    first = visits.group_by("item").agg(
        **{f"to_{number_}": visits.queued.min(where=visits.position == number_) for number_ in range(len(line))}
    )
    rows = ends.left_join(first, "item").drop("item_right")
    over = least(rows.done, rows.cancelled_at)
    furthest = ibis.cases((rows.done.notnull() | (rows.stays > 0), over), else_=ibis.null("int64"))
    reached: list[Expr] = [furthest, rows.done]
    for number_ in range(len(line) - 1, -1, -1):
        reached.insert(0, least(reached[0], rows[f"to_{number_}"]))
    names = [*(stage.name for stage in line), CANCELLED, DONE]
    rows = keep(rows.select(**{f"line_{number_}": at for number_, at in enumerate(reached)}))
    lines = [rows.select(line=ibis.literal(number_, "int64"), at=rows[f"line_{number_}"]) for number_ in range(len(names))]
    counts = np.zeros((len(names), len(told.days)), dtype="int64")
    for row in told.counts(ibis.union(*lines), "at", by=["line"]):
        counts[int(row["line"]), int(row["vsm_day"])] = int(row["n"])
    return pd.DataFrame(
        {
            "day": pd.Series(np.repeat(told.days.to_numpy(), len(names))),
            "stage": pd.Series(np.tile(np.array(names, dtype=object), len(told.days)), dtype="str"),
            "position": np.tile(np.arange(len(names)), len(told.days)),
            "items": np.cumsum(counts, axis=1).T.ravel(),
        }
    )


def _ended(visits: Expr, items: Expr) -> Expr:
    """The items with done: when they were first done; of a reopened one when it first left a stage for none."""
    turn = ibis.window(group_by=visits.item, order_by=visits.seq)
    out = visits.mutate(next_queued=visits.queued.lead(1).over(turn))
    out = out.filter(out.left.notnull() & (out.next_queued.isnull() | (out.next_queued > out.left)))
    first_out = out.group_by("item").agg(out_at=out.left.min())
    rows = items.left_join(first_out, "item").drop("item_right")
    earlier = ibis.cases((rows.reopened > 0, least(rows.done_at, rows.out_at)), else_=rows.done_at)
    return rows.select("item", "stays", "cancelled_at", done=earlier)
