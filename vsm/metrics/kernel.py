"""A log as arrays of numbers, put in order once: what follows what, how long it takes, what comes back, and who hands on to whom.

Cases, activities and people are numbers from 0 on, so that counting is adding up at places: no
grouping, no text. A million cases take as long as sorting them.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm.working_time import HOUR, Floats, Micros

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NOBODY = -1
WIDTH = 63  # bits of a whole number that is never negative
SLOTS = 1 << 24  # so many counters are 128 MB; what needs more is sorted instead


@dataclass(frozen=True)
class Log:
    """Events by case, each case's in order of time: which case, which activity, when (microseconds), and who (NOBODY: unknown)."""

    case: Codes
    activity: Codes
    at: Micros
    actor: Codes | None = None

    @cached_property
    def follows(self) -> Mask:
        """For each row but the last whether the next one is of the same case."""
        same: Mask = self.case[1:] == self.case[:-1]
        return same

    @cached_property
    def gap(self) -> Micros:
        """How long after each such row the next one came."""
        gaps: Micros = np.diff(self.at)[self.follows]
        return gaps

    @cached_property
    def kinds(self) -> int:
        """How many activities there are."""
        return int(self.activity.max()) + 1 if len(self.activity) else 0


def ordered(case: Codes, activity: Codes, at: Micros, actor: Codes | None = None) -> Log:
    """The log of these events, given in any order; what happened at one instant stays in the order given.

    Rows that come in order of time, as from a store, need one sort; in order already, none.
    """
    later = at[1:] >= at[:-1]
    if bool(((case[1:] > case[:-1]) | ((case[1:] == case[:-1]) & later)).all()):
        return Log(case, activity, at, actor)
    if later.all():
        case, order = by_number(case)
    else:
        by_time = np.argsort(at, kind="stable")
        case, order = by_number(case[by_time])
        order = by_time[order]
    return Log(case, activity[order], at[order], None if actor is None else actor[order])


def by_number(numbers: Codes) -> tuple[Codes, Codes]:
    """Numbers from 0 on in their order, and their places, equal ones as they stand.

    A number and its place in one word are never equal to another, so that any sort of them is stable:
    the plain one, which today's processors do many words at a time, takes a twentieth of `argsort`.
    """
    size = len(numbers)
    bits = max(size - 1, 1).bit_length()
    if size == 0 or int(numbers.max()).bit_length() + bits > WIDTH:
        order = np.argsort(numbers, kind="stable")
        return numbers[order], order
    words = numbers << bits
    words |= np.arange(size)
    words.sort()
    order = words & ((1 << bits) - 1)
    words >>= bits
    return words, order


