"""Periods: a window cut into calendar months, so that the same metric can be taken of each."""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import pandas as pd

from vsm.scope import Scope, midnight


@dataclass(frozen=True)
class Month:
    """``month``: its first day, naive local; ``whole``: the window holds all of it; ``scope``: the part that the window holds."""

    month: pd.Timestamp
    whole: bool
    scope: Scope


def months(scope: Scope, zone: ZoneInfo) -> list[Month]:
    """Every calendar month of the reporting zone that a window touches, oldest first; together they are the window."""
    first = scope.start.tz_convert(zone).tz_localize(None).normalize().replace(day=1)
    last = scope.end.tz_convert(zone).tz_localize(None)
    found = []
    for begin in pd.date_range(first, last, freq="MS", unit="us"):
        start, after = (midnight(day, zone) for day in (begin, begin + pd.offsets.MonthBegin(1)))
        end = after - pd.Timedelta(microseconds=1)
        part = replace(scope, start=max(start, scope.start), end=min(end, scope.end))
        if part.start < part.end:
            found.append(Month(begin, part.start == start and part.end == end, part))
    return found
