"""A Jenkins to harvest from, and a store to harvest into."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from jenkins_peer import Jenkins
from served import Served

from collectors.base import Context, Page
from collectors.harvest import Outcome, harvest
from collectors.jenkins.collector import JenkinsCollector
from vsm import store
from vsm.models import TABLES

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass
class Silent:
    """A watcher that keeps what it is told, or ends the harvest at a page."""

    until: int | None = None
    pages: list[Page] = field(default_factory=list)

    def begins(self, source: str, scope: str) -> None:
        """Nothing."""

    def page(self, source: str, page: Page) -> None:
        """Keep the page."""
        self.pages.append(page)
        if self.until is not None and len(self.pages) >= self.until:
            raise Killed

    def ends(self, outcome: Outcome) -> None:
        """Nothing."""


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Site:
    """A Jenkins, served, and the waits that its client would have made."""

    jenkins: Jenkins
    served: Served
    waits: list[float] = field(default_factory=list)

    def source(self, since: datetime | None = None, **keys: Any) -> JenkinsCollector:
        """A collector of it."""
        context = Context(Path(), since=since, pause=self.waits.append)
        return JenkinsCollector.configured({"url": self.served.url + self.jenkins.prefix, **keys}, context)


@dataclass
class Shelf:
    """A store, and what is in it as plain rows."""

    engine: sa.Engine

    def collect(self, source: JenkinsCollector, full: bool = False) -> Outcome:
        """Harvest a source."""
        return harvest(self.engine, [source], Silent(), full, lambda: MONDAY)[0]

    def killed(self, source: JenkinsCollector, pages: int) -> None:
        """Harvest a source, and be killed after so many pages, if there are as many."""
        with suppress(Killed):
            assert harvest(self.engine, [source], Silent(pages), False, lambda: MONDAY)[0].error is None

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A table's rows in the order of its key, without what is missing in them."""
        target = TABLES[table].__table__
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(target).order_by(*target.primary_key)).mappings().all()
        return [
            {name: value for name, value in row.items() if value is not None and name not in ("origin", "uid")} for row in found
        ]

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All rows of all tables that have any."""
        return {name: rows for name in TABLES if (rows := self.rows(name))}

    def raw(self) -> str:
        """All raw answers as one text."""
        return "\n".join(f"{key} {answer}" for _, key, answer in store.raw_records(self.engine, "jenkins"))


@pytest.fixture
def site(served: Callable[..., Served]) -> Site:
    """A Jenkins without jobs."""
    jenkins = Jenkins()
    return Site(jenkins, served(jenkins))


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Callable[[], Shelf]]:
    """Makes stores."""
    made: list[Shelf] = []

    def shelf() -> Shelf:
        made.append(Shelf(store.open_store(f"sqlite:///{tmp_path / f'store{len(made)}.db'}")))
        return made[-1]

    yield shelf
    for one in made:
        one.engine.dispose()


@pytest.fixture
def shelf(shelves: Callable[[], Shelf]) -> Shelf:
    """An empty store."""
    return shelves()
