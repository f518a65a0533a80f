"""Deployments: what each brought first to production, what it took back, and whether it mended something."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.brought import GUESSED, REACHED, SAME, STATED
from vsm.changes import changes
from vsm.config import Config, Production
from vsm.deployed import Deployed, applications, deployed
from vsm.people import People
from vsm.store import Facts

Told = Callable[..., Facts]
LINE = "a\nb < a\nc < b\nd < c\ne < d"


def made(facts: Facts, config: Config | None = None) -> Deployed:
    return deployed(facts, changes(facts, People.of(facts)), config or Config())


def pairs(frame: pd.DataFrame) -> dict[str, str]:
    """The changes of each deployment, by the last letter of their names."""
    short = frame["change"].str.replace("shop@", "").str.replace("shop#", "#")
    return {str(key): " ".join(sorted(names)) for key, names in short.groupby(frame["deployment"])}


def brought(facts: Facts) -> dict[str, str]:
    return pairs(made(facts).brought)


def rules(facts: Facts) -> set[str]:
    return set(made(facts).brought["rule"])


def column(facts: Facts, name: str) -> dict[str, Any]:
    """A column by deployment; only what is not missing."""
    return dict(made(facts).deployments.dropna(subset=name).set_index("id")[name])


# What a deployment brought. --------------------------------------------------------------------------------------------


def test_a_deployment_brings_what_it_reaches_and_no_earlier_one_did(told: Told) -> None:
    facts = told(LINE, deployments="d1 sha=a at=1\nd2 sha=c at=3\nd3 sha=e at=5")
    assert brought(facts) == {"d2": "b c", "d3": "d e"}
    assert rules(facts) == {REACHED}


def test_the_first_deployment_known_does_not_claim_history_but_settles_it(told: Told) -> None:
    found = made(told(LINE, deployments="d1 sha=c at=1"))
    assert pairs(found.brought) == {}
    assert pairs(found.settled) == {"d1": "a b c"}


def test_the_first_deployment_brings_what_its_source_states(told: Told) -> None:
    found = made(told(LINE, deployments="d1 sha=c at=1", deployment_commits="d1 sha=c"))
    assert pairs(found.brought) == {"d1": "c"}
    assert pairs(found.settled) == {"d1": "a b"}
    assert list(found.brought["rule"]) == [STATED]


def test_what_follows_from_the_graph_is_added_to_what_a_source_states(told: Told) -> None:
    """A job's own list begins at its last run, also where that one failed and brought nothing."""
    found = made(told(LINE, deployments="d1 sha=a at=1\nd2 sha=d at=4", deployment_commits="d2 sha=d"))
    assert dict(found.brought.set_index("change")["rule"]) == {"shop@b": REACHED, "shop@c": REACHED, "shop@d": STATED}


def test_commits_that_are_stated_of_a_deployment_without_sha_are_in_production(told: Told) -> None:
    facts = told(
        LINE,
        deployments="d1 at=1 repo=\nd2 at=3 repo=\nd3 sha=e at=5",
        deployment_commits="d1 sha=a\nd2 sha=b\nd2 sha=c",
    )
    assert brought(facts) == {"d1": "a", "d2": "b c", "d3": "d e"}


def test_a_statement_of_what_was_there_already_brings_nothing(told: Told) -> None:
    facts = told(LINE, deployments="d1 sha=b at=1\nd2 sha=c at=3", deployment_commits="d2 sha=a\nd2 sha=c")
    assert brought(facts) == {"d2": "c"}


def test_a_merged_change_is_deployed_with_its_landing_commit(told: Told) -> None:
    facts = told("a\nx < a\nm < a x", "1 merged=2 sha=m", deployments="d1 sha=a at=1\nd2 sha=x at=1.5\nd3 sha=m at=3")
    assert brought(facts) == {"d3": "#1"}


def test_a_deployed_commit_that_was_never_read_is_matched_with_landings_alone(told: Told) -> None:
    facts = told("", "1 merged=2 sha=m\n2 merged=4 sha=n", deployments="d1 sha=m at=3\nd2 sha=n at=5")
    assert brought(facts) == {"d1": "#1", "d2": "#2"}
    assert rules(facts) == {SAME}


