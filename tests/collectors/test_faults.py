"""Whatever a server or the network does, a harvest ends complete, or with one sentence and where to go on from.

WireMock stands between the collectors and peers of our own, and puts one fault in the place of one answer.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from company import SECRETS, START, github_of, jenkins_of, jira_of
from jira_cloud import EMAIL
from wiremock_server import FAULTS, answer

from collectors.base import Context
from collectors.handles import Handles
from collectors.harvest import Outcome, harvest
from collectors.sources import collectors
from vsm import store
from vsm.config import Config, Source
from vsm.models import TABLES

WHO = Handles(b"a key")
LATER = {"Retry-After": "7200"}
LOGIN = answer(200, "<html><title>Sign in</title></html>", {"Content-Type": "text/html"})
LIMIT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Limit": "5000", "X-RateLimit-Reset": "4102444800"}
CUT = answer(200, '{"data": {"repo', {"Content-Type": "application/json"})

# What is put in the place of an answer, and whether the harvest gets over it by itself. None: either way will do.
ANYWHERE = {
    "429, a moment": ([answer(429, {}, {"Retry-After": "1"})], True),
    "429, a date": ([answer(429, {}, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"})], True),
    "429, no word": ([answer(429, {})], True),
    "429, two hours": ([answer(429, {}, LATER)], False),
    "500": ([answer(500, "oops")], True),
    "502 three times": ([answer(502, "<html>bad gateway</html>")] * 3, True),
    "503, a moment": ([answer(503, "", {"Retry-After": "1"})], True),
    "503, two hours": ([answer(503, "", LATER)], False),
    "504": ([answer(504, "")], True),
    "an answer cut short": ([CUT], True),
    "a page to sign in": ([LOGIN] * 9, False),
    "401": ([answer(401, {"message": "Bad credentials"})] * 9, False),
    "403": ([answer(403, {"message": "Resource not accessible"})] * 9, False),
    "500 without end": ([answer(500, "oops")] * 30, False),
    **{fault.lower(): ([answer(fault=fault)], True) for fault in FAULTS},
}
GITHUB = {
    "403, secondary limit": ([answer(403, {"message": "You have exceeded a secondary rate limit."})], True),
    "403, limit of the hour": ([answer(403, {"message": "API rate limit exceeded"}, LIMIT)], False),
    "429, only a reset": ([answer(429, {"message": "API rate limit exceeded"}, LIMIT)], False),
    "GraphQL is limited": (
        [answer(200, {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}, LIMIT)],
        False,
    ),
    "GraphQL went wrong": ([answer(200, {"errors": [{"message": "Something went wrong while executing your query."}]})], True),
}
AT_ONCE = {"401", "403", "a page to sign in", "429, a date", "503, a moment"}  # the first answer; of the others one in the middle
CASES = [(kind, name) for kind in ("github", "jenkins", "jira") for name in (ANYWHERE | GITHUB if kind == "github" else ANYWHERE)]


class Silent:
    """A watcher that says nothing."""

    begins = page = ends = lambda self, *told: None


class Place:
    """A source behind WireMock, and stores to harvest it into."""

    def __init__(self, kind: str, keys: dict, folder: Path, waits: list[float]) -> None:
        self.source, self.folder, self.waits = Source(kind=kind, name=kind, keys=keys), folder, waits

    def harvest(self, name: str, at: datetime = START) -> Outcome:
        """Harvest into a store, waiting for nothing."""
        engine = store.open_store(f"sqlite:///{self.folder / name}.db")
        context = Context(self.folder, who=WHO, pause=self.waits.append)
        ready = collectors(Config(sources=(self.source,)), (), context)
        (outcome,) = harvest(engine, ready, Silent(), now=lambda: at, who=WHO)
        engine.dispose()
        return outcome

    def rows(self, name: str) -> dict[str, list]:
        """All facts of a store."""
        engine = store.open_store(f"sqlite:///{self.folder / name}.db")
        with engine.connect() as connection:
            found = {
                table: connection.execute(sa.select(kind.__table__).order_by(*kind.__table__.primary_key)).all()
                for table, kind in TABLES.items()
            }
        engine.dispose()
        return found


@pytest.fixture
def place(served, graphql_schema, wiremock, tmp_path, monkeypatch) -> Callable[[str], Place]:
    """A source of a kind, asked through WireMock, which passes everything on."""

    def made(kind: str) -> Place:
        rng = random.Random(3)
        peers = {
            "github": lambda: (github_of(graphql_schema, 30, rng), {"repositories": ["acme/shop"], "token": "env:T_GITHUB"}),
            "jenkins": lambda: (jenkins_of(120), {"user": "builder", "token": "env:T_JENKINS"}),
            "jira": lambda: (jira_of(120, rng).handle, {"email": EMAIL, "token": "env:T_JIRA", "projects": ["PAY", "SHOP"]}),
        }
        peer, keys = peers[kind]()
        wiremock.admin("POST", "/mappings", passing(served(peer).url))
        return Place(kind, {"url": wiremock.url, **keys}, tmp_path, [])

    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return made


def passing(url: str) -> dict:
    """WireMock's words for passing everything on."""
    return {"priority": 9, "request": {"method": "ANY", "urlPattern": ".*"}, "response": {"proxyBaseUrl": url}}


