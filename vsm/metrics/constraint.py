"""The constraint: the stage whose capacity holds back the whole, with the evidence, or the reason why none is named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.config import Calendar
from vsm.metrics.figure import FEW
from vsm.metrics.flow import finished
from vsm.metrics.stages import (
    Codes,
    Waits,
    by_code,
    observed_from,
    overtaken,
    queued_hours,
    shows_queue,
    stage_codes,
    stages,
    waits,
)
from vsm.scope import Scope
from vsm.working_time import HOUR, NOT_A_TIME, Floats, Micros, micro, micros, worked

if TYPE_CHECKING:
    from vsm.workflow import Stage

THRESHOLD = (
    0.35  # a queue that is empty more often does not hold back the whole; 0.45 misses lines that fill late (DESIGN.md, section 4)
)
PERSISTENT = 0.8  # of the fullest queue: the last stage of which this holds is where full turns to empty
ENOUGH = 40  # finished items; with fewer the answer was too often wrong on planted lines
GROWING = 0.45  # rank correlation, where no queue is seen: 0 of 40 lines without a constraint had it, with one 0.48 to 0.98
RESAMPLES, SEED = 200, 1
WEEK = 7 * 24 * HOUR


@dataclass(frozen=True)
class Constraint:
    """``stage``, None where none can be named; ``why`` in one sentence; ``confidence``: the share of resamples that say the same.

    ``ranking``: stage, score, evidence (a dict), the named stage first, of stages with capacity.
    ``estimated``: no queue can be seen, so that it is told from how time in a stage grows with what is in it.
    """

    stage: str | None
    why: str
    confidence: float | None
    ranking: pd.DataFrame
    threshold: float
    n_finished: int
    estimated: bool = False


@dataclass(frozen=True)
class _Weeks:
    """What each stage did in each week of the window, so that weeks can be drawn again: rows are stages, columns weeks."""

    open_hours: Floats
    queued: Floats
    wip_hours: Floats
    sums: Floats  # of the ranks of dwell and of what was inside: n, Σd, Σw, Σdw, Σd², Σw² (first axis)

    def queue_share(self, weights: Floats) -> Floats:
        """The share of working time in which something waits, a row a draw of weeks, a column a stage."""
        return np.asarray((weights @ self.queued.T) / np.maximum(weights @ self.open_hours, 1e-9)[:, None])

    def growth(self, weights: Floats) -> Floats:
        """How closely dwell follows what was inside on arrival: Spearman's rank correlation, 0 where it cannot be told."""
        n, d, w, dw, dd, ww = (weights @ part.T for part in self.sums)
        spread = np.sqrt(np.maximum(n * dd - d * d, 0) * np.maximum(n * ww - w * w, 0))
        return np.asarray(np.divide(n * dw - d * w, spread, out=np.zeros_like(spread), where=spread > 1e-6))

    def held(self, weights: Floats) -> Floats:
        """Mean items inside × how closely dwell grows with them; 0 where it does not grow."""
        inside = (weights @ self.wip_hours.T) / np.maximum(weights @ self.open_hours, 1e-9)[:, None]
        return np.asarray(inside * np.maximum(self.growth(weights), 0))


