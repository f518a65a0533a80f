"""Findings: what leadership should read first, in sentences made from the same figures as every tile."""

from vsm.measure import Measures
from vsm.metrics.compare import compare
from vsm.words import duration, share

HEADLINES = (
    ("deployment_frequency", "per_week", "Deployments", lambda v: f"{v:.1f} a week", ("rose", "fell")),
    ("change_lead_time", "p50", "The median change lead time", duration, ("grew", "shrank")),
    ("change_fail_rate", "value", "The change fail rate", share, ("rose", "fell")),
    ("lead_time", "p50", "The median lead time of items", duration, ("grew", "shrank")),
)


def findings(now: Measures, before: Measures) -> list[str]:
    """What holds delivery back, what clearly changed against the period before, and where work piles up; plain text."""
    return [*_constraints(now), *_changes(now, before), *_limits(now)]


def _maps(measures: Measures) -> list[tuple[str, Measures]]:
    """The scopes that have a map of stages, with the words that name them."""
    return [(f"{name}: ", one) for name, one in measures.streams.items()] or [("", measures)]


def _constraints(measures: Measures) -> list[str]:
    return [f"{name}{one.constraint.why}" for name, one in _maps(measures) if one.constraint is not None]


def _changes(now: Measures, before: Measures) -> list[str]:
    """The headline figures that clearly changed; one sentence if none did."""
    said = []
    for name, value, subject, written, (up, down) in HEADLINES:
        found = compare(now.figures[name], before.figures[name], value)
        if found.verdict in ("more", "less") and found.before is not None and found.now is not None:
            verb = up if found.verdict == "more" else down
            counts = f"n {before.figures[name].n} and {now.figures[name].n}"
            said.append(f"{subject} {verb} from {written(found.before)} to {written(found.now)} ({counts}).")
    return said or ["None of frequency, lead times and fail rate clearly changed against the period before."]


def _limits(measures: Measures) -> list[str]:
    """The stages that hold more than their limit."""
    said = []
    for name, one in _maps(measures):
        if one.stages is None:
            continue
        over = one.stages[one.stages["wip_now"] > one.stages["wip_limit"].fillna(one.stages["wip_now"])]
        for row in over.to_dict("records"):
            said.append(f"{name}{row['stage']} holds {row['wip_now']} items against a limit of {row['wip_limit']}.")
    return said
