"""Workflow runs: what GitHub's recorded runs and jobs are as builds, which are deployments, and that none is lost."""

import csv
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from github_graphql import Thing, at, repository
from github_lists import Lists, cassette, job, run, started
from served import Served

from collectors.github.resource import Rules
from collectors.github.runs import JOB, RUN, Runs
from vsm.config import Production
from vsm.errors import ConfigError
from vsm.models import Build, BuildStage, Deployment, validate


def time(hours: float) -> datetime:
    """A time as rows have it."""
    return datetime.fromisoformat(at(hours))


def told(answer: Thing, rules: Rules | None = None) -> dict[object, list[dict[str, object]]]:
    """The rows of an answer."""
    rows = Runs().told({"repository": "acme/shop", **answer}, rules or Rules(application="shop"))
    return {table: [dict(row) for row in some] for table, some in rows.items()}


def recorded_runs(recorded: Path) -> dict[int, Thing]:
    """Recorded runs as they are kept."""
    lines = (recorded / "github/devlake_ants/runs.jsonl").read_text().splitlines()
    runs = (json.loads(line) for line in lines)
    return {one["id"]: {name: one.get(name) for name in RUN} | {"repository": "panjf2000/ants"} for one in runs}


# What a run tells. --------------------------------------------------------------------------------


def test_a_recorded_run_is_a_build(recorded: Path):
    assert told(recorded_runs(recorded)[2559400712]) == {
        Build: [
            {
                "id": "github:2559400712",
                "job": "panjf2000/ants/CodeQL",
                "repository": "panjf2000/ants",
                "sha": "5dd23ddff8621e6ae36eb24b20d4c4a06dd73dc9",
                "branch": "Fix_rm_redundancy_code",
                "queued_at": None,  # its jobs would tell when it began
                "started_at": datetime.fromisoformat("2022-06-26T12:35:50Z"),  # of the second attempt, a day later
                "finished_at": datetime.fromisoformat("2022-06-26T12:36:58Z"),
                "result": "success",
                "url": "https://github.com/panjf2000/ants/actions/runs/2559400712",
            }
        ]
    }


def test_recorded_runs_end_as_another_program_says(recorded: Path):
    """DevLake's expected pipelines; where our rules differ from its, the words are put side by side below."""
    with (recorded / "expected_devlake/github/cicd_pipelines.csv").open() as file:
        expected = {int(row["id"].split(":")[-1]): row for row in csv.DictReader(file)}
    ours = {key: told(one)[Build][0] for key, one in recorded_runs(recorded).items()}
    assert set(ours) == set(expected)
    differ = set()
    for key, theirs in expected.items():
        mine = ours[key]
        assert mine["started_at"] == datetime.fromisoformat(theirs["started_date"])
        if mine["finished_at"] is not None:
            assert mine["finished_at"] == datetime.fromisoformat(theirs["finished_date"])
        if theirs["result"] != (mine["result"] or "").upper():
            differ.add((theirs["original_result"], theirs["result"], mine["result"]))
    assert differ == {
        ("cancelled", "FAILURE", "cancelled"),  # somebody stopped it: that is no failure
        ("neutral", "", "success"),  # GitHub lets it pass
        ("skipped", "", "skipped"),
        ("stale", "", "unknown"),
    }
    running = {theirs["status"] for key, theirs in expected.items() if ours[key]["result"] is None}
    assert running == {"IN_PROGRESS", "OTHER"}  # OTHER is action_required: it waits for a person


def test_recorded_jobs_are_stages(recorded: Path):
    lines = (recorded / "github/devlake_ants/jobs.jsonl").read_text().splitlines()
    jobs = [{name: one.get(name) for name in JOB} for one in map(json.loads, lines)]
    rows = told(run(1, at(0), "failure", *jobs))
    assert rows[BuildStage][0] == {
        "build": "github:1",
        "name": "deployubuntu",
        "started_at": datetime.fromisoformat("2021-02-18T06:59:13Z"),
        "finished_at": datetime.fromisoformat("2021-02-18T07:01:18Z"),
        "result": "cancelled",
    }
    assert len(rows[BuildStage]) == 35
    for row in rows[BuildStage]:
        validate(BuildStage, row)


