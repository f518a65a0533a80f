"""The command `vsm collect`: which sources, since when, and what came of it."""

import gc
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from collectors.base import Collector, CollectorError, Context, ReadsAhead
from collectors.handles import Handles, handles, store_file
from collectors.progress import on_a_terminal, watcher
from collectors.progress_file import Record, Recorded, recorded
from collectors.sources import collectors
from vsm import sqlite_store
from vsm.cli import common, say
from vsm.config import Config, Source, load
from vsm.errors import UsageError, WorkError
from vsm.turn import own

if TYPE_CHECKING:
    from collectors.harvest import Outcome

# Versions as v1.2.3 or 1.2.3; one with a letter further on (1.2.3rc1, v2.0-beta) was only tried out.
VERSIONS = ["v[0-9]*.[0-9]*", "[0-9]*.[0-9]*", "!?*[a-zA-Z]*"]

EXAMPLE = """
[[sources]]
kind = "git"
path = "../service"
release_tags = "v*"
"""


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--since", metavar="DATE", help="Only what happened since: a date, or an instant with an offset.")
@click.option("--full", is_flag=True, help="Read everything again, not only the news.")
@click.option(
    "--progress",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Tell a JSON file how it goes, for a program.",
)
@common
def collect(
    sources: tuple[str, ...], since: str | None, full: bool, progress: Path | None, store: str, config: Path | None
) -> None:
    """Harvest the configured sources, by kind or name: all of them where none is named.

    A second run reads only the news. One source down does not stop the others.
    """
    with own(store), recorded(progress) as record:
        told = _configured(load(config), sources)
        context = context_of(told, store, _instant(since, told.zone) if since else None)
        ready = collectors(told, sources, context)
        if record:
            record.planned([one.name for one in ready])
        with _seldom_cleared():
            outcomes = _harvested(ready, store, full, context.who, told.people, record)
        for outcome in outcomes:
            _tell(outcome)
        _fail([outcome for outcome in outcomes if outcome.error is not None], len(outcomes))


def context_of(told: Config, store: str, since: datetime | None = None) -> Context:
    """What every collector is told beside its own keys. Raises ConfigError."""
    return Context(
        folder=told.folder,
        production=told.production.environments[0] if told.production.environments else "production",
        since=since,
        watched=on_a_terminal(),
        who=handles(store, told.privacy.key),
        is_production=told.production.matches,
    )


@contextmanager
def _seldom_cleared() -> Iterator[None]:
    """A harvest makes many rows and hardly a cycle: looking for cycles as often as Python does costs a fifth of it."""
    before = gc.get_threshold()
    gc.set_threshold(300_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _harvested(
    ready: list[Collector], url: str, full: bool, who: Handles, people: Mapping[str, Sequence[str]], record: Record | None
) -> list["Outcome"]:
    first = next(iter(ready), None)
    if isinstance(first, ReadsAhead) and _is_new(url):
        first.ahead()
    # What a first reading does not need is imported beside it.
    from collectors.harvest import harvest
    from collectors.identities import checked_key, told_by_hand

    # A new one is not closed behind us: the last to close a store moves its log into the file, a fifth of a first harvest.
    new, engine = _is_new(url), _opened(url, all(isinstance(one, ReadsAhead) for one in ready))
    checked_key(engine, who)
    told_by_hand(engine, people, who)
    with watcher() as watching:
        outcomes = harvest(engine, ready, Recorded(record, watching) if record else watching, full, who=who)
    if not new:
        engine.dispose()
    return outcomes


def _opened(url: str, facts_alone: bool) -> Any:
    """The store: through SQLite's own driver where that will do, since the models and SQLAlchemy take long to import."""
    file = store_file(url)
    if facts_alone and file is not None and "?" not in url and (engine := sqlite_store.open_store(file)) is not None:
        return engine
    from vsm.store import open_store

    return open_store(url)


def _is_new(url: str) -> bool:
    """Whether the store is a file that is not there yet, so that there can be no cursor to go on from."""
    file = store_file(url)
    return file is not None and not file.exists()


def _configured(config: Config, asked: tuple[str, ...]) -> Config:
    """The configuration; a folder that is a clone needs none. Raises UsageError where there is nothing to harvest."""
    if config.sources:
        return config
    if config.path is None and _is_clone(config.folder) and set(asked) <= {"git"}:
        say(
            "no vsm.toml here: this folder is a git clone and is taken as the only source, its tags that look like"
            " versions (v1.2.3, 1.2.3) as deployments to production"
        )
        return config.model_copy(
            update={"sources": (Source(kind="git", name="git", keys={"path": ".", "release_tags": VERSIONS}),)}
        )
    where = f"{config.path} names no sources" if config.path else "there is no vsm.toml here, and this folder is no git clone"
    raise UsageError(f"nothing to harvest: {where}; put such as these four lines into {config.path or 'vsm.toml'}:\n{EXAMPLE}")


def _is_clone(folder: Path) -> bool:
    bare = all((folder / name).exists() for name in ("HEAD", "objects", "refs"))
    return bare or (folder / ".git").exists()


def _instant(text: str, zone: ZoneInfo) -> datetime:
    """The instant that a text names: a date's first moment in the zone, or a time with an offset. Raises UsageError.

    >>> _instant("2026-03-02", ZoneInfo("Europe/Vienna")).isoformat()
    '2026-03-01T23:00:00+00:00'
    """
    try:
        if len(text) == len("2026-03-02"):
            return datetime.combine(date.fromisoformat(text), time(), zone).astimezone(UTC)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since {text!r} is no time: expected a date (2026-03-02) or an instant (2026-03-02T09:30:00Z)"
        ) from None
    if at.tzinfo is None:
        raise UsageError(f"--since {text!r} has no offset: expected such as {text}Z")
    return at.astimezone(UTC)


