"""Visits walked by an engine are those that arrays tell: every row and column, of random logs with everything that goes wrong."""

import numpy as np
import pandas as pd
import pytest
from random_visits import BARE, EVERYTHING, STATUSES, WORDS, events, items, log

from vsm.visits import visits
from vsm.warehouse.ranks import place
from vsm.warehouse.walk import walked
from vsm.workflow import Workflow
from vsm.working_time import NOT_A_TIME, micro, micros

VISITS = ("item", "position", "seq", "queued", "started", "finished", "left", "actor", "team", "before", "kind_in")
ITEMS = ("item", "state", "done_at", "cancelled_at", "reopened", "first_queued", "first_started", "stage", "stage_since")
ONLY_STATUSES = [word for word in WORDS if "." not in word]


def rows(frame: pd.DataFrame, columns: tuple[str, ...], workflow: Workflow) -> list[tuple[object, ...]]:
    """Rows as an engine tells them: times in microseconds, stages as places, what is missing as None."""
    place_of = {stage.name: number for number, stage in enumerate(workflow.stages)}
    told = []
    for name in columns:
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            told.append([None if at == NOT_A_TIME else int(at) for at in micros(column)])
        else:
            values = [None if pd.isna(value) else value for value in column]
            told.append([place_of.get(value, value) if name in ("stage", "before") else value for value in values])
    return list(zip(*told, strict=True))


@pytest.mark.parametrize(
    ("workflow", "words"),
    [(EVERYTHING, WORDS), (STATUSES, ONLY_STATUSES), (BARE, WORDS)],
    ids=["statuses and events", "statuses alone", "no stages"],
)
def test_visits_and_items_are_those_of_the_embedded_path(engine, filled, workflow: Workflow, words: list[str]) -> None:
    told, about = log(7, 250, words), items(8, 260)  # some items have no events
    expected = visits(told, about, workflow)
    tables = filled(engine, items=about, events=events(told).sample(frac=1, random_state=1))
    found = walked(tables.events, tables.items, workflow, engine.keep)
    stays = expected.visits.sort_values(["item", "seq"], kind="stable")
    stays = stays.assign(before=stays["entered_from"].astype("object").where(stays["entered_from"].notna(), -1))
    assert rows(found.visits.to_pandas().sort_values(["item", "seq"]), VISITS, workflow) == rows(stays, VISITS, workflow)
    assert rows(found.items.to_pandas().sort_values("item"), ITEMS, workflow) == rows(expected.items, ITEMS, workflow)
    assert len(stays) > 100 or not workflow.stages


def test_an_empty_log_leaves_items_without_events(engine, filled) -> None:
    tables = filled(engine, items=items(1, 3))
    found = walked(tables.events, tables.items, EVERYTHING, engine.keep)
    assert len(found.visits.to_pandas()) == 0
    assert set(found.items.to_pandas()["state"]) == {"no events"}


def test_a_time_is_placed_among_edges_as_a_search_places_it(engine, filled) -> None:
    told = log(3, 40)
    at = filled(engine, events=events(told)).events
    days = pd.date_range("2026-03-20", "2026-06-20", freq="D", tz="Europe/Vienna", unit="us")  # a day of 23 hours among them
    edges = micros(days).tolist()
    found = at.mutate(found=place(at.at, edges)).to_pandas().sort_values("place")
    assert found["found"].tolist() == (np.searchsorted(edges, micros(told["at"]), side="right") - 1).tolist()
    assert found["found"].min() == -1


def test_now_is_the_newest_time_that_any_table_tells(engine, filled) -> None:
    told, later = log(3, 40), pd.Timestamp("2027-05-01 08:00", tz="UTC").as_unit("us")
    mended = pd.DataFrame({"deployment": ["d"], "opened_at": [later]})
    assert filled(engine).newest() is None
    assert filled(engine, events=events(told)).newest() == micro(told["at"].max())
    assert filled(engine, events=events(told), remedies=mended).newest() == micro(later)
    tables = filled(engine, events=events(told), known=pd.DataFrame({"until": [told["at"].min(), later]}))
    assert (tables.newest(), "known" in tables.counts()) == (micro(later), False)
