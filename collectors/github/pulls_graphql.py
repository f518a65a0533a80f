"""Pull requests by GraphQL: a page of them with commits, reviews, comments and events in one request."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from collectors.github import queries
from collectors.github.client import Client, Data, NotAllowed, Size, right
from collectors.github.resource import Repo
from collectors.github.walks import Piece, Thing, piece

Node = dict[str, Any]
ONCE = 20  # lists that one query tops up


class ByGraphQL:
    """A repository's pull requests, the one that changed last first."""

    by: ClassVar[str] = "graphql"

    def __init__(self, client: Client, repo: Repo, first: Mapping[str, Any], size: int | None) -> None:
        self.client, self.repo = client, repo
        self.first = piece(first)
        self.warnings: list[str] = []
        self.size = Size(now=min(size or Size.ceiling, repo.size or Size.ceiling))

    def read(self, after: str | None) -> Piece:
        """The list from a cursor on. Raises NotAllowed where it is refused as a whole."""
        data = self.size.ask(self.client, queries.MORE_PULL_REQUESTS, {"id": self.repo.node_id, "after": after})
        connection = (data.get("node") or {}).get("pullRequests")
        if connection is None:
            raise NotAllowed(right({}, "; ".join(data.warnings)))
        return piece(connection, data.warnings)

    def whole(self, things: Sequence[Thing]) -> list[dict[str, Any]]:
        """Pull requests with all of their commits, reviews, comments and events."""
        nodes = [dict(thing) for thing in things]
        self._topped_up(nodes)
        return [_plain(node, self.repo.name) for node in nodes]

    def state(self) -> dict[str, Any]:
        """How many pull requests this repository's server can give at once."""
        return {} if self.size.now == self.size.ceiling else {"size": self.size.now}

    def _topped_up(self, nodes: Sequence[Node]) -> None:
        """Read the rest of every list that was cut short."""
        short = [(node, name) for node in nodes for name in queries.NESTED if _after(node.get(name))]
        while short:
            some, short = short[:ONCE], short[ONCE:]
            data = self._rest(some)
            self.warnings += data.warnings
            for place, (node, name) in enumerate(some):
                more = (data.get(f"t{place}") or {}).get(name) or {}
                if not more:
                    self.warnings.append(f"pull request {node['number']}: the rest of its {name} is not given")
                node[name] = {"nodes": _nodes(node[name]) + _nodes(more), "pageInfo": more.get("pageInfo")}
                if _after(node[name]):
                    short.append((node, name))

    def _rest(self, some: Sequence[tuple[Node, str]]) -> Data:
        variables = {f"i{place}": node["id"] for place, (node, _) in enumerate(some)}
        variables |= {f"a{place}": _after(node[name]) for place, (node, name) in enumerate(some)}
        return self.client.graphql(queries.top_up(name for _, name in some), variables, patient=True)


def login(actor: Mapping[str, Any] | None) -> str | None:
    """Whose account it was, a bot's as REST writes it; None for one that has been deleted.

    >>> login({"__typename": "Bot", "login": "dependabot"}), login({"__typename": "User", "login": "ann"}), login(None)
    ('dependabot[bot]', 'ann', None)
    """
    name = (actor or {}).get("login")
    if not name or name == "ghost":
        return None
    program = (actor or {}).get("__typename") == "Bot" and not name.endswith("[bot]")
    return f"{name}[bot]" if program else str(name)


def _plain(node: Node, repository: str) -> dict[str, Any]:
    """A pull request as it is kept, without the envelopes of its lists."""
    told = {name: node.get(name) for name in KEPT}
    return told | {
        "repository": repository,
        "author": login(node.get("author")),
        "head_repository": (node.get("headRepository") or {}).get("nameWithOwner"),
        "mergeCommit": (node.get("mergeCommit") or {}).get("oid"),
        "labels": [label["name"] for label in _nodes(node.get("labels"))],
        "commits": [_commit(one["commit"]) for one in _nodes(node.get("commits"))],
        "reviews": [_said(one, "submittedAt") | {"state": one["state"].lower()} for one in _nodes(node.get("reviews"))],
        "comments": [_said(one, "createdAt") for one in _nodes(node.get("comments"))],
        "events": [_event(one) for one in _nodes(node.get("timelineItems")) if one.get("createdAt")],
    }


KEPT = (
    "number", "title", "url", "state", "isDraft", "createdAt", "updatedAt", "closedAt", "mergedAt", "additions", "deletions",
    "baseRefName", "headRefName", "headRefOid",
)  # fmt: skip
NAMES = {kind: word.removesuffix("_EVENT").lower() for word, kind in queries.EVENTS.items()}


def _commit(commit: Mapping[str, Any]) -> dict[str, Any]:
    author = commit.get("author") or {}
    return {
        "sha": commit["oid"],
        "authored": commit.get("authoredDate"),
        "committed": commit.get("committedDate"),
        "email": author.get("email"),
        "login": login(author.get("user")),
    }


def _said(one: Mapping[str, Any], at: str) -> dict[str, Any]:
    return {"at": one.get(at), "by": login(one.get("author"))}


def _event(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"event": NAMES[one["__typename"]], "at": one["createdAt"], "by": login(one.get("actor"))}


def _nodes(connection: Mapping[str, Any] | None) -> list[Node]:
    """What a connection holds; one that was refused, or a thing in it, is None."""
    return [node for node in (connection or {}).get("nodes") or () if node]


def _after(connection: Mapping[str, Any] | None) -> str | None:
    page = (connection or {}).get("pageInfo") or {}
    return page.get("endCursor") if page.get("hasNextPage") else None
