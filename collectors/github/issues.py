"""Issues as tickets, with their history; those with a label of the configuration's as incidents, too.

A ticket is open or closed: GitHub's interfaces do not tell when a card moved on a project's board. Its
type is the issue's own where the server says it (REST does), else a label that plainly is one. Of its
assignees, labels and milestone each change is kept, as what they were and what they became. No text that
anybody wrote is read but the title.

An issue that was deleted or moved elsewhere is in no list any more. It is missed by the number of issues,
which GraphQL tells with each page, and then the numbers of all are compared with those that were read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from collectors.base import Told
from collectors.github.client import Client, NotThere, Size
from collectors.github.queries import ACTOR, PAGE
from collectors.github.resource import Batch, Repo, Rules
from collectors.github.walks import OVERLAP, Piece, Thing, Walk, instant, moment, piece, read_by

EVENTS = {
    "CLOSED_EVENT": ("ClosedEvent", ""),
    "REOPENED_EVENT": ("ReopenedEvent", ""),
    "LABELED_EVENT": ("LabeledEvent", "label { name }"),
    "UNLABELED_EVENT": ("UnlabeledEvent", "label { name }"),
    "ASSIGNED_EVENT": ("AssignedEvent", f"assignee {{ ... on Actor {ACTOR} }}"),
    "UNASSIGNED_EVENT": ("UnassignedEvent", f"assignee {{ ... on Actor {ACTOR} }}"),
    "MILESTONED_EVENT": ("MilestonedEvent", "milestoneTitle"),
    "DEMILESTONED_EVENT": ("DemilestonedEvent", "milestoneTitle"),
}
EVENT = " ".join(f"... on {kind} {{ createdAt actor {ACTOR} {more} }}" for kind, more in EVENTS.values())
LABELS = f"{PAGE} nodes {{ name }}"
TIMELINE = f"{PAGE} nodes {{ __typename {EVENT} }}"
TYPES = f"itemTypes: [{', '.join(EVENTS)}]"
ISSUE = f"""
  id number title url state stateReason createdAt updatedAt closedAt author {ACTOR}
  parent {{ number repository {{ nameWithOwner }} }}
  labels(first: 20) {{ {LABELS} }} timelineItems(first: 30, {TYPES}) {{ {TIMELINE} }}
