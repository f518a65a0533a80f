"""The constraint finder on planted lines: how often the stage that holds back the whole is named, beside what others rank by.

`python bench/bench_finder.py [seeds [processes [first seed [scenario …]]]]` prints the whole table as Markdown; `figures()` is
what `make bench` shows of it.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.config import Calendar
from vsm.metrics.capacity import capacity, window_edges
from vsm.metrics.constraint import WEEK, constraint
from vsm.metrics.stages import stages, waits
from vsm.simulate import Line, Seen, Step, seen, simulate
from vsm.working_time import micro

UTC = ZoneInfo("UTC")
FIRST = 5000  # seeds 0 to 299 served for choosing thresholds, 1000 to 1199 were reported before
Dice = np.random.Generator


@dataclass(frozen=True)
class Planted:
    """A line, which stages may be named (none: there is no constraint), how long it runs, and what is seen of it."""

    line: Line
    truth: tuple[str, ...]
    hours: float
    view: dict[str, Any] = field(default_factory=dict)
    calendar: Calendar | None = None
    before: float = 0.0  # hours that it ran before the window begins


# Planted lines. ---------------------------------------------------------------------------------------------------------


def plain(
    dice: Dice, low: float = 0.88, high: float = 0.97, day: float = 24.0, others: tuple[float, float] = (0.3, 0.7)
) -> Planted:
    """Four to nine stages of one to five people, busy 30 to 70 % of their time, one of them 88 to 97 %."""
    stages = int(dice.integers(4, 10))
    per_day = float(dice.uniform(1.5, 5))
    days = int(dice.integers(90, 181))
    at = int(dice.integers(stages))
    busy = dice.uniform(*others, stages)
    if high:
        busy[at] = dice.uniform(low, high)
    people = dice.integers(1, 6, stages)
    steps = tuple(
        Step(f"S{place}", int(people[place]), float(busy[place] * people[place] * day / per_day), float(dice.uniform(0.6, 1.3)))
        for place in range(stages)
    )
    return Planted(Line(steps, per_day / day), (f"S{at}",) if high else (), days * 24.0)


def place_of(planted: Planted) -> int:
    """Where the planted stage is."""
    return [step.name for step in planted.line.steps].index(planted.truth[0])


def other(planted: Planted, dice: Dice) -> int:
    """Another stage where people work than the planted one."""
    names = [place for place, step in enumerate(planted.line.steps) if step.hours and step.name not in planted.truth]
    return int(dice.choice(names))


def changed(planted: Planted, place: int, **fields: Any) -> Planted:
    """The same with one stage changed."""
    steps = planted.line.steps
    return replace(
        planted, line=replace(planted.line, steps=(*steps[:place], replace(steps[place], **fields), *steps[place + 1 :]))
    )


def inserted(planted: Planted, place: int, step: Step) -> Planted:
    """The same with one more stage; nothing goes back yet."""
    steps = planted.line.steps
    return replace(planted, line=replace(planted.line, steps=(*steps[:place], step, *steps[place:])))


def rebalanced(planted: Planted) -> Planted:
    """As busy as before, now that items skip and come back: the work on each visit shrinks by the number of visits."""
    steps = planted.line.steps
    moves = np.zeros((len(steps), len(steps) + 1))
    for place, step in enumerate(steps):
        on = 1.0
        for target, share in step.back:
            moves[place, target] += share
            on -= share
        moves[place] += on * passed(steps, place + 1)
    visits = np.linalg.solve(np.eye(len(steps)) - moves[:, :-1].T, passed(steps, 0)[:-1])
    for place, step in enumerate(steps):
        planted = changed(planted, place, hours=step.hours / visits[place])
    return planted


def passed(steps: Sequence[Step], first: int) -> np.ndarray[Any, Any]:
    """Where an item goes that looks for its next stage from a place on."""
    to, left = np.zeros(len(steps) + 1), 1.0
    for place in range(first, len(steps)):
        to[place] = left * (1 - steps[place].skip)
        left *= steps[place].skip
    to[-1] = left
    return to


def overload(dice: Dice) -> Planted:
    return plain(dice, 1.05, 1.3)


def with_rework(planted: Planted, dice: Dice) -> Planted:
    for _ in range(int(dice.integers(1, 4))):
        late = int(dice.integers(1, len(planted.line.steps)))
        early = int(dice.integers(max(0, late - 3), late))
        if planted.line.steps[late].hours and planted.line.steps[early].hours:
            planted = changed(planted, late, back=((early, float(dice.uniform(0.1, 0.25))),))
    return planted


def rework(dice: Dice) -> Planted:
    return rebalanced(with_rework(plain(dice), dice))


def with_skips(planted: Planted, dice: Dice) -> Planted:
    for _ in range(int(dice.integers(1, 4))):
        planted = changed(planted, other(planted, dice), skip=float(dice.uniform(0.1, 0.5)))
    return planted


def skip(dice: Dice) -> Planted:
    planted = with_skips(plain(dice), dice)
    return rebalanced(changed(planted, place_of(planted), skip=float(dice.choice([0.0, dice.uniform(0.1, 0.3)]))))


def with_train(planted: Planted, dice: Dice, place: int, day: float = 24.0) -> Planted:
    return inserted(planted, place, Step("Train", every=float(dice.choice([7, 14]) * day)))


def train(dice: Dice) -> Planted:
    planted = plain(dice)
    return with_train(planted, dice, len(planted.line.steps))


def train_mid_line(dice: Dice) -> Planted:
    planted = plain(dice)
    return with_train(planted, dice, int(dice.integers(1, len(planted.line.steps))))


def with_backlog(planted: Planted, dice: Dice) -> Planted:
    days = float(dice.uniform(7, 25)) * 24
    return inserted(planted, 0, Step("Backlog", every=days) if dice.random() < 0.5 else Step("Backlog", hold=days))


def backlog(dice: Dice) -> Planted:
    return with_backlog(plain(dice), dice)


def with_long_stage(planted: Planted, dice: Dice) -> Planted:
    place = other(planted, dice)
    step = planted.line.steps[place]
    hours = step.hours / step.people / 0.5 * 10
    return changed(planted, place, hours=hours * 5, people=int(np.ceil(hours * 5 * planted.line.per_hour / 0.55)))


def long_stage(dice: Dice) -> Planted:
    return with_long_stage(plain(dice), dice)


def limits(dice: Dice) -> Planted:
    planted = plain(dice, 0.95, 1.3)
    for place, step in enumerate(planted.line.steps):
        planted = changed(planted, place, limit=step.people + int(dice.integers(1, 4)))
    return planted


def limits_unseen(dice: Dice) -> Planted:
    return replace(limits(dice), view={"finishes": False})


def everything(dice: Dice) -> Planted:
    planted = with_long_stage(plain(dice), dice)
    planted = rebalanced(with_skips(with_rework(planted, dice), dice))
    steps = planted.line.steps
    return replace(planted, line=replace(planted.line, steps=_shifted(steps, dice)))


def _shifted(steps: Sequence[Step], dice: Dice) -> tuple[Step, ...]:
    """A backlog before the first stage and a train somewhere; the ways back lead where they led."""
    at = int(dice.integers(1, len(steps) + 1))
    moved = [replace(s, back=tuple((target + 1 + (target >= at), share) for target, share in s.back)) for s in steps]
    days = float(dice.uniform(7, 25)) * 24
    return (Step("Backlog", hold=days), *moved[:at], Step("Train", every=float(dice.choice([7, 14])) * 24), *moved[at:])


def hidden(dice: Dice) -> Planted:
    """The planted stage's people spend 30 to 50 % of their time on work that nobody logs."""
    planted = plain(dice)
    place, share = place_of(planted), float(dice.uniform(0.3, 0.5))
    step = planted.line.steps[place]
    busy = step.hours * planted.line.per_hour / step.people
    planted = changed(planted, place, hours=step.hours * (busy - share) / busy)
    return replace(planted, line=replace(planted.line, hidden=((step.crew, share),)))


