"""Visits against the plain way to tell them: a loop that walks the log once, event after event, and keeps the visit at hand.

The loop was how visits were told before they were told by arrays; it is kept to be compared with, row by row.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm import visits as module
from vsm.frames import TIME, looked_up, no_text, texts
from vsm.ordered import LOG, in_order
from vsm.visits import NOBODY, NOT_YET, Action, visits
from vsm.workflow import Stage, Workflow

MONDAY = pd.Timestamp("2026-03-02", tz="UTC").as_unit("us")
ENDS: dict[str, Any] = {"new": ("Todo",), "done": ("Done", "Closed"), "cancelled": ("Dropped",), "ignored": ("Parked",)}
EVERYTHING = Workflow(
    "everything",
    (
        Stage("Code", waiting=("Ready",), active=("Doing", "Fixing"), starts=("commit.first",), closes=("pull_request.opened",)),
        Stage("Review", waiting=("For review",), opens=("pull_request.ready",), starts=("review.submitted",),
              closes=("pull_request.approved", "review.submitted"), team="Reviewers"),
        Stage("Test", active=("Testing",), opens=("deployment.finished:staging",), starts=("deployment.finished:staging",)),
        Stage("Release", waiting=("Waiting",), opens=("pull_request.merged",),
              closes=("deployment.finished", "deployment.started")),
    ),
    **ENDS,
)  # fmt: skip
BARE = Workflow("bare", done=("Done",), new=("Todo",))
WORDS = [
    *("Todo", "Ready", "Doing", "Fixing", "For review", "Testing", "Waiting", "Done", "Closed", "Dropped", "Parked", "Limbo"),
    *("commit.first", "pull_request.opened", "pull_request.ready", "review.submitted", "pull_request.approved"),
    *("pull_request.merged", "deployment.started@Production", "deployment.finished@staging", "deployment.finished@production"),
    *("deployment.finished", "deployment.finished@qa", "item.done", "item.cancelled", "item.settled", "ticket.created"),
]
STEP = st.tuples(
    st.sampled_from(WORDS), st.integers(0, 2), st.sampled_from(["", "ann", "bob"]), st.sampled_from(["", "", "Guests"])
)
HISTORIES = st.lists(st.lists(STEP, max_size=25), max_size=6)


def log_of(histories: list[list[tuple[str, int, str, str]]]) -> pd.DataFrame:
    """A log with an item for each history: words with the hours since the one before, who, and whose team."""
    rows = []
    for number, steps in enumerate(histories):
        hours = np.cumsum([later for _, later, _, _ in steps]).tolist()
        for (word, _, actor, team), hour in zip(steps, hours, strict=True):
            name, _, environment = word.partition("@")
            event = {"event": name} if "." in name else {"event": "status", "status": name}
            told = {"item": f"PAY-{number}", "at": MONDAY + pd.Timedelta(hours=hour), "environment": environment or None}
            rows.append(told | {"actor": actor or None, "team": team or None} | event)
    return in_order(pd.DataFrame(rows, columns=list(LOG)).astype(LOG))


def items_of(histories: list[list[tuple[str, int, str, str]]]) -> pd.DataFrame:
    """The items, in another order than the log's; one of them has no team."""
    names = [f"PAY-{number}" for number in range(len(histories))][::-1]
    teams = pd.Series(["Makers", None, "Fixers"] * len(names), dtype="str").iloc[: len(names)]
    return pd.DataFrame({"item": pd.Series(names, dtype="str"), "created_at": MONDAY, "team": teams.array}).set_axis(
        pd.RangeIndex(3, 3 + len(names))
    )


@settings(deadline=None, max_examples=150)
@given(HISTORIES, st.sampled_from([EVERYTHING, EVERYTHING, BARE]))
def test_the_visits_are_those_of_the_loop(histories: list[list[tuple[str, int, str, str]]], workflow: Workflow) -> None:
    log, items = log_of(histories), items_of(histories)
    found, (stays, ends) = visits(log, items, workflow), by_loop(log, items, workflow)
    pd.testing.assert_frame_equal(texts(found.visits), stays)
    pd.testing.assert_frame_equal(found.items, ends)


@pytest.mark.parametrize("few", [1, 3, 1000])
def test_it_makes_no_difference_how_many_items_go_on_one_by_one(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(few)
    lengths = dice.geometric(0.1, 40)
    histories = [[(WORDS[dice.integers(len(WORDS))], 1, "ann", "") for _ in range(length)] for length in lengths]
    log, items = log_of(histories), items_of(histories)
    monkeypatch.setattr(module, "FEW", few)
    found, (stays, ends) = visits(log, items, EVERYTHING), by_loop(log, items, EVERYTHING)
    assert len(stays) > 40
    pd.testing.assert_frame_equal(texts(found.visits), stays)
    pd.testing.assert_frame_equal(found.items, ends)


def test_a_log_of_categories_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(1)
    histories = [[(WORDS[dice.integers(len(WORDS))], 1, "ann", "") for _ in range(9)] for _ in range(30)]
    log, items = log_of(histories), items_of(histories)
    grouped = log.astype(dict.fromkeys(("event", "status", "environment", "actor", "team"), "category"))
    pd.testing.assert_frame_equal(visits(grouped, items, EVERYTHING).visits, visits(log, items, EVERYTHING).visits)
    monkeypatch.setattr(module, "SLOTS", 1)
    pd.testing.assert_frame_equal(visits(grouped, items, EVERYTHING).visits, visits(log, items, EVERYTHING).visits)


# The loop. --------------------------------------------------------------------------------------------------------------


NUMBERS = attrgetter("item", "stage", "team", "queued", "started", "finished", "left", "actor")


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


@dataclass(slots=True)
class End:
    """What became of an item."""

    item: int
    state: str = "no events"
    done_at: int = NOT_YET
    cancelled_at: int = NOT_YET
    reopened: int = 0


def by_loop(log: pd.DataFrame, items: pd.DataFrame, workflow: Workflow) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The visits and the items."""
    actions, codes, _ = module._actions(log, workflow)
    coded = {name: pd.factorize(log[name]) for name in ("item", "actor", "team")}
    teller = _Teller()
    at = log["at"].astype(TIME).array.asi8.tolist()
    columns = (coded[name][0].tolist() for name in ("actor", "team"))
    for row in zip(coded["item"][0].tolist(), at, map(actions.__getitem__, codes.tolist()), *columns, strict=True):
        if row[2] != Action():
            teller.tell(*row)
    teller.keep()
    names: dict[str, Any] = {name: np.array([*texts, None], dtype=object) for name, (_, texts) in coded.items()}
    stays = _frame(teller.stays, workflow, items, names)
    return stays, _items(teller.ends, items, stays, names["item"])


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


def _frame(stays: list[tuple[int, ...]], workflow: Workflow, items: pd.DataFrame, told: dict[str, Any]) -> pd.DataFrame:
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