"""
LIST = f"totalCount {PAGE} nodes {{ {ISSUE} }}"
ORDER = "orderBy: {field: UPDATED_AT, direction: DESC}"
ISSUES_QUERY = f"""
query($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{ ... on Repository {{ issues(first: $first, after: $after, {ORDER}) {{ {LIST} }} }} }}
}}"""
LABELS_QUERY = f"""
query($id: ID!, $after: String) {{ node(id: $id) {{ ... on Issue {{ labels(first: 100, after: $after) {{ {LABELS} }} }} }} }}"""
TIMELINE_QUERY = f"""
query($id: ID!, $after: String) {{
  node(id: $id) {{ ... on Issue {{ timelineItems(first: 100, after: $after, {TYPES}) {{ {TIMELINE} }} }} }}
}}"""
NUMBERS_QUERY = f"""
query($id: ID!, $after: String) {{
  node(id: $id) {{ ... on Repository {{
    issues(first: 100, after: $after, orderBy: {{field: CREATED_AT, direction: ASC}}) {{ {PAGE} nodes {{ number }} }}
  }} }}
}}"""
NESTED = {"labels": LABELS_QUERY, "timelineItems": TIMELINE_QUERY}
KEPT = 50  # issues that are known by their last change, more than a poll asks for
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
    fields: ClassVar[str] = f"issues(first: 10, {ORDER}) {{ {LIST} }}"

    def batches(self, client: Client, repo: Repo, state: Mapping[str, Any], since: datetime | None, first: Any) -> Iterator[Batch]:
        """The issues that are new or have changed, and those that are gone."""
        graph, rest = _Graph(client, repo), _Rest(client, repo)
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


DOES = {kind.removesuffix("Event").casefold() for kind, _ in EVENTS.values()}


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


# Reading. -----------------------------------------------------------------------------------------


def _updated(answer: Thing) -> datetime:
    return moment(answer.get("updatedAt") or answer["updated_at"])


@dataclass
class _Graph:
    """A repository's issues by GraphQL."""

    client: Client
    repo: Repo
    size: Size = field(default_factory=Size)
    kept: dict[str, str] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    by: ClassVar[str] = "graphql"

    def batches(self, state: Mapping[str, Any], since: datetime | None, page: Any) -> Iterator[Batch]:
        """The news, what a broken walk left, and whether any are gone."""
        walk = self.resumed(state, since)
        count, total, first = state.get("count"), None, piece(page) if page else None
        for found in walk.pieces(self.read, first):
            total = found.total if total is None else total
            yield Batch(self.news(found.things), state=self.state(walk, count), total=found.total, warnings=found.warnings)
        if total is not None and count != [total, max(self.numbers, default=0)]:
            yield self._counted(walk, count, total)

    def resumed(self, state: Mapping[str, Any], since: datetime | None) -> Walk:
        """Take up the state."""
        walk = Walk.resumed(state, self.by, _updated, since)
        self.kept = dict(state.get("kept") or {}) if walk.seen else {}
        self.numbers = unpacked(state.get("numbers") or "")
        return walk

    def state(self, walk: Walk, count: Any) -> dict[str, Any]:
        """What to keep of the reading."""
        lately = sorted(self.kept.items(), key=lambda one: moment(one[1]), reverse=True)
        return {**walk.state, "kept": dict(lately[:KEPT]), "numbers": packed(self.numbers), "count": count}

    def news(self, things: Iterable[Thing]) -> list[tuple[str, Any]]:
        """Those that are not as they were when they were read last."""
        answers = []
        for thing in things:
            key, updated = str(thing["number"]), _updated(thing)
            if self.kept.get(key) == updated.isoformat():
                continue
            self.kept.pop(key, None)
            if self.client.date is not None and self.client.date - updated > OVERLAP:
                self.kept[key] = updated.isoformat()  # else it may change again within the second
            self.numbers.add(thing["number"])
            answers.append((key, self.whole(thing)))
        return answers

    def read(self, after: str | None) -> Piece:
        """A page of the list."""
        return self._page(self.size.ask(self.client, ISSUES_QUERY, {"id": self.repo.node_id, "after": after}))

    def _page(self, data: Any) -> Piece:
        if not data.get("node") or data["node"].get("issues") is None:
            raise NotThere(f"{self.client.host}: the issues of {self.repo.name} are not there, or not for this token")
        return piece(data["node"]["issues"], data.warnings)

    def whole(self, thing: Thing) -> dict[str, Any]:
        """An issue with all of its labels and events, and its repository."""
        lists = {name: {"nodes": self._all(thing, name, query)} for name, query in NESTED.items()}
        return {name: value for name, value in thing.items() if name != "updatedAt"} | lists | {"repository": self.repo.name}

    def _all(self, thing: Thing, name: str, query: str) -> list[Thing]:
        found = piece(thing.get(name) or {})
        nodes = list(found.things)
        while found.after:
            data = self.client.graphql(query, {"id": thing["id"], "after": found.after}, patient=True)
            found = piece((data.get("node") or {}).get(name) or {})
            nodes += found.things
        return nodes

    def _counted(self, walk: Walk, count: Sequence[int] | None, total: int) -> Batch:
        """Where there are fewer than there were and came: those whose numbers are gone."""
        lost: set[int] = set()
        if count and total < count[0] + sum(number > count[1] for number in self.numbers):
            lost = self.numbers - self._numbers()
            self.numbers -= lost
        keys = [str(number) for number in sorted(lost)]
        for key in keys:
            self.kept.pop(key, None)
        return Batch(lost=keys, state=self.state(walk, [total, max(self.numbers, default=0)]))

    def _numbers(self) -> set[int]:
        found, after = set(), None
        while True:
            data = self.client.graphql(NUMBERS_QUERY, {"id": self.repo.node_id, "after": after}, patient=True)
            page = self._page(data)
            found |= {thing["number"] for thing in page.things}
            if (after := page.after) is None:
                return found


