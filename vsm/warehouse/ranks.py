"""What every engine counts alike: nearest ranks, and places among edges. Never an engine's own quantile, which may be a guess."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

import ibis
import pandas as pd

from vsm.metrics.compare import variance_of
from vsm.working_time import HOUR

Expr = Any
NEVER = (1 << 63) - 1


def ranked(table: Expr, value: str, shares: Sequence[int], by: Sequence[str] = ()) -> Expr:
    """Of each group n, the mean and the nearest ranks (p50 …) of a column's known values; ``apart``: what the median varies by.

    The nearest rank of p % of n values is the (p × n ÷ 100, rounded up)th: whole numbers, so that no engine rounds it otherwise.
    `apart` is the distance of the two values around the median that `vsm.metrics.compare` tells its variance by.
    """
    rows = table.filter(table[value].notnull())
    window = ibis.window(group_by=[rows[name] for name in by])
    turn = ibis.row_number().over(ibis.window(group_by=[rows[name] for name in by], order_by=rows[value])) + 1
    rows = rows.mutate(vsm_turn=turn, vsm_n=rows.count().over(window))

    def rank(share: int) -> Expr:
        place = ((rows.vsm_n * share + 99) / 100).floor().cast("int64")
        return rows[value].max(where=rows.vsm_turn == place)

    numbers = {"n": rows.count(), "mean": rows[value].cast("float64").mean()}
    low = _around(rows.vsm_n)
    ends = [rows[value].max(where=rows.vsm_turn == place) for place in (low, rows.vsm_n + 1 - low)]
    numbers |= {f"p{share}": rank(share) for share in shares} | {"apart": ends[1] - ends[0]}
    return rows.group_by(list(by)).agg(**numbers) if by else rows.agg(**numbers)


def _around(n: Expr) -> Expr:
    """`vsm.metrics.compare.around`, its half rounded to the even number by ourselves: engines differ in that."""
    told = (n + 1).cast("float64") / 2 - n.cast("float64").sqrt()
    down = told.floor()
    over = told - down
    odd = down / 2 != (down / 2).floor()
    up = (over > 0.5) | ((over == 0.5) & odd)
    return ibis.greatest(down.cast("int64") + whole(up), ibis.literal(1, "int64"))


def varies(apart: Any, n: int) -> float:
    """The variance in hours of a median of microseconds, by its `apart`."""
    return variance_of(in_hours(apart) or 0.0, n)


def first_row(table: Expr) -> dict[str, Any]:
    """The one row of a table, missing as None."""
    return {name: plain(value) for name, value in table.to_pandas().to_dict("records")[0].items()}


def plain(value: Any) -> Any:
    """A value of an engine as Python has it, missing as None."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def in_hours(value: Any) -> float | None:
    """Microseconds as hours; None of nothing."""
    value = plain(value)
    return None if value is None else float(value) / HOUR


def number(value: Any) -> float:
    """A sum, 0 of nothing."""
    value = plain(value)
    return 0.0 if value is None else float(value)


def place(at: Expr, edges: Sequence[int]) -> Expr:
    """Between which two edges a time lies: the number of the last edge that is not after it; −1 before the first.

    Days of one length in a row are counted by division, so that a year of them is a handful of branches.
    """
    branches: list[tuple[Expr, Expr]] = [(at < int(edges[0]), ibis.literal(-1, "int64"))]
    for first, count, step in _runs(list(map(int, edges))):
        last = first + count
        told = ((at - int(edges[first])) / step).floor().cast("int64") + first if count > 1 else ibis.literal(first, "int64")
        if last < len(edges):
            branches.append((at < int(edges[last]), told))
        else:
            return ibis.cases(*branches, else_=told)
    return ibis.cases(*branches, else_=ibis.literal(len(edges) - 1, "int64"))


def _runs(edges: list[int]) -> list[tuple[int, int, int]]:
    """Edges in runs of one step: the first's number, how many begin spans of that step, and the step (the last edge: by itself)."""
    steps = [after - before for before, after in pairwise(edges)]
    runs, first = [], 0
    for step, same in groupby(steps):
        count = len(list(same))
        runs.append((first, count, step))
        first += count
    return [*runs, (len(edges) - 1, 1, 1)]


def any_of(*conditions: Expr) -> Expr:
    """At least one of them holds."""
    first, *more = conditions
    for one in more:
        first = first | one
    return first


def whole(condition: Expr) -> Expr:
    """A condition as 1 or 0; 0 where it is not known."""
    return ibis.ifelse(condition, ibis.literal(1, "int64"), ibis.literal(0, "int64"))


def count(condition: Expr) -> Expr:
    """In how many rows a condition holds; 0 of none."""
    return ibis.coalesce(whole(condition).sum(), 0).cast("int64")


def least(one: Expr, other: Expr) -> Expr:
    """The smaller of two; where one is missing the other. (Of some engines the least of anything missing is missing.)"""
    return ibis.coalesce(ibis.least(one, other), one, other)
