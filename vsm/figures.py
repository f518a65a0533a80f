"""Figures by name: every number of the report with the rows behind it.

What `Measures` holds as a figure is given as it is. What it holds as a table (stages, moves, the
evidence for the constraint and so on) is made one here: its numbers are the table's, its rows are
picked out, and nothing is counted anew.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vsm import lever as levers
from vsm.frames import looked_up
from vsm.metrics import (
    batch_size,
    blocked,
    constraint,
    coverage,
    dora,
    flow,
    forecast,
    handoffs,
    quality,
    recovery,
    reliability,
    rework,
    waste,
)
from vsm.metrics import stages as time_in_stage
from vsm.metrics.figure import Figure, definition, hours
from vsm.metrics.stages import NEVER, inside, observed_from, sojourn, waits
from vsm.working_time import micro, worked

if TYPE_CHECKING:
    from vsm.measure import Measures

Values = dict[str, float | None]
PREFIXED = ("stage", "quality")  # names that take another behind a colon: stage:QA
STAGE_NUMBERS = (
    "visits", "arrivals", "departures", "rework_visits", "wait_p50", "wait_p85", "wait_mean", "wait_n", "work_p50", "work_p85",
    "work_mean", "work_n", "dwell_p50", "dwell_p85", "dwell_mean", "dwell_n", "dwell_total", "wip_mean", "wip_now", "waiting_now",
    "working_now", "over_limit",
)  # fmt: skip
MOVE_NUMBERS = ("n", "sent_back", "reopened", "wait_p50", "wait_mean", "wait_n", "person_changed", "team_changed")


def figure(measures: "Measures", name: str) -> Figure | None:
    """The figure of a name, also `stage:QA` or `quality:dates in the future`; None for no such name.

    Raises ValueError, with what there is, for a stage, a check or a stream that is not there, and for
    what needs one map of stages where several streams are looked at at once.
    """
    if name in measures.figures:
        return measures.figures[name]
    kind, colon, which = name.partition(":")
    if colon and kind in PREFIXED:
        return stage(measures, which.strip()) if kind == "stage" else check(measures, which.strip())
    if name in ON_A_MAP:
        _needs_a_map(measures, name)
        return ON_A_MAP[name][1](measures)
    return ANYWHERE[name][1](measures) if name in ANYWHERE else None


def names() -> dict[str, str]:
    """Every name that has a figure, with what it means."""
    every = {**PLAIN, **{name: metric for name, (metric, _) in {**ON_A_MAP, **ANYWHERE}.items()}}
    return {name: definition(metric) for name, metric in every.items()}


def _needs_a_map(measures: "Measures", name: str) -> None:
    if measures.stages is None:
        known = ", ".join(map(repr, measures.streams))
        raise ValueError(f"{name} needs one map of stages, and there are several streams: choose one with --stream ({known})")


def _flat(frame: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> Values:
    """A table's numbers by name: `QA: wait_p50`, `Review → QA: n`."""
    values: Values = {}
    for row in frame.to_dict("records"):
        key = " → ".join("none" if pd.isna(row[name]) else str(row[name]) for name in keys)
        values |= {f"{key}: {name}": None if pd.isna(row[name]) else float(row[name]) for name in columns}
    return values


def _about(measures: "Measures", items: pd.Series) -> dict[str, pd.Series]:
    """What tells a reader which items they are."""
    whole = measures.items.set_index("item")
    return {name: looked_up(items, whole[name]) for name in ("title", "url") if name in whole}


# Stages. ---------------------------------------------------------------------------------------------------------------


