"""From the marks that somebody picked on a chart to the rows that they stand for."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dashboard import theme
from dashboard.charts.entry import Drawn
from dashboard.charts.marks import BRUSH, MARK, WEEK
from dashboard.charts.spec import frame

Weeks = tuple[pd.Timestamp, ...]
Selected = Mapping[str, Any]  # as the browser tells it, by the name of the selection
HOW = {
    "item": "Click a dot to open its item's path; drag over several to list them.",
    "week": "Click a week to list what was in it; drag over several.",
    "deployment": "Click a dot, or drag over several, to list them.",
}
NO_PATHS = "Drag over dots to list their items."  # where the path of an item cannot be had
CELLS = "Drag over cells to list their items."


def modes(drawn: Drawn) -> list[str]:
    """The names of what can be picked on a chart."""
    return [one["name"] for one in drawn.spec.get("params", ())]


def how(drawn: Drawn, paths: bool = True) -> str:
    """How to pick on a chart, in a sentence or two. `paths`: whether a dot opens its item's path."""
    if not paths and drawn.pick is not None and drawn.pick.key == "item":
        return CELLS if modes(drawn) == [BRUSH] else NO_PATHS
    return CELLS if modes(drawn) == [BRUSH] else HOW["" if drawn.pick is None else drawn.pick.key]


def said(drawn: Drawn, rows: pd.DataFrame, weeks: Weeks = ()) -> str:
    """What was picked: how many rows of what, and of which weeks."""
    many = theme.many(len(rows), str(drawn.figure.rows.columns[0]))  # the id: item, change, deployment
    if not weeks:
        return f"{many} picked"
    first, last = (f"{day:%-d %b %Y}" for day in (min(weeks), max(weeks) + pd.Timedelta(days=6)))
    return f"{many} in the week from {first}" if len(weeks) == 1 else f"{many} in {len(weeks)} weeks, {first} to {last}"


def found(drawn: Drawn, selected: Selected, zone: str, seen_in: str | None) -> tuple[pd.DataFrame, Weeks] | None:
    """The rows behind what was picked, and the weeks where weeks were; None where nothing was.

    A browser tells times as instants of its own clock: `seen_in` is its zone, `zone` the reporting zone.
    """
    if drawn.pick is None:
        return None
    brush = {name: ends for name, ends in (selected.get(BRUSH) or {}).items() if len(ends) == 2}
    if drawn.pick.key == "week":
        weeks = _weeks(selected, brush, seen_in)
        return (_of_weeks(drawn, weeks, zone), weeks) if weeks else None
    marks = {one.get(drawn.pick.key) for one in selected.get(MARK) or ()} - {None}
    if brush:
        return _brushed(drawn, brush, zone, seen_in), ()
    return (_rows(drawn, marks), ()) if marks else None


def _weeks(selected: Selected, brush: Mapping[str, list[float]], seen_in: str | None) -> Weeks:
    """The Mondays of the weeks that were clicked, or brushed if only in part."""
    if brush:
        (ends,) = brush.values()
        first, last = (_local(end, seen_in) for end in sorted(ends))
        return tuple(pd.date_range(first.normalize() - pd.Timedelta(days=first.day_of_week), last, freq="7D"))
    return tuple(sorted({pd.Timestamp(one["monday"]) for one in selected.get(WEEK) or () if one.get("monday")}))


def _of_weeks(drawn: Drawn, weeks: Weeks, zone: str) -> pd.DataFrame:
    """What was counted in some weeks."""
    rows, at = drawn.figure.rows, drawn.pick.at if drawn.pick else ""
    local = rows[at].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    mondays = local - pd.to_timedelta(local.dt.day_of_week, unit="D")
    return rows[mondays.isin(weeks)].reset_index(drop=True)


def _brushed(drawn: Drawn, brush: Mapping[str, list[float]], zone: str, seen_in: str | None) -> pd.DataFrame:
    """The rows whose marks lie under the brush."""
    key = drawn.pick.key if drawn.pick else ""
    for told in map(frame, drawn.spec["datasets"].values()):
        if {key, *brush} <= set(told):
            return _rows(drawn, set(told.loc[_within(told, brush, seen_in), key]))
    # Cells that only count: their corners are what the rows were put into.
    rows = drawn.rows
    at = drawn.pick.at if drawn.pick else ""
    local = pd.DataFrame({"left": rows[at].dt.tz_convert(zone).dt.tz_localize(None), "low": rows["hours"]})
    return rows[_within(local, brush, seen_in)].reset_index(drop=True)


def _within(told: pd.DataFrame, brush: Mapping[str, list[float]], seen_in: str | None) -> pd.Series:
    inside = pd.Series(True, index=told.index)
    for name, ends in brush.items():
        low, high = sorted(ends)
        if told[name].dtype.kind == "M":
            inside &= told[name].between(_local(low, seen_in), _local(high, seen_in))
        else:
            inside &= told[name].between(low, high)
    return inside


def _rows(drawn: Drawn, keys: set[Any]) -> pd.DataFrame:
    key = drawn.pick.key if drawn.pick else ""
    return drawn.rows[drawn.rows[key].isin(keys)].reset_index(drop=True)


def _local(milliseconds: float, seen_in: str | None) -> pd.Timestamp:
    """An instant as the wall clock that the browser drew: charts hold naive local times."""
    return pd.Timestamp(milliseconds, unit="ms", tz="UTC").tz_convert(seen_in or "UTC").tz_localize(None)
