"""Engines to compare with: those that need no server always, a real PostgreSQL and a Spark cluster where they can be had."""

from collections.abc import Callable

import pandas as pd
import pytest

from vsm.config import Warehouse
from vsm.warehouse.engine import Engine, connect
from vsm.warehouse.load import arrow
from vsm.warehouse.tables import PREFIX, TABLES, Tables, tables

EMBEDDED = ("duckdb", "sqlite")


@pytest.fixture(params=EMBEDDED)
def engine(request, tmp_path):
    """An engine in this process."""
    told = connect(f"{request.param}://{tmp_path / 'events.db'}")
    yield told
    told.close()


@pytest.fixture(scope="session")
def postgresql_url(_postgres) -> str:
    """The tests' own PostgreSQL server, whose own zone is not UTC, over a connection with a password."""
    return _postgres.loopback("postgres")


@pytest.fixture(scope="session")
def filled() -> Callable[..., Tables]:
    """Fills the tables of an engine: `filled(engine, items=…, events=…)`; those that are not given are empty."""

    def fill(engine: Engine, **frames: pd.DataFrame) -> Tables:
        for name in TABLES:
            frame = frames.get(name, pd.DataFrame(columns=list(TABLES[name])))
            engine.put(PREFIX + name, arrow(name, frame))
        return tables(engine, Warehouse())

    return fill
