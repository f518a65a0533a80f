"""The door: the only cache, the only engine and the only clock of the dashboard.

Nothing is cached by what is in a frame: that is large, and Streamlit hashes only a sample of it. Keys are the store's
version, the configuration's text and the filters. What comes out is shared between viewers and
must not be changed.
"""

import logging
import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from dashboard import access, counted, harvest
from dashboard.charts.catalogue import CATALOGUE
from dashboard.charts.catalogue import drawn as drawing
from dashboard.charts.entry import AHEAD, ITEMS, Asked, Drawn
from dashboard.harvest import Harvest
from dashboard.shared import shared
from vsm import access as rules
from vsm import audit, figures, journal, pipeline, store, tokens
from vsm import board as boards
from vsm import config as configuration
from vsm import measure as measuring
from vsm import path as paths
from vsm import report as reports
from vsm.access import ANYBODY, Viewer
from vsm.config import Config, Level
from vsm.deployed import applications
from vsm.errors import UsageError
from vsm.experiments import METRICS, before_and_after
from vsm.explain import explanation, rows_shown
from vsm.findings import findings
from vsm.measure import Measures
from vsm.metrics.compare import Comparison, compare
from vsm.metrics.figure import Figure
from vsm.of_streams import only
from vsm.pipeline import Flow
from vsm.scope import Scope, instant, window
from vsm.side_by_side import Row, against, measured_against, named, side_by_side
from vsm.stage_changes import stage_changes

STORE, CONFIG = "VSM_STORE", "VSM_CONFIG"  # the environment by which `vsm dashboard` hands over its options
ASKED_ANEW = 3600  # seconds after which an engine is asked what has changed: to follow every item anew costs it minutes
STALE_DAYS = 7  # who collects at all collects weekly; what is older is said in orange on every page
T = TypeVar("T")
Written = tuple[int, int, str]  # the version of what people wrote down
# The store, its file, its version, the configuration, and the streams that may be seen (None: all).
Key = tuple[str, int, tuple[int, int], str, tuple[str, ...] | None]


@dataclass
class _Look:
    """What was seen in this run of a page already."""

    config: Config | None = None
    key: tuple[Key, Config] | None = None
    written: dict[str, Written] | None = None
    runs: tuple[pd.DataFrame, pd.Timestamp | None] | None = None


_look: ContextVar[_Look | None] = ContextVar("look", default=None)  # parts of a page that run by themselves look anew


@dataclass(frozen=True)
class Choice:
    """What a viewer chose: a stream and a team (None for all), the window's weeks, and whether to compare.

    Beside them an application, of which tickets the maps are (None: as configured), and the first and the last day of
    a window that does not end with the newest fact.
    """

    stream: str | None
    team: str | None
    weeks: int
    compare: bool
    application: str | None = None
    level: Level | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Known:
    """What can be chosen, what there is, and how fresh it is."""

    streams: tuple[str, ...]
    teams: tuple[str, ...]
    facts: int
    now: pd.Timestamp
    last_read: pd.Timestamp | None
    days_old: int | None
    zone: str
    applications: tuple[str, ...] = ()
    has_parts: bool = False
    engine: str | None = None

    @property
    def stale(self) -> bool:
        """Whether nothing was read for so long that the pages may tell of another time."""
        return self.days_old is not None and self.days_old > STALE_DAYS


class NothingYet(Exception):
    """There is no store, or nothing in it; the message says what is missing."""


def url() -> str:
    """The store that is shown."""
    return os.environ.get(STORE) or store.DEFAULT_URL


def config() -> Config:
    """The configuration, read anew whenever its file is another: an edited vsm.toml shows at once. Raises ConfigError."""
    look = _look.get()
    if look is None:
        return _configured()
    if look.config is None:
        look.config = _configured()
    return look.config


def _configured() -> Config:
    path = os.environ.get(CONFIG)
    try:
        found = Path(path or "vsm.toml")
        at = found.stat()
    except OSError:  # there is none, or it cannot be read: the reader says what that means
        return configuration.load(Path(path) if path else None)
    return _loaded(str(found), (at.st_ino, at.st_mtime_ns, at.st_size))


