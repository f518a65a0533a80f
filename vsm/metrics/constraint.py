"""The constraint: the stage whose capacity holds back the whole, with the evidence, or the reason why none is named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.config import Calendar
from vsm.frames import categories
from vsm.metrics.capacity import Capacity, capacity, window_edges, working_hours
from vsm.metrics.figure import FEW
from vsm.metrics.flow import finished
from vsm.metrics.people_at_work import AtWork, at_work
from vsm.metrics.stages import Codes, Mask, Waits, observed_from, overtaken, shows_queue, stage_codes, stages, waits
from vsm.scope import Scope
from vsm.words import duration, share
from vsm.working_time import HOUR, NOT_A_TIME, Floats, Micros, micro, micros

if TYPE_CHECKING:
    from vsm.workflow import Stage

# Chosen on planted lines (docs/constraint.md), measured on others.
WAITS = 0.3  # share of time; a queue that is empty more often does not hold back the whole
LOADED = 0.68  # of what a stage does while work waits; batches fill the queue of one that has time, too
CLUMPED, LOADED_BY_CLUMPS = 3.0, 0.74  # items that come at a time on average; a fortnight's at once loads a calm stage for a while
PERSISTENT = 0.8  # of the greatest share × load: the last stage of which this holds is where full turns to empty …
AS_LOADED = 0.85  # … if it is about as loaded as the most loaded one
BEYOND = 0.33  # share of time, where no queue is seen: more is inside than the stage can use
CERTAIN = 3.0  # logarithm by how much likelier an output is that stops growing with what is inside
SEVERAL = 1.25  # items that one person has in work at the same time; with more of them queues hide in the work
ENOUGH = 40  # finished items; with fewer the answer was too often wrong on planted lines
RESAMPLES, SEED = 200, 1
WEEK = 7 * 24 * HOUR


@dataclass(frozen=True)
class Constraint:
    """``stage``, None where none can be named; ``why`` in one sentence; ``confidence``: the share of resamples that say the same.

    ``ranking``: stage, score, evidence (a dict), the named stage first, of stages with capacity.
    ``estimated``: no queue can be seen, so that it is told from where output stops growing with what is inside.
    """

    stage: str | None
    why: str
    confidence: float | None
    ranking: pd.DataFrame
    threshold: float
    n_finished: int
    estimated: bool = False


@dataclass(frozen=True)
class _Rule:
    """How stages are judged: by their queues, by where their output stops growing, or by that where their queues name none."""

    can: Capacity
    candidates: Mask
    queues: bool
    growth: bool
    loaded: float = LOADED

    def judged(self, weights: Floats) -> tuple[Floats, Codes, Mask]:
        """For each draw of weeks every stage's score, the place of the named one (−1: none), and whether growth told it."""
        score = np.zeros((len(weights), len(self.candidates)))
        place = np.full(len(weights), -1)
        by_growth = np.full(len(weights), not self.queues)
        if self.queues:
            score, place = self.by_queue(weights)
        if self.growth and self.candidates.any():
            other, found = self.by_growth(weights)
            by_growth |= (place < 0) & (found >= 0)
            score = np.where(by_growth[:, None], other, score)
            place = np.where(place < 0, found, place)
        return score, place, by_growth

    def by_queue(self, weights: Floats) -> tuple[Floats, Codes]:
        """Of the stages that are loaded and for which work waits: the last whose queue share × load comes near the greatest."""
        queue, load = self.can.queue_share(weights), self.can.load(weights)
        score = queue * load
        holds = self.candidates & (queue >= WAITS) & (load >= self.loaded)
        holds &= score >= PERSISTENT * _greatest(score, holds)
        holds &= load >= AS_LOADED * _greatest(load, holds)
        last = holds.shape[1] - 1 - holds[:, ::-1].argmax(axis=1)
        return score, np.where(holds.any(axis=1), last, -1)

    def by_growth(self, weights: Floats) -> tuple[Floats, Codes]:
        """The stage that has the most often more inside than its output grows with."""
        _, beyond, load, certain = self.can.saturation(weights)
        score = beyond * load
        holds = self.candidates & (beyond >= BEYOND) & (load >= LOADED) & (certain >= CERTAIN)
        best = np.where(holds, score, -1).argmax(axis=1)
        return score, np.where(holds.any(axis=1), best, -1)


