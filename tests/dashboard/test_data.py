"""The door: nothing is read or measured twice, nothing stale is shown, and what cannot be used is said."""

import pytest

from dashboard import data
from dashboard.behind import choices, look
from dashboard.data import Choice, NothingYet
from vsm import cli
from vsm.errors import UsageError
from vsm.findings import findings
from vsm.metrics.compare import compare

EVERYTHING = Choice(None, None, 26, compare=True)
TICKET = "key,status,created_at\n"


def write(folder, *keys):
    folder.mkdir(exist_ok=True)
    (folder / "tickets.csv").write_text(TICKET + "".join(f"{key},Doing,2026-11-01T10:00:00Z\n" for key in keys))
    return folder


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    """A store of one ticket that a test may change: gives a function that imports tickets."""
    url = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setenv("VSM_STORE", url)
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def add(*keys):
        assert cli.run(["import", str(write(tmp_path / "facts", *keys)), "--store", url]) == 0

    add("PAY-1")
    return add


@pytest.mark.usefixtures("sample")
def test_the_same_choice_is_measured_once():
    assert data.measures(EVERYTHING) is data.measures(Choice(None, None, 26, compare=False))
    assert data.measures(EVERYTHING) is not data.measures(Choice("checkout", None, 26, compare=True))


@pytest.mark.usefixtures("sample")
def test_the_period_before_is_as_long_and_ends_where_this_one_begins():
    now, before = data.measures(EVERYTHING).scope, data.measures_before(EVERYTHING).scope

    assert before.end < now.start
    assert (now.start - before.end).total_seconds() < 1
    assert before.weeks == pytest.approx(now.weeks)


@pytest.mark.usefixtures("sample")
def test_the_window_ends_with_the_newest_fact_and_not_with_the_clock():
    assert data.measures(EVERYTHING).scope.end == data.known().now == data.told().now


def test_an_import_shows_at_once(own_store):
    before = data.known().facts
    own_store("PAY-1", "PAY-2", "PAY-3")

    assert (before, data.known().facts) == (1, 3)


def test_one_run_of_a_page_looks_at_the_store_once_and_the_next_one_anew(own_store):
    with data.one_look():
        before = data.known().facts, len(data.harvests()), data.news()
        own_store("PAY-1", "PAY-2")
        assert (data.known().facts, len(data.harvests()), data.news()) == before
    with data.one_look():
        after = data.known().facts, len(data.harvests()), data.news()

    assert (before[:2], after[:2]) == ((1, 1), (2, 2))
    assert before[2] != after[2]


def test_who_is_in_no_run_of_a_page_always_looks_anew(own_store):
    with data.one_look():
        data.known()
    own_store("PAY-1", "PAY-2")

    assert data.known().facts == 2


def test_a_note_that_is_written_in_a_run_is_seen_in_it(own_store):
    at = data.known().now.date()
    with data.one_look():
        before = look.noted()
        data.add_note("Two people joined", at, None, None)

        assert look.noted() != before
        assert list(data.notes(EVERYTHING)["text"]) == ["Two people joined"]


def test_a_store_that_was_deleted_and_made_anew_is_read_anew(own_store, tmp_path):
    own_store("PAY-1", "PAY-2")
    assert data.known().facts == 2
    for file in tmp_path.glob("own.db*"):
        file.rename(file.with_name(f"old-{file.name}"))
    with pytest.raises(NothingYet):
        data.known()
    own_store("PAY-7")

    assert data.known().facts == 1


def test_an_edited_configuration_shows_at_once(own_store, tmp_path):
    assert data.known().streams == ("everything",)
    (tmp_path / "vsm.toml").write_text('[[streams]]\nname = "ours"\n')

    assert data.known().streams == ("ours",)


def test_what_was_read_long_ago_is_stale(own_store, monkeypatch):
    assert not data.known().stale
    monkeypatch.setattr(choices, "STALE_DAYS", -1)

    assert data.known().stale


def test_no_store_and_an_empty_one_are_no_errors(stores, monkeypatch):
    for state in ("none", "empty"):
        monkeypatch.setenv("VSM_STORE", stores[state])
        with pytest.raises(NothingYet):
            data.known()


def test_a_store_that_cannot_be_used_is_said(tmp_path, monkeypatch):
    (tmp_path / "letter.db").write_text("Dear reader, this is no database. " * 100)
    monkeypatch.setenv("VSM_STORE", f"sqlite:///{tmp_path / 'letter.db'}")

    with pytest.raises(UsageError):
        data.known()


def test_a_wrong_configuration_is_said_on_the_page(look, tmp_path, stores, monkeypatch):
    wrong = tmp_path / "vsm.toml"
    wrong.write_text('timezone = "Middle-earth/Shire"\n')
    app = look("overview")
    monkeypatch.setenv("VSM_CONFIG", str(wrong))
    app.run()

    assert [*app.exception, *app.error] == []
    assert "time zone" in app.warning[0].value


def test_people_are_shown_as_the_configuration_says(sample, tmp_path, monkeypatch):
    rows = data.measures(EVERYTHING).visits.dropna(subset="actor").head(20)
    assert set(data.shown(rows)["actor"].str[:7]) == {"Person "}

    named = tmp_path / "vsm.toml"
    told = data.config().path.read_text()
    named.write_text(told.replace('people = "pseudonyms"', 'people = "names"'))
    monkeypatch.setenv("VSM_CONFIG", str(named))
    assert list(data.shown(rows)["actor"]) == list(rows["actor"])


@pytest.mark.usefixtures("sample")
def test_what_is_said_of_two_periods_is_worked_out_once():
    now, before = (
        data.measures(EVERYTHING).figures["change_fail_rate"],
        data.measures_before(EVERYTHING).figures["change_fail_rate"],
    )

    assert data.compared(now, before, "value") == compare(now, before, "value")
    assert data.compared(now, before, "value") is data.compared(now, before, "value")
    assert data.compared(before, now, "value") == compare(before, now, "value")
    assert data.said(EVERYTHING) == findings(data.measures(EVERYTHING), data.measures_before(EVERYTHING))
    assert data.said(EVERYTHING) is data.said(Choice(None, None, 26, compare=False))


def test_what_is_made_of_a_choice_is_made_once_and_anew_for_another_choice_another_thing_and_new_facts(own_store):
    made = []

    def kept(what="board", choice=EVERYTHING, by=("checkout",)):
        return data.kept(what, choice, by, lambda: made.append(what) or len(made))

    assert [kept(), kept(), kept(choice=Choice(None, None, 26, compare=False))] == [1, 1, 1]
    assert [kept("table"), kept(by=("payments",)), kept(choice=Choice(None, None, 4, compare=True))] == [2, 3, 4]
    own_store("PAY-1", "PAY-2")

    assert [kept(), kept()] == [5, 5]
