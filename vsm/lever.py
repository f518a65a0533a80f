"""The lead-time lever: in which stage would more capacity shorten lead time most? A simulation fitted to the log answers.

It is another question than what the constraint is: under WIP limits, trains and long stages the two part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm import words
from vsm.config import Calendar
from vsm.frames import among, looked_up
from vsm.metrics.capacity import Capacity, capacity, window_edges, working_hours
from vsm.metrics.flow import finished
from vsm.metrics.stages import NEVER, Codes, Waits, lately, observed_from, shows_queue, stage_codes, visit_before, waits
from vsm.quick import DONE, QUEUED
from vsm.scope import Scope
from vsm.simulate import DRAWS, Line, Run, Step, Traced, simulate, with_more, works
from vsm.working_time import HOUR, NOT_A_TIME, Floats, micro, micros, worked

if TYPE_CHECKING:
    from vsm.workflow import Stage

MORE = 0.25  # capacity
RUNS, SEED = 8, 1  # of each line: one with the work that each item really was and the way it went, the others of other weeks …
NEAR = 0.1  # … all of them only for lines that come as near to the shortest lead time, as a share of today's
RECENT = 300  # finished items, the latest: simulating more of them would take longer than the answer is worth
HUGE = 250_000  # visits; of a longer log those who left all stages before the latest items came only take time: `_lately`
EQUAL = 0.02  # of lead time: who comes as close as that to the greatest cut in a fifth of the runs may be the better one
ENOUGH = 40
FEWEST = 10  # visits with work that it takes to know how long a stage works
NEARLY = 0.1  # of a whole number of people: then it is that number
AVAILABLE = 0.75  # of the configured people at work while something waits: then all of them are there, else they have other work
CLUMP = 3.0  # items that leave at the same time on average: then it is a train
WEEK = 7 * 24 * HOUR


@dataclass(frozen=True)
class Lever:
    """``stage`` with the greatest cut of lead time, its ``cut``, ``low`` and ``high`` (shares; the middle 80 % of runs); else None.

    ``equal``: other stages that may be the better lever as well. ``past``: the cut in the weeks as they were. ``why``:
    one sentence. ``table``: stage, cut, low, high, gain (of throughput), gain_low, gain_high, the greatest cut first.
    """

    stage: str | None
    cut: float | None
    low: float | None
    high: float | None
    table: pd.DataFrame
    why: str
    equal: tuple[str, ...] = ()
    past: float | None = None


@dataclass(frozen=True)
class Fitted:
    """The line as the log shows it, with the arrivals of the window and of as long before it, in working hours.

    ``warm``: when the window begins, ``end``: when it ends; ``traced``: each item's own work and way; ``inside``:
    how many items are there from the beginning.
    """

    line: Line
    warm: float
    end: float
    traced: Traced
    inside: int


TIMES = ("queued", "started", "finished", "left")
COLUMNS = ("stage", "cut", "low", "high", "gain", "gain_low", "gain_high")


def lever(
    visits: pd.DataFrame, line: "Sequence[Stage]", items: pd.DataFrame, scope: Scope, calendar: Calendar | None, zone: ZoneInfo
) -> Lever:
    """What 25 % more capacity in each stage would do to lead time and throughput, in a simulation fitted to the latest 300 items.

    Fitted: work times, capacity under pressure, routing, trains, limits; items arrive as they did. More
    capacity: the work on each item takes a fifth less time. Each line runs with and without it on the same
    draws: once with each item's own work and way, which is what would have been, and seven times in other
    weeks like these (arrivals drawn by the week, work times anew), whose mean is the cut. Low and high
    are the middle 80 % of all runs. Of more than 250,000 visits only those of items count that were in a
    stage while the latest 300 were finished, or in the time of that length before it, or have not ended.
    """
    latest = recent(items, scope)
    n = int(finished(items, latest).sum())
    nothing = pd.DataFrame({name: pd.Series(dtype="str" if name == "stage" else "float64") for name in COLUMNS})
    if n < ENOUGH:
        return Lever(
            None, None, None, None, nothing, f"Only {n} items were finished: {ENOUGH - n} more are needed for a simulation."
        )
    unknown = Lever(None, None, None, None, nothing, "In no stage is it known how long work takes, so nothing can be simulated.")
    if visits.empty:
        return unknown
    visits, items = _as_they_were_made(*_lately(visits, items, latest))
    hours = working_hours(visits, latest, zone) if calendar is None else calendar
    model = fitted(visits, line, items, latest, hours, zone)
    places = [place for place, step in enumerate(model.line.steps) if works(step)]
    if not places:
        return unknown
    table = _table(model, places)
    best = table.iloc[0]
    equal = tuple(table.loc[(table.index > 0) & (table["behind"] < EQUAL), "stage"])
    cut, low, high = (float(best[name]) for name in ("cut", "low", "high"))
    return Lever(
        str(best["stage"]),
        cut,
        low,
        high,
        table[[*COLUMNS]],
        _why(str(best["stage"]), equal, cut, low, high, n),
        equal,
        float(best["past"]),
    )


def _lately(visits: pd.DataFrame, items: pd.DataFrame, latest: Scope) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of a huge log what tells of the latest items: who was in a stage while they were, or in as long before, or has not ended."""
    if len(visits) <= HUGE:
        return visits, items
    visits = lately(visits, latest)
    here = among(items["item"], visits["item"]) | (items["done_at"].isna() & items["cancelled_at"].isna())
    return visits, items[here].reset_index(drop=True)


