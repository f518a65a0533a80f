"""What the tracker told of each ticket: that it was created, its first status, and every move."""

from collections import Counter

import numpy as np
import pandas as pd

from vsm.frames import TIME, Codes, among, begins, category, in_turn, kept, places, plain, stacked
from vsm.ordered import events_of, in_order, ranked, recategorised
from vsm.people import People
from vsm.store import Facts

NOT_YET = int(np.iinfo("int64").min)  # the number that numpy keeps for NaT


def of_tickets(facts: Facts, people: People) -> pd.DataFrame:
    """ticket.created, the status at creation, and every transition: a part of the log in its order, whose items are tickets."""
    tickets = facts.tickets
    moves = chained(kept(facts.transitions, among(facts.transitions["ticket"], tickets["key"])))
    own = category(tickets["key"] if in_turn(pd.Index(tickets["key"].array)) else tickets["key"].sort_values())
    key, ticket = (recategorised(column, own) for column in (tickets["key"], moves["ticket"]))
    made = events_of(tickets, item=key, at=tickets["created_at"], event="ticket.created", source="tickets", ref=key)
    first = moves[begins(moves["ticket"])]
    place = places(tickets["key"], first["ticket"])
    # A tracker does not record the first status; it is where the first move came from, else where the ticket still is.
    begun = _taken(first["from_status"].astype("str"), place, tickets.index).where(place >= 0, tickets["status"])
    # A ticket that came from another tracker may have moved before it was created here.
    earliest = _taken(first["at"], place, tickets.index)
    since = tickets["created_at"].where(~(earliest < tickets["created_at"]), earliest)
    start = events_of(
        tickets, item=key, at=since, event="status", status=begun, team=tickets["team"], source="tickets", ref=key,
    )  # fmt: skip
    went = events_of(
        moves, item=ticket, at=moves["at"], event="status", status=moves["to_status"],
        actor=people.named(moves["actor"], "transitions"), team=moves["team"], source="transitions", ref=ticket,
    )  # fmt: skip
    told = stacked([made, kept(start, start["status"].notna()), went])
    return in_order(kept(told, told["at"].notna()))


def _taken(values: pd.Series, place: Codes, index: pd.Index) -> pd.Series:
    """The values at some places, missing at −1."""
    return values.reset_index(drop=True).reindex(place).set_axis(index)


def chained(transitions: pd.DataFrame) -> pd.DataFrame:
    """Transitions by ticket and time; several at one instant follow their chain from → to."""
    ordered = _by_time(transitions).reset_index(drop=True)
    at = ordered["at"].astype(TIME).array.asi8
    ticket = begins(ordered["ticket"])
    first = np.flatnonzero(ticket | (np.diff(at, prepend=NOT_YET) != 0))
    size = np.diff(np.append(first, len(ordered)))
    if (size == 1).all():
        return ordered
    order = np.arange(len(ordered))
    was, is_ = plain(ordered["from_status"]), plain(ordered["to_status"])
    for start, length in zip(first[size > 1].tolist(), size[size > 1].tolist(), strict=True):
        before = None if ticket[start] else is_[int(order[start - 1])]
        places = range(start, start + length)
        order[start : start + length] = [start + one for one in _chain([(was[n], is_[n]) for n in places], before)]
    return ordered.iloc[order].reset_index(drop=True)


def _by_time(transitions: pd.DataFrame) -> pd.DataFrame:
    """Transitions by ticket and time; as they are where they are in order, as a store gives them."""
    ticket, at = ranked(transitions["ticket"]), transitions["at"].astype(TIME).array.asi8
    step = np.diff(ticket)
    if ((step > 0) | ((step == 0) & (np.diff(at) >= 0))).all():
        return transitions
    return transitions.iloc[np.lexsort((at, ticket))]


def _chain(moves: list[tuple[str | None, str]], status: str | None) -> list[int]:
    """The places of the moves of one instant so that each begins where the one before it ended, as far as they do."""
    rest = list(range(len(moves)))
    order: list[int] = []
    while rest:
        leads_to = Counter(moves[place][1] for place in rest)
        leads_from = Counter(moves[place][0] for place in rest)
        # Nothing begins where it is: begin with a status that the rest leaves more often than it comes there.
        starts = [moves[place][0] for place in rest if leads_from[moves[place][0]] > leads_to[str(moves[place][0])]]
        begin = status if status in leads_from else (starts or [moves[rest[0]][0]])[0]
        walk = _walk(moves, rest, begin)
        order += walk
        status = moves[walk[-1]][1]
        rest = [place for place in rest if place not in walk]
    return order


def _walk(moves: list[tuple[str | None, str]], rest: list[int], begin: str | None) -> list[int]:
    """A way that uses each of the moves that can be reached once (Hierholzer's): taking any that fits could leave some over."""
    leaving: dict[str | None, list[int]] = {}
    for place in reversed(rest):
        leaving.setdefault(moves[place][0], []).append(place)
    way: list[int] = []
    stack: list[tuple[str | None, int]] = [(begin, -1)]
    while stack:
        here, came_by = stack[-1]
        if leaving.get(here):
            place = leaving[here].pop()
            stack.append((moves[place][1], place))
        else:
            stack.pop()
            way += [came_by] if came_by >= 0 else []
    return way[::-1]
