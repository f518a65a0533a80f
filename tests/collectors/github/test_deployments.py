"""Deployments: what a row says, against what GitHub really sent; and that none is lost, whatever happens meanwhile."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from github_graphql import Thing, at, repository
from github_lists import Lists, cassette, deployment, started, status
from served import Served

from collectors.github.deployments import Deployments, slim
from collectors.github.resource import Rules
from vsm.models import Deployment

RULES = Rules(application="shop")


def told(answer: Thing, rules: Rules = RULES) -> dict[str, object]:
    """The one row that an answer tells."""
    (row,) = Deployments().told(answer, rules)[Deployment]
    return dict(row)


def graph(*statuses: Thing, **more: object) -> Thing:
    """A GraphQL answer."""
    one = deployment(1, at(0), *statuses)
    return {**one, "statuses": {"nodes": one["statuses"]}, "repository": "acme/shop", **more}


def time(hours: float) -> datetime:
    """A time as rows have it."""
    return datetime.fromisoformat(at(hours))


def test_a_deployment_is_a_row_from_its_first_progress_to_its_first_final_status():
    answer = graph(status("QUEUED", at(1)), status("IN_PROGRESS", at(2), "https://logs.example/1"), status("SUCCESS", at(3)))
    assert told(answer) == {
        "id": "github:1",
        "application": "shop",
        "environment": "production",
        "repository": "acme/shop",
        "sha": f"{1:040x}",
        "ref": "main",
        "started_at": time(2),
        "finished_at": time(3),
        "result": "success",
        "url": "https://logs.example/1",
    }


@pytest.mark.parametrize(
    ("states", "result", "hours"),
    [
        pytest.param([], "unknown", None, id="not begun"),
        pytest.param(["QUEUED", "WAITING", "PENDING", "IN_PROGRESS"], "unknown", None, id="not ended"),
        pytest.param(["IN_PROGRESS", "FAILURE"], "failure", 2, id="failed"),
        pytest.param(["ERROR"], "failure", 1, id="an error is a failure"),
        pytest.param(["SUCCESS", "INACTIVE"], "success", 1, id="replaced later: it was a success"),
        pytest.param(["FAILURE", "INACTIVE"], "failure", 1, id="cleaned up later: it had failed"),
        pytest.param(["IN_PROGRESS", "INACTIVE"], "cancelled", 2, id="taken back before it ended"),
        pytest.param(["SUCCESS", "FAILURE"], "success", 1, id="the first final status decides"),
    ],
)
def test_the_first_final_status_is_the_result(states, result, hours):
    row = told(graph(*(status(state, at(place + 1)) for place, state in enumerate(states))))
    assert (row["result"], row["finished_at"]) == (result, hours and time(hours))


def test_without_progress_a_deployment_starts_when_it_is_made():
    assert told(graph(status("SUCCESS", at(1))))["started_at"] == time(0)


def test_the_environment_is_where_it_went_at_last():
    assert told(graph(latestEnvironment="eu", environment="staging", originalEnvironment="staging"))["environment"] == "eu"
    assert told(graph(latestEnvironment=None, environment=None, originalEnvironment="qa"))["environment"] == "qa"


def test_a_repository_without_a_configured_application_is_its_own():
    assert told(graph(), Rules())["application"] == "shop"


def test_recorded_rest_deployments_are_rows(recorded: Path):
    (exchange,) = cassette(recorded / "github/octokit_rb_cassettes/Deployments/_deployments/lists_deployments.json")
    rows = [told({**slim(one, []), "repository": "acme/shop"}) for one in exchange]
    assert rows[0] == {
        "id": "github:78405344",
        "application": "shop",
        "environment": "production",
        "repository": "acme/shop",
        "sha": "138e891ddb7b6adbf36924e922c387f0a655ac16",
        "ref": "testing/deployment",
        "started_at": datetime.fromisoformat("2018-03-30T18:59:20Z"),
        "finished_at": None,
        "result": "unknown",
        "url": None,
    }
    assert {row["result"] for row in rows} == {"unknown"}


def test_recorded_webhooks_have_rests_shape(recorded: Path):
    lines = (recorded / "github_webhooks/deployment_status.jsonl").read_text().splitlines()
    hooks = [json.loads(line) for line in lines]
    rows = [told({**slim(hook["deployment"], [hook["deployment_status"]]), "repository": "acme/shop"}) for hook in hooks]
    assert rows[0] == {
        "id": "github:145988746",
        "application": "shop",
        "environment": "production",
        "repository": "acme/shop",
        "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
        "ref": "master",
        "started_at": datetime.fromisoformat("2019-05-15T15:20:53Z"),
        "finished_at": datetime.fromisoformat("2019-05-15T15:20:55Z"),
        "result": "success",
        "url": None,
    }


def of_devlake(one: Thing) -> Thing:
    """A recorded GraphQL answer in GitHub's words: it was kept under the names of another program."""
    last = [{"state": one["LatestStatus"]["State"], "updatedAt": one["LatestStatus"]["updatedAt"]}]
    statuses = (one.get("Statuses") or {"nodes": last})["nodes"]
    return {
        "id": one["Id"], "databaseId": one["DatabaseId"], "commitOid": one["CommitOid"], "environment": one["Environment"],
        "createdAt": one["CreatedAt"], "ref": {"name": one["Ref"]["Name"]}, "repository": "facebook/OpenBIC",
        "statuses": {"nodes": [{"state": node["state"], "createdAt": node["updatedAt"]} for node in statuses]},
    }  # fmt: skip


