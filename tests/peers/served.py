"""A small HTTP/1.1 server on the loopback for peers of our own: a function answers, every request is kept and counted."""

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Query = dict[str, list[str]]
Answer = tuple[int, dict[str, str], object]
Handler = Callable[[str, str, Query, Message, bytes], Answer | None]


@dataclass(frozen=True)
class Request:
    """What a client asked; the path as it was sent, still percent-encoded."""

    method: str
    path: str
    query: Query
    headers: Message
    body: bytes

    @property
    def json(self) -> object:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Served:
    """A running server. `handler(method, path, query, headers, body)` gives (status, headers, body).

    The body is bytes, text, None, or anything else as JSON. A handler that gives None cuts the connection. One that
    raises answers 500, and the fixture `served` raises its error when the test ends.
    """

    handler: Handler
    requests: list[Request] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.peer = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def counts(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(request.path for request in self.requests)

    def count(self, part: str = "") -> int:
        """How many requests had this in their path."""
        return sum(part in request.path for request in self.requests)

    def forget(self) -> None:
        """Count from zero again."""
        self.requests.clear()

    def close(self) -> None:
        """End the server and every connection to it."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
        for connection in list(self._server.connections):
            connection.end()

    def answer(self, request: Request) -> Answer | None:
        """The handler's answer."""
        self.requests.append(request)
        try:
            return self.handler(request.method, request.path, request.query, request.headers, request.body)
        except Exception as error:  # a peer's mistake must reach the test, not only the client
            self.errors.append(error)
            return 500, {}, {"message": f"the peer failed: {error!r}"}


class _Server(ThreadingHTTPServer):
    peer: Served
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: object) -> None:
        self.connections: set[_Connection] = set()
        super().__init__(*arguments)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error."""


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self)

    def finish(self) -> None:
        self.server.connections.discard(self)
        super().finish()

    def end(self) -> None:
        """Wake the thread that waits for the next request."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Request(self.command, url.path, parse_qs(url.query, keep_blank_values=True), self.headers, body)
        answer = self.server.peer.answer(asked)
        if answer is None:
            self.close_connection = True
            self.end()
            return
        status, headers, content = answer
        payload, kind = _payload(content)
        sent = {"Date": self.date_time_string(), "Content-Type": kind, "Content-Length": str(len(payload))}
        names = {name.title(): name for name in sent}
        for name, value in headers.items():
            sent.pop(names.get(name.title(), ""), None)
            sent[name] = value
        self.send_response_only(status)
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def log_message(self, *arguments: object) -> None:
        """Nothing: the requests are kept."""


def _payload(content: object) -> tuple[bytes, str]:
    if content is None:
        return b"", "text/plain"
    if isinstance(content, bytes):
        return content, "application/octet-stream"
    if isinstance(content, str):
        return content.encode(), "text/plain; charset=utf-8"
    return json.dumps(content).encode(), "application/json; charset=utf-8"
