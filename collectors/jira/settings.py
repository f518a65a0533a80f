"""What a Jira source may say in the configuration, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from collectors.base import Context
from collectors.credentials import Secret, Setting
from collectors.jira.issues import Rules
from collectors.table import Table
from vsm.errors import ConfigError

KEYS = (
    "url", "email", "user", "token", "projects", "jql", "incident_types", "incident_labels", "incident_jql",
    "application", "application_from", "team_field", "boards", "sweep", "max_requests", "plain_http",
)  # fmt: skip
PROJECT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
PLACES = ("component", "label", "project")
SWEEP = 7  # days between two looks for issues that are gone, which no search shows
LEAST = 20  # requests: with fewer no run would come to the end of its first page


@dataclass(frozen=True)
class Scope:
    """A list of issues that is read for itself: a project, or what a query of the configuration finds."""

    name: str
    jql: str


@dataclass(frozen=True)
class Settings:
    """One Jira source."""

    name: str
    url: str
    user: Setting | None
    token: Secret | None
    scopes: tuple[Scope, ...]
    rules: Rules
    incident_jql: str | None
    team: str | None
    boards: tuple[str, ...]
    sweep: timedelta
    most: int | None

    @property
    def projects(self) -> tuple[str, ...]:
        """The keys of the projects that are named."""
        return tuple(scope.name for scope in self.scopes if scope.name != "jql")


def settings(keys: Mapping[str, Any], context: Context) -> Settings:
    """A source from one ``[[sources]]`` table. Raises ConfigError."""
    table = Table.of("jira", keys, KEYS)
    if "email" in table and "user" in table:
        raise ConfigError(f"source {table.name}: either email (Cloud) or user (Server, Data Center), but both are there")
    who = "email" if "email" in table else "user"
    if who in table and "token" not in table:
        raise ConfigError(f'source {table.name}: {who} wants a token beside it: token = "env:JIRA_TOKEN"')
    days = table.number("sweep", 0)
    return Settings(
        name=table.name,
        url=table.url('the address of Jira, such as "https://example.atlassian.net"', 'email and token = "env:JIRA_TOKEN"'),
        user=table.setting(who),
        token=table.secret("token"),
        scopes=_scopes(table),
        rules=Rules(
            incident_types=frozenset(one.casefold() for one in table.texts("incident_types")),
            incident_labels=frozenset(one.casefold() for one in table.texts("incident_labels")),
            application=table.text("application"),
            application_from=_place(table),
        ),
        incident_jql=_jql(table, "incident_jql"),
        team=table.text("team_field"),
        boards=_boards(table),
        sweep=timedelta(days=SWEEP if days is None else days),
        most=table.number("max_requests", LEAST),
    )


def _scopes(table: Table) -> tuple[Scope, ...]:
    if ("projects" in table) == ("jql" in table):
        raise ConfigError(f'source {table.name}: expected either projects = ["PAY"] or jql = "project = PAY"')
    if jql := _jql(table, "jql"):
        return (Scope("jql", jql),)
    projects = table.texts("projects")
    wrong = next((key for key in projects if not PROJECT.fullmatch(key)), None)
    if wrong is not None:
        raise ConfigError(f'{table.place("projects")}: expected keys of projects, such as ["PAY"], got {wrong!r}')
    return tuple(Scope(key, f'project = "{key}"') for key in dict.fromkeys(projects))


def _jql(table: Table, key: str) -> str | None:
    """A query without an order: the collector gives its own."""
    text = table.text(key)
    if text is not None and re.search(r"\border\s+by\b", text, re.IGNORECASE):
        raise ConfigError(f"{table.place(key)}: expected a query without ORDER BY: issues are read in an order of their own")
    return text


def _place(table: Table) -> str | None:
    value = table.choice("application_from", PLACES)
    if value is not None and "application" in table:
        raise ConfigError(f"source {table.name}: either application or application_from, but both are there")
    return value


def _boards(table: Table) -> tuple[str, ...]:
    values = table.told.get("boards", ())
    well = isinstance(values, (list, tuple)) and all(isinstance(one, (str, int)) and not isinstance(one, bool) for one in values)
    if not well:
        raise table.wrong("boards", 'a list of ids or names, such as [12, "Payments"]')
    return tuple(str(one) for one in values)
