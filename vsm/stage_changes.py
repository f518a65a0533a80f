"""Stage changes: how long each stage of a map took in two periods, and whether that clearly changed."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from vsm.metrics.compare import compare
from vsm.metrics.figure import Figure, hours

if TYPE_CHECKING:
    from vsm.measure import Measures

SAID = {"more": "clearly longer", "less": "clearly shorter"}  # of a time; the other verdicts are words already
NUMBERS = ("wait", "work")


def stage_changes(now: "Measures", before: "Measures") -> pd.DataFrame:
    """Each stage's median wait and work in two periods of one length with a verdict, and what was inside at the end of each.

    A row a stage and number (wait, work: hours; wip: items): stage, number, now, before, n_now,
    n_before, verdict, in words. A time is compared as medians are (`vsm.metrics.compare`), with fewer
    than five visits on a side not at all; what is inside at one instant is compared with nothing.
    Of a stage that was not there before nothing is said.
    """
    rows = []
    if now.stages is not None and before.stages is not None:
        old = {row["stage"]: row for row in before.stages.to_dict("records")}
        new_visits, old_visits = _left(now), _left(before)
        for row in now.stages.to_dict("records"):
            stage = row["stage"]
            was = old.get(stage)
            if was is None:
                continue
            for number in NUMBERS:
                new = _figure(row, new_visits.get(stage), number, now.spreads)
                past = _figure(was, old_visits.get(stage), number, before.spreads)
                found = compare(new, past, "p50")
                values = row[f"{number}_p50"], was[f"{number}_p50"], row[f"{number}_n"], was[f"{number}_n"]
                rows.append((stage, number, *values, SAID.get(found.verdict, found.verdict)))
            counted = (row["wip_now"], was["wip_now"])
            rows.append((stage, "wip", *counted, *counted, "not compared"))
    frame = pd.DataFrame(rows, columns=["stage", "number", "now", "before", "n_now", "n_before", "verdict"])
    kinds = {"stage": "str", "number": "str", "now": "float64", "before": "float64", "n_now": "int64", "n_before": "int64"}
    return frame.astype(kinds | {"verdict": "str"})


def _left(measures: "Measures") -> dict[Any, pd.DataFrame]:
    """The visits that were left in the window, by stage."""
    visits = measures.visits
    visits = visits.loc[measures.scope.holds(visits["left"]), ["item", "stage", *NUMBERS]]
    return dict(list(visits.groupby("stage")))


def _figure(row: dict[str, Any], visits: pd.DataFrame | None, number: str, spreads: dict[tuple[str, str], float]) -> Figure:
    """A stage's median, as the table has it, with the visits that it is of, or its spread where they are elsewhere."""
    value, name, spread = row[f"{number}_p50"], f"{row['stage']} {number}", spreads.get((row["stage"], number))
    told = {"item": [], "hours": []} if visits is None else {"item": visits["item"], "hours": hours(visits[number])}
    rows = pd.DataFrame(told).dropna()
    n = len(rows) if spread is None else int(row[f"{number}_n"])
    return Figure(name, {"p50": None if pd.isna(value) else float(value)}, n, "hours", "", "", rows, spread=spread)
