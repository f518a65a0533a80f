"""Visits and their aggregates in an engine against the embedded path, on one log of three sizes.

A line of five stages with skips, backflow, reopening and cancelled tickets (that of `big_store`), some ten events a ticket. Both
sides begin with the log where they have it, in memory or in the engine's tables, and tell the visits of all tickets, the table of
stages, moves, rework, WIP by day and six figures, which must be equal. DuckDB and a Spark cluster of two workers count three sizes,
PostgreSQL two, where they can be had. VSM_BENCH_TICKETS=10000 measures one size alone, VSM_BENCH_ENGINES=duckdb one engine.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.config import Warehouse
from vsm.metrics import cumulative, handoffs, rework
from vsm.metrics import flow as figures_
from vsm.metrics import stages as in_stage
from vsm.scope import Scope
from vsm.visits import visits
from vsm.warehouse import flow, moves, stays
from vsm.warehouse.engine import Engine, opened
from vsm.warehouse.load import arrow
from vsm.warehouse.tables import PREFIX, TABLES, tables
from vsm.warehouse.walk import walked
from vsm.workflow import Stage, Workflow

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests" / "peers")]
from big_store import BEGIN, DAY, DAYS, STATUSES, STAY, WAYS  # noqa: E402 - its folder is not a package

SIZES = (2_000, 10_000, 50_000, 100_000, 500_000, 1_000_000)
OF = {"duckdb": (10_000, 100_000, 1_000_000), "postgresql": (10_000, 100_000), "spark": (2_000, 50_000, 500_000)}
ZONE = ZoneInfo("Europe/Vienna")
LINE = Workflow(
    "line",
    (
        Stage("Develop", waiting=(STATUSES[1],), active=(STATUSES[2],)),
        Stage("Review", waiting=(STATUSES[3],), active=(STATUSES[4],)),
        Stage("QA", waiting=(STATUSES[5],), active=(STATUSES[6],)),
        Stage("Release", waiting=(STATUSES[7],)),
    ),
    new=(STATUSES[0],), done=(STATUSES[8],), cancelled=(STATUSES[9],),
)  # fmt: skip
Told = dict[str, pd.DataFrame]


def figures() -> list[dict[str, Any]]:
    """Seconds in each engine, beside those of the embedded path."""
    asked, some = os.environ.get("VSM_BENCH_TICKETS"), os.environ.get("VSM_BENCH_ENGINES", "").split()
    found = []
    for tickets in (int(asked),) if asked else SIZES:
        counting = [name for name in ENGINES if (not some or name in some) and (asked or tickets in OF[name])]
        if not counting:
            continue
        log, items = synthetic(tickets)
        window = Scope(log["at"].max() - pd.Timedelta(weeks=26), log["at"].max())
        seconds, expected = timed(lambda log=log, items=items, window=window: embedded(log, items, window))
        for name in counting:
            with tempfile.TemporaryDirectory(prefix="vsm-bench-") as folder:
                url, end = ENGINES[name](Path(folder))
                if url is None:
                    continue
                try:
                    value = in_engine(url, log, items, window, expected)
                finally:
                    end()
            text = f"visits and aggregates in {name}, {tickets:,} tickets, {len(log):,} events ÷ the embedded path, s"
            found.append({"name": text, "value": value, "peer": seconds, "ratio": value / seconds, "limit": None})
    return found


def timed(run: Callable[[], Told]) -> tuple[float, Told]:
    begin = time.perf_counter()
    told = run()
    return time.perf_counter() - begin, told


def synthetic(tickets: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A log in order, and its items."""
    dice = np.random.default_rng(7)
    shares = np.array([share for _, share in WAYS], dtype="float64")
    way = dice.choice(len(WAYS), tickets, p=shares / shares.sum())
    lengths = np.array([len(steps) for steps, _ in WAYS])[way]
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    longest = max(len(steps) for steps, _ in WAYS)
    table = np.array([[*steps, *[0] * (longest - len(steps))] for steps, _ in WAYS])
    status = table[np.repeat(way, lengths), place]
    stay = (dice.exponential(1, len(status)) * STAY[status]).astype("int64") + 1
    came = BEGIN + np.sort(dice.integers(0, DAYS, tickets)) * DAY + dice.integers(0, DAY, tickets)
    before = np.cumsum(stay) - stay
    at = np.repeat(came, lengths) + before - np.repeat(before[np.cumsum(lengths) - lengths], lengths)
    keys = pd.Index(np.char.mod("BIG-%08d", np.arange(tickets)), dtype="str")
    item = np.repeat(np.arange(tickets), lengths)
    kept = at <= BEGIN + DAYS * DAY
    none = np.full(int(kept.sum()), -1)
    people = [f"person {number}" for number in range(300)]
    log = pd.DataFrame(
        {
            "item": pd.Categorical.from_codes(item[kept], categories=keys),
            "at": pd.DatetimeIndex(at[kept].view("datetime64[us]"), tz="UTC"),
            "event": pd.Categorical.from_codes(none + 1, categories=["status"]),
            "status": pd.Categorical.from_codes(status[kept], categories=list(STATUSES)),
            "environment": pd.Categorical.from_codes(none, categories=["production"]),
            "actor": pd.Categorical.from_codes(dice.integers(0, len(people), len(none)), categories=people),
            "team": pd.Categorical.from_codes(none, categories=["team"]),
        }
    )
    items = pd.DataFrame({"item": keys, "created_at": pd.DatetimeIndex(came.view("datetime64[us]"), tz="UTC")})
    text = pd.Series(["Story"], dtype="str").repeat(tickets).reset_index(drop=True)
    return log, items.assign(type=text, team=text, in_production_at=pd.Series(pd.NaT, items.index, dtype="datetime64[us, UTC]"))


