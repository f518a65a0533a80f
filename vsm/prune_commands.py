"""The subcommand `vsm prune`: delete what is older than vsm.toml keeps it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from vsm.cli import common, say


@click.command()
@click.option("--yes", is_flag=True, help="Do it: it cannot be taken back.")
@common
def prune(yes: bool, store: str, config: Path | None) -> None:
    """Delete what is older than [retention] of vsm.toml keeps it. Without --yes it says what would go."""
    from vsm import audit, retention
    from vsm.config import Retention, load
    from vsm.errors import UsageError
    from vsm.store import opened

    told, now = load(config), datetime.now(UTC)
    if told.retention == Retention():
        raise UsageError("vsm.toml keeps everything for ever: say in [retention] how many days, such as raw_days = 365")
    with opened(store, create=False) as engine:
        gone = retention.prune(engine, told.retention, now=now, rehearse=not yes)
        if yes and gone:
            audit.add(engine, audit.HERE, "store.prune", ", ".join(f"{rows} {table}" for table, rows in gone.items()), now=now)
    for table, rows in gone.items():
        click.echo(f"{table:<21}{rows:>10,} {'row' if rows == 1 else 'rows'} {'deleted' if yes else 'would go'}")
    if not gone:
        click.echo("nothing is older than it is kept")
    elif not yes:
        say("nothing was changed: repeat it with --yes")
