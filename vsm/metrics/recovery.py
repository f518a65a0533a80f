"""The recovery value stream: the way from a deployment that fails to users that are served again, beside the happy path."""

from dataclasses import dataclass

import pandas as pd

from vsm.frames import looked_up
from vsm.incidents import noticed
from vsm.metrics.figure import Figure
from vsm.metrics.spans import spans, together

STEPS = {"detection": "noticed_at", "response": "acknowledged_at", "restoring": "recovered_at"}
MENDED = {"mending": "recovered_at"}
HAPPY = {
    "coding": "opened_at",
    "draft": "ready_at",
    "pickup": "first_review_at",
    "review": "merged_at",
    "deploy": "deployed_at",
}


@dataclass(frozen=True)
class Stream:
    """``per_week``: how many go this way in a week, None where it is not known; ``steps``: as `spans.together` tells them.

    ``rows``: each change or deployment with the hours of its own steps (`spans.spans`).
    """

    per_week: float | None
    n: int
    steps: pd.DataFrame
    rows: pd.DataFrame


def recovery_stream(recovery: Figure, frequency: Figure, fail_rate: Figure, incidents: pd.DataFrame) -> Stream:
    """Failed deployments from their finish to users served again: detection, response and restoring, which add up.

    Its volume is the change fail rate × the deployment frequency. `recovery`: the failed deployment
    recovery time, whose rows these are. Detection ends when the first of its incidents was detected,
    else opened; response when somebody took it on. Without an incident all of it is mending.
    """
    rows = recovery.rows[["deployment", "recovered_at"]].assign(begins=_ago(recovery.rows, "recovered_at"))
    linked = incidents.dropna(subset="deployment")
    linked = linked.assign(noticed_at=noticed(linked))
    first = linked.sort_values(["noticed_at", "id"], kind="stable").drop_duplicates("deployment").set_index("deployment")
    rows = rows.assign(**{name: looked_up(rows["deployment"], first[name]) for name in ("noticed_at", "acknowledged_at")})
    alone = ~rows["deployment"].isin(first.index)
    parts = pd.concat([spans(rows[~alone], STEPS, "begins"), spans(rows[alone], MENDED, "begins")])
    often, share = frequency.values["per_week"], fail_rate.values["value"]
    parts = _in_order(parts).loc[rows.index]
    volume = None if often is None or share is None else often * share
    return Stream(volume, len(rows), together(parts), pd.concat([rows, parts], axis=1))


def happy_path(lead_time: Figure, changes: pd.DataFrame, frequency: Figure) -> Stream:
    """Changes from their first commit to production: coding, draft, pickup, review and deploy, which add up to the lead time.

    `lead_time`: the change lead time, whose rows these are. Draft: opened, but not yet ready for review.
    """
    about = changes[["change", "opened_at", "ready_at", "first_review_at"]]
    rows = lead_time.rows[["change", "merged_at", "deployed_at"]].assign(begins=_ago(lead_time.rows, "deployed_at"))
    rows = rows.merge(about, on="change", how="left")
    parts = spans(rows, HAPPY, "begins")
    return Stream(frequency.values["per_week"], len(rows), together(parts), pd.concat([rows, parts], axis=1))


def _ago(rows: pd.DataFrame, end: str) -> pd.Series:
    """When each way began: its hours before its end, since configuration says where it begins."""
    return rows[end] - pd.to_timedelta(rows["hours"] * 3600, unit="s").dt.round("us")


def _in_order(parts: pd.DataFrame) -> pd.DataFrame:
    names = [*STEPS, *MENDED, *(name for name in parts.columns if name not in {*STEPS, *MENDED})]
    return parts.reindex(columns=names)
