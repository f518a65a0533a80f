"""Visits in an engine: the table of `vsm.visits` that says what an event does to an item, walked by window functions.

An event is a function from the state that an item is in to the state after it. Such a function is written as text: one sign for
each state, standing for the state that follows. `translate` then puts two functions one after the other, in every engine alike,
and n such steps tell what 2ⁿ events do together. A function that gives the same state whatever was before (as each status does
where no other events count) needs nothing before it, so that mostly few steps are needed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Any

import ibis

from vsm.visits import BY_HAND, CLOSES, ENDED, ENTERS, LEAVES, REOPENS, STARTS, Action, State, _action, _table
from vsm.warehouse.ranks import whole
from vsm.warehouse.stays import split
from vsm.workflow import Workflow

Expr = Any  # an Ibis expression: a table, a column, a condition
SIGNS = digits + ascii_letters + "".join(chr(0x100 + number) for number in range(0x300))
KINDS = ("first", "back", "again", "forward", "skip")
ENDS = ("done", "cancelled")
BITS = {
    "closes": CLOSES, "leaves": LEAVES, "by_hand": BY_HAND, "reopens": REOPENS, "enters": ENTERS, "starts": STARTS, "ended": ENDED,
}  # fmt: skip


@dataclass(frozen=True)
class Walk:
    """``visits`` (`split`) and ``items`` as expressions; times are microseconds since 1970, stages places on the map."""

    visits: Expr
    items: Expr


@dataclass(frozen=True)
class _Machine:
    """The actions that occur, with the text of each: the state after it, and what it does (`SIGNS`), for each state before."""

    states: tuple[State, ...]
    actions: tuple[Action, ...]
    after: tuple[str, ...]
    does: tuple[str, ...]

    @classmethod
    def of(cls, actions: Sequence[Action]) -> "_Machine":
        states, after, does = _table(tuple(actions))
        if len(states) > len(SIGNS):
            raise ValueError(f"the stages lead to {len(states)} states of an item, and an engine is given {len(SIGNS)} at most")
        texts = (["".join(SIGNS[code] for code in column) for column in table.T.tolist()] for table in (after, does))
        return cls(states, tuple(actions), *(tuple(text) for text in texts))

    @property
    def every(self) -> str:
        """Each state's own sign: the function that changes nothing."""
        return SIGNS[: len(self.states)]

    def changes(self, number: int) -> bool:
        """Whether an action ever does anything."""
        return self.after[number] != self.every or set(self.does[number]) != {SIGNS[0]}

    def fixed(self, number: int) -> bool:
        """Whether the state after an action is the same whatever was before."""
        return len(set(self.after[number])) == 1

    def over(self, *names: str) -> list[str]:
        """The signs of the states in which this became of an item."""
        return [sign for sign, state in zip(self.every, self.states, strict=True) if state.over in names]


def walked(log: Expr, items: Expr, workflow: Workflow, keep: Any = lambda table: table) -> Walk:
    """The visits of the items of a stream, and what became of the items.

    `log`: item, at, place (the order at one instant), event, status, environment, actor, team. `items`: item, team and what else
    is known of them. `keep` may hold on to a table in the engine that is read several times: the visits and items are.
    """
    rows = log.group_by(["event", "status", "environment"]).agg(n=log.count()).to_pandas()
    told = [
        (tuple("" if value is None or value != value else str(value) for value in row))
        for row in rows[["event", "status", "environment"]].itertuples(index=False)
    ]
    meant = {(event, status, where): _action(event, status, where, workflow) for event, status, where in sorted(told)}
    machine = _Machine.of(list(dict.fromkeys(meant.values())) or [Action()])
    number = {action: place for place, action in enumerate(machine.actions)}
    some = {one: number[action] for one, action in meant.items() if machine.changes(number[action])}
    stays = keep(_stays(_did(_stepped(log, some, machine, keep), machine), machine))
    visits = keep(split(_visits(stays, items, workflow), workflow.stages))
    return Walk(visits, keep(_items(stays, items, visits, machine)))


