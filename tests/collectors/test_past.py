"""What a clone no longer tells is taken back: histories that were rewritten, cut short and completed."""

import random
from datetime import UTC, datetime

import pytest

from collectors.base import Context
from collectors.git import GitCollector
from vsm import models, store


def numbers(shelf) -> dict:
    """The merge of each pull request, by number."""
    return {row["number"]: row["merge_sha"] for row in shelf.rows("pull_requests")}


def members(shelf) -> set:
    """Numbers and commits of pull requests."""
    return {(row["number"], row["sha"]) for row in shelf.rows("pull_request_commits")}


def shas(shelf) -> set:
    return {row["sha"] for row in shelf.rows("commits")}


def merged(repo, number: int, commits: int = 1) -> tuple[str, list[str]]:
    """A branch with some commits, merged into main as a pull request: the merge and the commits."""
    repo.branch(f"work{number}", "main")
    own = [repo.commit(f"part {part} of {number}") for part in range(commits)]
    repo.switch("main")
    return repo.merge(f"work{number}", message=f"Merge pull request #{number} from ann/work{number}"), own


# Rewritten. --------------------------------------------------------------------------------------


def test_commits_that_only_the_rewritten_branch_had_go(repo, shelf):
    first = repo.commit()
    repo.branch("work")
    repo.commit("one")
    repo.commit("two")
    shelf.collect(repo.path)
    repo.git("reset", "--quiet", "--hard", first)
    again = repo.commit("one, once more")
    outcome = shelf.collect(repo.path)
    assert shas(shelf) == {first, again}
    assert (outcome.gone, outcome.read["commits"]) == (2, 1)


def test_commits_that_another_ref_still_has_stay(repo, shelf):
    first = repo.commit()
    repo.branch("work")
    kept = repo.commit("one")
    repo.tag("kept")
    lost = repo.commit("two")
    shelf.collect(repo.path)
    repo.git("reset", "--quiet", "--hard", first)
    assert lost in shas(shelf)
    shelf.collect(repo.path)
    assert shas(shelf) == {first, kept}


def test_a_lost_merge_takes_its_pull_request_and_its_commits_with_it(repo, shelf):
    stays = repo.commit()
    for number in (7, 8):
        merged(repo, number)
    shelf.collect(repo.path)
    repo.git("reset", "--quiet", "--hard", stays)
    for branch in ("work7", "work8"):
        repo.git("branch", "--delete", "--force", branch)
    again, own = merged(repo, 8)
    shelf.collect(repo.path)
    assert (numbers(shelf), members(shelf)) == ({8: again}, {(8, own[0])})
    assert shas(shelf) == {stays, again, *own}


def test_a_number_whose_merge_is_lost_goes_to_the_merge_that_has_it_now(repo, shelf, fresh):
    before = repo.commit()
    merged(repo, 7, commits=3)
    shelf.collect(repo.path)
    repo.git("reset", "--quiet", "--hard", before)
    repo.git("branch", "--delete", "--force", "work7")
    again, own = merged(repo, 7)
    shelf.collect(repo.path)
    assert (numbers(shelf), members(shelf)) == ({7: again}, {(7, own[0])})
    other = fresh()
    other.collect(repo.path)
    assert shelf.everything() == other.everything()


def test_what_the_forges_own_collector_told_of_a_lost_merge_stays(repo, shelf):
    before = repo.commit()
    merged(repo, 7)
    known = {"repository": "shop", "number": 7, "title": "Sort", "created_at": datetime(2026, 3, 1, tzinfo=UTC)}
    with store.transaction(shelf.engine) as connection:
        store.save(connection, models.PullRequest, [known], origin="github")
    shelf.collect(repo.path)
    repo.git("reset", "--quiet", "--hard", before)
    repo.git("branch", "--delete", "--force", "work7")
    shelf.collect(repo.path)
    assert [(row["number"], row["title"]) for row in shelf.rows("pull_requests")] == [(7, "Sort")]
    assert members(shelf) == set()


def test_commits_that_come_back_are_there_again(repo, shelf):
    first = repo.commit()
    lost = repo.commit()
    shelf.collect(repo.path)
    repo.git("reset", "--quiet", "--hard", first)
    shelf.collect(repo.path)
    assert shas(shelf) == {first}
    repo.git("reset", "--quiet", "--hard", lost)
    shelf.collect(repo.path)
    assert shas(shelf) == {first, lost}


def test_tags_on_other_things_than_commits_are_in_no_ones_way(repo, shelf):
    first = repo.commit()
    lost = repo.commit()
    repo.git("tag", "tree", f"{first}^{{tree}}")
    repo.git("tag", "-a", "-m", "A tree", "note", "tree")
    shelf.collect(repo.path)
    assert lost in shas(shelf)
    repo.git("reset", "--quiet", "--hard", first)
    repo.git("tag", "--delete", "note")
    assert shelf.collect(repo.path).error is None
    assert shas(shelf) == {first}


