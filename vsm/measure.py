"""All figures and frames of one scope, taken once: what the report writes, the dashboard draws and explain prints."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import networkx as nx
import pandas as pd

from vsm import figures as by_name
from vsm import presets, stream
from vsm.deployed import applications
from vsm.frames import among, kept, text
from vsm.lever import Lever, lever
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
    reliability,
    rework,
    stages,
    waste,
)
from vsm.metrics.beside import Difference
from vsm.metrics.constraint import Constraint
from vsm.metrics.figure import Figure
from vsm.metrics.periods import months
from vsm.metrics.policies import Policy
from vsm.metrics.remediation import judged
from vsm.metrics.waste import Waste
from vsm.pipeline import Flow, StreamFlow
from vsm.presets import Definition
from vsm.scope import Scope
from vsm.workflow import Workflow

MOST_MONTHS = 24  # each is measured anew, and what is older says little of a team
HEADLINE = {  # the value that a figure is known by
    "deployment_frequency": "per_week",
    "change_lead_time": "p50",
    "change_fail_rate": "value",
    "failed_deployment_recovery_time": "p50",
    "deployment_rework_rate": "value",
}


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
    ``applications``: the DORA figures of each. ``happy_path``
    and ``recovery_stream``: the ways of changes and of failed deployments. ``policy``: whose way of
    reading visits cycle times, times in stage and cumulative flow follow. ``definition``: whose DORA
    figures these are, with ``ours`` beside them where they are another tool's; ``delivery``: the
    frames that they are made of.
    """

    scope: Scope
    flow: Flow
    items: pd.DataFrame
    visits: pd.DataFrame
    figures: dict[str, Figure]
    distribution: pd.DataFrame
    between_people: pd.DataFrame
    between_teams: pd.DataFrame
    lead_time_parts: pd.DataFrame
    remediation: pd.DataFrame
    happy_path: recovery.Stream
    recovery_stream: recovery.Stream
    quality: pd.DataFrame
    delivery: "Delivery"
    workflow: Workflow | None = None
    stages: pd.DataFrame | None = None
    moves: pd.DataFrame | None = None
    accurate: pd.DataFrame | None = None
    loops: pd.DataFrame | None = None
    cumulative: pd.DataFrame | None = None
    constraint: Constraint | None = None
    graph: "nx.DiGraph[str] | None" = None
    streams: dict[str, "Measures"] = field(default_factory=dict)
    applications: dict[str, dict[str, Figure]] = field(default_factory=dict)
    policy: Policy = "vsm"
    _part_times: Callable[[], pd.DataFrame] = field(default=lambda: pd.DataFrame(), repr=False, compare=False)
    definition: Definition = "vsm"
    ours: dict[str, Figure] = field(default_factory=dict)
    _compared: Callable[[], tuple[Difference, ...]] = field(default=lambda: (), repr=False, compare=False)
    _levered: Callable[[], Lever | None] = field(default=lambda: None, repr=False, compare=False)
    _moved: Callable[[], pd.DataFrame | None] = field(default=lambda: None, repr=False, compare=False)
    _wasted: Callable[[], Waste] = field(default=cache(lambda: waste.together([])), repr=False, compare=False)
    _monthly: Callable[[], pd.DataFrame] = field(default=pd.DataFrame, repr=False, compare=False)
    _teamed: Callable[[], dict[str, dict[str, Figure]]] = field(default=dict, repr=False, compare=False)

    @property
    def waste(self) -> Waste:
        """Where the hours went, worked out when it is first asked for: pages that do not show it need not wait."""
        return self._wasted()

    @property
    def part_times(self) -> pd.DataFrame:
        """Each change's parts of its lead time, behind ``lead_time_parts``; picked out when it is first asked for."""
        return self._part_times()

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
    def teams(self) -> dict[str, dict[str, Figure]]:
        """The DORA figures of each team: of its own items' changes, and of the applications that these go to."""
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


def measure(told: Flow, scope: Scope, policy: Policy = "vsm", definition: Definition = "vsm") -> Measures:
    """Measure one scope. Raises ValueError, with what there is, for a stream, application or team that is not there."""
    chosen = _streams(told, scope)
    common = list(quality.of_everything(told))
    parts = {one.name: _stream(told, one, scope, policy, common) for one in chosen}
    if len(chosen) == 1:
        (whole,) = parts.values()
    else:
        every = cache(lambda: waste.together([part.waste for part in parts.values()]))
        whole = replace(_measures(told, chosen, scope, policy, common), streams=parts, _wasted=every)
    whole = replace(whole, applications=_by_application(told, _applications(told, chosen, whole.items, scope), whole.items, scope))
    if definition == "vsm":
        return whole
    apart = {name: _delivery(told, frozenset({name}), whole.items, scope) for name in whole.applications}
    return presets.applied(whole, definition, apart)


