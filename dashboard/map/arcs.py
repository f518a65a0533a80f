"""Arcs of the map: loops back above the boxes, and moves past stages below them."""

from collections.abc import Sequence

from dashboard import lanes, theme
from dashboard.map.layout import BADGE, HEADER, LANE, Layout, deep, passed, straight
from dashboard.map.model import MapModel, Move
from dashboard.map.words import shortened
from dashboard.svg import Palette, box, element, polygon, text, width

SMALL = 6.0  # the radius of a corner
PILE = 6.0  # above a group's box: the edges of those behind it


def loop(move: Move, way: lanes.Way, at: Layout, told: MapModel, palette: Palette) -> str:
    """A loop back: up from the stage that sends back, to the left, down to the one that does the work again."""
    y = deep(at.back) - 8 - way.lane * LANE
    n, share = f"{move.n:,}", None if move.share is None else theme.rate(move.share)
    words = [f"{n} sent back", n] if share is None else [f"{share} sent back · {n}", f"{share} · {n}", n]
    drawn = _path(move, way, y, at, told, palette.bad, 1.6, "5 4", up=True)
    return drawn + _on_line(words, way, y, palette.bad, palette)


def skip(move: Move, way: lanes.Way, at: Layout, told: MapModel, palette: Palette) -> str:
    """Moves past stages: below the boxes, in the direction of the work."""
    y = at.bottom + 16 + way.lane * LANE
    names = passed(told, move)
    what = shortened(names[0], 40) if len(names) == 1 else theme.many(len(names), "stage")
    drawn = _path(move, way, y, at, told, palette.muted, 1.5, None, up=False)
    return drawn + _on_line([f"{move.n:,} past {what}", f"{move.n:,}"], way, y, palette.muted, palette)


def _path(
    move: Move, way: lanes.Way, y: float, at: Layout, told: MapModel, colour: str, thick: float, dash: str | None, up: bool
) -> str:
    """From one box to its lane, along it, and to the other box, with a head there."""
    rightward = at.box(move.origin).column < at.box(move.to).column
    start, end = (way.left, way.right) if rightward else (way.right, way.left)
    away, side = -1 if up else 1, 1 if end > start else -1  # from the boxes to the lane; from start to end
    begin = _begin(move.origin, start, at, told, up)
    turn = f"V{y - away * SMALL:.1f} Q{start:.1f} {y:.1f} {start + side * SMALL:.1f} {y:.1f} "
    along = f"H{end - side * SMALL:.1f} Q{end:.1f} {y:.1f} {end:.1f} {y - away * SMALL:.1f} "
    target = at.box(move.to)
    if straight(target, up):
        top = _edge(move.to, at, told, up)
        finish, head = f"V{top + away * 7:.1f}", (end, top + away)
        points = ((end - 5, top + away * 10), (end + 5, top + away * 10), head)
    else:
        middle = _side(move.to, at, told)
        finish, head = f"V{middle:.1f} H{target.right + 8:.1f}", (target.right + 1, middle)
        points = ((target.right + 10, middle - 5), (target.right + 10, middle + 5), head)
    path = element(
        "path", d=begin + turn + along + finish, fill="none", stroke=colour, stroke_width=thick, stroke_dasharray=dash
    )  # fmt: skip
    return path + polygon(*points, fill=colour)


def _begin(name: str, x: float, at: Layout, told: MapModel, up: bool) -> str:
    if straight(at.box(name), up):
        return f"M{x:.1f} {_edge(name, at, told, up):.1f} "
    return f"M{at.box(name).right:.1f} {_side(name, at, told):.1f} H{x:.1f} "


def _edge(name: str, at: Layout, told: MapModel, up: bool) -> float:
    """The y at which an arc meets a box from above or below."""
    box = at.box(name)
    if not up:
        return box.top + at.high_box
    header = any(name in group.members for group in told.opened)
    if name == told.constraint:
        return box.top - BADGE
    return box.top - (HEADER - 4 if header else PILE if told.stages[at.names[name]].members else 0.0)


def _side(name: str, at: Layout, told: MapModel) -> float:
    """The y at which an arc meets a box from its side: where no arrow does."""
    return at.box(name).top + at.high_box - 16


def _on_line(words: Sequence[str], way: lanes.Way, y: float, fill: str, palette: Palette) -> str:
    """The longest of some wordings that fits a free stretch of an arc, on a piece of paper that parts the line."""
    start, end = way.free
    for said in words:
        wide = width(said, 11, bold=True) + 10
        if wide <= end - start - 14:
            middle = (start + end) / 2
            return box(middle - wide / 2, y - 8, wide, 16, palette.page) + text(said, middle, y + 4, fill, 11, True, "middle")
    return ""
