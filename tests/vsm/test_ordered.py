"""Two parts of a log that are laid into each other are as if all had been put in order at once."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vsm import ordered
from vsm.frames import category, stacked, texts
from vsm.ordered import LOG, RANK, in_order, merged

MONDAY = pd.Timestamp("2026-03-02", tz="UTC").as_unit("us")
ITEMS = ("A-1", "A-10", "A-2", "shop#1")
Event = tuple[str, int, int, str, str | None]  # item, second, millionths, event, environment

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(ITEMS), st.integers(0, 2), st.sampled_from([0, 0, 1, 999_999]), st.sampled_from(sorted(RANK)),
        st.sampled_from([None, "production", "staging"]),
    ),
    max_size=12,
)  # fmt: skip


def part(name: str, told: list[Event]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            "item": item, "at": MONDAY + pd.Timedelta(seconds=second, microseconds=micros), "event": event, "status": name,
            "environment": environment, "actor": None, "team": f"team {number % 2}", "source": name, "ref": f"{name} {number}",
        }
        for number, (item, second, micros, event, environment) in enumerate(told)
    ]  # fmt: skip
    return in_order(pd.DataFrame(rows, columns=list(LOG)).astype(LOG))


@settings(max_examples=40, deadline=None)
@example([("A-1", 0, 0, "status", None)], [("A-1", 0, 0, "status", None)])
@example([("A-1", 0, 1, "status", None), ("A-2", 0, 0, "status", None)], [("A-1", 0, 0, "item.done", None)])
@example([("A-1", 0, 0, "status", None)], [("A-1", 0, 0, "pull_request.merged", None), ("A-1", 0, 0, "commit.first", None)])
@given(EVENTS, EVENTS)
def test_parts_laid_into_each_other_are_as_if_all_were_ordered_at_once(first: list[Event], second: list[Event]) -> None:
    parts = [part("one", first), part("two", second)]
    both = texts(merged(*parts, category(ITEMS)))
    pd.testing.assert_frame_equal(both, texts(in_order(stacked(parts))))
    assert sorted(both["ref"]) == sorted(
        f"{name} {n}" for name, told in (("one", first), ("two", second)) for n in range(len(told))
    )


def test_what_does_not_fit_into_one_number_is_put_in_order_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a hundred million items over a hundred thousand years."""
    told = [("A-2", 0, 5, "status", None), ("A-1", 2, 0, "status", None), ("A-1", 0, 7, "status", "production")]
    parts = [part("one", told), part("two", [("A-1", 0, 6, "status", None), ("A-2", 0, 5, "commit.first", None)])]
    usual = texts(merged(*parts, category(ITEMS)))
    monkeypatch.setattr(ordered, "BITS", 1)
    pd.testing.assert_frame_equal(texts(merged(*parts, category(ITEMS))), usual)
    assert list(usual["ref"]) == ["two 0", "one 2", "one 1", "two 1", "one 0"]
