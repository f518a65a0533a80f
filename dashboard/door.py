"""The door of the server: without sign-in only the empty page, what it is made of, and the way to the provider are given out."""

import re
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from dashboard import access, data
from vsm.access import NotAllowed, SignedOut
from vsm.errors import UsageError

# Streamlit's page and its files, which hold no data, whether it is well, and the way in and out. All else is closed, and a page's
# own data comes by its socket, of which `app.py` asks who it is. The interface asks for itself (`dashboard.api`), and so does what
# takes in signed messages of others (/hooks), if it is there.
OPEN = re.compile(
    r"/[a-z_-]*|/index\.html|/static/.*|/(favicon|manifest)[\w.-]*|/auth/(login|logout)|/oauth2callback"
    r"|(/[a-z_-]+)?/_stcore/(health|host-config)|/metrics|/api/.*|/hooks(/.*)?"
)
Told = MutableMapping[str, Any]


class Door:
    """Asks of what is fetched beside the pages (media, downloads, components, uploads) who fetches it."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    async def __call__(self, scope: Told, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] != "http" or not access.on():
            await self.app(scope, receive, send)
            return
        if not OPEN.fullmatch(scope["path"]):
            status, why = refusal(Request(scope))
            if why:
                await JSONResponse({"error": why}, status, {"Cache-Control": "no-store"})(scope, receive, send)
                return
        await self.app(scope, receive, _sealed(send))


def refusal(request: Request) -> tuple[int, str]:
    """Why somebody with these cookies may not fetch anything, as status and sentence; an empty one where they may."""
    try:
        data.viewer_of(access.of_cookies(request.cookies, data.config()))
    except SignedOut as why:
        return 401, str(why)
    except NotAllowed as why:
        return 403, str(why)
    except UsageError:
        return 503, "the configuration cannot be used now: whoever runs the dashboard must mend it"
    return 200, ""


def _sealed(send: Any) -> Any:
    """Cookies of an address over TLS travel only over TLS; Streamlit leaves that word out."""
    told = data.sign_in_address()
    if not told.startswith("https://"):
        return send

    async def sealed(message: Told) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                (name, value + b"; Secure" if name.lower() == b"set-cookie" and b"secure" not in value.lower() else value)
                for name, value in message["headers"]
            ]
        await send(message)

    return sealed
