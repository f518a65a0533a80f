"""What a pull request tells: whole rows, by GraphQL and by REST, from recorded answers and from a history made by an emulator."""

import csv
import json
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from github_graphql import START, actor, at, comment, commit, event, pull, repository, review

from collectors.github import pulls_rest
from collectors.github.pulls import PullRequests, ready_at
from collectors.github.pulls_rest import told
from collectors.github.resource import Rules

READY, DRAFT = "ReadyForReviewEvent", "ConvertToDraftEvent"


def hour(number: float) -> datetime:
    """The instant of `at`, as the store gives it."""
    return START + timedelta(hours=number)


@pytest.fixture(params=["GraphQL", "REST"])
def read(request, shelf, github):
    """Harvests pull requests by either interface, and gives their rows by number."""

    def harvest(*pulls, **told):
        peer, server = github([repository("acme/shop", pulls=pulls, head=commit("0" * 40, at(0)))])
        peer.refuses = request.param == "REST"
        outcome = shelf.collect(server.url, commits=False, **told)
        assert outcome.error is None
        return {row["number"]: row for row in shelf.rows("pull_requests")}

    harvest.sizes = {"additions": 3, "deletions": 1} if request.param == "GraphQL" else {}
    return harvest


def test_a_merged_pull_request_is_told_whole(read, shelf):
    one = pull(
        7,
        at(10),
        mergedAt=at(50),
        title="Pay by card",
        mergeCommit={"oid": "c" * 40},
        headRefOid="b" * 40,
        headRefName="PAY-12-card",
        commits=[
            {"commit": commit("b" * 40, at(9), email="Ann@Example.org")},
            {"commit": commit("a" * 40, at(3), email="7+bob@users.noreply.github.com", login="bob")},
        ],
        reviews=[review("bob", at(20), "COMMENTED"), review("bob", at(30), "APPROVED"), review("cy", at(40), "APPROVED")],
        comments=[comment("cy", at(15)), comment("ann", at(16))],
        labels=[{"name": "feature"}, {"name": "a;b"}],
    )
    assert read(one)[7] == {
        "repository": "acme/shop",
        "number": 7,
        "title": "Pay by card",
        "author": "ann",
        "source_branch": "PAY-12-card",
        "target_branch": "main",
        "created_at": hour(10),
        "ready_at": hour(10),
        "first_commit_at": hour(3),
        "first_review_at": hour(20),
        "approved_at": hour(30),
        "merged_at": hour(50),
        "closed_at": hour(50),
        "merge_sha": "c" * 40,
        "head_sha": "b" * 40,
        "labels": "a,b;feature",
        "url": "https://github.example/pull/7",
        **read.sizes,
    }
    place = {"repository": "acme/shop", "number": 7}
    assert shelf.rows("pull_request_commits") == [
        place | {"sha": "a" * 40, "authored_at": hour(3)},
        place | {"sha": "b" * 40, "authored_at": hour(9)},
    ]
    assert sorted(shelf.rows("reviews"), key=lambda row: row["submitted_at"]) == [
        place | {"submitted_at": hour(20), "reviewer": "bob", "state": "commented"},
        place | {"submitted_at": hour(30), "reviewer": "bob", "state": "approved"},
        place | {"submitted_at": hour(40), "reviewer": "cy", "state": "approved"},
    ]
    assert sorted(shelf.rows("comments"), key=lambda row: row["at"]) == [
        place | {"at": hour(15), "author": "cy"},
        place | {"at": hour(16), "author": "ann"},
    ]


def test_commits_show_whose_an_address_is(shelf, github, who):
    commits = [
        commit("1" * 40, at(1), email="Ann@Example.org", login="ann"),
        commit("2" * 40, at(2), email="7+bob@users.noreply.github.com", login="bob"),
        commit("3" * 40, at(3), email="49699333+dependabot[bot]@users.noreply.github.com", login=None),
        commit("4" * 40, at(4), email="nobody@example.org", login=None),
    ]
    one = pull(1, at(5), author=actor("dependabot[bot]"), commits=[{"commit": one} for one in commits])
    _, server = github([repository("acme/shop", pulls=[one])])
    shelf.collect(server.url)
    git = {"bob@users.noreply.github.com": "bob", who.mail("ann@example.org"): "ann"}
    git["dependabot[bot]@users.noreply.github.com"] = "bot:dependabot[bot]"
    accounts = {"ann": "ann", "bob": "bob", "dependabot[bot]": "bot:dependabot[bot]"}
    assert shelf.rows("identities") == [
        {"source": source, "handle": handle, "person": person}
        for source, told in (("git", git), ("github", accounts))
        for handle, person in sorted(told.items())
    ]
    assert shelf.rows("pull_requests")[0]["author"] == "dependabot[bot]"


