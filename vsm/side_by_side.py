"""Two scopes side by side: two periods, teams, applications or streams, each number with a verdict or why there is none."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from vsm.errors import UsageError
from vsm.measure import Measures, measure
from vsm.metrics.compare import compare
from vsm.metrics.figure import FEW, Figure
from vsm.scope import Scope
from vsm.words import NONE, duration, share

MORE, LONGER = ("clearly more", "clearly less"), ("clearly longer", "clearly shorter")
OFTEN, HIGHER = ("clearly more often", "clearly less often"), ("clearly higher", "clearly lower")
# What a number is called, its figure and the value in it, and what a clear difference is called.
NUMBERS = (
    ("Deployment frequency", "deployment_frequency", "per_week", OFTEN),
    ("Change lead time, median", "change_lead_time", "p50", LONGER),
    ("Change fail rate", "change_fail_rate", "value", HIGHER),
    ("Recovery time, median", "failed_deployment_recovery_time", "p50", LONGER),
    ("Deployment rework rate", "deployment_rework_rate", "value", HIGHER),
    ("Lead time, median", "lead_time", "p50", LONGER),
    ("Cycle time, median", "cycle_time", "p50", LONGER),
    ("Throughput", "throughput", "mean", MORE),
    ("Work in progress now", "wip", "now", MORE),
    ("Age of work in progress, median", "work_item_age", "p50", LONGER),
    ("Flow efficiency", "flow_efficiency", "value", HIGHER),
    ("Handoffs an item, mean", "handoffs_per_item", "mean", MORE),
)
COUNTED = ("per_week", "mean", "now")  # values that any number of observations has
KINDS = ("team", "application", "stream", "to")
APART = "two ends: the one ends in {0}, the other in {1}"
BOTH = "{0:,} of its rows are behind the other one, too"


@dataclass(frozen=True)
class Row:
    """One number of both: their figures, which value is meant, the verdict, and by which rule (or why not) they were compared."""

    label: str
    value: str
    one: Figure
    other: Figure
    verdict: str
    rule: str


def side_by_side(one: Measures, other: Measures) -> list[Row]:
    """Every headline number of two scopes with how the first clearly differs from the second; in a fixed order, no ranking.

    The windows must be equally long, or counts cannot be compared. Not compared are numbers that do not end in
    the same place (production, done), and those that count some rows on both sides: two teams may share deployments,
    two windows days, and what is the same cannot differ.
    """
    return [_row(one, other, *told) for told in NUMBERS]


def _row(one: Measures, other: Measures, label: str, name: str, value: str, words: tuple[str, str]) -> Row:
    mine, theirs = one.figures[name], other.figures[name]
    ends = (mine.said.get("end"), theirs.said.get("end"))
    if ends[0] != ends[1]:
        return Row(label, value, mine, theirs, "not compared", APART.format(*ends))
    if both := _shared(mine, theirs):
        return Row(label, value, mine, theirs, "not compared", BOTH.format(both))
    found = compare(mine, theirs, value)
    said = {"more": words[0], "less": words[1], "no clear change": "no clear difference"}
    return Row(label, value, mine, theirs, said.get(found.verdict, found.verdict), found.rule)


def _shared(one: Figure, other: Figure) -> int:
    """How many rows are behind both figures."""
    if one.rows.empty or other.rows.empty:
        return 0
    mine, theirs = (figure.rows[figure.rows.columns[0]].astype("object") for figure in (one, other))
    return int(mine.isin(set(theirs)).sum())


def against(scope: Scope, asked: str, instant: Callable[[str], pd.Timestamp]) -> Scope:
    """The scope to compare with, told as `team:NAME`, `application:NAME`, `stream:NAME` or `to:WHEN`; `before` is the time before.

    `to:WHEN` is a window of the same length with another end. Raises UsageError for anything else, or for the scope itself.
    """
    if asked == "before":
        return scope.before()
    kind, _, name = asked.partition(":")
    if kind not in KINDS or not name:
        expected = ", ".join(f"{one}:{'WHEN' if one == 'to' else 'NAME'}" for one in KINDS)
        raise UsageError(f"nothing can be compared with {asked!r}; expected before, {expected}")
    if kind == "to":
        end = instant(name)
        return replace(scope, start=end - (scope.end - scope.start), end=end)
    if getattr(scope, kind) == name:
        raise UsageError(f"{kind} {name!r} is already what is looked at: name another one")
    return replace(scope, **{kind: name})


def measured_against(measures: Measures, scope: Scope) -> Measures:
    """The measures of a scope by the rules of others. Raises ValueError, with what there is, for a name that nothing has."""
    return measure(measures.flow, scope, measures.policy, measures.definition)


def told(figure: Figure, value: str) -> str:
    """A value in words with its n; fewer than five are only counted."""
    found = figure.values.get(value)
    if 0 < figure.n < FEW and value not in COUNTED:
        return f"too few (n {figure.n})"
    if found is None:
        return f"{NONE} (n {figure.n})"
    written = duration(found) if figure.unit == "hours" else share(found) if figure.unit == "share" else f"{found:,.1f}"
    return f"{written.removesuffix('.0')}{' / week' if figure.unit.endswith('a week') else ''} (n {figure.n:,})"


def named(scope: Scope, zone: str) -> str:
    """A scope in a few words: whose work, and from which day to which."""
    kinds = (("stream", scope.stream), ("application", scope.application), ("team", scope.team))
    whose = [f"{kind} {name}" for kind, name in kinds if name]
    first, last = (f"{time.tz_convert(zone):%-d %b %Y}" for time in (scope.start, scope.end))
    return f"{', '.join(whose) or 'all'}, {first} to {last}"
