"""Which repositories are meant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from collectors.base import CollectorError
from collectors.github import queries
from collectors.github.client import Client, GraphQLRefused, NotAllowed, NotThere

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What the configuration asks for. Repositories named in full are always taken; forks only then."""

    names: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def named(self) -> list[str]:
        """Repositories by their full names."""
        return [name for name in self.names if not _is_pattern(name)]

    @property
    def patterns(self) -> list[str]:
        """Names with wildcards, and whole organisations."""
        return [*(name for name in self.names if _is_pattern(name)), *(f"{owner}/*" for owner in self.organisations)]

    def words(self) -> str:
        """What is asked for, in words.

        >>> Wanted(("acme/shop", "acme/web-*"), ("tools",), ("live",), ("tools/old",)).words()
        'acme/shop, acme/web-*, tools/* with topic live, without forks and tools/old'
        """
        said = ", ".join([*self.named, *self.patterns])
        if not self.patterns:
            return said
        topics = f" with topic {' or '.join(self.topics)}" if self.topics else ""
        return f"{said}{topics}, without forks" + (f" and {', '.join(self.exclude)}" if self.exclude else "")

    def takes(self, found: "Found") -> bool:
        """Whether a repository that was found in a list is meant."""
        asked = any(fnmatchcase(found.name.lower(), pattern.lower()) for pattern in self.patterns)
        left_out = any(fnmatchcase(found.name.lower(), pattern.lower()) for pattern in self.exclude)
        return asked and not left_out and not found.fork and (not self.topics or bool(set(self.topics) & set(found.topics)))

    def owners(self) -> list[str]:
        """Whose repositories must be listed."""
        return list(dict.fromkeys(pattern.partition("/")[0] for pattern in self.patterns))


@dataclass(frozen=True)
class Found:
    """A repository in a list; a named one is not looked up before its turn, and only its name is known.

    An owner whose repositories cannot be listed is found with the reason.
    """

    name: str
    id: int | None = None
    archived: bool = False
    fork: bool = False
    pushed: str | None = None
    topics: tuple[str, ...] = ()
    error: CollectorError | None = None


def found(client: Client, wanted: Wanted) -> Iterator[Found]:
    """The repositories that are meant, each once: named ones first. Raises CollectorError."""
    seen: set[str] = set()
    for name in wanted.named:
        if name.lower() not in seen:
            seen.add(name.lower())
            yield Found(name)
    for owner in wanted.owners():
        try:
            listed = sorted(owned(client, owner), key=lambda one: one.name.lower())
        except (NotThere, NotAllowed) as error:
            yield Found(owner, error=error)
            continue
        for one in listed:
            if wanted.takes(one) and one.name.lower() not in seen:
                seen.add(one.name.lower())
                yield one


def owned(client: Client, owner: str) -> Iterator[Found]:
    """All repositories of an organisation or a person that we may see. Raises NotThere."""
    try:
        yield from _by_graphql(client, owner)
    except GraphQLRefused:
        yield from _listed(client, owner)


def _by_graphql(client: Client, owner: str) -> Iterator[Found]:
    after = None
    while True:
        answer = client.graphql(queries.OWNED, {"login": owner, "after": after}, patient=True).get("repositoryOwner")
        if answer is None:
            raise NotThere("there is no organisation or person of this name, or not for this token: check the name")
        listed = answer["repositories"]
        yield from (_from_graphql(node) for node in listed["nodes"] if node)
        if not listed["pageInfo"]["hasNextPage"]:
            return
        after = listed["pageInfo"]["endCursor"]


def _listed(client: Client, owner: str) -> Iterator[Found]:
    try:
        pages = list(client.listed(f"/orgs/{owner}/repos"))
    except NotThere:
        pages = list(client.listed(f"/users/{owner}/repos"))
    yield from (_from_rest(one) for page in pages for one in page)


def _from_graphql(node: Json) -> Found:
    topics = tuple(one["topic"]["name"] for one in (node.get("repositoryTopics") or {}).get("nodes") or ())
    return Found(node["nameWithOwner"], node["databaseId"], node["isArchived"], node["isFork"], node["pushedAt"], topics)


def _from_rest(one: Json) -> Found:
    flags = bool(one.get("archived")), bool(one.get("fork"))
    return Found(one["full_name"], one["id"], *flags, one.get("pushed_at"), tuple(one.get("topics") or ()))


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")
