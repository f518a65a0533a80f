"""Levels: which ticket each ticket counts for. One level a map: a story and its sub-tasks are never both items of it.

=========  ==========================================================================================
level      the items of a stream
=========  ==========================================================================================
item       tickets that are part of no other; their own statuses tell where they are
parent     the same tickets, told by the statuses of their parts
sub-task   the smallest tickets: parts, and tickets without any
epic       what holds tickets (epics, initiatives, themes), told by the statuses of the tickets in it;
           a ticket that nothing holds counts for itself
=========  ==========================================================================================

At every level all work is counted, and once: changes, builds and deployments of a part count for the
ticket that it counts for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from vsm.frames import TIME, among, categories, empty, plain, recoded, stacked
from vsm.workflow import Workflow

USUAL = "item"
PARTS = {"item": "str", "ticket": "str", "rule": "str", "tells": "bool"}
IN_IT = "in it"
OPEN = ("waiting", "active")


@dataclass(frozen=True)
class Families:
    """Who is a part of whom, among the tickets that are known.

    ``above``: each part's ticket, where that is no holder; ``within``: what holds each ticket;
    ``holders``: tickets of the types that hold items; ``circular``: tickets that are, by way of others, parts of themselves.
    """

    above: dict[str, str]
    within: dict[str, str]
    holders: frozenset[str]
    circular: frozenset[str]

    @classmethod
    def of(cls, tickets: pd.DataFrame, epics: tuple[str, ...]) -> "Families":
        """The families of some tickets; a parent that is not among them is none."""
        holds = among(_folded(tickets["type"]), {_fold(name) for name in epics})
        holders = frozenset(plain(tickets.loc[holds, "key"]))
        named = tickets[tickets["parent"].notna() & among(tickets["parent"], tickets["key"])]
        pairs = dict(zip(plain(named["key"]), plain(named["parent"]), strict=True))
        circular = _circular(pairs)
        pairs = {key: parent for key, parent in pairs.items() if key not in circular}
        # An epic under a story is a mistake of the tracker: what holds items is no part of one.
        above = {key: parent for key, parent in pairs.items() if parent not in holders and key not in holders}
        within = {key: parent for key, parent in pairs.items() if parent in holders}
        return cls(above, within, holders, circular)

    def top(self, key: str) -> str:
        """The ticket that a ticket is a part of in the end; itself where it is part of none."""
        while key in self.above:
            key = self.above[key]
        return key

    def targets(self, level_of: Callable[[str], str]) -> tuple[dict[str, str | None], pd.DataFrame]:
        """For each ticket that is no item of its own the one that it counts for, None where none; and the parts (PARTS).

        `level_of`: the level that is asked for a ticket, by the ticket that it is a part of in the end.
        """
        target: dict[str, str | None] = {}
        parts: list[tuple[str, str, str, bool]] = []
        split = set(self.above.values())  # tickets that have parts
        full = set(self.within.values())
        fruitful = {parent for key, parent in self.within.items() if key not in self.holders}
        for key in {**self.above, **self.within, **dict.fromkeys(sorted(self.holders | split))}:
            top = self.top(key)
            level = level_of(top)
            if key in self.holders:
                # One that holds only holders, or is asked for no epics, is no item.
                if level != "epic" or (key in full and key not in fruitful):
                    target[key] = None
            elif level == "sub-task":
                if key in split:
                    target[key] = None
            elif level == "epic" and top in self.within:
                target[key] = self.within[top]
                parts.append((self.within[top], key, IN_IT if key == top else "part of a ticket in it", key == top))
            elif key != top:
                target[key] = top
                parts.append((top, key, "part of it", level == "parent" and key not in split))
        return target, pd.DataFrame(parts, columns=list(PARTS)).astype(PARTS) if parts else empty(PARTS)


def notes(level: str, items: pd.DataFrame, parts: pd.DataFrame) -> tuple[str, ...]:
    """What a stream's level makes of its tickets, in words; nothing at the usual one."""
    if level == USUAL:
        return ()
    mine = parts[among(parts["item"], items["item"])]
    tells = mine[mine["tells"]]
    tickets, whole = len(tells), int(tells["item"].nunique())
    alone = int((items["kind"] == "ticket").sum()) - whole
    if level == "sub-task":
        return (
            f"The smallest tickets are counted (level sub-task): {alone:,} of them; tickets that have parts are told by these.",
        )
    what = "epics" if level == "epic" else "tickets"
    return (
        f"Tickets are rolled up (level {level}): the statuses of {tickets:,} tell where {whole:,} {what} are; "
        f"{alone:,} without such parts tell of themselves.",
    )


