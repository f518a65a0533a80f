"""The whole way from facts to each item's path, one line a step."""

from dataclasses import dataclass, fields, replace

import pandas as pd

from vsm import events, links, visits, workflow
from vsm.config import Config, StreamConfig
from vsm.frames import looked_up, no_text, text
from vsm.models import TABLES, kind
from vsm.people import People
from vsm.store import Facts

# The time at which a row of a table comes to be known; later ones say how it went on.
BORN = {
    "tickets": "created_at",
    "transitions": "at",
    "ticket_changes": "at",
    "commits": "committed_at",
    "reviews": "submitted_at",
    "comments": "at",
    "builds": "started_at",
    "incidents": "opened_at",
}


@dataclass(frozen=True)
class StreamFlow:
    """One stream: its workflow, its event log, its items' paths. ``deploys``: some of its items have linked deployments."""

    name: str
    workflow: workflow.Workflow
    log: pd.DataFrame
    visits: pd.DataFrame
    items: pd.DataFrame
    unknown: dict[str, int]
    deploys: bool


@dataclass(frozen=True)
class Flow:
    """Everything that is derived from a store's facts as they were known at ``now``."""

    config: Config
    facts: Facts
    people: People
    links: links.Links
    streams: tuple[StreamFlow, ...]
    homeless: pd.DataFrame
    now: pd.Timestamp | None


def read(facts: Facts, config: Config, now: pd.Timestamp | None = None) -> Flow:
    """Derive everything from the facts as they were known at `now` (default: the newest fact)."""
    latest = newest(facts)
    now = latest if now is None else now
    known = facts if now is None or latest is None or now >= latest else as_of(facts, now)
    people = People.of(known)
    linked = links.link(known, config, people)
    log = events.log(known, linked, people)
    home = homes(linked, config)
    streams = tuple(_stream(stream, known, linked, log, home) for stream in workflow.streams(config))
    return Flow(config, known, people, linked, streams, linked.items[home.isna().to_numpy()], now)


def newest(facts: Facts) -> pd.Timestamp | None:
    """The newest time that any fact tells; None where there is none."""
    found = [
        getattr(facts, name)[column].max()
        for name, table in TABLES.items()
        for column in getattr(facts, name).columns
        if column != "origin" and kind(table, column) == "time"
    ]
    known = [time for time in found if not pd.isna(time)]
    return max(known) if known else None


def as_of(facts: Facts, now: pd.Timestamp) -> Facts:
    """The facts as they were known at an instant: what came later is not there, and what ended later is still open."""
    frames = {}
    for field in fields(facts):
        name, frame = field.name, getattr(facts, field.name)
        times = [column for column in frame.columns if column != "origin" and kind(TABLES[name], column) == "time"]
        if name in BORN:
            frame = frame[frame[BORN[name]] <= now]
        elif times and name != "tags":
            # A pull request or deployment is known from the first of its times; one that tells none stays.
            first = frame[times].min(axis=1)
            frame = frame[(first <= now) | first.isna()]
        else:
            frame = frame[~(frame["tagged_at"] > now)] if name == "tags" else frame
        frames[name] = _cut(frame, times, now, name)
    return Facts(**frames)


def _cut(frame: pd.DataFrame, times: list[str], now: pd.Timestamp, name: str) -> pd.DataFrame:
    """The rows without what is told of later times."""
    cut = frame.assign(**{column: frame[column].where(~(frame[column] > now)) for column in times})
    if name in ("builds", "deployments") and "finished_at" in cut:
        running = frame["finished_at"] > now
        cut["result"] = cut["result"].mask(running, "unknown")
    if name == "tickets":
        later = frame["resolved_at"] > now
        cut["resolution"] = cut["resolution"].mask(later)
    if name == "pull_requests":
        cut["merge_sha"] = cut["merge_sha"].mask(frame["merged_at"] > now)
    return cut.reset_index(drop=True)


def homes(linked: links.Links, config: Config) -> pd.Series:
    """The stream that each item belongs to: the first in the file that claims it; missing where none does."""
    home = no_text(linked.items.index)
    for stream in workflow.streams(config):
        mine = home.isna() & claims(stream, linked.items)
        home = home.mask(mine, stream.name)
    return home


def claims(stream: StreamConfig, items: pd.DataFrame) -> pd.Series:
    """Which items a stream claims: by application, project, team or repository, any of them; one that names none claims all."""
    named = {
        "application": stream.applications,
        "project": stream.projects,
        "team": stream.teams,
        "repository": stream.repositories,
    }
    if not any(named.values()):
        return pd.Series(True, index=items.index)
    found = pd.Series(False, index=items.index)
    for column, names in named.items():
        found |= items[column].str.casefold().isin([name.casefold() for name in names])
    return found


