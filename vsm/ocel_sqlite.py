"""An object-centric log as a SQLite file: the relational form of OCEL 2.0, for programs that read it with SQL.

This file of SQL is no part of the store: it makes databases of a schema that others have written, and reads none.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

from vsm.errors import WorkError
from vsm.ocel import EVENT_ATTRIBUTES, OBJECTS, Ocel
from vsm.ocel_json import BEGINNING, rows

TABLES = """
CREATE TABLE event_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT NOT NULL);
CREATE TABLE object_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT NOT NULL);
CREATE TABLE event (ocel_id TEXT PRIMARY KEY, ocel_type TEXT NOT NULL REFERENCES event_map_type (ocel_type));
CREATE TABLE object (ocel_id TEXT PRIMARY KEY, ocel_type TEXT NOT NULL REFERENCES object_map_type (ocel_type));
CREATE TABLE event_object (
    ocel_event_id TEXT NOT NULL REFERENCES event (ocel_id), ocel_object_id TEXT NOT NULL REFERENCES object (ocel_id),
    ocel_qualifier TEXT NOT NULL, PRIMARY KEY (ocel_event_id, ocel_object_id, ocel_qualifier));
CREATE TABLE object_object (
    ocel_source_id TEXT NOT NULL REFERENCES object (ocel_id), ocel_target_id TEXT NOT NULL REFERENCES object (ocel_id),
    ocel_qualifier TEXT NOT NULL, PRIMARY KEY (ocel_source_id, ocel_target_id, ocel_qualifier));
"""
COLUMN = {"string": "TEXT", "boolean": "BOOLEAN"}
TAKEN = {"object", "map_type"}  # event_object and the like are tables of the standard's own
LONGEST = 40  # characters of a table's name that come from a type's


def write_sqlite(told: Ocel, path: Path) -> None:
    """Write the relational form of the standard, foreign keys and all. Raises WorkError where the disk gives out."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            # The file takes its name only when it is whole, so a journal would protect nothing.
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;")
            _fill(connection, told)
            connection.commit()
    except sqlite3.Error as error:
        raise WorkError(f"{path.name}: cannot be written ({error}): nothing is there under that name") from None


def _fill(connection: sqlite3.Connection, told: Ocel) -> None:
    connection.executescript(TABLES)
    events, objects = names(told.types), names(OBJECTS)
    connection.executemany("INSERT INTO event_map_type VALUES (?, ?)", events.items())
    connection.executemany("INSERT INTO object_map_type VALUES (?, ?)", objects.items())
    for kind, table in objects.items():
        _objects(connection, told, kind, f"object_{table}")
    for table in events.values():
        told_of = ", ".join(f"{name} TEXT" for name in EVENT_ATTRIBUTES)
        key = "ocel_id TEXT PRIMARY KEY REFERENCES event (ocel_id)"
        connection.execute(f"CREATE TABLE event_{table} ({key}, ocel_time TIMESTAMP, {told_of})")
    connection.executemany("INSERT INTO event VALUES (?, ?)", rows(told.events[["id", "type"]]))
    for kind, table in events.items():
        mine = told.events[told.events["type"] == kind].drop(columns="type")
        connection.executemany(f"INSERT INTO event_{table} VALUES ({_marks(2 + len(EVENT_ATTRIBUTES))})", rows(mine))  # noqa: S608
    connection.executemany("INSERT INTO event_object VALUES (?, ?, ?)", rows(told.touched))
    connection.executemany("INSERT INTO object_object VALUES (?, ?, ?)", rows(told.ties))


def _objects(connection: sqlite3.Connection, told: Ocel, kind: str, table: str) -> None:
    """The objects of a type: a row for each with what holds from the beginning, and one for each change of an attribute."""
    attributes, frame = OBJECTS[kind], told.objects[kind]
    columns = ", ".join(f"{name} {COLUMN[what]}" for name, what in attributes.items())
    key = "ocel_id TEXT NOT NULL REFERENCES object (ocel_id)"
    connection.execute(f"CREATE TABLE {table} ({key}, ocel_time TIMESTAMP, ocel_changed_field TEXT, {columns})")
    connection.executemany("INSERT INTO object VALUES (?, ?)", ((one, kind) for (one,) in rows(frame[["id"]])))
    first = ((one, BEGINNING, None, *values) for one, *values in rows(frame))
    later = told.values[told.values["type"] == kind]
    changed = _spread(rows(later[["object", "time", "field", "value"]]), list(attributes))
    statement = f"INSERT INTO {table} VALUES ({_marks(3 + len(attributes))})"  # noqa: S608
    connection.executemany(statement, chain(first, changed))


def _spread(changed: Iterable[tuple[str, ...]], attributes: list[str]) -> Iterator[tuple[str | None, ...]]:
    for one, at, field, value in changed:
        yield one, at, field, *(value if name == field else None for name in attributes)


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def names(types: Iterable[str]) -> dict[str, str]:
    """For each type the end of its table's name: plain letters and digits, and no two alike in any case.

    >>> names(["status In review", "status in-review", "状態", "object"])
    {'status In review': 'status_In_review', 'status in-review': 'status_in_review_2', '状態': 'type', 'object': 'object_2'}
    """
    found: dict[str, str] = {}
    used = set(TAKEN)
    for kind in types:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", kind).strip("_")[:LONGEST] or "type"
        name, number = plain, 1
        while name.casefold() in used:
            number += 1
            name = f"{plain}_{number}"
        used.add(name.casefold())
        found[kind] = name
    return found
