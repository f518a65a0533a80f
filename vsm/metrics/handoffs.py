"""Moves between stages, and handoffs: the moves on which work changes hands."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from vsm.frames import coded
from vsm.metrics.figure import Figure, definition, hours, mean, nearest_rank
from vsm.metrics.flow import finished, has_visits, left_out, place_of
from vsm.metrics.stages import Codes, Mask, visit_before
from vsm.scope import Scope
from vsm.working_time import Floats, micros

FEWEST = 8  # moves of each kind that it takes to compare their waits
# Standard deviations from what chance would show. Much is compared, and what cannot be matched still tells a little: in a
# sample in which no wait was planted on any change of hands, one of four comparisons lay beyond 2.4.
CHANCE = 3.0
PART = 0.2  # of a wait at least: what is less may come of what cannot be matched, however sure it is


@dataclass(frozen=True)
class Handoffs:
    """How often finished items change hands, between whom, and what that costs.

    ``between_people``, ``between_teams``: `between`, a row a pair.
    """

    per_item: Figure
    between_people: pd.DataFrame
    between_teams: pd.DataFrame
    _cost: Callable[[Literal["person", "team"]], pd.DataFrame] = field(repr=False, compare=False)

    @property
    def cost_of_people(self) -> pd.DataFrame:
        """What it costs that another person takes over (`cost`), worked out when it is asked for."""
        return self._cost("person")

    @property
    def cost_of_teams(self) -> pd.DataFrame:
        """What it costs that another team takes over."""
        return self._cost("team")


def steps(visits: pd.DataFrame, to: Mask | None = None) -> pd.DataFrame:
    """Every move of an item from one stage to its next, or those to some visits, a row a move, in the visits' order.

    row_from, row_to (the rows of the two visits), from, to, at (entering the next stage), left
    (leaving the one before), backward (to an earlier stage of the map), wait (from the end of work
    there, or leaving it, to the start of work here; NaT where none started), who had it and which
    team before and after, changed (whether the person or the team did), known (whether it can be told).
    """
    before = visit_before(visits)
    second = np.flatnonzero((before >= 0) if to is None else (before >= 0) & to)
    asked = visits[["item", "stage", "position", "queued", "started", "finished", "left", "actor", "team"]]
    old, new = (asked.iloc[rows].reset_index(drop=True) for rows in (before[second], second))
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


def by_reopening(told: pd.DataFrame, items: pd.DataFrame) -> "pd.Series[bool]":
    """Which moves (`steps`) are an item's reopening: it was in no stage in between, as it had been done. Nobody sent it back."""
    place = place_of(items, told["item"])
    again = (place >= 0) & (items["reopened"].to_numpy() > 0)[place] if len(items) else np.zeros(len(told), dtype=bool)
    return pd.Series(again, index=told.index) & (told["left"] < told["at"])


