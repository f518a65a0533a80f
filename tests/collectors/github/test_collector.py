"""A harvest of GitHub as a whole: what it costs, what it survives, and what it says of what it cannot read."""

from datetime import timedelta

import pytest
from github_graphql import Denied, actor, at, commit, pull, push, repository, review
from shelf import both, in_turn

from collectors.base import Context
from collectors.github.collector import GitHubCollector
from vsm.config import ConfigError
from vsm.models import TABLES

LISTS = ("pull_requests", "pull_request_commits", "reviews", "commits", "identities", "repositories")


def shop(many: int, **told):
    """A repository with so many merged pull requests of one commit and one review, and a commit for each."""
    head = commit("0" * 40, at(0))
    pulls = []
    for number in range(1, many + 1):
        mine = commit(f"{number:040x}", at(number))
        head = commit(f"f{number:039x}", at(number + 0.5), head, message=f"Change {number} (#{number})")
        pulls.append(
            pull(
                number,
                at(number),
                mergedAt=at(number + 0.5),
                mergeCommit={"oid": head["oid"]},
                commits=[{"commit": mine}],
                reviews=[review("bob", at(number + 0.25))],
                labels=[{"name": "feature"}],
            )
        )
    return repository("acme/shop", pulls=pulls, head=head, **told)


def test_a_thousand_pull_requests_take_at_most_sixty_requests(shelf, github):
    _, server = github([shop(1000)])
    outcome = shelf.collect(server.url, commits=False)
    assert outcome.error is None
    assert len(shelf.rows("pull_requests")) == len(shelf.rows("reviews")) == len(shelf.rows("pull_request_commits")) == 1000
    assert all("first_commit_at" in row and "first_review_at" in row for row in shelf.rows("pull_requests"))
    assert server.count("/graphql") == 40
    assert outcome.requests == len(server.requests) <= 60


def test_a_thousand_pull_requests_by_rest_take_at_most_eleven_hundred_requests(shelf, github):
    peer, server = github([shop(1000)])
    peer.refuses = True
    outcome = shelf.collect(server.url, commits=False)
    assert outcome.error is None
    assert all("first_commit_at" in row and "first_review_at" in row for row in shelf.rows("pull_requests"))
    assert len(shelf.rows("pull_requests")) == 1000
    assert server.count("/timeline") == 1000
    assert outcome.requests == len(server.requests) <= 1100


def test_a_second_harvest_with_nothing_new_asks_graphql_once(shelf, github):
    _, server = github([shop(60)])
    shelf.collect(server.url)
    before = shelf.everything()
    server.forget()
    outcome = shelf.collect(server.url)
    assert server.count("/graphql") == 1
    assert (outcome.error, outcome.changed, outcome.gone, outcome.new) == (None, 0, 0, 0)
    assert shelf.everything() == before


def test_a_second_harvest_by_rest_asks_for_each_list_once(shelf, github):
    peer, server = github([shop(60)])
    peer.refuses = True
    shelf.collect(server.url)
    server.forget()
    outcome = shelf.collect(server.url)
    assert outcome.error is None
    assert server.counts["/repos/acme/shop/pulls"] == 1
    assert server.count("timeline") == server.count("/compare/") == server.counts["/repos/acme/shop/commits"] == 0
    assert max(server.counts.values()) == 1


def test_a_refusal_of_graphql_is_remembered_for_a_day_of_the_servers_clock(shelf, github):
    peer, server = github([shop(20), repository("acme/till", 2)])
    peer.refuses = True

    def asked(**keys: object) -> int:
        server.forget()
        assert shelf.collect(server.url, repositories=["acme/shop", "acme/till"], **keys).error is None
        return server.counts["/graphql"]

    assert [asked(), asked(), asked()] == [1, 0, 0]
    peer.now += timedelta(hours=23)
    assert asked() == 0
    peer.now += timedelta(hours=2)
    assert [asked(), asked(), asked()] == [0, 1, 0]  # the clock is known once the server has answered
    assert [asked(full=True), asked()] == [1, 0]
    peer.now += timedelta(hours=25)
    peer.refuses = False
    assert [asked(), asked(), asked()] == [0, 2, 2]
    peer.refuses = True
    assert [asked(), asked()] == [1, 0]


