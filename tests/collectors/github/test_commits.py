"""Commits on the default branch: all of them once, and then exactly those that came, whatever their dates."""

from datetime import UTC, datetime

import pytest
from github_graphql import at, commit, push, repository


def chain(many: int, under=None, letter: str = "0", hour: float = 0):
    """Commits one on top of the other; the newest."""
    for number in range(many):
        message = f"Work {number}\n\nfor Ann <ann@example.org>\n"
        under = commit(f"{letter}{number:039x}", at(hour + number), *([under] if under else []), message=message)
    return under


@pytest.fixture(params=[False, True], ids=["GraphQL", "REST"])
def shop(request, github):
    """A repository with a history: the repository, and its server."""

    def start(head):
        peer, server = github([one := repository("acme/shop", head=head)])
        peer.refuses = request.param
        return one, server

    return start


def test_a_commit_is_told_whole_and_without_an_address(shelf, shop, who):
    base = commit("a" * 40, at(0), email="Ann@Example.org", message="Begin\n\nby Ann <ann@example.org>\n")
    other = commit("b" * 40, at(1), email=None, login=None, message="Side")
    _, server = shop(commit("c" * 40, at(2), base, other, email="bob@example.org", login="bob", message="Merge"))
    assert shelf.collect(server.url).error is None
    ann = who.mail("ann@example.org")
    place = {"repository": "acme/shop"}
    assert (
        [row | place for row in shelf.rows("commits")]
        == shelf.rows("commits")
        == [
            place
            | {
                "sha": "a" * 40,
                "authored_at": datetime.fromisoformat(at(0)),
                "committed_at": datetime.fromisoformat(at(0)),
                "author": ann,
                "subject": "Begin",
                "message": f"Begin\n\nby Ann <{ann}>",
            },
            place
            | {
                "sha": "b" * 40,
                "authored_at": datetime.fromisoformat(at(1)),
                "committed_at": datetime.fromisoformat(at(1)),
                "subject": "Side",
                "message": "Side",
            },
            place
            | {
                "sha": "c" * 40,
                "authored_at": datetime.fromisoformat(at(2)),
                "committed_at": datetime.fromisoformat(at(2)),
                "author": who.mail("bob@example.org"),
                "subject": "Merge",
                "message": "Merge",
                "parents": f"{'a' * 40} {'b' * 40}",
            },
        ]
    )
    people = {ann: "ann", who.mail("bob@example.org"): "bob", "ann": "ann", "bob": "bob"}
    assert {row["handle"]: row["person"] for row in shelf.rows("identities")} == people


def test_what_a_clone_told_of_a_commit_stays(shelf, shop):
    from vsm import store
    from vsm.models import Commit

    row = {"repository": "acme/shop", "sha": "a" * 40, "authored_at": at(0), "committed_at": at(0), "subject": "From the clone"}
    with store.transaction(shelf.engine) as connection:
        store.save(connection, Commit, [row], origin="git")
    _, server = shop(commit("a" * 40, at(0), message="From GitHub"))
    shelf.collect(server.url)
    (kept,) = shelf.rows("commits")
    assert kept["subject"] == "From the clone"


def test_a_long_history_is_read_a_hundred_at_once(shelf, shop):
    _, server = shop(chain(950))
    shelf.collect(server.url)
    assert len(shelf.rows("commits")) == 950
    assert server.count("/graphql") == 11 or server.counts["/repos/acme/shop/commits"] == 10


@pytest.mark.parametrize("page", [2, 4, 6])
def test_a_history_that_was_stopped_is_read_on_although_the_branch_went_on(shelf, fresh, shop, page):
    one, server = shop(head := chain(700))
    with pytest.raises(KeyboardInterrupt):
        shelf.collect(server.url, until=page)
    push(one, chain(150, head, "1", 800))
    server.forget()
    assert shelf.collect(server.url).error is None
    whole = fresh()
    whole.collect(server.url)
    assert shelf.rows("commits") == whole.rows("commits")
    assert len(shelf.rows("commits")) == 850


def test_news_that_the_poll_shows_take_no_more_requests(shelf, fresh, github):
    _, server = github([one := repository("acme/shop", head=(head := chain(50)))])
    shelf.collect(server.url)
    side = chain(3, head, "1", 60)
    push(one, commit("e" * 40, at(70), commit("d" * 40, at(65), head), side))
    server.forget()
    shelf.collect(server.url)
    assert (server.count("/graphql"), server.count("compare")) == (1, 0)
    whole = fresh()
    whole.collect(server.url)
    assert shelf.everything() == whole.everything()


def test_a_merge_that_brings_in_older_commits_hides_none_of_them(shelf, fresh, shop):
    base = chain(200)
    old = chain(40, base["parents"][0], "1", 3)  # committed long before what is on the branch already
    one, server = shop(head := chain(100, base, "2", 300))
    shelf.collect(server.url)
    assert len(shelf.rows("commits")) == 300
    push(one, commit("f" * 40, at(900), head, old))
    shelf.collect(server.url)
    assert len(shelf.rows("commits")) == 341
    whole = fresh()
    whole.collect(server.url)
    assert shelf.rows("commits") == whole.rows("commits")
    assert server.count("compare") == 1


def test_after_a_force_push_the_new_commits_are_there(shelf, shop):
    base = chain(30)
    one, server = shop(chain(5, base, "1", 100))
    shelf.collect(server.url)
    push(one, chain(6, base, "2", 200))
    shelf.collect(server.url)
    assert sum(row["sha"].startswith("2") for row in shelf.rows("commits")) == 6


def test_where_the_old_head_is_gone_the_history_is_read_anew(shelf, shop):
    one, server = shop(chain(30))
    shelf.collect(server.url)
    one["commits"] = {}
    push(one, chain(40, None, "2", 200))
    assert shelf.collect(server.url).error is None
    assert sum(row["sha"].startswith("2") for row in shelf.rows("commits")) == 40
    assert shelf.rows("repositories")[0]["head_sha"] == one["defaultBranchRef"]["target"]["oid"]


def test_where_the_head_of_a_stopped_reading_is_gone_it_begins_anew(shelf, fresh, github):
    _, server = github([one := repository("acme/shop", head=chain(300))])
    with pytest.raises(KeyboardInterrupt):
        shelf.collect(server.url, until=3)
    one["commits"] = {}
    push(one, chain(40, None, "2", 900))
    assert shelf.collect(server.url).error is None
    assert sum(row["sha"].startswith("2") for row in shelf.rows("commits")) == 40


def test_older_commits_than_asked_for_are_read_when_more_is_asked_for(shelf, github):
    _, server = github([repository("acme/shop", head=chain(300))])
    shelf.collect(server.url, since=datetime(2026, 1, 15, tzinfo=UTC))
    assert 0 < len(shelf.rows("commits")) < 100
    shelf.collect(server.url)
    assert len(shelf.rows("commits")) == 300
