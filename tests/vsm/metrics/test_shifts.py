"""Shifts: new levels of a weekly series are found, quiet series are left alone, and limits hold inside each level."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.shifts import IN_A_ROW, MOST, SHORTEST, levels, looks, shifts

SERIES, LUCK = 400, 0.03  # how far a rate of one in ten may be off by chance in so many series (two standard deviations)


def dice(seed: int) -> np.random.Generator:
    return np.random.default_rng([2_000_000, seed])


def series(values: list[float], running: bool = False) -> pd.DataFrame:
    weeks = pd.date_range("2026-01-05", periods=len(values), freq="7D", unit="us")
    whole = [True] * len(values)
    if running:
        whole[-1] = False
    return pd.DataFrame({"week": weeks, "whole": whole, "items": values})


def followed(seed: int, weeks: int, rho: float) -> np.ndarray:
    noise = dice(seed).normal(size=weeks + 50)
    for week in range(1, len(noise)):
        noise[week] = rho * noise[week - 1] + noise[week] * (1 - rho**2) ** 0.5
    return 20 + 3 * noise[50:]


@pytest.mark.parametrize(
    ("values", "places"),
    [
        pytest.param([], (), id="nothing at all"),
        pytest.param([4], (), id="one week"),
        pytest.param([3, 9] * 3, (), id="too short for two levels"),
        pytest.param([7] * 30, (), id="always the same"),
        pytest.param([0] * 30, (), id="nothing ever finished"),
        pytest.param([4] * 12 + [9] * 12, (12,), id="one step without any noise"),
        pytest.param([4, 5, 6, 5] * 4 + [12, 14, 13, 13] * 4, (16,), id="one step"),
        pytest.param([4, 5, 6, 5] * 3 + [22, 24, 23, 23] * 3 + [4, 5, 6, 5] * 3, (12, 24), id="up and down again"),
        pytest.param([4, 5, 6, 5] * 4 + [40] + [4, 5, 6, 5] * 4, (), id="a spike is no level"),
        pytest.param([14, 15, 16, 15] * 4 + [0, 0] + [14, 15, 16, 15] * 4, (), id="nor are two weeks of holidays"),
        pytest.param([0, 16] * 15, (), id="a release every second week is a rhythm, no shift"),
        pytest.param([-3.0, -2.0, -4.0] * 4 + [9.0, 8.0, 10.0] * 4, (12,), id="values below zero"),
    ],
)
def test_a_shift_is_where_a_new_level_begins(values: list[float], places: tuple[int, ...]) -> None:
    assert shifts(pd.Series(values, dtype="float64")) == places


def test_missing_weeks_are_passed_over_and_keep_their_places() -> None:
    values = np.array([4, 5, 6, 5] * 4 + [12, 14, 13, 13] * 4, dtype="float64")
    holes = np.insert(values, [2, 16], np.nan)
    assert shifts(holes) == (18,)


@pytest.mark.parametrize("weeks", [26, 52, 104])
@pytest.mark.parametrize("mean", [1, 12])
def test_at_most_one_quiet_series_in_ten_shows_a_shift(mean: int, weeks: int) -> None:
    found = [shifts(dice(seed).poisson(mean, weeks).astype(float)) for seed in range(SERIES)]
    assert np.mean([len(one) > 0 for one in found]) <= 0.1 + LUCK


def test_weeks_that_follow_each_other_are_not_cut_to_pieces() -> None:
    found = [shifts(followed(seed, 52, 0.5)) for seed in range(SERIES)]
    assert np.mean([len(one) > 0 for one in found]) <= 0.22
    assert np.mean([len(one) > 1 for one in found]) <= 0.12


@pytest.mark.parametrize(
    ("before", "after", "at", "least"),
    [
        pytest.param(12, 6, 26, 0.83, id="halved, half a year ago"),
        pytest.param(12, 6, 44, 0.72, id="halved, eight weeks ago"),
        pytest.param(3, 9, 26, 0.90, id="tripled from a few"),
        pytest.param(12, 8, 26, 0.40, id="a third less: found in less than half of all cases"),
    ],
)
def test_a_step_is_found_within_two_weeks(before: int, after: int, at: int, least: float) -> None:
    means = np.where(np.arange(52) < at, before, after)
    found = [shifts(dice(seed).poisson(means).astype(float)) for seed in range(SERIES)]
    assert np.mean([any(abs(place - at) <= 2 for place in one) for one in found]) >= least


COUNTS = st.lists(st.integers(0, 40), max_size=60).map(lambda counts: np.array(counts, dtype="float64"))


@settings(max_examples=100, deadline=None)
@given(COUNTS, st.sampled_from([0.25, 4.0, 1024.0]))
def test_another_unit_shows_the_same_shifts(counts: np.ndarray, unit: float) -> None:
    assert shifts(counts * unit) == shifts(counts)


@settings(max_examples=100, deadline=None)
@given(COUNTS)
def test_levels_are_whole_and_never_shorter_than_five_weeks(counts: np.ndarray) -> None:
    places = shifts(counts)
    lengths = np.diff([0, *places, len(counts)])
    assert len(places) <= MOST
    assert not places or lengths.min() >= SHORTEST
    told = levels(series(counts.tolist()), "items")
    assert told["n"].sum() == len(counts)
    assert (told["n"] * told["mean"]).sum() == pytest.approx(counts.sum())


def test_levels_have_first_and_last_week_and_mean_without_the_running_week() -> None:
    told = levels(series([4, 5, 6, 5] * 4 + [12, 14, 13, 13] * 4 + [1], running=True), "items")
    assert told.astype({"first_week": "str", "last_week": "str"}).to_dict("records") == [
        {"first_week": "2026-01-05", "last_week": "2026-04-20", "n": 16, "mean": 5.0},
        {"first_week": "2026-04-27", "last_week": "2026-08-10", "n": 16, "mean": 13.0},
    ]


def test_nothing_at_all_has_no_levels_and_no_looks() -> None:
    assert levels(series([]), "items").empty
    assert looks(series([]), "items").empty
    assert looks(series([3], running=True), "items")["look"].tolist() == [pytest.approx(np.nan, nan_ok=True)]


def test_xmr_limits_are_those_computed_by_hand() -> None:
    told = looks(series([10, 12, 10, 14, 12, 14]), "items").iloc[-1]
    # The mean is 12, the ranges are 2 2 4 2 2: 2.4 on average.
    assert told["mean"] == 12
    assert told["lower"] == pytest.approx(12 - 2.66 * 2.4)
    assert told["upper"] == pytest.approx(12 + 2.66 * 2.4)
    assert told["range_limit"] == pytest.approx(3.268 * 2.4)


def test_counts_have_no_limit_below_zero() -> None:
    assert (looks(series([0, 3, 0, 4, 1, 0, 3]), "items")["lower"] == 0).all()


def test_fewer_weeks_than_a_level_has_have_no_limits() -> None:
    told = looks(series([1, 2, 90, 1]), "items")
    assert told[["lower", "upper", "look"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("values", "look"),
    [
        pytest.param([5, 6, 5, 4] * 4 + [30] + [5, 6, 5, 4] * 2, {16: "above the limits"}, id="a spike, but not the way back"),
        pytest.param([15, 16, 15, 14] * 4 + [1] + [15, 16, 15, 14] * 2, {16: "below the limits"}, id="a hole"),
        pytest.param([5, 6, 5, 4] * 6, {}, id="a quiet series"),
    ],
)
def test_a_look_says_why(values: list[float], look: dict[int, str]) -> None:
    told = looks(series(values), "items")["look"].dropna()
    assert {place: why for place, why in told.items() if "limits" in why} == look


def test_a_long_run_on_one_side_is_worth_a_look() -> None:
    values = [6.0, 4.0] * 6 + [5.6] * IN_A_ROW + [4.0, 6.0] * 6
    told = looks(series(values), "items")["look"].dropna()
    assert told.to_dict() == dict.fromkeys(range(12, 20), "8 or more in a row above the mean")


def test_the_running_week_is_no_signal_and_bends_no_limit() -> None:
    whole, running = looks(series([5, 6, 5, 4] * 4), "items"), looks(series([5, 6, 5, 4] * 4 + [0], running=True), "items")
    pd.testing.assert_frame_equal(running.iloc[:-1], whole)
    assert running.iloc[-1][["mean", "lower", "upper", "look"]].isna().all()


def test_limits_hold_inside_each_level_and_a_shift_is_no_signal_itself() -> None:
    told = looks(series([4, 5, 6, 5] * 4 + [14, 15, 16, 15] * 4), "items")
    assert told["mean"].tolist() == [5] * 16 + [15] * 16
    assert np.isnan(told["range"].iloc[16])
    assert told["look"].isna().all()
