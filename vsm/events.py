"""The event log: what happened to each item, in order. One row an event; nothing is told yet of stages."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vsm.changes import reviews_by_others
from vsm.config import EVENTS
from vsm.frames import TIME, Codes, among, begins, categories, category, coded, in_turn, kept, looked_up, places, plain, stacked
from vsm.links import Links, arrivals
from vsm.people import People
from vsm.store import Facts

LOG = {
    "item": "category", "at": "datetime64[us, UTC]", "event": "category", "status": "category", "environment": "category",
    "actor": "category", "team": "category", "source": "category", "ref": "category",
}  # fmt: skip
# At one instant delivery comes first, in its natural order, then what the tracker made of it, then the end.
ENDS = ("item.done", "item.cancelled", "item.settled")
RANK = {event: rank for rank, event in enumerate((*EVENTS, "status"))} | dict.fromkeys(ENDS, len(EVENTS) + 1)
# An item with several pull requests has reached one of these only when all of them have.
TOGETHER = ("pull_request.approved", "pull_request.merged", "pull_request.closed", "deployment.started", "deployment.finished")
BEGAN, ARRIVED, FURTHER, GIVEN_UP = range(4)  # in this order at one instant
NEVER = int(np.iinfo("int64").max)
NOT_YET = int(np.iinfo("int64").min)  # the number that numpy keeps for NaT
MARK = "\x1f"


def log(facts: Facts, links: Links, people: People) -> pd.DataFrame:
    """Every event of every item: item, at, event, status, environment, actor, team, source, ref; by item and time.

    Statuses of one instant are in the order of their chain from → to. Of an item with several pull
    requests the least advanced counts. All text is categories: millions of rows have few names.
    """
    names = category(links.items["item"].sort_values())
    changes = _together(_of_changes(facts, links, people), links, names)
    parts = [*_of_tickets(facts, people, links, names), changes]
    every = stacked([part[list(LOG)] for part in parts])
    return in_order(kept(every, every["at"].notna()))


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Events by item, time and RANK, other environments before production; what is equal stays as it was."""
    kinds, names = coded(events["event"])
    rank = np.array([*(RANK[name] for name in names), -1], dtype="int64")[kinds]
    live = (events["environment"] == "production").to_numpy()
    order = _order(_ranked(events["item"]), events["at"].astype(TIME).array.asi8, 2 * rank + live)
    return events.iloc[order].reset_index(drop=True)


def _ranked(values: pd.Series) -> Codes:
    """The place of each text in the order of all of them."""
    if isinstance(values.dtype, pd.CategoricalDtype) and in_turn(values.cat.categories):
        place: Codes = values.cat.codes.to_numpy().astype("int64")
        return place
    codes, names = coded(values)
    rank = np.empty(len(names), dtype="int64")
    rank[np.array(sorted(range(len(names)), key=names.__getitem__), dtype="int64")] = np.arange(len(names))
    return rank[codes]


