"""Experiments: before and after are of one length, and a verdict is never a cause."""

import pandas as pd
import pytest

from vsm.experiments import METRICS, before_and_after, said
from vsm.metrics.figure import Figure
from vsm.scope import Scope

DAY = pd.Timedelta(days=1)
NOW = pd.Timestamp("2026-11-15T18:00", tz="UTC")
SCOPE = Scope(NOW - 180 * DAY, NOW, stream="checkout")


@pytest.mark.parametrize(
    ("ended", "last"),
    [
        pytest.param(None, NOW, id="still running: until now"),
        pytest.param(pd.NaT, NOW, id="no end is known"),
        pytest.param(NOW - 10 * DAY, NOW - 10 * DAY, id="ended"),
        pytest.param(NOW + DAY, NOW, id="planned to end later"),
    ],
)
def test_the_windows_are_of_one_length_and_meet_at_the_start(ended, last):
    start = NOW - 30 * DAY
    before, after = before_and_after(SCOPE, start, ended)

    assert (after.start, after.end, after.stream) == (start, last, "checkout")
    assert after.end - after.start == pytest.approx(before.end - before.start, abs=pd.Timedelta(microseconds=1))
    assert start - before.end == pd.Timedelta(microseconds=1)


def test_before_it_began_there_is_nothing_to_compare():
    assert before_and_after(SCOPE, NOW + DAY, None) is None


def test_every_metric_that_can_be_asked_has_a_comparison():
    from vsm.metrics.compare import RULES, _kind

    for name, (value, _) in METRICS.items():
        rows = pd.DataFrame({"handoffs": [1.0]}) if name == "handoffs_per_item" else pd.DataFrame()
        values = {value: 0.5} | ({"work_hours": 1.0} if name == "flow_efficiency" else {})
        assert _kind(Figure(name, values, 1, "", "", "", rows), value) in RULES


def test_no_clear_change_is_not_said_to_be_no_change():
    one = Figure("x", {}, 12, "", "", "", pd.DataFrame())

    assert "not that there is none" in said(one, one, "no clear change")
    assert said(one, one, "too few to say") == "too few to say (n 12 before and 12 after)"
