"""Every policy gives what its tool gives: pm4py's and jira-agile-metrics' own answers, jirametrics' rules and published ones."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import flow_jirametrics
import flow_logs
import pandas as pd
import pytest
from flow_golden import boards
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm import visits
from vsm.frames import no_times
from vsm.metrics import flow, kernel
from vsm.metrics.cumulative import cumulative
from vsm.metrics.policies import (
    CUMULATIVE,
    CYCLE,
    POLICIES,
    STAYS,
    Told,
    asides,
    cumulative_flow,
    cycle_time,
    cycle_times,
    event_log,
    history,
    stage_times,
    stays,
)
from vsm.metrics.stages import NEVER, stages
from vsm.scope import Scope
from vsm.workflow import Stage, Workflow

Build = Callable
UTC = ZoneInfo("UTC")
GOLDEN = Path(__file__).parent / "golden"
FLOW = Workflow(
    "board",
    tuple(Stage(name, active=(name,)) for name in flow_logs.STAGES),
    new=("Backlog",),
    done=("Done",),
    cancelled=(flow_logs.DROPPED,),
)
BOARDS = boards()
HALF_YEAR = Scope(*(pd.Timestamp(day, tz="UTC").as_unit("us") for day in ("2026-01-01", "2026-07-31")))
EVERY_BOARD = pytest.mark.parametrize("name", list(BOARDS))


@cache
def golden(tool: str) -> dict:
    return json.loads((GOLDEN / f"{tool}.json").read_text())


def log_of(board: flow_logs.Board) -> pd.DataFrame:
    """A board as the event log of the pipeline."""
    rows = sorted(flow_logs.events(board), key=lambda row: str(row[0]))
    log = pd.DataFrame(rows, columns=["item", "status", "at", "actor"]).astype({"item": "str", "status": "str", "actor": "str"})
    nothing = pd.Series(None, index=log.index, dtype="str")
    event = pd.Series("status", index=log.index, dtype="str")
    return log.assign(
        at=pd.to_datetime(log["at"], unit="s", utc=True).dt.as_unit("us"), event=event, environment=nothing, team=nothing
    )


def told_of(board: flow_logs.Board) -> Told:
    """A board as the pipeline tells it."""
    log = log_of(board)
    items = log.drop_duplicates("item").rename(columns={"at": "created_at"})[["item", "created_at", "team"]].reset_index(drop=True)
    path = visits.visits(log, items, FLOW)
    return Told(path.visits, path.items, FLOW.stages, UTC, asides(log, FLOW))


@cache
def told(name: str) -> Told:
    return told_of(BOARDS[name])


def hours_of(of: Told, policy: str) -> dict[str, float]:
    frame = cycle_times(of, policy)
    return dict(zip(frame["item"], frame["hours"].tolist(), strict=True))


def lines(of: Told, policy: str, window: Scope = HALF_YEAR) -> dict[str, list[int]]:
    """A day's lines: the stages, then Done."""
    frame = cumulative_flow(of, window, policy)
    return {str(day)[:10]: [int(n) for n in group["items"]] for day, group in frame.groupby("day")}


# The published answers of all three tools to one log. ---------------------------------------------


@pytest.mark.parametrize(
    ("policy", "hours"),
    [
        ("vsm", {"A-1": 144, "A-2": 240, "A-3": 96}),
        ("jirametrics", {"A-1": 7 * 24, "A-2": 11 * 24, "A-3": 5 * 24}),
        ("jira-agile-metrics", {"A-1": 6 * 24, "A-2": 10 * 24, "A-3": 4 * 24}),
        ("pm4py", {"A-1": 144, "A-2": 240, "A-3": 96, "A-4": 48}),
    ],
)
def test_the_known_log_has_the_published_cycle_times(policy: str, hours: dict[str, float]) -> None:
    assert hours_of(told("known"), policy) == pytest.approx(hours)


@pytest.mark.parametrize(
    ("policy", "day"), [("jirametrics", [3, 3, 1, 0]), ("jira-agile-metrics", [3, 1, 0, 0]), ("pm4py", [3, 3, 1, 0, 0])]
)
def test_the_known_log_has_the_published_cumulative_flow(policy: str, day: list[int]) -> None:
    assert lines(told("known"), policy)["2026-01-05"] == day


