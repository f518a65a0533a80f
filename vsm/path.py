"""The whole path of one item: what happened to it, and when it waited, was worked on, was blocked, or nobody knows."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from vsm.frames import among, plain, texts
from vsm.path_events import events
from vsm.path_parts import Parts
from vsm.path_spans import spans
from vsm.pipeline import Flow, StreamFlow
from vsm.workflow import Workflow

RELATED = {"how": "str", "key": "str", "title": "str", "url": "str", "has_path": "bool"}
NO_LOG = ["item", "at", "event", "status", "environment", "actor", "team", "source", "ref"]


@dataclass(frozen=True)
class Path:
    """One item with its whole path.

    ``asked``: the key that was asked for, which may be that of a part or a change of it. ``about``: the item's row in its stream,
    missing as None; of what no stream claims, the links' or the ticket's. ``events``: columns of `path_events.EVENTS`; ``spans``:
    columns of `path_spans.SPANS`, ``to`` missing while one goes on; ``related``: how, key, title, url of the tickets that it has
    to do with, and whether a path of them can be told.
    """

    key: str
    asked: str
    about: dict[str, Any]
    stream: str | None
    workflow: Workflow | None
    now: pd.Timestamp
    events: pd.DataFrame
    spans: pd.DataFrame
    related: pd.DataFrame

    @property
    def hours(self) -> dict[str, float]:
        """How long it waited, was worked on, and so on, by kind of its own spans; being blocked is beside these."""
        own = self.spans[among(self.spans["lane"], ("ticket", "blocked"))]
        return {str(kind): float(hours) for kind, hours in own.groupby("kind", sort=False)["hours"].sum().items()}


def path(flow: Flow, asked: str) -> Path | None:
    """The whole path of the item that a key means; None where there is no such item."""
    key = found(flow, asked)
    if key is None or flow.now is None:
        return None
    stream = next((one for one in flow.streams if (one.items["item"] == key).any()), None)
    workflow = None if stream is None else stream.workflow
    parts, log, about = Parts(flow, key), _mine(stream, "log", key), _about(flow, stream, key)
    return Path(
        key=key,
        asked=asked.strip(),
        about=about,
        stream=None if stream is None else stream.name,
        workflow=workflow,
        now=flow.now,
        events=events(parts, log, workflow),
        spans=spans(parts, about, _mine(stream, "visits", key), log, workflow),
        related=_related(parts),
    )


def found(flow: Flow, asked: str) -> str | None:
    """The item that a key means, in any case: its own, that of a ticket that is a part of it, or of a change of it.

    A ticket that is no item and part of none, such as an epic, stands for itself. None for no such thing.
    """
    links, word = flow.links, asked.strip()
    item = _same(links.items["item"], word)
    if item is not None:
        return item
    for frame, column in ((links.item_tickets, "ticket"), (links.item_changes, "change")):
        key = _same(frame[column], word)
        if key is not None:
            return str(frame.loc[frame[column] == key, "item"].iloc[0])
    return _same(flow.facts.tickets["key"], word)


def _same(keys: pd.Series, word: str) -> str | None:
    """The key as it is written; exactly that one, if there is one."""
    exact = keys[keys == word]
    same = keys[keys.str.casefold() == word.casefold()] if exact.empty else exact
    return None if same.empty else str(same.iloc[0])


def _mine(stream: StreamFlow | None, name: str, key: str) -> pd.DataFrame:
    """An item's rows of its stream's log or visits."""
    if stream is None:
        return pd.DataFrame(columns=NO_LOG)
    frame: pd.DataFrame = getattr(stream, name)
    return texts(frame[frame["item"] == key])


def _about(flow: Flow, stream: StreamFlow | None, key: str) -> dict[str, Any]:
    """What an item is, missing as None."""
    items = flow.links.items if stream is None else stream.items
    tickets = flow.facts.tickets
    own = items[items["item"] == key] if len(items) else items
    rows = own if len(own) else tickets[tickets["key"] == key]
    return {"item": key, "kind": "ticket", "state": None, "stage": None, **{name: plain(rows[name])[0] for name in rows.columns}}


def _related(parts: Parts) -> pd.DataFrame:
    """The tickets that an item is a part of, holds, or is tied to, in the tracker's own words."""
    tickets, ties, key = parts.flow.facts.tickets, parts.flow.facts.ticket_links, parts.key
    own = parts.tickets[parts.tickets["key"] == key]
    told = [("is part of", parent) for parent in plain(own["parent"]) if parent is not None]
    told += [("has the part", part) for part in parts.parts]
    told += [("holds", child) for child in plain(tickets.loc[tickets["parent"] == key, "key"]) if child not in parts.parts]
    mine, others = ties[ties["ticket"] == key], ties[ties["other"] == key]
    told += zip(plain(mine["kind"]), plain(mine["other"]), strict=True)
    told += [
        (f"says that it {kind} this one", ticket)
        for kind, ticket in zip(*(plain(others[n]) for n in ("kind", "ticket")), strict=True)
    ]
    known = tickets[among(tickets["key"], [other for _, other in told])]
    titles, urls = (dict(zip(plain(known["key"]), plain(known[name]), strict=True)) for name in ("title", "url"))
    rows = [(how, other, titles.get(other), urls.get(other), other in titles) for how, other in dict.fromkeys(told)]
    return pd.DataFrame(rows, columns=list(RELATED)).astype(RELATED)
