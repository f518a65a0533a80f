"""The store of a harvest through SQLite's own driver: what `vsm.store` does, and keeps, without its imports.

SQLAlchemy and the models take longer to load than the git program takes for a history of 20,000
commits. So a harvest of facts into a SQLite file saves here; whatever else is done with a store is
done by `vsm.store`. The functions have its names and its meaning, a test compares what both keep and
the statements of both. What a table is like is asked of the store itself, since it was made from the models.
"""

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from vsm.errors import WorkError
from vsm.rows import SELDOM_TOLD, Kind, Shape, gathered, written

if TYPE_CHECKING:
    from vsm.models import Fact

T = TypeVar("T")
VERSION = "0004"  # the newest migration in vsm/migrations/versions
NEWEST = Path(__file__).parent / "migrations" / "newest.sql"  # what all of them make: python -m vsm.store > newest.sql
PATIENCE = 20_000  # milliseconds that a writer waits for another one
SWITCHES = 100  # attempts to switch to the write-ahead log, 50 ms apart
KINDS: dict[str, Kind] = {"VARCHAR": "text", "DATETIME": "time", "INTEGER": "number"}

Connection = sqlite3.Connection


class Refused(WorkError):
    """The driver's error, where `vsm.store` has SQLAlchemy's."""

    def __init__(self, orig: sqlite3.Error) -> None:
        super().__init__(f"the store did not take it: {orig}")
        self.orig = orig


@dataclass(frozen=True)
class Engine:
    """An open store; it has one connection."""

    connection: Connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """The connection, to read from."""
        with _told():
            yield self.connection

    def dispose(self) -> None:
        """Close the connection."""
        self.connection.close()


def books(engine: Any) -> Any:
    """Who keeps an open store's books: this module or `vsm.store`."""
    if isinstance(engine, Engine):
        return sys.modules[__name__]
    from vsm import store

    return store


# Opening. ----------------------------------------------------------------------------------------


def open_store(path: Path) -> Engine | None:
    """The store in a file, made if it is not there; None where `vsm.store` must migrate it, or say what is wrong with it."""
    if not path.parent.is_dir():
        return None
    connection = None
    try:
        connection = sqlite3.connect(path)
        settle(connection)
        if (version := _version(connection)) is None:
            _found(connection)
            version = _version(connection)
        # Where somebody asked to be forgotten, every row must be looked at.
        if version == VERSION and not connection.execute("SELECT 1 FROM cursors WHERE source = 'erased'").fetchone():
            return Engine(connection)
    except sqlite3.Error:
        pass
    if connection is not None:
        connection.close()
    return None


