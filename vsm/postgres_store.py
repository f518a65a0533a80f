"""A store on PostgreSQL, where that differs from SQLite: how it is reached, who goes first, how many rows go in at once.

`vsm.store` opens, saves and reads; what is here it calls where a store's dialect is PostgreSQL. `vsm.postgres_read` reads.
"""

import hashlib
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from vsm.errors import StoreError
from vsm.models import TABLES, Fact, columns, shape, uid, uids
from vsm.rows import Shape, written
from vsm.sqlite_store import VERSION

T = TypeVar("T")
# How a session of ours is: none waits for ever for another, and one that died with its machine is found out.
SESSION = {"timezone": "UTC", "lock_timeout": "20s", "idle_in_transaction_session_timeout": "10min"}
CONNECT = {
    "connect_timeout": 10, "application_name": "vsm", "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
}  # fmt: skip
MIGRATION = "15min"  # another program's migration is waited for this long
FEW = 10  # rows that are not worth a COPY
LONGEST = 600  # characters of a key made of several parts; PostgreSQL's indexes take 2,700 bytes
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds between attempts while the server is away: a minute
# The server ends or begins, or two writers were in each other's way: what was tried is as if it had never been.
PASSING = {"57P01", "57P02", "57P03", "40P01", "40001", "25P03", "08000", "08003", "08006"}
FULL = ("No space left on device", "File too large", "Disk quota exceeded")  # how the server's system says that a disk is full
DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}  # the first one first


# Reaching it. ------------------------------------------------------------------------------------


def settled(url: URL) -> URL:
    """The URL with our driver; a password among its parameters goes where it is never shown."""
    query = dict(url.query)
    password = query.pop("password", None)
    if isinstance(password, str) and url.password is None:
        url = url.set(password=password)
    return url.set(drivername="postgresql+psycopg", query=query)


def engine(url: URL) -> Engine:
    """An engine on a PostgreSQL database; nothing is connected yet."""
    told = {name: value for name, value in CONNECT.items() if name not in url.query}
    made = sa.create_engine(
        url,
        hide_parameters=True,  # parameters in an error message would carry keys and names into logs
        # Nothing is prepared: behind a pool of transactions the next one may be in another session of the server.
        connect_args={**told, "prepare_threshold": None},
        pool_pre_ping=True,  # the server may have been started anew since
        isolation_level="REPEATABLE READ",  # who reads sees one state until it ends; `vsm.store.writing` says otherwise
        use_native_hstore=False,  # one question less for each connection
    )
    event.listen(made, "connect", _connected)
    event.listen(made, "begin", _begins)
    event.listen(made, "handle_error", lambda context: _shortened(context.original_exception))
    weakref.finalize(made, made.pool.dispose)  # whoever forgets a store leaves no session behind
    return made


def _connected(connection: Any, _record: Any) -> None:
    connection.autocommit = True
    connection.execute(_settings(connection, "SET"))
    connection.autocommit = False


def _begins(connection: Connection) -> None:
    """A writer says it again: behind a pool of transactions the session is none of ours."""
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(_settings(connection.connection.dbapi_connection, "SET LOCAL"))


def _settings(connection: Any, how: str) -> str:
    options = connection.info.get_parameters().get("options", "")
    return "; ".join(f"{how} {name} TO '{value}'" for name, value in SESSION.items() if f"{name}=" not in options)


def _shortened(error: BaseException) -> None:
    """Only what went wrong is told on, as one line: the lines below it may have the values of a row."""
    if isinstance(error, psycopg.Error) and error.args:
        said = str(error)  # of a connection it is the driver's own words, which have no row in them
        said = " ".join(said.split()) if "connection" in said else said.partition("\n")[0]
        error.args = (f"{said}: make room on the server's disk" if said.endswith(FULL) else said,)


def conninfo(engine: Engine) -> str:
    """What libpq needs to reach the store, for another driver; it may have a password."""
    _, told = engine.dialect.create_connect_args(engine.url)
    told.pop("context", None)
    return psycopg.conninfo.make_conninfo(**{**CONNECT, **told})


def why(error: DBAPIError) -> str:
    """What the server or the driver said, on one line."""
    said = " ".join(str(error.orig).split())
    return said.partition(" Is the server running")[0].removeprefix("connection failed: ")


def unreached(engine: Engine, error: DBAPIError) -> StoreError:
    """One sentence for a store that could not be opened."""
    if not isinstance(error, OperationalError):
        return StoreError(f"the store {engine.url} cannot be opened: {why(error)}: this user must own the database")
    return StoreError(
        f"cannot reach the store {engine.url}: {why(error)}: see that the server runs and takes this user"
        " (the password comes with the URL in VSM_STORE, or from a file that PGPASSFILE names)"
    )


