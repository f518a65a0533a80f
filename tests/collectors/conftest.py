"""Small real repositories, made with the git program and fixed dates, and the harvest of one into a store."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shelf as shelves
from sqlalchemy.engine import Engine

from collectors.base import Context
from collectors.git import GitCollector
from collectors.handles import Handles
from collectors.harvest import Outcome, harvest
from vsm import sqlite_store, store

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
WHO = Handles(b"the key of these tests")


@dataclass
class Repo:
    """A repository that is being made; each commit is an hour after the one before it, unless it is given a time."""

    path: Path
    clock: datetime = MONDAY
    environment: dict[str, str] = field(default_factory=dict)

    def git(self, *arguments: str, told: bytes | str = b"") -> str:
        """What a git command prints."""
        seconds = f"{int(self.clock.timestamp())} +0000"
        who = {
            "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "Ann@Example.org", "GIT_COMMITTER_NAME": "Bot",
            "GIT_COMMITTER_EMAIL": "bot@example.org", "GIT_AUTHOR_DATE": seconds, "GIT_COMMITTER_DATE": seconds,
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            input=told.encode() if isinstance(told, str) else told,
            capture_output=True,
            env=os.environ | who | self.environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("utf-8", "replace").strip()

    def commit(self, message: str = "work", **environment: str) -> str:
        """One more commit where we are; its sha."""
        self.clock += timedelta(hours=1)
        self.environment = environment
        self.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-F", "-", told=message)
        self.environment = {}
        return self.git("rev-parse", "HEAD")

    def merge(self, *branches: str, message: str) -> str:
        """A merge of branches into where we are; its sha."""
        self.clock += timedelta(hours=1)
        self.git("merge", "--quiet", "--no-ff", "--allow-unrelated-histories", "-m", message, *branches)
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, start: str = "HEAD") -> None:
        """A new branch, and we are on it."""
        self.git("checkout", "--quiet", "-b", name, start)

    def switch(self, name: str) -> None:
        """To another branch."""
        self.git("checkout", "--quiet", name)

    def tag(self, name: str, *arguments: str) -> None:
        """A tag, an hour after the commit before it."""
        self.clock += timedelta(hours=1)
        self.git("tag", *arguments, name)

    def raw(self, sha: str, old: str, new: str) -> str:
        """A copy of a commit with a part of its text exchanged, as no git command would write it; its sha."""
        text = subprocess.run(["git", "-C", str(self.path), "cat-file", "commit", sha], capture_output=True, check=True).stdout
        assert old.encode() in text
        changed = text.replace(old.encode(), new.encode(errors="surrogateescape"))
        return self.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", told=changed)


def repository(path: Path, *arguments: str) -> Repo:
    """A new repository without a commit."""
    path.mkdir(parents=True, exist_ok=True)
    repo = Repo(path)
    repo.git("init", "--quiet", "-b", "main", *arguments)
    return repo


@dataclass
class Shelf(shelves.Shelf):
    """A store that clones are harvested into, as the program does it: through SQLite's own driver."""

    who: Handles = WHO

    def collect(self, path: Path, full: bool = False, since: datetime | None = None, page: int = 5000, **keys: object) -> Outcome:
        """Harvest a clone as the source "git"."""
        collector = GitCollector.configured({"path": str(path), **keys}, Context(path.parent, since=since, who=self.who))
        collector.page = page
        engine: Any = self.engine
        if engine.dialect.name == "sqlite":
            engine = sqlite_store.open_store(Path(str(engine.url.database)))
            assert engine is not None
        try:
            return harvest(engine, [collector], shelves.Silent(), full, lambda: MONDAY)[0]
        finally:
            engine.dispose()  # PostgreSQL's begins anew with the next question

    def cursor(self, path: Path) -> dict[str, object]:
        """How far a clone has been read."""
        with self.engine.connect() as connection:
            return store.load_cursors(connection, "git")[str(path)]

    def remember(self, path: Path, state: dict[str, object]) -> None:
        """Have it that a clone was read so far."""
        with store.transaction(self.engine) as connection:
            store.save_cursor(connection, "git", str(path), state, at=MONDAY)


@pytest.fixture
def where(request: pytest.FixtureRequest) -> str:
    """What the stores of a test are kept in: SQLite, unless the test is marked with `shelf.both`."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def stores(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Makes stores without facts."""
    made: list[Engine] = []
    lent: list[str] = []
    server = request.getfixturevalue("postgres") if where == "postgresql" else None

    def make() -> Engine:
        if server is None:
            url = f"sqlite:///{tmp_path / f'store{len(made) or str()}.db'}"
        else:
            lent.append(url := server.lend(lambda place: store.open_store(place).dispose()))
        made.append(store.open_store(url))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()
    for url in lent:
        server.give_back(url)


@pytest.fixture
def shelf(stores: Callable[[], Engine]) -> Shelf:
    """An empty store."""
    return Shelf(stores())


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository named shop, without a commit."""
    return repository(tmp_path / "shop")


@pytest.fixture
def another(tmp_path: Path) -> Callable[..., Repo]:
    """Makes more repositories beside the first: by name, with arguments for `git init`."""
    return lambda name, *arguments: repository(tmp_path / name, *arguments)


@pytest.fixture
def fresh(stores: Callable[[], Engine]) -> Callable[[], Shelf]:
    """Makes more stores, to compare one harvest with another."""
    return lambda: Shelf(stores())