def stage(measures: "Measures", name: str) -> Figure:
    """The numbers of one stage with the visits behind them; nothing is counted anew, the visits are only picked out."""
    if measures.stages is None:
        raise ValueError(f"there is no one map of stages here that could have {name!r}: choose a stream")
    known = list(measures.stages["stage"])
    if name not in known:
        raise ValueError(f"no stage {name!r}; expected one of {', '.join(map(repr, known))}")
    row = measures.stages[measures.stages["stage"] == name].to_dict("records")[0]
    rows = _visits(measures)
    rows = rows[(rows["stage"] == name) & measures.scope.holds(rows["left"])]
    told = {"wait_p50": "median_wait_hours", "work_p50": "median_work_hours", "dwell_p50": "median_stay_hours"}
    return Figure(
        name=f"stage {name}",
        values={said: row[column] for column, said in told.items()},
        n=int(row["visits"]),
        unit="hours",
        definition=definition(time_in_stage.stages),
        rule=(
            f"visits to {name} that were left in the window; wait and work only where both can be told apart "
            f"(wait n = {row['wait_n']}, work n = {row['work_n']}), elapsed time, percentiles by nearest rank"
        ),
        rows=rows.drop(columns=["stage", "hours_in_window"]).reset_index(drop=True),
    )


def stages(measures: "Measures") -> Figure:
    """Every stage's numbers, with all visits that touch the window."""
    table, rows = _table(measures.stages), _visits(measures)
    whose = "" if measures.policy == "vsm" else f"; wait, work and dwell as {measures.policy} tells them of these visits"
    return Figure(
        "stages",
        _flat(table, ["stage"], STAGE_NUMBERS),
        len(rows),
        "hours, items and visits",
        definition(time_in_stage.stages),
        "wait, work and dwell: visits that were left in the window; dwell_total: hours of all visits within it; "
        f"now: at its end; elapsed time, percentiles by nearest rank{whose}",
        rows,
    )


def _table(frame: pd.DataFrame | None) -> pd.DataFrame:
    return pd.DataFrame() if frame is None else frame


def _visits(measures: "Measures") -> pd.DataFrame:
    """The visits that touch the window, with their lengths in hours and their hours within it."""
    visits, scope = measures.visits, measures.scope
    spent = sojourn(visits, scope)
    here = (spent > 0) | scope.holds(visits["queued"]) | scope.holds(visits["left"]) | inside(visits, scope.end)
    lengths = {name: hours(visits[name]) for name in ("wait", "work", "dwell")}
    told = visits.assign(**lengths, **_about(measures, visits["item"]), hours_in_window=spent)[here]
    columns = ["item", "title", "url", "stage", "kind_in", "queued", "started", "finished", "left", *lengths, "hours_in_window"]
    return told[[name for name in columns if name in told]].reset_index(drop=True)


def queue_share(measures: "Measures") -> Figure:
    """The share of working time in which at least one visit waits for a stage; visits that were parked do not count.

    Every wait has a row: from when to when something waited for the stage, and whether it was parked
    (eight later arrivals were served before it).
    """
    config, scope, line = measures.flow.config, measures.scope, measures.workflow.stages if measures.workflow else ()
    since = observed_from(measures.visits, scope)
    found = waits(measures.visits, line, micro(scope.end))
    names = np.array([*(one.name for one in line), None], dtype=object)
    item = measures.visits["item"].iloc[found.row].reset_index(drop=True)
    until = pd.Series(np.minimum(found.served, micro(scope.end)).view("datetime64[us]")).dt.tz_localize("UTC")
    rows = pd.DataFrame(
        {
            "item": item,
            "stage": pd.Series(names[found.code], dtype="str"),
            "waited_from": pd.Series(np.where(found.code < 0, 0, found.due).view("datetime64[us]")).dt.tz_localize("UTC"),
            "waited_until": until,
            "waits_now": found.served == NEVER,
            "parked": found.parked,
        }
    )
    rows = rows[(found.code >= 0) & (rows["waited_until"] > since) & (rows["waited_from"] < rows["waited_until"])]
    edges = np.array([micro(since), micro(scope.end)])
    whole = float(np.diff(worked(edges, config.calendar, config.zone))[0])
    shares = _flat(_table(measures.stages), ["stage"], ["queue_share"])
    time = "the hours of [calendar]" if config.calendar is not None else "all hours, as no [calendar] is configured"
    return Figure(
        "queue_share",
        {name.removesuffix(": queue_share"): value for name, value in shares.items()} | {"hours": whole},
        len(rows),
        "share",
        definition(queue_share),
        f"{time} from {since.isoformat()} to the window's end in which a wait that was not parked was under way; "
        "missing where no status or event shows that work waits",
        rows.sort_values(["stage", "waited_from", "item"], ignore_index=True),
    )


