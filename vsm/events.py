"""The event log: what happened to each item, in order. One row an event; nothing is told yet of stages."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vsm.changes import reviews_by_others
from vsm.config import EVENTS
from vsm.frames import TIME, among, empty, looked_up, no_text, plain, text
from vsm.links import Links, arrivals
from vsm.people import People
from vsm.store import Facts

LOG = {
    "item": "str", "at": "datetime64[us, UTC]", "event": "str", "status": "str", "environment": "str",
    "actor": "str", "team": "str", "source": "str", "ref": "str",
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
    requests the least advanced counts.
    """
    changes = _together(_of_changes(facts, links, people), links)
    parts = [_of_tickets(facts, people, links), changes]
    every = pd.concat([part[list(LOG)] for part in parts], ignore_index=True)
    return in_order(every[every["at"].notna()])


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Events by item, time and RANK, other environments before production; what is equal stays as it was."""
    items, _ = pd.factorize(events["item"], sort=True)
    kinds, names = pd.factorize(events["event"])
    rank = np.array([RANK[name] for name in names], dtype="int64")[kinds]
    live = (events["environment"] == "production").to_numpy()
    order = np.lexsort((np.arange(len(events)), live, rank, events["at"].astype(TIME).array.asi8, items))
    return events.iloc[order].reset_index(drop=True)


def _of_tickets(facts: Facts, people: People, links: Links) -> pd.DataFrame:
    """ticket.created, the status at creation, and every transition."""
    flowing = links.items.loc[links.items["kind"] == "ticket", "item"]
    # Parts of an item that tell where it is: their statuses stand in its log, each with its own ticket as ref.
    parts = links.item_tickets[links.item_tickets["tells"]].set_index("ticket")["item"]
    telling = pd.concat([flowing, parts.index.to_series()])
    tickets = facts.tickets[among(facts.tickets["key"], telling)]
    moves = chained(facts.transitions[among(facts.transitions["ticket"], telling)])
    made = _rows(
        tickets, item=tickets["key"], at=tickets["created_at"], event="ticket.created", source="tickets", ref=tickets["key"]
    )
    first = moves.drop_duplicates("ticket").set_index("ticket")
    # A tracker does not record the first status; it is where the first move came from, else where the ticket still is.
    begun = looked_up(tickets["key"], first["from_status"])
    moved = among(tickets["key"], set(first.index))
    begun = begun.where(moved, tickets["status"])
    # A ticket that came from another tracker may have moved before it was created here.
    earliest = looked_up(tickets["key"], first["at"])
    since = tickets["created_at"].where(~(earliest < tickets["created_at"]), earliest)
    start = _rows(
        tickets, item=tickets["key"], at=since, event="status", status=begun, team=tickets["team"],
        source="tickets", ref=tickets["key"],
    )  # fmt: skip
    moves = _rows(
        moves, item=moves["ticket"], at=moves["at"], event="status", status=moves["to_status"],
        actor=people.persons(moves["actor"], "transitions"), team=moves["team"], source="transitions", ref=moves["ticket"],
    )  # fmt: skip
    told = pd.concat([made[among(made["item"], flowing)], start[start["status"].notna()], moves], ignore_index=True)
    return told.assign(item=looked_up(told["item"], parts).fillna(told["item"])) if len(parts) else told


def chained(transitions: pd.DataFrame) -> pd.DataFrame:
    """Transitions by ticket and time; several at one instant follow their chain from → to."""
    ordered = transitions.sort_values(["ticket", "at"], kind="stable", ignore_index=True)
    twins = ordered.duplicated(["ticket", "at"], keep=False)
    if not twins.any():
        return ordered
    order = ordered.index.to_numpy().copy()
    ticket, at = ordered["ticket"], ordered["at"]
    begins = ((ticket != ticket.shift()) | (at != at.shift())).to_numpy()
    first = np.flatnonzero(begins)
    size = np.diff(np.append(first, len(ordered)))
    was, is_ = plain(ordered["from_status"]), plain(ordered["to_status"])
    for start, length in zip(first[size > 1].tolist(), size[size > 1].tolist(), strict=True):
        same = start > 0 and ticket.iat[start - 1] == ticket.iat[start]
        before = is_[int(order[start - 1])] if same else None
        places = range(start, start + length)
        order[start : start + length] = [start + one for one in _chain([(was[n], is_[n]) for n in places], before)]
    return ordered.iloc[order].reset_index(drop=True)


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


def _rows(frame: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """A part of the log with a row for each of the frame's; text is the same in every row."""
    ready = {}
    for name in LOG:
        value = columns.get(name)
        if isinstance(value, str):
            value = text(value, frame.index)
        ready[name] = value if isinstance(value, pd.Series) else no_text(frame.index)
    return pd.DataFrame(ready)


