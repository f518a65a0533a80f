"""`vsm collect --progress FILE`: another program sees how a harvest goes and how it ended, whatever ended it."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from collectors.base import Page
from collectors.harvest import Outcome
from collectors.progress_file import NOTES, Record, Recorded, recorded
from vsm import cli
from vsm.errors import UsageError


class Nobody:
    """A watcher who counts what it is told."""

    def __init__(self):
        self.told = []

    def begins(self, source, scope):
        self.told.append(("begins", source))

    def page(self, source, page):
        self.told.append(("page", source))

    def ends(self, outcome):
        self.told.append(("ends", outcome.source))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "vsm.db.harvest.json"


def said(file):
    return json.loads(file.read_text(encoding="utf-8"))


def configure(folder, *paths):
    tables = (f'[[sources]]\nkind = "git"\nname = "{path}"\npath = "{path}"\n' for path in paths)
    (folder / "vsm.toml").write_text("\n".join(tables))


def test_it_tells_each_source_with_its_pages_rows_and_end(file):
    record, other = Record(file), Nobody()
    watching = Recorded(record, other)
    record.planned(["shop", "jira"])
    assert [(one["source"], one["status"]) for one in said(file)["sources"]] == [("shop", "waiting"), ("jira", "waiting")]

    watching.begins("shop", "all refs of shop")
    watching.page(
        "shop", Page(facts={"commits": [{}, {}]}, fill={"tags": [{}]}, done=2, total=9, doing="commits", warnings=("odd",))
    )
    record.write()
    shop, jira = said(file)["sources"]
    assert (shop["status"], shop["scope"], shop["pages"], shop["rows"]) == ("running", "all refs of shop", 1, 3)
    assert (shop["doing"], shop["done"], shop["total"], shop["notes"]) == ("commits", 2, 9, ["odd"])
    assert jira["status"] == "waiting"

    watching.ends(Outcome("shop", "git", "all refs of shop", changed=3, gone=1, new=2, seconds=1.24))
    watching.ends(Outcome("jira", "jira", error="it asked us to wait", until=datetime(2026, 11, 1, 9, tzinfo=UTC)))
    shop, jira = said(file)["sources"]
    assert (shop["status"], shop["new"], shop["changed"], shop["seconds"], shop["error"]) == ("done", 2, 4, 1.2, None)
    assert (jira["status"], jira["error"], jira["until"]) == ("parked", "it asked us to wait", "2026-11-01T09:00:00+00:00")
    assert other.told == [("begins", "shop"), ("page", "shop"), ("ends", "shop"), ("ends", "jira")]


def test_a_source_that_warns_without_end_does_not_fill_the_file(file):
    watching = Recorded(Record(file), Nobody())
    watching.record.planned(["shop"])
    for number in range(NOTES * 2):
        watching.page("shop", Page(warnings=(f"odd {number}",)))

    assert watching.record.of("shop")["notes"] == [f"odd {number}" for number in range(NOTES)]


@pytest.mark.parametrize(
    ("raised", "status", "error"),
    [
        (KeyboardInterrupt(), "stopped", None),
        (UsageError("no such key"), "failed", "no such key"),
        (ValueError("secret"), "failed", "a mistake in the program (ValueError): its log says where"),
    ],
)
def test_whatever_ends_it_is_told(file, raised, status, error):
    def work():
        with recorded(file):
            assert said(file)["status"] == "running"
            raise raised

    with pytest.raises(type(raised)):
        work()

    assert (said(file)["status"], said(file)["error"]) == (status, error)


def test_a_harvest_is_told_from_its_beginning_to_its_end(repo, tmp_path, file, monkeypatch):
    repo.commit("Sort the cart (#1)")
    configure(tmp_path, "shop", "nowhere")
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    assert cli.run(["collect", "--store", f"sqlite:///{tmp_path}/vsm.db", "--progress", str(file)]) == 1

    told = said(file)
    shop, nowhere = told["sources"]
    assert (told["status"], told["error"]) == ("failed", None)  # what failed stands at its source
    assert (shop["status"], shop["new"] > 0, shop["error"]) == ("done", True, None)
    assert (nowhere["status"], "nowhere" in nowhere["error"]) == ("failed", True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_wrong_configuration_is_told_as_well(tmp_path, file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["collect", "--progress", str(file), "--store", f"sqlite:///{tmp_path}/vsm.db"]) == 2

    assert said(file)["status"] == "failed"
    assert "nothing to harvest" in said(file)["error"]


def test_a_file_that_cannot_be_written_stops_no_harvest(repo, tmp_path, monkeypatch):
    repo.commit("Sort the cart (#1)")
    configure(tmp_path, "shop")
    monkeypatch.chdir(tmp_path)

    assert cli.run(["collect", "--store", f"sqlite:///{tmp_path}/vsm.db", "--progress", str(tmp_path / "no" / "file")]) == 0


def test_a_plain_kill_of_its_group_ends_it_as_ctrl_c_does(repo, tmp_path, file):
    """The record in the store says so, too; the pages that are saved stay."""
    configure(tmp_path, "shop")
    # A git that never answers stands for a source that takes its time.
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    call = [sys.executable, "-m", "vsm", "collect", "--progress", str(file)]
    environment = os.environ | {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    with subprocess.Popen(call, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, start_new_session=True) as run:
        end = time.monotonic() + 30
        while "shop" not in (file.read_text() if file.exists() else "") and time.monotonic() < end:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGTERM)
        _, err = run.communicate(timeout=20)

    assert (run.returncode, said(file)["status"], b"Traceback" in err) == (130, "stopped", False)
