"""A clone's whole story, read once: what it is, its commits in pages, then its tags and merged pull requests.

No table and no store is known here, so this can go on in a process of its own (`Ahead`) while the
program itself saves what has been read so far. Times are seconds since 1970.
"""

import gc
import marshal
import os
import queue
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple, NoReturn

from collectors.base import CollectorError
from collectors.claims import Claim, at_home, claim
from collectors.clone import PIPE, Clone, Entry, Refs
from collectors.handles import Handles
from collectors.merges import Commit, Merged, Unmade, pull_requests

PAGE = 5000  # commits at a time: a few megabytes, a quarter of a second to save

# The calendar's ends. git takes any number for a time, also those of a broken clock or a hostile hand.
FIRST, LAST = -62135596800, 253402300799


class Look(NamedTuple):
    """What a clone is before its history is read: its refs, the URL that it came from, and where a shallow one ends.

    ``edge``: the parents, which the clone has not, of each commit at its edge.
    """

    refs: Refs
    origin: str | None
    edge: dict[str, list[str]]


class Wish(NamedTuple):
    """How to read: counting the commits beforehand, with the files that each changed, in pages of a size."""

    watched: bool = False
    paths: bool = False
    size: int = PAGE


class Before(NamedTuple):
    """What an earlier reading told: the tips that it knew, those that no ref reaches any more, whose numbers it had."""

    known: Sequence[str] = ()
    lost: Sequence[str] = ()
    forges: list[str] = []  # noqa: RUF012  # never changed


WISH, NOTHING = Wish(), Before()

# One commit as it is kept: sha, parents, authored, committed, author, subject, message. The author is the handle
# of the e-mail address, else the name. A plain tuple, since there are so many and each goes through a pipe.
Line = tuple[str, str, int, int, str | None, str, str]


class Batch(NamedTuple):
    """A page of commits, how many there will be in all where that was asked for, and the files that each changed.

    ``paths`` is None where nobody asked for them, or where they cannot be had.
    """

    lines: list[Line]
    total: int | None
    paths: dict[str, list[str]] | None


class Tag(NamedTuple):
    """A tag on a commit; ``at`` is None where it has no time that could be told."""

    name: str
    sha: str
    at: int | None
    subject: str


class Rest(NamedTuple):
    """What comes after the commits.

    ``merged`` leaves out what was told before and can no longer be told as well. ``unmade`` are the
    pull requests that are no more, ``forges`` those whose numbers these are. ``accounts``: the handle and
    the account of each no-reply address. ``half_dated`` commits had one time that is none, and have the
    other one for both; ``undated`` ones had no time at all and were left out. ``pathless``: the files of
    some commits cannot be had.
    """

    tags: list[Tag]
    merged: list[Merged]
    unmade: list[Unmade]
    forges: list[str]
    accounts: list[tuple[str, str]]
    half_dated: int
    undated: int
    pathless: bool


def look(clone: Clone) -> Look:
    """What the clone is now. Raises CollectorError."""
    return Look(clone.refs(), clone.origin(), clone.edge())


def read(clone: Clone, seen: Look, who: Handles, wish: Wish = WISH, before: Before = NOTHING) -> Iterator[Batch | Rest]:
    """The commits that are not known, page by page, then the rest, which is told anew each time. Raises CollectorError."""
    refs, _, edge = seen
    known, lost, _ = before
    tips = list(refs.tips.values())
    total = clone.count(tips, known) if wish.watched else None
    news, files = _History(who, edge), _Files(clone, edge, wish.paths)
    for entries in clone.log(tips, known, wish.size):
        lines = news.lines(entries)
        yield Batch(lines, total, files.of(lines))
    history = news
    if known:
        # A new merge may bring commits that were there before on another branch, so all must be known.
        history = _History(who, edge)
        for entries in clone.log(tips):
            history.lines(entries)
    ghosts = _History(who, edge)
    for entries in clone.log(lost, tips):
        ghosts.lines(entries)
    tags = [Tag(tag.name, tag.sha, _time(tag.at), who.scrub(tag.subject)) for tag in clone.tags()]
    told = {**ghosts.commits, **history.commits} if lost else history.commits
    merged, unmade, forges = _made(told, history.claims, ghosts, refs.tip, before.forges, bool(edge))
    # What a shallow clone can no longer tell was told when it could.
    merged = [pull for pull in merged if pull.sure or pull.sha in news.commits]
    yield Rest(tags, merged, unmade, forges, history.accounts(), news.half_dated, news.undated, files.missing)


def _made(
    told: Mapping[str, Commit], claims: list[Claim], ghosts: "_History", tip: str | None, before: list[str], shallow: bool
) -> tuple[list[Merged], list[Unmade], list[str]]:
    """The pull requests, those that are no more, and the forges whose numbers they have."""
    forges = at_home(claims)
    gone = set(ghosts.commits)
    if before and set(before) != forges:  # the history has moved: what the forge before had numbered goes
        gone |= {one.sha for one in claims if one.forge not in forges}
    else:
        claims = [one for one in claims if one.forge in forges]
    merged, unmade = pull_requests(told, claims + ghosts.claims, tip, gone, shallow)
    return merged, unmade, sorted(forges)


class _Files:
    """The files that commits changed, until the clone cannot tell."""

    def __init__(self, clone: Clone, edge: Collection[str], wanted: bool) -> None:
        self.clone, self.edge, self.wanted, self.missing = clone, edge, wanted, False

    def of(self, lines: Iterable[Line]) -> dict[str, list[str]] | None:
        """The files by commit. One at the edge of a shallow clone looks as if it had made every file."""
        if not self.wanted or self.missing:
            return None
        try:
            return self.clone.paths([line[0] for line in lines if line[0] not in self.edge])
        except CollectorError:  # a partial clone may lack even the folders
            self.missing = True
            return None


