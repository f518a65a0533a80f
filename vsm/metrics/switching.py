"""Task switching: how much of the time in work an item only waits for the other items that the same person has in work."""

import numpy as np

from vsm.metrics.stages import Codes
from vsm.working_time import HOUR, Floats, Micros


def switching(person: Codes, begin: Micros, end: Micros) -> tuple[Floats, float]:
    """Of each interval of work the hours that went to the person's other items, and how many items a person has in work at once.

    Nobody works on two things in the same moment: while a person has k items in work, each of them
    is taken to get one k-th of the time, and waits the rest. The second number is the mean of k
    over the time in which anything is in work; NaN where nothing is.
    """
    times, who = np.concatenate([begin, end]), np.concatenate([person, person])
    change = np.repeat([1, -1], [len(begin), len(end)])
    order = np.lexsort((times, who))
    at_once = np.cumsum(change[order])  # 0 after each person's last event
    lasting = np.diff(times[order], append=0) / HOUR
    waiting = np.where(at_once > 1, lasting * (at_once - 1) / np.maximum(at_once, 1), 0.0)
    until = np.empty(len(times))
    until[order] = np.cumsum(waiting) - waiting
    busy = float(lasting[at_once > 0].sum())
    lost: Floats = np.clip(until[len(begin) :] - until[: len(begin)], 0, (end - begin) / HOUR)
    return lost, float((end - begin).sum() / HOUR / busy) if busy else np.nan
