"""Data and definitions: can I trust this?"""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import audit_section, counted, data, definitions_section, live, parts, tables, theme
from dashboard.parts import Tile
from dashboard.shared import made_of
from dashboard.sheets import sheet

HIGHER: dict[str, Any] = {"more": "clearly higher", "less": "clearly lower", "good": "more"}
COVERAGE = (
    Tile("Finished tickets with a change", "tickets_linked", "value", theme.rate, **HIGHER),
    Tile("Merged changes in production", "changes_deployed", "value", theme.rate, **HIGHER),
    Tile("Incidents laid to a deployment", "incidents_linked", "value", theme.rate, **HIGHER),
)
PEOPLE = {
    "pseudonyms": "People are shown under pseudonyms.",
    "names": "People are shown by name, as the configuration says.",
    "none": "People are not shown.",
}

choice, measures = parts.head(parts.TRUST)
flow = measures.flow
zone = flow.config.timezone
before = data.measures_before(choice).figures if choice.compare else {}

st.header("Sources", anchor=False)
COLUMNS = ["source", "kind", "scope", "status", "finished_at", "rows", "changed", "error"]
if counted.url() is not None:
    st.caption(counted.NO_RUNS)
else:
    runs = data.harvests()
    parts.table(made_of(runs, "last", lambda: runs.drop_duplicates("source")[COLUMNS]), alt="The last run of each source")
    live.panel()
    with st.expander("How many facts there are of each kind"):
        facts = flow.facts
        sheet(
            made_of(facts, "counts", lambda: pd.DataFrame(facts.counts().items(), columns=["table", "rows"])),
            alt="Facts by table",
        )

st.header("Coverage", anchor=False)
st.caption("How much of what happened is linked, and so how much the other numbers can speak of.")
with st.grid(3, min_column_width=300):
    for tile in COVERAGE:
        parts.tile(tile, measures.figures, before)

st.header("Remarks on the data", anchor=False)
st.caption("What checks of the data found, what it does to the numbers, and what would mend it.")
if counted.url() is not None:
    st.info(counted.NO_CHECKS, icon=":material/rule:")
elif measures.quality.empty:
    st.success("No check found anything.", icon=":material/check:")
else:
    wide = {name: st.column_config.Column(width="large") for name in ("effect", "remedy")}
    rows = {"rows": st.column_config.Column(width="small")}
    told = "What the checks found, what it does, what would mend it"
    sheet(measures.quality, column_config=wide | rows, alt=told)
    chosen = st.selectbox(
        "The rows behind", measures.quality["check"], index=None, placeholder="Choose one of the checks", key="check"
    )
    if chosen is not None and (figure := measures.figure(f"quality:{chosen}")) is not None:
        st.caption(parts.text(f"{figure.definition} {theme.many(figure.n, 'row')}; {figure.rule}."))
        parts.rows_of(data.shown(figure.rows), figure.name, "Nothing was found.")

st.header("What counts as what", anchor=False)
for one in flow.streams:
    with st.expander(f"Stages of {parts.text(one.name)}" + (", derived" if one.workflow.derived else "")):
        for note in one.workflow.notes:
            st.caption(parts.text(note))
        means = made_of(one, "meanings", partial(tables.meanings, one.workflow))
        sheet(means, key=f"meanings_{one.name}", alt=f"Stages of {one.name}")
days = flow.config.incidents.link_within_days
production = ", ".join(flow.config.production.environments)
st.markdown(
    "\n".join(
        f"- {parts.text(said)}"
        for said in (
            f"Production is an environment whose name has one of the words {production}.",
            f"An incident may be laid to its application's last deployment in the {days:g} days before.",
            f"Weeks begin on Monday, and times are shown, in {zone}. Durations are elapsed time unless a number says otherwise.",
            f"The window ends with the newest fact, {parts.local(flow.now, zone)}.",
            PEOPLE[flow.config.privacy.people],
        )
    )
)

audit_section.section()

definitions_section.section()
