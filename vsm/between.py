"""The commits that one deployed commit has and another has not, by walking only what differs."""

from heapq import heappop, heappush

from vsm.graph import CommitGraph


def ages(graph: CommitGraph) -> dict[str, int]:
    """A number for each commit that is greater than those of all its descendants: parents come after their children."""
    waiting = dict.fromkeys(graph.parents, 0)
    for parents in graph.parents.values():
        for parent in set(parents):
            if parent in waiting:
                waiting[parent] += 1
    ready = [sha for sha, children in waiting.items() if not children]
    found: dict[str, int] = {}
    while ready:
        sha = ready.pop()
        found[sha] = len(found)
        for parent in set(graph.parents[sha]):
            if parent in waiting:
                waiting[parent] -= 1
                if not waiting[parent]:
                    ready.append(parent)
    # An imported history may go in a circle; what lies on it is older than everything else.
    return found | {sha: len(found) + place for place, sha in enumerate(sha for sha in graph.parents if sha not in found)}


def between(graph: CommitGraph, age: dict[str, int], new: str, old: str | None) -> list[str]:
    """What is reachable from `new` and not from `old`, newest first; without an `old` one, or an unknown one, all of it.

    `age`: as `ages` tells. Both sides are walked from the young to the old until only common commits are left.
    """
    fresh: list[str] = []
    common: dict[str, bool] = {}
    queue: list[tuple[int, str]] = []
    pending = 0  # commits in the queue that only `new` is known to reach
    for sha, held in ((new, False), (old, True)):
        if sha is None or sha not in graph:
            continue
        if sha not in common:
            heappush(queue, (age[sha], sha))
            common[sha] = held
            pending += not held
        elif held and not common[sha]:
            common[sha] = True
            pending -= 1
    done: set[str] = set()
    while queue and pending:
        _, sha = heappop(queue)
        if sha in done:
            continue
        done.add(sha)
        held = common[sha]
        if not held:
            pending -= 1
            fresh.append(sha)
        for parent in graph.parents[sha]:
            if parent not in graph:
                continue
            if parent not in common:
                common[parent] = held
                pending += not held
                heappush(queue, (age[parent], parent))
            elif held and not common[parent] and parent not in done:
                common[parent] = True
                pending -= 1
    return fresh
