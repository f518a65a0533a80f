"""Percentiles are real items, intervals are Wilson's, and nothing is None, never 0."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.metrics.figure import Figure, definition, hours, mean, nearest_rank, percentiles, wilson


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([], 0.5, None, id="of none"),
        pytest.param([math.nan], 0.5, None, id="of nothing known"),
        pytest.param([7], 0.5, 7, id="of one"),
        pytest.param([1, 2], 0.5, 1, id="an even number: the lower middle, not between"),
        pytest.param([3, 1, 2], 0.5, 2, id="unsorted"),
        pytest.param([15, 20, 35, 40, 50], 0.05, 15, id="the textbook's p5"),
        pytest.param([15, 20, 35, 40, 50], 0.30, 20, id="the textbook's p30"),
        pytest.param([15, 20, 35, 40, 50], 0.40, 20, id="the textbook's p40"),
        pytest.param([15, 20, 35, 40, 50], 0.50, 35, id="the textbook's p50"),
        pytest.param([15, 20, 35, 40, 50], 1.00, 50, id="p100 is the largest"),
        pytest.param([1, 2, 3], 0.0, 1, id="p0 is the smallest"),
        pytest.param(range(1, 21), 0.85, 17, id="17 of 20, although 0.85 * 20 is a little more in binary"),
        pytest.param(range(1, 101), 0.95, 95, id="95 of 100"),
        pytest.param([1, math.nan, 3], 0.5, 1, id="what is missing does not count"),
    ],
)
def test_nearest_rank(values: list[float], share: float, expected: float | None) -> None:
    assert nearest_rank(list(values), share) == expected


FLOATS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50)


@given(FLOATS, st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_enough_do_not_exceed_it(values: list[float], share: float) -> None:
    found = nearest_rank(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


@given(FLOATS)
def test_percentiles_rise(values: list[float]) -> None:
    found = percentiles(values, 50, 85, 95)
    assert list(found) == ["p50", "p85", "p95"]
    assert found["p50"] <= found["p85"] <= found["p95"] <= max(values)  # type: ignore[operator]  # there are values


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=50), st.integers(1, 99))
def test_the_rank_is_exact(values: list[int], percent: int) -> None:
    """In whole numbers; numpy's inverted_cdf is one rank off where 28 % of 25 is a little more than 7 in binary."""
    rank = -(-percent * len(values) // 100)
    assert nearest_rank(values, percent / 100) == sorted(values)[rank - 1]


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        pytest.param(1, 10, 0.0179, 0.4042, id="1 of 10"),
        pytest.param(0, 10, 0.0, 0.2775, id="none of 10"),
        pytest.param(10, 10, 0.7225, 1.0, id="all of 10"),
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe 1998, 81 of 263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="Newcombe 1998, 15 of 148"),
        pytest.param(0, 20, 0.0, 0.1611, id="Newcombe 1998, 0 of 20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="Newcombe 1998, 1 of 29"),
    ],
)
def test_wilson_known_values(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_of_none() -> None:
    assert wilson(0, 0) == (None, None)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_a_share(case: tuple[int, int]) -> None:
    hits, n = case
    low, high = wilson(hits, n)
    assert low is not None
    assert high is not None
    assert 0 <= low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= high <= 1
    assert wilson(n - hits, n) == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_mean_of_the_known() -> None:
    assert mean([1, 2, math.nan]) == 1.5
    assert mean([]) is None
    assert mean([math.nan]) is None


def test_hours_of_a_missing_time_are_missing() -> None:
    spans = hours(pd.Series(pd.to_timedelta(["90min", None])))
    assert spans[0] == 1.5
    assert math.isnan(spans[1])


def test_coverage_is_the_share_that_could_be_measured() -> None:
    def figure(n: int, of: int | None) -> Figure:
        return Figure("x", {"p50": None}, n, "hours", "what it means", "how it was counted", rows=pd.DataFrame(), of=of)

    assert figure(3, 4).coverage == 0.75
    assert figure(0, 4).coverage == 0
    assert figure(0, 0).coverage is None
    assert figure(3, None).coverage is None


def test_a_figure_without_more_left_nobody_out() -> None:
    assert list(Figure("x", {}, 0, "", "", "", rows=pd.DataFrame()).left_out.columns) == ["id", "reason"]


def test_a_definition_is_the_docstring_s_first_line() -> None:
    def metric() -> None:
        """Time from here to there; who never left is left out.

        More than one needs to know.
        """

    assert definition(metric) == "Time from here to there; who never left is left out."
    assert definition(lambda: None) == ""
