"""What happens to the store, or to the clock, in the middle of a harvest loses and doubles nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any

import psycopg
import pytest

from collectors.base import Page
from collectors.harvest import harvest
from vsm import models, store

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
YEAR = timedelta(days=365)
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@dataclass
class Tracker:
    """A source of five pages of a ticket each; before the third one something happens."""

    deed: Callable[[], Any] = lambda: None
    kind = "tracker"
    name = "tracker"

    def scope(self) -> str:
        return "tickets"

    def pages(self, cursors: Any, full: bool) -> Iterator[Page]:
        for number in range(int(cursors.get("tickets", {}).get("next", 0)), 5):
            if number == 2:
                self.deed()
            rows = {models.Ticket: [{"key": f"PAY-{number}", "created_at": AT}]}
            yield Page(facts=rows, cursors={"tickets": {"next": number + 1}}, done=number + 1)


class Silent:
    begins = page = ends = lambda self, *told: None


def told(url: str) -> tuple[list[str], dict[str, Any], list[str]]:
    """The tickets of a store, how far they were read, and how its harvests ended."""
    with store.opened(url) as engine:
        with engine.connect() as connection:
            cursors = store.load_cursors(connection, "tracker")
        return list(store.facts(engine).tickets["key"]), cursors, store.harvests(engine)["status"].tolist()


WHOLE = ([f"PAY-{number}" for number in range(5)], {"tickets": {"next": 5}})


@pytest.mark.parametrize("jump", [YEAR, -YEAR, -20 * YEAR], ids=["forwards", "back", "to where it was never set"])
def test_a_clock_that_jumps_in_the_middle_of_a_harvest_changes_no_fact(kept, jump):
    times = chain(repeat(AT, 3), repeat(AT + jump))
    with store.opened(kept) as engine:
        (outcome,) = harvest(engine, [Tracker()], Silent(), now=lambda: next(times))
        assert outcome.error is None
        assert outcome.seconds < 60
        (again,) = harvest(engine, [Tracker()], Silent(), now=lambda: AT)
        assert (again.error, again.changed) == (None, 0)
    assert told(kept) == (*WHOLE, ["done", "done"])


def test_connections_that_are_cut_in_the_middle_of_a_harvest_are_made_anew(postgres):
    url = postgres.fresh()

    def cut() -> None:
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(CUT)

    with store.opened(url) as engine:
        (outcome,) = harvest(engine, [Tracker(cut)], Silent(), now=lambda: AT)
    if outcome.error is not None:  # the lock that keeps others away went with its connection
        assert len(outcome.error.splitlines()) == 1
        with store.opened(url) as engine:
            (outcome,) = harvest(engine, [Tracker()], Silent(), now=lambda: AT)
    assert outcome.error is None
    tickets, cursors, _ = told(url)
    assert (tickets, cursors) == WHOLE


def test_a_server_without_a_free_connection_is_one_sentence(postgres):
    url = postgres.fresh()
    database = url.partition("@/")[2].partition("?")[0]
    store.open_store(url).dispose()
    postgres.run("DROP ROLE IF EXISTS crowded", "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    try:
        with pytest.raises(store.StoreError, match="too many connections") as refused:
            store.open_store(postgres.url(database, "crowded"))
        assert len(str(refused.value).splitlines()) == 1
    finally:
        postgres.run("DROP ROLE crowded")
