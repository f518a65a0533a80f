"""How a harvest goes, for a program that watches: a small JSON file that is always whole.

The dashboard starts `vsm collect --progress FILE` as a program of its own and reads the file, whether or not
a page is open meanwhile. What is in it is what the record of the harvest in the store may hold: no secrets.
"""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from collectors.base import Page
from vsm.errors import UsageError, WorkError

if TYPE_CHECKING:
    from collectors.harvest import Outcome, Watcher

SELDOM = 0.3  # seconds between two writings while pages come
NOTES = 20  # warnings that are kept of a source: more than that is told on standard error only


class Record:
    """What the file says: each source with its state, pages, rows and error, and how the whole ended."""

    def __init__(self, path: Path) -> None:
        self.path, self.began, self.written = path, monotonic(), 0.0
        self.told: dict[str, Any] = {"pid": os.getpid(), "status": "running", "error": None, "sources": []}

    def planned(self, names: Sequence[str]) -> None:
        """Which sources have their turn."""
        self.told["sources"] = [
            {"source": name, "status": "waiting", "scope": "", "doing": "", "done": 0, "total": None, "pages": 0, "rows": 0}
            | {"new": 0, "changed": 0, "seconds": 0.0, "error": None, "until": None, "notes": []}
            for name in names
        ]
        self.write()

    def of(self, source: str) -> dict[str, Any]:
        """What is told of one source."""
        found: dict[str, Any] = next(one for one in self.told["sources"] if one["source"] == source)
        return found

    def write(self) -> None:
        """Put the file in its place as a whole, so that no reader sees half of it. A full disk must not end a harvest."""
        self.written = monotonic()
        beside = self.path.with_name(f"{self.path.name}.new")
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(self.told | {"seconds": round(monotonic() - self.began, 1)}, file, ensure_ascii=False)
            beside.replace(self.path)
        except OSError:
            pass

    def end(self, status: str, error: str | None = None) -> None:
        """The whole has ended."""
        self.told |= {"status": status, "error": error}
        self.write()


class Recorded:
    """A watcher that tells the file, and then another one."""

    def __init__(self, record: Record, then: "Watcher") -> None:
        self.record, self.then, self.began = record, then, monotonic()

    def begins(self, source: str, scope: str) -> None:
        """A source's turn has come."""
        self.began = monotonic()
        self.record.of(source).update(status="running", scope=scope)
        self.record.write()
        self.then.begins(source, scope)

    def page(self, source: str, page: Page) -> None:
        """A page has been saved."""
        told = self.record.of(source)
        told["rows"] += sum(len(rows) for table in (page.facts, page.fill) for rows in table.values())
        told["notes"] = [*told["notes"], *page.warnings][:NOTES]
        seconds = round(monotonic() - self.began, 1)
        told.update(pages=told["pages"] + 1, doing=page.doing, done=page.done, total=page.total, seconds=seconds)
        if monotonic() - self.record.written >= SELDOM:
            self.record.write()
        self.then.page(source, page)

    def ends(self, outcome: "Outcome") -> None:
        """A source is done, or has failed."""
        how = "done" if outcome.error is None else "failed" if outcome.until is None else "parked"
        self.record.of(outcome.source).update(
            status=how, scope=outcome.scope, rows=outcome.read.total(), new=outcome.new, changed=outcome.changed + outcome.gone,
            seconds=round(outcome.seconds, 1), error=outcome.error,
            until=outcome.until.astimezone(UTC).isoformat() if outcome.until else None,
        )  # fmt: skip
        self.record.write()
        self.then.ends(outcome)


@contextmanager
def recorded(path: Path | None) -> Iterator[Record | None]:
    """Tell a file how what follows goes and how it ends, whatever ends it; nothing without a file.

    Whoever watches stops us with a plain kill: that is the same as Ctrl-C then, so that the store's record says so, too.
    """
    if path is None:
        yield None
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    record = Record(path)
    record.write()
    try:
        yield record
    except KeyboardInterrupt:
        record.end("stopped")
        raise
    except (UsageError, WorkError) as error:
        # What failed at a source is told there, in its own words.
        failed = any(one["error"] for one in record.told["sources"])
        record.end("failed", None if failed else str(error))
        raise
    except Exception as error:
        record.end("failed", f"a mistake in the program ({type(error).__name__}): its log says where")
        raise
    else:
        record.end("done")
    finally:
        signal.signal(signal.SIGTERM, before)
