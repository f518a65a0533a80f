"""Recorded builds of real servers, row by row, and what Apache DevLake makes of the same builds as a second opinion.

Where DevLake's rules are others: it cuts starts to seconds, counts a failed and an aborted build alike, calls a
build that is running but has a result already by that result, and keeps refs/remotes/origin/ in a branch's name.
"""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import jenkins_peer
import pytest

ORG = "github_org/devlake-jenkins"
DEEP = "Test-jenkins-dir/test-jenkins-sub-dir/test-sub-sub-dir/devlake"


def lines(path: Path) -> Iterator[dict]:
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())


def table(recorded: Path, name: str) -> list[dict]:
    with (recorded / "expected_devlake/jenkins" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def multibranch(jenkins: jenkins_peer.Jenkins, recorded: Path) -> None:
    """The recorded multibranch project, with its stages."""
    jenkins.job("github_org", jenkins_peer.ORGANISATION)
    jenkins.job(ORG, jenkins_peer.MULTIBRANCH)
    for job in lines(recorded / "jenkins/devlake/jobs_multibranch.jsonl"):
        jenkins.job(job["fullName"], jenkins_peer.PIPELINE)
    for build in lines(recorded / "jenkins/devlake/builds_multibranch.jsonl"):
        jenkins.build(f"{ORG}/{build['fullDisplayName'].split(' » ')[2].split(' #')[0]}", **build)
    asked = lines(recorded / "jenkins/devlake/stages_multibranch.requests.jsonl")
    for stage, request in zip(lines(recorded / "jenkins/devlake/stages_multibranch.jsonl"), asked, strict=True):
        job, _, number = json.loads(request["input"])["FullName"].rpartition("#")
        jenkins.stages.setdefault((job, int(number)), []).append(stage)


def freestyle(jenkins: jenkins_peer.Jenkins, recorded: Path) -> None:
    """The recorded builds of a job four folders deep."""
    jenkins.job(DEEP, jenkins_peer.FREESTYLE)
    for build in lines(recorded / "jenkins/devlake/builds.jsonl"):
        if build["fullDisplayName"].startswith("Test-jenkins-dir"):
            jenkins.build(DEEP, **build)


def short(rows: list[dict], server: str) -> list[dict]:
    """Rows without the address that the server happens to have."""
    strip = f"jenkins:{server.removeprefix('http://')}:"
    return [{name: value.replace(strip, "") if isinstance(value, str) else value for name, value in row.items()} for row in rows]


@pytest.fixture
def rows(site, shelf, recorded) -> Callable[..., list[dict]]:
    """Harvests what was put on the server, and gives a table's rows."""

    def harvested(name: str, **keys: object) -> list[dict]:
        outcome = shelf.collect(site.source(**keys))
        assert (outcome.error, outcome.warnings) == (None, ())
        return short(shelf.rows(name), site.served.url)

    return harvested


def test_a_pipelines_build_as_a_row(site, rows, recorded):
    multibranch(site.jenkins, recorded)
    assert [row for row in rows("builds") if row["id"].endswith(("main#4", "PR-2#1"))] == [
        {
            "id": f"{ORG}/PR-2#1",
            "job": f"{ORG}/PR-2",
            "repository": "gustavobini/devlake-jenkins",
            "sha": "aba54481a73573c0587f26fbd4c9788eb2bf2398",
            "branch": "PR-2",
            "started_at": at("2024-03-24T10:51:51.931"),
            "finished_at": at("2024-03-24T10:51:59.321"),
            "result": "cancelled",
            "url": "http://jenkins.example/job/github_org/job/devlake-jenkins/job/PR-2/1/",
        },
        {
            "id": f"{ORG}/main#4",
            "job": f"{ORG}/main",
            "repository": "gustavobini/devlake-jenkins",
            "sha": "c83ae02076382670e286ac2474b7a7327fc28cde",
            "branch": "main",
            "started_at": at("2024-03-24T10:52:31.963"),
            "finished_at": at("2024-03-24T10:53:02.378"),
            "result": "success",
            "url": "http://jenkins.example/job/github_org/job/devlake-jenkins/job/main/4/",
        },
    ]


def test_a_pipelines_stages_and_its_deployment_at_the_stages_end(site, rows, recorded):
    multibranch(site.jenkins, recorded)
    keys = {"deploy_stages": ["(?i)^deploy$"], "jobs": ["/main$"]}
    assert [row for row in rows("build_stages", **keys) if row["build"].endswith("main#4")] == [
        {
            "build": f"{ORG}/main#4",
            "name": name,
            "started_at": at(f"2024-03-24T10:52:{start}"),
            "finished_at": end,
            "result": "success",
        }
        for name, start, end in [
            ("Declarative: Checkout SCM", "33.013", at("2024-03-24T10:52:35.244")),
            ("build", "40.796", at("2024-03-24T10:52:46.327")),
            ("checkout", "35.275", at("2024-03-24T10:52:40.786")),
            ("deploy", "58.791", at("2024-03-24T10:53:02.342")),
            ("test", "46.345", at("2024-03-24T10:52:58.778")),
        ]
    ]
    deployments = rows("deployments", **keys)
    assert [row["id"] for row in deployments] == [f"{ORG}/main#{number}:production" for number in (1, 2, 3, 4)]
    assert deployments[3] == {
        "id": f"{ORG}/main#4:production",
        "application": "devlake-jenkins",
        "environment": "production",
        "repository": "gustavobini/devlake-jenkins",
        "sha": "c83ae02076382670e286ac2474b7a7327fc28cde",
        "ref": "main",
        "started_at": at("2024-03-24T10:52:58.791"),
        "finished_at": at("2024-03-24T10:53:02.342"),
        "result": "success",
        "url": "http://jenkins.example/job/github_org/job/devlake-jenkins/job/main/4/",
    }


def test_a_deploy_stage_that_an_aborted_pipeline_only_ran_through_deployed_nothing(site, rows, recorded):
    multibranch(site.jenkins, recorded)
    told = {row["name"]: row["result"] for row in rows("build_stages", deploy_stages=["deploy"]) if row["build"] == f"{ORG}/PR-2#1"}
    assert told == {
        "Declarative: Checkout SCM": "success",
        "checkout": "cancelled",
        "build": "skipped",
        "test": "skipped",
        "deploy": "skipped",
    }
    deployed = {row["id"] for row in rows("deployments", deploy_stages=["deploy"])}
    assert f"{ORG}/PR-2#2:production" in deployed
    assert f"{ORG}/PR-2#1:production" not in deployed


@pytest.mark.parametrize(("put", "suffix"), [(multibranch, "_multibranch"), (freestyle, "")])
def test_starts_ends_commits_and_repositories_are_those_of_devlake(site, rows, recorded, put, suffix):
    put(site.jenkins, recorded)
    ours = {row["id"]: row for row in rows("builds")}
    theirs = {row["full_name"]: row for row in table(recorded, f"_tool_jenkins_builds{suffix}.csv")}
    same = sorted(set(ours) & set(theirs))
    assert len(same) >= 5
    for name in same:
        assert ours[name]["started_at"].replace(microsecond=0) == datetime.fromisoformat(theirs[name]["start_time"])
        if "finished_at" in ours[name]:
            assert (ours[name]["finished_at"] - ours[name]["started_at"]).total_seconds() * 1000 == float(theirs[name]["duration"])
    commits = table(recorded, f"_tool_jenkins_build_commits{suffix}.csv")
    told = [(row["build_name"], row["commit_sha"], row["branch"].removeprefix("refs/remotes/origin/")) for row in commits]
    assert sorted(told) == sorted((key, row["sha"], row["branch"]) for key, row in ours.items() if "sha" in row)
    urls = {row["build_name"]: row["repo_url"] for row in commits}
    assert all(urls[key].removesuffix(".git").endswith(row["repository"]) for key, row in ours.items() if "repository" in row)


def test_results_are_those_of_devlake_but_for_what_is_cancelled_unstable_or_running(site, rows, recorded):
    freestyle(site.jenkins, recorded)
    multibranch(site.jenkins, recorded)
    ours = {row["id"]: row.get("result") for row in rows("builds")}
    pipelines = table(recorded, "cicd_pipelines.csv") + table(recorded, "cicd_pipelines_multibranch.csv")
    seen = {(row["original_result"], row["result"], ours[row["name"]]) for row in pipelines if row["name"] in ours}
    assert seen == {
        ("SUCCESS", "SUCCESS", "success"),
        ("FAILURE", "FAILURE", "failure"),
        ("ABORTED", "FAILURE", "cancelled"),
        ("SUCCESS", "", None),  # still running: DevLake, too, has no result
        ("FAILURE", "", None),
        ("NOT_BUILD", "", "unknown"),  # no word of Jenkins: an edited record
        ("UNSTABLE", "", "failure"),
    }


def test_stages_of_a_build_take_as_long_as_devlake_says(site, rows, recorded):
    multibranch(site.jenkins, recorded)
    ours = {(row["build"], row["name"]): row for row in rows("build_stages", stages=True)}
    theirs = table(recorded, "_tool_jenkins_stages_multibranch.csv")
    assert len(theirs) == len(ours) == 65
    for row in theirs:
        mine = ours[row["build_name"], row["name"]]
        assert mine["started_at"].timestamp() * 1000 == pytest.approx(float(row["start_time_millis"]), abs=0.5)
        if mine["result"] != "skipped":
            assert (mine["finished_at"] - mine["started_at"]).total_seconds() * 1000 == pytest.approx(float(row["duration_millis"]))


def ci(jenkins: jenkins_peer.Jenkins, recorded: Path, job: str, kind: str, file: str, **told: object) -> None:
    """A recorded build of ci.nodejs.org; those that were asked for without their times are given one."""
    build = json.loads((recorded / "jenkins/nodejs_ci" / file).read_text(encoding="utf-8"))
    jenkins.job(job, kind)
    jenkins.build(job, **{"timestamp": 1_528_500_000_000, "duration": 60_000, "building": False, **build, **told})


def test_a_matrix_build_finds_its_repository_in_its_parameters_and_keeps_no_other(site, rows, shelf, recorded):
    ci(site.jenkins, recorded, "citgm-smoker", jenkins_peer.MATRIX, "citgm/citgm-smoker-2400.json")
    assert rows("builds") == [
        {
            "id": "citgm-smoker#2400",
            "job": "citgm-smoker",
            "repository": "nodejs/node",
            "sha": "9ec07f42864cb2446a87916732e91365596fcfa7",
            "branch": "_jenkins_local_branch",
            "started_at": at("2020-06-30T04:22:16.364"),
            "finished_at": at("2020-06-30T06:53:35.049"),
            "result": "failure",
            "url": "https://ci.nodejs.org/job/citgm-smoker/2400/",
        }
    ]
    assert "GITHUB_ORG" in shelf.raw()
    assert "CITGM" not in shelf.raw()
    assert "userName" not in shelf.raw()


def test_configurations_of_a_matrix_are_its_parts_but_for_those_that_were_not_run_again(site, rows, recorded):
    ci(site.jenkins, recorded, "linux", jenkins_peer.MATRIX, "js-flake-1/node-test-commit-linux-19446.json", number=19446)
    parts = rows("build_stages")
    assert len(parts) == 15  # of twenty: five have earlier numbers
    assert [row for row in parts if row["result"] != "success"] == [
        {"build": "linux#19446", "name": "nodes=debian9-64", "result": "failure"}
    ]


def test_jobs_of_a_multi_job_are_its_parts(site, rows, recorded):
    ci(site.jenkins, recorded, "node-test-commit", jenkins_peer.MULTIJOB, "js-flake-1/node-test-commit-19123.json")
    parts = rows("build_stages")
    assert len(parts) == 12
    assert [row["name"] for row in parts if row["result"] == "failure"] == ["node-test-commit-linux"]


def test_a_deployment_names_the_commits_that_were_new_in_its_build(site, rows, shelf, recorded):
    ci(site.jenkins, recorded, "citgm-smoker", jenkins_peer.MATRIX, "citgm/citgm-smoker-2400.json")
    assert rows("deployment_commits", deploy_jobs=["smoker"]) == [
        {
            "deployment": "citgm-smoker#2400:production",
            "repository": "nodejs/node",
            "sha": "9ec07f42864cb2446a87916732e91365596fcfa7",
        }
    ]
    assert shelf.rows("deployments")[0]["application"] == "node"
