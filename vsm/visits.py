"""Visits: the log, told as stays in stages. Never rewritten: backflow, skips and reopenings stay visible."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from vsm.frames import begins, category, classed, coded, instants, looked_up, named, narrow, of_category, places
from vsm.workflow import Workflow
from vsm.working_time import micros

VISITS = ("item", "stage", "position", "seq", "queued", "started", "finished", "left", "actor", "team", "entered_from", "kind_in")
NOT_YET = int(np.iinfo("int64").min)  # the number that numpy keeps for NaT
NOBODY = -1
SLOTS = 1 << 20  # so many counters are 8 MB
FEW = 32  # items; for fewer at a time arrays are slower than a loop
Numbers = np.ndarray[Any, Any]


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


@dataclass(frozen=True)
class State:
    """All of an item's past that counts for what its next event does. ``over``: what became of it so far; stage −1: in none."""

    over: str = "no events"
    stage: int = -1
    started: bool = False
    finished: bool = False


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
    told, codes = log.loc[tells, ["item", "at", "actor", "team"]], codes[tells]
    begin = np.flatnonzero(begins(told["item"]))
    event = _Events.of(told, codes, begin, tuple(actions))
    stays = _frame(event, told, begin, workflow, items)
    return Path(stays, _items(event, told["item"].iloc[begin], items, stays), unknown)


def _actions(log: pd.DataFrame, workflow: Workflow) -> tuple[list[Action], "np.ndarray[Any, Any]", dict[str, int]]:
    """The actions that occur, which one each event is, and the statuses that mean nothing here, with how often they occur."""
    parts = [narrow(log[name]) for name in ("event", "status", "environment")]
    size = math.prod(len(texts) + 1 for _, texts in parts)
    code = np.zeros(len(log), dtype=np.min_scalar_type(-size))
    for codes, texts in parts:
        code *= len(texts) + 1
        code += codes
        code += 1
    found, codes, counts = _numbered(code, size)
    told: list[tuple[str, ...]] = []
    for one in found.tolist():
        words = []
        for _, texts in reversed(parts):
            one, place = divmod(one, len(texts) + 1)
            words.append(str(texts[place - 1]) if place else "")
        told.append(tuple(reversed(words)))
    actions = [_action(event, status, environment, workflow) for event, status, environment in told]
    unknown = {
        status: count
        for (event, status, _), count in zip(told, counts.tolist(), strict=True)
        if event == "status" and workflow.meaning(status)[0] == "unknown"
    }
    return actions, codes, unknown


def _numbered(code: Numbers, size: int) -> tuple[Numbers, Numbers, Numbers]:
    """The different numbers below a size that occur, which of them each is, and how often each occurs."""
    if size > SLOTS:
        return np.unique(code, return_inverse=True, return_counts=True)
    counts = np.bincount(code, minlength=size)
    found = np.flatnonzero(counts)
    number = np.zeros(size, dtype="int32")
    number[found] = np.arange(len(found))
    return found, number[code], counts[found]


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


# What an event does to an item. -------------------------------------------------------------------------------------------

CLOSES, LEAVES, BY_HAND, REOPENS, ENTERS, STARTS, ENDED = (1 << bit for bit in range(7))
DONE = ("done", "settled")  # settled: done by now at the latest, since when is not known
Step = tuple[State, int]  # the state after an event, and what the event did: some of the above


def step(state: State, action: Action) -> Step:
    """What an event does to an item in a state."""
    if state.over in (*DONE, "cancelled") and not action.by_status:
        return state, 0
    did = 0
    if state.stage in action.closes and not state.finished:
        state, did = replace(state, finished=True), CLOSES
    after, more = DOES[action.do](state, action) if action.do else (state, 0)
    return after, did | more


def _queue(state: State, action: Action) -> Step:
    """Work waits for a stage; where it already waits there, or is worked on there, an event says nothing new."""
    if state.stage == action.stage and not (state.started if action.by_status else state.finished):
        return state, 0
    return _enter(state, action.stage)


def _work(state: State, action: Action) -> Step:
    """Work starts in a stage; one before that of the item only by a status."""
    if state.stage > action.stage and not action.by_status:
        return state, 0
    did = 0
    if state.stage != action.stage or (state.finished and action.by_status):
        state, did = _enter(state, action.stage)
    if state.started or state.finished:
        return state, did
    return replace(state, started=True), did | STARTS


def _back(state: State, _action: Action) -> Step:
    """The status says new: not committed to yet, or no more."""
    return State("new"), _reopened(state) | _left(state) | BY_HAND


def _over(state: State, action: Action) -> Step:
    """The item ends; of several such events in a row the first counts."""
    over = {"done": "done", "settle": "settled", "cancel": "cancelled"}[action.do]
    if over == state.over or {over, state.over} <= {*DONE}:
        return state, 0
    return State(over), _left(state) | BY_HAND | ENDED


