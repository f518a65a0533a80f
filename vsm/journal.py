"""The journal: what people write down beside the facts, in the same store: notes, experiments, steps by hand, future states.

No collector and no import touches it, and what is in it never changes a number.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from vsm.models import Experiment, FutureState, HandStep, Note
from vsm.store import Engine, table_of, transaction

if TYPE_CHECKING:
    import pandas as pd

LONGEST, NAME = 2000, 500  # characters of a text, for a note is no document; and of a name
MOST_HOURS = 24 * 366.0  # of a step: what takes longer than a year was mistyped
NOTE = {"id": "int64", "stream": "str", "at": "time", "until": "time", "kind": "str", "text": "str"}
EXPERIMENT = {
    "id": "int64", "stream": "str", "title": "str", "hypothesis": "str", "metric": "str", "started_at": "time", "ended_at": "time",
}  # fmt: skip
WANTED = {"name": "say what it is called", "source of the estimate": "say who estimated it, or where it is from"}
STEP = {
    "id": "int64", "stream": "str", "name": "str", "behind": "str", "wait_hours": "float64", "work_hours": "float64",
    "accurate": "float64", "created_at": "time", "created_by": "str",
}  # fmt: skip
STATE = {
    "id": "int64", "stream": "str", "name": "str", "map": "object", "target_at": "time", "created_at": "time", "created_by": "str",
}  # fmt: skip


def notes(engine: Engine) -> "pd.DataFrame":
    """Every note, oldest first: id, stream (missing: of all), at, until (missing: a single day), kind, text."""
    return _read(engine, Note, NOTE, "at")


def versions(engine: Engine) -> dict[str, tuple[int, int, str]]:
    """By kind (notes, hand_steps, future_states) what changes whenever one is written down or taken back."""
    kinds: dict[str, type[SQLModel]] = {"notes": Note, "hand_steps": HandStep, "future_states": FutureState}
    tables = {kind: table_of(table) for kind, table in kinds.items()}
    asked = sa.union_all(
        *(
            sa.select(sa.literal(kind), sa.func.max(table.c.id), sa.func.count(), sa.func.max(table.c.created_at))
            for kind, table in tables.items()
        )
    )
    with engine.connect() as connection:
        found = connection.execute(asked).all()
    return {str(kind): (int(newest or 0), int(rows), str(at)) for kind, newest, rows, at in found}


def add_note(
    engine: Engine, text: str, at: datetime, *, now: datetime, until: datetime | None = None, stream: str | None = None,
    kind: str = "note",
) -> int:  # fmt: skip
    """Write down a note and give its id. Raises ValueError with a sentence for one that is none."""
    if until is not None and until < at:
        raise ValueError("a note cannot end before it begins: choose a later end, or none")
    told = {"stream": stream, "at": at, "until": until, "kind": kind, "text": _text(text, "note"), "created_at": now}
    return _add(engine, Note, told)


def remove_note(engine: Engine, key: int) -> None:
    """Take a note back; one that is not there is none."""
    _remove(engine, Note, key)


def experiments(engine: Engine) -> "pd.DataFrame":
    """Every experiment, oldest first: id, stream (missing: of all), title, hypothesis, metric, started_at, ended_at."""
    return _read(engine, Experiment, EXPERIMENT, "started_at")


def add_experiment(
    engine: Engine, title: str, hypothesis: str, metric: str, started_at: datetime, *, now: datetime,
    ended_at: datetime | None = None, stream: str | None = None,
) -> int:  # fmt: skip
    """Write down an experiment and give its id. Raises ValueError with a sentence for one that is none."""
    if ended_at is not None and ended_at <= started_at:
        raise ValueError("an experiment cannot end before it begins: choose a later end, or none")
    told = {"title": _text(title, "title"), "hypothesis": _text(hypothesis, "hypothesis"), "metric": metric, "stream": stream}
    return _add(engine, Experiment, told | {"started_at": started_at, "ended_at": ended_at, "created_at": now})


def end_experiment(engine: Engine, key: int, at: datetime) -> None:
    """Say when an experiment ended."""
    table = table_of(Experiment)
    with transaction(engine) as connection:
        connection.execute(table.update().where(table.c.id == key, table.c.started_at < at).values(ended_at=at))


def remove_experiment(engine: Engine, key: int) -> None:
    """Take an experiment back; one that is not there is none."""
    _remove(engine, Experiment, key)


def hand_steps(engine: Engine) -> "pd.DataFrame":
    """Every step that no system records, with what is estimated, by whom and when. behind: which stage, missing for before all."""
    return _read(engine, HandStep, STEP, "id")


def add_hand_step(
    engine: Engine, stream: str, name: str, behind: str | None, wait_hours: float, work_hours: float, accurate: float | None, *,
    by: str, now: datetime,
) -> int:  # fmt: skip
    """Write down a step that no system records and give its id. Raises ValueError with a sentence for one that is none."""
    told: dict[str, Any] = {"stream": stream, "name": _text(name, "name", NAME), "behind": behind, "created_at": now}
    told |= {"wait_hours": _length(wait_hours, "wait"), "work_hours": _length(work_hours, "work")}
    if accurate is not None and not 0 <= accurate <= 1:
        raise ValueError(f"{accurate:.0%} complete and accurate cannot be: expected 0 to 100 %")
    return _add(engine, HandStep, told | {"accurate": accurate, "created_by": _text(by, "source of the estimate", NAME)})


def remove_hand_step(engine: Engine, key: int) -> None:
    """Take a step by hand back; one that is not there is none."""
    _remove(engine, HandStep, key)


def future_states(engine: Engine) -> "pd.DataFrame":
    """Every future state, oldest first: id, stream, name, map (`vsm.future.written`), target_at, created_at, created_by."""
    return _read(engine, FutureState, STATE, "created_at")


def add_future_state(
    engine: Engine, stream: str, name: str, told: dict[str, Any], target_at: datetime | None, *, by: str, now: datetime
) -> int:
    """Keep a future state and give its id. Raises ValueError with a sentence for one without a name, or without a step."""
    if not told.get("steps"):
        raise ValueError("a future state needs a step: nothing is left on the map")
    row = {"stream": stream, "name": _text(name, "name", NAME), "map": told, "target_at": target_at, "created_at": now}
    return _add(engine, FutureState, row | {"created_by": " ".join(by.split())[:NAME] or None})


def remove_future_state(engine: Engine, key: int) -> None:
    """Take a future state back; one that is not there is none."""
    _remove(engine, FutureState, key)


def _length(hours: float, what: str) -> float:
    if not 0 <= hours <= MOST_HOURS:
        raise ValueError(f"a {what} of {hours:,.0f} hours cannot be: expected 0 to {MOST_HOURS:,.0f}, which is a year")
    return hours


def _text(text: str, what: str, most: int = LONGEST) -> str:
    plain = " ".join(text.split())
    if not plain:
        raise ValueError(f"a {what} needs words: {WANTED.get(what, 'write down what happened or what is tried')}")
    if len(plain) > most:
        raise ValueError(f"a {what} of {len(plain)} characters is too long: expected at most {most}")
    return plain


def _add(engine: Engine, table: type[SQLModel], row: dict[str, Any]) -> int:
    with transaction(engine) as connection:
        return int(connection.execute(table_of(table).insert().values(**row).returning(table_of(table).c.id)).scalar_one())


def _remove(engine: Engine, table: type[SQLModel], key: int) -> None:
    told = table_of(table)
    with transaction(engine) as connection:
        connection.execute(told.delete().where(told.c.id == key))


def _read(engine: Engine, table: type[SQLModel], kinds: dict[str, str], order: str) -> "pd.DataFrame":
    import pandas as pd

    told = table_of(table)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(*(told.c[name] for name in kinds)).order_by(told.c[order], told.c.id)).all()
    frame = pd.DataFrame(rows, columns=list(kinds))
    times = {name: pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]") for name in kinds if kinds[name] == "time"}
    return frame.assign(**times).astype({name: kind for name, kind in kinds.items() if kind != "time"})
