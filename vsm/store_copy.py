"""A store copied whole, from one database to another: for backups, moves and the moment before an upgrade."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from json import dumps
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from vsm import migrations, sqlite_store, store
from vsm.errors import UsageError, WorkError
from vsm.store import DBAPIError, Engine, StoreError

VERSIONS = "alembic_version"
MANY = 5_000  # rows that are on their way at once
SIDES = ("-wal", "-shm", "-journal")


# Out. --------------------------------------------------------------------------------------------


def to_file(url: str, target: Path) -> dict[str, int]:
    """One state of a store, whatever its version, as a SQLite file; returns the rows of each table. The store is only read."""
    engine = store.engine_at(url)
    try:
        return file_of(engine, target)
    except (DBAPIError, sqlite3.Error) as error:
        raise StoreError(f"the store {engine.url} cannot be read: {getattr(error, 'orig', error)}") from None
    finally:
        engine.dispose()


def file_of(engine: Engine, target: Path) -> dict[str, int]:
    """The same of an open store."""
    path = store.file_of(engine)
    if path is None and engine.dialect.name == "sqlite":
        raise StoreError("a store in memory ends with its program: there is nothing to copy")
    if path is not None:
        _copied(path, target)
    else:
        _gathered(engine, target)
    return sound(target)


def _copied(path: Path, target: Path) -> None:
    """By SQLite's own backup: one state, while others read and write."""
    if not path.exists():
        raise StoreError(f"no store at {path}: give another --store")
    file = sqlite_store.address(path) if sqlite_store.is_still(path) else f"{path.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(file, uri=True)) as source, closing(sqlite3.connect(target)) as copy:
        source.execute("PRAGMA busy_timeout = 30000")
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing of it in a log


def _gathered(engine: Engine, target: Path) -> None:
    """Row by row out of a server, in one transaction, and each table's sum compared with what arrived."""
    file = store.engine_at(f"sqlite:///{target}")
    try:
        with _snapshot(engine) as source:
            tables = _tables(source)
            version = _version(source, tables)
            migrations.upgrade(file, version)
            with store.transaction(file) as sink:
                there = _tables(sink)
                sent = {name: _sent(source, tables[name], sink, there[name]) for name in tables if name != VERSIONS}
        with file.connect() as arrived:
            for name, summed in sent.items():
                if _summed(_rows(arrived, there[name])) != summed:
                    raise WorkError(f"the copy of the table {name} is not what was sent: nothing was written; try again")
    finally:
        file.dispose()
    with closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def _snapshot(engine: Engine) -> Iterator[sa.Connection]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ", stream_results=True) as connection:
        yield connection


def _tables(connection: sa.Connection) -> dict[str, sa.Table]:
    """Our tables as they are in a database, which may be of an older version."""
    found = sa.MetaData()
    found.reflect(connection, only=[name for name in sa.inspect(connection).get_table_names() if name in _ours()])
    for table in found.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, sa.JSON):
                column.type.none_as_null = True  # nothing is nothing, and not JSON's null
    return {table.name: table for table in found.sorted_tables}


def _ours() -> set[str]:
    return {*SQLModel.metadata.tables, VERSIONS}


def _version(connection: sa.Connection, tables: Mapping[str, sa.Table]) -> str:
    found = connection.scalar(sa.select(tables[VERSIONS].c.version_num)) if VERSIONS in tables else None
    if found is None:
        raise StoreError("the database is not a store of this program: give another --store")
    if found not in store.KNOWN:
        raise StoreError(f"the store was made by a newer version of this program ({found}): update the program")
    return str(found)


def _sent(source: sa.Connection, table: sa.Table, sink: sa.Connection, target: sa.Table) -> tuple[int, int]:
    """Every row of a table into another of the same columns; returns its sum."""
    summed, names = (0, 0), [column.name for column in table.columns]
    for rows in _portions(_rows(source, table)):
        sink.execute(sa.insert(target), [dict(zip(names, row, strict=True)) for row in rows])
        summed = _plus(summed, rows)
    return summed


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[Any, ...]]:
    for row in connection.execute(sa.select(*table.columns)):
        yield tuple(_exact(value) for value in row)


