"""The GitHub emulator from npm (`emulate`): stateful REST of repositories, pull requests, reviews, releases; no GraphQL.

It knows no deployments, ETags, lists of an organisation's repositories or repository-wide issue events, and gives more
in a list of pull requests than GitHub does. With a clock, through libfaketime, its answers carry the times that a test
gives: a history whose lead times are known beforehand.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import requests
from programs import HERE, Program, absent, free_port, node, package

TOKEN = "token-of-the-emulator"


class Emulator:
    """A running emulator. `url` and `token` sign in as the first user; `at()` sets its clock where it was started with one."""

    token = TOKEN

    def __init__(self, folder: Path, seed: Mapping[str, object], at: str | datetime | None = None) -> None:
        folder.mkdir(parents=True)
        self._clock, self._asked = folder / "clock", folder / "requests"
        self._asked.touch()
        (folder / "seed.json").write_text(json.dumps(seed))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {"REQUESTS_FILE": str(self._asked), "TZ": "UTC"}
        if at is not None:
            environment |= _faketime(self._clock)
            self.at(at)
        command = [node(), "--require", HERE / "emulate.cjs", package("emulate/dist/index.js"), "start", "--service", "github"]
        options = ["--port", port, "--base-url", self.url, "--seed", folder / "seed.json"]
        self._program = Program([*command, *options], port, "/rate_limit", folder / "log", environment)
        self._session = requests.Session()
        self._session.trust_env = False  # a .netrc would sign in as somebody else
        self._session.headers["Authorization"] = f"token {TOKEN}"
        self.forget()

    def at(self, when: str | datetime) -> None:
        """Set the clock, in UTC, for all that is asked from now on; it stands still until it is set again."""
        time = when if isinstance(when, datetime) else datetime.fromisoformat(when).replace(tzinfo=UTC)
        new = self._clock.with_suffix(".new")
        new.write_text(f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}\n")
        new.replace(self._clock)  # the emulator must never read half a time

    def ask(self, method: str, path: str, body: object = None) -> object:
        """What it answers as JSON; it must not be an error."""
        answer = self._session.request(method, self.url + path, json=body, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    @property
    def requests(self) -> list[str]:
        """What it was asked, as "GET /repos/octocat/shop?page=2", by us too."""
        return self._asked.read_text().splitlines()

    def forget(self) -> None:
        """Count from zero again."""
        self._asked.write_text("")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._program.pid

    def close(self) -> None:
        """End it."""
        self._session.close()
        self._program.close()


def seed(repositories: Iterable[str], organisations: Iterable[str] = (), **more: object) -> dict[str, object]:
    """What an emulator begins with: the owners of "owner/name" are users, unless they are organisations."""
    pairs = [name.split("/") for name in repositories]
    groups = list(organisations)
    users = list(dict.fromkeys(owner for owner, _ in pairs if owner not in groups)) or ["octocat"]
    github: dict[str, object] = {
        "users": [{"login": user} for user in users],
        "orgs": [{"login": group, "members": [{"login": users[0], "role": "admin"}]} for group in groups],
        "repos": [{"owner": owner, "name": name, "auto_init": True} for owner, name in pairs],
    }
    return {"tokens": {TOKEN: {"login": users[0], "scopes": ["repo", "user", "read:org"]}}, "github": github | more}


def _faketime(clock: Path) -> dict[str, str]:
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        absent("libfaketime")
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
