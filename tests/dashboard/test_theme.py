"""One way to write a number, and two palettes that everybody can read."""

import doctest
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from dashboard import board, lanes, svg, tables, theme, words
from vsm import words as spelled
from vsm.metrics.figure import Figure

CONFIG = tomllib.loads((Path(theme.__file__).parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
READABLE, VISIBLE = 4.5, 3.0  # WCAG 2.2 AA: of text, and of what is not text
THEMES = ("light", "dark")


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, two):
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (None, "–"), (float("nan"), "–"), (pd.NA, "–"), (0.0, "0 min"), (0.2, "12 min"), (1, "1.0 h"), (21.0, "21.0 h"),
        (47.9, "47.9 h"), (48.0, "2.0 d"), (81.6, "3.4 d"), (3680.3, "153.3 d"),
    ],
)  # fmt: skip
def test_durations(hours, said):
    assert theme.duration(hours) == said


@pytest.mark.parametrize(("value", "said"), [(None, "–"), (float("nan"), "–"), (0.0, "0.0 %"), (0.0719, "7.2 %"), (1.0, "100.0 %")])
def test_rates_where_zero_is_not_unknown(value, said):
    assert theme.rate(value) == said


@pytest.mark.parametrize(("value", "said"), [(None, "–"), (0, "0"), (33.0, "33"), (18.887, "18.9"), (1234567, "1,234,567")])
def test_numbers(value, said):
    assert theme.number(value) == said


def figure(n=0, unit="share", of=None, rows=None, **values):
    return Figure("x", values, n, unit, "", "", pd.DataFrame() if rows is None else rows, of=of)


def application(deployments, failed, per_week):
    """The five figures of an application with so many deployments, of which so many failed and none was mended."""
    share = failed / deployments if deployments else None
    return {
        "deployment_frequency": figure(deployments, per_week=per_week),
        "change_lead_time": figure(0, p50=None),
        "change_fail_rate": figure(deployments, value=share),
        "failed_deployment_recovery_time": figure(0, p50=None),
        "deployment_rework_rate": figure(deployments, value=share),
    }


def test_zero_none_and_unknown_stay_apart_in_the_table_of_applications():
    told = theme.by_application(
        {"calm": application(9, 0, 0.4), "still": application(0, 0, 0.0), "unread": application(0, 0, None)}
    )

    assert told.to_dict("split")["data"] == [
        ["calm", "0.4 / week (n 9)", "none linked", "0.0 % (n 9)", "none failed", "0.0 % (n 9)"],
        ["still", "0.0 / week (n 0)", "none deployed", "none deployed", "none deployed", "none deployed"],
        ["unread", "unknown", "unknown", "unknown", "unknown", "unknown"],
    ]


def test_a_number_that_speaks_of_a_part_only_says_so():
    part, most = (figure(n, value=0.5, of=100) for n in (61, 97))

    assert list(tables.beside(part, "value", False)) == ["n = 61 of 100, so it speaks of 61.0 % of them"]
    assert list(tables.beside(most, "value", False)) == ["n = 97 of 100"]


def test_few_of_a_share_are_no_list_of_hours():
    rows = pd.DataFrame({"hours": [4.0, float("nan")]})

    assert next(tables.beside(figure(2, rows=rows, value=0.5), "value", True)).startswith("fewer than 5")
    assert next(tables.beside(figure(1, "hours", rows=rows.head(1), p50=4.0), "p50", True)) == "each: 4.0 h"


@pytest.mark.parametrize("hours", [0.3, 5.0, 47.0, 100.0, 5000.0])
def test_the_page_writes_as_the_report_does(hours):
    assert theme.duration(hours) == spelled.duration(hours)
    assert theme.rate(hours / 5000) == spelled.share(hours / 5000)


