"""Which pull requests a history tells of, and which commits each of them brought.

Forges leave the number in the message of what they merge (collectors.claims). Nothing here asks git
or knows of a store: a history is a dictionary, and each walk over it takes time in proportion to
what it finds. Times are seconds since 1970.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from collectors.claims import Claim


class Commit(NamedTuple):
    """What the walks need of a commit; its parents may be unknown to the history, as in a shallow clone."""

    parents: list[str]
    authored: int | None
    author: str | None


History = Mapping[str, Commit]


class Merged(NamedTuple):
    """A pull request as its merge tells it.

    ``base`` is the commit that it was merged onto, None where it is a history's first one.
    ``target`` is the branch that it was merged into, where the message says so; ``default`` says
    whether the default branch has it. ``commits`` are those that the merge brought, each with the
    time it was authored; a squash hides its branch, so there are none and the first one's time is
    missing. It is missing as well where a shallow clone ends too early to tell what the merge brought:
    then it is not ``sure``. ``disowned`` are commits of other merges with the same number that lost
    against this one.
    """

    number: int
    sha: str
    base: str | None
    title: str | None
    branch: str | None
    target: str | None
    author: str | None
    merged: int
    first: int | None
    head: str | None
    default: bool
    sure: bool
    commits: list[tuple[str, int | None]]
    disowned: list[str]


class Unmade(NamedTuple):
    """A number that only commits claimed which no ref reaches any more, and what they had brought."""

    number: int
    commits: list[str]


def pull_requests(
    history: History, claims: Iterable[Claim], tip: str | None, lost: Collection[str] = (), shallow: bool = False
) -> tuple[list[Merged], list[Unmade]]:
    """One pull request a number, from all commits that claim it; `tip` is the default branch's newest commit.

    `lost` are commits of the history that no ref reaches any more: what they claimed is taken back.

    What a merge brought is what its other parents reach and its first parent does not: what the
    server lists as the pull request's commits. So a merge into a branch and the later merge of that
    branch both have the commits, as they have on the server, and no later commit can change a row.

    Where several commits claim a number, a merge or a squash goes before a copied merge subject on a
    commit with one parent (a cherry-picked merge), the default branch's first parents go before
    other commits, and then the earliest counts.
    """
    chain = _first_parents(history, tip)
    rivals = defaultdict(list)
    for one in claims:
        rivals[one.number].append(one)
    merges = {one.sha for group in rivals.values() for one in group if len(history[one.sha].parents) > 1}
    brought, reached = _brought(history, merges, chain)
    below = _edges_below(history) if shallow else {}
    found, unmade = [], []
    for number, group in rivals.items():
        standing = [one for one in group if one.sha not in lost] if lost else group
        if standing:
            winner = min(standing, key=lambda one: _rank(one, history, chain)) if len(standing) > 1 else standing[0]
            sure = not shallow or _is_sure(winner.sha, history, brought.get(winner.sha, []), below)
            found.append(_merged(winner, group, history, brought, reached, sure))
        else:
            unmade.append(Unmade(number, sorted({sha for one in group for sha in brought.get(one.sha, ())})))
    return found, unmade


def _rank(one: Claim, history: History, chain: Collection[str]) -> tuple[bool, bool, int, str]:
    copied = one.branch is not None and len(history[one.sha].parents) < 2
    return copied, one.sha not in chain, one.at, one.sha


def _merged(
    winner: Claim,
    group: list[Claim],
    history: History,
    brought: Mapping[str, list[str]],
    reached: Collection[str],
    sure: bool,
) -> Merged:
    commit, shas = history[winner.sha], brought.get(winner.sha, []) if sure else []
    commits = [(sha, history[sha].authored) for sha in shas]
    first = min(((authored, sha) for sha, authored in commits if authored is not None), default=None)
    rivals = {sha for one in group for sha in brought.get(one.sha, ())} if len(group) > 1 and sure else set()
    author = history[first[1]].author if first else commit.author
    return Merged(
        number=winner.number,
        sha=winner.sha,
        base=next(iter(commit.parents), None),
        title=winner.title,
        branch=winner.branch,
        target=winner.target,
        author=author if sure else None,
        merged=winner.at,
        first=first[0] if first else None,
        head=commit.parents[1] if len(commit.parents) == 2 else None,
        default=winner.sha in reached,
        sure=sure,
        commits=commits,
        disowned=sorted(rivals.difference(shas)),
    )


def _first_parents(history: History, tip: str | None) -> dict[str, None]:
    """The default branch as it grew, newest first: from each commit to its first parent."""
    chain: dict[str, None] = {}
    while tip is not None and tip in history:
        chain[tip] = None
        tip = next(iter(history[tip].parents), None)
    return chain


def _brought(history: History, merges: Collection[str], chain: Collection[str]) -> tuple[dict[str, list[str]], Collection[str]]:
    """The commits that each of the merges brought, and all commits that the chain reaches."""
    brought: dict[str, list[str]] = {}
    reached: set[str] = set()
    for sha in reversed(list(chain)):
        reached.add(sha)
        # Oldest first, what is not reached yet is new with this commit: each commit is visited once.
        news = _unreached(history, history[sha].parents[1:], reached)
        if sha in merges:
            brought[sha] = news
    aside = [sha for sha in merges if sha not in brought]
    heights = _heights(history) if aside else {}
    return brought | {sha: list(_beside(history, sha, heights)) for sha in aside}, reached


def _unreached(history: History, shas: list[str], reached: set[str]) -> list[str]:
    """The commits that the given ones reach beyond those reached already, which they join."""
    stack, found = list(shas), []
    while stack:
        sha = stack.pop()
        if sha not in reached and sha in history:
            reached.add(sha)
            found.append(sha)
            stack += history[sha].parents
    return found


def _heights(history: History) -> dict[str, int]:
    """Each commit's height: one more than that of its highest parent. Dates would not do, they may lie."""
    heights: dict[str, int] = {}
    for sha in _parents_first(history):
        heights[sha] = 1 + max([heights.get(parent, 0) for parent in history[sha].parents], default=0)
    return heights


