"""A pack as PDF: one page a picture, charts as vectors, words that can be selected, an outline to jump by."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import vl_convert
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject

from dashboard import theme
from dashboard.export.content import Number, Pack, Picture
from dashboard.export.drawing import apart, laid, lines
from dashboard.svg import text

WIDTH, HEIGHT, EDGE = 842.0, 595.0, 42.0  # A4, lying, in points
WITHIN = WIDTH - 2 * EDGE
FOOT = HEIGHT - 30
INK, QUIET, RULE = theme.INK["light"], theme.LIGHT["muted"], theme.GRID["light"]


@dataclass(frozen=True)
class Sheet:
    """One page: what the outline calls it (nothing for one that goes on), and its drawing."""

    name: str
    svg: str


def pdf(pack: Pack) -> bytes:
    """The document, its pages as A4, lying."""
    sheets = [*_first(pack), *_numbers(pack), *(_picture(picture) for picture in pack.pictures), *_rest(pack)]
    writer = PdfWriter()
    for place, sheet in enumerate(sheets, start=1):
        drawing = _sheet(sheet.svg, pack.line, place, len(sheets))
        page = PdfReader(io.BytesIO(vl_convert.svg_to_pdf(drawing))).pages[0]
        _in_order(page)
        writer.add_page(page)
        if sheet.name:
            writer.add_outline_item(title=sheet.name, page_number=place - 1)
    writer.add_metadata({"/Title": pack.title, "/Subject": pack.line})
    writer.compress_identical_objects()
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _in_order(page: DictionaryObject) -> None:
    """The page's resources by name: the converter writes them in an order of its own each time."""
    resources = cast(DictionaryObject, page["/Resources"].get_object())
    for kind, held in list(resources.items()):
        if isinstance(held.get_object(), DictionaryObject):
            inner = held.get_object()
            resources[NameObject(kind)] = DictionaryObject({NameObject(name): inner.raw_get(name) for name in sorted(inner)})


def _sheet(content: str, line: str, place: int, of: int) -> str:
    foot = lines(line, WITHIN - 60, 8, 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{HEIGHT:g}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" '
        f'font-family="{theme.EXPORT_FONT}"><rect width="{WIDTH:g}" height="{HEIGHT:g}" fill="{theme.PAPER["light"]}"/>{content}'
        f"{text(foot[0] if foot else '', EDGE, FOOT, QUIET, 8)}"
        f"{text(f'{place} / {of}', WIDTH - EDGE, FOOT, QUIET, 8, anchor='end')}</svg>"
    )


def _first(pack: Pack) -> Iterator[Sheet]:
    """Title, filters, findings, notes and experiments come in that order; what does not fit goes on."""
    words = [(pack.title, 24.0, True, INK), *((f"{label}: {value}", 11.0, False, QUIET) for label, value in pack.about.items())]
    if pack.findings:
        words += [
            ("What changed, and what to look at", 15.0, True, INK),
            *((f"– {one}", 12.0, False, INK) for one in pack.findings),
        ]
    yield from _flowing(pack.title, words)


def _rest(pack: Pack) -> Iterator[Sheet]:
    words: list[tuple[str, float, bool, str]] = []
    if len(pack.notes):
        words.append(("Notes", 15.0, True, INK))
        for note in pack.notes.to_dict("records"):
            until = f" to {note['until']}" if note["until"] else ""
            of = f" · {note['stream']}" if note["stream"] else ""
            words.append((f"{note['day']}{until}{of}: {note['note']}", 11.0, False, INK))
    if pack.experiments:
        words += [("Experiments", 15.0, True, INK), *((one, 11.0, False, INK) for one in pack.experiments)]
    if words:
        yield from _flowing("Notes and experiments", words)


def _flowing(name: str, words: list[tuple[str, float, bool, str]]) -> Iterator[Sheet]:
    """Paragraphs (words, size, bold, colour) one below the other over as many pages as they take."""
    drawn, y = "", EDGE
    for paragraph, points, bold, colour in words:
        y += points * (0.9 if bold else 0.35)
        for line in lines(paragraph, WITHIN, points, bold=bold):
            y += points * 1.35
            if y > FOOT - 20:
                yield Sheet(name, drawn)
                name, drawn, y = "", "", EDGE + points * 1.35
            drawn += text(line, EDGE, y, colour, points, bold)
    yield Sheet(name, drawn)


COLUMNS: tuple[tuple[str, float, Callable[[Number], str]], ...] = (
    ("Number", 110, lambda one: one.label),
    ("Value", 76, lambda one: one.value),
    ("Beside it", 150, lambda one: one.beside),
    ("Before", 66, lambda one: one.before),
    ("Verdict", 76, lambda one: one.verdict),
    ("What it is", 280, lambda one: one.definition),
)


def _numbers(pack: Pack) -> Iterator[Sheet]:
    """The numbers as a table over as many pages as they take."""
    head, y, drawn = _head(), EDGE + 44.0, ""
    name = "The numbers"
    for one in pack.numbers:
        cells = [lines(told(one), width - 8, 9, 6) for _, width, told in COLUMNS]
        high = max(map(len, cells)) * 11.5 + 9
        if y + high > FOOT - 16:
            yield Sheet(name, head + drawn)
            name, y, drawn = "", EDGE + 44.0, ""
        drawn += _row(cells, y)
        y += high
        drawn += f'<path d="M{EDGE:g} {y - 2:g}H{WIDTH - EDGE:g}" stroke="{RULE}"/>'
    yield Sheet(name, head + drawn)


def _head() -> str:
    title = text("The numbers", EDGE, EDGE + 10, INK, 18, bold=True)
    return title + _row([[title_] for title_, *_ in COLUMNS], EDGE + 22, QUIET)


def _row(cells: list[list[str]], y: float, colour: str = INK) -> str:
    drawn, x = "", EDGE
    for place, ((_, width, _), found) in enumerate(zip(COLUMNS, cells, strict=True)):
        for below, line in enumerate(found):
            drawn += text(line, x, y + 11 + below * 11.5, colour, 9, bold=place == 1 and colour == INK)
        x += width
    return drawn


def _picture(picture: Picture) -> Sheet:
    """Title, what it says, the picture as large as fits, what it is."""
    y = EDGE + 10
    title = lines(picture.title, WITHIN, 18, 1, bold=True)
    drawn = text(title[0] if title else "", EDGE, y, INK, 18, bold=True)
    for line in lines(picture.finding, WITHIN, 12, 3):
        y += 17
        drawn += text(line, EDGE, y, INK, 12)
    below = lines(picture.definition, WITHIN, 9, 4)
    floor = FOOT - 18 - 12 * len(below)
    drawn += laid(apart(picture.svg, picture.name), EDGE, y + 12, WITHIN, floor - y - 24)
    for place, line in enumerate(below):
        drawn += text(line, EDGE, floor + 12 * place, QUIET, 9)
    return Sheet(picture.title, drawn)
