"""The simulated line, against queueing theory, the envelope game, and what must be conserved whatever happens."""

import heapq
from math import factorial
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.config import Calendar
from vsm.metrics.stages import stages
from vsm.simulate import BEGUN, DONE, FINISHED, QUEUED, Line, Run, Step, seen, simulate
from vsm.visits import VISITS
from vsm.working_time import hours_between, micros, worked

UTC = ZoneInfo("UTC")


def hours_of(run: Run, what: int, place: int = 0) -> pd.Series:
    """When it happened to each item, of its first visit."""
    mine = (run.what == what) & ((run.place == place) | (what == DONE))
    told = pd.Series(run.at[mine], index=run.item[mine])
    return told[~told.index.duplicated()].sort_index()


def waits_of(run: Run, place: int = 0) -> pd.Series:
    return (hours_of(run, BEGUN, place) - hours_of(run, QUEUED, place)).dropna()


def erlang_c(people: int, offered: float) -> float:
    """The share of items that have to wait in M/M/c."""
    last = offered**people / factorial(people) * people / (people - offered)
    return last / (sum(offered**count / factorial(count) for count in range(people)) + last)


@pytest.mark.parametrize(("people", "busy", "items"), [(1, 0.5, 60_000), (3, 0.6, 120_000)])
def test_the_mean_wait_is_that_of_an_m_m_c_queue(people: int, busy: float, items: int) -> None:
    rate = busy * people
    line = Line((Step("Work", people, 1.0, law="exponential"),), per_hour=rate)
    waits = waits_of(simulate(line, 3, items / rate))
    assert len(waits) > 0.98 * items
    assert waits.mean() == pytest.approx(erlang_c(people, rate) / (people - rate), rel=0.05)


@pytest.mark.parametrize("spread", [0.0, 0.6, 1.3])
def test_the_mean_wait_follows_the_spread_of_the_work(spread: float) -> None:
    """Pollaczek and Khinchine: ρ ÷ (1 − ρ) × (1 + cv²) ÷ 2 of the mean work."""
    line = Line((Step("Work", 1, 1.0, spread),), per_hour=0.6)
    waits = waits_of(simulate(line, 7, 100_000))
    assert waits.mean() == pytest.approx(0.6 / 0.4 * (1 + spread**2) / 2, rel=0.06)


def test_every_single_wait_is_that_of_a_queue_served_first_come_first_served() -> None:
    run = simulate(Line((Step("Work", 3, 10.0),), per_hour=0.28), 5, 3000)
    free = [0.0] * 3
    begun, queued = hours_of(run, BEGUN), hours_of(run, QUEUED)
    worked_on = hours_of(run, FINISHED) - begun
    for item, due in queued[begun.index].items():
        begin = max(due, heapq.heappop(free))
        assert begun[item] == pytest.approx(begin)
        heapq.heappush(free, begin + worked_on.get(item, np.inf))


@pytest.mark.parametrize(
    ("letters", "steps", "seconds", "batch"), [(3, 4, 10, 3), (3, 4, 10, 1), (6, 4, 10, 3), (12, 5, 7, 4), (10, 3, 2, 1)]
)
def test_the_envelope_game(letters: int, steps: int, seconds: int, batch: int) -> None:
    """One person, n letters in batches of b through k steps of t: the first is out at (k−1)·b·t + t, the last at n·k·t."""
    line = Line(
        tuple(
            Step(f"Step {place}", 1, seconds, 0.0, pool="one person", batch=1 if place == steps - 1 else batch)
            for place in range(steps)
        ),
        arrivals=(0.0,) * letters,
        order="downstream",
    )
    run = simulate(line, 1, 10_000)
    out = run.at[run.what == DONE]
    assert (out.min(), out.max()) == ((steps - 1) * batch * seconds + seconds, letters * steps * seconds)
    assert len(out) == letters


RICH = Line(
    (
        Step("Backlog", hold=60.0),
        Step("Dev", 3, 18.0, skip=0.1),
        Step("Review", 2, 9.0, limit=6, back=((1, 0.2),)),
        Step("Train", every=100.0),
        Step("Test", 2, 12.0, pool="Dev", back=((1, 0.1), (2, 0.1))),
    ),
    per_hour=0.1,
    urgent=0.2,
    low=0.2,
    order="upstream",
    at_once=2,
    switch=0.2,
    hidden=(("Review", 0.3),),
    parked=2,
    calendar=Calendar(),
    nights=True,
)


