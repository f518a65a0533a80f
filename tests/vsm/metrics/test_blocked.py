"""Blocked time: when items were flagged, and in which stage."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from vsm.metrics.blocked import blocked, blocked_by, flags

Build = Callable  # of the builders in conftest
TIME = "datetime64[us, UTC]"


def changes(*told: str, field: str = "Flagged") -> pd.DataFrame:
    """`A-1 01-03 X>`: on 3 January the flag of A-1 went from X to nothing."""
    rows = []
    for item, *at, values in (one.split(" ") for one in told):
        was, _, is_ = values.partition(">")
        rows.append([item, pd.Timestamp("2026-" + " ".join(at), tz="UTC"), field, was or None, is_ or None])
    frame = pd.DataFrame(rows, columns=["ticket", "at", "field", "from", "to"])
    return frame.astype({"ticket": "str", "at": TIME, "field": "str", "from": "str", "to": "str"})


def spans(frame: pd.DataFrame) -> list[str]:
    return [
        f"{row['item']} {row['from']:%m-%d} {'' if pd.isna(row['to']) else format(row['to'], '%m-%d')}".strip()
        for row in frame.to_dict("records")
    ]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["A-1 01-03 >X", "A-1 01-05 X>"], ["A-1 01-03 01-05"], id="set and taken away"),
        pytest.param(["A-1 01-03 >X"], ["A-1 01-03"], id="still set"),
        pytest.param(["A-1 01-03 >X", "A-1 01-04 X>Y", "A-1 01-05 Y>"], ["A-1 01-03 01-05"], id="another reason, the same flag"),
        pytest.param(["A-1 01-05 X>"], ["A-1 01-01 01-05"], id="flagged since it was created"),
        pytest.param(["A-1 01-03 >X", "A-1 01-03 X>"], [], id="set and taken away at one instant"),
        pytest.param(
            ["A-1 01-03 >X", "A-1 01-04 X>", "A-1 01-04 >X", "A-1 01-05 X>"],
            ["A-1 01-03 01-05"],
            id="taken away and set at one instant",
        ),
        pytest.param(
            ["A-1 01-03 >X", "A-1 01-04 X>", "A-1 01-06 >X", "A-2 01-02 >X", "A-2 01-03 X>"],
            ["A-1 01-03 01-04", "A-1 01-06", "A-2 01-02 01-03"],
            id="twice, and of another item",
        ),
    ],
)
def test_an_item_is_flagged_from_something_until_nothing(path: Build, told: list[str], found: list[str]) -> None:
    items = path("A-1: created 01-01, Dev 01-02\nA-2: created 01-01, Dev 01-02").items
    assert spans(flags(changes(*told), items)) == found


def test_other_fields_flag_nothing(path: Build) -> None:
    assert flags(changes("A-1 01-03 >X", field="sprint"), path("A-1: created 01-01, Dev 01-02").items).empty


def test_blocked_time_is_told_by_stage_and_within_the_window(path: Build, scope: Build) -> None:
    told = path("A-1: created 01-01, Dev 01-02, Review 01-04, done 01-06\nA-2: created 01-01, Dev 01-03")
    flagged = changes("A-1 01-01 12:00 >X", "A-1 01-05 X>", "A-2 01-10 >X")
    figure = blocked(told.visits, told.items, flagged, scope("01-03", "01-11"))
    rows = [(row["item"], row["stage"], row["hours"], row["now"]) for row in figure.rows.to_dict("records")]
    assert rows == [("A-1", "Dev", 24, False), ("A-1", "Review", 24, False), ("A-2", "Dev", 24, True)]
    assert figure.values == {"hours": 72, "share": pytest.approx(72 / ((3 + 8) * 24)), "p50": 24, "p85": 48, "now": 1}
    assert figure.n == 2


def test_after_it_was_done_nothing_is_blocked(path: Build, scope: Build) -> None:
    told = path("A-1: created 01-01, Dev 01-02, done 01-04")
    assert blocked(told.visits, told.items, changes("A-1 01-05 >X"), scope()).values["hours"] == 0


def test_without_visits_there_is_no_blocked_time_rather_than_none(path: Build, scope: Build) -> None:
    told = path("")
    assert blocked(told.visits, told.items, changes(), scope()).values["hours"] is None


# By other tickets. -----------------------------------------------------------------------------------------------------

ITEMS = (
    "A-1: created 01-01, Dev 01-02\nA-2: created 01-01, Dev 01-02\nA-3: created 01-01, Dev 01-02, done 01-04\nA-4: created 01-01"
)


def by_links(path: Build, *links: str, resolved: str = "", ended: str = "") -> Any:
    """`A-1 blocks A-2`: a link; tickets that the tracker says are resolved, and items that have ended."""
    rows = [(one.split(" ")[0], " ".join(one.split(" ")[1:-1]), one.split(" ")[-1]) for one in links]
    frame = pd.DataFrame(rows, columns=["ticket", "kind", "other"], dtype="str")
    keys = ["A-1", "A-2", "A-3", "A-4", "B-1"]
    tickets = pd.DataFrame({"key": keys, "title": [f"Title {key}" for key in keys], "status": "Dev"}).astype("str")
    at = [pd.Timestamp("2026-01-03", tz="UTC") if key in resolved else pd.NaT for key in keys]
    tickets["resolved_at"] = pd.Series(pd.to_datetime(at, utc=True)).astype(TIME)
    return blocked_by(path(ITEMS).items, frame, tickets, pd.Series(ended.split(), dtype="str"))


@pytest.mark.parametrize(
    ("links", "rows"),
    [
        pytest.param(["A-2 blocks A-1"], ["A-1 A-2"], id="told outward"),
        pytest.param(["A-1 is blocked by A-2"], ["A-1 A-2"], id="told inward"),
        pytest.param(["A-1 is blocked by A-2", "A-2 Blocks A-1"], ["A-1 A-2"], id="told twice"),
        pytest.param(["B-1 blocks A-1", "A-2 blocks A-1", "A-1 blocks A-2"], ["A-1 A-2", "A-1 B-1", "A-2 A-1"], id="several"),
        pytest.param(["A-2 relates to A-1", "A-1 depends on A-2", "A-2 causes A-1"], [], id="other words say something else"),
        pytest.param(["A-2 blocks A-3", "A-2 blocks A-4"], [], id="what is done, or has not begun, is not held up"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_items_in_progress_that_another_ticket_blocks(path: Build, links: list[str], rows: list[str]) -> None:
    found = by_links(path, *links)
    assert list(found.rows["item"] + " " + found.rows["blocked_by"]) == rows
    count = len({row.split()[0] for row in rows})
    assert (found.values, found.n) == ({"now": count, "share": count / 2}, count)


def test_a_row_says_what_blocks_and_where_the_item_stands(path: Build) -> None:
    assert by_links(path, "B-1 blocks A-1").rows.to_dict("records") == [
        {"item": "A-1", "stage": "Dev", "blocked_by": "B-1", "title": "Title B-1", "status": "Dev"}
    ]


@pytest.mark.parametrize("how", ["resolved", "ended"])
def test_a_ticket_that_is_resolved_or_has_ended_blocks_nothing_any_more(path: Build, how: str) -> None:
    assert list(by_links(path, "B-1 blocks A-1", "A-2 blocks A-1", **{how: "B-1"}).rows["blocked_by"]) == ["A-2"]


def test_a_ticket_that_was_never_read_is_left_out_and_named(path: Build) -> None:
    found = by_links(path, "X-9 blocks A-1")
    assert (found.n, found.rows.empty) == (0, True)
    assert found.left_out.to_dict("records") == [{"id": "A-1", "reason": "the ticket that blocks it was not read: X-9"}]


def test_with_nothing_in_progress_nobody_is_counted(path: Build) -> None:
    none = pd.DataFrame({name: pd.Series(dtype="str") for name in ("ticket", "kind", "other", "key", "title", "status")})
    tickets = none.assign(resolved_at=pd.Series(dtype=TIME))
    assert blocked_by(path("").items, none, tickets, pd.Series(dtype="str")).values == {"now": None, "share": None}
