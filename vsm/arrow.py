"""Rows as the Arrow driver reads them, as frames. A large table comes in parts, so that little is in memory twice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from vsm.models import Fact, kind

if TYPE_CHECKING:
    import pandas as pd

Groups = tuple[tuple[str, ...], ...]  # columns that share their categories
TYPES = {"text": pa.large_string(), "number": pa.int64()}


def compact(read: pa.Table, table: type[Fact], few: Groups) -> pa.Table:
    """A part in its own types: times as numbers, columns of few names as places among these.

    The driver, too, knows the type only of what it has seen: a column of nothing it takes for numbers.
    """
    ready = {name: _cast(read[name], _kind(table, name)) for name in read.column_names}
    for name in (one for names in few for one in names):
        ready[name] = ready[name].dictionary_encode()
    return pa.table({name: _own(column) for name, column in ready.items()})


def _own(column: pa.ChunkedArray) -> pa.Array:
    """A column in memory of its own: the driver's is free only when nothing shares any of it, be it where values are missing."""
    return pa.concat_arrays([*column.chunks, pa.array([], column.type)])


def _kind(table: type[Fact], name: str) -> str:
    return "text" if name == "origin" else kind(table, name)


def _cast(column: pa.ChunkedArray, what: str) -> pa.ChunkedArray:
    return column.cast(pa.string()).cast(pa.timestamp("us")) if what == "time" else column.cast(TYPES[what])


def framed(parts: Sequence[pa.Table], table: type[Fact], few: Groups) -> "pd.DataFrame":
    """The parts, one under the other."""
    import pandas as pd

    read = pa.concat_tables(parts)
    ready: dict[str, pd.Series[Any]] = {}
    for names in few:
        ready |= dict(zip(names, _categories([read[name] for name in names]), strict=True))
    for name in read.column_names:
        if name not in ready:
            ready[name] = _column(read[name], _kind(table, name))
    return pd.DataFrame({name: ready[name] for name in read.column_names}, copy=False)


def _categories(columns: Sequence[pa.ChunkedArray]) -> "list[pd.Series[Any]]":
    """Columns of the same categories. Each part came with its own list of names: they become one."""
    import pandas as pd

    every = [chunk for column in columns for chunk in column.chunks]
    one = pa.chunked_array(every, columns[0].type).unify_dictionaries()
    names = one.chunk(0).dictionary if one.num_chunks else pa.array([], type=pa.large_string())
    told = pd.CategoricalDtype(pd.Index(pd.array(names, dtype="str")))
    codes = iter([np.asarray(chunk.indices.fill_null(-1)) for chunk in one.chunks])
    none = np.zeros(0, dtype="int32")
    found = [np.concatenate([none, *(next(codes) for _ in column.chunks)]) for column in columns]
    return [pd.Series(pd.Categorical.from_codes(one, dtype=told)) for one in found]


def _column(column: pa.ChunkedArray, what: str) -> "pd.Series[Any]":
    import pandas as pd

    if what == "time":
        return pd.Series(column.to_numpy()).dt.tz_localize("UTC")
    if what == "number":
        return column.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return pd.Series(pd.array(pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], TYPES[what]), dtype="str"))
