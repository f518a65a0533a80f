"""The lever: what the simulation fitted to the log says, against what the real line would have done."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vsm.lever import fitted, lever
from vsm.simulate import DONE, Line, Step, seen, simulate, with_more

UTC = ZoneInfo("UTC")
HOURS = 24 * 110
PEOPLE, RATE = (2, 3, 2, 1), 0.11


def line(busy: float, at: int) -> Line:
    shares = [busy if place == at else 0.5 for place in range(len(PEOPLE))]
    return Line(
        tuple(
            Step(f"S{place}", people, share * people / RATE)
            for place, (people, share) in enumerate(zip(PEOPLE, shares, strict=True))
        ),
        per_hour=RATE,
    )


def true_cut(planted: Line, place: int, seed: int) -> float:
    """By how much the same line with more capacity, in the same weeks, has a shorter mean lead time."""
    means = []
    for one in (planted, with_more(planted, place)):
        run = simulate(one, seed, HOURS)
        done = run.what == DONE
        means.append((run.at[done] - run.born[run.item[done]]).mean())
    return float(1 - means[1] / means[0])


@pytest.mark.parametrize(("at", "seed"), [(0, 1), (1, 2), (2, 3)])
def test_the_planted_stage_is_the_lever_and_its_cut_is_the_true_one_of_those_weeks(at: int, seed: int) -> None:
    planted = line(0.92, at)
    told = seen(simulate(planted, seed, HOURS))
    found = lever(told.visits, told.stages, told.items, told.scope, None, UTC)
    assert found.stage == f"S{at}"
    assert found.equal == ()
    assert found.past == pytest.approx(true_cut(planted, at, seed), abs=0.03)
    assert found.low is not None
    assert found.high is not None
    assert found.cut is not None
    assert found.low <= found.cut <= found.high
    assert f"S{at}" in found.why
    assert found.table["cut"].is_monotonic_decreasing
    assert set(found.table["stage"]) == {"S0", "S1", "S2", "S3"}


@pytest.fixture(scope="module")
def back_test(monkeypatch_module: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Five of the planted lines of the study, with what is true of them; `make bench` takes many more."""
    monkeypatch_module.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    study = import_module("bench_lever")
    return [study.judged(("stable", 2000 + seed)) for seed in range(5)]


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_on_planted_lines_the_true_best_lever_is_named(back_test: list[dict[str, Any]]) -> None:
    assert [one["right"] for one in back_test].count(True) == len(back_test)
    assert [one["then"] for one in back_test].count(True) == len(back_test)


def test_on_planted_lines_the_cut_is_near_the_true_one(back_test: list[dict[str, Any]]) -> None:
    """In the weeks as they were within three points; on average over many runs, five lines scatter more."""
    assert np.mean([abs(one["cut"] - one["true"]) for one in back_test]) <= 0.15
    assert np.mean([abs(one["past"] - one["same"]) for one in back_test]) <= 0.03


def test_equal_levers_are_all_named() -> None:
    """Two stages of the same people, work and load: a simulation of a few weeks cannot tell which is better."""
    twins = Line((Step("A", 2, 14.5), Step("B", 2, 14.5), Step("C", 2, 3.0)), per_hour=RATE)
    told = seen(simulate(twins, 4, HOURS))
    found = lever(told.visits, told.stages, told.items, told.scope, None, UTC)
    assert {found.stage, *found.equal} == {"A", "B"}
    assert f"but in {found.equal[0]} about as much: the simulation cannot tell them apart" in found.why


def test_what_lay_before_a_stage_when_the_weeks_began_is_there_in_the_simulation_too() -> None:
    """A line that was overloaded first: its backlog makes the lead time of the weeks after."""
    early = tuple(float(hour) for hour in range(0, 1200, 5))
    planted = Line(line(0.9, 1).steps, arrivals=(*early, *(1200 + hour / RATE for hour in range(1, 320))))
    run = simulate(planted, 6, 4000)
    told = seen(run)
    late = replace(told.scope, start=told.scope.start + pd.Timedelta(hours=3000))
    model = fitted(told.visits, told.stages, told.items, late, None, UTC)
    again = simulate(model.line, 1, model.end, model.traced)
    assert model.inside > 50
    real, simulated = (
        (one.at - one.born[one.item])[(one.what == DONE) & (one.at > since)].mean()
        for one, since in ((run, 3000), (again, model.warm))
    )
    assert simulated == pytest.approx(real, rel=0.06)


def test_the_same_question_has_the_same_answer() -> None:
    told = seen(simulate(line(0.9, 1), 5, HOURS))
    one, two = (lever(told.visits, told.stages, told.items, told.scope, None, UTC) for _ in range(2))
    assert one.table.equals(two.table)
    assert one.why == two.why


def test_a_few_items_move_nothing() -> None:
    told = seen(simulate(line(0.9, 1), 5, 24 * 7))
    found = lever(told.visits, told.stages, told.items, told.scope, None, UTC)
    assert (found.stage, found.cut, len(found.table)) == (None, None, 0)
    assert "more are needed" in found.why


def test_without_ready_columns_it_is_not_known_how_long_work_takes() -> None:
    told = seen(simulate(line(0.9, 1), 5, HOURS), "single")
    found = lever(told.visits, told.stages, told.items, told.scope, None, UTC)
    assert found.stage is None
    assert found.why == "In no stage is it known how long work takes, so nothing can be simulated."


def test_of_a_huge_log_the_lately_items_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    told = seen(simulate(line(0.92, 2), 3, 2 * HOURS))
    whole = lever(told.visits, told.stages, told.items, told.scope, None, UTC)
    monkeypatch.setattr(import_module("vsm.lever"), "HUGE", 0)
    bounded = lever(told.visits, told.stages, told.items, told.scope, None, UTC)
    assert bounded.stage == whole.stage == "S2"
    assert bounded.table["cut"].tolist() == pytest.approx(whole.table["cut"].tolist(), abs=0.005)