def test_only_success_brings_anything(told: Told) -> None:
    facts = told(LINE, deployments="d1 sha=a at=1\nd2 sha=b at=2 result=failure\nd3 sha=c at=3 result=unknown\nd4 sha=d at=4")
    assert brought(facts) == {"d4": "b c d"}


def test_other_environments_have_their_own_line(told: Told) -> None:
    facts = told(LINE, deployments="s1 sha=a at=1 env=staging\ns2 sha=b at=2 env=staging\nd1 sha=a at=3\nd2 sha=b at=4")
    found = made(facts)
    assert pairs(found.elsewhere) == {"s2": "b"}
    assert pairs(found.brought) == {"d2": "b"}
    assert pairs(found.settled) == {"d1": "a"}


def test_several_production_environments_are_one_line(told: Told) -> None:
    facts = told(LINE, deployments="d1 sha=a at=1 env=prod-eu\nd2 sha=b at=2 env=prod-eu\nd3 sha=b at=3 env=prod-us")
    found = made(facts)
    assert pairs(found.brought) == {"d2": "b"}
    assert dict(found.deployments.set_index("id")["previous"].dropna()) == {"d2": "d1", "d3": "d2"}


def test_a_monorepo_brings_a_change_to_each_of_its_applications(told: Told) -> None:
    facts = told(LINE, deployments="d1 sha=a at=1\np1 sha=a at=1 app=pay\nd2 sha=b at=2\np2 sha=c at=3 app=pay\nd3 sha=c at=4")
    assert brought(facts) == {"d2": "b", "p2": "b c", "d3": "c"}


def test_an_application_may_come_from_several_repositories(told: Told) -> None:
    deployments = "d1 sha=a at=1\nd2 repo=web sha=v at=2\nd3 sha=b at=3\nd4 repo=web sha=w at=4"
    found = made(told("a\nb < a", more={"web": "u\nv < u\nw < v"}, deployments=deployments))
    assert dict(found.brought.set_index("change")["deployment"]) == {"shop@b": "d3", "web@w": "d4"}
    assert set(found.settled["change"]) == {"shop@a", "web@u", "web@v"}


def test_a_repository_that_is_not_named_is_found_by_the_commit(told: Told) -> None:
    assert brought(told(LINE, deployments="d1 sha=a at=1 repo=\nd2 sha=b at=2 repo=")) == {"d2": "b"}


def test_an_older_version_released_later_brings_only_what_its_own_branch_added(told: Told) -> None:
    """1.0 = b, 2.0 = d, and then 1.1 = y from the maintenance branch."""
    facts = told(
        "a\nb < a\nc < b\nd < c\nx < b\ny < x",
        "1 merged=5 sha=y target=1.x commits=x,y\n2 merged=3 sha=d target=main\n3 merged=2 sha=c target=main",
        repositories="shop default_branch=main",
        deployments="d1 sha=b at=2 ref=1.0\nd2 sha=d at=4 ref=2.0\nd3 sha=y at=9 ref=1.1",
    )
    assert brought(facts) == {"d2": "#2 #3", "d3": "#1"}
    assert column(facts, "rollback_of") == {}


# Where no commit is known. ---------------------------------------------------------------------------------------------

PULLS = "1 merged=1 sha=a\n2 merged=3 sha=b\n3 merged=5 sha=c"


def test_without_a_commit_what_was_merged_since_the_one_before_is_guessed_and_labelled(told: Told) -> None:
    found = made(told("", PULLS, deployments="d1 at=2 repo=\nd2 at=4 repo=\nd3 at=6 repo="))
    assert pairs(found.brought) == {"d2": "#2", "d3": "#3"}
    assert pairs(found.settled) == {"d1": "#1"}
    assert set(found.brought["rule"]) == {GUESSED}
    assert set(found.brought["strength"]) == {"guessed"}


def test_a_change_that_was_merged_while_a_deployment_ran_came_with_the_next(told: Told) -> None:
    assert brought(told("", PULLS, deployments="d1 at=2 repo=\nd2 started=2.5 at=4 repo=\nd3 at=6 repo=")) == {"d3": "#2 #3"}


