"""The server: the pages and the interface beside them. `vsm dashboard` runs it."""

from pathlib import Path

import streamlit as st

from dashboard import api

app = st.App(Path(__file__).parent / "app.py", routes=api.routes())
