"""The commit graph: what each tip brings first, and which line is the default branch's."""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.history import NONE, History


class Graph:
    """The history of one repository, asked and answering by the commits' names."""

    def __init__(self, parents: dict[str, tuple[str, ...]]) -> None:
        self.parents, self.shas = parents, sorted(parents)
        rows = [("shop", sha, " ".join(parents[sha])) for sha in self.shas]
        self.history = History.of(pd.DataFrame(rows, columns=["repository", "sha", "parents"], dtype="str"))

    def numbers(self, shas: Iterable[str]) -> list[int]:
        return [self.shas.index(sha) if sha in self.parents else NONE for sha in shas]

    def unseen(self, tip: str, seen: set[str]) -> list[str]:
        known = set(self.numbers(seen))
        found = [self.shas[one] for one in self.history.unseen(*self.numbers([tip]), known)]
        seen |= set(found)
        return found

    def single_parents(self, sha: str) -> list[str]:
        return [self.shas[one] for one in self.history.single_parents(*self.numbers([sha]))]

    def main_line(self, landed: Iterable[str] = (), head: str = "", proposed: Iterable[str] = ()) -> list[str]:
        marks = (self.history.marked(np.array(self.numbers(some), dtype="int64")) for some in (landed, proposed))
        return [self.shas[one] for one in self.history.main_line("shop", *marks, *self.numbers([head]))]


def graph(text: str) -> Graph:
    """`a, b<a, m<b x`: commits with their parents."""
    pairs = (word.strip().partition("<") for word in text.split(","))
    return Graph({sha: tuple(parents.split()) for sha, _, parents in pairs})


MERGED = "a, b<a, x<a, y<x, m<b y, c<m"


def test_a_tip_brings_what_no_tip_before_it_reached() -> None:
    seen: set[str] = set()
    assert set(graph(MERGED).unseen("b", seen)) == {"a", "b"}
    assert set(graph(MERGED).unseen("m", seen)) == {"m", "x", "y"}
    assert graph(MERGED).unseen("y", seen) == []


def test_a_walk_ends_where_the_history_was_not_read() -> None:
    assert graph("b<a, c<b").unseen("c", set()) == ["c", "b"]
    assert graph("a").unseen("nowhere", set()) == []


@pytest.mark.parametrize(
    ("text", "known", "line"),
    [
        pytest.param("", {}, "", id="no commits"),
        pytest.param("a, b<a", {}, "a b", id="straight"),
        pytest.param(MERGED, {}, "a b m c", id="a merged branch is not of the line"),
        pytest.param("a, x<a, y<a, z<a, o<a x y z", {}, "a o", id="octopus"),
        pytest.param("a, b<a, x<b, y<x", {"head": "b"}, "a b", id="a branch goes on, but the head is known"),
        pytest.param("a, b<a, x<b, y<x", {"landed": "b", "proposed": "x y"}, "a b", id="what is only proposed does not end it"),
        pytest.param("a, b<a, x<b, y<b, z<y", {"landed": "b"}, "a b", id="several branches go on: it ends with what landed"),
        pytest.param(
            "a, b<a, c<b, x<a, y<x, z<y", {"landed": "b"}, "a b c", id="the line with the most that landed, not the longest"
        ),
        pytest.param("a, b<a, c<b, x<a, y<x c", {"landed": "b c"}, "a b c", id="the default branch was merged into an open one"),
        pytest.param("a, x<a, y<x, z<y, m<a z", {}, "a m", id="a long branch that was merged is not the longer line"),
        pytest.param("b<a, c<b", {"head": "gone"}, "b c", id="the head was never read, nor the first commit"),
        pytest.param("a, b<a, x, y<x, m<b y", {}, "a b m", id="two roots"),
    ],
)
def test_the_main_line(text: str, known: dict[str, str], line: str) -> None:
    given: dict[str, Any] = {name: value if name == "head" else value.split() for name, value in known.items()}
    assert (graph(text) if text else Graph({})).main_line(**given) == line.split()


def test_a_history_that_goes_in_circles_ends_all_the_same() -> None:
    assert len(graph("a<c, b<a, c<b, d<c").main_line()) == 4
    assert len(graph("a<c, b<a, c<b").unseen("a", set())) == 3


def test_commits_before_one_as_far_as_nothing_was_merged() -> None:
    assert list(graph("a, b<a, x, m<b x, c<m, d<c").single_parents("d")) == ["c"]
    assert list(graph("a, b<a, c<b").single_parents("c")) == ["b", "a"]


@st.composite
def histories(draw: st.DrawFn) -> Graph:
    parents: dict[str, tuple[str, ...]] = {}
    for place in range(draw(st.integers(1, 30))):
        known = st.sampled_from(sorted(parents)) if parents else st.nothing()
        parents[f"{place:02}"] = tuple(draw(st.lists(known, max_size=3, unique=True))) if parents else ()
    return Graph(parents)


@given(histories(), st.data())
def test_every_commit_is_brought_once_and_with_all_that_it_needs(graph: Graph, data: st.DataObject) -> None:
    tips = data.draw(st.lists(st.sampled_from(sorted(graph.parents)), max_size=8))
    seen: set[str] = set()
    brought = [commit for tip in tips for commit in graph.unseen(tip, seen)]
    assert len(brought) == len(set(brought)) == len(seen)
    assert all(parent in seen for sha in seen for parent in graph.parents[sha])
    assert set(tips) <= seen


@given(histories(), st.data())
def test_the_main_line_is_a_line_of_first_parents(graph: Graph, data: st.DataObject) -> None:
    some = st.lists(st.sampled_from(sorted(graph.parents)), unique=True)
    line = graph.main_line(data.draw(some), proposed=data.draw(some))
    assert all(graph.parents[after][0] == before for before, after in itertools.pairwise(line))
