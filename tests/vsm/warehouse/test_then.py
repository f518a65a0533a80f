"""What an engine tells as of an earlier date are the visits that a store derives from the facts as they were then."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from vsm import cli, config, pipeline, store
from vsm.frames import texts
from vsm.metrics import stages
from vsm.scope import instant
from vsm.store import Facts
from vsm.warehouse import measured
from vsm.warehouse.brought import _visits
from vsm.warehouse.engine import Engine, connect, opened

FILE = Path(__file__).parents[3] / "sample_data" / "vsm.toml"
SAMPLE = config.load(FILE)


@pytest.fixture(scope="module")
def facts(sample_store) -> Facts:
    with store.opened(sample_store, create=False) as opened:
        return store.facts(opened)


@pytest.fixture(scope="module")
def engine(sample_duckdb) -> Iterator[Engine]:
    told = connect(f"duckdb://{sample_duckdb}")
    yield told
    told.close()


@pytest.mark.parametrize(
    "day",
    [
        pytest.param("2026-06-01", id="a draft was not ready yet"),
        pytest.param("2026-09-30", id="the first of two approvals was the only one"),
    ],
)
def test_visits_as_of_a_date_are_those_of_the_store_row_by_row(facts, engine, day: str) -> None:
    now = instant(day, SAMPLE.zone, last=True)
    same(pipeline.read(facts, SAMPLE, now), measured.read(engine, SAMPLE, now))


def test_what_was_exported_as_of_a_date_knows_no_link_that_was_found_later(facts, engine, sample_store, tmp_path) -> None:
    url, now = f"duckdb://{tmp_path / 'then.duckdb'}", instant("2026-07-15", SAMPLE.zone, last=True)
    words = ["--engine", url, "--to", "2026-07-15", "--store", sample_store, "--config", str(FILE)]
    assert cli.run(["export", "warehouse", *words]) == 0
    flow = pipeline.read(facts, SAMPLE, now)
    with opened(url) as then:
        found = measured.read(then, SAMPLE)
        assert found.now == now
        same(flow, found)
        items = [set(part.items.item.to_pandas()) for part in found.streams]
    assert items == [set(one.items["item"]) for one in flow.streams]
    assert {"quillfeather/payments#147"} <= items[0]  # a change by itself, until a commit of it named a ticket
    assert items[0] != {item for part in measured.read(engine, SAMPLE, now).streams[:1] for item in part.items.item.to_pandas()}


def same(flow: pipeline.Flow, found: measured.Warehouse) -> None:
    for one, part in zip(flow.streams, found.streams, strict=True):
        expected = texts(stages.split(one.visits, one.workflow.stages)).sort_values(["item", "seq"], ignore_index=True)
        told = _visits(part.visits, part.workflow)
        assert_frame_equal(expected[list(told)], told, check_dtype=False)
        assert len(told) > 800
