"""The whole report, from a SQLite store to its document, against a bare stable sort of as long a log in the same run.

Made-up lines of 100,000 tickets (about 1.4 million events) and of a million, whose store of some 3 GB is written first.
Report and sort are made alike: once, by a process of its own that has no warm memory; of each the fastest of three such
processes counts. The sort's best time in memory that was used before is told, too. The report also tells its peak memory.
`python bench/bench_report.py FILE` prints where the time goes for a store that is there (CPU seconds).
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from vsm import memory

if __name__ == "__main__":
    memory.of_a_short_run()  # as `vsm.cli.main` does, and as early: libraries begin threads when they are imported
import bench_flow
import big_store

SMALL, LARGE = 100_000, 1_000_000
RUNS = 3
LIMITS = {LARGE: 20.0}  # times the bare sort; for the smaller log what does not grow with it weighs too much
MEMORY = 6_000.0  # MB
AS_THE_PROGRAM = os.environ | memory.ENVIRONMENT  # read when a library is imported, and some are above

Figure = dict[str, Any]


def figures() -> list[Figure]:
    """The measured figures: name, value, peer, ratio and limit."""
    found = []
    for tickets in (SMALL, LARGE):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "big.db"
            subprocess.run([sys.executable, big_store.__file__, str(file), str(tickets)], check=True)
            sorts, reports = ([_asked(what) for _ in range(RUNS)] for what in (str(tickets), str(file)))
        first, again = (min(told[name] for told in sorts) for name in ("seconds", "again"))
        seconds, name = min(told["seconds"] for told in reports), f"whole report, {tickets:,} tickets"
        found.append(_figure(f"{name} ÷ a bare stable sort, s", seconds, first, LIMITS.get(tickets)))
        found.append(_figure(f"{name} ÷ the sort's best in memory used before, s", seconds, again, None))
        found.append(_figure(f"{name}, peak MB ÷ 6 GB", max(told["peak_mb"] for told in reports), MEMORY, 1.0))
    return found


def _asked(what: str) -> dict[str, Any]:
    """What a process of its own measures: the report of a store's file, or the sort of so many tickets' log."""
    made = subprocess.run([sys.executable, __file__, what], stdout=subprocess.PIPE, check=True, env=AS_THE_PROGRAM)
    told: dict[str, Any] = json.loads(made.stdout)
    return told


def sorted_once(tickets: int) -> dict[str, float]:
    """The seconds of a bare stable sort of a log, and the best of some more in the same process."""
    log = bench_flow.synthetic(tickets)
    began = time.perf_counter()
    bench_flow.bare(log)
    return {"seconds": time.perf_counter() - began, "again": bench_flow.taking_turns(lambda: bench_flow.bare(log))[0]}


def measured(file: Path) -> dict[str, Any]:
    """The report of a store: seconds in all, CPU seconds of each step, events, peak memory in MB."""
    from vsm import config, measure, pipeline, report, store
    from vsm.scope import Scope, window

    with tempfile.TemporaryDirectory() as folder:
        (place := Path(folder) / "vsm.toml").write_text(big_store.CONFIG, encoding="utf-8")
        told = config.load(place)
    began, steps, cpu = time.perf_counter(), {}, time.process_time()

    def step(name: str) -> None:
        nonlocal cpu
        cpu, before = time.process_time(), cpu
        steps[name] = round(cpu - before, 2)

    with store.opened(f"sqlite:///{file}", create=False) as engine:
        facts, harvests = store.facts(engine), store.harvests(engine)
    step("reading")
    flow = pipeline.read(facts, told)
    step("links, events and visits")
    measures = measure.measure(flow, Scope(*window(flow.now, told.zone, None, None)), ahead=True)  # as `vsm report` does
    step("figures and constraint, and what runs beside them")
    whole = report.document(measures, harvests)
    json.dumps(whole)
    assert whole["waste"]
    assert whole["lead_time_lever"]
    step("document, and what is still to be done of waste, lever and the constraint's history")
    return {
        "seconds": time.perf_counter() - began,
        "cpu": steps,
        "events": sum(len(stream.log) for stream in flow.streams),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _figure(name: str, value: float, peer: float, limit: float | None) -> Figure:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


if __name__ == "__main__":
    print(json.dumps(sorted_once(int(sys.argv[1])) if sys.argv[1].isdigit() else measured(Path(sys.argv[1]))))
