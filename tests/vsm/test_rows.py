"""Whole columns of rows: what is taken for facts at a glance is what `models.validate` makes of each row."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.models import TABLES, RowError, shape, validate
from vsm.rows import gathered, written

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
WHOLE = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
TIMES = [AT, AT.replace(tzinfo=None), AT.astimezone(timezone(timedelta(hours=1)))]
ODD = st.sampled_from([None, "", "a", "é", "\0", "\ud800", 0, 2**63, True, 1.5, *TIMES])
KEYS = {"repository": st.sampled_from("ab"), "number": st.integers(0, 9)}
PULLS = st.lists(st.fixed_dictionaries(KEYS | {"title": ODD, "merged_at": ODD}))


@given(st.lists(st.none() | WHOLE | st.datetimes(timezones=st.just(UTC))))
def test_times_are_written_as_sqlalchemy_writes_them(times):
    assert written(times) == tuple(time and time.isoformat(" ", "microseconds")[:26] for time in times)


def one_by_one(table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The rows as `validate` makes them; None where it refuses one."""
    try:
        return [validate(TABLES[table], row) for row in rows]
    except RowError:
        return None


@given(
    st.lists(
        st.fixed_dictionaries({"repository": st.sampled_from("ab"), "number": st.integers(0, 9), "title": ODD, "merged_at": ODD})
    )
)
def test_what_is_taken_at_a_glance_is_what_each_row_is(rows):
    found = gathered(shape(TABLES["pull_requests"]), rows) if rows else None
    if found is not None:
        valid = one_by_one("pull_requests", rows)
        assert valid is not None
        assert {name: tuple(row[name] for row in valid) for name in found} == found
        assert len({(row["repository"], row["number"]) for row in rows}) == len(rows)


def test_a_page_as_collectors_make_it_is_taken_at_a_glance():
    rows = [{"repository": "shop", "number": number, "title": "", "merged_at": AT} for number in range(3)]
    assert gathered(shape(TABLES["pull_requests"]), rows) == {
        "repository": ("shop",) * 3, "number": (0, 1, 2), "title": (None,) * 3, "merged_at": (AT,) * 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{"id": "1", "application": "shop", "environment": "live", "result": "fine"}], id="no such result"),
        pytest.param([{"id": "1", "application": "shop", "environment": "live"}], id="a column is missing"),
        pytest.param([{"id": "1", "application": None, "environment": "live", "result": "success"}], id="a value is missing"),
        pytest.param([{"id": "1", "application": "shop", "environment": "live", "result": "success", "by": "ann"}], id="unknown"),
        pytest.param(
            [{"id": "1", "application": "shop", "environment": "live", "result": "success"}, {"id": "2", "application": "shop"}],
            id="rows of two forms",
        ),
    ],
)
def test_what_is_not_plain_is_left_to_the_border(rows):
    assert gathered(shape(TABLES["deployments"]), rows) is None
