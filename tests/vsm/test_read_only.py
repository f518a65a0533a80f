"""A store that this user may only read, by the rights of its file or folder: it is read, and what would write says a sentence."""

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vsm import cli

# Rights do not stop root, unless it goes without these two.
ORDINARY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
PROGRAM = """
import contextlib, io, json, os, sys
from starlette.applications import Starlette
from asgi import call
from dashboard import api
from vsm import cli

def told(words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if words[0] == "dashboard":
            os.environ["VSM_STORE"] = words[-1]
            answer = call(Starlette(routes=api.routes()), path=words[1])
            out.write(answer.body.decode())
            status = answer.status
        else:
            status = cli.run(words)
    return [status, out.getvalue(), err.getvalue()]

print(json.dumps([told(words) for words in json.loads(sys.stdin.read())]))
"""
LEAVES = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("UPDATE tickets SET title = 1")
connection.commit()
os._exit(0)
"""
STORES = ("a folder and a file", "a folder", "a file", "a folder with a log that was left")
READS = {
    "report": ["report"],
    "dashboard": ["dashboard", "/api/v1/report"],
    "export": ["export", "facts", "{out}/facts"],
    "backup": ["backup", "{out}/backup.zip"],
    "doctor": ["doctor"],
    "audit": ["audit"],
}
WRITES = {
    "import": ["import", "{facts}"],
    "collect": ["collect", "--config", "{clone}"],
    "event": ["event", "incident", "--id", "i", "--opened-at", "2026-03-02T09:00Z"],
    "erase": ["erase", "ann", "--yes"],
    "restore": ["restore", "{backup}", "--force"],
}
# A page is read as a report is, which takes a second: once is enough.
CASES = [(name, command) for name in STORES for command in (*READS, *WRITES) if command != "dashboard" or name == STORES[0]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], list[Any]]]:
    """What each command ended with and said over each store, and the bytes of the store's folder before and after."""
    place = tmp_path_factory.mktemp("read-only")
    facts, clone = place / "facts", place / "clone"
    facts.mkdir()
    lines = (f"PAY-{number},A title,2026-03-02T10:00:00Z,Done\n" for number in range(20))
    (facts / "tickets.csv").write_text("key,title,created_at,status\n" + "".join(lines))
    (facts / "transitions.csv").write_text("ticket,at,to_status,actor\nPAY-1,2026-03-03T10:00:00Z,Done,ann\n")
    subprocess.run(["git", "init", "-q", clone], check=True)
    (clone / "vsm.toml").write_text('[privacy]\nkey = "env:T_KEY"\n[[sources]]\nkind = "git"\npath = "."\n')
    stores = {name: made(place / f"store{number}", name, str(facts)) for number, name in enumerate(STORES)}
    backup = place / "whole.zip"
    assert cli.run(["backup", str(backup), "--store", f"sqlite:///{stores['a file']}"]) == 0
    before, calls = {name: held(file.parent) for name, file in stores.items()}, {}
    for name, file in stores.items():
        (place / f"out {name}").mkdir()
        told = {"out": place / f"out {name}", "facts": facts, "clone": clone / "vsm.toml", "backup": backup}
        for command, words in {**READS, **WRITES}.items():
            if (name, command) not in CASES:
                continue
            calls[name, command] = [*(word.format(**told) for word in words), "--store", f"sqlite:///{file}"]
    for name, file in stores.items():
        file.chmod(0o644 if name == "a folder" else 0o444)
        file.parent.chmod(0o755 if name == "a file" else 0o555)
    environment = {"T_KEY": "a key of these tests", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*ORDINARY, sys.executable, "-c", PROGRAM], input=json.dumps(list(calls.values())), capture_output=True, text=True,
        check=False, cwd=place, env={**os.environ, **environment}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[tuple[str, str], list[Any]] = dict(zip(calls, json.loads(done.stdout), strict=True))
    for name, file in stores.items():
        found[name, "bytes"] = [before[name], held(file.parent)]
        found[name, "backup"].append(place / f"out {name}" / "backup.zip")
    yield found
    for file in stores.values():
        file.parent.chmod(0o755)


def made(folder: Path, name: str, facts: str) -> Path:
    """A store of twenty tickets and one change of status."""
    folder.mkdir()
    file = folder / "a.db"
    assert cli.run(["import", facts, "--store", f"sqlite:///{file}"]) == 0
    if "log" in name:  # as a program leaves it that was killed
        subprocess.run([sys.executable, "-c", LEAVES, str(file)], check=True)
        assert (folder / "a.db-wal").stat().st_size
        for path in folder.iterdir():
            path.chmod(0o444)
    return file


def held(folder: Path) -> dict[str, bytes]:
    every = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    return {name: told for name, told in every.items() if told}  # the log of nothing is empty


@pytest.mark.parametrize(("name", "command"), [case for case in CASES if case[1] in READS])
def test_what_reads_works(answers: dict[tuple[str, str], list[Any]], name: str, command: str) -> None:
    status, out, err, *files = answers[name, command]
    assert status == (200 if command == "dashboard" else 0), err
    assert err == ("The key of people's handles is not in it: keep what [privacy] key names with it\n" if files else "")
    assert {
        "report": "Report on everything", "dashboard": '"tickets"', "export": "21 rows in 17 files",
        "backup": "in 28 tables", "doctor": "21 facts in 2 tables", "audit": "",
    }[command] in out  # fmt: skip
    for file in files:  # a backup has what the log had
        with zipfile.ZipFile(file) as archive:
            archive.extract("store.db", file.parent)
        with sqlite3.connect(file.parent / "store.db") as copy:
            titles = {title for (title,) in copy.execute("SELECT title FROM tickets")}
        copy.close()
        assert titles == {"1" if "log" in name else "A title"}


@pytest.mark.parametrize(("name", "command"), [case for case in CASES if case[1] in WRITES])
def test_what_would_write_says_one_sentence(answers: dict[tuple[str, str], list[Any]], name: str, command: str) -> None:
    status, out, err = answers[name, command]
    (line,) = err.splitlines()
    assert status == (2 if command == "restore" else 1)
    assert line.startswith("vsm: ")
    assert "attempt to write a readonly database" in line
    assert "new or changed" not in out


@pytest.mark.parametrize("name", STORES)
def test_the_files_are_as_they_were(answers: dict[tuple[str, str], list[Any]], name: str) -> None:
    before, after = answers[name, "bytes"]
    assert after == before
