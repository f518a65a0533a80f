"""Which jobs are found, selected and asked for: folders in folders, branches with slashes, names with blanks."""

import jenkins_peer
import pytest

ENDED = {"timestamp": 1_760_000_000_000, "duration": 1000, "building": False, "result": "SUCCESS"}


def jobs_of(shelf) -> list[str]:
    return sorted({row["job"] for row in shelf.rows("builds")})


def put(site, *names: str, kind: str = jenkins_peer.FREESTYLE) -> None:
    for name in names:
        site.jenkins.job(name, kind)
        site.jenkins.build(name, 1, **ENDED)


def test_folders_in_folders_are_one_question(site, shelf):
    put(site, "a", "b/c", "b/d/e/f/g/h/i/j/k")
    assert shelf.collect(site.source()).requests == 1 + 3
    assert jobs_of(shelf) == ["a", "b/c", "b/d/e/f/g/h/i/j/k"]


def test_folders_deeper_than_one_question_reaches_are_asked_for(site, shelf):
    deep = "/".join("abcdefghijklmnopqrstuvwxyz")
    put(site, "a/job", deep)
    assert shelf.collect(site.source()).requests == 3 + 2
    assert jobs_of(shelf) == [deep, "a/job"]


@pytest.mark.parametrize("name", ["shop/feature%2Fcard", "my shop/a & b", "größe/ünit+test", "50%25 off/x#1"])
def test_names_are_quoted_as_jenkins_wants_them(site, shelf, name):
    site.jenkins.job(name.split("/")[0], jenkins_peer.MULTIBRANCH)
    put(site, name, kind=jenkins_peer.PIPELINE)
    assert shelf.collect(site.source(stages=True)).error is None
    assert jobs_of(shelf) == [name]


def test_a_branch_of_a_multibranch_project_is_the_branch_of_its_builds(site, shelf):
    site.jenkins.job("shop", jenkins_peer.ORGANISATION)
    site.jenkins.job("shop/web", jenkins_peer.MULTIBRANCH)
    put(site, "shop/web/feature%2Fcard", kind=jenkins_peer.PIPELINE)
    shelf.collect(site.source())
    assert [row["branch"] for row in shelf.rows("builds")] == ["feature/card"]


def test_a_server_may_live_below_a_path(site, shelf):
    site.jenkins.prefix = "/ci/jenkins"
    put(site, "shop/build")
    assert shelf.collect(site.source()).error is None
    assert shelf.rows("builds")[0]["id"].endswith("/ci/jenkins:shop/build#1")


def test_a_user_sees_a_folder_without_its_fields(site, shelf):
    put(site, "shop/build")
    site.jenkins.job("empty", jenkins_peer.FOLDER)
    site.jenkins.job("idle")
    assert shelf.collect(site.source()).error is None
    assert jobs_of(shelf) == ["shop/build"]


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        ({"jobs": ["^shop/"]}, ["shop/build", "shop/feature%2Fcard"]),
        ({"jobs": ["feature/card$"]}, ["shop/feature%2Fcard"]),
        ({"jobs": ["feature%2F"]}, ["shop/feature%2Fcard"]),
        ({"exclude_jobs": ["feature/"]}, ["shop/build", "web"]),
        ({"jobs": ["^shop/", "^web$"], "exclude_jobs": ["card"]}, ["shop/build", "web"]),
    ],
)
def test_jobs_are_selected_by_their_full_names(site, shelf, keys, taken):
    put(site, "shop/build", "shop/feature%2Fcard", "web")
    outcome = shelf.collect(site.source(**keys))
    assert jobs_of(shelf) == taken
    assert outcome.scope == f"{len(taken)} of 3 jobs of {site.served.url}"
