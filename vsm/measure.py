"""All figures and frames of one scope, taken once: what the report writes, the dashboard draws and explain prints."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeVar

import networkx as nx
import pandas as pd

from vsm import figures as by_name
from vsm import presets, stream
from vsm.delivery import Deliveries, Delivery, whose
from vsm.deployed import applications
from vsm.frames import among, in_names, kept, stacked, texts
from vsm.lever import Lever, lever
from vsm.meanwhile import later
from vsm.metrics import (
    batch_size,
    blocked,
    constraint,
    coverage,
    cumulative,
    dora,
    flow,
    forecast,
    handoffs,
    policies,
    quality,
    recovery,
    rework,
    stages,
    waste,
)
from vsm.metrics.beside import Difference
from vsm.metrics.constraint import Constraint
from vsm.metrics.figure import Figure, Number
from vsm.metrics.monthly import by_month
from vsm.metrics.policies import Policy
from vsm.metrics.waste import Waste
from vsm.pipeline import Flow, StreamFlow
from vsm.presets import Definition
from vsm.scope import Scope
from vsm.workflow import Workflow
from vsm.working_time import micro

NAMES = ("stage", "actor", "team", "entered_from", "kind_in")  # columns of visits: few names in many rows
T = TypeVar("T")
ByName = Mapping[str, Mapping[str, Number]]  # of each application or team its numbers by name


@dataclass(frozen=True)
class Measures:
    """What was measured of one scope.

    ``figures`` by name: lead_time, cycle_time, throughput, wip, work_item_age, flow_efficiency,
    blocked_time, blocked_by, finished_in_12_weeks, forecast_hit_rate, handoffs_per_item, rework,
    deployment_frequency, change_lead_time, change_fail_rate,
    failed_deployment_recovery_time, deployment_rework_rate, tickets_linked, changes_deployed,
    incidents_linked, batch_size, availability, time_to_acknowledge. What needs one map of stages
    (``workflow``, ``stages``, ``moves``, ``constraint``, ``graph``, ``cumulative``) is None
    where several streams are looked at at once: it stands under each of ``streams`` then.
    ``happy_path`` and ``recovery_stream``: the ways of changes and of failed deployments. ``policy``:
    whose way of reading visits cycle times, times in stage and cumulative flow follow. ``definition``:
    whose DORA figures these are, with ``ours`` beside them where they are another tool's; ``delivery``:
    the frames that they are made of. ``spreads``: by stage and time (wait, work, dwell) the variance of
    its median, where the visits that tell it are elsewhere. ``weekly``: when how many items were done (done_at, n),
    where the items are elsewhere.
    """

    scope: Scope
    flow: Flow
    items: pd.DataFrame
    figures: dict[str, Figure]
    distribution: pd.DataFrame
    between_people: pd.DataFrame
    between_teams: pd.DataFrame
    lead_time_parts: pd.DataFrame
    part_times: pd.DataFrame
    remediation: pd.DataFrame
    happy_path: recovery.Stream
    recovery_stream: recovery.Stream
    delivery: Delivery
    workflow: Workflow | None = None
    stages: pd.DataFrame | None = None
    moves: pd.DataFrame | None = None
    accurate: pd.DataFrame | None = None
    loops: pd.DataFrame | None = None
    cumulative: pd.DataFrame | None = None
    constraint: Constraint | None = None
    graph: "nx.DiGraph[str] | None" = None
    spreads: dict[tuple[str, str], float] = field(default_factory=dict)
    weekly: pd.DataFrame | None = None
    streams: dict[str, "Measures"] = field(default_factory=dict)
    policy: Policy = "vsm"
    _doubtful: Callable[[], pd.DataFrame] = field(default=pd.DataFrame, repr=False, compare=False)
    _visited: Callable[[], pd.DataFrame] = field(default=pd.DataFrame, repr=False, compare=False)
    definition: Definition = "vsm"
    ours: dict[str, Figure] = field(default_factory=dict)
    _compared: Callable[[], tuple[Difference, ...]] = field(default=lambda: (), repr=False, compare=False)
    _levered: Callable[[], Lever | None] = field(default=lambda: None, repr=False, compare=False)
    _moved: Callable[[], pd.DataFrame | None] = field(default=lambda: None, repr=False, compare=False)
    _wasted: Callable[[], Waste] = field(default=cache(lambda: waste.together([])), repr=False, compare=False)
    _monthly: Callable[[], pd.DataFrame] = field(default=pd.DataFrame, repr=False, compare=False)
    _teamed: Callable[[], ByName] = field(default=dict, repr=False, compare=False)
    _apart: Callable[[], ByName] = field(default=dict, repr=False, compare=False)

    @property
    def visits(self) -> pd.DataFrame:
        """Every visit of the items, also long before the window, with wait, work and dwell; worked out when first asked for."""
        return self._visited()

    @property
    def finished(self) -> pd.DataFrame:
        """What a forecast is made from: when items were done."""
        return self.items if self.weekly is None else self.weekly

    @property
    def quality(self) -> pd.DataFrame:
        """What is doubtful about the data (`quality.quality`), looked for when it is first asked for."""
        return self._doubtful()

    @property
    def waste(self) -> Waste:
        """Where the hours went, worked out when it is first asked for: pages that do not show it need not wait."""
        return self._wasted()

    @property
    def lever(self) -> Lever | None:
        """What more capacity would do, by a simulation of a second or two; None where several streams are looked at at once."""
        return self._levered()

    @property
    def batches(self) -> pd.DataFrame:
        """Small and large batches beside each other (`batch_size.by_size`)."""
        fail, batch = self.figures["change_fail_rate"].rows, self.figures["batch_size"].rows
        failed = fail.loc[fail["failed"], "deployment"] if "failed" in fail else fail.index[:0].astype("str").to_series()
        return batch_size.by_size(batch, failed, self.figures["change_lead_time"].rows)

    @property
    def months(self) -> pd.DataFrame:
        """The DORA metrics by calendar month, each counted anew, 24 at most: month, whole, metric, value, low, high, n."""
        return self._monthly()

    @property
    def applications(self) -> ByName:
        """The DORA numbers of each application that was ever deployed: one at a time is how they are meant."""
        return self._apart()

    @property
    def teams(self) -> ByName:
        """The DORA numbers of each team: of its own items' changes, and of the applications that these go to."""
        return self._teamed()

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The DORA numbers of `definition` beside ours, with the reasons; none where it is ours."""
        return self._compared()

    @property
    def moved(self) -> pd.DataFrame | None:
        """How the constraint moved in the year up to the window's end (`constraint.history`); None for several streams at once."""
        return self._moved()

    def figure(self, name: str) -> Figure | None:
        """A figure by its name (`vsm.figures.names`), those too that are made when they are asked for; None for no such name."""
        return by_name.figure(self, name)


