"""A report's document in words: as text for a terminal, as Markdown."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from vsm.metrics.beside import NAMES, worded
from vsm.report import Document
from vsm.words import NONE, duration, share

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def _count(value: float | None) -> str:
    return NONE if value is None else f"{value:,.1f}" if value % 1 else f"{value:,.0f}"


def tables(told: Document, name: str = "") -> Iterable[Table]:
    """The document as tables: a title, its columns, its rows."""
    prefix = f"{name}: " if name else ""
    yield f"{prefix}DORA", ("metric", "value", "n", "more"), [*_dora_rows(told["dora"]), *_more_rows(told)]
    for title, key in (("first commit to production", "happy_path"), ("failed deployment to restored", "recovery_stream")):
        if told[key]["n"]:
            yield f"{prefix}{title}", ("step", "p50", "p85", "mean of all", "n"), _way_rows(told[key])
    yield f"{prefix}flow", ("metric", "value", "n", "more"), _flow_rows(told)
    if told["stages"]:
        head = ("stage", "left", "wait p50", "work p50", "dwell p50", "dwell p85", "in it now", "queue non-empty")
        yield f"{prefix}stages", head, [_stage_row(stage) for stage in told["stages"]]
    if told["constraint"]:
        yield f"{prefix}constraint", ("", ""), _constraint_rows(told["constraint"])
    if told["lead_time_lever"]:
        yield f"{prefix}lead time lever", ("", ""), _lever_rows(told["lead_time_lever"])
    if any(row["items"] for row in told["waste"]):
        yield f"{prefix}waste", ("class", "time", "items"), _waste_rows(told["waste"])
    if told["forecast"]:
        yield f"{prefix}forecast", ("", ""), _forecast_rows(told["forecast"])
    yield (
        f"{prefix}coverage",
        ("of", "linked", "n"),
        [(k.replace("_", " "), share(v["value"]), _count(v["n"])) for k, v in told["coverage"].items()],
    )


def _dora_rows(dora: Document) -> list[tuple[str, ...]]:
    often, lead, fail = dora["deployment_frequency"], dora["change_lead_time"], dora["change_fail_rate"]
    recovery, rework = dora["failed_deployment_recovery_time"], dora["deployment_rework_rate"]
    weekly = NONE if often["per_week"] is None else f"{often['per_week']:.2f} a week"
    return [
        ("deployment frequency", weekly, _count(often["n"]), f"on {_count(often['days'])} days"),
        ("change lead time", _middle(lead), _count(lead["n"]), f"p85 {duration(lead['p85'])}"),
        ("change fail rate", share(fail["value"]), _count(fail["n"]), _interval(fail, "failed")),
        (
            "failed deployment recovery time",
            _middle(recovery),
            _count(recovery["n"]),
            f"p85 {duration(recovery['p85'])}, {_count(recovery['open'])} open",
        ),
        ("deployment rework rate", share(rework["value"]), _count(rework["n"]), _interval(rework, "unplanned")),
    ]


def _more_rows(told: Document) -> list[tuple[str, ...]]:
    """What stands beside the five: batch size and reliability."""
    batch, up, taken = told["batch_size"], told["reliability"]["availability"], told["reliability"]["time_to_acknowledge"]
    more = f"p85 {_count(batch['p85'])}; {_count(batch['commits_p50'])} commits, {_count(batch['lines_p50'])} lines (p50)"
    return [
        ("changes a deployment", _count(batch["p50"]), _count(batch["n"]), more),
        ("time without an open incident", share(up["value"]), _count(up["n"]), f"{duration(up['down_hours'])} with one"),
        ("time to acknowledge", duration(taken["p50"]), _count(taken["n"]), f"p85 {duration(taken['p85'])}"),
    ]


def _way_rows(way: Document) -> list[tuple[str, ...]]:
    return [
        (step["step"], duration(step["p50"]), duration(step["p85"]), duration(step["mean"]), _count(step["n"]))
        for step in way["steps"]
        if step["n"]
    ]


def _middle(figure: Document) -> str:
    return f"mean {duration(figure['mean'])}" if figure.get("mean") is not None else duration(figure["p50"])


def _interval(rate: Document, count: str) -> str:
    if rate["value"] is None:
        return ""
    if rate["low"] is None:
        return f"{_count(rate[count])} {count}"
    return f"{_count(rate[count])} {count}; 95 % interval {share(rate['low'])} to {share(rate['high'])}"


def _flow_rows(told: Document) -> list[tuple[str, ...]]:
    flow = told["flow"]
    lead, cycle, age, weekly = flow["lead_time"], flow["cycle_time"], flow["work_item_age"], flow["throughput_per_week"]
    mean = NONE if weekly["mean"] is None else f"{weekly['mean']:.2f} a week"
    rework, handoffs = told["rework"], told["handoffs"]["per_item"]
    sent_back = None if rework["items"] is None or not rework["n"] else rework["items"] / rework["n"]
    return [
        (f"lead time (created to {lead['end'] or 'done'})", duration(lead["p50"]), _count(lead["n"]), _p85_p95(lead)),
        (f"cycle time ({cycle['of']})", duration(cycle["p50"]), _count(cycle["n"]), _p85_p95(cycle)),
        ("throughput", mean, _count(weekly["n"]), ""),
        ("work in progress", _count(flow["wip"]["now"]), "", f"mean {_count(flow['wip']['mean'])}"),
        ("age of work in progress", duration(age["p50"]), _count(age["n"]), f"p85 {duration(age['p85'])}"),
        ("flow efficiency", share(flow["flow_efficiency"]["value"]), _count(flow["flow_efficiency"]["n"]), ""),
        ("handoffs an item", NONE if handoffs["mean"] is None else f"{handoffs['mean']:.2f}", _count(handoffs["n"]), ""),
        ("items with rework", share(sent_back), _count(rework["n"]), f"rolled %C&A {share(rework['rolled'])}"),
    ]


def _p85_p95(figure: Document) -> str:
    return f"p85 {duration(figure['p85'])}, p95 {duration(figure['p95'])}"


def _stage_row(stage: Document) -> tuple[str, ...]:
    limit = f" of {stage['wip_limit']}" if stage["wip_limit"] is not None else ""
    return (
        stage["stage"],
        _count(stage["visits"]),
        duration(stage["wait"]["p50"]),
        duration(stage["work"]["p50"]),
        duration(stage["dwell"]["p50"]),
        duration(stage["dwell"]["p85"]),
        f"{stage['wip_now']}{limit}",
        share(stage["queue_share"]),
    )


def _constraint_rows(found: Document) -> list[tuple[str, ...]]:
    return [
        ("stage", found["stage"] or "none"),
        ("why", found["why"]),
        ("confidence", share(found["confidence"])),
        ("how it moved", _moved(found["history"])),
    ]


def _moved(history: list[Document]) -> str:
    """Which stages were named one after the other: 'Review in the windows up to 2026-06-28, then QA since …'; windows overlap."""
    runs = [(name, [row["to"][:10] for row in rows]) for name, rows in groupby(history, key=lambda row: row["stage"] or "none")]
    if len(runs) < 2:
        return f"{runs[0][0]} in each of {len(history)} windows" if runs else NONE
    *before, (last, ends) = runs
    ended = [f"{name} in the windows up to {until[-1]}" for name, until in before]
    return ", then ".join([*ended, f"{last} since the one up to {ends[0]}"])


def _lever_rows(found: Document) -> list[tuple[str, ...]]:
    cut = f"{share(found['predicted_cut'])} shorter ({share(found['low'])} to {share(found['high'])})"
    return [
        ("stage", " or ".join([found["stage"], *found["equal"]])),
        ("with 25 % more capacity, lead time", cut),
        ("in the weeks as they were", f"{share(found['cut_in_these_weeks'])} shorter"),
        ("how", "a simulation fitted to the latest items" + (", which cannot tell these stages apart" if found["equal"] else "")),
    ]


def _waste_rows(classes: list[Document]) -> list[tuple[str, ...]]:
    return [(str(row["class"]), duration(row["hours"]), _count(row["items"])) for row in classes]


def _forecast_rows(found: Document) -> list[tuple[str, ...]]:
    promised = found["finished_in_12_weeks"]
    counts = ", ".join(f"at least {_count(promised[name])} with {name[1:]} %" for name in ("p50", "p85", "p95"))
    return [("finished in the next 12 weeks", counts), ("such promises at 85 % held before", share(found["hit_rate"]))]


def heading(told: Document) -> list[str]:
    """What the report speaks of, in sentences."""
    window, scope = told["window"], told["scope"]
    of = ", ".join(f"{name} {value}" for name, value in scope.items() if value) or "everything"
    lines = [
        f"Report on {of}, {window['from']} to {window['to']} ({told['timezone']}), definitions {told['definition']}"
        f"{_as(told['policy'])}.",
        f"Store last harvested {told['store']['last_harvest'] or 'never'}.",
    ]
    lines += [
        f"Source {one['source']}: {one['speaks_of'] or 'no scope told'}, read {one['read_at']}, {one['status']}."
        for one in told["sources"]
    ]
    if "engine" in told:
        engine = told["engine"]
        lines.append(f"Counted in the engine {engine['name']} at {engine['place']}, by its tables; the store was not asked.")
        lines.append("Not counted there: " + "; ".join(f"{one['key']} ({one['reason']})" for one in engine["left_out"]) + ".")
        lines += [f"{one['stream']}: {one['reason']} ({one['from'] or 'no time'})." for one in engine["sampled"]]
    if "benchmarks" in told:
        published = told["benchmarks"]
        lines += [
            f"Benchmarks, scores: {published['note']}.",
            f"Benchmarks, clusters: {published['warning']}.",
            f"Benchmarks' source: {published['source']}.",
        ]
    bodies = [told, *told["streams"]] if told["workflow"] is None else [told]
    lines += [note for body in bodies if body["workflow"] for note in body["workflow"]["notes"]]
    return lines


def _as(policy: str) -> str:
    return "" if policy == "vsm" else f", flow as {policy} reads it"


def sections(told: Document) -> list[Table]:
    """All tables of a document: the whole, then each stream, then what is doubtful about the data."""
    found = [_threshold_table(told["thresholds"])] if "thresholds" in told else []
    found += tables(told)
    if told["stages"] is None:
        for stream in told["streams"]:
            found += tables(stream, stream["stream"])
    if told["dora_differences"]:
        name = NAMES[told["definition"]]
        rows = [row for one in told["dora_differences"] for row in _beside_rows(one)]
        found.append((f"beside {name}'s numbers", ("metric", "ours", name, "why, one rule after another"), rows))
    if "benchmarks" in told:
        found += _benchmark_tables(told["benchmarks"])
    quality: list[tuple[str, ...]] = [(row["check"], _count(row["rows"]), row["effect"], row["remedy"]) for row in told["quality"]]
    if quality:
        found.append(("data quality", ("check", "rows", "effect", "remedy"), quality))
    return found


def _threshold_table(verdicts: list[Document]) -> Table:
    """What `--fail-if` asks, first: who reads no further has seen it."""
    words = {True: "FAILED", False: "passed", None: "no data"}
    rows: list[tuple[str, ...]] = [
        (one["threshold"], words[one["crossed"]], _short(one["value"]), _count(one["n"])) for one in verdicts
    ]
    return "thresholds", ("fail if", "result", "value", "n"), rows


def _short(value: float | None) -> str:
    return NONE if value is None else f"{value:.4g}"


def _beside_rows(one: Document) -> list[tuple[str, ...]]:
    """A metric by both definitions, a row for each rule that makes a difference, with the number since."""
    shown = f', shown as "{one["shown"]}"' if one["shown"] else ""
    first = (one["metric"].replace("_", " "), worded(one["ours"], one["unit"]), worded(one["theirs"], one["unit"]) + shown)
    steps = [f"{step['reason']}: {worded(step['value'], one['unit'])}" for step in one["steps"]] or ["both count the same"]
    return [(*first, steps[0]), *(("", "", "", step) for step in steps[1:])]


def _benchmark_tables(told: Document) -> list[Table]:
    """The published answers as two tables; what they are worth stands in the heading."""
    quick: list[tuple[str, ...]] = [
        (
            row["metric"].replace("_", " "),
            row["answer"] or NONE,
            NONE if row["score"] is None else f"{row['score']:.1f}",
            str(row["year"]),
            f"{row['mean']:.1f} (sd {row['sd']:.1f})",
            NONE if row["distance"] is None else f"{row['distance']:+.1f} sd",
        )
        for row in told["quick_check"]
    ]
    names = ("year", "cluster", "deployment_frequency", "change_lead_time", "recovery_time", "change_fail_rate")
    clusters = [tuple(str(row[name]) for name in names) for row in told["clusters"]]
    head = ("metric", "ours among the answers", "score", "edition", "their mean", "ours to theirs")
    return [
        (f"benchmarks: Quick Check scores 0 to 10, industry {told['industry']}", head, quick),
        ("benchmarks: clusters by report year, no standards", tuple(name.replace("_", " ") for name in names), clusters),
    ]


def text(told: Document) -> str:
    """The document for a terminal."""
    lines = heading(told)
    for title, head, rows in sections(told):
        lines += ["", title.upper(), *_aligned([head, *rows] if any(head) else rows)]
    return "\n".join(lines) + "\n"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def markdown(told: Document) -> str:
    """The document as Markdown, for a pipeline's summary, a merge request or a chat."""
    lines = ["# Value stream and DORA", "", *(f"- {_safe(line)}" for line in heading(told))]
    for title, head, rows in sections(told):
        if not any(head):  # a table without names is a list
            listed = [f"- **{_safe(name)}**: {_safe(value)}" for name, value in rows]
            lines += ["", f"## {_safe(title[0].upper() + title[1:])}", "", *listed]
            continue
        lines += [
            "",
            f"## {_safe(title[0].upper() + title[1:])}",
            "",
            _row(head),
            "| " + " | ".join(_side(column) for column in zip(*rows, strict=True)) + " |" if rows else _row(["---"] * len(head)),
            *(_row(row) for row in rows),
        ]
    return "\n".join(lines) + "\n"


def _side(column: Sequence[str]) -> str:
    """Numbers stand on the right."""
    return "---:" if all(NUMERIC.fullmatch(cell) for cell in column) else "---"


NUMERIC = re.compile(r"(?:–|-?[\d,.]+(?: (?:%|min|h|d|a week))?(?: of \d+)?)?")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell if cell == "---" else _safe(cell) for cell in cells) + " |"


UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")  # ends a line, or turns its order round


def _safe(words: str) -> str:
    """Text from outside, so that it stays text in Markdown, on its line, and calls nobody in a chat."""
    words = UNSEEN.sub(" ", words)
    for sign in "\\`*_[]<>|~":
        words = words.replace(sign, f"\\{sign}")
    return words.replace("@", "@\u200b").replace("://", ":\u200b//")
