"""DORA's five metrics: small histories whose answers are counted by hand, and what must hold of every history."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.changes import COLUMNS as CHANGE_COLUMNS
from vsm.config import Dora
from vsm.metrics import dora
from vsm.metrics.figure import Figure, wilson
from vsm.scope import Scope

UTC = ZoneInfo("UTC")
VIENNA = ZoneInfo("Europe/Vienna")
TIME = "datetime64[us, UTC]"
YEAR = "2026-"


def at(text: str) -> pd.Timestamp:
    """`03-02T10:00` is of 2026 and in UTC."""
    return pd.Timestamp(text if text.startswith("20") else YEAR + text, tz="UTC").as_unit("us")


def scope(start: str = "03-02T00:00", end: str = "03-30T00:00") -> Scope:
    """Four weeks from Monday 2 March 2026, unless told otherwise."""
    return Scope(at(start), at(end))


def frame(rows: list[dict[str, Any]], kinds: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in kinds.items()})


def said(line: str) -> tuple[list[str], dict[str, str]]:
    """The words of a line, and its name=value pairs."""
    words = line.split()
    return [word for word in words if "=" not in word], dict(word.split("=", 1) for word in words if "=" in word)


DEPLOYMENT = {
    **dict.fromkeys(("id", "application", "environment", "repository", "sha", "ref", "result", "url"), "str"),
    **dict.fromkeys(("previous", "rollback_of", "hotfix_rule"), "str"),
    **dict.fromkeys(("started_at", "finished_at"), TIME),
    **dict.fromkeys(("production", "hotfix"), "bool"),
}


def deployments(*lines: str) -> pd.DataFrame:
    """`d1 03-02T10:00 [of=shop] [in=production] [result=success] [rollback_of=d0] [hotfix=1] [sha=…]`, oldest first.

    `-` is no time. `previous` is the successful production deployment of the application before it.
    """
    rows: list[dict[str, Any]] = []
    last: dict[str, str] = {}
    for line in lines:
        (key, when), told = said(line)
        application, environment = told.get("of", "shop"), told.get("in", "production")
        row = {
            "id": key, "finished_at": None if when == "-" else at(when), "application": application, "environment": environment,
            "production": environment == "production", "result": told.get("result", "success"), "sha": told.get("sha"),
            "rollback_of": told.get("rollback_of"), "hotfix": "hotfix" in told, "url": f"https://example.org/{key}",
            "hotfix_rule": "a change's branch says hotfix" if "hotfix" in told else None,
        }  # fmt: skip
        if row["production"] and row["result"] == "success":
            row["previous"], last[application] = last.get(application), key
        rows.append(row)
    return frame(rows, DEPLOYMENT)


CHANGE = {name: TIME if name.endswith("_at") else "str" for name in CHANGE_COLUMNS}
WHEN = {
    "first": "first_commit_at", "opened": "opened_at", "ready": "ready_at", "review": "first_review_at", "merged": "merged_at",
}  # fmt: skip


def changes(*lines: str) -> pd.DataFrame:
    """`c1 first=03-01T09:00 opened=… ready=… review=… merged=… [of=shop] [reverts=c0]`."""
    rows = []
    for line in lines:
        (key,), told = said(line)
        times = {column: at(told[name]) for name, column in WHEN.items() if name in told}
        rule = "first commit, as the source says" if "first" in told else "squashed"
        rest = {"application": told.get("of", "shop"), "reverts": told.get("reverts"), "start_rule": rule}
        rows.append({"change": key, **rest, **times})
    return frame(rows, CHANGE)


def pairs(*lines: str) -> pd.DataFrame:
    """`d1: c1 c2`; `?c2` was linked by a guess."""
    told = [(line.partition(":")[0], change) for line in lines for change in line.partition(":")[2].split()]
    strength = {True: "guessed", False: "stated"}
    rows = [
        {"deployment": key, "change": change.lstrip("?"), "rule": "reachable", "strength": strength[change.startswith("?")]}
        for key, change in told
    ]
    return frame(rows, dict.fromkeys(("deployment", "change", "rule", "strength"), "str"))


def incidents(*lines: str) -> pd.DataFrame:
    """`i1 d1 03-02T11:00 [03-02T12:00]`: laid to d1, opened, resolved; `-` for no deployment."""
    rows = []
    for line in lines:
        key, deployment, opened, *resolved = line.split()
        row = {"id": key, "deployment": None if deployment == "-" else deployment, "opened_at": at(opened)}
        row |= {"resolved_at": at(resolved[0]) if resolved else None}
        rows.append(row | {"rule": "the incident names the deployment", "strength": "stated"})
    kinds = dict.fromkeys(("id", "deployment", "rule", "strength"), "str") | {"opened_at": TIME, "resolved_at": TIME}
    return frame(rows, kinds)


def remedies(
    made: pd.DataFrame, happened: pd.DataFrame | None = None, of: pd.DataFrame | None = None, brought: pd.DataFrame | None = None
) -> pd.DataFrame:
    return dora.remediation(
        made,
        pairs() if brought is None else brought,
        changes() if of is None else of,
        incidents() if happened is None else happened,
    )


def why(figure: Figure) -> dict[str, str]:
    """What was left out, by id."""
    return dict(zip(figure.left_out["id"], figure.left_out["reason"], strict=True))


# Which deployments failed, and why. ------------------------------------------------------------------------------------


def test_each_of_the_four_reasons_is_found_and_says_by_what() -> None:
    made = deployments(
        "d1 03-02T10:00", "d2 03-03T10:00", "d3 03-03T12:00 rollback_of=d2", "d4 03-04T10:00", "d5 03-05T10:00",
        "d6 03-06T10:00", "d7 03-06T12:00 hotfix=1",
    )  # fmt: skip
    of = changes("c4", "c5 reverts=c4")
    found = remedies(made, incidents("i1 d1 03-02T11:00 03-02T12:00"), of, pairs("d4: c4", "d5: c5"))

    assert found[["deployment", "reason", "by", "remedy"]].astype(object).where(found["remedy"].notna(), None).values.tolist() == [
        [None] * 4,
        ["d2", "rollback", "d3", "d3"],
        ["d4", "revert", "c5", "d5"],
        ["d6", "hotfix", "d7", "d7"],
    ]
    assert found.iloc[0][["deployment", "reason", "by"]].tolist() == ["d1", "incident", "i1"]
    assert found["recovered_at"].tolist() == [at("03-02T12:00"), at("03-03T12:00"), at("03-05T10:00"), at("03-06T12:00")]
    assert found["rule"].tolist() == [
        "the incident names the deployment",
        "returned to a version that was live before",
        "c5 reverts c4",
        "a change's branch says hotfix: guessed to mend the deployment just before it",
    ]
    assert found["strength"].tolist() == ["stated", "stated", "named", "guessed"]
    assert found["unplanned"].tolist() == [False, True, True, True]


def test_a_deployment_has_all_its_reasons_the_incident_first() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-02T12:00 hotfix=1")

    found = remedies(made, incidents("i2 d1 03-02T11:30", "i1 d1 03-02T11:00 03-02T13:00"))

    assert found["by"].tolist() == ["i1", "i2", "d2"]
    assert found["recovered_at"].isna().tolist() == [False, True, False]


def test_a_change_that_is_reverted_in_the_same_deployment_did_no_harm() -> None:
    of = changes("c1", "c2 reverts=c1")

    assert remedies(deployments("d1 03-02T10:00"), None, of, pairs("d1: c1 c2")).empty


def test_a_revert_counts_only_where_it_was_deployed() -> None:
    made = deployments("s1 03-02T10:00 of=shop", "p1 03-02T10:00 of=payments", "s2 03-02T12:00 of=shop")
    of = changes("c1", "c2 reverts=c1")

    assert remedies(made, None, of, pairs("s1: c1", "p1: c1", "s2: c2"))["deployment"].tolist() == ["s1"]


def test_a_revert_is_a_guess_where_the_deployment_of_the_change_is_one() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-03T10:00")

    assert remedies(made, None, changes("c1", "c2 reverts=c1"), pairs("d1: ?c1", "d2: c2"))["strength"].tolist() == ["guessed"]


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        ("d2 03-02T12:00 hotfix=1 sha=aaa", "the same commit once more"),
        ("d2 03-02T12:00 hotfix=1 result=failure", "a hotfix that did not arrive"),
        ("d2 03-02T12:00 hotfix=1 in=staging", "a hotfix of another environment"),
        ("d2 03-02T12:00 hotfix=1 of=payments", "a hotfix of another application"),
    ],
)
def test_no_hotfix_of_the_deployment_before_it(later: str, reason: str) -> None:
    assert remedies(deployments("d1 03-02T10:00 sha=aaa", later)).empty, reason


def test_going_back_to_a_version_that_was_a_hotfix_is_a_rollback_only() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-02T12:00", "d3 03-02T13:00 hotfix=1 rollback_of=d2")

    assert remedies(made)["reason"].tolist() == ["rollback"]


def test_what_never_reached_production_cannot_fail_there() -> None:
    made = deployments("d1 03-02T10:00 in=staging", "d2 03-02T10:00 result=failure", "d3 - ")
    happened = incidents("i1 d1 03-02T11:00", "i2 d2 03-02T11:00", "i3 d3 03-02T11:00", "i4 - 03-02T11:00", "i5 gone 03-02T11:00")

    assert remedies(made, happened).empty


# Deployment frequency. -------------------------------------------------------------------------------------------------


def test_frequency_is_the_exact_number_by_the_weeks_of_the_window() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-02T16:00", "d3 03-18T10:00")
    figure = dora.deployment_frequency(made, scope(), UTC)

    assert figure.values == {"per_week": 3 / 4, "days": 2.0}
    assert (figure.n, figure.of, figure.coverage) == (3, 3, 1.0)
    assert figure.rule == (
        "3 successful production deployments from 2026-03-02 to 2026-03-30 ÷ 4 weeks, on 2 days in UTC; 0 failed runs not counted"
    )
    assert figure.definition.startswith("Successful production deployments per week")
    assert figure.rows["deployment"].tolist() == ["d1", "d2", "d3"]


def test_both_ends_of_the_window_are_included() -> None:
    made = deployments(
        "before 2026-03-01T23:59:59.999999", "first 03-02T00:00", "last 03-30T00:00", "after 2026-03-30T00:00:00.000001"
    )

    assert dora.deployment_frequency(made, scope(), UTC).rows["deployment"].tolist() == ["first", "last"]


def test_every_week_is_shown_also_without_deployments_and_the_last_one_is_not_whole() -> None:
    series = dora.deployment_frequency(deployments("d1 03-02T10:00", "d2 03-18T10:00"), scope(), UTC).series

    assert series is not None
    assert series["n"].tolist() == [1, 0, 1, 0, 0]
    assert series["whole"].tolist() == [True, True, True, True, False]
    assert series["week"].iloc[0] == pd.Timestamp("2026-03-02")


def test_days_and_weeks_are_those_of_the_reporting_zone() -> None:
    made = deployments("d1 03-08T22:30", "d2 03-08T23:30")  # in Vienna: Sunday 23:30 and Monday 0:30
    utc, vienna = (dora.deployment_frequency(made, scope(), zone) for zone in (UTC, VIENNA))
    assert utc.series is not None
    assert vienna.series is not None

    assert (utc.values["days"], vienna.values["days"]) == (1, 2)
    assert utc.series["n"].tolist() == [2, 0, 0, 0, 0]
    assert vienna.series["n"].tolist()[:2] == [1, 1]


def test_the_week_in_which_clocks_change_is_a_week() -> None:
    # In Vienna clocks went forward on Sunday 29 March 2026: the week ends at 22:00 UTC.
    made = deployments("d1 03-29T21:59", "d2 03-29T22:00")
    series = dora.deployment_frequency(made, scope("03-22T23:00", "04-05T21:59"), VIENNA).series

    assert series is not None
    assert series["week"].dt.strftime("%m-%d").tolist() == ["03-23", "03-30"]
    assert series["n"].tolist() == [1, 1]


def test_no_deployment_in_the_window_is_zero_where_one_is_known_before_it() -> None:
    figure = dora.deployment_frequency(deployments("d1 02-20T10:00"), scope(), UTC)

    assert figure.values == {"per_week": 0.0, "days": 0.0}
    assert figure.n == 0
    assert "why" not in figure.said


def test_no_deployment_known_up_to_the_windows_end_is_no_data() -> None:
    made = deployments("d1 04-20T10:00", "s1 03-03T10:00 in=staging", "s2 03-04T10:00 in=staging")
    figure = dora.deployment_frequency(made, scope(), UTC)

    assert figure.values == {"per_week": None, "days": None}
    assert figure.n == 0
    assert figure.series is not None
    assert figure.series.empty
    assert figure.said["why"] == (
        "no successful production deployment between 2026-03-02 and 2026-03-30; the first one after it was on 2026-04-20; "
        "2 deployments of other environments are known"
    )


def test_only_failed_runs_are_zero_deployments() -> None:
    figure = dora.deployment_frequency(deployments("d1 03-03T10:00 result=failure"), scope(), UTC)

    assert figure.values["per_week"] == 0
    assert why(figure) == {"d1": "the run failed: it is counted apart"}


def test_it_says_since_when_deployments_are_known_where_that_is_within_the_window() -> None:
    assert dora.deployment_frequency(deployments("d1 03-10T10:00"), scope(), UTC).said == {
        "since": "the first production deployment known is of 2026-03-10"
    }


def test_what_could_have_counted_lowers_the_coverage_and_every_other_run_has_its_reason() -> None:
    made = deployments(
        "d1 03-03T10:00", "d2 -", "d3 03-03T11:00 result=unknown", "d4 03-03T11:00 result=cancelled",
        "d5 03-03T11:00 result=failure", "d6 03-03T11:00 result=skipped", "d7 02-03T11:00 result=failure",
    )  # fmt: skip
    figure = dora.deployment_frequency(made, scope(), UTC)

    assert (figure.n, figure.of) == (1, 3)
    assert why(figure) == {
        "d2": "when it finished is not known",
        "d3": "its result is unknown",
        "d4": "its result is cancelled",
        "d5": "the run failed: it is counted apart",
        "d6": "its result is skipped",
    }


# Change lead time. -----------------------------------------------------------------------------------------------------


def lead_time(
    of: pd.DataFrame, made: pd.DataFrame, brought: pd.DataFrame, settled: pd.DataFrame | None = None, zone: ZoneInfo = UTC
) -> Figure:
    return dora.change_lead_time(of, made, brought, scope(), zone, settled)


def test_lead_time_is_from_the_first_commit_to_the_first_production_deployment() -> None:
    of = changes(
        "c1 first=03-02T00:00 merged=03-02T05:00",
        "c2 first=03-02T04:00 merged=03-02T05:00",
        "c3 first=03-03T00:00 merged=03-03T05:00",
    )
    figure = lead_time(of, deployments("d1 03-02T10:00", "d2 03-04T00:00"), pairs("d1: c1 c2", "d2: ?c3"))

    assert figure.values == {"p50": 10.0, "p85": 24.0, "p95": 24.0}
    assert (figure.n, figure.of) == (3, 3)
    assert figure.rows["change"].tolist() == ["c1", "c2", "c3"]
    assert figure.rows["hours"].tolist() == [10, 6, 24]
    assert figure.rows["deployment"].tolist() == ["d1", "d1", "d2"]
    assert figure.rows["strength"].tolist() == ["stated", "stated", "guessed"]
    assert "3 changes deployed from 2026-03-02 to 2026-03-30, 1 of them linked by a guess" in figure.rule
    assert figure.said == {"start": "first commit", "end": "in production"}


def test_a_change_that_was_deployed_twice_counts_once_at_the_first() -> None:
    made = deployments("p1 03-02T10:00 of=payments", "s1 03-02T20:00 of=shop")
    figure = lead_time(changes("c1 first=03-02T00:00"), made, pairs("p1: c1", "s1: c1"))

    assert figure.rows[["change", "deployment", "hours"]].to_numpy().tolist() == [["c1", "p1", 10]]
    assert figure.n == 1


def test_a_change_that_was_in_production_before_the_window_does_not_count_again() -> None:
    made = deployments("p1 02-20T10:00 of=payments", "s1 03-02T20:00 of=shop")

    assert lead_time(changes("c1 first=02-20T00:00 merged=03-02T01:00"), made, pairs("p1: c1", "s1: c1")).of == 0


def test_the_deployment_decides_the_window_both_ends_included() -> None:
    made = deployments("d1 03-02T00:00", "d2 03-30T00:00", "d3 2026-03-30T00:00:00.000001")
    of = changes("c1 first=02-01T00:00", "c2 first=02-01T00:00", "c3 first=02-01T00:00")

    assert lead_time(of, made, pairs("d1: c1", "d2: c2", "d3: c3")).rows["change"].tolist() == ["c1", "c2"]


def test_changes_without_a_lead_time_are_left_out_with_the_reason_and_count_in_the_coverage() -> None:
    of = changes(
        "good first=03-02T00:00 merged=03-02T05:00",
        "squashed merged=03-02T05:00",
        "negative first=03-05T00:00 merged=03-05T01:00",
        "waiting first=03-06T00:00 merged=03-06T05:00",
        "later first=03-07T00:00 merged=03-07T05:00",
        "early first=02-07T00:00 merged=02-07T05:00",
        "open first=03-08T00:00",
        "elsewhere first=03-09T00:00 merged=03-09T05:00 of=unheard-of",
    )
    made = deployments("d1 03-02T10:00", "d2 03-31T10:00")
    figure = lead_time(of, made, pairs("d1: good squashed negative", "d2: later"))

    assert figure.rows["change"].tolist() == ["good"]
    assert (figure.n, figure.of) == (1, 6)
    assert why(figure) == {
        "squashed": "squashed",
        "negative": "in production before its first commit",
        "waiting": "merged, not in production by 2026-03-30",
        "later": "merged, not in production by 2026-03-30",
        "elsewhere": "merged, but no production deployment of its application is known",
    }


def test_what_the_first_known_deployment_held_is_in_production_since_an_unknown_time() -> None:
    settled = frame([{"deployment": "d1", "change": "c1"}], {"deployment": "str", "change": "str"})
    figure = lead_time(changes("c1 first=03-02T00:00 merged=03-02T05:00"), deployments("d1 03-02T10:00"), pairs(), settled)

    assert why(figure) == {"c1": dora.SETTLED}
    assert figure.values["p50"] is None
    assert figure.said["why"] == (
        "no change is linked to a successful production deployment from 2026-03-02 to 2026-03-30; "
        "1 change merged in it not known to be in production"
    )


def test_a_lead_time_of_nothing_at_all_is_zero_hours() -> None:
    assert lead_time(changes("c1 first=03-02T10:00"), deployments("d1 03-02T10:00"), pairs("d1: c1")).values["p50"] == 0


def test_lead_times_by_week_are_of_what_was_deployed_in_it() -> None:
    of = changes("c1 first=03-02T00:00", "c2 first=03-02T04:00", "c3 first=03-15T00:00")
    series = lead_time(of, deployments("d1 03-02T10:00", "d2 03-16T00:00"), pairs("d1: c1 c2", "d2: c3")).series

    assert series is not None
    assert list(series.columns) == ["week", "whole", "n", "p25", "p50", "p75", "p85", "p95"]
    assert series["n"].tolist() == [2, 0, 1, 0, 0]
    assert series["p50"].tolist()[::2][:2] == [6, 24]
    assert series["p85"].iloc[0] == 10
    assert series.loc[series["n"] == 0, "p50"].isna().all()


def test_without_a_usable_first_commit_it_says_so() -> None:
    figure = lead_time(changes("c1", "c2"), deployments("d1 03-02T10:00"), pairs("d1: c1 c2"))

    assert figure.values == {"p50": None, "p85": None, "p95": None}
    assert (figure.n, figure.of, figure.coverage) == (0, 2, 0.0)
    assert figure.said["why"] == (
        "of 2 changes deployed from 2026-03-02 to 2026-03-30 none has a first commit before its deployment"
    )


def test_the_parts_of_a_lead_time_follow_one_another() -> None:
    of = changes("c1 first=03-02T00:00 opened=03-02T04:00 ready=03-02T05:00 review=03-02T07:00 merged=03-02T10:00")
    parts = dora.lead_time_parts(of, deployments("d1 03-02T14:00"), pairs("d1: c1"), scope())

    assert parts["part"].tolist() == ["coding", "pickup", "review", "deploy"]
    assert parts["p50"].tolist() == [4, 2, 3, 4]
    assert parts["p85"].tolist() == [4, 2, 3, 4]
    assert parts["n"].tolist() == [1, 1, 1, 1]


def test_a_part_that_cannot_be_known_is_missing_and_never_zero() -> None:
    of = changes(
        "pushed merged=03-02T10:00",  # straight to the default branch: no request, no review
        "backwards first=03-02T06:00 opened=03-02T04:00 review=03-02T03:00 merged=03-02T15:00",
        "undeployed first=03-02T00:00 opened=03-02T01:00 merged=03-02T02:00",
    )
    parts = dora.lead_time_parts(of, deployments("d1 03-02T14:00"), pairs("d1: pushed backwards"), scope())

    assert parts["n"].tolist() == [0, 0, 1, 1]
    assert parts["p50"].fillna(-1).tolist() == [-1, -1, 12, 4]


def test_the_pickup_begins_with_the_opening_where_readiness_is_not_known() -> None:
    of = changes("c1 opened=03-02T04:00 review=03-02T06:00")

    assert dora.lead_time_parts(of, deployments("d1 03-02T14:00"), pairs("d1: c1"), scope())["p50"].tolist()[1] == 2


def test_changes_of_an_application_are_its_own_and_those_that_it_deployed() -> None:
    of = changes("own of=shop", "shared of=library", "foreign of=payments")
    made = deployments("s1 03-02T10:00 of=shop", "p1 03-02T10:00 of=payments")

    assert dora.changes_of(of, made, pairs("s1: shared", "p1: foreign shared"), ["shop"])["change"].tolist() == ["own", "shared"]


# Change fail rate. -----------------------------------------------------------------------------------------------------


def fail_rate(made: pd.DataFrame, happened: pd.DataFrame | None = None) -> Figure:
    return dora.change_fail_rate(made, remedies(made, happened), scope(), UTC)


def test_the_fail_rate_is_of_successful_deployments_each_counted_once() -> None:
    made = deployments(
        "d1 03-02T10:00", "d2 03-03T10:00", "d3 03-03T12:00 rollback_of=d2", "d4 03-04T10:00",
        "d5 03-04T12:00 hotfix=1", "d6 03-05T10:00 result=failure", "s1 03-05T10:00 in=staging",
    )  # fmt: skip
    figure = fail_rate(made, incidents("i1 d2 03-03T11:00 03-03T13:00", "i2 d2 03-03T11:30 03-03T12:30"))

    assert figure.values == {"value": 2 / 5, "low": wilson(2, 5)[0], "high": wilson(2, 5)[1], "failed": 2.0, "failed_runs": 1.0}
    assert (figure.n, figure.of) == (5, 5)
    assert figure.rows.loc[figure.rows["failed"], ["deployment", "reason", "by"]].to_numpy().tolist() == [
        ["d2", "incident", "i2, i1, d3"],
        ["d4", "hotfix", "d5"],
    ]
    assert figure.rows["rule"].dropna().tolist()[0] == (
        "incident i2: the incident names the deployment; incident i1: the incident names the deployment; "
        "rollback d3: returned to a version that was live before"
    )
    assert figure.rule == (
        "2 of 5 successful production deployments from 2026-03-02 to 2026-03-30 needed remediation: 1 by a linked incident, "
        "1 by a hotfix (each counted once, by the first of these that it has); 1 failed run counted apart; "
        "remediation is a linked incident, a rollback, a revert within 28 days, a hotfix"
    )
    assert why(figure) == {"d6": "the run failed: it is counted apart"}


def test_several_incidents_on_one_deployment_are_one_failure() -> None:
    figure = fail_rate(deployments("d1 03-02T10:00"), incidents("i1 d1 03-02T11:00", "i2 d1 03-02T12:00", "i3 d1 03-02T13:00"))

    assert (figure.values["value"], figure.values["failed"], figure.n) == (1.0, 1.0, 1)


def test_the_deployment_decides_the_window_not_its_incident() -> None:
    made = deployments("d0 03-01T10:00", "d1 03-29T10:00")
    figure = fail_rate(made, incidents("i0 d0 03-02T11:00", "i1 d1 03-31T11:00"))

    assert (figure.values["failed"], figure.n) == (1, 1)


def test_a_rollback_is_a_deployment_too() -> None:
    figure = fail_rate(deployments("d1 03-02T10:00", "d2 03-02T11:00", "d3 03-02T12:00 rollback_of=d2"))

    assert (figure.values["failed"], figure.n) == (1, 3)


def test_no_failure_is_zero_with_an_upper_bound() -> None:
    figure = fail_rate(deployments("d1 03-02T10:00", "d2 03-03T10:00"))

    assert (figure.values["value"], figure.values["failed"]) == (0.0, 0.0)
    assert figure.values["high"] == pytest.approx(0.6576, abs=1e-4)
    assert "needed remediation; 0 failed runs" in figure.rule


def test_only_failed_runs_have_no_fail_rate_but_are_counted() -> None:
    figure = fail_rate(deployments("d1 03-02T10:00 result=failure", "d2 03-03T10:00 result=failure"))

    assert figure.values == {"value": None, "low": None, "high": None, "failed": None, "failed_runs": 2.0}
    assert figure.said["why"] == (
        "no successful production deployment between 2026-03-02 and 2026-03-30; 2 production runs in it did not succeed"
    )


def test_the_fail_rate_by_week_has_its_n_and_no_value_where_nothing_was_deployed() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-03T10:00", "d3 03-17T10:00")
    series = fail_rate(made, incidents("i1 d1 03-02T11:00")).series

    assert series is not None
    assert list(series.columns) == ["week", "whole", "n", "failed", "value", "low", "high"]
    assert series["n"].tolist() == [2, 0, 1, 0, 0]
    assert series["failed"].tolist() == [1, 0, 0, 0, 0]
    assert series["value"].fillna(-1).tolist() == [0.5, -1, 0, -1, -1]
    assert series["low"].isna().tolist() == [False, True, False, True, True]


# Failed deployment recovery time. --------------------------------------------------------------------------------------


def recovery(made: pd.DataFrame, happened: pd.DataFrame | None = None) -> Figure:
    return dora.failed_deployment_recovery_time(made, remedies(made, happened), scope(), UTC)


def test_recovery_is_from_the_deployments_finish_to_the_end_of_its_last_incident() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-02T12:00 hotfix=1")
    figure = recovery(made, incidents("i1 d1 03-02T11:00 03-02T13:00", "i2 d1 03-02T11:00 03-02T15:00"))

    assert figure.values == {"p50": 5.0, "p85": 5.0, "open": 0.0}
    assert (figure.n, figure.of) == (1, 1)
    assert figure.rows[["deployment", "recovered_at", "hours"]].to_numpy().tolist() == [["d1", at("03-02T15:00"), 5]]


def test_without_an_incident_it_is_to_the_first_deployment_that_mended_it() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-02T12:00 hotfix=1", "d3 03-03T10:00")
    of, brought = changes("c1", "c3 reverts=c1"), pairs("d1: c1", "d3: c3")
    figure = dora.failed_deployment_recovery_time(made, remedies(made, None, of, brought), scope(), UTC)

    assert figure.values["p50"] == 2
    assert figure.rows["by"].tolist() == ["c3, d2"]


def test_a_failed_deployment_with_an_open_incident_is_open_and_not_averaged_in() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-02T12:00 hotfix=1", "d3 03-03T10:00", "d4 03-03T14:00 rollback_of=d3")
    figure = recovery(made, incidents("i1 d1 03-02T11:00 03-02T13:00", "i2 d1 03-02T11:00"))

    assert figure.values == {"p50": 4.0, "p85": 4.0, "open": 1.0}
    assert (figure.n, figure.of) == (1, 2)
    assert why(figure) == {"d1": "its incident is still open"}


def test_incidents_that_were_over_before_the_deployment_had_finished_tell_no_recovery() -> None:
    figure = recovery(deployments("d1 03-02T10:00"), incidents("i1 d1 03-02T08:00 03-02T09:00"))

    assert (figure.values["p50"], figure.n, figure.of) == (None, 0, 1)
    assert why(figure) == {"d1": "its incidents were over before it had finished"}
    assert figure.said["why"] == (
        "no recovery can be measured of 1 failed deployment from 2026-03-02 to 2026-03-30: 0 still open, "
        "1 with incidents that were over before the deployment had finished"
    )


def test_nothing_failed_has_no_recovery_time_and_says_of_how_many() -> None:
    figure = recovery(deployments("d1 03-02T10:00"))

    assert figure.values == {"p50": None, "p85": None, "open": 0.0}
    assert figure.said["why"] == "none of 1 successful production deployment from 2026-03-02 to 2026-03-30 needed remediation"


def test_the_next_deployment_is_no_recovery_by_itself() -> None:
    assert recovery(deployments("d1 03-02T10:00", "d2 03-02T12:00")).n == 0


# Deployment rework rate. -----------------------------------------------------------------------------------------------


def rework(made: pd.DataFrame, of: pd.DataFrame | None = None, brought: pd.DataFrame | None = None) -> Figure:
    return dora.deployment_rework_rate(made, remedies(made, None, of, brought), scope(), UTC)


def test_rework_is_the_share_of_rollbacks_reverts_and_hotfixes() -> None:
    made = deployments(
        "d1 03-02T10:00", "d2 03-03T10:00", "d3 03-03T12:00 rollback_of=d2", "d4 03-04T10:00", "d5 03-05T10:00",
        "d6 03-06T10:00", "d7 03-06T12:00 hotfix=1", "d8 03-07T10:00",
    )  # fmt: skip
    figure = rework(made, changes("c4", "c5 reverts=c4"), pairs("d4: c4", "d5: c5"))

    assert figure.values == {"value": 3 / 8, "low": wilson(3, 8)[0], "high": wilson(3, 8)[1], "unplanned": 3.0}
    assert figure.rows.loc[figure.rows["unplanned"], ["deployment", "reason", "mends", "rule"]].to_numpy().tolist() == [
        ["d3", "rollback", "d2", "rollback after d2: returned to a version that was live before"],
        ["d5", "revert", "d4", "revert after d4: c5 reverts c4"],
        ["d7", "hotfix", "d6", "hotfix after d6: a change's branch says hotfix: guessed to mend the deployment just before it"],
    ]
    assert figure.rule == (
        "3 of 8 successful production deployments from 2026-03-02 to 2026-03-30 were unplanned and mended a deployment that "
        "had failed: 1 as a rollback, 1 as a revert, 1 as a hotfix (each counted once, by the first of these that it has); 0 more "
        "brought a remedy among other changes and were planned; remediation is a linked incident, a rollback, a revert within 28 "
        "days, a hotfix; a remedy is unplanned if it is a rollback, an incident of what it mends was open, or at least 50% of its "
        "changes are reverts or hotfixes"
    )


def test_a_deployment_that_mends_several_is_unplanned_once() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-03T10:00", "d3 03-04T10:00")
    figure = rework(made, changes("c1", "c2", "c3 reverts=c1", "c4 reverts=c2"), pairs("d1: c1", "d2: c2", "d3: c3 c4"))

    assert (figure.values["unplanned"], figure.n) == (1, 3)
    assert figure.rows["mends"].dropna().tolist() == ["d1, d2"]


def test_what_was_mended_may_lie_before_the_window() -> None:
    figure = rework(deployments("d1 03-01T23:00", "d2 03-02T01:00 hotfix=1"))

    assert (figure.values["value"], figure.n) == (1.0, 1)


def test_an_incident_that_no_deployment_mended_is_no_rework() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-03T10:00")
    figure = dora.deployment_rework_rate(made, remedies(made, incidents("i1 d1 03-02T11:00 03-02T12:00")), scope(), UTC)

    assert (figure.values["value"], figure.n) == (0.0, 2)


def test_a_hotfix_with_nothing_before_it_mends_nothing() -> None:
    assert rework(deployments("d1 03-02T10:00 hotfix=1")).values["unplanned"] == 0


def test_one_application_is_measured_by_giving_only_its_deployments() -> None:
    made = deployments("s1 03-02T10:00 of=shop", "p1 03-02T11:00 of=payments", "s2 03-02T12:00 of=shop hotfix=1")
    found, shop = remedies(made), made[made["application"] == "shop"]

    assert dora.change_fail_rate(shop, found, scope(), UTC).values["value"] == 1 / 2
    assert dora.deployment_rework_rate(shop, found, scope(), UTC).values["value"] == 1 / 2
    assert dora.failed_deployment_recovery_time(shop, found, scope(), UTC).values["p50"] == 2
    assert dora.change_fail_rate(made[made["application"] == "payments"], found, scope(), UTC).values["value"] == 0


# What the configuration says. ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "hours", "said"),
    [
        pytest.param({}, 20, {"start": "first commit", "end": "in production"}, id="from the first commit to the finish"),
        pytest.param({"lead_time_start": "opened"}, 16, {"start": "opened", "end": "in production"}, id="from opened"),
        pytest.param({"lead_time_start": "merged"}, 8, {"start": "merged", "end": "in production"}, id="from merged"),
        pytest.param({"lead_time_end": "started"}, 19, {"start": "first commit", "end": "deployment begun"}, id="to its start"),
    ],
)
def test_lead_time_has_the_ends_that_the_configuration_says(rules: dict[str, Any], hours: float, said: dict[str, str]) -> None:
    of = changes("c1 first=03-02T00:00 opened=03-02T04:00 merged=03-02T12:00", "c2 first=03-02T21:00 opened=03-02T22:00")
    made = deployments("d1 03-02T20:00").assign(started_at=at("03-02T19:00"))
    figure = dora.change_lead_time(of, made, pairs("d1: c1 c2"), scope(), UTC, rules=Dora(**rules))

    assert figure.rows[["change", "hours"]].to_numpy().tolist() == [["c1", hours]]
    assert figure.said == said
    assert set(why(figure)) == {"c2"}


def test_changes_of_some_authors_and_labels_are_left_out_and_counted() -> None:
    of = changes(*(f"c{place} first=03-02T00:00 merged=03-02T04:00" for place in range(5)))
    of = of.assign(author=["ann", "fixer[bot]", "Bo", None, "cy"], labels=[None, None, None, "bug;Dependencies", "independencies"])
    rules = Dora(exclude_authors=("b*",), exclude_bots=True, exclude_labels=("dependencies",))
    figure = dora.change_lead_time(of, deployments("d1 03-02T20:00"), pairs("d1: c0 c1 c2 c3"), scope(), UTC, rules=rules)

    assert figure.rows["change"].tolist() == ["c0"]
    assert (figure.n, figure.of) == (1, 2)
    assert why(figure) == {
        "c1": "its author is a bot",
        "c2": "its author is in [dora] exclude_authors",
        "c3": "its label dependencies is in [dora] exclude_labels",
        "c4": "merged, not in production by 2026-03-30",
    }
    assert "3 left out by [dora]" in figure.rule
    assert dora.counted(of, rules)["change"].tolist() == ["c0", "c4"]


def test_failed_runs_count_as_failures_where_the_configuration_says_so() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-03T10:00 result=failure", "d3 03-03T11:00", "d4 03-03T12:00 result=cancelled")
    figure = dora.change_fail_rate(made, remedies(made), scope(), UTC, Dora(failed_runs_count=True))

    assert (figure.values["value"], figure.values["failed"], figure.n, figure.of) == (1 / 3, 1, 3, 3)
    assert figure.rows["deployment"].tolist() == ["d1", "d2", "d3"]
    assert figure.rows["rule"].dropna().tolist() == ["the run failed"]
    assert set(why(figure)) == {"d4"}
    assert "1 of 3 production runs from 2026-03-02 to 2026-03-30 needed remediation: 1 by a failed run" in figure.rule


def test_recovery_may_begin_when_the_incident_was_opened() -> None:
    made = deployments("d1 03-02T10:00", "d2 03-03T10:00", "d3 03-03T12:00 rollback_of=d2")
    found = remedies(made, incidents("i1 d1 03-02T11:00 03-02T13:00", "i2 d1 03-02T12:00 03-02T15:00"))
    figure = dora.failed_deployment_recovery_time(made, found, scope(), UTC, Dora(recovery_start="opened"))

    assert figure.rows[["deployment", "hours"]].to_numpy().tolist() == [["d1", 4], ["d2", 2]]
    assert "from the opening of its first incident, else its finish," in figure.rule


# Nothing at all. -------------------------------------------------------------------------------------------------------


def every(made: pd.DataFrame, of: pd.DataFrame, brought: pd.DataFrame, happened: pd.DataFrame, zone: ZoneInfo) -> list[Figure]:
    found = dora.remediation(made, brought, of, happened)
    return [
        dora.deployment_frequency(made, scope(), zone),
        dora.change_lead_time(of, made, brought, scope(), zone),
        dora.change_fail_rate(made, found, scope(), zone),
        dora.failed_deployment_recovery_time(made, found, scope(), zone),
        dora.deployment_rework_rate(made, found, scope(), zone),
    ]


@pytest.mark.parametrize("place", range(5))
def test_nothing_is_no_data_and_says_so(place: int) -> None:
    figure = every(deployments(), changes(), pairs(), incidents(), UTC)[place]
    full = every(deployments("d1 03-02T10:00"), changes("c1 first=03-02T00:00"), pairs("d1: c1"), incidents(), UTC)[place]

    assert set(figure.values.values()) == {None}
    assert (figure.n, figure.of, figure.coverage) == (0, 0, None)
    assert figure.said["why"] == (
        "no successful production deployment between 2026-03-02 and 2026-03-30; no deployments are known at all"
    )
    assert figure.rows.empty
    assert figure.rows.dtypes.to_dict() == full.rows.dtypes.to_dict()


def test_nothing_has_no_parts_either() -> None:
    parts = dora.lead_time_parts(changes(), deployments(), pairs(), scope())

    assert parts["n"].tolist() == [0, 0, 0, 0]
    assert parts["p50"].isna().all()


# What must hold of every history. --------------------------------------------------------------------------------------

World = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]


@st.composite
def worlds(draw: Callable[..., Any]) -> World:
    """Some deployments in order, each with its changes, some of them mending others, and incidents on them."""
    first, step = at("02-20T00:00"), pd.Timedelta(hours=7)
    made, of, brought, happened = [], [], [], []
    for place in range(draw(st.integers(0, 12))):
        when = (first + step * draw(st.integers(0, 5)) + step * 12 * place).strftime("%m-%dT%H:%M")
        kind = draw(st.sampled_from(["", "", "hotfix=1", f"rollback_of=d{place - 1}", "result=failure", "in=staging"]))
        made.append(f"d{place} {when} of={draw(st.sampled_from(['shop', 'payments']))} {kind}")
        start = (first + step * 12 * place + pd.Timedelta(minutes=draw(st.integers(-5000, 1000)))).strftime("%m-%dT%H:%M")
        reverts = draw(st.sampled_from(["", f"reverts=c{draw(st.integers(0, max(place - 1, 0)))}"]))
        of.append(f"c{place} {draw(st.sampled_from(['', 'first=' + start]))} merged={start} {reverts}")
        brought.append(f"d{place}: c{place}")
        for number in range(draw(st.integers(0, 3))):
            resolved = draw(st.sampled_from(["", (at(when) + step).strftime("%m-%dT%H:%M")]))
            happened.append(f"i{place}-{number} d{place} {when} {resolved}")
    return deployments(*made), changes(*of), pairs(*brought), incidents(*happened)


@given(worlds())
@settings(deadline=None, max_examples=10)
def test_rates_are_shares_with_the_interval_around_them(world: World) -> None:
    _, _, failing, recovered, unplanned = every(*world, UTC)

    for figure, hits in ((failing, "failed"), (unplanned, "unplanned")):
        if figure.n:
            value, low, high = (float(figure.values[name] or 0) for name in ("value", "low", "high"))
            assert 0 <= low <= value + 1e-12
            assert value <= high + 1e-12
            assert high <= 1
            assert value * figure.n == pytest.approx(figure.values[hits])
    made, of, brought, happened = world
    runs = dora.change_fail_rate(made, dora.remediation(made, brought, of, happened), scope(), UTC, Dora(failed_runs_count=True))
    assert 0 <= (runs.values["value"] or 0) <= 1
    assert runs.of is not None
    assert runs.n <= runs.of
    failed = int(failing.values["failed"] or 0)
    assert recovered.of == failed
    assert recovered.n + len(recovered.left_out) == failed
    assert (recovered.rows["hours"] >= 0).all()


@given(worlds())
@settings(deadline=None, max_examples=10)
def test_who_counts_who_is_left_out_and_the_weeks_add_up(world: World) -> None:
    for figure in every(*world, UTC):
        ids = figure.rows.iloc[:, 0]
        assert figure.n == len(ids) == ids.nunique()
        assert not set(ids) & set(figure.left_out["id"])
        assert figure.series is not None
        assert figure.series["n"].sum() == figure.n


@given(worlds(), st.integers(0, 11), st.floats(-200, 200), st.none() | st.floats(0, 500))
@settings(deadline=None, max_examples=15)
def test_adding_an_incident_never_lowers_the_fail_rate(world: World, place: int, hours: float, lasting: float | None) -> None:
    made, of, brought, happened = world
    if made.empty:
        return
    bad = made.iloc[place % len(made)]
    when = bad["finished_at"] + pd.Timedelta(hours=hours)
    row = {"id": "new", "deployment": bad["id"], "rule": "named", "strength": "stated", "opened_at": when}
    row |= {"resolved_at": None if lasting is None else when + pd.Timedelta(hours=lasting)}
    more = pd.concat([happened, frame([row], {name: str(kind) for name, kind in happened.dtypes.items()})], ignore_index=True)
    for metric in (dora.change_fail_rate, dora.deployment_rework_rate):
        before, after = (metric(made, dora.remediation(made, brought, of, one), scope(), UTC) for one in (happened, more))
        assert after.n == before.n
        assert (after.values["value"] or 0) >= (before.values["value"] or 0)


@given(worlds(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=6)
def test_the_order_of_rows_changes_nothing(world: World, dice: Any) -> None:
    shuffled = [part.iloc[dice.sample(range(len(part)), len(part))].reset_index(drop=True) for part in world]
    made, of, brought, happened = shuffled
    for here, there in zip(every(*world, UTC), every(made, of, brought, happened, UTC), strict=True):
        assert (here.n, here.values, here.of, here.rule, here.said) == (there.n, there.values, there.of, there.rule, there.said)
        pd.testing.assert_frame_equal(here.rows, there.rows)
        assert sorted(here.left_out["id"] + here.left_out["reason"]) == sorted(there.left_out["id"] + there.left_out["reason"])


@given(worlds())
@settings(deadline=None, max_examples=6)
def test_elapsed_values_are_the_same_in_every_time_zone(world: World) -> None:
    for here, there in zip(every(*world, UTC), every(*world, ZoneInfo("Pacific/Auckland")), strict=True):
        assert here.n == there.n
        assert {**here.values, "days": None} == {**there.values, "days": None}
        pd.testing.assert_frame_equal(here.rows, there.rows)


@given(worlds(), st.integers(0, 300))
@settings(deadline=None, max_examples=6)
def test_a_deployment_to_staging_changes_nothing(world: World, hour: int) -> None:
    made, of, brought, happened = world
    when = (at("03-01T00:00") + pd.Timedelta(hours=hour)).strftime("%m-%dT%H:%M")
    more = pd.concat([made, deployments(f"new {when} in=staging hotfix=1")], ignore_index=True)

    for here, there in zip(every(*world, UTC), every(more, of, brought, happened, UTC), strict=True):
        assert (here.n, here.values, here.of, here.rule) == (there.n, there.values, there.of, there.rule)
        pd.testing.assert_frame_equal(here.rows, there.rows)
        pd.testing.assert_frame_equal(here.left_out, there.left_out)


# Other people's answers. -----------------------------------------------------------------------------------------------


def recorded(name: str) -> pd.DataFrame:
    """A table of the recorded DORA oracle (its README says where each comes from)."""
    home = os.environ.get("VSM_RECORDED_DATA")
    path = Path(home or "", "dora_oracle", name)
    if not home or not path.is_file():
        pytest.skip(f"no dora_oracle/{name}: VSM_RECORDED_DATA {'is not set' if not home else 'has none'}")
    return pd.read_csv(path, dtype="str")


def test_medians_are_devlakes_and_not_interpolated() -> None:
    """DevLake's greatest value with percent_rank ≤ 0.5 is the lower median, ties or not: the value of nearest rank."""
    interpolated = []
    for case in recorded("medians/medians_expected.csv").dropna(subset="values").itertuples():
        spans = [int(value) for value in case.values.split(";")]
        if min(spans) < 0:
            continue
        starts = [at("03-29T00:00") - pd.Timedelta(hours=span) for span in spans]
        of = frame([{"change": f"c{place}", "first_commit_at": start} for place, start in enumerate(starts)], CHANGE)
        brought = pairs("d1: " + " ".join(of["change"]))
        p50 = dora.change_lead_time(of, deployments("d1 03-29T00:00"), brought, scope(), UTC).values["p50"]

        assert p50 == float(case.devlake_percent_rank_median), case.case_id
        assert p50 in spans
        interpolated += [case.case_id] if p50 != float(case.percentile_cont_p50) else []
    assert interpolated == ["m2", "m6", "m8", "m9", "m12", "m14", "m17"]