def measure(told: Flow, scope: Scope, policy: Policy = "vsm", definition: Definition = "vsm", ahead: bool = False) -> Measures:
    """Measure one scope. Raises ValueError, with what there is, for a stream, application or team that is not there.

    `ahead`: all of it will be asked for, so what can wait (waste, lever, how the constraint moved) is worked
    out beside the figures, on a second core.
    """
    chosen = _streams(told, scope)
    pool = ThreadPoolExecutor(1) if ahead else None
    shared = _Shared(told, policy, Deliveries(told), later(lambda: list(quality.of_everything(told)), pool), pool)
    try:
        return _measured(shared, chosen, scope, definition)
    finally:
        if pool is not None:
            pool.shutdown(wait=False)  # what is begun goes on while the rest is asked for


def _measured(shared: "_Shared", chosen: tuple[StreamFlow, ...], scope: Scope, definition: Definition) -> Measures:
    """The measures of some streams, each by itself and all of them together."""
    told = shared.flow
    parts = {one.name: _stream(shared, one, scope) for one in chosen}
    if len(chosen) == 1:
        (whole,) = parts.values()
    else:
        every = cache(lambda: waste.together([part.waste for part in parts.values()]))
        items = _items(chosen, scope)
        visits = _recent(chosen, items, scope)
        measures = _measures(shared, chosen, scope, items, visits, rework.rework(visits, items, scope))
        whole = replace(measures, streams=parts, _wasted=every)
    items, named = whole.items, _deployed(told, whose(told, chosen, whole.items, scope))
    whole = replace(whole, _apart=cache(lambda: shared.deliveries.by_application(named, items, scope)))
    if definition == "vsm":
        return whole
    return presets.applied(whole, definition, {name: shared.deliveries.of(frozenset({name}), items, scope) for name in named})


