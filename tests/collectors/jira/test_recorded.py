"""Recorded answers of two real Jiras, through our own peer; where DevLake's rules are ours, its tables are a second opinion."""

import csv
import json
from datetime import datetime

import pytest

from collectors.jira.issues import Rules, at, told
from vsm.models import Identity, Ticket, TicketChange, TicketLink, Transition


def lines(path):
    """The answers in a file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def table(recorded, name):
    """The rows that DevLake tells."""
    with (recorded / "expected_devlake/jira" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def when(text):
    """A time of DevLake's."""
    return datetime.fromisoformat(text) if text else None


@pytest.fixture
def merico(line, recorded):
    """A Cloud site with recorded issues, statuses with Chinese names among them, harvested."""
    folder = recorded / "jira/devlake_merico"
    one = line(projects=["EE", "K5"], statuses={})
    for status in table(recorded, "_tool_jira_statuses_for_changelog"):
        one.jira.statuses[status["id"]] = (status["name"], status["status_category"])
    for issue in lines(folder / "issues.jsonl"):
        one.jira.recorded(issue)
    one.jira.tick(days=1)
    outcome = one.collect(projects=["EE", "K5"])
    assert (outcome.error, outcome.read["tickets"], outcome.requests) == (None, 33, 11)
    return one


def test_the_tickets_of_a_cloud_site_are_those_that_devlake_tells(merico, recorded):
    ids = {f"jira:JiraIssue:2:{number}": issue["key"] for number, issue in merico.jira.issues.items()}
    labels = {}
    for row in table(recorded, "_tool_jira_issue_labels"):
        labels.setdefault(f"jira:JiraIssue:2:{row['issue_id']}", set()).add(row["label_name"])
    expected = {
        row["issue_key"]: {
            "key": row["issue_key"], "title": row["title"].strip(), "type": row["original_type"], "status": row["original_status"],
            "created_at": when(row["created_date"]), "resolved_at": when(row["resolution_date"]), "priority": row["priority"],
            "parent": ids.get(row["parent_issue_id"]), "labels": labels.get(row["id"]), "project": "EE",
            "url": row["url"].replace("merico.atlassian.net", "jira.example.org"),
        }
        for row in table(recorded, "issues")
    }  # fmt: skip
    ours = {}
    for row in merico.rows("tickets"):
        if row["key"] in expected:
            labelled = set(row["labels"].split(";")) if "labels" in row else None
            ours[row["key"]] = row | {"title": row["title"].strip(), "parent": row.get("parent"), "labels": labelled}
            del ours[row["key"]]["resolution"]  # DevLake keeps none
    assert len(expected) == 30
    assert ours == expected


def test_the_transitions_of_a_cloud_site_are_those_that_devlake_tells_by_todays_names(merico, recorded):
    ids = {f"jira:JiraIssue:2:{number}": issue["key"] for number, issue in merico.jira.issues.items()}
    expected = {
        (ids[row["issue_id"]], when(row["created_date"]), row["original_from_value"], row["original_to_value"], person(row))
        for row in table(recorded, "issue_changelogs")
        if row["field_name"] == "status"
    }
    ours = {
        (row["ticket"], row["at"], row["from_status"], row["to_status"], row["actor"])
        for row in merico.rows("transitions")
        if "from_status" in row
    }
    # A status that was exchanged for another one of the same name is no move for us.
    assert len(expected) == 165
    assert ours == {row for row in expected if row[2] != row[3]}


def person(row):
    """The account behind a change."""
    return row["author_id"].rpartition(":")[2]


def test_the_sprints_and_assignees_of_a_cloud_site_are_those_that_devlake_tells(merico, recorded):
    ids = {f"jira:JiraIssue:2:{number}": issue["key"] for number, issue in merico.jira.issues.items()}
    changes = merico.rows("ticket_changes")
    ours = {(row["ticket"], row["at"], row.get("to")) for row in changes if row["field"] == "assignee"}
    for row in table(recorded, "issue_changelogs"):
        if row["field_name"] == "assignee":
            to = row["original_to_value"].rpartition(":")[2] or None
            assert (ids[row["issue_id"]], when(row["created_date"]), to) in ours
    sprints = [row for row in table(recorded, "issue_changelogs") if row["field_name"] == "Sprint"]
    assert len([row for row in changes if row["field"] == "sprint"]) == len(sprints) == 21


def test_accounts_are_known_by_their_address_and_programs_as_such(recorded):
    users = lines(recorded / "jira/devlake_merico/users.jsonl")
    issue = {"id": "1", "key": "EE-1", "fields": {"created": "2026-03-02T09:00:00.000+0000"}}
    found = {}
    for user in users:
        rows = told({**issue, "fields": {**issue["fields"], "creator": user}}, Rules(), "").get(Identity, [])
        found |= {row["handle"]: row["person"] for row in rows}
    apps = {user["accountId"]: f"bot:{user['displayName']}" for user in users if user["accountType"] == "app"}
    shown = {
        user["accountId"]: user["emailAddress"] for user in users if user.get("emailAddress") and user["accountId"] not in apps
    }
    assert apps
    assert found == shown | apps


