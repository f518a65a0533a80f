"""Flow: how work goes through the stages, how long it takes, and what is stuck."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboard import theme
from dashboard.charts.delivery import weekly_bars
from dashboard.charts.marks import (
    HEIGHT,
    ITEM,
    Chart,
    bent_hour_axis,
    hour_axis,
    layered,
    levels,
    mondays,
    named,
    pickable,
    role,
    time_axis,
    time_scale,
    toned,
    words,
    wrapped,
)
from vsm.metrics.cumulative import CANCELLED, DONE
from vsm.metrics.figure import FEW

TYPE_TONES = ("primary", "warn", "accent", "leaf", "info", "bad")  # types beyond these share the muted one
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left")
NO_TYPE, OTHER = "no type", "other types"
CROWD = 0.32  # how far a dot may stand from the middle of its stage, in shares of the stage's width
MOST_DOTS, CELLS = 2000, (60, 40)  # above so many a browser draws no single marks; then so many cells across and up
GOLDEN = 0.381966  # steps of the golden section: however many dots, neighbours stand apart


def throughput(series: pd.DataFrame | None, mean: float | None = None, pick: bool = False) -> Chart | None:
    """Finished items by week: week, items, whole. A week without any is a 0 in words; the running week is paler."""
    if series is None or series.empty:
        return None
    return weekly_bars(series, "items", "Items finished", "leaf", {"mean": mean}, pick)


def cumulative_flow(frame: pd.DataFrame | None) -> Chart | None:
    """Items that ever came as far as a stage: day (naive local), stage, position, items; a band is what lies between two stages.

    The axis begins at what was done before the window, or the past would hide the present.
    """
    if frame is None or frame.empty or not frame["items"].any():
        return None
    told = frame.sort_values(["day", "position"], kind="stable")
    floor = int(told["items"].min())
    told = told.assign(below=told.groupby("day")["items"].shift(-1).fillna(floor), day_end=told["day"] + pd.Timedelta(days=1))
    tone = pd.Series("muted", index=told.index).mask(told["stage"] == DONE, "good")
    told = toned(told, tone, "day", "day_end", "stage", "position", "items", "below")
    first, last = told["day"].min(), told["day_end"].max()
    # Steps end with their day, so the last day needs its end drawn too.
    told = pd.concat([told, told[told["day"] == told["day"].max()].assign(day=last)], ignore_index=True).drop(columns="day_end")
    scale = alt.Scale(domain=[floor, max(int(told["items"].max()), floor + 1)], nice=False, zero=False)
    days, counts = time_axis(mondays(first, last), first, last), alt.Axis(title="Items so far", format=",d", tickCount=6)
    whole = {
        "x": alt.X("day:T", scale=time_scale(first, last), axis=days),
        "y": alt.Y("items:Q", scale=scale, axis=counts, stack=None),
    }
    again = {"x": alt.X("day:T", axis=days), "y": alt.Y("items:Q", scale=scale, axis=None, stack=None)}
    tooltip = [
        alt.Tooltip("day:T", title="Day", format="%a %-d %b %Y"),
        alt.Tooltip("stage:N", title="Stage"),
        alt.Tooltip("items:Q", title="Came this far", format=",d"),
        alt.Tooltip("below:Q", title="Of these further", format=",d"),
    ]

    def bands(part: pd.DataFrame, colour: alt.Color, where: dict[str, Any], opacity: float) -> alt.Chart:
        drawn = alt.Chart(part).mark_area(interpolate="step-after", opacity=opacity)
        return drawn.encode(**where, y2="below:Q", color=colour, detail="stage:N", tooltip=tooltip)

    over = told["stage"].isin([CANCELLED, DONE])
    inside, ended = told[~over], told[over]
    names = inside.drop_duplicates("position").set_index("position")["stage"].to_dict()
    ends = {tone: name for tone, name in (("muted", CANCELLED), ("good", DONE)) if name in set(ended["stage"])}
    stages = bands(inside, _ramp(names), whole, 1.0) if names else None
    legend = named(ends, orient="bottom", symbolType="square", symbolOpacity=0.5)
    rest = bands(ended, role(legend=legend), again if names else whole, 0.3)
    return layered(stages, rest).resolve_scale(color="independent").properties(height=HEIGHT + 60)


def _ramp(names: dict[int, str]) -> alt.Color:
    """Stages from early to late along the theme's ramp; two neighbours never look the same."""
    said = f"({json.dumps({str(position): name for position, name in names.items()})})[format(datum.value, 'd')]"
    legend = alt.Legend(
        title=None,
        orient="top",
        type="symbol",
        symbolType="square",
        values=list(names),
        columns=wrapped(names.values()),
        labelExpr=said,
        labelLimit=160,
        symbolOpacity=1,
    )
    return alt.Color("position:Q", scale=alt.Scale(domain=[min(names) - 0.5, max(names) + 0.5]), legend=legend)


