"""A harvest that is killed at any point is completed by the next: the rows are those of one that nobody disturbed."""

from collections.abc import Iterator

import pytest
from company import Company

KILLS = 30


@pytest.fixture
def company(tmp_path, graphql_schema) -> Iterator[Company]:
    """Four sources, and the program."""
    made = Company(tmp_path, graphql_schema)
    yield made
    made.close()


def test_thirty_kills_at_any_point_leave_the_rows_of_an_undisturbed_harvest(company):
    whole, asked = company.undisturbed()
    assert {name for name, text in whole.items() if text.count("\n") > 1} >= {
        "builds.csv", "commits.csv", "deployments.csv", "pull_requests.csv", "reviews.csv", "tickets.csv", "transitions.csv",
    }  # fmt: skip
    stores = 0
    while company.killed < KILLS:
        stores += 1
        facts, _ = company.disturbed(f"killed-{stores}", asked)
        assert facts == whole
