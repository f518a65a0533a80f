"""The store: opened and migrated with care, written all or nothing, read from one state."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import alembic.autogenerate
import alembic.command
import alembic.config
import alembic.migration
import pandas as pd
import pytest
import sqlalchemy as sa
import sqlmodel
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from vsm import models, postgres_read, store, store_read
from vsm.models import TABLES, RowError, columns, kind, required
from vsm.store import Facts, StoreError

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TICKETS, TRANSITIONS = TABLES["tickets"], TABLES["transitions"]


@pytest.fixture
def url(kept: str) -> str:
    return kept


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = store.open_store(url)
    yield made
    made.dispose()


def ticket(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "created_at": AT, **more}


def save(engine: Engine, *rows: dict[str, Any], table: str = "tickets", origin: str = "jira", fill: bool = False) -> int:
    with store.transaction(engine) as connection:
        return store.save(connection, TABLES[table], rows, origin=origin, fill=fill)


def keys(engine: Engine) -> list[str]:
    return list(store.facts(engine).tickets["key"])


# Opening. ---


def test_a_new_store_has_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = alembic.migration.MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert alembic.autogenerate.compare_metadata(context, sqlmodel.SQLModel.metadata) == []
        assert context.get_current_revision() == store.VERSION == store.KNOWN[-1]


def of_the_first_version(place: str) -> Engine:
    """A store as the first version of the program made it."""
    old = store.engine_at(place)
    with old.connect() as plain, plain.execution_options(writes=True).begin():
        config = alembic.config.Config(attributes={"connection": plain})
        config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
        alembic.command.upgrade(config, store.KNOWN[0])
    return old


def test_an_older_store_gets_what_is_new_and_keeps_what_it_had(place: str) -> None:
    """A store as the first version made it: its steps run one after the other, and then the tables are those of the models."""
    old = of_the_first_version(place)
    with store.transaction(old) as connection:
        assert "ticket_links" not in sa.inspect(connection).get_table_names()
        store.save(connection, TICKETS, [ticket("A", title="Pay")], origin="jira")
    old.dispose()
    engine = store.open_store(place)
    test_a_new_store_has_the_tables_of_the_models(engine)
    assert keys(engine) == ["A"]
    assert save(engine, {"ticket": "A", "kind": "blocks", "other": "B"}, table="ticket_links") == 1
    engine.dispose()


def test_opening_again_changes_nothing(url: str, engine: Engine) -> None:
    save(engine, ticket("A"))
    assert keys(store.open_store(url)) == ["A"]


def test_a_file_has_a_log_so_that_readers_are_never_blocked(tmp_path: Path) -> None:
    with store.opened(f"sqlite:///{tmp_path}/vsm.db") as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_store_in_memory_is_a_store() -> None:
    engine = store.open_store("sqlite://")
    save(engine, ticket("A", title="Pay"))
    assert list(store.facts(engine).tickets["title"]) == ["Pay"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("vsm.db", "not a SQLAlchemy URL that can be used"),
        ("", "not a SQLAlchemy URL that can be used"),
        ("nosuch:///vsm.db", "not a SQLAlchemy URL that can be used|neither SQLite nor PostgreSQL"),
        ("mysql://localhost/vsm", "neither SQLite nor PostgreSQL"),
        ("sqlite:////nowhere/at/all/vsm.db", "no folder /nowhere/at/all for the store"),
        ("sqlite:////tmp", "cannot be opened: unable to open database file"),
    ],
)
def test_a_place_that_cannot_be_opened_is_a_sentence(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        store.open_store(url)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(StoreError) as caught:
        store.open_store("mysql://ann:geheim@localhost/vsm")
    assert "geheim" not in str(caught.value)


def test_a_store_that_is_not_there_is_made_only_when_it_may(tmp_path: Path, place: str) -> None:
    for _ in range(2):
        with pytest.raises(StoreError, match=r"no store at .*: fill it with `vsm collect` or `vsm import FOLDER` first"):
            store.open_store(place, create=False)
    assert list(tmp_path.iterdir()) == []
    for create in (True, False):
        store.open_store(place, create).dispose()


def test_a_newer_store_is_refused(url: str, engine: Engine) -> None:
    with store.transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"made by a newer version of this program \(9999\): update the program"):
        store.open_store(url)


VERSIONS = "CREATE TABLE alembic_version (version_num VARCHAR(32))"


def refused_and_left_alone(place: str, *tables: str) -> None:
    other = store.engine_at(place)
    with store.transaction(other) as connection:
        for statement in tables:
            connection.exec_driver_sql(statement)
    before = everything(other)
    with pytest.raises(StoreError, match="has tables but is not a store of this program: give another --store"):
        store.open_store(place)
    assert everything(other) == before
    other.dispose()


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param(["CREATE TABLE tickets (id INTEGER)"], id="a name like ours"),
        pytest.param([VERSIONS, "INSERT INTO alembic_version VALUES ('a1b2c3')"], id="another version"),
    ],
)
def test_another_program_s_database_is_refused_and_left_alone(place: str, tables: list[str]) -> None:
    refused_and_left_alone(place, *tables)


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param(["CREATE TABLE moz_places (id INTEGER)"], id="another program's"),
        pytest.param([VERSIONS, "CREATE TABLE users (id INTEGER)"], id="also migrated"),
    ],
)
def test_a_file_with_any_other_table_is_refused_and_left_alone(tmp_path: Path, tables: list[str]) -> None:
    refused_and_left_alone(f"sqlite:///{tmp_path}/vsm.db", *tables)


def everything(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table there is."""
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        return {name: list(connection.exec_driver_sql(f"SELECT * FROM {name}")) for name in names}


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vsm.db").write_text("key,created_at\n" * 1000)
    with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
        store.open_store(f"sqlite:///{tmp_path}/vsm.db")


