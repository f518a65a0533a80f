"""The value stream as a graph: stages as nodes with their figures, moves as edges with theirs."""

from typing import Any

import networkx as nx
import pandas as pd


def graph(stages: pd.DataFrame, moves: pd.DataFrame, accurate: pd.DataFrame) -> "nx.DiGraph[str]":
    """Nodes: a stage each, in map order, with the columns of `stages`. Edges: moves from → to with their columns.

    An edge of `accurate` (from, to, value, n) carries ``percent_complete_accurate``: the share that
    the receiver took in and did not send back; a node has that of its own work, as its receivers saw it.
    """
    stream: nx.DiGraph[str] = nx.DiGraph()
    for place, row in enumerate(_rows(stages)):
        stream.add_node(str(row["stage"]), **{"position": place, **row})
    for row in _rows(moves):
        if row["from"] in stream and row["to"] in stream:
            stream.add_edge(row["from"], row["to"], **{name: value for name, value in row.items() if name not in ("from", "to")})
    for row in _rows(accurate):
        if stream.has_edge(row["from"], row["to"]):
            stream.edges[row["from"], row["to"]]["percent_complete_accurate"] = row["value"]
    for name in stream:
        stream.nodes[name]["percent_complete_accurate"] = _own(stream, name, accurate)
    return stream


def rework_loops(stream: "nx.DiGraph[str]") -> list[frozenset[str]]:
    """The groups of stages between which work goes round: strongly connected components of more than one stage."""
    return [frozenset(group) for group in nx.strongly_connected_components(stream) if len(group) > 1]


def _own(stream: "nx.DiGraph[str]", name: str, accurate: pd.DataFrame) -> float | None:
    """The %C&A of what a stage hands on, over its receivers by how much each took in."""
    mine = accurate[(accurate["from"] == name) & accurate["value"].notna() & (accurate["n"] > 0)]
    taken = float(mine["n"].sum())
    return float((mine["value"] * mine["n"]).sum() / taken) if taken else None


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts, what is missing as None."""
    plain = frame.astype("object").where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
