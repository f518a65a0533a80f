"""Forecast: promises drawn from the weeks since the last shift, dates for a number of items, and how often promises held."""

import time
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.forecast import finished_in, finishes, futures, history, hit_rate, outcomes, promises, weeks_until
from vsm.scope import Scope

UTC = ZoneInfo("UTC")
MONDAY = pd.Timestamp("2026-01-05", tz="UTC")
NOTHING = {"p50": None, "p85": None, "p95": None}


def done(counts: list[int], zone: ZoneInfo = UTC) -> pd.DataFrame:
    """Items finished on the Wednesday of each week; one in the week before, with which the records begin."""
    monday = MONDAY.tz_localize(None).tz_localize(zone)
    days = [monday + pd.Timedelta(days=7 * week + 2) for week, count in enumerate([1, *counts], start=-1) for _ in range(count)]
    return pd.DataFrame({"item": [f"A-{n}" for n in range(len(days))], "done_at": pd.Series(days).dt.tz_convert("UTC")})


def until(weeks: float) -> Scope:
    return Scope(MONDAY, MONDAY + pd.Timedelta(days=7 * weeks) - pd.Timedelta(microseconds=1))


def poisson(mean: float, weeks: int, seed: int = 1) -> list[int]:
    return [int(count) for count in np.random.default_rng([3_000_000, seed]).poisson(mean, weeks)]


def test_a_promise_is_the_most_that_so_many_futures_reach_or_pass() -> None:
    totals = np.array([10.0] * 5 + [20.0] * 35 + [30.0] * 60)
    assert promises(totals) == {"p50": 30.0, "p85": 20.0, "p95": 20.0}
    assert [(totals >= 20).mean(), (totals >= 21).mean()] == [0.95, 0.6]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=200).map(lambda values: np.array(values, dtype="float64")))
def test_every_promise_is_kept_by_as_many_futures_as_it_says_and_no_greater_one_is(totals: np.ndarray) -> None:
    for name, least in promises(totals).items():
        share = int(name[1:]) / 100
        assert least in totals
        assert (totals >= least).mean() >= share - 1e-9
        assert (totals > least).mean() < share


def test_a_team_that_always_finishes_five_a_week_is_certain() -> None:
    items, now = done([5] * 20), until(20)
    assert finished_in(items, now, UTC).values == {"p50": 60.0, "p85": 60.0, "p95": 60.0}
    until_50 = weeks_until(items, now, UTC, 50)
    assert until_50.values == {"p50": 10.0, "p85": 10.0, "p95": 10.0}
    assert until_50.said == dict.fromkeys(("p50", "p85", "p95"), "2026-08-02")
    assert hit_rate(items, now, UTC).values == {"value": 1.0, "p50": 1.0, "p85": 1.0, "p95": 1.0}


def test_the_surer_the_promise_the_fewer_items_and_the_later_the_day() -> None:
    items, now = done(poisson(8, 40)), until(40)
    least, latest = finished_in(items, now, UTC).values, weeks_until(items, now, UTC, 80).values
    assert least["p50"] > least["p85"] > least["p95"]
    assert latest["p50"] < latest["p85"] <= latest["p95"]


def test_how_many_and_when_are_one_answer() -> None:
    items, now = done(poisson(8, 40)), until(40)
    least = finished_in(items, now, UTC).values["p85"]
    assert weeks_until(items, now, UTC, int(least)).values["p85"] == 12


def test_the_same_history_gives_the_same_forecast() -> None:
    counts = np.array(poisson(8, 40), dtype="float64")
    np.testing.assert_array_equal(futures(counts, 12), futures(counts, 12))


@pytest.mark.parametrize(
    ("counts", "weeks", "known"),
    [
        pytest.param([], 0.5, 0, id="nothing at all"),
        pytest.param([4], 1, 1, id="one week"),
        pytest.param([4] * 7, 7, 7, id="one week too few"),
        pytest.param([4] * 8, 7.9, 7, id="the running week does not count"),
    ],
)
def test_too_little_history_gives_no_number_and_says_why(counts: list[int], weeks: float, known: int) -> None:
    for figure in (finished_in(done(counts), until(weeks), UTC), weeks_until(done(counts), until(weeks), UTC, 5)):
        assert figure.values == NOTHING
        whole = "week" if known == 1 else "weeks"
        assert figure.said["why"].endswith(f"{known} whole {whole} since the first item was finished, 8 are needed")


