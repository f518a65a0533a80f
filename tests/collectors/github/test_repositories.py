"""Which repositories are read: by name, pattern, organisation and topic; and what a doctor finds of them."""

import pytest
from github_graphql import at, commit, pull, repository

from collectors.base import Check, Context
from collectors.github.collector import GitHubCollector


def topic(*names: str) -> list[dict]:
    """A repository's topics."""
    return [{"topic": {"name": name}} for name in names]


def several():
    """Repositories of two owners."""
    told = [
        ("acme/shop", {"repositoryTopics": topic("live", "web")}),
        ("acme/web-one", {}),
        ("acme/web-two", {"isArchived": True}),
        ("acme/web-fork", {"isFork": True}),
        ("acme/tool", {"repositoryTopics": topic("live")}),
        ("other/shop", {}),
    ]
    head = commit("a" * 40, at(0))
    return [repository(name, number, [pull(1, at(1))], head, **more) for number, (name, more) in enumerate(told, 1)]


def read(shelf) -> list[str]:
    """The repositories of which something was read."""
    return sorted({row["repository"] for row in shelf.rows("pull_requests")})


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"repositories": ["acme/shop"]}, ["acme/shop"]),
        ({"repositories": ["ACME/Shop", "acme/shop"]}, ["acme/shop"]),
        ({"repositories": ["acme/web-fork"]}, ["acme/web-fork"]),
        ({"repositories": ["acme/web-*"]}, ["acme/web-one", "acme/web-two"]),
        ({"repositories": ["acme/web-*", "other/shop"], "exclude": ["*/web-two"]}, ["acme/web-one", "other/shop"]),
        ({"organisations": ["acme"]}, ["acme/shop", "acme/tool", "acme/web-one", "acme/web-two"]),
        ({"organisations": ["acme", "other"], "topics": ["live"]}, ["acme/shop", "acme/tool"]),
        ({"organisations": ["acme"], "topics": ["web"], "repositories": ["other/shop"]}, ["acme/shop", "other/shop"]),
    ],
)
def test_the_repositories_that_are_meant_are_read(shelf, github, keys, expected, refuses):
    peer, server = github(several())
    peer.refuses = refuses
    outcome = shelf.collect(server.url, **({"repositories": None} | keys))
    assert outcome.error is None
    assert read(shelf) == expected


def test_many_repositories_are_listed_a_hundred_at_once(shelf, github):
    _, server = github([repository(f"acme/r{number:03}", number + 1, head=commit("a" * 40, at(0))) for number in range(250)])
    outcome = shelf.collect(server.url, repositories=["acme/r00*"])
    assert outcome.error is None
    assert server.count("/graphql") == 3 + 10
    assert len(shelf.rows("repositories")) == 10


@pytest.mark.parametrize("refuses", [False, True])
def test_an_owner_who_is_not_there_is_a_sentence_and_the_others_are_read(shelf, github, refuses):
    peer, server = github(several())
    peer.refuses = refuses
    outcome = shelf.collect(server.url, repositories=None, organisations=["nobody", "other"])
    assert (outcome.error, read(shelf)) == (None, ["other/shop"])
    (warning,) = outcome.warnings
    assert warning.startswith("nobody: ")
    assert "check the name" in warning


def test_the_scope_says_in_words_what_is_read(tmp_path):
    def scope(**keys) -> str:
        return GitHubCollector.configured(keys, Context(tmp_path)).scope()

    assert scope(repositories=["acme/shop"]) == "acme/shop at https://api.github.com"
    assert scope(organisations=["acme"], topics=["live"], exclude=["acme/old"], url="https://ghe.example/api/v3/") == (
        "acme/* with topic live, without forks and acme/old at https://ghe.example/api/v3"
    )


def test_a_repository_is_told_with_its_branch_head_and_application(shelf, github):
    _, server = github(several())
    shelf.collect(server.url, application="checkout")
    assert shelf.rows("repositories") == [
        {
            "name": "acme/shop",
            "url": "https://github.example/acme/shop",
            "default_branch": "main",
            "application": "checkout",
            "head_sha": "a" * 40,
        }
    ]


def test_what_a_clone_told_of_a_repository_stays(shelf, github):
    from vsm import store
    from vsm.models import Repository

    row = {"name": "acme/shop", "url": "git@github.example:acme/shop", "default_branch": "trunk", "head_sha": "b" * 40}
    with store.transaction(shelf.engine) as connection:
        store.save(connection, Repository, [row], origin="git")
    _, server = github(several())
    shelf.collect(server.url, application="checkout")
    assert shelf.rows("repositories") == [row | {"application": "checkout"}]