def within(told: Flow, scope: Scope) -> "tuple[tuple[StreamFlow, ...], pd.DataFrame, Delivery]":
    """What a scope speaks of, with all of its history and nothing measured: its streams, its items (with ``stream``), its delivery.

    Raises ValueError as `measure` does.
    """
    chosen = _streams(told, scope)
    items = pd.concat([_within(one.items, scope).assign(stream=one.name) for one in chosen], ignore_index=True)
    return chosen, items, _delivery(told, _applications(told, chosen, items, scope), items, scope)


def _streams(told: Flow, scope: Scope) -> tuple[StreamFlow, ...]:
    """The streams of a scope. Raises ValueError for a name that nothing has."""
    teams = {team for one in told.streams for team in one.items["team"].dropna()}
    for what, name, known in (
        ("stream", scope.stream, [one.name for one in told.streams]),
        ("application", scope.application, applications(told.facts)),
        ("team", scope.team, sorted(teams)),
    ):
        if name is not None and name not in known:
            raise ValueError(f"no {what} {name!r}; expected one of {', '.join(map(repr, known)) or 'none: there is no ' + what}")
    return tuple(one for one in told.streams if scope.stream in (None, one.name))


def _stream(told: Flow, one: StreamFlow, scope: Scope, policy: Policy, common: list[quality.Finding]) -> Measures:
    """The measures of one stream, with what needs its map of stages."""
    zone, calendar, line = told.config.zone, told.config.calendar, one.workflow.stages
    measures = _measures(told, (one,), scope if len(told.streams) == 1 else replace(scope, stream=one.name), policy, common)
    items, visits = measures.items, measures.visits
    recent = stages.lately(visits, scope)
    by_stage = stages.stages(recent, line, scope, calendar, zone)
    read = None if policy == "vsm" else _read(one, items, visits, told)
    if read is not None:
        by_stage = by_stage.assign(**policies.stage_times(read, scope, policy).drop(columns="stage"))
    moves = handoffs.moves(visits, items, scope)
    sent_back = rework.rework(visits, items, scope)
    accurate = sent_back.percent_complete_accurate
    return replace(
        measures,
        workflow=one.workflow,
        stages=by_stage,
        moves=moves,
        accurate=accurate,
        figures=measures.figures | {"rework": _with_rolled(sent_back)},
        loops=sent_back.loops,
        cumulative=cumulative.cumulative(visits, items, line, scope, zone)
        if read is None
        else policies.cumulative_flow(read, scope, policy),
        constraint=constraint.constraint(recent, line, items, scope, calendar, zone),
        graph=stream.graph(by_stage, moves, accurate),
        _levered=cache(lambda: lever(recent, line, items, scope, calendar, zone)),
        _moved=cache(lambda: constraint.history(visits, line, items, _year(scope), calendar, zone)),
        _wasted=cache(lambda: _waste(told, one, items, scope)),
    )


def _year(scope: Scope) -> Scope:
    """The year up to a window's end, or the window where that is longer."""
    return replace(scope, start=min(scope.start, scope.end - pd.Timedelta(weeks=52)))


def _read(one: StreamFlow, items: pd.DataFrame, visits: pd.DataFrame, told: Flow) -> policies.Told:
    """A stream's items and visits, as policies read them."""
    return policies.Told(visits, items, one.workflow.stages, told.config.zone, policies.asides(one.log, one.workflow))


def _waste(told: Flow, one: StreamFlow, items: pd.DataFrame, scope: Scope) -> Waste:
    """The waste of a stream's items. All of the stream is looked at: the class of an hour does not hang on who asks."""
    visits = stages.lately(one.visits, scope)
    others = [stages.lately(other.visits, scope) for other in told.streams if other.name != one.name]
    beside = pd.concat(others, ignore_index=True) if others else None
    changes = told.facts.ticket_changes
    return waste.waste(visits, one.items, one.workflow.stages, changes, scope, counted=items["item"], others=beside)


