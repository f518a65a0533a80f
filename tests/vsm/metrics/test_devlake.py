"""DevLake's own fixtures give DevLake's own answers under its preset; its habits are kept, and named."""

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.frames import TIME
from vsm.graph import CommitGraph
from vsm.metrics import devlake
from vsm.metrics.devlake_deployments import (
    COMMITS,
    brought,
    deployment_commits,
    deployments_of,
    deployments_of_runs,
    incident_links,
    previous,
)
from vsm.scope import Scope

PROJECT = "project1"


def at(text: str | None) -> pd.Timestamp | None:
    """A time of the fixtures: not padded, with or without a zone, or none."""
    if not text:
        return None
    told = pd.to_datetime(text, utc=True, format="mixed")
    return told.as_unit("us")


def frame(rows: list[dict], kinds: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in kinds.items()})


def scope(start: str, end: str) -> Scope:
    return Scope(at(start), at(end))


@pytest.fixture(name="table")
def _table(recorded: Path) -> Callable[[str], list[dict[str, str | None]]]:
    """A table of the fixtures as rows; an empty cell is missing."""

    def read(name: str) -> list[dict[str, str | None]]:
        with (recorded / "dora_oracle" / "devlake" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]

    return read


def of_project(mapping: list[dict], kind: str) -> set[str]:
    return {row["row_id"] for row in mapping if row["table"] == kind and row["project_name"] == PROJECT}


def commits_of(rows: list[dict], mapping: list[dict]) -> pd.DataFrame:
    """Deployment commits of the project as our frame: an application is a scope, a repository its address."""
    scopes = of_project(mapping, "cicd_scopes")
    told = [
        {
            "id": row["id"], "deployment": row["cicd_deployment_id"], "application": row["cicd_scope_id"],
            "repository": row["repo_url"], "environment": row["environment"], "result": row["result"].lower(),
            "sha": row["commit_sha"], "production": row["environment"] == "PRODUCTION", "started_at": at(row["started_date"]),
            "finished_at": at(row.get("finished_date") or row["started_date"]),
        }
        for row in rows
        if row["cicd_scope_id"] in scopes
    ]  # fmt: skip
    return frame(told, COMMITS)


CHANGE = {
    **dict.fromkeys(("change", "kind", "title", "repository", "url", "application", "author", "sha"), "str"),
    **dict.fromkeys(("first_commit_at", "opened_at", "merged_at"), TIME),
}


@pytest.fixture(name="led")
def _led(table: Callable) -> tuple[pd.DataFrame, ...]:
    """changes, said, commits, news of the lead time's fixture."""
    mapping = table("change_lead_time/project_mapping")
    first: dict[str, pd.Timestamp] = {}
    for row in table("change_lead_time/pull_request_commits"):
        when = at(row["commit_authored_date"])
        first[row["pull_request_id"]] = min(first.get(row["pull_request_id"], when), when)
    repositories = of_project(mapping, "repos")
    changes = [
        {
            "change": row["id"], "kind": "pull_request", "author": row["author_id"], "sha": row["merge_commit_sha"],
            "first_commit_at": first.get(row["id"]), "opened_at": at(row["created_date"]), "merged_at": at(row["merged_date"]),
        }
        for row in table("change_lead_time/pull_requests")
        if row["base_repo_id"] in repositories
    ]  # fmt: skip
    said = [
        {"change": row["pull_request_id"], "at": at(row["created_date"]), "by": row["account_id"]}
        for row in table("change_lead_time/pull_request_comments")
    ]
    commits = commits_of(table("change_lead_time/cicd_deployment_commits"), mapping)
    news = [
        {"old": row["old_commit_sha"], "new": row["new_commit_sha"], "sha": row["commit_sha"]}
        for row in table("change_lead_time/commits_diffs")
    ]
    return (
        frame(changes, CHANGE),
        frame(said, {"change": "str", "at": TIME, "by": "str"}),
        commits,
        frame(news, dict.fromkeys(("old", "new", "sha"), "str")),
    )


# Its own fixtures. -----------------------------------------------------------------------------------------------------


