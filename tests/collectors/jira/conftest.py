"""A Jira of our own, and the harvest of it into a store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jira_cloud import TOKEN, JiraCloud
from shelf import Silent

from collectors.base import Context
from collectors.harvest import Outcome, harvest
from collectors.jira.collector import JiraCollector


@dataclass
class Line:
    """A Jira, its server, and a store into which it is harvested."""

    jira: JiraCloud
    peer: object
    shelf: object
    folder: Path
    pauses: list
    silent: Silent = field(default_factory=Silent)

    def collector(self, since=None, **keys) -> JiraCollector:
        """The collector as it would be configured."""
        if "user" not in keys and "email" not in keys and self.jira.cloud:
            keys["email"] = "ann@example.org"
        keys = {"projects": ["PAY"], "token": "env:JIRA_TOKEN", "url": self.peer.url, **keys}
        if "jql" in keys:
            del keys["projects"]
        return JiraCollector.configured(keys, Context(self.folder, since=since, pause=self.pauses.append))

    def collect(self, full=False, since=None, shelf=None, **keys) -> Outcome:
        """Harvest; the requests are counted from zero."""
        self.peer.forget()
        return harvest((shelf or self.shelf).engine, [self.collector(since, **keys)], self.silent, full, lambda: self.jira.now)[0]

    def rows(self, table) -> list[dict]:
        """A table's rows by ticket and time, without the key that is made of the others."""
        rows = [{name: value for name, value in row.items() if name != "uid"} for row in self.shelf.rows(table)]
        return sorted(rows, key=lambda row: [str(row.get(name, "")) for name in ("ticket", "at", "field", "key")])

    def busy(self, issues, moves=5) -> None:
        """Many issues on the site, each with a history of its own."""
        for _ in range(issues):
            self.jira.tick(seconds=30)
            number = self.jira.make("PAY")
            for step in range(moves):
                self.jira.tick(seconds=5)
                self.jira.move(number, "345"[step % 3])
        self.jira.tick(hours=1)

    @property
    def asked(self) -> list[str]:
        """What was asked for, without the version of the API."""
        return [request.path.split("/", 4)[-1] for request in self.peer.requests]


@pytest.fixture
def line(served, shelf, tmp_path, monkeypatch) -> Iterator[Callable[..., Line]]:
    """Makes a Jira with what is given, and serves it: `line(cloud=False).collect()`."""
    monkeypatch.setenv("JIRA_TOKEN", TOKEN)

    def make(handler=None, **site) -> Line:
        jira = JiraCloud(**site)
        answer = jira.handle if handler is None else lambda *asked: handler(jira, *asked)
        return Line(jira, served(answer), shelf, tmp_path, [])

    return make
