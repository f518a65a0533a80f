"""Ways: the steps from one end to the other, to scale, so that they add up; and applications by speed and stability."""

import altair as alt
import pandas as pd

from dashboard import theme
from dashboard.charts.marks import BENT_TICKS, HEIGHT, MINUTE, Chart, bent_hour_axis, hour_axis, layered, role, words
from vsm.metrics.figure import FEW
from vsm.metrics.spans import UNTOLD

STEP, AXIS = 36, 60  # pixels of a step's row, and of what stands below the rows


def way(steps: pd.DataFrame | None) -> Chart | None:
    """A way as stairs to scale: part, p50, p85, n, mean (hours ÷ all that went this way; they add up to the mean of the whole).

    Each step begins where the one before it ends. What cannot be told apart comes last and is paler.
    """
    if steps is None or not (steps["n"] > 0).any():
        return None
    told = steps[steps["n"] > 0].reset_index(drop=True)
    ends = told["mean"].cumsum()
    tones = ["muted" if part == UNTOLD else "primary" for part in told["part"]]
    told = words(told.assign(left=ends - told["mean"], right=ends, tone=tones), mean_said="mean", p50_said="p50", p85_said="p85")
    most = float(ends.iloc[-1]) or 1.0
    y = alt.Y("part:N", sort=None, axis=alt.Axis(title=None, labelLimit=120, ticks=False, domain=False))
    # The last step ends at the edge: its words need room.
    scale = alt.Scale(domain=[0, most * 1.12], nice=False)
    tooltip = [
        alt.Tooltip("part:N", title="Step"),
        alt.Tooltip("mean_said:N", title="Adds on average"),
        alt.Tooltip("p50_said:N", title="Median where known"),
        alt.Tooltip("p85_said:N", title="85 % within"),
        alt.Tooltip("n:Q", title="Known of"),
    ]
    stairs = (
        alt.Chart(told)
        .mark_bar(cornerRadius=2, size=STEP * 0.6)
        .encode(
            y=y,
            x=alt.X("left:Q", scale=scale, axis=hour_axis(most, "Mean time, step by step")),
            x2="right:Q",
            color=role(),
            tooltip=tooltip,
        )
    )
    said = alt.Chart(told.assign(tone="muted")).mark_text(align="left", dx=5)
    said = said.encode(y=y, x=alt.X("right:Q", scale=scale), text="mean_said:N", color=role(), tooltip=tooltip)
    return alt.layer(stairs, said).properties(height=STEP * len(told) + AXIS)


def speed_and_stability(rows: pd.DataFrame | None) -> Chart | None:
    """Applications as dots: application, hours (median lead time), value, low, high (fail rate), n, changes. No order among them.

    Only applications with five deployments and five changes: fewer have no median and no rate worth a place.
    """
    if rows is None:
        return None
    told = rows[(rows["n"] >= FEW) & (rows["changes"] >= FEW)].reset_index(drop=True)
    if told.empty:
        return None
    told = words(told.assign(drawn=told["hours"].clip(lower=MINUTE), tone="primary"), said="hours")
    told = told.assign(
        rate_said=[theme.rate(value) for value in told["value"]],
        interval=[f"{theme.rate(low)} to {theme.rate(high)}" for low, high in zip(told["low"], told["high"], strict=True)],
    )
    scale = alt.Scale(type="log", domain=_around(float(told["drawn"].min()), float(told["drawn"].max())), nice=False)
    rates = alt.Scale(domain=[0, float(told["high"].max())], nice=False)
    x = alt.X("drawn:Q", scale=scale, axis=bent_hour_axis(scale, "Change lead time, median"))
    axis = alt.Axis(title="Change fail rate", format=".0%", tickCount=5)
    tooltip = [
        alt.Tooltip("application:N", title="Application"),
        alt.Tooltip("said:N", title="Lead time, median"),
        alt.Tooltip("changes:Q", title="Changes"),
        alt.Tooltip("rate_said:N", title="Fail rate"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="Deployments"),
    ]
    y = alt.Y("value:Q", scale=rates, axis=None)
    intervals = (
        alt.Chart(told.assign(tone="muted"))
        .mark_rule(strokeWidth=2, opacity=0.5)
        .encode(x=x, y=alt.Y("low:Q", scale=rates, axis=axis), y2="high:Q", color=role(), tooltip=tooltip)
    )
    size = alt.Size("n:Q", scale=alt.Scale(domain=[0, int(told["n"].max())], range=[30, 320]), legend=None)
    dots = alt.Chart(told).mark_circle(opacity=0.9).encode(x=x, y=y, size=size, color=role(), tooltip=tooltip)
    names = alt.Chart(told.assign(tone="muted")).mark_text(align="left", dx=12, dy=-6, limit=160)
    return layered(intervals, dots, names.encode(x=x, y=y, text="application:N", color=role(), tooltip=tooltip)).properties(
        height=HEIGHT
    )


def _around(low: float, high: float) -> list[float]:
    """The ticks around two values, so that a logarithm has room for a name and a number to read it by."""
    below = max([tick for tick in BENT_TICKS if 0 < tick < low], default=MINUTE)
    above = min([tick for tick in BENT_TICKS if tick > high * 1.6], default=high * 3)
    return [below, above]
