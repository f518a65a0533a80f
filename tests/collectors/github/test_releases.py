"""Tags and releases: what their rows say, that a clone speaks of the same deployments, and when the lists are read."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from github_graphql import Thing, at, repository
from github_lists import Lists, cassette, release, started, tag
from served import Served

from collectors.github.releases import Releases, slim
from collectors.github.resource import Rules
from vsm.models import Deployment, Tag

RULES = Rules(application="shop", release_tags=("v*", "!*-rc*"))
SHA = "a" * 40


def time(hours: float) -> datetime:
    """A time as rows have it."""
    return datetime.fromisoformat(at(hours))


def told(one: Thing | None, published: Thing | None = None, rules: Rules = RULES) -> tuple[list[object], list[object]]:
    """The tag's and the deployment's rows that an answer tells."""
    name = one["name"] if one else published["tagName"]
    answer = {"name": name, "tag": one and {"target": one["target"]}, "release": published, "repository": "acme/shop"}
    rows = Releases().told(answer, rules)
    return rows.get(Tag, []), rows.get(Deployment, [])


def deployed(name: str, hours: float, **more: object) -> dict[str, object]:
    """A deployment's row."""
    return {
        "id": f"git:shop:{name}",
        "application": "shop",
        "environment": "production",
        "repository": "acme/shop",
        "sha": SHA,
        "ref": name,
        "finished_at": time(hours),
        "result": "success",
        **more,
    }


def test_a_tag_that_the_patterns_take_is_a_deployment_at_its_time():
    tags, deployments = told(tag("v1", at(1), SHA))
    assert tags == [{"repository": "acme/shop", "name": "v1", "sha": SHA, "tagged_at": time(1)}]
    assert deployments == [deployed("v1", 1)]


def test_an_annotated_tag_has_its_own_time_and_its_commits_sha():
    tags, deployments = told(tag("v1", at(1), SHA, tagged=at(2)))
    assert tags == [{"repository": "acme/shop", "name": "v1", "sha": SHA, "tagged_at": time(2)}]
    assert deployments == [deployed("v1", 2)]


def test_a_tag_of_a_tag_is_followed_to_its_commit():
    inner = tag("v1", at(1), SHA, tagged=at(2))
    outer = {"name": "v1", "target": {"__typename": "Tag", "oid": "b" * 40, "tagger": None, "target": inner["target"]}}
    assert told(outer)[0] == [{"repository": "acme/shop", "name": "v1", "sha": SHA, "tagged_at": time(2)}]


def test_a_tag_of_a_tree_names_no_commit():
    assert told({"name": "tree", "target": {"__typename": "Tree", "oid": "b" * 40}}) == ([], [])


def test_a_release_is_in_production_when_it_is_published():
    tags, deployments = told(tag("v1", at(1), SHA), release("v1", at(5), at(1)))
    assert tags == [{"repository": "acme/shop", "name": "v1", "sha": SHA, "tagged_at": time(1)}]
    assert deployments == [deployed("v1", 5, url="https://github.example/releases/v1")]


def test_tags_that_the_patterns_do_not_take_are_no_deployments():
    assert [told(tag(name, at(1), SHA))[1] for name in ("1.0", "v1-rc1")] == [[], []]
    assert told(tag("v1", at(1), SHA), rules=Rules())[1] == []


def test_a_release_whose_tag_is_gone_still_was_one():
    gone = release("v1", at(5), at(1), tagCommit={"oid": SHA, "committedDate": at(1)})
    assert told(None, gone) == ([], [deployed("v1", 5, url="https://github.example/releases/v1")])


def test_a_clone_tells_the_same_deployment(recorded: Path):
    from collectors.base import Context
    from collectors.git import GitCollector, _Place
    from collectors.reading import Tag as Read

    clone = GitCollector.configured({"path": ".", "application": "shop", "release_tags": "v*"}, Context(Path()))
    place = _Place("acme/shop", None, None, "shop", None)
    row = clone._deployment(place, Read(name="v1", sha=SHA, at=int(time(1).timestamp()), subject=None))
    assert [row] == told(tag("v1", at(1), SHA))[1]


def test_recorded_releases_are_rows(recorded: Path):
    lines = (recorded / "github_webhooks/release.jsonl").read_text().splitlines()
    answers = [slim(json.loads(line)["release"]) for line in lines]
    rows = [told(None, answer, Rules(application="shop", release_tags=("*",)))[1] for answer in answers]
    assert rows[0] == [
        {
            "id": "git:shop:0.0.1",
            "application": "shop",
            "environment": "production",
            "repository": "acme/shop",
            "sha": None,
            "ref": "0.0.1",
            "finished_at": datetime.fromisoformat("2019-05-15T15:20:53Z"),
            "result": "success",
            "url": "https://github.com/Codertocat/Hello-World/releases/tag/0.0.1",
        }
    ]
    assert all(len(row) == 1 for row in rows)


def test_recorded_drafts_are_seen_as_drafts(recorded: Path):
    (listed,) = cassette(recorded / "github/octokit_rb_cassettes/Releases/_releases/lists_releases_for_a_repo.json")
    assert {answer["isDraft"]: answer["publishedAt"] for answer in map(slim, listed)}[True] is None


# Reading. -----------------------------------------------------------------------------------------


@pytest.fixture
def github(served, graphql_schema) -> Callable[..., tuple[Lists, Served]]:
    """Starts a GitHub: `peer, server = github(repository)`."""
    return partial(started, served, graphql_schema)


