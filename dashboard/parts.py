"""Pieces that pages are made of: the head, tiles, cards, what to show when there is nothing, and where a number comes from."""

from collections.abc import Callable

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import data, filters, theme
from dashboard.data import Choice, Known, NothingYet
from vsm.errors import UsageError
from vsm.explain import rows_shown
from vsm.measure import Measures
from vsm.metrics.compare import Comparison, compare
from vsm.metrics.figure import FEW, Figure

WORDS = {"more": "clearly more", "less": "clearly less", "no clear change": "no clear change", "too few to say": "too few to say"}
STALE_DAYS = 7


def head(question: str) -> tuple[Choice, Measures]:
    """The page's question, the filter line, the freshness line; stops the page where there is nothing to show."""
    st.title(question)
    try:
        known = data.known()
        choice = filters.line(known)
        measures = data.measures(choice)
    except NothingYet as nothing:
        no_source(str(nothing))
        st.stop()
    except UsageError as error:
        st.warning(text(str(error)), icon=":material/build:")
        st.stop()
    freshness(known, measures)
    if not len(measures.items) and not len(measures.figures["deployment_frequency"].rows):
        no_rows(known, measures)
        st.stop()
    return choice, measures


def text(said: str) -> str:
    """Text from outside, so that it stays text where Streamlit reads Markdown."""
    for sign in "\\`*_{}[]<>#$:~|":
        said = said.replace(sign, f"\\{sign}")
    return said


def freshness(known: Known, measures: Measures) -> None:
    """One line: as of when, how much of it is linked, how many doubts; all of it is on the data page."""
    read = "never" if known.last_read is None else local(known.last_read, known.zone)
    coverage = measures.figures["changes_deployed"]
    with st.container(horizontal=True, key="freshness", gap="small"):
        st.badge(f"Newest fact {local(known.now, known.zone)}", icon=":material/schedule:", color="gray")
        stale = known.stale_days is not None and known.stale_days > STALE_DAYS
        st.badge(f"Last read {read}", icon=":material/sync:", color="orange" if stale else "gray")
        if coverage.n:
            share = theme.rate(coverage.values["value"])
            st.badge(f"{share} of {coverage.n} merged changes in production", icon=":material/link:", color="green")
        if len(measures.quality):
            st.badge(f"{len(measures.quality)} notes on the data", icon=":material/info:", color="orange")
        if measures.workflow is not None and measures.workflow.derived:
            st.badge("Stages derived, not configured", icon=":material/auto_fix:", color="orange")


def local(time: pd.Timestamp, zone: str) -> str:
    """A time in the reporting zone, as people write it."""
    return f"{time.tz_convert(zone):%-d %b %Y, %H:%M}"


def no_source(missing: str) -> None:
    """Nothing was ever read: what is needed, and the commands that bring it."""
    st.info(text(missing), icon=":material/database:")
    st.subheader("Bring in data")
    left, middle, right = st.columns(3)
    with left.container(border=True, height="stretch"):
        st.markdown("**Look at the sample**")
        st.caption("A fictional organisation's year, with what was planted in it.")
        st.code("make demo", language="bash")
    with middle.container(border=True, height="stretch"):
        st.markdown("**Harvest a git clone**")
        st.caption("Commits, pull requests and releases, without an account anywhere.")
        st.code("cd your-clone\nvsm collect git", language="bash")
    with right.container(border=True, height="stretch"):
        st.markdown("**Import a folder of facts**")
        st.caption("CSV or JSON lines: tickets, changes, deployments, incidents.")
        st.code("vsm import FOLDER", language="bash")


def no_rows(known: Known, measures: Measures) -> None:
    """There is data, but none of it is in this scope."""
    scope = measures.scope
    st.info(
        f"Nothing happened between {local(scope.start, known.zone)} and {local(scope.end, known.zone)} in what was chosen. "
        f"That is not the same as zero: the store holds {sum(measures.flow.facts.counts().values()):,} facts up to "
        f"{local(known.now, known.zone)}.",
        icon=":material/event_busy:",
    )
    st.button("Show 52 weeks", on_click=filters.widen, icon=":material/date_range:")


def tile(label: str, figure: Figure, value: str, written: Callable[[float | None], str], before: Figure | None, spark: str | None) -> None:
    """A number with its n, its interval, the period before with a verdict, its trend, and where it comes from."""
    with st.container(border=True, height="stretch"):
        found = compare(figure, before, value) if before is not None else None
        few = 0 < figure.n < FEW and "hours" in figure.rows
        st.metric(
            label,
            f"{figure.n} of them" if few else written(figure.values.get(value)),
            delta=None if found is None else _delta(found, written),
            delta_color="off",
            delta_arrow="off",
            chart_data=_trend(figure, spark),
            chart_type="bar" if value == "per_week" else "line",
        )
        st.caption(text(_beside(figure, few)))
        if figure.values.get(value) is None and "why" in figure.said:
            st.caption(text(figure.said["why"]))
        explain_button(figure, label)