def _stream(stream: StreamConfig, facts: Facts, linked: links.Links, log: pd.DataFrame, home: pd.Series) -> StreamFlow:
    items = linked.items[(home == stream.name).to_numpy()].reset_index(drop=True)
    mine = log[log["item"].isin(items["item"])]
    live = in_production(items, linked)
    deploys = bool(live.notna().any())
    flow = workflow.of_stream(stream, _facts_of(facts, items), _changes_of(linked, items))
    mine = _with_ends(mine, items, linked, flow, live, deploys)
    path = visits.visits(mine, items, flow)
    return StreamFlow(stream.name, flow, mine, path.visits, path.items.assign(in_production_at=live), path.unknown, deploys)


def _facts_of(facts: Facts, items: pd.DataFrame) -> Facts:
    """The tickets and transitions of a stream's items, for deriving its stages."""
    return replace(
        facts,
        tickets=facts.tickets[facts.tickets["key"].isin(items["item"])],
        transitions=facts.transitions[facts.transitions["ticket"].isin(items["item"])],
    )


def _changes_of(linked: links.Links, items: pd.DataFrame) -> pd.DataFrame:
    mine = linked.item_changes.loc[linked.item_changes["item"].isin(items["item"]), "change"]
    return linked.changes[linked.changes["change"].isin(mine)]


def in_production(items: pd.DataFrame, linked: links.Links) -> pd.Series:
    """When each item was in production: the first successful production deployment of the least advanced of its changes.

    Missing while one of its changes is open, or merged and not deployed. A change that was given up does not count.
    """
    finished = looked_up(linked.deployment_changes["deployment"], linked.deployments.set_index("id")["finished_at"])
    # A change that goes to several applications is in production when the last of them has it.
    live = finished.groupby(linked.deployment_changes["change"]).max()
    pairs = linked.item_changes[linked.item_changes["item"].isin(items["item"])]
    given_up = linked.changes.loc[linked.changes["closed_at"].notna() & linked.changes["merged_at"].isna(), "change"]
    pairs = pairs[~pairs["change"].isin(given_up)]
    at = looked_up(pairs["change"], live)
    last = at.groupby(pairs["item"]).max()
    some_missing = at.isna().groupby(pairs["item"]).max()
    return looked_up(items["item"], last.mask(some_missing.astype("bool")))


def settled(items: pd.DataFrame, linked: links.Links) -> pd.Series:
    """When items that were in the first known deployment had certainly arrived in production; missing for all others."""
    held = linked.settled_changes
    at = looked_up(held["deployment"], linked.deployments.set_index("id")["finished_at"]).groupby(held["change"]).max()
    pairs = linked.item_changes
    return looked_up(items["item"], looked_up(pairs["change"], at).groupby(pairs["item"]).max())


def _with_ends(
    log: pd.DataFrame, items: pd.DataFrame, linked: links.Links, flow: workflow.Workflow, live: pd.Series, deploys: bool
) -> pd.DataFrame:
    """The log with an end for items that no status ends.

    A change without a ticket is done when it is in production, or, in a stream without linked
    deployments, when it is merged; one that was closed unmerged is cancelled then.
    """
    by_delivery = (items["kind"] == "change") | (not flow.by_statuses)
    about = linked.changes.set_index("change")
    merged = looked_up(items["item"], about["merged_at"])
    done = live if deploys else merged
    closed = looked_up(items["item"], about["closed_at"]).where(merged.isna())
    told = (("item.done", done), ("item.cancelled", closed), ("item.settled", settled(items, linked).where(done.isna())))
    ends = [_ends(items[by_delivery & times.notna()], times, event) for event, times in told]
    every = pd.concat([log, *ends], ignore_index=True)
    every = every.assign(last=every["event"].str.startswith("item."))
    return every.sort_values(["item", "at", "last"], kind="stable", ignore_index=True).drop(columns="last")


def _ends(items: pd.DataFrame, times: pd.Series, event: str) -> pd.DataFrame:
    none = no_text(items.index)
    return pd.DataFrame(
        {
            "item": items["item"], "at": times.loc[items.index], "event": text(event, items.index), "status": none,
            "environment": none, "actor": none, "team": none, "source": text("delivery", items.index), "ref": items["item"],
        }
    )  # fmt: skip
