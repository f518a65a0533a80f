"""A pack from what was measured: which charts are in it, and the four forms that it can have."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any

import pandas as pd

from dashboard.charts.catalogue import CATALOGUE
from dashboard.charts.catalogue import drawn as drawing
from dashboard.charts.entry import Asked, Drawn
from dashboard.export.content import Pack, Picture, gathered, judged
from dashboard.export.pictures import bare, converted
from vsm.experiments import METRICS, before_and_after
from vsm.measure import Measures, measure
from vsm.metrics.figure import Figure

KINDS = ("html", "pdf", "pptx", "zip")
# What a meeting needs where nobody chose: fast and safe, then how work flows and what holds it back.
USUAL = (
    "deployment_frequency", "lead_time_bands", "fail_rate", "recovery", "cumulative_flow", "cycle_time", "ageing_wip",
    "throughput", "stage_dwell", "ranking",
)  # fmt: skip
Draw = Callable[[str, str | None], Drawn]  # a chart by its name, of one of the streams where it needs that


def packed(
    measures: Measures,
    before: Measures | None,
    notes: pd.DataFrame,
    experiments: pd.DataFrame,
    charts: Sequence[str] = USUAL,
    people: bool = False,
    draw: Draw | None = None,
) -> Pack:
    """A pack of a scope.

    `notes`, `experiments`: what was written down, as the store tells it; `draw`: where charts come from
    that were drawn already. Raises KeyError for a chart that is not in the catalogue.
    """
    return gathered(
        measures,
        before,
        pictures(measures, charts, draw or partial(_fresh, measures, before, notes)),
        notes,
        [judged(row, _found(measures, row)) for row in experiments.to_dict("records") if row["metric"] in METRICS],
        people,
    )


def written(pack: Pack, kind: str, data_version: str) -> bytes:
    """A pack as html, pdf, pptx or zip. What writes each is loaded only here: it weighs more than all the rest."""
    if kind == "html":
        from dashboard.export.page import html

        return html(pack)
    if kind == "pdf":
        from dashboard.export.paper import pdf

        return pdf(pack)
    if kind == "pptx":
        from dashboard.export.slides import pptx

        return pptx(pack)
    from dashboard.export.archive import archive

    return archive(pack, version("value-stream-dashboard"), data_version)


def _fresh(measures: Measures, before: Measures | None, notes: pd.DataFrame, name: str, stream: str | None) -> Drawn:
    if stream is not None:
        measures, before = measures.streams[stream], None if before is None else before.streams.get(stream)
    return drawing(name, Asked(measures, before, notes))


def pictures(measures: Measures, charts: Sequence[str], draw: Draw) -> Iterator[Picture]:
    """The charts of a pack: one that needs a map of stages once for each stream; without anything to draw, none."""
    for name in charts:
        streams = list(measures.streams) if CATALOGUE[name].mapped and measures.streams else [None]
        for stream in streams:
            told = draw(name, stream)
            if not told.empty:
                yield _picture(told, stream)


def _picture(told: Drawn, stream: str | None) -> Picture:
    whose = "" if stream is None else f"{stream}: "
    picture = bare(told)
    return Picture(
        name=told.name if stream is None else f"{told.name}_{stream}",
        title=f"{whose}{told.title}",
        finding=f"{whose}{told.finding}",
        definition=f"{told.reading} Definition: {told.definition}".strip(),
        svg=picture,
        png=partial(converted, picture, "png"),
        rows=told.rows,
    )


def _found(measures: Measures, row: dict[str, Any]) -> tuple[Figure, Figure] | None:
    """An experiment's number before and after its start, in its stream; None before it began or where its stream is gone."""
    stream = row["stream"] if isinstance(row["stream"], str) else measures.scope.stream
    scope = replace(measures.scope, start=measures.flow.now, end=measures.flow.now, stream=stream)
    windows = before_and_after(scope, row["started_at"], row["ended_at"])
    if windows is None:
        return None
    try:
        before, after = (measure(measures.flow, window).figures[row["metric"]] for window in windows)
    except ValueError:  # its stream or team is not there any more
        return None
    return before, after
