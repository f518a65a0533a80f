"""DORA as middleware counts it, over the same facts: its rules from its code and its own answers, its habits included.

Its deployments are runs of a branch, at the instant when they began; whatever did not succeed has
failed. It links by time and by the names of branches, never by commits. What it does not know it
keeps as -1 or 0; here that is missing. Weeks begin on Monday in UTC.
"""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.frames import among, looked_up
from vsm.metrics.figure import Figure, definition, hours, mean, no_rows
from vsm.metrics.middleware_runs import incident_links, merged_pulls, performance, shipments
from vsm.metrics.production import without_rework_rate
from vsm.scope import Scope, week_starts, weeks

UTC = ZoneInfo("UTC")
PARTS = ("first_commit_to_open", "first_response", "rework", "merge", "merge_to_deploy")
# What middleware itself calls them.
PARTS_NAMED = dict(
    zip(("first_commit_to_open", "first_response_time", "rework_time", "merge_time", "merge_to_deploy"), PARTS, strict=True)
)
PUSHED = "pushed without a pull request, and middleware counts merged pull requests only"
NO_RUN = "no later run of a branch that it reached, and middleware links by branch names and time"
ELSEWHEN = "merged outside the window, and middleware counts by the merge"
NO_REWORK = "middleware has no deployment rework rate"


# Change lead time. -----------------------------------------------------------------------------------------------------


def change_lead_time(changes: pd.DataFrame, reviews: pd.DataFrame, runs: pd.DataFrame, scope: Scope) -> Figure:
    """As middleware: the sum of five means (commit to open, response, rework, merge, merge to deploy), merged in the window.

    Of the merged pull requests that a run carries; a part that is not known counts as 0, so it is no elapsed time.
    """
    pulls, sent = merged_pulls(changes), shipments(changes, runs)
    rows = pulls[["change", "title", "repository", "url", "application", "first_commit_at", "opened_at", "merged_at"]]
    rows = rows.merge(sent, on="change").merge(performance(pulls, reviews), on="change")
    rows = rows.assign(merge_to_deploy=hours(rows["deployed_at"] - rows["merged_at"]))
    rows = rows[scope.holds(rows["merged_at"])].sort_values(["merged_at", "change"], kind="stable", ignore_index=True)
    counted = counted_parts(rows)
    rows = rows.assign(hours=counted.sum(axis=1))
    total = sum(mean_parts(counted).values()) if len(rows) else None
    out = why_not(changes, sent, scope)
    merged = out[among(out["id"], changes.loc[scope.holds(changes["merged_at"]), "change"])].reset_index(drop=True)
    why = {} if len(rows) else {"why": "middleware finds no pull request merged in the window that a run carries; it shows 0 then"}
    return Figure(
        "change_lead_time",
        {"p50": None, "p85": None, "p95": None, "mean": total},
        len(rows),
        "hours",
        definition(change_lead_time),
        f"as middleware: the sum of the means of five parts of {len(rows)} pull requests merged in the window and carried by a "
        "run; an unknown part counts as 0",
        rows,
        merged,
        of=len(rows) + len(merged),
        series=_weekly(rows["merged_at"], rows["hours"], scope),
        said={"start": "first commit", "end": "start of the run", "label": _band(total, (24, 168, 2629746 / 3600), True)} | why,
    )


def counted_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """The five parts as they enter the means: unknown as 0, commits made after opening as 0, a negative response as it is."""
    parts = rows[list(PARTS)].astype("float64").fillna(0.0)
    return parts.assign(first_commit_to_open=parts["first_commit_to_open"].clip(lower=0))


def mean_parts(parts: pd.DataFrame, weights: pd.Series | None = None) -> dict[str, float]:
    """The arithmetic mean of each of the five parts, weighted where weights are given; 0 of none, as middleware has it."""
    if weights is None:
        weights = pd.Series(1.0, index=parts.index)
    total = float(weights.sum())
    return {part: float((parts[part] * weights).sum() / total) if total else 0.0 for part in PARTS}


