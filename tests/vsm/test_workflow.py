"""Stages, from the configuration or derived from what is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vsm.changes import changes
from vsm.config import Production, StageConfig, StreamConfig, parse
from vsm.people import People
from vsm.store import Facts
from vsm.workflow import Stage, Workflow, derive, of_stream, streams

Told = Callable[..., Facts]
BOARD = """
    A-1: Backlog 0, Ready for dev 1, In progress 2, Ready for review 3, In review 4, Ready for release 5, Done 6
    A-2: Backlog 0, In progress 2, In review 4, In progress 5, In review 6, Won't do 7
"""


def derived(facts: Facts, deploys: bool = True, **stream: Any) -> Workflow:
    made = changes(facts, People.of(facts)).changes
    return derive(StreamConfig(name="all", **stream), facts, made, deploys)


def stages(workflow: Workflow) -> list[str]:
    return [f"{stage.name}: {', '.join((*stage.waiting, *stage.active))}" for stage in workflow.stages]


def test_a_status_has_one_of_six_meanings_in_any_case_or_none_that_is_known() -> None:
    flow = Workflow(
        "x",
        (Stage("Dev", waiting=("Ready",), active=("Doing",)),),
        new=("Todo",),
        done=("Done",),
        cancelled=("No",),
        ignored=("Epic",),
    )
    told = {status: flow.meaning(status) for status in ("TODO", "ready", "Doing", "done", "no", "epic", "what")}
    assert told == {
        "TODO": ("new", None), "ready": ("waiting", 0), "Doing": ("active", 0), "done": ("done", None), "no": ("cancelled", None),
        "epic": ("ignored", None), "what": ("unknown", None),
    }  # fmt: skip


def test_a_stage_without_active_and_starts_only_holds_work() -> None:
    assert not Stage("Train", waiting=("Waiting",), opens=("pull_request.merged",)).has_capacity
    assert Stage("Dev", active=("Doing",)).has_capacity
    assert Stage("Review", starts=("review.submitted",)).has_capacity
    assert not Stage("Dev", active=("Doing",)).has_queue
    assert Stage("Dev", waiting=("Ready",)).has_queue


def test_stages_are_as_they_are_configured(told: Told) -> None:
    stage = StageConfig(name="Dev", waiting=("Ready",), active=("Doing",), people=2, wip_limit=3, team="Makers")
    flow = of_stream(StreamConfig(name="x", stages=(stage,), done=("Done",)), told(), pd.DataFrame())
    assert flow == Workflow("x", (Stage("Dev", ("Ready",), ("Doing",), people=2, wip_limit=3, team="Makers"),), done=("Done",))
    assert not flow.derived
    assert flow.by_statuses


def test_every_name_of_production_is_production_in_a_stages_events(told: Told) -> None:
    stage = StageConfig(
        name="Release", opens=("deployment.finished:qa",), closes=("deployment.finished:live", "deployment.finished")
    )
    flow = of_stream(StreamConfig(name="x", stages=(stage,)), told(), pd.DataFrame(), Production())
    assert flow.stages[0].closes == ("deployment.finished:production", "deployment.finished")
    assert flow.stages[0].opens == ("deployment.finished:qa",)


def test_without_streams_there_is_one_to_which_everything_belongs() -> None:
    assert [stream.name for stream in streams(parse("", Path("vsm.toml")))] == ["everything"]
    assert [stream.name for stream in streams(parse('[[streams]]\nname = "pay"', Path("vsm.toml")))] == ["pay"]


# Derived. --------------------------------------------------------------------------------------------------------------


def test_stages_are_derived_from_statuses_in_the_order_in_which_they_are_reached(told: Told) -> None:
    flow = derived(told(tickets=BOARD))
    assert stages(flow) == ["In progress: Ready for dev, In progress", "In review: Ready for review, In review",
                            "Ready for release: Ready for release"]  # fmt: skip
    assert (flow.new, flow.done, flow.cancelled) == (("Backlog",), ("Done",), ("Won't do",))
    assert flow.derived
    assert flow.notes == (
        "No stages are configured: they were derived from the tickets' statuses by their names and order "
        "(new: Backlog; done: Done; cancelled: Won't do).",
    )


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("Done", "done"), ("Closed", "done"), ("Deployed to production", "done"), ("Live", "done"),
        ("Deployed to staging", "active"),
        ("Test done", "active"), ("To Do", "new"), ("Backlog", "new"), ("Selected for development", "new"), ("Open", "new"),
        ("Won't fix", "cancelled"), ("Cancelled", "cancelled"), ("Duplicate", "cancelled"), ("Rejected", "cancelled"),
        ("Waiting for QA", "waiting"), ("On hold", "waiting"), ("Ready for release", "waiting"), ("To be deployed", "waiting"),
        ("In Progress", "active"), ("QA", "active"), ("Newsletter", "active"), ("Reopened", "active"),
    ],
)  # fmt: skip
def test_what_a_status_means_by_its_name(told: Told, status: str, meaning: str) -> None:
    assert derived(told(tickets=f"A-1: {status} 0")).meaning(status)[0] == meaning


def test_what_the_stream_says_of_a_status_counts_before_its_name(told: Told) -> None:
    facts = told(tickets="A-1: Offen 0, Backlog 1, In Arbeit 2, Erledigt 3\nA-2: Offen 0, In Arbeit 2, Done 3, Meta 4")
    flow = derived(facts, new=("Offen",), done=("erledigt", "Nie gesehen"), ignored=("Meta",))
    assert [flow.meaning(status)[0] for status in ("Offen", "Backlog", "Erledigt", "Done", "In Arbeit", "Meta", "Nie gesehen")] == [
        "new", "new", "done", "done", "active", "ignored", "done",
    ]  # fmt: skip
    assert stages(flow) == ["In Arbeit: In Arbeit"]


def test_without_tickets_stages_are_derived_from_delivery(told: Told) -> None:
    flow = derived(told("", "1 created=1"))
    assert [stage.name for stage in flow.stages] == ["Coding", "Review", "Release"]
    assert flow.notes[0].startswith(
        "No stages are configured and there are no tickets: the stages are coding up to the pull request"
    )
    assert not flow.by_statuses


def test_tickets_that_never_had_a_status_tell_no_stages(told: Told) -> None:
    flow = derived(told("", "1 created=1", "A-1 created_at=0"))
    assert [stage.name for stage in flow.stages] == ["Coding", "Review", "Release"]
    assert "the tickets have no statuses" in flow.notes[0]


def test_where_nobody_says_when_review_began_coding_and_review_are_one_stage(told: Told) -> None:
    flow = derived(told("a"))
    assert [stage.name for stage in flow.stages] == ["Change", "Release"]
    assert "coding and review cannot be told apart" in flow.notes[0]


def test_where_nothing_is_deployed_nothing_waits_for_release(told: Told) -> None:
    flow = derived(told("a"), deploys=False)
    assert [stage.name for stage in flow.stages] == ["Change"]
    assert flow.notes[0].endswith("and no further: no deployment of them is known.")


def test_nothing_at_all_has_stages_too(told: Told) -> None:
    assert [stage.name for stage in derived(told()).stages] == ["Change", "Release"]
