"""What a Jira source may say in the configuration."""

from datetime import timedelta
from pathlib import Path

import pytest

from collectors.base import Context
from collectors.jira.settings import Scope, settings
from vsm.errors import ConfigError

LEAST = {"url": "https://example.atlassian.net/", "projects": ["PAY", "SHOP", "PAY"]}


def told(**keys):
    """The settings of a source."""
    return settings({key: value for key, value in {**LEAST, **keys}.items() if value is not None}, Context(Path(".")))


def test_the_least_that_a_source_says_is_enough(monkeypatch):
    one = told()
    assert (one.name, one.url, one.user, one.token) == ("jira", "https://example.atlassian.net", None, None)
    assert one.scopes == (Scope("PAY", 'project = "PAY"'), Scope("SHOP", 'project = "SHOP"'))
    assert (one.sweep, one.most, told(sweep=0).sweep) == (timedelta(days=7), None, timedelta())


def test_email_and_token_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("JIRA_EMAIL", "ann@example.org")
    one = told(email="env:JIRA_EMAIL", token="env:JIRA_TOKEN")  # no secret
    assert (one.user.reveal(), repr(one.token)) == ("ann@example.org", "***")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"colour": 1}, "no such key: colour; a jira source has url, email, user, token, projects, jql, incident_types"),
        ({"url": None}, 'url: expected the address of Jira, such as "https://example.atlassian.net", got None'),
        ({"url": "example.org"}, "url: expected the address of Jira, such as \"https://example.atlassian.net\", got 'example.org'"),
        ({"url": "https://ann:pw@example.org"}, "url: no user or password may stand in it"),
        ({"url": "https://example.org/?a=1"}, "url: expected the address alone, without ? or #"),
        ({"projects": None}, 'expected either projects = ["PAY"] or jql = "project = PAY"'),
        ({"jql": "project = PAY"}, 'expected either projects = ["PAY"] or jql = "project = PAY"'),
        ({"projects": []}, "projects: expected text or a list of texts, got []"),
        ({"projects": ['PAY" OR 1']}, "projects: expected keys of projects"),
        ({"projects": None, "jql": "project = PAY ORDER BY rank"}, "jql: expected a query without ORDER BY"),
        ({"token": "geheim"}, "token: a secret may not stand in the configuration"),
        ({"email": "ann@example.org"}, 'email wants a token beside it: token = "env:JIRA_TOKEN"'),
        ({"email": "a", "user": "b", "token": "env:T"}, "either email (Cloud) or user (Server, Data Center), but both are there"),
        ({"application_from": "team"}, 'application_from: expected "component" or "label" or "project", got '),
        ({"application_from": "label", "application": "shop"}, "either application or application_from, but both are there"),
        ({"incident_types": [5]}, "incident_types: expected text or a list of texts, got [5]"),
        ({"boards": [True]}, 'boards: expected a list of ids or names, such as [12, "Payments"], got [True]'),
        ({"sweep": -1}, "sweep: expected a number of at least 0, got -1"),
        ({"max_requests": 5}, "max_requests: expected a number of at least 20, got 5"),
        ({"team_field": ""}, "team_field: expected text, got ''"),
    ],
    ids=str,
)
def test_a_wrong_key_is_refused_with_a_sentence(keys, sentence):
    with pytest.raises(ConfigError) as refused:
        told(**keys)
    assert f"source jira: {sentence}" in str(refused.value)
    assert "geheim" not in str(refused.value)