def parked(dice: Dice) -> Planted:
    planted = plain(dice)
    return replace(planted, line=replace(planted.line, parked=3))


def shared(dice: Dice, day: float = 24.0) -> Planted:
    """Two or three stages have the same people; they are the constraint in half of the lines."""
    planted = plain(dice, day=day)
    steps = planted.line.steps
    mine = dice.random() < 0.5
    pool = sorted(
        dice.choice(
            [p for p in range(len(steps)) if mine or steps[p].name not in planted.truth],
            min(len(steps) - 1, int(dice.integers(2, 4))),
            False,
        ).tolist()
    )
    if mine and place_of(planted) not in pool:
        pool[0] = place_of(planted)
        pool = sorted(set(pool))
    people = int(dice.integers(2, 6))
    busy = float(dice.uniform(0.88, 0.97) if mine else dice.uniform(0.3, 0.7))
    for place, part in zip(pool, dice.dirichlet(np.full(len(pool), 4.0)), strict=True):
        hours = busy * people * float(part) / planted.line.per_hour
        planted = changed(planted, place, pool="Pool", people=people, hours=hours)
    order = str(dice.choice(["first come", "downstream", "upstream"]))
    truth = tuple(steps[place].name for place in pool) if mine else planted.truth
    return replace(planted, truth=truth, line=replace(planted.line, order=order))


