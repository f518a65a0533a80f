"""How things look and how numbers are written: roles instead of colours, two palettes, durations and rates in words."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from vsm import words
from vsm.metrics.figure import FEW, Number

NONE = words.NONE

# Charts encode a role; the theme of page or export says which colour that is. `.streamlit/config.toml` lists the same
# colours in the same order (a test compares them), so that a switch between light and dark recolours without a rerun.
ROLES = ("primary", "good", "warn", "accent", "bad", "leaf", "muted", "info")
LIGHT = {
    "primary": "#1d5fd1",
    "good": "#0b7a53",
    "warn": "#b4530a",
    "accent": "#7b3fc4",
    "bad": "#b81d4f",
    "leaf": "#5c7310",
    "muted": "#566074",
    "info": "#0f7286",
}
DARK = {
    "primary": "#82aaff",
    "good": "#4fcf9c",
    "warn": "#f5a958",
    "accent": "#c4a1ff",
    "bad": "#ff8fa8",
    "leaf": "#b5d150",
    "muted": "#a3aec0",
    "info": "#5fcbe3",
}
PAPER = {"light": "#ffffff", "dark": "#0e1420"}  # what charts and maps lie on
INK = {"light": "#111827", "dark": "#e8ecf4"}
GRID = {"light": "#dfe4ec", "dark": "#2c3648"}
# Ten steps from early to late; the tenth is the farthest from the paper.
SEQUENTIAL = {
    "light": (
        "#dbe7fb", "#c3d7f8", "#a9c5f4", "#8db1ee", "#719de6",
        "#5588db", "#3c73cb", "#295fb5", "#1b4b98", "#123877",
    ),
    "dark": (
        "#1b2c4f", "#213a69", "#284a85", "#315ba1", "#3d6dbb",
        "#4f81d0", "#6696e0", "#81abec", "#9fc1f4", "#c0d7fa",
    ),
}  # fmt: skip
EXPORT_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


def duration(hours: float | None) -> str:
    """Hours as a person says them, in the report's words: 12 min, 5.2 h, 3.4 d; a dash where there is none.

    >>> duration(0.2), duration(5.2), duration(81.6), duration(None)
    ('12 min', '5.2 h', '3.4 d', '–')
    """
    return words.duration(_known(hours))


def rate(value: float | None) -> str:
    """A fraction as a percentage, in the report's words; a dash where there is none."""
    return words.share(_known(value))


def number(value: float | None) -> str:
    """A number that is no duration and no rate: whole as it is, else with one decimal; a dash where there is none.

    >>> number(33.0), number(18.887), number(1234), number(None)
    ('33', '18.9', '1,234', '–')
    """
    known = _known(value)
    if known is None:
        return NONE
    return f"{known:,.0f}" if float(known).is_integer() else f"{known:,.1f}"


def per_week(value: float | None) -> str:
    """How often a week; a dash where that is not known, which is not zero."""
    known = _known(value)
    return NONE if known is None else f"{known:.1f} / week"


def written(value: str, unit: str) -> Callable[[float | None], str]:
    """How a value is written: by its name in a figure, and the figure's unit."""
    if unit == "hours":
        return duration
    if value in ("per_week", "mean") and unit.endswith("a week"):
        return per_week
    return rate if unit == "share" else number


def many(n: int, one: str, more: str = "") -> str:
    """A count with its noun.

    >>> many(1, "item"), many(2, "item"), many(0, "person", "people")
    ('1 item', '2 items', '0 people')
    """
    return f"{n:,} {one if n == 1 else more or one + 's'}"


def _known(value: Any) -> float | None:
    """A number, or None for anything that says that there is none: None, NaN, pandas' NA."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return float(value)


def by_application(applications: Mapping[str, Mapping[str, Number]]) -> pd.DataFrame:
    """The five DORA figures of each application as a table of text, each with its n; few observations are not summarised."""
    columns = (
        ("Deployments", "deployment_frequency", "per_week", per_week),
        ("Change lead time, median", "change_lead_time", "p50", duration),
        ("Change fail rate", "change_fail_rate", "value", rate),
        ("Recovery time, median", "failed_deployment_recovery_time", "p50", duration),
        ("Deployment rework rate", "deployment_rework_rate", "value", rate),
    )
    rows = []
    for name, figures in sorted(applications.items()):
        often = figures["deployment_frequency"]
        told = {"Application": name}
        for title, metric, value, written in columns:
            one = figures[metric]
            told[title] = cell(metric, one.values.get(value), one.n, written, often.values["per_week"], often.n)
        rows.append(told)
    return pd.DataFrame(rows, columns=["Application", *(title for title, *_ in columns)])


NONE_OF = {"change_lead_time": "none linked", "failed_deployment_recovery_time": "none failed"}


def cell(
    metric: str, value: float | None, n: int, written: Callable[[float | None], str], per_week: float | None, deployments: int
) -> str:
    """A DORA figure in words with its n, where zero, none and unknown stay apart; fewer than five are only counted.

    ``per_week`` and ``deployments`` say why there is nothing: no deployment is known at all, none was in this time, or
    none of them was such.

    >>> cell("change_fail_rate", 0.0, 9, rate, 0.4, 9), cell("change_fail_rate", None, 0, rate, 0.0, 0)
    ('0.0 % (n 9)', 'none deployed')
    >>> cell("failed_deployment_recovery_time", None, 0, duration, 0.4, 9), cell("change_lead_time", None, 0, duration, None, 0)
    ('none failed', 'unknown')
    """
    counted = metric == "deployment_frequency"
    if 0 < n < FEW and not counted:
        return f"too few (n {n})"
    if _known(value) is not None:
        return f"{written(value)} (n {n:,})"
    if _known(per_week) is None:
        return "unknown"
    return NONE_OF.get(metric, f"{NONE} (n {n:,})") if deployments else "none deployed"


def chart_config(theme: str = "light") -> dict[str, Any]:
    """A chart's Vega configuration where no Streamlit themes it: in exports. `theme`: light or dark."""
    roles = LIGHT if theme == "light" else DARK
    axis = {
        "labelColor": roles["muted"],
        "titleColor": roles["muted"],
        "titleFontWeight": "normal",
        "gridColor": GRID[theme],
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    }
    legend = {"labelColor": roles["muted"], "titleColor": roles["muted"], "titleFontWeight": "normal"}
    ramp = list(SEQUENTIAL[theme])
    return {
        "background": PAPER[theme],
        "font": EXPORT_FONT,
        "axis": axis,
        "legend": legend,
        "title": {"color": INK[theme], "anchor": "start"},
        "view": {"stroke": None},
        "range": {"category": list(roles.values()), "ramp": ramp, "heatmap": ramp},
    }
