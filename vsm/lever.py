"""The lead-time lever: in which stage would more capacity shorten lead time most? A simulation fitted to the log answers.

It is another question than what the constraint is: under WIP limits, trains and long stages the two part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.config import Calendar
from vsm.metrics.capacity import Capacity, capacity, window_edges, working_hours
from vsm.metrics.flow import finished
from vsm.metrics.stages import Codes, observed_from, shows_queue, stage_codes, visit_before, waits
from vsm.scope import Scope
from vsm.simulate import DONE, DRAWS, Line, Run, Step, simulate, with_more, works
from vsm.working_time import HOUR, NOT_A_TIME, Floats, micro, micros, worked

if TYPE_CHECKING:
    from vsm.workflow import Stage

MORE = 0.25  # capacity
RUNS, OWN = 6, 2  # of each line: so many in all, and so many with the work that each item really was
RECENT = 300  # finished items, the latest: simulating more of them would take longer than the answer is worth
ENOUGH = 40
FEWEST = 10  # visits with work that it takes to know how long a stage works
NEARLY = 0.1  # of a whole number of people: then it is that number
AVAILABLE = 0.75  # of the configured people at work while something waits: then all of them are there, else they have other work
CLUMP = 3.0  # items that leave at the same time on average: then it is a train
WEEK = 7 * 24 * HOUR


@dataclass(frozen=True)
class Lever:
    """``stage`` with the greatest cut of lead time, its ``cut``, ``low`` and ``high`` (shares; the middle 80 % of runs); else None.

    ``table``: stage, cut, low, high, gain (of throughput), gain_low, gain_high, the greatest cut first. ``why``: one sentence.
    """

    stage: str | None
    cut: float | None
    low: float | None
    high: float | None
    table: pd.DataFrame
    why: str


@dataclass(frozen=True)
class Fitted:
    """The line as the log shows it, with the arrivals of the window and of as long before it, in working hours.

    ``warm``: when the window begins, ``end``: when it ends; ``traced``: each item's own work.
    """

    line: Line
    warm: float
    end: float
    traced: Floats


COLUMNS = ("stage", "cut", "low", "high", "gain", "gain_low", "gain_high")


def lever(
    visits: pd.DataFrame, line: "Sequence[Stage]", items: pd.DataFrame, scope: Scope, calendar: Calendar | None, zone: ZoneInfo
) -> Lever:
    """What 25 % more capacity in each stage would do to lead time and throughput, in a simulation fitted to the latest 300 items.

    Fitted: work times, capacity under pressure, routing, trains, limits; items arrive as they did. More
    capacity: the work on each item takes a fifth less time. Each line runs with and without it on the same
    draws: twice with each item's own work, which gives the cut, and four times with work drawn anew from
    the stage's; low and high are the middle 80 % of all six.
    """
    recent = _recent(items, scope)
    n = int(finished(items, recent).sum())
    nothing = pd.DataFrame({name: pd.Series(dtype="str" if name == "stage" else "float64") for name in COLUMNS})
    if n < ENOUGH:
        return Lever(
            None, None, None, None, nothing, f"Only {n} items were finished: {ENOUGH - n} more are needed for a simulation."
        )
    hours = working_hours(visits, recent, zone) if calendar is None else calendar
    model = fitted(visits, line, recent, hours, zone)
    places = [place for place, step in enumerate(model.line.steps) if works(step)]
    if not places:
        return Lever(None, None, None, None, nothing, "In no stage is it known how long work takes, so nothing can be simulated.")
    table = _table(model, places)
    best = table.iloc[0]
    why = (
        f"25 % more capacity in {best['stage']} would cut lead time by about {best['cut']:.0%} "
        f"({best['low']:.0%} to {best['high']:.0%}), more than in any other stage; simulated on {n} items."
    )
    return Lever(str(best["stage"]), float(best["cut"]), float(best["low"]), float(best["high"]), table, why)


def _recent(items: pd.DataFrame, scope: Scope) -> Scope:
    """The part of the window in which the latest items were finished."""
    done = items.loc[finished(items, scope), "done_at"].sort_values()
    return scope if len(done) <= RECENT else replace(scope, start=max(scope.start, done.iloc[-RECENT]))


def _table(model: Fitted, places: list[int]) -> pd.DataFrame:
    """By how much more capacity in each stage cuts mean lead time and raises throughput: mean, low and high."""
    lines = [model.line, *(with_more(model.line, place, MORE) for place in places)]
    faster = [np.ones(len(model.line.steps)), *(_less(len(model.line.steps), place) for place in places)]

    def runs(traced: Floats, seed: int) -> list[tuple[float, int]]:
        pairs = zip(lines, faster, strict=True)
        return [_lead(simulate(one, seed, model.end, traced * less[:, None, None]), model.warm) for one, less in pairs]

    own = np.array([runs(model.traced, seed) for seed in range(OWN)])
    told = np.concatenate([own, np.array([runs(model.traced * np.nan, seed) for seed in range(RUNS - OWN)])])
    cuts, gains = 1 - told[:, 1:, 0] / told[:, :1, 0], told[:, 1:, 1] / np.maximum(told[:, :1, 1], 1) - 1
    columns = {"stage": pd.Series([model.line.steps[place].name for place in places], dtype="str")}
    for name, values in (("cut", cuts), ("gain", gains)):
        low, high = np.quantile(values, [0.1, 0.9], axis=0)
        prefix = "" if name == "cut" else "gain_"
        mean = values[:OWN].mean(axis=0)
        columns |= {name: mean, f"{prefix}low": np.minimum(low, mean), f"{prefix}high": np.maximum(high, mean)}
    return pd.DataFrame(columns).sort_values("cut", ascending=False, kind="stable", ignore_index=True)[list(COLUMNS)]


def _less(steps: int, place: int) -> Floats:
    """What is left of each stage's work when one has more capacity."""
    less = np.ones(steps)
    less[place] /= 1 + MORE
    return less


