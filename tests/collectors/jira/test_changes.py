"""A Jira that changes between the harvests, or while one runs: what is in the store is what one harvest at the end would read."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from collectors.harvest import harvest

BOTH = pytest.mark.parametrize("cloud", [True, False], ids=["Cloud", "Data Center"])


def at(hours: float = 0) -> datetime:
    """So many hours after nine on the Monday on which all sites begin."""
    return datetime(2026, 3, 2, 9, 0, 0, 123000, UTC) + timedelta(hours=hours)


# Issues that move, go, or show up late. ------------------------------------------------------------------


@BOTH
def test_an_issue_in_another_project_has_its_new_key_and_nothing_stays_under_the_old_one(line, cloud):
    one = line(cloud=cloud)
    number = one.jira.make("PAY", kind="Incident")
    one.jira.make("PAY")
    one.jira.tick(hours=1)
    one.jira.move(number, "3")
    one.collect(projects=["PAY", "SHOP"], incident_types=["incident"])
    one.jira.tick(hours=1)
    one.jira.carry(number, "SHOP")
    one.collect(projects=["PAY", "SHOP"], incident_types=["incident"])
    assert [row["key"] for row in one.rows("tickets")] == ["PAY-2", "SHOP-1"]
    assert {row["ticket"] for row in one.rows("transitions")} == {"PAY-2", "SHOP-1"}
    assert [(row["id"], row["ticket"]) for row in one.rows("incidents")] == [("jira:10001", "SHOP-1")]


@BOTH
def test_what_was_deleted_goes_with_the_next_look_at_all_ids(line, cloud):
    one = line(cloud=cloud)
    one.busy(4, 1)
    one.collect()
    late = one.jira.make()
    one.jira.tick(hours=1)
    one.collect()
    one.jira.delete("10002")
    one.jira.delete(late)
    one.jira.tick(days=6)
    assert one.collect().gone == 0
    one.jira.tick(days=1)
    assert one.collect().gone == 5
    assert [row["key"] for row in one.rows("tickets")] == ["PAY-1", "PAY-3", "PAY-4"]
    assert {row["ticket"] for row in one.rows("transitions")} == {"PAY-1", "PAY-3", "PAY-4"}
    assert one.collect().requests == 1


def test_a_full_harvest_looks_for_deleted_issues_at_once_and_sweep_says_how_often_others_do(line):
    one = line()
    one.busy(3, 1)
    one.collect()
    one.jira.delete("10001")
    one.collect(full=True)
    assert [row["key"] for row in one.rows("tickets")] == ["PAY-2", "PAY-3"]
    one.jira.delete("10002")
    one.jira.tick(days=1)
    one.collect(sweep=1)
    assert [row["key"] for row in one.rows("tickets")] == ["PAY-3"]


def test_issues_that_are_gone_in_great_numbers_are_kept_until_somebody_says_so(line):
    one = line()
    one.busy(50, 1)
    one.collect()
    for number in range(10_001, 10_040):
        one.jira.delete(str(number))
    one.jira.tick(days=8)
    assert one.collect().warnings == (
        "39 of 50 issues are no longer to be seen, and were kept: if that is right, run it with --full;"
        " else check what the account may browse",
    )
    assert len(one.rows("tickets")) == 50
    one.collect(full=True)
    assert len(one.rows("tickets")) == 11


def test_an_issue_that_a_search_never_showed_is_found_among_all_ids(line):
    one = line()
    one.busy(3, 1)
    one.collect()
    one.jira.late = timedelta(hours=2)
    hidden = one.jira.make()
    one.jira.late = timedelta()
    one.jira.tick(hours=1)
    one.jira.move("10001", "5")
    one.collect()
    one.jira.tick(hours=5)
    one.jira.move("10002", "5")
    one.collect()
    assert len(one.rows("tickets")) == 3
    one.jira.tick(days=7)
    one.collect()
    assert one.rows("tickets")[-1]["title"] == f"Issue {hidden}"


@BOTH
def test_a_change_that_shows_up_late_but_within_a_quarter_of_an_hour_is_read(line, cloud):
    one = line(cloud=cloud)
    one.busy(5, 1)
    one.collect()
    one.jira.late = timedelta(minutes=1)
    one.jira.move("10001", "5")
    one.jira.late = timedelta()
    one.jira.tick(seconds=30)
    one.jira.move("10002", "5")
    one.collect()
    assert [row["status"] == "Done" for row in one.rows("tickets")[:2]] == [False, True]
    one.jira.tick(minutes=1)
    one.collect()
    assert [row["status"] == "Done" for row in one.rows("tickets")[:2]] == [True, True]


# Times. --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Shanghai", "Pacific/Kiritimati", "Nowhere/AtAll"])
@BOTH
def test_where_a_site_reads_minutes_in_the_accounts_zone_nothing_is_lost(line, cloud, zone):
    known = zone != "Nowhere/AtAll"
    one = line(cloud=cloud, millis=False, zone=zone if known else "America/Denver")
    if not known:
        one.jira._me = lambda: {"accountId": "acc-ann"}
    one.busy(3, 1)
    one.collect()
    for minutes in (1, 20, 600, 3000):
        one.jira.tick(minutes=minutes)
        one.jira.move("10002", "345"[minutes % 3])
        one.collect()
        assert one.rows("tickets")[1]["status"] == one.jira.statuses["345"[minutes % 3]][0]


@BOTH
def test_an_account_that_gets_another_zone_loses_nothing(line, cloud):
    one = line(cloud=cloud, millis=False, zone="Asia/Tokyo")
    one.busy(3, 1)
    one.collect()
    one.jira.zone = "America/Los_Angeles"
    one.jira.tick(minutes=5)
    one.jira.move("10002", "5")
    one.collect()
    assert one.rows("tickets")[1]["status"] == "Done"
    one.jira.tick(minutes=30)
    assert one.collect().requests == 1


def test_the_hour_that_is_there_twice_loses_nothing(line):
    one = line(millis=False, zone="Europe/Berlin", now=datetime(2026, 10, 24, 23, 50, tzinfo=UTC))
    one.jira.make()
    one.jira.make()
    one.collect()
    for _ in range(20):
        one.jira.tick(minutes=7)
        one.jira.assign("10001", "acc-bob")
        one.jira.edit("10002", summary=f"at {one.jira.now}")
        one.collect()
        assert one.rows("tickets")[1]["title"] == f"at {one.jira.now}"


@BOTH
def test_since_leaves_out_what_was_not_changed_after_it_and_an_earlier_one_reads_that(line, cloud):
    one = line(cloud=cloud)
    one.jira.make()
    one.jira.tick(days=10)
    one.jira.make()
    one.jira.tick(days=10)
    one.collect(since=at(24 * 5))
    assert [row["key"] for row in one.rows("tickets")] == ["PAY-2"]
    assert one.collect(since=at(24 * 7)).requests == 1
    one.collect(since=at(0))
    assert [row["key"] for row in one.rows("tickets")] == ["PAY-1", "PAY-2"]


# Kills, faults of one project, other queries. ---------------------------------------------------------------


class Killed(BaseException):
    """Somebody stopped us."""


def killed(one, after, full=False, **keys):
    """A harvest that is killed after some pages."""
    collector = one.collector(**keys)
    pages = collector.pages

    def some(cursors, full):
        for place, page in enumerate(pages(cursors, full)):
            if place == after:
                raise Killed
            yield page

    collector.pages = some
    try:
        harvest(one.shelf.engine, [collector], one.silent, full, lambda: one.jira.now)
    except Killed:
        return True
    return False


@BOTH
def test_a_harvest_that_is_killed_goes_on_where_it_was(line, cloud, fresh, monkeypatch):
    monkeypatch.setattr("collectors.jira.search.BATCH", 5)
    one = line(cloud=cloud, page=3)
    for _ in range(40):
        one.jira.tick(hours=1)
        one.jira.move(one.jira.make(), "3")
    killed(one, 5)
    assert len(one.rows("tickets")) == 20
    assert one.collect().read["tickets"] <= 21
    whole = fresh()
    one.collect(shelf=whole)
    assert one.shelf.everything() == whole.everything()


def test_what_a_full_harvest_that_was_killed_has_read_is_taken_back_when_it_is_gone(line, monkeypatch):
    monkeypatch.setattr("collectors.jira.search.BATCH", 2)
    one = line()
    one.busy(3, 1)
    one.collect()
    one.jira.late = timedelta(minutes=30)
    late = one.jira.make()
    one.jira.late = timedelta()
    one.jira.tick(hours=1)
    killed(one, 2, full=True)
    assert len(one.rows("tickets")) == 4
    one.jira.delete(late)
    one.jira.tick(days=7)
    one.collect()
    assert len(one.rows("tickets")) == 3


def during(place, deed):
    """A handler that lets something happen just before the answer to a search for issues, the first of which is 1."""
    searches = []

    def handler(jira, method, path, query, *rest):
        if "summary" in query.get("fields", [""])[0]:
            searches.append(path)
            if len(searches) == place:
                deed(jira)
        return jira.handle(method, path, query, *rest)

    return handler


def test_what_changes_behind_a_long_harvest_is_read_by_the_next_one(line):
    def deed(jira):
        jira.move("10001", "5")  # that has been read
        jira.tick(hours=2)
        jira.move("10009", "5")  # that has not

    one = line(during(3, deed), cloud=False, page=2)
    one.busy(10, 1)
    one.collect()
    one.collect()
    done = {row["key"] for row in one.rows("tickets") if row["status"] == "Done"}
    assert done == {"PAY-1", "PAY-9"}


def test_issues_that_are_deleted_while_pages_are_read_make_no_other_one_be_passed_over(line):
    def deed(jira):
        jira.delete("10001")
        jira.delete("10002")

    one = line(during(7, deed), cloud=False, page=3)
    one.busy(9, 1)
    one.collect()
    for number in one.jira.issues:
        one.jira.move(number, "5")
    one.collect()
    assert {row["key"] for row in one.rows("tickets") if row["status"] != "Done"} == set()


@BOTH
def test_an_issue_that_gets_another_key_while_pages_are_read_is_there_once(line, cloud):
    one = line(during(3, lambda jira: jira.carry("10001", "PAY")), cloud=cloud, page=2)
    one.busy(7, 1)
    one.collect()
    one.jira.tick(hours=1)
    one.collect()
    keys = {issue["key"] for issue in one.jira.issues.values()}
    assert {row["key"] for row in one.rows("tickets")} == {row["ticket"] for row in one.rows("transitions")} == keys
    assert "PAY-1" not in keys


def test_pages_that_end_too_early_are_made_up_for(line):
    def handler(jira, method, path, query, *rest):
        status, date, answer = jira.handle(method, path, query, *rest)
        if "nextPageToken" in query and "updated ASC" in query["jql"][0]:
            del answer["nextPageToken"]
        return status, date, answer

    one = line(handler, page=5)
    one.busy(30, 1)
    one.collect()
    assert len(one.rows("tickets")) == 30


def test_an_incident_that_was_read_alone_and_then_deleted_is_taken_back(line):
    def handler(jira, method, path, query, *rest):
        if "labels" in query.get("jql", [""])[0] and len(jira.issues) == 3:
            jira.make(labels=["outage"])
        return jira.handle(method, path, query, *rest)

    one = line(handler)
    one.busy(3, 1)
    one.collect(incident_jql="labels = outage")
    assert [row["ticket"] for row in one.rows("incidents")] == ["PAY-4"]
    one.jira.delete("10004")
    one.jira.tick(days=7)
    one.jira.make()
    one.collect(incident_jql="labels = outage")
    assert one.rows("incidents") == []
    assert [row["key"] for row in one.rows("tickets")] == ["PAY-1", "PAY-2", "PAY-3", "PAY-5"]


@BOTH
@pytest.mark.parametrize("seed", range(6))
def test_many_harvests_of_a_site_that_changes_equal_one_at_the_end(line, cloud, seed, fresh, monkeypatch):
    monkeypatch.setattr("collectors.jira.search.BATCH", 4)
    dice = random.Random(seed)
    restless = [True]

    def handler(jira, *asked):
        if restless[0] and dice.random() < 0.1:
            happen(jira, dice)
        return jira.handle(*asked)

    zone, page = dice.choice(["UTC", "Asia/Tokyo", "America/Los_Angeles"]), dice.choice([2, 3, 100])
    one = line(handler, cloud=cloud, page=page, millis=dice.random() < 0.5, zone=zone, log_page=dice.choice([3, 1000]))
    jira = one.jira
    keys = {"projects": ["PAY", "SHOP"], "incident_jql": "labels = outage", "incident_types": ["Incident"]}
    for _ in range(12):
        jira.make(dice.choice(["PAY", "SHOP"]), dice.choice(["Story", "Incident"]))
    for step in range(40):
        happen(jira, dice)
        if dice.random() < 0.4:
            killed(one, dice.randrange(6), **keys)
        if step % 8 == 7:
            assert one.collect(**keys).error is None
    restless[0], jira.late = False, timedelta()
    jira.tick(minutes=11)
    jira.move(next(iter(jira.issues)), "4")  # another name of a status is noticed by an issue that has it now
    one.collect(**keys)
    assert still_there(one) == still_there(one, whole := fresh(), **keys)
    jira.tick(days=7)
    assert one.collect(**keys).error is None
    assert everything(one.shelf) == everything(whole)
    outcome = one.collect(**keys)
    assert outcome.read.total() == 0
    assert outcome.requests == 3 or page < 100


def still_there(one, shelf=None, **keys):
    """The rows of issues that are still on the site, after a harvest into another store if there is one."""
    if shelf is not None:
        assert one.collect(shelf=shelf, **keys).error is None
    there = {issue["key"] for issue in one.jira.issues.values()}
    tables = everything(shelf or one.shelf, there)
    return {name: [row for row in rows if row.get("key", row.get("ticket")) in there] for name, rows in tables.items()}


def everything(shelf, there=None):
    """All rows but of identities, which are not taken back; and of links only those between issues that are there.

    The other end of an issue that was deleted or has another key is not always said to have changed.
    """
    found = {name: shelf.rows(name) for name in ("tickets", "transitions", "ticket_changes", "incidents")}
    keys = {row["key"] for row in found["tickets"]} if there is None else there
    return found | {"ticket_links": [row for row in shelf.rows("ticket_links") if {row["ticket"], row["other"]} <= keys]}


def happen(jira, dice):
    """Something happens on a site."""
    jira.tick(seconds=dice.randrange(1, 900))
    jira.late = timedelta(minutes=dice.choice([0, 0, 1, 10]))
    number = dice.choice(list(jira.issues))
    deed = dice.randrange(14)
    if deed < 4:
        jira.move(number, dice.choice("1345"), by=dice.choice(["acc-ann", "acc-bob", "acc-app", None]))
    elif deed < 6:
        jira.assign(number, dice.choice(["acc-ann", "acc-bob", None]))
    elif deed == 6:
        jira.carry(number, dice.choice(["PAY", "SHOP"]))
    elif deed == 7 and len(jira.issues) > 4:
        jira.delete(number)
    elif deed == 8:
        jira.edit(number, labels=dice.choice([[], ["outage"], ["web"]]))
    elif deed == 9:
        jira.statuses["4"] = (f"Review {dice.randrange(3)}", "indeterminate")
        jira.move(number, "3")
        jira.tick(seconds=1)
        jira.move(number, "4")
    elif deed == 10:
        jira.link(number, dice.choice(["Blocks", "Problem", "Relates"]), dice.choice([key for key in jira.issues if key != number]))
    elif deed == 11 and (links := {one["id"] for issue in jira.issues.values() for one in issue["fields"]["issuelinks"]}):
        jira.unlink(dice.choice(sorted(links)))
    else:
        jira.make(dice.choice(["PAY", "SHOP"]))
