"""Measures from an engine: the same `Measures` as on the embedded path, of aggregates alone, so that they have no rows."""

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

import ibis
import pandas as pd

from vsm import measure as embedded
from vsm import pipeline, stream
from vsm.config import Config, StreamConfig
from vsm.errors import UsageError
from vsm.measure import Measures
from vsm.metrics import forecast, waste
from vsm.metrics.figure import AWAY, Figure, Number
from vsm.pipeline import Flow
from vsm.scope import Scope
from vsm.store import Facts
from vsm.warehouse import flow, moves, stays
from vsm.warehouse.brought import sampled
from vsm.warehouse.delivery import Deliveries
from vsm.warehouse.engine import Engine
from vsm.warehouse.ranks import count, first_row
from vsm.warehouse.singles import Samples, singles
from vsm.warehouse.tables import Tables, tables
from vsm.warehouse.walk import walked
from vsm.warehouse.weekly import by_week
from vsm.workflow import Workflow, of_stream
from vsm.working_time import micro

Expr = Any
ROWS = "its rows stay in the engine, and it needs them"
# What a report from an engine leaves out, and why: the keys are there, without a number.
LEFT_OUT = {
    "handoffs.between_people": "people are known to the store alone, which gives them their pseudonyms",
    "batch_size": "commits and lines are not among the engine's tables",
    "reliability": "incidents are in the engine only where a deployment is held to have failed",
    "happy_path": ROWS,
    "recovery_stream": ROWS,
    "coverage": "what could not be linked is not among the engine's tables",
    "quality": "the checks read the sources' own facts",
    "teams": "not worked out in an engine yet",
    "months": "not worked out in an engine yet",
}


@dataclass(frozen=True)
class Part:
    """One stream: its workflow, its visits (split into wait and work) and items, and whether its items have deployments."""

    name: str
    workflow: Workflow
    visits: Expr
    items: Expr
    deploys: bool


@dataclass(frozen=True)
class Warehouse:
    """What an engine holds, as it was known at ``now``."""

    engine: Engine
    config: Config
    tables: Tables
    streams: tuple[Part, ...]
    now: pd.Timestamp

    @cached_property
    def deliveries(self) -> Deliveries:
        """The production deployments and what they brought, worked out once."""
        told = Deliveries.of(self.tables, self.config.dora)
        return replace(told, runs=self.engine.keep(told.runs), pairs=self.engine.keep(told.pairs))

    @cached_property
    def empty(self) -> Flow:
        """A flow of no rows, of the same configuration and instant."""
        return replace(pipeline.read(Facts.empty(), self.config), now=self.now)

    @cached_property
    def nothing(self) -> Measures:
        """What the embedded path measures of no items, in all and by stream: typed frames, units and definitions."""
        return embedded.measure(self.empty, Scope(self.now - pd.Timedelta(weeks=1), self.now))

    def counts(self) -> dict[str, int]:
        """How many rows each of the engine's tables of facts has."""
        return self.tables.counts()


def read(engine: Engine, config: Config, now: pd.Timestamp | None = None) -> Warehouse:
    """Follow every item of every stream through its stages, in the engine. Raises UsageError where that cannot be."""
    told = tables(engine, config.warehouse)
    newest = told.newest()
    if newest is None:
        raise UsageError(
            f"{engine.place} holds no events yet: fill it with `vsm export warehouse`, or name your tables in vsm.toml"
        )
    at = pd.Timestamp(newest, unit="us", tz="UTC").as_unit("us") if now is None else now
    told = _as_of(told, micro(at))
    configured = config.streams or (StreamConfig(name="everything"),)
    parts = tuple(_part(engine, told, one, config, alone=len(configured) == 1) for one in configured)
    return Warehouse(engine, config, told, parts, at)


