"""A store's log, deliveries and links written into an engine: what `vsm export warehouse` does."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from vsm.delivery import Deliveries
from vsm.frames import among
from vsm.metrics.blocked import flags
from vsm.metrics.lead_time import excluded
from vsm.ordered import in_order
from vsm.pipeline import Flow
from vsm.warehouse.earlier import earlier
from vsm.warehouse.engine import Engine
from vsm.warehouse.tables import NUMBER, PREFIX, TABLES, TEXT, TIME, TRUTH

KINDS = {TEXT: pa.string(), TIME: pa.timestamp("us", tz="UTC"), NUMBER: pa.int64(), TRUTH: pa.bool_()}


def load(engine: Engine, flow: Flow) -> dict[str, int]:
    """Write what a flow tells into the engine's tables, each anew; how many rows each has."""
    counts = {}
    for name, frame in frames(flow).items():
        engine.put(PREFIX + name, arrow(name, frame))
        counts[name] = len(frame)
    return counts


def frames(flow: Flow) -> dict[str, pd.DataFrame]:
    """The tables of a flow, as `vsm.warehouse.tables` describes them."""
    linked = flow.links
    items = [one.items.assign(stream=one.name) for one in flow.streams]
    texts = [name for name, (kind, _) in TABLES["events"].items() if kind == TEXT]
    logs = [one.log.assign(**{name: one.log[name].astype("str") for name in texts}) for one in flow.streams]
    events = in_order(pd.concat([*logs, earlier(flow)], ignore_index=True))
    apart = excluded(linked.changes, flow.config.dora)["id"]
    return {
        "items": pd.concat(items, ignore_index=True),
        "events": events.assign(place=np.arange(len(events))),
        "deployments": linked.deployments.rename(columns={"id": "deployment"}),
        "changes": linked.changes.assign(left_out=among(linked.changes["change"], apart)),
        "deployment_changes": linked.deployment_changes,
        "item_changes": linked.item_changes,
        "remedies": Deliveries(flow).judged[0],
        "flags": _flags(flow),
        "known": pd.DataFrame({"until": [flow.now]}),  # also of facts that are in no table here, such as an incident's
    }


def _flags(flow: Flow) -> pd.DataFrame:
    """When the items of all streams were flagged."""
    items = pd.concat([one.items for one in flow.streams], ignore_index=True)
    spans = flags(flow.facts.ticket_changes, items)
    return spans[among(spans["item"], items["item"])].rename(columns={"from": "since", "to": "until"})


def arrow(name: str, frame: pd.DataFrame) -> pa.Table:
    """A frame as a table of the engine: its columns and no others, typed also where nothing is in them."""
    schema = pa.schema([(column, KINDS[kind]) for column, (kind, _) in TABLES[name].items()])
    told: dict[str, Any] = {column: frame.get(column) for column in schema.names}
    arrays = [
        pa.nulls(len(frame), field.type) if told[field.name] is None else _array(told[field.name], field.type) for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(column: pd.Series, kind: pa.DataType) -> pa.Array:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("str")
    told = pa.array(column, from_pandas=True).cast(kind)
    return told.combine_chunks() if isinstance(told, pa.ChunkedArray) else told
