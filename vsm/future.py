"""Future states: a map as it is meant to become, its totals by the same arithmetic as today's, and what came of it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import networkx as nx
import pandas as pd

from vsm import branches
from vsm.branches import Place


@dataclass(frozen=True)
class Step:
    """One step of a state: hours of a visit (medians where they are measured), %C&A as a share; None for what is not known.

    ``column``: its place, the same for steps beside each other; ``share``: how much of what comes to the
    column it takes in. ``estimate``: no system records it. ``n``: how many were measured, by number.
    """

    name: str
    wait: float | None = None
    work: float | None = None
    accurate: float | None = None
    people: float | None = None
    wip_limit: int | None = None
    holds: bool = False
    column: int = 0
    share: float = 1.0
    estimate: bool = False
    wait_n: int = 0
    work_n: int = 0
    accurate_n: int = 0


@dataclass(frozen=True)
class Totals:
    """What the steps of a state come to; None where nothing is known. ``unknown``: the steps that have a time missing."""

    wait: float | None
    work: float | None
    lead_time: float | None
    flow_efficiency: float | None
    rolled: float | None
    unknown: tuple[str, ...] = ()


def totals(steps: Iterable[Step], estimates: bool = True) -> Totals:
    """The sums of the steps' waits and works, work's share of both, and the product of their %C&A; each step once.

    A step beside others counts by its share of what comes there. `estimates`: with the steps that no
    system records. A sum of medians is what the ladder of a map adds up to, not the median of whole items.
    """
    counted = [step for step in steps if estimates or not step.estimate]
    waits, works = ([(step.share, getattr(step, name)) for step in counted] for name in ("wait", "work"))
    wait, work = (_sum(parts) for parts in (waits, works))
    lead = None if wait is None and work is None else (wait or 0.0) + (work or 0.0)
    rates = [1 - step.share * (1 - step.accurate) for step in counted if step.accurate is not None]
    unknown = tuple(step.name for step in counted if step.wait is None or (step.work is None and not step.holds))
    efficiency = work / lead if work is not None and wait is not None and lead else None
    return Totals(wait, work, lead, efficiency, math.prod(rates) if rates else None, unknown)


def _sum(parts: Sequence[tuple[float, float | None]]) -> float | None:
    known = [share * hours for share, hours in parts if hours is not None]
    return sum(known) if known else None


def current(stream: "nx.DiGraph[str]", accurate: pd.DataFrame | None = None) -> tuple[Step, ...]:
    """The state as it is measured: a step a stage, with what its map shows. `accurate`: %C&A by edge, for its n."""
    at = branches.places(stream)
    judged = {} if accurate is None else accurate.groupby("from")["n"].sum().to_dict()
    return tuple(_step(name, stream.nodes[name], at[name], int(judged.get(name, 0))) for name in stream)


def _step(name: str, node: dict[str, Any], place: Place, judged: int) -> Step:
    told: dict[str, Any] = {key: None if value is None or pd.isna(value) else value for key, value in node.items()}
    holds = told.get("has_capacity") is not None and not told["has_capacity"]
    return Step(
        name=name,
        wait=told.get("wait_p50"),
        work=None if holds else told.get("work_p50"),
        accurate=told.get("percent_complete_accurate"),
        people=told.get("people"),
        wip_limit=int(told["wip_limit"]) if told.get("wip_limit") is not None else None,
        holds=holds,
        column=place.column,
        share=place.share,
        wait_n=int(told.get("wait_n") or 0),
        work_n=int(told.get("work_n") or 0),
        accurate_n=judged,
    )


# Changes of a state. -----------------------------------------------------------------------------------------------------


def with_steps(steps: Sequence[Step], added: Iterable[tuple[Step, str | None]]) -> tuple[Step, ...]:
    """A state with more steps, each in a column behind another one, or before all (None). Raises ValueError for a name twice."""
    told = tuple(steps)
    for step, behind in added:
        if any(other.name == step.name for other in told):
            raise ValueError(f"there is a step called {step.name[:60]!r} already: give this one another name")
        at = {other.name: Place(other.column, 0, other.share) for other in told}
        moved = branches.inserted(at, step.name, behind, [other.name for other in told if other.estimate and step.estimate])
        told = tuple(replace(other, column=moved[other.name].column) for other in (*told, step))
    return tuple(sorted(told, key=lambda step: step.column))


def without(steps: Sequence[Step], name: str) -> tuple[Step, ...]:
    """A state without a step; what its column took in, the steps beside it take."""
    gone = next((step for step in steps if step.name == name), None)
    left = [step for step in steps if step is not gone]
    if gone is None:
        return tuple(left)
    beside = [step for step in left if step.column == gone.column]
    if not beside:
        return tuple(replace(step, column=step.column - (step.column > gone.column)) for step in left)
    whole = sum(step.share for step in beside)
    wanted = min(whole + gone.share, len(beside))
    grown = {step.name: min(step.share * wanted / whole, 1.0) if whole else 1.0 / len(beside) for step in beside}
    return tuple(replace(step, share=grown.get(step.name, step.share)) for step in left)


def changed(steps: Sequence[Step], name: str, **values: Any) -> tuple[Step, ...]:
    """A state with other numbers of one step. Raises ValueError with a sentence for what cannot be."""
    _checked(values)
    return tuple(replace(step, **values) if step.name == name else step for step in steps)


def _checked(values: dict[str, Any]) -> None:
    for name, (least, most, said) in LIMITS.items():
        value = values.get(name)
        if value is not None and not least <= value <= most:
            raise ValueError(said)


LIMITS = {
    "wait": (0, 24 * 366, "a wait is from 0 to a year"),
    "work": (0, 24 * 366, "a work time is from 0 to a year"),
    "accurate": (0, 1, "%C&A is a share: expected 0 to 100 %"),
    "people": (0, 10_000, "the people of a step are from 0 to 10,000"),
    "wip_limit": (1, 100_000, "a WIP limit is a whole number from 1 on, or none"),
}


# As the store keeps it. --------------------------------------------------------------------------------------------------


def written(steps: Sequence[Step], before: Sequence[Step]) -> dict[str, Any]:
    """A future state, and the state that it was drawn from, as plain data."""
    return {"steps": [asdict(step) for step in steps], "before": [asdict(step) for step in before]}


def read(told: dict[str, Any]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The future state and the one before, back from plain data; what a later version added is passed over."""
    names = {field.name for field in fields(Step)}
    states = (told.get(kind) or [] for kind in ("steps", "before"))
    steps, before = (tuple(Step(**{key: row[key] for key in row if key in names}) for row in rows) for rows in states)
    return steps, before
