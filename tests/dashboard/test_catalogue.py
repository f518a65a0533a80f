"""The catalogue: every chart has words, rows, a figure and a picture, and all of them say the same."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import altair as alt
import pandas as pd
import pytest

from dashboard import tables
from dashboard.charts.catalogue import CATALOGUE, drawn, names
from dashboard.charts.entry import Asked, Drawn
from dashboard.charts.spec import frame, with_rows
from vsm import config, measure, pipeline, store
from vsm.measure import Measures
from vsm.metrics.cumulative import DONE
from vsm.metrics.figure import Figure, nearest_rank
from vsm.scope import Scope

ROOT = Path(__file__).parents[2]
VIEWS = {path.stem for path in (ROOT / "dashboard" / "views").glob("*.py")}
STATES = ("one ticket", "one change", "git only", "sample")
EVERY = [(name, stream) for name, entry in CATALOGUE.items() for stream in (("checkout", "platform") if entry.mapped else (None,))]

FOR_NOTHING = {"no type", "none named"}  # what a chart says where a table has nothing
MADE: dict[tuple[str, str | None], Drawn] = {}  # drawn once for all tests, none of which changes them


@cache
def measured(url: str, configured: Path | None) -> tuple[Measures, Measures]:
    """What was measured of a store in its last 26 weeks, and in as long a time before."""
    with store.opened(url, create=False) as engine:
        flow = pipeline.read(store.facts(engine), config.load(configured))
    scope = Scope(flow.now - pd.Timedelta(weeks=26), flow.now)
    return measure.measure(flow, scope), measure.measure(flow, scope.before())


@pytest.fixture
def asked(stores, monkeypatch) -> Callable[..., Asked]:
    """What a chart is drawn from: `asked(state, stream)`."""
    monkeypatch.chdir(Path(__file__).parent)  # where there is no vsm.toml

    def of(state: str = "sample", stream: str | None = None) -> Asked:
        now, before = measured(stores[state], ROOT / "sample_data" / "vsm.toml" if state == "sample" else None)
        return Asked(now, before) if stream is None else Asked(now.streams[stream], before.streams[stream])

    return of


@pytest.fixture
def one(asked) -> Callable[[str, str | None], Drawn]:
    """A chart of the sample."""

    def of(name: str, stream: str | None = None) -> Drawn:
        if (name, stream) not in MADE:
            MADE[name, stream] = drawn(name, asked(stream=stream))
        return MADE[name, stream]

    return of


def data(told: Drawn) -> list[pd.DataFrame]:
    """The frames that a page gets with a chart."""
    return [frame(part) for part in told.spec["datasets"].values()]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("state", STATES[:3])
def test_no_chart_breaks_where_there_is_little(asked, state, name):
    of = asked(state)
    told = drawn(name, of)

    assert told.empty or told.spec["datasets"]
    assert told.finding.endswith(".")
    assert told.why


@pytest.mark.parametrize(("name", "stream"), EVERY)
def test_a_chart_says_what_is_to_be_seen_what_it_means_and_of_what(one, name, stream):
    told = one(name, stream)

    assert not told.empty
    assert told.page in VIEWS
    assert told.finding.endswith(".")
    assert any(sign.isdigit() for sign in told.finding), "a finding without a number is a reading aid"
    assert told.reading.endswith(".")
    assert told.definition
    assert len(told.rows)
    assert ("stream " + stream if stream else "all streams") in told.about
    assert "data as of" in told.about


@pytest.mark.parametrize(("name", "stream"), EVERY)
def test_a_specification_follows_the_schema_and_holds_each_frame_once(one, name, stream):
    told = one(name, stream)

    alt.Chart.from_dict(with_rows(told.spec))  # Altair validates it
    assert len(set(told.spec["datasets"].values())) == len(told.spec["datasets"])
    text = json.dumps({key: value for key, value in told.spec.items() if key != "datasets"})
    assert all(f'"{dataset}"' in text for dataset in told.spec["datasets"])
    assert "config" not in told.spec, "a theme of its own would not follow the page's"


@pytest.mark.parametrize(("name", "stream"), EVERY)
def test_notes_lie_on_every_chart_over_time_and_on_no_other(one, name, stream):
    assert over_time(one(name, stream).spec) == CATALOGUE[name].dated


def over_time(spec: dict) -> bool:
    """Whether any layer's x is a time."""
    across = spec.get("encoding", {}).get("x", {})
    return across.get("type") == "temporal" or any(map(over_time, spec.get("layer", ())))