def test_the_six_lead_times_are_devlake_s_to_the_minute(table: Callable, led: tuple) -> None:
    said = {}
    for row in table("change_lead_time/pull_request_comments"):
        said.setdefault((row["pull_request_id"], at(row["created_date"])), row["id"])
    expected = {
        row["id"]: (
            at(row["first_commit_authored_date"]), row["first_review_id"], row["deployment_commit_id"], at(row["pr_deployed_date"]),
            *(int(row[name]) if row[name] else None for name in MINUTES),
        )
        for row in table("change_lead_time/project_pr_metrics")
    }  # fmt: skip
    ours = devlake.lead_times(*led)
    ours = ours.astype(object).where(ours.notna(), None)

    assert len(expected) == 6
    assert {
        row["change"]: (
            row["first_commit_at"], said.get((row["change"], row["first_said_at"])), row["deployment_commit"], row["deployed_at"],
            *(row[name] for name in ("coding", "pickup", "review", "deploy", "cycle")),
        )
        for row in ours.to_dict("records")
    } == expected  # fmt: skip


MINUTES = ("pr_coding_time", "pr_pickup_time", "pr_review_time", "pr_deploy_time", "pr_cycle_time")


def test_the_seven_deployments_before_are_devlake_s(table: Callable) -> None:
    folder = "prev_success_deployment_commit"
    mapping = table(f"{folder}/project_mapping")
    before = commits_of(table(f"{folder}/cicd_deployment_commits_before"), mapping)
    told = dict(zip(before["id"], previous(before).astype(object).where(previous(before).notna(), None), strict=True))
    after = {row["id"]: row["prev_success_deployment_commit_id"] for row in table(f"{folder}/cicd_deployment_commits_after")}

    assert {key: value for key, value in told.items() if value} == {key: value for key, value in after.items() if value}
    assert len([value for value in after.values() if value]) == 7
    assert set(told) | {"14", "15", "16"} == set(after)  # those of another project


def incidents_of(rows: list[dict], mapping: list[dict]) -> pd.DataFrame:
    mine = {kind: of_project(mapping, kind) for kind in ("repos", "boards")}
    told = [
        {"id": row["id"], "opened_at": at(row["created_date"]), "resolved_at": at(row["updated_date"])}
        for row in rows
        if row["scope_id"] in mine[row["table"]]
    ]
    return frame(told, {"id": "str", "opened_at": TIME, "resolved_at": TIME})


@pytest.fixture(name="happened")
def _happened(table: Callable) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = "connect_incident_to_deployment"
    mapping = table(f"{folder}/raw_tables/project_mapping")
    commits = commits_of(table(f"{folder}/prev_success_deployment_commit/cicd_deployment_commits_after"), mapping)
    return commits, incidents_of(table(f"{folder}/raw_tables/incidents"), mapping)


def test_the_six_incidents_are_laid_to_devlake_s_deployments(table: Callable, happened: tuple) -> None:
    commits, incidents = happened
    told = table("connect_incident_to_deployment/snapshot_tables/project_incident_deployment_relationships")

    assert len(told) == 6
    assert dict(zip(incidents["id"], incident_links(commits, incidents), strict=True)) == {
        row["id"]: row["deployment_id"] for row in told
    }


def test_the_six_generated_deployments_are_devlake_s(table: Callable) -> None:
    scopes = of_project(table("deployment_generator/project_mapping"), "cicd_scopes")
    runs = frame(
        [
            {
                "id": row["id"], "application": row["cicd_scope_id"], "result": row["result"].lower(),
                "environment": row["environment"],
                "deploys": row["type"] == "DEPLOYMENT", "finished_at": at(row["finished_date"]),
                "seconds": float(row["duration_sec"]),
            }
            for row in table("deployment_generator/cicd_pipelines") if row["cicd_scope_id"] in scopes
        ],
        {**dict.fromkeys(("id", "application", "result", "environment"), "str"), "deploys": "bool", "started_at": TIME,
         "finished_at": TIME, "seconds": "float64"},
    )  # fmt: skip
    code = frame(
        [
            {"run": row["pipeline_id"], "repository": row["repo_url"], "sha": row["commit_sha"]}
            for row in table("deployment_generator/cicd_pipeline_commits")
        ],
        dict.fromkeys(("run", "repository", "sha"), "str"),
    )
    jobs = frame(
        [
            {"run": row["pipeline_id"], "result": row["result"].lower(), "deploys": row["type"] == "DEPLOYMENT",
             "environment": row["environment"]}
            for row in table("deployment_generator/cicd_tasks")
        ],
        {"run": "str", "result": "str", "deploys": "bool", "environment": "str"},
    )  # fmt: skip
    expected = {
        row["id"]: (
            row["commit_sha"],
            row["cicd_deployment_id"],
            row["result"].lower(),
            row["environment"],
            at(row["started_date"]),
        )
        for row in table("deployment_generator/cicd_deployment_commits")
    }

    made = deployments_of_runs(runs, code, jobs)
    made = made.astype(object).where(made.notna(), None)

    assert len(expected) == 6
    assert {
        row["id"]: (row["sha"], row["deployment"], row["result"], row["environment"], row["started_at"])
        for row in made.to_dict("records")
    } == expected


