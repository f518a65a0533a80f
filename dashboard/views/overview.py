"""Overview: how is delivery going, and what changed?"""

import streamlit as st

from dashboard import data, parts, tables, theme
from dashboard.charts import delivery
from dashboard.parts import Tile

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
zone = measures.flow.config.timezone
before = data.measures_before(choice).figures if choice.compare else {}
often, lead, fail, recovery, _ = (measures.figures[one.figure] for one in TILES)

with st.grid(5, min_column_width=190):
    for one in TILES:
        parts.tile(one, measures.figures, before)

with st.container(border=True, key="findings"):
    st.header("What changed, and what to look at", anchor=False)
    st.markdown("\n".join(f"- {parts.text(sentence)}" for sentence in data.said(choice)))
    st.page_link("views/value_stream.py", label="See where work waits", icon=":material/arrow_forward:")

CARDS = (
    (
        "Deployments",
        "Weeks start on Monday; a week without deployments is 0 in words, one that is only partly in the window is paler.",
        delivery.deployment_frequency(often.series, often.values["per_week"]),
        often,
    ),
    (
        "Change lead time",
        "Dot: median of a week's deployed changes, hollow for fewer than five. Bands: 25 to 75 % of them, and up to 95 %.",
        delivery.lead_time_bands(lead.series),
        lead,
    ),
    (
        "Change fail rate",
        "Dot: share of a week's deployments that needed remediation, the larger the more deployments. Line: its 95 % interval.",
        delivery.fail_rate(fail.series, fail.values["value"]),
        fail,
    ),
    (
        "Recovery time",
        "Each dot is one deployment that needed remediation: how long until users were served again.",
        delivery.recovery(tables.naive(recovery.rows, zone, "deployed_at"), recovery.values["p50"], recovery.values["p85"]),
        recovery,
    ),
)

st.header("Week by week", anchor=False)
if all(chart is None for _, _, chart, _ in CARDS):
    st.info(
        parts.text(f"There is nothing to draw: {often.said.get('why', 'no deployment is known')}."), icon=":material/event_busy:"
    )
    st.caption("A source of deployments brings them, or version tags of a git clone: see README, `release_tags`.")
else:
    with st.grid(2, min_column_width=420):
        for title, finding, chart, figure in CARDS:
            parts.card(title, finding, parts.noted(chart, choice, measures), figure, figure.name)

if measures.applications:
    st.header("One application at a time", anchor=False)
    st.caption(
        "The five metrics are meant for one application at a time; an average hides the one that needs help. In order of name."
    )
    st.dataframe(theme.by_application(measures.applications), hide_index=True, alt="The five DORA metrics of each application")
