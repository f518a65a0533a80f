"""What a commit's message says of the pull request that it is, forge by forge."""

import json

import pytest

from collectors.claims import Claim, at_home, claim

AT = 1_772_452_800


def said(message: str) -> tuple | None:
    """Number, title, source branch and target branch, or None."""
    found = claim("a1", message, AT)
    return found and (found.number, found.title, found.branch, found.target)


GITLAB = "Merge branch 'fix/gift' into 'main'\n\nCount a gift once\n\n"
SERVER = "Pull request #12: Count a gift once\n\nMerge in WEB/shop from "


@pytest.mark.parametrize(
    ("message", "number", "title", "branch", "target"),
    [
        pytest.param(f"{GITLAB}See merge request web/shop!12", 12, "Count a gift once", "fix/gift", "main", id="GitLab"),
        pytest.param(
            f"{GITLAB}Closes #3\n\nSee merge request web/eu.west/shop!12\n", 12, "Count a gift once", "fix/gift", "main",
            id="GitLab, with an issue and a group within a group",
        ),
        pytest.param(
            f"{GITLAB}See merge request https://git.example.org/web/shop/-/merge_requests/12\n\nMerged-by: Ann\nApproved-by: Bob",
            12, "Count a gift once", "fix/gift", "main", id="GitLab, with its URL and trailers",
        ),
        pytest.param(f"{GITLAB}See merge request !12", 12, "Count a gift once", "fix/gift", "main", id="GitLab of old"),
        pytest.param(
            "Merge branch 'gift' of https://git.example.org/ann/shop into 'main'\n\nCount\n\nSee merge request web/shop!12",
            12, "Count", "gift", "main", id="GitLab, from a fork",
        ),
        pytest.param("Merge branch 'gift' into 'main'\n\nSee merge request !12", 12, None, "gift", "main", id="GitLab, no title"),
        pytest.param("Count a gift once (#3)\n\nWhy.\n\nSee merge request web/shop!12", 12, "Count a gift once (#3)", None, None,
                     id="GitLab, a squash whose subject names an issue"),
        pytest.param(f"{GITLAB}See merge request web/shop!12\n\n(cherry picked from commit abc)\n\nabc1234 Count", 12,
                     "Count a gift once", "fix/gift", "main", id="GitLab, a copy"),
        pytest.param("Merged in fix/PAY-12 (pull request #12)\n\nCount a gift once\n\nApproved-by: Bob", 12, "Count a gift once",
                     "fix/PAY-12", None, id="Bitbucket"),
        pytest.param("Merged in gift (pull request #12)", 12, None, "gift", None, id="Bitbucket, no title"),
        pytest.param(f"{SERVER}fix/gift to main\n\n* commit 'abc':\n  Count", 12, "Count a gift once", "fix/gift", "main",
                     id="Bitbucket Data Center"),
        pytest.param(f"{SERVER}~ANN/shop:gift to main", 12, "Count a gift once", "gift", "main",
                     id="Bitbucket Data Center, from a fork"),
        pytest.param("Pull request #12: Count (#3)", 12, "Count (#3)", None, None, id="Bitbucket Data Center, no body"),
        pytest.param("Merge pull request #12 in WEB/shop from fix/gift to main\n\n* commit 'abc':\n  Count", 12, None, "fix/gift",
                     "main", id="Bitbucket Server of old"),
        pytest.param("Merged PR 12: Count a gift once (#3)\n\nWhy.\n\nRelated work items: #3", 12, "Count a gift once (#3)", None,
                     None, id="Azure"),
        pytest.param("Merge pull request 12 from users/ann/gift into main", 12, None, "users/ann/gift", "main", id="Azure of old"),
        pytest.param("Merge pull request 'Count ''em' (#12) from fix/gift into main\n\nReviewed-on: https://git.example.org/12", 12,
                     "Count ''em", "fix/gift", "main", id="Gitea"),
        pytest.param("Merge pull request 'Count' (!12) from ann/shop:gift into v1/forgejo", 12, "Count", "gift", "v1/forgejo",
                     id="Forgejo, from a fork, with another tracker"),
        pytest.param("Merge pull request #12 from ann/fix/gift\n\nCount a gift once", 12, "Count a gift once", "fix/gift", None,
                     id="GitHub"),
        pytest.param('Revert "Merged PR 12: Count (#3)" (#13)', 13, 'Revert "Merged PR 12: Count (#3)"', None, None,
                     id="a squash, with its own number last"),
    ],
)  # fmt: skip
def test_a_forges_merge_tells_number_title_and_branches(message, number, title, branch, target):
    assert said(message) == (number, title, branch, target)


