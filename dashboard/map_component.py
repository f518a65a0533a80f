"""The map on a page: a Streamlit component that shows the SVG and gives back what was chosen on it."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from dashboard.components import component_key
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
export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".vsm-map");
  const keyOf = (one) => one?.dataset?.group ?? one?.dataset?.stage;
  // A choice draws the map anew: without this the keyboard would lose its place. What opens a group closes it, too.
  const focused = keyOf(root.getRootNode().activeElement);
  if (root.drawn !== data.svg) {
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
  }
  const stages = [...root.querySelectorAll(".stage")];
  if (focused !== undefined) stages.find((one) => keyOf(one) === focused)?.focus({ preventScroll: true });
  const press = (name) => {
    for (const one of stages) {
      if (one.dataset.stage !== undefined) one.setAttribute("aria-pressed", String(one.dataset.stage === name));
    }
  };
  const choose = (one) => {
    if (one.dataset.group !== undefined) return setTriggerValue("group", one.dataset.group);
    if (data.once) return setTriggerValue("picked", one.dataset.stage);
    const name = one.getAttribute("aria-pressed") === "true" ? null : one.dataset.stage;
    press(name);
    setStateValue("stage", name);
  };
  press(data.selected);
  stages.forEach((one, place) => {
    one.onclick = () => choose(one);
    one.onkeydown = (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: stages.length - 1 }[event.key];
      if (to !== undefined) stages[Math.min(Math.max(to, 0), stages.length - 1)].focus();
      else if (event.key === "Enter" || event.key === " ") choose(one);
      else if (event.key === "Escape" && one.getAttribute("aria-pressed") === "true") choose(one);
      else return;
      event.preventDefault();
    };
  });
}
"""

_component = st.components.v2.component("value_stream_map", html=_HTML, css=_CSS, js=_JS)


def chosen_stage(key: str, otherwise: str | None = None) -> str | None:
    """The stage that is chosen on the map with this key, before it is drawn; `otherwise` where nobody has chosen there yet."""
    state = st.session_state.get(component_key(key))
    return state.get("stage") if isinstance(state, dict) else otherwise


def value_stream_map(
    svg: str, selected: str | None = None, key: str = "value_stream_map", on_group: Callable[[str | None], None] | None = None
) -> str | None:
    """Show a map (`dashboard.map.value_stream_svg`) and give the stage that is chosen on it, None for none.

    `selected`: the stage to show as chosen where nobody has chosen one yet. Choosing a chosen stage
    again, or Escape, lets go of it. A choice that another map left behind, of a stage that this one
    has not, is none. `on_group`: called with the name of a group that is to be opened or closed.
    """
    shown = chosen_stage(key, selected)
    chosen = _component(
        key=component_key(key),
        data={"svg": svg, "selected": shown, "once": False},
        default={"stage": selected},
        on_stage_change=lambda: None,
        on_group_change=partial(_group, key, on_group),
        on_picked_change=lambda: None,
    ).stage
    return chosen if chosen is not None and f'data-stage="{escaped(chosen)}"' in svg else None


def pick_on_map(svg: str, key: str, on_group: Callable[[str | None], None] | None = None) -> str | None:
    """Show a map on which nothing stays chosen, and give the stage that was picked just now, None for none."""
    picked: str | None = _component(
        key=component_key(key),
        data={"svg": svg, "selected": None, "once": True},
        default={"stage": None},
        on_stage_change=lambda: None,
        on_group_change=partial(_group, key, on_group),
        on_picked_change=lambda: None,
    ).picked
    return picked


def _group(key: str, on_group: Callable[[str | None], None] | None) -> None:
    if on_group is not None:
        on_group(st.session_state[component_key(key)].group)
