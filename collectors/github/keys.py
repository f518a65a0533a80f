"""A GitHub source's keys in the configuration, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from collectors.base import Context
from collectors.credentials import Secret, secret, setting
from collectors.github.repositories import Wanted
from collectors.github.resource import Rules
from collectors.table import Table
from vsm.errors import ConfigError

if TYPE_CHECKING:
    from github.Auth import Auth

PUBLIC = "https://api.github.com"
RESERVE = 100
KEYS = (
    "url", "repositories", "organisations", "topics", "exclude", "token", "app_id", "installation_id", "private_key",
    "application", "release_tags", "deploy_workflows", "deploy_jobs", "incident_labels", "tickets", "commits",
    "max_requests", "reserve", "plain_http",
)  # fmt: skip
APP = ("app_id", "installation_id", "private_key")


@dataclass(frozen=True)
class Keys:
    """What the configuration says of one source."""

    name: str
    url: str
    wanted: Wanted
    rules: Rules
    token: Secret | None
    app: tuple[int | str, int | str, Secret] | None
    tickets: bool
    commits: bool
    most: int | None
    reserve: int

    def auth(self) -> "Auth | None":
        """How we sign in; None where only public things are asked for. Raises ConfigError for a private key that is none."""
        from github import Auth

        if self.token is not None:
            return Auth.Token(self.token.reveal())
        if self.app is None:
            return None
        app, installation = (_id(told, f"source {self.name}: {key}") for key, told in zip(APP, self.app[:2], strict=False))
        key = self.app[2].reveal().replace("\\n", "\n")
        try:
            signs = Auth.AppAuth(app, key)
            signs.create_jwt()
        except Exception as error:  # the library behind it has errors of its own, and some repeat the key
            raise ConfigError(
                f"source {self.name}: private_key: not the private key of a GitHub App ({type(error).__name__});"
                " expected the text of the .pem file that GitHub gave out"
            ) from None
        return signs.get_installation_auth(installation)


def _id(told: int | str, place: str) -> int:
    """A number, or one in an environment variable. Raises ConfigError."""
    text = str(told) if isinstance(told, int) else setting(told, place).reveal()
    if not text.isdigit():
        raise ConfigError(f'{place}: expected a number, or "env:NAME" for an environment variable that holds one')
    return int(text)


def keys(told: Mapping[str, Any], context: Context) -> Keys:
    """The keys of one ``[[sources]]`` table. Raises ConfigError."""
    table = Table.of("github", told, KEYS)
    reserve = table.number("reserve", 0)
    return Keys(
        name=table.name,
        url=_url(table),
        wanted=_wanted(table),
        rules=_rules(table, context),
        token=table.secret("token"),
        app=_app(table),
        tickets=table.flag("tickets", True),
        commits=table.flag("commits", True),
        most=table.number("max_requests", 1),
        reserve=RESERVE if reserve is None else reserve,
    )


def _url(table: Table) -> str:
    expected = f"{PUBLIC}, or https://HOST/api/v3 for GitHub Enterprise Server"
    told = table.url(expected, 'token = "env:GITHUB_TOKEN"', PUBLIC)
    if urlsplit(told).hostname in ("github.com", "www.github.com"):
        raise table.wrong("url", expected)
    return told


def _wanted(table: Table) -> Wanted:
    names, organisations = table.texts("repositories"), table.texts("organisations")
    if not names and not organisations:
        raise ConfigError(
            f'source {table.name}: expected repositories = ["owner/name"] (patterns such as "owner/*" too)'
            ' or organisations = ["owner"]'
        )
    for name in names:
        owner, slash, rest = name.partition("/")
        if not (owner and slash and rest) or "/" in rest or any(sign in owner for sign in "*?["):
            raise ConfigError(f"{table.place('repositories')}: expected owner/name, or a pattern such as owner/*, got {name!r}")
    for name in organisations:
        if "/" in name or "*" in name:
            raise ConfigError(f"{table.place('organisations')}: expected the organisation's name alone, got {name!r}")
    return Wanted(names, organisations, table.texts("topics"), table.texts("exclude"))


def _rules(table: Table, context: Context) -> Rules:
    for key in ("deploy_workflows", "deploy_jobs"):
        for text in table.texts(key):
            table.expression(key, text)
    return Rules(
        application=table.text("application"),
        deploy_workflows=table.texts("deploy_workflows"),
        deploy_jobs=table.texts("deploy_jobs"),
        release_tags=table.texts("release_tags"),
        incident_labels=table.texts("incident_labels"),
        production=context.production,
        is_production=context.is_production,
    )


def _app(table: Table) -> tuple[int | str, int | str, Secret] | None:
    given = [key for key in APP if key in table]
    if not given:
        return None
    if "token" in table:
        raise ConfigError(f"source {table.name}: expected either token or {', '.join(APP)}, not both")
    if missing := [key for key in APP if key not in table]:
        raise ConfigError(f"source {table.name}: a GitHub App signs in with {', '.join(APP)}; {', '.join(missing)} is missing")
    for key in APP[:2]:
        if not str(table.told[key]).startswith("env:"):  # those are looked up when they are needed
            _id(table.told[key], table.place(key))
    return table.told["app_id"], table.told["installation_id"], secret(table.told["private_key"], table.place("private_key"))
