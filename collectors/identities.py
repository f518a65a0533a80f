"""Who is who, as a person has set it down in the configuration: it goes before what any source says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collectors.handles import Handles
from vsm import store
from vsm.errors import ConfigError
from vsm.models import Identity

ORIGIN = "configuration"


def told_by_hand(engine: Any, people: Mapping[str, Sequence[str]], who: Handles) -> int:
    """Save the configured identities; returns how many were new or changed. Raises ConfigError."""
    rows = list(identities(people, who))
    with store.transaction(engine) as connection:
        return store.save(connection, Identity, rows, origin=ORIGIN)


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
