"""vsm.toml, validated: what the streams are, who belongs to them, what counts as production.

Every key of the contract has its default here. A wrong key or value is refused with the place and
what was expected, all of them at once. Secrets are never values here: ``env:NAME`` is kept as it is
and resolved by the collector that needs it.
"""

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from vsm.errors import ConfigError as ConfigError
from vsm.serving import Hooks, Server
from vsm.sign_in import Access, SignIn

EVENTS = (
    "ticket.created",
    "commit.first",
    "pull_request.opened",
    "pull_request.ready",
    "pull_request.approved",
    "pull_request.merged",
    "pull_request.closed",
    "review.requested",
    "review.submitted",
    "build.queued",
    "build.started",
    "build.finished",
    "deployment.started",
    "deployment.finished",
)
IN_AN_ENVIRONMENT = ("deployment.started", "deployment.finished")  # may carry ":environment"
DENYING = ("non", "not", "pre")  # "non-prod" and "pre-production" are names of places that are not production
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _event(value: Any) -> Any:
    name, colon, environment = str(value).partition(":")
    if name not in EVENTS or (colon and (name not in IN_AN_ENVIRONMENT or not environment)):
        raise ValueError(f"expected one of {', '.join(EVENTS)} (deployment.… may end in :environment)")
    return value


def _zone(value: Any) -> Any:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, TypeError, OSError):
        raise ValueError('expected a time zone such as "Europe/Vienna"') from None
    return value


def _clock(value: Any) -> Any:
    hour, colon, minute = str(value).partition(":")
    if not (colon and hour.isdigit() and minute.isdigit() and len(minute) == 2):
        raise ValueError('expected a time of day such as "09:00"')
    if int(hour) * 60 + int(minute) > 24 * 60 or int(minute) > 59:
        raise ValueError("expected a time of day from 00:00 to 24:00")
    return value


def _handle(value: Any) -> Any:
    source, colon, handle = str(value).partition(":")
    if not (source and colon and handle):
        raise ValueError('expected a handle with its kind of source, such as "git:ann@example.org" or "github:ann"')
    return value


Handle = Annotated[str, BeforeValidator(_handle)]
Event = Annotated[str, BeforeValidator(_event)]
Names = tuple[str, ...]
Level = Literal["sub-task", "item", "parent", "epic"]  # vsm/levels.py


class Part(BaseModel):
    """A table of the configuration: only known keys, never changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StageConfig(Part):
    """One stage of a stream: which statuses and events put an item in it, start and end its work."""

    name: str = Field(min_length=1)
    waiting: Names = ()
    active: Names = ()
    opens: tuple[Event, ...] = ()
    starts: tuple[Event, ...] = ()
    closes: tuple[Event, ...] = ()
    people: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    wip_limit: Annotated[int, Field(gt=0)] | None = None
    team: str | None = None


class StreamConfig(Part):
    """A value stream: who belongs to it, and its stages in map order."""

    name: str = Field(min_length=1)
    applications: Names = ()
    projects: Names = ()
    teams: Names = ()
    repositories: Names = ()
    new: Names = ()
    done: Names = ()
    cancelled: Names = ()
    ignored: Names = ()
    level: Level = "item"
    stages: tuple[StageConfig, ...] = ()
    groups: Names = Field(default=(), exclude=True)  # of the sign-in: only their members see it; without any, everybody

    @model_validator(mode="after")
    def _one_place_each(self) -> Self:
        """A status means one thing and an event opens one stage, or an item would be in two stages at a time."""
        statuses = [*self.new, *self.done, *self.cancelled, *self.ignored]
        statuses += [status for stage in self.stages for status in (*stage.waiting, *stage.active)]
        opening = [event for stage in self.stages for event in {*stage.opens, *stage.starts}]
        for what, names in (
            ("stage", [stage.name for stage in self.stages]),
            ("status", [status.casefold() for status in statuses]),
            ("event in opens or starts", opening),
        ):
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ValueError(f"expected each {what} in one place, but {twice[0]!r} is in several")
        return self


class Production(Part):
    """Which environments are production: whole words of the source's own name, any case."""

    environments: Names = ("production", "prod", "live")

    def matches(self, environment: str) -> bool:
        """Whether an environment's name says production: "prod-eu" does, "preprod" and "non-prod" do not."""
        words = _words(environment)
        return any(_within(_words(name), words) for name in self.environments)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _within(wanted: list[str], words: list[str]) -> bool:
    """Whether the wanted words stand side by side among the words, not behind a word that denies them."""
    size = len(wanted)
    starts = [at for at in range(len(words) - size + 1) if words[at : at + size] == wanted]
    return bool(wanted) and any(at == 0 or words[at - 1] not in DENYING for at in starts)


