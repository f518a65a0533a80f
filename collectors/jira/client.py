"""Jira over HTTP: the jira package signs in, builds the addresses and carries the requests; answers stay plain JSON.

Its own retries are off. They cut a longer Retry-After short, fail on one that is a date, leave out
500, 502 and timeouts, and cannot be counted; `Patience` does all of it.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from jira import JIRA, JIRAError

from collectors.base import CollectorError
from collectors.credentials import Secret
from collectors.patience import PASSING, Patience, Refused
from collectors.way import guard

TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two bytes: the package itself waits for ever
NAME = "value-stream-dashboard"
T = TypeVar("T")


class NotThere(CollectorError):
    """What was asked for is not there, or not for us: 404, 405, 410."""


class Misread(CollectorError):
    """The server cannot make sense of what was asked: 400, or 500 where it fails on the question itself."""


@dataclass
class Client:
    """One Jira and who we are there.

    `date` is the server's clock at its last answer, `began` at its first.
    """

    url: str
    patience: Patience
    token: Secret | None = field(default=None, repr=False)
    user: str | None = None
    date: datetime | None = None
    began: datetime | None = None
    _jira: Any = field(default=None, repr=False)
    _answer: requests.Response | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The server's name, for sentences."""
        return urlsplit(self.url).netloc

    def version(self, number: str) -> None:
        """Ask the paths of another version of the API from now on."""
        self._session()._options["rest_api_version"] = number

    def get(self, path: str, params: Mapping[str, Any] | None = None, agile: bool = False) -> dict[str, Any]:
        """The object that a path answers. Raises NotThere, Misread, Blocked, CollectorError."""
        return self._asked(path, params, dict, agile)

    def list(self, path: str, params: Mapping[str, Any] | None = None) -> list[Any]:
        """The list that a path answers. Raises as `get`."""
        return self._asked(path, params, list, False)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object that a path answers to a question in a body. Raises as `get`."""
        return self._asked(path, body, dict, False, post=True)

    def tried(self, path: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """As `get`; None where the server fails on this very question, which is an answer, too."""

        def attempt() -> dict[str, Any] | None:
            try:
                return self._judged(path, params, dict, False, False)
            except (Misread, NotThere):
                return None
            except Refused as refused:
                if refused.status == 500:
                    return None
                raise

        return self.patience.ask(attempt)

    def _asked(self, path: str, params: Mapping[str, Any] | None, kind: type[T], agile: bool, post: bool = False) -> T:
        return self.patience.ask(lambda: self._judged(path, params, kind, agile, post))

    def _judged(self, path: str, params: Mapping[str, Any] | None, kind: type[T], agile: bool, post: bool) -> T:
        """An answer, if it is one. Raises Refused, NotThere, Misread or CollectorError."""
        jira, self._answer = self._session(), None
        base = JIRA.AGILE_BASE_URL if agile else JIRA.JIRA_BASE_URL
        try:
            found = jira._get_json(path, params=dict(params or {}), base=base, use_post=post)
        except requests.exceptions.JSONDecodeError:
            found = None
        except requests.exceptions.RequestException as error:
            raise _fault(error, self.host) from None
        except (JIRAError, TypeError, AttributeError, KeyError, ValueError):  # the package fails on some bodies of errors
            found = None
        self._look(path)
        if not isinstance(found, kind) or (kind is dict and not found):
            raise Refused(f"{self.host} answered {path} with something that is not what was asked for, or not whole")
        return found

    def _look(self, path: str) -> None:
        """What the answer's status and headers say. Raises Refused, NotThere, Misread or CollectorError."""
        answer = self._answer
        if answer is None:
            raise Refused(f"{self.host} gave no answer to {path}")
        self.date = _date(answer.headers) or self.date
        self.began = self.began or self.date
        status, headers, said = answer.status_code, answer.headers, _message(answer)
        told = headers.get("X-Seraph-LoginReason", "") + headers.get("X-Authentication-Denied-Reason", "")
        if "DENIED" in told or "CAPTCHA" in told:
            raise CollectorError(
                f"{self.host} wants a CAPTCHA after failed log-ins: log in once with a browser as this user, then run it again"
            )
        if status == 401 or "FAILED" in told:
            raise CollectorError(self._unknown())
        if status == 429:
            raise Refused(f"{self.host} says that we ask too much (429)", status, headers, limited=True)
        if status in PASSING:
            raise Refused(f"{self.host} answered {path} with {status}", status, headers)
        if status == 403:
            raise CollectorError(f"{self.host}: {path}: not allowed ({said or '403'}): give the account the right to read it")
        if status in (404, 405, 410):
            raise NotThere(f"{self.host}: {path} is not there, or not for this account ({said or status}): check the source's url")
        if status >= 400:
            raise Misread(f"{self.host}: {path}: {said or f'answered with {status}'}")
        if "html" in headers.get("Content-Type", ""):
            raise CollectorError(
                f"{self.host} answered {path} with a page for people: check the source's url (with its path, such as"
                " https://example.org/jira), and whether a single sign-on stands before it that a token does not pass"
            )

    def _unknown(self) -> str:
        if self.token is None:
            return f'{self.host} wants to know who we are: give the source a token = "env:JIRA_TOKEN" (Cloud: and an email)'
        return (
            f"{self.host} does not take the token: it may have expired, or be another account's; Cloud wants email and token,"
            " Server and Data Center a personal access token alone, or user and password"
        )

    def _session(self) -> Any:
        """The package's client, made when it is first needed: that looks the secret up, and asks the server nothing."""
        if self._jira is None:
            secret = self.token.reveal() if self.token else None
            self._jira = JIRA(
                server=self.url,
                options={"headers": {"User-Agent": NAME}},
                basic_auth=(self.user, secret) if self.user and secret else None,
                token_auth=secret if not self.user else None,
                get_server_info=False,
                max_retries=0,
                timeout=TIMEOUT,
                logging=False,
            )
            guard(self._jira._session, self.url)
            self._jira._session.hooks["response"] = [self._note]
        return self._jira

    def _note(self, answer: requests.Response, **_: Any) -> None:
        self._answer = answer


def _fault(error: requests.exceptions.RequestException, host: str) -> Exception:
    """What a failed connection means: another attempt, or a sentence at once."""
    text = str(error)
    if isinstance(error, requests.exceptions.ProxyError):
        return CollectorError(f"{host}: the proxy does not let us through: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
    if isinstance(error, requests.exceptions.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return CollectorError(
            f"{host}: its certificate cannot be checked: if it is signed by your own authority,"
            " set REQUESTS_CA_BUNDLE to that authority's certificates"
        )
    if any(word in text for word in ("NameResolutionError", "getaddrinfo", "Name or service not known")):
        return CollectorError(f"{host}: no machine has this name (DNS): check the source's url, and the network")
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return CollectorError(f"{host}: sends us from one place to the next: check the source's url")
    if isinstance(error, requests.exceptions.Timeout):
        return Refused(f"{host} gave no answer in time")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidHeader)):
        return CollectorError(f"{host}: this cannot be asked for ({type(error).__name__}): check the source's url and token")
    return Refused(f"{host} cannot be reached, or ended the connection ({type(error).__name__})")


def _message(answer: requests.Response) -> str:
    """What an error's body says."""
    if answer.ok:
        return ""
    try:
        body = answer.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    told = [*(body.get("errorMessages") or ()), *(errors.values() if isinstance(errors, dict) else ()), body.get("message")]
    return " ".join(str(one) for one in told if one)[:300]


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except (TypeError, ValueError):
        return None
