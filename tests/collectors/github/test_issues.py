"""Issues: what GitHub's recorded issues are as tickets, their history, incidents; and that none is lost, or kept too long."""

import csv
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from github_graphql import Thing, actor, at, pull, repository
from github_lists import Lists, cassette, event, issue, started
from served import Served

from collectors.github.issues import Issues
from collectors.github.issues_graphql import packed, unpacked
from collectors.github.issues_rest import slim
from collectors.github.resource import Rules
from vsm.models import Incident, Ticket, TicketChange, Transition

RULES = Rules(application="shop", incident_labels=("Incident",))


def time(hours: float) -> datetime:
    """A time as rows have it."""
    return datetime.fromisoformat(at(hours))


def told(answer: Thing, rules: Rules = RULES) -> dict[object, list[dict[str, object]]]:
    """The rows of an answer."""
    return {
        table: [dict(row) for row in rows] for table, rows in Issues().told({"repository": "acme/shop", **answer}, rules).items()
    }


def graph(one: Thing, **more: object) -> Thing:
    """An issue as GraphQL answers it."""
    return {**one, "labels": {"nodes": one["labels"]}, "timelineItems": {"nodes": one["timelineItems"]}, **more}


# What an issue tells. -----------------------------------------------------------------------------


def test_an_issue_is_a_ticket_with_its_history():
    one = issue(
        12,
        at(0),
        event("LabeledEvent", at(1), "bob", "bug"),
        event("AssignedEvent", at(2), "bob", "ann"),
        event("AssignedEvent", at(3), "bob", "cem"),
        event("MilestonedEvent", at(3), "bob", "v1"),
        event("ClosedEvent", at(4), "ann"),
        event("ReopenedEvent", at(5), "bob"),
        event("UnassignedEvent", at(6), "bob", "cem"),
        event("LabeledEvent", at(6), "bob", "P1"),
        event("ClosedEvent", at(7), "fixer[bot]"),
        labels=["P1", "bug"],
        closedAt=at(7),
        stateReason="COMPLETED",
        parent={"number": 3, "repository": {"nameWithOwner": "acme/plans"}},
    )
    key = {"ticket": "acme/shop#12"}
    assert told(graph(one)) == {
        Ticket: [
            {
                "key": "acme/shop#12",
                "title": "Issue 12",
                "type": "bug",
                "status": "closed",
                "created_at": time(0),
                "resolved_at": time(7),
                "resolution": "completed",
                "project": "acme/shop",
                "priority": "P1",
                "parent": "acme/plans#3",
                "labels": "P1;bug",
                "application": "shop",
                "url": "https://github.example/issues/12",
            }
        ],
        Transition: [
            {**key, "at": time(0), "from_status": None, "to_status": "open", "actor": "ann"},
            {**key, "at": time(4), "from_status": "open", "to_status": "closed", "actor": "ann"},
            {**key, "at": time(5), "from_status": "closed", "to_status": "open", "actor": "bob"},
            {**key, "at": time(7), "from_status": "open", "to_status": "closed", "actor": "fixer[bot]"},
        ],
        TicketChange: [
            {**key, "at": time(1), "field": "labels", "from": None, "to": "bug", "actor": "bob"},
            {**key, "at": time(2), "field": "assignee", "from": None, "to": "ann", "actor": "bob"},
            {**key, "at": time(3), "field": "assignee", "from": "ann", "to": "cem", "actor": "bob"},
            {**key, "at": time(3), "field": "milestone", "from": None, "to": "v1", "actor": "bob"},
            {**key, "at": time(6), "field": "assignee", "from": "cem", "to": "ann", "actor": "bob"},
            {**key, "at": time(6), "field": "labels", "from": "bug", "to": "P1;bug", "actor": "bob"},
        ],
    }