def settle(connection: Any) -> None:
    """Set a new connection up: we say BEGIN ourselves, writers wait for each other, readers never block."""
    connection.isolation_level = None  # the driver's own BEGIN would come too late for a snapshot
    for pragma in (f"busy_timeout={PATIENCE}", "synchronous=NORMAL", "wal_autocheckpoint=8000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    _use_log(connection)


def is_still(path: Path) -> bool:
    """Whether a file lies where we may write nothing beside it, and nobody has a log there.

    SQLite reads no file with a write-ahead log without that, but for one of which it is told that nobody changes it.
    """
    folder = path.parent
    return path.exists() and not os.access(folder, os.W_OK) and not Path(f"{path}-shm").exists()


def address(path: Path) -> str:
    """A file as SQLite is told of it by who only reads."""
    return f"file:{quote(str(path.resolve()))}?mode=ro{'&immutable=1' if is_still(path) else ''}"


def _use_log(connection: Any) -> None:
    """Switch to the write-ahead log. Where two make a store at once, SQLite refuses one of them without waiting."""
    for attempt in range(SWITCHES):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if attempt == SWITCHES - 1 or "locked" not in str(error):
                raise
            time.sleep(0.05)


def _tables(connection: Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _version(connection: Connection) -> str | None:
    """The newest migration that a store has had; None for an empty file, "" for a database that is none of ours."""
    tables = _tables(connection)
    if not tables:
        return None
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone() if "alembic_version" in tables else None
    return str(found[0]) if found else ""


def _found(connection: Connection) -> None:
    """A new store, as all the migrations together would make it."""
    with _transaction(connection):
        if _tables(connection):
            return  # another process was faster
        for statement in NEWEST.read_text(encoding="utf-8").split(";\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO alembic_version VALUES (?)", (VERSION,))


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One write transaction: all of it or nothing. Keep it short, a page at most: others wait for it."""
    with _told(), _transaction(engine.connection):
        yield engine.connection


def retried(engine: Engine, work: Callable[[], T]) -> T:
    """Work in a transaction: a file does not go away, and its writers wait for each other."""
    return work()


def alone(engine: Engine, source: str) -> AbstractContextManager[None]:
    """Nothing: harvests of one file share a lock beside it."""
    return nullcontext()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Refused(error) from error


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it
            connection.execute("ROLLBACK")
        raise


# Facts. ------------------------------------------------------------------------------------------


def name_of(table: "type[Fact] | str") -> str:
    """A table's name."""
    return table if isinstance(table, str) else str(table.__tablename__)


def shape_of(connection: Connection, name: str) -> Shape:
    """What rows of a table must be, as the store's schema has it. Raises ValueError for a table whose keys may lack a part."""
    query = "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?) WHERE name <> 'origin'"
    told = connection.execute(query, (name,)).fetchall()
    key = tuple(column for column, _, _, place in sorted(told, key=itemgetter(3)) if place)
    if key == ("uid",):
        raise ValueError(f"{name} is kept by vsm.store alone: parts of its key may be missing")
    kinds = {column: KINDS[type_] for column, type_, _, _ in told}
    return Shape(name, key, kinds, frozenset(column for column, _, needed, _ in told if needed))


def save(
    connection: Connection, table: "type[Fact] | str", rows: Iterable[Mapping[str, Any]], *, origin: str, fill: bool = False
) -> int:
    """Rows become facts, new or changed; returns how many. As `vsm.store.save`, for tables whose keys are whole."""
    rows = list(rows)
    if not rows:
        return 0
    shape, before = shape_of(connection, name_of(table)), connection.total_changes
    found = gathered(shape, rows)
    connection.executemany(*bound(shape, _checked(shape, rows) if found is None else found, origin, fill))
    return connection.total_changes - before


def _checked(shape: Shape, rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The rows column by column, each row looked at for itself; of several with one key the last. Raises models.RowError."""
    from vsm.models import TABLES, validate

    ready = {}
    for row in rows:
        valid = validate(TABLES[shape.name], row)
        ready[tuple(valid[name] for name in shape.key)] = valid
    return {name: tuple(valid[name] for valid in ready.values()) for name in shape.kinds}


def bound(shape: Shape, found: Mapping[str, tuple[Any, ...]], origin: str, fill: bool) -> tuple[str, Iterator[tuple[Any, ...]]]:
    """The statement that saves columns of valid values, and what is bound in it, row by row.

    A column that no row tells of is not bound: SQLite takes it for NULL, in `excluded` too.
    """
    told = {name: found[name] for name in shape.kinds if name in found and any(value is not None for value in found[name])}
    for name, values in told.items():
        if shape.kinds[name] == "time":
            told[name] = written(values)
    return upsert(shape, tuple(told), fill), zip(*told.values(), repeat(origin))


def upsert(shape: Shape, told: Sequence[str], fill: bool) -> str:
    """INSERT … ON CONFLICT DO UPDATE of some columns that leaves an unchanged row alone: what `vsm.store` has SQLAlchemy make."""
    table, key = shape.name, [f'"{name}"' for name in shape.key]
    names = [f'"{name}"' for name in (*told, "origin")]
    news = {f'"{name}"': f'excluded."{name}"' for name in shape.kinds if name not in shape.key}
    if fill:
        # A source may correct what it said itself.
        own = f"CASE WHEN ({table}.origin = excluded.origin) THEN"
        news = {name: f"{own} {new} ELSE coalesce({table}.{name}, {new}) END" for name, new in news.items()}
    else:
        for name in (f'"{seldom}"' for seldom in SELDOM_TOLD.get(table, ())):
            news[name] = f"coalesce({news[name]}, {table}.{name})"
    # The names are the schema's own.
    insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    if not news:
        return f"{insert} ON CONFLICT ({', '.join(key)}) DO NOTHING"
    sets = [f"{name} = {new}" for name, new in news.items()] + ([] if fill else ["origin = excluded.origin"])
    differs = [f"{table}.{name} IS NOT {new}" for name, new in news.items()]
    return f"{insert} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(sets)} WHERE {' OR '.join(differs)}"


def delete(
    connection: Connection, table: "type[Fact] | str", keys: Iterable[Mapping[str, Any]], *, origin: str | None = None
) -> int:
    """Facts that their source has taken back go; returns how many. As `vsm.store.delete`."""
    name, gone, columns = name_of(table), 0, None
    for key in keys:
        columns = columns or shape_of(connection, name).key
        told = {column: key[column] for column in columns if column in key} | ({} if origin is None else {"origin": origin})
        if not told.keys() - {"origin"}:
            raise ValueError(f"a key of {name} without any of {columns}")
        where = " AND ".join(f'"{column}" IS ?' for column in told)
        gone += connection.execute(f"DELETE FROM {name} WHERE {where}", tuple(told.values())).rowcount  # noqa: S608
    return gone


def forget(connection: Connection, table: "type[Fact] | str", origin: str, keep: Collection[tuple[Any, ...]]) -> int:
    """Facts of an origin go unless their key is among those to keep; returns how many went."""
    shape = shape_of(connection, name_of(table))
    names = ", ".join(f'"{name}"' for name in shape.key)
    query = f"SELECT {names} FROM {shape.name} WHERE origin = ?"  # noqa: S608
    gone = [dict(zip(shape.key, row, strict=True)) for row in connection.execute(query, (origin,)) if row not in keep]
    return delete(connection, table, gone)


def rows(connection: Connection) -> int:
    """How many facts there are in all: rows of tables that say where they come from."""
    query = "SELECT t.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'origin'"
    counts = [f"(SELECT count(*) FROM {name})" for (name,) in connection.execute(query)]  # noqa: S608
    (count,) = connection.execute(f"SELECT {' + '.join(counts)}").fetchone()
    return int(count)


# Runs. -------------------------------------------------------------------------------------------


def load_cursors(connection: Connection, source: str) -> dict[str, dict[str, Any]]:
    """How far each resource of a source has been read: its state by resource."""
    found = connection.execute("SELECT resource, state FROM cursors WHERE source = ?", (source,))
    return {resource: json.loads(state) for resource, state in found}


def save_cursor(connection: Connection, source: str, resource: str, state: Mapping[str, Any], *, at: datetime) -> None:
    """Remember how far a resource has been read; belongs in the transaction of the page that got there."""
    connection.execute(
        "INSERT INTO cursors (source, resource, scope, state, updated_at) VALUES (?, ?, '', ?, ?)"
        " ON CONFLICT (source, resource, scope) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
        (source, resource, json.dumps(dict(state)), *written([at])),
    )


def begin_harvest(engine: Engine, source: str, kind: str, scope: str, *, at: datetime) -> int:
    """A run of a collector begins; returns its id."""
    with transaction(engine) as connection:
        # One that still runs beside us says so itself when it ends.
        connection.execute(
            "UPDATE harvests SET status = 'failed', error = 'it ended without a word: killed, or the machine stopped'"
            " WHERE source = ? AND kind = ? AND status = 'running'",
            (source, kind),
        )
        made = connection.execute(
            "INSERT INTO harvests (source, kind, scope, started_at, status, rows, changed, requests)"
            " VALUES (?, ?, ?, ?, 'running', 0, 0, 0)",
            (source, kind, scope, *written([at])),
        )
    return int(made.lastrowid or 0)


def finish_harvest(
    engine: Engine,
    harvest: int,
    *,
    at: datetime,
    status: str,
    rows: int,
    changed: int,
    requests: int = 0,
    error: str | None = None,
) -> None:
    """A run has ended: done or failed, with what it saw and what it changed."""
    with transaction(engine) as connection:
        connection.execute(
            "UPDATE harvests SET finished_at = ?, status = ?, rows = ?, changed = ?, requests = ?, error = ? WHERE id = ?",
            (*written([at]), status, rows, changed, requests, error, harvest),
        )
