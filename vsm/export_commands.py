"""`vsm export ocel`, `xes` and `csv`: the log and the derived frames for other programs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsm.commands import scoped
from vsm.errors import UsageError
from vsm.outfiles import free, free_folder, whole_file, whole_folder

if TYPE_CHECKING:
    from vsm.taken import Taken

SINCE = "Without --from all of the history is taken, with it what was still going on then or came later."


def exported(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of an export: those of a report, --force and --pseudonyms."""
    return forced(scoped(command))


def forced(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --force and --pseudonyms."""
    other = "Other names for people, tickets and repositories, the same in every export of a store; the numbers stay."
    command = click.option("--pseudonyms", is_flag=True, help=other)(command)
    return click.option("--force", is_flag=True, help="Replace what is there.")(command)


@click.command("ocel", epilog=SINCE)
@click.argument("file", type=click.Path(path_type=Path))
@exported
def export_ocel(file: Path, force: bool, **options: Any) -> None:
    """Write the object-centric log (OCEL 2.0) to FILE: .json or .sqlite.

    Tickets, changes, builds, deployments and incidents with what happened to them and what belongs to what.
    """
    suffix = _suffix(file, (".json", ".sqlite"))
    free(file, force)
    from vsm import ocel, ocel_json, ocel_sqlite

    told = ocel.ocel(_taken(**options))
    with whole_file(file, force) as draft:
        (ocel_json.write_json if suffix == ".json" else ocel_sqlite.write_sqlite)(told, draft)
    _said(file, told.counts())


@click.command("xes", epilog=SINCE)
@click.argument("file", type=click.Path(path_type=Path))
@exported
def export_xes(file: Path, force: bool, **options: Any) -> None:
    """Write the visits as an event log (XES) to FILE: a trace an item, start and completion of each visit."""
    _suffix(file, (".xes",))
    free(file, force)
    from vsm import xes

    taken = _taken(**options)
    with whole_file(file, force) as draft:
        counts = xes.write(taken, draft)
    _said(file, counts)


@click.command("csv", epilog=SINCE)
@click.argument("folder", type=click.Path(path_type=Path))
@exported
def export_csv(folder: Path, force: bool, **options: Any) -> None:
    """Write items, visits, moves, changes, deployments and incidents with their links to FOLDER, a CSV file each."""
    from vsm import csv_files

    names = [f"{name}.csv" for name in csv_files.FILES]
    free_folder(folder, names, force)
    taken = _taken(**options)
    with whole_folder(folder, names, force) as draft:
        counts = csv_files.write(taken, draft)
    _said(folder, counts)


def _suffix(file: Path, known: tuple[str, ...]) -> str:
    suffix = file.suffix.lower()
    if suffix not in known:
        raise UsageError(f"{file}: expected a name that ends in {' or '.join(known)}")
    return suffix


def _said(place: Path, counts: Mapping[str, int]) -> None:
    click.echo(f"{place}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))


def _taken(start: str | None, **options: Any) -> "Taken":
    """What the options of an export name. Raises UsageError for a scope that is none."""
    from vsm.commands import asked
    from vsm.taken import taken

    flow, scope, _ = asked(start=start, **{name: value for name, value in options.items() if name not in ("definition", "policy")})
    try:
        return taken(flow, scope, scope.start if start else None)
    except ValueError as error:
        raise UsageError(str(error)) from None
