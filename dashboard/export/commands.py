"""`vsm export chart`: a chart of the dashboard as a file, without a browser."""

from pathlib import Path
from typing import Any

import click

from vsm.commands import measured
from vsm.errors import UsageError
from vsm.export_commands import exported


@click.command()
@click.argument("name", required=False)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@exported
def chart(name: str | None, file: Path | None, force: bool, **options: Any) -> None:
    """A chart as FILE (.png, .svg, .pdf, .html or .csv), with its finding, definition, filters and date.

    Without NAME and FILE, the names of all charts.
    """
    from dashboard.charts.catalogue import CATALOGUE  # Altair and pandas are a second's import, and --help needs none

    if name is None:
        width = max(map(len, CATALOGUE))
        for entry in CATALOGUE.values():
            click.echo(f"{entry.name:<{width}}  {entry.title}" + (" (one stream)" if entry.mapped else ""))
        return
    if name not in CATALOGUE:
        raise UsageError(f"no chart {name!r}; expected one of {', '.join(CATALOGUE)}")
    kind = _kind(name, file)
    from vsm.outfiles import free, whole_file

    path = Path(file or "")
    free(path, force)
    content = _content(name, kind, options)
    with whole_file(path, force) as draft:
        draft.write_bytes(content)
    click.echo(f"{path}: {CATALOGUE[name].title}")


def _kind(name: str, file: Path | None) -> str:
    """What kind of file is asked for. Raises UsageError for none, or for one that a chart cannot be."""
    from dashboard.export.pictures import KINDS

    if file is None:
        raise UsageError(f"no file is named: give one such as {name}.png")
    kind = file.suffix.removeprefix(".").lower()
    if kind not in (*KINDS, "csv"):
        expected = ", ".join(f".{one}" for one in (*KINDS, "csv"))
        raise UsageError(f"{file}: a chart cannot be written as {file.suffix or 'a file without an ending'}; expected {expected}")
    return kind


def _content(name: str, kind: str, options: dict[str, Any]) -> bytes:
    from dashboard.charts.catalogue import drawn
    from dashboard.charts.entry import Asked
    from dashboard.export import unsaid
    from dashboard.export.pictures import written
    from vsm import journal, store
    from vsm.measure import measure

    measures, _ = measured(**options)
    with store.opened(options["store"], create=False) as engine:
        notes = journal.notes(engine)
    if options["pseudonyms"]:
        notes = unsaid.notes(notes)
    if measures.scope.stream is not None:
        notes = notes[notes["stream"].isna() | (notes["stream"] == measures.scope.stream)]
    try:
        before = measure(measures.flow, measures.scope.before(), measures.policy, measures.definition)
        return written(drawn(name, Asked(measures, before, notes)), kind)
    except ValueError as error:
        raise UsageError(str(error)) from None
