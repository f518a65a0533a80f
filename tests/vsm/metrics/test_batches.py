"""Batches: stages that let go in clumps of what came one by one."""

import numpy as np
import pytest

from vsm.metrics.batches import clumps
from vsm.metrics.stages import NEVER
from vsm.working_time import HOUR

DAY = 24 * HOUR


def of(came: list[float], left: list[float]) -> tuple[list[bool], list[int], float]:
    """Waits of one place by their days; whether each place lets go in clumps, how many left together, and the mean clump."""
    times = [np.array([NEVER if day == np.inf else round(day * DAY) for day in days], dtype="int64") for days in (came, left)]
    found = clumps(np.zeros(len(came), dtype="int64"), *times, 1)
    return found.batched.tolist(), found.together.tolist(), float(found.size[0])


def test_a_train_that_takes_all_that_came_since_the_last_lets_go_in_clumps() -> None:
    came = [day / 2 for day in range(20)]
    left = [np.floor(day / 5) * 5 + 5 + 0.001 * (day % 5) for day in came]
    assert of(came, left) == ([True] * 20, [10] * 20, 10)


def test_what_leaves_as_it_came_is_no_batch() -> None:
    came = [day / 2 for day in range(20)]
    batched, together, _ = of(came, [day + 3 for day in came])
    assert not any(batched)
    assert set(together) == {1}


def test_what_came_in_clumps_already_was_not_batched_here() -> None:
    came = [5.0 * (number // 5) for number in range(20)]
    assert not any(of(came, [day + 1 for day in came])[0])


def test_with_few_departures_nothing_is_said() -> None:
    batched, _, size = of([0, 1, 2, 3], [5, 5, 5, 5])
    assert not any(batched)
    assert np.isnan(size)


def test_what_has_not_left_is_held_by_the_place_like_the_rest() -> None:
    came = [day / 2 for day in range(12)]
    batched, together, _ = of([*came, 9], [*(10 + 0.0 * day for day in came), np.inf])
    assert batched[-1]
    assert together[-1] == 0


@pytest.mark.parametrize("places", [0, 1, 3])
def test_no_waits_at_all(places: int) -> None:
    none = np.array([], dtype="int64")
    assert len(clumps(none, none, none, places).size) == places
