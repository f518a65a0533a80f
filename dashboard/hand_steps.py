"""Steps that no system records, on the map's page: a dialog to write one down, and a panel to look at one or take it back."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data, dialogs, fields, parts, rights, theme
from dashboard.fields import Typed
from dashboard.map.model import Stage
from vsm.future import Step, totals

FIRST = "Nothing: it is the first"
WHAT = (
    "An approval board, an e-mail, a call: what costs time and leaves no trace. It is drawn dashed, as an estimate, and is in no "
    "measured sum."
)


def button(stream: str, names: Sequence[str]) -> None:
    """Opens the dialog. `names`: the stages of the map and the steps that are there already."""
    key = f"hand_{stream}"
    dialogs.opener("Add a step that no system records", key, ":material/add:", type="tertiary", **rights.opening())
    dialogs.shown(key, "A step that no system records", form, stream, names)


def form(stream: str, names: Sequence[str]) -> None:
    """What is known of the step."""
    st.caption(WHAT)
    with st.form(f"hand_form_{stream}", border=False):
        name = st.text_input("What is it called?", max_chars=500, placeholder="Change approval board", key="hand_name")
        behind = st.selectbox("What comes before it?", [FIRST, *names], index=len(names), key="hand_behind")
        with st.container(horizontal=True):
            wait = st.text_input("Waiting time of an item", placeholder="3 d", key="hand_wait")
            work = st.text_input("Work on an item", placeholder="30 min", key="hand_work")
        accurate = st.text_input("Complete and accurate, % (may be empty)", placeholder="90", key="hand_accurate")
        by = st.text_input("Who estimated it, or where is it from?", max_chars=500, placeholder="Workshop, 3 May", key="hand_by")
        if not st.form_submit_button("Put it on the map", type="primary"):
            return
    told, wrong = fields.values(
        {
            "name": Typed("Name", name, str, needed=True),
            "wait": Typed("Waiting time", wait, fields.hours, needed=True),
            "work": Typed("Work", work, fields.hours, needed=True),
            "accurate": Typed("Complete and accurate", accurate, fields.share),
            "by": Typed("Who estimated it", by, str, needed=True),
        }
    )
    if told.get("name") in names:
        wrong.append("Name: there is a step with this name already, choose another.")
    if not wrong:
        try:
            before = None if behind == FIRST else behind
            data.add_hand_step(stream, told["name"], before, told["wait"], told["work"], told["accurate"], told["by"])
        except ValueError as error:
            wrong.append(dialogs.sentence(error))
    dialogs.wrong(wrong)
    if not wrong:
        dialogs.done()


def panel(stage: Stage, row: dict[str, object]) -> None:
    """One step that no system records: what is estimated, by whom, and a way to take it back."""
    with st.container(border=True, key=f"panel_hand_{row['id']}"):
        st.subheader(parts.text(f"{stage.name}: an estimate"), anchor=False)
        accurate = "" if stage.accurate is None else f", {theme.rate(stage.accurate)} complete and accurate"
        said = (
            f"{theme.duration(stage.wait)} waiting and {theme.duration(stage.work)} of work{accurate}: estimated {stage.estimate}."
        )
        st.markdown(parts.text(said))
        back: dict[str, Any] = {"on_click": data.remove_hand_step, "args": (row["id"],), "type": "tertiary"}
        st.button("Take it back", key=f"hand_back_{row['id']}", **back, **rights.editing())


def sums(steps: Sequence[Step]) -> str:
    """What the ladder adds up to, measured alone and with the estimates, in a sentence."""
    measured, every = totals(steps, estimates=False), totals(steps)
    if measured.lead_time is None:
        return "No time of a stage is known, so the ladder adds up to nothing."
    said = (
        f"The ladder adds up to {theme.duration(measured.lead_time)}: {theme.duration(measured.wait)} of waiting and "
        f"{theme.duration(measured.work)} of work, each a sum of the stages' medians (whole items are on the page Flow)."
    )
    guessed = [step for step in steps if step.estimate]
    if guessed:
        said += (
            f" With {theme.many(len(guessed), 'estimate')}: {theme.duration(every.lead_time)}, {theme.duration(every.wait)} of "
            f"waiting and {theme.duration(every.work)} of work."
        )
    if measured.unknown:
        said += f" Not in it, as it is not known: {', '.join(name[:60] for name in measured.unknown)}."
    return said


def found(rows: pd.DataFrame, place: int) -> dict[str, object]:
    """The row of a step by its place among the stream's."""
    return {str(key): value for key, value in rows.iloc[place].to_dict().items()}
