"""Cumulative flow, and work in progress by day."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.frames import places
from vsm.metrics.stages import NEVER, stage_codes
from vsm.scope import Scope
from vsm.working_time import HOUR, NOT_A_TIME, Floats, Micros, micro, micros

if TYPE_CHECKING:
    from vsm.workflow import Stage

CANCELLED, DONE = "Cancelled", "Done"


def cumulative(visits: pd.DataFrame, items: pd.DataFrame, line: "Sequence[Stage]", scope: Scope, zone: ZoneInfo) -> pd.DataFrame:
    """How many items had ever come as far as each stage, or further, by the end of each day: no line ever falls.

    day (naive local midnight), stage, position, items; the stages in map order, then Cancelled and
    Done. An item counts where it has been furthest: going back or reopening changes nothing that was
    drawn. The distance of two neighbouring lines is what is in the stage (or went back from behind
    it); a cancelled item leaves the stages by crossing to the line Cancelled, under which are the
    items that are over, and under Done those that were finished.
    """
    days, ends = days_of(scope, zone)
    reached = _reached(visits, items, line)
    names = [*(stage.name for stage in line), CANCELLED, DONE]
    counts = np.array([np.searchsorted(np.sort(times), ends, side="right") for times in reached]).reshape(len(names), len(days))
    return pd.DataFrame(
        {
            "day": pd.Series(np.repeat(days.to_numpy(), len(names))),
            "stage": pd.Series(np.tile(np.array(names, dtype=object), len(days)), dtype="str"),
            "position": np.tile(np.arange(len(names)), len(days)),
            "items": counts.T.ravel().astype("int64"),
        }
    )


def wip_by_day(visits: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> pd.DataFrame:
    """Items in any stage, day by day: items (at the day's end), mean (over the part of the day that is in the window).

    The means, weighted by their part of the day, give the mean of the window exactly.
    """
    days, ends = days_of(scope, zone)
    queued, left = np.sort(micros(visits["queued"])), np.sort(_or_never(micros(visits["left"])))
    count = np.searchsorted(queued, ends, side="right") - np.searchsorted(left, ends, side="right")
    edges = np.concatenate([[micro(scope.start)], ends])
    spent = np.diff(_hours_up_to(queued, edges) - _hours_up_to(left, edges))
    lasting = np.diff(edges) / HOUR
    average = np.divide(spent, lasting, out=count.astype("float64"), where=lasting > 0)
    return pd.DataFrame({"day": days, "items": count.astype("int64"), "mean": average})


def _hours_up_to(times: Micros, edges: Micros) -> Floats:
    """Σ of the hours from each time, or from the first edge, to each edge that lies behind it; times sorted."""
    number = np.searchsorted(times, edges, side="right")
    since = np.maximum(times[times < NEVER] - edges[0], 0) / HOUR
    sums = np.append(0.0, np.cumsum(since))
    hours: Floats = number * ((edges - edges[0]) / HOUR) - sums[number]
    return hours


def days_of(scope: Scope, zone: ZoneInfo) -> tuple[pd.DatetimeIndex, Micros]:
    """The window's days as naive local midnights, and the last instant of each that lies in the window."""
    first, last = (time.tz_convert(zone).tz_localize(None).normalize().as_unit("us") for time in (scope.start, scope.end))
    days = pd.date_range(first, last, freq="D", unit="us")
    after = days + pd.Timedelta(days=1)
    begins = after.tz_localize(zone, ambiguous=np.ones(len(after), dtype=bool), nonexistent="shift_forward")
    return days, np.minimum(micros(begins) - 1, micro(scope.end))


def _reached(visits: pd.DataFrame, items: pd.DataFrame, line: "Sequence[Stage]") -> list[Micros]:
    """For each line of the chart, when each item first came as far (NEVER where it did not)."""
    code, queued = stage_codes(visits, line), micros(visits["queued"])
    item = places(visits["item"], items["item"])
    done, over = _ended(visits, items, item)
    furthest = np.where((done < NEVER) | _entered(item, len(items)), over, NEVER)
    reached = [furthest, done]
    for place in range(len(line) - 1, -1, -1):
        mine = (code == place) & (item >= 0)
        first = reached[0].copy()
        np.minimum.at(first, item[mine], queued[mine])
        reached.insert(0, first)
    return reached


def _entered(item: Micros, size: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    return np.bincount(item[item >= 0], minlength=size) > 0


def _ended(visits: pd.DataFrame, items: pd.DataFrame, item: Micros) -> tuple[Micros, Micros]:
    """When each item was first done, and first done or cancelled.

    Of a reopened item only the last done is told. It was done for the first time when it first left a
    stage for none, and there the line stays, or reopening would change what was drawn.
    """
    done, cancelled = _or_never(micros(items["done_at"])), _or_never(micros(items["cancelled_at"]))
    reopened = np.flatnonzero(items["reopened"].to_numpy() > 0)
    if len(reopened):
        rows = np.flatnonzero(np.isin(item, reopened))
        order = rows[np.lexsort((visits["seq"].to_numpy()[rows], item[rows]))]
        queued, left = micros(visits["queued"])[order], _or_never(micros(visits["left"])[order])
        last = np.append(item[order][1:] != item[order][:-1], True)
        out = last | (np.append(queued[1:], NEVER) > left)
        np.minimum.at(done, item[order][out], left[out])
    return done, np.minimum(done, cancelled)


def _or_never(times: Micros) -> Micros:
    return np.where(times == NOT_A_TIME, NEVER, times)
