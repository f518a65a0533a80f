"""Issues as tickets, with their history; those with a label of the configuration's as incidents, too.

A ticket is open or closed: GitHub's interfaces do not tell when a card moved on a project's board. Its
type is the issue's own where the server says it (REST does), else a label that plainly is one. Of its
assignees, labels and milestone each change is kept, as what they were and what they became. No text that
anybody wrote is read but the title.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from collectors.base import Told
from collectors.github.client import Client
from collectors.github.issues_graphql import DOES, NEWEST, Graph
from collectors.github.issues_rest import Rest
from collectors.github.resource import Batch, Repo, Rules
from collectors.github.walks import Thing, instant, moment, read_by

TYPE_OF = {
    "bug": "bug", "defect": "bug", "regression": "bug",
    "feature": "feature", "enhancement": "feature", "feature request": "feature",
    "documentation": "documentation", "docs": "documentation", "question": "question", "support": "question", "task": "task",
    "chore": "chore", "maintenance": "chore", "epic": "epic", "story": "story", "incident": "incident",
}  # fmt: skip
SEVERITY = re.compile(r"(?:severity|sev)[\s:/_-]+(.+)|(?:severity|sev|s)[0-9]", re.IGNORECASE)
PRIORITY = re.compile(r"(?:priority|prio)[\s:/_-]+(.+)|(?:priority|prio|p)[0-9]", re.IGNORECASE)


@dataclass
class Issues:
    """A repository's issues, the one that changed last first."""

    name: ClassVar[str] = "issues"
    lasting: ClassVar[tuple[str, ...]] = ("numbers",)
    fields: ClassVar[str] = NEWEST

    def batches(self, client: Client, repo: Repo, state: Mapping[str, Any], since: datetime | None, first: Any) -> Iterator[Batch]:
        """The issues that are new or have changed, and those that are gone."""
        graph, rest = Graph(client, repo), Rest(client, repo)
        yield from read_by(
            client, self.name, first, lambda page: graph.batches(state, since, page), lambda: rest.batches(state, since)
        )

    def told(self, answer: Any, rules: Rules) -> Told:
        """A ticket with its changes, and the incident that it is."""
        from vsm import models

        issue = _Issue.of(answer, rules)
        rows: dict[Any, list[dict[str, Any]]] = {
            models.Ticket: [issue.ticket()],
            models.Transition: list(issue.transitions()),
            models.TicketChange: list(issue.changes()),
        }
        if {label.casefold() for label in rules.incident_labels} & {label.casefold() for label in issue.labels}:
            rows[models.Incident] = [issue.incident()]
        return {table: told for table, told in rows.items() if told}


# What an answer of either interface says. ---------------------------------------------------------


class _Event(NamedTuple):
    """Something that was done to an issue; ``what`` is the label, the person or the milestone."""

    at: datetime
    kind: str
    actor: str | None
    what: str | None


def _login(user: Thing | None) -> str | None:
    """Who it was, a program marked as one; None for an account that is deleted.

    >>> [_login(user) for user in ({"login": "fixer", "__typename": "Bot"}, {"login": "ann", "type": "User"}, {"login": "ghost"})]
    ['fixer[bot]', 'ann', None]
    """
    login = (user or {}).get("login")
    if not user or not login or login == "ghost":
        return None
    program = "Bot" in (user.get("__typename"), user.get("type"))
    return f"{login}[bot]" if program and not login.endswith("[bot]") else str(login)


def _nodes(told: Any) -> Sequence[Thing]:
    """A list as either interface gives it."""
    nodes = told.get("nodes") if isinstance(told, Mapping) else told
    return [node for node in nodes or () if node]


def _events(answer: Thing) -> Iterator[_Event]:
    for node in _nodes(answer.get("timelineItems") or answer.get("timeline")):
        kind = (node.get("__typename") or node.get("event") or "").removesuffix("Event").casefold()
        at = instant(node.get("createdAt") or node.get("created_at"))
        if at is None or kind not in DOES:
            continue
        label, milestone = node.get("label") or {}, node.get("milestone") or {}
        what = (
            _plain(label.get("name") or "") or node.get("milestoneTitle") or milestone.get("title") or _login(node.get("assignee"))
        )
        yield _Event(at, kind, _login(node.get("actor")), what)


def _plain(label: str) -> str:
    """A label as it may stand among others, which have a `;` between them."""
    return label.replace(";", ",")


def _is_closed(answer: Thing) -> bool:
    """Whether an issue is closed; old events tell only since when."""
    state = answer.get("state")
    return bool(state.casefold() == "closed" if state else answer.get("closed_at"))


def _parent(answer: Thing) -> str | None:
    """The key of the issue that this one is a part of."""
    if parent := answer.get("parent"):
        return f"{parent['repository']['nameWithOwner']}#{parent['number']}"
    found = re.search(r"/repos/([^/]+/[^/]+)/issues/(\d+)$", answer.get("parent_issue_url") or "")
    return f"{found[1]}#{found[2]}" if found else None


