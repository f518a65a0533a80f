"""What the charts of Forecast say: how many, when, whether such promises held, and the weeks that they are drawn from."""

from datetime import date
from zoneinfo import ZoneInfo

import pandas as pd

from dashboard import theme
from dashboard.charts import forecast as charts
from dashboard.charts.entry import Asked, Entry, Told, columns
from dashboard.charts.marks import Span
from vsm.metrics import forecast
from vsm.metrics.shifts import looks, shifts
from vsm.scope import Scope

SURE = (("p50", "50 % sure"), ("p85", "85 % sure"), ("p95", "95 % sure"))


def many(asked: Asked) -> Told:
    """How many items in the coming weeks."""
    of = _of(asked)
    figure, rows = forecast.finished_in(*of, asked.ahead), forecast.outcomes(*of, asked.ahead)
    promised = [f"{theme.number(figure.values[name])} ({words})" for name, words in SURE if figure.values[name] is not None]
    return Told(
        f"At least so many: {', '.join(promised)}." if promised else "Too little history to promise a number.",
        "Bar: share of the futures that finish so many. Lines: what was promised.",
        figure,
        rows,
        charts.outcomes(rows, figure.values, "items", "Items finished"),
        title=f"How many in {asked.ahead} weeks",
        why=figure.said.get("why", "Too little history to promise a number."),
    )


def until(asked: Asked) -> Told:
    """When so many more items will be done."""
    of = _of(asked)
    figure, rows = forecast.weeks_until(*of, asked.items), forecast.finishes(*of, asked.items)
    days: dict[str, str] = {}  # as sure as of the latest promise that names a day: several often name the same
    for name, words in SURE:
        if name in figure.said:
            days[f"{date.fromisoformat(figure.said[name]):%-d %b %Y}"] = words
    none = f"No day can be told: {figure.said.get('why', 'nothing is known')}."
    return Told(
        f"By {', '.join(f'{day} ({words})' for day, words in days.items())}." if days else none,
        "Bar: share of the futures that get there in that week. Lines: what was promised.",
        figure,
        rows,
        charts.outcomes(rows, figure.values, "weeks", "Weeks from now"),
        title=f"When {theme.many(asked.items, 'more item')} will be done",
        why=none,
    )


def kept(asked: Asked) -> Told:
    """Every promise of the past beside what came of it."""
    figure = forecast.hit_rate(*_of(asked), asked.ahead)
    rows = columns(figure.rows, "week", "p85", "finished", "held")
    held = int(rows["held"].sum()) if len(rows) else 0
    return Told(
        f"{held} of {theme.many(figure.n, 'promise')} made with 85 % for {asked.ahead} weeks held."
        if figure.n
        else "No promise of the past can be checked yet.",
        "Line: what would have been promised with 85 %. Dot: what came of it; a cross below its line was a broken promise.",
        figure,
        rows,
        charts.kept(figure.rows, asked.ahead),
        span=_weeks(rows),
        why=figure.said.get("why", "No promise of the past can be checked yet."),
    )


def limits(asked: Asked) -> Told:
    """The weeks that the forecast is drawn from, with the limits of what is usual."""
    of = _of(asked)
    figure, past = forecast.finished_in(*of, asked.ahead), forecast.history(*of)
    rows = looks(past.assign(whole=True), "items") if len(past) else past
    changes = [f"{past['week'].iloc[place]:%-d %b %Y}" for place in (shifts(past["items"]) if len(past) else ())]
    told = (
        f"Its level shifted with the week from {' and from '.join(changes)}"
        if changes
        else "No lasting shift of its level was found"
    )
    if "why" in figure.said:
        told = "Too few weeks to look for shifts"
    seen = int(rows["look"].notna().sum()) if "look" in rows else 0
    return Told(
        f"{told}; {seen} of {theme.many(len(past), 'whole week')} {'is' if seen == 1 else 'are'} worth a look.",
        "Band: the limits of what is usual, dashes: the mean of the level. A diamond is worth a look, never an alarm.",
        figure,
        columns(rows, "week", "items", "mean", "lower", "upper", "look"),
        charts.run_chart(rows, "items", "Items finished") if len(past) else None,
        span=_weeks(past),
        why=figure.said.get("why", "No week is known yet."),
    )


def _weeks(rows: pd.DataFrame) -> Span | None:
    """From the first of some weeks to the end of the last."""
    return None if rows.empty else (rows["week"].min(), rows["week"].max() + pd.Timedelta(days=7))


def _of(asked: Asked) -> tuple[pd.DataFrame, Scope, ZoneInfo]:
    """What every forecast is made from: items, the scope, the reporting zone."""
    return asked.measures.finished, asked.measures.scope, asked.measures.flow.config.zone


PAGE = "forecast"
ENTRIES = (
    Entry("forecast_items", "How many in the coming weeks", PAGE, many),
    Entry("forecast_weeks", "When so many more items will be done", PAGE, until),
    Entry("forecast_kept", "Every promise of the past", PAGE, kept, dated=True),
    Entry("throughput_limits", "Throughput by week, and its limits", PAGE, limits, dated=True),
)
