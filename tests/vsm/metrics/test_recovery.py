"""The recovery value stream and the happy path: steps that add up to the numbers beside them."""

import pandas as pd
import pytest

from vsm.metrics.figure import Figure
from vsm.metrics.recovery import happy_path, recovery_stream
from vsm.metrics.spans import UNTOLD

MONDAY = pd.Timestamp("2026-03-02", tz="UTC")
TIME = "datetime64[us, UTC]"


def at(hours):
    return [pd.NaT if pd.isna(hour) else MONDAY + pd.Timedelta(hours=hour) for hour in hours]


def figure(rows, **values):
    return Figure("x", values, len(rows), "", "", "", rows)


def failures(*rows):
    """(deployment, deployed, recovered)"""
    names, deployed, recovered = zip(*rows, strict=True) if rows else ((), (), ())
    told = pd.DataFrame({"deployment": names, "deployed_at": at(deployed), "recovered_at": at(recovered)})
    told = told.astype({"deployment": "str", "deployed_at": TIME, "recovered_at": TIME})
    return figure(told.assign(hours=(told["recovered_at"] - told["deployed_at"]).dt.total_seconds() / 3600))


def incidents(*rows):
    """(id, deployment, opened, detected, acknowledged)"""
    told = pd.DataFrame(list(rows), columns=["id", "deployment", "opened_at", "detected_at", "acknowledged_at"])
    times = {name: at(told[name]) for name in ("opened_at", "detected_at", "acknowledged_at")}
    return told.assign(**times).astype({"id": "str", "deployment": "str"} | dict.fromkeys(times, TIME))


OFTEN, RATE = figure(pd.DataFrame(), per_week=4.0), figure(pd.DataFrame(), value=0.25)


def steps(stream):
    return {row["part"]: (row["n"], row["mean"]) for row in stream.steps.to_dict("records") if row["n"]}


def test_a_failure_is_detected_taken_on_and_restored():
    told = failures(("d1", 0, 10), ("d2", 0, 6), ("d3", 0, 2))
    found = recovery_stream(
        told, OFTEN, RATE, incidents(("i1", "d1", 2, 1, 4), ("i1b", "d1", 5, None, None), ("i2", "d2", 3, None, None))
    )

    assert (found.per_week, found.n) == (1.0, 3)
    assert steps(found) == {
        "detection": (2, pytest.approx((1 + 3) / 3)),
        "response": (1, pytest.approx(3 / 3)),
        "restoring": (1, pytest.approx(6 / 3)),
        "mending": (1, pytest.approx(2 / 3)),
        UNTOLD: (1, pytest.approx(3 / 3)),
    }
    assert found.steps["mean"].sum() == pytest.approx((10 + 6 + 2) / 3)


def test_without_deployments_the_volume_is_not_known():
    found = recovery_stream(failures(), figure(pd.DataFrame(), per_week=None), RATE, incidents())

    assert (found.per_week, found.n, steps(found)) == (None, 0, {})


def test_the_happy_path_adds_up_to_the_lead_time():
    names = pd.DataFrame({"change": ["a", "b"]}).astype({"change": "str"})
    lead = names.assign(merged_at=at([8, 5]), deployed_at=at([20, 6]), hours=[20.0, 6.0])
    changes = names.assign(opened_at=at([2, 1]), ready_at=at([3, 1]), first_review_at=at([5, None]))
    found = happy_path(figure(lead), changes, OFTEN)

    assert steps(found) == {
        "coding": (2, 1.5), "draft": (2, 0.5), "pickup": (1, 1.0), "review": (1, 1.5), "deploy": (2, 6.5), UNTOLD: (1, 2.0),
    }  # fmt: skip
    assert found.steps["mean"].sum() == pytest.approx(13.0)
