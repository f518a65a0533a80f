"""A Jenkins to harvest from, and a store to harvest into."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jenkins_peer import Jenkins
from served import Served
from shelf import Killed, Silent
from shelf import Shelf as Kept
from sqlalchemy.engine import Engine

from collectors.base import Context
from collectors.harvest import Outcome, harvest
from collectors.jenkins.collector import JenkinsCollector
from vsm import store

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


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


class Shelf(Kept):
    """A store that a Jenkins is harvested into."""

    def collect(self, source: JenkinsCollector, full: bool = False) -> Outcome:
        """Harvest a source."""
        return harvest(self.engine, [source], Silent(), full, lambda: MONDAY)[0]

    def killed(self, source: JenkinsCollector, pages: int) -> None:
        """Harvest a source, and be killed after so many pages, if there are as many."""
        with suppress(Killed):
            assert harvest(self.engine, [source], Silent(pages), False, lambda: MONDAY)[0].error is None

    def raw(self) -> str:
        """All raw answers as one text."""
        return "\n".join(f"{key} {answer}" for _, key, answer in store.raw_records(self.engine, "jenkins"))


@pytest.fixture
def site(served: Callable[..., Served]) -> Site:
    """A Jenkins without jobs."""
    jenkins = Jenkins()
    return Site(jenkins, served(jenkins))


@pytest.fixture
def shelves(stores: Callable[[], Engine]) -> Callable[[], Shelf]:
    """Makes stores."""
    return lambda: Shelf(stores())


@pytest.fixture
def shelf(shelves: Callable[[], Shelf]) -> Shelf:
    """An empty store."""
    return shelves()
