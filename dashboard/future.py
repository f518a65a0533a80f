"""Future states on the map's page: drawn from today's map, changed step by step, kept, and scored against what happened."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data, dialogs, fields, map_state, parts, rights, theme
from dashboard import map as drawing
from dashboard.fields import Typed
from dashboard.map.groups import PLANNED, grouped
from dashboard.map.states import planned
from dashboard.map_component import pick_on_map
from vsm import future
from vsm.future import Step, Totals
from vsm.measure import Measures
from vsm.scoring import WHOLE, scored

SHOWN = "future"  # the parameter of the URL
FIRST = "Nothing: it is the first"
WRITTEN = {
    "wait": ("Wait", theme.duration), "work": ("Work", theme.duration), "accurate": ("%C&A", theme.rate),
    "lead_time": ("Lead time, sum of the steps", theme.duration), "flow_efficiency": ("Flow efficiency", theme.rate),
    "rolled": ("Rolled %C&A", theme.rate), "removed": ("Taken out", theme.duration),
}  # fmt: skip
Steps = tuple[Step, ...]


def card(stream: str, today: Steps, one: Measures) -> None:
    """A stream's future state: the one that is being drawn, or one that was kept, below today's map."""
    zone = one.flow.config.timezone
    kept = data.future_states(stream)
    with st.container(border=True, key=f"future_{stream}"):
        st.header(parts.text(f"A future state of {stream}"), anchor=False)
        if _key(stream) in st.session_state:
            _draft(stream)
            return
        st.caption(
            "What would have to be true for work to flow better? Draw it from today's map, change its steps, keep it with a date, "
            "and see later what came of it."
        )
        st.button(
            "Draw one from today's map", key=f"draw_{stream}", on_click=_begin, args=(stream, today, today), icon=":material/draw:"
        )
        for row in kept.to_dict("records"):
            _listed(row, zone)
        chosen = kept[kept["id"].astype("str").isin(st.query_params.get_all(SHOWN))]
    for row in chosen.to_dict("records"):
        _kept(stream, row, one, zone)


# One that is being drawn. ------------------------------------------------------------------------------------------------


def _key(stream: str) -> str:
    return f"draft_{stream}"


def _begin(stream: str, steps: Steps, before: Steps) -> None:
    st.session_state[_key(stream)] = future.written(steps, before)


def _drop(stream: str) -> None:
    st.session_state.pop(_key(stream), None)


def _draft(stream: str) -> None:
    """The future state that is being drawn: each step can be chosen on its map and changed."""
    steps, before = future.read(st.session_state[_key(stream)])
    st.caption("Choose a step on the map to change it or to take it out.")
    picked = _map(steps, before, f"map_future_{stream}", f"{stream}, future state")
    names = [step.name for step in steps]
    if picked in names:
        dialogs.open_(f"step_{stream}_{picked}")
    for step in steps:
        dialogs.shown(f"step_{stream}_{step.name}", f"{step.name[:80]}, as it is meant to become", _change, stream, step)
    st.dataframe(beside(before, steps), hide_index=True, key=f"totals_{stream}", alt="Today and the future state")
    _unknown(steps)
    with st.container(horizontal=True):
        dialogs.opener("Keep it", f"keep_{stream}", ":material/save:", type="primary", **rights.opening())
        dialogs.opener("Add a step", f"new_{stream}", ":material/add:")
        st.button("Throw it away", key=f"drop_{stream}", on_click=_drop, args=(stream,), icon=":material/delete:")
    dialogs.shown(f"new_{stream}", "A new step", _new, stream, names)
    dialogs.shown(f"keep_{stream}", "Keep this future state", _keep, stream)


def _map(steps: Steps, before: Steps, key: str, of: str) -> str | None:
    """A future state's map with its groups, if it has many steps, and the step that was picked on it just now."""
    whole = planned(steps, before)
    names = grouped(whole).names
    told = grouped(whole, map_state.opened(of, names)).told
    picked = pick_on_map(drawing.value_stream_svg(told), key, on_group=partial(map_state.toggle, of))
    if names:
        st.caption(PLANNED)
    return picked


def _unknown(steps: Sequence[Step]) -> None:
    unknown = future.totals(steps).unknown
    if unknown:
        st.caption(parts.text(f"Not in the sums, as a time of it is not known: {', '.join(name[:60] for name in unknown)}."))


def beside(before: Sequence[Step], steps: Sequence[Step]) -> pd.DataFrame:
    """Today's totals beside those of a future state, without estimates and, where there are some, with them."""
    rows = []
    for estimates in (False, True):
        if estimates and not any(step.estimate for step in (*before, *steps)):
            continue
        now, then = future.totals(before, estimates), future.totals(steps, estimates)
        of = "with estimates" if estimates else "recorded steps"
        rows += [_row(label, of, now, then, name, written) for label, name, written in ROWS]
    return pd.DataFrame(rows, columns=["number", "of", "today", "future state", "difference"])


