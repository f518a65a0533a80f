"""Focusing: what is said around a constraint is what was measured, and is not said where it was not."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from vsm import config, measure, pipeline, store
from vsm.focusing import NOTHING, focusing, misleading, since
from vsm.scope import Scope
from vsm.words import share

SAMPLE = Path(__file__).parents[2] / "sample_data" / "vsm.toml"


@pytest.fixture(scope="module")
def checkout(sample_store) -> measure.Measures:
    """The stream that QA holds back in the second half of the sample's year."""
    with store.opened(sample_store, create=False) as engine:
        flow = pipeline.read(store.facts(engine), config.load(SAMPLE))
    return measure.measure(flow, Scope(flow.now - pd.Timedelta(weeks=26), flow.now, stream="checkout"))


def test_there_are_five_steps_around_a_constraint_and_the_first_is_its_reason(checkout):
    steps = focusing(checkout)

    assert [step.name for step in steps] == ["Identify", "Exploit", "Subordinate", "Elevate", "Repeat"]
    assert steps[0].said[0] == checkout.constraint.why
    assert all(step.said for step in steps)


def test_a_share_is_written_in_one_way(checkout):
    """89.1 % everywhere, and nowhere 89% of it."""
    queue = checkout.constraint.ranking["evidence"].iloc[0]["queue_share"]
    said = [sentence for step in focusing(checkout) for sentence in step.said] + misleading(checkout)

    assert checkout.constraint.why.startswith(f"QA holds work back: something was waiting for it {share(queue)} of working time; ")
    assert not [sentence for sentence in said if re.search(r"\d%", sentence)]


def test_it_is_said_since_when_a_stage_is_the_constraint_and_what_was_before(checkout):
    """People changed places on 18 May 2026; the look from 26 April is the first of which that is the larger part."""
    since = "QA has been named since the thirteen weeks from 26 Apr 2026 to 26 Jul 2026, in 5 of 11 looks at thirteen weeks each; "

    assert focusing(checkout)[0].said[-1] == f"{since}before that it was Review."


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        pytest.param(["QA", "QA"], "QA was named in all of 2 looks at thirteen weeks each.", id="always"),
        pytest.param(["QA"], "QA was named in the one look at thirteen weeks.", id="one look"),
        pytest.param(["QA", None], None, id="none at last"),
        pytest.param([], None, id="no look"),
        pytest.param(
            [None, "QA"],
            "QA has been named since the thirteen weeks from 8 Jan 2026 to 8 Apr 2026, in 1 of 2 looks at thirteen weeks each; "
            "before that none was named.",
            id="none before",
        ),
    ],
)
def test_since_when_is_told_of_the_stage_that_was_named_last(checkout, looks, told):
    starts = pd.date_range("2026-01-01", periods=len(looks), freq="7D", tz="UTC")
    rows = pd.DataFrame({"start": starts, "end": starts + pd.Timedelta(days=90), "stage": pd.Series(looks, dtype="str")})

    assert since(replace(checkout, _moved=lambda: rows)) == told


def test_every_stage_is_said_what_more_capacity_would_bring(checkout):
    said = " ".join(next(step for step in focusing(checkout) if step.name == "Elevate").said)

    for row in checkout.lever.table.to_dict("records"):
        assert re.search(rf"{share(row['cut'])} .*{row['stage']}|{row['stage']} .*{share(row['cut'])}", said)


def test_what_is_said_of_pace_and_rework_is_in_the_tables(checkout):
    said = {step.name: " ".join(step.said) for step in focusing(checkout)}
    row = checkout.stages.set_index("stage").loc["QA"]
    edge = checkout.accurate.query("`from` == 'Review' and `to` == 'QA'").iloc[0]

    assert f"{row['arrivals'] / 26:.1f} a week come in and {row['departures'] / 26:.1f} leave" in said["Subordinate"]
    assert f"{row['wip_now']} in it now against a limit of {row['wip_limit']}" in said["Subordinate"]
    assert (
        f"sends back {share(1 - edge['value'])} of what it takes in from Review ({edge['sent_back']} of {edge['n']})"
        in said["Exploit"]
    )
    assert checkout.lever.why in said["Elevate"]
    assert "it would most likely be Review" in said["Repeat"]


def test_where_no_constraint_is_named_only_the_reason_is_said(checkout):
    silent = replace(checkout, constraint=replace(checkout.constraint, stage=None, confidence=None, why="Nothing holds it back."))

    assert [(step.name, step.said) for step in focusing(silent)] == [("Identify", ("Nothing holds it back.",))]
    assert focusing(replace(checkout, constraint=None)) == []


def test_a_step_without_data_says_so(checkout):
    unknown = replace(checkout, stages=None, accurate=None, _levered=lambda: None)
    said = {step.name: step.said for step in focusing(unknown)}

    assert said["Subordinate"] == said["Elevate"] == (NOTHING,)


def test_other_rankings_are_named_with_what_speaks_against_them(checkout):
    said = misleading(checkout)
    develop = next(row["evidence"] for row in checkout.constraint.ranking.to_dict("records") if row["stage"] == "Develop")

    assert said[0] == "A ranking by time in stage names QA, too (4.3 d)."
    assert said[1].startswith("A ranking by items in a stage would name Develop (7.0 on average), but something waits for it ")
    assert share(develop["load"]) in said[1]


def test_a_stage_that_only_holds_work_is_no_constraint_whatever_the_ranking(checkout):
    slow = checkout.stages.assign(dwell_mean=checkout.stages["dwell_mean"].mask(checkout.stages["stage"] == "Release", 9999.0))

    assert "would name Release (416.6 d), where nobody works" in misleading(replace(checkout, stages=slow))[0]
