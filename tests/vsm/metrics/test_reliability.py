"""Reliability: time with and without an open incident, and how soon somebody took it on."""

from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.reliability import availability, time_to_acknowledge
from vsm.scope import Scope

UTC = ZoneInfo("UTC")
START = pd.Timestamp("2026-03-02", tz="UTC").as_unit("us")
SCOPE = Scope(START, START + pd.Timedelta(hours=100))
TIMES = ("opened_at", "detected_at", "acknowledged_at", "resolved_at")
SHOP = frozenset({"shop"})


def incidents(*rows):
    """(application, opened, resolved, …) with hours after the start, `detected` and `acknowledged` by name."""
    told = []
    for place, (application, opened, resolved, *more) in enumerate(rows):
        hours = {"opened_at": opened, "resolved_at": resolved} | (more[0] if more else {})
        at = {name: None if hours.get(name) is None else START + pd.Timedelta(hours=hours[name]) for name in TIMES}
        told.append({"id": f"i{place}", "title": None, "application": application, "severity": None, "url": None, **at})
    kinds = dict.fromkeys(("id", "title", "application", "severity", "url"), "str") | dict.fromkeys(TIMES, "datetime64[us, UTC]")
    return pd.DataFrame(told, columns=list(kinds)).astype(kinds)


@pytest.mark.parametrize(
    ("told", "down"),
    [
        pytest.param([("shop", 10, 20)], 10, id="one"),
        pytest.param([("shop", 10, 20), ("shop", 15, 30), ("shop", 16, 17)], 20, id="what overlaps counts once"),
        pytest.param([("shop", -5, 5), ("shop", 90, None)], 15, id="cut at the window, open until now"),
        pytest.param([("shop", 20, 30, {"detected_at": 18})], 12, id="from when it was detected"),
        pytest.param([("shop", -9, -5), ("shop", 120, 130)], 0, id="before and after the window"),
        pytest.param([("shop", 30, 20)], 0, id="ended before it began"),
        pytest.param([(None, 10, 20)], 0, id="of no application"),
    ],
)
def test_availability(told, down):
    found = availability(incidents(*told), SHOP, SCOPE)

    assert found.values == {"value": pytest.approx(1 - down / 100), "down_hours": pytest.approx(down)}
    assert found.rows["hours"].sum() == pytest.approx(down)


def test_each_application_has_its_own_time():
    found = availability(incidents(("shop", 0, 50), ("bank", 0, 50)), frozenset({"shop", "bank", "quiet"}), SCOPE)

    assert found.values["value"] == pytest.approx(1 - 100 / 300)


def test_no_incident_at_all_is_no_data_and_not_a_hundred_percent():
    for told in (incidents(), incidents(("shop", 120, 130))):
        found = availability(told, SHOP, SCOPE)

        assert found.values == {"value": None, "down_hours": None}
        assert "no incident is known up to then" in found.said["why"]


def test_what_is_left_out_has_its_reason():
    found = availability(incidents((None, 1, 2), ("shop", 9, 3)), SHOP, SCOPE)

    assert found.left_out.values.tolist() == [["i0", "it names no application"], ["i1", "it ended before it began"]]
    other = availability(incidents(("other", 1, 2), ("shop", 3, 4)), SHOP, SCOPE)
    assert other.left_out["reason"].tolist() == ["its application other has no known deployment, so its time is not counted"]


def test_a_detection_of_no_real_date_says_nothing():
    told = incidents(("shop", 10, 12, {"acknowledged_at": 11})).assign(
        detected_at=pd.Timestamp("1970-01-01", tz="UTC").as_unit("us")
    )

    assert availability(told, SHOP, SCOPE).values["down_hours"] == pytest.approx(2)
    assert time_to_acknowledge(told, SCOPE, UTC).values["p50"] == pytest.approx(1)


def test_where_nobody_took_an_incident_on_there_are_no_rows():
    found = time_to_acknowledge(incidents(("shop", 10, 12), ("shop", 20, 22)), SCOPE, UTC)

    assert (len(found.rows), found.n, found.of, found.values["p50"]) == (0, 0, 2, None)
    assert found.rule.startswith("0 of 2 incidents")


hours = st.integers(-20, 120)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["shop", "bank"]), hours, st.one_of(st.none(), hours)), min_size=1, max_size=12))
def test_availability_is_a_share_and_another_incident_never_raises_it(rows):
    both = frozenset({"shop", "bank"})
    every, fewer = availability(incidents(*rows), both, SCOPE), availability(incidents(*rows[:-1]), both, SCOPE)

    assert every.values["value"] is None or 0 <= every.values["value"] <= 1
    if fewer.values["value"] is not None:
        assert every.values["value"] <= fewer.values["value"] + 1e-9


def test_time_to_acknowledge_is_of_those_that_say_when():
    told = incidents(
        ("shop", 10, 20, {"acknowledged_at": 11}),
        ("shop", 10, 20, {"acknowledged_at": 14, "detected_at": 9}),
        ("shop", 10, 20),
        ("shop", 10, 20, {"acknowledged_at": 3}),
        ("shop", -10, 20, {"acknowledged_at": 3}),
    )
    found = time_to_acknowledge(told, SCOPE, UTC)

    assert (found.values, found.n, found.of) == ({"p50": 1.0, "p85": 5.0}, 2, 4)
    assert found.left_out.values.tolist() == [
        ["i2", "nobody is recorded to have taken it on"],
        ["i3", "taken on before it was noticed"],
    ]
