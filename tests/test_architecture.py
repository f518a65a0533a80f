"""The house: import arrows, SQL in its room, Streamlit in its own, one clock."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("vsm", "collectors", "dashboard")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAY_IMPORT = {
    "vsm": {"vsm"},
    "collectors": {
        "collectors",
        *(f"vsm.{name}" for name in ("checks", "cli", "config", "errors", "models", "secrecy", "sqlite_store", "store", "turn")),
    },
    "dashboard": {"dashboard", "vsm"},
}
SQL = {"sqlalchemy", "sqlite3", "adbc_driver_sqlite", "adbc_driver_postgresql", "psycopg", "alembic"}
SQL_ROOM = (
    "vsm/audit.py",
    "vsm/erasure.py",
    "vsm/retention.py",
    "vsm/journal.py",
    "vsm/migrations/",
    "vsm/models.py",
    "vsm/postgres_read.py",
    "vsm/postgres_store.py",
    "vsm/sqlite_store.py",
    "vsm/store.py",
    "vsm/store_copy.py",
    "vsm/store_open.py",
    "vsm/store_read.py",
    "vsm/store_runs.py",
    "vsm/store_save.py",
    "vsm/store_table.py",
    "vsm/tokens.py",
)
# An export that is a SQLite file of somebody else's schema: it never opens the store, and no other file writes its tables.
SQL_EXPORTS = ("vsm/ocel_sqlite.py",)
CLIENTS = {"github", "jenkins", "jira", "requests", "httpx", "urllib3"}
DRAWING = {"streamlit", "altair"}
CLOCK_ROOM = (
    "collectors/harvest.py",
    "dashboard/behind/",
    "vsm/access_commands.py",
    "vsm/backup_commands.py",
    "vsm/erase_commands.py",
    "vsm/prune_commands.py",
    "vsm/event_commands.py",
    "vsm/facts_commands.py",
)


def room(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def under(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


def of(package: str) -> list[Path]:
    return [path for path in FILES if path.relative_to(ROOT).parts[0] == package]


def test_there_is_something_to_check():
    assert all(len(of(package)) > 3 for package in PACKAGES)


@pytest.mark.parametrize("path", FILES, ids=room)
def test_arrows_point_towards_the_model(path):
    package = path.relative_to(ROOT).parts[0]
    ours = [name for name in imports(path) if name.split(".")[0] in PACKAGES]
    assert [name for name in ours if not under(name, MAY_IMPORT[package])] == []


@pytest.mark.parametrize("path", [path for path in FILES if not room(path).startswith((*SQL_ROOM, *SQL_EXPORTS))], ids=room)
def test_sql_stays_in_the_store(path):
    assert [name for name in imports(path) if name.split(".")[0] in SQL] == []


@pytest.mark.parametrize("name", SQL_EXPORTS)
def test_an_export_with_sql_of_its_own_knows_no_store(name):
    assert [one for one in imports(ROOT / name) if one.split(".")[0] in SQL - {"sqlite3"} or one.startswith("vsm.store")] == []


@pytest.mark.parametrize("path", of("vsm"), ids=room)
def test_the_model_knows_no_client_library_and_draws_nothing(path):
    assert [name for name in imports(path) if name.split(".")[0] in CLIENTS | DRAWING] == []


@pytest.mark.parametrize("path", of("collectors"), ids=room)
def test_a_harvest_imports_nothing_that_only_screens_need(path):
    heavy = {"pandas", "pyarrow", "networkx", "streamlit", "altair"}
    assert [name for name in imports(path) if name.split(".")[0] in heavy] == []


@pytest.mark.parametrize("path", sorted((ROOT / "dashboard" / "charts").glob("*.py")), ids=room)
def test_a_chart_never_imports_streamlit(path):
    assert [name for name in imports(path) if name.split(".")[0] == "streamlit"] == []


@pytest.mark.parametrize("path", [path for path in FILES if not room(path).startswith(CLOCK_ROOM)], ids=room)
def test_only_the_doors_read_a_clock(path):
    clocks = ("datetime.now", "datetime.today", "date.today", "Timestamp.now", "Timestamp.today", "datetime.utcnow")
    assert [name for name in calls(path) if name.endswith(clocks)] == []


@pytest.mark.parametrize("path", [path for path in of("dashboard") if path.parent.name != "behind"], ids=room)
def test_only_the_dashboards_door_caches(path):
    assert [name for name in calls(path) if name in ("st.cache_data", "st.cache_resource")] == []
    assert "dashboard.shared.shared" not in imports(path)


@pytest.mark.parametrize("path", [path for path in of("dashboard") if room(path) != "dashboard/data.py"], ids=room)
def test_the_rooms_behind_the_door_are_entered_through_it(path):
    assert path.parent.name == "behind" or not [name for name in imports(path) if name.startswith("dashboard.behind")]
