"""The one filter line, the same on every page and all of it in the URL."""

import streamlit as st

from dashboard.data import Choice, Known

ALL = "all"
PERIODS = {"4 weeks": 4, "13 weeks": 13, "26 weeks": 26, "52 weeks": 52}
DEFAULT = "26 weeks"


def line(known: Known) -> Choice:
    """Draw the filters and give what was chosen. Options are their own ids, so that the URL stays what it says."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        stream = st.selectbox("Value stream", [ALL, *known.streams], key="stream", bind="query-params", width=220)
        team = st.selectbox("Team", [ALL, *known.teams], key="team", bind="query-params", width=180)
        period = st.segmented_control(
            "Period", list(PERIODS), default=DEFAULT, required=True, key="period", bind="query-params", width="content"
        )
        compare = st.toggle("Compare with period before", value=True, key="compare", bind="query-params")
    return Choice(
        stream=None if stream in (ALL, None) else stream,
        team=None if team in (ALL, None) else team,
        weeks=PERIODS[period or DEFAULT],
        compare=bool(compare),
    )


def widen() -> None:
    """Show the longest period."""
    st.session_state["period"] = list(PERIODS)[-1]