# Moves. ----------------------------------------------------------------------------------------------------------------


def _steps(measures: "Measures") -> pd.DataFrame:
    """Every move with its wait in hours, whether it was sent back, and whether it was a reopening."""
    told = handoffs.steps(measures.visits)
    told = told.assign(reopened=handoffs.by_reopening(told, measures.items), wait=hours(told["wait"]))
    return told.assign(sent_back=told["backward"] & ~told["reopened"])


def moves(measures: "Measures") -> Figure:
    """Every way from stage to stage, with the moves that took it in the window."""
    told = _steps(measures)
    rows = told[measures.scope.holds(told["at"])].reset_index(drop=True)
    sides = ["from_team", "to_team", "from_person", "to_person"]
    return Figure(
        "moves",
        _flat(_table(measures.moves), ["from", "to"], MOVE_NUMBERS),
        len(rows),
        "moves",
        definition(handoffs.moves),
        "moves that entered the next stage in the window; wait in hours from the end of work, or leaving, to the start of work",
        rows[["item", "from", "to", "left", "at", "wait", "backward", "sent_back", "reopened", *sides]],
    )


def percent_complete_accurate(measures: "Measures") -> Figure:
    """Every edge's %C&A and their product, with each taking-in and whether the receiver sent it back."""
    told = _steps(measures).rename(columns={"sent_back": "sent"})
    edges = _table(measures.accurate)
    rows = rework.taken_in(measures.visits, told, measures.scope)
    path = rework.main_path(edges)
    return Figure(
        "percent_complete_accurate",
        _flat(edges, ["from", "to"], ["value", "n"]) | {"rolled": rework.rolled(edges, path)},
        len(rows),
        "share",
        definition(rework.percent_complete_accurate),
        "work that its receiver let go of in the window; rolled: the product along the path that most work takes",
        rows.drop(columns=["row_from", "row_to"]),
        said={"path": " → ".join(path)} if path else {},
    )


def between_people(measures: "Measures") -> Figure:
    """Handoffs from person to person, shown as the configuration allows, in the order of the names: nobody is ranked."""
    return _between(measures, "person", measures.between_people, definition(between_people))


def between_teams(measures: "Measures") -> Figure:
    """Handoffs from team to team, of items done in the window, over all of their way."""
    return _between(measures, "team", measures.between_teams, definition(between_teams))


def _between(measures: "Measures", who: str, pairs: pd.DataFrame, meaning: str) -> Figure:
    done = measures.items.loc[flow.finished(measures.items, measures.scope), "item"]
    told = _steps(measures)
    told = told[told[f"{who}_changed"] & told["item"].isin(done)].reset_index(drop=True)
    return Figure(
        f"handoffs_between_{'people' if who == 'person' else 'teams'}",
        _flat(pairs, ["from", "to"], ["n"]),
        len(told),
        "handoffs",
        meaning,
        f"moves from stage to stage on which the {who} changes, both known, items done in the window, all of their moves",
        told[["item", "from", "to", "at", "wait", f"from_{who}", f"to_{who}"]],
    )