def test_an_identity_that_a_person_has_set_right_stays(shelf, github, who):
    from vsm import store
    from vsm.models import Identity

    row = {"source": "git", "handle": who.mail("ann@example.org"), "person": "Ann Lee"}
    with store.transaction(shelf.engine) as connection:
        store.save(connection, Identity, [row], origin="configuration")
    _, server = github([repository("acme/shop", pulls=[pull(1, at(5), commits=[{"commit": commit("1" * 40, at(1))}])])])
    shelf.collect(server.url)
    assert shelf.rows("identities") == [row, {"source": "github", "handle": "ann", "person": "ann"}]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, 0),
        ({"isDraft": True}, None),
        ({"isDraft": True, "timelineItems": [event(DRAFT, at(2))]}, None),
        ({"timelineItems": [event(READY, at(5))]}, 5),
        ({"timelineItems": [event(READY, at(5))], "mergedAt": at(4)}, 5),  # reviewed or merged as a draft: then, at last
        ({"timelineItems": [event(READY, at(5)), event(DRAFT, at(6)), event(READY, at(8))]}, 8),
        ({"timelineItems": [event(READY, at(5)), event(DRAFT, at(6)), event(READY, at(8))], "reviews": [review("bob", at(7))]}, 5),
        ({"timelineItems": [event(DRAFT, at(2)), event(READY, at(3))]}, 3),
        ({"timelineItems": [event(DRAFT, at(2)), event(READY, at(3))], "reviews": [review("bob", at(1))]}, 0),
        ({"timelineItems": [event(READY, at(5)), event(DRAFT, at(6)), event(READY, at(8))], "reviews": [review("ann", at(7))]}, 8),
    ],
)
def test_a_pull_request_is_ready_when_it_last_ceased_to_be_a_draft_before_anybody_acted(read, told, expected):
    row = read(pull(1, at(0), **told))[1]
    assert row.get("ready_at") == (None if expected is None else hour(expected))


def test_the_first_review_is_a_persons_who_is_not_the_author(read, shelf):
    one = pull(
        1,
        at(0),
        reviews=[
            review("copilot[bot]", at(1), "COMMENTED"),
            review("Ann", at(2), "COMMENTED"),
            review("scanner[bot]", at(3), "APPROVED"),
            review(None, at(4), "CHANGES_REQUESTED"),
            review("bob", at(5), "DISMISSED"),
            review("cy", at(6), "APPROVED"),
            {"state": "PENDING", "submittedAt": None, "author": actor("dee")},
        ],
    )
    row = read(one)[1]
    assert (row["first_review_at"], row["approved_at"]) == (hour(4), hour(6))
    assert len(shelf.rows("reviews")) == 6
    assert [row for row in shelf.rows("reviews") if "reviewer" not in row] == [
        {"repository": "acme/shop", "number": 1, "submitted_at": hour(4), "state": "changes_requested"}
    ]


def test_of_two_reviews_in_one_second_the_stronger_one_counts(read, shelf):
    read(pull(1, at(0), reviews=[review("bob", at(1), "APPROVED"), review("bob", at(1), "COMMENTED")]))
    assert [row["state"] for row in shelf.rows("reviews")] == ["approved"]


def test_a_deleted_author_is_missing(read, shelf):
    row = read(pull(1, at(0), author=None, comments=[comment(None, at(1)), comment("ghost", at(2))]))[1]
    assert "author" not in row
    assert all("author" not in row for row in shelf.rows("comments"))


def test_one_that_was_closed_without_a_merge_has_no_merge_commit(read):
    row = read(pull(1, at(0), closedAt=at(9), headRepository=None))[1]
    assert row["closed_at"] == hour(9)
    assert not {"merged_at", "merge_sha", "labels", "first_commit_at"} & set(row)


def test_after_a_force_push_the_commits_before_it_are_gone(shelf, github):
    one = pull(1, at(0), commits=[{"commit": commit("1" * 40, at(0))}, {"commit": commit("2" * 40, at(0))}])
    _, server = github([repository("acme/shop", pulls=[one])])
    shelf.collect(server.url)
    one |= {"commits": [{"commit": commit("3" * 40, at(1))}], "updatedAt": at(2), "headRefOid": "3" * 40}
    one["timelineItems"] = [event("HeadRefForcePushedEvent", at(2))]
    outcome = shelf.collect(server.url)
    assert outcome.gone == 2
    assert [row["sha"] for row in shelf.rows("pull_request_commits")] == ["3" * 40]
    assert shelf.rows("pull_requests")[0]["head_sha"] == "3" * 40


