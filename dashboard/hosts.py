"""By which names the server may be asked: a page of somebody else that points its own name at this machine is turned away.

Such a page (DNS rebinding) is same-origin with us for a browser, and would read everything that the loopback shows. Its
requests carry its own name in Host, and its websockets in Origin, which no page can forge.
"""

import os
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

NAMES = "VSM_HOST_NAMES"  # the environment by which `vsm dashboard --host-name` hands over its own
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
PROBED = frozenset({"/_stcore/health", "/healthz", "/readyz"})  # by address, from whoever watches the server; they tell no data
HIDDEN = "/_stcore/agent/"  # Streamlit's interface for programs, off and behind no door of ours


def name(text: str) -> str | None:
    """The name in a Host header, without its port; None for a header that is none.

    >>> name("VSM.Example.org.:8501"), name("[::1]:8501"), name("localhost"), name("a@b"), name("a/b"), name("a:b"), name("")
    ('vsm.example.org', '::1', 'localhost', None, None, None, None)
    """
    try:
        parts = urlsplit(f"//{text}")
        _ = parts.port
    except ValueError:
        return None
    if parts.netloc != text or parts.username is not None or not parts.hostname or text != text.strip():
        return None
    return parts.hostname.rstrip(".")


class Hosts:
    """Answers only who asks by a name that is allowed; the configured ones are looked up anew, since they may be edited."""

    def __init__(self, app: ASGIApp, configured: Callable[[], Iterable[str]] = tuple) -> None:
        self._app, self._configured = app, configured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan" or scope["path"] in PROBED:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.getlist("host")
        if len(asked) != 1 or name(asked[0]) not in self._allowed(scope):
            said = "the dashboard is not known by this name here: name it in vsm.toml ([server] hosts), or with --host-name"
            await self._refuse(said, 421)(scope, receive, send)
        elif scope["path"].startswith(HIDDEN):
            await self._refuse("nothing is here", 404)(scope, receive, send)
        elif scope["type"] == "websocket" and not self._same_site(headers.getlist("origin"), asked[0], scope):
            await self._refuse("a page of another site may not listen here", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    @staticmethod
    def _refuse(said: str, status: int) -> ASGIApp:
        return JSONResponse({"error": said}, status, {"Cache-Control": "no-store"}) if said else PlainTextResponse("", status)

    def _allowed(self, scope: Scope) -> frozenset[str]:
        """This machine's own names, the configured ones, and the one address that the server listens on."""
        listening = scope.get("server") or ("", 0)
        return LOCAL | {one.strip("[]") for one in self._configured()} | {str(listening[0]), *told()}

    def _same_site(self, origins: list[str], host: str, scope: Scope) -> bool:
        """Whether the page that opens a websocket is ours. A program, which has no page, sends no Origin and is let in."""
        if not origins:
            return True
        try:
            parts = urlsplit(origins[0])
            _ = parts.port
        except ValueError:
            return False
        if len(origins) > 1 or parts.scheme not in ("http", "https"):
            return False
        if parts.netloc.lower() == host.lower():
            return True
        # A proxy may ask us by another name than it is asked by, which then is one that was configured.
        return parts.scheme == "https" and name(parts.netloc) in {one.strip("[]") for one in (*self._configured(), *told())}


def told() -> list[str]:
    """The names that the command was given."""
    return os.environ.get(NAMES, "").split()
