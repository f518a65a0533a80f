"""The dashboard on a store on PostgreSQL: a page works, notes are written, news is seen, and a restart is survived."""

from datetime import date

import pytest

from dashboard import data
from dashboard.data import Choice, NothingYet
from vsm import cli, store
from vsm.errors import UsageError

TICKET = "key,status,created_at\n"
EVERYTHING = Choice(None, None, 26, compare=True)


@pytest.fixture
def add(postgres, tmp_path, monkeypatch):
    """Imports tickets into a store of one, which the dashboard shows."""
    url = postgres.lend(lambda place: store.open_store(place).dispose())
    monkeypatch.setenv("VSM_STORE", url)
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts").mkdir()

    def more(*keys):
        rows = "".join(f"{key},Doing,2026-11-01T10:00:00Z\n" for key in keys)
        (tmp_path / "facts" / "tickets.csv").write_text(TICKET + rows)
        assert cli.run(["import", str(tmp_path / "facts"), "--store", url]) == 0
        return url

    more("PAY-1")
    yield more
    postgres.give_back(url)


def test_a_page_shows_what_is_there_and_what_comes(look, add):
    url = add("PAY-1")
    assert look("overview", url).main
    assert data.known().facts == 1
    add("PAY-1", "PAY-2")
    assert look("overview", url).main
    assert data.known().facts == 2


def test_a_database_without_tables_is_no_store_yet_and_no_error(postgres, monkeypatch, tmp_path):
    url = postgres.fresh()
    monkeypatch.setenv("VSM_STORE", url)
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NothingYet) as told:
        data.known()
    assert str(told.value) == f"There is no store at {store.shown(url)} yet."
    assert data.why_not_ready() is None

    store.open_store(url).dispose()
    with pytest.raises(NothingYet, match="holds nothing yet"):
        data.known()


def test_notes_are_written_and_taken_back(add):
    day = date(2026, 11, 2)
    data.add_note("a new team", day, None, None)
    told = data.notes(EVERYTHING)
    assert told["text"].tolist() == ["a new team"]
    data.remove_note(int(told["id"].iloc[0]))
    assert data.notes(EVERYTHING).empty


def test_a_restart_of_the_server_is_a_sentence_and_then_nothing(add, postgres):
    assert data.known().facts == 1
    postgres.stop()
    try:
        with pytest.raises(UsageError, match=r"cannot be read now .*load this page again"):
            data.known()
    finally:
        postgres.start()
    assert data.known().facts == 1
