"""What a clone tells, and what a second harvest of it changes."""

import os
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shelf import both

from collectors import reading
from collectors.base import CollectorError, Context
from collectors.git import GitCollector
from vsm.config import ConfigError

HOUR = timedelta(hours=1)


def at(hours: int) -> datetime:
    """So many hours after the Monday on which every history here begins."""
    return datetime(2026, 3, 2, 9, tzinfo=UTC) + hours * HOUR


def pull_requests(shelf) -> dict:
    return {
        row["number"]: {key: row[key] for key in row if key not in ("repository", "number")} for row in shelf.rows("pull_requests")
    }


def shas_of(shelf, number: int) -> set:
    return {row["sha"] for row in shelf.rows("pull_request_commits") if row["number"] == number}


# Commits. ----------------------------------------------------------------------------------------


@both
def test_a_commit_has_both_dates_its_author_its_parents_and_the_whole_message(repo, shelf):
    first = repo.commit("Start")
    message = "Sort the cart\n\nPAY-12: by price.\n\nThis reverts commit 1234567."
    second = repo.commit(message, GIT_AUTHOR_DATE="2026-02-28T12:00:00+0900")
    shelf.collect(repo.path)
    assert [row for row in shelf.rows("commits") if row["sha"] == second] == [
        {
            "repository": "shop",
            "sha": second,
            "authored_at": datetime(2026, 2, 28, 3, tzinfo=UTC),
            "committed_at": at(2),
            "author": shelf.who.mail("ann@example.org"),
            "subject": "Sort the cart",
            "message": message,
            "parents": first,
        }
    ]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("Größe ändern – 漢字 🛒", id="unicode"),
        pytest.param("one\ntwo\n\nthree\n\n\nfour", id="many lines"),
        pytest.param("quotes ' \" ` $HOME \\ %H %x00 \x1e\x1f\t", id="what other formats stumble over"),
        pytest.param("one\r\n\r\ntwo", id="lines of another system"),
        pytest.param("x" * 3_000_000, id="longer than what is read at a time"),
    ],
)
def test_a_message_is_kept_as_it_is(repo, shelf, message):
    repo.commit("before")
    sha = repo.commit(message)
    repo.commit("after")
    shelf.collect(repo.path)
    kept = {row["sha"]: row["message"] for row in shelf.rows("commits")}
    assert kept[sha] == message
    assert sorted(kept.values()) == sorted(["before", message, "after"])


def test_a_commit_without_a_message_is_a_commit(repo, shelf):
    repo.commit("")
    shelf.collect(repo.path)
    assert "message" not in shelf.rows("commits")[0]


def test_a_message_in_an_old_encoding_is_read_and_one_in_none_does_no_harm(repo, shelf):
    repo.git("config", "i18n.commitEncoding", "ISO-8859-1")
    repo.git("commit", "--quiet", "--allow-empty", "-F", "-", told="Größe".encode("latin-1"))
    repo.git("config", "--unset", "i18n.commitEncoding")
    repo.git("update-ref", "refs/heads/broken", repo.raw(repo.commit("Gr__e"), "__", "\udcf6\udcdf"))
    shelf.collect(repo.path)
    assert sorted(row["message"] for row in shelf.rows("commits")) == ["Gr__e", "Größe", "Gr\ufffd\ufffde"]


def test_an_author_without_an_address_is_named(repo, shelf):
    repo.commit(GIT_AUTHOR_EMAIL="", GIT_AUTHOR_NAME="Ann Smith")
    shelf.collect(repo.path)
    assert shelf.rows("commits")[0]["author"] == "Ann Smith"


@pytest.mark.parametrize(
    ("old", "new", "authored", "warning"),
    [
        pytest.param("author", "author", at(1), None, id="as usual"),
        pytest.param("> {} +0000\ncommitter", "> 0 +0000\ncommitter", datetime(1970, 1, 1, tzinfo=UTC), None, id="1970"),
        pytest.param(
            "> {} +0000\ncommitter",
            "> 999999999999999 +0000\ncommitter",
            at(1),
            "1 commit with one time",
            id="in the year 31,690,708",
        ),
        pytest.param("> {} +0000\ncommitter", "> never\ncommitter", at(1), "1 commit with one time", id="no number"),
    ],
)
def test_a_commit_with_an_absurd_date_is_kept_with_its_other_one(repo, shelf, old, new, authored, warning):
    sha = repo.commit()
    odd = repo.raw(sha, old.format(int(at(1).timestamp())), new)
    repo.git("update-ref", "refs/heads/main", odd)
    outcome = shelf.collect(repo.path)
    assert [(row["sha"], row["authored_at"], row["committed_at"]) for row in shelf.rows("commits")] == [(odd, authored, at(1))]
    assert [warning in told for told in outcome.warnings] == ([True] if warning else [])


