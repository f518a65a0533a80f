"""Dialogs with a form: one is open at a time, and stays open with its sentences until what was typed can be kept."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard import parts

_OPEN = "dialog_open"


def opener(label: str, key: str, icon: str, help_: str | None = None, **more: Any) -> None:
    """A button that opens the dialog of this key."""
    st.button(label, key=f"open_{key}", on_click=open_, args=(key,), icon=icon, help=help_, **more)


def open_(key: str) -> None:
    """Open the dialog of this key."""
    st.session_state[_OPEN] = key


def close() -> None:
    """Close the dialog that is open."""
    st.session_state.pop(_OPEN, None)


def shown(key: str, title: str, body: Callable[..., None], *values: Any) -> None:
    """Show the dialog of this key where it is open. Its body calls `done` once it has kept what was typed."""
    if st.session_state.get(_OPEN) == key:
        st.dialog(parts.text(title), on_dismiss=close, icon=":material/edit:")(body)(*values)


def done() -> None:
    """Close the dialog and draw the page anew."""
    close()
    st.rerun()


def wrong(sentences: Sequence[str]) -> None:
    """Why what was typed cannot be kept, a sentence each."""
    if sentences:
        st.warning("  \n".join(map(parts.text, sentences)), icon=":material/edit_off:")


def sentence(error: ValueError) -> str:
    """What an error says, as a sentence."""
    said = str(error)
    return f"{said[:1].upper()}{said[1:]}."
