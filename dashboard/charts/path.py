"""The whole path of one item as a timeline: a row a stage, a change, an environment; what it was by colour and by word."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.marks import Chart, layered, named, role, time_axis, time_scale, toned, words

ROW, AROUND = 24, 100  # pixels of a row, and of axis and legend
MOST = 40  # rows: what is more is in the table
SHORT = 0.006  # of all the time: a bar of less than this could not be seen, so a dot stands there
LETTERS = 34  # of a row's name
KINDS = {
    "wait": ("warn", "Waiting"),
    "work": ("primary", "Work"),
    "unknown": ("info", "Waiting or work, not told apart"),
    "outside": ("muted", "In no stage"),
    "blocked": ("bad", "Blocked"),
    "passed": ("good", "Succeeded"),
    "failed": ("bad", "Failed"),
    "incident": ("accent", "Incident"),
}
SHAPES = {"passed": "circle", "failed": "cross", "incident": "triangle-up"}
ROWS = {"part": "{}", "blocked": "Flagged", "change": "{}", "build": "Builds: {}", "deployment": "Deployed to {}", "incident": "{}"}


def timeline(spans: pd.DataFrame, now: pd.Timestamp, stages: Sequence[str] = ()) -> Chart | None:
    """An item's spans (`vsm.path_spans`, times naive and local) from its first to its last; what goes on ends with `now`, a line.

    Each stage has a row of its own, in the order given, so that what went back is seen to step up again.
    """
    if spans.empty:
        return None
    told = _told(spans, now)
    order = _order(told, stages)
    told = told[told["label"].isin(order)]
    first, last = told["from"].min(), told["until"].max()
    last = last if last > first else first + pd.Timedelta(hours=1)
    short = (told["until"] - told["from"]) < SHORT * (last - first)
    axis = time_axis(_ticks(first, last), first, last)
    if last - first < pd.Timedelta(days=4):
        axis = alt.Axis(format="%-d %b, %H:%M", title=None, grid=False, labelFlush=False, tickCount=6)
    # Layers share their scale: only the first that is drawn says how it is.
    x = alt.X("from:T", scale=time_scale(first, last + (last - first) * 0.01), axis=axis)
    again = alt.X("from:T", axis=axis)
    y = alt.Y(
        "label:N", sort=order, title=None, axis=alt.Axis(labelLimit=220, labelOverlap=False, grid=True, ticks=False, domain=False)
    )
    names: dict[str, str] = {}
    for tone, name in dict.fromkeys(zip(told["tone"], told["meaning"], strict=True)):
        names[tone] = f"{names[tone]}, {name.lower()}" if tone in names else name
    tooltip = [
        alt.Tooltip("name:N", title="What"), alt.Tooltip("meaning:N", title="It was"),
        alt.Tooltip("from:T", title="From", format="%a %-d %b %Y, %H:%M"),
        alt.Tooltip("ended:N", title="Until"), alt.Tooltip("length:N", title="For"), alt.Tooltip("said:N", title="Since"),
        alt.Tooltip("rule:N", title="Linked by"),
    ]  # fmt: skip
    colour = role(legend=named(names, symbolType="square"))
    fading = alt.when("datum.kind == 'outside'").then(alt.value(0.4)).otherwise(alt.value(1.0))
    bars = alt.Chart(told[~short]).mark_bar(height=13, cornerRadius=2)
    bars = bars.encode(x=x, x2="until:T", y=y, color=colour, opacity=fading, tooltip=tooltip)
    shape = alt.Shape(
        "kind:N", scale=alt.Scale(domain=list(KINDS), range=[SHAPES.get(kind, "square") for kind in KINDS]), legend=None
    )
    dots = alt.Chart(told[short]).mark_point(filled=True, size=46, opacity=1)
    dots = dots.encode(x=x if short.all() else again, y=y, color=colour if short.all() else role(), shape=shape, tooltip=tooltip)
    drawn = [bars, dots]
    if told["to"].isna().any():
        here = pd.DataFrame({"from": [now], "tone": ["muted"], "said": ["now"]})
        drawn.append(
            alt.Chart(here)
            .mark_rule(strokeDash=[3, 3])
            .encode(x=again, color=role(), tooltip=[alt.Tooltip("said:N", title="Line")])
        )
    return layered(*drawn).resolve_axis(y="shared").resolve_scale(shape="independent").properties(height=ROW * len(order) + AROUND)


def _told(spans: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """What is drawn of each span: its row's label, tone and words; what goes on ends now."""
    until = spans["to"].fillna(now)
    labels = [_label(lane, row, name) for lane, row, name in zip(spans["lane"], spans["row"], spans["name"], strict=True)]
    ended = [f"{at:%a %-d %b %Y, %H:%M}" if pd.notna(at) else "goes on" for at in spans["to"]]
    told = spans.assign(
        label=labels, until=until, ended=ended, meaning=[KINDS[kind][1] for kind in spans["kind"]], rule=spans["rule"].fillna("")
    )
    columns = ("lane", "label", "kind", "name", "from", "to", "until", "ended", "hours", "said", "rule", "meaning")
    return words(toned(told, pd.Series([KINDS[kind][0] for kind in spans["kind"]], index=spans.index), *columns), length="hours")


def _label(lane: str, row: str, name: str) -> str:
    said = name if lane == "ticket" else ROWS[lane].format(row)
    return said if len(said) <= LETTERS else f"{said[: LETTERS - 1]}…"


def _order(told: pd.DataFrame, stages: Sequence[str]) -> list[str]:
    """The rows from top to bottom: what was before the stages, these in map order, what was after; then the other lanes."""
    own = told[told["lane"] == "ticket"]
    known = [_label("ticket", "", stage) for stage in stages]
    here = list(dict.fromkeys(own["label"]))
    before = [label for label in here[:1] if label not in known]
    rest = [label for label in here if label not in known and label not in before]
    others = list(dict.fromkeys(told.loc[told["lane"] != "ticket", "label"]))
    return list(dict.fromkeys([*before, *(label for label in known if label in here), *rest, *others]))[:MOST]


def _ticks(first: pd.Timestamp, last: pd.Timestamp) -> list[pd.Timestamp]:
    """Days for the axis: each of a few, else some Mondays, else months."""
    span = last - first
    how = "D" if span < pd.Timedelta(days=10) else "W-MON" if span < pd.Timedelta(days=200) else "MS"
    days = list(pd.date_range(first.normalize(), last, freq=how))
    return days[:: max(-(-len(days) // 8), 1)] or [first.normalize()]
