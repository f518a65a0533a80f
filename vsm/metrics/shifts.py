"""Shifts: where the level of a weekly series changed, and which of its weeks are worth a look."""

import numpy as np
import pandas as pd

from vsm.metrics.stages import Codes
from vsm.working_time import Floats

SHORTEST = 5  # weeks; what passes sooner is a holiday or a spike, not a new level
MOST = 4  # shifts that are looked for; each doubles what chance can find
PENALTY = 12.0  # × the long-run variance is what each shift has to explain; with it 5 to 10 % of quiet series show one
STRONGEST = 0.9  # autocorrelation; nearer to 1 a series has no level that could shift
FAR = 3.0  # standard deviations from the weeks around it: such a week is a spike and shifts no level
AROUND = 3  # weeks on each side that a week is compared with
X_LIMIT, R_LIMIT = 2.66, 3.268  # × the mean moving range: three standard deviations of a value, and of a range (Wheeler)
IN_A_ROW = 8  # weeks on one side of the mean
NORMAL = 1.4826  # × the median absolute deviation is the standard deviation of a normal series


def shifts(values: Floats | pd.Series) -> tuple[int, ...]:
    """Where a new level begins: places in the series, the first never among them; missing values are passed over.

    Least squares over all ways to cut the series (dynamic programming) on the scale of square roots,
    on which counts vary alike at every level. A cut has to explain more than chance would, and chance
    explains more where weeks follow each other: so the penalty is scaled by the long-run variance.
    """
    told = np.asarray(values, dtype="float64")
    known = np.flatnonzero(~np.isnan(told))
    level = without_spikes(evened(told[known]))
    ways = _ways(level)
    errors = [residuals(level, way) for way in ways]
    needed = [PENALTY * long_run(error, len(way)) for error, way in zip(errors, ways, strict=True)]
    sums = [float(error @ error) for error in errors]
    # The fewest shifts that no way with more of them beats.
    for few in range(len(ways)):
        if all(sums[few] - sums[more] <= (more - few) * needed[more] for more in range(few + 1, len(ways))):
            return tuple(int(known[place]) for place in ways[few])
    return ()


def evened(values: Floats) -> Floats:
    """The series on the scale on which it varies alike at every level: square roots, unless some value is below zero."""
    return np.sqrt(values) if len(values) and values.min() >= 0 else values


def without_spikes(values: Floats) -> Floats:
    """The series with the median of the weeks around it in place of each week that is far from them."""
    if len(values) < 2 * AROUND + 1:
        return values
    padded = np.pad(values, AROUND, mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1), axis=1)
    off = np.abs(values - middle)
    spread = NORMAL * np.median(off)
    return np.where(off > FAR * spread, middle, values) if spread > 0 else values