def constraint(
    visits: pd.DataFrame, line: "Sequence[Stage]", items: pd.DataFrame, scope: Scope, calendar: Calendar | None, zone: ZoneInfo
) -> Constraint:
    """The last stage with capacity whose queue is non-empty nearly as often as the fullest one's, provided that that is often.

    Per stage: the share of working time in which at least one visit waits for it (`stages.queued_hours`;
    parked visits do not count). Of the stages that reach 0.8 of the greatest share the last on the
    map is the constraint, if the greatest is at least 0.35 and at least 40 items were finished in
    the window; else none is named. Confidence: the share of 200 resamples of the window's weeks that
    say the same. Where no stage shows a queue, an estimate: WIP × the rank correlation of time in the
    stage with what was inside on arrival; work may then wait in the status of the stage before.
    """
    table = stages(visits, line, scope, calendar, zone)
    n = int(finished(items, scope).sum())
    works = table["has_capacity"].to_numpy()
    seen = works & np.array(shows_queue(line), dtype=bool)
    estimated = bool(works.any() and not seen.any())
    candidates = np.flatnonzero(works if estimated else seen)
    queue = waits(visits, line, micro(scope.end))
    weekly = _weekly(visits, line, queue, scope, calendar, zone)
    once = np.ones((1, len(weekly.open_hours)))
    score = np.full(len(line), np.nan)
    score[candidates] = _scores(weekly, once, estimated)[0][candidates]
    place, confidence = None, None
    if n >= ENOUGH and len(candidates):
        named = _named(weekly, _draws(len(weekly.open_hours)), candidates, estimated)
        place = int(_named(weekly, once, candidates, estimated)[0])
        confidence = float((named == place).mean())
    evidence = _evidence(visits, line, table, queue, weekly, scope, calendar, zone)
    return Constraint(
        stage=None if place is None or place < 0 else line[place].name,
        why=_why(place, n, table, evidence, candidates, score, estimated, "the time" if calendar is None else "working time"),
        confidence=confidence,
        ranking=_ranking(table, score, evidence, place),
        threshold=GROWING if estimated else THRESHOLD,
        n_finished=n,
        estimated=estimated,
    )


def _scores(weekly: _Weeks, weights: Floats, estimated: bool) -> Floats:
    return weekly.held(weights) if estimated else weekly.queue_share(weights)


def _named(weekly: _Weeks, weights: Floats, candidates: Codes, estimated: bool) -> Codes:
    """For each draw of weeks the place of the stage that it names; −1 where it names none."""
    scores = _scores(weekly, weights, estimated)[:, candidates]
    rows = np.arange(len(scores))
    if estimated:
        best = scores.argmax(axis=1)
        return np.where(weekly.growth(weights)[rows, candidates[best]] >= GROWING, candidates[best], -1)
    greatest = scores.max(axis=1)
    persistent = scores >= PERSISTENT * greatest[:, None]
    last = persistent.shape[1] - 1 - persistent[:, ::-1].argmax(axis=1)
    return np.where(greatest >= THRESHOLD, candidates[last], -1)


def _draws(weeks: int) -> Floats:
    """How often each week is in each resample."""
    drawn = np.random.default_rng(SEED).integers(0, weeks, (RESAMPLES, weeks))
    return np.array([np.bincount(row, minlength=weeks) for row in drawn], dtype="float64")


def _weekly(
    visits: pd.DataFrame, line: "Sequence[Stage]", queue: Waits, scope: Scope, calendar: Calendar | None, zone: ZoneInfo
) -> _Weeks:
    """The window, from the first record on, in pieces of seven days; what is left over is a shorter piece."""
    start, end = micro(observed_from(visits, scope)), micro(scope.end)
    edges = np.append(np.arange(start, max(end, start + 1), WEEK), end)
    return _Weeks(
        open_hours=np.diff(worked(edges, calendar, zone)),
        queued=queued_hours(queue, len(line), edges, calendar, zone),
        wip_hours=_wip_hours(visits, line, edges, calendar, zone),
        sums=_rank_sums(visits, line, edges),
    )


def _wip_hours(visits: pd.DataFrame, line: "Sequence[Stage]", edges: Micros, calendar: Calendar | None, zone: ZoneInfo) -> Floats:
    """Working hours spent in each stage in each piece of the window."""
    code = stage_codes(visits, line)
    left = micros(visits["left"])
    begin = worked(np.clip(micros(visits["queued"]), edges[0], edges[-1]), calendar, zone)
    end = worked(np.clip(np.where(left == NOT_A_TIME, edges[-1], left), edges[0], edges[-1]), calendar, zone)
    marks, every = worked(edges, calendar, zone), np.ones(len(code), dtype=bool)
    pairs = zip(by_code(begin, every, code, len(line)), by_code(end, every, code, len(line)), strict=True)
    spent = [np.diff(_past(np.sort(opening), marks) - _past(np.sort(closing), marks)) for opening, closing in pairs]
    return np.array(spent).reshape(len(line), len(edges) - 1)