def test_a_guess_is_for_the_applications_own_changes(told: Told) -> None:
    pulls = PULLS + "\n9 repo=docs merged=3"
    facts = told("", pulls, deployments="d1 at=2 repo=\nd2 at=4 repo=\np1 app=pay at=2 repo=\np2 app=pay at=4 repo=")
    assert brought(facts) == {"d2": "#2"}


def test_a_guess_is_for_the_repository_that_the_deployment_names(told: Told) -> None:
    assert brought(told("", PULLS, deployments="d1 at=2 app=pay\nd2 at=4 app=pay")) == {"d2": "#2"}


def test_a_guess_leaves_out_what_did_not_go_to_the_default_branch(told: Told) -> None:
    pulls = "1 merged=1 target=main\n2 merged=3 target=main\n3 merged=3 target=next"
    assert brought(told("", pulls, deployments="d1 at=2\nd2 at=4")) == {"d2": "#2"}


def test_the_first_known_commit_does_not_claim_what_earlier_deployments_brought(told: Told) -> None:
    found = made(told("a at=1\nb at=3 < a\nc at=5 < b\nd at=7 < c", deployments="d1 at=2\nd2 at=4\nd3 at=6 sha=c\nd4 at=8 sha=d"))
    assert pairs(found.settled) == {"d1": "a"}
    assert pairs(found.brought) == {"d2": "b", "d3": "c", "d4": "d"}
    assert list(found.brought.sort_values("deployment")["rule"]) == [GUESSED, GUESSED, REACHED]


# Rollbacks. ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "rollbacks"),
    [
        pytest.param("1 2 3", {}, id="forward"),
        pytest.param("1 2 1", {"d3": "d2"}, id="back to the one before"),
        pytest.param("1 2 3 1", {"d4": "d3"}, id="back to an older one"),
        pytest.param("1 2 2 3 3", {}, id="the same version once more is none"),
        pytest.param("1 2 1 2", {"d3": "d2"}, id="forward again is none"),
        pytest.param("1 2 1 1", {"d3": "d2"}, id="back, and the same once more"),
        pytest.param("1 2 3 2 1", {"d4": "d3", "d5": "d4"}, id="back step by step"),
        pytest.param("1 - 1", {}, id="nobody knows what was there in between"),
    ],
)
def test_rollbacks(told: Told, versions: str, rollbacks: dict[str, str]) -> None:
    words = [f"d{place} at={place} sha={'' if name == '-' else name}" for place, name in enumerate(versions.split(), start=1)]
    assert column(told(deployments="\n".join(words)), "rollback_of") == rollbacks


def test_a_version_is_its_ref_where_no_sha_is_told(told: Told) -> None:
    facts = told(deployments="d1 at=1 ref=v1\nd2 at=2 ref=v2\nd3 at=3 ref=v1")
    assert column(facts, "rollback_of") == {"d3": "d2"}


@pytest.mark.parametrize(
    "deployments",
    [
        pytest.param("d1 at=1 sha=1\nd2 at=2 sha=2\nd3 at=3 sha=1 app=pay", id="another application"),
        pytest.param("d1 at=1 sha=1\nd2 at=2 sha=2\nd3 at=3 sha=1 env=staging", id="another environment"),
        pytest.param(
            "d1 at=1 sha=1 env=prod-eu\nd2 at=2 sha=2 env=prod-eu\nd3 at=3 sha=1 env=prod-us\nd4 at=4 sha=2 env=prod-us",
            id="a region that comes after the others",
        ),
        pytest.param("d1 at=1 sha=1\nd2 at=2 sha=7 repo=web\nd3 at=3 sha=1", id="another repository of the application"),
        pytest.param("d1 at=1 sha=1\nd2 at=2 sha=2 result=failure\nd3 at=3 sha=1", id="after one that failed"),
    ],
)
def test_no_rollback(told: Told, deployments: str) -> None:
    assert column(told(deployments=deployments), "rollback_of") == {}


