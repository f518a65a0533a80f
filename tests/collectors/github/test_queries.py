"""Every query that is shipped is one that GitHub's published schema allows, and stays within its limits."""

import re
from itertools import combinations

from graphql import FieldNode, Visitor, parse, validate, visit

from collectors.base import Context
from collectors.github import commits, deployments, issues_graphql, pulls, queries, releases, runs
from collectors.github.collector import GitHubCollector

MODULES = (queries, pulls, commits, releases, deployments, runs, issues_graphql)
NODES = 500_000  # that one query may ask for


def fields() -> list[str]:
    """What each list adds to the poll."""
    from pathlib import Path

    made = GitHubCollector.configured({"repositories": ["acme/shop"]}, Context(Path()))
    return [one.fields for one in made.resources if one.fields]


def shipped() -> dict[str, str]:
    """All queries by name."""
    found = {
        f"{module.__name__}.{name}": value
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, str) and re.match(r"\s*query\b", value)
    }
    parts = fields()
    for size in range(len(parts) + 1):
        for some in combinations(parts, size):
            found[f"poll {[part[:12].strip() for part in some]}"] = queries.poll(some)
    for size in (1, 5, 20):
        found[f"top_up {size}"] = queries.top_up((list(queries.NESTED) * 4)[:size])
    return found


def test_there_are_queries_to_be_checked():
    assert {"collectors.github.queries.MORE_PULL_REQUESTS", "collectors.github.queries.HISTORY"} < set(shipped())
    assert len(fields()) == 5


def test_every_query_is_one_that_github_allows(graphql_schema):
    for name, query in shipped().items():
        assert validate(graphql_schema, parse(query)) == [], name


def test_no_query_asks_for_more_than_github_gives_at_once():
    for name, query in shipped().items():
        assert _counted(query).nodes < NODES / 10, name


def test_a_page_of_pull_requests_costs_one_point_and_a_whole_poll_two():
    """GitHub's formula: the requests that the lists would take one by one, divided by a hundred."""
    assert round(_counted(queries.MORE_PULL_REQUESTS).requests / 100) == 1
    assert round(_counted(queries.poll(fields())).requests / 100) == 2
    assert max(_counted(query).requests for query in shipped().values()) < 1000


def test_every_query_tells_what_is_left_of_the_rate_limit_or_leaves_it_to_the_headers():
    ours = [queries.MORE_PULL_REQUESTS, queries.HISTORY, queries.OWNED, queries.poll([]), queries.top_up(["labels"])]
    assert all("rateLimit { cost remaining resetAt }" in query for query in ours)


class Counts(Visitor):
    """The things that a query may bring, and the lists that it takes for them, by GitHub's own way to count."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes, self.requests, self.factors = 0, 1, [1]

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """A list is as long as it is asked for; a page of the size that the collector chooses is taken as 25."""
        asked = next((one.value for one in node.arguments or () if one.name.value == "first"), None)
        size = 1 if asked is None else int(getattr(asked, "value", 25))
        if asked is not None:
            self.requests += self.factors[-1]
            self.nodes += self.factors[-1] * size
        self.factors.append(self.factors[-1] * size)

    def leave_field(self, *_: object) -> None:
        """What follows is not within it."""
        self.factors.pop()


def _counted(query: str) -> Counts:
    counts = Counts()
    visit(parse(query), counts)
    return counts
