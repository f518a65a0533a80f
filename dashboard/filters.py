"""The one filter line, the same on every page and all of it in the URL."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dashboard.data import Choice, Known
from vsm.config import Level

STREAMS, TEAMS, APPLICATIONS = "All streams", "All teams", "All applications"
DATES = "Dates"
PERIODS = {"4 weeks": 4, "13 weeks": 13, "26 weeks": 26, "52 weeks": 52}
KEYS = ("stream", "team", "period", "dates", "compare", "application", "level")
PAGE, KEPT, BROUGHT = "page_shown", "filters_of_the_page_before", "filters_brought_along"
TEXTS = ("stream", "team", "period", "application", "level")  # filters that are in the URL as they are chosen
DEFAULT, LONGEST = "26 weeks", "52 weeks"
# Options are their own ids in the URL; what each means is said beside it.
LEVELS: dict[str, Level | None] = {
    "As configured": None, "item": "item", "parent": "parent", "sub-task": "sub-task", "epic": "epic",
}  # fmt: skip
LEVELS_SAID = (
    "What is counted as one piece of work. item: tickets that are part of no other. parent: the same, told by the statuses of "
    "their parts. sub-task: the smallest tickets. epic: what holds tickets."
)


def line(known: Known) -> Choice:
    """Draw the filters and give what was chosen. Options are their own ids, so that the URL stays what it says."""
    st.session_state[BROUGHT] = _bring_along(known)
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        stream = st.selectbox("Value stream", [STREAMS, *known.streams], key="stream", bind="query-params", width=220)
        team = st.selectbox("Team", [TEAMS, *known.teams], key="team", bind="query-params", width=180)
        period = st.segmented_control(
            "Period", [*PERIODS, DATES], default=DEFAULT, required=True, key="period", bind="query-params", width="content"
        )
        first, last = _dates(known) if period == DATES else (None, None)
        compare = st.toggle("Compare with the period before", value=True, key="compare", bind="query-params")
        application, level = _more(known)
    chosen = {key: st.session_state[key] for key in KEYS if key in st.session_state}
    st.session_state[KEPT] = (st.session_state.get(PAGE), chosen)
    if period == DATES and first is None:
        st.caption(f"Until a first and a last day are chosen: {DEFAULT}.")
    return Choice(
        stream=None if stream in (STREAMS, None) else stream,
        team=None if team in (TEAMS, None) else team,
        weeks=PERIODS.get(period or DEFAULT, PERIODS[DEFAULT]),
        compare=bool(compare),
        application=application,
        level=level,
        first=first,
        last=last,
    )


def usual() -> Choice:
    """What a viewer sees who has chosen nothing."""
    return Choice(stream=None, team=None, weeks=PERIODS[DEFAULT], compare=True)


def arrive(page: str) -> None:
    """A run of a page begins: what its address asks for is kept before anything slow, for who goes on to another page meanwhile."""
    if page != st.session_state.get(PAGE):
        st.session_state[PAGE] = page
    asked: dict[str, Any] = {key: st.query_params[key] for key in TEXTS if key in st.query_params}
    if "compare" in st.query_params:
        asked["compare"] = st.query_params["compare"] != "false"
    if asked and KEPT not in st.session_state:
        st.session_state[KEPT] = (page, asked)


def brought_along() -> str:
    """What the address should say after a switch of page, which has emptied it; nothing where it says all."""
    told: list[tuple[str, str]] = []
    for name, value in st.session_state.get(BROUGHT, {}).items():
        if name == "dates":
            told += [(name, day.isoformat()) for day in value]
        elif value not in (STREAMS, TEAMS, APPLICATIONS, DEFAULT, "As configured", True):
            told.append((name, "false" if value is False else value))
    return urlencode(told)


def _bring_along(known: Known) -> dict[str, Any]:
    """Put what was chosen on the page before into the filters, and give it.

    Streamlit forgets what a pasted link said at the first switch of page.
    """
    page, kept = st.session_state.get(KEPT, (None, {}))
    if page == st.session_state.get(PAGE):
        return {}
    there = {"stream": (STREAMS, *known.streams), "team": (TEAMS, *known.teams), "application": (APPLICATIONS, *known.applications)}
    there |= {"period": (*PERIODS, DATES), "level": tuple(LEVELS)}
    brought = {key: value for key, value in kept.items() if key not in st.query_params and value in there.get(key, (value,))}
    st.session_state.update(brought)
    return brought


def _dates(known: Known) -> tuple[date | None, date | None]:
    """The two days that are chosen, the first and the last; none while only one of them is."""
    newest = known.now.tz_convert(known.zone).date()
    chosen = st.date_input(  # type: ignore[call-overload]  # none of the two yet: it is taken, and its types do not say so
        "First and last day", value=(), key="dates", bind="query-params", max_value=newest, format="YYYY-MM-DD", width=280
    )
    return chosen if len(chosen) == 2 else (None, None)


def _more(known: Known) -> tuple[str | None, Level | None]:
    """Filters that few need: one application, and which tickets are counted; only where there is something to choose."""
    several, split = len(known.applications) > 1, known.has_parts
    if not several and not split:
        return None, None
    application = level = None
    used = len({"application", "level"} & set(st.query_params))
    with st.popover(f"More filters ({used})" if used else "More filters", icon=":material/tune:", key="more_filters"):
        if several:
            options = [APPLICATIONS, *known.applications]
            application = st.selectbox("Application", options, key="application", bind="query-params")
        if split:
            level = st.selectbox("Count as one", list(LEVELS), key="level", bind="query-params", help=LEVELS_SAID)
    return None if application == APPLICATIONS else application, LEVELS[level or "As configured"]


def widen() -> None:
    """Show the longest period."""
    st.session_state["period"] = LONGEST


def everybody() -> None:
    """Show all streams, teams and applications."""
    st.session_state.update(stream=STREAMS, team=TEAMS)
    if "application" in st.session_state:
        st.session_state["application"] = APPLICATIONS


def only(stream: str) -> None:
    """Show one stream."""
    st.session_state["stream"] = stream
