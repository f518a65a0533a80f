"""Delivery: are changes small, fast and safe?"""

from functools import partial

import streamlit as st

from dashboard import cards, data, parts, tables, theme
from dashboard.charts.entry import NOT_ZERO
from dashboard.parts import Tile
from dashboard.shared import made_of
from dashboard.sheets import sheet
from vsm.metrics import benchmarks
from vsm.metrics.figure import AWAY

TILES = (
    Tile("Changes a deployment, median", "batch_size", "p50", theme.number, spark="p50", more="clearly more", less="clearly fewer"),
    Tile("Change fail rate", "change_fail_rate", "value", theme.rate, spark="value",
         more="clearly higher", less="clearly lower", good="less"),
    Tile("Time without an open incident", "availability", "value", theme.rate, True),
    Tile("Time to acknowledge, median", "time_to_acknowledge", "p50", theme.duration,
         more="clearly longer", less="clearly shorter", good="less"),
)  # fmt: skip

choice, measures = parts.head("Are changes small, fast and safe?")
before = data.measures_before(choice).figures if choice.compare else {}
figures = measures.figures
fail, recovery = figures["change_fail_rate"], figures["failed_deployment_recovery_time"]

with st.grid(4, min_column_width=230):
    for one in TILES:
        parts.tile(one, figures, before)

st.header("Where the time goes", anchor=False)
with st.grid(2, min_column_width=420):
    for name in ("path_to_production", "path_to_recovery"):
        cards.card(data.drawn(name, choice), name)
happy, back = measures.happy_path, measures.recovery_stream
with st.expander("The steps as tables"):
    for title, told in (("From first commit to production", happy), ("From a failed deployment to users served again", back)):
        st.caption(title)
        parts.table(data.kept("steps", choice, (title,), partial(tables.steps, told)), key=f"steps_{title}", alt=title)

st.header("Small, and safe?", anchor=False)
with st.grid(2, min_column_width=420):
    for name in ("batch_size", "fail_rate_by_month"):
        cards.card(data.drawn(name, choice), name)
bands = data.kept("batches", choice, (), lambda: measures.batches)
with st.container(border=True, key="card_bands"):
    st.subheader("Do large batches fare worse?", anchor=False)
    if bands.empty:
        few = "Fewer than fifteen deployments with known changes, or nearly all brought as many: nothing to compare."
        st.caption(parts.text(figures["batch_size"].said.get(AWAY, few)))
    else:
        st.caption(
            "About a third of the deployments each, by how many changes they brought; what goes together need not be a cause."
        )
        sheet(made_of(bands, "bands", partial(tables.bands, bands)), alt="Small and large batches beside each other")

st.header("Speed against stability", anchor=False)
cards.card(data.drawn("speed_against_stability", choice), "speed")

st.header("What needed remediation", anchor=False)
failed = data.kept("failures", choice, (), lambda: tables.failures(fail, recovery))
if failed.empty:
    st.info(
        parts.text(recovery.said.get("why", recovery.said.get(AWAY, NOT_ZERO))),
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
    months = data.kept("months", choice, (), lambda: tables.by_month(measures.months))
    sheet(months, alt="The five DORA metrics by month")
