"""What is around every page: a note from anywhere, a link to the view, a line for paper, an icon of our own."""

import html
import re
import sqlite3
import tomllib
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import frame, notes, parts
from vsm import journal, store

ROOT = Path(parts.__file__).parents[1]
ICON = ROOT / "dashboard" / "static" / "icon.svg"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def own(stores, tmp_path):
    """A small store of one's own to write into."""
    with sqlite3.connect(stores["one ticket"].removeprefix("sqlite:///")) as kept, sqlite3.connect(tmp_path / "own.db") as copy:
        kept.backup(copy)
    return f"sqlite:///{tmp_path / 'own.db'}"


def kept(url):
    with store.opened(url, create=False) as engine:
        return journal.notes(engine)


def labels(app):
    return [button.label for button in app.button]


def keep(app):
    next(button for button in app.button if button.label == "Keep it").click().run()
    assert [*app.exception, *app.error] == []


@pytest.mark.parametrize("page", ["overview", "value_stream", "flow", "bottlenecks", "delivery", "forecast"])
def test_a_note_can_be_written_on_every_page_with_charts(look, page):
    app = look(page, "one ticket")
    app.button(key="add_note").click().run()

    assert [*app.exception, *app.error] == []
    assert app.date_input(key="dialog_on").value == date(2026, 11, 3)  # the window's last day


def dialog(monkeypatch, url):
    """The dialog's form alone: without a browser a dialog is gone with the next run."""

    def script():
        from datetime import date

        from dashboard import notes
        from dashboard.data import Choice

        notes.form(Choice("checkout", None, 26, compare=True), date(2026, 11, 3))

    monkeypatch.setenv("VSM_STORE", url)
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    return AppTest.from_function(script, default_timeout=60).run()


def test_what_is_written_is_kept_for_the_chosen_stream(own, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    app = dialog(monkeypatch, own)
    app.text_area(key="dialog_text").set_value(EVIL)
    app.selectbox(key="dialog_kind").set_value("freeze")
    keep(app)

    (note,) = kept(own).to_dict("records")
    assert (note["text"], note["kind"], note["stream"], f"{note['at']:%F}") == (EVIL, "freeze", "checkout", "2026-11-03")


def test_where_notes_have_a_place_of_their_own_there_is_no_second_one(look, own):
    assert "Add a note" not in labels(look("retro", own))
    assert "Add a note" not in labels(look("data", own))


def test_a_note_without_words_is_refused_in_the_dialog(own, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    app = dialog(monkeypatch, own)
    keep(app)

    assert "a note needs words" in app.warning[0].value
    assert kept(own).empty


def test_paper_says_what_was_chosen_as_text(look):
    app = look("overview", stream="checkout", period="13 weeks")
    (line,) = [one.proto.body for one in app.get("html") if '"vsm-on-paper"' in one.proto.body]

    assert "checkout · All teams · " in html.unescape(line)
    assert "data as of 15 Nov 2026" in line


def test_every_page_can_be_linked_to(look):
    assert look("flow", "one ticket").get("bidi_component")


def test_paper_has_no_controls_and_cuts_no_card():
    hidden = frame.PAPER.partition("display: none")[0]

    assert all(name in hidden for name in ("stHeader", "stButton", "stForm", "st-key-filters", "st-key-harvest"))
    assert re.search(r"st-key-card_.*break-inside: avoid", frame.PAPER)


def test_the_icon_is_our_own_and_asks_nobody():
    root = ET.parse(ICON).getroot()  # noqa: S314 - our own file
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["dashboard"]

    assert root.attrib["aria-label"]
    assert not re.search(r"(href|src|url\()", ICON.read_text())
    assert "static/*" in packaged


def test_kinds_of_notes_are_said_in_words():
    assert all(name != said and said[0].isupper() for name, said in notes.KINDS.items())
