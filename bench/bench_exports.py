"""What taking things along costs: a pack of ten charts against drawing them bare, and each export against reading the store.

The pack is the usual one of a store of 100,000 tickets (VSM_BENCH_EXPORTS sets another size), its floor a process that
measures the same two periods and has vl-convert make an SVG and a PNG of the same ten specifications. An export's CPU time
and memory are put beside those of a process that only reads the same store and derives everything from it. Each is a
process of its own, as a user calls it. `python bench/bench_exports.py FILE` prints the figures of a store that is there.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import big_store

TICKETS = int(os.environ.get("VSM_BENCH_EXPORTS", "100000"))
PACKS = ("html", "pdf", "pptx", "zip")
# An export's call, and how many times the reading it may take: OCEL has three rows for each event, and a text for each of them.
EXPORTS = {
    "ocel, JSON": (("ocel", "log.json"), 8.0),
    "ocel, SQLite": (("ocel", "log.sqlite"), 10.0),
    "xes": (("xes", "log.xes"), 6.0),
    "csv": (("csv", "csv"), 4.0),
    "facts": (("facts", "facts"), 2.0),
}
PACK_TIME, MEMORY = 2.0, 2.5  # a pack draws, and tells all the rows behind its numbers

Figure = dict[str, Any]


def figures() -> list[Figure]:
    """The measured figures: name, value, peer, ratio and limit."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "big.db"
        subprocess.run([sys.executable, big_store.__file__, str(file), str(TICKETS)], check=True)
        return measured(file, Path(folder))


def measured(store: Path, folder: Path) -> list[Figure]:
    """The figures of a store."""
    (folder / "vsm.toml").write_text(big_store.CONFIG, encoding="utf-8")
    reading = asked("reading", store, folder)
    bare = asked("bare", store, folder)
    found = []
    for kind in PACKS:
        name, told = f"pack as {kind}, {TICKETS:,} tickets", called(("pack", f"pack.{kind}"), store, folder)
        found.append(figure(f"{name} ÷ the same charts measured and drawn bare, CPU s", told["cpu"], bare["cpu"], PACK_TIME))
        found.append(figure(f"{name} ÷ the same, peak MB", told["peak_mb"], bare["peak_mb"], MEMORY))
    for what, (call, most) in EXPORTS.items():
        told = called(call, store, folder)
        found.append(figure(f"export of {what} ÷ reading the store, CPU s", told["cpu"], reading["cpu"], most))
        found.append(figure(f"export of {what} ÷ reading the store, peak MB", told["peak_mb"], reading["peak_mb"], MEMORY))
    return found


def figure(name: str, value: float, peer: float, limit: float | None) -> Figure:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


def called(call: tuple[str, str], store: Path, folder: Path) -> dict[str, float]:
    """What one call of the program costs."""
    kind, name = call
    program = [sys.executable, "-m", "vsm", "export", kind, str(folder / name), "--store", f"sqlite:///{store}"]
    return cost([*program, "--config", str(folder / "vsm.toml")])


def asked(what: str, store: Path, folder: Path) -> dict[str, float]:
    """What one of the floors below costs."""
    return cost([sys.executable, __file__, str(store), what, str(folder / "vsm.toml")])


def cost(program: list[str]) -> dict[str, float]:
    """CPU seconds and peak memory of a process and of those that it starts."""
    script = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps({'cpu': used.ru_utime + used.ru_stime, 'peak_mb': used.ru_maxrss / 1024}))\n"
        "sys.exit(done.returncode)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *program], stdout=subprocess.PIPE, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def floor(what: str, store: Path, settings: Path) -> None:
    """`reading`: the store's facts and all that is derived from them. `bare`: besides the measures, and the charts drawn."""
    from vsm import commands

    options: dict[str, Any] = dict.fromkeys(("stream", "application", "team", "start", "end"))
    flow, scope, _ = commands.asked(f"sqlite:///{store}", settings, **options)
    if what == "reading":
        return
    import vl_convert

    from dashboard.charts.catalogue import drawn
    from dashboard.charts.entry import Asked
    from dashboard.export.pack import USUAL
    from vsm.measure import measure

    told = Asked(measure(flow, scope), measure(flow, scope.before()))
    for name in USUAL:
        chart = drawn(name, told).chart
        if chart is not None:
            vl_convert.svg_to_png(vl_convert.vegalite_to_svg(chart.to_dict(format="vega-lite")))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        floor(sys.argv[2], Path(sys.argv[1]), Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as place:
            for row in measured(Path(sys.argv[1]), Path(place)):
                print(f"{row['name']:75} {row['value']:9.1f} {row['peer']:9.1f} {row['ratio']:6.2f} {row['limit']}")
