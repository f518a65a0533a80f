"""Every definition on the page of the data: one drawing of them all, made once.

As some three hundred of Streamlit's elements they took more of a run than all else on the page together.
"""

from collections.abc import Iterable
from functools import cache
from html import escape
from itertools import groupby
from operator import itemgetter

import streamlit as st

from vsm.definitions import definitions

CSS = """
.vsm-definitions { --line: color-mix(in srgb, currentColor 18%, transparent); }
.vsm-definitions h3 {
  font-size: 1.1rem; font-weight: 600; line-height: 1.2; margin: 0; padding: 1.75rem 0 1rem; letter-spacing: -0.005em;
}
.vsm-definitions h3:first-child { padding-top: 0.75rem; }
.vsm-definitions .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 1rem; }
.vsm-definitions .cards > div { border: 1px solid var(--line); border-radius: 8px; padding: 15px; overflow-wrap: anywhere; }
.vsm-definitions p { margin: 0 0 0.5rem; line-height: 1.6; }
.vsm-definitions p:first-child { font-weight: 600; }
.vsm-definitions p:last-child { margin-bottom: 0; }
.vsm-definitions details { border: 1px solid var(--line); border-radius: 8px; }
.vsm-definitions summary {
  display: flex; align-items: center; gap: 0.75rem; min-height: 38px; padding: 4px 18px; border-radius: 8px; font-size: 0.875rem;
  cursor: pointer; list-style: none;
}
.vsm-definitions summary::-webkit-details-marker { display: none; }
.vsm-definitions summary::before {
  content: ""; width: 0.35rem; height: 0.35rem; border: solid currentColor; border-width: 1.5px 1.5px 0 0; transform: rotate(45deg);
}
.vsm-definitions details[open] > summary::before { transform: rotate(135deg); }
.vsm-definitions summary:focus-visible { outline: 2px solid currentColor; outline-offset: 1px; }
.vsm-definitions details > div { padding: 1rem; border-top: 1px solid var(--line); white-space: pre-wrap; line-height: 1.6; }
"""


def section() -> None:
    """The heading, and each group's metrics as cards: the definition, and all of it for who opens it."""
    st.header("Definitions", anchor=False)
    st.html(f"<style>{CSS}</style>")
    st.html(_drawn())


@cache
def _drawn() -> str:
    return drawn(definitions())


def drawn(told: Iterable[tuple[str, str, str, str]]) -> str:
    """Groups of metrics as HTML: group, metric, its definition, what else there is to say; none of it is read as markup."""
    groups = (f"<h3>{escape(group)}</h3><div class='cards'>{''.join(_card(*row[1:]) for row in rows)}</div>"
              for group, rows in groupby(told, key=itemgetter(0)))  # fmt: skip
    return f"<div class='vsm-definitions'>{''.join(groups)}</div>"


def _card(metric: str, definition: str, more: str) -> str:
    full = f"<details><summary>In full</summary><div>{escape(more)}</div></details>" if more else ""
    return f"<div><p>{escape(metric)}</p><p>{escape(definition)}</p>{full}</div>"