@pytest.mark.parametrize(
    "message",
    [
        "Revert \"Merge branch 'gift' into 'main'\"\n\nThis reverts merge request !12",
        'Revert "Merged in gift (pull request #12)"\n\nThis reverts commit abc, reversing changes made to def.',
        'Revert "Merged PR 12: Count"',
        'Revert "Pull request #12: Count"',
        "Reapply \"Merge pull request 'Count' (#12) from gift into main\"",
        "Tidy\n\nSee merge request web/shop!12\nfor the reason, and the rest\nof the story",
        "Tidy\n\n> See merge request web/shop!12",
        "Tidy\n\n    See merge request web/shop!12",
        "Tidy\n\nSee merge request web/shop!12 for the reason",
        "Release\n\n* Merged in gift (pull request #12)\n* Merged PR 13: Count",
        "Release\n\nMerge pull request #12 from ann/gift",
        "Release\n\nPull request #12: Count",
        "Merge branch 'gift' into 'main'",
        "See merge request web/shop!12",
        "Merged in gift (pull request #12) at last",
        "Merged PR twelve: Count",
        "merged pr 12: Count",
        "Pull request #: Count",
        "Merge pull request 'Count' (#12) into main",
        "Merge pull request of ann",
        "Merged PR 1234567890123: a number that is none",
        "",
    ],
)
def test_what_is_quoted_or_only_mentioned_claims_nothing(message):
    assert said(message) is None


def test_gitlabs_own_messages_as_they_were_recorded(recorded):
    lines = (recorded / "gitlab" / "devlake" / "deployments.jsonl").read_text().splitlines()
    messages = {json.loads(line)["deployable"]["commit"]["message"] for line in lines}
    assert {said(message) for message in messages if "See merge request" in message} == {
        (175, "Update CI", "update-gitlab-ci", "master"),
        (176, "Make Intercom support Chinese", "117-change-language-in-intercom", "master"),
    }
    assert {said(message) for message in messages if "See merge request" not in message} <= {None}


def bare(number: int, at: int) -> Claim:
    found = claim(f"s{at}", f"Count (#{number})", at)
    assert found is not None
    return found


def test_a_history_that_has_moved_has_the_numbers_of_its_new_forge_only():
    old = [claim(f"b{at}", f"Merged in gift (pull request #{at})", at) for at in range(200)]
    new = [claim(f"h{at}", f"Merge pull request #{at} from ann/gift", at) for at in range(200, 300)]
    assert at_home(old) == {"bitbucket"}
    assert at_home(old + new) == {"github", "gitea", ""}
    assert at_home(old + [bare(at, at) for at in range(200, 300)]) == {"github", "gitea", ""}


def test_a_number_in_brackets_is_a_tickets_where_the_forge_writes_its_own():
    gitlab = [claim(f"g{at}", f"Merge branch 'a' into 'b'\n\nSee merge request a/b!{at}", at) for at in range(0, 100, 5)]
    assert at_home(gitlab + [bare(at, at) for at in range(100)]) == {"gitlab"}


def test_one_odd_message_does_not_make_another_forge():
    assert at_home([bare(at, at) for at in range(50)] + [claim("odd", "Merged PR 3: copied", 60)]) == {"github", "gitea", ""}


def test_without_any_claim_githubs_way_counts():
    assert at_home([]) == {"github", "gitea", ""}
