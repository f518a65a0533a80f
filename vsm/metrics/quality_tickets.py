"""Checks of what the trackers tell: statuses, histories, flags, parents, and how items came to their end."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from vsm import pipeline, workflow
from vsm.frames import Codes, Mask, among, begins, kept, looked_up, places, recoded, shared, taken
from vsm.levels import Families
from vsm.metrics.blocked import flags
from vsm.metrics.finding import Finding, about, items_of
from vsm.pipeline import Flow, StreamFlow
from vsm.tracked import chained
from vsm.working_time import NOT_A_TIME, Micros, micros


def of_statuses(streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    """Statuses that mean nothing to their stream."""
    for stream in streams:
        for status in stream.unknown:
            said = (stream.log["event"] == "status") & (stream.log["status"] == status)
            yield Finding(
                f"status {status!r} of stream {stream.name!r} has no meaning",
                stream.log.loc[said, ["item", "at", "status"]],
                "items stay in the stage that they were in before",
                "name it in the stream's new, done, cancelled, ignored or in a stage",
            )


def of_claims(flow: Flow) -> Iterator[Finding]:
    """Items that no stream claims, or several."""
    yield Finding(
        "items that no stream claims",
        flow.homeless[about(flow.homeless)],
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
    return found[about(found)].assign(streams=pd.Series(names, index=found.index, dtype="str"))


def of_histories(flow: Flow) -> Iterator[Finding]:
    """Histories that are empty, torn, or begin before their ticket."""
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


def of_items(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    """Items whose start, end and flags contradict each other."""
    if not streams:
        return
    items = items_of(streams)
    done, started = items["done_at"].notna(), items["first_started"]
    named = about(items)
    yield Finding(
        "items that were done without ever being started",
        items.loc[done & started.isna(), [*named, "done_at"]],
        "they count as throughput and have no cycle time: cycle time speaks of the others only",
        "record when work begins, or give the stage a starting event",
    )
    yield Finding(
        "items that were done before their work began",
        items.loc[started > items["done_at"], [*named, "first_started", "done_at"]],
        "they count as throughput and have no cycle time",
        "check which statuses are called done, and the clocks of the sources",
    )
    yield Finding(
        "items that were reopened after they were done",
        items.loc[items["reopened"] > 0, [*named, "reopened", "done_at"]],
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


def of_families(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    """Parents and parts: circles, missing ones, and what one says of the other."""
    tickets = flow.facts.tickets
    families = Families.of(tickets, flow.config.levels.epics)
    plain = tickets[["key", "title", "type", "parent", "url"]]
    yield Finding(
        "tickets that are parts of themselves, by way of their parents",
        plain[among(plain["key"], families.circular)],
        "their parents are not looked at: they are items of their own",
        "correct the parents in the tracker",
    )
    lost = among(tickets["key"], families.above) | among(tickets["key"], families.within) | among(tickets["key"], families.circular)
    sub_task = recoded(tickets["type"], lambda name: re.sub(r"[\W_]", "", name.casefold())) == "subtask"
    yield Finding(
        "sub-tasks whose ticket was never read",
        plain[sub_task & ~lost & tickets["parent"].notna()],
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