def viewer() -> Viewer:
    """Who looks. Raises SignedOut where that is nobody, and NotAllowed for whom this is not meant for."""
    try:
        configured = config()
    except UsageError:
        if access.on():
            raise
        return ANYBODY  # what is wrong is said by whoever needs the configuration
    return access.viewer(configured, datetime.now(UTC))


def viewer_of(claims: access.Claims) -> Viewer:
    """Whom the provider says this of. Raises as `viewer` does."""
    with access.as_claimed(claims):
        return viewer()


def viewer_with(token: str) -> Viewer | None:
    """The program that has a token; None for one that is wrong, has expired or was taken back."""
    place = url()
    file = _file(place)
    if file is None:
        return None
    found = tokens.known(_engine(place, file), token, datetime.now(UTC))
    return None if found is None else rules.of_token(config(), found.name, found.role, found.streams)


def sign_in_address() -> str:
    """Where browsers find this dashboard; empty without sign-in, or while the configuration cannot be read."""
    try:
        told = config().sign_in
    except UsageError:
        return ""
    return "" if told is None else told.address


def note_down(who: str, what: str, about: str | None, once_since: datetime | None = None) -> None:
    """Write down what somebody did that is no edit; with `once_since` unless it is since then.

    Where the store does not take it, the server's log has it.
    """
    place = url()
    file = _file(place)
    try:
        if file is not None and not (once_since and audit.done_since(_engine(place, file), who, what, once_since)):
            audit.add(_engine(place, file), who, what, about, now=datetime.now(UTC))
    except (store.DBAPIError, UsageError) as error:
        said = getattr(error, "orig", error)
        logging.getLogger("dashboard").warning("not in the audit log: %s, %s, %s (%s)", who, what, about, said)


def exported(about: str, make: Callable[[], T]) -> Callable[[], T]:
    """Makes a file when it is asked for, for who looks now; where people sign in it is written down who took what."""
    if not access.on():
        return make

    def made() -> T:
        who = viewer()
        file = make()
        note_down(who.name, "export", about)
        return file

    return access.bound(made)


def audited(most: int) -> pd.DataFrame:
    """Who did what, newest first. Raises NotAllowed for who is no editor of all streams."""
    viewer().must_edit(None)
    return audit.entries(_opened(), most=most)


def known() -> Known:
    """What there is to choose from. Raises NothingYet, or UsageError for a store or configuration that cannot be used."""
    key, configured = _key()
    known, last = _choosable(key, configured), _runs()[1]
    return known if last is None else replace(known, last_read=last, days_old=(datetime.now(UTC) - last).days)


def known_already() -> bool:
    """Whether `known` answers at once."""
    try:
        return _choosable.ready(*_key())
    except (NothingYet, UsageError):
        return True


@contextmanager
def one_look() -> Iterator[None]:
    """One run of a page looks once at whether the store, the configuration or the notes are others."""
    token = _look.set(_Look())
    try:
        yield
    finally:
        _look.reset(token)


def told() -> Flow:
    """Everything that is derived from the store. Raises as `known` does."""
    key, configured = _key()
    return _allowed_flow(key, configured, None, None)


def measures(choice: Choice) -> Measures:
    """What was measured of a choice, in the window that ends with the newest fact or on the day that was chosen."""
    key, configured = _key()
    return _measures(key, configured, replace(choice, compare=True), before=False)


def measured_already(choice: Choice) -> bool:
    """Whether `measures` answers at once."""
    return _measures.ready(*_key(), replace(choice, compare=True), before=False)


def measures_before(choice: Choice) -> Measures:
    """The same of the period of the same length before."""
    key, configured = _key()
    return _measures(key, configured, replace(choice, compare=True), before=True)


