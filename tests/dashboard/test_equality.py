"""Tile, explanation, table and `vsm report --format json` say the same of every number of Overview, Flow and Delivery."""

import contextlib
import html
import io
import json
from pathlib import Path

import pytest

from dashboard import theme
from vsm import cli

ROOT = Path(__file__).parents[2]
DORA, RELIABLE, FLOW = ("dora",), ("reliability",), ("flow",)
TILES = {  # label: where the report has it, the value's name, how it is written
    "overview": {
        "Deployment frequency": ((*DORA, "deployment_frequency"), "per_week", theme.per_week),
        "Change lead time, median": ((*DORA, "change_lead_time"), "p50", theme.duration),
        "Change fail rate": ((*DORA, "change_fail_rate"), "value", theme.rate),
        "Recovery time, median": ((*DORA, "failed_deployment_recovery_time"), "p50", theme.duration),
        "Deployment rework rate": ((*DORA, "deployment_rework_rate"), "value", theme.rate),
    },
    "flow": {
        "Lead time, median": ((*FLOW, "lead_time"), "p50", theme.duration),
        "Cycle time, median": ((*FLOW, "cycle_time"), "p50", theme.duration),
        "Throughput": ((*FLOW, "throughput_per_week"), "mean", theme.per_week),
        "Work in progress now": ((*FLOW, "wip"), "now", theme.number),
        "Age of work in progress, median": ((*FLOW, "work_item_age"), "p50", theme.duration),
        "Flow efficiency": ((*FLOW, "flow_efficiency"), "value", theme.rate),
    },
    "delivery": {
        "Changes a deployment, median": (("batch_size",), "p50", theme.number),
        "Change fail rate": ((*DORA, "change_fail_rate"), "value", theme.rate),
        "Time without an open incident": ((*RELIABLE, "availability"), "value", theme.rate),
        "Time to acknowledge, median": ((*RELIABLE, "time_to_acknowledge"), "p50", theme.duration),
    },
}


@pytest.fixture(scope="module")
def report(sample_store):
    """The report on all streams of the sample, as a program gets it."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        options = ["--store", sample_store, "--config", str(ROOT / "sample_data" / "vsm.toml")]
        assert cli.run(["report", "--format", "json", *options]) == 0
    return json.loads(out.getvalue())


@pytest.mark.parametrize("page", TILES)
def test_tile_explanation_and_table_say_what_the_report_says(look, report, page):
    app = look(page)
    shown = {metric.label: html.unescape(metric.value) for metric in app.metric}
    assert list(shown) == list(TILES[page])

    for place, (label, (path, value, written)) in enumerate(TILES[page].items()):
        told = report
        for step in path:
            told = told[step]
        [button] = [one for one in app.button if one.key.startswith("explain_") and _of(one.key, label, place, app)]
        button.click().run()
        assert [*app.exception, *app.error] == []
        summary = next(
            text for text in (html.unescape(one.value) for one in app.markdown) if text.startswith("**") and "n = " in text
        )
        counted = next(tab.label for tab in app.tabs if tab.label.startswith("Counted"))
        number = int(counted.removeprefix("Counted (").removesuffix(")").replace(",", ""))

        assert shown[label] == written(told[value]), label
        assert written(told[value]).removesuffix(" / week") in summary, label
        assert "n" not in told or f"n = {told['n']:,}" in summary, label
        assert number == 0 or number in [len(frame.value) for frame in app.dataframe], label


def _of(key, label, place, app):
    """Whether a button explains a tile: explanations of tiles come in the order of the tiles, before those of charts."""
    return key == [one.key for one in app.button if one.label == "Where this number comes from"][place]
