"""Data quality: what in the data makes numbers smaller, later or silent than they should be, and what to do about it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from vsm import pipeline, workflow
from vsm.frames import Codes, Mask, among, begins, kept, looked_up, places, recoded, shared, taken
from vsm.levels import Families
from vsm.links import Links
from vsm.metrics.blocked import flags
from vsm.metrics.figure import hours
from vsm.models import SEPARATOR, TABLES, kind
from vsm.pipeline import Flow, StreamFlow
from vsm.tracked import chained
from vsm.working_time import NOT_A_TIME, Micros, micros

COLUMNS = ("check", "rows", "effect", "remedy")
LOW = 0.5  # of what could be linked; with less, a number that needs the link speaks of the smaller part
FEW = 10  # of so few a share says nothing
SETTLED = pd.Timedelta(days=28)  # a change merged longer ago should have reached production
AHEAD = pd.Timedelta(hours=1)  # by which a source's clock may be ahead of ours


@dataclass(frozen=True)
class Finding:
    """One check: the rows that it concerns, what that does to the numbers, what would mend it."""

    check: str
    found: pd.DataFrame
    effect: str
    remedy: str


def quality(flow: Flow, streams: tuple[StreamFlow, ...], common: Iterable[Finding] | None = None) -> pd.DataFrame:
    """Every check that found something: check, rows (how many), effect, remedy; the most rows first.

    `common`: what `of_everything` found, where several streams are looked at one after the other.
    """
    found = [*(of_everything(flow) if common is None else common), *_of_some(flow, streams)]
    told = [{"check": one.check, "rows": len(one.found), "effect": one.effect, "remedy": one.remedy} for one in found]
    told = sorted((row for row in told if row["rows"]), key=lambda row: (-int(str(row["rows"])), str(row["check"])))
    return pd.DataFrame(told, columns=list(COLUMNS)).astype({"check": "str", "rows": "int64", "effect": "str", "remedy": "str"})


def findings(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    """Every check with its rows, whether it found something or not; dates in the future only where the last harvest is known."""
    yield from of_everything(flow)
    yield from _of_some(flow, streams)


def of_everything(flow: Flow) -> Iterator[Finding]:
    """The checks that speak of all facts, whichever stream is looked at."""
    yield from _of_claims(flow)
    yield from _of_histories(flow)
    yield from _of_links(flow)
    yield from _of_clocks(flow)
    yield from _of_incidents(flow.links)
    if flow.harvested is not None:
        yield from _of_the_future(flow, flow.harvested)


def _of_some(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    yield from _of_statuses(streams)
    yield from _of_items(flow, streams)
    yield from _of_families(flow, streams)
    yield from _of_coverage(flow, streams)


def _of_statuses(streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    for stream in streams:
        for status in stream.unknown:
            said = (stream.log["event"] == "status") & (stream.log["status"] == status)
            yield Finding(
                f"status {status!r} of stream {stream.name!r} has no meaning",
                stream.log.loc[said, ["item", "at", "status"]],
                "items stay in the stage that they were in before",
                "name it in the stream's new, done, cancelled, ignored or in a stage",
            )


def _of_claims(flow: Flow) -> Iterator[Finding]:
    yield Finding(
        "items that no stream claims",
        flow.homeless[_about(flow.homeless)],
        "they are in no number",
        "add their application, project, team or repository to a stream",
    )
    yield Finding(
        "items that several streams claim",
        _claimed_twice(flow),
        "they are counted in the first of them in the file only",
        "let one stream name their application, project, team or repository",
    )


def _claimed_twice(flow: Flow) -> pd.DataFrame:
    items = flow.links.items
    claimed = {stream.name: pipeline.claims(stream, items) for stream in workflow.streams(flow.config)}
    several = sum(mask.astype("int64") for mask in claimed.values()) > 1
    found = items[several]
    names = [" and ".join(name for name, mask in claimed.items() if mask.at[row]) for row in found.index]
    return found[_about(found)].assign(streams=pd.Series(names, index=found.index, dtype="str"))


def _of_histories(flow: Flow) -> Iterator[Finding]:
    moves, tickets = flow.facts.transitions, flow.facts.tickets
    place = places(moves["ticket"], tickets["key"])
    read = place >= 0
    yield Finding(
        "transitions of tickets that were never read",
        _moves(moves[~read]),
        "they are not counted",
        "collect or import the tickets that they belong to",
    )
    at, created = micros(moves["at"]), _at(tickets["created_at"], place)
    early = (at < created) & (at != NOT_A_TIME)
    yield Finding(
        "transitions before their ticket was created",
        _moves(_beside(moves, early, created_at=(tickets["created_at"], place)), "created_at"),
        "the ticket seems to have started before it was asked for",
        "check the clock and the time zone of the tracker",
    )
    silent = np.bincount(place[read], minlength=len(tickets)) == 0
    yield Finding(
        "tickets without any change of status",
        tickets.loc[silent, ["key", "title", "status", "created_at"]],
        "they have no stages and no cycle time",
        "collect the tickets' histories, or leave such tickets out",
    )
    yield from _of_chains(chained(kept(moves, read)), tickets)


def _of_chains(path: pd.DataFrame, tickets: pd.DataFrame) -> Iterator[Finding]:
    """Whether each history is whole: `path` in the order of its chain."""
    first, (after, left) = begins(path["ticket"]), shared([path["to_status"], path["from_status"]])
    before = after.shift()
    broken = ~first & left.notna() & (before != left)
    yield Finding(
        "transitions that do not begin where the last one ended",
        _moves(path[broken].assign(before=before[broken].astype("str")), "before"),
        "a change of status is missing: time counts for the stage before it",
        "collect these tickets' histories again in full",
    )
    last = path[np.append(first[1:], True)[: len(path)]].set_index("ticket")["to_status"].astype("str")
    ended = looked_up(tickets["key"], last)
    apart = tickets["status"].notna() & ended.notna() & (tickets["status"] != ended)
    yield Finding(
        "tickets whose status is not where their history ends",
        tickets.assign(history_ends=ended).loc[apart, ["key", "title", "status", "history_ends"]],
        "they are counted where their history ends",
        "collect these tickets' histories again in full",
    )


def _moves(moves: pd.DataFrame, *more: str) -> pd.DataFrame:
    names = ("ticket", "from_status", "to_status")
    return moves[["ticket", "at", "from_status", "to_status", *more]].astype(dict.fromkeys(names, "str"))


def _at(times: pd.Series, place: Codes) -> Micros:
    """The times at some places, missing at −1, as numbers: a column of so many takes ten times as long to make."""
    return np.append(micros(times), NOT_A_TIME)[place]


def _beside(rows: pd.DataFrame, some: Mask, **told: tuple[pd.Series, Codes]) -> pd.DataFrame:
    """Some of the rows, with what is found at their places."""
    found = rows[some]
    return found.assign(**{name: taken(values, place[some], found.index) for name, (values, place) in told.items()})


def _of_items(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    if not streams:
        return
    items = _items(streams)
    done, started = items["done_at"].notna(), items["first_started"]
    about = _about(items)
    yield Finding(
        "items that were done without ever being started",
        items.loc[done & started.isna(), [*about, "done_at"]],
        "they count as throughput and have no cycle time: cycle time speaks of the others only",
        "record when work begins, or give the stage a starting event",
    )
    yield Finding(
        "items that were done before their work began",
        items.loc[started > items["done_at"], [*about, "first_started", "done_at"]],
        "they count as throughput and have no cycle time",
        "check which statuses are called done, and the clocks of the sources",
    )
    yield Finding(
        "items that were reopened after they were done",
        items.loc[items["reopened"] > 0, [*about, "reopened", "done_at"]],
        "they are done when they were done for good",
        "nothing to mend: a sign of quality",
    )
    yield Finding(
        "changes of status after the item was done or cancelled",
        _after_the_end(flow, items),
        "the item ended before them: what is done in those statuses is in no number",
        "if it is work, give it a stage before done; if it is filing, name the status in ignored",
    )
    yield from _of_flags(flow, items)


def _after_the_end(flow: Flow, items: pd.DataFrame) -> pd.DataFrame:
    """Transitions after the end of items that were not reopened by them."""
    moves = flow.facts.transitions
    place, ends = places(moves["ticket"], items["item"]), items["done_at"].fillna(items["cancelled_at"])
    ended = _at(ends, place)
    late = (micros(moves["at"]) > ended) & (ended != NOT_A_TIME)
    return _moves(_beside(moves, late, ended_at=(ends, place)), "ended_at").sort_values(["ticket", "at"], kind="stable")


def _of_flags(flow: Flow, items: pd.DataFrame) -> Iterator[Finding]:
    spans = flags(flow.facts.ticket_changes, flow.facts.tickets.rename(columns={"key": "item"}))
    ended = looked_up(spans["item"], items.set_index("item")["done_at"])
    yield Finding(
        "items that were flagged when they were done",
        spans.assign(done_at=ended)[(spans["from"] <= ended) & ~(spans["to"] <= ended)],
        "their blocked time ends with them, and was perhaps over before",
        "take the flag away when the impediment is gone",
    )


def _of_families(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    tickets = flow.facts.tickets
    families = Families.of(tickets, flow.config.levels.epics)
    about = tickets[["key", "title", "type", "parent", "url"]]
    yield Finding(
        "tickets that are parts of themselves, by way of their parents",
        about[among(about["key"], families.circular)],
        "their parents are not looked at: they are items of their own",
        "correct the parents in the tracker",
    )
    lost = among(tickets["key"], families.above) | among(tickets["key"], families.within) | among(tickets["key"], families.circular)
    sub_task = recoded(tickets["type"], lambda name: re.sub(r"[\W_]", "", name.casefold())) == "subtask"
    yield Finding(
        "sub-tasks whose ticket was never read",
        about[sub_task & ~lost & tickets["parent"].notna()],
        "they are items of their own",
        "collect or import the tickets that they are parts of",
    )
    parts = [_parts_of(flow, stream) for stream in streams]
    if not parts:
        return
    found = pd.concat(parts, ignore_index=True)
    counted = found[~found["tells"]]
    columns = ["ticket", "title", "item"]
    yield Finding(
        "sub-tasks that count for the ticket that they are parts of",
        counted[[*columns, "rule"]],
        "they are no items of their own, or their work would be counted twice; their changes are their ticket's",
        'nothing to mend; level = "parent" lets their statuses tell where their ticket is, level = "sub-task" counts them instead',
    )
    yield Finding(
        "sub-tasks that are open though their ticket is done",
        counted.loc[counted["open"] & counted["item_done_at"].notna(), [*columns, "status", "item_done_at"]],
        "their ticket counts as done",
        "close them, or open their ticket again",
    )
    late = counted["item_started_at"].isna() & counted["started_at"].notna()
    yield Finding(
        "sub-tasks that were started though their ticket was not",
        counted.loc[late, [*columns, "started_at"]],
        "the cycle time of their ticket is missing or begins late",
        'move the ticket when its first part is started, or let its parts tell: level = "parent"',
    )


def _parts_of(flow: Flow, stream: StreamFlow) -> pd.DataFrame:
    """A stream's parts: item, ticket, rule, tells, title, status, open, started_at, item_done_at, item_started_at."""
    parts, tickets, moves = flow.links.item_tickets, flow.facts.tickets.set_index("key"), flow.facts.transitions
    parts = parts[among(parts["item"], stream.items["item"])].reset_index(drop=True)
    whole = stream.items.set_index("item")
    moves = moves[among(moves["ticket"], parts["ticket"])] if len(parts) else moves.head(0)
    means = {status: stream.workflow.meaning(status)[0] for status in moves["to_status"].unique()}
    begun = moves[moves["to_status"].map(means) == "active"].groupby("ticket")["at"].min()
    status = looked_up(parts["ticket"], tickets["status"])
    over = {name for name in status.dropna().unique() if stream.workflow.meaning(name)[0] in ("new", "waiting", "active")}
    return parts.assign(
        title=looked_up(parts["ticket"], tickets["title"]),
        status=status,
        open=among(status, over),
        started_at=looked_up(parts["ticket"], begun),
        item_done_at=looked_up(parts["item"], whole["done_at"]),
        item_started_at=looked_up(parts["item"], whole["first_started"]),
    )


