"""The report's numbers as OpenMetrics text, so that Prometheus and what speaks its language can read them.

Names follow Prometheus' habits: base units (seconds, shares as ratios), the unit at the end of the
name, percentiles as a label. A number without data is an absent sample and never 0. People are in
none of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = 3600.0  # the report tells durations in hours
LABELS = ("stream", "application")

Document = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """One family of samples: where its numbers stand in the report.

    ``path``: the object that holds them, from the body of a stream; ``keys``: which of its keys, each
    the value of the label ``which`` (one alone needs none); ``unit``: seconds, ratio or none.
    """

    name: str
    means: str
    path: tuple[str, ...]
    keys: tuple[str, ...]
    unit: str = ""
    which: str = ""


PERCENTILES = {"p50": "50", "p85": "85", "p95": "95"}
THREE, TWO = ("p50", "p85", "p95"), ("p50", "p85")
FLOW = (
    Family("lead_time", "From created to in production, or to done where nothing is deployed", ("flow", "lead_time"), THREE,
           "seconds", "percentile"),
    Family("cycle_time", "From first work to final done", ("flow", "cycle_time"), THREE, "seconds", "percentile"),
    Family("throughput_per_week", "Items finished in a week, on average", ("flow", "throughput_per_week"), ("mean",)),
    Family("wip_items", "Items in any stage at the window's end", ("flow", "wip"), ("now",)),
    Family("wip_mean_items", "Items in any stage, averaged over the window", ("flow", "wip"), ("mean",)),
    Family("flow_efficiency", "Work as a share of work and wait", ("flow", "flow_efficiency"), ("value",), "ratio"),
    Family("work_item_age", "How old what is under way is", ("flow", "work_item_age"), TWO, "seconds", "percentile"),
    Family("handoffs_per_item", "Changes of person or team on an item's way", ("handoffs", "per_item"), ("mean",)),
    Family("reworked_items", "Finished items that went back a stage", ("rework",), ("items",)),
    Family("tickets_linked", "Share of tickets with a change", ("coverage", "tickets_linked"), ("value",), "ratio"),
    Family("changes_deployed", "Share of changes seen in production", ("coverage", "changes_deployed"), ("value",), "ratio"),
    Family("incidents_linked", "Share of incidents laid to a deployment", ("coverage", "incidents_linked"), ("value",), "ratio"),
)  # fmt: skip
DORA = (
    Family("deployment_frequency_per_week", "Production deployments in a week", ("dora", "deployment_frequency"), ("per_week",)),
    Family("change_lead_time", "From first commit to in production", ("dora", "change_lead_time"), TWO, "seconds", "percentile"),
    Family("change_fail_rate", "Share of deployments that needed remediation, with its 95 % interval",
           ("dora", "change_fail_rate"), ("value", "low", "high"), "ratio", "bound"),
    Family("failed_deployment_recovery_time", "How long until users were served again", ("dora", "failed_deployment_recovery_time"),
           TWO, "seconds", "percentile"),
    Family("failed_deployments_open", "Failed deployments that are not recovered from", ("dora", "failed_deployment_recovery_time"),
           ("open",)),
    Family("deployment_rework_rate", "Share of deployments that were unplanned, with its 95 % interval",
           ("dora", "deployment_rework_rate"), ("value", "low", "high"), "ratio", "bound"),
)  # fmt: skip
STAGE = (
    Family("stage_wip_mean_items", "Items in a stage, averaged over the window", (), ("wip_mean",)),
    Family("stage_visits", "Visits to a stage that ended in the window", (), ("visits",)),
    Family("stage_wait", "Wait for a stage, median", ("wait",), ("p50",), "seconds"),
    Family("stage_work", "Work in a stage, median", ("work",), ("p50",), "seconds"),
    Family("stage_dwell", "Stay in a stage", ("dwell",), TWO, "seconds", "percentile"),
)


def text(document: Document) -> str:
    """A report's document as OpenMetrics text, ending in `# EOF`; gauges, since a report is told anew each time."""
    registry = CollectorRegistry()
    registry.register(_Told(document))
    written: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]  # the library tells no types here
    return written.decode("utf-8")