def _enter(state: State, stage: int) -> Step:
    """A new visit begins, and with it the one at hand ends; what was over begins again, so it was not over."""
    return State("in progress", stage), _reopened(state) | _left(state) | ENTERS


def _left(state: State) -> int:
    return LEAVES if state.stage >= 0 else 0


def _reopened(state: State) -> int:
    return REOPENS if state.over in DONE else 0


DOES: dict[str, Callable[[State, Action], Step]] = {
    "queue": _queue,
    "work": _work,
    "back": _back,
    "done": _over,
    "cancel": _over,
    "settle": _over,
}


@lru_cache(maxsize=64)
def _table(actions: tuple[Action, ...]) -> tuple[tuple[State, ...], Numbers, Numbers]:
    """The states that items can come to, and for each state (row) and action the number of the next state, and what is done."""
    known = {State(): 0}
    after: list[list[int]] = []
    does: list[list[int]] = []
    states = [State()]
    for state in states:  # grows while it is walked
        steps = [step(state, action) for action in actions]
        fresh = [new for new in dict.fromkeys(new for new, _ in steps) if new not in known]
        known |= {new: len(states) + place for place, new in enumerate(fresh)}
        states += fresh
        after.append([known[new] for new, _ in steps])
        does.append([did for _, did in steps])
    return tuple(states), np.array(after, dtype="int32"), np.array(does, dtype="uint8")


def _walked(codes: Numbers, begin: Numbers, after: Numbers) -> tuple[Numbers, Numbers]:
    """The number of each event's item's state before it, and of each item's state at its end.

    All items take their next step at once: the first event of each, then the second, and so on. The last few, with
    the longest histories, go on one by one.
    """
    lengths = np.diff(np.append(begin, len(codes)))
    order = np.argsort(-lengths, kind="stable")
    first, least = begin[order], -lengths[order]
    before, state = np.zeros(len(codes), dtype="int32"), np.zeros(len(begin), dtype="int32")
    follow, width = after.ravel(), after.shape[1]
    place, some = 0, len(begin)
    while (some := int(np.searchsorted(least[:some], -place, side="left"))) >= FEW:
        rows = first[:some] + place
        before[rows] = state[:some]
        state[:some] = follow[state[:some] * width + codes[rows]]
        place += 1
    for item in range(some):
        here = int(state[item])
        for row in range(int(first[item]) + place, int(first[item] - least[item])):
            before[row] = here
            here = int(after[here, codes[row]])
        state[item] = here
    end = np.zeros(len(begin), dtype="int32")
    end[order] = state
    return before, end


@dataclass(frozen=True)
class _Events:
    """The events that tell something: when, the item's number, what was done, in which stage; what became of the items."""

    at: Numbers
    item: Numbers
    did: Numbers
    stage: Numbers
    items: int
    over: Numbers
    overs: tuple[str, ...]

    @classmethod
    def of(cls, told: pd.DataFrame, codes: Numbers, begin: Numbers, actions: tuple[Action, ...]) -> "_Events":
        """Events by item and time; `codes`: which of the actions each is, `begin`: each item's first."""
        states, after, does = _table(actions)
        before, end = _walked(codes, begin, after)
        did = does.ravel()[before * max(len(actions), 1) + codes]
        stage = np.array([action.stage for action in actions], dtype="int16")[codes]
        item = np.repeat(np.arange(len(begin), dtype="int32"), np.diff(np.append(begin, len(codes))))
        overs = tuple(dict.fromkeys(state.over for state in states))
        over = np.array([overs.index(state.over) for state in states], dtype="int64")[end]
        return cls(micros(told["at"]), item, did, stage, len(begin), over, overs)

    def where(self, *bits: int) -> Numbers:
        """The rows of the events that did all of this."""
        every = sum(bits)
        return np.flatnonzero(self.did & every == every)


