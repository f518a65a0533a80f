"""Coverage: how much of what happened is linked, and so how much of it the other numbers can speak of."""

import pandas as pd

from vsm.frames import among
from vsm.metrics.figure import Figure, definition, hours
from vsm.scope import Scope


def tickets_linked(items: pd.DataFrame, item_changes: pd.DataFrame, scope: Scope) -> Figure:
    """Share of the tickets finished in the window to which at least one change was linked."""
    done = items[(items["kind"] == "ticket") & scope.holds(items["done_at"])]
    rows = done[["item", "title", "type", "team", "done_at", "url"]].merge(item_changes, on="item", how="left")
    linked = among(done["item"], item_changes["item"])
    left_out = pd.DataFrame({"id": done.loc[~linked, "item"], "reason": "no branch, title or commit message names it"})
    return _share("tickets_linked", int(linked.sum()), len(done), "finished tickets", definition(tickets_linked), rows, left_out)


def changes_deployed(changes: pd.DataFrame, deployment_changes: pd.DataFrame, deployments: pd.DataFrame, scope: Scope) -> Figure:
    """Share of the changes merged in the window that were in production by its end."""
    merged = changes[scope.holds(changes["merged_at"])]
    finish = deployments[["id", "finished_at"]].rename(columns={"id": "deployment", "finished_at": "deployed_at"})
    first = deployment_changes[among(deployment_changes["change"], merged["change"])].merge(finish, on="deployment")
    first = first.sort_values("deployed_at", kind="stable").drop_duplicates("change")
    rows = merged[["change", "title", "repository", "application", "merged_at", "url"]].merge(first, on="change", how="left")
    rows["hours"] = hours(rows["deployed_at"] - rows["merged_at"])
    there = rows["deployment"].notna()
    left_out = pd.DataFrame({"id": rows.loc[~there, "change"], "reason": "no successful production deployment contains it"})
    return _share(
        "changes_deployed", int(there.sum()), len(rows), "merged changes", definition(changes_deployed), rows[there], left_out
    )


def incidents_linked(incidents: pd.DataFrame, scope: Scope) -> Figure:
    """Share of the incidents opened in the window that were laid to a deployment."""
    opened = incidents[scope.holds(incidents["opened_at"])]
    rows = opened[["id", "title", "application", "severity", "opened_at", "resolved_at", "deployment", "rule", "strength", "url"]]
    linked = opened["deployment"].notna()
    reason = "it names no known deployment, and its application had none in the days before"
    left_out = pd.DataFrame({"id": opened.loc[~linked, "id"], "reason": reason})
    return _share(
        "incidents_linked", int(linked.sum()), len(opened), "incidents", definition(incidents_linked), rows[linked], left_out
    )


def _share(name: str, hits: int, n: int, what: str, meaning: str, rows: pd.DataFrame, left_out: pd.DataFrame) -> Figure:
    return Figure(
        name=name,
        values={"value": hits / n if n else None},
        n=n,
        unit="share",
        definition=meaning,
        rule=f"{hits} of {n} {what}" if n else f"there are no {what} in the window",
        rows=rows.reset_index(drop=True),
        left_out=left_out.astype("str").reset_index(drop=True),
        of=n,
    )
