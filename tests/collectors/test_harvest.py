"""How a harvest runs: pages and cursors together, failures beside each other, a record of each."""

from collections.abc import Iterator
from functools import partial

import pytest
import sqlalchemy as sa
from shelf import Shelf

from collectors.base import Blocked, CollectorError, Page
from collectors.handles import Handles
from collectors.harvest import harvest
from collectors.rebuild import Rebuilt, rebuild
from vsm import models, store


@pytest.fixture
def shelf(kept) -> Iterator[Shelf]:
    """An empty store, on SQLite and on PostgreSQL."""
    with store.opened(kept) as engine:
        yield Shelf(engine)


class Source:
    """A source that tells the pages that it is given; an exception among them is raised."""

    kind = "made"

    def __init__(self, name: str, *pages: Page | BaseException) -> None:
        self.name, self.given = name, pages

    def scope(self) -> str:
        return f"all of {self.name}"

    def pages(self, cursors, full) -> Iterator[Page]:
        for page in self.given:
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
    assert "there is no 'fields'" in outcome.error
    assert "report it" in outcome.error
    assert "(test_harvest.py:" in outcome.error


def test_what_a_source_takes_back_goes(shelf, run):
    run(Source("jira", page("A-1"), page("A-2")))
    (outcome,) = run(Source("jira", Page(gone={models.Ticket: [{"key": "A-1"}, {"key": "never there"}]})))
    assert ([row["key"] for row in shelf.rows("tickets")], outcome.gone) == (["A-2"], 1)


def test_somebody_who_stops_it_finds_it_recorded_and_the_saved_pages_there(shelf, run):
    with pytest.raises(KeyboardInterrupt):
        run(Source("jira", page("A-1"), KeyboardInterrupt()), Source("other", page("B-1")))
    assert [row["key"] for row in shelf.rows("tickets")] == ["A-1"]
    assert recorded(shelf) == [("jira", "failed", 1, 1, 1, "all of jira", "stopped before its end; run it again to go on")]


def test_a_harvest_that_was_killed_is_told_by_the_next_one_of_its_source(shelf, run):
    from datetime import UTC, datetime

    for source in ("jira", "ci"):
        store.begin_harvest(shelf.engine, source, "made", "all", at=datetime(2026, 3, 1, tzinfo=UTC))
    run(Source("jira", page("A-1")))
    assert [(source, status, error) for source, status, *_, error in recorded(shelf)] == [
        ("jira", "failed", "it ended without a word: killed, or the machine stopped"),
        ("ci", "running", None),
        ("jira", "done", None),
    ]


# Facts that follow from raw answers. --------------------------------------------------------------

WHO = Handles(b"a key")


class Teller(Source):
    """A source whose answers are tickets: a key, a status, and whom somebody's e-mail address belongs to."""

    fills = frozenset({"identities"})
    prefix = ""

    def recall(self, cursors) -> None:
        self.names = cursors.get("statuses", {"1": "Open"})

    def told(self, resource, external_id, answer):
        status = self.names.get(answer.get("status", "1"), "?")
        tickets = [{"key": self.prefix + key, "created_at": "2026-03-02T09:00:00Z", "status": status} for key in answer["keys"]]
        return {models.Ticket: tickets, models.Identity: [{"source": "jira", "handle": "ann", "person": answer["mail"]}]}


def answer(*keys: str, **more) -> dict:
    return {"keys": list(keys), "mail": "Ann@Example.org", **more}


@pytest.fixture
def harvested(shelf):
    from datetime import UTC, datetime

    class Mutely:
        begins = page = ends = lambda self, *told: None

    def run(source: Source, at: datetime = datetime(2026, 3, 2, tzinfo=UTC)):
        (outcome,) = harvest(shelf.engine, [source], Mutely(), now=lambda: at, who=WHO)
        return outcome

    return run


def keys(shelf) -> list[str]:
    return [row["key"] for row in shelf.rows("tickets")]


def test_facts_follow_from_raw_answers_in_which_no_address_is_left(shelf, harvested):
    outcome = harvested(Teller("jira", Page(raw=[("issues", "7", answer("A-1"))], requests=3)))
    mail = WHO.mail("ann@example.org")
    assert [row["person"] for row in shelf.rows("identities")] == [mail]
    assert list(store.raw_records(shelf.engine, "jira")) == [("issues", "7", {"keys": ["A-1"], "mail": mail})]
    assert (outcome.read, outcome.changed, outcome.new, outcome.unchanged) == ({"tickets": 1, "identities": 1}, 2, 2, 0)
    again = harvested(Teller("jira", Page(raw=[("issues", "7", answer("A-1"))])))
    assert (again.changed, again.new, again.unchanged) == (0, 0, 2)


def test_a_thing_that_tells_other_facts_than_before_takes_the_old_ones_back(shelf, harvested):
    harvested(Teller("jira", Page(raw=[("issues", "7", answer("A-1", "A-2")), ("issues", "8", answer("A-3"))])))
    outcome = harvested(Teller("jira", Page(raw=[("issues", "7", answer("B-1", "A-2"))])))
    assert (keys(shelf), outcome.gone, outcome.new) == (["A-2", "A-3", "B-1"], 1, 1)


