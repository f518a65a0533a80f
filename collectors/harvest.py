"""A harvest: run each collector, save page by page, record how it ended.

Each page is one transaction with its cursor, so a harvest that is killed leaves a whole number of
pages behind and the next one goes on from there. One source down does not stop the others; one that
asks us to wait is left alone until then.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from collectors import telling
from collectors.base import Blocked, Collector, CollectorError, Page, Rows, Tells, Told
from collectors.credentials import hidden
from collectors.handles import Handles
from vsm.errors import UsageError
from vsm.sqlite_store import books, name_of

if TYPE_CHECKING:
    from vsm.models import Fact

Engine = Any  # what open_store gives in vsm.store or vsm.sqlite_store: nothing here looks into it
Clock = Callable[[], datetime]
PARKED = "parked"  # the cursor of a source that asked us to wait


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
    different, ``gone`` those taken back, ``new`` those that were not there in any form. ``error`` is
    None where all went well; ``until`` is when a source that asked us to wait may be asked again.
    """

    source: str
    kind: str
    scope: str = ""
    read: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    gone: int = 0
    new: int = 0
    requests: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None
    until: datetime | None = None

    @property
    def unchanged(self) -> int:
        """Rows that the source told again as they were."""
        return max(self.read.total() - self.changed, 0)

    def after(self, page: Page, changed: int, gone: int) -> "Outcome":
        """The outcome with one more page saved."""
        told = [*page.facts.items(), *page.fill.items()]
        return replace(
            self,
            read=self.read + Counter({name_of(table): len(rows) for table, rows in told}),
            changed=self.changed + changed,
            gone=self.gone + gone,
            requests=self.requests + page.requests,
            warnings=(*self.warnings, *page.warnings),
        )


def harvest(
    engine: Engine,
    collectors: Iterable[Collector],
    watcher: Watcher,
    full: bool = False,
    now: Clock = clock,
    who: Handles | None = None,
) -> list[Outcome]:
    """Run the collectors one after the other; each ends in an outcome, a failed one too.

    `who` turns the e-mail addresses in raw answers into handles before anything is kept.
    """
    return [_run(engine, collector, watcher, now, who or Handles(b""), full) for collector in collectors]


