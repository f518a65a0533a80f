"""Figures as tables: words for people, one row a thing."""

import pandas as pd

from dashboard import theme
from vsm.metrics.figure import Figure
from vsm.workflow import Workflow


def per_week(value: float | None) -> str:
    """A number of things a week."""
    return "–" if value is None else f"{value:.1f} a week"


def by_application(applications: dict[str, dict[str, Figure]]) -> pd.DataFrame:
    """The five DORA metrics, a row an application, in the order of their names: no ranking."""
    return pd.DataFrame(
        [
            {
                "application": name,
                "deployments": per_week(figures["deployment_frequency"].values["per_week"]),
                "n": figures["deployment_frequency"].n,
                "change lead time": theme.duration(figures["change_lead_time"].values["p50"]),
                "change fail rate": theme.rate(figures["change_fail_rate"].values["value"]),
                "recovery time": theme.duration(figures["failed_deployment_recovery_time"].values["p50"]),
                "rework rate": theme.rate(figures["deployment_rework_rate"].values["value"]),
            }
            for name, figures in sorted(applications.items())
        ]
    )


def meanings(workflow: Workflow) -> pd.DataFrame:
    """What each status and event of a stream means."""
    rows = [{"stage": "(before the stages)", "waiting": ", ".join(workflow.new)}]
    rows += [
        {
            "stage": stage.name,
            "waiting": ", ".join(stage.waiting),
            "active": ", ".join(stage.active),
            "opened by": ", ".join(stage.opens),
            "started by": ", ".join(stage.starts),
            "closed by": ", ".join(stage.closes),
            "people": stage.people,
            "limit": stage.wip_limit,
            "team": stage.team,
        }
        for stage in workflow.stages
    ]
    rows += [{"stage": f"({end})", "active": ", ".join(getattr(workflow, end))} for end in ("done", "cancelled", "ignored")]
    return pd.DataFrame(rows)
