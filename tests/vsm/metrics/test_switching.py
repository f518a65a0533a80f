"""Task switching: what of the time in work goes to the same person's other items."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.metrics.switching import switching
from vsm.working_time import HOUR

INTERVALS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 30)), max_size=25)


def told(*work: tuple[int, int, int]) -> tuple[list[float], float]:
    """(person, from, to) in hours."""
    who, begin, end = np.array(work, dtype="int64").reshape(-1, 3).T
    lost, at_once = switching(who, begin * HOUR, end * HOUR)
    return lost.round(6).tolist(), at_once


def test_one_thing_at_a_time_loses_nothing() -> None:
    assert told((1, 0, 4), (1, 4, 8), (2, 0, 8)) == ([0, 0, 0], 1)


def test_of_two_items_at_once_each_waits_half_of_the_time() -> None:
    assert told((1, 0, 8), (1, 4, 8)) == ([2, 2], 1.5)


def test_of_three_items_at_once_each_waits_two_thirds() -> None:
    assert told((1, 0, 3), (1, 0, 3), (1, 0, 3)) == ([2, 2, 2], 3)


def test_without_work_there_is_no_number() -> None:
    lost, at_once = told()
    assert lost == []
    assert np.isnan(at_once)


@given(INTERVALS)
def test_what_is_left_is_the_time_in_which_a_person_had_anything_in_work(work: list[tuple[int, int, int]]) -> None:
    spans = [(who, begin, begin + length) for who, begin, length in work]
    lost, _ = told(*spans)
    busy = {(who, hour) for who, begin, end in spans for hour in range(begin, end)}
    assert sum(end - begin for _, begin, end in spans) - sum(lost) == pytest.approx(len(busy))
    assert all(0 <= hours <= end - begin for hours, (_, begin, end) in zip(lost, spans, strict=True))
