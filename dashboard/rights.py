"""What of a page somebody may use: controls for editors are there for all, and say to whom they are closed and why."""

from typing import Any

import streamlit as st

from dashboard import data
from dashboard.words import text

WHY = "Only editors may do this, and you may look. Whoever runs the dashboard can make you one ([access] in vsm.toml)."


def editing() -> dict[str, Any]:
    """How a control that writes something down is drawn: as it is for editors, closed with the reason for others."""
    return {} if data.viewer().editor else {"disabled": True, "help": WHY}


def opening() -> dict[str, Any]:
    """The same for what opens a dialog (`dialogs.opener`)."""
    return {} if data.viewer().editor else {"disabled": True, "help_": WHY}


def left_out() -> None:
    """Says which streams are shown where others are not."""
    allowed = data.viewer().allowed
    if allowed is not None:
        named = ", ".join(allowed)
        st.badge(
            text(f"Only {named}: other streams are not shown to you"),
            icon=":material/visibility_off:",
            color="orange",
            help="Every number, chart, search and file here speaks of these streams alone, also where it says all streams.",
        )
