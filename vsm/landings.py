"""Landings: which commits of a default branch's main line are a pull request's, which were pushed, and what came with each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vsm.frames import Codes, Mask, looked_up, places
from vsm.history import NONE, History
from vsm.store import Facts
from vsm.working_time import micros


@dataclass(frozen=True)
class Requests:
    """The pull requests' own commits: ``of``: the row of its request among the proposed ones; ``commit``: its number; when."""

    of: Codes
    commit: Codes
    authored: Codes
    dated: Mask

    @classmethod
    def of_facts(cls, facts: Facts, history: History, proposed: pd.DataFrame) -> "Requests":
        """`proposed`: pull requests as changes."""
        told = facts.pull_request_commits
        at = told["authored_at"]
        return cls(places(name(told), proposed["change"]), history.numbers(told), micros(at), at.notna().to_numpy())


def name(requests: pd.DataFrame) -> pd.Series:
    """A pull request's name as a change."""
    return (requests["repository"] + "#" + requests["number"].astype("str")).astype("str")


def landings(facts: Facts, history: History, proposed: pd.DataFrame, own: Requests) -> tuple[Mask, Codes]:
    """Which commits were pushed straight to a main line, and with which change each commit came; NONE: with none.

    Changes are rows: first the proposed ones, then the pushed commits in their order. Walks each main line from its
    beginning: what a landing reaches and no earlier one did came with it.
    """
    merged = proposed["merged_at"].notna().to_numpy()
    default = merged.copy()
    default[merged] = to_default(facts, proposed[merged]).to_numpy()
    landed = np.full(len(proposed), NONE)
    landed[merged] = history.numbers(proposed[merged])
    change = _owners(history, own, landed, default, micros(facts.commits["authored_at"]))
    came = np.full(len(change), NONE)
    pushed = came == 0
    for line in _main_lines(facts, history, landed[default], own):
        pushed[line] = change[line] == NONE
        came[line] = line
        for merge, brought in _merged(history, line):
            came[brought] = merge
    row = len(proposed) - 1 + np.cumsum(pushed)
    change[pushed] = row[pushed]
    return pushed, np.where(came == NONE, NONE, change[came])


def _merged(history: History, line: list[int]) -> Iterator[tuple[int, list[int]]]:
    """What came with each merge of a main line, beside itself: any other commit came alone.

    Where the line and a merged branch both run into what was not read, nobody can tell where they
    parted: what the branch reaches may have been on the line for years. Then the merge came alone.
    """
    seen, others, edge = set(line), history.others, history.edge
    cut = False
    for commit in line:
        if commit in others:
            came = [one for tip in reversed(others[commit]) for one in history.unseen(tip, seen)]
            loose = bool(edge) and not edge.isdisjoint(came)
            if commit not in edge and not (loose and cut):
                yield commit, came
            cut = cut or loose
        cut = cut or commit in edge


def _owners(history: History, own: Requests, landed: Codes, default: Mask, authored: Codes) -> Codes:
    """The pull request that each commit is of, where it may lie on a main line; NONE: of none.

    `landed`: with which commit each request landed; `default`: which went to the default branch.
    """
    owner = np.full(len(history.key), NONE)
    to_line = own.of != NONE
    to_line[to_line] = default[own.of[to_line]]
    stated = to_line & (own.commit != NONE)
    owner[own.commit[stated]] = own.of[stated]
    lands = np.flatnonzero(landed != NONE)
    owner[landed[lands]] = lands
    for change, commit in _rebased(history, own, landed, to_line, authored):
        if owner[commit] == NONE:
            owner[commit] = change
    return owner


def _rebased(history: History, own: Requests, landed: Codes, to_line: Mask, authored: Codes) -> Iterator[tuple[int, int]]:
    """Requests with commits of a main line that are theirs, written anew.

    A rebase merge leaves a request's commits on the main line, its landing commit last: as they
    were, or written anew, and then they are known by the instants at which they were authored.
    """
    size = np.bincount(own.of[to_line], minlength=len(landed))
    dated = to_line & own.dated
    dated[dated] = size[own.of[dated]] > 1
    of, at = own.of[dated], own.authored[dated]
    instants = np.sort(pd.unique(at))
    rows = np.flatnonzero((np.bincount(of, minlength=len(landed)) > 0) & (landed != NONE))
    before = np.array(history.first, dtype="int64")[landed[rows]]
    rows, before = rows[before != NONE], before[before != NONE]
    # Most were not rebased, and the commit before the landing tells: only of the others all is asked.
    place = np.searchsorted(instants, authored[before])
    stated = of * (len(instants) + 1) + np.searchsorted(instants, at)
    near = pd.Index(rows * (len(instants) + 1) + place).isin(stated)  # by a table: to sort both takes ten times as long
    likely = rows[near]
    mine = pd.Index(of).isin(likely)
    times: dict[int, set[int]] = {}
    for change, instant in zip(of[mine].tolist(), at[mine].tolist(), strict=True):
        times.setdefault(change, set()).add(instant)
    for change in likely.tolist():
        for commit in history.single_parents(int(landed[change])):
            if int(authored[commit]) not in times[change]:
                break
            yield change, commit


def to_default(facts: Facts, merged: pd.DataFrame) -> pd.Series:
    """Which merged pull requests went to the default branch: the one that the facts name, else the most usual target."""
    told = facts.repositories.dropna(subset="default_branch").set_index("name")["default_branch"]
    usual = merged.groupby(["repository", "target_branch"]).size().sort_values(ascending=False, kind="stable").reset_index()
    usual = usual.drop_duplicates("repository").set_index("repository")["target_branch"]
    default = looked_up(merged["repository"], told).fillna(looked_up(merged["repository"], usual))
    return merged["target_branch"].isna() | (merged["target_branch"] == default)


def _main_lines(facts: Facts, history: History, landed: Codes, own: Requests) -> Iterator[list[int]]:
    """The commits of each default branch's main line, oldest first."""
    told = facts.repositories.dropna(subset="head_sha").rename(columns={"name": "repository", "head_sha": "sha"})
    heads = dict(zip(told["repository"], history.numbers(told).tolist(), strict=True))
    offers = facts.pull_requests[["repository", "head_sha"]].rename(columns={"head_sha": "sha"})
    proposed = history.marked(np.append(own.commit, history.numbers(offers)))
    # Branches are deployed too, to try them; a commit that was proposed says nothing of the default branch.
    deployed = history.marked(history.numbers(facts.deployments)) & ~proposed
    on_line = history.marked(landed) | deployed
    for repository in history.rows:
        yield history.main_line(repository, on_line, proposed, heads.get(repository, NONE))
