"""Columns that are typed also when there is nothing in them: times in UTC with microseconds, text, whole numbers."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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


def instants(microseconds: Codes) -> pd.Series:
    """Microseconds since 1970 as times in UTC; numpy's number for NaT as missing."""
    return pd.Series(np.asarray(microseconds, dtype="int64").view("datetime64[us]")).dt.tz_localize("UTC")


def looked_up(keys: pd.Series, found: pd.Series) -> pd.Series:
    """For each key its value in a series that is indexed by key (of one key the first); a column of the series' type."""
    return taken(found, places(keys, found.index), keys.index)


def taken(found: pd.Series, place: Codes, index: pd.Index) -> pd.Series:
    """For each place the value that a series has there, missing of −1; a column of the series' type."""
    plain = found.set_axis(pd.RangeIndex(len(found)))
    return pd.Series(plain.reindex(place).array, index=index, name=found.name)


def among(values: pd.Series, known: Collection[str] | pd.Series) -> pd.Series:
    """Which texts are among those that are known; a missing one never is. Much faster than ``isin`` of text."""
    told = known if isinstance(known, pd.Series) else pd.Series(list(known), dtype="str")
    return pd.Series(places(values, told) >= 0, index=values.index, dtype="bool")


def places(keys: pd.Series | pd.Index, known: pd.Series | pd.Index) -> Codes:
    """For each key its place in what is known, of several the first; −1 where it is not there, or missing.

    Keys often come in runs, such as an item's visits: then each run is looked up once.
    """
    if isinstance(keys, pd.Series) and isinstance(keys.dtype, pd.CategoricalDtype):
        each: Codes = np.append(places(keys.cat.categories, known), -1)[keys.cat.codes.to_numpy()]
        return each
    told, values = _arrow(keys), _arrow(known)
    if _leads(told, values):
        return np.arange(len(told))
    first = _begins(told)
    if 2 * first.sum() > len(first):
        return _places(told, values)
    found: Codes = _places(told.filter(pa.array(first)), values)[np.cumsum(first) - 1]
    return found


def _leads(told: pa.Array, values: pa.Array) -> bool:
    """Whether texts that go up are what a list begins with, as tickets are what items begin with: then none is looked up."""
    last = len(told) - 1
    if last < 0 or last >= len(values) or told[0] != values[0] or told[last] != values[last]:
        return False
    return _goes_up(told) and bool(pc.all(pc.equal(told, values[: last + 1])).as_py())


def _goes_up(told: pa.Array) -> bool:
    """Whether each text is there, and comes after the one before it."""
    return told.null_count == 0 and (len(told) < 2 or bool(pc.all(pc.less(told[:-1], told[1:])).as_py()))


def _places(told: pa.Array, values: pa.Array) -> Codes:
    if not len(told) or not len(values):
        return np.full(len(told), -1)
    if len(told) < 4 * len(values) and _ascends(values) and _ascends(told):
        return _places_in_order(told, values)
    found = pc.fill_null(pc.index_in(told, value_set=values, skip_nulls=True), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False)).astype("int64")


def _places_in_order(told: pa.Array, values: pa.Array) -> Codes:
    """The same of texts that are in their order, each once: a search costs a third of putting them all into a table."""
    if told.equals(values):
        return np.arange(len(told))
    place = np.minimum(pc.search_sorted(values, told).to_numpy().astype("int64"), len(values) - 1)
    same = pc.equal(values.take(pa.array(place)), told).to_numpy(zero_copy_only=False)
    return np.where(same, place, -1)


def _ascends(told: pa.Array) -> bool:
    """Whether each of some texts is greater than the one before it, and none is missing."""
    return told.null_count == 0 and bool(pc.all(pc.less(told[:-1], told[1:])).as_py())


