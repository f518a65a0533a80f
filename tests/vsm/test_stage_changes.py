"""Stage changes: the table's own medians beside those of the period before, judged by the visits behind them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from vsm import config, measure, pipeline, store
from vsm.scope import Scope
from vsm.stage_changes import stage_changes

SAMPLE = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
START = pd.Timestamp("2026-11-02", tz="UTC")
WEEK = pd.Timedelta(weeks=1)


def measured(start, **hours):
    """What was measured of one week: the waits of the visits to some stages, an hour of work each."""
    rows = [(f"{stage}{i}", stage, wait) for stage, waits in hours.items() for i, wait in enumerate(waits)]
    frame = pd.DataFrame(rows, columns=["item", "stage", "hours"]).astype({"hours": "float64"})
    visits = frame.assign(
        left=start + pd.Timedelta(days=1),
        wait=pd.to_timedelta(frame["hours"], unit="h"),
        work=pd.Series(pd.Timedelta(hours=1), index=frame.index),
    )
    told = [
        {"stage": stage, "wait_p50": float(np.sort(waits)[(len(waits) - 1) // 2]), "wait_n": len(waits), "work_p50": 1.0,
         "work_n": len(waits), "wip_now": len(stage)}
        for stage, waits in hours.items()
    ]  # fmt: skip
    return SimpleNamespace(stages=pd.DataFrame(told), visits=visits, scope=Scope(start, start + WEEK), spreads={})


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        pytest.param(range(100, 120), range(10, 30), "clearly longer", id="longer"),
        pytest.param(range(10, 30), range(100, 120), "clearly shorter", id="shorter"),
        pytest.param(range(1, 100, 5), range(3, 102, 5), "no clear change", id="within what chance does"),
        pytest.param(range(100, 104), range(10, 30), "too few to say", id="four visits now"),
        pytest.param(range(100, 120), range(10, 14), "too few to say", id="four visits before"),
    ],
)
def test_a_median_is_judged_by_the_visits_behind_it(now, before, verdict):
    told = stage_changes(measured(START, QA=list(now)), measured(START - WEEK, QA=list(before)))
    wait = told[told["number"] == "wait"].iloc[0]
    assert (wait["verdict"], wait["n_now"], wait["n_before"]) == (verdict, len(now), len(before))
    assert told[told["number"] == "work"]["verdict"].iloc[0] in ("no clear change", "too few to say")


def test_what_is_inside_is_told_and_not_compared_and_a_new_stage_has_no_before():
    told = stage_changes(measured(START, Dev=[1] * 9, Review=[1] * 9), measured(START - WEEK, Dev=[1] * 9))
    assert told["stage"].unique().tolist() == ["Dev"]
    assert told[told["number"] == "wip"][["now", "before", "verdict"]].to_numpy().tolist() == [[3, 3, "not compared"]]


def test_the_numbers_are_the_tables_own_and_the_planted_change_is_found(sample_store):
    with store.opened(sample_store, create=False) as engine:
        flow = pipeline.read(store.facts(engine), config.load(SAMPLE))
    scope = Scope(flow.now - pd.Timedelta(weeks=26), flow.now, stream="checkout")
    now, before = measure.measure(flow, scope), measure.measure(flow, scope.before())
    told = stage_changes(now, before).set_index(["number", "stage"])

    for number in ("wait", "work"):
        for one, side in ((now, "now"), (before, "before")):
            table = one.stages.set_index("stage")[[f"{number}_p50", f"{number}_n"]]
            pd.testing.assert_series_equal(told.loc[number, side], table[f"{number}_p50"], check_names=False)
            assert told.loc[number, f"n_{side}"].tolist() == table[f"{number}_n"].tolist()
    assert told.loc[("wait", "QA"), "verdict"] == "clearly longer", "a tester left for the review"
