"""The whole path of one item, in a dialog that its address opens again: `?item=KEY`."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import counted, data, parts, tables, theme
from dashboard.charts.path import timeline
from dashboard.charts.spec import specification
from dashboard.parts import text
from vsm.path import Path

ITEM = "item"  # the query parameter
HOURS = {"wait": "waiting", "work": "in work", "unknown": "waiting or work, not told apart", "blocked": "blocked"}
SOME = 8  # related tickets; an epic's are on the board and in the search
COLUMNS = {
    "at": "when", "what": "what", "url": "url", "means": "means", "person": "by", "environment": "environment",
    "rule": "linked by", "strength": "how sure", "source": "source",
}  # fmt: skip


def asked() -> str | None:
    """The item whose path is open."""
    return st.query_params.get(ITEM) or None


def ask(item: str) -> None:
    """Open an item's path with the next run, and put it into the address."""
    st.query_params[ITEM] = item


def close() -> None:
    """Take it out of the address."""
    st.query_params.pop(ITEM, None)


def opened() -> None:
    """Show the path of the item that the address names. Once a page, after all else."""
    item = asked()
    if item is None:
        return
    way = data.way(item)
    said = f"{item[:80]}: not found" if way is None else f"The path of {way.key}"
    st.dialog(text(said), width="large", icon=":material/route:", on_dismiss=close)(_content)(item, way)


def _content(item: str, way: Path | None) -> None:
    if way is None and counted.url() is not None:
        st.info(counted.NO_PATH, icon=":material/search_off:")
        return
    if way is None:
        said = f"There is no item “{item[:200]}”. A ticket's key, such as PAY-12, or a change's id, such as shop#7, opens a path."
        st.info(text(said), icon=":material/search_off:")
        return
    zone = data.told().config.timezone
    with st.container(gap="xsmall"):
        _head(way, zone)
    _drawing(way, zone)
    _related(way)
    _events(way)


def _head(way: Path, zone: str) -> None:
    """What it is, where it stands, and how its time was spent."""
    about = way.about
    st.markdown(f"**{text(about.get('title') or 'No title')}**")
    if way.asked.casefold() != way.key.casefold():
        st.caption(text(f"{way.asked} belongs to {way.key}: this is the path of the whole."))
    named = [about.get("type"), about.get("team"), way.stream and f"stream {way.stream}", _state(way, zone)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(text(" · ".join(part for part in named if part)), width="content")
        if tables.may_follow(about.get("url")):
            st.link_button("Open at its source", about["url"], icon=":material/open_in_new:", type="tertiary")
    spent = [f"{theme.duration(way.hours[kind])} {words}" for kind, words in HOURS.items() if way.hours.get(kind)]
    if spent:
        st.markdown(text(", ".join(spent)))


def _state(way: Path, zone: str) -> str:
    about = way.about
    state, since = about.get("state"), about.get("stage_since")
    if state == "in progress" and since is not None:
        return f"in {about['stage']} since {parts.local(since, zone)}, {theme.duration((way.now - since) / pd.Timedelta(hours=1))}"
    if state == "done" and about.get("done_at") is not None:
        return f"done {parts.local(about['done_at'], zone)}"
    if state == "cancelled" and about.get("cancelled_at") is not None:
        return f"given up {parts.local(about['cancelled_at'], zone)}"
    if state in ("no events", None):
        return "in no stage" + (f", status {about['status']}" if about.get("status") else "")
    return {"new": "not started"}.get(str(state), str(state))


def _drawing(way: Path, zone: str) -> None:
    stages = [] if way.workflow is None else [stage.name for stage in way.workflow.stages]
    now = way.now.tz_convert(zone).tz_localize(None)
    chart = timeline(tables.naive(way.spans, zone, "from", "to"), now, stages)
    if chart is None:
        st.info("Nothing is known of when it did what.", icon=":material/event_busy:")
        return
    st.vega_lite_chart(spec=specification(chart), width="stretch", key="path_timeline", alt=f"Timeline of {way.key}: {_said(way)}")
    with st.expander("The same as a table"):
        spans = way.spans.assign(to=way.spans["to"])[["lane", "row", "name", "kind", "from", "to", "hours", "said", "url", "rule"]]
        parts.rows_of(spans, f"path_spans_{way.key}", "Nothing is known of when it did what.")


def _said(way: Path) -> str:
    """The timeline in a sentence."""
    own = way.spans[(way.spans["lane"] == "ticket") & (way.spans["kind"] != "outside")]
    if own.empty:
        return "it was in no stage yet"
    longest = own.sort_values("hours", ascending=False, kind="stable").iloc[0]
    return f"longest was {HOURS.get(longest['kind'], longest['kind'])} in {longest['name']}, {theme.duration(longest['hours'])}"


def _related(way: Path) -> None:
    """The tickets that it has to do with; those that are known lead to their own path."""
    if way.related.empty:
        return
    st.caption("Has to do with")
    with st.container(horizontal=True, gap="small"):
        for row in way.related.head(SOME).to_dict("records"):
            title = f": {row['title']}" if isinstance(row["title"], str) else ""
            said = text(f"{row['how']} {row['key']}{title}"[:80])
            if st.button(said, key=f"related_{row['how']}_{row['key']}", disabled=not row["has_path"], type="tertiary"):
                ask(row["key"])
                st.rerun()
        if len(way.related) > SOME:
            st.caption(f"and {len(way.related) - SOME:,} more", width="content")


def _events(way: Path) -> None:
    """Every event with its source; steps whose end is told, too, only when they are asked for."""
    few = way.events[~way.events["detail"]]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("**What happened**", width="content")
        every = len(few) < len(way.events) and st.toggle(f"Every step ({len(way.events):,})", key="path_every_step")
    rows: dict[str, Any] = {new: (way.events if every else few)[old] for old, new in COLUMNS.items()}
    told = pd.DataFrame(rows)
    parts.rows_of(
        told.loc[:, [name for name in told if name in ("when", "what") or told[name].notna().any()]], f"path_{way.key}", "Nothing."
    )
