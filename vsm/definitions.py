"""Every metric's definition, read from its docstring: for the page of definitions and docs/definitions.md."""

import inspect
from collections.abc import Callable
from typing import Any

from vsm import lever, stream
from vsm.metrics import (
    batch_size,
    benchmarks,
    blocked,
    compare,
    constraint,
    coverage,
    cumulative,
    devlake,
    dora,
    flow,
    forecast,
    handoffs,
    middleware,
    policies,
    recovery,
    reliability,
    rework,
    shifts,
    stages,
    waste,
)
from vsm.metrics.figure import definition
from vsm.warehouse import sample

METRICS: dict[str, dict[str, Callable[..., Any]]] = {
    "DORA": {
        "Deployment frequency": dora.deployment_frequency,
        "Change lead time": dora.change_lead_time,
        "Parts of the change lead time": dora.lead_time_parts,
        "Change fail rate": dora.change_fail_rate,
        "Failed deployment recovery time": dora.failed_deployment_recovery_time,
        "Deployment rework rate": dora.deployment_rework_rate,
        "What needed remediation": dora.remediation,
        "Batch size": batch_size.batch_size,
        "Small and large batches": batch_size.by_size,
        "Recovery value stream": recovery.recovery_stream,
        "Happy path": recovery.happy_path,
        "Availability": reliability.availability,
        "Time to acknowledge": reliability.time_to_acknowledge,
    },
    "DORA as DevLake counts it": {
        "DevLake's deployment frequency": devlake.deployment_frequency,
        "DevLake's change lead time": devlake.change_lead_time,
        "DevLake's parts of the change lead time": devlake.lead_time_parts,
        "DevLake's change fail rate": devlake.change_fail_rate,
        "DevLake's failed deployment recovery time": devlake.failed_deployment_recovery_time,
        "DevLake's deployment rework rate": devlake.deployment_rework_rate,
    },
    "DORA as middleware counts it": {
        "middleware's deployment frequency": middleware.deployment_frequency,
        "middleware's change lead time": middleware.change_lead_time,
        "middleware's parts of the change lead time": middleware.lead_time_parts,
        "middleware's change fail rate": middleware.change_fail_rate,
        "middleware's failed deployment recovery time": middleware.failed_deployment_recovery_time,
        "middleware's deployment rework rate": middleware.deployment_rework_rate,
    },
    "Benchmarks": {
        "Quick Check scores": benchmarks.quick_check_scores,
        "Place among the answers": benchmarks.benchmarks,
    },
    "Flow": {
        "Lead time": flow.lead_time,
        "Cycle time": flow.cycle_time,
        "Throughput": flow.throughput,
        "Work in progress": flow.wip,
        "Age of work in progress": flow.work_item_age,
        "Flow efficiency": flow.flow_efficiency,
        "Blocked time": blocked.blocked,
        "Blocked by other tickets": blocked.blocked_by,
        "Waste": waste.waste,
        "Distribution": flow.distribution,
        "Cumulative flow": cumulative.cumulative,
        "Cycle time as other tools tell it": policies.cycle_time,
        "Cumulative flow as other tools draw it": policies.cumulative_flow,
    },
    "Forecast": {
        "Finished in the coming weeks": forecast.finished_in,
        "Weeks until so many are finished": forecast.weeks_until,
        "Hit rate of the forecast": forecast.hit_rate,
        "Shifts": shifts.shifts,
        "Levels": shifts.levels,
        "Weeks to look at": shifts.looks,
    },
    "Stages": {
        "Time in stage": stages.stages,
        "Wait and work": stages.split,
        "Moves": handoffs.moves,
        "Time in stage as other tools tell it": policies.stage_times,
        "Handoffs": handoffs.handoffs,
        "What handoffs cost": handoffs.cost,
        "Rework": rework.rework,
        "Expected visits": rework.expected_visits,
        "Rework loops": stream.loops,
        "Percent complete and accurate": rework.percent_complete_accurate,
        "Constraint": constraint.constraint,
        "Lead time lever": lever.lever,
    },
    "Comparison": {
        "Clear change": compare.compare,
    },
    "Coverage": {
        "Tickets linked": coverage.tickets_linked,
        "Changes deployed": coverage.changes_deployed,
        "Incidents linked": coverage.incidents_linked,
    },
    "Counted in an engine": {
        "Single visits": sample.single_visits,
    },
}


def definitions() -> list[tuple[str, str, str, str]]:
    """group, metric, its definition, and what else its docstring says, in the order of METRICS."""
    return [
        (group, name, definition(metric), (inspect.getdoc(metric) or "").partition("\n")[2].strip())
        for group, metrics in METRICS.items()
        for name, metric in metrics.items()
    ]


def page() -> str:
    """All definitions as Markdown."""
    lines = [
        "# Definitions",
        "",
        "Made from the metrics' own docstrings by `python -m vsm.definitions > docs/definitions.md`; a test keeps it so.",
        "Durations are elapsed hours, percentiles are by nearest rank, weeks begin on Monday in the reporting zone.",
    ]
    group_before = ""
    for group, name, meaning, more in definitions():
        if group != group_before:
            lines += ["", f"## {group}"]
        lines += ["", f"### {name}", "", meaning, *(["", more] if more else [])]
        group_before = group
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
