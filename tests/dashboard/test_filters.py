"""The filter line: what is chosen stands in the URL, and what stands in the URL is chosen, on every page."""

import json
from datetime import date
from pathlib import Path

import pytest

from dashboard import data, filters, theme
from dashboard.data import Choice
from vsm import cli

CONFIG = Path(__file__).parents[2] / "sample_data" / "vsm.toml"


def chosen(app) -> dict[str, object]:
    widgets = (app.selectbox(key="stream"), app.selectbox(key="team"), app.toggle(key="compare"))
    return {widget.key: widget.value for widget in widgets} | {"period": app.session_state["period"]}


def in_url(app) -> dict[str, str]:
    return {name: values[0] if isinstance(values, list) else values for name, values in app.query_params.items()}


def test_the_default_is_everything_in_26_weeks_compared_and_stays_out_of_the_url(look):
    app = look("overview")

    assert chosen(app) == {"stream": filters.STREAMS, "team": filters.TEAMS, "compare": True, "period": "26 weeks"}
    assert in_url(app) == {}


@pytest.mark.parametrize("page", ["overview", "value_stream", "flow", "data"])
def test_the_url_sets_the_filters_of_every_page(look, page):
    app = look(page, stream="checkout", team="Basket", period="13 weeks", compare="false")

    assert chosen(app) == {"stream": "checkout", "team": "Basket", "compare": False, "period": "13 weeks"}


def test_what_is_chosen_is_what_is_measured(look):
    app = look("overview")
    app.selectbox(key="stream").select("platform")
    app.session_state["period"] = "13 weeks"
    app.run()
    figure = data.measures(Choice("platform", None, 13, compare=True)).figures["deployment_frequency"]

    assert next(metric.value for metric in app.metric if metric.label == "Deployment frequency") == theme.per_week(
        figure.values["per_week"]
    )


@pytest.mark.parametrize("wrong", [{"stream": "nowhere"}, {"team": "nobody"}, {"period": "3 fortnights"}, {"compare": "perhaps"}])
def test_what_the_url_says_wrongly_is_left_out(look, wrong):
    app = look("overview", **wrong)

    assert chosen(app) == {"stream": filters.STREAMS, "team": filters.TEAMS, "compare": True, "period": "26 weeks"}


def test_only_this_stream_sets_the_filter(look):
    app = look("value_stream")
    app.button(key="only_platform").click().run()

    assert in_url(app) == {"stream": "platform"}
    assert [header.value for header in app.header] == ["platform", "A future state of platform"]


# What few need. --------------------------------------------------------------------------------------------------------


def figures(**chosen):
    """What the door measures of a choice of the sample."""
    return data.measures(Choice(None, None, 26, compare=True, **chosen)).figures


def shown(app, label):
    return next(metric.value for metric in app.metric if metric.label == label)


def test_one_application_can_be_chosen_and_stands_in_the_url(look):
    app = look("overview", application="shop")

    assert app.selectbox(key="application").value == "shop"
    assert shown(app, "Deployment frequency") == theme.per_week(
        figures(application="shop")["deployment_frequency"].values["per_week"]
    )


def test_what_counts_as_one_piece_of_work_can_be_chosen(look):
    app = look("flow", level="epic")

    assert figures()["wip"].values["now"] != figures(level="epic")["wip"].values["now"]
    assert shown(app, "Work in progress now") == theme.number(figures(level="epic")["wip"].values["now"])


def test_a_store_without_parts_and_with_one_application_shows_no_further_filters(look):
    assert [box.key for box in look("overview", "one ticket").selectbox] == ["stream", "team"]


def test_from_a_day_to_a_day_is_what_a_report_of_these_days_says(look, sample_store, capsys):
    first, last = date(2026, 6, 1), date(2026, 8, 30)
    app = look("overview", period="Dates")
    app.date_input(key="dates").set_value((first, last)).run()
    assert cli.run(
        ["report", "--from", str(first), "--to", str(last), "--format", "json", "--store", sample_store, "--config", str(CONFIG)]
    ) == 0  # fmt: skip
    told = json.loads(capsys.readouterr().out)["dora"]

    assert shown(app, "Deployment frequency") == theme.per_week(told["deployment_frequency"]["per_week"])
    assert shown(app, "Change lead time, median") == theme.duration(told["change_lead_time"]["p50"])
    assert figures(first=first, last=last)["deployment_frequency"].n == told["deployment_frequency"]["n"]


def test_until_both_days_are_chosen_the_usual_period_is_shown(look):
    app = look("overview", period="Dates")

    assert shown(app, "Deployment frequency") == theme.per_week(figures()["deployment_frequency"].values["per_week"])
    assert any("Until a first and a last day are chosen: 26 weeks" in caption.value for caption in app.caption)
