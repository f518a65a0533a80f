"""Moves, rework and changes of hands from an engine: what `vsm.metrics.handoffs` and `vsm.metrics.rework` tell of visits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd

from vsm.metrics.rework import main_path, rolled
from vsm.warehouse.ranks import count, first_row, in_hours, number, ranked
from vsm.warehouse.stays import Window

if TYPE_CHECKING:
    from vsm.workflow import Stage

Expr = Any


def steps(visits: Expr, items: Expr) -> Expr:
    """Every visit with the move that brought it (``before`` ≥ 0) and the one that follows (``after``; missing of the last)."""
    about = items.select("item", "done_at", again=items.reopened > 0)
    told = visits.inner_join(about, "item")
    turn = ibis.window(group_by=told.item, order_by=told.seq)
    told = told.mutate(
        after=told.position.lead(1).over(turn),
        next_queued=told.queued.lead(1).over(turn),
        **{f"{name}_before": told[name].lag(1).over(turn) for name in ("left", "finished", "actor", "team")},
    )
    people, teams = (told[f"{name}_before"].notnull() & told[name].notnull() for name in ("actor", "team"))
    moved = told.before >= 0
    reopened = moved & told.again & (told.left_before < told.queued)
    other = {name: ibis.coalesce(told[f"{name}_before"] != told[name], ibis.literal(False)) for name in ("actor", "team")}
    told = told.mutate(
        moved=moved,
        backward=moved & (told.position < told.before),
        reopening=ibis.coalesce(reopened, ibis.literal(False)),
        wait_on_way=told.started - ibis.coalesce(told.finished_before, told.left_before),
        people_known=moved & people,
        teams_known=moved & teams,
        person_changed=moved & people & other["actor"],
        team_changed=moved & teams & other["team"],
        sent_on=told.after.notnull() & (told.after < told.position) & ~(told.again & (told.left < told.next_queued)),
    )
    return told.mutate(sent=told.backward & ~told.reopening)


def moves(told: Expr, line: "Sequence[Stage]", window: Window) -> pd.DataFrame:
    """Moves from stage to stage in the window, as `vsm.metrics.handoffs.moves` tells them."""
    mine = told.filter(told.moved & window.holds(told.queued))
    by = ["before", "position"]
    sums = ("sent", "reopening", "person_changed", "people_known", "team_changed", "teams_known")
    edges = mine.group_by(by).agg(n=mine.count(), **{name: count(mine[name]) for name in sums}).to_pandas()
    waits = ranked(mine, "wait_on_way", (50,), by=by).to_pandas()
    found = {(int(row["before"]), int(row["position"])): row for row in waits.to_dict("records")}
    rows = []
    for row in sorted(edges.to_dict("records"), key=lambda row: (row["before"], row["position"])):
        start, end = int(row["before"]), int(row["position"])
        wait = found.get((start, end), {})
        people, teams = int(row["people_known"]), int(row["teams_known"])
        rows.append(
            {
                "from": line[start].name, "to": line[end].name, "n": int(row["n"]), "backward": end < start,
                "sent_back": int(row["sent"]), "reopened": int(row["reopening"]), "wait_p50": in_hours(wait.get("p50")),
                "wait_mean": in_hours(wait.get("mean")), "wait_n": int(wait.get("n", 0)),
                "person_changed": int(row["person_changed"]) / people if people else None, "people_n": people,
                "team_changed": int(row["team_changed"]) / teams if teams else None, "teams_n": teams,
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(MOVES)).astype(MOVES)


MOVES = {
    "from": "str", "to": "str", "n": "int64", "backward": "bool", "sent_back": "int64", "reopened": "int64", "wait_p50": "float64",
    "wait_mean": "float64", "wait_n": "int64", "person_changed": "float64", "people_n": "int64", "team_changed": "float64",
    "teams_n": "int64",
}  # fmt: skip


@dataclass(frozen=True)
class Rework:
    """What went back: finished items with their counts, and of each edge how much its receiver could use as it is."""

    n: int
    items: int
    reopened: int
    never_sent_back: int
    accurate: pd.DataFrame

    @property
    def rolled(self) -> float | None:
        """The product of %C&A along the way that most work takes."""
        return rolled(self.accurate, main_path(self.accurate))


def rework(told: Expr, items: Expr, line: "Sequence[Stage] | None", window: Window) -> Rework:
    """Finished items that went back, as `vsm.metrics.rework.rework` counts them; without a line no edges."""
    sums = told.group_by("item").agg(went_back=count(told.backward), sent_back=count(told.sent))
    done = items.filter(window.holds(items.done_at) & (items.stays > 0)).inner_join(sums, "item")
    row = first_row(
        done.agg(
            n=done.count(),
            items=count(done.went_back > 0),
            reopened=count(done.reopened > 0),
            never_sent_back=count(done.sent_back == 0),
        )
    )
    return Rework(row["n"], row["items"], row["reopened"], row["never_sent_back"], _accurate(told, line, window))


def _accurate(told: Expr, line: "Sequence[Stage] | None", window: Window) -> pd.DataFrame:
    """How much of what a stage hands on its receiver can use: from, to, value, n, sent_back."""
    columns = {"from": "str", "to": "str", "value": "float64", "n": "int64", "sent_back": "int64"}
    if line is None:
        return pd.DataFrame(columns=list(columns)).astype(columns)
    taken = told.filter((told.before >= 0) & (told.position > told.before) & window.holds(told.left))
    edges = taken.group_by(["before", "position"]).agg(n=taken.count(), sent_back=count(taken.sent_on)).to_pandas()
    rows = [
        (
            line[int(row["before"])].name,
            line[int(row["position"])].name,
            1 - row["sent_back"] / row["n"],
            row["n"],
            row["sent_back"],
        )
        for row in sorted(edges.to_dict("records"), key=lambda row: (row["before"], row["position"]))
    ]
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def together(streams: "Sequence[tuple[pd.DataFrame, Sequence[Stage]]]") -> pd.DataFrame:
    """The edges of several streams in one table, by the places of their stages; those of one name are one."""
    parts = []
    for edges, line in streams:
        place = {stage.name: number for number, stage in enumerate(line)}
        parts.append(edges.assign(supplier=edges["from"].map(place), receiver=edges["to"].map(place)))
    both = (
        pd.concat(parts, ignore_index=True).groupby(["supplier", "receiver", "from", "to"])[["n", "sent_back"]].sum().reset_index()
    )
    both = both.assign(value=(1 - both["sent_back"] / both["n"]).astype("float64"))
    return both[["from", "to", "value", "n", "sent_back"]]


def loops(told: Expr, line: "Sequence[Stage]", window: Window) -> pd.DataFrame:
    """What was sent back to an earlier stage in the window: from, to, n, share of all visits that left there; the most first."""
    back = told.filter(told.sent & window.holds(told.queued))
    edges = back.group_by(["before", "position"]).agg(n=back.count()).to_pandas()
    left = told.filter(window.holds(told.left)).group_by("position").agg(n=lambda t: t.count()).to_pandas()
    leaving = {int(row["position"]): int(row["n"]) for row in left.to_dict("records")}
    rows = [
        (line[int(row["before"])].name, line[int(row["position"])].name, int(row["n"]), row["n"] / leaving[int(row["before"])])
        for row in edges.to_dict("records")
    ]
    frame = pd.DataFrame(rows, columns=["from", "to", "n", "share"]).astype(
        {"from": "str", "to": "str", "n": "int64", "share": "float64"}
    )
    return frame.sort_values(["n", "from", "to"], ascending=[False, True, True], ignore_index=True)


@dataclass(frozen=True)
class Hands:
    """How often finished items change hands, and between which teams. Who hands to whom stays where it is: nobody is named here.

    ``spread``: the variance of the mean.
    """

    n: int
    mean: float | None
    spread: float
    moves_known: float | None
    between_teams: pd.DataFrame


def handoffs(told: Expr, items: Expr, window: Window) -> Hands:
    """Changes of hands of the items done in the window, as `vsm.metrics.handoffs.handoffs` counts them."""
    mine = told.filter(window.holds(told.done_at))
    changed, known = mine.person_changed | mine.team_changed, mine.people_known | mine.teams_known
    sums = mine.group_by("item").agg(changed=count(changed), known=count(known), moves=count(mine.moved))
    counted = sums.filter((sums.moves == 0) | (sums.known > 0))
    times = counted.changed.cast("float64")
    row = first_row(counted.agg(n=counted.count(), mean=times.mean(), squares=(times * times).sum()))
    n, spread = int(row["n"]), 0.0
    if n > 1:
        spread = max(number(row["squares"]) - n * float(row["mean"]) ** 2, 0.0) / (n - 1) / n
    every = first_row(sums.agg(moves=sums.moves.sum().cast("int64"), known=sums.known.sum().cast("int64")))
    teams = mine.filter(mine.team_changed)
    pairs = teams.group_by(["team_before", "team"]).agg(n=teams.count()).to_pandas()
    pairs = pairs.rename(columns={"team_before": "from", "team": "to"}).astype({"from": "str", "to": "str", "n": "int64"})
    pairs = pairs.sort_values(["n", "from", "to"], ascending=[False, True, True], ignore_index=True)
    share = every["known"] / every["moves"] if every["moves"] else None
    return Hands(n, row["mean"], spread, share, pairs)
