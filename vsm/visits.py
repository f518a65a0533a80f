"""Visits: the log, told as stays in stages. Never rewritten: backflow, skips and reopenings stay visible."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vsm.frames import TIME, looked_up, no_text
from vsm.workflow import Workflow

VISITS = ("item", "stage", "position", "seq", "queued", "started", "finished", "left", "actor", "team", "entered_from", "kind_in")
NOT_YET = int(np.iinfo("int64").min)  # the number that numpy keeps for NaT
MARK = "\x1f"


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
    """A visit as it is being told; times are microseconds, NOT_YET where unknown."""

    item: str
    seq: int
    stage: int
    before: int
    kind: str
    team: str
    queued: int
    started: int = NOT_YET
    finished: int = NOT_YET
    left: int = NOT_YET
    actor: str = ""


@dataclass(slots=True)
class End:
    """What became of an item."""

    item: str
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
    actions, unknown = _actions(log, workflow)
    teller = _Teller()
    for row in zip(
        log["item"].array,
        log["at"].astype(TIME).array.asi8.tolist(),
        actions,
        log["actor"].fillna("").array,
        log["team"].fillna("").array,
        strict=True,
    ):
        teller.tell(*row)
    stays = _frame(teller.stays, workflow, items)
    return Path(stays, _items(teller.ends, items, stays), unknown)


def _actions(log: pd.DataFrame, workflow: Workflow) -> tuple[list[Action], dict[str, int]]:
    """The action of each event; and the statuses that mean nothing here, with how often they occur."""
    key = log["event"] + MARK + log["status"].fillna("") + MARK + log["environment"].fillna("")
    codes, names = pd.factorize(key)
    parts = [name.split(MARK) for name in names]
    actions = [_action(event, status, environment, workflow) for event, status, environment in parts]
    counts = np.bincount(codes, minlength=len(names)).tolist()
    unknown = {
        status: count
        for (event, status, _), count in zip(parts, counts, strict=True)
        if event == "status" and workflow.meaning(status)[0] == "unknown"
    }
    return [actions[code] for code in codes.tolist()], unknown


STATUS_DOES = {"waiting": "queue", "active": "work", "new": "back", "done": "done", "cancelled": "cancel"}
EVENT_DOES = {"item.done": "done", "item.cancelled": "cancel", "item.settled": "settle"}


def _action(event: str, status: str, environment: str, workflow: Workflow) -> Action:
    if event == "status":
        meaning, at = workflow.meaning(status)
        return Action(STATUS_DOES.get(meaning, ""), -1 if at is None else at, by_status=True)
    if event in EVENT_DOES:
        return Action(EVENT_DOES[event])
    names = {f"{event}:{environment}"} if environment else {event}
    if environment == "production":
        names.add(event)  # a deployment event without an environment means production
    closes = frozenset(place for place, stage in enumerate(workflow.stages) if names & set(stage.closes))
    for place, stage in enumerate(workflow.stages):
        if names & set(stage.starts):
            return Action("work", place, closes - {place})
        if names & set(stage.opens):
            return Action("queue", place, closes - {place})
    return Action(closes=closes)


@dataclass
class _Teller:
    """Walks the log once, item after item; ``stay`` and ``end`` are of the item at hand."""

    stays: list[Stay] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    end: End = field(default_factory=lambda: End(""))
    stay: Stay | None = None
    last: Stay | None = None  # the item's last visit, also after it has been left

    def tell(self, item: str, at: int, action: Action, actor: str, team: str) -> None:
        """One event."""
        if item != self.end.item:
            self.end, self.stay, self.last = End(item), None, None
            self.ends.append(self.end)
        if self.end.state in ("done", "cancelled") and not action.by_status:
            return
        if self.stay is not None and self.stay.stage in action.closes and self.stay.finished == NOT_YET:
            self.stay.finished = at
        if action.do:
            DOES[action.do](self, at, action, actor, team)

    def queue(self, at: int, action: Action, _actor: str, team: str) -> None:
        """Work waits for a stage; where it already waits there, or is worked on there, an event says nothing new."""
        stay = self.stay
        if stay is not None and stay.stage == action.stage:
            sent_back = stay.started != NOT_YET if action.by_status else stay.finished != NOT_YET
            if not sent_back:
                return
        self.enter(at, action.stage, team)

    def work(self, at: int, action: Action, actor: str, team: str) -> None:
        """Work starts in a stage."""
        stay = self.stay
        if stay is not None and stay.stage > action.stage and not action.by_status:
            return
        if stay is None or stay.stage != action.stage or (stay.finished != NOT_YET and action.by_status):
            stay = self.enter(at, action.stage, team)
        if stay.started == NOT_YET and stay.finished == NOT_YET:
            stay.started, stay.actor, stay.team = at, actor, team or stay.team

    def back(self, at: int, _action: Action, actor: str, _team: str) -> None:
        """The status says new: not committed to yet, or no more."""
        self.reopen()
        self.leave(at, actor)
        self.end.state = "new"

    def done(self, at: int, _action: Action, actor: str, _team: str) -> None:
        """Done; of several such statuses in a row the first counts."""
        if self.end.state != "done":
            self.over("done", at, actor)
            self.end.done_at = at

    def settle(self, at: int, _action: Action, actor: str, _team: str) -> None:
        """Done by now at the latest; since when is not known, so no time is given."""
        if self.end.state != "done":
            self.over("done", at, actor)

    def cancel(self, at: int, _action: Action, actor: str, _team: str) -> None:
        """Cancelled: it leaves work in progress now, and was never finished."""
        if self.end.state != "cancelled":
            self.over("cancelled", at, actor)
            self.end.cancelled_at = at

    def over(self, state: str, at: int, actor: str) -> None:
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

    def enter(self, at: int, stage: int, team: str) -> Stay:
        """A new visit begins, and with it the one at hand ends."""
        self.reopen()
        self.leave(at, "")
        last = self.last
        before, seq = (-1, 0) if last is None else (last.stage, last.seq + 1)
        self.stay = self.last = Stay(self.end.item, seq, stage, before, _kind(before, stage), team, at)
        self.stays.append(self.stay)
        self.end.state = "in progress"
        return self.stay

    def leave(self, at: int, actor: str) -> None:
        """The visit at hand ends; work that nothing ended ends with it."""
        stay = self.stay
        if stay is None:
            return
        stay.left = at
        if stay.started != NOT_YET:
            stay.finished = at if stay.finished == NOT_YET else stay.finished
            stay.actor = stay.actor or actor
        self.stay = None


DOES: dict[str, Callable[[_Teller, int, Action, str, str], None]] = {
    "queue": _Teller.queue,
    "work": _Teller.work,
    "back": _Teller.back,
    "done": _Teller.done,
    "cancel": _Teller.cancel,
    "settle": _Teller.settle,
}


def _kind(before: int, stage: int) -> str:
    """How a stage was come to."""
    if before < 0:
        return "first"
    if stage <= before:
        return "again" if stage == before else "back"
    return "forward" if stage == before + 1 else "skip"


def _frame(stays: list[Stay], workflow: Workflow, items: pd.DataFrame) -> pd.DataFrame:
    """Stays as the visits frame; a visit's team is the event's, else the stage's, else the item's."""
    names = np.array([stage.name for stage in workflow.stages] or [""], dtype=object)
    teams = np.array([stage.team for stage in workflow.stages] or [None], dtype=object)
    place = np.array([stay.stage for stay in stays], dtype="int64")
    before = np.array([stay.before for stay in stays], dtype="int64")
    item = pd.Series([stay.item for stay in stays], dtype="str")
    own = pd.Series([stay.team or None for stay in stays], dtype="str")
    team = own.fillna(pd.Series(teams[place], dtype="str")).fillna(looked_up(item, items.set_index("item")["team"]))
    return pd.DataFrame(
        {
            "item": item,
            "stage": pd.Series(names[place], dtype="str"),
            "position": place,
            "seq": np.array([stay.seq for stay in stays], dtype="int64"),
            **{name: _times([getattr(stay, name) for stay in stays]) for name in ("queued", "started", "finished", "left")},
            "actor": pd.Series([stay.actor or None for stay in stays], dtype="str"),
            "team": team,
            "entered_from": pd.Series(np.where(before < 0, None, names[before]), dtype="str"),
            "kind_in": pd.Series([stay.kind for stay in stays], dtype="str"),
        }
    )


def _times(microseconds: list[int]) -> pd.Series:
    return pd.Series(np.array(microseconds, dtype="int64").view("datetime64[us]")).dt.tz_localize("UTC")


def _items(ends: list[End], items: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """What became of each item, beside what it is."""
    told = pd.DataFrame(
        {
            "state": pd.Series([end.state for end in ends], dtype="str"),
            "done_at": _times([end.done_at for end in ends]),
            "cancelled_at": _times([end.cancelled_at for end in ends]),
            "reopened": np.array([end.reopened for end in ends], dtype="int64"),
        }
    ).set_axis(pd.Index([end.item for end in ends], dtype="str"))
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
