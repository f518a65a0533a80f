"""The value-stream map as one SVG: the same drawing on the page, in reports and in exports."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import pandas as pd

from dashboard import lanes, theme
from dashboard.svg import PAGE, Palette, box, element, escaped, fitted, line, polygon, text, width, wrapped

MARGIN, GAP = 20.0, 78.0  # beside the drawing; before each box, for what waits and the arrow
WIDE = 1260.0  # what fits a page of 1,440 pixels
NARROWEST, WIDEST = 118.0, 190.0  # a box
NAME_SIZE, NAME_LINE = 14.0, 17.0
HEAD, ROW, FOOT = 54.0, 22.0, 20.0  # of a box: above its rows, a row, and below them where a limit is exceeded
BADGE, LANE = 22.0, 25.0
LADDER_HIGH, SCALE_HIGH = 104.0, 92.0
LOOPS, SKIPS = 6, 3  # more arcs than these hide the map; the table below it has them all
HANDOFF_MOST = 0.5  # from this share of the moves on, an arrow is drawn as a handoff
SHORT = 0.5  # pixels: a stretch of the scale that cannot be seen


@dataclass(frozen=True)
class Stage:
    """One stage as it is drawn; hours, fractions and counts, None for what is not known.

    ``*_total``: the hours of all visits in the window, by which the scale is drawn; ``unsplit_total``
    those of stays of which nobody recorded how much was work. ``holds``: has no capacity.
    """

    name: str
    team: str | None = None
    people: float | None = None
    wait: float | None = None
    work: float | None = None
    wait_n: int = 0
    work_n: int = 0
    wait_mean: float | None = None
    work_mean: float | None = None
    wait_total: float = 0.0
    work_total: float = 0.0
    unsplit_total: float = 0.0
    waiting_now: int | None = None
    wip_now: int | None = None
    wip_limit: int | None = None
    accurate: float | None = None
    holds: bool = False

    @property
    def over_limit(self) -> bool:
        """Whether more is in it than its limit allows."""
        return self.wip_now is not None and self.wip_limit is not None and self.wip_now > self.wip_limit


@dataclass(frozen=True)
class Move:
    """Moves from one stage to another. ``handoff``: the share on which work changes hands; ``to_new``: who changes, in a word."""

    origin: str
    to: str
    n: int
    handoff: float | None = None
    to_new: str = "handoff"
    share: float | None = None


@dataclass(frozen=True)
class MapModel:
    """A value stream, ready to be drawn: stages in map order, moves onward, and moves back (``loops``)."""

    stages: tuple[Stage, ...]
    onward: tuple[Move, ...] = ()
    loops: tuple[Move, ...] = ()
    constraint: str | None = None
    flow_efficiency: float | None = None
    flow_efficiency_n: int = 0

    @classmethod
    def of(
        cls,
        graph: "nx.DiGraph[str]",
        constraint: str | None = None,
        loops: pd.DataFrame | None = None,
        flow_efficiency: float | None = None,
        flow_efficiency_n: int = 0,
    ) -> "MapModel":
        """From the stream's graph (`vsm.stream.graph`). `loops`: the moves back with their share, if that is to be written."""
        place = {name: position for position, name in enumerate(graph)}
        shares = {} if loops is None else {(row["from"], row["to"]): _known(row["share"]) for row in loops.to_dict("records")}
        moves = [_move(origin, to, edge, shares.get((origin, to))) for origin, to, edge in graph.edges(data=True) if origin != to]
        return cls(
            stages=tuple(_stage(name, graph.nodes[name]) for name in graph),
            onward=tuple(move for move in moves if place[move.origin] < place[move.to]),
            loops=tuple(move for move in moves if place[move.origin] > place[move.to] and move.n > 0),
            constraint=constraint if constraint in place else None,
            flow_efficiency=flow_efficiency,
            flow_efficiency_n=flow_efficiency_n,
        )


def _known(value: Any) -> Any:
    """A value, or None for any of the ways in which a frame says that there is none."""
    return None if value is None or pd.isna(value) else value


