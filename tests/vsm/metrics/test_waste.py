"""Waste: every hour of an item in one class, by the first cause that fits, and what was planted found again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm import config, pipeline, store
from vsm.metrics.stages import sojourn
from vsm.metrics.waste import CLASSES, ROWS, Waste, together, waste
from vsm.scope import Scope
from vsm.workflow import Stage

Build = Callable  # of the builders in conftest
SAMPLE = Path(__file__).parents[3] / "sample_data" / "vsm.toml"
CHANGES = {"ticket": "str", "at": "datetime64[us, UTC]", "field": "str", "from": "str", "to": "str"}
TRAIN = (Stage("Dev", waiting=("for Dev",), active=("Dev",)), Stage("Train", waiting=("for Train",)))
BARE = (Stage("Dev", active=("Dev",)), Stage("Test", waiting=("for Test",), active=("Test",)))


def flagged(*spans: tuple[str, float, float | None]) -> pd.DataFrame:
    """(item, from, to) in hours after the new year."""
    rows: list[list[object]] = []
    for item, begin, end in spans:
        rows.append([item, begin, "flagged", None, "Impediment"])
        rows += [] if end is None else [[item, end, "flagged", "Impediment", None]]
    frame = pd.DataFrame(rows, columns=list(CHANGES))
    return frame.assign(at=pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(frame["at"].astype("float64"), unit="h")).astype(
        CHANGES
    )


def of(told: Any, scope: Scope, flags: pd.DataFrame | None = None, **more: Any) -> Waste:
    return waste(told.visits, told.items, told.line, flagged() if flags is None else flags, scope, **more)


def hours(found: Waste) -> dict[str, float]:
    """The hours of every class in which there are some, with work and what is not classed."""
    told = {name: found.values[name] for name in (*CLASSES, "work", "not classed")}
    return {name: round(value, 6) for name, value in told.items() if value}


@pytest.mark.parametrize(
    ("history", "told"),
    [
        pytest.param("Dev~ 01-02, Dev 01-03, Review~ 01-04, Review 01-06, done 01-07", {"waiting": 72, "work": 48}, id="queues"),
        pytest.param("Dev 01-02, Dev. 01-03, Review 01-05, done 01-06", {"waiting": 48, "work": 48}, id="not handed on"),
        pytest.param("Dev~ 01-02", {"waiting": 27 * 24}, id="waits still"),
        pytest.param("Dev 01-02, Review 01-03, cancelled 01-06", {"abandoned": 96}, id="cancelled"),
        pytest.param("Dev 01-02, cancelled 01-06, Dev 01-07, done 01-08", {"work": 120}, id="taken up again and done"),
        pytest.param(
            "Dev 01-02, Review 01-03, Dev~ 01-04, Dev 01-06, Review 01-07, Test 01-08, done 01-09",
            {"work": 72, "rework": 96},
            id="sent back, until it gets further",
        ),
        pytest.param(
            "Dev 01-02, Test 01-03, Review 01-04, Test 01-05, done 01-06", {"work": 48, "rework": 48}, id="into a skipped"
        ),
        pytest.param("Dev 01-02, Test 01-03, done 01-04, Test 01-05, done 01-06", {"work": 48, "rework": 24}, id="reopened"),
        pytest.param("Dev 01-02, Dev~ 01-03, Dev 01-04, done 01-05", {"work": 48, "waiting": 24}, id="waits again in its stage"),
        pytest.param("Dev 01-02, new 01-03, Dev 01-05, done 01-06", {"work": 48}, id="by way of the backlog, where no hours are"),
        pytest.param("Dev~ 01-02, Review 01-04, done 01-05", {"not classed": 48, "work": 24}, id="no start recorded"),
        pytest.param("created 01-02", {}, id="never in a stage"),
        pytest.param("Dev 01-02, Dev 01-02, Review 01-02, done 01-02", {}, id="all in one instant"),
    ],
)
def test_each_hour_is_in_the_class_that_it_belongs_to(path: Build, scope: Build, history: str, told: dict[str, float]) -> None:
    assert hours(of(path(f"A-1: {history}"), scope())) == told


def test_a_stage_without_a_queue_hides_its_wait_in_its_work(path: Build, scope: Build) -> None:
    told = path("A-1: Dev 01-02, Test~ 01-04, Test 01-05, done 01-06", BARE)
    assert hours(of(told, scope())) == {"not classed": 48, "waiting": 24, "work": 24}


def test_flagged_time_is_parked_whether_it_waited_or_was_worked_on(path: Build, scope: Build) -> None:
    told = path([("A-1", [("Dev~", 0), ("Dev", 10), ("Review~", 30), ("Review", 40), ("done", 50)])])
    found = of(told, scope(), flagged(("A-1", 5, 15), ("A-1", 20, 22), ("A-1", 45, None)))
    assert hours(found) == {"waiting": 15, "work": 5 + 8 + 5, "parked": 10 + 2 + 5}
    assert set(found.rows.loc[found.rows["class"] == "parked", "evidence"]) == {"flagged while in Dev", "flagged while in Review"}


@pytest.mark.parametrize(("last", "name"), [("cancelled", "abandoned"), ("Review", "rework")])
def test_what_was_given_up_or_done_again_is_that_though_it_was_flagged_too(path: Build, scope: Build, last: str, name: str) -> None:
    words = [("Review", 0), ("Dev~", 10), (last, 20), ("Test", 30), ("done", 30)]
    told = path([("A-1", words[:3] if last == "cancelled" else words)])
    found = hours(of(told, scope(), flagged(("A-1", 12, 18))))
    assert "parked" not in found
    assert found[name] == 20  # all of it, or both repeated visits


def test_a_wait_that_eight_later_arrivals_overtook_is_parked(path: Build, scope: Build) -> None:
    line = [(f"A-{n}", [("Dev~", float(n)), ("Dev", n + 0.5), ("done", n + 1.0)]) for n in range(1, 9)]
    parked = ("P-1", [("Dev~", 0.0), ("Dev", 100.0), ("done", 101.0)])
    found = of(path([parked, *line]), scope())
    assert hours(found) == {"parked": 100, "waiting": 4, "work": 5}
    told = found.rows[found.rows["class"] == "parked"].iloc[0]
    assert (told["item"], told["stage"]) == ("P-1", "Dev")
    assert told["evidence"] == "lay in Dev while 8 or more later arrivals were taken up before it"
    assert hours(of(path([parked, *line[:7]]), scope())) == {"waiting": 103.5, "work": 4.5}


def test_waits_for_a_train_are_batch_waits_and_who_leaves_alone_only_waits(path: Build, scope: Build) -> None:
    journeys = [
        (f"A-{n}", [("Dev", n * 10.0), ("Train~", n * 10 + 5.0), ("done", n // 5 * 50 + 60 + 0.1 * (n % 5))]) for n in range(20)
    ]
    alone = ("H-1", [("Dev", 80.0), ("Train~", 83.0), ("done", 85.0)])
    waits = ("O-1", [("Dev", 230.0), ("Train~", 240.0)])
    found = of(path([*journeys, alone, waits], TRAIN), scope("01-01", "01-12"))
    rows = found.rows[found.rows["stage"] == "Train"]
    assert set(rows.loc[rows["class"] == "batch wait", "item"]) == {*(name for name, _ in journeys), "O-1"}
    assert set(rows.loc[rows["class"] == "waiting", "item"]) == {"H-1"}
    sentences = rows.set_index("item")["evidence"]
    assert sentences["A-0"] == "waited in Train until 4 others left with it"
    assert sentences["O-1"] == "waits in Train, which lets go in clumps"
    assert sentences["H-1"] == "lay in Train, in which nobody works"


def test_the_last_to_leave_with_a_train_was_not_overtaken_by_those_before_it(path: Build, scope: Build) -> None:
    journeys = [(f"A-{n}", [("Train~", float(n)), ("done", 100 - 0.01 * n)]) for n in range(12)]
    assert list(hours(of(path(journeys, TRAIN), scope()))) == ["batch wait"]


def handed_on(extra: float, team: str, n: int = 30) -> list[tuple[str, list[tuple[str, float]]]]:
    """Items a day apart that wait between an hour and two before Review, every other one in a team with so much more."""
    found = []
    for number in range(n):
        begin, wait = number * 100.0, 1 + (number * 7 % 10) / 10
        changes = number % 2 == 1
        whose = f"Review@bob/{team if changes else 'Core'}"
        ready = begin + 10
        start = ready + wait + (extra if changes else 0)
        found.append((f"A-{number}", [("Dev@ann/Core", begin), ("Review~", ready), (whose, start), ("done", start + 5)]))
    return found


def test_what_a_change_of_team_adds_to_a_wait_is_handoff_and_the_rest_is_waiting(path: Build, scope: Build) -> None:
    told = path(handed_on(8, "Other"))
    found = of(told, scope("01-01", "06-30"))
    slow = [1 + (number * 7 % 10) / 10 for number in range(30)]
    each = 8 + np.mean(slow[1::2]) - np.mean(slow[::2])
    assert found.values["handoff"] == pytest.approx(15 * each)
    assert found.values["waiting"] == pytest.approx(sum(slow) + 15 * 8 - 15 * each)
    rows = found.rows[found.rows["class"] == "handoff"]
    assert set(rows["evidence"]) == {
        f"changed teams from Dev to Review: such moves wait {each:.1f} hours longer on average than those "
        "without a change that met as many waiting"
    }
    assert set(rows["item"]) == {f"A-{number}" for number in range(1, 30, 2)}


def test_a_wait_after_work_that_a_change_of_team_makes_longer_is_handoff_too(path: Build, scope: Build) -> None:
    """Where the stage before says when its work is over, what waits to be taken up waits there."""
    after = [
        (name, [dev, ("Dev.", ready[1]), (review[0], review[1]), done])
        for name, (dev, ready, review, done) in handed_on(8, "Other")
    ]
    found, same = (of(path(told), scope("01-01", "06-30")) for told in (after, handed_on(8, "Other")))
    assert hours(found) == pytest.approx(hours(same))
    rows = found.rows[found.rows["class"] == "handoff"]
    assert set(rows["stage"]) == {"Dev"}
    assert set(rows["evidence"]) == {"finished in Dev, and taken up later elsewhere than where the same person or team goes on"}


def test_a_change_of_hands_that_makes_no_wait_longer_costs_nothing(path: Build, scope: Build) -> None:
    assert of(path(handed_on(0, "Other")), scope("01-01", "06-30")).values["handoff"] == 0


def test_where_every_move_changes_hands_what_that_costs_is_not_known(path: Build, scope: Build) -> None:
    every = [row for row in handed_on(8, "Other", 60) if int(row[0][2:]) % 2]
    found = of(path(every), scope("01-01", "12-31"))
    assert found.values["handoff"] is None
    assert found.classes.set_index("class").loc["handoff"].isna()["hours"]
    assert found.said["handoff"].startswith("Dev → Review: fewer than 8 such moves keep their hands")
    assert found.values["waiting"] == pytest.approx(sum(1 + (number * 7 % 10) / 10 + 8 for number in range(1, 60, 2)))


def test_of_two_items_that_one_person_has_in_work_half_of_the_time_is_task_switching(path: Build, scope: Build) -> None:
    told = path([("A-1", [("Dev@ann", 0), ("done", 20)]), ("A-2", [("Dev@ann", 10), ("done", 20)])])
    found = of(told, scope())
    assert hours(found) == {"task switching": 10, "work": 20}
    assert found.values["items_per_person"] == 1.5
    rows = found.rows[found.rows["class"] == "task switching"]
    assert rows.set_index("item")["evidence"].to_dict() == {
        "A-1": "25 % of this time in Dev went to other items that the same person had in work",
        "A-2": "50 % of this time in Dev went to other items that the same person had in work",
    }


def test_an_item_that_is_flagged_takes_nobodys_time(path: Build, scope: Build) -> None:
    told = path([("A-1", [("Dev@ann", 0), ("done", 20)]), ("A-2", [("Dev@ann", 0), ("done", 20)])])
    assert hours(of(told, scope(), flagged(("A-2", 0, 20)))) == {"parked": 20, "work": 20}


def test_items_in_work_in_another_stream_count_for_who_has_them(path: Build, scope: Build) -> None:
    told, other = path([("A-1", [("Dev@ann", 0), ("done", 20)])]), path([("B-1", [("Dev@ann", 10), ("done", 20)])])
    assert hours(of(told, scope(), others=other.visits)) == {"task switching": 5, "work": 15}


def test_where_nobody_is_known_task_switching_is_not_known(path: Build, scope: Build) -> None:
    found = of(path("A-1: Dev 01-02, done 01-03"), scope())
    assert found.values["task switching"] is None
    assert found.said["task switching"] == "who works on what is not known"


def test_hours_outside_the_window_do_not_count(path: Build, scope: Build) -> None:
    told = path("A-1: Dev~ 01-02, Dev 01-04, Review~ 01-06, Review 01-08, done 01-10")
    found = of(told, scope("01-03", "01-07"))
    assert hours(found) == {"waiting": 48, "work": 48}
    assert found.rows["from"].min() == pd.Timestamp("2026-01-03", tz="UTC")
    assert found.rows["to"].max() == pd.Timestamp("2026-01-07", tz="UTC")


def test_an_item_that_was_cancelled_after_the_window_was_not_given_up_yet(path: Build, scope: Build) -> None:
    told = path("A-1: Dev~ 01-02, Dev 01-04, cancelled 01-10")
    assert hours(of(told, scope("01-01", "01-06"))) == {"waiting": 48, "work": 48}


def test_only_the_items_that_are_asked_for_are_counted_each_as_among_all(path: Build, scope: Build) -> None:
    told = path([("A-1", [("Dev@ann", 0), ("done", 20)]), ("A-2", [("Dev@ann", 10), ("done", 20)])])
    found = of(told, scope(), counted=pd.Series(["A-2"], dtype="str"))
    assert hours(found) == {"task switching": 5, "work": 5}
    assert found.items == 1


def test_of_nothing_nothing_is_known(path: Build, scope: Build) -> None:
    found = of(path(""), scope())
    assert found.classes["class"].tolist() == list(CLASSES)
    assert found.classes["hours"].isna().all()
    assert found.values["in_stages"] is None
    assert found.rows.dtypes.astype(str).to_dict() == ROWS


def test_the_waste_of_streams_together_is_the_sum_of_theirs(path: Build, scope: Build) -> None:
    one = of(path("A-1: Dev~ 01-02, Dev 01-03, done 01-04"), scope())
    other = of(path("B-1: Dev~ 01-02, Dev 01-05, cancelled 01-06"), scope())
    both = together([one, other])
    assert hours(both) == {"waiting": 24, "work": 24, "abandoned": 96}
    assert both.values["task switching"] is None
    assert both.items == 2
    assert both.rows["hours"].tolist() == [72, 24, 24, 24]
    assert together([]).classes["hours"].isna().all()


def test_the_figure_opens_the_rows_of_every_class(path: Build, scope: Build) -> None:
    figure = of(path("A-1: Dev~ 01-02, Dev 01-03, done 01-04"), scope()).figure
    assert figure.definition.startswith("Waste by class")
    by_class = figure.rows.groupby("class")["hours"].sum().to_dict()
    assert by_class == {"waiting": 24, "work": 24}
    assert {name: figure.values[name] for name in by_class} == by_class


# What holds for any history. -----------------------------------------------------------------------------------------------

SPANS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.none() | st.integers(1, 100)), max_size=4)


def flags_of(spans: list[tuple[int, int, int | None]]) -> pd.DataFrame:
    return flagged(*((f"A-{item}", begin, None if length is None else begin + length) for item, begin, length in spans))


@settings(max_examples=50, deadline=None)
@given(st.data(), SPANS)
def test_every_hour_in_a_stage_is_in_one_class(
    path: Build, scope: Build, histories: Build, data: st.DataObject, spans: list[tuple[int, int, int | None]]
) -> None:
    told = path(data.draw(histories))
    window = scope("01-03", "01-14")
    found = of(told, window, flags_of(spans))
    spent = pd.Series(sojourn(told.visits, window), dtype="float64").groupby(told.visits["item"].array).sum()
    rows = found.rows
    assert (rows["hours"] > 0).all()
    assert (rows["hours"] <= (rows["to"] - rows["from"]) / pd.Timedelta(hours=1) + 1e-9).all()
    each = rows.groupby("item")["hours"].sum()
    assert each.to_dict() == pytest.approx(spent[spent > 0].to_dict())
    by_class = rows.groupby("class")["hours"].sum()
    named = {name: value for name, value in found.values.items() if name in by_class.index}
    assert named == pytest.approx(by_class.to_dict())
    assert sum(value or 0 for value in found.classes["hours"].fillna(0)) <= spent.sum() + 1e-6
    assert (rows["evidence"].str.len() > 0).all()


@settings(max_examples=20, deadline=None)
@given(st.data(), SPANS)
def test_the_names_of_stages_change_nothing(
    path: Build, scope: Build, histories: Build, data: st.DataObject, spans: list[tuple[int, int, int | None]]
) -> None:
    told = path(data.draw(histories))
    names = {"Dev": "Zeta", "Review": "Alpha", "Test": "Mid"}
    line = [Stage(names[stage.name], stage.waiting, stage.active) for stage in told.line]
    renamed = told.visits.assign(
        stage=told.visits["stage"].map(names).astype("str"), entered_from=told.visits["entered_from"].map(names).astype("str")
    )
    flags = flags_of(spans)
    other = waste(renamed, told.items, line, flags, scope())
    pd.testing.assert_frame_equal(of(told, scope(), flags).classes, other.classes)


@settings(max_examples=20, deadline=None)
@given(st.data(), st.randoms())
def test_the_order_of_the_visits_changes_nothing(
    path: Build, scope: Build, histories: Build, data: st.DataObject, dice: Any
) -> None:
    told = path(data.draw(histories))
    order = list(range(len(told.visits)))
    dice.shuffle(order)
    other = waste(told.visits.iloc[order], told.items, told.line, flagged(), scope())
    pd.testing.assert_frame_equal(of(told, scope()).classes, other.classes)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_one_more_cancelled_item_never_lowers_what_was_abandoned(
    path: Build, scope: Build, histories: Build, data: st.DataObject
) -> None:
    items = data.draw(histories)
    words = data.draw(st.sampled_from([[("Dev~", 5.0)], [("Dev", 5.0), ("Review", 30.0)], []]))
    more = [*items, ("X-1", [*words, ("cancelled", 60.0)])]
    before, after = (of(path(told), scope()).values["abandoned"] or 0 for told in (items, more))
    assert after == pytest.approx(before + (55 if words else 0))


# What was planted in the sample. --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="sample")
def _sample(sample_store: str) -> dict[str, Waste]:
    """The waste of each stream over all of the sample's time."""
    flow = pipeline.read(store.facts(store.open_store(sample_store, create=False)), config.load(SAMPLE))
    assert flow.now is not None
    whole = Scope(flow.now - pd.Timedelta(days=400), flow.now)
    return {one.name: waste(one.visits, one.items, one.workflow.stages, flow.facts.ticket_changes, whole) for one in flow.streams}


