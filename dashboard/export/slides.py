"""A pack as slides: the finding as the title, the picture below, the definition in the speaker's notes."""

import io
from datetime import datetime

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.presentation import Presentation as Slides
from pptx.slide import Slide
from pptx.table import _Cell
from pptx.util import Emu, Inches, Pt

from dashboard import theme
from dashboard.export.content import Pack, Picture
from dashboard.export.zipped import repacked

WIDTH, HEIGHT, EDGE = Inches(13.333), Inches(7.5), Inches(0.6)
ROWS = 7  # rows of the table of numbers on one slide
TITLE_ONLY, BLANK = 5, 6  # layouts of the library's own template
THEN = datetime(2000, 1, 1)  # a document must tell when it was made, and the same inputs must give the same bytes


def pptx(pack: Pack) -> bytes:
    """The slides, 16:9."""
    slides = Presentation()
    slides.slide_width, slides.slide_height = WIDTH, HEIGHT
    _opening(slides, pack)
    for first in range(0, len(pack.numbers), ROWS):
        _numbers(slides, pack, first)
    for picture in pack.pictures:
        _picture(slides, pack, picture)
    if len(pack.notes) or pack.experiments:
        _remarks(slides, pack)
    told = slides.core_properties
    told.title, told.subject, told.author, told.last_modified_by = pack.title, _plain(pack.line)[:255], "", ""
    told.created = told.modified = told.last_printed = THEN
    told.revision = 1
    out = io.BytesIO()
    slides.save(out)
    return repacked(out.getvalue())


def _plain(words: str) -> str:
    """Words without the signs that XML cannot hold."""
    return "".join(sign if sign.isprintable() else " " for sign in words)


def _titled(slides: Slides, title: str) -> Slide:
    slide = slides.slides.add_slide(slides.slide_layouts[TITLE_ONLY])
    head = slide.shapes.title
    head.left, head.top, head.width, head.height = EDGE, Inches(0.35), WIDTH - 2 * EDGE, Inches(1.0)
    frame = head.text_frame
    frame.word_wrap = True
    frame.text = _plain(title)[:300]
    for run in frame.paragraphs[0].runs:
        run.font.size = Pt(28 if len(title) < 80 else 20)
        run.font.bold = True
        run.font.color.rgb = _colour(theme.INK["light"])
    frame.paragraphs[0].alignment = 1
    return slide


def _colour(code: str) -> RGBColor:
    return RGBColor.from_string(code.removeprefix("#").upper())


def _paragraphs(slide: Slide, words: list[tuple[str, int]], top: Emu, height: Emu) -> None:
    frame = slide.shapes.add_textbox(EDGE, top, WIDTH - 2 * EDGE, height).text_frame
    frame.word_wrap = True
    for place, (line, points) in enumerate(words):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        run = paragraph.add_run()
        run.text, run.font.size, run.font.color.rgb = _plain(line), Pt(points), _colour(theme.INK["light"])
        paragraph.space_after = Pt(6)


def _foot(slide: Slide, pack: Pack) -> None:
    frame = slide.shapes.add_textbox(EDGE, HEIGHT - Inches(0.5), WIDTH - 2 * EDGE, Inches(0.35)).text_frame
    frame.word_wrap = True
    run = frame.paragraphs[0].add_run()
    run.text, run.font.size, run.font.color.rgb = _plain(pack.line)[:220], Pt(10), _colour(theme.LIGHT["muted"])


def _opening(slides: Slides, pack: Pack) -> None:
    slide = _titled(slides, pack.title)
    words = [(f"{label}: {value}", 14) for label, value in pack.about.items()]
    words += [(f"• {one}", 16) for one in pack.findings[:6]]
    _paragraphs(slide, words, Inches(1.4), Inches(5.4))


def _numbers(slides: Slides, pack: Pack, first: int) -> None:
    some = pack.numbers[first : first + ROWS]
    slide = _titled(slides, "The numbers" if first == 0 else "The numbers, continued")
    titles = ("Number", "Value", "Beside it", "Before", "Verdict")
    widths = (Inches(3.0), Inches(1.8), Inches(4.2), Inches(1.5), Inches(1.633))
    grid = slide.shapes.add_table(len(some) + 1, len(titles), EDGE, Inches(1.4), sum(widths), Inches(0.5) * (len(some) + 1)).table
    for column, (title, width) in enumerate(zip(titles, widths, strict=True)):
        grid.columns[column].width = width
        _cell(grid.cell(0, column), title, bold=True)
    for row, one in enumerate(some, start=1):
        for column, words in enumerate((one.label, one.value, one.beside, one.before, one.verdict)):
            _cell(grid.cell(row, column), words, bold=column == 1)
    slide.notes_slide.notes_text_frame.text = _plain_lines([f"{one.label}: {one.definition}" for one in some])
    _foot(slide, pack)


def _cell(cell: _Cell, words: str, bold: bool = False) -> None:
    cell.text = _plain(words)
    for paragraph in cell.text_frame.paragraphs:
        for run in paragraph.runs:
            run.font.size, run.font.bold = Pt(12), bold


def _plain_lines(told: list[str]) -> str:
    return "\n".join(map(_plain, told))


def _picture(slides: Slides, pack: Pack, picture: Picture) -> None:
    slide = _titled(slides, picture.finding or picture.title)
    room_wide, room_high, top = WIDTH - 2 * EDGE, Inches(5.3), Inches(1.5)
    shown = slide.shapes.add_picture(io.BytesIO(picture.png()), EDGE, top)
    scale = min(room_wide / shown.width, room_high / shown.height)
    shown.width, shown.height = Emu(int(shown.width * scale)), Emu(int(shown.height * scale))
    shown.left = Emu(int((WIDTH - shown.width) / 2))
    shown.name = _plain(picture.title)
    shown._element.nvPicPr.cNvPr.set("descr", _plain(f"{picture.title}. {picture.finding}"))  # the library has no word for alt text
    slide.notes_slide.notes_text_frame.text = _plain_lines([picture.title, picture.finding, picture.definition])
    _foot(slide, pack)


def _remarks(slides: Slides, pack: Pack) -> None:
    words = []
    for note in pack.notes.to_dict("records"):
        until = f" to {note['until']}" if note["until"] else ""
        words.append((f"{note['day']}{until}: {note['note']}", 14))
    words += [(one, 14) for one in pack.experiments]
    for first in range(0, len(words), 12):
        slide = _titled(slides, "Notes and experiments")
        _paragraphs(slide, words[first : first + 12], Inches(1.4), Inches(5.4))
        _foot(slide, pack)