def test_totals_and_weeks_of_deployments_are_middlewares() -> None:
    told = recorded("middleware/deployment_frequency_deployments.csv")
    weekly = recorded("middleware/deployment_frequency_weekly_expected.csv")
    for case in recorded("middleware/deployment_frequency_expected.csv").itertuples():
        times = told.loc[told["case_id"] == case.case_id, "conducted_at"].sort_values()
        known = deployments("d0 2020-01-01T00:00", *(f"d{place} {time[:19]}" for place, time in enumerate(times, 1)))
        window = Scope(at(case.interval_from[:19]), at(case.interval_to[:19]))
        figure = dora.deployment_frequency(known, window, UTC)

        assert figure.n == int(case.total_deployments), case.case_id
        assert figure.series is not None
        expected = weekly[weekly["case_id"] == case.case_id]
        found = figure.series.assign(week=figure.series["week"].dt.strftime("%Y-%m-%d")).set_index("week")["n"]
        if len(expected):
            assert found.to_dict() == dict(
                zip(expected["week_start_monday_utc"], expected["deployments"].astype("int64"), strict=True)
            )


def test_fail_rates_of_the_same_links_are_middlewares() -> None:
    told = recorded("middleware/deployment_incident_deployments.csv")
    links = recorded("middleware/deployment_incident_map_expected.csv")
    for case in recorded("middleware/change_failure_rate_expected.csv").itertuples():
        mine, linked = told[told["case_id"] == case.case_id], links[links["case_id"] == case.case_id]
        mine = mine.sort_values("conducted_at")
        made = deployments(*(f"{row.deployment_id} {row.conducted_at[:19]}" for row in mine.itertuples()))
        happened = incidents(*(f"{row.incident_id} {row.deployment_id} 03-01T00:00" for row in linked.fillna("-").itertuples()))
        figure = dora.change_fail_rate(made, remedies(made, happened), scope("2020-01-01T00:00", "2030-01-01T00:00"), UTC)

        assert (figure.n, int(figure.values["failed"] or 0)) == (int(case.total_deployments), int(case.failed_deployments))
        if figure.n:
            assert 100 * float(figure.values["value"] or 0) == pytest.approx(float(case.change_failure_rate_percent), abs=0.1)
        else:
            assert figure.values["value"] is None
