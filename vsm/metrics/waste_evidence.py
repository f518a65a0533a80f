"""What stands behind each hour of waste: a row for each piece, with a sentence, made only where rows are looked at."""

import numpy as np
import pandas as pd

from vsm.metrics.blocked import times_of
from vsm.metrics.stages import NEVER, OVERTAKEN, Codes
from vsm.metrics.waste_hours import (
    ABANDONED,
    AFTER,
    BACK,
    BATCH,
    BEFORE,
    HANDOFF,
    HIDDEN,
    HOLD,
    NAMES,
    PARKED,
    REOPENED,
    REPEATED,
    REWORK,
    SWITCHING,
    WAITING,
    WORK,
    Pieces,
    Stays,
)
from vsm.working_time import HOUR, micros

ROWS = {
    "item": "str", "stage": "str", "from": "datetime64[us, UTC]", "to": "datetime64[us, UTC]", "hours": "float64", "class": "str",
    "evidence": "str",
}  # fmt: skip


def evidence(told: Stays, pieces: Pieces) -> pd.DataFrame:
    """The pieces as rows for people, the longest first."""
    visits = told.visits
    frame = pd.DataFrame(
        {
            "item": visits["item"].array[pieces.row],
            "stage": visits["stage"].iloc[pieces.row].astype("str").array,
            "from": times_of(pieces.begin),
            "to": times_of(pieces.end),
            "hours": pieces.hours,
            "class": pd.Series(np.array(NAMES, dtype=object)[pieces.kind], dtype="str"),
            "evidence": pd.Series(_sentences(told, pieces), dtype="str"),
        }
    )
    return longest(frame[frame["hours"] > 0])


def longest(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with those of the most hours first."""
    order = ["hours", "item", "from", "class"]
    return rows.sort_values(order, ascending=[False, True, True, True], kind="stable", ignore_index=True)


def _sentences(told: Stays, pieces: Pieces) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    """One sentence a piece; each that occurs is made once."""
    stage = told.visits["stage"].iloc[pieces.row].astype("str").fillna("")
    number = np.full(len(pieces.row), -1, dtype="int64")
    ended = micros(told.items["cancelled_at"]) if len(told.items) else np.array([], dtype="int64")
    gone = pieces.kind == ABANDONED
    number[gone] = ended[told.place[pieces.row[gone]]] // (24 * HOUR)
    rework = pieces.kind == REWORK
    number[rework] = told.why_again[pieces.row[rework]]
    batch = pieces.kind == BATCH
    place = pieces.row + np.where(pieces.shows == AFTER, len(told.visits), 0)
    number[batch] = np.where(told.left[pieces.row] < NEVER, told.clumps.together[place] - 1, 0)[batch]
    switched = pieces.kind == SWITCHING
    number[switched] = np.rint(100 * pieces.hours / ((pieces.end - pieces.begin) / HOUR))[switched]
    back = told.visits["entered_from"].array[pieces.row].astype("object")
    other = pd.Series(np.where(np.isin(pieces.kind, (REWORK, HANDOFF)), back, ""), dtype="str").fillna("")
    flagged = pieces.flagged.astype("int64")
    still = (told.left[pieces.row] == NEVER).astype("int64")
    keys = [pieces.kind, pieces.shows, number, flagged, still, pd.factorize(stage)[0], pd.factorize(other)[0]]
    which = _one_code(keys)
    _, first = np.unique(which, return_index=True)
    made = [
        _sentence(
            told.cost, int(pieces.kind[at]), int(pieces.shows[at]), int(number[at]), bool(flagged[at]), bool(still[at]),
            str(stage.iat[at]), str(other.iat[at]),
        )
        for at in first.tolist()
    ]  # fmt: skip
    sentences: np.ndarray[tuple[int], np.dtype[np.object_]] = np.array([*made, ""], dtype=object)[which]
    return sentences


def _one_code(keys: "list[Codes]") -> Codes:
    """Several numbers a row as one."""
    code = np.zeros(len(keys[0]), dtype="int64")
    for key in keys:
        few = pd.factorize(key)[0]
        code = pd.factorize(code * (int(few.max(initial=0)) + 1) + few)[0].astype("int64")
    return code


def _sentence(costs: pd.DataFrame, kind: int, shows: int, number: int, flagged: bool, still: bool, stage: str, other: str) -> str:
    if kind == ABANDONED:
        return f"in {stage}; the item was cancelled on {pd.Timestamp(number, unit='D').date().isoformat()}"
    if kind == REWORK:
        return {
            BACK: f"sent back to {stage} from {other}",
            REOPENED: f"in {stage} after it had been done and was opened again",
            REPEATED: f"in {stage} on the way back to where it had been sent back from",
        }[number]
    if kind == PARKED:
        taken = "" if still else " before it"
        return (
            f"flagged while in {stage}"
            if flagged
            else f"lay in {stage} while {OVERTAKEN} or more later arrivals were taken up{taken or ' and it was not'}"
        )
    if kind == BATCH:
        return f"waits in {stage}, which lets go in clumps" if still else f"waited in {stage} until {number} others left with it"
    if kind == HANDOFF:
        return _handoff(costs, other, stage, shows)
    if kind == SWITCHING:
        return f"{number or 'less than 1'} % of this time in {stage} went to other items that the same person had in work"
    return _idle(kind, shows, still, stage)


def _handoff(costs: pd.DataFrame, one: str, other: str, shows: int) -> str:
    if shows == AFTER:  # told from the stage that hands on
        return f"finished in {other}, and taken up later elsewhere than where the same person or team goes on"
    told = costs[(costs["from"] == one) & (costs["to"] == other)].iloc[0]
    whose = "teams" if told["who"] == "team" else "hands"
    return (
        f"changed {whose} from {one} to {other}: such moves wait {told['excess']:.1f} hours longer on average than those "
        f"without a change that met as many waiting"
    )


def _idle(kind: int, shows: int, still: bool, stage: str) -> str:
    if kind == WAITING:
        return {
            BEFORE: f"waits for work in {stage} to begin" if still else f"waited for work in {stage} to begin",
            AFTER: f"was finished in {stage} and not yet handed on",
            HOLD: f"lay in {stage}, in which nobody works",
        }[shows]
    if kind == WORK:
        return f"worked on in {stage}"
    if shows == HIDDEN:
        return f"{stage} shows no queue of its own: wait and work cannot be told apart"
    return f"no start of work in {stage} is recorded: wait and work cannot be told apart"
