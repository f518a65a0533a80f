"""Who works where, as the log names people: how busy they are over all stages, and which stages share them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.config import Calendar
from vsm.metrics.stages import Codes, stage_codes
from vsm.working_time import NOT_A_TIME, Floats, Micros, micros, worked

if TYPE_CHECKING:
    from vsm.workflow import Stage

SHARED = 0.5  # of a stage's work is done by people who also work in the other one
ALSO = 0.2  # of a person's time in work makes it one of his stages


@dataclass(frozen=True)
class AtWork:
    """``seen``: people of each stage; ``busy``: the share of working time in which they have anything in work; NaN where unknown.

    ``at_once``: items that a person who works has in work at the same time; ``shared_with``: names of stages, or None.
    """

    seen: Floats
    busy: Floats
    at_once: float
    shared_with: list[str | None]


def at_work(visits: pd.DataFrame, line: "Sequence[Stage]", edges: Micros, calendar: Calendar | None, zone: ZoneInfo) -> AtWork:
    """Who worked in the window between the first and the last edge."""
    code, (person, names) = stage_codes(visits, line), pd.factorize(visits["actor"])
    started, finished, left = (micros(visits[name]) for name in ("started", "finished", "left"))
    over = np.minimum(*(np.where(times == NOT_A_TIME, edges[-1], times) for times in (finished, left)))
    known = (started != NOT_A_TIME) & (person >= 0) & (code >= 0) & (over > edges[0]) & (started < edges[-1])
    code, person = code[known], person[known]
    begin, end = (worked(np.clip(times[known], edges[0], edges[-1]), calendar, zone) for times in (started, over))
    end = np.maximum(begin, end)
    hours = np.zeros((len(line), len(names)))
    np.add.at(hours, (code, person), end - begin)
    union = _union(person, begin, end, len(names))
    span = float(np.diff(worked(edges[[0, -1]], calendar, zone))[0])
    weight = hours.sum(axis=1)
    busy = np.divide(hours @ union, weight * max(span, 1e-9), out=np.full(len(line), np.nan), where=weight > 0)
    seen = np.where(weight > 0, (hours > 0).sum(axis=1), np.nan)
    at_once = float(hours.sum() / union.sum()) if union.sum() > 0 else 1.0
    return AtWork(seen, busy, at_once, _shared(hours, line))


def _union(person: Codes, begin: Floats, end: Floats, people: int) -> Floats:
    """Hours in which each person has anything in work."""
    order = np.argsort(begin, kind="stable")
    order = order[np.argsort(person[order].astype("int16" if people < 2**15 else "int64"), kind="stable")]
    person, begin, end = person[order], begin[order], end[order]
    found = np.zeros(people)
    for first, last in _runs(person):
        until = np.maximum.accumulate(end[first:last])
        fresh = np.maximum(begin[first:last], np.append(-np.inf, until[:-1]))
        found[person[first]] = np.maximum(until - fresh, 0).sum()
    return found


def _runs(codes: Codes) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _shared(hours: Floats, line: "Sequence[Stage]") -> list[str | None]:
    """For each stage the others in which most of its work is done by people for whom the other is one of their stages, too."""
    own = hours.sum(axis=0)
    belongs = hours >= ALSO * np.maximum(own, 1e-9)
    found: list[str | None] = []
    for place in range(len(line)):
        total = hours[place].sum()
        share = (hours[place] * belongs).sum(axis=1) / max(total, 1e-9)
        others = [line[other].name for other in np.flatnonzero(share >= SHARED).tolist() if other != place and total > 0]
        found.append(" and ".join(others) or None)
    return found
