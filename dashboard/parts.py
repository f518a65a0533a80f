"""Pieces that pages are made of: the head, tiles, tables, what to show when there is nothing, and where a number comes from."""

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.errors import FragmentHandledException

from dashboard import counted, data, filters, frame, live, notes, rights, sheets, tables, theme
from dashboard.data import Choice, Known, NothingYet
from dashboard.link_component import copy_link
from dashboard.shared import made_of
from dashboard.words import dated, together
from dashboard.words import day as day
from dashboard.words import local as local
from dashboard.words import text as text
from vsm.access import NotAllowed, SignedOut
from vsm.errors import UsageError
from vsm.measure import Measures
from vsm.metrics.compare import Comparison
from vsm.metrics.figure import FEW, Figure

BODY = 640  # pixels: about what of a page is seen below its filters
MOST_ROWS = 5_000  # of a table in a browser: more are not read there, and 100,000 of them are 20 MB
WHERE_FROM = "Where this number comes from"
TRUST = "Can I trust this?"  # the question of the page that every page's line of freshness leads to
MEETING = "What do we take into the meeting?"  # that page has a place of its own for notes


# The head of a page. ---------------------------------------------------------------------------------------------------


def head(question: str) -> tuple[Choice, Measures]:
    """The page's question, the filter line, the freshness line; stops the page where there is nothing to show."""
    st.title(question, anchor=False)
    try:
        with waiting("known", data.known_already()):
            known = data.known()
        choice = filters.line(known)
        with waiting("measured", data.measured_already(choice)):
            measures = data.measures(choice)
    except NothingYet as nothing:
        no_source(str(nothing))
        live.news(by_itself=True)
        st.stop()
    except UsageError as error:
        st.warning(text(str(error)), icon=":material/build:")
        st.stop()
    freshness(known, choice, measures, question)
    if known.engine is not None:
        st.info(text(known.engine), icon=":material/database:")
    live.news()
    if question != TRUST and (known.stale or live.running()):
        live.panel()
    if not any(figure.n for figure in measures.figures.values()):
        no_rows(known, choice, measures)
        st.stop()
    return choice, measures


@contextmanager
def waiting(key: str, ready: bool) -> Iterator[None]:
    """What is slow says above a placeholder as large as what comes how far it is; where it is ready, neither is there."""
    said = st.container(gap=None, key=f"waiting_{key}")
    if ready:
        st.empty()  # in the placeholder's place, so that all that follows stays in its own
        yield
        return
    with st.skeleton(height=BODY), said:
        yield


def freshness(known: Known, choice: Choice, measures: Measures, question: str) -> None:
    """One line: as of when, how much of it is linked, how many doubts; all of it is on the data page."""
    coverage = measures.figures["changes_deployed"]
    share = coverage.values["value"]
    with st.container(horizontal=True, vertical_alignment="center", key="freshness", gap="xsmall"):
        frame.on_paper(_chosen(known, choice, measures))
        rights.left_out()
        st.badge(f"Data as of {text(local(known.now, known.zone))} ({text(known.zone)})", icon=":material/schedule:", color="gray")
        icon = ":material/sync_problem:" if known.stale else ":material/sync:"
        st.badge(_last_read(known), icon=icon, color="orange" if known.stale else "gray")
        if share is not None:
            well = share >= tables.GOOD_COVERAGE
            said = f"{theme.rate(share)} of {theme.many(coverage.n, 'merged change')} seen in production"
            st.badge(text(said), icon=":material/link:" if well else ":material/link_off:", color="green" if well else "orange")
        if measures.workflow is not None and measures.workflow.derived:
            st.badge("Stages derived, not configured", icon=":material/auto_fix_high:", color="orange")
        if len(measures.quality):
            st.badge(f"{theme.many(len(measures.quality), 'remark')} on the data", icon=":material/info:", color="orange")
        if question != TRUST:
            st.page_link("views/data.py", label=TRUST, icon=":material/arrow_forward:", width="content")
        if question not in (TRUST, MEETING):
            notes.add_button(choice, measures.scope.end.tz_convert(known.zone).date())
        copy_link(filters.brought_along())