def test_the_five_new_commits_are_devlake_s_in_its_order(table: Callable) -> None:
    folder = "refdiff_deployment_commit_diff"
    parents: dict[str, list[str]] = {row["commit_sha"]: [] for row in table(f"{folder}/repo_commits")}
    for row in table(f"{folder}/commit_parents"):
        parents[row["commit_sha"]].append(row["parent_commit_sha"])
    graph = CommitGraph({sha: tuple(before) for sha, before in parents.items()})
    commits = commits_of(table(f"{folder}/cicd_deployment_commits"), table(f"{folder}/project_mapping"))
    news = brought(commits, {"REPO111": graph})
    news = news.astype(object).where(news.notna(), None)

    assert [
        {"new_commit_sha": row["new"], "old_commit_sha": row["old"], "commit_sha": row["sha"], "sorting_index": str(row["place"])}
        for row in news.to_dict("records")
    ] == table(f"{folder}/commits_diffs")


def panels(table: Callable, fixture: str) -> dict[tuple[str, str], str]:
    """What DevLake's dashboard said, by panel and window's start."""
    told = table("dashboard_on_fixtures_expected")
    assert all(len(row) == 5 for row in told)
    return {
        (row["panel_2023_report"], row["window_from"], row["window_to"]): row["value"] for row in told if row["fixture"] == fixture
    }


def test_the_dashboard_s_panels_say_of_the_lead_time_s_fixture_what_ours_say(table: Callable, led: tuple) -> None:
    told = panels(table, "change_lead_time")
    assert len(told) == 4
    for (panel, start, end), value in told.items():
        window = scope(start, end)
        if panel == "median_lead_time_hours":
            figure = devlake.change_lead_time(*led, window)
            assert figure.values["p50"] == 4478 / 60
            assert f"{figure.values['p50']:.1f}" == value.partition("(")[0]
            assert figure.said["label"].partition("(")[2] == value.partition("(")[2]
            assert figure.n == 3
        else:
            assert devlake.deployment_frequency(led[2], window).said["label"] == value


def test_the_dashboard_s_panels_say_of_the_incidents_fixture_what_ours_say(table: Callable, happened: tuple) -> None:
    told = panels(table, "connect_incident_to_deployment")
    assert len(told) == 4
    for (panel, start, end), value in told.items():
        window = scope(start, end)
        metric = {
            "change_failure_rate": devlake.change_fail_rate(*happened, window),
            "deployment_frequency": devlake.deployment_frequency(happened[0], window),
        }[panel]
        assert metric.said["label"] == value
    rate = devlake.change_fail_rate(*happened, scope("2022-09-01", "2022-12-31 23:59:59"))
    assert (rate.values["value"], rate.values["failed"], rate.n) == (0.4, 2, 5)


def test_the_lower_median_is_devlake_s_ties_and_all(recorded: Path) -> None:
    with (recorded / "dora_oracle" / "medians" / "medians_expected.csv").open(encoding="utf-8", newline="") as file:
        cases = list(csv.DictReader(file))

    told = {row["case_id"]: devlake.lower_median([float(one) for one in row["values"].split(";") if one]) for row in cases}

    assert len(cases) == 17
    assert told == {
        row["case_id"]: float(row["devlake_percent_rank_median"]) if row["devlake_percent_rank_median"] else None for row in cases
    }


# Its habits. -----------------------------------------------------------------------------------------------------------


def commits(*lines: str) -> pd.DataFrame:
    """`d1 2026-03-02T10:00 [sha=a] [of=shop] [repo=shop] [in=production] [result=success] [began=…] [deployment=…]`."""
    rows = []
    for line in lines:
        (key, when), told = line.split()[:2], dict(word.split("=", 1) for word in line.split()[2:])
        where = told.get("in", "production")
        rows.append({
            "id": key, "deployment": told.get("deployment", key), "application": told.get("of", "shop"),
            "repository": told.get("repo", "shop"), "environment": where, "result": told.get("result", "success"),
            "sha": told.get("sha", key), "production": where.startswith("prod"), "started_at": at(told.get("began", when)),
            "finished_at": at(when),
        })  # fmt: skip
    return frame(rows, COMMITS)


def incidents(*lines: str) -> pd.DataFrame:
    """`i1 opened [resolved]`."""
    told = [[*line.split(), None][:3] for line in lines]
    return frame(
        [{"id": key, "opened_at": at(opened), "resolved_at": at(resolved)} for key, opened, resolved in told],
        {"id": "str", "opened_at": TIME, "resolved_at": TIME},
    )


