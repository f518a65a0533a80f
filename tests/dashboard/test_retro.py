"""The retrospective: what is written down on the page is in the store, on the charts, and text whatever it holds."""

import shutil
from datetime import date

import altair as alt
import pandas as pd
import pytest
import vl_convert

from dashboard.charts import delivery, flow, marks
from dashboard.charts.spec import specification, with_rows
from vsm import journal, store

EVIL = "<img src=x onerror=alert(1)> :red[hey] [evil](http://evil.example)"
WEEKS = pd.date_range("2026-09-28", periods=7, freq="7D", unit="us")


@pytest.fixture
def own(sample_store, tmp_path):
    """A store of one's own to write into."""
    shutil.copy(sample_store.removeprefix("sqlite:///"), tmp_path / "own.db")
    return f"sqlite:///{tmp_path / 'own.db'}"


def kept(url):
    with store.opened(url, create=False) as engine:
        return journal.notes(engine), journal.experiments(engine)


def button(app, label):
    return next(one for one in app.button if one.label == label)


def said(app):
    return " ".join(str(one.value) for kind in (app.markdown, app.caption, app.warning) for one in kind)


def test_a_note_is_kept_shown_as_text_and_can_be_taken_back(look, own):
    app = look("retro", own)
    app.text_area(key="note_text").set_value(EVIL)
    app.date_input(key="note_on").set_value(date(2026, 10, 6))
    button(app, "Keep it").click().run()
    notes, _ = kept(own)

    assert notes[["text", "kind"]].values.tolist() == [[EVIL, "note"]]
    assert notes["at"].tolist() == [pd.Timestamp("2026-10-06", tz="UTC")]
    assert "6 Oct 2026" in said(app)
    assert EVIL not in said(app), "signs that Markdown or HTML would read are entities"

    button(app, "Take back").click().run()
    assert kept(own)[0].empty


def test_a_note_without_words_is_refused_in_a_sentence(look, own):
    app = look("retro", own)
    button(app, "Keep it").click().run()

    assert "Not written down&#58; a note needs words" in said(app)
    assert kept(own)[0].empty


def test_what_was_typed_stays_where_it_was_refused_and_is_gone_where_it_was_kept(look, own):
    app = look("retro", own)
    app.text_input(key="x_title").set_value("Pairs")
    button(app, "Begin").click().run()

    assert "Not written down&#58; a hypothesis needs words" in said(app)
    assert app.text_input(key="x_title").value == "Pairs"
    app.text_area(key="x_hypothesis").set_value("waiting gets shorter")
    button(app, "Begin").click().run()
    assert app.text_input(key="x_title").value == ""


def test_a_note_of_another_time_is_listed_apart_and_can_be_taken_back(look, own):
    with store.opened(own, create=False) as engine:
        journal.add_note(
            engine, "long ago", pd.Timestamp("2020-01-01", tz="UTC").to_pydatetime(), now=pd.Timestamp("2026-11-20", tz="UTC")
        )
    app = look("retro", own)

    assert [one.label for one in app.expander] == ["1 note of other times"]
    button(app, "Take back").click().run()
    assert kept(own)[0].empty


def test_an_experiment_of_a_stream_that_is_gone_can_be_taken_back(look, own):
    with store.opened(own, create=False) as engine:
        at = pd.Timestamp("2026-09-01", tz="UTC").to_pydatetime()
        journal.add_experiment(engine, "Pairs", "waits", "cycle_time", at, stream="renamed", now=at)
    app = look("retro", own)

    assert "It cannot be judged&#58; no stream &#39;renamed&#39;" in said(app) or "It cannot be judged&#58; no stream" in said(app)
    button(app, "Take back").click().run()
    assert kept(own)[1].empty


