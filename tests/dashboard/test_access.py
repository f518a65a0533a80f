"""The dashboard's own door: who may not write cannot, whatever page or button asks, and who sees less is told less."""

import shutil
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from asgi import alone
from streamlit.testing.v1 import AppTest

from dashboard import access, counted, data, door, harvest
from dashboard.data import Choice
from vsm import audit, journal, pipeline, store
from vsm.access import NotAllowed, SignedOut, Viewer
from vsm.errors import UsageError

DAY = date(2026, 11, 2)
NOW = datetime(2026, 11, 2, tzinfo=UTC)
CONFIG = """
[[streams]]
name = "checkout"
projects = ["PAY"]
groups = ["pay"]
[[streams]]
name = "platform"
projects = ["PLT"]
groups = ["plt"]
[sign_in]
metadata_url = "https://id.example.org/.well-known/openid-configuration"
client_id = "vsm"
address = "https://vsm.example.org"
[access]
editor_groups = ["edit"]
"""


@pytest.fixture
def place(stores, tmp_path, monkeypatch):
    """A store of one ticket and of what was written down of both streams, behind a sign-in; gives its engine."""
    shutil.copy(stores["one ticket"].removeprefix("sqlite:///"), tmp_path / "vsm.db")
    (tmp_path / "vsm.toml").write_text(CONFIG)
    monkeypatch.setenv("VSM_STORE", f"sqlite:///{tmp_path / 'vsm.db'}")
    monkeypatch.setenv("VSM_CONFIG", str(tmp_path / "vsm.toml"))
    monkeypatch.setenv(access.ON, "1")
    with store.opened(f"sqlite:///{tmp_path / 'vsm.db'}") as engine:
        for stream in ("checkout", "platform", None):
            journal.add_note(engine, f"note of {stream}", NOW, stream=stream, now=NOW)
            journal.add_experiment(engine, f"trial of {stream}", "better", "lead_time", NOW, stream=stream, now=NOW)
        journal.add_hand_step(engine, "platform", "Board", None, 1, 1, None, by="us", now=NOW)
        journal.add_future_state(engine, "platform", "Soon", {"steps": [{}]}, None, by="us", now=NOW)
        yield engine


@pytest.fixture
def signed(monkeypatch):
    """Sign somebody in by their groups: `signed("pay", "edit")`; nobody with `signed(None)`."""

    def sign_in(*groups, hours=0):
        told = {"is_logged_in": True, "iat": (datetime.now(UTC) - timedelta(hours=hours)).timestamp(), "email_verified": True}
        whole = {} if groups == (None,) else told | {"email": "ann@example.org", "groups": list(groups)}
        monkeypatch.setattr(access, "claims", lambda: access._claimed.get() or whole)

    return sign_in


WRITES = {
    "note": lambda: data.add_note("a", DAY, None, "checkout"),
    "note taken back": lambda: data.remove_note(1),
    "experiment": lambda: data.add_experiment("a", "b", "lead_time", DAY, None, "checkout"),
    "experiment ended": lambda: data.end_experiment(1, DAY),
    "experiment taken back": lambda: data.remove_experiment(1),
    "hand step": lambda: data.add_hand_step("checkout", "a", None, 1, 1, None, "us"),
    "future state": lambda: data.add_future_state("checkout", "a", {"steps": [{}]}, None, "us"),
}
OTHERS = {
    "note": lambda: data.add_note("a", DAY, None, "platform"),
    "note of all": lambda: data.add_note("a", DAY, None, None),
    "note taken back": lambda: data.remove_note(2),
    "note of all taken back": lambda: data.remove_note(3),
    "experiment ended": lambda: data.end_experiment(2, DAY),
    "experiment taken back": lambda: data.remove_experiment(2),
    "hand step": lambda: data.add_hand_step("platform", "a", None, 1, 1, None, "us"),
    "hand step taken back": lambda: data.remove_hand_step(1),
    "future state": lambda: data.add_future_state("platform", "a", {"steps": [{}]}, None, "us"),
    "future state taken back": lambda: data.remove_future_state(1),
    "harvest": lambda: data.begin_harvest(),
    "harvest stopped": lambda: data.stop_harvest(),
}


