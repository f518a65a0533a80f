"""The value stream as a graph: its nodes, its edges, and where work goes round."""

import networkx as nx
import pandas as pd
import pytest

from vsm.stream import graph, loops, rework_loops

STAGES = ["Dev", "Review", "Test", "Train"]


def stream(moves: str, accurate: str = "", stages: list[str] | None = None) -> "nx.DiGraph[str]":
    """`Dev>Review 4`: moves with their count; `Dev>Review 0.75 4`: how accurate, of how many."""
    names = STAGES if stages is None else stages
    nodes = pd.DataFrame(
        {"stage": pd.Series(names, dtype="str"), "visits": 4, "wait_p50": [1.5, *[None] * (len(names) - 1)][: len(names)]}
    )
    told = [(*path.split(">"), int(n)) for path, n in (word.split() for word in filter(None, moves.split(", ")))]
    edges = pd.DataFrame(told, columns=["from", "to", "n"]).astype({"from": "str", "to": "str", "n": "int64"})
    said = [
        (*path.split(">"), None if value == "-" else float(value), int(n))
        for path, value, n in map(str.split, filter(None, accurate.split(", ")))
    ]
    shares = pd.DataFrame(said, columns=["from", "to", "value", "n"]).astype(
        {"from": "str", "to": "str", "value": "float64", "n": "int64"}
    )
    return graph(nodes, edges, shares)


def test_stages_are_nodes_in_map_order_with_their_figures() -> None:
    made = stream("Dev>Review 4")
    assert list(made.nodes) == STAGES
    assert made.nodes["Dev"] == {"position": 0, "stage": "Dev", "visits": 4, "wait_p50": 1.5, "percent_complete_accurate": None}
    assert made.nodes["Test"]["position"] == 2
    assert made.nodes["Test"]["wait_p50"] is None  # what is missing is None, never NaN


def test_moves_are_edges_with_their_figures() -> None:
    made = stream("Dev>Review 4, Review>Dev 1, Review>Review 2")
    assert set(made.edges) == {("Dev", "Review"), ("Review", "Dev"), ("Review", "Review")}
    assert made.edges["Dev", "Review"] == {"n": 4}


def test_a_move_from_or_to_what_is_no_stage_is_no_edge() -> None:
    assert list(stream("start>Dev 4, Train>done 3, Dev>Review 1").edges) == [("Dev", "Review")]


def test_how_accurate_work_was_lies_on_the_edge_and_of_a_stages_own_work_on_the_node() -> None:
    made = stream("Dev>Review 4, Dev>Test 1", "Dev>Review 0.75 4, Dev>Test 0 1, Review>Dev 1 3, Test>Dev - 0")
    assert made.edges["Dev", "Review"] == {"n": 4, "percent_complete_accurate": 0.75}
    assert made.nodes["Dev"]["percent_complete_accurate"] == pytest.approx((0.75 * 4 + 0 * 1) / 5)
    assert made.nodes["Test"]["percent_complete_accurate"] is None
    assert not made.has_edge("Review", "Dev")


@pytest.mark.parametrize(
    ("moves", "loops"),
    [
        pytest.param("Dev>Review 4, Review>Test 4", [], id="none"),
        pytest.param("Dev>Review 4, Review>Dev 1, Review>Test 3", [{"Dev", "Review"}], id="one"),
        pytest.param("Dev>Review 4, Review>Test 4, Test>Dev 1", [{"Dev", "Review", "Test"}], id="over a stage in between"),
        pytest.param("Dev>Review 4, Review>Dev 1, Test>Train 1, Train>Test 1", [{"Dev", "Review"}, {"Test", "Train"}], id="two"),
        pytest.param("Dev>Dev 4", [], id="once more in the same stage is no way round"),
    ],
)
def test_rework_loops_are_the_stages_between_which_work_goes_round(moves: str, loops: list[set[str]]) -> None:
    assert sorted(map(sorted, rework_loops(stream(moves)))) == sorted(map(sorted, loops))


def test_the_known_answer_log() -> None:
    """The moves of a log of four items, as pm4py counts them."""
    made = stream("Dev>Review 4, Dev>Test 2, Review>Dev 1, Review>Test 2, Test>Dev 1", stages=["Dev", "Review", "Test"])
    assert {(a, b): n for a, b, n in made.edges(data="n")} == {
        ("Dev", "Review"): 4, ("Dev", "Test"): 2, ("Review", "Dev"): 1, ("Review", "Test"): 2, ("Test", "Dev"): 1,
    }  # fmt: skip
    assert rework_loops(made) == [frozenset({"Dev", "Review", "Test"})]


def test_no_stages_and_no_moves() -> None:
    assert stream("", stages=[]).number_of_nodes() == 0
    assert list(stream("").edges) == []


def test_a_loop_is_told_stage_by_stage_with_what_goes_round_in_it() -> None:
    made = stream("Dev>Review 4, Review>Dev 1, Review>Test 3, Test>Train 3, Train>Test 1")
    expected = pd.DataFrame(
        {
            "stage": pd.Series(["Dev", "Review", "Test"], dtype="str"),
            "observed": [1.2, 1.3, 1.1], "expected": [1.2, 1.3, 1.1], "once": [1.0, 1.0, 1.0], "extra": [0.2, 0.3, 0.1],
        }
    )  # fmt: skip
    told = loops(made, expected)
    assert told[["loop", "stage", "sent_back"]].to_numpy().tolist() == [
        ["Dev ↔ Review", "Dev", 0], ["Dev ↔ Review", "Review", 1], ["Test ↔ Train", "Test", 0], ["Test ↔ Train", "Train", 1],
    ]  # fmt: skip
    assert told["extra"].tolist()[:3] == [0.2, 0.3, 0.1]
    assert told["extra"].isna().tolist() == [False, False, False, True]  # no ended item was in it


def test_without_loops_there_are_no_rows_but_their_columns() -> None:
    none = pd.DataFrame({name: pd.Series(dtype="float64") for name in ("observed", "expected", "once", "extra")}).assign(
        stage=pd.Series(dtype="str")
    )
    told = loops(stream("Dev>Review 4"), none)
    assert told.empty
    assert told.columns.tolist() == ["loop", "stage", "sent_back", "observed", "expected", "once", "extra"]
