"""The board: where every item stands now, stage by stage and team by team, with its age, what blocks it, and who has no home."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vsm.frames import among, begins, kept, looked_up, plain
from vsm.measure import Measures
from vsm.metrics.figure import FEW, hours, percentiles
from vsm.metrics.stages import inside

QUIET = 7 * 24.0  # hours; who meets weekly sees at each meeting what nothing happened to since the last one
MARKS = ("Blocked", "Older than usual", "Waiting", "In work", "Quiet for a week")  # what cards may be asked for
NO_TEAM, NO_TYPE = "No team", "No type"
LANES = {"team": ("owner", NO_TEAM), "type": ("type", NO_TYPE)}  # by what cards may stand in lanes: the column, and none of it
CARDS = {
    "item": "str", "title": "str", "type": "str", "url": "str", "stage": "str", "owner": "str", "status": "str",
    "age": "float64", "in_stage": "float64", "quiet": "float64", "rank": "float64",
    "working": "bool", "blocked": "bool", "old": "bool", "homeless": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which cards are asked for: words of the key or title, one stage, one type, marks (all of them); empty for any."""

    words: str = ""
    stage: str = ""
    type: str = ""
    marks: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether it asks for less than all."""
        return bool(self.words.strip() or self.stage or self.type or self.marks)


def cards(measures: Measures) -> pd.DataFrame:
    """Every item that stands in a stage now, the one that is there the longest first (columns of CARDS).

    age, in_stage and quiet: hours since its first stage, in this one, and since anything happened to it. owner: its team, else
    that of its stay. blocked: flagged, or by a ticket that is not resolved. old: longer in its stage than 85 % of those that left
    it in the window; rank: than which share was (missing for fewer than five). homeless: its tracker's status belongs to no
    stage, so that it is still counted where it was before.
    """
    if measures.stages is None or measures.workflow is None:
        return pd.DataFrame(columns=list(CARDS)).astype(CARDS)
    now = measures.scope.end
    stays = measures.visits[inside(measures.visits, now)].drop_duplicates("item", keep="last")
    items = measures.items[["item", "title", "type", "url", "first_queued", "team", "status"]].rename(columns={"team": "owner"})
    found = stays[["item", "stage", "queued", "started", "finished", "team"]].merge(items, on="item")
    usual = looked_up(found["stage"], measures.stages.set_index("stage")["dwell_p85"])
    waits_for = measures.figures["blocked_by"].rows["item"]
    found = found.assign(
        owner=found["owner"].fillna(found["team"]),
        age=hours(now - found["first_queued"]),
        in_stage=hours(now - found["queued"]),
        quiet=hours(now - looked_up(found["item"], _last(measures, found["item"]))),
        working=(found["started"] <= now) & ~(found["finished"] <= now),
        blocked=among(found["item"], blocked(measures.flow.facts.ticket_changes, now)) | among(found["item"], waits_for),
        homeless=_is_homeless(found["status"], measures),
    )
    found = found.assign(old=found["in_stage"] > usual, rank=_rank(found, measures))
    return found.sort_values(["in_stage", "item"], ascending=[False, True], ignore_index=True)[list(CARDS)].astype(CARDS)


def _rank(found: pd.DataFrame, measures: Measures) -> pd.Series:
    """The share of the stays that ended in the window in the same stage that were shorter."""
    left = measures.visits[measures.scope.holds(measures.visits["left"])]
    ended = {stage: np.sort(hours(part).to_numpy()) for stage, part in left.groupby("stage", sort=False)["dwell"]}
    rank = pd.Series(np.nan, index=found.index)
    for stage, here in found.groupby("stage", sort=False)["in_stage"]:
        stays = ended.get(stage, np.zeros(0))
        if len(stays) >= FEW:
            rank[here.index] = np.searchsorted(stays, here.to_numpy(), side="left") / len(stays)
    return rank


def _last(measures: Measures, items: pd.Series) -> pd.Series:
    """When anything last happened to some items."""
    (told,) = (one.log for one in measures.flow.streams if measures.workflow is not None and one.name == measures.workflow.name)
    told = kept(told, (told["at"] <= measures.scope.end).to_numpy())
    told = told.loc[among(told["item"], items), ["item", "at"]]
    ends = np.append(begins(told["item"])[1:], True) if len(told) else np.zeros(0, dtype=bool)
    last = told[ends]
    return last["at"].set_axis(last["item"].astype("str"))


def _is_homeless(statuses: pd.Series, measures: Measures) -> "pd.Series[bool]":
    flow = measures.workflow
    lost = {status for status in statuses.dropna().unique() if flow is not None and flow.meaning(status)[0] == "unknown"}
    return among(statuses, lost)


def homeless(measures: Measures) -> pd.DataFrame:
    """The items that are not over and whose status belongs to no stage: item, title, type, url, status, stage.

    stage: where they are still counted, since they were there before; missing where they never were in any.
    """
    items = measures.items
    open_now = ~items["state"].isin(["done", "cancelled"]) & (items["kind"] == "ticket")
    rows = items.loc[open_now, ["item", "title", "type", "url", "status", "stage"]]
    return rows[_is_homeless(rows["status"], measures)].reset_index(drop=True)


def picked(found: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    """The cards that are asked for."""
    keep = matching(found, wanted.words)
    for column, value in (("stage", wanted.stage), ("type", wanted.type)):
        if value:
            keep &= (found[column].fillna(NO_TYPE) == value).to_numpy()
    says = {
        "Blocked": found["blocked"],
        "Older than usual": found["old"],
        "Waiting": ~found["working"],
        "In work": found["working"],
        "Quiet for a week": found["quiet"] >= QUIET,
    }
    for mark in wanted.marks:
        keep &= says[mark].to_numpy(dtype=bool)
    return found[keep]


def matching(found: pd.DataFrame, words: str) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Which items have all of some words in key and title, in any case."""
    keep = np.ones(len(found), dtype=bool)
    if words.strip():
        text = (found["item"] + " " + found["title"].fillna("")).str.casefold()
        for word in words.casefold().split():
            keep &= text.str.contains(word, regex=False).to_numpy(dtype=bool)
    return keep


