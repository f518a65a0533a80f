"""The constraint, on lines of queues in which one was planted, and its silence where there is none."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from vsm.config import Calendar
from vsm.metrics.constraint import ENOUGH, Constraint, constraint, history
from vsm.scope import Scope
from vsm.simulate import Line, Step, seen, simulate
from vsm.words import share
from vsm.workflow import Stage

UTC = ZoneInfo("UTC")
Build = Callable  # of the builders in conftest
NAMES, PEOPLE = ("Refine", "Dev", "Review", "Test", "Verify"), (2, 4, 2, 3, 2)
ITEMS_AN_HOUR = 21 / 168
START = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us")
WINDOW = Scope(START, START + pd.Timedelta(weeks=17))


@pytest.fixture(scope="session")
def line(step: Build) -> Build:
    """Five stages whose people are busy half of their time, but for one."""

    def build(busy: float, at: int) -> list[Build]:
        shares = [busy if place == at else 0.5 for place in range(len(NAMES))]
        hours = [share * people / ITEMS_AN_HOUR for people, share in zip(PEOPLE, shares, strict=True)]
        return [step(*each) for each in zip(NAMES, PEOPLE, hours, strict=True)]

    return build


def asked(told: Build, window: Scope = WINDOW, calendar: Calendar | None = None) -> Constraint:
    return constraint(told.visits, told.line, told.items, window, calendar, UTC)


def long_but_staffed(steps: Sequence[Build], at: int, step: Build) -> list[Build]:
    """Elsewhere a stage that takes ten times as long, with people enough."""
    far = (at + 2) % len(steps)
    return [step(s.name, 20, 0.5 * 20 / ITEMS_AN_HOUR) if place == far else s for place, s in enumerate(steps)]


def behind_a_backlog(steps: Sequence[Build], _at: int, step: Build) -> list[Build]:
    return [step("Backlog", every=21 * 24.0), *steps]


def before_a_train(steps: Sequence[Build], _at: int, step: Build) -> list[Build]:
    return [*steps, step("Release train", every=14 * 24.0)]


def plain(steps: Sequence[Build], _at: int, _step: Build) -> list[Build]:
    return list(steps)


@pytest.mark.parametrize(
    ("busy", "shape", "parked"),
    [
        pytest.param(0.92, plain, 0, id="stable"),
        pytest.param(1.1, plain, 0, id="overload"),
        pytest.param(0.92, long_but_staffed, 0, id="a long stage with people enough"),
        pytest.param(0.92, behind_a_backlog, 0, id="a backlog that only holds"),
        pytest.param(0.92, before_a_train, 0, id="a release train"),
        pytest.param(0.92, plain, 3, id="three parked tickets in every queue"),
    ],
)
def test_the_planted_stage_is_named(planted: Build, line: Build, step: Build, busy: float, shape: Build, parked: int) -> None:
    named = []
    for seed in range(5):
        told = planted(shape(line(busy, seed), seed, step), seed, parked=parked)
        named.append(asked(told).stage == NAMES[seed])
    assert sum(named) >= 4


def test_the_stage_in_which_items_stay_longest_is_another_one(planted: Build, line: Build, step: Build) -> None:
    """Or naming the longest stay would pass the tests above."""
    told = planted(before_a_train(line(0.92, 1), 1, step), 1)
    found = asked(told)
    dwell = {row["stage"]: row["evidence"]["dwell_mean_hours"] for row in found.ranking.to_dict("records")}
    hold = told.visits[told.visits["stage"] == "Release train"]
    assert found.stage == "Dev"
    assert (hold["left"] - hold["queued"]).mean() / pd.Timedelta(hours=1) > max(dwell.values())
    assert "Release train" not in dwell


def test_where_people_have_time_none_is_named(planted: Build, line: Build) -> None:
    found = [asked(planted(line(0.5, 0), seed)) for seed in range(8)]
    assert [each.stage for each in found] == [None] * 8
    assert all(each.why.startswith("No capacity constraint: ") for each in found)
    assert all(each.confidence is not None and each.confidence > 0.5 for each in found)


def test_the_answer_brings_its_evidence(planted: Build, line: Build) -> None:
    told = planted(line(0.95, 2), 3)
    people = tuple(replace(stage, people=count) for stage, count in zip(told.line, PEOPLE, strict=True))
    found = constraint(told.visits, people, told.items, WINDOW, None, UTC)
    assert (found.stage, found.estimated) == ("Review", False)
    assert found.confidence is not None
    assert found.confidence > 0.8
    first = found.ranking.iloc[0]
    assert (first["stage"], first["score"]) == ("Review", first["evidence"]["queue_share"] * first["evidence"]["load"])
    worked_on = told.visits[told.visits["stage"] == "Review"]
    work = (worked_on["finished"].fillna(WINDOW.end) - worked_on["started"]).sum() / pd.Timedelta(hours=1)
    assert first["evidence"]["utilisation"] == pytest.approx(work / (2 * WINDOW.hours), rel=0.02)
    assert first["evidence"]["utilisation"] > max(row["utilisation"] for row in found.ranking["evidence"][1:])
    assert f"{share(first['evidence']['queue_share'])} of the time" in found.why
    assert sorted(found.ranking["stage"]) == sorted(NAMES)


def test_the_same_question_has_the_same_answer(planted: Build, line: Build) -> None:
    told = planted(line(0.85, 2), 3)
    again = told.visits.sample(frac=1, random_state=1).reset_index(drop=True)
    other = constraint(again, told.line, told.items, WINDOW, None, UTC)
    assert (asked(told).stage, asked(told).confidence, asked(told).why) == (other.stage, other.confidence, other.why)


def test_tickets_without_waiting_statuses_give_an_estimate_that_says_so(planted: Build, line: Build) -> None:
    right = []
    for seed, at in enumerate((1, 2, 3, 4, 1)):
        found = asked(planted(line(0.95, at), seed, queues=False))
        right.append(found.stage in (NAMES[at], NAMES[at - 1]))  # what waits for a stage lies in the status of the one before
        assert found.estimated
        assert found.stage is None or f"{found.stage} or the step after it" in found.why
    assert sum(right) >= 4
    calm = [asked(planted(line(0.5, 0), seed, queues=False)) for seed in range(4)]
    assert [found.stage for found in calm] == [None] * 4
    assert all("what waits for Refine, the first stage, is not on the map and cannot be seen" in found.why for found in calm)


def test_parked_tickets_are_dropped_and_counted(planted: Build, line: Build) -> None:
    found = asked(planted(line(0.5, 0), 1, parked=3))
    assert found.stage is None
    assert all(row["overtaken"] >= 3 for row in found.ranking["evidence"])


def test_with_too_few_finished_items_it_says_how_many_more_it_needs(planted: Build, line: Build) -> None:
    told = planted(line(0.95, 2), 3, weeks=3)
    found = asked(told, Scope(START, START + pd.Timedelta(days=10)))
    assert (found.stage, found.confidence) == (None, None)
    assert 0 < found.n_finished < ENOUGH
    assert found.why == (
        f"Only {found.n_finished} items were finished in this window: {ENOUGH - found.n_finished} more are needed "
        "before a constraint can be named."
    )


@pytest.mark.parametrize(
    "history",
    [
        "",
        "A-1: created 01-02",
        "A-1: Dev 01-02",
        "A-1: Dev~ 01-02, done 01-02",
        "A-1: Dev 01-02, Test 01-03, Dev 01-04, done 01-05, Dev 01-06, cancelled 01-07",
    ],
    ids=["nothing at all", "no stage", "still open", "same instant", "skipped, went back, reopened, cancelled"],
)
@pytest.mark.parametrize("calendar", [None, Calendar()], ids=["elapsed", "working time"])
def test_a_few_items_name_nothing(path: Build, history: str, calendar: Calendar | None) -> None:
    found = asked(path(history), calendar=calendar)
    assert (found.stage, found.confidence) == (None, None)
    assert found.why.endswith(".")
    assert len(found.ranking) == 3


def test_stages_that_only_hold_cannot_be_the_constraint(path: Build) -> None:
    line = (Stage("Backlog", waiting=("b",)), Stage("Train", waiting=("t",)))
    found = asked(path("A-1: Backlog~ 01-02, Train~ 01-05", line))
    assert (found.stage, len(found.ranking)) == (None, 0)
    assert found.why == "No stage has capacity: all of them only hold work, so none can be the constraint."
    assert constraint(path("", line).visits, (), path("", line).items, WINDOW, None, UTC).stage is None


def test_records_that_begin_late_in_the_window_do_not_hide_the_constraint(planted: Build, line: Build) -> None:
    told = planted(line(0.95, 2), 3)
    wide = Scope(START - pd.Timedelta(weeks=60), WINDOW.end)
    assert asked(told, wide).stage == asked(told).stage == "Review"


def test_renaming_stages_and_the_zone_change_nothing(planted: Build, line: Build) -> None:
    told = planted(line(0.95, 2), 3)
    names = {name: f"{len(NAMES) - place}. {name}" for place, name in enumerate(NAMES)}
    other = constraint(
        told.visits.assign(stage=told.visits["stage"].map(names).astype("str")),
        tuple(replace(stage, name=names[stage.name]) for stage in told.line),
        told.items, WINDOW, None, ZoneInfo("Pacific/Kiritimati"),
    )  # fmt: skip
    here = asked(told)
    assert (other.stage, other.confidence) == (names["Review"], here.confidence)
    assert other.ranking["score"].tolist() == here.ranking["score"].tolist()


# What fills queues but is no lack of capacity, and what hides a lack of it. ---------------------------------------------------


def simulated(line: Line, seed: int, days: int = 150, **view: bool) -> Constraint:
    told = seen(simulate(line, seed, days * 24), **view)
    return constraint(told.visits, told.stages, told.items, told.scope, line.calendar, UTC)


def steps_of(busy: float, at: int, per_hour: float, **fields: str) -> tuple[Step, ...]:
    shares = [busy if place == at else 0.45 for place in range(len(NAMES))]
    return tuple(
        Step(name, people, share * people / per_hour, **fields) for name, people, share in zip(NAMES, PEOPLE, shares, strict=True)
    )


def test_a_fortnights_tickets_at_once_are_no_lack_of_capacity() -> None:
    line = Line(steps_of(0.45, 0, 0.15), batch=50, every=14 * 24.0)
    found = simulated(line, 1)
    assert found.stage is None
    assert "as where work comes in batches" in found.why
    assert found.ranking["evidence"][0]["queue_share"] > 0.35


def test_a_stage_that_batches_load_for_a_while_must_be_busier_to_be_named() -> None:
    """A load of a little more than 70 %: named where items come one by one, not where a week's come at a time."""
    steps = steps_of(0.72, 1, 0.15)
    one_by_one = simulated(Line(steps, per_hour=0.15), 5, 180)
    at_a_time = simulated(Line(steps, batch=25, every=7 * 24.0), 5, 180)
    loads = [found.ranking.set_index("stage")["evidence"]["Dev"]["load"] for found in (one_by_one, at_a_time)]
    assert all(0.68 < load < 0.74 for load in loads)
    assert (one_by_one.stage, at_a_time.stage) == ("Dev", None)


