"""Charts draw what they are given: nothing else, nothing that someone may quote and no metric knows, no colour of their own."""

import json
import math
import re
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest

from dashboard import theme
from dashboard.charts import bottlenecks, delivery, flow, forecast, marks, ways

CHARTS = Path(__file__).parents[2] / "dashboard" / "charts"
DRAWING = ("bottlenecks", "delivery", "flow", "forecast", "ways")
NAN = float("nan")
EVIL = "\"]; alert('x') //</script><img src=x>"
WEEKS = pd.date_range("2026-09-28", periods=7, freq="7D", unit="us")
PLACED = {
    "beside",
    "left",
    "right",
    "drawn",
    "position",
    "below",
    "level",
    "low",
    "top",
}  # where a mark stands, which nobody quotes


def weekly(**columns):
    return pd.DataFrame({"week": WEEKS, "whole": [False, *[True] * 5, False]} | columns)


def deployments():
    return weekly(n=[1, 7, 0, 4, 9, 6, 2])


def lead_times():
    n = [0, 8, 6, 0, 3, 12, 5]
    return weekly(
        n=n, **{f"p{share}": [share * 3.5 + week if n[week] else NAN for week in range(7)] for share in (25, 50, 75, 85, 95)}
    )


def failures():
    return weekly(
        n=[0, 8, 6, 0, 3, 12, 5],
        failed=[0, 1, 0, 0, 1, 2, 0],
        value=[NAN, 0.125, 0.0, NAN, 1 / 3, 1 / 6, 0.0],
        low=[NAN, 0.022, 0.0, NAN, 0.0615, 0.047, 0.0],
        high=[NAN, 0.471, 0.39, NAN, 0.7923, 0.448, 0.434],
    )


def recoveries(count=7):
    at = pd.date_range("2026-09-28 10:30", periods=count, freq="5D", unit="us")
    hours = [0.0, 0.4, 2.5, 3.25, 9.0, 70.5, 1.75][:count]
    aware = at.tz_localize("UTC")
    return pd.DataFrame(
        {
            "deployment": [f"shop-{number}" for number in range(count)],
            "application": "shop",
            "deployed_at": at,
            "recovered_at": aware,
            "hours": hours,
        }
    )


def items(count=8):
    at = pd.date_range("2026-09-28 10:30", periods=count, freq="4D", unit="us")
    types = ["Feature", "Defect", None, "Feature", EVIL, "Debt", "Risk", "Feature"][:count]
    return pd.DataFrame(
        {
            "item": [f"PAY-{number}" for number in range(count)],
            "title": EVIL,
            "type": pd.Series(types, dtype="str"),
            "created_at": at.tz_localize("UTC"),
            "done_at": at,
            "hours": [11.5 * (number + 1) for number in range(count)],
        }
    )


def cumulative():
    days = pd.date_range("2026-09-28", periods=10, freq="D", unit="us")
    lines = {"Develop": 30, "Review": 25, EVIL: 24, "Cancelled": 22, "Done": 20}
    rows = [
        {"day": day, "stage": stage, "position": position, "items": start + number}
        for number, day in enumerate(days)
        for position, (stage, start) in enumerate(lines.items())
    ]
    return pd.DataFrame(rows)


def ages():
    told = [("PAY-1", "Develop", 0, 3.5), ("PAY-2", "Develop", 0, 99.0), ("PAY-3", "QA", 1, 3680.0)]
    return pd.DataFrame(told, columns=["item", "stage", "position", "age_hours"])


def bands():
    return pd.DataFrame({"stage": ["Develop", "QA"], "p50": [20.5, NAN], "p85": [60.0, NAN], "p95": [101.5, NAN]})


def dwell():
    return pd.DataFrame(
        {"stage": ["Develop", "QA"], "dwell_p50": [70.5, NAN], "dwell_p85": [170.5, NAN], "dwell_n": [295, 0], "team": [EVIL, None]}
    )


