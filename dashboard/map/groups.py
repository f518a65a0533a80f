"""Groups: of many stages, neighbours are put together until few enough boxes are left to be read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from dashboard.map.model import Change, Group, MapModel, Move, Stage, known
from vsm.branches import Place, in_order

MOST = 9  # columns; of more the map would be too wide to be seen at once
FIT = 7  # boxes that fit side by side on a page of 1,440 pixels
RULE = (
    "More than nine stages: the two neighbours in which items spent the fewest hours are put together, again and again, until "
    "seven boxes are left; the constraint stays by itself, and so do estimates. A group's times are sums of its stages' medians, "
    "its n is the smallest of theirs. Choose a group to open it."
)
PLANNED = (
    "More than nine steps: the two neighbours on which an item spends the fewest hours are put together, again and again, until "
    "seven boxes are left; what differs from the state before stays by itself where there is room. Choose a group to open it."
)
Columns = list[list[str]]


@dataclass(frozen=True)
class Grouped:
    """A map with its groups, closed or opened; and the names of all groups that there are."""

    told: MapModel
    names: tuple[str, ...] = ()


def grouped(told: MapModel, opened: Collection[str] = (), most: int = MOST, fit: int = FIT) -> Grouped:
    """A map of more than `most` columns with neighbours put together until as many are left as `fit`; `opened`: not these."""
    counted = {told.places[stage.name].column for stage in told.stages if told.planned or not stage.estimate}
    if len(counted) <= most:
        return Grouped(told)
    by_name, columns = {stage.name: stage for stage in told.stages}, in_order(told.places)
    apart = {stage.name for stage in told.stages if stage.estimate or stage.name == told.constraint}
    if told.planned:
        spans = _spans(columns, by_name, apart | {stage.name for stage in told.stages if stage.changes}, fit)
        if len(spans) > most:  # nearly all of it differs, or is an estimate
            spans = _spans(columns, by_name, (), fit)
    else:
        spans = _spans(columns, by_name, apart, fit + sum(1 for stage in told.stages if stage.estimate))
    groups = [Group(_name(names), names) for names in map(_flat, spans) if len(names) > 1 and len(_columns(told, names)) > 1]
    closed = [group for group in groups if group.name not in opened]
    return Grouped(
        replace(_closed(told, closed, by_name), opened=tuple(group for group in groups if group.name in opened)),
        tuple(group.name for group in groups),
    )


def _spans(columns: Columns, by_name: dict[str, Stage], apart: Collection[str], fit: int) -> list[Columns]:
    """Neighbouring columns put together, the two with the fewest hours first, until so many fit, or none can be.

    `apart`: the stages that stay by themselves.
    """
    spans = [[column] for column in columns]
    hours = [sum(by_name[name].hours for name in column) for column in columns]
    alone = [any(name in apart for name in column) for column in columns]
    while len(spans) > fit:
        pairs = [i for i in range(len(spans) - 1) if not (alone[i] or alone[i + 1])]
        if not pairs:
            break
        # Of equal ones the smaller group first, so that stages without any visit do not all become one.
        best = min(pairs, key=lambda i: (hours[i] + hours[i + 1], len(spans[i]) + len(spans[i + 1]), i))
        spans[best : best + 2] = [spans[best] + spans[best + 1]]
        hours[best : best + 2] = [hours[best] + hours[best + 1]]
        alone[best : best + 2] = [False]
    return spans


def _flat(span: Columns) -> tuple[str, ...]:
    return tuple(name for column in span for name in column)


def _columns(told: MapModel, names: Sequence[str]) -> set[int]:
    return {told.places[name].column for name in names}


def _name(names: Sequence[str]) -> str:
    return f"{names[0]} … {names[-1]}"


def _closed(told: MapModel, groups: Sequence[Group], by_name: dict[str, Stage]) -> MapModel:
    """The map with a box for each of some groups."""
    inside = {name: group.name for group in groups for name in group.members}
    sums = {group.name: _sum(group, [by_name[name] for name in group.members], told.planned) for group in groups}
    stages = {inside.get(stage.name, stage.name): sums.get(inside.get(stage.name, ""), stage) for stage in told.stages}
    constraint = told.constraint and inside.get(told.constraint, told.constraint)
    onward, loops = (_between(moves, inside) for moves in (told.onward, told.loops))
    return replace(told, stages=tuple(stages.values()), onward=onward, loops=loops, constraint=constraint, at=_moved(told, inside))


def _moved(told: MapModel, inside: dict[str, str]) -> dict[str, Place]:
    """Where everything stands once groups are one box each."""
    columns = [list(dict.fromkeys(inside.get(name, name) for name in column)) for column in in_order(told.places)]
    at: dict[str, Place] = {}
    column = -1
    for names in columns:
        if all(name in at for name in names):
            continue  # a later column of a group
        column += 1
        for row, name in enumerate(names):
            share = told.places[name].share if name in told.places else 1.0
            at.setdefault(name, Place(column, row, share))
    return at


def _sum(group: Group, stages: Sequence[Stage], planned: bool) -> Stage:
    """A group as one stage: sums, and the smallest n."""
    teams = {stage.team for stage in stages}
    people = [stage.people for stage in stages if stage.people is not None]
    waits, works = ([one for one in (getattr(s, part) for s in stages) if one is not None] for part in ("wait", "work"))
    works_at = [stage for stage in stages if not stage.holds]
    return Stage(
        name=group.name,
        team=next(iter(teams)) if len(teams) == 1 else None,
        people=sum(people) if len(people) == len(stages) else None,
        wait=sum(waits) if waits else None,
        work=sum(works) if works else None,
        wait_n=min((stage.wait_n for stage in stages if stage.wait is not None), default=0),
        work_n=min((stage.work_n for stage in stages if stage.work is not None), default=0),
        wait_total=sum(stage.wait_total for stage in stages),
        work_total=sum(stage.work_total for stage in stages),
        unsplit_total=sum(stage.unsplit_total for stage in stages),
        waiting_now=_added([stage.waiting_now for stage in stages]),
        wip_now=_added([stage.wip_now for stage in stages]),
        holds=all(stage.holds for stage in stages),
        taken=max(stage.taken for stage in stages),
        members=group.members,
        estimate="with estimates" if any(stage.estimate for stage in stages) else "",
        changes=_before(stages) if planned else _changes(stages),
        partly=len(waits) < len(stages) or len(works) < len(works_at),
    )


def _changes(stages: Sequence[Stage]) -> dict[str, Change]:
    """What the sums were in the period before, and how many stages clearly changed; nothing where one of them has no before."""
    found = {}
    for name in ("wait", "work", "wip"):
        told = [stage.changes.get(name) for stage in stages if not (name == "work" and stage.holds)]
        before = [change.before for change in told if change is not None and change.before is not None]
        if told and len(before) == len(told):
            words = [change.said.removeprefix("clearly ") for change in told if change is not None]
            said = " ".join(f"{words.count(word)} {word}" for word in ("longer", "shorter") if word in words)
            found[name] = Change(sum(before), said and f"{said} of {len(told)}")
    return found


def _before(stages: Sequence[Stage]) -> dict[str, Change]:
    """What the sums of a planned group were in the state before, where any of its steps differs."""
    found = {}
    for name in ("wait", "work"):
        if any(name in stage.changes for stage in stages):
            old = [stage.changes[name].before if name in stage.changes else getattr(stage, name) for stage in stages]
            found[name] = Change(sum(hours or 0.0 for hours in old))
    return found


def _added(counts: Sequence[int | None]) -> int | None:
    there = [count for count in counts if count is not None]
    return sum(there) if there else None


def _between(moves: Sequence[Move], inside: dict[str, str]) -> tuple[Move, ...]:
    """Moves between boxes: those within a group are none, those of several of its stages are one."""
    found: dict[tuple[str, str], list[Move]] = {}
    for move in moves:
        ends = inside.get(move.origin, move.origin), inside.get(move.to, move.to)
        if ends[0] != ends[1]:
            found.setdefault(ends, []).append(move)
    return tuple(
        replace(mine[0], origin=ends[0], to=ends[1])
        if len(mine) == 1
        else Move(*ends, sum(move.n for move in mine), *_handoff(mine), guessed=mine[0].guessed)
        for ends, mine in found.items()
    )


def _handoff(moves: Sequence[Move]) -> tuple[float | None, str]:
    """The share of several moves together on which work changes hands, where all say the same thing."""
    told = [(known(move.handoff), move.n) for move in moves]
    n = sum(n for _, n in told)
    if not n or any(share is None for share, _ in told) or len({move.to_new for move in moves}) > 1:
        return None, "handoff"
    return sum(share * n for share, n in told) / n, moves[0].to_new
