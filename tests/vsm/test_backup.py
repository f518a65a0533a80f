"""A backup is of one state, proved before it is used, and comes back whole or not at all."""

import json
import os
import sqlite3
import stat
import threading
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import pandas as pd
import pytest

from vsm import backup, cli, models, store, store_copy
from vsm.errors import UsageError, WorkError

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
Told = pytest.CaptureFixture[str]


def filled(path: Path, tickets: int = 3) -> str:
    """A store with something in every kind of column: text, times, JSON, bytes, numbers."""
    url = f"sqlite:///{path}"
    with store.opened(url) as engine:
        harvest = store.begin_harvest(engine, "jira", "collect", "all", at=AT)
        with store.transaction(engine) as connection:
            rows = [
                {"key": f"A-{number}", "created_at": AT, "title": "Pay — “später” 🙂", "labels": "a,b"} for number in range(tickets)
            ]
            store.save(connection, "tickets", rows, origin="jira")
            store.save(connection, "builds", [{"id": "shop#1", "job": "shop", "started_at": AT}], origin="ci")  # its id is text
            store.save_raw(connection, "jira", "issue", [("1", {"key": "A-1"})], harvest=harvest, at=AT)
            store.save_cursor(connection, "jira", "issues", {"since": "2026-03-01", "page": [1, None]}, at=AT)
        store.finish_harvest(engine, harvest, at=AT, status="done", rows=tickets, changed=tickets)
    path.with_name(path.name + ".key").write_text("ab" * 32)
    return url