def cycle_scatter(
    rows: pd.DataFrame | None, p50: float | None = None, p85: float | None = None, p95: float | None = None, pick: bool = False
) -> Chart | None:
    """Finished items: item, done_at (naive local), hours, and type and title where there are; lines at given percentiles.

    Fewer than five have no percentiles worth a line; more than MOST_DOTS are counted in cells. `pick`: clicks and a
    brush pick items.
    """
    told = None if rows is None else rows.dropna(subset=["done_at", "hours"])
    if told is None or told.empty:
        return None
    lines = {f"{share} % within {theme.duration(hours)}": hours for share, hours in ((50, p50), (85, p85), (95, p95))}
    if len(told) > MOST_DOTS:
        return _cells(told, lines, pick)
    told = _typed(told)
    columns = [name for name in ("item", "title", "type", "done_at", "hours") if name in told]
    legend = told.drop_duplicates("tone").set_index("tone")["legend"].to_dict()
    legend = {tone: legend[tone] for tone in (*TYPE_TONES, "muted") if tone in legend}
    told = words(toned(told, told["tone"], *columns), said="hours")
    most = float(told["hours"].max()) * 1.04 or 1.0
    scale = alt.Scale(domain=[0, most], nice=False)
    first, last = told["done_at"].min().normalize(), told["done_at"].max().normalize() + pd.Timedelta(days=1)
    dots = (
        alt.Chart(told)
        .mark_point(filled=True, size=46, opacity=0.72)
        .encode(
            x=alt.X("done_at:T", scale=time_scale(first, last), axis=time_axis(mondays(first, last), first, last, "Finished")),
            y=alt.Y("hours:Q", scale=scale, axis=hour_axis(most, "Cycle time")),
            color=role(legend=named(legend)),
            shape=alt.Shape("tone:N", scale=alt.Scale(domain=list(theme.ROLES), range=list(SHAPES)), legend=named(legend)),
            tooltip=[
                alt.Tooltip("item:N", title="Item"),
                *(alt.Tooltip(f"{name}:N", title=name.capitalize()) for name in ("title", "type") if name in told),
                alt.Tooltip("done_at:T", title="Finished", format="%-d %b %Y, %H:%M"),
                alt.Tooltip("said:N", title="Took"),
            ],
        )
    )
    drawn = layered(pickable(dots, pick, {ITEM: "item"}), levels(lines, scale) if len(told) >= FEW else None)
    return drawn.resolve_scale(color="independent").properties(height=HEIGHT + 60)


