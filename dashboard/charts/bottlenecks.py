"""Bottlenecks: how near each stage is to its limit, what more capacity would do, where the hours went, where work changes hands."""

import altair as alt
import pandas as pd

from dashboard import theme
from dashboard.charts.marks import Chart, Span, hour_axis, layered, role, time_axis, time_scale, words

NOBODY = "none named"
SURE = 0.8  # of the resamples
ROW, AXIS = 34, 60  # pixels of a bar, and of what stands around the bars
ROUND_HOURS = (  # a legend's ends are no round numbers
    "datum.value < 1 ? format(datum.value * 60, '.0f') + ' min' : "
    "datum.value < 48 ? format(datum.value, '.0f') + ' h' : format(datum.value / 24, '.1f') + ' d'"
)
WASTE_TONES = {"abandoned": "bad", "rework": "warn", "parked": "accent"}
OTHER_WASTE = "primary"


def ranking(found: pd.DataFrame | None, constraint: str | None) -> Chart | None:
    """Stages with people of their own: stage, queue (share of time in which something waits: the bar), load (the line).

    The constraint stands out; the order is the finder's.
    """
    if found is None or found.empty:
        return None
    if found[["queue", "load"]].isna().all(axis=None):
        return None
    told = found.assign(
        tone=pd.Series("muted", index=found.index).mask(found["stage"] == constraint, "bad"),
        queue_said=[theme.rate(value) for value in found["queue"]],
        load_said=[theme.rate(value) for value in found["load"]],
    )
    tooltip = [
        alt.Tooltip("stage:N", title="Stage"),
        alt.Tooltip("queue_said:N", title="Something waits for it"),
        alt.Tooltip("load_said:N", title="Load while work waits"),
    ]
    y = alt.Y("stage:N", sort=None, axis=alt.Axis(title=None, labelLimit=140, ticks=False, domain=False))
    scale = alt.Scale(domain=[0, max(1.0, float(told[["queue", "load"]].max().max()))], nice=False)
    axis = alt.Axis(title="Share of the time, and of the load", format=".0%", tickCount=5)
    bars = alt.Chart(told.dropna(subset="queue")).mark_bar(size=ROW * 0.5, cornerRadius=2, opacity=0.8)
    ticks = alt.Chart(told.dropna(subset="load").assign(tone="primary")).mark_tick(thickness=4, size=ROW * 0.75)
    return alt.layer(
        bars.encode(y=y, x=alt.X("queue:Q", scale=scale, axis=axis), color=role(), tooltip=tooltip),
        ticks.encode(y=y, x=alt.X("load:Q", scale=scale), color=role(), tooltip=tooltip),
    ).properties(height=ROW * len(told) + AXIS)


def moved(history: pd.DataFrame | None) -> Chart | None:
    """How the constraint moved: start, end (naive local), stage (missing: none named), confidence, n; a dot for each window.

    Dots stand where their windows end; hollow where fewer than eight of ten resamples say the same.
    """
    if history is None or history["stage"].isna().all():
        return None
    told = history.assign(
        stage=history["stage"].fillna(NOBODY),
        tone=pd.Series("bad", index=history.index).mask(history["stage"].isna(), "muted"),
        said=[theme.rate(value) for value in history["confidence"]],
        sure=(history["confidence"] >= SURE).fillna(False),
    )[["start", "end", "stage", "tone", "said", "sure", "n"]]
    tooltip = [
        alt.Tooltip("stage:N", title="Constraint"),
        alt.Tooltip("start:T", title="From", format="%-d %b %Y"),
        alt.Tooltip("end:T", title="To", format="%-d %b %Y"),
        alt.Tooltip("said:N", title="Resamples that say the same"),
        alt.Tooltip("n:Q", title="Items finished"),
    ]
    first, last = span(told)
    x = alt.X("end:T", axis=time_axis(list(told["end"])[::3], first, last, "Thirteen weeks up to"), scale=time_scale(first, last))
    y = alt.Y("stage:N", sort=None, axis=alt.Axis(title=None, labelLimit=140, ticks=False, domain=False, grid=True))
    sure, unsure = (alt.Chart(told[told["sure"] == side]).mark_point(filled=side, size=110, opacity=1) for side in (True, False))
    dots = [part.encode(x=x, y=y, color=role(), tooltip=tooltip) for part in (sure, unsure) if len(part.data)]
    return alt.layer(*dots).properties(height=max(ROW * told["stage"].nunique() + AXIS, 120))


def span(history: pd.DataFrame) -> Span:
    """The time over which it moved, with room for the first and the last dot."""
    room = pd.Timedelta(days=10)
    return history["end"].min() - room, history["end"].max() + room