def _stepped(log: Expr, some: Mapping[tuple[str, str, str], int], machine: _Machine, keep: Any) -> Expr:
    """The events that may change anything, with ``action`` and ``after``: the sign of the state after each."""
    by_action: dict[int, list[tuple[str, str, str]]] = {}
    for one, action in some.items():
        by_action.setdefault(action, []).append(one)
    if not by_action:
        return log.mutate(action=ibis.literal(0), after=ibis.literal(SIGNS[0])).filter(ibis.literal(False))
    branches = [(_any(_same(log, one) for one in ones), action) for action, ones in by_action.items()]
    told = log.mutate(action=ibis.cases(*branches, else_=-1)).filter(lambda t: t.action >= 0)
    told = told.select("item", "at", "place", "actor", "team", "action")
    told = told.mutate(after=_looked_up(told.action, dict(enumerate(machine.after))))
    steps = _steps(told, [action for action in by_action if machine.fixed(action)], len(by_action))
    for step in range(steps):
        before = told.after.lag(2**step).over(_in_order(told))
        told = told.mutate(after=ibis.coalesce(before.translate(machine.every, told.after), told.after))
    told = told.mutate(after=told.after.left(1))
    return keep(told) if steps else told  # a query of so many levels is more than some engines read


def _same(log: Expr, one: tuple[str, ...]) -> Expr:
    """Which events have an event's name, a status and an environment; "" for none."""
    columns = (log.event, log.status, log.environment)
    return _all((column == text) if text else (column.isnull() | (column == "")) for column, text in zip(columns, one, strict=True))


def _any(conditions: Iterable[Expr]) -> Expr:
    first, *more = conditions
    for one in more:
        first = first | one
    return first


def _all(conditions: Iterable[Expr]) -> Expr:
    first, *more = conditions
    for one in more:
        first = first & one
    return first


def _looked_up(column: Expr, texts: dict[int, str]) -> Expr:
    return column.cases(*texts.items(), else_=SIGNS[0])


def _in_order(table: Expr) -> Expr:
    return ibis.window(group_by=table.item, order_by=[table.at, table.place])


def _steps(told: Expr, fixed: list[int], number: int) -> int:
    """How many doublings it takes until each event looks back to one after which the state is known."""
    if len(fixed) == number:
        return 0
    if fixed:
        known = told.action.isin(fixed)
        told = told.mutate(run=whole(known).sum().over(ibis.cumulative_window(group_by=told.item, order_by=[told.at, told.place])))
        told = told.filter(~told.action.isin(fixed))
    else:
        told = told.mutate(run=ibis.literal(0))
    longest = told.group_by(["item", "run"]).agg(n=told.count()).n.max().to_pandas()
    return 0 if longest is None or longest != longest else int(longest).bit_length()


def _did(told: Expr, machine: _Machine) -> Expr:
    """The events that did something, with what each did (`BITS`), and the number of the item's visit after each."""
    width, codes = len(machine.states), sorted({0, *(SIGNS.index(sign) for text in machine.does for sign in text)})
    # One text of all actions' texts, read at a place: building a text for each event takes longer than all else here.
    every = "".join(SIGNS[codes.index(SIGNS.index(sign))] for text in machine.does for sign in text)
    before = ibis.coalesce(told.after.lag(1).over(_in_order(told)), SIGNS[0])
    told = told.mutate(before=ibis.literal(machine.every).find(before).cast("int64"))
    did = ibis.literal(every).substr((told.action.cast("int64") * width + told.before).cast("int32"), 1)
    told = told.mutate(did=did).filter(lambda t: t.did != SIGNS[0])
    signs = {name: [SIGNS[place] for place, code in enumerate(codes) if code & bit] for name, bit in BITS.items()}
    told = told.mutate(**{name: _any([told.did == sign for sign in some or [""]]) for name, some in signs.items()})
    count = whole(told.enters).sum().over(ibis.cumulative_window(group_by=told.item, order_by=[told.at, told.place]))
    last = told.at.lead(1).over(_in_order(told)).isnull()
    return told.mutate(visit=count, last=last)


