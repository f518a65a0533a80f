"""Of a log too long for one process the latest visits come, no more than there is room for, and they name the same constraint."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pandas as pd
import pytest

from vsm.metrics import constraint, stages
from vsm.scope import Scope
from vsm.simulate import Line, Seen, Step, seen, simulate
from vsm.warehouse import sample
from vsm.warehouse.brought import sampled
from vsm.warehouse.engine import Engine, connect
from vsm.warehouse.sample import Sample, single_visits
from vsm.warehouse.singles import shortened, singles
from vsm.workflow import Workflow
from vsm.working_time import NOT_A_TIME, micros

UTC = ZoneInfo("UTC")
COLUMNS = ("item", "position", "seq", "queued", "started", "finished", "left", "actor", "team", "kind_in", "before")
ABOUT = ("item", "created_at", "done_at", "cancelled_at", "reopened", "team", "application")
HOURS = 60 * 7 * 24.0


@pytest.fixture(scope="module")
def duckdb() -> Iterator[Engine]:
    engine = connect("duckdb://")
    yield engine
    engine.close()


@pytest.fixture(scope="module", params=[0, 2], ids=["the first stage", "the third stage"])
def planted(request) -> tuple[str, Seen]:
    """Sixty weeks of a line in which one of four stages is busy 93 % of its time and the others half of it."""
    at = request.param
    steps = tuple(Step(f"S{place}", 2, (0.93 if place == at else 0.5) * 2 * 24 / 8) for place in range(4))
    return f"S{at}", seen(simulate(Line(steps, 8 / 24), 3 + at, HOURS))


def table(frame: pd.DataFrame, columns: tuple[str, ...]) -> Any:
    """A frame as a table of an engine, times in microseconds, null where there is none."""
    told = {}
    for name in columns:
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            at = micros(column)
            column = pd.Series(at, dtype="Int64").mask(at == NOT_A_TIME)
        told[name] = column.array
    return ibis.memtable(pd.DataFrame(told))


def brought(engine: Engine, told: Seen, scope: Scope) -> Sample | None:
    stay = stages.visit_before(told.visits)
    before = np.where(stay >= 0, told.visits["position"].to_numpy()[stay], -1)
    flags = ibis.memtable(pd.DataFrame({"item": ["none"], "since": [0], "until": [0]}))
    visits, items = table(told.visits.assign(before=before), COLUMNS), table(told.items, ABOUT)
    return sampled(engine, visits, items, flags, Workflow("line", told.stages), scope)


@pytest.fixture
def scope(planted) -> Scope:
    end = planted[1].scope.end
    return Scope(end - pd.Timedelta(weeks=26), end)


def test_where_all_fits_all_comes(duckdb, planted, scope) -> None:
    told = brought(duckdb, planted[1], scope)
    assert told is not None
    assert told.whole
    assert (len(told.visits), len(told.items)) == (len(planted[1].visits), len(planted[1].items))
    assert told.window(scope) == scope


@pytest.mark.parametrize("most", [9000, 5000, 3500])
def test_where_less_fits_the_latest_come_and_name_the_planted_stage(duckdb, planted, scope, monkeypatch, most: int) -> None:
    monkeypatch.setattr(sample, "MOST", most)
    stage, log = planted
    told = brought(duckdb, log, scope)
    assert told is not None
    assert most - 300 < len(told.visits) + len(told.items) <= most + 6  # and the first item of all
    here = told.window(scope)
    assert (scope.start < here.start, here.end) == (True, scope.end)
    found = singles({"line": told}, "line", Workflow("line", log.stages), scope, None, UTC)
    same = constraint.constraint(stages.lately(log.visits, here), log.stages, log.items, here, None, UTC)
    assert found.constraint is not None
    assert (found.constraint.stage, found.constraint.why, found.constraint.confidence) == (stage, same.why, same.confidence)
    history = found.moved()
    assert history is not None
    assert set(history["stage"].dropna()) == {stage}
    assert history["start"].min() >= told.since
    lever = found.lever()
    assert lever is not None
    assert stage in (lever.stage, *lever.equal)
    assert found.waste().values["in_stages"] == pytest.approx(stages.sojourn(log.visits, here).sum())
    (row,) = shortened({"line": told}, scope)
    assert row["from"] == here.start.isoformat().replace("+00:00", "Z")


def test_where_even_what_is_under_way_is_too_much_nothing_is_told_but_why(duckdb, planted, scope, monkeypatch) -> None:
    monkeypatch.setattr(sample, "MOST", 10)
    told = brought(duckdb, planted[1], scope)
    assert told is None
    found = singles({"line": told}, "line", Workflow("line", planted[1].stages), scope, None, UTC)
    assert (found.constraint, found.lever(), found.moved(), found.waste().values) == (None, None, None, {})
    assert shortened({"line": told}, scope) == [
        {
            "stream": "line",
            "from": None,
            "reason": "more than 10 items and visits are under way: constraint, lever and waste are not told",
        }
    ]


@pytest.mark.parametrize(
    ("counts", "first"),
    [([5, 5, 5, 1], 0), ([50, 5, 5, 1], 1), ([50, 50, 5, 1], 2), ([5, 50, 16, 1], None), ([0, 0, 0, 17], None), ([0], None)],
)
def test_the_first_day_is_that_from_which_on_they_are_few_enough(counts: list[int], first: int | None) -> None:
    assert single_visits(np.array(counts), 16) == first