def _of_links(flow: Flow) -> Iterator[Finding]:
    linked = flow.links
    tracked = len(flow.facts.tickets) > 0
    alone = among(linked.changes["change"], linked.items.loc[linked.items["kind"] == "change", "item"]) & tracked
    merged = linked.changes["merged_at"].notna()
    pull = linked.changes["kind"] == "pull_request"
    columns = ["change", "title", "repository", "merged_at", "url"]
    yield Finding(
        "pull requests without a ticket",
        linked.changes.loc[alone & pull, columns],
        "they flow as items of their own",
        "name the ticket in the branch, the title or a commit message",
    )
    yield Finding(
        "commits to the default branch without a ticket",
        linked.changes.loc[alone & ~pull, columns],
        "they flow as items of their own",
        "name the ticket in the commit message, or merge by pull request",
    )
    yield Finding(
        "merged changes of which the first commit is not known",
        linked.changes.loc[merged & linked.changes["first_commit_at"].isna(), [*columns, "start_rule"]],
        "they have no change lead time",
        "collect the pull requests from their forge: a squash merge hides the branch's commits from git",
    )
    live = linked.deployments[linked.deployments["production"]]
    yield Finding(
        "deployments of which the commit is not known",
        live.loc[live["sha"].isna(), ["id", "application", "environment", "finished_at", "url"]],
        "their changes are guessed by time",
        "let the pipeline report the commit that it deploys",
    )
    stuck = _never_shipped(flow)
    yield Finding(
        "changes merged four weeks ago or longer that no deployment holds",
        stuck[columns],
        "they have no change lead time, and their items no lead time to production",
        "let every deployment report its commit; name other names of production in [production] environments",
    )