def test_since_stays_what_it_was_when_all_is_read_anew(repo, shelf):
    first = repo.commit()
    repo.commit()
    shelf.collect(repo.path)
    repo.git("reset", "--quiet", "--hard", first)
    last = repo.commit()
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--quiet", "--prune=now")
    shelf.collect(repo.path, since=repo.clock)
    assert shas(shelf) == {first, last}


def test_a_harvest_that_was_killed_when_all_had_been_taken_back_is_completed_by_the_next(repo, shelf, fresh):
    first = repo.commit()
    merged(repo, 7)
    repo.tag("v1")
    shelf.collect(repo.path, release_tags="v*")
    shelf.remember(repo.path, shelf.cursor(repo.path) | {"version": 1})
    repo.git("tag", "--delete", "v1")
    keys = {"path": str(repo.path), "release_tags": "v*"}
    pages = GitCollector.configured(keys, Context(repo.path, who=shelf.who)).pages({str(repo.path): shelf.cursor(repo.path)}, False)
    page = next(pages)
    pages.close()
    with store.transaction(shelf.engine) as connection:
        assert sum(store.delete(connection, table, keys) for table, keys in page.gone.items()) == 6
    shelf.remember(repo.path, dict(page.cursors[str(repo.path)]))
    assert (shelf.rows("commits"), len(shelf.rows("deployments"))) == ([], 1)
    shelf.collect(repo.path, release_tags="v*", since=repo.clock)
    assert first in shas(shelf), "what was asked for before is asked for still"
    other = fresh()
    other.collect(repo.path, release_tags="v*")
    assert shelf.everything() == other.everything()


def test_of_two_clones_of_one_repository_neither_takes_back_what_the_other_may_have(repo, another, tmp_path, shelf):
    first = repo.commit()
    other = another("other/shop")

    def pages() -> list:
        """What a harvest of both takes back."""
        collector = GitCollector.configured({"paths": ["shop", "other/shop"]}, Context(tmp_path))
        told = list(collector.pages(cursors, full=False))
        for page in told:
            cursors.update(page.cursors)
        return [keys for page in told for rows in page.gone.values() for keys in rows]

    cursors: dict = {}
    repo.commit()
    other.git("fetch", "--quiet", str(repo.path), "+refs/*:refs/*", "--update-head-ok")
    assert pages() == []
    repo.git("reset", "--quiet", "--hard", first)
    assert pages() == []


def test_a_harvest_by_an_older_program_is_done_again_and_its_addresses_go(repo, shelf, fresh):
    first = repo.commit("one\n\nSigned-off-by: Ann <ann@example.org>")
    shelf.collect(repo.path)
    lost = {"repository": "shop", "sha": "f" * 40, "author": "bob@example.org", "message": "x", "subject": "x", "parents": first}
    times = dict.fromkeys(("authored_at", "committed_at"), datetime(2026, 3, 1, tzinfo=UTC))
    with store.transaction(shelf.engine) as connection:
        store.save(connection, models.Commit, [lost | times], origin="git")
    shelf.remember(repo.path, shelf.cursor(repo.path) | {"version": 1})
    shelf.collect(repo.path)
    assert "example.org" not in str(shelf.everything())
    other = fresh()
    other.collect(repo.path)
    assert shelf.everything() == other.everything()


# Cut short. --------------------------------------------------------------------------------------


def cloned(another, repo, *arguments: str, name: str = "cut/shop"):
    """A bare clone over the git protocol, without a remote, so that it can be asked for more by `fetched` only."""
    clone = another(name, "--bare")
    fetched(clone, repo, *arguments)
    return clone


def fetched(clone, repo, *arguments: str) -> None:
    clone.git("fetch", "--quiet", "--force", "--prune", *arguments, f"file://{repo.path}", "+refs/*:refs/*")


def long_branch(repo) -> tuple[str, list[str]]:
    """Twelve commits on main, in the middle of which a branch began that is merged at the end: a merge and its commits."""
    for number in range(6):
        repo.commit(f"old {number}")
    repo.branch("work7")
    own = [repo.commit("part one"), repo.commit("part two")]
    repo.switch("main")
    for number in range(6):
        repo.commit(f"new {number}")
    return repo.merge("work7", message="Merge pull request #7 from ann/work7\n\nSort the cart"), own


def test_a_shallow_clone_says_so_with_what_to_do(repo, another, shelf):
    long_branch(repo)
    clone = cloned(another, repo, "--depth", "4")
    (warning,) = shelf.collect(clone.path, repository="shop").warnings
    assert warning.startswith("shop: a shallow clone, what came before 2 commits at its edge is not there")
    assert warning.endswith(f"`git -C {clone.path} fetch --unshallow` completes it")