def disturb(wiremock, url: str, after: int, answers: list[dict]) -> None:
    """From the request `after` on, these answers stand in the place of the peer's, then the peer's own come again."""
    given = [{"proxyBaseUrl": url}] * (after - 1) + answers
    states = ["Started", *(f"{number} given" for number in range(1, len(given) + 1))]
    for state, following, one in zip(states, states[1:], given, strict=False):
        mapping = {"priority": 1, "request": {"method": "ANY", "urlPattern": ".*"}, "response": one}
        told = {"scenarioName": "fault", "requiredScenarioState": state, "newScenarioState": following}
        wiremock.admin("POST", "/mappings", mapping | told)


def state(wiremock) -> int:
    """How many answers of the disturbance have been given."""
    (scenario,) = wiremock.admin("GET", "/scenarios")["scenarios"]
    return int(scenario["state"].split()[0])


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind}: {name}" for kind, name in CASES])
def test_a_fault_ends_in_a_complete_harvest_or_a_sentence_from_which_the_next_run_goes_on(place, wiremock, kind, name):
    here = place(kind)
    assert here.harvest("whole").error is None
    whole = here.rows("whole")
    assert sum(map(len, whole.values())) > 100
    requests = len(wiremock.requests())
    answers, gets_over = (ANYWHERE | GITHUB)[name]
    target = wiremock.admin("GET", "/mappings")["mappings"][0]["response"]["proxyBaseUrl"]
    after = 1 if name in AT_ONCE else max(requests // 2, 2)
    disturb(wiremock, target, after, answers)
    outcome = here.harvest("fault")
    assert state(wiremock) >= after  # the fault has been met
    assert (outcome.error is None) is gets_over, outcome.error
    if outcome.error is not None:
        assert "\n" not in outcome.error
        assert "please report" not in outcome.error
        assert not any(value in outcome.error for value in SECRETS.values())
        wiremock.reset()
        wiremock.admin("POST", "/mappings", passing(target))
        again = here.harvest("fault", at=outcome.until or START + timedelta(hours=3))
        assert again.error is None
    assert here.rows("fault") == whole


def test_a_source_that_asks_to_wait_says_until_when(place, wiremock):
    here = place("jenkins")
    target = wiremock.admin("GET", "/mappings")["mappings"][0]["response"]["proxyBaseUrl"]
    disturb(wiremock, target, 1, [answer(503, "", LATER)])
    outcome = here.harvest("waits")
    assert outcome.until is not None
    assert outcome.until > datetime.now(UTC) + timedelta(minutes=100)
    assert f"{outcome.until:%Y-%m-%d %H:%M} UTC" in outcome.error
