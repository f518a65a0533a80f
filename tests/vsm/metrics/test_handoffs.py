"""Moves and handoffs: where work goes next, how long it waits on the way, and when it changes hands."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.handoffs import cost, handoffs, moves, steps
from vsm.metrics.stages import visit_before

Build = Callable  # of the builders in conftest


def counts(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    return {(row["from"], row["to"]): row["n"] for row in frame.to_dict("records")}


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param("", {}, id="nothing at all"),
        pytest.param("A-1: Dev 01-02", {}, id="entering the first stage is no move"),
        pytest.param("A-1: Dev 01-02, Review~ 01-03, Review 01-04", {("Dev", "Review"): 1}, id="still open"),
        pytest.param("A-1: Dev 01-02, Review 01-03, Dev 01-04", {("Dev", "Review"): 1, ("Review", "Dev"): 1}, id="went back"),
        pytest.param("A-1: Dev 01-02, Review 01-02, Test 01-02", {("Dev", "Review"): 1, ("Review", "Test"): 1}, id="same instant"),
        pytest.param("A-1: Dev 01-02, Test 01-03", {("Dev", "Test"): 1}, id="skipped"),
        pytest.param("A-1: Test 01-02, done 01-03, Dev 01-04", {("Test", "Dev"): 1}, id="reopened"),
        pytest.param("A-1: Dev 01-02, cancelled 01-04", {}, id="cancelled"),
        pytest.param("A-1: Dev 01-02, Review 02-10", {}, id="after the window"),
    ],
)
def test_a_move_is_an_item_going_from_one_stage_to_its_next(
    path: Build, scope: Build, history: str, expected: dict[tuple[str, str], int]
) -> None:
    told = path(history)
    assert counts(moves(told.visits, told.items, scope())) == expected


def test_the_known_log_has_the_known_moves(known: Build, scope: Build) -> None:
    told = moves(known.visits, known.items, scope("01-01", "01-13"))
    assert counts(told) == {
        ("Dev", "Review"): 4, ("Dev", "Test"): 2, ("Review", "Dev"): 1, ("Review", "Test"): 2, ("Test", "Dev"): 1,
    }  # fmt: skip
    assert told["backward"].tolist() == [False, False, True, False, True]
    way = steps(known.visits)
    stay = way["left"] - known.visits["queued"].take(way["row_from"]).reset_index(drop=True)
    seconds = stay[(way["from"] == "Dev") & (way["to"] == "Review")].dt.total_seconds()
    assert (seconds.mean(), seconds.median(), seconds.sum()) == (151_200, 172_800, 604_800)


def test_a_reopening_is_a_move_that_no_stage_sent_back(path: Build, scope: Build) -> None:
    told = path("""
        A-1: Dev 01-01, Test 01-02, done 01-03, Dev 01-04, Test 01-05, done 01-06
        A-2: Dev 01-01, Test 01-02, Dev 01-03
        A-3: Dev 01-01, done 01-02, Test 01-03
    """)
    found = moves(told.visits, told.items, scope()).set_index(["from", "to"])[["n", "backward", "sent_back", "reopened"]]
    assert found.loc[("Test", "Dev")].tolist() == [2, True, 1, 1]
    assert found.loc[("Dev", "Test")].tolist() == [4, False, 0, 1]


def test_work_waits_from_the_end_of_work_to_the_next_start(path: Build, scope: Build) -> None:
    told = path("""
        A-1: Dev 01-01, Dev. 01-02, Review~ 01-03, Review 01-05
        A-2: Dev 01-01, Review~ 01-03, Review 01-04
        A-3: Dev 01-01, Review~ 01-03
    """)
    edge = moves(told.visits, told.items, scope()).iloc[0]
    assert (edge["n"], edge["wait_n"], edge["wait_mean"], edge["wait_p50"]) == (3, 2, 48, 24)


def test_moves_come_in_the_order_of_the_map(path: Build, scope: Build) -> None:
    told = path("A-1: Dev 01-01, Test 01-02, Dev 01-03, Review 01-04, Dev 01-05")
    found = list(counts(moves(told.visits, told.items, scope())))
    assert found == [("Dev", "Review"), ("Dev", "Test"), ("Review", "Dev"), ("Test", "Dev")]


@pytest.mark.parametrize(
    ("history", "mean", "n", "of"),
    [
        pytest.param("", None, 0, 0, id="nothing at all"),
        pytest.param("A-1: Dev@ann/Core 01-01, done 01-02", 0, 1, 1, id="one stage, no move"),
        pytest.param("A-1: Dev@ann/Core 01-01, Review@bob/Core 01-02, done 01-03", 1, 1, 1, id="another person"),
        pytest.param("A-1: Dev@ann/Core 01-01, Review@ann/Core 01-02, done 01-03", 0, 1, 1, id="the same person"),
        pytest.param("A-1: Dev@ann/Core 01-01, Review@ann/Ops 01-02, done 01-03", 1, 1, 1, id="the same person for another team"),
        pytest.param("A-1: Dev@/Core 01-01, Review@/Ops 01-02, done 01-03", 1, 1, 1, id="only teams are known"),
        pytest.param("A-1: Dev@ann/Core 01-01, Review@bob/Ops 01-02, Dev@ann/Core 01-03, done 01-04", 2, 1, 1, id="there and back"),
        pytest.param("A-1: Dev@ann 01-01, Review 01-02, done 01-03", None, 0, 1, id="nobody known on one side: coverage"),
        pytest.param("A-1: created 01-01, done 01-03", None, 0, 1, id="never in a stage"),
        pytest.param("A-1: Dev@ann 01-01, Review@bob 01-02", None, 0, 0, id="still open"),
        pytest.param("A-1: Dev@ann 01-01, Review@bob 01-02, cancelled 01-03", None, 0, 0, id="cancelled"),
        pytest.param("A-1: Dev@ann 01-01, done 01-02, Dev@bob 01-03, done 01-04", 1, 1, 1, id="reopened and done by another"),
        pytest.param("A-1: Dev@ann 01-01, Test@bob 01-01, done 01-01", 1, 1, 1, id="skipped, same instant"),
    ],
)
def test_a_handoff_is_a_move_on_which_the_person_or_the_team_changes(
    path: Build, scope: Build, history: str, mean: float | None, n: int, of: int
) -> None:
    told = path(history)
    figure = handoffs(told.visits, told.items, scope()).per_item
    assert (figure.values["mean"], figure.n, figure.of) == (mean, n, of)
    assert figure.n + len(figure.left_out) == figure.of


def test_handoffs_are_told_between_people_and_between_teams(path: Build, scope: Build) -> None:
    told = path("""
        A-1: Dev@ann/Core 01-01, Review@bob/Core 01-02, Test@cat/Ops 01-03, done 01-04
        A-2: Dev@ann/Core 01-01, Review~ 01-02, Review@bob/Core 01-03, done 01-04
    """)
    found = handoffs(told.visits, told.items, scope())
    told_between = found.between_people[["from", "to", "n", "wait_n", "wait_p50", "wait_mean", "kept_n"]]
    assert told_between.to_dict("records") == [
        {"from": "ann", "to": "bob", "n": 2, "wait_n": 2, "wait_p50": 0, "wait_mean": 12, "kept_n": 0},
        {"from": "bob", "to": "cat", "n": 1, "wait_n": 1, "wait_p50": 0, "wait_mean": 0, "kept_n": 0},
    ]
    assert counts(found.between_teams) == {("Core", "Ops"): 1}
    assert found.per_item.values == {"mean": 1.5, "moves_known": 1}


def test_moves_that_cannot_be_told_lower_what_is_known_not_what_is_counted(path: Build, scope: Build) -> None:
    told = path("A-1: Dev@ann 01-01, Review@bob 01-02, Test 01-03, done 01-04")
    figure = handoffs(told.visits, told.items, scope()).per_item
    assert figure.values == {"mean": 1, "moves_known": 0.5}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_flows_into_a_stage_flows_out_of_it_but_for_what_is_there_or_over(
    path: Build, scope: Build, histories: Build, data: st.DataObject
) -> None:
    whole = path(data.draw(histories))
    visits = whole.visits
    told = moves(visits, whole.items, scope("01-01", "02-28"))
    first = visits[visit_before(visits) < 0]
    last = visits[~np.isin(np.arange(len(visits)), visit_before(visits))]
    for stage in visits["stage"].unique():
        into = told.loc[told["to"] == stage, "n"].sum() + (first["stage"] == stage).sum()
        out = told.loc[told["from"] == stage, "n"].sum() + (last["stage"] == stage).sum()
        assert into == out == (visits["stage"] == stage).sum()


@settings(max_examples=40, deadline=None)
@given(st.data(), st.randoms())
def test_the_order_of_the_rows_does_not_matter(
    path: Build, scope: Build, histories: Build, data: st.DataObject, dice: st.DataObject
) -> None:
    told = path(data.draw(histories))
    visits = told.visits
    order = list(range(len(visits)))
    dice.shuffle(order)  # type: ignore[attr-defined]
    shuffled = visits.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(moves(visits, told.items, scope()), moves(shuffled, told.items, scope()))


def moves_of(waits: list[tuple[str, float]], gap: float = 100.0) -> list[tuple[str, list[tuple[str, float]]]]:
    """Items that wait so many hours before Review, in this team; Dev is Core's."""
    return [
        (
            f"A-{n}",
            [
                ("Dev@ann/Core", n * gap),
                ("Review~", n * gap + 1),
                (f"Review@bob/{team}", n * gap + 1 + wait),
                ("done", n * gap + 90),
            ],
        )
        for n, (team, wait) in enumerate(waits)
    ]