def _frame(event: _Events, told: pd.DataFrame, begin: Numbers, workflow: Workflow, items: pd.DataFrame) -> pd.DataFrame:
    """The visits; a visit's team is the event's, else the stage's, else the item's. Who worked: who began it, else who ended it."""
    entered = event.where(ENTERS)
    count = len(entered)
    inside = np.cumsum(event.did & ENTERS > 0, dtype="int32") - 1  # after each event
    place, item = event.stage[entered].astype("int64"), event.item[entered]
    started, finished, left = (np.full(count, NOT_YET) for _ in range(3))
    starts, closes, leaves = event.where(STARTS), event.where(CLOSES), event.where(LEAVES)
    went = inside[leaves] - (event.did[leaves] & ENTERS > 0)  # the visit that ended: not the one that began with it
    started[inside[starts]] = event.at[starts]
    finished[inside[closes] - (event.did[closes] & ENTERS > 0)] = event.at[closes]
    left[went] = event.at[leaves]
    worked = started != NOT_YET
    finished = np.where(worked & (finished == NOT_YET), left, finished)
    actor, team = _hands(told, event, inside, worked)
    names = [stage.name for stage in workflow.stages]
    who = told["item"].iloc[begin].reset_index(drop=True).astype("str")  # by the number of an item
    of_stage, of_item = [stage.team for stage in workflow.stages], looked_up(who, items.set_index("item")["team"])
    team = _first_of(team, _told(of_stage, place), _told(of_item, item))
    first = np.diff(item, prepend=-1) != 0  # an item's stays stand together
    before = np.where(first, -1, np.roll(place, 1))
    steps = [before < 0, place < before, place == before, place == before + 1]
    ways = ["first", "back", "again", "forward", "skip"]
    seq = np.arange(count) - np.maximum.accumulate(np.where(first, np.arange(count), 0))
    return pd.DataFrame(
        {
            "item": of_category(item, category(who)),
            "stage": classed(*_told(names, place)),
            "position": place,
            "seq": seq,
            "queued": instants(event.at[entered]),
            "started": instants(started),
            "finished": instants(finished),
            "left": instants(left),
            "actor": classed(*actor),
            "team": classed(*team),
            "entered_from": classed(*_told(names, before)),
            "kind_in": classed(np.select(steps, [0, 1, 2, 3], 4), ways),
        }
    )


Named = tuple[Numbers, list[str]]  # numbers, −1 for none, and what they stand for


def _hands(told: pd.DataFrame, event: _Events, inside: Numbers, worked: Numbers) -> tuple[Named, Named]:
    """Of each visit who began the work, else who ended it; and the team of the event that began the work, else the visit."""
    entered, starts, leaves = event.where(ENTERS), event.where(STARTS), event.where(LEAVES, BY_HAND)
    found = []
    for name, gives in (("actor", leaves), ("team", entered)):
        codes, names = narrow(told[name])
        mine = np.full(len(entered), NOBODY)
        mine[inside[gives]] = codes[gives]
        mine = np.where(worked, mine, NOBODY) if name == "actor" else mine
        known = starts[codes[starts] != NOBODY]
        mine[inside[known]] = codes[known]
        found.append((mine, names))
    return found[0], found[1]


def _told(names: "Sequence[str | None] | pd.Series", place: Numbers) -> Named:
    """What some places, or items, say of the visits that are theirs; a place of −1 says nothing."""
    codes, known = coded(pd.Series(names, dtype="str"))
    return np.append(codes, NOBODY)[place], known


def _first_of(*said: Named) -> Named:
    """Of each visit the first that is said of it."""
    number = {name: place for place, name in enumerate(dict.fromkeys(name for _, names in said for name in names))}
    found = np.full(len(said[0][0]), NOBODY)
    for codes, names in said:
        of = np.array([*(number[name] for name in names), NOBODY])
        found = np.where(found == NOBODY, of[codes], found)
    return found, list(number)


def _items(event: _Events, names: pd.Series, items: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """What became of each item, beside what it is. `names`: of the items that have events."""
    count, place = event.items, places(items["item"], names)
    entered = event.item[event.where(ENTERS)]
    queued, started, left = (micros(stays[name]) for name in ("queued", "started", "left"))
    ended, begun, is_open = event.where(ENDED), started != NOT_YET, left == NOT_YET

    def at(item: Numbers, times: Numbers, where: "Numbers | bool" = True) -> pd.Series:
        """Of each item the first of the times that are given for it, if it is one of those `where` that holds."""
        found = np.full(count + 1, NOT_YET)
        found[item[::-1]] = times[::-1]
        found[:count] = np.where(where, found[:count], NOT_YET)
        return instants(found[place]).set_axis(items.index)

    def over(*names: str) -> Numbers:
        return np.isin(event.over, [number for number, name in enumerate(event.overs) if name in names])

    # Of several ends the last one counts.
    last = event.item[ended][::-1], event.at[ended][::-1]
    reopened = np.bincount(event.item[event.where(REOPENS)], minlength=count + 1)
    states = [*("done" if name == "settled" else name for name in event.overs), "no events"]
    here = np.full(count + 1, -1)
    here[entered[is_open]] = np.flatnonzero(is_open)
    return items.assign(
        first_queued=at(entered, queued),
        first_started=at(entered[begun], started[begun]),
        committed_at=at(entered, queued),
        done_at=at(*last, over("done")),
        cancelled_at=at(*last, over("cancelled")),
        reopened=reopened[place],
        state=named(np.append(event.over, len(states) - 1)[place], states).set_axis(items.index),
        stage=stays["stage"].reindex(here[place]).astype("str").set_axis(items.index),
        stage_since=stays["queued"].reindex(here[place]).set_axis(items.index),
    )
