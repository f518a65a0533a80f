"""What one Jira issue, with its history, tells: a ticket, its transitions, changes and links, an incident, who is who.

Nothing here asks the server: the same answer tells the same rows, whatever was read before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vsm.models import Fact, Identity, Incident, Ticket, TicketChange, TicketLink, Transition

Row = dict[str, Any]
ISSUE = "issue"  # of the raw answers, by the issue's number, which stays when its key changes
NOTE = "vsm"  # in a raw answer: what the collector itself knew when it read it
# What no fact follows from. Addresses of pictures hold an unkeyed hash of the person's e-mail address.
DROPPED = frozenset({"avatarUrls", "self", "iconUrl", "expand", "description", "avatarId", "colorName", "timeZone"})
CHANGES = {  # fields whose changes are told, by the name that Jira itself gives them, and what they are called here
    "assignee": "assignee", "priority": "priority", "fixversions": "fix version", "fix version": "fix version",
    "fix version/s": "fix version", "sprint": "sprint", "flagged": "flagged",
}  # fmt: skip
BY_ID = frozenset({"assignee"})  # changes that name a person by an id; of the others the name is told
SECONDS = 100_000_000_000  # a number below is a time in seconds: the published example has such, the servers send milliseconds


@dataclass(frozen=True)
class Rules:
    """What the configuration says of incidents and applications."""

    incident_types: frozenset[str] = frozenset()
    incident_labels: frozenset[str] = frozenset()
    application: str | None = None
    application_from: str | None = None


def kept(answer: Any) -> Any:
    """A source's answer without what no fact follows from, and without characters that no store takes."""
    if isinstance(answer, str):
        return answer.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(answer, Mapping):
        return {name: kept(value) for name, value in answer.items() if name not in DROPPED}
    return [kept(value) for value in answer] if isinstance(answer, list) else answer


def told(issue: Mapping[str, Any], rules: Rules, base: str) -> dict[type[Fact], list[Row]]:
    """The facts that an issue tells, by table."""
    one = _Issue(issue, rules, base)
    found: dict[type[Fact], list[Row]] = {
        Ticket: [one.ticket()],
        Transition: one.transitions(),
        TicketChange: one.changes(),
        TicketLink: one.links(),
        Incident: one.incidents(),
        Identity: one.identities(),
    }
    return {table: rows for table, rows in found.items() if rows}


