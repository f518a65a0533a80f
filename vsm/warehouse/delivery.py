"""DORA's five numbers from an engine, by the rules of `vsm.metrics.dora` and `vsm.metrics.ledger`, in all or by application."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import pandas as pd

from vsm.config import Dora
from vsm.metrics.cumulative import days_of
from vsm.metrics.figure import Number, wilson
from vsm.metrics.lead_time import ENDS, PARTS, STARTS
from vsm.scope import Scope
from vsm.warehouse.ranks import count, in_hours, place, plain, ranked, varies
from vsm.warehouse.stays import Window
from vsm.warehouse.tables import Tables

Expr = Any
ROW = dict[str, Any]
ALL = ""  # the application under which the numbers of all of them stand


@dataclass(frozen=True)
class Deliveries:
    """Production deployments with what it took to mend them, and each with the changes that it brought."""

    runs: Expr
    pairs: Expr
    rules: Dora

    @classmethod
    def of(cls, tables: Tables, rules: Dora) -> "Deliveries":
        runs = _runs(tables, rules)
        good = runs.filter(runs.good).select("deployment", "application", "at", "started_at")
        changes = tables.changes.drop("application")
        pairs = tables.deployment_changes.distinct().inner_join(good, "deployment").inner_join(changes, "change")
        return cls(runs, pairs, rules)

    def of_some(self, applications: Collection[str] | None, changes: Expr = None) -> "Deliveries":
        """Those of some applications (None: all), and of some changes (None: all)."""
        runs, pairs = self.runs, self.pairs
        if applications is not None:
            names = sorted(applications) or [""]
            runs, pairs = (rows.filter(rows.application.isin(names)) for rows in (runs, pairs))
        if changes is not None:
            pairs = pairs.semi_join(changes, "change")
        return Deliveries(runs, pairs, self.rules)

    def numbers(self, scope: Scope, zone: ZoneInfo) -> dict[str, Number]:
        """The five of one window."""
        return self._numbers(scope, zone, by=[])[ALL]

    def by_application(self, scope: Scope, zone: ZoneInfo) -> dict[str, dict[str, Number]]:
        """The five of each application that was ever deployed."""
        return dict(sorted(self._numbers(scope, zone, by=["application"]).items()))

    def _numbers(self, scope: Scope, zone: ZoneInfo, by: list[str]) -> dict[str, dict[str, Number]]:
        window = Window.of(scope)
        counted = {_name(row, by): row for row in _records(self._counts(scope, zone, by))}
        leads = {_name(row, by): row for row in _records(ranked(self.leads(window, by), "span", (50, 85, 95), by=by))}
        mine = self.runs.filter(window.holds(self.runs.at))
        mended = {_name(row, by): row for row in _records(ranked(mine, "span", (50, 85), by=by))}
        return {
            name: _five(row, leads.get(name, {}), mended.get(name, {}), scope, self.rules.failed_runs_count)
            for name, row in counted.items()
        }

    def _counts(self, scope: Scope, zone: ZoneInfo, by: list[str]) -> Expr:
        runs, window = self.runs, Window.of(scope)
        _, ends = days_of(scope, zone)
        here = window.holds(runs.at)
        rows = runs.mutate(here=here, day=place(runs.at, [int(end) + 1 for end in ends]))
        numbers = {
            "known": count(rows.at <= window.end),
            "n": count(rows.here & rows.good),
            "days": rows.day.nunique(where=rows.here & rows.good),
            "failed": count(rows.here & rows.failed),
            "runs": count(rows.here & rows.run_failed),
            "still": count(rows.here & rows.still),
            "unplanned": count(rows.here & rows.unplanned),
        }
        return rows.group_by(by).agg(**numbers) if by else rows.agg(**numbers)

    def _live(self, by: list[str]) -> Expr:
        """Each change with the first of these deployments that brought it, of each application's where that is asked."""
        pairs = self.pairs
        turn = ibis.row_number().over(
            ibis.window(group_by=[pairs.change, *(pairs[name] for name in by)], order_by=[pairs.at, pairs.deployment])
        )
        return pairs.mutate(turn=turn).filter(lambda t: t.turn == 0)

    def leads(self, window: Window, by: Sequence[str] = ()) -> Expr:
        """The lead times (``span``) of the changes that came in the window, and when (``at``)."""
        live = self._live([*by])
        start, (end, _) = STARTS[self.rules.lead_time_start][0], ENDS[self.rules.lead_time_end]
        ended = live.at if end == "deployed_at" else live.started_at
        live = live.mutate(span=ended - live[start])
        return live.filter(window.holds(live.at) & ~live.left_out & (live.span >= 0))

    def parts(self, scope: Scope) -> pd.DataFrame:
        """Where a change's lead time goes, as `vsm.metrics.lead_time.lead_time_parts` tells: part, p50, p85, n."""
        window, live = Window.of(scope), self._live([])
        live = live.filter(window.holds(live.at) & ~live.left_out)
        live = live.mutate(deployed_at=live.at, ready_at=ibis.coalesce(live.ready_at, live.opened_at))
        rows = []
        for part, (start, end) in PARTS.items():
            told = live.mutate(span=live[end] - live[start])
            row = _records(ranked(told.filter(told.span >= 0), "span", (50, 85)))[0]
            rows.append((part, in_hours(row["p50"]), in_hours(row["p85"]), int(row["n"])))
        columns = {"part": "str", "p50": "float64", "p85": "float64", "n": "int64"}
        return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _runs(tables: Tables, rules: Dora) -> Expr:
    """Production deployments: when, whether they succeeded, failed, were mended (span: how long that took), are still broken."""
    runs, remedies = tables.deployments, tables.remedies
    runs = runs.filter(runs.production & runs.finished_at.notnull())
    incident = remedies.reason == "incident"
    told = remedies.group_by("deployment").agg(
        incidents=count(incident),
        open=count(incident & remedies.recovered_at.isnull()),
        ended=remedies.recovered_at.max(where=incident),
        mended=remedies.recovered_at.min(where=~incident),
        opened_incident=remedies.opened_at.min(where=incident),
        opened_other=remedies.opened_at.min(where=~incident),
    )
    of_incident = told.incidents > 0
    none = ibis.null("int64")
    told = told.select(
        of="deployment",
        over=ibis.cases((of_incident & (told.open > 0), none), (of_incident, told.ended), else_=told.mended),
        opened_at=ibis.cases((of_incident, told.opened_incident), else_=told.opened_other),
    )
    made = remedies.filter(remedies.unplanned & remedies.remedy.notnull()).select(made="remedy").distinct()
    runs = runs.left_join(told, runs.deployment == told.of)
    runs = runs.left_join(made, runs.deployment == made.made)
    good = runs.result == "success"
    failed = good & runs.of.notnull()
    began = ibis.coalesce(runs.opened_at, runs.finished_at) if rules.recovery_start == "opened" else runs.finished_at
    return runs.select(
        "deployment", "application", "started_at",
        at=runs.finished_at, good=good, run_failed=runs.result == "failure", failed=failed,
        span=ibis.cases((failed & (runs.over >= began), runs.over - began), else_=none),
        still=failed & runs.over.isnull(), over=runs.over, unplanned=good & runs.made.notnull(),
    )  # fmt: skip