def _as_of(told: Tables, now: int) -> Tables:
    """The tables as they were known at an instant."""

    def then(table: Expr, *names: str) -> Expr:
        none = ibis.null("int64")
        return table.mutate(**{name: ibis.cases((table[name] <= now, table[name]), else_=none) for name in names})

    def born(table: Expr, name: str) -> Expr:
        return table.filter(table[name].isnull() | (table[name] <= now))

    return replace(
        told,
        items=then(born(told.items, "created_at"), "in_production_at"),
        events=told.events.filter((told.events.at <= now) & (told.events.until.isnull() | (told.events.until > now))),
        deployments=born(told.deployments, "finished_at"),
        changes=then(told.changes, "first_review_at", "ready_at", "merged_at"),
        remedies=then(born(told.remedies, "opened_at"), "recovered_at"),
    )


def _part(engine: Engine, told: Tables, one: StreamConfig, config: Config, alone: bool) -> Part:
    if not one.stages:
        raise UsageError(
            f"the stream {one.name!r} has no stages in the configuration, and an engine derives none: "
            "add [[streams.stages]] (`vsm report --format json` on a store tells those that it derives)"
        )
    workflow = of_stream(one, Facts.empty(), pd.DataFrame(), config.production)
    items = told.items if alone else told.items.filter(told.items.stream == one.name)
    if alone and config.streams:
        items = items.filter(items.stream.isnull() | (items.stream == one.name))
    log = told.events if alone else told.events.semi_join(items, "item")
    found = walked(log, items, workflow, engine.keep)
    deploys = bool(first_row(found.items.agg(n=count(found.items.in_production_at.notnull())))["n"])
    return Part(one.name, workflow, found.visits, found.items, deploys)


def samples(told: Warehouse, scope: Scope) -> Samples:
    """Of each stream the single visits that a window asks for; of all of them, since people work in several."""
    every = {}
    for one in told.streams:
        mine = _scoped(one, scope)
        some = None if mine is one else mine.visits
        every[one.name] = sampled(told.engine, one.visits, one.items, told.tables.flags, one.workflow, scope, some)
    return every


def measure(told: Warehouse, scope: Scope, visits: Samples) -> Measures:
    """Measure one scope; `visits`: its `samples`. Raises ValueError, with what there is, for a stream that is not there."""
    names = [one.name for one in told.streams]
    if scope.stream is not None and scope.stream not in names:
        raise ValueError(f"no stream {scope.stream!r}; expected one of {', '.join(map(repr, names))}")
    chosen = chosen_parts(told, scope)
    if len(chosen) == 1:
        return _stream(told, chosen[0], scope, visits, every=len(told.streams) == 1)
    parts = {one.name: _stream(told, one, replace(scope, stream=one.name), visits, every=False) for one in chosen}
    edges = moves.together(
        [(one.accurate, one.workflow.stages) for one in parts.values() if one.accurate is not None and one.workflow]
    )
    wasted = cache(lambda: waste.together([part.waste for part in parts.values()]))
    return replace(_measures(told, chosen, scope, None), streams=parts, accurate=edges, _wasted=wasted)


def chosen_parts(told: Warehouse, scope: Scope) -> list[Part]:
    """The streams that a scope speaks of, each with its items of the scope's team and application."""
    return [_scoped(one, scope) for one in told.streams if scope.stream in (None, one.name)]


def _scoped(one: Part, scope: Scope) -> Part:
    """A stream's items, and their visits, of a scope's team and application."""
    items = one.items
    for column, name in (("team", scope.team), ("application", scope.application)):
        if name is not None:
            items = items.filter(items[column] == name)
    return one if items is one.items else replace(one, items=items, visits=one.visits.semi_join(items, "item"))


