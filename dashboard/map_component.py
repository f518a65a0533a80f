"""The map on a page: a Streamlit component that shows the SVG and gives back the stage that was chosen."""

import streamlit as st

from dashboard.svg import escaped

_HTML = """<div class="vsm-map">
</div>"""

# The drawing shrinks to 85 % of its size, then scrolls: smaller letters could not be read.
_CSS = """
.vsm-map { overflow-x: auto; overflow-y: hidden; padding: 2px 0; }
.vsm-map svg { display: block; margin: 0 auto; height: auto; width: 100%; font-variant-numeric: tabular-nums; }
.stage { cursor: pointer; stroke: transparent; stroke-width: 2.5; outline: none; }
.stage:hover { fill: var(--st-primary-color); fill-opacity: 0.06; }
.stage[aria-pressed="true"] { stroke: var(--st-primary-color); }
.stage:focus-visible { stroke: var(--st-primary-color); stroke-width: 3; stroke-dasharray: 2 2; }
"""

# Runs again with each rerun and each change of theme: it draws anew only what changed, and focus and place stay.
_JS = """
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".vsm-map");
  // A choice draws the map anew: without this the keyboard would lose its place.
  const focused = root.getRootNode().activeElement?.dataset?.stage;
  if (root.drawn !== data.svg) {
    const focused = root.getRootNode().activeElement?.dataset?.stage;
    const scrolled = root.scrollLeft;
    root.innerHTML = data.svg;
    root.drawn = data.svg;
    const drawing = root.querySelector("svg");
    if (drawing) {
      const wide = drawing.viewBox.baseVal.width;
      drawing.style.minWidth = 0.85 * wide + "px";
      drawing.style.maxWidth = 1.15 * wide + "px";
    }
    root.scrollLeft = scrolled;
    const again = [...root.querySelectorAll(".stage")].find((stage) => stage.dataset.stage === focused);
    if (again) again.focus({ preventScroll: true });
  }
  const stages = [...root.querySelectorAll(".stage")];
  if (focused !== undefined) stages.find((stage) => stage.dataset.stage === focused)?.focus({ preventScroll: true });
  const press = (name) => {
    for (const stage of stages) stage.setAttribute("aria-pressed", String(stage.dataset.stage === name));
  };
  const choose = (stage) => {
    const name = stage.getAttribute("aria-pressed") === "true" ? null : stage.dataset.stage;
    press(name);
    setStateValue("stage", name);
  };
  press(data.selected);
  stages.forEach((stage, place) => {
    stage.onclick = () => choose(stage);
    stage.onkeydown = (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: stages.length - 1 }[event.key];
      if (to !== undefined) stages[Math.min(Math.max(to, 0), stages.length - 1)].focus();
      else if (event.key === "Enter" || event.key === " ") choose(stage);
      else return;
      event.preventDefault();
    };
  });
}
"""

_component = st.components.v2.component("value_stream_map", html=_HTML, css=_CSS, js=_JS)


def chosen_stage(key: str) -> str | None:
    """The stage that is chosen on the map with this key, before it is drawn."""
    state = st.session_state.get(key)
    return state.get("stage") if isinstance(state, dict) else None


def value_stream_map(svg: str, selected: str | None = None, key: str = "value_stream_map") -> str | None:
    """Show a map (`dashboard.map.value_stream_svg`) and give the stage that is chosen on it, None for none.

    `selected`: the stage to show as chosen where nobody has chosen one yet. Choosing a chosen stage
    again lets go of it. A choice that another map left behind, of a stage that this one has not, is none.
    """
    shown = chosen_stage(key) if key in st.session_state else selected
    chosen = _component(
        key=key, data={"svg": svg, "selected": shown}, default={"stage": selected}, on_stage_change=lambda: None
    ).stage
    return chosen if chosen is not None and f'data-stage="{escaped(chosen)}"' in svg else None
