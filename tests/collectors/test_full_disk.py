"""A PostgreSQL server whose disk is full: one sentence, nothing half-loaded, and the same command completes once there is room.

No session may write a file beyond a size, which works without a file system of our own: the server then fails where it would on a
full disk, with "File too large" in the place of "No space left on device". bench/bench_full_disk.py fills a real one.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from postgres_server import Postgres

from collectors.base import Page
from collectors.harvest import Outcome, harvest
from vsm import cli, models, postgres_store, store

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
SEGMENT = 1 << 20  # the server's log is in files of so many bytes
ROOM = 3 << 20  # where only tables no longer fit


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    running = Postgres({"wal_writer_delay": "10s"}, "--wal-segsize=1")  # its log is written by who saves
    yield running
    running.close()


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    yield server.fresh()
    server.limit_files(None)
    if not server.runs:
        server.start()


def titles(count: int, seed: int = 0) -> Iterator[str]:
    """Texts that cannot be made shorter and stay in their table: about a thousand bytes each."""
    rng = random.Random(seed)
    return (rng.randbytes(500).hex() for _ in range(count))


def folder(place: Path, count: int) -> str:
    place.mkdir(exist_ok=True)
    lines = (f"PAY-{number},{title},2026-03-02T10:00:00Z\n" for number, title in enumerate(titles(count)))
    (place / "tickets.csv").write_text("key,title,created_at\n" + "".join(lines))
    return str(place)


def kept(url: str) -> int:
    with store.opened(url) as engine:
        return len(store.facts(engine).tickets)


class Tracker:
    """A source of eight pages, 600 tickets each."""

    kind = name = "tracker"

    def scope(self) -> str:
        return "tickets"

    def pages(self, cursors: Any, full: bool) -> Iterator[Page]:
        for number in range(int(cursors.get("tickets", {}).get("next", 0)), 8):
            rows = [{"key": f"{number}-{at}", "title": title, "created_at": AT} for at, title in enumerate(titles(600, number))]
            yield Page(facts={models.Ticket: rows}, cursors={"tickets": {"next": number + 1}}, done=number + 1)


class Silent:
    begins = page = ends = lambda self, *told: None


def harvested(url: str) -> tuple[Outcome, int, int, list[str]]:
    """How a harvest ended, and of the store: the cursor, its tickets, how its harvests ended."""
    with store.opened(url) as engine:
        (outcome,) = harvest(engine, [Tracker()], Silent(), now=lambda: AT)
        with engine.connect() as connection:
            reached = store.load_cursors(connection, "tracker").get("tickets", {}).get("next", 0)
        return outcome, reached, len(store.facts(engine).tickets), store.harvests(engine)["status"].tolist()


def test_an_import_onto_a_full_disk_loads_nothing_and_all_of_it_once_there_is_room(server, url, tmp_path, capsys):
    assert cli.run(["import", folder(tmp_path / "few", 300), "--store", url]) == 0
    many = folder(tmp_path / "many", 5_000)
    server.limit_files(ROOM)
    capsys.readouterr()
    assert cli.run(["import", many, "--store", url]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith('vsm: the store could not be written (could not extend file "')
    assert line.endswith(f": make room on the server's disk): nothing was loaded from {many}")
    assert kept(url) == 300  # who only reads needs no room
    server.limit_files(None)
    assert cli.run(["import", many, "--store", url]) == 0
    assert kept(url) == 5_000


def test_a_harvest_onto_a_full_disk_keeps_whole_pages_and_goes_on_from_there(server, url):
    store.open_store(url).dispose()
    server.limit_files(ROOM)
    outcome, reached, tickets, ended = harvested(url)
    assert outcome.error is not None
    assert outcome.error.startswith('the store did not take it: could not extend file "')
    assert outcome.error.endswith(": make room on the server's disk")
    assert 0 < reached < 8
    assert tickets == 600 * reached
    assert ended == ["failed"]
    server.limit_files(None)
    outcome, reached, tickets, ended = harvested(url)
    assert (outcome.error, reached, tickets, ended) == (None, 8, 4_800, ["done", "failed"])  # the newest first


def test_a_server_that_goes_down_for_want_of_room_for_its_log_has_all_or_nothing(server, url, tmp_path, capsys, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(postgres_store, "time", SimpleNamespace(sleep=waited.append))
    assert cli.run(["import", folder(tmp_path / "few", 300), "--store", url]) == 0
    many = folder(tmp_path / "many", 400)
    server.run("SELECT pg_switch_wal()", f"SELECT pg_logical_emit_message(true, 'room', repeat('x', {SEGMENT * 3 // 4}))")
    server.limit_files(SEGMENT // 2)  # tables have room, the log has got further
    capsys.readouterr()
    assert cli.run(["import", many, "--store", url]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vsm: the store could not be written (")
    assert line.endswith(f"): nothing was loaded from {many}")
    assert waited  # the server was given time to come back
    server.stop()  # if it has not given up by itself
    server.start()
    assert kept(url) == 300
    assert cli.run(["import", many, "--store", url]) == 0
    assert kept(url) == 400
