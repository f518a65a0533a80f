"""What every answer of the running server says about itself, whichever path was asked, and a connection that says nothing."""

import asyncio
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from asgi import call
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from dashboard import headers
from dashboard.listening import Impatient, Listener

PATHS = (
    "/", "/flow", "/no/such/page", "/static/js/none.js", "/favicon.png", "/_stcore/health", "/_stcore/host-config",
    "/media/none.png", "/_stcore/bidi-components/none/x.js", "/_stcore/agent/interact", "/api/v1/schema", "/api/v1/nothing",
    "/component/x/y",
)  # fmt: skip


def asked(url: str, path: str, method: str = "GET") -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


@pytest.mark.browser
def test_every_path_answers_with_every_header_and_none_names_the_server(dashboard):
    wanted = {name.lower(): value for name, value in headers.told(headers.served_page()).items()}
    for method, path in [*(("GET", path) for path in PATHS), ("POST", "/"), ("PUT", "/metrics"), ("DELETE", "/api/v1/report")]:
        _, found = asked(dashboard, path, method)
        assert wanted.items() <= found.items(), (method, path)
        assert not {"server", "x-powered-by", "strict-transport-security"} & set(found), (method, path)


def test_the_policy_allows_neither_eval_nor_a_script_that_is_not_the_servers_own():
    rules = dict(rule.split(" ", 1) for rule in headers.policy(headers.served_page()).split("; "))
    scripts = rules["script-src"].split()
    assert rules["default-src"] == "'none'"
    assert not {"'unsafe-eval'", "'wasm-unsafe-eval'", "'unsafe-inline'", "'unsafe-hashes'", "*", "data:", "http:", "https:"} & set(
        scripts
    )
    assert [one[:8] for one in scripts if one not in ("'self'", "blob:")] == [
        "'sha256-"
    ]  # the one inline script of Streamlit's page
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["object-src"] == "'none'"


def test_a_script_that_somebody_puts_into_the_page_is_not_among_those_allowed():
    page = headers.served_page()
    assert headers.policy(page) == headers.policy(page.replace(b"<body>", b"<body><script src='./x.js'></script>"))
    assert headers.policy(page) != headers.policy(page.replace(b"prerenderReady = false", b"prerenderReady = true"))


def test_what_breaks_unseen_is_a_sentence_with_all_headers_and_no_traceback(caplog):
    async def broken(scope, receive, send):
        raise RuntimeError("hunter2 is the password")

    answer = call(headers.Headers(broken, b""))
    assert answer.status == 500
    assert b"hunter2" not in answer.body
    assert answer.json["error"].rpartition(" ")[2] in caplog.text
    assert answer.headers["content-security-policy"] == headers.policy(b"")


def test_only_behind_https_is_a_browser_told_to_stay_there():
    app = headers.Headers(PlainTextResponse("x", headers={"Server": "a program 1.2"}), b"")
    assert "strict-transport-security" not in call(app).headers
    answer = call(app, scheme="https")
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    assert "server" not in answer.headers


# A listener of its own, which waits a quarter of a second.


class Hasty(Impatient):
    within = 0.25


@pytest.fixture
def hasty() -> Iterator[tuple[str, int]]:
    """The address of a server with little patience."""

    async def app(scope, receive, send):
        if scope["path"] == "/slow":
            await asyncio.sleep(0.6)
        if scope["path"] == "/read":
            await Request(scope, receive).body()
        await PlainTextResponse("whole")(scope, receive, send)

    server = uvicorn.Server(Listener(app, port=0, http=Hasty, lifespan="off", log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()
        server.should_exit = True
        thread.join()


def heard(line: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    found = b""
    try:
        while part := line.recv(1000):
            found += part
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-", b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["nothing", "half a head", "half a body"],
)  # fmt: skip
def test_who_does_not_finish_a_request_is_hung_up_on(hasty, said):
    with socket.create_connection(hasty, timeout=10) as line:
        line.sendall(said)
        assert heard(line) == b""


def test_half_a_second_request_is_not_waited_for_and_a_slow_answer_is(hasty):
    with socket.create_connection(hasty, timeout=10) as line:
        line.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        found = line.recv(1000)
        line.sendall(b"GET / HTTP/1.1\r\nHo")
        assert (found + heard(line)).endswith(b"whole")
