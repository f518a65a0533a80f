"""Frames as tables of a page: turned into Arrow once for all viewers."""

from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboard.shared import made_of

REFUSED = (pa.ArrowTypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError)


def sheet(rows: pd.DataFrame, **more: Any) -> None:
    """A table without its index; `more`: as st.dataframe takes it. Rows that are shared between viewers are converted once."""
    st.dataframe(arrow(rows), hide_index=True, **more)


def arrow(rows: pd.DataFrame) -> pa.Table | pd.DataFrame:
    """Rows as Arrow; what Arrow refuses (a column of several kinds) stays, and Streamlit makes text of it."""
    found = made_of(rows, "arrow", partial(_arrow, rows))
    return rows if found is None else found


def _arrow(rows: pd.DataFrame) -> pa.Table | None:
    try:
        return pa.Table.from_pandas(rows)
    except REFUSED:
        return None