def test_recorded_jobs_end_as_another_program_says(recorded: Path):
    """DevLake's expected tasks; where our rules differ from its, the words are put side by side below."""
    with (recorded / "expected_devlake/github/cicd_tasks.csv").open() as file:
        expected = {int(row["id"].split(":")[-1]): row for row in csv.DictReader(file)}
    lines = (recorded / "github/devlake_ants/jobs.jsonl").read_text().splitlines()
    differ = set()
    for one in map(json.loads, lines):
        theirs = expected[one["id"]]
        (mine,) = told(run(1, at(0), "failure", one))[BuildStage]
        assert mine["name"] == theirs["name"]
        if mine["result"] is not None:
            assert mine["started_at"] == datetime.fromisoformat(theirs["started_date"])
            assert mine["finished_at"] == datetime.fromisoformat(theirs["finished_date"])
        if theirs["result"] != (mine["result"] or "").upper():
            differ.add((theirs["original_result"], theirs["result"], mine["result"]))
    assert differ == {
        ("CANCELLED", "FAILURE", "cancelled"),
        ("NEUTRAL", "", "success"),
        ("SKIPPED", "", "skipped"),
        ("STALE", "", "unknown"),
    }


def test_recorded_webhooks_have_the_shape_of_the_list(recorded: Path):
    hooks = [json.loads(line) for line in (recorded / "github_webhooks/workflow_run.jsonl").read_text().splitlines()]
    rows = [told({**hook["workflow_run"], "repository": "acme/shop"})[Build][0] for hook in hooks]
    assert (rows[0]["id"], rows[0]["result"], rows[0]["finished_at"]) == ("github:1589141559", None, None)
    jobs = [json.loads(line)["workflow_job"] for line in (recorded / "github_webhooks/workflow_job.jsonl").read_text().splitlines()]
    stages = told(run(1, at(0), "success", *jobs))[BuildStage]
    assert [row["started_at"] is None for row in stages] == [one["status"] in ("queued", "waiting") for one in jobs]


def test_recorded_lists_of_jobs_are_stages(recorded: Path):
    bodies = cassette(
        recorded / "github/octokit_rb_cassettes/ActionsWorkflowJobs/_workflow_run_jobs/auto-paginates_the_results.json"
    )
    jobs = [one for body in bodies for one in body["jobs"]]
    rows = told(run(1, at(0), "success", *jobs))[BuildStage]
    assert (rows[0]["name"], rows[0]["result"]) == ("archive-build-artifacts", "success")


def test_only_jobs_tell_how_long_a_run_was_queued():
    answer = run(1, at(0), "success", job("build", at(1), at(2)), job("test", at(2), at(3)), job("never", at(0), at(0), "skipped"))
    (row,) = told(answer)[Build]
    assert (row["queued_at"], row["started_at"], row["finished_at"]) == (time(0), time(1), time(3))


def test_a_run_that_waits_for_a_person_has_not_ended():
    (row,) = told(run(1, at(0), "action_required", status="completed"))[Build]
    assert (row["result"], row["finished_at"]) == (None, None)


# Which runs are deployments. ----------------------------------------------------------------------


def deployments(answer: Thing, **rules: object) -> list[tuple[object, ...]]:
    """The deployments of a run, the parts that the rules decide."""
    rows = told(answer, Rules(application="shop", **rules)).get(Deployment, [])
    return [(row["id"], row["environment"], row["started_at"], row["finished_at"], row["result"]) for row in rows]


def test_without_a_rule_no_run_is_a_deployment():
    assert deployments(run(1, at(0), "success", job("deploy", at(1), at(2)), name="Deploy")) == []


