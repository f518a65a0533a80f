"""Charts as files that stand alone: title, finding, picture, definition, filters and date; SVG, PNG, PDF, HTML and CSV.

The same chart gives the same bytes. Names from outside stay text: ours go through `svg.escaped`, the chart's through
Vega, which draws text. Nothing is fetched.
"""

import io
import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from dashboard import svg, tables, theme
from dashboard.charts.entry import Drawn
from dashboard.charts.spec import with_rows
from dashboard.svg import element, escaped, text
from dashboard.theme import EXPORT_FONT, GRID, INK, LIGHT, PAPER

if TYPE_CHECKING:
    from pypdf.generic import DictionaryObject

KINDS = ("png", "svg", "pdf", "html")
VEGA_LITE = "6.4"  # the version that Altair's specifications are of
WIDE, EDGE = 880, 24  # pixels of a picture, and of the room around it
TITLE, FINDING, SMALL = 20, 14, 11  # sizes of letters
SHARP = 2  # pixels of a PNG for each of the drawing: a slide is looked at from afar
MOST_LINES = 4
# Vega counts these up in a process: the same chart would get other bytes each time.
GENERATED = re.compile(r"\b(clip|gradient_)(\d+)\b")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0 auto; max-width: 920px; padding: 16px; font-family: {font}; color: {ink}; background: {paper}; }}
svg {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-size: 13px; }}
th, td {{ padding: 4px 10px; border-bottom: 1px solid {grid}; text-align: left; unicode-bidi: plaintext; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
{picture}
<details>
<summary>The same as a table ({rows:,} rows)</summary>
{table}
</details>
</main>
</body>
</html>
"""
MOST_ROWS = 500  # of the table in a page: who wants more takes the CSV


def written(drawn: Drawn, kind: str) -> bytes:
    """A chart as a file of a kind: png, svg, pdf, html or csv. Raises ValueError with a sentence where there is nothing to draw."""
    if kind == "csv":
        return csv(drawn)
    if drawn.empty:
        raise ValueError(f"there is nothing to draw: {drawn.why[:1].lower()}{drawn.why[1:]}")
    picture = drawing(drawn)
    if kind == "svg":
        return picture.encode()
    if kind == "html":
        return page(drawn, picture).encode()
    return converted(picture, kind)


def converted(picture: str, kind: str) -> bytes:
    """A drawing in SVG as PNG or PDF."""
    import vl_convert

    if kind == "pdf":
        return _in_order(bytes(vl_convert.svg_to_pdf(picture)))
    return bytes(vl_convert.svg_to_png(picture, scale=SHARP))


def _in_order(document: bytes) -> bytes:
    """A document whose resources are listed by their names: the converter lists them in another order each time."""
    from pypdf import PdfReader, PdfWriter

    (page,) = PdfReader(io.BytesIO(document)).pages
    _sort_resources(page)
    writer = PdfWriter()
    writer.add_page(page)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _sort_resources(holder: "DictionaryObject") -> None:
    """The resources of a page, and of the drawings in it, by their names."""
    from pypdf.generic import DictionaryObject, NameObject

    resources = holder.get("/Resources", DictionaryObject()).get_object()
    for kind, held in list(resources.items()):
        inner = held.get_object()
        if isinstance(inner, DictionaryObject):
            resources[NameObject(kind)] = DictionaryObject({NameObject(name): inner.raw_get(name) for name in sorted(inner)})
        if kind == "/XObject":
            for name in inner:
                _sort_resources(inner[name].get_object())


def file_name(drawn: Drawn, kind: str) -> str:
    """What a chart's file is called: its name, whose it is, its last day."""
    whose = drawn.about.partition(" · ")[0]
    return f"{tables.file_name(f'{drawn.name} {whose}')[:80]}.{kind}"


def csv(drawn: Drawn) -> bytes:
    """The rows that a chart draws, for a spreadsheet."""
    return tables.csv(drawn.rows)


def drawing(drawn: Drawn) -> str:
    """A chart with its words above and below it, as one SVG drawing."""
    inner, wide, high = _chart(drawn)
    whole = max(WIDE, wide + 2 * EDGE)
    room = whole - 2 * EDGE
    parts: list[str] = []
    y = float(EDGE)
    for words, size, fill, bold in ((drawn.title, TITLE, INK["light"], True), (drawn.finding, FINDING, INK["light"], False)):
        for line in lines(words, room, size, bold):
            y += size * 1.35
            parts.append(text(line, EDGE, y, fill, size, bold))
        y += 4
    y += 10
    parts.append(inner.replace("<svg", f'<svg x="{EDGE}" y="{y:.0f}"', 1))
    y += high + 8
    for words in (drawn.reading, f"Definition: {drawn.definition}", drawn.about):
        for line in lines(words, room, SMALL):
            y += SMALL * 1.4
            parts.append(text(line, EDGE, y, LIGHT["muted"], SMALL))
        y += 3
    y += EDGE - 6
    ground = svg.box(0, 0, float(whole), y, PAPER["light"])
    label = element("title", escaped(f"{drawn.title}. {drawn.finding}"))
    told: dict[str, Any] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "width": float(whole),
        "height": y,
        "viewBox": f"0 0 {whole:.0f} {y:.0f}",
        "font_family": EXPORT_FONT,
        "role": "img",
    }
    return element("svg", label + ground + "".join(parts), **told)


def lines(words: str, room: float, size: float, bold: bool = False) -> list[str]:
    """Words broken into lines between words, a few at most; the last one is cut where there is not enough room."""
    told: list[str] = []
    rest = words.split()
    while rest and len(told) < MOST_LINES - 1:
        end = next((end for end in range(len(rest), 1, -1) if svg.width(" ".join(rest[:end]), size, bold) <= room), 1)
        told.append(svg.fitted(" ".join(rest[:end]), room, size, bold))
        rest = rest[end:]
    return [*told, svg.fitted(" ".join(rest), room, size, bold)] if rest else told


def bare(drawn: Drawn) -> str:
    """The picture without its words, for a page that says them itself."""
    return _chart(drawn)[0]


def _chart(drawn: Drawn) -> tuple[str, float, float]:
    """The picture without its words, and how wide and high it is."""
    if drawn.picture:
        return drawn.picture, *_size(drawn.picture)
    import vl_convert

    spec = with_rows(drawn.spec) | {
        "width": WIDE - 2 * EDGE,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": theme.chart_config(),
    }
    told = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, allowed_base_urls=[])
    return renumbered(told), *_size(told)