def _stays(told: Expr, machine: _Machine) -> Expr:
    """A row for each visit, and one (visit 0) for what came before an item's first: what its own events say."""
    position = told.action.cases(*((number, action.stage) for number, action in enumerate(machine.actions)), else_=-1)
    told = told.mutate(position=position)

    def at(condition: Expr) -> Expr:
        return told.at.max(where=condition)

    return told.group_by(["item", "visit"]).agg(
        position=told.position.max(where=told.enters),
        queued=at(told.enters),
        started=at(told.starts),
        finished=at(told.closes & ~told.enters),
        left=at(told.leaves & ~told.enters),
        finished_before=at(told.closes & told.enters),
        left_before=at(told.leaves & told.enters),
        entered_team=told.team.max(where=told.enters),
        started_team=told.team.max(where=told.starts),
        started_actor=told.actor.max(where=told.starts),
        left_actor=told.actor.max(where=told.leaves & told.by_hand),
        ended=at(told.ended),
        reopened=whole(told.reopens).sum(),
        end=told.after.max(where=told.last),
    )


def _visits(stays: Expr, items: Expr, workflow: Workflow) -> Expr:
    """The visits, as `vsm.visits` tells them, with stages as places."""
    turn = ibis.window(group_by=stays.item, order_by=stays.visit)
    told = stays.mutate(
        finished=ibis.coalesce(stays.finished, stays.finished_before.lead(1).over(turn)),
        left=ibis.coalesce(stays.left, stays.left_before.lead(1).over(turn)),
        before=ibis.coalesce(stays.position.lag(1).over(turn), -1),
    ).filter(lambda t: t.visit > 0)
    worked = told.started.notnull()
    own = [(place, stage.team) for place, stage in enumerate(workflow.stages) if stage.team]
    of_stage = told.position.cases(*own, else_=ibis.null("string")) if own else ibis.null("string")
    told = told.mutate(
        seq=told.visit - 1,
        finished=ibis.cases((worked & told.finished.isnull(), told.left), else_=told.finished),
        actor=ibis.cases((worked, ibis.coalesce(told.started_actor, told.left_actor)), else_=ibis.null("string")),
        team=ibis.coalesce(told.started_team, told.entered_team, of_stage),
        kind_in=ibis.cases(
            (told.before < 0, KINDS[0]),
            (told.position < told.before, KINDS[1]),
            (told.position == told.before, KINDS[2]),
            (told.position == told.before + 1, KINDS[3]),
            else_=KINDS[4],
        ),
    )
    of_item = items.select(item="item", item_team="team")
    told = told.inner_join(of_item, "item")
    return told.select(
        "item", "position", "seq", "queued", "started", "finished", "left", "actor", "before", "kind_in",
        team=ibis.coalesce(told.team, told.item_team),
    )  # fmt: skip


def _items(stays: Expr, items: Expr, visits: Expr, machine: _Machine) -> Expr:
    """The items with what became of each: those columns of `vsm.visits` that aggregates are made of."""
    ends = stays.group_by("item").agg(
        ended=stays.ended.max(), reopened=stays.reopened.sum(), end=stays.end.max(),
    )  # fmt: skip
    ways = visits.group_by("item").agg(
        first_queued=visits.queued.min(),
        first_started=visits.started.min(),
        stage=visits.position.max(where=visits.left.isnull()),
        stage_since=visits.queued.max(where=visits.left.isnull()),
        stays=visits.count(),
    )
    told = items.left_join(ends, "item").drop("item_right").left_join(ways, "item").drop("item_right")
    overs = {over: machine.over(over) or [""] for over in ("new", "in progress", "cancelled")}
    end = told.end
    done, settled = machine.over("done") or [""], machine.over("settled") or [""]
    state = ibis.cases(
        (end.isin([*done, *settled]), "done"), *((end.isin(signs), over) for over, signs in overs.items()), else_="no events"
    )
    return told.mutate(
        state=state,
        done_at=ibis.cases((end.isin(done), told.ended), else_=ibis.null("int64")),
        cancelled_at=ibis.cases((end.isin(overs["cancelled"]), told.ended), else_=ibis.null("int64")),
        reopened=ibis.coalesce(told.reopened, 0),
        stays=ibis.coalesce(told.stays, 0),
    ).drop("end", "ended")
