"""Production deployments: which are in a window, which count, and sentences on those that do not."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.frames import empty
from vsm.metrics.figure import Figure, nearest_rank, no_rows
from vsm.scope import Scope, week_starts, weeks


def in_window(deployments: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Production deployments of any result whose finish lies in the window."""
    return deployments[deployments["production"] & scope.holds(deployments["finished_at"])]


def successful(deployments: pd.DataFrame, scope: Scope | None = None) -> pd.DataFrame:
    """Successful production deployments whose finish is known, and lies in the window if there is one; oldest first."""
    good = deployments[deployments["production"] & (deployments["result"] == "success") & deployments["finished_at"].notna()]
    good = good if scope is None else good[scope.holds(good["finished_at"])]
    return good.sort_values(["finished_at", "id"], kind="stable", ignore_index=True)


def known(deployments: pd.DataFrame, scope: Scope) -> bool:
    """Whether production deployments are reported at all: one is known up to the window's end, of whatever result."""
    return bool((deployments["production"] & (deployments["finished_at"] <= scope.end)).any())


def undated(deployments: pd.DataFrame) -> pd.Series:
    return deployments["production"] & (deployments["result"] == "success") & deployments["finished_at"].isna()


def could_count(deployments: pd.DataFrame, scope: Scope) -> int:
    """Successful deployments in the window, and those of which the result or the time is not known."""
    results = in_window(deployments, scope)["result"]
    return int(results.isin(["success", "unknown"]).sum() + undated(deployments).sum())


def not_counted(deployments: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The production deployments that are not counted as successful ones of the window, each with the reason."""
    here = deployments["production"] & scope.holds(deployments["finished_at"])
    why = {f"its result is {result}": here & (deployments["result"] == result) for result in ("unknown", "cancelled", "skipped")}
    failed = {"the run failed: it is counted apart": here & (deployments["result"] == "failure")}
    return reasoned(deployments["id"], failed | why | {"when it finished is not known": undated(deployments)})


def told(good: pd.DataFrame) -> pd.DataFrame:
    """Deployments with what tells a reader which they are."""
    rows = good.rename(columns={"id": "deployment", "finished_at": "deployed_at"})
    return rows[["deployment", "application", "environment", "repository", "sha", "ref", "deployed_at", "url"]]


def reasoned(ids: pd.Series, why: dict[str, pd.Series]) -> pd.DataFrame:
    """The ids under each mask with its reason; an id once, with the first that fits."""
    reason = np.select([mask.to_numpy(dtype=bool) for mask in why.values()], list(why), "")
    given = reason != ""
    out = pd.DataFrame({"id": ids.to_numpy()[given], "reason": reason[given]}).astype("str")
    return out if len(out) else no_rows()


def weekly_hours(rows: pd.DataFrame, scope: Scope, zone: ZoneInfo, *shares: int) -> pd.DataFrame:
    """Every week of the window with n and percentiles of the hours of what was deployed in it."""
    every = weeks(scope.start, scope.end, zone)
    found = {week: values.to_numpy() for week, values in rows["hours"].groupby(week_starts(rows["deployed_at"], zone))}
    slices = [found.get(week, np.array([])) for week in every["week"]]
    columns = {f"p{share}": np.array([nearest_rank(values, share / 100) for values in slices], "float64") for share in shares}
    return every.assign(n=np.array([len(values) for values in slices], "int64"), **columns)


def day(time: pd.Timestamp, zone: ZoneInfo) -> str:
    return str(time.tz_convert(zone).date())


def span(scope: Scope, zone: ZoneInfo) -> str:
    return f"from {day(scope.start, zone)} to {day(scope.end, zone)}"


def many(n: int, noun: str, nouns: str | None = None) -> str:
    return f"{n} {noun if n == 1 else nouns or noun + 's'}"


def since(deployments: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> dict[str, str]:
    """Since when production deployments are known, where that is later than the window's start."""
    first = deployments.loc[deployments["production"], "finished_at"].min()
    return {"since": f"the first production deployment known is of {day(first, zone)}"} if first > scope.start else {}


def why_none(deployments: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> str:
    """A sentence on what there is where no successful production deployment is in the window."""
    here, good = in_window(deployments, scope), successful(deployments)
    before, after = good[good["finished_at"] < scope.start], good[good["finished_at"] > scope.end]
    others, timeless = int((~deployments["production"]).sum()), int(undated(deployments).sum())
    there = [
        f"{many(len(here), 'production run')} in it did not succeed" if len(here) else "",
        f"the last one before it was on {day(before['finished_at'].max(), zone)}" if len(before) else "",
        f"the first one after it was on {day(after['finished_at'].min(), zone)}" if len(after) else "",
        f"the time of {many(timeless, 'successful one')} is not known" if timeless else "",
        f"{many(others, 'deployment')} of other environments {'is' if others == 1 else 'are'} known" if others else "",
        "" if len(deployments) else "no deployments are known at all",
    ]
    days = f"between {day(scope.start, zone)} and {day(scope.end, zone)}"
    return "; ".join([f"no successful production deployment {days}", *filter(None, there)])


def without_rework_rate(meaning: str, why: str) -> Figure:
    """The deployment rework rate of a tool that has none: missing, with the reason."""
    values: dict[str, float | None] = dict.fromkeys(("value", "low", "high", "unplanned"))
    rows = empty({"deployment": "str", "unplanned": "bool"})
    return Figure("deployment_rework_rate", values, 0, "share", meaning, why, rows, said={"why": why})
