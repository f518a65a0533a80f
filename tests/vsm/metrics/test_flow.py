"""Flow: lead time, cycle time, throughput, work in progress and its age, flow efficiency, distribution."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.flow import cycle_time, distribution, flow_efficiency, lead_time, throughput, wip, work_item_age
from vsm.metrics.stages import split
from vsm.workflow import Stage

UTC = ZoneInfo("UTC")
Build = Callable  # of the builders in conftest
DAY = 24.0


def reasons(figure: object) -> dict[str, str]:
    out = figure.left_out  # type: ignore[attr-defined]
    return dict(zip(out["id"], out["reason"], strict=True))


@pytest.mark.parametrize(
    ("history", "days", "of"),
    [
        pytest.param("", None, 0, id="nothing at all"),
        pytest.param("A-1: created 01-01, Dev 01-02, done 01-05, production 01-06", 5, 1, id="one item"),
        pytest.param("A-1: created 01-01, Dev 01-02", None, 0, id="still open"),
        pytest.param("A-1: created 01-01, Dev 01-02, Review 01-03, Dev 01-04, done 01-05, production 01-05", 4, 1, id="went back"),
        pytest.param("A-1: created 01-01, Dev 01-01, done 01-01, production 01-01", 0, 1, id="same instant: 0, not missing"),
        pytest.param("A-1: created 01-01, Test 01-02, done 01-03, production 01-04", 3, 1, id="skipped stages"),
        pytest.param("A-1: created 01-01, Dev 01-02, done 01-03, Dev 01-04, done 01-07, production 01-07", 6, 1, id="reopened"),
        pytest.param("A-1: created 01-01, Dev 01-02, cancelled 01-03", None, 0, id="cancelled"),
        pytest.param("A-1: created 01-01, Dev 01-02, done 01-03", None, 1, id="done, but not in production: coverage"),
        pytest.param("A-1: created 01-09, Dev 01-02, done 01-03, production 01-03", None, 1, id="created after its end"),
        pytest.param("A-1: Dev 01-02, done 01-03, production 01-03", None, 1, id="creation not known"),
        pytest.param("A-1: created 01-01, Dev 01-02, done 01-03, production 03-01", None, 1, id="in production after the window"),
        pytest.param("A-1: created 01-01, Dev 01-02, production 01-03", 2, 1, id="in production before its ticket is done"),
    ],
)
def test_lead_time_runs_from_creation_to_production(path: Build, scope: Build, history: str, days: float | None, of: int) -> None:
    figure = lead_time(path(history).items, scope())
    assert figure.values["p50"] == (None if days is None else days * DAY)
    assert (figure.n, figure.of) == (0 if days is None else 1, of)
    assert figure.said["end"] == "production"


def test_lead_time_may_end_with_done_and_says_so(path: Build, scope: Build) -> None:
    figure = lead_time(path("A-1: created 01-01, Dev 01-02, done 01-03").items, scope(), "done")
    assert (figure.values["p50"], figure.n, figure.of, figure.said["end"]) == (2 * DAY, 1, 1, "done")


def test_who_is_left_out_of_lead_time_is_named_with_the_reason(path: Build, scope: Build) -> None:
    figure = lead_time(
        path("""
        A-1: created 01-01, Dev 01-02, done 01-03
        A-2: created 01-01, Dev 01-02, cancelled 01-03
        A-3: created 01-09, production 01-03
        A-4: created 01-01, done 01-03, production 01-03
        A-5: created 01-01, Dev 01-03
    """).items,
        scope(),
    )
    assert reasons(figure) == {
        "A-1": "done in the window, but not known to be in production by its end",
        "A-2": "cancelled in the window",
        "A-3": "created after it was in production",
    }
    assert figure.rows["item"].tolist() == ["A-4"]
    assert figure.coverage == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("history", "days", "of"),
    [
        pytest.param("", None, 0, id="nothing at all"),
        pytest.param("A-1: created 01-01, Dev~ 01-02, Dev 01-03, done 01-05", 2, 1, id="from work, not from waiting"),
        pytest.param("A-1: Dev 01-02", None, 0, id="still open"),
        pytest.param("A-1: Dev 01-02, Review 01-03, Dev 01-05, done 01-09", 7, 1, id="went back: keeps its first start"),
        pytest.param("A-1: Dev 01-02, done 01-02", 0, 1, id="same instant"),
        pytest.param("A-1: Test 01-02, done 01-04", 2, 1, id="skipped stages"),
        pytest.param("A-1: Dev 01-02, done 01-03, Dev 01-05, done 01-09", 7, 1, id="reopened: to the final done"),
        pytest.param("A-1: Dev 01-02, done 01-03, Dev 01-05", None, 0, id="reopened and open"),
        pytest.param("A-1: Dev 01-02, cancelled 01-04", None, 0, id="cancelled"),
        pytest.param("A-1: Dev~ 01-02, done 01-04", None, 1, id="never seen in work: coverage"),
        pytest.param("A-1: created 01-01, done 01-04", None, 1, id="never in a stage"),
        pytest.param("A-1: Dev 01-02, new 01-03, Dev 01-05, done 01-06", 4, 1, id="back in the backlog: the clock goes on"),
        pytest.param("A-1: Dev 01-02, done 02-20", None, 0, id="done after the window"),
    ],
)
def test_cycle_time_runs_from_first_work_to_done(path: Build, scope: Build, history: str, days: float | None, of: int) -> None:
    figure = cycle_time(path(history).items, scope())
    assert figure.values["p50"] == (None if days is None else days * DAY)
    assert (figure.n, figure.of) == (0 if days is None else 1, of)


def test_the_known_log_has_the_known_cycle_times(known: Build, scope: Build) -> None:
    figure = cycle_time(known.items, scope("01-01", "01-13"))
    assert dict(zip(figure.rows["item"], figure.rows["hours"] / DAY, strict=True)) == {"A-3": 4, "A-1": 6, "A-2": 10}
    assert {name: hours and hours / DAY for name, hours in figure.values.items()} == {"p50": 6, "p85": 10, "p95": 10}


def test_throughput_counts_final_done_by_week_also_weeks_without_any(path: Build, scope: Build) -> None:
    figure = throughput(
        path("""
        A-1: Dev 01-01, done 01-02
        A-2: Dev 01-01, done 01-02, Dev 01-04, done 01-13
        A-3: Dev 01-01, cancelled 01-14
        A-4: Dev 01-01
    """).items,
        scope("01-01", "01-29"),
        UTC,
    )
    assert (figure.values["mean"], figure.n) == (0.5, 2)
    assert figure.series is not None
    assert figure.series["items"].tolist() == [1, 0, 1, 0, 0]
    assert figure.series["whole"].tolist() == [False, True, True, True, False]
    assert reasons(figure) == {"A-3": "cancelled in the window"}


@pytest.mark.parametrize(
    ("history", "mean"),
    [
        pytest.param("", None, id="nothing at all"),
        pytest.param("A-1: created 01-01", None, id="no history to be done in"),
        pytest.param("A-1: Dev 01-02", 0, id="nothing was finished: that is a rate"),
    ],
)
def test_throughput_of_none_is_nothing_only_where_nothing_could_be_seen(
    path: Build, scope: Build, history: str, mean: float | None
) -> None:
    assert throughput(path(history).items, scope(), UTC).values["mean"] == mean


@pytest.mark.parametrize(
    ("zone", "weeks"), [("UTC", [1, 0]), ("Pacific/Kiritimati", [0, 1])], ids=["Sunday evening in UTC", "is Monday in Kiritimati"]
)
def test_weeks_begin_on_monday_in_the_reporting_zone(path: Build, scope: Build, zone: str, weeks: list[int]) -> None:
    told = path("A-1: Dev 01-01, done 01-11 20:00")
    series = throughput(told.items, scope("01-07", "01-15"), ZoneInfo(zone)).series
    assert series is not None
    assert series["items"].tolist() == weeks


def test_wip_is_what_is_in_a_stage_now_and_its_mean_is_littles_law(path: Build, scope: Build) -> None:
    told = path("""
        A-1: Dev 01-01, done 01-05
        A-2: Dev 01-03, new 01-05
        A-3: Dev~ 01-05
        A-4: Dev 01-06, cancelled 01-07
        A-5: created 01-02
    """)
    figure = wip(told.visits, told.items, scope("01-01", "01-11"))
    assert figure.values == {"now": 1, "mean": pytest.approx((4 + 2 + 6 + 1) / 10)}
    assert figure.n == 4
    assert figure.rows["item"].tolist()[0] == "A-3"
    assert reasons(figure) == {"A-5": "no stay in any stage is recorded"}


def test_no_visits_are_no_wip_but_an_empty_line_holds_none(path: Build, scope: Build) -> None:
    nothing, over = path(""), path("A-1: Dev 01-01, done 01-05")
    assert wip(nothing.visits, nothing.items, scope()).values == {"now": None, "mean": None}
    assert wip(over.visits, over.items, scope("01-10", "01-20")).values == {"now": 0, "mean": 0}


def test_age_runs_from_the_first_stage_entered_and_the_oldest_comes_first(path: Build, scope: Build) -> None:
    told = path("""
        A-1: created 01-01, Dev~ 01-05, Dev 01-08
        A-2: Dev 01-02, Review 01-03, Dev 01-09
        A-3: Dev 01-02, done 01-04
        A-4: Dev 01-02, new 01-04
        A-5: Dev 01-02, cancelled 01-04
        A-6: created 01-01
        A-7: Dev 01-10, done 01-30
    """)
    figure = work_item_age(told.items, scope("01-01", "01-11"))
    assert figure.rows["item"].tolist() == ["A-2", "A-1", "A-7"]
    assert (figure.values["p50"], figure.values["p85"], figure.n) == (6 * DAY, 9 * DAY, 3)


@pytest.mark.parametrize(
    ("history", "value", "of"),
    [
        pytest.param("", None, 0, id="nothing at all"),
        pytest.param("A-1: Dev~ 01-01, Dev 01-04, done 01-05", 0.25, 1, id="one item"),
        pytest.param("A-1: Dev~ 01-01, Dev 01-04", None, 0, id="still open"),
        pytest.param("A-1: Dev~ 01-01, Dev 01-02, Review~ 01-03, Dev~ 01-05, Dev 01-07, done 01-09", 3 / 6, 1, id="went back"),
        pytest.param("A-1: Dev 01-01, done 01-01", None, 1, id="no time at all"),
        pytest.param("A-1: Dev~ 01-01, done 01-05", None, 1, id="only queued: work not known"),
        pytest.param("A-1: Dev 01-01, cancelled 01-05", None, 0, id="cancelled"),
        pytest.param("A-1: Dev 01-01, done 01-02, Dev~ 01-05, Dev 01-06, done 01-08", 3 / 4, 1, id="reopened: done is no wait"),
        pytest.param("A-1: Dev~ 01-01, Dev 01-02, done 01-03\nA-2: Dev~ 01-01, Dev 01-04, done 01-05", 2 / 6, 2, id="of sums"),
    ],
)
def test_flow_efficiency_is_the_share_of_work(path: Build, scope: Build, history: str, value: float | None, of: int) -> None:
    told = path(history)
    figure = flow_efficiency(split(told.visits, told.line), told.items, scope())
    assert figure.values["value"] == (None if value is None else pytest.approx(value))
    assert figure.of == of


def test_a_stage_that_only_holds_is_wait_and_one_without_a_waiting_side_does_not_count(path: Build, scope: Build) -> None:
    line = (Stage("Dev", waiting=("w",), active=("a",)), Stage("Review", active=("a",)), Stage("Test", waiting=("w",)))
    told = path(
        """
        A-1: Dev~ 01-01, Dev 01-02, Review 01-03, Test~ 01-06, done 01-08
        A-2: Review 01-01, Test~ 01-02, done 01-03
    """,
        line,
    )
    figure = flow_efficiency(split(told.visits, line), told.items, scope())
    assert figure.values["value"] == pytest.approx(1 / (1 + 1 + 2))
    assert (figure.n, figure.of) == (1, 2)
    assert figure.values["hours_known"] == pytest.approx(4 / 9)
    assert reasons(figure) == {"A-2": "no stay shows both wait and work"}


def test_finished_items_are_counted_by_type_and_one_without_a_type_stays_without(path: Build, scope: Build) -> None:
    items = path("\n".join(f"A-{n}: Dev 01-01, done 01-05" for n in range(4))).items
    items = items.assign(type=pd.Series(["Defect", "Feature", "Feature", None], dtype="str"))
    told = distribution(items, scope())
    assert told["n"].tolist() == [2, 1, 1]
    assert told["type"].tolist()[:2] == ["Feature", "Defect"]
    assert told["type"].isna().tolist() == [False, False, True]
    assert len(distribution(path("").items, scope())) == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_quoted_is_what_is_listed_and_nobody_is_both_counted_and_left_out(
    path: Build, scope: Build, histories: Build, data: st.DataObject
) -> None:
    told = path(data.draw(histories))
    figures = [
        lead_time(told.items, scope(), "done"),
        cycle_time(told.items, scope()),
        work_item_age(told.items, scope()),
        throughput(told.items, scope(), UTC),
        flow_efficiency(split(told.visits, told.line), told.items, scope()),
    ]
    for figure in figures:
        assert figure.n == len(figure.rows)
        assert not set(figure.rows["item"]) & set(figure.left_out["id"])
        assert figure.left_out["id"].is_unique
        assert figure.of is None or figure.n <= figure.of
        assert {value for name, value in figure.values.items() if name.startswith("p")} <= {*figure.rows.get("hours", []), None}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_items_that_age_are_the_items_in_progress(path: Build, scope: Build, histories: Build, data: st.DataObject) -> None:
    told = path(data.draw(histories))
    window = scope("01-01", "02-28")  # behind the last event of any history
    now = wip(told.visits, told.items, window).values["now"]
    assert work_item_age(told.items, window).n == (now or 0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_time_in_stages_and_between_them_is_the_time_from_first_queue_to_done(
    path: Build, scope: Build, histories: Build, data: st.DataObject
) -> None:
    told = path(data.draw(histories))
    once = told.items[(told.items["state"] == "done") & (told.items["reopened"] == 0) & told.items["first_queued"].notna()]
    for item in once.itertuples():
        stays = told.visits[told.visits["item"] == item.item]
        outside = (stays["queued"].shift(-1) - stays["left"]).dropna().sum() + (item.done_at - stays["left"].iloc[-1])
        assert (stays["left"] - stays["queued"]).sum() + outside == item.done_at - item.first_queued
