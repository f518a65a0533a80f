"""A Jira that does not answer as it should: another attempt, a wait, or one sentence that says what to do."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from collectors.harvest import harvest

LOGIN = "<html><head><title>Log in</title></head></html>"
HTML = {"Content-Type": "text/html;charset=UTF-8"}


def failing(faults, path="search/jql"):
    """A handler whose first answers about a path are these: (status, headers, body), None for a cut connection."""
    rest = list(faults)

    def handle(jira, method, asked, *more):
        if asked.endswith(path) and rest:
            fault = rest.pop(0)
            return fault(jira) if callable(fault) else fault
        return jira.handle(method, asked, *more)

    return handle


def truncated(jira):
    """The beginning of an answer that is announced as whole."""
    return 200, {"Content-Type": "application/json"}, b'{"issues": [{"id": "10001", "fie'


@pytest.mark.parametrize("path", ["serverInfo", "status", "search/jql", "changelog/bulkfetch"])
@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        pytest.param((429, {"Retry-After": "7"}, {}), 7, id="too many requests"),
        pytest.param((503, {"Retry-After": "90"}, "down"), 90, id="a wait that the package would cut to sixty seconds"),
        pytest.param((503, {"Retry-After": "Mon, 02 Mar 2099 00:00:00 GMT"}, ""), None, id="a date, on which the package fails"),
        pytest.param((502, HTML, LOGIN), None, id="bad gateway"),
        pytest.param((504, {}, ""), None, id="gateway timeout"),
        pytest.param(None, None, id="reset"),
        pytest.param(truncated, None, id="half a body"),
        pytest.param((200, {}, b""), None, id="no body"),
        pytest.param((500, {}, {"errorMessages": None}), None, id="an error in which the package stumbles"),
        pytest.param((503, {}, b"null"), None, id="an error of nothing"),
    ],
)
def test_a_passing_fault_is_waited_for_and_the_harvest_is_whole(line, path, fault, pause):
    one = line(failing([fault], path))
    one.busy(3, 1)
    outcome = one.collect()
    if "2099" in str(fault):
        assert "; the server asks to wait until 2099-03-0" in outcome.error
        assert round(outcome.until.timestamp()) == datetime(2099, 3, 2, tzinfo=UTC).timestamp()
        return
    assert (outcome.error, len(one.rows("transitions"))) == (None, 6)
    if path != "search/jql" or "errorMessages" not in str(fault):  # a 500 on the first question about times is an answer
        assert len(one.pauses) == 1
    if pause is not None:
        assert one.pauses == [pause]


def test_a_wait_that_is_too_long_parks_the_source_and_the_next_run_leaves_it_alone(line):
    one = line(failing([(429, {"Retry-After": "3600"}, {})], "changelog/bulkfetch"))
    one.busy(2, 1)
    outcome = one.collect()
    assert "says that we ask too much (429); the server asks to wait until" in outcome.error
    one.jira.now = outcome.until - timedelta(minutes=1)
    assert one.collect().error.startswith("it asked us to wait until")
    assert one.peer.requests == []
    one.jira.now = outcome.until + timedelta(minutes=1)
    assert one.collect().error is None
    assert len(one.rows("tickets")) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(
            (401, {}, {"message": "no"}),
            "does not take the token: it may have expired, or be another account's; Cloud wants email and token,"
            " Server and Data Center a personal access token alone, or user and password",
            id="401",
        ),
        pytest.param(
            (200, {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}, {"issues": [], "isLast": True}),
            "does not take the token: it may have expired, or be another account's; Cloud wants email and token,"
            " Server and Data Center a personal access token alone, or user and password",
            id="an empty list for somebody unknown",
        ),
        pytest.param(
            (403, {"X-Seraph-LoginReason": "AUTHENTICATION_DENIED"}, {}),
            "wants a CAPTCHA after failed log-ins: log in once with a browser as this user, then run it again",
            id="CAPTCHA",
        ),
        pytest.param(
            (403, {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=https://jira/login.jsp"}, ""),
            "wants a CAPTCHA after failed log-ins: log in once with a browser as this user, then run it again",
            id="CAPTCHA of Server",
        ),
        pytest.param(
            (403, {}, {"errorMessages": ["You have no seat"]}),
            ": search/jql: not allowed (You have no seat): give the account the right to read it",
            id="403",
        ),
        pytest.param(
            (200, HTML, LOGIN),
            "answered search/jql with a page for people: check the source's url (with its path, such as"
            " https://example.org/jira), and whether a single sign-on stands before it that a token does not pass",
            id="a log-in page",
        ),
        pytest.param(
            (410, {}, {"errorMessages": ["The requested API has been removed."]}),
            ": search/jql is not there, or not for this account (The requested API has been removed.): check the source's url;"
            " check that it is there and not archived, and that the account may browse it",
            id="410",
        ),
    ],
)
def test_a_lasting_fault_is_one_sentence_and_what_was_read_stays(line, fault, said):
    faults = []
    one = line(lambda jira, *asked: faults[0] if faults and asked[1].endswith("search/jql") else jira.handle(*asked))
    one.busy(2, 1)
    one.collect()
    before = one.shelf.everything()
    faults.append(fault)
    outcome = one.collect()
    assert outcome.error.replace(" ", "").endswith(said.replace(" ", ""))
    assert "\n" not in outcome.error
    assert "a-token" not in outcome.error
    assert one.shelf.everything() == before
    faults.clear()
    one.jira.move("10001", "5")
    assert (one.collect().error, one.rows("tickets")[0]["status"]) == (None, "Done")


def test_a_server_that_is_down_for_long_ends_in_a_sentence(line):
    one = line(lambda jira, *asked: (503, {}, ""))
    outcome = one.collect()
    host = one.peer.url.removeprefix("http://")
    assert outcome.error == (
        f"{host} answered serverInfo with 503, 6 times; what was read before is saved: run it again when the server is well"
    )
    assert len(one.pauses) == 5


def test_a_machine_that_nobody_knows_is_one_sentence(line):
    outcome = line().collect(url="https://jira.invalid")
    assert outcome.error == "jira.invalid: no machine has this name (DNS): check the source's url, and the network"


def test_a_redirect_to_a_log_in_page_is_one_sentence(line):
    def away(jira, method, path, *rest):
        return (200, HTML, LOGIN) if path == "/login" else (302, {"Location": "/login"}, "")

    assert "with a page for people" in line(away).collect().error


def test_the_budget_of_a_run_is_kept_and_the_next_run_goes_on(line, monkeypatch):
    monkeypatch.setattr("collectors.jira.search.BATCH", 10)
    one = line(page=10)
    one.busy(300, 1)
    outcome = one.collect(max_requests=20)
    assert outcome.error.startswith("max_requests allows 20 a run, and they are used up")
    assert len(one.peer.requests) == 20
    read = len(one.rows("tickets"))
    assert 0 < read < 100
    for _ in range(5):
        outcome = one.collect(max_requests=20)
    assert len(one.rows("tickets")) > read
    assert one.collect().error is None
    assert len(one.rows("tickets")) == 300


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param({"email": "ann@example.org"}, "Basic " + base64.b64encode(b"ann@example.org:a-token").decode(), id="Cloud"),
        pytest.param({"user": None}, "Bearer a-token", id="personal access token"),
    ],
)
def test_an_account_signs_in_as_its_jira_wants_it(line, keys, expected):
    one = line(cloud="email" in keys)
    keys = {key: value for key, value in keys.items() if value is not None}
    one.collect(**keys)
    assert {request.headers["Authorization"] for request in one.peer.requests} == {expected}
    assert {request.headers["User-Agent"] for request in one.peer.requests} == {"value-stream-dashboard"}


def test_a_collector_that_is_made_asks_nothing_and_its_words_hold_no_secret(line):
    one = line()
    collector = one.collector()
    assert collector.scope() == f"PAY at {one.peer.url}"
    harvest(one.shelf.engine, [collector], one.silent)
    assert "a-token" not in repr(collector) + repr(collector.client)
    one.peer.forget()
    one.collector()
    assert one.peer.requests == []


def test_an_answer_that_is_no_list_of_issues_is_one_sentence(line):
    one = line(failing([(200, {}, {"total": 0})] * 9))
    assert one.collect().error.endswith("a search answers without issues: check the source's url, and that it is a Jira")


def test_bodies_of_questions_are_json(line):
    one = line()
    one.busy(1, 1)
    one.collect()
    asked = next(request for request in one.peer.requests if request.path.endswith("bulkfetch"))
    assert json.loads(asked.body) == {
        "issueIdsOrKeys": ["10001"],
        "fieldIds": ["status", "assignee", "priority", "fixVersions", "resolution", "customfield_10020", "customfield_10021"],
        "maxResults": 10_000,
    }


def test_where_histories_of_many_issues_are_refused_each_issue_is_asked_for_its_own(line):
    one = line(failing([(400, {}, {"errorMessages": ["The field is not visible."]})], "changelog/bulkfetch"))
    one.busy(3, 2)
    assert one.collect().error is None
    assert len(one.rows("transitions")) == 9
    assert [path for path in one.asked if path.endswith("/changelog")] == [
        f"issue/{number}/changelog" for number in (10001, 10002, 10003)
    ]
