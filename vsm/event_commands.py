"""The subcommand `vsm event`: one fact from any script, pipeline or monitoring hook."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from vsm import cdevents
from vsm import event as events
from vsm import store as stores
from vsm.cli import common, say
from vsm.errors import WorkError
from vsm.event import COMMITS, INPUT, KINDS, Event, EventError, Kind
from vsm.models import RESULTS, RowError, columns, kind, required
from vsm.store import Connection, DBAPIError, Engine

LARGEST = 64 * 2**20  # bytes on standard input; who has more has a folder of facts
FILES = (".json", ".jsonl", ".ndjson")
WHEN = {"time": "TIME", "number": "NUMBER"}
TIMES = "A TIME is ISO 8601 with an offset or Z, such as 2026-03-02T09:30:00Z, or the word now."
SAME = "The same id again completes the fact: a column that is left out or empty keeps what it had."
LEFT_OUT = (("deployment", "result"), ("incident", "opened_at"))  # may not be missing, and are plain without being told
HELP = {
    "id": "What tells it from all others, in every source; without it one is made of what identifies it.",
    "application": "The application.",
    "environment": "The environment, in your own word; production, prod and live count as production.",
    "repository": "The repository, such as owner/name.",
    "sha": "The commit.",
    "ref": "The tag or branch, where there is no commit to name.",
    "result": f"How it ended: {', '.join(RESULTS)}.",
    "url": "Where a person can look at it.",
    "started_at": "When it began.",
    "finished_at": "When it ended.",
    "queued_at": "When it was asked for.",
    "title": "One line that a person reads.",
    "severity": "How bad it is, in your own word.",
    "opened_at": "When users were first hurt, or it was opened; left out: now.",
    "detected_at": "When it was noticed.",
    "acknowledged_at": "When somebody took it on.",
    "resolved_at": "When users were well again.",
    "deployment": "The id of the deployment that caused it.",
    "ticket": "The key of its ticket.",
    "labels": "Words to sort it by, with ; between them.",
    "job": "The job that ran.",
    "branch": "The branch that was built.",
    "number": "The pull request's number.",
    "author": "Who opened it: a handle, no e-mail address.",
    "source_branch": "The branch that it brings.",
    "target_branch": "The branch that it goes to.",
    "created_at": "When it was opened.",
    "ready_at": "When it was no draft any more.",
    "first_commit_at": "When its first commit was written.",
    "first_review_at": "When the first review was handed in.",
    "approved_at": "When it was approved.",
    "merged_at": "When it was merged.",
    "closed_at": "When it was closed, merged or not.",
    "merge_sha": "The commit that it became.",
    "head_sha": "The newest commit of its branch.",
    "additions": "Lines added.",
    "deletions": "Lines taken away.",
}
ABOUT = {
    "deployment": "A version of an application brought to an environment. Without a time it ended now, without a result well.",
    "incident": "A failure that users felt, or could have. Without a time it was opened now.",
    "build": "One run of a job that builds or tests a commit.",
    "change": "A pull request: a proposal to merge a branch.",
}


class Events(click.Group):
    """Without a subcommand it reads lines: `jq … | vsm event`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in the name of the command that reads lines where none is given."""
        ours = bool(args) and args[0].startswith(("--store", "--config"))
        if ours and set(args) & set(self.commands):
            raise click.UsageError("--store and --config stand after the kind: vsm event deployment --store URL …", ctx)
        if ours or not (args or _at_keyboard()):
            args = ["-", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=Events,
    epilog=f'{SAME} On standard input the flags are columns: {{"kind": "deployment", "application": "shop", …}}',
)
def event() -> None:
    """Take one fact from a script, a pipeline or a monitoring hook, as flags or as JSON lines."""


@event.command("-")
@common
def _lines(store: str, config: Path | None) -> None:
    """Read standard input: a JSON object a line, each with its kind and columns, or one JSON array of them."""
    _take(store, events.lines(_standard_input(), None))


@event.command("from")
@click.argument("places", nargs=-1, required=True, metavar="FILE|FOLDER…", type=click.Path(path_type=Path))
@common
def _files(places: tuple[Path, ...], store: str, config: Path | None) -> None:
    """Read files, or all .json, .jsonl and .ndjson files below folders: our events, CDEvents, CloudEvents.

    All of it or nothing. Reading the same again changes nothing, and the order does not matter.
    """
    told = [one for path in _event_files(places) for one in events.lines(_text(path), None, str(path))]
    _take(store, told)


def _command(what: Kind) -> click.Command:
    """The subcommand of a kind of event, with a flag for every column of its table."""

    @common
    def command(store: str, config: Path | None, lines: str | None, **told: Any) -> None:
        given = {name: value for name, value in told.items() if value is not None and value != ()}
        if lines and given:
            raise click.UsageError("expected flags, or - for JSON lines on standard input, and not both")
        if given:
            _take(store, [events.flags(what.name, given)])
        elif lines or not _at_keyboard():
            _take(store, events.lines(_standard_input(), what.name))
        else:
            raise click.UsageError(f"expected flags (vsm event {what.name} --help lists them), or JSON lines on standard input")

    made = click.command(what.name, help=f"{ABOUT[what.name]}\n\n{SAME} {TIMES}")(command)
    flags: list[click.Parameter] = [_option(what, name) for name in columns(what.table)]
    if what.commits is not None:
        text = "A commit that was in it, by its sha; once for each, and the repository with them."
        flags.append(click.Option(["--commit", COMMITS], metavar="SHA", multiple=True, help=text))
    made.params[:0] = [click.Argument(["lines"], required=False, type=click.Choice(["-"]), metavar="[-]"), *flags]
    return made


def _option(what: Kind, name: str) -> click.Option:
    flag, value = f"--{name.replace('_', '-')}", WHEN.get(kind(what.table, name), "TEXT")
    return click.Option([flag, name], metavar=value, help=HELP[name] + _needed(what, name))


def _needed(what: Kind, name: str) -> str:
    if not required(what.table, name) or name == "id" or (what.name, name) in LEFT_OUT:
        return ""
    return " Needed." if name in what.table.key_columns else " The first event needs it."


for _kind in KINDS.values():
    event.add_command(_command(_kind))


# Standard input. ----------------------------------------------------------------------------------


def _at_keyboard() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _standard_input() -> str:
    """All of it. A byte that is no UTF-8 becomes half a surrogate pair, which is refused with its column."""
    try:
        read = b"" if sys.stdin is None else sys.stdin.buffer.read(LARGEST + 1)
    except OSError as error:
        raise EventError(f"{INPUT}: cannot be read ({error.strerror}), nothing was saved") from None
    if len(read) > LARGEST:
        raise EventError(
            f"{INPUT}: more than {LARGEST >> 20} MiB, nothing was saved; expected events, and for a history `vsm import`"
        )
    return read.decode("utf-8", errors="surrogateescape")


def _event_files(places: tuple[Path, ...]) -> list[Path]:
    """The files that are named, and those in folders that are, in the order of their names."""
    found: list[Path] = []
    for place in places:
        inside = [path for path in sorted(place.rglob("*")) if path.suffix.lower() in FILES] if place.is_dir() else [place]
        found += inside
    if not found:
        raise cdevents.nothing(map(str, places))
    return found


def _text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            read = file.read(LARGEST + 1)
    except OSError as error:
        raise EventError(f"{path}: cannot be read ({error.strerror}), nothing was saved") from None
    if len(read) > LARGEST:
        raise EventError(
            f"{path}: more than {LARGEST >> 20} MiB, nothing was saved; expected events, and for a history `vsm import`"
        )
    return read.decode("utf-8", errors="surrogateescape")


# Saving. ------------------------------------------------------------------------------------------


def taken(store: str, told: list[events.Told]) -> tuple[list[str], str]:
    """Save events, all or none: a line on each, and what is said of those that tell nothing that is kept.

    Raises EventError for what is none, and WorkError where the store could not be written.
    """
    now = datetime.now(UTC)
    ours, left = cdevents.translated(told)
    found = events.checked(ours, now)
    if not found:
        return [], cdevents.said(left) if left else ""
    with stores.opened(store) as engine:
        return _save(engine, found, now), cdevents.said(left) if left else ""


def _take(store: str, told: list[events.Told]) -> None:
    lines, left = taken(store, told)
    if left:
        say(f"vsm: {left}")
    for line in lines:
        click.echo(line)


def _save(engine: Engine, found: list[Event], now: datetime) -> list[str]:
    """Save the events, all or none; returns what there is to say about each."""
    scope = f"{len(found):,} events" if len(found) > 1 else f"{found[0].kind.name} {events.name(found[0].kind, found[0].row)}"
    said: list[str] = []
    try:
        harvest = stores.begin_harvest(engine, "event", "event", scope, at=now)
        try:
            changed = stores.retried(engine, lambda: _complete_all(engine, found, now, said))
        except BaseException as error:
            with suppress(DBAPIError):
                reason = str(error).partition("\n")[0]
                stores.finish_harvest(engine, harvest, at=datetime.now(UTC), status="failed", rows=0, changed=0, error=reason)
            raise
        rows = sum(1 + len(one.commits) for one in found)
        stores.finish_harvest(engine, harvest, at=datetime.now(UTC), status="done", rows=rows, changed=changed)
    except DBAPIError as error:
        raise WorkError(f"the store could not be written ({error.orig}): nothing was saved, try again") from None
    return said


def _complete_all(engine: Engine, found: list[Event], now: datetime, said: list[str]) -> int:
    said.clear()
    with stores.transaction(engine) as connection:
        return _complete(connection, found, now, said)


def _complete(connection: Connection, found: list[Event], now: datetime, said: list[str]) -> int:
    changed, faults = 0, []
    for one in found:
        try:
            news, row = _complete_one(connection, one, now)
        except RowError as error:
            faults += events.incomplete(one, error)
            continue
        changed += news
        named = f"{one.kind.name} {events.name(one.kind, row)}"
        said.append(f"{named} saved: {events.told_of(one.kind, row)}" if news else f"{named} unchanged")
    if faults:
        events.refuse(found[0].told.where.partition(",")[0], faults)
    return changed


def _complete_one(connection: Connection, one: Event, now: datetime) -> tuple[int, dict[str, Any]]:
    """How many rows an event made or changed, and the row of its fact."""
    row: dict[str, Any] = {}

    def settle(kept: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
        row.update(events.whole(one, kept, told, now))
        return row

    changed = stores.complete(connection, one.kind.table, [one.row], origin="event", settle=settle)
    if one.kind.commits is not None:
        changed += stores.complete(connection, one.kind.commits, events.commit_rows(one, row), origin="event")
    return changed, row
