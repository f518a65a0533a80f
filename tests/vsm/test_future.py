"""Future states: known answers of the totals, edits that keep every step once, and the way through the store."""

import math
from datetime import UTC, datetime

import networkx as nx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm import durations, future, journal, store
from vsm.future import Step, Totals, changed, current, totals, with_steps, without

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LINE = (
    Step("Dev", wait=2, work=70, accurate=0.9, column=0),
    Step("QA", wait=120, work=6, accurate=0.8, column=1),
    Step("Train", wait=24, holds=True, column=2),
)
BOARD = Step("Board", wait=48, work=2, accurate=0.5, estimate=True)


@pytest.mark.parametrize(
    ("steps", "estimates", "known"),
    [
        pytest.param((), True, Totals(None, None, None, None, None), id="no step"),
        pytest.param(LINE, True, Totals(146, 76, 222, 76 / 222, 0.72), id="a line"),
        pytest.param((*LINE, BOARD), True, Totals(194, 78, 272, 78 / 272, 0.36), id="with an estimate"),
        pytest.param((*LINE, BOARD), False, Totals(146, 76, 222, 76 / 222, 0.72), id="without it"),
        pytest.param(
            (Step("A", 10, 2, 0.5, column=0, share=0.75), Step("B", 20, 4, 1.0, column=0, share=0.25)), True,
            Totals(12.5, 2.5, 15, 1 / 6, 0.625), id="a branch counts by its share",
        ),
        pytest.param((Step("A", 10), Step("B", work=5)), True, Totals(10, 5, 15, 1 / 3, None, ("A", "B")), id="times missing"),
        pytest.param((Step("A", 0, 0),), True, Totals(0, 0, 0, None, None), id="nothing takes time"),
    ],
)  # fmt: skip
def test_totals(steps, estimates, known):
    found = totals(steps, estimates)
    assert found.unknown == known.unknown
    for name in ("wait", "work", "lead_time", "flow_efficiency", "rolled"):
        assert getattr(found, name) == (None if getattr(known, name) is None else pytest.approx(getattr(known, name))), name


def test_the_current_state_is_what_the_graph_says():
    graph = nx.DiGraph()
    graph.add_node(
        "Dev", wait_p50=2.0, work_p50=70.0, wait_n=9, work_n=8, people=3.0, wip_limit=pd.NA, percent_complete_accurate=0.9
    )
    graph.add_node("Train", wait_p50=24.0, work_p50=float("nan"), wait_n=7, has_capacity=False, percent_complete_accurate=None)
    graph.add_edge("Dev", "Train", n=7, backward=False)
    judged = pd.DataFrame({"from": ["Dev", "Dev"], "to": ["Train", "Else"], "n": [7, 3]})

    assert current(graph, judged) == (
        Step("Dev", 2.0, 70.0, 0.9, people=3.0, wait_n=9, work_n=8, accurate_n=10),
        Step("Train", 24.0, holds=True, column=1, wait_n=7),
    )


def test_a_step_is_added_behind_another_or_before_all_and_taken_out_again():
    told = with_steps(LINE, [(BOARD, "QA"), (Step("Idea"), None)])
    assert [(step.name, step.column) for step in told] == [("Idea", 0), ("Dev", 1), ("QA", 2), ("Board", 3), ("Train", 4)]
    assert without(without(told, "Board"), "Idea") == LINE
    with pytest.raises(ValueError, match="already"):
        with_steps(LINE, [(Step("QA"), None)])


def test_what_a_branch_took_in_goes_to_the_steps_beside_it():
    either = (Step("A", column=0, share=0.6), Step("B", column=0, share=0.3), Step("C", column=0, share=0.1))
    both = (Step("A", column=0), Step("B", column=0))
    assert [step.share for step in without(either, "A")] == pytest.approx([0.75, 0.25])
    assert [step.share for step in without(both, "A")] == [1.0]


@pytest.mark.parametrize("values", [{"wait": -1}, {"work": 24 * 400}, {"accurate": 1.2}, {"wip_limit": 0}, {"wait": math.nan}])
def test_what_cannot_be_is_refused_in_a_sentence(values):
    with pytest.raises(ValueError, match=r"^(a |%C&A|the )"):
        changed(LINE, "QA", **values)


def test_other_numbers_of_one_step_leave_the_others_as_they_are():
    told = changed(LINE, "QA", wait=12.0, accurate=None)
    assert [step for step in told if step.name != "QA"] == [step for step in LINE if step.name != "QA"]
    assert (told[1].wait, told[1].work, told[1].accurate) == (12.0, 6, None)


