"""Time in stage: wait and work told apart, what is inside, what comes and goes, and how often something waits."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.config import Calendar
from vsm.metrics.stages import NEVER, lately, overtaken, sojourn, split, stages
from vsm.workflow import Stage
from vsm.working_time import HOUR, NOT_A_TIME, micro, micros

UTC = ZoneInfo("UTC")
Build = Callable  # of the builders in conftest
BOTH = Stage("Dev", waiting=("ready",), active=("dev",))
HOLDS = Stage("Dev", waiting=("ready",))
ACTIVE = Stage("Dev", active=("dev",))
LATER = (Stage("Review", waiting=("r",), active=("review",)), Stage("Test", waiting=("t",), active=("test",)))


@pytest.mark.parametrize(
    ("stage", "history", "wait", "work", "known"),
    [
        pytest.param(BOTH, "Dev~ 01-01, Dev 01-03, done 01-04", 48, 24, True, id="waited, worked"),
        pytest.param(BOTH, "Dev~ 01-01, Dev 01-03, Dev. 01-04, done 01-06", 96, 24, True, id="waits again after the work"),
        pytest.param(BOTH, "Dev 01-01, done 01-02", 0, 24, True, id="begun at once"),
        pytest.param(BOTH, "Dev~ 01-01, Dev 01-01, done 01-01", 0, 0, True, id="all in one instant"),
        pytest.param(BOTH, "Dev~ 01-01, done 01-03", 48, None, False, id="only queued: no work was recorded"),
        pytest.param(BOTH, "Dev~ 01-01, Dev 01-03", None, None, False, id="still inside: no lengths yet"),
        pytest.param(BOTH, "Dev~ 01-01, Dev 01-03, cancelled 01-04", 48, 24, True, id="cancelled: it was there all the same"),
        pytest.param(HOLDS, "Dev~ 01-01, done 01-03", 48, None, True, id="a stage that only holds is all wait"),
        pytest.param(ACTIVE, "Dev 01-01, done 01-03", None, 48, False, id="without a waiting side the wait hides in the work"),
    ],
)
def test_a_stay_is_told_apart_into_wait_and_work(
    path: Build, stage: Stage, history: str, wait: float | None, work: float | None, known: bool
) -> None:
    told = split(path(f"A-1: {history}").visits, (stage, *LATER)).iloc[0]
    hours = {name: None if pd.isna(told[name]) else told[name] / pd.Timedelta(hours=1) for name in ("wait", "work")}
    assert (hours["wait"], hours["work"], told["known"]) == (wait, work, known)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_wait_and_work_add_up_to_dwell_wherever_both_are_there(path: Build, histories: Build, data: st.DataObject) -> None:
    told = split(path(data.draw(histories)).visits, (BOTH, *LATER))
    both = told["wait"].notna() & told["work"].notna()
    assert (told["wait"] + told["work"])[both].equals(told["dwell"][both])
    assert not any((told[name] < pd.Timedelta(0)).any() for name in ("wait", "work", "dwell"))
    assert told["dwell"].isna().equals(told["left"].isna())


def test_a_stage_says_what_waits_what_is_worked_on_and_what_came_and_went(path: Build, scope: Build) -> None:
    told = path("""
        A-1: Dev~ 01-01, Dev 01-02, Review~ 01-03, Review 01-05, Dev~ 01-06, Dev 01-07, done 01-08
        A-2: Dev~ 01-10, Dev 01-12
        A-3: Dev~ 01-13
        A-4: Dev 01-20, Dev. 01-21
    """)
    dev = stages(told.visits, told.line, scope(), None, UTC).set_index("stage").loc["Dev"]
    assert (dev["visits"], dev["departures"], dev["arrivals"], dev["rework_visits"]) == (2, 2, 5, 1)
    assert (dev["wip_now"], dev["waiting_now"], dev["working_now"]) == (3, 2, 1)
    assert (dev["wait_p50"], dev["wait_mean"], dev["wait_n"]) == (24, 24, 2)
    assert (dev["work_p50"], dev["dwell_p50"], dev["dwell_p85"], dev["dwell_n"]) == (24, 48, 48, 2)
    assert dev["dwell_total"] == 24 * (2 + 2 + 19 + 16 + 9)


def test_stages_are_in_map_order_also_those_that_nothing_visited(path: Build, scope: Build) -> None:
    told = path("A-1: Test 01-02, done 01-03")
    table = stages(told.visits, told.line, scope(), None, UTC)
    assert table["stage"].tolist() == ["Dev", "Review", "Test"]
    assert table["visits"].tolist() == [0, 0, 1]
    assert table["dwell_p50"].isna().tolist() == [True, True, False]


def test_nothing_at_all_has_counts_of_none_and_no_lengths(path: Build, scope: Build) -> None:
    told = path("")
    table = stages(told.visits, told.line, scope(), Calendar(), UTC)
    assert table["visits"].tolist() == [0, 0, 0]
    assert table[["wait_p50", "dwell_mean", "wip_mean", "dwell_total", "queue_share"]].isna().all(axis=None)
    assert stages(told.visits, (), scope(), None, UTC).columns.tolist() == table.columns.tolist()


def test_the_share_of_time_over_the_limit_counts_only_what_is_more(path: Build, scope: Build) -> None:
    line = (Stage("Dev", waiting=("w",), active=("a",), wip_limit=1), *LATER)
    told = path("A-1: Dev 01-01, done 01-11\nA-2: Dev 01-05, done 01-15\nA-3: Dev 01-15, done 01-20", line)
    table = stages(told.visits, line, scope("01-01", "01-21"), None, UTC)
    assert table["over_limit"].tolist()[0] == pytest.approx(6 / 20)
    assert np.isnan(table["over_limit"].tolist()[1])


@pytest.mark.parametrize(
    ("history", "share"),
    [
        pytest.param("A-1: Dev~ 01-01, Dev 01-06", 0.5, id="five of ten days"),
        pytest.param("A-1: Dev~ 01-01, Dev 01-04\nA-2: Dev~ 01-03, Dev 01-06", 0.5, id="two that wait at a time count once"),
        pytest.param("A-1: Dev~ 01-06", 0.5 / 0.5, id="records begin with the first visit: before there is nothing to share in"),
        pytest.param("A-1: Dev 01-01", 0, id="nothing ever waited"),
        pytest.param("A-1: Dev~ 01-01, done 01-06", 0.5, id="never begun: it waited until it left"),
        pytest.param("A-1: Review 01-01, Review. 01-03, Test 01-08", 0.5, id="finished but not handed on waits for the next"),
        pytest.param("A-1: Review 01-01, Review. 01-06", 0.5, id="also while it is still there"),
        pytest.param("A-1: Review 01-01, Review. 01-06, done 01-08", 0, id="but not where it then ends"),
    ],
)
def test_the_queue_share_is_the_share_of_time_in_which_something_waits(
    path: Build, scope: Build, history: str, share: float
) -> None:
    told = path(history)
    table = stages(told.visits, told.line, scope("01-01", "01-11"), None, UTC)
    assert table["queue_share"].max() == pytest.approx(share)


def test_with_a_calendar_nights_and_weekends_do_not_count(path: Build, scope: Build) -> None:
    told = path("A-1: Dev~ 01-05, Dev 01-07")  # from Monday to Wednesday; 2026-01-05 is a Monday
    table = stages(told.visits, told.line, scope("01-05", "01-12"), Calendar(), UTC)
    assert table["queue_share"][0] == pytest.approx(2 / 5)


def test_a_queue_that_no_status_shows_has_no_share_but_one_that_the_stage_before_closes_into_has(path: Build, scope: Build) -> None:
    line = (
        Stage("Dev", active=("d",), closes=("pull_request.opened",)),
        Stage("Review", active=("r",)),
        Stage("Test", active=("t",)),
    )
    told = path("A-1: Dev 01-01, Dev. 01-02, Review 01-07, Test 01-10", line)
    assert stages(told.visits, line, scope("01-01", "01-11"), None, UTC)["queue_share"].round(3).tolist()[1] == 0.5
    assert stages(told.visits, line, scope("01-01", "01-11"), None, UTC)["queue_share"].isna().tolist() == [True, False, True]


def test_parked_visits_do_not_make_a_queue(path: Build, scope: Build) -> None:
    flow = "\n".join(f"A-{day}: Dev 01-{day:02}, done 01-{day:02} 12:00" for day in range(2, 12))
    told = path(f"P-1: Dev~ 01-01\n{flow}")
    assert stages(told.visits, told.line, scope("01-01", "01-21"), None, UTC)["queue_share"][0] == 0


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 1, 3, 0, 2]])
def test_what_left_all_stages_longer_ago_than_the_window_lasts_is_not_looked_at(
    path: Build, scope: Build, order: list[int]
) -> None:
    found = path("""
        A-1: Dev 01-01, done 01-02
        A-2: Dev 01-03, done 01-04
        A-3: Dev 01-03, Review 01-05, done 01-12
        A-4: Dev 01-03
    """).visits.iloc[order]
    told = lately(found, scope("01-20", "01-30"))
    assert sorted(told["item"] + " " + told["stage"]) == ["A-1 Dev", "A-3 Dev", "A-3 Review", "A-4 Dev"], "A-1 began the records"
    assert len(lately(found.head(0), scope("01-20", "01-30"))) == 0


arrivals = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 30) | st.none()), max_size=60)


@given(arrivals, st.integers(1, 9))
def test_who_is_overtaken_is_who_at_least_so_many_later_arrivals_were_served_before(
    rows: list[tuple[int, int, int | None]], by: int
) -> None:
    code, due = (np.array([row[part] for row in rows], dtype="int64") for part in (0, 1))
    served = np.array([NEVER if wait is None else begin + wait for _, begin, wait in rows], dtype="int64")
    slow = [
        sum(code[j] == code[i] and due[j] > due[i] and served[j] < served[i] for j in range(len(rows))) >= by
        for i in range(len(rows))
    ]
    assert overtaken(code, due, served, by).tolist() == slow


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_little_in_its_exact_form_hours_in_stages_are_the_area_under_the_wip(
    path: Build, scope: Build, histories: Build, data: st.DataObject
) -> None:
    told = path(data.draw(histories))
    window = scope("01-03", "01-20")
    hours = np.arange(micro(window.start), micro(window.end), HOUR)[:, None]  # histories are in whole hours
    queued, left = micros(told.visits["queued"]), micros(told.visits["left"])
    there = (queued <= hours) & ((left > hours) | (left == NOT_A_TIME))
    area = [int(there[:, (told.visits["stage"] == stage.name).to_numpy()].sum()) for stage in told.line]
    table = stages(told.visits, told.line, window, None, UTC)
    assert sojourn(told.visits, window).sum() == pytest.approx(sum(area))
    assert table["dwell_total"].fillna(0).tolist() == pytest.approx(area)
    assert (table["wip_mean"].fillna(0) * window.hours).tolist() == pytest.approx(area)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_renaming_stages_changes_nothing_but_the_names(path: Build, scope: Build, histories: Build, data: st.DataObject) -> None:
    told = path(data.draw(histories))
    names = {"Dev": "Zuletzt", "Review": "Ärger & Co", "Test": "1"}
    line = tuple(Stage(names[stage.name], waiting=stage.waiting, active=stage.active) for stage in told.line)
    other = told.visits.assign(stage=told.visits["stage"].map(names).astype("str"))
    before, after = (stages(visits, each, scope(), None, UTC) for visits, each in ((told.visits, told.line), (other, line)))
    pd.testing.assert_frame_equal(before.drop(columns="stage"), after.drop(columns="stage"))


@settings(max_examples=20, deadline=None)
@given(st.data(), st.sampled_from(["Pacific/Kiritimati", "America/Los_Angeles", "Europe/Vienna"]))
def test_the_zone_changes_no_elapsed_value(path: Build, scope: Build, histories: Build, data: st.DataObject, zone: str) -> None:
    told = path(data.draw(histories))
    tables = [stages(told.visits, told.line, scope(), None, ZoneInfo(name)) for name in ("UTC", zone)]
    pd.testing.assert_frame_equal(*tables)


def test_the_known_log_has_the_known_mean_wip(known: Build, scope: Build) -> None:
    table = stages(known.visits, known.line, scope("01-01", "01-13"), None, UTC)
    assert table["wip_mean"].round(4).tolist() == [0.75, 0.8056, 0.4167]
