"""DORA's five metrics: how often we deploy, how fast a change gets there, how often that fails, and what mending it takes.

A production deployment is one of a production environment whose finish lies in the window. The
callers choose the applications by giving only their deployments, always with the whole history.
"""

from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.config import Dora
from vsm.frames import among, looked_up, plain
from vsm.metrics.figure import Figure, definition, hours, percentiles, wilson
from vsm.metrics.lead_time import PARTS as PARTS
from vsm.metrics.lead_time import SETTLED as SETTLED
from vsm.metrics.lead_time import change_lead_time as change_lead_time
from vsm.metrics.lead_time import changes_of as changes_of
from vsm.metrics.lead_time import counted as counted
from vsm.metrics.lead_time import lead_time_parts as lead_time_parts
from vsm.metrics.lead_time import part_times as part_times
from vsm.metrics.lead_time import parts_of as parts_of
from vsm.metrics.production import (
    could_count,
    in_window,
    known,
    many,
    not_counted,
    reasoned,
    since,
    span,
    successful,
    told,
    weekly_hours,
    why_none,
)
from vsm.metrics.remediation import REASONS as REASONS
from vsm.metrics.remediation import remediation as remediation
from vsm.scope import Scope, week_starts, weeks

RUN, GOOD = "failed run", "successful production deployment"


