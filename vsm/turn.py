"""Whose turn it is to harvest into a store: one at a time on a machine, started from a terminal or from a page.

The turn is a lock on a file beside the store. The system takes it back from whoever ends, also from who was killed, so
that none is ever left behind. A page's harvest inherits it: its output goes to that file.
"""

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from vsm.errors import UsageError

TAKEN = "a harvest of this store runs already: wait for its end, or stop it"


def place(store: str, ending: str) -> Path:
    """The file of an ending beside a SQLite file; of another store in the user's own folder for such things."""
    scheme, _, rest = store.partition(":///")
    file = rest.partition("?")[0]
    if scheme.partition("+")[0] == "sqlite" and file and not file.startswith((":memory:", "file:")):
        return Path(f"{os.path.realpath(unquote(file))}.harvest.{ending}")
    name = hashlib.sha256(store.rpartition("@")[2].encode()).hexdigest()[:16]
    return _folder() / f"{name}.harvest.{ending}"


def _folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "vsm"


def opened(store: str) -> IO[bytes]:
    """The file whose lock is the turn. Raises OSError where none can be written."""
    log = place(store, "log")
    if log.parent == _folder():
        log.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(log, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


def take(file: IO[bytes]) -> bool:
    """Take the turn until the file is closed; whether nobody else has it."""
    for _ in range(20):  # a page that only looks holds it for a moment
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def taken(store: str) -> bool:
    """Whether a living process has the turn."""
    try:
        with place(store, "log").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def own(store: str) -> Iterator[None]:
    """Do what follows as the only one. Raises UsageError where another harvest runs.

    Where no file can be written (a store on a server, and no folder of one's own) nobody is kept out.
    """
    if _given(store):
        yield
        return
    try:
        file = opened(store)
    except OSError:
        yield
        return
    with file:
        if not take(file):
            raise UsageError(TAKEN)
        yield


def _given(store: str) -> bool:
    """Whether who started us took the turn for us: our output goes to the very file that is locked."""
    try:
        ours, locked = os.fstat(sys.__stdout__.fileno()) if sys.__stdout__ else None, place(store, "log").stat()
    except (OSError, ValueError):
        return False
    return ours is not None and os.path.samestat(ours, locked)
