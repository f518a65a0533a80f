"""The peers that stand for other people's servers: each starts, answers, counts, and is gone afterwards."""

import os
import socket
from datetime import date
from urllib.parse import urlsplit

import pytest
import requests
from github_emulator import Emulator, seed
from graphql import parse, validate
from jira_server import JiraServer
from programs import absent
from served import Served
from wiremock_server import FAULTS, WireMock, answer


def _listens(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) == 0


def test_a_served_function_answers_json_and_every_request_is_counted(served):
    peer = served(lambda method, path, query, headers, body: (201, {"Date": "then", "X-Left": "3"}, [method, path, query]))
    with requests.Session() as client:
        answer = client.get(f"{peer.url}/a%2Fb?page=2&page=3&none=", timeout=5)
        client.post(f"{peer.url}/c", json={"q": 1}, timeout=5)
    assert answer.json() == ["GET", "/a%2Fb", {"page": ["2", "3"], "none": [""]}]
    assert (answer.status_code, answer.headers["Date"], answer.headers["X-Left"]) == (201, "then", "3")
    assert peer.counts == {"/a%2Fb": 1, "/c": 1}
    assert peer.requests[1].json == {"q": 1}


def test_a_served_function_that_gives_nothing_cuts_the_connection(served):
    peer = served(lambda *asked: None)
    with pytest.raises(requests.ConnectionError):
        requests.get(peer.url, timeout=5)


