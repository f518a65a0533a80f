"""The store of a harvest through SQLite's own driver: what it makes and keeps is what `vsm.store` makes and keeps."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import alembic.autogenerate
import alembic.migration
import pytest
import sqlmodel
from sqlalchemy.dialects import sqlite

from vsm import models, sqlite_store, store, store_save
from vsm.errors import WorkError
from vsm.models import TABLES, RowError

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
WHOLE = [name for name, table in TABLES.items() if "uid" not in table.model_fields]  # tables whose keys are whole
VERSIONS = "CREATE TABLE alembic_version (version_num TEXT)"
SQLITE = type("Connection", (), {"dialect": sqlite.dialect()})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vsm.db"


@pytest.fixture
def engine(path: Path) -> Iterator[sqlite_store.Engine]:
    made = sqlite_store.open_store(path)
    assert made is not None
    yield made
    made.dispose()


def commit(sha: str, **more: Any) -> dict[str, Any]:
    return {"repository": "shop", "sha": sha, "authored_at": AT, "committed_at": AT, **more}


def save(engine: sqlite_store.Engine, *rows: dict[str, Any], table: str = "commits", **more: Any) -> int:
    with sqlite_store.transaction(engine) as connection:
        return sqlite_store.save(connection, table, rows, **{"origin": "git", **more})


def shas(engine: sqlite_store.Engine) -> list[str]:
    return [sha for (sha,) in engine.connection.execute("SELECT sha FROM commits ORDER BY sha")]


# The same as vsm.store. ---


def test_the_schema_that_is_written_down_is_that_of_the_models() -> None:
    assert sqlite_store.NEWEST.read_text() == store.newest(), "run: python -m vsm.store > vsm/migrations/newest.sql"


def test_a_new_store_has_the_tables_of_the_models_and_the_newest_version(engine: sqlite_store.Engine, path: Path) -> None:
    with store.opened(f"sqlite:///{path}") as other, other.connect() as connection:
        context = alembic.migration.MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert alembic.autogenerate.compare_metadata(context, sqlmodel.SQLModel.metadata) == []
        assert context.get_current_revision() == sqlite_store.VERSION


@pytest.mark.parametrize("table", WHOLE)
def test_a_store_tells_of_its_tables_what_the_models_say(engine: sqlite_store.Engine, table: str) -> None:
    assert sqlite_store.shape_of(engine.connection, table) == models.shape(TABLES[table])


@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize("table", WHOLE)
def test_rows_are_saved_by_the_statement_that_sqlalchemy_would_make(engine: sqlite_store.Engine, table: str, fill: bool) -> None:
    shape = sqlite_store.shape_of(engine.connection, table)
    for told in (tuple(shape.kinds), tuple(name for name in shape.kinds if name in shape.needed)):
        made = store_save._upsert(SQLITE, TABLES[table].__table__, fill, TABLES[table].seldom_told)
        expected = str(made.compile(dialect=SQLITE.dialect, column_keys=[*told, "origin"]))
        assert sqlite_store.upsert(shape, told, fill).replace('"', "") == expected.replace('"', "")


def kept(module: Any, engine: Any) -> None:
    """What a harvest keeps, in all its forms, through one of the two modules."""
    number = module.begin_harvest(engine, "git", "git", "all refs of ../shop", at=AT)
    module.begin_harvest(engine, "git", "git", "once more", at=AT)  # the first one was killed
    pull, tag = {"repository": "shop", "number": 1}, {"repository": "shop", "name": "v1", "sha": "a"}
    part, people = {"deployment": "1", "repository": "shop", "sha": "a"}, {"source": "git", "person": "Ann"}
    with module.transaction(engine) as connection:
        told = [
            module.save(connection, "commits", [commit("a", message="é"), commit("b", paths="x;y"), commit("c")], origin="git"),
            module.save(connection, "commits", [commit("a", message="é"), commit("b")], origin="other"),
            module.save(connection, "pull_requests", [pull | {"title": "Pay"}], origin="github"),
            module.save(connection, "pull_requests", [pull | {"title": "P", "merged_at": AT}], origin="git", fill=True),
            module.save(connection, "deployment_commits", [part, part], origin="git"),
            module.save(connection, "tags", [tag | {"tagged_at": "2026-03-02T10:30:00+01:00"}], origin="git"),
            module.save(connection, "identities", [people | {"handle": name} for name in "ab"], origin="me"),
            module.save(connection, "identities", [], origin="me"),
            module.delete(connection, "commits", [{"repository": "shop", "sha": "c"}, {"repository": "shop", "sha": "z"}]),
            module.delete(connection, "commits", [{"repository": "shop"}], origin="other"),
            module.forget(connection, "identities", "me", {("git", "a")}),
        ]
        module.save_cursor(connection, "git", "../shop", {"refs": {"é": "1"}}, at=AT)
        module.save_cursor(connection, "git", "../shop", {"refs": {"é": "2"}, "since": None}, at=AT)
        assert told == [3, 1, 1, 1, 1, 1, 2, 0, 1, 1, 1]
        assert module.load_cursors(connection, "git") == {"../shop": {"refs": {"é": "2"}, "since": None}}
        assert module.rows(connection) == 5
    module.finish_harvest(engine, number, at=AT, status="failed", rows=5, changed=4, requests=3, error="é")


def everything(connection: sqlite3.Connection) -> list[str]:
    """Every row of every table, and every table's columns."""
    return sorted(" ".join(line.split()) for line in connection.iterdump())