def _run(engine: Engine, collector: Collector, watcher: Watcher, now: Clock, who: Handles, full: bool) -> Outcome:
    run = _Run(engine, collector, watcher, now, who, Outcome(collector.name, collector.kind))
    began = monotonic()
    try:
        run.all_pages(full)
    except Blocked as blocked:
        run.park(blocked)
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
    who: Handles
    outcome: Outcome
    number: int | None = None

    def __post_init__(self) -> None:
        self.store = books(self.engine)

    def all_pages(self, full: bool) -> None:
        with self.store.alone(self.engine, self.collector.name):
            self._all_pages(full)

    def _all_pages(self, full: bool) -> None:
        name, store = self.collector.name, self.store
        with self.engine.connect() as connection:
            cursors = store.load_cursors(connection, name)
            before = store.rows(connection)
        self._still_parked(cursors.pop(PARKED, {}))
        if isinstance(self.collector, Tells):
            self.collector.recall(cursors)
        try:
            self.outcome = replace(self.outcome, scope=self.collector.scope())
        finally:  # a source that cannot even say what it speaks of has had its harvest
            self.watcher.begins(name, self.outcome.scope)
            self.number = store.begin_harvest(self.engine, name, self.collector.kind, self.outcome.scope, at=self.now())
        try:
            for page in self.collector.pages(cursors, full):
                self._page(page, self.number)
        finally:
            with self.engine.connect() as connection:
                news = store.rows(connection) - before + self.outcome.gone
            self.outcome = replace(self.outcome, new=max(news, 0))

    def _page(self, page: Page, number: int) -> None:
        if page.raw and isinstance(self.collector, Tells):
            page = self._told(page, self.collector)
        page = replace(page, warnings=tuple(self.who.scrub(hidden(one)) for one in page.warnings))
        self.outcome = self.outcome.after(page, *self._saved(page, number))
        self.watcher.page(self.collector.name, page)

    def _told(self, page: Page, teller: Tells) -> Page:
        """The page with the facts that its raw answers tell, and without any e-mail address."""
        newest = {(resource, key): answer for resource, key, answer in page.raw}
        raw = [(*place, telling.scrubbed(self.who, *place, answer)) for place, answer in newest.items()]
        told = merged(telling.told(teller, *one) for one in raw)
        facts: Rows = {table: rows for table, rows in told.items() if table.__tablename__ not in teller.fills}
        fill: Rows = {table: rows for table, rows in told.items() if table.__tablename__ in teller.fills}
        return replace(page, raw=raw, facts={**facts, **page.facts}, fill={**fill, **page.fill})

    def _saved(self, page: Page, number: int) -> tuple[int, int]:
        """How many rows a page changed, and how many it took back. A page that was saved already changes nothing."""
        saved: tuple[int, int] = self.store.retried(self.engine, lambda: self._kept(page, number))
        return saved

    def _kept(self, page: Page, number: int) -> tuple[int, int]:
        name, at, store = self.collector.name, self.now(), self.store
        with store.transaction(self.engine) as connection:
            gone = self._taken_back(connection, page)
            changed = sum(store.save(connection, table, rows, origin=name) for table, rows in page.facts.items())
            changed += sum(store.save(connection, table, rows, origin=name, fill=True) for table, rows in page.fill.items())
            gone += sum(store.delete(connection, table, keys, origin=name) for table, keys in page.gone.items())
            for resource, answers in _by_resource(page.raw).items():
                store.save_raw(connection, name, resource, answers, harvest=number, at=at)
            for resource, keys in _by_resource((resource, key, None) for resource, key in page.lost).items():
                store.lose_raw(connection, name, resource, [key for key, _ in keys], at=at)
            for resource, state in page.cursors.items():
                store.save_cursor(connection, name, resource, state, at=at)
        return changed, gone

    def _taken_back(self, connection: Any, page: Page) -> int:
        """Facts that an earlier answer about the same thing told and this one does not: a moved ticket, a force push."""
        if not isinstance(self.collector, Tells):
            return 0
        name, tell, gone = self.collector.name, partial(telling.told, self.collector), 0
        said: dict[tuple[str, str], Any] = {(resource, key): answer for resource, key, answer in page.raw}
        asked = _by_resource((resource, key, None) for resource, key in [*said, *page.lost])
        for resource, keys in asked.items():
            for key, old in self.store.raw_of(connection, name, resource, [key for key, _ in keys]).items():
                answer = said.get((resource, key))
                if old != answer:
                    news = tell(resource, key, answer) if answer is not None else {}
                    for table, rows in tell(resource, key, old).items():
                        if table.__tablename__ not in self.collector.fills:
                            gone += self.store.delete(connection, table, missing(table, rows, news.get(table, ())), origin=name)
        return gone

    def _still_parked(self, state: Mapping[str, Any]) -> None:
        until = datetime.fromisoformat(state["until"]) if state.get("until") else None
        if until is not None and self.now() < until:
            raise Blocked(f"it asked us to wait until {until:%Y-%m-%d %H:%M} UTC; run it again after that", until)

    def park(self, blocked: Blocked) -> None:
        """The source is left alone until it may be asked again."""
        self.outcome = replace(self.outcome, error=self.who.scrub(hidden(str(blocked))), until=blocked.until)
        if blocked.until is not None:
            with self.store.transaction(self.engine) as connection:
                state = {"until": blocked.until.isoformat()}
                self.store.save_cursor(connection, self.collector.name, PARKED, state, at=self.now())

    def fail(self, reason: str) -> None:
        self.outcome = replace(self.outcome, error=self.who.scrub(hidden(reason)))

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
        self.store.finish_harvest(
            self.engine,
            self.number,
            at=self.now(),
            status="done" if told.error is None else "failed",
            rows=told.read.total(),
            changed=told.changed + told.gone,
            requests=told.requests,
            error=told.error,
        )


def merged(parts: Iterable[Told]) -> dict["type[Fact]", list[Mapping[str, Any]]]:
    """The rows of several tellings, by table."""
    found: dict[type[Fact], list[Mapping[str, Any]]] = {}
    for part in parts:
        for table, rows in part.items():
            found.setdefault(table, []).extend(rows)
    return found


def missing(table: "type[Fact]", old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The keys of old rows that no new row has."""
    kept = {key_of(table, row) for row in new}
    lost = {key_of(table, row) for row in old} - kept
    return [dict(zip(table.key_columns, key, strict=True)) for key in lost]


def key_of(table: "type[Fact]", row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row's key, as the store has it. Raises models.RowError for a row that cannot be a fact."""
    from vsm.models import validate

    valid = validate(table, row)
    return tuple(valid[name] for name in table.key_columns)


def _by_resource(raw: Iterable[tuple[str, str, Any]]) -> dict[str, list[tuple[str, Any]]]:
    found: dict[str, list[tuple[str, Any]]] = {}
    for resource, key, answer in raw:
        found.setdefault(resource, []).append((key, answer))
    return found


def _reason(error: Exception) -> str:
    """Why a source failed, as a sentence."""
    if isinstance(error, (CollectorError, UsageError)):
        return str(error)
    if (driver := getattr(error, "orig", None)) is not None:
        return f"the store did not take it: {driver}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, telling.MALFORMED) and not isinstance(error, OSError):
        return f"{telling.refused('what comes next', error)} ({Path(place.filename).name}:{place.lineno})"
    return f"{type(error).__name__}: {error} ({place.filename}:{place.lineno}): a mistake in the program, please report it"
