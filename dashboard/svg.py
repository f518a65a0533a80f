"""Drawing in SVG: elements as text. Every name and value goes through `escaped`, so that none can become markup."""

import html
import unicodedata
from dataclasses import dataclass
from typing import Any

from dashboard.theme import DARK, EXPORT_FONT, GRID, INK, LIGHT, PAPER

# How wide letters are, in shares of the font's size: enough to know whether a text fits, in any sans-serif face.
NARROW, WIDE = "iljtfrI.,:;'|!()[]·- ", "mwMW@%–—"
NARROW_EM, USUAL_EM, CAPITAL_EM, WIDE_EM, SQUARE_EM, BOLDER = 0.33, 0.57, 0.7, 0.9, 1.05, 1.06


@dataclass(frozen=True)
class Palette:
    """The colours of a drawing by what they say. On the page they are Streamlit's variables and follow its theme."""

    font: str
    text: str
    muted: str
    line: str
    page: str
    panel: str
    primary: str
    wait: str
    wait_soft: str
    wait_text: str
    work: str
    bad: str


def _palette(theme: str, roles: dict[str, str], **colours: str) -> Palette:
    return Palette(
        font=EXPORT_FONT, text=INK[theme], muted=roles["muted"], line=GRID[theme], page=PAPER[theme], primary=roles["primary"],
        bad=roles["bad"], **colours,
    )  # fmt: skip


LIGHT_PAPER = _palette("light", LIGHT, panel="#f4f6fa", wait="#e8873a", wait_soft="#fdf1e5", wait_text="#97430a", work="#3f7be0")
DARK_PAPER = _palette("dark", DARK, panel="#182133", wait="#d98a3d", wait_soft="#38260f", wait_text="#f8bb7c", work="#5c8cf0")
PAGE = Palette(
    font="var(--st-font)",
    text="var(--st-text-color)",
    muted="var(--st-gray-text-color)",
    line="var(--st-border-color)",
    page="var(--st-background-color)",
    panel="var(--st-secondary-background-color)",
    primary="var(--st-primary-color)",
    wait="var(--st-orange-color)",
    wait_soft="var(--st-orange-background-color)",
    wait_text="var(--st-orange-text-color)",
    work="var(--st-blue-color)",
    bad="var(--st-red-text-color)",
)


def escaped(value: object) -> str:
    """Text that is only text in HTML and SVG, in content and in attributes; what XML cannot hold is left out."""
    told = "".join(sign for sign in str(value) if sign in "\t\n" or unicodedata.category(sign) not in ("Cc", "Cs"))
    return html.escape(told, quote=True)


def width(text: str, size: float, bold: bool = False) -> float:
    """About how wide a text is drawn."""
    return size * sum(map(_em, text)) * (BOLDER if bold else 1)


def _em(sign: str) -> float:
    if unicodedata.combining(sign):
        return 0.0
    if unicodedata.east_asian_width(sign) in "WF":
        return SQUARE_EM
    if sign in NARROW:
        return NARROW_EM
    if sign in WIDE:
        return WIDE_EM
    return CAPITAL_EM if sign.isupper() else USUAL_EM


def fitted(text: str, room: float, size: float, bold: bool = False) -> str:
    """A text, cut with an ellipsis where there is not enough room; nothing where not even that helps.

    >>> fitted("Review", 100, 12), fitted("Release approval board", 80, 12), fitted("Review", 5, 12)
    ('Review', 'Release app…', '')
    """
    if width(text, size, bold) <= room:
        return text
    for end in range(len(text) - 1, 0, -1):
        cut = text[:end].rstrip() + "…"
        if width(cut, size, bold) <= room:
            return cut
    return ""


def wrapped(text: str, room: float, size: float, bold: bool = False) -> list[str]:
    """A text on one line or, broken between words, on two; the last is cut where there is not enough room.

    >>> wrapped("Review", 100, 12), wrapped("Release approval board", 92, 12)
    (['Review'], ['Release', 'approval board'])
    """
    if width(text, size, bold) <= room:
        return [text]
    words = text.split(" ")
    for end in range(len(words) - 1, 0, -1):
        first = " ".join(words[:end])
        if width(first, size, bold) <= room:
            return [first, fitted(" ".join(words[end:]), room, size, bold)]
    return [fitted(text, room, size, bold)]


def element(tag: str, content: str = "", **attributes: Any) -> str:
    """One element; content is markup, attributes are values. A trailing underscore is dropped, others become hyphens."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(_short(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{told}>{content}</{tag}>" if content else f"<{tag}{told}/>"


def _short(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def text(said: str, x: float, y: float, fill: str, size: float = 12, bold: bool = False, anchor: str = "start") -> str:
    """A line of text; its left end, middle or right end is at x."""
    weight = "700" if bold else None
    where = None if anchor == "start" else anchor
    return element("text", escaped(said), x=x, y=y, fill=fill, font_size=size, font_weight=weight, text_anchor=where)


def line(*points: tuple[float, float], stroke: str, thick: float = 1.5, dash: str | None = None) -> str:
    """A line through points."""
    path = "M" + " L".join(f"{_short(float(x))} {_short(float(y))}" for x, y in points)
    return element("path", d=path, fill="none", stroke=stroke, stroke_width=thick, stroke_dasharray=dash, stroke_linejoin="round")


def polygon(*points: tuple[float, float], fill: str, stroke: str | None = None, thick: float = 1.5) -> str:
    """A closed shape through points."""
    told = " ".join(f"{_short(float(x))},{_short(float(y))}" for x, y in points)
    return element(
        "polygon", points=told, fill=fill, stroke=stroke, stroke_width=thick if stroke else None, stroke_linejoin="round"
    )


def box(x: float, y: float, wide: float, high: float, fill: str, radius: float = 0, **more: Any) -> str:
    """A rectangle."""
    return element("rect", x=x, y=y, width=wide, height=high, rx=radius or None, fill=fill, **more)