class _Told(Collector):
    """A document as the client library wants its metrics."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def collect(self) -> Iterator[Metric]:
        """Every family, also one without samples: who reads it sees that it is there and has no data."""
        document = self.document
        bodies = [({"stream": document["scope"]["stream"] or "", "application": document["scope"]["application"] or ""}, document)]
        bodies += [({"stream": one["stream"], "application": ""}, one) for one in document["streams"]]
        applications = [({"stream": "", "application": one["application"]}, one) for one in document["applications"]]
        for family in FLOW:
            yield from _families(family, bodies)
        for family in DORA:
            yield from _families(family, bodies + applications)
        stages = [({**labels, "stage": row["stage"]}, row) for labels, body in bodies for row in body["stages"] or ()]
        for family in STAGE:
            yield from _families(family, stages, (*LABELS, "stage"), counted=bool(family.path))
        yield _constraint(bodies)
        yield from _store(document)


def _families(
    family: Family, bodies: list[tuple[dict[str, str], Document]], labels: tuple[str, ...] = LABELS, counted: bool = True
) -> Iterator[Metric]:
    """A family's samples, and beside it how many observations are behind each."""
    told = GaugeMetricFamily(
        "_".join(filter(None, ("vsm", family.name, family.unit))), family.means, labels=[*labels, *filter(None, [family.which])]
    )
    behind = GaugeMetricFamily(f"vsm_{family.name}_observations", f"How many are behind: {family.means}", labels=[*labels])
    for known, body in bodies:
        place = _at(body, family.path)
        if place is None:
            continue
        named = [known[label] for label in labels]
        for key in family.keys:
            if place.get(key) is not None:
                told.add_metric(
                    [*named, *([PERCENTILES.get(key, key)] if family.which else [])], _in_base_units(place[key], family.unit)
                )
        if place.get("n") is not None:
            behind.add_metric(named, place["n"])
    yield told
    if counted and behind.samples:
        yield behind


def _in_base_units(value: float, unit: str) -> float:
    """Hours as seconds, to the microsecond of the clocks behind them; all else as it is."""
    return round(value * SECONDS, 6) if unit == "seconds" else value


def _at(body: Document, path: tuple[str, ...]) -> Document | None:
    for key in path:
        found = body.get(key)
        if found is None:
            return None
        body = found
    return body


def _constraint(bodies: list[tuple[dict[str, str], Document]]) -> Metric:
    """Which stage holds a stream back, as the confidence in it; no sample where none does."""
    told = GaugeMetricFamily(
        "vsm_constraint_confidence_ratio",
        "The stage whose capacity holds back the whole, as the share of resampled weeks that say so",
        labels=[*LABELS, "stage"],
    )
    for known, body in bodies:
        found = body["constraint"]
        if found is not None and found["stage"] is not None and found["confidence"] is not None:
            told.add_metric([*(known[label] for label in LABELS), found["stage"]], found["confidence"])
    return told


def _store(document: Document) -> Iterator[Metric]:
    """How fresh it is (the window's ends and the last harvest, as seconds since 1970), what is in it, what is doubted."""
    for name, means, value in (
        ("vsm_window_start", "The window's start", document["window"]["from"]),
        ("vsm_window_end", "The window's end, which is the report's now", document["window"]["to"]),
        ("vsm_last_harvest", "When a harvest last ended well", document["store"]["last_harvest"]),
    ):
        told = GaugeMetricFamily(f"{name}_timestamp_seconds", means)
        if value is not None:
            told.add_metric([], pd.Timestamp(value).timestamp())
        yield told
    doubts = GaugeMetricFamily("vsm_quality_rows", "Rows that a check of the data doubts", labels=["check"])
    for row in document["quality"]:
        doubts.add_metric([row["check"]], row["rows"])
    yield doubts
    facts = GaugeMetricFamily("vsm_facts", "Rows in the store", labels=["table"])
    for table, rows in document["facts"].items():
        facts.add_metric([table], rows)
    yield facts