def _chosen(known: Known, choice: Choice, measures: Measures) -> str:
    """What was chosen and as of when, for paper, where no filter is seen."""
    parts = (choice.stream or filters.STREAMS, choice.team or filters.TEAMS, choice.application, choice.level)
    scope = measures.scope
    window = f"{day(scope.start, known.zone)} to {day(scope.end, known.zone)}"
    return " · ".join([*filter(None, parts), window, f"data as of {local(known.now, known.zone)} ({known.zone})"])


def _last_read(known: Known) -> str:
    if known.engine is not None:
        return "Counted in an engine"
    if known.last_read is None:
        return "Never read to the end"
    ago = f", {theme.many(known.days_old or 0, 'day')} ago" if known.stale else ""
    return f"Last read {text(local(known.last_read, known.zone))}{ago}"


def maps(choice: Choice, measures: Measures) -> list[tuple[str, Measures]]:
    """The scopes that have a map of stages, with their streams' names."""
    alone = choice.stream or (measures.workflow.name if measures.workflow else "All work")
    return list(measures.streams.items()) or [(alone, measures)]


def only_button(stream: str, measures: Measures) -> None:
    """Where several streams are on a page, a way to look at one alone."""
    if measures.streams:
        st.button(
            "Only this stream",
            key=f"only_{stream}",
            on_click=filters.only,
            args=(stream,),
            type="tertiary",
            icon=":material/filter_alt:",
        )


# Nothing to show, three kinds of it. -----------------------------------------------------------------------------------


def no_source(missing: str) -> None:
    """Nothing was ever read: what is needed, and the commands that bring it."""
    st.info(f"{text(missing)} Nothing is broken: it has only not been given anything to look at.", icon=":material/database:")
    live.panel()
    st.header("Bring in data, one of three ways", anchor=False)
    ways = (
        ("Look at the sample", "A fictional organisation's year, with what was planted in it.", "make demo"),
        ("Harvest a git clone", "Commits, merges and releases, without an account anywhere.", "cd your-clone\nvsm collect git"),
        ("Import a folder of facts", "CSV or JSON lines: tickets, changes, deployments, incidents.", "vsm import FOLDER"),
    )
    with st.grid(3, min_column_width=300):
        for title, what, commands in ways:
            with st.container(border=True, height="stretch"):
                st.subheader(title, anchor=False)
                st.caption(what)
                st.code(commands, language=None)  # the colours of a language have too little contrast
    st.caption("This page shows it as soon as it is there. The terminal that serves it says which store it looks at.")


def no_rows(known: Known, choice: Choice, measures: Measures) -> None:
    """There is data, but none of it is in what was chosen."""
    scope = measures.scope
    whose = (("stream", choice.stream), ("team", choice.team), ("application", choice.application))
    of = " and ".join(f"{what} {name}" for what, name in whose if name) or "everything"
    read = "never" if known.last_read is None else local(known.last_read, known.zone)
    st.info(
        text(
            f"Nothing is known of {of} between {local(scope.start, known.zone)} and {local(scope.end, known.zone)}. "
            f"That is not the same as zero. The store holds {theme.many(known.facts, 'fact')} up to "
            f"{local(known.now, known.zone)}; it was last read {read}."
        ),
        icon=":material/event_busy:",
    )
    with st.container(horizontal=True):
        if filters.PERIODS[filters.LONGEST] > choice.weeks:
            st.button(f"Show {filters.LONGEST}", on_click=filters.widen, icon=":material/date_range:", type="primary")
        if choice.stream or choice.team or choice.application:
            st.button("Show all streams and teams", on_click=filters.everybody, icon=":material/filter_alt_off:")


