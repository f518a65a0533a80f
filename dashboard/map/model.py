"""A value stream ready to be drawn: stages with their numbers, where they stand, and the moves between them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import networkx as nx
import pandas as pd

from vsm import branches
from vsm.branches import Place


@dataclass(frozen=True)
class Change:
    """What a number of a stage was in the period before, and the verdict in words; no words for none."""

    before: float | None
    said: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage as it is drawn; hours, fractions and counts, None for what is not known.

    ``*_total``: the hours of all visits in the window, by which the scale is drawn; ``unsplit_total``
    those of stays of which nobody recorded how much was work. ``holds``: has no capacity.
    ``estimate``: who says so and when, of a step that no system records. ``members``: the stages of
    which this is a group; ``partly``: that some of them have no time, so that the sums are of the others.
    ``changes``: wait, work and wip against the period before.
    """

    name: str
    team: str | None = None
    people: float | None = None
    wait: float | None = None
    work: float | None = None
    wait_n: int = 0
    work_n: int = 0
    wait_mean: float | None = None
    work_mean: float | None = None
    wait_total: float = 0.0
    work_total: float = 0.0
    unsplit_total: float = 0.0
    waiting_now: int | None = None
    wip_now: int | None = None
    wip_limit: int | None = None
    accurate: float | None = None
    holds: bool = False
    taken: int = 0
    estimate: str = ""
    members: tuple[str, ...] = ()
    partly: bool = False
    changes: dict[str, Change] = field(default_factory=dict)

    @property
    def over_limit(self) -> bool:
        """Whether more is in it than its limit allows."""
        return self.wip_now is not None and self.wip_limit is not None and self.wip_now > self.wip_limit

    @property
    def hours(self) -> float:
        """The hours that all visits spent in it."""
        return self.wait_total + self.work_total + self.unsplit_total


@dataclass(frozen=True)
class Move:
    """Moves from one stage to another. ``handoff``: the share on which work changes hands; ``to_new``: who changes, in a word.

    ``guessed``: that it leads to or from a step that no system records.
    """

    origin: str
    to: str
    n: int
    handoff: float | None = None
    to_new: str = "handoff"
    share: float | None = None
    guessed: bool = False


