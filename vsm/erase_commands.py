"""The subcommand `vsm erase`: forget a person on request."""

from datetime import UTC, datetime
from pathlib import Path

import click

from vsm.cli import common, say


@click.command()
@click.argument("person", metavar="NAME")
@click.option(
    "--also", metavar="NAME", multiple=True, help="Another name of theirs that no source tells as such; may stand several times."
)
@click.option("--yes", is_flag=True, help="Do it: it cannot be taken back.")
@common
def erase(person: str, also: tuple[str, ...], yes: bool, store: str, config: Path | None) -> None:
    """Forget a person: one made-up name stands wherever the store has theirs, and wherever a harvest would bring it again.

    NAME is any of their handles or names. Counts and durations stay what they are. Without --yes it says what would change.
    """
    from vsm import audit, erasure
    from vsm.config import load
    from vsm.store import opened

    told, now = load(config), datetime.now(UTC)
    with opened(store, create=False) as engine:
        found = erasure.find(engine, told, person, also)
        changed = erasure.erase(engine, found, at=now, rehearse=not yes)
        if yes:
            audit.add(engine, audit.HERE, "person.erase", None, now=now)
    click.echo(f"known as: {', '.join(found.names)}")
    for table, rows in changed.items():
        click.echo(f"{table:<21}{rows:>10,} {'row' if rows == 1 else 'rows'} {'changed' if yes else 'would change'}")
    if not yes:
        say("nothing was changed: repeat it with --yes")
        return
    say("Backups, exports and logs of before still have the names, and so have the sources: see to them, too")
    if any(person in told.people for person in found.names):
        say(f"{told.path} names them in [people]: take them out there")
