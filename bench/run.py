"""All benchmarks as one table: each figure a ratio against a peer or a floor that was measured in the same run.

A module `bench_*.py` beside this file has `figures() -> list[dict]` with name, value, peer, ratio and
limit (the ratio that must not be exceeded, or None). Exit status 1 if one is.

`python bench/run.py git store` runs those two alone.
"""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def figures(path: Path) -> list[dict[str, Any]]:
    """What one benchmark module measures."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)  # its functions run in other processes, too
    spec.loader.exec_module(module)
    return list(module.figures())


def main(names: Sequence[str] = ()) -> int:
    """Run every benchmark, or those that are named, and print the table. Raises SystemExit for a name that none has."""
    paths = {path.stem.removeprefix("bench_"): path for path in sorted(Path(__file__).parent.glob("bench_*.py"))}
    if unknown := set(names) - set(paths):
        raise SystemExit(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(paths)}")
    rows = [row for name in names or paths for row in figures(paths[name])]
    width = max(len(row["name"]) for row in rows)
    print(f"{'figure':{width}}  {'value':>10}  {'peer':>10}  {'ratio':>8}  {'limit':>8}")
    for row in rows:
        limit = "" if row["limit"] is None else f"{row['limit']:g}"
        print(f"{row['name']:{width}}  {row['value']:>10.4g}  {row['peer']:>10.4g}  {row['ratio']:>8.3g}  {limit:>8}")
    over = [row["name"] for row in rows if row["limit"] is not None and row["ratio"] > row["limit"]]
    print(f"over the limit: {', '.join(over)}" if over else "every figure is within its limit")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
