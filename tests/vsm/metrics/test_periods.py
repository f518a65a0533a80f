"""Periods: months of the reporting zone that make up the window without a gap."""

from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.periods import months
from vsm.scope import Scope


def at(text):
    return pd.Timestamp(text).tz_convert("UTC").as_unit("us")


def test_a_window_is_cut_at_the_first_of_each_month_in_the_reporting_zone():
    found = months(Scope(at("2026-01-15T00:00Z"), at("2026-03-31T22:30Z")), ZoneInfo("Europe/Vienna"))

    assert [(str(one.month.date()), one.whole, one.scope.start, one.scope.end) for one in found] == [
        ("2026-01-01", False, at("2026-01-15T00:00Z"), at("2026-01-31T22:59:59.999999Z")),
        ("2026-02-01", True, at("2026-01-31T23:00Z"), at("2026-02-28T22:59:59.999999Z")),
        ("2026-03-01", True, at("2026-02-28T23:00Z"), at("2026-03-31T21:59:59.999999Z")),
        ("2026-04-01", False, at("2026-03-31T22:00Z"), at("2026-03-31T22:30Z")),
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.datetimes(min_value=pd.Timestamp("2001-01-01").to_pydatetime(), max_value=pd.Timestamp("2037-01-01").to_pydatetime()),
    st.integers(1, 800),
    st.sampled_from(["UTC", "Europe/Vienna", "America/St_Johns", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_the_months_are_the_window_without_gap_or_overlap(start, days, zone):
    first = pd.Timestamp(start, tz="UTC").as_unit("us")
    scope = Scope(first, first + pd.Timedelta(days=days))
    found = months(scope, ZoneInfo(zone))

    assert (found[0].scope.start, found[-1].scope.end) == (scope.start, scope.end)
    apart = {after.scope.start - before.scope.end for before, after in pairwise(found)}
    assert apart <= {pd.Timedelta(microseconds=1)}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_month_belongs_to_the_same_scope(zone):
    scope = Scope(at("2026-01-15T00:00Z"), at("2026-02-15T00:00Z"), stream="checkout", team="Payments")

    assert {(one.scope.stream, one.scope.team) for one in months(scope, ZoneInfo(zone))} == {("checkout", "Payments")}