@pytest.mark.parametrize("name", THEMES)
def test_the_configuration_lists_the_roles_in_their_order(name):
    colours = {"light": theme.LIGHT, "dark": theme.DARK}[name]
    assert tuple(colours) == theme.ROLES
    assert CONFIG["theme"][name]["chartCategoricalColors"] == list(colours.values())
    assert CONFIG["theme"][name]["chartSequentialColors"] == list(theme.SEQUENTIAL[name])
    assert len(CONFIG["theme"][name]["chartSequentialColors"]) == 10


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read(name):
    told = CONFIG["theme"][name]
    papers = [told["backgroundColor"], told["secondaryBackgroundColor"]]
    for text in (
        "textColor",
        "linkColor",
        "primaryColor",
        "grayTextColor",
        "redTextColor",
        "orangeTextColor",
        "greenTextColor",
        "blueTextColor",
    ):
        for paper in papers:
            assert contrast(told[text], paper) >= READABLE, (text, paper)
    for hue in ("red", "orange", "green", "blue", "gray"):
        assert contrast(told[f"{hue}TextColor"], told[f"{hue}BackgroundColor"]) >= READABLE, hue
    # The badge of the constraint: the page's colour on the warning's.
    assert contrast(told["backgroundColor"], told["orangeTextColor"]) >= READABLE


@pytest.mark.parametrize("name", THEMES)
def test_marks_can_be_read_as_well_as_seen(name):
    for role, colour in {"light": theme.LIGHT, "dark": theme.DARK}[name].items():
        assert contrast(colour, theme.PAPER[name]) >= READABLE, role


@pytest.mark.parametrize(("name", "palette"), [("light", svg.LIGHT_PAPER), ("dark", svg.DARK_PAPER)])
def test_exports_look_like_the_page(name, palette):
    told = CONFIG["theme"][name]
    assert (palette.page, palette.panel, palette.text) == (
        told["backgroundColor"],
        told["secondaryBackgroundColor"],
        told["textColor"],
    )
    assert (palette.wait, palette.wait_soft, palette.wait_text) == tuple(
        told[f"orange{part}"] for part in ("Color", "BackgroundColor", "TextColor")
    )
    assert (palette.work, palette.primary, palette.muted) == (told["blueColor"], told["primaryColor"], told["grayTextColor"])


@pytest.mark.parametrize("palette", [svg.LIGHT_PAPER, svg.DARK_PAPER])
def test_the_map_can_be_read(palette):
    for text in (palette.text, palette.muted, palette.wait_text, palette.bad):
        assert contrast(text, palette.page) >= READABLE
    for text in (palette.text, palette.muted, palette.bad):
        assert contrast(text, palette.wait_soft) >= READABLE  # in the box of the constraint
        assert contrast(text, palette.panel) >= READABLE


@pytest.mark.parametrize("name", THEMES)
def test_waiting_and_working_differ_by_more_than_hue(name):
    told = CONFIG["theme"][name]
    for part in ("orangeColor", "blueColor"):
        assert contrast(told[part], told["backgroundColor"]) >= 2.4, part  # each stretch is named below, none by colour alone


def test_neighbours_on_the_ramp_grow_steadily_away_from_the_paper():
    for name in THEMES:
        found = [contrast(colour, theme.PAPER[name]) for colour in theme.SEQUENTIAL[name]]
        assert found == sorted(found)


def test_the_server_says_nothing_to_anybody_and_shows_no_traceback():
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"] == {"toolbarMode": "viewer", "showErrorDetails": "none", "showErrorLinks": False}
    assert CONFIG["server"]["headless"] is True
    assert "font" not in CONFIG["theme"], "a font from elsewhere would be fetched from elsewhere"


def test_both_themes_are_there_so_that_a_viewer_can_choose():
    assert set(CONFIG["theme"]["light"]) == set(CONFIG["theme"]["dark"])


def test_pages_use_only_variables_that_streamlit_gives():
    assert all(value.startswith("var(--st-") for value in vars(svg.PAGE).values())
    assert "#" not in board.CSS


@pytest.mark.parametrize("name", THEMES)
def test_an_export_has_the_same_roles(name):
    config = theme.chart_config(name)
    assert config["range"]["category"] == CONFIG["theme"][name]["chartCategoricalColors"]
    assert config["background"] == CONFIG["theme"][name]["backgroundColor"]


@pytest.mark.parametrize("module", [theme, svg, lanes, words], ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module):
    """Pages run when they are imported, so pytest cannot look for examples in all of the dashboard."""
    assert doctest.testmod(module).failed == 0
