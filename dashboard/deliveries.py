"""Deliveries of webhooks: each kept once, in a file beside the store, until a harvest has asked what is new.

A line says that one came, from which hook, and what tells it from all others; never what was in it: the poll is the truth.
Every process that serves the same store on this machine appends to the same file, under a lock.
"""

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from vsm.errors import UsageError

WINDOW = 24 * 3600.0  # seconds for which a delivery is remembered, and a second one like it refused
LARGEST = 1_000_000  # bytes of the file, from which on what is older than the window is dropped
QUIET, LONGEST, APART = 10.0, 60.0, 60.0  # seconds without news before a harvest, of news at most, and between two harvests


@dataclass(frozen=True)
class Delivery:
    """One delivery: its hook, the kinds of sources that it says have news, and by what it is known again."""

    hook: str
    marks: tuple[str, ...]
    known_by: tuple[str, ...]  # its id, and a digest of its body


class Deliveries:
    """The file of deliveries."""

    def __init__(self, path: Path, window: float = WINDOW) -> None:
        self._path, self._window = path, window

    def take(self, told: Delivery, now: float) -> bool:
        """Keep a delivery, on the disk when this returns; False for one that was taken before."""
        with self._locked() as file:
            lines = list(self._lines(file))
            recent = {mark for line in lines if line["at"] > now - self._window for mark in line.get("known", ())}
            if recent & set(told.known_by):
                return False
            if file.tell() > LARGEST:
                self._shorten(file, lines, now)
            self._append(file, {"at": now, "hook": told.hook, "marks": list(told.marks), "known": list(told.known_by)})
        return True

    def forget(self, told: Delivery) -> None:
        """Let a delivery be made again: what it brought could not be saved."""
        with self._locked() as file:
            kept = [line for line in self._lines(file) if not set(line.get("known", ())) & set(told.known_by)]
            self._write(file, kept)

    def dirty(self) -> dict[str, tuple[float, float]]:
        """The kinds of sources that have news, each with when the first and the last of it came."""
        found: dict[str, tuple[float, float]] = {}
        if not self._path.exists():
            return found
        with self._locked() as file:
            for line in self._lines(file):
                for kind in line.get("harvested", ()):
                    found.pop(kind, None)
                for kind in line.get("marks", ()):
                    found[kind] = (found.get(kind, (line["at"],))[0], line["at"])
        return found

    def harvested(self, kinds: Sequence[str], now: float) -> None:
        """Write down that a harvest of these kinds begins: what came before is asked for by it."""
        with self._locked() as file:
            file.seek(0, os.SEEK_END)
            self._append(file, {"at": now, "harvested": list(kinds)})

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    @staticmethod
    def _lines(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
        """Every whole line; half a one is of a process that was killed while it wrote."""
        for line in file:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict) and isinstance(told.get("at"), (int, float)):
                yield told

    @staticmethod
    def _append(file: IO[bytes], line: Mapping[str, Any]) -> None:
        file.write(b"\n" + json.dumps(line).encode() + b"\n")  # its own line, also behind half a one
        file.flush()
        os.fsync(file.fileno())

    def _shorten(self, file: IO[bytes], lines: Sequence[Mapping[str, Any]], now: float) -> None:
        """Drop what no longer matters; what marks a source that no harvest has asked since stays."""
        last = max((place for place, line in enumerate(lines) if "harvested" in line), default=len(lines))
        self._write(file, [line for place, line in enumerate(lines) if line["at"] > now - self._window or place >= last])

    @staticmethod
    def _write(file: IO[bytes], lines: Sequence[Mapping[str, Any]]) -> None:
        file.seek(0)
        file.truncate()
        file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


class Worker(threading.Thread):
    """Starts a harvest of what has news, once it is quiet, beside the requests; for as long as the server lives."""

    def __init__(
        self, deliveries: Callable[[], Deliveries], harvest: Callable[[Sequence[str]], None], *,
        quiet: float = QUIET, longest: float = LONGEST, apart: float = APART, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        super().__init__(name="hooks", daemon=True)
        self._deliveries, self._harvest, self._clock = deliveries, harvest, clock
        self._quiet, self._longest, self._apart, self._last = quiet, longest, apart, -apart
        self._ended = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._ended.wait(min(self._quiet / 2, 5.0)):
            self.look()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def look(self) -> tuple[str, ...]:
        """Start a harvest where one is due; gives the kinds of sources that it asks."""
        now, deliveries = self._clock(), self._deliveries()
        news = deliveries.dirty().items()
        due = tuple(sorted(kind for kind, (first, last) in news if now - last >= self._quiet or now - first >= self._longest))
        if not due or now - self._last < self._apart:
            return ()
        try:
            self._harvest(due)
        except (UsageError, OSError):
            return ()  # one runs already, or none can: the news stays until one has asked for it
        deliveries.harvested(due, now)
        self._last = now
        return due
