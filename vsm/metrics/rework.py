"""Rework: what went back to an earlier stage, on which ways, and how much of a stage's work is usable as it is."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from vsm.frames import looked_up
from vsm.metrics.figure import Figure, definition
from vsm.metrics.flow import finished, has_visits, left_out, place_of
from vsm.metrics.handoffs import by_reopening, steps
from vsm.metrics.stages import Codes, Mask, visit_before
from vsm.scope import Scope
from vsm.working_time import Floats

EDGE = ("from", "to")


@dataclass(frozen=True)
class Rework:
    """What went back. ``items``: finished items with rework; ``percent_complete_accurate``: from, to, value, n an edge.

    ``rolled``: its product along ``path``, the way that most work takes, None where there is no such
    way; to be checked against items.values["never_sent_back"]. ``loops``: from, to, n and share of
    all visits that left there, of what was sent back to an earlier stage in the window. ``expected``: how often an item
    visits each stage, and how often it would if nothing were sent back (`expected_visits`).
    """

    items: Figure
    percent_complete_accurate: pd.DataFrame
    rolled: float | None
    path: tuple[str, ...]
    loops: pd.DataFrame
    expected: pd.DataFrame


def rework(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> Rework:
    """Finished items that went back to an earlier stage at least once, a reopened one too; items done in the window.

    never_sent_back: the share of them that no stage sent back. A reopened item that starts again in
    an earlier stage is rework, but no stage sent it back; reopened: how many of all were reopened.
    """
    done, seen = finished(items, scope), has_visits(visits, items)
    place = place_of(items, visits["item"])
    told = steps(visits, _under_way(visits, place, done.to_numpy(), scope))
    place = place[told["row_to"]]
    told = told.assign(sent=told["backward"] & ~by_reopening(told, items))
    sums = {
        name: np.bincount(place[mask.to_numpy() & (place >= 0)], minlength=len(items))
        for name, mask in (("went_back", told["backward"]), ("sent_back", told["sent"]))
    }
    rows = pd.DataFrame({"item": items["item"].array, **sums})[(done & seen).to_numpy()]
    rows = rows.assign(reopened=looked_up(rows["item"], items.set_index("item")["reopened"]))
    rows = rows.sort_values(["went_back", "item"], ascending=[False, True], ignore_index=True)
    n, again = len(rows), int((rows["went_back"] > 0).sum())
    figure = Figure(
        "rework",
        {
            "items": float(again) if n else None,
            "share": again / n if n else None,
            "reopened": float((rows["reopened"] > 0).sum()) if n else None,
            "never_sent_back": float((rows["sent_back"] == 0).mean()) if n else None,
        },
        n,
        "items",
        definition(rework),
        "items done in the window with a move to an earlier stage anywhere on their way",
        rows,
        left_out(items, {"no stay in any stage is recorded": done & ~seen}),
        of=int(done.sum()),
    )
    accurate = percent_complete_accurate(visits, told, scope)
    path = main_path(accurate)
    return Rework(figure, accurate, rolled(accurate, path), path, loops(told, visits, scope), expected_visits(visits, items, scope))


def _under_way(visits: pd.DataFrame, place: Codes, done: Mask, scope: Scope) -> Mask:
    """The visits of items that were done in the window, or came to a stage or left one in it: no others' moves count."""
    moved = (scope.holds(visits["queued"]) | scope.holds(visits["left"])).to_numpy()
    some = np.append(done, True)  # behind the last: whose item is not known
    some[place[moved]] = True
    return some[place]


