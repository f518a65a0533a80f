"""Forecast: when will it be done, and how many will be?"""

import streamlit as st

from dashboard import cards, data, parts, theme
from dashboard.charts.entry import AHEAD, ITEMS
from dashboard.parts import Tile
from vsm.metrics.shifts import shifts

HORIZONS = {"4 weeks": 4, "8 weeks": 8, "12 weeks": 12, "26 weeks": 26}

choice, measures = parts.head("When will it be done, and how many will be?")
zone = measures.flow.config.timezone
of = choice.stream or "all streams together"

with st.container(horizontal=True, vertical_alignment="bottom", key="asked"):
    horizon = st.segmented_control(
        "How many in the coming",
        list(HORIZONS),
        default=f"{AHEAD} weeks",
        required=True,
        key="horizon",
        bind="query-params",
        width="content",
    )
    count = st.number_input(
        "When are so many more items done",
        min_value=1,
        max_value=10_000,
        value=ITEMS,
        step=1,
        key="count",
        bind="query-params",
        width=260,
    )
ahead = HORIZONS[horizon or f"{AHEAD} weeks"]
kept, limits = (data.drawn(name, choice, ahead=ahead) for name in ("forecast_kept", "throughput_limits"))
hit, many = kept.figure, limits.figure
places = shifts(limits.rows["items"]) if len(limits.rows) else ()
if "why" in many.said:
    st.info(parts.text(f"No forecast for {of}: {many.said['why']}."), icon=":material/event_busy:")
else:
    since = " since its last shift" if places else ""
    st.caption(
        parts.text(
            f"For {of}, from {parts.local(measures.flow.now, zone)}. Drawn from {theme.many(many.n, 'week')} of "
            f"throughput{since}; that the past is short is part of the spread. What will be different is not known."
        )
    )
st.header("How many, and when", anchor=False)
with st.grid(2, min_column_width=420):
    for name in ("forecast_items", "forecast_weeks"):
        cards.card(data.drawn(name, choice, ahead=ahead, items=int(count)), name)

st.header("Did such promises hold?", anchor=False)
with st.grid(2, min_column_width=420):
    with st.container(height="stretch", key="card_hit"):
        parts.tile(Tile(f"85 % promises for {ahead} weeks that held", "hit", "value", theme.rate), {"hit": hit}, {}, key="hit")
        st.caption(
            "It should be about 85 %. Far below that, the past is no guide to what comes: promise less, and look for why. "
            "Far above it, the past was steadier than its own spread: more could have been promised."
        )
        if "not overlapping" in hit.said:
            apart = theme.many(int(hit.said["not overlapping"]), "separate period")
            st.caption(f"Neighbouring promises share most of their weeks: all of them together are {apart}.")
    cards.card(kept, kept.name)

st.header("The weeks that it is drawn from", anchor=False)
cards.card(limits, limits.name)
