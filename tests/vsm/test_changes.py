"""Changes: what a pull request and a push become, when they began, and what they take back."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from vsm.changes import Changes, application_of, changes
from vsm.people import People
from vsm.reverts import takes_back
from vsm.store import Facts

Told = Callable[..., Facts]
Hour = Callable[[float], pd.Timestamp]


def made(facts: Facts) -> Changes:
    return changes(facts, People.of(facts))


def column(facts: Facts, name: str) -> dict[str, Any]:
    """A column by change; missing as None."""
    found = made(facts).changes.set_index("change")[name]
    return {key: None if pd.isna(value) else value for key, value in found.items()}


def commits(facts: Facts) -> dict[str, str]:
    """The commits of each change, in the order of their names."""
    found = made(facts).commits.sort_values("sha").groupby("change")["sha"]
    return {str(change): " ".join(shas) for change, shas in found}


def test_a_merge_brings_the_commits_of_its_branch_and_begins_with_the_first(told: Told, hour: Hour) -> None:
    facts = told("a\nx < a\ny < x\nm < a y", "1 created=2 merged=3 sha=m")
    assert commits(facts) == {"shop#1": "m x y", "shop@a": "a"}
    assert column(facts, "first_commit_at")["shop#1"] == hour(1)
    assert column(facts, "start_rule")["shop#1"] == "earliest author date of the pull request's commits"


def test_a_squash_hides_when_the_work_began_and_says_so(told: Told) -> None:
    facts = told("a\ns < a | Sort (#1)", "1 created=0.5 merged=1 sha=s")
    assert column(facts, "first_commit_at")["shop#1"] is None
    assert column(facts, "start_rule")["shop#1"].startswith("squashed: its branch's commits are not known")


def test_a_squash_begins_with_its_branch_where_a_source_tells_that(told: Told, hour: Hour) -> None:
    facts = told("a\ns at=9 < a", "1 merged=9 sha=s commits=x@2,y@4")
    assert column(facts, "first_commit_at")["shop#1"] == hour(2)
    assert commits(facts)["shop#1"] == "s x y"


def test_what_a_source_says_of_the_first_commit_counts(told: Told, hour: Hour) -> None:
    facts = told("a\nx < a\nm < a x", "1 merged=3 sha=m first=-20")
    assert column(facts, "first_commit_at")["shop#1"] == hour(-20)
    assert column(facts, "start_rule")["shop#1"] == "first commit, as the source says"


def test_a_rebase_merge_is_one_change_though_its_commits_are_on_the_main_line(told: Told) -> None:
    facts = told("a\nx < a\ny < x\nb < y", "1 merged=2 sha=y commits=x@1,y@2")
    assert commits(facts) == {"shop#1": "x y", "shop@a": "a", "shop@b": "b"}


def test_a_rebase_that_wrote_the_commits_anew_is_known_by_when_they_were_authored(told: Told, hour: Hour) -> None:
    facts = told(
        "a at=0\nb at=5 < a\nr1 at=9 authored=1 < b\nr2 at=9 authored=2 < r1",
        "1 created=3 merged=9 sha=r2 commits=x1@1,x2@2",
    )
    assert commits(facts) == {"shop#1": "r1 r2 x1 x2", "shop@a": "a", "shop@b": "b"}
    assert column(facts, "first_commit_at")["shop#1"] == hour(1)


def test_commits_straight_to_the_default_branch_are_changes_that_landed_when_they_were_committed(told: Told, hour: Hour) -> None:
    facts = told("a\nb at=5 authored=3 < a | Sort the cart")
    assert column(facts, "kind") == {"shop@a": "commit", "shop@b": "commit"}
    assert column(facts, "merged_at")["shop@b"] == hour(5)
    assert column(facts, "first_commit_at")["shop@b"] == hour(3)
    assert column(facts, "title")["shop@b"] == "Sort the cart"
    assert column(facts, "sha")["shop@b"] == "b"


def test_a_local_merge_without_a_pull_request_is_one_change_that_began_with_its_branch(told: Told, hour: Hour) -> None:
    facts = told("a\nx < a\ny < x\nm < a y | Merge branch 'x'")
    assert commits(facts) == {"shop@a": "a", "shop@m": "m x y"}
    assert column(facts, "first_commit_at")["shop@m"] == hour(1)
    assert column(facts, "start_rule")["shop@m"] == "earliest author date of the commits that were merged"


def test_an_octopus_merge_brings_all_its_branches(told: Told) -> None:
    assert commits(told("a\nx < a\ny < a\no < a x y"))["shop@o"] == "o x y"


def test_a_merge_whose_branch_was_not_read_does_not_begin_with_the_merge(told: Told) -> None:
    facts = told("a\nm < a gone", "1 merged=1 sha=m")
    assert column(facts, "first_commit_at")["shop#1"] is None
    assert column(facts, "start_rule")["shop#1"] == "its commits are not known"


def test_where_both_sides_run_into_what_was_not_read_a_merge_does_not_bring_the_rest_of_history(told: Told, hour: Hour) -> None:
    shallow = "d < gone\ne < d\ns < lost\nt < s\nx < t\nm < e x\ny < m\nn < m y"
    facts = told(shallow, "1 merged=5 sha=m\n2 merged=7 sha=n")
    assert commits(facts) == {"shop#1": "m", "shop#2": "n y", "shop@d": "d", "shop@e": "e"}
    assert column(facts, "first_commit_at") == {"shop#1": None, "shop#2": hour(6), "shop@d": hour(0), "shop@e": hour(1)}
    assert commits(told("m < gone x\nx < lost\ny < m", "1 merged=0 sha=m")) == {"shop#1": "m", "shop@y": "y"}
    whole = shallow.replace("s < lost", "s < d").replace("d < gone", "d")
    assert commits(told(whole, "1 merged=5 sha=m\n2 merged=7 sha=n"))["shop#1"] == "m s t x"


def test_a_branch_that_nobody_merged_is_no_change(told: Told) -> None:
    facts = told("a\nb < a\nx < b\ny < x\nz < b", "1 merged=1 sha=b\n2 created=5 commits=x,y")
    assert commits(facts) == {"shop#1": "b", "shop#2": "x y", "shop@a": "a"}


def test_an_open_pull_request_has_no_landing_though_its_source_tries_the_merge(told: Told) -> None:
    facts = told("a", "1 created=1 sha=try")
    assert column(facts, "sha")["shop#1"] is None
    assert column(facts, "merged_at")["shop#1"] is None


def test_the_default_branch_is_the_one_to_which_most_was_merged(told: Told) -> None:
    code = "a\nb < a\nr1 < a\nr2 < r1\nr3 < r2\nc < b"
    pulls = "1 merged=1 sha=b target=main\n2 merged=2 sha=r1 target=stable\n3 merged=5 sha=c target=main"
    assert set(column(told(code, pulls), "merged_at")) == {"shop#1", "shop#2", "shop#3", "shop@a"}


def test_the_default_branch_that_the_repository_names_counts_before_the_most_usual_one(told: Told) -> None:
    code = "a\nb < a\nr1 < a\nr2 < r1"
    pulls = "1 merged=1 sha=b target=main\n2 merged=2 sha=r1 target=next\n3 merged=3 sha=r2 target=next"
    facts = told(code, pulls, repositories="shop default_branch=main")
    assert commits(facts)["shop#1"] == "b"
    assert "shop@r2" not in commits(facts)


def test_a_request_that_carries_main_into_another_branch_does_not_claim_what_was_pushed_to_main(told: Told) -> None:
    facts = told(
        "a\nb < a\nr < a\nm < r b",
        "1 merged=3 sha=m target=stable commits=b",
        repositories="shop default_branch=main head_sha=b",
    )
    assert column(facts, "kind") == {"shop#1": "pull_request", "shop@a": "commit", "shop@b": "commit"}


def test_the_applications_name_is_the_facts_else_the_repositorys(told: Told) -> None:
    facts = told(more={"ann/cart": "a", "ann/pay": "b"}, repositories="ann/pay app=payments")
    assert column(facts, "application") == {"ann/cart@a": "cart", "ann/pay@b": "payments"}
    assert application_of("group/sub/cart", {}) == "cart"


def test_nobody_reviews_their_own_change(told: Told, hour: Hour) -> None:
    facts = told(
        "a",
        "1 created=0 author=ann",
        reviews="1 2 ann-work\n1 3 ann\n1 5 bob state=commented\n1 6 bob",
        identities="github ann person=Ann\ngithub ann-work person=Ann",
    )
    assert column(facts, "first_review_at")["shop#1"] == hour(5)
    assert column(facts, "approved_at")["shop#1"] == hour(6)


def test_a_closed_request_was_given_up_and_a_merged_one_was_not(told: Told, hour: Hour) -> None:
    facts = told("a", "1 created=0 closed=4\n2 created=0 merged=3 closed=3 sha=a")
    assert column(facts, "closed_at") == {"shop#1": hour(4), "shop#2": None}


# Reverts. --------------------------------------------------------------------------------------------------------------

A, B, C = "a" * 40, "b" * 40, "ab" + "c" * 38


@pytest.mark.parametrize(
    ("message", "reverts"),
    [
        pytest.param(f"Take it out\\n\\nThis reverts commit {B}.", f"shop@{B[:12]}", id="by sha"),
        pytest.param(f"Take it out\\n\\nThis reverts commit {C[:8]}.", f"shop@{C[:12]}", id="by a short sha"),
        pytest.param(f"Take it out\\n\\nThis reverts commit {'d' * 40}.", None, id="by a sha that nobody knows"),
        pytest.param('Revert "Sort the cart"', f"shop@{B[:12]}", id="by the title in quotes"),
        pytest.param('Revert "Sort nothing"', None, id="by a title that nobody knows"),
        pytest.param("Take it out\\n\\nReverts ann/shop#7", "shop#7", id="by a number"),
        pytest.param("Take it out\\n\\nThis reverts merge request ann/shop!7", "shop#7", id="by GitLab's number"),
        pytest.param('Revert "Add gifts (#7)"', "shop#7", id="by the number in the title"),
        pytest.param('Revert "Revert "Sort the cart""', None, id="a revert of a revert brings it again"),
        pytest.param(f'Reapply "Sort the cart"\\n\\nThis reverts commit {B}.', None, id="so does a re-application"),
        pytest.param(f'Revert "Reapply "Sort""\\n\\nThis reverts commit {B}.', f"shop@{B[:12]}", id="whose revert takes it back"),
        pytest.param("Do not revert this", None, id="the word alone says nothing"),
    ],
)
def test_what_a_commit_takes_back(told: Told, message: str, reverts: str | None) -> None:
    code = f"{A} | Begin\n{B} < {A} | Sort the cart\n{C} < {B} | Count\ng < {C} | Add gifts (#7)\nz < g | {message}"
    assert column(told(code, "7 merged=3 sha=g"), "reverts")["shop@z"] == reverts


@pytest.mark.parametrize(
    ("pull", "reverts"),
    [
        pytest.param("2 branch=revert-1-sort", "shop#1", id="by GitHub's branch"),
        pytest.param("2 branch=revert-3-revert-1-sort", None, id="a branch that reverts a revert"),
        pytest.param("2 'title=Revert \"Sort the cart\"'", "shop#1", id="by title"),
        pytest.param("2 'title=Revert \"Sort the cart (#1)\"'", "shop#1", id="by number"),
        pytest.param('2 \'title=Revert "Revert "Sort the cart""\' branch=revert-1-sort', None, id="brought again"),
        pytest.param("2 branch=revert-9-sort", None, id="a number that nobody knows"),
        pytest.param("2 branch=revert-2-sort", None, id="itself"),
    ],
)
def test_what_a_pull_request_takes_back(told: Told, pull: str, reverts: str | None) -> None:
    pulls = f'1 "title=Sort the cart" merged=1 sha=b\n{pull} created=2 merged=3 sha=c'
    assert column(told("a\nb < a\nc < b", pulls), "reverts")["shop#2"] == reverts


def test_of_several_changes_of_one_title_the_newest_before_the_revert_is_meant(told: Told) -> None:
    facts = told('a\nb < a | Bump\nc < b | Bump\nd < c | Revert "Bump"\ne < d | Bump')
    assert column(facts, "reverts")["shop@d"] == "shop@c"


def test_a_commit_is_the_change_that_was_merged_with_it_first_not_that_of_the_branch_which_brought_it(told: Told) -> None:
    facts = told(
        f"a\n{B} < a | Sort\nm < a {B}\nz < m | Take it out\\n\\nThis reverts commit {B}.",
        f"1 target=next merged=1 sha={B} commits={B}\n2 target=main merged=2 sha=m commits={B}\n3 target=main merged=0 sha=a",
    )
    assert column(facts, "reverts")["shop@z"] == "shop#1"


def test_a_change_that_reverts_its_own_commit_takes_nothing_back(told: Told) -> None:
    code = f"a\n{B} < a | Try\ny < {B} | Take it out\\n\\nThis reverts commit {B}.\nm < a y"
    assert column(told(code, "1 merged=3 sha=m"), "reverts")["shop#1"] is None


def again(facts: Facts) -> dict[str, str]:
    """Of each change that takes another one back: which, and of one that applies something again: the revert, behind a +."""
    found = made(facts).changes
    taken = found["reverts"].fillna("+" + found["reapplies"])
    return {change[5:]: other for change, other in zip(found["change"], taken, strict=True) if isinstance(other, str)}


RR = 'Revert "Revert "Sort""'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(f"{RR}\\n\\nThis reverts commit {B}.", "+shop@b", id="by sha"),
        pytest.param(f'Reapply "Sort"\\n\\nThis reverts commit {B}.', "+shop@b", id="as git says it now"),
        pytest.param(RR, "+shop@b", id="by title"),
        pytest.param('Reapply "Sort"', "+shop@b", id="by the title of what is live again"),
        pytest.param(f"Sort after all\\n\\nThis reverts commit {B}.", "+shop@b", id="in other words"),
        pytest.param('Revert "Revert "Count""', None, id="of a revert that nobody knows"),
        pytest.param('Reapply "Count"', None, id="of what nobody took back"),
    ],
)
def test_who_takes_back_a_revert_takes_back_nothing_but_brings_its_subject_again(told: Told, line: str, said: str | None) -> None:
    code = f'a | Sort\n{B} < a | Revert "Sort"\nc < {B} | {line}'
    found = again(told(code))
    assert found.pop(B[:12]) == "shop@a"
    assert found == ({"c": said.replace("shop@b", f"shop@{B[:12]}")} if said else {})


def test_a_revert_in_other_words_of_a_revert_in_other_words_is_none(told: Told) -> None:
    code = f"{A} | Sort\n{B} < {A} | No sorting\\n\\nThis reverts commit {A}.\nz < {B} | Sort\\n\\nThis reverts commit {B}."
    assert again(told(code)) == {B[:12]: f"shop@{A[:12]}", "z": f"+shop@{B[:12]}"}


def test_who_takes_it_back_once_more_takes_back_what_brought_it_again(told: Told) -> None:
    code = f"""
        {A} | Sort
        {B} < {A} | Revert "Sort"\\n\\nThis reverts commit {A}.
        {C} < {B} | Reapply "Sort"\\n\\nThis reverts commit {B}.
        d < {C} | Revert "Reapply "Sort""\\n\\nThis reverts commit {C}.
        e < d | Reapply "Sort" at last\\n\\nThis reverts commit {A}.
    """
    found = again(told(code))
    assert (found[C[:12]], found["d"]) == (f"+shop@{B[:12]}", f"shop@{C[:12]}")
    code = code.replace("d < ", "g < ").replace('Revert "Reapply "Sort""', "Take it out").replace(f"commit {C}", f"commit {A}")
    assert again(told(code))["g"] == f"shop@{C[:12]}", "named by the first, the last that brought it is meant"


def test_a_revert_and_its_revert_of_one_instant_are_told_apart(told: Told) -> None:
    says = "\\n\\nThis reverts commit"
    code = f"{A} at=0 | Sort\n{B} at=1 < {A} | No sorting{says} {A}.\naa at=1 < {B} | Sort{says} {B}."
    assert again(told(code)) == {B[:12]: f"shop@{A[:12]}", "aa": f"+shop@{B[:12]}"}


def test_reverts_of_reverts_by_githubs_branches_and_titles(told: Told) -> None:
    pulls = f"""
        1 'title=Sort' merged=1 sha=b
        2 'title=Revert "Sort"' branch=revert-1-sort merged=2 sha=c
        3 'title={RR}' branch=revert-2-revert-1-sort merged=3 sha=d
        4 'title=Revert "{RR}"' branch=revert-3-revert-2-revert-1-sort merged=4 sha=e
    """
    assert again(told("a\nb < a\nc < b\nd < c\ne < d", pulls)) == {"2": "shop#1", "3": "+shop#2", "4": "shop#3"}


def test_reverts_of_reverts_by_the_numbers_of_squashes(told: Told) -> None:
    code = """
        a | Sort (#1)
        b < a | Revert "Sort (#1)" (#2)\\n\\nReverts ann/shop#1
        c < b | Revert "Revert "Sort (#1)" (#2)" (#3)\\n\\nReverts ann/shop#2
    """
    pulls = "1 title=Sort merged=0 sha=a\n2 'title=Revert \"Sort (#1)\"' merged=1 sha=b"
    pulls += '\n3 \'title=Revert "Revert "Sort (#1)" (#2)"\' merged=2 sha=c'
    assert again(told(code, pulls)) == {"2": "shop#1", "3": "+shop#2"}


def test_a_merge_that_is_reverted_by_its_sha_is_the_pull_request(told: Told) -> None:
    code = f"a\nx < a\n{B} < a x | Merge\nz < {B} | Take it out\\n\\nThis reverts commit {B}, reversing\\nchanges made to {A}."
    assert again(told(code, f"1 merged=2 sha={B}")) == {"z": "shop#1"}


def test_what_is_reverted_in_another_repository_is_not_ours(told: Told) -> None:
    code = "a | Sort (#1)\nb < a | Take it out\\n\\nReverts ann/till#1"
    assert again(told(code, "1 title=Sort merged=0 sha=a")) == {}


def test_bitbuckets_reverts_name_the_number_in_branch_and_title(told: Told) -> None:
    pulls = "1 title=Sort merged=1 sha=b\n2 title=Take branch=revert-pr-1 merged=2 sha=c"
    assert again(told("a\nb < a\nc < b", pulls)) == {"2": "shop#1"}
    pulls = "1 title=Sort merged=1 sha=b\n2 'title=Revert \"Sort (pull request #1)\"' merged=2 sha=c"
    assert again(told("a\nb < a\nc < b", pulls)) == {"2": "shop#1"}


def test_a_branch_that_was_merged_without_a_pull_request_is_known_by_its_name(told: Told) -> None:
    code = """
        a
        x < a
        m < a x | Merge branch 'feature/pay-1-sort' into main
        y < m
        n < m y | Merge remote-tracking branch 'origin/pay-2'
        o < n a | Merge branch 'main' of example.org:shop
    """
    assert column(told(code), "branch") == {
        "shop@a": None, "shop@m": "feature/pay-1-sort", "shop@n": "pay-2", "shop@o": None,
    }  # fmt: skip


@pytest.mark.parametrize("depth", range(1, 8))
def test_reverts_of_reverts_take_turns(depth: int) -> None:
    assert takes_back('Revert "' * depth + "Sort" + '"' * depth) is (depth % 2 == 1)


def test_nothing_at_all(told: Told) -> None:
    found = made(told())
    assert (len(found.changes), len(found.commits), found.history.rows) == (0, 0, {})
    assert str(found.changes["merged_at"].dtype) == "datetime64[us, UTC]"
    assert str(found.changes["reverts"].dtype) == "str"
