"""A Jira Server that nobody here wrote: what is done through its API is what is told."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import requests

from collectors.base import Context
from collectors.harvest import harvest
from collectors.jira.collector import JiraCollector
from vsm.config import parse


@pytest.fixture
def server(jira820, shelf, monkeypatch):
    """Jira Server 8.20 with what a person does there, and what a harvest of it tells."""
    monkeypatch.setenv("JIRA_TOKEN", jira820.auth[1])
    return Server(jira820, shelf)


class Server:
    """A Jira Server and a store."""

    def __init__(self, jira, shelf):
        self.jira, self.shelf = jira, shelf

    def on(self, day):
        """Another day of March."""
        self.jira.at(date(2026, 3, day))

    def make(self, **fields):
        """A new ticket; its key."""
        ticket = {"project": {"key": "SHOP"}, "issuetype": {"name": "Bug"}, "summary": "The till is stuck", **fields}
        return self.ask("POST", "issue", json={"fields": ticket}).json()["key"]

    def move(self, key, status):
        """Another status."""
        steps = {step["to"]["name"]: step["id"] for step in self.ask("GET", f"issue/{key}/transitions").json()["transitions"]}
        self.ask("POST", f"issue/{key}/transitions", json={"transition": {"id": steps[status]}})

    def ask(self, method, path, **more):
        """A request of that person."""
        answer = requests.request(method, f"{self.jira.url}/rest/api/2/{path}", auth=self.jira.auth, timeout=5, **more)
        answer.raise_for_status()
        return answer

    def collector(self, **keys):
        """The collector for this server."""
        return JiraCollector.configured(
            {"url": self.jira.url, "user": "admin", "token": "env:JIRA_TOKEN", **keys}, Context(Path(), pause=lambda seconds: None)
        )

    def collect(self, **keys):
        """Harvest."""
        self.jira.forget()
        now = datetime(2026, 3, 31, tzinfo=UTC)
        return harvest(self.shelf.engine, [self.collector(**keys)], Silent(), now=lambda: now)[0]

    def moves(self, key):
        """The transitions of a ticket: day, from, to."""
        rows = [row for row in self.shelf.rows("transitions") if row["ticket"] == key]
        return [(row["at"].day, row.get("from_status"), row["to_status"]) for row in sorted(rows, key=lambda row: row["at"])]


class Silent:
    """Nobody watches."""

    def begins(self, source, scope):
        """Nothing."""

    def page(self, source, page):
        """Nothing."""

    def ends(self, outcome):
        """Nothing."""


def test_what_is_done_on_the_server_is_told_and_what_is_done_later_too(server):
    key = server.make(labels=["till"])
    scope = {"jql": f"key in ({key}, SHOP-1)"}
    server.on(5)
    server.move(key, "In Progress")
    outcome = server.collect(**scope)
    assert (outcome.error, outcome.read["tickets"]) == (None, 2)
    assert server.moves(key) == [(2, None, "Open"), (5, "Open", "In Progress")]
    server.on(9)
    server.move(key, "Done")
    assert server.collect(**scope).error is None
    assert server.moves(key) == [(2, None, "Open"), (5, "Open", "In Progress"), (9, "In Progress", "Done")]
    row = next(row for row in server.shelf.rows("tickets") if row["key"] == key)
    told = {name: row.get(name) for name in ("title", "type", "status", "resolution", "project", "labels", "url")}
    assert told == {
        "title": "The till is stuck", "type": "Bug", "status": "Done", "resolution": "Done", "project": "SHOP", "labels": "till",
        "url": f"{server.jira.url}/browse/{key}",
    }  # fmt: skip
    assert row["resolved_at"].date() == date(2026, 3, 9)
    identities = {row["handle"]: row["person"] for row in server.shelf.rows("identities")}
    assert identities["admin"].startswith("mail:")


def test_a_link_is_told_whichever_end_is_read_and_goes_when_it_is_taken_away(server):
    cause, effect = server.make(), server.make()
    ends = {"inwardIssue": {"key": cause}, "outwardIssue": {"key": effect}}
    server.ask("POST", "issueLink", json={"type": {"name": "Blocks"}, **ends})
    told = {"ticket": cause, "kind": "blocks", "other": effect}
    for scope in (cause, effect):
        assert server.collect(jql=f"key = {scope}").error is None
        assert [row for row in server.shelf.rows("ticket_links") if row["ticket"] == cause] == [told]
    (link,) = server.ask("GET", f"issue/{effect}").json()["fields"]["issuelinks"]
    server.on(5)
    server.ask("DELETE", f"issueLink/{link['id']}")
    assert server.collect(jql=f"key in ({cause}, {effect})").error is None
    assert [row for row in server.shelf.rows("ticket_links") if row["ticket"] == cause] == []


def test_a_whole_project_is_read_and_a_second_look_asks_only_for_the_last_day(server):
    outcome = server.collect(projects=["SHOP"])
    assert (outcome.error, outcome.read["tickets"]) == (None, 364)
    assert len(server.jira.requests) <= outcome.requests <= len(server.jira.requests) + 1  # it drops a connection on an error
    gone = "SHOP-7"
    server.ask("DELETE", f"issue/{gone}")
    server.on(3)
    assert server.collect(projects=["SHOP"]).changed == 0
    assert server.collect(projects=["SHOP"], sweep=0).gone > 0
    assert gone not in {row["key"] for row in server.shelf.rows("tickets")}


def test_a_board_of_the_server_makes_a_stream_that_can_be_pasted(server):
    collector = server.collector(projects=["SHOP"])
    told = parse(collector.proposal(), Path("vsm.toml")).streams[0]
    assert (told.name, told.projects, told.new, told.done) == ("SHOP Scrum", ("SHOP",), ("Open", "Reopened"), ("Done",))
    assert [(stage.name, stage.waiting, stage.active) for stage in told.stages] == [
        ("In Progress", (), ("In Progress", "In Review"))
    ]


def test_the_checks_tell_that_it_takes_no_milliseconds(server):
    checks = {check.what: (check.well, check.said) for check in server.collector(projects=["SHOP"]).checks()}
    assert checks["server"] == (True, f"{server.jira.url.removeprefix('http://')} is Jira Server or Data Center 8.20.8")
    assert checks["times"] == (True, "JQL takes times in minutes, in the account's zone UTC")
