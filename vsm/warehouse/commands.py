"""`vsm export warehouse`: a store's events and deliveries written into an engine."""

from pathlib import Path

import click

from vsm.cli import common


@click.command("warehouse")
@click.option("--engine", required=True, metavar="URL", help="duckdb://FILE, postgresql://…, spark://HOST:PORT/FOLDER.")
@click.option("--to", "end", metavar="WHEN", help="As things were then: a date or an instant. [default: the newest fact]")
@common
def warehouse(engine: str, end: str | None, store: str, config: Path | None) -> None:
    """Write what the store holds into the tables of an engine, each anew: `vsm report --engine URL` then counts there.

    Its tables are those of docs/warehouse.md, called vsm_…; people are in them as the store tells them apart, by no name.
    """
    from vsm.commands import asked
    from vsm.warehouse.engine import opened
    from vsm.warehouse.load import load

    flow, _, _ = asked(store, config, None, None, None, None, end)
    with opened(engine) as target:
        counts = load(target, flow)
        place = target.place
    for table, rows in counts.items():
        click.echo(f"{table:<21}{rows:>10,} {'row' if rows == 1 else 'rows'}")
    click.echo(f"{place}: {sum(counts.values()):,} rows in {len(counts)} tables")