def test_lists_that_were_cut_short_are_read_to_their_end(shelf, fresh, github):
    many = [{"commit": commit(f"{number:040x}", at(number))} for number in range(250, 0, -1)]
    talk = [comment("bob", at(number)) for number in range(180)]
    looks = [review("bob", at(200 + number), "COMMENTED") for number in range(70)]
    drafts = [event((DRAFT, READY)[number % 2], at(number / 10)) for number in range(120)]
    labels = [{"name": f"label-{number:03}"} for number in range(30)]
    big = {"commits": many, "comments": talk, "reviews": looks, "timelineItems": drafts, "labels": labels}
    peer, server = github([repository("acme/shop", pulls=[pull(1, at(0), **big), pull(2, at(1)), pull(3, at(2), **big)])])
    shelf.collect(server.url)
    assert len(shelf.rows("pull_request_commits")) == 500
    assert len(shelf.rows("comments")) == 360
    assert len(shelf.rows("reviews")) == 140
    row = shelf.rows("pull_requests")[0]
    assert row["labels"].count(";") == 29
    assert (row["first_commit_at"], row["ready_at"]) == (hour(1), hour(11.9))
    assert server.count("/graphql") == 3  # all that is cut short, in one question; and the hundred after that
    server.forget()
    shelf.collect(server.url)
    assert server.count("/graphql") == 1
    peer.refuses = True
    by_rest = fresh()
    by_rest.collect(server.url)
    for name in ("pull_request_commits", "comments", "reviews"):
        assert shelf.rows(name) == by_rest.rows(name)


def test_a_part_that_is_refused_is_left_out_and_said(shelf, github):
    from github_graphql import Denied

    hidden = Denied("FORBIDDEN", "Resource not accessible by integration")
    one = pull(1, at(0), headRepository=hidden, mergeCommit=hidden, mergedAt=at(3))
    _, server = github([repository("acme/shop", pulls=[one])])
    outcome = shelf.collect(server.url)
    assert outcome.error is None
    assert any("Resource not accessible by integration" in warning for warning in outcome.warnings)
    assert "merge_sha" not in shelf.rows("pull_requests")[0]


def test_where_a_timeline_is_not_given_the_lists_are_asked_one_by_one(shelf, fresh, github):
    one = pull(
        1, at(0), commits=[{"commit": commit("1" * 40, at(0))}], reviews=[review("bob", at(1))], comments=[comment("cy", at(2))]
    )
    peer, server = github([repository("acme/shop", pulls=[one, pull(2, at(3))])])
    peer.refuses, peer.timelines = True, False
    shelf.collect(server.url)
    assert server.count("timeline") == 1
    peer.timelines = True
    whole = fresh()
    whole.collect(server.url)
    for name in ("pull_requests", "pull_request_commits", "reviews", "comments"):
        assert shelf.rows(name) == whole.rows(name)


# Recorded.


@pytest.fixture
def ants(recorded) -> Path:
    """The recorded pull requests of panjf2000/ants."""
    return recorded / "github" / "devlake_ants"


def lines(folder: Path, name: str) -> list[dict]:
    """The recorded things of a list."""
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines() if line.strip()]


def by_number(folder: Path, name: str) -> dict[str, list[dict]]:
    """Recorded things by the number in the address that they were asked at."""
    found: dict[str, list[dict]] = defaultdict(list)
    asked = [re.search(r"/pulls/(\d+)/", one["url"])[1] for one in lines(folder, f"{name}.requests")]
    for number, one in zip(asked, lines(folder, name), strict=True):
        if one not in found[number]:
            found[number].append(one)
    return found


@pytest.fixture
def recording(ants, served):
    """A server of the recorded answers; it has no timelines."""
    pulls = {one["number"]: one for one in lines(ants, "pull_requests")}
    lists = {name: by_number(ants, f"pull_request_{name}") for name in ("commits", "reviews")}
    comments: dict[str, list[dict]] = defaultdict(list)
    for one in lines(ants, "comments"):
        comments[one["issue_url"].rpartition("/")[2]].append(one)
    home = next(one["base"]["repo"] for one in pulls.values() if one["base"]["repo"])

    def handle(method, path, query, headers, body):
        name = "/repos/panjf2000/ants"
        if path == name:
            return 200, {}, home
        if path == f"{name}/branches/master":
            return 200, {}, {"commit": {"sha": "0" * 40}}
        if path == f"{name}/pulls":
            return 200, {}, sorted(pulls.values(), key=lambda one: one["updated_at"], reverse=True)
        if found := re.fullmatch(rf"{name}/pulls/(\d+)/(commits|reviews)", path):
            return 200, {}, lists[found[2]][found[1]]
        if found := re.fullmatch(rf"{name}/issues/(\d+)/comments", path):
            return 200, {}, comments[found[1]]
        if path == f"{name}/actions/runs":
            return 200, {}, {"total_count": 0, "workflow_runs": []}
        return 404, {}, {"message": "Not Found"}

    return served(handle)


