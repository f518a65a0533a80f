"""Mentions: the tickets that a change names in its branch or title, else in a commit's message."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vsm.changes import Changes
from vsm.frames import Codes, Mask, named, places, plain
from vsm.history import NONE
from vsm.store import Facts

# Not a version: release/shop-1.2 does not name SHOP-1.
KEY = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9_]*-\d+(?![A-Za-z0-9]|\.\d)")
# The same for RE2, which cannot look around, for a text with one "-1" in it: the key cannot begin where another one ends.
ONE = r"(?:^|[^A-Za-z0-9])(?P<key>[A-Za-z][A-Za-z0-9_]*-[0-9]+)(?:$|[^A-Za-z0-9.]|\.(?:$|[^0-9]))"
NEAR = "[A-Za-z0-9_]-[0-9]"
RULES = ("key in the branch's name", "key in the title", "key in a commit's message")
Found = tuple[Codes, Codes]  # the row of a text, and that of a ticket that it names


def change_tickets(facts: Facts, made: Changes) -> pd.DataFrame:
    """change, ticket, rule, strength: keys of known tickets in the branch or title; only without one, in a commit's message."""
    known = _Known(facts.tickets["key"])
    branch, title = (known.named(made.changes[name]) for name in ("branch", "title"))
    none = np.ones(len(made.changes), dtype="bool")
    none[branch[0]] = none[title[0]] = False
    rest = np.flatnonzero(none[made.of] & (made.number != NONE))
    text, ticket = known.named(facts.commits["message"].take(made.number[rest]))
    parts = (branch, title, (made.of[rest][text], ticket))
    change = np.concatenate([rows for rows, _ in parts])
    tickets = np.concatenate([rows for _, rows in parts])
    rule = np.repeat(np.arange(len(parts)), [len(rows) for rows, _ in parts])
    # The first rule counts; in the order of both names.
    first = np.flatnonzero(~pd.Series(change * (len(known.key) + 1) + tickets).duplicated().to_numpy())
    order = first[np.lexsort((known.rank[tickets[first]], change[first]))]
    return pd.DataFrame(
        {
            "change": made.changes["change"].array.take(change[order]),
            "ticket": known.key.array.take(tickets[order]),
            "rule": named(rule[order], RULES),
            "strength": named(np.zeros(len(order), dtype="int64"), ("named",)),
        }
    )


class _Known:
    """The known tickets, to be asked by their keys in any case; where two differ in nothing else, the last one counts."""

    def __init__(self, key: pd.Series) -> None:
        self.key = key.reset_index(drop=True)
        self.rank: Codes = np.argsort(self.key.array.argsort(kind="stable"))
        folded = self.key.str.casefold() if _foreign(self.key).any() else self.key.str.lower()
        self._folded = folded[::-1]

    def rows(self, folded: pd.Series) -> Codes:
        """The ticket of each key; NONE where none is known."""
        place = places(folded, self._folded)
        found: Codes = np.where(place == NONE, NONE, len(self.key) - 1 - place)
        return found

    def named(self, texts: pd.Series) -> Found:
        """The tickets that texts name: by text, in the order in which it names them."""
        texts = texts.reset_index(drop=True)
        near = np.flatnonzero(texts.str.contains(NEAR).eq(True))
        some = texts.take(near).reset_index(drop=True)
        hyphens = pc.count_substring_regex(pa.array(some.array, type=pa.large_string()), "-[0-9]")
        many = _foreign(some) | (np.asarray(hyphens) != 1) if len(some) else np.zeros(0, dtype="bool")
        simple = np.flatnonzero(~many)
        parts = pc.extract_regex(pa.array(some.take(simple).array, type=pa.large_string()), ONE)
        key = pd.Series(pd.array(pc.struct_field(parts, "key"), dtype="str"))
        row = self.rows(key.str.lower())
        many[simple[key.str.contains("_", regex=False).eq(True).to_numpy() & (row == NONE)]] = True
        told = row != NONE
        slow = np.flatnonzero(many)
        text, ticket = self._searched(some.take(slow))
        rows, tickets = np.append(near[simple[told]], near[slow[text]]), np.append(row[told], ticket)
        order = np.argsort(rows, kind="stable")
        return rows[order], tickets[order]

    def _searched(self, texts: pd.Series) -> Found:
        """The same for texts that may name several keys, or a key after an underscore."""
        asked = [(row, key) for row, text in enumerate(plain(texts)) for key in KEY.findall(text)]
        # A project's key may have underscores, and an underscore may stand before a key.
        ends = [(place, end) for place, (_, key) in enumerate(asked) for end in _ends(key)]
        found = self.rows(pd.Series([end for _, end in ends], dtype="str"))
        first: dict[int, int] = {}
        for (place, _), ticket in zip(ends, found.tolist(), strict=True):
            if ticket != NONE:
                first.setdefault(place, ticket)
        pairs = dict.fromkeys((asked[place][0], ticket) for place, ticket in first.items())
        rows, tickets = np.array(list(pairs), dtype="int64").reshape(-1, 2).T
        return rows, tickets


def _ends(key: str) -> list[str]:
    """A key in small letters, whole and without what stands before each of its underscores.

    >>> _ends("old_PAY-7")
    ['old_pay-7', 'pay-7']
    """
    parts = key.casefold().split("_")
    return ["_".join(parts[start:]) for start in range(len(parts))]


def _foreign(texts: pd.Series) -> Mask:
    """Which texts have letters beyond ASCII, of which Python and Arrow may think differently; a missing one has none."""
    told = pa.array(texts.array if len(texts) else [], type=pa.large_string(), from_pandas=True)
    found: Mask = ~np.asarray(pc.fill_null(pc.string_is_ascii(told), True), dtype="bool")
    return found
