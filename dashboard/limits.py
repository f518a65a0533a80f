"""How often one address or token may ask: a bucket for each, refilled with time; what is too much is told when to come back.

Only what can be asked without a page is counted: the interface, the hooks, signing in; and how many websockets an address holds.
Memory is bounded: of more buckets than there is room for the fullest go, which are those that nobody would miss.
"""

import hashlib
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOM = 10_000  # buckets
LIVE = 200  # websockets of one address


@dataclass(frozen=True)
class Rate:
    """``burst`` at once, then ``each_minute``."""

    burst: int
    each_minute: float


# The longest prefix counts. Refused deliveries cost as much as good ones, so that nobody tries secrets.
RATES = {
    "/api/": Rate(120, 240),
    "/metrics": Rate(60, 60),
    "/hooks": Rate(120, 300),
    "/auth/": Rate(20, 20),
    "/oauth2callback": Rate(20, 20),
    "/_stcore/upload_file/": Rate(10, 10),
}
FAILED = Rate(20, 10)  # answers 401 and 403 to one address, whatever it asks


class Buckets:
    """Tokens by key; the one that was used last stands last."""

    def __init__(self, clock: Callable[[], float], room: int = ROOM) -> None:
        self._clock, self._room = clock, room
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def wait(self, key: tuple[str, str], rate: Rate, cost: float = 1.0) -> float:
        """Take one token; gives 0, or the seconds until there is one. `cost` 0 only looks."""
        now = self._clock()
        tokens, at = self._left.pop(key, (float(rate.burst), now))
        tokens = min(rate.burst, tokens + max(now - at, 0.0) * rate.each_minute / 60)
        short = max(1.0 - tokens, 0.0)
        self._left[key] = (tokens if short else tokens - cost, now)
        while len(self._left) > self._room:
            self._left.popitem(last=False)  # the one that was not asked for longest is the fullest
        return short * 60 / rate.each_minute


class Limits:
    """Counts what each address and each token asks."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._buckets = app, Buckets(clock)
        self._live: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        prefix = max((one for one in RATES if scope["type"] == "http" and scope["path"].startswith(one)), key=len, default="")
        if not prefix:
            await self._app(scope, receive, send)
            return
        address = _address(scope)
        waits = [self._buckets.wait((prefix, who), RATES[prefix]) for who in {address, _token(scope) or address}]
        waits.append(self._buckets.wait(("refused", address), FAILED, cost=0))
        if (seconds := max(waits)) > 0:
            await _too_many(seconds)(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (401, 403):
                self._buckets.wait(("refused", address), FAILED)
            await send(message)

        await self._app(scope, receive, watched)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = _address(scope)
        if self._live[address] >= LIVE:
            await _too_many(30)(scope, receive, send)
            return
        self._live[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._live[address] -= 1
            if not self._live[address]:
                del self._live[address]


def _address(scope: Scope) -> str:
    """Who asks: of a proxy that is believed, whom it asks for. Of IPv6 the network, of which one customer has many addresses."""
    client = scope.get("client") or ("", 0)
    text = str(client[0])
    return ":".join(text.split(":")[:4]) if text.count(":") > 1 and not text.startswith("::") else text


def _token(scope: Scope) -> str:
    """A digest of what stands in Authorization, so that no token is kept."""
    told = Headers(scope=scope).get("authorization", "")
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32] if told else ""


def _too_many(seconds: float) -> ASGIApp:
    headers = {"Retry-After": str(max(math.ceil(seconds), 1)), "Cache-Control": "no-store"}
    return JSONResponse({"error": "too many requests; come back after the seconds in Retry-After"}, 429, headers)
