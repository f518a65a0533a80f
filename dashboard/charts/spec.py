"""A chart as its Vega-Lite specification: made once, then served as it is; frames lie beside it once, as Arrow bytes."""

import hashlib
import io
import re
from typing import Any

import altair as alt
import pandas as pd
import pyarrow as pa

from dashboard.charts.marks import Chart

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|\\u00(?:[01][0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])")
COUNTED = re.compile(r"^(view|param)_\d+$")  # Altair counts names up in a process: they would differ from run to run


def specification(chart: Chart) -> dict[str, Any]:
    """A chart's specification without a theme of its own; ``datasets``: name -> Arrow bytes, equal frames once."""
    datasets: dict[str, bytes] = {}
    _detach(chart, datasets)
    told: dict[str, Any] = chart.to_dict()
    told.pop("config", None)  # Altair's own theme: the page and the export each have theirs
    return _renamed(told, {}) | {"datasets": datasets}


def with_rows(spec: dict[str, Any]) -> dict[str, Any]:
    """The same with its data as rows of JSON, as programs without Arrow take it; selections are left out.

    Signs that steer a terminal are left out, too: a converter falls over one in a text.
    """
    told: dict[str, Any] = _printable({key: value for key, value in spec.items() if key not in ("datasets", "params")})
    return told | {"datasets": {name: _json_rows(frame(data)) for name, data in spec["datasets"].items()}}


def frame(data: bytes) -> pd.DataFrame:
    """The frame behind Arrow bytes."""
    return pa.ipc.open_stream(io.BytesIO(data)).read_pandas()


def _detach(chart: Any, datasets: dict[str, bytes]) -> None:
    """Put the frames of a chart and of its layers beside it, and their names in their place."""
    if isinstance(chart.data, pd.DataFrame):
        data = _arrow(chart.data)
        name = hashlib.blake2b(data, digest_size=8).hexdigest()
        datasets[name] = data
        chart.data = alt.NamedData(name=name)
    for layer in getattr(chart, "layer", ()):
        _detach(layer, datasets)


def _arrow(told: pd.DataFrame) -> bytes:
    table = pa.Table.from_pandas(told, preserve_index=False)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _json_rows(told: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: times as naive local text, nothing where nothing is known."""
    plain = told.copy()
    for name in plain.columns:
        if plain[name].dtype.kind == "M":
            plain[name] = plain[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-3]
    plain = plain.astype("object").where(told.notna(), None)
    rows: list[dict[str, Any]] = _printable(plain.to_dict("records"))
    return rows


def _printable(told: Any) -> Any:
    """The same without control characters in any text, also where an expression quotes them."""
    if isinstance(told, dict):
        return {key: _printable(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_printable(value) for value in told]
    return CONTROL.sub("", told) if isinstance(told, str) else told


def _renamed(told: Any, names: dict[str, str]) -> Any:
    """The counted names of views and parameters, numbered anew in each chart."""
    if isinstance(told, dict):
        return {key: _renamed(value, names) for key, value in told.items()}
    if isinstance(told, list):
        return [_renamed(value, names) for value in told]
    if isinstance(told, str) and (found := COUNTED.match(told)):
        return names.setdefault(told, f"{found[1]}_{len(names)}")
    return told