def priorities(dice: Dice) -> Planted:
    planted = plain(dice)
    return replace(planted, line=replace(planted.line, urgent=float(dice.uniform(0.1, 0.25)), low=float(dice.uniform(0, 0.3))))


def nights(dice: Dice) -> Planted:
    """Work from nine to five on weekdays; in half of the lines items come at any hour."""
    planted = plain(dice, day=8.0 * 5 / 7)
    always = bool(dice.random() < 0.5)
    rate = planted.line.per_hour / (4.2 if always else 1)
    line = replace(planted.line, calendar=Calendar(), nights=always, per_hour=rate)
    return replace(planted, calendar=Calendar(), line=line)


def nights_unknown(dice: Dice) -> Planted:
    return replace(nights(dice), calendar=None)


def batches(dice: Dice) -> Planted:
    """Items come together: some at random, or a week's or a fortnight's at once."""
    return with_batches(plain(dice), dice)


def with_batches(planted: Planted, dice: Dice) -> Planted:
    rate = planted.line.per_hour
    if dice.random() < 0.5:
        return replace(planted, line=replace(planted.line, batch=int(dice.integers(4, 16))))
    every = float(dice.choice([7, 14])) * 24
    return replace(planted, line=replace(planted.line, batch=max(1, round(rate * every)), every=every))


def multitasking(dice: Dice) -> Planted:
    return with_multitasking(plain(dice), dice)


def with_multitasking(planted: Planted, dice: Dice) -> Planted:
    """Everybody has two to four items in work at the same time and changes between them every four hours."""
    lost = float(dice.uniform(0, 0.3))
    for place, step in enumerate(planted.line.steps):
        planted = changed(planted, place, hours=step.hours / (1 + lost / 4))
    return replace(planted, line=replace(planted.line, at_once=int(dice.integers(2, 5)), slice=4.0, switch=lost))


def pull_board(dice: Dice) -> Planted:
    """No status says that work waits: it stays in the stage before."""
    return either(plain(dice), "pull")


def single_board(dice: Dice) -> Planted:
    """One status a stage, for waiting and work."""
    return either(plain(dice), "single")


def either(planted: Planted, board: str) -> Planted:
    before = planted.line.steps[max(place_of(planted) - 1, 0)].name
    return replace(planted, truth=(before, *planted.truth), view={"board": board})


def long_pull_board(dice: Dice) -> Planted:
    return either(long_stage(dice), "pull")


def long_single_board(dice: Dice) -> Planted:
    return either(long_stage(dice), "single")


def calm(dice: Dice, day: float = 24.0) -> Planted:
    """Nobody is busy more than 60 % of the time."""
    return plain(dice, 0, 0, day, (0.2, 0.6))


def calm_train(dice: Dice) -> Planted:
    planted = calm(dice)
    return with_train(planted, dice, int(dice.integers(1, len(planted.line.steps) + 1)))


def calm_backlog(dice: Dice) -> Planted:
    return with_backlog(calm(dice), dice)


def calm_long(dice: Dice) -> Planted:
    return with_long_stage(calm(dice), dice)


def calm_rework(dice: Dice) -> Planted:
    return rebalanced(with_rework(calm(dice), dice))


def calm_parked(dice: Dice) -> Planted:
    planted = calm(dice)
    return replace(planted, line=replace(planted.line, parked=3))


def calm_limits(dice: Dice) -> Planted:
    planted = calm(dice)
    for place, step in enumerate(planted.line.steps):
        planted = changed(planted, place, limit=step.people + int(dice.integers(1, 4)))
    return planted


def calm_shared(dice: Dice) -> Planted:
    planted = calm(dice)
    people = int(dice.integers(2, 6))
    for place in (0, len(planted.line.steps) - 2):
        hours = float(dice.uniform(0.1, 0.3)) * people / planted.line.per_hour
        planted = changed(planted, place, pool="Pool", people=people, hours=hours)
    return planted


