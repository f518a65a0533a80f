"""How many lines each merged pull request changed: worked out once a merge, and kept.

Two commits say it all, so what has been worked out holds for as long as the merge is there. git opens every
changed file to count, which takes as long for one merge as reading a hundred commits: hence the cursors,
each of a bounded size, that are saved as the work goes on.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from collectors.base import Page
from collectors.clone import Clone
from collectors.merges import Merged

CHUNK = 500  # sizes in one cursor, and worked out between two pages
IN_A_ROW = 50  # merges of which the clone lacks a file, until it is plain that it lacks most

Pair = tuple[str, str | None]
ADDED, DELETED = re.compile(r"(\d+) insertion"), re.compile(r"(\d+) deletion")


@dataclass
class Sizes:
    """The sizes of a clone's merges: lines added and deleted by sha, None for a merge whose files the clone lacks."""

    resource: str
    known: dict[str, list[int] | None] = field(default_factory=dict)
    chunks: list[list[str]] = field(default_factory=list)
    stale: int = 0  # cursors of a reading before, all of which is worked out again
    untold: int = 0

    @classmethod
    def kept(cls, cursors: Mapping[str, Mapping[str, Any]], resource: str, anew: bool = False) -> Self:
        """What the cursors have; with `anew` all is to be worked out again."""
        names = [name for name in map(cls(resource).name, range(len(cursors))) if name in cursors]
        if anew:
            return cls(resource, stale=len(names))
        told = [cursors[name]["sizes"] for name in names]
        return cls(resource, {sha: size for some in told for sha, size in some.items()}, [list(some) for some in told])

    def name(self, chunk: int) -> str:
        """A cursor's name; that of a clone is an absolute path, which none of these can be."""
        return f"sizes {chunk} of {self.resource}"

    def of(self, sha: str) -> tuple[int | None, int | None]:
        """Lines added and deleted, both None where they are not known."""
        added, deleted = self.known.get(sha) or (None, None)
        return added, deleted

    def pages(self, clone: Clone, repository: str, merged: Iterable[Merged], edge: Collection[str], done: int) -> Iterator[Page]:
        """Work out what is not known, the newest first; of a merge at the `edge` of a shallow clone it cannot be."""
        told = [pull for pull in merged if pull.base is None or pull.sha not in edge]
        pairs = [(pull.sha, pull.base) for pull in sorted(told, key=lambda pull: (-pull.merged, pull.sha))]
        for cursors in self._worked_out(clone, pairs):
            known = sum(sha in self.known for sha, _ in pairs)
            doing = f"{repository}: the sizes of {known:,} of {len(pairs):,} pull requests"
            yield Page(cursors=cursors, requests=1, done=done, doing=doing)
        self.untold = sum(self.known.get(sha) is None for sha, _ in pairs)

    def warnings(self, repository: str) -> Iterator[str]:
        """What could not be told, in a sentence."""
        if self.untold:
            yield (
                f"{repository}: the size of {self.untold:,} merged pull requests cannot be told, since the clone lacks files (as"
                " one with --filter=blob:none does): complete the clone and harvest it with --full, or leave out change_size"
            )

    def _worked_out(self, clone: Clone, pairs: Sequence[Pair]) -> Iterator[dict[str, dict[str, Any]]]:
        """The cursors to save, some at a time."""
        unknown = [pair for pair in pairs if pair[0] not in self.known]
        for start in range(0, len(unknown), CHUNK):
            some = unknown[start : start + CHUNK]
            news = dict(_told(clone, some))
            yield self._put(news)
            if len(news) < len(some):
                break
        if self.stale > len(self.chunks):
            yield {self.name(chunk): {"sizes": {}} for chunk in range(len(self.chunks), self.stale)}

    def _put(self, news: Mapping[str, list[int] | None]) -> dict[str, dict[str, Any]]:
        self.known.update(news)
        changed = set()
        for sha in news:
            if not self.chunks or len(self.chunks[-1]) >= CHUNK:
                self.chunks.append([])
            self.chunks[-1].append(sha)
            changed.add(len(self.chunks) - 1)
        return {self.name(chunk): {"sizes": {sha: self.known[sha] for sha in self.chunks[chunk]}} for chunk in sorted(changed)}


def _told(clone: Clone, pairs: Sequence[Pair]) -> Iterator[tuple[str, list[int] | None]]:
    """Each commit's size in turn, None where the clone lacks a file; it ends early where it lacks nearly all of them."""
    failed = 0
    while pairs and failed < IN_A_ROW:
        answers, ended = clone.shortstat(pairs)
        if not ended and answers and not answers[-1][1]:
            del answers[-1]  # it may have been cut short
        yield from ((sha, _counted(told)) for sha, told in answers)
        pairs = pairs[len(answers) :]
        failed = 0 if answers else failed
        if not ended:
            alone, told = clone.shortstat(pairs[:1])
            yield pairs[0][0], _counted(alone[0][1]) if told else None
            pairs = pairs[1:]
            failed = 0 if told else failed + 1


def _counted(told: str) -> list[int]:
    """Lines added and deleted, of git's one line about a change.

    >>> _counted(" 3 files changed, 1 insertion(+), 12 deletions(-)"), _counted(" 1 file changed, 2 insertions(+)"), _counted("")
    ([1, 12], [2, 0], [0, 0])
    """
    found = (form.search(told) for form in (ADDED, DELETED))
    return [int(number[1]) if number else 0 for number in found]
