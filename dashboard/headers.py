"""What every answer of the server says about itself: what its page may load and run, and who may frame or read it.

The policy is made from the page that Streamlit really serves: its one inline script is allowed by its hash, so that a new
version of Streamlit needs no change here and a script that somebody brought in is never among them. What could not be had,
and why, is told in docs/security.md.
"""

import base64
import hashlib
import logging
import re
import secrets
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

INLINE = re.compile(rb"<script(?:\s[^>]*)?>(.*?)</script>", re.S | re.I)
A_YEAR = 365 * 24 * 3600
# Everything that a page could ask of a browser and that no page of ours asks.
DENIED = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media", "geolocation",
    "gyroscope", "hid", "idle-detection", "magnetometer", "microphone", "midi", "payment", "publickey-credentials-create",
    "publickey-credentials-get", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip


def policy(index: bytes) -> str:
    """The content security policy of a page: scripts from this server alone, no inline script but those that stand in `index`.

    >>> [rule for rule in policy(b"<script>a = 1</script><script src='./b.js'></script>").split("; ") if rule.startswith("script")]
    ["script-src 'self' blob: 'sha256-tbwf/ZCRL7GL7259gJCRksemSSiWMgFW1n+68QTGVEo='"]
    """
    inline = [text for text in INLINE.findall(index) if text.strip()]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" for text in inline]
    rules = {
        "default-src": ["'none'"],
        "script-src": ["'self'", "blob:", *hashes],  # blob: a component's script, which Streamlit hands over as text
        "style-src": ["'self'", "'unsafe-inline'"],  # Streamlit's own styles are made while it runs
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],  # as all that follows from default-src, which older browsers know less of
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(" ".join((name, *values)) for name, values in rules.items())


def told(index: bytes) -> dict[str, str]:
    """The headers of every answer."""
    return {
        "Content-Security-Policy": policy(index),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in DENIED),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Permitted-Cross-Domain-Policies": "none",
    }


def served_page() -> bytes:
    """The page that Streamlit serves for every path of the dashboard."""
    from streamlit import file_util

    return (Path(file_util.get_static_dir()) / "index.html").read_bytes()


class Headers:
    """Puts the headers on every answer, whoever gave it; what broke unseen is answered here, so that it has them, too."""

    def __init__(self, app: ASGIApp, index: bytes | None = None) -> None:
        self._app = app
        self._told = told(served_page() if index is None else index)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        begun = False

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in self._told.items():
                    headers[name] = value
                del headers["Server"]
                if scope.get("scheme") in ("https", "wss"):
                    headers["Strict-Transport-Security"] = f"max-age={A_YEAR}; includeSubDomains"
            await send(message)

        try:
            await self._app(scope, receive, dressed)
        except Exception as error:  # the boundary of the server: a sentence for who asks, the traceback for the log
            number = secrets.token_hex(4)
            logging.getLogger("dashboard").error("error %s", number, exc_info=error)
            if begun or scope["type"] != "http":
                raise
            said = f"this could not be answered; the server's log says why: look for error {number}"
            await JSONResponse({"error": said}, 500)(scope, receive, dressed)
