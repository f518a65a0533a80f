"""The commit graph of one repository, in memory: who brought which commit first. Plain dicts, each commit visited once."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import pandas as pd

from vsm.frames import plain


@dataclass(frozen=True)
class CommitGraph:
    """Parents by sha, the first parent first. Commits that were never read have no entry."""

    parents: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, commits: pd.DataFrame) -> "CommitGraph":
        """From the commits of one repository."""
        told = zip(plain(commits["sha"]), plain(commits["parents"]), strict=True)
        return cls({sha: tuple(text.split()) if text else () for sha, text in told})

    def __contains__(self, sha: object) -> bool:
        return sha in self.parents

    def unseen(self, tip: str, seen: set[str]) -> list[str]:
        """The commits reachable from a tip that are not yet in `seen`, which then has them; newest first, roughly."""
        found, stack, known = [], [tip], self.parents
        while stack:
            sha = stack.pop()
            if sha not in seen and (parents := known.get(sha)) is not None:
                seen.add(sha)
                found.append(sha)
                stack.extend(parents)
        return found

    @cached_property
    def edge(self) -> frozenset[str]:
        """The commits that have a parent which was never read, as at the edge of a shallow clone: none of a whole history."""
        unread = set(chain.from_iterable(self.parents.values())).difference(self.parents)
        return frozenset(sha for sha, parents in self.parents.items() if not unread.isdisjoint(parents)) if unread else frozenset()

    def single_parents(self, sha: str) -> Iterator[str]:
        """The commits before one, newest first, as far as neither it nor they are merges."""
        for here in self._first_parents(sha):
            if len(self.parents[here]) > 1:
                return
            if here != sha:
                yield here

    def main_line(self, landed: Iterable[str] = (), head: str | None = None, proposed: Container[str] = ()) -> list[str]:
        """The default branch's own line of first parents, oldest first.

        Where its newest commit (`head`) is not known, the line is inferred: the one with the most of
        the `landed` commits (known to be on the default branch), then one that ends in a commit that
        nothing follows, then the longest. Unmerged branches continue the default branch and look like
        it: where several do, the line ends with its last landed commit, and commits that a pull
        request has `proposed` never end it.
        """
        if head in self.parents:
            return list(self._first_parents(str(head)))[::-1]
        known = set(landed)
        tips = self._tips()
        if not tips:
            return []
        weight = self._weights(tips, known)
        best = max(tips, key=lambda sha: (weight[sha][0], tips[sha], weight[sha][1], sha))
        rivals = sum(nothing_follows and weight[sha][0] == weight[best][0] for sha, nothing_follows in tips.items())
        several = rivals > 1 and weight[best][0] > 0
        line = list(self._first_parents(best))[::-1]
        while line and line[-1] not in known and (several or line[-1] in proposed):
            line.pop()
        return line

    def _tips(self) -> dict[str, bool]:
        """The commits that are nobody's first parent, and whether they are nobody's other parent either.

        A branch into which the default branch was merged hides the default branch's newest commit behind it.
        """
        first = {parents[0] for parents in self.parents.values() if parents}
        other = {parent for parents in self.parents.values() for parent in parents[1:]}
        return {sha: sha not in other for sha in self.parents if sha not in first}

    def _first_parents(self, sha: str) -> Iterator[str]:
        seen = set()  # no real history goes in circles, but an imported one may say so
        while sha in self.parents and sha not in seen:
            yield sha
            seen.add(sha)
            parents = self.parents[sha]
            if not parents:
                return
            sha = parents[0]

    def _weights(self, tips: Iterable[str], landed: set[str]) -> dict[str, tuple[int, int]]:
        """For each commit on some tip's line: how many landed commits its line has, and how many commits."""
        weight: dict[str, tuple[int, int]] = {}
        for tip in tips:
            line = []
            for sha in self._first_parents(tip):
                if sha in weight:
                    break
                line.append(sha)
            for sha in reversed(line):
                parents = self.parents[sha]
                merges, length = weight.get(parents[0], (0, 0)) if parents else (0, 0)
                weight[sha] = (merges + (sha in landed), length + 1)
        return weight
