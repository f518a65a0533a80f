"""Flow: how long does work take and what is stuck?"""

import streamlit as st

from dashboard import board, data, parts, tables, theme
from dashboard.board_component import show
from dashboard.charts import flow as charts
from dashboard.parts import Tile
from vsm.board import age_bands, ages, columns
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
SOME = 6  # cards of a column where several boards share the page

choice, measures = parts.head("How long does work take and what is stuck?")
zone = measures.flow.config.timezone
before = data.measures_before(choice).figures if choice.compare else {}

with st.grid(3, min_column_width=300):
    for tile in TILES:
        parts.tile(tile, measures.figures, before)


def stream(name: str, one: Measures) -> None:
    """Where the items of one stream stand now, and how they got through."""
    cycle, weekly = one.figures["cycle_time"], one.figures["throughput"]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header(parts.text(f"{name}: where items stand now"), anchor=False, width="content")
        parts.only_button(name, measures)
    most = SOME if measures.streams else board.MOST
    show([board.Column(**column) for column in columns(one)], key=f"board_{name}", most=most, of=name)
    with st.grid(2, min_column_width=420):
        parts.card(
            "Cumulative flow",
            "Each band is what is in a stage; a band that widens collects work. Lines never fall: the past does not change.",
            parts.noted(charts.cumulative_flow(one.cumulative), choice, one),
            one.figures["wip"],
            f"cumulative_{name}",
        )
        parts.card(
            "Cycle time of finished items",
            f"From first work to done; n = {cycle.n:,}. Lines: so many of them took at most as long.",
            charts.cycle_scatter(tables.naive(cycle.rows, zone, "done_at"), *(cycle.values[p] for p in ("p50", "p85", "p95"))),
            cycle,
            f"cycle_{name}",
        )
        parts.card(
            "Age of work in progress",
            "Each dot is an item that is under way, where it is now; behind it how old items were when they left that stage.",
            charts.ageing_wip(ages(one), tables.in_map_order(age_bands(one), one.stages)),
            one.figures["work_item_age"],
            f"age_{name}",
        )
        parts.card(
            "Throughput",
            "Items finished each week; a week that is only partly in the window is paler.",
            parts.noted(charts.throughput(weekly.series, weekly.values["mean"]), choice, one),
            weekly,
            f"throughput_{name}",
        )


for name, one in parts.maps(choice, measures):
    stream(name, one)
