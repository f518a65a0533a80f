"""Delivery: how often, how fast, how often it fails, how soon it is mended."""

import altair as alt
import pandas as pd

from dashboard import theme
from dashboard.charts.marks import (
    HEIGHT,
    MARK,
    MINUTE,
    WEEK,
    Chart,
    bent_hour_axis,
    fading,
    hour_axis,
    in_weeks,
    layered,
    levels,
    moment,
    mondays,
    pickable,
    role,
    time_axis,
    time_scale,
    toned,
    week_tooltips,
    week_x,
    words,
)
from vsm.metrics.figure import FEW


def deployment_frequency(series: pd.DataFrame | None, per_week: float | None = None, pick: bool = False) -> Chart | None:
    """Successful deployments by week: week, n, whole. A week without any is a 0 in words; the running week is paler.

    `per_week`: the mean to draw. `pick`: clicks and a brush pick weeks.
    """
    if series is None or series.empty:
        return None
    return weekly_bars(series, "n", "Deployments", "primary", {"mean": per_week}, pick)


def weekly_bars(
    series: pd.DataFrame, column: str, title: str, tone: str, lines: dict[str, float | None], pick: bool = False
) -> alt.LayerChart:
    """A count a week as bars from Monday to Monday, zeros in words, and lines at given values."""
    told = toned(in_weeks(series), tone, "week", "week_end", "middle", "whole", "note", "monday", column)
    scale = alt.Scale(
        domain=[0, max(1, *told[column], *(value for value in lines.values() if value is not None)) * 1.04], nice=False
    )
    bars = (
        alt.Chart(told)
        .mark_rect(cornerRadiusTopLeft=3, cornerRadiusTopRight=3, xOffset=1, x2Offset=-1)
        .encode(
            x=week_x(series, "week"),
            x2="week_end:T",
            y=alt.Y(f"{column}:Q", scale=scale, axis=alt.Axis(title=title, tickMinStep=1, format=",d", tickCount=5)),
            y2=alt.Y2Datum(0),
            color=role(),
            opacity=fading(),
            tooltip=[*week_tooltips(), alt.Tooltip(f"{column}:Q", title=title)],
        )
    )
    zeros = (
        alt.Chart(toned(told[told[column] == 0], "warn", "middle", "whole", column))
        .mark_text(text="0", dy=-8, fontWeight=700, fontSize=12)
        .encode(x=week_x(series, "middle"), y=alt.Y(f"{column}:Q", scale=scale, axis=None), color=role(), opacity=fading())
    )
    said = {f"{name} {theme.number(value)}": value for name, value in lines.items()}
    return layered(pickable(bars, pick, {WEEK: "monday"}, ["x"]), zeros, levels(said, scale)).properties(height=HEIGHT)


def lead_time_bands(series: pd.DataFrame | None, pick: bool = False) -> Chart | None:
    """Hours by week: week, n, p25, p50, p75, p85, p95, whole. The median with bands from the 25th to the 75th and 95th percentile.

    Each week stands for itself, so that gaps stay gaps; a week of fewer than five has a hollow median and no bands.
    """
    if series is None or series.empty or not (series["n"] > 0).any():
        return None
    percentiles = ["p25", "p50", "p75", "p85", "p95"]
    told = toned(in_weeks(series), "primary", "week", "week_end", "middle", "whole", "note", "monday", "n", *percentiles)
    told = words(told[told["n"] > 0], **{f"{name}_said": name for name in percentiles})
    # A line may only join weeks that follow each other.
    told = told.assign(run=(told["week"].diff() != pd.Timedelta(days=7)).cumsum())
    many, few = told[told["n"] >= FEW], told[told["n"] < FEW]
    most = float(max([*many["p95"], *told["p50"]])) * 1.02 or 1.0
    scale = alt.Scale(domain=[0, most], nice=False)
    y, again = alt.Y("p50:Q", scale=scale, axis=hour_axis(most, "Change lead time")), alt.Y("p50:Q", scale=scale, axis=None)
    low, x = alt.Y("p25:Q", scale=scale, axis=None), week_x(series, "middle")
    tooltip = [
        *week_tooltips(),
        alt.Tooltip("n:Q", title="Changes"),
        *(alt.Tooltip(f"{name}_said:N", title=f"{name[1:]} % within") for name in percentiles),
    ]

    def band(top: str, opacity: float) -> alt.Chart:
        drawn = alt.Chart(many).mark_rect(xOffset=1, x2Offset=-1)
        where = {"x": week_x(series, "week"), "x2": "week_end:T", "y": low, "y2": top}
        return drawn.encode(**where, color=role(), opacity=fading(opacity), tooltip=tooltip)

    medians = alt.Chart(told).mark_line(strokeWidth=1.2, opacity=0.7)
    medians = medians.encode(x=week_x(series, "middle", scaled=True), y=y, color=role(), detail="run:N")
    dots = alt.Chart(many).mark_point(filled=True, size=60, opacity=1)
    rings = alt.Chart(few).mark_point(filled=False, size=60, strokeWidth=2)
    return layered(
        pickable(medians, pick, {WEEK: "monday"}, ["x"]),
        band("p95:Q", 0.18),
        band("p75:Q", 0.34),
        *(part.encode(x=x, y=again, color=role(), tooltip=tooltip) for part in (dots, rings)),
    ).properties(height=HEIGHT)


