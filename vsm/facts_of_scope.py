"""The facts that go along with a scope: enough of them that the scope's numbers come out the same, and nothing of the rest.

What a deployment brought follows from the history of its repository, and which application a ticket belongs to from its
first change. So tickets go one by one, but code by whole repositories.
"""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from vsm import measure
from vsm.changes import application_of
from vsm.delivery import whose
from vsm.frames import among, kept, plain
from vsm.people import HANDLES
from vsm.pipeline import Flow
from vsm.scope import Scope
from vsm.store import Facts
from vsm.taken import Taken, taken

BY_TICKET = ("transitions", "ticket_changes")
IN_REPOSITORY = ("commits", "tags", "pull_requests", "pull_request_commits", "reviews", "comments")
OF_PULL_REQUEST = ("pull_request_commits", "reviews", "comments")


def facts_of(flow: Flow, scope: Scope, since: pd.Timestamp | None = None) -> Facts:
    """The facts of a scope; all that `flow` has where it names neither stream nor application nor team, nor `since`.

    Raises ValueError, with what there is, for a stream, application or team that is not there.
    """
    told = taken(flow, scope, since)
    # What names nothing takes all: also what belongs to no stream, or to nothing that was ever deployed.
    if since is None and scope.stream is None and scope.application is None and scope.team is None:
        return flow.facts
    applications, repositories = _places(flow, scope, told)
    deployments = _deployments(flow.facts, applications, repositories)
    incidents = _incidents(flow, applications, deployments, told.tickets["key"])
    named = _named(flow, repositories, incidents, told)
    tickets = _with_holders(flow.facts.tickets, {*told.tickets["key"], *named})
    facts = flow.facts
    builds = facts.builds[among(facts.builds["repository"], repositories) | among(facts.builds["id"], told.builds["id"])]
    frames = {
        "tickets": kept(facts.tickets, among(facts.tickets["key"], tickets)),
        **{name: _of(getattr(facts, name), "ticket", tickets) for name in BY_TICKET},
        "ticket_links": kept(
            facts.ticket_links, among(facts.ticket_links["ticket"], tickets) | among(facts.ticket_links["other"], tickets)
        ),
        **_code(flow, repositories, tickets),
        "builds": builds,
        "build_stages": _of(facts.build_stages, "build", set(builds["id"])),
        "deployments": deployments,
        "deployment_commits": _of(facts.deployment_commits, "deployment", set(deployments["id"])),
        "incidents": incidents,
    }
    part = replace(facts, **{name: frame.reset_index(drop=True) for name, frame in frames.items()})
    return replace(part, identities=_identities(part))


def _of(frame: pd.DataFrame, column: str, known: set[str]) -> pd.DataFrame:
    return kept(frame, among(frame[column].astype("str"), known))


def _places(flow: Flow, scope: Scope, told: Taken) -> tuple[set[str], set[str]]:
    """The applications of a scope and the repositories that they are built from, or that its items' changes are in."""
    chosen, items, _ = measure.within(flow, scope)
    named = whose(flow, chosen, items, scope)
    facts = flow.facts
    applications = set(named) if named is not None else set(facts.deployments["application"].unique()) - {None}
    own = facts.repositories.dropna(subset="application").set_index("name")["application"].to_dict()
    mine = [name for name in plain(facts.repositories["name"]) if application_of(name, own) in applications]
    deployed = facts.deployments.loc[among(facts.deployments["application"].astype("str"), applications), "repository"]
    ruled = flow.links.changes.loc[among(flow.links.changes["application"].astype("str"), applications), "repository"]
    several = (told.changes["repository"], told.deployments["repository"], deployed, ruled)
    return applications, {*mine, *(name for one in several for name in one.dropna().unique())}


def _deployments(facts: Facts, applications: set[str], repositories: set[str]) -> pd.DataFrame:
    """Those of the applications, and the others from their repositories: which of several counts depends on all of them."""
    told = facts.deployments
    stated = facts.deployment_commits
    brought = stated.loc[among(stated["repository"].astype("str"), repositories), "deployment"]
    return told[
        among(told["application"].astype("str"), applications)
        | among(told["repository"].astype("str"), repositories)
        | among(told["id"], brought)
    ]


