"""Facts and raw answers, saved: SQLAlchemy Core with a list of dicts, one statement a page."""

import hashlib
import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from vsm import models, sqlite_store
from vsm.erased import CURSOR, Erased
from vsm.models import TABLES, Fact, uid, validate
from vsm.rows import Shape, gathered, written
from vsm.store_open import postgres
from vsm.store_runs import load_cursors
from vsm.store_table import insert_into, table_of

STREAMED = 500  # raw answers fetched together; SQLite gives them one by one
PARAMETERS = 500  # values in one statement: SQLite once had a limit of 999


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


def _changes(connection: Connection) -> Any:
    return connection.scalar(sa.text("SELECT total_changes()")) if connection.dialect.name == "sqlite" else None


def _upsert(connection: Connection, table: sa.Table, fill: bool = False, seldom: Collection[str] = ()) -> Any:
    """INSERT … ON CONFLICT DO UPDATE that leaves an unchanged row alone."""
    return upserted(insert_into(connection, table), table, fill, seldom)


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
    insert: Any = insert_into(connection, target)
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