def deployment_frequency(deployments: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> Figure:
    """Successful production deployments per week: their exact number ÷ the window's weeks; failed runs do not count.

    None where no production deployment is known up to the window's end: no data is not zero.
    ``days``: on how many days of the reporting zone there was one. Its series has every week, also
    those without any.
    """
    good = successful(deployments, scope)
    dates = good["finished_at"].dt.tz_convert(zone).dt.date
    there = known(deployments, scope)
    every = weeks(scope.start, scope.end, zone)
    counts = week_starts(good["finished_at"], zone).value_counts()
    series = every.assign(n=every["week"].map(counts).fillna(0).astype("int64"))
    runs = int((in_window(deployments, scope)["result"] == "failure").sum())
    return Figure(
        "deployment_frequency",
        {"per_week": len(good) / scope.weeks if there else None, "days": float(dates.nunique()) if there else None},
        len(good),
        "deployments a week",
        definition(deployment_frequency),
        f"{many(len(good), GOOD)} {span(scope, zone)} ÷ {scope.weeks:.4g} weeks, "
        f"on {many(dates.nunique(), 'day')} in {zone}; {many(runs, 'failed run')} not counted",
        told(good),
        not_counted(deployments, scope),
        of=could_count(deployments, scope),
        series=series if there else series.iloc[:0],
        said=since(deployments, scope, zone) if there else {"why": why_none(deployments, scope, zone)},
    )


def change_fail_rate(
    deployments: pd.DataFrame, remedies: pd.DataFrame, scope: Scope, zone: ZoneInfo, rules: Dora | None = None,
    apart: pd.DataFrame | None = None,
) -> Figure:  # fmt: skip
    """The share of successful production deployments that needed remediation, each counted once, with its 95 % Wilson interval.

    `remedies`: as `remediation` tells. A run that failed did not reach production: such runs are
    counted apart, as ``failed_runs``, or with `[dora] failed_runs_count` as failures of their own.
    `apart`: id and reason of what might look like a failure of these deployments and does not count.
    """
    rules = rules or Dora()
    good = successful(deployments, scope)
    runs = in_window(deployments, scope)
    runs = runs[runs["result"] == "failure"].sort_values(["finished_at", "id"], kind="stable")
    rows = _with_reasons(told(good), remedies, "deployment", "by", "failed")
    if rules.failed_runs_count:
        rows = _with_runs(rows, told(runs))
    number = float(len(runs)) if known(deployments, scope) else None
    words = "counted as failures" if rules.failed_runs_count else "counted apart"
    rule = f"needed remediation{_by_reason(rows, 'by')}; {many(len(runs), 'failed run')} {words}; {_counts_as(rules)}"
    noun = "production run" if rules.failed_runs_count else GOOD
    figure = _rate(change_fail_rate, rows, "failed", rule, deployments, scope, zone, {"failed_runs": number}, apart, noun)
    if not rules.failed_runs_count:
        return figure
    return replace(figure, left_out=figure.left_out[~among(figure.left_out["id"], runs["id"])].reset_index(drop=True))


def _with_runs(rows: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The deployments and the failed runs, in the order of their finish."""
    said = {"failed": True, "reason": RUN, "by": runs["deployment"], "rule": "the run failed"}
    both = pd.concat([rows, runs.assign(**said)], ignore_index=True).astype(rows.dtypes.to_dict())
    return both.sort_values(["deployed_at", "deployment"], kind="stable", ignore_index=True)


def _counts_as(rules: Dora) -> str:
    """What counts as remediation, and within which time, in words."""
    within = {"revert": f" within {rules.revert_within_days:g} days"}
    return "remediation is " + (", ".join(f"{REASONS[one]}{within.get(one, '')}" for one in rules.remediation) or "nothing")


def failed_deployment_recovery_time(
    deployments: pd.DataFrame, remedies: pd.DataFrame, scope: Scope, zone: ZoneInfo, rules: Dora | None = None
) -> Figure:
    """Time from a failed deployment's finish to the end of its last incident, or, without any, of the deployment that mended it.

    Failed: needed remediation, as `remediation` tells, and finished in the window. What mended it is
    the first rollback, revert or hotfix. With an incident still open it counts as ``open`` only.
    `[dora] recovery_start = "opened"` measures from the opening of its first incident, where it has one.
    """
    rules = rules or Dora()
    good = successful(deployments, scope)
    rows = _with_reasons(told(good), remedies, "deployment", "by", "failed")
    failed = rows[rows["failed"]].drop(columns="failed").merge(recoveries(remedies), on="deployment")
    opened = rules.recovery_start == "opened"
    began = failed["opened_at"].fillna(failed["deployed_at"]) if opened else failed["deployed_at"]
    negative = failed["recovered_at"] < began
    open_ = failed["recovered_at"].isna()
    failed = failed.assign(hours=hours(failed["recovered_at"] - began)).drop(columns="opened_at")
    counted = failed[~open_ & ~negative].reset_index(drop=True)
    still = int(open_.sum())
    start = "from the opening of its first incident, else its finish," if opened else "from its finish"
    return Figure(
        "failed_deployment_recovery_time",
        percentiles(counted["hours"], 50, 85) | {"open": float(still) if len(good) else None},
        len(counted),
        "hours",
        definition(failed_deployment_recovery_time),
        f"{len(failed)} of {many(len(good), GOOD)} {span(scope, zone)} needed remediation: "
        f"{len(counted)} measured {start} to the end of its last incident, or of the deployment that mended it where "
        f"there was none, {still} still open; {_counts_as(rules)}; elapsed time, percentiles by nearest rank",
        counted,
        reasoned(
            failed["deployment"],
            {"its incident is still open": open_, "its incidents were over before it had finished": negative},
        ),
        of=len(failed),
        series=weekly_hours(counted, scope, zone, 50, 85),
        said={} if len(counted) else {"why": _why_no_recovery(deployments, good, failed, still, scope, zone)},
    )


def deployment_rework_rate(
    deployments: pd.DataFrame, remedies: pd.DataFrame, scope: Scope, zone: ZoneInfo, rules: Dora | None = None
) -> Figure:
    """The share of successful production deployments that were unplanned, made because of a failure in production.

    These are rollbacks, hotfixes and deployments that brought a revert of what a deployment before had
    brought, where `remediation` says that they were made for that: an incident of what they mend was
    open, or they brought mostly the remedy. Each counts once, with its 95 % Wilson interval.
    """
    rules = rules or Dora()
    mended = remedies[remedies["remedy"].notna()]
    rows = _with_reasons(told(successful(deployments, scope)), mended, "remedy", "deployment", "unplanned")
    made = looked_up(rows["deployment"], mended.drop_duplicates("remedy").set_index("remedy")["unplanned"]).eq(True)
    planned = int((rows["unplanned"] & ~made).sum())
    because = looked_up(rows["deployment"], mended.drop_duplicates("remedy").set_index("remedy")["because"])
    rows = rows.assign(unplanned=made, because=because).rename(columns={"by": "mends"})
    unplanned = rows.assign(reason=rows["reason"].where(made))
    rule = f"were unplanned and mended a deployment that had failed{_by_reason(unplanned, 'as')}"
    rule += f"; {planned} more brought a remedy among other changes and {'was' if planned == 1 else 'were'} planned"
    rule += f"; {_counts_as(rules)}; a remedy is unplanned if it is a rollback, an incident of what it mends was open, or at least "
    rule += f"{rules.unplanned_share:.0%} of its changes are reverts or hotfixes"
    return _rate(deployment_rework_rate, rows, "unplanned", rule, deployments, scope, zone, {})


def _with_reasons(rows: pd.DataFrame, remedies: pd.DataFrame, key: str, by: str, flag: str) -> pd.DataFrame:
    """Add whether a deployment stands in a column of the remedies, with the first reason, all that it is by, and all rules."""
    mine = remedies[among(remedies[key], rows["deployment"])]
    mine = mine.sort_values("reason", key=lambda reasons: reasons.map(list(REASONS).index), kind="stable")
    said = mine["reason"] + (" " if by == "by" else " after ") + mine[by] + ": " + mine["rule"].fillna("no rule is known")
    told: dict[str, tuple[str, dict[str, None], list[str]]] = {}
    for name, reason, other, rule in zip(plain(mine[key]), plain(mine["reason"]), plain(mine[by]), plain(said), strict=True):
        _, others, rules = told.setdefault(name, (reason, {}, []))
        others[other] = None
        rules.append(rule)
    together = {
        "reason": [reason for reason, _, _ in told.values()],
        "by": [", ".join(others) for _, others, _ in told.values()],
        "rule": ["; ".join(rules) for _, _, rules in told.values()],
    }
    names = list(told)
    columns = {name: looked_up(rows["deployment"], pd.Series(words, names, "str")) for name, words in together.items()}
    return rows.assign(**{flag: among(rows["deployment"], names)}, **columns)


def _by_reason(rows: pd.DataFrame, word: str) -> str:
    """How many deployments there are by their first reason, in words; nothing of none."""
    first = rows["reason"].value_counts()
    by = ", ".join(
        f"{first[reason]} {word} {words}" for reason, words in {**REASONS, RUN: "a failed run"}.items() if reason in first
    )
    return f": {by} (each counted once, by the first of these that it has)" if by else ""


def recoveries(remedies: pd.DataFrame) -> pd.DataFrame:
    """deployment, recovered_at: the end of its last incident (missing while one is open), without any its first remedy's finish.

    And opened_at, when its first incident was opened.
    """
    incident = remedies["reason"] == "incident"
    ended, mended = remedies[incident], remedies[~incident]
    open_ = ended.loc[ended["recovered_at"].isna(), "deployment"]
    last = ended.groupby("deployment", as_index=False).agg(recovered_at=("recovered_at", "max"), opened_at=("opened_at", "min"))
    last = last.assign(recovered_at=last["recovered_at"].mask(among(last["deployment"], open_)))
    alone = mended[~among(mended["deployment"], ended["deployment"])]
    first = alone.groupby("deployment", as_index=False).agg(recovered_at=("recovered_at", "min"), opened_at=("opened_at", "min"))
    return pd.concat([last, first], ignore_index=True)


def _rate(
    metric: Callable[..., Figure], rows: pd.DataFrame, flag: str, rule: str, deployments: pd.DataFrame, scope: Scope,
    zone: ZoneInfo, beside: dict[str, float | None], apart: pd.DataFrame | None = None, noun: str = GOOD,
) -> Figure:  # fmt: skip
    """The share of deployments that bear a flag, with its interval, in all and by week."""
    n, hits = len(rows), int(rows[flag].sum())
    more = n - len(successful(deployments, scope))  # failed runs that count
    low, high = wilson(hits, n)
    share = {"value": hits / n, "low": low, "high": high, flag: float(hits)} if n else dict.fromkeys(("value", "low", "high", flag))
    return Figure(
        metric.__name__,
        share | beside,
        n,
        "share",
        definition(metric),
        f"{hits} of {many(n, noun)} {span(scope, zone)} {rule}",
        rows,
        not_counted(deployments, scope)
        if apart is None
        else pd.concat([not_counted(deployments, scope), apart], ignore_index=True),
        of=could_count(deployments, scope) + more,
        series=_weekly_share(rows, flag, scope, zone),
        said={} if n else {"why": why_none(deployments, scope, zone)},
    )


def _weekly_share(rows: pd.DataFrame, flag: str, scope: Scope, zone: ZoneInfo) -> pd.DataFrame:
    """Every week of the window with n, the number of flagged, the share and its interval."""
    every = weeks(scope.start, scope.end, zone)
    told = rows[flag].groupby(week_starts(rows["deployed_at"], zone)).agg(["size", "sum"])
    counts = told.reindex(pd.DatetimeIndex(every["week"])).fillna(0).astype("int64")
    n, hits = counts["size"].to_numpy(), counts["sum"].to_numpy()
    ends = np.array([wilson(int(hit), int(of)) for hit, of in zip(hits, n, strict=True)], "float64").reshape(-1, 2)
    value = np.divide(hits, n, out=np.full(len(n), np.nan), where=n > 0)
    return every.assign(n=n, **{flag: hits}, value=value, low=ends[:, 0], high=ends[:, 1])


def _why_no_recovery(
    deployments: pd.DataFrame, good: pd.DataFrame, failed: pd.DataFrame, still: int, scope: Scope, zone: ZoneInfo
) -> str:
    if good.empty:
        return why_none(deployments, scope, zone)
    if failed.empty:
        return f"none of {many(len(good), GOOD)} {span(scope, zone)} needed remediation"
    return (
        f"no recovery can be measured of {many(len(failed), 'failed deployment')} {span(scope, zone)}: {still} still open, "
        f"{len(failed) - still} with incidents that were over before the deployment had finished"
    )
