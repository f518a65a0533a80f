"""By which names the server may be asked, and whose pages may listen."""

import pytest
from asgi import call
from starlette.responses import PlainTextResponse

from dashboard.hosts import Hosts


async def inside(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
    else:
        await PlainTextResponse("in")(scope, receive, send)


APP = Hosts(inside, lambda: ("vsm.example.org", "10.1.2.3"))


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8501", "LOCALHOST.", "127.0.0.1:8501", "[::1]:8501", "vsm.example.org", "10.1.2.3"],
)  # fmt: skip
def test_this_machines_own_names_and_the_configured_ones_are_answered(host):
    assert call(APP, headers={"host": host}).body == b"in"


STRANGE = [
    "evil.example", "localhost.evil.example", "evil.example:8501", "vsm.example.org.evil.example", "127.0.0.1.evil.example",
    "169.254.169.254", "", " ", "a@localhost", "localhost@evil.example", "localhost/x", "localhost:x", "localhost:99999", "[::1",
    "0", "127.0.0.2", "localhost evil.example", "localhost#", "localhost?", "2130706433", "xn--lcalhost-0za",
]  # fmt: skip


@pytest.mark.parametrize("host", STRANGE)
@pytest.mark.parametrize("path", ["/", "/api/v1/report", "/static/js/x.js", "/hooks/github"])
def test_every_other_name_is_turned_away_on_every_path(host, path):
    answer = call(APP, headers={"host": host}, path=path)
    assert answer.status == 421
    assert answer.json["error"].startswith("the dashboard is not known by this name here")


def test_who_watches_the_servers_health_may_ask_by_address():
    assert call(APP, headers={"host": "10.9.9.9:8501"}, path="/_stcore/health").status == 200


def test_streamlits_interface_for_programs_is_not_there():
    assert call(APP, "POST", "/_stcore/agent/interact").status == 404


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8501", "http://localhost:8501"), ("localhost:8501", None), ("vsm.example.org", "https://vsm.example.org"),
        ("10.1.2.3:8501", "https://vsm.example.org"),
    ],
    ids=["our page", "a program", "our page by its name", "our page through a proxy"],
)  # fmt: skip
def test_our_own_page_may_listen(host, origin):
    assert call(
        APP, headers={"host": host} | ({"origin": origin} if origin else {}), path="/_stcore/stream", kind="websocket"
    ).accepted


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost:9999", "http://localhost", "null", "", "file://", "http://vsm.example.org",
     "http://localhost:8501@evil.example", "http://localhost:8501.evil.example", "https://vsm.example.org.evil.example",
     "javascript://localhost:8501", "http://[", "http://127.0.0.1:8501"],
)  # fmt: skip
def test_no_other_page_may_not_even_one_of_another_port_of_this_machine(origin):
    answer = call(APP, headers={"host": "localhost:8501", "origin": origin}, path="/_stcore/stream", kind="websocket")
    assert (answer.accepted, answer.status) == (False, 403)
