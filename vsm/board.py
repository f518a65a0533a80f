"""The board: where every item stands now, stage by stage, with its age and what others needed."""

from typing import Any

import pandas as pd

from vsm.measure import Measures
from vsm.metrics.figure import hours, percentiles
from vsm.metrics.stages import inside


def columns(measures: Measures) -> list[dict[str, Any]]:
    """A column a stage in map order: name, team, limit, count and cards, the oldest in its stage first.

    A card: key, title, type, age_hours (since the first stage), in_stage_hours, working (else it
    waits), url, blocked (flagged now, or by a ticket that is not resolved), old (longer in its stage
    than 85 % of those that left it in the window). Nothing where there is no one map of stages.
    """
    if measures.stages is None:
        return []
    cards = _cards(measures)
    rows = dict(tuple(cards.groupby("stage", sort=False)))
    return [
        {
            "name": stage["stage"],
            "team": stage["team"] if isinstance(stage["team"], str) else None,
            "limit": None if pd.isna(stage["wip_limit"]) else int(stage["wip_limit"]),
            "count": int(stage["wip_now"]),
            "cards": [_card(row, stage) for row in _oldest_first(rows.get(stage["stage"]))],
        }
        for stage in measures.stages.to_dict("records")
    ]


def _cards(measures: Measures) -> pd.DataFrame:
    now = measures.scope.end
    stays = measures.visits[inside(measures.visits, now)].drop_duplicates("item", keep="last")
    items = measures.items[["item", "title", "type", "url", "first_queued"]]
    cards = stays[["item", "stage", "queued", "started", "finished"]].merge(items, on="item")
    return cards.assign(
        age=hours(now - cards["first_queued"]),
        in_stage=hours(now - cards["queued"]),
        working=(cards["started"] <= now) & ~(cards["finished"] <= now),
        blocked=cards["item"].isin(blocked(measures.flow.facts.ticket_changes, now))
        | cards["item"].isin(measures.figures["blocked_by"].rows["item"]),
    )


def blocked(ticket_changes: pd.DataFrame, now: pd.Timestamp) -> set[str]:
    """The tickets whose flag was set and not taken away again by an instant."""
    flags = ticket_changes[(ticket_changes["field"].str.casefold() == "flagged") & (ticket_changes["at"] <= now)]
    last = flags.sort_values("at", kind="stable").drop_duplicates("ticket", keep="last")
    return set(last.loc[last["to"].notna(), "ticket"])


def _oldest_first(cards: pd.DataFrame | None) -> list[dict[str, Any]]:
    return [] if cards is None else list(cards.sort_values(["in_stage", "item"], ascending=[False, True]).to_dict("records"))


def _card(row: dict[str, Any], stage: dict[str, Any]) -> dict[str, Any]:
    usual = stage["dwell_p85"]
    return {
        "key": row["item"],
        "title": _text(row["title"]),
        "type": _text(row["type"]),
        "age_hours": float(row["age"]),
        "in_stage_hours": float(row["in_stage"]),
        "working": bool(row["working"]),
        "url": _text(row["url"]),
        "blocked": bool(row["blocked"]),
        "old": bool(not pd.isna(usual) and row["in_stage"] > usual),
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


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