def test_an_owners_repositories_on_the_emulator_are_read_by_a_github_app(shelf, emulate, monkeypatch):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*formats).decode()
    monkeypatch.setenv("APP_KEY", key.replace("\n", "\\n"))  # as many a secret store gives it
    installed = [{"installation_id": 100, "account": "octocat"}]
    app = {"app_id": 7, "slug": "harvest", "name": "Harvest", "private_key": key, "installations": installed}
    github = emulate("octocat/shop", "octocat/tool", "hubot/other", apps=[app])
    told = {"repositories": ["octocat/*"], "token": None, "app_id": 7, "installation_id": 100, "private_key": "env:APP_KEY"}
    outcome = shelf.collect(github.url, **told)
    assert outcome.error is None
    assert [row["name"] for row in shelf.rows("repositories")] == ["octocat/shop", "octocat/tool"]
    assert sum("access_tokens" in request for request in github.requests) == 1
    wrong = shelf.collect(github.url, **told | {"installation_id": 9})
    assert "gives the GitHub App no token" in wrong.error
    monkeypatch.setenv("APP_KEY", "not a key")
    wrong = shelf.collect(github.url, **told)
    assert "private_key: not the private key of a GitHub App" in wrong.error
    assert "not a key" not in wrong.error


# What a doctor finds.


def examined(server, tmp_path, **keys) -> list[Check]:
    """The checks of a source."""
    told = {"url": server.url, "token": "env:GITHUB_TOKEN", "repositories": ["acme/shop"], **keys}
    return list(GitHubCollector.configured(told, Context(tmp_path)).checks())


def test_a_source_that_is_well_is_said_to_be(github, served, tmp_path):
    peer, _ = github(several())

    def handle(method, path, query, headers, body):
        if path == "/rate_limit":
            return 200, {}, {"resources": {"core": {"limit": 5000, "remaining": 4321}}}
        if path == "/user":
            return 200, {"X-OAuth-Scopes": "repo, gist"}, {"login": "ann"}
        status, more, answer = peer(method, path, query, headers, body)
        return status, {name: value for name, value in more.items() if name != "Date"}, answer

    server = served(handle)
    assert examined(server, tmp_path, repositories=["acme/shop", "acme/gone", "acme/web-*"]) == [
        Check("sign-in", True, "ann, by a token with the scopes repo, gist"),
        Check("rate limit", True, "4,321 of 5,000 requests left"),
        Check("clock", True, "as the server's"),
        Check("GraphQL", True, "there"),
        Check("acme/shop", True, "can be read"),
        Check(
            "acme/gone",
            False,
            "cannot be read",
            f"{server.url.removeprefix('http://')}: /repos/acme/gone: it is not there, or not for this token:"
            " check the name, and the token's rights",
        ),
        Check("acme", True, "2 repositories are meant"),
    ]


def test_what_is_not_well_has_a_remedy(served, tmp_path):
    def handle(method, path, query, headers, body):
        late = {"Date": "Mon, 01 Jan 2024 00:00:00 GMT"}
        if path == "/rate_limit":
            return 200, late, {"resources": {"core": {"limit": 5000, "remaining": 12}}}
        if path == "/user":
            return 200, late | {"X-OAuth-Scopes": "gist"}, {"login": "ann"}
        if path == "/repos/acme/shop":
            return 200, late, {"full_name": "acme/store"}
        return 404, late, {"message": "Not Found"}

    checks = {check.what: check for check in examined(served(handle), tmp_path)}
    assert [checks[name].well for name in ("sign-in", "rate limit", "clock", "GraphQL", "acme/shop")] == [
        None,
        False,
        False,
        None,
        None,
    ]
    assert all(check.remedy for check in checks.values())
    assert checks["acme/shop"].said == "is now acme/store"


def test_the_names_of_environments_and_workflows_make_a_proposal(served, tmp_path):
    def handle(method, path, query, headers, body):
        if path.endswith("/environments"):
            return 200, {}, {"environments": [{"name": name} for name in ("prod-eu", "staging", "pre-prod", "live")]}
        if path.endswith("/workflows"):
            return 200, {}, {"workflows": [{"name": name} for name in ("CI", "Deploy to prod", "Release")]}
        return 404, {}, {"message": "Not Found"}

    told = {"url": served(handle).url, "repositories": ["acme/shop"], "name": "forge"}
    said = GitHubCollector.configured(told, Context(tmp_path)).proposal()
    assert said == "\n".join(
        [
            "[production]",
            'environments = ["live", "prod-eu"]',
            "",
            '# in the source "forge":',
            '# deploy_workflows = ["^Deploy\\\\ to\\\\ prod$", "^Release$"]',
            "",
        ]
    )
    import tomllib

    assert tomllib.loads(said) == {"production": {"environments": ["live", "prod-eu"]}}
