"""What charts share: roles for colours, weeks that begin on Monday, hours on an axis, and levels with words at the side."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard import theme
from dashboard.theme import ROLES

HEIGHT = 280
MOST_TICKS = 8
LETTER, SYMBOL = 7, 28  # pixels of a legend's letter, and of its symbol with the room around it
APART = 0.07  # of the height: words closer than this would overlap
MINUTE, DAY = 1 / 60, 24
HOUR_STEPS = tuple(
    step * unit
    for unit, steps in (
        (MINUTE, (1, 2, 5, 10, 15, 30)),
        (1, (1, 2, 3, 6, 12)),
        (DAY, (1, 2, 5, 7, 10, 20, 30, 50, 100, 200, 365, 730, 1825)),
    )
    for step in steps
)
BENT_TICKS = (0, MINUTE, 5 * MINUTE, 0.25, 1, 4, 12, 24, 72, 168, 336, 720, 1440, 2160, 4320, 8760, 17520, 43800)
# Reading an axis of hours as people say them: the same words as `theme.duration`, without decimals that a tick has not.
HOURS_SAID = (
    "datum.value == 0 ? '0' : datum.value < 1 ? format(datum.value * 60, '.0f') + ' min' : "
    "datum.value < 48 ? format(datum.value, '~g') + ' h' : format(datum.value / 24, ',~r') + ' d'"
)

# What can be picked: an item opens its path, of weeks and other marks the rows are listed, a brush picks several.
ITEM, WEEK, MARK, BRUSH = "item", "week", "mark", "brush"
BRUSHED = alt.BrushConfig(fill="gray", fillOpacity=0.18, stroke="gray")  # to be seen on light and on dark

Chart = alt.Chart | alt.LayerChart
Span = tuple[pd.Timestamp, pd.Timestamp]  # naive local


def role(**more: Any) -> alt.Color:
    """A colour by the role in the column `tone` (`toned` gives it)."""
    return alt.Color("tone:N", scale=alt.Scale(domain=list(ROLES)), **({"legend": None} | more))


def named(names: Mapping[str, str], title: str | None = None, **more: Any) -> alt.Legend:
    """A legend that says what each role in use means; the names stay data, whatever they hold."""
    said = f"({json.dumps(dict(names))})[datum.value]"
    usual = {"orient": "top", "columns": wrapped(names.values()), "symbolOpacity": 1}
    return alt.Legend(title=title, values=list(names), labelExpr=said, labelLimit=220, **(usual | more))


def wrapped(names: Iterable[str]) -> alt.ExprRef:
    """How many names of a legend fit beside each other: a narrow page breaks the line instead of cutting it off."""
    widest = min(max((len(name) for name in names), default=1) * LETTER, 220) + SYMBOL
    return alt.ExprRef(f"max(1, floor(width / {widest}))")


def toned(frame: pd.DataFrame, tone: str | pd.Series, *columns: str) -> pd.DataFrame:
    """Only the columns that are drawn, and the role that colours them; the frame itself stays as it is."""
    return frame.loc[:, [*columns]].assign(tone=tone).reset_index(drop=True)


def words(frame: pd.DataFrame, **columns: str) -> pd.DataFrame:
    """Add hours as people say them: the new column's name, and the column it says."""
    return frame.assign(**{name: [theme.duration(hours) for hours in frame[column]] for name, column in columns.items()})


# Weeks. ----------------------------------------------------------------------------------------------------------------


def in_weeks(series: pd.DataFrame) -> pd.DataFrame:
    """A series by week with what a chart says of each: when it ends, and whether all of it lies in the window."""
    whole = series["whole"] if "whole" in series else pd.Series(True, index=series.index)
    return series.assign(
        whole=whole.astype(bool),
        week_end=series["week"] + pd.Timedelta(days=7),
        middle=series["week"] + pd.Timedelta(days=3, hours=12),
        note=["" if all_of_it else "only a part of it lies in the window" for all_of_it in whole],
        monday=series["week"].dt.strftime("%Y-%m-%d"),
    )