def _past(times: Floats, marks: Floats) -> Floats:
    """Σ of the hours from each time to each mark behind it."""
    number = np.searchsorted(times, marks, side="right")
    hours: Floats = number * (marks - marks[0]) - np.append(0.0, np.cumsum(times - marks[0]))[number]
    return hours


def _rank_sums(visits: pd.DataFrame, line: "Sequence[Stage]", edges: Micros) -> Floats:
    """For the rank correlation of dwell with what was inside on arrival: its sums per stage and piece of the window."""
    code, queued, left = stage_codes(visits, line), micros(visits["queued"]), micros(visits["left"])
    parked = overtaken(code, queued, np.where(left == NOT_A_TIME, np.iinfo(np.int64).max, left))
    sums = np.zeros((6, len(line), len(edges) - 1))
    for place in range(len(line)):
        mine = (code == place) & ~parked
        gone = mine & (left > edges[0]) & (left <= edges[-1])
        arrived, departed = np.sort(queued[mine]), np.sort(left[mine & (left != NOT_A_TIME)])
        ahead = np.searchsorted(arrived, queued[gone]) - np.searchsorted(departed, queued[gone], side="right")
        dwell, inside = _ranks(left[gone] - queued[gone]), _ranks(ahead)
        week = np.searchsorted(edges, left[gone]) - 1
        parts = (np.ones(len(dwell)), dwell, inside, dwell * inside, dwell**2, inside**2)
        sums[:, place] = [np.bincount(week, weights=part, minlength=len(edges) - 1) for part in parts]
    return sums


def _ranks(values: Micros) -> Floats:
    """Average ranks around 0 and of size 1, so that their sums stay small."""
    ranks: Floats = pd.Series(values).rank().to_numpy(dtype="float64")
    return (ranks - ranks.mean()) / len(ranks) if len(ranks) else ranks


def _evidence(
    visits: pd.DataFrame, line: "Sequence[Stage]", table: pd.DataFrame, queue: Waits, weekly: _Weeks, scope: Scope,
    calendar: Calendar | None, zone: ZoneInfo,
) -> list[dict[str, Any]]:  # fmt: skip
    """What speaks for and against each stage; None where it is not known."""
    dropped = np.bincount(queue.code[queue.parked & (queue.served > micro(scope.start))], minlength=len(line))
    busy = _utilisation(visits, line, weekly, scope, calendar, zone)
    growth = weekly.growth(np.ones((1, len(weekly.open_hours))))[0]
    growth = np.where(weekly.sums[0].sum(axis=1) < FEW, np.nan, growth)
    columns = {
        "queue_share": table["queue_share"],
        "wait_mean_hours": table["wait_mean"],
        "work_mean_hours": table["work_mean"],
        "dwell_mean_hours": table["dwell_mean"],
        "wip_mean": table["wip_mean"],
        "arrivals_per_week": table["arrivals"] / scope.weeks,
        "departures_per_week": table["departures"] / scope.weeks,
        "utilisation": busy,
        "grows_with_wip": growth,
        "overtaken": dropped,
    }
    return [
        {name: None if np.isnan(value) else int(value) if name == "overtaken" else float(value) for name, value in row.items()}
        for row in pd.DataFrame(columns).to_dict("records")
    ]