@pytest.mark.parametrize("board", ["split", "single", "pull"])
def test_the_frames_are_those_of_the_pipeline(board: str) -> None:
    told = seen(simulate(RICH, 2, 24 * 90), board)
    assert tuple(told.visits.columns) == VISITS
    assert {"item", "created_at", "done_at", "cancelled_at", "state", "first_started", "in_production_at"} <= set(
        told.items.columns
    )
    table = stages(told.visits, told.stages, told.scope, RICH.calendar, UTC)
    assert table["stage"].tolist() == [step.name for step in RICH.steps]
    assert table["has_capacity"].tolist() == [False, True, True, False, True]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000), people=st.integers(1, 3), limit=st.none() | st.integers(1, 4), back=st.sampled_from([0.0, 0.3]),
    skip=st.sampled_from([0.0, 0.4]), at_once=st.integers(1, 3), batch=st.integers(1, 5), every=st.sampled_from([0.0, 50.0]),
    order=st.sampled_from(["first come", "downstream", "upstream"]), pool=st.sampled_from(["", "us"]),
)  # fmt: skip
def test_nothing_is_lost_and_nobody_does_more_than_he_can(
    seed: int,
    people: int,
    limit: int | None,
    back: float,
    skip: float,
    at_once: int,
    batch: int,
    every: float,
    order: str,
    pool: str,
) -> None:
    line = Line(
        (
            Step("Dev", people, 8.0, pool=pool, skip=skip),
            Step("Hold", every=every, hold=5.0, batch=batch),
            Step("Test", people, 6.0, pool=pool, limit=limit, back=((0, back),)),
        ),
        per_hour=0.1, batch=batch, at_once=at_once, order=order, urgent=0.2,
    )  # fmt: skip
    run = simulate(line, seed, 800)
    told = seen(run)
    visits, items = told.visits, told.items
    over = visits.groupby("item")["left"].apply(lambda left: left.notna().all())
    assert set(items.loc[items["state"] == "done", "item"]) == set(over[over].index)
    after = visits["left"].shift(1).where(visits["item"] == visits["item"].shift(1))
    assert (visits["queued"] == after)[after.notna()].all()
    assert ((visits["queued"] <= visits["started"]) | visits["started"].isna()).all()
    assert ((visits["finished"] <= visits["left"]) | visits["finished"].isna() | visits["left"].isna()).all()
    if limit:
        forward = visits[(visits["stage"] == "Test")]
        assert most(forward, "queued", "left") <= limit
    for _, mine in visits[visits["actor"].notna()].groupby("actor"):
        assert most(mine, "started", "finished") <= at_once


def most(visits: pd.DataFrame, begin: str, end: str) -> int:
    """How many are under way at most at the same time."""
    times = pd.concat([visits[begin].dropna(), visits[end].dropna()])
    change = np.repeat([1, -1], [visits[begin].notna().sum(), visits[end].notna().sum()])
    order = np.lexsort((change, micros(times)))
    return int(np.cumsum(change[order]).max(initial=0))


@pytest.mark.parametrize("line", [RICH, Line((Step("A", 2, 9.0), Step("B", 1, 4.0)), per_hour=0.2)], ids=["rich", "plain"])
def test_littles_law_holds_to_the_last_second(line: Line) -> None:
    """Mean items inside × time = the sum of their times in it, in the window."""
    told = seen(simulate(line, 4, 2000))
    table = stages(told.visits, told.stages, told.scope, None, UTC)
    left = told.visits["left"].fillna(told.scope.end)
    spent = ((left - told.visits["queued"]).dt.total_seconds() / 3600).sum()
    assert table["wip_mean"].sum() * told.scope.hours == pytest.approx(spent)


def test_in_a_long_run_mean_items_inside_are_arrivals_times_mean_stay() -> None:
    told = seen(simulate(Line((Step("A", 2, 9.0, 0.8), Step("B", 1, 4.0, 0.8)), per_hour=0.16), 9, 40_000))
    table = stages(told.visits, told.stages, told.scope, None, UTC)
    rate = table["arrivals"] / told.scope.hours
    assert table["wip_mean"].to_numpy() == pytest.approx((rate * table["dwell_mean"]).to_numpy(), rel=0.01)


def test_the_same_seed_gives_the_same_bytes() -> None:
    one, two = (seen(simulate(RICH, 11, 2000)) for _ in range(2))
    assert one.visits.to_csv().encode() == two.visits.to_csv().encode()
    assert one.items.to_csv().encode() == two.items.to_csv().encode()
    other = seen(simulate(RICH, 12, 2000))
    assert other.visits.to_csv() != one.visits.to_csv()


