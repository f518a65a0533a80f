"""Flow: how long items take, how many are finished, how many are under way and since when, and how much of it is work."""

from collections.abc import Callable
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.frames import looked_up, places
from vsm.metrics.figure import Figure, definition, hours, no_rows, percentiles
from vsm.metrics.stages import Codes, inside, sojourn
from vsm.scope import Scope, week_starts, weeks

ENDS = {"production": ("in_production_at", "in production"), "done": ("done_at", "done")}


def lead_time(items: pd.DataFrame, scope: Scope, end: Literal["production", "done"] = "production") -> Figure:
    """Time from creation to in production, or to final done where nothing links to deployments; cancelled items never count.

    Items whose end lies in the window. Of how many: also those that were done in the window but are
    not known to be in production, and those without a creation before their end.
    """
    column, place = ENDS[end]
    dropped = cancelled(items)
    ended = scope.holds(items[column]) & ~dropped
    waiting = finished(items, scope) & ~(items[column] <= scope.end) & ~dropped
    why = {
        "cancelled in the window": dropped & scope.holds(items["cancelled_at"]),
        f"done in the window, but not known to be {place} by its end": waiting,
        "when it was created is not known": ended & items["created_at"].isna(),
        f"created after it was {place}": ended & (items["created_at"] > items[column]),
    }
    return _duration(
        lead_time, "lead_time", items, "created_at", column, ended, int((ended | waiting).sum()), why,
        rule=f"from created to {place}, items that were {place} in the window, elapsed time, percentiles by nearest rank",
        said={"start": "created", "end": end},
    )  # fmt: skip


def cycle_time(items: pd.DataFrame, scope: Scope) -> Figure:
    """Time from first active work to final done; items never seen in work are left out, cancelled ones never count.

    An item that went back, or was reopened, keeps its first start and ends with its last done.
    """
    ended = finished(items, scope)
    why = {
        "cancelled in the window": cancelled(items) & scope.holds(items["cancelled_at"]),
        "no work on it was recorded in any stage": ended & items["first_started"].isna(),
        "work began after it was done": ended & (items["first_started"] > items["done_at"]),
    }
    return _duration(
        cycle_time, "cycle_time", items, "first_started", "done_at", ended, int(ended.sum()), why,
        rule="from first work to final done, items done in the window, elapsed time, percentiles by nearest rank",
        said={"start": "first work", "end": "done"},
    )  # fmt: skip


def _duration(
    metric: Callable[..., Figure], name: str, items: pd.DataFrame, start: str, end: str, ended: pd.Series, of: int,
    why: dict[str, pd.Series], rule: str, said: dict[str, str],
) -> Figure:  # fmt: skip
    """A figure of the time between two columns of the items that ended, except those that are left out."""
    out = left_out(items, why)
    counted = items[ended & (items[start] <= items[end])]
    rows = _told(counted, [start, end]).assign(hours=hours(counted[end] - counted[start]))
    rows = rows.sort_values([end, "item"], kind="stable", ignore_index=True)
    return Figure(
        name, percentiles(rows["hours"], 50, 85, 95), len(rows), "hours", definition(metric), rule, rows, out, of=of, said=said
    )


