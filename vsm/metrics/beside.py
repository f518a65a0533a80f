"""Another tool's number beside ours, and what makes the difference: one rule after another is switched from ours to theirs.

Each step tells how many rows the rule concerns and what the number is once it is switched, too; after
the last one it is the other tool's. The steps are of this order, so a step's share of the difference is, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vsm.frames import looked_up
from vsm.metrics.figure import Figure, hours, mean, nearest_rank

Statistic = Callable[[pd.Series], float | None]
NAMES = {"devlake": "DevLake", "middleware": "middleware"}
HEADLINES = ("per_week", "p50", "mean", "value")  # the number of a figure that is quoted: the first that is known


@dataclass(frozen=True)
class Step:
    """A rule that was switched: how many rows it concerns, and the number since."""

    reason: str
    rows: int
    value: float | None


@dataclass(frozen=True)
class Difference:
    """One metric twice. ``shown``: the words that the other tool puts up for its number, where it has any."""

    metric: str
    unit: str
    ours: float | None
    theirs: float | None
    shown: str | None
    steps: tuple[Step, ...]

    @property
    def rows(self) -> int:
        """How many rows are counted by one only, or otherwise by the other: each once a rule."""
        return sum(step.rows for step in self.steps)

    @property
    def reason(self) -> str:
        """Every step in one sentence, with the number after it."""
        if not self.steps:
            return "both count the same"
        return "; ".join(f"{step.reason} (then {worded(step.value, self.unit)})" for step in self.steps)


def headline(figure: Figure) -> float | None:
    """The number of a figure that is quoted first."""
    known = (figure.values.get(name) for name in HEADLINES)
    return next((value for value in known if value is not None), None)


def worded(value: float | None, unit: str) -> str:
    """A number with its unit, short.

    >>> worded(0.125, "share"), worded(30.25, "hours"), worded(None, "share"), worded(2.5, "a week")
    ('12.5 %', '30.2 h', 'none', '2.5 a week')
    """
    if value is None:
        return "none"
    if unit == "share":
        return f"{value * 100:.1f} %"
    return f"{value:.1f} h" if unit == "hours" else f"{value:.3g} {unit}"


class Chain:
    """A number that is led from one definition to another, rule by rule: values by the id of what is counted."""

    def __init__(self, values: pd.Series, statistic: Statistic) -> None:
        self.values, self.statistic = values, statistic
        self.steps: list[Step] = []

    def _step(self, reason: str, rows: int) -> None:
        self.steps.append(Step(reason, rows, self.statistic(self.values)))

    def without(self, reasons: pd.Series, said: str) -> None:
        """Leave out the ids of `reasons`, one reason after another. `said`: a sentence with places for n and reason."""
        for reason, ids in _grouped(reasons):
            self.values = self.values[~self.values.index.isin(ids)]
            self._step(said.format(n=len(ids), reason=reason), len(ids))

    def also(self, values: pd.Series, reasons: pd.Series, said: str) -> None:
        """Count the ids of `reasons`, too, one reason after another."""
        for reason, ids in _grouped(reasons):
            self.values = pd.concat([self.values, values.reindex(ids)])
            self._step(said.format(n=len(ids), reason=reason), len(ids))

    def instead(self, values: pd.Series, reasons: pd.Series, said: str) -> None:
        """Give the ids of `reasons` another value, one reason after another; equal ones are no difference."""
        for reason, ids in _grouped(reasons):
            new, old = values.reindex(ids), self.values.reindex(ids)
            other = new.index[~np.isclose(old, new, rtol=0, atol=1e-9)]
            if len(other):
                self.values = new.reindex(other).combine_first(self.values)
                self._step(said.format(n=len(other), reason=reason), len(other))

    def by(self, statistic: Statistic, said: str, rows: int) -> None:
        """Take another statistic, where that makes a difference."""
        before, self.statistic = self.statistic(self.values), statistic
        if statistic(self.values) != before:
            self._step(said, rows)


def _grouped(reasons: pd.Series) -> list[tuple[str, list[str]]]:
    """Reasons with their ids, the most frequent first."""
    told = reasons.dropna().astype("str")
    counts = told.value_counts(sort=False)
    order = sorted(counts.index, key=lambda reason: (-int(counts[reason]), reason))
    return [(reason, list(told.index[told == reason])) for reason in order]


def _by(frame: pd.DataFrame, key: str, column: str) -> pd.Series:
    """A column by another one, a row each."""
    return frame.drop_duplicates(key).set_index(key)[column]


def _why(ids: pd.Index, told: pd.DataFrame, otherwise: str) -> pd.Series:
    """The reason of each id in a frame of ids and reasons."""
    known = told.drop_duplicates("id").set_index("id")["reason"] if len(told) else pd.Series(dtype="str")
    return known.reindex(ids).fillna(otherwise)


def difference(ours: Figure, theirs: Figure, unit: str, steps: Sequence[Step]) -> Difference:
    """The two numbers with the steps between them."""
    return Difference(ours.name, unit, headline(ours), headline(theirs), theirs.said.get("label"), tuple(steps))


def change_lead_time(ours: Figure, theirs: Figure, tool: str, why_not: pd.DataFrame, statistic: Statistic) -> Difference:
    """Why a change lead time differs. `why_not`: id, reason of every change that the other tool does not count."""
    name = NAMES[tool]
    chain = Chain(_by(ours.rows, "change", "hours"), lambda values: nearest_rank(values, 0.5))
    told = _by(theirs.rows, "change", "hours")
    gone = chain.values.index.difference(told.index, sort=False)
    chain.without(_why(gone, why_not, f"{name} does not count it"), "without {n} of our changes: {reason}")
    new = told.index.difference(_by(ours.rows, "change", "hours").index, sort=False)
    here = _why(new, ours.left_out, "by our rules its first deployment is not one of the window")
    chain.also(told, here, "with {n} more by " + name + "'s rules only, of which we say: {reason}")
    both = told.index.intersection(chain.values.index)
    mine, other = (_by(figure.rows, "change", "deployment").reindex(both) for figure in (ours, theirs))
    moved = (mine != other) & mine.notna()
    chain.instead(told, _reasons(both, {"another deployment": moved}), "{n} counted to {reason}, so to another end")
    if tool == "devlake":
        near = (told.reindex(both) - chain.values.reindex(both)).abs() <= 4 / 60
        why = _reasons(both, {"by minutes": near, "by parts": ~near})
        chain.instead(told, why[why == "by parts"], "{n} longer since a part that would be negative counts as 0")
        chain.instead(told, why[why == "by minutes"], "{n} longer by rounding each part up to whole minutes")
        said = "the greatest value whose percent rank is at most 0.5 instead of the median by nearest rank"
    else:
        every = _reasons(both, {"the time elapsed to the run's start": pd.Series(True, index=both)})
        chain.instead(told, every, "{n} by the sum of five parts, an unknown one as 0, instead of {reason}")
        said = "the mean instead of the median"
    chain.by(statistic, said, len(chain.values))
    return difference(ours, theirs, "hours", chain.steps)


def _reasons(ids: pd.Index, why: dict[str, pd.Series]) -> pd.Series:
    """The first reason of each id that has any."""
    told = pd.Series(None, index=ids, dtype="object")
    for reason, mask in reversed(why.items()):
        told = told.mask(mask.to_numpy(dtype=bool), reason)
    return told


def change_fail_rate(ours: Figure, theirs: Figure, tool: str, incidents: pd.DataFrame) -> Difference:
    """Why a fail rate differs. `incidents`: with the deployment that we lay each to."""
    name = NAMES[tool]
    flags, told = (_by(figure.rows, "deployment", "failed").astype("float64") for figure in (ours, theirs))
    chain = Chain(flags, mean)
    gone = flags.index.difference(told.index, sort=False)
    chain.without(_why(gone, theirs.left_out, "it began before the window"), "without {n} of our deployments: {reason}")
    new = told.index.difference(flags.index, sort=False)
    unflagged = pd.Series(0.0, index=new)
    here = _why(new, ours.left_out, "it finished outside the window")
    chain.also(unflagged, here, "with {n} more by " + name + "'s rules only, of which we say: {reason}")
    both = chain.values.index
    mine, other = chain.values == 1, told.reindex(both) == 1
    first = _by(ours.rows, "deployment", "reason").reindex(both).fillna("")
    alone = {f"by a {reason} and no incident, which {name} does not look at": mine & ~other & (first == reason)
             for reason in ("rollback", "revert", "hotfix")}  # fmt: skip
    moved = {f"by an incident that {name} lays to another deployment or to none": mine & ~other & (first == "incident")}
    chain.instead(told, _reasons(both, alone | moved), "{n} failed by our rules only, {reason}")
    laid = _first_laid(theirs.rows, incidents).reindex(both)
    added = {
        "no deployment, since it came too late or from another application": other & ~mine & laid.isna(),
        "another deployment": other & ~mine & laid.notna(),
    }
    chain.instead(told, _reasons(both, added), "{n} failed by " + name + "'s rules only, by an incident that we lay to {reason}")
    if headline(theirs) is None and len(chain.values):
        chain.by(lambda _: None, f"{name} gives no rate: {theirs.said.get('why', 'it has no data')}", 0)
    return difference(ours, theirs, "share", chain.steps)


def _first_laid(rows: pd.DataFrame, incidents: pd.DataFrame) -> pd.Series:
    """By deployment of the other tool: the deployment that we lay the first of its incidents to; missing where to none."""
    first = pd.Series([by.partition(", ")[0] if isinstance(by, str) else None for by in rows["by"]], dtype="str")
    return looked_up(first, _by(incidents, "id", "deployment").astype("str")).set_axis(rows["deployment"])


def failed_deployment_recovery_time(
    ours: Figure, theirs: Figure, tool: str, incidents: pd.DataFrame, statistic: Statistic
) -> Difference:
    """Why a recovery time differs. `incidents`: with the deployment that we lay each to."""
    name = NAMES[tool]
    chain = Chain(_by(ours.rows, "deployment", "hours"), lambda values: nearest_rank(values, 0.5))
    reason = _by(ours.rows, "deployment", "reason").astype("str")
    chain.without(reason[reason != "incident"], "without {n} of our failed deployments: recovered from a {reason}, not an incident")
    finish = _by(ours.rows, "deployment", "deployed_at")
    mine = incidents[incidents["deployment"].isin(chain.values.index) & incidents["resolved_at"].notna()]
    mine = mine.assign(hours=hours(mine["resolved_at"] - looked_up(mine["deployment"], finish)))
    each = _by(mine, "id", "hours")
    before = chain.values
    chain.values = each
    if sorted(each) != sorted(before):
        chain._step(
            f"each of {len(each)} incidents counts, not each of {len(before)} deployments by its last one", len(each) - len(before)
        )
    told = _by(theirs.rows, "incident", "hours")
    gone = each.index.difference(told.index, sort=False)
    chain.without(_why(gone, theirs.left_out, f"{name} does not know it"), "without {n} of these: {reason}")
    new = told.index.difference(each.index, sort=False)
    own = _by(incidents, "id", "deployment").reindex(new)
    here = _reasons(new, {
        "that is no incident": ~new.to_series().isin(incidents["id"]),
        "it belongs to no deployment": own.isna(),
        "its deployment has another incident still open, or is not one of the window": own.notna(),
    })  # fmt: skip
    chain.also(told, here, "with {n} more by " + name + "'s rules only, of which we say: {reason}")
    both = told.index.intersection(chain.values.index)
    if tool == "devlake":
        other = _by(theirs.rows, "incident", "deployment").reindex(both)
        moved = (_by(mine, "id", "deployment").reindex(both) != other) & _by(mine, "id", "deployment").reindex(both).notna()
        chain.instead(told, _reasons(both, {"moved": moved}), "{n} counted from another deployment's finish")
        chain.instead(told, _reasons(both, {"cut": ~moved}), "{n} cut down to whole minutes")
        said = "the greatest value whose percent rank is at most 0.5 instead of the median by nearest rank"
    else:
        chain.instead(told, _reasons(both, {"own": pd.Series(True, index=both)}),
            "{n} counted from the incident's own opening, not from a deployment's finish")  # fmt: skip
        said = "the mean instead of the median"
    chain.by(statistic, said, len(chain.values))
    return difference(ours, theirs, "hours", chain.steps)


def deployment_frequency(ours: Figure, theirs: Figure, tool: str, weeks: float) -> Difference:
    """Why a deployment frequency differs. `weeks`: the window's length."""
    name = NAMES[tool]
    chain = Chain(pd.Series(1.0, index=pd.Index(ours.rows["deployment"])), lambda values: len(values) / weeks)
    if headline(ours) is None or headline(theirs) is None:
        known = headline(theirs)
        steps = [] if known is None and headline(ours) is None else [Step("no deployment is known to one of both", 0, known)]
        return difference(ours, theirs, "a week", steps)
    told = pd.Index(theirs.rows["deployment"])
    gone, new = chain.values.index.difference(told, sort=False), told.difference(chain.values.index, sort=False)
    outside = "it began before the window" if tool == "middleware" else f"it finished on a day that {name} does not look at"
    chain.without(_why(gone, theirs.left_out, outside), "without {n} of our deployments: {reason}")
    chain.also(pd.Series(1.0, index=new), _why(new, ours.left_out, "it finished outside the window"),
        "with {n} more by " + name + "'s rules only, of which we say: {reason}")  # fmt: skip
    if tool == "devlake":
        days = int(theirs.values["days"] or 0)
        chain.by(lambda _: days / weeks, f"{len(told)} counted as {days} days of UTC with a deployment", len(told) - days)
        n = 0 if theirs.series is None else len(theirs.series)
        said = f"the lower median of {n} calendar weeks, empty and part ones included, instead of the mean"
    else:
        said = "the number a calendar week rounded down, or 7 × the number a day rounded down where that is more"
        n = len(told)
    chain.by(lambda _: headline(theirs), said, n)
    return difference(ours, theirs, "a week", chain.steps)


def deployment_rework_rate(ours: Figure, theirs: Figure) -> Difference:
    """Why a rework rate differs: no other tool has it."""
    steps = [] if headline(ours) is None else [Step(theirs.said["why"], ours.n, None)]
    return difference(ours, theirs, "share", steps)
