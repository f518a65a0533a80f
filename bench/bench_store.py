"""Saving and reading against the bare drivers: the same pages of rows, page by page in turns, so that other load hits both.

Saving on SQLite: the driver's own `executemany` of one upsert with ready tuples; at least 0.6 of its rows a second. On
PostgreSQL: a handwritten COPY of ready tuples into a table of the session, and one `INSERT … SELECT … ON CONFLICT`; at
least 0.8. Ours takes rows as collectors make them, checks them, and counts what changed. Reading: all facts as typed
frames against the Arrow driver's own tables, not yet frames. VSM_BENCH_ROWS sets another number of rows.
"""

import gc
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))  # the tests' peers are no package
import psycopg
from adbc_driver_postgresql import dbapi as postgres_arrow
from adbc_driver_sqlite import dbapi as sqlite_arrow
from postgres_server import Postgres
from sqlalchemy.engine import make_url

from vsm import models, postgres_read, postgres_store, store, store_read
from vsm.models import TABLES

ROWS, PAGE = int(os.environ.get("VSM_BENCH_ROWS", "100000")), 5_000
FIRST = datetime(2025, 1, 6, 9, tzinfo=UTC)
LIMITS = {"SQLite": 1 / 0.6, "PostgreSQL": 1 / 0.8}
Rows = list[dict[str, Any]]
Figure = dict[str, Any]


def commits(numbers: range, change: str) -> Rows:
    """Rows of a table whose key is whole."""
    return [
        {
            "repository": f"shop-{n % 20}", "sha": f"{n * 2654435761 % 2**32:040x}", "authored_at": FIRST + timedelta(minutes=n),
            "committed_at": FIRST + timedelta(minutes=n + 5), "author": f"person-{n % 300}", "subject": f"Work on PAY-{n} {change}",
            "message": f"Work on PAY-{n} {change}\n\nAs it was asked for.", "parents": f"{n - 1:040x}",
            "paths": "src/a.py;src/b.py",
        }
        for n in numbers
    ]  # fmt: skip


def transitions(numbers: range, change: str) -> Rows:
    """Rows of a table of whose key a part may be missing."""
    return [
        {
            "ticket": f"PAY-{n // 8}", "at": FIRST + timedelta(minutes=n), "from_status": f"status {n % 8}" if n % 8 else None,
            "to_status": f"status {n % 8 + 1}", "actor": f"person-{n % 300}{change}",
        }
        for n in numbers
    ]  # fmt: skip


def pages(rows: Callable[[range, str], Rows]) -> Iterator[Rows]:
    """All rows new, and then all of them changed."""
    for change in ("", "!"):
        for start in range(0, ROWS, PAGE):
            yield rows(range(start, start + PAGE), change)


def ready(table: str, rows: Rows) -> list[tuple[Any, ...]]:
    """What a bare driver is handed: tuples with key and origin."""
    fact = TABLES[table]
    names = models.columns(fact)
    keyed = [{**dict.fromkeys(names), **row} for row in rows]
    uids = [(models.uid(fact, row),) if "uid" in fact.model_fields else () for row in keyed]
    return [(*first, *(row[name] for name in names), "jira") for first, row in zip(uids, keyed, strict=True)]


def names_of(table: str) -> list[str]:
    """The columns of those tuples."""
    fact = TABLES[table]
    return [*(["uid"] if "uid" in fact.model_fields else []), *models.columns(fact), "origin"]


def merging(table: str, mark: str, source: str) -> str:
    """The upsert that a hand would write: of all columns, where one differs."""
    names = names_of(table)
    key = [column.name for column in store.table_of(TABLES[table]).primary_key]
    rest = [name for name in names if name not in key]
    sets = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
    differs = " OR ".join(f'{table}."{name}" {mark} excluded."{name}"' for name in rest if name != "origin")
    told, on = ", ".join(f'"{name}"' for name in names), ", ".join(key)
    return f"INSERT INTO {table} ({told}) {source} ON CONFLICT ({on}) DO UPDATE SET {sets} WHERE {differs}"


