"""What a report speaks of: whose work, and in which window of time."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

WINDOW_WEEKS = 26


@dataclass(frozen=True)
class Scope:
    """Whose work and when. ``start`` and ``end`` are aware, both included; ``end`` is "now"."""

    start: pd.Timestamp
    end: pd.Timestamp
    stream: str | None = None
    application: str | None = None
    team: str | None = None

    @property
    def weeks(self) -> float:
        """The window's length in weeks: its days ÷ 7."""
        return float((self.end - self.start) / pd.Timedelta(days=7))

    @property
    def hours(self) -> float:
        """The window's length in hours."""
        return float((self.end - self.start) / pd.Timedelta(hours=1))

    def holds(self, times: pd.Series) -> pd.Series:
        """Which times lie in the window, both ends included; a missing time does not."""
        return (times >= self.start) & (times <= self.end)

    def before(self) -> "Scope":
        """The window of the same length immediately before this one."""
        return replace(self, start=self.start - (self.end - self.start), end=self.start - pd.Timedelta(microseconds=1))


def window(
    now: pd.Timestamp, zone: ZoneInfo, start: str | None = None, end: str | None = None
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The window that two texts name: dates are whole days in the zone, both ends included; else instants with an offset.

    Without an end it is `now`, without a start 26 weeks before the end. Raises ValueError with a
    sentence for a text that is neither, or a start that is not before the end.
    """
    last = instant(end, zone, last=True) if end else now
    first = instant(start, zone) if start else last - pd.Timedelta(weeks=WINDOW_WEEKS)
    if first >= last:
        raise ValueError(f"the window begins at {first.isoformat()}, which is not before its end {last.isoformat()}")
    return first, last


def instant(text: str, zone: ZoneInfo, last: bool = False) -> pd.Timestamp:
    """The instant that a text names: a date's first moment in the zone (its last one if `last`), or a time with an offset."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: expected a date (2026-03-02) or an instant (2026-03-02T09:30:00Z)") from None
    if len(text) <= len("2026-03-02"):
        if last and time.date() == date.max:
            raise ValueError(f"{text!r} is too far: expected a day before it")
        return midnight(time + timedelta(days=1), zone) - pd.Timedelta(microseconds=1) if last else midnight(time, zone)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no offset: expected such as {text}Z")
    return pd.Timestamp(time).tz_convert("UTC").as_unit("us")


def midnight(day: datetime, zone: ZoneInfo) -> pd.Timestamp:
    """A day's first moment, also where clocks skip midnight or have it twice."""
    local = pd.Timestamp(day).tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    return local.tz_convert("UTC").as_unit("us")


def week_starts(times: pd.Series, zone: ZoneInfo) -> pd.Series:
    """The Monday, as naive local midnight, of each time's week in the reporting zone; NaT of NaT."""
    local = times.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    mondays: pd.Series = (local - pd.to_timedelta(local.dt.day_of_week, unit="D")).astype("datetime64[us]")
    return mondays


def weeks(start: pd.Timestamp, end: pd.Timestamp, zone: ZoneInfo) -> pd.DataFrame:
    """Every week that a window touches: week (naive local Monday), whole (the window holds all of it)."""
    edges = week_starts(pd.Series([start, end]), zone)
    mondays = pd.Series(pd.date_range(edges[0], edges[1], freq="7D", unit="us"), name="week")
    first = mondays.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    after = (mondays + pd.Timedelta(days=7)).dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    # A window's last instant may be the last microsecond of a Sunday.
    whole = (first >= start) & (after <= end + pd.Timedelta(microseconds=1))
    return pd.DataFrame({"week": mondays, "whole": whole})