def test_people_with_other_work_are_found_though_they_look_idle() -> None:
    line = Line(steps_of(0.5, 2, 0.15), per_hour=0.15, hidden=(("Review", 0.44),))
    found = simulated(line, 2)
    assert found.stage == "Review"
    assert "so they have other work too" in found.why
    assert found.ranking["evidence"][0]["utilisation"] < 0.6 < found.ranking["evidence"][0]["load"]


def test_shared_people_are_named_with_the_stages_that_share_them() -> None:
    steps = list(steps_of(0.45, 0, 0.1))
    for place in (1, 3):
        steps[place] = replace(steps[place], pool="we", people=3, hours=0.47 * 3 / 0.1)
    found = simulated(Line(tuple(steps), per_hour=0.1), 3)
    other = {"Dev": "Test", "Test": "Dev"}
    assert found.stage in other
    assert f"its people also work in {other[found.stage]}, so it is they who are short" in found.why


def test_several_items_in_work_at_once_hide_the_queue_but_not_the_constraint() -> None:
    line = Line(steps_of(0.95, 3, 0.12), per_hour=0.12, at_once=4, slice=4.0)
    found = simulated(line, 4)
    assert found.stage == "Test"
    calm = simulated(Line(steps_of(0.5, 3, 0.12), per_hour=0.12, at_once=4, slice=4.0), 4)
    assert calm.stage is None