def _stage(name: str, node: dict[str, Any]) -> Stage:
    told = {key: _known(value) for key, value in node.items()}
    wait, work, dwell = (_total(told, part) for part in ("wait", "work", "dwell"))
    return Stage(
        name=name,
        team=told.get("team"),
        people=told.get("people"),
        wait=told.get("wait_p50"),
        work=told.get("work_p50"),
        wait_n=int(told.get("wait_n") or 0),
        work_n=int(told.get("work_n") or 0),
        wait_mean=told.get("wait_mean"),
        work_mean=told.get("work_mean"),
        wait_total=wait,
        work_total=work,
        unsplit_total=max(dwell - wait - work, 0.0),
        waiting_now=_whole(told.get("waiting_now")),
        wip_now=_whole(told.get("wip_now")),
        wip_limit=_whole(told.get("wip_limit")),
        accurate=told.get("percent_complete_accurate"),
        holds=told.get("has_capacity") is not None and not told["has_capacity"],
    )


def _total(told: dict[str, Any], part: str) -> float:
    """The hours of all visits: medians do not add up to anything, means times their numbers do."""
    return float(told.get(f"{part}_mean") or 0) * float(told.get(f"{part}_n") or 0)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _move(origin: str, to: str, edge: dict[str, Any], share: float | None) -> Move:
    """A move; whose change is told is the first of what is known: any handoff, another team, another person."""
    ways = (("handoff_share", "handoff"), ("team_changed", "new team"), ("person_changed", "new person"))
    told = next(((_known(edge.get(name)), word) for name, word in ways if _known(edge.get(name)) is not None), (None, "handoff"))
    # What was reopened after it was done was sent back by no stage.
    n = edge.get("sent_back", edge.get("n")) if edge.get("backward") else edge.get("n")
    return Move(origin, to, int(_known(n) or 0), told[0], told[1], share)


# In words. -------------------------------------------------------------------------------------------------------------


def sentence(stage: Stage, told: MapModel) -> str:
    """All that the drawing says of one stage, for who hears it or points at it."""
    said = [stage.name + (f", done by {stage.team}" if stage.team else "") + "."]
    if stage.name == told.constraint:
        said.append("This is the constraint.")
    said.append(
        f"{theme.many(stage.waiting_now, 'item')} waiting now." if stage.waiting_now is not None else "What waits is not known."
    )
    said.append(_median("Waits", stage.wait, stage.wait_n))
    said.append("It only holds work." if stage.holds else _median("Work takes", stage.work, stage.work_n))
    if stage.accurate is not None:
        said.append(f"{theme.rate(stage.accurate)} of what it hands on is complete and accurate.")
    if stage.wip_now is not None:
        limit = "" if stage.wip_limit is None else f", {'over its' if stage.over_limit else 'with a'} limit of {stage.wip_limit}"
        said.append(f"{stage.wip_now:,} in progress{limit}.")
    said += [
        f"{move.to_new.capitalize()} on {theme.rate(move.handoff)} of moves from {move.origin}."
        for move in told.onward
        if move.to == stage.name and move.handoff is not None
    ]
    said += [f"Sent back to {move.to} {theme.many(move.n, 'time')}." for move in told.loops if move.origin == stage.name]
    return " ".join(said)


def _median(verb: str, hours: float | None, n: int) -> str:
    return f"{verb} {theme.duration(hours)}, the median of {n:,}." if hours is not None else f"{verb}: not known."


def summary(told: MapModel) -> str:
    """The whole drawing in a sentence."""
    if not told.stages:
        return "Value-stream map without any stage."
    names = ", ".join(stage.name for stage in told.stages)
    limit = f" The constraint is {told.constraint}." if told.constraint else ""
    return f"Value-stream map of {theme.many(len(told.stages), 'stage')}: {names}.{limit}"


# The drawing. ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """Where everything is: the boxes' left and right ends, and the tops of what lies one below the other."""

    boxes: tuple[tuple[float, float], ...]
    back: tuple[tuple[Move, lanes.Way], ...]
    over: tuple[tuple[Move, lanes.Way], ...]
    top: float
    rows: float
    foot: float
    ladder: float
    scale: float
    wide: float
    high: float

    @classmethod
    def of(cls, told: MapModel) -> "Layout":
        count = len(told.stages)
        wide_box = min(max((WIDE - 2 * MARGIN) / count - GAP, NARROWEST), WIDEST)
        boxes = tuple((MARGIN + GAP + i * (wide_box + GAP), MARGIN + (i + 1) * (wide_box + GAP)) for i in range(count))
        back = _arcs(told, told.loops, LOOPS, boxes)
        over = _arcs(told, [move for move in told.onward if _place(told, move.to) - _place(told, move.origin) > 1], SKIPS, boxes)
        top = 14.0 + _deep(back) + (BADGE if told.constraint else 0.0)
        lines = max(len(wrapped(stage.name, wide_box - 22, NAME_SIZE, True)) for stage in told.stages)
        rows = top + HEAD + (lines - 1) * NAME_LINE
        foot = rows + 3 * ROW + (FOOT if any(stage.over_limit for stage in told.stages) else 0.0)
        ladder = foot + 22 + _deep(over)
        scale = ladder + LADDER_HIGH
        wide = max(boxes[-1][1] + MARGIN, 640.0)
        return cls(boxes, back, over, top, rows, foot, ladder, scale, wide, scale + SCALE_HIGH)

    def around(self, i: int, told: MapModel) -> dict[str, Any]:
        """The rectangle around a stage, its badge included."""
        left, right = self.boxes[i]
        top = self.top - (BADGE if told.stages[i].name == told.constraint else 0.0) - 5
        return {"x": left - 5, "y": top, "width": right - left + 10, "height": self.foot + 5 - top, "rx": 11.0}

    @property
    def high_box(self) -> float:
        """How high a box is."""
        return self.foot - self.top


