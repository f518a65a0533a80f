"""One fact from a script, a pipeline or a monitoring hook: text or flags to rows that the store can complete.

An event tells the columns that it knows, and a later one with the same key tells more: a column that
is not told, or is empty, keeps what it had. So an event is checked in two steps: `checked` looks at
the values that it has, `settled` makes the whole row of them and of what is there already.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple, NoReturn

from vsm.errors import UsageError
from vsm.facts_files import Fault, shown
from vsm.models import TABLES, Fact, Problem, RowError, columns, kind, required, validate

TOLD = 50  # problems that are told one by one
WIDEST = 10_000  # characters of a value: more is a log or a page that went into the wrong place
PART = 80  # characters of one part of an id that is made here
INPUT, FLAGS = "standard input", "vsm event "  # where it was told
LABELS, COMMITS, PEOPLE = "labels", "commits", ("author", "reviewer")
STAND_IN = {"text": "-", "number": 0, "time": datetime(2000, 1, 1, tzinfo=UTC)}
ENDED = ("success", "failure", "cancelled", "skipped")


class EventError(UsageError):
    """The events cannot be taken; the message says all that is wrong."""


@dataclass(frozen=True)
class Kind:
    """A kind of event: its table, where its commits go, and what tells one fact from another where no id is given.

    Of several columns in one part of ``named`` the first that is told counts.
    """

    name: str
    table: type[Fact]
    named: tuple[tuple[str, ...], ...] = ()
    commits: type[Fact] | None = None

    @property
    def takes(self) -> tuple[str, ...]:
        """What an event of this kind may tell."""
        return (*columns(self.table), *([COMMITS] if self.commits else []))


KINDS = {
    one.name: one
    for one in (
        Kind(
            "deployment",
            TABLES["deployments"],
            (("application",), ("environment",), ("sha", "ref"), ("started_at", "finished_at")),
            TABLES["deployment_commits"],
        ),
        Kind("incident", TABLES["incidents"], (("application",), ("title",), ("opened_at",))),
        Kind("build", TABLES["builds"], (("job",), ("sha", "branch"), ("started_at",))),
        Kind("change", TABLES["pull_requests"], (), TABLES["pull_request_commits"]),
    )
}


class Told(NamedTuple):
    """What somebody said, as it came: where, of which kind, and the columns; those of ``soft`` only fill what is missing."""

    where: str
    line: int | None
    kind: str | None
    row: Any
    soft: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Event:
    """What is told of one fact: of the columns only those that are there, each as the store keeps it.

    ``soft`` are the times that were told as "now": they only fill what is missing, so that a call
    that is made again changes nothing.
    """

    told: Told
    kind: Kind
    row: dict[str, Any]
    commits: tuple[str, ...] = ()
    soft: frozenset[str] = frozenset()


# What came in. ------------------------------------------------------------------------------------


def lines(text: str, kind: str | None, where: str = INPUT) -> list[Told]:
    """The events of a text: a JSON object a line, or one JSON array or object over all of it.

    `kind` is that of all of them, None where each tells its own. Raises EventError for a text
    without any, and with everything that is no JSON object.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise EventError(
            f'{where}: nothing in it, nothing was saved; expected a JSON object a line, such as {{"kind": "deployment", …}}'
        )
    try:
        whole = _parsed(text)
    except ValueError as error:
        if text.lstrip().startswith("["):
            refuse(
                where,
                [Fault(where, _line(error), None, shown(text.strip()), f"a JSON array of objects, to its end ({_why(error)})")],
            )
    else:
        if isinstance(whole, list):
            found = [Told(f"{where}, element {place}", None, kind, one) for place, one in enumerate(whole, 1)]
            if not found:
                raise EventError(f"{where}: an array without events, nothing was saved; expected at least one")
            return found
        return [Told(where, 1, kind, whole)]
    return _each_line(text, kind, where)


def _each_line(text: str, kind: str | None, where: str) -> list[Told]:
    found, faults = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(Told(where, number, kind, _parsed(line)))
        except ValueError as error:
            expected = f"one JSON object on a line, as `jq -c` writes it ({_why(error)})"
            faults.append(Fault(where, number, None, shown(line.strip()), expected))
    if faults:
        refuse(where, faults)
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a column is told twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _line(error: ValueError) -> int | None:
    return error.lineno if isinstance(error, json.JSONDecodeError) else None


