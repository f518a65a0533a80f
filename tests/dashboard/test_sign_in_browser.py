"""Signing in with a real browser at a real OpenID provider: who sees what, who may do what, and what is refused."""

import json
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import openid
import pytest
from programs import Program, free_port
from screens import settle
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from vsm import cli, store
from vsm.tokens import add, revoke

pytestmark = pytest.mark.peer
SAMPLE = Path(__file__).parents[2] / "sample_data"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is served there
COOKIE_SECRET = "secret-of-the-cookies-in-the-tests"
PAGES = ("/map", "/flow", "/bottlenecks", "/delivery", "/forecast", "/retro", "/data")
ACCOUNTS = {
    "ann": {"email": "ann@example.org", "email_verified": True, "groups": ["leads"]},
    "bob": {"email": "bob@example.org", "email_verified": True, "groups": ["pay", "plt"]},
    "cleo": {"email": "cleo@example.org", "email_verified": True, "groups": ["pay"]},
    "dan": {"email": "dan@example.com", "email_verified": True, "groups": ["leads"]},
    "eve": {"email": "eve@example.org", "email_verified": False, "groups": ["leads"]},
}
SIGN_IN = """
[sign_in]
metadata_url = "{metadata}"
client_id = "vsm"
address = "{address}"
scope = "openid email profile groups"
prompt = "login"
email_domains = ["example.org"]
[access]
editor_groups = ["leads"]
all_streams_groups = ["leads"]
"""


@pytest.fixture(scope="module")
def served(sample_store, tmp_path_factory):
    """The sample's dashboard behind a sign-in, with a store of its own."""
    place = tmp_path_factory.mktemp("signed")
    port = free_port()
    address = f"http://localhost:{port}"
    shutil.copy(sample_store.removeprefix("sqlite:///"), place / "vsm.db")
    provider = openid.OpenId(place, address, ACCOUNTS)
    told = (SAMPLE / "vsm.toml").read_text()
    for name, group in (("checkout", "pay"), ("platform", "plt")):
        told = told.replace(f'name = "{name}"\n', f'name = "{name}"\ngroups = ["{group}"]\n', 1)
    (place / "vsm.toml").write_text(told + SIGN_IN.format(metadata=provider.metadata, address=address))
    url = f"sqlite:///{place / 'vsm.db'}"
    options = ["--port", port, "--store", url, "--config", place / "vsm.toml"]
    secrets = {"VSM_CLIENT_SECRET": openid.SECRET, "VSM_COOKIE_SECRET": COOKIE_SECRET}
    program = Path(sys.executable).with_name("vsm")
    server = Program([program, "dashboard", *options], port, "/_stcore/health", place / "log", secrets)
    yield SimpleNamespace(url=address, store=url, place=place, pid=server.pid)
    server.close()
    provider.close()


class Window:
    """A browser's window of its own, and everything that the server's socket told it."""

    def __init__(self, browser, address):
        self.address, self.frames = address, []
        self.context = browser.new_context(viewport={"width": 1440, "height": 900})
        self.page = self.context.new_page()
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._frame))

    def _frame(self, frame):
        self.frames.append(frame if isinstance(frame, bytes) else frame.encode())

    def open(self, path):
        self.page.goto(self.address + path)
        settle(self.page)
        return self.page

    def sign_in(self, account):
        self.open("/").get_by_role("button", name="Sign in").click()
        self.page.fill("input[name=login]", account)
        self.page.fill("input[name=password]", "any")
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"{self.address}/**")
        settle(self.page)
        return self.page

    def title(self):
        return self.page.locator("h1").first.inner_text()

    def fetch(self, path):
        answer = self.context.request.get(self.address + path)
        return answer.status, answer.text()

    def put_cookie(self, value):
        self.context.add_cookies([{"name": "_streamlit_user", "value": value, "url": self.address}])


