"""The commit graph of one repository, in memory: who brought which commit first. Plain dicts, each commit visited once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class CommitGraph:
    """Parents by sha, the first parent first. Commits that were never read have no entry."""

    parents: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, commits: pd.DataFrame) -> "CommitGraph":
        """From the commits of one repository."""
        parents = commits["parents"].fillna("")
        return cls({sha: tuple(text.split()) for sha, text in zip(commits["sha"], parents, strict=True)})

    def __contains__(self, sha: object) -> bool:
        return sha in self.parents

    def unseen(self, tip: str, seen: set[str]) -> list[str]:
        """The commits reachable from a tip that are not yet in `seen`, which then has them; newest first, roughly."""
        found, stack = [], [tip]
        while stack:
            sha = stack.pop()
            if sha in seen or sha not in self.parents:
                continue
            seen.add(sha)
            found.append(sha)
            stack.extend(self.parents[sha])
        return found

    def main_line(self, landed: Iterable[str] = ()) -> list[str]:
        """The default branch's own line of first parents, oldest first.

        Which commit a branch points at is not a fact, so it is inferred: of the commits that are
        nobody's parent, the one whose line has the most of the `landed` commits (merges that a
        source says went to the default branch), then the longest line.
        """
        has_child = {parent for parents in self.parents.values() for parent in parents}
        heads = [sha for sha in self.parents if sha not in has_child]
        if not heads:
            return []
        weight = self._weights(heads, set(landed))
        return list(self._first_parents(max(heads, key=lambda sha: (*weight[sha], sha))))[::-1]

    def _first_parents(self, sha: str) -> Iterator[str]:
        while sha in self.parents:
            yield sha
            parents = self.parents[sha]
            if not parents:
                return
            sha = parents[0]

    def _weights(self, heads: list[str], landed: set[str]) -> dict[str, tuple[int, int]]:
        """For each commit on some head's line: how many landed commits its line has, and how many commits."""
        weight: dict[str, tuple[int, int]] = {}
        for head in heads:
            line = []
            for sha in self._first_parents(head):
                if sha in weight:
                    break
                line.append(sha)
            for sha in reversed(line):
                parents = self.parents[sha]
                merges, length = weight.get(parents[0], (0, 0)) if parents else (0, 0)
                weight[sha] = (merges + (sha in landed), length + 1)
        return weight
