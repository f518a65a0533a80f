"""The way to the server: redirects are followed with their query and only on this server, and a fault is told for what it is."""

from typing import Any
from urllib.parse import urlsplit

import requests
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, RequestsResponse

from collectors.base import CollectorError
from collectors.patience import Refused
from collectors.way import checked

HOPS = 3  # redirects one after the other


class Unreachable(CollectorError):
    """The server cannot be reached, or does not know us: nothing else need be asked."""


class _Follows:
    """Follows redirects with the query, which PyGithub would lose: a list asked for without it is another list.

    Only on this server: elsewhere the token would be seen by others. Stands beside one of PyGithub's two connections,
    which have no class in common: what they have is named here, and `super()` is theirs.
    """

    host: str
    port: int
    protocol: str
    url: str

    def getresponse(self) -> RequestsResponse:
        answer: RequestsResponse = super().getresponse()  # type: ignore[misc]  # a mixin: what it stands before has the method
        for _ in range(HOPS):
            if answer.status not in (301, 302, 307, 308):
                break
            self.url = self._there(answer)
            answer = super().getresponse()  # type: ignore[misc]  # a mixin: what it stands before has the method
        if 300 <= answer.status < 400 and answer.status != 304:
            raise CollectorError(f"{self.host}: sends us from one place to the next: check the source's url")
        if answer.status == 202:  # PyGithub would ask again for ever
            raise Refused(f"{self.host} is still making the answer", 202)
        answer.response.encoding = "utf-8"
        return answer

    def _there(self, answer: RequestsResponse) -> str:
        new = urlsplit(answer.headers.get("location", ""))
        scheme, host, port = self.protocol, self.host, self.port
        if new.netloc and (new.scheme, new.hostname, new.port or port) != (scheme, host, port):
            raise CollectorError(f"{host}: sends us to {new.scheme}://{new.netloc}: if that is right, make it the source's url")
        query = new.query or urlsplit(self.url).query
        return new.path + (f"?{query}" if query else "")


class _Plain(_Follows, HTTPRequestsConnectionClass):
    """Over http."""


class _Secure(_Follows, HTTPSRequestsConnectionClass):
    """Over https."""


def connection(url: str, timeout: int) -> Any:
    """A connection for PyGithub's requester, without attempts of its own."""
    parts = urlsplit(url)
    checked(parts.hostname or "")
    kind = _Secure if parts.scheme == "https" else _Plain
    return kind(parts.hostname or "", parts.port, timeout=timeout, retry=0, verify=True)


def fault(error: requests.exceptions.RequestException, host: str, met: bool) -> Exception:
    """What a failed connection means: another attempt, or a sentence at once; `met` where the server has answered before."""
    text = str(error)
    if isinstance(error, requests.exceptions.ProxyError):
        return _absent(f"{host}: the proxy does not let us through: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY", met)
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(
            f"{host}: its certificate cannot be checked: if it is signed by your own authority,"
            " set REQUESTS_CA_BUNDLE to that authority's certificates"
        )
    if any(word in text for word in ("NameResolutionError", "getaddrinfo", "Name or service not known")):
        return _absent(f"{host}: no machine has this name (DNS): check the source's url, and the network", met)
    if isinstance(error, requests.exceptions.Timeout):
        return Refused(f"{host} gave no answer in time", 408)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidHeader)):
        return Unreachable(f"{host}: this cannot be asked for ({type(error).__name__}): check the source's url and token")
    return Refused(f"{host} cannot be reached, or ended the connection ({type(error).__name__})")


def _absent(said: str, met: bool) -> Exception:
    """A way that was there a moment ago may be there again; one that never was is a mistake in the configuration."""
    return Refused(said) if met else Unreachable(said)
