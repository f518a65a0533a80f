"""Write down what happened, from any page with charts over time."""

from collections.abc import Callable
from datetime import date

import streamlit as st

from dashboard import data, rights
from dashboard.data import Choice
from dashboard.words import text

KINDS = {"note": "Something happened", "freeze": "Release freeze", "team": "The team changed", "rule": "A way of working changed"}


def tried(action: Callable[..., None], *values: object) -> None:
    """What a button does to the journal; where the store does not take it, that is said and the page stays."""
    try:
        action(*values)
    except ValueError as error:
        st.toast(text(f"Nothing was changed: {error}."), icon=":material/edit_off:", duration="long")


def add_button(choice: Choice, last: date) -> None:
    """Opens a dialog for a dated note; `last` is the window's last day."""
    if st.button("Add a note", icon=":material/edit:", type="tertiary", key="add_note", **rights.editing()):
        st.dialog("Write down what happened", icon=":material/edit:")(_dialog)(choice, last)


def _dialog(choice: Choice, last: date) -> None:
    form(choice, last)
    st.page_link("views/retro.py", label="All notes, and experiments", icon=":material/forum:")


def form(choice: Choice, last: date) -> None:
    """What happened, when, and what it is; kept for the chosen stream, or for all."""
    of = "all streams" if choice.stream is None else f"the stream {choice.stream}"
    st.caption(text(f"A dated note is a numbered line on every chart over time of {of}. It changes no number."))
    with st.form("note_from_anywhere", border=False):
        said = st.text_area("What happened", max_chars=2000, key="dialog_text", placeholder="Two people joined")
        on = st.date_input("On", value=last, key="dialog_on", format="YYYY-MM-DD")
        until = st.date_input("Until (where it lasted)", value=None, key="dialog_until", format="YYYY-MM-DD")
        kind = st.selectbox("What it is", list(KINDS), format_func=KINDS.__getitem__, key="dialog_kind")
        kept = st.form_submit_button("Keep it", icon=":material/edit:", **rights.editing())
    if kept:
        try:
            data.add_note(said, on or last, until, choice.stream, kind)
        except ValueError as error:
            st.warning(text(f"Not written down: {error}."), icon=":material/edit_off:")
        else:
            st.rerun()
