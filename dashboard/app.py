"""The frame: theme, navigation and routes. `vsm dashboard` runs it."""

from pathlib import Path

import streamlit as st

from dashboard import data, filters, frame, memory, parts, sign_in, turns

VIEWS = Path(__file__).parent / "views"
PAGES = (
    ("overview", "Overview", ":material/monitoring:", "", "How is delivery going, and what changed?"),
    ("value_stream", "Value stream", ":material/account_tree:", "map", "Where does work wait?"),
    ("flow", "Flow", ":material/view_kanban:", "flow", "How long does work take and what is stuck?"),
    ("bottlenecks", "Bottlenecks", ":material/hourglass_top:", "bottlenecks", "What should we change first?"),
    ("delivery", "Delivery", ":material/rocket_launch:", "delivery", "Are changes small, fast and safe?"),
    ("forecast", "Forecast", ":material/event_upcoming:", "forecast", "When will it be done, and how many will be?"),
    ("retro", "Retrospective", ":material/forum:", "retro", "What do we take into the meeting?"),
    ("data", "Data and definitions", ":material/fact_check:", "data", "Can I trust this?"),
)

ICON = str(Path(__file__).parent / "static" / "icon.svg")

# Before the navigation: a page's own icon, as that of the tab, would be fetched from a foreign host.
st.set_page_config(page_icon=ICON, layout="wide")
st.logo(ICON, size="medium")
entered = sign_in.entered()
page = st.navigation(
    [
        st.Page(VIEWS / f"{name}.py", title=title, icon=icon, url_path=path or None, default=not path, help=question)
        for name, title, icon, path, question in PAGES
    ],
    position="hidden" if isinstance(entered, Exception) else "top",
)
st.set_page_config(page_title=f"{page.title} · Value stream")
frame.dress()
if isinstance(entered, Exception):
    sign_in.closed(entered)
    st.stop()
filters.arrive(page.url_path)
sign_in.line(entered)
try:
    with turns.turn() as come, data.one_look():
        if come:
            page.run()
except Exception as error:  # the one boundary: whoever looks gets a sentence, the log gets the traceback
    parts.failed(error)
finally:
    memory.settle()
