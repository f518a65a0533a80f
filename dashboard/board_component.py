"""The board on a page."""

from collections.abc import Sequence

import streamlit as st

from dashboard.board import CSS, MOST, Column, board_html
from dashboard.components import component_key

_HTML = """<div class="vsm-board">
</div>"""

# Draws anew only what changed, so that scrolling and focus stay where they are.
_JS = """
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".vsm-board");
  if (root.drawn === data.board) return;
  root.innerHTML = data.board;
  root.drawn = data.board;
}
"""

_component = st.components.v2.component("kanban_board", html=_HTML, css=CSS, js=_JS)


def show(columns: Sequence[Column], key: str, new: int | None = None, most: int = MOST, of: str = "") -> None:
    """Show a board (`dashboard.board.board_html`). `key`: what tells it from another on the page."""
    _component(key=component_key(key), data={"board": board_html(columns, new, most, of)})
