"""Blocked time: since when and until when items were flagged, and in which stage that was; and which wait for another ticket."""

import numpy as np
import pandas as pd

from vsm.frames import TIME, among, kept, looked_up, recoded
from vsm.metrics.figure import Figure, definition, percentiles
from vsm.metrics.flow import left_out, place_of
from vsm.metrics.stages import NEVER, Codes
from vsm.scope import Scope
from vsm.ties import told as tied
from vsm.working_time import HOUR, NOT_A_TIME, Micros, micro, micros

BLOCKING = ("blocks", "is blocking", "blocking", "is blocked by", "blocked by")  # words of links that say so
FLAGGED = "flagged"  # the field of ticket_changes that says so


def flags(changes: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """When items were flagged: item, from, to (missing while it still is); by item and time.

    `changes`: ticket_changes; an item is flagged from a change of the field to anything until one
    to nothing. What the first change found was there since the item was created. At an instant at
    which a flag is both taken away and set, nothing changes.
    """
    told = changes.loc[(recoded(changes["field"], str.casefold) == FLAGGED) & changes["at"].notna(), ["ticket", "at", "from", "to"]]
    told = told.astype({"ticket": "str"}).rename(columns={"ticket": "item"}).assign(on=_said(told["to"]), was=_said(told["from"]))
    told = told.sort_values(["item", "at"], kind="stable", ignore_index=True)
    born = told.drop_duplicates("item")
    born = born.assign(at=looked_up(born["item"], items.set_index("item")["created_at"]).astype(TIME), on=born["was"])
    told = pd.concat([born[born["on"] & born["at"].notna()], told], ignore_index=True)[["item", "at", "on"]]
    told = told.sort_values(["item", "at"], kind="stable", ignore_index=True)
    both = told.groupby(["item", "at"])["on"].transform("nunique") > 1
    told = told[~both].reset_index(drop=True)
    same = told["item"] == told["item"].shift()
    told = told[told["on"] != (told["on"].shift(fill_value=False) & same)].reset_index(drop=True)
    until = told["at"].shift(-1).where(told["item"] == told["item"].shift(-1))
    spans = pd.DataFrame({"item": told["item"], "from": told["at"], "to": until})[told["on"].to_numpy(dtype=bool)]
    return spans.reset_index(drop=True)


def _said(values: pd.Series) -> pd.Series:
    """Which values are there and not empty."""
    return values.fillna("").str.strip() != ""


def parts(rows: pd.Series, begin: Micros, end: Micros, spans: pd.DataFrame) -> tuple[Codes, Micros, Micros]:
    """Which parts of intervals, whose items are `rows`, lie within their items' spans: place of the interval, from, to."""
    places = pd.DataFrame({"place": np.arange(len(rows)), "item": rows.array})
    known = pd.Index(spans["item"].unique())
    places = places[known.get_indexer(pd.Index(places["item"])) >= 0] if len(known) else places.head(0)
    since, until = micros(spans["from"]), micros(spans["to"])
    told = pd.DataFrame({"item": spans["item"], "since": since, "until": np.where(until == NOT_A_TIME, NEVER, until)})
    pairs = places.merge(told, on="item")
    place = pairs["place"].to_numpy(dtype="int64")
    first = np.maximum(begin[place], pairs["since"].to_numpy(dtype="int64"))
    last = np.minimum(end[place], pairs["until"].to_numpy(dtype="int64"))
    inside = first < last
    return place[inside], first[inside], last[inside]


def blocked(visits: pd.DataFrame, items: pd.DataFrame, changes: pd.DataFrame, scope: Scope) -> Figure:
    """Blocked time: hours in the window in which items were flagged while in a stage; those that still are count up to its end.

    A row for each stretch in one stage. share: of all hours that items spent in stages. Flagged
    before it was in any stage, or after it was done, an item is not blocked: nothing was to flow.
    """
    start, end = micro(scope.start), micro(scope.end)
    visits = kept(visits[["item", "stage", "queued", "left"]], place_of(items, visits["item"]) >= 0).reset_index(drop=True)
    begin, left = micros(visits["queued"]), micros(visits["left"])
    begin, until = np.maximum(begin, start), np.where(left == NOT_A_TIME, end, np.minimum(left, end))
    spans = flags(changes, items)
    place, first, last = parts(visits["item"], begin, until, spans)
    rows = visits.iloc[place][["item", "stage"]].astype("str").reset_index(drop=True)
    rows = rows.assign(**{"from": times_of(first), "to": times_of(last)}, hours=(last - first) / HOUR)
    rows = rows.assign(now=(last == end) & _open(rows, spans, scope))
    rows = rows.sort_values(["hours", "item", "from"], ascending=[False, True, True], ignore_index=True)
    spent = float(np.maximum(until - begin, 0).sum()) / HOUR
    total = float(rows["hours"].sum())
    seen = len(visits) > 0
    each = rows.groupby("item")["hours"].sum()
    return Figure(
        "blocked_time",
        {
            "hours": total if seen else None,
            "share": total / spent if spent else None,
            **percentiles(each, 50, 85),
            "now": float(rows.loc[rows["now"], "item"].nunique()) if seen else None,
        },
        len(each),
        "hours",
        definition(blocked),
        "from a flag that was set to its removal, within stays in stages and within the window, elapsed time, by item",
        rows,
        left_out(items, {"no stay in any stage is recorded": items["state"] == "no events"}),
    )


def blocked_by(items: pd.DataFrame, links: pd.DataFrame, tickets: pd.DataFrame, ended: pd.Series) -> Figure:
    """Blocked by other tickets: items in progress of which a link says that a ticket blocks them that is not resolved.

    As things are now, a row for each such link. No source tells since when a link is there, so no
    hours are told. share: of all items in progress. `ended`: the items of all streams that are done or cancelled, whether or not
    their tracker says that they are resolved.
    """
    begun = items[items["state"] == "in progress"]
    pairs = tied(links, BLOCKING).rename(columns={"first": "blocked_by", "second": "item"})
    pairs = pairs[among(pairs["item"], begun["item"])]
    known, about = among(pairs["blocked_by"], tickets["key"]), tickets.set_index("key")
    over = looked_up(pairs["blocked_by"], about["resolved_at"]).notna() | among(pairs["blocked_by"], ended)
    rows = pairs.loc[known & ~over, ["item", "blocked_by"]]
    rows = rows.assign(
        stage=looked_up(rows["item"], begun.set_index("item")["stage"]),
        **{name: looked_up(rows["blocked_by"], about[name]) for name in ("title", "status")},
    )
    rows = rows[["item", "stage", "blocked_by", "title", "status"]].sort_values(["item", "blocked_by"], ignore_index=True)
    unknown = pairs.loc[~known, ["item", "blocked_by"]]
    count = int(rows["item"].nunique())
    return Figure(
        "blocked_by",
        {"now": float(count) if len(begun) else None, "share": count / len(begun) if len(begun) else None},
        count,
        "items",
        definition(blocked_by),
        'by links in words such as "blocks" or "is blocked by", from either end',
        rows,
        pd.DataFrame({"id": unknown["item"], "reason": "the ticket that blocks it was not read: " + unknown["blocked_by"]}),
    )


def _open(rows: pd.DataFrame, spans: pd.DataFrame, scope: Scope) -> "pd.Series[bool]":
    """Which rows' items are flagged at the end of the window."""
    still = spans.loc[(spans["from"] <= scope.end) & ~(spans["to"] <= scope.end), "item"]
    return rows["item"].isin(set(still))


def times_of(microseconds: Micros) -> pd.Series:
    """Microseconds since 1970 as a column of times."""
    return pd.Series(np.asarray(microseconds, dtype="int64").view("datetime64[us]")).dt.tz_localize("UTC")