def _why(error: ValueError) -> str:
    """What the parser says; its longest sentence, of a number with too many digits, tells of Python's settings."""
    return "a number with too many digits" if "sys.set_int" in str(error) else str(error)


def flags(kind: str, row: Mapping[str, Any]) -> Told:
    """The event that flags tell."""
    return Told(f"{FLAGS}{kind}", None, kind, dict(row))


# The first look: are the values right? -------------------------------------------------------------


def checked(several: Iterable[Told], now: datetime) -> list[Event]:
    """The events with their values as the store keeps them. Raises EventError with everything that is wrong."""
    found, faults, where = [], [], INPUT
    for told in several:
        where = told.where.partition(",")[0]
        one = _checked(told, now)
        if isinstance(one, Event):
            found.append(one)
        else:
            faults += one
    if faults:
        refuse(where, faults)
    return found


def refuse(where: str, faults: Sequence[Fault]) -> NoReturn:
    """Raise EventError with the faults, the first 50 in full."""
    counted = "one problem" if len(faults) == 1 else f"{len(faults):,} problems"
    more = [f"and {len(faults) - TOLD:,} more"] if len(faults) > TOLD else []
    raise EventError("\n  ".join([f"{where}: {counted}, nothing was saved", *map(str, faults[:TOLD]), *more]))


def fault(told: Told, problem: Problem) -> Fault:
    """A problem with its place: of flags the flag, else line and column."""
    value = "an @" if problem.column in PEOPLE and "@" in str(problem.value) else shown(problem.value)
    if told.line is None and told.where.startswith(FLAGS):
        flag = f" --{problem.column.removesuffix('s') if problem.column == COMMITS else problem.column}".replace("_", "-")
        return Fault(told.where + (flag if problem.column else ""), None, None, value, problem.expected)
    column = problem.column if len(problem.column) <= PART else problem.column[: PART - 1] + "…"
    return Fault(told.where, told.line, (column if column.isprintable() else repr(column)) or None, value, problem.expected)


def _checked(told: Told, now: datetime) -> Event | list[Fault]:
    if not isinstance(told.row, dict):
        return [fault(told, Problem("", told.row, "a JSON object"))]
    given = {name: value for name, value in told.row.items() if value is not None and value not in ("", [])}
    instant = frozenset(name for name, value in given.items() if value == "now" and name.endswith("_at"))
    soft = instant | told.soft
    row = {name: now if name in instant else _joined(name, value) for name, value in given.items()}
    name = row.pop("kind", told.kind)
    if not isinstance(name, str) or name not in KINDS or told.kind not in (None, name):
        return [fault(told, Problem("kind", name, told.kind or f"one of {', '.join(KINDS)}"))]
    what = KINDS[name]
    commits: Any = row.pop(COMMITS, ()) if what.commits else ()
    problems = [*_problems(what, row), *_commit_problems(commits)]
    try:
        row = _told(what.table, {column: value for column, value in row.items() if column not in {p.column for p in problems}})
    except RowError as error:
        problems += [_epoch(problem) for problem in error.problems]
    if not problems:
        row, problems = _named(what, row, now)
    return [fault(told, problem) for problem in problems] or Event(told, what, row, tuple(commits), soft)


def _joined(name: str, value: Any) -> Any:
    """A value, labels as one text where they came as a list."""
    listed = name == LABELS and isinstance(value, list) and all(isinstance(one, str) for one in value)
    return ";".join(value) if listed else value


def _problems(what: Kind, row: Mapping[str, Any]) -> Iterator[Problem]:
    """What `validate` would take, or could not say as well."""
    for name, value in row.items():
        if name not in what.takes:
            yield Problem(name, value, f"no column of this name, but one of {', '.join(what.takes)}")
        elif isinstance(value, str) and len(value) > WIDEST:
            yield Problem(name, value, f"at most {WIDEST:,} characters, and not {len(value):,}")
        elif name in PEOPLE and "@" in str(value):
            yield Problem(name, value, "a handle, such as the login: e-mail addresses are not kept")


def _commit_problems(commits: Any) -> Iterator[Problem]:
    if not isinstance(commits, (list, tuple)) or not all(isinstance(sha, str) and sha.isalnum() for sha in commits):
        yield Problem(COMMITS, commits, "a list of commits' shas")


