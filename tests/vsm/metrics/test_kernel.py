"""The kernel counts what a plain walk over each case counts, in whatever order and numbers the events come."""

import math
from collections import Counter, defaultdict
from itertools import pairwise
from statistics import mean, median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics import kernel

HOUR = 3_600_000_000
Event = tuple[int, int, int, int]  # case, activity, at, actor
EVENTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 20), st.integers(-1, 3)), max_size=60)


def arrays(events: list[Event]) -> list[np.ndarray]:
    return [np.array(column, dtype="int64") for column in zip(*events, strict=True)] if events else [np.zeros(0, dtype="int64")] * 4


def log_of(events: list[Event]) -> kernel.Log:
    return kernel.ordered(*arrays(events))


def walked(events: list[Event]) -> list[list[Event]]:
    """Each case's events in order, the plain way."""
    cases = defaultdict(list)
    for event in sorted(events, key=lambda event: event[2]):
        cases[event[0]].append(event)
    return [cases[case] for case in sorted(cases)]


def lengths(gaps: list[int]) -> list[float]:
    return [number / HOUR for number in (sum(gaps), mean(gaps), median(gaps), min(gaps), max(gaps))]


def check(events: list[Event]) -> None:
    log, cases = log_of(events), walked(events)
    assert list(zip(log.case, log.activity, log.at, log.actor, strict=True)) == [event for case in cases for event in case]
    edges, stays, pairs = defaultdict(list), defaultdict(list), Counter()
    for case in cases:
        for one, two in pairwise(case):
            edges[one[1], two[1]].append(two[2] - one[2])
            stays[one[1]].append(two[2] - one[2])
            if one[3] >= 0 <= two[3]:
                pairs[one[3], two[3]] += 1
    told = kernel.transitions(log)
    assert told[["from", "to", "n"]].to_numpy().tolist() == [[*edge, len(gaps)] for edge, gaps in sorted(edges.items())]
    expected = [number for _, gaps in sorted(edges.items()) for number in lengths(gaps)]
    assert told[["sum", "mean", "median", "min", "max"]].to_numpy().ravel() == pytest.approx(expected)
    dwell = kernel.time_in_stage(log)
    assert dwell[["activity", "n"]].to_numpy().tolist() == [[stage, len(gaps)] for stage, gaps in sorted(stays.items())]
    ranks = [sorted(gaps)[max(math.ceil(round(0.85 * len(gaps), 9)), 1) - 1] / HOUR for _, gaps in sorted(stays.items())]
    assert dwell["p85"].tolist() == pytest.approx(ranks)
    lasting = kernel.durations(log)
    assert lasting["case"].tolist() == [case[0][0] for case in cases]
    assert lasting["hours"].tolist() == pytest.approx([(case[-1][2] - case[0][2]) / HOUR for case in cases])
    again = Counter(stage for case in cases for stage, n in Counter(event[1] for event in case).items() if n > 1)
    assert kernel.rework(log).tolist() == [again[stage] for stage in range(log.kinds)]
    assert kernel.handovers(log).to_numpy().tolist() == [[*pair, n] for pair, n in sorted(pairs.items())]


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_any_log_is_counted_as_a_plain_walk_counts_it(events: list[Event]) -> None:
    check(events)


@settings(max_examples=30, deadline=None)
@given(EVENTS)
def test_a_log_in_order_of_time_is_put_in_order_by_case(events: list[Event]) -> None:
    check(sorted(events, key=lambda event: event[2]))


@settings(max_examples=30, deadline=None)
@given(EVENTS)
def test_numbers_too_large_for_one_word_or_for_counters_are_counted_alike(events: list[Event]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "WIDTH", 3)
        patch.setattr(kernel, "SLOTS", 6)
        check(events)


def test_a_log_that_stands_in_order_is_not_copied() -> None:
    case, activity, at, actor = arrays([(0, 1, 5, 0), (0, 0, 5, 1), (1, 1, 2, 0)])
    assert kernel.ordered(case, activity, at, actor).case is case


def test_equal_numbers_stay_as_they_stand() -> None:
    numbers, places = kernel.by_number(np.array([2, 0, 2, 1, 0]))
    assert (numbers.tolist(), places.tolist()) == ([0, 0, 1, 2, 2], [1, 4, 3, 0, 2])


def test_who_is_not_known_hands_nothing_on() -> None:
    case, activity, at, _ = arrays([(0, 0, 1, 0), (0, 1, 2, 0)])
    assert kernel.handovers(kernel.ordered(case, activity, at)).empty
    assert kernel.handovers(log_of([(0, 0, 1, -1), (0, 1, 2, -1)])).empty


def test_sums_of_many_long_times_are_exact() -> None:
    century = 100 * 365 * 24 * HOUR
    case = np.repeat(np.arange(1000), 2)
    at = np.tile([0, century + 1], 1000)
    told = kernel.transitions(kernel.ordered(case, np.zeros(2000, dtype="int64"), at))
    assert round(told["sum"][0] * HOUR) == pytest.approx(1000 * (century + 1), rel=1e-15)
    assert told["median"][0] * HOUR == century + 1
