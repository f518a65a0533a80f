"""Shared by all tests: the sample, once, the recorded data where it is, and the peers that are asked over HTTP."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import date, datetime
from itertools import count
from pathlib import Path

import github_emulator
import pytest
from github_emulator import Emulator
from hypothesis import settings
from postgres_server import Postgres
from served import Handler, Served
from wiremock_server import WireMock

from vsm import cli, secrecy, store

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"

settings.register_profile("untimed", deadline=None)  # a slow machine is no defect; under CI Hypothesis sees to it itself
if not os.environ.get("CI"):
    settings.load_profile("untimed")
os.environ.setdefault("VSM_WARM", "0")  # every server that a test starts would first make what nobody there looks at


@pytest.fixture(autouse=True)
def no_secret_of_another_test(monkeypatch) -> None:
    """What one test has looked up is not hidden in the words of the next."""
    monkeypatch.setattr(secrecy, "_known", set())


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory) -> str:
    """The URL of a store that holds the sample. Read only: tests share it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sample') / 'sample.db'}"
    assert cli.run(["import", str(SAMPLE / "facts"), "--store", url]) == 0
    return url


@pytest.fixture(scope="session")
def sample_duckdb(sample_store, tmp_path_factory) -> Path:
    """A DuckDB file that `vsm export warehouse` has filled with the sample. Read only: tests share it, or copy it."""
    file = tmp_path_factory.mktemp("duckdb") / "sample.duckdb"
    words = ["--store", sample_store, "--config", str(SAMPLE / "vsm.toml")]
    assert cli.run(["export", "warehouse", "--engine", f"duckdb://{file}", *words]) == 0
    return file


@pytest.fixture(scope="session")
def truths() -> dict:
    """What was planted in the sample, from its generator's own books."""
    return json.loads((SAMPLE / "truths.json").read_text())


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded data; tests that need it are skipped where it is absent."""
    folder = os.environ.get("VSM_RECORDED_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("VSM_RECORDED_DATA names no folder of recorded data")
    return Path(folder)


@pytest.fixture
def served() -> Iterator[Callable[[Handler], Served]]:
    """Serves a function on the loopback: `peer = served(handler)`, then `peer.url`, `peer.requests`, `peer.counts`."""
    with ExitStack() as peers:
        running: list[Served] = []

        def serve(handler: Handler) -> Served:
            running.append(Served(handler))
            peers.callback(running[-1].close)
            return running[-1]

        yield serve
    for error in (error for peer in running for error in peer.errors):
        raise error


@pytest.fixture
def emulate(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Starts a GitHub: `github = emulate("octocat/shop", organisations=["acme"], at="2026-02-03 09:00:00")`."""
    with ExitStack() as peers:
        numbers = count()

        def start(
            *repositories: str, organisations: Iterable[str] = (), at: str | datetime | None = None, **more: object
        ) -> Emulator:
            place = tmp_path / f"emulator{next(numbers)}"
            github = Emulator(place, github_emulator.seed(repositories, organisations, **more), at)
            peers.callback(github.close)
            return github

        yield start


@pytest.fixture
def jira820() -> Iterator:
    """A Jira Server 8.20 on 2 March 2026 with a project, a board, sprints and histories of its own."""
    from jira_server import JiraServer  # FastAPI takes half a second that other tests need not wait

    jira = JiraServer(date(2026, 3, 2))
    yield jira
    jira.close()


@pytest.fixture(scope="session")
def _wiremock(tmp_path_factory) -> Iterator[WireMock]:
    running = WireMock(tmp_path_factory.mktemp("wiremock"))
    yield running
    running.close()


@pytest.fixture
def wiremock(_wiremock: WireMock) -> WireMock:
    """A WireMock without stubs: `wiremock.stub("GET", "/user", answer(503), answer(200, {}))`, `wiremock.requests()`."""
    _wiremock.reset()
    return _wiremock


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    running = Postgres()
    yield running
    running.close()


@pytest.fixture
def postgres(_postgres: Postgres) -> Postgres:
    """A PostgreSQL server: `postgres.fresh()` is the URL of a new database."""
    return _postgres


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Gives URLs of stores, on SQLite and then on PostgreSQL: `places()` is not there yet, `places(made=True)` has no facts."""
    numbers, lent = count(), list[str]()
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    if server is not None:  # an old store's copy would be kept in the working folder
        request.getfixturevalue("monkeypatch").setenv("VSM_BACKUPS", str(tmp_path))

    def place(made: bool = False) -> str:
        if server is None:
            return f"sqlite:///{tmp_path / f'vsm{next(numbers) or str()}.db'}"
        if not made:
            return server.fresh()
        lent.append(server.lend(lambda url: store.open_store(url).dispose()))
        return lent[-1]

    yield place
    for url in lent:
        server.give_back(url)


@pytest.fixture
def place(places: Callable[..., str]) -> str:
    """The URL of a store that is not there yet, on SQLite and on PostgreSQL."""
    return places()


@pytest.fixture
def kept(places: Callable[..., str]) -> str:
    """The URL of a store without facts, on SQLite and on PostgreSQL."""
    return places(made=True)


@pytest.fixture(scope="session")
def graphql_schema():
    """GitHub's published GraphQL schema, for graphql-core's `validate`."""
    from github_schemas import graphql_schema

    return graphql_schema()


@pytest.fixture(scope="session")
def openapi():
    """GitHub's published OpenAPI document: `openapi.check("GET", "/repos/acme/shop/pulls", 200, body)`."""
    from github_schemas import OpenApi

    return OpenApi()


@pytest.fixture
def github_replay(served) -> Callable[..., Served]:
    """Starts a GitHub of real recorded answers: `github_replay()`, or `github_replay("Issue.")` for those of some tests."""
    from github_replay import replay

    return lambda *names: served(replay(*names))


PEERS = {"emulate", "jira820", "postgres", "wiremock", "graphql_schema", "openapi", "github_replay"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks a peer, so that `-m "not peer"` does without."""
    for item in items:
        if PEERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("peer")
