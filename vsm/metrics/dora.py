"""DORA's five metrics: how often we deploy, how fast a change gets there, how often that fails, and what mending it takes.

A production deployment is one of a production environment whose finish lies in the window. The
callers choose the applications by giving only their deployments, always with the whole history.
"""

from collections.abc import Callable, Collection
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.frames import empty, looked_up, no_text, text
from vsm.metrics.figure import Figure, definition, hours, nearest_rank, no_rows, percentiles, wilson
from vsm.scope import Scope, week_starts, weeks

REASONS = {"incident": "a linked incident", "rollback": "a rollback", "revert": "a revert", "hotfix": "a hotfix"}
REMEDIATION = {
    "deployment": "str", "reason": "str", "by": "str", "remedy": "str", "recovered_at": "datetime64[us, UTC]",
    "rule": "str", "strength": "str",
}  # fmt: skip
PARTS = {
    "coding": ("first_commit_at", "opened_at"),
    "pickup": ("ready_at", "first_review_at"),
    "review": ("first_review_at", "merged_at"),
    "deploy": ("merged_at", "deployed_at"),
}
SETTLED = "in the first deployment known: in production since then at the latest, since when is not known"


# Which deployments failed, and why. ------------------------------------------------------------------------------------


def remediation(
    deployments: pd.DataFrame, deployment_changes: pd.DataFrame, changes: pd.DataFrame, incidents: pd.DataFrame
) -> pd.DataFrame:
    """Every reason why a successful production deployment needed remediation: an incident, a rollback, a revert or a hotfix.

    deployment, reason, by (the incident, the deployment or the reverting change), remedy (the
    deployment that mended it; missing of an incident), recovered_at (missing of an open incident),
    rule, strength. A deployment has as many rows as it has reasons, in the order of REASONS.
    """
    good = _successful(deployments)
    found = [_by_incident(good, incidents), _by_rollback(good), _by_revert(good, deployment_changes, changes), _by_hotfix(good)]
    every = pd.concat([empty(REMEDIATION), *(rows for rows in found if len(rows))], ignore_index=True)
    every = every.drop_duplicates(["deployment", "reason", "by"])
    order = every.assign(at=looked_up(every["deployment"], _finishes(good)), rank=every["reason"].map(list(REASONS).index))
    order = order.sort_values(["at", "deployment", "rank", "recovered_at", "by"], kind="stable", ignore_index=True)
    return order[list(REMEDIATION)]