@dataclass(frozen=True)
class _Shared:
    """What the measures of all streams share."""

    flow: Flow
    policy: Policy
    deliveries: Deliveries
    findings: Callable[[], list[quality.Finding]]
    pool: ThreadPoolExecutor | None

    def later(self, work: Callable[[], T]) -> Callable[[], T]:
        """What is worked out when it is first asked for, or, where there is a pool, from now on beside the rest."""
        return later(work, self.pool)


def _deployed(told: Flow, whose: frozenset[str] | None) -> list[str]:
    """The applications that were ever deployed, by name: some (None: all) of them."""
    return sorted(name for name in told.links.deployments["application"].unique() if whose is None or name in whose)


def within(told: Flow, scope: Scope) -> "tuple[tuple[StreamFlow, ...], pd.DataFrame, Delivery]":
    """What a scope speaks of, with all of its history and nothing measured: its streams, its items (with ``stream``), its delivery.

    Raises ValueError as `measure` does.
    """
    chosen = _streams(told, scope)
    items = pd.concat([_within(one.items, scope).assign(stream=one.name) for one in chosen], ignore_index=True)
    return chosen, items, Deliveries(told).of(whose(told, chosen, items, scope), items, scope)


def _streams(told: Flow, scope: Scope) -> tuple[StreamFlow, ...]:
    """The streams of a scope. Raises ValueError for a name that nothing has."""
    teams = {team for one in told.streams for team in one.items["team"].dropna().unique()}
    for what, name, known in (
        ("stream", scope.stream, [one.name for one in told.streams]),
        ("application", scope.application, applications(told.facts)),
        ("team", scope.team, sorted(teams)),
    ):
        if name is not None and name not in known:
            raise ValueError(f"no {what} {name!r}; expected one of {', '.join(map(repr, known)) or 'none: there is no ' + what}")
    return tuple(one for one in told.streams if scope.stream in (None, one.name))


def _stream(shared: _Shared, one: StreamFlow, scope: Scope) -> Measures:
    """The measures of one stream, with what needs its map of stages."""
    told, policy = shared.flow, shared.policy
    zone, calendar, line = told.config.zone, told.config.calendar, one.workflow.stages
    scope_of = scope if len(told.streams) == 1 else replace(scope, stream=one.name)
    items = _items((one,), scope)
    visits = _recent((one,), items, scope)
    recent = stages.lately(visits, scope)
    wasted = shared.later(lambda: _waste(told, one, items, scope, recent))
    moved = shared.later(lambda: constraint.history(_visits(one, items, scope), line, items, _year(scope), calendar, zone))
    levered = shared.later(lambda: lever(recent, line, items, scope, calendar, zone))
    sent_back = rework.rework(visits, items, scope)
    measures = _measures(shared, (one,), scope_of, items, visits, sent_back)
    queue = stages.waits(recent, line, micro(scope.end))
    by_stage = stages.stages(recent, line, scope, calendar, zone, queue)
    table = by_stage
    read = None if policy == "vsm" else _read(one, items, measures.visits, told)
    if read is not None:
        by_stage = by_stage.assign(**policies.stage_times(read, scope, policy).drop(columns="stage"))
    moves = handoffs.moves(visits, items, scope)
    accurate = sent_back.percent_complete_accurate
    return replace(
        measures,
        workflow=one.workflow,
        stages=by_stage,
        moves=moves,
        accurate=accurate,
        figures=measures.figures | {"rework": _with_rolled(sent_back)},
        loops=sent_back.loops,
        cumulative=cumulative.cumulative(one.visits, items, line, scope, zone)
        if read is None
        else policies.cumulative_flow(read, scope, policy),
        constraint=constraint.constraint(recent, line, items, scope, calendar, zone, table, queue),
        graph=stream.graph(by_stage, moves, accurate),
        _levered=levered,
        _moved=moved,
        _wasted=wasted,
    )


