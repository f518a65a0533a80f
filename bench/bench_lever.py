"""The lead-time lever on planted lines: whether it names the true best one, and how far its cut of lead time is from the true cut.

`python bench/bench_lever.py [seeds [processes [first seed [scenario …]]]]` prints the table as Markdown; `figures()` is what
`make bench` shows of it.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import bench_finder as study
import numpy as np
import pandas as pd
from bench_finder import Planted, lived, planted_line, wilson

from vsm.lever import MORE, Lever, lever, recent
from vsm.simulate import DONE, QUEUED, START, simulate, with_more, works
from vsm.working_time import Floats, micros, worked

FIRST = 7000  # seeds 3000 to 3059 served for mending it
TIE = 0.02  # of lead time: levers whose true cuts are no further apart are equal, and either is right
ROUND, MOST = 4, 48  # runs of the true line at a time, and in all
FEWEST = 16  # of the best one
SURE = 3.0  # standard errors that a stage must lie behind to be no longer asked
OTHER_WEEKS = 1_000_000  # added to seeds, so that the truth is told by other draws than those that were seen


@dataclass(frozen=True)
class Truth:
    """By how much 25 % more capacity in each stage (by name) cuts lead time, on average over many runs, and in the weeks seen."""

    cuts: dict[str, float]
    error: float  # standard error of the best one's cut
    same: dict[str, float]

    @property
    def best(self) -> str:
        return max(self.cuts, key=self.cuts.__getitem__)

    @property
    def equal(self) -> set[str]:
        """The best and those that are about as good."""
        return {name for name, cut in self.cuts.items() if cut >= self.cuts[self.best] - TIE}


def lead(planted: Planted, place: int | None, seed: int, opens: float | None = None) -> float:
    """Mean lead time, in working hours from the first stage on, of what is done in the window; with more capacity in a stage.

    `opens`: when the window begins, in hours since the line did; else where the scenario's does.
    """
    line = planted.line if place is None else with_more(planted.line, place, MORE)
    run = simulate(line, seed, planted.before + planted.hours)
    first = np.full(len(run.born), np.inf)
    np.minimum.at(first, run.item[run.what == QUEUED], run.at[run.what == QUEUED])
    opens = planted.before if opens is None else opens
    if line.calendar is not None:
        opened = pd.Series([START, START + pd.Timedelta(hours=opens)]).dt.as_unit("us")
        opens = float(np.diff(worked(micros(opened), line.calendar, study.UTC))[0])
    done = (run.what == DONE) & (run.at > opens)
    return float((run.at[done] - first[run.item[done]]).mean())


def truth(planted: Planted, seed: int, opens: float) -> Truth:
    """Runs of the true line with and without more capacity on the same draws, until the best is known, and those equal to it.

    `opens`: when the weeks begin that the lever looks at, for what would have been in them.
    """
    places = [place for place, step in enumerate(planted.line.steps) if works(step)]
    asked, told = list(range(len(places))), np.full((MOST, len(places)), np.nan)
    runs = 0
    while runs < MOST and (len(asked) > 1 or runs < FEWEST):
        for again in range(runs, runs + ROUND):
            other = OTHER_WEEKS + 1000 * seed + again
            now = lead(planted, None, other)
            told[again, asked] = [1 - lead(planted, places[one], other) / now for one in asked]
        runs += ROUND
        asked = _contenders(told[:runs], asked)
    now = lead(planted, None, seed, opens)
    names = [planted.line.steps[place].name for place in places]
    top = asked[int(np.nanmean(told[:, asked], axis=0).argmax())]
    best = told[:runs, top]
    means = best.mean() - np.nanmean(told[:, [top]] - told, axis=0)  # of who was asked less often: in the same runs
    same = {name: 1 - lead(planted, place, seed, opens) / now for name, place in zip(names, places, strict=True)}
    return Truth(dict(zip(names, means.tolist(), strict=True)), float(best.std(ddof=1) / np.sqrt(runs)), same)


def _contenders(told: Floats, asked: list[int]) -> list[int]:
    """The stages that may still be the best, or equal to it."""
    best = asked[int(told[:, asked].mean(axis=0).argmax())]
    behind = told[:, [best]] - told
    error = behind.std(axis=0, ddof=1) / np.sqrt(len(told))
    return [one for one in asked if one == best or behind[:, one].mean() - SURE * error[one] <= TIE]


def judged(job: tuple[str, int]) -> dict[str, Any]:
    """For one line what the lever says and what is true."""
    scenario, seed = job
    planted = planted_line(scenario, seed)
    told = lived(planted, seed)
    begun = time.perf_counter()
    found = lever(told.visits, told.stages, told.items, told.scope, planted.calendar, study.UTC)
    lasted = time.perf_counter() - begun
    opens = (recent(told.items, told.scope).start - START) / pd.Timedelta(hours=1)
    true = truth(planted, seed, opens)
    return {"scenario": scenario, "seed": seed, "seconds": lasted, "planted": planted.truth} | compared(found, true)


def compared(found: Lever, true: Truth) -> dict[str, Any]:
    """Whether the named stage is the best or equal to it, and its cut beside what that stage's cut is."""
    if found.stage is None:
        return {"named": None, "right": False, "best": true.best, "true": true.cuts[true.best], "error": true.error}
    named = {found.stage, *found.equal}
    return {
        "named": found.stage,
        "right": found.stage in true.equal,
        "then": true.same[found.stage] >= max(true.same.values()) - TIE,
        "best": true.best,
        "equal": len(named) > 1,
        "held": true.best in named,
        "true": true.cuts[found.stage],
        "same": true.same[found.stage],
        "cut": found.cut,
        "past": found.past,
        "low": found.low,
        "high": found.high,
        "error": true.error,
        "ties": len(true.equal),
    }


