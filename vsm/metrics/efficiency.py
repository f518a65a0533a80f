"""Flow efficiency by stage: where the work and the waiting behind that one number lay."""

import numpy as np
import pandas as pd

from vsm.metrics.figure import hours
from vsm.metrics.flow import finished, place_of
from vsm.scope import Scope


def by_stage(visits: pd.DataFrame, items: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Where finished items waited and were worked on: stage, wait, work (hours), items; the stays that flow efficiency counts.

    Its hours add up to that figure's ``work_hours`` and ``wait_hours``: an item counts if at least one
    of its stays shows both sides, and then each of its stays whose split is known.
    """
    place = place_of(items, visits["item"])
    told, known, work = place >= 0, visits["known"].to_numpy(), hours(visits["work"]).to_numpy()
    both = np.bincount(place[told & known & ~np.isnan(work)], minlength=len(items)) > 0
    counts = finished(items, scope).to_numpy() & both
    mine = told & known
    mine[told] &= counts[place[told]]
    stays = visits.loc[mine, ["item", "stage"]].assign(work=np.nan_to_num(work[mine]))
    stays = stays.assign(wait=hours(visits.loc[mine, "dwell"]).to_numpy() - stays["work"])
    by = stays.groupby("stage", sort=True, observed=True)
    return by.agg(wait=("wait", "sum"), work=("work", "sum"), items=("item", "nunique")).reset_index()