def _place(told: MapModel, name: str) -> int:
    return next(place for place, stage in enumerate(told.stages) if stage.name == name)


def _arcs(
    told: MapModel, moves: Sequence[Move], most: int, boxes: Sequence[tuple[float, float]]
) -> tuple[tuple[Move, lanes.Way], ...]:
    """The most frequent of some moves with the ways of their arcs."""
    kept = sorted(moves, key=lambda move: -move.n)[:most]
    ends = [sorted((_place(told, move.origin), _place(told, move.to))) for move in kept]
    return tuple(zip(kept, lanes.ways([(left, right) for left, right in ends], boxes), strict=True))


def _deep(arcs: Sequence[tuple[Move, lanes.Way]]) -> float:
    """The room that arcs take above or below the boxes."""
    return LANE * (max(way.lane for _, way in arcs) + 1) + 6 if arcs else 0.0


def value_stream_svg(
    told: "MapModel | nx.DiGraph[str]",
    palette: Palette = PAGE,
    interactive: bool = True,
    selected: str | None = None,
    constraint: str | None = None,
) -> str:
    """The map as SVG: boxes with what they hold, what waits before them, loops back, the time ladder and the scale.

    A graph is drawn as ``MapModel.of(graph, constraint)``. `interactive`: each stage is a button that
    a keyboard reaches (`dashboard.map_component` answers it); else the whole is one picture.
    """
    told = told if isinstance(told, MapModel) else MapModel.of(told, constraint)
    if not told.stages:
        return _empty(palette)
    at = Layout.of(told)
    drawn = [
        *(_arc(move, way, at, told, palette) for move, way in at.back),
        *(_skip(move, way, at, told, palette) for move, way in at.over),
        *(
            _column(i, at, told, palette, None if interactive else selected) for i in range(len(told.stages))
        ),  # a button shows it itself
        *_ladder(at, told, palette),
        *_scale(at, told, palette),
    ]
    drawn = [element("g", "".join(drawn), aria_hidden="true")]
    if interactive:
        drawn += [_button(i, at, told, selected) for i in range(len(told.stages))]
    return _svg("".join(drawn), at.wide, at.high, palette, summary(told), interactive)


def _svg(drawn: str, wide: float, high: float, palette: Palette, said: str, interactive: bool) -> str:
    hatch = element("path", d="M0 6 L6 0", stroke=palette.muted, stroke_width=1.2)
    defs = element("defs", element("pattern", hatch, id="vsm-hatch", width=6, height=6, patternUnits="userSpaceOnUse"))
    paper = "" if interactive else box(0, 0, wide, high, palette.page)
    return element(
        "svg",
        defs + paper + drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {wide:.0f} {high:.0f}",
        width=f"{wide:.0f}",
        height=f"{high:.0f}",
        font_family=palette.font,
        role="group" if interactive else "img",
        aria_label=said,
    )


def _empty(palette: Palette) -> str:
    """What is drawn of a stream without stages: the outline of one, and what it lacks."""
    ghosts = [
        box(60 + i * 200, 20, 140, 92, "none", 8, stroke=palette.line, stroke_width=1.5, stroke_dasharray="5 5") for i in range(3)
    ]
    arrows = [line((205 + i * 200, 66), (255 + i * 200, 66), stroke=palette.line, dash="5 5") for i in range(2)]
    said = "No stages to draw: nothing that happened here belongs to a stage."
    words = [text(said, 330, 142, palette.muted, 13, anchor="middle")]
    return _svg("".join([*ghosts, *arrows, *words]), 660, 160, palette, said, interactive=False)


