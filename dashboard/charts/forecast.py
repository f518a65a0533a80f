"""Forecast: what the coming weeks may bring, how earlier promises fared, and the weeks that all of it is drawn from."""

import altair as alt
import pandas as pd

from dashboard import theme
from dashboard.charts.marks import HEIGHT, Chart, in_weeks, layered, levels, role, toned, week_tooltips, week_x

SHAPES = ["circle", "triangle-up", "triangle-down", "diamond"]


def outcomes(frame: pd.DataFrame | None, promised: dict[str, float | None], unit: str, title: str) -> Chart | None:
    """Futures by their outcome: `unit` (items or weeks), share; rules at what was promised.

    As many bars as there are outcomes; where there are very many, neighbours are joined so that each bar can be seen.
    """
    if frame is None or frame.empty:
        return None
    told, width = _joined(frame, unit)
    told = told.assign(tone="primary", said=[theme.rate(value) for value in told["share"]])
    low, high = float(told["low"].min()), float((told["low"] + width).max())
    x = alt.Scale(domain=[low, high], nice=False)
    y = alt.Scale(domain=[0, float(told["share"].max()) * 1.25], nice=False)
    tooltip = [alt.Tooltip("named:N", title=title), alt.Tooltip("said:N", title="Share of the futures")]
    bars = (
        alt.Chart(told)
        .mark_rect(xOffset=1, x2Offset=-1)
        .encode(
            x=alt.X("low:Q", scale=x, axis=alt.Axis(title=title, tickMinStep=1, format=",d", tickCount=8)),
            x2="right:Q",
            y=alt.Y("share:Q", scale=y, axis=alt.Axis(title="Share of the futures", format=".0%", tickCount=4)),
            y2=alt.Y2Datum(0),
            color=role(),
            opacity=alt.value(0.75),
            tooltip=tooltip,
        )
    )
    return layered(bars, _rules(promised, x, y, width)).properties(height=HEIGHT)


def _joined(frame: pd.DataFrame, unit: str, most: int = 60) -> tuple[pd.DataFrame, int]:
    """Outcomes as bars of one width: low, right, named, share."""
    values = frame[unit].astype("int64")
    width = max(1, -(-(int(values.max()) - int(values.min()) + 1) // most))
    low = (values - values.min()) // width * width + values.min()
    told = frame["share"].groupby(low.to_numpy()).sum().rename_axis("low").reset_index()
    named = [f"{start:,}" if width == 1 else f"{start:,} to {start + width - 1:,}" for start in told["low"]]
    return told.assign(right=told["low"] + width, named=named), width


def _rules(promised: dict[str, float | None], x: alt.Scale, y: alt.Scale, width: int) -> Chart | None:
    """A rule at each promise with its words on top, the surer the lower, so that words of neighbours do not overlap."""
    known = [(name, value) for name, value in promised.items() if value is not None]
    if not known:
        return None
    top = y["domain"][1]
    rows = pd.DataFrame(
        {
            "level": [value + width / 2 for _, value in known],
            "top": [top * (1 - 0.07 * place) for place in range(len(known))],
            "said": [f"{name[1:]} %: {theme.number(value)}" for name, value in known],
            "tone": "muted",
        }
    )
    # The surest stands outside, lowest: to the left of a promise of "at least", to the right of one of "at most".
    least = known[-1][1] < known[0][1]
    at = alt.X("level:Q", scale=x)
    rules = alt.Chart(rows).mark_rule(strokeDash=[5, 4], strokeWidth=1.4)
    words = alt.Chart(rows).mark_text(align="right" if least else "left", dx=-4 if least else 4, baseline="top")
    up = alt.Y("top:Q", scale=y, axis=None)
    tip = [alt.Tooltip("said:N", title="Promise")]
    return alt.layer(
        rules.encode(x=at, y=up, y2=alt.Y2Datum(0), color=role(), tooltip=tip),
        words.encode(x=at, y=up, text="said:N", color=role(), tooltip=tip),
    )


def kept(rows: pd.DataFrame | None, ahead: int) -> Chart | None:
    """Earlier promises beside what came of them: week, p85 (promised), finished, held. A dot below its tick is a broken promise."""
    if rows is None or rows.empty:
        return None
    told = rows.assign(tone=pd.Series("good", index=rows.index).mask(~rows["held"], "bad"), kind=[*map(_held, rows["held"])])
    columns = ["week", "middle", "whole", "note", "p85", "finished", "kind"]
    told = toned(in_weeks(told), told["tone"].to_numpy(), *columns)
    scale = alt.Scale(domain=[0, float(max(told["p85"].max(), told["finished"].max())) * 1.05], nice=False)
    tooltip = [
        alt.Tooltip("week:T", title="Promised at the end of the week from", format="%-d %b %Y"),
        alt.Tooltip("p85:Q", title="At least, with 85 %"),
        alt.Tooltip("finished:Q", title=f"Finished in the {ahead} weeks after it"),
        alt.Tooltip("kind:N", title="So it was"),
    ]
    axis = alt.Axis(title=f"Items in {ahead} weeks", format=",d", tickCount=5)
    promised = (
        alt.Chart(told.assign(tone="muted"))
        .mark_tick(orient="horizontal", thickness=3, width=14)
        .encode(x=week_x(rows, "middle", scaled=True), y=alt.Y("p85:Q", scale=scale, axis=axis), color=role(), tooltip=tooltip)
    )
    y = alt.Y("finished:Q", scale=scale, axis=None)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=["held", "broken"], range=["circle", "cross"]), legend=None)
    came = alt.Chart(told).mark_point(filled=True, size=80, opacity=1)
    return layered(promised, came.encode(x=week_x(rows, "middle"), y=y, color=role(), shape=shape, tooltip=tooltip)).properties(
        height=HEIGHT
    )


