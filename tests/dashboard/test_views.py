"""Every page in every state: none is broken, none says a number that the report does not say."""

import html
import re
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data, parts, tables, theme
from dashboard.data import Choice
from dashboard.words import dated
from vsm import figures, report

DASHBOARD = Path(__file__).parents[2] / "dashboard"
VIEWS = sorted(path.stem for path in (DASHBOARD / "views").glob("*.py"))
STATES = ("none", "empty", "one ticket", "one change", "sample")  # with commits alone a browser looks at every page
EVIL = ":material/home: $x$ :red[hey] [evil](http://evil.example) <img src=x onerror=alert(1)>"
QUESTIONS = {
    "overview": "How is delivery going, and what changed?",
    "value_stream": "Where does work wait?",
    "flow": "How long does work take and what is stuck?",
    "bottlenecks": "What should we change first?",
    "forecast": "When will it be done, and how many will be?",
    "retro": "What do we take into the meeting?",
    "delivery": "Are changes small, fast and safe?",
    "data": "Can I trust this?",
}
EVERYTHING = Choice(None, None, 26, compare=True)


def words(app: AppTest) -> str:
    """Everything that a page says in Markdown, as a reader sees it."""
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, app.info, app.warning, app.metric)
    said = [getattr(element, "value", "") for kind in kinds for element in kind] + [button.label for button in app.button]
    return html.unescape("\n".join(map(str, said))).replace("\N{NO-BREAK SPACE}", " ")


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: html.unescape(metric.value) for metric in app.metric}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("page", VIEWS)
def test_no_page_is_broken_in_any_state(look, page, state):
    app = look(page, state)

    assert [title.value for title in app.title] == [QUESTIONS[page]]


@pytest.mark.parametrize("state", ["none", "empty"])
@pytest.mark.parametrize("page", VIEWS)
def test_without_data_every_page_says_how_to_bring_it(look, page, state):
    app = look(page, state)

    assert {"make demo", "vsm import FOLDER"} <= {code.value for code in app.code}
    assert len(app.metric) == 0


@pytest.mark.parametrize("page", ["overview", "flow", "delivery", "data"])
def test_a_tile_says_what_is_measured_and_what_the_report_says(look, page):
    app = look(page)
    shown, measures = metrics(app), data.measures(EVERYTHING)
    told = report.document(measures, data.harvests())
    dora, flow, coverage = told["dora"], told["flow"], told["coverage"]
    expected = {
        "overview": {
            "Deployment frequency": theme.per_week(dora["deployment_frequency"]["per_week"]),
            "Change lead time, median": theme.duration(dora["change_lead_time"]["p50"]),
            "Change fail rate": theme.rate(dora["change_fail_rate"]["value"]),
            "Recovery time, median": theme.duration(dora["failed_deployment_recovery_time"]["p50"]),
            "Deployment rework rate": theme.rate(dora["deployment_rework_rate"]["value"]),
        },
        "flow": {
            "Lead time, median": theme.duration(flow["lead_time"]["p50"]),
            "Cycle time, median": theme.duration(flow["cycle_time"]["p50"]),
            "Throughput": theme.per_week(flow["throughput_per_week"]["mean"]),
            "Work in progress now": theme.number(flow["wip"]["now"]),
            "Age of work in progress, median": theme.duration(flow["work_item_age"]["p50"]),
            "Flow efficiency": theme.rate(flow["flow_efficiency"]["value"]),
        },
        "delivery": {
            "Changes a deployment, median": theme.number(told["batch_size"]["p50"]),
            "Change fail rate": theme.rate(dora["change_fail_rate"]["value"]),
            "Time without an open incident": theme.rate(told["reliability"]["availability"]["value"]),
            "Time to acknowledge, median": theme.duration(told["reliability"]["time_to_acknowledge"]["p50"]),
        },
        "data": {
            "Finished tickets with a change": theme.rate(coverage["tickets_linked"]["value"]),
            "Merged changes in production": theme.rate(coverage["changes_deployed"]["value"]),
            "Incidents laid to a deployment": theme.rate(coverage["incidents_linked"]["value"]),
        },
    }[page]

    assert shown == expected


