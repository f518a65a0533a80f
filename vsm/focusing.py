"""Focusing: the five steps around a constraint with what the data says to each, and where other rankings would look instead."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from vsm.measure import Measures
from vsm.metrics.figure import FEW
from vsm.words import duration, share


@dataclass(frozen=True)
class Step:
    """``name``: what the step is called; ``asks``: its question; ``said``: what the data says to it, in sentences."""

    name: str
    asks: str
    said: tuple[str, ...]


NOTHING = "The data says nothing to this."


def focusing(one: Measures) -> list[Step]:
    """The five focusing steps (Goldratt) for one map of stages; where no constraint is named only why, and how it moved."""
    found = one.constraint
    if found is None:
        return []
    steps = [Step("Identify", "What holds back the whole?", tuple(_identified(one)))]
    if found.stage is not None:
        steps += [
            Step("Exploit", "What of its time is lost?", _or_nothing(_lost(one, found.stage))),
            Step("Subordinate", "Do the others keep its pace?", _or_nothing(_pace(one, found.stage))),
            Step("Elevate", "What would more capacity bring?", _or_nothing(_more(one, found.stage))),
            Step("Repeat", "What is next?", _or_nothing(_next(one, found.stage))),
        ]
    return steps


def _or_nothing(said: Iterator[str]) -> tuple[str, ...]:
    return tuple(said) or (NOTHING,)


def _identified(one: Measures) -> Iterator[str]:
    found = one.constraint
    if found is None:
        return
    yield found.why
    if found.confidence is not None:
        yield f"{share(found.confidence)} of windows made of resampled weeks say the same."
    if found.stage is not None and (told := since(one)) is not None:
        yield told


def since(one: Measures) -> str | None:
    """Since when the stage that was named last has been named without a break, and which was before; None where none was."""
    if one.moved is None or one.moved.empty or pd.isna(one.moved["stage"].iloc[-1]):
        return None
    looks, zone = one.moved, one.flow.config.timezone
    stages = looks["stage"].astype("object").where(looks["stage"].notna(), None).tolist()
    last = stages[-1]
    run = next((place for place, stage in enumerate(reversed(stages)) if stage != last), len(stages))
    of = f"{len(stages)} looks at thirteen weeks each" if len(stages) > 1 else "the one look at thirteen weeks"
    if run == len(stages):
        return f"{last} was named in all of {of}." if run > 1 else f"{last} was named in {of}."
    first = looks.iloc[-run]
    start, end = (f"{first[edge].tz_convert(zone):%-d %b %Y}" for edge in ("start", "end"))
    before = f"it was {stages[-run - 1]}" if stages[-run - 1] is not None else "none was named"
    return f"{last} has been named since the thirteen weeks from {start} to {end}, in {run} of {of}; before that {before}."


def _lost(one: Measures, stage: str) -> Iterator[str]:
    """Where the hours in the stage went, and what it has to send back."""
    rows = one.waste.rows
    here = rows[rows["stage"] == stage].groupby("class", observed=True)["hours"].sum()
    total = float(here.sum())
    parts = [(float(here.get(name, 0.0)), words) for name, words in LOST.items()]
    told = [f"{share(hours / total)} {words}" for hours, words in parts if total and hours / total >= 0.01]
    if told:
        yield f"Of the {duration(total)} that items spent in {stage}, {_and(told)}."
    if one.accurate is None:
        return
    for row in one.accurate[(one.accurate["to"] == stage) & (one.accurate["n"] >= FEW)].to_dict("records"):
        if row["sent_back"]:
            yield (
                f"{stage} sends back {share(1 - row['value'])} of what it takes in from {row['from']} ({row['sent_back']} of "
                f"{row['n']}): what is checked before it costs {stage} no time."
            )


LOST = {
    "waiting": "was waiting",
    "parked": "was parked or blocked",
    "rework": "was rework",
    "abandoned": "went into items given up",
}


def _pace(one: Measures, stage: str) -> Iterator[str]:
    """What comes in against what goes out, and what is in front of it."""
    row = _row(one, stage)
    if row is None:
        return
    came, left = row["arrivals"] / one.scope.weeks, row["departures"] / one.scope.weeks
    yield f"{came:.1f} a week come in and {left:.1f} leave: what is started beyond that only waits longer."
    if pd.notna(row["wip_limit"]):
        over = f", over it {share(float(row['over_limit']))} of the time" if pd.notna(row["over_limit"]) else ""
        yield f"{row['wip_now']} in it now against a limit of {row['wip_limit']}{over}."
    else:
        yield f"{row['wip_now']} in it now, and it has no limit."


def _more(one: Measures, stage: str) -> Iterator[str]:
    """What the simulation says of more capacity here, and where it would bring more if not here."""
    lever = one.lever
    if lever is None:
        return
    table = lever.table
    here = table[table["stage"] == stage]
    if lever.stage != stage and len(here):
        cut = here.iloc[0]
        yield (
            f"25 % more capacity in {stage} would cut lead time by about {share(cut['cut'])} ({share(cut['low'])} to "
            f"{share(cut['high'])})."
        )
    yield lever.why
    others = table[~table["stage"].isin([stage, lever.stage])]
    if len(others):
        cuts = [f"{share(row['cut'])} in {row['stage']}" for row in others.to_dict("records")]
        yield f"As much more would cut it by {_and(cuts)}."


def _next(one: Measures, stage: str) -> Iterator[str]:
    """The stage that would hold back the whole next."""
    if one.constraint is None:
        return
    others = one.constraint.ranking[one.constraint.ranking["stage"] != stage]
    if others.empty:
        return
    row = others.iloc[0]
    yield f"After {stage} it would most likely be {row['stage']}: {_evidence(row['evidence'])}."


def misleading(one: Measures) -> list[str]:
    """Where a ranking by time in stage, by items in a stage or by waiting would look, and what speaks against it."""
    table = one.stages
    if one.constraint is None or table is None or table.empty:
        return []
    evidence = {row["stage"]: row["evidence"] for row in one.constraint.ranking.to_dict("records")}
    said = []
    for column, words, written in RANKINGS:
        known = table.dropna(subset=column)
        if known.empty:
            continue
        first = known.loc[known[column].astype("float64").idxmax()]
        name, value = str(first["stage"]), written(float(first[column]))
        if name == one.constraint.stage:
            said.append(f"A ranking by {words} names {name}, too ({value}).")
        elif name in evidence:
            said.append(f"A ranking by {words} would name {name} ({value}), but {_evidence(evidence[name])}.")
        else:
            said.append(f"A ranking by {words} would name {name} ({value}), where nobody works: it only holds work.")
    return said


RANKINGS = (
    ("dwell_mean", "time in stage", duration),
    ("wip_mean", "items in a stage", lambda value: f"{value:.1f} on average"),
    ("wait_mean", "waiting time", duration),
)


def _evidence(evidence: dict[str, object]) -> str:
    """How often work waits for a stage and how loaded it is, in words."""
    told = [
        f"{words} {share(float(value))}{after}"
        for name, words, after in (
            ("queue_share", "something waits for it", " of the time"),
            ("load", "its load is", " of what it manages while work waits"),
        )
        if isinstance(value := evidence.get(name), (int, float)) and not pd.isna(value)
    ]
    return " and ".join(told) or "what waits for it is not known"


def _row(one: Measures, stage: str) -> pd.Series | None:
    if one.stages is None:
        return None
    rows = one.stages[one.stages["stage"] == stage]
    return rows.iloc[0] if len(rows) else None


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
