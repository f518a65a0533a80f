"""The five DORA numbers of many scopes: of each application, team and month, from arrays that are made and sorted once.

`vsm.metrics.dora` tells a number with all that stands behind it: its rows, what was left out, its
weeks. Here are only the numbers, by the same rules; a test holds the two together.
"""

from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm.config import Dora
from vsm.frames import Codes, Mask, among, coded, looked_up, places
from vsm.metrics.dora import recoveries
from vsm.metrics.figure import Number, hours, percentiles, wilson
from vsm.metrics.lead_time import ENDS, STARTS, excluded
from vsm.scope import Scope
from vsm.working_time import micro, micros

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """Production deployments in the order of their finish: when, on which local day, how it ended, and what it took to mend it.

    ``recovery``: hours, missing where it needed none or they cannot be told; ``still``: its incident is open.
    """

    at: Codes
    day: Codes
    good: Mask
    run_failed: Mask
    failed: Mask
    recovery: Floats
    still: Mask
    unplanned: Mask

    def where(self, mask: "Mask | slice") -> "Runs":
        """Some of them."""
        return Runs(**{name: values[mask] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Account:
    """One scope's deployments, and the lead times of the changes that came with them first, in the order of their finish."""

    runs: Runs
    came: Codes
    hours: Floats
    rules: Dora

    def numbers(self, scope: Scope) -> dict[str, Number]:
        """The five of one window."""
        start, end = micro(scope.start), micro(scope.end)
        first, last = np.searchsorted(self.runs.at, start), np.searchsorted(self.runs.at, end, side="right")
        here = self.runs.where(slice(first, last))
        came = slice(np.searchsorted(self.came, start), np.searchsorted(self.came, end, side="right"))
        found = (
            _frequency(here, scope, known=bool(last)),
            _lead_time(self.hours[came]),
            _fail_rate(here, known=bool(last), with_runs=self.rules.failed_runs_count),
            _recovery(here),
            _rework(here),
        )
        return {number.name: number for number in found}


def _frequency(here: Runs, scope: Scope, known: bool) -> Number:
    n = int(here.good.sum())
    days = float(len(np.unique(here.day[here.good])))
    return Number("deployment_frequency", {"per_week": n / scope.weeks if known else None, "days": days if known else None}, n)


def _lead_time(spans: Floats) -> Number:
    return Number("change_lead_time", percentiles(spans, 50, 85, 95), len(spans))


def _fail_rate(here: Runs, known: bool, with_runs: bool) -> Number:
    n, failed, runs = int(here.good.sum()), int((here.failed & here.good).sum()), int(here.run_failed.sum())
    if with_runs:
        n, failed = n + runs, failed + runs
    return _share("change_fail_rate", "failed", failed, n, {"failed_runs": float(runs) if known else None})


def _recovery(here: Runs) -> Number:
    spans = here.recovery[~np.isnan(here.recovery)]
    still = float(here.still.sum()) if here.good.any() else None
    return Number("failed_deployment_recovery_time", percentiles(spans, 50, 85) | {"open": still}, len(spans))


def _rework(here: Runs) -> Number:
    return _share("deployment_rework_rate", "unplanned", int(here.unplanned.sum()), int(here.good.sum()), {})


def _share(name: str, flag: str, hits: int, n: int, beside: dict[str, float | None]) -> Number:
    low, high = wilson(hits, n)
    values = {"value": hits / n if n else None, "low": low, "high": high, flag: float(hits) if n else None}
    return Number(name, values | beside, n)


@dataclass(frozen=True)
class Ledger:
    """All deployments, and the pairs of deployment and change, by the deployment's finish.

    ``application``: of each deployment. ``run``, ``change``, ``span``: of each pair the deployment, the
    change, and its lead time in hours, missing where it does not count.
    """

    runs: Runs
    application: Codes
    names: list[str]
    run: Codes
    change: Codes
    span: Floats
    changes: int
    rules: Dora

    @classmethod
    def of(
        cls, changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, remedies: pd.DataFrame,
        zone: ZoneInfo, rules: Dora,
    ) -> "Ledger":  # fmt: skip
        """The ledger of these frames, with remedies as `remediation` tells."""
        dated = deployments[deployments["production"] & deployments["finished_at"].notna()]
        dated = dated.sort_values(["finished_at", "id"], kind="stable", ignore_index=True)
        application, names = coded(dated["application"])
        runs = _runs(dated, remedies, zone, rules)
        good = np.append(runs.good, False)
        run = places(deployment_changes["deployment"], dated["id"])
        change = places(deployment_changes["change"], changes["change"])
        there = np.flatnonzero(good[run] & (change >= 0))
        order = there[np.argsort(run[there], kind="stable")]
        run, change = run[order], change[order]
        return cls(runs, application, names, run, change, _spans(dated, changes, run, change, rules), len(changes), rules)

    def account(self, applications: Collection[str] | None, changes: Mask | None = None) -> Account:
        """The part of some applications (None: of all), and of some changes."""
        mine = np.ones(len(self.application), dtype="bool")
        if applications is not None:
            mine = np.append(np.array([name in applications for name in self.names], dtype="bool"), False)[self.application]
        keep = mine[self.run] if changes is None else mine[self.run] & changes[self.change]
        pairs = np.flatnonzero(keep)
        first = np.full(self.changes, -1)
        first[self.change[pairs[::-1]]] = pairs[::-1]  # of several the one that is written last stays: the earliest
        pairs = pairs[first[self.change[pairs]] == pairs]
        pairs = pairs[~np.isnan(self.span[pairs])]
        return Account(self.runs.where(mine), self.runs.at[self.run[pairs]], self.span[pairs], self.rules)


def _runs(dated: pd.DataFrame, remedies: pd.DataFrame, zone: ZoneInfo, rules: Dora) -> Runs:
    good = (dated["result"] == "success").to_numpy(dtype="bool")
    failed = good & among(dated["id"], remedies["deployment"]).to_numpy()
    told = recoveries(remedies).set_index("deployment")
    over = looked_up(dated["id"], told["recovered_at"])
    began = dated["finished_at"]
    if rules.recovery_start == "opened":
        began = looked_up(dated["id"], told["opened_at"]).fillna(began)
    recovery = hours(over - began).where(pd.Series(failed) & ~(over < began))
    made = remedies.loc[remedies["unplanned"], "remedy"].dropna()
    local = dated["finished_at"].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    return Runs(
        at=micros(dated["finished_at"]),
        day=local.to_numpy(dtype="datetime64[D]").view("int64"),
        good=good,
        run_failed=(dated["result"] == "failure").to_numpy(dtype="bool"),
        failed=failed,
        recovery=recovery.to_numpy(dtype="float64"),
        still=failed & over.isna().to_numpy(),
        unplanned=good & among(dated["id"], made).to_numpy(),
    )


def _spans(dated: pd.DataFrame, changes: pd.DataFrame, run: Codes, change: Codes, rules: Dora) -> Floats:
    """Each pair's lead time in hours; missing where the change is left out or has none."""
    start, (end, _) = STARTS[rules.lead_time_start][0], ENDS[rules.lead_time_end]
    ends = dated["finished_at" if end == "deployed_at" else end]
    span = hours(_at(ends, run) - _at(changes[start], change))
    apart = among(changes["change"], excluded(changes, rules)["id"]).to_numpy()
    told: Floats = span.where(~apart[change] & (span >= 0)).to_numpy(dtype="float64")
    return told


def _at(values: pd.Series, rows: Codes) -> pd.Series:
    return values.take(rows).reset_index(drop=True)
