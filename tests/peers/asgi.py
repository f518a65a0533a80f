"""One request to an application, without a server: what it answers, and how much of the body it took."""

import asyncio
import json
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """What came back; ``taken``: how many parts of the body were asked for; ``accepted``: of a websocket."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    taken: int = 0
    accepted: bool = False

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def call(
    app: Any, method: str = "GET", path: str = "/", headers: Mapping[str, str] | None = None, body: bytes | Iterable[bytes] = b"",
    *, client: str = "127.0.0.1", scheme: str = "http", kind: str = "http",
) -> Answer:  # fmt: skip
    """The answer of an ASGI application to one request, or to a websocket's first word."""
    parts = iter([body] if isinstance(body, bytes) else body)
    told = {"host": "localhost", **{name.lower(): value for name, value in (headers or {}).items()}}
    address, _, query = path.partition("?")
    scope = {
        "type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": scheme, "path": address,
        "raw_path": address.encode(), "query_string": query.encode(), "root_path": "", "client": (client, 4000),
        "server": ("localhost", 80), "headers": [(name.encode(), value.encode("latin-1")) for name, value in told.items()],
        "subprotocols": [], "extensions": {"websocket.http.response": {}} if kind == "websocket" else {}, "state": {},
    }  # fmt: skip
    answer = Answer()

    async def receive() -> dict[str, Any]:
        if kind == "websocket":
            answer.taken += 1
            return {"type": "websocket.connect"} if answer.taken == 1 else {"type": "websocket.disconnect", "code": 1000}
        part = next(parts, None)
        if part is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        answer.taken += 1
        return {"type": "http.request", "body": part, "more_body": True}

    async def send(message: Any) -> None:
        answer.accepted = answer.accepted or message["type"] == "websocket.accept"
        if message["type"].endswith("response.start"):
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message.get("headers", [])}
        elif message["type"].endswith("response.body"):
            answer.body += message.get("body", b"")
        elif message["type"] == "websocket.close" and not answer.status:
            answer.status = 403

    alone(app(scope, receive, send))
    return answer


def alone(story: Coroutine[Any, Any, None]) -> None:
    """Run something to its end on a thread of its own: a browser of other tests may have this one's loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, story).result()