def test_a_tile_says_its_n_its_interval_and_the_period_before(look):
    app = look("overview")
    figure = data.measures(EVERYTHING).figures["change_fail_rate"]
    before = data.measures_before(EVERYTHING).figures["change_fail_rate"]
    metric = next(metric for metric in app.metric if metric.label == "Change fail rate")

    assert f"n = {figure.n}" in words(app)
    assert f"95 % interval {theme.rate(figure.values['low'])} to {theme.rate(figure.values['high'])}" in words(app)
    assert any(
        f"to {theme.rate(figure.values['high'])}".replace(" %", "\N{NO-BREAK SPACE}%") in html.unescape(one.value)
        for one in app.caption
    )
    assert metric.delta == "clearly lower"
    assert html.unescape(metric.proto.delta_description) == f"was {theme.rate(before.values['value'])}"


def test_without_comparing_nothing_is_said_of_the_period_before(look):
    app = look("overview", compare="false")

    assert {metric.delta for metric in app.metric} == {""}


def test_fewer_than_five_are_listed_instead_of_summarised(look):
    shown = look("overview", "one change")

    assert metrics(shown)["Change lead time, median"] == "1 seen"
    assert metrics(shown)["Change fail rate"] == "0 of 1"
    assert "each: 4.0 h" in words(shown)


def test_nothing_in_the_window_is_not_zero_and_there_is_a_way_out(look):
    app = look("flow", stream="platform", team="Basket", period="4 weeks")

    assert "That is not the same as zero." in words(app)
    assert len(app.metric) == 0
    next(button for button in app.button if button.label == "Show all streams and teams").click().run()
    assert [*app.exception, *app.error] == []
    assert len(app.metric) == 6


def test_derived_stages_are_said_to_be_derived(look):
    assert "No stages are configured" in words(look("value_stream", "one ticket"))


@pytest.mark.parametrize("page", VIEWS)
def test_what_comes_from_outside_stays_text(look, page):
    app = look(page, "one ticket")
    raw = [element.value for kind in (app.markdown, app.caption, app.subheader, app.header, app.info) for element in kind]

    assert not any(EVIL in str(said) or "onerror" in str(said) for said in raw)


@pytest.mark.parametrize("said", [EVIL, "1. x", "- x", "&lt;", "a_b*c*", "x\ny"])
def test_text_has_no_sign_left_that_markdown_reads(said):
    escaped = parts.text(said)

    assert html.unescape(escaped) == said.replace("\n", " ")
    assert not set("\\`*_{}[]<>$:~|.!+-=") & set(re.sub(r"&#\d+;", "", escaped))


# Where a number comes from. --------------------------------------------------------------------------------------------


def test_every_tile_explains_itself(look):
    app = look("overview")
    figure = data.measures(EVERYTHING).figures["change_fail_rate"]
    app.button(key="explain_change_fail_rate_value_").click().run()

    assert [*app.exception, *app.error] == []
    assert dated(figure.rule) in words(app)
    assert figure.definition in words(app)
    assert figure.n in [len(frame.value) for frame in app.dataframe]
    assert [tab.label for tab in app.tabs] == [f"Counted ({figure.n})", f"Left out ({len(figure.left_out)})"]


def test_of_many_rows_the_first_are_shown_and_how_many_there_are_is_said(look, monkeypatch):
    monkeypatch.setattr(parts, "MOST_ROWS", 7)
    app = look("overview")
    figure = data.measures(EVERYTHING).figures["change_fail_rate"]
    app.button(key="explain_change_fail_rate_value_").click().run()

    assert 7 in [len(frame.value) for frame in app.dataframe]
    assert figure.n not in [len(frame.value) for frame in app.dataframe]
    assert f"The first 7 of {figure.n:,} rows. The CSV has all of them." in words(app)
    assert f"Counted ({figure.n})" in [tab.label for tab in app.tabs]


