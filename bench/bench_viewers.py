"""How many viewers one process bears: the heaviest page against an empty one, fifty at once against one alone, memory a viewer.

Viewers are websockets in a process of their own on the same machine (`viewer.py`); each asks for a page, thinks, and goes to
another. Their first page does not count: it is there before anybody thinks. `python bench/bench_viewers.py PORT` tells what one
and fifty get of a server that runs.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import big_store
from bench_pages import PAGES, dashboard
from viewer import Viewer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
from programs import Program, free_port  # the tests' peers are no package

TICKETS = 10_000
VIEWERS, THINK, SECONDS = 50, 5.0, 60.0
AT_ONCE = 4  # who ask without a pause, for the most that a process can do
ROUNDS, PAUSE = 25, 0.1  # of all pages by one viewer alone, with so many seconds between: as long a row as the crowd's
EMPTY, BUSY = 3.0, 2.0  # limits: an empty page's reruns a second ÷ ours; a crowd's 95th percentile ÷ one viewer's
Figure = dict[str, Any]


def figures() -> list[Figure]:
    """The measured figures: name, value, peer, ratio and limit."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "big.db"
        subprocess.run([sys.executable, big_store.__file__, str(file), str(TICKETS)], check=True)
        with dashboard(file) as server:
            return measured(server, Path(folder))


def measured(server: Program, folder: Path) -> list[Figure]:
    """The figures of a server that runs."""
    heaviest = max(PAGES, key=lambda page: most(server.port, page, 3.0)[1])
    ours, took = most(server.port, heaviest, 15.0)
    empty = rate_of_empty_page(folder)
    before = memory(server.pid)
    alone = by_oneself(server.port)
    many = crowd(server.port, VIEWERS, SECONDS)
    after = memory(server.pid)
    print(
        f"heaviest page {heaviest or 'overview'}: {took:.3f} s each with {AT_ONCE} at once; {said(alone)} by one viewer, "
        f"{said(many)} by {VIEWERS}; memory {before:.0f} → {after:.0f} MB",
        file=sys.stderr,
    )
    named = f"{VIEWERS} viewers who think {THINK:.0f} s"
    return [
        _figure(f"reruns a second, an empty page ÷ {heaviest or 'overview'}", empty, ours, EMPTY),
        _figure(f"95th percentile of a page, s, {named} ÷ one", late(many), late(alone), BUSY),
        _figure(f"memory, MB, with {named} ÷ before", after, before, None),
        _figure("memory, MB a viewer ÷ 1 MB", max(after - before, 0.0) / VIEWERS, 1.0, None),
    ]


def most(port: int, page: str, seconds: float) -> tuple[float, float]:
    """Pages a second that a server gives to some who ask without a pause, and the seconds that one takes then."""
    taken = together(port, AT_ONCE, seconds, lambda _: page, think=0.0)
    return len(taken) / seconds, statistics.median(taken)


def rate_of_empty_page(folder: Path) -> float:
    """Pages a second that Streamlit gives of a page with a title alone."""
    port, script = free_port(), folder / "empty.py"
    script.write_text('import streamlit as st\n\nst.title("Nothing")\n', encoding="utf-8")
    options = ["--server.headless=true", "--browser.gatherUsageStats=false", "--server.address=127.0.0.1"]
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}", *options]
    server = Program(command, port, "/_stcore/health", folder / "log")
    try:
        most(port, "", 2.0)
        return most(port, "", 10.0)[0]
    finally:
        server.close()


def crowd(port: int, viewers: int, seconds: float) -> list[float]:
    """The seconds of each page that so many viewers asked for, who go from page to page and think between."""
    return together(port, viewers, seconds, random.Random(1).choice, think=THINK)  # noqa: S311 - a load test keeps no secret


def by_oneself(port: int) -> list[float]:
    """The seconds of each page of one viewer who looks at all of them again and again."""
    viewer = Viewer(port, keep=False)
    taken = []
    try:
        for page in [*PAGES] * ROUNDS:
            time.sleep(PAUSE)
            taken.append(viewer.run(page).seconds)
    finally:
        viewer.close()
    return taken


def said(taken: list[float]) -> str:
    """How many pages, and what they took."""
    return f"{len(taken)} pages (median {statistics.median(taken):.3f} s, 95 % within {late(taken):.3f} s)"


def together(port: int, viewers: int, seconds: float, page: Callable[[list[str]], str], think: float) -> list[float]:
    """The seconds of each page, all viewers taken together; each connects and asks once before it counts, and then goes on."""
    ready, taken, lock = threading.Barrier(viewers), list[float](), threading.Lock()

    def look(number: int) -> None:
        mine = random.Random(number)  # noqa: S311 - a load test keeps no secret
        viewer = Viewer(port, page(list(PAGES)), keep=False)
        try:
            viewer.run()
            ready.wait(600)
            ends = time.monotonic() + seconds
            time.sleep(mine.uniform(0, think))
            while time.monotonic() < ends:
                took = viewer.run(page(list(PAGES))).seconds
                with lock:
                    taken.append(took)
                time.sleep(mine.uniform(0.5, 1.5) * think)
        finally:
            viewer.close()

    threads = [threading.Thread(target=look, args=(number,)) for number in range(viewers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def late(taken: list[float]) -> float:
    """The 95th percentile by nearest rank."""
    return sorted(taken)[-(-len(taken) * 95 // 100) - 1]


def memory(process: int) -> float:
    """The megabytes that a process has in memory."""
    fields = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _figure(name: str, value: float, peer: float, limit: float | None) -> Figure:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


if __name__ == "__main__" and len(sys.argv) > 1:
    here = int(sys.argv[1])
    one, fifty = by_oneself(here), crowd(here, VIEWERS, SECONDS)
    print(f"one: {said(one)}; {VIEWERS}: {said(fifty)}; ratio {late(fifty) / late(one):.2f}")
elif __name__ == "__main__":
    for row in figures():
        print(f"{row['name']:70} {row['value']:.3f} {row['peer']:.3f} {row['ratio']:.2f}")