def test_a_workflow_that_deploys_is_a_deployment_to_production():
    (row,) = told(run(1, at(0), name="Deploy", updated_at=at(1)), Rules(application="shop", deploy_workflows=("deploy",)))[
        Deployment
    ]
    assert row == {
        "id": "github-run:1",
        "application": "shop",
        "environment": "production",
        "repository": "acme/shop",
        "sha": f"{1:040x}",
        "ref": "main",
        "started_at": time(0),
        "finished_at": time(1),
        "result": "success",
        "url": "https://github.example/runs/1",
    }


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("^Deploy$", True),
        ("deploy", True),
        (r"deploy\.yml$", True),
        (r"^acme/shop/Deploy$", True),  # as vsm doctor proposes it
        ("shop", False),  # the repository's name is no workflow's
        ("^Build$", False),
    ],
)
def test_a_workflow_is_named_by_its_name_its_file_or_the_builds_whole_name(pattern, fits):
    answer = run(1, at(0), name="Deploy", path=".github/workflows/deploy.yml")
    assert bool(deployments(answer, deploy_workflows=(pattern,))) is fits


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param(["build", "deploy"], ["production"], id="production by default"),
        pytest.param(["deploy-staging", "deploy-production"], ["staging", "production"], id="each to where it says"),
        pytest.param(["Deploy (prod-eu)", "Deploy (prod-us)"], ["prod"], id="regions are one deployment"),
        pytest.param(["deploy to pre-prod"], ["pre-prod"], id="pre-production is not production"),
        pytest.param(["deploy test"], ["test"], id="where a job is named, test is an environment"),
        pytest.param(["build", "unit test"], [], id="no job that deploys"),
    ],
)
def test_jobs_that_are_named_deploy_to_what_their_names_say(jobs, expected):
    answer = run(1, at(0), "success", *(job(name, at(1), at(2)) for name in jobs))
    found = deployments(answer, deploy_jobs=("deploy",), is_production=Production().matches)
    assert [environment for _, environment, *_ in found] == expected


def test_a_deploying_workflow_is_split_by_jobs_that_speak_of_environments():
    jobs = [job("test", at(1), at(2)), job("deploy-staging", at(2), at(3)), job("deploy-prod", at(4), at(5), "failure")]
    found = deployments(run(1, at(0), "failure", *jobs), deploy_workflows=("build",), is_production=Production().matches)
    assert found == [
        ("github-run:1:staging", "staging", time(2), time(3), "success"),
        ("github-run:1:prod", "prod", time(4), time(5), "failure"),
    ]


def test_several_jobs_are_one_deployment_and_a_failure_fails_all():
    answer = run(1, at(0), "failure", job("deploy eu", at(1), at(3), "failure"), job("deploy us", at(2), at(4)))
    assert deployments(answer, deploy_jobs=("deploy",)) == [("github-run:1:production", "production", time(1), time(4), "failure")]


def test_a_job_that_was_run_again_ended_as_its_last_attempt_did_and_began_with_its_first():
    jobs = [job("deploy eu", at(1), at(2), "failure"), job("deploy eu", at(5), at(6), attempt=2), job("deploy us", at(1), at(2))]
    answer = run(1, at(0), "success", *jobs, run_attempt=2)
    assert deployments(answer, deploy_jobs=("deploy",)) == [("github-run:1:production", "production", time(1), time(6), "success")]


def test_a_deployment_that_runs_has_no_end_and_one_that_was_skipped_is_none():
    assert deployments(run(1, at(0), None, job("deploy", at(1), None, None)), deploy_jobs=("deploy",)) == [
        ("github-run:1:production", "production", time(1), None, "unknown")
    ]
    assert deployments(run(1, at(0), "success", job("deploy", at(1), at(1), "skipped")), deploy_jobs=("deploy",)) == []


def test_a_run_for_a_pull_request_does_not_go_to_production():
    answer = run(1, at(0), "success", job("deploy", at(1), at(2)), job("deploy preview", at(2), at(3)), event="pull_request")
    assert deployments(answer, deploy_jobs=("deploy",)) == [("github-run:1:preview", "preview", time(2), time(3), "success")]
    assert deployments(run(1, at(0), event="pull_request"), deploy_workflows=("build",)) == []


def test_a_run_that_waits_for_a_person_has_deployed_nothing():
    assert deployments(run(1, at(0), "action_required"), deploy_workflows=("build",)) == []


def test_a_rule_that_is_no_pattern_is_a_sentence():
    with pytest.raises(ConfigError, match=r"deploy_jobs: got '\[', expected a regular expression"):
        Runs(Rules(deploy_jobs=("[",)))


