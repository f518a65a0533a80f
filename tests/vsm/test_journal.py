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


def test_what_is_kept_of_a_kind_is_known_to_be_old_when_one_is_written_down_or_taken_back_and_no_other_kind_is(engine):
    before = journal.versions(engine)
    keys = {
        "notes": journal.add_note(engine, "a new team", NOW, now=NOW),
        "hand_steps": journal.add_hand_step(engine, "checkout", "Approval", None, 4.0, 0.5, 0.9, by="the board", now=NOW),
        "future_states": journal.add_future_state(engine, "checkout", "Soon", {"steps": [{}]}, None, by="us", now=NOW),
    }
    written = journal.versions(engine)
    take = {"notes": journal.remove_note, "hand_steps": journal.remove_hand_step, "future_states": journal.remove_future_state}

    assert before.keys() == written.keys() == keys.keys()
    assert all(before[kind] != written[kind] for kind in keys)
    for kind, key in keys.items():
        was = journal.versions(engine)
        take[kind](engine, key)
        assert {one for one, version in journal.versions(engine).items() if version != was[one]} == {kind}


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