def expected_visits(measures: "Measures") -> Figure:
    """How often an item visits each stage, with the visits of the items that ended; ``said`` has the loops it goes round."""
    from vsm import stream

    table = rework.expected_visits(measures.visits, measures.items, measures.scope)
    items, scope = measures.items, measures.scope
    ended = flow.finished(items, scope) | (scope.holds(items["cancelled_at"]) & items["done_at"].isna())
    mine = measures.visits[measures.visits["item"].isin(items.loc[ended, "item"])]
    rounds = [] if measures.graph is None else stream.loops(measures.graph, table)["loop"].drop_duplicates()
    return Figure(
        "expected_visits",
        _flat(table, ["stage"], ["observed", "expected", "once", "extra"]),
        int(mine["item"].nunique()),
        "visits an item",
        definition(rework.expected_visits),
        "visits of items done or cancelled in the window; once: without moves to the same or an earlier stage",
        mine[["item", "stage", "seq", "kind_in", "queued", "left"]].reset_index(drop=True),
        said={"loops": "; ".join(rounds)} if len(rounds) else {},
    )


# Conclusions. ----------------------------------------------------------------------------------------------------------


def the_constraint(measures: "Measures") -> Figure:
    """The constraint with the evidence of every stage that has capacity."""
    found = measures.constraint
    if found is None:
        raise ValueError("the constraint is one stream's: choose a stream")
    evidence = pd.DataFrame(list(found.ranking["evidence"]), index=found.ranking.index)
    return Figure(
        "constraint",
        {"confidence": found.confidence, "threshold": found.threshold, "finished": float(found.n_finished)},
        len(found.ranking),
        "share of resamples",
        definition(constraint.constraint),
        found.why.rstrip("."),
        found.ranking[["stage", "score"]].join(evidence),
        said={"stage": found.stage} if found.stage is not None else {},
    )


def the_lever(measures: "Measures") -> Figure:
    """The lead-time lever with what more capacity would do in every stage."""
    found = measures.lever
    if found is None:
        raise ValueError("the lead-time lever is one stream's: choose a stream")
    return Figure(
        "lead_time_lever",
        {"cut": found.cut, "low": found.low, "high": found.high},
        len(found.table),
        "share of lead time",
        definition(levers.lever),
        found.why.rstrip("."),
        found.table,
        said={"stage": found.stage} if found.stage is not None else {},
    )


def distribution(measures: "Measures") -> Figure:
    """Finished items by type, with the items."""
    done = measures.items[flow.finished(measures.items, measures.scope)]
    columns = [name for name in ("item", "title", "url", "type", "done_at") if name in done]
    told = measures.distribution
    return Figure(
        "distribution",
        _flat(told, ["type"], ["n", "share"]),
        int(told["n"].sum()),
        "items",
        definition(flow.distribution),
        "items whose final done lies in the window, by the type that their source gives them",
        done[columns].sort_values(["done_at", "item"], ignore_index=True),
    )


def lead_time_parts(measures: "Measures") -> Figure:
    """The parts of the change lead time with each change's own."""
    rows = measures.part_times
    return Figure(
        "lead_time_parts",
        _flat(measures.lead_time_parts, ["part"], ["p50", "p85", "n"]),
        len(rows),
        "hours",
        definition(dora.lead_time_parts),
        "changes whose first production deployment lies in the window; elapsed time, percentiles by nearest rank",
        rows,
    )


def happy_path(measures: "Measures") -> Figure:
    """The steps from first commit to production with each change's own."""
    return _way(measures.happy_path, "happy_path", recovery.happy_path)


def recovery_stream(measures: "Measures") -> Figure:
    """The steps from a failed deployment to users served again with each deployment's own."""
    return _way(measures.recovery_stream, "recovery_stream", recovery.recovery_stream)


def _way(way: recovery.Stream, name: str, metric: Callable[..., Any]) -> Figure:
    return Figure(
        name,
        {"per_week": way.per_week} | _flat(way.steps, ["part"], ["p50", "p85", "mean", "n"]),
        way.n,
        "hours",
        definition(metric),
        "each step's mean is its hours ÷ all rows, so that the means add up; elapsed time, percentiles by nearest rank",
        way.rows,
    )