def moves(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Moves from stage to stage in the window: how many, how long the work waits on the way, how often it changes hands.

    from, to, n, backward (to an earlier stage of the map), sent_back (how many of those the stage
    before sent back), reopened (how many of n are an item's reopening after it was done). wait_p50, wait_mean (hours, of wait_n
    moves): from the end of work in one stage, or leaving it, to the start of work in the next.
    person_changed, team_changed: the share of the moves on which both sides are known (people_n,
    teams_n). In the order of the map; entering the first stage is no move.
    """
    told = steps(visits, scope.holds(visits["queued"]).to_numpy())
    told = told.assign(reopened=by_reopening(told, items), wait=hours(told["wait"]))
    told = told.assign(sent_back=told["backward"] & ~told["reopened"])
    place = visits.drop_duplicates("stage").set_index("stage")["position"]
    edges = told.groupby(["from", "to"])
    frame = edges.agg(
        n=("item", "size"),
        backward=("backward", "first"),
        sent_back=("sent_back", "sum"),
        reopened=("reopened", "sum"),
        wait_mean=("wait", "mean"),
        wait_n=("wait", "count"),
        person_changed=("person_changed", "sum"),
        people_n=("people_known", "sum"),
        team_changed=("team_changed", "sum"),
        teams_n=("teams_known", "sum"),
    )
    medians = [nearest_rank(waits, 0.5) for _, waits in edges["wait"]]
    frame = frame.assign(wait_p50=np.array(medians, dtype="float64")).reset_index().astype({"from": "str", "to": "str"})
    frame = frame.assign(
        person_changed=frame["person_changed"] / frame["people_n"].where(frame["people_n"] > 0),
        team_changed=frame["team_changed"] / frame["teams_n"].where(frame["teams_n"] > 0),
    )
    order = np.lexsort((frame["to"].map(place).to_numpy(), frame["from"].map(place).to_numpy()))
    columns = ["from", "to", "n", "backward", "sent_back", "reopened", "wait_p50", "wait_mean", "wait_n"]
    return frame.iloc[order].reset_index(drop=True)[[*columns, "person_changed", "people_n", "team_changed", "teams_n"]]


def handoffs(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> Handoffs:
    """Handoffs of an item: its moves from stage to stage on which the person or the team changes, over all of its way to done.

    Of items finished in the window. A move with an unknown side on both counts is not counted as a
    handoff but in moves_known, the share of moves that can be told; an item none of whose moves can
    be told is left out.
    """
    done, seen = finished(items, scope), has_visits(visits, items)
    place = place_of(items, visits["item"])
    told = steps(visits, (place >= 0) & np.append(done.to_numpy(), False)[place])
    place = place[told["row_to"]]
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
    return Handoffs(per_item, between(told, "person"), between(told, "team"), lambda who: cost(visits, told, who))


def cost(visits: pd.DataFrame, told: pd.DataFrame, who: Literal["person", "team", "either"]) -> pd.DataFrame:
    """What a change of hands costs: how long work waits on moves with and without one, a row for each move from stage to stage.

    `told`: moves (`steps`) of the visits. from, to, changed_n, changed_p50, changed_mean, kept_n,
    kept_p50, kept_mean (hours from the end of work in one stage to its start in the next, where it
    started and where it is known who had it), cost (the medians' difference; missing without moves
    of both kinds). A full queue makes any wait longer, and others take up what those at hand have
    no time for: so moves are matched that met as many waiting (none, one or two, three to six, and
    so on). matched_n, matched_kept_n: changed and kept moves that could be matched; excess: by how
    many hours the changed wait longer then, on average; share: of their waits; longer: whether that
    is beyond chance, and a fifth of the wait or more, with at least eight of each kind. What costs may still be that other work is
    handed on than is kept.
    """
    changed, known = _hands(told, who)
    told = told.assign(changed=changed, hours=hours(told["wait"]), ahead=ahead(visits, told))[known & told["wait"].notna()]
    rows = []
    for (start, end), edge in told.groupby(["from", "to"]):
        one, other = (edge.loc[edge["changed"] == side, "hours"].to_numpy() for side in (True, False))
        sides = (("changed", one), ("kept", other))
        row = {f"{name}_{what}": of(waits) for name, waits in sides for what, of in MEASURES.items()}
        rows.append({"from": start, "to": end, **row, **_matched(edge)})
    frame = pd.DataFrame(rows, columns=list(COST)).astype({name: kind for name, kind in COST.items() if name != "cost"})
    return frame.assign(cost=(frame["changed_p50"] - frame["kept_p50"]).astype("float64"))


MEASURES: dict[str, Callable[[Floats], float | None]] = {"n": len, "p50": lambda waits: nearest_rank(waits, 0.5), "mean": mean}
COST = {
    "from": "str", "to": "str", "changed_n": "int64", "changed_p50": "float64", "changed_mean": "float64", "kept_n": "int64",
    "kept_p50": "float64", "kept_mean": "float64", "cost": "float64", "matched_n": "int64", "matched_kept_n": "int64",
    "excess": "float64", "share": "float64", "longer": "bool",
}  # fmt: skip


def _hands(told: pd.DataFrame, who: str) -> "tuple[pd.Series[bool], pd.Series[bool]]":
    """On which moves they change, and of which it is known."""
    if who == "either":
        return told["changed"], told["known"]
    return told[f"{who}_changed"], told["people_known" if who == "person" else "teams_known"]


def ahead(visits: pd.DataFrame, told: pd.DataFrame) -> Codes:
    """How many others wait for the stage that each move goes to, at that moment."""
    found = np.zeros(len(told), dtype="int64")
    served = visits["started"].fillna(visits["left"])
    for stage, rows in told.reset_index(drop=True).groupby("to").indices.items():
        here = (visits["stage"] == stage).to_numpy()
        came, taken = np.sort(micros(visits["queued"][here])), np.sort(micros(served[here & served.notna().to_numpy()]))
        at = micros(told["at"].iloc[rows])
        found[rows] = np.searchsorted(came, at, side="left") - np.searchsorted(taken, at, side="right")
    return np.maximum(found, 0)


def _matched(edge: pd.DataFrame) -> dict[str, object]:
    """Waits with a change of hands beside those without, among moves that met as many waiting: a rank sum over such groups."""
    n = kept_n = 0
    longer_by = waited = distance = spread = 0.0
    for _, group in edge.groupby(np.log2(edge["ahead"] + 1).astype("int64")):
        changed = group["changed"].to_numpy(dtype=bool)
        one, other = int(changed.sum()), int((~changed).sum())
        if one and other:
            waits, size = group["hours"].to_numpy(), one + other
            n, kept_n = n + one, kept_n + other
            longer_by += one * float(waits[changed].mean() - waits[~changed].mean())
            waited += float(waits[changed].sum())
            ties = group["hours"].value_counts().to_numpy(dtype="float64")
            distance += float(group["hours"].rank().to_numpy()[changed].sum()) - one * (size + 1) / 2
            spread += one * other / 12 * (size + 1 - float((ties**3 - ties).sum()) / (size * (size - 1)))
    enough = min(n, kept_n) >= FEWEST and longer_by > 0 and longer_by >= PART * waited and spread > 0
    return {
        "matched_n": n,
        "matched_kept_n": kept_n,
        "excess": longer_by / n if n else None,
        "share": min(max(longer_by / waited, 0.0), 1.0) if waited else None,
        "longer": bool(enough and distance / np.sqrt(spread) >= CHANCE),
    }


def between(told: pd.DataFrame, who: Literal["person", "team"]) -> pd.DataFrame:
    """From whom to whom work went, how often, and how long it then waited; the most frequent first.

    from, to, n, wait_n, wait_p50, wait_mean (hours, of the moves on which work began), kept_n and
    kept_p50: of the same moves from stage to stage where they did not change hands.
    """
    changed, known = _hands(told, who)
    (start, starts), (end, ends) = coded(told["from"]), coded(told["to"])
    told = told.assign(hours=hours(told["wait"]), edge=start * len(ends) + end)
    sides = [f"from_{who}", f"to_{who}"]
    pairs = told[changed].groupby(sides)
    frame = pairs.agg(n=("item", "size"), wait_n=("hours", "count"), wait_mean=("hours", "mean"))
    pair, kept = pairs.ngroup().to_numpy(), told[known & ~changed & told["wait"].notna()]
    ways = np.zeros((len(frame), len(starts) * len(ends)), dtype=bool)
    ways[pair, told.loc[changed, "edge"]] = True
    kept_n, kept_p50 = _same_ways(ways, kept["edge"].to_numpy(), kept["hours"].to_numpy())
    middle = _middle(pair, told.loc[changed, "hours"].to_numpy(), len(frame))
    frame = frame.assign(wait_p50=middle, kept_n=kept_n, kept_p50=kept_p50)
    frame = frame.reset_index().rename(columns=dict(zip(sides, ("from", "to"), strict=True)))[list(BETWEEN)].astype(BETWEEN)
    return frame.sort_values(["n", "from", "to"], ascending=[False, True, True], ignore_index=True)


def _middle(group: Codes, waits: Floats, groups: int) -> Floats:
    """The median of each group's known waits by nearest rank; NaN of none."""
    known = ~np.isnan(waits)
    order = np.flatnonzero(known)[np.lexsort((waits[known], group[known]))]
    count = np.bincount(group[known], minlength=groups)
    found = np.full(groups, np.nan)
    some = count > 0
    found[some] = waits[order][(np.cumsum(count) - count + (count + 1) // 2 - 1)[some]]
    return found


def _same_ways(ways: Mask, edge: Codes, waits: Floats) -> tuple[Codes, Floats]:
    """Of each row of `ways` (which moves from stage to stage it holds) the number of these waits on them, and their median.

    By nearest rank, found by halving: of how many waits on those moves is a value not exceeded?
    """
    if not len(ways):
        return np.zeros(0, dtype="int64"), np.zeros(0)
    held, row = np.unique(ways, axis=0, return_inverse=True)
    each = [np.sort(waits[edge == one]) for one in range(ways.shape[1])]
    every = np.append(np.sort(waits), np.nan)
    count = held @ np.array([len(one) for one in each])
    low, high = np.zeros(len(held), dtype="int64"), np.where(count > 0, len(waits) - 1, len(waits))
    low = np.where(count > 0, low, high)
    while (low < high).any():
        middle = (low + high) // 2
        below = (held * np.array([np.searchsorted(one, every[middle], side="right") for one in each]).T).sum(axis=1)
        enough = below >= (count + 1) // 2
        low, high = np.where(enough | (low >= high), low, middle + 1), np.where(enough, middle, high)
    return count[row.ravel()], every[low][row.ravel()]


BETWEEN = {
    "from": "str", "to": "str", "n": "int64", "wait_n": "int64", "wait_p50": "float64", "wait_mean": "float64",
    "kept_n": "int64", "kept_p50": "float64",
}  # fmt: skip
