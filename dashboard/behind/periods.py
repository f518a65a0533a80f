"""What was measured of a choice, in its window and in the one before."""

import weakref
from dataclasses import replace
from typing import Any

import pandas as pd

from dashboard import counted
from dashboard.behind import flows, look
from dashboard.behind.choices import Choice, Key
from dashboard.shared import made_of, shared
from vsm import measure as measuring
from vsm.config import Config, Level
from vsm.errors import UsageError
from vsm.experiments import METRICS, before_and_after
from vsm.findings import findings
from vsm.measure import Measures
from vsm.metrics.compare import Comparison, compare
from vsm.metrics.figure import Figure
from vsm.scope import Scope, instant
from vsm.stage_changes import stage_changes


def measures(choice: Choice) -> Measures:
    """What was measured of a choice, in the window that ends with the newest fact or on the day that was chosen."""
    key, configured = look.key()
    return measures_of(key, configured, replace(choice, compare=True), before=False)


def measured_already(choice: Choice) -> bool:
    """Whether `measures` answers at once."""
    return measures_of.ready(*look.key(), replace(choice, compare=True), before=False)


def measures_before(choice: Choice) -> Measures:
    """The same of the period of the same length before."""
    key, configured = look.key()
    return measures_of(key, configured, replace(choice, compare=True), before=True)


def changes(choice: Choice) -> dict[str, pd.DataFrame]:
    """How long each stage took now and in the period before (`vsm.stage_changes`), by stream."""
    key, configured = look.key()
    return _changes(key, configured, replace(choice, compare=True))


def said(choice: Choice) -> list[str]:
    """The findings, compared with the period before."""
    return _said(measures(choice), measures_before(choice))


def compared(now: Figure, before: Figure, value: str) -> Comparison:
    """`compare`, worked out once for two figures: what was measured is shared between viewers and never changes."""
    known: dict[str, tuple[weakref.ref[Figure], Comparison]] = made_of(now, "compared", dict)
    past, found = known.get(value, (None, None))
    if found is None or past is None or past() is not before:
        found = compare(now, before, value)
        known[value] = (weakref.ref(before), found)
    return found


def since(scope: Scope, start: pd.Timestamp) -> Measures | None:
    """What was measured of a scope's work from an instant on; None where nothing is known of the time after it."""
    key, configured = look.key()
    now = flows.told().now
    return None if now is None or start >= now else _window(key, configured, replace(scope, start=start, end=now))


def judged(choice: Choice, experiment: dict[str, Any]) -> tuple[Figure, Figure] | None:
    """The figure that an experiment asks for before and after its start, in its stream; None before it began.

    Raises UsageError where its stream is not there any more, or its metric never was.
    """
    key, configured = look.key()
    now, stream = flows.told().now, experiment["stream"] if isinstance(experiment["stream"], str) else choice.stream
    if now is None:
        return None
    if experiment["metric"] not in METRICS:
        raise UsageError(f"there is no number {experiment['metric']!r} to judge it by")
    scope = Scope(now, now, stream=stream, application=choice.application, team=choice.team)
    windows = before_and_after(scope, experiment["started_at"], experiment["ended_at"])
    if windows is None:
        return None
    before, after = (_window(key, configured, one).figures[experiment["metric"]] for one in windows)
    return before, after


# A viewer who tries every filter fills 16 of these; each holds its window's frames, not the facts.
@shared(24, says="2 of 2: measuring the period …")
def measures_of(key: Key, _configured: Config, choice: Choice, before: bool) -> Measures:
    whose = {"stream": choice.stream, "application": choice.application, "team": choice.team}
    try:
        if choice.first is None or choice.last is None:
            flow, last = flows.allowed_flow(key, _configured, choice.level, None), None
            scope = Scope(flow.now - pd.Timedelta(weeks=choice.weeks), flow.now, **whose)
        else:  # as a report from a day to a day: nothing is known that came later
            first, last = (
                instant(choice.first.isoformat(), _configured.zone),
                instant(choice.last.isoformat(), _configured.zone, True),
            )
            scope = Scope(first, last, **whose)
        return of_scope(key, _configured, choice.level, last, scope.before() if before else scope)
    except ValueError as error:
        raise UsageError(str(error)) from None


@shared(12)
def _changes(key: Key, _configured: Config, choice: Choice) -> dict[str, pd.DataFrame]:
    now, past = (measures_of(key, _configured, choice, before=before) for before in (False, True))
    if not now.streams:
        return {now.workflow.name if now.workflow else "": stage_changes(now, past)}
    return {name: stage_changes(one, past.streams[name]) for name, one in now.streams.items() if name in past.streams}


# What was measured is shared and never changed, so that it is known by its place in memory.
@shared(8, by_place=("now", "before"))
def _said(now: Measures, before: Measures) -> list[str]:
    return findings(now, before)


@shared(12, says="Measuring what was tried …")
def _window(key: Key, _configured: Config, scope: Scope) -> Measures:
    try:
        return of_scope(key, _configured, None, None, scope)
    except ValueError as error:
        raise UsageError(str(error)) from None


def of_scope(key: Key, configured: Config, level: Level | None, now: pd.Timestamp | None, scope: Scope) -> Measures:
    """What was measured of a scope, from the store or in the engine."""
    if counted.url() is not None:
        return flows.held_engine(key, configured, now).measure(scope)
    return measuring.measure(flows.allowed_flow(key, configured, level, now), scope)
