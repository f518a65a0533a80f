"""Compare: what a figure was in the period before, and whether it clearly changed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import pandas as pd

from vsm.metrics.figure import AWAY, FEW, Z95, Figure, wilson
from vsm.metrics.shifts import looks
from vsm.working_time import Floats

Verdict = Literal["more", "less", "no clear change", "too few to say", "not compared"]
Interval = tuple[float, float]
WEEKLY = {"per_week": "n", "mean": "items"}  # a series' column, where it has not the name of the value
MEASURED = {"changes a deployment": "changes"}  # the rows' column that a median is of, by unit, where it is not hours
BY_ROWS = ("median", "mean", "ratio")  # what has an interval that only the rows tell, or a figure's spread
MANY = 1000  # from here on the binomial's tail is the normal distribution's


@dataclass(frozen=True)
class Comparison:
    """A figure's leading value now and before, their difference, and whether it is a clear change.

    ``low``, ``high``: the 95 % interval that the verdict is read from: of the difference, in the
    value's own unit; of a count, of the ratio now ÷ before. ``rule``: how it was compared. ``look``:
    what the process behaviour chart says of the last whole week, missing where there is nothing to
    see. None where something is missing.
    """

    now: float | None
    before: float | None
    difference: float | None
    verdict: Verdict
    rule: str
    low: float | None = None
    high: float | None = None
    look: str | None = None


def compare(now: Figure, before: Figure, value: str) -> Comparison:
    """Whether a figure's value clearly changed against the period of the same length before.

    `value` names it in the figure's values. A change is clear only where the 95 % interval of the
    difference (of a count: of the ratio) leaves out "none"; with fewer than five observations on a
    side it is too few to say. A single week is never a change: what is unusual about the last one
    stands beside it as ``look``. A count is not compared with a time in which the records only begin.
    """
    new, old = now.values.get(value), before.values.get(value)
    difference = None if new is None or old is None else new - old
    kind = _kind(now, value)
    if kind is None:
        return Comparison(new, old, difference, "not compared", "a state at one instant has no interval")
    if AWAY in now.said and kind in BY_ROWS and None in (now.spread, before.spread):
        return Comparison(new, old, difference, "not compared", f"an interval is told from single items: {now.said[AWAY]}")
    if kind == "count" and "since" in before.said:
        return Comparison(new, old, difference, "not compared", f"the records begin in the period before: {before.said['since']}")
    rule, interval, none = RULES[kind]
    seen = now.n + before.n if kind == "count" else min(now.n, before.n)
    look = _look(now, before, value)
    if difference is None or seen < FEW:
        return Comparison(new, old, difference, "too few to say", rule, look=look)
    low, high = interval(now, before)
    verdict: Verdict = "more" if low > none else "less" if high < none else "no clear change"
    return Comparison(new, old, difference, verdict, rule, low, high, look)


def _kind(figure: Figure, value: str) -> str | None:
    """What is compared: a count, a share of so many, a median, a mean or a ratio of two sums over items; None of a state."""
    if value == "mean" and "handoffs" in figure.rows:
        return "mean"
    if value == "value" and "work_hours" in figure.values:
        return "ratio"
    if value == "share" and "items" in figure.values:
        return "share"
    return {"p50": "median", "value": "share", "per_week": "count", "mean": "count"}.get(value)


# Intervals of a difference. ---------------------------------------------------------------------------------------------


def _counts(now: Figure, before: Figure) -> Interval:
    """Of the ratio of two counts over periods of one length: given their sum, the later one's share is binomial."""
    low, high = wilson(now.n, now.n + before.n)
    return _odds(low), _odds(high)


def _odds(share: float | None) -> float:
    return math.inf if share is None or share >= 1 else share / (1 - share)


def _shares(now: Figure, before: Figure) -> Interval:
    """Newcombe's interval of the difference of two shares (1998, method 10)."""
    p, q = (figure.values.get("value", figure.values.get("share")) or 0.0 for figure in (now, before))
    p_low, p_high = (edge or 0.0 for edge in wilson(round(p * now.n), now.n))
    q_low, q_high = (edge or 0.0 for edge in wilson(round(q * before.n), before.n))
    return p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)


def _apart(now: Figure, before: Figure, value: str, variance: Callable[[Figure], float]) -> Interval:
    half = Z95 * math.sqrt(variance(now) + variance(before))
    difference = (now.values[value] or 0.0) - (before.values[value] or 0.0)
    return difference - half, difference + half