def test_a_commit_without_any_date_is_left_out_and_counted(repo, shelf):
    first = repo.commit()
    odd = repo.raw(repo.commit("odd"), f"{int(at(2).timestamp())} +0000", "never")
    repo.git("update-ref", "refs/heads/main", odd)
    outcome = shelf.collect(repo.path)
    assert [row["sha"] for row in shelf.rows("commits")] == [first]
    assert ["1 commit without any time" in told for told in outcome.warnings] == [True]


# People. -----------------------------------------------------------------------------------------


@both
def test_no_address_is_kept_of_authors_messages_titles_tags_or_branches(repo, shelf):
    repo.commit("Start for ann@example.org\n\nCo-authored-by: Bob <Bob@Example.org>\nSigned-off-by: Ann <ann@example.org>")
    repo.branch("bob@example.org")
    repo.commit(GIT_AUTHOR_EMAIL="", GIT_AUTHOR_NAME="carl@example.org")
    repo.switch("main")
    repo.merge("bob@example.org", message="Merge pull request #7 from ann/bob@example.org\n\nAsk ann@example.org")
    repo.tag("v1", "-a", "-m", "For bob@example.org")
    shelf.collect(repo.path)
    kept = str([shelf.everything(), shelf.cursor(repo.path)])
    assert "example.org" not in kept.casefold()
    ann, bob, carl = (shelf.who.mail(f"{name}@example.org") for name in ("ann", "bob", "carl"))
    messages = [row["message"] for row in shelf.rows("commits")]
    assert f"Start for {ann}\n\nCo-authored-by: Bob <{bob}>\nSigned-off-by: Ann <{ann}>" in messages
    assert {row["author"] for row in shelf.rows("commits")} == {ann, carl}
    assert (pull_requests(shelf)[7]["title"], pull_requests(shelf)[7]["source_branch"]) == (f"Ask {ann}", bob)
    assert shelf.rows("tags")[0]["subject"] == f"For {bob}"


def test_one_person_has_one_handle_however_the_address_is_written(repo, shelf):
    for address in ("ann@example.org", "Ann@Example.ORG", " ann@example.org "):
        repo.commit(GIT_AUTHOR_EMAIL=address)
    shelf.collect(repo.path)
    assert {row["author"] for row in shelf.rows("commits")} == {shelf.who.mail("ann@example.org")}
    assert shelf.rows("identities") == []


def test_an_address_that_a_forge_made_says_whose_account_it_is(repo, shelf):
    for address in (
        "123+Ann@users.noreply.github.com",
        "ann@users.noreply.github.com",
        "49699333+dependabot[bot]@users.noreply.github.com",
        "45-bob@users.noreply.gitlab.com",
        "noreply@github.com",
    ):
        repo.commit(GIT_AUTHOR_EMAIL=address)
    shelf.collect(repo.path)
    accounts = {
        "ann@users.noreply.github.com": "ann",
        "bob@users.noreply.gitlab.com": "bob",
        "dependabot[bot]@users.noreply.github.com": "bot:dependabot",
    }
    assert shelf.rows("identities") == [
        {"source": "git", "handle": handle, "person": person} for handle, person in accounts.items()
    ]
    assert {row["author"] for row in shelf.rows("commits")} == {*accounts, shelf.who.mail("noreply@github.com")}


def test_who_a_person_said_stands_behind_an_account_stays(repo, shelf):
    from vsm import models, store

    known = {"source": "git", "handle": "ann@users.noreply.github.com", "person": "Ann Smith"}
    with store.transaction(shelf.engine) as connection:
        store.save(connection, models.Identity, [known], origin="import")
    repo.commit(GIT_AUTHOR_EMAIL="ann@users.noreply.github.com")
    shelf.collect(repo.path)
    assert shelf.rows("identities") == [known]