def _incidents(flow: Flow, applications: set[str], deployments: pd.DataFrame, tickets: pd.Series) -> pd.DataFrame:
    """Those of the applications, those laid to one of the deployments, and those that a ticket of the scope records."""
    told, linked = flow.facts.incidents, flow.links.incidents
    laid = linked.loc[among(linked["deployment"], deployments["id"]), "id"]
    named = among(told["deployment"], deployments["id"]) | among(told["id"], laid) | among(told["ticket"], tickets)
    return told[among(told["application"].astype("str"), applications) | named]


def _named(flow: Flow, repositories: set[str], incidents: pd.DataFrame, told: Taken) -> set[str]:
    """The tickets that the code or the incidents name, and those that are tied to one of the scope."""
    linked, ties = flow.links, flow.facts.ticket_links
    changes = linked.changes.loc[among(linked.changes["repository"].astype("str"), repositories), "change"]
    asked = linked.change_tickets.loc[among(linked.change_tickets["change"], changes), "ticket"]
    mine = {*told.tickets["key"], *incidents["ticket"].dropna()}
    there = ties.loc[among(ties["ticket"], mine), "other"]
    back = ties.loc[among(ties["other"], mine), "ticket"]
    return {*asked, *incidents["ticket"].dropna(), *there, *back}


def _with_holders(tickets: pd.DataFrame, keys: set[str]) -> set[str]:
    """The tickets and what holds them, such as their epics."""
    above = dict(zip(plain(tickets["key"]), plain(tickets["parent"]), strict=True))
    found, next_ = set(keys), keys
    while next_ := {above[key] for key in next_ if above.get(key) is not None} - found:
        found |= next_
    return found


def _code(flow: Flow, repositories: set[str], tickets: set[str]) -> dict[str, pd.DataFrame]:
    """All of the repositories, and of others the changes alone that name one of the tickets: they say where it is worked on."""
    facts, changes = flow.facts, flow.links.changes
    asked = flow.links.change_tickets
    beside = changes[among(changes["change"], asked.loc[among(asked["ticket"], tickets), "change"])]
    beside = beside[~among(beside["repository"].astype("str"), repositories)]
    places = {*repositories, *beside["repository"].dropna()}
    proposed = set(beside.loc[beside["kind"] == "pull_request", "change"])
    own = flow.links.change_commits
    shas = {*beside["sha"].dropna(), *own.loc[among(own["change"], beside["change"]), "sha"]}
    frames = {"repositories": _of(facts.repositories, "name", places)}
    for name in IN_REPOSITORY:
        frame = getattr(facts, name)
        repository = frame["repository"].astype("str")
        more = pd.Series(False, index=frame.index)
        if name in ("pull_requests", *OF_PULL_REQUEST):
            more = among(repository + "#" + frame["number"].astype("str"), proposed)
        elif name == "commits":
            more = among(repository, set(beside["repository"])) & among(frame["sha"], shas)
        frames[name] = kept(frame, among(repository, repositories) | more)
    return frames


def _identities(facts: Facts) -> pd.DataFrame:
    """Who is who of the people that the facts name, and nobody else."""
    fields = facts.ticket_changes
    assigned = fields[fields["field"].astype("str").str.casefold() == "assignee"]
    columns: Iterable[pd.Series] = (*(getattr(facts, table)[column] for table, column in HANDLES), assigned["from"], assigned["to"])
    used = {str(name).casefold() for column in columns for name in column.dropna().unique()}
    every = facts.identities
    handle, person = every["handle"].str.casefold(), every["person"].str.casefold()
    while True:  # an account may lead to an e-mail's handle, and that to a name
        mine = among(handle, used) | among(person, used)
        more = {*handle[mine], *person[mine]} - used
        if not more:
            return every[mine].reset_index(drop=True)
        used |= more
