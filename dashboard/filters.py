"""The one filter line, the same on every page and all of it in the URL."""

import streamlit as st

from dashboard.data import Choice, Known

STREAMS, TEAMS = "All streams", "All teams"
PERIODS = {"4 weeks": 4, "13 weeks": 13, "26 weeks": 26, "52 weeks": 52}
DEFAULT, LONGEST = "26 weeks", "52 weeks"


def line(known: Known) -> Choice:
    """Draw the filters and give what was chosen. Options are their own ids, so that the URL stays what it says."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        stream = st.selectbox("Value stream", [STREAMS, *known.streams], key="stream", bind="query-params", width=220)
        team = st.selectbox("Team", [TEAMS, *known.teams], key="team", bind="query-params", width=180)
        period = st.segmented_control(
            "Period", list(PERIODS), default=DEFAULT, required=True, key="period", bind="query-params", width="content"
        )
        compare = st.toggle("Compare with the period before", value=True, key="compare", bind="query-params")
    return Choice(
        stream=None if stream in (STREAMS, None) else stream,
        team=None if team in (TEAMS, None) else team,
        weeks=PERIODS[period or DEFAULT],
        compare=bool(compare),
    )


def widen() -> None:
    """Show the longest period."""
    st.session_state["period"] = LONGEST


def everybody() -> None:
    """Show all streams and teams."""
    st.session_state.update(stream=STREAMS, team=TEAMS)


def only(stream: str) -> None:
    """Show one stream."""
    st.session_state["stream"] = stream
