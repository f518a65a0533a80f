"""A Jenkins server by HTTP: python-jenkins for the session, sign-in and addresses, our own patience, and plain JSON.

Whatever goes wrong ends in another attempt, or in one sentence with what to do about it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import jenkins
import requests

from collectors.base import CollectorError
from collectors.credentials import Secret
from collectors.patience import PASSING, Patience, Refused
from collectors.way import guard

TIMEOUT = 30  # seconds; the library's own default is to wait for ever
SERVER = "api/json"
ME = "me/api/json"
JOB = "%(folder_url)sjob/%(short_name)s/api/json"
BUILD = "%(folder_url)sjob/%(short_name)s/%(number)s/api/json"


class Missing(CollectorError):
    """The server answers, and has no such thing."""


class Client:
    """One server, asked one question at a time; ``headers`` are those of the last answer."""

    def __init__(self, url: str, user: str | None, token: Secret | None, patience: Patience) -> None:
        self.url, self.patience, self.user = url.rstrip("/"), patience, user
        self.headers: Mapping[str, str] = {}
        # No retries of the library's own: they know neither Retry-After nor 503, and nobody counts them.
        self._library = jenkins.Jenkins(self.url, user, token.reveal() if token else None, timeout=TIMEOUT, retries=0)
        guard(self._library._session, self.url)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def server(self, tree: str) -> Any:
        """What the server says of itself."""
        return self._asked(SERVER, tree)

    def me(self) -> Any:
        """Who the server takes us for. Raises Missing for nobody."""
        return self._asked(ME, "id,fullName")

    def job(self, full_name: str, tree: str) -> Any:
        """A job or folder, by its full name. Raises Missing."""
        return self._asked(JOB, tree, full_name)

    def build(self, full_name: str, number: int, tree: str) -> Any:
        """One build. Raises Missing."""
        return self._asked(BUILD, tree, full_name, number)

    def stages(self, full_name: str, number: int) -> Any:
        """A pipeline's stages. Raises Missing where the build has gone, or the plugin for it is not there."""
        return self._asked(jenkins.BUILD_STAGES, None, full_name, number)

    def _asked(self, place: str, tree: str | None, full_name: str = "", number: int | None = None) -> Any:
        folder_url, short_name = self._library._get_job_folder(full_name)
        names = {"folder_url": folder_url, "short_name": short_name, "number": number} if full_name else None
        address = self._library._build_url(place, names)
        return self.patience.ask(lambda: self._answer(address, tree))

    def _answer(self, address: str, tree: str | None) -> Any:
        request = requests.Request("GET", address, params={"tree": tree} if tree else {})
        try:
            response = self._library.jenkins_request(request, add_crumb=False)  # a reading token needs none
        except jenkins.TimeoutException:
            raise Refused(f"{self.url} did not answer within {TIMEOUT} seconds") from None
        except (jenkins.JenkinsException, requests.HTTPError) as error:
            raise self._fault(_answered(error), address) from None
        except requests.RequestException as error:
            raise self._silence(error) from None
        self.headers = response.headers
        return self._read(response)

    def _read(self, response: requests.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            if "json" in response.headers.get("Content-Type", ""):
                raise Refused(f"{self.url} answered with JSON that is cut short", headers=response.headers) from None
        if response.url.partition("?")[0].rstrip("/").endswith("/login") or "html" in response.headers.get("Content-Type", ""):
            raise CollectorError(
                f"{self.url} answers with a page instead of JSON: a login page or a proxy stands before Jenkins;"
                " give the url under which API tokens work, and user and token of somebody who may read"
            )
        raise CollectorError(
            f"{self.url} does not answer in JSON: check url, with its path, such as https://ci.example.org/jenkins"
        )

    def _fault(self, response: requests.Response | None, address: str) -> Exception:
        """What an answer that is no success means."""
        if response is None:
            return Refused(f"{self.url} answered with broken HTTP")
        status, path = response.status_code, unquote(address.removeprefix(self.url)).removesuffix("/api/json") or "/"
        if status == 404:
            return Missing(
                f"{self.url} has no Jenkins, or it has no {path} (404): check url, with its path, such as"
                " https://ci.example.org/jenkins"
            )
        if status == 401 or (status == 403 and self.user is None):
            return CollectorError(f"{self.url} {self._unknown()} ({status}): {_SIGN_IN}")
        if status == 403:
            return CollectorError(
                f"{self.url} does not let {self.user} read {path} (403): give that user Overall/Read and Job/Read,"
                " or check that token is an API token of that user"
            )
        if status in PASSING:
            what = "Jenkins is starting or shutting down" if status == 503 else response.reason or "no reason given"
            return Refused(f"{self.url} answered {status} ({what})", status, response.headers, limited=status == 429)
        return CollectorError(f"{self.url} answered {status} ({response.reason}) for {path}: check url, and the server's log")

    def _unknown(self) -> str:
        return "asks who we are" if self.user is None else f"does not know {self.user} with this token"

    def _silence(self, error: requests.RequestException) -> Exception:
        """What it means that there was no answer at all."""
        told = str(error)
        if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" not in told:
            return CollectorError(
                f"{self.url} does not speak TLS as we do: check url, whether it begins with https or http, and its port"
            )
        if isinstance(error, requests.exceptions.SSLError):
            return CollectorError(
                f"{self.url} has a certificate that cannot be verified: set REQUESTS_CA_BUNDLE to the file of your certificate"
                " authority, or correct url"
            )
        if "NameResolutionError" in told or "getaddrinfo" in told:
            return CollectorError(
                f"{self.url}: there is no host of that name: check url, and that this machine is in the right network"
            )
        if isinstance(error, requests.TooManyRedirects):
            return CollectorError(f"{self.url} sends us round in circles: check url, and the proxy before Jenkins")
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
            return CollectorError(f"{self.url} is no address of a server: check url")
        if isinstance(error, requests.exceptions.ProxyError):
            return Refused(f"the proxy on the way to {self.url} does not let us through; check HTTPS_PROXY and NO_PROXY")
        if isinstance(error, requests.ConnectionError) and "refused" in told:
            return Refused(f"{self.url} takes no connections: Jenkins is down, or url has the wrong port")
        return Refused(f"{self.url} broke off its answer ({type(error).__name__})")


_SIGN_IN = "set user to a Jenkins user's id and token to an API token of that user (Jenkins: the user's page, Security, API Token)"


def _answered(error: BaseException) -> requests.Response | None:
    """The answer that the library made an error of: it keeps neither its status nor its headers."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(response := getattr(cause, "response", None), requests.Response):
            return response
        cause = cause.__cause__ or cause.__context__
    return None