def test_recorded_pull_requests_are_what_devlake_expects_of_them(recording, shelf, recorded):
    outcome = shelf.collect(recording.url, repositories=["panjf2000/ants"], commits=False, tickets=False)
    assert outcome.error is None
    expected = recorded / "expected_devlake" / "github"

    def table(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader((expected / f"{name}.csv").read_text(encoding="utf-8-sig").splitlines()))

    numbers = {}
    for row in table("_tool_github_pull_requests"):
        numbers[row["github_id"]] = int(row["number"])
    ours = {row["number"]: row for row in shelf.rows("pull_requests")}
    assert set(ours) == set(numbers.values())
    for row in table("_tool_github_pull_requests"):
        mine = ours[int(row["number"])]
        told = {
            "title": row["title"],
            "author": row["author_name"] or None,
            "source_branch": row["head_ref"],
            "target_branch": row["base_ref"],
            "created_at": _time(row["github_created_at"]),
            "merged_at": _time(row["merged_at"]),
            "closed_at": _time(row["closed_at"]),
            "merge_sha": row["merge_commit_sha"] if row["merged_at"] else None,  # DevLake keeps the trial merge, too
            "head_sha": row["head_commit_sha"],
            "url": row["url"],
        }
        assert {name: mine.get(name) for name in told} == told
    commits = {(numbers[row["pull_request_id"]], row["commit_sha"]) for row in table("_tool_github_pull_request_commits")}
    assert {(row["number"], row["sha"]) for row in shelf.rows("pull_request_commits")} == commits
    reviews = {
        (numbers[row["pull_request_id"]], _time(row["github_submit_at"]), row["author_username"], row["state"].lower())
        for row in table("_tool_github_pull_request_reviews")
    }
    keys = ("number", "submitted_at", "reviewer", "state")
    assert {tuple(row[name] for name in keys) for row in shelf.rows("reviews")} == reviews


def test_a_recorded_pull_request_is_told_whole(recording, shelf):
    shelf.collect(recording.url, repositories=["panjf2000/ants"], commits=False, tickets=False)
    (row,) = [row for row in shelf.rows("pull_requests") if row["number"] == 53]
    assert row == {
        "repository": "panjf2000/ants",
        "number": 53,
        "title": "add loop queue ",
        "author": "KevinBaiSg",
        "source_branch": "feature/loopQueue",
        "target_branch": "master",
        "created_at": _time("2019-10-07T08:17:20Z"),
        "ready_at": _time("2019-10-07T08:17:20Z"),
        "first_commit_at": _time("2019-10-05T18:02:40Z"),
        "first_review_at": _time("2019-10-07T16:56:26Z"),
        "merged_at": _time("2019-10-09T16:59:19Z"),
        "closed_at": _time("2019-10-09T16:59:19Z"),
        "merge_sha": "f0e23928f4388661a8e0f6f5ff93f8f9514a1762",
        "head_sha": "6ef45a0a1fd2ad8878c5684e9ec1baf8aab24f87",
        "labels": "enhancement;pending merged",
        "url": "https://github.com/panjf2000/ants/pull/53",
    }