def calm_priorities(dice: Dice) -> Planted:
    planted = calm(dice)
    return replace(planted, line=replace(planted.line, urgent=float(dice.uniform(0.1, 0.25)), low=float(dice.uniform(0, 0.3))))


def calm_nights(dice: Dice) -> Planted:
    planted = calm(dice, 8.0 * 5 / 7)
    always = bool(dice.random() < 0.5)
    rate = planted.line.per_hour / (4.2 if always else 1)
    return replace(planted, calendar=Calendar(), line=replace(planted.line, calendar=Calendar(), nights=always, per_hour=rate))


def calm_nights_unknown(dice: Dice) -> Planted:
    return replace(calm_nights(dice), calendar=None)


def calm_batches(dice: Dice) -> Planted:
    return with_batches(calm(dice), dice)


def calm_multitasking(dice: Dice) -> Planted:
    return with_multitasking(calm(dice), dice)


def calm_pull_board(dice: Dice) -> Planted:
    return replace(calm(dice), view={"board": "pull"})


def calm_single_board(dice: Dice) -> Planted:
    return replace(calm(dice), view={"board": "single"})


SCENARIOS: dict[str, Callable[[Dice], Planted]] = {
    "stable": plain,
    "overload": overload,
    "rework": rework,
    "skipped stages": skip,
    "release train at the end": train,
    "release train mid-line": train_mid_line,
    "backlog on the board": backlog,
    "long well-staffed stage": long_stage,
    "WIP limits": limits,
    "all at once": everything,
    "hidden work": hidden,
    "parked tickets": parked,
    "shared people": shared,
    "expedites and priorities": priorities,
    "nights and weekends": nights,
    "nights, calendar not configured": nights_unknown,
    "batch arrivals": batches,
    "multitasking": multitasking,
    "WIP limits, finished work unseen": limits_unseen,
    "no ready columns": pull_board,
    "one status a stage": single_board,
    "no ready columns, long stage": long_pull_board,
    "one status, long stage": long_single_board,
    "calm": calm,
    "calm, release train": calm_train,
    "calm, backlog": calm_backlog,
    "calm, long stage": calm_long,
    "calm, rework": calm_rework,
    "calm, parked tickets": calm_parked,
    "calm, WIP limits": calm_limits,
    "calm, shared people": calm_shared,
    "calm, priorities": calm_priorities,
    "calm, nights": calm_nights,
    "calm, nights, no calendar": calm_nights_unknown,
    "calm, batch arrivals": calm_batches,
    "calm, multitasking": calm_multitasking,
    "calm, no ready columns": calm_pull_board,
    "calm, one status a stage": calm_single_board,
}


def planted_line(scenario: str, seed: int) -> Planted:
    """One line of a scenario; half of them are looked at from their first day on, when they are still empty."""
    dice = np.random.default_rng([list(SCENARIOS).index(scenario), seed])
    return replace(SCENARIOS[scenario](dice), before=float(dice.choice([0, 45 * 24])))


def lived(planted: Planted, seed: int) -> Seen:
    """What is seen of a planted line after its time."""
    told = seen(simulate(planted.line, seed, planted.before + planted.hours), **planted.view)
    return replace(told, scope=replace(told.scope, start=told.scope.start + pd.Timedelta(hours=planted.before)))


# Who names what. --------------------------------------------------------------------------------------------------------


def answers(planted: Planted, seed: int, beside: bool = True) -> dict[str, str | None]:
    """The stage that each candidate names; ours alone where nothing is asked `beside` it."""
    told = lived(planted, seed)
    calendar = planted.calendar
    found = constraint(told.visits, told.stages, told.items, told.scope, calendar, UTC)
    return {"ours": found.stage} | (others(told, calendar) if beside else {})


