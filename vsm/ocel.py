"""The log as objects and what happened to them (OCEL 2.0): tickets, changes, builds, deployments, incidents.

One event touches several objects: a deployment its own, the changes that it brought and their tickets. Every
object has an event, since readers drop those that nothing happened to. An attribute that changes has a value at
the beginning of time too (1970), as the standard wants the first one there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from vsm.frames import among, looked_up, no_text, text
from vsm.taken import Taken

# The attributes of each type of object, and what they hold.
OBJECTS: dict[str, dict[str, str]] = {
    "ticket": dict.fromkeys(
        ("title", "type", "priority", "project", "application", "team", "url", "status", "assignee", "sprint", "flagged"), "string"
    ),
    "change": dict.fromkeys(("title", "kind", "repository", "branch", "author", "application", "url", "state"), "string"),
    "build": dict.fromkeys(("job", "repository", "branch", "result", "url"), "string"),
    "deployment": dict.fromkeys(("application", "environment", "repository", "ref", "sha", "result", "url"), "string")
    | {"production": "boolean"},
    "incident": dict.fromkeys(("title", "severity", "application", "url", "state"), "string"),
}
CHANGING = {"ticket": ("status", "assignee", "sprint", "flagged"), "change": ("state",), "incident": ("state",)}
EVENT_ATTRIBUTES = ("actor", "team", "environment", "result", "stream")
STATUS = "status "  # begins the type of an event that gives a ticket a status
ABOUT = "about"  # the object that an event is told of


@dataclass(frozen=True)
class Ocel:
    """``objects`` by type: id and its attributes. ``values``: object, type, time, field, value: what changed later.

    ``events``: id, type, time and EVENT_ATTRIBUTES, in the order of time. ``touched``: event, object, qualifier, in the
    order of the events. ``ties``: source, target, qualifier.
    """

    objects: dict[str, pd.DataFrame]
    values: pd.DataFrame
    events: pd.DataFrame
    touched: pd.DataFrame
    ties: pd.DataFrame

    @cached_property
    def types(self) -> list[str]:
        """The types of events that occur, sorted."""
        return sorted(map(str, self.events["type"].unique()))

    def counts(self) -> dict[str, int]:
        """How much there is of what."""
        objects = sum(map(len, self.objects.values()))
        return {
            "objects": objects, "events": len(self.events), "event-to-object relations": len(self.touched),
            "object-to-object relations": len(self.ties), "attribute changes": len(self.values),
        }  # fmt: skip


def ocel(taken: Taken) -> Ocel:
    """The object-centric log of what an export takes."""
    told = [*_of_tickets(taken), *_of_changes(taken), *_of_builds(taken), *_of_deployments(taken), *_of_incidents(taken)]
    events = pd.concat([part.events for part in told], ignore_index=True)
    events = events[events["time"].notna()].sort_values(["time", "rank", "id"], kind="stable", ignore_index=True)
    touched = pd.concat([one for part in told for one in part.touched], ignore_index=True)
    place = pd.Series(np.arange(len(events)), index=events["id"])
    touched = touched.assign(place=looked_up(touched["event"], place)).dropna(subset=["place", "object"])
    # Readers know one qualifier for an event and an object: what it is told of goes first.
    touched = touched.sort_values("place", kind="stable").drop_duplicates(["event", "object"], ignore_index=True)
    there = pd.Index(touched["object"].unique())
    objects = {kind: frame[among(frame["id"], pd.Series(there))].reset_index(drop=True) for kind, frame in _objects(taken).items()}
    known = pd.concat([frame["id"] for frame in objects.values()], ignore_index=True)
    touched = touched[among(touched["object"], known)].reset_index(drop=True)
    ties, values = _ties(taken), _values(taken)
    ties = ties[among(ties["source"], known) & among(ties["target"], known) & (ties["source"] != ties["target"])]
    return Ocel(
        objects,
        values[among(values["object"], known)].reset_index(drop=True),
        events[["id", "type", "time", *EVENT_ATTRIBUTES]],
        touched[["event", "object", "qualifier"]],
        ties.drop_duplicates(["source", "target", "qualifier"]).reset_index(drop=True),
    )


# Objects. -----------------------------------------------------------------------------------------


def _objects(taken: Taken) -> dict[str, pd.DataFrame]:
    tickets, changes, incidents = taken.tickets, taken.changes, taken.incidents
    first = taken.statuses.drop_duplicates("ref").set_index("ref")["status"].astype("str")
    state = text("open", changes.index)
    return {
        "ticket": _frame("ticket", tickets["key"], tickets, status=looked_up(tickets["key"], first).fillna(tickets["status"])),
        "change": _frame("change", changes["change"], changes, author=taken.shown(changes["author"]), state=state),
        "build": _frame("build", *_once(taken.builds)),
        "deployment": _frame("deployment", taken.deployments["id"], taken.deployments),
        "incident": _frame("incident", incidents["id"], incidents, state=text("open", incidents.index)),
    }


def _once(builds: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    each = builds.drop_duplicates("id", ignore_index=True)
    return each["id"], each


def _frame(kind: str, ids: pd.Series, frame: pd.DataFrame, **more: pd.Series) -> pd.DataFrame:
    """The objects of a type with their attributes; one that a frame lacks is missing, or empty where it comes later."""
    found = {"id": kind + ":" + ids.astype("str")}
    for name in OBJECTS[kind]:
        value = more[name] if name in more else frame[name] if name in frame else no_text(frame.index)
        found[name] = value.fillna("") if name in CHANGING.get(kind, ()) else value
    return pd.DataFrame(found)


def _values(taken: Taken) -> pd.DataFrame:
    """object, type, time, field, value: what an attribute became, in the order of time."""
    parts = [*_ticket_values(taken)]
    for kind, frame, names in (
        ("change", taken.changes.rename(columns={"change": "id"}), {"merged_at": "merged", "closed_at": "closed"}),
        ("incident", taken.incidents, {"acknowledged_at": "acknowledged", "resolved_at": "resolved"}),
    ):
        parts += [_became(kind, frame["id"], frame[at], "state", text(state, frame.index)) for at, state in names.items()]
    every = pd.concat(parts, ignore_index=True)
    every = every[every["time"].notna()].assign(value=every["value"].fillna(""))
    return every.sort_values(["object", "time"], kind="stable", ignore_index=True)


def _ticket_values(taken: Taken) -> Iterable[pd.DataFrame]:
    later = taken.statuses[taken.statuses["ref"].duplicated()]
    yield _became("ticket", later["ref"].astype("str"), later["at"], "status", later["status"].astype("str"))
    told = taken.flow.facts.ticket_changes
    told = told[among(told["ticket"], taken.tickets["key"])]
    for name in ("assignee", "sprint", "flagged"):
        mine = told[told["field"].str.casefold() == name]
        value = taken.shown(taken.people.persons(mine["to"], "ticket_changes")) if name == "assignee" else mine["to"]
        yield _became("ticket", mine["ticket"], mine["at"], name, value)


def _became(kind: str, ids: pd.Series, at: pd.Series, field: str, value: pd.Series) -> pd.DataFrame:
    fixed = {name: text(word, ids.index) for name, word in (("type", kind), ("field", field))}
    return pd.DataFrame({"object": kind + ":" + ids.astype("str"), "time": at, "value": value.astype("str"), **fixed})


def _ties(taken: Taken) -> pd.DataFrame:
    """source, target, qualifier: what belongs to what."""
    facts, tickets, changes, deployments = taken.flow.facts, taken.tickets, taken.changes, taken.deployments
    parts = [
        _tie("ticket", tickets["key"], "ticket", tickets["parent"], "is part of"),
        _tie("ticket", facts.ticket_links["ticket"], "ticket", facts.ticket_links["other"], facts.ticket_links["kind"]),
        _tie("change", taken.pairs["change"], "ticket", taken.pairs["ticket"], "is for"),
        _tie("change", changes["change"], "change", changes["reverts"], "takes back"),
        _tie("change", changes["change"], "change", changes["reapplies"], "brings again"),
        _tie("build", taken.builds["id"], "change", taken.builds["change"], "built"),
        _tie("deployment", taken.brought["deployment"], "change", taken.brought["change"], "brought"),
        _tie("deployment", taken.settled["deployment"], "change", taken.settled["change"], "held"),
        _tie("deployment", deployments["id"], "deployment", deployments["previous"], "came after"),
        _tie("deployment", deployments["id"], "deployment", deployments["rollback_of"], "took back"),
        _tie("incident", taken.incidents["id"], "deployment", taken.incidents["deployment"], "is laid to"),
        _tie("incident", taken.incidents["id"], "ticket", taken.incidents["ticket"], "is recorded in"),
    ]
    every = pd.concat(parts, ignore_index=True).dropna()
    return every.sort_values(["source", "target", "qualifier"], kind="stable", ignore_index=True)


def _tie(kind: str, sources: pd.Series, other: str, targets: pd.Series, qualifier: str | pd.Series) -> pd.DataFrame:
    word = qualifier if isinstance(qualifier, pd.Series) else text(qualifier, sources.index)
    return pd.DataFrame({"source": kind + ":" + sources, "target": other + ":" + targets, "qualifier": word}).astype("str")


# Events. ------------------------------------------------------------------------------------------

RANKS = {name: place for place, name in enumerate(("ticket", "change", "build", "deployment", "incident"))}


@dataclass(frozen=True)
class _Part:
    """Events, and the objects that they touch."""

    events: pd.DataFrame
    touched: Sequence[pd.DataFrame]


def _part(kind: str, ids: pd.Series, at: pd.Series, type_: str | pd.Series, **more: pd.Series) -> _Part:
    """An event for each object that has the time; its id is its type and the object's, with a number where there are several."""
    there = at.notna().to_numpy()
    ids, at = ids[there].astype("str"), at[there]
    name = type_[there].astype("str") if isinstance(type_, pd.Series) else text(type_, ids.index)
    number = (ids + "\x1f" + name).to_frame("key").groupby("key").cumcount()
    again = (":" + (number + 1).astype("str")).where(number > 0, "")
    told = {column: more[column][there].astype("str") if column in more else no_text(ids.index) for column in EVENT_ATTRIBUTES}
    events = pd.DataFrame({"id": name + ":" + ids + again, "type": name, "time": at, **told, "rank": RANKS[kind]})
    return _Part(events, [_touches(events["id"], kind + ":" + ids, ABOUT)])


