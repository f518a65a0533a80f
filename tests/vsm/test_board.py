"""The board: what stands where, and what holds it up."""

from collections.abc import Callable

import pandas as pd
import pytest

from vsm import board, pipeline
from vsm.config import Config, StageConfig, StreamConfig
from vsm.measure import Measures, measure
from vsm.scope import Scope
from vsm.store import Facts

Told = Callable[..., Facts]
STREAM = StreamConfig(name="shop", done=("Done",), stages=(StageConfig(name="Dev", waiting=("Todo",), active=("Doing",)),))
TICKETS = "PAY-1: Todo 0, Doing 2\nPAY-2: Todo 0\nPAY-3: Todo 0, Done 5\nPAY-4: Todo 0\nPAY-5: Todo 0"


@pytest.fixture
def measured(told: Told, hour: Callable[[float], pd.Timestamp]) -> Callable[..., Measures]:
    """The measures of the tickets, and of what else is told, after ten hours."""

    def make(**tables: str) -> Measures:
        flow = pipeline.read(told(tickets=TICKETS, **tables), Config(streams=(STREAM,)), hour(10))
        return measure(flow, Scope(hour(0), hour(10)))

    return make


def test_what_is_flagged_or_waits_for_another_ticket_is_blocked(measured: Callable[..., Measures]) -> None:
    found = measured(
        ticket_changes="PAY-5 3 flagged Impediment",
        ticket_links="PAY-2 blocks PAY-1\nPAY-3 blocks PAY-2\nPAY-4 'is blocked by' PAY-9",
    )
    (column,) = board.columns(found)
    assert {card["key"]: card["blocked"] for card in column["cards"]} == {
        "PAY-1": True, "PAY-2": False, "PAY-4": False, "PAY-5": True,
    }  # fmt: skip
    figure = found.figures["blocked_by"]
    assert figure.rows[["item", "blocked_by", "status"]].to_numpy().tolist() == [["PAY-1", "PAY-2", "Todo"]]
    assert figure.values == {"now": 1, "share": 0.25}
    assert list(figure.left_out["id"]) == ["PAY-4"]


# Which cards. ----------------------------------------------------------------------------------------------------------

HISTORY = """
PAY-1 type=Bug team=Red title='Refund twice': Todo 0, Doing 2
PAY-2 type=Story title='Refund form': Todo 8
PAY-3 type=Story team=Blue: Todo 0, Doing 1, Done 5
PAY-4 team=Blue title='ÄRGER mit <b>': Todo 0, Doing 3, Nowhere 9
PAY-5: Nowhere 1
PAY-6: Backlog 0
"""


@pytest.fixture
def standing(told: Told, hour: Callable[[float], pd.Timestamp]) -> Measures:
    """Where the items of the history stand after ten hours."""
    stream = STREAM.model_copy(update={"new": ("Backlog",)})
    return measure(pipeline.read(told(tickets=HISTORY), Config(streams=(stream,)), hour(10)), Scope(hour(0), hour(10)))


def test_a_card_tells_how_long_and_since_when_nothing_happened(standing: Measures) -> None:
    names = ["item", "stage", "age", "in_stage", "quiet", "working", "homeless"]
    assert board.cards(standing)[names].to_numpy().tolist() == [
        ["PAY-1", "Dev", 10.0, 10.0, 8.0, True, False],
        ["PAY-4", "Dev", 10.0, 10.0, 1.0, True, True],
        ["PAY-2", "Dev", 2.0, 2.0, 2.0, False, False],
    ]


@pytest.mark.parametrize(
    ("wanted", "items"),
    [
        pytest.param(board.Wanted(), ["PAY-1", "PAY-4", "PAY-2"], id="all"),
        pytest.param(board.Wanted(words="refund"), ["PAY-1", "PAY-2"], id="a word"),
        pytest.param(board.Wanted(words="TWICE refund"), ["PAY-1"], id="all of its words, in any order"),
        pytest.param(board.Wanted(words="pay-4"), ["PAY-4"], id="a key in any case"),
        pytest.param(board.Wanted(words="ärger <B>"), ["PAY-4"], id="markup is text"),
        pytest.param(board.Wanted(words=".*"), [], id="no pattern"),
        pytest.param(board.Wanted(stage="Dev", type="Bug"), ["PAY-1"], id="stage and type"),
        pytest.param(board.Wanted(type=board.NO_TYPE), ["PAY-4"], id="no type"),
        pytest.param(board.Wanted(marks=("Waiting",)), ["PAY-2"], id="waiting"),
        pytest.param(board.Wanted(marks=("In work",), words="refund"), ["PAY-1"], id="both"),
        pytest.param(board.Wanted(marks=("Blocked",)), [], id="none"),
    ],
)
def test_cards_are_picked_by_what_is_asked(standing: Measures, wanted: board.Wanted, items: list[str]) -> None:
    found = board.picked(board.cards(standing), wanted)
    assert list(found["item"]) == items
    (column,) = board.columns(standing, found=found, most=2)
    assert (column["count"], column["found"], [card["key"] for card in column["cards"]]) == (3, len(items), items[:2])


def test_lanes_are_by_team_the_fullest_first_and_those_without_last(standing: Measures) -> None:
    lanes = board.lanes(board.cards(standing), "team", ["Dev"], 1)
    assert [(lane["name"], lane["count"], lane["cells"][0][0], len(lane["cells"][0][1])) for lane in lanes] == [
        ("Blue", 1, 1, 1), ("Red", 1, 1, 1), (board.NO_TEAM, 1, 1, 1),
    ]  # fmt: skip


def test_who_has_no_home_is_told_with_the_status_and_where_it_still_counts(standing: Measures) -> None:
    rows = board.homeless(standing)[["item", "status", "stage"]].astype("object")
    assert rows.where(rows.notna(), None).to_numpy().tolist() == [["PAY-4", "Nowhere", "Dev"], ["PAY-5", "Nowhere", None]]


def test_a_search_finds_what_is_on_no_board_too(standing: Measures) -> None:
    assert board.elsewhere(standing, "", 9) == (0, [])
    count, rows = board.elsewhere(standing, "pay", 2)
    assert (count, [(row["item"], row["state"]) for row in rows]) == (3, [("PAY-5", "no events"), ("PAY-3", "done")])


def test_the_share_of_shorter_stays_needs_five_of_them(told: Told, hour: Callable[[float], pd.Timestamp]) -> None:
    history = [f"PAY-{n}: Todo 0, Doing 1, Done {n}" for n in range(2, 8)] + ["PAY-9: Todo 4, Doing 5"]
    for some, rank in ((history, 0.5), (history[3:], None)):
        flow = pipeline.read(told(tickets="\n".join(some)), Config(streams=(STREAM,)), hour(9))
        (card,) = board.columns(measure(flow, Scope(hour(0), hour(9))))[0]["cards"]
        assert card["rank"] == rank