def _held(held: bool) -> str:
    return "held" if held else "broken"


def run_chart(looks: pd.DataFrame | None, column: str, title: str) -> Chart | None:
    """A weekly series with its levels and limits: week, whole, the column, mean, lower, upper, look.

    What is worth a look is marked by shape and colour. Weeks that the window holds only a part of have no limits and are left out.
    """
    if looks is None or looks.empty or not looks[column].notna().any():
        return None
    whole = looks[looks["whole"]] if "whole" in looks else looks
    if whole.empty:
        return None
    seen = whole["look"].notna()
    told = in_weeks(whole).assign(
        seen=whole["look"].fillna("nothing to see"), kind=pd.Series("usual", index=whole.index).mask(seen, "look")
    )
    tone = pd.Series("primary", index=whole.index).mask(seen, "warn")
    columns = ["week", "week_end", "middle", "whole", "note", column, "mean", "lower", "upper", "seen", "kind"]
    told = toned(told, tone, *columns)
    most = float(told[[column, "upper"]].max().max()) or 1.0
    scale = alt.Scale(domain=[min(0.0, float(told[[column, "lower"]].min().min())), most * 1.05], nice=False)
    tooltip = [
        *week_tooltips(),
        alt.Tooltip(f"{column}:Q", title=title),
        alt.Tooltip("mean:Q", title="Mean of its level", format=".1f"),
        alt.Tooltip("lower:Q", title="Lower limit", format=".1f"),
        alt.Tooltip("upper:Q", title="Upper limit", format=".1f"),
        alt.Tooltip("seen:N", title="Look"),
    ]
    quiet = told.assign(tone="muted")
    edges = quiet.dropna(subset=["lower", "upper"])
    band = alt.Chart(edges).mark_rect(opacity=0.14)
    band = band.encode(
        x=week_x(whole, "week"),
        x2="week_end:T",
        y=alt.Y("lower:Q", scale=scale, axis=None),
        y2="upper:Q",
        color=role(),
        tooltip=tooltip,
    )
    means = alt.Chart(quiet.dropna(subset="mean")).mark_rule(strokeWidth=1.6, strokeDash=[5, 4])
    means = means.encode(
        x=week_x(whole, "week"), x2="week_end:T", y=alt.Y("mean:Q", scale=scale, axis=None), color=role(), tooltip=tooltip
    )
    axis = alt.Axis(title=title, tickMinStep=1, format=",d", tickCount=5)
    line = alt.Chart(told.assign(tone="primary")).mark_line(strokeWidth=1, opacity=0.5)
    line = line.encode(x=week_x(whole, "middle", scaled=True), y=alt.Y(f"{column}:Q", scale=scale, axis=axis), color=role())
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=["usual", "look"], range=["circle", "diamond"]), legend=None)
    dots = alt.Chart(told).mark_point(filled=True, size=70, opacity=1)
    dots = dots.encode(
        x=week_x(whole, "middle"), y=alt.Y(f"{column}:Q", scale=scale, axis=None), color=role(), shape=shape, tooltip=tooltip
    )
    return layered(band, means, line, dots, levels({}, scale)).properties(height=HEIGHT)
