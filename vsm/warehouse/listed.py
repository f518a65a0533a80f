"""The rows behind some figures, where they are few: what a page lists when a week is picked, and marks that stand for one each.

A figure of more than a thousand has no rows here: it stays a number, and what would list its rows says so.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from vsm.measure import Measures
from vsm.metrics.figure import AWAY, Figure
from vsm.scope import Scope
from vsm.warehouse import flow
from vsm.warehouse.brought import as_times
from vsm.warehouse.delivery import Deliveries
from vsm.warehouse.measured import Warehouse, chosen_parts, deploying, shipped, union
from vsm.warehouse.stays import Window
from vsm.working_time import HOUR

Expr = Any
MOST = 1_000  # rows of a figure that come here
TOO_MANY = f"there are more than {MOST:,}, and they stay in the engine"
NOT_HERE = "its rows stay in the engine"


def with_rows(told: Warehouse, found: Measures, scope: Scope) -> Measures:
    """The measures of a scope, of its streams too, with the rows of those figures that have few."""
    parts = {name: with_rows(told, one, replace(scope, stream=name)) for name, one in found.streams.items()}
    figures = dict(found.figures)
    for name, rows in _behind(told, scope):
        figures[name] = _few(figures[name], rows)
    return replace(found, figures=figures, streams=parts)


def _few(figure: Figure, rows: Expr) -> Figure:
    """A figure with its rows, in the columns that it has from a store; without them where they are many."""
    if not figure.n:
        return figure
    if figure.n > MOST:
        return replace(figure, said=figure.said | {AWAY: TOO_MANY})
    frame = rows.limit(MOST + 1).to_pandas()
    ident, at = frame.columns[0], frame.columns[-1]
    empty = figure.rows if at in figure.rows else figure.rows.rename(columns={"done_at": at})  # a lead time of no items ends there
    for name in frame.columns.intersection(empty.columns):
        if isinstance(empty.dtypes[name], pd.DatetimeTZDtype):
            frame[name] = as_times(frame[name])
    if "hours" in frame:
        frame["hours"] = frame["hours"] / HOUR
    frame = frame.sort_values([at, ident], kind="stable", ignore_index=True)
    return replace(figure, rows=frame.reindex(columns=empty.columns).astype(empty.dtypes.to_dict()))


def _behind(told: Warehouse, scope: Scope) -> Iterator[tuple[str, Expr]]:
    """The rows of each figure that lists some: its id in the first column, in the last what they are in the order of."""
    chosen, window = chosen_parts(told, scope), Window.of(scope)
    items = union([one.items for one in chosen])
    done = items.filter(window.holds(items.done_at))
    yield "throughput", done.select("item", "type", "done_at")
    rows = flow.cycles(items, window)
    yield "cycle_time", rows.select("item", "type", "first_started", "hours", "done_at")
    rows = flow.leads(items, window, deploying(chosen))
    at = flow.ENDS[deploying(chosen)]
    yield "lead_time", rows.select("item", "type", "created_at", "hours", at)
    yield from _deliveries(shipped(told, scope), window)


def _deliveries(told: Deliveries, window: Window) -> Iterator[tuple[str, Expr]]:
    runs = told.runs.filter(window.holds(told.runs.at))
    good = runs.filter(runs.good)
    about = {"deployment": "deployment", "application": "application"}
    yield "deployment_frequency", good.select(**about, deployed_at="at")
    yield "deployment_rework_rate", good.select(**about, unplanned="unplanned", deployed_at="at")
    if not told.rules.failed_runs_count:
        yield "change_fail_rate", good.select(**about, failed="failed", deployed_at="at")
    mended = runs.filter(runs.span.notnull())
    yield "failed_deployment_recovery_time", mended.select(**about, recovered_at="over", hours="span", deployed_at="at")
    leads = told.leads(window)
    yield (
        "change_lead_time",
        leads.select("change", "application", "first_commit_at", "merged_at", "deployment", hours="span", deployed_at="at"),
    )
