"""With VSM_LOG=json every line on standard error is one JSON object, whoever wrote it."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vsm import logs
from vsm.errors import UsageError


def line(record: logging.LogRecord) -> dict[str, object]:
    told = logs.Lines().format(record)
    assert "\n" not in told
    return json.loads(told)


def test_a_record_is_one_line_with_what_the_call_gave() -> None:
    record = logging.LogRecord("vsm", logging.INFO, "x.py", 1, "read %s\nof all", ("42",), None)
    record.created, record.rows = 1772443800.25, 42
    assert line(record) == {
        "time": "2026-03-02T09:30:00.250+00:00",
        "level": "info",
        "logger": "vsm",
        "message": "read 42\nof all",
        "rows": 42,
    }


def test_a_traceback_stays_in_its_record() -> None:
    try:
        raise ValueError("no such row")
    except ValueError:
        told = line(logging.LogRecord("dashboard", logging.ERROR, "x.py", 1, "error %s", ("ab12",), sys.exc_info()))
    assert "no such row" in str(told["error"])
    assert told["message"] == "error ab12"


def test_accounts_in_urls_are_left_out() -> None:
    record = logging.LogRecord("vsm", logging.ERROR, "x.py", 1, "cannot reach postgresql://vsm:hunter2@db.example/vsm", (), None)
    assert line(record)["message"] == "cannot reach postgresql://db.example/vsm"


def test_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="VSM_LOG is 'xml'; expected text or json"):
        logs.begin({"VSM_LOG": "xml"})


def run(folder: Path, *arguments: str) -> tuple[int, list[dict[str, object]]]:
    environment = os.environ | {"VSM_LOG": "json"}
    code = "import sys; from vsm.cli import main; main(sys.argv[1:])"
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, [json.loads(one) for one in ended.stderr.splitlines()]


def test_a_harvest_and_an_error_are_records(tmp_path: Path) -> None:
    made = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(tmp_path / "shop")]
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path / "shop")], check=True)
    subprocess.run([*made, "commit", "-q", "--allow-empty", "-m", "Start"], check=True)
    (tmp_path / "vsm.toml").write_text(
        '[[sources]]\nkind = "git"\npath = "shop"\n[[sources]]\nkind = "git"\nname = "gone"\npath = "gone"\n'
    )
    status, told = run(tmp_path, "collect")
    assert status == 1
    harvested = next(one for one in told if one["message"] == "harvested")
    assert {"source": "git", "level": "info", "changed": harvested["changed"]}.items() <= harvested.items()
    assert harvested["rows"] == harvested["new"] > 0
    assert [one.get("source") for one in told if one["level"] == "error"] == ["gone", None]
    assert told[-1]["status"] == 1


def test_a_wrong_call_is_a_record(tmp_path: Path) -> None:
    status, told = run(tmp_path, "report", "--store", f"sqlite:///{tmp_path}/none.db")
    assert status == 2
    assert [(one["level"], one["logger"], one["status"]) for one in told] == [("error", "vsm", 2)]
