"""Experiments: what a change of the way of working did, as far as a before and an after can say."""

from dataclasses import replace

import pandas as pd

from vsm.metrics.figure import Figure
from vsm.scope import Scope

METRICS = {  # what can be asked of an experiment: its name, the value, and how it is called
    "change_lead_time": ("p50", "Change lead time, median"),
    "deployment_frequency": ("per_week", "Deployment frequency"),
    "change_fail_rate": ("value", "Change fail rate"),
    "failed_deployment_recovery_time": ("p50", "Recovery time, median"),
    "deployment_rework_rate": ("value", "Deployment rework rate"),
    "batch_size": ("p50", "Changes a deployment, median"),
    "lead_time": ("p50", "Lead time of items, median"),
    "cycle_time": ("p50", "Cycle time of items, median"),
    "throughput": ("mean", "Throughput"),
    "flow_efficiency": ("value", "Flow efficiency"),
    "handoffs_per_item": ("mean", "Handoffs on an item's way"),
}


def before_and_after(scope: Scope, started: pd.Timestamp, ended: pd.Timestamp | None) -> tuple[Scope, Scope] | None:
    """The windows that an experiment is judged by: from its start to its end or now, and as long before; None before it began.

    Both are of one length, so that counts can be compared; what else changed in that time is in them, too.
    """
    last = scope.end if ended is None or pd.isna(ended) else min(ended, scope.end)
    if started >= last:
        return None
    after = replace(scope, start=started, end=last)
    return after.before(), after


def said(before: Figure, after: Figure, verdict: str) -> str:
    """An experiment's outcome in a sentence; never that it was the cause."""
    counts = f"n {before.n} before and {after.n} after"
    words = {
        "more": f"clearly more after than before ({counts})",
        "less": f"clearly less after than before ({counts})",
        "not compared": f"not compared ({counts})",
        "no clear change": f"no clear change ({counts}): not that there is none, but that so few cannot show it",
    }
    return words.get(verdict, f"too few to say ({counts})")
