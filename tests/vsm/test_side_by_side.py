"""Two scopes side by side: a verdict only where the two can be compared, and one sentence for what cannot be asked."""

from pathlib import Path

import pandas as pd
import pytest

from vsm import config, measure, pipeline, store
from vsm.errors import UsageError
from vsm.metrics.compare import compare
from vsm.scope import Scope, window
from vsm.side_by_side import NUMBERS, against, measured_against, named, side_by_side, told

CONFIG = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
START, END = pd.Timestamp("2026-05-01T00:00Z"), pd.Timestamp("2026-06-01T00:00Z")


@pytest.fixture(scope="module")
def basket(sample_store):
    """The measures of one team of the sample."""
    with store.opened(sample_store, create=False) as engine:
        rules = config.load(CONFIG)
        flow = pipeline.read(store.facts(engine), rules, harvested=store.filled_at(store.harvests(engine)))
    return measure.measure(flow, Scope(*window(flow.now, rules.zone), team="Basket"))


def test_the_time_before_is_told_as_the_tiles_tell_it(basket):
    before = measured_against(basket, basket.scope.before())
    rows = {row.label: row for row in side_by_side(basket, before)}

    assert list(rows) == [label for label, *_ in NUMBERS]
    often = compare(basket.figures["deployment_frequency"], before.figures["deployment_frequency"], "per_week")
    assert (often.verdict, rows["Deployment frequency"].verdict) == ("more", "clearly more often")
    assert rows["Deployment frequency"].rule == often.rule
    assert rows["Work in progress now"].verdict == "not compared"


def test_what_is_behind_both_is_not_compared_and_says_so(basket):
    """Two teams that work on one application share its deployments."""
    payments = measured_against(basket, against(basket.scope, "team:Payments", pd.Timestamp))
    rows = {row.label: row for row in side_by_side(basket, payments)}

    both = set(basket.figures["deployment_frequency"].rows["deployment"]) & set(
        payments.figures["deployment_frequency"].rows["deployment"]
    )
    assert len(both) > 100
    assert (rows["Deployment frequency"].verdict, rows["Deployment frequency"].rule) == (
        "not compared", f"{len(both):,} of its rows are behind the other one, too",
    )  # fmt: skip
    assert rows["Throughput"].verdict == "clearly more"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("before", Scope(START - (END - START), START - pd.Timedelta(microseconds=1), team="A")),
        ("team:B", Scope(START, END, team="B")),
        ("application:shop: eu", Scope(START, END, application="shop: eu", team="A")),
        ("to:2026-03-01T00:00Z", Scope(pd.Timestamp("2026-01-29T00:00Z"), pd.Timestamp("2026-03-01T00:00Z"), team="A")),
    ],
)
def test_what_a_scope_is_compared_with(asked, expected):
    assert against(Scope(START, END, team="A"), asked, pd.Timestamp) == expected


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("team:A", "team 'A' is already what is looked at"),
        ("person:Ann", "expected before, team:NAME, application:NAME, stream:NAME, to:WHEN"),
        ("team:", "nothing can be compared with 'team:'"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(asked, sentence):
    with pytest.raises(UsageError, match=sentence):
        against(Scope(START, END, team="A"), asked, pd.Timestamp)


def test_values_are_written_with_their_n_and_few_are_only_counted(basket):
    assert told(basket.figures["throughput"], "mean") == "4.8 / week (n 126)"
    assert told(
        measured_against(basket, Scope(START, START + pd.Timedelta(days=1), team="Basket")).figures["lead_time"], "p50"
    ).endswith(("(n 0)", "(n 1)", "(n 2)", "(n 3)", "(n 4)"))
    assert named(basket.scope, "Europe/Vienna") == "team Basket, 17 May 2026 to 15 Nov 2026"
