"""Compare: a change is called clear only when it is."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.metrics.compare import compare, median_variance
from vsm.metrics.figure import Figure, nearest_rank


def figure(n=0, hours=(), **values):
    rows = pd.DataFrame({"hours": pd.Series(hours, dtype="float64")})
    return Figure("x", values, n, "", "", "", rows)


def rate(hits, n):
    return figure(n, value=hits / n)


def median(hours):
    return figure(len(hours), hours, p50=nearest_rank(hours, 0.5))


def test_a_share_of_items_is_a_share_whatever_its_value_is_called():
    often, seldom = (figure(100, items=hits, share=hits / 100) for hits in (30.0, 10.0))

    assert compare(often, seldom, "share").verdict == compare(rate(30, 100), rate(10, 100), "value").verdict == "more"
    assert compare(figure(100, share=0.3), figure(100, share=0.1), "share").verdict == "not compared"  # a share of hours


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


def test_a_count_is_not_compared_with_a_time_in_which_the_records_only_begin():
    before = Figure("x", {"per_week": 0.1}, 4, "", "", "", pd.DataFrame(), said={"since": "the first one known is of 2025-11-12"})
    found = compare(figure(310, per_week=6.0), before, "per_week")

    assert (found.verdict, found.low) == ("not compared", None)
    assert "2025-11-12" in found.rule


def test_the_medians_of_batches_are_of_their_changes():
    def batches(changes):
        rows = pd.DataFrame({"changes": pd.Series(changes, dtype="int64")})
        return Figure("batch_size", {"p50": nearest_rank(changes, 0.5)}, len(changes), "changes a deployment", "", "", rows)

    assert compare(batches([9, 8, 10] * 9), batches([1, 2, 3] * 9), "p50").verdict == "more"


def test_no_data_is_too_few_and_has_no_difference():
    found = compare(figure(0, value=None), rate(3, 30), "value")

    assert (found.now, found.difference, found.verdict) == (None, None, "too few to say")


@given(st.integers(0, 50), st.integers(5, 50), st.integers(0, 50), st.integers(5, 50))
def test_turning_the_periods_round_turns_the_verdict_round(a, n, b, m):
    turned = {"more": "less", "less": "more"}
    one, other = rate(min(a, n), n), rate(min(b, m), m)

    there, back = compare(one, other, "value").verdict, compare(other, one, "value").verdict
    assert back == turned.get(there, there)


def test_the_interval_of_two_medians_holds_their_difference_as_often_as_it_says():
    dice = np.random.default_rng(11)
    held = []
    for _ in range(400):
        new, old = dice.lognormal(3.0, 1.0, 40), dice.lognormal(3.4, 1.0, 60)
        found = compare(median(new), median(old), "p50")
        held.append(found.low <= np.exp(3.0) - np.exp(3.4) <= found.high)

    assert 0.93 <= np.mean(held) <= 0.99


def test_nothing_changed_is_seldom_called_a_clear_change():
    dice = np.random.default_rng(12)
    said = Counter(compare(median(dice.exponential(9, 30)), median(dice.exponential(9, 30)), "p50").verdict for _ in range(400))

    assert said["more"] + said["less"] <= 400 * 0.06


def test_the_variance_of_a_median_is_that_of_many_medians():
    dice = np.random.default_rng(13)
    medians = [np.median(dice.normal(0, 1, 101)) for _ in range(2000)]
    told = [median_variance(np.sort(dice.normal(0, 1, 101))) for _ in range(200)]

    assert np.mean(told) == pytest.approx(np.var(medians), rel=0.25)


def handoffs(values):
    rows = pd.DataFrame({"handoffs": pd.Series(values, dtype="float64")})
    return Figure("handoffs_per_item", {"mean": float(np.mean(values))}, len(values), "", "", "", rows)


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        pytest.param([2, 3, 2, 3] * 10, [1, 0, 1, 2] * 10, "more", id="one and a half more each"),
        pytest.param([2, 3, 2, 3] * 10, [2, 3, 3, 2] * 10, "no clear change", id="the same"),
        pytest.param([2, 3], [0] * 40, "too few to say", id="two items"),
    ],
)
def test_means(now, before, verdict):
    assert compare(handoffs(now), handoffs(before), "mean").verdict == verdict


def efficiency(work, wait):
    rows = pd.DataFrame({"work": np.array(work, "float64"), "wait": np.array(wait, "float64")})
    spent, kept = rows["work"].sum(), rows["wait"].sum()
    values = {"value": spent / (spent + kept), "work_hours": spent, "wait_hours": kept}
    return Figure("flow_efficiency", values, len(rows), "", "", "", rows)


def test_a_share_of_time_is_compared_by_items_and_not_as_if_hours_were_drawn_one_by_one():
    dice = np.random.default_rng(14)
    same = [efficiency(dice.exponential(4, 30), dice.exponential(20, 30)) for _ in range(300)]
    verdicts = Counter(compare(one, other, "value").verdict for one, other in zip(same[::2], same[1::2], strict=True))

    assert verdicts["more"] + verdicts["less"] <= 0.08 * 150
    assert compare(efficiency([8] * 30, [10] * 30), efficiency([2, 3] * 15, [20, 22] * 15), "value").verdict == "more"


def test_a_state_at_one_instant_is_not_compared():
    assert compare(figure(40, now=40.0), figure(20, now=20.0), "now").verdict == "not compared"


def weekly(counts, first="2026-01-05"):
    weeks = pd.date_range(first, periods=len(counts), freq="7D", unit="us")
    series = pd.DataFrame({"week": weeks, "whole": True, "n": np.array(counts, "float64")})
    return Figure(
        "deployment_frequency", {"per_week": float(np.mean(counts))}, sum(counts), "", "", "", pd.DataFrame(), series=series
    )


def test_an_unusual_last_week_is_a_look_and_no_change():
    before = weekly([5, 6, 5, 4, 5, 6, 5, 5, 6, 4])
    now = weekly([5, 4, 6, 5, 5, 6, 4, 5, 5, 15], "2026-03-16")

    found = compare(now, before, "per_week")
    assert (found.verdict, found.look) == ("no clear change", "above the limits")
    assert compare(before, before, "per_week").look is None