@pytest.mark.parametrize("name", ["forecast_kept", "throughput_limits", "fail_rate_by_month", "constraint_history"])
def test_a_note_is_drawn_with_its_number(asked, name):
    of = asked(stream="checkout" if CATALOGUE[name].mapped else None)
    at = of.measures.scope.end - pd.Timedelta(weeks=20)
    notes = pd.DataFrame({"at": [at], "until": pd.to_datetime([None], utc=True), "text": ["freeze"]})

    told = data(drawn(name, replace(of, notes=notes)))

    assert [row["number"] for part in told if "number" in part for row in part.to_dict("records")] == ["1"]


@pytest.mark.parametrize(("name", "stream"), EVERY)
def test_what_is_drawn_is_in_the_table(one, name, stream):
    told = one(name, stream)
    known = {column: set(tables.cells(told.rows)[column].dropna()) for column in told.rows}

    shared = 0
    for part in data(told):
        for column in set(part) & set(known) - {"tone"}:
            if part[column].dtype.kind == "M":
                continue  # local on a chart, in UTC in a table
            shared += 1
            if name == "forecast_items" and column == "share":  # neighbours are joined where there are very many
                assert part[column].sum() == pytest.approx(told.rows[column].sum())
                continue
            said = set(part[column].dropna())
            assert said - (FOR_NOTHING if told.rows[column].isna().any() else set()) <= known[column], column
    assert shared


@pytest.mark.parametrize(("name", "stream"), EVERY)
def test_the_file_holds_the_rows_of_the_table(one, name, stream):
    told = one(name, stream)
    text = tables.csv(told.rows).decode("utf-8-sig")
    back = pd.read_csv(io.StringIO(text), keep_default_na=False)

    assert list(back) == list(told.rows)
    assert len(back) == len(told.rows)


def test_the_same_chart_has_the_same_specification(asked):
    assert drawn("lead_time_bands", asked()).spec == drawn("lead_time_bands", asked()).spec


def test_a_chart_of_stages_asks_for_one_stream(asked):
    with pytest.raises(ValueError, match="'checkout', 'platform'"):
        drawn("cumulative_flow", asked())


# What the rows add up to, and what the figure behind the chart says.
def percentiles(rows, column, *shares):
    return [nearest_rank(rows[column], share / 100) for share in shares]


SAME: dict[str, Callable[[pd.DataFrame, dict, int], tuple]] = {
    "deployment_frequency": lambda rows, values, n: (rows["n"].sum(), n),
    "lead_time_bands": lambda rows, values, n: (rows["n"].sum(), n),
    "fail_rate": lambda rows, values, n: ([rows["n"].sum(), rows["failed"].sum()], [n, values["failed"]]),
    "recovery": lambda rows, values, n: (percentiles(rows, "hours", 50, 85), [values["p50"], values["p85"]]),
    "path_to_production": lambda rows, values, n: (dict(zip(rows["part"], rows["mean"], strict=True)), means(rows, values)),
    "path_to_recovery": lambda rows, values, n: (dict(zip(rows["part"], rows["mean"], strict=True)), means(rows, values)),
    "batch_size": lambda rows, values, n: (rows["n"].sum(), n),
    "fail_rate_by_month": lambda rows, values, n: (rows["n"].sum(), n),
    "cycle_time": lambda rows, values, n: (
        [len(rows), *percentiles(rows, "hours", 50, 85, 95)], [n, *(values[p] for p in ("p50", "p85", "p95"))]),
    "ageing_wip": lambda rows, values, n: (
        [rows["item"].notna().sum(), *percentiles(rows, "age_hours", 50, 85)], [n, values["p50"], values["p85"]]),
    "throughput": lambda rows, values, n: (rows["items"].sum(), n),
    "flow_efficiency": lambda rows, values, n: (
        [rows["work"].sum(), rows["wait"].sum(), rows["work"].sum() / rows[["work", "wait"]].to_numpy().sum()],
        [values["work_hours"], values["wait_hours"], values["value"]]),
    "flow_distribution": lambda rows, values, n: ([rows["n"].sum(), rows["share"].sum()], [n, 1.0]),
    "forecast_kept": lambda rows, values, n: ([len(rows), rows["held"].mean()], [n, values["value"]]),
    "throughput_limits": lambda rows, values, n: (len(rows), n),
}  # fmt: skip


def means(rows, values):
    return {part: values[f"{part}: mean"] for part in rows["part"]}


def by(rows, *keys):
    return rows.set_index(list(keys)).sort_index()


def surest(rows, outcome, share, better):
    """The best outcome that at least a share of the futures reaches, for each promise."""
    return [better(rows.loc[rows[share] >= sure, outcome]) for sure in (0.5, 0.85, 0.95)]