def _touches(events: pd.Series, objects: pd.Series, qualifier: str) -> pd.DataFrame:
    return pd.DataFrame({"event": events.array, "object": objects.array, "qualifier": qualifier}).astype("str")


def _also(part: _Part, kind: str, other: str, pairs: pd.DataFrame, qualifier: str) -> _Part:
    """The same events, which touch other objects too: `pairs` of the first object's id and the other's."""
    of = part.touched[0]
    pairs = pairs.set_axis(["mine", "theirs"], axis=1).dropna().drop_duplicates()
    joined = of.merge(pairs.assign(object=kind + ":" + pairs["mine"].astype("str")), on="object")
    more = _touches(joined["event"], other + ":" + joined["theirs"].astype("str"), qualifier)
    return _Part(part.events, [*part.touched, more])


def _of_tickets(taken: Taken) -> Iterable[_Part]:
    tickets, statuses, ends = taken.tickets, taken.statuses, taken.ends
    stream = taken.items.set_index("item")["stream"]
    yield _part("ticket", tickets["key"], tickets["created_at"], "ticket.created", stream=looked_up(tickets["key"], stream))
    words = {"actor": taken.shown(statuses["actor"]), "team": statuses["team"]}
    of = looked_up(statuses["item"].astype("str"), stream)
    yield _part("ticket", statuses["ref"], statuses["at"], STATUS + statuses["status"].astype("str"), stream=of, **words)
    ends = ends[among(ends["item"], tickets["key"])]
    yield _part("ticket", ends["item"], ends["at"], ends["event"])