def test_recorded_graphql_deployments_are_rows(recorded: Path):
    lines = (recorded / "github/devlake_graphql_deployments/deployments.jsonl").read_text().splitlines()
    rows = {row["id"]: row for row in (told(of_devlake(json.loads(line))) for line in lines)}
    assert len(rows) == 7
    assert rows["github:3839563910"] == {
        "id": "github:3839563910",
        "application": "shop",
        "environment": "github-pages",
        "repository": "facebook/OpenBIC",
        "sha": "74962aec9820f7e3a6f1e60f54b4ce8c747e1e1f",
        "ref": "gh-pages",
        "started_at": datetime.fromisoformat("2026-02-14T00:32:20Z"),  # DevLake starts it when it is made, 5 seconds earlier
        "finished_at": datetime.fromisoformat("2026-02-14T00:32:36Z"),  # as DevLake
        "result": "success",
        "url": None,
    }
    # Of the five oldest only the last status was recorded. DevLake takes a lone INACTIVE for a success; we
    # read all statuses, and one that was inactive without ever having been a success did not come to be one.
    assert [row["result"] for row in rows.values()].count("success") == 3


# Reading. -----------------------------------------------------------------------------------------


def shop(*deployments: Thing) -> Thing:
    """A repository with these deployments."""
    return repository("acme/shop", deployments=list(deployments))


def ended(number: int, hours: float) -> Thing:
    """A deployment that succeeded a minute after its start."""
    return deployment(number, at(hours), status("IN_PROGRESS", at(hours)), status("SUCCESS", at(hours + 1 / 60)))


@pytest.fixture
def github(served, graphql_schema) -> Callable[..., tuple[Lists, Served]]:
    """Starts a GitHub: `peer, server = github(repository)`."""
    return partial(started, served, graphql_schema)


@pytest.mark.parametrize("refuses", [False, True], ids=["GraphQL", "REST"])
def test_both_interfaces_tell_the_same_rows(github, shelf, fresh, refuses):
    one = shop(*(ended(number, number) for number in range(1, 131)), deployment(200, at(200), ref=None))
    _, server = github(one, refuses)
    shelf.collect(server.url)
    rows = shelf.rows("deployments")
    assert len(rows) == 131
    other, (_, server) = fresh(), github(one, not refuses)
    other.collect(server.url)
    assert other.rows("deployments") == rows
    assert next(row for row in rows if row["id"] == "github:200") == {
        "id": "github:200",
        "application": "shop",
        "environment": "production",
        "repository": "acme/shop",
        "sha": f"{200:040x}",
        "started_at": time(200),
        "result": "unknown",
    }