def _measures(told: Flow, chosen: tuple[StreamFlow, ...], scope: Scope, policy: Policy, common: list[quality.Finding]) -> Measures:
    """What needs no map of stages, over the items of some streams."""
    zone = told.config.zone
    items = pd.concat([_within(one.items, scope) for one in chosen], ignore_index=True)
    split = [stages.split(kept(one.visits, among(one.visits["item"], items["item"])), one.workflow.stages) for one in chosen]
    visits = pd.concat(split, ignore_index=True)
    sent_back = rework.rework(visits, items, scope)
    changed_hands = handoffs.handoffs(visits, items, scope)
    ends = {"production" if one.deploys else "done" for one in chosen}
    whose = _applications(told, chosen, items, scope)
    shipped = _delivery(told, whose, items, scope)
    delivered = shipped.figures(scope, told)
    often, failing = delivered["deployment_frequency"], delivered["change_fail_rate"]
    figures = {
        "lead_time": flow.lead_time(items, scope, "production" if "production" in ends else "done"),
        "cycle_time": flow.cycle_time(items, scope) if policy == "vsm" else _cycle_time(told, chosen, items, visits, scope, policy),
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
        **shipped.beside(scope, told, whose or frozenset(shipped.deployments["application"])),
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
        visits=visits,
        figures=figures,
        distribution=flow.distribution(items, scope),
        between_people=_between_shown(changed_hands.between_people, told),
        between_teams=changed_hands.between_teams,
        lead_time_parts=dora.lead_time_parts(
            shipped.changes, shipped.deployments, shipped.deployment_changes, scope, told.config.dora
        ),
        remediation=shipped.remediation,
        happy_path=recovery.happy_path(delivered["change_lead_time"], shipped.changes, often),
        recovery_stream=recovery.recovery_stream(delivered["failed_deployment_recovery_time"], often, failing, shipped.incidents),
        _part_times=cache(
            lambda: dora.part_times(shipped.changes, shipped.deployments, shipped.deployment_changes, scope, told.config.dora)
        ),
        delivery=shipped,
        accurate=sent_back.percent_complete_accurate,
        quality=quality.quality(told, chosen, common=common),
        policy=policy,
        _monthly=cache(lambda: _by_month(shipped, scope, told)),
        _teamed=cache(lambda: _by_team(told, chosen, items, scope)),
    )


def _by_month(shipped: "Delivery", scope: Scope, told: Flow) -> pd.DataFrame:
    """The DORA metrics of each calendar month of the window's last two years, from the first in which anything is known on."""
    rows = []
    begins = [shipped.deployments["finished_at"].min(), shipped.changes["merged_at"].min()]
    first = min((at for at in begins if pd.notna(at)), default=scope.end)
    start = max(scope.start, first - pd.Timedelta(days=31), scope.end - pd.Timedelta(days=31 * MOST_MONTHS))
    every = [one for one in months(replace(scope, start=start), told.config.zone) if one.scope.end >= first][-MOST_MONTHS:]
    for one in every:
        for name, figure in shipped.figures(one.scope, told).items():
            values = {kind: figure.values.get(kind) for kind in ("low", "high")}
            rows.append((one.month, one.whole, name, figure.values[HEADLINE[name]], *values.values(), figure.n))
    kinds = {"month": "datetime64[us]", "whole": "bool", "metric": "str"} | dict.fromkeys(("value", "low", "high"), "float64")
    return pd.DataFrame(rows, columns=[*kinds, "n"]).astype(kinds)


def _by_team(told: Flow, chosen: tuple[StreamFlow, ...], items: pd.DataFrame, scope: Scope) -> dict[str, dict[str, Figure]]:
    """The DORA figures of each team that has items, in the order of their names."""
    found = {}
    for team in sorted(items["team"].dropna().unique()):
        mine, theirs = items[items["team"] == team], replace(scope, team=str(team))
        found[str(team)] = _delivery(told, _applications(told, chosen, mine, theirs), mine, theirs).figures(theirs, told)
    return found


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


