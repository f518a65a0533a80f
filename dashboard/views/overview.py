"""Overview: how is delivery going, and what changed?"""

import streamlit as st

from dashboard import data, parts, tables, theme
from dashboard.charts import delivery

TILES = (
    ("Deployment frequency", "deployment_frequency", "per_week", tables.per_week, "n"),
    ("Change lead time, median", "change_lead_time", "p50", theme.duration, "p50"),
    ("Change fail rate", "change_fail_rate", "value", theme.rate, "value"),
    ("Recovery time, median", "failed_deployment_recovery_time", "p50", theme.duration, None),
    ("Deployment rework rate", "deployment_rework_rate", "value", theme.rate, "value"),
)

choice, measures = parts.head("How is delivery going, and what changed?")
figures = measures.figures
before = data.measures_before(choice).figures if choice.compare else {}

with st.grid(5, min_column_width=230):
    for label, name, value, written, spark in TILES:
        parts.tile(label, figures[name], value, written, before.get(name), spark)

with st.container(border=True):
    st.subheader("What changed, and what to look at")
    for sentence in data.said(choice):
        st.markdown(f"- {parts.text(sentence)}")
    st.page_link("views/value_stream.py", label="Open the value stream map", icon=":material/arrow_forward:")

zone = measures.flow.config.timezone
lead, fail, recovery = (figures[name] for name in ("change_lead_time", "change_fail_rate", "failed_deployment_recovery_time"))
with st.grid(2, min_column_width=420):
    parts.card(
        "Deployments per week",
        "Weeks start on Monday; a week without deployments is 0, the running week is faded.",
        delivery.deployment_frequency(figures["deployment_frequency"].series),
        "deployments",
    )
    parts.card(
        "Change lead time",
        "Line: median by week of deployment. Bands: 25th to 75th and up to the 95th percentile.",
        delivery.lead_time_bands(lead.series),
        "lead_time",
    )
    parts.card(
        "Change fail rate",
        "Dot: share of a week's deployments that needed remediation, sized by deployments. Line: 95 % interval.",
        delivery.fail_rate(fail.series, fail.values["value"]),
        "fail_rate",
    )
    parts.card(
        "Recovery time",
        "Each dot is one deployment that needed remediation, from its finish until users were served again.",
        delivery.recovery(parts.naive(recovery.rows, zone, "deployed_at"), recovery.values["p50"], recovery.values["p85"]),
        "recovery",
    )

if measures.applications:
    with st.expander("One application at a time, which is how these metrics are meant"):
        st.dataframe(tables.by_application(measures.applications), hide_index=True)