def test_work_is_done_in_working_hours_only() -> None:
    calendar = Calendar()
    told = seen(simulate(Line((Step("Dev", 2, 6.0),), per_hour=0.06, calendar=calendar, nights=True), 1, 24 * 200))
    work = told.visits.dropna(subset=["finished"])
    for column in ("started", "finished"):
        clock = work[column].dt.hour + work[column].dt.minute / 60
        assert clock.between(9, 17).all()
        assert (work[column].dt.day_of_week < 5).all()
    night = ~told.visits["queued"].dt.hour.between(9, 16)
    assert night.mean() > 0.5
    open_hours = float(
        np.diff(
            worked(np.array([told.scope.start.asm8, told.scope.end.asm8]).astype("datetime64[us]").view("int64"), calendar, UTC)
        )[0]
    )
    busy = hours_between(work["started"], work["finished"], calendar, UTC).sum() / open_hours / 2
    assert busy == pytest.approx(len(work) / open_hours * 6.0 / 2, rel=0.15)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 99_999), st.sampled_from(["first come", "downstream", "upstream"]), st.sampled_from([1, 6]),
    st.sampled_from([None, Calendar()]), st.lists(st.sampled_from([None, 1, 3, 9]), min_size=4, max_size=4),
)  # fmt: skip
def test_the_quicker_loop_tells_what_simpy_tells(
    seed: int, order: str, batch: int, calendar: Calendar | None, limits: list[int | None]
) -> None:
    """Every event, to the last bit, and who does it."""
    line = Line(
        (
            Step("A", 2, 9.0, pool="we", limit=limits[0]),
            Step("B", hold=30.0, every=168.0, skip=0.3),
            Step("C", 2, 6.0, pool="we", limit=limits[1], back=((0, 0.15), (1, 0.1))),
            Step("D", 1, sample=(2.0, 5.0, 5.0), rests=(0.0, 3.0), limit=limits[2], skip=0.2, back=((3, 0.1), (2, 0.1))),
            Step("E", 1, 7.0, every=24.0, limit=limits[3]),
        ),
        per_hour=0.1, batch=batch, order=order, urgent=0.2, low=0.2, parked=1, calendar=calendar,
    )  # fmt: skip
    told = [simulate(line, seed, 1000, simply=simply) for simply in (False, True)]
    places = [np.argsort(run.item, kind="stable") for run in told]
    for name in ("item", "at", "what", "place", "who"):
        quick, simpys = (getattr(run, name)[place] for run, place in zip(told, places, strict=True))
        assert np.array_equal(quick, simpys)


def test_a_train_takes_all_that_is_there_at_its_times() -> None:
    run = simulate(Line((Step("Train", every=100.0),), per_hour=0.3), 1, 1000)
    assert set(run.at[run.what == DONE]) <= {100.0 * n for n in range(1, 11)}


def test_the_urgent_wait_less_than_the_others_and_those_less_than_the_low() -> None:
    line = Line((Step("Work", 1, 1.0),), per_hour=0.9, urgent=0.2, low=0.2)
    run = simulate(line, 2, 20_000)
    plain = simulate(Line(line.steps, per_hour=0.9), 2, 20_000)
    waits = waits_of(run)
    assert waits.quantile(0.2) < 1.0 < 10 < waits.quantile(0.97)
    assert waits_of(plain).mean() == pytest.approx(waits.mean(), rel=0.05)  # the order alone does not change the mean


def test_hidden_work_makes_people_busier_than_they_look() -> None:
    line = Line((Step("Work", 2, 5.0),), per_hour=0.2)
    busier = Line(line.steps, per_hour=0.2, hidden=(("Work", 0.4),))
    assert waits_of(simulate(busier, 1, 20_000)).mean() > 5 * waits_of(simulate(line, 1, 20_000)).mean()


def test_multitasking_starts_sooner_and_ends_later() -> None:
    line = Line((Step("Work", 2, 20.0),), per_hour=0.08)
    several = Line(line.steps, per_hour=0.08, at_once=3, slice=2.0)
    one, many = simulate(line, 6, 5000), simulate(several, 6, 5000)
    assert waits_of(many).mean() < waits_of(one).mean()
    lasting = [(hours_of(run, FINISHED) - hours_of(run, BEGUN)).mean() for run in (one, many)]
    assert lasting[0] < lasting[1]
    assert (one.what == DONE).sum() == pytest.approx((many.what == DONE).sum(), rel=0.1)


def test_parked_items_never_leave() -> None:
    told = seen(simulate(Line((Step("A", 1, 1.0), Step("B", 1, 1.0)), per_hour=0.3, parked=3), 1, 1000))
    still = told.visits[told.visits["left"].isna() & (told.visits["queued"] < told.scope.end - pd.Timedelta(days=30))]
    assert still.groupby("stage").size().to_dict() == {"A": 3, "B": 3}


def test_finished_work_that_cannot_move_on_stays_where_it_is() -> None:
    line = Line((Step("A", 2, 5.0), Step("B", 1, 10.0, limit=2)), per_hour=0.15)
    told = seen(simulate(line, 1, 2000))
    first = told.visits[told.visits["stage"] == "A"].dropna(subset=["left"])
    assert (first["finished"] < first["left"]).mean() > 0.5
    unseen = seen(simulate(line, 1, 2000), finishes=False).visits
    assert (unseen.loc[unseen["stage"] == "A", "finished"].dropna() == unseen.loc[unseen["stage"] == "A", "left"].dropna()).all()
