"""All repositories' commits as one graph in memory. A commit is a number: its row among the facts' commits."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vsm.frames import Codes, Mask, places

NONE = -1  # no commit, or one that was never read


def keys(commits: pd.DataFrame) -> pd.Series:
    """Each commit's name in all repositories, from columns repository and sha."""
    return (commits["repository"] + "@" + commits["sha"]).astype("str")


@dataclass(frozen=True)
class History:
    """Who follows whom. Plain lists, since a walk asks for one commit at a time, and arrays, where all are asked at once.

    ``key``: by commit its `repo@sha`. ``first``: its first parent, NONE where it has none or that was never read.
    ``others``: of a merge all its parents that were read. ``several``: which have more than one parent, read or not.
    ``edge``: those with a parent that was never read, as at the edge of a shallow clone.
    """

    key: pd.Series
    rows: dict[str, Codes]
    first: list[int]
    others: dict[int, list[int]]
    several: Mask
    edge: frozenset[int]

    @classmethod
    def of(cls, commits: pd.DataFrame) -> "History":
        """From the facts' commits; ``rows`` by repository, in the order of their names."""
        key = keys(commits).reset_index(drop=True)
        child, parent = _parents(commits, key)
        count = np.bincount(child, minlength=len(key))
        begin = np.cumsum(count) - count
        first = np.full(len(key), NONE)
        first[count > 0] = parent[begin[count > 0]]
        others = {
            row: [one for one in parent[begin[row] : begin[row] + count[row]].tolist() if one != NONE]
            for row in np.flatnonzero(count > 1).tolist()
        }
        edge = frozenset(child[parent == NONE].tolist())
        homes = commits.reset_index(drop=True).groupby("repository").indices
        return cls(key, {str(name): homes[name] for name in sorted(homes)}, first.tolist(), others, count > 1, edge)

    def numbers(self, commits: pd.DataFrame) -> Codes:
        """The commits that a frame's columns repository and sha name; NONE where one was never read."""
        return places(keys(commits), self.key)

    def marked(self, numbers: Codes) -> Mask:
        """Which commits are among some; NONE is none of them."""
        found = np.zeros(len(self.key), dtype="bool")
        found[numbers[numbers != NONE]] = True
        return found

    def unseen(self, tip: int, seen: set[int]) -> list[int]:
        """The commits reachable from a tip that are not yet in `seen`, which then has them; newest first, roughly."""
        found, stack, first, others = [], [tip], self.first, self.others
        while stack:
            here = stack.pop()
            while here != NONE and here not in seen:
                seen.add(here)
                found.append(here)
                if here in others:
                    stack += others[here]
                    break
                here = first[here]
        return found

    def single_parents(self, commit: int) -> Iterator[int]:
        """The commits before one, newest first, as far as neither it nor they are merges."""
        for here in self.first_parents(commit):
            if self.several[here]:
                return
            if here != commit:
                yield here

    def first_parents(self, commit: int) -> Iterator[int]:
        """A commit and those before it, each the first parent of the one that it comes after."""
        seen = set()  # no real history goes in circles, but an imported one may say so
        while commit != NONE and commit not in seen:
            yield commit
            seen.add(commit)
            commit = self.first[commit]

    def main_line(self, repository: str, landed: Mask, proposed: Mask, head: int = NONE) -> list[int]:
        """The default branch's own line of first parents, oldest first.

        Where its newest commit (`head`) is not known, the line is inferred: the one with the most of
        the `landed` commits (known to be on the default branch), then one that ends in a commit that
        nothing follows, then the longest. Unmerged branches continue the default branch and look like
        it: where several do, the line ends with its last landed commit, and commits that a pull
        request has `proposed` never end it.
        """
        if head != NONE:
            return list(self.first_parents(head))[::-1]
        rows = self.rows.get(repository, np.zeros(0, dtype="int64"))
        tips = rows[~self._followed[rows]]
        if not len(tips):
            return []
        count, length = self._weights(tips.tolist(), landed)
        last = ~self._merged[tips]  # nothing follows, neither as first nor as another parent
        order = np.lexsort((length, last, count))
        top = order[-1]
        equal = (count == count[top]) & (last == last[top]) & (length == length[top])
        best = max(tips[equal].tolist(), key=self.key.array.__getitem__)
        most = int(count[top])
        several = most > 0 and int((last & (count == most)).sum()) > 1
        line = list(self.first_parents(best))[::-1]
        while line and not landed[line[-1]] and (several or proposed[line[-1]]):
            line.pop()
        return line

    @cached_property
    def _followed(self) -> Mask:
        """The commits that are some commit's first parent."""
        return self.marked(np.array(self.first, dtype="int64"))

    @cached_property
    def _merged(self) -> Mask:
        """The commits that are a merge's other parent: a branch into which the default branch was merged hides its end."""
        brought = [one for row, of in self.others.items() for one in (of[1:] if self.first[row] != NONE else of)]
        return self.marked(np.array(brought, dtype="int64"))

    def _weights(self, tips: list[int], landed: Mask) -> tuple[Codes, Codes]:
        """For each of the tips: how many landed commits its line of first parents has, and how many commits."""
        counts: dict[int, int] = {}
        lengths: dict[int, int] = {}
        is_landed = landed.tolist()
        for tip in tips:
            line = []
            for here in self.first_parents(tip):
                if here in counts:
                    break
                line.append(here)
            before = self.first[line[-1]] if line else NONE
            count, length = counts.get(before, 0), lengths.get(before, 0)
            for here in reversed(line):
                count, length = count + is_landed[here], length + 1
                counts[here], lengths[here] = count, length
        return np.array([counts[tip] for tip in tips], dtype="int64"), np.array([lengths[tip] for tip in tips], dtype="int64")


def _parents(commits: pd.DataFrame, key: pd.Series) -> tuple[Codes, Codes]:
    """Each commit with each of its parents, in their order; NONE for a parent that was never read."""
    told = pa.array(commits["parents"].array if len(commits) else [], type=pa.large_string(), from_pandas=True)
    told = told.combine_chunks() if isinstance(told, pa.ChunkedArray) else told
    words = pc.utf8_split_whitespace(told)
    child, sha = pc.list_parent_indices(words), pc.list_flatten(words)
    there = pc.not_equal(sha, "")
    child, sha = child.filter(there).to_numpy().astype("int64"), sha.filter(there)
    home = pd.Series(commits["repository"].array.take(child))
    named = pd.Series(pd.array(sha, dtype="str"))
    return child, places((home + "@" + named).astype("str"), key)
