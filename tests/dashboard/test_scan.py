"""A scan of the running server from outside: what is tried, and that docs/security.md says what came back."""

import base64
import hashlib
import json
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboard import headers

pytestmark = pytest.mark.browser
DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
NEVER = re.compile(rb"root:.*:0:0|Traceback \(most recent|File \"/|BEGIN [A-Z ]*PRIVATE|\[\[sources\]\]|SQLite format 3")
UP = ["../" * 8 + "etc/passwd", "..%2f" * 8 + "etc%2fpasswd", "%2e%2e/" * 8 + "etc/passwd", "..%252f" * 8 + "etc%252fpasswd",
      "..\\" * 8 + "etc\\passwd", "....//" * 8 + "etc/passwd", "%c0%ae%c0%ae/" * 8 + "etc/passwd", "/etc/passwd", "//etc/passwd",
      "..;/" * 8 + "etc/passwd", "x%00/../../../etc/passwd", "file:///etc/passwd", "~root/.ssh/id_rsa"]  # fmt: skip
PLACES = ["/", "/static/", "/static/js/", "/media/", "/component/x/", "/_stcore/bidi-components/copy_link/", "/app/static/"]
SCRIPT = "%3Cscript%3Ealert(1)%3C/script%3E"
SOCKET = {
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "streamlit",
    "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
}  # fmt: skip
ORIGINS = [
    "http://evil.example",
    "null",
    "http://localhost:1",
    "https://localhost.evil.example",
    "http://localhost@evil.example",
    "file://",
]
HOSTS = ["evil.example", "localhost.evil.example", "169.254.169.254", "evil.example:80@localhost", ""]


def forged() -> dict[str, str]:
    user = base64.b64encode(
        json.dumps({"origin": "http://localhost", "is_logged_in": True, "email": "admin@example.org"}).encode()
    ).decode()
    mac = hashlib.sha256(b"guess").hexdigest()
    return {
        "Cookie": f"_streamlit_user={user}.{mac}; _streamlit_session={user}; _streamlit_xsrf=2|0|0|0; _streamlit_user_tokens={user}"
    }


FORGED = {
    "X-Hub-Signature-256": f"sha256={'0' * 64}",
    "X-Hub-Signature": f"sha256={'0' * 64}",
    "X-Gitlab-Token": "x",
    "Authorization": "Bearer x",
}
PROXY = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
BESIDE = ["/vsm.toml", "/.env", "/.git/config", "/.streamlit/config.toml", "/secrets.toml", "/vsm.db", "/serve.py"]
BESIDE += ["/static/../serve.py", "/media/vsm.db"]
METHODS = ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "CONNECT", "GTE")
READ = ("/", "/api/v1/report", "/metrics", "/_stcore/health")
LARGE, MULTI = {"Content-Length": str(2**40)}, {"Content-Type": "multipart/form-data; boundary=x"}
SCRIPTS = ["/{}", "/?stream={}", "/api/{}", "/api/v1/explain/{}?{}=1", "/hooks/{}", "/auth/{}"]


def get(paths, told=None):
    return [("GET", path, told or {}, b"") for path in paths]


# What is tried: a method, a path, headers and a body each; and which answers are right.
TRIED = {
    "paths that lead out of a folder": (get(place + one for place in PLACES for one in UP), {200, 301, 307, 400, 403, 404, 405}),
    "files beside the program": (get(BESIDE), {200, 400, 404}),
    "other names for this machine": ([one for host in HOSTS for one in get(["/", "/api/v1/schema"], {"Host": host})], {421}),
    "websockets from other pages": ([get(["/_stcore/stream"], {**SOCKET, "Origin": one})[0] for one in ORIGINS], {403}),
    "websockets by other names": ([get(["/_stcore/stream"], {**SOCKET, "Host": one})[0] for one in HOSTS[:3]], {421}),
    "forged webhooks": (
        [("POST", f"/hooks/{one}", FORGED, b"{}") for one in ("github", "gitlab", "jira", "events", "x")],
        {401, 404},
    ),
    "bodies that are too large": ([(way, path, LARGE, b"x") for way in ("POST", "PUT") for path in READ], {404, 405, 413}),
    "methods that are none here": ([(way, path, {}, b"") for way in METHODS for path in READ], {400, 405}),
    "interfaces that are not ours": ([("POST", f"/_stcore/agent/{one}", {}, b"{}") for one in ("interact", "mcp")], {404}),
    "uploads without a session": ([(way, "/_stcore/upload_file/a/b", MULTI, b"--x--") for way in ("PUT", "POST")], {400, 403, 405}),
    "headers of a proxy that is none": (get(["/"], PROXY), {200}),
    "script in paths and options": (get(one.replace("{}", SCRIPT) for one in SCRIPTS), {200, 400, 404, 405}),
    "forged cookies": (get(["/", "/api/v1/schema", "/_stcore/host-config"], forged()), {200}),
    "requests that are none": (
        [
            ("GET", "/", {"X": "a" * 300_000}, b""),
            ("G T", "/", {}, b""),
            ("GET", "/ HTTP/9.9 x", {}, b""),
            ("POST", "/", {"Content-Length": "-1"}, b""),
            ("GET", "/", {"X": "y\0z"}, b""),
        ],
        {400},
    ),
}


def send(url, method, path, told, body):
    """Status, head and body of an answer to a request that no library would send."""
    place = urlsplit(url)
    lines = {"Host": place.netloc, "Connection": "close", "Content-Length": str(len(body)), **told}
    text = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    found = b""
    with socket.create_connection((place.hostname, place.port), timeout=30) as line:
        line.sendall(text.encode("latin-1") + body)
        try:
            while part := line.recv(65536):
                found += part
                if told.get("Upgrade") and b"\r\n\r\n" in found:
                    break
        except ConnectionResetError:
            pass
    head, _, rest = found.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), head.decode("latin-1").lower(), rest


@pytest.mark.parametrize("what", TRIED)
def test_what_was_tried_came_back_as_the_document_says(dashboard, what):
    asked, right = TRIED[what]
    page, seen = headers.served_page(), set()
    for method, path, told, body in asked:
        status, head, answer = send(dashboard, method, path, told, body)
        seen.add(status)
        assert status in right, (method, path, told, status, answer[:200])
        assert not NEVER.search(answer), (method, path)
        assert status != 200 or answer.strip() == page.strip() or b"<script>alert" not in answer, (method, path)
        assert "server:" not in head
        assert "strict-transport-security" not in head
        if "invalid http request" not in answer.decode("latin-1").lower():  # that one the listener says before any program is asked
            assert "content-security-policy" in head, (method, path)
    row = f"| {what} | {len(asked)} | {', '.join(map(str, sorted(seen)))} |"
    assert row in DOCUMENT.read_text(encoding="utf-8"), row
