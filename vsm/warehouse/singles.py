"""Constraint, its history, lever and waste of an engine's sample: the functions of the embedded path, on visits brought here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from zoneinfo import ZoneInfo

import pandas as pd

from vsm.config import Calendar
from vsm.lever import Lever, lever
from vsm.metrics import constraint, stages, waste
from vsm.metrics.constraint import Constraint
from vsm.metrics.waste import Waste
from vsm.scope import Scope
from vsm.warehouse import sample
from vsm.warehouse.sample import Sample
from vsm.workflow import Workflow
from vsm.working_time import micro

Samples = Mapping[str, Sample | None]


@dataclass(frozen=True)
class Singles:
    """What of a stream is told from single visits; None where they are too many. Worked out when it is first asked for."""

    constraint: Constraint | None
    lever: Callable[[], Lever | None]
    moved: Callable[[], pd.DataFrame | None]
    waste: Callable[[], Waste]


def nothing() -> Waste:
    """The waste of visits that are not here."""
    return waste.together([])


def singles(
    samples: Samples, name: str, workflow: Workflow, scope: Scope, calendar: Calendar | None, zone: ZoneInfo
) -> Singles:  # fmt: skip
    """The same answers as from all visits, by the same functions, of the part of a window that the sample tells of."""
    known = samples[name]
    if known is None:
        return Singles(None, lambda: None, lambda: None, nothing)
    line, mine, here = workflow.stages, known.of(scope), known.window(scope)
    recent = stages.lately(mine.visits, here)
    queue = stages.waits(recent, line, micro(here.end))
    found = constraint.constraint(recent, line, mine.items, here, calendar, zone, queue=queue)
    return Singles(
        found,
        cache(lambda: lever(recent, line, mine.items, here, calendar, zone)),
        cache(lambda: constraint.history(mine.visits, line, mine.items, known.year(scope), calendar, zone)),
        cache(lambda: _wasted(samples, name, workflow, mine, scope)),
    )


def _wasted(samples: Samples, name: str, workflow: Workflow, mine: Sample, scope: Scope) -> Waste:
    """The waste of some of a stream's items, all of the stream and what the same people do in others looked at."""
    every = {other: one for other, one in samples.items() if one is not None}
    here = replace(scope, start=max(one.window(scope).start for one in every.values()))
    own = every[name]
    others = [stages.lately(one.visits, here) for other, one in every.items() if other != name]
    beside = pd.concat(others, ignore_index=True) if others else None
    visits = stages.lately(own.visits, here)
    return waste.waste(visits, own.items, workflow.stages, own.changes, here, counted=mine.items["item"], others=beside)


def shortened(samples: Samples, scope: Scope) -> list[dict[str, str | None]]:
    """Of which streams only the latest visits, or none, were looked at, since when, and what that concerns."""
    told: list[dict[str, str | None]] = []
    for name, one in samples.items():
        if one is None:
            reason = f"more than {sample.MOST:,} items and visits are under way: constraint, lever and waste are not told"
            told.append({"stream": name, "from": None, "reason": reason})
        elif not one.whole:
            since = one.window(scope).start.isoformat().replace("+00:00", "Z")
            reason = f"of more than {sample.MOST:,} items and visits the latest: constraint, lever and waste are those since then"
            told.append({"stream": name, "from": since, "reason": reason})
    return told