def test_recorded_events_are_the_history_of_their_issue(recorded: Path):
    lines = (recorded / "github/devlake_ants/events.jsonl").read_text().splitlines()
    events = [one for one in map(json.loads, lines) if one["issue"]["number"] == 228]
    rows = told({**slim(events[0]["issue"], events), "repository": "panjf2000/ants"})
    key = {"ticket": "panjf2000/ants#228"}
    opened, closed = (datetime.fromisoformat(text) for text in ("2022-06-02T08:13:04Z", "2022-06-09T01:42:11Z"))
    assert rows[Transition] == [
        {**key, "at": opened, "from_status": None, "to_status": "open", "actor": "ZhMaio"},
        {**key, "at": closed, "from_status": "open", "to_status": "closed", "actor": "ZhMaio"},
    ]
    assert rows[TicketChange] == [
        {**key, "at": opened, "field": "assignee", "from": None, "to": "panjf2000", "actor": "panjf2000"},
        {**key, "at": opened, "field": "labels", "from": None, "to": "question", "actor": "ZhMaio"},
        {**key, "at": opened, "field": "labels", "from": "question", "to": "help wanted;question", "actor": "ZhMaio"},
    ]


def test_recorded_issues_are_tickets_as_another_program_says(recorded: Path):
    """DevLake's expected issues. Its type is a bug's alone, by its test's configuration; ours are more."""
    lines = (recorded / "github/devlake_ants/issues.jsonl").read_text().splitlines()
    issues = [one for one in map(json.loads, lines) if "pull_request" not in one]
    ours = {str(one["number"]): told(slim(one, []))[Ticket][0] for one in issues}
    with (recorded / "expected_devlake/github/issues.csv").open() as file:
        expected = {row["issue_key"]: row for row in csv.DictReader(file)}
    assert set(ours) == set(expected)
    for key, theirs in expected.items():
        mine = ours[key]
        assert mine["url"] == theirs["url"]
        assert mine["created_at"] == datetime.fromisoformat(theirs["created_date"])
        assert mine["resolved_at"] == datetime.fromisoformat(theirs["resolution_date"])
        assert mine["status"] == theirs["original_status"]
        assert (mine["type"] == "bug") == (theirs["type"] == "BUG")


def test_an_old_closing_that_no_event_tells_is_a_transition_without_an_actor():
    answer = {
        "number": 1,
        "state": "closed",
        "title": "Old",
        "created_at": at(0),
        "closed_at": at(5),
        "user": None,
        "labels": [],
        "timeline": [],
    }
    key = {"ticket": "acme/shop#1"}
    assert told(answer)[Transition] == [
        {**key, "at": time(0), "from_status": None, "to_status": "open", "actor": None},
        {**key, "at": time(5), "from_status": "open", "to_status": "closed", "actor": None},
    ]


def test_two_closings_in_a_row_are_one():
    one = issue(1, at(0), event("ClosedEvent", at(1)), event("ClosedEvent", at(2)), closedAt=at(1))
    assert [row["at"] for row in told(graph(one))[Transition]] == [time(0), time(1)]


def test_a_deleted_account_is_nobody():
    one = issue(1, at(0), event("ClosedEvent", at(1), None), closedAt=at(1), author=None)
    assert [row["actor"] for row in told(graph(one))[Transition]] == [None, None]


@pytest.mark.parametrize(
    ("labels", "severity"),
    [
        (["incident"], None),
        (["INCIDENT", "sev1"], "sev1"),
        (["incident", "severity/high", "P2"], "high"),
        (["incident", "P2"], "P2"),
    ],
)
def test_an_issue_with_an_incident_label_is_an_incident(labels, severity):
    one = issue(1, at(0), event("ClosedEvent", at(9)), labels=labels, closedAt=at(9))
    assert told(graph(one))[Incident] == [
        {
            "id": "github:acme/shop#1",
            "application": "shop",
            "title": "Issue 1",
            "severity": severity,
            "opened_at": time(0),
            "resolved_at": time(9),
            "ticket": "acme/shop#1",
            "labels": ";".join(sorted(labels)),
            "url": "https://github.example/issues/1",
        }
    ]


def test_an_issue_without_such_a_label_is_none():
    assert Incident not in told(graph(issue(1, at(0), labels=["bug"])))


