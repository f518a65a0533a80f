"""Compare: a change is called clear only when it is."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.metrics.compare import compare, median_interval
from vsm.metrics.figure import Figure, nearest_rank


def figure(n=0, hours=(), **values):
    rows = pd.DataFrame({"hours": pd.Series(hours, dtype="float64")})
    return Figure("x", values, n, "", "", "", rows)


def rate(hits, n):
    return figure(n, value=hits / n)


def median(hours):
    return figure(len(hours), hours, p50=nearest_rank(hours, 0.5))


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        pytest.param((30, 100), (10, 100), "more", id="three times as often"),
        pytest.param((34, 245), (30, 187), "no clear change", id="a tenth less, which is noise"),
        pytest.param((1, 100), (20, 100), "less", id="nearly gone"),
        pytest.param((4, 4), (0, 4), "too few to say", id="four of four against none of four"),
        pytest.param((0, 50), (0, 50), "no clear change", id="none and none"),
    ],
)
def test_rates(now, before, verdict):
    assert compare(rate(*now), rate(*before), "value").verdict == verdict


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [(60, 30, "more"), (34, 30, "no clear change"), (2, 1, "too few to say"), (0, 20, "less")],
)
def test_counts(now, before, verdict):
    assert compare(figure(now, per_week=now / 13), figure(before, per_week=before / 13), "per_week").verdict == verdict


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        pytest.param(range(50, 150), range(100), "more", id="all of it shifted by half its width"),
        pytest.param(range(5, 105), range(100), "no clear change", id="shifted by a twentieth"),
        pytest.param([1, 2, 3], range(100), "too few to say", id="three"),
    ],
)
def test_medians(now, before, verdict):
    assert compare(median(list(now)), median(list(before)), "p50").verdict == verdict


def test_no_data_is_too_few_and_has_no_difference():
    found = compare(figure(0, value=None), rate(3, 30), "value")

    assert (found.now, found.difference, found.verdict) == (None, None, "too few to say")


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_the_interval_of_a_median_holds_the_median(values):
    low, high = median_interval(pd.Series(values))

    assert low <= nearest_rank(values, 0.5) <= high


@given(st.integers(0, 50), st.integers(5, 50), st.integers(0, 50), st.integers(5, 50))
def test_turning_the_periods_round_turns_the_verdict_round(a, n, b, m):
    turned = {"more": "less", "less": "more"}
    one, other = rate(min(a, n), n), rate(min(b, m), m)

    there, back = compare(one, other, "value").verdict, compare(other, one, "value").verdict
    assert back == turned.get(there, there)
