"""Aggregates of an engine against the embedded path: every row and column, of random logs and in several windows."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from random_visits import EVERYTHING, MONDAY, STATUSES, WORDS, events, items, log

from vsm.config import Calendar
from vsm.frames import texts
from vsm.lever import lever
from vsm.metrics import constraint, cumulative, handoffs, rework, waste
from vsm.metrics import flow as figures
from vsm.metrics import stages as in_stage
from vsm.metrics.compare import around, compare
from vsm.metrics.figure import Figure, Number, nearest_rank
from vsm.scope import Scope
from vsm.visits import Path, visits
from vsm.warehouse import flow, moves, stays
from vsm.warehouse.brought import sampled
from vsm.warehouse.engine import Engine, connect
from vsm.warehouse.ranks import ranked
from vsm.warehouse.singles import singles
from vsm.warehouse.tables import Tables
from vsm.warehouse.walk import Walk, walked
from vsm.workflow import Stage, Workflow

VIENNA = ZoneInfo("Europe/Vienna")
WINDOW = Scope(MONDAY + pd.Timedelta(days=20), MONDAY + pd.Timedelta(days=80, hours=7))  # the clock goes forward in it
LATE = Scope(MONDAY + pd.Timedelta(days=90), MONDAY + pd.Timedelta(days=140))
NONE = Scope(MONDAY - pd.Timedelta(days=20), MONDAY - pd.Timedelta(days=2))
SHIFT = Calendar(workdays=("mon", "tue", "thu", "fri"), hours=("08:30", "16:00"))
FLAGS = pd.DataFrame(
    {
        "item": ["PAY-0003", "PAY-0007", "PAY-0007"],
        "since": pd.to_datetime(["2026-03-20", "2026-03-25", "2026-05-01"], utc=True),
        "until": pd.to_datetime(["2026-04-30", None, "2026-05-20"], utc=True),
    }
)
ONLY_STATUSES = [word for word in WORDS if "." not in word]


CASES = [
    (EVERYTHING, "duckdb"),
    (STATUSES, "duckdb"),
    (EVERYTHING, "sqlite"),
    pytest.param((EVERYTHING, "postgresql"), marks=pytest.mark.peer),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0].name} in {case[1]}")
def case(request, filled, tmp_path_factory) -> Iterator[tuple[Path, Walk, Workflow, Engine, Tables]]:
    """A random log followed on both ways, every visit split."""
    workflow, name = request.param
    told, about = log(5, 200, WORDS if workflow is EVERYTHING else ONLY_STATUSES), items(6, 210)
    file = tmp_path_factory.mktemp("engine") / "events.db"
    engine = connect(request.getfixturevalue("postgresql_url") if name == "postgresql" else f"{name}://{file}")
    tables = filled(engine, items=about, events=events(told), flags=FLAGS)
    found = walked(tables.events, tables.items, workflow, engine.keep)
    path = visits(told, about, workflow)
    yield Path(in_stage.split(path.visits, workflow.stages), path.items, path.unknown), found, workflow, engine, tables
    engine.close()


@pytest.fixture
def both(case) -> tuple[Path, Walk]:
    return case[:2]


@pytest.fixture
def keep(case) -> Callable:
    return case[3].keep


@pytest.fixture
def line(case) -> tuple[Stage, ...]:
    return case[2].stages


def same(expected: pd.DataFrame, found: pd.DataFrame) -> None:
    """Whole rows: numbers to nine digits, since sums are made in another order; all else exactly."""
    assert_frame_equal(expected.reset_index(drop=True), found[expected.columns], rtol=1e-9, check_dtype=False)


def equal(expected: Figure, found: Number) -> None:
    assert found.n == expected.n
    assert [near(value) for value in found.values.values()] == [near(expected.values[name]) for name in found.values]


def compared(expected: Figure, found: Number, value: str) -> None:
    """A figure compared with itself: its interval from the rows, and from the variance that an engine tells."""
    there, here = compare(expected, expected, value), replace(expected, rows=expected.rows.head(0), spread=found.spread)
    told = compare(here, here, value)
    assert (told.verdict, near(told.low), near(told.high)) == (there.verdict, near(there.low), near(there.high))


def near(value: float | None) -> str:
    """A number to nine digits; None as it is."""
    return "None" if value is None else f"{value:.9g}"


@pytest.mark.parametrize("scope", [WINDOW, NONE], ids=["middle", "before"])
def test_stages_moves_and_days(both, line, keep, scope: Scope) -> None:
    path, found = both
    lately = in_stage.lately(in_stage.recent(path.visits, path.items, scope), scope)
    window = stays.Window.of(scope)
    for calendar in (None, SHIFT):
        table = in_stage.stages(lately, line, scope, calendar, VIENNA)
        same(table, stays.stages(found.visits, line, scope, calendar, VIENNA, keep))
    steps = moves.steps(found.visits, found.items)
    same(handoffs.moves(path.visits, path.items, scope), moves.moves(steps, line, window))
    back, sent = rework.rework(path.visits, path.items, scope), moves.rework(steps, found.items, line, window)
    same(back.percent_complete_accurate, sent.accurate)
    same(back.loops, moves.loops(steps, line, window))
    assert near(sent.rolled) == near(back.rolled)
    assert (sent.n, sent.items, sent.reopened) == (back.items.n, *(back.items.values[name] or 0 for name in ("items", "reopened")))
    same(cumulative.cumulative(path.visits, path.items, line, scope, VIENNA),
         flow.cumulative(found.visits, found.items, line, scope, VIENNA, keep))  # fmt: skip
    expected, days = cumulative.wip_by_day(path.visits, scope, VIENNA), flow.wip_by_day(found.visits, scope, VIENNA)
    assert_frame_equal(expected, days, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("scope", [WINDOW, LATE, NONE], ids=["middle", "end", "before"])
def test_figures(both, scope: Scope) -> None:
    path, found = both
    window = stays.Window.of(scope)
    for end in ("production", "done"):
        equal(figures.lead_time(path.items, scope, end), flow.lead_time(found.items, window, end))
    equal(figures.throughput(path.items, scope, VIENNA), flow.throughput(found.items, scope))
    for there, here, leading in (
        (figures.cycle_time(path.items, scope), flow.cycle_time(found.items, window), "p50"),
        (figures.work_item_age(path.items, scope), flow.work_item_age(found.items, window), "p50"),
        (figures.flow_efficiency(path.visits, path.items, scope), flow.flow_efficiency(found.visits, found.items, window), "value"),
    ):
        equal(there, here)
        compared(there, here, leading)
    equal(figures.wip(path.visits, path.items, scope), flow.wip(found.visits, scope))
    same(figures.throughput(path.items, scope, VIENNA).series, flow.finished_by_week(found.items, scope, VIENNA))
    same(figures.distribution(path.items, scope), flow.distribution(found.items, window))
    hands, steps = handoffs.handoffs(path.visits, path.items, scope), moves.steps(found.visits, found.items)
    told = moves.handoffs(steps, found.items, window)
    number = Number("handoffs_per_item", {"mean": told.mean, "moves_known": told.moves_known}, told.n, spread=told.spread)
    equal(hands.per_item, number)
    compared(hands.per_item, number, "mean")
    same(hands.between_teams[["from", "to", "n"]], told.between_teams)


@pytest.mark.parametrize("scope", [WINDOW, replace(LATE, team="Makers"), NONE], ids=["middle", "a team at the end", "before"])
def test_what_needs_single_visits_is_the_same_to_the_last_digit(case, scope: Scope) -> None:
    path, found, workflow, engine, tables = case
    line, flagged, stays = workflow.stages, changes(FLAGS), texts(path.visits)
    mine = path.items[path.items["team"] == scope.team] if scope.team else path.items
    items, visits_ = mine.reset_index(drop=True), stays[stays["item"].isin(mine["item"])].reset_index(drop=True)
    some = found.visits.semi_join(found.items.filter(found.items.team == scope.team), "item") if scope.team else None
    brought = sampled(engine, found.visits, found.items, tables.flags, workflow, scope, some)
    assert brought is not None
    assert brought.whole
    told = singles({"all": brought}, "all", workflow, scope, SHIFT, VIENNA)
    recent, every = in_stage.lately(visits_, scope), in_stage.lately(stays, scope)
    expected = constraint.constraint(recent, line, items, scope, SHIFT, VIENNA)
    for name in ("stage", "why", "confidence", "n_finished", "estimated"):
        assert getattr(told.constraint, name) == getattr(expected, name)
    assert_frame_equal(expected.ranking, told.constraint.ranking)
    year = replace(scope, start=scope.end - pd.Timedelta(weeks=52))
    assert_frame_equal(constraint.history(visits_, line, items, year, SHIFT, VIENNA), told.moved())
    wasted = waste.waste(every, path.items, line, flagged, scope, counted=items["item"])
    assert (told.waste().values, told.waste().items, told.waste().said) == (wasted.values, wasted.items, wasted.said)
    assert_frame_equal(wasted.rows, told.waste().rows)
    simulated = lever(recent, line, items, scope, SHIFT, VIENNA)
    assert (told.lever().why, told.lever().past) == (simulated.why, simulated.past)
    assert_frame_equal(simulated.table, told.lever().table)


def changes(flags: pd.DataFrame) -> pd.DataFrame:
    """What a tracker says of flags: a change to something, and one to nothing."""
    ends = flags[flags["until"].notna()]
    told = [(flags["item"], flags["since"], "", "Impediment"), (ends["item"], ends["until"], "Impediment", "")]
    parts = [pd.DataFrame({"ticket": item, "field": "Flagged", "at": at, "from": old, "to": new}) for item, at, old, new in told]
    return pd.concat(parts, ignore_index=True).astype(
        {"at": "datetime64[us, UTC]", **dict.fromkeys(("ticket", "from", "to"), "str")}
    )


def test_the_log_holds_what_goes_wrong(both) -> None:
    path, _ = both
    assert {"first", "back", "again", "forward", "skip"} <= set(path.visits["kind_in"])
    assert {"done", "cancelled", "in progress", "no events"} <= set(path.items["state"])
    assert path.items["reopened"].sum() > 5
    assert path.visits["left"].isna().sum() > 5


def test_a_percentile_is_the_nearest_rank_whatever_the_number_of_values(engine, filled) -> None:
    told = log(9, 60).head(230)
    rows = filled(engine, events=events(told)).events
    for count in (1, 2, 3, 16, 19, 20, 21, 64, 100, 230):  # of 16, 64 and 100 the rank is half of an odd number
        values = list(range(1000, 1000 + 7 * count, 7))
        some = rows.filter(rows.place < count).mutate(value=1000 + rows.place * 7)
        row = ranked(some, "value", (50, 85, 95)).to_pandas().iloc[0]
        assert [row["p50"], row["p85"], row["p95"]] == [nearest_rank(values, share) for share in (0.5, 0.85, 0.95)]
        assert row["apart"] == values[count - around(count)] - values[around(count) - 1]
