"""A GitHub of our own, for GraphQL and the REST beside it, since no server with GitHub's GraphQL can be had.

Queries are validated and executed by graphql-core against the schema that GitHub publishes, over
dictionaries that are named as the schema names them. What is ours, and may differ from GitHub:
the order of things within one instant, the look of cursors, and the limits (`most`, `refuses`). Its
REST has only what the collector asks for, and only the fields that it reads.

    github = GitHub(schema, [repository("acme/shop", pulls=[pull(1)])])
    peer = served(github)
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema, get_named_type, is_non_null_type, parse, validate
from graphql.execution import execute_sync

Thing = dict[str, Any]
Answer = tuple[int, dict[str, str], object]
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
ORDERS = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "NAME": "name", "TAG_COMMIT_DATE": "at"}


class Denied(Exception):
    """Put in the place of a value: GitHub refuses it, and answers null and an error of this type."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class GitHub:
    """The handler for `served`. `faults` are answered before anything else, one a request; None lets a request through.

    ``most``: pull requests that a query may ask for; more is answered with 502. ``refuses``: no GraphQL at all.
    """

    def __init__(self, schema: GraphQLSchema, repositories: Iterable[Thing] = (), now: datetime = NOW) -> None:
        self.schema, self.repositories, self.now = schema, list(repositories), now
        self.faults: list[Answer | str | None] = []
        self.most: int | None = None
        self.refuses = False
        self.timelines = True
        self.left = 5000
        self._parsed = lru_cache(100)(self._parse)

    def __call__(
        self, method: str, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str], body: bytes
    ) -> Answer | None:
        if self.faults and (fault := self.faults.pop(0)) is not None:
            return None if fault == "cut" else fault
        self.left -= 1
        told = {
            "Date": f"{self.now:%a, %d %b %Y %H:%M:%S} GMT",
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": str(self.left),
        }
        told |= {"X-RateLimit-Reset": "4102444800", "X-RateLimit-Resource": "graphql" if path == "/graphql" else "core"}
        status, more, answer = self.graphql(json.loads(body)) if path == "/graphql" else self.rest(path, query, headers)
        return status, told | more, answer

    # GraphQL.

    def graphql(self, body: Thing) -> Answer:
        """What a query answers."""
        if self.refuses:
            return 404, {}, {"message": "Not Found"}
        if self.most is not None and (body["variables"].get("first") or 0) > self.most:
            return 502, {}, {"message": "Server Error"}
        document = self._parsed(body["query"])
        done = execute_sync(self.schema, document, self, variable_values=body["variables"], field_resolver=self._field)
        answer: Thing = {"data": done.data}
        if done.errors:
            answer["errors"] = [_formatted(error) for error in done.errors]
        return 200, {}, answer

    def _parse(self, query: str) -> Any:
        document = parse(query)
        assert validate(self.schema, document) == [], query
        return document

    def _field(self, source: Any, info: Any, **arguments: Any) -> Any:
        if source is self:
            return getattr(self, f"_{info.field_name}")(**arguments)
        value = source.get(info.field_name)
        if isinstance(value, Denied):
            raise value
        kind = get_named_type(info.return_type)
        if info.field_name == "history":
            return connection(list(_reachable(source, arguments.get("since"))), arguments)
        if info.field_name == "object":
            return source["commits"].get(arguments["oid"])
        if isinstance(kind, GraphQLObjectType) and kind.name.endswith("Connection"):
            return connection(value or [], arguments)
        assert value is not None or not is_non_null_type(info.return_type), f"the peer has no {info.parent_type}.{info.field_name}"
        return value

    def _repository(self, owner: str, name: str, **_: Any) -> Thing:
        for one in self.repositories:
            if isinstance(one, Denied):
                raise one
        if (found := self.find(f"{owner}/{name}")) is None:
            raise Denied("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        return found

    def _node(self, id: str) -> Thing | None:
        lists = [one[name] for one in self.repositories for name in LISTS if isinstance(one[name], list)]
        things = (thing for some in [self.repositories, *lists] for thing in some)
        return next((thing for thing in things if thing["id"] == id), None)

    def _nodes(self, ids: list[str]) -> list[Thing | None]:
        return [self._node(one) for one in ids]

    def _repositoryOwner(self, login: str) -> Thing | None:
        mine = [one for one in self.repositories if one["nameWithOwner"].partition("/")[0] == login]
        return {"__typename": "Organization", "login": login, "repositories": mine} if mine else None

    def _rateLimit(self, **_: Any) -> Thing:
        return {"cost": 1, "remaining": self.left, "resetAt": "2100-01-01T00:00:00Z", "limit": 5000}

    def find(self, name: str) -> Thing | None:
        """The repository that has this name, or had it."""
        names = ((one, [one["nameWithOwner"], *one.get("former", ())]) for one in self.repositories)
        return next((one for one, known in names if name.lower() in map(str.lower, known)), None)

    # REST.

    def rest(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        """What a path answers."""
        if path == "/rate_limit":
            return 200, {}, {"resources": {"core": {"limit": 5000, "remaining": self.left}}}
        if path == "/user":
            return 200, {"X-OAuth-Scopes": "repo"}, {"login": "ann"}
        if found := re.fullmatch(r"/(?:orgs|users)/([^/]+)/repos", path):
            mine = [_repository(one) for one in self.repositories if one["nameWithOwner"].startswith(f"{found[1]}/")]
            return self._paged(path, query, mine) if mine else (404, {}, {"message": "Not Found"})
        found = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", path) or re.fullmatch(r"/repositories/(\d+)(/.*)?", path)
        one = found and (
            self.find(found[1]) or next((one for one in self.repositories if str(one["databaseId"]) == found[1]), None)
        )
        if not one:
            return 404, {}, {"message": "Not Found"}
        if found[1].lower() != one["nameWithOwner"].lower() and not found[1].isdigit():
            asked = urlencode([(name, value) for name, values in query.items() for value in values])
            return 301, {"Location": f"/repositories/{one['databaseId']}{found[2] or ''}" + (f"?{asked}" if asked else "")}, {}
        return self._of(one, path, found[2] or "", query, headers)

    def _of(self, one: Thing, path: str, rest: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        commits = one["commits"]
        if not rest:
            return 200, {}, _repository(one)
        if re.fullmatch("/branches/.+", rest):
            head = (one["defaultBranchRef"] or {}).get("target")
            return (200, {}, {"commit": {"sha": head["oid"]}}) if head else (404, {}, {"message": "Branch not found"})
        if rest == "/pulls":
            some = sorted(one["pullRequests"], key=lambda pull: (pull["updatedAt"], pull["number"]), reverse=True)
            return self._tagged(path, query, headers, [_rest_pull(pull) for pull in some])
        if (number := re.fullmatch(r"/issues/(\d+)/timeline", rest)) and self.timelines:
            return self._paged(path, query, list(_timeline(_pull(one, number[1]))))
        if number := re.fullmatch(r"/pulls/(\d+)/commits", rest):
            return self._paged(path, query, [_rest_commit(node["commit"]) for node in _pull(one, number[1])["commits"]])
        if number := re.fullmatch(r"/pulls/(\d+)/reviews", rest):
            return self._paged(path, query, [_rest_review(node) for node in _pull(one, number[1])["reviews"]])
        if number := re.fullmatch(r"/issues/(\d+)/comments", rest):
            return self._paged(path, query, [_rest_comment(node) for node in _pull(one, number[1])["comments"]])
        if rest == "/commits":
            return self._paged(path, query, [_rest_commit(commit) for commit in _reachable(commits[query["sha"][0]])])
        if heads := re.fullmatch(r"/compare/(\w+)\.\.\.(\w+)", rest):
            if heads[1] not in commits:
                return 404, {}, {"message": "Not Found"}
            old = {commit["oid"] for commit in _reachable(commits[heads[1]])}
            news = [commit for commit in _reachable(commits[heads[2]]) if commit["oid"] not in old]
            return self._paged(path, query, [_rest_commit(commit) for commit in reversed(news)], "commits")
        if rest == "/actions/runs":
            return 200, {}, {"total_count": 0, "workflow_runs": []}
        if rest in ("/deployments", "/issues", "/releases", "/git/matching-refs/tags/"):
            return 200, {}, []
        return 404, {}, {"message": "Not Found"}

    def _tagged(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str], things: list[Thing]) -> Answer:
        status, more, page = self._paged(path, query, things)
        etag = f'W/"{abs(hash(json.dumps(page)))}"'
        if headers.get("If-None-Match") == etag:
            return 304, {"ETag": etag}, None
        return status, more | {"ETag": etag}, page

    def _paged(self, path: str, query: Mapping[str, list[str]], things: list[Any], key: str | None = None) -> Answer:
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        part, more = things[(page - 1) * size : page * size], {}
        if page * size < len(things):
            asked = {name: values[0] for name, values in query.items()} | {"page": page + 1}
            more = {"Link": f'<https://elsewhere.example{path}?{urlencode(asked)}>; rel="next"'}
        return 200, more, part if key is None else {key: part}


LISTS = ("pullRequests", "issues", "deployments", "releases")


def connection(things: list[Thing], arguments: Mapping[str, Any]) -> Thing:
    """A connection: a part of a list, by its arguments."""
    if kinds := arguments.get("itemTypes"):
        names = {"".join(word.title() for word in kind.split("_")) for kind in kinds}
        things = [thing for thing in things if thing["__typename"] in names]
    if order := arguments.get("orderBy"):
        key = ORDERS[order["field"]]
        things = sorted(things, key=lambda thing: _value(thing, key), reverse=order["direction"] == "DESC")
        places = [_cursor(list(_value(thing, key))) for thing in things]
        start = _start(things, key, order["direction"] == "DESC", arguments.get("after"))
    else:
        places = [_cursor(place) for place in range(len(things))]
        start = json.loads(b64decode(arguments["after"])) + 1 if arguments.get("after") else 0
    assert 1 <= arguments["first"] <= 100, "GitHub wants first, from 1 to 100"
    end = start + arguments["first"]
    page = {"hasNextPage": end < len(things), "endCursor": (places[start:end] or [None])[-1], "hasPreviousPage": start > 0}
    return {"totalCount": len(things), "nodes": things[start:end], "pageInfo": page}


def _value(thing: Thing, key: str) -> tuple[str, str]:
    return str(thing.get(key) or thing.get("name") or ""), str(thing.get("databaseId") or thing.get("id") or "")


def _start(things: list[Thing], key: str, down: bool, after: str | None) -> int:
    """As GitHub: a cursor is a value, so what moves to the front shifts nothing below it."""
    if after is None:
        return 0
    place = tuple(json.loads(b64decode(after)))
    return sum((_value(thing, key) >= place) if down else (_value(thing, key) <= place) for thing in things)


def _cursor(value: Any) -> str:
    return b64encode(json.dumps(value).encode()).decode()


def _formatted(error: GraphQLError) -> Thing:
    cause = error.original_error
    if not isinstance(cause, Denied):
        raise cause or error
    return {"type": cause.kind, "message": str(cause), "path": error.path, "locations": []}


def _reachable(head: Thing, since: str | None = None) -> Iterator[Thing]:
    """A commit and all before it, by the time of the commit, the newest first."""
    found, ways = {}, [head]
    while ways:
        one = ways.pop()
        if one["oid"] not in found:
            found[one["oid"]] = one
            ways += one["parents"]
    some = sorted(found.values(), key=lambda one: one["committedDate"], reverse=True)
    yield from (one for one in some if since is None or one["committedDate"] >= since)


# What is in it. -----------------------------------------------------------------------------------


def at(hours: float) -> str:
    """So many hours after the start, as GitHub writes times."""
    return f"{START + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def actor(login: str | None) -> Thing | None:
    """An account, a program's where it ends in [bot]; None for one that was deleted."""
    if login is None:
        return None
    return {"__typename": "Bot" if login.endswith("[bot]") else "User", "login": login.removesuffix("[bot]")}


def commit(
    sha: str, when: str, *parents: Thing, email: str = "ann@example.org", login: str | None = "ann", message: str = "work"
) -> Thing:
    """A commit."""
    user = {"__typename": "User", "login": login} if login else None
    who = {"__typename": "GitActor", "email": email, "user": user}
    times = {"authoredDate": when, "committedDate": when}
    return {
        "__typename": "Commit",
        "id": f"C_{sha}",
        "oid": sha,
        **times,
        "message": message,
        "author": who,
        "parents": list(parents),
    }


def review(by: str | None, when: str, state: str = "APPROVED") -> Thing:
    """A review."""
    return {"state": state, "submittedAt": when, "author": actor(by)}


def comment(by: str | None, when: str) -> Thing:
    """A comment."""
    return {"createdAt": when, "author": actor(by)}


def event(kind: str, when: str, by: str | None = "ann") -> Thing:
    """Something of a timeline: "ReadyForReviewEvent"."""
    return {"__typename": kind, "createdAt": when, "actor": actor(by)}


def pull(number: int, created: str, **told: Any) -> Thing:
    """A pull request, as the schema names its parts; what is not told is as in one that was just opened."""
    merged = told.get("mergedAt")
    changed = max([created, *(told.get(name) or "" for name in ("closedAt", "mergedAt"))])
    state = "MERGED" if merged else "CLOSED" if told.get("closedAt") else "OPEN"
    plain = {
        "__typename": "PullRequest", "id": f"PR_{number}", "number": number, "databaseId": number, "title": f"Change {number}",
        "url": f"https://github.example/pull/{number}", "state": state, "isDraft": False, "createdAt": created,
        "updatedAt": changed, "closedAt": merged, "mergedAt": None, "additions": 3, "deletions": 1, "author": actor("ann"),
        "baseRefName": "main", "headRefName": f"work-{number}", "headRefOid": f"{number:040x}", "mergeCommit": None,
        "headRepository": {"nameWithOwner": "acme/shop"}, "commits": [], "reviews": [], "comments": [], "timelineItems": [],
        "labels": [],
    }  # fmt: skip
    return plain | told


def repository(name: str, number: int = 1, pulls: Iterable[Thing] = (), head: Thing | None = None, **told: Any) -> Thing:
    """A repository; `head` is the newest commit of its default branch."""
    branch = {"name": "main", "target": head} if head else None
    known = {one["oid"]: one for one in _reachable(head)} if head else {}
    plain = {
        "__typename": "Repository", "id": f"R_{number}", "databaseId": number, "nameWithOwner": name,
        "name": name.partition("/")[2], "url": f"https://github.example/{name}", "isArchived": False, "isFork": False,
        "pushedAt": at(0), "defaultBranchRef": branch, "pullRequests": list(pulls), "repositoryTopics": [], "commits": known,
        "releases": [], "refs": [], "deployments": [], "issues": [], "hasIssuesEnabled": True,
    }  # fmt: skip
    return plain | told


def push(one: Thing, head: Thing) -> None:
    """Make a commit the head of a repository's default branch; what the old head led to is kept, as GitHub keeps it for a while."""
    one["defaultBranchRef"] = {"name": "main", "target": head}
    one["commits"] |= {commit["oid"]: commit for commit in _reachable(head)}


# The same by REST. --------------------------------------------------------------------------------


def _pull(one: Thing, number: str) -> Thing:
    return next(pull for pull in one["pullRequests"] if pull["number"] == int(number))


def _user(told: Thing | None) -> Thing | None:
    if told is None:
        return None
    program = told["__typename"] == "Bot"
    return {"login": told["login"] + ("[bot]" if program else ""), "type": told["__typename"]}


def _repository(one: Thing) -> Thing:
    topics = [node["topic"]["name"] for node in one["repositoryTopics"]]
    return {
        "id": one["databaseId"], "node_id": one["id"], "full_name": one["nameWithOwner"], "html_url": one["url"],
        "default_branch": "main", "archived": one["isArchived"], "fork": one["isFork"], "pushed_at": one["pushedAt"],
        "topics": topics,
    }  # fmt: skip


def _rest_pull(told: Thing) -> Thing:
    head = {"ref": told["headRefName"], "sha": told["headRefOid"], "repo": told["headRepository"] and {"full_name": "acme/shop"}}
    return {
        "number": told["number"], "title": told["title"], "html_url": told["url"], "draft": told["isDraft"],
        "state": "open" if told["state"] == "OPEN" else "closed", "created_at": told["createdAt"], "updated_at": told["updatedAt"],
        "closed_at": told["closedAt"], "merged_at": told["mergedAt"], "user": _user(told["author"]), "head": head,
        "base": {"ref": told["baseRefName"]}, "merge_commit_sha": (told["mergeCommit"] or {"oid": "f" * 40})["oid"],
        "labels": told["labels"],
    }  # fmt: skip


def _rest_commit(one: Thing) -> Thing:
    author, user = one["author"] or {}, _user((one["author"] or {}).get("user"))
    told = {"author": {"date": one["authoredDate"], "email": author.get("email")}, "committer": {"date": one["committedDate"]}}
    parents = [{"sha": parent["oid"]} for parent in one.get("parents") or ()]
    return {"sha": one["oid"], "commit": told | {"message": one.get("message")}, "author": user, "parents": parents}


def _rest_review(node: Thing) -> Thing:
    return {"state": node["state"], "submitted_at": node["submittedAt"], "user": _user(node["author"])}


def _rest_comment(node: Thing) -> Thing:
    return {"created_at": node["createdAt"], "user": _user(node["author"])}


def _timeline(told: Thing) -> Iterator[Thing]:
    for node in told["commits"]:
        one = _rest_commit(node["commit"])
        yield {"event": "committed", "sha": one["sha"], "author": one["commit"]["author"], "committer": one["commit"]["committer"]}
    for node in told["reviews"]:
        yield {"event": "reviewed", **_rest_review(node), "state": node["state"].lower()}
    for node in told["comments"]:
        yield {"event": "commented", "actor": _user(node["author"]), "created_at": node["createdAt"]}
    for node in told["timelineItems"]:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", node["__typename"].removesuffix("Event")).lower()
        yield {"event": name, "actor": _user(node["actor"]), "created_at": node["createdAt"]}
