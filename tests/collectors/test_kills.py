"""A program that is killed at any point loses and doubles nothing: what it left is completed by the next."""

from collections.abc import Iterator

import pytest
from company import Company
from kills import Kills


@pytest.fixture
def kills(tmp_path, graphql_schema, places) -> Iterator[Kills]:
    """Four sources, and the program, on SQLite and on PostgreSQL."""
    made = Company(tmp_path, graphql_schema, place=places)
    yield Kills(made)
    made.close()


def test_kills_at_any_point_leave_the_rows_of_an_undisturbed_program(kills):
    """Fifty on both together, and a few more."""
    assert {name for name, text in kills.whole.items() if text.count("\n") > 1} >= {
        "builds.csv", "commits.csv", "deployments.csv", "pull_requests.csv", "reviews.csv", "tickets.csv", "transitions.csv",
    }  # fmt: skip
    assert kills.harvests(10) == 0
    assert kills.imports(5) == 0
    assert kills.migrations(4) == 0
    assert kills.exports(4) == 0
    assert kills.backups(4) == 0
    assert kills.company.killed >= 27
