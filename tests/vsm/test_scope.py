"""Dates are whole days in the reporting zone, both ends included; weeks begin on its Mondays."""

from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.scope import Scope, instant, week_starts, weeks, window

UTC, VIENNA = ZoneInfo("UTC"), ZoneInfo("Europe/Vienna")
NOW = pd.Timestamp("2026-06-30T12:00Z").as_unit("us")
HOUR, DAY, TICK = pd.Timedelta(hours=1), pd.Timedelta(days=1), pd.Timedelta(microseconds=1)


def times(*texts: str | None) -> pd.Series:
    return pd.to_datetime(pd.Series(texts, dtype="str"), utc=True, format="ISO8601").astype("datetime64[us, UTC]")


@pytest.mark.parametrize(
    ("text", "zone", "first", "hours"),
    [
        pytest.param("2026-03-02", "UTC", "2026-03-02T00:00Z", 24, id="UTC"),
        pytest.param("2026-03-02", "Europe/Vienna", "2026-03-01T23:00Z", 24, id="east of Greenwich"),
        pytest.param("2026-03-29", "Europe/Vienna", "2026-03-28T23:00Z", 23, id="clocks go forward"),
        pytest.param("2026-10-25", "Europe/Vienna", "2026-10-24T22:00Z", 25, id="clocks go back"),
        pytest.param("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00Z", 23, id="a day without a midnight"),
        pytest.param("2026-11-01", "America/Havana", "2026-11-01T04:00Z", 25, id="a day with two midnights"),
    ],
)
def test_a_date_is_a_whole_day_of_the_zone(text: str, zone: str, first: str, hours: int) -> None:
    begins, ends = (instant(text, ZoneInfo(zone), last=last) for last in (False, True))
    assert begins == pd.Timestamp(first)
    assert ends == begins + hours * HOUR - TICK


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("text", ["2026-03-02T09:30:00Z", "2026-03-02T10:30:00+01:00"])
def test_an_instant_is_itself_at_both_ends(text: str, last: bool) -> None:
    assert instant(text, VIENNA, last) == pd.Timestamp("2026-03-02T09:30Z")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "is no time: expected a date"),
        ("2026-02-30", "is no time"),
        ("", "is no time"),
        ("2026-03-02T09:30", "has no offset: expected such as 2026-03-02T09:30Z"),
        ("9999-12-31", "is too far"),
    ],
)
def test_a_text_that_is_no_time_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        instant(text, UTC, last=True)


def test_without_texts_the_window_is_the_26_weeks_before_now() -> None:
    assert window(NOW, UTC) == (NOW - 26 * 7 * DAY, NOW)


def test_without_a_start_it_is_26_weeks_before_the_end() -> None:
    end = pd.Timestamp("2026-03-02T23:59:59.999999Z")
    assert window(NOW, UTC, end="2026-03-02") == (end - 26 * 7 * DAY, end)


def test_both_ends_are_included() -> None:
    start, end = window(NOW, UTC, "2026-03-02", "2026-03-03")
    scope = Scope(start, end)
    assert list(
        scope.holds(
            times("2026-03-01T23:59:59.999999Z", "2026-03-02T00:00Z", "2026-03-03T23:59:59.999999Z", "2026-03-04T00:00Z", None)
        )
    ) == [False, True, True, False, False]


def test_one_day_may_be_a_window() -> None:
    start, end = window(NOW, UTC, "2026-03-02", "2026-03-02")
    assert end - start == DAY - TICK


def test_a_window_that_ends_before_it_begins_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="is not before its end"):
        window(NOW, UTC, "2026-03-03", "2026-03-02")


def test_weeks_are_the_length_in_days_over_seven() -> None:
    scope = Scope(NOW - 10 * DAY, NOW)
    assert scope.weeks == pytest.approx(10 / 7)
    assert scope.hours == 240


def test_the_window_before_is_as_long_and_does_not_overlap() -> None:
    scope = Scope(NOW - 10 * DAY, NOW, stream="checkout", team="Payments")
    before = scope.before()
    assert (before.end, before.stream, before.team) == (scope.start - TICK, "checkout", "Payments")
    assert before.start == scope.start - 10 * DAY


@pytest.mark.parametrize(
    ("time", "zone", "monday"),
    [
        pytest.param("2026-03-02T00:00Z", "UTC", "2026-03-02", id="a Monday's first moment"),
        pytest.param("2026-03-08T23:59:59.999999Z", "UTC", "2026-03-02", id="a Sunday's last"),
        pytest.param("2026-03-08T23:30Z", "Europe/Vienna", "2026-03-09", id="Sunday in UTC is Monday in Vienna"),
        pytest.param("2026-03-29T21:59Z", "Europe/Vienna", "2026-03-23", id="the Sunday on which clocks go forward"),
        pytest.param("2026-03-29T22:00Z", "Europe/Vienna", "2026-03-30", id="and the Monday after"),
        pytest.param("2026-01-01T12:00Z", "UTC", "2025-12-29", id="a week over New Year"),
    ],
)
def test_weeks_start_on_monday_in_the_zone(time: str, zone: str, monday: str) -> None:
    assert list(week_starts(times(time), ZoneInfo(zone))) == [pd.Timestamp(monday)]


def test_a_missing_time_has_no_week() -> None:
    assert week_starts(times(None, "2026-03-04T00:00Z"), UTC).isna().tolist() == [True, False]
    assert week_starts(times(), VIENNA).dtype == "datetime64[us]"


def test_a_week_is_whole_when_the_window_holds_all_of_it() -> None:
    start, end = window(NOW, VIENNA, "2026-03-24", "2026-04-05")
    told = weeks(start, end, VIENNA)
    assert told["week"].tolist() == [pd.Timestamp("2026-03-23"), pd.Timestamp("2026-03-30")]
    assert told["whole"].tolist() == [False, True]


@pytest.mark.parametrize("sunday", ["2026-03-29", "2026-10-25"], ids=["clocks go forward", "clocks go back"])
def test_a_week_in_which_clocks_change_is_one_week(sunday: str) -> None:
    monday = pd.Timestamp(sunday) - 6 * DAY
    told = weeks(*window(NOW, VIENNA, str(monday.date()), sunday), VIENNA)
    assert (told["week"].tolist(), told["whole"].tolist()) == ([monday], [True])


@given(
    st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2035-01-01")),
    st.sampled_from(["UTC", "Europe/Vienna", "America/Sao_Paulo", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_days_follow_one_another_without_a_gap(day: pd.Timestamp, zone: str) -> None:
    today, tomorrow = (str((pd.Timestamp(day) + days * DAY).date()) for days in (0, 1))
    assert instant(today, ZoneInfo(zone), last=True) + TICK == instant(tomorrow, ZoneInfo(zone))
