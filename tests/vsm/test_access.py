"""Who is let in and as what: every rule of `[sign_in]` and `[access]`, and what is no rule opens nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vsm import access, config, disguise
from vsm.access import NotAllowed, SignedOut, Viewer
from vsm.errors import ConfigError, UsageError

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SIGN_IN = """
[sign_in]
metadata_url = "https://id.example.org/.well-known/openid-configuration"
client_id = "vsm"
address = "https://vsm.example.org"
"""
STREAMS = """
[[streams]]
name = "checkout"
projects = ["PAY"]
groups = ["pay", "leads"]
[[streams]]
name = "platform"
projects = ["PLT"]
groups = ["plt"]
[[streams]]
name = "rest"
"""
ANN = {
    "is_logged_in": True,
    "iat": NOW.timestamp() - 60,
    "email": "Ann@Example.org",
    "email_verified": True,
    "groups": ["pay", "plt"],
}


def told(more: str = "", streams: str = "") -> config.Config:
    return config.parse(SIGN_IN + more + streams, Path("vsm.toml"))


def viewer(configured: config.Config, **claims: object) -> Viewer:
    return access.viewer(configured, {name: value for name, value in (ANN | claims).items() if value is not None}, NOW)


def test_whoever_the_provider_knows_is_a_viewer_of_everything_unless_something_is_said():
    assert viewer(told()) == Viewer("ann@example.org", False, None, NOW - timedelta(seconds=60))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"is_logged_in": False}, SignedOut),
        ({"is_logged_in": "yes"}, SignedOut),
        ({"iat": None}, SignedOut),
        ({"iat": "today"}, SignedOut),
        ({"iat": 1e300}, SignedOut),
        ({"iat": NOW.timestamp() - 12 * 3600}, SignedOut),
        ({"iat": NOW.timestamp() + 3600}, SignedOut),
        ({"email": None}, NotAllowed),
        ({"email": "ann"}, NotAllowed),
        ({"email_verified": None}, NotAllowed),
        ({"email_verified": "true"}, NotAllowed),
    ],
)
def test_who_is_not_signed_in_or_has_no_verified_address_is_not_let_in(claims, why):
    with pytest.raises(why):
        viewer(told(), **claims)


def test_only_addresses_of_the_allowed_domains_come_in():
    configured = told('email_domains = ["example.org", "@Example.com"]')
    assert viewer(configured, email="bob@EXAMPLE.com").name == "bob@example.com"
    for address in ("bob@evil-example.org", "bob@example.org.evil", "bob@example.org@evil.com", "bob@sub.example.org"):
        with pytest.raises(NotAllowed, match="not for addresses of your domain"):
            viewer(configured, email=address)


@pytest.mark.parametrize(("groups", "allowed"), [(["staff"], True), ("staff", True), (["Staff"], False), ([], False), (7, False)])
def test_only_members_of_an_allowed_group_come_in(groups, allowed):
    configured = told('groups = ["staff"]\ngroups_claim = "roles"')
    if allowed:
        assert viewer(configured, roles=groups).name == "ann@example.org"
    else:
        with pytest.raises(NotAllowed, match="in none of the groups"):
            viewer(configured, roles=groups, groups=["staff"])


def test_editors_are_named_by_address_or_by_group():
    configured = told('[access]\neditors = ["BOB@example.org"]\neditor_groups = ["plt"]')
    assert viewer(configured).editor
    assert viewer(configured, groups=[], email="bob@example.org").editor
    assert not viewer(configured, groups=["pay"]).editor


def test_a_stream_with_groups_is_for_their_members_and_one_without_for_all():
    configured = told('[access]\nall_streams = ["eve@example.org"]\nall_streams_groups = ["audit"]', STREAMS)
    assert viewer(configured, groups=["pay"]).allowed == ("checkout", "rest")
    assert viewer(configured, groups=[]).allowed == ("rest",)
    for everything in ({"groups": ["pay", "plt"]}, {"groups": ["audit"]}, {"groups": [], "email": "eve@example.org"}):
        assert viewer(configured, **everything).allowed is None


def test_who_may_see_no_stream_at_all_is_told_so():
    with pytest.raises(NotAllowed, match="no stream of this dashboard is for one of your groups"):
        viewer(told("", STREAMS.rpartition("[[streams]]")[0]), groups=["hr"])


@pytest.mark.parametrize(
    ("who", "stream", "may"),
    [
        (Viewer("a"), None, True),
        (Viewer("a", editor=False), "checkout", False),
        (Viewer("a", True, frozenset({"checkout"})), "checkout", True),
        (Viewer("a", True, frozenset({"checkout"})), "platform", False),
        (Viewer("a", True, frozenset({"checkout"})), None, False),
    ],
)
def test_only_editors_write_and_only_of_what_they_see(who, stream, may):
    if may:
        who.must_edit(stream)
    else:
        with pytest.raises(NotAllowed):
            who.must_edit(stream)


def test_a_token_sees_only_streams_that_are_still_configured():
    configured = told("", STREAMS)
    assert access.of_token(configured, "grafana", "viewer", frozenset({"checkout", "gone"})).allowed == ("checkout",)
    assert access.of_token(configured, "grafana", "editor", None) == Viewer("token grafana", True, None)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('client_secret = "hunter2hunter2"', "sign_in.client_secret: expected where the secret is"),
        ("hours = 1000", "sign_in.hours: "),
        ('password = "x"', "sign_in.password: no such key"),
    ],
)
def test_a_wrong_key_is_said_and_a_secret_in_the_file_is_not_repeated(line, sentence):
    with pytest.raises(ConfigError) as wrong:
        told(line)
    assert sentence in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


@pytest.mark.parametrize(
    "address",
    ["http://vsm.example.org", "https://vsm.example.org/path", "vsm.example.org", "https://me@vsm.example.org", "https://x:y"],
)
def test_cookies_do_not_travel_in_the_open(address):
    with pytest.raises(ConfigError, match=r"sign_in\.address: expected"):
        config.parse(SIGN_IN.replace("https://vsm.example.org", address), Path("vsm.toml"))


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"VSM_COOKIE_SECRET": "x" * 32}, "VSM_CLIENT_SECRET is empty"),
        ({"VSM_CLIENT_SECRET": "abc", "VSM_COOKIE_SECRET": "x" * 31}, "32 characters or more"),
    ],
)
def test_secrets_come_from_the_environment_and_are_long_enough(environment, why):
    sign_in = told().sign_in
    with pytest.raises(UsageError, match=why):
        sign_in.secrets(environment)
    assert sign_in.secrets({"VSM_CLIENT_SECRET": "abc", "VSM_COOKIE_SECRET": "x" * 32}) == ("abc", "x" * 32)


def test_what_tells_of_accounts_goes_into_no_export():
    written = disguise.settings(told('[access]\neditors = ["bob@example.org"]', STREAMS))
    assert "checkout" in written
    assert [word for word in ("sign_in", "id.example.org", "bob", "groups", "leads") if word in written] == []
