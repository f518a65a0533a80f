"""A chart on a page: what it says, its rows, its files, where it comes from; and from its marks to what they stand for."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from dashboard import counted, data, parts, path_dialog, picks
from dashboard.charts.entry import Drawn
from dashboard.charts.marks import ITEM
from dashboard.export import pictures
from dashboard.parts import text
from dashboard.words import anchor, together

FILES = {"png": "image/png", "svg": "image/svg+xml", "csv": "text/csv"}
PATH_ASKED = "path_asked"


def card(drawn: Drawn, key: str) -> None:
    """A chart with what it says, its rows, its files and where it comes from; without data it says that."""
    with st.container(border=True, height="stretch", vertical_alignment="distribute", key=f"card_{key}"):
        with st.container(gap="xsmall"):
            st.subheader(text(drawn.title), anchor=anchor("card", key))
            if drawn.empty:
                st.info(text(drawn.why), icon=":material/event_busy:")
            else:
                st.markdown(text(together(drawn.finding)))
                picture(drawn, key)
        with st.container(horizontal=True, gap="small"):
            if not drawn.empty:
                along(drawn, key)
            parts.explain_button(drawn.figure, drawn.title, key=key, said="Where these numbers come from")


def picture(drawn: Drawn, key: str) -> None:
    """The chart; where its marks can be picked, a run by itself lists what they stand for."""
    said = f"{drawn.title}. {drawn.finding}"
    if drawn.pick is None:
        st.vega_lite_chart(spec=drawn.spec, width="stretch", key=key, alt=said)
        st.caption(text(drawn.reading))
    else:
        _picking(drawn, key, said)


@st.fragment
def _picking(drawn: Drawn, key: str, said: str) -> None:
    """A chart whose marks can be clicked and brushed, and below it a list of what was picked."""
    chosen = st.vega_lite_chart(
        spec=drawn.spec, width="stretch", key=key, alt=said, on_select=partial(_clicked, key), selection_mode=picks.modes(drawn)
    )
    if st.session_state.pop(PATH_ASKED, False):
        st.rerun()  # the page: its dialog stands at its end
    st.caption(text(f"{drawn.reading} {picks.how(drawn, paths=counted.url() is None)}"))
    found = picks.found(drawn, chosen["selection"], data.config().timezone, st.context.timezone)
    if found is not None:
        rows, weeks = found
        with st.container(key=f"picked_{key}", gap="xsmall"):
            st.markdown(f"**{picks.said(drawn, rows, weeks)}**")
            parts.rows_of(data.shown(rows), f"picked_{key}", "Nothing that was counted is there.")


def _clicked(key: str) -> None:
    """A dot was clicked: its item's path opens."""
    chosen: Mapping[str, Any] = st.session_state[key]["selection"]
    items = [one.get("item") for one in chosen.get(ITEM) or ()]
    if len(items) == 1 and isinstance(items[0], str):
        path_dialog.ask(items[0])
        st.session_state[PATH_ASKED] = True


def along(drawn: Drawn, key: str) -> None:
    """What can be taken along of a chart: its rows as a table, and its files. What opens is built when it is opened."""
    if st.button("Data", key=f"data_{key}", type="tertiary", icon=":material/table_rows:"):
        st.dialog(text(f"{drawn.title}: its data"), width="large", icon=":material/table_rows:")(rows_behind)(drawn)
    with st.popover("Download", key=f"download_{key}", type="tertiary", icon=":material/download:", on_change="rerun") as files:
        if files.open:
            for kind, mime in FILES.items():
                st.download_button(
                    kind.upper(),
                    data.exported(f"{drawn.title}, {kind}", partial(pictures.written, drawn, kind)),
                    pictures.file_name(drawn, kind),
                    mime,
                    on_click="ignore",
                    key=f"{kind}_{key}",
                )


def rows_behind(drawn: Drawn) -> None:
    """The rows that a chart draws, with what they say and what they mean."""
    st.markdown(text(drawn.finding))
    st.caption(text(f"Definition: {drawn.definition}"))
    parts.table(drawn.rows, alt=f"The rows of the chart {drawn.title}")
    st.caption(text(drawn.about))
