"""The forecast on simulated teams: how often "at least so many in 12 weeks, 85 % sure" holds, beside plain Monte Carlo.

`python bench/bench_forecast.py [teams [first seed]]` prints the whole tables as Markdown; `figures()` is what `make bench`
shows of it.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm.metrics.forecast import DRAWS, TRIES, futures, promises
from vsm.metrics.shifts import looks, shifts

WEEKS, AHEAD, SURE = 52, 12, 0.85
PLAIN_WEEKS = 26  # of throughput, what the tools that people use draw from
TEAMS, FIRST = 300, 6_000_000  # other seeds served for tuning
Dice = np.random.Generator
Floats = npt.NDArray[np.float64]


# What teams finish a week; the last AHEAD weeks are what is promised. ---------------------------------------------------


def followed(dice: Dice, weeks: int, rho: float) -> Floats:
    """A series of mean 0 and variance 1 in which a week tells of the next."""
    noise = dice.normal(size=weeks + 50)
    for week in range(1, weeks + 50):
        noise[week] = rho * noise[week - 1] + noise[week] * (1 - rho**2) ** 0.5
    return noise[50:]


def stepped(before: float, after: float, ago: int) -> Callable[[Dice, Floats], Floats]:
    """Poisson counts whose mean changed some weeks ago."""
    return lambda dice, week: dice.poisson(np.where(week < -ago, before, after)).astype(float)


def train(every: int) -> Callable[[Dice, Floats], Floats]:
    """Twelve items a week on average, finished together every so many weeks."""

    def counts(dice: Dice, week: Floats) -> Floats:
        leaves = (week + dice.integers(every)) % every == 0
        return np.where(leaves, dice.poisson(12 * every, len(week)), 0).astype(float)

    return counts


def seasons(dice: Dice, week: Floats) -> Floats:
    """A year's wave of 30 %, and two weeks of holidays."""
    mean = 12 * (1 + 0.3 * np.sin(2 * np.pi * week / 52 + dice.uniform(0, 2 * np.pi)))
    return dice.poisson(np.where((week + dice.integers(52)) % 52 < 2, 1, mean)).astype(float)


TEAMS_OF: dict[str, Callable[[Dice, Floats], Floats]] = {
    "stable, 12 a week": lambda dice, week: dice.poisson(12, len(week)).astype(float),
    "stable, overdispersed": lambda dice, week: dice.negative_binomial(6, 1 / 3, len(week)).astype(float),
    "stable, 1 a week": lambda dice, week: dice.poisson(1, len(week)).astype(float),
    "stable, 0.3 a week": lambda dice, week: dice.poisson(0.3, len(week)).astype(float),
    "weeks follow each other, ρ 0.7": lambda dice, week: dice.poisson(np.maximum(12 + 3 * followed(dice, len(week), 0.7), 0.1)),
    "step down 8 weeks ago, 12 → 8": stepped(12, 8, 8),
    "step down 16 weeks ago": stepped(12, 8, 16),
    "step up 8 weeks ago, 8 → 12": stepped(8, 12, 8),
    "step up 16 weeks ago": stepped(8, 12, 16),
    "drift down, 11 → 7 in 38 weeks": lambda dice, week: dice.poisson(9 - (week + 7) * 4 / 38).astype(float),
    "drift up, 7 → 11 in 38 weeks": lambda dice, week: dice.poisson(np.maximum(9 + (week + 7) * 4 / 38, 0.1)).astype(float),
    "seasons and holidays": seasons,
    "releases every 2 weeks": train(2),
    "releases every 3 weeks": train(3),
    "releases every 4 weeks": train(4),
}


def plain(counts: Floats, ahead: int, draws: int) -> Floats:
    """Throughput Monte Carlo as it is usually done: weeks drawn from the last half year."""
    last = counts[-PLAIN_WEEKS:]
    return last[np.random.default_rng(1).integers(0, len(last), (draws, ahead))].sum(axis=1)


def held(kind: str, teams: int, first: int, weeks: int = WEEKS) -> dict[str, tuple[float, float]]:
    """For ours and plain: the share of teams whose promise held, and the promise ÷ what such teams finish on average."""
    week = np.arange(-weeks, AHEAD, dtype=float)
    told = [TEAMS_OF[kind](np.random.default_rng(first + seed), week) for seed in range(teams)]
    true = np.array([counts[weeks:].sum() for counts in told])
    found = {}
    for name, method in (("ours", futures), ("plain", plain)):
        promised = np.array([promises(method(counts[:weeks], AHEAD, TRIES))["p85"] for counts in told])
        found[name] = (float((true >= promised).mean()), float(promised.mean() / true.mean()))
    return found


# Shifts. ----------------------------------------------------------------------------------------------------------------