def test_recorded_issues_of_webhooks_and_lists_are_tickets(recorded: Path):
    hooks = [json.loads(line) for line in (recorded / "github_webhooks/issues.jsonl").read_text().splitlines()]
    rows = [told(slim(hook["issue"], []))[Ticket][0] for hook in hooks]
    assert rows[0] == {
        "key": "acme/shop#1",
        "title": "Spelling error in the README file",
        "type": "bug",
        "status": "open",
        "created_at": datetime.fromisoformat("2019-05-15T15:20:18Z"),
        "resolved_at": None,
        "resolution": None,
        "project": "acme/shop",
        "priority": None,
        "parent": None,
        "labels": "bug",
        "application": "shop",
        "url": "https://github.com/Codertocat/Hello-World/issues/1",
    }
    (listed, *_) = cassette(recorded / "github/octokit_rb_cassettes/Issues/_list_issues/returns_issues_for_a_repository.json")
    tickets = [told(slim(one, []))[Ticket][0] for one in listed if "pull_request" not in one]
    assert {row["status"] for row in tickets} == {"open"}


def test_no_text_of_an_issue_is_kept(recorded: Path):
    lines = (recorded / "github/devlake_ants/issues.jsonl").read_text().splitlines()
    for one in map(json.loads, lines):
        assert set(slim(one, [])) <= {
            "id",
            "number",
            "title",
            "html_url",
            "state",
            "state_reason",
            "created_at",
            "closed_at",
            "user",
            "labels",
            "timeline",
        }


# Reading. -----------------------------------------------------------------------------------------


@pytest.fixture
def github(served, graphql_schema) -> Callable[..., tuple[Lists, Served]]:
    """Starts a GitHub: `peer, server = github(repository)`."""

    def start(one: Thing, refuses: bool = False) -> tuple[Lists, Served]:
        peer, server = started(served, graphql_schema, one, refuses)
        peer.now = time(5000)
        return peer, server

    return start


BOTH = pytest.mark.parametrize("refuses", [False, True], ids=["GraphQL", "REST"])
TABLES = ("tickets", "transitions", "ticket_changes", "incidents")