def levers(table: pd.DataFrame | None) -> Chart | None:
    """What 25 % more capacity would cut from lead time: stage, cut, low, high; the dot and the middle 80 % of runs."""
    if table is None or table.empty:
        return None
    told = table.assign(
        tone=["good" if place == 0 and cut > 0 else "muted" for place, cut in enumerate(table["cut"])],
        said=[theme.rate(value) for value in table["cut"]],
        span=[f"{theme.rate(low)} to {theme.rate(high)}" for low, high in zip(table["low"], table["high"], strict=True)],
    )[["stage", "cut", "low", "high", "tone", "said", "span"]]
    tooltip = [
        alt.Tooltip("stage:N", title="Stage"),
        alt.Tooltip("said:N", title="Lead time shorter by"),
        alt.Tooltip("span:N", title="Middle 80 % of runs"),
    ]
    low, high = min(0.0, float(told["low"].min())), max(0.05, float(told["high"].max()))
    scale = alt.Scale(domain=[low, high * 1.05], nice=False)
    y = alt.Y("stage:N", sort=None, axis=alt.Axis(title=None, labelLimit=140, ticks=False, domain=False))
    axis = alt.Axis(title="Lead time shorter by", format=".0%", tickCount=5)
    spans = alt.Chart(told).mark_rule(strokeWidth=3, opacity=0.6)
    dots = alt.Chart(told).mark_circle(size=110, opacity=1)
    return alt.layer(
        spans.encode(y=y, x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", color=role(), tooltip=tooltip),
        dots.encode(y=y, x=alt.X("cut:Q", scale=scale), color=role(), tooltip=tooltip),
    ).properties(height=ROW * len(told) + AXIS)


def waste(classes: pd.DataFrame | None) -> Chart | None:
    """Hours by class of waste: class, hours, items. A class of which nothing can be told has no bar."""
    if classes is None or not (classes["hours"] > 0).any():
        return None
    told = classes[classes["hours"] > 0].reset_index(drop=True)
    told = words(told.assign(tone=[WASTE_TONES.get(name, OTHER_WASTE) for name in told["class"]]), said="hours")
    most = float(told["hours"].max())
    y = alt.Y("class:N", sort=None, axis=alt.Axis(title=None, labelLimit=140, ticks=False, domain=False))
    scale = alt.Scale(domain=[0, most * 1.15], nice=False)
    tooltip = [alt.Tooltip("class:N", title="Class"), alt.Tooltip("said:N", title="Time"), alt.Tooltip("items:Q", title="Items")]
    bars = alt.Chart(told).mark_bar(size=ROW * 0.6, cornerRadius=2, opacity=0.85)
    text = alt.Chart(told.assign(tone="muted")).mark_text(align="left", dx=5)
    x = alt.X("hours:Q", scale=scale, axis=hour_axis(most, "Item time in the window"))
    return alt.layer(
        bars.encode(y=y, x=x, color=role(), tooltip=tooltip),
        text.encode(y=y, x=alt.X("hours:Q", scale=scale), text="said:N", color=role(), tooltip=tooltip),
    ).properties(height=ROW * len(told) + AXIS)


def handoffs(between: pd.DataFrame | None) -> Chart | None:
    """Where work changes hands: from, to, n, wait_p50 (hours). The larger the dot the more moves; its colour: their wait."""
    if between is None or between.empty:
        return None
    told = words(between[["from", "to", "n", "wait_n", "wait_p50"]].reset_index(drop=True), said="wait_p50")
    teams = sorted({*told["from"], *told["to"]})
    tooltip = [
        alt.Tooltip("from:N", title="From"),
        alt.Tooltip("to:N", title="To"),
        alt.Tooltip("n:Q", title="Moves"),
        alt.Tooltip("said:N", title="Median wait after it"),
        alt.Tooltip("wait_n:Q", title="Known of"),
    ]
    axis = alt.Axis(labelLimit=100, ticks=False, domain=False, grid=True, labelOverlap=False)
    x = alt.X("to:N", sort=teams, scale=alt.Scale(domain=teams), axis=axis.copy(), title="to")
    y = alt.Y("from:N", sort=teams, scale=alt.Scale(domain=teams), axis=axis, title="from")
    size = alt.Size("n:Q", scale=alt.Scale(domain=[0, int(told["n"].max())], range=[20, 900]), legend=None)
    known = told.dropna(subset="wait_p50")
    legend = alt.Legend(title="Median wait", orient="right", gradientLength=140, labelExpr=ROUND_HOURS)
    dots = alt.Chart(known).mark_circle(opacity=1)
    silent = alt.Chart(told[told["wait_p50"].isna()].assign(tone="muted")).mark_point(strokeWidth=2)
    return layered(
        dots.encode(x=x, y=y, size=size, color=alt.Color("wait_p50:Q", legend=legend), tooltip=tooltip),
        silent.encode(x=x, y=y, size=size, color=role(), tooltip=tooltip),
    ).properties(height=max(46 * len(teams) + AXIS + 7 * min(max(map(len, teams)), 14), 160))
