"""Where facts are kept: open and migrate, save and read. Beside it SQL is in its neighbours alone.

SQLite by default (write-ahead log, so that readers never block a harvest and see one state of it),
PostgreSQL by URL (`vsm.postgres_store` has what differs). Writing is SQLAlchemy Core with a list of
dicts, one statement a page; reading is whole tables through Arrow. pandas is imported only where frames
are made, since a harvest needs none.
"""

import hashlib
import json
import logging
import os
import sqlite3
import threading
import weakref
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection as Connection  # "as": others take these names from here, not from SQLAlchemy
from sqlalchemy.engine import Engine as Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.exc import DBAPIError as DBAPIError
from sqlalchemy.schema import CreateTable
from sqlmodel import SQLModel

from vsm import models, sqlite_store
from vsm.erased import CURSOR, Erased
from vsm.errors import StoreError as StoreError
from vsm.models import TABLES, Fact, kind, uid, validate
from vsm.rows import Shape, gathered, written
from vsm.sqlite_store import VERSION as VERSION

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
KNOWN = ("0001", "0002", "0003", "0004")  # every migration that this program has
STATES = 5  # attempts to open two connections between which nobody writes
PART = 200_000  # rows of a large table that are read at a time
ROWID = sa.literal_column("rowid", sa.Integer)  # SQLite's own number of a row
SAMPLED = 16  # rows of each part, by which the parts become about equal
STREAMED = 500  # raw answers fetched together; SQLite gives them one by one
PARAMETERS = 500  # values in one statement: SQLite once had a limit of 999
BESIDE = ("rebuild", "prune", "erase", "restore")  # kinds of runs that read nothing from a source
DEFAULT_URL = "sqlite:///vsm.db"
VERSIONS = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)"


# Opening. ----------------------------------------------------------------------------------------


def open_store(url: str, create: bool = True) -> Engine:
    """An engine on the store at a SQLAlchemy URL, brought to the newest schema.

    Without `create` a store that is not there is refused. Raises StoreError for a URL that is none,
    a place that cannot be reached, a store of a newer version, or a database that is not a store.
    """
    engine = _engine(url)
    path = _file(engine)
    if path is not None and not path.exists():
        if not create:
            raise StoreError(f"no store at {engine.url}: fill it with `vsm collect` or `vsm import FOLDER` first")
        if not path.parent.is_dir():
            raise StoreError(f"no folder {path.parent} for the store {engine.url}: make it, or give another --store")
    try:
        _migrate(engine, create)
    except StoreError:
        engine.dispose()
        raise
    except DBAPIError as error:
        engine.dispose()
        if engine.dialect.name == "postgresql":
            raise postgres().unreached(engine, error) from None
        raise StoreError(f"the store {engine.url} cannot be opened: {error.orig}{_mended(str(error.orig))}") from None
    return engine


DAMAGED = ("malformed", "not a database", "syntax error", "Failed to parse", "corrupt", "UTF", "no such")
MEND = "the file is damaged: put a backup of it in its place, or fill a new one with `vsm collect --full` and `vsm import`"


def _mended(said: str) -> str:
    """What to do about a file of which the database says that it is none, or no whole one."""
    return f": {MEND}" if any(word in said for word in DAMAGED) else ""


@contextmanager
def opened(url: str, create: bool = True) -> Iterator[Engine]:
    """As `open_store`, for as long as a command runs: every connection is closed behind it."""
    engine = open_store(url, create)
    try:
        yield engine
    finally:
        engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() in ("postgresql", "postgres"):
            made: Engine = postgres().engine(postgres().settled(parsed))
            return made
        if parsed.get_backend_name() != "sqlite":
            raise StoreError(
                f"the store {parsed!r} is neither SQLite nor PostgreSQL; expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
            )
        # Parameters in an error message would carry keys and names into logs.
        engine = sa.create_engine(parsed, hide_parameters=True)
        if (path := _file(engine)) is not None and path.exists() and not os.access(path.parent, os.W_OK):
            # Each connection looks anew whether somebody writes there meanwhile.
            engine = sa.create_engine(parsed, hide_parameters=True, poolclass=sa.NullPool)
            event.listen(engine, "do_connect", partial(_still_connected, path))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise StoreError("the store is not a SQLAlchemy URL that can be used; expected such as sqlite:///vsm.db") from None
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begins)
    return engine


def shown(url: str) -> str:
    """A store's URL as it may be shown: without its password, wherever that stands."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return "the store"
    return str(postgres().settled(parsed) if parsed.get_backend_name() in ("postgresql", "postgres") else parsed)


def postgres() -> Any:
    """What is PostgreSQL's own; loaded where a store is there."""
    from vsm import postgres_store

    return postgres_store