def about(engine: Engine) -> str:
    """What the store is, in words: the server's version, the database and where it is, its size."""
    asked = "SELECT current_setting('server_version'), current_database(), pg_database_size(current_database()), current_user"
    with engine.connect() as connection:
        version, database, size, user = connection.execute(sa.text(asked)).one()
    place = engine.url.query.get("host") or engine.url.host or "this machine"
    return f"PostgreSQL {version.split()[0]}, database {database} at {place} as {user}, {size / 1e6:,.0f} MB"


def refuse_others(connection: Connection, url: URL) -> None:
    """A database that cannot keep every letter is refused before anything is made in it."""
    found = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if found != "UTF8":
        raise StoreError(f"the database {url} keeps {found} and not every letter: make one with ENCODING 'UTF8' TEMPLATE template0")


# Who goes first. ---------------------------------------------------------------------------------


def _number(what: str) -> int:
    """The lock of a thing: 64 bits of its name."""
    return int.from_bytes(hashlib.blake2b(f"vsm {what}".encode(), digest_size=8).digest(), signed=True)


def one_migrates(connection: Connection) -> None:
    """Wait until no other program makes or migrates this store; the end of the transaction lets the next one."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout TO '{MIGRATION}'")
    schema = connection.scalar(sa.text("SELECT current_schema()"))
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _number(f"migration of {schema}")})
    connection.exec_driver_sql(f"SET LOCAL lock_timeout TO '{SESSION['lock_timeout']}'")


_HELD: "weakref.WeakKeyDictionary[Engine, dict[str, Connection | None]]" = weakref.WeakKeyDictionary()


@contextmanager
def alone(engine: Engine, source: str) -> Iterator[None]:
    """The only one to harvest a source, on whatever machine, for as long as this lasts; the server knows when it has died."""
    held = _HELD.setdefault(engine, {})
    held[source] = _taken(engine, source)
    try:
        yield
    finally:
        connection = held.pop(source)
        if connection is not None:
            _let_go(connection)


def _let_go(connection: Connection) -> None:
    """The end of its transaction is the end of its locks; a session that has ended has let go of them."""
    with suppress(DBAPIError):
        connection.rollback()
    connection.close()


def _taken(engine: Engine, source: str) -> Connection:
    """A connection whose transaction holds the lock of a source. Raises StoreError where another program holds it.

    A transaction and not a session, so that it holds behind a pool of transactions, too. One that reads nothing keeps nobody
    from cleaning up, however long it lasts.
    """
    connection = engine.connect().execution_options(isolation_level="READ COMMITTED")
    try:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout TO 0")
        schema = connection.scalar(sa.text("SELECT current_schema()"))
        asked = {"lock": _number(f"harvest of {source} in {schema}")}
        if connection.scalar(sa.text("SELECT pg_try_advisory_xact_lock(:lock)"), asked):
            return connection
        since = "SELECT max(started_at) FROM harvests WHERE source = :source AND status = 'running'"
        at = connection.scalar(sa.text(since), {"source": source})
    except BaseException:
        _let_go(connection)
        raise
    _let_go(connection)
    when = f" since {at:%Y-%m-%d %H:%M} UTC" if at is not None else ""
    raise StoreError(f"another harvest of it runs{when}, perhaps on another machine: wait for its end")


def _take_again(engine: Engine) -> None:
    """After the server was away: the locks that this program held are taken again."""
    for source, connection in list(_HELD.get(engine, {}).items()):
        with suppress(DBAPIError):
            if connection is not None and connection.scalar(sa.text("SELECT 1")):
                continue
        if connection is not None:
            _let_go(connection)
        _HELD[engine][source] = None
        _HELD[engine][source] = _taken(engine, source)


def is_passing(error: Exception) -> bool:
    """Whether what failed may be done again as it was: the server was away, or another writer in the way."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    gone = isinstance(error, OperationalError) and state is None  # no server, so no word of it
    return error.connection_invalidated or gone or state in PASSING


def retried(engine: Engine, work: Callable[[], T], pauses: Iterable[float] = PAUSES) -> T:
    """Work that may be done twice, done again while the server is away or another writer was in the way."""
    for pause in pauses:
        try:
            return work()
        except DBAPIError as error:
            if not is_passing(error):
                raise
        time.sleep(pause)
        try:
            _take_again(engine)
        except DBAPIError as error:
            if not is_passing(error):
                raise
    return work()


# Many rows. --------------------------------------------------------------------------------------


def short(uid: str) -> str:
    """A key of several parts as an index can keep it: a long one ends in a digest of all of it."""
    return uid if len(uid) <= LONGEST else f"{uid[:LONGEST]}\x1d{hashlib.sha256(uid.encode()).hexdigest()}"


def is_many(rows: Sequence[Any]) -> bool:
    """Whether rows are worth a COPY."""
    return len(rows) >= FEW