def test_whatever_is_kept_through_either_is_the_same(engine: sqlite_store.Engine, tmp_path: Path) -> None:
    other = store.open_store(f"sqlite:///{tmp_path / 'other.db'}")
    kept(sqlite_store, engine)
    kept(store, other)
    other.dispose()
    other_rows = sqlite3.connect(tmp_path / "other.db")
    assert everything(engine.connection) == everything(other_rows)
    other_rows.close()


# Of its own. ---


@pytest.mark.parametrize("table", ["transitions", "reviews"])
def test_a_table_whose_keys_may_lack_a_part_is_refused(engine: sqlite_store.Engine, table: str) -> None:
    with pytest.raises(ValueError, match=r"is kept by vsm\.store alone"):
        save(engine, {"any": "row"}, table=table)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(["CREATE TABLE moz_places (id INTEGER)"], id="another program's"),
        pytest.param(["CREATE TABLE tickets (id INTEGER)"], id="a name like ours"),
        pytest.param(["CREATE TABLE alembic_version (version_num TEXT)", "CREATE TABLE tickets (id INTEGER)"], id="no version"),
        pytest.param(
            ["CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('9999')"], id="newer"
        ),
    ],
)
def test_what_is_no_store_of_this_version_is_left_to_vsm_store_and_as_it_is(path: Path, content: list[str]) -> None:
    with sqlite3.connect(path) as connection:
        for statement in content:
            connection.execute(statement)
    before = list(connection.iterdump())
    assert sqlite_store.open_store(path) is None
    assert list(connection.iterdump()) == before
    connection.close()


def test_a_place_that_cannot_be_opened_is_left_to_vsm_store(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("key,created_at\n" * 1000)
    assert [sqlite_store.open_store(tmp_path / name) for name in ("text", "nowhere/vsm.db", ".")] == [None] * 3
    assert [file.name for file in tmp_path.iterdir()] == ["text"]


def test_a_bad_row_saves_nothing_of_its_page(engine: sqlite_store.Engine) -> None:
    def two() -> None:
        with sqlite_store.transaction(engine) as connection:
            sqlite_store.save(connection, "commits", [commit("a")], origin="git")
            sqlite_store.save(connection, "commits", [{"repository": "shop", "sha": "b", "authored_at": AT}], origin="git")

    with pytest.raises(RowError, match="committed_at"):
        two()
    assert shas(engine) == []


def test_of_several_rows_with_one_key_the_last_counts(engine: sqlite_store.Engine) -> None:
    assert save(engine, commit("a", message="old"), commit("a", message="new")) == 1
    assert engine.connection.execute("SELECT message FROM commits").fetchall() == [("new",)]


def test_a_key_without_any_of_its_columns_deletes_nothing(engine: sqlite_store.Engine) -> None:
    save(engine, commit("a"))
    with pytest.raises(ValueError, match="a key of commits without any of"), sqlite_store.transaction(engine) as connection:
        sqlite_store.delete(connection, "commits", [{}], origin="git")
    assert shas(engine) == ["a"]


def test_the_drivers_error_is_a_sentence(engine: sqlite_store.Engine, path: Path) -> None:
    engine.connection.execute("PRAGMA busy_timeout=50")
    with store.opened(f"sqlite:///{path}") as other, store.transaction(other), pytest.raises(sqlite_store.Refused) as refused:
        save(engine, commit("a"))
    assert str(refused.value) == "the store did not take it: database is locked"
    assert isinstance(refused.value, WorkError)


def test_a_reader_does_not_block_a_writer_and_sees_one_state(engine: sqlite_store.Engine, path: Path) -> None:
    reader = sqlite_store.open_store(path)
    assert reader is not None
    reader.connection.execute("BEGIN")
    assert shas(reader) == []
    assert save(engine, commit("a")) == 1
    assert shas(reader) == []
    reader.connection.execute("COMMIT")
    assert shas(reader) == ["a"]
    reader.dispose()


SAVES = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from vsm import sqlite_store
with sqlite_store.transaction(sqlite_store.open_store(Path(sys.argv[1]))) as connection:
    row = {"repository": "shop", "sha": sys.argv[2], "authored_at": datetime(2026, 3, 2, tzinfo=UTC)}
    sqlite_store.save(connection, "commits", [row | {"committed_at": row["authored_at"]}], origin="git")
assert not {"sqlalchemy", "sqlmodel", "pydantic"} & set(sys.modules)
"""


def test_many_processes_may_make_the_store_at_once_and_none_loads_the_models(path: Path) -> None:
    command = [sys.executable, "-c", SAVES, str(path)]
    processes = [subprocess.Popen([*command, f"a{n}"], stderr=subprocess.PIPE) for n in range(6)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [b""] * 6
    engine = sqlite_store.open_store(path)
    assert engine is not None
    assert shas(engine) == [f"a{n}" for n in range(6)]
    engine.dispose()