def test_a_stage_that_is_chosen_lists_its_items(look):
    app = look("value_stream", stream="checkout")
    app.session_state["map_checkout"] = {"stage": "QA"}
    app.run()
    stages = data.measures(Choice("checkout", None, 26, compare=True)).stages
    inside = stages.set_index("stage").loc["QA", "wip_now"]

    assert f"QA: {inside} items in it now, its limit is 6 items" in words(app)
    assert any("Item" in frame.value and len(frame.value) == inside for frame in app.dataframe)


@pytest.mark.usefixtures("sample")
def test_the_visits_behind_a_stage_are_those_that_it_counts():
    measures = data.measures(Choice("checkout", None, 26, compare=False))
    row = measures.stages.set_index("stage").loc["QA"]
    figure = figures.stage(measures, "QA")

    assert len(figure.rows) == figure.n == row["visits"]
    assert figure.rows["wait"].notna().sum() == row["wait_n"]


def test_a_check_of_the_data_opens_its_rows(look):
    app = look("data")
    app.selectbox(key="check").set_value("pull requests without a ticket").run()

    measures = data.measures(Choice(None, None, 26, compare=False))
    figure = measures.figure("quality:pull requests without a ticket")
    assert any("change" in frame.value and len(frame.value) == figure.n for frame in app.dataframe)
    assert "Its effect: they flow as items of their own" in words(app)


@pytest.mark.parametrize("page", VIEWS)
def test_no_person_is_named(look, page):
    app = look(page)
    persons = set(data.told().facts.identities["person"])
    cells = {str(cell) for frame in app.dataframe for column in frame.value for cell in frame.value[column].dropna()}

    assert not persons & cells
    assert not any(person in words(app) for person in persons)


def test_a_spreadsheet_gets_no_formula():
    rows = pd.DataFrame({"id": ["=1+1", "+x", "-x", "@x", "\t=1", "PAY-1"], "hours": [-1.0, 2, 3, 4, 5, 6]})

    told = tables.csv(rows).decode("utf-8-sig").splitlines()

    assert told == ["id,hours", "'=1+1,-1.0", "'+x,2.0", "'-x,3.0", "'@x,4.0", "'\t=1,5.0", "PAY-1,6.0"]


def test_only_addresses_of_the_web_become_links():
    rows = pd.DataFrame({"item": ["a", "b", "c", "d"], "url": ["javascript:alert(1)", "https://x.example/a", None, "http://[bad"]})

    assert list(tables.ready(rows, "UTC")["url"].notna()) == [False, True, False, False]


def test_times_are_shown_in_the_reporting_zone():
    rows = pd.DataFrame({"at": pd.to_datetime(["2026-11-15T23:30:00Z"], utc=True)})

    assert list(tables.ready(rows, "Europe/Vienna")["at"]) == [pd.Timestamp("2026-11-16 00:30")]


def test_a_broken_page_says_so_without_a_traceback(monkeypatch, caplog):
    monkeypatch.setattr(data, "known", lambda: 1 / 0)
    app = AppTest.from_file(str(DASHBOARD / "app.py"), default_timeout=60).run()

    number = re.search(r"look for error (\w+)", app.error[0].value)
    assert number is not None
    assert "ZeroDivisionError" not in app.error[0].value
    assert f"error {number[1]}" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_published_answers_are_shown_only_when_they_are_asked_for_and_without_tiers(look):
    silent, asked = look("delivery"), look("delivery", benchmarks="true")
    beside = [frame.value for frame in asked.dataframe if "Their mean" in frame.value]

    assert not [frame for frame in silent.dataframe if "Their mean" in frame.value]
    assert set(beside[0]["Metric"]) == {title for title, *_ in tables.BY_MONTH.values()}
    assert "survey clusters, found anew in each year's answers" in words(asked)