def changes(choice: Choice) -> dict[str, pd.DataFrame]:
    """How long each stage took now and in the period before (`vsm.stage_changes`), by stream."""
    key, configured = _key()
    return _changes(key, configured, replace(choice, compare=True))


def said(choice: Choice) -> list[str]:
    """The findings, compared with the period before."""
    return _said(measures(choice), measures_before(choice))


def compared(now: Figure, before: Figure, value: str) -> Comparison:
    """`compare`, worked out once for two figures: what was measured is shared between viewers and never changes."""
    known = _compared.get(id(now))
    if known is None:
        known = _compared[id(now)] = {}
        weakref.finalize(now, _compared.pop, id(now), None)  # before another figure can get its id
    past, found = known.get(value, (None, None))
    if found is None or past is None or past() is not before:
        found = compare(now, before, value)
        known[value] = (weakref.ref(before), found)
    return found


_compared: dict[int, dict[str, tuple["weakref.ref[Figure]", Comparison]]] = {}


def notes(choice: Choice) -> pd.DataFrame:
    """What people wrote down of a stream or of all, oldest first."""
    return _of_stream(_seen_of(_written_down("notes")), choice)


def drawn(name: str, choice: Choice, stream: str | None = None, ahead: int = AHEAD, items: int = ITEMS) -> Drawn:
    """A chart of the catalogue, drawn once for all viewers of a choice: of one of its `stream`s where it shows several."""
    (one,) = several((name,), choice, stream, ahead, items)
    return one


def several(
    names: Iterable[str], choice: Choice, stream: str | None = None, ahead: int = AHEAD, items: int = ITEMS
) -> Iterator[Drawn]:
    """Charts of the catalogue, one after the other, with one look at what has changed."""
    key, configured = _key()
    for name in names:
        yield _drawn(key, configured, choice, stream, name, ahead, items, _noted() if CATALOGUE[name].dated else None)


def beside(choice: Choice, asked: str) -> tuple[tuple[str, str], list[Row]]:
    """A choice beside another scope (`vsm.side_by_side.against`): what both are called, and number by number.

    Raises UsageError for a scope that cannot be compared, or that nothing is known of.
    """
    one, (key, configured) = measures(choice), _key()
    scope = against(one.scope, asked, lambda text: instant(text, configured.zone, last=True))
    two = _other(key, one, scope)
    zone = configured.timezone
    return (named(one.scope, zone), named(two.scope, zone)), side_by_side(one, two)


def pack(choice: Choice, charts: tuple[str, ...], kind: str, people: bool) -> bytes:
    """The chosen period as a file to take along: html, pdf, pptx or zip. Its charts are those that were drawn already."""
    from dashboard.export.pack import packed, written  # what writes the files weighs more than a page

    key, _ = _key()
    told = packed(
        measures(choice),
        measures_before(choice) if choice.compare else None,
        notes(choice),
        experiments(choice),
        charts,
        people,
        lambda name, stream: drawn(name, choice, stream),
    )
    return written(told, kind, ".".join(map(str, key[2])))


def add_note(text: str, first: date, last: date | None, stream: str | None, kind: str = "note") -> None:
    """Write down what happened on a day, or from one day to another. Raises ValueError with a sentence."""
    at, until = _day(first), None if last is None else _day(last, end=True)
    with _written("note.add", stream, text) as engine:
        journal.add_note(engine, text, at, until=until, stream=stream, kind=kind, now=datetime.now(UTC))


def remove_note(key: int) -> None:
    """Take a note back."""
    with _taken_back("note.remove", journal.notes, key) as engine:
        journal.remove_note(engine, key)


def experiments(choice: Choice) -> pd.DataFrame:
    """What was or is tried in a stream or in all, oldest first."""
    return _of_stream(_seen_of(journal.experiments(_opened())), choice)


def add_experiment(title: str, hypothesis: str, metric: str, first: date, last: date | None, stream: str | None) -> None:
    """Write down what is tried from a day on. Raises ValueError with a sentence."""
    began, ended, now = _day(first), None if last is None else _day(last, end=True), datetime.now(UTC)
    with _written("experiment.add", stream, title) as engine:
        journal.add_experiment(engine, title, hypothesis, metric, began, ended_at=ended, stream=stream, now=now)


