"""One issue, with everything in it that can be missing or odd."""

from datetime import UTC, datetime

import pytest

from collectors.jira.issues import Rules, kept, told
from vsm.models import Identity, Incident, Ticket, TicketChange, TicketLink, Transition, validate

CREATED = "2026-03-02T09:00:00.000+0000"


def issue(*histories, note=None, **fields):
    """An issue with a history: (id, when, who, items)."""
    changes = [
        {
            "id": number,
            "created": f"2026-03-{when}.000+0100",
            "author": who,
            "items": [dict(zip(ITEM, item, strict=True)) for item in items],
        }
        for number, when, who, items in histories
    ]
    least = {"created": CREATED, "status": {"id": "1", "name": "Open"}}
    return {"id": "7", "key": "PAY-1", "fields": {**least, **fields}, "changelog": {"histories": changes}, "vsm": note or {}}


ITEM = ("field", "fieldtype", "fieldId", "from", "fromString", "to", "toString")


def status(was, now):
    """A change of status, by ids and names."""
    return ("status", "jira", "status", *was, *now)


OPEN, DOING, DONE = ("1", "Open"), ("3", "Doing"), ("6", "Done")


def moves(one):
    """The transitions: day and hour, from, to."""
    return [(f"{row['at']:%d %H}", row["from_status"], row["to_status"]) for row in told(one, Rules(), "").get(Transition, [])]


def test_an_issue_with_nothing_but_its_least_is_a_ticket_and_a_first_transition():
    found = told(issue(), Rules(), "")
    ticket = validate(Ticket, found[Ticket][0])
    assert {name: value for name, value in ticket.items() if value is not None} == {
        "key": "PAY-1", "status": "Open", "created_at": datetime(2026, 3, 2, 9, tzinfo=UTC),
    }  # fmt: skip
    assert set(found) == {Ticket, Transition}
    assert moves(issue()) == [("02 09", None, "Open")]


def test_fields_that_are_null_are_missing():
    names = (
        "summary", "issuetype", "resolutiondate", "resolution", "project", "priority", "parent", "labels", "components", "assignee",
        "reporter", "creator",
    )  # fmt: skip
    rules = Rules(application_from="component")
    assert told(issue(**dict.fromkeys(names)), rules, "") == told(issue(), rules, "")


BLOCKS = {"name": "Blocks", "inward": "is blocked by", "outward": "blocks"}