def test_a_served_function_is_gone_after_the_test():
    peer = Served(lambda *asked: (200, {}, "here"))
    with requests.Session() as client:
        assert client.get(peer.url, timeout=5).text == "here"
        peer.close()
        assert not _listens(peer.url)
        with pytest.raises(requests.ConnectionError):
            client.get(peer.url, timeout=5)


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_an_absent_peer_is_a_failure_where_it_must_be_and_a_skip_elsewhere(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no java here: `make peers` installs it"):
        absent("java")


def test_the_emulator_gives_a_pull_request_the_times_of_its_clock(emulate):
    github = emulate("octocat/shop", organisations=["acme"], at="2026-02-03 09:00:00")
    main = github.ask("GET", "/repos/octocat/shop/git/ref/heads/main")
    github.ask("POST", "/repos/octocat/shop/git/refs", {"ref": "refs/heads/work", "sha": main["object"]["sha"]})
    github.at("2026-02-04 10:30:00")
    content = {"message": "work", "content": "d29yaw==", "branch": "work"}
    github.ask("PUT", "/repos/octocat/shop/contents/work.txt", content)
    github.at("2026-02-05 11:00:00")
    pull = github.ask("POST", "/repos/octocat/shop/pulls", {"title": "Work", "head": "work", "base": "main"})
    github.at("2026-02-20 12:00:00")
    github.ask("PUT", f"/repos/octocat/shop/pulls/{pull['number']}/merge", {})
    github.forget()
    answer = requests.get(
        f"{github.url}/repos/octocat/shop/pulls/{pull['number']}", headers={"Authorization": f"token {github.token}"}, timeout=5
    )
    commits = github.ask("GET", f"/repos/octocat/shop/pulls/{pull['number']}/commits?per_page=5")
    times = [answer.json()[name][:19] for name in ("created_at", "merged_at")]
    assert times == ["2026-02-05T11:00:00", "2026-02-20T12:00:00"]
    assert commits[-1]["commit"]["author"]["date"][:19] == "2026-02-04T10:30:00"
    assert answer.headers["Date"] == "Fri, 20 Feb 2026 12:00:00 GMT"
    assert github.requests == ["GET /repos/octocat/shop/pulls/1", "GET /repos/octocat/shop/pulls/1/commits?per_page=5"]


def test_the_emulator_without_a_clock_lives_now(emulate):
    github = emulate("octocat/shop", "acme/till", organisations=["acme"])
    assert github.ask("GET", "/repos/acme/till")["owner"]["type"] == "Organization"
    assert github.ask("GET", "/user")["login"] == "octocat"


@pytest.mark.peer
def test_the_emulator_is_gone_after_its_end(tmp_path):
    github = Emulator(tmp_path / "github", seed(["octocat/shop"]))
    assert _listens(github.url)
    github.close()
    assert not _listens(github.url)
    with pytest.raises(ProcessLookupError):
        os.kill(github.pid, 0)


def test_jira_820_tells_its_version_and_keeps_what_it_is_told(jira820):
    with requests.Session() as client:
        client.auth = jira820.auth
        told = client.get(f"{jira820.url}/rest/api/2/serverInfo", timeout=5).json()
        ticket = {"project": {"key": jira820.project}, "issuetype": {"name": "Bug"}, "summary": "The till is stuck"}
        made = client.post(f"{jira820.url}/rest/api/2/issue", json={"fields": ticket}, timeout=5).json()["key"]
        jira820.at(date(2026, 3, 5))
        address = f"{jira820.url}/rest/api/2/issue/{made}"
        steps = {step["to"]["name"]: step["id"] for step in client.get(f"{address}/transitions", timeout=5).json()["transitions"]}
        client.post(f"{address}/transitions", json={"transition": {"id": steps["In Progress"]}}, timeout=5).raise_for_status()
        jira820.forget()
        issue = client.get(f"{address}?expand=changelog", timeout=5).json()
    assert (told["deploymentType"], told["version"]) == ("Server", "8.20.8")
    assert issue["fields"]["created"].startswith("2026-03-02")
    moved = [(step["created"][:10], item["toString"]) for step in issue["changelog"]["histories"] for item in step["items"]]
    assert moved == [("2026-03-05", "In Progress")]
    assert jira820.requests == [f"GET /rest/api/2/issue/{made}?expand=changelog"]


@pytest.mark.peer
def test_jira_820_is_gone_after_its_end():
    jira = JiraServer(date(2026, 3, 2))
    assert _listens(jira.url)
    jira.close()
    assert not _listens(jira.url)


def test_wiremock_gives_one_answer_after_the_other_and_the_last_one_stays(wiremock):
    wiremock.stub("GET", "/user", answer(503, headers={"Retry-After": "1"}), answer(200, {"login": "ann"}))
    given = [requests.get(f"{wiremock.url}/user?page={page}", timeout=5) for page in (1, 2, 3)]
    assert [one.status_code for one in given] == [503, 200, 200]
    assert (given[0].headers["Retry-After"], given[1].json()) == ("1", {"login": "ann"})
    assert [asked["url"] for asked in wiremock.requests()] == ["/user?page=1", "/user?page=2", "/user?page=3"]


def test_wiremock_waits_breaks_and_tells_pages_apart(wiremock):
    wiremock.stub("GET", "^/repos/.*", body="any")
    wiremock.stub("GET", "/repos/shop", query={"page": "2"}, body=b"\x00two")
    wiremock.stub("GET", "/slow", delay=0.3)
    assert wiremock.requests() == []
    assert requests.get(f"{wiremock.url}/repos/shop?page=1", timeout=5).text == "any"
    assert requests.get(f"{wiremock.url}/repos/shop?page=2", timeout=5).content == b"\x00two"
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{wiremock.url}/slow", timeout=0.1)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_wiremock_breaks_the_connection(wiremock, fault):
    wiremock.stub("GET", "/", fault=fault)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        requests.get(f"{wiremock.url}/", timeout=5)


@pytest.mark.peer
def test_wiremock_is_gone_after_its_end(tmp_path):
    server = WireMock(tmp_path)
    assert _listens(server.url)
    server.close()
    assert not _listens(server.url)


def test_the_published_schema_refuses_a_query_with_a_field_that_is_not_there(graphql_schema):
    query = 'query { repository(owner: "acme", name: "shop") { name, %s } }'
    assert validate(graphql_schema, parse(query % "isArchived")) == []
    [error] = validate(graphql_schema, parse(query % "isForgotten"))
    assert "Cannot query field 'isForgotten' on type 'Repository'" in error.message


def test_the_published_document_finds_what_is_wrong_in_an_answer(openapi):
    right = {"name": "v1", "commit": {"sha": "a" * 40, "url": "u"}, "zipball_url": "u", "tarball_url": "u", "node_id": "n"}
    openapi.check("GET", "/repos/acme/shop/tags", 200, [right])
    assert openapi.problems("GET", "/repos/acme/shop/tags", 200, [right | {"name": None}]) == [
        "$[0].name: None is not of type 'string'"
    ]
    assert openapi.template("/repos/acme/shop/pulls/7/reviews") == "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"


def test_the_emulator_answers_as_the_published_document_says(emulate, openapi):
    github = emulate("octocat/shop")
    for path in ("/repos/octocat/shop/commits", "/repos/octocat/shop/branches", "/repos/octocat/shop/pulls", "/users/octocat"):
        openapi.check("GET", path, 200, github.ask("GET", path))


def test_the_replay_gives_the_pages_that_the_real_github_gave(github_replay):
    github = github_replay("Issue216.")
    address, issues = f"{github.url}/repos/openframeworks/openFrameworks/issues?per_page=100", []
    with requests.Session() as client:
        while address:
            answer = client.get(address, timeout=5)
            issues += [issue["id"] for issue in answer.json()]
            address = answer.links.get("next", {}).get("url", "")
        unknown = client.get(f"{github.url}/repos/acme/shop", timeout=5)
    assert (len(issues), len(set(issues)), github.count("/issues")) == (333, 333, 14)
    assert unknown.status_code == 404


def test_the_replay_speaks_for_the_real_github_at_our_address_only(github_replay):
    github = github_replay()
    answer = requests.get(f"{github.url}/repos/PyGithub/PyGithub/releases?per_page=10", timeout=5)
    assert answer.links["next"]["url"].startswith(github.url)
    assert {release["url"].startswith(github.url) for release in answer.json()} == {True}
