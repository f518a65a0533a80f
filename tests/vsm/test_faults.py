"""A store that is damaged, full or not to be written, and a clock that jumps, end in one sentence and a store that is whole."""

import random
import resource
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vsm import cli, sqlite_store, store

AT = "2026-03-02T10:00:00Z"
PAGE = 4096


def facts(folder: Path, rows: int, title: str = "A title") -> str:
    folder.mkdir(exist_ok=True)
    lines = (f"PAY-{number},{title} {number},{AT},Done\n" for number in range(rows))
    (folder / "tickets.csv").write_text("key,title,created_at,status\n" + "".join(lines))
    return str(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """The bytes of a store of three hundred tickets."""
    place = tmp_path_factory.mktemp("whole")
    assert cli.run(["import", facts(place / "facts", 300), "--store", f"sqlite:///{place}/a.db"]) == 0
    return (place / "a.db").read_bytes()


def spoilt(whole: bytes, how: str, dice: random.Random) -> bytes:
    told = bytearray(whole)
    if how == "garbage":
        return dice.randbytes(5_000)
    if how == "cut":
        return whole[: dice.randrange(1, len(whole))]
    if how == "another head":
        return dice.randbytes(100) + whole[100:]
    if how == "half a page":
        at = dice.randrange(1, len(whole) // PAGE) * PAGE
        told[at : at + PAGE // 2] = bytes(PAGE // 2)
    else:
        for _ in range(dice.choice((1, 20, 200))):
            told[dice.randrange(100, len(told))] = dice.randrange(256)
    return bytes(told)


CASES = [(how, seed) for how in ("garbage", "cut", "another head", "half a page", "other bytes") for seed in range(3)]


@pytest.mark.parametrize(("how", "seed"), CASES)
def test_a_damaged_file_ends_in_a_sentence_that_says_what_to_do(whole, tmp_path, capfd, how, seed):
    file, folder = tmp_path / "a.db", facts(tmp_path / "facts", 20)
    for call in (["report"], ["import", folder], ["export", "facts", str(tmp_path / "out")]):
        file.write_bytes(spoilt(whole, how, random.Random(seed)))
        for log in tmp_path.glob("a.db-*"):
            log.unlink()
        status = cli.run([*call, "--store", f"sqlite:///{file}"])
        said = capfd.readouterr().err
        assert status in (0, 1, 2)
        assert "Traceback" not in said
        assert status == 0 or said.startswith("vsm: the store ")
        if status == 2:
            assert "the file is damaged: put a backup of it in its place" in said
        assert (tmp_path / "out").exists() is (call[0] == "export" and status == 0)


def test_a_time_that_is_none_in_the_file_is_said_to_be_damage(whole, tmp_path, capsys):
    file = tmp_path / "a.db"
    file.write_bytes(whole)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE tickets SET created_at = '2026-03-02 1\x01:00:00.000000' WHERE key = 'PAY-7'")
    connection.close()
    assert cli.run(["report", "--store", f"sqlite:///{file}"]) == 2
    assert "has a value that cannot be" in capsys.readouterr().err


def imported(folder: str, url: str, most: int) -> subprocess.CompletedProcess[str]:
    """An import by a process whose files may not grow beyond so many bytes: what a full disk is to it."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    call = [sys.executable, "-m", "vsm", "import", folder, "--store", url]
    return subprocess.run(call, preexec_fn=limited, capture_output=True, text=True, check=False, timeout=120)


def test_a_full_disk_loads_nothing_and_the_next_import_loads_all(whole, tmp_path):
    file = tmp_path / "a.db"
    file.write_bytes(whole)
    folder, url = facts(tmp_path / "facts", 4_000, "A longer title " * 20), f"sqlite:///{file}"
    refused = imported(folder, url, len(whole) + 100_000)

    assert refused.returncode == 1
    assert "nothing was loaded from" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM tickets").fetchone() == (300,)
    connection.close()
    assert cli.run(["import", folder, "--store", url]) == 0
    with store.opened(url) as engine:
        assert len(store.facts(engine).tickets) == 4_000


def test_a_store_that_may_only_be_read_is_read_and_refuses_an_import_with_a_sentence(whole, tmp_path, capsys):
    file = tmp_path / "a.db"
    file.write_bytes(whole)
    url = f"sqlite:///file:{file}?mode=ro&uri=true"
    assert cli.run(["import", facts(tmp_path / "facts", 400), "--store", url]) == 1
    told = capsys.readouterr().err
    assert "readonly database" in told
    assert "nothing was loaded" in told
    assert len(told.splitlines()) == 1
    assert cli.run(["report", "--store", f"sqlite:///{file}"]) == 0


def test_a_store_that_another_program_holds_is_read_and_written_once_it_is_free(whole, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sqlite_store, "PATIENCE", 50)
    file, folder = tmp_path / "a.db", facts(tmp_path / "facts", 400)
    file.write_bytes(whole)
    url = f"sqlite:///{file}"
    assert cli.run(["doctor", "--store", url]) == 0  # its log is there now
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    capsys.readouterr()
    assert cli.run(["import", folder, "--store", url]) == 1
    told = capsys.readouterr().err
    assert told == f"vsm: the store could not be written (database is locked): nothing was loaded from {folder}\n"
    with store.opened(url) as engine:
        assert len(store.facts(engine).tickets) == 300
    holder.execute("ROLLBACK")
    holder.close()
    assert cli.run(["import", folder, "--store", url]) == 0
    with store.opened(url) as engine:
        assert len(store.facts(engine).tickets) == 400


def test_a_clock_that_was_set_back_changes_no_fact(whole, tmp_path):
    from vsm import facts as folders

    file = tmp_path / "a.db"
    file.write_bytes(whole)
    folder = facts(tmp_path / "facts", 310)
    with store.opened(f"sqlite:///{file}") as engine:
        loaded = folders.load(engine, folders.check(Path(folder)), lambda: datetime(2001, 1, 1, tzinfo=UTC))
        assert loaded.changed == {"tickets": 10}
        assert len(store.facts(engine).tickets) == 310
        assert cli.run(["report", "--store", f"sqlite:///{file}"]) == 0