def end_experiment(key: int, last: date) -> None:
    """Say on which day an experiment ended."""
    at = _day(last, end=True)
    with _taken_back("experiment.end", journal.experiments, key) as engine:
        journal.end_experiment(engine, key, at)


def remove_experiment(key: int) -> None:
    """Take an experiment back."""
    with _taken_back("experiment.remove", journal.experiments, key) as engine:
        journal.remove_experiment(engine, key)


def hand_steps(stream: str) -> pd.DataFrame:
    """The steps of a stream that no system records."""
    told = _seen_of(_written_down("hand_steps"))
    return told[told["stream"] == stream]


def add_hand_step(
    stream: str, name: str, behind: str | None, wait: float, work: float, accurate: float | None, by: str
) -> None:  # fmt: skip
    """Write down a step that no system records. Raises ValueError with a sentence."""
    with _written("hand step.add", stream, name) as engine:
        journal.add_hand_step(engine, stream, name, behind, wait, work, accurate, by=by, now=datetime.now(UTC))


def remove_hand_step(key: int) -> None:
    """Take a step by hand back."""
    with _taken_back("hand step.remove", journal.hand_steps, key) as engine:
        journal.remove_hand_step(engine, key)


def future_states(stream: str) -> pd.DataFrame:
    """The future states of a stream that were kept, oldest first."""
    told = _seen_of(_written_down("future_states"))
    return told[told["stream"] == stream]


def add_future_state(stream: str, name: str, drawn: dict[str, Any], holds_from: date | None, by: str) -> int:
    """Keep a future state and give its id. Raises ValueError with a sentence."""
    target = None if holds_from is None else _day(holds_from)
    with _written("future state.add", stream, name) as engine:
        return journal.add_future_state(engine, stream, name, drawn, target, by=by, now=datetime.now(UTC))


def remove_future_state(key: int) -> None:
    """Take a future state back."""
    with _taken_back("future state.remove", journal.future_states, key) as engine:
        journal.remove_future_state(engine, key)


def since(scope: Scope, start: pd.Timestamp) -> Measures | None:
    """What was measured of a scope's work from an instant on; None where nothing is known of the time after it."""
    key, configured = _key()
    now = told().now
    return None if now is None or start >= now else _window(key, configured, replace(scope, start=start, end=now))


def judged(choice: Choice, experiment: dict[str, Any]) -> tuple[Figure, Figure] | None:
    """The figure that an experiment asks for before and after its start, in its stream; None before it began.

    Raises UsageError where its stream is not there any more, or its metric never was.
    """
    key, configured = _key()
    now, stream = told().now, experiment["stream"] if isinstance(experiment["stream"], str) else choice.stream
    if now is None:
        return None
    if experiment["metric"] not in METRICS:
        raise UsageError(f"there is no number {experiment['metric']!r} to judge it by")
    scope = Scope(now, now, stream=stream, application=choice.application, team=choice.team)
    windows = before_and_after(scope, experiment["started_at"], experiment["ended_at"])
    if windows is None:
        return None
    before, after = (_window(key, configured, one).figures[experiment["metric"]] for one in windows)
    return before, after


def document(**asked: str | None) -> dict[str, Any]:
    """The report of a scope (stream, application, team, start, end: texts or None) as `vsm report` makes it.

    Raises NothingYet, or UsageError for a scope, a store or a configuration that cannot be used.
    """
    key, configured = _key()
    return _document(key, configured, tuple(sorted(asked.items())))


def explainable() -> dict[str, str]:
    """Every number that `explained` takes, with what it means."""
    return figures.names()


