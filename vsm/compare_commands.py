"""`vsm compare`: two periods, teams, applications or streams side by side."""

import json
from typing import Any

import click

from vsm.commands import measured, scoped
from vsm.errors import UsageError


@click.command()
@click.argument("other", metavar="WITH", default="before")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@scoped
def compare(other: str, form: str, **options: Any) -> None:
    """Headline numbers of a scope beside those of another, each with its n and whether the first clearly differs.

    WITH is before (the time before, the default), team:NAME, application:NAME, stream:NAME or to:WHEN (a window of the
    same length with another end). Nobody and nothing is ranked.
    """
    from vsm.scope import instant  # pandas is a second's import, and --help needs none
    from vsm.side_by_side import against, measured_against, named, side_by_side, told

    one, _ = measured(**options)
    zone = one.flow.config.zone
    try:
        scope = against(one.scope, other, lambda text: instant(text, zone, last=True))
        two = measured_against(one, scope)
    except ValueError as error:
        raise UsageError(str(error)) from None
    rows = side_by_side(one, two)
    names = [named(each.scope, one.flow.config.timezone) for each in (one, two)]
    if form == "json":
        numbers = [
            {
                "number": row.label, "figure": row.one.name, "value": row.value, "unit": row.one.unit,
                "one": {"value": row.one.values.get(row.value), "n": row.one.n},
                "other": {"value": row.other.values.get(row.value), "n": row.other.n},
                "verdict": row.verdict, "rule": row.rule,
            }
            for row in rows
        ]  # fmt: skip
        click.echo(json.dumps({"one": names[0], "other": names[1], "numbers": numbers}, indent=2, ensure_ascii=False))
        return
    click.echo(f"{names[0]}\nbeside\n{names[1]}\n")
    cells = [(row.label, told(row.one, row.value), told(row.other, row.value), row.verdict) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    for label, mine, theirs, verdict in cells:
        click.echo(f"{label:<{widths[0]}}  {mine:>{widths[1]}}  {theirs:>{widths[2]}}  {verdict}")
    for row in rows:
        if row.verdict == "not compared":
            click.echo(f"\n{row.label}: {row.rule}.", nl=False)
    click.echo()
