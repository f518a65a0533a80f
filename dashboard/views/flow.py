"""Flow: how long does work take and what is stuck?"""

import streamlit as st

from dashboard import board, data, parts, theme
from dashboard.board_component import show
from dashboard.parts import Tile
from vsm.board import columns
from vsm.measure import Measures

LONGER = {"more": "clearly longer", "less": "clearly shorter", "good": "less"}
TILES = (
    Tile("Lead time, median", "lead_time", "p50", theme.duration, **LONGER),
    Tile("Cycle time, median", "cycle_time", "p50", theme.duration, **LONGER),
    Tile("Throughput", "throughput", "mean", theme.per_week, True, more="clearly more", less="clearly less", good="more"),
    Tile("Work in progress now", "wip", "now", theme.number, True),
    Tile("Age of work in progress, median", "work_item_age", "p50", theme.duration, **LONGER),
    Tile("Flow efficiency", "flow_efficiency", "value", theme.rate, more="clearly higher", less="clearly lower", good="more"),
)
CHARTS = (
    "cumulative_flow", "cycle_time", "ageing_wip", "throughput", "stage_dwell", "flow_efficiency", "flow_distribution",
)  # fmt: skip
SOME = 6  # cards of a column where several boards share the page

choice, measures = parts.head("How long does work take and what is stuck?")
before = data.measures_before(choice).figures if choice.compare else {}

with st.grid(3, min_column_width=300):
    for tile in TILES:
        parts.tile(tile, measures.figures, before)


def stream(name: str, one: Measures) -> None:
    """Where the items of one stream stand now, and how they got through."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header(parts.text(f"{name}: where items stand now"), anchor=False, width="content")
        parts.only_button(name, measures)
    most = SOME if measures.streams else board.MOST
    show([board.Column(**column) for column in columns(one)], key=f"board_{name}", most=most, of=name)
    with st.grid(2, min_column_width=420):
        for chart in CHARTS:
            parts.card(data.drawn(chart, choice, name), f"{chart}_{name}")


for name, one in parts.maps(choice, measures):
    stream(name, one)
