"""Copies: a change is in production with its cherry-pick on a release branch, before its own commit gets there."""

from collections.abc import Callable

import pytest

from vsm.changes import changes
from vsm.config import Config, Dora
from vsm.deployed import deployed
from vsm.people import People
from vsm.store import Facts

Told = Callable[..., Facts]
A, B, C, M = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)


def brought(facts: Facts, **rules: str) -> list[str]:
    """`d2 b, named`: what each deployment brought, by the first sign of its commit."""
    found = deployed(facts, changes(facts, People.of(facts)), Config(dora=Dora(**rules))).brought
    short = found["change"].str.replace("shop@", "").str.replace("shop#", "#").str[:2]
    return sorted(found["deployment"] + " " + short + ", " + found["strength"])


MAIN = f"{A} at=0\n{B} at=1 < {A} | Sort\n{C} at=2 < {B} | Count"


@pytest.mark.parametrize(
    ("pick", "strength"),
    [
        pytest.param(f"x at=3 authored=3 < {A} | Sort again\\n\\n(cherry picked from commit {B})", "stated", id="by its message"),
        pytest.param(f"x at=3 authored=3 < {A} | Sort\\n(cherry picked from commit {B[:9]})", "stated", id="by a short sha"),
        pytest.param(f"x at=3 authored=1 < {A} | Sort", "named", id="by subject and author date"),
        pytest.param(f"x at=3 authored=3 < {A} | Sort", None, id="the subject alone is no copy"),
        pytest.param(f"x at=3 authored=1 < {A} | Other", None, id="nor is the author date"),
        pytest.param(f"x at=3 < {A} | Like it (cherry picked from commit {'9' * 40})", None, id="of a commit that nobody read"),
    ],
)
def test_a_cherry_pick_on_a_release_branch_brings_the_change(told: Told, pick: str, strength: str | None) -> None:
    facts = told(
        f"{MAIN}\n{pick}", repositories=f"shop default_branch=main head_sha={C}",
        deployments=f"d1 sha={A} at=2.5\nd2 sha=x at=4\nd3 sha={C} at=9",
    )  # fmt: skip
    assert brought(facts) == ([f"d2 bb, {strength}", "d3 cc, stated"] if strength else ["d3 bb, stated", "d3 cc, stated"])


TWO = f"{A} at=0\n{B} at=1 < {A} | Begin\n{C} at=2 < {B} | End\n{M} at=3 < {A} {C} | Merge it"


@pytest.mark.parametrize(
    ("picks", "deployment"),
    [
        pytest.param(f"x at=4 authored=1 < {A} | Begin\ny at=5 authored=2 < x | End", "d2", id="both of its commits"),
        pytest.param(f"x at=4 authored=1 < {A} | Begin\ny at=5 < x | Something else", "d3", id="one of them is not enough"),
        pytest.param(f"y at=5 < {A} | Merge it (cherry picked from commit {M})", "d2", id="its merge"),
    ],
)
def test_a_merged_change_is_there_with_the_last_of_its_commits(told: Told, picks: str, deployment: str) -> None:
    facts = told(
        f"{TWO}\n{picks}", f"1 merged=3 sha={M}", repositories=f"shop default_branch=main head_sha={M}",
        deployments=f"d1 sha={A} at=3.5\nd2 sha=y at=6\nd3 sha={M} at=9",
    )  # fmt: skip
    assert [line for line in brought(facts) if "#1" in line] == [
        f"{deployment} #1, {'stated' if deployment == 'd3' else how(facts)}"
    ]


def how(facts: Facts) -> str:
    return "stated" if facts.commits["message"].str.contains("picked").any() else "named"


def test_commits_of_one_script_that_look_alike_are_no_copies_of_each_other(told: Told) -> None:
    code = f"{A} at=0\n{B} at=1 < {A} | Bump\n{C} at=1 < {B} | Bump\nx at=1 < {A} | Bump"
    facts = told(
        code, repositories=f"shop default_branch=main head_sha={C}",
        deployments=f"d1 sha={A} at=2.5\nd2 sha=x at=4\nd3 sha={C} at=9",
    )  # fmt: skip
    assert brought(facts) == ["d3 bb, stated", "d3 cc, stated"]


@pytest.mark.parametrize(("rule", "first"), [("none", []), ("history", ["d1 aa, stated", "d1 bb, stated"])])
def test_the_first_deployment_known_brings_nothing_or_all_before_it(told: Told, rule: str, first: list[str]) -> None:
    facts = told(MAIN, deployments=f"d1 sha={B} at=3\nd2 sha={C} at=4")
    assert brought(facts, first_deployment=rule) == [*first, "d2 cc, stated"]


def test_where_the_source_states_what_the_first_one_brought_history_adds_nothing(told: Told) -> None:
    facts = told(MAIN, deployments=f"d1 sha={B} at=3", deployment_commits=f"d1 sha={B}")
    assert brought(facts, first_deployment="history") == ["d1 bb, stated"]


def test_in_a_shallow_clone_what_was_merged_before_the_last_deployment_came_no_later_than_that(told: Told) -> None:
    """The main line was read back to k; the old branch o leads to older commits of the main line by another way."""
    code = "k at=50 < unread\nl at=51 < k\no at=10 < older\np at=52 < o\nm at=53 < l p"
    pulls = "1 merged=10 sha=o\n2 merged=53 sha=m"
    facts = told(
        code,
        pulls,
        repositories="shop default_branch=main head_sha=m",
        deployments="d0 sha=k at=50.5\nd1 sha=l at=52\nd2 sha=m at=54",
    )
    assert brought(facts) == ["d1 l, stated", "d2 #2, stated"]