def test_without_a_token_nothing_is_remembered_and_another_server_is_asked(shelf, github):
    peer, server = github([shop(2)])
    peer.refuses = True
    shelf.collect(server.url, token=None)
    peer.refuses = False
    server.forget()
    shelf.collect(server.url)
    assert server.counts["/graphql"] == 1
    peer.refuses = True
    shelf.collect(server.url)
    _, other = github([shop(2)])
    shelf.collect(other.url)
    assert other.counts["/graphql"] == 1


@both
def test_graphql_and_rest_tell_the_same(shelf, fresh, github):
    peer, server = github([shop(130)])
    shelf.collect(server.url)
    peer.refuses = True
    other = fresh()
    other.collect(server.url)
    rest = other.everything()
    for row in shelf.rows("pull_requests"):  # sizes are not in REST's lists
        row.pop("additions"), row.pop("deletions")
        assert row == rest["pull_requests"].pop(0)
    for name in LISTS[1:]:
        assert shelf.rows(name) == rest[name]


@in_turn("refuses", [False, True])
def test_what_is_new_is_found_without_reading_the_rest_again(shelf, fresh, github, refuses):
    peer, server = github([one := shop(300)])
    peer.refuses = refuses
    shelf.collect(server.url)
    head = one["defaultBranchRef"]["target"]
    one["pullRequests"].append(pull(301, at(400)))
    one["pullRequests"][4] |= {"updatedAt": at(401), "reviews": [review("bob", at(401), "CHANGES_REQUESTED")]}
    push(one, commit("e" * 40, at(402), head))
    server.forget()
    outcome = shelf.collect(server.url)
    assert outcome.error is None
    assert server.count("/graphql") == 1 if not refuses else server.count("timeline") == 2
    again = fresh()
    again.collect(server.url)
    assert shelf.everything() == again.everything()
    assert shelf.rows("reviews")[4]["state"] in ("approved", "changes_requested")


@in_turn("refuses", [True, False])
def test_a_harvest_that_is_stopped_at_any_page_goes_on_and_does_not_start_over(shelf, fresh, github, refuses):
    peer, server = github([shop(90)])
    peer.refuses = refuses
    shelf.collect(server.url)
    whole, most = shelf.everything(), len(server.requests)
    for page in range(1, 8):
        stopped = fresh()
        server.forget()
        with pytest.raises(KeyboardInterrupt):
            stopped.collect(server.url, until=page)
        kept = len(stopped.rows("pull_requests"))
        outcome = stopped.collect(server.url)
        assert outcome.error is None
        assert stopped.everything() == whole
        assert outcome.read["pull_requests"] <= 90 - kept
        assert len(server.requests) <= most + (3 if not refuses else 12)


def test_a_harvest_that_is_stopped_again_and_again_comes_to_its_end(shelf, fresh, github):
    _, server = github([shop(120)])
    whole = fresh()
    whole.collect(server.url)
    for _ in range(30):
        try:
            shelf.collect(server.url, until=3)
        except KeyboardInterrupt:
            continue
        break
    shelf.collect(server.url)
    assert shelf.everything() == whole.everything()


def test_what_graphql_began_rest_brings_to_its_end(shelf, fresh, github):
    peer, server = github([shop(110)])
    with pytest.raises(KeyboardInterrupt):
        shelf.collect(server.url, until=3)
    peer.refuses = True
    assert shelf.collect(server.url).error is None
    whole = fresh()
    whole.collect(server.url)
    numbers = [row["number"] for row in shelf.rows("pull_requests")]
    assert numbers == [row["number"] for row in whole.rows("pull_requests")] == list(range(1, 111))
    for name in LISTS[1:]:
        assert shelf.rows(name) == whole.rows(name)