# Arcs. -----------------------------------------------------------------------------------------------------------------


def _arc(move: Move, way: lanes.Way, at: Layout, told: MapModel, palette: Palette) -> str:
    """A loop back: up from the stage that sends back, to the left, down to the one that does the work again."""
    high = _deep(at.back) - 8 - way.lane * LANE
    start, top = (at.top - (BADGE if name == told.constraint else 0) for name in (move.origin, move.to))
    end = top - 7
    path = (
        f"M{way.right:.1f} {start:.1f} V{high + 6:.1f} Q{way.right:.1f} {high:.1f} {way.right - 6:.1f} {high:.1f} "
        f"H{way.left + 6:.1f} Q{way.left:.1f} {high:.1f} {way.left:.1f} {high + 6:.1f} V{end:.1f}"
    )
    head = polygon((way.left - 5, end - 3), (way.left + 5, end - 3), (way.left, top - 1), fill=palette.bad)
    drawn = element("path", d=path, fill="none", stroke=palette.bad, stroke_width=1.6, stroke_dasharray="5 4")
    n, share = f"{move.n:,}", None if move.share is None else theme.rate(move.share)
    words = [f"{n} sent back", n] if share is None else [f"{share} sent back · {n}", f"{share} · {n}", n]
    return drawn + head + _on_line(words, way, high, palette.bad, palette)


def _skip(move: Move, way: lanes.Way, at: Layout, told: MapModel, palette: Palette) -> str:
    """A way past stages: below the boxes, from the one that is left to the one that is entered."""
    foot = at.foot
    low = foot + 14 + way.lane * LANE
    path = (
        f"M{way.left:.1f} {foot:.1f} V{low - 6:.1f} Q{way.left:.1f} {low:.1f} {way.left + 6:.1f} {low:.1f} "
        f"H{way.right - 6:.1f} Q{way.right:.1f} {low:.1f} {way.right:.1f} {low - 6:.1f} V{foot + 7:.1f}"
    )
    head = polygon((way.right - 4, foot + 8), (way.right + 4, foot + 8), (way.right, foot + 1), fill=palette.muted)
    drawn = element("path", d=path, fill="none", stroke=palette.muted, stroke_width=1.2)
    passed = told.stages[_place(told, move.origin) + 1 : _place(told, move.to)]
    what = passed[0].name if len(passed) == 1 else theme.many(len(passed), "stage")
    return drawn + head + _on_line([f"{move.n:,} past {what}", f"{move.n:,}"], way, low, palette.muted, palette)


def _on_line(words: Sequence[str], way: lanes.Way, y: float, fill: str, palette: Palette) -> str:
    """The longest of some wordings that fits a free stretch of an arc, on a piece of paper that parts the line."""
    start, end = way.free
    for said in words:
        wide = width(said, 11, bold=True) + 10
        if wide <= end - start - 14:
            middle = (start + end) / 2
            return box(middle - wide / 2, y - 8, wide, 16, palette.page) + text(said, middle, y + 4, fill, 11, True, "middle")
    return ""


# Boxes. ----------------------------------------------------------------------------------------------------------------


def _column(i: int, at: Layout, told: MapModel, palette: Palette, selected: str | None) -> str:
    stage = told.stages[i]
    left, right = at.boxes[i]
    parts = [_triangle(stage, left - GAP / 2, at.top, palette), _arrow(i, at, told, palette)]
    parts += [_frame(stage, left, right, at, stage.name == told.constraint, palette), *_facts(stage, left, right, at, palette)]
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


def _arrow(i: int, at: Layout, told: MapModel, palette: Palette) -> str:
    """From the stage before: an arrow where work comes from there, with who is new to it where that is most of the times."""
    left, y = at.boxes[i][0], at.top + 86
    if i == 0:
        return ""
    before = told.stages[i - 1].name
    found = next((move for move in told.onward if (move.origin, move.to) == (before, told.stages[i].name)), None)
    start, end, middle = left - GAP + 7, left - 7, left - GAP / 2
    if found is None:
        return line((start, y), (end, y), stroke=palette.line, thick=1.5, dash="2 4")
    often = found.handoff is not None and found.handoff >= HANDOFF_MOST
    drawn = line((start, y), (end - 7, y), stroke=palette.muted, thick=2.0)
    drawn += polygon((end - 9, y - 5), (end - 9, y + 5), (end, y), fill=palette.muted)
    if often:
        drawn += polygon(
            (middle - 6, y), (middle, y - 6), (middle + 6, y), (middle, y + 6), fill=palette.page, stroke=palette.muted
        )
        drawn += text(found.to_new, middle, y + 22, palette.muted, 11, anchor="middle")
        drawn += text(theme.rate(found.handoff), middle, y + 36, palette.muted, 11, anchor="middle")
    return drawn


