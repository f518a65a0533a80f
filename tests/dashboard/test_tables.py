"""Rows as tables: from each item a way to its path."""

import pandas as pd
import pytest

from dashboard.tables import with_paths


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("PAY-1", "flow?item=PAY-1"),
        ("owner/shop#12", "flow?item=owner%2Fshop%2312"),
        ('x&stream=y"><script>', "flow?item=x%26stream%3Dy%22%3E%3Cscript%3E"),
        (None, None),
    ],
)
def test_an_items_key_leads_to_its_path_and_to_nothing_else(key, address):
    rows = with_paths(pd.DataFrame({"stage": ["QA"], "item": [key], "hours": [1.0]}))
    assert list(rows) == ["stage", "item", "path", "hours"]
    assert rows["path"].tolist() == [address]


def test_rows_of_something_else_stay_as_they_are():
    rows = pd.DataFrame({"deployment": ["d1"]})
    assert with_paths(rows) is rows
