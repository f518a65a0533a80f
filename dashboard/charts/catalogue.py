"""The catalogue: every chart by its name, with its finding, definition, rows and figure. Pages, pictures and packs draw from it.

`drawn(name, Asked(measures))` is all that a caller needs; it knows of no page, no cache and no clock.
"""

import pandas as pd

from dashboard.charts import told_bottlenecks, told_delivery, told_flow, told_forecast
from dashboard.charts.entry import Asked, Drawn, Entry
from dashboard.charts.marks import Chart, Span, annotated

CATALOGUE: dict[str, Entry] = {
    entry.name: entry for part in (told_delivery, told_flow, told_bottlenecks, told_forecast) for entry in part.ENTRIES
}


def names() -> list[str]:
    """The names of all charts, in the order of the pages."""
    return list(CATALOGUE)


def drawn(name: str, asked: Asked) -> Drawn:
    """A chart by its name. Raises KeyError for no such name, ValueError where it needs one map of stages and there are several."""
    entry = CATALOGUE[name]
    if entry.mapped and asked.measures.streams:
        known = ", ".join(map(repr, asked.measures.streams))
        raise ValueError(
            f"the chart {name!r} needs one map of stages, and there are several streams: choose one with --stream ({known})"
        )
    if entry.mapped and asked.measures.stages is None:
        return _without_a_map(entry, asked)
    told = entry.told(asked)
    chart = _noted(told.chart, asked, told.span) if entry.dated else told.chart
    return Drawn(
        name=entry.name,
        page=entry.page,
        title=told.title or entry.title,
        finding=told.finding,
        reading=told.reading,
        figure=told.figure,
        rows=told.rows,
        why=told.why,
        about=asked.about,
        chart=chart,
        picture=told.picture,
        pick=entry.pick,
    )


def _without_a_map(entry: Entry, asked: Asked) -> Drawn:
    """A chart of stages where no item has any."""
    why = "No item has gone through stages, so there is nothing to draw."
    figure = asked.measures.figures["throughput"]
    return Drawn(entry.name, entry.page, entry.title, why, "", figure, pd.DataFrame(), why, asked.about, None)


def _noted(chart: Chart | None, asked: Asked, span: Span | None) -> Chart | None:
    """A chart over time with the notes of the time that it shows."""
    if chart is None or asked.notes is None or asked.notes.empty:
        return chart
    scope = asked.measures.scope
    window = tuple(time.tz_convert(asked.zone).tz_localize(None) for time in (scope.start, scope.end))
    notes: pd.DataFrame = asked.naive(asked.notes, "at", "until")
    return annotated(chart, notes, *(span or window), window=window)
