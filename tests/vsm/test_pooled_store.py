"""A store behind a pool of transactions (PgBouncer), where two transactions of a program are in two sessions of the server."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pgbouncer import PgBouncer
from postgres_server import Postgres
from sqlalchemy.engine import Engine

from vsm import migrations, store
from vsm.models import TABLES

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PAGES = 12


@pytest.fixture(scope="module")
def pool(_postgres: Postgres) -> Iterator[PgBouncer]:
    running = PgBouncer(_postgres, "transaction")
    yield running
    running.close()


@pytest.fixture
def url(postgres: Postgres, pool: PgBouncer) -> Iterator[str]:
    """A store through the pool."""
    lent = postgres.lend(lambda place: store.open_store(place).dispose())
    yield pool.url(lent)
    postgres.give_back(lent)


def rows(source: str, page: int) -> list[dict[str, Any]]:
    """A page: few rows, which go one by one, or many, which go by COPY."""
    return [{"key": f"{source}-{page}-{number}", "created_at": AT} for number in range(3 if page % 2 else 30)]


def harvested(engine: Engine, source: str) -> None:
    for page in range(PAGES):

        def once(page: int = page) -> None:
            with store.transaction(engine) as connection:
                store.save(connection, "tickets", rows(source, page), origin=source)
                store.save_raw(connection, source, "page", [(str(page), {"page": page})], harvest=1, at=AT)
                store.save_cursor(connection, source, "page", {"next": page + 1}, at=AT)

        store.retried(engine, once)


def test_many_who_write_at_once_lose_and_double_nothing(url: str, postgres: Postgres, pool: PgBouncer) -> None:
    sources, failed = ["a", "b", "c", "d"], list[Exception]()

    def run(source: str) -> None:
        try:
            with store.opened(url) as engine, store.alone(engine, source):
                harvested(engine, source)
                harvested(engine, source)  # which changes nothing
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    with store.opened(url) as engine:
        through = store.facts(engine)
        with engine.connect() as connection:
            cursors = [store.load_cursors(connection, source) for source in sources]
        answers = [key for source in sources for _, key, _ in store.raw_records(engine, source)]
    expected = sorted(row["key"] for source in sources for page in range(PAGES) for row in rows(source, page))
    assert sorted(through.tickets["key"]) == expected
    assert cursors == [{"page": {"next": PAGES}}] * len(sources)
    assert sorted(answers) == sorted([str(page) for page in range(PAGES)] * len(sources))
    with store.opened(pool.direct(url)) as engine:
        directly = store.facts(engine)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(through, name), getattr(directly, name))


def test_only_one_of_two_harvests_of_a_source_goes_on(url: str) -> None:
    with store.opened(url) as first, store.opened(url) as second:
        for _ in range(2):
            with store.alone(first, "jira"), store.alone(first, "github"):
                with pytest.raises(store.StoreError, match="another harvest of it runs"):
                    store.alone(second, "jira").__enter__()
                harvested(first, "jira")
                with pytest.raises(store.StoreError, match="another harvest of it runs"):
                    store.alone(second, "jira").__enter__()
            with store.alone(second, "jira"):
                pass


def test_no_writer_waits_for_ever_in_whatever_session_it_is(url: str) -> None:
    asked = "SELECT pg_backend_pid(), current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')"
    with store.opened(url) as engine, store.opened(url) as other, ExitStack() as held:
        found = [held.enter_context(store.transaction(one)).exec_driver_sql(asked).one() for one in (engine, other, engine, other)]
    assert len({session for session, *_ in found}) == 4
    assert {tuple(settings) for _, *settings in found} == {("20s", "10min")}


def test_an_old_store_is_brought_up_to_date(
    postgres: Postgres, pool: PgBouncer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSM_BACKUPS", str(tmp_path))
    with store.opened(pool.url(postgres.fresh())) as engine:
        expected = columns(engine)
    place = pool.url(postgres.fresh())
    old = store.engine_at(place)
    migrations.upgrade(old, store.KNOWN[0])
    assert columns(old) != expected
    old.dispose()
    with store.opened(place) as engine:
        assert columns(engine) == expected
        harvested(engine, "a")


def columns(engine: Engine) -> list[Any]:
    asked = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    with engine.connect() as connection:
        return list(connection.exec_driver_sql(asked))
