"""The subcommands that carry facts in and out as files: `vsm import` and `vsm export facts`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from vsm import facts
from vsm.cli import common
from vsm.errors import WorkError
from vsm.export_commands import export_csv, export_ocel, export_xes
from vsm.store import opened


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


@click.group()
def export() -> None:
    """Write what the store holds to files for other programs and people."""


@export.command("facts")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace files that are there.")
@common
def export_facts(folder: Path, force: bool, store: str, config: Path | None) -> None:
    """Write all facts to a folder that `vsm import` reads: a CSV file a table, sorted, names and handles included."""
    with opened(store, create=False) as engine:
        counts = facts.dump(engine, folder, force)
    click.echo(f"{folder}: {sum(counts.values()):,} rows in {len(counts)} files")


for _command in (export_ocel, export_xes, export_csv):
    export.add_command(_command)
