"""DORA as Apache DevLake counts it, over the same facts: its rules from its code and its fixtures, its habits included.

DevLake looks at deployment commits: what one deployment brought to one repository. A project is all
that the frames hold, and there incidents know no repository and no time limit. Its times are whole
minutes, its days and weeks are of UTC. What it has not is missing here, with the reason.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.frames import among, looked_up
from vsm.metrics.devlake_deployments import deployments_of, good_ones, incident_links, previous
from vsm.metrics.figure import Figure, definition, no_rows
from vsm.metrics.production import without_rework_rate
from vsm.scope import Scope, week_starts

UTC = ZoneInfo("UTC")
DAYS = 400  # it looks back no further
PARTS = ("coding", "pickup", "review", "deploy")
PUSHED = "pushed without a pull request, and DevLake counts merged pull requests only"
FIRST = "only the first deployment of its repository holds it, and that one carries no lead time in DevLake"
NOWHERE = "no deployment that has one before it holds its merge commit"
ELSEWHEN = "the deployment that DevLake takes for it finished outside the window"
NO_REWORK = "DevLake has no deployment rework rate"


# Change lead time. -----------------------------------------------------------------------------------------------------


def lead_times(changes: pd.DataFrame, said: pd.DataFrame, commits: pd.DataFrame, news: pd.DataFrame) -> pd.DataFrame:
    """Every merged pull request in minutes: coding, pickup, review, deploy, cycle, with the deployment commit that it takes.

    `said`: change, at, by: reviews and comments. `news`: as `brought` tells. Each span is rounded up to
    whole minutes; a negative one is missing, and missing counts as nothing in cycle.
    """
    mine = changes[(changes["kind"] == "pull_request") & changes["merged_at"].notna()].reset_index(drop=True)
    others = said[looked_up(said["change"], mine.set_index("change")["author"]).fillna("") != said["by"].fillna("\0")]
    first = looked_up(mine["change"], others.groupby("change")["at"].min())
    taken = _taken(mine, commits, news)
    spans = {
        "coding": minutes(mine["opened_at"] - mine["first_commit_at"]),
        "pickup": minutes(first - mine["opened_at"]),
        "review": minutes(mine["merged_at"] - first),
        "deploy": minutes(taken["deployed_at"] - mine["merged_at"]),
    }
    open_ = minutes(mine["merged_at"] - mine["opened_at"]).fillna(0)
    cycle = spans["coding"].fillna(0) + open_ + spans["deploy"].fillna(0)
    about = ["change", "title", "repository", "url", "application", "first_commit_at", "opened_at", "merged_at"]
    return pd.concat([mine[about], taken], axis=1).assign(first_said_at=first, **spans, cycle=cycle)


def _taken(mine: pd.DataFrame, commits: pd.DataFrame, news: pd.DataFrame) -> pd.DataFrame:
    """The production deployment commit of each change that has one before it, holds the merge commit and began first."""
    good = good_ones(commits)
    old = looked_up(previous(commits).reindex(good.index), commits.set_index("id")["sha"])
    good = good.assign(pair=old + " " + good["sha"]).dropna(subset="pair")
    held = news.assign(pair=news["old"] + " " + news["new"])[["pair", "sha"]].dropna()
    held = held[among(held["sha"], mine["sha"])].merge(good.drop(columns="sha"), on="pair")
    held = held.sort_values(["started_at", "finished_at", "id"], kind="stable").drop_duplicates("sha").set_index("sha")
    columns = {"deployment_commit": "id", "deployment": "deployment", "deployed_at": "finished_at"}
    return pd.DataFrame({name: looked_up(mine["sha"], held[column]) for name, column in columns.items()})


def minutes(spans: pd.Series) -> pd.Series:
    """Spans in whole minutes, rounded up; a negative one is missing."""
    told = np.ceil(spans.dt.total_seconds() / 60)
    return told.where(spans >= pd.Timedelta(0))


def lower_median(values: Sequence[float] | np.ndarray | pd.Series) -> float | None:
    """The greatest value whose percent rank is at most one half: far below the middle where values are equal; None of none.

    >>> lower_median([0, 0, 0, 5, 5]), lower_median([1, 2, 3, 4])
    (0.0, 2.0)
    """
    known = np.sort(np.asarray(values, dtype="float64"))
    known = known[~np.isnan(known)]
    if not len(known):
        return None
    rank = np.searchsorted(known, known, side="left") / max(len(known) - 1, 1)
    return float(known[rank <= 0.5].max())


def change_lead_time(changes: pd.DataFrame, said: pd.DataFrame, commits: pd.DataFrame, news: pd.DataFrame, scope: Scope) -> Figure:
    """As DevLake: first commit to production of merged pull requests, in whole minutes, the lower median by percent rank.

    Of those whose deployment commit finished in the window; the first deployment of a repository carries none.
    """
    times = lead_times(changes, said, commits, news)
    rows = times[scope.holds(times["deployed_at"])].sort_values(["deployed_at", "change"], kind="stable", ignore_index=True)
    rows = rows.assign(hours=rows["cycle"] / 60)
    median = lower_median(rows["cycle"])
    out = why_not(changes, commits, news, times, scope)
    merged = out[among(out["id"], changes.loc[scope.holds(changes["merged_at"]), "change"])]
    ready = {} if len(rows) else {"why": "DevLake finds no merged pull request in a deployment that has one before it"}
    label = _label(median, ((1440, "Less than one day(elite)"), (10080, "Between one day and one week(high)"),
        (43200, "Between one week and one month(medium)")), "More than one month(low)",
        "N/A. Please check if you have collected deployments/pull_requests.")  # fmt: skip
    return Figure(
        "change_lead_time",
        {"p50": None if median is None else median / 60, "p85": None, "p95": None},
        len(rows),
        "hours",
        definition(change_lead_time),
        f"as DevLake: coding, open and deploy in minutes rounded up, of {len(rows)} merged pull requests whose deployment commit "
        "finished in the window; the greatest value with a percent rank of at most 0.5",
        rows,
        merged.reset_index(drop=True),
        of=len(rows) + len(merged),
        series=_weekly(rows["deployed_at"], rows["hours"], scope),
        said={"start": "first commit", "end": "in production", "label": label} | ready,
    )


def why_not(changes: pd.DataFrame, commits: pd.DataFrame, news: pd.DataFrame, times: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Every merged change without a DevLake lead time in the window, with the reason: id, reason."""
    merged = changes[changes["merged_at"].notna()]
    deployed = looked_up(merged["change"], times.set_index("change")["deployed_at"])
    start = news[news["old"].isna() & among(news["new"], good_ones(commits)["sha"])]
    reason = np.select(
        [merged["kind"] != "pull_request", scope.holds(deployed), deployed.notna(), among(merged["sha"], start["sha"])],
        [PUSHED, "", ELSEWHEN, FIRST],
        NOWHERE,
    )
    out = pd.DataFrame({"id": merged["change"].to_numpy(), "reason": reason}).astype("str")
    out = out[out["reason"] != ""].reset_index(drop=True)
    return out if len(out) else no_rows()


