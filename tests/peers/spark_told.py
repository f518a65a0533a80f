"""Run where pyspark is: a random log's visits and aggregates, counted by a Spark cluster, as a pickle of frames.

`python spark_told.py URL SEED ITEMS FILE`
"""

import pickle
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
from random_visits import EVERYTHING, MONDAY, events, items, log

from vsm.config import Calendar, Warehouse
from vsm.scope import Scope
from vsm.warehouse import flow, moves, stays
from vsm.warehouse.engine import opened
from vsm.warehouse.load import arrow
from vsm.warehouse.tables import PREFIX, TABLES, tables
from vsm.warehouse.walk import walked

WINDOW = Scope(MONDAY + pd.Timedelta(days=20), MONDAY + pd.Timedelta(days=80, hours=7))
VIENNA = ZoneInfo("Europe/Vienna")
SHIFT = Calendar(workdays=("mon", "tue", "thu", "fri"), hours=("08:30", "16:00"))
SETTINGS = {
    "spark.sql.shuffle.partitions": "2", "spark.ui.showConsoleProgress": "false", "spark.executor.memory": "512m",
    # The log is so small that to compile code for each query would take longest.
    "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN", "spark.sql.adaptive.enabled": "false",
}  # fmt: skip


def told(url: str, seed: int, count: int) -> dict[str, pd.DataFrame]:
    """What the cluster tells of the log: visits, items, stages, moves, days."""
    with opened(url, SETTINGS) as engine:
        for name in TABLES:
            frames = {"items": items(seed + 1, count), "events": events(log(seed, count))}
            engine.put(PREFIX + name, arrow(name, frames.get(name, pd.DataFrame(columns=list(TABLES[name])))))
        given = tables(engine, Warehouse())
        found = walked(given.events, given.items, EVERYTHING, engine.keep)
        visits, about = found.visits, found.items
        window = stays.Window.of(WINDOW)
        steps = engine.keep(moves.steps(visits, about))
        return {
            "visits": visits.to_pandas(),
            "items": about.to_pandas(),
            "stages": stays.stages(visits, EVERYTHING.stages, WINDOW, SHIFT, VIENNA, engine.keep),
            "moves": moves.moves(steps, EVERYTHING.stages, window),
            "days": flow.wip_by_day(visits, WINDOW, VIENNA),
            "cycle_time": pd.DataFrame([flow.cycle_time(about, window).values]),
        }


if __name__ == "__main__":
    url_, seed_, count_, file_ = sys.argv[1:]
    Path(file_).write_bytes(pickle.dumps(told(url_, int(seed_), int(count_))))
