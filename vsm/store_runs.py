"""Runs of harvests, how far each got, and what tells that something has changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from vsm import models
from vsm.errors import StoreError
from vsm.models import TABLES
from vsm.store_open import postgres, retried, transaction
from vsm.store_table import insert_into, table_of

if TYPE_CHECKING:
    import pandas as pd

BESIDE = ("rebuild", "prune", "erase", "restore")  # kinds of runs that read nothing from a source


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
    insert: Any = insert_into(connection, target)
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
