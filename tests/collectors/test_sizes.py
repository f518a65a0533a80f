"""How many lines each merged pull request changed: as `git diff --shortstat` says, worked out once, told never wrongly."""

import gzip
import io
import os
import random
import re
import subprocess
from datetime import UTC, datetime
from itertools import chain

import pytest
import shelf as shelves

from collectors import sizes
from collectors.base import Context
from collectors.clone import Clone
from collectors.git import GitCollector
from collectors.harvest import harvest
from vsm import models, store

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def told(shelf) -> dict:
    """Lines added and deleted by pull request."""
    return {row["number"]: (row.get("additions"), row.get("deletions")) for row in shelf.rows("pull_requests")}


def git_says(path, sha: str, base: str | None = None) -> tuple[int, int]:
    """The size of a change by git's own command for people."""
    command = ["git", "-C", str(path), "diff", "--shortstat", "--ignore-submodules=all", base or f"{sha}^1", sha]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    found = [re.search(rf"(\d+) {word}", said) for word in ("insertion", "deletion")]
    return tuple(int(number[1]) if number else 0 for number in found)


def lines(*words: str) -> str:
    return "".join(f"{word}\n" for word in words)


def write(repo, message: str, **files: str) -> str:
    """A commit that gives files a content."""
    for name, text in files.items():
        (repo.path / name).write_text(text)
    repo.git("add", "--all", ".")
    return repo.commit(message)


@pytest.fixture
def runs(monkeypatch):
    """The commits that git was asked to compare, a list for each time."""
    asked, real = [], Clone.shortstat

    def listening(self, pairs):
        pairs = list(pairs)
        asked.append([sha for sha, _ in pairs])
        return real(self, pairs)

    monkeypatch.setattr(Clone, "shortstat", listening)
    return asked


@pytest.fixture
def filled(repo):
    """A history with a change of every kind; how large each is follows from what is written here."""
    repo.git("config", "uploadpack.allowFilter", "true")
    write(repo, "Begin (#1)", cart=lines(*"abcdefgh"), till=lines("x"))
    write(repo, "Squash (#2)", cart=lines(*"abcdefghij"), till=lines("y"))
    repo.branch("work")
    write(repo, "one", gift=lines("1", "2"))
    repo.switch("main")
    write(repo, "meanwhile", other=lines(*"12345"))
    repo.switch("work")
    repo.merge("main", message="Merge branch 'main' into work")
    write(repo, "two", gift=lines("1", "2", "3"))
    repo.switch("main")
    repo.merge("work", message="Merge pull request #3 from ann/work")
    repo.git("mv", "cart", "basket")
    write(repo, "Move (#4)", basket=lines(*"abcdefghiJ"))
    (repo.path / "logo").write_bytes(b"\0\1\2\n" * 9)
    write(repo, "Binary (#5)", till=lines("y", "z"))
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'main')},module")
    repo.commit("Module (#6)")
    repo.branch("idle")
    repo.commit("nothing")
    repo.switch("main")
    repo.merge("idle", message="Merge pull request #7 from ann/idle")
    repo.git("branch", "--delete", "work", "idle")
    return repo


SIZES = {1: (9, 0), 2: (3, 1), 3: (3, 0), 4: (1, 1), 5: (1, 0), 6: (0, 0), 7: (0, 0)}


def test_every_kind_of_change_is_counted_once_and_as_git_counts_it(filled, shelf):
    assert shelf.collect(filled.path, change_size=True).warnings == ()
    assert told(shelf) == SIZES
    shas = {row["number"]: row["merge_sha"] for row in shelf.rows("pull_requests")}
    empty = filled.git("hash-object", "-t", "tree", os.devnull)
    assert {n: git_says(filled.path, sha, empty if n == 1 else None) for n, sha in shas.items()} == SIZES


