"""Whose turn it is: one at a time, given back by whoever ends or is killed, and for each store its own."""

import os
import subprocess
import sys

import pytest

from vsm import turn
from vsm.errors import UsageError

HOLDS = "import sys, time; from vsm import turn\nwith turn.own(sys.argv[1]): print('mine', flush=True); time.sleep(60)"


@pytest.fixture
def store(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'vsm.db'}"


def test_a_second_one_is_refused_until_the_first_has_ended(store):
    assert not turn.taken(store)
    with turn.own(store):
        assert turn.taken(store)
        with pytest.raises(UsageError, match="runs already: wait for its end, or stop it"), turn.own(store):
            pass
    with turn.own(store):
        pass


def test_a_killed_one_leaves_nothing_behind(store):
    with subprocess.Popen([sys.executable, "-c", HOLDS, store], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert turn.taken(store)
        holder.kill()
    assert not turn.taken(store)


def test_one_store_is_one_however_it_is_called(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to(tmp_path / "vsm.db")
    calls = (store, "sqlite:///vsm.db", "sqlite:///link.db", f"{store}?timeout=5", store.replace("sqlite:", "sqlite+pysqlite:"))

    assert {turn.place(call, "log") for call in calls} == {tmp_path / "vsm.db.harvest.log"}
    assert turn.place("sqlite:///other.db", "log") != turn.place(store, "log")


def test_a_server_has_its_file_in_the_users_folder_whatever_account_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with turn.own("postgresql://reader:hunter2@db.example/vsm"):
        assert turn.taken("postgresql://writer:other@db.example/vsm")
    assert [path.parent for path in tmp_path.rglob("*.log")] == [tmp_path / "state" / "vsm"]


def test_where_no_file_can_be_written_nobody_is_kept_out(tmp_path, monkeypatch):
    (tmp_path / "state").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with turn.own("postgresql://db.example/vsm"), turn.own("postgresql://db.example/vsm"):
        assert os.listdir(tmp_path) == ["state"]
