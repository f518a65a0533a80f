"""A thousand programs killed at random points of harvests, imports, migrations, exports and backups, on a file and on PostgreSQL.

VSM_KILLS sets another number of kills. `python bench/bench_kills.py 100 3` makes a hundred with the dice of the third part, so that
ten parts in ten nights are a thousand different ones.
"""

import os
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
from company import Company  # the tests' peers are no package
from github_schemas import graphql_schema
from kills import Kills
from postgres_server import Postgres

KILLS = int(os.environ.get("VSM_KILLS", "1000"))
SEED = 7


def figures(kills: int = KILLS, seed: int = SEED) -> list[dict[str, Any]]:
    """A figure a database: how often what was left differs from what nobody disturbed. It may never."""
    return [*_figures("SQLite", None, kills, seed), *_on_postgres(kills, seed)]


def _on_postgres(most: int, seed: int) -> list[dict[str, Any]]:
    server = Postgres()
    try:
        return _figures("PostgreSQL", server, most, seed)
    finally:
        server.close()


def _figures(name: str, server: Postgres | None, most: int, seed: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        made: list[str] = []

        def place() -> str:
            if len(made) > 2:  # the first is the whole one; of the others all are done with but the last
                gone = made.pop(1)
                if server:
                    server.drop(gone)
                for path in Path(folder).glob(f"{Path(gone).name}*") if not server else ():
                    path.unlink()
            made.append(server.fresh() if server else f"sqlite:///{folder}/store{len(made)}-{next(numbers)}.db")
            return made[-1]

        numbers = count()
        company = Company(Path(folder), graphql_schema(), seed=seed, place=place)
        try:
            kills = Kills(company)
            differing = kills.harvests(most // 4) + kills.imports(most // 10) + kills.backups(most // 20)
            differing += kills.migrations(most // 20) + kills.exports(most // 20)
        finally:
            company.close()
    told = f"differences after {company.killed:,} kills on {name}, {kills.stores:,} stores"
    return [{"name": told, "value": differing, "peer": company.killed, "ratio": differing / company.killed, "limit": 0}]


if __name__ == "__main__":
    for figure in figures(*map(int, sys.argv[1:3])):
        print(f"{figure['value']} {figure['name']}", flush=True)
        if figure["value"]:
            sys.exit(1)