def held(path: Path) -> dict[str, list[Any]]:
    """Every row of every table, as SQLite has it."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        rows = {
            name: connection.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall()
            for name in names
            if name != "alembic_version"
        }
    # That it was restored is written down as a run of its own.
    return rows | {"harvests": [row for row in rows["harvests"] if "restore" not in row]}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "backup.zip"
    backup.backup(filled(tmp_path / "vsm.db"), file, at=AT)
    return file


def test_what_comes_back_is_what_was_there_and_the_key_with_it(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "vsm.db"
    found = backup.restore(saved, f"sqlite:///{target}", at=AT)
    assert held(target) == held(tmp_path / "vsm.db")
    assert (found.rows["tickets"], found.rows["raw_records"], found.rows["cursors"], found.version) == (3, 1, 1, store.VERSION)
    key = target.with_name("vsm.db.key")
    assert key.read_text() == "ab" * 32
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_backup_is_readable_by_its_owner_alone_and_by_any_zip_and_sqlite(tmp_path: Path, saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    with zipfile.ZipFile(saved) as archive:
        assert archive.namelist() == ["manifest.json", "store.db.key", "store.db"]
        told = json.loads(archive.read("manifest.json"))
        archive.extract("store.db", tmp_path / "out")
    assert told["rows"]["tickets"] == 3
    assert told["made_at"] == AT.isoformat()
    assert held(tmp_path / "out" / "store.db") == held(tmp_path / "vsm.db")


def test_a_backup_is_of_one_state_while_a_harvest_writes(tmp_path: Path) -> None:
    url, stop = filled(tmp_path / "vsm.db", 2000), threading.Event()

    def harvest() -> None:
        with store.opened(url) as engine:
            number = 0
            while not stop.is_set():
                number += 1
                with store.transaction(engine) as connection:  # a ticket and its move, always together
                    store.save(connection, "tickets", [{"key": f"B-{number}", "created_at": AT}], origin="jira")
                    move = {"ticket": f"B-{number}", "at": AT, "to_status": "Done"}
                    store.save(connection, "transitions", [move], origin="jira")

    writer = threading.Thread(target=harvest)
    writer.start()
    try:
        made = [backup.backup(url, tmp_path / f"{number}.zip", at=AT) for number in range(4)]
    finally:
        stop.set()
        writer.join()
    assert all(one.rows["tickets"] - 2000 == one.rows["transitions"] for one in made)
    assert made[-1].rows["tickets"] > made[0].rows["tickets"] >= 2000


def test_a_file_that_is_there_is_not_replaced_unless_asked(tmp_path: Path, saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        backup.backup(f"sqlite:///{tmp_path}/vsm.db", saved, at=AT)
    assert saved.read_bytes() == before
    assert backup.backup(f"sqlite:///{tmp_path}/vsm.db", saved, at=AT, force=True).rows["tickets"] == 3


def test_a_store_with_something_in_it_is_not_replaced_unless_asked(tmp_path: Path, saved: Path) -> None:
    url = filled(tmp_path / "other.db", 5)
    before = held(tmp_path / "other.db")
    with pytest.raises(UsageError, match="is a store already"):
        backup.restore(saved, url, at=AT)
    assert held(tmp_path / "other.db") == before
    backup.restore(saved, url, force=True, at=AT)
    assert held(tmp_path / "other.db") == held(tmp_path / "vsm.db")


def test_who_has_the_store_open_sees_what_was_restored(tmp_path: Path, saved: Path) -> None:
    url = filled(tmp_path / "other.db", 5)
    with store.opened(url) as engine:
        assert len(store.facts(engine).tickets) == 5
        backup.restore(saved, url, force=True, at=AT)
        assert len(store.facts(engine).tickets) == 3


def test_another_key_beside_the_store_is_not_replaced_in_silence(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "new.db.key").write_text("cd" * 32)
    with pytest.raises(WorkError, match="another key of people's handles"):
        backup.restore(saved, f"sqlite:///{tmp_path}/new.db", at=AT)
    assert (tmp_path / "new.db.key").read_text() == "cd" * 32


@pytest.mark.parametrize("at", [0.05, 0.3, 0.6, 0.9])
def test_a_flipped_byte_or_a_lost_end_is_seen_and_nothing_is_changed(tmp_path: Path, saved: Path, at: float) -> None:
    whole = saved.read_bytes()
    place = int(len(whole) * at)
    for damaged in (whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :], whole[:place]):
        saved.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"is not a whole backup|is damaged"):
            backup.restore(saved, f"sqlite:///{tmp_path}/new.db", at=AT)
        assert not (tmp_path / "new.db").exists()


def repacked(saved: Path, told: dict[str, Any] | None = None, content: bytes | None = None) -> None:
    with zipfile.ZipFile(saved) as archive:
        manifest, kept = json.loads(archive.read("manifest.json")), archive.read("store.db")
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("manifest.json", json.dumps({**manifest, **(told or {})}))
        archive.writestr("store.db", kept if content is None else content)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"sha256": "0" * 64}, "is damaged: its store is not what was written"),
        ({"rows": {"tickets": 4}}, "does not hold the rows that its manifest tells"),
        ({"version": "9999"}, "newer version of this program \\(9999\\)"),
        ({"format": 2}, "its format is not 1"),
        ({"bytes": 10}, "store.db is longer than 10 bytes"),
        ({"bytes": "many"}, "is not a whole backup"),
    ],
)
def test_a_manifest_that_tells_other_things_than_the_store_is_refused(
    tmp_path: Path, saved: Path, told: Any, sentence: str
) -> None:
    repacked(saved, told)
    with pytest.raises(UsageError, match=sentence):
        backup.restore(saved, f"sqlite:///{tmp_path}/new.db", at=AT)
    assert not (tmp_path / "new.db").exists()


def test_a_damaged_store_is_not_backed_up_in_silence(tmp_path: Path) -> None:
    url, path = filled(tmp_path / "vsm.db", 3000), tmp_path / "vsm.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(20_000))
    with pytest.raises(store.StoreError, match="damaged"):
        backup.backup(url, tmp_path / "b.zip", at=AT)
    assert not (tmp_path / "b.zip").exists()


def test_commands_say_what_they_did_and_what_is_wrong(tmp_path: Path, capsys: Told) -> None:
    url, file, other = filled(tmp_path / "vsm.db"), str(tmp_path / "b.zip"), f"sqlite:///{tmp_path}/new.db"
    assert cli.run(["backup", file, "--store", url]) == 0
    assert "rows in" in capsys.readouterr().out
    assert cli.run(["restore", file, "--check"]) == 0
    assert cli.run(["restore", file, "--store", other]) == 0
    assert "restored" in capsys.readouterr().out
    assert cli.run(["restore", file, "--store", other]) == 2
    assert cli.run(["restore", str(tmp_path / "none.zip"), "--store", other]) == 2
    assert cli.run(["backup", str(tmp_path / "c.zip"), "--store", f"sqlite:///{tmp_path}/none.db"]) == 2
    assert "no store at" in capsys.readouterr().err


def old(path: Path, version: str) -> str:
    """A store as an older version of the program made it, with one ticket."""
    url = f"sqlite:///{path}"
    engine = store.engine_at(url)
    with engine.connect() as plain, plain.execution_options(writes=True).begin():
        config = alembic.config.Config(attributes={"connection": plain})
        config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
        alembic.command.upgrade(config, version)
    with store.transaction(engine) as connection:
        store.save(connection, models.Ticket, [{"key": "A", "created_at": AT}], origin="jira")
    engine.dispose()
    return url


@pytest.mark.parametrize("version", store.KNOWN[:-1])
def test_an_old_store_is_copied_before_it_is_upgraded(tmp_path: Path, version: str, caplog: pytest.LogCaptureFixture) -> None:
    url, kept = old(tmp_path / "vsm.db", version), tmp_path / f"vsm.db.{version}.backup"
    store.open_store(url).dispose()
    assert store_copy.version_of(kept) == version
    assert store_copy.version_of(tmp_path / "vsm.db") == store.VERSION
    assert store_copy.sound(kept)["tickets"] == 1
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert str(kept) in caplog.text


def test_an_old_store_is_left_as_it_is_where_no_copy_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = old(tmp_path / "vsm.db", store.KNOWN[0])
    monkeypatch.setenv("VSM_BACKUPS", str(tmp_path / "no" / "such"))
    with pytest.raises(store.StoreError, match=r"no copy can be kept before its upgrade .* VSM_BACKUPS"):
        store.open_store(url)
    assert store_copy.version_of(tmp_path / "vsm.db") == store.KNOWN[0]


def test_the_backup_of_an_old_store_comes_back_as_a_new_one(tmp_path: Path) -> None:
    made = backup.backup(old(tmp_path / "vsm.db", store.KNOWN[0]), tmp_path / "b.zip", at=AT)
    assert made.version == store_copy.version_of(tmp_path / "vsm.db") == store.KNOWN[0], "a backup only reads"
    backup.restore(tmp_path / "b.zip", f"sqlite:///{tmp_path}/new.db", at=AT)
    assert store_copy.version_of(tmp_path / "new.db") == store.VERSION


def test_a_store_goes_from_one_kind_of_database_to_another_and_back(tmp_path: Path, kept: str) -> None:
    """From SQLite into either, and out of it again: every row of every table is what it was, and new rows find their place."""
    backup.backup(filled(tmp_path / "laptop.db", 7), tmp_path / "first.zip", at=AT)
    if kept.startswith("sqlite"):
        (tmp_path / "vsm.db.key").unlink(missing_ok=True)
    backup.restore(tmp_path / "first.zip", kept, at=AT, force=True)
    with store.opened(kept) as engine, store.opened(f"sqlite:///{tmp_path}/laptop.db") as laptop:
        there, here = store.facts(engine), store.facts(laptop)
        assert there.counts() == here.counts()
        pd.testing.assert_frame_equal(there.tickets, here.tickets)
        assert store.begin_harvest(engine, "jira", "jira", "all", at=AT) > 1, "an id that is free"
    with pytest.raises(UsageError, match="already"):
        backup.restore(tmp_path / "first.zip", kept, at=AT)
    made = backup.backup(kept, tmp_path / "second.zip", at=AT)
    assert (made.rows["tickets"], made.rows["raw_records"], made.rows["cursors"]) == (7, 1, 1)
    backup.restore(tmp_path / "second.zip", f"sqlite:///{tmp_path}/back.db", at=AT)
    back, first = held(tmp_path / "back.db"), held(tmp_path / "laptop.db")
    assert {name: rows for name, rows in back.items() if name != "harvests"} == {
        name: rows for name, rows in first.items() if name != "harvests"
    }
