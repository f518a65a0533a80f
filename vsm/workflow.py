"""Stages: which statuses and events put an item in one, start and end its work. From vsm.toml, else derived from what is there."""

import re
from dataclasses import dataclass, field

import pandas as pd

from vsm.config import Config, Production, StageConfig, StreamConfig
from vsm.frames import among
from vsm.store import Facts

# "Deployed to staging" or "Test done" is not the end: only these words alone, or with production behind them.
DONE = re.compile(r"^(done|closed|resolved|released|completed?|finished|shipped|deployed|live)( (in|on|to) prod\w*)?$", re.I)
CANCELLED = re.compile(
    r"\b(cancell?ed|won'?t\s*(do|fix)|wontfix|rejected|duplicate|abandoned|dropped|discarded|obsolete|invalid|declined)\b", re.I
)
NEW = re.compile(r"\b(backlog|to\s?do|new|open|opened|funnel|icebox|ideas?|triage|selected.*)\b", re.I)
WAITING = re.compile(r"\b(ready|wait(ing)?|await(ing)?|pending|queued?|on hold|blocked|to be|next)\b", re.I)
ENDS = ("new", "done", "cancelled", "ignored")
USUAL = Production()


@dataclass(frozen=True)
class Stage:
    """A step of the stream. Without ``active`` and ``starts`` it only holds work and has no capacity of its own."""

    name: str
    waiting: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    closes: tuple[str, ...] = ()
    people: float | None = None
    wip_limit: int | None = None
    team: str | None = None

    @classmethod
    def of(cls, config: StageConfig, production: Production) -> "Stage":
        """The stage that a table of the configuration describes; every name of production is called production in its events."""
        events = {
            name: tuple(_place(event, production) for event in getattr(config, name)) for name in ("opens", "starts", "closes")
        }
        return cls(**(config.model_dump() | events))

    @property
    def has_capacity(self) -> bool:
        """Whether people work in it, so that it can be the constraint."""
        return bool(self.active or self.starts)

    @property
    def has_queue(self) -> bool:
        """Whether it can be seen that work waits for it: an event that opens and starts at once shows no queue."""
        return bool(self.waiting or set(self.opens) - set(self.starts))