def others(told: Seen, calendar: Calendar | None) -> dict[str, str | None]:
    """What else stages are ranked by; only the queue's share knows how to be silent."""
    table = stages(told.visits, told.stages, told.scope, calendar, UTC)
    edges = window_edges(told.visits, told.scope, WEEK)
    queue = waits(told.visits, told.stages, micro(told.scope.end))
    can = capacity(told.visits, told.stages, queue, edges, calendar, UTC)
    people = np.array([stage.people if stage.has_capacity else None for stage in told.stages], dtype="float64")
    shares = table["queue_share"].where(table["has_capacity"]).fillna(0).to_numpy()
    last = int(np.flatnonzero(shares >= 0.8 * shares.max())[-1])
    names = table["stage"].tolist()

    def most(values: Any) -> str:
        return str(names[int(np.nan_to_num(np.asarray(values, dtype="float64"), nan=-1e9).argmax())])

    return {
        "dwell": most(table["dwell_mean"]),
        "WIP": most(table["wip_mean"]),
        "WIP growth": most(table["arrivals"] - table["departures"]),
        "wait": most(table["wait_mean"]),
        "utilisation": most(can.busy.sum(axis=1) / people),
        "queue": str(names[last]) if shares.max() >= 0.35 else None,
    }


def right(named: str | None, planted: Planted) -> bool:
    """Whether an answer is right: the planted stage, or silence where none was planted."""
    return named in planted.truth if planted.truth else named is None


def judged(job: tuple[str, int], beside: bool = True) -> tuple[dict[str, bool], bool]:
    """For one line who is right, and whether ours was silent."""
    scenario, seed = job
    planted = planted_line(scenario, seed)
    named = answers(planted, seed, beside)
    return {who: right(stage, planted) for who, stage in named.items()}, named["ours"] is None


# The table. -------------------------------------------------------------------------------------------------------------


def table(scenarios: Iterable[str], seeds: int, processes: int, first: int = FIRST) -> Iterator[dict[str, Any]]:
    """One row a scenario: for each candidate the share of lines on which it was right, and how often ours was silent."""
    with ProcessPoolExecutor(processes) as pool:
        for scenario in scenarios:
            begun = time.perf_counter()
            told = list(pool.map(judged, [(scenario, seed) for seed in range(first, first + seeds)], chunksize=10))
            row: dict[str, Any] = {who: sum(one[who] for one, _ in told) / seeds for who in told[0][0]}
            low, high = wilson(row["ours"], seeds)
            silent = sum(quiet for _, quiet in told) / seeds
            lasted = time.perf_counter() - begun
            yield {"scenario": scenario, "n": seeds, "low": low, "high": high, "silent": silent, "seconds": lasted} | row


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share."""
    middle = (share + z * z / 2 / n) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / 4 / n / n))
    return middle - half, middle + half


GATES = (
    dict.fromkeys(("stable", "overload", "rework", "skipped stages", "long well-staffed stage"), 0.95)
    | dict.fromkeys(
        (
            "backlog on the board",
            "release train at the end",
            "release train mid-line",
            "WIP limits",
            "hidden work",
            "parked tickets",
        ),
        0.90,
    )
    | dict.fromkeys((name for name in SCENARIOS if name.startswith("calm")), 0.95)
)
COLUMNS = ("ours", "dwell", "WIP", "WIP growth", "wait", "utilisation", "queue")


def figures(seeds: int = 200) -> list[dict[str, Any]]:
    """For `make bench`: the share rightly named (of calm lines: rightly silent), beside dwell's; ratio: misses ÷ misses allowed."""
    rows = table(SCENARIOS, seeds, os.cpu_count() or 1)
    return [
        {
            "name": f"finder: {row['scenario']}",
            "value": row["ours"],
            "peer": row["dwell"],
            "ratio": (1 - row["ours"]) / (1 - GATES.get(row["scenario"], 0.95)),
            "limit": 1.0 if row["scenario"] in GATES else None,
        }
        for row in rows
    ]


def main(seeds: int = 200, processes: int = 0, first: int = FIRST, *scenarios: str) -> None:
    """Print the table as Markdown, row by row."""
    print(f"| scenario | {' | '.join(COLUMNS[:1])} | 95 % interval | silent | {' | '.join(COLUMNS[1:])} | seconds |")
    print("| --- " * (len(COLUMNS) + 4) + "|")
    for row in table(scenarios or SCENARIOS, seeds, processes or os.cpu_count() or 1, first):
        ours, *rest = (f"{row[name]:.3f}" if name == "ours" else f"{row[name]:.2f}" for name in COLUMNS)
        span = f"{row['low']:.3f}–{row['high']:.3f}"
        cells = [row["scenario"], ours, span, f"{row['silent']:.2f}", *rest, f"{row['seconds']:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:4]), *sys.argv[4:])  # seeds, processes, first seed, scenarios