def test_nights_do_not_look_like_queues_where_no_calendar_is_configured() -> None:
    line = Line(steps_of(0.5, 0, 0.6), per_hour=0.15, calendar=Calendar(), nights=True)
    told = seen(simulate(line, 1, 150 * 24))
    found = constraint(told.visits, told.stages, told.items, told.scope, None, UTC)
    assert found.stage is None
    assert "(mon, tue, wed, thu, fri 09:00–17:00, as the log shows)" in found.why


def test_the_constraint_moves_and_its_history_says_when() -> None:
    first, then = (Line(steps_of(0.95, at, 0.15), per_hour=0.15) for at in (1, 3))
    one, two = seen(simulate(first, 1, 26 * 168)), seen(simulate(then, 2, 26 * 168))
    later = pd.Timedelta(weeks=26)
    moved = two.visits.assign(
        item=two.visits["item"].astype("str") + "b",
        **{name: two.visits[name] + later for name in ("queued", "started", "finished", "left")},
    )
    items = two.items.assign(
        item=two.items["item"] + "b", created_at=two.items["created_at"] + later, done_at=two.items["done_at"] + later
    )
    visits = pd.concat([one.visits[one.visits["left"].notna()], moved], ignore_index=True)
    scope = Scope(one.scope.start, two.scope.end + later)
    table = history(visits, one.stages, pd.concat([one.items, items], ignore_index=True), scope, None, UTC, weeks=13, every=13)
    assert table["stage"].tolist() == ["Dev", "Dev", "Test", "Test"]
    assert table["end"].iloc[-1] == scope.end
    assert (table["n"] > ENOUGH).all()
    assert table["confidence"].between(0, 1).all()


def test_a_long_record_has_no_more_windows_than_asked_for(planted: Build, line: Build) -> None:
    told = planted(line(0.95, 2), 3, weeks=40)
    whole = Scope(START, START + pd.Timedelta(weeks=40))
    table = history(told.visits, told.line, told.items, whole, None, UTC, weeks=8, every=2, most=5)
    assert len(table) == 5
    assert (table["end"].iloc[-1], set(table["stage"])) == (whole.end, {"Review"})
    one = table.iloc[0]
    alone = asked(told, Scope(one["start"], one["end"]))
    assert (one["stage"], one["confidence"], one["n"]) == (alone.stage, alone.confidence, alone.n_finished)


def test_a_window_shorter_than_its_history_has_one_row(planted: Build, line: Build) -> None:
    told = planted(line(0.95, 2), 3)
    table = history(told.visits, told.line, told.items, WINDOW, None, UTC, weeks=26)
    assert table["stage"].tolist() == ["Review"]
    assert (table["start"].iloc[0], table["end"].iloc[0]) == (WINDOW.start, WINDOW.end)