STREAMS = ("checkout", "platform")


@pytest.mark.parametrize("name", STREAMS)
def test_abandoned_are_the_cancelled_tickets_of_the_sample(sample: dict[str, Waste], truths: dict[str, Any], name: str) -> None:
    rows = sample[name].rows
    tickets = {item for item in rows.loc[rows["class"] == "abandoned", "item"] if "/" not in item}
    assert tickets <= set(truths["streams"][name]["cancelled"])
    elsewhere = rows.loc[(rows["class"] != "abandoned"), "item"]
    assert not set(truths["streams"][name]["cancelled"]) & set(elsewhere)


@pytest.mark.parametrize("name", STREAMS)
def test_the_parked_tickets_are_found_from_when_until_when(sample: dict[str, Waste], truths: dict[str, Any], name: str) -> None:
    rows = sample[name].rows
    lay = rows[(rows["class"] == "parked") & rows["evidence"].str.startswith("lay in")]
    for planted in truths["streams"][name]["parked"]:
        row = lay[(lay["item"] == planted["ticket"]) & (lay["stage"] == planted["stage"])].iloc[0]
        begun, taken = pd.Timestamp(planted["from"]), pd.Timestamp(planted["to"] or truths["now"])
        notice = pd.Timedelta(minutes=15)  # a pull request is ready some minutes before its ticket says so
        assert begun - notice <= row["from"] <= begun
        assert row["to"] == taken