def _greatest(values: Floats, among: Mask) -> Floats:
    """The greatest value of each row among some columns."""
    greatest: Floats = np.where(among, values, 0).max(axis=1, keepdims=True, initial=0)
    return greatest


def constraint(
    visits: pd.DataFrame, line: "Sequence[Stage]", items: pd.DataFrame, scope: Scope, calendar: Calendar | None, zone: ZoneInfo,
    table: pd.DataFrame | None = None, queue: Waits | None = None,
) -> Constraint:  # fmt: skip
    """The last stage with capacity for which work waits about as often as anywhere while its people are as loaded as any.

    Per stage: the share of working time in which at least one visit waits for it (parked visits do not
    count), and its load: items in work on average ÷ items in work while something waits, which is what
    it can do by its own doing, so that no number of people is asked for. Of the stages for which work
    waits at least 30 % of the time and whose load is at least 68 % (74 % where three and more items come
    at a time), those that reach 0.8 of the greatest share × load and 0.85 of the greatest load among
    these: the last of them on the map is the constraint, if at least 40 items were finished in the
    window; else none is named. Confidence: the share of 200 resamples of the window's weeks that say the
    same. Without a calendar, the working hours are told from the log where it shows any. Where no stage
    shows a queue, or people have several items in work at the same time, an estimate: the stage that has
    the most often more inside than its departures grow with (departures at a rate of μ × min(inside, m),
    m of the greatest likelihood); without "ready" statuses work may then wait in the status of the stage
    before, and what waits for the first stage cannot be seen. `table`: `stages` of these visits, and
    `queue`: their `waits`, where they are known.
    """
    found = _found(visits, line, items, scope, calendar, zone, queue)
    table = stages(visits, line, scope, calendar, zone) if table is None else table
    evidence = _evidence(visits, line, table, found.queue, found.rule.can, found.people, scope)
    works = np.array([stage.has_capacity for stage in line], dtype=bool)
    answer = _Answer(table, evidence, found.rule, found.score, found.by_growth, _of_time(calendar, found.hours))
    return Constraint(
        stage=None if found.place is None or found.place < 0 else line[found.place].name,
        why=answer.why(found.place, found.n),
        confidence=found.confidence,
        ranking=answer.ranking(found.place),
        threshold=BEYOND if found.by_growth else WAITS,
        n_finished=found.n,
        estimated=bool(works.any() and found.by_growth),
    )


@dataclass(frozen=True)
class _Found:
    """What the rule says of a window: the stage's place on the line (−1: none is named, None: that cannot be told)."""

    place: int | None
    confidence: float | None
    n: int
    rule: _Rule
    score: Floats
    by_growth: bool
    hours: Calendar | None
    queue: Waits
    people: AtWork


def _found(
    visits: pd.DataFrame, line: "Sequence[Stage]", items: pd.DataFrame, scope: Scope, calendar: Calendar | None, zone: ZoneInfo,
    queue: Waits | None = None,
) -> _Found:  # fmt: skip
    hours = working_hours(visits, scope, zone) if calendar is None else calendar
    n = int(finished(items, scope).sum())
    works = np.array([stage.has_capacity for stage in line], dtype=bool)
    seen = works & np.array(shows_queue(line), dtype=bool)
    queue = waits(visits, line, micro(scope.end)) if queue is None else queue
    edges = window_edges(visits, scope, WEEK)
    can = capacity(visits, line, queue, edges, hours, zone)
    people = at_work(visits, line, edges, hours, zone)
    queues = bool(seen.any())
    loaded = LOADED_BY_CLUMPS if _at_a_time(visits, scope) >= CLUMPED else LOADED
    rule = _Rule(can, seen if queues else works, queues, not queues or people.at_once > SEVERAL, loaded)
    pieces = len(edges) - 1
    scores, places, by_growth = rule.judged(np.ones((1, pieces)))
    place, confidence = None, None
    if n >= ENOUGH and rule.candidates.any():
        place = int(places[0])
        confidence = float((rule.judged(_draws(pieces))[1] == place).mean())
    return _Found(place, confidence, n, rule, scores[0], bool(by_growth[0]), hours, queue, people)


