"""The dashboard of an engine: the store's numbers wherever they are counted, and a sentence where single items would be."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import counted, data, picks
from dashboard.behind import flows, look
from dashboard.charts.marks import WEEK
from dashboard.data import Choice
from vsm import cli, config, measure, pipeline, store
from vsm.errors import UsageError
from vsm.measure import Measures
from vsm.metrics.compare import compare
from vsm.stage_changes import stage_changes
from vsm.warehouse import listed
from vsm.warehouse.measured import ABSENT

PAGES = ("overview", "value_stream", "flow", "bottlenecks", "delivery", "forecast", "retro", "data")
SAMPLE = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
LEADING = {
    "lead_time": "p50", "cycle_time": "p50", "throughput": "mean", "work_item_age": "p50", "flow_efficiency": "value",
    "handoffs_per_item": "mean", "rework": "share", "deployment_frequency": "per_week", "change_lead_time": "p50",
    "change_fail_rate": "value", "failed_deployment_recovery_time": "p50", "deployment_rework_rate": "value",
}  # fmt: skip
DORA = (
    "deployment_frequency", "change_lead_time", "change_fail_rate", "failed_deployment_recovery_time", "deployment_rework_rate",
)  # fmt: skip
CHECKOUT = Choice(stream="checkout", team=None, weeks=26, compare=True)


@pytest.fixture(scope="module")
def url(sample_duckdb, tmp_path_factory) -> Iterator[str]:
    """A DuckDB file with what the sample's store holds."""
    file = tmp_path_factory.mktemp("engine") / "sample.duckdb"
    yield f"duckdb://{shutil.copy(sample_duckdb, file)}"
    flows.held_engine.clear()  # and with it the connection


@pytest.fixture
def engine(url, monkeypatch) -> None:
    monkeypatch.setenv(counted.ENGINE, url)


def text(app: AppTest) -> str:
    return " ".join(one.value for one in (*app.info, *app.caption, *app.markdown))


def bare(found: Measures) -> Measures:
    """Measures as an engine counts them, without rows."""
    figures = {name: replace(figure, rows=figure.rows.head(0)) for name, figure in found.figures.items()}
    return replace(found, figures=figures)


def test_every_page_is_drawn_and_says_where_its_numbers_are_counted(engine, look) -> None:
    app = look("overview", compare="false", stream="checkout")
    assert "Counted in the engine duckdb&#58;//" in text(app)
    assert "holds work back" in text(app)
    assert all(one.value != "–" for one in app.metric)
    for page in PAGES[1:]:
        app.switch_page(f"views/{page}.py").run()
        assert [*app.exception, *app.error, *app.warning] == [], page
        assert "Single items stay in the engine" in text(app), page
        assert "open its item's path" not in text(app), page
        if page == "forecast":
            assert "No forecast" not in text(app)
            assert "Not drawn here" not in text(app)
        if page == "data":
            assert (counted.NO_CHECKS in text(app), [one.value for one in app.success]) == (True, [])
        if page == "flow":
            assert "No board here" in text(app)
            assert {one.label: one.value for one in app.metric}["Throughput"] != "–"


def test_figures_weeks_and_the_constraint_are_those_of_the_store(engine, sample, stores) -> None:
    found = data.measures(CHECKOUT)
    with store.opened(stores["sample"], create=False) as told:
        flow = pipeline.read(store.facts(told), config.load(SAMPLE), found.scope.end)
    expected = measure.measure(flow, found.scope)
    for name in found.figures.keys() - {*ABSENT}:
        here, there = found.figures[name], expected.figures[name]
        known = {value: number for value, number in here.values.items() if number is not None}
        assert known == pytest.approx({value: there.values[value] for value in known})
        assert (len(known) > 0, here.n, here.unit, here.definition) == (True, there.n, there.unit, there.definition)
        if there.series is not None:
            pd.testing.assert_frame_equal(there.series, here.series, rtol=1e-9)
    assert found.constraint is not None
    assert expected.constraint is not None
    assert (found.constraint.stage, found.constraint.why) == (expected.constraint.stage, expected.constraint.why)
    assert found.waste.values == expected.waste.values
    for name in ("throughput", "cycle_time", "lead_time", *DORA):
        here, there = found.figures[name].rows, expected.figures[name].rows
        known = [column for column in here if here[column].notna().any()]
        assert len(known) > 2
        pd.testing.assert_frame_equal(there[known], here[known])