@dataclass(frozen=True)
class Grouped:
    """Lengths in order within their groups: the group's numbers that occur, where each begins and ends, and all lengths."""

    group: Codes
    begin: Codes
    end: Codes
    length: Micros

    @property
    def n(self) -> Codes:
        """How many lengths each group has."""
        return self.end - self.begin

    def lengths(self) -> dict[str, Floats]:
        """Sum, mean, median (of an even number the mean of the two in the middle), least and greatest of each group, in hours."""
        if not len(self.group):
            return {name: np.zeros(0) for name in ("sum", "mean", "median", "min", "max")}
        total = np.add.reduceat(self.length, self.begin)
        middle = self.length[(self.begin + self.end - 1) // 2] / 2 + self.length[(self.begin + self.end) // 2] / 2
        exact = {"sum": total, "mean": total / self.n, "median": middle}
        return {name: values / HOUR for name, values in exact.items()} | {
            "min": self.length[self.begin] / HOUR,
            "max": self.length[self.end - 1] / HOUR,
        }

    def nearest_rank(self, share: float) -> Floats:
        """For each group the smallest length that at least `share` of its lengths do not exceed, in hours."""
        rank = np.ceil(np.round(share * self.n, 9)).astype("int64")
        found: Floats = self.length[self.begin + np.maximum(rank, 1) - 1] / HOUR
        return found


def grouped(group: Codes, length: Micros) -> Grouped:
    """Lengths (none negative) by group and size. `group` is used up."""
    bits = int(length.max()).bit_length() if len(length) else 0
    groups = int(group.max()) + 1 if len(group) else 0
    if groups.bit_length() + bits > WIDTH or groups > SLOTS:
        order = np.lexsort((length, group))
        group, length = group[order], length[order]
        begin = np.flatnonzero(np.diff(group, prepend=-1))
        return Grouped(group[begin], begin, np.append(begin[1:], len(group))[: len(begin)], length)
    # In place: at ten million rows a new array costs more than what is done with it.
    group <<= bits
    group |= length
    group.sort()
    edges = np.searchsorted(group, np.arange(groups + 1) << bits)
    group &= (1 << bits) - 1
    found = np.flatnonzero(np.diff(edges))
    return Grouped(found, edges[found], edges[found + 1], group)


def transitions(log: Log) -> pd.DataFrame:
    """What follows what: from, to, n, and how long after it (hours): sum, mean, median, min, max; by from and to."""
    pairs = log.activity[:-1] * log.kinds
    pairs += log.activity[1:]
    edges = grouped(pairs[log.follows], log.gap)
    ends = np.divmod(edges.group, max(log.kinds, 1))
    return pd.DataFrame({"from": ends[0], "to": ends[1], "n": edges.n, **edges.lengths()})


def time_in_stage(log: Log) -> pd.DataFrame:
    """How long a case is at each activity before its next event: activity, n, sum, mean, median, min, max, p85 (hours)."""
    stays = grouped(log.activity[:-1][log.follows], log.gap)
    return pd.DataFrame({"activity": stays.group, "n": stays.n, **stays.lengths(), "p85": stays.nearest_rank(0.85)})


def durations(log: Log) -> pd.DataFrame:
    """How long each case lasts, from its first event to its last: case, hours; a case of one event lasts 0."""
    first = np.flatnonzero(np.diff(log.case, prepend=-1))
    last = np.append(first[1:], len(log.case))[: len(first)] - 1
    return pd.DataFrame({"case": log.case[first], "hours": (log.at[last] - log.at[first]) / HOUR})


def rework(log: Log) -> Codes:
    """For each activity how many cases come to it twice or more."""
    counts = np.zeros(log.kinds, dtype="int64")
    for begin, end in _spans(log):
        case, activity = log.case[begin:end] - log.case[begin], log.activity[begin:end]
        seen = np.bincount(case * log.kinds + activity, minlength=(int(case[-1]) + 1) * log.kinds)
        counts += (seen.reshape(-1, log.kinds) > 1).sum(axis=0)
    return counts


def _spans(log: Log) -> list[tuple[int, int]]:
    """Spans of rows that hold whole cases, few enough for the counters."""
    if not len(log.case):
        return []
    edges = np.searchsorted(log.case, np.arange(0, int(log.case[-1]) + 1, max(SLOTS // log.kinds, 1))).tolist()
    return [(begin, end) for begin, end in pairwise([*edges, len(log.case)]) if begin < end]


def handovers(log: Log) -> pd.DataFrame:
    """From whom to whom a case goes with its next event: from, to, n; also from a person to themselves, unknown people left out."""
    if log.actor is None or not len(log.actor):
        return pd.DataFrame({name: np.zeros(0, dtype="int64") for name in ("from", "to", "n")})
    people = int(log.actor.max()) + 1
    known = log.follows
    if int(log.actor.min()) == NOBODY:
        known = known & (log.actor[:-1] != NOBODY) & (log.actor[1:] != NOBODY)
    pairs = log.actor[:-1] * people
    pairs += log.actor[1:]
    pairs = pairs[known]
    if people * people <= SLOTS:
        counts = np.bincount(pairs, minlength=people * people)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(pairs, return_counts=True)
    ends = np.divmod(found, max(people, 1))
    return pd.DataFrame({"from": ends[0], "to": ends[1], "n": counts})