def test_what_changes_while_a_harvest_is_stopped_is_not_missed(shelf, fresh, github):
    _, server = github([one := shop(110)])
    with pytest.raises(KeyboardInterrupt):
        shelf.collect(server.url, until=4)
    one["pullRequests"][3] |= {"updatedAt": at(500), "title": "Another title"}
    one["pullRequests"].append(pull(111, at(501)))
    shelf.collect(server.url)
    whole = fresh()
    whole.collect(server.url)
    assert shelf.everything() == whole.everything()
    assert shelf.rows("pull_requests")[3]["title"] == "Another title"


def test_a_budget_of_requests_is_kept_and_the_next_run_goes_on(shelf, fresh, github):
    _, server = github([shop(250)])
    outcome = shelf.collect(server.url, max_requests=4)
    assert "max_requests allows 4 a run" in outcome.error
    assert len(server.requests) == 4
    for _ in range(6):
        outcome = shelf.collect(server.url, max_requests=4)
        if outcome.error is None:
            break
    assert outcome.error is None
    whole = fresh()
    whole.collect(server.url)
    assert shelf.everything() == whole.everything()


def test_only_what_changed_since_a_day_is_asked_for_and_the_rest_when_the_day_is_moved_back(shelf, fresh, github):
    from datetime import UTC, datetime

    _, server = github([shop(250)])
    since = datetime(2026, 1, 14, tzinfo=UTC)
    shelf.collect(server.url, since=since)
    assert 0 < len(shelf.rows("pull_requests")) < 60
    assert min(row["merged_at"] for row in shelf.rows("pull_requests")) >= since
    shelf.collect(server.url)
    whole = fresh()
    whole.collect(server.url)
    assert shelf.everything() == whole.everything()


def test_a_server_that_cannot_give_so_much_is_asked_for_less_and_that_is_remembered(shelf, github):
    peer, server = github([shop(100)])
    peer.most = 6
    assert shelf.collect(server.url, commits=False).error is None
    assert len(shelf.rows("pull_requests")) == 100
    asked = [request.json["variables"]["first"] for request in server.requests if request.path == "/graphql"]
    assert asked == [25, 12, *[6] * 11, 12, *[6] * 6]  # and now and then more is tried
    server.forget()
    assert shelf.collect(server.url, commits=False).error is None
    assert [request.json["variables"]["first"] for request in server.requests if request.path == "/graphql"] == [6]
    assert shelf.pauses == []


def test_where_even_little_is_too_much_for_one_question_several_are_asked(shelf, github):
    peer, server = github([shop(10)])
    peer.faults = [(502, {}, {"message": "Server Error"})] * 5
    outcome = shelf.collect(server.url)
    assert (outcome.error, len(shelf.rows("pull_requests")), len(shelf.rows("commits"))) == (None, 10, 11)


@both
def test_a_renamed_repository_is_read_again_under_its_new_name(shelf, fresh, github):
    _, server = github([one := shop(30)])
    shelf.collect(server.url)
    one |= {"nameWithOwner": "acme/store", "name": "store", "former": ["acme/shop"], "url": "https://github.example/acme/store"}
    outcome = shelf.collect(server.url)
    assert outcome.error is None
    assert outcome.warnings[0].startswith("acme/shop is now acme/store: it is read again under its new name")
    again = fresh()
    again.collect(server.url, repositories=["acme/store"])
    assert shelf.everything() == again.everything()
    assert {row["repository"] for row in shelf.rows("pull_requests") + shelf.rows("commits")} == {"acme/store"}
    server.forget()
    assert shelf.collect(server.url).changed == 0
    assert server.count("/graphql") == 1


