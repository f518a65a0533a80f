"""Events of other programs' vocabularies: CDEvents (0.4, 0.5), alone or in a CloudEvents envelope, told as ours.

Pure translation: what is told twice, or in another order, is settled where our own events are. A time that only
says "by then at the latest", such as the start of a run of which the end comes first, fills in what is missing.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vsm.errors import UsageError
from vsm.event import Told, fault, refuse
from vsm.facts_files import Fault
from vsm.models import Problem

PREFIX = "dev.cdevents."
TYPE = re.compile(r"dev\.cdevents\.(?P<subject>[a-z]+)\.(?P<predicate>[a-z]+)(?:\.[\w.-]+)?", re.I)
NUMBER = re.compile(r"(?:^|\D)(\d{1,15})$")
SHA = re.compile(r"[0-9a-f]{7,40}")
OUTCOMES = {"success": "success", "failure": "failure", "error": "failure", "cancel": "cancelled", "cancelled": "cancelled"}
Row = dict[str, Any]


class Unfit(ValueError):
    """What a translation lacks: the place in the event, what is there, what was expected."""

    def __init__(self, place: str, value: Any, expected: str) -> None:
        super().__init__(place)
        self.problem = Problem(place, value, expected)


def translated(several: Iterable[Told]) -> tuple[list[Told], Counter[str]]:
    """The events as ours, and how many there are of each type that says nothing that is kept.

    Raises EventError with everything that is wrong with those that are translated.
    """
    found: list[Told] = []
    left: Counter[str] = Counter()
    faults: list[Fault] = []
    where = ""
    for told in several:
        try:
            ours = _ours(told)
        except Unfit as error:
            where = where or told.where.partition(",")[0]
            faults.append(fault(told, error.problem))
            continue
        if isinstance(ours, str):
            left[ours] += 1
        else:
            found.append(ours)
    if faults:
        refuse(where, faults)
    return found, left


def _ours(told: Told) -> Told | str:
    """The event as ours, or its type where we keep nothing of it."""
    event = told.row
    if _is_envelope(event):
        data = _data(event)
        if not str(event["type"]).startswith(PREFIX):
            known = isinstance(data, dict) and ("kind" in data or told.kind is not None)
            return told._replace(row=data) if known else str(event["type"])
        event = data if isinstance(data, dict) and isinstance(data.get("context"), dict) else _bare(event, data)
    context = event.get("context") if isinstance(event, dict) else None
    if not isinstance(context, dict) or not str(context.get("type", "")).startswith(PREFIX):
        return told
    name = TYPE.fullmatch(str(context["type"]))
    key = "" if name is None else f"{name['subject']}.{name['predicate']}".lower()
    if key not in TRANSLATIONS:
        return str(context["type"])
    made = TRANSLATIONS[key](_Event(event, context))
    if made is None:
        return f"{context['type']} of a pipeline run"
    kind, row, soft = made
    more = event.get("customData")
    own = more.get("vsm") if isinstance(more, dict) else None
    row |= own if isinstance(own, dict) else {}
    row = {"kind": kind} | {name: value for name, value in row.items() if value is not None}
    filling = {name: value for name, value in soft.items() if name not in row}
    return told._replace(row=row | filling, soft=frozenset(filling))


def _is_envelope(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("specversion"), str) and isinstance(event.get("type"), str)


def _data(event: Mapping[str, Any]) -> Any:
    """What an envelope holds, also where it is told in base 64."""
    if "data_base64" not in event:
        return event.get("data")
    try:
        return json.loads(base64.b64decode(event["data_base64"], validate=True))
    except (ValueError, TypeError, RecursionError):
        raise Unfit("data_base64", event["data_base64"], "JSON in base 64") from None


def _bare(envelope: Mapping[str, Any], data: Any) -> Row:
    """An event of which the envelope has the context."""
    names = {"id": "id", "source": "source", "type": "type", "timestamp": "time"}
    subject = data.get("subject", data) if isinstance(data, dict) else None
    return {"context": {ours: envelope.get(theirs) for ours, theirs in names.items()}, "subject": subject}


class _Event:
    """One event, asked for what a translation needs. Raises Unfit for what is not there."""

    def __init__(self, event: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        self.context = context
        self.at = self._text(context, "timestamp", "context.timestamp")
        subject = event.get("subject")
        if not isinstance(subject, dict):
            raise Unfit("subject", subject, "an object with id and content")
        self.subject = subject
        self.id = self._text(subject, "id", "subject.id")
        content = subject.get("content")
        self.content: Mapping[str, Any] = content if isinstance(content, dict) else {}
        self.source = str(subject.get("source") or context.get("source") or "")

    @staticmethod
    def _text(of: Mapping[str, Any], name: str, place: str) -> str:
        value = of.get(name)
        if not isinstance(value, str) or not value:
            raise Unfit(place, value, "text")
        return value

    def named(self, name: str) -> str | None:
        """What a reference names: its id, or itself where it is plain text."""
        value = self.content.get(name)
        value = value.get("id") if isinstance(value, dict) else value
        return value if isinstance(value, str) and value else None

    @property
    def key(self) -> str:
        """An id that no other source has."""
        return f"cdevents/{self.source.strip('/')}/{self.id}"

    @property
    def version(self) -> Row:
        """The commit, or the version, that an artifact's package URL names."""
        told = (self.named("artifactId") or "").partition("?")[0].partition("#")[0].rpartition("@")[2]
        if not told or told.startswith("pkg:"):
            return {}
        return {"sha": told} if SHA.fullmatch(told) else {"ref": told}