ROWS = (
    ("Lead time, sum of the steps", "lead_time", theme.duration), ("Waiting", "wait", theme.duration),
    ("Work", "work", theme.duration),
    ("Flow efficiency", "flow_efficiency", theme.rate), ("Rolled %C&A", "rolled", theme.rate),
)  # fmt: skip


def _row(label: str, of: str, now: Totals, then: Totals, name: str, written: Any) -> tuple[str, ...]:
    old, new = getattr(now, name), getattr(then, name)
    if old is None or new is None:
        difference = theme.NONE
    elif written is theme.rate and round(new - old, 3):
        difference = f"{(new - old) * 100:+.1f} points"
    else:
        difference = "none" if written is theme.rate or new == old else f"{'−' if new < old else '+'}{written(abs(new - old))}"
    return label, of, written(old), written(new), difference


def _change(stream: str, step: Step) -> None:
    """The fields of one step."""
    shown = {
        "wait": fields.shown(step.wait, theme.duration),
        "work": fields.shown(step.work, theme.duration),
        "accurate": fields.shown(None if step.accurate is None else round(step.accurate * 100, 1), fields.plain),
        "people": fields.plain(step.people),
        "wip_limit": fields.plain(step.wip_limit),
    }
    with st.form(f"step_form_{stream}", border=False):
        with st.container(horizontal=True):
            wait = st.text_input("Waiting time of an item", shown["wait"], key="step_wait")
            work = st.text_input("Work on an item", shown["work"], key="step_work", disabled=step.holds)
        accurate = st.text_input("Complete and accurate, %", shown["accurate"], key="step_accurate")
        with st.container(horizontal=True):
            people = st.text_input("People", shown["people"], key="step_people")
            limit = st.text_input("WIP limit", shown["wip_limit"], key="step_limit")
        st.caption(
            "Times as 30 min, 4 h or 2.5 d. People and limits are written down with the state; no time follows from them by itself."
        )
        with st.container(horizontal=True):
            change = st.form_submit_button("Change it", type="primary")
            out = st.form_submit_button("Take the step out")
    steps, before = future.read(st.session_state[_key(stream)])
    if out:
        _begin(stream, future.without(steps, step.name), before)
        dialogs.done()
    if not change:
        return
    told, wrong = fields.values(
        {
            "wait": Typed("Waiting time", wait, fields.hours, shown["wait"], step.wait),
            "work": Typed("Work", work, fields.hours, shown["work"], step.work),
            "accurate": Typed("Complete and accurate", accurate, fields.share, shown["accurate"], step.accurate),
            "people": Typed("People", people, fields.people, shown["people"], step.people),
            "wip_limit": Typed("WIP limit", limit, fields.limit, shown["wip_limit"], step.wip_limit),
        }
    )
    if not wrong:
        try:
            _begin(stream, future.changed(steps, step.name, **told), before)
        except ValueError as error:
            wrong = [dialogs.sentence(error)]
    dialogs.wrong(wrong)
    if not wrong:
        dialogs.done()


def _new(stream: str, names: Sequence[str]) -> None:
    """The fields of a step that is not there today."""
    with st.form(f"new_form_{stream}", border=False):
        name = st.text_input("What is it called?", max_chars=500, key="new_name")
        behind = st.selectbox("What comes before it?", [FIRST, *names], index=len(names), key="new_behind")
        with st.container(horizontal=True):
            wait = st.text_input("Waiting time of an item", placeholder="4 h", key="new_wait")
            work = st.text_input("Work on an item", placeholder="30 min", key="new_work")
        if not st.form_submit_button("Add it", type="primary"):
            return
    told, wrong = fields.values(
        {
            "name": Typed("Name", name, str, needed=True),
            "wait": Typed("Waiting time", wait, fields.hours, needed=True),
            "work": Typed("Work", work, fields.hours, needed=True),
        }
    )
    if not wrong:
        steps, before = future.read(st.session_state[_key(stream)])
        try:
            added = future.with_steps(steps, [(Step(**told), None if behind == FIRST else behind)])
            _begin(stream, future.changed(added, told["name"], wait=told["wait"], work=told["work"]), before)
        except ValueError as error:
            wrong = [dialogs.sentence(error)]
    dialogs.wrong(wrong)
    if not wrong:
        dialogs.done()


def _keep(stream: str) -> None:
    """The name, the date from which it should hold, and whose it is."""
    with st.form(f"keep_form_{stream}", border=False):
        name = st.text_input("What is it called?", max_chars=500, placeholder="Half the wait for QA", key="keep_name")
        holds: date | None = st.date_input("From when on should it hold? (may be empty)", value=None, key="keep_from")
        by = st.text_input("Who drew it? (may be empty)", max_chars=500, key="keep_by")
        if not st.form_submit_button("Keep it", type="primary"):
            return
    try:
        key = data.add_future_state(stream, name, st.session_state[_key(stream)], holds, by)
    except ValueError as error:
        dialogs.wrong([dialogs.sentence(error)])
        return
    _drop(stream)
    st.query_params[SHOWN] = [str(key)]
    dialogs.done()


