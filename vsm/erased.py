"""Whoever asked to be forgotten: what stands in place of their names, and how a name is known without being kept.

The store keeps salted hashes of the names, and one other name for each person; so what a source tells again later is
changed on its way in, and how often work changes hands stays what it was.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

CURSOR = ("erased", "people")  # where a store keeps them: source and resource of its cursors
WORD = re.compile(r"[^\s,;<>()\[\]{}\"'`*|]+")
ENDS = ".:!?"  # of a sentence, behind a name
WORDS = 3  # of a name at most: longer ones are known only where nothing else stands
PEOPLE = {
    "transitions": {"actor"},
    "ticket_changes": {"actor", "from", "to"},
    "commits": {"author"},
    "pull_requests": {"author"},
    "reviews": {"reviewer"},
    "comments": {"author"},
    "identities": {"handle", "person"},
}  # fmt: skip


@dataclass(frozen=True)
class Erased:
    """Hashes of names to what stands in their place."""

    salt: str
    aliases: Mapping[str, str]

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> "Erased | None":
        """From what a store keeps; None where nobody was erased."""
        return cls(str(state["salt"]), dict(state["aliases"])) if state else None

    def with_names(self, names: Iterable[str], alias: str) -> "Erased":
        """The same with another person."""
        return Erased(self.salt, {**self.aliases, **{self._hash(name): alias for name in names if name.strip()}})

    @property
    def state(self) -> dict[str, Any]:
        """What a store keeps."""
        return {"salt": self.salt, "aliases": dict(self.aliases)}

    @cached_property
    def _known(self) -> dict[str, str | None]:
        return {}

    def _hash(self, name: str) -> str:
        return blake2b(name.strip().casefold().encode(), key=bytes.fromhex(self.salt), digest_size=16).hexdigest()

    def alias(self, name: str) -> str | None:
        """What stands in place of a name; None for one that nobody asked to forget."""
        if name not in self._known:
            self._known[name] = self.aliases.get(self._hash(name))
        return self._known[name]

    def text(self, text: str) -> str:
        """A text without the names: whole names of two or three words, and single ones where they can only be a name.

        Those are a mention (`@ann`), a handle (`mail:…`), an address, and what stands before a slash (`ann/fix-it`): the word "may"
        in a sentence is not an account of that name.
        """
        found = list(WORD.finditer(text))
        out, end, at = [], 0, 0
        while at < len(found):
            many, alias, start, stop = self._at(text, found, at)
            if alias is None:
                at += 1
                continue
            out += [text[end:start], alias]
            end, at = stop, at + many
        return "".join([*out, text[end:]]) if out else text

    def _at(self, text: str, found: list[re.Match[str]], at: int) -> tuple[int, str | None, int, int]:
        """How many words a name has that begins at a word, what stands in its place, and where it begins and ends."""
        start = found[at].start()
        for many in range(min(WORDS, len(found) - at), 1, -1):
            whole = text[start : found[at + many - 1].end()].rstrip(ENDS)
            if alias := self.alias(" ".join(whole.split())):
                return many, alias, start, start + len(whole)
        word = found[at][0].rstrip(ENDS)
        if word.startswith("@"):
            return 1, self.alias(word[1:]), start + 1, start + len(word)
        first, slash, _ = word.partition("/")
        if slash:
            return 1, self.alias(first), start, start + len(first)
        return 1, self.alias(word) if "@" in word or ":" in word else None, start, start + len(word)

    def value(self, value: Any) -> Any:
        """An answer of a source, however deep, without the names."""
        if isinstance(value, str):
            return self.alias(value) or self.text(value)
        if isinstance(value, Mapping):
            return {name: self.value(one) for name, one in value.items()}
        return [self.value(one) for one in value] if isinstance(value, list | tuple) else value

    def row(self, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """A fact without the names."""
        people = PEOPLE.get(table, set())
        return {
            name: value if not isinstance(value, str) else (name in people and self.alias(value)) or self.text(value)
            for name, value in row.items()
        }
