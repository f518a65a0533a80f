"""A whole store as one file, and back.

A backup is a ZIP of three: the store as a SQLite file (whatever it was kept in), the key of people's handles, and a
manifest with the size and checksum of the file and the rows of each table. So it can be checked without this program,
opened with any SQLite, and brought back into SQLite or PostgreSQL.
"""

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from vsm import store_copy
from vsm.errors import UsageError, WorkError
from vsm.outfiles import whole_file
from vsm.store import KNOWN, StoreError

FORMAT = 1
MANIFEST, STORE, KEY = "manifest.json", "store.db", "store.db.key"
BLOCK = 1 << 20
ROOM = 1 << 20  # bytes of a manifest or a key at most: what is longer is none of ours


@dataclass(frozen=True)
class Backup:
    """What a backup holds: the store's version, the rows of each table, whether the key of people's handles is with it."""

    version: str
    made_at: str
    rows: Mapping[str, int]
    key: bool


def backup(url: str, target: Path, *, at: datetime, force: bool = False) -> Backup:
    """Write all that a store holds to a file that only its owner can read, checked before it gets its name.

    Readers and a harvest go on meanwhile; the copy is of one state. Raises StoreError where there is no store or its
    file is damaged, UsageError for a file that is there already.
    """
    with whole_file(target, force) as draft, tempfile.TemporaryDirectory(dir=draft.parent) as aside:
        copy = Path(aside) / STORE
        rows = store_copy.to_file(url, copy)
        key = store_copy.key_file(url)
        told = {
            "format": FORMAT,
            "program": f"value-stream-dashboard {installed('value-stream-dashboard')}",
            "made_at": at.isoformat(),
            "version": store_copy.version_of(copy),
            "bytes": copy.stat().st_size,
            "sha256": _sum(copy),
            "rows": rows,
        }
        _write(draft, copy, told, key if key is not None and key.exists() else None)
        return check(draft)


def check(source: Path) -> Backup:
    """What a backup holds, once every byte and row of it has been checked. Raises UsageError where it is none or is damaged."""
    with _unpacked(source) as (_, found):
        return found


def restore(source: Path, url: str, *, at: datetime, force: bool = False) -> Backup:
    """Bring a backup back into a store, checked first; an older one is brought to the newest version behind it.

    All of it or nothing. Raises UsageError where the backup is damaged or, unless `force`, the store has something.
    """
    with _unpacked(source) as (file, found):
        store_copy.from_file(file, url, force, at)
        key = store_copy.key_file(url)
        if key is not None and found.key:
            _take_key(file.with_name(KEY), key, force)
    return found


def _write(draft: Path, copy: Path, told: Mapping[str, Any], key: Path | None) -> None:
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(MANIFEST, json.dumps(told, indent=2) + "\n")
        if key is not None:
            archive.write(key, KEY)
        archive.write(copy, STORE)


@contextmanager
def _unpacked(source: Path) -> Iterator[tuple[Path, Backup]]:
    """The store's file of a backup in a folder that goes again, and what the backup says it holds: proved."""
    if not source.is_file():
        raise UsageError(f"no backup at {source}: expected a file that `vsm backup FILE` has written")
    with tempfile.TemporaryDirectory(dir=source.resolve().parent if os.access(source.resolve().parent, os.W_OK) else None) as aside:
        file = Path(aside) / STORE
        try:
            with zipfile.ZipFile(source) as archive:
                told = _manifest(archive)
                _extract(archive, STORE, file, int(told["bytes"]))
                has_key = KEY in archive.namelist()
                if has_key:
                    _extract(archive, KEY, file.with_name(KEY), ROOM)
        except (zipfile.BadZipFile, EOFError, KeyError, TypeError, ValueError, NotImplementedError, OSError, zlib.error) as error:
            raise UsageError(f"{source} is not a whole backup ({_why(error)}): use another one; nothing was changed") from None
        if _sum(file) != told["sha256"]:
            raise UsageError(f"{source} is damaged: its store is not what was written; use another one; nothing was changed")
        if told["version"] not in KNOWN:
            raise StoreError(f"{source} was made by a newer version of this program ({told['version']}): update the program")
        held = store_copy.sound(file)
        if held != told["rows"]:
            raise UsageError(f"{source} is damaged: it does not hold the rows that its manifest tells; use another one")
        yield file, Backup(str(told["version"]), str(told["made_at"]), held, has_key)


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    if archive.getinfo(MANIFEST).file_size > ROOM:
        raise ValueError("its manifest is too long")
    told = json.loads(archive.read(MANIFEST))
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    missing = {"version", "made_at", "bytes", "sha256", "rows"} - set(told)
    if missing:
        raise ValueError(f"its manifest lacks {', '.join(sorted(missing))}")
    return told


def _extract(archive: zipfile.ZipFile, name: str, target: Path, most: int) -> None:
    """One file of an archive, no more than the bytes it may have: an archive from elsewhere may promise little and hold a lot."""
    left = most
    with archive.open(name) as packed, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while block := packed.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise ValueError(f"{name} is longer than {most:,} bytes")
            out.write(block)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _why(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__


def _take_key(kept: Path, target: Path, force: bool) -> None:
    """The key beside the store: without it the next harvest would give everybody another handle."""
    if target.exists() and target.read_bytes() != kept.read_bytes() and not force:
        raise WorkError(
            f"the store is back, but {target} holds another key of people's handles: --force takes the backup's,"
            " or people will have two handles from the next harvest on"
        )
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(kept.read_bytes())
    os.replace(draft, target)
