"""What people wrote down, for who must not read it: that something was noted stays, what was noted goes.

A free text may name anybody and anything, and no list of names finds all of them.
"""

import pandas as pd

from vsm.frames import text


def notes(told: pd.DataFrame) -> pd.DataFrame:
    """Notes without their words."""
    return told.assign(text=text("a note", told.index))


def experiments(told: pd.DataFrame) -> pd.DataFrame:
    """Experiments without their words: numbered in the order in which they began."""
    numbers = pd.Series(range(1, len(told) + 1), index=told.index, dtype="str")
    return told.assign(title=("Experiment " + numbers).astype("str"), hypothesis=text("(not shown)", told.index))