def on_sqlite(file: Path, table: str) -> Callable[[list[tuple[Any, ...]]], None]:
    """A page through SQLite's own driver; times as the text that the store keeps."""
    store.open_store(f"sqlite:///{file}").dispose()
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("synchronous=NORMAL", "wal_autocheckpoint=8000"):
        connection.execute(f"PRAGMA {pragma}")
    statement = merging(table, "IS NOT", f"VALUES ({', '.join('?' * len(names_of(table)))})")

    def save(rows: list[tuple[Any, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows)
        connection.execute("COMMIT")

    return save


def as_text(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The tuples with their times as SQLite keeps them."""
    return [
        tuple(value.isoformat(" ", "microseconds")[:26] if isinstance(value, datetime) else value for value in row) for row in rows
    ]


def on_postgres(url: str, table: str) -> Callable[[list[tuple[Any, ...]]], None]:
    """A page by a handwritten COPY and merge."""
    store.open_store(url).dispose()
    connection = psycopg.connect(url, options="-c timezone=UTC")
    told = ", ".join(f'"{name}"' for name in names_of(table))
    connection.execute(f"CREATE TEMP TABLE staged (LIKE {table}) ON COMMIT DELETE ROWS")
    connection.commit()
    statement = merging(table, "IS DISTINCT FROM", f"SELECT {told} FROM staged")

    def save(rows: list[tuple[Any, ...]]) -> None:
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY staged ({told}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(statement)
        connection.commit()

    return save


def saving(name: str, ours: str, bare: Callable[[list[tuple[Any, ...]]], None], table: str, rows: Callable[..., Rows]) -> Figure:
    """Rows a second through the store and through the bare driver, inserts and updates together."""
    ours_took, bare_took = list[float](), list[float]()
    with store.opened(ours) as engine:
        for place, page in enumerate(pages(rows)):
            tuples = ready(table, page)
            tuples = as_text(tuples) if name == "SQLite" else tuples
            gc.collect()
            turns = [lambda page=page: _saved(engine, table, page), lambda tuples=tuples: bare(tuples)]
            times = {turn: _timed(turns[turn]) for turn in ((0, 1) if place % 2 else (1, 0))}
            ours_took.append(times[0])
            bare_took.append(times[1])
    seconds, peer = median(ours_took), median(bare_took)  # of a page
    told = f"saving {table} on {name}, rows/s; ratio: time ÷ the bare driver's"
    return {"name": told, "value": PAGE / seconds, "peer": PAGE / peer, "ratio": seconds / peer, "limit": LIMITS[name]}


def _saved(engine: Any, table: str, page: Rows) -> None:
    with store.transaction(engine) as connection:
        assert store.save(connection, table, page, origin="jira") == len(page)


def _timed(turn: Callable[[], Any]) -> float:
    began = time.perf_counter()
    turn()
    return time.perf_counter() - began


def reading(name: str, url: str, bare: Callable[[], Any]) -> Figure:
    """Seconds to all facts as frames, against the Arrow driver's tables; the best of five turns each."""
    with store.opened(url) as engine:
        ours, peer = [], []
        for _ in range(5):
            ours.append(_timed(lambda: store.facts(engine)))
            peer.append(_timed(bare))
    told = f"reading {2 * ROWS:,} facts from {name} as frames, s; ratio: ÷ bare Arrow tables"
    return {"name": told, "value": min(ours), "peer": min(peer), "ratio": min(ours) / min(peer), "limit": None}


def arrow(connect: Callable[[], Any], dialect: str) -> Callable[[], None]:
    """All tables as the Arrow driver gives them, in the order of their keys."""

    def read() -> None:
        with connect() as connection, connection.cursor() as cursor:
            for table in TABLES.values():
                asked = postgres_read.query(table) if dialect == "postgresql" else store_read._query(table)[1]
                cursor.execute(str(asked.compile(dialect=postgres_store.DIALECT)) if dialect == "postgresql" else str(asked))
                cursor.fetch_arrow_table()

    return read


def figures() -> list[Figure]:
    """Saving two tables and reading them, on both databases."""
    gc.set_threshold(300_000, 20, 20)  # as the program has it
    found, tables = [], {"commits": commits, "transitions": transitions}
    server = Postgres({"fsync": "on"})
    try:
        with tempfile.TemporaryDirectory() as folder:
            lite, ours = f"sqlite:///{folder}/ours.db", server.fresh()
            for table, rows in tables.items():
                found.append(saving("SQLite", lite, on_sqlite(Path(folder) / "bare.db", table), table, rows))
            bare = server.fresh()
            for table, rows in tables.items():
                found.append(saving("PostgreSQL", ours, on_postgres(bare, table), table, rows))
            file = make_url(lite).database
            found.append(reading("SQLite", lite, arrow(lambda: sqlite_arrow.connect(f"file:{file}?mode=ro"), "sqlite")))
            found.append(reading("PostgreSQL", ours, arrow(lambda: postgres_arrow.connect(ours), "postgresql")))
    finally:
        server.close()
    return found