def _type(answer: Thing, labels: Iterable[str]) -> str | None:
    """What kind of work an issue is: its type, else the first label that is one, as "bug" or "kind/bug".

    >>> _type({}, ["good first issue", "kind/Bug"]), _type({"type": {"name": "Task"}}, ["bug"]), _type({}, ["ui"])
    ('bug', 'task', None)
    """
    if name := (answer.get("type") or {}).get("name"):
        return str(name).casefold()
    plain = (re.sub(r"^(?:type|kind|category|t)\s*[:/]\s*", "", label.casefold()).strip() for label in labels)
    return next((TYPE_OF[label] for label in plain if label in TYPE_OF), None)


def _grade(labels: Iterable[str], pattern: re.Pattern[str]) -> str | None:
    """What a label says of severity or priority: "critical" of "severity: critical", "sev1" and "P1" as they are.

    >>> _grade(["ui", "severity: critical"], SEVERITY), _grade(["several users", "sev-1"], SEVERITY), _grade(["P1"], PRIORITY)
    ('critical', 'sev-1', 'P1')
    """
    for label in labels:
        if found := pattern.fullmatch(label.strip()):
            return label.strip() if found[1] is None or found[1].isdigit() else found[1]
    return None


@dataclass(frozen=True)
class _Issue:
    """An issue as it is told."""

    answer: Thing
    key: str
    application: str
    created: datetime
    closed: datetime | None
    labels: tuple[str, ...]
    events: tuple[_Event, ...]

    @classmethod
    def of(cls, answer: Thing, rules: Rules) -> "_Issue":
        """An answer of either interface."""
        repository = answer["repository"]
        return cls(
            answer=answer,
            key=f"{repository}#{answer['number']}",
            application=rules.application_of(repository),
            created=moment(answer.get("createdAt") or answer["created_at"]),
            closed=instant(answer.get("closedAt") or answer.get("closed_at")) if _is_closed(answer) else None,
            labels=tuple(sorted({_plain(label["name"]) for label in _nodes(answer.get("labels"))})),
            events=tuple(sorted(_events(answer), key=lambda event: event.at)),
        )

    @property
    def url(self) -> str | None:
        return self.answer.get("html_url") or self.answer.get("url")

    def ticket(self) -> dict[str, Any]:
        """The ticket's row."""
        reason = self.answer.get("stateReason") or self.answer.get("state_reason") or ""
        return {
            "key": self.key,
            "title": self.answer.get("title"),
            "type": _type(self.answer, self.labels),
            "status": "closed" if _is_closed(self.answer) else "open",
            "created_at": self.created,
            "resolved_at": self.closed,
            "resolution": reason.casefold() or None if _is_closed(self.answer) else None,
            "project": self.answer["repository"],
            "priority": _grade(self.labels, PRIORITY),
            "parent": _parent(self.answer),
            "labels": ";".join(self.labels) or None,
            "application": self.application,
            "url": self.url,
        }

    def transitions(self) -> Iterator[dict[str, Any]]:
        """Opened, closed, opened again; a closing that no event tells has no actor."""
        now = "open"
        yield self._transition(self.created, None, now, _login(self.answer.get("author") or self.answer.get("user")))
        for event in self.events:
            to = {"closed": "closed", "reopened": "open"}.get(event.kind)
            if to is not None and to != now:
                yield self._transition(event.at, now, to, event.actor)
                now = to
        if self.closed is not None and now == "open":
            yield self._transition(self.closed, now, "closed", None)

    def _transition(self, at: datetime, old: str | None, new: str, actor: str | None) -> dict[str, Any]:
        return {"ticket": self.key, "at": at, "from_status": old, "to_status": new, "actor": actor}

    def changes(self) -> Iterator[dict[str, Any]]:
        """What its assignees, labels and milestone were, and what they became."""
        held: dict[str, list[str]] = {"assignee": [], "labels": [], "milestone": []}
        made: dict[tuple[datetime, str, str | None], dict[str, Any]] = {}
        for event in self.events:
            name, adds = CHANGES.get(event.kind, ("", False))
            if not name:
                continue
            before = _shown(name, held[name])
            held[name] = _changed(name, held[name], event.what, adds)
            after = _shown(name, held[name])
            if after != before:
                row = {"ticket": self.key, "at": event.at, "field": name, "from": before, "to": after, "actor": event.actor}
                made[(event.at, name, after)] = row
        yield from made.values()

    def incident(self) -> dict[str, Any]:
        """The incident's row."""
        return {
            "id": f"github:{self.key}",
            "application": self.application,
            "title": self.answer.get("title"),
            "severity": _grade(self.labels, SEVERITY) or _grade(self.labels, PRIORITY),
            "opened_at": self.created,
            "resolved_at": self.closed,
            "ticket": self.key,
            "labels": ";".join(self.labels) or None,
            "url": self.url,
        }


CHANGES = {
    "assigned": ("assignee", True), "unassigned": ("assignee", False), "labeled": ("labels", True), "unlabeled": ("labels", False),
    "milestoned": ("milestone", True), "demilestoned": ("milestone", False),
}  # fmt: skip


def _changed(name: str, held: list[str], what: str | None, adds: bool) -> list[str]:
    """What is held after something was added or taken away; there is one milestone at a time."""
    if what is None:
        return held
    left = [] if name == "milestone" else [one for one in held if one != what]
    return [*left, what] if adds else left


def _shown(name: str, held: Sequence[str]) -> str | None:
    """What is held, as one text: of several people the one who was asked last."""
    if name == "labels":
        return ";".join(sorted(held)) or None
    return held[-1] if held else None