def begins(values: pd.Series) -> Mask:
    """Which rows are not of the same text as the row before them."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        first: Mask = np.diff(values.cat.codes.to_numpy().astype("int64"), prepend=-2) != 0
        return first
    return _begins(_arrow(values))


def _begins(told: pa.Array) -> Mask:
    if not len(told):
        return np.zeros(0, dtype="bool")
    other = pc.fill_null(pc.not_equal(told[1:], told[:-1]), True)
    return np.append(True, other.to_numpy(zero_copy_only=False))


def coded(values: pd.Series) -> tuple[Codes, list[Any]]:
    """A column of text, or of categories, as numbers from 0 on and their names; −1 where it is missing."""
    codes, names = narrow(values)
    return codes.astype("int64"), names


def narrow(values: pd.Series) -> "tuple[npt.NDArray[np.integer[Any]], list[Any]]":
    """The same in numbers as small as the column keeps them: of many rows the wide ones take long to make."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(), values.cat.categories.tolist()
    codes, names = pd.factorize(values)
    return codes, list(names)


def named(codes: Codes, names: Sequence[str | None]) -> pd.Series:
    """Numbers as the text that they stand for, −1 as missing text: the way back from `coded`."""
    told = pa.array(names, type=pa.large_string()).take(pa.array(codes, mask=codes < 0))
    return pd.Series(pd.array(told, dtype="str"))


def classed(codes: "npt.NDArray[np.integer[Any]]", names: Sequence[str]) -> pd.Series:
    """Numbers as categories of the names that they stand for, −1 as missing: those names that occur, in their order."""
    count = np.bincount(codes[codes >= 0], minlength=len(names))
    ranked = sorted(np.flatnonzero(count).tolist(), key=names.__getitem__)
    number = np.full(len(names) + 1, -1, dtype=np.min_scalar_type(-len(ranked) - 1))
    number[ranked] = np.arange(len(ranked))
    return of_category(number[codes], category([names[one] for one in ranked]))


def of_category(codes: "npt.NDArray[np.integer[Any]]", kind: pd.CategoricalDtype) -> pd.Series:
    """The places of categories as the column that they stand for; nobody looks whether there are such categories."""
    return pd.Series(pd.Categorical.from_codes(codes, dtype=kind, validate=False), copy=False)