def test_a_log_of_one_issue_page_by_page_tells_the_status_changes_in_it(recorded):
    histories = lines(recorded / "jira/devlake_merico/issue_changelogs.jsonl")
    fields = {"created": "2021-01-25T11:00:00.000+0800", "status": {"id": "3", "name": "In Progress"}}
    issue = {"id": "1", "key": "EE-1", "fields": fields, "changelog": {"histories": histories}}
    moves = [(item["fromString"], item["toString"]) for one in histories for item in one["items"] if item["field"] == "status"]
    rows = told(issue, Rules(), "")[Transition]
    assert sorted((row["from_status"], row["to_status"]) for row in rows[1:]) == sorted(moves)
    assert {row["actor"] for row in rows} - {None} <= {one["author"]["accountId"] for one in histories}


def test_the_links_of_a_server_are_those_that_devlake_tells(recorded):
    expected = set()
    for row in table(recorded, "_tool_jira_issue_relationships"):
        here, other = row["issue_key"], row["outward_issue_key"] or row["inward_issue_key"]
        expected.add((here, row["outward"], other) if row["outward_issue_key"] else (other, row["outward"], here))
    issues = [one | {"fields": {"created": "2026-03-02T09:00:00.000+0000", **one["fields"]}} for one in
              lines(recorded / "jira/devlake_merico/issue_relationships.jsonl")]  # fmt: skip
    ours = [tuple(row.values()) for one in issues for row in told(one, Rules(), "").get(TicketLink, ())]
    assert (len(ours), len(expected)) == (16, 11)
    assert set(ours) == expected


def test_every_issue_of_a_server_dump_is_a_ticket_as_its_fields_say(recorded):
    issues = lines(recorded / "jira/tidev_alloy/issues.jsonl")
    rules = Rules(application_from="component", incident_types=frozenset({"bug"}))
    tickets = []
    for issue in issues:
        found = told(issue, rules, "https://jira.example.org")
        # A dump without histories says nothing of the first status, or of who had it first: only when it was resolved.
        ends = [(row["from_status"], row["to_status"], row["at"], row["actor"]) for row in found.get(Transition, ())]
        resolved = at(issue["fields"]["resolutiondate"])
        assert ends == ([(None, issue["fields"]["status"]["name"], resolved, None)] if resolved else [])
        assert TicketChange not in found
        tickets += found[Ticket]
    expected = []
    for issue in issues:
        fields = issue["fields"]
        above = fields.get("parent") or fields.get("epic") or {}
        expected.append(
            {
                "key": issue["key"], "title": fields["summary"], "type": fields["issuetype"]["name"],
                "status": fields["status"]["name"], "created_at": datetime.fromisoformat(fields["created"]),
                "resolved_at": datetime.fromisoformat(fields["resolutiondate"]) if fields["resolutiondate"] else None,
                "resolution": (fields["resolution"] or {}).get("name"), "project": "ALOY", "team": None,
                "priority": (fields["priority"] or {}).get("name"), "parent": above.get("key"),
                "labels": ";".join(fields["labels"]) or None, "url": f"https://jira.example.org/browse/{issue['key']}",
                "application": fields["components"][0]["name"] if fields["components"] else None,
            }
        )  # fmt: skip
    assert (len(tickets), sum(row["resolved_at"] is not None for row in tickets)) == (935, 862)
    assert tickets == expected


def test_a_server_with_the_dump_is_read_page_by_page(line, recorded):
    one = line(cloud=False, projects=["ALOY"])
    for issue in lines(recorded / "jira/tidev_alloy/issues.jsonl"):
        one.jira.recorded(issue)
    outcome = one.collect(projects=["ALOY"])
    assert (outcome.error, outcome.read["tickets"], outcome.requests) == (None, 935, 16)
    assert one.collect(projects=["ALOY"]).requests == 1


def test_both_ends_of_a_link_tell_one_row(recorded):
    rows, ends = {}, {}
    for issue in lines(recorded / "jira/tidev_alloy/issues.jsonl"):
        for link in issue["fields"]["issuelinks"]:
            alone = {**issue, "fields": {**issue["fields"], "issuelinks": [link]}}
            rows.setdefault(link["id"], []).extend(tuple(row.values()) for row in told(alone, Rules(), "")[TicketLink])
            ends.setdefault(link["id"], []).append((link.get("outwardIssue") or link["inwardIssue"])["key"])
    assert (len(rows), sum(map(len, rows.values()))) == (443, 630)
    both = {number: found for number, found in rows.items() if len(found) == 2}
    assert len(both) == 187
    assert all(first == second for first, second in both.values())
    assert all({first[0], first[2]} == set(ends[number]) for number, (first, _) in both.items())
