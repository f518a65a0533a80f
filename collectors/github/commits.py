"""Commits on the default branch, for whom has no clone at hand: a clone tells the same and more, and goes first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from collectors.base import Told
from collectors.github import pulls_rest, queries
from collectors.github.client import Client, NotThere
from collectors.github.people import author
from collectors.github.pulls_graphql import login
from collectors.github.resource import Batch, Repo, Rules

Json = Mapping[str, Any]


@dataclass
class Commits:
    """The default branch's commits: first all of them from its head down, later those between the old head and the new one.

    By date alone a merge would hide what it brings in, since that may be older than what was read before.
    """

    name: ClassVar[str] = "commits"
    lasting: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[str] = queries.NEWEST_COMMITS

    def batches(self, client: Client, repo: Repo, state: Mapping[str, Any], since: datetime | None, first: Any) -> Iterator[Batch]:
        """The news since the state. Raises CollectorError."""
        target = ((first or {}).get("defaultBranchRef") or {}).get("target") or {}
        head = target.get("oid") or repo.head
        if head is None:  # nothing was ever pushed
            return
        reading = _Reading(client, repo, since, by_graphql=first is not None)
        reach = {"since": since.isoformat() if since else None}
        if not _reaches(state, since):
            state = {}
        begun = state.get("down")
        if begun or not state.get("head"):
            if not begun and since is None and (few := _between(newest(target), None, head)) is not None:
                yield Batch(reading.answers(few), state={"head": head, **reach})
                return
            begun = begun or {"head": head, "after": None}
            try:
                yield from reading.history(begun, reach)
            except NotThere:
                if begun["head"] == head:
                    raise
                begun = {"head": head, "after": None}  # the old head was pushed away before it had been read
                yield from reading.history(begun, reach)
            state = {"head": begun["head"]}
        if state["head"] != head:
            yield from _News(reading, state["head"], head, target, reach).batches()

    def told(self, answer: Json, rules: Rules) -> Told:
        """A commit's row, and the identity that it shows."""
        from vsm import models

        message = answer["message"].strip("\n")
        row = {
            "repository": answer["repository"],
            "sha": answer["sha"],
            "authored_at": answer["authored"],
            "committed_at": answer["committed"],
            "author": answer["email"],
            "subject": message.partition("\n")[0].strip(),
            "message": message,
            "parents": " ".join(answer["parents"]),
        }
        return {models.Commit: [row], models.Identity: author(answer["email"], answer["login"])}


def _reaches(state: Mapping[str, Any], since: datetime | None) -> bool:
    before = state.get("since")
    return before is None or (since is not None and datetime.fromisoformat(before) <= since)


@dataclass(frozen=True)
class _Reading:
    """How commits are had."""

    client: Client
    repo: Repo
    since: datetime | None
    by_graphql: bool

    def history(self, begun: Mapping[str, Any], reach: Mapping[str, Any]) -> Iterator[Batch]:
        """All that a head leads to; the head stays while the branch goes on, so the places in this list stay, too."""
        after = begun["after"]
        while True:
            commits, after, total = self._page(begun["head"], after)
            state = {"down": {**begun, "after": after}} if after else {"head": begun["head"]}
            yield Batch(self.answers(commits), state={**state, **reach}, total=total)
            if after is None:
                return

    def _page(self, head: str, after: Any) -> tuple[list[dict[str, Any]], Any, int | None]:
        if self.by_graphql:
            return self._by_graphql(head, after)
        params = {"sha": head, "page": after or 1, "per_page": 100}
        answer = self.client.rest(self.path("commits"), params | ({"since": self._since} if self.since else {}))
        return [from_rest(one) for one in answer.data or ()], (after or 1) + 1 if answer.next else None, None

    def _by_graphql(self, head: str, after: Any) -> tuple[list[dict[str, Any]], Any, int | None]:
        asked = {"id": self.repo.node_id, "head": head, "after": after, "since": self._since}
        data = self.client.graphql(queries.HISTORY, asked, patient=True)
        history = ((data.get("node") or {}).get("object") or {}).get("history")
        if history is None:
            raise NotThere(f"the commit {head[:10]} is no longer there: run it again")
        page = history["pageInfo"]
        return (
            [from_graphql(node) for node in history["nodes"]],
            page["endCursor"] if page["hasNextPage"] else None,
            history["totalCount"],
        )

    @property
    def _since(self) -> str | None:
        return self.since.strftime("%Y-%m-%dT%H:%M:%SZ") if self.since else None

    def path(self, rest: str) -> str:
        return f"/repos/{self.repo.name}/{rest}"

    def answers(self, commits: Sequence[dict[str, Any]]) -> list[tuple[str, Any]]:
        return [(one["sha"], {"repository": self.repo.name, **one}) for one in commits]


