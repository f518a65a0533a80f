"""Moves between stages, and handoffs: the moves on which work changes hands."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vsm.metrics.figure import Figure, definition, hours, mean, nearest_rank
from vsm.metrics.flow import finished, has_visits, left_out, place_of
from vsm.metrics.stages import visit_before
from vsm.scope import Scope


@dataclass(frozen=True)
class Handoffs:
    """How often finished items change hands, and between whom; frames of from, to, n and the mean wait in hours."""

    per_item: Figure
    between_people: pd.DataFrame
    between_teams: pd.DataFrame


def steps(visits: pd.DataFrame) -> pd.DataFrame:
    """Every move of an item from one stage to its next, a row a move, in the visits' order.

    row_from, row_to (the rows of the two visits), from, to, at (entering the next stage), left
    (leaving the one before), backward (to an earlier stage of the map), wait (from the end of work
    there, or leaving it, to the start of work here; NaT where none started), who had it and which
    team before and after, changed (whether the person or the team did), known (whether it can be told).
    """
    before = visit_before(visits)
    second = np.flatnonzero(before >= 0)
    old = visits.iloc[before[second]].reset_index(drop=True)
    new = visits.iloc[second].reset_index(drop=True)
    people = old["actor"].notna() & new["actor"].notna()
    teams = old["team"].notna() & new["team"].notna()
    person_changed = people & (old["actor"] != new["actor"])
    team_changed = teams & (old["team"] != new["team"])
    return pd.DataFrame(
        {
            "item": new["item"],
            "row_from": before[second],
            "row_to": second,
            "from": old["stage"],
            "to": new["stage"],
            "at": new["queued"],
            "left": old["left"],
            "backward": new["position"] < old["position"],
            "wait": new["started"] - old["finished"].fillna(old["left"]),
            "from_person": old["actor"],
            "to_person": new["actor"],
            "from_team": old["team"],
            "to_team": new["team"],
            "person_changed": person_changed,
            "team_changed": team_changed,
            "people_known": people,
            "teams_known": teams,
            "changed": person_changed | team_changed,
            "known": people | teams,
        }
    )


def moves(visits: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Moves from stage to stage in the window: how many, how long the work waits on the way, how often it changes hands.

    from, to, n, backward (to an earlier stage of the map). wait_p50, wait_mean (hours, of wait_n
    moves): from the end of work in one stage, or leaving it, to the start of work in the next.
    person_changed, team_changed: the share of the moves on which both sides are known (people_n,
    teams_n). In the order of the map; entering the first stage is no move.
    """
    told = steps(visits)
    told = told[scope.holds(told["at"])]
    told = told.assign(wait=hours(told["wait"]))
    place = visits.drop_duplicates("stage").set_index("stage")["position"]
    edges = told.groupby(["from", "to"])
    frame = edges.agg(
        n=("item", "size"),
        backward=("backward", "first"),
        wait_mean=("wait", "mean"),
        wait_n=("wait", "count"),
        person_changed=("person_changed", "sum"),
        people_n=("people_known", "sum"),
        team_changed=("team_changed", "sum"),
        teams_n=("teams_known", "sum"),
    )
    medians = [nearest_rank(waits, 0.5) for _, waits in edges["wait"]]
    frame = frame.assign(wait_p50=np.array(medians, dtype="float64")).reset_index()
    frame = frame.assign(
        person_changed=frame["person_changed"] / frame["people_n"].where(frame["people_n"] > 0),
        team_changed=frame["team_changed"] / frame["teams_n"].where(frame["teams_n"] > 0),
    )
    order = np.lexsort((frame["to"].map(place).to_numpy(), frame["from"].map(place).to_numpy()))
    columns = ["from", "to", "n", "backward", "wait_p50", "wait_mean", "wait_n"]
    return frame.iloc[order].reset_index(drop=True)[[*columns, "person_changed", "people_n", "team_changed", "teams_n"]]


def handoffs(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> Handoffs:
    """Handoffs of an item: its moves from stage to stage on which the person or the team changes, over all of its way to done.

    Of items finished in the window. A move with an unknown side on both counts is not counted as a
    handoff but in moves_known, the share of moves that can be told; an item none of whose moves can
    be told is left out.
    """
    done, seen = finished(items, scope), has_visits(visits, items)
    told = steps(visits)
    place = place_of(items, told["item"])
    mine = (place >= 0) & done.to_numpy()[place]
    told, place = told[mine], place[mine]
    sums = {
        name: np.bincount(place[mask.to_numpy()], minlength=len(items))
        for name, mask in (("handoffs", told["changed"]), ("known", told["known"]), ("moves", told["item"].notna()))
    }
    rows = pd.DataFrame({"item": items["item"].array, **sums})
    nobody = done & seen & ((sums["moves"] > 0) & (sums["known"] == 0))
    rows = rows[(done & seen & ~nobody).to_numpy()]
    why = {"no stay in any stage is recorded": done & ~seen, "who had it is not known on any of its moves": nobody}
    per_item = Figure(
        "handoffs_per_item",
        {"mean": mean(rows["handoffs"]), "moves_known": mean(told["known"])},
        len(rows),
        "handoffs an item",
        definition(handoffs),
        "moves between stages on which the person or the team changes, items done in the window, all of their moves",
        rows.sort_values(["handoffs", "item"], ascending=[False, True], ignore_index=True),
        left_out(items, why),
        of=int(done.sum()),
    )
    return Handoffs(per_item, _between(told, "person"), _between(told, "team"))


def _between(told: pd.DataFrame, who: str) -> pd.DataFrame:
    """From whom to whom work went, how often, and how long it then waited (mean hours); the most frequent first."""
    changed = told[told[f"{who}_changed"]]
    changed = pd.DataFrame({"from": changed[f"from_{who}"], "to": changed[f"to_{who}"], "wait": hours(changed["wait"])})
    pairs = changed.groupby(["from", "to"])["wait"].agg(n="size", wait_mean="mean").reset_index()
    return pairs.sort_values(["n", "from", "to"], ascending=[False, True, True], ignore_index=True)
