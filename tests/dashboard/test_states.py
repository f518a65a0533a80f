"""What cannot be shown is said in one sentence with what to do, never in a traceback."""

import re
import sqlite3
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import data, filters, parts
from dashboard.behind import flows, periods
from vsm import journal, pipeline, sqlite_store, store

APP = Path(parts.__file__).with_name("app.py")


@pytest.fixture
def own(stores, tmp_path, monkeypatch):
    """A small store that a test may break: its path."""
    file = tmp_path / "own.db"
    with sqlite3.connect(stores["one ticket"].removeprefix("sqlite:///")) as kept, sqlite3.connect(file) as copy:
        kept.backup(copy)
    monkeypatch.setenv("VSM_STORE", f"sqlite:///{file}")
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return file


def page():
    return AppTest.from_file(str(APP), default_timeout=60).run()


def sentence(app):
    """The one sentence that the page says."""
    assert [*app.exception, *app.error, *app.metric] == []
    (warning,) = app.warning
    return re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), warning.value)


def test_a_store_of_a_newer_version_says_to_update_the_program(own):
    with sqlite3.connect(own) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    assert "was made by a newer version of this program (9999): update the program" in sentence(page())


def test_a_database_of_another_program_is_not_touched(own):
    own.unlink()
    with sqlite3.connect(own) as connection:
        connection.execute("CREATE TABLE letters (text)")

    assert "is not a store of this program: give another --store" in sentence(page())


def test_a_file_that_is_no_database_is_said_to_be_none(own):
    own.write_text("Dear reader, this is no database. " * 100)

    assert "file is not a database" in sentence(page())


@pytest.fixture
def impatient(monkeypatch):
    """A store that waits for no lock, or a test would take as long as a reader waits."""
    monkeypatch.setattr(sqlite_store, "PATIENCE", 50)
    monkeypatch.setattr(sqlite_store, "SWITCHES", 2)


def test_a_locked_store_says_what_holds_it(own, impatient):
    with sqlite3.connect(own, isolation_level=None) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        said = sentence(page())
        other.execute("ROLLBACK")

    assert "locked" in said


def test_a_store_that_breaks_while_it_is_read_is_a_sentence(own, monkeypatch):
    def broken(_engine):
        raise store.DBAPIError("SELECT", {}, sqlite3.OperationalError("database is locked"))

    data.known()
    monkeypatch.setattr(store, "version", broken)

    assert sentence(page()) == (
        f"the store sqlite:///{own} cannot be read now (database is locked): another program holds it: end that, or wait, "
        "then load this page again"
    )


def test_a_broken_configuration_says_where_and_what_was_expected(own, tmp_path):
    (tmp_path / "vsm.toml").write_text("timezone = \n")

    assert sentence(page()).startswith("vsm.toml: not valid TOML")


def test_what_breaks_outside_of_a_pages_own_run_is_said_with_a_number_that_is_in_the_log(caplog):
    """In a callback, a fragment or a dialog: the server's own boundary."""

    def script():
        from dashboard.serve import broken

        assert broken(ZeroDivisionError("secret")) is True

    app = AppTest.from_function(script).run()
    number = re.search(r"look for error (\w+)", app.error[0].value)

    assert number is not None
    assert "secret" not in app.error[0].value
    assert f"error {number[1]}" in caplog.text


def test_a_secret_in_the_words_of_what_breaks_is_neither_on_the_page_nor_in_the_log(caplog):
    """One that the server has looked up, in whatever form it has, and one that looks like a secret; also in an error's cause."""

    def script():
        from dashboard.serve import broken
        from vsm.secrecy import remember

        try:
            try:
                raise ValueError("https://ann:planted-1@forge.example/shop.git")
            except ValueError as error:
                raise RuntimeError(f"a hook signed with {remember('planted 2, known')}") from error
        except RuntimeError as error:
            broken(error)

    app = AppTest.from_function(script).run()
    assert "look for error" in app.error[0].value
    assert "ValueError: https://ann:***@forge.example/shop.git" in caplog.text
    assert "RuntimeError: a hook signed with ***" in caplog.text
    assert "planted" not in caplog.text + app.error[0].value


def test_a_part_of_a_page_that_has_said_so_itself_is_not_told_twice():
    def script():
        from streamlit.errors import FragmentHandledException

        from dashboard import parts

        parts.failed(FragmentHandledException())

    assert [*AppTest.from_function(script).run().error] == []


def test_a_note_that_the_store_does_not_take_is_kept_in_its_form_and_the_reason_said(own, monkeypatch):
    def refuse(*_args, **_more):
        raise store.DBAPIError("INSERT", {}, sqlite3.OperationalError("attempt to write a readonly database"))

    app = page()
    app.switch_page("views/retro.py").run()
    monkeypatch.setattr(journal, "add_note", refuse)
    app.text_area(key="note_text").set_value("Two people joined")
    next(button for button in app.button if button.label == "Keep it").click().run()

    assert [*app.exception, *app.error] == []
    assert "attempt to write a readonly database" in app.warning[0].value
    assert app.text_area(key="note_text").value == "Two people joined"


def test_slow_work_says_which_of_its_steps_it_is_at(own, monkeypatch):
    said, read = [], pipeline.read
    flows._flow.clear()
    flows._facts.clear()
    monkeypatch.setattr(pipeline, "read", lambda *args: said.append("read") or read(*args))
    page()
    steps = [found.says for found in (flows._choosable, periods.measures_of)]

    assert said == ["read"]
    assert [step.split(":")[0] for step in steps] == ["1 of 2", "2 of 2"]


def test_what_is_slow_has_a_placeholder_as_large_as_what_comes(look, monkeypatch):
    shown, then = [], {}

    @contextmanager
    def skeleton(height):
        shown.append(height)
        try:
            yield
        finally:
            shown.pop()

    monkeypatch.setattr(st, "skeleton", skeleton)

    def noted(name, slow, *given):
        then.setdefault(name, [*shown])
        return slow(*given)

    for name in ("known", "measures"):
        monkeypatch.setattr(data, name, partial(noted, name, getattr(data, name)))
    for slow in (True, False):
        monkeypatch.setattr(data, "known_already", lambda slow=slow: not slow)
        monkeypatch.setattr(data, "measured_already", lambda _, slow=slow: not slow)
        then.clear()
        look("overview", "one ticket")

        assert then == ({"known": [parts.BODY], "measures": [parts.BODY]} if slow else {"known": [], "measures": []})
        assert shown == []


def test_what_is_there_already_is_known_to_be(own):
    flows._choosable.clear()
    periods.measures_of.clear()
    usual = filters.usual()
    before = data.known_already(), data.measured_already(usual)
    data.measures(usual)
    data.known()

    assert before == (False, False)
    assert (data.known_already(), data.measured_already(usual)) == (True, True)
