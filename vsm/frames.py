"""Columns that are typed also when there is nothing in them: times in UTC with microseconds, text, whole numbers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

TIME = "datetime64[us, UTC]"
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


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
    plain = found.set_axis(pd.RangeIndex(len(found)))
    return pd.Series(plain.reindex(places(keys, found.index)).array, index=keys.index, name=found.name)


def among(values: pd.Series, known: Collection[str] | pd.Series) -> pd.Series:
    """Which texts are among those that are known; a missing one never is. Much faster than ``isin`` of text."""
    told = known if isinstance(known, pd.Series) else pd.Series(list(known), dtype="str")
    return pd.Series(places(values, told) >= 0, index=values.index, dtype="bool")


def places(keys: pd.Series | pd.Index, known: pd.Series | pd.Index) -> Codes:
    """For each key its place in what is known, of several the first; −1 where it is not there, or missing.

    Keys often come in runs, such as an item's visits: then each run is looked up once.
    """
    told, values = _arrow(keys), _arrow(known)
    first = _begins(told)
    if 2 * first.sum() > len(first):
        return _places(told, values)
    found: Codes = _places(told.filter(pa.array(first)), values)[np.cumsum(first) - 1]
    return found


def _places(told: pa.Array, values: pa.Array) -> Codes:
    found = pc.fill_null(pc.index_in(told, value_set=values, skip_nulls=True), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False)).astype("int64")


def begins(values: pd.Series) -> Mask:
    """Which rows are not of the same text as the row before them."""
    return _begins(_arrow(values))


def _begins(told: pa.Array) -> Mask:
    if not len(told):
        return np.zeros(0, dtype="bool")
    other = pc.fill_null(pc.not_equal(told[1:], told[:-1]), True)
    return np.append(True, other.to_numpy(zero_copy_only=False))


def coded(values: pd.Series) -> tuple[Codes, list[Any]]:
    """A column of text, or of categories, as numbers from 0 on and their names; −1 where it is missing."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy().astype("int64"), values.cat.categories.tolist()
    codes, names = pd.factorize(values)
    return codes.astype("int64"), list(names)


def named(codes: Codes, names: Sequence[str | None]) -> pd.Series:
    """Numbers as the text that they stand for, −1 as missing text: the way back from `coded`."""
    told = pa.array(names, type=pa.large_string()).take(pa.array(codes, mask=codes < 0))
    return pd.Series(pd.array(told, dtype="str"))


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