def _at_a_time(visits: pd.DataFrame, scope: Scope) -> float:
    """How many items come into the line at the same time (hour) on average, in the window."""
    came = micros(visits["queued"])[(visits["seq"] == 0).to_numpy() & scope.holds(visits["queued"]).to_numpy()]
    return len(came) / max(len(np.unique(came // HOUR)), 1)


def history(
    visits: pd.DataFrame, line: "Sequence[Stage]", items: pd.DataFrame, scope: Scope, calendar: Calendar | None, zone: ZoneInfo,
    weeks: int = 13, every: int = 4, most: int = 12,
) -> pd.DataFrame:  # fmt: skip
    """How the constraint moved: one row for each window of `weeks`, `every` so many weeks up to the window's end, `most` of them.

    None of them begins long before the records do. Columns: start, end, stage
    (missing: none named), confidence, n (items finished in it).
    """
    length, step = pd.Timedelta(weeks=weeks), pd.Timedelta(weeks=every)
    began = observed_from(visits, scope)
    number = min(max(int((scope.end - began - length) / step + 0.5) + 1, 1), most)
    windows = [
        replace(scope, start=max(scope.start, scope.end - step * back - length), end=scope.end - step * back)
        for back in reversed(range(number))
    ]
    visits = _light(visits, min(window.start - (window.end - window.start) for window in windows))
    found = [_found(_around(visits, window), line, items, window, calendar, zone) for window in windows]
    names = [None if one.place is None or one.place < 0 else line[one.place].name for one in found]
    return pd.DataFrame(
        {
            "start": pd.Series([window.start for window in windows], dtype="datetime64[us, UTC]"),
            "end": pd.Series([window.end for window in windows], dtype="datetime64[us, UTC]"),
            "stage": pd.Series(names, dtype="str"),
            "confidence": np.array([one.confidence for one in found], dtype="float64"),
            "n": np.array([one.n for one in found], dtype="int64"),
        }
    )


def _light(visits: pd.DataFrame, since: pd.Timestamp) -> pd.DataFrame:
    """The visits that were not over by then, with what `_found` asks of them: it picks from them again and again."""
    asked = ["item", "stage", "seq", "queued", "started", "finished", "left", "actor"]
    told = visits.loc[~(visits["left"] < since), asked]
    return told.assign(**{name: categories(told[name]) for name in ("item", "stage", "actor")})


def _around(visits: pd.DataFrame, window: Scope) -> pd.DataFrame:
    """The visits of a window and of as long before it, in which those that are parked were overtaken: the rest costs only time."""
    since = window.start - (window.end - window.start)
    return visits[~(visits["left"] < since) & (visits["queued"] <= window.end)]


def _draws(weeks: int) -> Floats:
    """How often each week is in each resample."""
    drawn = np.random.default_rng(SEED).integers(0, weeks, (RESAMPLES, weeks))
    return np.array([np.bincount(row, minlength=weeks) for row in drawn], dtype="float64")


# The evidence. ----------------------------------------------------------------------------------------------------------


def _evidence(
    visits: pd.DataFrame, line: "Sequence[Stage]", table: pd.DataFrame, queue: Waits, can: Capacity, people: AtWork, scope: Scope
) -> list[dict[str, Any]]:
    """What speaks for and against each stage; None where it is not known."""
    once = np.ones((1, can.open_hours.shape[1]))
    points, beyond, growth_load, certain = (part[0] for part in can.saturation(once))
    seen = np.array(shows_queue(line), dtype=bool)
    unsure = certain < CERTAIN
    columns = {
        "queue_share": np.where(seen, can.queue_share(once)[0], np.nan),
        "load": np.where(seen, can.load(once)[0], np.nan),
        "at_once": np.where(seen & (can.queued.sum(axis=1) > 0), can.at_once(once)[0], np.nan),
        "wait_mean_hours": table["wait_mean"],
        "work_mean_hours": table["work_mean"],
        "dwell_mean_hours": table["dwell_mean"],
        "wip_mean": table["wip_mean"],
        "arrivals_per_week": table["arrivals"] / scope.weeks,
        "departures_per_week": table["departures"] / scope.weeks,
        "utilisation": _utilisation(line, can),
        "people_seen": people.seen,
        "people_busy": people.busy,
        "grows_with_wip": _growth(visits, line, scope),
        "output_grows_up_to": np.where(unsure, np.nan, points),
        "beyond_share": np.where(unsure, np.nan, beyond),
        "beyond_load": np.where(unsure, np.nan, growth_load),
        "overtaken": np.bincount(queue.code[queue.parked & (queue.served > micro(scope.start))], minlength=len(line)),
    }
    counts = ("overtaken", "people_seen")
    rows = [
        {name: None if np.isnan(value) else int(value) if name in counts else float(value) for name, value in row.items()}
        for row in pd.DataFrame(columns).to_dict("records")
    ]
    return [row | {"shared_with": shared} for row, shared in zip(rows, people.shared_with, strict=True)]


def _utilisation(line: "Sequence[Stage]", can: Capacity) -> Floats:
    """Logged work ÷ (configured people × working time); NaN where people are not known, or waiting hides in the work."""
    people = np.array([stage.people if stage.has_queue and stage.has_capacity else None for stage in line], dtype="float64")
    return np.asarray(can.busy.sum(axis=1) / (people * np.maximum(can.open_hours.sum(axis=1), 1e-9)))


def _growth(visits: pd.DataFrame, line: "Sequence[Stage]", scope: Scope) -> Floats:
    """How closely the time in a stage follows what was inside on arrival: Spearman's rank correlation; NaN of a few visits."""
    code, queued, left = stage_codes(visits, line), micros(visits["queued"]), micros(visits["left"])
    parked = overtaken(code, queued, np.where(left == NOT_A_TIME, np.iinfo(np.int64).max, left))
    found = np.full(len(line), np.nan)
    for place in range(len(line)):
        mine = (code == place) & ~parked
        gone = mine & (left >= micro(scope.start)) & (left <= micro(scope.end))
        arrived, departed = np.sort(queued[mine]), np.sort(left[mine & (left != NOT_A_TIME)])
        ahead = np.searchsorted(arrived, queued[gone]) - np.searchsorted(departed, queued[gone], side="right")
        dwell, inside = _ranks(left[gone] - queued[gone]), _ranks(ahead)
        spread = float(np.sqrt((dwell**2).sum() * (inside**2).sum()))
        if len(dwell) >= FEW:
            found[place] = float((dwell * inside).sum()) / spread if spread > 0 else 0.0
    return found


def _ranks(values: Micros) -> Floats:
    """Average ranks around 0."""
    ranks: Floats = pd.Series(values).rank().to_numpy(dtype="float64")
    return ranks - ranks.mean() if len(ranks) else ranks


# The answer in words. ---------------------------------------------------------------------------------------------------


def _of_time(calendar: Calendar | None, told: Calendar | None) -> str:
    if calendar is not None:
        return "working time"
    if told is None:
        return "the time"
    return f"the hours in which work is done ({', '.join(told.workdays)} {told.hours[0]}–{told.hours[1]}, as the log shows)"


@dataclass(frozen=True)
class _Answer:
    """The ranking, and one sentence with its numbers."""

    table: pd.DataFrame
    evidence: list[dict[str, Any]]
    rule: _Rule
    score: Floats
    by_growth: bool
    time: str

    def ranking(self, place: int | None) -> pd.DataFrame:
        """Stages with capacity: the named one first, the others by score."""
        score = np.where(self.rule.candidates, self.score, np.nan)
        frame = pd.DataFrame({"stage": self.table["stage"], "score": score, "evidence": pd.Series(self.evidence, dtype="object")})
        named = np.arange(len(frame)) == (-1 if place is None else place)
        frame = frame.assign(named=named)[self.table["has_capacity"].to_numpy(dtype=bool)]
        frame = frame.sort_values(["named", "score"], ascending=[False, False], kind="stable", ignore_index=True)
        return frame.drop(columns="named")

    def why(self, place: int | None, n: int) -> str:
        if not len(self.table) or not self.table["dwell_total"].sum() > 0:
            return "No work was in any stage in this window, so there is no constraint to name."
        if not self.rule.candidates.any():
            return "No stage has capacity: all of them only hold work, so none can be the constraint."
        if n < ENOUGH:
            return f"Only {n} items were finished in this window: {ENOUGH - n} more are needed before a constraint can be named."
        if place is None or place < 0:
            return f"No capacity constraint: {self.why_none()}; {self.longest()}."
        return f"Estimate: {self.why_growth(place)}." if self.by_growth else f"{self.why_queue(place)}."

    def why_queue(self, place: int) -> str:
        facts = self.evidence[place]
        wait, busy, shared = facts["wait_mean_hours"], facts["utilisation"], facts["shared_with"]
        parts = [
            f"something was waiting for it {share(facts['queue_share'])} of {self.time}",
            f"{facts['arrivals_per_week']:.1f} a week arrive, {facts['departures_per_week']:.1f} leave",
            *([] if wait is None else [f"the wait is {duration(wait)} on average"]),
            f"its load is {share(facts['load'])} of what it manages while work waits",
            *([] if busy is None else [_busy(busy, facts["load"])]),
            *([] if shared is None else [f"its people also work in {shared}, so it is they who are short"]),
        ]
        return f"{self.table['stage'][place]} holds work back: {'; '.join(parts)}"

    def why_growth(self, place: int) -> str:
        facts, name = self.evidence[place], self.table["stage"][place]
        more = (
            f"no more leaves it with more than {facts['output_grows_up_to']:.0f} items inside, "
            f"and that many were in it {share(facts['beyond_share'])} of {self.time}"
        )
        if self.rule.queues:
            return f"{name}; people have several items in work at the same time, which hides what waits, but {more}"
        return f"{name} or the step after it; no status says what waits, but {more}"

    def why_none(self) -> str:
        if not self.rule.queues:
            first = self.table["stage"].iloc[0]
            return (
                "in no stage does more work inside leave the output as it is for long "
                f"(what waits for {first}, the first stage, is not on the map and cannot be seen)"
            )
        shares = [
            facts["queue_share"] if candidate else -1 for facts, candidate in zip(self.evidence, self.rule.candidates, strict=True)
        ]
        fullest = int(np.argmax(shares))
        name, facts = self.table["stage"][fullest], self.evidence[fullest]
        waited = f"something was waiting for {name}, the fullest queue, {share(facts['queue_share'])} of {self.time}"
        if facts["queue_share"] < WAITS:
            return f"{waited}, less than {WAITS * 100:.0f} %"
        asked = share(facts["load"])
        return f"{waited}, but that asks for only {asked} of what it does while work waits, as where work comes in batches"

    def longest(self) -> str:
        total = self.table["dwell_total"]
        place = int(total.to_numpy().argmax())
        return f"most time passes in {self.table['stage'][place]} ({share(total[place] / total.sum())})"


def _busy(busy: float, load: float) -> str:
    if busy > 1.05:
        return f"there are {busy:.1f} times as many items in work as people"
    if load - busy > 0.2:
        return f"its people log work in only {share(busy)} of their time, so they have other work too"
    return f"its people are busy {share(busy)} of their time"