# One that was kept. ------------------------------------------------------------------------------------------------------


def _listed(row: dict[str, Any], zone: str) -> None:
    """A line of the list of those that were kept."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"future_row_{row['id']}"):
        st.markdown(parts.text(f"{row['name'][:120]} · {_dated(row, zone)}"), width="stretch")
        shown = str(row["id"]) in st.query_params.get_all(SHOWN)
        label, to = ("Hide", None) if shown else ("Show", row["id"])
        st.button(label, key=f"show_future_{row['id']}", on_click=_show, args=(to,), type="tertiary")
        back: dict[str, Any] = {"on_click": _forget, "args": (row["id"],), "type": "tertiary"}
        st.button("Take back", key=f"forget_future_{row['id']}", **back, **rights.editing())


def _dated(row: dict[str, Any], zone: str) -> str:
    by = f" by {row['created_by'][:120]}" if isinstance(row["created_by"], str) else ""
    holds = "" if pd.isna(row["target_at"]) else f", to hold from {parts.day(row['target_at'], zone)}"
    return f"drawn {parts.day(row['created_at'], zone)}{by}{holds}"


def _show(key: int | None) -> None:
    if key is None:
        st.query_params.pop(SHOWN, None)
    else:
        st.query_params[SHOWN] = [str(key)]


def _forget(key: int) -> None:
    data.remove_future_state(key)
    _show(None)


def _kept(stream: str, row: dict[str, Any], one: Measures, zone: str) -> None:
    """A future state that was kept: its map, its totals, and what came of it."""
    steps, before = future.read(row["map"])
    start = row["created_at"] if pd.isna(row["target_at"]) else max(row["created_at"], row["target_at"])
    with st.container(border=True, key=f"kept_{row['id']}"):
        st.header(parts.text(row["name"]), anchor=False)
        dated = _dated(row, zone)
        said = f"{dated[0].upper()}{dated[1:]}. Below each number that differs stands what it was on the day it was drawn."
        st.caption(parts.text(said))
        _map(steps, before, f"map_kept_{row['id']}", f"{stream}, future state {row['id']}")
        st.subheader("What was to be reached", anchor=False)
        st.dataframe(beside(before, steps), hide_index=True, key=f"goal_{row['id']}", alt="The state before and the future state")
        _unknown(steps)
        st.subheader("What came of it", anchor=False)
        told = scored(steps, before, data.since(one.scope, start))
        st.markdown(parts.text(found(told, parts.day(start, zone))))
        st.dataframe(written(told), hide_index=True, key=f"scored_{row['id']}", alt="Planned and measured since")
        st.caption(
            "As planned: the 95 % interval of what was measured since holds the planned value. Totals are of recorded steps, sums "
            "of medians with the medians' own variances."
        )
        st.button(
            "Draw another one from it",
            key=f"again_{row['id']}",
            on_click=_begin,
            args=(stream, steps, before),
            icon=":material/draw:",
        )


def found(told: pd.DataFrame, day: str) -> str:
    """What came of a future state, in a sentence."""
    whole = told[(told["step"] == WHOLE) & (told["number"] == "lead_time")]
    if whole.empty:
        return "No time was planned, so none can be compared."
    row = whole.to_dict("records")[0]
    goal = f"{theme.duration(row['planned'])} were planned, down from {theme.duration(row['before'])}"
    if row["before"] <= row["planned"]:
        goal = f"{theme.duration(row['planned'])} were planned; it was {theme.duration(row['before'])}"
    if row["verdict"] == "too early":
        return f"Too early to say: since {day} the step with the fewest visits has {row['n']:,}, and five are needed. {goal}."
    return (
        f"Since {day} the steps add up to {theme.duration(row['measured'])} (95 % interval {theme.duration(row['low'])} to "
        f"{theme.duration(row['high'])}), {row['verdict']}: {goal}."
    )


def written(told: pd.DataFrame) -> pd.DataFrame:
    """The scores as a table of text: the whole first, then step by step."""
    rows = []
    for row in sorted(told.to_dict("records"), key=lambda row: row["step"] != WHOLE):
        label, how = WRITTEN[row["number"]]
        interval = "" if pd.isna(row["low"]) else f"{how(row['low'])} to {how(row['high'])}"
        changed = "" if row["before"] == row["planned"] else how(row["before"])
        rows.append((row["step"], label, changed, how(row["planned"]), how(row["measured"]), interval, row["n"], row["verdict"]))
    return pd.DataFrame(
        rows, columns=["step", "number", "before, if other", "planned", "measured since", "95 % interval", "n", "verdict"]
    )