def week_x(series: pd.DataFrame, column: str, scaled: bool = False) -> alt.X:
    """The x of weekly marks: every Monday of the series, labelled where there is room. (Vega's own weeks begin on Sundays.)

    `scaled`: over all weeks of the series, also those without a mark; for one layer only, layers share its scale.
    """
    mondays = sorted(series["week"].unique())
    first, last = mondays[0], mondays[-1] + pd.Timedelta(days=7)
    axis = time_axis(mondays[:: -(-len(mondays) // MOST_TICKS)], first, last)
    return alt.X(f"{column}:T", axis=axis, scale=time_scale(first, last) if scaled else alt.Scale(nice=False))


def time_axis(ticks: Sequence[pd.Timestamp], first: pd.Timestamp, last: pd.Timestamp, title: str | None = None) -> alt.Axis:
    """An axis of days with labels at given ones; with the year where it is not the same throughout."""
    years = "%-d %b %Y" if first.year != last.year else "%-d %b"
    return alt.Axis(values=[moment(day) for day in ticks], format=years, title=title, grid=False, labelFlush=False)


def time_scale(first: pd.Timestamp, last: pd.Timestamp) -> alt.Scale:
    """A scale from one time to another."""
    return alt.Scale(domain=[moment(first), moment(last)], nice=False)


def mondays(first: pd.Timestamp, last: pd.Timestamp) -> list[pd.Timestamp]:
    """A few Mondays from one time to another; the first day where there is none between."""
    found = pd.date_range(first.normalize(), last, freq="W-MON")
    return list(found[:: max(-(-len(found) // MOST_TICKS), 1)]) or [first]


def moment(at: pd.Timestamp) -> alt.DateTime:
    """A naive local time for an axis."""
    return alt.DateTime(year=at.year, month=at.month, date=at.day, hours=at.hour, minutes=at.minute)


def week_tooltips() -> list[alt.Tooltip]:
    """What every weekly mark says first."""
    return [alt.Tooltip("week:T", title="Week from", format="%a %-d %b %Y"), alt.Tooltip("note:N", title="Note")]


def fading(full: float = 1.0) -> Any:
    """Weeks that the window holds only a part of are paler: they look like a drop and are none."""
    return alt.when("datum.whole").then(alt.value(full)).otherwise(alt.value(full * 0.4))


# Hours. ----------------------------------------------------------------------------------------------------------------


def hour_axis(most: float, title: str | None = None, **more: Any) -> alt.Axis:
    """An axis of hours with ticks where people have words for them."""
    step = next((step for step in HOUR_STEPS if most / step <= 6), HOUR_STEPS[-1])
    ticks = [step * number for number in range(int(most / step) + 1)]
    return alt.Axis(values=ticks, labelExpr=HOURS_SAID, title=title, labelLimit=80, **more)


def bent_hour_axis(scale: alt.Scale, title: str | None = None) -> alt.Axis:
    """The same on a logarithm or a square root: only ticks that have room."""
    low, high = scale["domain"]
    ticks: list[float] = []
    for tick in BENT_TICKS:
        if low <= tick <= high and (not ticks or _height(tick, scale) - _height(ticks[-1], scale) > APART):
            ticks.append(tick)
    return alt.Axis(values=ticks, labelExpr=HOURS_SAID, title=title, grid=True, labelLimit=80, labelOverlap=False)


def levels(values: Mapping[str, float | None], scale: alt.Scale) -> Chart | None:
    """Dashed lines at some values, each with its words at the right, outside of what they are compared with.

    The words are an axis of their own: layers must be `layered`. Words that would overlap share a line.
    """
    known = sorted((float(value), said) for said, value in values.items() if value is not None and not pd.isna(value))
    if not known:
        return None
    told: dict[float, str] = {}
    for value, said in known:
        near = next((other for other in told if abs(_height(value, scale) - _height(other, scale)) < APART), None)
        told[value if near is None else near] = said if near is None else f"{told[near]}, {said}"
    rows = pd.DataFrame({"level": [value for value, _ in known], "said": [said for _, said in known], "tone": "muted"})
    words_at = f"({json.dumps({_key(value): said for value, said in told.items()})})[floor(datum.value * 1e6)]"
    axis = alt.Axis(
        values=list(told), labelExpr=words_at, orient="right", title=None, grid=False, labelLimit=260, labelOverlap=False
    )
    return (
        alt.Chart(rows)
        .mark_rule(strokeDash=[5, 4], strokeWidth=1.2)
        .encode(y=alt.Y("level:Q", scale=scale, axis=axis), color=role(), tooltip=[alt.Tooltip("said:N", title="Line")])
    )


def _height(value: float, scale: alt.Scale) -> float:
    """How high a value is drawn, as a share of the chart's height."""
    low, high = scale["domain"]
    kind = scale["type"]
    bend = math.log if kind == "log" else math.sqrt if kind == "sqrt" else float
    return (bend(max(value, low)) - bend(low)) / ((bend(high) - bend(low)) or 1.0)


def _key(value: float) -> str:
    """A value as Vega's expressions come to it, too: both count in the same binary fractions."""
    return str(math.floor(value * 1e6))


def layered(*layers: Chart | None) -> alt.LayerChart:
    """Layers on the same scales, each with its own axis and legend. One without rows is left out: Vega warns of it."""
    drawn = [layer for layer in layers if layer is not None and not _empty(layer)]
    return (
        alt.layer(*drawn).resolve_axis(y="independent").resolve_legend(color="independent", shape="independent", size="independent")
    )


def _empty(layer: Chart) -> bool:
    return isinstance(layer.data, pd.DataFrame) and layer.data.empty


def annotated(
    chart: Chart | None, notes: pd.DataFrame | None, first: pd.Timestamp, last: pd.Timestamp, window: Span | None = None
) -> Chart | None:
    """A time chart with what people wrote down: at, until (naive local), text; a line at each note, a band over each span.

    Only what lies between two times, so that no note stretches the axis. The words are in the tooltip and, of what lies in the
    `window`, numbered on top: a chart of a longer time has older notes, too, and the same numbers as all others.
    """
    if chart is None or notes is None or notes.empty:
        return chart
    inside = _between(notes, *(window or (first, last))).index
    told = _between(notes.assign(place=pd.Series(range(1, len(inside) + 1), index=inside)), first, last)
    if told.empty:
        return chart
    told = told.assign(
        begins=told["at"].clip(lower=first),
        ends=told["until"].fillna(told["at"]).clip(upper=last),
        tone="accent",
    )
    # Of notes of one day the numbers stand beside each other, not upon each other.
    days = told["begins"].dt.normalize()
    told = told.assign(number=[", ".join(f"{place:.0f}" for place in told.loc[days == day, "place"].dropna()) for day in days])
    told = told[["begins", "ends", "text", "number", "tone"]]
    tooltip = [alt.Tooltip("text:N", title="Note"), alt.Tooltip("begins:T", title="From", format="%-d %b %Y")]
    x = alt.X("begins:T")  # of a chart with an axis of its own: that says what it is
    spans = (
        alt.Chart(told[told["ends"] > told["begins"]])
        .mark_rect(opacity=0.12)
        .encode(x=x, x2="ends:T", color=role(), tooltip=tooltip)
    )
    lines = alt.Chart(told).mark_rule(strokeWidth=1.5, strokeDash=[2, 3]).encode(x=x, color=role(), tooltip=tooltip)
    numbers = alt.Chart(told).mark_text(dy=-4, fontWeight=700, baseline="bottom")
    numbers = numbers.encode(x=x, y=alt.value(0), text="number:N", color=role(), tooltip=tooltip)
    return layered(chart, spans, lines, numbers).properties(height=chart.height)


def _between(notes: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The notes that lie between two times, if only in part."""
    return notes[(notes["at"] <= last) & (notes["until"].fillna(notes["at"]) >= first)]


def pickable(chart: alt.Chart, pick: bool, point: Mapping[str, str] | None, brush: Sequence[str] = ("x", "y")) -> alt.Chart:
    """Marks that can be clicked, several with shift, and brushed; the page reads what was picked by the selection's name.

    `point`: the selection's name, and the field that it gives; an item's is forgotten once the pointer has left it, so
    that a second click on the same dot is one, too.
    """
    if not pick:
        return chart
    params = [alt.selection_interval(name=BRUSH, encodings=list(brush), zoom=False, mark=BRUSHED)]
    for name, field in (point or {}).items():
        clear = {"clear": "pointerout{0, 500}"} if name == ITEM else {}
        params.append(alt.selection_point(name=name, fields=[field], on="click", toggle="event.shiftKey", **clear))
    drawn = chart.add_params(*params)
    if point:
        drawn.mark.cursor = "pointer"
    return drawn