def _utilisation(
    visits: pd.DataFrame, line: "Sequence[Stage]", weekly: _Weeks, scope: Scope, calendar: Calendar | None, zone: ZoneInfo
) -> Floats:
    """Work in the window ÷ (people × working time); NaN where people are not known, or waiting hides in the work."""
    code = stage_codes(visits, line)
    edges = (micro(observed_from(visits, scope)), micro(scope.end))
    started, finished_, left = (micros(visits[name]) for name in ("started", "finished", "left"))
    until = np.minimum(*(np.where(times == NOT_A_TIME, edges[1], times) for times in (finished_, left)))
    begun = (started != NOT_A_TIME) & (code >= 0)
    spans = (worked(np.clip(times[begun], *edges), calendar, zone) for times in (started, until))
    begin, end = spans
    work = np.bincount(code[begun], weights=np.maximum(end - begin, 0), minlength=len(line))
    people = np.array([stage.people if stage.has_queue and stage.has_capacity else None for stage in line], dtype="float64")
    return np.asarray(work / (people * max(float(weekly.open_hours.sum()), 1e-9)))


def _ranking(table: pd.DataFrame, score: Floats, evidence: list[dict[str, Any]], place: int | None) -> pd.DataFrame:
    """Stages with capacity: the named one first, the others by score."""
    frame = pd.DataFrame({"stage": table["stage"], "score": score, "evidence": pd.Series(evidence, dtype="object")})
    frame = frame.assign(named=np.arange(len(frame)) == (-1 if place is None else place))[table["has_capacity"].to_numpy()]
    frame = frame.sort_values(["named", "score"], ascending=[False, False], kind="stable", ignore_index=True)
    return frame.drop(columns="named")


def _why(
    place: int | None, n: int, table: pd.DataFrame, evidence: list[dict[str, Any]], candidates: Codes, score: Floats,
    estimated: bool, time: str,
) -> str:  # fmt: skip
    """The answer in one sentence, with its numbers."""
    if not len(table) or not table["dwell_total"].sum() > 0:
        return "No work was in any stage in this window, so there is no constraint to name."
    if not len(candidates):
        return "No stage has capacity: all of them only hold work, so none can be the constraint."
    if n < ENOUGH:
        return f"Only {n} items were finished in this window: {ENOUGH - n} more are needed before a constraint can be named."
    best = int(candidates[score[candidates].argmax()])
    if place is None or place < 0:
        return _why_none(table, evidence[best], best, estimated, time)
    return (_why_estimated if estimated else _why_queue)(str(table["stage"][place]), evidence[place], time)


def _why_queue(name: str, facts: dict[str, Any], time: str) -> str:
    wait, busy = facts["wait_mean_hours"], facts["utilisation"]
    parts = [
        f"something was waiting for it {facts['queue_share']:.0%} of {time}",
        f"{facts['arrivals_per_week']:.1f} a week arrive, {facts['departures_per_week']:.1f} leave",
        *([] if wait is None else [f"the wait is {_lasting(wait)} on average"]),
        *([] if busy is None else [f"its people are busy {busy:.0%} of their time"]),
    ]
    return f"{name}: {'; '.join(parts)}."


def _why_estimated(name: str, facts: dict[str, Any], _time: str) -> str:
    return (
        f"Estimate: {name} or the step after it; no status says what waits, but with {facts['wip_mean']:.1f} items on average "
        f"the time in it grows with what is inside (rank correlation {facts['grows_with_wip']:.2f})."
    )


def _why_none(table: pd.DataFrame, facts: dict[str, Any], best: int, estimated: bool, time: str) -> str:
    longest = int(table["dwell_total"].to_numpy().argmax())
    share = table["dwell_total"][longest] / table["dwell_total"].sum()
    most = f"most time passes in {table['stage'][longest]} ({share:.0%})"
    name = table["stage"][best]
    if estimated:
        return (
            f"No capacity constraint: in no stage time grows with what is inside ({name}: {facts['grows_with_wip']:.2f}); {most}."
        )
    return (
        f"No capacity constraint: something was waiting for {name}, the fullest queue, {facts['queue_share']:.0%} of {time}, "
        f"less than {THRESHOLD:.0%}; {most}."
    )


def _lasting(hours: float) -> str:
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
