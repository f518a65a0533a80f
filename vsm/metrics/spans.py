"""Spans: how long each part of a way took, so that the parts of every row add up to the whole."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vsm.metrics.figure import hours, nearest_rank

UNTOLD = "not told apart"


def spans(rows: pd.DataFrame, milestones: Mapping[str, str], start: str) -> pd.DataFrame:
    """The hours of each part of every row's way, and of what cannot be told apart; the parts of a row add up to its whole.

    `milestones`: each part with the column of its end, in order; the way begins with the column
    `start` and ends with the last milestone, both known. A milestone that is missing, or lies before
    the one that came before it or after the end, is passed over: the parts around it are then one
    that cannot be told apart. A column a part, missing where it is not known, and UNTOLD, missing
    where there is nothing of it.
    """
    *_, last = milestones.values()
    end, before, sure = rows[last], rows[start], pd.Series(True, index=rows.index)
    told: dict[str, pd.Series] = {}
    for part, column in milestones.items():
        at = rows[column]
        usable = at.notna() & (at >= before) & (at <= end)
        # What follows a gap begins nobody knows when.
        told[part] = hours(at - before).where(usable & sure)
        before, sure = at.where(usable, before), usable
    found = pd.DataFrame(told, index=rows.index)
    untold = hours(end - rows[start]) - found.sum(axis=1)
    return found.assign(**{UNTOLD: untold.where(untold.abs() > 1e-9)})


def together(parts: pd.DataFrame) -> pd.DataFrame:
    """Each part over all rows: part, p50, p85 (hours where it is known), n, and mean: its hours ÷ all rows, which add up.

    A part of which nothing is known has no mean.

    A part that no row knows is left out where it is the one that cannot be told apart.
    """
    names = [name for name in parts.columns if name != UNTOLD or parts[name].notna().any()]
    known = [parts[name].dropna() for name in names]
    return pd.DataFrame(
        {
            "part": pd.Series(names, dtype="str"),
            "p50": pd.Series([nearest_rank(values, 0.5) for values in known], dtype="float64"),
            "p85": pd.Series([nearest_rank(values, 0.85) for values in known], dtype="float64"),
            "n": pd.Series([len(values) for values in known], dtype="int64"),
            "mean": pd.Series([float(values.sum()) / len(parts) if len(values) else np.nan for values in known], dtype="float64"),
        }
    )