class Levels(Part):
    """Which types of tickets hold items and are none: all others with a parent are parts of it."""

    epics: Names = ("Epic", "Initiative", "Theme")


def _pattern(value: Any) -> Any:
    try:
        re.compile(value)
    except (re.error, TypeError) as error:
        raise ValueError(f"expected a regular expression ({error})") from None
    return value


def _path(value: Any) -> Any:
    """A path pattern as it is matched: from the repository's root, `/` between folders; the root itself is everything in it."""
    if not isinstance(value, str):
        return value
    parts = [part for part in value.strip().split("/") if part not in ("", ".")]
    if not value.strip() or value.lstrip().startswith("!") or ".." in parts:
        raise ValueError(f"{value!r} is no path in a repository: expected such as services/pay/**")
    return "/".join(parts) or "**"


Days = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Patterns = tuple[Annotated[str, BeforeValidator(_pattern)], ...]


class Incidents(Part):
    """How an incident may be laid to a deployment, and which are not counted."""

    link_within_days: Days = 7
    exclude_labels: Names = ()
    causing_links: Names = (  # of a ticket to what it caused; those that end in "by" the other way round
        "causes", "caused", "is caused by", "caused by", "introduces", "introduced", "is introduced by", "introduced by",
    )  # fmt: skip
    exclude_titles: Patterns = ()  # found anywhere in a title, in any case


Reason = Literal["incident", "rollback", "revert", "hotfix"]


class Dora(Part):
    """Where the five DORA metrics begin and end, and what they count."""

    lead_time_start: Literal["first_commit", "opened", "merged"] = "first_commit"
    lead_time_end: Literal["finished", "started"] = "finished"  # of the deployment
    first_deployment: Literal["none", "history"] = "none"  # what it brought, where its source states no commits
    failed_runs_count: bool = False  # in the change fail rate
    remediation: tuple[Reason, ...] = ("incident", "rollback", "revert", "hotfix")
    revert_within_days: Days = 28
    guess_hotfixes: bool = True  # one that nothing tells what it mends is laid to the deployment just before it
    unplanned_share: Annotated[float, Field(gt=0, le=1)] = 0.5  # of what a deployment brought, so that it was made for the remedy
    recovery_start: Literal["deployed", "opened"] = "deployed"  # of the deployment, or of its first incident
    exclude_authors: Names = ()
    exclude_bots: bool = False
    exclude_labels: Names = ()


class Application(Part):
    """One ``[[applications]]`` table: which paths of a repository are an application's own."""

    name: str = Field(min_length=1)
    repository: str = Field(min_length=1)
    paths: Annotated[tuple[Annotated[str, BeforeValidator(_path)], ...], Field(min_length=1)]


class Calendar(Part):
    """Working time, in the reporting zone."""

    workdays: Annotated[tuple[Literal[DAYS], ...], Field(min_length=1)] = DAYS[:5]  # type: ignore[valid-type]  # a Literal of a constant
    hours: tuple[Annotated[str, BeforeValidator(_clock)], Annotated[str, BeforeValidator(_clock)]] = ("09:00", "17:00")

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if minutes(self.hours[0]) >= minutes(self.hours[1]):
            raise ValueError("expected hours to end after they begin")
        return self


class Privacy(Part):
    """What is shown of people."""

    people: Literal["pseudonyms", "names", "none"] = "pseudonyms"
    key: str | None = None  # of people's e-mail addresses: env:NAME or keyring:service/user


KeptDays = Annotated[int, Field(ge=1, le=36_500)]


class Retention(Part):
    """How many days is kept what `vsm prune` deletes; what is left out is kept for ever."""

    raw_days: KeptDays | None = None  # since a source last told it
    facts_days: KeptDays | None = None  # since the work was over
    deliveries_days: KeptDays | None = None
    audit_days: KeptDays | None = None


class Warehouse(Part):
    """What an engine's own tables and columns are called (vsm/warehouse/tables.py)."""

    tables: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, dict[str, str]] = Field(default_factory=dict)


class Source(BaseModel):
    """One ``[[sources]]`` table: its kind and name, and the keys that only its collector understands."""

    model_config = ConfigDict(frozen=True)
    kind: str
    name: str
    keys: dict[str, Any]