def elsewhere(measures: Measures, words: str, most: int) -> tuple[int, list[dict[str, Any]]]:
    """How many items that stand in no stage (finished, given up, not started) have some words, and the newest of them."""
    rest = measures.items[measures.items["state"] != "in progress"]
    rows = rest[matching(rest, words)] if words.strip() else rest.head(0)
    newest = rows.assign(exact=rows["item"].str.casefold() == words.strip().casefold())
    newest = newest.sort_values(["exact", "created_at"], ascending=False, kind="stable").head(most)
    names = ("item", "title", "type", "url", "state", "status", "done_at")
    return len(rows), [
        dict(zip(names, values, strict=True)) for values in zip(*(plain(newest[name]) for name in names), strict=True)
    ]


def columns(
    measures: Measures, every: pd.DataFrame | None = None, found: pd.DataFrame | None = None, most: int | None = None
) -> list[dict[str, Any]]:
    """A column a stage in map order: name, team, limit, count, usual (hours within which 85 % leave), older, found and cards.

    count and older are of all that is in it (`every`, as `cards` gives it), found and cards of what is asked for (default: all),
    at most so many, the oldest in its stage first. A card: key, title, type, team, age_hours, in_stage_hours, quiet_hours, rank,
    working (else it waits), url, blocked, old, status (where that belongs to no stage). Nothing without one map of stages.
    """
    if measures.stages is None:
        return []
    every = cards(measures) if every is None else every
    asked = every if found is None else found
    counts, rows = _first(asked, "stage", most)
    none = asked.head(0)
    older = every.loc[every["old"], "stage"].value_counts()
    return [
        {
            "name": stage["stage"],
            "team": stage["team"] if isinstance(stage["team"], str) else None,
            "limit": None if pd.isna(stage["wip_limit"]) else int(stage["wip_limit"]),
            "count": int(stage["wip_now"]),
            "usual": None if pd.isna(stage["dwell_p85"]) else float(stage["dwell_p85"]),
            "older": int(older.get(stage["stage"], 0)),
            "found": counts.get(stage["stage"], 0),
            "cards": told(rows.get(stage["stage"], none)),
        }
        for stage in measures.stages.to_dict("records")
    ]


