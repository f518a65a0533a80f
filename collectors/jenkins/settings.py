"""What a Jenkins source may say in the configuration, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from collectors.base import Context
from collectors.credentials import Secret, secret, setting
from collectors.jenkins.deploys import Rules
from collectors.jenkins.jobs import Selection
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
)
LEAST = 10  # requests: with fewer no run would come to the end of its first page


@dataclass(frozen=True)
class Settings:
    """One Jenkins source."""

    name: str
    url: str
    user: str | None
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
    name = str(keys.get("name", "jenkins"))
    told = {key: value for key, value in keys.items() if key != "name"}
    if unknown := sorted(set(told) - set(KEYS)):
        raise ConfigError(f"source {name}: no such key: {', '.join(unknown)}; a jenkins source has {', '.join((*KEYS, 'name'))}")
    user, token = told.get("user"), told.get("token")
    if (user is None) != (token is None):
        raise ConfigError(f"source {name}: user and token go together: a Jenkins user's id, and an API token of that user")
    deploy_stages = _expressions(name, "deploy_stages", told)
    if deploy_stages and told.get("stages") is False:
        raise ConfigError(f"source {name}: deploy_stages asks for stages, but stages = false; take one of them out")
    rules = Rules(
        production=context.production,
        stages=deploy_stages,
        jobs=_expressions(name, "deploy_jobs", told),
        parameters=_parameters(name, told),
        application=_text(name, "application", told),
        unstable=_choice(name, "unstable", told, ("success", "failure"), "failure"),
    )
    return Settings(
        name=name,
        url=_url(name, told),
        user=None if user is None else setting(user, f"source {name}: user"),
        token=None if token is None else secret(token, f"source {name}: token"),
        selection=Selection(_expressions(name, "jobs", told), _expressions(name, "exclude_jobs", told)),
        rules=rules,
        stages=_flag(name, "stages", told, bool(deploy_stages)),
        most=_count(name, "max_requests", told),
    )


def _url(name: str, told: Mapping[str, Any]) -> str:
    value = told.get("url")
    parts = urlsplit(value) if isinstance(value, str) else None
    try:
        well = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        well = False
    if not well or parts is None:
        raise ConfigError(f'source {name}: url: expected the address of Jenkins, such as "https://ci.example.org", got {value!r}')
    if parts.username or parts.password:
        raise ConfigError(f'source {name}: url: no user or password may stand in it; give user and token = "env:JENKINS_TOKEN"')
    if parts.query or parts.fragment:
        raise ConfigError(f"source {name}: url: expected the address alone, without ? or #")
    return str(value).rstrip("/")


def _text(name: str, key: str, told: Mapping[str, Any]) -> str | None:
    value = told.get(key)
    if key in told and not (isinstance(value, str) and value.strip()):
        raise ConfigError(f"source {name}: {key}: expected text, got {value!r}")
    return value


def _expressions(name: str, key: str, told: Mapping[str, Any]) -> tuple[re.Pattern[str], ...]:
    values = told.get(key, ())
    if not isinstance(values, (list, tuple)) or (key in told and not values):
        raise ConfigError(f'source {name}: {key}: expected a list of regular expressions, such as ["^shop/.*"], got {values!r}')
    return tuple(_expression(name, key, value) for value in values)


def _expression(name: str, key: str, value: Any) -> re.Pattern[str]:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"source {name}: {key}: expected a regular expression, got {value!r}")
    try:
        return re.compile(value)
    except (re.error, OverflowError) as error:
        raise ConfigError(f"source {name}: {key}: {value!r} is no regular expression: {error}") from None


def _parameters(name: str, told: Mapping[str, Any]) -> dict[str, re.Pattern[str]]:
    values = told.get("deploy_parameters", {})
    if not isinstance(values, Mapping) or ("deploy_parameters" in told and not values):
        raise ConfigError(
            f'source {name}: deploy_parameters: expected names with expressions, such as {{ ENV = "^prod" }}, got {values!r}'
        )
    return {str(key): _expression(name, f"deploy_parameters.{key}", value) for key, value in values.items()}


def _choice(name: str, key: str, told: Mapping[str, Any], allowed: tuple[str, ...], default: str) -> str:
    value = told.get(key, default)
    if value not in allowed:
        raise ConfigError(f"source {name}: {key}: expected {' or '.join(map(repr, allowed))}, got {value!r}")
    return str(value)


def _flag(name: str, key: str, told: Mapping[str, Any], default: bool) -> bool:
    value = told.get(key, default)
    if not isinstance(value, bool):
        raise ConfigError(f"source {name}: {key}: expected true or false, got {value!r}")
    return value


def _count(name: str, key: str, told: Mapping[str, Any]) -> int | None:
    value = told.get(key)
    if key in told and (isinstance(value, bool) or not isinstance(value, int) or value < LEAST):
        raise ConfigError(f"source {name}: {key}: expected a number of at least {LEAST}, got {value!r}")
    return value