def _records(table: Expr) -> list[ROW]:
    rows: list[ROW] = table.to_pandas().to_dict("records")
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def _name(row: ROW, by: list[str]) -> str:
    return str(row[by[0]]) if by else ALL


def _five(row: ROW, lead: ROW, mended: ROW, scope: Scope, with_runs: bool) -> dict[str, Number]:
    n, known = int(row["n"]), bool(row["known"])
    runs = int(row["runs"]) if with_runs else 0
    spans = {name: in_hours(lead.get(name)) for name in ("p50", "p85", "p95")}
    often = {"per_week": n / scope.weeks if known else None, "days": float(row["days"]) if known else None}
    recovery = {"p50": in_hours(mended.get("p50")), "p85": in_hours(mended.get("p85")), "open": float(row["still"]) if n else None}
    leads, repairs = int(lead.get("n") or 0), int(mended.get("n") or 0)
    found = (
        Number("deployment_frequency", often, n),
        Number("change_lead_time", spans, leads, spread=varies(lead.get("apart"), leads)),
        _share("change_fail_rate", "failed", int(row["failed"]) + runs, n + runs),
        Number("failed_deployment_recovery_time", recovery, repairs, spread=varies(mended.get("apart"), repairs)),
        _share("deployment_rework_rate", "unplanned", int(row["unplanned"]), n),
    )
    return {one.name: one for one in found}


def _share(name: str, flag: str, hits: int, n: int) -> Number:
    low, high = wilson(hits, n)
    return Number(name, {"value": hits / n if n else None, "low": low, "high": high, flag: float(hits) if n else None}, n)