def fail_rate(series: pd.DataFrame | None, pooled: float | None = None, pick: bool = False) -> Chart | None:
    """A share by week: week, n, failed, value, low, high, whole; the share of the whole window (`pooled`) as a line.

    Small weeks have long intervals, so no line joins them; a week of fewer than five has a hollow dot, one of none has nothing.
    """
    if series is None or series.empty or not (series["n"] > 0).any():
        return None
    told = _said(in_weeks(series[series["n"] > 0]))
    columns = ["week", "middle", "whole", "note", "monday", "n", "failed", *SHARES]
    tooltip = [*week_tooltips(), *_share_tooltips(), alt.Tooltip("failed:Q", title="Needed remediation")]
    x, again = week_x(series, "middle", scaled=True), week_x(series, "middle")
    return _shares(told[columns], x, again, tooltip, {f"all weeks {theme.rate(pooled)}": pooled}, pick)


SHARES = ("value", "low", "high", "said", "interval")


def _said(told: pd.DataFrame) -> pd.DataFrame:
    """Shares and their intervals in words, too."""
    interval = [f"{theme.rate(low)} to {theme.rate(high)}" for low, high in zip(told["low"], told["high"], strict=True)]
    return told.assign(said=[theme.rate(value) for value in told["value"]], interval=interval)


def _share_tooltips() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("said:N", title="Share"),
        alt.Tooltip("n:Q", title="Deployments"),
        alt.Tooltip("interval:N", title="95 % interval"),
    ]


def _shares(
    told: pd.DataFrame, x: alt.X, again: alt.X, tooltip: list[alt.Tooltip], lines: dict[str, float | None], pick: bool = False
) -> alt.LayerChart:
    """Shares with their intervals at places along x, the dots the larger the more there are, hollow for fewer than five."""
    scale = alt.Scale(domain=[0, float(told["high"].max())], nice=False)
    axis = alt.Axis(title="Change fail rate", format=".0%", tickCount=5)
    low, y = alt.Y("low:Q", scale=scale, axis=axis), alt.Y("value:Q", scale=scale, axis=None)
    size = alt.Size("n:Q", scale=alt.Scale(domain=[0, max(FEW, int(told["n"].max()))], range=[20, 260]), legend=None)
    intervals = alt.Chart(toned(told, "muted", *told.columns)).mark_rule(strokeWidth=2)
    intervals = intervals.encode(x=x, y=low, y2="high:Q", color=role(), opacity=fading(0.55), tooltip=tooltip)

    def points(part: pd.DataFrame, filled: bool) -> alt.Chart:
        drawn = alt.Chart(toned(part, "warn", *part.columns)).mark_point(filled=filled, strokeWidth=2)
        return drawn.encode(x=again, y=y, size=size, color=role(), opacity=fading(), tooltip=tooltip)

    many, few = points(told[told["n"] >= FEW], filled=True), points(told[told["n"] < FEW], filled=False)
    return layered(pickable(intervals, pick, {WEEK: "monday"}, ["x"]), many, few, levels(lines, scale)).properties(height=HEIGHT)


