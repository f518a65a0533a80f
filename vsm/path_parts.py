"""The rows of all facts and links that are about one item."""

from typing import Any

import pandas as pd

from vsm.frames import among, plain
from vsm.pipeline import Flow
from vsm.tracked import chained

LANES = ("ticket", "part", "blocked", "change", "build", "deployment", "incident")
Row = dict[str, Any]


class Parts:
    """The rows about one item: its tickets, its changes, and what came of them."""

    def __init__(self, flow: Flow, key: str) -> None:
        """Pick them out. `key`: an item, or a ticket that is none."""
        facts, links = flow.facts, flow.links
        self.flow, self.key = flow, key
        self.parts = plain(_of(links.item_tickets, "item", [key])["ticket"])
        tickets = [key, *self.parts]
        self.tickets = _of(facts.tickets, "key", tickets)
        self.moves = chained(_of(facts.transitions, "ticket", tickets))
        self.ticket_changes = _of(facts.ticket_changes, "ticket", tickets).sort_values("at", kind="stable", ignore_index=True)
        why = _of(links.item_changes, "item", [key])
        self.rules = dict(zip(plain(why["change"]), plain(why["rule"]), strict=True))
        self.changes = _of(links.changes, "change", list(self.rules))
        self.commits = self._with_changes(links.change_commits)
        self.brought = self._with_changes(links.deployment_changes)
        self.settled = self._with_changes(links.settled_changes)
        self.live = set(plain(self.brought["deployment"]))
        self.builds = _runs(self._with_changes(links.change_builds), "build", facts.builds)
        elsewhere = self._with_changes(links.environment_changes)
        held = self.settled.assign(rule="held it already when deployments began to be known", strength="guessed")
        pairs = [frame for frame in (self.brought, elsewhere, held) if len(frame)]
        self.deployments = _runs(pd.concat(pairs or [self.brought], ignore_index=True), "deployment", links.deployments)
        of_tickets = among(links.incidents["ticket"], tickets)
        self.incidents = links.incidents[among(links.incidents["deployment"], self.live) | of_tickets].reset_index(drop=True)
        self._urls = dict(zip(plain(self.tickets["key"]), plain(self.tickets["url"]), strict=True))

    def _with_changes(self, frame: pd.DataFrame) -> pd.DataFrame:
        return _of(frame, "change", list(self.rules))

    def url(self, ticket: str) -> str | None:
        """A ticket's address."""
        return self._urls.get(ticket)

    def why_incident(self, incident: Row) -> tuple[str, str]:
        """By which rule an incident is this item's, and how sure that is."""
        if incident["deployment"] in self.live:
            return f"{incident['deployment']} brought it; {incident['rule']}", incident["strength"]
        return "the incident names the ticket", "stated"


def _of(frame: pd.DataFrame, column: str, keys: list[str]) -> pd.DataFrame:
    """The rows of some keys."""
    return frame[among(frame[column], keys)].reset_index(drop=True)


def _runs(pairs: pd.DataFrame, one: str, about: pd.DataFrame) -> pd.DataFrame:
    """Builds or deployments, a row each, with the changes that they are of and the rule that linked the first of those."""
    runs = _of(about, "id", plain(pairs[one])).merge(pairs.drop_duplicates(one), left_on="id", right_on=one, suffixes=("", "_"))
    changes: dict[str, list[str]] = {}
    for run, change in zip(plain(pairs[one]), plain(pairs["change"]), strict=True):
        changes.setdefault(run, []).append(change)
    return runs.assign(change=pd.Series([", ".join(changes[run]) for run in plain(runs["id"])], index=runs.index, dtype="str"))


def records(frame: pd.DataFrame) -> list[Row]:
    """Rows as dicts, missing as None. For the few rows of an item this is much faster than `frames.plain` of each column."""
    columns = [[None if value is pd.NA or value != value else value for value in frame[name].tolist()] for name in frame.columns]
    return [dict(zip(frame.columns, values, strict=True)) for values in zip(*columns, strict=True)]
