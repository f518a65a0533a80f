"""A thousand programs killed at random points of harvests, imports, migrations and exports, on a file and on PostgreSQL.

VSM_KILLS sets another number of kills.
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


def figures() -> list[dict[str, Any]]:
    """A figure a database: how often what was left differs from what nobody disturbed. It may never."""
    return [*_figures("SQLite", None), *_on_postgres()]


def _on_postgres() -> list[dict[str, Any]]:
    server = Postgres()
    try:
        return _figures("PostgreSQL", server)
    finally:
        server.close()


def _figures(name: str, server: Postgres | None) -> list[dict[str, Any]]:
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
        company = Company(Path(folder), graphql_schema(), place=place)
        try:
            kills = Kills(company)
            differing = kills.harvests(KILLS * 3 // 10) + kills.imports(KILLS // 10)
            differing += kills.migrations(KILLS // 20) + kills.exports(KILLS // 20)
        finally:
            company.close()
    told = f"differences after {company.killed:,} kills on {name}, {kills.stores:,} stores"
    return [{"name": told, "value": differing, "peer": company.killed, "ratio": differing / company.killed, "limit": 0}]