def embedded(log: pd.DataFrame, items: pd.DataFrame, window: Scope) -> Told:
    """What this process tells."""
    path = visits(log, items, LINE)
    split = in_stage.split(path.visits, LINE.stages)
    sent = rework.rework(split, path.items, window)
    numbers = (
        figures_.lead_time(path.items, window, "done"), figures_.cycle_time(path.items, window),
        figures_.wip(split, path.items, window), figures_.work_item_age(path.items, window),
        figures_.flow_efficiency(split, path.items, window), figures_.throughput(path.items, window, ZONE),
    )  # fmt: skip
    return {
        "stages": in_stage.stages(in_stage.lately(split, window), LINE.stages, window, None, ZONE),
        "moves": handoffs.moves(split, path.items, window),
        "accurate": sent.percent_complete_accurate,
        "days": cumulative.wip_by_day(split, window, ZONE),
        "figures": pd.DataFrame({"n": [one.n for one in numbers], "first": [next(iter(one.values.values())) for one in numbers]}),
    }


def in_engine(url: str, log: pd.DataFrame, items: pd.DataFrame, window: Scope, expected: Told) -> float:
    """The seconds that an engine takes for the same; what it tells must be equal."""
    with opened(url) as engine:
        frames = {"items": items, "events": log.assign(place=np.arange(len(log)))}
        for name in TABLES:
            engine.put(PREFIX + name, arrow(name, frames.get(name, pd.DataFrame(columns=list(TABLES[name])))))
        seconds, told = timed(lambda: counted(engine, window))
        for name, frame in expected.items():
            pd.testing.assert_frame_equal(frame, told[name][frame.columns], rtol=1e-9, atol=1e-6, check_dtype=False)
    return seconds


def counted(engine: Engine, window: Scope) -> Told:
    """What an engine tells."""
    given, span = tables(engine, Warehouse()), stays.Window.of(window)
    found = walked(given.events, given.items, LINE, engine.keep)
    split, items = found.visits, found.items
    steps = engine.keep(moves.steps(split, items))
    numbers = (
        flow.lead_time(items, span, "done"), flow.cycle_time(items, span), flow.wip(split, window), flow.work_item_age(items, span),
        flow.flow_efficiency(split, items, span), flow.throughput(items, window),
    )  # fmt: skip
    return {
        "stages": stays.stages(split, LINE.stages, window, None, ZONE, engine.keep),
        "moves": moves.moves(steps, LINE.stages, span),
        "accurate": moves.rework(steps, items, LINE.stages, span).accurate,
        "days": flow.wip_by_day(split, window, ZONE),
        "figures": pd.DataFrame({"n": [one.n for one in numbers], "first": [next(iter(one.values.values())) for one in numbers]}),
    }


# Engines: each a URL (None: it cannot be had here), and what ends it. -------------------------------------------------------


def _duckdb(folder: Path) -> tuple[str | None, Callable[[], None]]:
    return f"duckdb://{folder / 'events.duckdb'}", lambda: None


def _postgresql(_folder: Path) -> tuple[str | None, Callable[[], None]]:
    try:
        from postgres_server import Postgres
    except ImportError:
        return None, lambda: None
    server = Postgres()
    return server.loopback("postgres"), server.close


def _spark(_folder: Path) -> tuple[str | None, Callable[[], None]]:
    import spark_cluster

    try:
        cluster = spark_cluster.Cluster(short=False)
    except BaseException as error:  # what pytest raises for an absent peer is no Exception
        if type(error).__name__ not in ("Skipped", "Failed"):
            raise
        return None, lambda: None
    os.environ.update(cluster.environment())
    sys.path.append(str(cluster.packages))
    return cluster.url, cluster.close


ENGINES: dict[str, Callable[[Path], tuple[str | None, Callable[[], None]]]] = {
    "duckdb": _duckdb, "postgresql": _postgresql, "spark": _spark,
}  # fmt: skip


if __name__ == "__main__":
    for row in figures():
        print(f"{row['name']}: {row['value']:.3g} / {row['peer']:.3g} = {row['ratio']:.3g}")