def _delta(found: Comparison, written: Callable[[float | None], str]) -> str:
    was = "no data before" if found.before is None else f"was {written(found.before)}"
    return f"{was}: {WORDS[found.verdict]}" if found.difference is not None else was


def _trend(figure: Figure, column: str | None) -> list[float] | None:
    """The figure by whole week, without the weeks that have no value."""
    if column is None or figure.series is None or column not in figure.series:
        return None
    whole = figure.series[figure.series["whole"]][column].dropna()
    return [float(value) for value in whole] if len(whole) > 1 else None


def _beside(figure: Figure, few: bool) -> str:
    """What stands beside the number: n, coverage, interval or p85; few observations one by one."""
    if few:
        return "each: " + ", ".join(theme.duration(hours) for hours in sorted(figure.rows["hours"]))
    said = [f"n = {figure.n:,}" + (f" of {figure.of:,}" if figure.of is not None and figure.of != figure.n else "")]
    values = figure.values
    if values.get("low") is not None:
        said.append(f"95 % interval {theme.rate(values['low'])} to {theme.rate(values['high'])}")
    if values.get("p85") is not None:
        said.append(f"85 % within {theme.duration(values['p85'])}")
    if values.get("days") is not None:
        said.append(f"on {values['days']:.0f} days")
    if values.get("open"):
        said.append(f"{values['open']:.0f} open")
    return " · ".join(said)


def explain_button(figure: Figure, label: str, key: str = "") -> None:
    """Opens where the number comes from."""
    if st.button("Where this number comes from", key=f"explain_{figure.name}_{key}", type="tertiary", icon=":material/help:"):
        explain(figure, label)


@st.dialog("Where this number comes from", width="large", icon=":material/help:")
def explain(figure: Figure, label: str) -> None:
    """The definition, the rule with its figures, the rows that were counted, and what was left out and why."""
    st.subheader(text(label))
    st.markdown(text(figure.definition))
    st.markdown(f"**{text(figure.rule)}**")
    if figure.of is not None:
        st.caption(f"{figure.n:,} of {figure.of:,} that could have counted")
    for name, words in figure.said.items():
        st.caption(f"{text(name.capitalize())}: {text(words)}")
    flow = data.measures(Choice(None, None, 26, False)).flow
    rows = rows_shown(figure.rows, flow.people, flow.config.privacy.people)
    counted, left = st.tabs([f"Counted ({len(rows):,})", f"Left out ({len(figure.left_out):,})"])
    with counted:
        table(rows, flow.config.timezone, key=f"rows_{figure.name}")
        st.download_button("These rows as CSV", lambda: csv(rows), f"{figure.name}.csv", "text/csv", on_click="ignore", key=f"csv_{figure.name}")
    with left:
        if figure.left_out.empty:
            st.markdown("Nothing was left out.")
        else:
            reasons = figure.left_out["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
            st.dataframe(reasons, hide_index=True)
            st.dataframe(figure.left_out, hide_index=True)


def table(rows: pd.DataFrame, zone: str, key: str | None = None) -> None:
    """Rows with times in the reporting zone, links as links."""
    shown = rows.copy()
    config = {}
    for name in shown.columns:
        if isinstance(shown[name].dtype, pd.DatetimeTZDtype):
            shown[name] = shown[name].dt.tz_convert(zone).dt.tz_localize(None)
            config[name] = st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")
        elif name == "url":
            config[name] = st.column_config.LinkColumn("link", display_text="open")
        elif shown[name].dtype.kind == "f":
            config[name] = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(shown, hide_index=True, column_config=config, key=key)


def csv(rows: pd.DataFrame) -> bytes:
    """Rows as CSV for a spreadsheet: a cell that would be a formula is quoted, times are ISO in UTC."""
    ready = rows.copy()
    for name in ready.columns:
        if ready[name].dtype == "str" or ready[name].dtype == object:
            cells = ready[name].astype("object")
            ready[name] = cells.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell)
    return ready.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ").encode("utf-8-sig")


def card(title: str, finding: str, chart: alt.Chart | alt.LayerChart | None, key: str, **options: object) -> object:
    """A chart with what it says; without data it says that."""
    with st.container(border=True, height="stretch", key=f"card_{key}"):
        st.subheader(text(title))
        st.caption(text(finding))
        if chart is None:
            st.info("No data for this in the window. That is not the same as zero.", icon=":material/event_busy:")
            return None
        return st.altair_chart(chart, width="stretch", key=key, alt=f"{title}. {finding}", **options)


def naive(rows: pd.DataFrame, zone: str, *names: str) -> pd.DataFrame:
    """Times as naive local ones: a chart shows the same wall clock to every viewer."""
    return rows.assign(**{name: rows[name].dt.tz_convert(zone).dt.tz_localize(None) for name in names})