Made = tuple[str, Row, Row] | None


def _deployed(event: _Event) -> Made:
    """A service is live in an environment, in a version."""
    environment = event.named("environment")
    if environment is None:
        raise Unfit("subject.content.environment", event.content.get("environment"), "an object with the environment's id")
    key = f"cdevents/{str(event.context.get('source') or '').strip('/')}/{event.context.get('id') or event.at}"
    row = {"id": key, "application": _last(event.id), "environment": _last(environment), "result": "success"}
    return "deployment", row | {"finished_at": event.at, **event.version}, {}


def _last(name: str) -> str:
    """The last part of a name: "namespace/shop" is shop."""
    return name.rstrip("/").rpartition("/")[2] or name


def _incident(*columns: str) -> Callable[[_Event], Made]:
    def made(event: _Event) -> Made:
        row: Row = {"id": event.key, "title": event.content.get("description"), "url": event.content.get("ticketURI")}
        service = event.named("service")
        row |= dict.fromkeys(columns, event.at) | ({"application": _last(service)} if service else {})
        return "incident", row, {"opened_at": event.at}

    return made


def _run(column: str) -> Callable[[_Event], Made]:
    def made(event: _Event) -> Made:
        if event.named("pipelineRun"):
            return None  # a part of a run that is told of itself
        job = event.content.get("pipelineName") or event.content.get("taskName")
        row: Row = {"id": event.key, column: event.at, "url": event.content.get("uri") or event.content.get("url"), "job": job}
        outcome = event.content.get("outcome")
        if column == "finished_at" and outcome:
            row["result"] = OUTCOMES.get(str(outcome).lower(), "unknown")
        return "build", {**row, **_sha(event)}, {"job": _last(event.id), "started_at": event.at}

    return made


def _sha(event: _Event) -> Row:
    return {"sha": event.version["sha"]} if "sha" in event.version else {}


def _change(*columns: str, soft: bool = False) -> Callable[[_Event], Made]:
    def made(event: _Event) -> Made:
        repository, number = event.named("repository"), NUMBER.search(event.id)
        if repository is None:
            raise Unfit("subject.content.repository", event.content.get("repository"), "an object with the repository's id")
        if number is None:
            raise Unfit("subject.id", event.id, "an id that ends in the change's number, such as acme/shop/pull/12")
        times = dict.fromkeys(columns, event.at)
        row: Row = {"repository": repository.strip("/"), "number": int(number[1]), "title": event.content.get("description")}
        return "change", row if soft else row | times, times if soft else {}

    return made


TRANSLATIONS: dict[str, Callable[[_Event], Made]] = {
    **dict.fromkeys(("service.deployed", "service.upgraded", "service.rolledback"), _deployed),
    "incident.detected": _incident("detected_at", "opened_at"),
    "incident.reported": _incident(),
    "incident.resolved": _incident("resolved_at"),
    **{
        f"{kind}.{told}": _run(f"{told}_at")
        for kind in ("pipelinerun", "taskrun", "build")
        for told in ("queued", "started", "finished")
    },
    "change.created": _change("created_at"),
    "change.reviewed": _change("first_review_at", soft=True),
    "change.merged": _change("merged_at", "closed_at"),
    "change.abandoned": _change("closed_at"),
}


def said(left: Mapping[str, int]) -> str:
    """Which types were left aside, and how many events of each."""
    count = sum(left.values())
    each = ", ".join(f"{name} ({number:,})" for name, number in sorted(left.items()))
    return f"{count:,} {'event says' if count == 1 else 'events say'} nothing that is kept here: {each}"


def nothing(places: Iterable[str]) -> UsageError:
    """No file with events was found."""
    return UsageError(f"{', '.join(places)}: no file with events; expected .json, .jsonl or .ndjson")
