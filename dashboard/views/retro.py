"""Retrospective: what do we take into the meeting?"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import beside, cards, data, parts, path_dialog, rights, take_along, theme
from dashboard.charts.catalogue import CATALOGUE
from dashboard.notes import KINDS, tried
from vsm.errors import UsageError
from vsm.experiments import METRICS, said
from vsm.metrics.compare import compare
from vsm.metrics.figure import Figure

choice, measures = parts.head(parts.MEETING)
zone = measures.flow.config.timezone
first, last = (time.tz_convert(zone).date() for time in (measures.scope.start, measures.scope.end))

with st.container(border=True, key="findings"):
    st.header("What changed, and what to look at", anchor=False)
    st.markdown("\n".join(f"- {parts.text(sentence)}" for sentence in data.said(choice)))

# What needs a map of stages is drawn of the chosen stream, or of each where all are looked at.
CHARTS = {entry.title: entry for entry in CATALOGUE.values()}
FIRST = [CATALOGUE[name].title for name in ("deployment_frequency", "lead_time_bands")]

st.header("Charts for the meeting", anchor=False)
picked = st.pills("Which charts", list(CHARTS), selection_mode="multi", default=FIRST, key="charts", bind="query-params")
with st.grid(2, min_column_width=420):
    for entry in (CHARTS[title] for title in picked):
        for stream in (measures.streams or [None]) if entry.mapped else [None]:
            drawn = data.drawn(entry.name, choice, stream)
            titled = drawn if stream is None else replace(drawn, title=f"{drawn.title}: {stream}")
            cards.card(titled, f"retro_{entry.name}_{stream or ''}")

try:
    beside.section(choice)
except UsageError as error:
    st.warning(parts.text(str(error)), icon=":material/build:")

take_along.section(choice, [CHARTS[title].name for title in picked])


def called(metric: str) -> str:
    """What a metric is called."""
    return METRICS[metric][1]


def written(form: str, fields: Sequence[str], action: Callable[..., None], *values: object) -> None:
    """Write something down and empty its fields; or keep what was typed and say in a sentence, at the form, why it cannot be."""
    try:
        action(*values)
    except ValueError as error:
        st.session_state[f"refused_{form}"] = str(error)
    else:
        st.session_state["emptied"] = tuple(fields)
    st.rerun()


def refused(form: str) -> None:
    """Why the last try of a form was refused, if it was."""
    if (why := st.session_state.pop(f"refused_{form}", None)) is not None:
        st.warning(parts.text(f"Not written down: {why}."), icon=":material/edit_off:")


for name in st.session_state.pop("emptied", ()):
    st.session_state[name] = ""

st.header("Notes", anchor=False)
st.caption("A dated note is a numbered line on every chart over time. Notes are kept in the store and change no number.")
notes = data.notes(choice)
inside = (notes["at"] <= measures.scope.end) & (notes["until"].fillna(notes["at"]) >= measures.scope.start)


def note(row: dict[str, Any], number: str = "") -> None:
    """One note with a way to take it back."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"note_{row['id']}"):
        until = "" if pd.isna(row["until"]) else f" to {parts.day(row['until'], zone)}"
        of = "" if pd.isna(row["stream"]) else f" · {row['stream']}"
        what = KINDS.get(row["kind"], row["kind"])
        st.markdown(parts.text(f"{number}{parts.day(row['at'], zone)}{until}{of} · {what}: {row['text']}"), width="stretch")
        back: dict[str, Any] = {"on_click": tried, "args": (data.remove_note, row["id"]), "type": "tertiary"}
        st.button("Take back", key=f"forget_{row['id']}", **back, **rights.editing())


for place, row in enumerate(notes[inside].to_dict("records"), start=1):
    note(row, f"{place}. ")
if not inside.any():
    st.caption("No note of this period yet.")
if not inside.all():
    with st.expander(f"{theme.many(int((~inside).sum()), 'note')} of other times"):
        for row in notes[~inside].to_dict("records"):
            note(row)
with st.form("new_note", border=True):
    st.subheader("Write down what happened", anchor=False)
    text = st.text_area("What happened", max_chars=2000, key="note_text", placeholder="Two people joined")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        on = st.date_input("On", value=last, key="note_on")
        until_day = st.date_input("Until (where it lasted)", value=None, key="note_until")
        kind = st.selectbox("What it is", list(KINDS), format_func=KINDS.__getitem__, key="note_kind", width=240)
    if st.form_submit_button("Keep it", icon=":material/edit:", **rights.editing()):
        written("note", ["note_text"], data.add_note, text, on or last, until_day, choice.stream, kind)
    refused("note")


def outcome(found: tuple[Figure, Figure] | None, value: str, label: str) -> str:
    """What became of an experiment's number, in words."""
    if found is None:
        return "It has not begun in the data yet."
    before, after = found
    if not after.n:
        return f"Too early to say: nothing has been counted for {label[:1].lower()}{label[1:]} since it began."
    change = compare(after, before, value)
    how = theme.written(value, after.unit)
    return (
        f"{label}: {how(before.values[value])} before, {how(after.values[value])} after; "
        f"{said(before, after, change.verdict)}. Compared as {change.rule}. What else changed then is in it, too."
    )


st.header("Experiments", anchor=False)
st.caption("What is tried, what is expected of it, and the number that should tell: its time beside as long a time before.")
for row in data.experiments(choice).to_dict("records"):
    value, label = METRICS.get(row["metric"], ("value", row["metric"]))
    with st.container(border=True, key=f"experiment_{row['id']}"):
        until = "still running" if pd.isna(row["ended_at"]) else f"until {parts.day(row['ended_at'], zone)}"
        st.markdown(f"**{parts.text(row['title'])}**")
        chosen = " and ".join(filter(None, [choice.stream, choice.team and f"team {choice.team}"])) or "all streams"
        of = row["stream"] if isinstance(row["stream"], str) else chosen
        st.caption(parts.text(f"{row['hypothesis']} · {label} · {of} · from {parts.day(row['started_at'], zone)}, {until}"))
        try:
            found = data.judged(choice, row)
        except UsageError as gone:
            st.warning(parts.text(f"It cannot be judged: {gone}."), icon=":material/help:")
        else:
            st.markdown(parts.text(outcome(found, value, label)))
        with st.container(horizontal=True):
            if pd.isna(row["ended_at"]):
                ended = f"It ended on {parts.day(measures.scope.end, zone)}"
                over: dict[str, Any] = {"on_click": tried, "args": (data.end_experiment, row["id"], last), "type": "tertiary"}
                st.button(ended, key=f"end_{row['id']}", **over, **rights.editing())
            forget: dict[str, Any] = {"on_click": tried, "args": (data.remove_experiment, row["id"]), "type": "tertiary"}
            st.button("Take back", key=f"forget_x_{row['id']}", **forget, **rights.editing())
with st.form("new_experiment", border=True):
    st.subheader("Try something", anchor=False)
    title = st.text_input("What is tried", key="x_title", placeholder="A limit of four items in QA")
    hypothesis = st.text_area("What is expected, and why", key="x_hypothesis", max_chars=2000)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.selectbox("The number that should tell", list(METRICS), format_func=called, key="x_metric")
        start = st.date_input("From", value=last, key="x_from")
        end = st.date_input("Until (where it ended)", value=None, key="x_until")
    if st.form_submit_button("Begin", icon=":material/science:", **rights.editing()):
        written(
            "experiment", ["x_title", "x_hypothesis"],
            data.add_experiment, title, hypothesis, metric, start or last, end, choice.stream,
        )  # fmt: skip
    refused("experiment")
path_dialog.opened()