def test_no_item_at_all_is_too_little_history() -> None:
    items = done([]).iloc[:0]
    assert finished_in(items, until(30), UTC).values == NOTHING
    rate = hit_rate(items, until(30), UTC)
    assert (rate.values["value"], rate.n) == (None, 0)
    assert "0 whole weeks" in rate.said["why"]


def test_eight_whole_weeks_are_enough() -> None:
    assert finished_in(done([4] * 8), until(8), UTC).values["p85"] == 48


def test_the_running_week_is_left_out_and_named() -> None:
    counts = [4, 5, 6, 5] * 5
    whole, running = finished_in(done(counts), until(20), UTC), finished_in(done([*counts, 0]), until(20.8), UTC)
    assert running.values == whole.values
    assert whole.left_out.empty
    assert running.left_out.to_dict("records") == [{"id": "2026-05-25", "reason": "the running week"}]


def test_weeks_in_which_nothing_was_finished_count() -> None:
    items = done([6, 0, 6, 0, 0, 6, 0, 6, 6, 0] * 2)
    figure = finished_in(items, until(20), UTC)
    assert figure.rows["items"].eq(0).sum() == 10
    assert figure.values["p50"] == pytest.approx(36, abs=6)


def test_the_week_of_the_first_finished_item_is_none_of_the_history() -> None:
    assert history(done([2, 3]), until(2), UTC).astype({"week": "str"}).to_dict("records") == [
        {"week": "2026-01-05", "items": 2},
        {"week": "2026-01-12", "items": 3},
    ]


def test_weeks_begin_on_monday_in_the_reporting_zone() -> None:
    zone = ZoneInfo("Pacific/Auckland")
    monday = pd.Timestamp("2026-01-05", tz=zone)
    items = pd.DataFrame({"item": ["A", "B"], "done_at": [monday - pd.Timedelta(days=3), monday + pd.Timedelta(minutes=5)]})
    items["done_at"] = items["done_at"].dt.tz_convert("UTC")
    now = (monday + pd.Timedelta(days=8)).tz_convert("UTC")
    told = history(items, Scope(now - pd.Timedelta(days=8), now), zone)
    assert told.astype({"week": "str"}).to_dict("records") == [{"week": "2026-01-05", "items": 1}]


def test_what_is_finished_after_now_is_not_known_yet() -> None:
    items = done([4] * 20 + [50] * 10)
    assert finished_in(items, until(20), UTC).values["p50"] == 48


def test_after_a_shift_only_the_new_level_is_drawn_from_and_the_rest_is_named() -> None:
    figure = finished_in(done([11, 13, 12, 12] * 5 + [3, 5, 4, 4] * 4), until(36), UTC)
    assert figure.n == 16
    assert figure.of == 36
    assert set(figure.rows["items"]) == {3, 4, 5}
    assert figure.left_out["reason"].tolist() == ["before the last shift"] * 20
    assert 40 <= figure.values["p85"] <= figure.values["p50"] <= 50


def test_the_rows_tell_how_much_each_week_weighs() -> None:
    rows = finished_in(done(poisson(8, 40)), until(40), UTC).rows
    assert list(rows.columns) == ["week", "items", "weight"]
    assert rows["weight"].is_monotonic_increasing
    assert 0 < rows["weight"].iloc[0] < rows["weight"].iloc[-1] == 1


@pytest.mark.parametrize("every", [2, 3, 4])
def test_a_rhythm_of_releases_does_not_make_the_promise_timid(every: int) -> None:
    released = [count if week % every == 0 else 0 for week, count in enumerate([15, 16, 17, 16] * 12)]
    assert finished_in(done(released), until(48), UTC).values["p85"] >= 0.9 * 16 * 12 / every


def test_nothing_finished_for_long_promises_nothing_and_has_no_day() -> None:
    items, now = done([0] * 30), until(30)
    assert finished_in(items, now, UTC).values == {"p50": 0.0, "p85": 0.0, "p95": 0.0}
    figure = weeks_until(items, now, UTC, 1)
    assert figure.values == NOTHING
    assert figure.said == {"why": "p50, p85, p95: it takes more than 520 weeks"}