numbers = st.one_of(st.none(), st.floats(0, 5000))
shares = st.one_of(st.none(), st.floats(0, 1))
steps = st.lists(
    st.builds(Step, name=st.text(min_size=1, max_size=9), wait=numbers, work=numbers, accurate=shares,
              column=st.integers(0, 3), estimate=st.booleans(), share=st.floats(0.1, 1)),
    max_size=8, unique_by=lambda step: step.name,
)  # fmt: skip


@given(steps)
def test_totals_are_never_less_than_without_estimates_and_shares_stay_shares(told):
    every, measured = totals(told), totals(told, estimates=False)
    assert (every.lead_time or 0) >= (measured.lead_time or 0) - 1e-9
    assert all(value is None or -1e-9 <= value <= 1 + 1e-9 for value in (every.flow_efficiency, every.rolled, measured.rolled))


@given(steps, st.text(min_size=1, max_size=5))
def test_taking_out_what_was_added_gives_the_same_totals(told, name):
    if all(step.name != name for step in told):
        again = without(with_steps(told, [(Step(name, 5, 5), None)]), name)
        assert totals(sorted(again, key=lambda step: step.name)) == totals(sorted(told, key=lambda step: step.name))


def test_a_state_comes_back_from_the_store_as_it_was(kept):
    with store.opened(kept) as engine:
        told = future.written(with_steps(LINE, [(BOARD, "QA")]), LINE)
        key = journal.add_future_state(engine, "checkout", "Pairs in QA", told, NOW, by="the workshop", now=NOW)
        row = journal.future_states(engine).to_dict("records")[0]
        assert (row["id"], row["stream"], row["name"], row["created_by"]) == (key, "checkout", "Pairs in QA", "the workshop")
        assert row["target_at"] == row["created_at"] == pd.Timestamp(NOW)
        assert future.read(row["map"]) == (with_steps(LINE, [(BOARD, "QA")]), LINE)
        assert future.read(row["map"] | {"steps": [{"name": "A", "unheard_of": 1}]}) == ((Step("A"),), LINE)

        for refused in ({"name": " "}, {"told": {"steps": []}}, {"name": "x" * 501}):
            given_ = {"name": "n", "told": told} | refused
            with pytest.raises(ValueError, match=r"needs|too long"):
                journal.add_future_state(engine, "checkout", given_["name"], given_["told"], None, by="", now=NOW)
        journal.remove_future_state(engine, key)
        assert journal.future_states(engine).empty


def test_a_step_by_hand_is_kept_with_who_said_so_and_taken_back(kept):
    with store.opened(kept) as engine:
        key = journal.add_hand_step(engine, "checkout", "Board ", "QA", 72, 0.5, 0.9, by="three of the board", now=NOW)
        journal.add_hand_step(engine, "checkout", "Mail", None, 8, 0, None, by="a guess", now=NOW)
        found = journal.hand_steps(engine)
        assert found["name"].tolist() == ["Board", "Mail"]
        assert found.loc[0, ["behind", "wait_hours", "work_hours", "accurate", "created_by"]].tolist() == [
            "QA", 72.0, 0.5, 0.9, "three of the board",
        ]  # fmt: skip
        assert found.loc[1, ["behind", "accurate"]].isna().all()
        journal.remove_hand_step(engine, key)
        assert journal.hand_steps(engine)["name"].tolist() == ["Mail"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": ""}, "a name needs words"),
        ({"by": " "}, "say who estimated it"),
        ({"wait_hours": -1}, "a wait of -1 hours cannot be"),
        ({"work_hours": float("nan")}, "a work of nan hours cannot be"),
        ({"accurate": 1.5}, "150% complete and accurate cannot be"),
    ],
)
def test_a_step_by_hand_that_is_none_is_refused_in_a_sentence(kept, wrong, sentence):
    told = {"name": "Board", "behind": None, "wait_hours": 1, "work_hours": 1, "accurate": None, "by": "me"} | wrong
    with store.opened(kept) as engine:
        with pytest.raises(ValueError, match=sentence):
            journal.add_hand_step(engine, "checkout", **told, now=NOW)
        assert journal.hand_steps(engine).empty


@pytest.mark.parametrize("text", ["", "3", "d", "-2 h", "3 years", "1e9 h", "2 h 30"])
def test_what_is_no_duration_is_refused_in_a_sentence(text):
    with pytest.raises(ValueError, match="is no duration: expected a number with min, h, d or w"):
        durations.hours(text)
