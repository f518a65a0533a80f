"""Working time: the calendar's hours on the zone's clock."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.config import Calendar
from vsm.working_time import hours_between, micros, worked

VIENNA, UTC = ZoneInfo("Europe/Vienna"), ZoneInfo("UTC")
OFFICE = Calendar()
EVERY_DAY = Calendar(workdays=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), hours=("00:00", "24:00"))


def local(*texts: str | None, zone: ZoneInfo = VIENNA) -> pd.Series:
    times = [pd.NaT if text is None else pd.Timestamp(text).tz_localize(zone).tz_convert("UTC") for text in texts]
    return pd.Series(times, dtype="datetime64[us, UTC]")


@pytest.mark.parametrize(
    ("begin", "end", "hours"),
    [
        pytest.param("2026-03-02 10:00", "2026-03-02 12:30", 2.5, id="within a day"),
        pytest.param("2026-03-02 06:00", "2026-03-02 23:00", 8, id="a whole day, begun too early and ended too late"),
        pytest.param("2026-03-02 18:00", "2026-03-03 08:00", 0, id="a night"),
        pytest.param("2026-03-06 16:00", "2026-03-09 10:00", 2, id="over a weekend"),
        pytest.param("2026-03-27 16:00", "2026-03-30 10:00", 2, id="over the weekend on which the clock jumps"),
        pytest.param("2026-03-03 10:00", "2026-03-02 10:00", -8, id="backwards is negative"),
    ],
)
def test_office_hours_are_counted_on_the_clock_of_the_zone(begin: str, end: str, hours: float) -> None:
    assert hours_between(local(begin), local(end), OFFICE, VIENNA).tolist() == [hours]


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23.0), ("2026-10-25", 25.0), ("2026-06-01", 24.0)], ids=["spring", "autumn", "summer"]
)
def test_a_day_on_which_the_clock_jumps_is_an_hour_shorter_or_longer(day: str, hours: float) -> None:
    after = str(date.fromisoformat(day) + timedelta(days=1))
    assert hours_between(local(day), local(after), EVERY_DAY, VIENNA).tolist() == [hours]


def test_an_hour_that_the_clock_leaves_out_begins_with_the_next() -> None:
    night = Calendar(workdays=("sun",), hours=("02:30", "04:30"))
    assert hours_between(local("2026-03-29 00:00"), local("2026-03-29 12:00"), night, VIENNA).tolist() == [1.5]


def test_without_a_calendar_all_time_is_working_time() -> None:
    assert hours_between(local("2026-03-06 16:00"), local("2026-03-09 16:00"), None, VIENNA).tolist() == [72]


def test_a_missing_time_gives_a_missing_span_and_no_times_give_none() -> None:
    assert hours_between(local(None, "2026-03-02"), local("2026-03-02", None), OFFICE, VIENNA).isna().all()
    assert len(hours_between(local(), local(), OFFICE, VIENNA)) == 0


@given(st.lists(st.integers(0, 60 * 24 * 400), min_size=2, max_size=20))
def test_it_never_runs_backwards_nor_faster_than_time_and_adds_up(minutes: list[int]) -> None:
    times = pd.Series(pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(sorted(minutes), unit="min"))
    passed = worked(micros(times), OFFICE, VIENNA)
    steps = pd.Series(passed).diff().dropna()
    elapsed = times.diff().dropna().dt.total_seconds() / 3600
    assert (steps >= 0).all()
    assert (steps <= elapsed + 1e-9).all()
    assert steps.sum() == pytest.approx(hours_between(times.head(1), times.tail(1).reset_index(drop=True), OFFICE, VIENNA)[0])


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 60))
def test_counting_days_by_hand_gives_the_same(first: date, days: int) -> None:
    office_days = sum((first + timedelta(days=day)).weekday() < 5 for day in range(days))
    begin, end = local(str(first)), local(str(first + timedelta(days=days)))
    assert hours_between(begin, end, OFFICE, VIENNA).tolist() == [office_days * 8]