def split():
    return pd.DataFrame(
        {"stage": ["Develop", EVIL, "QA"], "wait": [10.5, 0.0, 99.25], "work": [200.0, 3.5, 20.0], "items": [9, 2, 8]}
    )


def types():
    return pd.DataFrame({"type": pd.Series(["Feature", EVIL, None], dtype="str"), "n": [6, 3, 1], "share": [0.6, 0.3, 0.1]})


def steps():
    told = [
        ("coding", 20.0, 60.0, 9, 25.5),
        ("pickup", 3.0, 9.5, 8, 4.25),
        (EVIL, 1.0, 2.0, 3, 0.5),
        ("not told apart", 5.0, 5.0, 1, 0.75),
    ]
    return pd.DataFrame([*told, ("review", NAN, NAN, 0, 0.0)], columns=["part", "p50", "p85", "n", "mean"])


def applications():
    told = [("shop", 200.5, 30, 0.1, 0.04, 0.23, 40), (EVIL, 0.0, 9, 0.0, 0.0, 0.28, 10), ("new", 9.0, 2, 0.5, 0.1, 0.9, 2)]
    return pd.DataFrame(told, columns=["application", "hours", "changes", "value", "low", "high", "n"])


def batches():
    return weekly(n=[0, 8, 6, 0, 3, 12, 5], p50=[NAN, 2, 1, NAN, 4, 1, 3], p85=[NAN, 5, 1, NAN, 4, 6, 9])


def months():
    first = pd.date_range("2026-08-01", periods=4, freq="MS", unit="us")
    rates = {"value": [NAN, 0.125, 0.0, 1 / 3], "low": [NAN, 0.022, 0.0, 0.0615], "high": [NAN, 0.471, 0.39, 0.7923]}
    return pd.DataFrame(
        {"month": first, "whole": [False, True, True, False], "metric": "change_fail_rate", **rates, "n": [0, 8, 6, 3]}
    )


def ranked():
    return pd.DataFrame({"stage": ["QA", EVIL, "Refine"], "queue": [0.9, 0.3, NAN], "load": [0.97, 1.02, 0.5]})


def moved():
    end = pd.date_range("2026-07-01", periods=4, freq="28D", unit="us")
    stage = pd.Series(["QA", None, EVIL, "QA"], dtype="str")
    told = {"start": end - pd.Timedelta(weeks=13), "end": end, "stage": stage, "confidence": [0.95, NAN, 0.6, 0.81]}
    return pd.DataFrame(told | {"n": [50, 12, 44, 61]})


def levers():
    told = [("QA", 0.58, 0.33, 0.6), (EVIL, 0.04, -0.02, 0.09)]
    return pd.DataFrame(told, columns=["stage", "cut", "low", "high"])


def wasted():
    told = [("waiting", 2000.5, 60), ("rework", 300.25, 9), ("handoff", NAN, 0), ("parked", 0.0, 0), (EVIL, 5.5, 2)]
    return pd.DataFrame(told, columns=["class", "hours", "items"])


def between():
    told = [("Basket", "Quality", 40, 39, 66.5), (EVIL, "Basket", 3, 0, NAN)]
    return pd.DataFrame(told, columns=["from", "to", "n", "wait_n", "wait_p50"])


def outcomes():
    return pd.DataFrame({"items": [80, 82, 90, 97], "share": [0.1, 0.25, 0.6, 0.05], "reach": [1.0, 0.9, 0.65, 0.05]})


def promised():
    told = pd.DataFrame({"week": WEEKS, "p85": [9.0, 8, 7, 8, 9, 9, 8], "finished": [12.0, 9, 6, 8, 10, 11, 5]})
    return told.assign(held=told["finished"] >= told["p85"])


def looked():
    items = [3.0, 5, 4, 15, 4, 3, 2]
    look = pd.Series([None, None, None, "above the limits", None, None, None], dtype="str")
    return weekly(items=items, mean=[5.2] * 7, lower=[0.0] * 7, upper=[13.4] * 7, look=look)