def test_what_a_change_of_team_costs_is_told_beside_the_same_move_without_one(path: Build, scope: Build) -> None:
    told = path(moves_of([("Ops" if n % 2 else "Core", 20.0 + n if n % 2 else 1.0 + n) for n in range(20)]))
    row = handoffs(told.visits, told.items, scope("01-01", "12-31")).cost_of_teams.iloc[0]
    assert row[["from", "to", "changed_n", "kept_n"]].tolist() == ["Dev", "Review", 10, 10]
    assert row[["changed_p50", "kept_p50", "cost"]].tolist() == [29, 9, 20]
    assert row["excess"] == pytest.approx(20)
    assert bool(row["longer"])


@pytest.mark.parametrize(
    ("waits", "longer"),
    [
        pytest.param([("Ops", 5.0), ("Core", 5.0)] * 20, False, id="no difference"),
        pytest.param([("Ops", 50.0), ("Core", 5.0)] * 3, False, id="too few to say"),
        pytest.param([("Ops", 50.0)] * 40, False, id="nothing to compare with"),
        pytest.param([("Ops", 5.0), ("Core", 50.0)] * 20, False, id="shorter"),
        pytest.param([("Ops", 50.0), ("Core", 5.0)] * 20, True, id="longer"),
    ],
)
def test_that_a_change_makes_waits_longer_is_said_where_it_is_beyond_chance(
    path: Build, scope: Build, waits: list[tuple[str, float]], longer: bool
) -> None:
    told = path(moves_of(waits))
    assert cost(told.visits, steps(told.visits), "team")["longer"].tolist() == [longer]


