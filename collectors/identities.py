"""Who is who, as a person has set it down in the configuration: it goes before what any source says."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from collectors.handles import Handles
from vsm.errors import ConfigError
from vsm.sqlite_store import books

ORIGIN = "configuration"
KEY, KNOWN = "privacy.key", "known@key.invalid"  # an address that nobody has: its handle tells one key from another


def told_by_hand(engine: Any, people: Mapping[str, Sequence[str]], who: Handles) -> None:
    """Save the configured identities, and forget those that are configured no more. Raises ConfigError."""
    rows, store = list(identities(people, who)), books(engine)
    with store.transaction(engine) as connection:
        store.save(connection, "identities", rows, origin=ORIGIN)
        store.forget(connection, "identities", ORIGIN, {(row["source"], row["handle"]) for row in rows})


def checked_key(engine: Any, who: Handles) -> None:
    """Raises ConfigError where the store was filled with another key: everybody would become a second person."""
    told, store = who.mail(KNOWN), books(engine)
    with store.transaction(engine) as connection:
        before = store.load_cursors(connection, KEY).get(KEY, {}).get("told")
        if before is None:
            store.save_cursor(connection, KEY, KEY, {"told": told}, at=datetime.fromtimestamp(0, UTC))
        elif before != told:
            raise ConfigError(
                "privacy.key: this store was filled with another key of people's e-mail addresses; bring that one back"
                " (the file that lies beside the store, or the configured secret), or fill a new store"
            )


def identities(people: Mapping[str, Sequence[str]], who: Handles) -> Iterator[dict[str, str]]:
    """Rows of identities from the table ``[people]``: a person's name to handles such as "github:ann".

    An e-mail address becomes its handle. Raises ConfigError for a handle without its kind of source.

    >>> list(identities({"Ann": ["github:ann", "jira:5b10:ff"]}, Handles(b"")))[1]
    {'source': 'jira', 'handle': '5b10:ff', 'person': 'Ann'}
    """
    for person, told in people.items():
        for text in told:
            source, colon, handle = text.partition(":")
            if not (source and colon and handle):
                raise ConfigError(
                    f'people."{person}": expected handles with their kind of source, such as "git:ann@example.org" or "github:ann",'
                    f" got {text!r}"
                )
            yield {"source": source, "handle": who.scrub(handle), "person": person}