def why_not(changes: pd.DataFrame, sent: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Every merged change without a middleware lead time in the window, with the reason: id, reason."""
    merged = changes[changes["merged_at"].notna()]
    reason = np.select(
        [merged["kind"] != "pull_request", ~among(merged["change"], sent["change"]), ~scope.holds(merged["merged_at"])],
        [PUSHED, NO_RUN, ELSEWHEN],
        "",
    )
    out = pd.DataFrame({"id": merged["change"].to_numpy(), "reason": reason}).astype("str")
    out = out[out["reason"] != ""].reset_index(drop=True)
    return out if len(out) else no_rows()


def lead_time_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """As middleware: the mean of each of its five parts, an unknown one as 0; it has no percentiles.

    part, p50, p85 (both missing), mean (hours), n. `rows`: those of `change_lead_time`.
    """
    means = mean_parts(counted_parts(rows)) if len(rows) else dict.fromkeys(PARTS)
    nothing = pd.Series([None] * len(PARTS), dtype="float64")
    told = {"part": pd.Series(PARTS, dtype="str"), "p50": nothing, "p85": nothing}
    return pd.DataFrame(
        {
            **told,
            "mean": pd.Series(list(means.values()), dtype="float64"),
            "n": pd.Series([len(rows)] * len(PARTS), dtype="int64"),
        }
    )


# Deployments. --------------------------------------------------------------------------------------------


def deployment_frequency(runs: pd.DataFrame, scope: Scope) -> Figure:
    """As middleware: successful runs that began in the window ÷ the weeks that it touches, rounded down, or 7 × the daily figure.

    Daily, weekly and monthly are each rounded down; then weekly is at least 7 × daily, monthly at least 30 × daily.
    """
    good = runs[(runs["result"] == "success") & scope.holds(runs["conducted_at"])].reset_index(drop=True)
    n = len(good)
    first, last = (time.tz_convert("UTC") for time in (scope.start, scope.end))
    days = (last.normalize() - first.normalize()).days + 1
    every = weeks(scope.start, scope.end, UTC)
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    daily = n // days
    weekly, monthly = max(n // len(every), 7 * daily), max(n // months, 30 * daily)
    counts = week_starts(good["conducted_at"], UTC).value_counts()
    known = bool((runs["conducted_at"] <= scope.end).any())
    values = {"per_week": float(weekly), "days": None, "per_day": float(daily), "per_month": float(monthly)}
    label = "elite" if daily >= 1 else "high" if weekly >= 1 or monthly > 1 else "medium" if monthly == 1 else "low"
    return Figure(
        "deployment_frequency",
        values if known else dict.fromkeys(values),
        n,
        "deployments a week",
        definition(deployment_frequency),
        f"as middleware: {n} successful runs over {days} days, {len(every)} weeks and {months} months, each rounded down",
        good.rename(columns={"conducted_at": "deployed_at"}),
        series=every.assign(n=every["week"].map(counts).fillna(0).astype("int64")) if known else None,
        said={"label": label}
        | ({} if known else {"why": "no production deployment is known up to the window's end; middleware shows 0 then"}),
    )


def change_fail_rate(runs: pd.DataFrame, incidents: pd.DataFrame, scope: Scope) -> Figure:
    """As middleware: runs with an incident ÷ all runs that began in the window, failed ones too.

    `incidents`: as `incidents_of` tells; those opened in the window, each laid to the last run of the window before it.
    """
    rows = runs[scope.holds(runs["conducted_at"])].reset_index(drop=True)
    mine = incidents[scope.holds(incidents["opened_at"])]
    linked = mine.assign(deployment=incident_links(rows, mine)).dropna(subset="deployment")
    by = linked.groupby("deployment")["id"].agg(", ".join).astype("str")
    rows = rows.rename(columns={"conducted_at": "deployed_at"})
    rows = rows.assign(failed=among(rows["deployment"], pd.Series(by.index, dtype="str")), by=looked_up(rows["deployment"], by))
    n, hits = len(rows), int(rows["failed"].sum())
    value = hits / n if n else None
    every = weeks(scope.start, scope.end, UTC)
    told = rows["failed"].groupby(week_starts(rows["deployed_at"], UTC)).agg(["size", "sum"])
    counts = told.reindex(pd.DatetimeIndex(every["week"])).fillna(0).astype("int64")
    return Figure(
        "change_fail_rate",
        {"value": value, "low": None, "high": None, "failed": float(hits) if n else None},
        n,
        "share",
        definition(change_fail_rate),
        f"as middleware: {hits} of {n} runs of any result are the last one begun before some incident of the window",
        rows,
        of=n,
        series=every.assign(n=counts["size"].to_numpy(), failed=counts["sum"].to_numpy()),
        said={"label": _band(None if value is None else value * 100, (5, 10, 15), True)}
        | ({} if n else {"why": "no production deployment began in the window; middleware shows 0 % then"}),
    )


def failed_deployment_recovery_time(incidents: pd.DataFrame, scope: Scope) -> Figure:
    """As middleware: the mean time from the opening to the resolution of all incidents resolved in the window.

    It asks for no deployment. `incidents`: as `incidents_of` tells.
    """
    rows = incidents[scope.holds(incidents["resolved_at"]) & incidents["opened_at"].notna()].rename(columns={"id": "incident"})
    rows = rows.assign(hours=hours(rows["resolved_at"] - rows["opened_at"]))
    rows = rows.sort_values(["resolved_at", "incident"], kind="stable", ignore_index=True)
    value = mean(rows["hours"])
    left = incidents[~scope.holds(incidents["resolved_at"])]
    reason = np.where(left["resolved_at"].isna(), "not resolved", "resolved outside the window")
    out = pd.DataFrame({"id": left["id"].to_numpy(), "reason": reason}).astype("str")
    return Figure(
        "failed_deployment_recovery_time",
        {"p50": None, "p85": None, "open": None, "mean": value},
        len(rows),
        "hours",
        definition(failed_deployment_recovery_time),
        f"as middleware: the mean of {len(rows)} incidents resolved in the window, from opened to resolved",
        rows,
        out if len(out) else no_rows(),
        of=len(incidents),
        series=_weekly(rows["resolved_at"], rows["hours"], scope),
        said={"label": _band(value, (1, 24, 168), False)}
        | ({} if len(rows) else {"why": "no incident was resolved in the window; middleware shows 0 then"}),
    )


def deployment_rework_rate() -> Figure:
    """As middleware: it has no such metric, so it is missing."""
    return without_rework_rate(definition(deployment_rework_rate), NO_REWORK)


def _band(value: float | None, bounds: tuple[float, float, float], at_most: bool) -> str:
    """middleware's word for a value; no data is 0 to it, and so elite."""
    known = 0.0 if value is None else value
    names = zip(bounds, ("elite", "high", "medium"), strict=True)
    return next((name for bound, name in names if known < bound or (at_most and known == bound)), "low")


def _weekly(times: pd.Series, values: pd.Series, scope: Scope) -> pd.DataFrame:
    """Every week of UTC that the window touches with n and the mean of the values."""
    every = weeks(scope.start, scope.end, UTC)
    told = values.groupby(week_starts(times, UTC)).agg(["size", "mean"])
    counts = told.reindex(pd.DatetimeIndex(every["week"]))
    return every.assign(n=counts["size"].fillna(0).to_numpy("int64"), mean=counts["mean"].to_numpy("float64"))
