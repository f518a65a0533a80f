"""Batch size: what each deployment brought, counted by hand."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vsm.metrics.batch_size import batch_size, by_size, sizes
from vsm.scope import Scope

UTC = ZoneInfo("UTC")
MONDAY = pd.Timestamp("2026-03-02", tz="UTC").as_unit("us")
SCOPE = Scope(MONDAY, MONDAY + pd.Timedelta(weeks=4))


def deployed(*rows):
    """(id, day, {column: value}) of successful production deployments of the shop."""
    usual = dict.fromkeys(("sha", "previous", "rollback_of", "url")) | {
        "application": "shop",
        "production": True,
        "result": "success",
    }
    told = [{"id": key, **usual, "finished_at": MONDAY + pd.Timedelta(days=day), **more} for key, day, more in rows]
    frame = pd.DataFrame(told)
    texts = ["id", "application", "result", "sha", "previous", "rollback_of", "url"]
    return frame.astype(dict.fromkeys(texts, "str") | {"finished_at": "datetime64[us, UTC]"})


def brought(**changes):
    pairs = [(deployment, change) for deployment, some in changes.items() for change in some.split()]
    return pd.DataFrame(pairs, columns=["deployment", "change"]).astype("str")


def sized(**told):
    """change = (commits, lines)"""
    rows = [(change, commits, np.nan if lines is None else lines) for change, (commits, lines) in told.items()]
    return pd.DataFrame(rows, columns=["change", "commits", "lines"]).astype({"change": "str", "commits": "float64"})


def test_a_batch_is_what_came_with_a_deployment():
    told = deployed(("d1", 1, {}), ("d2", 8, {}), ("d3", 9, {}))
    found = batch_size(
        told,
        brought(d1="a b c", d2="e", d3="f g"),
        sized(a=(1, 10), b=(2, 5), c=(4, 1), e=(3, None), f=(1, 1), g=(1, 2)),
        SCOPE,
        UTC,
    )

    assert found.rows[["deployment", "changes", "commits"]].values.tolist() == [["d1", 3, 7.0], ["d2", 1, 3.0], ["d3", 2, 2.0]]
    assert found.rows["lines"].tolist() == pytest.approx([16.0, np.nan, 3.0], nan_ok=True)
    assert found.values == {"p50": 2.0, "p85": 3.0, "commits_p50": 3.0, "lines_p50": 3.0}
    assert (found.n, found.of) == (3, 3)
    assert found.series[["n", "p50"]].iloc[:2].values.tolist() == [[1, 3.0], [2, 1.0]]
    assert found.series["n"].tolist() == [1, 2, 0, 0, 0]
    assert found.series["p50"].iloc[2:].isna().all()


def test_what_brings_nothing_is_no_batch_and_says_why():
    told = deployed(
        ("d1", 1, {"sha": "a"}),
        ("d2", 2, {"sha": "a", "previous": "d1"}),
        ("d3", 3, {"sha": "z", "previous": "d2", "rollback_of": "d2"}),
        ("d4", 4, {"sha": "q", "previous": "d3"}),
    )
    found = batch_size(told, brought(d1="a"), sized(a=(1, 1)), SCOPE, UTC)

    assert (found.n, found.of, found.values["p50"]) == (1, 4, 1.0)
    assert found.left_out.values.tolist() == [
        ["d2", "it deployed the same commit once more"],
        ["d3", "it returned to an earlier version"],
        ["d4", "no change is known to have come with it"],
    ]


def test_without_deployments_no_size_is_known():
    found = batch_size(deployed(("d1", 400, {})), brought(), sized(), SCOPE, UTC)

    assert (found.n, found.of) == (0, 0)
    assert set(found.values.values()) == {None}


def test_small_and_large_batches_beside_each_other():
    batches = pd.DataFrame({"deployment": [f"d{place}" for place in range(15)], "changes": [1] * 5 + [2, 2, 2, 3, 3] + [9] * 5})
    failed = pd.Series(["d0", "d10", "d11", "d12", "elsewhere"])
    took = pd.DataFrame({"deployment": ["d0", "d1", "d14", "other"], "hours": [1.0, 3.0, 50.0, 999.0]})
    found = by_size(batches.astype({"deployment": "str"}), failed, took.astype({"deployment": "str"}))

    assert found[["band", "from", "to", "n", "failed", "value"]].values.tolist() == [
        ["small", 1, 1, 5, 1, 0.2],
        ["middle", 2, 3, 5, 0, 0.0],
        ["large", 9, 9, 5, 3, 0.6],
    ]
    assert found["p50"].tolist() == pytest.approx([1.0, np.nan, 50.0], nan_ok=True)
    assert found["changes_n"].tolist() == [2, 0, 1]
    assert ((found["low"] <= found["value"]) & (found["value"] <= found["high"])).all()


def test_batches_of_one_size_are_not_compared():
    batches = pd.DataFrame({"deployment": [f"d{place}" for place in range(20)], "changes": [1] * 20}).astype({"deployment": "str"})
    none = pd.DataFrame({"deployment": pd.Series(dtype="str"), "hours": pd.Series(dtype="float64")})

    assert by_size(batches, pd.Series(dtype="str"), none).empty
    assert by_size(batches.assign(changes=range(20)).iloc[:14], pd.Series(dtype="str"), none).empty


def test_sizes_of_changes_come_from_commits_and_pull_requests():
    commits = pd.DataFrame({"change": ["shop#1", "shop#1", "shop@abc"], "sha": ["a", "b", "c"]}).astype("str")
    pulls = pd.DataFrame({"repository": ["shop", "shop"], "number": [1, 2], "additions": [4, None], "deletions": [3, 1]})
    found = sizes(commits, pulls.astype({"repository": "str", "number": "Int64", "additions": "Int64", "deletions": "Int64"}))

    assert found["change"].tolist() == ["shop#1", "shop#2", "shop@abc"]
    assert found["commits"].tolist() == pytest.approx([2.0, np.nan, 1.0], nan_ok=True)
    assert found["lines"].tolist() == pytest.approx([7.0, np.nan, np.nan], nan_ok=True)