ALL = {
    "ranking": lambda: bottlenecks.ranking(ranked(), "QA"),
    "moved": lambda: bottlenecks.moved(moved()),
    "levers": lambda: bottlenecks.levers(levers()),
    "waste": lambda: bottlenecks.waste(wasted()),
    "handoffs": lambda: bottlenecks.handoffs(between()),
    "outcomes": lambda: forecast.outcomes(outcomes(), {"p50": 90.0, "p85": 82.0, "p95": 80.0}, "items", "Items"),
    "kept": lambda: forecast.kept(promised(), 12),
    "run_chart": lambda: forecast.run_chart(looked(), "items", "Items finished"),
    "way": lambda: ways.way(steps()),
    "speed_and_stability": lambda: ways.speed_and_stability(applications()),
    "batch_sizes": lambda: delivery.batch_sizes(batches(), 2.0),
    "fail_rate_by_month": lambda: delivery.fail_rate_by_month(months(), 4 / 34),
    "deployment_frequency": lambda: delivery.deployment_frequency(deployments(), per_week=4.1, pick=True),
    "lead_time_bands": lambda: delivery.lead_time_bands(lead_times()),
    "fail_rate": lambda: delivery.fail_rate(failures(), 4 / 34),
    "recovery": lambda: delivery.recovery(recoveries(), 2.5, 9.0, pick=True),
    "cumulative_flow": lambda: flow.cumulative_flow(cumulative()),
    "cycle_scatter": lambda: flow.cycle_scatter(items(), 46.0, 80.5, 92.0, pick=True),
    "throughput": lambda: flow.throughput(deployments().rename(columns={"n": "items"}), 4.1),
    "ageing_wip": lambda: flow.ageing_wip(ages(), bands(), pick=True),
    "stage_dwell": lambda: flow.stage_dwell(dwell()),
    "efficiency": lambda: flow.efficiency(split()),
    "distribution": lambda: flow.distribution(types()),
}
FRAMES = {
    "ranking": (lambda frame: bottlenecks.ranking(frame, "QA"), ranked),
    "moved": (bottlenecks.moved, moved),
    "levers": (bottlenecks.levers, levers),
    "waste": (bottlenecks.waste, wasted),
    "handoffs": (bottlenecks.handoffs, between),
    "outcomes": (lambda frame: forecast.outcomes(frame, {"p50": 90.0}, "items", "Items"), outcomes),
    "kept": (lambda frame: forecast.kept(frame, 12), promised),
    "run_chart": (lambda frame: forecast.run_chart(frame, "items", "Items finished"), looked),
    "way": (ways.way, steps),
    "speed_and_stability": (ways.speed_and_stability, applications),
    "batch_sizes": (delivery.batch_sizes, batches),
    "fail_rate_by_month": (delivery.fail_rate_by_month, months),
    "deployment_frequency": (delivery.deployment_frequency, deployments),
    "lead_time_bands": (delivery.lead_time_bands, lead_times),
    "fail_rate": (delivery.fail_rate, failures),
    "recovery": (delivery.recovery, recoveries),
    "cumulative_flow": (flow.cumulative_flow, cumulative),
    "cycle_scatter": (flow.cycle_scatter, items),
    "throughput": (flow.throughput, lambda: deployments().rename(columns={"n": "items"})),
    "ageing_wip": (flow.ageing_wip, ages),
    "stage_dwell": (flow.stage_dwell, dwell),
    "efficiency": (flow.efficiency, split),
    "distribution": (flow.distribution, types),
}


def layers(chart):
    return [one for layer in chart.layer for one in layers(layer)] if isinstance(chart, alt.LayerChart) else [chart]


def frames(chart):
    own = [layer.data for layer in layers(chart) if isinstance(layer.data, pd.DataFrame)]
    return own or [chart.data]


def rows(chart):
    return [row for data in chart.to_dict()["datasets"].values() for row in data]


def numbers(frame):
    found = {round(float(value), 9) for name in frame.select_dtypes("number") for value in frame[name].dropna()}
    return found | {round(value, 9) for value in (4.1, 4 / 34, 2.5, 9.0, 46.0, 80.5, 92.0)}  # the lines that were asked for


