"""Pull requests by REST, where GraphQL is refused: a hundred a request, and the timeline of each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from collectors.github.client import Answer, Client, NotThere
from collectors.github.resource import Repo
from collectors.github.walks import Piece

Json = Mapping[str, Any]
PART = 25  # pull requests that are saved together
EVENTS = frozenset({"ready_for_review", "convert_to_draft", "head_ref_force_pushed", "review_requested", "closed", "reopened"})


class ByRest:
    """A repository's pull requests, the one that changed last first; a place in the list is a number of things before it."""

    by: ClassVar[str] = "rest"
    first: ClassVar[Piece | None] = None

    def __init__(self, client: Client, repo: Repo, etag: str | None) -> None:
        self.client, self.repo, self.etag = client, repo, etag
        self.timelines: bool | None = None  # None until one was asked for
        self.warnings: list[str] = []
        self.page: tuple[int, Answer] | None = None

    def read(self, after: str | None) -> Piece:
        """A part of the list, from a place on."""
        page, skip = divmod(int(after or 0), 100)
        answer = self._page(page, self.etag if after is None else None)
        if after is None:
            self.etag = answer.etag or self.etag
        pulls = answer.data or []
        end = skip + PART >= len(pulls)
        place = page * 100 + (100 if end else skip + PART)
        return Piece([_timed(pull) for pull in pulls[skip : skip + PART]], None if end and answer.next is None else str(place))

    def whole(self, things: Sequence[Json]) -> list[dict[str, Any]]:
        """Pull requests with all of their commits, reviews, comments and events."""
        return [self._whole(pull) for pull in things]

    def state(self) -> dict[str, Any]:
        """The mark of the list's front, by which the server knows that nothing is new."""
        return {"etag": self.etag} if self.etag else {}

    def _page(self, page: int, etag: str | None) -> Answer:
        if self.page is None or self.page[0] != page or etag:
            params = {"state": "all", "sort": "updated", "direction": "desc", "per_page": 100}
            self.page = page, self.client.rest(self._path("pulls"), params | ({"page": page + 1} if page else {}), etag)
        return self.page[1]

    def _path(self, rest: str) -> str:
        return f"/repos/{self.repo.name}/{rest}"

    def _whole(self, pull: Json) -> dict[str, Any]:
        number = pull["number"]
        timeline = self._timeline(number)
        lists = told(timeline) if timeline is not None else self._lists(number)
        if timeline is not None and not lists["commits"]:  # left out where there are too many
            lists["commits"] = [commit(one) for one in self._some(f"pulls/{number}/commits")]
        return plain(pull, lists, self.repo.name)

    def _timeline(self, number: int) -> list[Json] | None:
        if self.timelines is False:
            return None
        try:
            found = self._all(f"issues/{number}/timeline")
        except NotThere:
            self.timelines = self.timelines or False  # of one that is hidden, or of all: a server that has none
            return None
        self.timelines = True
        return found

    def _lists(self, number: int) -> dict[str, list[Any]]:
        return {
            "commits": [commit(one) for one in self._some(f"pulls/{number}/commits")],
            "reviews": [review(one) for one in self._some(f"pulls/{number}/reviews")],
            "comments": [comment(one) for one in self._some(f"issues/{number}/comments")],
            "events": [],
        }

    def _some(self, path: str) -> list[Json]:
        try:
            return self._all(path)
        except NotThere as error:
            self.warnings.append(str(error))
            return []

    def _all(self, path: str) -> list[Json]:
        return [one for page in self.client.listed(self._path(path)) for one in page]


def _timed(pull: Json) -> dict[str, Any]:
    """A pull request of a list, with the time of its last change under GraphQL's name."""
    return {**pull, "updatedAt": pull["updated_at"]}


def login(user: Json | None) -> str | None:
    """Whose account it was; None for one that has been deleted.

    >>> login({"login": "dependabot[bot]", "type": "Bot"}), login({"login": "ghost"}), login({"login": "Copilot", "type": "Bot"})
    ('dependabot[bot]', None, 'Copilot[bot]')
    """
    name = (user or {}).get("login")
    if not name or name == "ghost":
        return None
    program = (user or {}).get("type") == "Bot" and not name.endswith("[bot]")
    return f"{name}[bot]" if program else str(name)


def plain(pull: Json, lists: Mapping[str, list[Any]], repository: str) -> dict[str, Any]:
    """A pull request as it is kept, in the words of GraphQL; sizes are not in a list."""
    head, base = pull.get("head") or {}, pull.get("base") or {}
    merged = pull.get("merged_at")
    return {
        "repository": repository,
        "number": pull["number"],
        "title": pull.get("title"),
        "url": pull.get("html_url"),
        "state": "MERGED" if merged else str(pull.get("state") or "").upper(),
        "isDraft": bool(pull.get("draft")),
        "createdAt": pull.get("created_at"),
        "updatedAt": pull.get("updated_at"),
        "closedAt": pull.get("closed_at"),
        "mergedAt": merged,
        "additions": pull.get("additions"),
        "deletions": pull.get("deletions"),
        "author": login(pull.get("user")),
        "baseRefName": base.get("ref"),
        "headRefName": head.get("ref"),
        "headRefOid": head.get("sha"),
        "head_repository": (head.get("repo") or {}).get("full_name"),
        "mergeCommit": pull.get("merge_commit_sha") if merged else None,  # of an open one it is a trial
        "labels": [label["name"] for label in pull.get("labels") or ()],
        **lists,
    }


def told(timeline: Sequence[Json]) -> dict[str, list[Any]]:
    """What a timeline tells, by list."""
    takes: dict[str, tuple[str, Callable[[Json], dict[str, Any]]]] = {
        "committed": ("commits", commit),
        "reviewed": ("reviews", review),
        "commented": ("comments", comment),
    }
    lists: dict[str, list[Any]] = {"commits": [], "reviews": [], "comments": [], "events": []}
    for one in timeline:
        name = str(one.get("event"))
        if name in takes:
            place, take = takes[name]
            lists[place].append(take(one))
        elif name in EVENTS:
            lists["events"].append({"event": name, "at": one.get("created_at"), "by": login(one.get("actor"))})
    return lists


def commit(one: Json) -> dict[str, Any]:
    """A commit of a timeline, or of a list of commits, which knows whose account it is."""
    inner = one.get("commit") or one
    author, committer = inner.get("author") or {}, inner.get("committer") or {}
    return {
        "sha": one["sha"],
        "authored": author.get("date"),
        "committed": committer.get("date"),
        "email": author.get("email"),
        "login": login(one.get("author")) if "commit" in one else None,
    }


def review(one: Json) -> dict[str, Any]:
    """A review of a timeline, or of a list of reviews."""
    return {"at": one.get("submitted_at"), "by": login(one.get("user")), "state": str(one.get("state") or "").lower()}


def comment(one: Json) -> dict[str, Any]:
    """A comment of a timeline, or of a list of comments."""
    return {"at": one.get("created_at"), "by": login(one.get("user") or one.get("actor"))}
