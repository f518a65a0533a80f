"""The map's page: steps by hand and future states are written down, drawn, counted apart, scored and taken back."""

import html
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vsm import journal, store

CHECKOUT = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def own(stores, sample_store, tmp_path, monkeypatch):
    """A copy of the sample's store that a test may write to."""
    shutil.copy(sample_store.removeprefix("sqlite:///"), tmp_path / "own.db")
    url = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setitem(stores, "sample", url)
    return url


def words(app):
    return html.unescape(
        "\n".join(str(one.value) for kind in (app.markdown, app.caption, app.subheader, app.warning) for one in kind)
    )


def typed(app, **told):
    for key, value in told.items():
        app.text_input(key=key).set_value(value)
    return app


def submit(app, label):
    next(button for button in app.button if button.label == label).click()
    return app.run()


def test_a_step_by_hand_is_written_down_shown_as_an_estimate_and_summed_apart(look, own):
    app = look("value_stream", stream="checkout")
    assert "With 1 estimate" not in words(app)
    app.button(key="open_hand_checkout").click().run()
    app.selectbox(key="hand_behind").set_value("QA")
    typed(app, hand_name="Approval board", hand_wait="3 d", hand_work="30 min", hand_accurate="90", hand_by="the workshop")
    submit(app, "Put it on the map")

    assert "With 1 estimate" in words(app)
    with store.opened(own, create=False) as engine:
        row = journal.hand_steps(engine).iloc[0]
    assert row[["stream", "name", "behind", "wait_hours", "work_hours", "accurate", "created_by"]].tolist() == [
        "checkout", "Approval board", "QA", 72.0, 0.5, 0.9, "the workshop",
    ]  # fmt: skip


def test_each_field_that_cannot_be_read_is_told_in_one_sentence_and_nothing_is_kept(look, own):
    app = look("value_stream", stream="checkout")
    app.button(key="open_hand_checkout").click().run()
    typed(app, hand_name="QA", hand_wait="soon", hand_work="", hand_accurate="190", hand_by="")
    submit(app, "Put it on the map")

    (warning,) = app.warning
    said = html.unescape(warning.value).split("  \n")
    assert [sentence.partition(":")[0] for sentence in said] == [
        "Waiting time", "Work", "Complete and accurate", "Who estimated it", "Name",
    ]  # fmt: skip
    assert "'soon' is no duration" in said[0]
    with store.opened(own, create=False) as engine:
        assert journal.hand_steps(engine).empty


def test_a_chosen_estimate_says_who_made_it_and_can_be_taken_back(look, own):
    with store.opened(own) as engine:
        journal.add_hand_step(engine, "checkout", "Board", "QA", 72, 0.5, 0.9, by="<b>three</b> of us", now=LONG_AGO)
    app = look("value_stream", stream="checkout", stage="checkout: Board")
    assert "3.0 d waiting and 30 min of work, 90.0 % complete and accurate: estimated by <b>three</b> of us, 1 Mar 2026." in words(
        app
    )
    submit(app, "Take it back")
    assert "Board: an estimate" not in words(app)
