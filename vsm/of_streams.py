"""What is left of everything for somebody who may see some streams only: their items, and what was done for them.

Nothing is derived anew, so a stream's numbers are what everybody sees. A ticket of another stream is in no frame; where a text
that stays names one, its key is replaced. A change or deployment that is also of another stream's work stays, since the numbers
of delivery are an application's, and loses its words.
"""

import re
from dataclasses import dataclass, fields, replace

import pandas as pd

from vsm.delivery import whose
from vsm.frames import among, no_text
from vsm.metrics import dora
from vsm.models import SEPARATOR
from vsm.pipeline import Flow, StreamFlow
from vsm.scope import Scope
from vsm.store import Facts

KEY = re.compile(r"[\w.-]+/[\w.-]+#\d+|(?<!\w)[A-Za-z]\w*-\d+")
HIDDEN = "another stream's ticket"
# The words that people wrote, by frame; of a change that is also of others' work all of them go.
WORDS = {
    "tickets": ("title", "labels"), "items": ("title", "labels"), "changes": ("title", "branch", "labels"),
    "pull_requests": ("title", "source_branch", "target_branch", "labels"), "commits": ("subject", "message"),
    "tags": ("name", "subject"), "builds": ("job", "branch"), "deployments": ("ref",), "incidents": ("title", "labels"),
    "excluded_incidents": ("title", "labels"), "ticket_changes": ("to", "from"),
}  # fmt: skip
OF_CHANGES = ("changes", "pull_requests", "commits")


def only(flow: Flow, names: frozenset[str]) -> Flow:
    """The flow of some streams, as if nothing else were known."""
    streams = tuple(one for one in flow.streams if one.name in names)
    items = pd.concat([one.items["item"] for one in streams] or [no_text(pd.RangeIndex(0))], ignore_index=True)
    own = _Own.of(flow, streams, items)
    config = flow.config.model_copy(
        update={
            "streams": tuple(one for one in flow.config.streams if one.name in names),
            "applications": tuple(one for one in flow.config.applications if one.name in own.applications),
            "sources": (),
            "people": {},
        }
    )
    linked = replace(flow.links, **{field.name: own.links(field.name) for field in fields(flow.links)})
    facts = Facts(**{field.name: own.facts(field.name) for field in fields(Facts)})
    shown = tuple(replace(one, items=own.told("items", own.parents(one.items))) for one in streams)
    return replace(flow, config=config, facts=facts, links=linked, streams=shown, homeless=flow.homeless.head(0))