def test_a_link_is_told_outward_whichever_end_it_was_read_from():
    links = [
        {"id": "1", "type": BLOCKS, "outwardIssue": {"key": "PAY-2"}},
        {"id": "2", "type": BLOCKS, "inwardIssue": {"key": "X-9"}},
    ]
    assert told(issue(issuelinks=links), Rules(), "")[TicketLink] == [
        {"ticket": "PAY-1", "kind": "blocks", "other": "PAY-2"}, {"ticket": "X-9", "kind": "blocks", "other": "PAY-1"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "links",
    [
        pytest.param(None, id="null"),
        pytest.param([{"id": "1", "type": BLOCKS}], id="to an issue that may not be seen"),
        pytest.param([{"id": "1", "type": BLOCKS, "outwardIssue": {"id": "9"}}], id="to an issue without a key"),
        pytest.param([{"id": "1", "type": None, "outwardIssue": {"key": "PAY-2"}}], id="of no type"),
        pytest.param([{"id": "1", "type": {"name": "X", "outward": " "}, "outwardIssue": {"key": "PAY-2"}}], id="without words"),
    ],
)
def test_a_link_that_says_nothing_is_none(links):
    assert told(issue(issuelinks=links), Rules(), "") == told(issue(), Rules(), "")


def test_two_links_that_say_the_same_are_one():
    links = [{"id": number, "type": BLOCKS, "outwardIssue": {"key": "PAY-2"}} for number in "12"]
    assert told(issue(issuelinks=links), Rules(), "")[TicketLink] == [{"ticket": "PAY-1", "kind": "blocks", "other": "PAY-2"}]


def test_an_issue_without_a_history_in_it_tells_no_transition():
    assert moves({"id": "7", "key": "PAY-1", "fields": {"created": CREATED, "status": {"id": "6", "name": "Done"}}}) == []


def test_the_first_status_is_where_the_first_move_came_from_whatever_the_order_of_the_answer():
    second, first = ("12", "05T10:00:00", None, [status(DOING, DONE)]), ("9", "05T10:00:00", None, [status(OPEN, DOING)])
    assert moves(issue(second, first, status={"id": "6", "name": "Done"})) == [
        ("02 09", None, "Open"), ("05 09", "Open", "Doing"), ("05 09", "Doing", "Done"),
    ]  # fmt: skip


def test_an_issue_that_moved_before_it_was_created_here_begins_with_that_move():
    assert moves(issue(("1", "01T10:00:00", None, [status(OPEN, DOING)]))) == [("01 09", None, "Open"), ("01 09", "Open", "Doing")]


def test_a_status_that_was_exchanged_for_another_one_of_the_same_name_is_no_move():
    assert moves(issue(("1", "03T10:00:00", None, [status(OPEN, ("10", "Open"))]))) == [("02 09", None, "Open")]


def test_names_of_today_go_before_those_of_the_history():
    one = issue(("1", "03T10:00:00", None, [status(OPEN, ("4", "Testing"))]), note={"names": {"1": "Backlog"}})
    assert moves(one) == [("02 09", None, "Backlog"), ("03 09", "Backlog", "Testing")]


def changes(*items, **more):
    """What changes of an issue tell: field, from, to."""
    rows = told(issue(("1", "03T10:00:00", None, items), **more), Rules(), "").get(TicketChange, [])
    return [(row["field"], row["from"], row["to"]) for row in rows]


@pytest.mark.parametrize(
    ("item", "change"),
    [
        (("assignee", "jira", "assignee", "a1", "Ann", None, None), ("assignee", "a1", None)),
        (("Sprint", "custom", "customfield_1", "", "", "7, 8", "Sprint 7, Sprint 8"), ("sprint", None, "Sprint 7, Sprint 8")),
        (("冲刺", "custom", "customfield_1", "", "", "7", "Sprint 7"), ("sprint", None, "Sprint 7")),
        (("Flagged", "custom", "customfield_2", None, None, "[1]", "Impediment"), ("flagged", None, "Impediment")),
        (("Markiert", "custom", "customfield_2", "[1]", "Impediment", None, ""), ("flagged", "Impediment", None)),
        (("priority", "jira", "priority", "3", "Medium", "1", "Highest"), ("priority", "Medium", "Highest")),
        (("Fix Version", "jira", "fixVersions", None, None, "9", "1.0"), ("fix version", None, "1.0")),
        (("Fix Version", "jira", None, None, None, "9", "1.0"), ("fix version", None, "1.0")),
    ],
    ids=lambda value: value[0],
)
def test_changes_are_told_by_what_the_field_is_for_in_any_language(item, change):
    note = {"fields": {"sprint": ["customfield_1", "Sprint"], "flagged": ["customfield_2", "Flagged"]}}
    found = changes(item, note=note)
    assert found[-1] == change
    assert found[:-1] == ([("assignee", None, "a1")] if change[0] == "assignee" else [])  # who had it first


def test_other_fields_are_no_changes_that_are_told():
    assert (
        changes(("description", "jira", "description", None, "a", None, "b"), ("Rank", "custom", "c", "", "", "", "Ranked")) == []
    )


def test_two_versions_taken_away_at_once_are_one_change():
    away = [
        ("Fix Version", "jira", "fixVersions", "8", "0.9", None, None),
        ("Fix Version", "jira", "fixVersions", "9", "1.0", None, None),
    ]
    assert changes(*away) == [("fix version", "0.9;1.0", None)]


@pytest.mark.parametrize(
    ("user", "handle", "person"),
    [
        ({"accountId": "a1", "accountType": "atlassian", "emailAddress": "mail:1"}, "a1", "mail:1"),
        ({"accountId": "a1", "accountType": "app", "displayName": "Rules"}, "a1", "bot:Rules"),
        ({"key": "JIRAUSER1", "name": "ann", "emailAddress": "mail:1"}, "JIRAUSER1", "mail:1"),
        ({"name": "ann"}, "ann", None),
        ({"accountId": "", "emailAddress": "mail:1"}, None, None),
    ],
)
def test_who_is_who_is_told_where_it_can_be_seen(user, handle, person):
    found = told(issue(("1", "03T10:00:00", user, [status(OPEN, DOING)])), Rules(), "")
    assert found[Transition][1]["actor"] == handle
    expected = [{"source": "jira", "handle": handle, "person": person}] if person else []
    assert found.get(Identity, []) == expected


def test_an_incident_is_one_by_type_or_label_in_any_letters_or_because_a_query_said_so():
    rules = Rules(incident_types=frozenset({"störung"}), incident_labels=frozenset({"outage"}))
    assert Incident not in told(issue(), rules, "")
    for one in (issue(issuetype={"name": "STÖRUNG"}), issue(labels=["Outage"]), issue(note={"incident": True})):
        assert [row["id"] for row in told(one, rules, "")[Incident]] == ["jira:7"]


def test_what_is_kept_of_an_answer_has_no_pictures_addresses_or_characters_that_no_store_takes():
    user = {"accountId": "a1", "avatarUrls": {"16x16": "x"}, "self": "https://x/user?username=ann%40example.org"}
    assert kept({"a": ["cart\0 \ud83d", None, 3], "author": user}) == {"a": ["cart ?", None, 3], "author": {"accountId": "a1"}}