def test_a_commit_at_the_edge_names_its_parents_and_is_no_root(repo, another, shelf):
    first = repo.commit()
    second = repo.commit()
    third = repo.commit()
    shelf.collect(cloned(another, repo, "--depth", "2").path)
    assert {row["sha"]: row.get("parents") for row in shelf.rows("commits")} == {second: first, third: second}


def test_a_merge_in_a_shallow_clone_does_not_bring_what_lies_beyond_its_edge(repo, another, shelf):
    sha, own = long_branch(repo)
    clone = cloned(another, repo, "--depth", "5")
    shelf.collect(clone.path, repository="shop")
    # The clone ends on main before the branch began, but goes on below the branch.
    assert set(own) < shas(shelf)
    (told,) = shelf.rows("pull_requests")
    assert (told["number"], told["merge_sha"], told["title"]) == (7, sha, "Sort the cart")
    assert {"first_commit_at", "author"} & set(told) == set()
    assert members(shelf) == set()


def test_a_merge_that_a_shallow_clone_has_whole_tells_all(repo, another, shelf):
    _, old = long_branch(repo)
    _, own = merged(repo, 8, commits=2)
    shelf.collect(cloned(another, repo, "--depth", "5").path)
    assert set(old) < shas(shelf)
    assert members(shelf) == {(8, sha) for sha in own}


def test_a_shallow_clone_that_is_completed_tells_what_a_whole_one_does(repo, another, shelf, fresh):
    long_branch(repo)
    repo.tag("v1")
    clone = cloned(another, repo, "--depth", "3")
    shelf.collect(clone.path, release_tags="*")
    fetched(clone, repo, "--deepen", "2")
    shelf.collect(clone.path, release_tags="*")
    fetched(clone, repo, "--unshallow")
    assert shelf.collect(clone.path, release_tags="*").warnings == ()
    other = fresh()
    other.collect(clone.path, release_tags="*")
    assert shelf.everything() == other.everything()
    assert len(members(shelf)) == 2


def test_what_a_shallow_clone_told_before_its_edge_moved_on_stays(repo, another, shelf):
    for _ in range(6):
        repo.commit()
    sha, own = merged(repo, 7)
    repo.git("branch", "--delete", "work7")
    clone = cloned(another, repo, "--depth", "4")
    shelf.collect(clone.path)
    whole, old = shelf.rows("pull_requests"), shas(shelf)
    assert "first_commit_at" in whole[0]
    news = []
    for _ in range(2):
        news.append(repo.commit())
        fetched(clone, repo, "--depth", "2")
        shelf.collect(clone.path)
        assert (shelf.rows("pull_requests"), members(shelf)) == (whole, {(7, own[0])})
    assert shas(shelf) == old | set(news)
    assert numbers(shelf) == {7: sha}


def test_what_was_rewritten_while_the_clone_was_shallow_goes_when_it_is_whole(repo, another, shelf, fresh):
    for _ in range(4):
        repo.commit()
    repo.branch("work")
    lost = repo.commit("lost")
    clone = cloned(another, repo, "--depth", "2")
    shelf.collect(clone.path)
    repo.git("reset", "--quiet", "--hard", "HEAD~1")
    repo.commit("kept")
    fetched(clone, repo, "--depth", "2")
    shelf.collect(clone.path)
    assert lost in shas(shelf), "it may lie beyond the edge"
    fetched(clone, repo, "--unshallow")
    shelf.collect(clone.path)
    other = fresh()
    other.collect(clone.path)
    assert shelf.everything() == other.everything()
    assert lost not in shas(shelf)


def test_a_work_tree_of_a_shallow_clone_is_shallow(repo, another, shelf, tmp_path):
    for _ in range(3):
        repo.commit()
    clone = cloned(another, repo, "--depth", "2")
    clone.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), "main")
    assert ["shallow" in told for told in shelf.collect(tmp_path / "tree").warnings] == [True]


# At random. --------------------------------------------------------------------------------------