class Config(Part):
    """The whole configuration; ``folder`` is where its relative paths start, ``path`` is None without a file."""

    timezone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    streams: tuple[StreamConfig, ...] = ()
    production: Production = Production()
    incidents: Incidents = Incidents()
    levels: Levels = Levels()
    dora: Dora = Dora()
    applications: tuple[Application, ...] = ()
    calendar: Calendar | None = None
    privacy: Privacy = Privacy()
    retention: Retention = Retention()
    warehouse: Warehouse = Warehouse()
    people: dict[str, tuple[Handle, ...]] = Field(default_factory=dict)  # a person's handles: "github:ann", "jira:5b10…"
    sources: tuple[Source, ...] = ()
    sign_in: SignIn | None = Field(default=None, exclude=True)  # what tells of accounts goes into no export
    access: Access = Field(default=Access(), exclude=True)
    server: Server = Field(default=Server(), exclude=True)  # how it is served changes no number
    hooks: Hooks = Field(default=Hooks(), exclude=True)
    folder: Path = Field(default=Path("."), exclude=True)
    path: Path | None = Field(default=None, exclude=True)

    @property
    def zone(self) -> ZoneInfo:
        """The reporting zone."""
        return ZoneInfo(self.timezone)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        for what, names in (("stream", [s.name for s in self.streams]), ("source", [s.name for s in self.sources])):
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ValueError(f"expected {what} names that differ, but {twice[0]!r} is there twice; give each a name")
        return self


def minutes(clock: str) -> int:
    """A time of day as minutes after midnight."""
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def load(path: Path | None) -> Config:
    """The configuration in a file; without a path ``vsm.toml`` in the working folder, else the defaults.

    Raises ConfigError when the file is missing, is not TOML, or says something that cannot be.
    """
    if path is None:
        if not Path("vsm.toml").exists():
            return Config()
        path = Path("vsm.toml")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read ({reason}); give --config a readable file") from None
    return parse(text, path)


def parse(text: str, path: Path) -> Config:
    """The configuration that a file's text says. Raises ConfigError."""
    try:
        told = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits, and tables a thousand deep
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    told["sources"] = _sources(told.get("sources", []), path)
    try:
        return Config.model_validate({**told, "folder": path.parent, "path": path})
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_sentence(problem)}" for problem in _causes(error.errors()))) from None


def _sources(tables: Any, path: Path) -> list[dict[str, Any]]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path}: sources: expected tables that begin with [[sources]]")
    for place, table in enumerate(tables):
        if not isinstance(table.get("kind"), str):
            raise ConfigError(f'{path}: sources[{place}]: expected a kind, such as kind = "git"')
        if not isinstance(table.get("name", ""), str):
            raise ConfigError(f"{path}: sources[{place}].name: expected text")
    unnamed = Counter(table["kind"] for table in tables if "name" not in table)
    return [
        {
            "kind": table["kind"],
            "name": table.get("name") or _name(table, alone=unnamed[table["kind"]] == 1),
            "keys": {key: value for key, value in table.items() if key not in ("kind", "name")},
        }
        for table in tables
    ]


def _name(table: dict[str, Any], alone: bool) -> str:
    """A name for a source that has none: its kind, and what tells it apart where there are several of a kind."""
    apart = "" if alone else next((str(table[key]) for key in ("path", "url", "paths", "repositories") if key in table), "")
    return f"{table['kind']} {apart}".strip()


# What pydantic says in words of its own trade.
SAID = {
    "tuple_type": "expected a list",
    "model_type": "expected a table",
    "missing": "expected this key, but it is not there",
    "string_type": "expected text",
    "string_too_short": "expected some text",
    "too_short": "expected at least one",
}


def _causes(problems: list[Any]) -> list[Any]:
    """Without those that only follow from others: a list is too short when its one entry is wrong."""
    inner = {problem["loc"][:-1] for problem in problems}
    return [problem for problem in problems if problem["type"] != "too_short" or problem["loc"] not in inner]


def _sentence(problem: Any) -> str:
    place = ""
    for part in problem["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    if problem["type"] == "extra_forbidden":
        return f"{place}: no such key; see the configuration in README.md for those there are"
    message = SAID.get(problem["type"], problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1))
    silent = problem["type"] == "missing" or "never the secret itself" in message  # what was given may be the secret
    given = "" if isinstance(problem["input"], (dict, Part)) or silent else f", got {problem['input']!r}"
    return f"{place or 'the configuration'}: {message[0].lower()}{message[1:]}{given}"
