"""Four sources in one store: what a second run costs, what a rebuild changes, and what is never kept."""

import sqlite3
import zlib
from collections.abc import Iterator

import pytest
from company import SECRETS, Company


@pytest.fixture
def company(tmp_path, graphql_schema) -> Iterator[Company]:
    """The sources, and the program."""
    made = Company(tmp_path, graphql_schema, size=30)
    yield made
    made.close()


def test_a_rebuild_changes_nothing_and_asks_for_nothing(company):
    whole, _ = company.undisturbed()
    assert company.call("rebuild", "--store", company.store("whole")) == 0, company.errors()
    assert company.asked == 0
    assert company.facts("whole") == whole


def test_a_second_run_costs_a_request_a_list_and_changes_nothing(company):
    whole, _ = company.undisturbed()
    assert company.call("collect", "--store", company.store("whole")) == 0, company.errors()
    assert company.asked == 5  # GitHub: the poll and the runs; Jenkins: its jobs; Jira: two projects
    assert company.facts("whole") == whole


def test_no_secret_and_no_address_is_in_the_store_or_in_what_is_said(company):
    company.undisturbed()
    with sqlite3.connect(company.folder / "whole.db") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = "\n".join(str(row) for table in tables for row in connection.execute(f'SELECT * FROM "{table}"'))
        kept += "\n".join(zlib.decompress(payload).decode() for (payload,) in connection.execute("SELECT payload FROM raw_records"))
    connection.close()
    assert len(kept) > 100_000
    assert "mail:" in kept
    for never in (*SECRETS.values(), "ann@example.org"):
        assert never not in kept
        assert never not in company.errors()
