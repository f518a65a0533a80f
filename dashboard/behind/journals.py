"""What people write down: notes, experiments, steps by hand, future states. Read by all who may see it, written by editors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from dashboard.behind import flows, look
from dashboard.behind.choices import Choice, Written
from dashboard.shared import shared
from vsm import audit, journal, store
from vsm.scope import instant


def notes(choice: Choice) -> pd.DataFrame:
    """What people wrote down of a stream or of all, oldest first."""
    return _of_stream(_seen_of(_written_down("notes")), choice)


def add_note(text: str, first: date, last: date | None, stream: str | None, kind: str = "note") -> None:
    """Write down what happened on a day, or from one day to another. Raises ValueError with a sentence."""
    at, until = _day(first), None if last is None else _day(last, end=True)
    with _written("note.add", stream, text) as engine:
        journal.add_note(engine, text, at, until=until, stream=stream, kind=kind, now=datetime.now(UTC))


def remove_note(key: int) -> None:
    """Take a note back."""
    with _taken_back("note.remove", journal.notes, key) as engine:
        journal.remove_note(engine, key)


def experiments(choice: Choice) -> pd.DataFrame:
    """What was or is tried in a stream or in all, oldest first."""
    return _of_stream(_seen_of(journal.experiments(look.opened())), choice)


def add_experiment(title: str, hypothesis: str, metric: str, first: date, last: date | None, stream: str | None) -> None:
    """Write down what is tried from a day on. Raises ValueError with a sentence."""
    began, ended, now = _day(first), None if last is None else _day(last, end=True), datetime.now(UTC)
    with _written("experiment.add", stream, title) as engine:
        journal.add_experiment(engine, title, hypothesis, metric, began, ended_at=ended, stream=stream, now=now)


def end_experiment(key: int, last: date) -> None:
    """Say on which day an experiment ended."""
    at = _day(last, end=True)
    with _taken_back("experiment.end", journal.experiments, key) as engine:
        journal.end_experiment(engine, key, at)


def remove_experiment(key: int) -> None:
    """Take an experiment back."""
    with _taken_back("experiment.remove", journal.experiments, key) as engine:
        journal.remove_experiment(engine, key)


def hand_steps(stream: str) -> pd.DataFrame:
    """The steps of a stream that no system records."""
    told = _seen_of(_written_down("hand_steps"))
    return told[told["stream"] == stream]


def add_hand_step(
    stream: str, name: str, behind: str | None, wait: float, work: float, accurate: float | None, by: str
) -> None:  # fmt: skip
    """Write down a step that no system records. Raises ValueError with a sentence."""
    with _written("hand step.add", stream, name) as engine:
        journal.add_hand_step(engine, stream, name, behind, wait, work, accurate, by=by, now=datetime.now(UTC))


def remove_hand_step(key: int) -> None:
    """Take a step by hand back."""
    with _taken_back("hand step.remove", journal.hand_steps, key) as engine:
        journal.remove_hand_step(engine, key)


def future_states(stream: str) -> pd.DataFrame:
    """The future states of a stream that were kept, oldest first."""
    told = _seen_of(_written_down("future_states"))
    return told[told["stream"] == stream]


def add_future_state(stream: str, name: str, drawn: dict[str, Any], holds_from: date | None, by: str) -> int:
    """Keep a future state and give its id. Raises ValueError with a sentence."""
    target = None if holds_from is None else _day(holds_from)
    with _written("future state.add", stream, name) as engine:
        return journal.add_future_state(engine, stream, name, drawn, target, by=by, now=datetime.now(UTC))


def remove_future_state(key: int) -> None:
    """Take a future state back."""
    with _taken_back("future state.remove", journal.future_states, key) as engine:
        journal.remove_future_state(engine, key)


def _of_stream(told: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """What was written down of the chosen stream or of all; all of it where none is chosen."""
    return told if choice.stream is None else told[told["stream"].isna() | (told["stream"] == choice.stream)]


def _seen_of(told: pd.DataFrame) -> pd.DataFrame:
    """What was written down of the streams that may be seen; what is of all streams is for who may see them all."""
    streams = look.viewer().streams
    return told if streams is None else told[told["stream"].isin(streams)]


@contextmanager
def _written(what: str, stream: str | None, about: str | None = None) -> Iterator[store.Engine]:
    """The store to write into, for editors; what they did is written down, too.

    Raises ValueError with a sentence where the store does not take it, or who looks may not.
    """
    who = look.viewer()
    who.must_edit(stream)
    look.forget(look.WRITTEN)
    try:
        engine = look.opened()
        yield engine
        told = " · ".join(filter(None, (stream, about)))
        audit.add(engine, who.name, what, told, now=datetime.now(UTC))
    except store.DBAPIError as error:
        raise ValueError(f"the store does not take it now ({error.orig})") from None


@contextmanager
def _taken_back(what: str, told: Callable[[store.Engine], pd.DataFrame], key: int) -> Iterator[store.Engine]:
    """The same for what is there already: it is of the stream that it was written down of."""
    rows = told(look.opened())
    stream = next((one for one in rows.loc[rows["id"] == key, "stream"] if isinstance(one, str)), None)
    with _written(what, stream, f"number {key}") as engine:
        yield engine


def _day(day: date, end: bool = False) -> datetime:
    """A day's first or last moment in the reporting zone."""
    at: datetime = instant(day.isoformat(), flows.told().config.zone, last=end).to_pydatetime()
    return at


def _written_down(kind: str) -> pd.DataFrame:
    place, file = look.where()
    return _journal(place, file, kind, look.noted(kind))


@shared(6)
def _journal(place: str, file: int, kind: str, version: Written) -> pd.DataFrame:
    read = {"notes": journal.notes, "hand_steps": journal.hand_steps, "future_states": journal.future_states}
    return read[kind](look.engine_of(place, file))