def test_an_experiment_is_judged_by_its_before_and_after(look, own):
    app = look("retro", own)
    app.text_input(key="x_title").set_value("Pairs")
    app.text_area(key="x_hypothesis").set_value("waiting gets shorter")
    app.date_input(key="x_from").set_value(date(2026, 9, 1))
    button(app, "Begin").click().run()
    _, experiments = kept(own)

    assert experiments[["title", "metric"]].values.tolist() == [["Pairs", "change_lead_time"]]
    assert "Change lead time, median&#58; " in said(app)
    assert "What else changed then is in it, too" in said(app)

    button(app, "It ended on 15 Nov 2026").click().run()
    assert kept(own)[1]["ended_at"].dt.strftime("%Y-%m-%d").tolist() == ["2026-11-15"]
    assert "until 15 Nov 2026" in said(app)


def test_of_an_experiment_that_only_begins_no_empty_numbers_are_told(look, own):
    app = look("retro", own)
    app.text_input(key="x_title").set_value("Pairs")
    app.text_area(key="x_hypothesis").set_value("waiting gets shorter")
    button(app, "Begin").click().run()  # on the last day of the data

    assert "Too early to say&#58; nothing has been counted for change lead time, median since it began" in said(app)


def chart():
    return delivery.deployment_frequency(pd.DataFrame({"week": WEEKS, "whole": True, "n": [1, 7, 0, 4, 9, 6, 2]}))


def noted(*rows):
    frame = pd.DataFrame(rows, columns=["at", "until", "text"])
    return frame.assign(at=pd.to_datetime(frame["at"]), until=pd.to_datetime(frame["until"]))


def test_notes_of_one_day_have_their_numbers_beside_each_other():
    told = marks.annotated(chart(), noted(("2026-10-06 08:00", None, "a"), ("2026-10-06 15:00", None, "b")), WEEKS[0], WEEKS[-1])

    assert {row["number"] for rows in told.to_dict()["datasets"].values() for row in rows if "number" in row} == {"1, 2"}


def test_only_notes_of_the_window_are_drawn_and_their_words_are_data():
    notes = noted(("2026-10-06", None, EVIL), ("2026-10-20", "2026-12-24", "freeze"), ("2025-01-01", None, "long ago"))
    told = marks.annotated(chart(), notes, WEEKS[0], WEEKS[-1]).to_dict()
    drawn = [row for rows in told["datasets"].values() for row in rows if "number" in row]

    assert {(row["number"], row["text"]) for row in drawn} == {("1", EVIL), ("2", "freeze")}
    assert max(row["ends"] for row in drawn) <= WEEKS[-1].isoformat()


def test_a_chart_of_a_longer_time_has_older_notes_too_and_the_numbers_of_all_others():
    notes = noted(("2026-09-20", None, "before the window"), ("2026-10-06", None, "in it"))
    told = marks.annotated(chart(), notes, WEEKS[0] - pd.Timedelta(weeks=9), WEEKS[-1], window=(WEEKS[0], WEEKS[-1])).to_dict()

    drawn = {row["text"]: row["number"] for rows in told["datasets"].values() for row in rows if "number" in row}
    assert drawn == {"before the window": "", "in it": "1"}


def test_an_axis_keeps_its_title_under_a_note():
    items = pd.DataFrame({"item": ["a", "b"], "done_at": WEEKS[:2], "hours": [3.0, 50.0]})
    told = marks.annotated(flow.cycle_scatter(items), noted(("2026-10-06", None, "a")), WEEKS[0], WEEKS[-1])

    axes = vl_convert.vegalite_to_vega(with_rows(specification(told)))["axes"]

    assert {axis["title"] for axis in axes if "title" in axis and axis["scale"] == "x"} == {"Finished"}


@pytest.mark.parametrize("notes", [noted(), noted(("2025-01-01", None, "long ago"))], ids=["none", "none of the window"])
def test_without_notes_a_chart_stays_as_it_is(notes):
    one = chart()

    assert marks.annotated(one, notes, WEEKS[0], WEEKS[-1]) is one
    assert marks.annotated(None, notes, WEEKS[0], WEEKS[-1]) is None
    assert isinstance(one, alt.LayerChart)
