"""Landings against the plain way to tell them: graphs, owners and landings by the commits' own names, in dicts.

That was how they were told before commits were numbers; it is kept to be compared with, commit by commit.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import pandas as pd
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vsm.changes import changes
from vsm.frames import among, plain
from vsm.history import NONE, History, keys
from vsm.landings import name, to_default
from vsm.people import People
from vsm.store import Facts
from vsm.working_time import micros

MONDAY = pd.Timestamp("2026-03-02", tz="UTC")


@dataclass(frozen=True)
class Named:
    """Parents by sha, the first parent first. Commits that were never read have no entry."""

    parents: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, commits: pd.DataFrame) -> "Named":
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


def landings_by_name(facts: Facts, graphs: dict[str, Named], proposed: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    """Which change each commit straight to a main line is, and which change each commit came with; by `repo@sha`.

    Walks each main line from its beginning: what a landing reaches and no earlier one did came with it.
    """
    owner = owners(facts, graphs, proposed)
    brought: dict[str, str] = {}
    direct: dict[str, str] = {}
    for repository, line in main_lines(facts, graphs, proposed).items():
        home = f"{repository}@"
        for sha, came in came_with(graphs[repository], line):
            change = owner.get(home + sha)
            if change is None:
                change = direct[home + sha] = home + sha[:12]
            for commit in came:
                brought[home + commit] = change
    return direct, brought


def came_with(graph: Named, line: list[str]) -> Iterator[tuple[str, list[str]]]:
    """What came with each commit of a main line.

    Where the line and a merged branch both run into what was not read, nobody can tell where they
    parted: what the branch reaches may have been on the line for years. Then the merge came alone.
    """
    # What lies on the line came by itself, also where a circle of parents, which only a broken source tells, leads from before
    # it; and only a merge brings more than itself, also where such a circle has commits that follow the line's end.
    seen, cut = set(line), False
    for sha in line:
        seen.remove(sha)
        came = graph.unseen(sha, seen) if len(graph.parents[sha]) > 1 else [sha]
        seen.add(sha)
        loose = bool(graph.edge) and not graph.edge.isdisjoint(came)
        yield sha, [sha] if loose and (cut or sha in graph.edge) else came
        cut = cut or loose


def owners(facts: Facts, graphs: dict[str, Named], proposed: pd.DataFrame) -> dict[str, str]:
    """The pull request that each commit is of, where it may lie on a main line; by `repo@sha`.

    A rebase merge leaves a request's commits on the main line, its landing commit last: as they
    were, or written anew, and then they are known by the instants at which they were authored.
    """
    merged = proposed[proposed["merged_at"].notna()]
    own = facts.pull_request_commits.assign(change=name(facts.pull_request_commits))
    own = own[among(own["change"], merged.loc[to_default(facts, merged), "change"])]
    owner = dict(zip(plain(keys(own)), plain(own["change"]), strict=True))
    landed = merged.dropna(subset="sha")
    owner |= dict(zip(plain(keys(landed)), plain(landed["change"]), strict=True))
    several = own[own["authored_at"].notna() & own["change"].duplicated(keep=False)]
    instants: dict[str, set[int]] = {}
    for change, at in zip(plain(several["change"]), micros(several["authored_at"]).tolist(), strict=True):
        instants.setdefault(change, set()).add(at)
    authored = facts.commits.loc[among(facts.commits["repository"], several["repository"])]
    when = dict(zip(plain(keys(authored)), micros(authored["authored_at"]).tolist(), strict=True))
    rebased = landed[among(landed["change"], several["change"])]
    for change, repository, sha in zip(*(plain(rebased[one]) for one in ("change", "repository", "sha")), strict=True):
        for before in graphs[repository].single_parents(sha) if repository in graphs else ():
            if when.get(f"{repository}@{before}") not in instants[change]:
                break
            owner.setdefault(f"{repository}@{before}", change)
    return owner


def main_lines(facts: Facts, graphs: dict[str, Named], proposed: pd.DataFrame) -> dict[str, list[str]]:
    """The commits of each default branch's main line, oldest first."""
    heads = facts.repositories.dropna(subset="head_sha").set_index("name")["head_sha"]
    merged = proposed[proposed["merged_at"].notna()]
    merged = merged[to_default(facts, merged)]
    offered = facts.pull_requests[["repository", "head_sha"]].rename(columns={"head_sha": "sha"})
    offered = pd.concat([facts.pull_request_commits[["repository", "sha"]], offered]).dropna()
    # Branches are deployed too, to try them; a commit that was proposed says nothing of the default branch.
    live = facts.deployments[["repository", "sha"]].dropna()
    live = live[~among(keys(live), keys(offered))]
    landed = shas_of(pd.concat([merged[["repository", "sha"]].dropna(), live]))
    own = shas_of(offered)
    return {name: graph.main_line(landed.get(name, set()), heads.get(name), own.get(name, set())) for name, graph in graphs.items()}