def shop(count: int = 130) -> Thing:
    """A repository with so many issues, three an hour, every fourth closed, and a pull request among them."""
    some = []
    for number in range(1, count + 1):
        closes = [event("ClosedEvent", at(number // 3 + 1), "bob")] if number % 4 == 0 else []
        told = {"closedAt": at(number // 3 + 1), "stateReason": "NOT_PLANNED"} if closes else {}
        some.append(issue(number, at(number // 3), *closes, labels=["bug"], **told))
    return repository("acme/shop", issues=some, pulls=[pull(5000, at(1))])


def rows(shelf) -> dict[str, object]:
    """What the store has of issues."""
    return {table: shelf.rows(table) for table in TABLES}


def change(one: Thing, number: int, *events: Thing, **told: object) -> None:
    """Something happens to an issue."""
    (found,) = [issue for issue in one["issues"] if issue["number"] == number]
    found["timelineItems"] += events
    found |= {"updatedAt": max(event["createdAt"] for event in events)} | told


def test_both_interfaces_tell_the_same_rows(github, shelf, fresh):
    _, server = github(shop())
    shelf.collect(server.url, incident_labels="bug")
    expected = rows(shelf)
    assert [len(expected[table]) for table in TABLES] == [130, 162, 0, 130]
    other, (_, server) = fresh(), github(shop(), refuses=True)
    other.collect(server.url, incident_labels="bug")
    assert rows(other) == expected


@BOTH
def test_nothing_new_costs_at_most_one_request(github, shelf, refuses):
    _, server = github(shop(), refuses)
    shelf.collect(server.url)
    shelf.collect(server.url)
    server.forget()
    outcome = shelf.collect(server.url)
    assert outcome.changed == 0
    assert server.count("/issues") == refuses
    assert server.counts["/graphql"] == (not refuses)


@BOTH
def test_an_issue_that_changed_is_read_again(github, shelf, refuses):
    one = shop()
    _, server = github(one, refuses)
    shelf.collect(server.url)
    server.forget()
    change(
        one,
        2,
        event("AssignedEvent", at(100), "ann", "cem"),
        event("ClosedEvent", at(101), "cem"),
        closedAt=at(101),
        state="CLOSED",
    )
    shelf.collect(server.url)
    assert server.count("/timeline") == refuses
    assert [row["to"] for row in shelf.rows("ticket_changes")] == ["cem"]
    (row,) = [row for row in shelf.rows("tickets") if row["key"] == "acme/shop#2"]
    assert (row["status"], row["resolved_at"]) == ("closed", time(101))


def test_a_deleted_issue_is_missed_by_its_number(github, shelf):
    one = shop()
    _, server = github(one)
    shelf.collect(server.url)
    del one["issues"][10]
    one["issues"].append(issue(200, at(300)))
    shelf.collect(server.url)
    keys = {row["key"] for row in shelf.rows("tickets")}
    assert "acme/shop#11" not in keys
    assert "acme/shop#200" in keys
    assert "acme/shop#11" not in {row["ticket"] for row in shelf.rows("transitions")}
    server.forget()
    shelf.collect(server.url)
    assert server.counts["/graphql"] == 1


@BOTH
def test_a_full_harvest_tells_deleted_and_moved_issues_at_the_cost_of_a_look(github, shelf, fresh, refuses):
    one = shop()
    one["moved"] = {12: ("acme/till", 3)}
    till = repository("acme/till", 2, issues=[issue(3, at(4))])
    peer, server = github(one, refuses)
    peer.repositories.append(till)
    shelf.collect(server.url)
    del one["issues"][10:13]
    one["issues"].append(issue(200, at(300)))
    shelf.collect(server.url, full=True)
    other = fresh()
    other.collect(server.url)
    assert rows(shelf) == rows(other)
    assert not {"acme/shop#11", "acme/shop#12", "acme/shop#13"} & {row["key"] for row in shelf.rows("tickets")}
    server.forget()
    assert shelf.collect(server.url, full=True).gone == 0
    assert server.count("/issues/") == 129 * refuses  # the timelines of all, and of a pull request
    server.forget()
    shelf.collect(server.url)
    assert (server.counts["/graphql"], server.count("/issues/")) == (not refuses, 0)


@BOTH
def test_a_full_harvest_that_is_broken_off_anywhere_still_tells_what_is_gone(github, fresh, refuses):
    for until in (2, 4, 6):
        one, broken = shop(60), fresh()
        _, server = github(one, refuses)
        broken.collect(server.url)
        del one["issues"][5]
        with pytest.raises(KeyboardInterrupt):
            broken.collect(server.url, full=True, until=until)
        broken.collect(server.url)
        assert "acme/shop#6" not in {row["key"] for row in broken.rows("tickets")}
        assert len(broken.rows("tickets")) == 59


@BOTH
def test_a_full_harvest_since_a_time_does_not_take_what_is_older_for_lost(github, shelf, refuses):
    one = shop()
    _, server = github(one, refuses)
    shelf.collect(server.url)
    assert shelf.collect(server.url, full=True, since=time(30)).gone == 0
    del one["issues"][2]
    shelf.collect(server.url, full=True)
    assert {f"acme/shop#{number}" for number in range(1, 131)} - {row["key"] for row in shelf.rows("tickets")} == {"acme/shop#3"}


def test_more_events_and_labels_than_a_page_are_all_read(github, shelf):
    one = shop(0)
    events = [event("LabeledEvent", at(place), "ann", f"label {place}") for place in range(250)]
    one["issues"] = [issue(1, at(0), *events, labels=[f"label {place}" for place in range(120)])]
    _, server = github(one)
    shelf.collect(server.url)
    assert len(shelf.rows("ticket_changes")) == 250
    assert len(str(shelf.rows("tickets")[0]["labels"]).split(";")) == 120


@BOTH
def test_issues_of_one_second_stand_on_both_sides_of_a_page(github, shelf, refuses):
    one = shop(0)
    one["issues"] = [issue(number, at(number // 150)) for number in range(1, 451)]
    _, server = github(one, refuses)
    shelf.collect(server.url)
    assert len(shelf.rows("tickets")) == 450


@BOTH
def test_nothing_older_than_since_is_kept_and_an_earlier_since_is_read(github, shelf, refuses):
    _, server = github(shop(120), refuses)
    shelf.collect(server.url, since=time(30))
    few = len(shelf.rows("tickets"))
    assert {row["key"] for row in shelf.rows("tickets")} >= {"acme/shop#120", "acme/shop#91"}
    assert few < 40
    shelf.collect(server.url, since=time(10))
    assert len(shelf.rows("tickets")) > 80


@BOTH
def test_a_harvest_that_is_broken_off_anywhere_goes_on_without_loss(github, fresh, refuses):
    def after(one: Thing) -> Thing:
        change(one, 7, event("ClosedEvent", at(90), "bob"), closedAt=at(90), state="CLOSED")
        change(one, 100, event("LabeledEvent", at(91), "bob", "P1"))
        one["issues"] += [issue(number, at(number)) for number in range(200, 215)]
        return one

    whole, (_, server) = fresh(), github(after(shop(160)), refuses)
    whole.collect(server.url)
    expected = rows(whole)
    for until in range(2, 14, 3):
        one, broken = shop(160), fresh()
        _, server = github(one, refuses)
        try:
            broken.collect(server.url, until=until)
        except KeyboardInterrupt:
            after(one)
            broken.collect(server.url)
            assert rows(broken) == expected


def test_graphql_goes_on_where_rest_was(github, shelf, fresh):
    one = shop()
    peer, server = github(one, refuses=True)
    shelf.collect(server.url)
    peer.refuses = False
    peer.now += timedelta(days=2)  # so long ago was it refused
    shelf.collect(server.url)
    server.forget()
    change(one, 7, event("ClosedEvent", at(90), "bob"), closedAt=at(90), state="CLOSED")
    shelf.collect(server.url)
    assert (server.counts["/graphql"], server.count("/repos/acme/shop/issues")) == (1, 0)
    other = fresh()
    other.collect(server.url)
    assert rows(shelf) == rows(other)


def test_a_server_that_cannot_give_much_at_once_is_asked_for_less(github, shelf):
    peer, server = github(shop())
    peer.most = 12
    shelf.collect(server.url)
    assert len(shelf.rows("tickets")) == 130


def test_a_semicolon_in_a_label_does_not_make_two_of_it(github, shelf):
    _, server = github(
        repository("acme/shop", issues=[issue(1, at(0), event("LabeledEvent", at(1), "ann", "a;b"), labels=["a;b"])])
    )
    shelf.collect(server.url)
    assert (shelf.rows("tickets")[0]["labels"], shelf.rows("ticket_changes")[0]["to"]) == ("a,b", "a,b")


def test_holes_in_a_list_are_passed_over(served, graphql_schema, shelf):
    """GitHub's list of issues has had nulls among them."""

    class Holes(Lists):
        def _issues(self, *asked: object) -> tuple[int, dict[str, str], object]:
            status, more, body = super()._issues(*asked)
            return status, more, body and [None, *body]

    peer = Holes(graphql_schema, [shop(5)])
    peer.refuses = True
    shelf.collect(served(peer).url)
    assert len(shelf.rows("tickets")) == 5


def test_numbers_are_kept_short():
    numbers = {number for number in range(1, 5000) if number % 97}
    assert unpacked(packed(numbers)) == numbers
    assert len(packed(numbers)) < 600


def test_a_program_is_marked_whichever_interface_names_it():
    one = issue(1, at(0), author=actor("fixer[bot]"))
    rest = {"number": 1, "state": "open", "created_at": at(0), "user": {"login": "fixer[bot]", "type": "Bot"}}
    assert [told(answer)[Transition][0]["actor"] for answer in (graph(one), rest)] == ["fixer[bot]", "fixer[bot]"]
