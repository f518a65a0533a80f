"""`vsm export pack`: a period's numbers, charts, notes and rows to take along, without a browser."""

from pathlib import Path
from typing import Any

import click

from vsm.commands import measured
from vsm.errors import UsageError
from vsm.export_commands import exported


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--chart", "charts", metavar="NAME", multiple=True, help="Only these charts, in this order. [default: the usual ten]")
@click.option("--alone", is_flag=True, help="Do not compare with the period before.")
@click.option("--people", is_flag=True, help="Keep people in the rows, as [privacy] shows them.")
@exported
def pack(file: Path, charts: tuple[str, ...], alone: bool, people: bool, force: bool, **options: Any) -> None:
    """A pack as FILE (.html, .pdf, .pptx or .zip): numbers with verdicts, charts, notes, experiments, the rows behind them.

    The same data and options give the same bytes.
    """
    from dashboard.charts.catalogue import CATALOGUE  # pandas and Altair are a second's import, and --help needs none
    from dashboard.export import unsaid
    from dashboard.export.pack import KINDS, USUAL, packed, written
    from vsm import journal, store
    from vsm.measure import measure
    from vsm.outfiles import free, whole_file

    kind = file.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        raise UsageError(f"{file}: a pack cannot be written as {file.suffix or 'a file without an ending'}; expected "
                         f"{', '.join(f'.{one}' for one in KINDS)}")  # fmt: skip
    if unknown := [name for name in charts if name not in CATALOGUE]:
        raise UsageError(f"no chart {unknown[0]!r}; expected any of {', '.join(CATALOGUE)}")
    free(file, force)
    measures, _ = measured(**options)
    before = None if alone else measure(measures.flow, measures.scope.before(), measures.policy, measures.definition)
    with store.opened(options["store"], create=False) as engine:
        notes, experiments = (_of(told, measures.scope.stream) for told in (journal.notes(engine), journal.experiments(engine)))
        data_version = ".".join(map(str, store.version(engine)))
    if options["pseudonyms"]:
        notes, experiments = unsaid.notes(notes), unsaid.experiments(experiments)
    told = packed(measures, before, notes, experiments, charts or USUAL, people)
    content = written(told, kind, data_version)
    with whole_file(file, force) as draft:
        draft.write_bytes(content)
    click.echo(f"{file}: {len(told.numbers)} numbers, {len(told.pictures)} charts, {len(told.notes)} notes, {len(content):,} bytes")


def _of(told: Any, stream: str | None) -> Any:
    """What was written down of a stream or of all; all of it where none is chosen."""
    return told if stream is None else told[told["stream"].isna() | (told["stream"] == stream)]