def _tell(outcome: "Outcome") -> None:
    """What a source told and what of it was new, on standard output."""
    read = ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in outcome.read.items() if count)
    changed = max(outcome.changed - outcome.new, 0)
    rows = f"{outcome.new:,} rows new, {changed:,} changed, {outcome.unchanged:,} as they were"
    gone = f", {outcome.gone:,} taken back" if outcome.gone else ""
    news = f"{read} read; {rows}{gone}" if read else f"nothing new{gone}"
    asked = f"; {outcome.requests:,} {'request' if outcome.requests == 1 else 'requests'}, {outcome.seconds:.1f} s"
    end = "" if outcome.error is None else ", then it stopped" if outcome.until else ", then it failed"
    click.echo(f"{outcome.source}: {outcome.scope}: {news}{asked}{end}" if outcome.scope else f"{outcome.source}: failed")
    for warning in outcome.warnings:
        say(f"note: {outcome.source}: {warning}", source=outcome.source)
    if os.environ.get("VSM_LOG") == "json":
        counts = {"rows": sum(outcome.read.values()), "changed": outcome.changed, "new": outcome.new, "gone": outcome.gone}
        how = {"source": outcome.source, "requests": outcome.requests, "seconds": round(outcome.seconds, 3)}
        say(outcome.error or "harvested", wrong=outcome.error is not None, **how, **counts)


def _fail(failed: list["Outcome"], of: int) -> None:
    if failed:
        lines = "".join(f"\n  {outcome.source}: {outcome.error}" for outcome in failed)
        again = shlex.join(outcome.source for outcome in failed)
        raise WorkError(
            f"{len(failed)} of {of} sources failed, the rest is saved:{lines}\n  when that is put right: vsm collect {again}"
        )


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@common
def rebuild(sources: tuple[str, ...], store: str, config: Path | None) -> None:
    """Tell the facts again from the raw records, without the network: after vsm.toml or this program has changed."""
    from collectors.harvest import clock
    from collectors.identities import checked_key, told_by_hand
    from collectors.rebuild import rebuild as again
    from vsm.store import opened

    told = load(config)
    if not told.sources:
        raise UsageError(f"nothing to rebuild: {told.path or 'vsm.toml, which is not here,'} names no sources")
    context = context_of(told, store)
    ready = collectors(told, sources, context)
    with opened(store, create=False) as engine:
        checked_key(engine, context.who)
        told_by_hand(engine, told.people, context.who)
        try:
            done = again(engine, ready, clock)
        except CollectorError as error:
            raise WorkError(str(error)) from None
        for one in done:
            if one.busy:
                said = "a harvest of it runs, or was killed: nothing was taken back; rebuild again after the next one"
                say(f"note: {one.source}: {said}", source=one.source)
            if one.told is None:
                click.echo(f"{one.source}: keeps no raw records; told again by: vsm collect {shlex.quote(one.source)} --full")
            else:
                click.echo(f"{one.source}: {one.told:,} raw records told again; {one.changed:,} rows changed, {one.gone:,} gone")
