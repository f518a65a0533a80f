"""An organisation of a thousand repositories: the requests that a harvest takes, and whether time and memory stay in proportion.

The whole program, start included, against a GitHub of our own in this process, once with a quarter of the
repositories and once with all. VSM_REPOSITORIES sets another number.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
from github_schemas import graphql_schema  # the tests' peers are no package
from organisation import organisation
from served import Served

MANY = int(os.environ.get("VSM_REPOSITORIES", "1000"))
PROGRAM = [sys.executable, "-c", "from vsm.cli import main; main()"]
TIME = 1.3  # a repository of many may take so much longer than one of few
MEMORY = 1.3  # and all together need so much more


def figures() -> list[dict[str, Any]]:
    """Requests by kind, time a repository and memory: each beside what was promised, or beside a quarter of the repositories."""
    few, many = _harvested(MANY // 4), _harvested(MANY)
    live = MANY - MANY // 10
    pages = -(-MANY // 100)
    return [
        _figure(f"GraphQL queries of a first harvest ÷ {MANY:,} repositories and their list", many["first"][0], MANY + pages, 1.0),
        _figure("GraphQL queries of the next ÷ those that are not archived, and the list", many["next"][0], live + pages, 1.0),
        _figure("lists of runs that the next asks for ÷ those that are not archived", many["next"][1], live, 1.0),
        _figure(f"seconds a repository, of {MANY:,} ÷ of a quarter", many["seconds"] / MANY, few["seconds"] / (MANY // 4), TIME),
        _figure(f"memory (MB) for {MANY:,} repositories ÷ for a quarter", many["memory"], few["memory"], MEMORY),
    ]


def _harvested(count: int) -> dict[str, Any]:
    """What two harvests of so many repositories asked, and what the first one took."""
    server = Served(organisation(count, graphql_schema()))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "vsm.toml").write_text(
            f'[[sources]]\nkind = "github"\nurl = "{server.url}"\norganisations = ["acme"]\ntoken = "env:T_GITHUB"\n'
        )
        try:
            began = time.perf_counter()
            memory = _run(place)
            seconds = time.perf_counter() - began
            first = server.count("/graphql"), server.count("/actions/runs")
            server.forget()
            _run(place)
            asked = server.count("/graphql"), server.count("/actions/runs")
        finally:
            server.close()
    return {"first": first, "next": asked, "seconds": seconds, "memory": memory}


def _run(place: Path) -> float:
    """Harvest; the most memory that the program had, in megabytes."""
    process = subprocess.Popen(
        [*PROGRAM, "collect"], cwd=place, env=os.environ | {"T_GITHUB": "a-token"}, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return _megabytes(used)


def _megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / 1024


def _figure(name: str, value: float, peer: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


if __name__ == "__main__":
    for row in figures():
        print(row)
