"""The board on a page: a Streamlit component that shows the cards and says which one was opened."""

from collections.abc import Callable

import streamlit as st

from dashboard.board import CSS
from dashboard.components import component_key

_HTML = """<div class="vsm-board">
</div>"""

# Draws anew only what changed, so that scrolling and focus stay where they are; after a card's path is closed, the keyboard is
# back at that card.
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".vsm-board");
  if (root.drawn !== data.board) {
    const scrolled = root.querySelector(".board")?.scrollLeft ?? 0;
    root.innerHTML = data.board;
    root.drawn = data.board;
    const board = root.querySelector(".board");
    if (board) board.scrollLeft = scrolled;
  }
  const button = (key) => [...root.querySelectorAll("[data-item]")].find((one) => one.dataset.item === key);
  const open = (card) => {
    root.left = card.dataset.item;
    setTriggerValue("item", card.dataset.item);
  };
  root.onclick = (event) => {
    if (event.target.closest("a")) return;
    const card = event.target.closest(".card")?.querySelector("[data-item]");
    if (card && !String(getSelection())) open(card);
  };
  root.onkeydown = (event) => {
    const from = event.target.closest("[data-item]");
    if (!from) return;
    const lists = [...root.querySelectorAll("ul")];
    const column = from.closest("ul");
    const cards = [...column.querySelectorAll("[data-item]")];
    const place = cards.indexOf(from);
    const beside = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    let to;
    if (event.key === "ArrowDown") to = cards[place + 1];
    else if (event.key === "ArrowUp") to = cards[place - 1];
    else if (beside) {
      const next = [...(lists[lists.indexOf(column) + beside]?.querySelectorAll("[data-item]") ?? [])];
      to = next[Math.min(place, next.length - 1)];
    }
    if (!to) return;
    to.focus();
    event.preventDefault();
  };
  if (root.opened && !data.opened && root.left === root.opened) {
    // The page cannot take the focus before the dialog is gone, and whoever went on meanwhile is left alone.
    const back = (times) => {
      const at = document.activeElement;
      const card = button(root.left);
      if (!card || root.getRootNode().activeElement === card || (at && at !== document.body)) return;
      card.focus({ preventScroll: true });
      if (times) setTimeout(back, 120, times - 1);
    };
    back(20);
  }
  root.opened = data.opened;
}
"""

_component = st.components.v2.component("kanban_board", html=_HTML, css=CSS, js=_JS)


def show(board: str, key: str, opened: str | None = None, on_open: Callable[[str], None] | None = None) -> None:
    """Show a board (`dashboard.board.board_html`). `key`: what tells it from another on the page.

    `opened`: the item whose path is open. `on_open` is told the item of a card that was clicked, or opened by the keyboard.
    """
    key = component_key(key)

    def chosen() -> None:
        item = getattr(st.session_state.get(key), "item", None)
        if item and on_open is not None:
            on_open(item)

    _component(key=key, data={"board": board, "opened": opened}, on_item_change=chosen)
