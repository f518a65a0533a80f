"""Working time: how much of it had passed at an instant. Two instants' difference is the working time between them."""

from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm.config import DAYS, Calendar, minutes

Micros = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NOT_A_TIME = int(np.iinfo(np.int64).min)  # what numpy keeps for NaT
HOUR = 3_600_000_000  # microseconds
FIRST, LAST = "1970-01-01", "2100-01-01"  # no record of work is older, no window ends later


def micros(times: "pd.Series[Any] | pd.DatetimeIndex") -> Micros:
    """Times as microseconds since 1970 in UTC; a missing one as NOT_A_TIME."""
    numbers: Micros = times.to_numpy(dtype="datetime64[us]").view("int64")
    return numbers


def micro(time: pd.Timestamp) -> int:
    """One time as microseconds since 1970 in UTC."""
    return int(time.as_unit("us").asm8.view("int64"))


def worked(times: Micros, calendar: Calendar | None, zone: ZoneInfo) -> Floats:
    """Working hours that had passed since 1970 at each instant; without a calendar every hour is one; NaN of a missing time.

    The calendar's hours are on the clock of the zone: a day on which the clock jumps is shorter or
    longer where the jump falls into them.
    """
    passed = times if calendar is None else _worked(times, calendar, zone)
    return np.where(times == NOT_A_TIME, np.nan, passed / HOUR)


def hours_between(begin: "pd.Series[Any]", end: "pd.Series[Any]", calendar: Calendar | None, zone: ZoneInfo) -> "pd.Series[float]":
    """Working hours between two times, row by row; NaN where one of them is missing."""
    span = worked(micros(end), calendar, zone) - worked(micros(begin), calendar, zone)
    return pd.Series(span, index=begin.index)


def _worked(times: Micros, calendar: Calendar, zone: ZoneInfo) -> Micros:
    opens, closes, before = working_days(calendar, zone)
    day = np.searchsorted(opens, times, side="right") - 1
    today = np.minimum(times, closes[day]) - opens[day]
    return np.where(day < 0, 0, before[day] + today)


@lru_cache(maxsize=8)
def working_days(calendar: Calendar, zone: ZoneInfo) -> tuple[Micros, Micros, Micros]:
    """Each working day's opening and closing, and the working time of all days before it."""
    days = pd.date_range(FIRST, LAST, freq="D", unit="us")
    days = days[np.isin(days.day_of_week, [DAYS.index(day) for day in calendar.workdays])]
    opens, closes = (_local(days, minutes(clock), zone) for clock in calendar.hours)
    closes = np.maximum(opens, closes)
    return opens, closes, np.concatenate([[0], np.cumsum(closes - opens)[:-1]])


def _local(days: pd.DatetimeIndex, minute: int, zone: ZoneInfo) -> Micros:
    """A minute of each day on the zone's clock; of an hour that the clock shows twice the first, of one left out the next."""
    naive = days + pd.Timedelta(minutes=minute)
    first = np.ones(len(naive), dtype=bool)
    return micros(naive.tz_localize(zone, ambiguous=first, nonexistent="shift_forward"))