def promises(figure):
    return [figure.values[name] for name in ("p50", "p85", "p95")]


# What the rows of the chart say, and what the rows behind its figure add up to.
BEHIND: dict[str, Callable[[pd.DataFrame, Figure], tuple]] = {
    "ranking": lambda rows, figure: (
        by(rows, "stage"), by(figure.rows, "stage")[["queue_share", "load"]].rename(columns={"queue_share": "queue"})),
    "lever": lambda rows, figure: (by(rows, "stage"), by(figure.rows, "stage")[["cut", "low", "high"]]),
    "waste": lambda rows, figure: (
        by(rows, "class").query("hours > 0"),
        figure.rows[figure.rows["class"].isin(rows["class"])].groupby("class")
        .agg(hours=("hours", "sum"), items=("item", "nunique")).query("hours > 0")),
    "handoffs": lambda rows, figure: (
        by(rows, "from", "to")[["n"]],
        figure.rows.groupby(["from_team", "to_team"]).agg(n=("item", "size")).rename_axis(["from", "to"])),
    "stage_dwell": lambda rows, figure: (
        by(rows, "stage"),
        figure.rows.dropna(subset=["left"]).groupby("stage")["dwell"].agg(
            dwell_p50=lambda dwell: nearest_rank(dwell, 0.5), dwell_p85=lambda dwell: nearest_rank(dwell, 0.85),
            dwell_mean="mean", dwell_n="size")),
    "speed_against_stability": lambda rows, figure: (
        by(rows, "application")[["hours", "changes"]],
        figure.rows.groupby("application")["hours"].agg(hours=lambda hours: nearest_rank(hours, 0.5), changes="size")),
    "forecast_items": lambda rows, figure: (surest(rows, "items", "reach", max), promises(figure)),
    "forecast_weeks": lambda rows, figure: (surest(rows, "weeks", "within", min), promises(figure)),
    "constraint_history": lambda rows, figure: (rows["stage"].iloc[-1], figure.rows["stage"].iloc[0]),
}  # fmt: skip


def test_every_chart_is_held_against_its_figure():
    assert {*SAME, *BEHIND, "cumulative_flow"} == set(names())


@pytest.mark.parametrize("stream", ["checkout", "platform"])
def test_the_outer_lines_of_the_cumulative_flow_count_what_came_in_and_what_was_done(one, asked, stream):
    told, of = one("cumulative_flow", stream), asked(stream=stream).measures
    last = told.rows[told.rows["day"] == told.rows["day"].max()].set_index("stage")["items"]
    came = of.items[of.items["item"].isin(of.visits["item"])]

    assert last.iloc[0] == len(came)
    assert last[DONE] == came["done_at"].notna().sum()


@pytest.mark.parametrize(("name", "stream"), [pair for pair in EVERY if pair[0] in BEHIND])
def test_the_rows_say_what_the_rows_behind_the_figure_add_up_to(one, name, stream):
    told = one(name, stream)
    drawn_rows, behind = BEHIND[name](told.rows, told.figure)

    if isinstance(behind, pd.DataFrame):
        assert len(behind)
        pd.testing.assert_frame_equal(drawn_rows, behind, check_dtype=False, check_index_type=False, check_categorical=False)
    else:
        assert drawn_rows == behind


@pytest.mark.parametrize(("name", "stream"), [pair for pair in EVERY if pair[0] in SAME])
def test_the_rows_say_what_the_figure_says(one, name, stream):
    told = one(name, stream)
    rows, figure = SAME[name](told.rows, told.figure.values, told.figure.n)

    assert rows == pytest.approx(figure)


# On a page. -------------------------------------------------------------------------------------------------------------


def test_the_data_of_a_card_is_what_its_chart_draws(look):
    app = look("overview", stream="checkout")
    app.button(key="data_fail_rate").click().run()

    table = next(frame.value for frame in app.dataframe if "failed" in frame.value)
    chart = next(part for part in sent(app) if "failed" in part)
    weeks = table.set_index("week")
    for row in chart.to_dict("records"):
        assert row["failed"] == weeks.loc[row["week"], "failed"]


def sent(app) -> list[pd.DataFrame]:
    """The frames that the browser gets with the charts of a page."""
    return [frame(part.data.data) for chart in app.get("vega_lite_chart") for part in chart.proto.datasets]


def test_no_page_builds_a_chart_of_its_own():
    told = {path.name: path.read_text() for path in (ROOT / "dashboard").rglob("*.py")}
    assert [name for name, text in told.items() if "altair_chart" in text] == []