@dataclass(frozen=True)
class Delivery:
    """The delivery frames of some applications, and what went wrong with their deployments."""

    changes: pd.DataFrame
    deployments: pd.DataFrame
    deployment_changes: pd.DataFrame
    incidents: pd.DataFrame
    remediation: pd.DataFrame
    apart: pd.DataFrame

    def not_failures(self, scope: Scope) -> pd.DataFrame:
        """What might look like a failure in the window and is none: id and reason."""
        return self.apart.loc[scope.holds(self.apart["at"]), ["id", "reason"]]

    def figures(self, scope: Scope, told: Flow) -> dict[str, Figure]:
        """The five DORA metrics."""
        zone, rules = told.config.zone, told.config.dora
        settled, unplaced = told.links.settled_changes, told.links.unplaced_changes
        return {
            "deployment_frequency": dora.deployment_frequency(self.deployments, scope, zone),
            "change_lead_time": dora.change_lead_time(
                self.changes, self.deployments, self.deployment_changes, scope, zone, settled, rules, unplaced
            ),
            "change_fail_rate": dora.change_fail_rate(
                self.deployments, self.remediation, scope, zone, rules, self.not_failures(scope)
            ),
            "failed_deployment_recovery_time": dora.failed_deployment_recovery_time(
                self.deployments, self.remediation, scope, zone, rules
            ),
            "deployment_rework_rate": dora.deployment_rework_rate(self.deployments, self.remediation, scope, zone, rules),
        }

    def beside(self, scope: Scope, told: Flow, applications: frozenset[str]) -> dict[str, Figure]:
        """What stands beside the five: how much comes at once, and what users had to live with."""
        sizes = batch_size.sizes(told.links.change_commits, told.facts.pull_requests)
        return {
            "batch_size": batch_size.batch_size(self.deployments, self.deployment_changes, sizes, scope, told.config.zone),
            "availability": reliability.availability(self.incidents, applications, scope),
            "time_to_acknowledge": reliability.time_to_acknowledge(self.incidents, scope, told.config.zone),
        }


def _applications(told: Flow, chosen: tuple[StreamFlow, ...], items: pd.DataFrame, scope: Scope) -> frozenset[str] | None:
    """Whose deployments a scope speaks of; None for everybody's.

    A stream's are those that its configuration names, else those that its items' changes go to.
    """
    if scope.application is not None:
        return frozenset({scope.application})
    if scope.team is None and len(chosen) == len(told.streams):
        return None
    named = {one.name: one.applications for one in told.config.streams}
    configured = frozenset(name for one in chosen for name in named.get(one.name, ()))
    if configured and scope.team is None:
        return configured
    mine = told.links.item_changes.loc[among(told.links.item_changes["item"], items["item"]), "change"]
    changes = told.links.changes
    return frozenset(changes.loc[among(changes["change"], mine), "application"].dropna()) | frozenset(items["application"].dropna())


def _delivery(told: Flow, whose: frozenset[str] | None, items: pd.DataFrame, scope: Scope) -> Delivery:
    """The delivery frames of a scope, with all of their history; of a team only its own items' changes."""
    linked = told.links
    changes, deployments, incidents = linked.changes, linked.deployments, linked.incidents
    if whose is not None:
        changes = dora.changes_of(changes, deployments, linked.deployment_changes, whose)
        deployments = deployments[among(deployments["application"], whose)]
        laid = among(incidents["deployment"], deployments["id"])
        incidents = incidents[laid | (among(incidents["application"], whose) & incidents["deployment"].isna())]
    if scope.team is not None:
        mine = linked.item_changes.loc[among(linked.item_changes["item"], items["item"]), "change"]
        changes = changes[among(changes["change"], mine)]
    pairs = linked.deployment_changes
    pairs = pairs[among(pairs["deployment"], deployments["id"])]
    rules, days = told.config.dora, told.config.incidents.link_within_days
    remedies, no_failures = judged(deployments, pairs, linked.changes, incidents, rules, days)
    apart = pd.concat([no_failures, _not_laid(linked.excluded_incidents, incidents, whose)], ignore_index=True)
    return Delivery(changes, deployments, pairs[among(pairs["change"], changes["change"])], incidents, remedies, apart)


def _not_laid(excluded: pd.DataFrame, incidents: pd.DataFrame, whose: frozenset[str] | None) -> pd.DataFrame:
    """The incidents that make no deployment a failed one: id, reason, at (when they were opened)."""
    mine = excluded if whose is None else excluded[among(excluded["application"], whose)]
    alone = incidents[incidents["deployment"].isna()]
    parts = [mine, alone.assign(reason=text("laid to no deployment", alone.index))]
    told = pd.concat([part[["id", "reason", "opened_at"]] for part in parts], ignore_index=True)
    return told.rename(columns={"opened_at": "at"})


def _by_application(told: Flow, whose: frozenset[str] | None, items: pd.DataFrame, scope: Scope) -> dict[str, dict[str, Figure]]:
    """The DORA figures of each application that was ever deployed: one at a time is how they are meant."""
    deployed = told.links.deployments["application"].unique()
    names = sorted(name for name in deployed if whose is None or name in whose)
    return {name: _delivery(told, frozenset({name}), items, scope).figures(scope, told) for name in names}


def _within(items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The items of a scope's team and application."""
    mine = pd.Series(True, index=items.index)
    for column, name in (("team", scope.team), ("application", scope.application)):
        if name is not None:
            mine &= items[column] == name
    return items[mine].reset_index(drop=True)