def pulls(*lines: str) -> pd.DataFrame:
    """`c1 first opened merged [sha=…]`; `-` is no time."""
    rows = []
    for line in lines:
        (key, *times), told = [w for w in line.split() if "=" not in w], dict(w.split("=") for w in line.split() if "=" in w)
        first, opened, merged = (at(None if time == "-" else time) for time in times)
        about = {"kind": told.get("kind", "pull_request"), "sha": told.get("sha", key), "author": "ann"}
        rows.append({"change": key, "first_commit_at": first, "opened_at": opened, "merged_at": merged, **about})
    return frame(rows, CHANGE)


def news(*lines: str) -> pd.DataFrame:
    """`a..b x y`: b has x and y, a has not; `..b x` of a first deployment."""
    rows = []
    for line in lines:
        pair, *shas = line.split()
        old, _, new = pair.partition("..")
        rows += [{"old": old or None, "new": new, "sha": sha} for sha in shas]
    return frame(rows, dict.fromkeys(("old", "new", "sha"), "str"))


NOBODY = frame([], {"change": "str", "at": TIME, "by": "str"})
MARCH = scope("2026-03-02", "2026-03-29 23:59:59")


def test_an_incident_of_the_very_instant_belongs_to_the_deployment_before() -> None:
    shipped = commits("d1 2026-03-02T10:00", "d2 2026-03-03T10:00")
    links = incident_links(shipped, incidents("i1 2026-03-03T10:00", "i2 2026-03-03T10:01", "i3 2026-03-02T10:00"))
    assert links.astype(object).where(links.notna(), None).tolist() == ["d1", "d2", None]


def test_an_incident_is_laid_to_any_application_however_long_ago() -> None:
    shipped = commits("d1 2020-03-02T10:00 of=till")
    assert incident_links(shipped, incidents("i1 2026-03-03T10:00")).tolist() == ["d1"]


def test_a_deployment_ends_with_its_last_commit_but_an_incident_sees_each() -> None:
    shipped = commits("a 2026-03-02T10:00 deployment=d1", "b 2026-03-02T14:00 deployment=d1 repo=till")
    happened = incidents("i1 2026-03-02T11:00 2026-03-02T13:00")
    figure = devlake.failed_deployment_recovery_time(shipped, happened, MARCH)

    assert deployments_of(shipped)["deployed_at"].tolist() == [at("2026-03-02T14:00")]
    assert figure.values["p50"] == -1.0, "DevLake can say that it recovered before it failed"


def test_the_first_deployment_carries_no_lead_time_and_says_so() -> None:
    changes = pulls("c1 2026-03-01 2026-03-02 2026-03-02", "c2 2026-03-03 2026-03-04 2026-03-05", "c3 - - 2026-03-05 kind=commit")
    shipped = commits("d1 2026-03-03T10:00", "d2 2026-03-06T10:00")
    figure = devlake.change_lead_time(changes, NOBODY, shipped, news("..d1 c1", "d1..d2 c2 c3"), MARCH)

    assert figure.rows[["change", "hours"]].values.tolist() == [["c2", 82.0]]
    assert dict(figure.left_out.values.tolist()) == {"c1": devlake.FIRST, "c3": devlake.PUSHED}
    assert (figure.n, figure.of) == (1, 3)


def test_a_change_is_of_the_deployment_that_began_first_whenever_it_finished() -> None:
    shipped = commits(
        "d1 2026-03-02T10:00", "d2 2026-03-09T10:00 began=2026-03-04T10:00", "d3 2026-03-10T09:00 began=2026-03-03T11:00"
    )
    changes = pulls("c1 2026-03-01 2026-03-02 2026-03-03")
    assert devlake.lead_times(changes, NOBODY, shipped, news("d1..d2 c1", "d2..d3 c1"))["deployment"].tolist() == ["d3"]


def test_spans_are_rounded_up_to_minutes_before_they_are_added() -> None:
    changes = pulls("c1 2026-03-02T10:00:00 2026-03-02T10:00:01 2026-03-02T10:00:02")
    shipped = commits("d1 2026-03-01T10:00", "d2 2026-03-02T10:00:03")
    assert devlake.lead_times(changes, NOBODY, shipped, news("d1..d2 c1"))["cycle"].tolist() == [3.0]


