"""The server: the pages, the interface beside them, and the boundary for what breaks outside of a page's own run."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard import api, ready, warm
from dashboard.headers import Headers
from vsm import logs

logs.begin()
warm.begin()


def broken(error: Exception) -> bool:
    """What broke in a callback or a dialog is said in our words and logged; true so that Streamlit says nothing in its own."""
    from dashboard import parts  # not before the server has begun: pages' caches ask for it

    parts.failed(error)
    return True


app = st.App(
    Path(__file__).parent / "app.py",
    routes=[*api.routes(), *ready.routes()],
    middleware=[Middleware(Headers)],
    on_script_error=broken,
)
