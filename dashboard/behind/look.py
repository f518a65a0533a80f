"""One look at what may have changed: the store, its version, the configuration, who looks, and what people wrote down.

A run of a page looks once; the parts of a page that run by themselves look anew.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from dashboard import access, counted
from dashboard.behind.choices import Key, NothingYet, Written
from dashboard.shared import shared
from vsm import config as configuration
from vsm import journal, store
from vsm.access import ANYBODY, Viewer
from vsm.config import Config
from vsm.errors import NoStore, UsageError

STORE, CONFIG = "VSM_STORE", "VSM_CONFIG"  # the environment by which `vsm dashboard` hands over its options
ASKED_ANEW = 3600  # seconds after which an engine is asked what has changed: to follow every item anew costs it minutes
WRITTEN = "written"  # what people wrote down, for `once`
T = TypeVar("T")
Runs = tuple[pd.DataFrame, pd.Timestamp | None]

_seen: ContextVar[dict[str, Any] | None] = ContextVar("seen", default=None)  # in this run of a page, by what it is


@contextmanager
def one_look() -> Iterator[None]:
    """One run of a page looks once at whether the store, the configuration or the notes are others."""
    token = _seen.set({})
    try:
        yield
    finally:
        _seen.reset(token)


def once(what: str, find: Callable[[], T]) -> T:
    """What this run of a page has seen already; found now where it has not."""
    seen = _seen.get()
    if seen is None:
        return find()
    if what not in seen:
        seen[what] = find()
    found: T = seen[what]
    return found


def forget(what: str) -> None:
    """This run of a page itself has just changed it."""
    (_seen.get() or {}).pop(what, None)


def url() -> str:
    """The store that is shown."""
    return os.environ.get(STORE) or store.DEFAULT_URL


def config() -> Config:
    """The configuration, read anew whenever its file is another: an edited vsm.toml shows at once. Raises ConfigError."""
    return once("config", _configured)


def _configured() -> Config:
    path = os.environ.get(CONFIG)
    try:
        found = Path(path or "vsm.toml")
        at = found.stat()
    except OSError:  # there is none, or it cannot be read: the reader says what that means
        return configuration.load(Path(path) if path else None)
    return _loaded(str(found), (at.st_ino, at.st_mtime_ns, at.st_size))


@shared(4)
def _loaded(path: str, stamp: tuple[int, int, int]) -> Config:
    return configuration.load(Path(path))


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


def key() -> tuple[Key, Config]:
    """What all that is derived depends on (the store, its version, the configuration's text), and the configuration."""
    return once("key", key_now)


def key_now() -> tuple[Key, Config]:
    """The key as it is now."""
    place, configured = url(), config()
    allowed = viewer().allowed  # before anything is told of the store
    engine = counted.url()
    if engine is not None:
        if allowed is not None:
            raise UsageError("an engine counts all streams at once: who may see only some of them cannot be shown its numbers")
        return (engine, 0, (1, int(datetime.now(UTC).timestamp()) // ASKED_ANEW), configured.model_dump_json(), None), configured
    file = file_behind(place)
    if file is None:
        raise NothingYet(f"There is no store at {place} yet.")
    try:
        version = store.version(engine_of(place, file))
    except NoStore:
        raise NothingYet(f"There is no store at {store.shown(place)} yet.") from None
    except store.DBAPIError as error:
        raise unread(place, error) from None
    if version[0] == 0:
        raise NothingYet(f"The store at {engine_of(place, file).url} holds nothing yet.")
    return (place, file, version, configured.model_dump_json(), allowed), configured


def where() -> tuple[str, int]:
    """The store and its file; beside an engine that in which notes, tokens and who did what are kept.

    Raises NothingYet where that was deleted.
    """
    if counted.url() is None:
        (place, file, *_), _ = key()
        return place, file
    place = url()
    beside = file_behind(place)
    if beside is None:
        raise NothingYet(f"There is no store at {place} for notes any more: start the dashboard again.")
    return place, beside


def opened() -> store.Engine:
    """The store that notes, tokens and who did what are kept in."""
    return engine_of(*where())


@shared(4)
def engine_of(place: str, file: int) -> store.Engine:
    """The connections to a store, for as long as it is the same file."""
    return store.open_store(place, create=False)


def file_behind(place: str) -> int | None:
    """Which file is behind a URL that names one: another after it was deleted and made anew, None while there is none."""
    path = place.partition("?")[0].removeprefix("sqlite:///")
    try:
        return Path(path).stat().st_ino if place.startswith("sqlite:///") else 0
    except OSError:
        return None


def unread(place: str, error: Exception) -> UsageError:
    """Why a store cannot be read, and what to do; without keys and names of accounts."""
    why = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    does = "another program holds it: end that, or wait" if "locked" in why else "see that it is there and whole"
    return UsageError(f"the store {store.shown(place)} cannot be read now ({why}): {does}, then load this page again")


def noted(kind: str = "notes") -> Written:
    """The version of what people wrote down of a kind, as this run saw it."""
    return once(WRITTEN, lambda: journal.versions(opened()))[kind]


def runs() -> Runs:
    """Every run of a harvest, newest first, and when one last came to its end, as this run of a page saw them."""
    return once("runs", _runs)


def _runs() -> Runs:
    place, file = where()
    found = _harvested(place, file, store.runs_version(engine_of(place, file)))
    if counted.url() is not None:  # what was read into the store beside it is not what is shown
        return found[0].head(0), None
    return found


@shared(2)
def _harvested(place: str, file: int, version: tuple[object, ...]) -> Runs:
    found = store.harvests(engine_of(place, file))
    last = found.loc[found["status"] == "done", "finished_at"].max()
    return found, None if pd.isna(last) else last


def news() -> tuple[int, int] | None:
    """What changes when facts have changed, and not when a harvest only begins; None while there is no store or no answer."""
    try:
        (_, file, (_, changed), *_), _ = key()
    except (NothingYet, UsageError):
        return None
    return file, changed


def why_not_ready() -> str | None:
    """Why pages cannot be drawn (a wrong configuration, a store that cannot be read); None where they can, and be it empty."""
    try:
        with access.as_server():
            key_now()
    except NothingYet:
        return None
    except UsageError as error:
        return str(error)
    return None


def sources() -> tuple[str, ...]:
    """The names of the sources that are configured. Raises ConfigError."""
    return tuple(one.name for one in config().sources)