def recovery(rows: pd.DataFrame | None, p50: float | None = None, p85: float | None = None, pick: bool = False) -> Chart | None:
    """Single failures: deployment, deployed_at (naive local), hours until mended, on a log scale; lines at percentiles.

    Fewer than five have no percentiles worth a line. `pick`: clicks and a brush pick deployments.
    """
    if rows is None or rows.empty:
        return None
    columns = [name for name in ("deployment", "application", "reason", "rule") if name in rows]
    told = words(toned(rows, "bad", *columns, "deployed_at", "hours"), said="hours")
    # A logarithm has no zero: what was mended within a minute is drawn at one.
    told = told.assign(drawn=told["hours"].clip(lower=MINUTE))
    low, high = float(told["drawn"].min()) / 1.6, float(told["drawn"].max()) * 1.6
    wider = max((10 / (high / low)) ** 0.5, 1.0)  # a single dot needs a scale, too
    scale = alt.Scale(type="log", domain=[low / wider, high * wider], nice=False)
    room = max((told["deployed_at"].max() - told["deployed_at"].min()) * 0.02, pd.Timedelta(hours=12))
    first, last = told["deployed_at"].min() - room, told["deployed_at"].max() + room
    dots = (
        alt.Chart(told)
        .mark_circle(size=90, opacity=0.85)
        .encode(
            x=alt.X("deployed_at:T", axis=time_axis(mondays(first, last), first, last, "Deployed"), scale=time_scale(first, last)),
            y=alt.Y("drawn:Q", scale=scale, axis=bent_hour_axis(scale, "Time to recover")),
            color=role(),
            tooltip=[
                *(alt.Tooltip(f"{name}:N", title=name.capitalize()) for name in columns),
                alt.Tooltip("deployed_at:T", title="Deployed", format="%-d %b %Y, %H:%M"),
                alt.Tooltip("said:N", title="Recovered after"),
            ],
        )
    )
    lines = {f"{share} % within {theme.duration(hours)}": hours for share, hours in ((50, p50), (85, p85))}
    return layered(pickable(dots, pick, {MARK: "deployment"}), levels(lines, scale) if len(told) >= FEW else None).properties(
        height=HEIGHT
    )


def batch_sizes(series: pd.DataFrame | None, p50: float | None = None, pick: bool = False) -> Chart | None:
    """Changes a deployment by week: week, n, p50, p85, whole. A line from the median up; the dot is hollow for fewer than five."""
    if series is None or series.empty or not (series["n"] > 0).any():
        return None
    told = toned(in_weeks(series), "primary", "week", "week_end", "middle", "whole", "note", "monday", "n", "p50", "p85")
    told = told[told["n"] > 0]
    scale = alt.Scale(domain=[0, max(1.0, float(told["p85"].max())) * 1.04], nice=False)
    axis = alt.Axis(title="Changes a deployment", tickMinStep=1, format=",d", tickCount=5)
    tooltip = [
        *week_tooltips(),
        alt.Tooltip("n:Q", title="Deployments"),
        alt.Tooltip("p50:Q", title="Median"),
        alt.Tooltip("p85:Q", title="85 % at most"),
    ]
    bars = alt.Chart(told).mark_rule(strokeWidth=3)
    bars = bars.encode(
        x=week_x(series, "middle", scaled=True), y=alt.Y("p50:Q", scale=scale, axis=axis), y2="p85:Q", color=role(),
        opacity=fading(0.4), tooltip=tooltip,
    )  # fmt: skip

    def dots(part: pd.DataFrame, filled: bool) -> alt.Chart:
        drawn = alt.Chart(part).mark_point(filled=filled, size=60, strokeWidth=2)
        return drawn.encode(
            x=week_x(series, "middle"), y=alt.Y("p50:Q", scale=scale, axis=None), color=role(), opacity=fading(), tooltip=tooltip
        )

    line = levels({f"median {theme.number(p50)}": p50}, scale)
    return layered(
        pickable(bars, pick, {WEEK: "monday"}, ["x"]), dots(told[told["n"] >= FEW], True), dots(told[told["n"] < FEW], False), line
    ).properties(height=HEIGHT)


def fail_rate_by_month(months: pd.DataFrame | None, pooled: float | None = None) -> Chart | None:
    """The fail rate by month: month, whole, metric, value, low, high, n; the share of the whole window (`pooled`) as a line."""
    if months is None or months.empty:
        return None
    told = months[(months["metric"] == "change_fail_rate") & (months["n"] > 0)]
    if told.empty:
        return None
    told = _said(told).assign(
        named=[f"{month:%b %Y}" for month in told["month"]],
        middle=told["month"] + pd.Timedelta(days=15),
        note=["" if whole else "only a part of it lies in the window" for whole in told["whole"]],
    )
    first, last = told["month"].min(), told["month"].max() + pd.offsets.MonthBegin()
    axis = alt.Axis(values=[moment(day) for day in told["middle"]], format="%b %Y", title=None, grid=False, labelOverlap=True)
    x = alt.X("middle:T", axis=axis, scale=time_scale(first, last))
    tooltip = [alt.Tooltip("named:N", title="Month"), alt.Tooltip("note:N", title="Note"), *_share_tooltips()]
    return _shares(
        told[["named", "middle", "whole", "note", "n", *SHARES]], x, x, tooltip, {f"all months {theme.rate(pooled)}": pooled}
    )
