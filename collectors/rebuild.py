"""Facts told again from the raw answers that are kept, without the network: after a rule or the program has changed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from collectors import telling
from collectors.base import Collector, CollectorError, Tells
from collectors.harvest import key_of, merged
from vsm import store
from vsm.errors import UsageError
from vsm.models import TABLES

REBUILD = "rebuild"  # the kind of its record among the harvests
PAGE = 500  # raw answers told and saved together


@dataclass(frozen=True)
class Rebuilt:
    """What came of one source: answers that were told again, rows new or changed, rows that are no longer told.

    ``told`` is None for a source that keeps no raw answers. ``busy``: it was being harvested meanwhile, so that
    nothing was taken back.
    """

    source: str
    told: int | None
    changed: int = 0
    gone: int = 0
    busy: bool = False


def rebuild(engine: Any, collectors: Iterable[Collector], now: Callable[[], datetime]) -> list[Rebuilt]:
    """Tell the facts of each source again; those that it no longer tells go. Raises CollectorError."""
    return [_again(engine, one, now) if isinstance(one, Tells) else Rebuilt(one.name, None) for one in collectors]


def _again(engine: Any, collector: Any, now: Callable[[], datetime]) -> Rebuilt:
    try:
        with store.alone(engine, collector.name):
            return _alone(engine, collector, now)
    except UsageError as error:
        raise CollectorError(f"{collector.name}: {error}") from None


def _alone(engine: Any, collector: Any, now: Callable[[], datetime]) -> Rebuilt:
    name = collector.name
    number = store.begin_harvest(engine, name, REBUILD, "its raw records", at=now())
    try:
        return _told(engine, collector, number, now)
    except Exception as error:  # an answer that an older program kept, or a mistake in how it is told
        said = f"its raw records cannot all be told: {error}; nothing was taken back: vsm collect {name} --full reads them anew"
        store.finish_harvest(engine, number, at=now(), status="failed", rows=0, changed=0, error=said)
        raise CollectorError(f"{name}: {said}") from None


def _told(engine: Any, collector: Any, number: int, now: Callable[[], datetime]) -> Rebuilt:
    name = collector.name
    with engine.connect() as connection:
        collector.recall(store.load_cursors(connection, name))
    kept: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    told = changed = 0
    for some in _some(store.raw_records(engine, name)):
        rows = merged(telling.told(collector, *one) for one in some)
        with store.transaction(engine) as connection:
            for table, found in rows.items():
                fill = table.__tablename__ in collector.fills
                changed += store.save(connection, table, found, origin=name, fill=fill)
                kept[str(table.__tablename__)].update(key_of(table, row) for row in found)
        told += len(some)
    with store.transaction(engine) as connection:
        # What a harvest beside us has saved since we began to read is not among what was told again.
        busy = store.is_harvested(connection, name, beside=number)
        gone = 0 if busy else sum(store.forget(connection, table, name, kept[key]) for key, table in TABLES.items())
    store.finish_harvest(engine, number, at=now(), status="done", rows=told, changed=changed + gone)
    return Rebuilt(name, told, changed, gone, busy)


def _some(records: Iterator[tuple[str, str, Any]]) -> Iterator[list[tuple[str, str, Any]]]:
    while some := list(islice(records, PAGE)):
        yield some