@pytest.mark.parametrize("refuses", [False, True], ids=["GraphQL", "REST"])
def test_a_deployment_that_had_not_ended_is_read_again_until_it_has(github, shelf, refuses):
    waits = deployment(1, at(0), status("IN_PROGRESS", at(0)))
    _, server = github(shop(waits, *(ended(number, number) for number in range(2, 120))), refuses)
    shelf.collect(server.url)
    waits["statuses"].insert(0, status("FAILURE", at(150)))
    shelf.collect(server.url)
    (row,) = [row for row in shelf.rows("deployments") if row["id"] == "github:1"]
    assert (row["result"], row["finished_at"]) == ("failure", time(150))
    server.forget()
    shelf.collect(server.url)
    assert server.count("deployments/1") == 0
    assert refuses or server.counts["/graphql"] == 1


@pytest.mark.parametrize("refuses", [False, True], ids=["GraphQL", "REST"])
def test_a_deployment_that_is_deleted_before_it_ended_is_gone(github, shelf, refuses):
    one = shop(deployment(1, at(0)), *(ended(number, number) for number in range(2, 120)))
    _, server = github(one, refuses)
    shelf.collect(server.url)
    del one["deployments"][0]
    shelf.collect(server.url)
    assert "github:1" not in {row["id"] for row in shelf.rows("deployments")}


def test_rest_asks_for_statuses_only_where_there_may_be_new_ones(github, shelf):
    waits = [deployment(number, at(number)) for number in range(1, 151)]
    peer, server = github(shop(*waits), refuses=True)
    peer.now = time(500)
    shelf.collect(server.url)
    server.forget()
    waits[140]["statuses"].insert(0, status("SUCCESS", at(400)))
    waits[5]["statuses"].insert(0, status("SUCCESS", at(400)))
    shelf.collect(server.url)
    assert [row["id"] for row in shelf.rows("deployments") if row["result"] == "success"] == ["github:141", "github:6"]
    assert server.count("/statuses") == 2


def test_more_statuses_than_a_page_are_all_read(github, shelf):
    many = [status("QUEUED", at(place / 60)) for place in range(150)]
    _, server = github(shop(deployment(1, at(0), status("SUCCESS", at(0)), *many)))
    shelf.collect(server.url)
    assert shelf.rows("deployments")[0]["result"] == "success"


def test_nothing_new_costs_no_request_of_its_own(github, shelf):
    _, server = github(shop(*(ended(number, number) for number in range(1, 61))))
    shelf.collect(server.url)
    server.forget()
    outcome = shelf.collect(server.url)
    assert (server.counts["/graphql"], outcome.changed) == (1, 0)


def test_nothing_older_than_since_is_kept_and_an_earlier_since_is_read(github, shelf):
    _, server = github(shop(*(ended(number, number) for number in range(1, 101))))
    shelf.collect(server.url, since=time(61))
    assert len(shelf.rows("deployments")) == 40
    shelf.collect(server.url, since=time(21))
    assert len(shelf.rows("deployments")) == 80


@pytest.mark.parametrize("refuses", [False, True], ids=["GraphQL", "REST"])
def test_a_harvest_that_is_broken_off_anywhere_goes_on_without_loss(github, fresh, refuses):
    def before() -> Thing:
        one = shop(*(ended(number, number // 3) for number in range(1, 131)))  # three at a time stand on pages' borders
        one["deployments"][70]["statuses"] = []
        return one

    def after(one: Thing) -> Thing:
        one["deployments"][70]["statuses"] = [status("SUCCESS", at(99))]
        one["deployments"] += [ended(number, number) for number in range(200, 215)]
        return one

    whole, (_, server) = fresh(), github(after(before()), refuses)
    whole.collect(server.url)
    expected = whole.rows("deployments")
    for until in range(1, 12, 2):
        one, broken = before(), fresh()
        _, server = github(one, refuses)
        try:
            broken.collect(server.url, until=until)
        except KeyboardInterrupt:
            after(one)
            broken.collect(server.url)
            assert broken.rows("deployments") == expected
        else:
            break
    assert until > 4
