"""Stages: which statuses and events put an item in one, start and end its work. From vsm.toml, else derived from what is there."""

import re
from dataclasses import dataclass, field

import pandas as pd

from vsm.config import Config, StageConfig, StreamConfig
from vsm.store import Facts

# "Deployed to staging" or "Test done" is not the end: only these words alone, or with production behind them.
DONE = re.compile(r"^(done|closed|resolved|released|completed?|finished|shipped|deployed|live)( (in|on|to) prod\w*)?$", re.I)
CANCELLED = re.compile(r"\b(cancell?ed|won'?t\s*(do|fix)|wontfix|rejected|duplicate|abandoned|obsolete|invalid|declined)\b", re.I)
NEW = re.compile(r"\b(backlog|to\s?do|new|open|opened|funnel|icebox|ideas?|triage|selected.*)\b", re.I)
WAITING = re.compile(r"\b(ready|wait(ing)?|await(ing)?|pending|queued?|on hold|blocked|to be|next)\b", re.I)
ENDS = frozenset({"new", "done", "cancelled", "ignored"})


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
    def of(cls, config: StageConfig) -> "Stage":
        """The stage that a table of the configuration describes."""
        return cls(**config.model_dump())

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
        for meaning in sorted(ENDS):
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


def of_stream(stream: StreamConfig, facts: Facts, changes: pd.DataFrame) -> Workflow:
    """The workflow of one configured stream; where it names no stages they are derived from the facts given."""
    if not stream.stages:
        derived = derive(stream.name, facts, changes)
        ends = {name: getattr(stream, name) for name in ENDS if getattr(stream, name)}
        return Workflow(
            stream.name, derived.stages, **{n: ends.get(n, getattr(derived, n)) for n in ENDS}, derived=True, notes=derived.notes
        )
    return Workflow(
        stream.name,
        tuple(Stage.of(stage) for stage in stream.stages),
        **{name: getattr(stream, name) for name in ENDS},
    )


def streams(config: Config) -> tuple[StreamConfig, ...]:
    """The configured streams; without any, one to which everything belongs."""
    return config.streams or (StreamConfig(name="everything"),)


def derive(name: str, facts: Facts, changes: pd.DataFrame) -> Workflow:
    """A workflow from what is there: tickets' statuses in the order in which they are reached, else the delivery events."""
    if len(facts.tickets):
        return _from_statuses(name, facts)
    return _from_delivery(name, changes)


def _from_statuses(name: str, facts: Facts) -> Workflow:
    order = _reached(facts)
    meanings = {status: _guess(status) for status in order}
    stages: list[Stage] = []
    waiting: list[str] = []
    for status in order:
        if meanings[status] == "waiting":
            waiting.append(status)
        elif meanings[status] == "active":
            stages.append(Stage(status, waiting=tuple(waiting), active=(status,)))
            waiting = []
    stages += [Stage(status, waiting=(status,)) for status in waiting]
    ends = {end: tuple(s for s in order if meanings[s] == end) for end in ("new", "done", "cancelled")}
    told = "; ".join(f"{end}: {', '.join(found)}" for end, found in ends.items() if found)
    note = f"No stages are configured: they were derived from the tickets' statuses by their names and order ({told})."
    return Workflow(name, tuple(stages), **ends, derived=True, notes=(note,))


def _reached(facts: Facts) -> list[str]:
    """The statuses in the order in which tickets reach them, by the mean share of a ticket's path that lies before."""
    moves = facts.transitions.sort_values(["ticket", "at"], kind="stable")
    first = moves.drop_duplicates("ticket")
    begun = pd.DataFrame({"ticket": first["ticket"], "status": first["from_status"], "place": 0.0}).dropna()
    still = facts.tickets.loc[~facts.tickets["key"].isin(moves["ticket"]), ["key", "status"]]
    still = still.set_axis(["ticket", "status"], axis=1).assign(place=0.0).dropna()
    place = moves.groupby("ticket").cumcount() + 1
    length = moves.groupby("ticket")["at"].transform("size")
    path = pd.DataFrame({"ticket": moves["ticket"], "status": moves["to_status"], "place": place / length})
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


def _from_delivery(name: str, changes: pd.DataFrame) -> Workflow:
    if changes["opened_at"].notna().any():
        steps: tuple[Stage, ...] = (
            Stage("Coding", opens=("commit.first",), starts=("commit.first",), closes=("pull_request.opened",)),
            Stage("Review", opens=("pull_request.ready",), starts=("review.submitted",), closes=("pull_request.merged",)),
        )
        how = "coding up to the pull request, review up to the merge"
    else:
        steps = (Stage("Change", opens=("commit.first",), starts=("commit.first",), closes=("pull_request.merged",)),)
        how = "from a change's first commit to its merge (coding and review cannot be told apart: no source says when review began)"
    release = Stage("Release", opens=("pull_request.merged",), closes=("deployment.finished",))
    note = f"No stages are configured and there are no tickets: the stages are {how}, then waiting for release."
    return Workflow(name, (*steps, release), derived=True, notes=(note,))
