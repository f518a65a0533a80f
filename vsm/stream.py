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
    # What was reopened after it was done went round in no loop: no stage sent it back.
    sent = [(start, end) for start, end, told in stream.edges(data=True) if not told.get("backward") or _sent_back(told)]
    return [frozenset(group) for group in nx.strongly_connected_components(stream.edge_subgraph(sent)) if len(group) > 1]


def _sent_back(edge: dict[str, Any]) -> int:
    return int(edge.get("sent_back", edge["n"]))


def loops(stream: "nx.DiGraph[str]", expected: pd.DataFrame) -> pd.DataFrame:
    """Where work goes round: a row for each stage of each loop, the loop with the most extra visits first.

    loop (its stages in map order, as text), stage, sent_back (moves from it to an earlier stage of
    the loop), observed, expected, once and extra (visits an item, `rework.expected_visits`; missing
    for a stage that no ended item was in).
    """
    rows = []
    known = expected.set_index("stage")
    for group in rework_loops(stream):
        names = sorted(group, key=lambda name: int(stream.nodes[name]["position"]))
        for place, name in enumerate(names):
            back = sum(_sent_back(stream.edges[name, to]) for to in names[:place] if stream.has_edge(name, to))
            told = {what: known[what].get(name) for what in ("observed", "expected", "once", "extra")}
            rows.append({"loop": " ↔ ".join(names), "stage": name, "sent_back": back, **told})
    frame = pd.DataFrame(rows, columns=list(LOOPS)).astype(LOOPS)
    most = frame.groupby("loop")["extra"].transform("sum")
    return frame.assign(most=most).sort_values(["most", "loop"], ascending=[False, True], kind="stable", ignore_index=True)[
        [*LOOPS]
    ]


LOOPS = {
    "loop": "str", "stage": "str", "sent_back": "int64", "observed": "float64", "expected": "float64", "once": "float64",
    "extra": "float64",
}  # fmt: skip


def _own(stream: "nx.DiGraph[str]", name: str, accurate: pd.DataFrame) -> float | None:
    """The %C&A of what a stage hands on, over its receivers by how much each took in."""
    mine = accurate[(accurate["from"] == name) & accurate["value"].notna() & (accurate["n"] > 0)]
    taken = float(mine["n"].sum())
    return float((mine["value"] * mine["n"]).sum() / taken) if taken else None


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts, what is missing as None."""
    plain = frame.astype("object").where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