def shop(count: int = 130) -> Thing:
    """A repository with so many tags, every third of them released, and a draft."""
    tags = [tag(f"v{n}", at(n), f"{n:040x}", tagged=at(n + 0.5) if n % 2 else None) for n in range(count)]
    releases = [release(f"v{n}", at(n + 2), at(n)) for n in range(0, count, 3)]
    return repository("acme/shop", refs=tags, releases=[*releases, release("v1", None, at(count))])


KEYS = {"release_tags": "v*", "application": "shop"}
BOTH = pytest.mark.parametrize("refuses", [False, True], ids=["GraphQL", "REST"])


def test_both_interfaces_tell_the_same_rows(github, shelf, fresh):
    _, server = github(shop())
    shelf.collect(server.url, **KEYS)
    tags, deployments = shelf.rows("tags"), shelf.rows("deployments")
    assert (len(tags), len(deployments)) == (130, 130)
    assert tags[1] == {"repository": "acme/shop", "name": "v1", "sha": f"{1:040x}", "tagged_at": time(1.5)}
    other, (_, server) = fresh(), github(shop(), refuses=True)
    other.collect(server.url, **KEYS)
    assert (other.rows("tags"), other.rows("deployments")) == (tags, deployments)


@BOTH
def test_where_nothing_changed_nothing_is_read(github, shelf, refuses):
    _, server = github(shop(), refuses)
    shelf.collect(server.url, **KEYS)
    server.forget()
    outcome = shelf.collect(server.url, **KEYS)
    assert outcome.changed == 0
    assert server.counts["/graphql"] == (not refuses)
    assert server.count("/git/tags/") + server.count("/git/commits/") == 0
    assert server.count("/releases") + server.count("/matching-refs/") == 2 * refuses


@BOTH
def test_a_new_tag_on_an_old_commit_a_late_release_a_moved_tag_and_a_deleted_one_are_seen(github, shelf, fresh, refuses):
    one = shop()
    _, server = github(one, refuses)
    shelf.collect(server.url, **KEYS)
    server.forget()
    one["refs"].append(tag("v0.1", at(0), f"{977:040x}"))
    one["refs"][5] = tag("v5", at(5), f"{978:040x}")
    del one["refs"][7]
    one["releases"].append(release("v8", at(500), at(8)))
    shelf.collect(server.url, **KEYS)
    if refuses:
        assert server.count("/git/tags/") + server.count("/git/commits/") == 3
    other = fresh()
    other.collect(server.url, **KEYS)
    assert shelf.rows("deployments") == other.rows("deployments")
    assert other.rows("tags") == shelf.rows("tags")


@BOTH
def test_a_full_harvest_tells_deleted_tags_also_when_it_is_broken_off(github, fresh, refuses):
    for until in (None, 2, 3):
        one, shelf = shop(), fresh()
        _, server = github(one, refuses)
        shelf.collect(server.url, **KEYS)
        del one["refs"][7]
        one["refs"][5] = tag("v5", at(5), f"{978:040x}")
        if until is not None:
            with pytest.raises(KeyboardInterrupt):
                shelf.collect(server.url, full=True, until=until, **KEYS)
        shelf.collect(server.url, full=until is None, **KEYS)
        other = fresh()
        other.collect(server.url, **KEYS)
        for table in ("tags", "deployments"):
            assert shelf.rows(table) == other.rows(table)
        assert "v7" not in {row["ref"] for row in shelf.rows("deployments")}


def test_a_tag_that_the_clone_told_first_stays_when_github_has_it_no_more(github, shelf):
    from vsm import models, store

    one = shop(9)
    _, server = github(one)
    with store.transaction(shelf.engine) as connection:
        mine = {"repository": "acme/shop", "name": "v7", "sha": SHA}
        store.save(connection, models.Tag, [mine], origin="git")
    shelf.collect(server.url, **KEYS)
    del one["refs"][7]
    shelf.collect(server.url, **KEYS)
    assert [row["name"] for row in shelf.rows("tags")] == [f"v{number}" for number in range(9)]


@BOTH
def test_a_draft_that_is_published_moves_the_deployment(github, shelf, refuses):
    one = shop(3)
    _, server = github(one, refuses)
    shelf.collect(server.url, **KEYS)
    one["releases"][-1] = release("v1", at(100), at(3))
    shelf.collect(server.url, **KEYS)
    (row,) = [row for row in shelf.rows("deployments") if row["ref"] == "v1"]
    assert row["finished_at"] == time(100)


@BOTH
def test_nothing_older_than_since_is_kept_and_an_earlier_since_is_read(github, shelf, refuses):
    _, server = github(shop(100), refuses)
    shelf.collect(server.url, since=time(90), **KEYS)
    names = {row["ref"] for row in shelf.rows("deployments")}
    assert {"v90", "v99"} <= names
    assert not {"v1", "v80"} & names
    server.forget()
    shelf.collect(server.url, since=time(90), **KEYS)
    assert server.count("/git/") <= 1
    shelf.collect(server.url, since=time(50), **KEYS)
    assert {"v50", "v99"} <= {row["ref"] for row in shelf.rows("deployments")}


@BOTH
def test_a_harvest_that_is_broken_off_anywhere_goes_on_without_loss(github, fresh, refuses):
    def after(one: Thing) -> Thing:
        one["refs"].append(tag("v999", at(999), SHA))
        del one["refs"][3]
        return one

    whole, (_, server) = fresh(), github(after(shop(160)), refuses)
    whole.collect(server.url, **KEYS)
    for until in range(1, 9, 2):
        one, broken = shop(160), fresh()
        _, server = github(one, refuses)
        try:
            broken.collect(server.url, until=until, **KEYS)
        except KeyboardInterrupt:
            after(one)
            broken.collect(server.url, **KEYS)
            assert broken.rows("deployments") == whole.rows("deployments")
