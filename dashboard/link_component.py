"""A button that copies the address of what is shown: all that was chosen stands in it."""

import streamlit as st

_HTML = """<button type="button" class="copy">Copy link</button>
<span class="said" role="status"></span>"""
_CSS = """
.copy {
  font: inherit; font-size: 0.875rem; color: var(--st-text-color); background: none; cursor: pointer; white-space: nowrap;
  border: 0; border-radius: var(--st-button-radius); padding: 0; min-height: 1.75rem;
}
.copy:hover { color: var(--st-primary-color); }
.copy:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""
# Without a secure address a browser lets no page write to the clipboard: then the link is shown to be copied by hand.
_JS = """
export default function ({ data, parentElement }) {
  // Streamlit empties the address at a switch of page and may lose what the server says of it: it is written once that is over.
  clearTimeout(parentElement.telling);
  if (data.query) parentElement.telling = setTimeout(() => {
    const address = new URL(window.location.href);
    const there = new Set(address.searchParams.keys());
    for (const [name, value] of new URLSearchParams(data.query)) if (!there.has(name)) address.searchParams.append(name, value);
    if (address.href !== window.location.href) window.history.replaceState(window.history.state, "", address);
  }, 500);
  const button = parentElement.querySelector(".copy");
  const said = parentElement.querySelector(".said");
  const usual = "Copy link";
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(window.location.href);
      button.textContent = "Link copied";
      said.textContent = "Link copied";
      setTimeout(() => { button.textContent = usual; said.textContent = ""; }, 2500);
    } catch {
      window.prompt("The link to this view:", window.location.href);
    }
  };
}
"""

_component = st.components.v2.component("copy_link", html=_HTML, css=_CSS, js=_JS)


def copy_link(query: str = "") -> None:
    """Show the button; `query`: what the address should say, too."""
    with st.container(width="content", key="copy_link"):
        _component(key="copy_link_button", data={"query": query})
