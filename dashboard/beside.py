"""What is chosen beside another team, application, stream or time: two at once, in a fixed order, never a ranking."""

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.data import Choice, Known
from dashboard.words import text
from vsm.side_by_side import Row, told

NOTHING, TIME = "Nothing", "Another time of the same length"
COLUMNS = ("Number", "What is chosen above", "Beside it", "Verdict on what is chosen above", "Compared as")


def section(choice: Choice) -> None:
    """Choose what to stand beside the choice above, and see both number by number."""
    known = data.known()
    st.header("Side by side", anchor=False)
    st.caption("What is chosen above beside another team, application, stream or time. Two at once, and nothing is ranked.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox("Beside", options(known, choice), key="beside", bind="query-params", width=320)
        last = None
        if picked == TIME:
            newest = known.now.tz_convert(known.zone).date()
            last = st.date_input("Its last day", value=None, key="beside_last", max_value=newest, format="YYYY-MM-DD", width=200)
    if picked in (NOTHING, None) or (picked == TIME and last is None):
        return
    asked = f"to:{last.isoformat()}" if picked == TIME and last is not None else str(picked).replace(" ", ":", 1)
    whose, rows = data.beside(choice, asked)
    st.caption(text(f"Above: {whose[0]}. Beside it: {whose[1]}."))
    st.dataframe(table(rows), hide_index=True, alt=f"{whose[0]} beside {whose[1]}")


def options(known: Known, choice: Choice) -> list[str]:
    """What can stand beside a choice; each is its own words in the URL."""
    kinds = (("team", known.teams, choice.team), ("application", known.applications, choice.application))
    streams = ("stream", known.streams if len(known.streams) > 1 else (), choice.stream)
    return [NOTHING, TIME, *(f"{kind} {name}" for kind, names, mine in (*kinds, streams) for name in names if name != mine)]


def table(rows: list[Row]) -> pd.DataFrame:
    """Both in words, and the rule of each verdict or the reason for none."""
    told_rows = [(row.label, told(row.one, row.value), told(row.other, row.value), row.verdict, row.rule) for row in rows]
    return pd.DataFrame(told_rows, columns=list(COLUMNS))
