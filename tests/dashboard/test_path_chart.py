"""The timeline of one item: a row a stage, what it was by colour and by word, and nothing that a browser would run."""

import json

import pandas as pd
import pytest

from dashboard.charts.path import KINDS, MOST, timeline
from vsm.frames import empty
from vsm.path_spans import KINDS as TOLD
from vsm.path_spans import SPANS

NOW = pd.Timestamp("2026-03-20T12:00")
EVIL = "<img src=x onerror=alert(1)> \u202e" + "x" * 500


def at(day: int) -> pd.Timestamp:
    return pd.Timestamp(2026, 3, day)


def spans(*rows: tuple) -> pd.DataFrame:
    """Spans by lane, row, kind, name, and the days of March that they begin and end."""
    told = [
        dict.fromkeys(SPANS)
        | {"lane": lane, "row": row, "line": 0, "kind": kind, "name": name, "from": at(first),
           "to": pd.NaT if last is None else at(last),
           "hours": 24.0 * ((20 if last is None else last) - first), "ref": "PAY-1", "said": "so"}
        for lane, row, kind, name, first, last in rows
    ]  # fmt: skip
    return pd.DataFrame(told, columns=list(SPANS))


def rows_of(chart) -> list[dict]:
    """All that a chart draws."""
    spec = json.loads(chart.to_json())
    return [row for name in spec["datasets"] for row in spec["datasets"][name]]


def y_of(chart) -> list[str]:
    return json.loads(chart.to_json())["layer"][0]["encoding"]["y"]["sort"]


def test_every_kind_has_its_colour_and_its_words():
    assert set(KINDS) == set(TOLD)


def test_each_stage_has_a_row_in_map_order_between_what_was_before_and_after():
    told = spans(
        ("ticket", "Stages", "outside", "Backlog", 1, 2), ("ticket", "Stages", "wait", "Review", 2, 4),
        ("ticket", "Stages", "work", "Develop", 4, 6), ("ticket", "Stages", "outside", "Done", 6, 7),
        ("deployment", "production", "passed", "Deployment of shop", 6, 6), ("incident", "INC-1", "incident", "Down", 6, 8),
    )  # fmt: skip
    chart = timeline(told, NOW, ["Develop", "Review", "QA"])
    assert y_of(chart) == ["Backlog", "Develop", "Review", "Done", "Deployed to production", "INC-1"]
    assert {row["meaning"] for row in rows_of(chart)} == {"In no stage", "Waiting", "Work", "Succeeded", "Incident"}


def test_what_goes_on_ends_now_and_says_so():
    (span, now) = rows_of(timeline(spans(("ticket", "Stages", "work", "QA", 10, None)), NOW))
    assert (span["until"], span["ended"], span["length"]) == ("2026-03-20T12:00:00", "goes on", "10.0 d")
    assert now["said"] == "now"


@pytest.mark.parametrize("first", [1, 20])
def test_what_took_no_time_is_a_dot(first):
    chart = timeline(spans(("build", "ci", "failed", "Build", first, first)), NOW)
    assert [layer["mark"]["type"] for layer in json.loads(chart.to_json())["layer"]] == ["point"]


def test_nothing_known_is_no_chart():
    assert timeline(empty(SPANS), NOW) is None


def test_many_rows_are_cut_and_long_names_too():
    told = spans(*(("change", f"shop#{number}{EVIL}", "wait", EVIL, 1, 3) for number in range(MOST + 9)))
    labels = y_of(timeline(told, NOW))
    assert len(labels) == MOST
    assert all(len(label) <= 34 for label in labels)