def _sqlite_connected(connection: Any, _record: Any) -> None:
    if not isinstance(connection, _Still):
        sqlite_store.settle(connection)


class _Still(sqlite3.Connection):
    """A connection to a file that nobody changes."""


def _still_connected(path: Path, _dialect: Any, _record: Any, _words: Any, _more: Any) -> Any:
    if not sqlite_store.is_still(path):
        return None  # as usual
    return sqlite3.connect(sqlite_store.address(path), uri=True, factory=_Still, isolation_level=None, check_same_thread=False)


def _sqlite_begins(connection: Connection) -> None:
    # A writer takes its lock at once: a read that grows into a write could only fail.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _file(engine: Engine) -> Path | None:
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database or database == ":memory:" or database.startswith("file:"):
        return None
    return Path(database)


def _migrate(engine: Engine, create: bool = True) -> None:
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        version = connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if "alembic_version" in tables else None
    if version == VERSION:
        return
    ours = bool(set(tables) & set(TABLES))
    if version not in (None, *KNOWN) and ours:
        raise StoreError(f"the store {engine.url} was made by a newer version of this program ({version}): update the program")
    # A PostgreSQL database may hold the tables of an extension; a SQLite file with others was named by mistake.
    others = bool(tables) if engine.dialect.name == "sqlite" else ours
    if (version is None and others) or (version is not None and not ours):
        raise StoreError(f"the database {engine.url} has tables but is not a store of this program: give another --store")
    if not tables or version is None:
        if not create and engine.dialect.name == "postgresql":
            raise StoreError(f"no store at {engine.url}: fill it with `vsm collect` or `vsm import FOLDER` first")
        _found(engine)
        return
    # Alembic takes a tenth of a second, and a store that is new or up to date does not need it.
    from vsm import migrations, store_copy

    kept = store_copy.before_upgrade(engine, str(version))
    migrations.upgrade(engine)
    if kept is not None:
        told = "the store %s was brought to version %s; %s is a copy of how it was"
        logging.getLogger("vsm").warning(told, engine.url, VERSION, kept)


def _found(engine: Engine) -> None:
    """A new store, as all the migrations together would make it."""
    with transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            postgres().one_migrates(connection)
            postgres().refuse_others(connection, engine.url)
        if {*sa.inspect(connection).get_table_names()} & {*TABLES}:
            return  # another process was faster
        SQLModel.metadata.create_all(connection)
        connection.execute(sa.text(VERSIONS))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES (:version)"), {"version": VERSION})


def newest() -> str:
    """A new SQLite store's tables in SQL: what `vsm/migrations/newest.sql` has, for a harvest that makes its store without us."""
    tables = [str(CreateTable(table).compile(dialect=sqlite.dialect())) for table in SQLModel.metadata.sorted_tables]
    lines = (line.rstrip() for line in ";\n".join([*(table.strip() for table in tables), VERSIONS]).splitlines())
    return "\n".join(lines) + ";\n"


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One write transaction: all of it or nothing. Keep it short, a page at most: others wait for it."""
    with engine.connect() as plain:
        connection = writing(plain)
        with connection.begin():
            yield connection


def writing(connection: Connection) -> Connection:
    """A connection that writes. Those that read see one state until they end; a writer must see what others wrote before it."""
    level = {"isolation_level": "READ COMMITTED"} if connection.dialect.name == "postgresql" else {}
    return connection.execution_options(writes=True, **level)


def retried(engine: Engine, work: Callable[[], T]) -> T:
    """Work that may be done twice: on PostgreSQL it is where the server goes away, or two writers are in each other's way."""
    if engine.dialect.name != "postgresql":
        return work()
    done: T = postgres().retried(engine, work)
    return done


def alone(engine: Engine, source: str) -> AbstractContextManager[None]:
    """The only one to harvest a source. Raises StoreError where another does; harvests of one file share a lock beside it."""
    if engine.dialect.name != "postgresql":
        return nullcontext()
    held: AbstractContextManager[None] = postgres().alone(engine, source)
    return held


# Saving. -----------------------------------------------------------------------------------------