@dataclass(frozen=True)
class Workflow:
    """The stages of one stream in map order, and what its other statuses mean.

    ``derived`` is true where no configuration said so; ``notes`` then say how it was derived.
    """

    name: str
    stages: tuple[Stage, ...] = ()
    new: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    derived: bool = False
    notes: tuple[str, ...] = ()
    _meanings: dict[str, tuple[str, int | None]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index statuses by name, any case."""
        for meaning in ENDS:
            self._meanings.update({status.casefold(): (meaning, None) for status in getattr(self, meaning)})
        for place, stage in enumerate(self.stages):
            self._meanings.update({status.casefold(): ("waiting", place) for status in stage.waiting})
            self._meanings.update({status.casefold(): ("active", place) for status in stage.active})

    def meaning(self, status: str) -> tuple[str, int | None]:
        """What a status means (new, waiting, active, done, cancelled, ignored, or unknown) and the place of its stage."""
        return self._meanings.get(status.casefold(), ("unknown", None))

    @property
    def by_statuses(self) -> bool:
        """Whether a ticket's status says when an item is done; else delivery says it."""
        return bool(self.done)


def of_stream(
    stream: StreamConfig, facts: Facts, changes: pd.DataFrame, production: Production = USUAL, deploys: bool = True
) -> Workflow:
    """The workflow of one configured stream; where it names no stages they are derived from the facts given.

    `deploys`: some of its items are known to be deployed, so that they can be seen to wait for that.
    """
    if not stream.stages:
        return derive(stream, facts, changes, deploys)
    return Workflow(
        stream.name,
        tuple(Stage.of(stage, production) for stage in stream.stages),
        **{name: getattr(stream, name) for name in ENDS},
    )


def _place(event: str, production: Production) -> str:
    name, colon, environment = event.partition(":")
    return f"{name}:production" if colon and production.matches(environment) else event


def streams(config: Config) -> tuple[StreamConfig, ...]:
    """The configured streams; without any, one to which everything belongs."""
    return config.streams or (StreamConfig(name="everything"),)


def derive(stream: StreamConfig, facts: Facts, changes: pd.DataFrame, deploys: bool = True) -> Workflow:
    """A workflow from what is there: tickets' statuses in the order in which they are reached, else the delivery events.

    What the stream says of its new, done, cancelled and ignored statuses holds; the others are told by their names.
    """
    order = _reached(facts)
    return _from_statuses(stream, order) if order else _from_delivery(stream, facts, changes, deploys)


def _from_statuses(stream: StreamConfig, order: list[str]) -> Workflow:
    said = {status.casefold(): end for end in ENDS for status in getattr(stream, end)}
    meanings = {status: said.get(status.casefold()) or _guess(status) for status in order}
    stages: list[Stage] = []
    waiting: list[str] = []
    for status in order:
        if meanings[status] == "waiting":
            waiting.append(status)
        elif meanings[status] == "active":
            stages.append(Stage(status, waiting=tuple(waiting), active=(status,)))
            waiting = []
    stages += [Stage(status, waiting=(status,)) for status in waiting]
    ends = {end: (*getattr(stream, end), *(s for s in order if meanings[s] == end and s.casefold() not in said)) for end in ENDS}
    told = "; ".join(f"{end}: {', '.join(found)}" for end, found in ends.items() if found)
    note = f"No stages are configured: they were derived from the tickets' statuses by their names and order ({told})."
    return Workflow(stream.name, tuple(stages), **ends, derived=True, notes=(note,))


def _reached(facts: Facts) -> list[str]:
    """The statuses in the order in which tickets reach them, by the mean share of a ticket's path that lies before."""
    moves = facts.transitions.sort_values(["ticket", "at"], kind="stable")
    first = moves.drop_duplicates("ticket")
    begun = pd.DataFrame({"ticket": first["ticket"], "status": first["from_status"].astype("str"), "place": 0.0}).dropna()
    still = facts.tickets.loc[~among(facts.tickets["key"], moves["ticket"]), ["key", "status"]]
    still = still.set_axis(["ticket", "status"], axis=1).assign(place=0.0).dropna()
    place = moves.groupby("ticket").cumcount() + 1
    length = moves.groupby("ticket")["at"].transform("size")
    path = pd.DataFrame({"ticket": moves["ticket"], "status": moves["to_status"].astype("str"), "place": place / length})
    seen = pd.concat([begun, path, still]).drop_duplicates(["ticket", "status"])
    if seen.empty:
        return []
    places = seen.groupby("status")["place"].mean().reset_index().sort_values(["place", "status"], kind="stable")
    return [str(status) for status in places["status"]]


def _guess(status: str) -> str:
    for meaning, pattern in (("cancelled", CANCELLED), ("waiting", WAITING), ("done", DONE), ("new", NEW)):
        if pattern.search(status):
            return meaning
    return "active"


def _from_delivery(stream: StreamConfig, facts: Facts, changes: pd.DataFrame, deploys: bool) -> Workflow:
    if changes["opened_at"].notna().any():
        steps: tuple[Stage, ...] = (
            Stage("Coding", opens=("commit.first",), starts=("commit.first",), closes=("pull_request.opened",)),
            Stage("Review", opens=("pull_request.ready",), starts=("review.submitted",), closes=("pull_request.merged",)),
        )
        how = "coding up to the pull request, review up to the merge"
    else:
        steps = (Stage("Change", opens=("commit.first",), starts=("commit.first",), closes=("pull_request.merged",)),)
        how = "from a change's first commit to its merge (coding and review cannot be told apart: no source says when review began)"
    if deploys:
        steps = (*steps, Stage("Release", opens=("pull_request.merged",), closes=("deployment.finished",)))
    last = "then waiting for release" if deploys else "and no further: no deployment of them is known"
    tickets = "the tickets have no statuses" if len(facts.tickets) else "there are no tickets"
    note = f"No stages are configured and {tickets}: the stages are {how}, {last}."
    ends = {end: getattr(stream, end) for end in ENDS}
    return Workflow(stream.name, steps, **ends, derived=True, notes=(note,))