def _never_shipped(flow: Flow) -> pd.DataFrame:
    """Merged changes of repositories from which something is deployed to production, that are not known to have got there."""
    linked = flow.links
    shipped = pd.concat([linked.deployment_changes["change"], linked.settled_changes["change"]])
    changes = linked.changes[linked.changes["merged_at"].notna()]
    held = among(changes["change"], shipped)
    deployed = among(changes["repository"], changes.loc[held, "repository"])
    if flow.now is None:
        return changes.head(0)
    return changes[deployed & ~held & (changes["merged_at"] < flow.now - SETTLED)]


def _of_coverage(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    """Where less than half of what could be linked is."""
    linked = flow.links
    items = _items(streams) if streams else linked.items.head(0).assign(done_at=pd.NaT)
    done = items[(items["kind"] == "ticket") & items["done_at"].notna()]
    with_change = among(done["item"], linked.item_changes["item"])
    merged = linked.changes[linked.changes["merged_at"].notna()]
    shipped = among(merged["change"], pd.concat([linked.deployment_changes["change"], linked.settled_changes["change"]]))
    yield Finding(
        "finished tickets to which no change is linked, and that is most of them",
        _if_low(done[[*_about(done), "done_at"]], with_change, bool(len(linked.changes))),
        "what needs both, such as lead time to production, speaks of the smaller part",
        "name the ticket in the branch, the title or a commit message; collect the repositories that are missing",
    )
    yield Finding(
        "merged changes that no deployment holds, and that is most of them",
        _if_low(merged[["change", "title", "repository", "merged_at"]], shipped, bool(linked.deployments["production"].any())),
        "change lead time speaks of the smaller part",
        "let every deployment report its commit; name other names of production in [production] environments",
    )
    laid = linked.incidents["deployment"].notna()
    yield Finding(
        "incidents that are laid to no deployment, and that is most of them",
        _if_low(linked.incidents[["id", "application", "title", "opened_at"]], laid, bool(linked.deployments["production"].any())),
        "the change fail rate is too low",
        "name the deployment or at least the application in the incident",
    )


def _if_low(of: pd.DataFrame, linked: "pd.Series[bool]", could: bool) -> pd.DataFrame:
    """What is not linked, if it could be and most is not."""
    low = could and len(of) >= FEW and float(linked.mean()) < LOW
    return of[~linked] if low else of.head(0)


def _of_clocks(flow: Flow) -> Iterator[Finding]:
    facts, linked = flow.facts, flow.links
    yield Finding(
        "commits newer than the deployment that holds them",
        _newer_than_deployed(flow),
        "their change lead time is negative and left out, or too short",
        "compare the clocks of the build server and of those who commit; a deployment may report the wrong commit",
    )
    pulls = facts.pull_requests
    opened = looked_up(_number(facts.reviews), pulls.set_index(_number(pulls))["created_at"])
    early = facts.reviews.assign(created_at=opened)[facts.reviews["submitted_at"] < opened]
    yield Finding(
        "reviews before their pull request was opened",
        early[["repository", "number", "submitted_at", "created_at"]],
        "review seems to take no time, and the wait for it is lost",
        "check the clocks and time zones of the forge and of what was imported",
    )
    ended = pulls["merged_at"].fillna(pulls["closed_at"])
    yield Finding(
        "pull requests that ended before they were opened",
        pulls.loc[ended < pulls["created_at"], ["repository", "number", "title", "created_at", "merged_at", "closed_at"]],
        "their stages and lead times are wrong",
        "check the clocks and time zones of the forge and of what was imported",
    )
    merged = pulls[pulls["merge_sha"].notna() & pulls["merged_at"].notna()]
    committed = looked_up(_sha(merged["repository"], merged["merge_sha"]), _committed(flow))
    apart = (hours(merged["merged_at"] - committed).abs() > AHEAD / pd.Timedelta(hours=1)) & (committed > merged["merged_at"])
    yield Finding(
        "pull requests merged an hour or more before their merge commit was made",
        merged.assign(committed_at=committed).loc[apart, ["repository", "number", "title", "merged_at", "committed_at"]],
        "git and the forge disagree on when things happened: waits between them are wrong",
        "check the clock and time zone of the forge; a rewritten history looks like this, too",
    )
    yield Finding(
        "builds, deployments or incidents that ended before they began",
        _backwards(flow, linked),
        "they last less than no time and are left out of durations",
        "check the clocks and time zones of their sources",
    )


def _newer_than_deployed(flow: Flow) -> pd.DataFrame:
    """Commits that a source says were deployed, and that were made after the deployment was finished."""
    runs = flow.links.deployments[["id", "repository", "sha", "finished_at"]].rename(columns={"id": "deployment"})
    stated = flow.facts.deployment_commits[["deployment", "repository", "sha"]]
    ended = looked_up(stated["deployment"], runs.set_index("deployment")["finished_at"])
    pairs = pd.concat([runs[runs["sha"].notna()], stated.assign(finished_at=ended)], ignore_index=True)
    pairs = pairs.assign(committed_at=looked_up(_sha(pairs["repository"], pairs["sha"]), _committed(flow)))
    late = pairs[pairs["committed_at"] > pairs["finished_at"]].drop_duplicates(["deployment", "repository", "sha"])
    return late.sort_values(["deployment", "repository", "sha"])


def _committed(flow: Flow) -> "pd.Series[pd.Timestamp]":
    """When each commit was made, by repository and sha."""
    commits = flow.facts.commits
    return commits.set_index(_sha(commits["repository"], commits["sha"]))["committed_at"]


def _sha(repository: pd.Series, sha: pd.Series) -> pd.Series:
    return (repository + SEPARATOR + sha).astype("str")


def _number(frame: pd.DataFrame) -> pd.Series:
    return (frame["repository"] + SEPARATOR + frame["number"].astype("str")).astype("str")


def _backwards(flow: Flow, linked: Links) -> pd.DataFrame:
    """What ended before it began: table, id, began, ended."""
    parts = [
        frame.loc[frame[end] < frame[begin], ["id", begin, end]].set_axis(["id", "began", "ended"], axis=1).assign(table=table)
        for table, frame, begin, end in (
            ("builds", flow.facts.builds, "started_at", "finished_at"),
            ("deployments", flow.facts.deployments, "started_at", "finished_at"),
            ("incidents", linked.excluded_incidents[linked.excluded_incidents["refused"]], "opened_at", "resolved_at"),
        )
    ]
    return pd.concat(parts, ignore_index=True)[["table", "id", "began", "ended"]].astype({"table": "str"})


def _of_incidents(linked: Links) -> Iterator[Finding]:
    columns = ["id", "application", "title", "opened_at", "url"]
    yield Finding(
        "incidents that are laid to no deployment",
        linked.incidents.loc[linked.incidents["deployment"].isna(), columns],
        "they are not in the change fail rate",
        "name the deployment or at least the application in the incident",
    )
    apart = linked.excluded_incidents
    yield Finding(
        "incidents left out by a label or title",
        apart.loc[~apart["refused"], [*columns, "reason"]],
        "they are in no number",
        "nothing to mend: [incidents] exclude_labels and exclude_titles say so",
    )
    yield Finding(
        "incidents refused for their dates",
        apart.loc[apart["refused"], [*columns, "resolved_at", "reason"]],
        "they are in no number",
        "correct the dates in the incidents' source",
    )
    yield Finding(
        "changes that no path rule places",
        linked.unplaced_changes,
        "no deployment of their repository's applications brings them: they have no lead time",
        "add their paths to an [[applications]] table; read paths with changed_paths = true",
    )


def _of_the_future(flow: Flow, harvested: pd.Timestamp) -> Iterator[Finding]:
    """Dates after the store was filled: nobody could know them."""
    parts = []
    for table in (field.name for field in fields(flow.facts)):
        frame, key = getattr(flow.facts, table), TABLES[table].key_columns
        for column in frame.columns:
            if column != "origin" and kind(TABLES[table], column) == "time":
                late = frame[frame[column] > harvested + AHEAD]
                named = [late[name].astype("str") for name in key if kind(TABLES[table], name) != "time"]
                told = named[0].str.cat(named[1:], sep=" ") if named else late[column].astype("str")
                parts.append(pd.DataFrame({"table": table, "row": told, "column": column, "at": late[column]}))
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    yield Finding(
        "dates in the future",
        found.sort_values(["at", "table", "row"], ignore_index=True),
        "now is the newest fact: with it the window lies in the future, and everything seems old",
        "check the clock and time zone of the source, or ask for a report up to a day with --to",
    )


def _items(streams: tuple[StreamFlow, ...]) -> pd.DataFrame:
    return pd.concat([stream.items for stream in streams], ignore_index=True)


def _about(items: pd.DataFrame) -> list[str]:
    """What tells a reader which items they are."""
    return [name for name in ("item", "title", "type", "url") if name in items.columns]