def test_a_rename_that_is_read_in_two_runs_ends_the_same(shelf, fresh, github):
    _, server = github([one := shop(90)])
    shelf.collect(server.url)
    one |= {"nameWithOwner": "acme/store", "name": "store", "former": ["acme/shop"]}
    with pytest.raises(KeyboardInterrupt):
        shelf.collect(server.url, until=2)
    shelf.collect(server.url)
    again = fresh()
    again.collect(server.url, repositories=["acme/store"])
    assert shelf.everything() == again.everything()


def test_by_rest_a_renamed_repository_is_found_too(shelf, github):
    peer, server = github([shop(30, former=["acme/old"])])
    peer.refuses = True
    outcome = shelf.collect(server.url, repositories=["acme/old"])
    assert outcome.error is None
    assert {row["repository"] for row in shelf.rows("pull_requests")} == {"acme/shop"}
    assert len(shelf.rows("pull_requests")) == 30


def test_a_repository_that_is_not_there_is_a_sentence_and_the_others_are_read(shelf, github):
    _, server = github([shop(3)])
    outcome = shelf.collect(server.url, repositories=["acme/gone", "acme/shop"])
    assert outcome.error is None
    assert outcome.warnings == ("acme/gone: it is not there, or not for this token: check the name, and the token's rights",)
    assert len(shelf.rows("pull_requests")) == 3


def test_where_no_repository_can_be_read_the_harvest_has_failed(shelf, github):
    _, server = github([])
    outcome = shelf.collect(server.url)
    assert outcome.error == "it is not there, or not for this token: check the name, and the token's rights"


def test_an_empty_repository_is_a_sentence(shelf, github):
    for refuses in (False, True):
        peer, server = github([repository("acme/shop")])
        peer.refuses = refuses
        outcome = shelf.collect(server.url)
        assert (outcome.error, outcome.warnings) == (None, ("acme/shop has no commits yet",))
    assert shelf.rows("repositories") == [{"name": "acme/shop", "url": "https://github.example/acme/shop"}]


def test_a_list_that_the_token_may_not_read_is_a_sentence_and_the_others_are_read(shelf, github):
    one = shop(3)
    one["deployments"] = Denied("FORBIDDEN", "Resource not accessible by personal access token")
    _, server = github([one])
    outcome = shelf.collect(server.url)
    assert outcome.error is None
    assert outcome.warnings == (
        "acme/shop: its deployments are left out: not allowed (Resource not accessible by personal access token (FORBIDDEN)):"
        " give the token, or the app, the right to read it",
    )
    assert len(shelf.rows("pull_requests")) == 3


def test_an_archived_repository_is_read_once_and_then_left_alone(shelf, github):
    peer, server = github([shop(30, isArchived=True)])
    shelf.collect(server.url, repositories=None, organisations=["acme"])
    assert len(shelf.rows("pull_requests")) == 30
    server.forget()
    outcome = shelf.collect(server.url, repositories=None, organisations=["acme"])
    assert (outcome.error, len(server.requests)) == (None, 1)
    peer.repositories[0]["pushedAt"] = at(9999)
    peer.repositories[0]["pullRequests"].append(pull(31, at(9999)))
    shelf.collect(server.url, repositories=None, organisations=["acme"])
    assert len(shelf.rows("pull_requests")) == 31


def test_a_server_that_is_down_is_given_up_after_three_repositories(shelf, github):
    peer, server = github([shop(1)])
    peer.faults = [(503, {}, {"message": "Service Unavailable"})] * 100
    outcome = shelf.collect(server.url, repositories=[f"acme/shop{number}" for number in range(9)])
    assert "answered GraphQL with 503, 6 times" in outcome.error
    assert len(server.requests) == 18


