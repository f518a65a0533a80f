"""The sample's planted truths, found again by the report."""

import contextlib
import io
import json
from pathlib import Path

import pytest

from vsm import cli

CONFIG = str(Path(__file__).parents[1] / "sample_data" / "vsm.toml")
HALVES = ("first half", "second half")
STREAMS = ("checkout", "platform")


@pytest.fixture(scope="module")
def reports(sample_store, truths, tmp_path_factory):
    """The report of each half of the sample's year."""
    return {
        half: report(sample_store, "--from", truths["halves"][half]["from"], "--to", truths["halves"][half]["to"])
        for half in HALVES
    }


def report(store, *options):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run(["report", "--format", "json", "--store", store, "--config", CONFIG, *options]) == 0
    return json.loads(out.getvalue())


def stream(told, name):
    return next(one for one in told["streams"] if one["stream"] == name)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", STREAMS)
def test_the_planted_constraint_is_named(reports, truths, name, half):
    found = stream(reports[half], name)["constraint"]

    assert found["stage"] == truths["streams"][name]["constraint"][half]["planted"]
    assert found["confidence"] >= 0.9


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", STREAMS)
def test_queue_shares_are_those_of_the_simulations_books(reports, truths, name, half):
    """The books count tickets only; changes without a ticket queue too where a stage takes delivery events."""
    planted = truths["streams"][name]["constraint"][half]["queue_share"]
    measured = {stage["stage"]: stage["queue_share"] for stage in stream(reports[half], name)["stages"]}

    by_tickets_alone = {stage: share for stage, share in planted.items() if stage != "Check"}
    assert {stage: measured[stage] for stage in by_tickets_alone} == pytest.approx(by_tickets_alone, abs=0.01)


@pytest.mark.parametrize("name", STREAMS)
def test_the_longest_stay_is_a_trap_that_the_finder_does_not_fall_into(reports, name):
    stages = stream(reports["second half"], name)["stages"]
    ranking = [row["stage"] for row in stream(reports["second half"], name)["constraint"]["ranking"]]

    holding = {stage["stage"] for stage in stages if stage["work"]["n"] == 0}
    assert holding
    assert not holding & set(ranking)


@pytest.mark.parametrize("name", STREAMS)
def test_finished_tickets_are_counted_exactly(reports, truths, name):
    told = stream(reports["second half"], name)

    assert told["coverage"]["tickets_linked"]["n"] == truths["streams"][name]["finished_in_last_26_weeks"]


def test_every_row_of_the_sample_is_read(reports, truths):
    assert reports["second half"]["facts"] == truths["rows"]


def test_the_default_window_is_the_last_26_weeks(sample_store, reports):
    told = report(sample_store)

    assert told["window"] == reports["second half"]["window"]
    assert told["dora"] == reports["second half"]["dora"]


def explained(store, truths, metric):
    """The rows behind a metric over the sample's whole year."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        call = [
            "explain",
            metric,
            "--format",
            "json",
            "--store",
            store,
            "--config",
            CONFIG,
            "--from",
            "2025-11-01",
            "--to",
            truths["now"],
        ]
        assert cli.run(call) == 0
    return json.loads(out.getvalue())["rows"]


def test_every_deployment_that_failed_is_found_with_its_reason(sample_store, truths):
    rows = explained(sample_store, truths, "change_fail_rate")
    planted = {key: told["reason"] for key, told in truths["deployments"]["failed"].items()}

    assert {row["deployment"]: row["reason"].partition(",")[0] for row in rows if row["failed"]} == planted


def test_every_unplanned_deployment_is_found(sample_store, truths):
    rows = explained(sample_store, truths, "deployment_rework_rate")

    assert {row["deployment"] for row in rows if row["unplanned"]} == set(truths["deployments"]["unplanned"])


def test_successful_production_deployments_are_counted_exactly(sample_store, truths):
    rows = explained(sample_store, truths, "change_fail_rate")
    planted = {name: told["success"] for name, told in truths["deployments"]["production"].items()}

    assert {name: sum(row["application"] == name for row in rows) for name in planted} == planted
