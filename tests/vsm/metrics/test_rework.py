"""Rework: what went back, on which ways, and how much of a stage's work its receiver could use as it was."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.rework import expected_visits, rework, visits_of_chain

Build = Callable  # of the builders in conftest


@pytest.mark.parametrize(
    ("history", "items", "n", "never"),
    [
        pytest.param("", None, 0, None, id="nothing at all"),
        pytest.param("A-1: Dev 01-01, Review 01-02, done 01-03", 0, 1, 1, id="one item, straight"),
        pytest.param("A-1: Dev 01-01, Review 01-02, Dev 01-03, Review 01-04, done 01-05", 1, 1, 0, id="went back"),
        pytest.param("A-1: Dev 01-01, Review 01-02, Dev 01-03", None, 0, None, id="went back, still open"),
        pytest.param("A-1: Dev 01-01, Test 01-02, done 01-03", 0, 1, 1, id="skipped forward"),
        pytest.param("A-1: Dev 01-01, Review 01-01, Dev 01-01, done 01-01", 1, 1, 0, id="all in one instant"),
        pytest.param("A-1: Dev 01-01, Test 01-02, done 01-03, Dev 01-04, done 01-05", 1, 1, 1, id="reopened: nobody sent it back"),
        pytest.param("A-1: Dev 01-01, Test 01-02, done 01-03, Test 01-04, done 01-05", 0, 1, 1, id="reopened into the same stage"),
        pytest.param("A-1: Dev 01-01, Review 01-02, Dev 01-03, cancelled 01-04", None, 0, None, id="cancelled"),
        pytest.param("A-1: Review 01-01, new 01-02, Dev 01-03, done 01-04", 1, 1, 0, id="back by way of the backlog"),
        pytest.param("A-1: Dev~ 01-01, Dev 01-02, Dev~ 01-03, Dev 01-04, done 01-05", 0, 1, 1, id="waits again in its stage"),
    ],
)
def test_rework_is_a_move_to_an_earlier_stage(
    path: Build, scope: Build, history: str, items: int | None, n: int, never: float | None
) -> None:
    told = path(history)
    figure = rework(told.visits, told.items, scope()).items
    assert (figure.values["items"], figure.n, figure.values["never_sent_back"]) == (items, n, never)


def test_percent_complete_accurate_is_told_by_the_receiver_of_what_it_took_in(path: Build, scope: Build) -> None:
    told = path("""
        A-1: Dev 01-01, Review 01-02, Test 01-03, done 01-04
        A-2: Dev 01-01, Review 01-02, Dev 01-03, Review 01-04, Test 01-05, done 01-06
        A-3: Dev 01-01, Review 01-02, Test 01-03, Dev 01-04, Review 01-05, Test 01-06, done 01-07
        A-4: Dev 01-01, Review 01-02, Dev 01-03
        A-5: Dev 01-01, Review 01-02
        A-6: Dev 01-01, Test 01-02, done 01-03
    """)
    found = rework(told.visits, told.items, scope())
    edges = {(row["from"], row["to"]): (row["value"], row["n"]) for row in found.percent_complete_accurate.to_dict("records")}
    assert edges == {
        ("Dev", "Review"): (pytest.approx(1 - 2 / 6), 6),  # A-5 is still there: not judged yet
        ("Dev", "Test"): (1, 1),
        ("Review", "Test"): (pytest.approx(1 - 1 / 4), 4),
    }
    assert found.path == ("Dev", "Review", "Test")
    assert found.rolled == pytest.approx(4 / 6 * 3 / 4)
    assert found.items.values["never_sent_back"] == pytest.approx(2 / 4)


def test_loops_are_moves_to_an_earlier_stage_with_their_share_of_all_from_there(path: Build, scope: Build) -> None:
    told = path("A-1: Dev 01-01, Review 01-02, Dev 01-03, Review 01-04, Test 01-05\nA-2: Dev 01-01, Test 01-02, Dev 01-03")
    assert rework(told.visits, told.items, scope()).loops.to_dict("records") == [
        {"from": "Review", "to": "Dev", "n": 1, "share": 0.5},
        {"from": "Test", "to": "Dev", "n": 1, "share": 1.0},
    ]


def test_a_reopening_is_in_no_loop_and_counted_apart(path: Build, scope: Build) -> None:
    told = path("A-1: Dev 01-01, Test 01-02, done 01-03, Dev 01-04, done 01-05\nA-2: Dev 01-01, Test 01-02, done 01-03")
    found = rework(told.visits, told.items, scope())
    assert found.loops.to_dict("records") == []
    assert found.items.values == {"items": 1, "share": 0.5, "reopened": 1, "never_sent_back": 1}


def test_without_any_move_nothing_is_rolled(path: Build, scope: Build) -> None:
    for history in ("", "A-1: Dev 01-01, done 01-02"):
        told = path(history)
        found = rework(told.visits, told.items, scope())
        assert (found.rolled, found.path, len(found.loops), len(found.percent_complete_accurate)) == (None, (), 0, 0)


def test_the_known_log_has_the_known_rework(known: Build, scope: Build) -> None:
    rows = rework(known.visits, known.items, scope("01-01", "01-13")).items.rows
    assert dict(zip(rows["item"], rows["went_back"], strict=True)) == {"A-1": 0, "A-2": 1, "A-3": 1}
    again = known.visits.groupby(["stage", "item"]).size()
    assert again[again > 1].groupby("stage").size().to_dict() == {"Dev": 2, "Review": 1, "Test": 1}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=30))
def test_on_a_line_where_all_rejects_are_alike_the_product_is_the_share_never_sent_back(
    path: Build, scope: Build, bounces: list[tuple[int, int]]
) -> None:
    """Each stage rejects an item so many times before it passes: passes ÷ takings-in is what it hands on as usable."""
    journeys = []
    for number, (review, test) in enumerate(bounces):
        words = ["Dev", *["Review", "Dev"] * review, "Review", *["Test", "Dev", "Review"] * test, "Test", "done"]
        journeys.append((f"A-{number}", [(word, float(hour)) for hour, word in enumerate(words)]))
    told = path(journeys)
    found = rework(told.visits, told.items, scope())
    straight = sum(review == test == 0 for review, test in bounces) / len(bounces)
    assert found.items.values["never_sent_back"] == pytest.approx(straight)
    assert found.rolled is not None
    assert (found.rolled == 1) == (straight == 1)
    into_review = sum(review + 1 + test for review, test in bounces)
    into_test = sum(1 + test for _, test in bounces)
    assert found.rolled == pytest.approx((into_test / into_review) * (len(bounces) / into_test))


def test_by_chance_alone_the_product_comes_close_to_the_share_never_sent_back(path: Build, scope: Build) -> None:
    dice = random.Random(4)
    journeys = []
    for number in range(1500):
        words = ["Dev"]
        while words[-1] != "done":
            stage = words[-1]
            if stage == "Dev":
                words.append("Review")
            elif stage == "Review":
                words.append("Dev" if dice.random() < 0.2 else "Test")
            else:
                words.append("Dev" if dice.random() < 0.12 else "done")
        journeys.append((f"A-{number}", [(word, float(hour)) for hour, word in enumerate(words)]))
    told = path(journeys)
    found = rework(told.visits, told.items, scope())
    assert found.rolled == pytest.approx(0.8 * 0.88, abs=0.03)
    assert found.rolled == pytest.approx(found.items.values["never_sent_back"], abs=0.03)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_share_is_one_and_every_item_counted_once(path: Build, scope: Build, histories: Build, data: st.DataObject) -> None:
    told = path(data.draw(histories))
    found = rework(told.visits, told.items, scope("01-01", "02-28"))
    shares = [*found.percent_complete_accurate["value"], *found.loops["share"]]
    assert all(0 <= share <= 1 for share in shares)
    assert found.rolled is None or 0 <= found.rolled <= 1
    assert found.items.rows["item"].is_unique
    assert found.items.n + len(found.items.left_out) == found.items.of
    assert (found.items.rows["sent_back"] <= found.items.rows["went_back"]).all()


# Expected visits. ------------------------------------------------------------------------------------------------------


def test_the_chain_of_a_line_with_two_rejects_has_the_visits_of_arithmetic() -> None:
    """Review rejects a fifth, Test 12 of a hundred, both back to Dev: 1 ÷ 0.88 ends in Test, and so on backwards."""
    moves = np.array([[0, 1, 0], [0.2, 0, 0.8], [0.12, 0, 0]])
    test = 1 / 0.88
    assert visits_of_chain(np.array([1.0, 0, 0]), moves) == pytest.approx([test / 0.8, test / 0.8, test])


def test_expected_visits_of_the_known_log(known: Build, scope: Build) -> None:
    told = expected_visits(known.visits, known.items, scope("01-01", "01-13")).set_index("stage")
    assert told["items"].tolist() == [3, 3, 3]  # A-4 is still open
    assert told["observed"].to_dict() == pytest.approx({"Dev": 5 / 3, "Review": 1, "Test": 4 / 3})
    assert told["expected"].to_dict() == pytest.approx(told["observed"].to_dict())
    # Of what leaves Dev three of five go to Review, of that two of two go on to Test.
    assert told["once"].to_dict() == pytest.approx({"Dev": 1, "Review": 0.6, "Test": 1})
    assert told["extra"].to_dict() == pytest.approx({"Dev": 2 / 3, "Review": 0.4, "Test": 1 / 3})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_expected_visits_are_the_mean_visits_of_closed_items(
    path: Build, scope: Build, histories: Build, data: st.DataObject
) -> None:
    told = path(data.draw(histories))
    found = expected_visits(told.visits, told.items, scope("01-01", "03-31"))
    closed = told.items.loc[told.items["done_at"].notna() | told.items["cancelled_at"].notna(), "item"]
    visits = told.visits[told.visits["item"].isin(closed)]
    mean = visits.groupby("stage").size() / max(visits["item"].nunique(), 1)
    assert dict(zip(found["stage"], found["expected"], strict=True)) == pytest.approx(mean.to_dict())
    assert found["observed"].tolist() == pytest.approx(found["expected"].tolist())
    assert (found["once"] <= 1 + 1e-9).all()


def test_without_anything_sent_back_there_are_no_extra_visits(path: Build, scope: Build) -> None:
    told = path("A-1: Dev 01-01, Review 01-02, done 01-03\nA-2: Dev 01-01, cancelled 01-02")
    found = expected_visits(told.visits, told.items, scope())
    assert found[["stage", "expected", "extra"]].to_numpy().tolist() == [["Dev", 1, 0], ["Review", 0.5, 0]]


def test_of_nothing_no_visits_are_expected(path: Build, scope: Build) -> None:
    told = path("")
    assert len(expected_visits(told.visits, told.items, scope())) == 0
