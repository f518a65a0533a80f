"""Columns that are typed also when there is nothing in them: times in UTC with microseconds, text, whole numbers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

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
    unique = found[~found.index.duplicated()]
    return pd.Series(unique.reindex(pd.Index(keys)).array, index=keys.index, name=found.name)


def empty(kinds: Mapping[str, str]) -> pd.DataFrame:
    """No rows, but typed columns: name to pandas type."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