def _medians(now: Figure, before: Figure) -> Interval:
    """Of the difference of two medians, each with the variance that its order statistics tell (Price and Bonett 2002)."""
    return _apart(now, before, "p50", _median_variance)


def _median_variance(figure: Figure) -> float:
    if figure.spread is not None:
        return figure.spread
    return median_variance(_sorted(figure.rows[MEASURED.get(figure.unit, "hours")]))


def _means(now: Figure, before: Figure) -> Interval:
    """Of the difference of two means of independent items, each with its own variance (Welch's, by the normal distribution)."""
    return _apart(now, before, "mean", _mean_variance)


def _mean_variance(figure: Figure) -> float:
    if figure.spread is not None:
        return figure.spread
    values = figure.rows["handoffs"].dropna().to_numpy(dtype="float64")
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0


def _ratios(now: Figure, before: Figure) -> Interval:
    """Of the difference of two ratios of sums over items, by each one's linearised variance."""
    half = Z95 * math.sqrt(_ratio_variance(now) + _ratio_variance(before))
    difference = (now.values["value"] or 0.0) - (before.values["value"] or 0.0)
    return difference - half, difference + half


def _ratio_variance(figure: Figure) -> float:
    """Of work ÷ (wait + work): what each item's work is off the common share of its time."""
    if figure.spread is not None:
        return figure.spread
    work, time = figure.rows["work"].to_numpy("float64"), (figure.rows["wait"] + figure.rows["work"]).to_numpy("float64")
    if len(work) < 2 or not time.sum():
        return math.inf
    off = work - (figure.values["value"] or 0.0) * time
    return float(off @ off) * len(work) / (len(work) - 1) / float(time.sum()) ** 2


RULES: dict[str, tuple[str, Callable[[Figure, Figure], Interval], float]] = {
    "count": ("two counts over periods of one length: clear where the 95 % interval of their ratio leaves out one", _counts, 1.0),
    "share": ("two shares: clear where Newcombe's 95 % interval of their difference leaves out zero", _shares, 0.0),
    "median": ("two medians: clear where Price and Bonett's 95 % interval of their difference leaves out zero", _medians, 0.0),
    "mean": ("two means: clear where Welch's 95 % interval of their difference leaves out zero", _means, 0.0),
    "ratio": ("two shares of time, item by item: clear where the 95 % interval of their difference leaves out zero", _ratios, 0.0),
}


def median_variance(values: Floats) -> float:
    """The variance of the median of sorted values, by the distance of two order statistics around it; infinite below five.

    Price and Bonett (2002): the ranks about √n to both sides of the middle one, and how many
    standard deviations a binomial puts between them.
    """
    n = len(values)
    if n < FEW:
        return math.inf
    rank = around(n)
    return variance_of(float(values[n - rank] - values[rank - 1]), n)


def around(n: int) -> int:
    """The rank of the lower of the two values around the median of n that tell its variance; the other is as far from the end."""
    return max(round((n + 1) / 2 - math.sqrt(n)), 1)


def variance_of(apart: float, n: int) -> float:
    """The variance of the median of n values, by how far apart the two of `around` are; infinite below five."""
    return math.inf if n < FEW else (apart / (2 * _deviations(around(n), n))) ** 2


def _deviations(rank: int, n: int) -> float:
    """How far from the middle a rank is, in standard deviations of the binomial of n halves."""
    if n > MANY:
        return (n + 1 - 2 * rank) / math.sqrt(n)
    tail = sum(math.comb(n, place) for place in range(rank)) / 2 ** (n - 1)
    return NormalDist().inv_cdf(1 - tail / 2)


def _sorted(values: pd.Series) -> Floats:
    return np.sort(values.dropna().to_numpy(dtype="float64"))


def _look(now: Figure, before: Figure, value: str) -> str | None:
    """What the process behaviour chart over both periods says of the last whole week."""
    column = WEEKLY.get(value, value)
    if now.series is None or before.series is None or column not in now.series or column not in before.series:
        return None
    both = pd.concat([before.series, now.series], ignore_index=True)
    # The week in which one period ends and the next begins is in both, whole in neither.
    whole = both[both["whole"]].drop_duplicates("week", keep="last")
    if whole.empty:
        return None
    last = looks(whole, column).sort_values("week")["look"].iloc[-1]
    return None if pd.isna(last) else str(last)
