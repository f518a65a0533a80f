"""`vsm dashboard`: serves wherever it is called, stops when it is told to, and says what is in its way."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from vsm import cli

PROGRAM = Path(sys.executable).with_name("vsm")


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def healthy(port):
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
        return answer.read() == b"ok"
    return False


def test_it_serves_from_any_folder_until_it_is_stopped(port, stores, tmp_path):
    """Also from a folder with a package that is called like ours."""
    (tmp_path / "vsm").mkdir()
    (tmp_path / "vsm" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    call = [PROGRAM, "dashboard", "--port", str(port)]
    environment = os.environ | {"VSM_STORE": stores["one ticket"]}
    server = subprocess.Popen(call, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 60
        while not healthy(port) and server.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        assert healthy(port)

        again = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert (again.returncode, "already being served" in again.stdout) == (0, True)
    finally:
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=20)

    assert "Traceback" not in said
    assert not healthy(port)


def test_a_port_that_another_program_has_is_said_in_a_sentence(port, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert cli.run(["dashboard", "--port", str(port)]) == 2

    assert capsys.readouterr().err.splitlines() == [
        f"vsm: port {port} cannot be used (address already in use): give another --port"
    ]


def test_a_wrong_configuration_is_said_before_anything_is_served(tmp_path, capsys):
    assert cli.run(["dashboard", "--config", str(tmp_path / "nowhere.toml")]) == 2
    assert "nowhere.toml: cannot be read" in capsys.readouterr().err


def test_no_password_of_the_store_is_printed(port, capsys, monkeypatch):
    called = []
    monkeypatch.setattr(os, "execve", lambda *call: called.append(call))
    cli.run(["dashboard", "--port", str(port), "--store", "postgresql://reader:hunter2@db.example/vsm"])

    assert called[0][2]["VSM_STORE"] == "postgresql://reader:hunter2@db.example/vsm"
    assert "db.example/vsm" in capsys.readouterr().err
    assert "hunter2" not in " ".join(called[0][1])