def _year(scope: Scope) -> Scope:
    """The year up to a window's end, or the window where that is longer."""
    return replace(scope, start=min(scope.start, scope.end - pd.Timedelta(weeks=52)))


def _read(one: StreamFlow, items: pd.DataFrame, visits: pd.DataFrame, told: Flow) -> policies.Told:
    """A stream's items and visits, as policies read them."""
    return policies.Told(visits, items, one.workflow.stages, told.config.zone, policies.asides(one.log, one.workflow))


def _waste(told: Flow, one: StreamFlow, items: pd.DataFrame, scope: Scope, recent: pd.DataFrame) -> Waste:
    """The waste of a stream's items. All of the stream is looked at: the class of an hour does not hang on who asks."""
    visits = recent if len(items) == len(one.items) else stages.lately(one.visits, scope)
    others = [stages.lately(other.visits, scope) for other in told.streams if other.name != one.name]
    beside = stacked(others) if others else None
    changes = told.facts.ticket_changes
    return waste.waste(visits, one.items, one.workflow.stages, changes, scope, counted=items["item"], others=beside)


def _items(chosen: tuple[StreamFlow, ...], scope: Scope) -> pd.DataFrame:
    """The items of some streams that a scope speaks of."""
    return pd.concat([_within(one.items, scope) for one in chosen], ignore_index=True)