@dataclass(frozen=True)
class _Own:
    """What belongs to some streams, and how frames are cut down to it. ``shared``: changes that are also of other work."""

    flow: Flow
    items: pd.Series
    tickets: frozenset[str]
    changes: pd.Series
    shared: pd.Series
    applications: frozenset[str]
    deployments: pd.Series
    foreign: frozenset[str]

    @classmethod
    def of(cls, flow: Flow, streams: tuple[StreamFlow, ...], items: pd.Series) -> "_Own":
        """Look it up."""
        linked, tickets = flow.links, flow.facts.tickets
        parts = linked.item_tickets.loc[among(linked.item_tickets["item"], items), "ticket"]
        keys = frozenset(tickets.loc[among(tickets["key"], pd.concat([items, parts])), "key"])
        keys |= _holders(tickets, keys)
        applications = frozenset[str]().union(*(_applications(flow, one) for one in streams))
        deployments = linked.deployments[among(linked.deployments["application"], applications)]
        shipped = dora.changes_of(linked.changes, linked.deployments, linked.deployment_changes, applications)["change"]
        mine = among(linked.item_changes["item"], items)
        changes = pd.concat([linked.item_changes.loc[mine, "change"], shipped], ignore_index=True).drop_duplicates()
        elsewhere = pd.concat([linked.item_changes.loc[~mine, "change"], _naming(flow, keys)], ignore_index=True)
        foreign = frozenset(key.casefold() for key in set(tickets["key"]) - keys)
        return cls(flow, items, keys, changes, elsewhere, applications, deployments["id"], foreign)

    def links(self, name: str) -> pd.DataFrame:
        """One of the linked frames, of these streams alone."""
        frame: pd.DataFrame = getattr(self.flow.links, name)
        for column, known in (
            ("item", self.items),
            ("change", self.changes),
            ("ticket", None if "incidents" in name else pd.Series(sorted(self.tickets), dtype="str")),
            ("deployment", None if "incidents" in name else self.deployments),
        ):
            if column in frame and known is not None:
                frame = frame[among(frame[column], known)]
        if name == "deployments":
            frame = frame[among(frame["id"], self.deployments)]
        if "incidents" in name:
            frame = self._incidents(frame)
        return self.told(name, self.parents(frame) if name == "items" else frame)

    def facts(self, name: str) -> pd.DataFrame:
        """One of the tables of facts, of these streams alone."""
        frame: pd.DataFrame = getattr(self.flow.facts, name)
        linked = self.flow.links
        if name == "tickets":
            frame = self.parents(frame[among(frame["key"], self.tickets)])
        elif name in ("transitions", "ticket_changes", "ticket_links"):
            frame = frame[among(frame["ticket"], self.tickets)]
            frame = frame[among(frame["other"], self.tickets)] if name == "ticket_links" else frame
        elif name in ("commits", "pull_request_commits", "pull_requests", "reviews", "comments"):
            known = linked.change_commits if name == "commits" else linked.changes
            known = known[among(known["change"], self.changes)]
            columns = ("repository", "sha") if name == "commits" else ("repository", "number")
            frame = frame[among(_key(frame, columns), _key(known, columns))]
        elif name in ("builds", "build_stages"):
            built = linked.change_builds.loc[among(linked.change_builds["change"], self.changes), "build"]
            frame = frame[among(frame["id" if name == "builds" else "build"], built)]
        elif name in ("deployments", "deployment_commits"):
            frame = frame[among(frame["id" if name == "deployments" else "deployment"], self.deployments)]
        elif name == "incidents":
            frame = self._incidents(frame)
        elif name in ("repositories", "tags"):
            frame = frame[among(frame["name" if name == "repositories" else "repository"], self._repositories())]
        elif name == "identities":
            frame = frame.head(0)
        return self.told(name, frame)

    def parents(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Tickets or items that are a part of nothing that cannot be seen."""
        return frame.assign(parent=frame["parent"].where(among(frame["parent"], self.tickets)))

    def told(self, name: str, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame without the words that are of others' work, and with other streams' keys replaced in those that stay."""
        words = [column for column in WORDS.get(name, ()) if column in frame]
        hidden = self._of_others(name, frame) if name in OF_CHANGES else None
        news = {}
        for column in words:
            told = frame[column] if hidden is None else frame[column].mask(hidden)
            news[column] = self.without_keys(told)
        if name == "items" and len(frame):
            both = (frame["kind"] == "change") & among(frame["item"], self.shared)
            news["title"] = news["title"].mask(both)
        return frame.assign(**news).reset_index(drop=True)

    def without_keys(self, told: pd.Series) -> pd.Series:
        """Texts in which the keys of other streams' tickets are replaced."""
        plain = told.astype("str")
        near = plain.str.contains(r"[-#]\d", regex=True).eq(True)
        if not near.any() or not self.foreign:
            return told
        clean = plain[near].map(lambda one: KEY.sub(self._replaced, one))
        same = clean == plain[near]
        if same.all():
            return told
        return plain.mask(near, clean.reindex(plain.index)).astype("str")

    def _replaced(self, found: re.Match[str]) -> str:
        return HIDDEN if found[0].casefold() in self.foreign else found[0]

    def _of_others(self, name: str, frame: pd.DataFrame) -> pd.Series:
        """Which changes, or their pull requests and commits, are also of work that cannot be seen."""
        if name == "changes":
            return among(frame["change"], self.shared)
        about = self.flow.links.change_commits if name == "commits" else self.flow.links.changes
        columns = ("repository", "sha") if name == "commits" else ("repository", "number")
        return among(_key(frame, columns), _key(about[among(about["change"], self.shared)], columns))

    def _incidents(self, frame: pd.DataFrame) -> pd.DataFrame:
        own = among(frame["deployment"], self.deployments)
        own |= frame["deployment"].isna() & among(frame["application"], self.applications)
        frame = frame[own | among(frame["ticket"], self.tickets)]
        return frame.assign(ticket=frame["ticket"].where(among(frame["ticket"], self.tickets)))

    def _repositories(self) -> pd.Series:
        linked = self.flow.links
        runs = linked.deployments.loc[among(linked.deployments["id"], self.deployments), "repository"]
        return pd.concat([linked.changes.loc[among(linked.changes["change"], self.changes), "repository"], runs]).drop_duplicates()


def _applications(flow: Flow, stream: StreamFlow) -> frozenset[str]:
    """The applications whose deployments are a stream's."""
    at = pd.Timestamp(0, tz="UTC")
    found = whose(flow, (stream,), stream.items, Scope(at, at, stream=stream.name))
    return frozenset(flow.links.deployments["application"].dropna()) if found is None else found


def _naming(flow: Flow, keys: frozenset[str]) -> pd.Series:
    """The changes that name a ticket which is not among some, or that are of no stream's work."""
    named = flow.links.change_tickets
    homed = pd.concat([one.items["item"] for one in flow.streams], ignore_index=True)
    pairs = flow.links.item_changes
    return pd.concat([named.loc[~among(named["ticket"], keys), "change"], pairs.loc[~among(pairs["item"], homed), "change"]])


def _holders(tickets: pd.DataFrame, keys: frozenset[str]) -> frozenset[str]:
    """The tickets that hold some tickets and no others, such as their epics."""
    above = tickets.loc[tickets["parent"].notna(), ["key", "parent"]]
    own = above.loc[among(above["key"], keys), "parent"]
    others = above.loc[~among(above["key"], keys), "parent"]
    return frozenset(own[among(own, tickets["key"]) & ~among(own, others)]) - keys


def _key(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    """Two columns as one text."""
    first, second = (frame[name].astype("str") for name in columns)
    return first + SEPARATOR + second
