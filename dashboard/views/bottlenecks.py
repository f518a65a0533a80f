"""Bottlenecks: what should we change first?"""

from functools import partial

import streamlit as st

from dashboard import cards, data, parts, tables, theme
from dashboard.parts import Tile
from dashboard.shared import made_of
from dashboard.sheets import sheet
from dashboard.words import anchor
from vsm.focusing import focusing, misleading
from vsm.measure import Measures

TILES = (
    Tile("Flow efficiency", "flow_efficiency", "value", theme.rate, more="clearly higher", less="clearly lower", good="more"),
    Tile("Finished items that were sent back", "rework", "share", theme.rate,
         more="clearly more", less="clearly fewer", good="less"),
    Tile("Handoffs on an item's way", "handoffs_per_item", "mean", theme.number,
         more="clearly more", less="clearly fewer", good="less"),
    Tile("Time blocked", "blocked_time", "hours", theme.duration, True),
)  # fmt: skip
CHARTS = ("ranking", "lever", "constraint_history", "waste", "handoffs")

choice, measures = parts.head("What should we change first?")
before = dict(parts.maps(choice, data.measures_before(choice))) if choice.compare else {}


def stream(name: str, one: Measures) -> None:
    """What holds back one stream, and what it loses."""
    found = one.constraint
    if found is None or one.stages is None:
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header(
            parts.text(f"{name}: {f'{found.stage} holds work back' if found.stage else 'no constraint is named'}"),
            anchor=False,
            width="content",
        )
        parts.only_button(name, measures)
    with st.container(border=True, key=f"card_focusing_{name}"):
        st.subheader("Five steps around it", anchor=anchor("steps", name))
        for step in made_of(one, "focusing", partial(focusing, one)):
            st.markdown(f"**{step.name}** · {step.asks}\n" + "\n".join(f"- {parts.text(said)}" for said in step.said))
    if others := made_of(one, "misleading", partial(misleading, one)):
        with st.container(border=True, key=f"card_misleading_{name}"):
            st.subheader("What other rankings would say", anchor=anchor("rankings", name))
            st.markdown("\n".join(f"- {parts.text(said)}" for said in others))
    with st.grid(2, min_column_width=420):
        for chart in data.several(CHARTS, choice, name):
            cards.card(chart, f"{chart.name}_{name}")
    with st.grid(4, min_column_width=230):
        for tile in TILES:
            parts.tile(tile, one.figures, before[name].figures if name in before else {}, key=name)
    with st.expander("Rework loops, and the same numbers as tables"):
        loops = made_of(one, "loops", partial(tables.loops, one.loops))
        if loops.empty:
            st.caption("Nothing went back to an earlier stage in the window.")
        else:
            sheet(loops, key=f"loops_{name}", alt=f"Moves to an earlier stage in {name}")
        evidence = made_of(found, "evidence", partial(tables.evidence, found.ranking))
        sheet(evidence, key=f"evidence_{name}", alt=f"Evidence for each stage of {name}")
        wasted = made_of(one, "wasted", lambda: tables.wasted(one.waste.classes))
        sheet(wasted, key=f"waste_{name}", alt=f"Waste by class in {name}")
        parts.table(one.between_teams, key=f"handoffs_{name}", alt=f"Handoffs between teams in {name}")


for name, one in parts.maps(choice, measures):
    stream(name, one)
