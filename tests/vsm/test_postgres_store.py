"""A store on PostgreSQL: reached by its URL alone, harvested by many, read by all, and nothing lost where the server goes away."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from postgres_server import PASSWORD, Postgres
from sqlalchemy.engine import Engine, make_url

from vsm import cli, postgres_read, postgres_store, store
from vsm.models import TABLES
from vsm.store import StoreError

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data"


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    lent = postgres.lend(lambda place: store.open_store(place).dispose())
    yield lent
    postgres.give_back(lent)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with store.opened(url) as made:
        yield made


def tickets(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"key": f"A-{number:04}", "created_at": AT, **more} for number in range(count)]


def save(engine: Engine, rows: list[dict[str, Any]], table: str = "tickets", **more: Any) -> int:
    with store.transaction(engine) as connection:
        return store.save(connection, table, rows, **{"origin": "jira", **more})


def keys(engine: Engine) -> list[str]:
    return list(store.facts(engine).tickets["key"])


# By URL alone. ---


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_store_is_there_by_its_url_alone(url: str, scheme: str) -> None:
    with store.opened(url.replace("postgresql", scheme)) as engine:
        assert (engine.dialect.name, engine.driver) == ("postgresql", "psycopg")
        assert save(engine, tickets(1)) == 1


def test_the_password_may_be_in_the_url_or_in_a_file(
    postgres: Postgres, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_url(url).database
    assert database is not None
    spaced = postgres.loopback(database)
    elsewhere = f"postgresql://postgres@127.0.0.1:{postgres.port}/{database}"
    for place in (spaced, f"{elsewhere}?password={PASSWORD.replace(' ', '%20')}"):
        with store.opened(place) as engine:
            assert keys(engine) == []
            assert "these" not in f"{engine.url} {engine!r} {postgres_store.about(engine)} {store.shown(place)}"
    with pytest.raises(StoreError, match=r"cannot reach the store .*: .*no password supplied"):
        store.open_store(elsewhere)
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{postgres.port}:*:postgres:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    with store.opened(elsewhere) as engine:
        assert keys(engine) == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql://ann:geheim@127.0.0.1:{closed}/vsm", "Connection refused"),
        ("postgresql://postgres:geheim@127.0.0.1:{port}/vsm", 'password authentication failed for user "postgres"'),
        ("postgresql://postgres@127.0.0.1:{port}/vsm?password=geheim", 'password authentication failed for user "postgres"'),
        ("postgresql://postgres:geheim@/nowhere?host={folder}&port={port}", 'database "nowhere" does not exist'),
        ("postgresql://ann:geheim@no-such-host.invalid/vsm", "no-such-host.invalid|resolve|not known"),
        ("postgresql://ann:geheim@127.0.0.1:{port}/vsm?sslmode=nonsense", "sslmode"),
    ],
)
def test_a_store_that_cannot_be_reached_is_one_sentence_without_the_password(
    postgres: Postgres, capsys: pytest.CaptureFixture[str], place: str, said: str
) -> None:
    told = place.format(port=postgres.port, closed=1, folder=postgres.folder)
    assert cli.run(["report", "--store", told]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vsm: cannot reach the store postgresql")
    assert any(one in line for one in said.split("|"))
    assert "geheim" not in line


def test_the_tables_of_an_extension_beside_ours_are_no_other_program(postgres: Postgres) -> None:
    place = postgres.fresh()
    name = make_url(place).database
    assert name is not None
    postgres.run("CREATE TABLE spatial_ref_sys (id INTEGER)", database=name)
    with store.opened(place) as engine:
        assert save(engine, tickets(1)) == 1


def test_a_database_that_cannot_keep_every_letter_is_refused(postgres: Postgres) -> None:
    postgres.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' STRATEGY FILE_COPY")
    with pytest.raises(StoreError, match="keeps LATIN1 and not every letter: make one with ENCODING 'UTF8'"):
        store.open_store(postgres.url("latin"))


def test_who_may_only_read_reads_and_is_told_so_where_it_writes(postgres: Postgres, url: str) -> None:
    name = make_url(url).database
    assert name is not None
    grants = ["GRANT USAGE ON SCHEMA public TO viewer", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO viewer"]
    postgres.run("DROP ROLE IF EXISTS viewer", "CREATE ROLE viewer LOGIN")
    postgres.run(*grants, database=name)
    try:
        with store.opened(postgres.url(name, "viewer"), create=False) as engine:
            assert keys(engine) == []
            with pytest.raises(store.DBAPIError, match="permission denied"):
                save(engine, tickets(1))
        empty = make_url(postgres.fresh()).database or ""
        with pytest.raises(StoreError, match=r"permission denied for schema public: this user must own the database"):
            store.open_store(postgres.url(empty, "viewer"))
    finally:
        postgres.run("DROP OWNED BY viewer", database=name)


def test_whatever_the_driver_refuses_in_the_middle_is_one_sentence(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(engine: Engine) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT * FROM what_an_administrator_has_dropped")

    monkeypatch.setattr(store, "harvests", refused)
    assert cli.run(["report", "--store", url]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('vsm: the store cannot be used now (relation "what_an_administrator_has_dropped" does not exist)')


def test_what_the_doctor_says_of_it(url: str, engine: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(engine, tickets(3))
    (tmp_path / "vsm.toml").write_text("")
    cli.run(["doctor", "--store", url, "--config", str(tmp_path / "vsm.toml")])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " store: " in line]
    assert "3 facts in 1 tables" in line
    assert "PostgreSQL 1" in line
    assert f"database {make_url(url).database} at " in line


# The same as on SQLite. ---


@pytest.fixture(scope="module")
def whole(_postgres: Postgres) -> str:
    """The sample on PostgreSQL."""
    place = _postgres.fresh()
    assert cli.run(["import", str(SAMPLE / "facts"), "--store", place]) == 0
    return place


def test_the_frames_are_those_of_a_file_with_the_same_facts(whole: str, sample_store: str) -> None:
    with store.opened(whole) as ours, store.opened(sample_store) as lite:
        read, expected = store.facts(ours), store.facts(lite)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(read, name), getattr(expected, name))


def test_the_whole_report_is_that_of_a_file_with_the_same_facts(
    whole: str, sample_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for place in (whole, sample_store):
        call = ["report", "--format", "json", "--store", place, "--config", str(SAMPLE / "vsm.toml")]
        assert cli.run(call) == 0
        told.append(json.loads(capsys.readouterr().out))
    for one in told:
        del one["store"]["last_harvest"]  # when they were imported
        for source in one["sources"]:
            del source["read_at"]
    assert told[0] == told[1]


def test_what_is_exported_is_what_was_imported(whole: str, sample_store: str, tmp_path: Path) -> None:
    for name, place in (("ours", whole), ("lite", sample_store)):
        assert cli.run(["export", "facts", str(tmp_path / name), "--store", place]) == 0
    for path in (tmp_path / "ours").iterdir():
        assert path.read_bytes() == (tmp_path / "lite" / path.name).read_bytes(), path.name


SPECIAL = ["a\tb", "a\nb", "a\rb", "\\N", "\\", "\\.", "a\\tb", "\x1f", "é😀", " ", "NULL", '"', "'", "%s", "{}"]


@pytest.mark.parametrize("fill", [False, True])
def test_many_rows_by_copy_are_what_a_few_are_one_by_one(engine: Engine, monkeypatch: pytest.MonkeyPatch, fill: bool) -> None:
    """Rows with every awkward letter, some columns told and some missing; saved together, and then again with changes."""

    def rows(change: str) -> list[dict[str, Any]]:
        return [
            {
                "ticket": "T",
                "at": AT.replace(microsecond=place),
                "from_status": None if place % 3 else text,
                "to_status": text + change,
            }
            for place, text in enumerate(SPECIAL * 2)
        ]

    told = []
    for least in (2, 1000):
        monkeypatch.setattr(postgres_store, "FEW", least)
        with store.transaction(engine) as connection:
            counts = [
                store.save(connection, "transitions", rows(""), origin="jira", fill=fill),
                store.save(connection, "transitions", rows("")[::-1], origin="other", fill=fill),
                store.save(connection, "transitions", [row | {"actor": "ann"} for row in rows("")], origin="other", fill=fill),
                store.save(connection, "transitions", rows("!"), origin="third", fill=fill),
            ]
        told.append((counts, store.facts(engine).transitions))
        with store.transaction(engine) as connection:
            store.forget(connection, "transitions", "jira", [])
            for origin in ("other", "third"):
                store.forget(connection, "transitions", origin, [])
    assert told[0][0] == told[1][0] == [30, 0, 30, 30]
    pd.testing.assert_frame_equal(told[0][1], told[1][1])


def test_a_key_longer_than_an_index_takes_is_kept_and_found_again(engine: Engine) -> None:
    def change(end: str) -> dict[str, Any]:
        return {"ticket": "T", "at": AT, "field": "labels", "to": os.urandom(5000).hex() + end, "actor": None}

    first, second = change("a"), change("b")
    same_start = first | {"to": first["to"][:-1] + "c"}
    rows = [first, second, same_start]
    assert save(engine, rows, "ticket_changes") == 3
    assert save(engine, [row | {"actor": "ann"} for row in rows], "ticket_changes") == 3
    assert sorted(store.facts(engine).ticket_changes["to"]) == sorted(row["to"] for row in rows)
    with store.transaction(engine) as connection:
        assert store.delete(connection, "ticket_changes", [second]) == 1


# Writers and readers at once. ---


def test_a_read_is_of_one_snapshot_though_a_harvest_goes_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever a table has been read, a ticket comes with its change of status: both are there, or none."""
    read, seen = postgres_read._read, []

    def written_meanwhile(cursor: Any, table: Any) -> Any:
        found = read(cursor, table)
        seen.append(table)
        save(engine, [{"key": f"T-{len(seen)}", "created_at": AT}])
        save(engine, [{"ticket": f"T-{len(seen)}", "at": AT, "to_status": "Done"}], "transitions")
        return found

    monkeypatch.setattr(postgres_read, "_read", written_meanwhile)
    facts = store.facts(engine)
    assert list(facts.tickets["key"]) == list(facts.transitions["ticket"]) == []
    assert len(seen) == len(TABLES)
    facts = store.facts(engine)
    assert list(facts.tickets["key"]) == list(facts.transitions["ticket"]) != []