def _order(item: Codes, at: Codes, rank: Codes) -> Codes:
    """The places in the order of item, time and rank, equal ones as they stand.

    Item and second fit into one number, and logs come in long runs that are in order already: one sort that makes
    use of that takes a fifth of four. Then what fell on one second is put in order.
    """
    second = at // 1_000_000
    second -= second.min(initial=0)
    bits = int(second.max(initial=0)).bit_length()
    if int(item.max(initial=0)).bit_length() + bits > 63:
        return np.lexsort((rank, at, item))
    key = (item << bits) | second
    order = np.argsort(key, kind="stable")
    key = key[order]
    same = key[1:] == key[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    rows = order[tied]
    order[tied] = rows[np.lexsort((rank[rows], at[rows], key[tied]))]
    return order


def _of_tickets(facts: Facts, people: People, links: Links, names: pd.CategoricalDtype) -> list[pd.DataFrame]:
    """ticket.created, the status at creation, and every transition."""
    flowing = links.items.loc[links.items["kind"] == "ticket", "item"]
    # Parts of an item that tell where it is: their statuses stand in its log, each with its own ticket as ref.
    parts = links.item_tickets[links.item_tickets["tells"]].set_index("ticket")["item"]
    telling = pd.concat([flowing, parts.index.to_series()])
    own = category(telling.sort_values()) if len(parts) else names
    tickets = kept(facts.tickets, among(facts.tickets["key"], telling))
    moves = chained(kept(facts.transitions, among(facts.transitions["ticket"], telling)))
    key, ticket = (_items(column, own) for column in (tickets["key"], moves["ticket"]))
    made = _rows(tickets, item=key, at=tickets["created_at"], event="ticket.created", source="tickets", ref=key)
    first = moves[begins(moves["ticket"])]
    place = places(tickets["key"], first["ticket"])
    # A tracker does not record the first status; it is where the first move came from, else where the ticket still is.
    begun = _taken(first["from_status"].astype("str"), place, tickets.index).where(place >= 0, tickets["status"])
    # A ticket that came from another tracker may have moved before it was created here.
    earliest = _taken(first["at"], place, tickets.index)
    since = tickets["created_at"].where(~(earliest < tickets["created_at"]), earliest)
    start = _rows(
        tickets, item=key, at=since, event="status", status=begun, team=tickets["team"], source="tickets", ref=key,
    )  # fmt: skip
    moves = _rows(
        moves, item=ticket, at=moves["at"], event="status", status=moves["to_status"],
        actor=people.named(moves["actor"], "transitions"), team=moves["team"], source="transitions", ref=ticket,
    )  # fmt: skip
    told = [made, kept(start, start["status"].notna()), moves]
    return [_of_wholes(stacked(told), parts, flowing)] if len(parts) else told


def _of_wholes(told: pd.DataFrame, parts: pd.Series, flowing: pd.Series) -> pd.DataFrame:
    """What happened to a part, in the log of the item that it is a part of; that a part was created is no event of it."""
    told = told[(told["event"] != "ticket.created") | among(told["item"], flowing)]
    own = told["item"].astype("str")
    return told.assign(item=categories(looked_up(own, parts).fillna(own)))


def _taken(values: pd.Series, place: Codes, index: pd.Index) -> pd.Series:
    """The values at some places, missing at −1."""
    return values.reset_index(drop=True).reindex(place).set_axis(index)


def _items(values: pd.Series, names: pd.CategoricalDtype) -> pd.Series:
    return pd.Series(pd.Categorical.from_codes(places(values, names.categories), dtype=names), index=values.index)


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
    ticket, at = _ranked(transitions["ticket"]), transitions["at"].astype(TIME).array.asi8
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


def _rows(frame: pd.DataFrame, **columns: "str | pd.Series") -> pd.DataFrame:
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


def _of_changes(facts: Facts, links: Links, people: People) -> pd.DataFrame:
    """The delivery events of every change, with the change's row in column ``change``."""
    made = links.changes.assign(change=categories(links.changes["change"]), author=categories(links.changes["author"]))
    ended = made["merged_at"].fillna(made["closed_at"])
    parts = [
        _rows(made, at=made[column], event=event, actor=made["author"], source=source, ref=made["change"])
        for event, column, source in (
            ("commit.first", "first_commit_at", "commits"),
            ("pull_request.opened", "opened_at", "pull_requests"),
            ("pull_request.ready", "ready_at", "pull_requests"),
        )
    ]
    parts += [
        _rows(made, at=times, event=event, source=source, ref=made["change"])
        for event, times, source in (
            ("pull_request.approved", made["approved_at"], "reviews"),
            ("pull_request.merged", made["merged_at"], "pull_requests"),
            ("pull_request.closed", ended, "pull_requests"),
        )
    ]
    parts = [part.assign(change=np.arange(len(made))) for part in parts]
    parts += [*_reviews(facts, links.changes, people), *_builds(facts, links), *_deployments(links)]
    return stacked([part[part["at"].notna()] for part in parts])


def _reviews(facts: Facts, made: pd.DataFrame, people: People) -> list[pd.DataFrame]:
    """review.submitted by somebody who is not the author; where no reviews are read, the first review that a source names."""
    told = reviews_by_others(facts, people, made.set_index("change")["author"])
    read = _rows(
        told, at=told["submitted_at"], event="review.submitted", actor=told["reviewer"], source="reviews", ref=told["change"]
    )
    known = (facts.reviews["repository"] + "#" + facts.reviews["number"].astype("str")).astype("str")
    only = made[~among(made["change"], known) & made["first_review_at"].notna()]
    named = _rows(only, at=only["first_review_at"], event="review.submitted", source="pull_requests", ref=only["change"])
    return [part.assign(change=places(of["change"], made["change"])) for part, of in ((read, told), (named, only))]


def _builds(facts: Facts, links: Links) -> list[pd.DataFrame]:
    pairs = links.change_builds
    runs = facts.builds.take(places(pairs["build"], facts.builds["id"])).reset_index(drop=True)
    place, ref = places(pairs["change"], links.changes["change"]), categories(pairs["build"])
    return [
        _rows(runs, at=runs[column], event=f"build.{what}", source="builds", ref=ref).assign(change=place)
        for what, column in (("queued", "queued_at"), ("started", "started_at"), ("finished", "finished_at"))
    ]


def _deployments(links: Links) -> list[pd.DataFrame]:
    pairs = pd.concat([links.deployment_changes, links.environment_changes], ignore_index=True)
    runs = links.deployments.take(places(pairs["deployment"], links.deployments["id"])).reset_index(drop=True)
    # The same change may go to several applications: of one environment the last one counts, by TOGETHER's own rule.
    where, ref = categories(runs["environment"].mask(runs["production"], "production")), categories(pairs["deployment"])
    place = places(pairs["change"], links.changes["change"])
    return [
        _rows(runs, at=runs[column], event=f"deployment.{what}", environment=where, source="deployments", ref=ref).assign(
            change=place
        )
        for what, column in (("started", "started_at"), ("finished", "finished_at"))
    ]


def _together(events: pd.DataFrame, links: Links, names: pd.CategoricalDtype) -> pd.DataFrame:
    """The changes' events as their items': of an item with several changes the least advanced counts."""
    of_changes = links.item_changes[["item", "change"]]
    owners = pd.DataFrame({"owner": np.arange(len(of_changes)), "change": places(of_changes["change"], links.changes["change"])})
    of_items = owners.merge(events.drop(columns="item"), on="change")
    owner = of_items.pop("owner")
    of_items["item"] = _items(of_changes["item"], names).take(owner).set_axis(of_items.index)
    of_items = kept(of_items, _counted(of_items, links))
    shared = links.item_changes.loc[links.item_changes["item"].duplicated(keep=False)]
    mine = among(of_items["item"], shared["item"]) & among(of_items["event"], TOGETHER)
    if not mine.any():
        return of_items
    least = _least(of_items[mine].assign(change=links.changes["change"].take(of_items.loc[mine, "change"]).array), shared, links)
    return stacked([part[list(LOG)] for part in (of_items[~mine], least)])


def _counted(of_items: pd.DataFrame, links: Links) -> pd.Series:
    """Which events count for an item: all, but of deployments only those of its own application."""
    pairs = arrivals(links, pd.concat([links.deployment_changes, links.environment_changes], ignore_index=True))
    known = pairs["item"] + MARK + pairs["change"] + MARK + pairs["deployment"]
    counts = of_items["source"] != "deployments"
    some = of_items[~counts]
    change = links.changes["change"].take(some["change"]).set_axis(some.index)
    counts[~counts] = among(some["item"].astype("str") + MARK + change + MARK + some["ref"].astype("str"), known)
    return counts


def _least(events: pd.DataFrame, shared: pd.DataFrame, links: Links) -> pd.DataFrame:
    """The events at which all changes of an item that had begun had got there, or were further, or had been given up.

    Where the last one that was missing is given up, the item gets there at that moment.
    """
    lives = _lives(shared, links)
    events = events.reset_index(drop=True)
    item, event, environment = (events[name].astype("str") for name in ("item", "event", "environment"))
    group = item + MARK + event + MARK + environment.fillna("")
    codes, _ = pd.factorize(group)
    order = np.lexsort((events["at"].astype(TIME).array.asi8, codes))
    items, names, places, changes = (plain(events[name]) for name in ("item", "event", "environment", "change"))
    at = events["at"].astype(TIME).array.asi8.tolist()
    kept: list[tuple[int, int]] = []
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    for rows in np.split(order, bounds):
        some = rows.tolist()
        one = some[0]
        arrived = [(at[row], changes[row], row) for row in some]
        kept += _got_there(arrived, lives[items[one]], _further(names[one], places[one]))
    chosen = events.iloc[[row for row, _ in kept]]
    times = pd.Series(np.array([time for _, time in kept], dtype="int64").view("datetime64[us]"), index=chosen.index)
    return chosen.assign(at=times.dt.tz_localize("UTC"))


@dataclass(slots=True)
class _Life:
    """When a change began, was given up, was merged and came to production; NEVER where it did not."""

    begun: int = NEVER
    given_up: int = NEVER
    merged: int = NEVER
    live: int = NEVER


def _lives(shared: pd.DataFrame, links: Links) -> dict[str, dict[str, _Life]]:
    """The lives of the changes of each item."""
    about = links.changes.set_index("change")
    begun = about[["first_commit_at", "opened_at", "merged_at"]].min(axis=1)
    known = pd.concat([links.deployment_changes, links.settled_changes], ignore_index=True)
    pairs = arrivals(links, known)
    at = looked_up(pairs["deployment"], links.deployments.set_index("id")["finished_at"])
    live = at.groupby(pairs["item"] + MARK + pairs["change"]).min()
    given_up = about["closed_at"].where(about["merged_at"].isna())
    change = shared["change"]
    columns = [looked_up(change, times) for times in (begun, given_up, about["merged_at"])]
    columns.append(looked_up(shared["item"] + MARK + change, live))
    rows = zip(*(column.astype(TIME).array.asi8.tolist() for column in columns), strict=True)
    found: dict[str, dict[str, _Life]] = {}
    for item, name, times in zip(plain(shared["item"]), plain(change), rows, strict=True):
        found.setdefault(item, {})[name] = _Life(*(NEVER if time == NOT_YET else time for time in times))
    return found


def _further(event: str, environment: str | None) -> str:
    """By which time a change that never had the event is past it all the same: an approval by the merge, a trial by production."""
    if event.startswith("deployment."):
        return "" if environment is None else "live"
    return "merged" if event == "pull_request.approved" else ""


@dataclass(slots=True)
class _Together:
    """Which changes of an item are still missing somewhere, and which are there, or past it."""

    missing: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)

    def tell(self, step: int, change: str) -> None:
        """A change began (0), arrived (1), is further (2) or was given up (3)."""
        if step == GIVEN_UP:
            self.there.discard(change)
        if step == BEGAN and change not in self.there:
            self.missing.add(change)
        if step != BEGAN:
            self.missing.discard(change)
        if step in (ARRIVED, FURTHER):
            self.there.add(change)


def _got_there(arrived: list[tuple[int, str, int]], lives: dict[str, _Life], further: str) -> list[tuple[int, int]]:
    """The rows, and times, at which all of an item's changes had got there."""
    steps = [(at, ARRIVED, change, row) for at, change, row in arrived]
    for change, life in lives.items():
        past = getattr(life, further) if further else NEVER
        # What was past it, or given up, as soon as it began was never missing.
        begun = life.begun if life.begun < min(past, life.given_up) else NEVER
        told = ((begun, BEGAN), (past, FURTHER), (life.given_up, GIVEN_UP))
        steps += [(at, step, change, -1) for at, step in told if at != NEVER]
    state, last, all_there = _Together(), -1, False
    kept: list[tuple[int, int]] = []
    for at, step, change, row in sorted(steps):
        state.tell(step, change)
        last = row if step == ARRIVED else last
        before, all_there = all_there, not state.missing and bool(state.there)
        if all_there and last >= 0 and (step == ARRIVED or not before):
            kept.append((last, at))
    return kept
