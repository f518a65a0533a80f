"""A Spark cluster of a master and two workers tells the same visits and aggregates, whole rows."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from random_visits import EVERYTHING, events, items, log
from spark_cluster import Cluster
from spark_told import SHIFT, VIENNA, WINDOW

from vsm.metrics import cumulative, handoffs
from vsm.metrics import flow as figures
from vsm.metrics import stages as in_stage
from vsm.visits import visits
from vsm.warehouse.engine import connect
from vsm.warehouse.walk import walked

ROOT = Path(__file__).parents[3]
SEED, ITEMS = 15, 60


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    running = Cluster()
    yield running
    running.close()


@pytest.fixture(scope="module")
def told(cluster: Cluster, tmp_path_factory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("spark") / "told.pickle"
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "peers"), str(cluster.packages)])
    call = [sys.executable, str(ROOT / "tests" / "peers" / "spark_told.py"), cluster.url, str(SEED), str(ITEMS), str(file)]
    done = subprocess.run(call, env={**os.environ, **cluster.environment(), "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = pickle.loads(file.read_bytes())  # noqa: S301 - our own
    return found


@pytest.mark.peer
def test_a_cluster_tells_what_the_embedded_path_tells(told, filled, tmp_path) -> None:
    about = items(SEED + 1, ITEMS)
    path = visits(log(SEED, ITEMS), about, EVERYTHING)
    engine = connect(f"duckdb://{tmp_path / 'same.duckdb'}")
    tables = filled(engine, items=about, events=events(log(SEED, ITEMS)))
    found = walked(tables.events, tables.items, EVERYTHING, engine.keep)  # a test of its own holds these to the embedded path
    for name, by, frame in (("visits", ["item", "seq"], found.visits), ("items", ["item"], found.items)):
        here, there = (one.sort_values(by, ignore_index=True) for one in (frame.to_pandas(), told[name]))
        assert_frame_equal(here, there[here.columns], check_dtype=False)
    engine.close()
    assert len(told["visits"]) == len(path.visits) > 100
    table = in_stage.stages(in_stage.lately(path.visits, WINDOW), EVERYTHING.stages, WINDOW, SHIFT, VIENNA)
    assert_frame_equal(table, told["stages"][table.columns], rtol=1e-9)
    assert_frame_equal(handoffs.moves(path.visits, path.items, WINDOW), told["moves"], rtol=1e-9)
    assert_frame_equal(cumulative.wip_by_day(path.visits, WINDOW, VIENNA), told["days"], rtol=1e-9, atol=1e-7)
    cycle = figures.cycle_time(path.items, WINDOW).values
    assert_frame_equal(pd.DataFrame([cycle]), told["cycle_time"][list(cycle)], rtol=1e-9)