def failed(error: Exception) -> None:
    """Something is broken: a sentence with a number that is in the log, too."""
    if isinstance(error, FragmentHandledException):  # a part of the page that has said so itself
        return
    if isinstance(error, SignedOut | NotAllowed):  # in a callback, or since the page was drawn
        st.warning(text(str(error)), icon=":material/lock:")
        return
    number = secrets.token_hex(4)
    logging.getLogger("dashboard").error("error %s", number, exc_info=error)
    st.error(
        "Something broke here, and it is not your doing. Load the page again; "
        f"if it stays, the log of the server says why: look for error {number}.",
        icon=":material/error:",
    )


# A number. -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """A number as a page shows it.

    ``value``: its name in the figure's values; ``written``: how to write it; ``counted``: a count, which
    any number of things has, and no percentile or rate; ``spark``: the column of the series that is its
    trend, drawn as bars or a line; ``more``, ``less``: what a clear change is called, empty where no
    verdict is given; ``good``: which of the two is good, if one is.
    """

    label: str
    figure: str
    value: str
    written: Callable[[float | None], str]
    counted: bool = False
    spark: str = ""
    bars: bool = True
    more: str = ""
    less: str = ""
    good: str = ""


def tile(told: Tile, figures: dict[str, Figure], before: dict[str, Figure], key: str = "") -> None:
    """A number with its n, its interval, the period before with a verdict, its trend, and where it comes from."""
    figure = figures[told.figure]
    past = before.get(told.figure)
    found = None if past is None else data.compared(figure, past, told.value)
    few = 0 < figure.n < FEW and not told.counted
    with st.container(border=True, height="stretch", vertical_alignment="distribute", key=f"tile_{told.figure}_{told.value}_{key}"):
        with st.container(gap="xsmall"):
            st.metric(
                told.label,
                tables.few(figure) if few else told.written(figure.values.get(told.value)),
                **_change(told, found, past.n if past else 0),
                chart_data=_trend(figure, told.spark),
                chart_type="bar" if told.bars else "line",
                help=_help(figure, found if told.more else None),
            )
            for line in tables.beside(figure, told.value, few):
                st.caption(text(together(dated(line))))
            if told.more and found is not None and found.verdict == "not compared":
                st.caption(text(dated(f"Not compared: {found.rule}.")))
            if found is not None and found.look is not None:
                st.caption(f":material/visibility: Last whole week: {text(found.look)}. Worth a look, no change by itself.")
        explain_button(figure, told.label, key=f"{told.value}_{key}")


def _change(told: Tile, found: Comparison | None, n: int) -> dict[str, Any]:
    """How a metric says what it was before (of `n`), and whether that is a clear change: in words, which a colour underlines."""
    if found is None or (found.now is None and found.before is None):
        return {"delta": None, "delta_color": "blue"}
    if found.before is None:
        return {"delta": "no data before", "delta_color": "gray", "delta_arrow": "off"}
    few = n < FEW and not told.counted
    was = text(f"n was {n}" if few else f"was {told.written(found.before).removesuffix(' / week')}")
    if not told.more:
        return {"delta": was, "delta_color": "gray", "delta_arrow": "off"}
    if found.verdict not in ("more", "less"):
        return {"delta": found.verdict, "delta_color": "gray", "delta_arrow": "off", "delta_description": was}
    more = found.verdict == "more"
    colour = "gray" if not told.good else "green" if told.good == found.verdict else "red"
    return {
        "delta": told.more if more else told.less,
        "delta_color": colour,
        "delta_arrow": "up" if more else "down",
        "delta_description": was,
    }


def _help(figure: Figure, found: Comparison | None) -> str:
    rule = "" if found is None else f" The period before is as long as this one and ends where it begins. Compared as {found.rule}."
    return text(dated(figure.definition + rule))


def _trend(figure: Figure, column: str) -> list[float] | None:
    """The figure by whole week, without the weeks that have no value."""
    if not column or figure.series is None or column not in figure.series:
        return None
    return made_of(figure, ("trend", column), partial(_whole_weeks, figure.series, column))


def _whole_weeks(series: pd.DataFrame, column: str) -> list[float] | None:
    whole = series[series["whole"]][column].dropna()
    return [float(value) for value in whole] if len(whole) > 1 else None


# Where it comes from. --------------------------------------------------------------------------------------------------


def explain_button(figure: Figure, label: str, key: str = "", said: str = WHERE_FROM) -> None:
    """Opens where the number comes from."""
    if st.button(said, key=f"explain_{figure.name}_{key}", type="tertiary", icon=":material/help:"):
        st.dialog(text(f"{label}: where it comes from"), width="large", icon=":material/help:")(explain)(figure)


def explain(figure: Figure) -> None:
    """The rule with its figures, the definition, the rows that were counted, and what was left out and why."""
    st.markdown(f"**{text(tables.summary(figure))}**")
    st.markdown(text(dated(f"Counted: {figure.rule}.")))
    st.caption(text(f"Definition: {figure.definition}"))
    if figure.of and figure.of != figure.n:
        st.progress(min(figure.n / figure.of, 1.0), text=text(f"{figure.n:,} of {figure.of:,} that could have counted"))
    if "why" in figure.said:
        st.info(text(dated(figure.said["why"])), icon=":material/event_busy:")
    rows, (none, all_in) = data.shown(figure.rows), counted.nothing(figure)
    many = len(rows) if len(rows) or counted.url() is None else figure.n
    listed, left = st.tabs([f"Counted ({many:,})", f"Left out ({len(figure.left_out):,})"])
    with listed:
        rows_of(rows, figure.name, none)
    with left:
        if len(figure.left_out):
            reasons = figure.left_out["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
            table(reasons, key=f"reasons_{figure.name}")
        rows_of(figure.left_out, f"{figure.name}_left_out", all_in)


def rows_of(rows: pd.DataFrame, name: str, nothing: str) -> None:
    """Rows as a table that can be taken along as CSV."""
    if rows.empty:
        st.caption(nothing)
        return
    if counted.url() is not None:  # an engine knows no titles and addresses
        rows = rows.dropna(axis="columns", how="all")
    table(rows.head(MOST_ROWS), key=f"rows_{name}")
    if len(rows) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS:,} of {len(rows):,} rows. The CSV has all of them.")
    st.download_button(
        "These rows as CSV",
        data.exported(name, lambda: tables.csv(rows)),
        f"{tables.file_name(name)}.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
        key=f"csv_{name}",
    )


def table(rows: pd.DataFrame, key: str | None = None, alt: str | None = None) -> None:
    """Rows as a table: times in the reporting zone, links as links, column names in words."""
    zone = data.config().timezone
    ready, config = made_of(rows, ("table", zone), partial(_table, rows, zone))
    st.dataframe(ready, hide_index=True, column_config=config, key=key, placeholder="–", alt=alt)


def _table(rows: pd.DataFrame, zone: str) -> tuple[Any, dict[str, Any]]:
    """Rows as a page shows them, and its columns' configuration."""
    ready = tables.ready(rows, zone)
    if counted.url() is None:
        ready = tables.with_paths(ready)
    config: dict[str, Any] = {}
    for name in ready.columns:
        label = tables.LABELS.get(name, str(name).replace("_", " "))
        kind = ready[name].dtype.kind
        if kind == "M":
            config[name] = st.column_config.DatetimeColumn(label, format="D MMM YYYY, HH:mm")
        elif name == "sha":
            config[name] = st.column_config.Column(label, width="small")
        elif name == "url":
            config[name] = st.column_config.LinkColumn("link", display_text="open", width="small")
        elif name == "path":
            config[name] = st.column_config.LinkColumn("path", display_text="open", width="small", help="All that happened to it.")
        elif name in tables.SHARES:
            config[name] = st.column_config.NumberColumn(label, format="percent")
        elif kind == "f":
            config[name] = st.column_config.NumberColumn(label, format="%.1f")
        else:
            config[name] = st.column_config.Column(label)
    return sheets.arrow(ready), config
