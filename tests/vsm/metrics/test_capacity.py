"""What a stage could do, told from the log, against lines whose people are known."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vsm.config import Calendar
from vsm.metrics.capacity import Capacity, capacity, window_edges, working_hours
from vsm.metrics.people_at_work import AtWork, at_work
from vsm.metrics.stages import waits
from vsm.simulate import Line, Seen, Step, seen, simulate
from vsm.working_time import HOUR, micro

UTC = ZoneInfo("UTC")
WEEK = 7 * 24 * HOUR


def of(told: Seen, calendar: Calendar | None = None) -> Capacity:
    queue = waits(told.visits, told.stages, micro(told.scope.end))
    return capacity(told.visits, told.stages, queue, window_edges(told.visits, told.scope, WEEK), calendar, UTC)


def once(can: Capacity) -> np.ndarray:
    return np.ones((1, can.open_hours.shape[1]))


def people(told: Seen, calendar: Calendar | None = None) -> AtWork:
    return at_work(told.visits, told.stages, window_edges(told.visits, told.scope, WEEK), calendar, UTC)


def busy(told: Seen, stage: str) -> float:
    """The share of the window in which one of the stage's people works, by the visits alone."""
    mine = told.visits[(told.visits["stage"] == stage) & told.visits["started"].notna()]
    hours = (mine["finished"].fillna(told.scope.end) - mine["started"]).dt.total_seconds().sum() / 3600
    crew = next(each.people for each in told.stages if each.name == stage)
    assert crew is not None
    return float(hours / told.scope.hours / crew)


@pytest.mark.parametrize("crew", [1, 3, 5])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_load_is_the_share_of_time_in_which_people_are_busy_though_nobody_says_how_many_there_are(
    crew: int, share: float
) -> None:
    told = seen(simulate(Line((Step("Dev", crew, share * crew * 8),), per_hour=1 / 8), 3, 24 * 200))
    can = of(told)
    assert can.at_once(once(can))[0, 0] == pytest.approx(crew, abs=0.01)
    assert can.load(once(can))[0, 0] == pytest.approx(busy(told, "Dev"), rel=0.02)


def test_work_that_nobody_logs_lowers_what_they_can_do_not_the_load() -> None:
    line = Line((Step("Dev", 2, 7.0),), per_hour=1 / 8, hidden=(("Dev", 0.45),))
    told = seen(simulate(line, 1, 24 * 300))
    can = of(told)
    assert busy(told, "Dev") < 0.5
    assert can.at_once(once(can))[0, 0] < 1.5
    assert can.load(once(can))[0, 0] > 0.75


@pytest.mark.parametrize("crew", [1, 2, 4])
def test_output_stops_growing_at_the_number_of_people(crew: int) -> None:
    told = seen(simulate(Line((Step("Dev", crew, 0.92 * crew * 8, law="exponential"),), per_hour=1 / 8), 2, 24 * 500), "single")
    can = of(told)
    points, beyond, load, certain = (part[0, 0] for part in can.saturation(once(can)))
    assert points == pytest.approx(crew, abs=1)
    assert beyond > 0.4
    assert load > 0.7
    assert certain > 3


def test_output_of_a_long_stage_with_people_enough_never_stops_growing() -> None:
    told = seen(simulate(Line((Step("Dev", 60, 240.0),), per_hour=1 / 8), 2, 24 * 300), "single")
    can = of(told)
    _, beyond, load, certain = (part[0, 0] for part in can.saturation(once(can)))
    assert certain < 3 or beyond < 0.3 or load < 0.68


def test_nothing_at_all_has_no_load() -> None:
    told = seen(simulate(Line((Step("Dev", 1, 1.0),), per_hour=1e-9), 2, 24 * 30))
    can = of(told)
    assert can.load(once(can)).tolist() == [[0.0]]
    assert can.queue_share(once(can)).tolist() == [[0.0]]
    assert [part.tolist() for part in can.saturation(once(can))] == [[[0.0]]] * 4
    assert people(told).shared_with == [None]


@pytest.mark.parametrize("calendar", [None, Calendar(), Calendar(workdays=("tue", "sat"), hours=("06:00", "20:00"))], ids=str)
def test_working_hours_are_told_from_when_work_begins_and_ends(calendar: Calendar | None) -> None:
    line = Line((Step("Dev", 3, 5.0), Step("Test", 2, 3.0)), per_hour=0.4, calendar=calendar, nights=True)
    told = seen(simulate(replace(line, per_hour=0.08 if calendar else 0.4), 1, 24 * 150))
    assert working_hours(told.visits, told.scope, UTC) == calendar


def test_a_few_items_tell_no_working_hours() -> None:
    told = seen(simulate(Line((Step("Dev", 3, 5.0),), per_hour=0.05, calendar=Calendar()), 1, 24 * 30))
    assert len(told.visits) > 5
    assert working_hours(told.visits, told.scope, UTC) is None


def test_shared_people_are_found_and_counted_once() -> None:
    steps = (Step("Dev", 3, 10.0, pool="we"), Step("Review", 2, 6.0), Step("Test", 3, 8.0, pool="we"))
    told = seen(simulate(Line(steps, per_hour=0.1), 1, 24 * 120))
    found = people(told)
    assert found.shared_with == ["Test", None, "Dev"]
    assert found.seen.tolist() == [3, 2, 3]
    assert found.busy == pytest.approx([0.6, 0.3, 0.6], abs=0.08)
    assert found.at_once == pytest.approx(1.0)


def test_several_items_in_work_at_once_are_seen() -> None:
    told = seen(simulate(Line((Step("Dev", 2, 14.0),), per_hour=0.13, at_once=3), 1, 24 * 120))
    assert people(told).at_once > 1.5
    assert people(told).busy[0] < 1


def test_people_nobody_names_are_not_counted() -> None:
    told = seen(simulate(Line((Step("Dev", 2, 14.0),), per_hour=0.1), 1, 24 * 60), actors=False)
    found = people(told)
    assert pd.isna(found.seen).all()
    assert (found.at_once, found.shared_with) == (1.0, [None])