def save_columns(connection: Connection, shape: Shape, found: Mapping[str, Sequence[Any]], origin: str, fill: bool) -> int:
    """Columns of valid values become facts, as by `vsm.store.save`; no two rows may have one key."""
    table = TABLES[shape.name]
    told = {
        name: found[name]
        for name in shape.kinds
        if name in found and (name in shape.key or any(value is not None for value in found[name]))
    }
    count = len(found[shape.key[0]])
    if "uid" in table.model_fields:
        told["uid"] = [short(key) for key in uids(table, found)]
    told["origin"] = [origin] * count
    return merge(connection, table, told, fill)


def save_rows(connection: Connection, table: type[Fact], rows: Sequence[Mapping[str, Any]], origin: str, fill: bool) -> int:
    """Valid rows become facts, as by `vsm.store.save_valid`."""
    from vsm.store import table_of, upserted

    if is_many(rows):
        return save_columns(connection, shape(table), {name: [row[name] for row in rows] for name in columns(table)}, origin, fill)
    has_uid = "uid" in table.model_fields
    ready = [{**row, "origin": origin} | ({"uid": short(uid(table, row))} if has_uid else {}) for row in rows]
    target = table_of(table)
    statement = upserted(postgresql.insert(target), target, fill, table.seldom_told)
    return int(connection.execute(statement, ready, execution_options={"preserve_rowcount": True}).rowcount)


def merge(connection: Connection, fact: type[Fact], told: Mapping[str, Sequence[Any]], fill: bool) -> int:
    """Columns of values go by COPY into a table of this session, and from there by one statement; returns the rows it wrote."""
    name = str(fact.__tablename__)
    cursor = connection.connection.cursor()
    try:
        cursor.execute(_made(name))
        with cursor.copy(_copied(name, tuple(told))) as copy:
            copy.write(_block(told))
        cursor.execute(_merged(fact, tuple(told), fill))
        return int(cursor.rowcount)
    except psycopg.Error as error:  # as SQLAlchemy would have raised it
        _shortened(error)
        lost = bool(getattr(connection.connection.dbapi_connection, "closed", False))
        raise DBAPIError.instance(
            "COPY", None, error, psycopg.Error, hide_parameters=True, connection_invalidated=lost, dialect=connection.dialect
        ) from error
    finally:
        cursor.close()


@cache
def _merged(fact: type[Fact], names: tuple[str, ...], fill: bool) -> str:
    """The statement that takes rows from where COPY put them."""
    from vsm.store import table_of, upserted

    target = table_of(fact)
    stage = sa.table(_new(target.name), *(sa.column(column.name, column.type) for column in target.columns))
    # In the order of the key: so two writers do not wait for each other crosswise, and neighbours come to one page of the index.
    ordered = sa.select(*(stage.c[name] for name in names)).order_by(*in_order(stage, target))
    insert = postgresql.insert(target).from_select(names, ordered, include_defaults=False)
    return str(upserted(insert, target, fill, fact.seldom_told).compile(dialect=DIALECT))


def in_order(of: Any, table: sa.Table) -> list[Any]:
    """A table's key to sort by, text by its bytes whatever the database's locale is."""
    keys = [(of.c[column.name], column.type.python_type is str) for column in table.primary_key]
    return [key.collate("C") if is_text else key for key, is_text in keys]


def _new(name: str) -> str:
    """The session's table before a table; a pool's session may outlive a version of the schema."""
    return f"new_{VERSION}_{name}"


def _made(name: str) -> str:
    # The names are the schema's own. What an earlier page of the same transaction left there goes.
    made = f"CREATE TEMP TABLE IF NOT EXISTS {_new(name)} (LIKE {name}) ON COMMIT DELETE ROWS"
    return f"{made}; DELETE FROM {_new(name)}"  # noqa: S608


def _copied(name: str, names: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{column}"' for column in names)
    return f"COPY {_new(name)} ({columns}) FROM STDIN"


def _block(told: Mapping[str, Sequence[Any]]) -> str:
    """The rows as COPY reads them: a line a row, values with tabs between."""
    columns = [_texts(values) for values in told.values()]
    return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"


def _texts(values: Sequence[Any]) -> Sequence[str]:
    first = next((value for value in values if value is not None), None)
    if isinstance(first, datetime):
        return [r"\N" if text is None else f"{text}+00" for text in written(values)]
    if isinstance(first, str):
        plain = [value for value in values if value is not None]
        text = "\0".join(plain)  # no value has one
        if any(special in text for special in ESCAPES):
            for special, escape in ESCAPES.items():
                text = text.replace(special, escape)
            plain = text.split("\0")
        if len(plain) == len(values):
            return plain
        there = iter(plain)
        return [r"\N" if value is None else next(there) for value in values]
    return [r"\N" if value is None else str(value) for value in values]
