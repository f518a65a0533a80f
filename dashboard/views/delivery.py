"""Delivery: are changes small, fast and safe?"""

import streamlit as st

from dashboard import data, parts, tables, theme
from dashboard.charts import delivery, ways
from dashboard.parts import Tile
from vsm.metrics import benchmarks

TILES = (
    Tile("Changes a deployment, median", "batch_size", "p50", theme.number, spark="p50", more="clearly more", less="clearly fewer"),
    Tile("Change fail rate", "change_fail_rate", "value", theme.rate, spark="value",
         more="clearly higher", less="clearly lower", good="less"),
    Tile("Time without an open incident", "availability", "value", theme.rate, True),
    Tile("Time to acknowledge, median", "time_to_acknowledge", "p50", theme.duration,
         more="clearly longer", less="clearly shorter", good="less"),
)  # fmt: skip

choice, measures = parts.head("Are changes small, fast and safe?")
zone = measures.flow.config.timezone
before = data.measures_before(choice).figures if choice.compare else {}
figures = measures.figures
lead, fail, recovery, batch = (
    figures[name] for name in ("change_lead_time", "change_fail_rate", "failed_deployment_recovery_time", "batch_size")
)

with st.grid(4, min_column_width=230):
    for one in TILES:
        parts.tile(one, figures, before)

st.header("Where the time goes", anchor=False)
with st.grid(2, min_column_width=420):
    happy, back = measures.happy_path, measures.recovery_stream
    parts.card(
        "From first commit to production",
        tables.way_said(happy, "change", "The steps add up to the mean change lead time", "deployments"),
        ways.way(happy.steps),
        lead,
        "happy_path",
    )
    parts.card(
        "From a failed deployment to users served again",
        tables.way_said(back, "failed deployment", "The steps add up to the mean recovery time", "of them"),
        ways.way(back.steps),
        recovery,
        "recovery_stream",
    )
with st.expander("The steps as tables"):
    for title, told in (("From first commit to production", happy), ("From a failed deployment to users served again", back)):
        st.caption(title)
        parts.table(tables.steps(told), key=f"steps_{title}", alt=title)

st.header("Small, and safe?", anchor=False)
with st.grid(2, min_column_width=420):
    parts.card(
        "Batch size",
        "Dot: median of the changes that a week's deployments brought, hollow for fewer than five. Line: up to 85 % of them.",
        parts.noted(delivery.batch_sizes(batch.series, batch.values["p50"]), choice, measures),
        batch,
        "batch_size",
    )
    parts.card(
        "Change fail rate, month by month",
        "Dot: share of a month's deployments that needed remediation, the larger the more deployments. Line: its 95 % interval.",
        delivery.fail_rate_by_month(measures.months, fail.values["value"]),
        fail,
        "fail_rate_months",
    )
bands = measures.batches
with st.container(border=True, key="card_bands"):
    st.subheader("Do large batches fare worse?", anchor=False)
    if bands.empty:
        st.caption("Fewer than fifteen deployments with known changes, or nearly all brought as many: nothing to compare.")
    else:
        st.caption(
            "About a third of the deployments each, by how many changes they brought; what goes together need not be a cause."
        )
        st.dataframe(tables.bands(bands), hide_index=True, alt="Small and large batches beside each other")

st.header("Speed against stability", anchor=False)
with st.container(border=True, key="card_speed"):
    st.caption("Each dot is an application. They do different work for different users: look at one over time, rank none.")
    chart = ways.speed_and_stability(tables.speed(measures.applications))
    if chart is None:
        st.info("No application has five deployments and five changes in this window.", icon=":material/event_busy:")
    else:
        st.altair_chart(chart, width="stretch", key="speed", alt="Lead time and change fail rate of each application")

st.header("What needed remediation", anchor=False)
failed = tables.failures(fail, recovery)
if failed.empty:
    st.info(
        parts.text(recovery.said.get("why", parts.NOT_ZERO)),
        icon=":material/event_available:" if fail.n else ":material/event_busy:",
    )
else:
    st.caption("Each deployment that failed its users, what says so, and how long it took until they were served again.")
    parts.table(failed, key="failures", alt="Deployments that needed remediation, the latest first")

with st.container(border=True, key="card_benchmarks"):
    if st.toggle("Put published survey answers beside these numbers", key="benchmarks", bind="query-params"):
        industry = st.selectbox("Industry", benchmarks.groups(), key="industry", bind="query-params", width=260)
        st.caption(f"{benchmarks.NOTE}. Source: {benchmarks.SOURCE}.")
        beside = tables.beside_answers(benchmarks.benchmarks(figures, industry))
        st.dataframe(beside, hide_index=True, alt="Our values beside published survey answers")
        st.caption(f"The clusters of earlier reports are {benchmarks.WARNING}.")
        st.dataframe(benchmarks.clusters(), hide_index=True, alt="Clusters by year of the report, as they were worded")

with st.expander("The five metrics, month by month"):
    st.dataframe(tables.by_month(measures.months), hide_index=True, alt="The five DORA metrics by month")
