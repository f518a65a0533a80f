"""Clones that lack a part, and the files that commits changed: nothing is ever fetched."""

import shutil

import pytest


@pytest.fixture
def filled(repo):
    """A repository with files, folders, a file that moves, a merge and a submodule; the files of each commit by subject."""
    (repo.path / "till").mkdir()

    def commit(subject: str, **files: str) -> str:
        for name, text in files.items():
            (repo.path / name.replace("__", "/")).write_text(text)
        repo.git("add", ".")
        return repo.commit(subject)

    repo.git("config", "uploadpack.allowFilter", "true")
    commit("begin", cart="1", till__pay="1")
    repo.branch("work")
    commit("branch", gift="1")
    repo.switch("main")
    repo.git("mv", "till/pay", "till/a;b ü")
    commit("move", cart="2")
    repo.merge("work", message="Merge pull request #7 from ann/work")
    repo.git("branch", "--delete", "work")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'main')},module")
    repo.commit("module")
    repo.commit("nothing")
    return repo


FILES = {
    "begin": "cart;till/pay", "branch": "gift", "move": "cart;till/a%3Bb ü;till/pay", "module": None, "nothing": None,
    "Merge pull request #7 from ann/work": None,
}  # fmt: skip


def files(shelf) -> dict:
    return {row["subject"]: row.get("paths") for row in shelf.rows("commits")}


def partial(another, repo, filtered: str):
    """A partial clone whose server is gone, so that whatever asks it for more fails."""
    clone = another(f"{filtered.replace(':', '-')}/shop")
    clone.git("remote", "add", "origin", f"file://{repo.path}")
    clone.git("fetch", "--quiet", f"--filter={filtered}", "origin", "+refs/heads/*:refs/heads/*", "--update-head-ok")
    assert clone.git("config", "remote.origin.promisor") == "true"
    shutil.move(repo.path, repo.path.with_name("away"))
    return clone


@pytest.mark.parametrize("filtered", ["blob:none", "tree:0"])
def test_a_partial_clone_tells_what_a_whole_one_does_and_fetches_nothing(filled, another, shelf, fresh, filtered):
    shelf.collect(filled.path, repository="shop")
    clone = partial(another, filled, filtered)
    before = clone.git("count-objects", "-v")
    other = fresh()
    outcome = other.collect(clone.path, repository="shop")
    assert (outcome.error, outcome.warnings) == (None, ())
    told, others = shelf.everything(), other.everything()
    assert [row | {"url": None} for row in told.pop("repositories")] == [row | {"url": None} for row in others.pop("repositories")]
    assert others == told
    assert clone.git("count-objects", "-v") == before


def test_a_partial_clone_whose_old_tip_is_gone_does_not_ask_its_server_for_it(filled, another, shelf):
    clone = partial(another, filled, "blob:none")
    head = clone.git("rev-parse", "main")
    shelf.collect(clone.path, repository="shop")
    state = shelf.cursor(clone.path)
    shelf.remember(clone.path, state | {"refs": {"refs/heads/main": head, "refs/heads/lost": "0123456789" * 4}})
    outcome = shelf.collect(clone.path, repository="shop")
    assert outcome.error is None
    assert files(shelf) == dict.fromkeys(FILES)


def test_the_files_that_each_commit_changed_are_told_where_they_are_asked_for(filled, shelf):
    shelf.collect(filled.path)
    assert set(files(shelf).values()) == {None}
    shelf.collect(filled.path, changed_paths=True)
    assert files(shelf) == FILES
    assert shelf.collect(filled.path, changed_paths=True).read.total() == 0
    shelf.collect(filled.path)
    assert set(files(shelf).values()) == {None}


def test_a_clone_without_file_contents_tells_the_changed_files(filled, another, shelf):
    clone = partial(another, filled, "blob:none")
    outcome = shelf.collect(clone.path, changed_paths=True)
    assert (files(shelf), outcome.warnings) == (FILES, ())


def test_a_clone_without_folders_cannot_tell_the_changed_files_and_says_so(filled, another, shelf):
    clone = partial(another, filled, "tree:0")
    outcome = shelf.collect(clone.path, changed_paths=True)
    assert set(files(shelf).values()) == {None}
    assert outcome.error is None
    assert outcome.warnings == (
        "shop: not all changed paths can be told, since the clone lacks folders (as one with --filter=tree:0 does):"
        " clone it with --filter=blob:none instead, or leave out changed_paths",
    )


def test_a_commit_at_the_edge_has_not_made_every_file(filled, another, shelf):
    clone = another("cut/shop", "--bare")
    clone.git("fetch", "--quiet", "--depth", "4", f"file://{filled.path}", "+refs/heads/*:refs/heads/*")
    shelf.collect(clone.path, changed_paths=True)
    assert files(shelf) == {name: None for name in FILES if name != "begin"}
