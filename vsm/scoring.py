"""Scoring: what was planned of each step and of the whole, against what was measured since."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vsm.future import Step, current, totals
from vsm.metrics.compare import median_variance
from vsm.metrics.figure import FEW, Z95, hours, wilson

if TYPE_CHECKING:
    from vsm.measure import Measures

WHOLE = "The whole way"
NUMBERS = ("wait", "work", "accurate")
BETTER = {"wait": -1, "work": -1, "accurate": 1, "lead_time": -1, "flow_efficiency": 1, "rolled": 1}  # which way is the better one
SCORED = {
    "step": "str", "number": "str", "before": "float64", "planned": "float64", "measured": "float64", "low": "float64",
    "high": "float64", "n": "int64", "verdict": "str",
}  # fmt: skip
Interval = tuple[float, float]


def scored(steps: Sequence[Step], before: Sequence[Step], since: "Measures | None") -> pd.DataFrame:
    """What was planned against what was measured since: as planned, where the measured 95 % interval holds the planned value.

    A row a step and number (wait, work: hours; accurate: a share) and three of the whole way (lead_time,
    flow_efficiency, rolled: `vsm.future.totals` without estimates), with what it was before. Fewer than
    five measured: too early. Steps that no system records cannot be scored. Of a step that was planned
    away: whether anything still went through it. None since: nothing has happened yet.
    """
    now = () if since is None or since.graph is None else current(since.graph, since.accurate)
    times = {} if since is None else _times(since)
    measured, old = {step.name: step for step in now}, {step.name: step for step in before}
    rows: list[tuple[object, ...]] = []
    for step in steps:
        for number in NUMBERS:
            planned = getattr(step, number)
            if planned is None:
                continue
            was = getattr(old[step.name], number) if step.name in old else None
            if step.estimate or step.name not in old:
                rows.append((step.name, number, was, planned, None, None, None, 0, "no system records it"))
                continue
            rows.append((step.name, number, was, planned, *_judged(planned, number, measured.get(step.name), times)))
    rows += [
        _gone(step, measured.get(step.name)) for step in before if not step.estimate and step.name not in {s.name for s in steps}
    ]
    rows += _whole(steps, before, now, times)
    frame = pd.DataFrame(rows, columns=list(SCORED))
    return frame.astype(SCORED)


def _judged(
    planned: float, number: str, step: Step | None, times: dict[tuple[str, str], np.ndarray]
) -> tuple[float | None, float | None, float | None, int, str]:
    """The measured value of a number with its interval, its n and the verdict."""
    value = None if step is None else getattr(step, number)
    n = 0 if step is None else int(getattr(step, f"{number}_n"))
    if step is None or value is None or n < FEW:
        return value, None, None, n, "too early"
    if number == "accurate":
        low, high = (edge or 0.0 for edge in wilson(round(value * n), n))
    else:
        half = Z95 * math.sqrt(median_variance(times[step.name, number]))
        low, high = max(value - half, 0.0), value + half
    return value, low, high, n, verdict(planned, low, high, number)


def verdict(planned: float, low: float, high: float, number: str) -> str:
    """As planned, better or worse than planned, by whether the measured interval holds what was planned."""
    if low <= planned <= high:
        return "as planned"
    return "better than planned" if (BETTER[number] > 0) == (planned < low) else "worse than planned"


def _gone(step: Step, found: Step | None) -> tuple[object, ...]:
    """A step that was planned away."""
    n = 0 if found is None else max(found.wait_n, found.work_n)
    said = "too early" if found is None else f"still there: {n:,} visits" if n else "gone, as planned"
    return (step.name, "removed", None, None, None, None, None, n, said)


def _whole(
    steps: Sequence[Step], before: Sequence[Step], now: Sequence[Step], times: dict[tuple[str, str], np.ndarray]
) -> list[tuple[object, ...]]:
    """The three totals, of recorded steps alone: planned, and measured with an interval from those of the steps."""
    planned, was, found = (totals(state, estimates=False) for state in (steps, before, now))
    kept = {step.name for step in steps}
    # A step that was planned away and that nothing went through is no part of the way any more.
    way = [step for step in now if step.name in kept or step.wait_n or step.work_n]
    counts = {"lead_time": _fewest(way, ("wait", "work")), "rolled": _fewest(way, ("accurate",))}
    counts["flow_efficiency"] = counts["lead_time"]
    intervals = _intervals(way, times) if counts["lead_time"] >= FEW else {}
    rows: list[tuple[object, ...]] = []
    for number in ("lead_time", "flow_efficiency", "rolled"):
        goal, value, n = getattr(planned, number), getattr(found, number), counts[number]
        if goal is None:
            continue
        interval = _product(way) if number == "rolled" and n >= FEW else intervals.get(number)
        told = (
            (None, None, n, "too early") if interval is None or value is None else (*interval, n, verdict(goal, *interval, number))
        )
        rows.append((WHOLE, number, getattr(was, number), goal, value, *told))
    return rows


def _fewest(way: Sequence[Step], numbers: Sequence[str]) -> int:
    """The smallest n of all that is added up: of waits and works that are known at all."""
    found = [getattr(step, f"{number}_n") for step in way for number in numbers if getattr(step, number) is not None]
    return min(found, default=0)


def _intervals(way: Sequence[Step], times: dict[tuple[str, str], np.ndarray]) -> dict[str, Interval]:
    """Of the sum of medians, and of work's share of it: the variances of independent medians, the share's linearised."""
    spread = {
        number: sum(step.share**2 * median_variance(times[step.name, number]) for step in way if getattr(step, number) is not None)
        for number in ("wait", "work")
    }
    told = totals(way, estimates=False)
    lead, wait, work = told.lead_time or 0.0, told.wait or 0.0, told.work or 0.0
    found = {"lead_time": _around(lead, Z95 * math.sqrt(spread["wait"] + spread["work"]), math.inf)}
    if told.flow_efficiency is not None:
        half = Z95 * math.sqrt(wait**2 * spread["work"] + work**2 * spread["wait"]) / lead**2
        found["flow_efficiency"] = _around(told.flow_efficiency, half, 1.0)
    return found


def _product(way: Sequence[Step]) -> Interval:
    """Of the product of shares: on its logarithm, each share moved two hits and two misses towards one half (Agresti and Coull)."""
    value = totals(way, estimates=False).rolled or 0.0
    rates = [((step.accurate or 0.0) * step.accurate_n + 2) / (step.accurate_n + 4) for step in way if step.accurate is not None]
    counts = [step.accurate_n + 4 for step in way if step.accurate is not None]
    half = Z95 * math.sqrt(sum((1 - rate) / (n * rate) for rate, n in zip(rates, counts, strict=True)))
    return value * math.exp(-half), min(value * math.exp(half), 1.0)


def _around(value: float, half: float, most: float) -> Interval:
    return max(value - half, 0.0), min(value + half, most)


def _times(since: "Measures") -> dict[tuple[str, str], np.ndarray]:
    """The hours of the visits that were left since, sorted, by stage and number."""
    visits = since.visits
    visits = visits[since.scope.holds(visits["left"])]
    return {
        (str(stage), number): np.sort(hours(rows[number]).dropna().to_numpy("float64"))
        for stage, rows in visits.groupby("stage")
        for number in ("wait", "work")
    }