def _told(table: type[Fact], row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are told, as the store keeps them; one that may not be missing may well be there already."""
    needed = {
        name: STAND_IN[kind(table, name)] for name in columns(table) if required(table, name) and name not in table.key_columns
    }
    if "id" in table.key_columns:
        needed["id"] = STAND_IN["text"]
    if "result" in needed:
        needed["result"] = "unknown"
    valid = validate(table, {**needed, **row})
    return {name: valid[name] for name in row}


def _epoch(problem: Problem) -> Problem:
    if problem.column.endswith("_at") and str(problem.value).replace(".", "", 1).isdigit():
        return Problem(problem.column, problem.value, f"{problem.expected}; seconds since 1970 are not taken")
    return problem


def _named(what: Kind, row: dict[str, Any], now: datetime) -> tuple[dict[str, Any], list[Problem]]:
    """The row with its id, made of what identifies it where none is told; or what is missing for that."""
    if not what.named or "id" in row:
        return row, []
    row = row | {name: value for name, value in settled(what, {}, row, now).items() if name.endswith("_at")}
    missing = [name for name in columns(what.table) if required(what.table, name) and (name,) in what.named and name not in row]
    if missing:
        return row, [Problem(name, None, f"it, or the id of a {what.name} that is there already") for name in missing]
    parts = [next((row[name] for name in names if name in row), None) for names in what.named]
    if sum(isinstance(part, str) for part in parts) == 0:
        return row, [Problem("id", None, f"one, or {' or '.join(names[0] for names in what.named[:-1])} to make one of")]
    return {"id": ":".join(_part(part) for part in parts if part is not None)} | row, []


def _part(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = str(value).replace("%", "%25").replace(":", "%3A")
    return text if len(text) <= PART else f"{text[:60]}~{blake2b(text.encode(), digest_size=8).hexdigest()}"


# The second look: the whole row, with what is there already. ----------------------------------------


def whole(event: Event, kept: Mapping[str, Any], told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The whole row that an event makes of what is kept."""
    hard = {name: value for name, value in told.items() if name not in event.soft or name not in kept}
    return settled(event.kind, kept, hard, now)


def settled(what: Kind, kept: Mapping[str, Any], told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The whole row: what was kept, over it what is told, and what may be left out because it is plain."""
    row = {**kept, **told}
    if what.name == "deployment":
        return _deployment(row, kept, told, now)
    later = ("detected_at", "acknowledged_at", "resolved_at")
    if what.name == "incident" and row.get("opened_at") is None and all(row.get(name) is None for name in later):
        row["opened_at"] = now
    return row


def _deployment(row: dict[str, Any], kept: Mapping[str, Any], told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Who tells of a deployment without a time tells that it has just ended; who says that it ended and not how: well."""
    timed = "started_at" in told or "finished_at" in told
    if not timed and row.get("finished_at") is None and (not kept or told.get("result") in ENDED):
        row["finished_at"] = now
    if "result" not in told and kept.get("result") in (None, "unknown") and kept.get("finished_at") is None:
        row["result"] = "unknown" if row.get("finished_at") is None else "success"
    return row


def commit_rows(event: Event, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of an event's commits. Raises RowError where nobody said in which repository they are."""
    if not event.commits or event.kind.commits is None:
        return []
    if row.get("repository") is None:
        problem = Problem(COMMITS, list(event.commits), "the repository too, since these are commits in one")
        raise RowError(event.kind.table, [problem])
    names = columns(event.kind.commits)
    key = {"deployment": row.get("id"), "repository": row["repository"], "number": row.get("number")}
    return [{name: key[name] for name in names if name in key} | {"sha": sha} for sha in event.commits]


def incomplete(event: Event, error: RowError) -> list[Fault]:
    """What an event lacks that is neither told nor there already."""
    unknown = f"it: no such {event.kind.name} is there yet, and the first event of one tells it"
    said = (problem if problem.value is not None else replace(problem, expected=unknown) for problem in error.problems)
    return [fault(event.told, problem) for problem in said]


def name(what: Kind, row: Mapping[str, Any]) -> str:
    """What a fact is called: its id, of a change `owner/name#12`."""
    text = "#".join(str(row[column]) for column in what.table.key_columns)
    return text if text.isprintable() else json.dumps(text)


def told_of(what: Kind, row: Mapping[str, Any]) -> str:
    """A row's columns beside its key, on one line."""
    rest = {
        column: row[column]
        for column in columns(what.table)
        if column not in what.table.key_columns and row.get(column) is not None
    }
    plain = {column: _part(value) if isinstance(value, datetime) else value for column, value in rest.items()}
    return json.dumps(plain, ensure_ascii=not "".join(map(str, plain.values())).isprintable())
