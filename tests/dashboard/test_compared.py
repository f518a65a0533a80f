"""The door compares two figures once, and never gives the answer of another pair."""

import pandas as pd

from dashboard import data, shared
from vsm.metrics.compare import compare
from vsm.metrics.figure import Figure


def figure(failed: int, n: int) -> Figure:
    values = {"value": failed / n, "failed": float(failed)}
    return Figure("change_fail_rate", values, n, "share", "d", "r", pd.DataFrame({"deployment": range(n)}))


def test_the_same_pair_has_the_same_answer_and_another_pair_its_own():
    now, before, other = figure(9, 90), figure(30, 90), figure(9, 91)

    first = data.compared(now, before, "value")
    assert first == compare(now, before, "value")
    assert data.compared(now, before, "value") is first
    assert data.compared(now, other, "value") == compare(now, other, "value") != first


def test_what_was_forgotten_leaves_nothing_behind():
    size = len(shared._made)
    for failed in range(20):  # each takes the place in memory of the one before it
        now, before = figure(failed, 90), figure(30, 90)
        assert data.compared(now, before, "value") == compare(now, before, "value")
        del now, before
    assert len(shared._made) == size