def test_no_size_is_told_unless_it_is_asked_for_and_when_it_no_longer_is_it_goes(filled, shelf, fresh, runs):
    shelf.collect(filled.path)
    without = shelf.everything()
    assert (set(told(shelf).values()), runs) == ({(None, None)}, [])
    assert shelf.collect(filled.path, change_size=True).read["commits"] == 0
    assert told(shelf) == SIZES
    shelf.collect(filled.path)
    assert shelf.everything() == without


def test_settings_of_the_person_who_harvests_change_no_size(filled, shelf):
    for setting in (
        ("diff.renames", "false"),
        ("diff.renameLimit", "1"),
        ("diff.external", "false"),
        ("diff.algorithm", "patience"),
    ):
        filled.git("config", *setting)
    filled.git("config", "diff.ignoreSubmodules", "none")
    shelf.collect(filled.path, change_size=True)
    assert told(shelf) == SIZES


@pytest.mark.parametrize("seed", range(2))
def test_random_histories_have_the_sizes_that_git_says(repo, shelf, seed):
    dice = random.Random(seed)
    content = {}

    def edit(message: str, names: str) -> None:
        for name in dice.sample(names, dice.randint(0, 2)):
            there = repo.path / name
            if there.exists() and dice.random() < 0.15:
                repo.git("mv", name, f"{name}{dice.randint(0, 9**9)}")
            elif there.exists() and dice.random() < 0.15:
                there.unlink()
            else:
                content.setdefault(name, [])[dice.randint(0, 9) : 9] = [f"{dice.random()}" for _ in range(dice.randint(0, 9))]
                there.write_text(lines(*content[name]))
        repo.git("add", "--all", ".")
        repo.commit(message)

    edit("begin", "abc")
    for number in range(1, 16):
        if dice.random() < 0.5:
            edit(f"Change (#{number})", "abc")
            continue
        repo.branch(f"work{number}", dice.choice(("main", "main~1")) if number > 3 else "main")
        for part in range(dice.randint(1, 3)):
            edit(f"part {part}", "bcd")
        repo.switch("main")
        # What the branch has, whatever main had: a merge may be anything.
        message, arm = f"Merge pull request #{number} from ann/x", f"work{number}"
        repo.git("reset", "--quiet", "--hard", repo.git("commit-tree", f"{arm}^{{tree}}", "-p", "main", "-p", arm, "-m", message))
    shelf.collect(repo.path, change_size=True)
    found = told(shelf)
    shas = {row["number"]: row["merge_sha"] for row in shelf.rows("pull_requests")}
    assert found == {number: git_says(repo.path, sha) for number, sha in shas.items()}
    assert sum(added + deleted for added, deleted in found.values()) > 50


def with_files(stream: bytes) -> bytes:
    """A recorded history, which has no files, with one for each commit to change: so a merge has work of its own, too."""
    dice, told, found, in_commit = random.Random(5), io.BytesIO(stream), [], False
    while line := told.readline():
        if in_commit and not line.startswith((b"from ", b"merge ")):
            text = "".join(f"{dice.randint(0, 99)}\n" for _ in range(dice.randint(0, 12)))
            found.append(f"M 100644 inline f{dice.randint(0, 40)}\ndata {len(text)}\n{text}".encode())
            in_commit = False
        found.append(line)
        if line.startswith(b"data "):
            found.append(told.read(int(line[5:])))
            in_commit = found[-3].startswith(b"committer ")
    return b"".join(found)


