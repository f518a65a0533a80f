"""The map's page: steps by hand and future states are written down, drawn, counted apart, scored and taken back."""

import html
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard.map.groups import grouped
from dashboard.map.states import planned
from vsm import future, journal, store

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


def picked(app, stream, step):
    """Choose a step on the map of the future state, as a click does."""
    app.session_state["dialog_open"] = f"step_{stream}_{step}"
    return app.run()


def table(app, column):
    return next(frame.value for frame in app.dataframe if column in frame.value)


def test_a_future_state_is_drawn_from_todays_changed_kept_shown_and_taken_back(look, own):
    app = look("value_stream", stream="checkout")
    app.button(key="draw_checkout").click().run()
    told = table(app, "future state")
    assert told["today"].tolist() == told["future state"].tolist(), "a copy of today's, before anything is changed"

    picked(app, "checkout", "QA")
    typed(app, step_wait="6 h", step_accurate="99", step_limit="3")
    submit(app, "Change it")
    app.button(key="open_new_checkout").click().run()
    typed(app, new_name="Demo", new_wait="2 h", new_work="30 min")
    submit(app, "Add it")
    picked(app, "checkout", "Refine")
    submit(app, "Take the step out")
    app.button(key="open_keep_checkout").click().run()
    typed(app, keep_name="Quick QA", keep_by="the team")
    next(button for button in app.button if button.label == "Keep it" and button.key != "open_keep_checkout").click()
    app.run()

    with store.opened(own, create=False) as engine:
        row = journal.future_states(engine).iloc[0]
    steps, before = future.read(row["map"])
    kept = {step.name: step for step in steps}
    assert (row["name"], row["stream"], row["created_by"]) == ("Quick QA", "checkout", "the team")
    assert [step.name for step in steps] == ["Develop", "Review", "QA", "Release", "Demo"]
    assert (kept["QA"].wait, kept["QA"].accurate, kept["QA"].wip_limit) == (6.0, 0.99, 3)
    assert (kept["Demo"].wait, kept["Demo"].work) == (2.0, 0.5)
    assert [step.name for step in before] == ["Refine", "Develop", "Review", "QA", "Release"]
    assert "Too early to say" in words(app)
    assert "Quick QA" in words(app)

    app.button(key=f"forget_future_{row['id']}").click().run()
    with store.opened(own, create=False) as engine:
        assert journal.future_states(engine).empty


def test_a_kept_future_state_is_scored_by_a_link(look, own):
    app = look("value_stream", stream="checkout")
    with store.opened(own) as engine:
        app.button(key="draw_checkout").click().run()
        draft = app.session_state["draft_checkout"]
        told = {
            "steps": [step | {"wait": 1.0} if step["name"] == "QA" else step for step in draft["steps"]],
            "before": draft["before"],
        }
        key = journal.add_future_state(engine, "checkout", "<b>Quick</b> QA", told, None, by="", now=LONG_AGO)
    app = look("value_stream", stream="checkout", future=str(key))

    row = table(app, "measured since").set_index(["step", "number"])
    assert row.loc[("QA", "Wait"), "verdict"] == "worse than planned"
    assert row.loc[("QA", "Wait"), "planned"] == "1.0 h"
    assert row.loc[("QA", "Wait"), "n"] > 100
    assert row.loc[("Develop", "Work"), "before, if other"] == ""
    assert "Since 1 Mar 2026 the steps add up to" in words(app)
    assert "<b>Quick</b> QA" in "\n".join(html.unescape(one.value) for one in app.header)


def test_a_step_of_a_future_state_that_cannot_be_read_stays_as_it_was(look, own):
    app = look("value_stream", stream="checkout")
    app.button(key="draw_checkout").click().run()
    before = app.session_state["draft_checkout"]
    picked(app, "checkout", "QA")
    typed(app, step_wait="tomorrow", step_people="-2")
    submit(app, "Change it")

    (warning,) = app.warning
    assert [said.partition(":")[0] for said in html.unescape(warning.value).split("  \n")] == ["Waiting time", "People"]
    assert app.session_state["draft_checkout"] == before


def test_a_group_of_a_future_state_is_opened_by_a_link(look, own):
    steps = tuple(future.Step(f"S{place}", 5.0 + place, 2.0, column=place) for place in range(14))
    with store.opened(own) as engine:
        key = journal.add_future_state(engine, "checkout", "Less", future.written(steps, steps), None, by="", now=LONG_AGO)
    group = next(name for name in grouped(planned(steps, steps)).names if name.startswith("S0"))
    closed, opened = (
        look("value_stream", stream="checkout", future=str(key), **more)
        for more in ({}, {"open": f"checkout, future state {key}: {group}"})
    )

    assert "More than nine steps" in words(closed)
    assert ["S1. Waits" in drawn_on_maps(app) for app in (closed, opened)] == [False, True]


def drawn_on_maps(app):
    """What the browser gets to draw on the maps of a page."""
    return "\n".join(str(part.proto) for part in app.get("bidi_component"))
