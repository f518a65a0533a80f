"""What an export takes: the items, visits, changes, builds, deployments and incidents of a scope, with all of their history."""

from dataclasses import dataclass

import pandas as pd

from vsm import measure
from vsm.frames import among, kept, plain, text, texts
from vsm.metrics import handoffs, stages
from vsm.people import People
from vsm.pipeline import Flow, StreamFlow
from vsm.scope import Scope


@dataclass(frozen=True)
class Taken:
    """The frames of a scope (columns as in docs/architecture.md; ``items`` and ``visits`` with ``stream``).

    ``visits`` have wait, work and dwell. ``statuses`` and ``ends`` are events of the log: of tickets, and of items that no
    status ends. ``tickets``: of the items, their parts, and what holds them. ``pairs``: change and ticket, also of tickets
    that are parts of an item. ``brought``: deployment, change, rule, strength of all environments.
    """

    flow: Flow
    items: pd.DataFrame
    visits: pd.DataFrame
    statuses: pd.DataFrame
    ends: pd.DataFrame
    tickets: pd.DataFrame
    changes: pd.DataFrame
    pairs: pd.DataFrame
    builds: pd.DataFrame
    deployments: pd.DataFrame
    brought: pd.DataFrame
    settled: pd.DataFrame
    incidents: pd.DataFrame

    @property
    def people(self) -> People:
        """Who is who."""
        return self.flow.people

    def shown(self, persons: pd.Series) -> pd.Series:
        """Persons as the configuration lets them be shown."""
        return self.people.shown(persons.astype("str"), self.flow.config.privacy.people)

    @property
    def moves(self) -> pd.DataFrame:
        """Every move from stage to stage (`handoffs.steps`), with the stream and the people as they may be shown."""
        parts = []
        for stream, mine in self.visits.groupby("stream", sort=False):
            steps = handoffs.steps(mine.reset_index(drop=True))
            parts.append(steps.assign(stream=text(str(stream), steps.index)))
        every = pd.concat(parts, ignore_index=True) if parts else handoffs.steps(self.visits).assign(stream=self.visits["stream"])
        return every.assign(**{side: self.shown(every[side]) for side in ("from_person", "to_person")})


def taken(flow: Flow, scope: Scope, since: pd.Timestamp | None = None) -> Taken:
    """What a scope speaks of; with `since` only what was still going on then, or came later.

    Raises ValueError, with what there is, for a stream, application or team that is not there.
    """
    chosen, items, delivery = measure.within(flow, scope)
    items = kept(items, _lasted(items, since)).reset_index(drop=True)
    visits = pd.concat([_visits(one, items) for one in chosen], ignore_index=True)
    log = pd.concat([one.log[among(one.log["item"], items["item"])] for one in chosen], ignore_index=True)
    linked, facts = flow.links, flow.facts
    parts = linked.item_tickets[among(linked.item_tickets["item"], items["item"])]
    keys = pd.concat([items.loc[items["kind"] == "ticket", "item"], parts["ticket"]])
    tickets = _with_holders(facts.tickets, set(keys))
    mine = linked.item_changes[among(linked.item_changes["item"], items["item"])]
    whole = scope.stream is None and scope.application is None and scope.team is None
    known = (
        linked.changes if whole else pd.concat([delivery.changes, linked.changes[among(linked.changes["change"], mine["change"])]])
    )
    changes = known.drop_duplicates("change").sort_values("change", kind="stable", ignore_index=True)
    changes = changes[_late(changes, since, LAST_OF_CHANGES) | among(changes["change"], mine["change"])].reset_index(drop=True)
    brought = pd.concat([linked.deployment_changes, linked.environment_changes], ignore_index=True)
    brought = brought[among(brought["deployment"], delivery.deployments["id"]) & among(brought["change"], changes["change"])]
    deployments = delivery.deployments
    deployments = deployments[
        _late(deployments, since, ("finished_at", "started_at")) | among(deployments["id"], brought["deployment"])
    ]
    incidents = delivery.incidents
    incidents = incidents[_late(incidents, since, ("resolved_at",)) | incidents["resolved_at"].isna()]
    return Taken(
        flow=flow,
        items=items,
        visits=visits,
        statuses=log[log["event"] == "status"].reset_index(drop=True),
        ends=log[log["event"].isin(["item.done", "item.cancelled"])].reset_index(drop=True),
        tickets=tickets,
        changes=changes,
        pairs=_pairs(flow, changes, tickets),
        builds=_builds(flow, changes, whole, since),
        deployments=deployments.reset_index(drop=True),
        brought=brought.reset_index(drop=True),
        settled=linked.settled_changes[
            among(linked.settled_changes["deployment"], deployments["id"])
            & among(linked.settled_changes["change"], changes["change"])
        ].reset_index(drop=True),
        incidents=incidents.reset_index(drop=True),
    )


LAST_OF_CHANGES = ("merged_at", "closed_at", "opened_at", "first_commit_at")


def _all(frame: pd.DataFrame) -> pd.Series:
    """True for every row."""
    return pd.Series(True, index=frame.index)


def _lasted(items: pd.DataFrame, since: pd.Timestamp | None) -> pd.Series:
    """Which items were not over before an instant."""
    if since is None:
        return _all(items)
    over = items[["done_at", "cancelled_at", "in_production_at"]].max(axis=1)
    return ~((over < since) & items["state"].isin(["done", "cancelled"]))


def _late(frame: pd.DataFrame, since: pd.Timestamp | None, columns: tuple[str, ...]) -> pd.Series:
    """Which rows have a last time that is not before an instant."""
    return _all(frame) if since is None else frame[list(columns)].max(axis=1) >= since


def _with_holders(tickets: pd.DataFrame, keys: set[str]) -> pd.DataFrame:
    """The tickets of some keys, and those that hold them, such as their epics."""
    above = dict(zip(plain(tickets["key"]), plain(tickets["parent"]), strict=True))
    found, next_ = set(keys), keys
    while next_ := {above[key] for key in next_ if above.get(key) is not None} - found:
        found |= next_
    return tickets[among(tickets["key"], found)].reset_index(drop=True)


def _visits(one: StreamFlow, items: pd.DataFrame) -> pd.DataFrame:
    mine = texts(one.visits[among(one.visits["item"], items["item"])].reset_index(drop=True))
    return stages.split(mine, one.workflow.stages).assign(stream=text(one.name, mine.index))


def _pairs(flow: Flow, changes: pd.DataFrame, tickets: pd.DataFrame) -> pd.DataFrame:
    """change, ticket: the tickets that a change names, and the item that it counts for."""
    counted = flow.links.item_changes.rename(columns={"item": "ticket"})[["change", "ticket"]]
    both = pd.concat([flow.links.change_tickets[["change", "ticket"]], counted], ignore_index=True)
    both = both[among(both["change"], changes["change"]) & among(both["ticket"], tickets["key"])]
    return both.drop_duplicates().sort_values(["change", "ticket"], kind="stable", ignore_index=True)


def _builds(flow: Flow, changes: pd.DataFrame, whole: bool, since: pd.Timestamp | None) -> pd.DataFrame:
    """The builds of the changes; of a whole store every one. ``change``: one of those that it built, a row each."""
    facts, linked = flow.facts, flow.links.change_builds
    linked = linked[among(linked["change"], changes["change"])]
    told = facts.builds
    rest = _late(told, since, ("finished_at", "started_at")) if whole else ~_all(told)
    told = told[among(told["id"], linked["build"]) | rest]
    return told.merge(linked[["build", "change"]], left_on="id", right_on="build", how="left").drop(columns="build")
