"""What belongs together, and by which rule: tickets with changes, changes with builds, incidents with deployments."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd

from vsm.applications import applied, placed
from vsm.changes import Changes, changes
from vsm.config import Config
from vsm.deployed import Deployed, deployed
from vsm.frames import Codes, among, looked_up, no_text, places, plain, text, times
from vsm.history import NONE, keys
from vsm.incidents import noticed, set_apart
from vsm.levels import USUAL, Families
from vsm.meanwhile import meanwhile
from vsm.mentions import change_tickets
from vsm.people import People
from vsm.store import Facts
from vsm.ties import laid

LONGEST = 100_000  # days that a Timedelta can hold, with room to spare
NOW = pd.Timedelta(0)

ITEM_COLUMNS = (
    "item", "kind", "title", "type", "created_at", "status", "project", "team", "application", "repository", "priority", "parent",
    "labels", "url",
)  # fmt: skip


@dataclass(frozen=True)
class Links:
    """Everything that was linked; the columns are in docs/architecture.md."""

    changes: pd.DataFrame
    change_commits: pd.DataFrame
    change_tickets: pd.DataFrame
    items: pd.DataFrame
    item_changes: pd.DataFrame
    item_tickets: pd.DataFrame
    change_builds: pd.DataFrame
    deployments: pd.DataFrame
    deployment_changes: pd.DataFrame
    environment_changes: pd.DataFrame
    settled_changes: pd.DataFrame
    unplaced_changes: pd.DataFrame
    incidents: pd.DataFrame
    excluded_incidents: pd.DataFrame

    @cached_property
    def _counting(self) -> tuple[Codes, Codes, Codes]:
        """Of each of an item's changes its row and the number of the application that counts (NONE: any); each deployment's."""
        about, deployed = self.changes, self.deployments["application"].array
        names = pd.Index(deployed.unique())
        number = places(pd.Series(deployed), names)
        known = pd.concat([self.deployment_changes, self.settled_changes], ignore_index=True)
        run, row = places(known["deployment"], self.deployments["id"]), places(known["change"], about["change"])
        repository = pd.factorize(about["repository"])[0] + 1  # a missing one is 0
        from_where = np.zeros((int(repository.max(initial=0)) + 1) * len(names), dtype="bool")
        from_where[repository[row] * len(names) + number[run]] = True
        row = places(self.item_changes["change"], about["change"])
        item = places(self.item_changes["item"], self.items["item"])
        # An application that nothing is deployed as has the number NONE, and so has what is missing: neither counts.
        counts = np.full(len(row), NONE)
        for application in (about["application"].array.take(row), self.items["application"].array.take(item)):
            named = places(pd.Series(application), names)
            there = named != NONE
            there[there] = from_where[repository[row[there]] * len(names) + named[there]]
            counts = np.where(there, named, counts)
        return row, counts, number


def link(facts: Facts, config: Config, people: People) -> Links:
    """Link all facts."""
    made = changes(facts, people)
    # These ask for nothing of what follows.
    builds, named = (meanwhile(partial(work, facts, made)) for work in (_change_builds, change_tickets))
    where = placed(facts, made.changes, made.commits, config.applications)
    made = replace(made, changes=applied(made.changes, where))
    shipped = deployed(facts, made, config, where)
    made = replace(made, changes=_in_effect(made.changes, shipped.brought))
    tickets = named()
    target, parts = Families.of(facts.tickets, config.levels.epics).targets(lambda _: USUAL)
    items, item_changes = _items(facts, made.changes, tickets, target)
    incidents, excluded = _incidents(facts, shipped, made.changes, config)
    incidents = laid(incidents, facts.ticket_links, tickets, item_changes, shipped, config.incidents.causing_links)
    return Links(
        changes=made.changes,
        change_commits=made.commits,
        change_tickets=tickets,
        items=items,
        item_changes=item_changes,
        item_tickets=parts,
        change_builds=builds(),
        deployments=shipped.deployments,
        deployment_changes=shipped.brought,
        environment_changes=shipped.elsewhere,
        settled_changes=shipped.settled,
        unplaced_changes=where.unplaced,
        incidents=incidents,
        excluded_incidents=excluded,
    )


def _in_effect(made: pd.DataFrame, brought: pd.DataFrame) -> pd.DataFrame:
    """The changes, without the reverts that came to production only together with what took them back.

    There nothing was ever taken back; who then takes back what was brought again means the first of it.
    """
    pairs = made.loc[made["reapplies"].notna(), ["change", "reapplies"]]
    some = brought[among(brought["change"], pd.concat([pairs["change"], pairs["reapplies"]]))]
    came: dict[str, set[str]] = {}
    for change, deployment in zip(plain(some["change"]), plain(some["deployment"]), strict=True):
        came.setdefault(change, set()).add(deployment)
    void = {
        revert: change
        for change, revert in zip(plain(pairs["change"]), plain(pairs["reapplies"]), strict=True)
        if came.get(revert) and came[revert] <= came.get(change, set())
    }
    if not void:
        return made
    taken = dict(zip(plain(made["change"]), plain(made["reverts"]), strict=True))
    first = {change: taken[revert] for revert, change in void.items() if isinstance(taken[revert], str)}
    reverts = made["reverts"].mask(among(made["change"], set(void)))
    return made.assign(reverts=reverts.replace(first).astype("str"))


def with_items(linked: Links, facts: Facts, target: Mapping[str, str | None], parts: pd.DataFrame) -> Links:
    """The links with the items of another level: which ticket counts for which (`levels.Families.targets`)."""
    items, item_changes = _items(facts, linked.changes, linked.change_tickets, target)
    return replace(linked, items=items, item_changes=item_changes, item_tickets=parts)


def _items(
    facts: Facts, made: pd.DataFrame, tickets: pd.DataFrame, target: Mapping[str, str | None]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What flows: tickets, and changes that no ticket asked for; and which changes belong to which."""
    flows = facts.tickets[~among(facts.tickets["key"], set(target))]
    counts = [target.get(key, key) for key in plain(tickets["ticket"])] if target else tickets["ticket"]
    linked = tickets.assign(item=pd.Series(counts, dtype="str"))
    named = linked["change"]
    linked = linked[among(linked["item"], flows["key"])]
    alone = made[~among(made["change"], linked["change"])]
    why = text("no ticket is named", alone.index).mask(among(alone["change"], named), "the ticket that it names is no item here")
    own = pd.DataFrame({"item": alone["change"], "change": alone["change"], "rule": why}).astype("str")
    item_changes = pd.concat([linked[["item", "change", "rule"]], own], ignore_index=True).drop_duplicates(["item", "change"])
    items = pd.concat([_of_tickets(flows, item_changes, made), _of_changes(alone)], ignore_index=True)
    return items[list(ITEM_COLUMNS)], item_changes.reset_index(drop=True)


