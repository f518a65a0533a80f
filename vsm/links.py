"""What belongs together, and by which rule: tickets with changes, changes with builds, incidents with deployments."""

import re
from dataclasses import dataclass

import pandas as pd

from vsm.changes import Changes, changes
from vsm.config import Config
from vsm.deployed import Deployed, deployed
from vsm.frames import looked_up, no_text, text, times
from vsm.people import People
from vsm.store import Facts

KEY = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9_]*-\d+(?![A-Za-z0-9])")
BELOW = frozenset({"sub-task", "subtask"})  # their changes count for the ticket that they are a part of
ABOVE = frozenset({"epic", "initiative", "theme"})  # they hold items and are none: one level a map

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
    change_builds: pd.DataFrame
    deployments: pd.DataFrame
    deployment_changes: pd.DataFrame
    environment_changes: pd.DataFrame
    settled_changes: pd.DataFrame
    incidents: pd.DataFrame
    excluded_incidents: pd.DataFrame


def link(facts: Facts, config: Config, people: People) -> Links:
    """Link all facts."""
    made = changes(facts, people)
    shipped = deployed(facts, made, config)
    tickets = _change_tickets(facts, made)
    items, item_changes = _items(facts, made.changes, tickets)
    incidents, excluded = _incidents(facts, shipped, config)
    return Links(
        changes=made.changes,
        change_commits=made.commits,
        change_tickets=tickets,
        items=items,
        item_changes=item_changes,
        change_builds=_change_builds(facts, made),
        deployments=shipped.deployments,
        deployment_changes=shipped.brought,
        environment_changes=shipped.elsewhere,
        settled_changes=shipped.settled,
        incidents=incidents,
        excluded_incidents=excluded,
    )


def _change_tickets(facts: Facts, made: Changes) -> pd.DataFrame:
    """change, ticket, rule, strength: keys of known tickets in the branch or title; only without one, in a commit's message."""
    known = {key.casefold(): key for key in facts.tickets["key"]}
    if not known:
        return _pairs([])
    found: list[tuple[str, str, str, str]] = []
    for change, branch, title in made.changes[["change", "branch", "title"]].itertuples(index=False):
        for said, rule in ((branch, "key in the branch's name"), (title, "key in the title")):
            found += [(change, ticket, rule, "named") for ticket in _keys(said, known)]
    named = {change for change, *_ in found}
    messages = facts.commits[["repository", "sha", "message"]].dropna()
    rest = made.commits[~made.commits["change"].isin(named)].merge(messages, on=["repository", "sha"])
    for change, message in rest[["change", "message"]].itertuples(index=False):
        found += [(change, ticket, "key in a commit's message", "named") for ticket in _keys(message, known)]
    return _pairs(found)


