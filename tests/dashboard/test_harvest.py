"""A harvest from a page: one program at a time for one store, seen while it runs, stopped, survived, and its data shown."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data, harvest, live, parts
from dashboard.behind import choices
from dashboard.harvest import Harvest
from vsm import cli, turn
from vsm.errors import UsageError

APP = Path(parts.__file__).with_name("app.py")
EVIL = "<img src=x onerror=alert(1)> :red[hey]"
SOURCE = {
    "source": "shop", "status": "waiting", "scope": "", "doing": "", "done": 0, "total": None, "pages": 0, "rows": 0, "new": 0,
    "changed": 0, "seconds": 0.0, "error": None, "until": None, "notes": [],
}  # fmt: skip


def git(folder, *arguments):
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", folder, *author, *arguments], check=True, capture_output=True)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a configured clone of one release, and no store yet."""
    shop = tmp_path / "shop"
    shop.mkdir()
    git(shop, "init", "-q")
    git(shop, "commit", "-q", "--allow-empty", "-m", "Sort the cart (#1)")
    git(shop, "tag", "v1.0")
    (tmp_path / "vsm.toml").write_text('[[sources]]\nkind = "git"\nname = "shop"\npath = "shop"\nrelease_tags = "v*"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VSM_STORE", f"sqlite:///{tmp_path / 'vsm.db'}")
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def slow(place, monkeypatch):
    """Git that never answers stands for a source that takes its time."""
    program = place / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    yield
    told = harvest._told(turn.place(data.url(), "json"))
    if told.get("pid") and data.harvesting().running:
        os.killpg(told["pid"], signal.SIGKILL)


def until(holds):
    end = time.monotonic() + 40
    while not holds(found := data.harvesting()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def ended():
    return until(lambda found: not found.running)


def words(app):
    kinds = (app.markdown, app.caption, app.info, app.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def bars(app):
    return [element.proto.text for element in app.get("progress")]


# The program. ----------------------------------------------------------------------------------------------------------


def test_before_the_first_there_is_nothing_to_tell(place):
    assert data.harvesting() is None


def test_it_fills_the_store_and_says_what_came(place):
    data.begin_harvest()
    found = ended()

    assert (found.status, found.error) == ("done", None)
    assert [(one["source"], one["status"], one["new"] > 0) for one in found.sources] == [("shop", "done", True)]
    assert found.ended is not None
    assert data.known().facts > 0


def test_there_are_never_two_for_one_store_and_it_can_be_stopped(place, slow):
    data.begin_harvest()
    assert until(lambda found: found.sources).running
    with pytest.raises(UsageError, match="runs already"):
        data.begin_harvest()

    data.stop_harvest()
    assert ended().status == "stopped"
    data.stop_harvest()  # once more hurts nobody


def test_one_that_was_killed_is_seen_to_be_gone_and_another_can_begin(place, slow, monkeypatch):
    data.begin_harvest()
    until(lambda found: found.sources)
    os.killpg(harvest._told(turn.place(data.url(), "json"))["pid"], signal.SIGKILL)
    assert ended().status == "killed"

    monkeypatch.setenv("PATH", os.environ["PATH"].partition(":")[2])
    data.begin_harvest()
    assert ended().status == "done"


def test_a_terminal_waits_for_a_page_and_a_page_for_a_terminal(place, slow, capsys):
    data.begin_harvest()
    until(lambda found: found.sources)
    assert cli.run(["collect"]) == 2
    assert "a harvest of this store runs already" in capsys.readouterr().err
    assert data.harvesting().sources, "what the page's own says of itself stays"
    data.stop_harvest()
    ended()

    with subprocess.Popen([sys.executable, "-m", "vsm", "collect"], stderr=subprocess.DEVNULL) as terminal:
        found = until(lambda found: found.running)
        assert (found.elsewhere, found.sources) == (True, ()), "the file still tells of the page's"
        with pytest.raises(UsageError, match="runs already"):
            data.begin_harvest()
        terminal.kill()
    assert ended().status == "stopped", "what was killed holds nothing"
    data.begin_harvest()
    assert not until(lambda found: found.sources).elsewhere


def test_a_wrong_configuration_is_its_end_and_its_reason(place):
    (place / "vsm.toml").write_text('[[sources]]\nkind = "git"\nname = "shop"\npath = "shop"\nno_such_key = 1\n')
    data.begin_harvest()
    found = ended()

    assert (found.status, "no_such_key" in found.error) == ("failed", True)


def test_a_folder_that_takes_no_file_is_a_sentence(place, monkeypatch):
    monkeypatch.setenv("VSM_STORE", f"sqlite:///{place / 'vsm.toml' / 'vsm.db'}")
    with pytest.raises(UsageError, match="cannot be written"):
        data.begin_harvest()


def test_no_password_is_in_a_list_of_processes_or_in_the_name_of_a_file(place, monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "Popen", lambda *call, **more: called.append((call, more)) or type("P", (), {"wait": int})())
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    monkeypatch.setenv("VSM_STORE", "postgresql://reader:hunter2@db.example/vsm")
    data.begin_harvest()

    assert "hunter2" not in str(called[0][0])
    assert called[0][1]["env"]["VSM_STORE"].endswith("hunter2@db.example/vsm")
    log = turn.place("postgresql://reader:another@db.example/vsm", "log")
    assert log.parent == place / "state" / "vsm"
    assert log == turn.place(data.url(), "log")


def test_half_a_file_or_another_programs_is_none(tmp_path):
    for said in ("", "{", "[]", '{"pid": 1}'):
        (tmp_path / "x.db.harvest.json").write_text(said)
        assert harvest.state(f"sqlite:///{tmp_path / 'x.db'}", datetime.now(UTC)) is None


# The page. -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(stores, monkeypatch):
    """The data page of a small store, with a harvest in some state and some sources."""
    monkeypatch.setenv("VSM_STORE", stores["one ticket"])
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    monkeypatch.chdir(Path(stores["one ticket"].removeprefix("sqlite:///")).parent)

    def look(found, *sources, page="data"):
        monkeypatch.setattr(data, "harvesting", lambda: found)
        monkeypatch.setattr(data, "sources", lambda: sources)
        app = AppTest.from_file(str(APP), default_timeout=60).run()
        app.switch_page(f"views/{page}.py").run()
        assert [*app.exception, *app.error] == []
        return app

    return look


def labels(app):
    return [button.label for button in app.button]


def test_it_is_offered_only_where_sources_are_configured(page):
    assert "Harvest now" not in labels(page(None))

    app = page(None, "shop", "jira", "ci")
    assert "Harvest now" in labels(app)
    assert "Reads what is new in shop, jira and ci" in words(app)


def test_while_it_runs_the_page_says_how_far_it_is_and_lets_it_be_stopped(page, monkeypatch):
    asked = []
    monkeypatch.setattr(data, "stop_harvest", lambda: asked.append(True))
    going = SOURCE | {"status": "running", "doing": "commits", "done": 1200, "total": 3400, "pages": 3, "rows": 4512}
    done = SOURCE | {"source": "ci", "status": "done", "rows": 9, "new": 5, "changed": 7, "seconds": 2.0, "notes": [EVIL]}
    app = page(Harvest("running", True, None, 12.4, (going, done, SOURCE | {"source": "jira"})), "shop", "ci", "jira")

    assert bars(app) == ["**shop**: commits, 1,200 of 3,400 · 3 pages, 4,512 rows read"]
    assert "for 12 s so far" in words(app)
    assert "**ci**: 9 rows read, 5 new, 2 changed, in 2&#46;0 s" in words(app)
    assert "**jira** waits for its turn" in words(app)
    assert "onerror" not in words(app).replace("onerror&#61;", "")
    assert "Harvest again" not in labels(app)
    app.button(key="stop_harvest").click().run()
    assert asked == [True]


def test_one_that_was_started_elsewhere_is_said_and_not_stopped_from_here(page):
    app = page(Harvest("running", True, elsewhere=True), "shop")

    assert "A harvest runs** that was not started here" in words(app)
    assert not {"Stop it", "Harvest again", "Harvest now"} & set(labels(app))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Harvest("done", False, None, 3, (SOURCE | {"status": "done"},)), "all of it was read"),
        (
            Harvest("failed", False, None, 3, (SOURCE | {"status": "failed", "error": "no answer"},)),
            "1 of 1 source could not be read",
        ),
        (Harvest("failed", False, "no such key", 3), "no such key"),
        (Harvest("stopped", False, None, 3), "it was stopped"),
        (Harvest("killed", False, None, 3), "ended without a word"),
    ],
)
def test_how_the_last_one_ended_stands_there_with_a_way_to_begin_again(page, found, said):
    app = page(found, "shop")

    assert said in words(app)
    assert "Harvest again" in labels(app)


