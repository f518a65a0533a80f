"""Steps by hand and future states as the map draws them, and as their totals count them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from dashboard.map.model import Change, MapModel, Move, Stage, known
from vsm.branches import Place
from vsm.future import Step, totals


def by_hand(rows: pd.DataFrame, taken: Iterable[str], zone: str) -> list[tuple[Stage, Step, str | None]]:
    """Steps that no system records, as the map draws them, as totals count them, and behind which stage each stands.

    `taken`: the names of the map's stages, so that a step with the same name is told from them.
    """
    names, found = set(taken), []
    for row in rows.to_dict("records"):
        name = row["name"]
        while name in names:
            name += " (estimate)"
        names.add(name)
        wait, work, accurate = row["wait_hours"], row["work_hours"], known(row["accurate"])
        said = f"by {row['created_by']}, {row['created_at'].tz_convert(zone):%-d %b %Y}"
        drawn = Stage(name, wait=wait, work=work, accurate=accurate, estimate=said)
        found.append((drawn, Step(name, wait, work, accurate, estimate=True), known(row["behind"])))
    return found


def planned(steps: Sequence[Step], before: Sequence[Step]) -> MapModel:
    """A future state, ready to be drawn: what differs from the state before says what it was."""
    old = {step.name: step for step in before}
    at = _places(steps)
    told = totals(steps)
    stages = sorted((_stage(step, old) for step in steps), key=lambda stage: (at[stage.name].column, at[stage.name].row))
    return MapModel(
        stages=tuple(stages),
        onward=tuple(_moves(at)),
        at=at,
        planned=True,
        flow_efficiency=told.flow_efficiency,
    )


def _stage(step: Step, old: dict[str, Step]) -> Stage:
    wait, work = ((hours or 0.0) * step.share for hours in (step.wait, step.work))
    new = "new" if step.name not in old else ""
    drawn = Stage(
        step.name, None, step.people, step.wait, step.work, wait_mean=step.wait, work_mean=step.work, wait_total=wait,
        work_total=work, wip_limit=step.wip_limit, accurate=step.accurate, holds=step.holds,
        estimate="an estimate" if step.estimate else new, taken=round(1000 * step.share),
    )  # fmt: skip
    return drawn if new else replace(drawn, changes=_changes(step, old[step.name]))


def _changes(step: Step, was: Step) -> dict[str, Change]:
    numbers = {"wait": "wait", "work": "work", "accurate": "accurate", "wip": "wip_limit"}
    return {name: Change(getattr(was, field)) for name, field in numbers.items() if getattr(was, field) != getattr(step, field)}


def _places(steps: Sequence[Step]) -> dict[str, Place]:
    """The places by the steps' columns, without gaps."""
    columns = {column: place for place, column in enumerate(sorted({step.column for step in steps}))}
    rows: dict[int, int] = {}
    at = {}
    for step in steps:
        row = rows[step.column] = rows.get(step.column, -1) + 1
        at[step.name] = Place(columns[step.column], row, step.share)
    return at


def _moves(at: dict[str, Place]) -> Iterable[Move]:
    """An arrow from each step to the one in its row of the next column, from and to all where a column has only one."""
    columns: dict[int, list[str]] = {}
    for name in sorted(at, key=lambda name: at[name].row):
        columns.setdefault(at[name].column, []).append(name)
    for column, names in columns.items():
        after = columns.get(column + 1, [])
        for row in range(max(len(names), len(after)) if after else 0):
            yield Move(names[min(row, len(names) - 1)], after[min(row, len(after) - 1)], 1)
