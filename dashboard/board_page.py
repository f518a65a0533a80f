"""The board on the Flow page: what is asked for, in the address, too; the boards; and what stands beside the stages."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import board, counted, data, parts, path_dialog
from dashboard.board_component import show
from dashboard.data import Choice
from vsm import board as boards
from vsm.board import Wanted
from vsm.measure import Measures

ANY_STAGE, ANY_TYPE = "Any stage", "Any type"
LANES = {"No lanes": "", "By team": "team", "By type": "type"}
SOME = 6  # cards of a column where several boards share the page
IN_LANES = 4  # cards of a cell


@dataclass(frozen=True)
class Asked:
    """What a viewer wants of the boards: which cards, and by what they stand in lanes (nothing for none)."""

    wanted: Wanted
    lanes: str


def line(choice: Choice, streams: list[tuple[str, Measures]]) -> Asked:
    """Draw the line above the boards and give what is asked for. All of it is in the address."""
    if counted.url() is not None:
        return Asked(Wanted(), "")
    stages = dict.fromkeys(stage for _, one in streams if one.stages is not None for stage in one.stages["stage"])
    names = tuple(name for name, _ in streams)
    types = data.kept(
        "types", choice, names, lambda: sorted({kind for name in names for kind in data.cards(choice, name)["type"].dropna()})
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="board_filters"):
        words = st.text_input(
            "Item", key="find", bind="query-params", placeholder="Key, or words of a title", width=240, on_change=_found,
            icon=":material/search:", help="A key opens the item's path, finished ones too. Words show the cards that have them.",
        )  # fmt: skip
        stage = st.selectbox("Stage", [ANY_STAGE, *stages], key="in_stage", bind="query-params", width=160)
        kind = st.selectbox("Type", [ANY_TYPE, *types], key="type", bind="query-params", width=140)
        lanes = st.selectbox("Lanes", list(LANES), key="lanes", bind="query-params", width=130)
    # On a line of its own: beside the others it would not wrap on a narrow screen.
    marks = st.pills("Only", boards.MARKS, selection_mode="multi", key="only", bind="query-params")
    wanted = Wanted(
        words=words or "", stage="" if stage in (ANY_STAGE, None) else stage, type="" if kind in (ANY_TYPE, None) else kind,
        marks=tuple(marks or ()),
    )  # fmt: skip
    return Asked(wanted, LANES[lanes or "No lanes"])


def _found() -> None:
    """A key that is an item's opens its path; else the words stay and pick out cards."""
    words = str(st.session_state.get("find") or "").strip()
    way = data.way(words) if words and " " not in words else None
    if way is not None:
        st.session_state["find"] = ""
        path_dialog.ask(way.key if way.key.casefold() == words.casefold() else words)


def boards_of(choice: Choice, name: str, one: Measures, asked: Asked, alone: bool) -> None:
    """The board of one stream."""
    if counted.url() is not None:
        st.caption(counted.NO_BOARD)
        return
    drawn, found, every = data.kept(
        "board",
        choice,
        (name, asked.wanted, asked.lanes, alone),
        lambda: _drawn(name, one, data.cards(choice, name), asked, board.MOST if alone else SOME),
    )
    if asked.wanted.anything:
        st.caption(f"{found:,} of {every:,} cards match.")
    show(drawn, key=f"board_{name}", opened=path_dialog.asked(), on_open=path_dialog.ask)


def _drawn(name: str, one: Measures, every: pd.DataFrame, asked: Asked, most: int) -> tuple[str, int, int]:
    """The board of one stream as HTML, how many cards are asked for, and how many there are."""
    found = boards.picked(every, asked.wanted)
    told = boards.columns(one, every, found if asked.wanted.anything else None, 0 if asked.lanes else most)
    lanes = boards.lanes(found, asked.lanes, [column["name"] for column in told], IN_LANES) if asked.lanes else []
    new = int((one.items["state"] == "new").sum())
    drawn = board.board_html(
        [board.Column(**column) for column in told],
        new,
        most,
        [board.Lane(**lane) for lane in lanes],
        [*_asides(one, asked.wanted)],
        of=name,
    )
    return drawn, len(found), len(every)


def _asides(one: Measures, wanted: Wanted) -> list[board.Aside]:
    """What has no place on the board: items whose status belongs to no stage, and what else a search finds."""
    asides = []
    lost = boards.homeless(one)
    if len(lost):
        counts = lost["status"].value_counts()
        shown = lost[boards.matching(lost, wanted.words)].head(SOME)
        said = [
            *(f"“{status}”: {count:,}" for status, count in counts.head(SOME).items()),
            "These statuses belong to no stage. In vsm.toml, name each in waiting or active of a stage, or in new, done, cancelled "
            "or ignored of the stream. Items that were in a stage before are still counted there.",
        ]
        cards = [_bare(row, f"“{row['status']}”" + _counted(row["stage"])) for row in shown.to_dict("records")]
        asides.append(board.Aside("No home", len(lost), cards, said, warn=True))
    count, rest = boards.elsewhere(one, wanted.words, SOME)
    if count:
        asides.append(board.Aside("Not on the board", count, [_bare(row, _state(row, one)) for row in rest]))
    return asides


def _counted(stage: Any) -> str:
    return f", still counted in {stage}" if isinstance(stage, str) else ""


def _state(row: dict[str, Any], one: Measures) -> str:
    if row["state"] == "done" and row["done_at"] is not None:
        return f"done {parts.day(row['done_at'], one.flow.config.timezone)}"
    state: str = row["state"]
    return {"new": "not started", "no events": "in no stage", "cancelled": "given up"}.get(state, state)


def _bare(row: dict[str, Any], said: str) -> board.Card:
    """A card of what is in no stage, so that it has no ages."""
    title, kind, url = (value if isinstance(value := row.get(name), str) else None for name in ("title", "type", "url"))
    return board.Card(key=row["item"], title=title, type=kind, url=url, age_hours=0, in_stage_hours=0, working=False, said=said)


def strays(one: Measures) -> None:
    """What belongs to no stream, in a line: it is on no board."""
    count = len(one.flow.homeless)
    if count:
        st.caption(f"{count:,} items belong to no stream, so that they are on no board: the data page says what to do.")
