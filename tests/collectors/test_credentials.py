"""Secrets: named in the configuration, kept elsewhere, shown nowhere."""

import sys
from types import SimpleNamespace

import pytest

from collectors.credentials import hidden, secret, setting
from vsm import secrecy
from vsm.errors import ConfigError


def test_a_secret_comes_from_the_environment_and_never_shows_itself(monkeypatch):
    monkeypatch.setenv("A_TOKEN", " s3cret-value \n")
    found = secret("env:A_TOKEN", "source github: token")
    assert found.reveal() == "s3cret-value"
    assert "s3cret" not in f"{found} {found!r} {[found]}"
    assert hidden("GET https://x/?token=s3cret-value failed") == "GET https://x/?token=*** failed"


def test_a_short_secret_is_hidden_as_a_word_and_cuts_no_other_word(monkeypatch):
    monkeypatch.setenv("A_TOKEN", "old")
    secret("env:A_TOKEN", "source github: token").reveal()

    assert hidden("it was told by ?token=old&page=2, an older one") == "it was told by ?token=***&page=2, an older one"


@pytest.mark.parametrize("told", ["ghp_abcdef", "", "env:", "vault:x", 5, None, ["env:A"]])
def test_a_secret_in_the_configuration_is_refused_without_being_repeated(told):
    with pytest.raises(ConfigError) as refused:
        secret(told, "source github: token")
    assert str(refused.value).startswith("source github: token: a secret may not stand in the configuration; expected")
    assert "ghp_abcdef" not in str(refused.value)


@pytest.mark.parametrize("told", ["keyring:vsm", "keyring:vsm/", "keyring:/ann"])
def test_a_place_in_the_keyring_has_a_service_and_a_user(told):
    with pytest.raises(ConfigError, match='token: expected "keyring:service/user", but there is no user'):
        secret(told, "token")


def test_a_missing_variable_is_named_when_a_request_needs_it(monkeypatch):
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    found = secret("env:NO_SUCH_TOKEN", "source jira: token")
    with pytest.raises(ConfigError, match=r"source jira: token: the environment variable NO_SUCH_TOKEN is not set"):
        found.reveal()


class Keyring(SimpleNamespace):
    """A keyring with one entry."""

    def get_password(self, service: str, user: str) -> str | None:
        if service == "broken":
            raise RuntimeError("no backend")
        return "from-the-ring" if (service, user) == ("vsm", "jira") else None


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("keyring:vsm/nobody", "the keyring has nothing for vsm/nobody; put it there with: keyring set vsm nobody"),
        ("keyring:broken/x", "the keyring does not answer (RuntimeError); use env:NAME"),
    ],
)
def test_a_keyring_that_has_it_not_is_a_sentence(monkeypatch, told, sentence):
    monkeypatch.setitem(sys.modules, "keyring", Keyring())
    with pytest.raises(ConfigError) as refused:
        secret(told, "token").reveal()
    assert sentence in str(refused.value)


def test_a_keyring_gives_what_it_has_and_its_absence_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", Keyring())
    assert secret("keyring:vsm/jira", "token").reveal() == "from-the-ring"
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="the keyring is an extra"):
        secret("keyring:vsm/jira", "token").reveal()


def test_what_is_no_secret_may_stand_in_the_configuration(monkeypatch):
    monkeypatch.setenv("A_USER", "builder")
    assert (setting("ann", "user").reveal(), setting("env:A_USER", "user").reveal()) == ("ann", "builder")


@pytest.mark.parametrize("told", [5, "", " ", "env:", None])
def test_what_can_be_no_value_is_refused_before_anything_is_asked(told):
    with pytest.raises(ConfigError, match='user: expected text, or "env:NAME" for an environment variable'):
        setting(told, "user")


def test_a_value_whose_variable_is_not_set_is_missed_only_when_it_is_needed(monkeypatch):
    monkeypatch.delenv("NO_SUCH_USER", raising=False)
    found = setting("env:NO_SUCH_USER", "source jenkins: user")
    with pytest.raises(ConfigError, match=r"^source jenkins: user: the environment variable NO_SUCH_USER is not set; set it"):
        found.reveal()


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    monkeypatch.setattr(secrecy, "_known", set())
