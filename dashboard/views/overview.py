"""Overview: how is delivery going, and what changed?"""

import streamlit as st

from dashboard import cards, data, parts, theme
from dashboard.parts import Tile
from dashboard.shared import made_of
from dashboard.sheets import sheet

TILES = (
    Tile("Deployment frequency", "deployment_frequency", "per_week", theme.per_week, True, "n",
         more="clearly more often", less="clearly less often", good="more"),
    Tile("Change lead time, median", "change_lead_time", "p50", theme.duration, spark="p50", bars=False,
         more="clearly longer", less="clearly shorter", good="less"),
    Tile("Change fail rate", "change_fail_rate", "value", theme.rate, spark="value",
         more="clearly higher", less="clearly lower", good="less"),
    Tile("Recovery time, median", "failed_deployment_recovery_time", "p50", theme.duration, spark="p50",
         more="clearly longer", less="clearly shorter", good="less"),
    Tile("Deployment rework rate", "deployment_rework_rate", "value", theme.rate, spark="value",
         more="clearly higher", less="clearly lower", good="less"),
)  # fmt: skip

choice, measures = parts.head("How is delivery going, and what changed?")
before = data.measures_before(choice).figures if choice.compare else {}

with st.grid(5, min_column_width=190):
    for told in TILES:
        parts.tile(told, measures.figures, before)

with st.container(border=True, key="findings"):
    st.header("What changed, and what to look at", anchor=False)
    st.markdown("\n".join(f"- {parts.text(sentence)}" for sentence in data.said(choice)))
    st.page_link("views/value_stream.py", label="See where work waits", icon=":material/arrow_forward:")

CARDS = ("deployment_frequency", "lead_time_bands", "fail_rate", "recovery")

st.header("Week by week", anchor=False)
drawn = list(data.several(CARDS, choice))
if all(one.empty for one in drawn):
    st.info(parts.text(drawn[0].why), icon=":material/event_busy:")
    st.caption("A source of deployments brings them, or version tags of a git clone: see README, `release_tags`.")
else:
    with st.grid(2, min_column_width=420):
        for one in drawn:
            cards.card(one, one.name)

if measures.applications:
    st.header("One application at a time", anchor=False)
    st.caption(
        "The five metrics are meant for one application at a time; an average hides the one that needs help. In order of name."
    )
    apart = made_of(measures, "applications", lambda: theme.by_application(measures.applications))
    sheet(apart, alt="The five DORA metrics of each application")