@dataclass
class _Rest(_Graph):
    """A repository's issues by REST: a request more for the timeline of each.

    The list can be asked for what changed since an instant, so it is read from the oldest change up,
    each page from the last change of the one before: what changes meanwhile moves to the end.
    """

    by: ClassVar[str] = "rest"

    def batches(self, state: Mapping[str, Any], since: datetime | None, page: Any = None) -> Iterator[Batch]:
        """The news; which issues are gone REST does not tell."""
        walk = self.resumed(state, since)
        walk.gaps = []
        start = max((time for time in (walk.seen and walk.seen - OVERLAP, since) if time), default=None)
        etag, number = state.get("etag"), 1
        while True:
            answer = self.client.rest(f"/repos/{self.repo.name}/issues", _asked(start, number), etag=etag)
            if answer.status == 304:
                return
            etag, things = None, [thing for thing in answer.data or () if thing]  # GitHub's lists have had holes
            last = max((_updated(thing) for thing in things), default=None)
            walk.seen = max((time for time in (walk.seen, last) if time), default=None)
            answers = self.news(thing for thing in things if "pull_request" not in thing)
            kept = {"etag": answer.etag} if not answer.next and number == 1 and start == self._next(walk, since) else {}
            yield Batch(answers, state=self.state(walk, None) | kept)
            if not answer.next:
                return
            # A second earlier, since the server may mean "after" by since, and several may have changed in that second.
            further = last - timedelta(seconds=1) if last else start
            start, number = (further, 1) if further and (start is None or further > start) else (start, number + 1)

    def _next(self, walk: Walk, since: datetime | None) -> datetime | None:
        """From where the next reading begins: an ETag is only good for the same question."""
        return max((time for time in (walk.seen and walk.seen - OVERLAP, since) if time), default=None)

    def whole(self, thing: Thing) -> dict[str, Any]:
        """An issue with its events, without what nobody reads."""
        pages = self.client.listed(f"/repos/{self.repo.name}/issues/{thing['number']}/timeline")
        return slim(thing, [event for page in pages for event in page]) | {"repository": self.repo.name}


def _asked(start: datetime | None, number: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"state": "all", "sort": "updated", "direction": "asc", "per_page": 100, "page": number}
    return asked | ({"since": f"{start:%Y-%m-%dT%H:%M:%SZ}"} if start else {})


FIELDS = ("id", "number", "title", "html_url", "state", "state_reason", "created_at", "closed_at", "parent_issue_url")


def slim(issue: Thing, timeline: Iterable[Thing]) -> dict[str, Any]:
    """What is used of REST's answers about an issue."""
    kept: dict[str, Any] = {name: issue[name] for name in FIELDS if issue.get(name) is not None}
    if issue.get("type"):
        kept["type"] = {"name": issue["type"]["name"]}
    kept["user"] = _who(issue.get("user"))
    kept["labels"] = [{"name": label["name"]} for label in issue.get("labels") or ()]
    kept["timeline"] = [_slim_event(event) for event in timeline if event.get("event") in DOES]
    return kept


def _slim_event(event: Thing) -> dict[str, Any]:
    kept: dict[str, Any] = {"event": event["event"], "created_at": event["created_at"], "actor": _who(event.get("actor"))}
    for name, part in (("label", "name"), ("milestone", "title")):
        if event.get(name):
            kept[name] = {part: event[name][part]}
    return kept | ({"assignee": _who(event["assignee"])} if event.get("assignee") else {})


def _who(user: Thing | None) -> dict[str, Any] | None:
    return {"login": user.get("login"), "type": user.get("type")} if user else None


def packed(numbers: Iterable[int]) -> str:
    """Whole numbers as a short text.

    >>> packed({1, 2, 3, 5, 8, 9}), unpacked("1-3,5,8-9") == {1, 2, 3, 5, 8, 9}, packed(()), unpacked("")
    ('1-3,5,8-9', True, '', set())
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def unpacked(text: str) -> set[int]:
    """The whole numbers of a text that `packed` made."""
    ends = [part.split("-") for part in text.split(",") if part]
    return {number for end in ends for number in range(int(end[0]), int(end[-1]) + 1)}
