"""The event log: what happened to each item, in order. One row an event; nothing is told yet of stages."""

import numpy as np
import pandas as pd

from vsm.config import EVENTS
from vsm.frames import empty, looked_up, no_text, text
from vsm.links import Links
from vsm.people import People
from vsm.store import Facts

LOG = {
    "item": "str", "at": "datetime64[us, UTC]", "event": "str", "status": "str", "environment": "str",
    "actor": "str", "team": "str", "source": "str", "ref": "str",
}  # fmt: skip
# At one instant delivery comes first, in its natural order, then what the tracker made of it.
RANK = {event: rank for rank, event in enumerate(EVENTS)} | {"status": len(EVENTS), "item.done": 99, "item.cancelled": 99}
# An item with several pull requests has reached one of these only when all of them have.
TOGETHER = ("pull_request.approved", "pull_request.merged", "pull_request.closed", "deployment.started", "deployment.finished")


def log(facts: Facts, links: Links, people: People) -> pd.DataFrame:
    """Every event of every item: item, at, event, status, environment, actor, team, source, ref; by item and time.

    Statuses of one instant are in the order of their chain from → to. Of an item with several pull
    requests the least advanced counts.
    """
    changes = _together(_of_changes(facts, links, people), links)
    parts = [_of_tickets(facts, people, links), changes]
    every = pd.concat([part[list(LOG)] for part in parts], ignore_index=True)
    every = every[every["at"].notna()]
    rank = every["event"].map(RANK)
    order = np.lexsort((np.arange(len(every)), rank, every["at"].to_numpy(), every["item"].to_numpy()))
    return every.iloc[order].reset_index(drop=True)


def _of_tickets(facts: Facts, people: People, links: Links) -> pd.DataFrame:
    """ticket.created, the status at creation, and every transition."""
    flowing = set(links.items.loc[links.items["kind"] == "ticket", "item"])
    tickets = facts.tickets[facts.tickets["key"].isin(flowing)]
    moves = chained(facts.transitions[facts.transitions["ticket"].isin(flowing)])
    made = _rows(
        tickets, item=tickets["key"], at=tickets["created_at"], event="ticket.created", source="tickets", ref=tickets["key"]
    )
    first = moves.drop_duplicates("ticket").set_index("ticket")
    # A tracker does not record the first status; it is where the first move came from, else where the ticket still is.
    begun = looked_up(tickets["key"], first["from_status"])
    begun = begun.where(tickets["key"].isin(first.index), tickets["status"])
    start = _rows(
        tickets, item=tickets["key"], at=tickets["created_at"], event="status", status=begun, team=tickets["team"],
        source="tickets", ref=tickets["key"],
    )  # fmt: skip
    moved = _rows(
        moves, item=moves["ticket"], at=moves["at"], event="status", status=moves["to_status"],
        actor=people.persons(moves["actor"], "transitions"), team=moves["team"], source="transitions", ref=moves["ticket"],
    )  # fmt: skip
    return pd.concat([made, start[start["status"].notna()], moved], ignore_index=True)


def chained(transitions: pd.DataFrame) -> pd.DataFrame:
    """Transitions by ticket and time; several at one instant follow their chain from → to."""
    ordered = transitions.sort_values(["ticket", "at"], kind="stable", ignore_index=True)
    twins = ordered.duplicated(["ticket", "at"], keep=False)
    if not twins.any():
        return ordered
    order = ordered.index.to_numpy().copy()
    for _, group in ordered[twins].groupby(["ticket", "at"], sort=False):
        places = group.index.to_numpy()
        before = ordered.iloc[places[0] - 1] if places[0] else None
        status = before["to_status"] if before is not None and before["ticket"] == group["ticket"].iloc[0] else None
        order[places] = _chain(group, status)
    return ordered.iloc[order].reset_index(drop=True)


def _chain(group: pd.DataFrame, status: str | None) -> list[int]:
    """The rows of one instant so that each begins where the one before it ended, as far as they do."""
    rest = {index: (str(was), str(is_)) for index, was, is_ in group[["from_status", "to_status"]].itertuples()}
    ends = {is_ for _, is_ in rest.values()}
    chain: list[int] = []
    while rest:
        fits = [index for index, (was, _) in rest.items() if was == status]
        # Nothing fits: begin with a row that no other of the rest leads to.
        starts = [index for index, (was, _) in rest.items() if was not in ends]
        index = (fits or starts or list(rest))[0]
        chain.append(index)
        status = rest.pop(index)[1]
        ends = {is_ for _, is_ in rest.values()}
    return chain


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
    name = (facts.reviews["repository"] + "#" + facts.reviews["number"].astype("str")).astype("str")
    reviewer = people.persons(facts.reviews["reviewer"], "reviews")
    author = looked_up(name, made.set_index("change")["author"])
    own = reviewer.notna() & (reviewer == author)
    read = _rows(
        facts.reviews, at=facts.reviews["submitted_at"], event="review.submitted", actor=reviewer, source="reviews", ref=name
    )
    only = made[~made["change"].isin(name) & made["first_review_at"].notna()]
    named = _rows(only, at=only["first_review_at"], event="review.submitted", source="pull_requests", ref=only["change"])
    return pd.concat([read.assign(change=name)[~own], named.assign(change=only["change"])], ignore_index=True)


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
    several = links.item_changes["item"].duplicated(keep=False)
    shared = set(links.item_changes.loc[several, "item"])
    mine = of_items["item"].isin(shared) & of_items["event"].isin(TOGETHER)
    if not mine.any():
        return of_items
    life = _life(links.changes)
    kept = [_least(group, life, links.item_changes) for _, group in of_items[mine].groupby("item", sort=False)]
    return pd.concat([of_items[~mine], *kept], ignore_index=True)


def _life(changes: pd.DataFrame) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
    """When each change began, and when it was given up (NaT: never)."""
    begun = changes[["first_commit_at", "opened_at", "merged_at"]].min(axis=1)
    return dict(zip(changes["change"], zip(begun, changes["closed_at"], strict=True), strict=True))


def _least(events: pd.DataFrame, life: dict[str, tuple[pd.Timestamp, pd.Timestamp]], item_changes: pd.DataFrame) -> pd.DataFrame:
    """Of one item: the events at which all of its changes that had begun, and were not given up, had got there."""
    mine = item_changes.loc[item_changes["item"] == events["item"].iloc[0], "change"]
    kept: list[int] = []
    for _, same in events.groupby(["event", "environment"], sort=False, dropna=False):
        there: set[str] = set()
        for index, change, at in same.sort_values("at", kind="stable")[["change", "at"]].itertuples():
            there.add(change)
            begun = {c for c in mine if life[c][0] <= at and not life[c][1] <= at}
            if begun <= there:
                kept.append(index)
    return events.loc[kept]