def _as_they_were_made(visits: pd.DataFrame, items: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same with items numbered in the order in which they were made: what an item is called must not move a draw."""
    first = looked_up(items["item"], visits.groupby("item", observed=True)["queued"].min())
    order = items.assign(first=first).sort_values(["created_at", "first", "done_at"], kind="stable")["item"]
    number = pd.Series([f"{place:08}" for place in range(len(order))], index=order.to_numpy(), dtype="str")
    known = visits[among(visits["item"], order)]
    renamed = known.assign(item=looked_up(known["item"], number)).sort_values(["item", "seq"], kind="stable", ignore_index=True)
    return renamed, items.assign(item=looked_up(items["item"], number)).sort_values("item", ignore_index=True)


def _why(stage: str, equal: tuple[str, ...], cut: float, low: float, high: float, n: int) -> str:
    found = (
        f"25 % more capacity in {stage} would cut lead time by about {words.share(cut)} ({words.share(low)} to {words.share(high)})"
    )
    if not equal:
        return f"{found}, more than in any other stage; simulated on {n} items."
    others = " or ".join(equal)
    return f"{found}, but in {others} about as much: the simulation cannot tell them apart; simulated on {n} items."


def recent(items: pd.DataFrame, scope: Scope) -> Scope:
    """The part of the window in which the latest items were finished."""
    done = items.loc[finished(items, scope), "done_at"].sort_values()
    return scope if len(done) <= RECENT else replace(scope, start=max(scope.start, done.iloc[-RECENT]))


def _table(model: Fitted, places: list[int]) -> pd.DataFrame:
    """By how much more capacity in each stage cuts mean lead time and raises throughput: mean, low and high.

    ``past``: the cut in the weeks as they were; ``behind``: `_behind`.
    """
    every = np.ones(1 + len(places), dtype=bool)
    first = [_runs(model, places, 0, every), _runs(_again(model, 1), places, 1, every)]
    leads = np.array(first)[:, :, 0]
    near = ((leads - leads.min(axis=1, keepdims=True)) / leads[:, :1]).min(axis=0) <= NEAR
    near[0] = True
    told = np.array([*first, *(_runs(_again(model, seed), places, seed, near) for seed in range(2, RUNS))])
    cuts, gains = 1 - told[:, 1:, 0] / told[:, :1, 0], told[:, 1:, 1] / np.maximum(told[:, :1, 1], 1) - 1
    columns = {"stage": pd.Series([model.line.steps[place].name for place in places], dtype="str")}
    for name, values in (("cut", cuts), ("gain", gains)):
        mean, (low, high) = np.nanmean(values[1:], axis=0), np.nanquantile(values, [0.1, 0.9], axis=0)
        prefix = "" if name == "cut" else "gain_"
        columns |= {name: mean, f"{prefix}low": np.minimum(low, mean), f"{prefix}high": np.maximum(high, mean)}
    columns |= {"past": cuts[0], "behind": _behind(cuts, columns["cut"])}
    return pd.DataFrame(columns).sort_values("cut", ascending=False, kind="stable", ignore_index=True)


def _runs(model: Fitted, places: list[int], seed: int, asked: npt.NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Lead time and number of items in one run of the line as it is, and with more capacity in each of the stages asked for."""
    found = []
    for place, wanted in zip([None, *places], asked, strict=True):
        line, known = model.line, model.traced
        if place is not None:
            line, known = with_more(line, place, MORE), replace(known, work=known.work * _less(len(line.steps), place))
        found.append(_lead(simulate(line, seed, model.end, known), model.warm) if wanted else (np.nan, np.nan))
    return found


def _again(model: Fitted, seed: int) -> Fitted:
    """Other weeks of the same line: its weeks of arrivals and its work times drawn again; what was inside remains."""
    dice = np.random.default_rng([SEED, seed])
    inside, came = np.split(np.array(model.line.arrivals), [model.inside])
    week = 7 * 24.0 if model.end > 14 * 24 else model.end / 2
    weeks = int(np.ceil(model.end / week))
    drawn = [came[(came // week) == one] % week + place * week for place, one in enumerate(dice.integers(0, weeks, weeks))]
    times = np.concatenate([inside, *drawn])
    times = np.append(inside, times[len(inside) :][times[len(inside) :] < model.end])
    steps = tuple(
        replace(step, sample=tuple(dice.choice(step.sample, len(step.sample)).tolist())) if step.sample else step
        for step in model.line.steps
    )
    return replace(model, line=replace(model.line, steps=steps, arrivals=tuple(times.tolist())), traced=_only(model, len(times)))


def _only(model: Fitted, items: int) -> Traced:
    """What is known of the items that are inside from the beginning, and nothing of the others."""
    known, n = model.traced, model.inside
    work, holds = (np.full((whole.shape[0], items, DRAWS), np.nan) for whole in (known.work, known.holds))
    fates = np.full((2, items, *known.fates.shape[2:]), np.nan)
    work[:, :n], holds[:, :n], fates[:, :n] = known.work[:, :n], known.holds[:, :n], known.fates[:, :n]
    return Traced(work, holds, fates)


def _behind(cuts: Floats, mean: Floats) -> Floats:
    """By how much each stage's cut is behind the greatest one: in four of five runs by more than this."""
    best = int(np.argmax(mean))
    return np.asarray(np.nanquantile(cuts[:, [best]] - cuts, 0.2, axis=0))


def _less(steps: int, place: int) -> Floats:
    """What is left of each stage's work when one has more capacity."""
    less: Floats = np.ones((steps, 1, 1))
    less[place] /= 1 + MORE
    return less


def _lead(run: Run, warm: float) -> tuple[float, float]:
    """Mean lead time, from the first stage on, and number of the items that were done after the line had filled."""
    done = (run.what == DONE) & (run.at > warm)
    came = np.full(len(run.born), np.inf)
    queued = run.what == QUEUED
    np.minimum.at(came, run.item[queued], run.at[queued])
    return float((run.at[done] - came[run.item[done]]).mean()) if done.any() else float("nan"), float(done.sum())


# Fitting. ---------------------------------------------------------------------------------------------------------------


def fitted(
    visits: pd.DataFrame, line: "Sequence[Stage]", items: pd.DataFrame, scope: Scope, calendar: Calendar | None, zone: ZoneInfo
) -> Fitted:
    """Routing, work times, capacity, trains, limits and arrivals of a window, as a line that can be simulated."""
    edges = window_edges(visits, scope, WEEK)
    queue = waits(visits, line, micro(scope.end))
    can = capacity(visits, line, queue, edges, calendar, zone)
    code = stage_codes(visits, line)
    skips, backs = _routes(visits, code, len(line), scope)
    steps, stretch = [], []
    for place, stage in enumerate(line):
        mine = visits[(code == place) & scope.holds(visits["left"]).to_numpy()]
        step, stretched = _working(stage, mine, can, place, line, calendar, zone) if stage.has_capacity else (None, np.nan)
        stretch.append(stretched)
        steps.append(replace(step or _holding(stage, mine, calendar, zone), skip=skips[place], back=backs[place]))
    early = observed_from(visits, replace(scope, start=scope.start - (scope.end - scope.start)))
    begin, opens, end = (float(x) for x in worked(np.array([micro(early), edges[0], edges[-1]]), calendar, zone))
    rest, code = _after(visits, queue, code, micro(early))
    times = rest.groupby("item")["queued"].min()
    if line[0].wip_limit is not None:
        times = _let_in(times, visits, items)
    came = pd.Series(worked(micros(times), calendar, zone), index=times.index)
    came = np.maximum(came[came < end].sort_values(kind="stable") - begin, 0)
    work, holds = _traced(rest, code, came.index, np.array(stretch), calendar, zone)
    traced = Traced(work, holds, _ways(rest, code, came.index, backs))
    return Fitted(Line(tuple(steps), arrivals=tuple(came.tolist())), opens - begin, end - begin, traced, int((came == 0).sum()))


def _let_in(times: "pd.Series[pd.Timestamp]", visits: pd.DataFrame, items: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """When items come to a line that is shut while it is full: when they were made, those too that wait outside until today."""
    made = items.set_index("item")["created_at"]
    outside = made.index.difference(pd.Index(visits["item"]))
    waiting = items.loc[items["item"].isin(outside) & items["done_at"].isna() & items["cancelled_at"].isna(), "item"]
    known = made.reindex(times.index).fillna(times)
    return pd.concat([known.where(known < times, times), made.reindex(pd.Index(waiting)).dropna()])


def _after(visits: pd.DataFrame, queue: Waits, code: Codes, begin: int) -> tuple[pd.DataFrame, Codes]:
    """What is left of the visits at an instant: those that have ended are gone, work under way is what remains of it.

    An item that was parked and never taken up takes nobody's time: it is left out.
    """
    lying = queue.parked[: len(visits)] & (queue.served[: len(visits)] == NEVER)
    kept = (code >= 0) & ~(visits["left"] <= pd.Timestamp(begin, unit="us", tz="UTC")).to_numpy()
    kept &= ~visits["item"].isin(visits.loc[lying, "item"]).to_numpy()
    rest = visits[kept].reset_index(drop=True)
    since = pd.Timestamp(begin, unit="us", tz="UTC")
    return rest.assign(queued=rest["queued"].clip(lower=since), started=rest["started"].clip(lower=since)), code[kept]


def _traced(
    visits: pd.DataFrame, code: Codes, items: pd.Index, stretch: Floats, calendar: Calendar | None, zone: ZoneInfo
) -> tuple[Floats, Floats]:
    """Hours of work, stretched as its stage's is, and of the whole stay: by stage, item and visit; NaN where not known."""
    number = items.get_indexer(pd.Index(visits["item"]))
    queued, started, finished, left = (worked(micros(visits[name]), calendar, zone) for name in TIMES)
    visit = visits.groupby(["item", "stage"], sort=False)["seq"].rank(method="first").to_numpy().astype("int64") - 1
    found = []
    for hours, factor in ((finished - started, stretch), (left - queued, np.ones(len(stretch)))):
        known = (number >= 0) & (code >= 0) & ~np.isnan(hours) & (visit < DRAWS)
        traced = np.full((len(stretch), len(items), DRAWS), np.nan)
        traced[code[known], number[known], visit[known]] = np.maximum(hours[known], 0) * factor[code[known]]
        found.append(traced)
    return found[0], found[1]


def _ways(visits: pd.DataFrame, code: Codes, items: pd.Index, backs: Sequence[Sequence[tuple[int, float]]]) -> Floats:
    """What makes each item take the way that it took, as far as that is known: `vsm.simulate.Traced.fates`."""
    number = items.get_indexer(pd.Index(visits["item"]))
    order = np.lexsort((visits["seq"].to_numpy(), number))
    order = order[(number[order] >= 0) & (code[order] >= 0)]
    fates = np.full((2, len(items), len(backs), DRAWS), np.nan)
    ended = visits["left"].notna().to_numpy()
    way: list[int] = []
    for row, after in zip(order, np.append(number[order][1:], -1), strict=True):
        way.append(int(code[row]))
        if after != number[row]:
            _walk(fates[:, number[row]], way, bool(ended[row]), backs)
            way = []
    return fates


def _walk(fates: Floats, way: list[int], ended: bool, backs: Sequence[Sequence[tuple[int, float]]]) -> None:
    """Mark one item's way: `fates[0]` makes it skip (−1) or enter (2) a stage, `fates[1]` go on (2) or back to where it went."""
    seen, before = [0] * len(backs), -1
    for place in [*way, *([len(backs)] if ended else [])]:
        if before >= 0:
            fates[1, before, seen[before]] = 2.0 if place > before else _fate_of(place, backs[before])
            seen[before] = min(seen[before] + 1, DRAWS - 1)
        for passed in range(before + 1, place):
            fates[0, passed, seen[passed]] = -1.0
        if before < place < len(backs):
            fates[0, place, seen[place]] = 2.0
        before = place


def _fate_of(target: int, backs: Sequence[tuple[int, float]]) -> float:
    """The draw that sends work back to a stage; NaN where none was ever sent there."""
    sum_before = 0.0
    for to, share in backs:
        if to == target:
            return sum_before + share / 2
        sum_before += share
    return float("nan")


def _working(
    stage: "Stage",
    mine: pd.DataFrame,
    can: Capacity,
    place: int,
    line: "Sequence[Stage]",
    calendar: Calendar | None,
    zone: ZoneInfo,
) -> tuple[Step | None, float]:
    """A stage with its work times, and people as many as work at once while something waits; of 2.6 people 3 that take longer."""
    begun = mine[mine["started"].notna() & mine["finished"].notna()]
    sample = np.maximum(worked(micros(begun["finished"]), calendar, zone) - worked(micros(begun["started"]), calendar, zone), 0)
    if len(sample) < FEWEST or not stage.has_queue or not sample.sum() > 0:
        return None, np.nan
    once = np.ones((1, can.open_hours.shape[1]))
    pressed = float(can.at_once(once)[0, place]) if shows_queue(line)[place] and can.queued[place].sum() > 24 else 0.0
    mean = float(can.busy[place].sum() / max(can.open_hours[place].sum(), 1e-9))
    able = max(pressed, mean * 1.02) if pressed > 0 else max(stage.people or 0.0, mean / 0.5, 1.0)
    if stage.people and AVAILABLE * stage.people <= able:
        able = max(able, stage.people)
    elif abs(able - round(able)) < NEARLY * able:
        able = float(round(able))
    people = max(int(np.ceil(able)), 1)
    stretch = people / max(able, 1e-9)
    return Step(stage.name, people, sample=tuple((sample * stretch).tolist()), limit=stage.wip_limit), stretch


def _holding(stage: "Stage", mine: pd.DataFrame, calendar: Calendar | None, zone: ZoneInfo) -> Step:
    """A stage that only holds, or of which no more is known: a train where items leave together, else as long as they did."""
    left = np.sort(worked(micros(mine["left"]), calendar, zone))
    departures = left[np.append(True, np.diff(left) > 0.5)] if len(left) else left
    if len(departures) > 2 and len(left) / len(departures) >= CLUMP:
        return Step(stage.name, every=float(np.median(np.diff(departures))))
    dwell = left_after(mine, calendar, zone)
    return Step(stage.name, rests=tuple(dwell.tolist()) or (0.0,))


def left_after(mine: pd.DataFrame, calendar: Calendar | None, zone: ZoneInfo) -> Floats:
    """Working hours from queueing to leaving."""
    return np.asarray(worked(micros(mine["left"]), calendar, zone) - worked(micros(mine["queued"]), calendar, zone))


def _routes(visits: pd.DataFrame, code: Codes, size: int, scope: Scope) -> tuple[list[float], list[tuple[tuple[int, float], ...]]]:
    """How often each stage is passed by, and from each stage where to and how often work goes back."""
    before = visit_before(visits)
    recent = scope.holds(visits["queued"]).to_numpy()
    moved = recent & (before >= 0) & (code >= 0)
    moved[moved] &= code[before[moved]] >= 0
    origin, target = code[before[moved]], code[moved]
    left = micros(visits["left"])
    out = np.bincount(code[(code >= 0) & (left != NOT_A_TIME) & scope.holds(visits["left"]).to_numpy()], minlength=size)
    moves = np.zeros((size, size))
    np.add.at(moves, (origin, target), 1)
    starts = np.bincount(code[recent & (before < 0) & (code >= 0)], minlength=size)
    taken, passed = np.zeros(size), np.zeros(size)
    for place in range(size):
        forward = np.triu(moves, 1)[:, place].sum() + starts[place]
        taken[place] = forward
        passed[place] = moves[:place, place + 1 :].sum() + starts[place + 1 :].sum()
    skips = np.divide(passed, passed + taken, out=np.zeros(size), where=passed + taken > 0)
    backs = [
        tuple((to, float(moves[place, to] / max(out[place], 1))) for to in range(place + 1) if moves[place, to] > 0)
        for place in range(size)
    ]
    return skips.tolist(), backs
