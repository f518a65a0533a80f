"""Value stream: where does work wait?"""

import streamlit as st

from dashboard import map as drawing
from dashboard import parts
from dashboard.map_component import value_stream_map
from vsm.measure import Measures

choice, measures = parts.head("Where does work wait?")


def stream(name: str, one: Measures) -> None:
    """The map of one stream, and the items of the stage that was clicked."""
    key = f"map_{name}"
    chosen = st.session_state.get(key, {}).get("stage") if isinstance(st.session_state.get(key), dict) else None
    with st.container(border=True, key=f"card_{key}"):
        st.subheader(parts.text(name))
        st.markdown(parts.text(one.constraint.why))
        if one.workflow.derived:
            st.caption(parts.text(" ".join(one.workflow.notes)))
        svg = drawing.value_stream_svg(one.graph, constraint=one.constraint.stage, selected=chosen)
        clicked = value_stream_map(svg, chosen, key=key)
    if clicked:
        panel(clicked, one)
    with st.expander("The same numbers as a table, and where they come from"):
        parts.table(one.stages, one.flow.config.timezone)
        st.markdown("Moves between stages")
        parts.table(one.moves, one.flow.config.timezone)
        parts.explain_button(one.figures["flow_efficiency"], "Flow efficiency", key=name)
        parts.explain_button(one.figures["rework"], "Items with rework", key=name)


def panel(stage: str, one: Measures) -> None:
    """The items that are in a stage now, oldest first."""
    st.subheader(parts.text(f"{stage}: items in it now"))
    inside = one.items[one.items["stage"] == stage].sort_values("stage_since")
    if inside.empty:
        st.info("No item is in this stage now.", icon=":material/inbox:")
        return
    columns = ["item", "title", "type", "team", "stage_since", "first_started", "url"]
    parts.table(inside[columns], one.flow.config.timezone, key=f"inside_{stage}")


for name, one in measures.streams.items() or [(measures.scope.stream or choice.stream or "All work", measures)]:
    stream(name, one)
