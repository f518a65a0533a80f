"""What is made of what was measured: charts, cards, paths, reports, explanations, files to take along."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pandas as pd

from dashboard import counted
from dashboard.behind import flows, harvests, journals, look, periods
from dashboard.behind.choices import Choice, Key, Written
from dashboard.charts.catalogue import CATALOGUE
from dashboard.charts.catalogue import drawn as drawing
from dashboard.charts.entry import AHEAD, ITEMS, Asked, Drawn
from dashboard.shared import shared
from vsm import board as boards
from vsm import figures
from vsm import path as paths
from vsm import report as reports
from vsm.config import Config
from vsm.errors import UsageError
from vsm.explain import explanation
from vsm.measure import Measures
from vsm.pipeline import Flow
from vsm.scope import Scope, instant, window
from vsm.side_by_side import Row, against, measured_against, named, side_by_side

T = TypeVar("T")


def drawn(name: str, choice: Choice, stream: str | None = None, ahead: int = AHEAD, items: int = ITEMS) -> Drawn:
    """A chart of the catalogue, drawn once for all viewers of a choice: of one of its `stream`s where it shows several."""
    (one,) = several((name,), choice, stream, ahead, items)
    return one


def several(
    names: Iterable[str], choice: Choice, stream: str | None = None, ahead: int = AHEAD, items: int = ITEMS
) -> Iterator[Drawn]:
    """Charts of the catalogue, one after the other, with one look at what has changed."""
    key, configured = look.key()
    for name in names:
        yield _drawn(key, configured, choice, stream, name, ahead, items, look.noted() if CATALOGUE[name].dated else None)


def beside(choice: Choice, asked: str) -> tuple[tuple[str, str], list[Row]]:
    """A choice beside another scope (`vsm.side_by_side.against`): what both are called, and number by number.

    Raises UsageError for a scope that cannot be compared, or that nothing is known of.
    """
    one, (key, configured) = periods.measures(choice), look.key()
    scope = against(one.scope, asked, lambda text: instant(text, configured.zone, last=True))
    two = _other(key, one, scope)
    zone = configured.timezone
    return (named(one.scope, zone), named(two.scope, zone)), side_by_side(one, two)


def pack(choice: Choice, charts: tuple[str, ...], kind: str, people: bool) -> bytes:
    """The chosen period as a file to take along: html, pdf, pptx or zip. Its charts are those that were drawn already."""
    from dashboard.export.pack import packed, written  # what writes the files weighs more than a page

    key, _ = look.key()
    told = packed(
        periods.measures(choice),
        periods.measures_before(choice) if choice.compare else None,
        journals.notes(choice),
        journals.experiments(choice),
        charts,
        people,
        lambda name, stream: drawn(name, choice, stream),
    )
    return written(told, kind, ".".join(map(str, key[2])))


def document(**asked: str | None) -> dict[str, Any]:
    """The report of a scope (stream, application, team, start, end: texts or None) as `vsm report` makes it.

    Raises NothingYet, or UsageError for a scope, a store or a configuration that cannot be used.
    """
    key, configured = look.key()
    return _document(key, configured, tuple(sorted(asked.items())))


def explainable() -> dict[str, str]:
    """Every number that `explained` takes, with what it means."""
    return figures.names()


def explained(name: str, **asked: str | None) -> dict[str, Any]:
    """The rows behind one number as `vsm explain` tells them. Raises as `document` does, and UsageError for no such number."""
    key, configured = look.key()
    measured = _asked(key, configured, tuple(sorted(asked.items())))
    try:
        figure = measured.figure(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if figure is None:
        raise UsageError(f"no metric {name!r}; expected one of {', '.join(figures.names())}")
    return explanation(figure, measured.flow.people, configured.privacy.people)


def cards(choice: Choice, stream: str) -> pd.DataFrame:
    """Where the items of one stream stand now, as cards (`vsm.board.cards`)."""
    key, _ = look.key()
    whole = periods.measures(choice)
    return _cards(key, replace(choice, compare=True), stream, whole.streams.get(stream, whole))


def kept(what: str, choice: Choice, by: tuple[object, ...], make: Callable[[], T]) -> T:
    """What a page makes of a choice's measures, made once for all viewers; `what` and `by` tell it from all else.

    Nothing else may go into it, not even whether it is compared; and it draws nothing.
    """
    key, _ = look.key()
    made: T = _kept(key, what, replace(choice, compare=True), by, make)
    return made


def way(item: str) -> paths.Path | None:
    """The whole path of the item that a key means; None where there is none."""
    key, _ = look.key()
    return _way(key, item, flows.told())


@shared(8)
def _asked(key: Key, _configured: Config, asked: tuple[tuple[str, str | None], ...]) -> Measures:
    """What was measured of a scope that texts name: `end` is "now", as it is for the report."""
    told = dict(asked)
    try:
        end = told.pop("end", None)
        now = None if end is None else instant(end, _configured.zone, last=True)
        flow = flows.allowed_flow(key, _configured, None, now)
        start, last = window(flow.now, _configured.zone, told.pop("start", None), end)
        return periods.of_scope(key, _configured, None, now, Scope(start, last, **told))
    except ValueError as error:
        raise UsageError(str(error)) from None


@shared(32)
def _document(key: Key, _configured: Config, asked: tuple[tuple[str, str | None], ...]) -> dict[str, Any]:
    return reports.document(_asked(key, _configured, asked), harvests.harvests())


@shared(8, says="Measuring what stands beside it …", by_place=("one",))
def _other(key: Key, one: Measures, scope: Scope) -> Measures:
    try:
        return measured_against(one, scope)
    except ValueError as error:
        raise UsageError(str(error)) from None


# All charts of one choice are about 40; what is kept of each is its rows and its specification, not the facts.
@shared(512)
def _drawn(
    key: Key, _configured: Config, choice: Choice, stream: str | None, name: str, ahead: int, items: int, written: Written | None
) -> Drawn:
    measured = replace(choice, compare=True)
    now = periods.measures_of(key, _configured, measured, before=False)
    past = periods.measures_of(key, _configured, measured, before=True) if choice.compare else None
    if now.streams and stream is not None:
        now, past = now.streams[stream], None if past is None else past.streams.get(stream)
    told = drawing(name, Asked(now, past, None if written is None else journals.notes(choice), ahead, items))
    if counted.url() is not None:
        told = counted.drawn(told)
    _ = told.spec  # made here, where it is kept, and not by the first viewers at once
    return told


@shared(24)
def _cards(key: Key, choice: Choice, stream: str, _of: Measures) -> pd.DataFrame:
    return boards.cards(_of)


# Every word that is searched for on a board is one of these; a board is some 100 kB.
@shared(128)
def _kept(key: Key, what: str, choice: Choice, by: tuple[object, ...], _make: Callable[[], Any]) -> Any:
    return _make()


@shared(64, says="Looking up the item …")
def _way(key: Key, item: str, _in: Flow) -> paths.Path | None:
    return paths.path(_in, item)
