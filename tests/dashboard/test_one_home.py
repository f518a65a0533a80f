"""One number, one home: tile, chart, table and report say the same, checked on what is really sent to the browser."""

import contextlib
import io
import json
from pathlib import Path

import pyarrow as pa
import pytest

from dashboard import map as drawing
from dashboard import theme
from vsm import cli, config, measure, pipeline, store
from vsm.metrics.figure import nearest_rank
from vsm.scope import Scope, window

ROOT = Path(__file__).parents[2]
VIEWS = ROOT / "dashboard" / "views"


@pytest.fixture(scope="module")
def report(sample_store):
    """The report on one stream of the sample."""
    out = io.StringIO()
    options = ["--stream", "checkout", "--store", sample_store, "--config", str(ROOT / "sample_data" / "vsm.toml")]
    with contextlib.redirect_stdout(out):
        assert cli.run(["report", "--format", "json", *options]) == 0
    return json.loads(out.getvalue())


def sent(app):
    """The frames behind each chart, as the browser gets them."""
    return [[_frame(one.data.data) for one in chart.proto.datasets if one.data.data] for chart in app.get("vega_lite_chart")]


def _frame(data):
    return pa.ipc.open_stream(io.BytesIO(data)).read_pandas()


def with_columns(app, *names):
    """The one frame among all charts that has these columns and the most rows."""
    fits = [frame for frames in sent(app) for frame in frames if set(names) <= set(frame.columns)]
    return max(fits, key=len)


@pytest.fixture
def overview(run):
    return run(VIEWS / "overview.py", "sample", stream="checkout")


@pytest.fixture
def flow(run):
    return run(VIEWS / "flow.py", "sample", stream="checkout")


def test_deployments_by_week_add_up_to_the_reports(overview, report):
    weeks = next(
        frames[0] for frames in sent(overview) if "n" in frames[0] and "p50" not in frames[0] and "failed" not in frames[0]
    )

    assert weeks["n"].sum() == report["dora"]["deployment_frequency"]["n"]


def test_lead_times_by_week_are_of_the_changes_that_the_report_counts(overview, report):
    assert with_columns(overview, "week", "p50", "p95")["n"].sum() == report["dora"]["change_lead_time"]["n"]


def test_failures_by_week_add_up_to_the_reports(overview, report):
    weeks = with_columns(overview, "week", "failed", "value")

    fail = report["dora"]["change_fail_rate"]
    assert (weeks["failed"].sum(), weeks["n"].sum()) == (fail["failed"], fail["n"])


def test_the_dots_of_recovery_have_the_reports_median(overview, report):
    dots = with_columns(overview, "deployment", "hours")

    recovery = report["dora"]["failed_deployment_recovery_time"]
    assert len(dots) == recovery["n"]
    assert nearest_rank(dots["hours"], 0.5) == pytest.approx(recovery["p50"])


def test_the_dots_of_cycle_time_have_the_reports_percentiles(flow, report):
    dots = with_columns(flow, "item", "done_at", "hours")

    cycle = report["flow"]["cycle_time"]
    assert len(dots) == cycle["n"]
    assert [nearest_rank(dots["hours"], p) for p in (0.5, 0.85, 0.95)] == pytest.approx([cycle[p] for p in ("p50", "p85", "p95")])


def test_finished_items_by_week_add_up_to_the_reports(flow, report):
    assert with_columns(flow, "week", "items")["items"].sum() == report["flow"]["throughput_per_week"]["n"]


def test_ages_have_the_reports_percentiles(flow, report):
    dots = with_columns(flow, "item", "stage", "age_hours")

    age = report["flow"]["work_item_age"]
    assert len(dots) == age["n"] == report["flow"]["wip"]["now"]
    assert nearest_rank(dots["age_hours"], 0.5) == pytest.approx(age["p50"])


def test_tiles_of_the_flow_page_say_what_the_report_says(flow, report):
    tiles = {metric.label.partition(",")[0]: metric.value for metric in flow.metric}

    assert tiles["Lead time"] == theme.duration(report["flow"]["lead_time"]["p50"])
    assert tiles["Cycle time"] == theme.duration(report["flow"]["cycle_time"]["p50"])
    assert tiles["Flow efficiency"] == theme.rate(report["flow"]["flow_efficiency"]["value"])


def test_the_steps_of_both_ways_and_the_batches_are_the_reports(run, report):
    page = run(VIEWS / "delivery.py", "sample", stream="checkout")
    drawn = [next(frame for frame in frames if {"part", "mean"} <= set(frame)) for frames in sent(page)[:2]]

    for frame, way in zip(drawn, ("happy_path", "recovery_stream"), strict=True):
        told = [step for step in report[way]["steps"] if step["n"]]
        assert frame[["part", "n"]].values.tolist() == [[step["step"], step["n"]] for step in told]
        assert frame["mean"].tolist() == pytest.approx([step["mean"] for step in told])
    assert with_columns(page, "week", "p50", "p85")["n"].sum() == report["batch_size"]["n"]


def test_the_table_of_failures_lists_what_the_report_counts(run, report):
    page = run(VIEWS / "delivery.py", "sample", stream="checkout")
    listed = next(frame.value for frame in page.dataframe if "recovered_at" in frame.value)

    assert len(listed) == report["dora"]["change_fail_rate"]["failed"]
    assert nearest_rank(listed["hours"], 0.5) == pytest.approx(report["dora"]["failed_deployment_recovery_time"]["p50"])


def test_the_table_of_stages_is_the_reports(run, report):
    app = run(VIEWS / "value_stream.py", "sample", stream="checkout")
    table = next(frame.value for frame in app.dataframe if "queue_share" in frame.value)

    for row, stage in zip(table.to_dict("records"), report["stages"], strict=True):
        assert row["stage"] == stage["stage"]
        assert [row[name] for name in ("visits", "arrivals", "departures", "wip_now")] == [
            stage[name] for name in ("visits", "arrivals", "departures", "wip_now")
        ]
        assert row["wait_p50"] == pytest.approx(stage["wait"]["p50"], nan_ok=True)
        assert row["queue_share"] == pytest.approx(stage["queue_share"])


def test_the_map_draws_the_reports_numbers(sample_store, report):
    told = config.load(ROOT / "sample_data" / "vsm.toml")
    flow = pipeline.read(store.facts(store.open_store(sample_store, create=False)), told)
    one = measure.measure(flow, Scope(*window(flow.now, told.zone), stream="checkout"))
    drawn = drawing.value_stream_svg(drawing.MapModel.of(one.graph, one.constraint.stage, one.loops))

    for stage in report["stages"]:
        assert stage["stage"] in drawn
        assert theme.duration(stage["work"]["p50"]) in drawn or stage["work"]["n"] == 0
        assert theme.duration(stage["wait"]["p50"]) in drawn
