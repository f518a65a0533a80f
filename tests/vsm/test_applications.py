"""Monorepos: which application each change belongs to, by the paths that it changed."""

from collections.abc import Callable

import pandas as pd
import pytest

from vsm.config import Application, Config
from vsm.links import Links, link
from vsm.people import People
from vsm.store import Facts

Told = Callable[..., Facts]
PAY = Application(name="pay", repository="shop", paths=("services/pay/**", "libs/money"))
CART = Application(name="cart", repository="shop", paths=("services/cart/**",))


def made(facts: Facts, *rules: Application) -> Links:
    return link(facts, Config(applications=rules), People.of(facts))


def brought(found: Links) -> list[str]:
    return sorted(found.deployment_changes["deployment"] + " " + found.deployment_changes["change"].str[-1])


@pytest.mark.parametrize(
    ("paths", "applications"),
    [
        pytest.param("services/pay/a.py", ["pay"], id="below a folder"),
        pytest.param("services/pay/deep/er/a.py;README.md", ["pay"], id="deep below it, and something else"),
        pytest.param("libs/money", ["pay"], id="a path without signs is itself"),
        pytest.param("libs/money/sum.py", ["pay"], id="or all that is below"),
        pytest.param("libs/moneybag/sum.py", [], id="not what only begins so"),
        pytest.param("services/cart/a.py;services/pay/b.py", ["pay", "cart"], id="several, in the order of the rules"),
        pytest.param("services/cart/a%3Bb.py", ["cart"], id="a path with a semicolon"),
        pytest.param("README.md", [], id="no rule"),
    ],
)
def test_the_applications_of_a_change(told: Told, paths: str, applications: list[str]) -> None:
    found = made(told(f"a paths='{paths}'", deployments="p1 app=pay sha=a at=1\nc1 app=cart sha=a at=1"), PAY, CART)
    settled = found.settled_changes.merge(found.deployments, left_on="deployment", right_on="id")
    assert sorted(settled["application"]) == sorted(applications)
    assert found.changes["application"].iloc[0] == (applications[0] if applications else "shop")
    assert len(found.unplaced_changes) == (not applications)


MONO = "a paths=x\nb paths=services/pay/1 < a\nc paths=services/cart/1 < b\nd paths=README < c\ne < d"
RUNS = (
    "p1 app=pay sha=a at=1\nc1 app=cart sha=a at=1\np2 app=pay sha=c at=6\nc2 app=cart sha=d at=7\nall sha=a at=8\nall2 sha=e at=9"
)


def test_a_deployment_brings_only_its_own_applications_changes(told: Told) -> None:
    found = made(told(MONO, deployments=RUNS), PAY, CART)
    assert brought(found) == ["all2 b", "all2 c", "all2 d", "all2 e", "c2 c", "p2 b"]
    assert brought(made(told(MONO, deployments=RUNS))) == sorted(
        ["p2 b", "p2 c", "c2 b", "c2 c", "c2 d", "all2 b", "all2 c", "all2 d", "all2 e"]
    )


def test_what_no_rule_places_is_counted_with_the_reason(told: Told) -> None:
    found = made(told(MONO, deployments=RUNS), PAY, CART).unplaced_changes.set_index("change")["reason"]
    assert {name[-1]: reason for name, reason in found.items()} == {
        "a": "no path rule of [[applications]] places it",
        "d": "no path rule of [[applications]] places it",
        "e": "the paths that it changed are not known, so no rule of [[applications]] places it: changed_paths reads them",
    }


def test_the_paths_of_all_of_a_pull_requests_commits_count(told: Told) -> None:
    code = "a paths=x\nx paths=services/pay/1 < a\ny paths=services/cart/1 < x\nm < a y"
    found = made(told(code, "1 merged=3 sha=m", deployments="c1 app=cart sha=a at=1\nc2 app=cart sha=m at=9"), PAY, CART)
    assert brought(found) == ["c2 1"]


def test_other_repositories_are_as_they_were(told: Told) -> None:
    found = made(told("a paths=x", more={"web": "v\nw < v"}, deployments="d1 repo=web sha=v at=1\nd2 repo=web sha=w at=2"), PAY)
    assert brought(found) == ["d2 w"]
    assert set(found.unplaced_changes["change"]) == {"shop@a"}
    assert isinstance(found.unplaced_changes, pd.DataFrame)


@pytest.mark.parametrize(
    ("written", "matched"),
    [("./services/pay", "services/pay"), ("/services//pay/", "services/pay"), ("/", "**"), (".", "**"), ("libs/*.py", "libs/*.py")],
)
def test_a_path_is_taken_from_the_root_of_the_repository(written, matched):
    assert Application(name="pay", repository="acme/shop", paths=(written,)).paths == (matched,)


@pytest.mark.parametrize("written", ["", "  ", "!services", "../other", "a/../b"])
def test_a_path_that_can_match_nothing_is_refused(written):
    with pytest.raises(ValueError, match="is no path in a repository"):
        Application(name="pay", repository="acme/shop", paths=(written,))
