"""The order of the event log: by item, time and rank; and how two parts that are in it become one."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vsm.config import EVENTS
from vsm.frames import TIME, Codes, categories, category, coded, in_turn, instants, joined, of_category, places, stacked
from vsm.meanwhile import meanwhile

LOG = {
    "item": "category", "at": "datetime64[us, UTC]", "event": "category", "status": "category", "environment": "category",
    "actor": "category", "team": "category", "source": "category", "ref": "category",
}  # fmt: skip
# At one instant delivery comes first, in its natural order, then what the tracker made of it, then the end.
ENDS = ("item.done", "item.cancelled", "item.settled")
RANK = {event: rank for rank, event in enumerate((*EVENTS, "status"))} | dict.fromkeys(ENDS, len(EVENTS) + 1)
RANKED = ("event", "environment")  # what a rank hangs on
LEAST, WIDE = 2, 2 * (len(EVENTS) + 3)  # what brings the least rank to 0, that of an unknown event; and one more than the greatest
SECOND = 1_000_000  # microseconds
BITS = 63  # of a whole number beside its sign
Ranks = Callable[[Codes], Codes]  # the ranks of the events in some rows


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Events by item, time and RANK, other environments before production; what is equal stays as it was."""
    item, at = ranked(events["item"]), _instants(events)
    keys = _keys([item], [at])
    if keys is None:
        order: Codes = np.lexsort((_rank(events["event"], events["environment"]), at, item))
        return events.iloc[order].reset_index(drop=True)
    # Logs come in long runs that are in order already: one sort that makes use of that takes a fifth of four.
    order = np.argsort(keys[0], kind="stable")
    key, at = keys[0][order], at[order]
    tied, untied = _untied(key, at, lambda rows: _rank(events["event"].take(order[rows]), events["environment"].take(order[rows])))
    order[tied] = order[untied]
    return events.iloc[order].reset_index(drop=True)


def merged(first: pd.DataFrame, second: pd.DataFrame, items: pd.CategoricalDtype) -> pd.DataFrame:
    """Two parts of the log, each in order, as one; of what is equal that of the first part comes first.

    `items`: the categories of its items, in their order. Nothing that is in order is sorted again: each event of the
    second part, which had better be the smaller one, finds its place among those of the first.
    """
    parts = [part.assign(item=recategorised(part["item"], items)) for part in (first, second)]
    keys = _keys([part["item"].cat.codes.to_numpy().astype("int64") for part in parts], [_instants(part) for part in parts])
    if keys is None:
        return in_order(stacked(parts))
    fresh = np.searchsorted(keys[0], keys[1], side="right") + np.arange(len(second))
    old = np.ones(len(first) + len(second), dtype="bool")
    old[fresh] = False

    def laid(told: "Sequence[np.ndarray[Any, Any]]") -> "np.ndarray[Any, Any]":
        every = np.empty(len(old), dtype=np.result_type(*told))
        every[old], every[fresh] = told
        return every

    def numbered(names: Collection[str]) -> "dict[str, tuple[np.ndarray[Any, Any], pd.CategoricalDtype]]":
        told = {name: joined([part[name] for part in parts]) for name in names}
        return {name: (laid(codes), kind) for name, (codes, kind) in told.items()}

    # The order of what is equal asks for two columns; the others are laid meanwhile.
    others = [name for name in LOG if name not in ("at", "ref", *RANKED)]
    rest, refs = meanwhile(lambda: numbered(others)), meanwhile(lambda: numbered(["ref"]))  # refs have the most names
    at, ranked_by = laid([_instants(part) for part in parts]), numbered(RANKED)
    tied, untied = _untied(
        laid(keys), at, lambda rows: _rank(*(of_category(codes[rows], kind) for codes, kind in ranked_by.values()))
    )
    columns = ranked_by | rest() | refs()
    for column in (at, *(codes for codes, _ in columns.values())):
        column[tied] = column[untied]
    ready = {name: of_category(*told) for name, told in columns.items()} | {"at": instants(at)}
    return pd.DataFrame({name: ready[name] for name in LOG}, copy=False)


def events_of(frame: pd.DataFrame, **columns: "str | pd.Series") -> pd.DataFrame:
    """A part of the log with a row for each of the frame's; text is the same in every row."""
    ready = {}
    for name in LOG:
        value = columns.get(name)
        if name == "at":
            ready[name] = value
        elif isinstance(value, pd.Series):
            ready[name] = categories(value)
        else:
            ready[name] = _same(value, frame.index)
    return pd.DataFrame(ready, index=frame.index)


def _same(value: str | None, index: pd.Index) -> pd.Series:
    """The same in every row, as a category."""
    codes = np.full(len(index), -1 if value is None else 0, dtype="int8")
    return pd.Series(pd.Categorical.from_codes(codes, dtype=category([] if value is None else [value])), index=index)


def recategorised(values: pd.Series, names: pd.CategoricalDtype) -> pd.Series:
    """Text, or categories, as categories of these names; missing where it is none of them."""
    if isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.categories.equals(names.categories):  # in this order, too
        return values
    codes = places(values, names.categories).astype(np.min_scalar_type(-len(names.categories) - 1))
    return pd.Series(pd.Categorical.from_codes(codes, dtype=names, validate=False), index=values.index)


def ranked(values: pd.Series) -> Codes:
    """The place of each text in the order of all of them."""
    if isinstance(values.dtype, pd.CategoricalDtype) and in_turn(values.cat.categories):
        place: Codes = values.cat.codes.to_numpy().astype("int64")
        return place
    codes, names = coded(values)
    rank = np.empty(len(names), dtype="int64")
    rank[np.array(sorted(range(len(names)), key=names.__getitem__), dtype="int64")] = np.arange(len(names))
    return rank[codes]


def _instants(events: pd.DataFrame) -> Codes:
    at: Codes = events["at"].astype(TIME).array.asi8
    return at


def _rank(event: pd.Series, environment: pd.Series) -> Codes:
    """The rank of each event, twice, and one more in production."""
    kinds, names = coded(event)
    rank = np.array([*(RANK[name] for name in names), -1], dtype="int64")[kinds]
    ranks: Codes = 2 * rank + (environment == "production").to_numpy()
    return ranks


def _keys(items: Sequence[Codes], times: Sequence[Codes]) -> list[Codes] | None:
    """Item and second of each event in one number, of each part; None where they do not fit into one."""
    seconds = [at // SECOND for at in times]
    begin = min((int(second.min()) for second in seconds if len(second)), default=0)
    end = max((int(second.max()) for second in seconds if len(second)), default=0)
    bits = (end - begin).bit_length()
    most = max((int(item.max()) for item in items if len(item)), default=0)
    if most.bit_length() + bits > BITS:
        return None
    return [(item << bits) | (second - begin) for item, second in zip(items, seconds, strict=True)]


def _untied(key: Codes, at: Codes, ranks: Ranks) -> tuple[Codes, Codes]:
    """Of events in the order of their keys those that share one: the rows where they stand, and which row belongs there."""
    same = key[1:] == key[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same)) if len(key) else np.zeros(0, dtype="int64")
    # Those of one key are of one second and stand together: one number of which, when within it, and rank, nearly in order.
    which = np.cumsum(np.diff(key[tied], prepend=-1) != 0)
    within = at[tied] % SECOND * WIDE + ranks(tied) + LEAST
    return tied, tied[np.argsort(which * (SECOND * WIDE) + within, kind="stable")]
