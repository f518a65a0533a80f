"""GitHub over HTTP: PyGithub signs in and carries the requests; answers stay plain JSON, and every fault ends in a sentence.

PyGithub's own retries are off. They wait silently for up to an hour, leave out a 429 without
Retry-After and GraphQL's rate limit, and cannot be counted; `Patience` does all of it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from github import Auth, Github, GithubException

from collectors.base import CollectorError
from collectors.courses import Courses
from collectors.github.connection import Unreachable, connection, fault
from collectors.patience import PASSING, Patience, Refused

PUBLIC = "https://api.github.com"
TIMEOUT = 60  # seconds; GitHub itself ends a query after ten
NAME = "value-stream-dashboard"
RESERVE = 100  # requests of the rate limit that are left to others who use the same token
SLOW = frozenset({408, 502, 504})  # GraphQL's way of saying that a query was too much for it
LIMITED = re.compile(r"rate limit|abuse detection|please wait a few minutes|retry your request again later", re.IGNORECASE)
TOO_MUCH = re.compile(r"something went wrong|timed? ?out|resource limit|exceeds the maximum limit", re.IGNORECASE)
TOO_MUCH_TYPES = frozenset({"MAX_NODE_LIMIT_EXCEEDED", "RESOURCE_LIMITS_EXCEEDED", "EXCESSIVE_PAGINATION"})
CURSOR = re.compile(r"after|a\d+")  # variables of our queries
MOVING = re.compile(r'"(?:endCursor|cost|remaining|resetAt)": (?:"[^"]*"|\d+)')  # what is another at each answer
RATE_TYPES = frozenset({"RATE_LIMITED", "RATE_LIMIT"})


class NotThere(CollectorError):
    """What was asked for is not there, or not for us: 404, 410, 451, and 409 for an empty repository."""

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message)
        self.status = status


class NotAllowed(CollectorError):
    """The token lacks a right."""


class TooMuch(CollectorError):
    """GraphQL could not answer so much at once: ask for less."""


class GraphQLRefused(CollectorError):
    """This server, or this token, has no GraphQL: REST must do."""


@dataclass(frozen=True)
class Answer:
    """What GitHub answered: data is None for 304 and for an empty body; header names are in lower case."""

    status: int
    data: Any
    headers: Mapping[str, str]

    @property
    def date(self) -> datetime | None:
        """The server's clock."""
        return _date(self.headers)

    @property
    def next(self) -> str | None:
        """Where the list goes on."""
        link = re.search(r'<([^>]+)>\s*;[^,<]*\brel="?next\b', self.headers.get("link", ""))
        return link[1] if link else None

    @property
    def etag(self) -> str | None:
        """What to give next time, so that an unchanged answer costs nothing."""
        return self.headers.get("etag")


class Data(dict[str, Any]):
    """What a GraphQL query gave; ``warnings`` say what it could not give, ``refused`` which fields below the first those are."""

    warnings: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    date: datetime | None = None