def lead_time_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """As DevLake's details: the mean of each part of the counted pull requests, a missing part as 0; it has no percentiles.

    part, p50, p85 (both missing), mean (hours), n. `rows`: those of `change_lead_time`.
    """
    means = [rows[part].fillna(0).mean() / 60 if len(rows) else None for part in PARTS]
    nothing = pd.Series([None] * len(PARTS), dtype="float64")
    told = {"part": pd.Series(PARTS, dtype="str"), "p50": nothing, "p85": nothing, "mean": pd.Series(means, dtype="float64")}
    return pd.DataFrame({**told, "n": pd.Series([len(rows)] * len(PARTS), dtype="int64")})


# Deployments. ----------------------------------------------------------------------------------------------------------


def deployment_frequency(commits: pd.DataFrame, scope: Scope) -> Figure:
    """As DevLake: days with a successful production deployment in a week, the lower median over all weeks, also part ones.

    Days and weeks (from Monday) are of UTC, at most the last 400 days; beside it the same by month and by six months.
    """
    every = deployments_of(commits)
    days = listed_days(scope)
    day = every["deployed_at"].dt.tz_localize(None).dt.normalize()
    rows = every[day.isin(days)].reset_index(drop=True)
    known = bool((commits["production"] & (commits["finished_at"] <= scope.end)).any())
    hit = days.isin(day)
    by_week, by_month = (pd.Series(hit, index=days).groupby(key(days)).sum() for key in (_monday, _month))
    per_week, per_month, per_half = lower_median(by_week), lower_median(by_month), _half_years(by_month)
    values = {"per_week": per_week, "days": float(hit.sum()), "per_month": per_month, "per_six_months": per_half}
    series = pd.DataFrame({"week": by_week.index.astype("datetime64[us]"), "n": by_week.to_numpy("int64")})
    return Figure(
        "deployment_frequency",
        values if known else dict.fromkeys(values),
        len(rows),
        "deployment days a week",
        definition(deployment_frequency),
        f"as DevLake: {int(hit.sum())} days with a deployment in {len(by_week)} weeks from Monday in UTC; the greatest count "
        "with a percent rank of at most 0.5",
        rows,
        of=None,
        series=series if known else series.iloc[:0],
        said={"label": frequency_label(per_week, per_month, per_half)}
        | ({} if known else {"why": "no production deployment is known up to the window's end; DevLake draws 0 then"}),
    )