def _of_changes(facts: Facts, links: Links, people: People) -> pd.DataFrame:
    """The delivery events of every change, with the change in column ``change``."""
    made = links.changes
    ended = made["merged_at"].fillna(made["closed_at"])
    parts = [
        _rows(made, at=made[column], event=event, actor=made["author"], source=source, ref=made["change"]).assign(
            change=made["change"]
        )
        for event, column, source in (
            ("commit.first", "first_commit_at", "commits"),
            ("pull_request.opened", "opened_at", "pull_requests"),
            ("pull_request.ready", "ready_at", "pull_requests"),
        )
    ]
    parts += [
        _rows(made, at=times, event=event, source=source, ref=made["change"]).assign(change=made["change"])
        for event, times, source in (
            ("pull_request.approved", made["approved_at"], "reviews"),
            ("pull_request.merged", made["merged_at"], "pull_requests"),
            ("pull_request.closed", ended, "pull_requests"),
        )
    ]
    every = pd.concat([*parts, _reviews(facts, made, people), _builds(facts, links), _deployments(links)], ignore_index=True)
    return every[every["at"].notna()]


def _reviews(facts: Facts, made: pd.DataFrame, people: People) -> pd.DataFrame:
    """review.submitted by somebody who is not the author; where no reviews are read, the first review that a source names."""
    told = reviews_by_others(facts, people, made.set_index("change")["author"])
    read = _rows(
        told, at=told["submitted_at"], event="review.submitted", actor=told["reviewer"], source="reviews", ref=told["change"]
    )
    known = (facts.reviews["repository"] + "#" + facts.reviews["number"].astype("str")).astype("str")
    only = made[~among(made["change"], known) & made["first_review_at"].notna()]
    named = _rows(only, at=only["first_review_at"], event="review.submitted", source="pull_requests", ref=only["change"])
    return pd.concat([read.assign(change=told["change"]), named.assign(change=only["change"])], ignore_index=True)


def _builds(facts: Facts, links: Links) -> pd.DataFrame:
    runs = links.change_builds.merge(facts.builds, left_on="build", right_on="id", suffixes=("", "_"))
    return pd.concat(
        [
            _rows(runs, at=runs[column], event=f"build.{what}", source="builds", ref=runs["build"]).assign(change=runs["change"])
            for what, column in (("queued", "queued_at"), ("started", "started_at"), ("finished", "finished_at"))
        ],
        ignore_index=True,
    )


def _deployments(links: Links) -> pd.DataFrame:
    pairs = pd.concat([links.deployment_changes, links.environment_changes], ignore_index=True)
    runs = pairs.merge(links.deployments, left_on="deployment", right_on="id", suffixes=("", "_"))
    # The same change may go to several applications: of one environment the last one counts, by TOGETHER's own rule.
    where = runs["environment"].mask(runs["production"], "production")
    return pd.concat(
        [
            _rows(
                runs, at=runs[column], event=f"deployment.{what}", environment=where, source="deployments", ref=runs["deployment"]
            ).assign(change=runs["change"])
            for what, column in (("started", "started_at"), ("finished", "finished_at"))
        ],
        ignore_index=True,
    )


def _together(events: pd.DataFrame, links: Links) -> pd.DataFrame:
    """The changes' events as their items': of an item with several changes the least advanced counts."""
    if events.empty:
        return empty(LOG)
    of_items = links.item_changes[["item", "change"]].merge(events.drop(columns="item"), on="change")
    of_items = of_items[_counted(of_items, links)]
    shared = links.item_changes.loc[links.item_changes["item"].duplicated(keep=False)]
    mine = among(of_items["item"], shared["item"]) & among(of_items["event"], TOGETHER)
    if not mine.any():
        return of_items
    kept = _least(of_items[mine].reset_index(drop=True), shared, links)
    return pd.concat([of_items[~mine], kept], ignore_index=True)


def _counted(of_items: pd.DataFrame, links: Links) -> pd.Series:
    """Which events count for an item: all, but of deployments only those of its own application."""
    pairs = arrivals(links, pd.concat([links.deployment_changes, links.environment_changes], ignore_index=True))
    known = pairs["item"] + MARK + pairs["change"] + MARK + pairs["deployment"]
    told = of_items["item"] + MARK + of_items["change"] + MARK + of_items["ref"]
    return (of_items["source"] != "deployments") | among(told, known)


def _least(events: pd.DataFrame, shared: pd.DataFrame, links: Links) -> pd.DataFrame:
    """The events at which all changes of an item that had begun had got there, or were further, or had been given up.

    Where the last one that was missing is given up, the item gets there at that moment.
    """
    lives = _lives(shared, links)
    group = events["item"] + MARK + events["event"] + MARK + events["environment"].fillna("")
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