def kept(engine):
    """All that is written down, and who is said to have done something."""
    told = (journal.notes, journal.experiments, journal.hand_steps, journal.future_states, audit.entries)
    return [one(engine).to_csv() for one in told]


@pytest.fixture
def no_harvest(monkeypatch):
    """Where a harvest would begin or end, the test fails."""
    for name in ("begin", "stop"):
        monkeypatch.setattr(harvest, name, lambda *_: pytest.fail("a harvest was touched"))


def test_who_may_only_look_can_write_nothing(place, signed, no_harvest):
    signed("pay", "plt")
    before = kept(place)
    for name, write in {**WRITES, **{f"other {name}": one for name, one in OTHERS.items()}}.items():
        with pytest.raises(NotAllowed, match="only editors may do this"):
            write()
        assert kept(place) == before, name


def test_an_editor_of_one_stream_writes_there_and_nowhere_else(place, signed, no_harvest):
    signed("pay", "edit")
    before = kept(place)
    for name, write in OTHERS.items():
        with pytest.raises(NotAllowed, match="you may see some streams only"):
            write()
        assert kept(place) == before, name
    for write in WRITES.values():
        write()
    told = audit.entries(place)
    assert set(told["who"]) == {"ann@example.org"}
    assert told["what"].tolist()[::-1] == [
        "note.add", "note.remove", "experiment.add", "experiment.end", "experiment.remove", "hand step.add", "future state.add",
    ]  # fmt: skip


@pytest.mark.parametrize("asked", [lambda: data.known(), lambda: data.document(), lambda: data.way("PAY-1"), *WRITES.values()])
def test_nobody_is_told_or_writes_anything_without_a_sign_in_or_after_its_end(place, signed, asked):
    signed(None)
    with pytest.raises(SignedOut):
        asked()
    signed("pay", "plt", "edit", hours=13)
    with pytest.raises(SignedOut, match="too long ago"):
        asked()


def test_what_was_written_down_of_other_streams_is_not_told(place, signed):
    every = Choice(None, None, 26, True)
    signed("pay")
    assert data.notes(every)["text"].tolist() == ["note of checkout"]
    assert data.experiments(every)["title"].tolist() == ["trial of checkout"]
    assert (len(data.hand_steps("platform")), len(data.future_states("platform"))) == (0, 0)
    assert data.known().streams == ("checkout",)
    assert data.way("PAY-1").stream == "checkout"
    signed("plt")
    assert (data.known().streams, data.way("PAY-1")) == (("platform",), None)
    signed("pay", "plt")
    assert (len(data.notes(every)), len(data.hand_steps("platform")), len(data.known().streams)) == (3, 1, 2)


def test_who_sees_a_part_is_shown_no_number_of_an_engine_which_counts_all_streams_at_once(place, signed, monkeypatch):
    monkeypatch.setenv(counted.ENGINE, "duckdb:///no/such/file")  # it is refused before an engine is asked
    every = Choice(None, None, 26, True)
    asked = {"known": data.known, "measures": lambda: data.measures(every), "document": data.document, "told": data.told}
    signed("pay")
    for name, ask in asked.items():
        with pytest.raises(UsageError, match="an engine counts all streams at once: who may see only some of them"):
            pytest.fail(f"{name} told {ask()}")
    signed("pay", "plt")
    with pytest.raises(UsageError, match="cannot be opened"):
        data.known()


def test_sources_are_not_told_by_name_to_who_sees_a_part(place, signed):
    signed("pay", "plt")
    assert data.harvests()["scope"].notna().any()
    signed("pay")
    assert data.harvests()[["scope", "error"]].isna().all(axis=None)


def test_only_editors_of_everything_read_who_did_what(place, signed):
    for groups in (("pay", "plt"), ("pay", "edit")):
        signed(*groups)
        with pytest.raises(NotAllowed):
            data.audited(10)
    signed("pay", "plt", "edit")
    data.remove_note(3)
    assert data.audited(10)["about"].tolist() == ["number 3"]