def test_very_many_items_are_counted_in_cells():
    rng = np.random.default_rng(7)
    many = flow.MOST_DOTS + 1
    at = pd.Timestamp("2026-09-28") + pd.to_timedelta(rng.uniform(0, 180, many), unit="D").as_unit("us")
    told = pd.DataFrame({"item": [f"PAY-{place}" for place in range(many)], "done_at": at, "hours": rng.exponential(100, many)})
    spec = flow.cycle_scatter(told, 60.0, 190.0, 300.0).to_dict()

    cells = [row for data in spec["datasets"].values() for row in data if "count" in row]
    assert sum(row["count"] for row in cells) == many
    assert len(cells) <= flow.CELLS[0] * flow.CELLS[1]
    for row in cells[::50]:
        inside = (told["hours"] >= row["low"]) & (told["hours"] < row["high"])
        inside &= (told["done_at"] >= pd.Timestamp(row["left"])) & (told["done_at"] < pd.Timestamp(row["right"]))
        assert row["count"] == pytest.approx(inside.sum(), abs=1)  # a time on a chart is cut to milliseconds


def test_every_chart_is_tried_here():
    told = "".join(path.read_text() for path in CHARTS.glob("*.py") if path.stem in DRAWING)
    public = re.findall(r"^def ([a-z]\w+)\(", told, re.MULTILINE)
    assert set(public) - {"weekly_bars", "span"} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_chart_follows_the_schema(name):
    told = ALL[name]().to_dict()  # Altair validates it
    assert told["height"] >= 120
    assert "width" not in told  # the page's column decides


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_nothing_to_draw(name):
    draw, frame = FRAMES[name]
    assert draw(frame().iloc[:0]) is None
    assert draw(None) is None


@pytest.mark.parametrize("name", ALL)
def test_one_row_is_enough(name):
    draw, frame = FRAMES[name]
    one = frame().dropna().tail(1) if name not in ("cycle_scatter", "stage_dwell", "speed_and_stability") else frame().head(1)
    assert rows(draw(one))


@pytest.mark.parametrize("name", ALL)
def test_every_number_comes_from_the_frame(name):
    given = numbers(FRAMES[name][1]()) | (numbers(bands()) if name == "ageing_wip" else set())
    drawn = {
        round(value, 9)
        for row in rows(ALL[name]())
        for column, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and column not in PLACED | {"run"}
    }
    assert drawn <= given


@pytest.mark.parametrize("name", ALL)
def test_times_are_naive_and_durations_are_numbers(name):
    for frame in frames(ALL[name]()):
        kinds = {str(kind) for kind in frame.dtypes}
        assert not [kind for kind in kinds if "timedelta" in kind or "UTC" in kind or "period" in kind]
        assert not [name for name in frame if isinstance(frame[name].dtype, pd.DatetimeTZDtype)]


@pytest.mark.parametrize("name", ALL)
def test_the_frame_stays_as_it_was(name):
    draw, frame = FRAMES[name]
    given = frame()
    draw(given)
    pd.testing.assert_frame_equal(given, frame())


@pytest.mark.parametrize("name", ALL)
def test_colours_are_roles_or_the_themes_ramp(name):
    spec = ALL[name]().to_dict()
    text = json.dumps({key: value for key, value in spec.items() if key not in ("datasets", "config", "$schema")})
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", text)
    tones = {row["tone"] for row in rows(ALL[name]()) if "tone" in row}
    assert tones <= set(theme.ROLES)
    for layer in layers(ALL[name]()):
        assert "color" in layer.to_dict()["encoding"], "a mark without a role is black on a dark page"


def expressions(told):
    """The label expressions anywhere in a chart's specification."""
    if isinstance(told, dict):
        return [found for key, value in told.items() for found in ([value] if key == "labelExpr" else expressions(value))]
    return [found for value in told for found in expressions(value)] if isinstance(told, list) else []


