"""The delivery frames of a scope: its changes, deployments and incidents, which of them failed, and DORA's five of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from vsm.frames import Mask, among, coded, kept, places, text
from vsm.metrics import batch_size, dora, reliability
from vsm.metrics.figure import Figure, Number
from vsm.metrics.ledger import Account, Ledger
from vsm.metrics.remediation import judged
from vsm.pipeline import Flow, StreamFlow
from vsm.scope import Scope


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


class Deliveries:
    """All that was ever delivered, judged once; a scope's part of it is picked out."""

    def __init__(self, told: Flow) -> None:
        self.told = told

    @cached_property
    def judged(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The remedies of all deployments, and what looks like one: a deployment is judged by its own application alone."""
        linked, config = self.told.links, self.told.config
        days = config.incidents.link_within_days
        return judged(linked.deployments, linked.deployment_changes, linked.changes, linked.incidents, config.dora, days)

    @cached_property
    def ledger(self) -> Ledger:
        """The same as arrays, for the numbers of many scopes."""
        linked, config = self.told.links, self.told.config
        pairs = linked.deployment_changes
        return Ledger.of(linked.changes, linked.deployments, pairs, self.judged[0], config.zone, config.dora)

    def of(self, whose: frozenset[str] | None, items: pd.DataFrame, scope: Scope) -> Delivery:
        """The frames of some applications (None: of all), with all of their history; of a team only its own items' changes."""
        linked = self.told.links
        changes, deployments, incidents, pairs = linked.changes, linked.deployments, linked.incidents, linked.deployment_changes
        remedies, no_failures = self.judged
        if whose is not None:
            changes = dora.changes_of(changes, deployments, pairs, whose)
            deployments = deployments[among(deployments["application"], whose)]
            laid = among(incidents["deployment"], deployments["id"])
            incidents = incidents[laid | (among(incidents["application"], whose) & incidents["deployment"].isna())]
            remedies = remedies[among(remedies["deployment"], deployments["id"])].reset_index(drop=True)
            no_failures = no_failures[among(no_failures["deployment"], deployments["id"])]
        if scope.team is not None:
            mine = linked.item_changes.loc[among(linked.item_changes["item"], items["item"]), "change"]
            changes = changes[among(changes["change"], mine)]
        if whose is not None or scope.team is not None:
            own = among(pairs["deployment"], deployments["id"])
            pairs = kept(pairs, own & among(pairs["change"], changes["change"]))
        out = [no_failures.drop(columns="deployment"), _not_laid(linked.excluded_incidents, incidents, whose)]
        return Delivery(changes, deployments, pairs, incidents, remedies, pd.concat(out, ignore_index=True))

    def account(self, whose: frozenset[str] | None, items: pd.DataFrame, scope: Scope) -> Account:
        """The same part of the ledger."""
        return self.ledger.account(whose, None if scope.team is None else self.changes_of(items))

    def changes_of(self, items: pd.DataFrame) -> Mask:
        """Which of all changes are of some items."""
        linked = self.told.links
        return self._marked(places(linked.item_changes["item"], items["item"]) >= 0)

    def _marked(self, rows: Mask) -> Mask:
        """The changes of some rows of the items' changes."""
        changes = len(self.told.links.changes)
        mine = np.zeros(changes + 1, dtype="bool")  # the last place is that of a change that is not known
        mine[self._item_changes[rows]] = True
        return mine[:changes]

    @cached_property
    def _item_changes(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        linked = self.told.links
        return places(linked.item_changes["change"], linked.changes["change"])

    def by_application(self, names: list[str], items: pd.DataFrame, scope: Scope) -> dict[str, dict[str, Number]]:
        """The five numbers of each application: one at a time is how they are meant."""
        return {name: self.account(frozenset({name}), items, scope).numbers(scope) for name in names}

    def by_team(self, items: pd.DataFrame, scope: Scope) -> dict[str, dict[str, Number]]:
        """The five numbers of each team that has items, in the order of their names.

        Of its own items' changes, and of the applications that these go to.
        """
        linked = self.told.links
        team, names = coded(items["team"])
        where, applications = coded(items["application"])
        home, homes = coded(linked.changes["application"])
        item = places(linked.item_changes["item"], items["item"])
        of_change = np.append(team, -1)[item]
        found = {}
        for number in sorted(range(len(names)), key=names.__getitem__):
            mine = self._marked(of_change == number)
            if scope.application is not None:
                whose = frozenset({scope.application})
            else:
                whose = _named(home[mine], homes) | _named(where[team == number], applications)
            found[str(names[number])] = self.ledger.account(whose, mine).numbers(scope)
        return found


def whose(told: Flow, chosen: tuple[StreamFlow, ...], items: pd.DataFrame, scope: Scope) -> frozenset[str] | None:
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


def _named(codes: "np.ndarray[tuple[int], np.dtype[np.int64]]", names: list[str]) -> frozenset[str]:
    """The names that occur."""
    there = np.bincount(codes[codes >= 0], minlength=len(names))
    return frozenset(str(names[number]) for number in np.flatnonzero(there))


def _not_laid(excluded: pd.DataFrame, incidents: pd.DataFrame, whose: frozenset[str] | None) -> pd.DataFrame:
    """The incidents that make no deployment a failed one: id, reason, at (when they were opened)."""
    mine = excluded if whose is None else excluded[among(excluded["application"], whose)]
    alone = incidents[incidents["deployment"].isna()]
    parts = [mine, alone.assign(reason=text("laid to no deployment", alone.index))]
    told = pd.concat([part[["id", "reason", "opened_at"]] for part in parts], ignore_index=True)
    return told.rename(columns={"opened_at": "at"})
