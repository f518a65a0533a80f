"""A harvest of a Jira: whole, cheap the second time, and right whatever happens in between."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from shelf import both

from collectors.harvest import harvest
from collectors.rebuild import rebuild
from vsm import store
from vsm.models import RawRecord, TicketLink

BOTH = pytest.mark.parametrize("cloud", [True, False], ids=["Cloud", "Data Center"])
ANN = "mail:fd2828ccc5ff9dddc998"


def at(hours: float = 0) -> datetime:
    """So many hours after nine on the Monday on which all sites begin."""
    return datetime(2026, 3, 2, 9, 0, 0, 123000, UTC) + timedelta(hours=hours)


@BOTH
@both
def test_a_ticket_its_transitions_and_its_changes_are_told_as_whole_rows(line, cloud):
    one = line(cloud=cloud)
    jira = one.jira
    number = jira.make(assignee=jira.people["acc-bob"], labels=["web", "till"], priority={"name": "High"}, parent={"key": "PAY-9"})
    jira.tick(hours=1)
    jira.move(number, "3", by="acc-bob")
    jira.tick(hours=2)
    jira.flag(number, True, by="acc-app")
    jira.sprint(number, ("7", "Sprint 7"), ("8", "Sprint 8"))
    jira.tick(hours=1)
    jira.assign(number, "acc-ann", by="acc-bob")
    jira.flag(number, False, by="acc-app")
    jira.move(number, "5", by=None)
    assert one.collect().error is None
    told = {"ticket": "PAY-1", "actor": "acc-ann"}
    assert one.rows("tickets") == [
        {
            "key": "PAY-1", "title": "Issue 10001", "type": "Story", "status": "Done", "created_at": at(), "resolved_at": at(4),
            "resolution": "Done", "project": "PAY", "priority": "High", "parent": "PAY-9", "labels": "web;till",
            "url": "https://jira.example.org/browse/PAY-1",
        }
    ]  # fmt: skip
    assert one.rows("transitions") == [
        {**told, "at": at(), "to_status": "To Do"},
        {**told, "at": at(1), "from_status": "To Do", "to_status": "In Progress", "actor": "acc-bob"},
        {"ticket": "PAY-1", "at": at(4), "from_status": "In Progress", "to_status": "Done"},
    ]
    assert one.rows("ticket_changes") == [
        {**told, "at": at(), "field": "assignee", "to": "acc-bob"},
        {**told, "at": at(3), "field": "flagged", "to": "Impediment", "actor": "acc-app"},
        {**told, "at": at(3), "field": "sprint", "from": "Sprint 7", "to": "Sprint 8"},
        {**told, "at": at(4), "field": "assignee", "from": "acc-bob", "to": "acc-ann", "actor": "acc-bob"},
        {**told, "at": at(4), "field": "flagged", "from": "Impediment", "actor": "acc-app"},
    ]
    assert one.rows("identities") == [
        {"source": "jira", "handle": "acc-ann", "person": ANN},
        {"source": "jira", "handle": "acc-app", "person": "bot:Rules"},
    ]


# What it costs. --------------------------------------------------------------------------------------


def test_a_thousand_issues_with_their_whole_histories_cost_at_most_thirty_requests_on_cloud(line):
    one = line(log_page=10_000)
    one.busy(1000, 6)
    outcome = one.collect()
    assert (outcome.error, outcome.read["tickets"]) == (None, 1000)
    assert outcome.requests == len(one.peer.requests) == 18
    assert one.asked.count("search/jql") == 13  # ten of a hundred, one for the ids of all, two to learn how it reads times
    assert one.asked.count("changelog/bulkfetch") == 2
    assert len(one.rows("transitions")) == sum(len(issue["histories"]) for issue in one.jira.issues.values()) + 1000


def test_even_where_histories_come_a_thousand_changes_a_page_it_is_at_most_thirty(line):
    one = line(log_page=1000)
    one.busy(1000, 8)
    outcome = one.collect()
    assert outcome.requests == 24


@BOTH
@pytest.mark.parametrize("millis", [True, False], ids=["milliseconds", "minutes"])
def test_a_second_harvest_with_nothing_new_is_one_request_a_project(line, cloud, millis):
    one = line(cloud=cloud, millis=millis, zone="Asia/Shanghai")
    one.busy(30)
    one.jira.make("SHOP")
    one.collect(projects=["PAY", "SHOP"])
    before = one.shelf.everything()
    for _ in range(2):
        outcome = one.collect(projects=["PAY", "SHOP"])
        assert (outcome.error, outcome.requests, outcome.changed, outcome.read.total()) == (None, 2, 0, 0)
        assert len(one.peer.requests) == 2
    assert one.shelf.everything() == before


def test_one_issue_that_moved_costs_one_search_and_one_look_at_its_history(line):
    one = line()
    one.busy(30)
    one.collect()
    one.jira.move("10007", "5")
    outcome = one.collect()
    assert (outcome.requests, outcome.read["tickets"]) == (2, 1)


@BOTH
def test_server_and_project_pages_are_read_to_the_end(line, cloud):
    one = line(cloud=cloud, page=7)
    one.busy(40, 1)
    assert one.collect().error is None
    assert len(one.rows("tickets")) == 40


# Histories that are not whole in a search. ------------------------------------------------------------


@pytest.mark.parametrize("created", ["millis", "seconds", "text"])
def test_histories_of_many_issues_tell_times_as_numbers_or_text(line, created):
    one = line(created=created)
    number = one.jira.make()
    one.jira.tick(hours=1)
    one.jira.move(number, "3")
    one.collect()
    rows = one.rows("transitions")
    assert [row["at"].replace(microsecond=0) for row in rows] == [at().replace(microsecond=0), at(1).replace(microsecond=0)]


@BOTH
def test_a_history_longer_than_any_page_is_read_to_its_beginning(line, cloud):
    one = line(cloud=cloud, bulk=False)
    number = one.jira.make()
    for step in range(230):
        one.jira.tick(minutes=1)
        one.jira.move(number, "34"[step % 2])
    one.collect()
    assert len(one.rows("transitions")) == 231


def test_a_server_that_cuts_histories_in_a_search_is_asked_for_the_issue(line):
    def cut(jira, method, path, query, headers, body):
        status, date, answer = jira.handle(method, path, query, headers, body)
        for issue in answer.get("issues", ()) if path.endswith("/search") else ():
            if "changelog" in issue:
                issue["changelog"]["histories"] = issue["changelog"]["histories"][:2]
        return status, date, answer

    one = line(cut, cloud=False)
    number = one.jira.make()
    for status in "3434":
        one.jira.tick(minutes=1)
        one.jira.move(number, status)
    one.collect()
    assert [row["to_status"] for row in one.rows("transitions")] == [
        "To Do",
        "In Progress",
        "Review",
        "In Progress",
        "Review",
    ]
    assert one.asked.count("issue/PAY-1") == 1


# Statuses and their names. ------------------------------------------------------------------------------


@BOTH
@both
def test_a_renamed_status_has_its_new_name_everywhere_and_the_old_rows_are_gone(line, cloud):
    one = line(cloud=cloud)
    for _ in range(3):
        number = one.jira.make()
        one.jira.tick(hours=1)
        one.jira.move(number, "4")
    one.jira.tick(hours=1)
    one.collect()
    one.jira.statuses["4"] = ("In review", "indeterminate")
    assert one.collect().changed == 0  # no issue has changed, so nobody has noticed
    one.jira.tick(hours=1)
    one.jira.assign(number, "acc-bob")
    one.collect()
    assert {row["to_status"] for row in one.rows("transitions")} == {"To Do", "In review"}
    assert len(one.rows("transitions")) == 6
    assert {row["status"] for row in one.rows("tickets")} == {"In review"}
    one.jira.tick(hours=1)
    assert one.collect().requests == 1


def test_a_renamed_status_that_no_issue_has_now_is_noticed_with_the_next_look_at_all_ids(line):
    one = line()
    one.busy(2, 3)
    one.collect()
    one.jira.statuses["4"] = ("In review", "indeterminate")
    one.jira.tick(days=7)
    one.collect()
    assert {row["to_status"] for row in one.rows("transitions")} == {"To Do", "In Progress", "In review", "Done"}
    assert len(one.rows("transitions")) == 8


def test_a_deleted_status_keeps_the_name_that_the_history_gives_it(line):
    one = line()
    number = one.jira.make()
    for status in "43":
        one.jira.tick(hours=1)
        one.jira.move(number, status)
    del one.jira.statuses["4"]
    one.collect()
    assert [row["to_status"] for row in one.rows("transitions")] == ["To Do", "Review", "In Progress"]
    one.jira.tick(hours=1)
    one.jira.assign(number, "acc-bob")
    outcome = one.collect()
    assert (outcome.error, outcome.requests) == (None, 2)  # what is unknown is not asked for again


def test_a_status_that_is_new_on_the_site_is_learnt_when_it_turns_up(line):
    one = line()
    number = one.jira.make()
    one.collect()
    one.jira.statuses["9"] = ("测试中", "indeterminate")
    one.jira.tick(hours=1)
    one.jira.move(number, "9")
    outcome = one.collect()
    assert outcome.requests == 3
    assert one.rows("tickets")[0]["status"] == "测试中"


# Incidents and applications. ------------------------------------------------------------------------------


def test_incidents_are_issues_of_a_type_with_a_label_or_found_by_a_query(line):
    one = line()
    one.jira.make(kind="Incident", components=[{"name": "till"}], priority={"name": "P1"}, labels=["eu"])
    one.jira.make(labels=["Outage"])
    one.jira.make(kind="Fault")
    one.jira.make()
    one.jira.tick(hours=3)
    one.jira.move("10001", "5")
    keys = {"incident_types": ["incident"], "incident_labels": ["outage"], "incident_jql": "type = Fault"}
    keys["application_from"] = "component"
    one.collect(**keys)
    url, medium = "https://jira.example.org/browse/PAY-", {"severity": "Medium", "opened_at": at()}
    first = {"severity": "P1", "opened_at": at(), "resolved_at": at(3), "application": "till"}
    assert one.rows("incidents") == [
        {**first, "id": "jira:10001", "title": "Issue 10001", "ticket": "PAY-1", "labels": "eu", "url": f"{url}1"},
        {**medium, "id": "jira:10002", "title": "Issue 10002", "ticket": "PAY-2", "labels": "Outage", "url": f"{url}2"},
        {**medium, "id": "jira:10003", "title": "Issue 10003", "ticket": "PAY-3", "url": f"{url}3"},
    ]
    one.jira.issues["10003"]["fields"]["issuetype"] = {"name": "Story"}
    one.jira._changed("10003")
    outcome = one.collect(**keys)
    assert [row["id"] for row in one.rows("incidents")] == ["jira:10001", "jira:10002"]
    assert outcome.error is None
    assert one.collect(**keys).requests == 2


@pytest.mark.parametrize(
    ("keys", "application"),
    [
        ({}, None),
        ({"application": "shop"}, "shop"),
        ({"application_from": "component"}, "till"),
        ({"application_from": "project"}, "PAY"),
        ({"application_from": "label"}, "web"),
        ({"application_from": "label", "incident_labels": ["WEB"]}, "app:shop"),
    ],
    ids=str,
)
def test_the_application_is_a_name_a_component_a_project_or_a_label(line, keys, application):
    one = line()
    labels = ["web", "app:shop"] if application != "web" else ["web", "other"]
    one.jira.make(components=[{"name": "till"}, {"name": "web"}], labels=labels)
    one.collect(**keys)
    expected = "shop" if application == "app:shop" else application
    assert one.rows("tickets")[0].get("application") == expected


def test_other_rules_are_for_rebuild_to_apply_and_the_harvest_says_so(line):
    one = line()
    one.jira.make(kind="Incident")
    one.collect()
    outcome = one.collect(incident_types=["Incident"])
    said = "the rules for incidents and applications have changed: run vsm rebuild to apply them to what was read"
    assert outcome.warnings == (said,)
    assert one.rows("incidents") == []
    rebuild(one.shelf.engine, [one.collector(incident_types=["Incident"])], lambda: one.jira.now)
    assert [row["id"] for row in one.rows("incidents")] == ["jira:10001"]
    assert one.collect(incident_types=["Incident"]).warnings == ()


def test_a_team_is_read_from_the_field_that_the_configuration_names(line):
    one = line()
    one.jira.make(customfield_10001={"id": "1", "name": "Payments"})
    one.collect()
    one.collect(team_field="Team")
    assert one.rows("tickets")[0]["team"] == "Payments"
    assert one.collect(team_field="Team").requests == 1


def test_an_epic_is_the_parent_where_the_site_has_epic_links(line):
    one = line(cloud=False)
    one.jira.make(customfield_10014="PAY-77")
    one.collect()
    assert one.rows("tickets")[0]["parent"] == "PAY-77"


# Links. ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", [True, False], ids=["Cloud", "Data Center"])
def test_links_come_with_the_issues_and_cost_no_request(line, cloud):
    one, bare = line(cloud=cloud), line(cloud=cloud)
    for each in (one, bare):
        each.busy(3, 1)
    one.jira.link("10001", "Blocks", "10002")
    one.jira.link("10003", "Problem", "10001")
    outcome = one.collect()
    assert one.shelf.rows("ticket_links") == [
        {"ticket": "PAY-1", "kind": "blocks", "other": "PAY-2"}, {"ticket": "PAY-3", "kind": "causes", "other": "PAY-1"},
    ]  # fmt: skip
    assert outcome.requests == bare.collect(full=True).requests


def test_a_link_to_an_issue_that_is_not_harvested_is_told_all_the_same(line):
    one = line()
    ours, theirs = one.jira.make("PAY"), one.jira.make("SHOP")
    one.jira.link(theirs, "Blocks", ours)
    one.collect(projects=["PAY"])
    assert one.shelf.rows("ticket_links") == [{"ticket": "SHOP-1", "kind": "blocks", "other": "PAY-1"}]


@both
@pytest.mark.parametrize("cloud", [True, False], ids=["Cloud", "Data Center"])
def test_a_link_that_is_taken_away_goes_and_one_follows_an_issue_to_its_new_key(line, cloud):
    one = line(cloud=cloud)
    one.busy(3, 1)
    gone = one.jira.link("10001", "Relates", "10002")
    one.jira.link("10003", "Blocks", "10001")
    one.collect(projects=["PAY", "SHOP"])
    one.jira.tick(hours=1)
    one.jira.unlink(gone)
    one.jira.carry("10003", "SHOP")
    one.jira.tick(hours=1)
    assert one.collect(projects=["PAY", "SHOP"]).error is None
    assert one.shelf.rows("ticket_links") == [{"ticket": "SHOP-1", "kind": "blocks", "other": "PAY-1"}]


def test_a_rebuild_tells_links_and_a_store_of_an_older_version_is_told_to_make_one(line):
    one = line()
    one.busy(2, 1)
    one.jira.link("10001", "Blocks", "10002")
    one.collect()
    before = one.shelf.rows("ticket_links")
    with store.transaction(one.shelf.engine) as connection:  # as the version before left it
        store.forget(connection, TicketLink, "jira", set())
        rules = store.load_cursors(connection, "jira")["rules"]
        store.save_cursor(connection, "jira", "rules", {"told": rules["told"]}, at=one.jira.now)
    assert one.shelf.rows("ticket_links") == []
    said = "links between issues are told now: run vsm rebuild to tell those of what was read by an older version, too"
    assert [one.collect().warnings for _ in range(2)] == [(said,), ()]
    rebuild(one.shelf.engine, [one.collector()], lambda: one.jira.now)
    assert one.shelf.rows("ticket_links") == before == [{"ticket": "PAY-1", "kind": "blocks", "other": "PAY-2"}]


# Other lists, and what is kept. -------------------------------------------------------------------------------


def test_a_project_that_cannot_be_read_does_not_stop_the_others(line):
    one = line()
    one.jira.make("SHOP")
    outcome = one.collect(projects=["NONE", "SHOP"])
    assert [row["key"] for row in one.rows("tickets")] == ["SHOP-1"]
    host = one.peer.url.removeprefix("http://")
    assert outcome.error == (
        f"NONE: {host}: search/jql: The value 'NONE' does not exist for the field 'project'.;"
        " check that it is there and not archived, and that the account may browse it"
    )


def test_a_wrong_query_for_incidents_is_one_sentence_and_the_tickets_are_saved(line):
    one = line()
    one.jira.make()
    outcome = one.collect(incident_jql="severity = 1")
    assert outcome.error == (
        f"incident_jql: {one.peer.url.removeprefix('http://')}: search/jql: Field 'severity' does not exist or you do not have"
        " permission to view it.; try the query in Jira's own search, then put it right here"
    )
    assert len(one.rows("tickets")) == 1


def test_a_query_instead_of_projects_is_one_list(line):
    one = line()
    one.jira.make(labels=["web"])
    one.jira.make()
    one.jira.make("SHOP", labels=["web"])
    one.collect(jql="labels = web")
    assert [row["key"] for row in one.rows("tickets")] == ["PAY-1", "SHOP-1"]
    assert one.collect(jql="labels = web").requests == 1


def test_a_page_token_that_comes_again_ends_in_a_sentence_and_what_was_read_is_saved(line, monkeypatch):
    monkeypatch.setattr("collectors.jira.search.BATCH", 100)
    one = line()
    one.busy(250, 0)
    one.jira.repeats = True
    outcome = one.collect()
    assert outcome.error.endswith("a search gives the same page token again; what was read is saved: run it again later")
    assert len(one.rows("tickets")) == 100
    one.jira.repeats = False
    assert one.collect().error is None
    assert len(one.rows("tickets")) == 250


@both
def test_no_address_is_kept_and_none_of_a_picture_that_hides_one(line):
    one = line()
    picture = {"16x16": "https://secure.gravatar.com/avatar/c160f8cc69a4f0bf2b0362752353d060"}
    one.jira.people["acc-ann"] |= {"avatarUrls": picture, "self": "https://x/user?username=ann%40example.org"}
    number = one.jira.make(summary="From ann@example.org")
    one.jira.move(number, "3")
    one.collect()
    with one.shelf.engine.connect() as connection:
        raw = store.raw_of(connection, "jira", "issue", [number])
        kept = str(raw) + str(connection.execute(sa.select(RawRecord.external_id)).all())
    assert "ann@" not in kept
    assert "ann%40" not in kept
    assert "gravatar" not in kept
    assert one.rows("tickets")[0]["title"] == f"From {ANN}"


@both
def test_a_rebuild_tells_the_same_rows(line):
    one = line()
    one.busy(5)
    one.collect()
    before = one.shelf.everything()
    rebuilt = rebuild(one.shelf.engine, [one.collector()], lambda: one.jira.now)
    assert (rebuilt[0].told, rebuilt[0].changed, rebuilt[0].gone) == (5, 0, 0)
    assert one.shelf.everything() == before


def test_a_site_that_anybody_may_read_needs_no_token(line):
    def public(jira, method, path, query, headers, body):
        if path.endswith("myself"):
            return 401, {}, {"message": "nobody"}
        headers["Authorization"] = "Bearer a-token"
        return jira.handle(method, path, query, headers, body)

    one = line(public, cloud=False, millis=False, zone="Asia/Tokyo")
    one.busy(2, 1)
    keys = {"url": one.peer.url, "projects": ["PAY"]}
    collector = type(one.collector()).configured(keys, one.collector().context)
    assert [check.said for check in collector.checks()][1] == "nobody is signed in: only what is public is seen"
    assert harvest(one.shelf.engine, [type(collector).configured(keys, collector.context)], one.silent)[0].error is None
    assert len(one.rows("tickets")) == 2
