"""The facts, as tables: what sources told us, one row a thing, times in UTC.

A column with a default may be missing, and missing is ``None``, never 0 or an empty text. No column
is derived. Rows may name rows that are not there (a transition of a ticket that was never read):
such references are kept, so there are no foreign keys between facts. Tables are read whole, so
there are no indexes beside the keys.

``table=True`` classes do not validate what they are given: a row enters through `validate`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError, create_model
from pydantic import Field as PydanticField
from sqlalchemy import JSON, BigInteger, Column, Integer, LargeBinary, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from vsm.rows import RESULTS as RESULTS
from vsm.rows import SELDOM_TOLD, Kind, Shape, written

SEPARATOR = "\x1f"  # between the parts of a key that is kept as one text
ESCAPE = "\x1e"  # before what would be taken for a separator within a part
NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # 64 bits: SQLite's INTEGER has them, PostgreSQL's has not


class Table(SQLModel):
    """What every table has: rows enter through `validate`, so the class need not learn to check them, which takes long."""

    model_config = {"defer_build": True}


class Fact(Table):
    """What every fact has beside its own columns.

    ``uid`` is there only in tables of which a part of the key may be missing, since a primary key
    may not be NULL: the key's parts as one text. ``origin`` is the name of the source, or "import"
    or "event". Neither is part of the facts folder. Of ``seldom_told`` columns a source that tells
    nothing leaves what another one told.
    """

    key_columns: ClassVar[tuple[str, ...]]
    seldom_told: ClassVar[tuple[str, ...]] = ()


def _key() -> Any:
    return Field(primary_key=True)


def _number(key: bool = False) -> Any:
    return Field(primary_key=True, sa_type=NUMBER) if key else Field(sa_type=NUMBER)


class Ticket(Fact, table=True):
    """A tracker's record of work asked for."""

    __tablename__ = "tickets"
    key_columns = ("key",)
    key: str = _key()
    title: str | None = None
    type: str | None = None
    status: str | None = None
    created_at: datetime
    resolved_at: datetime | None = None
    resolution: str | None = None
    project: str | None = None
    team: str | None = None
    priority: str | None = None
    parent: str | None = None
    labels: str | None = None
    application: str | None = None
    url: str | None = None
    origin: str | None = None


class Transition(Fact, table=True):
    """A ticket's change of status. Several at one instant are ordered by their chain from → to."""

    __tablename__ = "transitions"
    key_columns = ("ticket", "at", "from_status", "to_status")
    uid: str = _key()
    ticket: str
    at: datetime
    from_status: str | None = None
    to_status: str
    actor: str | None = None
    team: str | None = None
    origin: str | None = None


class TicketChange(Fact, table=True):
    """A change of another field of a ticket: assignee, sprint, flagged, and the like."""

    __tablename__ = "ticket_changes"
    key_columns = ("ticket", "at", "field", "to")
    uid: str = _key()
    ticket: str
    at: datetime
    field: str
    to: str | None = None
    from_: str | None = Field(default=None, alias="from", sa_column=Column("from", String))
    actor: str | None = None
    origin: str | None = None


class TicketLink(Fact, table=True):
    """A tie between two tickets, in the tracker's own words: `ticket` "blocks" `other`; no source tells since when."""

    __tablename__ = "ticket_links"
    key_columns = ("ticket", "kind", "other")
    ticket: str = _key()
    kind: str = _key()
    other: str = _key()
    origin: str | None = None


class Repository(Fact, table=True):
    """A place where code is kept; ``head_sha`` is the newest commit of its default branch."""

    __tablename__ = "repositories"
    key_columns = ("name",)
    name: str = _key()
    url: str | None = None
    default_branch: str | None = None
    application: str | None = None
    head_sha: str | None = None
    origin: str | None = None


class Commit(Fact, table=True):
    """One commit; ``parents`` are shas with spaces between, the first parent first."""

    __tablename__ = "commits"
    key_columns = ("repository", "sha")
    repository: str = _key()
    sha: str = _key()
    authored_at: datetime
    committed_at: datetime
    author: str | None = None
    subject: str | None = None
    message: str | None = None
    parents: str | None = None
    paths: str | None = None
    origin: str | None = None


class Tag(Fact, table=True):
    """A name for a commit; ``sha`` is the commit's, also where the tag is an object of its own."""

    __tablename__ = "tags"
    key_columns = ("repository", "name")
    repository: str = _key()
    name: str = _key()
    sha: str
    tagged_at: datetime | None = None
    subject: str | None = None
    origin: str | None = None