def test_waits_that_only_a_full_queue_makes_longer_are_not_laid_to_the_change(path: Build, scope: Build) -> None:
    """Others take up what comes while much is waiting: their waits are longer, those that met as many waiting are not."""
    dice, rows = np.random.default_rng(5), []
    for number in range(40 * 12):
        week, ahead = divmod(number, 12)
        ready = week * 168.0 + ahead * 0.1
        team = "Ops" if dice.random() < (0.15 if ahead < 3 else 0.85) else "Core"
        words = [("Dev@ann/Core", ready - 1), ("Review~", ready), (f"Review@bob/{team}", ready + 3 + 5 * int(np.log2(ahead + 1)))]
        rows.append((f"A-{number}", [*words, ("done", ready + 60)]))
    told = path(rows)
    found = cost(told.visits, steps(told.visits), "team").iloc[0]
    assert found["changed_mean"] > found["kept_mean"] + 4
    assert not found["longer"]
    assert abs(found["excess"]) < 0.5


def test_handoffs_between_two_are_told_with_what_the_same_move_waits_where_it_stays(path: Build, scope: Build) -> None:
    told = path(moves_of([("Ops", 8.0), ("Ops", 10.0), ("Core", 2.0), ("Core", 4.0), ("Core", 6.0)]))
    found = handoffs(told.visits, told.items, scope("01-01", "12-31")).between_teams
    assert found.to_dict("records") == [
        {"from": "Core", "to": "Ops", "n": 2, "wait_n": 2, "wait_p50": 8, "wait_mean": 9, "kept_n": 3, "kept_p50": 4}
    ]


def test_without_moves_there_is_nothing_between_anybody_and_it_costs_nothing(path: Build, scope: Build) -> None:
    told = path("")
    found = handoffs(told.visits, told.items, scope())
    assert found.between_people.empty
    assert found.between_people.columns.tolist() == ["from", "to", "n", "wait_n", "wait_p50", "wait_mean", "kept_n", "kept_p50"]
    assert found.cost_of_teams.empty
    assert {"from", "to", "cost", "excess", "longer"} <= set(found.cost_of_teams.columns)
