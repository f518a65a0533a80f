"""Which pull requests a history tells of, and which commits each of them brought.

GitHub leaves the number in the subject of what it merges. Nothing here asks git or knows of a store:
a history is a dictionary, and each walk over it takes time in proportion to what it finds. Times are
seconds since 1970.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

MERGED = re.compile(r"Merge pull request #(\d{1,9}) from (\S+)")
# A revert and a backport carry the number of what they speak of too; their own is the last.
SUFFIX = re.compile(r"\(#(\d{1,9})\)$")


class Commit(NamedTuple):
    """What the walks need of a commit; its parents may be unknown to the history, as in a shallow clone."""

    parents: list[str]
    authored: int | None
    author: str | None


History = Mapping[str, Commit]


class Claim(NamedTuple):
    """A commit whose subject says that it is what a pull request became."""

    sha: str
    number: int
    title: str | None
    branch: str | None
    at: int


class Merged(NamedTuple):
    """A pull request as its merge tells it.

    ``commits`` are those that the merge brought, each with the time it was authored; a squash hides
    its branch, so there are none and the first one's time is missing. ``default`` says whether the
    default branch has it. ``disowned`` are commits of other merges with the same number that lost
    against this one.
    """

    number: int
    sha: str
    title: str | None
    branch: str | None
    author: str | None
    merged: int
    first: int | None
    head: str | None
    default: bool
    commits: list[tuple[str, int | None]]
    disowned: list[str]


def claim(sha: str, message: str, at: int) -> Claim | None:
    """The pull request that a commit's message speaks for, None for any other commit; `at` is when it was committed.

    A number in brackets at the end of the subject counts first (squash, or a merge with the pull
    request's title), then GitHub's `Merge pull request #N from OWNER/BRANCH`, whose title is the
    first line of the body.

    >>> claim("a1", 'Revert "Sort the cart (#12)" (#13)', 1772452800)[1:3]
    (13, 'Revert "Sort the cart (#12)"')
    >>> claim("b2", "Merge pull request #14 from ann/fix/cart\\n\\nCount a gift once", 1772452800)[1:4]
    (14, 'Count a gift once', 'fix/cart')
    """
    subject, _, body = message.partition("\n")
    if squashed := SUFFIX.search(subject):
        return Claim(sha, int(squashed[1]), subject[: squashed.start()].rstrip() or None, None, at)
    if merged := MERGED.match(subject):
        title = next((line.strip() for line in body.splitlines() if line.strip()), None)
        owner, slash, branch = merged[2].partition("/")
        return Claim(sha, int(merged[1]), title, branch if slash else owner, at)
    return None


def pull_requests(history: History, claims: Iterable[Claim], tip: str | None) -> list[Merged]:
    """One pull request a number, from all commits that claim it; `tip` is the default branch's newest commit.

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
    found = []
    for group in rivals.values():
        winner = min(group, key=lambda one: _rank(one, history, chain)) if len(group) > 1 else group[0]
        found.append(_merged(winner, group, history, brought, reached))
    return found


def _rank(one: Claim, history: History, chain: Collection[str]) -> tuple[bool, bool, int, str]:
    copied = one.branch is not None and len(history[one.sha].parents) < 2
    return copied, one.sha not in chain, one.at, one.sha


def _merged(
    winner: Claim, group: list[Claim], history: History, brought: Mapping[str, list[str]], reached: Collection[str]
) -> Merged:
    commit, shas = history[winner.sha], brought.get(winner.sha, [])
    commits = [(sha, history[sha].authored) for sha in shas]
    first = min(((authored, sha) for sha, authored in commits if authored is not None), default=None)
    lost = {sha for one in group for sha in brought.get(one.sha, ())} if len(group) > 1 else set()
    return Merged(
        number=winner.number,
        sha=winner.sha,
        title=winner.title,
        branch=winner.branch,
        author=history[first[1]].author if first else commit.author,
        merged=winner.at,
        first=first[0] if first else None,
        head=commit.parents[1] if len(commit.parents) == 2 else None,
        default=winner.sha in reached,
        commits=commits,
        disowned=sorted(lost.difference(shas)),
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
    for start in reversed(list(history)):
        stack = [start]
        while stack:
            sha = stack[-1]
            parents = [parent for parent in history[sha].parents if parent in history]
            missing = [parent for parent in parents if parent not in heights]
            if missing:
                stack += missing
            else:
                heights[sha] = 1 + max((heights[parent] for parent in parents), default=0)
                stack.pop()
    return heights


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