SAVES = """
import sys
from datetime import datetime, UTC
from vsm import models, postgres_read, store
from vsm.models import TABLES
with store.transaction(store.open_store(sys.argv[1])) as connection:
    store.save(connection, TABLES["tickets"], [{"key": sys.argv[2], "created_at": datetime(2026, 3, 2, tzinfo=UTC)}], origin="jira")
"""


def saving(url: str, key: str) -> subprocess.Popen[bytes]:
    """Another process that opens the store and saves a ticket."""
    return subprocess.Popen([sys.executable, "-c", SAVES, url, key], stderr=subprocess.PIPE)


def test_many_processes_may_make_the_store_at_once(place: str) -> None:
    processes = [saving(place, f"A-{n}") for n in range(4)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [b""] * 4
    assert keys(store.open_store(place)) == [f"A-{n}" for n in range(4)]


def test_an_older_store_is_brought_up_to_date_once_by_many_processes_at_once(place: str) -> None:
    of_the_first_version(place).dispose()
    processes = [saving(place, f"A-{n}") for n in range(2)]
    said = [process.communicate(timeout=60)[1] for process in processes]
    # Either may have found it old, and kept a copy before it waited for the other.
    assert [line for one in said for line in one.splitlines() if b"is a copy of how it was" not in line] == []
    assert any(said)
    with store.opened(place) as engine:
        test_a_new_store_has_the_tables_of_the_models(engine)
        assert keys(engine) == ["A-0", "A-1"]


# Saving. ---


def test_saving_again_writes_nothing(engine: Engine) -> None:
    assert save(engine, ticket("A", title="Pay"), ticket("B")) == 2
    assert save(engine, ticket("A", title="Pay"), ticket("B")) == 0


def test_only_what_differs_is_written(engine: Engine) -> None:
    save(engine, ticket("A", title="Pay"), ticket("B", title="Ship"), ticket("C"))
    assert save(engine, ticket("A", title="Pay"), ticket("B"), ticket("C", title="Send"), ticket("D")) == 3
    assert [None if pd.isna(title) else title for title in store.facts(engine).tickets["title"]] == ["Pay", None, "Send", None]


def test_an_unchanged_row_keeps_its_origin(engine: Engine) -> None:
    save(engine, ticket("A"), ticket("B"), origin="jira")
    save(engine, ticket("A"), ticket("B", title="new"), origin="import")
    assert list(store.facts(engine).tickets["origin"]) == ["jira", "import"]


def test_of_several_rows_with_one_key_the_last_counts(engine: Engine) -> None:
    assert save(engine, ticket("A", title="old"), ticket("A", title="new")) == 1
    assert list(store.facts(engine).tickets["title"]) == ["new"]


def test_fill_only_adds_what_is_missing(engine: Engine) -> None:
    save(engine, ticket("A", title="Pay"))
    assert save(engine, ticket("A", title="Other", team="Payments"), origin="github", fill=True) == 1
    assert save(engine, ticket("A", title="Other"), origin="github", fill=True) == 0
    row = store.facts(engine).tickets.iloc[0]
    assert (row["title"], row["team"], row["origin"]) == ("Pay", "Payments", "jira")


def test_a_source_that_fills_corrects_what_it_said_itself(engine: Engine) -> None:
    save(engine, ticket("A", title="Pay", team="Basket"), fill=True)
    assert save(engine, ticket("A", title="Pay by card"), fill=True) == 1
    row = store.facts(engine).tickets.iloc[0]
    assert row["title"] == "Pay by card"


def test_fill_makes_a_row_that_is_not_there(engine: Engine) -> None:
    assert save(engine, ticket("A", title="Pay"), fill=True) == 1


def test_a_table_that_is_all_key_is_saved_once(engine: Engine) -> None:
    row = {"deployment": "1", "repository": "r", "sha": "a"}
    assert save(engine, row, table="deployment_commits") == 1
    assert save(engine, row, table="deployment_commits") == 0


def test_a_key_may_lack_a_part(engine: Engine) -> None:
    rows = [{"ticket": "A", "at": AT, "from_status": status, "to_status": "Done"} for status in (None, "Todo")]
    assert save(engine, *rows, table="transitions") == 2
    assert save(engine, *rows, table="transitions") == 0


def test_a_bad_row_saves_nothing_of_its_page(engine: Engine) -> None:
    with pytest.raises(RowError, match="created_at"):
        save(engine, ticket("A"), {"key": "B"})
    assert keys(engine) == []


def test_nothing_to_save_is_nothing_changed(engine: Engine) -> None:
    assert save(engine) == 0


def test_what_a_source_takes_back_goes(engine: Engine) -> None:
    rows = [{"ticket": "A", "at": AT, "from_status": status, "to_status": "Done"} for status in (None, "Todo")]
    save(engine, *rows, table="transitions")
    with store.transaction(engine) as connection:
        assert store.delete(connection, TRANSITIONS, [rows[0], rows[0] | {"ticket": "B"}]) == 1
    assert list(store.facts(engine).transitions["from_status"]) == ["Todo"]


def test_a_source_takes_back_only_what_it_told_itself(engine: Engine) -> None:
    save(engine, ticket("A"))
    save(engine, ticket("B"), origin="import")
    with store.transaction(engine) as connection:
        assert store.delete(connection, TICKETS, [{"key": "A"}, {"key": "B"}], origin="import") == 1
    assert keys(engine) == ["A"]


def test_a_key_that_leaves_out_columns_stands_for_all_rows_that_have_the_others(engine: Engine) -> None:
    rows = [{"ticket": key, "at": AT, "to_status": status} for key in ("A", "B") for status in ("Todo", "Done")]
    save(engine, *rows, table="transitions")
    with store.transaction(engine) as connection:
        assert store.delete(connection, TRANSITIONS, [{"ticket": "A"}]) == 2
        with pytest.raises(ValueError, match="without any of"):
            store.delete(connection, TRANSITIONS, [{}])
    assert set(store.facts(engine).transitions["ticket"]) == {"B"}


def test_a_transaction_is_all_or_nothing(engine: Engine) -> None:
    def two_pages() -> None:
        with store.transaction(engine) as connection:
            store.save(connection, TICKETS, [ticket("A")], origin="jira")
            store.save(connection, TICKETS, [{"key": "B"}], origin="jira")

    with pytest.raises(RowError):
        two_pages()
    assert keys(engine) == []


# Completing. ---


def complete(engine: Engine, *rows: dict[str, Any], table: str = "tickets", **more: Any) -> int:
    with store.transaction(engine) as connection:
        return store.complete(connection, TABLES[table], rows, origin="event", **more)


def told(engine: Engine, table: str = "tickets") -> list[dict[str, Any]]:
    """A table's rows, of each only what is there."""
    rows = getattr(store.facts(engine), table).to_dict("records")
    return [{name: value for name, value in row.items() if value == value and value is not None} for row in rows]


def test_completing_replaces_what_is_told_and_keeps_the_rest(engine: Engine) -> None:
    complete(engine, ticket("A", title="Pay", type="Story"))

    assert complete(engine, {"key": "A", "type": "Bug", "team": "Basket"}) == 1
    assert told(engine) == [{"key": "A", "created_at": AT, "title": "Pay", "type": "Bug", "team": "Basket", "origin": "event"}]


def test_completing_with_nothing_new_writes_nothing(engine: Engine) -> None:
    complete(engine, ticket("A", title="Pay"))
    assert complete(engine, ticket("A"), {"key": "A", "title": "Pay"}) == 0


def test_several_rows_of_one_key_complete_each_other_in_their_order(engine: Engine) -> None:
    assert complete(engine, ticket("A", title="Pay"), {"key": "A", "title": "Pay now"}, {"key": "A", "team": "Basket"}) == 3
    assert told(engine) == [{"key": "A", "created_at": AT, "title": "Pay now", "team": "Basket", "origin": "event"}]


def test_a_completed_row_stays_with_the_source_that_brought_it(engine: Engine) -> None:
    save(engine, ticket("A", title="Pay"))

    complete(engine, {"key": "A", "team": "Basket"})
    assert told(engine) == [{"key": "A", "created_at": AT, "title": "Pay", "team": "Basket", "origin": "jira"}]


def test_a_row_that_is_not_there_must_be_whole(engine: Engine) -> None:
    with pytest.raises(RowError, match="created_at"):
        complete(engine, ticket("A"), {"key": "B", "title": "Pay"})
    assert told(engine) == []


def test_a_key_of_which_a_part_is_missing_is_found_again(engine: Engine) -> None:
    review = {"repository": "shop", "number": 1, "submitted_at": AT}

    assert complete(engine, review | {"state": "approved"}, review | {"state": "dismissed"}, table="reviews") == 2
    assert told(engine, "reviews") == [review | {"state": "dismissed", "origin": "event"}]


def test_what_is_kept_may_say_what_the_whole_row_is(engine: Engine) -> None:
    complete(engine, ticket("A", title="Pay"))
    seen = []

    def settle(kept: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
        seen.append((dict(kept), dict(told)))
        return {**told, **kept}

    assert complete(engine, ticket("A", title="Other"), ticket("B"), settle=settle) == 1
    assert seen == [(ticket("A", title="Pay"), ticket("A", title="Other")), ({}, ticket("B"))]
    assert told(engine) == [ticket("A", title="Pay", origin="event"), ticket("B", origin="event")]


# Readers and writers at once. ---


def test_a_reader_does_not_block_a_writer_and_sees_one_state(engine: Engine) -> None:
    save(engine, ticket("A"))
    with engine.connect() as reader:
        count = "SELECT count(*) FROM tickets"
        assert reader.exec_driver_sql(count).scalar() == 1
        assert save(engine, ticket("B"), ticket("C")) == 2
        assert reader.exec_driver_sql(count).scalar() == 1
    assert len(keys(engine)) == 3


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Engine]:
    with store.opened(f"sqlite:///{tmp_path}/lite.db") as made:
        yield made


@pytest.mark.parametrize("writes", [0, 1, 100])
def test_all_tables_are_of_one_state_though_somebody_writes_while_it_is_read(
    lite: Engine, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Two connections read; where a ticket with its change of status comes between the two, both must have it or none."""
    asked, counted = [], store_read._counted

    def written_meanwhile(table: Any) -> str:
        if table is models.Harvest and len(asked) < writes:
            asked.append(table)
            with store.transaction(lite) as connection:
                key = f"T-{len(asked)}"
                store.save(connection, TICKETS, [ticket(key)], origin="jira")
                store.save(connection, TRANSITIONS, [{"ticket": key, "at": AT, "to_status": "Done"}], origin="jira")
        return counted(table)

    monkeypatch.setattr(store_read, "_counted", written_meanwhile)
    facts = store.facts(lite)
    assert list(facts.tickets["key"]) == list(facts.transitions["ticket"])
    assert len(asked) == min(writes, 2 * store_read.STATES)


def test_a_writer_does_not_block_readers(engine: Engine) -> None:
    save(engine, ticket("A"))
    with store.transaction(engine) as connection:
        store.save(connection, TICKETS, [ticket("B")], origin="jira")
        assert keys(engine) == ["A"]
    assert keys(engine) == ["A", "B"]


def test_a_second_writer_of_a_file_waits_at_its_begin_and_not_in_its_middle(lite: Engine) -> None:
    with store.transaction(lite), lite.connect() as plain:
        plain.exec_driver_sql("PRAGMA busy_timeout=50")
        plain.rollback()
        second = plain.execution_options(writes=True)
        with pytest.raises(OperationalError, match="locked"):
            second.begin()


def test_a_writer_waits_for_another(url: str, engine: Engine) -> None:
    with store.transaction(engine) as connection:
        store.save(connection, TICKETS, [ticket("A")], origin="jira")
        process = saving(url, "A")
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=2)
    assert process.communicate(timeout=60)[1] == b""
    assert keys(engine) == ["A"]


DIES = """
import sys, time
from datetime import datetime, UTC
from vsm import models, postgres_read, store
from vsm.models import TABLES
engine = store.open_store(sys.argv[1])
with store.transaction(engine) as connection:
    for page in range(20):
        rows = [{"key": f"B-{page}-{n}", "created_at": datetime(2026, 3, 2, tzinfo=UTC), "title": "x" * 500} for n in range(500)]
        store.save(connection, TABLES["tickets"], rows, origin="jira")
    print("written", flush=True)
    time.sleep(60)
"""


def test_a_kill_in_the_middle_of_a_transaction_leaves_the_store_as_it_was(url: str, engine: Engine) -> None:
    save(engine, ticket("A"))
    with subprocess.Popen([sys.executable, "-c", DIES, url], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        os.kill(process.pid, signal.SIGKILL)
    assert keys(engine) == ["A"]
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert save(engine, ticket("B")) == 1


# Reading. ---


def full_row(table: str, key: int, sparse: bool) -> dict[str, Any]:
    """A row of a table, with everything or with only what is required."""
    values: dict[str, Any] = {"text": f'é"{key}\n😀', "time": AT.replace(microsecond=key), "number": key}
    row = {
        column: values[kind(TABLES[table], column)]
        for column in columns(TABLES[table])
        if not sparse or required(TABLES[table], column)
    }
    return row | ({"result": "success"} if "result" in row else {})


@pytest.mark.parametrize(
    "sparse",
    [
        pytest.param([], id="empty tables"),
        pytest.param([True], id="all that may be missing is"),
        pytest.param([False], id="everything there"),
        pytest.param([True] * 3 + [False], id="missing at first"),
    ],
)
def test_arrow_and_a_cursor_read_the_same(engine: Engine, monkeypatch: pytest.MonkeyPatch, sparse: list[bool]) -> None:
    for name in TABLES:
        save(engine, *(full_row(name, key, bare) for key, bare in enumerate(sparse)), table=name)
    by_arrow = vars(store.facts(engine))
    monkeypatch.setattr(store_read, "file_of", lambda engine: None)
    monkeypatch.setattr(postgres_read, "frames", lambda engine: None)
    by_cursor = vars(store.facts(engine))
    assert list(by_arrow) == list(by_cursor) == list(TABLES)
    for name in TABLES:
        pd.testing.assert_frame_equal(by_arrow[name], by_cursor[name])
        assert len(by_arrow[name]) == len(sparse)


@pytest.mark.parametrize("part", [1, 2, 7])
def test_a_large_table_is_read_in_parts_that_are_all_of_it_by_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    """The rows come in another order than that of their keys, some are deleted again, and not all columns are always there."""
    engine = store.open_store(f"sqlite:///{tmp_path}/vsm.db")
    dice = random.Random(part)
    for name in TABLES:
        save(engine, *(full_row(name, key, dice.random() < 0.5) for key in dice.sample(range(1000), 60)), table=name)
    gone = sa.delete(store.table_of(TICKETS)).where(store.table_of(TICKETS).c.key.like("%1%"))
    with store.transaction(engine) as connection:
        connection.execute(gone)
    asked = []
    read = store_read._read
    monkeypatch.setattr(store_read, "_read", lambda cursor, query, table: asked.append(table) or read(cursor, query, table))
    monkeypatch.setattr(store_read, "PART", part)
    monkeypatch.setattr(store_read, "SAMPLED", 2)
    by_arrow, by_cursor = store_read._by_arrow(engine, tmp_path / "vsm.db"), store_read._by_cursor(engine)
    for name in TABLES:
        pd.testing.assert_frame_equal(by_arrow[name], by_cursor[name])
    assert len(asked) > 3 * len(TABLES)
    engine.dispose()


def test_frames_are_typed_also_when_empty(engine: Engine) -> None:
    types = {"time": "datetime64[us, UTC]", "number": "Int64", "text": "str"}
    for facts in (store.facts(engine), Facts.empty()):
        for name, table in TABLES.items():
            found = getattr(facts, name).dtypes.astype("str").to_dict()
            few = {column: "category" for group in store.few(table) for column in group}
            assert found == {column: types[kind(table, column)] for column in columns(table)} | few


def test_facts_from_rows_equal_facts_from_the_store(engine: Engine) -> None:
    rows = [ticket("A", title="Pay"), ticket("B", resolved_at="2026-03-03T00:00:00.5+01:00")]
    save(engine, *rows, origin="jira")
    made = Facts.of(tickets=rows)
    read = store.facts(engine).tickets
    pd.testing.assert_frame_equal(made.tickets.drop(columns="origin"), read.drop(columns="origin"))
    assert store.facts(engine).counts() == made.counts()


def test_facts_from_rows_are_checked_as_at_the_border() -> None:
    with pytest.raises(RowError, match="created_at"):
        Facts.of(tickets=[{"key": "A"}])
    with pytest.raises(ValueError, match=r"no such tables: \['ticket'\]"):
        Facts.of(ticket=[])


@pytest.mark.parametrize("time", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)])
def test_far_times_come_back(engine: Engine, time: datetime) -> None:
    save(engine, ticket("A", resolved_at=time))
    assert list(store.facts(engine).tickets["resolved_at"].dt.to_pydatetime()) == [time]


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**53 + 1])
def test_large_numbers_come_back_also_beside_missing_ones(engine: Engine, number: int) -> None:
    save(engine, {"repository": "r", "number": 1, "additions": number}, {"repository": "r", "number": 2}, table="pull_requests")
    assert store.facts(engine).pull_requests["additions"].tolist() == [number, pd.NA]


@pytest.mark.parametrize("text", ["007", "1e5", "NaN", "None", "null", " ", "2026-03-02", "a\x1fb", "\ufeff", "日本"])
def test_text_stays_text(engine: Engine, text: str) -> None:
    save(engine, ticket(text, title=text))
    row = store.facts(engine).tickets.iloc[0]
    assert (row["key"], row["title"]) == (text, text)


def test_a_path_with_odd_characters_is_read(tmp_path: Path) -> None:
    (tmp_path / "a b?#%20").mkdir()
    engine = store.open_store(f"sqlite:///{tmp_path}/a b?#%20/vsm.db".replace("%", "%25").replace("?", "%3F").replace("#", "%23"))
    save(engine, ticket("A"))
    assert keys(engine) == ["A"]


# What is kept beside facts. ---


def test_a_harvest_is_recorded_from_begin_to_end(engine: Engine) -> None:
    assert store.version(engine) == (0, 0)
    first = store.begin_harvest(engine, "jira", "jira", "project PAY", at=AT)
    assert store.harvests(engine)["status"].tolist() == ["running"]
    store.finish_harvest(engine, first, at=AT, status="done", rows=5, changed=3, requests=2)
    second = store.begin_harvest(engine, "git", "git", "all refs", at=AT)
    store.finish_harvest(engine, second, at=AT, status="failed", rows=0, changed=0, error="no such folder")
    told = store.harvests(engine)
    assert told["id"].tolist() == [second, first]
    assert told["finished_at"].tolist() == [AT, AT]
    assert (told["error"][0], told["rows"][1], told["changed"][1], told["requests"][1]) == ("no such folder", 5, 3, 2)
    assert store.version(engine) == (second, 3)


def test_what_is_kept_of_the_runs_is_known_to_be_old_whenever_one_begins_goes_on_or_ends(engine: Engine) -> None:
    versions = [store.runs_version(engine)]
    ends: list[dict[str, Any]] = [
        {"status": "running", "rows": 5, "changed": 0},
        {"status": "failed", "rows": 5, "changed": 0},
        {"status": "done", "rows": 5, "changed": 0},
        {"status": "done", "rows": 5, "changed": 0, "requests": 7},
    ]
    run = store.begin_harvest(engine, "jira", "jira", "project PAY", at=AT)
    versions.append(store.runs_version(engine))
    for end in ends:
        store.finish_harvest(engine, run, at=AT, **end)
        versions.append(store.runs_version(engine))
    store.begin_harvest(engine, "jira", "jira", "project PAY", at=AT)
    versions.append(store.runs_version(engine))

    assert len({*versions}) == len(versions) == 7
    assert store.runs_version(engine) == versions[-1]


def test_a_raw_answer_is_kept_once_and_comes_back(engine: Engine) -> None:
    answer = {"b": [1, None], "a": "é"}
    with store.transaction(engine) as connection:
        assert store.save_raw(connection, "jira", "issue", [("1", answer), ("2", 7)], harvest=1, at=AT) == 2
        assert store.save_raw(connection, "jira", "issue", [("1", {"a": "é", "b": [1, None]})], harvest=2, at=AT) == 0
        assert store.save_raw(connection, "jira", "issue", [("2", 8)], harvest=2, at=AT) == 1
        assert store.save_raw(connection, "github", "pull", [("1", {})], harvest=2, at=AT) == 1
        assert store.save_raw(connection, "github", "pull", [], harvest=2, at=AT) == 0
    assert list(store.raw_records(engine, "jira")) == [("issue", "1", answer), ("issue", "2", 8)]
    assert list(store.raw_records(engine, "jira", "board")) == []


def test_a_cursor_is_kept_by_source_and_resource(engine: Engine) -> None:
    with store.transaction(engine) as connection:
        store.save_cursor(connection, "jira", "issue", {"since": "a"}, at=AT)
        store.save_cursor(connection, "jira", "issue", {"since": "b"}, at=AT)
        store.save_cursor(connection, "git", "refs", {"heads": {"main": "1"}}, at=AT)
        assert store.load_cursors(connection, "jira") == {"issue": {"since": "b"}}
        assert store.load_cursors(connection, "git") == {"refs": {"heads": {"main": "1"}}}
        assert store.load_cursors(connection, "github") == {}