def test_a_file_is_made_for_who_asked_for_it_also_by_another_thread_and_only_while_they_may(place, signed):
    signed("pay")
    make = data.exported("the streams", lambda: data.known().streams)
    signed(None)
    found = []
    thread = threading.Thread(target=lambda: found.append(make()))
    thread.start()
    thread.join()
    assert found == [("checkout",)]
    assert audit.entries(place)[["who", "what", "about"]].to_numpy().tolist() == [["ann@example.org", "export", "the streams"]]
    signed("pay", hours=13)
    late = data.exported("too late", lambda: pytest.fail("made for somebody whose sign-in has ended"))
    with pytest.raises(SignedOut):
        late()


def test_a_configuration_that_loses_its_sign_in_opens_nothing(place, signed, tmp_path, monkeypatch):
    signed("pay", "plt", "edit")
    assert data.known().streams == ("checkout", "platform")
    (tmp_path / "vsm.toml").write_text('[[streams]]\nname = "checkout"\n')
    with pytest.raises(SignedOut, match="start it again"):
        data.known()
    monkeypatch.delenv(access.ON)
    assert data.viewer() == Viewer("this machine")
    (tmp_path / "vsm.toml").write_text(CONFIG)
    with pytest.raises(SignedOut, match="since the dashboard was started"):
        data.known()


def test_the_server_may_ask_for_itself(place, signed):
    signed(None)
    with access.as_server():
        assert data.known().streams == ("checkout", "platform")
    with pytest.raises(SignedOut):
        data.known()


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("/", True), ("/flow", True), ("/static/js/index.js", True), ("/_stcore/health", True), ("/flow/_stcore/health", True),
        ("/oauth2callback", True), ("/auth/login", True), ("/media/a.png", False), ("/component/a/b.js", False),
        ("/_stcore/metrics", False), ("/_stcore/upload_file/a", False), ("/app/static/a", False), ("/static/../media/a", True),
        ("/base/media/a", False), ("/_stcore/bidi-components/a/b.js", False), ("/auth/login/x", False), ("/Flow", False),
    ],
)  # fmt: skip
def test_only_what_holds_no_data_is_open(path, is_open):
    """A path with dots is refused by Streamlit itself."""
    assert bool(door.OPEN.fullmatch(path)) is is_open


def test_a_cookie_over_tls_is_sealed(place):

    sent = []

    async def app(scope, receive, send):
        headers = [(b"set-cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2; Secure"), (b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def keep(message):
        sent.append(message)

    alone(door.Door(app)({"type": "http", "path": "/"}, None, keep))
    assert [value for _, value in sent[0]["headers"]] == [b"a=1; Path=/; Secure", b"b=2; Secure", b"text/html"]


def test_every_cache_of_the_door_knows_whose_part_it_holds(place, signed, monkeypatch):
    """Two who see different streams never get each other's: the same question, asked in turn, again and again."""
    made = []
    monkeypatch.setattr(pipeline, "read", lambda *asked, whole=pipeline.read: made.append(1) or whole(*asked))
    found = {}
    for _ in range(2):
        for groups in (("pay",), ("plt",), ("pay", "plt")):
            signed(*groups)
            found.setdefault(groups, []).append((data.document()["scope"], [one["stream"] for one in data.document()["streams"]],
                                                 data.document()["facts"]["tickets"]))  # fmt: skip
    assert found == {
        ("pay",): [({"stream": None, "application": None, "team": None}, [], 1)] * 2,
        ("plt",): [({"stream": None, "application": None, "team": None}, [], 0)] * 2,
        ("pay", "plt"): [({"stream": None, "application": None, "team": None}, ["checkout", "platform"], 1)] * 2,
    }
    assert len(made) <= 1, "what is derived is derived once, whoever looks"


def test_the_data_page_tells_editors_who_did_what_and_viewers_nothing_of_it(place, signed):
    signed("pay", "plt", "edit")
    data.remove_note(3)

    def heads():
        app = AppTest.from_file(str(Path(data.__file__).with_name("app.py")), default_timeout=120).run()
        app.switch_page("views/data.py").run()
        assert [*app.exception, *app.error] == []
        return [head.value for head in app.header]

    assert "Who did what" in heads()
    signed("pay", "plt")
    assert "Who did what" not in heads()
    signed(None)
    assert heads() == []