@pytest.mark.parametrize("name", ["cumulative_flow", "cycle_scatter"])
def test_names_stay_text_in_expressions(name):
    """A label expression is a lookup in quoted JSON: what a name holds never ends the quotation."""
    told = [found for found in expressions(ALL[name]().to_dict()) if "alert" in found]
    assert told
    for expression in told:
        names, rest = json.JSONDecoder().raw_decode(expression[1:])
        assert EVIL in names.values()
        assert expression[1:][rest:] in (")[datum.value]", ")[format(datum.value, 'd')]")


@pytest.mark.parametrize("name", ["deployment_frequency", "throughput"])
def test_a_week_without_any_is_a_zero_in_words(name):
    texts = [layer for layer in layers(ALL[name]()) if layer.to_dict()["mark"]["type"] == "text"]
    assert [len(layer.data) for layer in texts] == [1]
    assert texts[0].to_dict()["mark"]["text"] == "0"


def test_labels_of_weeks_are_mondays():
    axis = layers(ALL["deployment_frequency"]())[0].to_dict()["encoding"]["x"]["axis"]
    days = [pd.Timestamp(year=at["year"], month=at["month"], day=at["date"]) for at in axis["values"]]
    assert days == list(WEEKS)
    assert {day.day_name() for day in days} == {"Monday"}


def test_many_weeks_have_labels_on_some_mondays_only():
    series = pd.DataFrame({"week": pd.date_range("2025-01-06", periods=52, freq="7D"), "whole": True, "n": 1})
    axis = layers(delivery.deployment_frequency(series))[0].to_dict()["encoding"]["x"]["axis"]
    assert len(axis["values"]) <= marks.MOST_TICKS


def test_a_week_that_is_only_partly_in_the_window_is_paler_and_says_so():
    bars = layers(ALL["deployment_frequency"]())[0]
    assert bars.data["note"].ne("").tolist() == (~deployments()["whole"]).tolist()
    assert bars.to_dict()["encoding"]["opacity"] == {"condition": [{"test": "datum.whole", "value": 1.0}], "value": 0.4}


def test_gaps_stay_gaps():
    line = next(layer for layer in layers(ALL["lead_time_bands"]()) if layer.to_dict()["mark"]["type"] == "line")
    assert line.data["week"].tolist() == [WEEKS[week] for week in (1, 2, 4, 5, 6)]
    assert line.data["run"].nunique() == 2


def test_few_observations_have_no_bands():
    chart = ALL["lead_time_bands"]()
    banded = [layer.data["n"].min() for layer in layers(chart) if layer.to_dict()["mark"]["type"] == "rect"]
    hollow = [layer.data["n"].max() for layer in layers(chart) if layer.to_dict()["mark"].get("filled") is False]
    assert banded == [5, 5]
    assert hollow == [3]


def test_rates_have_their_interval_and_no_line_between_weeks():
    chart = ALL["fail_rate"]()
    kinds = [layer.to_dict()["mark"]["type"] for layer in layers(chart)]
    assert "line" not in kinds
    assert "22.2 %" not in json.dumps(rows(chart))
    assert "2.2 % to 47.1 %" in {row.get("interval") for row in rows(chart)}


@pytest.mark.parametrize(("draw", "frame"), [(delivery.recovery, recoveries), (flow.cycle_scatter, items)])
@pytest.mark.parametrize(("count", "lines"), [(4, 0), (5, 2)])
def test_percentiles_of_few_are_not_drawn(draw, frame, count, lines):
    rules = [layer for layer in layers(draw(frame(count), 2.0, 40.0)) if layer.to_dict()["mark"]["type"] == "rule"]
    assert sum(len(layer.data) for layer in rules) == lines


def test_a_line_says_its_value_in_the_pages_words():
    said = {row["said"] for row in rows(ALL["cycle_scatter"]()) if "level" in row}
    assert said == {f"{share} % within {theme.duration(hours)}" for share, hours in ((50, 46.0), (85, 80.5), (95, 92.0))}