def throughput(items: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> Figure:
    """Items that reached final done, per week: their exact number ÷ the window's weeks; cancelled items never count.

    None where no item has a history to be done in. Its series has every week that the window
    touches, also those without any; ``whole`` is false of a week that the window holds only a part of.
    """
    done = items[finished(items, scope)]
    rows = _told(done, ["done_at"]).sort_values(["done_at", "item"], kind="stable", ignore_index=True)
    followed = bool((items["state"] != "no events").any())
    every = weeks(scope.start, scope.end, zone)
    counts = week_starts(rows["done_at"], zone).value_counts()
    return Figure(
        "throughput_per_week",
        {"mean": len(rows) / scope.weeks if followed else None},
        len(rows),
        "items a week",
        definition(throughput),
        f"items whose final done lies in the window ÷ {scope.weeks:.4g} weeks; weeks begin on Monday in {zone.key}",
        rows,
        left_out(items, {"cancelled in the window": cancelled(items) & scope.holds(items["cancelled_at"])}),
        series=every.assign(items=every["week"].map(counts).fillna(0).astype("int64")),
        said=_begun(items, scope, zone),
    )


def _begun(items: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> dict[str, str]:
    """Since when finished items are known, where that is later than the window's start."""
    first = items["done_at"].min()
    late = pd.notna(first) and first > scope.start
    return {"since": f"the first finished item known is of {first.tz_convert(zone).date()}"} if late else {}


def wip(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> Figure:
    """Work in progress: items in any stage, waiting or worked on; now is the end of the window, the mean is over all of its time.

    The mean is Little's law in its exact form: the hours that all items spent in stages within the
    window ÷ the window's hours. n: the items that were in a stage at some time in the window.
    """
    spent = visits[["item", "stage", "queued"]].assign(hours=sojourn(visits, scope), now=inside(visits, scope.end).to_numpy())
    spent = spent[(spent["hours"] > 0) | spent["now"]]
    here = spent[spent["now"]].drop_duplicates("item", keep="last").set_index("item")
    total = spent.groupby("item")["hours"].sum()
    rows = pd.DataFrame({"item": pd.Series(total.index, dtype="str"), "hours": total.to_numpy()})
    rows = rows.assign(stage=looked_up(rows["item"], here["stage"]).astype("str"), since=looked_up(rows["item"], here["queued"]))
    rows = rows.merge(items[["item", *_known(items, "title", "type", "url")]], on="item", how="left")
    rows = rows.assign(now=rows["since"].notna())
    rows = rows.sort_values(["now", "since", "item"], ascending=[False, True, True], ignore_index=True)
    seen = len(visits) > 0
    return Figure(
        "wip",
        {"now": float(rows["now"].sum()) if seen else None, "mean": float(rows["hours"].sum()) / scope.hours if seen else None},
        len(rows),
        "items",
        definition(wip),
        "items in any stage; now at the end of the window, mean = hours in stages within the window ÷ its hours",
        rows,
        left_out(items, {"no stay in any stage is recorded": items["state"] == "no events"}),
    )


def work_item_age(items: pd.DataFrame, scope: Scope) -> Figure:
    """How long items in progress have been so: from the first stage that they entered until now; what is over has no age.

    Now is the end of the window. The clock starts with the commitment, not with the first work: what
    waits in its first stage ages too, and this way the items are those of WIP.
    """
    later = (items["done_at"] > scope.end) | (items["cancelled_at"] > scope.end)
    open_ = (items["first_queued"] <= scope.end) & ((items["state"] == "in progress") | later)
    rows = _told(items[open_], ["first_queued", "first_started", "stage", "stage_since"])
    rows = rows.assign(hours=hours(scope.end - rows["first_queued"]).astype("float64"))
    rows = rows.sort_values(["hours", "item"], ascending=[False, True], kind="stable", ignore_index=True)
    return Figure(
        "work_item_age",
        percentiles(rows["hours"], 50, 85),
        len(rows),
        "hours",
        definition(work_item_age),
        "from the first stage entered to the end of the window, items in progress then, percentiles by nearest rank",
        rows,
        said={"start": "first stage entered", "end": "now"},
    )


def flow_efficiency(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> Figure:
    """The share of work in the time that finished items spent in stages: Σ work ÷ Σ (wait + work), where both are known.

    `visits` with wait, work and known (`stages.split`). An item counts if at least one of its stays
    shows both; then all its stays whose split is known count, also those that only hold work.
    hours_known: how much of the finished items' hours in stages could be split at all.
    """
    done = finished(items, scope)
    place = place_of(items, visits["item"])
    told = place >= 0
    known, work = visits["known"].to_numpy(), hours(visits["work"]).to_numpy()
    both = np.bincount(place[told & known & ~np.isnan(work)], minlength=len(items)) > 0
    parts = {
        "work": np.where(known & ~np.isnan(work), work, 0),
        "time": np.where(known, hours(visits["dwell"]), 0),
        "dwell": hours(visits["dwell"]).fillna(0).to_numpy(),
    }
    sums = {name: np.bincount(place[told], weights=part[told], minlength=len(items)) for name, part in parts.items()}
    spent = float(sums["dwell"][done].sum())
    rows = pd.DataFrame({"item": items["item"].array, **sums})[done.to_numpy() & both]
    rows = rows.assign(wait=rows["time"] - rows["work"])[["item", "wait", "work", "time", "dwell"]].reset_index(drop=True)
    work_hours, time = float(rows["work"].sum()), float(rows["time"].sum())
    return Figure(
        "flow_efficiency",
        {
            "value": work_hours / time if time else None,
            "work_hours": work_hours if len(rows) else None,
            "wait_hours": time - work_hours if len(rows) else None,
            "hours_known": time / spent if spent else None,
        },
        len(rows),
        "share",
        definition(flow_efficiency),
        "work ÷ (wait + work) over the stays of items done in the window, where the stage shows both sides, elapsed time",
        rows.drop(columns="time"),
        left_out(items, {"no stay shows both wait and work": done & ~both}),
        of=int(done.sum()),
    )


def distribution(items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Finished items by type: type (missing where there is none), n, share; the commonest first."""
    types = items.loc[finished(items, scope), "type"]
    counts = types.value_counts(dropna=False).rename_axis("type").reset_index(name="n")
    counts = counts.assign(type=counts["type"].astype("str"), n=counts["n"].astype("int64"), share=counts["n"] / max(len(types), 1))
    return counts.sort_values(["n", "type"], ascending=[False, True], ignore_index=True)


def place_of(items: pd.DataFrame, keys: pd.Series) -> Codes:
    """The row of each key's item; −1 where it is not among the items. (`isin` on text takes twenty times as long.)"""
    return places(keys, items["item"])


def has_visits(visits: pd.DataFrame, items: pd.DataFrame) -> pd.Series:
    """Which items were in a stage at some time."""
    place = place_of(items, visits["item"])
    return pd.Series(np.bincount(place[place >= 0], minlength=len(items)) > 0, index=items.index)


def finished(items: pd.DataFrame, scope: Scope) -> pd.Series:
    """Which items reached their final done in the window."""
    return scope.holds(items["done_at"])


def cancelled(items: pd.DataFrame) -> pd.Series:
    """Which items ended cancelled."""
    return items["cancelled_at"].notna() & items["done_at"].isna()


def left_out(items: pd.DataFrame, why: dict[str, pd.Series]) -> pd.DataFrame:
    """The items under each mask with its reason; an item once, with the first that fits."""
    parts = [pd.DataFrame({"id": items.loc[mask, "item"]}).assign(reason=reason) for reason, mask in why.items()]
    out = pd.concat([no_rows(), *(part for part in parts if len(part))], ignore_index=True)
    return out.drop_duplicates("id", ignore_index=True)


def _known(frame: pd.DataFrame, *names: str) -> list[str]:
    return [name for name in names if name in frame.columns]


def _told(items: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Items with what tells a reader which they are, and some more columns."""
    return items[["item", *_known(items, "title", "type", "url"), *columns]]
