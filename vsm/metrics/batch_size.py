"""Batch size: how much each deployment brings at once, and how large and small batches fare."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.frames import looked_up
from vsm.metrics.figure import Figure, definition, nearest_rank, no_rows, percentiles, wilson
from vsm.scope import Scope, week_starts, weeks

BANDS = ("small", "middle", "large")
FEWEST = 15  # deployments: five a third


def batch_size(
    deployments: pd.DataFrame, deployment_changes: pd.DataFrame, sizes: pd.DataFrame, scope: Scope, zone: ZoneInfo
) -> Figure:
    """How many changes each successful production deployment brought first to its application, with their commits and lines.

    `sizes`: change, commits, lines (added and deleted, missing where no source tells). A deployment's
    lines are known where those of all its changes are. One that brought nothing, because it returned
    to an earlier version or deployed the same once more, is no batch.
    """
    good = deployments[deployments["production"] & (deployments["result"] == "success") & scope.holds(deployments["finished_at"])]
    brought = deployment_changes.loc[deployment_changes["deployment"].isin(good["id"]), ["deployment", "change"]]
    brought = brought.drop_duplicates().merge(sizes, on="change", how="left")
    by = brought.groupby("deployment")
    held = pd.DataFrame({"changes": by.size(), "commits": by["commits"].sum(min_count=1), "lines": _all_known(by["lines"])})
    rows = good.rename(columns={"id": "deployment", "finished_at": "deployed_at"})
    rows = rows[["deployment", "application", "deployed_at", "url"]].merge(held.reset_index(), on="deployment")
    rows = rows.sort_values(["deployed_at", "deployment"], kind="stable", ignore_index=True)
    rows = rows.astype({"changes": "int64", "commits": "float64", "lines": "float64"})
    known = int(rows["lines"].notna().sum())
    return Figure(
        "batch_size",
        percentiles(rows["changes"], 50, 85)
        | {"commits_p50": nearest_rank(rows["commits"], 0.5), "lines_p50": nearest_rank(rows["lines"], 0.5)},
        len(rows),
        "changes a deployment",
        definition(batch_size),
        f"changes that came to production of their application with a deployment, over the {len(rows)} of {len(good)} successful "
        f"production deployments of the window that brought any; lines known of {known}; percentiles by nearest rank",
        rows,
        _without(good, rows),
        of=len(good),
        series=_weekly(rows, scope, zone),
    )


def by_size(batches: pd.DataFrame, failed: pd.Series, lead_times: pd.DataFrame) -> pd.DataFrame:
    """Small and large batches beside each other: how often they needed remediation, and how long their changes took.

    `batches`: rows of the batch size; `failed`: the deployments that needed remediation;
    `lead_times`: rows of the change lead time. band, from, to (changes), n, failed, value, low, high
    (the share that needed remediation with its Wilson interval), p50 (hours), changes_n. About a
    third of the deployments each, equal sizes always together; none of fewer than fifteen, or where nearly all are of one size.
    """
    if len(batches) < FEWEST:
        return _bands([])
    size = batches["changes"].to_numpy()
    edges = np.quantile(size, [1 / 3, 2 / 3], method="inverted_cdf")
    band = np.searchsorted(edges, size, side="left")
    took = looked_up(lead_times["deployment"], pd.Series(band, index=batches["deployment"])).to_numpy()
    rows: list[dict[str, object]] = []
    for place, name in enumerate(BANDS):
        mine = batches[band == place]
        if mine.empty:
            continue
        hits, hours = int(mine["deployment"].isin(failed).sum()), lead_times["hours"].to_numpy()[took == place]
        low, high = wilson(hits, len(mine))
        share = {"value": hits / len(mine), "low": low, "high": high}
        extent = {"from": int(mine["changes"].min()), "to": int(mine["changes"].max()), "n": len(mine)}
        rows.append({"band": name, **extent, "failed": hits, **share, "p50": nearest_rank(hours, 0.5), "changes_n": len(hours)})
    return _bands(rows if len(rows) > 1 else [])


def sizes(change_commits: pd.DataFrame, pull_requests: pd.DataFrame) -> pd.DataFrame:
    """change, commits (how many are known, at least the one that landed), lines (added and deleted; missing where not told)."""
    commits = change_commits.groupby("change").size()
    names = pull_requests["repository"] + "#" + pull_requests["number"].astype("str")
    lines = (pull_requests["additions"] + pull_requests["deletions"]).astype("float64").set_axis(names)
    every = pd.Index(commits.index.union(lines.index), name="change")
    told = {"commits": commits.reindex(every).astype("float64"), "lines": lines[~lines.index.duplicated()].reindex(every)}
    return pd.DataFrame(told).reset_index().astype({"change": "str"})


def _all_known(lines: "pd.api.typing.SeriesGroupBy[float, str]") -> "pd.Series[float]":
    """The sum where every one is known."""
    return lines.sum().where(lines.count() == lines.size())


def _without(good: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The deployments that brought no change, each with the reason."""
    none = good[~good["id"].isin(rows["deployment"])]
    if none.empty:
        return no_rows()
    same = none["sha"].notna() & (none["sha"] == looked_up(none["previous"], good.set_index("id")["sha"]))
    reason = np.select(
        [none["rollback_of"].notna(), same],
        ["it returned to an earlier version", "it deployed the same commit once more"],
        "no change is known to have come with it",
    )
    return pd.DataFrame({"id": none["id"].to_numpy(), "reason": reason}).astype("str")


def _weekly(rows: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> pd.DataFrame:
    """Every week of the window with n and percentiles of the changes and lines of its deployments."""
    every = weeks(scope.start, scope.end, zone)
    of_week = week_starts(rows["deployed_at"], zone)
    found = dict(list(rows.groupby(of_week)))
    parts = [found.get(week, rows.iloc[:0]) for week in every["week"]]
    columns = {
        "p50": [nearest_rank(part["changes"], 0.5) for part in parts],
        "p85": [nearest_rank(part["changes"], 0.85) for part in parts],
        "lines_p50": [nearest_rank(part["lines"], 0.5) for part in parts],
    }
    told = {name: np.array(values, "float64") for name, values in columns.items()}
    return every.assign(n=np.array([len(part) for part in parts], "int64"), **told)


def _bands(rows: list[dict[str, object]]) -> pd.DataFrame:
    kinds = {
        "band": "str", "from": "int64", "to": "int64", "n": "int64", "failed": "int64", "value": "float64", "low": "float64",
        "high": "float64", "p50": "float64", "changes_n": "int64",
    }  # fmt: skip
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)
