"""An organisation of many repositories: what the first and the next harvest ask, and what they keep in mind."""

import pytest
import shelf as shelves
from github_graphql import at, pull
from organisation import organisation

from collectors.base import Context
from collectors.github.collector import GitHubCollector
from collectors.harvest import harvest

MANY = 120  # a page of the organisation's list, and some of the next; every tenth is archived
KEYS = {"repositories": None, "organisations": ["acme"], "release_tags": "v*"}
TABLES = {"repositories": 1, "pull_requests": 2, "commits": 2, "tickets": 1, "tags": 1, "deployments": 1, "builds": 3}


@pytest.fixture
def acme(served, graphql_schema):
    """The organisation, and its server."""
    peer = organisation(MANY, graphql_schema)
    return peer, served(peer)


def asked(server) -> tuple[int, int, int]:
    """GraphQL queries, lists of runs, and other requests."""
    queries, runs = server.count("/graphql"), server.count("/actions/runs")
    return queries, runs, len(server.requests) - queries - runs


class Sizes(shelves.Silent):
    """Keeps of each page only how many things it held."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[int] = []

    def page(self, source, page) -> None:
        self.held.append(sum(len(rows) for rows in (*page.facts.values(), *page.fill.values(), page.raw)))


def test_a_first_harvest_asks_each_repository_once_and_keeps_no_more_in_mind_than_one(acme, shelf, tmp_path):
    _, server = acme
    told = {name: value for name, value in KEYS.items() if value} | {"url": server.url, "token": "env:GITHUB_TOKEN"}
    sizes = Sizes()
    (outcome,) = harvest(shelf.engine, [GitHubCollector.configured(told, Context(tmp_path))], sizes)
    assert outcome.error is None
    assert {table: len(shelf.rows(table)) for table in TABLES} == {table: MANY * each for table, each in TABLES.items()}
    assert asked(server) == (2 + MANY, MANY, 0)
    assert outcome.requests == len(server.requests)
    assert len(sizes.held) > MANY
    assert max(sizes.held) < 20


def test_the_next_one_asks_once_more_and_of_archived_ones_nothing(acme, shelf):
    peer, server = acme
    shelf.collect(server.url, **KEYS)
    before = shelf.everything()
    server.forget()
    outcome = shelf.collect(server.url, **KEYS)
    assert (outcome.error, outcome.changed, outcome.gone) == (None, 0, 0)
    live = MANY - MANY // 10
    assert asked(server) == (2 + live, live, 0)
    assert shelf.everything() == before
    peer.repositories[50]["pullRequests"].append(pull(9, at(900)))
    server.forget()
    assert shelf.collect(server.url, **KEYS).new == 1
    assert asked(server) == (2 + live, live, 0)


def test_in_several_runs_of_few_requests_every_repository_has_its_turn(acme, shelf):
    peer, server = acme
    told = KEYS | {"max_requests": 50}
    for _ in range(6):
        assert "max_requests allows 50 a run" in str(shelf.collect(server.url, **told).error)
    assert len(shelf.rows("repositories")) == MANY
    for one in peer.repositories:
        one["pullRequests"].append(pull(9, at(900)))
    for _ in range(6):
        shelf.collect(server.url, **told)
    live = [one["nameWithOwner"] for one in peer.repositories if not one["isArchived"]]
    assert [row["repository"] for row in shelf.rows("pull_requests") if row["number"] == 9] == live