QUIET: dict[str, Callable[[Dice, int], Floats]] = {
    "counts, 1 a week": lambda dice, weeks: dice.poisson(1, weeks).astype(float),
    "counts, 12 a week": lambda dice, weeks: dice.poisson(12, weeks).astype(float),
    "counts, overdispersed": lambda dice, weeks: dice.negative_binomial(6, 1 / 3, weeks).astype(float),
    "lead times, lognormal": lambda dice, weeks: 24 * dice.lognormal(0, 0.4, weeks),
    "ρ 0.3": lambda dice, weeks: np.maximum(12 + 3 * followed(dice, weeks, 0.3), 0),
    "ρ 0.5": lambda dice, weeks: np.maximum(12 + 3 * followed(dice, weeks, 0.5), 0),
    "ρ 0.7": lambda dice, weeks: np.maximum(12 + 3 * followed(dice, weeks, 0.7), 0),
}
STEPS = {
    "12 → 8 (1.3 sd)": (12, 8),
    "12 → 6 (2 sd)": (12, 6),
    "8 → 12 (1.3 sd)": (8, 12),
    "3 → 6 (1.4 sd)": (3, 6),
    "3 → 9 (2.4 sd)": (3, 9),
}


def false_alarms(kind: str, weeks: int, teams: int, first: int) -> float:
    """The share of series without a shift in which one is found."""
    return float(np.mean([len(shifts(QUIET[kind](np.random.default_rng(first + seed), weeks))) > 0 for seed in range(teams)]))


def steps_found(kind: str, ago: int, teams: int, first: int) -> float:
    """The share of series of a year in which a step is found within two weeks of where it was planted."""
    told = stepped(*STEPS[kind], ago)
    week = np.arange(-WEEKS, 0, dtype=float)
    places = [shifts(told(np.random.default_rng(first + seed), week)) for seed in range(teams)]
    return float(np.mean([any(abs(place - (WEEKS - ago)) <= 2 for place in found) for found in places]))


def looked(teams: int, first: int) -> float:
    """The share of quiet years with at least one week outside its XmR limits, or another signal of theirs."""
    week = pd.date_range("2026-01-05", periods=WEEKS, freq="7D", unit="us")
    told = [QUIET["counts, 12 a week"](np.random.default_rng(first + seed), WEEKS) for seed in range(teams)]
    return float(np.mean([looks(pd.DataFrame({"week": week, "items": counts}), "items")["look"].notna().any() for counts in told]))


# What is shown. ---------------------------------------------------------------------------------------------------------


def figures() -> list[dict[str, Any]]:
    """How far from 85 % the promises are on average over all kinds of teams, ours and plain; each kind; and the time."""
    found = {kind: held(kind, TEAMS, FIRST) for kind in TEAMS_OF}
    rows = [_row(f"forecast, promises held: {kind}", one["ours"][0], one["plain"][0], None) for kind, one in found.items()]
    off = {name: float(np.mean([abs(one[name][0] - SURE) for one in found.values()])) for name in ("ours", "plain")}
    quiet = false_alarms("counts, 12 a week", WEEKS, TEAMS, FIRST)
    ours, bare = seconds(futures), seconds(plain)
    return [
        *rows,
        _row("forecast, distance from 85 %, all kinds", off["ours"], off["plain"], 0.6),
        _row("shifts, quiet years in which one is found; peer: an XmR signal", quiet, looked(TEAMS // 3, FIRST), 0.5),
        _row("forecast with 30 back-tests, s; peer: plain draws", ours, bare, 40),
    ]


def seconds(method: Callable[[Floats, int, int], Floats]) -> float:
    """What one forecast of 10,000 draws and 30 past ones of 2,000 take; the best of five."""
    counts = np.random.default_rng(1).poisson(12, WEEKS + 30 + AHEAD).astype(float)
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        method(counts[-WEEKS:], AHEAD, DRAWS)
        for at in range(WEEKS, WEEKS + 30):
            method(counts[at - WEEKS : at], AHEAD, TRIES)
        taken.append(time.perf_counter() - begin)
    return min(taken)


def _row(name: str, value: float, peer: float, limit: float | None) -> dict[str, Any]:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer if peer else float("inf"), "limit": limit}


def main(teams: int = TEAMS, first: int = FIRST) -> None:
    """Print the tables."""
    print(f"Share of {teams} teams whose promise held (0.85 is right); in brackets the promise ÷ what was finished on average.\n")
    print("| teams | ours, a year | ours, 12 weeks | plain Monte Carlo |\n|---|--:|--:|--:|")
    for kind in TEAMS_OF:
        year, young = held(kind, teams, first), held(kind, teams, first, 12)["ours"]
        cells = [f"{hit:.2f} ({share:.2f})" for hit, share in (year["ours"], young, year["plain"])]
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)
    print(f"\nShare of {teams} quiet series in which a shift is found, of 26, 52 and 104 weeks.\n")
    print("| series | 26 | 52 | 104 |\n|---|--:|--:|--:|")
    for kind in QUIET:
        print(f"| {kind} | {' | '.join(f'{false_alarms(kind, weeks, teams, first):.3f}' for weeks in (26, 52, 104))} |", flush=True)
    print(f"\nShare of {teams} years in which a step is found within two weeks.\n")
    print("| step | 26 weeks ago | 16 | 8 |\n|---|--:|--:|--:|")
    for kind in STEPS:
        print(f"| {kind} | {' | '.join(f'{steps_found(kind, ago, teams, first):.2f}' for ago in (26, 16, 8))} |", flush=True)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