def _stream(told: Warehouse, one: Part, scope: Scope, visits: Samples, every: bool) -> Measures:
    """The measures of one stream, with what needs its map of stages."""
    line, zone, window = one.workflow.stages, told.config.zone, stays.Window.of(scope)
    by_stage, spreads = _apart(stays.stages(one.visits, line, scope, told.config.calendar, zone, told.engine.keep))
    steps = told.engine.keep(moves.steps(one.visits, one.items))
    moved, back = moves.moves(steps, line, window), moves.rework(steps, one.items, line, window)
    whole = _measures(told, [one], scope, steps, back, every)
    told_singly = singles(visits, one.name, one.workflow, scope, told.config.calendar, zone)
    return replace(
        whole,
        workflow=one.workflow,
        stages=by_stage,
        spreads=spreads,
        moves=moved,
        accurate=back.accurate,
        loops=moves.loops(steps, line, window),
        cumulative=flow.cumulative(one.visits, one.items, line, scope, zone, told.engine.keep),
        graph=stream.graph(by_stage, moved, back.accurate),
        constraint=told_singly.constraint,
        _levered=told_singly.lever,
        _moved=told_singly.moved,
        _wasted=told_singly.waste,
    )


def _apart(by_stage: pd.DataFrame) -> tuple[pd.DataFrame, dict[tuple[str, str], float]]:
    """The table of stages, and by stage and time (wait, work) the variance of its median."""
    columns = {name: f"{name}_spread" for name in stays.LENGTHS}
    spreads = {(row["stage"], name): float(row[of]) for row in by_stage.to_dict("records") for name, of in columns.items()}
    return by_stage.drop(columns=list(columns.values())), spreads


def deploying(chosen: list[Part]) -> Literal["production", "done"]:
    """Where lead time ends: in production where some items have linked deployments."""
    return "production" if any(one.deploys for one in chosen) else "done"


def union(tables_: list[Expr]) -> Expr:
    first, *more = tables_
    return ibis.union(first, *more) if more else first


def _measures(
    told: Warehouse, chosen: list[Part], scope: Scope, steps: Expr, back: moves.Rework | None = None, every: bool = True
) -> Measures:
    """What needs no map of stages, over the items of some streams."""
    zone, window = told.config.zone, stays.Window.of(scope)
    items, visits = union([one.items for one in chosen]), union([one.visits for one in chosen])
    steps = told.engine.keep(moves.steps(visits, items)) if steps is None else steps
    back = back or moves.rework(steps, items, None, window)
    hands = moves.handoffs(steps, items, window)
    end = deploying(chosen)
    went = _shipped(told, chosen, items, scope, every)
    first_done, first_run = flow.first(items, "done_at"), flow.first(went.runs, "at")
    began = {
        "throughput": _since(first_done, scope, zone, "finished item"),
        "deployment_frequency": {}
        if first_run is None or first_run > scope.end
        else _since(first_run, scope, zone, "production deployment"),
    }
    found = {
        "lead_time": (flow.lead_time(items, window, end), {"start": "created", "end": end}),
        "cycle_time": (flow.cycle_time(items, window), {"start": "first work", "end": "done"}),
        "throughput": (flow.throughput(items, scope), began["throughput"]),
        "wip": (flow.wip(visits, scope), {}),
        "work_item_age": (flow.work_item_age(items, window), {"start": "first stage entered", "end": "now"}),
        "flow_efficiency": (flow.flow_efficiency(visits, items, window), {}),
        "handoffs_per_item": (
            Number("handoffs_per_item", {"mean": hands.mean, "moves_known": hands.moves_known}, hands.n, spread=hands.spread),
            {},
        ),
        "rework": (_sent_back(back), {}),
        **{name: (number, began.get(name, {})) for name, number in went.numbers(scope, zone).items()},
    }
    weekly = {"throughput": flow.finished_by_week(items, scope, zone)} | by_week(went, scope, zone)
    base = _base(told, chosen, scope)
    figures = {name: _figure(base.figures[name], number, said, weekly.get(name)) for name, (number, said) in found.items()}
    figures |= {name: replace(base.figures[name], rule="", series=None, said={"why": ROWS, AWAY: ROWS}) for name in ABSENT}
    finished = _finished(items, scope, zone, first_done)
    figures |= {
        "finished_in_12_weeks": forecast.finished_in(finished, scope, zone),
        "forecast_hit_rate": forecast.hit_rate(finished, scope, zone),
    }
    teams = hands.between_teams.reindex(columns=base.between_teams.columns).fillna({"wait_n": 0, "kept_n": 0})
    return replace(
        base, figures=base.figures | figures, weekly=finished, distribution=flow.distribution(items, window),
        between_teams=teams.astype(base.between_teams.dtypes.to_dict()), lead_time_parts=went.parts(scope),
        _doubtful=lambda: base.quality.head(0), _monthly=lambda: base.months.head(0), _teamed=dict,
        _apart=lambda: went.by_application(scope, zone),
    )  # fmt: skip


