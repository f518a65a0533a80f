"""What a pack holds: a period's numbers, findings, pictures, notes and experiments, and the rows behind each number.

Everything here is already in words or in tidy rows; the writers (page, paper, slides, archive) only
lay it out. Nothing depends on the moment of writing, so that the same inputs give the same bytes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from dashboard import tables, theme
from vsm.experiments import METRICS, said
from vsm.explain import PEOPLE
from vsm.findings import findings
from vsm.measure import Measures
from vsm.metrics.compare import compare
from vsm.metrics.figure import FEW, Figure
from vsm.side_by_side import COUNTED, NUMBERS


@dataclass(frozen=True)
class Number:
    """One number in words: what it is, its value, what stands beside it, the period before, the verdict, its definition."""

    name: str
    label: str
    value: str
    beside: str
    before: str
    verdict: str
    definition: str
    rule: str


@dataclass(frozen=True)
class Picture:
    """One picture: a drawing as SVG and a way to have it as PNG, with what it says and the rows that it draws."""

    name: str
    title: str
    finding: str
    definition: str
    svg: str
    png: Callable[[], bytes]
    rows: pd.DataFrame


@dataclass(frozen=True)
class Pack:
    """What is taken along. ``about``: label and value of each filter; ``rows``: the rows behind each number, by its name."""

    title: str
    about: Mapping[str, str]
    findings: tuple[str, ...]
    numbers: tuple[Number, ...]
    pictures: tuple[Picture, ...]
    notes: pd.DataFrame
    experiments: tuple[str, ...]
    rows: Mapping[str, pd.DataFrame]

    @property
    def line(self) -> str:
        """The filters in one line, as the foot of every page carries them."""
        return " · ".join(f"{label} {value}" for label, value in self.about.items())


def gathered(
    measures: Measures,
    before: Measures | None,
    pictures: Iterable[Picture],
    notes: pd.DataFrame,
    experiments: Iterable[str] = (),
    people: bool = False,
) -> Pack:
    """A pack of what was measured. `before`: the period it is compared with; `people`: whether their columns stay in the rows."""
    return Pack(
        title="What happened, in numbers",
        about=about(measures, before),
        findings=tuple(findings(measures, before)) if before is not None else (),
        numbers=tuple(number(measures, before, *told) for told in NUMBERS if told[1] in measures.figures),
        pictures=tuple(pictures),
        notes=noted(notes, measures),
        experiments=tuple(experiments),
        rows={name: behind(measures.figures[name], measures, people) for _, name, *_ in NUMBERS if name in measures.figures},
    )


def about(measures: Measures, before: Measures | None) -> dict[str, str]:
    """What the numbers speak of: whose work, which window in which zone, compared with what, by which rules, how fresh."""
    scope, zone, now = measures.scope, measures.flow.config.timezone, measures.flow.now
    return {
        "Stream": scope.stream or "all",
        **({"Application": scope.application} if scope.application else {}),
        "Team": scope.team or "all",
        "Period": _period(measures),
        **({} if before is None else {"Compared with": _period(before)}),
        "Times in": zone,
        "Definitions": measures.definition,
        **({} if now is None else {"Data as of": f"{now.tz_convert(zone):%-d %b %Y, %H:%M}"}),
    }


def _period(measures: Measures) -> str:
    zone = measures.flow.config.timezone
    first, last = (f"{time.tz_convert(zone):%-d %b %Y}" for time in (measures.scope.start, measures.scope.end))
    return f"{first} to {last}"


def number(measures: Measures, before: Measures | None, label: str, name: str, value: str, words: tuple[str, str]) -> Number:
    """One number as a tile shows it; `words`: what it is called if it clearly rose, or fell."""
    figure = measures.figures[name]
    few = 0 < figure.n < FEW and value not in COUNTED
    how = theme.written(value, figure.unit)
    found = None if before is None else compare(figure, before.figures[name], value)
    return Number(
        name=name,
        label=label,
        value=tables.few(figure) if few else how(figure.values.get(value)),
        beside="; ".join(tables.beside(figure, value, few)),
        before="" if found is None else how(found.before),
        verdict="" if found is None else {"more": words[0], "less": words[1]}.get(found.verdict, found.verdict),
        definition=figure.definition,
        rule=figure.rule,
    )


def behind(figure: Figure, measures: Measures, people: bool) -> pd.DataFrame:
    """The rows behind a number; without people unless they are asked for, and then as the configuration shows them."""
    known = [name for name in PEOPLE if name in figure.rows]
    if not people:
        return figure.rows.drop(columns=known)
    flow = measures.flow
    return figure.rows.assign(**{name: flow.people.shown(figure.rows[name], flow.config.privacy.people) for name in known})


def noted(notes: pd.DataFrame, measures: Measures) -> pd.DataFrame:
    """The notes of the window in the order of their days: day, until, stream, note."""
    scope, zone = measures.scope, measures.flow.config.timezone
    inside = notes[(notes["at"] <= scope.end) & (notes["until"].fillna(notes["at"]) >= scope.start)]
    day = {name: inside[name].dt.tz_convert(zone).dt.strftime("%-d %b %Y") for name in ("at", "until")}
    told = pd.DataFrame({"day": day["at"], "until": day["until"], "stream": inside["stream"], "note": inside["text"]})
    return told.astype("object").where(told.notna(), "").reset_index(drop=True)


def judged(experiment: Mapping[str, object], found: tuple[Figure, Figure] | None) -> str:
    """What became of an experiment, in a sentence."""
    value, label = METRICS.get(str(experiment["metric"]), ("value", str(experiment["metric"])))
    if found is None:
        return f"{experiment['title']}: {experiment['hypothesis']} It has not begun in the data yet."
    before, after = found
    change, how = compare(after, before, value), theme.written(value, after.unit)
    return (
        f"{experiment['title']}: {experiment['hypothesis']} {label}: {how(before.values[value])} before, "
        f"{how(after.values[value])} after; {said(before, after, change.verdict)}."
    )
