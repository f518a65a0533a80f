"""The report of an engine: the scope that options name, and what a document says of where its numbers come from."""

from pathlib import Path
from typing import Any

import pandas as pd

from vsm import config as configuration
from vsm.errors import UsageError
from vsm.measure import Measures
from vsm.scope import Scope, instant, window
from vsm.warehouse import measured
from vsm.warehouse.engine import Engine
from vsm.warehouse.singles import shortened

# An engine has no runs of collectors: it is filled by `vsm export warehouse`, or by the company itself.
HARVESTS = ("kind", "status", "source", "scope", "started_at", "finished_at")


def told(
    engine: Engine, config: Path | None, start: str | None, end: str | None, stream: str | None, application: str | None,
    team: str | None,
) -> tuple[Measures, dict[str, Any]]:  # fmt: skip
    """The measures of a scope, and the keys that a document of an engine has in the place of a store's. Raises UsageError."""
    said = configuration.load(config)
    try:
        now = instant(end, said.zone, last=True) if end else None
        held = measured.read(engine, said, now)
        first, last = window(held.now, said.zone, start, end)
        scope = Scope(first, last, stream=stream, application=application, team=team)
        visits = measured.samples(held, scope)
        measures = measured.measure(held, scope, visits)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return measures, {"facts": held.counts(), "engine": about(engine, shortened(visits, scope))}


def about(engine: Engine, latest: list[dict[str, Any]]) -> dict[str, Any]:
    """Which engine counted, what it leaves out with the reason, and of which streams only the latest visits were looked at."""
    out = [{"key": key, "reason": reason} for key, reason in measured.LEFT_OUT.items()]
    return {"name": engine.name, "place": engine.place, "left_out": out, "sampled": latest}


def no_harvests() -> pd.DataFrame:
    """The runs of collectors that an engine knows of."""
    times = {name: pd.Series(dtype="datetime64[us, UTC]") for name in ("started_at", "finished_at")}
    return pd.DataFrame({name: times.get(name, pd.Series(dtype="str")) for name in HARVESTS})
