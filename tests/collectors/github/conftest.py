"""A GitHub of our own to harvest from, and a store to harvest into."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shelf as shelves
from github_graphql import GitHub, Thing
from served import Served
from sqlalchemy.engine import Engine

from collectors.base import Context
from collectors.github.collector import GitHubCollector
from collectors.handles import Handles
from collectors.harvest import Outcome, harvest

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
WHO = Handles(b"a key")


@dataclass
class Shelf(shelves.Shelf):
    """A store that a GitHub is harvested into."""

    folder: Path
    pauses: list[float] = field(default_factory=list)

    def collect(
        self, url: str, full: bool = False, since: datetime | None = None, until: int | None = None, **keys: object
    ) -> Outcome:
        """Harvest acme/shop, or what the keys say; `until` ends the process after so many pages."""
        told = {"url": url, "token": "env:GITHUB_TOKEN", "repositories": ["acme/shop"], **keys}
        told = {key: value for key, value in told.items() if value is not None}
        context = Context(self.folder, since=since, who=WHO, pause=self.pauses.append)
        return harvest(self.engine, [GitHubCollector.configured(told, context)], shelves.Silent(until), full, lambda: MONDAY, WHO)[
            0
        ]


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """A token in the environment."""
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    return "ghp_secret"


@pytest.fixture
def shelf(stores: Callable[[], Engine], tmp_path: Path) -> Shelf:
    """An empty store."""
    return Shelf(stores(), tmp_path)


@pytest.fixture
def fresh(stores: Callable[[], Engine], tmp_path: Path) -> Callable[[], Shelf]:
    """Makes more stores, to compare one harvest with another."""
    return lambda: Shelf(stores(), tmp_path)


@pytest.fixture
def github(served, graphql_schema) -> Callable[[Iterable[Thing]], tuple[GitHub, Served]]:
    """Starts a GitHub that holds some repositories: `peer, server = github([repository("acme/shop")])`."""

    def start(repositories: Iterable[Thing]) -> tuple[GitHub, Served]:
        peer = GitHub(graphql_schema, repositories)
        return peer, served(peer)

    return start


@pytest.fixture
def who() -> Handles:
    """Addresses to handles, as the harvest turns them."""
    return WHO