def _exact(value: Any) -> Any:
    """A value as any of our databases gives it: times in UTC, bytes as bytes."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return bytes(value) if isinstance(value, memoryview) else value


def _portions(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    held: list[tuple[Any, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) == MANY:
            yield held
            held = []
    if held:
        yield held


def _summed(rows: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    return _plus((0, 0), rows)


def _plus(summed: tuple[int, int], rows: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    """How many rows, and the sum of their hashes: the same in whatever order two databases give them."""
    count, total = summed
    for row in rows:
        text = dumps(row, default=_text, sort_keys=True)
        total = (total + int.from_bytes(blake2b(text.encode(), digest_size=16).digest())) % (1 << 128)
        count += 1
    return count, total


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value.hex())


# What a copy is worth. ---------------------------------------------------------------------------


def sound(file: Path) -> dict[str, int]:
    """The rows of each table of a store's file, once SQLite has looked through all of it. Raises StoreError where it is damaged."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
            said = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(1)")]
            if said != ["ok"]:
                raise StoreError(f"the store is damaged ({said[0]}): bring back a backup with `vsm restore`")
            names = [str(name) for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            return {name: int(copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in names if name in _ours()}  # noqa: S608 - names of our own tables
    except sqlite3.Error as error:
        raise StoreError(f"the store is damaged ({error}): bring back a backup with `vsm restore`") from None


def version_of(file: Path) -> str:
    """The version of a store's file. Raises StoreError where it is none."""
    try:
        with closing(sqlite3.connect(file)) as copy:
            found = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        found = None
    if found is None:
        raise StoreError("the database is not a store of this program: give another --store")
    return str(found[0])


def key_file(url: str) -> Path | None:
    """Where the key of people's handles lies for a store; None for a server's, whose key the configuration has."""
    engine = store.engine_at(url)
    path = store.file_of(engine)
    engine.dispose()
    return None if path is None else path.with_name(path.name + ".key")


def before_upgrade(engine: Engine, version: str) -> Path | None:
    """The copy of an old store that is made before its steps run, named after its version; None for one in memory."""
    path = store.file_of(engine)
    if path is None and engine.dialect.name == "sqlite":
        return None
    folder = Path(os.environ.get("VSM_BACKUPS") or (path.parent if path is not None else "."))
    target = folder / f"{path.name if path is not None else engine.url.database}.{version}.backup"
    draft = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        file_of(engine, draft)
        os.replace(draft, target)
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise StoreError(
            f"the store {engine.url} is of an older version, and no copy can be kept before its upgrade ({target}: {why}):"
            " make room there, or name another folder in VSM_BACKUPS"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    return target


# In. ---------------------------------------------------------------------------------------------


def from_file(file: Path, url: str, force: bool, at: datetime) -> None:
    """All that a store's file holds into a store, in place of what that had: all of it or nothing."""
    engine = store.engine_at(url)
    path = store.file_of(engine)
    try:
        if path is not None:
            _back(file, path, force)
        else:
            _filled(file, engine, force)
    except (DBAPIError, sqlite3.Error) as error:
        why = getattr(error, "orig", error)
        raise StoreError(
            f"the store {engine.url} could not be restored ({why}): it is as it was; move away a file that is none"
        ) from None
    finally:
        engine.dispose()
    with store.opened(url, create=False) as filled:
        store.changed_beside(filled, "restore", 0, at=at)


def _back(file: Path, path: Path, force: bool) -> None:
    """By SQLite's own backup, which is one transaction of the store: who has it open sees the old or the new."""
    if not path.parent.is_dir():
        raise StoreError(f"no folder {path.parent} for the store: make it, or give another --store")
    with closing(sqlite3.connect(path)) as target, closing(sqlite3.connect(file)) as source:
        target.execute("PRAGMA busy_timeout = 30000")
        tables = target.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
        if tables and not force:
            raise UsageError(f"{path} is a store already: give another --store, or --force to replace all that it holds")
        target.execute("PRAGMA journal_mode = DELETE") if not tables else None
        source.execute("PRAGMA journal_mode = DELETE")
        source.backup(target)


def _filled(file: Path, engine: Engine, force: bool) -> None:
    """Into a server's tables by its COPY, in one transaction, each table's sum compared before it ends."""
    with store.opened(f"sqlite:///{file}") as newest:  # brought to the newest version first: then both have the same columns
        store.migrate(engine)
        with newest.connect() as source, store.transaction(engine) as sink:
            tables, targets = _tables(source), _tables(sink)
            filled = [name for name, table in targets.items() if name != VERSIONS and _any(sink, table)]
            if filled and not force:
                raise UsageError(f"the store {engine.url} has rows already: give another --store, or --force to replace them all")
            for name, table in targets.items():
                if name != VERSIONS:
                    sink.execute(sa.delete(table))
                    summed = _poured(source, tables[name], sink)
                    if _summed(_rows(sink, table)) != summed:
                        raise WorkError(f"the table {name} did not arrive as it was sent: the store is as it was; try again")


def _any(connection: sa.Connection, table: sa.Table) -> bool:
    return bool(connection.scalar(sa.select(sa.exists(sa.select(sa.literal(1)).select_from(table)))))


def _poured(source: sa.Connection, table: sa.Table, sink: sa.Connection) -> tuple[int, int]:
    names, summed = [column.name for column in table.columns], (0, 0)
    columns = ", ".join(f'"{name}"' for name in names)
    with sink.connection.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as out:  # type: ignore[attr-defined]  # psycopg's
        for rows in _portions(_rows(source, table)):
            for row in rows:
                out.write_row([dumps(value) if isinstance(value, dict | list) else value for value in row])
            summed = _plus(summed, rows)
    if "id" in names and isinstance(table.c["id"].type, sa.Integer):  # a build's id is text, and nobody counts it
        newest = sink.scalar(sa.select(sa.func.max(table.c["id"]))) or 0
        sink.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table.name, "id"), newest + 1, False)))
    return summed
