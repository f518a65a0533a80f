"""The journal: what people write down beside the facts, in the same store: dated notes, and experiments.

No collector and no import touches it, and what is in it never changes a number.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from vsm.models import Experiment, Note
from vsm.store import Engine, table_of, transaction

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 2000  # characters of a text; a note is no document
NOTE = {"id": "int64", "stream": "str", "at": "time", "until": "time", "kind": "str", "text": "str"}
EXPERIMENT = {
    "id": "int64", "stream": "str", "title": "str", "hypothesis": "str", "metric": "str", "started_at": "time", "ended_at": "time",
}  # fmt: skip


def notes(engine: Engine) -> "pd.DataFrame":
    """Every note, oldest first: id, stream (missing: of all), at, until (missing: a single day), kind, text."""
    return _read(engine, Note, NOTE, "at")


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


def _text(text: str, what: str) -> str:
    plain = " ".join(text.split())
    if not plain:
        raise ValueError(f"a {what} needs words: write down what happened or what is tried")
    if len(plain) > LONGEST:
        raise ValueError(f"a {what} of {len(plain)} characters is too long: expected at most {LONGEST}")
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
