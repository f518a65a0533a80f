"""Forecast: when will it be done, and how many will be?"""

from datetime import date

import streamlit as st

from dashboard import parts, theme
from dashboard.charts import forecast as charts
from dashboard.parts import Tile
from vsm.metrics import forecast
from vsm.metrics.shifts import looks, shifts

AHEAD, ITEMS = 12, 50
HORIZONS = {"4 weeks": 4, "8 weeks": 8, "12 weeks": 12, "26 weeks": 26}
SURE = (("p50", "50 % sure"), ("p85", "85 % sure"), ("p95", "95 % sure"))

choice, measures = parts.head("When will it be done, and how many will be?")
items, scope, zone = measures.items, measures.scope, measures.flow.config.zone
of = choice.stream or "all streams together"

with st.container(horizontal=True, vertical_alignment="bottom", key="asked"):
    horizon = st.segmented_control(
        "How many in the coming",
        list(HORIZONS),
        default="12 weeks",
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
ahead = HORIZONS[horizon or "12 weeks"]
many, until = forecast.finished_in(items, scope, zone, ahead), forecast.weeks_until(items, scope, zone, int(count))
hit = forecast.hit_rate(items, scope, zone, ahead)
past = forecast.history(items, scope, zone)

places = shifts(past["items"]) if len(past) else ()
if "why" in many.said:
    st.info(parts.text(f"No forecast for {of}: {many.said['why']}."), icon=":material/event_busy:")
else:
    since = " since its last shift" if places else ""
    st.caption(
        parts.text(
            f"For {of}, from {parts.local(measures.flow.now, zone.key)}. Drawn from {theme.many(many.n, 'week')} of "
            f"throughput{since}; that the past is short is part of the spread. What will be different is not known."
        )
    )
st.header("How many, and when", anchor=False)
with st.grid(2, min_column_width=420):
    promised = [f"{theme.number(many.values[name])} ({words})" for name, words in SURE if many.values[name] is not None]
    parts.card(
        f"How many in {ahead} weeks",
        f"At least so many: {', '.join(promised)}." if promised else "Too little history to promise a number.",
        charts.outcomes(forecast.outcomes(items, scope, zone, ahead), many.values, "items", "Items finished"),
        many,
        "many",
    )
    days = [f"{date.fromisoformat(until.said[name]):%-d %b %Y} ({words})" for name, words in SURE if name in until.said]
    parts.card(
        f"When {theme.many(int(count), 'more item')} will be done",
        f"By {', '.join(days)}." if days else f"No day can be told: {until.said.get('why', 'nothing is known')}.",
        charts.outcomes(forecast.finishes(items, scope, zone, int(count)), until.values, "weeks", "Weeks from now"),
        until,
        "until",
    )

st.header("Did such promises hold?", anchor=False)
with st.grid(2, min_column_width=420):
    with st.container(border=True, height="stretch", key="card_hit"):
        parts.tile(Tile(f"85 % promises for {ahead} weeks that held", "hit", "value", theme.rate), {"hit": hit}, {}, key="hit")
        st.caption("It should be about 85 %. Far below that, the past is no guide to what comes: promise less, and look for why.")
        if "not overlapping" in hit.said:
            apart = theme.many(int(hit.said["not overlapping"]), "separate period")
            st.caption(f"Neighbouring promises share most of their weeks: all of them together are {apart}.")
    parts.card(
        "Every promise of the past",
        "Line: what would have been promised with 85 %. Dot: what came of it; a cross below its line was a broken promise.",
        charts.kept(hit.rows, ahead),
        hit,
        "kept",
    )

st.header("The weeks that it is drawn from", anchor=False)
series = past.assign(whole=True)
changes = [f"{past['week'].iloc[place]:%-d %b %Y}" for place in places]
told = (
    f"Its level shifted with the week from {' and from '.join(changes)}." if changes else "No lasting shift of its level was found."
)
told = told if "why" not in many.said else "Too few weeks to look for shifts."
parts.card(
    "Throughput by week",
    f"{told} Band: the limits of what is usual; a diamond is worth a look, never an alarm. {theme.many(len(past), 'whole week')}.",
    charts.run_chart(looks(series, "items"), "items", "Items finished") if len(past) else None,
    many,
    "past",
)
