"""Reliability: what users had to live with, beside how fast and how often we deliver."""

from zoneinfo import ZoneInfo

import pandas as pd

from vsm.incidents import noticed
from vsm.metrics.figure import Figure, definition, hours, no_rows, percentiles
from vsm.scope import Scope

NO_INCIDENTS = "no incident is known up to then: whether there were none or nobody recorded them, the data does not say"


def availability(incidents: pd.DataFrame, applications: frozenset[str], scope: Scope) -> Figure:
    """The share of the window's time in which an application had no open incident, over the applications.

    An incident is open from when it was detected, else opened, until it was resolved, else until
    now; what overlaps counts once. That is as near to availability as incidents can tell: they do
    not say how many users were struck. `applications`: those whose time counts, with or without incidents.
    """
    told = incidents.assign(start=noticed(incidents), end=incidents["resolved_at"])
    told = told.assign(end=told["end"].fillna(scope.end))
    placed = told["application"].isin(applications)
    backwards = told["end"] < told["start"]
    here = (told["start"] <= scope.end) & (told["end"] >= scope.start)
    rows = told[placed & here & ~backwards].assign(
        start=lambda part: part["start"].clip(lower=scope.start), end=lambda part: part["end"].clip(upper=scope.end)
    )
    rows = _merged(rows)
    down = float(rows["hours"].sum())
    total = scope.hours * len(applications)
    recorded = bool((told["start"] <= scope.end).any())
    known = recorded and bool(applications)
    return Figure(
        "availability",
        {"value": 1 - down / total if known else None, "down_hours": down if known else None},
        len(rows),
        "share",
        definition(availability),
        f"1 − {down:.4g} hours with an open incident ÷ ({len(applications)} applications × {scope.hours:.4g} hours of the window); "
        "incidents of one application that overlap count once",
        rows,
        _left_out(told[here | backwards], placed, backwards),
        said={} if known else {"why": "no application with a deployment is known" if recorded else NO_INCIDENTS},
    )


def time_to_acknowledge(incidents: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> Figure:
    """Time from when an incident was detected, else opened, until somebody took it on; incidents opened in the window."""
    told = incidents.assign(noticed_at=noticed(incidents))
    told = told[scope.holds(told["noticed_at"])]
    told = told.assign(hours=hours(told["acknowledged_at"] - told["noticed_at"]))
    known = told["acknowledged_at"] >= told["noticed_at"]
    rows = told.loc[known, ["id", "title", "application", "severity", "noticed_at", "acknowledged_at", "hours", "url"]]
    silent = told[~known]
    reason = pd.Series("nobody is recorded to have taken it on", index=silent.index).mask(
        silent["acknowledged_at"].notna(), "taken on before it was noticed"
    )
    return Figure(
        "time_to_acknowledge",
        percentiles(rows["hours"], 50, 85),
        len(rows),
        "hours",
        definition(time_to_acknowledge),
        f"{len(rows)} of {len(told)} incidents noticed from {scope.start.tz_convert(zone).date()} to "
        f"{scope.end.tz_convert(zone).date()} say when they were taken on; elapsed time, percentiles by nearest rank",
        rows.sort_values(["noticed_at", "id"], kind="stable", ignore_index=True),
        pd.DataFrame({"id": silent["id"], "reason": reason}).astype("str").reset_index(drop=True),
        of=len(told),
        said={"start": "noticed", "end": "taken on"},
    )


def _merged(rows: pd.DataFrame) -> pd.DataFrame:
    """Incidents with the hours that each adds to those before it of its application: what overlaps counts once."""
    order = rows.sort_values(["application", "start", "end", "id"], kind="stable", ignore_index=True)
    # The latest end so far of the same application is where what is new can begin.
    latest = order.groupby("application")["end"].cummax()
    before = latest.groupby(order["application"]).shift(1)
    begins = order["start"].where(~(before > order["start"]), before)
    added = hours(order["end"] - begins).clip(lower=0)
    return order.assign(hours=added)[["id", "title", "application", "severity", "start", "end", "hours", "url"]]


def _left_out(told: pd.DataFrame, placed: pd.Series, backwards: pd.Series) -> pd.DataFrame:
    out = told[~placed.loc[told.index] | backwards.loc[told.index]]
    if out.empty:
        return no_rows()
    named = "its application " + out["application"] + " has no known deployment, so its time is not counted"
    reason = named.fillna("it names no application").mask(backwards.loc[out.index], "it ended before it began")
    return pd.DataFrame({"id": out["id"], "reason": reason}).astype("str").reset_index(drop=True)