@both
def test_facts_told_again_from_raw_answers_are_the_same(shelf, github):
    from collectors.harvest import merged
    from vsm import store
    from vsm.models import uid, validate

    _, server = github([shop(30)])
    shelf.collect(server.url)
    collector = GitHubCollector.configured({"repositories": ["acme/shop"]}, Context(shelf.folder))
    raw = store.raw_records(shelf.engine, "github")
    told = merged(collector.told(*one) for one in raw)
    for table, rows in told.items():
        assert table.__tablename__ in TABLES
        valid = {uid(table, row): row for row in (validate(table, row) for row in rows)}
        kept = [{name: value for name, value in row.items() if value is not None} for row in valid.values()]
        order = sorted(kept, key=lambda row: [str(row.get(name, "")) for name in table.key_columns])
        there = sorted(shelf.rows(str(table.__tablename__)), key=lambda row: [str(row.get(name, "")) for name in table.key_columns])
        assert order == there


@both
def test_no_raw_answer_holds_an_address_a_body_or_the_token(shelf, github, token):
    from vsm import store

    one = shop(3)
    one["pullRequests"][0]["comments"] = [{"createdAt": at(1), "author": actor("bob"), "body": "a secret thought"}]
    _, server = github([one])
    shelf.collect(server.url)
    kept = repr(list(store.raw_records(shelf.engine, "github")))
    assert "@example.org" not in kept
    assert "a secret thought" not in kept
    assert token not in kept


def test_a_token_that_is_not_there_is_a_sentence(shelf, github, monkeypatch):
    monkeypatch.delenv("GITHUB_TOKEN")
    _, server = github([shop(1)])
    outcome = shelf.collect(server.url)
    assert outcome.error == ("source github: token: the environment variable GITHUB_TOKEN is not set; set it, or name another")
    assert server.requests == []


def test_single_sign_on_that_is_missing_is_a_sentence_with_what_to_do(shelf, github):
    _, server = github([Denied("FORBIDDEN", "Resource protected by organization SAML enforcement.")])
    assert "authorise the token for it in GitHub's settings" in shelf.collect(server.url).error


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, 'expected repositories = ["owner/name"]'),
        ({"repositories": ["shop"]}, "repositories: expected owner/name, or a pattern such as owner/*, got 'shop'"),
        ({"repositories": ["*/shop"]}, "repositories: expected owner/name, or a pattern such as owner/*, got '*/shop'"),
        ({"repositories": []}, "repositories: expected text or a list of texts, got []"),
        ({"repositories": ["a/b"], "repository": "a/b"}, "no such key: repository; a github source has url, repositories"),
        ({"repositories": ["a/b"], "token": "ghp_abc"}, "token: a secret may not stand in the configuration"),
        ({"repositories": ["a/b"], "token": "env:GITHUB_TOKEN", "app_id": 1}, "expected either token or app_id"),
        ({"repositories": ["a/b"], "app_id": 1, "installation_id": 2}, "private_key is missing"),
        (
            {"repositories": ["a/b"], "app_id": "x y", "installation_id": 2, "private_key": "env:GITHUB_TOKEN"},
            "app_id: expected a number",
        ),
        ({"repositories": ["a/b"], "url": "https://github.com"}, "url: expected https://api.github.com, or https://HOST/api/v3"),
        (
            {"repositories": ["a/b"], "url": "ftp://x"},
            "url: expected https://api.github.com, or https://HOST/api/v3 for GitHub Enterprise Server, got 'ftp://x'",
        ),
        ({"repositories": ["a/b"], "url": "https://ann:pw@ghe.example/api/v3"}, "url: no user or password may stand in it"),
        ({"repositories": ["a/b"], "tickets": "yes"}, "tickets: expected true or false, got 'yes'"),
        ({"repositories": ["a/b"], "max_requests": 0}, "max_requests: expected a number of at least 1, got 0"),
        ({"organisations": ["a/b"]}, "organisations: expected the organisation's name alone, got 'a/b'"),
    ],
)
def test_a_wrong_key_is_refused_with_a_sentence(tmp_path, keys, said):
    with pytest.raises(ConfigError) as refused:
        GitHubCollector.configured({"name": "forge", **keys}, Context(tmp_path))
    assert "source forge" in str(refused.value)
    assert said in str(refused.value)
    assert "ann:pw" not in str(refused.value)
    assert "ghp_abc" not in str(refused.value)
