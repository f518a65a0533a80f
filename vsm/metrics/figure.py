"""A figure: one number that someone may quote, and all that stands behind it."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point, for 95 % intervals
FEW = 5  # fewer observations than this are listed on screen instead of summarised


AWAY = "rows"  # said of a figure whose rows are elsewhere, with the reason: it can be shown, but not compared by its rows


def no_rows() -> pd.DataFrame:
    """Nobody was left out."""
    return pd.DataFrame({"id": pd.Series(dtype="str"), "reason": pd.Series(dtype="str")})


@dataclass(frozen=True)
class Number:
    """A number and its n. ``values``: durations in hours, rates as fractions, None where there is no data.

    ``spread``: the variance of the leading value, where it is told without the rows (`vsm.metrics.compare`).
    """

    name: str
    values: dict[str, float | None]
    n: int
    spread: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Figure(Number):
    """A number with its n, its rows, what was left out of it, and the rule by which it was counted.

    ``rows``: what was counted, the id in the first column. ``left_out``: id and reason. ``of``: how many could
    have counted, so that coverage is n / of; None where the question makes no sense. ``series``:
    the same number by week, where it has one. ``said``: words beside numbers, such as which end.
    """

    unit: str
    definition: str
    rule: str
    rows: pd.DataFrame
    left_out: pd.DataFrame = field(default_factory=no_rows)
    of: int | None = None
    series: pd.DataFrame | None = None
    said: dict[str, str] = field(default_factory=dict)

    @property
    def coverage(self) -> float | None:
        """The share that could be measured of all that could have counted; None where nothing could."""
        return self.n / self.of if self.of else None


def definition(metric: Callable[..., Any]) -> str:
    """A metric's definition: the first line of its docstring."""
    return (inspect.getdoc(metric) or "").partition("\n")[0]


def nearest_rank(values: Sequence[float] | np.ndarray | pd.Series, share: float) -> float | None:
    """The smallest value that at least `share` of all values do not exceed: always one of the values; None of none.

    >>> nearest_rank([1, 2, 3, 4], 0.5)
    2.0
    """
    known = np.asarray(values, dtype="float64")
    known = np.sort(known[~np.isnan(known)])
    if not len(known):
        return None
    # 0.85 * 20 is 17.000000000000004 in binary: rounding first keeps the rank that was meant.
    rank = math.ceil(round(share * len(known), 9))
    return float(known[max(rank, 1) - 1])


def percentiles(values: Sequence[float] | np.ndarray | pd.Series, *shares: int) -> dict[str, float | None]:
    """Percentiles by nearest rank, named p50, p85 and so on."""
    return {f"p{share}": nearest_rank(values, share / 100) for share in shares}


def mean(values: Sequence[float] | np.ndarray | pd.Series) -> float | None:
    """The mean of the known values; None of none."""
    known = np.asarray(values, dtype="float64")
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else None


def wilson(hits: int, n: int) -> tuple[float | None, float | None]:
    """The 95 % interval of a share (Wilson 1927): fit for small n and for shares near 0 and 1; None of none.

    >>> low, high = wilson(1, 10)
    >>> round(low, 4), round(high, 4)
    (0.0179, 0.4042)
    """
    if n == 0:
        return None, None
    share = hits / n
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def hours(span: pd.Series) -> pd.Series:
    """Timedeltas as hours; NaT as NaN."""
    return span.dt.total_seconds() / 3600
