"""Who is who: one person behind several handles, and what of a person may be shown."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from vsm.frames import no_text, recoded
from vsm.store import Facts

# Which kinds of source a table's handles come from, where the row itself does not say.
SOURCES = {
    "transitions": ("jira", "tracker", "github"),
    "ticket_changes": ("jira", "tracker", "github"),
    "commits": ("git",),
    "pull_requests": ("github", "forge"),
    "reviews": ("github", "forge"),
    "comments": ("github", "forge"),
}

# An imported store may have addresses as handles: they tell who is who, and are never shown.
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
NO_ADDRESS = re.compile(r"@users\.noreply\.", re.IGNORECASE)  # a forge's name for an account, where no mail arrives

HANDLES = (
    ("transitions", "actor"), ("ticket_changes", "actor"), ("commits", "author"), ("pull_requests", "author"),
    ("reviews", "reviewer"), ("comments", "author"),
)  # fmt: skip


@dataclass(frozen=True)
class People:
    """The identities table, ready to be asked.

    ``ambiguous``: handles that name several persons in different sources. ``pseudonyms``: what
    everybody in the store is called where names are not shown.
    """

    by_source: dict[tuple[str, str], str]
    by_handle: dict[str, str]
    ambiguous: frozenset[str]
    pseudonyms: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, facts: Facts, configured: Mapping[str, Sequence[str]] | None = None) -> "People":
        """From the identities of a store, and what the configuration says in ``[people]``, which goes before them.

        A harvest has turned the configured addresses into handles for what it collects itself; facts
        that were imported have them as their files had them, and are met here.
        """
        known = facts.identities
        by_source = {(s, h.casefold()): p for s, h, p in zip(known["source"], known["handle"], known["person"], strict=True)}
        for person, handles in (configured or {}).items():
            by_source |= {(source, handle.casefold()): person for source, _, handle in (told.partition(":") for told in handles)}
        persons: dict[str, set[str]] = {}
        for (_, handle), person in by_source.items():
            persons.setdefault(handle, set()).add(person)
        by_handle = {handle: next(iter(names)) for handle, names in persons.items() if len(names) == 1}
        nameless = cls(by_source, by_handle, frozenset(persons) - frozenset(by_handle))
        return replace(nameless, pseudonyms=_pseudonyms(nameless._everybody(facts)))

    def _everybody(self, facts: Facts) -> set[str]:
        """Every person that any fact names."""
        handles = ((table, getattr(facts, table)[column]) for table, column in HANDLES)
        named = {person for table, column in handles for person in self.persons(column.drop_duplicates(), table).dropna()}
        return named | set(facts.identities["person"])

    def persons(self, handles: pd.Series, table: str) -> pd.Series:
        """The person behind each handle of a table: by its own kind of source, else by the handle where it names one person only.

        A handle that nobody has mapped is a person of its own. Missing stays missing.
        """
        return self.named(handles, table).astype("str")

    def named(self, handles: pd.Series, table: str) -> pd.Series:
        """The same as categories, for a column of millions."""
        kinds = SOURCES.get(table, ())
        return recoded(handles, lambda handle: self._person(handle, kinds))

    def _person(self, handle: str, kinds: tuple[str, ...]) -> str:
        """The end of the chain from handle to person: an account leads to an e-mail's handle, which leads to a name."""
        chain = [handle]
        while True:
            person = self._step(chain[-1], kinds if len(chain) == 1 else ())
            if person.casefold() == chain[-1].casefold():
                return person
            if person in chain:  # the identities go round in a circle: everybody on it is one person
                return min(chain[chain.index(person) :])
            chain.append(person)

    def _step(self, handle: str, kinds: tuple[str, ...]) -> str:
        folded = handle.casefold()
        exact = (self.by_source[kind, folded] for kind in kinds if (kind, folded) in self.by_source)
        return next(exact, self.by_handle.get(folded, handle))

    def unplaced(self, facts: Facts) -> pd.DataFrame:
        """Handles of which no identity tells whose they are: source (its kind) and handle, sorted."""
        found = set()
        for table, column in HANDLES:
            kinds = SOURCES[table]
            for handle in getattr(facts, table)[column].dropna().unique():
                placed = any((kind, handle.casefold()) in self.by_source for kind in kinds)
                if not placed and self._step(handle, kinds) == handle and not is_bot(handle):
                    found.add((kinds[0], handle))
        return pd.DataFrame(sorted(found), columns=["source", "handle"])

    def shown(self, persons: pd.Series, privacy: str) -> pd.Series:
        """What may be shown of persons: "names" as they are, "pseudonyms" as Person 1, 2, …, "none" nothing.

        A pseudonym is the same on every page and in every report of one version of the data. Who is
        known by an e-mail address alone has one in any case.
        """
        if privacy == "names":
            return persons.mask(persons.map(is_address, na_action="ignore").eq(True), persons.map(self.pseudonyms)).astype("str")
        if privacy == "none":
            return no_text(persons.index).rename(persons.name)
        return persons.map(self.pseudonyms).astype("str")


def is_bot(handle: str) -> bool:
    """Whether a handle or a person is a program: GitHub's "name[bot]", or a person that a source calls "bot:name".

    >>> is_bot("fixer[bot]"), is_bot("bot:fixer"), is_bot("botticelli")
    (True, True, False)
    """
    return handle.endswith("[bot]") or handle.startswith("bot:")


def is_address(person: str) -> bool:
    """Whether a person or a handle is an e-mail address.

    >>> is_address("ann@example.org"), is_address("ann@users.noreply.github.com"), is_address("ann"), is_address("mail:5b10")
    (True, False, False, False)
    """
    return bool(ADDRESS.search(person)) and not NO_ADDRESS.search(person)


def hinted(handle: str) -> str:
    """A handle that its owner will know again, and nobody else gets to know.

    >>> hinted("ann.lee@example.org"), hinted("ann-w")
    ('a…@example.org', 'ann-w')
    """
    return ADDRESS.sub(lambda found: f"{found[0][0]}…@{found[0].rpartition('@')[2]}", handle) if is_address(handle) else handle


def _pseudonyms(persons: set[str]) -> dict[str, str]:
    """Numbers by a hash of the name: neither the alphabet nor how much anybody did can be read from them."""
    order = sorted(persons, key=lambda person: hashlib.sha256(person.encode()).hexdigest())
    return {person: f"Person {place}" for place, person in enumerate(order, start=1)}