def test_a_thing_that_is_lost_goes_with_its_facts_and_may_come_back(shelf, harvested):
    page = Page(raw=[("issues", "7", answer("A-1")), ("issues", "8", answer("A-2"))])
    harvested(Teller("jira", page))
    assert harvested(Teller("jira", Page(lost=[("issues", "7"), ("issues", "never there")]))).gone == 1
    assert keys(shelf) == ["A-2"]
    assert [key for _, key, _ in store.raw_records(shelf.engine, "jira")] == ["8"]
    harvested(Teller("jira", page))
    assert (keys(shelf), [key for _, key, _ in store.raw_records(shelf.engine, "jira")]) == (["A-1", "A-2"], ["7", "8"])


def test_a_source_that_asks_to_wait_is_left_alone_until_then(shelf, harvested):
    from datetime import UTC, datetime

    at = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    first = harvested(Source("jira", page("A-1"), Blocked("too many requests", at)))
    assert (first.error, first.until, keys(shelf)) == ("too many requests", at, ["A-1"])
    second = harvested(Source("jira", page("A-2")))
    assert (second.error, second.until) == ("it asked us to wait until 2026-03-02 12:30 UTC; run it again after that", at)
    assert harvested(Source("jira", page("A-2")), at=at).error is None
    assert keys(shelf) == ["A-1", "A-2"]


def test_no_secret_is_left_in_an_error(shelf, harvested, monkeypatch):
    from collectors.credentials import secret

    monkeypatch.setenv("A_TOKEN", "s3cret-value")
    assert secret("env:A_TOKEN", "token").reveal() == "s3cret-value"
    outcome = harvested(Source("jira", CollectorError("GET https://u:s3cret-value@x failed")))
    assert outcome.error == "GET https://u:***@x failed"
    assert recorded(shelf)[-1][-1] == outcome.error


def test_a_rebuild_tells_the_facts_again_by_todays_rules_and_nothing_else_changes(shelf, harvested):
    from datetime import UTC, datetime

    harvested(Source("other", page("C-1")))
    harvested(Teller("jira", Page(raw=[("issues", "7", answer("A-1")), ("issues", "8", answer("A-2"))])))
    teller = Teller("jira")
    now = partial(datetime, 2026, 3, 3, tzinfo=UTC)
    assert rebuild(shelf.engine, [teller, Source("other")], now) == [Rebuilt("jira", 2, 0, 0), Rebuilt("other", None)]
    teller.prefix = "X"
    assert rebuild(shelf.engine, [teller], now) == [Rebuilt("jira", 2, 2, 2)]
    assert keys(shelf) == ["C-1", "XA-1", "XA-2"]


def test_a_source_that_has_no_turn_since_it_asked_to_wait_does_not_stop_the_others_on_a_terminal(shelf):
    from datetime import UTC, datetime
    from io import StringIO

    from rich.console import Console
    from rich.progress import Progress

    from collectors.progress import Bars

    at = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    with Progress(console=Console(file=StringIO())) as progress:
        for _ in range(2):
            sources = [Source("jira", Blocked("too many requests", at)), Source("other", page("B-1"))]
            outcomes = harvest(shelf.engine, sources, Bars(progress), now=lambda: datetime(2026, 3, 2, tzinfo=UTC))
            assert [outcome.error is None for outcome in outcomes] == [False, True]


def test_a_rebuild_beside_a_harvest_takes_nothing_back(shelf, harvested):
    from datetime import UTC, datetime

    now = partial(datetime, 2026, 3, 3, tzinfo=UTC)
    harvested(Teller("jira", Page(raw=[("issues", "7", answer("A-1"))])))
    store.begin_harvest(shelf.engine, "jira", "made", "all", at=now())
    with store.transaction(shelf.engine) as connection:
        store.save(connection, models.Ticket, [ticket("A-2")], origin="jira")
    assert rebuild(shelf.engine, [Teller("jira")], now) == [Rebuilt("jira", 1, 0, 0, busy=True)]
    assert keys(shelf) == ["A-1", "A-2"]
    harvested(Teller("jira"))
    assert rebuild(shelf.engine, [Teller("jira")], now) == [Rebuilt("jira", 1, 0, 1)]


def test_no_address_is_left_in_an_error(harvested):
    outcome = harvested(Source("jira", CollectorError("ann@example.org may not see PAY")))
    assert outcome.error == f"{WHO.mail('ann@example.org')} may not see PAY"


def test_a_raw_answer_that_cannot_be_told_fails_the_rebuild_with_a_sentence_and_loses_nothing(shelf, harvested):
    from datetime import UTC, datetime

    harvested(Teller("jira", Page(raw=[("issues", "7", answer("A-1"))])))
    with store.transaction(shelf.engine) as connection:
        store.save_raw(
            connection, "jira", "issues", [("8", {"keys": 5, "mail": "x"})], harvest=1, at=datetime(2026, 3, 2, tzinfo=UTC)
        )
    with pytest.raises(
        CollectorError, match=r"jira: its raw records cannot all be told: .*: vsm collect jira --full reads them anew"
    ):
        rebuild(shelf.engine, [Teller("jira")], lambda: datetime(2026, 3, 3, tzinfo=UTC))
    assert keys(shelf) == ["A-1"]
    assert recorded(shelf)[-1][1] == "failed"