@dataclass(frozen=True)
class _News:
    """What a branch got since its old head."""

    reading: _Reading
    old: str
    new: str
    target: Mapping[str, Any]
    reach: Mapping[str, Any]

    def batches(self) -> Iterator[Batch]:
        done = {"head": self.new, **self.reach}
        if (between := _between(newest(self.target), self.old, self.new)) is not None:
            yield Batch(self.reading.answers(between), state=done)
            return
        try:
            yield from self._compared(done)
        except NotThere:  # the old head is gone, or has nothing in common with the new one
            yield from self.reading.history({"head": self.new, "after": None}, self.reach)

    def _compared(self, done: Mapping[str, Any]) -> Iterator[Batch]:
        path = self.reading.path(f"compare/{self.old}...{self.new}")
        for page in self.reading.client.listed(path, key="commits"):
            yield Batch(self.reading.answers([from_rest(one) for one in page]))
        yield Batch(state=done)


def newest(target: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The commits that the poll shows of a branch."""
    return [from_graphql(node) for node in (target.get("history") or {}).get("nodes") or ()]


def _between(newest: Sequence[dict[str, Any]], old: str | None, new: str) -> list[dict[str, Any]] | None:
    """The commits between two heads, if the newest ones show them all: every way down from the new head meets the old one.

    Without an old one every way must come to its end.

    >>> chain = [{"sha": "d", "parents": ["c"]}, {"sha": "c", "parents": ["b"]}, {"sha": "b", "parents": ["a"]}]
    >>> [one["sha"] for one in _between(chain, "b", "d")], _between(chain, "x", "d"), _between(chain, None, "d")
    (['d', 'c'], None, None)
    """
    known = {one["sha"]: one for one in newest}
    before = _below(known, old) if old else set()
    found, ways = dict[str, Any](), [new]
    while ways:
        sha = ways.pop()
        if sha in before or sha in found:
            continue
        if sha not in known:
            return None
        found[sha] = known[sha]
        ways += known[sha]["parents"]
    return list(found.values())


def _below(known: Mapping[str, Any], head: str) -> set[str]:
    """A head, and what it is known to lead to."""
    found, ways = set[str](), [head]
    while ways:
        sha = ways.pop()
        if sha not in found:
            found.add(sha)
            ways += known[sha]["parents"] if sha in known else []
    return found


def from_graphql(node: Json) -> dict[str, Any]:
    """A commit as it is kept."""
    author = node.get("author") or {}
    return {
        "sha": node["oid"],
        "authored": node["authoredDate"],
        "committed": node["committedDate"],
        "email": author.get("email"),
        "login": login(author.get("user")),
        "message": node.get("message") or "",
        "parents": [parent["oid"] for parent in node["parents"]["nodes"]],
    }


def from_rest(one: Json) -> dict[str, Any]:
    """A commit as it is kept."""
    parents = [parent["sha"] for parent in one.get("parents") or ()]
    return pulls_rest.commit(one) | {"message": one["commit"].get("message") or "", "parents": parents}
