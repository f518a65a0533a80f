"""One question to each repository: what it is, and the newest of its lists."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from collectors.github import queries
from collectors.github.client import Client, NotAllowed, NotThere, TooMuch, right
from collectors.github.resource import Repo

Json = Mapping[str, Any]
LEAST = 5  # pull requests, whatever the server says


@dataclass(frozen=True)
class Poll:
    """What one repository answered: what it is, when somebody last pushed to it, and the newest of its lists (None by REST)."""

    repo: Repo
    pushed: str | None = None
    first: Json | None = None
    warnings: Sequence[str] = ()


def by_graphql(client: Client, name: str, fields: Sequence[str], first: int) -> Poll:
    """The poll by GraphQL: less at once where all is too much for the server. Raises NotThere."""
    owner, _, short = name.partition("/")
    query = queries.poll(fields)
    asked = {"owner": owner, "name": short} | ({"first": first} if "$first" in query else {})
    try:
        data = client.graphql(query, asked, patient=len(fields) < 2 and first <= LEAST)
    except TooMuch:
        if first > LEAST:
            poll = by_graphql(client, name, fields, less := max(first // 2, LEAST))
            return replace(poll, repo=replace(poll.repo, size=poll.repo.size or less))
        half = len(fields) // 2
        one, other = (by_graphql(client, name, part, first) for part in (fields[:half], fields[half:]))
        return Poll(one.repo, one.pushed, {**(other.first or {}), **(one.first or {})}, [*one.warnings, *other.warnings])
    if data.get("repository") is not None:
        return _told(data["repository"], data.warnings)
    rest = [field for field in fields if not any(re.search(rf"\b{name}\b", field) for name in data.refused)]
    if len(rest) == len(fields):
        if data.warnings:
            raise NotAllowed(right({}, "; ".join(data.warnings)))
        raise NotThere("it is not there, or not for this token: check the name, and the token's rights")
    # A list that may not be empty takes the whole repository with it where it is refused.
    poll = by_graphql(client, name, rest, first)
    said = right({}, "; ".join(dict.fromkeys(data.warnings)))
    warnings = [*poll.warnings, f"{poll.repo.name}: its {' and '.join(data.refused)} are left out: {said}"]
    return replace(poll, first={**(poll.first or {}), **dict.fromkeys(data.refused)}, warnings=warnings)


def _told(answer: Json, warnings: Sequence[str] = ()) -> Poll:
    """What the poll query answered for a repository."""
    branch = answer.get("defaultBranchRef") or {}
    repo = Repo(
        id=answer["databaseId"],
        node_id=answer["id"],
        name=answer["nameWithOwner"],
        default_branch=branch.get("name"),
        archived=answer["isArchived"],
        head=(branch.get("target") or {}).get("oid"),
        url=answer["url"],
    )
    return Poll(repo, answer.get("pushedAt"), answer, warnings)


def by_rest(client: Client, name: str) -> Poll:
    """What a repository is, and its newest commit. Raises NotThere."""
    answer = client.rest(f"/repos/{name}").data
    branch, head = answer.get("default_branch"), None
    if branch:
        try:
            head = client.rest(f"/repos/{answer['full_name']}/branches/{branch}").data["commit"]["sha"]
        except NotThere:
            branch = None  # GitHub has a name for it before there is a commit
    node, url = str(answer.get("node_id") or ""), answer.get("html_url")
    repo = Repo(answer["id"], node, answer["full_name"], branch, bool(answer.get("archived")), head, url)
    return Poll(repo, answer.get("pushed_at"))