ABSENT = (
    "blocked_time", "blocked_by", "tickets_linked", "changes_deployed", "incidents_linked", "batch_size",
    "availability", "time_to_acknowledge",
)  # fmt: skip


def _figure(base: Figure, number: Number, said: dict[str, str], series: pd.DataFrame | None = None) -> Figure:
    """A figure of nothing with a number of the engine; its rows stayed where they are."""
    values, told = base.values | number.values, said | {AWAY: ROWS}
    rule = "counted in the engine"
    return replace(base, values=values, n=number.n, of=None, rule=rule, series=series, said=told, spread=number.spread)


def _base(told: Warehouse, chosen: list[Part], scope: Scope) -> Measures:
    """What the embedded path measures of no items: every frame and figure, with its columns and its definition."""
    name = chosen[0].name if len(chosen) == 1 else None
    return replace(told.nothing.streams.get(name or "", told.nothing), scope=scope, streams={})


def _sent_back(back: moves.Rework) -> Number:
    n = back.n
    values = {
        "items": float(back.items) if n else None,
        "share": back.items / n if n else None,
        "reopened": float(back.reopened) if n else None,
        "never_sent_back": back.never_sent_back / n if n else None,
        "rolled": back.rolled,
    }
    return Number("rework", values, n)


def _since(first: pd.Timestamp | None, scope: Scope, zone: ZoneInfo, what: str) -> dict[str, str]:
    """Since when something is known, where that is later than the window's start: a count is not compared with such a window."""
    if first is None or first <= scope.start:
        return {}
    return {"since": f"the first {what} known is of {first.tz_convert(zone).date()}"}


def _finished(items: Expr, scope: Scope, zone: ZoneInfo, first: pd.Timestamp | None) -> pd.DataFrame:
    """How many items were done in each week in which some were, as if they were done when it began: done_at, n."""
    if first is None:
        return pd.DataFrame({"done_at": pd.Series(dtype="datetime64[us, UTC]"), "n": pd.Series(dtype="int64")})
    counts = flow.finished_by_week(items, replace(scope, start=min(first, scope.end)), zone)
    counts = counts[counts["items"] > 0].reset_index(drop=True)
    starts = counts["week"].dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").dt.tz_convert("UTC")
    return pd.DataFrame({"done_at": starts, "n": counts["items"]})


def shipped(told: Warehouse, scope: Scope) -> Deliveries:
    """The deliveries that a scope speaks of."""
    chosen = chosen_parts(told, scope)
    every = len(told.streams) == 1 or len(chosen) > 1
    return _shipped(told, chosen, union([one.items for one in chosen]), scope, every)


def _shipped(told: Warehouse, chosen: list[Part], items: Expr, scope: Scope, every: bool) -> Deliveries:
    """The deliveries that a scope speaks of: a stream's are those that it names, else those that its items' changes go to."""
    mine = None
    if scope.team is not None:
        mine = told.tables.item_changes.semi_join(items, "item").select("change").distinct()
    return told.deliveries.of_some(_whose(told, chosen, items, scope, every), mine)


def _whose(told: Warehouse, chosen: list[Part], items: Expr, scope: Scope, every: bool) -> set[str] | None:
    if scope.application is not None:
        return {scope.application}
    if scope.team is None and every:
        return None
    named = {one.name: one.applications for one in told.config.streams}
    configured = {name for one in chosen for name in named.get(one.name, ())}
    if configured and scope.team is None:
        return configured
    changes = told.tables.changes.semi_join(told.tables.item_changes.semi_join(items, "item"), "change")
    both = changes.select("application").union(items.select("application")).distinct().to_pandas()
    return set(both["application"].dropna())