def test_a_recorded_timeline_tells_what_the_recorded_lists_tell(github_replay):
    from github_replay import exchanges

    def answer(test: str, end: str):
        return next(json.loads(one.answer) for one in exchanges(f"PullRequest.{test}") if one.path.endswith(end))

    lists = told(answer("testGetIssueTimeline", "/issues/31/timeline"))
    commits = [pulls_rest.commit(one) for one in answer("testGetCommits", "/pulls/31/commits")]
    assert [one["login"] for one in commits] == ["jacquev6"] * 3
    for one in commits:
        one |= {"login": None}  # a timeline knows no accounts of commits, and writes times in UTC
        one |= {name: f"{_time(one[name]).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for name in ("authored", "committed")}
    assert lists["commits"] == commits
    talk = [pulls_rest.comment(one) for one in answer("testGetIssueComments", "/issues/31/comments")]
    assert lists["comments"] == talk == [{"at": "2012-09-08T12:57:51Z", "by": "jacquev6"}]
    assert lists["reviews"] == [
        {"at": "2018-03-21T12:34:59Z", "by": "sfdye", "state": "commented"},
        {"at": "2018-06-25T12:54:43Z", "by": "eamanu", "state": "commented"},
    ]
    assert lists["events"] == [{"event": "closed", "at": "2012-05-27T10:29:07Z", "by": "jacquev6"}]


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# An emulator that nobody here wrote, with a clock.


def test_a_history_whose_times_are_known_is_harvested_from_the_emulator(emulate, shelf):
    github = emulate("octocat/shop", at="2026-02-02 08:00:00")
    main = github.ask("GET", "/repos/octocat/shop/git/ref/heads/main")["object"]["sha"]
    told = []
    for number, day in ((1, 3), (2, 5), (3, 9)):
        github.at(f"2026-02-{day:02} 09:00:00")
        github.ask("POST", "/repos/octocat/shop/git/refs", {"ref": f"refs/heads/work-{number}", "sha": main})
        body = {"message": f"Work {number}", "content": "YQ==", "branch": f"work-{number}"}
        sha = github.ask("PUT", f"/repos/octocat/shop/contents/{number}.txt", body)["commit"]["sha"]
        github.at(f"2026-02-{day:02} 10:30:00")
        body = {"title": f"Work {number}", "head": f"work-{number}", "base": "main"}
        assert github.ask("POST", "/repos/octocat/shop/pulls", body)["number"] == number
        github.at(f"2026-02-{day + 1:02} 11:00:00")
        github.ask("POST", f"/repos/octocat/shop/issues/{number}/comments", {"body": "hm"})
        github.ask("POST", f"/repos/octocat/shop/pulls/{number}/reviews", {"event": "APPROVE"})
        github.at(f"2026-02-{day + 2:02} 15:00:00")
        method = ("merge", "squash", "rebase")[number - 1]
        merged = github.ask("PUT", f"/repos/octocat/shop/pulls/{number}/merge", {"merge_method": method})
        told.append((number, day, sha, merged["sha"]))
    github.forget()
    outcome = shelf.collect(github.url, repositories=["octocat/shop"])
    assert outcome.error is None
    rows = shelf.rows("pull_requests")
    for (number, day, sha, merge), row in zip(told, rows, strict=True):
        assert {name: row.get(name) for name in ("number", "title", "author", "source_branch", "target_branch", "merge_sha")} == {
            "number": number, "title": f"Work {number}", "author": "octocat", "source_branch": f"work-{number}",
            "target_branch": "main", "merge_sha": merge,
        }  # fmt: skip
        assert row["created_at"] == row["ready_at"] == datetime.fromisoformat(f"2026-02-{day:02}T10:30:00Z")
        assert row["merged_at"] == row["closed_at"] == datetime.fromisoformat(f"2026-02-{day + 2:02}T15:00:00Z")
        lead = row["merged_at"] - datetime.fromisoformat(f"2026-02-{day:02}T09:00:00Z")
        assert lead == timedelta(days=2, hours=6)
        mine = [one for one in shelf.rows("pull_request_commits") if one["number"] == number and one["sha"] == sha]
        assert [one["authored_at"] for one in mine] == [datetime.fromisoformat(f"2026-02-{day:02}T09:00:00Z")]
    assert [row["state"] for row in shelf.rows("reviews")] == ["approved"] * 3
    assert len(shelf.rows("comments")) == 3
    before = shelf.everything()
    assert shelf.collect(github.url, repositories=["octocat/shop"]).changed == 0
    assert shelf.everything() == before


def test_what_is_told_of_an_answer_is_the_same_whatever_was_read_before():
    answer = {
        "repository": "a/b", "number": 1, "title": "x", "url": "u", "state": "OPEN", "isDraft": False, "createdAt": at(0),
        "updatedAt": at(0), "closedAt": None, "mergedAt": None, "additions": None, "deletions": None, "author": "ann",
        "baseRefName": "main", "headRefName": "w", "headRefOid": "a", "head_repository": None, "mergeCommit": None, "labels": [],
        "commits": [], "reviews": [], "comments": [], "events": [],
    }  # fmt: skip
    assert ready_at(answer) == at(0)
    assert PullRequests().told(answer, Rules()) == PullRequests().told(dict(answer), Rules(application="other"))
