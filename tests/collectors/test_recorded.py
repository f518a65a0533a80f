"""The histories of two real projects: every count against the git program's own."""

import gzip
import os
import re
import subprocess
from pathlib import Path

import pytest

KNOWN = {  # commits and merges on main, and on all refs; tags
    "pytest": (17620, 4546, 18591, 4879, 224),
    "alloy": (4388, 797, None, None, 163),
}


@pytest.fixture(scope="module", params=KNOWN)
def recorded(request, tmp_path_factory):
    folder = os.environ.get("VSM_RECORDED_DATA")
    if not folder:
        pytest.skip("VSM_RECORDED_DATA is not set: .ci/run sets it to ../shared/data")
    source = Path(folder) / "git_history" / f"{request.param}-history.fi.gz"
    path = tmp_path_factory.mktemp("recorded") / request.param
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(path)], check=True)
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=gzip.decompress(source.read_bytes()), check=True)
    return request.param, path


def git(path, *arguments):
    return subprocess.run(["git", "-C", str(path), *arguments], capture_output=True, check=True).stdout.decode().strip()


def test_every_count_is_what_git_counts_and_a_second_harvest_adds_nothing(recorded, shelf):
    name, path = recorded
    outcome = shelf.collect(path, release_tags="*", repository=name)
    commits, tags = shelf.rows("commits"), shelf.rows("tags")
    merges = {row["sha"] for row in commits if " " in row.get("parents", "")}
    on_main = set(git(path, "rev-list", "main").split())
    counted = (len(on_main), len(merges & on_main), len(commits), len(merges), len(tags))
    assert counted == (
        int(git(path, "rev-list", "--count", "main")),
        int(git(path, "rev-list", "--count", "--merges", "main")),
        int(git(path, "rev-list", "--count", "--all")),
        int(git(path, "rev-list", "--count", "--merges", "--all")),
        len(git(path, "tag").splitlines()),
    )
    assert all(known in (None, count) for known, count in zip(KNOWN[name], counted, strict=True))
    assert outcome.scope == f"all refs of {path} (1 branch, {counted[4]} tags)"
    assert len(shelf.rows("deployments")) == counted[4]
    assert shelf.collect(path, release_tags="*", repository=name).changed == 0
    assert shelf.collect(path, release_tags="*", repository=name, full=True).changed == 0


def test_every_message_date_and_parent_is_what_git_prints(recorded, shelf):
    name, path = recorded
    shelf.collect(path, repository=name)
    told = git(path, "log", "--all", "-z", "--format=%H%x00%P%x00%at%x00%ct%x00%ae%x00%B").split("\0")
    printed = {sha: rest for sha, *rest in zip(*[iter(told)] * 6, strict=False)}
    for row in shelf.rows("commits"):
        parents, authored, committed, email, message = printed.pop(row["sha"])
        assert row.get("parents", "") == parents
        assert (row["authored_at"].timestamp(), row["committed_at"].timestamp()) == (int(authored), int(committed))
        assert row["author"] == shelf.who.mail(email)
        assert row.get("message", "") == shelf.who.scrub(message.strip("\n"))
    assert not printed


def test_every_number_in_a_subject_is_a_pull_request(recorded, shelf):
    name, path = recorded
    shelf.collect(path, repository=name)
    numbers = set()
    for subject in git(path, "log", "--all", "--format=%s").splitlines():
        squashed, merged = re.findall(r"\(#(\d+)\)$", subject), re.findall(r"^Merge pull request #(\d+) from \S", subject)
        numbers.update(int(number) for number in squashed or merged)
    assert {row["number"] for row in shelf.rows("pull_requests")} == numbers


def test_the_commits_of_a_merge_are_those_that_git_finds(recorded, shelf):
    name, path = recorded
    shelf.collect(path, repository=name)
    members = {}
    for row in shelf.rows("pull_request_commits"):
        members.setdefault(row["number"], set()).add(row["sha"])
    pulls = [row for row in shelf.rows("pull_requests") if row["number"] in members]
    for row in pulls[:: max(1, len(pulls) // 40)]:
        sha = row["merge_sha"]
        reached, before = (set(git(path, "rev-list", tip).split()) for tip in (sha, f"{sha}^1"))
        assert members[row["number"]] == reached - before - {sha}


def test_half_of_the_history_and_then_the_rest_is_the_whole(recorded, shelf, fresh, tmp_path):
    name, path = recorded
    half = tmp_path / "half"
    subprocess.run(["git", "clone", "--quiet", "--mirror", str(path), str(half)], check=True)
    tags = git(path, "tag", "--sort=creatordate").splitlines()
    for tag in tags[len(tags) // 2 :]:
        git(half, "tag", "--delete", tag)
    git(half, "update-ref", "refs/heads/main", git(path, "rev-list", "--first-parent", "--skip=1500", "-1", "main"))
    first = shelf.collect(half, release_tags="*", repository=name)
    git(half, "fetch", "--quiet", str(path), "refs/*:refs/*")
    second = shelf.collect(half, release_tags="*", repository=name)
    whole = fresh()
    whole.collect(half, release_tags="*", repository=name)
    assert 0 < second.read["commits"] < first.read["commits"]
    assert shelf.everything() == whole.everything()