def _frame(stage: Stage, left: float, right: float, at: Layout, constraint: bool, palette: Palette) -> str:
    """The box: dashed where it only holds work, with a badge where it is the constraint."""
    top, wide = at.top, right - left
    stroke, thick = (palette.wait_text, 2.5) if constraint else (palette.muted if stage.holds else palette.line, 1.5)
    fill = palette.wait_soft if constraint else palette.page if stage.holds else palette.panel
    dash = "6 4" if stage.holds else None
    drawn = box(left, top, wide, at.high_box, fill, 7, stroke=stroke, stroke_width=thick, stroke_dasharray=dash)
    if constraint:
        drawn += box(left - 1.25, top - BADGE, wide + 2.5, BADGE + 6, palette.wait_text, 6)
        drawn += box(left + 1.25, top + 1, wide - 2.5, 8, palette.wait_soft)
        drawn += text("Constraint", (left + right) / 2, top - 6, palette.page, 12, True, "middle")
    return drawn


def _facts(stage: Stage, left: float, right: float, at: Layout, palette: Palette) -> Iterable[str]:
    """What stands in a box: name, who does it, the work's median with its n, %C&A, and what is in it against its limit."""
    start, end, room = left + 11, right - 11, right - left - 22
    names = wrapped(stage.name, room, NAME_SIZE, True)
    for number, name in enumerate(names):
        yield text(name, start, at.top + 23 + number * NAME_LINE, palette.text, NAME_SIZE, True)
    yield text(fitted(_who(stage), room, 11.5), start, at.top + 23 + len(names) * NAME_LINE, palette.muted, 11.5)
    work = "none" if stage.holds else theme.duration(stage.work)
    rows = (
        ("Work", "" if stage.holds or stage.work is None else f"n {stage.work_n:,}", work, stage.work is not None),
        ("%C&A", "", theme.rate(stage.accurate), stage.accurate is not None),
        ("WIP", "", _against_limit(stage), stage.wip_now is not None),
    )
    for row, (name, n, value, known) in enumerate(rows):
        y = at.rows + 12 + row * ROW
        over = name == "WIP" and stage.over_limit
        yield text(name, start, y, palette.muted, 12)
        beside = start + width(name, 12) + 5
        if n and beside + width(n, 10.5) + width(value, 13, True) + 4 < end:
            yield text(n, beside, y, palette.muted, 10.5)
        yield text(value, end, y, palette.bad if over else palette.text if known else palette.muted, 13, True, "end")
    if stage.over_limit:
        y = at.foot - 11
        yield polygon((start, y), (start + 10, y), (start + 5, y - 9), fill=palette.bad)
        yield text(fitted("over its limit", room - 14, 11, True), start + 14, y, palette.bad, 11, True)


def _who(stage: Stage) -> str:
    people = "" if stage.people is None else theme.many(int(stage.people), "person", "people")
    return " · ".join(part for part in (stage.team or "", people, "only holds work" if stage.holds else "") if part)


def _against_limit(stage: Stage) -> str:
    return theme.number(stage.wip_now) + (f" of {stage.wip_limit}" if stage.wip_limit is not None else "")


# Time. -----------------------------------------------------------------------------------------------------------------


def _ladder(at: Layout, told: MapModel, palette: Palette) -> Iterable[str]:
    """The time ladder: up where an item waits, down where it is worked on; all in one step up where work is only held."""
    high, low = at.ladder + 40, at.ladder + 66
    yield text("Time ladder", MARGIN, at.ladder + 4, palette.text, 12.5, True)
    beside = MARGIN + width("Time ladder", 12.5, True) + 10
    yield text("a visit's median wait (up) and work (down)", beside, at.ladder + 4, palette.muted, 11.5)
    points = []
    for stage, (left, right) in zip(told.stages, at.boxes, strict=True):
        slowest = stage.name == told.constraint
        up = right if stage.holds else left
        points += [(left - GAP, high), (up, high)] + ([] if stage.holds else [(left, low), (right, low)])
        yield text(
            theme.duration(stage.wait),
            (left - GAP + up) / 2,
            high - 7,
            palette.wait_text if slowest else palette.text,
            12,
            slowest,
            "middle",
        )
        if not stage.holds:
            yield text(theme.duration(stage.work), (left + right) / 2, low + 17, palette.text, 12, anchor="middle")
        if stage.wait is None:
            yield text("not known", left - GAP / 2, high + 14, palette.muted, 10.5, anchor="middle")
        if stage.work is None and not stage.holds:
            yield text("not known", (left + right) / 2, low - 7, palette.muted, 10.5, anchor="middle")
    yield line(*points, stroke=palette.muted, thick=2.0)