def test_the_known_log_has_the_published_85th_percentiles() -> None:
    p85 = {policy: cycle_time([told("known")], HALF_YEAR, policy).values["p85"] for policy in POLICIES}
    assert p85 == pytest.approx({"vsm": 240, "jirametrics": 11 * 24, "jira-agile-metrics": 8 * 24 + 19.2, "pm4py": 196.8})


def test_the_known_log_has_jirametrics_published_work_in_progress(scope: Build) -> None:
    frame = stage_times(told("known"), scope("01-01", "01-13"), "jirametrics")
    assert (frame["dwell_total"] / (12 * 24)).round(4).tolist() == [0.75, 0.8056, 0.4167]


# pm4py's own answers. -----------------------------------------------------------------------------


def numbered(rows: list[list[object]]) -> tuple[kernel.Log, pd.Index, pd.Index, pd.Index]:
    """Events as a log of numbers, and the names of cases, activities and people."""
    frame = pd.DataFrame(rows, columns=["case", "activity", "at", "who"])
    (case, cases), (activity, activities), (who, people) = (pd.factorize(frame[name]) for name in ("case", "activity", "who"))
    at = frame["at"].to_numpy(dtype="int64") * 1_000_000
    return kernel.ordered(case, activity, at, who), cases, activities, people


def compare_with_pm4py(log: kernel.Log, cases: pd.Index, activities: pd.Index, answers: dict) -> None:
    edges = kernel.transitions(log)
    named = edges.assign(**{end: activities[edges[end]] for end in ("from", "to")}).sort_values(["from", "to"])
    assert named[["from", "to", "n"]].to_numpy().tolist() == answers["transitions"]
    seconds = named[["sum", "mean", "median", "min", "max"]] * 3600
    assert seconds.to_numpy().ravel().tolist() == pytest.approx([s for edge in answers["edges"] for s in edge[2:]], abs=1e-5)
    again = {name: int(n) for name, n in zip(activities, kernel.rework(log), strict=False) if n}
    assert again == answers["rework"]
    lasting = kernel.durations(log)
    found = dict(zip(cases[lasting["case"]], lasting["hours"] * 3600, strict=True))
    assert found == pytest.approx(answers["durations"])
    assert sorted(found.values()) == pytest.approx(answers["every_duration"])


@EVERY_BOARD
def test_transitions_edge_times_rework_handovers_and_durations_are_those_of_pm4py(name: str) -> None:
    answers = golden("pm4py")[f"{name}, every status"]
    log, cases, activities, people = numbered(flow_logs.events(BOARDS[name]))
    compare_with_pm4py(log, cases, activities, answers)
    pairs = kernel.handovers(log)
    pairs = pairs.assign(**{end: people[pairs[end]] for end in ("from", "to")}).sort_values(["from", "to"])
    assert pairs.to_numpy().tolist() == answers["handovers"]


@EVERY_BOARD
def test_the_policy_pm4py_tells_of_visits_what_pm4py_tells_of_the_stages_entered(name: str) -> None:
    answers = golden("pm4py")[f"{name}, stages entered"]
    log, activities = event_log(told(name))
    compare_with_pm4py(log, pd.Index(told(name).items["item"]), pd.Index(activities), answers)
    assert hours_of(told(name), "pm4py") == pytest.approx({case: s / 3600 for case, s in answers["durations"].items()})
    dwell = dict.fromkeys(flow_logs.STAGES, 0.0)
    for stage, _, total, *_ in answers["edges"]:
        if stage in dwell:
            dwell[stage] += total / 3600
    frame = stage_times(told(name), HALF_YEAR, "pm4py")
    assert dict(zip(frame["stage"], frame["dwell_total"], strict=True)) == pytest.approx(dwell)


