"""What a Jenkins source may say in the configuration, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from collectors.base import Context
from collectors.credentials import Secret, Setting
from collectors.jenkins.deploys import Rules
from collectors.jenkins.jobs import Selection
from collectors.table import Table
from vsm.errors import ConfigError

KEYS = (
    "url",
    "user",
    "token",
    "jobs",
    "exclude_jobs",
    "deploy_jobs",
    "deploy_stages",
    "deploy_parameters",
    "application",
    "stages",
    "unstable",
    "max_requests",
    "plain_http",
)
LEAST = 10  # requests: with fewer no run would come to the end of its first page


@dataclass(frozen=True)
class Settings:
    """One Jenkins source."""

    name: str
    url: str
    user: Setting | None
    token: Secret | None
    selection: Selection
    rules: Rules
    stages: bool
    most: int | None

    @property
    def server(self) -> str:
        """The server as part of an id: its host and path."""
        parts = urlsplit(self.url)
        return (parts.netloc.rpartition("@")[2] + parts.path).rstrip("/")

    @property
    def reads(self) -> str:
        """What of a build is read and kept. Where that changes, all builds are read again."""
        return f"1 stages={self.stages} parameters={','.join(sorted(self.rules.parameters or ()))}"


def settings(keys: Mapping[str, Any], context: Context) -> Settings:
    """A source from one ``[[sources]]`` table. Raises ConfigError."""
    table = Table.of("jenkins", keys, KEYS)
    if ("user" in table) != ("token" in table):
        raise ConfigError(f"source {table.name}: user and token go together: a Jenkins user's id, and an API token of that user")
    deploy_stages = table.expressions("deploy_stages")
    if deploy_stages and table.told.get("stages") is False:
        raise ConfigError(f"source {table.name}: deploy_stages asks for stages, but stages = false; take one of them out")
    rules = Rules(
        production=context.production,
        stages=deploy_stages,
        jobs=table.expressions("deploy_jobs"),
        parameters=_parameters(table),
        application=table.text("application"),
        unstable=table.choice("unstable", ("success", "failure"), "failure") or "failure",
    )
    return Settings(
        name=table.name,
        url=table.url('the address of Jenkins, such as "https://ci.example.org"', 'user and token = "env:JENKINS_TOKEN"'),
        user=table.setting("user"),
        token=table.secret("token"),
        selection=Selection(table.expressions("jobs"), table.expressions("exclude_jobs")),
        rules=rules,
        stages=table.flag("stages", bool(deploy_stages)),
        most=table.number("max_requests", LEAST),
    )


def _parameters(table: Table) -> dict[str, re.Pattern[str]]:
    values = table.told.get("deploy_parameters", {})
    if not isinstance(values, Mapping) or ("deploy_parameters" in table and not values):
        raise table.wrong("deploy_parameters", 'names with expressions, such as { ENV = "^prod" }')
    return {str(key): table.expression(f"deploy_parameters.{key}", value) for key, value in values.items()}
