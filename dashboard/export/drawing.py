"""What all pictures need: ids that are their own, words in lines, a drawing laid into another."""

import re
from collections.abc import Iterator
from html import escape

IDS = re.compile(r'(\bid="|url\(#|href="#)')
SIZE = re.compile(r'<svg[^>]*?\bviewBox="([\d.+-]+) ([\d.+-]+) ([\d.+-]+) ([\d.+-]+)"')
# How wide letters are, in parts of the type's size: the export font has the widths of Helvetica.
NARROW, WIDE = set("fijlrt.,:;!|'()[]I "), set("mwMW@%&—")


def apart(svg: str, name: str) -> str:
    """A drawing with its ids made its own, so that several can stand on one page."""
    return IDS.sub(rf"\g<1>{re.sub(r'[^A-Za-z0-9]', '_', name)}-", svg)


def size(svg: str) -> tuple[float, float]:
    """A drawing's width and height. Raises ValueError for one that does not tell."""
    found = SIZE.search(svg)
    if found is None:
        raise ValueError("the drawing tells no viewBox")
    return float(found[3]), float(found[4])


def laid(svg: str, x: float, y: float, width: float, height: float) -> str:
    """A drawing laid into another: as large as fits, in the middle of the place."""
    inner = svg[svg.index("<svg") :]
    start = inner.index(">")
    wide, high = size(svg)
    head = f'<svg x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" viewBox="0 0 {wide:g} {high:g}"'
    return f'{head} preserveAspectRatio="xMidYMid meet">{inner[start + 1 :]}'


def wide(words: str, points: float) -> float:
    """About how wide words are in a type of so many points."""
    return points * sum(0.28 if sign in NARROW else 0.85 if sign in WIDE else 1.0 if ord(sign) > 0x2E7F else 0.56 for sign in words)


def lines(words: str, points: float, width: float, most: int = 0) -> list[str]:
    """Words broken into lines that fit a width; a word that is too long is broken, what is more than `most` lines is cut with …"""
    found: list[str] = [""]
    for word in _pieces(words, points, width):
        longer = f"{found[-1]} {word}".strip()
        if wide(longer, points) <= width:
            found[-1] = longer
        else:
            found.append(word)
    if most and len(found) > most:
        found = [*found[: most - 1], found[most - 1].rstrip(" .,;") + " …"]
    return [line for line in found if line]


def _pieces(words: str, points: float, width: float) -> Iterator[str]:
    for word in words.split():
        while wide(word, points) > width:
            cut = max(int(len(word) * width / wide(word, points)), 1)
            yield word[:cut]
            word = word[cut:]
        yield word


def text(words: str, x: float, y: float, points: float, colour: str, bold: bool = False, anchor: str = "start") -> str:
    """Words at a place of a drawing."""
    weight = ' font-weight="700"' if bold else ""
    printable = escape("".join(sign for sign in words if sign.isprintable()))
    return f'<text x="{x:g}" y="{y:g}" font-size="{points:g}" fill="{colour}" text-anchor="{anchor}"{weight}>{printable}</text>'