def test_readers_are_not_blocked_by_a_writer_in_the_middle_of_its_transaction(engine: Engine) -> None:
    save(engine, tickets(2))
    with store.transaction(engine) as connection:
        store.save(connection, "tickets", tickets(30, title="new"), origin="jira")
        store.complete(connection, TABLES["tickets"], [{"key": "A-0001", "team": "Pay"}], origin="event")
        began = time.monotonic()
        assert keys(engine) == ["A-0000", "A-0001"]
        assert (store.version(engine), len(store.harvests(engine))) == ((0, 0), 0)
        assert time.monotonic() - began < 10, "the lock's own time-out is 20 s"
    assert len(keys(engine)) == 30


def test_two_writers_in_each_others_way_both_get_there(url: str) -> None:
    """They lock two rows crosswise: the server ends one of them, and what it did is done again."""
    met = threading.Barrier(2, timeout=30)

    def work(engine: Engine, order: list[dict[str, Any]], meets: list[bool]) -> Callable[[], None]:
        def once() -> None:
            with store.transaction(engine) as connection:
                for row in order:
                    store.save(connection, "tickets", [row], origin=row["title"])
                    if meets:
                        meets.pop()
                        met.wait()

        return once

    def run(name: str, turned: bool) -> None:
        with store.opened(url) as engine:
            rows = tickets(2, title=name)
            store.retried(engine, work(engine, rows[::-1] if turned else rows, [True]))

    with store.opened(url) as engine:
        save(engine, tickets(2))
        threads = [threading.Thread(target=run, args=pair) for pair in (("first", False), ("second", True))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        titles = list(store.facts(engine).tickets["title"])
    assert titles in (["first"] * 2, ["second"] * 2)


def test_a_writer_that_waits_too_long_is_told_so(url: str) -> None:
    with store.opened(url) as first, store.opened(f"{url}&options=-c%20lock_timeout=50ms") as second:
        save(first, tickets(1))
        with store.transaction(first) as connection:
            store.save(connection, "tickets", tickets(1, title="new"), origin="jira")
            with pytest.raises(store.DBAPIError, match="lock timeout"):
                save(second, tickets(1, title="newer"))


def test_only_one_of_two_harvests_of_a_source_goes_on(url: str) -> None:
    with store.opened(url) as first, store.opened(url) as second:
        with store.alone(first, "jira"):
            store.begin_harvest(first, "jira", "jira", "all", at=AT)
            with pytest.raises(StoreError, match=r"another harvest of it runs since 2026-03-02 09:30 UTC.*: wait for its end"):
                store.alone(second, "jira").__enter__()
            with store.alone(second, "github"):
                pass
        with store.alone(second, "jira"):
            pass


HOLDS = """
import sys, time
from vsm import store
with store.alone(store.open_store(sys.argv[1]), "jira"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_harvest_that_was_killed_holds_nothing(url: str, engine: Engine) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS, url], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.kill()
    for _ in range(100):
        try:
            with store.alone(engine, "jira"):
                return
        except StoreError:
            time.sleep(0.05)
    pytest.fail("the lock of a dead program is still held")


# The server goes away. ---


def test_a_restart_of_the_server_loses_and_doubles_nothing(postgres: Postgres, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It crashes between two statements of a page, again before the page's end, and comes back while we wait."""
    with store.opened(url) as engine, store.alone(engine, "jira"):
        number = store.begin_harvest(engine, "jira", "jira", "all", at=AT)
        tries = []

        def page() -> int:
            with store.transaction(engine) as connection:
                changed = store.save(connection, "tickets", tickets(50), origin="jira")
                tries.append(changed)
                if len(tries) < 3:
                    postgres.stop()
                    threading.Timer(0.5, postgres.start).start() if len(tries) == 1 else postgres.start()
                store.save_cursor(connection, "jira", "issues", {"at": len(tries)}, at=AT)
                return changed

        assert store.retried(engine, page) == 50
        assert tries == [50] * 3
        store.finish_harvest(engine, number, at=AT, status="done", rows=50, changed=50)
        with engine.connect() as connection:
            assert store.load_cursors(connection, "jira") == {"issues": {"at": 3}}
        assert len(keys(engine)) == 50
        assert store.harvests(engine)["status"].tolist() == ["done"]
        with store.opened(url) as other, pytest.raises(StoreError, match="another harvest of it runs"):
            store.alone(other, "jira").__enter__()


def test_a_server_that_stays_away_is_one_error_at_the_end_and_nothing_half(
    postgres: Postgres, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.opened(url) as engine:
        save(engine, tickets(1))

        def page() -> None:
            with store.transaction(engine) as connection:
                store.save(connection, "tickets", tickets(50, title="new"), origin="jira")
                postgres.stop()
                store.save_cursor(connection, "jira", "issues", {}, at=AT)

        with pytest.raises(store.DBAPIError):
            postgres_store.retried(engine, page, pauses=(0.01, 0.01))
        with pytest.raises(StoreError, match=r"cannot reach the store .*: "):
            store.open_store(url)
        postgres.start()
        assert keys(engine) == ["A-0000"]
        with engine.connect() as connection:
            assert store.load_cursors(connection, "jira") == {}


def test_a_session_that_the_server_ended_is_opened_anew(postgres: Postgres, url: str, engine: Engine) -> None:
    assert store.version(engine) == (0, 0)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'vsm'")
    assert store.version(engine) == (0, 0)


def test_a_read_falls_back_to_the_cursor_where_arrow_cannot_reach_the_store(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(engine, tickets(3))
    monkeypatch.setattr(postgres_store, "conninfo", lambda engine: "host=/nowhere dbname=none")
    assert keys(engine) == ["A-0000", "A-0001", "A-0002"]


def test_letters_are_sorted_by_their_bytes_whatever_the_database_thinks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ["B", "a", "ä", "Z", "_", "A", "aB", "a b", "1", "10", "2", "😀", "\uffee"]
    save(engine, [{"key": key, "created_at": AT} for key in named])
    assert keys(engine) == sorted(named)
    monkeypatch.setattr(postgres_read, "frames", lambda engine: None)
    assert keys(engine) == sorted(named)
    for table in TABLES.values():  # few servers have another order than that of bytes to try it with
        ordered = str(postgres_read.query(table)).partition("ORDER BY")[2]
        assert ordered.count('COLLATE "C"') == sum(column.type.python_type is str for column in table.__table__.primary_key)