def _parents_first(history: History) -> Iterable[str]:
    """Every commit, after all of its parents that are known."""
    done: dict[str, None] = {}
    for start in reversed(list(history)):
        stack = [start]
        while stack:
            sha = stack[-1]
            for parent in history[sha].parents:
                if parent not in done and parent in history:
                    stack.append(parent)
            if stack[-1] is sha:
                done[stack.pop()] = None
    return done


# Shallow clones. ---------------------------------------------------------------------------------


def _edges_below(history: History) -> dict[str, int]:
    """Which of the commits at the clone's edge (a parent is not known) each commit reaches: a bit for each of these."""
    below: dict[str, int] = {}
    edges = 0
    for sha in _parents_first(history):
        below[sha] = 0
        for parent in history[sha].parents:
            below[sha] |= below.get(parent, 0)
        if any(parent not in history for parent in history[sha].parents):
            below[sha] |= 1 << edges
            edges += 1
    return below


def _is_sure(sha: str, history: History, brought: Iterable[str], below: Mapping[str, int]) -> bool:
    """Whether a merge brought just these commits, whatever lies beyond the clone's edge.

    None of them may be at the edge, or there would be more. And each must stand upon every edge that the
    first parent stands upon: what does not could itself lie below one, and have been there before.
    """
    first, *others = history[sha].parents or [sha]
    if not others:
        return True  # a squash: what its branch had is not known anyway
    if first not in below or any(parent not in below for parent in others):
        return False
    floor = below[first]
    return all(below[one] & floor == floor and all(parent in history for parent in history[one].parents) for one in brought)


def _beside(history: History, merge: str, heights: Mapping[str, int]) -> Iterator[str]:
    """What a merge brought to its first parent, looking no deeper than the two sides differ.

    From the highest commit down, so that all children of a commit come before it and it is known by
    then whether the first parent reaches it; done when nothing is left that it may not reach.
    """
    first, *others = history[merge].parents
    old = {first}
    heap: list[tuple[int, str]] = []
    seen: set[str] = set()
    new = 0  # commits in the heap that the first parent is not known to reach
    for sha in (first, *others):
        if sha in history and sha not in seen:
            seen.add(sha)
            new += sha not in old
            heappush(heap, (-heights[sha], sha))
    while new:
        sha = heappop(heap)[1]
        known = sha in old
        if not known:
            new -= 1
            yield sha
        for parent in history[sha].parents:
            if parent not in history:
                continue
            if known and parent not in old:
                old.add(parent)
                new -= parent in seen
            if parent not in seen:
                seen.add(parent)
                new += not known
                heappush(heap, (-heights[parent], parent))