def _visits(one: StreamFlow, items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """A stream's visits of these items."""
    if scope.team is None and scope.application is None:
        return one.visits
    return kept(one.visits, among(one.visits["item"], items["item"]))


def _recent(chosen: tuple[StreamFlow, ...], items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The visits that any number of the window is made of, with wait, work and dwell; names as categories, items as text."""
    some = ((one, stages.recent(_visits(one, items, scope), items, scope)) for one in chosen)
    every = stacked([stages.split(visits, one.workflow.stages) for one, visits in some])
    return every.assign(item=every["item"].astype("str"), **{name: in_names(every[name]) for name in NAMES})


def _every(chosen: tuple[StreamFlow, ...], items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """All visits, with wait, work and dwell; names and items as text."""
    return texts(stacked([stages.split(_visits(one, items, scope), one.workflow.stages) for one in chosen]))


def _measures(
    shared: _Shared,
    chosen: tuple[StreamFlow, ...],
    scope: Scope,
    items: pd.DataFrame,
    visits: pd.DataFrame,
    sent_back: rework.Rework,
) -> Measures:
    """What needs no map of stages, over the items of some streams, their recent visits and what of them was sent back."""
    told, policy = shared.flow, shared.policy
    zone = told.config.zone
    every = cache(lambda: _every(chosen, items, scope))
    changed_hands = handoffs.handoffs(visits, items, scope)
    ends = {"production" if one.deploys else "done" for one in chosen}
    theirs = whose(told, chosen, items, scope)
    shipped = shared.deliveries.of(theirs, items, scope)
    delivered = shipped.figures(scope, told)
    part_times = dora.part_times(shipped.changes, shipped.deployments, shipped.deployment_changes, scope, told.config.dora)
    often, failing = delivered["deployment_frequency"], delivered["change_fail_rate"]
    figures = {
        "lead_time": flow.lead_time(items, scope, "production" if "production" in ends else "done"),
        "cycle_time": flow.cycle_time(items, scope)
        if policy == "vsm"
        else _cycle_time(told, chosen, items, every(), scope, policy),
        "throughput": flow.throughput(items, scope, zone),
        "wip": flow.wip(visits, items, scope),
        "work_item_age": flow.work_item_age(items, scope),
        "flow_efficiency": flow.flow_efficiency(visits, items, scope),
        "blocked_time": blocked.blocked(visits, items, told.facts.ticket_changes, scope),
        "blocked_by": blocked.blocked_by(items, told.facts.ticket_links, told.facts.tickets, _ended(told)),
        "finished_in_12_weeks": forecast.finished_in(items, scope, zone),
        "forecast_hit_rate": forecast.hit_rate(items, scope, zone),
        "handoffs_per_item": changed_hands.per_item,
        "rework": sent_back.items,
        **delivered,
        **shipped.beside(scope, told, theirs or frozenset(shipped.deployments["application"])),
        "tickets_linked": coverage.tickets_linked(items, told.links.item_changes, scope),
        "changes_deployed": coverage.changes_deployed(
            dora.counted(shipped.changes, told.config.dora), shipped.deployment_changes, shipped.deployments, scope
        ),
        "incidents_linked": coverage.incidents_linked(shipped.incidents, scope),
    }
    return Measures(
        scope=scope,
        flow=told,
        items=items,
        figures=figures,
        distribution=flow.distribution(items, scope),
        between_people=_between_shown(changed_hands.between_people, told),
        between_teams=changed_hands.between_teams,
        lead_time_parts=dora.parts_of(part_times),
        remediation=shipped.remediation,
        happy_path=recovery.happy_path(delivered["change_lead_time"], shipped.changes, often),
        recovery_stream=recovery.recovery_stream(delivered["failed_deployment_recovery_time"], often, failing, shipped.incidents),
        part_times=part_times,
        _visited=every,
        delivery=shipped,
        accurate=sent_back.percent_complete_accurate,
        _doubtful=shared.later(lambda: quality.quality(told, chosen, common=shared.findings())),
        policy=policy,
        _monthly=shared.later(lambda: _months(shared.deliveries, shipped, theirs, items, scope)),
        _teamed=shared.later(lambda: shared.deliveries.by_team(items, scope)),
    )


def _months(every: Deliveries, shipped: Delivery, theirs: frozenset[str] | None, items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The DORA metrics of each calendar month, from the first in which anything is known on."""
    begins = [shipped.deployments["finished_at"].min(), shipped.changes["merged_at"].min()]
    first = min((at for at in begins if pd.notna(at)), default=scope.end)
    return by_month(every.account(theirs, items, scope), first, scope, every.told.config.zone)


def _ended(told: Flow) -> pd.Series:
    """The items of all streams that are done or cancelled."""
    return pd.concat([one.items.loc[one.items["state"].isin(["done", "cancelled"]), "item"] for one in told.streams])


def _cycle_time(
    told: Flow, chosen: tuple[StreamFlow, ...], items: pd.DataFrame, visits: pd.DataFrame, scope: Scope, policy: Policy
) -> Figure:
    """The cycle time as another tool tells it, over the items of some streams."""
    parts = []
    for one in chosen:
        mine = items[items["item"].isin(one.items["item"])].reset_index(drop=True)
        parts.append(_read(one, mine, visits[visits["item"].isin(mine["item"])].reset_index(drop=True), told))
    return policies.cycle_time(parts, scope, policy)


def _with_rolled(sent_back: rework.Rework) -> Figure:
    """The rework figure with the product of %C&A along the main path, and its check."""
    return replace(sent_back.items, values=sent_back.items.values | {"rolled": sent_back.rolled})


def _between_shown(between: pd.DataFrame, told: Flow) -> pd.DataFrame:
    """Handoffs between people, as they may be shown, in the order of what is shown: never of how much anybody does."""
    people, privacy = told.people, told.config.privacy.people
    shown = between.assign(**{side: people.shown(between[side], privacy) for side in ("from", "to")})
    return shown.dropna(subset=["from", "to"]).sort_values(["from", "to"], ignore_index=True)


def _within(items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The items of a scope's team and application."""
    mine = pd.Series(True, index=items.index)
    for column, name in (("team", scope.team), ("application", scope.application)):
        if name is not None:
            mine &= items[column] == name
    return items[mine].reset_index(drop=True)
