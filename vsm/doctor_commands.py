"""`vsm doctor`: is everything well, what to do where it is not, and what vsm.toml could say."""

from pathlib import Path

import click

from vsm.checks import CHECKS, PROPOSALS, Check, found
from vsm.cli import common
from vsm.config import load
from vsm.errors import WorkError
from vsm.secrecy import hidden

MARKS = {True: "well", None: "note", False: "WRONG"}


@click.command()
@common
def doctor(store: str, config: Path | None) -> None:
    """Check the configuration, every source, the store and the data; say what to do; propose a configuration."""
    told = load(config)
    wrong = 0
    for check in (check for checks in found(CHECKS) for check in checks(told, store)):
        wrong += check.well is False
        click.echo(line(check))
    lines: list[str] = []
    for proposals in found(PROPOSALS):
        lines += proposals(told, store, lines)
    if lines:
        click.echo("\nproposed for vsm.toml:\n")
        click.echo("\n".join(lines).rstrip())
    if wrong:
        raise WorkError(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong: see the lines marked {MARKS[False]}")


def line(check: Check) -> str:
    """One check as a line, its remedy below it."""
    said = hidden(f"{MARKS[check.well]:5} {check.what}: {check.said}")
    return f"{said}\n      -> {check.remedy}" if check.remedy else said
