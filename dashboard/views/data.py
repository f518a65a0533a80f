"""Data and definitions: can I trust this?"""

import pandas as pd
import streamlit as st

from dashboard import data, parts, tables, theme
from vsm.definitions import definitions

choice, measures = parts.head("Can I trust this?")
flow = measures.flow
zone = flow.config.timezone

st.header("Sources")
runs = data.harvests()
parts.table(runs.drop_duplicates("source")[["source", "kind", "scope", "status", "finished_at", "rows", "changed", "error"]], zone)
with st.expander("Facts in the store"):
    counts = pd.DataFrame(flow.facts.counts().items(), columns=["table", "rows"])
    st.dataframe(counts, hide_index=True)

st.header("Coverage")
with st.grid(3, min_column_width=260):
    for label, name in (
        ("Finished tickets with a change", "tickets_linked"),
        ("Merged changes in production", "changes_deployed"),
        ("Incidents laid to a deployment", "incidents_linked"),
    ):
        parts.tile(label, measures.figures[name], "value", theme.rate, None, None)

st.header("Notes on the data")
if measures.quality.empty:
    st.success("No check found anything.", icon=":material/check:")
else:
    st.dataframe(measures.quality, hide_index=True)

st.header("What counts as what")
for one in flow.streams:
    with st.expander(f"Stages of {parts.text(one.name)}" + (" (derived)" if one.workflow.derived else "")):
        for note in one.workflow.notes:
            st.caption(parts.text(note))
        st.dataframe(tables.meanings(one.workflow), hide_index=True)
st.markdown(
    f"Production is an environment whose name says {parts.text(', '.join(flow.config.production.environments))}. "
    f"An incident may be laid to a deployment of the same application up to {flow.config.incidents.link_within_days:g} days before it. "
    f"Weeks begin on Monday in {parts.text(zone)}. People are shown as {flow.config.privacy.people}."
)

st.header("Definitions")
told = pd.DataFrame(definitions(), columns=["group", "metric", "definition", "more"])
for group, rows in told.groupby("group", sort=False):
    st.subheader(group)
    for row in rows.itertuples():
        with st.expander(f"**{row.metric}**: {parts.text(row.definition)}"):
            st.text(row.more or "Nothing more to say.")