def _by_incident(good: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    linked = incidents[incidents["deployment"].isin(good["id"])]
    return _reason("incident", linked["deployment"], linked["id"], None, linked["resolved_at"], linked["rule"], linked["strength"])


def _by_rollback(good: pd.DataFrame) -> pd.DataFrame:
    back = good[good["rollback_of"].isin(good["id"])]
    rule, strength = text("returned to a version that was live before", back.index), text("stated", back.index)
    return _reason("rollback", back["rollback_of"], back["id"], back["id"], back["finished_at"], rule, strength)


def _by_revert(good: pd.DataFrame, deployment_changes: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Changes that were taken back by a later deployment of the same application; in the same one they never did harm."""
    about = good[["id", "application", "finished_at"]].rename(columns={"id": "deployment"})
    brought = deployment_changes[["deployment", "change", "strength"]].merge(about, on="deployment")
    reverts = changes.loc[changes["reverts"].notna(), ["change", "reverts"]]
    mended = brought.merge(reverts, on="change")
    pairs = brought.merge(mended, left_on=["change", "application"], right_on=["reverts", "application"], suffixes=("", "_by"))
    pairs = pairs[pairs["finished_at_by"] > pairs["finished_at"]]
    guessed = (pairs["strength"] == "guessed") | (pairs["strength_by"] == "guessed")
    rule, strength = pairs["change_by"] + " reverts " + pairs["change"], text("named", pairs.index).mask(guessed, "guessed")
    bad, by, remedy, at = (pairs[name] for name in ("deployment", "change_by", "deployment_by", "finished_at_by"))
    return _reason("revert", bad, by, remedy, at, rule, strength)


def _by_hotfix(good: pd.DataFrame) -> pd.DataFrame:
    """A hotfix mends the deployment before it; the same commit once more, or an older version, is no fix."""
    same = good["sha"] == looked_up(good["previous"], good.set_index("id")["sha"])
    fixes = good[good["hotfix"] & good["previous"].isin(good["id"]) & good["rollback_of"].isna() & ~same]
    strength = text("named", fixes.index)
    return _reason("hotfix", fixes["previous"], fixes["id"], fixes["id"], fixes["finished_at"], fixes["hotfix_rule"], strength)


def _reason(
    reason: str, deployment: pd.Series, by: pd.Series, remedy: pd.Series | None, at: pd.Series, rule: pd.Series, strength: pd.Series
) -> pd.DataFrame:
    mended = no_text(by.index) if remedy is None else remedy
    columns = (deployment, text(reason, by.index), by, mended, at, rule, strength)
    return pd.DataFrame(dict(zip(REMEDIATION, columns, strict=True))).astype(REMEDIATION)


# The five. -------------------------------------------------------------------------------------------------------------


def deployment_frequency(deployments: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> Figure:
    """Successful production deployments per week: their exact number ÷ the window's weeks; failed runs do not count.

    None where no production deployment is known up to the window's end: no data is not zero.
    ``days``: on how many days of the reporting zone there was one. Its series has every week, also
    those without any.
    """
    good = _successful(deployments, scope)
    dates = good["finished_at"].dt.tz_convert(zone).dt.date
    known = _known(deployments, scope)
    every = weeks(scope.start, scope.end, zone)
    counts = week_starts(good["finished_at"], zone).value_counts()
    series = every.assign(n=every["week"].map(counts).fillna(0).astype("int64"))
    runs = int((_in_window(deployments, scope)["result"] == "failure").sum())
    return Figure(
        "deployment_frequency",
        {"per_week": len(good) / scope.weeks if known else None, "days": float(dates.nunique()) if known else None},
        len(good),
        "deployments a week",
        definition(deployment_frequency),
        f"{_many(len(good), 'successful production deployment')} {_span(scope, zone)} ÷ {scope.weeks:.4g} weeks, "
        f"on {_many(dates.nunique(), 'day')} in {zone}; {_many(runs, 'failed run')} not counted",
        _told(good),
        _not_counted(deployments, scope),
        of=_could_count(deployments, scope),
        series=series if known else series.iloc[:0],
        said=_since(deployments, scope, zone) if known else {"why": _why_none(deployments, scope, zone)},
    )


def change_lead_time(
    changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, scope: Scope, zone: ZoneInfo,
    settled: pd.DataFrame | None = None,
) -> Figure:  # fmt: skip
    """Time from a change's first commit (author date) to the finish of the first successful production deployment that held it.

    Changes whose first production deployment, of all that are given, lies in the window; a change
    that goes to several applications counts once, at the first. Of how many: also the changes that
    were merged in the window and are not known to be in production by its end. `settled`: deployment,
    change: what the first known deployment of an application held already.
    """
    live = _live(changes, deployments, deployment_changes)
    mine = live[scope.holds(live["deployed_at"])]
    counted = mine[mine["first_commit_at"] <= mine["deployed_at"]]
    rows = counted.assign(hours=hours(counted["deployed_at"] - counted["first_commit_at"]))[
        ["change", "title", "repository", "url", "application", "first_commit_at", "merged_at", "deployment", "deployed_at",
         "hours", "rule", "strength"]
    ].reset_index(drop=True)  # fmt: skip
    waiting = _not_live(changes, live, scope)
    out = pd.concat([_no_start(mine), _why_waiting(waiting, deployments, settled, scope, zone)], ignore_index=True)
    said = {"start": "first commit", "end": "in production"}
    return Figure(
        "change_lead_time",
        percentiles(rows["hours"], 50, 85, 95),
        len(rows),
        "hours",
        definition(change_lead_time),
        f"from the first commit's author date to the finish of the first successful production deployment that held the change; "
        f"{_many(len(rows), 'change')} deployed {_span(scope, zone)}, {int((rows['strength'] == 'guessed').sum())} of them linked "
        f"by a guess; {len(mine) - len(rows)} deployed without a usable first commit, {len(waiting)} merged and not known to be "
        "deployed; elapsed time, percentiles by nearest rank",
        rows,
        out,
        of=len(mine) + len(waiting),
        series=_weekly_hours(rows, scope, zone, 25, 50, 75, 85, 95),
        said=said if len(rows) else said | {"why": _why_no_lead_time(mine, waiting, deployments, scope, zone)},
    )


def lead_time_parts(
    changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, scope: Scope
) -> pd.DataFrame:
    """Where a change's lead time goes: coding, pickup, review and deploy, each of the changes for which it is known.

    part, p50, p85 (hours), n. Coding: first commit to opened; pickup: ready for review (else opened)
    to the first review; review: to merged; deploy: merged to in production. A part without its
    start or end, or with the end before its start, is missing, never zero. Of all changes deployed
    in the window, also those whose first commit is not known; so each part has its own n.
    """
    told = part_times(changes, deployments, deployment_changes, scope)
    known = {part: told[part].dropna() for part in PARTS}
    return pd.DataFrame(
        {
            "part": pd.Series(list(PARTS), dtype="str"),
            "p50": pd.Series([nearest_rank(span, 0.5) for span in known.values()], dtype="float64"),
            "p85": pd.Series([nearest_rank(span, 0.85) for span in known.values()], dtype="float64"),
            "n": pd.Series([len(span) for span in known.values()], dtype="int64"),
        }
    )


def part_times(changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The hours of each part of every change deployed in the window, missing where it is not known: behind `lead_time_parts`."""
    live = _live(changes, deployments, deployment_changes)
    mine = live[scope.holds(live["deployed_at"])].reset_index(drop=True)
    mine = mine.assign(ready_at=mine["ready_at"].fillna(mine["opened_at"]))
    spans = {part: hours(mine[end] - mine[start]) for part, (start, end) in PARTS.items()}
    times = ["first_commit_at", "opened_at", "ready_at", "first_review_at", "merged_at", "deployed_at"]
    told = mine[["change", "title", "url", "application", "deployment", *times]]
    return told.assign(**{part: span.where(span >= 0) for part, span in spans.items()})


def change_fail_rate(deployments: pd.DataFrame, remedies: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> Figure:
    """The share of successful production deployments that needed remediation, each counted once, with its 95 % Wilson interval.

    `remedies`: as `remediation` tells. A run that failed did not reach production: such runs are
    counted apart, as ``failed_runs``.
    """
    good = _successful(deployments, scope)
    rows = _with_reasons(_told(good), remedies, "deployment", "by", "failed")
    runs = int((_in_window(deployments, scope)["result"] == "failure").sum())
    apart = float(runs) if _known(deployments, scope) else None
    rule = f"needed remediation{_by_reason(rows, 'by')}; {_many(runs, 'failed run')} counted apart"
    return _rate(change_fail_rate, rows, "failed", rule, deployments, scope, zone, {"failed_runs": apart})


def failed_deployment_recovery_time(deployments: pd.DataFrame, remedies: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> Figure:
    """Time from a failed deployment's finish to the end of its last incident, or, without any, of the deployment that mended it.

    Failed: needed remediation, as `remediation` tells, and finished in the window. What mended it is
    the first rollback, revert or hotfix. With an incident still open it counts as ``open`` only.
    """
    good = _successful(deployments, scope)
    rows = _with_reasons(_told(good), remedies, "deployment", "by", "failed")
    failed = rows[rows["failed"]].drop(columns="failed").merge(_recoveries(remedies), on="deployment")
    negative = failed["recovered_at"] < failed["deployed_at"]
    open_ = failed["recovered_at"].isna()
    counted = failed[~open_ & ~negative]
    counted = counted.assign(hours=hours(counted["recovered_at"] - counted["deployed_at"])).reset_index(drop=True)
    still = int(open_.sum())
    return Figure(
        "failed_deployment_recovery_time",
        percentiles(counted["hours"], 50, 85) | {"open": float(still) if len(good) else None},
        len(counted),
        "hours",
        definition(failed_deployment_recovery_time),
        f"{len(failed)} of {_many(len(good), 'successful production deployment')} {_span(scope, zone)} needed remediation: "
        f"{len(counted)} measured from its finish to the end of its last incident, or of the deployment that mended it where "
        f"there was none, {still} still open; elapsed time, percentiles by nearest rank",
        counted,
        _reasoned(
            failed["deployment"],
            {"its incident is still open": open_, "its incidents were over before it had finished": negative},
        ),
        of=len(failed),
        series=_weekly_hours(counted, scope, zone, 50, 85),
        said={} if len(counted) else {"why": _why_no_recovery(deployments, good, failed, still, scope, zone)},
    )


def deployment_rework_rate(deployments: pd.DataFrame, remedies: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> Figure:
    """The share of successful production deployments that were unplanned, made to mend a deployment that had failed.

    These are rollbacks, deployments that brought a revert of what a deployment before had brought,
    and hotfixes, as `remediation` tells; each counts once, with its 95 % Wilson interval.
    """
    mended = remedies[remedies["remedy"].notna()]
    rows = _with_reasons(_told(_successful(deployments, scope)), mended, "remedy", "deployment", "unplanned")
    rows = rows.rename(columns={"by": "mends"})
    rule = f"were unplanned and mended a deployment that had failed{_by_reason(rows, 'as')}"
    return _rate(deployment_rework_rate, rows, "unplanned", rule, deployments, scope, zone, {})


def changes_of(
    changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, applications: Collection[str]
) -> pd.DataFrame:
    """The changes of some applications: those of their own repositories, and those that their deployments brought."""
    theirs = deployments.loc[deployments["application"].isin(applications), "id"]
    brought = deployment_changes.loc[deployment_changes["deployment"].isin(theirs), "change"]
    return changes[changes["application"].isin(applications) | changes["change"].isin(brought)]


# Deployments. ----------------------------------------------------------------------------------------------------------


def _in_window(deployments: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Production deployments of any result whose finish lies in the window."""
    return deployments[deployments["production"] & scope.holds(deployments["finished_at"])]


def _successful(deployments: pd.DataFrame, scope: Scope | None = None) -> pd.DataFrame:
    """Successful production deployments whose finish is known, and lies in the window if there is one; oldest first."""
    good = deployments[deployments["production"] & (deployments["result"] == "success") & deployments["finished_at"].notna()]
    good = good if scope is None else good[scope.holds(good["finished_at"])]
    return good.sort_values(["finished_at", "id"], kind="stable", ignore_index=True)


def _finishes(good: pd.DataFrame) -> pd.Series:
    return good.set_index("id")["finished_at"]


def _known(deployments: pd.DataFrame, scope: Scope) -> bool:
    """Whether production deployments are reported at all: one is known up to the window's end, of whatever result."""
    return bool((deployments["production"] & (deployments["finished_at"] <= scope.end)).any())


def _undated(deployments: pd.DataFrame) -> pd.Series:
    return deployments["production"] & (deployments["result"] == "success") & deployments["finished_at"].isna()


def _could_count(deployments: pd.DataFrame, scope: Scope) -> int:
    """Successful deployments in the window, and those of which the result or the time is not known."""
    results = _in_window(deployments, scope)["result"]
    return int(results.isin(["success", "unknown"]).sum() + _undated(deployments).sum())


def _not_counted(deployments: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The production deployments that are not counted as successful ones of the window, each with the reason."""
    here = deployments["production"] & scope.holds(deployments["finished_at"])
    why = {f"its result is {result}": here & (deployments["result"] == result) for result in ("unknown", "cancelled", "skipped")}
    failed = {"the run failed: it is counted apart": here & (deployments["result"] == "failure")}
    return _reasoned(deployments["id"], failed | why | {"when it finished is not known": _undated(deployments)})


def _told(good: pd.DataFrame) -> pd.DataFrame:
    """Deployments with what tells a reader which they are."""
    rows = good.rename(columns={"id": "deployment", "finished_at": "deployed_at"})
    return rows[["deployment", "application", "environment", "repository", "sha", "ref", "deployed_at", "url"]]


def _with_reasons(rows: pd.DataFrame, remedies: pd.DataFrame, key: str, by: str, flag: str) -> pd.DataFrame:
    """Add whether a deployment stands in a column of the remedies, with the first reason, all that it is by, and all rules."""
    mine = remedies[remedies[key].isin(rows["deployment"])]
    mine = mine.sort_values("reason", key=lambda reasons: reasons.map(list(REASONS).index), kind="stable")
    said = mine["reason"] + (" " if by == "by" else " after ") + mine[by] + ": " + mine["rule"].fillna("no rule is known")
    told = pd.DataFrame({"reason": mine["reason"], "by": mine[by], "rule": said}).groupby(mine[key], sort=False)
    together = {"reason": told["reason"].first(), "by": told["by"].agg(_listed), "rule": told["rule"].agg("; ".join)}
    columns = {name: looked_up(rows["deployment"], values.astype("str")) for name, values in together.items()}
    return rows.assign(**{flag: rows["deployment"].isin(mine[key])}, **columns)


def _by_reason(rows: pd.DataFrame, word: str) -> str:
    """How many deployments there are by their first reason, in words; nothing of none."""
    first = rows["reason"].value_counts()
    by = ", ".join(f"{first[reason]} {word} {words}" for reason, words in REASONS.items() if reason in first)
    return f": {by} (each counted once, by the first of these that it has)" if by else ""


def _listed(values: pd.Series) -> str:
    return ", ".join(dict.fromkeys(values))


def _recoveries(remedies: pd.DataFrame) -> pd.DataFrame:
    """deployment, recovered_at: the end of its last incident (missing while one is open), without any its first remedy's finish."""
    incident = remedies["reason"] == "incident"
    ended, mended = remedies[incident], remedies[~incident]
    open_ = ended.loc[ended["recovered_at"].isna(), "deployment"]
    last = ended.groupby("deployment", as_index=False)["recovered_at"].max()
    last = last.assign(recovered_at=last["recovered_at"].mask(last["deployment"].isin(open_)))
    alone = mended[~mended["deployment"].isin(ended["deployment"])]
    return pd.concat([last, alone.groupby("deployment", as_index=False)["recovered_at"].min()], ignore_index=True)


def _rate(
    metric: Callable[..., Figure], rows: pd.DataFrame, flag: str, rule: str, deployments: pd.DataFrame, scope: Scope,
    zone: ZoneInfo, beside: dict[str, float | None],
) -> Figure:  # fmt: skip
    """The share of deployments that bear a flag, with its interval, in all and by week."""
    n, hits = len(rows), int(rows[flag].sum())
    low, high = wilson(hits, n)
    share = {"value": hits / n, "low": low, "high": high, flag: float(hits)} if n else dict.fromkeys(("value", "low", "high", flag))
    return Figure(
        metric.__name__,
        share | beside,
        n,
        "share",
        definition(metric),
        f"{hits} of {_many(n, 'successful production deployment')} {_span(scope, zone)} {rule}",
        rows,
        _not_counted(deployments, scope),
        of=_could_count(deployments, scope),
        series=_weekly_share(rows, flag, scope, zone),
        said={} if n else {"why": _why_none(deployments, scope, zone)},
    )


# Changes. --------------------------------------------------------------------------------------------------------------


def _live(changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame) -> pd.DataFrame:
    """Each change that is in production, with the first deployment that brought it there (deployment, deployed_at)."""
    about = _successful(deployments)[["id", "finished_at"]].rename(columns={"id": "deployment", "finished_at": "deployed_at"})
    first = deployment_changes[["deployment", "change", "rule", "strength"]].merge(about, on="deployment")
    first = first.sort_values(["deployed_at", "deployment"], kind="stable").drop_duplicates("change")
    return first.merge(changes, on="change").sort_values(["deployed_at", "change"], kind="stable", ignore_index=True)


def _not_live(changes: pd.DataFrame, live: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The changes that were merged in the window and are not known to be in production by its end."""
    arrived = live.loc[live["deployed_at"] <= scope.end, "change"]
    return changes[scope.holds(changes["merged_at"]) & ~changes["change"].isin(arrived)]


def _no_start(mine: pd.DataFrame) -> pd.DataFrame:
    """Changes in production without a lead time: no first commit is known, or it is later than the deployment."""
    rules = mine["start_rule"].fillna("when its first commit was made is not known")
    reason = rules.where(mine["first_commit_at"].isna(), "in production before its first commit")
    out = pd.DataFrame({"id": mine["change"], "reason": reason}).astype("str")
    return out[~(mine["first_commit_at"] <= mine["deployed_at"])]


def _why_waiting(
    waiting: pd.DataFrame, deployments: pd.DataFrame, settled: pd.DataFrame | None, scope: Scope, zone: ZoneInfo
) -> pd.DataFrame:
    known = _successful(deployments)
    held = settled["change"][settled["deployment"].isin(known["id"])] if settled is not None else ()
    why = {
        SETTLED: waiting["change"].isin(held),
        "merged, but no production deployment of its application is known": ~waiting["application"].isin(known["application"]),
        f"merged, not in production by {_day(scope.end, zone)}": waiting["change"].notna(),
    }
    return _reasoned(waiting["change"], why)


# By week, and in words. ------------------------------------------------------------------------------------------------


def _weekly_hours(rows: pd.DataFrame, scope: Scope, zone: ZoneInfo, *shares: int) -> pd.DataFrame:
    """Every week of the window with n and percentiles of the hours of what was deployed in it."""
    every = weeks(scope.start, scope.end, zone)
    found = {week: values.to_numpy() for week, values in rows["hours"].groupby(week_starts(rows["deployed_at"], zone))}
    slices = [found.get(week, np.array([])) for week in every["week"]]
    columns = {f"p{share}": np.array([nearest_rank(values, share / 100) for values in slices], "float64") for share in shares}
    return every.assign(n=np.array([len(values) for values in slices], "int64"), **columns)


def _weekly_share(rows: pd.DataFrame, flag: str, scope: Scope, zone: ZoneInfo) -> pd.DataFrame:
    """Every week of the window with n, the number of flagged, the share and its interval."""
    every = weeks(scope.start, scope.end, zone)
    told = rows[flag].groupby(week_starts(rows["deployed_at"], zone)).agg(["size", "sum"])
    counts = told.reindex(pd.DatetimeIndex(every["week"])).fillna(0).astype("int64")
    n, hits = counts["size"].to_numpy(), counts["sum"].to_numpy()
    ends = np.array([wilson(int(hit), int(of)) for hit, of in zip(hits, n, strict=True)], "float64").reshape(-1, 2)
    value = np.divide(hits, n, out=np.full(len(n), np.nan), where=n > 0)
    return every.assign(n=n, **{flag: hits}, value=value, low=ends[:, 0], high=ends[:, 1])


def _reasoned(ids: pd.Series, why: dict[str, pd.Series]) -> pd.DataFrame:
    """The ids under each mask with its reason; an id once, with the first that fits."""
    reason = np.select([mask.to_numpy(dtype=bool) for mask in why.values()], list(why), "")
    given = reason != ""
    out = pd.DataFrame({"id": ids.to_numpy()[given], "reason": reason[given]}).astype("str")
    return out if len(out) else no_rows()


def _day(time: pd.Timestamp, zone: ZoneInfo) -> str:
    return str(time.tz_convert(zone).date())


def _span(scope: Scope, zone: ZoneInfo) -> str:
    return f"from {_day(scope.start, zone)} to {_day(scope.end, zone)}"


def _many(n: int, noun: str, nouns: str | None = None) -> str:
    return f"{n} {noun if n == 1 else nouns or noun + 's'}"


def _since(deployments: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> dict[str, str]:
    """Since when production deployments are known, where that is later than the window's start."""
    first = deployments.loc[deployments["production"], "finished_at"].min()
    return {"since": f"the first production deployment known is of {_day(first, zone)}"} if first > scope.start else {}


def _why_none(deployments: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> str:
    """A sentence on what there is where no successful production deployment is in the window."""
    here, good = _in_window(deployments, scope), _successful(deployments)
    before, after = good[good["finished_at"] < scope.start], good[good["finished_at"] > scope.end]
    others, undated = int((~deployments["production"]).sum()), int(_undated(deployments).sum())
    there = [
        f"{_many(len(here), 'production run')} in it did not succeed" if len(here) else "",
        f"the last one before it was on {_day(before['finished_at'].max(), zone)}" if len(before) else "",
        f"the first one after it was on {_day(after['finished_at'].min(), zone)}" if len(after) else "",
        f"the time of {_many(undated, 'successful one')} is not known" if undated else "",
        f"{_many(others, 'deployment')} of other environments {'is' if others == 1 else 'are'} known" if others else "",
        "" if len(deployments) else "no deployments are known at all",
    ]
    days = f"between {_day(scope.start, zone)} and {_day(scope.end, zone)}"
    return "; ".join([f"no successful production deployment {days}", *filter(None, there)])


def _why_no_lead_time(mine: pd.DataFrame, waiting: pd.DataFrame, deployments: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> str:
    if len(mine):
        return f"of {_many(len(mine), 'change')} deployed {_span(scope, zone)} none has a first commit before its deployment"
    if _successful(deployments, scope).empty:
        return _why_none(deployments, scope, zone)
    merged = f"; {_many(len(waiting), 'change')} merged in it not known to be in production" if len(waiting) else ""
    return f"no change is linked to a successful production deployment {_span(scope, zone)}{merged}"


def _why_no_recovery(
    deployments: pd.DataFrame, good: pd.DataFrame, failed: pd.DataFrame, still: int, scope: Scope, zone: ZoneInfo
) -> str:
    if good.empty:
        return _why_none(deployments, scope, zone)
    if failed.empty:
        return f"none of {_many(len(good), 'successful production deployment')} {_span(scope, zone)} needed remediation"
    return (
        f"no recovery can be measured of {_many(len(failed), 'failed deployment')} {_span(scope, zone)}: {still} still open, "
        f"{len(failed) - still} with incidents that were over before the deployment had finished"
    )