@EVERY_BOARD
def test_visits_know_who_entered_each_stage(name: str) -> None:
    people = pd.Index(flow_logs.PEOPLE)
    log, activities = event_log(told(name), people)
    items = told(name).items["item"]
    rows = zip(log.case, log.activity, log.at, log.actor, strict=True)
    found = [[items[case], activities[what], at // 1_000_000, people[who] if who >= 0 else None] for case, what, at, who in rows]
    expected = [[*row[:3], None if row[1] == "Done" else row[3]] for row in flow_logs.entries(BOARDS[name])]
    assert sorted(found, key=str) == sorted(expected, key=str)


# jira-agile-metrics' own answers. -----------------------------------------------------------------


@EVERY_BOARD
def test_the_policy_jira_agile_metrics_keeps_and_wipes_the_dates_that_it_keeps_and_wipes(name: str) -> None:
    answers = golden("jira_agile_metrics")[name]
    kept = history(told(name)).kept()
    dates = [[None if at == NEVER else str(pd.Timestamp(at, unit="us").date()) for at in row] for row in kept.tolist()]
    assert dict(zip(told(name).items["item"], dates, strict=True)) == answers["dates"]


@EVERY_BOARD
def test_the_policy_jira_agile_metrics_has_its_cycle_times_and_percentiles(name: str) -> None:
    answers = golden("jira_agile_metrics")[name]
    assert {item: hours / 24 for item, hours in hours_of(told(name), "jira-agile-metrics").items()} == answers["cycle_days"]
    figure = cycle_time([told(name)], HALF_YEAR, "jira-agile-metrics")
    assert [figure.values["p50"] / 24, figure.values["p85"] / 24] == pytest.approx(answers["p50_p85_days"])


@EVERY_BOARD
def test_the_policy_jira_agile_metrics_has_its_cumulative_flow(name: str) -> None:
    answers = golden("jira_agile_metrics")[name]["cumulative"]
    found = lines(told(name), "jira-agile-metrics")
    assert {day: found[day] for day in answers} == {day: counts[1:] for day, counts in answers.items()}


# jirametrics' rules, on any board. ----------------------------------------------------------------


def compare_with_jirametrics(board: flow_logs.Board, of: Told) -> None:
    days = flow_jirametrics.days(board)
    assert {item: hours / 24 for item, hours in hours_of(of, "jirametrics").items()} == days
    counts = flow_jirametrics.cumulative(board, date(2026, 1, 1), date(2026, 7, 31))
    assert lines(of, "jirametrics") == counts
    begin, end = (int(time.timestamp()) for time in (HALF_YEAR.start, HALF_YEAR.end))
    frame = stage_times(of, HALF_YEAR, "jirametrics")
    seconds = dict(zip(frame["stage"], (frame["dwell_total"] * 3600).fillna(0), strict=True))
    assert seconds == pytest.approx(flow_jirametrics.wip_seconds(board, begin, end))
    if days:
        p50, p85 = (flow_jirametrics.percentile(list(days.values()), share) * 24 for share in (0.5, 0.85))
        figure = cycle_time([of], HALF_YEAR, "jirametrics")
        assert (figure.values["p50"], figure.values["p85"], figure.n) == (p50, p85, len(days))


@EVERY_BOARD
def test_the_policy_jirametrics_follows_its_rules(name: str) -> None:
    compare_with_jirametrics(BOARDS[name], told(name))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_the_policy_jirametrics_follows_its_rules_on_any_board(seed: int, tickets: int) -> None:
    board = flow_logs.board(seed, tickets)
    compare_with_jirametrics(board, told_of(board))


def test_jirametrics_counts_one_day_more_than_jira_agile_metrics_where_nothing_went_back() -> None:
    differences = set()
    for name, board in BOARDS.items():
        places = {key: [flow_logs.COLUMNS.index(s) for s, *_ in story if s in flow_logs.COLUMNS] for key, story in board.items()}
        forward = {key for key, way in places.items() if way == sorted(way)}
        ruby, python = hours_of(told(name), "jirametrics"), hours_of(told(name), "jira-agile-metrics")
        differences |= {ruby[key] - python[key] for key in forward & ruby.keys() & python.keys()}
    assert differences == {24.0}


# What holds of every policy. ----------------------------------------------------------------------


@EVERY_BOARD
def test_our_own_policy_is_what_is_shown_everywhere_else(name: str) -> None:
    of = told(name)
    ours, usual = cycle_time([of], HALF_YEAR), flow.cycle_time(of.items, HALF_YEAR)
    assert (ours.values, ours.n, ours.rule) == (usual.values, usual.n, usual.rule)
    assert cycle_times(of)["hours"].tolist() == usual.rows["hours"].tolist()
    dwell = ["stage", "dwell_p50", "dwell_p85", "dwell_mean", "dwell_total", "dwell_n"]
    pd.testing.assert_frame_equal(stage_times(of, HALF_YEAR), stages(of.visits, of.line, HALF_YEAR, None, UTC)[dwell])
    pd.testing.assert_frame_equal(
        cumulative_flow(of, HALF_YEAR), cumulative(of.visits, of.items, of.line, HALF_YEAR, UTC), check_like=False
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_a_figure_tells_its_policy_and_its_rows(policy: str) -> None:
    figure = cycle_time([told("seed 11")], HALF_YEAR, policy)
    assert CYCLE[policy] in figure.rule or policy == "vsm"
    assert figure.n == len(figure.rows) > 20
    assert figure.rows.columns[0] == "item"
    assert not set(figure.left_out["id"]) & set(figure.rows["item"])
    assert figure.of == figure.n + len(set(figure.left_out.loc[~figure.left_out["reason"].str.contains("cancelled"), "id"]))
    assert all((tuple(rules) == POLICIES) for rules in (CYCLE, STAYS, CUMULATIVE))


@pytest.mark.parametrize("policy", POLICIES)
def test_several_streams_have_one_cycle_time(policy: str) -> None:
    other = told("seed 11")
    renamed = {
        name: getattr(other, name).assign(item="B" + getattr(other, name)["item"].astype("str"))
        for name in ("visits", "items", "asides")
    }
    parts = [told("known"), replace(other, **renamed)]
    both, each = cycle_time(parts, HALF_YEAR, policy), [cycle_time([one], HALF_YEAR, policy) for one in parts]
    assert (both.n, both.of) == tuple(sum(getattr(one, name) for one in each) for name in ("n", "of"))
    assert sorted(both.rows["hours"]) == sorted(pd.concat([one.rows["hours"] for one in each]))


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_at_all_has_no_times(policy: str, path: Build) -> None:
    empty = path("")
    of = Told(empty.visits, empty.items, empty.line, UTC)
    assert cycle_times(of, policy).empty
    assert cycle_time([of], HALF_YEAR, policy).values == {"p50": None, "p85": None, "p95": None}
    assert stays(of, policy).columns.tolist() == ["item", "stage", "begin", "end", "hours"]
    frame = stage_times(of, HALF_YEAR, policy)
    assert frame["stage"].tolist() == ["Dev", "Review", "Test"]
    assert frame[["dwell_p50", "dwell_total"]].isna().all(axis=None)
    assert set(cumulative_flow(of, HALF_YEAR, policy)["items"]) == {0}


@pytest.mark.parametrize(
    ("history_", "policy", "hours"),
    [
        pytest.param("A-1: Dev 01-02, done 01-02 09:00", "vsm", [9], id="same day"),
        pytest.param("A-1: Dev 01-02, done 01-02 09:00", "jirametrics", [24], id="same day: one day"),
        pytest.param("A-1: Dev 01-02, done 01-02 09:00", "jira-agile-metrics", [0], id="same day: none"),
        pytest.param("A-1: Dev 01-02, done 01-02", "jirametrics", [], id="same instant: never started"),
        pytest.param("A-1: Dev 01-02, done 01-02", "vsm", [0], id="same instant: it took no time"),
        pytest.param("A-1: Dev 01-02, new 01-03, Dev 01-05, done 01-06", "jirametrics", [120], id="parked: the first start holds"),
        pytest.param("A-1: Dev 01-02, new 01-03, Dev 01-05, done 01-06", "jira-agile-metrics", [24], id="parked: wiped"),
        pytest.param("A-1: Dev 01-02, done 01-03, Dev 01-05, done 01-06", "jira-agile-metrics", [96], id="reopened: the last done"),
        pytest.param("A-1: Dev 01-02, done 01-03, Dev 01-05", "jirametrics", [], id="reopened and still open"),
        pytest.param("A-1: Dev 01-02, done 01-03, Dev 01-05", "pm4py", [72], id="an open case lasts until its last event"),
        pytest.param("A-1: Dev 01-02, cancelled 01-03", "jirametrics", [], id="cancelled"),
        pytest.param("A-1: Dev 01-02, cancelled 01-03", "jira-agile-metrics", [], id="cancelled: an unknown status"),
        pytest.param("A-1: created 01-01, done 01-03", "jirametrics", [], id="never started"),
    ],
)
def test_the_cycle_time_of_one_item(path: Build, history_: str, policy: str, hours: list[float]) -> None:
    one = path(history_)
    assert cycle_times(Told(one.visits, one.items, one.line, UTC), policy)["hours"].tolist() == hours


def test_a_day_is_one_of_the_reporting_zone(path: Build) -> None:
    one = path("A-1: Dev 01-02 22:30, done 01-02 23:30")
    days = {
        (policy, zone): cycle_times(Told(one.visits, one.items, one.line, ZoneInfo(zone)), policy)["hours"].tolist()
        for policy in ("jirametrics", "jira-agile-metrics")
        for zone in ("UTC", "Europe/Vienna")
    }
    assert days == {
        ("jirametrics", "UTC"): [24.0],
        ("jirametrics", "Europe/Vienna"): [48.0],
        ("jira-agile-metrics", "UTC"): [0.0],
        ("jira-agile-metrics", "Europe/Vienna"): [24.0],
    }


@pytest.mark.parametrize(
    ("policy", "hours"),
    [
        ("vsm", [("Dev", 24.0), ("Review", 24.0), ("Dev", 48.0)]),
        ("jirametrics", [("Dev", 24.0), ("Review", 24.0), ("Dev", 48.0)]),
        ("jira-agile-metrics", [("Dev", 96.0)]),
        ("pm4py", [("Dev", 24.0), ("Review", 24.0), ("Dev", 48.0)]),
    ],
)
def test_the_time_in_stage_of_an_item_that_went_back(path: Build, policy: str, hours: list[tuple[str, float]]) -> None:
    one = path("A-1: Dev 01-02, Review 01-03, Dev 01-04, done 01-06")
    frame = stays(Told(one.visits, one.items, one.line, UTC), policy)
    assert list(zip(frame["stage"], frame["hours"], strict=True)) == hours


def test_what_starts_and_ends_at_one_instant_was_in_no_column_of_jirametrics(path: Build) -> None:
    one = path("A-1: Dev 01-02, done 01-02\nA-2: Dev 01-02, done 01-03")
    assert stays(Told(one.visits, one.items, one.line, UTC), "jirametrics")["item"].tolist() == ["A-2"]


def test_what_is_only_known_to_be_over_is_done_in_no_policy(path: Build) -> None:
    one = path("A-1: Dev 01-02, done 01-04")
    settled = pd.DataFrame({"item": one.items["item"], "at": one.items["done_at"], "meaning": "settled"})
    of = Told(one.visits, one.items.assign(done_at=no_times(one.items.index)), one.line, UTC, settled)
    for policy in POLICIES[:3]:
        assert cycle_times(of, policy).empty
    for policy in POLICIES:
        assert lines(of, policy)["2026-01-05"][-1] == 0


def test_the_log_tells_when_items_were_in_no_stage() -> None:
    found = asides(
        log_of({"A-1": [["Backlog", 0, ""], ["Dev", 1, ""], ["Dropped", 2, ""], ["Elsewhere", 3, ""], ["Done", 4, ""]]}), FLOW
    )
    assert found["meaning"].tolist() == ["new", "cancelled", "done"]
    delivered = log_of({"A-1": [["Dev", 0, ""]] * 3}).assign(event=["item.cancelled", "item.done", "item.settled"], status=None)
    assert asides(delivered, FLOW)["meaning"].tolist() == ["cancelled", "done", "settled"]


def test_without_the_log_who_was_reopened_was_done_in_between_and_the_others_were_new(path: Build) -> None:
    one = path("A-1: Dev 01-02, done 01-03, Dev 01-05\nA-2: Dev 01-02, new 01-03, Dev 01-05")
    kept = history(Told(one.visits, one.items, one.line, UTC)).kept()
    assert [str(pd.Timestamp(at, unit="us").date()) for at in kept[:, 1]] == ["2026-01-02", "2026-01-05"]


@EVERY_BOARD
def test_without_the_log_only_the_policy_that_wipes_may_tell_another_cycle_time(name: str) -> None:
    guessed = Told(told(name).visits, told(name).items, FLOW.stages, UTC)
    for policy in ("vsm", "jirametrics", "pm4py"):
        pd.testing.assert_frame_equal(cycle_times(guessed, policy), cycle_times(told(name), policy))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_history_can_be_told_by_every_policy(path: Build, histories: Build, data: st.DataObject) -> None:
    one = path(data.draw(histories))
    of = Told(one.visits, one.items, one.line, UTC)
    for policy in POLICIES:
        times, lasting = cycle_times(of, policy), stays(of, policy)
        assert (times["hours"] >= 0).all()
        assert times["item"].is_unique
        assert not (lasting["hours"] < 0).any()
        drawn = cumulative_flow(of, HALF_YEAR, policy).pivot_table(index="day", columns="position", values="items")
        assert (drawn.diff().dropna() >= 0).all(axis=None)
        assert (drawn.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
