"""Asks pm4py: a list of events as JSON on standard input (case, activity, at in seconds, who), its answers on standard output.

Run by the Python of an environment of its own (`make flow-peers`), never imported by what we ship: pm4py
is a program beside ours, under the AGPL. Its licence banner goes to standard error.
"""

import contextlib
import json
import resource
import sys
import time
from typing import Any


def frame(events: list[list[Any]]) -> Any:
    """pm4py's own log of the events."""
    import pandas as pd
    import pm4py

    rows = pd.DataFrame(events, columns=["case", "activity", "at", "who"])
    rows["at"] = pd.to_datetime(rows["at"], unit="s", utc=True)
    log = pm4py.format_dataframe(rows, case_id="case", activity_key="activity", timestamp_key="at")
    log["org:resource"] = log["who"]
    return log


def answers(events: list[list[Any]]) -> dict[str, Any]:
    """What pm4py says of the events: seconds, and pairs as lists."""
    import pm4py

    log = frame(events)
    counts, _, _ = pm4py.discover_dfg(log)
    times, _, _ = pm4py.discover_performance_dfg(log)
    shares = pm4py.discover_handover_of_work_network(log, beta=0).connections
    pairs = len(log) - log["case:concept:name"].nunique()
    return {
        "transitions": sorted([a, b, int(n)] for (a, b), n in counts.items()),
        "edges": sorted([a, b, *(round(float(told[name]), 6) for name in MEASURES)] for (a, b), told in times.items()),
        "rework": {name: int(n) for name, n in sorted(pm4py.get_rework_cases_per_activity(log).items())},
        "handovers": sorted([a, b, round(share * pairs)] for (a, b), share in shares.items()),
        "durations": {case: pm4py.get_case_duration(log, case) for case in sorted(log["case:concept:name"].unique())},
        "every_duration": sorted(float(seconds) for seconds in pm4py.get_all_case_durations(log)),
    }


MEASURES = ("sum", "mean", "median", "min", "max")


def timed(path: str) -> dict[str, Any]:
    """How long pm4py takes for each of the measures of a log of numbers (a .npz file with case, activity, at, actor)."""
    import numpy as np
    import pandas as pd
    import pm4py

    told = np.load(path)
    rows = pd.DataFrame(
        {"case": told["case"].astype(str), "activity": told["activity"].astype(str), "who": told["actor"].astype(str)}
    )
    rows["at"] = pd.to_datetime(told["at"], unit="us", utc=True)
    log = pm4py.format_dataframe(rows, case_id="case", activity_key="activity", timestamp_key="at")
    log["org:resource"] = log["who"]
    work = {
        "transitions": lambda: len(pm4py.discover_dfg(log)[0]),
        "edge times": lambda: len(pm4py.discover_performance_dfg(log)[0]),
        "durations": lambda: len(pm4py.get_all_case_durations(log)),
        "rework": lambda: sum(pm4py.get_rework_cases_per_activity(log).values()),
        "handovers": lambda: len(pm4py.discover_handover_of_work_network(log, beta=0).connections),
    }
    seconds, found = {}, {}
    for name, ask in work.items():
        began = time.perf_counter()
        found[name] = int(ask())
        seconds[name] = time.perf_counter() - began
    return {"seconds": seconds, "found": found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Answer."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        told = timed(sys.argv[1]) if len(sys.argv) > 1 else {name: answers(log) for name, log in json.load(sys.stdin).items()}
    json.dump(told, out)


if __name__ == "__main__":
    main()
