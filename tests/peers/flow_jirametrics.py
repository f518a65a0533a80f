"""jirametrics' rules in plain Python, ticket by ticket: the tool is Ruby, which is not run here.

Taken from how it works (its cycle time, its high-water mark, its WIP by column), and held to its
published answers by tests. Boards as in `flow_logs`; the columns are the stages and Done.
"""

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flow_logs import STAGES, Board

COLUMNS = (*STAGES, "Done")


def started(story: list[list[Any]]) -> int | None:
    """The first time in a status of a stage; none where it is the instant of being done for good."""
    first = next((at for status, at, _ in story if status in STAGES), None)
    return None if first == stopped(story) else first


def stopped(story: list[list[Any]]) -> int | None:
    """Since when it is done and still is."""
    since = None
    for status, at, _ in story:
        since = (at if since is None else since) if status == "Done" else None
    return since


def days(board: Board) -> dict[str, int]:
    """Cycle times: calendar days, the first and the last one counted."""
    ends = {key: (started(story), stopped(story)) for key, story in board.items()}
    return {
        key: (_day(stop) - _day(start)).days + 1 for key, (start, stop) in ends.items() if start is not None and stop is not None
    }


def percentile(values: list[int], share: float) -> int:
    """By nearest rank."""
    return sorted(values)[max(math.ceil(round(share * len(values), 9)), 1) - 1]


def cumulative(board: Board, first: date, last: date) -> dict[str, list[int]]:
    """How many tickets had been as far as each column by the end of each day."""
    found = {}
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        marks = [
            max((COLUMNS.index(status) for status, at, _ in story if status in COLUMNS and _day(at) <= day), default=-1)
            for story in board.values()
        ]
        found[str(day)] = [sum(mark >= place for mark in marks) for place in range(len(COLUMNS))]
    return found


def wip_seconds(board: Board, begin: int, end: int) -> dict[str, int]:
    """The seconds that tickets spent in each stage between two instants, once started and until they are done for good."""
    spent = dict.fromkeys(STAGES, 0)
    for story in board.values():
        start, stop = started(story), stopped(story)
        if start is None:
            continue
        ends = [*(at for _, at, _ in story[1:]), end]
        for (status, at, _), until in zip(story, ends, strict=True):
            if status in STAGES:
                over = min(until, end) if stop is None else min(until, stop, end)
                spent[str(status)] += max(over - max(at, start, begin), 0)
    return spent


def _day(at: Any) -> date:
    return datetime.fromtimestamp(at, UTC).date()
