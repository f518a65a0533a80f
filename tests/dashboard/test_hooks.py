"""Webhooks: only who knows the secret is heard, once, within bounds; what is heard starts a harvest and is itself kept nowhere."""

import base64
import hashlib
import hmac
import json
import sqlite3
import time

import pytest
from asgi import call
from starlette.applications import Starlette

from dashboard import hooks
from dashboard.deliveries import Deliveries, Delivery, Worker
from vsm.errors import UsageError

SECRET, KEY = "It's a Secret to Everybody", base64.b64encode(b"a key of thirty-two random bytes").decode()
PLANTED = "ghp_" + "Planted0" * 4 + "1234"
EVENT = {
    "kind": "deployment",
    "id": "d1",
    "application": "shop",
    "environment": "production",
    "finished_at": "2026-03-02T09:00:00Z",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A store that is not there yet, and hooks with a secret each, the one of GitHub with the old one beside it."""
    names = {"GH": SECRET, "GH_OLD": "old", "GL": "a token", "GL_SIGNING": f"whsec_{KEY}", "JI": SECRET, "EV": "bearer of news"}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "vsm.toml").write_text(
        '[hooks]\ngithub = ["env:GH", "env:GH_OLD"]\ngitlab = ["env:GL", "env:GL_SIGNING"]\njira = "env:JI"\nevents = "env:EV"\n'
    )
    monkeypatch.setenv("VSM_STORE", f"sqlite:///{tmp_path / 'vsm.db'}")
    monkeypatch.setenv("VSM_CONFIG", str(tmp_path / "vsm.toml"))
    return tmp_path


APP = Starlette(routes=hooks.routes())


def send(hook, body=b"{}", method="POST", **headers):
    return call(APP, method, f"/hooks/{hook}", {name.replace("_", "-"): value for name, value in headers.items()}, body)


def signed(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard(body, name="msg_1", at=None, key=KEY):
    at = str(int(time.time())) if at is None else at
    mac = hmac.new(base64.b64decode(key), f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook_id": name, "webhook_timestamp": at, "webhook_signature": "v1," + base64.b64encode(mac).decode()}


def events(*told, **headers):
    body = "\n".join(map(json.dumps, told)).encode()
    return send("events", body, authorization="Bearer bearer of news", **headers)


# Who is heard. ---------------------------------------------------------------------------------------------------------


def test_githubs_own_example_of_a_signature_holds(place):
    """Text, secret and digest as GitHub's documentation gives them for testing."""
    told = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert send("github", b"Hello, World!", x_hub_signature_256=told).status == 202


@pytest.mark.parametrize(
    ("hook", "headers", "marks"),
    [
        ("github", {"x_hub_signature_256": signed(b"{}"), "x_github_event": "push"}, ["github"]),
        ("github", {"x_hub_signature_256": signed(b"{}", "old")}, ["github"]),
        ("github", {"x_hub_signature_256": signed(b"{}"), "x_github_event": "ping"}, []),
        ("gitlab", {"x_gitlab_token": "a token"}, ["git"]),
        ("gitlab", standard(b"{}"), ["git"]),
        ("jira", {"x_hub_signature": signed(b"{}")}, ["jira"]),
    ],
    ids=["github", "github, the old secret", "github, a try", "gitlab, token", "gitlab, signed", "jira"],
)
def test_who_knows_the_secret_is_heard_and_the_source_has_news(place, hook, headers, marks):
    answer = send(hook, **headers)
    assert (answer.status, answer.json) == (202, {"taken": True, "sources": marks})
    assert sorted(hooks.kept().dirty()) == marks


FORGED = {
    "no signature": ("github", {}),
    "an empty one": ("github", {"x_hub_signature_256": "sha256="}),
    "of another secret": ("github", {"x_hub_signature_256": signed(b"{}", "guess")}),
    "of an empty secret": ("github", {"x_hub_signature_256": signed(b"{}", "")}),
    "of another body": ("github", {"x_hub_signature_256": signed(b"[]")}),
    "by SHA-1": ("github", {"x_hub_signature": "sha1=" + hmac.new(SECRET.encode(), b"{}", hashlib.sha1).hexdigest()}),
    "SHA-1 under the new name": ("github", {"x_hub_signature_256": "sha1=" + "a" * 40}),
    "letters that are no digits": ("github", {"x_hub_signature_256": "sha256=" + "é" * 64}),
    "a digest alone": ("github", {"x_hub_signature_256": signed(b"{}").partition("=")[2]}),
    "no token": ("gitlab", {}),
    "an empty token": ("gitlab", {"x_gitlab_token": ""}),
    "the signing key as a token": ("gitlab", {"x_gitlab_token": f"whsec_{KEY}"}),
    "a token with more behind it": ("gitlab", {"x_gitlab_token": "a token "[:-1] + "x"}),
    "signed long ago": ("gitlab", standard(b"{}", at="1772443800")),
    "signed in days to come": ("gitlab", standard(b"{}", at="99999999999")),
    "signed for another id": ("gitlab", standard(b"{}") | {"webhook_id": "msg_2"}),
    "signed and a token that is wrong": ("gitlab", standard(b"[]") | {"x_gitlab_token": "wrong"}),
    "signed with another key": ("gitlab", standard(b"{}", key=base64.b64encode(b"x" * 32).decode())),
    "another version of signature": ("gitlab", standard(b"{}") | {"webhook_signature": "v2,AAAA"}),
    "GitHub's header to Jira": ("jira", {"x_hub_signature_256": signed(b"{}")}),
    "no bearer": ("events", {}),
    "basic": ("events", {"authorization": "Basic YmVhcmVyIG9mIG5ld3M="}),
    "another bearer": ("events", {"authorization": "Bearer bearer of news2"}),
    "GitHub's secret to events": ("events", {"authorization": f"Bearer {SECRET}"}),
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_delivery_is_refused_in_the_same_words_and_leaves_nothing(place, forgery):
    hook, headers = FORGED[forgery]
    answer = send(hook, **headers)
    assert (answer.status, answer.json) == (401, {"error": "the signature or token is not the one that was agreed on"})
    assert sorted(path.name for path in place.iterdir()) == ["vsm.toml"]


@pytest.mark.parametrize(("method", "hook", "status"), [
    ("GET", "github", 405), ("PUT", "events", 405), ("DELETE", "jira", 405), ("POST", "gitea", 404), ("POST", "secrets", 404),
    ("POST", "__class__", 404),
])  # fmt: skip
def test_another_method_or_another_hook_is_none(place, method, hook, status):
    assert send(hook, method=method).status == status


def test_a_hook_without_a_secret_is_not_there_and_one_whose_secret_is_not_set_says_so_in_the_log_alone(place, monkeypatch, caplog):
    monkeypatch.delenv("JI")
    assert send("jira", x_hub_signature=signed(b"{}", "")).status == 503
    assert "hooks.jira: the environment variable JI is not set" in caplog.text
    (place / "vsm.toml").write_text('[hooks]\ngithub = "env:GH"\n')
    assert send("jira", x_hub_signature=signed(b"{}")).status == 404


def test_a_secret_in_the_configuration_is_refused_and_not_repeated(place):
    from vsm.config import ConfigError, load

    (place / "vsm.toml").write_text(f'[hooks]\ngithub = "{PLANTED}"\n[server]\nhosts = ["https://vsm.example.org/"]\n')
    with pytest.raises(ConfigError) as refused:
        load(place / "vsm.toml")
    assert 'hooks.github: expected "env:NAME"' in str(refused.value)
    assert "server.hosts[0]: expected the name of a machine" in str(refused.value)
    assert PLANTED not in str(refused.value)


# Within bounds, and once. ----------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_not_read(place):
    answer = send("github", iter([b"x"] * 9), x_hub_signature_256=signed(b""), content_length=str(26 * hooks.MIB))
    assert (answer.status, answer.taken, answer.headers["connection"]) == (413, 0, "close")


def test_a_body_that_does_not_say_so_is_read_up_to_the_limit(place):
    part = b"x" * hooks.MIB
    answer = send("events", (part for _ in range(1000)), authorization="Bearer bearer of news")
    assert (answer.status, answer.taken) == (413, 6)


def test_a_wrong_token_is_refused_before_a_byte_of_the_body_is_read(place):
    assert send("events", iter([b"x"] * 9), authorization="Bearer guess").taken == 0


@pytest.mark.parametrize("length", ["-1", "1e9", "٣", "1,1"])
def test_a_length_that_is_none_is_refused(place, length):
    answer = call(
        APP, "POST", "/hooks/gitlab", {"x-gitlab-token": "a token", "content-length": length.encode().decode("latin-1")}, b""
    )
    assert answer.status == 400


def test_a_delivery_is_taken_once_by_its_id_and_by_its_body(place):
    first = {"x_hub_signature_256": signed(b"{}"), "x_github_delivery": "72d3162e"}
    assert send("github", **first).status == 202
    assert send("github", **first).status == 409
    assert send("github", **first | {"x_github_delivery": "another, which nobody has signed"}).status == 409
    other = {"x_hub_signature_256": signed(b"[]"), "x_github_delivery": "72d3162e"}
    assert send("github", b"[]", **other).status == 409
    assert send("jira", x_hub_signature=signed(b"{}")).status == 202  # another hook's is another


def test_a_delivery_is_forgotten_after_its_time_and_the_file_stays_small(tmp_path, monkeypatch):
    kept = Deliveries(tmp_path / "hooks", window=100)
    monkeypatch.setattr("dashboard.deliveries.LARGEST", 15_000)
    told = [Delivery("github", ("github",), (f"github:id:{number}",)) for number in range(300)]
    for number, one in enumerate(told):
        assert kept.take(one, now=float(number))
        kept.harvested(["github"], float(number))
    assert not kept.take(told[-1], now=301)
    assert kept.take(told[0], now=301)
    assert (tmp_path / "hooks").stat().st_size < 30_000
    assert (tmp_path / "hooks").stat().st_mode & 0o777 == 0o600


def test_half_a_line_of_a_killed_process_is_passed_over(tmp_path):
    (tmp_path / "hooks").write_bytes(b'{"at": 1, "hook": "jira", "marks": ["jira"], "known": ["a"]}\n{"at": 2, "ma')
    kept = Deliveries(tmp_path / "hooks")
    assert kept.take(Delivery("github", ("github",), ("b",)), now=3)
    assert kept.dirty() == {"jira": (1, 1), "github": (3, 3)}


def test_nothing_of_what_a_forge_sends_is_kept(place):
    body = json.dumps({"token": PLANTED, "repository": {"clone_url": f"https://ann:{PLANTED}@github.com/x/y"}}).encode()
    headers = {"x_hub_signature_256": signed(body), "authorization": f"Bearer {PLANTED}", "x_github_delivery": PLANTED}
    assert send("github", body, **headers).status == 202
    assert [path for path in place.iterdir() if PLANTED.encode() in path.read_bytes()] == []


# What follows. ---------------------------------------------------------------------------------------------------------


class Time:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_a_harvest_begins_once_it_is_quiet_and_only_of_what_has_news(tmp_path):
    kept, clock, begun = Deliveries(tmp_path / "hooks"), Time(), []
    worker = Worker(lambda: kept, begun.append, quiet=10, longest=60, apart=30, clock=clock)
    assert worker.look() == ()
    for number in range(5):
        kept.take(Delivery("github", ("github",), (str(number),)), clock.now)
        clock.now += 9
        assert worker.look() == ()
    clock.now += 1
    assert worker.look() == ("github",)
    assert worker.look() == ()
    kept.take(Delivery("jira", ("jira",), ("j",)), clock.now)
    clock.now += 11
    assert worker.look() == ()  # quiet, but too soon after the last one
    clock.now += 20
    assert worker.look() == ("jira",)
    assert begun == [("github",), ("jira",)]


def test_news_that_never_ceases_is_asked_for_all_the_same(tmp_path):
    kept, clock, begun = Deliveries(tmp_path / "hooks"), Time(), []
    worker = Worker(lambda: kept, begun.append, quiet=10, longest=60, apart=30, clock=clock)
    for number in range(70):
        kept.take(Delivery("github", ("github",), (str(number),)), clock.now)
        worker.look()
        clock.now += 1
    assert begun == [("github",)]


def test_where_a_harvest_runs_already_the_news_waits_for_the_next(tmp_path):
    kept, clock, begun = Deliveries(tmp_path / "hooks"), Time(), []

    def harvest(kinds):
        begun.append(kinds)
        if len(begun) == 1:
            raise UsageError("a harvest of this store runs already: wait for its end, or stop it")

    worker = Worker(lambda: kept, harvest, quiet=0, clock=clock)
    kept.take(Delivery("github", ("github",), ("1",)), clock.now)
    assert [worker.look(), worker.look(), worker.look()] == [(), ("github",), ()]


def test_the_worker_asks_the_configured_sources_of_a_kind_and_no_others(place, monkeypatch):
    begun = []
    monkeypatch.setattr("dashboard.harvest.begin", lambda *told: begun.append(told[2]))
    (place / "vsm.toml").write_text('[[sources]]\nkind = "github"\nname = "a"\n[[sources]]\nkind = "git"\nname = "b"\npath = "."\n')
    hooks.kept().take(Delivery("github", ("github", "jira"), ("1",)), time.time())
    assert hooks.worker(quiet=0).look() == ("github", "jira")
    assert begun == [["github"]]


# Events. ---------------------------------------------------------------------------------------------------------------


def rows(place, text):
    with sqlite3.connect(place / "vsm.db") as connection:
        return connection.execute(text).fetchall()


def test_events_are_saved_as_the_command_saves_them(place):
    cloud = {"specversion": "1.0", "id": "1", "source": "ci", "type": "any", "data": {**EVENT, "id": "d2"}}
    answer = events(EVENT, cloud)
    assert answer.status == 200
    assert [line.split(":")[0] for line in answer.json["saved"]] == ["deployment d1 saved", "deployment d2 saved"]
    assert rows(place, "select id, application, result from deployments") == [("d1", "shop", "success"), ("d2", "shop", "success")]
    assert events(EVENT).json["saved"] == ["deployment d1 unchanged"]


def test_an_event_in_cloudevents_binary_mode_has_its_envelope_in_the_headers(place):
    assert events(EVENT, ce_type="any", ce_id="7", ce_specversion="1.0", ce_source="ci").status == 200
    assert rows(place, "select id from deployments") == [("d1",)]
    assert events(EVENT, ce_type="any", ce_id="7", ce_specversion="1.0", ce_source="ci").status == 409


def test_of_events_all_are_saved_or_none_and_one_that_was_refused_may_come_again(place):
    answer = events(EVENT, {**EVENT, "id": "d2", "result": "fine"}, idempotency_key="run 7")
    assert answer.status == 400
    assert "the body: one problem, nothing was saved" in answer.json["error"]
    assert not (place / "vsm.db").exists() or rows(place, "select id from deployments") == []
    assert events(EVENT, idempotency_key="run 7").status == 200
    assert events(EVENT, idempotency_key="run 7").status == 409


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000, b'"text"', b"null", b"{", b"[]", b"{}" * 3, b"\x00"])
def test_what_is_no_event_is_a_sentence(place, body):
    answer = send("events", body, authorization="Bearer bearer of news")
    assert answer.status == 400
    assert answer.json["error"]
    assert "Traceback" not in answer.json["error"]
