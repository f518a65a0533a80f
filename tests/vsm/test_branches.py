"""Branches: stages stand beside each other only where the moves say that neither comes before the other."""

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.branches import in_order, places


def stream(names, *moves):
    """A graph of stages in map order with moves as (from, to, n)."""
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    for one, two, n in moves:
        graph.add_edge(one, two, n=n, backward=names.index(one) > names.index(two))
    return graph


@pytest.mark.parametrize(
    ("names", "moves", "columns"),
    [
        pytest.param("SABT", [("S", "A", 90), ("A", "B", 90), ("B", "T", 90)], ["S", "A", "B", "T"], id="a line"),
        pytest.param(
            "SABT", [("S", "A", 60), ("S", "B", 40), ("A", "T", 58), ("B", "T", 40), ("A", "B", 2)], ["S", "AB", "T"],
            id="either way",
        ),
        pytest.param(
            "SABT", [("S", "A", 50), ("S", "B", 50), ("A", "B", 50), ("B", "A", 50), ("A", "T", 50), ("B", "T", 50)],
            ["S", "AB", "T"], id="both, in any order",
        ),
        pytest.param(
            "SABT", [("S", "A", 90), ("A", "B", 140), ("B", "A", 60), ("B", "T", 80)], ["S", "A", "B", "T"],
            id="much rework is no branch",
        ),
        pytest.param(
            "SABT", [("S", "A", 90), ("A", "T", 60), ("A", "B", 30), ("B", "T", 30)], ["S", "A", "B", "T"],
            id="a stage that most work skips comes after the one before it",
        ),
        pytest.param(
            "SABXYT", [("S", "A", 60), ("S", "X", 40), ("A", "B", 60), ("X", "Y", 40), ("B", "T", 60), ("Y", "T", 40)],
            ["S", "AX", "BY", "T"], id="two branches of two stages",
        ),
        pytest.param("SABT", [("S", "A", 4), ("S", "B", 4), ("A", "T", 4), ("B", "T", 4)], ["S", "A", "B", "T"], id="too few"),
        pytest.param("SABT", [], ["S", "A", "B", "T"], id="no move at all"),
    ],
)  # fmt: skip
def test_columns_of_a_stream(names, moves, columns):
    assert ["".join(column) for column in in_order(places(stream(list(names), *moves)))] == columns


def test_what_comes_from_outside_counts_as_taken_in():
    graph = stream(["A", "B", "T"], ("A", "T", 50), ("B", "T", 30))
    graph.nodes["A"].update(arrivals=50, departures=50)
    graph.nodes["B"].update(arrivals=30, departures=30)
    graph.nodes["T"].update(arrivals=80, departures=80)
    assert in_order(places(graph)) == [["A", "B"], ["T"]]


def test_shares_are_of_what_comes_to_the_column():
    either = places(stream(list("SABT"), ("S", "A", 60), ("S", "B", 40), ("A", "T", 60), ("B", "T", 40)))
    both = places(
        stream(list("SABT"), ("S", "A", 50), ("S", "B", 50), ("A", "B", 50), ("B", "A", 50), ("A", "T", 50), ("B", "T", 50))
    )
    assert [either[name].share for name in "SABT"] == [1, 0.6, 0.4, 1]
    assert [both[name].share for name in "SABT"] == [1, 1, 1, 1]


@st.composite
def streams(draw):
    names = [f"s{i}" for i in range(draw(st.integers(0, 12)))]
    if len(names) < 2:
        return stream(names)
    pair = st.tuples(st.sampled_from(names), st.sampled_from(names), st.integers(0, 99)).filter(lambda move: move[0] != move[1])
    return stream(names, *draw(st.lists(pair, max_size=40)))


@given(streams())
def test_every_stage_has_one_place_and_no_column_is_empty(graph):
    at = places(graph)
    assert sorted(at) == sorted(graph)
    assert len({(place.column, place.row) for place in at.values()}) == len(graph)
    assert {place.column for place in at.values()} == set(range(len(in_order(at))))
    assert all([at[name].row for name in column] == list(range(len(column))) for column in in_order(at))
    assert all(0 <= place.share <= 1 for place in at.values())
