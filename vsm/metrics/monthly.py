"""The five DORA numbers by calendar month."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pandas as pd

from vsm.metrics.ledger import Account
from vsm.metrics.periods import months
from vsm.scope import Scope

MOST = 24  # what is older says little of a team
HEADLINE = {  # the value that a number is known by
    "deployment_frequency": "per_week",
    "change_lead_time": "p50",
    "change_fail_rate": "value",
    "failed_deployment_recovery_time": "p50",
    "deployment_rework_rate": "value",
}


def by_month(account: Account, first: pd.Timestamp, scope: Scope, zone: ZoneInfo) -> pd.DataFrame:
    """The five of each calendar month of a window's last two years: month, whole, metric, value, low, high, n.

    `first`: when anything is known first; there are no months before it.
    """
    start = max(scope.start, first - pd.Timedelta(days=31), scope.end - pd.Timedelta(days=31 * MOST))
    rows = []
    for one in [one for one in months(replace(scope, start=start), zone) if one.scope.end >= first][-MOST:]:
        for name, number in account.numbers(one.scope).items():
            ends = (number.values.get("low"), number.values.get("high"))
            rows.append((one.month, one.whole, name, number.values[HEADLINE[name]], *ends, number.n))
    kinds = {"month": "datetime64[us]", "whole": "bool", "metric": "str"} | dict.fromkeys(("value", "low", "high"), "float64")
    return pd.DataFrame(rows, columns=[*kinds, "n"]).astype(kinds)
