"""Compare: what a figure was in the period before, and whether it clearly changed."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from vsm.metrics.figure import FEW, Z95, Figure, wilson

Verdict = Literal["more", "less", "no clear change", "too few to say"]


@dataclass(frozen=True)
class Comparison:
    """A figure's leading value now and before, their difference (None where one is missing), and the verdict with its rule."""

    now: float | None
    before: float | None
    difference: float | None
    verdict: Verdict
    rule: str


RULES = {
    "count": "two counts over periods of one length: clear where the 95 % interval of the later one's share leaves out a half",
    "share": "two shares: clear where Newcombe's 95 % interval of their difference leaves out zero",
    "hours": "two medians: clear where their 95 % intervals by order statistics do not overlap",
}


def compare(now: Figure, before: Figure, value: str) -> Comparison:
    """Whether a figure's value clearly changed against the period of the same length before.

    `value` names it in the figure's values. With fewer than five observations on a side it is too
    few to say. Rates by Newcombe's interval (1998, method 10), counts by the exact halves of a
    Poisson comparison, medians by intervals of order statistics.
    """
    new, old = now.values.get(value), before.values.get(value)
    difference = None if new is None or old is None else new - old
    kind = "share" if value == "value" else "hours" if value.startswith("p") and value[1:].isdigit() else "count"
    if difference is None or (now.n + before.n if kind == "count" else min(now.n, before.n)) < FEW:
        return Comparison(new, old, difference, "too few to say", RULES[kind])
    sign = {"count": _counts, "share": _shares, "hours": _medians}[kind](now, before)
    verdict: Verdict = "more" if sign > 0 else "less" if sign < 0 else "no clear change"
    return Comparison(new, old, difference, verdict, RULES[kind])


def _counts(now: Figure, before: Figure) -> int:
    low, high = wilson(now.n, now.n + before.n)
    return _side(low, high, 0.5)


def _shares(now: Figure, before: Figure) -> int:
    p, q = now.values["value"], before.values["value"]
    if p is None or q is None:
        return 0
    p_low, p_high = (edge or 0.0 for edge in wilson(round(p * now.n), now.n))
    q_low, q_high = (edge or 0.0 for edge in wilson(round(q * before.n), before.n))
    low = p - q - math.hypot(p - p_low, q_high - q)
    high = p - q + math.hypot(p_high - p, q - q_low)
    return _side(low, high, 0.0)


def _medians(now: Figure, before: Figure) -> int:
    new, old = median_interval(now.rows["hours"]), median_interval(before.rows["hours"])
    return 1 if new[0] > old[1] else -1 if new[1] < old[0] else 0


def median_interval(values: pd.Series) -> tuple[float, float]:
    """The 95 % interval of a median: two of the values, by the binomial ranks; (−∞, ∞) of none.

    >>> median_interval(pd.Series(range(1, 101)))
    (40.0, 61.0)
    """
    known = np.sort(values.dropna().to_numpy(dtype="float64"))
    n = len(known)
    if n == 0:
        return -math.inf, math.inf
    half = Z95 * math.sqrt(n) / 2
    low, high = math.floor(n / 2 - half), math.ceil(n / 2 + half)
    return float(known[max(low, 1) - 1]), float(known[min(high + 1, n) - 1])


def _side(low: float | None, high: float | None, middle: float) -> int:
    """1 where an interval lies above a value, −1 below, 0 around it."""
    if low is None or high is None:
        return 0
    return 1 if low > middle else -1 if high < middle else 0
