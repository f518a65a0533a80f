"""Bottlenecks: what should we change first?"""

import streamlit as st

from dashboard import data, parts, tables, theme
from dashboard.charts import bottlenecks as charts
from dashboard.parts import Tile
from vsm.focusing import focusing, misleading
from vsm.measure import Measures

TILES = (
    Tile("Flow efficiency", "flow_efficiency", "value", theme.rate, more="clearly higher", less="clearly lower", good="more"),
    Tile("Finished items that were sent back", "rework", "share", theme.rate),
    Tile("Handoffs on an item's way", "handoffs_per_item", "mean", theme.number,
         more="clearly more", less="clearly fewer", good="less"),
    Tile("Time blocked", "blocked_time", "hours", theme.duration, True),
)  # fmt: skip

choice, measures = parts.head("What should we change first?")
before = dict(parts.maps(choice, data.measures_before(choice))) if choice.compare else {}


def stream(name: str, one: Measures) -> None:
    """What holds back one stream, and what it loses."""
    found = one.constraint
    if found is None or one.stages is None:
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header(parts.text(f"{name}: {found.stage or 'no constraint is named'}"), anchor=False, width="content")
        parts.only_button(name, measures)
    with st.container(border=True, key=f"card_focusing_{name}"):
        st.subheader("Five steps around it", anchor=False)
        for step in focusing(one):
            st.markdown(f"**{step.name}** · {step.asks}\n" + "\n".join(f"- {parts.text(said)}" for said in step.said))
    with st.grid(2, min_column_width=420):
        ranked(name, one)
        levered(name, one)
        moves(name, one)
        wasted(name, one)
        handed(name, one)
    with st.grid(4, min_column_width=230):
        for tile in TILES:
            parts.tile(tile, one.figures, before[name].figures if name in before else {}, key=name)
    with st.expander("Rework loops, and the same numbers as tables"):
        loops = tables.loops(one.loops)
        if loops.empty:
            st.caption("Nothing went back to an earlier stage in the window.")
        else:
            st.dataframe(loops, hide_index=True, key=f"loops_{name}", alt=f"Moves to an earlier stage in {name}")
        st.dataframe(
            tables.evidence(found.ranking), hide_index=True, key=f"evidence_{name}", alt=f"Evidence for each stage of {name}"
        )
        st.dataframe(tables.wasted(one.waste.classes), hide_index=True, key=f"waste_{name}", alt=f"Waste by class in {name}")
        parts.table(one.between_teams, key=f"handoffs_{name}", alt=f"Handoffs between teams in {name}")


def ranked(name: str, one: Measures) -> None:
    """How near each stage is to its limit, and why other rankings would mislead here."""
    with st.container(border=True, height="stretch", key=f"card_ranking_{name}"):
        st.subheader("How near each stage is to its limit", anchor=False)
        st.caption("Bar: time in which something waits for a stage. Line: its load. A constraint has both.")
        found = one.constraint
        drawn = None if found is None else charts.ranking(tables.nearness(found.ranking), found.stage)
        if drawn is None:
            st.info("No stage shows a queue of its own, so none can be compared.", icon=":material/event_busy:")
        else:
            st.altair_chart(drawn, width="stretch", key=f"ranking_{name}", alt=f"How near each stage of {name} is to its limit")
        if others := misleading(one):
            st.markdown("**What other rankings would say**\n" + "\n".join(f"- {parts.text(said)}" for said in others))


def moves(name: str, one: Measures) -> None:
    """How the constraint moved over the year."""
    with st.container(border=True, height="stretch", key=f"card_moved_{name}"):
        st.subheader("How it moved over the year", anchor=False)
        zone = one.flow.config.timezone
        drawn = charts.moved(None if one.moved is None else tables.naive(one.moved, zone, "start", "end"))
        if drawn is None:
            st.info("In no thirteen weeks of the year a constraint could be named.", icon=":material/event_busy:")
        else:
            st.caption(
                "Each dot looks at thirteen weeks; a hollow one is not sure. Once a constraint is mended, another stage is next."
            )
            st.altair_chart(drawn, width="stretch", key=f"moved_{name}", alt=f"How the constraint of {name} moved over the year")


def levered(name: str, one: Measures) -> None:
    """What more capacity would bring, simulated."""
    with st.container(border=True, height="stretch", key=f"card_lever_{name}"):
        st.subheader("What 25 % more capacity would bring", anchor=False)
        with st.spinner("Simulating …"):
            lever = one.lever
        if lever is None:
            st.info("There is no one map of stages to simulate.", icon=":material/event_busy:")
            return
        st.caption(parts.text(lever.why))
        drawn = charts.levers(lever.table)
        if drawn is not None:
            st.altair_chart(drawn, width="stretch", key=f"lever_{name}", alt=f"What more capacity would bring in {name}")
            st.caption("Dot: the mean over weeks like these. Line: the middle 80 % of simulated runs.")


def wasted(name: str, one: Measures) -> None:
    """Where the hours went in which nobody worked, or in vain."""
    figure = one.waste.figure
    finding = "Hours that items spent in stages while nobody worked on them, or in vain, or again; each hour in one class."
    parts.card("Where the hours went", finding, charts.waste(one.waste.classes), figure, f"waste_{name}")


def handed(name: str, one: Measures) -> None:
    """Where work changes hands between teams, and how long it then waits."""
    figure = one.figures["handoffs_per_item"]
    finding = "The larger a dot the more moves, its colour how long they waited then. Teams in order of name; no person is shown."
    parts.card("Handoffs between teams", finding, charts.handoffs(one.between_teams), figure, f"teams_{name}")


for name, one in parts.maps(choice, measures):
    stream(name, one)
