"""Which deployments failed, what mended them, and whether that was planned: told from facts, links included."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from vsm.config import Config, Dora
from vsm.links import link
from vsm.metrics.remediation import judged
from vsm.people import People
from vsm.store import Facts

Told = Callable[..., Facts]
SORT = 'a\nb < a | Sort\nc < b | Count\nd < c | Revert "Sort"'


def weighed(facts: Facts, **rules: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    config = Config(dora=Dora(**rules))
    made = link(facts, config, People.of(facts))
    return judged(made.deployments, made.deployment_changes, made.changes, made.incidents, config.dora, 7)


def failed(facts: Facts, **rules: Any) -> list[str]:
    """`d2 revert d4, named`: which failed, why, what mended it, how sure that is."""
    rows = weighed(facts, **rules)[0]
    return list(rows["deployment"] + " " + rows["reason"] + " " + rows["remedy"].fillna(rows["by"]) + ", " + rows["strength"])


def why_not(facts: Facts, **rules: Any) -> dict[str, str]:
    out = weighed(facts, **rules)[1]
    return dict(zip(out["id"], out["reason"], strict=True))


def unplanned(facts: Facts, **rules: Any) -> dict[str, str]:
    """The remedies that were made for that, with the reason."""
    rows = weighed(facts, **rules)[0]
    return dict(rows[rows["unplanned"]].set_index("remedy")["because"])


# Reverts. --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "counts"), [pytest.param(27.9, True, id="within the days"), pytest.param(28.1, False, id="long after")]
)
def test_a_revert_tells_of_a_failure_where_it_came_within_some_weeks(told: Told, days: float, counts: bool) -> None:
    facts = told(SORT, deployments=f"d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=c at=3\nd4 sha=d at={2 + 24 * days}")
    assert failed(facts) == (["d2 revert d4, named"] if counts else [])
    assert why_not(facts) == (
        {} if counts else {
            "shop@d": "reverts shop@b 28 days after d2 had brought it: more than 28 days, so that is no failure of it"
        }
    )  # fmt: skip
    assert failed(facts, revert_within_days=365) == ["d2 revert d4, named"]


def test_the_configuration_says_what_counts_as_remediation(told: Told) -> None:
    runs = "d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=a at=3\nd4 sha=c at=4 ref=hotfix-1\nd5 sha=d at=5"
    facts = told(SORT, deployments=runs, incidents="i1 deployment=d1 opened=1.5 resolved=1.7")
    assert [row.split()[1] for row in failed(facts)] == ["incident", "rollback", "revert", "hotfix"]
    assert [row.split()[1] for row in failed(facts, remediation=("incident", "revert"))] == ["incident", "revert"]
    assert failed(facts, remediation=()) == []


# Hotfixes. -------------------------------------------------------------------------------------------------------------


def test_a_hotfix_that_names_nothing_is_guessed_to_mend_the_deployment_just_before_it(told: Told) -> None:
    facts = told("a\nb < a", "1 merged=1 sha=b branch=hotfix/sum", deployments="d1 sha=a at=0.5\nd2 sha=b at=2")
    assert failed(facts) == ["d1 hotfix d2, guessed"]
    assert failed(facts, guess_hotfixes=False) == []
    assert why_not(facts, guess_hotfixes=False) == {
        "d2": "a hotfix 0 days after the deployment before it: by configuration that is not guessed"
    }


def test_a_hotfix_long_after_the_deployment_before_it_accuses_nobody(told: Told) -> None:
    facts = told(deployments="d1 sha=a at=1\nd2 sha=b ref=hotfix-2 at=200")
    assert failed(facts) == []
    assert why_not(facts) == {
        "d2": "a hotfix 8 days after the deployment before it: more than 7 days, so nothing tells what it mends"
    }


def test_a_hotfix_that_reverts_something_mends_what_brought_that_and_not_the_deployment_just_before_it(told: Told) -> None:
    runs = "d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=c at=3\nd4 sha=d at=4 ref=hotfix-1"
    assert failed(told(SORT, deployments=runs)) == ["d2 revert d4, named"]


def test_a_hotfix_while_an_incident_is_open_mends_its_deployment_too(told: Told) -> None:
    runs = "d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=c at=3\nd4 sha=d at=4 ref=hotfix-1"
    facts = told("a\nb < a\nc < b\nd < c", deployments=runs, incidents="i1 deployment=d2 opened=2.5 resolved=4.1")
    rows = weighed(facts)[0]
    assert failed(facts) == ["d2 incident i1, stated", "d2 hotfix d4, stated", "d3 hotfix d4, guessed"]
    assert rows["rule"].iloc[1] == "the deployed ref says hotfix, and incident i1 was open"


# Planned or not. -------------------------------------------------------------------------------------------------------

RELEASE = "\n".join(["a", "b < a | Sort", *(f"{one} < {before} | Add {one}" for one, before in zip("cdefg", "bcdef", strict=True))])


@pytest.mark.parametrize(
    ("at", "incidents", "because"),
    [
        pytest.param("r", "", None, id="a revert among six changes is a planned release"),
        pytest.param("b", "", "1 of the 1 changes that it brought is a revert or hotfix", id="a revert alone"),
        pytest.param("c", "", "1 of the 2 changes that it brought is a revert or hotfix", id="a revert and one more"),
        pytest.param("d", "", None, id="a revert and two more"),
        pytest.param(
            "r", "i1 deployment=d2 opened=3", "incident i1 of d2 was open when it began", id="with an incident of what it mends"
        ),
        pytest.param("r", "i1 deployment=d2 opened=3 resolved=8", None, id="with an incident that was over"),
        pytest.param("r", "i1 deployment=d2 opened=10", None, id="with an incident that came later"),
        pytest.param("r", "i1 deployment=d1 opened=3", None, id="with an incident of another deployment"),
    ],
)
def test_a_deployment_with_a_revert_is_unplanned_where_it_was_made_for_it(
    told: Told, at: str, incidents: str, because: str | None
) -> None:
    """`at`: after which commit the revert was made and deployed; r: after all of them."""
    after = "g" if at == "r" else at
    code = RELEASE + f'\nr < {after} | Revert "Sort"'
    runs = "d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=r at=9"
    assert unplanned(told(code, deployments=runs, incidents=incidents)) == ({"d3": because} if because else {})


def test_the_configuration_says_how_much_of_a_deployment_the_remedy_must_be(told: Told) -> None:
    facts = told(RELEASE + '\nr < d | Revert "Sort"', deployments="d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=r at=9")
    assert unplanned(facts) == {}
    assert set(unplanned(facts, unplanned_share=0.3)) == {"d3"}


def test_a_planned_release_with_a_hotfix_among_other_changes_is_planned(told: Told) -> None:
    pulls = "1 merged=2 sha=b branch=hotfix/x\n2 merged=3 sha=c\n3 merged=4 sha=d"
    facts = told("a\nb < a\nc < b\nd < c", pulls, deployments="d1 sha=a at=1\nd2 sha=d at=9")
    assert failed(facts) == ["d1 hotfix d2, guessed"]
    assert unplanned(facts) == {}


def test_rollbacks_and_deployments_that_are_called_hotfixes_are_never_planned(told: Told) -> None:
    runs = "d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=a at=3\nd4 sha=d at=4 ref=release/hotfix-7"
    assert unplanned(told("a\nb < a\nc < b\nd < c", deployments=runs)) == {
        "d3": "it is a rollback", "d4": "the deployed ref says hotfix",
    }  # fmt: skip


def test_nothing_at_all(told: Told) -> None:
    rows, out = weighed(told())
    assert (len(rows), len(out)) == (0, 0)
    assert str(rows["unplanned"].dtype) == "bool"
    assert list(out.columns) == ["id", "reason", "at", "deployment"]
