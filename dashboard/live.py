"""What happens while a page is open: a harvest that runs, and new data that comes in."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data, rights, theme
from dashboard.harvest import Harvest
from dashboard.words import local, text
from vsm.errors import UsageError

OFTEN, SELDOM = 1.5, 10.0  # seconds between two looks: at a harvest that runs, and for new data
HOW = {"done": ":material/check_circle:", "failed": ":material/error:", "parked": ":material/pause_circle:"}


# A harvest. ------------------------------------------------------------------------------------------------------------


def running() -> bool:
    """Whether a harvest runs, started from a page or elsewhere."""
    found = data.harvesting()
    return found is not None and found.running


def panel() -> None:
    """Start a harvest, watch it, stop it; without sources only what the last one did, if there was one."""
    now = running()
    st.fragment(_panel, run_every=OFTEN if now else None)(now)


def _panel(was_running: bool) -> None:
    if data.viewer().streams is not None:
        return  # what sources read, and what was wrong with it, may be of streams that are not shown
    found, sources = data.harvesting(), _sources()
    if was_running and not (found and found.running):
        st.rerun()  # the whole page, with what has come
    if found is None and not sources:
        return
    with st.container(border=True, key="harvest"):
        if found is not None and found.running:
            _runs(found)
            return
        if found is not None:
            _ended(found)
        if sources:
            _offer(sources, again=found is not None)


def _sources() -> tuple[str, ...]:
    try:
        return data.sources()
    except UsageError:
        return ()


def _offer(sources: tuple[str, ...], again: bool) -> None:
    named = sources[0] if len(sources) == 1 else f"{', '.join(sources[:-1])} and {sources[-1]}"
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(
            "Harvest again" if again else "Harvest now", icon=":material/sync:", key="begin_harvest", **rights.editing()
        )
        st.caption(text(f"Reads what is new in {named}. It goes on when this page is closed."))
    if asked:
        try:
            data.begin_harvest()
        except UsageError as refused:
            st.warning(text(f"{refused}."), icon=":material/sync_problem:")
        else:
            st.rerun()


def _runs(found: Harvest) -> None:
    if found.elsewhere:
        st.markdown(":material/sync: **A harvest runs** that was not started here: it says how it goes where it was started.")
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f":material/sync: **A harvest runs**, for {found.seconds:.0f} s so far.", width="content")
        if st.button("Stop it", icon=":material/stop_circle:", key="stop_harvest", **rights.editing()):
            data.stop_harvest()
            st.toast("It ends with the page that it is at. What it has saved stays.")
    if not found.sources:
        st.caption("It is starting.")
    for source in found.sources:
        _source(source)


def _ended(found: Harvest) -> None:
    failed = sum(source["status"] != "done" for source in found.sources)
    of = theme.many(len(found.sources), "source")
    how = {
        "done": "all of it was read",
        "failed": found.error or f"{failed} of {of} could not be read to the end, the rest is saved",
        "stopped": "it was stopped; what it had saved stays, and the next one goes on from there",
        "killed": "it ended without a word; what it had saved stays, and the next one goes on from there",
    }[found.status]
    at = "" if found.ended is None else f" {local(pd.Timestamp(found.ended), data.config().timezone)}"
    st.markdown(text(f"The last harvest from here ended{at}, after {found.seconds:.0f} s: {how}."))
    for source in found.sources:
        _source(source)


def _source(source: Mapping[str, Any]) -> None:
    """One source: whether it waits, how far it is, or what came of it."""
    name, pages = text(source["source"]), theme.many(source["pages"], "page")
    read = f"{theme.many(source['rows'], 'row')} read"
    if source["status"] == "waiting":
        st.caption(f":material/schedule: **{name}** waits for its turn.")
    elif source["status"] == "running":
        of = f" of {source['total']:,}" if source["total"] else ""
        doing = f"{source['doing'] or 'saved'}, {source['done']:,}{of} · " if source["pages"] else "asking · "
        share = min(source["done"] / source["total"], 1.0) if source["total"] else 0.0
        st.progress(share, text=f"**{name}**: {text(doing)}{pages}, {read}")
    else:
        news = f"{source['new']:,} new, {max(source['changed'] - source['new'], 0):,} changed"
        said = f"{read}, {news}, in {source['seconds']:.1f} s"
        why = f". {text(_sentence(source['error']))}" if source["error"] else ""
        st.caption(f"{HOW[source['status']]} **{name}**: {text(said)}{why}")
    for note in source["notes"]:
        st.caption(text(f"Note: {note}"))


def _sentence(said: str) -> str:
    """An error as a sentence of its own."""
    return f"{said[:1].upper()}{said[1:].rstrip('.')}."


# New data. -------------------------------------------------------------------------------------------------------------


def news(by_itself: bool = False) -> None:
    """Tells when the store has new data since the page was drawn, whoever brought it; or, asked to, shows it by itself."""
    _news(data.news(), by_itself)


@st.fragment(run_every=SELDOM)
def _news(drawn: tuple[int, int] | None, by_itself: bool) -> None:
    now = data.news()
    if now is None or now == drawn:
        return
    if by_itself:
        st.rerun()
    # Nothing changes under a reader's eyes.
    with st.container(horizontal=True, vertical_alignment="center", key="news"):
        st.markdown(":material/fiber_new: **New data has come in** since this page was drawn.", width="content")
        if st.button("Show it", key="show_news", type="primary"):
            st.rerun()