# Hotfixes. -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pull", "rule"),
    [
        pytest.param("branch=hotfix/cart", "a change's branch says hotfix", id="branch"),
        pytest.param("branch=ann/hot-fix-cart", "a change's branch says hotfix", id="branch of somebody"),
        pytest.param("branch=hotfix_cart", "a change's branch says hotfix", id="underscore"),
        pytest.param("labels=bug;Hotfix", "a change's label says hotfix", id="label"),
        pytest.param("'title=[Hotfix] Sort'", "a change's title says hotfix", id="title"),
        pytest.param("'title=PAY-1: hotfix for the cart'", "a change's title says hotfix", id="title behind a key"),
        pytest.param("'title=Describe the hotfix process'", None, id="a title that speaks of them"),
        pytest.param("branch=hotfixture", None, id="another word"),
        pytest.param("labels=no-hotfixes-please", None, id="another label"),
        pytest.param("branch=fix/cart", None, id="a fix"),
    ],
)
def test_a_deployment_that_brought_a_hotfix_is_one(told: Told, pull: str, rule: str | None) -> None:
    facts = told("a\nb < a\nc < b", f"1 merged=2 sha=b {pull}", deployments="d1 sha=a at=1\nd2 sha=b at=3\nd3 sha=c at=4")
    assert column(facts, "hotfix_rule") == ({"d2": rule} if rule else {})
    assert column(facts, "hotfix") == {"d1": False, "d2": rule is not None, "d3": False}


def test_a_deployment_whose_ref_says_hotfix_is_one_in_production(told: Told) -> None:
    facts = told(deployments="d1 at=1 ref=release/1\nd2 at=2 ref=release/hotfix-1\nd3 at=3 ref=hotfix env=staging")
    assert column(facts, "hotfix_rule") == {"d2": "the deployed ref says hotfix"}


# The frame. ------------------------------------------------------------------------------------------------------------


def test_a_deployment_without_a_finish_is_dated_at_its_start_and_one_without_times_stays(told: Told, hour: Any) -> None:
    facts = told(deployments="d1 started=1\nd2\nd3 started=1 at=2")
    assert column(facts, "finished_at") == {"d1": hour(1), "d3": hour(2)}
    assert column(facts, "previous") == {"d3": "d1"}


def test_the_configuration_says_what_production_is(told: Told) -> None:
    facts = told(deployments="d1 at=1 env=pre-production\nd2 at=2 env=Live\nd3 at=3 env=blue")
    assert column(facts, "production") == {"d1": False, "d2": True, "d3": False}
    config = Config(production=Production(environments=("blue",)))
    assert dict(made(facts, config).deployments.set_index("id")["production"]) == {"d1": False, "d2": False, "d3": True}


def test_every_application_that_anything_names(told: Told) -> None:
    facts = told(
        tickets="T-1 application=desk: Todo 0", deployments="d1 app=pay", incidents="i1 app=cart opened=1",
        repositories="x/web\nlib app=shop",
    )  # fmt: skip
    assert applications(facts) == ["cart", "desk", "pay", "shop", "web"]


def test_nothing_at_all(told: Told) -> None:
    found = made(told())
    assert [len(frame) for frame in (found.deployments, found.brought, found.elsewhere, found.settled)] == [0, 0, 0, 0]
    assert str(found.deployments["production"].dtype) == "bool"
    assert list(found.settled.columns) == ["deployment", "change"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abcde-"), st.sampled_from(["shop", "pay"]), st.booleans()), max_size=8))
def test_a_change_comes_to_production_of_an_application_once(told: Told, runs: list[tuple[str, str, bool]]) -> None:
    words = [
        f"d{place} at={place} app={application} env={'production' if live else 'staging'} sha={'' if sha == '-' else sha}"
        for place, (sha, application, live) in enumerate(runs)
    ]
    found = made(told(LINE, deployments="\n".join(words)))
    about = found.deployments.set_index("id")
    held = pd.concat([found.brought, found.settled])
    application = held["deployment"].map(about["application"])
    assert not pd.DataFrame({"change": held["change"], "application": application}).duplicated().any()
    assert about.loc[list(held["deployment"]), "production"].all()
    first = about[about["production"]].drop_duplicates("application")
    assert set(found.settled["deployment"]) <= set(about.index)
    assert not set(found.brought["deployment"]) & set(first.index)
