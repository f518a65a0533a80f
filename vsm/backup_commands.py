"""The subcommands `vsm backup` and `vsm restore`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from vsm import backup as backups
from vsm.cli import common, say
from vsm.errors import UsageError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@common
def backup(file: Path, force: bool, store: str, config: Path | None) -> None:
    """Write the whole store to one file, checked: facts, raw answers, cursors, notes, and the key of people's handles.

    Nobody has to stop meanwhile. The file is as secret as the store is.
    """
    made = backups.backup(store, file, at=datetime.now(UTC), force=force)
    click.echo(f"{file}: {_said(made)}, checked")
    if not made.key:
        say("The key of people's handles is not in it: keep what [privacy] key names with it")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only see whether the file is whole; change nothing.")
@click.option("--force", is_flag=True, help="Replace all that the store holds.")
@common
def restore(file: Path, check: bool, force: bool, store: str, config: Path | None) -> None:
    """Bring the store back from a file that `vsm backup` has written, into SQLite or PostgreSQL: all of it or nothing."""
    if check and force:
        raise UsageError("--check changes nothing: leave out --force")
    if check:
        click.echo(f"{file} is whole: {_said(backups.check(file))}")
        return
    found = backups.restore(file, store, at=datetime.now(UTC), force=force)
    # Behind an @ there are no keys and names of accounts.
    click.echo(f"{store.rpartition('@')[2]}: {_said(found)}, restored")
    if not found.key:
        say("The backup has no key of people's handles: see that [privacy] key names the one that made them")


def _said(held: backups.Backup) -> str:
    rows = sum(held.rows.values())
    return f"{rows:,} rows in {len(held.rows)} tables, version {held.version}, of {held.made_at}"
