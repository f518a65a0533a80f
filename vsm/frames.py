"""Columns that are typed also when there is nothing in them: times in UTC with microseconds, text, whole numbers."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

TIME = "datetime64[us, UTC]"


def no_times(index: pd.Index) -> pd.Series:
    """A column of missing times."""
    return pd.Series(pd.NaT, index=index, dtype=TIME)


def no_text(index: pd.Index) -> pd.Series:
    """A column of missing text."""
    return pd.Series(None, index=index, dtype="str")


def text(value: str, index: pd.Index) -> pd.Series:
    """The same text in every row."""
    return pd.Series(value, index=index, dtype="str")


def times(values: Any, index: pd.Index) -> pd.Series:
    """Times as a column, in UTC with microseconds."""
    return pd.Series(pd.DatetimeIndex(pd.to_datetime(values, utc=True)).as_unit("us"), index=index)


def looked_up(keys: pd.Series, found: pd.Series) -> pd.Series:
    """For each key its value in a series that is indexed by key (of one key the first); a column of the series' type."""
    places = pc.index_in(_arrow(keys), value_set=_arrow(found.index), skip_nulls=True).to_numpy(zero_copy_only=False)
    plain = found.set_axis(pd.RangeIndex(len(found)))
    return pd.Series(plain.reindex(np.nan_to_num(places, nan=-1).astype("int64")).array, index=keys.index, name=found.name)


def among(values: pd.Series, known: Collection[str] | pd.Series) -> pd.Series:
    """Which texts are among those that are known; a missing one never is. Much faster than ``isin`` of text."""
    told = known if isinstance(known, pd.Series) else pd.Series(list(known), dtype="str")
    held = pc.is_in(_arrow(values), value_set=_arrow(told).drop_null(), skip_nulls=True)
    return pd.Series(held.to_numpy(zero_copy_only=False), index=values.index, dtype="bool")


def _arrow(values: pd.Series | pd.Index) -> pa.Array:
    told = pa.array(values.array if len(values) else [], type=pa.large_string(), from_pandas=True)
    return told.combine_chunks() if isinstance(told, pa.ChunkedArray) else told


def plain(values: pd.Series) -> list[Any]:
    """A column as a list for a loop, missing as None; much faster than walking the column."""
    told: list[Any] = values.astype("object").where(values.notna(), None).tolist()
    return told


def empty(kinds: Mapping[str, str]) -> pd.DataFrame:
    """No rows, but typed columns: name to pandas type."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
