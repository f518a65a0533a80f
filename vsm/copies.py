"""Copies: commits of release branches that bring a change of the default branch by another name (cherry-picks, rebases)."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vsm.frames import Codes, Mask, plain
from vsm.history import NONE
from vsm.store import Facts
from vsm.working_time import micros

PICKED = re.compile(r"\(cherry picked from commit ([0-9a-f]{7,64})\)")
SAID, LIKE = "a cherry-pick of it, as its message says", "a copy of it: the same subject and author date"
Key = tuple[str, pd.Timestamp, str]  # repository, author date, subject


@dataclass(frozen=True)
class Copies:
    """``of``: by commit what it is a copy of: change, the copied commit, and how that is known.

    ``need``: the commits of each change that must be there before the change is. A copy of its merge
    is a copy of all of it. Commits and changes are numbers, as in `changes.Changes`.
    """

    of: dict[int, list[tuple[int, int, str]]] = field(default_factory=dict)
    need: dict[int, frozenset[int]] = field(default_factory=dict)

    def brought(self, fresh: list[int], got: dict[int, set[int]]) -> list[tuple[int, str]]:
        """The changes that some commits complete, and how that is known; `got` remembers what was there before."""
        found = []
        for commit in fresh if self.of else ():
            for change, original, rule in self.of.get(commit, ()):
                there = got.setdefault(change, set())
                there.add(original)
                if original not in self.need[change] or there >= self.need[change]:
                    found.append((change, rule))
        return found


def copies(facts: Facts, came: Codes, merges: Mask) -> Copies:
    """Find the copies. `came`: by commit the change that it came with to a default branch; `merges`: which are a change's own."""
    commits = facts.commits[["repository", "sha", "authored_at", "subject", "message"]].reset_index(drop=True)
    own = came != NONE
    said = commits["message"].str.contains("(cherry picked from commit ", regex=False).eq(True).to_numpy()
    twins = _twins(commits)
    asked = np.flatnonzero(said | (twins & ~own))
    if not len(asked):
        return Copies()
    rows = commits.take(asked)
    first = _first_of(commits[twins & own], came, merges)
    shas = _sorted(commits, set(rows["repository"]))
    found: dict[int, list[tuple[int, int, str]]] = {}
    for commit, repository, at, subject, message in zip(
        asked.tolist(), *(plain(rows[name]) for name in ("repository", "authored_at", "subject", "message")), strict=True
    ):
        told = [(_whole(*shas[repository], short), SAID) for short in PICKED.findall(message or "")]
        twin = first.get((repository, at, subject))
        told += [(twin, LIKE)] if twin is not None and not own[commit] else []
        for original, rule in told:
            if original is not None and original != commit and came[original] not in (NONE, came[commit]):
                found.setdefault(commit, []).append((int(came[original]), original, rule))
    wanted = {change for of in found.values() for change, _, _ in of}
    return Copies(found, _needed(came, merges, wanted))


def _twins(commits: pd.DataFrame) -> Mask:
    """Commits of which another one of the repository has the subject and author date."""
    # Few have an instant in common, so few subjects need to be compared.
    at = pd.Series(micros(commits["authored_at"])).duplicated(keep=False).to_numpy()
    some = commits[at & commits["subject"].notna().to_numpy()]
    twins = np.zeros(len(commits), dtype="bool")
    twins[some.index[some.duplicated(["repository", "authored_at", "subject"], keep=False)]] = True
    return twins


def _first_of(commits: pd.DataFrame, came: Codes, merges: Mask) -> dict[Key, int]:
    """The one commit of a default branch that has a subject and author date; none where several changes have them."""
    found: dict[Key, int] = {}
    several = set()
    for commit, *key_of in zip(
        commits.index.tolist(), *(plain(commits[name]) for name in ("repository", "authored_at", "subject")), strict=True
    ):
        repository, at, subject = key_of
        key = (repository, at, subject)
        if key in found and came[found[key]] != came[commit]:
            several.add(key)
        if not merges[commit]:
            found.setdefault(key, commit)
    return {key: commit for key, commit in found.items() if key not in several}


def _sorted(commits: pd.DataFrame, repositories: set[str]) -> dict[str, tuple[list[str], Sequence[int]]]:
    """The shas of some repositories in their order, with the commits' numbers."""
    found = {}
    for repository, rows in commits.groupby("repository").indices.items():
        if repository in repositories:
            shas = plain(commits["sha"].take(rows))
            order = sorted(range(len(shas)), key=shas.__getitem__)
            found[str(repository)] = ([shas[place] for place in order], rows[order].tolist())
    return found


def _whole(shas: list[str], numbers: Sequence[int], short: str) -> int | None:
    """The one commit whose sha begins so; None for none or several."""
    place = bisect_left(shas, short)
    found = [at for at in range(place, min(place + 2, len(shas))) if shas[at].startswith(short)]
    return numbers[found[0]] if len(found) == 1 else None


def _needed(came: Codes, merges: Mask, wanted: set[int]) -> dict[int, frozenset[int]]:
    need: dict[int, set[int]] = {change: set() for change in wanted}
    for commit in np.flatnonzero(np.isin(came, list(wanted)) & ~merges).tolist():
        need[int(came[commit])].add(commit)
    return {change: frozenset(some) for change, some in need.items()}