def test_words_that_would_overlap_share_a_line():
    rule = marks.levels({"a": 10.0, "b": 10.1, "c": 50.0}, alt.Scale(domain=[0, 100]))
    axis = rule.to_dict()["encoding"]["y"]["axis"]
    assert axis["values"] == [10.0, 50.0]
    assert "a, b" in axis["labelExpr"]


@pytest.mark.parametrize("value", [0.0, 1 / 3, 5.884615384615385, 12.0, 496.3433333333333, 1234567.25])
def test_a_lines_words_are_found_by_its_value(value):
    axis = marks.levels({"here": value}, alt.Scale(domain=[0, value + 1])).to_dict()["encoding"]["y"]["axis"]
    assert json.loads(re.match(r"\((.*)\)\[", axis["labelExpr"])[1]) == {str(math.floor(axis["values"][0] * 1e6)): "here"}


def test_the_cumulative_bands_meet():
    for day, told in pd.concat(frames(ALL["cumulative_flow"]())).groupby("day"):
        told = told.sort_values("position")
        assert told["below"].tolist()[:-1] == told["items"].tolist()[1:], day


def test_the_last_day_of_a_cumulative_flow_has_its_width():
    assert pd.concat(frames(ALL["cumulative_flow"]()))["day"].max() == cumulative()["day"].max() + pd.Timedelta(days=1)


def test_types_beyond_the_roles_share_one():
    (dots,) = frames(flow.cycle_scatter(items(8).assign(type=[f"type {number}" for number in range(8)])))
    assert dots["tone"].value_counts()["muted"] == 2
    assert dots["tone"].nunique() == len(flow.TYPE_TONES) + 1


@pytest.mark.parametrize(
    ("name", "selection"),
    [("deployment_frequency", "week"), ("recovery", "mark"), ("cycle_scatter", "item"), ("ageing_wip", "item")],
)
def test_what_can_be_clicked_is_selected_by_name(name, selection):
    assert [one["name"] for one in ALL[name]().to_dict()["params"]] == ["brush", selection]


@pytest.mark.parametrize(
    ("most", "first_ticks"),
    [(0.9, ["0", "10 min", "20 min"]), (5.0, ["0", "1 h", "2 h"]), (100.0, ["0", "24 h", "2 d"]), (3000.0, ["0", "30 d", "60 d"])],
)
def test_axes_of_hours_have_ticks_that_people_have_words_for(most, first_ticks):
    def said(hours):  # as marks.HOURS_SAID reads
        if hours == 0:
            return "0"
        return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:g} h" if hours < 48 else f"{hours / 24:g} d"

    values = marks.hour_axis(most).to_dict()["values"]
    assert [said(value) for value in values][:3] == first_ticks
    assert values[-1] <= most
    assert len(values) <= 7


def test_dots_of_one_stage_stand_apart():
    many = pd.DataFrame({"item": [f"A-{n}" for n in range(9)], "stage": "QA", "position": 0, "age_hours": 20.0})
    (dots,) = frames(flow.ageing_wip(many))
    assert dots["beside"].is_unique
    assert dots["beside"].abs().max() < 0.5


def legends(told):
    """The legends of a chart's layers."""
    if isinstance(told, dict):
        told = {key: value for key, value in told.items() if key != "resolve"}  # says only how layers share them
        return [found for key, value in told.items() for found in ([value] if key == "legend" and value else legends(value))]
    return [found for value in told for found in legends(value)] if isinstance(told, list) else []


@pytest.mark.parametrize("name", ["cumulative_flow", "cycle_scatter", "ageing_wip"])
def test_a_legend_breaks_its_line_where_the_page_is_narrow(name):
    found = legends(ALL[name]().to_dict())
    assert found
    assert all(re.fullmatch(r"max\(1, floor\(width / \d+\)\)", legend["columns"]["expr"]) for legend in found)


@pytest.mark.parametrize("names", [[], ["QA"], ["Q" * 500]])
def test_a_legend_has_room_for_its_longest_name_and_no_more_than_it_may_take(names):
    assert marks.SYMBOL < int(re.search(r"/ (\d+)", marks.wrapped(names).to_dict()["expr"])[1]) <= 220 + marks.SYMBOL