def listed_days(scope: Scope) -> pd.DatetimeIndex:
    """The days of UTC that DevLake looks at: so many whole days before the window's end, as long as that is after its start."""
    back = math.ceil((scope.end - scope.start) / pd.Timedelta(days=1))
    times = [scope.end - pd.Timedelta(days=number) for number in range(min(back, DAYS))]
    days = pd.DatetimeIndex(times).tz_convert("UTC").tz_localize(None).normalize().as_unit("us")
    return days.sort_values()


def _monday(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return days - pd.to_timedelta(days.day_of_week, unit="D")


def _month(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return days - pd.to_timedelta(days.day - 1, unit="D")


def _half_years(by_month: pd.Series) -> float | None:
    """Days in six months, of every sixth month counted back; one value alone has percent rank 0 and is never taken."""
    sums = by_month.rolling(6, min_periods=1).sum()
    taken = [
        value for _, part in sums.groupby(sums.index.year // 6) for place, value in enumerate(part.iloc[::-1]) if place % 6 == 0
    ]
    known = np.sort(np.asarray(taken, dtype="float64"))
    rank = np.searchsorted(known, known, side="left") / max(len(known) - 1, 1)
    return float(known[rank >= 0.5].min()) if (rank >= 0.5).any() else None


def frequency_label(per_week: float | None, per_month: float | None, per_half: float | None) -> str:
    """What DevLake's panel says of the three medians (report 2023)."""
    if per_week is not None and per_week >= 1:
        return f"{per_week:g} deployment days per week({'elite' if per_week >= 5 else 'high'})"
    if per_month is not None and per_month >= 1:
        return f"{per_month:g} deployment days per month(medium)"
    if per_month is not None and per_half is not None:
        return f"{per_month:g} deployment days per month(low)"
    return "N/A. Please check if you have collected deployments."


def change_fail_rate(commits: pd.DataFrame, incidents: pd.DataFrame, scope: Scope) -> Figure:
    """As DevLake: successful production deployments with an incident ÷ all of them that finished in the window.

    An incident belongs to the last deployment before it was opened, of whatever application and however long ago.
    Rollbacks, reverts and hotfixes mean nothing; where no incident is known at all there is no rate.
    """
    every = deployments_of(commits)
    rows = every[scope.holds(every["deployed_at"])].reset_index(drop=True)
    linked = incidents.assign(deployment=incident_links(commits, incidents))
    by = linked.dropna(subset="deployment").groupby("deployment")["id"].agg(", ".join)
    rows = rows.assign(
        failed=among(rows["deployment"], pd.Series(by.index, dtype="str")), by=looked_up(rows["deployment"], by.astype("str"))
    )
    n, hits = len(rows), int(rows["failed"].sum())
    known = n > 0 and len(incidents) > 0
    value = hits / n if known else None
    # The panel says the same whether nothing was collected or the window is empty.
    none = "N/A. Please check if you have collected deployments/incidents."
    level = _label(value, ((0.0500000001, "elite"), (0.1000000001, "high"), (0.1500000001, "medium")), "low", none)
    label = none if value is None else f"{value * 100:.1f}%({level})"
    why = "no incident is known" if n else "no successful production deployment finished in the window"
    return Figure(
        "change_fail_rate",
        {"value": value, "low": None, "high": None, "failed": float(hits) if known else None},
        n,
        "share",
        definition(change_fail_rate),
        f"as DevLake: {hits} of {n} successful production deployments are the last one before some incident",
        rows,
        of=n,
        said={"label": label} | ({} if known else {"why": why}),
    )


def failed_deployment_recovery_time(commits: pd.DataFrame, incidents: pd.DataFrame, scope: Scope) -> Figure:
    """As DevLake: from the finish of an incident's deployment to its resolution, in whole minutes cut off, the lower median.

    A row an incident; both the deployment's finish and the resolution lie in the window.
    """
    every = deployments_of(commits)
    linked = incidents.assign(deployment=incident_links(commits, incidents))
    finish = looked_up(linked["deployment"], every.set_index("deployment")["deployed_at"])
    linked = linked.assign(deployed_at=finish)
    told = [
        name
        for name in ("id", "title", "application", "deployment", "deployed_at", "opened_at", "resolved_at", "url")
        if name in linked
    ]
    here = scope.holds(finish) & scope.holds(linked["resolved_at"])
    rows = linked.loc[here, told].rename(columns={"id": "incident"})
    whole = np.trunc((rows["resolved_at"] - rows["deployed_at"]).dt.total_seconds() / 60)
    rows = rows.assign(hours=whole / 60).sort_values(["resolved_at", "incident"], kind="stable", ignore_index=True)
    median = lower_median(rows["hours"])
    label = _label(median, ((1, "Less than one hour(elite)"), (24, "Less than one day(high)"),
        (168, "Between one day and one week(medium)")), "More than one week(low)",
        "N/A. Please check if you have collected deployments or incidents.")  # fmt: skip
    reason = np.select(
        [finish.isna(), linked["resolved_at"].isna(), ~scope.holds(finish)],
        ["no deployment finished before it", "not resolved", "its deployment finished outside the window"],
        "resolved outside the window",
    )
    out = pd.DataFrame({"id": linked["id"], "reason": reason}).astype("str")[~here].reset_index(drop=True)
    return Figure(
        "failed_deployment_recovery_time",
        {"p50": median, "p85": None, "open": None},
        len(rows),
        "hours",
        definition(failed_deployment_recovery_time),
        f"as DevLake: {len(rows)} incidents resolved in the window whose deployment finished in it; the greatest value with a "
        "percent rank of at most 0.5",
        rows,
        out if len(out) else no_rows(),
        of=len(linked),
        series=_weekly(rows["resolved_at"], rows["hours"], scope),
        said={"label": label}
        | ({} if len(rows) else {"why": "DevLake finds no incident resolved in the window that belongs to a deployment of it"}),
    )


def deployment_rework_rate() -> Figure:
    """As DevLake: it has no such metric, so it is missing."""
    return without_rework_rate(definition(deployment_rework_rate), NO_REWORK)


def _label(value: float | None, below: Sequence[tuple[float, str]], else_: str, none: str) -> str:
    """The first name whose bound a value is below."""
    if value is None:
        return none
    return next((name for bound, name in below if value < bound), else_)


def _weekly(times: pd.Series, values: pd.Series, scope: Scope) -> pd.DataFrame:
    """The lower median of values by the week of UTC, weeks with any only."""
    told = values.groupby(week_starts(times, UTC))
    median: Callable[[pd.Series], Any] = lower_median
    return pd.DataFrame({"n": told.size(), "p50": told.agg(median).astype("float64")}).rename_axis("week").reset_index()