# Reading. -----------------------------------------------------------------------------------------


@pytest.fixture
def github(served, graphql_schema) -> Callable[..., tuple[Lists, Served]]:
    """Starts a GitHub: `peer, server = github(repository)`."""
    return partial(started, served, graphql_schema)


def shop(count: int, **more: object) -> Thing:
    """A repository with so many runs, one every six minutes."""
    return repository("acme/shop", runs=[run(number, at(number / 10)) for number in range(1, count + 1)], **more)


def test_runs_are_read_a_hundred_a_request(github, shelf):
    _, server = github(shop(950))
    shelf.collect(server.url)
    assert len(shelf.rows("builds")) == 950
    assert server.count("/actions/runs") <= 12


def test_more_runs_than_a_search_gives_are_all_read(github, shelf):
    _, server = github(shop(2600))
    shelf.collect(server.url)
    assert len(shelf.rows("builds")) == 2600
    assert server.count("/actions/runs") < 60


def test_more_runs_in_one_second_than_a_search_gives_are_a_warning(github, shelf):
    one = shop(0)
    one["runs"] = [run(number, at(0)) for number in range(1, 1301)] + [run(9999, at(1))]
    _, server = github(one)
    outcome = shelf.collect(server.url)
    assert "acme/shop: 300 workflow runs of one second (2026-01-05 09:00:00) cannot be asked for" in outcome.warnings


