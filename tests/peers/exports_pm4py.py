"""Reads exports with pm4py and tells as JSON on standard output what it found in each: paths as arguments.

Run by the Python of an environment of its own (`make flow-peers`), never imported by what we ship: pm4py
is a program beside ours, under the AGPL.
"""

import contextlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any


def log(path: str) -> dict[str, Any]:
    """Counts of an XES file, and the hours between start and completion by activity."""
    import pm4py
    from pm4py.objects.log.util import interval_lifecycle

    frame = pm4py.read_xes(path)
    told = pm4py.convert_to_event_log(frame)
    lifecycle = frame["lifecycle:transition"].value_counts().to_dict() if len(frame) else {}
    worked: dict[str, float] = {}
    for trace in interval_lifecycle.to_interval(told):
        for event in trace:
            hours = (event["time:timestamp"] - event["start_timestamp"]).total_seconds() / 3600
            worked[event["concept:name"]] = worked.get(event["concept:name"], 0.0) + hours
    activities = frame["concept:name"].value_counts().to_dict() if len(frame) else {}
    return {
        "traces": len(told), "events": len(frame), "lifecycle": lifecycle, "activities": activities,
        "first": str(frame["time:timestamp"].min()), "hours": worked,
        "titles": sorted({str(trace.attributes.get("title")) for trace in told}),
    }  # fmt: skip


def ocel(path: str) -> dict[str, Any]:
    """Counts of an OCEL 2.0 file, the checks that its schema does not pass, and the end-to-end cases of its tickets."""
    import pm4py
    from pm4py.objects.ocel.validation import ocel20_rel_validation

    relational = path.endswith(".sqlite")
    passed, failed = ocel20_rel_validation.apply(path) if relational else ([], [])
    told = (pm4py.read_ocel2_sqlite if relational else pm4py.read_ocel2_json)(path)
    cases = pm4py.ocel_flattening(told, "ticket")
    return {
        "passed": len(passed), "failed": list(failed),
        "objects": told.objects[told.object_type_column].value_counts().to_dict(),
        "events": told.events[told.event_activity].value_counts().to_dict(),
        "touched": len(told.relations), "ties": len(told.o2o), "values": len(told.object_changes),
        "qualifiers": told.relations[told.qualifier].value_counts().to_dict(),
        "tied": told.o2o[told.qualifier].value_counts().to_dict(),
        "fields": told.object_changes[told.changed_field].value_counts().to_dict() if len(told.object_changes) else {},
        "first": str(told.events[told.event_timestamp].min()),
        "titles": sorted(map(str, told.objects["ocel:title" if "ocel:title" in told.objects else "title"].dropna().unique())),
        "cases": int(cases["case:concept:name"].nunique()), "flat": len(cases),
    }  # fmt: skip


def main() -> None:
    """Answer."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = {Path(path).name: log(path) if path.endswith(".xes") else ocel(path) for path in sys.argv[1:]}
    json.dump(told, out)


if __name__ == "__main__":
    main()
