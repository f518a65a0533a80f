"""The files of a facts folder, told apart into rows: CSV and JSONL, each row with its line and what is wrong with it."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vsm.errors import UsageError
from vsm.models import Fact, Problem, columns, required
from vsm.secrecy import concealed

WIDEST = 128 * 2**20  # characters in one cell: the paths of a large commit pass the csv module's own limit of 131,072
SHOWN = 80  # characters of a wrong value that are shown


class FolderError(UsageError):
    """A folder cannot be read as facts, or not be written; the message says all that is wrong."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a folder: where, what is there, and what was expected instead."""

    file: str
    line: int | None
    column: str | None
    got: str
    expected: str

    def __str__(self) -> str:
        where = [self.file]
        where += [f"line {self.line}"] if self.line else []
        where += [f"column {self.column}"] if self.column else []
        return f"{', '.join(where)}: got {self.got}, expected {self.expected}"


class Unreadable(Exception):
    """A file of which the rest cannot be told apart into rows."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.faults = faults


@dataclass
class File:
    """One file of a folder: its table, how many facts it tells, and the lines of it that are not loaded."""

    path: Path
    table: type[Fact]
    rows: int = 0
    refused: int = 0
    skipped: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self.table.__tablename__)


class Row(NamedTuple):
    """A row as a file tells it: its first line, its columns (what there is, where these cannot be told), what is wrong."""

    line: int
    told: Any
    problem: Problem | None = None


def shown(value: Any) -> str:
    """A value as it is shown in a sentence."""
    text = "nothing" if value is None else concealed(repr(value))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def rows(file: File) -> Iterator[Row]:
    """A file's rows. Raises Unreadable where the file as a whole cannot be read, FolderError where the disk says no."""
    read = _csv_rows if file.path.suffix.lower() == ".csv" else _jsonl_rows
    newline = "" if read is _csv_rows else "\n"
    try:
        # A byte that is no UTF-8 becomes half a surrogate pair, which `validate` refuses with its line and column.
        with open(file.path, encoding="utf-8-sig", errors="surrogateescape", newline=newline) as text:
            yield from read(file, text)
    except OSError as error:
        raise FolderError(f"{file.path}: cannot be read ({error.strerror})") from None


def _csv_rows(file: File, text: Iterable[str]) -> Iterator[Row]:
    csv.field_size_limit(WIDEST)  # the module has one limit for all
    lines: list[str] = []
    reader = csv.reader(_remembering(text, lines), strict=True)
    header = _header(file, reader)
    while True:
        line = reader.line_num + 1  # a row begins here; with line ends in its cells it goes on
        lines.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Row(line, "".join(lines), _misquoted(file, line, "".join(lines), error))
            continue
        if cells is None:
            return
        if len(cells) == len(header):
            yield Row(line, dict(zip(header, cells, strict=True)))
        elif cells:
            expected = f"{len(header)} cells, as many as the header has, and not {len(cells)}"
            yield Row(line, cells, Problem("", "".join(lines).strip(), expected))


def _remembering(text: Iterable[str], lines: list[str]) -> Iterator[str]:
    for line in text:
        lines.append(line)
        yield line


def _misquoted(file: File, line: int, text: str, error: csv.Error) -> Problem:
    """What is wrong with the quotes of a row. Raises Unreadable where they swallow the rest of the file."""
    if "expected after" not in str(error):
        raise Unreadable(Fault(file.path.name, line, None, "a quote that is never closed", "another at the end of the cell"))
    return Problem("", text.strip(), 'quotes inside a quoted cell to be doubled ("")')


def _header(file: File, reader: Any) -> list[str]:
    """The columns that a file has. Raises Unreadable when they are not the table's."""
    table = file.table
    try:
        header: list[str] = next(reader, [])
    except csv.Error as error:
        header = [f"({error})"]
    if any(_foreign(name) for name in header):
        raise Unreadable(Fault(file.path.name, 1, None, "bytes that are no text", "UTF-8"))
    if len(header) == 1:  # no table has one column
        raise Unreadable(Fault(file.path.name, 1, None, shown(header[0]), f"commas between columns: {','.join(columns(table))}"))
    if not header:
        raise Unreadable(Fault(file.path.name, 1, None, "no header", f"one such as {','.join(columns(table))}"))
    unknown = [name for name in dict.fromkeys(header) if name not in columns(table)]
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    missing = [name for name in columns(table) if required(table, name) and name not in header]
    faults = [Fault(file.path.name, 1, name, "no such column", f"one of {', '.join(columns(table))}") for name in unknown]
    faults += [Fault(file.path.name, 1, name, "it twice", "each column once") for name in twice]
    faults += [Fault(file.path.name, 1, name, "nothing", "a column of this name, since no row may be without") for name in missing]
    if faults:
        raise Unreadable(*faults)
    return header


def _foreign(text: str) -> bool:
    return "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)


def _jsonl_rows(file: File, text: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(text, 1):
        if line.strip():
            yield _object(number, line)


def _object(number: int, line: str) -> Row:
    try:
        told = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        return Row(number, line, Problem("", line.strip(), f"one JSON object on a line ({error})"))
    if not isinstance(told, dict):
        return Row(number, told, Problem("", line.strip(), "a JSON object"))
    return Row(number, told)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("with each column once")
    return found