def texts(frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame with its categories as text, for who writes it or puts it beside others."""
    return frame.assign(**{str(name): values.astype("str") for name, values in frame.items() if values.dtype == "category"})


def category(names: Iterable[str]) -> pd.CategoricalDtype:
    """The type of a column that has only these names in it: numbers in memory, text to who reads it."""
    told = names if isinstance(names, (pd.Series, pd.Index)) else list(names)
    return pd.CategoricalDtype(pd.Index(told, dtype="str"))


def categories(values: pd.Series) -> pd.Series:
    """A column of text as categories; one that has them already as it is."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values
    if _goes_up(_arrow(values)):  # as a table's keys: all are different
        codes, names = np.arange(len(values)), pd.Index(values.array)
    else:
        codes, names = pd.factorize(values.astype("str"))
    return pd.Series(pd.Categorical.from_codes(codes, dtype=category(pd.Index(names))), index=values.index)


def in_names(values: pd.Series) -> pd.Series:
    """A column of text as categories whose names are in their order: to sort or group by them is to do so by the text."""
    if isinstance(values.dtype, pd.CategoricalDtype) and in_turn(values.cat.categories):
        return values
    codes, names = coded(values)
    ranked = sorted(names)
    place = {name: number for number, name in enumerate(ranked)}
    number = np.array([*(place[name] for name in names), -1], dtype="int64")
    return pd.Series(pd.Categorical.from_codes(number[codes], dtype=category(ranked)), index=values.index)


def shared(columns: Sequence[pd.Series]) -> list[pd.Series]:
    """Columns of text as categories that all of them have; those that share theirs already as they are."""
    first = columns[0].dtype
    if isinstance(first, pd.CategoricalDtype) and first.categories.dtype == "str":
        same = (isinstance(one.dtype, pd.CategoricalDtype) and one.dtype.categories.equals(first.categories) for one in columns)
        if all(same):  # in the same order, too, which pandas' own comparison does not ask
            return list(columns)
    each = [column.astype("str") for column in columns]
    told = category(pd.concat(each, ignore_index=True).dropna().unique().tolist())
    return [column.astype(told) for column in each]


def recoded(values: pd.Series, name: Callable[[str], str | None]) -> pd.Series:
    """A column of text with other names for the same, as categories; several may become one, or missing."""
    codes, old = coded(values)
    told = [name(one) for one in old]
    new = {one: number for number, one in enumerate(dict.fromkeys(one for one in told if one is not None))}
    number = np.array([*(-1 if one is None else new[one] for one in told), -1], dtype="int64")
    return pd.Series(pd.Categorical.from_codes(number[codes], dtype=category(new)), index=values.index)


def kept(frame: pd.DataFrame, mask: "pd.Series | Mask") -> pd.DataFrame:
    """The rows under a mask; where that is all of them, the frame as it is, since to copy millions of rows takes long."""
    return frame if mask.all() else frame[mask]


def stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames of the same columns, one under the other; categories stay categories, of all that any of them has."""
    if len(parts) == 1:
        return parts[0].reset_index(drop=True)
    joined = {}
    for name in parts[0].columns:
        columns = [part[name] for part in parts]
        if isinstance(columns[0].dtype, pd.CategoricalDtype):
            joined[name] = _joined(columns)
        else:
            joined[name] = pd.concat(columns, ignore_index=True)
    return pd.DataFrame(joined, copy=False)


def _joined(columns: Sequence[pd.Series]) -> pd.Series:
    """Columns of categories, one under the other."""
    codes, kind = joined(columns)
    return pd.Series(pd.Categorical.from_codes(np.concatenate(codes), dtype=kind, validate=False))


def joined(columns: Sequence[pd.Series]) -> "tuple[list[np.ndarray[Any, Any]], pd.CategoricalDtype]":
    """Columns of categories as numbers of all the names that any has. Several mostly have the same: those are looked at once."""
    types = [column.dtype for column in columns]
    codes = [column.cat.codes.to_numpy() for column in columns]
    kinds = {id(kind): kind for kind in types}
    if len(kinds) == 1:
        return codes, types[0]
    told = pa.concat_arrays([_arrow(kind.categories) for kind in kinds.values()]).dictionary_encode()
    ends = np.cumsum([len(kind.categories) for kind in kinds.values()])[:-1]
    small = np.min_scalar_type(-len(told.dictionary) - 1)
    number = {
        key: np.append(mine, -1).astype(small) for key, mine in zip(kinds, np.split(told.indices.to_numpy(), ends), strict=True)
    }
    names = pd.Index(pd.array(told.dictionary, dtype="str"))
    return [number[id(kind)][one] for one, kind in zip(codes, types, strict=True)], pd.CategoricalDtype(names)


def in_turn(names: pd.Index) -> bool:
    """Whether texts are in their order, none before a smaller one."""
    told = _arrow(names)
    return bool(pc.all(pc.less_equal(told[:-1], told[1:])).as_py()) if len(told) > 1 else True


def _arrow(values: pd.Series | pd.Index) -> pa.Array:
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype("str")
    told = pa.array(values.array if len(values) else [], type=pa.large_string(), from_pandas=True)
    return told.combine_chunks() if isinstance(told, pa.ChunkedArray) else told


def plain(values: pd.Series) -> list[Any]:
    """A column as a list for a loop, missing as None; much faster than walking the column."""
    told: list[Any] = values.astype("object").where(values.notna(), None).tolist()
    return told


def empty(kinds: Mapping[str, str]) -> pd.DataFrame:
    """No rows, but typed columns: name to pandas type."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
