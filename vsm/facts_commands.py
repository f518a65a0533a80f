"""The subcommands that carry facts in and out as files: `vsm import` and `vsm export facts`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from vsm import facts
from vsm.cli import Exports, common
from vsm.errors import UsageError, WorkError
from vsm.export_commands import SINCE, export_csv, export_ocel, export_xes, exported
from vsm.store import Engine, opened
from vsm.store import facts as all_facts
from vsm.warehouse.commands import warehouse


@click.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--rejects",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Load the good rows all the same, and write the bad ones with their reasons to FILE (JSON lines, replaced).",
)
@common
def import_(folder: Path, rejects: Path | None, store: str, config: Path | None) -> None:
    """Load a folder of facts: one CSV or JSONL file a table, all of it or nothing."""
    checked = facts.check(folder, rejects)
    with opened(store) as engine:
        loaded = facts.load(engine, checked, lambda: datetime.now(UTC))
    for table, rows in loaded.rows.items():
        click.echo(_said(table, rows, loaded.changed[table]))
    click.echo(_said("total", sum(loaded.rows.values()), sum(loaded.changed.values())))
    if checked.refused:
        counted = "1 row" if checked.refused == 1 else f"{checked.refused:,} rows"
        raise WorkError(f"{folder}: {counted} refused and not loaded: {rejects} says why; correct the folder and import it again")


def _said(table: str, rows: int, changed: int) -> str:
    return f"{table:<21}{rows:>10,} {'row ' if rows == 1 else 'rows'} read {changed:>10,} new or changed"


@click.group(cls=Exports)
def export() -> None:
    """Write what the store holds to files for other programs and people."""


@export.command("facts", epilog=SINCE)
@click.argument("folder", type=click.Path(path_type=Path))
@exported
def export_facts(folder: Path, force: bool, pseudonyms: bool, store: str, config: Path | None, **options: Any) -> None:
    """Write facts to a folder that `vsm import` reads: a CSV file a table, sorted, names and handles included.

    All of the store's, or those that a stream, an application, a team or a window needs for its numbers. With
    --pseudonyms a vsm.toml goes with them, under which they tell the same numbers.
    """
    said = ""
    if any(value is not None for name, value in options.items() if name not in ("definition", "policy", "level")):
        counts, said = _scoped(folder, force, pseudonyms, store=store, config=config, **options)
    else:
        with opened(store, create=False) as engine:
            counts = _disguised(engine, folder, force, config) if pseudonyms else facts.dump(engine, folder, force)
    click.echo(f"{folder}: {sum(counts.values()):,} rows in {len(counts)} files{said}")


def _scoped(
    folder: Path, force: bool, pseudonyms: bool, definition: Any, policy: Any, start: str | None, **options: Any
) -> tuple[dict[str, int], str]:
    """Write the facts of a scope, and say as of when they tell its numbers."""
    from vsm import disguise
    from vsm.commands import asked
    from vsm.facts_of_scope import facts_of

    more = ["vsm.toml"] if pseudonyms else []
    facts.ready(folder, force, more)
    flow, scope, _ = asked(start=start, pseudonyms=pseudonyms, **options)
    try:
        told = facts_of(flow, scope, scope.start if start else None)
    except ValueError as error:
        raise UsageError(str(error)) from None
    facts.write(told, folder, force, {name: disguise.settings(flow.config) for name in more})
    return told.counts(), f", as of {scope.end:%Y-%m-%dT%H:%M:%S.%fZ}".replace(".000000Z", "Z")


def _disguised(engine: Engine, folder: Path, force: bool, config: Path | None) -> dict[str, int]:
    """Write the facts under pseudonyms, with the configuration that belongs to them."""
    from vsm import config as configuration
    from vsm import disguise

    facts.ready(folder, force, ["vsm.toml"])
    told, every = configuration.load(config), all_facts(engine)
    names = disguise.names_of(every, told, disguise.key(engine, datetime.now(UTC)))
    other, settings = disguise.disguised(every, told, names)
    facts.write(other, folder, force, {"vsm.toml": disguise.settings(settings)})
    return other.counts()


for _command in (export_ocel, export_xes, export_csv, warehouse):
    export.add_command(_command)