def _lead(run: Run, warm: float) -> tuple[float, int]:
    """Mean lead time and number of the items that were done after the line had filled."""
    done = (run.what == DONE) & (run.at > warm)
    return float((run.at[done] - run.born[run.item[done]]).mean()) if done.any() else float("nan"), int(done.sum())


# Fitting. ---------------------------------------------------------------------------------------------------------------


def fitted(visits: pd.DataFrame, line: "Sequence[Stage]", scope: Scope, calendar: Calendar | None, zone: ZoneInfo) -> Fitted:
    """Routing, work times, capacity, trains, limits and arrivals of a window, as a line that can be simulated."""
    edges = window_edges(visits, scope, WEEK)
    can = capacity(visits, line, waits(visits, line, micro(scope.end)), edges, calendar, zone)
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
    first = visits["seq"] == 0
    came = pd.Series(worked(micros(visits.loc[first, "queued"]), calendar, zone), index=visits.loc[first, "item"])
    came = came[(came >= begin) & (came < end)].sort_values(kind="stable") - begin
    traced = _traced(visits, code, came.index, np.array(stretch), calendar, zone)
    return Fitted(Line(tuple(steps), arrivals=tuple(came.tolist())), opens - begin, end - begin, traced)


def _traced(
    visits: pd.DataFrame, code: Codes, items: pd.Index, stretch: Floats, calendar: Calendar | None, zone: ZoneInfo
) -> Floats:
    """Hours of work by stage, item and visit, as they were; NaN where no work is known. Stretched as its stage's are."""
    number = items.get_indexer(pd.Index(visits["item"]))
    hours = worked(micros(visits["finished"]), calendar, zone) - worked(micros(visits["started"]), calendar, zone)
    visit = visits.groupby(["item", "stage"], sort=False)["seq"].rank(method="first").to_numpy().astype("int64") - 1
    known = (number >= 0) & (code >= 0) & ~np.isnan(hours) & (visit < DRAWS)
    traced = np.full((len(stretch), len(items), DRAWS), np.nan)
    traced[code[known], number[known], visit[known]] = np.maximum(hours[known], 0) * stretch[code[known]]
    return traced


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