def shas_of(places: pd.DataFrame) -> dict[str, set[str]]:
    return {str(repository): set(shas) for repository, shas in places.groupby("repository")["sha"]}


SHAS = [f"{place:02}" + "abcdef0123456789" for place in range(14)]


@st.composite
def histories(draw: st.DrawFn) -> Facts:
    """Two repositories with merges, rebased commits, unread parents and circles; what was merged, proposed and deployed."""
    commits: list[dict[str, Any]] = []
    for repository in ("shop", "till"):
        shas = SHAS[: draw(st.integers(0, len(SHAS)))]
        for place, sha in enumerate(shas):
            near = st.sampled_from([*shas[max(place - 3, 0) : place], SHAS[-1], *shas[:1]])
            parents = draw(st.lists(near, max_size=3 if draw(st.booleans()) else 1, unique=True))
            hour = draw(st.integers(place - 1, place))
            at = MONDAY + pd.Timedelta(hours=hour)
            commits.append(
                {"repository": repository, "sha": sha, "parents": " ".join(parents), "authored_at": at, "committed_at": at}
            )
    some = st.sampled_from(SHAS)
    requests, own = [], []
    for number in range(draw(st.integers(0, 5))):
        repository, merged = draw(st.sampled_from(["shop", "till"])), draw(st.booleans())
        requests.append(
            {
                "repository": repository, "number": number, "created_at": MONDAY, "merged_at": MONDAY if merged else None,
                "merge_sha": draw(some) if merged and draw(st.booleans()) else None,
                "target_branch": draw(st.sampled_from([None, "main", "main", "old"])),
                "head_sha": draw(st.one_of(st.none(), some)),
            }
        )  # fmt: skip
        for sha in draw(st.lists(some, max_size=4, unique=True)):
            at = draw(st.one_of(st.none(), st.integers(0, 14).map(lambda hour: MONDAY + pd.Timedelta(hours=hour))))
            own.append({"repository": repository, "number": number, "sha": sha, "authored_at": at})
    live = [
        {"id": f"d{place}", "application": "a", "environment": "production", "result": "success", "repository": "shop", "sha": sha}
        for place, sha in enumerate(draw(st.lists(some, max_size=2)))
    ]
    heads = [{"name": "shop", "head_sha": draw(some)}] if draw(st.booleans()) else []
    return Facts.of(commits=commits, pull_requests=requests, pull_request_commits=own, deployments=live, repositories=heads)


def in_a_circle() -> Facts:
    """Two branches that run into a circle of parents, of which one commit was deployed: the others follow the line's end."""
    told = [("00", "13"), ("01", "13"), ("13", "10"), ("10", "07"), ("07", "13")]
    shas = {name: name + SHAS[0][2:] for name, _ in told}
    commits = [
        {"repository": "shop", "sha": shas[name], "parents": shas[parent], "authored_at": MONDAY, "committed_at": MONDAY}
        for name, parent in told
    ]
    live = {"id": "d", "application": "a", "environment": "production", "result": "success", "repository": "shop"}
    return Facts.of(commits=commits, deployments=[live | {"sha": shas["07"]}])


@settings(max_examples=25, deadline=None)
@example(in_a_circle())
@given(histories())
def test_every_commit_came_with_the_same_change(facts: Facts) -> None:
    made = changes(facts, People.of(facts))
    told = facts.pull_requests
    proposed = told.assign(change=name(told), sha=told["merge_sha"].where(told["merged_at"].notna()))
    graphs = {str(one): Named.of(some) for one, some in facts.commits.groupby("repository", sort=True)}

    direct, brought = landings_by_name(facts, graphs, proposed)

    came = [None if row == NONE else made.changes["change"][row] for row in made.came.tolist()]
    assert dict(zip(keys(facts.commits), came, strict=True)) == {one: brought.get(one) for one in keys(facts.commits)}
    assert set(made.changes.loc[made.changes["kind"] == "commit", "change"]) == set(direct.values())


@settings(max_examples=25, deadline=None)
@given(histories(), st.data())
def test_a_tip_reaches_the_same_commits_in_the_same_order(facts: Facts, data: st.DataObject) -> None:
    history = History.of(facts.commits)
    seen: set[int] = set()
    for repository, rows in history.rows.items():
        by_name, graph = set[str](), Named.of(facts.commits[facts.commits["repository"] == repository])
        for tip in data.draw(st.lists(st.sampled_from(rows.tolist()), max_size=5)):
            found = [facts.commits["sha"][one] for one in history.unseen(tip, seen)]
            assert found == graph.unseen(facts.commits["sha"][tip], by_name)
