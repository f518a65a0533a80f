"""The report: every number of a scope as a document (JSON). `vsm.report_words` says the same in words."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from vsm.measure import Measures
from vsm.metrics import benchmarks
from vsm.metrics.beside import Difference
from vsm.metrics.figure import Figure, Number
from vsm.metrics.recovery import Stream
from vsm.store import BESIDE

Document = dict[str, Any]


def document(measures: Measures, harvests: pd.DataFrame, industry: str | None = None) -> Document:
    """The report of a scope, as `vsm.schema` describes it. What is not known is None; durations are hours, rates fractions.

    `industry`: whose published answers to put beside it ("all" for everybody's), only if they are asked for.
    """
    scope, flow = measures.scope, measures.flow
    harvests = harvests[~harvests["kind"].isin(BESIDE)]  # they read no source
    ended = harvests.loc[harvests["status"] == "done", "finished_at"].max()
    # Before the body: its last question is for what another core may still be at.
    teams = [{"team": name, "dora": _dora(figures, None)} for name, figures in measures.teams.items()]
    months = [_month(row) for row in measures.months.to_dict("records")]
    return {
        "window": {"from": _time(scope.start), "to": _time(scope.end), "now": _time(flow.now)},
        "definition": measures.definition,
        "policy": measures.policy,
        "timezone": flow.config.timezone,
        "store": {"last_harvest": _time(ended)},
        "scope": {"stream": scope.stream, "application": scope.application, "team": scope.team},
        "sources": _sources(harvests),
        "facts": flow.facts.counts(),
        **_body(measures),
        "streams": [{"stream": name, **_body(one)} for name, one in measures.streams.items()],
        "applications": [{"application": name, "dora": _dora(figures, None)} for name, figures in measures.applications.items()],
        "teams": teams,
        "months": months,
        "dora_differences": [_difference(one) for one in measures.differences],
        **({} if industry is None else {"benchmarks": _benchmarks(measures, industry)}),
    }


def _benchmarks(measures: Measures, industry: str) -> Document:
    """Published answers beside ours, by our definition whichever the report is of, with what they are worth."""
    found, clusters = benchmarks.benchmarks(measures.ours or measures.figures, industry), benchmarks.clusters()
    return {
        "industry": industry,
        "note": f"{benchmarks.NOTE}; {benchmarks.OVERLAP}",
        "source": benchmarks.SOURCE,
        "quick_check": [{name: _plain(value) for name, value in row.items()} for row in found.to_dict("records")],
        "warning": benchmarks.WARNING,
        "clusters": [{name: _plain(value) for name, value in row.items()} for row in clusters.to_dict("records")],
    }


def _difference(one: Difference) -> Document:
    """One metric by our definition and another tool's; each step tells the number once its rule is the other tool's, too."""
    steps = [{"reason": step.reason, "rows": step.rows, "value": _number(step.value)} for step in one.steps]
    told = {"metric": one.metric, "unit": one.unit, "ours": _number(one.ours), "theirs": _number(one.theirs), "shown": one.shown}
    return {**told, "reason": one.reason, "rows": one.rows, "steps": steps}


def _sources(harvests: pd.DataFrame) -> list[Document]:
    """The last run of each source: what it speaks of, when it was read, how that ended."""
    last = harvests.drop_duplicates("source")
    return [
        {"source": source, "speaks_of": _plain(scope), "read_at": _time(began if pd.isna(ended) else ended), "status": status}
        for source, scope, began, ended, status in last[["source", "scope", "started_at", "finished_at", "status"]].itertuples(
            index=False
        )
    ]


def _body(measures: Measures) -> Document:
    """The keys that a report and each of its streams have."""
    # What another core may be at until the end, how the constraint moved, is asked for after all that can be done meanwhile.
    lever = _lever(measures)
    doubts = [{**row, "rows": int(row["rows"])} for row in measures.quality.to_dict("records")]
    return {
        "flow": _flow(measures),
        "stages": None if measures.stages is None else [_stage(row) for row in measures.stages.to_dict("records")],
        "moves": _edges(measures.moves, "sent_back", "reopened"),
        "handoffs": {
            "per_item": _values(measures.figures["handoffs_per_item"], "mean"),
            "between_people": _edges(measures.between_people) or [],
            "between_teams": _edges(measures.between_teams) or [],
        },
        "rework": _rework(measures),
        "waste": _waste(measures),
        "constraint": _constraint(measures),
        "lead_time_lever": lever,
        "forecast": _forecast(measures.figures),
        "dora": _dora(measures.figures, measures.lead_time_parts),
        "batch_size": _values(measures.figures["batch_size"], "p50", "p85", "commits_p50", "lines_p50"),
        "reliability": {
            "availability": _values(measures.figures["availability"], "value", "down_hours"),
            "time_to_acknowledge": _values(measures.figures["time_to_acknowledge"], "p50", "p85"),
        },
        "happy_path": _way(measures.happy_path),
        "recovery_stream": _way(measures.recovery_stream),
        "coverage": {
            name: _values(measures.figures[name], "value") for name in ("tickets_linked", "changes_deployed", "incidents_linked")
        },
        "quality": doubts,
        "workflow": _workflow(measures),
    }


def _flow(measures: Measures) -> Document:
    figures = measures.figures
    wip = figures["wip"].values
    return {
        "lead_time": {**_values(figures["lead_time"], "p50", "p85", "p95"), "end": figures["lead_time"].said.get("end")},
        "cycle_time": {**_values(figures["cycle_time"], "p50", "p85", "p95"), "of": _ends(measures)},
        "throughput_per_week": _values(figures["throughput"], "mean"),
        "wip": {"now": _whole(wip["now"]), "mean": wip["mean"]},
        "flow_efficiency": _values(figures["flow_efficiency"], "value"),
        "work_item_age": _values(figures["work_item_age"], "p50", "p85"),
        "distribution": [{"type": _plain(row["type"]), "n": int(row["n"])} for row in measures.distribution.to_dict("records")],
    }


def _lever(measures: Measures) -> Document | None:
    """The stage in which more capacity would cut lead time most; None where no stage's would, or nothing can be said."""
    found = measures.lever
    if found is None or found.stage is None or found.cut is None or not found.cut > 0:
        return None
    return {
        "stage": found.stage, "predicted_cut": found.cut, "low": found.low, "high": found.high,
        "equal": list(found.equal), "cut_in_these_weeks": _number(found.past),
    }  # fmt: skip


def _waste(measures: Measures) -> list[Document]:
    """Hours and items by class of waste; hours are None where they cannot be told."""
    return [
        {"class": row["class"], "hours": _number(row["hours"]), "items": int(row["items"])}
        for row in measures.waste.classes.to_dict("records")
    ]


def _forecast(figures: dict[str, Figure]) -> Document | None:
    """What will be finished, as it was promised before and held; None where there is too little history."""
    promised = figures["finished_in_12_weeks"].values
    if promised["p85"] is None:
        return None
    hit = figures["forecast_hit_rate"].values["value"]
    return {"finished_in_12_weeks": {name: promised[name] for name in ("p50", "p85", "p95")}, "hit_rate": hit}


def _ends(measures: Measures) -> str:
    """From what to what a cycle time runs under the report's policy."""
    said = measures.figures["cycle_time"].said
    return f"{said['start']} to {said['end']}" if measures.policy != "vsm" else "first work to done"


def _stage(row: dict[str, Any]) -> Document:
    whole = ("visits", "arrivals", "departures", "rework_visits")
    return {
        "stage": row["stage"],
        **{name: int(row[name]) for name in whole},
        "wait": {"p50": _number(row["wait_p50"]), "mean": _number(row["wait_mean"]), "n": int(row["wait_n"])},
        "work": {"p50": _number(row["work_p50"]), "mean": _number(row["work_mean"]), "n": int(row["work_n"])},
        "dwell": {
            **{name: _number(row[f"dwell_{name}"]) for name in ("p50", "p85", "mean", "total")},
            "n": int(row["dwell_n"]),
        },
        "wip_mean": _number(row["wip_mean"]),
        "wip_now": int(row["wip_now"]),
        "wip_limit": _whole(row["wip_limit"]),
        "queue_share": _number(row["queue_share"]),
        "people": _number(row["people"]),
        "team": _plain(row["team"]),
    }


def _edges(frame: pd.DataFrame | None, *counts: str) -> list[Document] | None:
    if frame is None:
        return None
    names = ("n", *counts)
    columns = [frame["from"].tolist(), frame["to"].tolist(), *(frame[name].astype("int64").tolist() for name in names)]
    return [dict(zip(("from", "to", *names), row, strict=True)) for row in zip(*columns, strict=True)]


def _rework(measures: Measures) -> Document:
    figure = measures.figures["rework"]
    edges = None
    if measures.accurate is not None:
        edges = [
            {"from": row["from"], "to": row["to"], "value": _number(row["value"]), "n": int(row["n"])}
            for row in measures.accurate.to_dict("records")
        ]
    return {
        "items": _whole(figure.values.get("items")),
        "reopened": _whole(figure.values.get("reopened")),
        "n": figure.n,
        "percent_complete_accurate": edges,
        "rolled": _number(figure.values.get("rolled")),
    }


def _constraint(measures: Measures) -> Document | None:
    found = measures.constraint
    if found is None:
        return None
    ranking = [
        {"stage": row["stage"], "score": _number(row["score"]), "evidence": {k: _plain(v) for k, v in row["evidence"].items()}}
        for row in found.ranking.to_dict("records")
    ]
    moved = [] if measures.moved is None else measures.moved.to_dict("records")
    history = [
        {
            "from": _time(row["start"]),
            "to": _time(row["end"]),
            "stage": _plain(row["stage"]),
            "confidence": _number(row["confidence"]),
        }
        for row in moved
    ]
    return {
        "stage": found.stage, "why": found.why, "confidence": _number(found.confidence), "ranking": ranking, "history": history,
    }  # fmt: skip


def _dora(figures: Mapping[str, Number], parts: pd.DataFrame | None) -> Document:
    recovery = figures["failed_deployment_recovery_time"]
    told = [] if parts is None else parts.to_dict("records")
    numbers = ("p50", "p85", "mean") if parts is not None and "mean" in parts else ("p50", "p85")
    by_part = {row["part"]: {name: _number(row[name]) for name in numbers} | {"n": int(row["n"])} for row in told}
    frequency = figures["deployment_frequency"]
    return {
        "deployment_frequency": {**_values(frequency, "per_week"), "days": _whole(frequency.values.get("days"))},
        "change_lead_time": {**_percentiles(figures["change_lead_time"]), "parts": by_part},
        "change_fail_rate": _rate(figures["change_fail_rate"], "failed"),
        "failed_deployment_recovery_time": {**_percentiles(recovery), "open": _whole(recovery.values.get("open"))},
        "deployment_rework_rate": _rate(figures["deployment_rework_rate"], "unplanned"),
    }


def _way(way: Stream) -> Document:
    """A way in steps whose means add up, with how many go it in a week."""
    steps = [
        {"step": row["part"], **{name: _number(row[name]) for name in ("p50", "p85", "mean")}, "n": int(row["n"])}
        for row in way.steps.to_dict("records")
    ]
    return {"per_week": _number(way.per_week), "n": way.n, "steps": steps}


def _month(row: dict[str, Any]) -> Document:
    numbers = {name: _number(row[name]) for name in ("value", "low", "high")}
    return {"month": f"{row['month']:%Y-%m}", "whole": bool(row["whole"]), "metric": row["metric"], **numbers, "n": int(row["n"])}


def _percentiles(figure: Number) -> Document:
    """p50 and p85, and the mean where a definition asks for that."""
    return _values(figure, "p50", "p85", *(["mean"] if "mean" in figure.values else []))


def _rate(figure: Number, count: str) -> Document:
    return {**_values(figure, "value", "low", "high"), count: _whole(figure.values.get(count))}


def _workflow(measures: Measures) -> Document | None:
    flow = measures.workflow
    if flow is None:
        return None
    return {"derived": flow.derived, "notes": list(flow.notes), "stages": [stage.name for stage in flow.stages]}


def _values(figure: Number, *names: str) -> Document:
    return {**{name: _number(figure.values.get(name)) for name in names}, "n": int(figure.n)}


def _number(value: Any) -> float | None:
    """A number as JSON knows it; what is missing as None."""
    return None if value is None or pd.isna(value) else float(value)


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _plain(value: Any) -> Any:
    """A value as JSON knows it; what is missing as None."""
    if value is None or (not isinstance(value, (list, dict)) and pd.isna(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _time(value: Any) -> str | None:
    if value is None or pd.isna(value):
        return None
    return str(pd.Timestamp(value).isoformat()).replace("+00:00", "Z")
