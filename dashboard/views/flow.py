"""Flow: how long does work take and what is stuck?"""

import streamlit as st

from dashboard import board, data, parts, theme
from dashboard.board_component import show
from dashboard.charts import flow as charts
from vsm.board import columns
from vsm.measure import Measures

choice, measures = parts.head("How long does work take and what is stuck?")
before = data.measures_before(choice).figures if choice.compare else {}
zone = measures.flow.config.timezone

TILES = (
    ("Lead time, median", "lead_time", "p50", theme.duration),
    ("Cycle time, median", "cycle_time", "p50", theme.duration),
    ("Throughput a week", "throughput", "mean", theme.number),
    ("Work in progress now", "wip", "now", theme.number),
    ("Age of work in progress, median", "work_item_age", "p50", theme.duration),
    ("Flow efficiency", "flow_efficiency", "value", theme.rate),
)

with st.grid(6, min_column_width=210):
    for label, name, value, written in TILES:
        parts.tile(label, measures.figures[name], value, written, before.get(name), "items" if name == "throughput" else None)


def stream(name: str, one: Measures) -> None:
    """Where the items of one stream stand now, and how they got through."""
    st.header(parts.text(f"{name}: where items stand now"))
    show([board.Column(**column) for column in columns(one)], key=f"board_{name}")
    cycle = one.figures["cycle_time"]
    with st.grid(2, min_column_width=420):
        parts.card(
            "Cumulative flow",
            "Each band is what is in a stage; a band that widens collects work. Lines never fall: the past does not change.",
            charts.cumulative_flow(one.cumulative),
            f"cumulative_{name}",
        )
        parts.card(
            "Cycle time of finished items",
            f"From first work to done; n = {cycle.n}. Rules: 50, 85 and 95 % of items were faster.",
            charts.cycle_scatter(parts.naive(cycle.rows, zone, "done_at"), *(cycle.values[p] for p in ("p50", "p85", "p95"))),
            f"cycle_{name}",
        )
        parts.card(
            "Throughput",
            "Items finished each week; the running week is faded and in no average.",
            charts.throughput(one.figures["throughput"].series),
            f"throughput_{name}",
        )


for name, one in measures.streams.items() or [(choice.stream or "All work", measures)]:
    stream(name, one)