def explained(name: str, **asked: str | None) -> dict[str, Any]:
    """The rows behind one number as `vsm explain` tells them. Raises as `document` does, and UsageError for no such number."""
    key, configured = _key()
    measured = _asked(key, configured, tuple(sorted(asked.items())))
    try:
        figure = measured.figure(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if figure is None:
        raise UsageError(f"no metric {name!r}; expected one of {', '.join(figures.names())}")
    return explanation(figure, measured.flow.people, configured.privacy.people)


def cards(choice: Choice, stream: str) -> pd.DataFrame:
    """Where the items of one stream stand now, as cards (`vsm.board.cards`)."""
    key, _ = _key()
    whole = measures(choice)
    return _cards(key, replace(choice, compare=True), stream, whole.streams.get(stream, whole))


def kept(what: str, choice: Choice, by: tuple[object, ...], make: Callable[[], T]) -> T:
    """What a page makes of a choice's measures, made once for all viewers; `what` and `by` tell it from all else.

    Nothing else may go into it, not even whether it is compared; and it draws nothing.
    """
    key, _ = _key()
    made: T = _kept(key, what, replace(choice, compare=True), by, make)
    return made


def way(item: str) -> paths.Path | None:
    """The whole path of the item that a key means; None where there is none."""
    key, _ = _key()
    return _way(key, item, told())


def harvests() -> pd.DataFrame:
    """Every run of a collector, an import or an event, newest first."""
    found = _runs()[0]
    if viewer().streams is not None:  # a source's name, scope and errors may speak of other streams
        found = found.assign(source=found["kind"], scope=None, error=None)
    return found


def news() -> tuple[int, int] | None:
    """What changes when facts have changed, and not when a harvest only begins; None while there is no store or no answer."""
    try:
        (_, file, (_, changed), *_), _ = _key()
    except (NothingYet, UsageError):
        return None
    return file, changed


def why_not_ready() -> str | None:
    """Why pages cannot be drawn (a wrong configuration, a store that cannot be read); None where they can, and be it empty."""
    try:
        with access.as_server():
            _seen()
    except NothingYet:
        return None
    except UsageError as error:
        return str(error)
    return None


def sources() -> tuple[str, ...]:
    """The names of the sources that are configured. Raises ConfigError."""
    return tuple(one.name for one in config().sources)


def harvesting() -> Harvest | None:
    """How the harvest goes that was started from a page, or how the last one ended."""
    return harvest.state(url(), datetime.now(UTC))


def begin_harvest() -> None:
    """Start a harvest of every source. Raises UsageError with a sentence where that cannot be."""
    who = viewer()
    who.must_edit(None)
    harvest.begin(url(), os.environ.get(CONFIG))
    note_down(who.name, "harvest.start", None)


def stop_harvest() -> None:
    """Ask the running harvest to end. Raises UsageError for who may not."""
    who = viewer()
    who.must_edit(None)
    harvest.stop(url())
    note_down(who.name, "harvest.stop", None)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with people as the configuration lets them be shown."""
    flow = told()
    return rows_shown(rows, flow.people, flow.config.privacy.people)


def _of_stream(told: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """What was written down of the chosen stream or of all; all of it where none is chosen."""
    return told if choice.stream is None else told[told["stream"].isna() | (told["stream"] == choice.stream)]


def _opened() -> store.Engine:
    return _engine(*_place())


def _seen_of(told: pd.DataFrame) -> pd.DataFrame:
    """What was written down of the streams that may be seen; what is of all streams is for who may see them all."""
    streams = viewer().streams
    return told if streams is None else told[told["stream"].isin(streams)]


@contextmanager
def _written(what: str, stream: str | None, about: str | None = None) -> Iterator[store.Engine]:
    """The store to write into, for editors; what they did is written down, too.

    Raises ValueError with a sentence where the store does not take it, or who looks may not.
    """
    who, look = viewer(), _look.get()
    who.must_edit(stream)
    if look is not None:
        look.written = None
    try:
        engine = _opened()
        yield engine
        told = " · ".join(filter(None, (stream, about)))
        audit.add(engine, who.name, what, told, now=datetime.now(UTC))
    except store.DBAPIError as error:
        raise ValueError(f"the store does not take it now ({error.orig})") from None


@contextmanager
def _taken_back(what: str, told: Callable[[store.Engine], pd.DataFrame], key: int) -> Iterator[store.Engine]:
    """The same for what is there already: it is of the stream that it was written down of."""
    rows = told(_opened())
    stream = next((one for one in rows.loc[rows["id"] == key, "stream"] if isinstance(one, str)), None)
    with _written(what, stream, f"number {key}") as engine:
        yield engine


def _day(day: date, end: bool = False) -> datetime:
    """A day's first or last moment in the reporting zone."""
    return instant(day.isoformat(), told().config.zone, last=end).to_pydatetime()


def _noted(kind: str = "notes") -> Written:
    """The version of what people wrote down of a kind, as this run saw it."""
    look = _look.get()
    if look is not None and look.written is not None:
        return look.written[kind]
    found = journal.versions(_opened())
    if look is not None:
        look.written = found
    return found[kind]


def _written_down(kind: str) -> pd.DataFrame:
    place, file = _place()
    return _journal(place, file, kind, _noted(kind))


def _runs() -> tuple[pd.DataFrame, pd.Timestamp | None]:
    """Every run of a harvest, newest first, and when one last came to its end, as this run of a page saw them."""
    look = _look.get()
    if look is not None and look.runs is not None:
        return look.runs
    place, file = _place()
    found = _harvested(place, file, store.runs_version(_engine(place, file)))
    if counted.url() is not None:  # what was read into the store beside it is not what is shown
        found = found[0].head(0), None
    if look is not None:
        look.runs = found
    return found


def _key() -> tuple[Key, Config]:
    """What all that is derived depends on (the store, its version, the configuration's text), and the configuration."""
    look = _look.get()
    if look is None:
        return _seen()
    if look.key is None:
        look.key = _seen()
    return look.key


def _seen() -> tuple[Key, Config]:
    """The key as it is now."""
    place, configured = url(), config()
    allowed = viewer().allowed  # before anything is told of the store
    engine = counted.url()
    if engine is not None:
        if allowed is not None:
            raise UsageError("an engine counts all streams at once: who may see only some of them cannot be shown its numbers")
        return (engine, 0, (1, int(datetime.now(UTC).timestamp()) // ASKED_ANEW), configured.model_dump_json(), None), configured
    file = _file(place)
    if file is None:
        raise NothingYet(f"There is no store at {place} yet.")
    try:
        version = store.version(_engine(place, file))
    except store.DBAPIError as error:
        raise _unread(place, error) from None
    if version[0] == 0:
        raise NothingYet(f"The store at {_engine(place, file).url} holds nothing yet.")
    return (place, file, version, configured.model_dump_json(), allowed), configured


def _place() -> tuple[str, int]:
    """The store and its file; beside an engine that in which notes, tokens and who did what are kept.

    Raises NothingYet where that was deleted.
    """
    if counted.url() is None:
        (place, file, *_), _ = _key()
        return place, file
    place = url()
    beside = _file(place)
    if beside is None:
        raise NothingYet(f"There is no store at {place} for notes any more: start the dashboard again.")
    return place, beside


def _unread(place: str, error: Exception) -> UsageError:
    """Why a store cannot be read, and what to do; without keys and names of accounts."""
    why = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    does = "another program holds it: end that, or wait" if "locked" in why else "see that it is there and whole"
    return UsageError(f"the store {store.shown(place)} cannot be read now ({why}): {does}, then load this page again")


def _file(place: str) -> int | None:
    """Which file is behind a URL that names one: another after it was deleted and made anew, None while there is none."""
    path = place.partition("?")[0].removeprefix("sqlite:///")
    try:
        return Path(path).stat().st_ino if place.startswith("sqlite:///") else 0
    except OSError:
        return None


@shared(4)
def _engine(place: str, file: int) -> store.Engine:
    return store.open_store(place, create=False)


@shared(1, says="Reading the facts from the store …")
def _facts(place: str, file: int, version: tuple[int, int]) -> store.Facts:
    return store.facts(_engine(place, file))


@shared(2)
def _harvested(place: str, file: int, version: tuple[object, ...]) -> tuple[pd.DataFrame, pd.Timestamp | None]:
    found = store.harvests(_engine(place, file))
    last = found.loc[found["status"] == "done", "finished_at"].max()
    return found, None if pd.isna(last) else last


@shared(6)
def _journal(place: str, file: int, kind: str, version: Written) -> pd.DataFrame:
    read = {"notes": journal.notes, "hand_steps": journal.hand_steps, "future_states": journal.future_states}
    return read[kind](_engine(place, file))


def _allowed_flow(key: Key, configured: Config, level: Level | None, now: pd.Timestamp | None) -> Flow:
    """Everything that is derived, of the streams that may be seen."""
    return _flow((*key[:4], None), configured, level, now) if key[4] is None else _part(key, configured, level, now)


@shared(6)
def _part(key: Key, _configured: Config, level: Level | None, now: pd.Timestamp | None) -> Flow:
    return only(_flow((*key[:4], None), _configured, level, now), frozenset(key[4] or ()))


@shared(3, says="Linking tickets, changes and deployments, and following each item …")
def _flow(key: Key, _configured: Config, level: Level | None, now: pd.Timestamp | None) -> Flow:
    if key[4] is not None:  # everything, under the key of who may see a part of it
        raise RuntimeError("what may be seen by some is asked of _allowed_flow")
    if counted.url() is not None:
        counted.refused(level)
        return _held(key, _configured, now).flow
    engine = _engine(*key[:2])
    try:
        facts, harvested = _facts(*key[:3]), store.filled_at(store.harvests(engine))
    except store.DBAPIError as error:
        raise _unread(key[0], error) from None
    flow = pipeline.read(facts, _configured, now, harvested, level)
    if flow.now is None:
        raise NothingYet("The store holds no facts yet.")
    return flow


@shared(2, says="Following each item in the engine …")
def _held(key: Key, _configured: Config, now: pd.Timestamp | None) -> counted.Held:
    """The engine that is asked instead of a store."""
    return counted.held(key[0], _configured, now)


def _told_of(key: Key, configured: Config, level: Level | None, now: pd.Timestamp | None, scope: Scope) -> Measures:
    """What was measured of a scope, from the store or in the engine."""
    if counted.url() is not None:
        return _held(key, configured, now).measure(scope)
    return measuring.measure(_allowed_flow(key, configured, level, now), scope)


@shared(3, says="1 of 2: reading the facts, linking them and following each item …")
def _choosable(key: Key, _configured: Config) -> Known:
    """What does not change by itself of what there is to choose from; when it was read is not in it."""
    flow = _allowed_flow(key, _configured, None, None)
    if counted.url() is not None:
        held = _held(key, _configured, None)
        streams = tuple(one.name for one in held.warehouse.streams)
        teams, applications_ = held.names("team"), held.names("application")
        return Known(
            streams, teams, held.rows(), held.warehouse.now, None, None, flow.config.timezone, applications_, engine=counted.said()
        )
    return Known(
        streams=tuple(one.name for one in flow.streams),
        teams=tuple(sorted({team for one in flow.streams for team in one.items["team"].dropna().unique()})),
        facts=sum(flow.facts.counts().values()),
        now=flow.now,
        last_read=None,
        days_old=None,
        zone=flow.config.timezone,
        applications=tuple(sorted(applications(flow.facts))),
        has_parts=bool(flow.facts.tickets["parent"].notna().any()),
    )


@shared(12, says="Measuring what was tried …")
def _window(key: Key, _configured: Config, scope: Scope) -> Measures:
    try:
        return _told_of(key, _configured, None, None, scope)
    except ValueError as error:
        raise UsageError(str(error)) from None


@shared(8)
def _asked(key: Key, _configured: Config, asked: tuple[tuple[str, str | None], ...]) -> Measures:
    """What was measured of a scope that texts name: `end` is "now", as it is for the report."""
    told = dict(asked)
    try:
        end = told.pop("end", None)
        now = None if end is None else instant(end, _configured.zone, last=True)
        flow = _allowed_flow(key, _configured, None, now)
        start, last = window(flow.now, _configured.zone, told.pop("start", None), end)
        return _told_of(key, _configured, None, now, Scope(start, last, **told))
    except ValueError as error:
        raise UsageError(str(error)) from None


@shared(32)
def _document(key: Key, _configured: Config, asked: tuple[tuple[str, str | None], ...]) -> dict[str, Any]:
    return reports.document(_asked(key, _configured, asked), harvests())


@shared(8, says="Measuring what stands beside it …", by_place=("one",))
def _other(key: Key, one: Measures, scope: Scope) -> Measures:
    try:
        return measured_against(one, scope)
    except ValueError as error:
        raise UsageError(str(error)) from None


# All charts of one choice are about 40; what is kept of each is its rows and its specification, not the facts.
@shared(512)
def _drawn(
    key: Key, _configured: Config, choice: Choice, stream: str | None, name: str, ahead: int, items: int, written: Written | None
) -> Drawn:
    measured = replace(choice, compare=True)
    now = _measures(key, _configured, measured, before=False)
    past = _measures(key, _configured, measured, before=True) if choice.compare else None
    if now.streams and stream is not None:
        now, past = now.streams[stream], None if past is None else past.streams.get(stream)
    told = drawing(name, Asked(now, past, None if written is None else notes(choice), ahead, items))
    if told.empty and counted.url() is not None:
        told = replace(told, why=counted.STAYS, finding="")
    _ = told.spec  # made here, where it is kept, and not by the first viewers at once
    return told


# What was measured is shared and never changed, so that it is known by its place in memory.
@shared(8, by_place=("now", "before"))
def _said(now: Measures, before: Measures) -> list[str]:
    return findings(now, before)


@shared(4)
def _loaded(path: str, stamp: tuple[int, int, int]) -> Config:
    return configuration.load(Path(path))


# A viewer who tries every filter fills 16 of these; each holds its window's frames, not the facts.
@shared(24, says="2 of 2: measuring the period …")
def _measures(key: Key, _configured: Config, choice: Choice, before: bool) -> Measures:
    whose = {"stream": choice.stream, "application": choice.application, "team": choice.team}
    try:
        if choice.first is None or choice.last is None:
            flow, last = _allowed_flow(key, _configured, choice.level, None), None
            scope = Scope(flow.now - pd.Timedelta(weeks=choice.weeks), flow.now, **whose)
        else:  # as a report from a day to a day: nothing is known that came later
            first, last = (
                instant(choice.first.isoformat(), _configured.zone),
                instant(choice.last.isoformat(), _configured.zone, True),
            )
            scope = Scope(first, last, **whose)
        return _told_of(key, _configured, choice.level, last, scope.before() if before else scope)
    except ValueError as error:
        raise UsageError(str(error)) from None


@shared(12)
def _changes(key: Key, _configured: Config, choice: Choice) -> dict[str, pd.DataFrame]:
    now, past = (_measures(key, _configured, choice, before=before) for before in (False, True))
    if not now.streams:
        return {now.workflow.name if now.workflow else "": stage_changes(now, past)}
    return {name: stage_changes(one, past.streams[name]) for name, one in now.streams.items() if name in past.streams}


@shared(24)
def _cards(key: Key, choice: Choice, stream: str, _of: Measures) -> pd.DataFrame:
    return boards.cards(_of)


# Every word that is searched for on a board is one of these; a board is some 100 kB.
@shared(128)
def _kept(key: Key, what: str, choice: Choice, by: tuple[object, ...], _make: Callable[[], Any]) -> Any:
    return _make()


@shared(64, says="Looking up the item …")
def _way(key: Key, item: str, _in: Flow) -> paths.Path | None:
    return paths.path(_in, item)
