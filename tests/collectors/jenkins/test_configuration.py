"""What a Jenkins source may say in the configuration, and the sentence for what it may not."""

from pathlib import Path

import pytest

from collectors.base import Collector, Context, Examines, Tells
from collectors.jenkins.collector import JenkinsCollector
from collectors.sources import collectors
from vsm.config import Config, ConfigError, Source

URL = "https://ci.example.org"


def source(**keys: object) -> JenkinsCollector:
    return JenkinsCollector.configured({"url": URL, **keys}, Context(Path()))


def test_a_source_is_found_by_its_kind():
    config = Config(
        sources=(Source(kind="jenkins", name="ci", keys={"url": URL, "jobs": ["^shop/.*"], "deploy_jobs": ["deploy"]}),)
    )
    found: Collector = collectors(config, (), Context(Path()))[0]
    assert isinstance(found, JenkinsCollector)
    assert isinstance(found, Tells)
    assert isinstance(found, Examines)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"job": ["x"]}, "source jenkins: no such key: job; a jenkins source has url, user, token, jobs, "),
        ({"url": None}, 'source jenkins: url: expected the address of Jenkins, such as "https://ci.example.org", got None'),
        ({"url": "ci.example.org"}, "source jenkins: url: expected the address of Jenkins"),
        ({"url": "https://ci:port"}, "source jenkins: url: expected the address of Jenkins"),
        ({"url": "ftp://ci"}, "source jenkins: url: expected the address of Jenkins"),
        ({"url": "https://ann:pw@ci"}, "source jenkins: url: no user or password may stand in it; give user and token"),
        ({"url": "https://ci/?view=all"}, "source jenkins: url: expected the address alone"),
        ({"user": "ann"}, "source jenkins: user and token go together"),
        ({"user": "ann", "token": "11aa22"}, "source jenkins: token: a secret may not stand in the configuration"),
        ({"jobs": "^shop"}, "source jenkins: jobs: expected a list of regular expressions, such as [\"^shop/.*\"], got '^shop'"),
        ({"jobs": []}, "source jenkins: jobs: expected a list of regular expressions"),
        ({"jobs": [1]}, "source jenkins: jobs: expected a regular expression, got 1"),
        ({"exclude_jobs": ["("]}, "source jenkins: exclude_jobs: '(' is no regular expression: missing ), unterminated subpattern"),
        ({"deploy_jobs": ["*"]}, "source jenkins: deploy_jobs: '*' is no regular expression: nothing to repeat"),
        ({"deploy_stages": ["(?P<environment"]}, "source jenkins: deploy_stages: '(?P<environment' is no regular expression"),
        (
            {"deploy_parameters": ["ENV"]},
            'source jenkins: deploy_parameters: expected names with expressions, such as { ENV = "^prod" }',
        ),
        ({"deploy_parameters": {"ENV": "["}}, "source jenkins: deploy_parameters.ENV: '[' is no regular expression"),
        ({"deploy_stages": ["x"], "stages": False}, "source jenkins: deploy_stages asks for stages, but stages = false"),
        ({"stages": "yes"}, "source jenkins: stages: expected true or false, got 'yes'"),
        ({"unstable": "warning"}, 'source jenkins: unstable: expected "success" or "failure", got \'warning\''),
        ({"application": ""}, "source jenkins: application: expected text, got ''"),
        ({"max_requests": 5}, "source jenkins: max_requests: expected a number of at least 10, got 5"),
        ({"max_requests": True}, "source jenkins: max_requests: expected a number of at least 10, got True"),
    ],
)
def test_a_mistake_is_one_sentence(keys, said):
    with pytest.raises(ConfigError) as error:
        source(**keys)
    assert str(error.value).startswith(said)
    assert "11aa22" not in str(error.value)


def test_user_may_stand_in_the_configuration_and_the_token_may_not(monkeypatch):
    monkeypatch.setenv("CI_TOKEN", "t0ken-t0ken")
    monkeypatch.setenv("CI_USER", "ann")
    assert source(user="ben", token="env:CI_TOKEN").client.user == "ben"
    assert source(user="env:CI_USER", token="env:CI_TOKEN").client.user == "ann"
    assert "t0ken" not in repr(source(user="ann", token="env:CI_TOKEN"))


def test_what_is_not_in_the_environment_is_missed_when_the_server_is_asked(monkeypatch):
    monkeypatch.setenv("CI_USER", "ann")
    with pytest.raises(ConfigError, match=r"^source jenkins: user: the environment variable NO_SUCH_VARIABLE is not set"):
        source(user="env:NO_SUCH_VARIABLE", token="env:NO_SUCH_TOKEN").scope()
    with pytest.raises(ConfigError, match=r"^source jenkins: token: the environment variable NO_SUCH_TOKEN is not set"):
        source(user="env:CI_USER", token="env:NO_SUCH_TOKEN").scope()


def test_stages_are_asked_for_where_a_rule_goes_by_them():
    assert [source(**keys).settings.stages for keys in ({}, {"deploy_stages": ["x"]}, {"stages": True})] == [False, True, True]