def save(
    connection: Connection, table: type[Fact] | str, rows: Iterable[Mapping[str, Any]], *, origin: str, fill: bool = False
) -> int:
    """Rows become facts, new or changed; returns how many. Rows that say nothing new are not written.

    With `fill` a row may only fill what is missing in one that is there from another source. Of
    several rows with one key the last one counts. Raises models.RowError for a row that cannot be a fact.
    """
    table, rows = _fact(table), _without(connection, _fact(table), rows)
    in_lite = connection.dialect.name == "sqlite"
    if rows and (in_lite or postgres().is_many(rows)) and (found := gathered(models.shape(table), rows)) is not None:
        saved = _save_columns if in_lite else postgres().save_columns
        return int(saved(connection, models.shape(table), found, origin, fill))
    ready: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        valid = validate(table, row)
        ready[tuple(valid[name] for name in table.key_columns)] = valid
    return save_valid(connection, table, list(ready.values()), origin=origin, fill=fill)


def erased(connection: Connection) -> Erased | None:
    """Whoever asked to be forgotten; None where nobody did."""
    return Erased.of(load_cursors(connection, CURSOR[0]).get(CURSOR[1]))


def _without(connection: Connection, table: type[Fact], rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows without the names of those who asked to be forgotten."""
    gone = erased(connection)
    return list(rows) if gone is None else [gone.row(str(table.__tablename__), row) for row in rows]


def forgotten(engine: Engine) -> None:
    """Give back the room of what was deleted, so that its bytes are in no file of the store."""
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM FULL")
        return
    plain = engine.raw_connection()  # SQLAlchemy's would begin a transaction, in which SQLite refuses it
    try:
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            plain.cursor().execute(statement)
    finally:
        plain.close()


def save_valid(
    connection: Connection, table: type[Fact], rows: Sequence[dict[str, Any]], *, origin: str, fill: bool = False
) -> int:
    """As `save`, for rows that `validate` has already passed and of which no two have one key."""
    if not rows:
        return 0
    if (gone := erased(connection)) is not None:
        changed = [gone.row(str(table.__tablename__), row) for row in rows]
        rows = list({tuple(row[name] for name in table.key_columns): row for row in changed}.values())
    if connection.dialect.name == "postgresql":
        return int(postgres().save_rows(connection, table, rows, origin, fill))
    has_uid = "uid" in table.model_fields
    ready = [row | {"origin": origin} | ({"uid": uid(table, row)} if has_uid else {}) for row in rows]
    before = _changes(connection)
    result = connection.execute(_upsert(connection, table_of(table), fill, table.seldom_told), ready)
    # SQLite's driver counts the rows of a many-row statement only as a total over the connection.
    return int(_changes(connection) - before if before is not None else result.rowcount)


def _save_columns(connection: Connection, shape: Shape, found: Mapping[str, tuple[Any, ...]], origin: str, fill: bool) -> int:
    """SQLAlchemy's statement given to SQLite's driver as it is, times as SQLAlchemy writes them: a quarter of the time."""
    if "uid" in (table := TABLES[shape.name]).model_fields:
        found = {name: written(values) if shape.kinds[name] == "time" else values for name, values in found.items()}
        found["uid"] = tuple(models.uids(table, found))
        shape = shape._replace(key=("uid",), kinds={"uid": "text", **dict.fromkeys(shape.kinds, "text")})
    statement, values = sqlite_store.bound(shape, found, origin, fill)
    before = _changes(connection)
    connection.exec_driver_sql(statement, list(values))
    return int(_changes(connection) - before)


def _fact(table: type[Fact] | str) -> type[Fact]:
    return TABLES[table] if isinstance(table, str) else table


def table_of(table: type[SQLModel]) -> sa.Table:
    """A model's table."""
    found: sa.Table = table.__table__  # type: ignore[attr-defined]  # SQLModel adds it to table models
    return found


def _changes(connection: Connection) -> Any:
    return connection.scalar(sa.text("SELECT total_changes()")) if connection.dialect.name == "sqlite" else None


def _insert(connection: Connection, table: sa.Table) -> Any:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def _upsert(connection: Connection, table: sa.Table, fill: bool = False, seldom: Collection[str] = ()) -> Any:
    """INSERT … ON CONFLICT DO UPDATE that leaves an unchanged row alone."""
    return upserted(_insert(connection, table), table, fill, seldom)


def upserted(insert: Any, table: sa.Table, fill: bool, seldom: Collection[str]) -> Any:
    """An INSERT of rows or of a query, made one that changes what is there and differs."""
    key = [column.name for column in table.primary_key]
    told = [column for column in table.columns if column.name not in key and column.name != "origin"]
    news = {column.name: insert.excluded[column.name] for column in told}
    if fill:
        # A source may correct what it said itself.
        own = table.c.origin == insert.excluded["origin"]
        news = {name: sa.case((own, value), else_=sa.func.coalesce(table.c[name], value)) for name, value in news.items()}
    else:
        news |= {name: sa.func.coalesce(news[name], table.c[name]) for name in seldom}
    if not told:
        return insert.on_conflict_do_nothing(index_elements=key)
    differs = sa.or_(*(column.is_distinct_from(news[column.name]) for column in told if not isinstance(column.type, sa.JSON)))
    origin = {} if fill or "origin" not in table.columns else {"origin": insert.excluded["origin"]}
    return insert.on_conflict_do_update(index_elements=key, set_=news | origin, where=differs)


def complete(
    connection: Connection,
    table: type[Fact],
    rows: Iterable[Mapping[str, Any]],
    *,
    origin: str,
    settle: Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> int:
    """Rows that tell some columns: these replace what is kept, the others stay; returns how many were new or changed.

    Values are as `validate` makes them. A row that is there keeps its origin. `settle` makes the whole row
    from what is kept (nothing where the row is new) and what is told. Raises models.RowError for a whole
    row that cannot be a fact.
    """
    target, changed, rows = table_of(table), 0, _without(connection, table, rows)
    if connection.dialect.name == "postgresql":  # SQLite's writers wait for each other anyway
        connection.execute(sa.text(f'LOCK TABLE "{target.name}" IN SHARE ROW EXCLUSIVE MODE'))
    names = models.columns(table)
    for told in rows:
        same = sa.and_(*(target.c[name].is_not_distinct_from(told.get(name)) for name in table.key_columns))
        found = connection.execute(sa.select(*(target.c[name] for name in (*names, "origin"))).where(same)).mappings().first()
        kept = {name: found[name] for name in names if found[name] is not None} if found else {}
        whole = validate(table, settle(kept, told) if settle else {**kept, **told})
        changed += save_valid(connection, table, [whole], origin=(found and found["origin"]) or origin)
    return changed


def delete(connection: Connection, table: type[Fact] | str, keys: Iterable[Mapping[str, Any]], *, origin: str | None = None) -> int:
    """Facts that their source has taken back go; returns how many.

    A key that leaves out some of its columns stands for all rows that have the others. With an
    `origin` only the rows of that source go: what another one tells as well stays.
    """
    table = _fact(table)
    gone, target = 0, table_of(table)
    own = () if origin is None else (target.c["origin"] == origin,)
    for key in keys:
        named = [target.c[name].is_not_distinct_from(key[name]) for name in table.key_columns if name in key]
        if not named:
            raise ValueError(f"a key of {target.name} without any of {table.key_columns}")
        gone += connection.execute(sa.delete(target).where(*named, *own)).rowcount
    return gone


def forget(connection: Connection, table: type[Fact] | str, origin: str, keep: Collection[tuple[Any, ...]]) -> int:
    """Facts of an origin go unless their key is among those to keep; returns how many went."""
    table = _fact(table)
    target = table_of(table)
    keys = [target.c[name] for name in table.key_columns]
    found = connection.execute(sa.select(*keys).where(target.c.origin == origin)).all()
    gone = [dict(zip(table.key_columns, row, strict=True)) for row in found if tuple(row) not in keep]
    return delete(connection, table, gone)


def save_raw(
    connection: Connection,
    source: str,
    resource: str,
    answers: Iterable[tuple[str, Any]],
    *,
    harvest: int,
    at: datetime,
    scope: str = "",
) -> int:
    """A source's answers by external id, as they came; returns how many were new or changed."""
    target, gone = table_of(models.RawRecord), erased(connection)
    rows = []
    for external_id, told in dict(answers).items():
        answer = told if gone is None else gone.value(told)
        text = json.dumps(answer, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        rows.append(
            {
                "source": source, "resource": resource, "scope": scope, "external_id": external_id, "payload": zlib.compress(text),
                "sha256": hashlib.sha256(text).hexdigest(), "first_seen": at, "last_seen": at, "harvest": harvest,
            }
        )  # fmt: skip
    if not rows:
        return 0
    insert: Any = _insert(connection, target)
    news = {name: insert.excluded[name] for name in ("payload", "sha256", "last_seen", "harvest")}
    statement = insert.on_conflict_do_update(
        index_elements=["source", "resource", "scope", "external_id"],
        set_=news | {"deleted_at": None},
        where=sa.or_(target.c.sha256.is_distinct_from(insert.excluded.sha256), target.c.deleted_at.is_not(None)),
    )
    before = _changes(connection)
    result = connection.execute(statement, rows, execution_options={"preserve_rowcount": True})
    return int(_changes(connection) - before if before is not None else result.rowcount)


def raw_of(connection: Connection, source: str, resource: str, external_ids: Sequence[str]) -> dict[str, Any]:
    """What is kept of a source's answers about some things, by external id; things that are lost are left out."""
    target = table_of(models.RawRecord)
    found: dict[str, Any] = {}
    for start in range(0, len(external_ids), PARAMETERS):
        some = external_ids[start : start + PARAMETERS]
        where = (
            target.c.source == source,
            target.c.resource == resource,
            target.c.external_id.in_(some),
            target.c.deleted_at.is_(None),
        )
        for external_id, payload in connection.execute(sa.select(target.c.external_id, target.c.payload).where(*where)):
            found[external_id] = json.loads(zlib.decompress(payload))
    return found


def lose_raw(connection: Connection, source: str, resource: str, external_ids: Sequence[str], *, at: datetime) -> None:
    """Remember that a source no longer has some things."""
    target = table_of(models.RawRecord)
    for start in range(0, len(external_ids), PARAMETERS):
        some = external_ids[start : start + PARAMETERS]
        where = (target.c.source == source, target.c.resource == resource, target.c.external_id.in_(some))
        connection.execute(sa.update(target).where(*where).values(deleted_at=at))


def raw_records(engine: Engine, source: str, resource: str | None = None) -> Iterator[tuple[str, str, Any]]:
    """A source's raw answers: resource, external id and the answer, in the order of first being seen; not those that are lost."""
    target = table_of(models.RawRecord)
    mine = (target.c.source == source, target.c.deleted_at.is_(None))
    query = sa.select(target.c.resource, target.c.external_id, target.c.payload).where(*mine)
    if resource is not None:
        query = query.where(target.c.resource == resource)
    with engine.connect() as connection:
        streamed = connection.execution_options(yield_per=STREAMED) if engine.dialect.name == "postgresql" else connection
        for name, external_id, payload in streamed.execute(query.order_by(target.c.id)):
            yield name, external_id, json.loads(zlib.decompress(payload))


def rows(connection: Connection) -> int:
    """How many facts there are in all."""
    counts = [sa.select(sa.func.count()).select_from(table_of(table)).scalar_subquery() for table in TABLES.values()]
    return sum(connection.execute(sa.select(*counts)).one())


def load_cursors(connection: Connection, source: str) -> dict[str, dict[str, Any]]:
    """How far each resource of a source has been read: its state by resource."""
    target = table_of(models.Cursor)
    rows = connection.execute(sa.select(target.c.resource, target.c.state).where(target.c.source == source))
    return {row.resource: row.state for row in rows}


def save_cursor(connection: Connection, source: str, resource: str, state: Mapping[str, Any], *, at: datetime) -> None:
    """Remember how far a resource has been read; belongs in the transaction of the page that got there."""
    target = table_of(models.Cursor)
    insert: Any = _insert(connection, target)
    news = {name: insert.excluded[name] for name in ("state", "updated_at")}
    row = {"source": source, "resource": resource, "scope": "", "state": dict(state), "updated_at": at}
    connection.execute(insert.on_conflict_do_update(index_elements=["source", "resource", "scope"], set_=news), row)


def begin_harvest(engine: Engine, source: str, kind: str, scope: str, *, at: datetime) -> int:
    """A run of a collector, an import or an event begins; returns its id."""
    row = {
        "source": source,
        "kind": kind,
        "scope": scope,
        "started_at": at,
        "status": "running",
        "rows": 0,
        "changed": 0,
        "requests": 0,
    }
    target = table_of(models.Harvest)
    killed = sa.update(target).where(target.c.source == source, target.c.kind == kind, target.c.status == "running")

    def begun() -> Any:
        with transaction(engine) as connection:
            # One that still runs beside us says so itself when it ends.
            connection.execute(killed.values(status="failed", error="it ended without a word: killed, or the machine stopped"))
            return connection.execute(sa.insert(target), row).inserted_primary_key

    key = retried(engine, begun)
    if key is None:  # a table with a key of its own always gives one
        raise StoreError("the store gave no id for a new harvest")
    return int(key[0])


def changed_beside(engine: Engine, kind: str, rows: int, *, at: datetime) -> None:
    """Say that facts have changed though nothing was harvested, so that nobody goes on with what was read before."""
    harvest = begin_harvest(engine, "store", kind, "the whole store", at=at)
    finish_harvest(engine, harvest, at=at, status="done", rows=rows, changed=rows)


def is_harvested(connection: Connection, source: str, *, beside: int) -> bool:
    """Whether a source is being harvested beside a run, or has been since that run began."""
    target = table_of(models.Harvest)
    other = sa.or_(target.c.id > beside, sa.and_(target.c.status == "running", target.c.id != beside))
    return bool(connection.scalar(sa.select(sa.exists().where(target.c.source == source, other))))


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
    target = table_of(models.Harvest)
    news = {"finished_at": at, "status": status, "rows": rows, "changed": changed, "requests": requests, "error": error}

    def finished() -> None:
        with transaction(engine) as connection:
            connection.execute(sa.update(target).where(target.c.id == harvest).values(**news))

    retried(engine, finished)


# Reading. ----------------------------------------------------------------------------------------

# Text with few names in many more rows, as categories: a number each. Columns of one group are compared, so they share theirs.
FEW: dict[str, tuple[tuple[str, ...], ...]] = {
    "transitions": (("ticket",), ("from_status", "to_status"), ("actor",), ("team",)),
    "ticket_changes": (("ticket",), ("field",), ("actor",)),
}


def few(table: type[Fact]) -> tuple[tuple[str, ...], ...]:
    """The groups of a table's columns that are categories."""
    return (*FEW.get(str(table.__tablename__), ()), ("origin",))


@dataclass(frozen=True)
class Facts:
    """Every fact table as a frame: columns as in `models.columns`, and origin. Always there, always typed.

    Times are datetime64[us, UTC], numbers Int64, text str, of few names (`FEW`) category; missing is NaT, NA or NaN.
    """

    tickets: "pd.DataFrame"
    transitions: "pd.DataFrame"
    ticket_changes: "pd.DataFrame"
    ticket_links: "pd.DataFrame"
    repositories: "pd.DataFrame"
    commits: "pd.DataFrame"
    tags: "pd.DataFrame"
    pull_requests: "pd.DataFrame"
    pull_request_commits: "pd.DataFrame"
    reviews: "pd.DataFrame"
    comments: "pd.DataFrame"
    builds: "pd.DataFrame"
    build_stages: "pd.DataFrame"
    deployments: "pd.DataFrame"
    deployment_commits: "pd.DataFrame"
    incidents: "pd.DataFrame"
    identities: "pd.DataFrame"

    @classmethod
    def of(cls, **tables: Sequence[Mapping[str, Any]]) -> Self:
        """Facts from rows by table, checked as at the border; tables that are not given are empty."""
        import pandas as pd

        unknown = set(tables) - set(TABLES)
        if unknown:
            raise ValueError(f"no such tables: {sorted(unknown)}")
        frames = {}
        for name, table in TABLES.items():
            rows = [validate(table, row) | {"origin": row.get("origin")} for row in tables.get(name, ())]
            frames[name] = typed(pd.DataFrame(rows, columns=[*models.columns(table), "origin"]), table)
        return cls(**frames)

    @classmethod
    def empty(cls) -> Self:
        """No facts at all."""
        return cls.of()

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return {field.name: len(getattr(self, field.name)) for field in fields(self)}


def typed(frame: "pd.DataFrame", table: type[Fact]) -> "pd.DataFrame":
    """The frame with the types of the table's columns, also where it is empty or a column has nothing."""
    import pandas as pd

    from vsm.frames import shared

    ready: dict[str, pd.Series[Any]] = {}
    for names in few(table):
        ready |= zip(names, shared([frame[name] for name in names]), strict=True)
    for name in [*models.columns(table), "origin"]:
        if name in ready:
            continue
        what = kind(table, name)
        column, wanted = frame[name], {"time": "datetime64[us, UTC]", "number": "Int64"}.get(what, "str")
        if column.dtype == wanted:
            ready[name] = column
        elif what == "time":
            ready[name] = pd.to_datetime(column, utc=True, format="ISO8601").astype(wanted)
        else:
            ready[name] = column.astype(wanted)
    return pd.DataFrame({name: ready[name] for name in frame.columns if name in ready}, index=frame.index)


def facts(engine: Engine) -> Facts:
    """All facts as frames, from one state of the store even while a harvest writes."""
    path = _file(engine)
    if engine.dialect.name == "postgresql":
        from vsm import postgres_read

        return Facts(**(postgres_read.frames(engine) or _by_cursor(engine, postgres_read.query)))
    return Facts(**(_by_arrow(engine, path) if path is not None else _by_cursor(engine)))


def _query(table: type[Fact]) -> tuple[list[str], Any]:
    """A table's columns, and the query for them in the order of its key."""
    names, target = [*models.columns(table), "origin"], table_of(table)
    return names, sa.select(*(target.c[name] for name in names)).order_by(*target.primary_key)


class _Readers:
    """The Arrow driver's connections to the file of one engine: one that sees who writes, two to read with.

    They are closed only after the engine's own. The driver brings its own SQLite, and POSIX drops all locks of a process
    on a file when any copy closes it: an engine that goes on without its lock may find its log deleted by the next program
    that looks, and write where nobody reads.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._open, self.lock = path, list[Any](), threading.Lock()

    def connections(self) -> list[Any]:
        """The three, opened when they are first asked for."""
        from adbc_driver_sqlite import dbapi

        while len(self._open) < 3:
            self._open.append(dbapi.connect(sqlite_store.address(self._path), autocommit=not self._open))
        return self._open

    def rest(self) -> None:
        """End what is read, so that nobody's log grows for it."""
        for connection in self._open[1:]:
            connection.rollback()

    def close(self) -> None:
        """Close them all."""
        while self._open:
            self._open.pop().close()


_READERS: "weakref.WeakKeyDictionary[Engine, _Readers]" = weakref.WeakKeyDictionary()


def _readers(engine: Engine, path: Path) -> _Readers:
    """The readers of an engine; they end when it is disposed of, or gone."""
    if engine not in _READERS:
        readers = _READERS[engine] = _Readers(path)
        event.listen(engine, "engine_disposed", lambda _: readers.close())
        weakref.finalize(engine, readers.close)
    return _READERS[engine]


def _by_arrow(engine: Engine, path: Path) -> dict[str, "pd.DataFrame"]:
    """Every table. Raises StoreError where the store cannot be read now."""
    import pyarrow as pa
    from adbc_driver_sqlite import dbapi

    readers = _readers(engine, path)
    try:
        with engine.connect(), readers.lock:  # a connection of the engine's own, so that its lock outlives the readers'
            still = _as_it_is(path)
            try:
                found = _two_at_a_time(readers)
            finally:
                readers.close() if still else readers.rest()
            if still and still != _as_it_is(path):
                raise StoreError(f"the store {path} was written while it was read: try again")
            return found
    except dbapi.Error as error:
        does = _mended(str(error)) or ": see that no other program holds it"
        raise StoreError(f"the store {path} cannot be read now ({error}){does}") from None
    except (pa.ArrowException, ValueError) as error:  # bytes that are no text, a time that is none: nothing that we wrote
        raise StoreError(f"the store {path} has a value that cannot be ({' '.join(str(error).split())[:200]}): {MEND}") from None


def _as_it_is(path: Path) -> tuple[int, int] | None:
    """When and how long a file was last written that is read as one that nobody changes; None of others."""
    told = path.stat()
    return (told.st_mtime_ns, told.st_size) if sqlite_store.is_still(path) else None


def _two_at_a_time(readers: _Readers) -> dict[str, "pd.DataFrame"]:
    """Every table, the big ones first: SQLite's and Arrow's own work leaves Python's lock to others."""
    from vsm.arrow import framed

    with ExitStack() as stack:
        cursors = _of_one_state(readers, stack)
        free: SimpleQueue[Any] = SimpleQueue()
        for cursor in cursors:
            free.put(cursor)
        rows = {name: _number(cursors[0], _last(table)) for name, table in TABLES.items()}  # to count them would be to read them
        order = sorted(TABLES, key=lambda name: -rows[name])
        parts = [(name, part) for name in order for part in _parts(cursors[0], TABLES[name], rows[name])]

        def read(asked: tuple[str, Any]) -> Any:
            cursor = free.get()
            try:
                return _read(cursor, asked[1], TABLES[asked[0]])
            finally:
                free.put(cursor)

        with ThreadPoolExecutor(len(cursors)) as threads:
            read_by_name = groupby(zip(parts, threads.map(read, parts), strict=True), key=lambda one: one[0][0])
            frames = {name: framed([part for _, part in some], TABLES[name], few(TABLES[name])) for name, some in read_by_name}
    return {name: frames[name] for name in TABLES}


def _of_one_state(readers: _Readers, stack: ExitStack) -> list[Any]:
    """Cursors of two connections that see the same state of the store; of one where others write without a pause."""
    watch, *found = (stack.enter_context(connection.cursor()) for connection in readers.connections())
    for _ in range(STATES):
        readers.rest()
        before = _number(watch, "PRAGMA data_version")
        # Without autocommit the first read opens a transaction: all that is read after it is of one state.
        for one in found:
            _number(one, _counted(models.Harvest))
        if _number(watch, "PRAGMA data_version") == before:  # nobody has written between the two
            return found
    return found[:1]


def _number(cursor: Any, query: str) -> int:
    """The one number that a query gives; 0 where it gives none."""
    cursor.execute(query)
    (found,) = cursor.fetchone() or (0,)
    return int(found or 0)


def _counted(table: type[SQLModel]) -> str:
    return str(sa.select(sa.func.count()).select_from(table_of(table)).compile(dialect=sqlite.dialect()))


def _last(table: type[SQLModel]) -> str:
    """The query for a table's highest row number: about as many rows are in it, or fewer."""
    return _told(sa.select(sa.func.max(ROWID)).select_from(table_of(table)))


def _parts(cursor: Any, table: type[Fact], last: int) -> list[Any]:
    """A table's query, of a large one several: each gives some of its rows, one after the other they give all by key.

    `last`: the table's highest row number.
    """
    target, query = table_of(table), _query(table)[1]
    if last <= 2 * PART:
        return [query]
    key = sa.tuple_(*target.primary_key)
    cursor.execute(_told(sa.select(*target.primary_key).where(ROWID.in_(range(1, last + 1, max(PART // SAMPLED, 1))))))
    ends = sorted(cursor.fetchall())[SAMPLED::SAMPLED]
    after = [None, *ends]
    return [
        query.where(*((key >= sa.tuple_(*one),) if one else ()), *((key < sa.tuple_(*end),) if end else ()))
        for one, end in zip(after, [*ends, None], strict=True)
    ]


def _told(query: Any) -> str:
    """A query as SQLite's own words."""
    return str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


def _read(cursor: Any, query: Any, table: type[Fact]) -> Any:
    # The driver guesses a column's type from the first batch, so all rows must be in it.
    from vsm.arrow import compact

    cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(2**30)})
    cursor.execute(_told(query))
    return compact(cursor.fetch_arrow_table(), table, few(table))


def _by_cursor(engine: Engine, asked: Callable[[type[Fact]], Any] | None = None) -> dict[str, "pd.DataFrame"]:
    import pandas as pd

    frames = {}
    with engine.connect() as connection:
        for name, table in TABLES.items():
            names, query = _query(table)
            rows = connection.execute(asked(table) if asked else query).all()
            columns = zip(*rows, strict=True) if rows else ([] for _ in names)
            frames[name] = typed(
                pd.DataFrame({name: pd.Series(list(column), dtype="object") for name, column in zip(names, columns, strict=True)}),
                table,
            )
    return frames


def harvests(engine: Engine) -> "pd.DataFrame":
    """Every run of a collector, an import or an event, newest first."""
    import pandas as pd

    target = table_of(models.Harvest)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(target).order_by(target.c.id.desc())).mappings().all()
    frame = pd.DataFrame([dict(row) for row in rows], columns=[column.name for column in target.columns])
    for name in ("started_at", "finished_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame


def about(engine: Engine) -> str:
    """What a store on a server is, in words: its version, the database and where it is; nothing of a file."""
    return str(postgres().about(engine)) if engine.dialect.name == "postgresql" else ""


def filled_at(runs: "pd.DataFrame") -> "pd.Timestamp | None":
    """When facts last came into a store: the latest beginning or end of those of its runs (`harvests`) that read something."""
    import pandas as pd

    latest = runs.loc[~runs["kind"].isin(BESIDE), ["started_at", "finished_at"]].max().max()
    return None if pd.isna(latest) else latest


def version(engine: Engine) -> tuple[int, int]:
    """What changes whenever the facts may have changed: the key of every cache above the store."""
    target = table_of(models.Harvest)
    with engine.connect() as connection:
        newest, rows = connection.execute(sa.select(sa.func.max(target.c.id), sa.func.sum(target.c.changed))).one()
    return int(newest or 0), int(rows or 0)


def runs_version(engine: Engine) -> tuple[object, ...]:
    """What changes whenever a run of a harvest begins, goes on, ends or is forgotten: the key of what is kept of `harvests`."""
    table = table_of(models.Harvest)
    ended = sa.func.count(table.c.finished_at), sa.func.max(table.c.finished_at)
    of_status = (sa.case((table.c.status == status, 1)) for status in ("running", "done"))
    sums = (sa.func.sum(one) for one in (table.c.rows, table.c.changed, table.c.requests, *of_status))
    asked = sa.select(sa.func.max(table.c.id), sa.func.count(), *ended, *sums)
    with engine.connect() as connection:
        return tuple(connection.execute(asked).one())


if __name__ == "__main__":
    print(newest(), end="")