def _scale(at: Layout, told: MapModel, palette: Palette) -> Iterable[str]:
    """Where the time goes, to scale: the hours of all visits, stage by stage, waiting and working apart."""
    y, full = at.scale + 18, at.wide - 2 * MARGIN
    title = "Where the time goes, to scale"
    yield text(title, MARGIN, at.scale + 4, palette.text, 12.5, True)
    hours = sum(stage.wait_total + stage.work_total + stage.unsplit_total for stage in told.stages)
    if not hours:
        yield box(MARGIN, y, full, 20, "none", 4, stroke=palette.line, stroke_dasharray="5 5")
        yield text("not known: no visit ended in this window", at.wide / 2, y + 14, palette.muted, 11.5, anchor="middle")
        return
    yield text("below: means of a visit", MARGIN + width(title, 12.5, True) + 10, at.scale + 4, palette.muted, 11.5)
    yield from _legend(at, told, hours, palette)
    x = MARGIN
    for stage in told.stages:
        begin = x
        for part, fill in (
            (stage.wait_total, palette.wait),
            (stage.work_total, palette.work),
            (stage.unsplit_total, "url(#vsm-hatch)"),
        ):
            long = part / hours * full
            if long >= SHORT:
                yield box(x, y, long, 20, fill, stroke=palette.page, stroke_width=0.8)
            x += long
        yield from _bracket(stage, begin, x, y + 20, stage.name == told.constraint, palette)


def _bracket(stage: Stage, begin: float, end: float, y: float, constraint: bool, palette: Palette) -> Iterable[str]:
    """Under the scale: which stage a stretch is, and the means that make it; as much as there is room for."""
    if end - begin < 3:
        return
    yield line((begin + 1.5, y + 4), (begin + 1.5, y + 8), (end - 1.5, y + 8), (end - 1.5, y + 4), stroke=palette.muted, thick=1.0)
    name = fitted(stage.name, end - begin - 4, 11.5, constraint)
    if len(name) > 3 or name == stage.name:
        yield text(name, (begin + end) / 2, y + 22, palette.text, 11.5, constraint, "middle")
    means = [
        f"{word} {theme.duration(mean)}"
        for word, mean in (("wait", stage.wait_mean), ("work", stage.work_mean))
        if mean is not None
    ]
    for said in (" · ".join(means), means[0] if means else ""):
        if said and width(said, 11) <= end - begin - 4:
            yield text(said, (begin + end) / 2, y + 37, palette.muted, 11, anchor="middle")
            return


def _legend(at: Layout, told: MapModel, hours: float, palette: Palette) -> Iterable[str]:
    """What the scale's colours say, and the flow efficiency where it was measured; from the right."""
    x, y = at.wide - MARGIN, at.scale + 4
    if told.flow_efficiency is not None:
        said = f"flow efficiency {theme.rate(told.flow_efficiency)} (n {told.flow_efficiency_n:,})"
        yield text(said, x, y, palette.text, 12, True, "end")
        x -= width(said, 12, True) + 18
    keys = [("waiting", palette.wait), ("working", palette.work)]
    if any(stage.unsplit_total / hours * (at.wide - 2 * MARGIN) >= SHORT for stage in told.stages):
        keys.append(("not known which", "url(#vsm-hatch)"))
    for word, fill in reversed(keys):
        x -= width(word, 11.5)
        yield text(word, x, y, palette.muted, 11.5)
        yield box(x - 17, y - 10, 12, 12, fill, 2)
        x -= 32


def _button(i: int, at: Layout, told: MapModel, selected: str | None) -> str:
    """The stage as a button: nothing to see, but to point at, to reach by keyboard and to hear."""
    stage = told.stages[i]
    said = sentence(stage, told)
    return element(
        "rect",
        element("title", escaped(said)),
        **at.around(i, told),
        fill="transparent",
        class_="stage",
        role="button",
        tabindex=0,
        aria_label=said,
        aria_pressed="true" if stage.name == selected else "false",
        data_stage=stage.name,
    )
