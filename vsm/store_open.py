"""A store, opened and brought to the newest schema; transactions on it.

SQLite by default (write-ahead log, so that readers never block a harvest and see one state of it), PostgreSQL by URL
(`vsm.postgres_store` has what differs).
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.schema import CreateTable
from sqlmodel import SQLModel

from vsm import sqlite_store
from vsm.errors import NoStore, StoreError
from vsm.models import TABLES
from vsm.sqlite_store import VERSION

if TYPE_CHECKING:
    pass

T = TypeVar("T")
KNOWN = ("0001", "0002", "0003", "0004")  # every migration that this program has
DEFAULT_URL = "sqlite:///vsm.db"
VERSIONS = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)"


def open_store(url: str, create: bool = True) -> Engine:
    """An engine on the store at a SQLAlchemy URL, brought to the newest schema.

    Without `create` a store that is not there is refused. Raises StoreError for a URL that is none,
    a place that cannot be reached, a store of a newer version, or a database that is not a store.
    """
    engine = engine_at(url)
    path = file_of(engine)
    if path is not None and not path.exists():
        if not create:
            raise NoStore(f"no store at {engine.url}: fill it with `vsm collect` or `vsm import FOLDER` first")
        if not path.parent.is_dir():
            raise StoreError(f"no folder {path.parent} for the store {engine.url}: make it, or give another --store")
    try:
        migrate(engine, create)
    except StoreError:
        engine.dispose()
        raise
    except DBAPIError as error:
        engine.dispose()
        if engine.dialect.name == "postgresql":
            raise postgres().unreached(engine, error) from None
        raise StoreError(f"the store {engine.url} cannot be opened: {error.orig}{mended(str(error.orig))}") from None
    return engine


DAMAGED = ("malformed", "not a database", "syntax error", "Failed to parse", "corrupt", "UTF", "no such")
MEND = "the file is damaged: put a backup of it in its place, or fill a new one with `vsm collect --full` and `vsm import`"


def mended(said: str) -> str:
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


def engine_at(url: str) -> Engine:
    """An engine on a store as it is, of whatever version. Raises StoreError for a URL that is none."""
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
        if (path := file_of(engine)) is not None and path.exists() and not os.access(path.parent, os.W_OK):
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


def file_of(engine: Engine) -> Path | None:
    """The file that a store is; None where it is none of its own."""
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database or database == ":memory:" or database.startswith("file:"):
        return None
    return Path(database)


def migrate(engine: Engine, create: bool = True) -> None:
    """Bring a store to the newest schema; an older one is copied first. Raises StoreError for what is not ours or newer than we."""
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
            raise NoStore(f"no store at {engine.url}: fill it with `vsm collect` or `vsm import FOLDER` first")
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
