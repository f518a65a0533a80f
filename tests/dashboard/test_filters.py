"""The filter line: what is chosen stands in the URL, and what stands in the URL is chosen, on every page."""

import pytest

from dashboard import data, filters, theme
from dashboard.data import Choice


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
    assert [header.value for header in app.header] == ["platform"]
