"""Forgetting a person on request: out of facts, raw answers and the journal, and out of whatever is harvested later."""

import json
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlmodel import AutoString, SQLModel

from vsm import models, store
from vsm.config import Config
from vsm.erased import CURSOR, Erased
from vsm.errors import UsageError
from vsm.models import RawRecord, WebhookDelivery
from vsm.people import HANDLES, People
from vsm.store import Connection, Engine, table_of

MANY = 5_000  # rows at once


@dataclass(frozen=True)
class Person:
    """Whoever is to be forgotten: every name that the store knows them by, sorted."""

    names: tuple[str, ...]


def find(engine: Engine, config: Config, told: str, also: Sequence[str] = ()) -> Person:
    """The person behind a handle, an address' handle or a name. Raises UsageError for one that the store does not know."""
    facts = store.facts(engine)
    people = People.of(facts, config.people)
    known: dict[str, set[str]] = {}
    for name, person in _named(facts, people):
        known.setdefault(person.casefold(), set()).update((name, person))
    asked = told.strip().casefold()
    found = {person: names for person, names in known.items() if asked in {name.casefold() for name in names}}
    if not found:
        raise UsageError(
            f'the store knows nobody called {told!r}: give a handle or a name as `vsm explain` shows it with people = "names"'
        )
    if len(found) > 1:
        raise UsageError(
            f"{told!r} may be any of {len(found)} people ({', '.join(sorted(found))}): give a name that only one of them has"
        )
    (names,) = found.values()
    return Person(tuple(sorted({*names, *(name.strip() for name in also if name.strip())})))


def _named(facts: store.Facts, people: People) -> Iterator[tuple[str, str]]:
    """Every handle of the facts with the person behind it."""
    for table, column in HANDLES:
        handles = getattr(facts, table)[column].drop_duplicates().dropna()
        yield from zip(handles.astype("str"), people.persons(handles, table), strict=True)
    known = facts.identities
    ends = people.persons(known["person"], "identities")
    for column in ("handle", "person"):
        yield from zip(known[column], ends, strict=True)


def erase(engine: Engine, person: Person, *, at: datetime, rehearse: bool = False) -> dict[str, int]:
    """Put one made-up name in place of all of a person's, everywhere in the store; returns the rows that changed by table.

    One transaction. What stands in the place is one name for one person, so no count and no duration changes. From then
    on whatever comes in is changed in the same way. With `rehearse` nothing is kept.
    """
    with store.transaction(engine) as connection:
        before = store.erased(connection) or Erased(secrets.token_hex(16), {})
        erased = before.with_names(person.names, f"erased-{secrets.token_hex(4)}")
        names = person.names
        changed = {str(table.__tablename__): _facts(connection, table, erased, names) for table in models.FACTS}
        changed["raw_records"] = _packed(connection, table_of(RawRecord), erased)
        changed["webhook_deliveries"] = _bodies(connection, erased)
        facts = {str(table.__tablename__) for table in models.FACTS}
        for name, table in SQLModel.metadata.tables.items():
            if name not in facts:
                changed[name] = changed.get(name, 0) + _texts(connection, table, erased, names)
        if rehearse:
            connection.rollback()
        else:
            store.save_cursor(connection, *CURSOR, erased.state, at=at)
    found = {name: rows for name, rows in changed.items() if rows}
    if not rehearse:
        store.changed_beside(engine, "erase", sum(found.values()), at=at)
        store.forgotten(engine)
    return found


def _facts(connection: Connection, table: type[models.Fact], erased: Erased, names: Sequence[str]) -> int:
    """Rows told anew: a name may be part of a key."""
    target, changed = table_of(table), 0
    for rows in _portions(connection, sa.select(target).where(_may_name(target.columns, names))):
        news = [(row, erased.row(target.name, row)) for row in rows]
        other = [(old, new) for old, new in news if old != new]
        for old, new in other:
            key = [column == old[column.name] for column in target.primary_key]
            connection.execute(sa.delete(target).where(*key))
            origin = new.pop("origin")
            new.pop("uid", None)
            store.save_valid(connection, table, [new], origin=origin)
        changed += len(other)
    return changed


def _packed(connection: Connection, target: sa.Table, erased: Erased) -> int:
    """Answers of sources, as they are kept: what is told from them again says the same."""
    changed = 0
    newest = 0
    while (
        rows := connection.execute(
            sa.select(target.c.id, target.c.payload).where(target.c.id > newest).order_by(target.c.id).limit(MANY)
        )
        .mappings()
        .all()
    ):
        newest = rows[-1]["id"]
        for row in rows:
            answer = json.loads(zlib.decompress(row["payload"]))
            told = erased.value(answer)
            if told != answer:
                text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
                news = {"payload": zlib.compress(text), "sha256": sha256(text).hexdigest()}
                connection.execute(sa.update(target).where(target.c.id == row["id"]).values(**news))
                changed += 1
    return changed


def _bodies(connection: Connection, erased: Erased) -> int:
    """Messages that sources sent: one that is no JSON is emptied, since nobody can say what is in it."""
    target, changed = table_of(WebhookDelivery), 0
    for rows in _portions(connection, sa.select(target)):
        for row in rows:
            try:
                answer = json.loads(row["body"])
                told = erased.value(answer)
                body = row["body"] if told == answer else json.dumps(told).encode()
            except ValueError:
                body = b""
            if body != row["body"]:
                key = [column == row[column.name] for column in target.primary_key]
                connection.execute(sa.update(target).where(*key).values(body=body))
                changed += 1
    return changed


def _texts(connection: Connection, target: sa.Table, erased: Erased, names: Sequence[str]) -> int:
    """Texts and JSON of a table that holds no facts: notes, experiments, errors of harvests, cursors, who did what."""
    columns = [column for column in target.columns if _has_text(column) and not column.primary_key]
    changed = 0
    if not columns:
        return 0
    for rows in _portions(connection, sa.select(*target.primary_key, *columns).where(_may_name(columns, names))):
        for row in rows:
            news = {column.name: erased.value(row[column.name]) for column in columns}
            other = {name: value for name, value in news.items() if value != row[name]}
            if other:
                key = [column == row[column.name] for column in target.primary_key]
                connection.execute(sa.update(target).where(*key).values(**other))
                changed += 1
    return changed


def _has_text(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.JSON | sa.String | AutoString)


def _may_name(columns: Iterable[sa.Column[Any]], names: Sequence[str]) -> sa.ColumnElement[bool]:
    """Rows of which some text may hold a name: a database does not fold letters beyond A to Z as we do."""
    if any(not name.isascii() for name in names):
        return sa.true()
    texts = [sa.cast(column, sa.String) for column in columns if _has_text(column)]
    return sa.or_(sa.false(), *(text.icontains(name, autoescape=True) for text in texts for name in names))


def _portions(connection: Connection, query: sa.Select[Any]) -> Iterator[list[dict[str, Any]]]:
    """A query's rows, read before any of them is changed, some at a time."""
    rows = connection.execute(query).mappings().all()
    for start in range(0, len(rows), MANY):
        yield [dict(row) for row in rows[start : start + MANY]]