def test_a_number_below_one_is_no_question() -> None:
    with pytest.raises(ValueError, match="0 items are no forecast: expected 1 or more"):
        weeks_until(done([4] * 10), until(10), UTC, 0)


def test_the_back_test_promises_with_what_was_known_then() -> None:
    counts = poisson(8, 40)
    rows = hit_rate(done(counts), until(40), UTC).rows
    assert len(rows) == 40 - 12 - 8 + 1
    assert rows["finished"].tolist() == [sum(counts[at : at + 12]) for at in range(8, 29)]
    later = [*counts[:20], *[0] * 20]
    assert hit_rate(done(later), until(40), UTC).rows["p85"].tolist()[:13] == rows["p85"].tolist()[:13]


def test_the_hit_rate_is_the_share_of_its_rows_that_held() -> None:
    figure = hit_rate(done(poisson(8, 90)), until(90), UTC)
    assert figure.n == len(figure.rows) == 30
    assert figure.values["value"] == figure.rows["held"].mean()
    assert figure.rows["held"].tolist() == (figure.rows["finished"] >= figure.rows["p85"]).tolist()
    assert figure.said == {"not overlapping": "3"}


def test_a_team_that_collapses_shows_it_in_its_hit_rate() -> None:
    figure = hit_rate(done([10, 11, 9, 10] * 8 + [2, 1, 3, 2] * 3), until(44), UTC)
    assert figure.values["value"] < 0.6


def test_a_back_test_without_past_promises_says_why() -> None:
    figure = hit_rate(done([4] * 19), until(19), UTC)
    assert (figure.values["value"], figure.n) == (None, 0)
    assert figure.said["why"] == "too little history: 19 whole weeks since the first item was finished, 20 are needed"


@pytest.mark.parametrize(
    ("before", "after", "low", "high"),
    [
        pytest.param(12, 12, 0.80, 0.92, id="stable"),
        pytest.param(12, 8, 0.60, 1.0, id="a step down eight weeks ago"),
        pytest.param(8, 12, 0.75, 0.95, id="a step up eight weeks ago"),
        pytest.param(1, 1, 0.80, 0.95, id="one item a week"),
    ],
)
def test_promises_of_85_percent_hold_about_as_often(before: int, after: int, low: float, high: float) -> None:
    means = np.repeat([before, after], [44, 20])
    told = [np.random.default_rng([4_000_000, seed]).poisson(means).astype(float) for seed in range(300)]
    held = [counts[52:].sum() >= promises(futures(counts[:52], 12, 2_000))["p85"] for counts in told]
    assert low <= np.mean(held) <= high


def test_a_forecast_with_its_back_test_is_quick() -> None:
    items, now = done(poisson(12, 100)), until(100)
    taken = []
    for _ in range(3):
        begin = time.process_time()
        finished_in(items, now, UTC)
        hit_rate(items, now, UTC)
        taken.append(time.process_time() - begin)
    assert min(taken) < 0.3


@pytest.mark.parametrize("count", [1, 7, 60])
def test_what_is_drawn_of_the_futures_is_what_is_promised(count: int) -> None:
    items, now = done(poisson(6, 20)), until(20)
    many, drawn = finished_in(items, now, UTC), outcomes(items, now, UTC)
    later, weeks = weeks_until(items, now, UTC, count), finishes(items, now, UTC, count)

    assert drawn["share"].sum() == pytest.approx(1)
    assert weeks["within"].iloc[-1] == pytest.approx(1)
    for sure in (0.5, 0.85, 0.95):
        name = f"p{round(sure * 100)}"
        assert drawn.loc[drawn["reach"] >= sure - 1e-9, "items"].max() == many.values[name]
        assert weeks.loc[weeks["within"] >= sure - 1e-9, "weeks"].min() == later.values[name]


def test_with_too_little_history_nothing_is_drawn() -> None:
    assert outcomes(done([5, 7, 6]), until(3), UTC).empty
    assert finishes(done([5, 7, 6]), until(3), UTC, 5).empty
