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
