"""Boxes of the map: what waits before a stage, the arrow to it, and what stands in its box."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from dashboard import theme
from dashboard.map.layout import BADGE, BETWEEN, HEADER, MERGE, NAME_LINE, NAME_SIZE, SPLIT, Box, Layout, rows_of
from dashboard.map.model import Change, Group, MapModel, Move, Stage
from dashboard.map.words import WRITTEN
from dashboard.svg import Palette, box, element, fitted, line, polygon, text, width, wrapped

HANDOFF_MOST = 0.5  # from this share of the moves on, an arrow is drawn as a handoff
RARE = 0.1  # an arrow of a smaller share of what one stage hands on and the next takes in would only be in the way
ARROW = 86.0  # below a box's top
CLEAR = ("clearly longer", "clearly shorter")


def column(i: int, at: Layout, told: MapModel, palette: Palette, selected: str | None) -> str:
    """A stage with what waits before it."""
    stage, place = told.stages[i], at.boxes[i]
    parts = [] if told.planned or stage.estimate else [_triangle(stage, at.middle(place), place.top, palette)]
    parts += [*_frame(stage, place, at, told, palette), *_facts(stage, place, at, told, palette)]
    if stage.name == selected:
        parts.append(element("rect", **at.around(i, told), fill="none", stroke=palette.primary, stroke_width=2.5))
    return element("g", "".join(parts))


def _triangle(stage: Stage, x: float, top: float, palette: Palette) -> str:
    """The inventory triangle: how many items wait for the stage now."""
    some = bool(stage.waiting_now)
    shape = polygon(
        (x, top + 6), (x + 23, top + 46), (x - 23, top + 46),
        fill=palette.wait_soft if some else palette.page, stroke=palette.wait_text if some else palette.muted,
    )  # fmt: skip
    count = theme.number(stage.waiting_now)
    return (
        shape
        + text(count, x, top + 40, palette.text if some else palette.muted, 12.5 if len(count) < 4 else 10, True, "middle")
        + text("waiting", x, top + 61, palette.muted, 11, anchor="middle")
    )


# Arrows. ---------------------------------------------------------------------------------------------------------------


def arrows(at: Layout, told: MapModel, palette: Palette) -> Iterable[str]:
    """From each column to the next: an arrow where work comes from there, a dotted line where none is known to."""
    columns = at.columns
    for before, after in pairwise(columns):
        moves = _kept(told, before, after)
        for move in moves:
            main = max((one for one in moves if one.to == move.to), key=lambda one: one.n) == move
            yield _arrow(move, at, palette, main)
        if (len(before) > 1 or len(after) > 1) and not told.planned:
            yield from _counts(moves, at, palette)
        reached = {move.to for move in moves}
        for i in after:
            if told.stages[i].name not in reached:
                y, left = at.boxes[i].top + ARROW, at.boxes[i].left
                yield line((left - at.gap + 7, y), (left - 7, y), stroke=palette.line, thick=1.5, dash="2 4")
    for names in columns:
        for one, two in [] if told.planned else pairwise(names):
            yield _either_way(told.stages[one].name, told.stages[two].name, at, told, palette)


def _kept(told: MapModel, before: Sequence[int], after: Sequence[int]) -> list[Move]:
    """The moves between two columns that are not rare."""
    givers, takers = ({told.stages[i].name for i in names} for names in (before, after))
    moves = [move for move in told.onward if move.origin in givers and move.to in takers]
    handed = {name: sum(move.n for move in moves if move.origin == name) for name in givers}
    taken = {name: sum(move.n for move in moves if move.to == name) for name in takers}
    return [move for move in moves if move.guessed or move.n >= RARE * max(min(handed[move.origin], taken[move.to]), 1)]


def _arrow(move: Move, at: Layout, palette: Palette, main: bool) -> str:
    """One arrow, with a corner where it leads to another row, and who is new to the work where that is most of the times."""
    start, end = at.box(move.origin), at.box(move.to)
    begin, left = (start.right + 7, start.top + ARROW), end.left - 7
    y = end.top + ARROW
    if start.row == end.row:
        points: list[tuple[float, float]] = [begin, (left - 7, y)]
    else:  # down at once, so that it passes no triangle; up as late as possible
        x = start.right + SPLIT if end.row > start.row else end.left - MERGE
        points = [begin, (x, begin[1]), (x, y), (left - 7, y)]
    dash = "5 4" if move.guessed else None
    drawn = line(*points, stroke=palette.muted, thick=2.0 if main else 1.4, dash=dash)
    drawn += polygon((left - 9, y - 5), (left - 9, y + 5), (left, y), fill=palette.muted)
    flat, middle = max(y, begin[1]), at.middle(end)
    if main and move.handoff is not None and move.handoff >= HANDOFF_MOST:
        drawn += polygon(
            (middle - 6, flat), (middle, flat - 6), (middle + 6, flat), (middle, flat + 6), fill=palette.page, stroke=palette.muted
        )
        drawn += text(move.to_new, middle, flat + 22, palette.muted, 11, anchor="middle")
        drawn += text(theme.rate(move.handoff), middle, flat + 36, palette.muted, 11, anchor="middle")
    return drawn


def _counts(moves: Sequence[Move], at: Layout, palette: Palette) -> Iterable[str]:
    """How many moves pass each stretch below a triangle, where there are branches."""
    passing: dict[tuple[float, float], int] = {}
    for move in moves:
        start, end = at.box(move.origin), at.box(move.to)
        flat = at.middle(end), max(start.top, end.top) + ARROW
        passing[flat] = passing.get(flat, 0) + (0 if move.guessed else move.n)
    for (x, y), n in passing.items():
        if n:
            yield text(f"{n:,}", x, y - 7, palette.muted, 11, anchor="middle")


def _either_way(one: str, two: str, at: Layout, told: MapModel, palette: Palette) -> str:
    """Between two stages beside each other: how often work moves from the one to the other, and the other way."""
    down, up = (
        sum(move.n for move in (*told.onward, *told.loops) if (move.origin, move.to) == ends) for ends in ((one, two), (two, one))
    )
    above = at.box(one)
    said = " · ".join(f"{n:,} {way}" for n, way in ((down, "↓"), (up, "↑")) if n)
    lift = BADGE / 2 if two == told.constraint else 0.0
    middle = above.top + at.high_box + BETWEEN / 2 + 4 - lift
    return text(said or "either or", (above.left + above.right) / 2, middle, palette.muted, 11, anchor="middle")


# The box. --------------------------------------------------------------------------------------------------------------


def _frame(stage: Stage, place: Box, at: Layout, told: MapModel, palette: Palette) -> Iterable[str]:
    """The box: dashed where it only holds work or is an estimate, a badge where it is the constraint, a pile for a group."""
    constraint = stage.name == told.constraint
    left, top, wide = place.left, place.top, place.right - place.left
    soft = bool(stage.holds or stage.estimate)
    stroke, thick = (palette.wait_text, 2.5) if constraint else (palette.muted if soft else palette.line, 1.5)
    fill = palette.wait_soft if constraint else palette.page if soft else palette.panel
    if stage.members:
        for lift in (6.0, 3.0):
            yield box(left + lift, top - lift, wide, at.high_box, palette.panel, 7, stroke=palette.line, stroke_width=1.5)
    dash = "2 3" if stage.estimate else "6 4" if stage.holds else None
    yield box(left, top, wide, at.high_box, fill, 7, stroke=stroke, stroke_width=thick, stroke_dasharray=dash)
    if constraint:
        yield box(left - 1.25, top - BADGE, wide + 2.5, BADGE + 6, palette.wait_text, 6)
        yield box(left + 1.25, top + 1, wide - 2.5, 8, palette.wait_soft)
        yield text("Constraint", (left + place.right) / 2, top - 6, palette.page, 12, True, "middle")


def _facts(stage: Stage, place: Box, at: Layout, told: MapModel, palette: Palette) -> Iterable[str]:
    """What stands in a box: name, who does it, medians with their n, %C&A, and what is in it against its limit."""
    start, end, room = place.left + 11, place.right - 11, place.right - place.left - 22
    names = wrapped(stage.name, room, NAME_SIZE, True)
    for number, name in enumerate(names):
        yield text(name, start, place.top + 23 + number * NAME_LINE, palette.text, NAME_SIZE, True)
    fill = palette.primary if stage.members else palette.muted
    yield text(fitted(_who(stage), room, 11.5), start, place.top + 23 + len(names) * NAME_LINE, fill, 11.5)
    for row, name in enumerate(rows_of(told)):
        y = place.top + at.rows[row] + 12
        if name == "wip" and stage.estimate and not told.planned:
            continue
        label, n, value, known = _row(name, stage, told)
        over = name == "wip" and stage.over_limit
        yield text(label, start, y, palette.muted, 12)
        beside = start + width(label, 12) + 5
        if n and beside + width(n, 10.5) + width(value, 13, True) + 4 < end:
            yield text(n, beside, y, palette.muted, 10.5)
        yield text(value, end, y, palette.bad if over else palette.text if known else palette.muted, 13, True, "end")
        if name in stage.changes:
            yield from _was(name, stage.changes[name], end, y + 15, room, palette)
    if stage.over_limit:
        y = place.top + at.high_box - 11
        yield polygon((start, y), (start + 10, y), (start + 5, y - 9), fill=palette.bad)
        yield text(fitted("over its limit", room - 14, 11, True), start + 14, y, palette.bad, 11, True)


def _row(name: str, stage: Stage, told: MapModel) -> tuple[str, str, str, bool]:
    """One row of a box: its label, its n, its value, and whether the value is known."""
    if name == "accurate":
        return "%C&A", "", theme.rate(stage.accurate), stage.accurate is not None
    if name == "wip":
        if told.planned:
            return "WIP limit", "", theme.number(stage.wip_limit), stage.wip_limit is not None
        return "WIP", "", theme.number(stage.wip_now) + _limit(stage), stage.wip_now is not None
    hours, n = (stage.wait, stage.wait_n) if name == "wait" else (stage.work, stage.work_n)
    label = "Wait" if name == "wait" else "Work"
    if name == "work" and stage.holds:
        return label, "", "none", False
    least = "≥ " if stage.partly and hours is not None else ""
    counted = hours is not None and not told.planned and not stage.estimate
    return label + (" Σ" if stage.members else ""), f"n {n:,}" if counted else "", least + theme.duration(hours), hours is not None


def _limit(stage: Stage) -> str:
    return f" of {stage.wip_limit}" if stage.wip_limit is not None else ""


def _was(name: str, change: Change, end: float, y: float, room: float, palette: Palette) -> Iterable[str]:
    """What a number was before; a clear change in words, whatever the room, and no change only where there is room."""
    was = f"was {WRITTEN[name](change.before)}"
    if change.said in CLEAR:
        short = change.said.removeprefix("clearly ")
        said = next((one for one in (f"{change.said}, {was}", f"{short}, {was}", short) if width(one, 10.5, True) <= room), short)
        yield text(said, end, y, palette.wait_text if "longer" in said else palette.text, 10.5, True, "end")
        return
    words = [f"{was}, {change.said}"] if change.said else []
    yield text(next((one for one in [*words, was] if width(one, 10.5) <= room), was), end, y, palette.muted, 10.5, anchor="end")


def _who(stage: Stage) -> str:
    people = "" if stage.people is None else theme.many(int(stage.people), "person", "people")
    what = "estimate" if stage.estimate else "only holds work" if stage.holds else ""
    if stage.members:
        return f"Open {theme.many(len(stage.members), 'stage')}"
    return " · ".join(part for part in (what, stage.team or "", people) if part)


# Opened groups. --------------------------------------------------------------------------------------------------------


def ground(group: Group, at: Layout) -> dict[str, float]:
    """The rectangle behind the stages of an opened group."""
    boxes = [at.box(name) for name in group.members]
    left, right = min(one.left for one in boxes) - at.gap + 6, max(one.right for one in boxes) + 6
    top = min(one.top for one in boxes) - HEADER
    return {"x": left, "y": top, "width": right - left, "height": max(one.top for one in boxes) + at.high_box + 8 - top}


def header(group: Group, at: Layout) -> dict[str, float]:
    """The rectangle of an opened group's name, which closes it."""
    around = ground(group, at)
    return {"x": around["x"], "y": around["y"], "width": around["width"], "height": HEADER - 8}


def opened(group: Group, at: Layout, palette: Palette) -> str:
    """What lies behind the stages of an opened group."""
    around = ground(group, at)
    return element("rect", "", **around, rx=9.0, fill="none", stroke=palette.line, stroke_width=1.5, stroke_dasharray="2 3")


def label(group: Group, at: Layout, palette: Palette) -> str:
    """The name of an opened group, above its stages."""
    place = header(group, at)
    said = fitted(f"Close {group.name}", place["width"] - 24, 11.5)
    paper = box(place["x"] + 6, place["y"] - 8, width(said, 11.5) + 12, 16, palette.page, 4)
    return paper + text(said, place["x"] + 12, place["y"] + 4, palette.primary, 11.5)