class PullRequest(Fact, table=True):
    """A proposal to merge a branch; ``merge_sha`` is the commit that it became."""

    __tablename__ = "pull_requests"
    key_columns = ("repository", "number")
    seldom_told = SELDOM_TOLD["pull_requests"]
    repository: str = _key()
    number: int = _number(key=True)
    title: str | None = None
    author: str | None = None
    source_branch: str | None = None
    target_branch: str | None = None
    created_at: datetime | None = None
    ready_at: datetime | None = None
    first_commit_at: datetime | None = None
    first_review_at: datetime | None = None
    approved_at: datetime | None = None
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    merge_sha: str | None = None
    head_sha: str | None = None
    labels: str | None = None
    additions: int | None = Field(default=None, sa_type=NUMBER)
    deletions: int | None = Field(default=None, sa_type=NUMBER)
    url: str | None = None
    origin: str | None = None


class PullRequestCommit(Fact, table=True):
    """A commit on a pull request's branch."""

    __tablename__ = "pull_request_commits"
    key_columns = ("repository", "number", "sha")
    repository: str = _key()
    number: int = _number(key=True)
    sha: str = _key()
    authored_at: datetime | None = None
    origin: str | None = None


class Review(Fact, table=True):
    """A review that was handed in; ``state`` is the source's word in lower case (approved, …)."""

    __tablename__ = "reviews"
    key_columns = ("repository", "number", "submitted_at", "reviewer")
    uid: str = _key()
    repository: str
    number: int = _number()
    submitted_at: datetime
    reviewer: str | None = None
    state: str
    origin: str | None = None


class Comment(Fact, table=True):
    """Somebody said something on a pull request; what was said is not kept."""

    __tablename__ = "comments"
    key_columns = ("repository", "number", "at", "author")
    uid: str = _key()
    repository: str
    number: int = _number()
    at: datetime
    author: str | None = None
    origin: str | None = None


class Build(Fact, table=True):
    """One run of a job that builds or tests a commit."""

    __tablename__ = "builds"
    key_columns = ("id",)
    id: str = _key()
    job: str
    repository: str | None = None
    sha: str | None = None
    branch: str | None = None
    queued_at: datetime | None = None
    started_at: datetime
    finished_at: datetime | None = None
    result: str | None = None
    url: str | None = None
    origin: str | None = None


class BuildStage(Fact, table=True):
    """A part of a build."""

    __tablename__ = "build_stages"
    key_columns = ("build", "name", "started_at")
    uid: str = _key()
    build: str
    name: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: str | None = None
    origin: str | None = None


class Deployment(Fact, table=True):
    """A version of an application brought to an environment, and how that ended."""

    __tablename__ = "deployments"
    key_columns = ("id",)
    id: str = _key()
    application: str
    environment: str
    repository: str | None = None
    sha: str | None = None
    ref: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: str
    url: str | None = None
    origin: str | None = None


class DeploymentCommit(Fact, table=True):
    """A commit that a source itself says was in a deployment."""

    __tablename__ = "deployment_commits"
    key_columns = ("deployment", "repository", "sha")
    deployment: str = _key()
    repository: str = _key()
    sha: str = _key()
    origin: str | None = None


class Incident(Fact, table=True):
    """A failure that users felt, or could have."""

    __tablename__ = "incidents"
    key_columns = ("id",)
    id: str = _key()
    application: str | None = None
    title: str | None = None
    severity: str | None = None
    opened_at: datetime
    detected_at: datetime | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    deployment: str | None = None
    ticket: str | None = None
    labels: str | None = None
    url: str | None = None
    origin: str | None = None


class Identity(Fact, table=True):
    """Who stands behind a source's handle."""

    __tablename__ = "identities"
    key_columns = ("source", "handle")
    source: str = _key()
    handle: str = _key()
    person: str
    origin: str | None = None


FACTS: tuple[type[Fact], ...] = (
    Ticket, Transition, TicketChange, TicketLink, Repository, Commit, Tag, PullRequest, PullRequestCommit, Review, Comment,
    Build, BuildStage, Deployment, DeploymentCommit, Incident, Identity,
)  # fmt: skip
TABLES: dict[str, type[Fact]] = {str(fact.__tablename__): fact for fact in FACTS}


# What the store keeps beside facts. -------------------------------------------------------------


class Harvest(Table, table=True):
    """One run of a collector, an import or an event; its id is the data's version."""

    __tablename__ = "harvests"
    id: int | None = Field(default=None, primary_key=True)
    source: str
    kind: str
    started_at: datetime
    finished_at: datetime | None = None
    status: str = "running"  # running, done, failed
    rows: int = 0
    changed: int = 0
    requests: int = 0
    scope: str | None = None  # what it speaks of, in words: "all refs of ../service"
    error: str | None = None