def lanes(found: pd.DataFrame, by: str, stages: Sequence[str], most: int) -> list[dict[str, Any]]:
    """Cards in lanes by team or type, the fullest lane first: name, count, and by stage how many there are and their cards."""
    column, none = LANES[by]
    laid = found.assign(lane=found[column].fillna(none))
    counts, rows = _first(laid, ["lane", "stage"], most)
    parts = sorted(laid["lane"].value_counts().items(), key=lambda one: (one[0] == none, -one[1], one[0]))
    return [
        {
            "name": name,
            "count": int(count),
            "cells": [(counts.get((name, stage), 0), told(rows.get((name, stage), laid.head(0)))) for stage in stages],
        }
        for name, count in parts
    ]


def _first(found: pd.DataFrame, by: str | list[str], most: int | None) -> tuple[dict[Any, int], dict[Any, pd.DataFrame]]:
    """How many cards each group has, and its first ones. Only these are picked out: there may be 100,000 of the others."""
    groups = found.groupby(by, sort=False)
    return groups.size().to_dict(), dict(tuple((found if most is None else groups.head(most)).groupby(by, sort=False)))


def told(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as cards."""
    names = {
        "item": "key", "title": "title", "type": "type", "owner": "team", "age": "age_hours", "in_stage": "in_stage_hours",
        "quiet": "quiet_hours", "rank": "rank", "working": "working", "url": "url", "blocked": "blocked", "old": "old",
    }  # fmt: skip
    status = found["status"].where(found["homeless"])
    rows = zip(*(plain(found[name]) for name in names), plain(status), strict=True)
    return [dict(zip((*names.values(), "status"), values, strict=True)) for values in rows]


def blocked(ticket_changes: pd.DataFrame, now: pd.Timestamp) -> set[str]:
    """The tickets whose flag was set and not taken away again by an instant."""
    flags = ticket_changes[(ticket_changes["field"].str.casefold() == "flagged") & (ticket_changes["at"] <= now)]
    last = flags.sort_values("at", kind="stable").drop_duplicates("ticket", keep="last")
    return set(last.loc[last["to"].notna(), "ticket"])


def ages(measures: Measures) -> pd.DataFrame:
    """The items in progress for the ageing chart: item, title, stage, position, age_hours, since the first stage."""
    rows = measures.figures["work_item_age"].rows
    stages = pd.DataFrame() if measures.stages is None else measures.stages
    places = {name: place for place, name in enumerate(stages["stage"] if len(stages) else [])}
    here = rows[rows["stage"].isin(list(places))]
    return here.assign(position=here["stage"].map(places).astype("int64"), age_hours=here["hours"])


def age_bands(measures: Measures) -> pd.DataFrame:
    """How old items were when they left each stage in the window: stage, p50, p85, p95 in hours since their first stage, n."""
    left = measures.visits[measures.scope.holds(measures.visits["left"])]
    left = left.merge(measures.items[["item", "first_queued"]], on="item")
    left = left.assign(age=hours(left["left"] - left["first_queued"]))
    by_stage = left.groupby("stage", sort=False)["age"]
    rows = [{"stage": stage, **percentiles(part, 50, 85, 95), "n": len(part)} for stage, part in by_stage]
    return pd.DataFrame(rows, columns=["stage", "p50", "p85", "p95", "n"])
