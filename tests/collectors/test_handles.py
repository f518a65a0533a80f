"""E-mail addresses become keyed hashes: one address one handle, without the key nobody can try."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.handles import ADDRESS, Handles, handles, store_file
from vsm.errors import ConfigError

who = Handles(b"one key")


def test_one_address_is_one_handle_and_another_key_gives_another():
    assert who.mail("Ann@Example.org ") == who.mail("ann@example.org")
    assert who.mail("ann@example.org") != Handles(b"another key").mail("ann@example.org")
    assert who.mail(who.mail("ann@example.org")) == who.mail("ann@example.org")


@pytest.mark.parametrize(
    ("address", "handle", "login"),
    [
        ("12+ann-lee@users.noreply.github.com", "ann-lee@users.noreply.github.com", "ann-lee"),
        ("ann@users.noreply.github.com", "ann@users.noreply.github.com", "ann"),
        ("7-Ann.Lee@users.noreply.gitlab.com", "ann.lee@users.noreply.gitlab.com", "ann.lee"),
        ("49+fixer[bot]@users.noreply.github.com", "fixer[bot]@users.noreply.github.com", "fixer[bot]"),
    ],
)
def test_a_no_reply_address_names_its_account(address, handle, login):
    assert (who.mail(address), who.login(address), who.scrub(f"<{address}>")) == (handle, login, f"<{handle}>")


def test_an_answer_is_scrubbed_to_its_last_text_and_nothing_else_changes():
    told = {"a": ["x <ann@example.org>", 5, None, True], "b": {"email": "ann@example.org", "url": "git@example.org:team/shop"}}
    mail = who.mail("ann@example.org")
    assert who.scrubbed(told) == {
        "a": [f"x <{mail}>", 5, None, True], "b": {"email": mail, "url": "git@example.org:team/shop"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ann@example.org: see below", 1), ("users/ann@example.org/fix", 1), ("https://ann@example.org/x", 1),
        ("a@b.example,c@d.example;e@f.example", 3), ("ann@example.org-old", 1), ("git@example.org:team/shop", 0),
        ("ssh://git@example.org/team", 0), ("@ann at noon", 0), ("ann@localhost", 0), ("x@1.2.3", 0),
    ],
)  # fmt: skip
def test_addresses_are_found_wherever_they_stand(text, found):
    assert who.scrub(text).count("mail:") == found


def test_quotes_around_an_address_do_not_make_another_person_of_it():
    assert who.scrub("'ann@example.org'") == f"'{who.mail('ann@example.org')}'"


@given(st.text(max_size=60), st.emails(domains=st.just("example.org")))
def test_no_address_survives_a_scrubbing_and_a_second_one_changes_nothing(text, address):
    once = who.scrub(f"{text} <{address}>")
    assert who.scrub(once) == once
    assert not [found for found in ADDRESS.findall(once) if "noreply" not in found]


def test_a_key_is_made_once_beside_the_store_for_its_owner_only(tmp_path):
    url = f"sqlite:///{tmp_path / 'vsm.db'}"
    first = handles(url, None).mail("ann@example.org")
    key = tmp_path / "vsm.db.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert handles(url, None).mail("ann@example.org") == first
    assert list(tmp_path.iterdir()) == [key]
    for wrong in ("not hexadecimal", "", "ab" * 65):
        key.write_text(wrong)
        with pytest.raises(ConfigError, match="it is not the key that was made"):
            handles(url, None)


def test_a_key_that_several_make_at_once_is_one_key(tmp_path):
    url = f"sqlite:///{tmp_path / 'vsm.db'}"
    for _ in range(20):
        (tmp_path / "vsm.db.key").unlink(missing_ok=True)
        with ThreadPoolExecutor(4) as pool:
            told = set(pool.map(lambda _: handles(url, None).mail("ann@example.org"), range(4)))
        assert len(told) == 1


def test_a_store_on_a_server_needs_a_configured_key(monkeypatch):
    with pytest.raises(ConfigError, match=r'privacy.key: a store on a server .* key = "env:VSM_KEY"'):
        handles("postgresql://db/vsm", None)
    monkeypatch.setenv("VSM_KEY", "a long secret")
    assert handles("postgresql://db/vsm", "env:VSM_KEY").mail("a@b.example") == handles("sqlite://", "env:VSM_KEY").mail(
        "a@b.example"
    )


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///a/b.db", "a/b.db"),
        ("sqlite+pysqlite:////c.db", "/c.db"),
        ("sqlite:///a%20b.db?timeout=5", "a b.db"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_the_file_of_a_store(url, file):
    assert store_file(url) == (Path(file) if file else None)
