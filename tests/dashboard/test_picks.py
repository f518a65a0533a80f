"""From marks that were picked to their rows: a click and a brush say which, whatever clock the browser has."""

import pandas as pd
import pytest

from dashboard import picks
from dashboard.charts import delivery, flow
from dashboard.charts.entry import Drawn, Pick
from vsm.metrics.figure import Figure

DONE = pd.to_datetime(["2026-03-01T22:30:00Z", "2026-03-04T10:00:00Z", "2026-03-12T10:00:00Z"])  # the first is Sunday in UTC
ZONE = "Europe/Vienna"


def chart(name: str, rows: pd.DataFrame, drawn, pick: Pick) -> Drawn:
    figure = Figure(name, {}, len(rows), "hours", "What it means", "how", rows)
    return Drawn(name, "flow", name, "Said.", "Read.", figure, rows, "", "", drawn, pick=pick)


def naive(rows: pd.DataFrame, name: str = "done_at") -> pd.DataFrame:
    return rows.assign(**{name: rows[name].dt.tz_convert(ZONE).dt.tz_localize(None)})


@pytest.fixture
def items() -> pd.DataFrame:
    return pd.DataFrame({"item": ["PAY-1", "PAY-2", "PAY-3"], "done_at": DONE, "hours": [10.0, 50.0, 90.0]})


@pytest.fixture
def scatter(items) -> Drawn:
    return chart("cycle_time", items, flow.cycle_scatter(naive(items), pick=True), Pick("item", "done_at"))


@pytest.fixture
def weeks(items) -> Drawn:
    series = pd.DataFrame({"week": pd.to_datetime(["2026-02-23", "2026-03-02", "2026-03-09"]), "items": [1, 1, 1], "whole": True})
    return chart("throughput", items, flow.throughput(series, pick=True), Pick("week", "done_at"))


def at(wall_clock: str, seen_in: str) -> float:
    """An instant as a browser in a zone tells the wall clock that it drew."""
    return pd.Timestamp(wall_clock, tz=seen_in).timestamp() * 1000


def test_nothing_picked_is_nothing(scatter, weeks):
    assert picks.found(scatter, {}, ZONE, None) is None
    assert picks.found(scatter, {"brush": {}, "item": [{"item": "PAY-1"}]}, ZONE, None) is None, "a click on an item opens its path"
    assert picks.found(weeks, {"brush": {}, "week": [{"monday": None}]}, ZONE, None) is None, "a click beside the bars"


@pytest.mark.parametrize("seen_in", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_a_brush_takes_the_dots_under_it_in_every_time_zone(scatter, seen_in):
    days = [at("2026-03-13T00:00", seen_in), at("2026-03-01T23:00", seen_in)]  # drawn from the right to the left

    rows, of = picks.found(scatter, {"brush": {"done_at": days, "hours": [0, 60]}}, ZONE, seen_in)

    assert (rows["item"].tolist(), of) == (["PAY-1", "PAY-2"], ())
    assert picks.said(scatter, rows, of) == "2 items picked"
    later = [at("2026-03-01T23:31", seen_in), days[0]]
    assert picks.found(scatter, {"brush": {"done_at": later}}, ZONE, seen_in)[0]["item"].tolist() == ["PAY-2", "PAY-3"]


def test_a_brush_over_cells_takes_the_items_that_they_count(items, monkeypatch):
    monkeypatch.setattr(flow, "MOST_DOTS", 2)
    cells = chart("cycle_time", items, flow.cycle_scatter(naive(items), pick=True), Pick("item", "done_at"))

    days = [at("2026-03-02T12:00", ZONE), at("2026-03-13T00:00", ZONE)]
    rows, _ = picks.found(cells, {"brush": {"left": days, "low": [40, 95]}}, ZONE, ZONE)

    assert rows["item"].tolist() == ["PAY-2", "PAY-3"]
    assert picks.how(cells).startswith("Drag over cells")


def test_a_week_that_is_clicked_begins_on_monday_in_the_reporting_zone(weeks):
    rows, of = picks.found(weeks, {"week": [{"monday": "2026-02-23"}]}, ZONE, None)
    assert rows["item"].tolist() == ["PAY-1"]
    assert picks.said(weeks, rows, of) == "1 item in the week from 23 Feb 2026"

    both = {"week": [{"monday": "2026-03-09"}, {"monday": "2026-02-23"}]}  # the second with shift
    assert picks.found(weeks, both, ZONE, None)[0]["item"].tolist() == ["PAY-1", "PAY-3"]


@pytest.mark.parametrize("seen_in", ["America/New_York", "Asia/Tokyo"])
def test_a_week_that_is_brushed_in_part_counts(weeks, seen_in):
    ends = [at("2026-03-08T20:00", seen_in), at("2026-03-09T01:00", seen_in)]

    rows, of = picks.found(weeks, {"brush": {"week": ends}}, ZONE, seen_in)

    assert rows["item"].tolist() == ["PAY-2", "PAY-3"]
    assert picks.said(weeks, rows, of) == "2 items in 2 weeks, 2 Mar 2026 to 15 Mar 2026"


def test_deployments_are_listed_by_a_click():
    failed = pd.DataFrame({"deployment": ["shop-1", "shop-2"], "deployed_at": DONE[:2], "hours": [1.0, 2.0]})
    told = chart("recovery", failed, delivery.recovery(naive(failed, "deployed_at"), pick=True), Pick("deployment"))

    rows, _ = picks.found(told, {"mark": [{"deployment": "shop-2"}, {"deployment": None}]}, ZONE, None)

    assert rows["deployment"].tolist() == ["shop-2"]
    assert picks.modes(told) == ["brush", "mark"]
