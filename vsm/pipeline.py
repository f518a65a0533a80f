"""The whole way from facts to each item's path, one line a step."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import pandas as pd

from vsm import events, levels, links, tracked, visits, workflow
from vsm.config import Config, Level, StreamConfig
from vsm.frames import among, kept, looked_up, no_text, plain, stacked, text
from vsm.history import History
from vsm.links import arrivals
from vsm.meanwhile import meanwhile
from vsm.models import SEPARATOR, TABLES, kind
from vsm.ordered import LOG, in_order
from vsm.people import People
from vsm.store import Facts
from vsm.tracked import chained

# The times of which the first is when a row of a table comes to be known; the others say how it went on, or what was before.
BORN = {
    "tickets": ("created_at",),
    "transitions": ("at",),
    "ticket_changes": ("at",),
    "commits": ("committed_at",),
    "tags": ("tagged_at",),
    # Its first commit is older than a pull request. Where only the history tells of one, it is known from its merge.
    "pull_requests": ("created_at", "ready_at", "approved_at", "merged_at", "closed_at"),
    "pull_request_commits": ("authored_at",),
    "reviews": ("submitted_at",),
    "comments": ("at",),
    "builds": ("started_at",),
    "build_stages": ("started_at", "finished_at"),
    "deployments": ("started_at", "finished_at"),
    "incidents": ("opened_at",),
}
# Rows that are known only with the row of another table, by which columns.
PARTS = (
    ("pull_request_commits", "pull_requests", ("repository", "number"), ("repository", "number")),
    ("build_stages", "builds", ("build",), ("id",)),
    ("deployment_commits", "deployments", ("deployment",), ("id",)),
    ("ticket_links", "tickets", ("ticket",), ("key",)),
    ("ticket_links", "tickets", ("other",), ("key",)),
)


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
    """Everything that is derived from a store's facts as they were known at ``now``; ``harvested``: when it was last filled."""

    config: Config
    facts: Facts
    people: People
    links: links.Links
    streams: tuple[StreamFlow, ...]
    homeless: pd.DataFrame
    now: pd.Timestamp | None
    harvested: pd.Timestamp | None = None


def read(
    facts: Facts, config: Config, now: pd.Timestamp | None = None, harvested: pd.Timestamp | None = None, level: Level | None = None
) -> Flow:
    """Derive everything from the facts as they were known at `now` (default: the newest fact).

    `harvested`: when the store was last filled, if that is known: dates after it are doubtful. `level`: of
    which tickets the maps are (`vsm.levels`), where it is not what each stream says.
    """
    latest = newest(facts)
    now = latest if now is None else now
    known = facts if now is None or latest is None or now >= latest else as_of(facts, now)
    people = People.of(known, config.people)
    told = meanwhile(lambda: tracked.of_tickets(known, people))
    linked, home = _at_levels(links.link(known, config, people), known, config, level)
    log = meanwhile(lambda: events.log(known, linked, people, told()))
    leveled = {stream.name: level or stream.level for stream in workflow.streams(config)}
    streams = tuple(_stream(stream, known, linked, log, home, config, leveled[stream.name]) for stream in workflow.streams(config))
    return Flow(config, known, people, linked, streams, linked.items[home.isna().to_numpy()], now, harvested)


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
    """The facts as they were known at an instant: what came later is not there, and what ended later is still open.

    A row that tells no time stays. What has no time of its own, such as a title, is as it is known today.
    """
    frames = {name: _cut(name, getattr(facts, name), now) for name in (field.name for field in fields(facts))}
    for name, whole, own, key in PARTS:
        later = _keys(getattr(facts, whole), key)
        later = later[~among(later, _keys(frames[whole], key))]
        frames[name] = frames[name][~among(_keys(frames[name], own), later)].reset_index(drop=True)
    frames["tickets"] = _statuses_then(frames["tickets"], facts.transitions, now)
    frames["repositories"] = _heads_then(frames["repositories"], facts.commits, now)
    return Facts(**frames)


