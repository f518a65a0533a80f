"""Flow: how long does work take and what is stuck?"""

from typing import Any

import streamlit as st

from dashboard import board_page, cards, data, parts, path_dialog, theme
from dashboard.parts import Tile
from vsm.measure import Measures

LONGER: dict[str, Any] = {"more": "clearly longer", "less": "clearly shorter", "good": "less"}
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
    board_page.boards_of(choice, name, one, asked, alone=not measures.streams)
    with st.grid(2, min_column_width=420):
        for chart in data.several(CHARTS, choice, name):
            cards.card(chart, f"{chart.name}_{name}")


streams = parts.maps(choice, measures)
asked = board_page.line(choice, streams)
for name, one in streams:
    stream(name, one)
board_page.strays(measures)
path_dialog.opened()