def _cells(rows: pd.DataFrame, lines: dict[str, float | None], pick: bool) -> Chart:
    """So many items that dots would hide each other: how many finished in a time, after how long. The darker the more."""
    most = float(rows["hours"].max()) * 1.04 or 1.0
    first, last = rows["done_at"].min().normalize(), rows["done_at"].max().normalize() + pd.Timedelta(days=1)
    scale = alt.Scale(type="sqrt", domain=[0, most], nice=False)
    across, up = pd.date_range(first, last, periods=CELLS[0] + 1), np.linspace(0, most**0.5, CELLS[1] + 1) ** 2
    x = np.clip(across.searchsorted(rows["done_at"], side="right") - 1, 0, CELLS[0] - 1)
    y = np.clip(up.searchsorted(rows["hours"], side="right") - 1, 0, CELLS[1] - 1)
    places, counts = np.unique(x * CELLS[1] + y, return_counts=True)
    x, y = np.divmod(places, CELLS[1])
    told = pd.DataFrame({"left": across[x], "right": across[x + 1], "low": up[y], "high": up[y + 1], "count": counts})
    told = words(told, after="low", until="high")
    tooltip = [
        alt.Tooltip("left:T", title="Finished from", format="%-d %b %Y"),
        alt.Tooltip("after:N", title="Took from"),
        alt.Tooltip("until:N", title="to"),
        alt.Tooltip("count:Q", title="Items", format=",d"),
    ]
    cells = alt.Chart(told).mark_rect()
    cells = cells.encode(
        x=alt.X("left:T", scale=time_scale(first, last), axis=time_axis(mondays(first, last), first, last, "Finished")),
        x2="right:T",
        y=alt.Y("low:Q", scale=scale, axis=bent_hour_axis(scale, "Cycle time")),
        y2="high:Q",
        color=alt.Color("count:Q", legend=alt.Legend(title="Items", orient="top", gradientThickness=8)),
        tooltip=tooltip,
    )
    drawn: Chart = layered(pickable(cells, pick, None), levels(lines, scale)).resolve_scale(color="independent")
    return drawn.properties(height=HEIGHT + 60)


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Items with a role for their type, the commonest first, and what the legend calls it."""
    types = rows["type"].fillna(NO_TYPE) if "type" in rows else pd.Series(NO_TYPE, index=rows.index, dtype="str")
    tones = dict(zip(types.value_counts().index, TYPE_TONES, strict=False))
    tone = pd.Series([tones.get(name, "muted") for name in types], index=rows.index, dtype="str")
    legend = pd.Series([name if name in tones else OTHER for name in types], index=rows.index, dtype="str")
    return rows.assign(**({"type": types} if "type" in rows else {}), tone=tone, legend=legend)


def ageing_wip(rows: pd.DataFrame | None, bands: pd.DataFrame | None = None, pick: bool = False) -> Chart | None:
    """Items in progress: item, stage, position, age_hours; behind them how old items were that left a stage, if it is given.

    `bands`: stage, p50, p85, p95 in hours. Ages have a long tail: the scale is a square root. `pick`: clicks and a brush
    pick items.
    """
    if rows is None or rows.empty:
        return None
    columns = [name for name in ("item", "title", "type", "stage", "position", "age_hours") if name in rows]
    told = words(toned(rows.sort_values(["position", "age_hours"], kind="stable"), "primary", *columns), said="age_hours")
    stages = list(dict.fromkeys([*([] if bands is None else bands["stage"]), *told["stage"]]))
    told = told.assign(beside=told["stage"].map(stages.index) + _beside(told["stage"]))
    most = max([float(told["age_hours"].max()), *([] if bands is None else bands["p95"].dropna())]) * 1.06 or 1.0
    scale = alt.Scale(type="sqrt", domain=[0, most], nice=False)
    places = alt.Scale(domain=[-0.5, len(stages) - 0.5], nice=False)
    axis = alt.Axis(
        title=None,
        values=list(range(len(stages))),
        labelExpr=f"({json.dumps(stages)})[datum.value]",
        labelAngle=0 if len(stages) <= 7 else -35,
        labelLimit=110,
        grid=False,
        labelOverlap=False,
    )
    dots = (
        alt.Chart(told)
        .mark_circle(size=64, opacity=0.9)
        .encode(
            x=alt.X("beside:Q", scale=places, axis=axis),
            y=alt.Y("age_hours:Q", scale=scale, axis=bent_hour_axis(scale, "Age")),
            color=role(),
            tooltip=[
                *(alt.Tooltip(f"{name}:N", title=name.capitalize()) for name in ("item", "title", "type", "stage") if name in told),
                alt.Tooltip("said:N", title="Age"),
            ],
        )
    )
    behind = None if bands is None else _age_bands(bands, stages, places, scale)
    drawn = layered(behind, pickable(dots, pick, {ITEM: "item"})).resolve_axis(x="independent", y="independent")
    return drawn.resolve_scale(color="independent").properties(height=HEIGHT + 60)


def _age_bands(bands: pd.DataFrame, stages: Sequence[str], places: alt.Scale, scale: alt.Scale) -> alt.Chart:
    """From the ground to the median, on to the 85th and the 95th percentile of each stage."""
    steps = (("good", None, "p50"), ("warn", "p50", "p85"), ("bad", "p85", "p95"))
    parts = [
        toned(bands, tone, "stage").assign(low=0.0 if low is None else bands[low].to_numpy(), high=bands[high].to_numpy())
        for tone, low, high in steps
    ]
    names = {"good": "half left by this age", "warn": "85 % did", "bad": "95 % did"}
    told = words(pd.concat(parts, ignore_index=True).dropna(subset=["low", "high"]), said="high")
    middle = told["stage"].map(list(stages).index).astype("float64")
    told = told.assign(share=told["tone"].map(names), left=middle - 0.45, right=middle + 0.45)
    return (
        alt.Chart(told)
        .mark_rect(opacity=0.2)
        .encode(
            x=alt.X("left:Q", scale=places, axis=None),
            x2="right:Q",
            y=alt.Y("low:Q", scale=scale, axis=None),
            y2="high:Q",
            color=role(legend=named(names, symbolType="square", symbolOpacity=0.5)),
            tooltip=[
                alt.Tooltip("stage:N", title="Stage"),
                alt.Tooltip("share:N", title="Band"),
                alt.Tooltip("said:N", title="Up to"),
            ],
        )
    )


def _beside(stages: pd.Series) -> npt.NDArray[np.float64]:
    """Where each dot stands beside the middle of its stage: neighbours by age apart, the same each time."""
    turn = stages.groupby(stages).cumcount().to_numpy()
    alone = (stages.groupby(stages).transform("size") == 1).to_numpy()
    return np.where(alone, 0.0, ((turn * GOLDEN) % 1 - 0.5) * 2 * CROWD)


def stage_dwell(stages: pd.DataFrame | None) -> Chart | None:
    """How long visits stay in each stage: stage, dwell_p50, dwell_p85, dwell_n. A bar to the median, a line on to 85 % of them."""
    told = None if stages is None else stages.dropna(subset=["dwell_p50"])
    if stages is None or told is None or told.empty:
        return None
    told = words(toned(told, "primary", "stage", "dwell_p50", "dwell_p85", "dwell_n"), half="dwell_p50", most_of_them="dwell_p85")
    order, most = list(stages["stage"]), float(told[["dwell_p50", "dwell_p85"]].max().max()) * 1.02 or 1.0
    scale = alt.Scale(domain=[0, most], nice=False)
    tooltip = [
        alt.Tooltip("stage:N", title="Stage"),
        alt.Tooltip("half:N", title="Half left within"),
        alt.Tooltip("most_of_them:N", title="85 % left within"),
        alt.Tooltip("dwell_n:Q", title="Visits", format=",d"),
    ]
    y = alt.Y("stage:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelLimit=160))
    base = alt.Chart(told).encode(y=y, color=role(), tooltip=tooltip)
    bars = base.mark_bar(cornerRadiusEnd=3, height=14).encode(
        x=alt.X("dwell_p50:Q", scale=scale, axis=hour_axis(most, "Time in stage"))
    )
    tails = base.mark_rule(strokeWidth=2).encode(x=alt.X("dwell_p50:Q", scale=scale), x2="dwell_p85:Q")
    ends = base.mark_tick(thickness=3, size=16).encode(x=alt.X("dwell_p85:Q", scale=scale))
    return alt.layer(bars, tails, ends).properties(height=44 * len(order) + 70)


def efficiency(rows: pd.DataFrame | None) -> Chart | None:
    """Work and wait by stage, side by side: stage, wait, work in hours."""
    if rows is None or rows.empty or not (rows[["wait", "work"]] > 0).any(axis=None):
        return None
    names = {"primary": "work", "warn": "wait"}
    parts = [toned(rows, tone, "stage").assign(hours=rows[side].to_numpy(), side=side) for tone, side in names.items()]
    told = words(pd.concat(parts, ignore_index=True), said="hours")
    before = told["stage"].map(rows.set_index("stage")["work"]).where(told["side"] == "wait", 0.0)
    told = told.assign(left=before, right=before + told["hours"])
    order, most = list(rows["stage"]), float(told["right"].max()) * 1.02
    tooltip = [
        alt.Tooltip("stage:N", title="Stage"),
        alt.Tooltip("side:N", title="Spent in"),
        alt.Tooltip("said:N", title="Time, all items"),
    ]
    bars = alt.Chart(told[told["hours"] > 0]).mark_bar(size=18, opacity=0.85)
    return bars.encode(
        y=alt.Y("stage:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelLimit=160)),
        x=alt.X("left:Q", scale=alt.Scale(domain=[0, most], nice=False), axis=hour_axis(most, "Time of all items")),
        x2="right:Q",
        color=role(legend=named(names, symbolType="square")),
        tooltip=tooltip,
    ).properties(height=44 * len(order) + 90)


def distribution(rows: pd.DataFrame | None) -> Chart | None:
    """Finished items by type: type, n, share; the commonest first."""
    if rows is None or rows.empty:
        return None
    told = rows.assign(tone="leaf", named=rows["type"].fillna(NO_TYPE), said=[theme.rate(value) for value in rows["share"]])
    told = told[["named", "n", "share", "tone", "said"]].reset_index(drop=True)
    scale = alt.Scale(domain=[0, int(told["n"].max()) * 1.15], nice=False)
    tooltip = [
        alt.Tooltip("named:N", title="Type"),
        alt.Tooltip("n:Q", title="Items finished", format=",d"),
        alt.Tooltip("said:N", title="Share"),
    ]
    y = alt.Y("named:N", sort=None, axis=alt.Axis(title=None, labelLimit=160, ticks=False, domain=False))
    axis = alt.Axis(title="Items finished", format=",d", tickMinStep=1, tickCount=5)
    bars = alt.Chart(told).mark_bar(size=18, cornerRadiusEnd=3, opacity=0.85)
    text = alt.Chart(told.assign(tone="muted")).mark_text(align="left", dx=5)
    return alt.layer(
        bars.encode(y=y, x=alt.X("n:Q", scale=scale, axis=axis), color=role(), tooltip=tooltip),
        text.encode(y=y, x=alt.X("n:Q", scale=scale), text="said:N", color=role(), tooltip=tooltip),
    ).properties(height=34 * len(told) + 60)
