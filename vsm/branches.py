"""Branches: which stages of a stream lie beside each other, because work takes either, instead of one after the other."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import networkx as nx

from vsm.metrics.figure import FEW

MOST = 0.5  # a stage comes before another where at least half of what the one hands on, or the other takes in, moves between them


@dataclass(frozen=True)
class Place:
    """Where a stage stands: its column, its row in it, and the share that it takes in of what comes to the column."""

    column: int
    row: int
    share: float = 1.0


def places(stream: "nx.DiGraph[str]") -> dict[str, Place]:
    """Where each stage of a stream stands: in a column of its own, or beside others where the moves say that neither is before.

    One stage comes before another where at least half of what it hands on goes there, or at least
    half of what the other takes in comes from it (what comes back is taken off), and where it comes
    before one that does. Two stages neither of which comes before the other stand beside each other,
    provided that both took in and handed on five or more; on less, the order of the map is believed.
    """
    names = list(stream)
    before = _before(stream, names)
    columns: dict[str, int] = {}
    for i, name in enumerate(names):
        earlier = (columns[other] + 1 for other in names[:i] if not _beside(stream, other, name, before))
        columns[name] = max(earlier, default=0)
    rows = _rows(stream, names, columns)
    return {name: Place(columns[name], rows[name], _share(stream, name, columns)) for name in names}


def line(names: "list[str] | tuple[str, ...]") -> dict[str, Place]:
    """The places of stages that come one after the other."""
    return {name: Place(column, 0) for column, name in enumerate(names)}


def inserted(at: dict[str, Place], name: str, behind: str | None, added: Collection[str] = ()) -> dict[str, Place]:
    """The places with one more in a column of its own: behind another, or before all (None); at the end where that is not there.

    What was `added` behind the same one before stands between them.

    >>> in_order(inserted(line(["a", "b"]), "x", "a")), in_order(inserted(line(["a"]), "x", None))
    ([['a'], ['x'], ['b']], [['x'], ['a']])
    """
    column = 0
    if behind is not None:
        column = (at[behind].column if behind in at else max((place.column for place in at.values()), default=-1)) + 1
        while any(place.column == column and other in added for other, place in at.items()):
            column += 1
    moved = {other: replace(place, column=place.column + 1) if place.column >= column else place for other, place in at.items()}
    return moved | {name: Place(column, 0)}


def _before(stream: "nx.DiGraph[str]", names: list[str]) -> "nx.DiGraph[str]":
    """Which stages come before which, along the map."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(names)
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            net = _moves(stream, one, two) - _moves(stream, two, one)
            if net > 0 and (net >= MOST * _taken(stream, two) or net >= MOST * _handed(stream, one)):
                graph.add_edge(one, two)
    return nx.transitive_closure_dag(graph)


def _beside(stream: "nx.DiGraph[str]", one: str, two: str, before: "nx.DiGraph[str]") -> bool:
    enough = min(_taken(stream, one), _taken(stream, two), _handed(stream, one), _handed(stream, two)) >= FEW
    return enough and not before.has_edge(one, two)


def _moves(stream: "nx.DiGraph[str]", one: str, two: str) -> int:
    return int(stream.edges[one, two].get("n") or 0) if stream.has_edge(one, two) else 0


def _taken(stream: "nx.DiGraph[str]", name: str) -> int:
    """What comes to a stage from earlier ones, or from outside the map; not what is sent back to it."""
    edges = [(edge.get("n") or 0, bool(edge.get("backward"))) for _, _, edge in stream.in_edges(name, data=True)]
    back = sum(n for n, backward in edges if backward)
    return max(_known(stream.nodes[name].get("arrivals")) - back, sum(n for n, backward in edges if not backward))


def _handed(stream: "nx.DiGraph[str]", name: str) -> int:
    """What a stage hands on to later ones, or out of the map; not what it sends back."""
    edges = [(edge.get("n") or 0, bool(edge.get("backward"))) for _, _, edge in stream.out_edges(name, data=True)]
    back = sum(n for n, backward in edges if backward)
    return max(_known(stream.nodes[name].get("departures")) - back, sum(n for n, backward in edges if not backward))


def _known(value: Any) -> int:
    return 0 if value is None or value != value else int(value)


def _rows(stream: "nx.DiGraph[str]", names: list[str], columns: dict[str, int]) -> dict[str, int]:
    """Rows in each column from 0 on: a stage in the row of the one that most of its work comes from, where that is free."""
    rows: dict[str, int] = {}
    for column in range(max(columns.values(), default=-1) + 1):
        mine = [name for name in names if columns[name] == column]
        wished = {name: _row_before(stream, name, columns, rows) for name in mine}
        for row, name in enumerate(sorted(mine, key=lambda name: wished[name])):
            rows[name] = row
    return rows


def _row_before(stream: "nx.DiGraph[str]", name: str, columns: dict[str, int], rows: dict[str, int]) -> int:
    givers = [other for other in stream.predecessors(name) if columns.get(other, columns[name]) < columns[name]]
    best = max(givers, key=lambda other: _moves(stream, other, name), default=None)
    return rows[best] if best is not None else 0


def _share(stream: "nx.DiGraph[str]", name: str, columns: dict[str, int]) -> float:
    """How much of what comes to a column comes to this stage of it: all, where it stands there alone."""
    mine = [other for other in columns if columns[other] == columns[name]]
    if len(mine) == 1:
        return 1.0
    within = sum(_moves(stream, one, two) for one in mine for two in mine if one != two)
    taken = {one: _taken(stream, one) for one in mine}
    for i, one in enumerate(mine):
        taken[one] += sum(_moves(stream, other, one) for other in mine[i + 1 :])  # no way back, between stages beside each other
    entered = sum(taken.values()) - within
    return min(taken[name] / entered, 1.0) if entered > 0 else 1.0


def in_order(at: dict[str, Place]) -> list[list[str]]:
    """The names by column, each column by row.

    >>> in_order({"a": Place(0, 0), "b": Place(1, 1), "c": Place(1, 0)})
    [['a'], ['c', 'b']]
    """
    names = sorted(at, key=lambda name: (at[name].column, at[name].row))
    starts = [0, *(i + 1 for i, (one, two) in enumerate(pairwise(names)) if at[one].column != at[two].column), len(names)]
    return [names[begin:end] for begin, end in pairwise(starts)] if names else []
