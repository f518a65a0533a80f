"""Taking a period along: what is on the retrospective's page as one file, made when it is asked for."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from dashboard import data, tables
from dashboard.data import Choice

FORMS = (
    ("html", "Web page", "text/html", "opens anywhere, offline"),
    ("pdf", "PDF", "application/pdf", "a page a chart, text that can be selected"),
    ("pptx", "Slides", "application/vnd.openxmlformats-officedocument.presentationml.presentation", "a finding and its chart each"),
    ("zip", "Archive", "application/zip", "PNG, SVG, CSV, definitions and a manifest"),
)


def section(choice: Choice, charts: Sequence[str]) -> None:
    """Four ways to take the chosen period along: its numbers with verdicts, `charts`, notes, experiments and the rows behind."""
    st.header("Take it along", anchor=False)
    st.caption(
        "One file with the numbers above and their verdicts, the charts that are picked here, notes, experiments, and the "
        "rows behind every number. The same choice gives the same file until there is new data."
    )
    people = st.toggle("Keep people in the rows, as pseudonyms or as configured", key="pack_people")
    whose = tables.file_name(" ".join(filter(None, ("pack", choice.stream, choice.team))))
    with st.grid(4, min_column_width=220):
        for kind, label, mime, what in FORMS:
            with st.container(key=f"pack_{kind}_card", gap="xsmall"):
                st.download_button(
                    label,
                    data.exported(f"{whose}.{kind}", partial(data.pack, choice, tuple(charts), kind, people)),
                    f"{whose}.{kind}",
                    mime,
                    on_click="ignore",
                    icon=":material/download:",
                    key=f"pack_{kind}",
                    width="stretch",
                )
                st.caption(what)