@dataclass(frozen=True)
class Group:
    """Neighbouring stages that were put together and are opened: its name and the stages in it."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class MapModel:
    """A value stream, ready to be drawn: stages in map order, moves onward, and moves back (``loops``).

    ``at``: where each stage stands (`vsm.branches`), in a line where nothing is said. ``opened``: groups
    whose stages are shown. ``planned``: it tells what is meant to become, so that nothing is in it now.
    """

    stages: tuple[Stage, ...]
    onward: tuple[Move, ...] = ()
    loops: tuple[Move, ...] = ()
    constraint: str | None = None
    flow_efficiency: float | None = None
    flow_efficiency_n: int = 0
    at: dict[str, Place] = field(default_factory=dict)
    opened: tuple[Group, ...] = ()
    planned: bool = False

    @classmethod
    def of(
        cls,
        graph: "nx.DiGraph[str]",
        constraint: str | None = None,
        loops: pd.DataFrame | None = None,
        flow_efficiency: float | None = None,
        flow_efficiency_n: int = 0,
    ) -> "MapModel":
        """From the stream's graph (`vsm.stream.graph`). `loops`: the moves back with their share, if that is to be written."""
        place = {name: position for position, name in enumerate(graph)}
        shares = {} if loops is None else {(row["from"], row["to"]): known(row["share"]) for row in loops.to_dict("records")}
        moves = [_move(origin, to, edge, shares.get((origin, to))) for origin, to, edge in graph.edges(data=True) if origin != to]
        return cls(
            stages=tuple(_stage(name, graph.nodes[name]) for name in graph),
            onward=tuple(move for move in moves if place[move.origin] < place[move.to]),
            loops=tuple(move for move in moves if place[move.origin] > place[move.to] and move.n > 0),
            constraint=constraint if constraint in place else None,
            flow_efficiency=flow_efficiency,
            flow_efficiency_n=flow_efficiency_n,
            at=branches.places(graph),
        )

    @property
    def places(self) -> dict[str, Place]:
        """Where each stage stands."""
        return self.at or branches.line([stage.name for stage in self.stages])

    @property
    def compared(self) -> bool:
        """Whether any stage has numbers of the period before."""
        return any(stage.changes for stage in self.stages)

    def with_changes(self, told: pd.DataFrame) -> "MapModel":
        """The same with each stage's numbers of the period before (`vsm.stage_changes`)."""
        found: dict[str, dict[str, Change]] = {}
        for row in told.dropna(subset=["now", "before"], how="all").to_dict("records"):
            said = "" if row["verdict"] == "not compared" else row["verdict"]
            found.setdefault(row["stage"], {})[row["number"]] = Change(known(row["before"]), said)
        return replace(self, stages=tuple(replace(stage, changes=found.get(stage.name, {})) for stage in self.stages))

    def with_steps(self, steps: Sequence[tuple[Stage, str | None]]) -> "MapModel":
        """The same with steps that no system records, each behind a stage, or before all of them (None).

        A step behind a stage that is not there any more stands at the end.
        """
        told = self
        for step, behind in steps:
            told = told._with_step(step, behind)
        return told

    def _with_step(self, step: Stage, behind: str | None) -> "MapModel":
        at = branches.inserted(self.places, step.name, behind, [stage.name for stage in self.stages if stage.estimate])
        column = at[step.name].column
        order = [stage.name for stage in self.stages]
        before = max((order.index(name) + 1 for name in order if at[name].column < column), default=0)
        stages = (*self.stages[:before], step, *self.stages[before:])
        return replace(self, stages=stages, at=at, onward=self._through(step, column, at))

    def _through(self, step: Stage, column: int, moved: dict[str, Place]) -> tuple[Move, ...]:
        """The moves onward, those between the neighbours of a step led through it."""
        found: list[Move] = []
        for move in self.onward:
            if (moved[move.origin].column, moved[move.to].column) == (column - 1, column + 1):
                found += [Move(move.origin, step.name, move.n, guessed=True)]
                found += [replace(move, origin=step.name, guessed=True)]
            else:
                found.append(move)
        return tuple({(move.origin, move.to): move for move in found}.values())


def known(value: Any) -> Any:
    """A value, or None for any of the ways in which a frame says that there is none."""
    return None if value is None or pd.isna(value) else value


def _stage(name: str, node: dict[str, Any]) -> Stage:
    told = {key: known(value) for key, value in node.items()}
    wait, work, dwell = (_total(told, part) for part in ("wait", "work", "dwell"))
    return Stage(
        name=name,
        team=told.get("team"),
        people=told.get("people"),
        wait=told.get("wait_p50"),
        work=told.get("work_p50"),
        wait_n=int(told.get("wait_n") or 0),
        work_n=int(told.get("work_n") or 0),
        wait_mean=told.get("wait_mean"),
        work_mean=told.get("work_mean"),
        wait_total=wait,
        work_total=work,
        unsplit_total=max(dwell - wait - work, 0.0),
        waiting_now=_whole(told.get("waiting_now")),
        wip_now=_whole(told.get("wip_now")),
        wip_limit=_whole(told.get("wip_limit")),
        accurate=told.get("percent_complete_accurate"),
        holds=told.get("has_capacity") is not None and not told["has_capacity"],
        taken=int(told.get("arrivals") or told.get("wait_n") or 0),
    )


def _total(told: dict[str, Any], part: str) -> float:
    """The hours of all visits: medians do not add up to anything, means times their numbers do."""
    return float(told.get(f"{part}_mean") or 0) * float(told.get(f"{part}_n") or 0)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _move(origin: str, to: str, edge: dict[str, Any], share: float | None) -> Move:
    """A move; whose change is told is the first of what is known: any handoff, another team, another person."""
    ways = (("handoff_share", "handoff"), ("team_changed", "new team"), ("person_changed", "new person"))
    told = next(((known(edge.get(name)), word) for name, word in ways if known(edge.get(name)) is not None), (None, "handoff"))
    # What was reopened after it was done was sent back by no stage.
    n = edge.get("sent_back", edge.get("n")) if edge.get("backward") else edge.get("n")
    return Move(origin, to, int(known(n) or 0), told[0], told[1], share)