def test_merges_of_a_real_history_have_the_sizes_that_git_says(recorded, tmp_path, shelf, runs):
    path = tmp_path / "pytest"
    stream = with_files(gzip.decompress((recorded / "git_history" / "pytest-history.fi.gz").read_bytes()))
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(path)], check=True)
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=stream, check=True)
    keys = {"repository": "pytest", "change_size": True, "since": datetime(2024, 1, 1, tzinfo=UTC)}
    shelf.collect(path, **keys)
    found = {row["merge_sha"]: (row["additions"], row["deletions"]) for row in shelf.rows("pull_requests")}
    assert len(found) > 1000
    assert sum(len(asked) for asked in runs) == len(found)
    some = sorted(found)[:: len(found) // 60]
    assert {sha: found[sha] for sha in some} == {sha: git_says(path, sha) for sha in some}
    merges = {row["sha"] for row in shelf.rows("commits") if " " in row.get("parents", "")}
    assert 5 < len(merges.intersection(some)) < len(some)


# Again. ------------------------------------------------------------------------------------------


def test_what_was_worked_out_is_never_worked_out_again(filled, shelf, fresh, runs):
    shelf.collect(filled.path, change_size=True)
    assert [len(asked) for asked in runs] == [7]
    assert shelf.collect(filled.path, change_size=True).read.total() == 0
    sha = write(filled, "Next (#8)", till=lines("n"))
    shelf.collect(filled.path, change_size=True)
    assert runs[1:] == [[sha]]
    assert told(shelf) == SIZES | {8: (1, 2)}
    other = fresh()
    other.collect(filled.path, change_size=True)
    assert shelf.everything() == other.everything()


def test_a_full_harvest_works_everything_out_again_and_changes_nothing(filled, shelf, monkeypatch, runs):
    monkeypatch.setattr(sizes, "CHUNK", 2)
    shelf.collect(filled.path, change_size=True)
    write(filled, "Next (#8)", till=lines("n"))
    shelf.collect(filled.path, change_size=True)
    before = shelf.everything()
    assert shelf.collect(filled.path, change_size=True, full=True).changed == 0
    assert shelf.everything() == before
    assert [len(asked) for asked in runs] == [2, 2, 2, 1, 1, 2, 2, 2, 2]


def test_a_harvest_that_was_killed_goes_on_where_it_was(filled, shelf, monkeypatch, runs):
    monkeypatch.setattr(sizes, "CHUNK", 2)
    collector = GitCollector.configured({"path": str(filled.path), "change_size": True}, Context(filled.path))
    with pytest.raises(shelves.Killed):
        harvest(shelf.engine, [collector], shelves.Silent(until=3), now=lambda: MONDAY, who=shelf.who)
    assert (len(list(chain(*runs))), told(shelf)) == (4, {})
    shelf.collect(filled.path, change_size=True)
    assert len(list(chain(*runs))) == len(set(chain(*runs))) == 7
    assert told(shelf) == SIZES


def test_the_cursors_stay_small_however_many_harvests_there_are(filled, shelf, monkeypatch):
    monkeypatch.setattr(sizes, "CHUNK", 4)
    for number in range(8, 14):
        write(filled, f"Next (#{number})", till=lines(str(number)))
        shelf.collect(filled.path, change_size=True)
    with shelf.engine.connect() as connection:
        kept = store.load_cursors(connection, "git")
    assert sorted(len(state["sizes"]) for name, state in kept.items() if name.startswith("sizes ")) == [1, 4, 4, 4]
    assert len(told(shelf)) == 13


# What cannot be told. ----------------------------------------------------------------------------


LACKING = (
    "shop: the size of {} merged pull requests cannot be told, since the clone lacks files (as one with --filter=blob:none"
    " does): complete the clone and harvest it with --full, or leave out change_size"
)


@pytest.mark.parametrize("filtered", ["blob:none", "tree:0", "blob:limit=19"])
def test_of_a_partial_clone_no_size_is_guessed_and_nothing_is_fetched_though_its_server_is_there(filled, another, shelf, filtered):
    clone = another("part/shop")
    clone.git("remote", "add", "origin", f"file://{filled.path}")
    clone.git("fetch", "--quiet", f"--filter={filtered}", "origin", "+refs/heads/*:refs/heads/*", "--update-head-ok")
    before = clone.git("count-objects", "-v")
    outcome = shelf.collect(clone.path, repository="shop", change_size=True)
    known = {number: size for number, size in told(shelf).items() if size != (None, None)}
    assert (outcome.error, outcome.warnings) == (None, (LACKING.format(7 - len(known)),))
    assert known == {number: SIZES[number] for number in known}
    assert set(known) == {"blob:none": {6, 7}, "tree:0": {7}, "blob:limit=19": {1, 3, 6, 7}}[filtered]
    assert clone.git("count-objects", "-v") == before


def test_a_clone_that_is_completed_tells_all_sizes_on_a_full_harvest(filled, another, shelf, runs):
    clone = another("part/shop")
    clone.git("remote", "add", "origin", f"file://{filled.path}")
    clone.git("fetch", "--quiet", "--filter=blob:none", "origin", "+refs/heads/*:refs/heads/*", "--update-head-ok")
    shelf.collect(clone.path, repository="shop", change_size=True)
    clone.git("fetch", "--quiet", "--refetch", "--no-filter", "origin")
    asked = len(runs)
    assert shelf.collect(clone.path, repository="shop", change_size=True).warnings == ()
    assert len(runs) == asked
    assert shelf.collect(clone.path, repository="shop", change_size=True, full=True).warnings == ()
    assert told(shelf) == SIZES


def test_where_nearly_all_files_are_lacking_it_is_soon_left(filled, another, shelf, monkeypatch, runs):
    monkeypatch.setattr(sizes, "IN_A_ROW", 2)
    clone = another("part/shop")
    clone.git("remote", "add", "origin", f"file://{filled.path}")
    clone.git("fetch", "--quiet", "--filter=blob:none", "origin", "+refs/heads/*:refs/heads/*", "--update-head-ok")
    outcome = shelf.collect(clone.path, repository="shop", change_size=True)
    assert outcome.warnings == (LACKING.format(5),)
    assert len(runs) == 6  # of twelve, had it asked for each
    assert told(shelf) == dict.fromkeys(SIZES, (None, None)) | {6: (0, 0), 7: (0, 0)}


def test_a_clone_that_has_lost_a_file_tells_the_other_sizes(filled, shelf):
    blob = filled.git("rev-parse", "main~4:till")
    (filled.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    outcome = shelf.collect(filled.path, change_size=True)
    assert (outcome.error, outcome.warnings) == (None, (LACKING.format(2),))
    assert told(shelf) == SIZES | {2: (None, None), 5: (None, None)}


def test_a_merge_at_the_edge_of_a_shallow_clone_has_no_size(filled, another, shelf, runs):
    clone = another("cut/shop", "--bare")
    edge = filled.git("rev-parse", "main~4")
    clone.git("fetch", "--quiet", "--depth", "5", f"file://{filled.path}", "+refs/heads/*:refs/heads/*")
    assert edge in (clone.path / "shallow").read_text()
    outcome = shelf.collect(clone.path, change_size=True)
    found = told(shelf)
    assert found[3] == (None, None)
    assert {number: found[number] for number in (4, 5, 6, 7)} == {number: SIZES[number] for number in (4, 5, 6, 7)}
    (warning,) = outcome.warnings
    assert warning.startswith("shop: a shallow clone, ")
    assert len(runs) == 1


# Beside the forge. -------------------------------------------------------------------------------


def by_the_forge(shelf, **more: object) -> None:
    with store.transaction(shelf.engine) as connection:
        row = {"repository": "shop", "number": 2, "title": "Squash", "author": "ann", **more}
        store.save(connection, models.PullRequest, [row], origin="github")


@pytest.mark.parametrize("first", ["github", "git"])
def test_a_forge_that_does_not_tell_the_size_leaves_the_clones_and_one_that_does_goes_before_it(filled, shelf, first):
    if first == "github":
        by_the_forge(shelf)
    shelf.collect(filled.path, change_size=True)
    by_the_forge(shelf)
    by_the_forge(shelf, labels="bug")
    assert told(shelf)[2] == SIZES[2]
    by_the_forge(shelf, additions=30, deletions=0)
    shelf.collect(filled.path, change_size=True, full=True)
    assert told(shelf)[2] == (30, 0)