def test_runs_of_one_second_stand_on_both_sides_of_a_page(github, shelf):
    one = shop(0)
    one["runs"] = [run(number, at(number // 150)) for number in range(1, 451)]
    _, server = github(one)
    shelf.collect(server.url)
    assert len(shelf.rows("builds")) == 450


def test_nothing_new_costs_one_request_that_is_free(github, shelf):
    _, server = github(shop(150))
    shelf.collect(server.url)
    shelf.collect(server.url)
    server.forget()
    outcome = shelf.collect(server.url)
    assert (server.count("/actions/runs"), outcome.changed) == (1, 0)
    assert next(request for request in server.requests if "/actions/runs" in request.path).headers["If-None-Match"]


def test_a_run_that_had_not_ended_is_read_again(github, shelf):
    one = shop(150)
    one["runs"][10] |= {"status": "in_progress", "conclusion": None}
    _, server = github(one)
    shelf.collect(server.url)
    one["runs"][10] |= {"status": "completed", "conclusion": "failure", "updated_at": at(99)}
    shelf.collect(server.url)
    (row,) = [row for row in shelf.rows("builds") if row["id"] == "github:11"]
    assert (row["result"], row["finished_at"]) == ("failure", time(99))


def test_a_running_run_that_is_deleted_is_gone(github, shelf):
    one = shop(150)
    one["runs"][10] |= {"status": "in_progress", "conclusion": None}
    _, server = github(one)
    shelf.collect(server.url)
    del one["runs"][10]
    shelf.collect(server.url)
    assert "github:11" not in {row["id"] for row in shelf.rows("builds")}


@pytest.mark.parametrize("news", [0, 5, 250])
def test_a_run_that_is_run_again_is_seen_within_a_day(github, shelf, news):
    one = shop(600)
    peer, server = github(one)
    peer.now = time(60)
    shelf.collect(server.url)
    one["runs"][450] |= {"conclusion": "failure", "run_attempt": 2, "run_started_at": at(61), "updated_at": at(61.5)}
    one["runs"] += [run(1000 + number, at(62)) for number in range(news)]
    peer.now += timedelta(hours=25)
    shelf.collect(server.url)
    (row,) = [row for row in shelf.rows("builds") if row["id"] == "github:451"]
    assert (row["result"], row["started_at"], row["finished_at"]) == ("failure", time(61), time(61.5))


def test_a_run_that_is_run_again_after_days_is_seen_within_a_week(github, shelf):
    one = shop(2000)  # eight days of them
    peer, server = github(one)
    peer.now = time(201)
    shelf.collect(server.url, deploy_workflows=["Build"])
    for late in (300, 1200):
        again = next(run for run in one["runs"] if run["id"] == late)
        again |= {"run_attempt": 2, "conclusion": "failure", "updated_at": at(202), "run_started_at": at(202)}
    peer.now = time(201 + 6.9 * 24)
    shelf.collect(server.url, deploy_workflows=["Build"])
    assert {row["result"] for row in shelf.rows("builds")} == {"success"}
    peer.now = time(201 + 7.1 * 24)
    server.forget()
    shelf.collect(server.url, deploy_workflows=["Build"])
    ended = {row["id"]: row["result"] for row in shelf.rows("builds")}
    assert sorted(key for key, result in ended.items() if result == "failure") == ["github:1200", "github:300"]
    assert server.count("/jobs") == 2  # of those alone, and not of all that deployed in a month
    assert server.count("/actions/runs") <= 2 + 1 + 2000 // 100 + 4
    server.forget()
    shelf.collect(server.url, deploy_workflows=["Build"])
    assert server.count("/actions/runs") == 1


def test_the_look_at_the_last_month_goes_on_where_it_was_broken_off(github, shelf):
    one = shop(2000)
    peer, server = github(one)
    peer.now = time(201)
    shelf.collect(server.url)
    one["runs"][50] |= {"run_attempt": 2, "conclusion": "failure", "updated_at": at(202)}
    peer.now = time(201 + 8 * 24)
    with pytest.raises(KeyboardInterrupt):
        shelf.collect(server.url, until=12)
    server.forget()
    shelf.collect(server.url)
    assert [row["id"] for row in shelf.rows("builds") if row["result"] == "failure"] == ["github:51"]
    assert server.count("/actions/runs") < 20  # of the twenty pages of a month


def test_jobs_are_read_only_of_runs_that_deploy_and_only_when_they_changed(github, shelf):
    one = shop(40)
    one["runs"][7] |= {"name": "Deploy", "jobs": [job("deploy", at(1), at(2))]}
    _, server = github(one)
    shelf.collect(server.url, deploy_workflows="^Deploy$")
    assert server.count("/jobs") == 1
    assert [row["build"] for row in shelf.rows("build_stages")] == ["github:8"]
    assert [row["id"] for row in shelf.rows("deployments")] == ["github-run:8"]
    one["runs"].append(run(99, at(50)))
    shelf.collect(server.url, deploy_workflows="^Deploy$")
    assert server.count("/jobs") == 1
    assert len(shelf.rows("build_stages")) == 1


def test_other_rules_read_the_jobs_of_old_runs_too(github, shelf):
    one = shop(40)
    one["runs"][7] |= {"jobs": [job("deploy", at(1), at(2))]}
    _, server = github(one)
    shelf.collect(server.url)
    assert server.count("/jobs") == 0
    shelf.collect(server.url, deploy_jobs="deploy")
    assert [row["id"] for row in shelf.rows("deployments")] == ["github-run:8:production"]


def test_nothing_older_than_since_is_kept_and_an_earlier_since_is_read(github, shelf):
    _, server = github(shop(500))
    shelf.collect(server.url, since=time(40))
    assert len(shelf.rows("builds")) == 101
    shelf.collect(server.url, since=time(20))
    assert len(shelf.rows("builds")) == 301


def test_a_harvest_that_is_broken_off_anywhere_goes_on_without_loss(github, fresh):
    def before() -> Thing:
        one = shop(0)
        one["runs"] = [run(number, at(number // 3)) for number in range(1, 1301)]
        one["runs"][5] |= {"status": "queued", "conclusion": None}
        return one

    def after(one: Thing) -> Thing:
        one["runs"][5] |= {"status": "completed", "conclusion": "success", "updated_at": at(3)}
        one["runs"] += [run(number, at(number)) for number in range(2000, 2150)]
        return one

    whole, (_, server) = fresh(), github(after(before()))
    whole.collect(server.url)
    expected = whole.rows("builds")
    assert len(expected) == 1450
    for until in range(2, 20, 5):
        one, broken = before(), fresh()
        _, server = github(one)
        try:
            broken.collect(server.url, until=until)
        except KeyboardInterrupt:
            after(one)
            broken.collect(server.url)
            assert broken.rows("builds") == expected
