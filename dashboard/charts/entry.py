"""What the catalogue's charts are made from and what each of them is: a chart never stands without its words, rows and figure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from dashboard import theme
from dashboard.charts.marks import Chart, Span
from dashboard.charts.spec import specification
from vsm.measure import Measures
from vsm.metrics.compare import compare
from vsm.metrics.figure import FEW, Figure

NOT_ZERO = "No data for this in the window. That is not the same as zero."
AHEAD, ITEMS = 12, 50  # what the forecast asks for where nobody asks otherwise: so many weeks ahead, so many items more


@dataclass(frozen=True)
class Asked:
    """What a chart is drawn from: the measures of a scope, of the period before (None: not compared), and what was written down.

    ``notes``: at, until (aware), text. ``ahead``, ``items``: what the forecast is asked for.
    """

    measures: Measures
    before: Measures | None = None
    notes: pd.DataFrame | None = None
    ahead: int = AHEAD
    items: int = ITEMS

    @property
    def zone(self) -> str:
        """The reporting zone."""
        return self.measures.flow.config.timezone

    @property
    def about(self) -> str:
        """What it speaks of: stream, team, application, window, and as of when the data is."""
        scope = self.measures.scope
        whose = [f"{what} {name}" for what, name in
                 (("stream", scope.stream), ("team", scope.team), ("application", scope.application)) if name]  # fmt: skip
        first, last = (f"{time.tz_convert(self.zone):%-d %b %Y}" for time in (scope.start, scope.end))
        now = self.measures.flow.now
        known = "" if now is None else f" · data as of {now.tz_convert(self.zone):%-d %b %Y, %H:%M} ({self.zone})"
        return f"{', '.join(whose) or 'all streams'} · {first} to {last}{known}"

    def figure(self, name: str) -> Figure:
        """A figure by its name. Raises ValueError for one that needs a map of stages where there is none."""
        found = self.measures.figure(name)
        if found is None:
            raise ValueError(f"no figure {name!r}")
        return found

    def naive(self, rows: pd.DataFrame, *names: str) -> pd.DataFrame:
        """Times as naive local ones: a chart shows the same wall clock to every viewer."""
        return rows.assign(**{name: rows[name].dt.tz_convert(self.zone).dt.tz_localize(None) for name in names if name in rows})

    def since(self, name: str, value: str, more: str, less: str) -> str:
        """How a figure clearly changed against the period before, as the end of a sentence; nothing where it did not."""
        if self.before is None or name not in self.before.figures:
            return ""
        now, past = self.measures.figures[name], self.before.figures[name]
        found = compare(now, past, value)
        if found.verdict not in ("more", "less") or found.before is None:
            return ""
        was = theme.written(value, now.unit)(found.before)
        return f", clearly {more if found.verdict == 'more' else less} than in the period before ({was})"


@dataclass(frozen=True)
class Told:
    """What a chart says. ``finding``: what is to be seen; ``reading``: how to read its marks; ``rows``: what it draws.

    ``chart`` is None where there is nothing to draw: ``why`` says why. ``title``: where it is not the entry's own.
    ``picture``: a drawing in SVG that stands instead of a chart. ``span``: the time that its axis shows, where that is not the
    window.
    """

    finding: str
    reading: str
    figure: Figure
    rows: pd.DataFrame
    chart: Chart | None
    title: str = ""
    why: str = ""
    picture: str = ""
    span: Span | None = None


@dataclass(frozen=True)
class Pick:
    """What somebody picks by a click or a brush. ``key``: the column that names a mark's row, or week; ``at``: the rows' time."""

    key: str
    at: str = ""


@dataclass(frozen=True)
class Entry:
    """A chart of the catalogue. ``mapped``: it needs one map of stages, so each stream has its own; ``dated``: notes lie on it.

    ``pick``: what can be picked on it, if anything can.
    """

    name: str
    title: str
    page: str
    told: Callable[[Asked], Told]
    mapped: bool = False
    dated: bool = False
    pick: Pick | None = None


@dataclass(frozen=True)
class Drawn:
    """A chart of the catalogue as it was drawn: all that a card, a picture, a table and a file need of it."""

    name: str
    page: str
    title: str
    finding: str
    reading: str
    figure: Figure
    rows: pd.DataFrame
    why: str
    about: str
    chart: Chart | None = field(repr=False, compare=False)
    picture: str = field(default="", repr=False)
    pick: Pick | None = None

    @property
    def definition(self) -> str:
        """What the numbers behind it mean."""
        return self.figure.definition

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.chart is None and not self.picture

    @cached_property
    def spec(self) -> dict[str, Any]:
        """Its Vega-Lite specification, made once; each of its frames lies in it once, as Arrow bytes."""
        return {} if self.chart is None else specification(self.chart)


def few(figure: Figure, one: str, more: str = "") -> str:
    """What is said of fewer than five: how many there are, and that it is too few."""
    return f"Only {theme.many(figure.n, one, more)} in this period: too few for a percentile or a rate."


def is_few(figure: Figure) -> bool:
    """Whether a figure has fewer than five observations."""
    return figure.n < FEW


def why(figure: Figure) -> str:
    """Why there is nothing to draw of a figure."""
    return figure.said.get("why", NOT_ZERO)


def columns(frame: pd.DataFrame | None, *names: str) -> pd.DataFrame:
    """The columns of a frame that a chart draws, those that are there; an empty frame of none."""
    if frame is None:
        return pd.DataFrame(columns=list(names))
    return frame[[name for name in names if name in frame]].reset_index(drop=True)
