"""The tables that an engine is asked for: their columns, where the configuration says they are called otherwise, and their times.

The smallest set that tells the numbers: items with their events, and deployments with their changes and what was mended.
"""

from dataclasses import dataclass
from typing import Any

import ibis

from vsm.config import Warehouse
from vsm.errors import UsageError
from vsm.warehouse.engine import Engine
from vsm.warehouse.ranks import first_row

Expr = Any
TEXT, TIME, NUMBER, TRUTH = "string", "time", "int64", "boolean"
PREFIX = "vsm_"

# Each table's columns: kind, and whether it has to be there. What is not there is taken as missing.
TABLES: dict[str, dict[str, tuple[str, bool]]] = {
    "items": {
        "item": (TEXT, True), "created_at": (TIME, True), "stream": (TEXT, False), "type": (TEXT, False), "team": (TEXT, False),
        "application": (TEXT, False), "in_production_at": (TIME, False),
    },
    "events": {
        "item": (TEXT, True), "at": (TIME, True), "place": (NUMBER, False), "event": (TEXT, False), "status": (TEXT, True),
        "environment": (TEXT, False), "actor": (TEXT, False), "team": (TEXT, False), "until": (TIME, False),
    },
    "deployments": {
        "deployment": (TEXT, True), "application": (TEXT, True), "production": (TRUTH, False), "result": (TEXT, False),
        "started_at": (TIME, False), "finished_at": (TIME, True),
    },
    "changes": {
        "change": (TEXT, True), "application": (TEXT, False), "left_out": (TRUTH, False), "first_commit_at": (TIME, False),
        "opened_at": (TIME, False), "ready_at": (TIME, False), "first_review_at": (TIME, False), "merged_at": (TIME, True),
    },
    "deployment_changes": {"deployment": (TEXT, True), "change": (TEXT, True)},
    "item_changes": {"item": (TEXT, True), "change": (TEXT, True)},
    "remedies": {
        "deployment": (TEXT, True), "reason": (TEXT, True), "opened_at": (TIME, False), "recovered_at": (TIME, False),
        "remedy": (TEXT, False), "unplanned": (TRUTH, False),
    },
    "flags": {"item": (TEXT, True), "since": (TIME, True), "until": (TIME, False)},
    "known": {"until": (TIME, True)},
}  # fmt: skip
MISSED = ("flags", "known")  # tables that a company need not have, unless it names them: nothing was ever flagged then
USUAL: dict[tuple[str, str], Any] = {
    ("events", "event"): "status", ("events", "place"): 0, ("deployments", "production"): True,
    ("deployments", "result"): "success", ("changes", "left_out"): False, ("remedies", "unplanned"): True,
}  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """The tables as expressions, every column there, times in microseconds."""

    items: Expr
    events: Expr
    deployments: Expr
    changes: Expr
    deployment_changes: Expr
    item_changes: Expr
    remedies: Expr
    flags: Expr
    known: Expr

    def counts(self) -> dict[str, int]:
        """How many rows each has; of what is known, which is no fact, none are counted."""
        return {name: int(table.count().to_pandas()) for name, table in vars(self).items() if name != "known"}

    def newest(self) -> int | None:
        """The newest time that any of them tells, as the newest fact is a store's "now"; None where there is none."""
        told = []
        for name, table in vars(self).items():
            for column, (kind, _) in TABLES[name].items():
                if kind == TIME:
                    told.append(table.agg(at=table[column].max()))
        at = first_row(ibis.union(*told).agg(at=lambda rows: rows.at.max()))["at"]
        return None if at is None else int(at)


def tables(engine: Engine, names: Warehouse) -> Tables:
    """The tables of an engine, by the names that `[warehouse]` gives them. Raises UsageError for what is not there."""
    there = {name: _table(engine, name, names) for name in TABLES if name not in MISSED}
    return Tables(**there, **{name: _missed(engine, name, names, there["items"]) for name in MISSED})


def _missed(engine: Engine, name: str, names: Warehouse, items: Expr) -> Expr:
    """A table that need not be there; without it one of no rows."""
    if name in names.tables or name in names.columns or engine.has(PREFIX + name):
        return _table(engine, name, names)
    empty = {column: items.item if kind == TEXT else ibis.null("int64") for column, (kind, _) in TABLES[name].items()}
    return items.select(**empty).filter(ibis.literal(False))


def _table(engine: Engine, name: str, names: Warehouse) -> Expr:
    own = names.tables.get(name, PREFIX + name)
    source, columns = engine.table(own), names.columns.get(name, {})
    told = {}
    for column, (kind, needed) in TABLES[name].items():
        called = columns.get(column, column)
        if called in source.columns:
            told[column] = _typed(engine, source[called], kind)
        elif needed or column in columns:
            raise UsageError(
                f"{engine.place}: the table {own} has no column {called}, expected as {name}.{column}; its columns are "
                f'{", ".join(source.columns)}: say in vsm.toml what it is called, [warehouse.columns.{name}] {column} = "…"'
            )
        else:
            told[column] = _usual(name, column, kind)
    told |= {
        column: ibis.coalesce(told[column], _usual(name, column, TABLES[name][column][0]))
        for table, column in USUAL
        if table == name
    }
    return source.select(**told)


def _typed(engine: Engine, column: Expr, kind: str) -> Expr:
    if kind == TIME:
        return engine.micros(column)
    return column if kind == TEXT and column.type().is_string() else column.cast(kind)


def _usual(table: str, column: str, kind: str) -> Expr:
    """What is taken for a column that is not there."""
    dtype = "int64" if kind == TIME else kind
    value = USUAL.get((table, column))
    return ibis.null(dtype) if value is None else ibis.literal(value, dtype)