@dataclass
class Size:
    """How many things a GraphQL query asks for: halved where that is too much, and grown again where it is not."""

    now: int = 25
    floor: int = 5
    ceiling: int = 25
    well: int = 0

    def ask(self, client: "Client", query: str, variables: Mapping[str, Any], name: str = "first") -> Data:
        """What a query answers, with as many things a page (the variable `name`) as the server can give."""
        while True:
            try:
                answer = client.graphql(query, {**variables, name: self.now}, patient=self.now <= self.floor)
            except TooMuch:
                self.now, self.well = max(self.now // 2, self.floor), 0
            else:
                self._grow()
                return answer

    def _grow(self) -> None:
        self.well += 1
        if self.well >= 10 and self.now < self.ceiling:
            self.now, self.well = min(self.now * 2, self.ceiling), 0


@dataclass
class Client:
    """One GitHub server and who we are there."""

    patience: Patience
    url: str = PUBLIC
    auth: Auth.Auth | None = field(default=None, repr=False)
    reserve: int = RESERVE
    timeout: int = TIMEOUT
    graphql_refused: bool = False
    date: datetime | None = None  # the server's clock at its last answer
    scopes: str | None = None  # of a classic token
    courses: Courses = field(default_factory=Courses, repr=False)  # of the lists of this run
    _left: dict[str, tuple[int, int, str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.graphql_refused = self.graphql_refused or self.auth is None  # GraphQL is not for the anonymous
        github = Github(
            base_url=self.url,
            auth=self.auth,
            user_agent=NAME,
            per_page=100,
            timeout=self.timeout,
            retry=0,
            lazy=True,
            seconds_between_requests=0,
            seconds_between_writes=0,
            api_version="2022-11-28" if self.url == PUBLIC else None,
        )
        self._requester = github.requester
        self._connection = connection(self.url, self.timeout)

    @property
    def host(self) -> str:
        """The server's name, for sentences."""
        return urlsplit(self.url).netloc

    def rest(self, path: str, params: Mapping[str, Any] | None = None, etag: str | None = None) -> Answer:
        """What a path ("/repos/ann/shop/pulls", or a whole link) answers.

        With an etag the answer may be 304 without data. Raises NotThere, NotAllowed, Blocked, CollectorError.
        """
        headers = {"Accept": "application/vnd.github+json"} | ({"If-None-Match": etag} if etag else {})
        place = path if path.startswith("/") else urlsplit(path).path

        self._spare("core")

        def attempt() -> Answer:
            answer = self._carried(lambda: self._request("GET", path, dict(params or {}), headers, None), place)
            return _judged(answer, place, self)

        found = self.patience.ask(attempt)
        if found.next:
            asked = {**dict(parse_qsl(urlsplit(path).query)), **(params or {})}
            key = (place, *sorted((name, str(value)) for name, value in asked.items() if name not in ("page", "per_page", "after")))
            self.courses.page(key, f"{self.host}: {place}", found.data)
        return found

    def listed(self, path: str, params: Mapping[str, Any] | None = None, key: str | None = None) -> Iterator[list[Any]]:
        """The pages of a list, as long as there is a next one; `key` where the list is in an envelope."""
        for answer in self.walked(path, params):
            data = answer.data if key is None else (answer.data or {}).get(key)
            yield data or []

    def walked(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[Answer]:
        """As `listed`, the answers whole."""
        answer = self.rest(path, {"per_page": 100, **(params or {})})
        yield answer
        while answer.next:
            answer = self.rest(answer.next)
            yield answer

    def graphql(self, query: str, variables: Mapping[str, Any], patient: bool = False) -> Data:
        """What a query gives; parts that are refused are None in it, and its warnings say so.

        Raises TooMuch where less may work (with `patient` it is asked again instead), GraphQLRefused
        where this server has no GraphQL for us, Blocked, CollectorError.
        """
        if self.graphql_refused:
            raise GraphQLRefused(f"{self.host} has no GraphQL for us")
        body = {"query": query, "variables": dict(variables)}
        self._spare("graphql")

        def attempt() -> Data:
            try:
                return self._given(self._posted(body))
            except Refused as refused:
                if patient or refused.status not in SLOW:
                    raise
                raise TooMuch(refused.reason) from None
            except TooMuch as much:
                if not patient:
                    raise
                raise Refused(str(much)) from None

        found = self.patience.ask(attempt)
        if cursors := [value for name, value in variables.items() if value and CURSOR.fullmatch(name)]:
            rest = tuple(str(item) for item in variables.items() if item[0] != "first" and not CURSOR.fullmatch(item[0]))
            self.courses.page(("cursors", query, *rest), f"{self.host}: a list by GraphQL", cursors)
            self.courses.page((query, *rest), f"{self.host}: a list by GraphQL", MOVING.sub("", json.dumps(found)))
        return found

    def _posted(self, body: Mapping[str, Any]) -> Answer:
        answer = self._carried(lambda: self._request("POST", self._requester.graphql_url, {}, {}, body), "GraphQL")
        try:
            return _judged(answer, "GraphQL", self)
        except (NotThere, NotAllowed) as error:
            self.graphql_refused = True
            raise GraphQLRefused(str(error)) from None

    def _request(
        self, verb: str, url: str, params: dict[str, Any], headers: dict[str, str], body: Any
    ) -> tuple[int, dict[str, Any], str]:
        return self._requester.requestJson(verb, url, params, headers, body, self._connection)

    def _carried(self, request: Callable[[], tuple[int, dict[str, Any], str]], place: str) -> Answer:
        """An answer, whatever its status. Raises Refused or CollectorError where there was none."""
        try:
            status, headers, text = request()
        except GithubException as error:  # while a GitHub App's own token was asked for
            raise self._no_token(error) from None
        except requests.exceptions.RequestException as error:
            raise fault(error, self.host, met=self.date is not None) from None
        known = {name.lower(): str(value) for name, value in headers.items()}
        self._note(known)
        try:
            data = json.loads(text) if text else None
        except ValueError:
            if status < 300:
                raise Refused(f"{self.host} answered {place} with something that is not whole JSON", None, known) from None
            data = {"message": ""}
        return Answer(status, data, known)

    def _no_token(self, error: GithubException) -> Exception:
        """What it means that a GitHub App was given no token."""
        headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
        message = _message(error.data)
        if error.status in PASSING or (error.status == 403 and _limited(message, headers)):
            return Refused(f"{self.host} gives the GitHub App no token ({error.status})", error.status, headers)
        said = message or error.status
        return Unreachable(f"{self.host} gives the GitHub App no token ({said}): check app_id, installation_id and private_key")

    def _note(self, headers: Mapping[str, str]) -> None:
        """What the server says about itself on the side."""
        self.date = _date(headers) or self.date
        self.scopes = headers.get("x-oauth-scopes", self.scopes)
        left, reset, limit = (headers.get(f"x-ratelimit-{name}", "") for name in ("remaining", "reset", "limit"))
        if left.isdigit() and reset.isdigit():
            most = int(limit) // 10 if limit.isdigit() else self.reserve
            self._left[headers.get("x-ratelimit-resource", "core")] = (int(left), min(self.reserve, most), reset)

    def _spare(self, kind: str) -> None:
        """Leave the last requests of the rate limit to others."""
        left, reserve, reset = self._left.get(kind, (1, 0, "0"))
        if left <= reserve and float(reset) > self.patience.wall():
            headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
            reason = f"{self.host} allows {left:,} more requests for now, and {reserve:,} are left to others (key reserve)"
            self.patience.wait(Refused(reason, headers=headers, limited=True), 0)
            del self._left[kind]

    def _given(self, answer: Answer) -> Data:
        """The data of a GraphQL answer, once its errors are dealt with."""
        body = answer.data if isinstance(answer.data, dict) else {}
        errors = [error for error in body.get("errors") or () if isinstance(error, dict)]
        for error in errors:
            self._raise(error, answer)
        if not isinstance(body.get("data"), dict):
            said = "; ".join(_said(error) for error in errors) or "an answer without data"
            raise CollectorError(f"{self.host}: GraphQL: {said}")
        data = Data(body["data"])
        data.warnings = tuple(_said(error) for error in errors if error.get("type") != "NOT_FOUND")
        paths: list[list[Any]] = [error.get("path") or [] for error in errors]
        data.refused = tuple(dict.fromkeys(str(path[1]) for path in paths if len(path) > 1))
        data.date = answer.date
        return data

    def _raise(self, error: Mapping[str, Any], answer: Answer) -> None:
        """Raise what a GraphQL error means for the whole query; nothing where it is about a part of it."""
        kind, message = str(error.get("type") or ""), str(error.get("message") or "")
        code = str((error.get("extensions") or {}).get("code") or "")
        if kind in RATE_TYPES or (not error.get("path") and LIMITED.search(message)):
            raise Refused(f"{self.host}: GraphQL: {_said(error)}", answer.status, answer.headers, limited=True)
        if kind in TOO_MUCH_TYPES or TOO_MUCH.search(message):
            raise TooMuch(f"{self.host}: GraphQL: {_said(error)}")
        if code in ("undefinedField", "argumentNotAccepted", "undefinedType") or "doesn't exist on type" in message:
            self.graphql_refused = True
            raise GraphQLRefused(f"{self.host}: GraphQL of another version: {_said(error)}")
        if answer.data.get("data") is None and kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES"):
            raise NotAllowed(f"{self.host}: GraphQL: {right({}, message)}")


# What an answer means. ----------------------------------------------------------------------------


def _judged(answer: Answer, place: str, client: Client) -> Answer:
    """The answer, if it is one. Raises Refused, NotThere, NotAllowed or CollectorError."""
    status, message, where = answer.status, _message(answer.data), f"{client.host}: {place}"
    if status < 300 or status == 304:
        return answer
    limited = status == 429 or (status == 403 and _limited(message, answer.headers))
    if limited:
        raise Refused(f"{client.host} says that we ask too much ({status} {message or 'rate limit'})", status, answer.headers, True)
    if status in PASSING:
        raise Refused(f"{client.host} answered {place} with {status}", status, answer.headers)
    if status == 401:
        raise Unreachable(_unknown(client, message))
    if status == 403:
        raise NotAllowed(f"{where}: {right(answer.headers, message)}")
    if status in (404, 410, 451) or (status == 409 and "empty" in message.lower()):
        raise NotThere(f"{where}: {_absent(status)}", status)
    raise CollectorError(f"{where}: answered with {status} {message}".rstrip())


def _limited(message: str, headers: Mapping[str, str]) -> bool:
    return "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or bool(LIMITED.search(message))


def _unknown(client: Client, message: str) -> str:
    if client.auth is None:
        return f'{client.host} wants to know who we are ({message or "401"}): give the source a token = "env:GITHUB_TOKEN"'
    return (
        f"{client.host} does not take the token ({message or '401'}): it may have expired or been withdrawn; make a new one"
        " and put it where the source's token, or private_key, says"
    )


def right(headers: Mapping[str, str], message: str) -> str:
    """Which right is missing, as well as the answer tells it."""
    if "required" in headers.get("x-github-sso", "") or "SAML" in message:
        return "the organisation wants single sign-on (SAML): authorise the token for it in GitHub's settings, under tokens"
    if "ip allow list" in message.lower():
        return "the organisation's IP allow list does not have this machine: have it added"
    if rights := headers.get("x-accepted-github-permissions"):
        return f"the token lacks a right ({message or '403'}): give it {rights.replace('=', ': ')}"
    has, needs = headers.get("x-oauth-scopes"), headers.get("x-accepted-oauth-scopes")
    if has is not None and needs and not set(_words(has)) & set(_words(needs)):
        return f"the token has the scopes {has or '(none)'}, and this needs one of {needs}"
    return f"not allowed ({message or '403'}): give the token, or the app, the right to read it"


def _absent(status: int) -> str:
    if status == 409:
        return "the repository is empty"
    if status == 451:
        return "it is blocked for legal reasons"
    gone = "is gone, or was switched off" if status == 410 else "is not there, or not for this token"
    return f"it {gone}: check the name, and the token's rights"


def _message(data: Any) -> str:
    return str(data.get("message") or "") if isinstance(data, dict) else ""


def _said(error: Mapping[str, Any]) -> str:
    kind, message = error.get("type"), str(error.get("message") or "an error without a word")
    return f"{message} ({kind})" if kind else message


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except (TypeError, ValueError):
        return None
