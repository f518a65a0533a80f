"""A harvest from a page: a program of its own, which goes on when the page is closed or the server ends.

Two files lie beside the store. `….harvest.json` is written by the harvest (`vsm collect --progress`) and says how it
goes. `….harvest.log` has what it prints; the harvest holds a lock on it (`vsm.turn`) for as long as it lives, whoever
started it, so that there are never two for one store and a killed one is seen to be gone.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from vsm import turn
from vsm.errors import UsageError

CALL = [sys.executable, "-P", "-m", "vsm", "collect", "--progress"]


@dataclass(frozen=True)
class Harvest:
    """How a harvest goes, or how the last one ended.

    ``status``: running, done, failed, stopped, or killed (it is gone and had no time to say so).
    ``error``: what was wrong with all of it; ``sources``: each one's state, as the file has it. ``ended``: when.
    ``elsewhere``: it was not started from a page, so that the file tells of another one.
    """

    status: str
    running: bool
    error: str | None = None
    seconds: float = 0.0
    sources: tuple[Mapping[str, Any], ...] = field(default=())
    ended: datetime | None = None
    elsewhere: bool = False


def state(store: str, now: datetime) -> Harvest | None:
    """How the harvest of a store goes; None where none was ever started from a page."""
    running, told = turn.taken(store), _told(turn.place(store, "json"))
    if running and not _writes(told):
        return Harvest("running", running=True, elsewhere=True)
    if not told:
        return None
    written, seconds, sources = told["written"], told["seconds"], tuple(told["sources"])
    if running:
        # Between two pages nothing is written, and time goes on.
        return Harvest("running", True, None, seconds + (now - written) / timedelta(seconds=1), sources)
    status = "killed" if told["status"] == "running" else told["status"]
    return Harvest(status, False, told["error"], seconds, sources, written)


def begin(store: str, config: str | None, sources: Sequence[str] = ()) -> None:
    """Start a harvest of all sources, or of those named. Raises UsageError where one runs, or nothing can be written."""
    log = turn.place(store, "log")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        opened = turn.opened(store)
    except OSError as error:
        raise UsageError(f"{log} cannot be written ({error.strerror}): start `vsm collect` where the store lies") from None
    with opened as file:
        if not turn.take(file):
            raise UsageError(turn.TAKEN)
        file.truncate(0)
        # What the last one said goes; if this one dies before its first word, that is seen, too.
        turn.place(store, "json").write_text(json.dumps({"pid": 0, "status": "running", "sources": []}), encoding="utf-8")
        # What it prints goes to the file that is locked: it inherits the lock, which ends with it. The store's URL
        # may have a password and so goes by the environment, where no list of processes shows it.
        call = [*CALL, str(turn.place(store, "json")), *(["--config", config] if config else []), "--", *sources]
        environment = os.environ | {"VSM_STORE": store}
        process = subprocess.Popen(
            call, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, start_new_session=True
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that no dead process stays behind


def stop(store: str) -> None:
    """Ask the running harvest to end; what it has saved stays. One that has ended is left alone."""
    told = _told(turn.place(store, "json"))
    if told.get("pid") and turn.taken(store):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(told["pid"], signal.SIGTERM)  # with its helpers, as Ctrl-C would


def _writes(told: Mapping[str, Any]) -> bool:
    """Whether who has the turn writes the file: one that has only begun, or lives."""
    if not told or told["status"] != "running":
        return False
    try:
        os.kill(told["pid"], 0)  # 0, until it has said its own: we live
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


def _told(path: Path) -> dict[str, Any]:
    """What the file says, with the time at which it was written; nothing where there is none."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return {
            "error": None,
            "seconds": 0.0,
            "pid": 0,
            **told,
            "written": written,
            "status": told["status"],
            "sources": told["sources"],
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}
