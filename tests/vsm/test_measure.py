"""Measures: what stands beside the five DORA metrics adds up to them, on the sample."""

from pathlib import Path

import pandas as pd
import pytest

from vsm import config, measure, pipeline, report, store
from vsm.metrics import blocked, handoffs, monthly, rework, stages
from vsm.metrics import flow as flows
from vsm.metrics.figure import mean, nearest_rank
from vsm.scope import Scope, window

SAMPLE = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
FIVE = (
    "deployment_frequency", "change_lead_time", "change_fail_rate", "failed_deployment_recovery_time", "deployment_rework_rate",
)  # fmt: skip


@pytest.fixture(scope="module")
def flow(sample_store) -> pipeline.Flow:
    with store.opened(sample_store, create=False) as engine:
        return pipeline.read(store.facts(engine), config.load(SAMPLE))


@pytest.fixture(scope="module")
def year(flow) -> measure.Measures:
    """Everything of the sample's last year."""
    return measure.measure(flow, Scope(flow.now - pd.Timedelta(weeks=52), flow.now))


def test_the_steps_of_the_happy_path_add_up_to_the_mean_lead_time(year):
    steps, lead = year.happy_path.steps, year.figures["change_lead_time"]

    assert (year.happy_path.n, year.happy_path.per_week) == (lead.n, year.figures["deployment_frequency"].values["per_week"])
    assert steps["mean"].sum() == pytest.approx(mean(lead.rows["hours"]))


def test_the_steps_of_recovery_add_up_to_the_mean_recovery_time_and_its_volume_is_rate_times_frequency(year):
    way, recovery, fail = year.recovery_stream, year.figures["failed_deployment_recovery_time"], year.figures["change_fail_rate"]

    assert way.n == recovery.n > 5
    assert way.steps["mean"].sum() == pytest.approx(mean(recovery.rows["hours"]))
    assert way.per_week == pytest.approx(fail.values["failed"] / year.scope.weeks)


def test_months_count_what_the_window_counts(year):
    months = year.months
    by = months.set_index("metric")["n"].groupby(level=0, sort=False).sum()

    assert tuple(months["metric"].unique()) == FIVE
    assert {name: by[name] for name in FIVE} == {name: year.figures[name].n for name in FIVE}


def test_there_are_no_months_before_anything_is_known_and_no_more_than_two_years(flow):
    long = measure.measure(flow, Scope(pd.Timestamp("1926-01-01", tz="UTC").as_unit("us"), flow.now)).months
    first = flow.links.changes["merged_at"].min()

    assert long["month"].nunique() <= monthly.MOST
    assert f"{long['month'].min():%Y-%m}" == f"{first.tz_convert(flow.config.zone):%Y-%m}"


def test_a_month_is_measured_as_if_it_were_asked_for_alone(flow, year):
    one = year.months[year.months["whole"]].iloc[0]
    start, end = window(flow.now, flow.config.zone, f"{one['month']:%Y-%m-%d}", f"{one['month'] + pd.offsets.MonthEnd(0):%Y-%m-%d}")
    alone = measure.measure(flow, Scope(start, end)).figures["deployment_frequency"]

    assert (one["value"], one["n"]) == (pytest.approx(alone.values["per_week"]), alone.n)


def test_a_team_is_measured_as_if_it_were_asked_for_alone(flow, year):
    assert len(year.teams) > 1
    for team, figures in year.teams.items():
        alone = measure.measure(flow, Scope(year.scope.start, year.scope.end, team=team)).figures
        assert {name: figures[name].values for name in FIVE} == {name: alone[name].values for name in FIVE}


def test_batches_hold_every_change_that_was_deployed_in_the_window(flow, year):
    batch = year.figures["batch_size"]
    good = flow.links.deployments[lambda told: told["production"] & (told["result"] == "success")]
    here = good.loc[year.scope.holds(good["finished_at"]), "id"]
    brought = flow.links.deployment_changes[lambda told: told["deployment"].isin(here)]

    assert batch.rows["changes"].sum() == len(brought)
    assert batch.values["p50"] == nearest_rank(brought.groupby("deployment").size(), 0.5)
    assert batch.n + len(batch.left_out) == batch.of == len(here)


def test_the_recent_visits_tell_what_all_visits_tell(flow):
    scope = Scope(flow.now - pd.Timedelta(weeks=6), flow.now - pd.Timedelta(weeks=2))
    for one in flow.streams:
        every, some = one.visits, stages.recent(one.visits, one.items, scope)
        split = [stages.split(visits, one.workflow.stages) for visits in (every, some)]

        assert len(some) < len(every)
        for metric in (flows.wip, flows.flow_efficiency, handoffs.handoffs, rework.rework):
            both = [metric(visits, one.items, scope) for visits in split]
            # Those that tell more than a figure hold it as what an item has, or as the items.
            figures = [getattr(one, "per_item", getattr(one, "items", one)) for one in both]
            for whole, part in [figures]:
                assert (part.values, part.n, part.rule) == (whole.values, whole.n, whole.rule)
                pd.testing.assert_frame_equal(part.rows, whole.rows)
                pd.testing.assert_frame_equal(part.left_out, whole.left_out)
        told = [rework.rework(visits, one.items, scope) for visits in split]
        for name in ("percent_complete_accurate", "loops", "expected"):
            pd.testing.assert_frame_equal(getattr(told[0], name), getattr(told[1], name))
        pd.testing.assert_frame_equal(*(handoffs.moves(visits, one.items, scope) for visits in split))
        changes = flow.facts.ticket_changes
        pd.testing.assert_frame_equal(*(blocked.blocked(visits, one.items, changes, scope).rows for visits in split))


def test_what_is_worked_out_beside_the_figures_is_what_is_worked_out_when_it_is_asked_for(sample_store, flow):
    with store.opened(sample_store, create=False) as engine:
        harvests = store.harvests(engine)
    scope = Scope(*window(flow.now, flow.config.zone, None, None))
    told, ahead = (report.document(measure.measure(flow, scope, ahead=beside), harvests) for beside in (False, True))

    assert told == ahead
    assert all(stream["lead_time_lever"] and stream["constraint"]["history"] and stream["waste"] for stream in told["streams"])