def test_the_train_makes_batch_waits_in_its_stage_and_in_no_other(sample: dict[str, Waste]) -> None:
    rows = sample["platform"].rows
    train = rows[rows["stage"] == "Release train"]
    assert set(rows.loc[rows["class"] == "batch wait", "stage"]) == {"Release train"}
    waited = train[~train["class"].isin(["rework", "abandoned", "parked"])]
    share = waited.loc[waited["class"] == "batch wait", "hours"].sum() / waited["hours"].sum()
    assert share > 0.95
    classes = sample["platform"].classes.set_index("class")["hours"]
    assert classes.idxmax() == "batch wait"


@pytest.mark.parametrize("name", STREAMS)
def test_no_wait_was_planted_on_any_change_of_hands_and_none_is_found(sample: dict[str, Waste], name: str) -> None:
    assert sample[name].values["handoff"] == 0


@pytest.mark.parametrize("name", STREAMS)
def test_rework_is_of_the_items_that_went_back_or_were_reopened(
    sample: dict[str, Waste], truths: dict[str, Any], name: str
) -> None:
    rows = sample[name].rows
    again = set(rows.loc[rows["class"] == "rework", "item"])
    gone = set(truths["streams"][name]["cancelled"])
    assert set(truths["streams"][name]["reopened"]) - gone <= again
    back = sum(edge["sent_back"] for edge in truths["streams"][name]["rework"].values())
    assert 0.6 * back <= len(again) <= back + len(truths["streams"][name]["reopened"])