def _of_changes(taken: Taken) -> Iterable[_Part]:
    changes, author = taken.changes, taken.shown(taken.changes["author"])
    for event, column, actor in (
        ("commit.first", "first_commit_at", author),
        ("pull_request.opened", "opened_at", author),
        ("pull_request.ready", "ready_at", author),
        ("pull_request.approved", "approved_at", None),
        ("pull_request.merged", "merged_at", None),
        ("pull_request.closed", "closed_at", None),
    ):
        mine = changes["kind"] == "pull_request"
        name = text(event, changes.index) if event == "commit.first" else text(event, changes.index).where(mine, "commit.pushed")
        part = _part("change", changes["change"], changes[column], name, **({} if actor is None else {"actor": actor}))
        yield _also(part, "change", "ticket", taken.pairs, "for")
    reviews = taken.flow.facts.reviews
    change = reviews["repository"] + "#" + reviews["number"].astype("str")
    reviews = reviews[among(change, changes["change"])]
    who = taken.shown(taken.people.persons(reviews["reviewer"], "reviews"))
    told = {"actor": who, "result": reviews["state"]}
    part = _part("change", change[reviews.index], reviews["submitted_at"], "review.submitted", **told)
    yield _also(part, "change", "ticket", taken.pairs, "for")


def _of_builds(taken: Taken) -> Iterable[_Part]:
    ids, each = _once(taken.builds)
    of = taken.builds[["id", "change"]]
    tickets = of.merge(taken.pairs, on="change")[["id", "ticket"]]
    for event in ("queued", "started", "finished"):
        more = {"result": each["result"]} if event == "finished" else {}
        part = _also(_part("build", ids, each[f"{event}_at"], f"build.{event}", **more), "build", "change", of, "built")
        yield _also(part, "build", "ticket", tickets, "for")


def _of_deployments(taken: Taken) -> Iterable[_Part]:
    told, of = taken.deployments, taken.brought[["deployment", "change"]]
    tickets = of.merge(taken.pairs, on="change")[["deployment", "ticket"]]
    for event in ("started", "finished"):
        more = {"environment": told["environment"]} | ({"result": told["result"]} if event == "finished" else {})
        part = _part("deployment", told["id"], told[f"{event}_at"], f"deployment.{event}", **more)
        yield _also(_also(part, "deployment", "change", of, "brought"), "deployment", "ticket", tickets, "brought")


def _of_incidents(taken: Taken) -> Iterable[_Part]:
    told = taken.incidents
    for event in ("opened", "detected", "acknowledged", "resolved"):
        part = _part("incident", told["id"], told[f"{event}_at"], f"incident.{event}")
        part = _also(part, "incident", "deployment", told[["id", "deployment"]], "is laid to")
        yield _also(part, "incident", "ticket", told[["id", "ticket"]], "is recorded in")
