"""Who is who as the configuration says it, and a store's one key."""

import pytest

from collectors.handles import Handles
from collectors.identities import checked_key, told_by_hand
from vsm.errors import ConfigError

WHO = Handles(b"a key")


def test_what_the_configuration_says_is_kept_and_forgotten_with_it(shelf):
    told_by_hand(shelf.engine, {"Ann": ["git:Ann@example.org", "github:ann"]}, WHO)
    assert shelf.rows("identities") == [
        {"source": "git", "handle": WHO.mail("ann@example.org"), "person": "Ann"},
        {"source": "github", "handle": "ann", "person": "Ann"},
    ]
    told_by_hand(shelf.engine, {"Ann": ["github:ann"]}, WHO)
    assert [row["handle"] for row in shelf.rows("identities")] == ["ann"]
    told_by_hand(shelf.engine, {}, WHO)
    assert shelf.rows("identities") == []


@pytest.mark.parametrize("handle", ["ann", ":ann", "github:", ""])
def test_a_handle_without_its_kind_of_source_is_refused(shelf, handle):
    with pytest.raises(ConfigError, match=r'people."Ann": expected handles with their kind of source'):
        told_by_hand(shelf.engine, {"Ann": [handle]}, WHO)


def test_a_store_takes_one_key_only(shelf):
    checked_key(shelf.engine, WHO)
    checked_key(shelf.engine, Handles(b"a key"))
    with pytest.raises(ConfigError, match="this store was filled with another key"):
        checked_key(shelf.engine, Handles(b"another key"))
