"""The event log: what happened to each item, in order. One row an event; nothing is told yet of stages."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vsm.changes import reviews_by_others
from vsm.frames import TIME, among, categories, category, kept, looked_up, places, plain, stacked
from vsm.links import Links, arrivals
from vsm.ordered import LOG, events_of, in_order, merged, recategorised
from vsm.people import People
from vsm.store import Facts
from vsm.tracked import of_tickets

# An item with several pull requests has reached one of these only when all of them have.
TOGETHER = ("pull_request.approved", "pull_request.merged", "pull_request.closed", "deployment.started", "deployment.finished")
BEGAN, ARRIVED, FURTHER, GIVEN_UP = range(4)  # in this order at one instant
NEVER = int(np.iinfo("int64").max)
NOT_YET = int(np.iinfo("int64").min)  # the number that numpy keeps for NaT
MARK = "\x1f"


def log(facts: Facts, links: Links, people: People, tracked: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every event of every item: item, at, event, status, environment, actor, team, source, ref; by item and time.

    Statuses of one instant are in the order of their chain from → to. Of an item with several pull
    requests the least advanced counts. All text is categories: millions of rows have few names.
    `tracked`: what the tracker told of each ticket, where that is worked out already (`vsm.tracked.of_tickets`).
    """
    names = category(links.items["item"].sort_values())
    told = of_tickets(facts, people) if tracked is None else tracked
    changes = _together(_of_changes(facts, links, people), links, names)
    return merged(_of_items(told, links), in_order(kept(changes[list(LOG)], changes["at"].notna())), names)


def _of_items(told: pd.DataFrame, links: Links) -> pd.DataFrame:
    """What the tracker told of the tickets that are items, and of the parts that tell where an item is.

    What happened to a part stands in its item's log, with the part as ref; that it was created is no event of the item.
    """
    flowing = links.items.loc[links.items["kind"] == "ticket", "item"]
    parts = links.item_tickets[links.item_tickets["tells"]].set_index("ticket")["item"]
    told = kept(told, among(told["item"], pd.concat([flowing, parts.index.to_series()])))
    if not len(parts):
        return told
    told = told[(told["event"] != "ticket.created") | among(told["item"], flowing)]
    own = told["item"].astype("str")
    return in_order(told.assign(item=categories(looked_up(own, parts).fillna(own))))


def _of_changes(facts: Facts, links: Links, people: People) -> pd.DataFrame:
    """The delivery events of every change, with the change's row in column ``change``."""
    made = links.changes.assign(change=categories(links.changes["change"]), author=categories(links.changes["author"]))
    ended = made["merged_at"].fillna(made["closed_at"])
    parts = [
        events_of(made, at=made[column], event=event, actor=made["author"], source=source, ref=made["change"])
        for event, column, source in (
            ("commit.first", "first_commit_at", "commits"),
            ("pull_request.opened", "opened_at", "pull_requests"),
            ("pull_request.ready", "ready_at", "pull_requests"),
        )
    ]
    parts += [
        events_of(made, at=times, event=event, source=source, ref=made["change"])
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
    read = events_of(
        told, at=told["submitted_at"], event="review.submitted", actor=told["reviewer"], source="reviews", ref=told["change"]
    )
    known = (facts.reviews["repository"] + "#" + facts.reviews["number"].astype("str")).astype("str")
    only = made[~among(made["change"], known) & made["first_review_at"].notna()]
    named = events_of(only, at=only["first_review_at"], event="review.submitted", source="pull_requests", ref=only["change"])
    return [part.assign(change=places(of["change"], made["change"])) for part, of in ((read, told), (named, only))]


def _builds(facts: Facts, links: Links) -> list[pd.DataFrame]:
    pairs = links.change_builds
    runs = facts.builds.take(places(pairs["build"], facts.builds["id"])).reset_index(drop=True)
    place, ref = places(pairs["change"], links.changes["change"]), categories(pairs["build"])
    return [
        events_of(runs, at=runs[column], event=f"build.{what}", source="builds", ref=ref).assign(change=place)
        for what, column in (("queued", "queued_at"), ("started", "started_at"), ("finished", "finished_at"))
    ]


def _deployments(links: Links) -> list[pd.DataFrame]:
    pairs = pd.concat([links.deployment_changes, links.environment_changes], ignore_index=True)
    runs = links.deployments.take(places(pairs["deployment"], links.deployments["id"])).reset_index(drop=True)
    # The same change may go to several applications: of one environment the last one counts, by TOGETHER's own rule.
    where, ref = categories(runs["environment"].mask(runs["production"], "production")), categories(pairs["deployment"])
    place = places(pairs["change"], links.changes["change"])
    return [
        events_of(runs, at=runs[column], event=f"deployment.{what}", environment=where, source="deployments", ref=ref).assign(
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
    of_items["item"] = recategorised(of_changes["item"], names).take(owner).set_axis(of_items.index)
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