def _ways(values: Floats) -> list[tuple[int, ...]]:
    """The best cuts into one, two, three … levels of at least SHORTEST weeks each."""
    n = len(values)
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (values, values**2))
    length = np.arange(n + 1)[None, :] - np.arange(n + 1)[:, None]
    inside = sums[None, :] - sums[:, None]
    cost = squares[None, :] - squares[:, None] - inside**2 / np.maximum(length, 1)
    cost = np.where(length >= SHORTEST, cost, np.inf)
    ways: list[tuple[int, ...]] = [()]
    best, back = cost[0], []
    for _ in range(min(MOST, n // SHORTEST - 1)):
        total = best[:, None] + cost
        back.append(total.argmin(axis=0))
        best = total.min(axis=0)
        ways.append(_traced(back, n))
    return ways


def _traced(back: list[Codes], end: int) -> tuple[int, ...]:
    places: list[int] = []
    for before in reversed(back):
        end = int(before[end])
        places.insert(0, end)
    return tuple(places)


def residuals(values: Floats, places: tuple[int, ...]) -> Floats:
    """What each week is off the mean of its level."""
    return np.concatenate([part - part.mean() for part in np.split(values, places)]) if len(values) else values


def long_run(errors: Floats, cuts: int) -> float:
    """The variance that a mean of many weeks feels, after some cuts: the weeks' own × (1 + ρ) ÷ (1 − ρ)."""
    n, fitted = len(errors), 1 + 2 * cuts  # a shift is a level and a place
    power = float(errors @ errors)
    if power <= 0 or n <= fitted:
        return 0.0
    rho = float(errors[1:] @ errors[:-1]) / power
    # What was fitted takes about (1 + 3ρ) ÷ n off each time (Marriott and Pope 1954).
    rho = min(max(rho + fitted * (1 + 3 * rho) / n, 0.0), STRONGEST)
    return power / (n - fitted) * (1 + rho) / (1 - rho)


def levels(series: pd.DataFrame, value: str) -> pd.DataFrame:
    """The levels between the shifts of a weekly series: first_week, last_week, n (weeks with a value) and their mean.

    `series`: week, value and, where it is known, whole; a week that is not whole is left out.
    """
    told = _counted(series, value)
    starts = [0, *shifts(told[value])]
    parts = [told.iloc[first:last] for first, last in zip(starts, [*starts[1:], len(told)], strict=True) if first < last]
    return pd.DataFrame(
        {
            "first_week": pd.Series([part["week"].iloc[0] for part in parts], dtype="datetime64[us]"),
            "last_week": pd.Series([part["week"].iloc[-1] for part in parts], dtype="datetime64[us]"),
            "n": pd.Series([part[value].count() for part in parts], dtype="int64"),
            "mean": pd.Series([part[value].mean() for part in parts], dtype="float64"),
        }
    )


def looks(series: pd.DataFrame, value: str) -> pd.DataFrame:
    """Weeks of a series that are worth a look, by XmR limits inside each level: mean ± 2.66 × the mean moving range.

    The series with level (its first week), mean, lower and upper limit, range (to the week before),
    range_limit and look: in words why, missing where there is nothing to see. The running week has
    no look. A look is a question, never an alert: chance alone gives some.
    """
    told = _counted(series, value)
    found = levels(series, value)
    level = found["first_week"].to_numpy()[found["first_week"].searchsorted(told["week"], side="right") - 1]
    told = told[["week", value]].assign(level=level)
    told["mean"] = told.groupby("level")[value].transform("mean")
    # A shift is no moving range of either level; nor is the way over a missing week.
    told["range"] = told.groupby("level")[value].diff().abs()
    typical = told.groupby("level")["range"].transform("mean").where(told.groupby("level")[value].transform("count") >= SHORTEST)
    floor = 0.0 if (told[value].dropna() >= 0).all() else -np.inf
    told["lower"] = (told["mean"] - X_LIMIT * typical).clip(lower=floor)
    told["upper"] = told["mean"] + X_LIMIT * typical
    told["range_limit"] = R_LIMIT * typical
    told["look"] = _looks(told, value)
    return series.merge(told.drop(columns=value), on="week", how="left")


def _looks(told: pd.DataFrame, value: str) -> pd.Series:
    """Why each week is worth a look, the strongest reason first."""
    side = np.sign(told[value] - told["mean"]).fillna(0)
    row = told.groupby([told["level"], ((side != side.shift()) | (told["level"] != told["level"].shift())).cumsum()])["week"]
    long = row.transform("size") >= IN_A_ROW
    words = {
        "above the limits": told[value] > told["upper"],
        "below the limits": told[value] < told["lower"],
        "far from the week before": told["range"] > told["range_limit"],
        f"{IN_A_ROW} or more in a row above the mean": long & (side > 0),
        f"{IN_A_ROW} or more in a row below the mean": long & (side < 0),
    }
    look = pd.Series(None, index=told.index, dtype="str")
    for text, there in reversed(words.items()):
        look = look.mask(there, text)
    return look


def _counted(series: pd.DataFrame, value: str) -> pd.DataFrame:
    """The whole weeks of a series, in order."""
    whole = series["whole"] if "whole" in series.columns else pd.Series(True, index=series.index)
    told = series[whole.to_numpy("bool")]
    return told.assign(**{value: told[value].astype("float64")}).sort_values("week", ignore_index=True)
