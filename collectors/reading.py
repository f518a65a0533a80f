"""A clone's whole story, read once: what it is, its commits in pages, then its tags and merged pull requests.

No table and no store is known here, so this can begin in a process of its own (`Ahead`) while the
program itself still loads its tables, which takes longer than git needs for a history of 20,000 commits.
Times are seconds since 1970.
"""

import marshal
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from collectors.base import CollectorError
from collectors.clone import Clone, Entry, Refs
from collectors.merges import Claim, Commit, Merged, claim, pull_requests

PAGE = 5000  # commits at a time: a few megabytes, a quarter of a second to save

# The calendar's ends. git takes any number for a time, also those of a broken clock or a hostile hand.
FIRST, LAST = -62135596800, 253402300799


class Look(NamedTuple):
    """What a clone is before its history is read: its refs, and the URL that it came from."""

    refs: Refs
    origin: str | None


# One commit as it is kept: sha, parents, authored, committed, author, subject, message. The author is the
# e-mail address in lower case, else the name. A plain tuple, since there are so many and each goes through a pipe.
Line = tuple[str, str, int, int, str | None, str, str]


class Batch(NamedTuple):
    """A page of commits, and how many there will be in all where that was asked for."""

    lines: list[Line]
    total: int | None


class Tag(NamedTuple):
    """A tag on a commit; ``at`` is None where it has no time that could be told."""

    name: str
    sha: str
    at: int | None
    subject: str


class Rest(NamedTuple):
    """What comes after the commits.

    ``half_dated`` commits had one time that is none, and have the other one for both; ``undated``
    ones had no time at all and were left out.
    """

    tags: list[Tag]
    merged: list[Merged]
    half_dated: int
    undated: int


def look(clone: Clone) -> Look:
    """What the clone is now. Raises CollectorError."""
    return Look(clone.refs(), clone.origin())


def read(clone: Clone, refs: Refs, known: list[str], watched: bool = False, size: int = PAGE) -> Iterator[Batch | Rest]:
    """The commits that the known ones do not reach, page by page, then the rest, which is told anew each time.

    Raises CollectorError.
    """
    tips = list(refs.tips.values())
    total = clone.count(tips, known) if watched else None
    news = _History()
    for entries in clone.log(tips, known, size):
        yield Batch(news.lines(entries), total)
    history = news
    if known:
        # A new merge may bring commits that were there before on another branch, so all must be known.
        history = _History()
        for entries in clone.log(tips):
            history.lines(entries)
    tags = [Tag(tag.name, tag.sha, _time(tag.at), tag.subject) for tag in clone.tags()]
    yield Rest(tags, pull_requests(history.commits, history.claims, refs.tip), news.half_dated, news.undated)


class _History:
    """The commits read so far, as far as walks and claims need them."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {}
        self.claims: list[Claim] = []
        self.half_dated = self.undated = 0

    def lines(self, entries: Iterable[Entry]) -> list[Line]:
        """The commits as they are kept; those without any time are remembered only."""
        return [line for entry in entries if (line := self._line(entry)) is not None]

    def _line(self, entry: Entry) -> Line | None:
        sha, parents, told_authored, told_committed, email, name, message = entry
        authored, committed = _time(told_authored), _time(told_committed)
        author = email.strip().lower() or name.strip() or None
        if authored is None or committed is None:
            authored = committed = committed if authored is None else authored
            self.half_dated += authored is not None
            self.undated += authored is None
        self.commits[sha] = Commit(parents.split(), authored, author)
        if authored is None or committed is None:
            return None
        message = message.strip("\n")
        if (claimed := claim(sha, message, committed)) is not None:
            self.claims.append(claimed)
        return sha, parents, authored, committed, author, message.partition("\n")[0].strip(), message


def _time(told: str) -> int | None:
    """Seconds as git prints them; None for none, and for what is beyond the calendar."""
    try:
        seconds = int(told)
    except ValueError:
        return None
    return seconds if FIRST <= seconds <= LAST else None


# In a process of its own. ------------------------------------------------------------------------


class Ahead:
    """The first reading of a clone, begun in a process of its own and read from there as it comes."""

    def __init__(self, clone: Clone, watched: bool) -> None:
        # -P: what lies in the working folder is not ours to run.
        command = [sys.executable, "-P", "-m", __name__, str(clone.path), "watched" if watched else ""]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.told: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Take what the process tells at once, or it would stand still until we are ready."""
        try:
            with self.process:
                for message in _received(cast(IO[bytes], self.process.stdout)):  # it is a pipe
                    self.told.put(message)
        finally:
            self.told.put(("end", None))

    def look(self) -> Look:
        """What the clone was when the reading began. Raises CollectorError."""
        _, (tips, default, tip, origin) = self._next()
        return Look(Refs(tips, default, tip), origin)

    def read(self) -> Iterator[Batch | Rest]:
        """As `read` of a clone of which nothing is known. Raises CollectorError."""
        while True:
            kind, told = self._next()
            if kind == "batch":
                lines, total = told
                yield Batch(lines, total)
            else:
                tags, merged, half_dated, undated = told
                yield Rest(list(map(Tag._make, tags)), list(map(Merged._make, merged)), half_dated, undated)
                return

    def _next(self) -> tuple[str, Any]:
        kind, told = self.told.get()
        if kind == "error":
            raise CollectorError(told)
        if kind == "end":
            raise CollectorError("the process that read the clone ended before its end: run it again")
        return kind, told

    def stop(self) -> None:
        """Nobody will listen any more."""
        self.process.kill()


def _received(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    while len(size := stream.read(8)) == 8:
        yield marshal.loads(stream.read(int.from_bytes(size, "big")))  # noqa: S302  # from our own process, of our own interpreter


def _sent(stream: IO[bytes], kind: str, told: Any) -> None:
    message = marshal.dumps((kind, told))
    stream.write(len(message).to_bytes(8, "big") + message)
    stream.flush()


def _told(stream: IO[bytes], clone: Clone, watched: bool) -> None:
    """All that `Ahead` wants to hear; only plain tuples can be sent."""
    try:
        refs, origin = look(clone)
        _sent(stream, "look", (refs.tips, refs.default, refs.tip, origin))
        for part in read(clone, refs, [], watched):
            if isinstance(part, Batch):
                _sent(stream, "batch", (part.lines, part.total))
            else:
                tags, merged = [tuple(tag) for tag in part.tags], [tuple(pull) for pull in part.merged]
                _sent(stream, "rest", (tags, merged, part.half_dated, part.undated))
    except CollectorError as error:
        _sent(stream, "error", str(error))


if __name__ == "__main__":
    _told(sys.stdout.buffer, Clone(Path(sys.argv[1])), bool(sys.argv[2]))