@pytest.fixture
def alone(monkeypatch):
    """No other thread, whatever the tests before left running."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_what_is_read_ahead_in_a_process_of_its_own_is_what_is_read(repo, shelf, alone):
    repo.commit("For bob@example.org\n\nSee", GIT_AUTHOR_EMAIL="1+ann@users.noreply.github.com")
    repo.branch("work")
    (repo.path / "cart").touch()
    repo.git("add", "cart")
    repo.commit()
    repo.switch("main")
    repo.merge("work", message="Merge branch 'work' into 'main'\n\nSort\n\nSee merge request web/shop!7")
    repo.tag("v1", "-a", "-m", "One")

    def told(ahead: bool) -> list:
        keys = {"path": str(repo.path), "changed_paths": True, "release_tags": "v*"}
        collector = GitCollector.configured(keys, Context(Path(), who=shelf.who))
        if ahead:
            collector.ahead()
            assert len(collector.readers) == 1
        return list(collector.pages({}, full=False))

    assert told(ahead=True) == told(ahead=False)


def test_a_program_with_several_threads_is_not_copied_to_read_ahead(repo):
    repo.commit()
    collector = GitCollector.configured({"path": str(repo.path)}, Context(Path()))
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    collector.ahead()
    ended.set()
    other.join()
    assert collector.readers == {}
    assert [page.done for page in collector.pages({}, full=False)] == [1, 1]


def test_a_process_that_dies_while_it_reads_ahead_is_told_as_such(repo, alone, monkeypatch):
    repo.commit()
    monkeypatch.setattr(reading, "_told", lambda *_: os._exit(9))
    collector = GitCollector.configured({"path": str(repo.path)}, Context(Path()))
    collector.ahead()
    with pytest.raises(CollectorError, match="the process that read the clone ended before its end: run it again"):
        collector.scope()


# Which refs. -------------------------------------------------------------------------------------


def test_all_refs_are_read_but_what_was_put_aside(repo, shelf):
    on_main = repo.commit()
    repo.branch("work")
    on_branch = repo.commit()
    repo.git("update-ref", "refs/pull/7/head", repo.commit())
    proposed = repo.git("rev-parse", "refs/pull/7/head")
    repo.git("reset", "--quiet", "--hard", on_branch)
    repo.tag("v1")
    repo.git("notes", "add", "-m", "a remark", on_main)
    (repo.path / "file").write_text("x")
    repo.git("add", "file")
    repo.git("stash")
    outcome = shelf.collect(repo.path)
    assert {row["sha"] for row in shelf.rows("commits")} == {on_main, on_branch, proposed}
    assert outcome.scope == f"all refs of {repo.path} (2 branches, 1 tag, 1 other ref)"


def test_a_detached_head_is_read(repo, shelf):
    head = repo.commit()
    repo.git("checkout", "--quiet", "--detach")
    loose = repo.commit()
    shelf.collect(repo.path)
    assert loose in {row["sha"] for row in shelf.rows("commits")}
    assert shelf.rows("repositories") == [{"name": "shop", "default_branch": "main", "head_sha": head}]


def test_two_roots_are_one_history(repo, shelf):
    one = repo.commit()
    repo.git("checkout", "--quiet", "--orphan", "pages")
    two = repo.commit()
    shelf.collect(repo.path)
    assert {row["sha"]: row.get("parents") for row in shelf.rows("commits")} == {one: None, two: None}


def test_an_empty_clone_is_a_repository_without_commits(repo, shelf):
    outcome = shelf.collect(repo.path)
    assert outcome.error is None
    assert outcome.scope == f"all refs of {repo.path} (no refs yet)"
    assert shelf.everything() == {"repositories": [{"name": "shop", "default_branch": "main"}]}


def test_a_bare_clone_tells_the_same_as_one_with_a_work_tree(repo, shelf, fresh):
    repo.commit()
    repo.branch("work")
    repo.commit("Merge pull request #1 from ann/work")
    bare = repo.path.parent / "bare" / "shop.git"
    repo.git("clone", "--quiet", "--mirror", str(repo.path), str(bare))
    repo.git("--git-dir", str(bare), "remote", "remove", "origin")
    repo.switch("main")
    repo.git("--git-dir", str(bare), "symbolic-ref", "HEAD", "refs/heads/main")
    other = fresh()
    shelf.collect(repo.path)
    other.collect(bare)
    assert other.everything() == shelf.everything()


# The repository. ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name", "kept"),
    [
        ("https://ann:secret@github.com/ann/shop.git", "ann/shop", "https://github.com/ann/shop.git"),
        ("https://ghp_secret@github.com/ann/shop", "ann/shop", "https://github.com/ann/shop"),
        ("git@gitlab.com:team/web/shop.git", "team/web/shop", "git@gitlab.com:team/web/shop.git"),
        ("ssh://git:pw@host:2222/ann/shop.git", "ann/shop", "ssh://host:2222/ann/shop.git"),
        ("../elsewhere", "shop", "../elsewhere"),
        ("file:///srv/git/x.git", "shop", "file:///srv/git/x.git"),
    ],
)
def test_a_repository_is_named_by_its_server_and_no_password_is_kept(repo, shelf, url, name, kept):
    repo.git("remote", "add", "origin", url)
    head = repo.commit()
    shelf.collect(repo.path)
    assert shelf.rows("repositories") == [{"name": name, "url": kept, "default_branch": "main", "head_sha": head}]
    assert {row["repository"] for row in shelf.rows("commits")} == {name}


def test_the_configuration_may_name_the_repository_and_its_application(repo, shelf):
    shelf.collect(repo.path, repository="team/till", application="checkout")
    assert shelf.rows("repositories") == [{"name": "team/till", "default_branch": "main", "application": "checkout"}]


def test_the_default_branch_is_the_servers_word_not_what_is_checked_out(repo, another, shelf):
    repo.commit()
    repo.git("branch", "--move", "trunk")
    clone = another("clone/shop")
    clone.git("remote", "add", "origin", str(repo.path))
    clone.git("fetch", "--quiet", "origin")
    clone.git("remote", "set-head", "origin", "trunk")
    clone.commit("only mine")
    shelf.collect(clone.path)
    (told,) = shelf.rows("repositories")
    assert (told["default_branch"], told["head_sha"]) == ("trunk", repo.git("rev-parse", "trunk"))


def test_without_a_word_of_its_own_the_usual_name_is_the_default_branch(repo, shelf):
    repo.commit()
    repo.git("branch", "--move", "master")
    repo.git("symbolic-ref", "HEAD", "refs/heads/nowhere")
    shelf.collect(repo.path)
    assert shelf.rows("repositories")[0]["default_branch"] == "master"


def test_with_no_default_branch_at_all_pull_requests_have_no_target(repo, shelf):
    repo.commit("Sort the cart (#12)")
    repo.git("branch", "--move", "work")
    repo.git("symbolic-ref", "HEAD", "refs/heads/nowhere")
    shelf.collect(repo.path)
    assert "default_branch" not in shelf.rows("repositories")[0]
    assert "target_branch" not in pull_requests(shelf)[12]


# Tags and deployments. ---------------------------------------------------------------------------


def test_tags_annotated_plain_and_nested_name_commits_and_others_do_not_count(repo, shelf):
    sha = repo.commit()
    repo.tag("plain")
    repo.tag("annotated", "-a", "-m", "First release\n\nNotes.")
    repo.git("tag", "-a", "-m", "Twice", "nested", "annotated")
    repo.git("tag", "tree", f"{sha}^{{tree}}")
    repo.git("tag", "-a", "-m", "A tree", "note", "tree")
    shelf.collect(repo.path)
    assert shelf.rows("tags") == [
        {"repository": "shop", "name": "annotated", "sha": sha, "tagged_at": at(3), "subject": "First release"},
        {"repository": "shop", "name": "nested", "sha": sha, "tagged_at": at(3), "subject": "Twice"},
        {"repository": "shop", "name": "plain", "sha": sha, "tagged_at": at(1)},
    ]


def test_tags_of_the_pattern_are_deployments_to_production(repo, shelf):
    sha = repo.commit()
    repo.tag("v1.0", "-a", "-m", "One")
    repo.tag("nightly")
    shelf.collect(repo.path, application="checkout", release_tags="v*")
    assert shelf.rows("deployments") == [
        {
            "id": "git:checkout:v1.0", "application": "checkout", "environment": "production", "repository": "shop",
            "sha": sha, "ref": "v1.0", "finished_at": at(2), "result": "success",
        }
    ]  # fmt: skip


def test_without_a_pattern_no_tag_is_a_deployment(repo, shelf):
    repo.commit()
    repo.tag("v1.0")
    shelf.collect(repo.path)
    assert shelf.rows("deployments") == []


def test_patterns_are_case_sensitive_and_may_take_back(repo, shelf):
    repo.commit()
    for name in ("v1", "v2rc1", "V3", "release/4"):
        repo.tag(name)
    shelf.collect(repo.path, release_tags=["v*", "release/*", "!*rc*"])
    assert [row["id"] for row in shelf.rows("deployments")] == ["git:shop:release/4", "git:shop:v1"]


@both
def test_a_moved_tag_moves_its_deployment_and_a_deleted_one_takes_it_away(repo, shelf):
    repo.commit()
    repo.tag("v1")
    repo.tag("v2")
    shelf.collect(repo.path, release_tags="v*")
    later = repo.commit()
    repo.git("tag", "--force", "v1")
    repo.git("tag", "--delete", "v2")
    outcome = shelf.collect(repo.path, release_tags="v*")
    assert [(row["name"], row["sha"], row["tagged_at"]) for row in shelf.rows("tags")] == [("v1", later, at(4))]
    assert [(row["ref"], row["sha"], row["finished_at"]) for row in shelf.rows("deployments")] == [("v1", later, at(4))]
    assert outcome.gone == 2


def test_an_edited_pattern_takes_effect_without_a_new_commit(repo, shelf):
    repo.commit()
    repo.tag("v1")
    repo.tag("r1")
    shelf.collect(repo.path, release_tags="v*")
    shelf.collect(repo.path, release_tags="r*")
    assert [row["ref"] for row in shelf.rows("deployments")] == ["r1"]


# Pull requests. ----------------------------------------------------------------------------------


@both
def test_a_merge_tells_number_title_branch_and_the_commits_that_it_brought(repo, shelf):
    repo.commit()
    repo.branch("work")
    one = repo.commit(GIT_AUTHOR_DATE="2026-02-20T12:00:00Z", GIT_AUTHOR_EMAIL="bob@example.org")
    two = repo.commit()
    repo.switch("main")
    repo.commit()
    sha = repo.merge("work", message="Merge pull request #7 from ann/fix/cart\n\n\nCount a gift once\n\nBody.")
    shelf.collect(repo.path)
    assert pull_requests(shelf) == {
        7: {
            "title": "Count a gift once",
            "author": shelf.who.mail("bob@example.org"),
            "source_branch": "fix/cart",
            "target_branch": "main",
            "first_commit_at": datetime(2026, 2, 20, 12, tzinfo=UTC),
            "merged_at": at(5),
            "merge_sha": sha,
            "head_sha": two,
        }
    }
    assert [(row["sha"], row["authored_at"]) for row in shelf.rows("pull_request_commits")] == sorted(
        [(one, datetime(2026, 2, 20, 12, tzinfo=UTC)), (two, at(3))]
    )


@pytest.mark.parametrize(
    ("message", "number", "title"),
    [
        ("Sort the cart (#12)", 12, "Sort the cart"),
        ('Revert "Sort the cart (#12)" (#13)', 13, 'Revert "Sort the cart (#12)"'),
        ('Revert "a (#7948)" (#7975) (#7976)\n\nBody (#1)', 7976, 'Revert "a (#7948)" (#7975)'),
        ("Merge pull request #14 from ann/work (#15)", 15, "Merge pull request #14 from ann/work"),
        ("(#16)", 16, None),
    ],
)
def test_a_squash_has_the_last_number_of_its_subject_and_hides_its_branch(repo, shelf, message, number, title):
    sha = repo.commit(message)
    shelf.collect(repo.path)
    told = {"title": title} if title else {}
    told |= {"author": shelf.who.mail("ann@example.org"), "target_branch": "main", "merged_at": at(1), "merge_sha": sha}
    assert pull_requests(shelf) == {number: told}


@pytest.mark.parametrize("message", ['Revert "Sort (#12)"', "Fix #12", "See (#12) again", "Merge branch 'x'", "x\n\n(#12)", "(#)"])
def test_other_subjects_are_no_pull_requests(repo, shelf, message):
    repo.commit(message)
    shelf.collect(repo.path)
    assert pull_requests(shelf) == {}


def test_a_merge_with_the_pull_requests_title_counts_like_one_with_githubs_subject(repo, shelf):
    repo.commit()
    repo.branch("work")
    one = repo.commit()
    repo.switch("main")
    repo.merge("work", message="Sort the cart (#12)")
    shelf.collect(repo.path)
    assert (pull_requests(shelf)[12]["title"], shas_of(shelf, 12)) == ("Sort the cart", {one})


def test_a_merge_into_a_branch_and_the_merge_of_that_branch_both_have_the_commits(repo, shelf):
    repo.commit()
    repo.branch("epic")
    repo.branch("part")
    one = repo.commit()
    repo.switch("epic")
    inner = repo.merge("part", message="Merge pull request #1 from ann/part")
    repo.switch("main")
    repo.merge("epic", message="Merge pull request #2 from ann/epic")
    shelf.collect(repo.path)
    assert shas_of(shelf, 1) == {one}
    assert shas_of(shelf, 2) == {one, inner}
    assert {number: row["target_branch"] for number, row in pull_requests(shelf).items()} == {1: "main", 2: "main"}


def test_an_octopus_brings_what_all_its_arms_have(repo, shelf):
    repo.commit()
    arms = []
    for name in ("a", "b", "c"):
        repo.branch(name, "main")
        arms.append(repo.commit())
    repo.switch("main")
    repo.commit()
    repo.merge("a", "b", "c", message="Merge pull request #1 from ann/all")
    shelf.collect(repo.path)
    assert shas_of(shelf, 1) == set(arms)
    assert "head_sha" not in pull_requests(shelf)[1]


def test_criss_cross_merges_bring_only_what_their_first_parent_lacks(repo, shelf):
    repo.commit()
    repo.branch("left")
    left = repo.commit()
    repo.branch("right", "main")
    right = repo.commit()
    repo.merge(left, message="Merge pull request #1 from ann/left")
    cross = repo.git("rev-parse", "HEAD")
    repo.switch("left")
    repo.merge(right, message="Merge pull request #2 from ann/right")
    repo.merge("right", message="Merge pull request #3 from ann/right-again")
    shelf.collect(repo.path)
    assert (shas_of(shelf, 1), shas_of(shelf, 2), shas_of(shelf, 3)) == ({left}, {right}, {cross})


def test_a_merge_on_another_branch_only_has_no_target(repo, shelf):
    repo.commit()
    repo.branch("7.x")
    repo.commit("Backport the cart (#8)")
    repo.switch("main")
    shelf.collect(repo.path)
    assert "target_branch" not in pull_requests(shelf)[8]


def test_of_two_commits_with_one_number_the_default_branchs_counts_then_the_earliest(repo, shelf):
    repo.commit()
    repo.branch("7.x")
    repo.commit("Sort the cart (#8)")
    early = repo.commit("Fix a till (#9)")
    repo.branch("8.x")
    repo.commit("Fix a till (#9)")
    repo.switch("main")
    merged = repo.commit("Sort the cart (#8)")
    shelf.collect(repo.path)
    assert pull_requests(shelf)[8] == {
        "title": "Sort the cart", "author": shelf.who.mail("ann@example.org"), "target_branch": "main",
        "merged_at": at(5), "merge_sha": merged,
    }  # fmt: skip
    assert (pull_requests(shelf)[9]["merge_sha"], pull_requests(shelf)[9].get("target_branch")) == (early, None)


def test_a_merge_goes_before_a_copy_of_its_subject_on_the_default_branch(repo, shelf):
    repo.commit()
    repo.branch("7.x")
    repo.branch("work")
    repo.commit()
    repo.switch("7.x")
    merge = repo.merge("work", message="Merge pull request #8 from ann/work")
    repo.switch("main")
    repo.commit("Merge pull request #8 from ann/work")
    shelf.collect(repo.path)
    assert pull_requests(shelf)[8]["merge_sha"] == merge


def test_another_forges_merge_tells_number_title_and_both_branches(repo, shelf):
    repo.commit()
    repo.branch("fix/gift")
    one = repo.commit()
    repo.switch("main")
    repo.merge("fix/gift", message="Merge branch 'fix/gift' into 'next'\n\nCount a gift once\n\nSee merge request web/shop!12")
    shelf.collect(repo.path)
    (told,) = pull_requests(shelf).items()
    assert told[0] == 12
    assert [told[1][name] for name in ("title", "source_branch", "target_branch")] == ["Count a gift once", "fix/gift", "next"]
    assert shas_of(shelf, 12) == {one}


@both
def test_when_a_history_moves_to_another_forge_the_old_numbers_go(repo, shelf, fresh):
    for number in (1, 2):
        repo.commit(f"Merged in gift (pull request #{number})")
    shelf.collect(repo.path)
    assert set(pull_requests(shelf)) == {1, 2}
    for number in (2, 3, 4):
        repo.commit(f"Merge pull request #{number} from ann/gift")
    shelf.collect(repo.path)
    assert set(pull_requests(shelf)) == {2, 3, 4}
    other = fresh()
    other.collect(repo.path)
    assert shelf.everything() == other.everything()


@both
def test_what_the_forges_own_collector_said_stays(repo, shelf):
    from vsm import models, store

    sha = repo.commit("Sort the cart (#8)")
    known = {"repository": "shop", "number": 8, "title": "Sort the cart by price", "merged_at": at(0), "author": "ann"}
    with store.transaction(shelf.engine) as connection:
        store.save(connection, models.PullRequest, [known], origin="github")
    shelf.collect(repo.path)
    assert pull_requests(shelf)[8] == {
        "title": "Sort the cart by price", "merged_at": at(0), "author": "ann", "target_branch": "main", "merge_sha": sha,
    }  # fmt: skip


# Again. ------------------------------------------------------------------------------------------


def test_a_second_harvest_of_the_same_refs_reads_and_changes_nothing(repo, shelf):
    repo.commit("Sort the cart (#8)")
    repo.tag("v1")
    shelf.collect(repo.path, release_tags="v*")
    before = shelf.everything()
    outcome = shelf.collect(repo.path, release_tags="v*")
    assert (outcome.read.total(), outcome.changed, outcome.gone) == (0, 0, 0)
    assert shelf.everything() == before


def grow(repo) -> list:
    """Steps by which a history grows: branches, merges of all kinds, tags that move and go."""
    return [
        lambda: repo.commit("Start"),
        lambda: (repo.branch("work"), repo.commit("part one"), repo.commit("part two (#3)")),
        lambda: (repo.switch("main"), repo.commit("Sort (#1)"), repo.tag("v1", "-a", "-m", "One")),
        lambda: repo.merge("work", message="Merge pull request #2 from ann/work\n\nAll parts"),
        lambda: (repo.branch("7.x", "v1"), repo.commit("Sort again (#4)"), repo.git("tag", "--force", "v1")),
        lambda: (repo.switch("work"), repo.commit("late"), repo.switch("7.x")),
        lambda: repo.merge("work", message="Merge pull request #5 from ann/work"),
        lambda: (
            repo.switch("main"),
            repo.merge("7.x", message="Merge pull request #6 from ann/7.x"),
            repo.git("tag", "--delete", "v1"),
        ),
        lambda: (repo.commit("Sort again (#4)"), repo.tag("v2")),
        lambda: (repo.branch("gone"), repo.commit("never merged"), repo.switch("main"), repo.commit("End (#7)")),
    ]


@both
def test_harvests_along_the_way_leave_what_one_at_the_end_does(repo, shelf, fresh):
    for step in grow(repo):
        step()
        assert shelf.collect(repo.path, release_tags="v*").error is None
        other = fresh()
        other.collect(repo.path, release_tags="v*")
        assert shelf.everything() == other.everything()
    before = shelf.everything()
    assert shelf.collect(repo.path, release_tags="v*", full=True).changed == 0
    assert shelf.everything() == before


def test_an_incremental_harvest_reads_the_new_commits_only(repo, shelf):
    for _ in range(5):
        repo.commit()
    shelf.collect(repo.path)
    repo.commit("old in its own eyes", GIT_AUTHOR_DATE="2001-01-01T00:00:00Z", GIT_COMMITTER_DATE="2001-01-01T00:00:00Z")
    assert shelf.collect(repo.path).read["commits"] == 1


def forgotten(repo) -> None:
    """The clone has no object any more that no ref reaches."""
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--quiet", "--prune=now")


def test_of_old_tips_that_the_clone_has_no_more_nothing_is_left(repo, shelf, fresh):
    repo.commit()
    repo.branch("work")
    repo.commit("Never merged (#1)")
    repo.tag("v1", "-a", "-m", "One")
    shelf.collect(repo.path, release_tags="v*")
    repo.switch("main")
    repo.git("branch", "--delete", "--force", "work")
    repo.git("tag", "--delete", "v1")
    forgotten(repo)
    repo.commit()
    assert shelf.collect(repo.path, release_tags="v*").error is None
    assert len(shelf.rows("commits")) == 2
    other = fresh()
    other.collect(repo.path, release_tags="v*")
    assert shelf.everything() == other.everything()
    assert shelf.collect(repo.path, release_tags="v*").read.total() == 0


@both
def test_a_harvest_that_was_killed_half_way_is_completed_by_the_next(repo, shelf, fresh):
    for step in grow(repo):
        step()
    collector = GitCollector.configured({"path": str(repo.path)}, Context(repo.path))
    collector.page = 4
    from vsm import store

    pages = collector.pages({}, full=False)
    with store.transaction(shelf.engine) as connection:
        store.save(connection, "commits", next(pages).facts["commits"], origin="git")
    pages.close()
    assert len(shelf.rows("commits")) == 4
    shelf.collect(repo.path, page=4)
    other = fresh()
    other.collect(repo.path)
    assert shelf.everything() == other.everything()


def test_since_leaves_out_what_came_before_and_taking_it_back_reads_it(repo, shelf):
    repo.commit("Old (#1)")
    repo.tag("v1", "-a", "-m", "One")
    new = repo.commit("New (#2)")
    shelf.collect(repo.path, since=at(3), release_tags="v*")
    assert ([row["sha"] for row in shelf.rows("commits")], shelf.rows("tags")) == ([new], [])
    assert list(pull_requests(shelf)) == [2]
    shelf.collect(repo.path, since=at(5), release_tags="v*")
    shelf.collect(repo.path, release_tags="v*")
    assert (len(shelf.rows("commits")), len(shelf.rows("tags")), list(pull_requests(shelf))) == (2, 1, [1, 2])
    repo.commit("Newest")
    shelf.collect(repo.path, since=at(100), release_tags="v*")
    assert len(shelf.rows("commits")) == 3, "what is harvested already goes on without a gap"


# Keys and places that are wrong. -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, 'source git: expected either path = "../service" or paths = '),
        ({"path": "a", "paths": ["b"]}, "source git: expected either path"),
        ({"path": 7}, "source git: path: expected text or a list of texts, got 7"),
        ({"paths": []}, "source git: paths: expected text or a list of texts, got []"),
        ({"path": "a", "release_tag": "v*"}, "no such key: release_tag; a git source has path, paths, application, release_tags"),
        ({"path": "a", "release_tags": [1]}, "release_tags: expected text or a list of texts, got [1]"),
        ({"path": "a", "changed_paths": "yes"}, "source git: changed_paths: expected true or false, got 'yes'"),
        ({"path": "a", "application": ""}, "application: expected text, got ''"),
        ({"paths": ["a", "b"], "repository": "x"}, "repository names one clone, but paths has 2"),
    ],
)
def test_wrong_keys_are_refused_with_a_sentence(keys, sentence):
    with pytest.raises(ConfigError) as refused:
        GitCollector.configured(keys, Context(Path()))
    assert sentence in str(refused.value)


def test_a_path_that_is_none_is_said_so(tmp_path, shelf):
    assert (
        shelf.collect(tmp_path / "nowhere").error
        == f"{tmp_path}/nowhere is not there: expected the folder of a git clone in `path`"
    )
    (tmp_path / "file").touch()
    assert "file is not a folder" in shelf.collect(tmp_path / "file").error
    (tmp_path / "plain").mkdir()
    assert "plain is not a git repository" in shelf.collect(tmp_path / "plain").error


def test_an_empty_folder_inside_a_clone_is_not_taken_for_the_clone(repo, shelf):
    repo.commit()
    (repo.path / "service").mkdir()
    assert "service is not a git repository" in shelf.collect(repo.path / "service").error


def test_a_folder_named_like_an_option_is_a_folder(another, shelf):
    odd = another("--upload-pack=x")
    odd.commit()
    assert shelf.collect(odd.path).error is None
    assert len(shelf.rows("commits")) == 1


def test_a_clone_of_somebody_else_is_refused_with_what_to_do(repo, shelf, monkeypatch):
    repo.commit()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own tests use it
    assert f"run `git config --global --add safe.directory {repo.path}`" in shelf.collect(repo.path).error


def test_without_the_git_program_the_sentence_says_so(repo, shelf, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert shelf.collect(repo.path).error == "the git program was not found: install git, or put it on the PATH"


def test_a_damaged_clone_is_a_sentence_and_what_was_read_stays(repo, shelf):
    lost = repo.commit()
    repo.commit()
    (repo.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    outcome = shelf.collect(repo.path)
    assert f"git could not read {repo.path}" in outcome.error
    assert "fsck" in outcome.error


def test_one_clone_that_cannot_be_read_does_not_stop_the_others(repo, tmp_path, shelf):
    repo.commit()
    collector = GitCollector.configured({"paths": ["nowhere", "shop"]}, Context(tmp_path))
    pages = collector.pages({}, full=False)
    assert [len(page.facts) for page in (next(pages), next(pages))] == [1, 3]
    with pytest.raises(CollectorError, match="nowhere is not there"):
        next(pages)


def test_the_environment_of_a_hook_does_not_lead_to_another_repository(repo, another, shelf, monkeypatch):
    repo.commit("right")
    other = another("other")
    other.commit("wrong")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    subprocess.run(["git", "log"], check=True, capture_output=True, env=os.environ)
    shelf.collect(repo.path)
    assert [row["message"] for row in shelf.rows("commits")] == ["right"]