@pytest.fixture(scope="module")
def bob(browser, served):
    """A viewer of all streams who has signed in; tests only look through this window."""
    one = Window(browser, served.url)
    one.sign_in("bob")
    yield one
    one.context.close()


@pytest.fixture
def window(browser, served):
    opened = []

    def new():
        opened.append(Window(browser, served.url))
        return opened[-1]

    yield new
    for one in opened:
        one.context.close()


def ask(address, token=None):
    """Status and body of what a program is answered."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def audit(served):
    """Who did what, oldest first."""
    from vsm import audit as audits

    with store.opened(served.store) as engine:
        told = audits.entries(engine)
    return [(row["who"], row["what"]) for row in told.iloc[::-1].to_dict("records")]


def cookie(served, secret=COOKIE_SECRET, **more):
    """A cookie as Streamlit signs it, of ann, who signed in just now."""
    told = {"email": "ann@example.org", "email_verified": True, "groups": ["leads"], "iat": int(time.time())}
    whole = told | {"origin": served.url, "is_logged_in": True, "provider": "default"} | more
    return create_signed_value(secret, "_streamlit_user", json.dumps(whole)).decode()


def test_nothing_is_told_before_sign_in(served, window):
    one = window()
    for path in ("/flow?stream=checkout", "/data"):
        one.open(path)
        assert one.title() == "Sign in"
    told = b"".join(one.frames)
    assert [word for word in (b"checkout", b"PAY-", b"example.org", b"Data as of") if word in told] == []
    for path in ("/api/v1/report", "/api/v1/schema", "/api/v9/x", "/metrics", "/media/x.png", "/component/a/b.js",
                 "/_stcore/bidi-components/a/b.js", "/_stcore/upload_file/a/b", "/_stcore/metrics", "/app/static/x"):  # fmt: skip
        assert ask(served.url + path)[0] == 401, path
    assert json.loads(ask(f"{served.url}/api/v1/report")[1]) == {"error": "This is shown to people who have signed in."}


def test_an_editor_signs_in_writes_and_signs_out_and_all_of_it_is_written_down(served, window):
    one = window()
    page = one.sign_in("ann")
    assert page.get_by_text("ann@example.org (editor)").is_visible()
    one.open("/retro")
    page.get_by_label("What happened").first.fill("Two people joined")
    page.get_by_role("button", name="Keep it").first.click()
    page.get_by_text("Something happened: Two people joined").wait_for()
    settle(page)
    assert one.fetch("/api/v1/report?stream=platform")[0] == 200

    one.open("/data")
    with page.expect_download() as file:
        page.get_by_role("button", name="These as JSON").click()
    written = json.loads(Path(file.value.path()).read_text())
    assert {"who": "ann@example.org", "what": "note.add", "about": "Two people joined"}.items() <= written[0].items()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url(f"{served.url}/**")
    settle(page)
    assert one.title() == "Sign in"
    assert one.fetch("/api/v1/report")[0] == 401
    mine = [what for who, what in audit(served) if who == "ann@example.org"]
    assert mine == ["sign-in", "note.add", "export", "sign-out"]


def test_a_viewer_looks_and_every_way_to_write_is_closed_with_the_reason(bob):
    page = bob.page
    button = page.get_by_role("button", name="Add a note")
    assert button.is_disabled()
    button.hover(force=True)
    page.get_by_text("Only editors may do this").wait_for()
    bob.open("/retro")
    closed = page.get_by_role("button", name=re.compile("Keep it|Begin|Take back|It ended on"))
    assert [closed.nth(place).is_disabled() for place in range(closed.count())] == [True] * max(closed.count(), 2)


def test_a_limited_viewer_is_told_nothing_of_another_stream(served, window):
    """Every byte of every page and of the interface."""
    tickets = json.loads(ask(f"{served.url}/api/v1/explain/throughput?stream=platform", _token(served, "all"))[1])["rows"]
    titles = {row["title"] for row in tickets}
    one = window()
    one.sign_in("cleo")
    for path in [f"{page}?stream=platform&item=PLT-253" for page in PAGES]:
        one.open(path)
    assert one.page.get_by_text("Only checkout: other streams are not shown to you").first.is_visible()
    told = b"".join(one.frames)
    for path in ("report", "metrics", "explain/throughput", "explain/lead_time", "explain/change_lead_time", "explain/stage:QA",
                 "explain/batch_size", "explain/change_fail_rate", "report?application=shop"):  # fmt: skip
        status, body = one.fetch(f"/api/v1/{path}")
        assert status == 200, (path, body)
        told += body.encode()
    assert len(titles) > 50
    assert b"PAY-" in told, "else nothing was told at all"
    ours = {title for title in titles if re.search(re.escape(title).encode() + rb"\b", told)}
    assert ours <= _titles(served, "PAY"), "titles that both streams have"
    # What a browser asks for stands in its own address, which Streamlit tells it again.
    assert set(re.findall(rb"PLT-\d+", told)) <= {b"PLT-253"}
    for path in ("report?stream=platform", "report?application=accounts", "explain/throughput?stream=platform"):
        status, body = one.fetch(f"/api/v1/{path}")
        assert (status, re.findall(r"expected one of (.*)\"}", body)) in [
            (400, ["'checkout'"]), (400, ["'payments', 'shop'"]),
        ]  # fmt: skip


def _titles(served, project):
    with store.opened(served.store) as engine:
        tickets = store.facts(engine).tickets
    return set(tickets.loc[tickets["project"] == project, "title"])


def _token(served, name, **more):
    from datetime import UTC, datetime

    with store.opened(served.store) as engine:
        return add(engine, name, now=datetime.now(UTC), **more)


@pytest.mark.parametrize(
    ("account", "why"), [("dan", "not for addresses of your domain"), ("eve", "no e-mail address that its provider has verified")]
)
def test_who_may_not_is_told_why_and_sees_nothing(served, window, account, why):
    one = window()
    page = one.sign_in(account)
    assert one.title() == "You may not see this dashboard"
    assert why in page.inner_text("body")
    assert one.fetch("/api/v1/report")[0] == 403
    assert b"checkout" not in b"".join(one.frames)


def test_a_forged_an_expired_and_a_foreign_cookie_open_nothing(served, window):
    good = cookie(served)
    payload, rest = good.split(".", 1)
    wrong = {
        "another secret": cookie(served, secret="x" * 40),
        "another signature": f"{good[:-3]}{'abc' if good[-3:] != 'abc' else 'abd'}",
        "another payload": f"{payload[:-4]}AAAA.{rest}",
        "too old": cookie(served, iat=int(time.time()) - 12 * 3600 - 60),
        "of the future": cookie(served, iat=int(time.time()) + 86400),
        "another address": cookie(served, origin="http://evil.example"),
        "nobody": cookie(served, is_logged_in=False),
        "no JSON": create_signed_value(COOKIE_SECRET, "_streamlit_user", "ann").decode(),
        "another cookie": create_signed_value(COOKIE_SECRET, "_streamlit_user_tokens", "{}").decode(),
    }
    one = window()
    for name, value in {"right": good, **wrong}.items():
        one.put_cookie(value)
        assert one.fetch("/api/v1/schema")[0] == (200 if name == "right" else 401), name
    for name in ("another secret", "too old"):
        one.put_cookie(wrong[name])
        one.frames.clear()
        one.open("/flow")
        assert (one.title(), b"PAY-" in b"".join(one.frames)) == ("Sign in", False), name
    assert "You signed in too long ago" in one.page.inner_text("body")


def test_a_sign_in_ends_only_in_the_browser_and_with_the_state_that_it_began_with(served, window):
    """As if somebody had sent the address at which their own sign-in ends, or had made one up."""
    one, other = window(), window()
    one.open("/").get_by_role("button", name="Sign in").click()
    form = one.page.locator("form").first
    form.wait_for()
    asked = one.context.request
    told = {"prompt": "login", "login": "ann", "password": "any"}
    answer = asked.post(form.evaluate("one => one.action"), form=told, max_redirects=0)
    end = asked.get(answer.headers["location"], max_redirects=0).headers["location"]
    assert end.startswith(f"{served.url}/oauth2callback?code=")

    for who, address in ((other, end), (one, re.sub(r"state=\w+", "state=stolen0stolen0stolen0", end))):
        who.open(address.removeprefix(served.url))
        assert who.title() == "Sign in"
        assert [each for each in who.context.cookies() if each["name"].startswith("_streamlit_user")] == []
    one.context.request.get(end)
    assert [each["name"] for each in one.context.cookies(served.url) if each["name"] == "_streamlit_user"] == ["_streamlit_user"]


def test_a_program_reads_with_a_token_what_the_token_may_see(served):
    report = f"{served.url}/api/v1/report"
    told = _token(served, "checkout only", streams=["checkout"])
    status, body = ask(report, told)
    assert (status, set(re.findall(r"PLT-\d+|platform", body)), "payments" in body) == (200, set(), True)
    assert ask(f"{served.url}/metrics", told)[0] == 200
    assert ask(f"{report}?stream=platform", told)[0] == 400
    assert ask(report, _token(served, "gone", streams=["gone"]))[0] == 403
    for wrong in (told[:-1], f"{told[:-1]}{'0' if told[-1] != '0' else '1'}", "vsm_", "nonsense"):
        status, body = ask(report, wrong)
        assert (status, "is not known" in json.loads(body)["error"]) == (401, True)
    from datetime import UTC, datetime

    with store.opened(served.store) as engine:
        revoke(engine, "checkout only", now=datetime.now(UTC))
    assert ask(report, told)[0] == 401


def test_no_secret_is_in_a_file_a_log_or_the_process_s_arguments(served, bob):
    assert bob.fetch("/api/v1/schema")[0] == 200
    words = [openid.SECRET, COOKIE_SECRET]
    places = {file.name: file.read_bytes() for file in served.place.iterdir() if file.is_file() and file.name != "openid.json"}
    places["arguments"] = Path(f"/proc/{served.pid}/cmdline").read_bytes()
    assert {"vsm.toml", "vsm.db", "log"} <= set(places)
    assert [(name, word) for name, told in places.items() for word in words if word.encode() in told] == []


def test_other_machines_are_served_only_behind_a_sign_in_or_by_an_explicit_word(tmp_path, monkeypatch, capsys):
    from dashboard import commands

    called = []
    monkeypatch.setattr(commands.os, "execve", lambda *call: called.append(call))
    port = str(free_port())
    assert cli.run(["dashboard", "--port", port, "--address", EVERYWHERE]) == 2
    assert capsys.readouterr().err == (
        "vsm: on 0.0.0.0 others could see and change everything: configure [sign_in] in vsm.toml (docs/access.md), "
        "or say --without-sign-in\n"
    )
    assert cli.run(["dashboard", "--port", port, "--address", EVERYWHERE, "--without-sign-in"]) == 0
    (tmp_path / "vsm.toml").write_text(SIGN_IN.format(metadata="https://id.example.org/x", address="https://vsm.example.org"))
    signed = ["dashboard", "--port", port, "--address", EVERYWHERE, "--config", str(tmp_path / "vsm.toml")]
    assert cli.run(signed) == 2
    assert "VSM_CLIENT_SECRET is empty" in capsys.readouterr().err
    monkeypatch.setenv("VSM_CLIENT_SECRET", "abc")
    monkeypatch.setenv("VSM_COOKIE_SECRET", COOKIE_SECRET)
    assert cli.run([*signed, "--without-sign-in"]) == 2
    assert cli.run(signed) == 0
    assert [call[2]["VSM_SIGN_IN"] for call in called] == ["0", "1"]
    assert [word for call in called for word in call[1] if "secret" in word or word == "abc"] == []
