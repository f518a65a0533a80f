"""The flow kernel against a bare stable sort of the log, and against pm4py where `make flow-peers` has installed it.

A synthetic log in order of time, 14.7 events a ticket, 14 activities, 300 people, as numbers. The floor is
one stable argsort by ticket and one gather: what comes out of it must be sorted by ticket at least. The
kernel then counts transitions, the times of each, how long tickets last and stay at each activity, rework
and handovers; pm4py counts the same but for the time at each activity. Best of some runs that take turns;
pm4py once. And pm4py is asked about random boards that no test has seen: not one answer may differ.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vsm.metrics import kernel

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
import flow_golden  # its folder is not a package: tests find it the same way
import flow_logs

RUNS = 3
SMALL, LARGE = 100_000, 1_000_000
LIMITS = {SMALL: 2.5, LARGE: 3.0}  # times the floor
SLOWER = 1 / 40  # of pm4py's time
SEEDS = range(1000, 1020)
ACTIVITIES, PEOPLE, A_DAY = 14, 300, 86_400_000_000

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Figure = dict[str, Any]


def figures() -> list[Figure]:
    """The measured figures: name, value and peer in seconds (or megabytes, or answers), their ratio, and its limit."""
    sizes = (SMALL, LARGE) if os.environ.get("VSM_BENCH_TICKETS") is None else (int(os.environ["VSM_BENCH_TICKETS"]),)
    found = []
    for tickets in sizes:
        log = synthetic(tickets)
        floor, ours = taking_turns(lambda log=log: bare(log), lambda log=log: measured(log))
        found.append(_figure(f"flow kernel, {tickets:,} tickets ÷ a bare stable sort, s", ours, floor, LIMITS.get(tickets)))
        if tickets == SMALL and flow_golden.python("pm4py") is not None:
            told = asked(log)
            seconds = sum(told["seconds"].values())
            assert told["found"] == counted(log), "pm4py counts otherwise"
            found.append(_figure(f"flow kernel, {tickets:,} tickets ÷ pm4py, s", ours, seconds, SLOWER))
            found.append(_figure(f"flow kernel, {tickets:,} tickets ÷ pm4py, peak MB", peak_of(tickets), told["peak_mb"], None))
        elif tickets == LARGE:
            arrays = sum(column.nbytes for column in log) / 1e6
            found.append(_figure(f"flow kernel, {tickets:,} tickets, peak MB ÷ its log's", peak_of(tickets), arrays, None))
    if flow_golden.python("pm4py") is not None:
        found.append(_figure("answers of pm4py on new random boards that differ ÷ all", *differing(), 0.0))
    return found


def synthetic(tickets: int) -> Arrays:
    """A log in order of time: ticket, activity, at, who. Mostly one activity on, a fifth of the moves back by a few."""
    dice = np.random.default_rng(7)
    length = dice.integers(8, 22, tickets)
    case = np.repeat(np.arange(tickets), length)
    first = np.cumsum(length) - length
    step = np.where(dice.random(len(case)) < 0.12, -2, 1)
    walk = np.cumsum(step)
    activity = (walk - np.repeat(walk[first], length)) % ACTIVITIES
    gap = dice.exponential(A_DAY, len(case)).astype("int64") + 1
    at = np.cumsum(gap)
    at = at - np.repeat(at[first], length) + np.repeat(dice.integers(0, 1000 * A_DAY, tickets), length)
    order = np.argsort(at, kind="stable")
    return case[order], activity[order], at[order], dice.integers(0, PEOPLE, len(case))


def bare(log: Arrays) -> int:
    """The floor: one stable sort by ticket and one gather."""
    case, _, at, _ = log
    return int(at[np.argsort(case, kind="stable")][0])


def measured(log: Arrays) -> tuple[Any, ...]:
    """All measures."""
    told = kernel.ordered(*log)
    measures = (kernel.transitions, kernel.durations, kernel.time_in_stage, kernel.rework, kernel.handovers)
    return tuple(measure(told) for measure in measures)


def counted(log: Arrays) -> dict[str, int]:
    """What pm4py's answers add up to, by ours."""
    edges, lasting, _, again, pairs = measured(log)
    return {
        "transitions": len(edges), "edge times": len(edges), "durations": len(lasting), "rework": int(again.sum()),
        "handovers": len(pairs),
    }  # fmt: skip


def taking_turns(*works: Callable[[], Any]) -> list[float]:
    """The best time of each."""
    best = [float("inf")] * len(works)
    for _ in range(RUNS):
        for place, work in enumerate(works):
            began = time.perf_counter()
            work()
            best[place] = min(best[place], time.perf_counter() - began)
    return best


def asked(log: Arrays) -> dict[str, Any]:
    """What pm4py counts of the log, and how long it takes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.npz"
        np.savez(file, **dict(zip(("case", "activity", "at", "actor"), log, strict=True)))
        return flow_golden.ask("pm4py", "flow_pm4py.py", {}, str(file))


def peak_of(tickets: int) -> float:
    """The peak memory of a process that makes the log and measures it."""
    ran = subprocess.run([sys.executable, __file__, str(tickets)], stdout=subprocess.PIPE, check=True, text=True)
    return float(json.loads(ran.stdout))


def differing() -> tuple[float, float]:
    """How many of pm4py's answers on new boards differ from ours, and how many there are."""
    boards = {str(seed): flow_logs.events(flow_logs.board(seed)) for seed in SEEDS}
    theirs = flow_golden.pm4py(boards)
    pairs = [pair for name, rows in boards.items() for pair in zip(answers(rows), flat(theirs[name]), strict=True)]
    return float(sum(abs(ours - other) > 1e-5 for ours, other in pairs)), float(len(pairs))


def flat(told: dict[str, Any]) -> list[float]:
    """pm4py's answers as numbers in a fixed order."""
    numbers = [n for _, _, n in told["transitions"]] + [second for edge in told["edges"] for second in edge[2:]]
    numbers += [n for _, n in sorted(told["rework"].items())] + [n for _, _, n in told["handovers"]]
    return numbers + [seconds for _, seconds in sorted(told["durations"].items())]


def answers(rows: list[list[Any]]) -> list[float]:
    """Ours in the same order."""
    names = [sorted({row[place] for row in rows}) for place in (0, 1, 3)]
    case, activity, actor = (
        np.array([names[k].index(row[place]) for row in rows], dtype="int64") for k, place in enumerate((0, 1, 3))
    )
    at = np.array([row[2] for row in rows], dtype="int64") * 1_000_000
    edges, lasting, _, again, pairs = measured((case, activity, at, actor))
    numbers = edges["n"].tolist() + (edges[["sum", "mean", "median", "min", "max"]] * 3600).to_numpy().ravel().tolist()
    numbers += [n for n in again.tolist() if n] + pairs["n"].tolist()
    return [float(number) for number in numbers + (lasting["hours"] * 3600).tolist()]


def _figure(name: str, value: float, peer: float, limit: float | None) -> Figure:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


def main() -> int:
    """Print the figures as rows of a table; 1 if a limit is passed. With a number: the peak memory of measuring so many tickets."""
    if len(sys.argv) > 1:
        measured(synthetic(int(sys.argv[1])))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return 0
    rows = figures()
    for row in rows:
        limit = "" if row["limit"] is None else f"at most {row['limit']:g}"
        print(f"| {row['name']:70} | {row['value']:10.4g} | {row['peer']:10.4g} | {row['ratio']:8.4g} | {limit:14} |")
    return int(any(row["limit"] is not None and row["ratio"] > row["limit"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