class RawRecord(Table, table=True):
    """A source's answer about one thing, as it came, so that facts can be told again."""

    __tablename__ = "raw_records"
    __table_args__ = (UniqueConstraint("source", "resource", "scope", "external_id"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=NUMBER)
    source: str
    resource: str
    scope: str = ""
    external_id: str
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # JSON, compressed
    sha256: str
    first_seen: datetime
    last_seen: datetime
    harvest: int | None = None
    deleted_at: datetime | None = None


class Cursor(Table, table=True):
    """How far a resource of a source has been read."""

    __tablename__ = "cursors"
    source: str = Field(primary_key=True)
    resource: str = Field(primary_key=True)
    scope: str = Field(default="", primary_key=True)
    state: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    watermark: datetime | None = None
    etag: str | None = None
    pending: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    blocked_until: datetime | None = None
    updated_at: datetime


class WebhookDelivery(Table, table=True):
    """A message that a source sent by itself; the poll stays the truth."""

    __tablename__ = "webhook_deliveries"
    source: str = Field(primary_key=True)
    delivery: str = Field(primary_key=True)
    event: str | None = None
    received_at: datetime
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    processed_at: datetime | None = None
    error: str | None = None


class Note(Table, table=True):
    """A dated remark that is shown on time charts."""

    __tablename__ = "notes"
    id: int | None = Field(default=None, primary_key=True)
    stream: str | None = None
    at: datetime
    until: datetime | None = None
    kind: str = "note"
    text: str
    created_at: datetime
    created_by: str | None = None


class Experiment(Table, table=True):
    """A change to the way of working, with what was expected of it."""

    __tablename__ = "experiments"
    id: int | None = Field(default=None, primary_key=True)
    stream: str | None = None
    title: str
    hypothesis: str
    metric: str
    started_at: datetime
    ended_at: datetime | None = None
    verdict: str | None = None
    created_at: datetime
    created_by: str | None = None


class HandStep(Table, table=True):
    """A step of a stream that no system records, with what people estimate of it; ``behind`` which stage, None for the first."""

    __tablename__ = "hand_steps"
    id: int | None = Field(default=None, primary_key=True)
    stream: str
    name: str
    behind: str | None = None
    wait_hours: float
    work_hours: float
    accurate: float | None = None
    created_at: datetime
    created_by: str | None = None


class FutureState(Table, table=True):
    """A value-stream map as it is meant to become, to be scored later against what happened."""

    __tablename__ = "future_states"
    id: int | None = Field(default=None, primary_key=True)
    stream: str | None = None
    name: str
    map: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    target_at: datetime | None = None
    created_at: datetime
    created_by: str | None = None


class ApiToken(Table, table=True):
    """A key with which a program reads the dashboard's interface; only a hash of it is kept. ``streams``: None for all."""

    __tablename__ = "api_tokens"
    id: str = Field(primary_key=True)  # stands in the token, in the open
    name: str
    role: str = "viewer"
    streams: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    sha256: str
    created_at: datetime
    created_by: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class AuditEntry(Table, table=True):
    """Who did what, and when: an edit, an export, a sign-in, a harvest's start, a token. Only ever added to."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime
    who: str  # an account of the sign-in, "token NAME", or "this machine" where nobody signs in
    what: str
    about: str | None = None


# The border: what a row must be before it is a fact. ---------------------------------------------


def columns(table: type[Fact]) -> tuple[str, ...]:
    """A table's columns as the facts folder names them, key first; without ``uid`` and ``origin``."""
    names = [column.name for column in table.__table__.columns]  # type: ignore[attr-defined]  # SQLModel adds __table__
    rest = [name for name in names if name not in (*table.key_columns, "uid", "origin")]
    return (*table.key_columns, *rest)


def kind(table: type[Fact], column: str) -> Kind:
    """What a column holds."""
    annotation = table.model_fields[_field(column)].annotation
    types = (annotation, *get_args(annotation))
    if datetime in types:
        return "time"
    return "number" if int in types else "text"


def required(table: type[Fact], column: str) -> bool:
    """Whether a row without this column is refused."""
    return table.model_fields[_field(column)].is_required()


@dataclass(frozen=True)
class Problem:
    """What is wrong with one value of a row, and what was expected instead."""

    column: str
    value: Any
    expected: str


class RowError(ValueError):
    """A row that cannot be a fact, with all that is wrong with it."""

    def __init__(self, table: type[Fact], problems: list[Problem]) -> None:
        self.table, self.problems = table, problems
        said = "; ".join(f"{p.column}: {_short(p.value)}, expected {p.expected}" for p in problems)
        super().__init__(f"{table.__tablename__}: {said}")


def _short(value: Any) -> str:
    """A value as it is shown in a sentence; a source may tell one of megabytes."""
    try:
        text = repr(value[:100] if isinstance(value, str) else value)
    except RecursionError:
        text = "a value nested beyond measure"
    return text if len(text) <= 100 else f"{text[:99]}…"


def validate(table: type[Fact], row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the store keeps it: every column there, times aware and in UTC, empty text as None.

    Times may be aware datetimes or ISO 8601 text with an offset. Raises RowError with every problem
    of the row: an unknown column, a missing one, a naive time, an unknown result, not a number.
    """
    given = {name: None if value == "" else value for name, value in row.items()}
    try:
        valid = _border(table).model_validate(given)
    except ValidationError as error:
        raise RowError(table, [_problem(table, problem, given) for problem in error.errors()]) from None
    return {_column(name): value for name, value in valid.__dict__.items()}


@cache
def shape(table: type[Fact]) -> Shape:
    """What rows of a table must be, for `vsm.rows`."""
    names = columns(table)
    needed = frozenset(name for name in names if required(table, name))
    return Shape(str(table.__tablename__), table.key_columns, {name: kind(table, name) for name in names}, needed)


def uid(table: type[Fact], row: Mapping[str, Any]) -> str:
    """A row's key as one text, for tables of which a part of the key may be missing."""
    return SEPARATOR.join(_part(row[name]) for name in table.key_columns)


def uids(table: type[Fact], found: Mapping[str, Sequence[Any]]) -> list[str]:
    """What `uid` makes of many rows, given column by column; times may be given as `written`."""
    return list(map(SEPARATOR.join, zip(*(_parts(found[name], kind(table, name)) for name in table.key_columns), strict=True)))


def _parts(values: Sequence[Any], what: Kind) -> Sequence[str]:
    if what == "text":
        there = [value or "" for value in values] if None in values else values
        text = "".join(there)
        if SEPARATOR not in text and ESCAPE not in text:
            return there
    elif what == "time" and values and (isinstance(values[0], str) or {*map(type, values)} == {datetime}):
        times: Sequence[Any] = values if isinstance(values[0], str) else written(values)
        if None not in times and (times is values or {*map(attrgetter("tzinfo"), values)} == {UTC}):
            # As isoformat() has them, all in one text.
            text = "\0".join(times) + "\0"
            return text.replace("\0", "+00:00\0").replace(" ", "T").replace(".000000+", "+").split("\0")[:-1]
    return [_part(value) for value in values]


def _part(value: Any) -> str:
    """One part of a key as text in which no separator stands, so that no two keys become one."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text.replace(ESCAPE, ESCAPE + "0").replace(SEPARATOR, ESCAPE + "1")


def _field(column: str) -> str:
    return "from_" if column == "from" else column  # "from" is a word of Python's own


def _column(field: str) -> str:
    return "from" if field == "from_" else field


def _time(value: Any) -> datetime:
    """An aware time in UTC; a naive one is refused, since nobody can say what instant it means."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise ValueError("naive")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("before the year 1 or after 9999 in UTC") from None


def _whole(value: Any) -> int:
    """A whole number that a 64-bit column holds; int() alone would also take True, "1_0" and " 12.0 "."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("not a whole number")
    return value


_TYPES: dict[str, Any] = {
    "time": Annotated[datetime, BeforeValidator(_time)],
    "number": Annotated[int, BeforeValidator(_whole)],
    # PostgreSQL cannot keep a NUL, and no database half of a surrogate pair (which pydantic refuses).
    "text": Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00]*$")],
}
_EXPECTED = {
    "time": "a time in ISO 8601 with an offset or Z, such as 2026-03-02T09:30:00Z",
    "number": "a whole number",
    "text": "text",
}


@cache
def _border(table: type[Fact]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name in columns(table):
        type_ = Literal[RESULTS] if name == "result" else _TYPES[kind(table, name)]
        fields[_field(name)] = (type_, ...) if required(table, name) else (type_ | None, None)
    if "from_" in fields:
        fields["from_"] = (fields["from_"][0], PydanticField(default=None, alias="from"))
    return create_model(f"{table.__name__}Row", __config__=ConfigDict(extra="forbid"), **fields)


def _problem(table: type[Fact], error: Any, row: Mapping[str, Any]) -> Problem:
    if not error["loc"]:  # of the row as a whole: a name in it is no text
        return Problem(
            "",
            ", ".join(map(ascii, row)),
            f"names of columns that are UTF-8; {table.__tablename__} has {', '.join(columns(table))}",
        )
    column = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return Problem(column, row.get(column), f"no such column; {table.__tablename__} has {', '.join(columns(table))}")
    expected = f"one of {', '.join(RESULTS)}" if column == "result" else _EXPECTED[kind(table, column)]
    if error["type"] in ("string_pattern_mismatch", "string_unicode"):
        expected = "text that is UTF-8 and has no NUL character"
    if row.get(column) is None:
        expected += " (it may not be missing)"
    return Problem(column, row.get(column), expected)
