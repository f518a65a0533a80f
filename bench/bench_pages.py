"""How fast the pages are, at 1,000, 10,000 and 100,000 tickets of a made-up line, once what they show is cached.

In a browser: the first view of the dashboard and the switch to each page, until every chart is drawn; how much longer that
takes with the largest store than with the smallest. Without one, over the websocket: the CPU time that the server needs to
run each page once more at 100,000 tickets, against a Streamlit page that only shows as many charts, from ready-made
specifications with the same rows (`plain_page.py`), as Streamlit runs it and without its search for garbage after each run.
`python bench/bench_pages.py FILE` prints the latter for a store that is there.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import big_store
from viewer import Viewer, cpu

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
from programs import Program, free_port  # the tests' peers are no package
from screens import SETTLED, Screen, chromium, settle

SIZES = (1_000, 10_000, 100_000)
PAGES = {
    "": "How is delivery going, and what changed?",
    "map": "Where does work wait?",
    "flow": "How long does work take and what is stuck?",
    "bottlenecks": "What should we change first?",
    "delivery": "Are changes small, fast and safe?",
    "forecast": "When will it be done, and how many will be?",
    "retro": "What do we take into the meeting?",
    "data": "Can I trust this?",
}
ROUNDS, RERUNS = 3, 10
GROWTH, SERVER = 1.5, 2.0  # the limits

Figure = dict[str, Any]


def figures() -> list[Figure]:
    """The measured figures: name, value, peer, ratio and limit."""
    seen: dict[int, dict[str, float]] = {}
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for tickets in SIZES:
            file = Path(folder) / f"{tickets}.db"
            subprocess.run([sys.executable, big_store.__file__, str(file), str(tickets)], check=True)
            with dashboard(file) as server:
                seen[tickets] = looked(server)
                if tickets == SIZES[-1]:
                    found = server_times(server, Path(folder))
            file.unlink()
    small, large = seen[SIZES[0]], seen[SIZES[-1]]
    for size, times in seen.items():
        print(f"{size:,} tickets, s: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in times.items()), file=sys.stderr)
    named = f"{SIZES[-1]:,} ÷ {SIZES[0]:,} tickets"
    switch = [name for name in small if name != "first view"]
    return [
        _figure(f"first view, s, {named}", large["first view"], small["first view"], GROWTH),
        _figure(
            f"page switch, mean of all, s, {named}",
            *(statistics.fmean(at[name] for name in switch) for at in (large, small)),
            GROWTH,
        ),
        *(_figure(f"switch to {name}, s, {named}", large[name], small[name], None) for name in switch),
        *found,
    ]


@contextmanager
def dashboard(file: Path) -> Iterator[Program]:
    """The dashboard on a store, with everything that a page asks for measured once."""
    with tempfile.TemporaryDirectory() as folder:
        (config := Path(folder) / "vsm.toml").write_text(big_store.CONFIG, encoding="utf-8")
        port, program = free_port(), Path(sys.executable).with_name("vsm")
        command = [program, "dashboard", "--port", port, "--store", f"sqlite:///{file}", "--config", config]
        server = Program(command, port, "/_stcore/health", Path(folder) / "log")
        try:
            for page in PAGES:
                asked(port, page, 1)
            yield server
        finally:
            server.close()


def asked(port: int, page: str, times: int, query: str = "") -> list[Any]:
    """A page run so many times in one session."""
    viewer = Viewer(port, page, query)
    try:
        return [viewer.run() for _ in range(times)]
    finally:
        viewer.close()


# In a browser. ---------------------------------------------------------------------------------------------------------


def looked(server: Program) -> dict[str, float]:
    """The shortest seconds of the first view and of the switch to each page."""
    times: dict[str, list[float]] = {}
    with chromium() as browser:
        for _ in range(ROUNDS):
            screen = Screen(browser, f"http://localhost:{server.port}")
            page = screen.page
            page.goto("about:blank")
            took = drawn(page, PAGES[""], lambda page=page, screen=screen: page.goto(screen.address, wait_until="commit"))
            times.setdefault("first view", []).append(took)
            links = page.get_by_test_id("stTopNavLinkContainer")
            for place, (name, question) in list(enumerate(PAGES.items()))[::-1]:
                took = drawn(page, question, links.nth(place).click)
                times.setdefault(name or "overview", []).append(took)
            screen.close()
    return {name: min(taken) for name, taken in times.items()}


def drawn(page: Any, question: str, action: Callable[[], object]) -> float:
    """Seconds from an action until its page is there and every chart drawn."""
    there = f"() => [...document.querySelectorAll('h1')].some(h => h.innerText === {json.dumps(question)}) && ({SETTLED})()"
    began = time.perf_counter()
    action()
    while True:
        page.wait_for_function(there, timeout=300_000)
        took = time.perf_counter() - began
        page.wait_for_timeout(300)  # what looks done may only not have begun yet
        if page.evaluate(there):
            settle(page)
            return took


# The server alone. -----------------------------------------------------------------------------------------------------


def server_times(server: Program, folder: Path) -> list[Figure]:
    """The CPU seconds of a rerun of each page against those of a plain page with as many charts; of the heaviest page first."""
    charts = {}
    for page in PAGES:
        charts[page] = asked(server.port, page, 1)[0].charts
        (folder / f"{page or 'overview'}.json").write_text(json.dumps(charts[page]), encoding="utf-8")
    ours = {page: rerun(server, page) for page in PAGES}
    theirs, bare = plain(folder), plain(folder, "--runner.postScriptGC=false")
    order = sorted(PAGES, key=lambda page: -ours[page])
    named = {page: f"{page or 'overview'} with {len(charts[page])} charts, CPU s" for page in PAGES}
    return [
        *(
            _figure(f"server, a rerun of {named[page]} ÷ plain page", ours[page], theirs[page], SERVER if place == 0 else None)
            for place, page in enumerate(order)
        ),
        # More than half of what the plain page needs is Streamlit's own search for garbage, of which ours has less.
        *(
            _figure(f"server, a rerun of {named[page]} ÷ plain page that searches no garbage", ours[page], bare[page], None)
            for page in order
        ),
    ]


def plain(folder: Path, *more: str) -> dict[str, float]:
    """The CPU seconds of a rerun of the plain page with each page's charts; `more`: options of Streamlit."""
    port = free_port()
    script = Path(__file__).with_name("plain_page.py")
    options = ["--server.headless=true", "--browser.gatherUsageStats=false", "--server.address=127.0.0.1", *more]
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}", *options]
    server = Program(command, port, "/_stcore/health", folder / "log", {"VSM_SPECS": str(folder)})
    try:
        return {page: rerun(server, "", f"page={page or 'overview'}") for page in PAGES}
    finally:
        server.close()


def rerun(server: Program, page: str, query: str = "") -> float:
    """The CPU seconds that a server needs to run a page once more."""
    viewer = Viewer(server.port, page, query)
    try:
        for _ in range(2):
            viewer.run()
        before = cpu(server.pid)
        for _ in range(RERUNS):
            viewer.run()
        return (cpu(server.pid) - before) / RERUNS
    finally:
        viewer.close()


def _figure(name: str, value: float, peer: float, limit: float | None) -> Figure:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, dashboard(Path(sys.argv[1])) as running:
        if os.environ.get("VSM_BENCH_BROWSER"):
            print(looked(running))
        for row in server_times(running, Path(place)):
            print(f"{row['name']:70} {row['value']:.3f} {row['peer']:.3f} {row['ratio']:.2f}")
