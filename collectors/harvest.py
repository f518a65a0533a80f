"""A harvest: run each collector, save page by page, record how it ended.

Each page is one transaction with its cursor, so a harvest that is killed leaves a whole number of
pages behind and the next one goes on from there. One source down does not stop the others.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol

from collectors.base import Collector, CollectorError, Page
from vsm import store
from vsm.errors import UsageError

Engine = Any  # what vsm.store.open_store gives: nothing here looks into it
Clock = Callable[[], datetime]


def clock() -> datetime:
    """Now, as the record of a harvest has it."""
    return datetime.now(UTC)


class Watcher(Protocol):
    """Who is told how a harvest goes."""

    def begins(self, source: str, scope: str) -> None:
        """A source's turn has come; the scope is empty where it could not be told."""

    def page(self, source: str, page: Page) -> None:
        """A page has been saved."""

    def ends(self, outcome: "Outcome") -> None:
        """A source is done, or has failed."""


@dataclass(frozen=True)
class Outcome:
    """How the harvest of one source ended.

    ``read`` counts the rows that the source told by table, ``changed`` those that were new or
    different, ``gone`` those taken back. ``error`` is None where all went well.
    """

    source: str
    kind: str
    scope: str = ""
    read: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    gone: int = 0
    requests: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None

    def after(self, page: Page, changed: int, gone: int) -> "Outcome":
        """The outcome with one more page saved."""
        told = [*page.facts.items(), *page.fill.items()]
        return replace(
            self,
            read=self.read + Counter({str(table.__tablename__): len(rows) for table, rows in told}),
            changed=self.changed + changed,
            gone=self.gone + gone,
            requests=self.requests + page.requests,
            warnings=(*self.warnings, *page.warnings),
        )


def harvest(
    engine: Engine, collectors: Iterable[Collector], watcher: Watcher, full: bool = False, now: Clock = clock
) -> list[Outcome]:
    """Run the collectors one after the other; each ends in an outcome, a failed one too."""
    return [_run(engine, collector, watcher, now, full) for collector in collectors]


def _run(engine: Engine, collector: Collector, watcher: Watcher, now: Clock, full: bool) -> Outcome:
    run = _Run(engine, collector, watcher, now, Outcome(collector.name, collector.kind))
    began = monotonic()
    try:
        run.all_pages(full)
    except Exception as error:  # whatever a source or its collector does, the others have their turn
        run.fail(_reason(error))
    except BaseException:  # somebody stopped us: the record says so, and the pages that are saved stay
        run.fail("stopped before its end; run it again to go on")
        run.end(monotonic() - began)
        raise
    return run.end(monotonic() - began)


@dataclass
class _Run:
    """The harvest of one source while it runs."""

    engine: Engine
    collector: Collector
    watcher: Watcher
    now: Clock
    outcome: Outcome
    number: int | None = None

    def all_pages(self, full: bool) -> None:
        name = self.collector.name
        try:
            self.outcome = replace(self.outcome, scope=self.collector.scope())
        finally:  # a source that cannot even say what it speaks of has had its harvest
            self.watcher.begins(name, self.outcome.scope)
            self.number = store.begin_harvest(self.engine, name, self.collector.kind, self.outcome.scope, at=self.now())
        with self.engine.connect() as connection:
            cursors = store.load_cursors(connection, name)
        for page in self.collector.pages(cursors, full):
            self.outcome = self.outcome.after(page, *self._saved(page, self.number))
            self.watcher.page(name, page)

    def _saved(self, page: Page, number: int) -> tuple[int, int]:
        """How many rows a page changed, and how many it took back."""
        name, at = self.collector.name, self.now()
        with store.transaction(self.engine) as connection:
            changed = sum(store.save(connection, table, rows, origin=name) for table, rows in page.facts.items())
            changed += sum(store.save(connection, table, rows, origin=name, fill=True) for table, rows in page.fill.items())
            gone = sum(store.delete(connection, table, keys) for table, keys in page.gone.items())
            for resource, external_id, answer in page.raw:
                store.save_raw(connection, name, resource, [(external_id, answer)], harvest=number, at=at)
            for resource, state in page.cursors.items():
                store.save_cursor(connection, name, resource, state, at=at)
        return changed, gone

    def fail(self, reason: str) -> None:
        self.outcome = replace(self.outcome, error=reason)

    def end(self, seconds: float) -> Outcome:
        self.outcome = replace(self.outcome, seconds=seconds)
        try:
            self._record()
        except Exception as error:  # a full disk refuses this, too
            self.fail(self.outcome.error or _reason(error))
        self.watcher.ends(self.outcome)
        return self.outcome

    def _record(self) -> None:
        if self.number is None:
            return
        told = self.outcome
        store.finish_harvest(
            self.engine,
            self.number,
            at=self.now(),
            status="done" if told.error is None else "failed",
            rows=told.read.total(),
            changed=told.changed + told.gone,
            requests=told.requests,
            error=told.error,
        )


def _reason(error: Exception) -> str:
    """Why a source failed, as a sentence."""
    if isinstance(error, (CollectorError, UsageError)):
        return str(error)
    if (driver := getattr(error, "orig", None)) is not None:
        return f"the store did not take it: {driver}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}:{place.lineno}): a mistake in the program, please report it"