class Life:
    """A repository to which random things happen."""

    def __init__(self, repo, dice: random.Random) -> None:
        self.repo, self.dice, self.number, self.names = repo, dice, 0, 0
        repo.commit("Start")

    def step(self) -> None:
        often = [self.commit, self.merge, self.rewrite] * 2
        self.dice.choice([*often, self.squash, self.branch, self.drop, self.tag, self.untag])()

    def next(self) -> int:
        """A pull request's number, now and then one that is there already."""
        self.number += self.dice.random() < 0.8
        return self.number

    def branches(self) -> list[str]:
        names = self.repo.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split()
        return [name for name in names if name != "main"]

    def tags(self) -> list[str]:
        return self.repo.git("tag").split()

    def commit(self) -> None:
        self.repo.switch(self.dice.choice(["main", *self.branches()]))
        self.repo.commit(f"work {self.dice.random()}")

    def squash(self) -> None:
        self.repo.switch("main")
        self.repo.commit(f"Sort (#{self.next()})")

    def branch(self) -> None:
        self.names += 1
        starts = self.repo.git("rev-list", "--all", "--max-count=12").split()
        self.repo.branch(f"b{self.names}", self.dice.choice(starts))
        self.repo.commit(f"begin {self.names}")

    def merge(self) -> None:
        if not self.branches():
            return self.branch()
        other = self.dice.choice(self.branches())
        self.repo.switch(self.dice.choice(["main", "main", *self.branches()]))
        number = self.next()
        form = self.dice.choice(["Merge pull request #{} from ann/{}", "Merge pull request #{} from ann/{}", "Merge {1}"])
        self.repo.merge(other, message=form.format(number, other))
        return None

    def rewrite(self) -> None:
        self.repo.switch(self.dice.choice(["main", *self.branches()]))
        line = self.repo.git("rev-list", "--first-parent", "--max-count=4", "HEAD").split()
        self.repo.git("reset", "--quiet", "--hard", self.dice.choice(line[1:] or line))
        self.repo.commit(f"rewritten {self.dice.random()}")

    def drop(self) -> None:
        if self.branches():
            self.repo.switch("main")
            self.repo.git("branch", "--quiet", "--delete", "--force", self.dice.choice(self.branches()))

    def tag(self) -> None:
        arguments = self.dice.choice([["-a", "-m", f"Notes {self.dice.random()}"], []])
        self.repo.switch(self.dice.choice(["main", *self.branches()]))
        self.repo.tag(f"v{self.dice.randrange(4)}", "--force", *arguments)

    def untag(self) -> None:
        if self.tags():
            self.repo.git("tag", "--delete", self.dice.choice(self.tags()))


KEYS = {"repository": "shop", "release_tags": "v*"}


@pytest.mark.parametrize("seed", range(3))
def test_harvests_along_a_random_life_leave_what_one_at_its_end_does(repo, shelf, fresh, seed):
    dice = random.Random(seed)
    life = Life(repo, dice)
    for _ in range(8):
        for _ in range(dice.randrange(1, 6)):
            life.step()
        if dice.random() < 0.5:
            repo.git("reflog", "expire", "--expire=now", "--all")
            repo.git("gc", "--quiet", "--prune=now")
        assert shelf.collect(repo.path, full=dice.random() < 0.1, page=dice.choice([3, 5000]), **KEYS).error is None
        other = fresh()
        other.collect(repo.path, **KEYS)
        assert shelf.everything() == other.everything()


def is_shallow(clone) -> bool:
    return clone.git("rev-parse", "--is-shallow-repository") == "true"


def told_wrongly(here, truth) -> list:
    """The pull requests of which a shallow clone tells another thing than a whole one, or other commits where it has any."""
    so = {row["merge_sha"]: row for row in truth.rows("pull_requests")}
    wrong = []
    for row in here.rows("pull_requests"):
        true = so.get(row["merge_sha"], row)  # a number may have gone to a merge that the shallow clone has not
        told = {name: value for name, value in row.items() if value != true.get(name)}
        own, all_ = ({sha for number, sha in members(one) if number == row["number"]} for one in (here, truth))
        if told or (row["merge_sha"] in so and "first_commit_at" in row and own != all_):
            wrong.append(row)
    return wrong


@pytest.mark.parametrize("seed", range(3))
def test_a_shallow_clone_never_tells_what_is_not_so_and_once_it_is_whole_it_tells_all(repo, another, shelf, fresh, seed):
    dice = random.Random(100 + seed)
    life = Life(repo, dice)
    for _ in range(25):
        life.step()
    clone = cloned(another, repo, "--depth", str(dice.randrange(1, 8)))
    for _ in range(5):
        shelf.collect(clone.path, **KEYS)
        here = fresh()
        here.collect(clone.path, **KEYS)
        if is_shallow(clone):
            repo.switch("main")  # what is checked out counts as the default branch
            truth = fresh()
            truth.collect(repo.path, **KEYS)
            assert shas(here) <= shas(shelf)
            assert told_wrongly(here, truth) == []
        else:
            assert shelf.everything() == here.everything()
        for _ in range(dice.randrange(4)):
            life.step()
        how = dice.choice([["--depth", str(dice.randrange(1, 8))], [], ["--deepen", "3"]])
        fetched(clone, repo, *(["--unshallow"] if is_shallow(clone) and dice.random() < 0.2 else how))
    if is_shallow(clone):
        fetched(clone, repo, "--unshallow")
    shelf.collect(clone.path, **KEYS)
    whole = fresh()
    whole.collect(clone.path, **KEYS)
    assert shelf.everything() == whole.everything()
