"""Facts, read: whole tables as frames, through Arrow. pandas is imported only here, since a harvest needs none."""

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Engine
from sqlmodel import SQLModel

from vsm import models, sqlite_store
from vsm.errors import StoreError
from vsm.models import TABLES, Fact, kind, validate
from vsm.store_open import MEND, file_of, mended
from vsm.store_table import table_of

if TYPE_CHECKING:
    import pandas as pd

STATES = 5  # attempts to open two connections between which nobody writes
PART = 200_000  # rows of a large table that are read at a time
ROWID = sa.literal_column("rowid", sa.Integer)  # SQLite's own number of a row
SAMPLED = 16  # rows of each part, by which the parts become about equal
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
    path = file_of(engine)
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
        does = mended(str(error)) or ": see that no other program holds it"
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
