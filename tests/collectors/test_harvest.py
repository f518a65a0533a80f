"""How a harvest runs: pages and cursors together, failures beside each other, a record of each."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from collectors.base import CollectorError, Page
from collectors.harvest import harvest
from vsm import models, store


class Source:
    """A source that tells the pages that it is given; an exception among them is raised."""

    kind = "made"

    def __init__(self, name: str, *pages: Page | BaseException) -> None:
        self.name, self.told = name, pages

    def scope(self) -> str:
        return f"all of {self.name}"

    def pages(self, cursors, full) -> Iterator[Page]:
        for page in self.told:
            if isinstance(page, BaseException):
                raise page
            yield page


class Mute(Source):
    """A source that cannot even say what it speaks of."""

    def scope(self) -> str:
        raise CollectorError("the server is down: try again later")


def ticket(key: str) -> dict:
    return {"key": key, "created_at": "2026-03-02T09:00:00Z"}


def page(key: str, **more) -> Page:
    return Page(facts={models.Ticket: [ticket(key)]}, cursors={"tickets": {"last": key}}, requests=1, **more)


@pytest.fixture
def run(shelf):
    from datetime import UTC, datetime

    class Mutely:
        begins = page = ends = lambda self, *told: None

    return lambda *sources: harvest(shelf.engine, sources, Mutely(), now=lambda: datetime(2026, 3, 2, tzinfo=UTC))


def recorded(shelf) -> list:
    with shelf.engine.connect() as connection:
        rows = connection.execute(sa.select(models.Harvest.__table__).order_by("id")).mappings().all()
    return [
        (row["source"], row["status"], row["rows"], row["changed"], row["requests"], row["scope"], row["error"]) for row in rows
    ]


def cursors(shelf, source: str) -> dict:
    with shelf.engine.connect() as connection:
        return store.load_cursors(connection, source)


def test_pages_are_saved_with_their_cursor_and_the_harvest_is_recorded(shelf, run):
    raw = Page(raw=[("tickets", "1", {"a": 1})], warnings=["half a ticket"])
    (outcome,) = run(Source("jira", page("A-1"), page("A-2"), raw))
    assert (outcome.error, outcome.read, outcome.changed, outcome.warnings) == (None, {"tickets": 2}, 2, ("half a ticket",))
    assert [row["key"] for row in shelf.rows("tickets")] == ["A-1", "A-2"]
    assert cursors(shelf, "jira") == {"tickets": {"last": "A-2"}}
    assert list(store.raw_records(shelf.engine, "jira")) == [("tickets", "1", {"a": 1})]
    assert recorded(shelf) == [("jira", "done", 2, 2, 2, "all of jira", None)]


def test_one_source_down_does_not_stop_the_others(shelf, run):
    down = CollectorError("Jira refused the token: set JIRA_TOKEN")
    first, mute, second = run(Source("jira", page("A-1"), down), Mute("jenkins"), Source("other", page("B-1")))
    assert (first.error, mute.error, second.error) == (str(down), "the server is down: try again later", None)
    assert [row["key"] for row in shelf.rows("tickets")] == ["A-1", "B-1"]
    assert recorded(shelf) == [
        ("jira", "failed", 1, 1, 1, "all of jira", str(down)),
        ("jenkins", "failed", 0, 0, 0, "", "the server is down: try again later"),
        ("other", "done", 1, 1, 1, "all of other", None),
    ]


def test_a_row_that_is_no_fact_fails_its_page_and_leaves_the_cursor_before_it(shelf, run):
    wrong = Page(facts={models.Ticket: [ticket("A-2"), {"key": "A-3"}]}, cursors={"tickets": {"last": "A-3"}})
    (outcome,) = run(Source("jira", page("A-1"), wrong))
    assert "created_at: None, expected a time" in outcome.error
    assert [row["key"] for row in shelf.rows("tickets")] == ["A-1"]
    assert cursors(shelf, "jira") == {"tickets": {"last": "A-1"}}


def test_a_mistake_in_a_collector_is_told_with_its_place(run):
    (outcome,) = run(Source("jira", KeyError("fields")))
    assert outcome.error.startswith("KeyError: 'fields' (")
    assert "please report it" in outcome.error


def test_what_a_source_takes_back_goes(shelf, run):
    run(Source("jira", page("A-1"), page("A-2")))
    (outcome,) = run(Source("jira", Page(gone={models.Ticket: [{"key": "A-1"}, {"key": "never there"}]})))
    assert ([row["key"] for row in shelf.rows("tickets")], outcome.gone) == (["A-2"], 1)


def test_somebody_who_stops_it_finds_it_recorded_and_the_saved_pages_there(shelf, run):
    with pytest.raises(KeyboardInterrupt):
        run(Source("jira", page("A-1"), KeyboardInterrupt()), Source("other", page("B-1")))
    assert [row["key"] for row in shelf.rows("tickets")] == ["A-1"]
    assert recorded(shelf) == [("jira", "failed", 1, 1, 1, "all of jira", "stopped before its end; run it again to go on")]
