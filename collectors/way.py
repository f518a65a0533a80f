"""The way to a source: only to the server that the configuration names, never to a cloud's metadata, and no token in the clear.

Internal servers are usual, so a private address is fine where the configuration says it. What an answer says is another
thing: a redirect to another host is refused, and with it whoever got hold of a source's answers and wants to be shown around.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from collectors.base import CollectorError

NAMES = frozenset({"metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"})
NEVER = tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32")))
Resolve = Callable[[str], Iterable[str]]


def is_metadata(host: str) -> bool:
    """Whether a host, by its name or address, gives out a machine's own credentials, or is link-local.

    >>> [is_metadata(one) for one in ("169.254.169.254", "fd00:ec2::254", "[::ffff:a9fe:a9fe]", "Metadata.google.internal.")]
    [True, True, True, True]
    >>> [is_metadata(one) for one in ("10.0.0.5", "127.0.0.1", "ci.example.org", "fd12::1", "")]
    [False, False, False, False, False]
    """
    name = host.strip("[]").rstrip(".").casefold().partition("%")[0]
    if name in NAMES:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(name))  # 169.254.43518, 0xa9fea9fe: a resolver takes these, too
        except (OSError, ValueError):
            return False
    known = getattr(address, "ipv4_mapped", None) or address
    return any(known in network for network in NEVER if network.version == known.version)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").casefold() == "localhost"


def addresses(host: str) -> list[str]:
    """What a name leads to; nothing where nobody knows it, which the request itself then says."""
    try:
        return [str(told[4][0]) for told in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def checked(host: str, resolve: Resolve = addresses) -> None:
    """Raise CollectorError for a host that leads to a cloud's metadata."""
    if is_metadata(host) or any(is_metadata(one) for one in resolve(host)):
        raise CollectorError(f"{host}: leads to a link-local address, where a cloud gives out credentials: check the source's url")


class Guard(HTTPAdapter):
    """Sends requests to one host alone: a redirect elsewhere, or from https back to http, is refused."""

    def __init__(self, url: str, resolve: Resolve = addresses, **told: Any) -> None:
        super().__init__(**told)
        parts = urlsplit(url)
        self._host, self._secure = (parts.hostname or "").casefold(), parts.scheme == "https"
        self._resolve, self._looked = resolve, False

    def send(self, request: requests.PreparedRequest, *args: Any, **told: Any) -> requests.Response:
        """One request, if it is to our host."""
        parts = urlsplit(request.url or "")
        host = (parts.hostname or "").casefold()
        if host != self._host or (self._secure and parts.scheme != "https"):
            raise CollectorError(f"{self._host}: sends us to {parts.scheme}://{host}: if that is right, make it the source's url")
        if not self._looked:
            checked(host, self._resolve)
            self._looked = True
        return super().send(request, *args, **told)


def guard(session: requests.Session, url: str) -> None:
    """Let a session ask the host of an address alone."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, Guard(url))