def status_ids(issue: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The ids of all statuses that an issue has been in, with the name where it says what it is called now."""
    status = (issue.get("fields") or {}).get("status") or {}
    if status.get("id"):
        yield str(status["id"]), status.get("name")
    for _, item in _items(issue):
        if _field(item) == "status":
            yield from ((str(item[side]), None) for side in ("from", "to") if item.get(side))


def at(value: Any) -> datetime | None:
    """An instant as Jira writes it: "2026-03-02T10:00:00.000+0100", or a number in milliseconds.

    >>> at("2026-03-02T10:00:00.000+0100") == at(1772442000000) == at(1772442000)
    True
    """
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value / (1 if value < SECONDS else 1000), UTC)
    return datetime.fromisoformat(value).astimezone(UTC) if value else None


def handle(user: Any) -> str | None:
    """Who somebody is to Jira: the account's id on Cloud, the user's key or name elsewhere."""
    if not isinstance(user, Mapping):
        return None
    return next((str(user[key]) for key in ("accountId", "key", "name") if user.get(key)), None)


class _Issue:
    """One answer, taken apart."""

    def __init__(self, issue: Mapping[str, Any], rules: Rules, base: str) -> None:
        self.id, self.key = str(issue["id"]), str(issue["key"])
        self.fields: dict[str, Any] = issue["fields"]
        self.note: Mapping[str, Any] = issue.get(NOTE) or {}
        self.names: Mapping[str, str] = self.note.get("names") or {}
        self.custom: Mapping[str, list[str]] = self.note.get("fields") or {}
        self.roles: dict[str, str] = {told.casefold(): role for role, known in self.custom.items() for told in known}
        self.rules, self.base = rules, str(self.note.get("base") or base)
        self.histories = _histories(issue)
        self.created = at(self.fields["created"])
        self.whole = "changelog" in issue and not self._silent()

    def ticket(self) -> Row:
        """The ticket as it is now."""
        fields = self.fields
        return {
            "key": self.key,
            "title": fields.get("summary"),
            "type": _name(fields.get("issuetype")),
            "status": self._status(),
            "created_at": self.created,
            "resolved_at": at(fields.get("resolutiondate")),
            "resolution": _name(fields.get("resolution")),
            "project": _key(fields.get("project")),
            "team": self._team(),
            "priority": _name(fields.get("priority")),
            "parent": self._parent(),
            "labels": _joined(fields.get("labels")),
            "application": self._application(),
            "url": f"{self.base}/browse/{self.key}" if self.base else None,
        }

    def transitions(self) -> list[Row]:
        """The first status, which Jira does not write down, and every change of it; of an unknown history only its end."""
        moves = []
        for history, item in self._changed("status"):
            was, now = self._named(item, "from"), self._named(item, "to")
            if now is not None and was != now:
                moves.append(self._row(history, from_status=was, to_status=now))
        first = moves[0]["from_status"] if moves else self._status()
        if not self.whole:
            return moves or self._end()
        if first is None or self.created is None:
            return moves
        # An issue that came from another tracker may have moved before it was created here.
        begun = min([self.created, *(move["at"] for move in moves)])
        maker = handle(self.fields.get("creator")) or handle(self.fields.get("reporter"))
        return [{"ticket": self.key, "at": begun, "from_status": None, "to_status": first, "actor": maker}, *moves]

    def _silent(self) -> bool:
        """Whether its history tells of no change of status, though it was resolved later than it was made: it has been lost."""
        resolved = at(self.fields.get("resolutiondate"))
        return not any(self._changed("status")) and None not in (resolved, self.created) and resolved != self.created

    def _end(self) -> list[Row]:
        """Of a ticket whose history is not known the one change that is: into the status that it has, when it was resolved."""
        resolved, status = at(self.fields.get("resolutiondate")), self._status()
        if resolved is None or status is None:
            return []
        return [{"ticket": self.key, "at": resolved, "from_status": None, "to_status": status, "actor": None}]

    def changes(self) -> list[Row]:
        """Who it was given to, and the changes of sprint, flag, priority and fix version."""
        found: dict[tuple[Any, ...], Row] = {}
        for row in (*self._first_assignee(), *self._changes()):
            key = (row["at"], row["field"], row["to"])
            if key in found:  # two versions taken away at once
                row["from"] = _joined(name for name in (found[key]["from"], row["from"]) if name)
            found[key] = row
        return list(found.values())

    def _changes(self) -> Iterator[Row]:
        for history in self.histories:
            for item in history.get("items") or ():
                told = self._role(item)
                if told in CHANGES:
                    name = CHANGES[told]
                    was, now = (_value(item, side, name in BY_ID) for side in ("from", "to"))
                    if was != now:
                        yield self._row(history, field=name, to=now, **{"from": was})

    def _first_assignee(self) -> Iterator[Row]:
        """Jira does not write down to whom an issue was given when it was made."""
        moves = [item for _, item in self._changed("assignee")]
        first = _value(moves[0], "from", True) if moves else handle(self.fields.get("assignee"))
        if first is not None and self.whole:
            maker = handle(self.fields.get("creator"))
            yield {"ticket": self.key, "at": self.created, "field": "assignee", "to": first, "from": None, "actor": maker}

    def links(self) -> list[Row]:
        """Its links to other issues, outward: what the other end says of the same link is the same row."""
        found = set()
        for link in self.fields.get("issuelinks") or ():
            words = str((link.get("type") or {}).get("outward") or "").strip()
            outward, inward = _key(link.get("outwardIssue")), _key(link.get("inwardIssue"))
            if words and outward:
                found.add((self.key, words, outward))
            elif words and inward:
                found.add((inward, words, self.key))
        return [{"ticket": ticket, "kind": words, "other": other} for ticket, words, other in sorted(found)]

    def incidents(self) -> list[Row]:
        """The incident that the issue is by type, label or JQL."""
        fields = self.fields
        labels = {str(label).casefold() for label in fields.get("labels") or ()}
        kind = (_name(fields.get("issuetype")) or "").casefold()
        if not (self.note.get("incident") or kind in self.rules.incident_types or labels & self.rules.incident_labels):
            return []
        ticket = self.ticket()
        same = {name: ticket[name] for name in ("title", "application", "labels", "url", "resolved_at")}
        return [{"id": f"jira:{self.id}", "opened_at": self.created, "severity": ticket["priority"], "ticket": self.key, **same}]

    def identities(self) -> list[Row]:
        """Who is who: accounts that show an e-mail address, which stands here as a handle, and programs."""
        found = {}
        users = [self.fields.get(name) for name in ("assignee", "reporter", "creator")]
        for user in (*users, *(history.get("author") for history in self.histories)):
            who, person = handle(user), _person(user)
            if who is not None and person is not None:
                found[who] = {"source": "jira", "handle": who, "person": person}
        return list(found.values())

    def _changed(self, role: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        for history in self.histories:
            for item in history.get("items") or ():
                if self._role(item) == role:
                    yield history, item

    def _role(self, item: Mapping[str, Any]) -> str:
        """What a change is of: a custom field by what it is for, whatever it is called here."""
        for told in (item.get("fieldId"), item.get("field")):
            if told and str(told).casefold() in self.roles:
                return self.roles[str(told).casefold()]
        return _field(item)

    def _row(self, history: Mapping[str, Any], **columns: Any) -> Row:
        return {"ticket": self.key, "at": at(history["created"]), **columns, "actor": handle(history.get("author"))}

    def _named(self, item: Mapping[str, Any], side: str) -> str | None:
        """A status by the name that it has today; one that was deleted by the name that it had."""
        name = self.names.get(str(item.get(side))) or item.get(f"{side}String")
        return str(name) if name else None

    def _status(self) -> str | None:
        status = self.fields.get("status") or {}
        name = self.names.get(str(status.get("id"))) or status.get("name")
        return str(name) if name else None

    def _parent(self) -> str | None:
        epic = self.fields.get(self.custom.get("epic", [""])[0])
        above = _key(self.fields.get("parent")) or epic or _key(self.fields.get("epic"))
        return str(above) if above else None

    def _team(self) -> str | None:
        return _name(self.fields.get(self.custom.get("team", [""])[0]))

    def _application(self) -> str | None:
        if self.rules.application is not None or self.rules.application_from is None:
            return self.rules.application
        if self.rules.application_from == "component":
            return next((_name(one) for one in self.fields.get("components") or ()), None)
        if self.rules.application_from == "project":
            return _key(self.fields.get("project"))
        labels = [str(one) for one in self.fields.get("labels") or ()]
        named = [label.partition(":")[2] for label in labels if label.partition(":")[0].casefold() in ("app", "application")]
        rest = [label for label in labels if label.casefold() not in self.rules.incident_labels]
        return next(iter([name for name in named if name] or rest), None)


def _histories(issue: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The changes in the order in which they happened."""
    told = (issue.get("changelog") or {}).get("histories") or []
    return sorted((one for one in told if one.get("created")), key=lambda one: (at(one["created"]), _number(one.get("id"))))


def _items(issue: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for history in _histories(issue):
        yield from ((history, item) for item in history.get("items") or ())


def _field(item: Mapping[str, Any]) -> str:
    """A change's field: of Jira's own fields by the id, for the name may be in another language."""
    own = item.get("fieldtype", "jira") == "jira"
    return str((item.get("fieldId") if own else None) or item.get("field") or "").casefold()


def _number(told: Any) -> int:
    return int(told) if str(told or "").isdigit() else 0


def _value(item: Mapping[str, Any], side: str, by_id: bool) -> str | None:
    value = item.get(side) if by_id else item.get(f"{side}String")
    return str(value) if value else None


def _name(value: Any) -> str | None:
    """What something is called, in whichever of Jira's shapes it comes."""
    if isinstance(value, list):
        return next((name for one in value if (name := _name(one))), None)
    if isinstance(value, Mapping):
        return next((str(value[key]) for key in ("name", "title", "value", "displayName") if value.get(key)), None)
    return str(value) if value else None


def _key(value: Any) -> str | None:
    return str(value["key"]) if isinstance(value, Mapping) and value.get("key") else None


def _joined(names: Iterable[Any] | None) -> str | None:
    return ";".join(str(name).replace(";", ",") for name in names or ()) or None


def _person(user: Any) -> str | None:
    if not isinstance(user, Mapping):
        return None
    if user.get("accountType") == "app":
        return f"bot:{user.get('displayName') or handle(user)}"
    mail = user.get("emailAddress")
    return str(mail) if mail else None
