"""What a build's JSON tells: times, results, the repository of its own, stages, and deployments by each rule."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Context
from collectors.jenkins.collector import BUILD, JenkinsCollector
from vsm.models import Build, BuildStage, Deployment, DeploymentCommit

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
START = int(NINE.timestamp() * 1000)
A, B, C = "a" * 40, "b" * 40, "c" * 40


def checkout(sha: str, url: str = "git@example.org:ann/shop.git", branch: str = "refs/remotes/origin/main") -> dict:
    revision = {"SHA1": sha, "branch": [{"SHA1": sha, "name": branch}]}
    return {"_class": "hudson.plugins.git.util.BuildData", "lastBuiltRevision": revision, "remoteUrls": [url]}


def values(**told: Any) -> dict:
    return {"_class": "hudson.model.ParametersAction", "parameters": [{"name": name, "value": one} for name, one in told.items()]}


def log(*shas: str) -> dict:
    return {"_class": "hudson.plugins.git.GitChangeSetList", "kind": "git", "items": [{"commitId": sha} for sha in shas]}


def stage(name: str, minute: int, minutes: int, status: str = "SUCCESS", **told: Any) -> dict:
    return {"name": name, "status": status, "startTimeMillis": START + minute * 60_000, "durationMillis": minutes * 60_000, **told}


def build(*actions: dict, job: str = "shop/deploy", **told: Any) -> dict:
    return {
        "number": 7,
        "job": job,
        "url": "https://ci.example.org/job/shop/job/deploy/7/",
        "timestamp": START,
        "duration": 3_600_000,
        "building": False,
        "result": "SUCCESS",
        "actions": list(actions),
        **told,
    }


def told(answer: dict, table: type, **keys: Any) -> list[dict]:
    collector = JenkinsCollector.configured({"url": "https://ci.example.org", **keys}, Context(Path()))
    rows = collector.told(BUILD, f"{answer['job']}#{answer['number']}", answer)[table]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def after(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def test_a_build_as_a_row():
    waited = {"_class": "jenkins.metrics.impl.TimeInQueueAction", "queuingDurationMillis": 90_000}
    assert told(build(waited, checkout(A)), Build) == [
        {
            "id": "jenkins:ci.example.org:shop/deploy#7",
            "job": "shop/deploy",
            "repository": "ann/shop",
            "sha": A,
            "branch": "main",
            "queued_at": after(-1.5),
            "started_at": NINE,
            "finished_at": after(60),
            "result": "success",
            "url": "https://ci.example.org/job/shop/job/deploy/7/",
        }
    ]


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("SUCCESS", "success"),
        ("FAILURE", "failure"),
        ("UNSTABLE", "failure"),
        ("ABORTED", "cancelled"),
        ("NOT_BUILT", "skipped"),
        ("SOMETHING_NEW", "unknown"),
    ],
)
def test_jenkins_words_for_how_a_build_ended(word, result):
    assert told(build(result=word), Build)[0]["result"] == result


def test_unstable_may_be_a_success():
    assert told(build(result="UNSTABLE"), Build, unstable="success")[0]["result"] == "success"


def test_a_running_build_has_neither_end_nor_result_even_where_jenkins_names_one():
    row = told(build(building=True, result="FAILURE", duration=0), Build)[0]
    assert not {"finished_at", "result"} & set(row)
    assert told(build(building=True, result=None), Deployment, deploy_jobs=["deploy"]) == []


def test_a_build_without_a_checkout_has_no_repository():
    assert not {"repository", "sha", "branch", "queued_at"} & set(told(build({}, {"_class": "x"}), Build)[0])


LIBRARY = checkout(B, "https://example.org/ann/pipeline-library.git", "master")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            build(LIBRARY, checkout(A, branch="feature/card"), branch="feature/card", job="x/feature%2Fcard"), id="of its branch"
        ),
        pytest.param(build(checkout(B, "https://example.org/ann/tools"), checkout(A), job="shop/build"), id="of the job's name"),
        pytest.param(build(checkout(B, "https://example.org/ann/tools"), checkout(A), job="my-shop-build"), id="of part of it"),
        pytest.param(build(LIBRARY, checkout(A), job="nightly"), id="not named as a library"),
        pytest.param(build(checkout(A), checkout(B, "https://example.org/ann/charts"), job="nightly"), id="the first"),
        pytest.param(build(checkout(A), checkout(C), job="nightly"), id="its first checkout"),
    ],
)
def test_a_build_is_of_its_own_repository_and_not_of_a_library(answer):
    row = told(answer, Build)[0]
    assert (row["repository"], row["sha"]) == ("ann/shop", A)


def test_a_parameter_may_name_the_repository():
    answer = build(checkout(A, "git@example.org:$ORG/${REPO}.git"), values(ORG="ann", REPO="shop"))
    assert told(answer, Build)[0]["repository"] == "ann/shop"
    assert "repository" not in told(build(checkout(A, "git@example.org:$ORG/${REPO}.git"), values(ORG="ann")), Build)[0]


# Commits. ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "shas"),
    [
        pytest.param(build(checkout(A), changeSet=log(A, B)), [A, B], id="freestyle"),
        pytest.param(build(checkout(A), changeSets=[log(A), log(B)]), [A, B], id="pipeline"),
        pytest.param(build(checkout(A), LIBRARY, changeSets=[log(B), log(A, C)]), [A, C], id="not a library's"),
        pytest.param(build(checkout(A), LIBRARY, changeSets=[log(C)]), [], id="whose it is cannot be told"),
        pytest.param(build(changeSets=[log(A)]), [], id="of no repository"),
        pytest.param(build(checkout(A), changeSet={"kind": "svn", "items": [{"commitId": "17"}]}), [], id="Subversion"),
        pytest.param(build(checkout(A), changeSet={"kind": None}), [], id="empty"),
    ],
)
def test_a_deployment_has_the_commits_that_were_new_in_its_own_repository(answer, shas):
    rows = told(answer, DeploymentCommit, deploy_jobs=["deploy"])
    key = "jenkins:ci.example.org:shop/deploy#7:production"
    assert rows == [{"deployment": key, "repository": "ann/shop", "sha": sha} for sha in shas]
    assert told(answer, DeploymentCommit) == []


# Stages. -------------------------------------------------------------------------------------------


def test_stages_as_rows():
    answer = build(
        stages=[
            stage("Build", 1, 2),
            stage("Test", 3, 4, "UNSTABLE"),
            stage("Approve", 7, 1, "PAUSED_PENDING_INPUT"),
            stage("Scan", 8, 0, "NOT_EXECUTED"),
            stage("Deploy", 9, 5, "FAILED", error={"message": "exit code 1"}),
            stage("Notify", 14, 0, "FAILED", error={"message": "exit code 1"}),
            stage("Tidy", 14, 2, "FAILED", error={"message": "exit code 2"}),
            stage("Sweep", 16, 2, "FAILED", error={"message": "exit code 2"}),
        ]
    )
    key = {"build": "jenkins:ci.example.org:shop/deploy#7"}
    assert told(answer, BuildStage) == [
        {**key, "name": "Build", "started_at": after(1), "finished_at": after(3), "result": "success"},
        {**key, "name": "Test", "started_at": after(3), "finished_at": after(7), "result": "failure"},
        {**key, "name": "Approve", "started_at": after(7)},
        {**key, "name": "Scan", "started_at": after(8), "result": "skipped"},
        {**key, "name": "Deploy", "started_at": after(9), "finished_at": after(14), "result": "failure"},
        {**key, "name": "Notify", "started_at": after(14), "result": "skipped"},
        {**key, "name": "Tidy", "started_at": after(14), "finished_at": after(16), "result": "failure"},
        {**key, "name": "Sweep", "started_at": after(16), "finished_at": after(18), "result": "failure"},
    ]


def test_two_stages_of_one_name_and_instant_are_one():
    rows = told(build(stages=[stage("Unit", 1, 2), stage("Unit", 1, 5, "FAILED"), stage("Unit", 9, 1)]), BuildStage)
    assert [(row["started_at"], row["finished_at"], row["result"]) for row in rows] == [
        (after(1), after(6), "failure"),
        (after(9), after(10), "success"),
    ]


# Deployments. --------------------------------------------------------------------------------------


def deployments(answer: dict, **keys: Any) -> list[tuple]:
    names = ("environment", "application", "started_at", "finished_at", "result")
    return [tuple(row.get(name) for name in names) for row in told(answer, Deployment, **keys)]


def test_a_deployment_as_a_row():
    assert told(build(checkout(A)), Deployment, deploy_jobs=["deploy"]) == [
        {
            "id": "jenkins:ci.example.org:shop/deploy#7:production",
            "application": "shop",
            "environment": "production",
            "repository": "ann/shop",
            "sha": A,
            "ref": "main",
            "started_at": NINE,
            "finished_at": after(60),
            "result": "success",
            "url": "https://ci.example.org/job/shop/job/deploy/7/",
        }
    ]


STAGED = build(checkout(A), stages=[stage("Build", 1, 9), stage("Deploy to staging", 10, 5), stage("Deploy to live", 20, 5)])
WHOLE = ("production", "shop", NINE, after(60), "success")


@pytest.mark.parametrize(
    ("answer", "keys", "found"),
    [
        pytest.param(build(checkout(A)), {}, [], id="no rule, no deployment"),
        pytest.param(build(checkout(A)), {"deploy_jobs": ["^deploy"]}, [], id="another job"),
        pytest.param(build(checkout(A)), {"deploy_jobs": ["deploy"]}, [WHOLE], id="a job: the whole build"),
        pytest.param(
            STAGED,
            {"deploy_stages": ["Deploy"]},
            [("production", "shop", after(10), after(25), "success")],
            id="stages to one environment are one deployment",
        ),
        pytest.param(
            STAGED,
            {"deploy_stages": ["Deploy to (?P<environment>.*)"]},
            [("staging", "shop", after(10), after(15), "success"), ("live", "shop", after(20), after(25), "success")],
            id="an environment in the stage's name",
        ),
        pytest.param(
            STAGED,
            {"deploy_stages": ["live"], "deploy_jobs": ["deploy"]},
            [("production", "shop", after(20), after(25), "success")],
            id="a stage goes before the job",
        ),
        pytest.param(
            build(checkout(A), stages=[]),
            {"deploy_stages": ["live"], "deploy_jobs": ["deploy"]},
            [WHOLE],
            id="the job where no stage fits",
        ),
        pytest.param(
            build(checkout(A), stages=[stage("live", 1, 5, "FAILED"), stage("live", 8, 5)]),
            {"deploy_stages": ["live"]},
            [("production", "shop", after(1), after(13), "failure")],
            id="a failure fails all",
        ),
        pytest.param(
            build(checkout(A), stages=[stage("live", 1, 0, "NOT_EXECUTED")]),
            {"deploy_stages": ["live"], "deploy_jobs": ["deploy"]},
            [],
            id="a stage left out deploys nothing, nor does its job",
        ),
        pytest.param(
            build(checkout(A), stages=[stage("live", 1, 0)]),
            {"deploy_stages": ["live"]},
            [],
            id="nor one that a condition passed over",
        ),
        pytest.param(
            build(checkout(A), stages=[stage("live", 1, 5)], result="FAILURE"),
            {"deploy_stages": ["live"]},
            [("production", "shop", after(1), after(6), "success")],
            id="a stage's result, not the build's",
        ),
        pytest.param(
            build(checkout(A), job="deploy-staging"),
            {"deploy_jobs": ["deploy-(?P<environment>.+)"]},
            [("staging", "shop", NINE, after(60), "success")],
            id="an environment in the job's name",
        ),
        pytest.param(
            build(checkout(A), values(ENV="prod-eu")),
            {"deploy_parameters": {"ENV": "^prod"}},
            [("prod-eu", "shop", NINE, after(60), "success")],
            id="a parameter",
        ),
        pytest.param(
            build(checkout(A), values(ENV="test")), {"deploy_parameters": {"ENV": "^prod"}}, [], id="a parameter of another value"
        ),
        pytest.param(
            build(checkout(A), values(ENV="test")),
            {"deploy_jobs": ["deploy"], "deploy_parameters": {"ENV": "^prod"}},
            [("test", "shop", NINE, after(60), "success")],
            id="a job, to where its parameter says",
        ),
        pytest.param(
            build(checkout(A), values(ENV="")), {"deploy_jobs": ["deploy"], "deploy_parameters": {"ENV": "."}}, [WHOLE], id="empty"
        ),
        pytest.param(
            build(checkout(A), values(LIVE=True)),
            {"deploy_parameters": {"LIVE": "true"}},
            [("true", "shop", NINE, after(60), "success")],
            id="a switch",
        ),
        pytest.param(build(checkout(A), result="NOT_BUILT"), {"deploy_jobs": ["deploy"]}, [], id="not built, not deployed"),
        pytest.param(
            build(checkout(A), result="ABORTED"),
            {"deploy_jobs": ["deploy"]},
            [("production", "shop", NINE, after(60), "cancelled")],
            id="aborted on the way",
        ),
        pytest.param(
            build(), {"deploy_jobs": ["deploy"]}, [("production", "deploy", NINE, after(60), "success")], id="of the job's name"
        ),
        pytest.param(
            build(job="shop/feature%2Fx", branch="feature/x"),
            {"deploy_jobs": ["shop/"]},
            [("production", "shop", NINE, after(60), "success")],
            id="of the multibranch project's name",
        ),
        pytest.param(
            build(),
            {"deploy_jobs": ["deploy"], "application": "web"},
            [("production", "web", NINE, after(60), "success")],
            id="of the application that is configured",
        ),
        pytest.param(
            build(stages=[stage("Ship web", 1, 2), stage("Ship api", 3, 2)]),
            {"deploy_stages": ["Ship (?P<application>.*)"]},
            [("production", "web", after(1), after(3), "success"), ("production", "api", after(3), after(5), "success")],
            id="of the application in the stage's name",
        ),
    ],
)
def test_deployments_by_rule(answer, keys, found):
    assert deployments(answer, **keys) == found
    keyed = [row["id"] for row in told(answer, Deployment, **keys)]
    assert len(set(keyed)) == len(keyed)


def started_by(job: str, number: int) -> dict:
    cause = {"_class": "hudson.model.Cause$UpstreamCause", "upstreamProject": job, "upstreamBuild": number}
    return {"_class": "hudson.model.CauseAction", "causes": [{"_class": "hudson.model.Cause$UserIdCause"}, cause]}


def test_a_job_without_a_repository_deploys_what_the_build_checked_out_that_started_it(site, shelf):
    ended = {"timestamp": START, "duration": 1000, "building": False, "result": "SUCCESS"}
    site.jenkins.build("ci/build", 5, actions=[checkout(A)], **ended)
    site.jenkins.build("ci/test", 3, actions=[started_by("ci/build", 5)], **ended)
    for number in (1, 2):
        site.jenkins.build("deploy", number, actions=[started_by("ci/test", 3)], **ended)
    site.jenkins.build("deploy", 3, actions=[started_by("ci/test", 99)], **ended)
    site.jenkins.build("deploy", 4, actions=[checkout(B), started_by("ci/test", 3)], **ended)
    outcome = shelf.collect(site.source(jobs=["^deploy"], deploy_jobs=["deploy"]))
    assert [(row.get("repository"), row.get("sha"), row["application"]) for row in shelf.rows("deployments")] == [
        ("ann/shop", A, "shop"),
        ("ann/shop", A, "shop"),
        (None, None, "deploy"),
        ("ann/shop", B, "shop"),
    ]
    assert [row.get("sha") for row in shelf.rows("builds")] == [None, None, None, B]
    assert outcome.requests == 2 + 3  # each build upstream once: two that are there, one that is not
    assert shelf.collect(site.source(jobs=["^deploy"], deploy_jobs=["deploy"])).requests == 1


def test_answers_of_another_kind_tell_nothing():
    collector = JenkinsCollector.configured({"url": "https://ci.example.org"}, Context(Path()))
    assert collector.told("something", "else", {}) == {}
    assert collector.told(BUILD, "shop#1", {"number": 1, "job": "shop"}) == {}
