"""Cumulative flow by the high-water mark, and work in progress by day."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.cumulative import cumulative, wip_by_day
from vsm.metrics.flow import wip

UTC = ZoneInfo("UTC")
Build = Callable  # of the builders in conftest
LINES = ["Dev", "Review", "Test", "Cancelled", "Done"]


def lines(told: Build, window: Build, zone: ZoneInfo = UTC) -> pd.DataFrame:
    """A column a line, a row a day."""
    frame = cumulative(told.visits, told.items, told.line, window, zone)
    return frame.pivot_table(index="day", columns="position", values="items").set_axis(LINES, axis=1).astype(int)


@pytest.mark.parametrize(
    ("history", "days"),
    [
        pytest.param("", [[0, 0, 0, 0, 0]] * 5, id="nothing at all"),
        pytest.param(
            "A-1: Dev 01-02, Review 01-03, done 01-05",
            [[0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]],
            id="one item; done has passed everything",
        ),
        pytest.param("A-1: Test 01-02", [[0, 0, 0, 0, 0]] + [[1, 1, 1, 0, 0]] * 4, id="skipped stages are passed; still open"),
        pytest.param("A-1: Test 01-01, Dev 01-02", [[1, 1, 1, 0, 0]] * 5, id="going back changes nothing"),
        pytest.param("A-1: Dev 01-01, done 01-01", [[1, 1, 1, 1, 1]] * 5, id="same day"),
        pytest.param("A-1: Dev 01-01, done 01-02, Dev 01-04", [[1, 0, 0, 0, 0]] + [[1] * 5] * 4, id="reopening changes nothing"),
        pytest.param("A-1: Dev 01-01, cancelled 01-03", [[1, 0, 0, 0, 0]] * 2 + [[1, 1, 1, 1, 0]] * 3, id="cancelled: not done"),
        pytest.param("A-1: created 01-01, cancelled 01-03", [[0, 0, 0, 0, 0]] * 5, id="cancelled before any stage"),
        pytest.param("A-1: created 01-01, done 01-03", [[0, 0, 0, 0, 0]] * 2 + [[1, 1, 1, 1, 1]] * 3, id="done without any stage"),
    ],
)
def test_an_item_counts_where_it_has_been_furthest(path: Build, scope: Build, history: str, days: list[list[int]]) -> None:
    assert lines(path(history), scope("01-01", "01-05 23:00")).to_numpy().tolist() == days


def test_the_known_log_has_the_known_cumulative_flow(known: Build, scope: Build) -> None:
    assert lines(known, scope("01-01", "01-13")).loc["2026-01-05", ["Dev", "Review", "Test", "Done"]].tolist() == [3, 3, 1, 0]


def test_a_day_ends_at_midnight_in_the_reporting_zone(path: Build, scope: Build) -> None:
    told = path("A-1: Dev 01-02 23:30")
    window = scope("01-01 12:00", "01-04 12:00")
    assert lines(told, window)["Dev"].tolist() == [0, 1, 1, 1]
    assert lines(told, window, ZoneInfo("Europe/Vienna"))["Dev"].tolist() == [0, 0, 1, 1]


def test_what_was_before_the_window_is_in_the_lines_and_what_comes_after_it_is_not(path: Build, scope: Build) -> None:
    told = path("A-1: Dev 01-02, done 01-03\nA-2: Dev 01-10\nA-3: Dev 01-20")
    assert lines(told, scope("01-08", "01-10 12:00"))["Dev"].tolist() == [1, 1, 2]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_line_ever_falls_and_none_crosses_another(path: Build, scope: Build, histories: Build, data: st.DataObject) -> None:
    frame = lines(path(data.draw(histories)), scope("01-01", "02-20"))
    assert (frame.diff().dropna() >= 0).all(axis=None)
    assert (frame.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_another_item_never_lowers_a_line(path: Build, scope: Build, histories: Build, data: st.DataObject) -> None:
    items = data.draw(histories)
    fewer, all_ = (lines(path(some), scope("01-01", "02-20")) for some in (items[:-1], items))
    assert (all_ >= fewer).all(axis=None)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 40))
def test_what_happens_later_does_not_change_what_was_drawn(
    path: Build, scope: Build, histories: Build, data: st.DataObject, day: int
) -> None:
    """But for what an item's columns do not tell: that it was cancelled, or done without any stage, before it began again."""
    words = [
        (item, [(word, hour) for word, hour in told if word not in ("cancelled", "new")]) for item, told in data.draw(histories)
    ]
    words = [(item, told) for item, told in words if [word for word, _ in told][1:2] != ["done"]]
    now = scope("01-01", "02-20")
    then = scope("01-01", str((pd.Timestamp("2026-01-01") + pd.Timedelta(days=day)).strftime("%m-%d")))
    known = [(item, [(word, hour) for word, hour in told if hour < 24 * day]) for item, told in words]
    drawn, today = lines(path(known), then), lines(path(words), now)
    assert drawn.iloc[:-1].equals(today.loc[drawn.index].iloc[:-1])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["UTC", "Europe/Vienna", "America/Los_Angeles"]))
def test_the_days_of_wip_make_up_its_mean(path: Build, scope: Build, histories: Build, data: st.DataObject, zone: str) -> None:
    told = path(data.draw(histories))
    window = scope("01-02 07:00", "02-01 19:00")
    days = wip_by_day(told.visits, window, ZoneInfo(zone))
    edges = [max(day.tz_localize(zone), window.start) for day in days["day"]] + [window.end]
    lasting = pd.Series(edges).diff().dropna().dt.total_seconds().to_numpy() / 3600
    mean = wip(told.visits, told.items, window).values["mean"] or 0
    assert (days["mean"] * lasting).sum() / window.hours == pytest.approx(mean, abs=1e-6)
    assert days["items"].iloc[-1] == (wip(told.visits, told.items, window).values["now"] or 0)


def test_arrivals_less_departures_are_the_change_in_wip(path: Build, scope: Build) -> None:
    told = path("A-1: Dev 01-01, done 01-03\nA-2: Dev 01-02, Review 01-03, cancelled 01-04\nA-3: Dev 01-04")
    assert wip_by_day(told.visits, scope("01-01", "01-05 23:00"), UTC)["items"].tolist() == [1, 2, 1, 1, 1]