def test_what_authors_say_of_their_own_is_no_pickup() -> None:
    said = frame(
        [{"change": "c1", "at": at("2026-03-02T11:00"), "by": "ann"}, {"change": "c1", "at": at("2026-03-02T12:00"), "by": "bob"}],
        {"change": "str", "at": TIME, "by": "str"},
    )
    changes = pulls("c1 2026-03-02T09:00 2026-03-02T10:00 2026-03-02T13:00")
    row = devlake.lead_times(changes, said, commits(), news()).iloc[0]
    assert (row["pickup"], row["review"]) == (120, 60)


def test_several_environments_of_production_are_one_line_and_others_are_not() -> None:
    shipped = commits(
        "d1 2026-03-02T10:00 in=prod-eu", "d2 2026-03-02T11:00 in=prod-us", "d3 2026-03-02T12:00 in=staging",
        "d4 2026-03-02T13:00 in=prod-eu result=failure", "d5 2026-03-02T14:00 in=prod-eu",
    )  # fmt: skip
    before = previous(shipped)
    assert before.astype(object).where(before.notna(), None).tolist() == [None, "d1", None, None, "d2"]


@pytest.mark.parametrize(
    ("lines", "per_week", "label"),
    [
        ((), None, "N/A. Please check if you have collected deployments."),
        (("2026-03-02", "2026-03-03", "2026-03-03T12:00"), 0, "2 deployment days per month(medium)"),
        (("2026-03-02", "2026-03-10", "2026-03-17", "2026-03-17T12:00"), 1, "1 deployment days per week(high)"),
    ],
)
def test_days_count_and_not_deployments_and_weeks_without_any_too(lines: tuple, per_week: float | None, label: str) -> None:
    shipped = commits(*(f"d{place} {when}" for place, when in enumerate(lines)))
    figure = devlake.deployment_frequency(shipped, MARCH)
    assert (figure.values["per_week"], figure.said["label"]) == (per_week, label)


def test_forty_deployments_in_one_week_of_a_quarter_are_not_available_to_it() -> None:
    shipped = commits(*(f"d{number} 2026-02-{2 + number % 7:02}T{number // 7:02}:00" for number in range(40)))
    figure = devlake.deployment_frequency(shipped, scope("2025-12-29", "2026-03-29 23:59:59"))
    assert figure.values["per_week"] == 0
    assert figure.said["label"] == "N/A. Please check if you have collected deployments."
    assert figure.n == 40


def test_without_any_incident_there_is_no_rate_although_there_are_deployments() -> None:
    figure = devlake.change_fail_rate(commits("d1 2026-03-02T10:00"), incidents(), MARCH)
    assert (figure.values["value"], figure.n, figure.said["why"]) == (None, 1, "no incident is known")


def test_it_has_no_rework_rate_and_says_so() -> None:
    figure = devlake.deployment_rework_rate()
    assert set(figure.values.values()) == {None}
    assert figure.said["why"] == devlake.NO_REWORK


def test_a_deployment_has_a_commit_in_each_repository_the_newest_that_is_stated() -> None:
    deployments = commits("d1 2026-03-02T10:00").assign(ref=None)
    code = frame(
        [{"repository": "till", "sha": sha, "committed_at": at(when)} for sha, when in (("x", "2026-03-01"), ("y", "2026-02-01"))],
        {"repository": "str", "sha": "str", "committed_at": TIME},
    )
    stated = frame(
        [{"deployment": "d1", "repository": name, "sha": sha} for name, sha in (("shop", "d1"), ("till", "x"), ("till", "y"))],
        dict.fromkeys(("deployment", "repository", "sha"), "str"),
    )
    made = deployment_commits(deployments, stated, code)
    assert made[["id", "repository", "sha"]].values.tolist() == [["d1", "shop", "d1"], ["d1 till", "till", "x"]]


@given(st.lists(st.tuples(st.integers(0, 60 * 24 * 40), st.booleans()), max_size=12), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_its_rate_stays_within_0_and_1_and_order_changes_nothing(made: list[tuple[int, bool]], days: int) -> None:
    start = pd.Timestamp("2026-03-01", tz="UTC")
    shipped = [f"d{place} {start + pd.Timedelta(minutes=minute):%Y-%m-%dT%H:%M}" for place, (minute, _) in enumerate(made)]
    happened = [
        f"i{place} {start + pd.Timedelta(days=days, minutes=minute):%Y-%m-%dT%H:%M}"
        for place, (minute, bad) in enumerate(made)
        if bad
    ]
    figures = [
        devlake.change_fail_rate(commits(*order), incidents(*reversed(happened)), MARCH)
        for order in (shipped, sorted(shipped, reverse=True))
    ]
    assert figures[0].values == figures[1].values
    value = figures[0].values["value"]
    assert value is None or 0 <= value <= 1
