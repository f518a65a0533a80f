"""Files for others that appear whole or not at all: written aside, brought to the disk, then given their name.

A draft is a folder beside its target, `.NAME.XXXX.part`. It is locked for as long as its process lives, so
that the next export of that name can tell what a killed one has left behind, and clears it.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from vsm.errors import UsageError, WorkError

try:
    import fcntl
except ImportError:  # there is none on Windows: what is left behind there stays
    fcntl = None  # type: ignore[assignment]

DRAFT = ".part"
# What is wrong with the place that was named; anything else, a full disk say, is no fault of the call.
MISPLACED = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EINVAL}


def free(path: Path, force: bool) -> None:
    """Raises UsageError for a file that is there already, unless `force`: to be asked before the work, too."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; expected the name of a file")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already: give another name, or --force to replace it")


def free_folder(folder: Path, names: Iterable[str], force: bool) -> None:
    """Raises UsageError for a folder that has files of some names already, unless `force`."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; expected a folder, or none yet")
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        raise UsageError(f"{folder} already has {', '.join(there)}: give another folder, or --force to replace them")


@contextmanager
def whole_file(path: Path, force: bool) -> Iterator[Path]:
    """Where to write a file that takes its name once the block has ended well.

    Raises UsageError for a file that is there already (unless `force`) or a place that cannot be, WorkError where
    the disk gives out.
    """
    free(path, force)
    target = path.resolve() if path.is_symlink() else path
    try:
        with _aside(target) as draft:
            yield draft / target.name
            _to_disk(draft / target.name)
            _take_name(draft / target.name, target, force)
            _to_disk(target.parent)
    except FileExistsError:
        raise UsageError(f"{path} was made by another program meanwhile: give another name, or --force to replace it") from None
    except OSError as error:
        _refused(path, error)


@contextmanager
def whole_folder(folder: Path, names: Iterable[str], force: bool) -> Iterator[Path]:
    """Where to write the files of some names, which take their places in a folder once the block has ended well.

    A folder that is not there yet, or is empty, appears with all of them at once; in one that has others each file
    is replaced as a whole.
    """
    names = list(names)
    free_folder(folder, names, force)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _aside(folder.resolve()) as draft:
            inside = draft / "files"
            inside.mkdir()
            yield inside
            for name in names:
                _to_disk(inside / name)
            _move_in(inside, folder, names)
            _to_disk(folder.resolve().parent)
    except OSError as error:
        _refused(folder, error)


def _move_in(inside: Path, folder: Path, names: Iterable[str]) -> None:
    try:
        os.rename(inside, folder)  # onto nothing, or onto an empty folder
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES, errno.EPERM):
            raise
        for name in names:
            os.replace(inside / name, folder / name)
        _to_disk(folder)


def _take_name(draft: Path, target: Path, force: bool) -> None:
    """The draft under its name; without force never in the place of a file that came meanwhile."""
    if not force:
        try:
            os.link(draft, target)
            return
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if target.exists():
                raise FileExistsError from None
    os.replace(draft, target)


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A folder for drafts beside a target, on the same file system, gone afterwards."""
    clear(target)
    draft, lock = _locked(target.parent, target.name)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked(parent: Path, name: str) -> tuple[Path, int | None]:
    while True:
        draft = Path(tempfile.mkdtemp(dir=parent, prefix=f".{name[:100]}.", suffix=DRAFT))
        lock = _lock(draft)
        # Between the two lines above another export may have taken it for one that was left behind.
        if draft.exists():
            return draft, lock


def _lock(draft: Path) -> int | None:
    """A lock on a draft that its process holds until its end, however that comes; None where it cannot be had."""
    if fcntl is None:
        return None
    try:
        handle = os.open(draft, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def clear(target: Path) -> None:
    """Remove the drafts that killed exports of a target have left behind."""
    with suppress(OSError):
        for draft in target.parent.glob(f".{_literal(target.name[:100])}.*{DRAFT}"):
            lock = _lock(draft) if draft.is_dir() else None
            if lock is not None:
                shutil.rmtree(draft, ignore_errors=True)
                os.close(lock)


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _to_disk(path: Path) -> None:
    """Flush what the system still holds of a file or a folder: a name must not outlive the bytes behind it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(path: Path, error: OSError) -> NoReturn:
    said = f"{path}: cannot be written ({error.strerror or error})"
    if error.errno in MISPLACED:
        raise UsageError(f"{said}; give a place that can be written") from None
    raise WorkError(f"{said}: nothing is there under that name") from None
