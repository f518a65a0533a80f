"""GitHub over HTTP: every answer, and every lack of one, ends in data, another attempt, a wait, or one sentence."""

import json
import logging

import pytest
from github import Auth

from collectors.base import Blocked, CollectorError
from collectors.credentials import hidden
from collectors.github.client import (
    PUBLIC,
    Client,
    GraphQLRefused,
    NotAllowed,
    NotThere,
    Size,
    TooMuch,
)  # fmt: skip
from collectors.github.connection import Unreachable
from collectors.patience import Patience

RESET = {"X-RateLimit-Remaining": "0", "X-RateLimit-Limit": "5000"}
LIMIT = {"message": "API rate limit exceeded for user ID 1."}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
WELL = (200, {}, {"login": "ann"})
GIVEN = (200, {}, {"data": {"viewer": {"login": "ann"}}})


class Line:
    """Answers one after the other, and then the last one again."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)

    def __call__(self, method, path, query, headers, body):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def asks(served):
    """A client of a server that gives these answers: `client, server, pauses = asks(answer, …)`."""

    def start(*answers, handler=None, **told):
        server = served(handler or Line(*answers))
        pauses: list[float] = []
        patience = Patience("github", pause=pauses.append, wall=lambda: 1000.0, **told.pop("patience", {}))
        told = {"auth": Auth.Token("ghp_secret"), "reserve": 0, "timeout": 1, **told}
        return Client(patience, server.url + told.pop("base", ""), **told), server, pauses

    return start


def test_an_answer_is_plain_json_with_its_headers_in_lower_case_and_the_servers_time(asks):
    client, server, _ = asks((200, {"Date": "Mon, 02 Mar 2026 09:00:00 GMT", "X-Thing": "a"}, {"login": "ann"}))
    answer = client.rest("/user", {"per_page": 100, "full": True})
    assert (answer.status, answer.data, answer.headers["x-thing"]) == (200, {"login": "ann"}, "a")
    assert answer.date.isoformat() == client.date.isoformat() == "2026-03-02T09:00:00+00:00"
    (request,) = server.requests
    assert (request.path, request.query) == ("/user", {"per_page": ["100"], "full": ["true"]})
    assert request.headers["Authorization"] == "token ghp_secret"
    assert request.headers["User-Agent"] == "value-stream-dashboard"


def test_text_is_utf_8_even_where_the_server_does_not_say_so(asks):
    client, _, _ = asks((200, {"Content-Type": "application/json"}, '{"title": "Grüße — 東京"}'.encode()))
    assert client.rest("/x").data == {"title": "Grüße — 東京"}


def test_the_pages_of_a_list_are_followed_by_their_link_on_this_server_alone(asks):
    link = '<https://elsewhere.example/api/v3/repositories/1/pulls?page=2&state=all>; rel="next", <x>; rel="last"'
    client, server, _ = asks((200, {"Link": link}, [1, 2]), (200, {}, [3]), base="/api/v3")
    assert list(client.listed("/repos/acme/shop/pulls", {"state": "all"})) == [[1, 2], [3]]
    assert [(request.path, request.query.get("page")) for request in server.requests] == [
        ("/api/v3/repos/acme/shop/pulls", None),
        ("/api/v3/repositories/1/pulls", ["2"]),
    ]
    assert server.requests[1].query["state"] == ["all"]


def test_a_list_in_an_envelope_is_taken_out_of_it(asks):
    client, _, _ = asks((200, {}, {"total_count": 1, "workflow_runs": [{"id": 1}]}))
    assert list(client.listed("/runs", key="workflow_runs")) == [[{"id": 1}]]


def test_what_is_unchanged_costs_nothing(asks):
    client, server, _ = asks((304, {"ETag": '"a"'}, None))
    answer = client.rest("/x", etag='"a"')
    assert (answer.status, answer.data, answer.etag) == (304, None, '"a"')
    assert server.requests[0].headers["If-None-Match"] == '"a"'


def test_a_renamed_repository_is_followed_with_the_query(asks):
    client, server, _ = asks((301, {"Location": "/repositories/1/pulls"}, {}), (200, {}, []))
    client.rest("/repos/acme/old/pulls", {"state": "all"})
    assert (server.requests[1].path, server.requests[1].query) == ("/repositories/1/pulls", {"state": ["all"]})


@pytest.mark.parametrize("where", ["https://elsewhere.example/x", "http://127.0.0.1:1/x"])
def test_nobody_is_followed_to_another_server(asks, where):
    client, server, _ = asks((302, {"Location": where}, {}))
    with pytest.raises(CollectorError, match=r"sends us to .*: if that is right, make it the source's url"):
        client.rest("/x")
    assert len(server.requests) == 1


def test_a_circle_of_redirects_ends(asks):
    client, _, _ = asks((301, {"Location": "/x"}, {}))
    with pytest.raises(CollectorError, match="sends us from one place to the next"):
        client.rest("/x")


@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        ((403, {"Retry-After": "2"}, SECONDARY), 2),
        ((403, {}, SECONDARY), 60),
        ((403, RESET | {"X-RateLimit-Reset": "1040"}, LIMIT), 41),
        ((429, {"Retry-After": "3"}, {}), 3),
        ((429, RESET | {"X-RateLimit-Reset": "1010"}, {}), 11),
        ((429, {}, {}), 60),
        ((502, {}, "<html>"), 1),
        ((500, {}, {"message": "Server Error"}), 1),
        ((503, {"Retry-After": "7"}, {}), 7),
        ((202, {}, {}), 1),
        (None, 1),
        ((200, {}, '{"login": "an'), 1),
        ((200, {"Content-Length": "500"}, '{"login": "an'), 1),
    ],
)
def test_what_may_pass_is_asked_again_after_the_pause_that_the_server_asks_for(asks, fault, pause):
    client, server, pauses = asks(fault, WELL)
    assert client.rest("/user").data == {"login": "ann"}
    assert len(server.requests) == client.patience.made == 2
    assert pauses == [pytest.approx(pause, rel=0.3)]


def test_a_server_that_does_not_answer_in_time_is_asked_again(asks):
    import threading

    gate = threading.Event()

    def slow(method, path, query, headers, body):
        if not gate.is_set():
            gate.set()
            threading.Event().wait(1.5)
        return WELL

    client, _, pauses = asks(handler=slow)
    assert client.rest("/user").data == {"login": "ann"}
    assert len(pauses) == 1


@pytest.mark.parametrize("ask", ["rest", "graphql"])
def test_a_long_wait_parks_the_source_until_then(asks, ask):
    client, server, pauses = asks((403, RESET | {"X-RateLimit-Reset": "4600"}, LIMIT))
    with pytest.raises(Blocked, match="asks to wait until 1970-01-01 01:16 UTC") as blocked:
        client.rest("/user") if ask == "rest" else client.graphql("{ viewer { login } }", {})
    assert blocked.value.until.timestamp() == 4601
    assert (len(server.requests), pauses) == (1, [])


def test_the_last_requests_of_the_rate_limit_are_left_to_others(asks):
    headers = {
        "X-RateLimit-Remaining": "99",
        "X-RateLimit-Limit": "5000",
        "X-RateLimit-Reset": "4600",
        "X-RateLimit-Resource": "core",
    }
    client, server, _ = asks((200, headers, {}), reserve=100)
    client.rest("/user")
    with pytest.raises(Blocked, match=r"allows 99 more requests for now, and 100 are left to others \(key reserve\)"):
        client.rest("/user")
    assert len(server.requests) == 1
    other, server, _ = asks((200, headers | {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "9"}, {}), reserve=100)
    other.rest("/user"), other.rest("/user")
    assert len(server.requests) == 2  # of sixty a tenth


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_stays_ill_is_given_up_with_a_sentence(asks, status):
    client, server, pauses = asks((status, {}, {}))
    with pytest.raises(CollectorError, match=f"answered /user with {status}, 6 times; what was read before is saved"):
        client.rest("/user")
    assert len(server.requests) == 6
    assert len(pauses) == 5


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((401, {}, {"message": "Bad credentials"}), Unreachable, "does not take the token (Bad credentials): it may have expired"),
        (
            (403, {"X-GitHub-SSO": "required; url=https://x"}, {"message": "x"}),
            NotAllowed,
            "single sign-on (SAML): authorise the token",
        ),
        (
            (403, {"X-Accepted-GitHub-Permissions": "pull_requests=read"}, {"message": "Resource not accessible"}),
            NotAllowed,
            "the token lacks a right (Resource not accessible): give it pull_requests: read",
        ),
        (
            (403, {"X-OAuth-Scopes": "gist, user", "X-Accepted-OAuth-Scopes": "repo"}, {"message": "Forbidden"}),
            NotAllowed,
            "the token has the scopes gist, user, and this needs one of repo",
        ),
        (
            (
                403,
                {},
                {"message": "Although you appear to have the correct authorization, the organization has an IP allow list enabled"},
            ),
            NotAllowed,
            "IP allow list does not have this machine",
        ),
        ((403, {}, {"message": "Forbidden"}), NotAllowed, "not allowed (Forbidden)"),
        (
            (404, {}, {"message": "Not Found"}),
            NotThere,
            "is not there, or not for this token: check the name, and the token's rights",
        ),
        ((410, {}, {"message": "Issues are disabled for this repo"}), NotThere, "is gone, or was switched off"),
        ((451, {}, {}), NotThere, "it is blocked for legal reasons"),
        ((409, {}, {"message": "Git Repository is empty."}), NotThere, "the repository is empty"),
        ((422, {}, {"message": "Validation Failed"}), CollectorError, "answered with 422 Validation Failed"),
    ],
)
def test_what_will_not_pass_is_one_sentence_at_once(asks, answer, kind, said):
    client, server, pauses = asks(answer)
    with pytest.raises(CollectorError) as error:
        client.rest("/repos/acme/shop")
    assert type(error.value) is kind
    assert said in str(error.value)
    assert (len(server.requests), pauses) == (1, [])


def test_an_anonymous_client_is_told_to_give_a_token_and_never_asks_graphql(asks):
    client, server, _ = asks((401, {}, {"message": "Requires authentication"}), auth=None)
    with pytest.raises(Unreachable, match="wants to know who we are"):
        client.rest("/user")
    with pytest.raises(GraphQLRefused):
        client.graphql("{ viewer { login } }", {})
    assert [request.path for request in server.requests] == ["/user"]
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://nowhere.invalid", "no machine has this name (DNS): check the source's url"),
        ("http://127.0.0.1:1", "cannot be reached, or ended the connection"),
    ],
)
def test_a_server_that_cannot_be_reached_is_a_sentence(url, said):
    pauses: list[float] = []
    client = Client(Patience("github", pause=pauses.append), url, auth=Auth.Token("ghp_secret"), timeout=2)
    with pytest.raises(CollectorError) as error:
        client.rest("/user")
    assert said in str(error.value)


def test_a_certificate_that_cannot_be_checked_is_a_sentence(served):
    server = served(Line(WELL))
    client = Client(Patience("github"), server.url.replace("http:", "https:"), auth=Auth.Token("ghp_secret"), timeout=2)
    with pytest.raises(Unreachable, match=r"its certificate cannot be checked: .* set REQUESTS_CA_BUNDLE"):
        client.rest("/user")


def test_a_proxy_that_does_not_let_us_through_is_a_sentence(asks, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    client = Client(Patience("github"), "http://forge.example", auth=Auth.Token("ghp_secret"), timeout=2)
    with pytest.raises(Unreachable, match="the proxy does not let us through: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"):
        client.rest("/user")


def test_a_name_that_was_known_a_moment_ago_is_asked_for_again(asks, monkeypatch):
    import requests

    client, _, pauses = asks(WELL)
    client.rest("/user")
    failing = [requests.exceptions.ConnectionError("NameResolutionError: Failed to resolve")]
    real = client._requester.requestJson

    def flaky(*arguments):
        if failing:
            raise failing.pop()
        return real(*arguments)

    monkeypatch.setattr(client._requester, "requestJson", flaky)
    assert client.rest("/user").data == {"login": "ann"}
    assert len(pauses) == 1


# GraphQL.


def test_a_query_is_posted_to_the_servers_own_place(asks):
    client, server, _ = asks(GIVEN, base="/api/v3")
    assert client.graphql("{ viewer { login } }", {"a": 1}) == {"viewer": {"login": "ann"}}
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/graphql")
    assert request.json == {"query": "{ viewer { login } }", "variables": {"a": 1}}


def test_graphql_of_github_itself_has_the_place_that_it_publishes():
    assert Client(Patience("github"), PUBLIC)._requester.graphql_url == "https://api.github.com/graphql"


@pytest.mark.parametrize("kind", ["RATE_LIMITED", "RATE_LIMIT"])
def test_a_rate_limit_that_graphql_tells_with_200_is_waited_for(asks, kind):
    limited = {"errors": [{"type": kind, "message": "API rate limit already exceeded for user ID 1."}]}
    client, server, pauses = asks((200, RESET | {"X-RateLimit-Reset": "1020"}, limited), GIVEN)
    assert client.graphql("{ viewer { login } }", {}) == {"viewer": {"login": "ann"}}
    assert (len(server.requests), pauses) == (2, [21])


def test_parts_that_are_refused_are_warnings_and_the_rest_is_kept(asks):
    errors = [{"type": "FORBIDDEN", "path": ["repository", "deployments"], "message": "Resource not accessible"}]
    client, _, _ = asks((200, {}, {"data": {"repository": {"id": "R"}}, "errors": errors}))
    data = client.graphql("{ x }", {})
    assert data == {"repository": {"id": "R"}}
    assert data.warnings == ("Resource not accessible (FORBIDDEN)",)
    assert data.refused == ("deployments",)


SLOW = [
    (502, {}, "<html>"),
    (504, {}, {"message": "We couldn't respond to your request in time."}),
    (200, {}, {"errors": [{"message": "Something went wrong while executing your query. Please include `ABC`"}], "data": None}),
    (200, {}, {"errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."}]}),
    (200, {}, {"errors": [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": "exceeds the maximum limit of 500,000 nodes"}]}),
]


@pytest.mark.parametrize("fault", SLOW)
def test_a_query_that_was_too_much_is_told_as_such_and_asked_again_only_by_the_patient(asks, fault):
    client, server, pauses = asks(fault, GIVEN)
    with pytest.raises(TooMuch):
        client.graphql("{ x }", {})
    assert pauses == []
    client, server, pauses = asks(fault, GIVEN)
    assert client.graphql("{ x }", {}, patient=True) == {"viewer": {"login": "ann"}}
    assert (len(server.requests), len(pauses)) == (2, 1)


def test_a_size_is_halved_down_to_its_floor_and_grows_back(asks):
    def handle(method, path, query, headers, body):
        first = json.loads(body)["variables"]["first"]
        asked.append(first)
        return GIVEN if first <= 6 or len(asked) > 14 else (502, {}, "")

    asked: list[int] = []
    client, _, pauses = asks(handler=handle)
    size = Size()
    for _ in range(22):
        size.ask(client, "{ x }", {})
    assert asked == [25, 12, *[6] * 10, 12, *[6] * 10, 12, 12]
    assert pauses == []


@pytest.mark.parametrize("status", [403, 404])
def test_a_server_without_graphql_is_remembered(asks, status):
    client, server, _ = asks((status, {}, {"message": "Not Found"}))
    for _ in range(2):
        with pytest.raises(GraphQLRefused):
            client.graphql("{ x }", {})
    assert client.graphql_refused
    assert len(server.requests) == 1


def test_graphql_of_another_version_is_as_none(asks):
    error = {"message": "Field 'isDraft' doesn't exist on type 'PullRequest'", "extensions": {"code": "undefinedField"}}
    client, _, _ = asks((200, {}, {"errors": [error]}))
    with pytest.raises(GraphQLRefused, match="GraphQL of another version"):
        client.graphql("{ x }", {})
    assert client.graphql_refused


def test_an_answer_without_data_is_a_sentence(asks):
    client, _, _ = asks((200, {}, {"errors": [{"message": "Parse error"}]}))
    with pytest.raises(CollectorError, match="GraphQL: Parse error"):
        client.graphql("{ x }", {})


# Signing in.


def test_a_github_app_signs_in_with_a_token_that_it_is_given(asks):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    auth = Auth.AppAuth(7, key.private_bytes(*formats).decode()).get_installation_auth(9)

    def handle(method, path, query, headers, body):
        if path == "/app/installations/9/access_tokens":
            return 201, {}, {"token": "ghs_installed", "expires_at": "2100-01-01T00:00:00Z", "permissions": {}}
        return 200, {}, {"token": headers["Authorization"]}

    client, server, _ = asks(handler=handle, auth=auth)
    assert client.rest("/x").data == client.rest("/x").data == {"token": "token ghs_installed"}
    assert server.count("access_tokens") == 1


def test_a_github_app_that_is_not_installed_there_is_a_sentence(asks):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    auth = Auth.AppAuth(7, key.private_bytes(*formats).decode()).get_installation_auth(9)
    client, _, _ = asks((404, {}, {"message": "Integration not found"}), auth=auth)
    with pytest.raises(Unreachable, match=r"gives the GitHub App no token \(Integration not found\): check app_id"):
        client.rest("/x")


def test_no_secret_is_shown(asks, caplog, monkeypatch):
    from collectors.credentials import secret

    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    token = secret("env:GITHUB_TOKEN", "token").reveal()
    client, _, _ = asks((404, {}, {"message": "no ghp_secret here"}))
    with caplog.at_level(logging.DEBUG, "github"), pytest.raises(NotThere) as error:
        client.rest("/x")
    assert token not in repr(client) + str(error.value) + caplog.text.replace("no ghp_secret here", "")
    assert token not in hidden("no ghp_secret here")


# What the real GitHub answered.


def test_every_answer_that_github_was_recorded_to_give_is_data_or_a_sentence(asks, github_replay):
    from github_replay import exchanges

    first: dict[int, object] = {}
    for one in exchanges():
        if one.method == "GET" and one.status >= 300:
            first.setdefault(one.status, one)
    assert {301, 302, 304, 400, 401, 403, 404} <= set(first)
    client, _, _ = asks((304, {}, first.pop(304).answer))
    assert client.rest("/repos/acme/shop", etag='"a"').data is None
    for status, one in first.items():
        headers = {name: value for name, value in one.headers if name.lower() in ("location", "retry-after")}
        client, _, _ = asks((status, headers, one.answer))
        with pytest.raises(CollectorError) as error:
            client.rest("/repos/acme/shop")
        assert str(error.value).startswith("127.0.0.1")
        assert len(str(error.value)) < 300


def test_a_recorded_list_of_many_pages_is_read_to_its_end(served, github_replay):
    server = github_replay("PaginatedList.testIteration")
    client = Client(Patience("github"), server.url, auth=Auth.Token("ghp_secret"))
    pages = list(client.listed("/repos/openframeworks/openFrameworks/issues", {"per_page": 30}))
    issues = [issue["id"] for page in pages for issue in page]
    assert len(pages) == len(server.requests) == 14
    assert len(issues) == len(set(issues)) == 333
