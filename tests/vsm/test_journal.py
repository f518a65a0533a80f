"""The journal: what is written down is there again, and changes no fact."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from vsm import journal, store

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def engine(kept):
    with store.opened(kept) as opened:
        yield opened


def test_notes_are_told_in_their_order_with_missing_as_missing(engine):
    later = journal.add_note(engine, "release  freeze\n", NOW - DAY, until=NOW, stream="checkout", kind="freeze", now=NOW)
    first = journal.add_note(engine, "a new team", NOW - 9 * DAY, now=NOW)
    found = journal.notes(engine)

    assert found["id"].tolist() == [first, later]
    assert found["text"].tolist() == ["a new team", "release freeze"]
    assert found["at"].tolist() == [pd.Timestamp(NOW - 9 * DAY), pd.Timestamp(NOW - DAY)]
    assert found["stream"].isna().tolist() == found["until"].isna().tolist() == [True, False]


def test_a_note_can_be_taken_back_and_twice_is_harmless(engine):
    key = journal.add_note(engine, "never mind", NOW, now=NOW)
    journal.remove_note(engine, key)
    journal.remove_note(engine, key)

    assert journal.notes(engine).empty
    assert str(journal.notes(engine)["at"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("text", "until", "sentence"),
    [
        (" \n ", None, "needs words"),
        ("x" * 2001, None, "expected at most 2000"),
        ("backwards", NOW - DAY, "cannot end before it begins"),
    ],
)
def test_a_note_that_is_none_is_refused_and_nothing_is_kept(engine, text, until, sentence):
    with pytest.raises(ValueError, match=sentence):
        journal.add_note(engine, text, NOW, until=until, now=NOW)
    assert journal.notes(engine).empty


def test_an_experiment_is_begun_ended_and_taken_back(engine):
    key = journal.add_experiment(engine, "Pairs in QA", "waits get shorter", "cycle_time", NOW - 30 * DAY, now=NOW)
    assert journal.experiments(engine)["ended_at"].isna().all()

    journal.end_experiment(engine, key, NOW - 40 * DAY)
    assert journal.experiments(engine)["ended_at"].isna().all(), "an end before the beginning is none"
    journal.end_experiment(engine, key, NOW)
    assert journal.experiments(engine)[["title", "metric", "ended_at"]].values.tolist() == [
        ["Pairs in QA", "cycle_time", pd.Timestamp(NOW)]
    ]

    journal.remove_experiment(engine, key)
    assert journal.experiments(engine).empty


def test_writing_down_makes_no_new_version_of_the_data(engine):
    before = store.version(engine)
    journal.add_note(engine, "only words", NOW, now=NOW)

    assert store.version(engine) == before
