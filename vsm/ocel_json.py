"""An object-centric log as a file: OCEL 2.0 in JSON, written row after row."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from vsm.frames import plain
from vsm.ocel import EVENT_ATTRIBUTES, OBJECTS, Ocel

BEGINNING = "1970-01-01T00:00:00Z"
CHUNK = 20_000  # rows that are text at a time


def stamps(times: pd.Series) -> list[str | None]:
    """Times as ISO 8601 with Z, missing as None."""
    told = times.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(str).tolist()
    return [None if one == "NaT" else one.removesuffix(".000000") + "Z" for one in told]


def chunks(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """A frame in parts that are small as text."""
    for start in range(0, len(frame), CHUNK):
        yield frame.iloc[start : start + CHUNK]


def rows(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """A frame's rows, times as text, missing as None."""
    for part in chunks(frame):
        yield from zip(*(_cells(part[name]) for name in part.columns), strict=True)


def _cells(column: pd.Series) -> list[Any]:
    return stamps(column) if isinstance(column.dtype, pd.DatetimeTZDtype) else plain(column)


def write_json(told: Ocel, path: Path) -> None:
    """Write the JSON form of the standard."""
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write('{"objectTypes": ')
        out.write(_json([{"name": kind, "attributes": _declared(names)} for kind, names in OBJECTS.items()]))
        out.write(',\n"eventTypes": ')
        declared = _declared(dict.fromkeys(EVENT_ATTRIBUTES, "string"))
        out.write(_json([{"name": name, "attributes": declared} for name in told.types]))
        out.write(',\n"objects": [')
        _each(out, _objects(told))
        out.write('],\n"events": [')
        _each(out, _events(told))
        out.write("]}\n")


def _declared(attributes: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": what} for name, what in attributes.items()]


def _each(out: TextIO, objects: Iterable[Any]) -> None:
    for place, one in enumerate(objects):
        out.write((",\n" if place else "\n") + _json(one))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _objects(told: Ocel) -> Iterator[dict[str, Any]]:
    later = _by_first(told.values[["object", "field", "time", "value"]])
    ties = _by_first(told.ties[["source", "target", "qualifier"]])
    for kind, frame in told.objects.items():
        for key, *values in rows(frame):
            first = zip(OBJECTS[kind], values, strict=True)
            found = [{"name": name, "time": BEGINNING, "value": value} for name, value in first if value is not None]
            found += [{"name": name, "time": at, "value": value} for name, at, value in later.pop(key, ())]
            tied = [{"objectId": target, "qualifier": word} for target, word in ties.pop(key, ())]
            yield {"id": key, "type": kind, "attributes": found, "relationships": tied}


def _by_first(frame: pd.DataFrame) -> dict[str, list[tuple[Any, ...]]]:
    return {key: [row[1:] for row in some] for key, some in groupby(rows(frame), key=lambda row: row[0])}


def _events(told: Ocel) -> Iterator[dict[str, Any]]:
    """The events with what they touch: both are in the same order."""
    touched = groupby(rows(told.touched), key=lambda row: row[0])
    for key, kind, at, *values in rows(told.events):
        event, some = next(touched)
        if event != key:
            raise ValueError(f"the event {key!r} touches nothing")
        of = [{"objectId": other, "qualifier": word} for _, other, word in some]
        pairs = zip(EVENT_ATTRIBUTES, values, strict=True)
        found = [{"name": name, "value": value} for name, value in pairs if value is not None]
        yield {"id": key, "type": kind, "time": at, "attributes": found, "relationships": of}
