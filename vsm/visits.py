"""Visits: the log, told as stays in stages. Never rewritten: backflow, skips and reopenings stay visible."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from vsm.frames import TIME, looked_up, no_text
from vsm.workflow import Workflow

VISITS = ("item", "stage", "position", "seq", "queued", "started", "finished", "left", "actor", "team", "entered_from", "kind_in")
NOT_YET = int(np.iinfo("int64").min)  # the number that numpy keeps for NaT
NOBODY = -1


@dataclass(frozen=True)
class Path:
    """``visits`` and ``items`` (columns in docs/architecture.md); ``unknown``: how often each status without a meaning occurs."""

    visits: pd.DataFrame
    items: pd.DataFrame
    unknown: dict[str, int]


@dataclass(frozen=True)
class Action:
    """What an event does: end the work in the stages of ``closes``, then ``do``: queue, work, back, done, cancel or nothing."""

    do: str = ""
    stage: int = -1
    closes: frozenset[int] = frozenset()
    by_status: bool = False


@dataclass(slots=True)
class Stay:
    """A visit as it is being told; times are microseconds, NOT_YET where unknown; names are numbers, NOBODY where unknown."""

    item: int
    stage: int
    team: int
    queued: int
    started: int = NOT_YET
    finished: int = NOT_YET
    left: int = NOT_YET
    actor: int = NOBODY


NUMBERS = attrgetter(*(number.name for number in fields(Stay)))


@dataclass(slots=True)
class End:
    """What became of an item."""

    item: int
    state: str = "no events"
    done_at: int = NOT_YET
    cancelled_at: int = NOT_YET
    reopened: int = 0


def visits(log: pd.DataFrame, items: pd.DataFrame, workflow: Workflow) -> Path:
    """The stays of each item in the stages of a workflow, and what became of the item.

    An item is in one stage at a time, the latest event wins. A waiting status or an event of
    ``opens`` queues it, an active status or an event of ``starts`` starts the work, an event of
    ``closes`` ends it; it leaves with the next stage, a new status or a final one. Going back makes
    a new visit, also from active back to waiting in one stage. Work that starts by an event in an
    earlier stage than the item is in (a late review, say) does not pull it back, and events after
    done or cancelled never reopen: only a status does.
    """
    actions, codes, unknown = _actions(log, workflow)
    tells = np.array([action != Action() for action in actions], dtype="bool")[codes]
    told, codes = log[tells], codes[tells]
    coded = {name: pd.factorize(told[name]) for name in ("item", "actor", "team")}
    teller = _Teller()
    at = told["at"].astype(TIME).array.asi8.tolist()
    columns = (coded[name][0].tolist() for name in ("actor", "team"))
    for row in zip(coded["item"][0].tolist(), at, map(actions.__getitem__, codes.tolist()), *columns, strict=True):
        teller.tell(*row)
    teller.keep()
    names: Names = {name: np.array([*texts, None], dtype=object) for name, (_, texts) in coded.items()}
    stays = _frame(teller.stays, workflow, items, names)
    return Path(stays, _items(teller.ends, items, stays, names["item"]), unknown)


def _actions(log: pd.DataFrame, workflow: Workflow) -> tuple[list[Action], "np.ndarray[Any, Any]", dict[str, int]]:
    """The actions that occur, which one each event is, and the statuses that mean nothing here, with how often they occur."""
    coded = [pd.factorize(log[name]) for name in ("event", "status", "environment")]
    code = np.zeros(len(log), dtype="int64")
    for codes, texts in coded:
        code = code * (len(texts) + 1) + codes + 1
    found, first, codes = np.unique(code, return_index=True, return_inverse=True)
    parts = [["" if part[0][place] < 0 else str(part[1][part[0][place]]) for part in coded] for place in first.tolist()]
    actions = [_action(event, status, environment, workflow) for event, status, environment in parts]
    counts = np.bincount(codes, minlength=len(found)).tolist()
    unknown = {
        status: count
        for (event, status, _), count in zip(parts, counts, strict=True)
        if event == "status" and workflow.meaning(status)[0] == "unknown"
    }
    return actions, codes, unknown


STATUS_DOES = {"waiting": "queue", "active": "work", "new": "back", "done": "done", "cancelled": "cancel"}
EVENT_DOES = {"item.done": "done", "item.cancelled": "cancel", "item.settled": "settle"}


def _action(event: str, status: str, environment: str, workflow: Workflow) -> Action:
    if event == "status":
        meaning, at = workflow.meaning(status)
        return Action(STATUS_DOES.get(meaning, ""), -1 if at is None else at, by_status=True)
    if event in EVENT_DOES:
        return Action(EVENT_DOES[event])
    where = environment.casefold()
    names = {f"{event}:{where}"} if where else {event}
    if where == "production":
        names.add(event)  # a deployment event without an environment means production
    closes = frozenset(place for place, stage in enumerate(workflow.stages) if names & _folded(stage.closes))
    for place, stage in enumerate(workflow.stages):
        if names & _folded(stage.starts):
            return Action("work", place, closes - {place})
        if names & _folded(stage.opens):
            return Action("queue", place, closes - {place})
    return Action(closes=closes)


def _folded(events: tuple[str, ...]) -> set[str]:
    """Events of a stage, their environments in any case."""
    return {event.casefold() for event in events}


@dataclass
class _Teller:
    """Walks the log once, item after item; ``stay`` and ``end`` are of the item at hand.

    Stays that are told are kept as plain numbers: half a million objects would be looked through again and again.
    """

    stays: list[tuple[int, ...]] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    end: End = field(default_factory=lambda: End(NOBODY))
    stay: Stay | None = None

    def tell(self, item: int, at: int, action: Action, actor: int, team: int) -> None:
        """One event."""
        if item != self.end.item:
            self.keep()
            self.end, self.stay = End(item), None
            self.ends.append(self.end)
        if self.end.state in ("done", "cancelled") and not action.by_status:
            return
        if self.stay is not None and self.stay.stage in action.closes and self.stay.finished == NOT_YET:
            self.stay.finished = at
        if action.do:
            DOES[action.do](self, at, action, actor, team)

    def queue(self, at: int, action: Action, _actor: int, team: int) -> None:
        """Work waits for a stage; where it already waits there, or is worked on there, an event says nothing new."""
        stay = self.stay
        if stay is not None and stay.stage == action.stage:
            sent_back = stay.started != NOT_YET if action.by_status else stay.finished != NOT_YET
            if not sent_back:
                return
        self.enter(at, action.stage, team)

    def work(self, at: int, action: Action, actor: int, team: int) -> None:
        """Work starts in a stage."""
        stay = self.stay
        if stay is not None and stay.stage > action.stage and not action.by_status:
            return
        if stay is None or stay.stage != action.stage or (stay.finished != NOT_YET and action.by_status):
            stay = self.enter(at, action.stage, team)
        if stay.started == NOT_YET and stay.finished == NOT_YET:
            stay.started, stay.actor, stay.team = at, actor, stay.team if team == NOBODY else team

    def back(self, at: int, _action: Action, actor: int, _team: int) -> None:
        """The status says new: not committed to yet, or no more."""
        self.reopen()
        self.leave(at, actor)
        self.end.state = "new"

    def done(self, at: int, _action: Action, actor: int, _team: int) -> None:
        """Done; of several such statuses in a row the first counts."""
        if self.end.state != "done":
            self.over("done", at, actor)
            self.end.done_at = at

    def settle(self, at: int, _action: Action, actor: int, _team: int) -> None:
        """Done by now at the latest; since when is not known, so no time is given."""
        if self.end.state != "done":
            self.over("done", at, actor)

    def cancel(self, at: int, _action: Action, actor: int, _team: int) -> None:
        """Cancelled: it leaves work in progress now, and was never finished."""
        if self.end.state != "cancelled":
            self.over("cancelled", at, actor)
            self.end.cancelled_at = at

    def over(self, state: str, at: int, actor: int) -> None:
        """The item ends."""
        if self.end.state in ("done", "cancelled"):  # from one end to the other: nobody worked on it in between
            self.end.done_at = self.end.cancelled_at = NOT_YET
        self.leave(at, actor)
        self.end.state = state

    def reopen(self) -> None:
        """What was over begins again, so it was not over."""
        if self.end.state in ("done", "cancelled"):
            self.end.reopened += self.end.state == "done"
            self.end.done_at = self.end.cancelled_at = NOT_YET

    def enter(self, at: int, stage: int, team: int) -> Stay:
        """A new visit begins, and with it the one at hand ends."""
        self.reopen()
        self.leave(at, NOBODY)
        stay = self.stay = Stay(self.end.item, stage, team, at)
        self.end.state = "in progress"
        return stay

    def leave(self, at: int, actor: int) -> None:
        """The visit at hand ends; work that nothing ended ends with it."""
        stay = self.stay
        if stay is None:
            return
        stay.left = at
        if stay.started != NOT_YET:
            stay.finished = at if stay.finished == NOT_YET else stay.finished
            stay.actor = actor if stay.actor == NOBODY else stay.actor
        self.keep()
        self.stay = None

    def keep(self) -> None:
        """The visit at hand is told."""
        if self.stay is not None:
            self.stays.append(NUMBERS(self.stay))


DOES: dict[str, Callable[[_Teller, int, Action, int, int], None]] = {
    "queue": _Teller.queue,
    "work": _Teller.work,
    "back": _Teller.back,
    "done": _Teller.done,
    "cancel": _Teller.cancel,
    "settle": _Teller.settle,
}


Names = dict[str, "np.ndarray[Any, Any]"]  # of items, actors and teams by number, None behind the last for NOBODY


def _frame(stays: list[tuple[int, ...]], workflow: Workflow, items: pd.DataFrame, told: Names) -> pd.DataFrame:
    """Stays as the visits frame; a visit's team is the event's, else the stage's, else the item's."""
    names = np.array([*(stage.name for stage in workflow.stages), None], dtype=object)
    teams = np.array([*(stage.team for stage in workflow.stages), None], dtype=object)
    numbers = np.array(stays, dtype="int64").reshape(len(stays), len(fields(Stay)))
    code = {part.name: np.ascontiguousarray(numbers[:, place]) for place, part in enumerate(fields(Stay))}
    place, first = code["stage"], np.diff(code["item"], prepend=-1) != 0  # an item's stays stand together
    count = np.arange(len(stays))
    before = np.where(first, -1, np.roll(place, 1))  # -1 is the None behind the last name
    item, own, actor = (pd.Series(told[name][code[name]], dtype="str") for name in ("item", "team", "actor"))
    team = own.fillna(pd.Series(teams[place], dtype="str")).fillna(looked_up(item, items.set_index("item")["team"]))
    steps = [before < 0, place < before, place == before, place == before + 1]
    return pd.DataFrame(
        {
            "item": item,
            "stage": pd.Series(names[place], dtype="str"),
            "position": place,
            "seq": count - np.maximum.accumulate(np.where(first, count, 0)),
            **{name: _times(code[name]) for name in ("queued", "started", "finished", "left")},
            "actor": actor,
            "team": team,
            "entered_from": pd.Series(names[before], dtype="str"),
            "kind_in": pd.Series(np.select(steps, ["first", "back", "again", "forward"], "skip"), dtype="str"),
        }
    )


def _times(microseconds: "list[int] | np.ndarray[Any, Any]") -> pd.Series:
    return pd.Series(np.asarray(microseconds, dtype="int64").view("datetime64[us]")).dt.tz_localize("UTC")


def _items(ends: list[End], items: pd.DataFrame, stays: pd.DataFrame, names: "np.ndarray[Any, Any]") -> pd.DataFrame:
    """What became of each item, beside what it is."""
    told = pd.DataFrame(
        {
            "state": pd.Series([end.state for end in ends], dtype="str"),
            "done_at": _times([end.done_at for end in ends]),
            "cancelled_at": _times([end.cancelled_at for end in ends]),
            "reopened": np.array([end.reopened for end in ends], dtype="int64"),
        }
    ).set_axis(pd.Index(names[[end.item for end in ends]], dtype="str"))
    inside = stays[stays["left"].isna()].set_index("item")
    key = items["item"]
    first = stays.groupby("item")[["queued", "started"]].min()
    return items.assign(
        first_queued=looked_up(key, first["queued"]),
        first_started=looked_up(key, first["started"]),
        committed_at=looked_up(key, first["queued"]),
        done_at=looked_up(key, told["done_at"]),
        cancelled_at=looked_up(key, told["cancelled_at"]),
        reopened=looked_up(key, told["reopened"]).fillna(0).astype("int64"),
        state=looked_up(key, told["state"]).fillna("no events"),
        stage=looked_up(key, inside["stage"]) if len(inside) else no_text(items.index),
        stage_since=looked_up(key, inside["queued"]),
    )
