"""The facts folder, in and out: one file a table, named after it, CSV (UTF-8, with a header) or JSONL.

`check` reads a folder and says all that is wrong with it before anything is written; `load` writes
what was checked, all of it or nothing; `dump` writes a folder such that reading it back changes
nothing. A row is the whole fact: a column that a file does not have is missing in every row of it.
"""

import json
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

from vsm import store
from vsm.errors import WorkError
from vsm.facts_files import Fault, File, FolderError, Row, Unreadable, rows, shown
from vsm.models import TABLES, Fact, Problem, RowError, columns, kind, validate
from vsm.outfiles import free_folder, whole_folder
from vsm.store import Connection, DBAPIError, Engine, Facts

if TYPE_CHECKING:
    import pandas as pd

TOLD = 50  # problems that are told one by one; who has more needs to see the pattern, not the list
BATCH = 5_000  # rows a statement
SUFFIXES = (".csv", ".jsonl")
SETTINGS = "facts.toml"
ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Faults:
    """How many faults there are, and the first of them."""

    count: int = 0
    first: list[Fault] = field(default_factory=list)

    def add(self, faults: Iterable[Fault]) -> None:
        """Count faults, and keep those that will be told."""
        for fault in faults:
            self.count += 1
            if self.count <= TOLD:
                self.first.append(fault)

    def refuse(self, folder: Path) -> NoReturn:
        """Raise FolderError with what is known."""
        more = [f"and {self.count - TOLD:,} more"] if self.count > TOLD else []
        counted = "one problem" if self.count == 1 else f"{self.count:,} problems"
        lines = [f"{folder}: {counted}, nothing was loaded", *(str(fault) for fault in self.first), *more]
        raise FolderError("\n  ".join(lines))


@dataclass(frozen=True)
class Checked:
    """A folder that was read once and may be loaded."""

    folder: Path
    zone: ZoneInfo | None
    files: tuple[File, ...]

    @property
    def refused(self) -> int:
        """How many rows are not loaded because something is wrong with them."""
        return sum(file.refused for file in self.files)


@dataclass(frozen=True)
class Loaded:
    """By table: how many facts were read, and how many of them were new or changed."""

    rows: dict[str, int]
    changed: dict[str, int]


# Checking. ---------------------------------------------------------------------------------------


def check(folder: Path, rejects: Path | None = None) -> Checked:
    """Read the whole folder and write nothing, but bad rows with what is wrong with them to `rejects`.

    Each line of `rejects` is a JSON object with file, line, row and problems; a file that is there
    is replaced. Raises FolderError with everything that is wrong (the first 50 in full): with
    `rejects`, only what no single row is to blame for, such as an unknown column.
    """
    if rejects is not None and rejects.suffix.lower() in SUFFIXES and rejects.resolve().parent == folder.resolve():
        raise FolderError(f"{rejects} would be taken for a table of the folder the next time: give --rejects a file outside it")
    faults = Faults()
    files = _files(folder, faults)
    zone = _zone(folder / SETTINGS)
    with _rejected_to(rejects) as reject:
        for file in files:
            try:
                _check(file, zone, faults, reject)
            except Unreadable as error:
                faults.add(error.faults)
        if faults.count:
            faults.refuse(folder)
    return Checked(folder, zone, tuple(files))


def _files(folder: Path, faults: Faults) -> list[File]:
    """The folder's files of facts, in the order of the tables."""
    if not folder.is_dir():
        raise FolderError(f"{folder}: no such folder; expected one with files such as tickets.csv")
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    by_table: dict[str, list[Path]] = {}
    for path in paths:
        by_table.setdefault(path.stem, []).append(path)
        if path.stem not in TABLES:
            faults.add([Fault(path.name, None, None, "a file that is no table", f"one of {', '.join(TABLES)} (.csv or .jsonl)")])
    for name, several in by_table.items():
        if len(several) > 1 and name in TABLES:
            faults.add([Fault(several[0].name, None, None, f"{several[1].name} too", "one file a table")])
    if not paths:
        raise FolderError(f"{folder}: no facts in it; expected files such as tickets.csv or tickets.jsonl")
    return [File(path, table) for name, table in TABLES.items() for path in by_table.get(name, [])]


def _zone(path: Path) -> ZoneInfo | None:
    """The zone of times without an offset, where the folder's settings give one."""
    if not path.exists():
        return None
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise FolderError(f"{path}: cannot be read as TOML: {error}") from None
    unknown = sorted(set(told) - {"timezone"})
    if unknown:
        raise FolderError(f"{path}: {unknown[0]}: no such key; expected timezone alone")
    if "timezone" not in told:
        return None
    try:
        return ZoneInfo(told["timezone"])
    except (KeyError, ValueError, TypeError, AttributeError, OSError):
        raise FolderError(f'{path}: timezone: expected such as "Europe/Vienna", got {told["timezone"]!r}') from None


