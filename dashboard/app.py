"""The frame: theme, navigation and routes. `vsm dashboard` runs it."""

from pathlib import Path

import streamlit as st

VIEWS = Path(__file__).parent / "views"

st.set_page_config(page_title="Value stream", page_icon="🌊", layout="wide")
page = st.navigation(
    [
        st.Page(VIEWS / "overview.py", title="Overview", icon=":material/monitoring:", default=True),
        st.Page(VIEWS / "value_stream.py", title="Value stream", icon=":material/account_tree:", url_path="map"),
        st.Page(VIEWS / "flow.py", title="Flow", icon=":material/view_kanban:", url_path="flow"),
        st.Page(VIEWS / "data.py", title="Data and definitions", icon=":material/fact_check:", url_path="data"),
    ],
    position="top",
)
page.run()