def _pairs(found: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(found, columns=["change", "ticket", "rule", "strength"]).astype("str")
    return frame.drop_duplicates(["change", "ticket"]).sort_values(["change", "ticket"], kind="stable", ignore_index=True)


def _keys(said: object, known: dict[str, str]) -> list[str]:
    """The known tickets that a text names, in its order."""
    if not isinstance(said, str):
        return []
    return list(dict.fromkeys(known[key.casefold()] for key in KEY.findall(said) if key.casefold() in known))


def _items(facts: Facts, made: pd.DataFrame, tickets: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What flows: tickets, and changes that no ticket asked for; and which changes belong to which."""
    level = facts.tickets["type"].fillna("").str.casefold()
    below = facts.tickets[level.isin(BELOW) & facts.tickets["parent"].notna()]
    item_of = dict(zip(below["key"], below["parent"], strict=True))
    flows = facts.tickets[~level.isin(ABOVE) & ~facts.tickets["key"].isin(item_of)]
    linked = tickets.assign(item=tickets["ticket"].map(lambda key: item_of.get(key, key)))
    linked = linked[linked["item"].isin(flows["key"])]
    alone = made[~made["change"].isin(linked["change"])]
    own = pd.DataFrame({"item": alone["change"], "change": alone["change"], "rule": "no ticket is named"}).astype("str")
    item_changes = pd.concat([linked[["item", "change", "rule"]], own], ignore_index=True).drop_duplicates(["item", "change"])
    items = pd.concat([_of_tickets(flows, item_changes, made), _of_changes(alone)], ignore_index=True)
    return items[list(ITEM_COLUMNS)], item_changes.reset_index(drop=True)


def _of_tickets(flows: pd.DataFrame, item_changes: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    first = item_changes.merge(made[["change", "application", "repository"]], on="change").drop_duplicates("item").set_index("item")
    project = flows["project"].fillna(flows["key"].str.extract(r"^(.+)-\d+$", expand=False))
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


def _change_builds(facts: Facts, made: Changes) -> pd.DataFrame:
    """change, build, rule: the builds of a change's own commits; where a build names no repository, by the sha alone."""
    builds = facts.builds.loc[facts.builds["sha"].notna(), ["id", "repository", "sha"]].rename(columns={"id": "build"})
    placed = builds.dropna(subset="repository").merge(made.commits[["change", "repository", "sha"]], on=["repository", "sha"])
    placed = placed[["change", "build"]].assign(rule="built one of its commits")
    free = builds[builds["repository"].isna()].merge(made.commits[["change", "sha"]], on="sha")
    free = free[["change", "build"]].assign(rule="built a commit of the same sha")
    return pd.concat([placed, free], ignore_index=True).astype("str").drop_duplicates(["change", "build"], ignore_index=True)


def _incidents(facts: Facts, shipped: Deployed, config: Config) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Incidents with the deployment that each is laid to, and those that the configuration leaves out by label."""
    labels = {label.casefold() for label in config.incidents.exclude_labels}
    excluded = facts.incidents["labels"].fillna("").map(lambda text: bool(labels & {x.strip().casefold() for x in text.split(";")}))
    counted = facts.incidents[~excluded.astype("bool")].reset_index(drop=True)
    stated = counted["deployment"].where(counted["deployment"].isin(shipped.deployments["id"]))
    latest = _latest(counted, shipped.deployments, config.incidents.link_within_days)
    guessed = stated.isna() & latest.notna()
    days = f"{config.incidents.link_within_days:g}"
    rule = no_text(counted.index)
    rule = rule.mask(stated.notna(), "the incident names the deployment")
    rule = rule.mask(guessed, f"latest deployment of the application in the {days} days before it was noticed")
    strength = no_text(counted.index).mask(stated.notna(), "stated").mask(guessed, "guessed")
    linked = counted.assign(
        named=counted["deployment"], deployment=stated.fillna(latest).astype("str"), rule=rule, strength=strength
    )
    return linked, facts.incidents[excluded.astype("bool")].reset_index(drop=True)


def _latest(incidents: pd.DataFrame, deployments: pd.DataFrame, days: float) -> pd.Series:
    """The latest successful production deployment of each incident's application in the days before it was noticed."""
    good = deployments[deployments["production"] & (deployments["result"] == "success") & deployments["finished_at"].notna()]
    noticed = incidents["detected_at"].fillna(incidents["opened_at"])
    noticed = noticed.where(noticed <= incidents["opened_at"], incidents["opened_at"])
    asked = pd.DataFrame({"at": noticed, "application": incidents["application"], "place": range(len(incidents))}).dropna()
    given = good[["finished_at", "application", "id"]].rename(columns={"finished_at": "at"}).sort_values("at", kind="stable")
    joined = pd.merge_asof(
        asked.sort_values("at", kind="stable"), given, on="at", by="application", tolerance=pd.Timedelta(days=days)
    )
    return pd.Series(joined.set_index("place")["id"].reindex(range(len(incidents))).to_numpy(), index=incidents.index).astype("str")