class _History:
    """The commits read so far, as far as walks and claims need them."""

    def __init__(self, who: Handles, edge: Mapping[str, list[str]]) -> None:
        self.who, self.edge = who, edge
        self.commits: dict[str, Commit] = {}
        self.claims: list[Claim] = []
        self.authors: dict[str, str] = {}
        self.half_dated = self.undated = 0

    def lines(self, entries: Iterable[Entry]) -> list[Line]:
        """The commits as they are kept; those without any time are remembered only."""
        return [line for entry in entries if (line := self._line(entry)) is not None]

    def accounts(self) -> list[tuple[str, str]]:
        """The handle and the account of each no-reply address among the authors."""
        found = ((handle, self.who.login(address)) for address, handle in self.authors.items())
        return sorted({(handle, login) for handle, login in found if login is not None})

    def _line(self, entry: Entry) -> Line | None:
        sha, parents, told_authored, told_committed, email, name, message = entry
        authored, committed = _time(told_authored), _time(told_committed)
        author = self.authors.get(email) or self._author(email, name)
        if authored is None or committed is None:
            authored = committed = committed if authored is None else authored
            self.half_dated += authored is not None
            self.undated += authored is None
        if self.edge and sha in self.edge:
            parents = " ".join(self.edge[sha])
        self.commits[sha] = Commit(parents.split(), authored, author)
        if authored is None or committed is None:
            return None
        message = self.who.scrub(message.strip("\n"))
        if (claimed := claim(sha, message, committed)) is not None:
            self.claims.append(claimed)
        return sha, parents, authored, committed, author, message.partition("\n")[0].strip(), message

    def _author(self, email: str, name: str) -> str | None:
        if not email.strip():
            return self.who.scrub(name.strip()) or None
        self.authors[email] = handle = self.who.mail(email)
        return handle


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

    def __init__(self, clone: Clone, who: Handles, wish: Wish) -> None:
        ours, theirs = _pipe()
        # A copy of this process has everything loaded; a new one would have to load it first.
        self.process = os.fork()
        if not self.process:
            os.close(ours)
            _tell(theirs, clone, who, wish)
        os.close(theirs)
        self.stream, self.stopped = os.fdopen(ours, "rb"), False
        self.told: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    @staticmethod
    def may_begin() -> bool:
        """Whether it can: a copy of a process with several threads might wait for ever for what one of the others held."""
        return hasattr(os, "fork") and threading.active_count() == 1

    def _listen(self) -> None:
        """Take what the process tells at once, or it would stand still until we are ready."""
        try:
            with self.stream:
                for message in _received(self.stream):
                    if self.stopped:
                        break
                    self.told.put(message)
        finally:
            self.told.put(("end", None))
            os.waitpid(self.process, 0)

    def look(self) -> Look:
        """What the clone was when the reading began. Raises CollectorError."""
        _, (tips, default, tip, origin, edge) = self._next()
        return Look(Refs(tips, default, tip), origin, edge)

    def read(self) -> Iterator[Batch | Rest]:
        """As `read` of a clone of which nothing is known. Raises CollectorError."""
        while True:
            kind, told = self._next()
            if kind == "batch":
                yield Batch(*told)
            else:
                tags, merged, unmade, *rest = told
                yield Rest([*map(Tag._make, tags)], [*map(Merged._make, merged)], [*map(Unmade._make, unmade)], *rest)
                return

    def _next(self) -> tuple[str, Any]:
        kind, told = self.told.get()
        if kind == "error":
            raise CollectorError(told)
        if kind == "end":
            raise CollectorError("the process that read the clone ended before its end: run it again")
        return kind, told

    def stop(self) -> None:
        """Nobody will listen any more: the process ends when it next tells something."""
        self.stopped = True


def _pipe() -> tuple[int, int]:
    """A pipe's two ends, with room for a page, so that nobody waits for the other one at each few lines."""
    import fcntl  # there is none where no process can be copied

    ours, theirs = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # a user may have no more room for pipes
            fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE)
    return ours, theirs


def _received(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    while len(size := stream.read(8)) == 8:
        yield marshal.loads(stream.read(int.from_bytes(size, "big")))  # noqa: S302  # from our own process, of our own interpreter


def _sent(stream: IO[bytes], kind: str, told: Any) -> None:
    message = marshal.dumps((kind, told))
    stream.write(len(message).to_bytes(8, "big") + message)
    stream.flush()


def _tell(pipe: int, clone: Clone, who: Handles, wish: Wish) -> NoReturn:
    """Tell all into a pipe, and end without a word: what the process was copied from goes on elsewhere."""
    try:
        gc.disable()  # a history has no cycles, and to look for some would take a quarter of the time
        with os.fdopen(pipe, "wb") as stream:
            _told(stream, clone, who, wish)
    finally:
        os._exit(0)


def _told(stream: IO[bytes], clone: Clone, who: Handles, wish: Wish) -> None:
    """All that `Ahead` wants to hear; only plain tuples can be sent."""
    try:
        seen = look(clone)
        refs = seen.refs
        _sent(stream, "look", (refs.tips, refs.default, refs.tip, seen.origin, seen.edge))
        for part in read(clone, seen, who, wish):
            if isinstance(part, Batch):
                _sent(stream, "batch", tuple(part))
            else:
                rows = [[tuple(one) for one in some] for some in (part.tags, part.merged, part.unmade)]
                _sent(stream, "rest", (*rows, *part[len(rows) :]))
    except CollectorError as error:
        _sent(stream, "error", str(error))
