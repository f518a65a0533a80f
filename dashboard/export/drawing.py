"""What all pictures need: ids that are their own, words in lines, a drawing laid into another."""

import re
from collections.abc import Iterator

from dashboard import svg

IDS = re.compile(r'(\bid="|url\(#|href="#)')
SIZE = re.compile(r'<svg[^>]*?\bviewBox="([\d.+-]+) ([\d.+-]+) ([\d.+-]+) ([\d.+-]+)"')


def apart(drawing: str, name: str) -> str:
    """A drawing with its ids made its own, so that several can stand on one page."""
    return IDS.sub(rf"\g<1>{re.sub(r'[^A-Za-z0-9]', '_', name)}-", drawing)


def size(drawing: str) -> tuple[float, float]:
    """A drawing's width and height. Raises ValueError for one that does not tell."""
    found = SIZE.search(drawing)
    if found is None:
        raise ValueError("the drawing tells no viewBox")
    return float(found[3]), float(found[4])


def laid(drawing: str, x: float, y: float, width: float, height: float) -> str:
    """A drawing laid into another: as large as fits, in the middle of the place."""
    inner = drawing[drawing.index("<svg") :]
    start = inner.index(">")
    wide, high = size(drawing)
    head = f'<svg x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" viewBox="0 0 {wide:g} {high:g}"'
    return f'{head} preserveAspectRatio="xMidYMid meet">{inner[start + 1 :]}'


def lines(words: str, room: float, size: float, most: int = 0, bold: bool = False) -> list[str]:
    """Words broken into lines that fit; a word that is too long is broken, too; the last of at most `most` lines is cut."""
    found = [""]
    for word in _pieces(words, room, size, bold):
        longer = f"{found[-1]} {word}".strip()
        if svg.width(longer, size, bold) <= room:
            found[-1] = longer
        else:
            found.append(word)
    if most and len(found) > most:
        found = [*found[: most - 1], svg.fitted(" ".join(found[most - 1 :]), room, size, bold)]
    return [line for line in found if line]


def _pieces(words: str, room: float, size: float, bold: bool) -> Iterator[str]:
    for word in words.split():
        while (wide := svg.width(word, size, bold)) > room:
            cut = max(int(len(word) * room / wide), 1)
            yield word[:cut]
            word = word[cut:]
        yield word