def renumbered(picture: str) -> str:
    """Generated ids, numbered from the first one on."""
    names: dict[str, str] = {}
    return GENERATED.sub(lambda found: names.setdefault(found[0], f"{found[1]}{len(names)}"), picture)


def _size(picture: str) -> tuple[float, float]:
    """How wide and high a drawing is."""
    head = picture[: picture.index(">")]
    box = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', head)
    if box is None:
        raise ValueError("a drawing without a viewBox has no size")
    return float(box[1]), float(box[2])


def page(drawn: Drawn, picture: str) -> str:
    """A page that needs nothing else: no script, no request, the chart in it as a drawing and as a table."""
    return PAGE.format(
        policy=escaped(POLICY).replace("&#x27;", "'"),
        title=escaped(drawn.title),
        font=EXPORT_FONT,
        ink=INK["light"],
        paper=PAPER["light"],
        grid=GRID["light"],
        picture=picture,
        rows=len(drawn.rows),
        table=html_table(drawn.rows.head(MOST_ROWS)),
    )


def html_table(rows: pd.DataFrame) -> str:
    """Rows as a table in HTML: text only, numbers as they are, times as in the CSV."""
    head = "".join(element("th", escaped(tables.LABELS.get(str(name), str(name).replace("_", " "))), scope="col") for name in rows)
    cells = tables.cells(rows).to_numpy()
    body = "".join(element("tr", "".join(f"<td>{escaped(_said(cell))}</td>" for cell in row)) for row in cells)
    return element("table", f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")


def _said(cell: object) -> object:
    return "" if cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell) else cell
