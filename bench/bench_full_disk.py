"""A PostgreSQL server on a file system of its own that runs full, tables and log alike: what was loaded beside what may be.

Needs the right to mount a tmpfs; elsewhere it says so and has no figure. The tests (tests/collectors/test_full_disk.py) limit the
server's files instead, which works everywhere.
"""

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
from postgres_server import Postgres  # the tests' peers are no package

from vsm import store

BEFORE, MOST = 300, 15_000
SIZES = (66, 76, 96)  # MB: 40 of an empty server and its log, and room for a part of the import


def figures() -> list[dict[str, Any]]:
    """For each size of a disk how many tickets were left by an import that ran out of it, and whether the next one was whole."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server is another user
        disk = Path(folder, "disk")
        disk.mkdir()
        return [figure for size in SIZES for figure in _on(disk, size, Path(folder))]


def _on(disk: Path, size: int, folder: Path) -> list[dict[str, Any]]:
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=777", "tmpfs", str(disk)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode:
        print("bench_full_disk: no tmpfs can be mounted here", file=sys.stderr)
        return []
    try:
        return [_figure(size, disk, folder)]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _figure(size: int, disk: Path, folder: Path) -> dict[str, Any]:
    usual, tempfile.tempdir = tempfile.tempdir, str(disk)
    try:
        server = Postgres()
    finally:
        tempfile.tempdir = usual
    try:
        url = server.fresh()
        assert _imported(folder, BEFORE, url) == (0, 0)
        status, lines = _imported(folder, MOST, url)
        assert (status, lines) == (1, 1), (status, lines)
        subprocess.run(["mount", "-o", "remount,size=600m", str(disk)], check=True)
        if not server.runs:
            server.start()
        left = _kept(url)
        assert _imported(folder, MOST, url) == (0, 0)
        wrong = abs(left - BEFORE) + abs(_kept(url) - MOST)
    finally:
        server.close()
    return {"name": f"tickets too many or few, disk of {size} MB", "value": wrong, "peer": MOST, "ratio": wrong / MOST, "limit": 0}


def _imported(folder: Path, count: int, url: str) -> tuple[int, int]:
    """The exit status of an import, and how many lines it had to say on standard error."""
    rng = random.Random(count)  # noqa: S311 - no secret
    facts = folder / "facts"
    facts.mkdir(exist_ok=True)
    lines = (f"PAY-{number},{rng.randbytes(1000).hex()},2026-03-02T10:00:00Z\n" for number in range(count))
    (facts / "tickets.csv").write_text("key,title,created_at\n" + "".join(lines))
    call = [sys.executable, "-m", "vsm", "import", str(facts), "--store", url]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=dict(os.environ))
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode, len(done.stderr.splitlines())


def _kept(url: str) -> int:
    with store.opened(url) as engine:
        return len(store.facts(engine).tickets)


if __name__ == "__main__":
    for figure in figures():
        print(figure)
