"""DORA's numbers week by week from an engine: the series of `vsm.metrics.dora` and `vsm.metrics.lead_time`."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.metrics.figure import wilson
from vsm.scope import Scope, weeks
from vsm.warehouse.delivery import Deliveries
from vsm.warehouse.ranks import count, in_hours, place, ranked
from vsm.warehouse.stays import Window
from vsm.working_time import micros

Expr = Any


def by_week(told: Deliveries, scope: Scope, zone: ZoneInfo) -> dict[str, pd.DataFrame]:
    """Of each of the five its series: every week that the window touches, whole (the window holds all of it), n and its numbers."""
    every = weeks(scope.start, scope.end, zone)
    edges = micros(every["week"].dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")).tolist()
    window = Window.of(scope)
    runs = told.runs.filter(window.holds(told.runs.at))
    runs = runs.mutate(vsm_week=place(runs.at, edges))
    sums = runs.group_by("vsm_week").agg(
        n=count(runs.good), failed=count(runs.failed), runs=count(runs.run_failed), unplanned=count(runs.unplanned)
    )
    counted = sums.to_pandas().set_index("vsm_week").reindex(range(len(every))).fillna(0).astype("int64").reset_index(drop=True)
    more = counted["runs"] if told.rules.failed_runs_count else 0
    leads = told.leads(window)
    return {
        "deployment_frequency": every.assign(n=counted["n"]),
        "change_lead_time": _hours(leads.mutate(vsm_week=place(leads.at, edges)), every, 25, 50, 75, 85, 95),
        "change_fail_rate": _shares(every, counted["n"] + more, counted["failed"] + more, "failed"),
        "failed_deployment_recovery_time": _hours(runs, every, 50, 85),
        "deployment_rework_rate": _shares(every, counted["n"], counted["unplanned"], "unplanned"),
    }


def _hours(rows: Expr, every: pd.DataFrame, *shares: int) -> pd.DataFrame:
    """Percentiles of a span in hours, a row a week."""
    names = [f"p{share}" for share in shares]
    told = {int(row["vsm_week"]): row for row in ranked(rows, "span", shares, by=["vsm_week"]).to_pandas().to_dict("records")}
    n = np.array([int(told.get(number, {}).get("n", 0)) for number in range(len(every))], dtype="int64")
    columns = {name: [in_hours(told.get(number, {}).get(name)) for number in range(len(every))] for name in names}
    return every.assign(n=n, **{name: np.array(values, dtype="float64") for name, values in columns.items()})


def _shares(every: pd.DataFrame, n: "pd.Series[int]", hits: "pd.Series[int]", flag: str) -> pd.DataFrame:
    """The number of flagged, the share and its interval, a row a week."""
    ends = np.array([wilson(int(hit), int(of)) for hit, of in zip(hits, n, strict=True)], "float64").reshape(-1, 2)
    value = np.divide(hits, n, out=np.full(len(n), np.nan), where=(n > 0).to_numpy())
    return every.assign(n=n, **{flag: hits}, value=value, low=ends[:, 0], high=ends[:, 1])
