"""Who watches over the server is told whether it lives and can answer, and nothing else; with VSM_LOG=json it logs JSON."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from programs import Program, free_port

from vsm import store


def ask(address):
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server on a new store, logging JSON: its address, its store's file, its log."""
    monkeypatch.setenv("VSM_LOG", "json")
    file, log, port = tmp_path / "vsm.db", tmp_path / "log", free_port()
    store.open_store(f"sqlite:///{file}").dispose()
    call = [Path(sys.executable).with_name("vsm"), "dashboard", "--port", port, "--store", f"sqlite:///{file}"]
    running = Program(call, port, "/_stcore/health", log)
    yield f"http://127.0.0.1:{port}", file, log
    running.close()


def test_a_server_is_ready_while_its_store_can_be_read_and_every_line_of_its_log_is_json(served):
    address, file, log = served
    assert ask(f"{address}/healthz") == (200, {"status": "ok"})
    assert ask(f"{address}/readyz") == (200, {"status": "ready"})

    file.write_bytes(b"not a store at all" * 1000)
    for side in ("-wal", "-shm"):
        file.with_name(file.name + side).unlink(missing_ok=True)
    status, told = ask(f"{address}/readyz")
    assert (status, told["status"]) == (503, "not ready")
    assert "cannot be read now" in told["why"]
    assert ask(f"{address}/healthz") == (200, {"status": "ok"})

    # Streamlit's welcome is not there, for which it would ask a server outside what our address is.
    printed = log.read_text().splitlines()
    assert [json.loads(one)["message"] for one in printed if "Serving the dashboard" in one]
    assert all(set(json.loads(one)) >= {"time", "level", "logger", "message"} for one in printed)