Reject = Callable[[File, Row, list[Problem]], None]


@contextmanager
def _rejected_to(path: Path | None) -> Iterator[Reject | None]:
    """What writes a bad row to the file; the file takes its name when all is written, and not after an error."""
    if path is None:
        yield None
        return
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise FolderError(f"{path}: cannot be written ({error.strerror}); give --rejects another file") from None
    try:
        # A byte that is no UTF-8 is written as the JSON escape of what stands for it.
        with open(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
            yield lambda file, row, problems: _write_rejected(out, file, row, problems)
        os.replace(draft, path)
    except OSError as error:
        raise FolderError(f"{path}: cannot be written ({error.strerror}); give --rejects another file") from None
    finally:
        Path(draft).unlink(missing_ok=True)


def _write_rejected(out: Any, file: File, row: Row, problems: list[Problem]) -> None:
    said = [{"column": p.column or None, "value": p.value, "expected": p.expected} for p in problems]
    told = {"file": file.path.name, "line": row.line, "row": row.told, "problems": said}
    out.write(json.dumps(told, ensure_ascii=False) + "\n")


def _check(file: File, zone: ZoneInfo | None, faults: Faults, reject: Reject | None) -> None:
    seen: dict[bytes, tuple[int, bytes]] = {}
    for row in rows(file):
        try:
            valid = _valid(file.table, row, zone)
            first = _first(seen, file.table, valid, row.line)
        except RowError as error:
            file.refused += 1
            file.skipped.add(row.line)
            if reject is None:
                faults.add(_fault(file, row, problem) for problem in error.problems)
            else:
                reject(file, row, error.problems)
            continue
        if first:
            file.rows += 1
        else:
            file.skipped.add(row.line)


def _first(seen: dict[bytes, tuple[int, bytes]], table: type[Fact], valid: dict[str, Any], line: int) -> bool:
    """Whether this is the first row with its key; a later one that says the same is none.

    Raises RowError for a later one that says something else. Digests are kept instead of the rows,
    since a file may have a million of them.
    """
    key = _digest([valid[name] for name in table.key_columns])
    content = _digest(valid.values())
    line_before, content_before = seen.setdefault(key, (line, content))
    if content_before != content:
        names, values = ", ".join(table.key_columns), tuple(valid[name] for name in table.key_columns)
        shown = values[0] if len(values) == 1 else tuple(str(value) for value in values)
        raise RowError(table, [Problem(names, shown, f"a key once, or the same row again; line {line_before} has other values")])
    return line_before == line


def _digest(values: Iterable[Any]) -> bytes:
    return blake2b(repr(list(values)).encode(), digest_size=16).digest()


def _fault(file: File, row: Row, problem: Problem) -> Fault:
    return Fault(file.path.name, row.line, problem.column or None, shown(problem.value), problem.expected)


def _valid(table: type[Fact], row: Row, zone: ZoneInfo | None) -> dict[str, Any]:
    """The row as the store keeps it. Raises RowError with all that is wrong with it."""
    if row.problem is not None:
        raise RowError(table, [row.problem])
    if zone is None:
        return validate(table, row.told)
    told, problems = _zoned(table, row.told, zone)
    try:
        valid = validate(table, told)
    except RowError as error:
        raise RowError(table, [*problems, *error.problems]) from None
    if problems:
        raise RowError(table, problems)
    return valid


def _zoned(table: type[Fact], told: Mapping[str, Any], zone: ZoneInfo) -> tuple[dict[str, Any], list[Problem]]:
    """The row with its local times as instants, and those that name no instant."""
    ready, problems = dict(told), []
    for name in columns(table):
        value = told.get(name)
        if isinstance(value, str) and value and kind(table, name) == "time":
            try:
                ready[name] = _instant(value, zone)
            except ValueError as error:
                problems.append(Problem(name, value, str(error)))
                ready[name] = ANY_TIME  # so that `validate` tells what else is wrong, and not this again
    return ready, problems


def _instant(text: str, zone: ZoneInfo) -> str | datetime:
    """The instant that a local time names; a text that is none, or has an offset, is left to `validate`."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return text
    if local.tzinfo is not None:
        return text
    if len(text) <= len("2026-03-02"):
        raise ValueError("a time of day too: nobody can say when on this date")
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    try:
        if first.utcoffset() == second.utcoffset():
            return first.astimezone(UTC)
        exists = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
    except OverflowError:
        raise ValueError("a time between the years 1 and 9999 in UTC") from None
    if exists:
        raise ValueError(f"an offset with it: clocks in {zone} went back, and it was this time twice")
    raise ValueError(f"a time that was: clocks in {zone} went forward past it")


# Loading. ----------------------------------------------------------------------------------------


def load(engine: Engine, checked: Checked, clock: Callable[[], datetime]) -> Loaded:
    """Write a checked folder to the store in one transaction: all of its good rows or none.

    Raises WorkError when the store cannot be written, FolderError when the folder has changed since
    it was checked; the store is then as it was.
    """
    try:
        harvest = store.begin_harvest(engine, "import", "import", str(checked.folder), at=clock())
        try:
            changed = store.retried(engine, lambda: _save_all(engine, checked))
        except BaseException as error:
            with suppress(DBAPIError):
                store.finish_harvest(engine, harvest, at=clock(), status="failed", rows=0, changed=0, error=str(error))
            raise
        loaded = Loaded({file.name: file.rows for file in checked.files}, changed)
        read, news = sum(loaded.rows.values()), sum(changed.values())
        store.finish_harvest(engine, harvest, at=clock(), status="done", rows=read, changed=news)
    except DBAPIError as error:
        raise WorkError(f"the store could not be written ({error.orig}): nothing was loaded from {checked.folder}") from None
    return loaded


def _save_all(engine: Engine, checked: Checked) -> dict[str, int]:
    with store.transaction(engine) as connection:
        return {file.name: _save(connection, file, checked) for file in checked.files}


def _save(connection: Connection, file: File, checked: Checked) -> int:
    ready, changed, saved = _again(file, checked), 0, 0
    while batch := list(islice(ready, BATCH)):
        changed += store.save_valid(connection, file.table, batch, origin="import")
        saved += len(batch)
    if saved != file.rows:
        _changed_meanwhile(file)
    return changed


def _again(file: File, checked: Checked) -> Iterator[dict[str, Any]]:
    """The rows that passed the check: a second reading costs less than holding all of them."""
    try:
        for row in rows(file):
            if row.line not in file.skipped:
                yield _valid(file.table, row, checked.zone)
    except (RowError, Unreadable):
        _changed_meanwhile(file)


def _changed_meanwhile(file: File) -> NoReturn:
    raise FolderError(f"{file.path} changed while it was read, nothing was loaded: try again when nobody writes to it")


# Writing a folder. -------------------------------------------------------------------------------


def dump(engine: Engine, folder: Path, force: bool = False) -> dict[str, int]:
    """Write every table as CSV, sorted by key, also those without rows; returns how many rows each has.

    Two stores with the same facts give the same bytes. Times are UTC with ``Z``, what is missing is
    an empty cell. Files are written aside first and then take their names. Raises UsageError for
    a file that is there already (unless `force`), and where the folder cannot be written.
    """
    ready(folder, force)
    facts = store.facts(engine)
    write(facts, folder, force)
    return facts.counts()


def ready(folder: Path, force: bool, more: Iterable[str] = ()) -> None:
    """Refuse a folder in which an export would replace files unasked, or leave two files for one table."""
    free_folder(folder, [*(f"{name}.csv" for name in TABLES), *more], force)
    beside = [f"{name}.jsonl" for name in TABLES if (folder / f"{name}.jsonl").exists()]
    if beside:
        raise FolderError(f"{folder} has {', '.join(beside)}, which would tell a table twice: remove it, or give another folder")


def write(facts: Facts, folder: Path, force: bool = False, more: Mapping[str, str] | None = None) -> None:
    """Write facts as `dump` does; `more`: texts of other files that belong to them, by name."""
    texts = more or {}
    ready(folder, force, texts)
    with whole_folder(folder, [*(f"{name}.csv" for name in TABLES), *texts], force) as draft:
        for name, table in TABLES.items():
            _write(draft / f"{name}.csv", getattr(facts, name), table)
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8")


def _write(path: Path, frame: "pd.DataFrame", table: type[Fact]) -> None:
    names = columns(table)
    # Sorted here and not by the database, whose order of letters depends on its locale.
    ready = frame.sort_values(list(table.key_columns), na_position="first")
    cells = [_cells(ready[name], kind(table, name)) for name in names]
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.write(",".join(names) + "\n")
        out.writelines(f"{','.join(row)}\n" for row in zip(*cells, strict=True))


def _cells(column: "pd.Series", what: str) -> list[str]:
    """A column as cells of a CSV file."""
    if what == "time":
        return [_shown_time(time) for time in column.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(str)]
    if what == "number":
        return [str(value) for value in column.to_numpy(dtype=object, na_value="")]
    column = column.astype("str")  # names that are few are kept as numbers
    # Python's csv writer leaves a lone carriage return unquoted, and then reads it as the end of the row.
    special = column.str.contains('[",\r\n]', na=False)
    quoted = '"' + column.str.replace('"', '""', regex=False) + '"'
    cells: list[str] = column.mask(special, quoted).fillna("").tolist()
    return cells


def _shown_time(text: str) -> str:
    return "" if text == "NaT" else text.removesuffix(".000000") + "Z"