def test_why_it_cannot_begin_is_said(page, monkeypatch):
    def refuse():
        raise UsageError("a harvest of this store runs already")

    app = page(None, "shop")
    monkeypatch.setattr(data, "begin_harvest", refuse)
    app.button(key="begin_harvest").click().run()

    assert "a harvest of this store runs already" in app.warning[0].value


def test_other_pages_offer_it_only_when_what_they_show_is_old_and_show_one_that_runs(page, monkeypatch):
    assert "Harvest now" not in labels(page(None, "shop", page="flow"))
    assert "stop_harvest" in [button.key for button in page(Harvest("running", True), "shop", page="flow").button]
    monkeypatch.setattr(choices, "STALE_DAYS", -1)
    assert "Harvest now" in labels(page(None, "shop", page="flow"))


def test_from_the_empty_page_to_its_data(place):
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert len(app.metric) == 0
    app.button(key="begin_harvest").click().run()
    assert ended().status == "done"

    app.run()
    assert [*app.exception, *app.error] == []
    assert next(metric.value for metric in app.metric if metric.label == "Change fail rate") == "0 of 1"


def watch(drawn):
    from dashboard import live

    live._news(drawn, False)


def test_an_import_while_a_page_is_open_is_told_and_shown_when_asked_for(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setenv("VSM_STORE", url)
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def bring(*keys):
        (tmp_path / "tickets.jsonl").write_text(
            "".join(f'{{"key": "{key}", "status": "Doing", "created_at": "2026-11-01T10:00:00Z"}}\n' for key in keys)
        )
        assert cli.run(["import", str(tmp_path), "--store", url]) == 0

    bring("PAY-1")
    drawn = data.news()
    bring("PAY-1")
    assert data.news() == drawn  # nothing new was in it
    bring("PAY-1", "PAY-2")

    app = AppTest.from_function(watch, kwargs={"drawn": drawn}).run()
    assert "New data has come in" in words(app)
    assert labels(app) == ["Show it"]
    assert labels(AppTest.from_function(watch, kwargs={"drawn": data.news()}).run()) == []
    assert data.known().facts == 2


def test_time_goes_on_between_two_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(turn, "taken", lambda store: True)
    file = tmp_path / "x.db.harvest.json"
    file.write_text('{"pid": 0, "status": "running", "sources": [], "seconds": 5}')
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)

    assert harvest.state(f"sqlite:///{tmp_path / 'x.db'}", written + timedelta(seconds=7)).seconds == pytest.approx(12)


def test_looks_are_seldom_enough_for_many_open_pages():
    assert (live.OFTEN >= 1, live.SELDOM >= 10) == (True, True)