def percent_complete_accurate(visits: pd.DataFrame, told: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """How much of what a stage hands on its receiver can use as it is: 1 − (sent back to an earlier stage ÷ taken in from it).

    An edge a row, from supplier to receiver further down the map: value, n (taken in), sent_back.
    `told`: the visits' moves (`handoffs.steps`) with sent, whether the stage before sent it back.
    Every taking-in counts that the receiver let go of in the window: work that comes a second time is
    judged a second time. It is the receiver who judges: what is sent back past the supplier counts too.
    """
    place = visits["position"].to_numpy()
    taken = taken_in(visits, told, scope)
    supplier, receiver = (place[taken[name].to_numpy()] for name in ("row_from", "row_to"))
    edges = taken.assign(supplier=supplier, receiver=receiver)
    frame = edges.groupby(["supplier", "receiver", *EDGE])["sent_back"].agg(n="size", sent_back="sum").reset_index()
    frame = frame.assign(value=1 - frame["sent_back"] / frame["n"]).astype(
        {"from": "str", "to": "str", "value": "float64", "n": "int64", "sent_back": "int64"}
    )
    return frame[[*EDGE, "value", "n", "sent_back"]]


def taken_in(visits: pd.DataFrame, told: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Every taking-in of work by a stage further down the map that was over in the window, and whether it was sent back.

    item, from, to, taken_at, left, sent_back, row_from and row_to (rows of the two visits).
    """
    place = visits["position"].to_numpy()
    rejected = np.zeros(len(visits), dtype=bool)
    rejected[told["row_from"]] = told["sent"]
    supplier, receiver = told["row_from"].to_numpy(), told["row_to"].to_numpy()
    taken = scope.holds(visits["left"]).to_numpy()[receiver] & (place[receiver] > place[supplier])
    rows = told.loc[taken, ["item", *EDGE, "at", "row_from", "row_to"]].rename(columns={"at": "taken_at"})
    rows = rows.assign(left=visits["left"].take(receiver[taken]).array, sent_back=rejected[receiver[taken]])
    return rows[["item", *EDGE, "taken_at", "left", "sent_back", "row_from", "row_to"]].reset_index(drop=True)


def main_path(accurate: pd.DataFrame) -> tuple[str, ...]:
    """The way that most work takes: from the supplier first on the map always to the receiver that takes in most."""
    best = accurate.sort_values("n", ascending=False, kind="stable").drop_duplicates("from").set_index("from")["to"]
    path = [str(stage) for stage in accurate["from"].head(1)]
    while path and path[-1] in best.index:
        path.append(str(best[path[-1]]))
    return tuple(path)


def rolled(accurate: pd.DataFrame, path: tuple[str, ...]) -> float | None:
    """The share of work that would pass the whole path without coming back: the product of %C&A along it; None without a path."""
    edges = accurate.set_index(list(EDGE))["value"]
    values = [float(edges[edge]) for edge in pairwise(path)]
    return float(np.prod(values)) if values else None


def loops(told: pd.DataFrame, visits: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """What was sent back to an earlier stage in the window: from, to, n, share of all visits that left there; the most first.

    A reopening after done is not among it: no stage sent that back. Most visits of the last stage
    leave it for done, which is no move: they count in the share.
    """
    told = told[scope.holds(told["at"])]
    leaving = visits.loc[scope.holds(visits["left"]), "stage"].value_counts()
    back = told[told["sent"]].groupby(list(EDGE)).size().rename("n").reset_index()
    back = back.astype({"from": "str", "to": "str", "n": "int64"})
    back = back.assign(share=back["n"] / back["from"].map(leaving).astype("float64"))
    return back.sort_values(["n", *EDGE], ascending=[False, True, True], ignore_index=True)


def expected_visits(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """How often an item visits each stage until it ends, and how often it would if nothing were sent back.

    Of items done or cancelled in the window, by the absorbing Markov chain of their moves: N =
    (I − Q)⁻¹, with Q the shares of all visits of a stage that went on to each other one. A row a
    stage, in the order of the map: stage, items, observed (visits ÷ items), expected (the same by
    the chain), once (by the chain without moves to the same or an earlier stage, what is left taking
    their place), extra (expected − once). Work sent back brings visits to all stages that follow:
    they are in extra, too.
    """
    closed = (finished(items, scope) | (scope.holds(items["cancelled_at"]) & items["done_at"].isna())).to_numpy()
    place = place_of(items, visits["item"])
    asked = visits[["item", "stage", "position", "seq"]]
    mine = asked[(place >= 0) & closed[place]].reset_index(drop=True) if len(items) else asked.head(0)
    order = mine.drop_duplicates("stage").sort_values("position")[["stage", "position"]].reset_index(drop=True)
    code, before = pd.Index(order["stage"]).get_indexer(pd.Index(mine["stage"])), visit_before(mine)
    size, number = len(order), mine["item"].nunique()
    start = np.bincount(code[before < 0], minlength=size) / max(number, 1)
    counts = np.zeros((size, size))
    np.add.at(counts, (code[before[before >= 0]], code[before >= 0]), 1)
    visited = np.bincount(code, minlength=size)
    onward = np.triu(counts, 1)
    leaving = visited - counts.sum(axis=1) + onward.sum(axis=1)  # of those that stayed, or went on
    frame = pd.DataFrame({"stage": order["stage"], "items": np.full(size, number, dtype="int64")})
    frame = frame.assign(
        observed=visited / max(number, 1),
        expected=visits_of_chain(start, counts / np.maximum(visited, 1)[:, None]),
        once=visits_of_chain(start, onward / np.maximum(leaving, 1)[:, None]),
    )
    return frame.assign(extra=frame["expected"] - frame["once"])


def visits_of_chain(start: Floats, moves: Floats) -> Floats:
    """Expected visits of each state of an absorbing chain: start × (I − Q)⁻¹; `moves` is Q, what its rows lack is the end.

    >>> visits_of_chain(np.array([1.0, 0.0]), np.array([[0.0, 1.0], [0.2, 0.0]])).round(4).tolist()
    [1.25, 1.25]
    """
    return np.asarray(np.linalg.solve((np.eye(len(start)) - moves).T, start), dtype="float64")
