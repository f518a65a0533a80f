"""A GitHub of our own to harvest from, and a store to harvest into."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from github_graphql import GitHub, Thing
from served import Served

from collectors.base import Context, Page
from collectors.github.collector import GitHubCollector
from collectors.handles import Handles
from collectors.harvest import Outcome, harvest
from vsm import store
from vsm.models import TABLES

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
WHO = Handles(b"a key")


@dataclass
class Silent:
    """A watcher that keeps what it is told, or ends the harvest at a page."""

    until: int | None = None
    pages: list[Page] = field(default_factory=list)

    def begins(self, source: str, scope: str) -> None:
        """Nothing."""

    def page(self, source: str, page: Page) -> None:
        """Keep the page; the process may end here."""
        self.pages.append(page)
        if self.until is not None and len(self.pages) == self.until:
            raise KeyboardInterrupt

    def ends(self, outcome: Outcome) -> None:
        """Nothing."""


@dataclass
class Shelf:
    """A store, and what is in it as plain rows."""

    engine: sa.Engine
    folder: Path
    pauses: list[float] = field(default_factory=list)

    def collect(
        self, url: str, full: bool = False, since: datetime | None = None, until: int | None = None, **keys: object
    ) -> Outcome:
        """Harvest acme/shop, or what the keys say; `until` ends the process after so many pages."""
        told = {"url": url, "token": "env:GITHUB_TOKEN", "repositories": ["acme/shop"], **keys}
        told = {key: value for key, value in told.items() if value is not None}
        context = Context(self.folder, since=since, who=WHO, pause=self.pauses.append)
        return harvest(self.engine, [GitHubCollector.configured(told, context)], Silent(until), full, lambda: MONDAY, WHO)[0]

    def rows(self, table: str) -> list[dict[str, object]]:
        """A table's rows in the order of its key, without what is missing in them."""
        target = TABLES[table].__table__
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(target).order_by(*target.primary_key)).mappings().all()
        return [
            {name: value for name, value in row.items() if value is not None and name not in ("origin", "uid")} for row in found
        ]

    def everything(self) -> dict[str, list[dict[str, object]]]:
        """All rows of all tables that have any."""
        return {name: rows for name in TABLES if (rows := self.rows(name))}


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """A token in the environment."""
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    return "ghp_secret"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty store."""
    return Shelf(store.open_store(f"sqlite:///{tmp_path / 'store.db'}"), tmp_path)


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Shelf]:
    """Makes more stores, to compare one harvest with another."""
    made: list[Shelf] = []

    def make() -> Shelf:
        made.append(Shelf(store.open_store(f"sqlite:///{tmp_path / f'other{len(made)}.db'}"), tmp_path))
        return made[-1]

    return make


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
