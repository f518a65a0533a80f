"""Copies: commits of release branches that bring a change of the default branch by another name (cherry-picks, rebases)."""

import re
from bisect import bisect_left
from dataclasses import dataclass, field

import pandas as pd

from vsm.frames import among, plain
from vsm.store import Facts

PICKED = re.compile(r"\(cherry picked from commit ([0-9a-f]{7,64})\)")
SAID, LIKE = "a cherry-pick of it, as its message says", "a copy of it: the same subject and author date"


@dataclass(frozen=True)
class Copies:
    """``of``: by repository and commit, what it is a copy of: change, the copied commit, and how that is known.

    ``need``: the commits of each change that must be there before the change is. A copy of its merge
    is a copy of all of it.
    """

    of: dict[str, dict[str, list[tuple[str, str, str]]]] = field(default_factory=dict)
    need: dict[str, frozenset[str]] = field(default_factory=dict)

    def brought(self, repository: str, fresh: list[str], got: dict[str, set[str]]) -> list[tuple[str, str]]:
        """The changes that some commits complete, and how that is known; `got` remembers what was there before."""
        known = self.of.get(repository, {})
        found = []
        for sha in fresh if known else ():
            for change, original, rule in known.get(sha, ()):
                there = got.setdefault(change, set())
                there.add(original)
                if original not in self.need[change] or there >= self.need[change]:
                    found.append((change, rule))
        return found


def copies(facts: Facts, landed: dict[str, str], merges: dict[str, str]) -> Copies:
    """Find the copies. `landed`: by `repo@sha` the change that each commit of a default branch came with; `merges`: of those
    the ones that are a change's own merge."""
    commits = facts.commits[["repository", "sha", "authored_at", "subject", "message"]]
    place = (commits["repository"] + "@" + commits["sha"]).astype("str")
    own = among(place, landed)
    said = commits["message"].str.contains("(cherry picked from commit ", regex=False).eq(True)
    twins = commits["subject"].notna() & commits.duplicated(["repository", "authored_at", "subject"], keep=False)
    if not (said | (twins & ~own)).any():
        return Copies()
    first = _first_of(commits[twins & own], landed, merges)
    shas = _sorted(commits)
    found: dict[str, dict[str, list[tuple[str, str, str]]]] = {}
    rows = commits[said | (twins & ~own)].assign(own=own)
    for repository, sha, at, subject, message, mine in zip(*(plain(rows[name]) for name in rows), strict=True):
        told = [(_whole(shas.get(repository, []), short), SAID) for short in PICKED.findall(message or "")]
        twin = first.get((repository, at, subject))
        told += [(twin, LIKE)] if twin is not None and not mine else []
        for original, rule in told:
            change = landed.get(f"{repository}@{original}")
            if original is not None and original != sha and change is not None and change != landed.get(f"{repository}@{sha}"):
                found.setdefault(repository, {}).setdefault(sha, []).append((change, original, rule))
    wanted = {change for of in found.values() for told in of.values() for change, _, _ in told}
    return Copies(found, _needed(landed, merges, wanted))


def _first_of(commits: pd.DataFrame, landed: dict[str, str], merges: dict[str, str]) -> dict[tuple[str, pd.Timestamp, str], str]:
    """The one commit of a default branch that has a subject and author date; none where several changes have them."""
    found: dict[tuple[str, pd.Timestamp, str], str] = {}
    several = set()
    for repository, sha, at, subject in zip(
        *(plain(commits[name]) for name in ("repository", "sha", "authored_at", "subject")), strict=True
    ):
        key = (repository, at, subject)
        if key in found and landed[f"{repository}@{found[key]}"] != landed[f"{repository}@{sha}"]:
            several.add(key)
        if f"{repository}@{sha}" not in merges:
            found.setdefault(key, sha)
    return {key: sha for key, sha in found.items() if key not in several}


def _sorted(commits: pd.DataFrame) -> dict[str, list[str]]:
    return {str(repository): sorted(shas) for repository, shas in commits.groupby("repository")["sha"]}


def _whole(shas: list[str], short: str) -> str | None:
    """The one commit whose sha begins so; None for none or several."""
    place = bisect_left(shas, short)
    found = [sha for sha in shas[place : place + 2] if sha.startswith(short)]
    return found[0] if len(found) == 1 else None


def _needed(landed: dict[str, str], merges: dict[str, str], wanted: set[str]) -> dict[str, frozenset[str]]:
    need: dict[str, set[str]] = {change: set() for change in wanted}
    for place, change in landed.items():
        if change in need and place not in merges:
            need[change].add(place.rpartition("@")[2])
    return {change: frozenset(shas) for change, shas in need.items()}
