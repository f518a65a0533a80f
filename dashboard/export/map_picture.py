"""The map as a file: the page's own drawing in the colours of paper, with its title and what it tells, as SVG, PNG or PDF."""

from collections.abc import Sequence

import networkx as nx
import pandas as pd

from dashboard import tables
from dashboard.map import MapModel, value_stream_svg
from dashboard.map.layout import MARGIN
from dashboard.map.model import Stage
from dashboard.svg import LIGHT_PAPER, Palette, box, element, fitted, text, width

KINDS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
TITLE, FINDING, SMALL, LINE = 20, 13.5, 11, 19
MOST_LINES = 3
SHARP = 2  # pixels of a PNG for each of the drawing: a slide is looked at from afar


def picture(
    told: "MapModel | nx.DiGraph[str]", title: str, finding: str = "", about: str = "", palette: Palette = LIGHT_PAPER
) -> str:
    """The map as one SVG that stands alone. `finding`: what it shows, in a sentence; `about`: of what, of which time."""
    drawn = value_stream_svg(told, palette=palette, interactive=False)
    wide, high = _size(drawn)
    full = wide - 2 * MARGIN
    head = [text(fitted(title, full, TITLE, True), MARGIN, 36, palette.text, TITLE, True)]
    lines = _lines(finding, full)
    head += [text(line, MARGIN, 60 + place * LINE, palette.text, FINDING) for place, line in enumerate(lines)]
    top = 54 + len(lines) * LINE
    foot = text(fitted(about, full, SMALL), MARGIN, top + high + 16, palette.muted, SMALL)
    all_high = top + high + 32
    laid = drawn.replace("<svg ", f'<svg y="{top:.0f}" ', 1)
    return element(
        "svg",
        box(0, 0, wide, all_high, palette.page) + "".join(head) + laid + foot,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {wide:.0f} {all_high:.0f}",
        width=f"{wide:.0f}",
        height=f"{all_high:.0f}",
        font_family=palette.font,
        role="img",
        aria_label=f"{title}. {finding}",
    )


def written(drawn: str, kind: str) -> bytes:
    """A picture as a file of a kind. Raises ValueError for a kind that there is not."""
    if kind not in KINDS:
        raise ValueError(f"a map is written as {', '.join(KINDS)}, not as {kind!r}")
    if kind == "svg":
        return drawn.encode()
    import vl_convert  # large: loaded when somebody takes a picture along

    return bytes(vl_convert.svg_to_pdf(drawn) if kind == "pdf" else vl_convert.svg_to_png(drawn, scale=SHARP))


def csv(stages: pd.DataFrame, steps: Sequence[Stage], changes: pd.DataFrame | None = None) -> bytes:
    """The map's stages for a spreadsheet: measured ones with what they were before, and steps by hand, marked as estimates."""
    rows = stages.assign(source="measured")
    if changes is not None and len(changes):
        for name, told in changes.groupby("number", sort=False):
            by = told.set_index("stage")
            rows[f"{name}_before"] = rows["stage"].map(by["before"])
            rows[f"{name}_verdict"] = rows["stage"].map(by["verdict"])
    hand = [
        {
            "stage": one.name,
            "wait_p50": one.wait,
            "work_p50": one.work,
            "percent_complete_accurate": one.accurate,
            "source": f"estimate {one.estimate}",
        }
        for one in steps
    ]
    return tables.csv(pd.concat([rows, pd.DataFrame(hand)], ignore_index=True) if hand else rows)


def _size(drawn: str) -> tuple[float, float]:
    start = drawn.index('viewBox="0 0 ') + len('viewBox="0 0 ')
    wide, high = drawn[start : drawn.index('"', start)].split()
    return float(wide), float(high)


def _lines(words: str, room: float) -> list[str]:
    """Words in lines that fit; the last is cut where there are too many."""
    found: list[str] = []
    rest = words.split()
    while rest and len(found) < MOST_LINES:
        count = len(rest)
        while count > 1 and width(" ".join(rest[:count]), FINDING) > room:
            count -= 1
        last = len(found) == MOST_LINES - 1
        found.append(fitted(" ".join(rest if last else rest[:count]), room, FINDING))
        rest = rest[count:]
    return found
