"""Spans: the parts of a way add up to the whole, whatever is missing."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.metrics.spans import UNTOLD, spans, together

MARKS = {"coding": "opened", "pickup": "reviewed", "review": "merged", "deploy": "deployed"}
COLUMNS = ["first", *MARKS.values()]
MONDAY = pd.Timestamp("2026-03-02", tz="UTC")


def ways(*rows):
    """Hours after Monday of each milestone; None where it is not known."""
    at = [[pd.NaT if hour is None else MONDAY + pd.Timedelta(hours=hour) for hour in row] for row in rows]
    return pd.DataFrame(
        {name: pd.to_datetime(pd.Series([row[place] for row in at]), utc=True) for place, name in enumerate(COLUMNS)}
    )


@pytest.mark.parametrize(
    ("way", "parts"),
    [
        pytest.param((0, 2, 5, 6, 10), {"coding": 2, "pickup": 3, "review": 1, "deploy": 4}, id="all known"),
        pytest.param((0, 2, None, 6, 10), {"coding": 2, "deploy": 4, UNTOLD: 4}, id="no review: pickup and review are one"),
        pytest.param((0, 2, 8, 6, 10), {"coding": 2, "pickup": 6, UNTOLD: 2}, id="reviewed after the merge"),
        pytest.param((0, None, None, None, 10), {UNTOLD: 10}, id="only the ends"),
        pytest.param((0, 0, 0, 0, 0), {"coding": 0, "pickup": 0, "review": 0, "deploy": 0}, id="all at once is zero, not missing"),
        pytest.param((5, 2, 6, 7, 8), {"review": 1, "deploy": 1, UNTOLD: 1}, id="opened before the first commit"),
    ],
)
def test_parts(way, parts):
    found = spans(ways(way), MARKS, "first").iloc[0].dropna().to_dict()

    assert found == pytest.approx(parts)


hour = st.one_of(st.none(), st.integers(0, 40))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), hour, hour, hour, st.integers(20, 40)), min_size=1, max_size=20))
def test_the_parts_of_every_row_add_up_and_none_is_negative(rows):
    told = ways(*rows)
    parts = spans(told, MARKS, "first")
    whole = (told["deployed"] - told["first"]).dt.total_seconds() / 3600

    assert together(parts).query("n == 0")["mean"].isna().all()
    assert parts.sum(axis=1).tolist() == pytest.approx(whole.tolist())
    assert (parts.fillna(0) >= 0).all().all()
    assert together(parts)["mean"].sum() == pytest.approx(whole.mean())


def test_together_says_of_how_many_rows_each_part_is_known():
    found = together(spans(ways((0, 2, 5, 6, 10), (0, 4, None, 6, 10)), MARKS, "first"))

    assert found.to_dict("list") == {
        "part": ["coding", "pickup", "review", "deploy", UNTOLD],
        "p50": [2.0, 3.0, 1.0, 4.0, 2.0],
        "p85": [4.0, 3.0, 1.0, 4.0, 2.0],
        "n": [2, 1, 1, 2, 1],
        "mean": [3.0, 1.5, 0.5, 4.0, 1.0],
    }


def test_of_no_rows_nothing_is_known():
    found = together(spans(ways(), MARKS, "first"))

    assert found["n"].tolist() == [0, 0, 0, 0]
    assert found[["p50", "p85", "mean"]].isna().all().all()