def _fold(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _folded(types: "pd.Series[str]") -> "pd.Series[str]":
    """Types without case, spaces and hyphens."""
    return recoded(types, _fold)


def _circular(above: Mapping[str, str]) -> frozenset[str]:
    """The keys from which the way up comes round to themselves."""
    seen: set[str] = set()
    found: set[str] = set()
    for key in above:
        way: dict[str, None] = {}
        while key in above and key not in seen:
            seen.add(key)
            way[key] = None
            key = above[key]
        if key in way:
            steps = list(way)
            found.update(steps[steps.index(key) :])
    return frozenset(found)


# Statuses of parts as their item's. ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Said:
    """What a ticket's last status means: its meaning, the place of its stage (−1: none), the row of the log that says so."""

    meaning: str
    place: int
    row: int


class _Whole:
    """Where an item is, by its parts' statuses and its own."""

    def __init__(self) -> None:
        self.own: _Said | None = None
        self.parts: dict[str, _Said] = {}
        self.now: tuple[str, int] = ("", -1)  # meaning and place that were told last

    def tell(self, ref: str, is_own: bool, said: _Said) -> _Said | None:
        """Where the item is after a status of one of its tickets; None where it stays as it is."""
        before = self.own if is_own else self.parts.get(ref)
        if is_own:
            self.own = said
        else:
            self.parts[ref] = said
        back = not is_own and before is not None and 0 <= said.place < before.place
        found = self._where(said.place if back else None)
        if found is None or (found.meaning, found.place) == self.now:
            return None
        self.now = (found.meaning, found.place)
        return found

    def is_one(self) -> bool:
        """Whether no more than one part is in a stage, and none is still to begin."""
        meanings = [one.meaning for one in self.parts.values()]
        return "new" not in meanings and sum(meaning in OPEN for meaning in meanings) <= 1

    def _where(self, back_to: int | None) -> _Said | None:
        own, parts = self.own, list(self.parts.values())
        if own is not None and own.meaning in ("done", "cancelled"):
            return own
        live = [one for one in parts if one.meaning in OPEN]
        if live:
            return self._least(live, back_to)
        begun = [one for one in parts if one.meaning != "new"]
        if len(begun) < len(parts):  # between two parts it waits where it was; before the first it is where it says itself
            return self._held() if begun else own
        if own is not None and own.meaning in OPEN:
            return own if own.place >= self.now[1] else None
        done = [one for one in parts if one.meaning == "done"]
        return max(done or parts, key=lambda one: one.row) if parts else own

    def _least(self, live: list[_Said], back_to: int | None) -> _Said | None:
        """The least advanced of the parts that are in a stage."""
        place, inside = min(one.place for one in live), self.now[1]
        if inside >= 0 and self.now[0] in OPEN:
            if back_to is not None:
                place = min(inside, back_to)
            elif place < inside or any(one.meaning == "new" for one in self.parts.values()):
                place = inside  # a part that begins late does not pull it back, one that has not begun holds it
        here = [one for one in live if one.place == place]
        working = [one for one in here if one.meaning == "active"]
        return max(working or here, key=lambda one: one.row) if here else self._held()

    def _held(self) -> _Said | None:
        """Nothing of it is in the stage that it is in: it waits there for a part that is still to come."""
        return _Said("waiting", self.now[1], -1) if self.now[0] in OPEN else None


def rolled(log: pd.DataFrame, flow: Workflow) -> pd.DataFrame:
    """The log with the statuses of an item's parts told as its own: while any part is in a stage, the least advanced tells.

    So an item is in a stage from the first of its parts that gets there; it moves on when all parts
    have that exist by then, and back only where a part itself goes back. While no part is in a stage
    its own status tells, and its own done or cancelled ends it; a ticket that never left its new
    statuses is done with the last of its parts. What happens to the changes of one part says nothing
    of the others: delivery tells only while no more than one part is under way and none is to come.
    """
    by_status = log["event"] == "status"
    parts = log.loc[by_status, ["item", "ref"]].astype("str")
    mine = among(log["item"], parts.loc[parts["ref"] != parts["item"], "item"])
    if not mine.any():
        return log
    rows = np.flatnonzero(mine.to_numpy())
    told = log.iloc[rows]
    kept: list[tuple[int, int]] = []  # the row that tells, and the row at whose time it does
    held: dict[int, str] = {}  # the status of rows at which it waits for a part
    columns = (plain(told[name]) for name in ("item", "ref", "event", "status"))
    for _, some in groupby(zip(rows.tolist(), *columns, strict=True), key=lambda one: one[1]):
        whole = _Whole()
        for row, item, ref, event, status in some:
            if event != "status":
                kept += [(row, row)] if event == "ticket.created" or whole.is_one() else []
                continue
            meaning, place = flow.meaning(status)
            if meaning not in ("ignored", "unknown"):
                found = whole.tell(ref, ref == item, _Said(meaning, -1 if place is None else place, row))
                if found is not None and found.row >= 0:
                    kept.append((found.row, row))
                elif found is not None and flow.stages[found.place].waiting:
                    kept.append((row, row))
                    held[row] = flow.stages[found.place].waiting[0]
    tells, at = (np.array(side, dtype="int64") for side in zip(*kept, strict=True)) if kept else (rows[:0], rows[:0])
    said = log.iloc[tells].assign(at=log["at"].astype(TIME).take(at).array)
    # Who moved one part did not move the other that tells now.
    waits = pd.Series([held.get(row) for row in at.tolist()], index=said.index, dtype="str")
    nobody = (tells != at) | waits.notna().to_numpy()
    status = categories(waits.fillna(said["status"].astype("str")))
    said = said.assign(actor=said["actor"].mask(nobody), status=status)
    rest = ~mine.to_numpy()
    order = np.argsort(np.concatenate([np.flatnonzero(rest), at]), kind="stable")
    return stacked([log[rest], said]).iloc[order].reset_index(drop=True)
