"""The way to a source: only to the host that is configured, never to a cloud's metadata, and no token in the clear."""

import pytest
import requests

from collectors import way
from collectors.base import CollectorError, Context
from collectors.github.collector import GitHubCollector
from collectors.github.connection import connection
from collectors.jenkins.client import Client as Jenkins
from collectors.jenkins.collector import JenkinsCollector
from collectors.jira.client import Client as Jira
from collectors.jira.collector import JiraCollector
from collectors.patience import Patience
from vsm.errors import ConfigError

KINDS = {
    "github": (GitHubCollector, {"repositories": ["a/b"]}),
    "jira": (JiraCollector, {"projects": ["PAY"]}),
    "jenkins": (JenkinsCollector, {"user": "ci"}),
}


def configured(kind, tmp_path, **keys):
    collector, more = KINDS[kind]
    return collector.configured({"name": kind, "token": "env:A_TOKEN", **more, **keys}, Context(tmp_path))


@pytest.fixture(autouse=True)
def a_token(monkeypatch):
    monkeypatch.setenv("A_TOKEN", "the-token-itself")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[fd00:ec2::254]", "[fe80::1]", "[::ffff:169.254.169.254]", "2852039166", "0xa9fea9fe", "169.254.43518",
     "metadata.google.internal", "100.100.100.200"],
)  # fmt: skip
def test_a_clouds_metadata_is_no_source_however_it_is_written(kind, host, tmp_path):
    with pytest.raises(ConfigError, match="link-local"):
        configured(kind, tmp_path, url=f"https://{host}/api/v3")


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_goes_over_plain_http_only_to_this_machine_or_where_that_is_said(kind, tmp_path):
    with pytest.raises(ConfigError, match="in the clear") as refused:
        configured(kind, tmp_path, url="http://tools.example.org")
    assert "the-token-itself" not in str(refused.value)
    configured(kind, tmp_path, url="http://tools.example.org", plain_http=True)
    configured(kind, tmp_path, url="http://127.0.0.1:8080")
    configured(kind, tmp_path, url="http://localhost:8080")
    configured(kind, tmp_path, url="https://10.0.0.5")  # internal servers are usual


def test_a_name_that_leads_to_metadata_is_refused_when_it_is_asked():
    with pytest.raises(CollectorError, match="gives out credentials"):
        way.checked("harmless.example.org", lambda host: ["10.0.0.1", "169.254.169.254"])
    way.checked("harmless.example.org", lambda host: ["10.0.0.1"])


ASK = {
    "jira": lambda url: Jira(url, Patience("a", tries=1), user="ann", token=_secret()).get("myself"),
    "jenkins": lambda url: Jenkins(url, "ann", _secret(), Patience("a", tries=1)).server("mode"),
    "github": lambda url: _github(url),
}


def _secret():
    from collectors.credentials import secret

    return secret("env:A_TOKEN", "token")


def _github(url):
    asked = connection(url, 5)
    asked.request("GET", "/user", None, {"Authorization": "token the-token-itself"})
    return asked.getresponse()


@pytest.mark.parametrize("kind", ASK)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_is_refused_and_the_other_one_is_never_asked(kind, status, served):
    other = served(lambda *asked: (200, {}, {"stolen": True}))
    strange = other.url.replace("127.0.0.1", "localhost")  # another name, a real server
    first = served(lambda *asked: (status, {"Location": f"{strange}/x"}, None))
    with pytest.raises(CollectorError, match="sends us to http://localhost"):
        ASK[kind](first.url)
    assert other.requests == []
    assert len(first.requests) == 1


def test_a_redirect_on_the_same_host_is_followed_and_one_from_https_to_http_is_not(served):
    peer = served(lambda method, path, *asked: (200, {}, {}) if path == "/there" else (302, {"Location": "/there"}, None))
    session = requests.Session()
    way.guard(session, peer.url)
    assert session.get(f"{peer.url}/here").status_code == 200
    with pytest.raises(CollectorError, match="sends us to http://"):
        way.Guard(peer.url.replace("http:", "https:")).send(requests.Request("GET", peer.url).prepare())