def test_a_week_that_is_picked_lists_what_was_in_it(engine, sample) -> None:
    drawn = data.drawn("throughput", CHECKOUT)
    week = drawn.rows.loc[drawn.rows["items"].idxmax()]
    told = picks.found(drawn, {WEEK: [{"monday": week["week"].isoformat()}]}, "Europe/Vienna", None)
    assert told is not None
    assert len(told[0]) == week["items"] > 5
    assert data.drawn("recovery", CHECKOUT).chart is not None


def test_where_rows_are_many_they_stay_in_the_engine_and_nothing_invites_to_list_them(engine, sample, monkeypatch) -> None:
    found, (key, configured) = data.measures(CHECKOUT), look.key()
    monkeypatch.setattr(listed, "MOST", 20)
    told = listed.with_rows(flows.held_engine(key, configured, None).warehouse, bare(found), found.scope)
    assert {name for name, figure in told.figures.items() if len(figure.rows)} == {"failed_deployment_recovery_time"}
    figure = told.figures["throughput"]
    assert counted.nothing(figure)[0] == "Not listed: there are more than 1,000, and they stay in the engine."
    assert counted.nothing(replace(figure, n=0))[0] == "Nothing was counted."
    shown = counted.drawn(replace(data.drawn("throughput", CHECKOUT), figure=figure))
    assert (shown.pick, counted.NOT_LISTED in shown.reading) == (None, True)


def test_what_clearly_changed_since_the_period_before_is_told_as_from_the_store(engine, sample, stores) -> None:
    here, past = data.measures(CHECKOUT), data.measures_before(CHECKOUT)
    with store.opened(stores["sample"], create=False) as told:
        flow = pipeline.read(store.facts(told), config.load(SAMPLE), here.scope.end)
    now, before = (measure.measure(flow, scope) for scope in (here.scope, here.scope.before()))
    for name, value in LEADING.items():
        expected = compare(now.figures[name], before.figures[name], value)
        found = compare(here.figures[name], past.figures[name], value)
        assert (found.verdict, found.rule) == (expected.verdict, expected.rule), name
        assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high)), name
    pd.testing.assert_frame_equal(stage_changes(now, before), stage_changes(here, past))


@pytest.fixture
def in_postgres(postgres, sample_store, monkeypatch) -> Iterator[None]:
    """A PostgreSQL database with what the sample's store holds is the engine, over a connection with a password."""
    database = postgres.fresh()
    told = postgres.loopback(database.partition("@/")[2].partition("?")[0])
    assert cli.run(["export", "warehouse", "--engine", told, "--store", sample_store, "--config", str(SAMPLE)]) == 0
    monkeypatch.setenv(counted.ENGINE, told)
    yield
    flows.held_engine.clear()
    postgres.drop(database)


@pytest.mark.peer
def test_pages_of_an_engine_on_postgresql_have_the_numbers_of_one_on_duckdb(url, sample, in_postgres, look, monkeypatch) -> None:
    app = look("overview", compare="false", stream="checkout")
    assert "Counted in the engine postgresql&#58;//127&#46;0&#46;0&#46;1" in text(app)
    app.switch_page("views/flow.py").run()
    assert [*app.exception, *app.error, *app.warning] == []
    here = data.measures(CHECKOUT)
    assert len(here.figures["cycle_time"].rows) > 100
    monkeypatch.setenv(counted.ENGINE, url)
    for name, there in data.measures(CHECKOUT).figures.items():
        assert here.figures[name].values == pytest.approx(there.values), name
        pd.testing.assert_frame_equal(there.rows, here.figures[name].rows)


def test_what_an_engine_cannot_tell_is_refused_in_a_sentence(engine, sample, capsys) -> None:
    with pytest.raises(UsageError, match="stay in the engine"):
        data.measures(replace(CHECKOUT, level="parent"))
    assert counted.shown("postgresql://me:secret@host/base") == "postgresql://host/base"
    assert cli.run(["dashboard", "--engine", "oracle://x"]) == 2
    assert "no engine of that kind" in capsys.readouterr().err
