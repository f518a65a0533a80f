"""Batches: stages that let go of work in clumps though it came to them one by one, such as a release train."""

from dataclasses import dataclass

import numpy as np

from vsm.metrics.stages import NEVER, Codes, Mask
from vsm.working_time import HOUR, Floats, Micros

TOGETHER = HOUR
CLUMPED = 1.5  # as many in an hour in which any leave as in one in which any come: less than that may be chance
FEWEST = 10  # departures that it takes to say so


@dataclass(frozen=True)
class Clumps:
    """Of each wait: how many left within an hour of it (itself too; 0: it has not left), and whether its place lets go in clumps.

    ``first``: when the first of them left, of those that follow one another within an hour.
    ``size``: how many leave each place in an hour in which any do; NaN with too few departures to judge.
    """

    together: Codes
    first: Micros
    batched: Mask
    size: Floats


def clumps(place: Codes, came: Micros, left: Micros, places: int) -> Clumps:
    """Waits in places (−1: none), since when and until when (NEVER while they last), told by the clumps in which they end.

    A place lets go in clumps if half as many again leave in an hour in which any do as come in one in
    which any come: the rhythm of offices, which clumps both, cancels out, and work that comes from a
    batch has not been batched here.
    """
    together, first = np.zeros(len(place), dtype="int64"), np.full(len(place), NEVER)
    size = np.full(places, np.nan)
    batches = np.zeros(places + 1, dtype=bool)
    for one in range(places):
        rows = np.flatnonzero((place == one) & (left < NEVER))
        if len(rows):
            together[rows], first[rows] = _clumped(left[rows])
            size[one] = _mean(left[rows]) if len(rows) >= FEWEST else np.nan
            batches[one] = len(rows) >= FEWEST and size[one] >= CLUMPED * _mean(came[rows])
    return Clumps(together, first, batches[place], size)


def _clumped(times: Micros) -> tuple[Codes, Micros]:
    """Of each time how many lie within an hour of it, and the first of those that lead to it in steps of an hour."""
    ordered = np.sort(times)
    near = np.searchsorted(ordered, times + TOGETHER, side="right") - np.searchsorted(ordered, times - TOGETHER, side="left")
    begins = np.append(True, np.diff(ordered) > TOGETHER)
    first = ordered[begins][np.cumsum(begins)[np.searchsorted(ordered, times)] - 1]
    return near, first


def _mean(times: Micros) -> float:
    """How many times lie in an hour in which any do."""
    return len(times) / len(np.unique(times // TOGETHER))