# Data quality. ---------------------------------------------------------------------------------------------------------


def doubts(measures: "Measures") -> Figure:
    """What in the data makes numbers smaller, later or silent than they should be: each check that found something."""
    told = measures.quality
    return Figure(
        "quality",
        {str(row["check"]): float(row["rows"]) for row in told.to_dict("records")},
        len(told),
        "rows",
        definition(doubts),
        "checks that found something, with how many rows; `vsm explain quality:CHECK` (a part of its words is enough) opens them",
        told,
    )


def check(measures: "Measures", words: str) -> Figure:
    """One check of the data by some of its words, with the rows that it found."""
    streams = tuple(one for one in measures.flow.streams if measures.scope.stream in (None, one.name))
    every = {one.check: one for one in quality.findings(measures.flow, streams)}
    found = [one for name, one in every.items() if words.casefold() in name.casefold()]
    found = [every[words]] if words in every else [one for one in found if len(one.found)] or found
    if len(found) != 1:
        known = "; ".join(one.check for one in found or every.values())
        raise ValueError(f"{'several checks have' if found else 'no check has'} the words {words!r}; expected one of: {known}")
    (one,) = found
    return Figure(
        f"quality: {one.check}",
        {"rows": float(len(one.found))},
        len(one.found),
        "rows",
        f"Its effect: {one.effect}.",
        f"its remedy: {one.remedy}",
        one.found.reset_index(drop=True),
    )


Made = tuple[Callable[..., Any], Callable[["Measures"], Figure]]
PLAIN: dict[str, Callable[..., Any]] = {
    "lead_time": flow.lead_time,
    "cycle_time": flow.cycle_time,
    "throughput": flow.throughput,
    "wip": flow.wip,
    "work_item_age": flow.work_item_age,
    "flow_efficiency": flow.flow_efficiency,
    "blocked_time": blocked.blocked,
    "finished_in_12_weeks": forecast.finished_in,
    "forecast_hit_rate": forecast.hit_rate,
    "handoffs_per_item": handoffs.handoffs,
    "rework": rework.rework,
    "deployment_frequency": dora.deployment_frequency,
    "change_lead_time": dora.change_lead_time,
    "change_fail_rate": dora.change_fail_rate,
    "batch_size": batch_size.batch_size,
    "availability": reliability.availability,
    "time_to_acknowledge": reliability.time_to_acknowledge,
    "blocked_by": blocked.blocked_by,
    "failed_deployment_recovery_time": dora.failed_deployment_recovery_time,
    "deployment_rework_rate": dora.deployment_rework_rate,
    "tickets_linked": coverage.tickets_linked,
    "changes_deployed": coverage.changes_deployed,
    "incidents_linked": coverage.incidents_linked,
}
# The metric, whose first line says what it means, and the figure made of it.
ON_A_MAP: dict[str, Made] = {
    "stages": (time_in_stage.stages, stages),
    "queue_share": (queue_share, queue_share),
    "moves": (handoffs.moves, moves),
    "expected_visits": (rework.expected_visits, expected_visits),
    "constraint": (constraint.constraint, the_constraint),
    "lead_time_lever": (levers.lever, the_lever),
}
ANYWHERE: dict[str, Made] = {
    "waste": (waste.waste, lambda measures: measures.waste.figure),
    "distribution": (flow.distribution, distribution),
    "percent_complete_accurate": (rework.percent_complete_accurate, percent_complete_accurate),
    "handoffs_between_people": (between_people, between_people),
    "handoffs_between_teams": (between_teams, between_teams),
    "lead_time_parts": (dora.lead_time_parts, lead_time_parts),
    "happy_path": (recovery.happy_path, happy_path),
    "recovery_stream": (recovery.recovery_stream, recovery_stream),
    "quality": (doubts, doubts),
}
