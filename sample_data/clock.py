"""Time of the sample: whole seconds of UTC, and the working time of an office in Vienna.

The offset of Vienna is computed here (summer time between the last Sundays of March and October),
so that a later edition of the time-zone database cannot change the committed bytes.
"""

import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import cache

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 7 * 86400

START = date(2025, 11, 17)  # a Monday: the first working day of the sample
CHANGE = date(2026, 5, 18)  # a Monday: people change places, the second half begins
END = date(2026, 11, 15)  # a Sunday: the day of the newest fact

# Public holidays, and the office closed over the turn of the year.
CLOSED = frozenset(date.fromisoformat(day) for day in (
    "2025-12-08", "2025-12-24", "2025-12-25", "2025-12-26", "2025-12-29", "2025-12-30", "2025-12-31",
    "2026-01-01", "2026-01-02", "2026-01-06", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-25",
    "2026-06-04", "2026-10-26",
))  # fmt: skip
OPENS, CLOSES = 9 * HOUR, 17 * HOUR  # the hours of [calendar] in vsm.toml


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


@cache
def _midnight(day: date) -> int:
    """The instant at which a day begins in Vienna; summer time starts and ends after midnight."""
    summer = _last_sunday(day.year, 3) < day <= _last_sunday(day.year, 10)
    utc = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(utc.timestamp()) - (2 if summer else 1) * HOUR


def local(day: date, hour: int = 0, minute: int = 0) -> int:
    """The instant of a time of day in Vienna. (Not used between midnight and three of a Sunday.)"""
    return _midnight(day) + hour * HOUR + minute * MINUTE


def local_day(instant: int) -> date:
    """The day in Vienna to which an instant belongs."""
    day = (datetime(1970, 1, 1) + timedelta(seconds=instant + HOUR)).date()
    return day + timedelta(days=1) if instant >= _midnight(day + timedelta(days=1)) else day


def stamp(instant: int) -> str:
    """The instant as the facts folder writes it."""
    return f"{datetime(1970, 1, 1) + timedelta(seconds=instant):%Y-%m-%dT%H:%M:%SZ}"


def is_workday(day: date) -> bool:
    """Whether the office is open on this day."""
    return day.weekday() < 5 and day not in CLOSED


@cache
def _shift(day: date) -> tuple[int, int]:
    """When people work on this day: eight hours, begun a few minutes before or after nine."""
    late = hashlib.sha256(f"shift/{day}".encode()).digest()[0] % 26 - 8
    begin = _midnight(day) + OPENS + late * MINUTE + 17
    return begin, begin + CLOSES - OPENS


def next_work(instant: int) -> int:
    """This instant, or the next at which somebody is at work."""
    day = local_day(instant)
    while True:
        begin, end = _shift(day)
        if is_workday(day) and instant < end:
            return max(instant, begin)
        day += timedelta(days=1)


def add_work(instant: int, seconds: int) -> int:
    """The instant at which this much working time has passed."""
    instant = next_work(instant)
    while True:
        end = _shift(local_day(instant))[1]
        if instant + seconds < end:
            return instant + seconds
        seconds -= end - instant
        instant = next_work(end)


def office_time(begin: int, end: int, closed: frozenset[date] = frozenset()) -> int:
    """Seconds of [calendar] working time between two instants: Monday to Friday, nine to five.

    That calendar knows no holidays; days to leave out are given in `closed`.
    """
    total, day = 0, local_day(begin)
    while _midnight(day) < end:
        if day.weekday() < 5 and day not in closed:
            opens, closes = _midnight(day) + OPENS, _midnight(day) + CLOSES
            total += max(0, min(end, closes) - max(begin, opens))
        day += timedelta(days=1)
    return total
