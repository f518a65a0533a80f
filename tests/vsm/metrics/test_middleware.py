"""middleware's own cases give middleware's own answers under its preset; what it calls -1 or 0 is missing here."""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import pytest

from vsm.frames import TIME
from vsm.metrics import middleware, middleware_runs
from vsm.metrics.middleware_runs import RUNS
from vsm.scope import Scope

Rows = list[dict[str, str]]


def at(text: str | None) -> pd.Timestamp | None:
    return pd.Timestamp(text).tz_convert("UTC").as_unit("us") if text else None


def frame(rows: Iterable[dict], kinds: dict[str, str]) -> pd.DataFrame:
    rows = list(rows)
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in kinds.items()})


CHANGE = {
    **dict.fromkeys(("change", "kind", "repository", "title", "url", "application", "author", "branch", "target_branch"), "str"),
    **dict.fromkeys(("first_commit_at", "opened_at", "ready_at", "merged_at"), TIME),
}
REVIEW = {"change": "str", "at": TIME, "by": "str", "state": "str"}
INCIDENT = {"id": "str", "opened_at": TIME, "resolved_at": TIME}
EVER = Scope(at("2000-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z"))


@pytest.fixture(name="table")
def _table(recorded: Path) -> Callable[[str], Rows]:
    def read(name: str) -> Rows:
        with (recorded / "dora_oracle" / "middleware" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return read


def by_case(rows: Rows) -> dict[str, Rows]:
    found: dict[str, Rows] = defaultdict(list)
    for row in rows:
        found[row["case_id"]].append(row)
    return found


def runs(rows: Rows, key: str = "deployment_id") -> pd.DataFrame:
    told = [
        {"deployment": row[key], "application": "shop", "repository": "shop", "branch": "main", "result": "success",
         "conducted_at": at(row["conducted_at"])}
        for row in rows
    ]  # fmt: skip
    return frame(told, RUNS)


def incidents(rows: Rows, key: str = "incident_id") -> pd.DataFrame:
    return frame(
        ({"id": row[key], "opened_at": at(row["creation_date"]), "resolved_at": at(row.get("resolved_date"))} for row in rows),
        INCIDENT,
    )


def weekly(figure: middleware.Figure, *columns: str) -> list[tuple]:
    return [(f"{row['week']:%Y-%m-%d}", *(row[name] for name in columns)) for row in figure.series.to_dict("records")]


# Its own cases. --------------------------------------------------------------------------------------------------------


def test_every_frequency_is_middleware_s_rounded_down_as_it_is(table: Callable) -> None:
    made, by_week = by_case(table("deployment_frequency_deployments")), by_case(table("deployment_frequency_weekly_expected"))
    cases = table("deployment_frequency_expected")

    assert len(cases) == 11
    for case in cases:
        window = Scope(at(case["interval_from"]), at(case["interval_to"]))
        figure = middleware.deployment_frequency(runs(made[case["case_id"]], "deployment_no"), window)
        assert figure.n == int(case["total_deployments"]), case
        names = {"per_day": "daily_floor", "per_week": "weekly_floor_adjusted", "per_month": "monthly_floor_adjusted"}
        if figure.n:
            assert {name: figure.values[name] for name in names} == {name: float(case[told]) for name, told in names.items()}, case
            assert weekly(figure, "n") == [
                (row["week_start_monday_utc"], int(row["deployments"])) for row in by_week[case["case_id"]]
            ], case
        else:
            assert case["case_id"] == "df_none"
            assert set(figure.values.values()) == {None}, "middleware says 0; nothing is known"


def test_every_incident_is_laid_to_middleware_s_deployment(table: Callable) -> None:
    made = by_case(table("deployment_incident_deployments"))
    happened = by_case(table("deployment_incident_incidents"))
    told = table("deployment_incident_map_expected")
    found = {}
    for case, rows in happened.items():
        some = incidents(rows)
        links = middleware_runs.incident_links(runs(made[case]), some)
        found |= {(case, key): link for key, link in zip(some["id"], links.astype(object).where(links.notna(), ""), strict=True)}

    assert len(told) == 54
    assert found == {(row["case_id"], row["incident_id"]): row["deployment_id"] for row in told}


def test_every_failure_rate_is_middleware_s(table: Callable) -> None:
    made = by_case(table("deployment_incident_deployments"))
    happened = by_case(table("deployment_incident_incidents"))
    cases = table("change_failure_rate_expected")

    assert len(cases) == 16
    for case in cases:
        key = case["case_id"]
        figure = middleware.change_fail_rate(runs(made[key]), incidents(happened[key]), EVER)
        n = int(case["total_deployments"])
        value = float(case["change_failure_rate_percent"]) / 100 if n else None  # middleware says 0 % of nothing
        assert figure.n == n, case
        assert figure.values["failed"] == (float(case["failed_deployments"]) if n else None), case
        assert figure.values["value"] == (pytest.approx(value) if n else None), case


def test_its_weekly_failures_are_middleware_s(table: Callable) -> None:
    told = table("change_failure_rate_weekly_expected")
    made = by_case(table("deployment_incident_deployments"))["ci_weekly"]
    happened = by_case(table("deployment_incident_incidents"))["ci_weekly"]
    window = Scope(at("2024-01-01T00:00:00Z"), at("2024-01-25T00:00:00Z"))

    assert weekly(middleware.change_fail_rate(runs(made), incidents(happened), window), "failed", "n") == [
        (row["week_start_monday_utc"], int(row["failed_deployments"]), int(row["total_deployments"])) for row in told
    ]


def test_every_recovery_is_middleware_s_also_by_week_of_resolution(table: Callable) -> None:
    happened, by_week = by_case(table("mttr_incidents")), by_case(table("mttr_weekly_expected"))
    cases = table("mttr_expected")

    assert len(cases) == 5
    for case in cases:
        key = case["case_id"]
        window = Scope(at(case["interval_from"]), at(case["interval_to"]))
        figure = middleware.failed_deployment_recovery_time(incidents(happened[key], "incident_no"), window)
        told = case["mean_time_to_recovery_seconds"]
        assert figure.n == int(case["incident_count"]), case
        assert figure.values["mean"] == (pytest.approx(float(told) / 3600) if told else None), case
        ours = [
            (week, n, None if pd.isna(hours) else pytest.approx(hours * 3600)) for week, n, hours in weekly(figure, "n", "mean")
        ]
        assert ours == [
            (
                week,
                int(row["incident_count"]),
                float(row["mean_time_to_recovery_seconds"]) if row["incident_count"] != "0" else None,
            )
            for row in by_week[key]
            for week in [row["week_start_monday_utc_by_resolved_date"]]
        ], case


def change(row: dict[str, str]) -> dict:
    ready = sorted(filter(None, row["ready_for_review_at"].split(";")))
    merged = row["state_changed_at"] if row["state"] == "MERGED" else None
    return {
        "change": row["case_id"], "kind": "pull_request", "opened_at": at(row["created_at"]), "merged_at": at(merged),
        "first_commit_at": at(row["first_commit_at"]), "ready_at": at(ready[0] if ready else row["created_at"]),
    }  # fmt: skip


def test_every_review_case_is_middleware_s(table: Callable) -> None:
    cases = table("pr_performance_expected")
    reviews = frame(
        (
            {"change": row["case_id"], "at": at(row["created_at"]), "by": row["reviewer"], "state": row["state"]}
            for row in table("pr_performance_reviews")
        ),
        REVIEW,
    )
    ours = middleware_runs.performance(frame(map(change, cases), CHANGE), reviews).set_index("change")
    names = {
        "first_response": "first_review_time_s", "rework": "rework_time_s", "merge": "merge_time_s", "cycle": "cycle_time_s",
        "first_commit_to_open": "first_commit_to_open_s_raw",
    }  # fmt: skip

    assert len(cases) == 15
    for case in cases:
        row = ours.loc[case["case_id"]]
        for name, column in names.items():
            told = None if case[column] in ("-1", "") else float(case[column])
            value = None if pd.isna(row[name]) else row[name] * 3600
            if name == "cycle" and case["state"] == "OPEN":
                assert value is None
            else:
                assert value == (None if told is None else pytest.approx(told)), (case["case_id"], name)


def test_every_round_of_rework_is_middleware_s(table: Callable) -> None:
    start = pd.Timestamp("2024-03-04", tz="UTC")
    cases = table("rework_cycles_expected")

    assert len(cases) == 7
    for case in cases:
        told = [one.split(":") for one in case["reviews_sec_state_user"].split(";")]
        reviews = frame(
            ({"at": start + pd.Timedelta(seconds=int(second)), "by": user, "state": state} for second, state, user in told), REVIEW
        )
        commits = [start + pd.Timedelta(seconds=int(second)) for second in case["commits_sec"].split(";")]
        assert middleware_runs.rework_cycles(reviews, commits, case["reviewers"].split(";"), None) == int(case["rework_cycles"]), (
            case
        )


def test_every_run_carries_middleware_s_pull_requests(table: Callable) -> None:
    requests = by_case(table("deployment_pr_mapper_prs"))
    cases = table("deployment_pr_mapper_expected")

    assert len(cases) == 11
    for case in cases:
        pulls = frame(
            (
                {
                    "change": row["pr_id"], "branch": row["head_branch"], "target_branch": row["base_branch"],
                    "merged_at": at(row["state_changed_at"]) if row["state"] == "MERGED" else None,
                }
                for row in requests[case["case_id"]]
            ),
            CHANGE,
        )  # fmt: skip
        found = middleware_runs.carried(pulls, case["deploy_branch"], at(case["conducted_at"]))
        assert sorted(found) == sorted(filter(None, case["pr_ids_deployed"].split(";"))), case


def test_every_name_is_a_bot_s_or_not_as_middleware_has_it(table: Callable) -> None:
    told = table("bot_names_expected")
    assert len(told) == 36
    assert {row["username"]: middleware_runs.is_bot(row["username"]) for row in told} == {
        row["username"]: row["is_bot"] == "1" for row in told
    }


def test_every_branch_takes_back_what_middleware_says(table: Callable) -> None:
    told = table("revert_branch_expected")
    assert len(told) == 10
    assert {row["head_branch"]: middleware_runs.reverted(row["head_branch"]) for row in told} == {
        row["head_branch"]: int(row["reverted_pr_number"]) if row["reverted_pr_number"] else None for row in told
    }


def test_every_lead_time_is_middleware_s_sum_of_weighted_means(table: Callable) -> None:
    inputs = by_case(table("lead_time_inputs"))
    cases = table("lead_time_expected")

    assert len(cases) == 3
    for case in cases:
        rows = pd.DataFrame(inputs[case["case_id"]])[[*middleware.PARTS_NAMED, "pr_count"]].astype("float64")
        parts = rows.rename(columns=middleware.PARTS_NAMED)
        means = middleware.mean_parts(parts, rows["pr_count"])
        assert means == {ours: pytest.approx(float(case[theirs])) for theirs, ours in middleware.PARTS_NAMED.items()}
        assert sum(means.values()) == pytest.approx(float(case["lead_time"]))


def test_the_plain_mean_is_middleware_s(recorded: Path) -> None:
    with (recorded / "dora_oracle" / "medians" / "medians_expected.csv").open(encoding="utf-8", newline="") as file:
        cases = list(csv.DictReader(file))
    for case in cases:
        values = [float(one) for one in case["values"].split(";") if one]
        start = pd.Timestamp("2024-03-04", tz="UTC")
        some = frame(
            (
                {"id": str(place), "opened_at": start, "resolved_at": start + pd.Timedelta(minutes=value)}
                for place, value in enumerate(values)
            ),
            INCIDENT,
        )
        mean = middleware.failed_deployment_recovery_time(some, EVER).values["mean"]
        assert mean == (pytest.approx(float(case["middleware_mean"]) / 60, rel=1e-6) if values else None), case["case_id"]


# Its habits. -----------------------------------------------------------------------------------------------------------


def pulls(*lines: str) -> pd.DataFrame:
    """`1 feature>main opened merged [first=…]`: pull request 1 of the shop."""
    rows = []
    for line in lines:
        (number, way, opened, merged), told = line.split()[:4], dict(word.split("=") for word in line.split()[4:])
        head, _, base = way.partition(">")
        rows.append({
            "change": f"shop#{number}", "kind": "pull_request", "repository": "shop", "application": "shop", "branch": head,
            "target_branch": base, "opened_at": at(opened), "ready_at": at(opened), "merged_at": at(merged),
            "first_commit_at": at(told.get("first", opened)),
        })  # fmt: skip
    return frame(rows, CHANGE)


NOBODY = frame([], REVIEW)
MARCH = Scope(at("2026-03-02T00:00Z"), at("2026-03-29T23:59Z"))


def run(*lines: str) -> pd.DataFrame:
    """`r1 when [result]`: a run of the shop's main branch."""
    told = [[*line.split(), "success"][:3] for line in lines]
    about = {"application": "shop", "repository": "shop", "branch": "main"}
    return frame(({"deployment": key, "conducted_at": at(when), "result": result, **about} for key, when, result in told), RUNS)


def test_a_run_is_a_failure_whatever_kept_it_from_success_and_counts_below_the_line() -> None:
    made = run("r1 2026-03-02T10:00Z", "r2 2026-03-03T10:00Z cancelled", "r3 2026-03-04T10:00Z skipped")
    happened = incidents([{"incident_id": "i1", "creation_date": "2026-03-03T11:00Z"}])
    rate = middleware.change_fail_rate(made, happened, MARCH)

    assert rate.rows.loc[rate.rows["failed"], "deployment"].tolist() == ["r2"]
    assert (rate.values["value"], rate.n) == (pytest.approx(1 / 3), 3)
    assert middleware.deployment_frequency(made, MARCH).n == 1


def test_a_request_merged_without_approval_waits_for_nothing() -> None:
    changes = pulls("1 a>main 2026-03-02T00:00Z 2026-03-12T00:00Z")
    figure = middleware.change_lead_time(changes, NOBODY, run("r1 2026-03-12T01:00Z"), MARCH)
    assert figure.values["mean"] == 1.0, "ten days open count as nothing"


def test_a_request_is_of_the_first_successful_run_after_its_merge_and_counts_by_its_merge() -> None:
    changes = pulls("1 a>main 2026-03-01T00:00Z 2026-03-01T12:00Z", "2 b>main 2026-03-02T00:00Z 2026-03-03T00:00Z",
                    "3 c>next 2026-03-02T00:00Z 2026-03-03T00:00Z")  # fmt: skip
    made = run("r0 2026-03-03T01:00Z failure", "r1 2026-03-03T02:00Z", "r2 2026-03-04T00:00Z")
    figure = middleware.change_lead_time(changes, NOBODY, made, MARCH)

    assert figure.rows[["change", "deployment", "hours"]].values.tolist() == [["shop#2", "r1", 2.0]]
    assert dict(figure.left_out.values.tolist()) == {"shop#3": middleware.NO_RUN}
    why = dict(middleware.why_not(changes, middleware_runs.shipments(changes, made), MARCH).values.tolist())
    assert why == {"shop#1": middleware.ELSEWHEN, "shop#3": middleware.NO_RUN}


def test_a_revert_s_branch_makes_an_incident_of_what_it_takes_back() -> None:
    changes = pulls("7 a>main 2026-03-02T00:00Z 2026-03-03T00:00Z", "8 revert-7-a>main 2026-03-03T05:00Z 2026-03-03T06:00Z",
                    "9 revert-99-b>main 2026-03-03T05:00Z 2026-03-03T06:00Z")  # fmt: skip
    every = middleware_runs.incidents_of(incidents([{"incident_id": "i1", "creation_date": "2026-03-04T00:00Z"}]), changes)

    assert every["id"].tolist() == ["i1", "revert of shop#7"]
    figure = middleware.failed_deployment_recovery_time(every, MARCH)
    assert figure.values["mean"] == 6.0
    assert dict(figure.left_out.values.tolist()) == {"i1": "not resolved"}


def test_a_run_of_a_tag_is_taken_for_one_of_the_branch_most_is_merged_into() -> None:
    kinds = {**dict.fromkeys(("id", "application", "repository", "ref", "result"), "str"), "production": "bool",
             "started_at": TIME, "finished_at": TIME}  # fmt: skip
    about = {"application": "shop", "repository": "shop", "result": "success", "production": True}
    made = frame(
        [
            {"id": "d1", "ref": "v1.0", "started_at": at("2026-03-02T10:00Z"), "finished_at": at("2026-03-02T11:00Z"), **about},
            {"id": "d2", "ref": "release", "finished_at": at("2026-03-02T12:00Z"), **about},
            {"id": "d3", "ref": "main", "finished_at": at("2026-03-02T13:00Z"), **about, "production": False},
        ],
        kinds,
    )
    day = "2026-03-01T00:00Z"
    changes = pulls(f"1 a>main {day} {day}", f"2 b>main {day} {day}", f"3 main>release {day} {day}")

    told = middleware_runs.runs_of(made, changes)
    assert told[["deployment", "branch"]].values.tolist() == [["d1", "main"], ["d2", "release"]]
    assert told["conducted_at"].tolist() == [at("2026-03-02T10:00Z"), at("2026-03-02T12:00Z")]


def test_no_data_is_missing_where_middleware_shows_0_and_elite() -> None:
    figures = [
        middleware.change_lead_time(pulls(), NOBODY, run(), MARCH),
        middleware.deployment_frequency(run(), MARCH),
        middleware.change_fail_rate(run(), incidents([]), MARCH),
        middleware.failed_deployment_recovery_time(incidents([]), MARCH),
        middleware.deployment_rework_rate(),
    ]
    for figure in figures:
        assert set(figure.values.values()) == {None}, figure.name
        assert figure.said["why"], figure.name
    assert [figure.said.get("label") for figure in figures] == ["elite", "low", "elite", "elite", None]
