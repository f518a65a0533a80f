"""The value-stream map on a page: the drawing of `dashboard.map`, in which a stage can be chosen by mouse or keyboard."""

import streamlit as st

HTML = """
<div class="map" tabindex="-1"></div>
"""

CSS = """
.map { overflow-x: auto; padding: 4px; }
.map svg { display: block; margin: 0 auto; height: auto; }
.map .stage { cursor: pointer; outline: none; }
.map .stage:hover { stroke: var(--st-primary-color); stroke-width: 1.5; }
.map .stage:focus-visible { stroke: var(--st-primary-color); stroke-width: 3; }
"""

JS = """
export default function ({ data, parentElement, setStateValue }) {
  const map = parentElement.querySelector(".map");
  const root = map.getRootNode();
  const focused = root.activeElement?.dataset?.id;
  const left = map.scrollLeft;
  if (map.drawn !== data.svg) {
    map.innerHTML = data.svg;
    map.drawn = data.svg;
    map.scrollLeft = left;
  }
  const stages = [...map.querySelectorAll("[data-id]")];
  // The drawing is replaced after each choice: without this the keyboard would lose its place.
  if (focused !== undefined) stages.find((one) => one.dataset.id === focused)?.focus({ preventScroll: true });

  const choose = (stage) => setStateValue("stage", stage.dataset.id);
  const move = (stage, by) => stages[stages.indexOf(stage) + by]?.focus();
  const keys = {
    Enter: choose,
    " ": choose,
    ArrowRight: (stage) => move(stage, 1),
    ArrowLeft: (stage) => move(stage, -1),
    Home: () => stages[0].focus(),
    End: () => stages[stages.length - 1].focus(),
  };
  // Assigned, not added: this function runs again with each change of data or theme.
  map.onclick = (event) => {
    const stage = event.target.closest("[data-id]");
    if (stage) choose(stage);
  };
  map.onkeydown = (event) => {
    const stage = event.target.closest("[data-id]");
    if (!stage || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key](stage);
  };
}
"""

_map = st.components.v2.component("value_stream_map", html=HTML, css=CSS, js=JS)


def value_stream_map(svg: str, selected: str | None, key: str) -> str | None:
    """Show a map and return the stage last chosen in it; `selected` until one is."""
    chosen = _map(key=key, data={"svg": svg}, default={"stage": selected}, on_stage_change=lambda: None).stage
    return None if chosen is None else str(chosen)