# The table. -------------------------------------------------------------------------------------------------------------

LINES = {  # so many of each
    "stable": 60,
    "overload": 30,
    "rework": 30,
    "skipped stages": 30,
    "long well-staffed stage": 30,
    "WIP limits": 30,
    "release train mid-line": 30,
    "backlog on the board": 30,
    "hidden work": 30,
    "parked tickets": 30,
    "all at once": 30,
    "nights and weekends": 30,
    "batch arrivals": 30,
    "shared people": 30,
    "expedites and priorities": 30,
    "multitasking": 30,
    "calm": 30,
}
POINTS = 0.10  # how far the cut may be from the true one, on average
NAMED = 0.90  # of lines: the true best lever


def table(scenarios: Iterable[str], seeds: int, processes: int, first: int = FIRST) -> Iterator[dict[str, Any]]:
    """One row a scenario; `seeds` lines of each, 0: as many as `LINES` says."""
    with ProcessPoolExecutor(processes) as pool:
        for scenario in scenarios:
            number = seeds or LINES[scenario]
            yield row(scenario, list(pool.map(judged, [(scenario, seed) for seed in range(first, first + number)])))


def row(scenario: str, told: list[dict[str, Any]]) -> dict[str, Any]:
    """What a table's row says of some lines."""
    answered = pd.DataFrame([one for one in told if one["named"] is not None])
    share = sum(one["right"] for one in told) / len(told)
    low, high = wilson(share, len(told))
    if answered.empty:
        return {"scenario": scenario, "n": len(told), "answered": 0, "right": share, "low": low, "high": high}
    return {
        "scenario": scenario,
        "n": len(told),
        "answered": len(answered),
        "right": share,
        "low": low,
        "high": high,
        "then": answered["then"].mean(),
        "several": answered["equal"].mean(),
        "held": answered["held"].mean(),
        "true": answered["true"].mean(),
        "cut": answered["cut"].mean(),
        "same": (answered["past"] - answered["same"]).abs().mean(),
        "off": (answered["cut"] - answered["true"]).abs().mean(),
        "covered": ((answered["low"] <= answered["true"]) & (answered["true"] <= answered["high"])).mean(),
        "error": answered["error"].mean(),
        "seconds": answered["seconds"].mean(),
    }


def figures() -> list[dict[str, Any]]:
    """For `make bench`: how often the true best lever is missed ÷ misses allowed, and on stable lines how far off its cut is."""
    found = []
    for told in table(LINES, 0, os.cpu_count() or 1):
        stable = told["scenario"] == "stable"
        found.append(
            {
                "name": f"lever: {told['scenario']}, the best one named",
                "value": told["right"],
                "peer": NAMED,
                "ratio": (1 - told["right"]) / (1 - NAMED),
                "limit": 1.0 if stable else None,
            }
        )
        if stable:
            off = told["same"]
            found.append({"name": "lever: stable, cut off by", "value": off, "peer": POINTS, "ratio": off / POINTS, "limit": 1.0})
    return found


def main(seeds: int = 0, processes: int = 0, first: int = FIRST, *scenarios: str) -> None:
    """Print the table as Markdown, row by row."""
    columns = (
        "true cut",
        "predicted",
        "off, same weeks",
        "off, on average",
        "interval holds",
        "several named",
        "best of them",
        "s",
    )
    print(f"| scenario | lines | right | 95 % interval | {' | '.join(columns)} |")
    print("| --- " * (len(columns) + 4) + "|")
    for told in table(scenarios or LINES, seeds, processes or os.cpu_count() or 1, first):
        if not told["answered"]:
            print(f"| {told['scenario']} | {told['n']} | no answer |", flush=True)
            continue
        percents = (told["true"], told["cut"])
        points = (told["same"], told["off"])
        cells = [
            told["scenario"],
            f"{told['answered']} of {told['n']}" if told["answered"] < told["n"] else str(told["n"]),
            f"{told['right']:.2f}",
            f"{told['low']:.2f}–{told['high']:.2f}",
            *(f"{value:.0%}" for value in percents),
            *(f"{value * 100:.1f}" for value in points),
            f"{told['covered']:.2f}",
            f"{told['several']:.2f}",
            f"{told['held']:.2f}",
            f"{told['seconds']:.1f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:4]), *sys.argv[4:])  # seeds, processes, first seed, scenarios
