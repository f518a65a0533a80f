"""Incidents that do not count: by configuration with counts, or since their dates cannot be."""

from collections.abc import Callable
from typing import Any

import pytest

from vsm.config import Config, Incidents
from vsm.links import Links, link
from vsm.people import People
from vsm.store import Facts

Told = Callable[..., Facts]


def made(facts: Facts, **incidents: Any) -> Links:
    return link(facts, Config(incidents=Incidents(**incidents)), People.of(facts))


def apart(facts: Facts, **rules: Any) -> dict[str, str]:
    found = made(facts, **rules).excluded_incidents
    return dict(zip(found["id"], found["reason"], strict=True))


PLANNED = """
i1 opened=1 'title=Maintenance window' labels=db
i2 opened=1 'title=Upgrade of the cluster' labels=Planned;db
i3 opened=1 'title=Down after the maintenance'
i4 opened=1
"""


def test_planned_work_is_left_out_by_label_and_by_title_each_with_the_rule(told: Told) -> None:
    facts = told(incidents=PLANNED)
    assert apart(facts, exclude_labels=("planned",), exclude_titles=("^maintenance",)) == {
        "i1": "its title matches '^maintenance' of [incidents] exclude_titles",
        "i2": "its label planned is in [incidents] exclude_labels",
    }
    assert list(made(facts, exclude_titles=("maintenance",)).incidents["id"]) == ["i2", "i4"]


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        pytest.param("opened=5 resolved=4", "resolved before it was opened", id="over before it began"),
        pytest.param("opened=5 resolved=5", None, id="over at once"),
        pytest.param("opened=5", None, id="still open"),
        pytest.param("opened=-17744000 resolved=4", "opened in the year 1, which is no real date", id="the year 1"),
        pytest.param("opened=-490000", "opened in the year 1970, which is no real date", id="the beginning of the clocks"),
        pytest.param("opened=5 resolved=69890000", "resolved in the year 9999, which is no real date", id="the year 9999"),
    ],
)
def test_an_incident_whose_dates_cannot_be_is_refused_with_the_reason(told: Told, dates: str, reason: str | None) -> None:
    facts = told(deployments="d1 at=1", incidents=f"i1 {dates}\ni2 opened=6")
    found = made(facts)
    assert apart(facts) == ({"i1": reason} if reason else {})
    assert list(found.excluded_incidents["refused"]) == ([True] if reason else [])
    assert dict(found.incidents.set_index("id")["deployment"]) == ({"i2": "d1"} if reason else {"i1": "d1", "i2": "d1"})


def test_an_incident_that_the_configuration_leaves_out_is_not_refused_for_its_dates_as_well(told: Told) -> None:
    found = made(told(incidents="i1 opened=5 resolved=4 labels=planned"), exclude_labels=("planned",)).excluded_incidents
    assert list(found["refused"]) == [False]


def test_a_detection_without_a_real_date_says_nothing(told: Told) -> None:
    facts = told(deployments="d1 at=1\nd2 at=4", incidents="i1 opened=5 detected=-17744000")
    assert list(made(facts).incidents["deployment"]) == ["d2"]


def test_an_incident_followed_by_a_hotfix_is_laid_to_what_was_live_before_it(told: Told) -> None:
    runs = "d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=c at=9 ref=hotfix-1"
    rows = made(told(deployments=runs, incidents="i1 opened=5 resolved=9.5\ni2 opened=5 resolved=6")).incidents.set_index("id")
    assert list(rows["deployment"]) == ["d2", "d2"]
    assert list(rows["rule"]) == [
        "live when it was noticed, and followed by a hotfix while it was open",
        "latest deployment of the application in the 7 days before it was noticed",
    ]
