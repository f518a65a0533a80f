"""The JSON Schema of the report: what `vsm report --schema` prints and every report satisfies."""

from typing import Any

Schema = dict[str, Any]

NUMBER: Schema = {"type": ["number", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NONE: Schema = {"type": ["integer", "null"], "minimum": 0}
SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
TEXT: Schema = {"type": "string"}
TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
TIME: Schema = {"type": ["string", "null"], "format": "date-time"}


def _object(**properties: Schema) -> Schema:
    """An object that has all these keys; more may be added."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _or_none(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _percentiles(*names: str, **more: Schema) -> Schema:
    return _object(**dict.fromkeys(names, NUMBER), n=COUNT, **more)


def _rate(count: str) -> Schema:
    return _object(value=SHARE, low=SHARE, high=SHARE, **{count: COUNT_OR_NONE}, n=COUNT)


PART = _percentiles("p50", "p85")
DORA = _object(
    deployment_frequency=_object(per_week=NUMBER, n=COUNT, days=COUNT_OR_NONE),
    change_lead_time=_percentiles("p50", "p85", parts={"type": "object", "additionalProperties": PART}),
    change_fail_rate=_rate("failed"),
    failed_deployment_recovery_time=_percentiles("p50", "p85", open=COUNT_OR_NONE),
    deployment_rework_rate=_rate("unplanned"),
)
STEPS = _object(per_week=NUMBER, n=COUNT, steps=_list(_object(step=TEXT, p50=NUMBER, p85=NUMBER, mean=NUMBER, n=COUNT)))
MONTH = _object(month=TEXT, whole={"type": "boolean"}, metric=TEXT, value=NUMBER, low=NUMBER, high=NUMBER, n=COUNT)
# The same metric by ours and another tool's definition; each step's value is the number once its rule is the other's, too.
DIFFERENCE = _object(
    metric=TEXT,
    unit=TEXT,
    ours=NUMBER,
    theirs=NUMBER,
    shown=TEXT_OR_NONE,
    reason=TEXT,
    rows=COUNT,
    steps=_list(_object(reason=TEXT, rows=COUNT, value=NUMBER)),
)
# Only where it was asked for.
BENCHMARKS = _object(
    industry=TEXT,
    note=TEXT,
    source=TEXT,
    warning=TEXT,
    quick_check=_list(
        _object(metric=TEXT, value=NUMBER, answer=TEXT_OR_NONE, score=NUMBER, year=COUNT, mean=NUMBER, sd=NUMBER, distance=NUMBER)
    ),
    clusters=_list(_object(year=COUNT, cluster=TEXT, source=TEXT)),
)
EDGE = {"from": TEXT, "to": TEXT}
BODY: dict[str, Schema] = {
    "flow": _object(
        lead_time=_percentiles("p50", "p85", "p95", end=TEXT_OR_NONE),
        cycle_time=_percentiles("p50", "p85", "p95", of=TEXT),
        throughput_per_week=_object(mean=NUMBER, n=COUNT),
        wip=_object(now=COUNT_OR_NONE, mean=NUMBER),
        flow_efficiency=_object(value=SHARE, n=COUNT),
        work_item_age=_percentiles("p50", "p85"),
        distribution=_list(_object(type=TEXT_OR_NONE, n=COUNT)),
    ),
    "stages": _or_none(
        _list(
            _object(
                stage=TEXT,
                visits=COUNT,
                wait=_percentiles("p50", "mean"),
                work=_percentiles("p50", "mean"),
                dwell=_percentiles("p50", "p85", "mean", "total"),
                wip_mean=NUMBER,
                arrivals=COUNT,
                departures=COUNT,
                rework_visits=COUNT,
                queue_share=SHARE,
            )
        )
    ),
    "moves": _or_none(_list(_object(**EDGE, n=COUNT, sent_back=COUNT, reopened=COUNT))),
    "handoffs": _object(
        per_item=_object(mean=NUMBER, n=COUNT),
        between_people=_list(_object(**EDGE, n=COUNT)),
        between_teams=_list(_object(**EDGE, n=COUNT)),
    ),
    "rework": _object(
        items=COUNT_OR_NONE,
        reopened=COUNT_OR_NONE,
        n=COUNT,
        percent_complete_accurate=_or_none(_list(_object(**EDGE, value=SHARE, n=COUNT))),
        rolled=SHARE,
    ),
    "waste": _list(_object(**{"class": TEXT}, hours=NUMBER, items=COUNT)),
    "constraint": _or_none(
        _object(
            stage=TEXT_OR_NONE,
            why=TEXT,
            confidence=SHARE,
            ranking=_list(_object(stage=TEXT, score=NUMBER, evidence={"type": "object"})),
            history=_list(_object(**{"from": TIME, "to": TIME}, stage=TEXT_OR_NONE, confidence=SHARE)),
        )
    ),
    "lead_time_lever": _or_none(
        _object(stage=TEXT, predicted_cut=NUMBER, low=NUMBER, high=NUMBER, equal=_list(TEXT), cut_in_these_weeks=NUMBER)
    ),
    "forecast": _or_none(_object(finished_in_12_weeks=_object(p50=NUMBER, p85=NUMBER, p95=NUMBER), hit_rate=NUMBER)),
    "dora": DORA,
    "batch_size": _percentiles("p50", "p85", "commits_p50", "lines_p50"),
    "reliability": _object(availability=_object(value=SHARE, down_hours=NUMBER, n=COUNT), time_to_acknowledge=PART),
    "happy_path": STEPS,
    "recovery_stream": STEPS,
    "coverage": _object(
        **{name: _object(value=SHARE, n=COUNT) for name in ("tickets_linked", "changes_deployed", "incidents_linked")}
    ),
    "quality": _list(_object(check=TEXT, rows=COUNT, effect=TEXT, remedy=TEXT)),
    "workflow": _or_none(_object(derived={"type": "boolean"}, notes=_list(TEXT), stages=_list(TEXT))),
}

# Only of a report that an engine counted: what is null there, and why; of which streams not all single visits were looked at.
ENGINE = _object(
    name=TEXT, place=TEXT, left_out=_list(_object(key=TEXT, reason=TEXT)),
    sampled=_list(_object(**{"stream": TEXT, "from": TEXT_OR_NONE, "reason": TEXT})),
)  # fmt: skip

# Only where --fail-if asks. `crossed` is null where there is no data.
THRESHOLDS = _list(_object(threshold=TEXT, figure=TEXT, value=NUMBER, n=COUNT_OR_NONE, crossed={"type": ["boolean", "null"]}))


def schema() -> Schema:
    """The report's schema. What is not known is null, never 0; durations are hours, rates fractions."""
    told = _report()
    told["properties"] |= {"benchmarks": BENCHMARKS, "thresholds": THRESHOLDS, "engine": ENGINE}
    return told


def _report() -> Schema:
    """What every report has."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Value-stream and DORA report",
        **_object(
            window=_object(**{"from": TIME, "to": TIME, "now": TIME}),
            definition=TEXT,
            policy=TEXT,
            timezone=TEXT,
            store=_object(last_harvest=TIME),
            scope=_object(stream=TEXT_OR_NONE, application=TEXT_OR_NONE, team=TEXT_OR_NONE),
            sources=_list(_object(source=TEXT, speaks_of=TEXT_OR_NONE, read_at=TIME, status=TEXT)),
            facts={"type": "object", "additionalProperties": COUNT},
            **BODY,
            streams=_list(_object(stream=TEXT, **BODY)),
            applications=_list(_object(application=TEXT, dora=DORA)),
            teams=_list(_object(team=TEXT, dora=DORA)),
            months=_list(MONTH),
            dora_differences=_list(DIFFERENCE),
        ),
    }