def _keys(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    keys = frame[columns[0]].astype("str")
    for column in columns[1:]:
        keys = keys + SEPARATOR + frame[column].astype("str")
    return keys


def _cut(name: str, frame: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """The rows that were known at an instant, without what is told of later times."""
    if name in BORN:
        born = frame[list(BORN[name])].min(axis=1)
        frame = frame[~(born > now)].reset_index(drop=True)
    times = [column for column in frame.columns if column != "origin" and kind(TABLES[name], column) == "time"]
    later = {column: frame[column] > now for column in times}
    cut = frame.assign(**{column: frame[column].mask(mask) for column, mask in later.items()})
    if name in ("builds", "build_stages", "deployments"):
        cut["result"] = cut["result"].mask(later["finished_at"], "unknown")
    if name == "tickets":
        cut["resolution"] = cut["resolution"].mask(later["resolved_at"])
    if name == "pull_requests":
        cut["merge_sha"] = cut["merge_sha"].mask(later["merged_at"])
    return cut


def _statuses_then(tickets: pd.DataFrame, transitions: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Tickets with the status that they had then: what their last move came to, else what their next one left."""
    moves = chained(transitions[among(transitions["ticket"], tickets["key"])])
    after = moves["at"] > now
    coming = moves[after].drop_duplicates("ticket").set_index("ticket")["from_status"].astype("str")
    gone = moves[~after].drop_duplicates("ticket", keep="last").set_index("ticket")["to_status"].astype("str")
    moved = among(tickets["key"], set(coming.index))
    then = looked_up(tickets["key"], gone).fillna(looked_up(tickets["key"], coming))
    return tickets.assign(status=tickets["status"].mask(moved, then))


def _heads_then(repositories: pd.DataFrame, commits: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Repositories with the newest commit that their default branch had then: the first one back from its head."""
    shas, history = plain(commits["sha"]), History.of(commits)
    known = (commits["committed_at"] <= now).to_numpy()
    there = {sha for sha, is_known in zip(shas, known, strict=True) if is_known}
    newest = history.numbers(repositories.rename(columns={"name": "repository", "head_sha": "sha"})).tolist()
    heads = []
    for head, commit in zip(plain(repositories["head_sha"]), newest, strict=True):
        if head is not None and head not in there:
            head = next((shas[one] for one in history.first_parents(commit) if known[one]), None)
        heads.append(head)
    return repositories.assign(head_sha=pd.Series(heads, index=repositories.index, dtype="str"))


def homes(linked: links.Links, config: Config) -> pd.Series:
    """The stream that each item belongs to: the first in the file that claims it; missing where none does."""
    home = no_text(linked.items.index)
    for stream in workflow.streams(config):
        mine = home.isna() & claims(stream, linked.items)
        home = home.mask(mine, stream.name)
    return home


def _at_levels(linked: links.Links, facts: Facts, config: Config, level: Level | None) -> tuple[links.Links, pd.Series]:
    """The links with each stream's items at its level, and the stream of each item.

    A ticket belongs to the stream of the ticket that it is a part of. An epic belongs to the first
    stream that asks for epics and has a ticket in it, so that nothing is in two streams.
    """
    home = homes(linked, config)
    asked: dict[str, str] = {stream.name: level or stream.level for stream in workflow.streams(config)}
    if set(asked.values()) == {levels.USUAL}:
        return linked, home
    families = levels.Families.of(facts.tickets, config.levels.epics)
    usual, parts = families.targets(lambda _: levels.USUAL)
    whole = links.with_items(linked, facts, {key: top for key, top in usual.items() if key not in families.holders}, parts)
    home_of = dict(zip(plain(whole.items["item"]), plain(homes(whole, config)), strict=True))
    of_parts: dict[str, list[str]] = {holder: [] for holder in families.within.values()}
    for key, holder in families.within.items():
        of_parts[holder] += [name for name in (home_of.get(key),) if name is not None and asked[name] == "epic"]
    home_of |= {holder: min(names, key=list(asked).index, default=None) for holder, names in of_parts.items()}
    leveled = links.with_items(linked, facts, *families.targets(lambda top: asked.get(home_of.get(top) or "", levels.USUAL)))
    inherited = [home_of.get(families.top(key)) for key in plain(leveled.items["item"])]
    return leveled, pd.Series(inherited, index=leveled.items.index, dtype="str").fillna(homes(leveled, config))


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
        found |= among(items[column].str.casefold(), {name.casefold() for name in names})
    return found


def _stream(
    stream: StreamConfig,
    facts: Facts,
    linked: links.Links,
    log: Callable[[], pd.DataFrame],
    home: pd.Series,
    config: Config,
    level: str,
) -> StreamFlow:
    items = kept(linked.items, (home == stream.name).to_numpy()).reset_index(drop=True)
    arrived = _arrived(items, linked)
    live = _in_production(items, arrived)
    deploys = bool(live.notna().any())
    changes = _changes_of(linked, items)
    held = pd.concat([linked.deployment_changes["change"], linked.settled_changes["change"]])
    shipped = bool(among(changes["change"], held).any())
    flow = workflow.of_stream(stream, _facts_of(facts, items, linked), changes, config.production, shipped)
    flow = replace(flow, notes=(*flow.notes, *levels.notes(level, items, linked.item_tickets)))
    every = log()
    told = kept(every, among(every["item"], items["item"]))
    if linked.item_tickets["tells"].any():
        told = levels.rolled(told, flow)
    mine = _with_ends(told, items, arrived, linked, flow)
    path = visits.visits(mine, items, flow)
    return StreamFlow(stream.name, flow, mine, path.visits, path.items.assign(in_production_at=live), path.unknown, deploys)


def _facts_of(facts: Facts, items: pd.DataFrame, linked: links.Links) -> Facts:
    """The tickets and transitions that tell of a stream's items, for deriving its stages."""
    parts = linked.item_tickets[linked.item_tickets["tells"] & among(linked.item_tickets["item"], items["item"])]
    # An epic's own statuses are of another board than those of the tickets in it.
    own = items.loc[~among(items["item"], parts.loc[parts["rule"] == levels.IN_IT, "item"]), "item"]
    telling = pd.concat([own, parts["ticket"]])
    return replace(
        facts,
        tickets=kept(facts.tickets, among(facts.tickets["key"], telling)),
        transitions=kept(facts.transitions, among(facts.transitions["ticket"], telling)),
    )


def _changes_of(linked: links.Links, items: pd.DataFrame) -> pd.DataFrame:
    mine = linked.item_changes.loc[among(linked.item_changes["item"], items["item"]), "change"]
    return kept(linked.changes, among(linked.changes["change"], mine))


def _in_production(items: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """When each item was in production: the first successful production deployment of the least advanced of its changes.

    Missing while one of its changes is open, or merged and not deployed, and where the last of them
    came with the first deployment known, since it may have been there before. A change that was
    given up does not count.
    """
    return _least_advanced(items, pairs, pairs["live"])[0]


def _arrived(items: pd.DataFrame, linked: links.Links) -> pd.DataFrame:
    """Each item's changes that were not given up: item, change, merged_at, live, settled, deployed (its repository ever is)."""
    about = linked.changes.set_index("change")
    pairs = linked.item_changes.loc[among(linked.item_changes["item"], items["item"]), ["item", "change"]]
    merged, closed = (looked_up(pairs["change"], about[name]) for name in ("merged_at", "closed_at"))
    pairs = pairs.assign(merged_at=merged)[merged.notna() | closed.isna()]
    brought = {"live": linked.deployment_changes, "settled": linked.settled_changes}
    key = pairs["item"] + SEPARATOR + pairs["change"]
    for name, held in brought.items():
        counted = arrivals(linked, held)
        at = looked_up(counted["deployment"], linked.deployments.set_index("id")["finished_at"])
        pairs[name] = looked_up(key, at.groupby(counted["item"] + SEPARATOR + counted["change"]).min())
    from_where = looked_up(pd.concat([held["change"] for held in brought.values()]), about["repository"])
    return pairs.assign(deployed=among(looked_up(pairs["change"], about["repository"]), from_where))


def _least_advanced(items: pd.DataFrame, pairs: pd.DataFrame, at: pd.Series) -> tuple[pd.Series, pd.Series]:
    """When all of each item's changes had arrived: since when, and, where that is not known, by when at the latest.

    `at`: when each of the pairs arrived, where it is known since when; the others may be settled.
    """
    by_then = at.fillna(pairs["settled"])
    all_there = by_then.notna().groupby(pairs["item"]).min().astype("bool")
    last = by_then.groupby(pairs["item"]).max().where(all_there)
    exact = at.groupby(pairs["item"]).max() == last
    return looked_up(items["item"], last.where(exact)), looked_up(items["item"], last.mask(exact))


def _with_ends(
    log: pd.DataFrame, items: pd.DataFrame, pairs: pd.DataFrame, linked: links.Links, flow: workflow.Workflow
) -> pd.DataFrame:
    """The log with an end for items that no status ends.

    They are done when all of their changes are in production; a change to a repository of which
    nothing is ever deployed is done when it is merged. A change without a ticket that was closed
    unmerged is cancelled then.
    """
    by_delivery = (items["kind"] == "change") | (not flow.by_statuses)
    if not by_delivery.any():
        return log.reset_index(drop=True)
    done, settled = _least_advanced(items, pairs, pairs["live"].where(pairs["deployed"], pairs["merged_at"]))
    about = linked.changes.set_index("change")
    closed = looked_up(items["item"], about["closed_at"]).where(looked_up(items["item"], about["merged_at"]).isna())
    told = (("item.done", done), ("item.cancelled", closed), ("item.settled", settled))
    ends = [_ends(items[by_delivery & times.notna()], times, event) for event, times in told]
    return in_order(stacked([log, *ends]))


def _ends(items: pd.DataFrame, times: pd.Series, event: str) -> pd.DataFrame:
    none = no_text(items.index)
    return pd.DataFrame(
        {
            "item": items["item"], "at": times.loc[items.index], "event": text(event, items.index), "status": none,
            "environment": none, "actor": none, "team": none, "source": text("delivery", items.index), "ref": items["item"],
        }
    ).astype(LOG)  # fmt: skip
