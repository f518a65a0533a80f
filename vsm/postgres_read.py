"""All facts of a store on PostgreSQL as Arrow, from one snapshot: COPY's binary rows, made into columns by the Arrow driver.

Where that driver cannot reach the store, SQLAlchemy's cursor reads: slower, and the same frames.
"""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from vsm import models, postgres_store
from vsm.errors import StoreError
from vsm.models import TABLES, Fact, kind

if TYPE_CHECKING:
    import pandas as pd

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def frames(engine: Engine) -> "dict[str, pd.DataFrame] | None":
    """Every table, all of one state of the store; None where the Arrow driver cannot reach it."""
    from adbc_driver_postgresql import dbapi

    try:
        connection = dbapi.connect(postgres_store.conninfo(engine), autocommit=False)
    except dbapi.Error:  # such as a way to sign in that its libpq was not built for
        return None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(SNAPSHOT)
            return {name: _framed(_read(cursor, table), table) for name, table in TABLES.items()}
    except dbapi.Error as error:
        said = " ".join(str(error).split())
        raise StoreError(f"the store {engine.url} cannot be read now ({said}): try again") from None


def query(table: type[Fact]) -> Any:
    """The query for a table's columns in the order of its key, the same on every database: text by its bytes."""
    target: sa.Table = table.__table__  # type: ignore[attr-defined]  # SQLModel adds it to table models
    names = [*models.columns(table), "origin"]
    return sa.select(*(target.c[name] for name in names)).order_by(*postgres_store.in_order(target, target))


def _read(cursor: Any, table: type[Fact]) -> Any:
    cursor.execute(str(query(table).compile(dialect=postgres_store.DIALECT)))
    return cursor.fetch_arrow_table()


def _framed(read: Any, table: type[Fact]) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa

    from vsm.store import few, typed

    if not read.num_rows:  # no rows, no chunks: nothing that Arrow could cast
        return typed(pd.DataFrame(columns=read.column_names), table)
    types = {"text": pa.string(), "number": pa.int64(), "time": pa.timestamp("us", "UTC")}
    ready = {name: read[name].cast(types[kind(table, name) if name != "origin" else "text"]) for name in read.column_names}
    for names in few(table):
        chunks = [ready[name].chunks for name in names]
        coded = pa.chunked_array([chunk for some in chunks for chunk in some], pa.string()).dictionary_encode().chunks
        for name, some in zip(names, chunks, strict=True):
            ready[name], coded = pa.chunked_array(coded[: len(some)]), coded[len(some) :]
    return typed(pa.table(ready).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get), table)