def _of_tickets(flows: pd.DataFrame, item_changes: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    begun = made[["first_commit_at", "opened_at", "merged_at"]].min(axis=1)
    about = made[["change", "application", "repository"]].assign(begun=begun)
    # The change that was begun first says where a ticket is worked on, so that later ones do not move it.
    first = item_changes.merge(about, on="change").sort_values(["begun", "change"], kind="stable")
    first = first.drop_duplicates("item").set_index("item")
    untold = flows.loc[flows["project"].isna(), "key"]
    project = flows["project"].fillna(untold.str.extract(r"^(.+)-\d+$", expand=False).reindex(flows.index))
    return flows.rename(columns={"key": "item"}).assign(
        kind=text("ticket", flows.index),
        project=project,
        application=flows["application"].fillna(looked_up(flows["key"], first["application"])),
        repository=looked_up(flows["key"], first["repository"]),
    )[list(ITEM_COLUMNS)]


def _of_changes(alone: pd.DataFrame) -> pd.DataFrame:
    begun = alone[["first_commit_at", "opened_at", "merged_at"]].min(axis=1)
    none = no_text(alone.index)
    return pd.DataFrame(
        {
            "item": alone["change"], "kind": text("change", alone.index), "title": alone["title"],
            "type": none, "created_at": times(begun, alone.index), "status": none, "project": none, "team": none,
            "application": alone["application"], "repository": alone["repository"], "priority": none, "parent": none,
            "labels": alone["labels"], "url": alone["url"],
        }
    )  # fmt: skip


def arrivals(linked: Links, brought: pd.DataFrame) -> pd.DataFrame:
    """item, change, deployment: of pairs of deployments and changes those that count for each item.

    Several applications may be deployed from one repository. An item's own application is what
    counts, else its change's own, where that is deployed from the change's repository; else any.
    """
    run = places(brought["deployment"], linked.deployments["id"])
    some = pd.DataFrame({"deployment": brought["deployment"], "mine": linked._counting[2][run]})
    some["row"] = places(brought["change"], linked.changes["change"])
    row, counts, _ = linked._counting
    pairs = linked.item_changes[["item", "change"]].assign(row=row, counts=counts).merge(some, on="row")
    mine = (pairs["counts"] == NONE) | (pairs["counts"] == pairs["mine"])
    return pairs.loc[mine, ["item", "change", "deployment"]].reset_index(drop=True)


def _change_builds(facts: Facts, made: Changes) -> pd.DataFrame:
    """change, build, rule: the builds of a change's own commits; where a build names no repository, by the sha alone."""
    builds = facts.builds.loc[facts.builds["sha"].notna(), ["id", "repository", "sha"]].rename(columns={"id": "build"})
    at_home = builds.dropna(subset="repository")
    parts = []
    for some, commits, rule in (
        (keys(at_home), keys(made.commits), "built one of its commits"),
        (builds.loc[builds["repository"].isna(), "sha"], made.commits["sha"], "built a commit of the same sha"),
    ):
        # Commits are told by the place where the first build of each stands: numbers are joined faster than text.
        place, build = places(commits, some), places(some, some)
        told = pd.DataFrame({"place": place, "change": made.of})[place >= 0]
        pairs = pd.DataFrame({"place": build, "build": some.index}).merge(told, on="place")
        parts.append(pairs[["change", "build"]].assign(rule=rule))
    found = pd.concat(parts, ignore_index=True).drop_duplicates(["change", "build"], ignore_index=True)
    return pd.DataFrame(
        {
            "change": made.changes["change"].array.take(found["change"]),
            "build": facts.builds["id"].array.take(facts.builds.index.get_indexer(found["build"])),
            "rule": found["rule"],
        }
    ).astype("str")


def _incidents(facts: Facts, shipped: Deployed, made: pd.DataFrame, config: Config) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Incidents with the deployment that each is laid to, and those that do not count, with the reason."""
    told = facts.incidents
    apart = set_apart(told, config.incidents)
    excluded = apart["reason"].notna()
    counted = told[~excluded].reset_index(drop=True)
    days = config.incidents.link_within_days
    stated = counted["deployment"].where(among(counted["deployment"], shipped.deployments["id"]))
    linked = counted.assign(named=counted["deployment"], deployment=stated)
    linked["rule"] = no_text(counted.index).mask(stated.notna(), "the incident names the deployment")
    linked["strength"] = no_text(counted.index).mask(stated.notna(), "stated")
    latest = f"latest deployment of the application in the {days:g} days before it was noticed"
    for found, rule in (
        (_taken_back(counted, shipped, made, days), "taken back while the incident was open"),
        (_mended(counted, shipped.deployments, days), "live when it was noticed, and followed by a hotfix while it was open"),
        (_latest(counted, shipped.deployments, days), latest),
    ):
        guessed = linked["deployment"].isna() & found.notna()
        linked["rule"] = linked["rule"].mask(guessed, rule)
        linked["strength"] = linked["strength"].mask(guessed, "guessed")
        linked["deployment"] = linked["deployment"].fillna(found).astype("str")
    return linked, told.assign(**apart)[excluded].reset_index(drop=True)


def _taken_back(incidents: pd.DataFrame, shipped: Deployed, made: pd.DataFrame, days: float) -> pd.Series:
    """The deployment of each incident's application that a rollback or a revert took back while the incident was open."""
    about = shipped.deployments.set_index("id")
    back = shipped.deployments.loc[shipped.deployments["rollback_of"].notna(), ["id", "rollback_of"]].set_axis(
        ["by", "bad"], axis=1
    )
    reverts = made.loc[made["reverts"].notna(), ["change", "reverts"]]
    mended = reverts.merge(shipped.brought, on="change").merge(shipped.brought, left_on="reverts", right_on="change")
    mended = mended[["deployment_x", "deployment_y"]].set_axis(["by", "bad"], axis=1)
    pairs = pd.concat([back, mended], ignore_index=True)
    pairs = pairs[looked_up(pairs["by"], about["application"]) == looked_up(pairs["bad"], about["application"])]
    return _while_open(incidents, pairs, shipped.deployments, days)


def _mended(incidents: pd.DataFrame, deployments: pd.DataFrame, days: float) -> pd.Series:
    """The deployment of each incident's application that was live when it was noticed, and that a hotfix followed meanwhile."""
    fixes = deployments[deployments["hotfix"] & deployments["previous"].notna() & deployments["rollback_of"].isna()]
    return _while_open(incidents, fixes[["id", "previous"]].set_axis(["by", "bad"], axis=1), deployments, days)


def _while_open(incidents: pd.DataFrame, pairs: pd.DataFrame, deployments: pd.DataFrame, days: float) -> pd.Series:
    """Of pairs of deployments and what followed: for each incident the one that was live before it and followed while it was open.

    It was live for at most some days when the incident was noticed, and was followed in as many.
    """
    about = deployments.set_index("id")
    pairs = pairs.assign(application=looked_up(pairs["bad"], about["application"]))
    pairs["live"], pairs["gone"] = (looked_up(pairs[name], about["finished_at"]) for name in ("bad", "by"))
    pairs = pairs[pairs["live"] < pairs["gone"]]
    known = incidents.assign(place=range(len(incidents)), at=noticed(incidents))[["place", "application", "at", "resolved_at"]]
    near = pd.Timedelta(days=min(days, LONGEST))
    cases = _beside(known.dropna(subset=["application", "at"]), pairs.dropna(subset="application"), near)
    open_then = (cases["live"] < cases["at"]) & ~(cases["gone"] > cases["resolved_at"])
    cases = cases[open_then & (cases["at"] - cases["live"] <= near)]
    first = cases.sort_values(["gone", "live", "bad"], kind="stable").drop_duplicates("place").set_index("place")["bad"]
    return pd.Series(first.reindex(range(len(incidents))).to_numpy(), index=incidents.index, dtype="str")


def _beside(known: pd.DataFrame, pairs: pd.DataFrame, near: pd.Timedelta) -> pd.DataFrame:
    """Each incident with every pair of its application that was gone at its time or within some days after it."""
    parts = []
    by_application = dict(iter(pairs.sort_values("gone", kind="stable").groupby("application")))
    for application, mine in known.groupby("application"):
        others = by_application.get(application, pairs.head(0))
        first, end = (others["gone"].searchsorted(mine["at"] + far, side=side) for far, side in ((NOW, "left"), (near, "right")))
        n = end - first
        place = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
        left, right = mine.loc[mine.index.repeat(n)], others.iloc[place]
        parts.append(pd.concat([part.reset_index(drop=True) for part in (left, right.drop(columns="application"))], axis=1))
    none = known.head(0).merge(pairs.head(0).drop(columns="application"), how="cross")
    return pd.concat(parts, ignore_index=True) if parts else none


def _latest(incidents: pd.DataFrame, deployments: pd.DataFrame, days: float) -> pd.Series:
    """The latest successful production deployment of each incident's application in the days (strictly) before it was noticed."""
    good = deployments[deployments["production"] & (deployments["result"] == "success") & deployments["finished_at"].notna()]
    asked = pd.DataFrame(
        {"at": noticed(incidents), "application": incidents["application"], "place": range(len(incidents))}
    ).dropna()
    given = (
        good[["finished_at", "application", "id"]].rename(columns={"finished_at": "at"}).sort_values(["at", "id"], kind="stable")
    )
    joined = pd.merge_asof(
        asked.sort_values("at", kind="stable"), given, on="at", by="application", tolerance=pd.Timedelta(days=min(days, LONGEST)),
        allow_exact_matches=False,
    )  # fmt: skip
    return pd.Series(joined.set_index("place")["id"].reindex(range(len(incidents))).to_numpy(), index=incidents.index).astype("str")
