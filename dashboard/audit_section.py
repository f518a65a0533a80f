"""Who did what, for editors, on the page of the data."""

import json

import streamlit as st

from dashboard import data
from vsm.access import NotAllowed

MOST = 1_000  # of a table that people read; the program tells all of it
COLUMNS = {"at": "when", "who": "account", "what": "what", "about": "about"}


def section() -> None:
    """The newest entries in the order of time, and a file of them; nothing for who may not see them."""
    try:
        told = data.audited(MOST)
    except NotAllowed:
        return
    if told.empty:
        return
    st.header("Who did what", anchor=False)
    st.caption(
        "Edits, exports, sign-ins, starts of harvests and tokens, newest first. It can be added to and read, nothing else; "
        "the command vsm audit tells all of it."
    )
    zone = data.config().timezone
    shown = told.assign(at=told["at"].dt.tz_convert(zone)).rename(columns=COLUMNS)
    when = {"when": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")}
    st.dataframe(shown, hide_index=True, column_config=when, key="audit", alt="Who did what, newest first", placeholder="–")
    plain = told.assign(at=told["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).astype("object").where(told.notna(), None)
    written = data.exported("the audit log", lambda: json.dumps(plain.to_dict("records"), indent=2, ensure_ascii=False))
    st.download_button(
        "These as JSON", written, "audit.json", "application/json", on_click="ignore", icon=":material/download:", key="audit_json"
    )
