"""The git collector against the git program: the whole of `vsm collect git` beside a bare `git log --all` of the same fields.

Both read the history of pytest (18,591 commits on all refs), rebuilt from the recorded data, and are
whole processes, start included, best of some runs that take turns. The harvest writes a new store.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RUNS = 7  # a run of a second meets more of what else the machine does than one of a tenth: the best of few would not be fair
LIMIT = 10.0  # times a bare `git log`
AGAIN = 0.75  # of the first run: what is left is the start of the program

FIELDS = "%H%x00%P%x00%at%x00%ct%x00%ae%x00%an%x00%B"  # those that the collector reads


def figures() -> list[dict[str, Any]]:
    """The measured figures: name, value and peer in seconds, their ratio, and the limit that it must not pass."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        clone = _rebuilt(place / "pytest")
        configuration = place / "vsm.toml"
        configuration.write_text(f'[[sources]]\nkind = "git"\npath = "{clone}"\nrelease_tags = "[0-9]*"\n')
        bare, first, again = (float("inf"),) * 3
        for run in range(RUNS):
            collect = _collect(configuration, place / f"store{run}.db")
            bare = min(bare, _seconds(lambda: _run(["git", "-C", str(clone), "log", "--all", f"--format={FIELDS}"])))
            first = min(first, _seconds(collect))
            again = min(again, _seconds(collect))
    return [
        _figure("vsm collect git, first harvest ÷ git log --all of the same fields", first, bare, LIMIT),
        _figure("vsm collect git, second harvest ÷ first harvest", again, first, AGAIN),
    ]


def _rebuilt(path: Path) -> Path:
    """A clone of the recorded history."""
    recorded = Path(os.environ.get("VSM_RECORDED_DATA", "../shared/data")) / "git_history" / "pytest-history.fi.gz"
    _run(["git", "init", "--quiet", "-b", "main", str(path)])
    stream = gzip.decompress(recorded.read_bytes())
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=stream, check=True)
    return path


def _collect(configuration: Path, store: Path) -> Callable[[], None]:
    program = str(Path(sys.executable).parent / "vsm")
    return lambda: _run([program, "collect", "git", "--config", str(configuration), "--store", f"sqlite:///{store}"])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _figure(name: str, value: float, peer: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


def main() -> int:
    """Print the figures as rows of a table; 1 if a limit is passed."""
    measured = figures()
    for figure in measured:
        verdict = "ok" if figure["ratio"] <= figure["limit"] else "TOO SLOW"
        times = f"{figure['value']:7.3f} s | {figure['peer']:7.3f} s"
        print(f"| {figure['name']:68} | {times} | {figure['ratio']:6.2f} | at most {figure['limit']:5.2f} | {verdict} |")
    return int(any(figure["ratio"] > figure["limit"] for figure in measured))


if __name__ == "__main__":
    sys.exit(main())
