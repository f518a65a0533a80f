"""The whole report, from a SQLite store to its document, against a bare stable sort of as long a log in the same run.

Made-up lines of 100,000 tickets (about 1.4 million events) and of a million, whose store of some 3 GB is written first.
Each report is made once by a process of its own, which also tells its peak memory.
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

import bench_flow
import big_store

SMALL, LARGE = 100_000, 1_000_000
LIMITS = {LARGE: 20.0}  # times the bare sort; for the smaller log what does not grow with it weighs too much
MEMORY = 6_000.0  # MB
AS_THE_PROGRAM = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # `vsm.cli.main` sets it

Figure = dict[str, Any]


def figures() -> list[Figure]:
    """The measured figures: name, value, peer, ratio and limit."""
    found = []
    for tickets in (SMALL, LARGE):
        log = bench_flow.synthetic(tickets)
        (floor,) = bench_flow.taking_turns(lambda log=log: bench_flow.bare(log))
        del log
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "big.db"
            subprocess.run([sys.executable, big_store.__file__, str(file), str(tickets)], check=True)
            made = subprocess.run([sys.executable, __file__, str(file)], stdout=subprocess.PIPE, check=True, env=AS_THE_PROGRAM)
            told = json.loads(made.stdout)
        name = f"whole report, {tickets:,} tickets"
        found.append(_figure(f"{name} ÷ a bare stable sort, s", told["seconds"], floor, LIMITS.get(tickets)))
        found.append(_figure(f"{name}, peak MB ÷ 6 GB", told["peak_mb"], MEMORY, 1.0))
    return found


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
    assert measures.waste is not None
    assert measures.lever is not None
    step("waste and lever")
    json.dumps(report.document(measures, harvests))
    step("document")
    return {
        "seconds": time.perf_counter() - began,
        "cpu": steps,
        "events": sum(len(stream.log) for stream in flow.streams),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _figure(name: str, value: float, peer: float, limit: float | None) -> Figure:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]))))
