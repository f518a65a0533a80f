"""The value-stream map as an SVG: one drawing for the page, the exports and the slides."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import networkx as nx

from vsm.report import NONE, duration

Palette = dict[str, str]
Stage = dict[str, Any]

PAGE: Palette = {  # follows the reader's theme, light or dark, without being drawn again
    "font": "var(--st-font)",
    "ground": "var(--st-background-color)",
    "panel": "var(--st-secondary-background-color)",
    "text": "var(--st-text-color)",
    "muted": "color-mix(in srgb, var(--st-text-color) 75%, var(--st-background-color))",
    "line": "color-mix(in srgb, var(--st-text-color) 25%, var(--st-background-color))",
    "stroke": "color-mix(in srgb, var(--st-text-color) 55%, var(--st-background-color))",
    "accent": "var(--st-primary-color)",
    "alarm": "color-mix(in srgb, var(--st-red-color) 70%, var(--st-text-color))",
    "wait": "color-mix(in srgb, var(--st-orange-color) 50%, var(--st-background-color))",
    "long": "var(--st-orange-color)",
    "hot": "color-mix(in srgb, var(--st-orange-color) 60%, var(--st-text-color))",
    "warm": "color-mix(in srgb, var(--st-orange-color) 12%, var(--st-background-color))",
    "work": "var(--st-blue-color)",
}
LIGHT: Palette = {  # plain hex, because the renderers of exports know no CSS variables
    "font": "'Source Sans 3', 'Source Sans Pro', Arial, sans-serif",
    "ground": "#ffffff",
    "panel": "#f5f7fb",
    "text": "#0f172a",
    "muted": "#475569",
    "line": "#cbd5e1",
    "stroke": "#64748b",
    "accent": "#1d4ed8",
    "alarm": "#9f1d2f",
    "wait": "#f3b48f",
    "long": "#e2702f",
    "hot": "#9a3d0c",
    "warm": "#fff4ea",
    "work": "#3b7ff0",
}
DARK: Palette = {
    "font": "'Source Sans 3', 'Source Sans Pro', Arial, sans-serif",
    "ground": "#0e1117",
    "panel": "#1b2130",
    "text": "#f1f5f9",
    "muted": "#b3bdcc",
    "line": "#3b4557",
    "stroke": "#94a3b8",
    "accent": "#7ba6ff",
    "alarm": "#ff9aa5",
    "wait": "#8a4e2c",
    "long": "#f28544",
    "hot": "#ffb98c",
    "warm": "#33231a",
    "work": "#5b93f5",
}

HANDOFF = 0.5  # below half, passing work on within the same hands is the rule and a label would say the exception
KINDS = {"wait": "waiting", "work": "working", "stay": "wait or work"}
COLOUR = {"wait": "wait", "work": "work", "stay": "stroke"}
LOOPS = 8  # more arcs than this are a knot that nobody follows; the rest is counted in words
MARGIN, GAP, BOX, HEIGHT, LINE, LANE = 20, 92, 140, 146, 17, 24
NARROWEST = 640
BADGE = 78
ROOMY, TIGHT = 1.25, 0.85  # how far the drawing may grow, and shrink before it scrolls: small type stays above 9 px


@dataclass(frozen=True)
class Loop:
    """A way back: from a stage to an earlier one, how often, and which share of what leaves the first goes this way."""

    source: str
    target: str
    n: int
    share: float | None
    left: float = 0
    right: float = 0
    lane: int = 0

    @property
    def label(self) -> str:
        return f"{self.n} sent back" if self.share is None else f"{percent(self.share)} sent back · {self.n}"


@dataclass(frozen=True)
class Segment:
    """A piece of the strip to scale: a median in hours, and what happens in it (wait, work or stay)."""

    stage: str
    kind: str
    hours: float


@dataclass(frozen=True)
class Sheet:
    """What all parts of a drawing share: the x of every box, the y of their tops, how tall they are, what stands out."""

    places: dict[str, float]
    top: float
    tall: float
    palette: Palette
    constraint: str | None
    selected: str | None


def value_stream_svg(
    stream: "nx.DiGraph[str]",
    constraint: str | None = None,
    selected: str | None = None,
    palette: Palette = PAGE,
    interactive: bool = True,
) -> str:
    """The map of a stream: boxes, queues, handoffs, ways back, the ladder, and a strip to scale. Durations are medians."""
    stages = [stream.nodes[name] | {"stage": name} for name in _in_order(stream)]
    if not stages:
        return _nothing(palette)
    places = {stage["stage"]: MARGIN + GAP + place * (BOX + GAP) for place, stage in enumerate(stages)}
    loops, left_out = loops_of(stream, places, constraint)
    tall = HEIGHT + LINE * (max(len(_name_lines(stage["stage"])) for stage in stages) - 1)
    top = MARGIN + 14 + LANE * max((loop.lane + 1 for loop in loops), default=0)
    sheet = Sheet(places, top, tall, palette, constraint, selected)
    body, width, height = _drawing(stream, stages, loops, left_out, sheet)
    drawn = f'<g aria-hidden="true">{body}</g>'
    buttons = "".join(_button(stage, sheet) for stage in stages) if interactive else ""
    return _svg(width, height, _summary(stages, loops, constraint), drawn + buttons, palette, interactive)


def _drawing(
    stream: "nx.DiGraph[str]", stages: list[Stage], loops: list[Loop], left_out: list[Loop], sheet: Sheet
) -> tuple[str, float, float]:
    """All that is drawn, later parts over earlier ones, with its width and height."""
    width = max(MARGIN * 2 + len(stages) * (BOX + GAP), NARROWEST)
    ladder = sheet.top + sheet.tall + 36
    strip, notes = ladder + 90, _notes(stream, stages, left_out)
    body = [
        *(_arc(loop, sheet) for loop in loops),
        *(_arrow(stream, one["stage"], two["stage"], sheet) for one, two in pairwise(stages)),
        *(_box(stage, sheet) + _queue(stage, sheet) for stage in stages),
        *(_label(loop, loops, sheet) for loop in loops),
        *(_step(stage, number, ladder, sheet) for number, stage in enumerate(stages)),
        _strip(stages, strip, width - 2 * MARGIN, sheet),
        *(_text(MARGIN, strip + 78 + 17 * row, note, sheet.palette, fill="muted") for row, note in enumerate(notes)),
    ]
    return "".join(body), width, strip + (66 if not notes else 74 + 17 * len(notes))


def loops_of(stream: "nx.DiGraph[str]", places: dict[str, float], constraint: str | None) -> tuple[list[Loop], list[Loop]]:
    """The ways back with the ends and the lane each is drawn in, and those left out because there are too many."""
    found = [
        Loop(source, target, int(edge["n"]), _sent(stream, source, edge["n"]))
        for source, target, edge in stream.edges(data=True)
        if edge.get("backward") and source != target and edge.get("n")
    ]
    found.sort(key=lambda loop: (-loop.n, loop.source, loop.target))
    return _laned(_with_ends(found[:LOOPS], places, constraint)), found[LOOPS:]


def said(stage: Stage, constraint: str | None = None) -> str:
    """A stage in a sentence, for who does not see the drawing."""
    team, limit = stage.get("team"), _known(stage, "wip_limit")
    wait, work, stay = (_known(stage, name) for name in ("wait_p50", "work_p50", "dwell_p50"))
    told = [f"{stage['stage']}, done by {team}." if team else f"{stage['stage']}."]
    if _holds(stage):
        told.append(f"Only holds work. {_waits(wait)}.")
    else:
        told.append(f"{_waits(wait)}, " + (f"then {duration(work)} of work." if work is not None else "work not known."))
    if wait is None and work is None and stay is not None:
        told.append(f"Stays {duration(stay)}.")
    now = _known(stage, "wip_now")
    told.append(
        "In it now: not known." if now is None else f"{now:.0f} in it now" + (f", limit {limit:.0f}." if limit is not None else ".")
    )
    return " ".join([*told, "Constraint."] if stage["stage"] == constraint else told)


def percent(value: float | None) -> str:
    """A fraction without decimals; never 0 % or 100 % for what is only nearly so."""
    if value is None:
        return NONE
    if 0 < value < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= value < 1 else f"{value * 100:.0f} %"


# What the graph says. -----------------------------------------------------------------------------


def _in_order(stream: "nx.DiGraph[str]") -> list[str]:
    return sorted(stream, key=lambda name: stream.nodes[name].get("position", 0))


def _known(stage: Stage, name: str) -> float | None:
    """A figure of a stage; None where it is missing, however that is written."""
    value = stage.get(name)
    return None if value is None or value != value else float(value)


def _holds(stage: Stage) -> bool:
    return stage.get("has_capacity") is False


def _over(stage: Stage) -> bool:
    limit, now = _known(stage, "wip_limit"), _known(stage, "wip_now")
    return limit is not None and now is not None and now > limit


def _waits(hours: float | None) -> str:
    return "Wait not known" if hours is None else f"Waits {duration(hours)}"


def _sent(stream: "nx.DiGraph[str]", source: str, n: float) -> float | None:
    """The share of what leaves a stage; the last stage has moves back only, yet most of what leaves it is done."""
    moved = sum(edge.get("n") or 0 for _, _, edge in stream.out_edges(source, data=True))
    left = _known(stream.nodes[source], "departures")
    if left is None and not any(not edge.get("backward") for _, _, edge in stream.out_edges(source, data=True)):
        return None
    return n / max(moved, left or 0)


def _segments(stages: list[Stage]) -> list[Segment]:
    """The medians in order; a stay that is not told apart into wait and work is one piece."""
    found = []
    for stage in stages:
        hours = {kind: _known(stage, f"{kind}_p50") for kind in ("wait", "work")}
        if hours["wait"] is None and hours["work"] is None:
            hours = {"stay": _known(stage, "dwell_p50")}
        found += [Segment(stage["stage"], kind, value) for kind, value in hours.items() if value is not None]
    return found


def _unknown(stages: list[Stage]) -> list[str]:
    """Which medians are missing; a stage that only holds work has no work to know."""
    return [
        f"{kind} at {stage['stage']}"
        for stage in stages
        for kind in ("wait", "work")
        if _known(stage, f"{kind}_p50") is None and not (kind == "work" and _holds(stage))
    ]


def _notes(stream: "nx.DiGraph[str]", stages: list[Stage], left_out: list[Loop]) -> list[str]:
    """What the drawing leaves out, in words."""
    place = {stage["stage"]: number for number, stage in enumerate(stages)}
    skips = [edge["n"] for a, b, edge in stream.edges(data=True) if edge.get("n") and place[b] - place[a] > 1]
    unknown, notes = _unknown(stages), []
    if unknown:
        more = f" and {len(unknown) - 4} more" if len(unknown) > 4 else ""
        notes.append(f"Not known: {', '.join(_short(one, 150, 12) for one in unknown[:4])}{more}.")
    if skips:
        notes.append(f"Not drawn: {_moves(sum(skips))} past a stage.")
    if left_out:
        notes.append(f"Not drawn: {len(left_out)} rarer ways back, {_moves(sum(loop.n for loop in left_out))}.")
    return notes


def _moves(n: float) -> str:
    return f"{n:.0f} move{'s' if n != 1 else ''}"


def _summary(stages: list[Stage], loops: list[Loop], constraint: str | None) -> str:
    back = "; ".join(f"{loop.source} to {loop.target}: {loop.label}" for loop in loops)
    return (
        f"Value-stream map of {len(stages)} stage{'s' if len(stages) != 1 else ''}."
        + (f" Constraint: {constraint}." if constraint in {stage["stage"] for stage in stages} else "")
        + (f" Rework: {back}." if back else "")
    )


# Ways back: ends on the boxes, lanes above them. --------------------------------------------------


def _with_ends(loops: list[Loop], places: dict[str, float], constraint: str | None) -> list[Loop]:
    """Each way back with its x at both stages. Ways out stand left of ways in and long ones outside, so that few cross."""
    ends: dict[str, list[tuple[bool, float, int]]] = defaultdict(list)
    for number, loop in enumerate(loops):
        span = places[loop.source] - places[loop.target]
        ends[loop.source].append((False, span, number))
        ends[loop.target].append((True, -span, number))
    at: dict[tuple[int, bool], float] = {}
    for name, found in ends.items():
        first = places[name] + (BADGE + 22 if name == constraint else 22)
        room = places[name] + BOX - 22 - first
        for rank, (arrives, _, number) in enumerate(sorted(found)):
            at[number, arrives] = first + room * (rank + 1) / (len(found) + 1)
    return [
        Loop(loop.source, loop.target, loop.n, loop.share, at[number, True], at[number, False]) for number, loop in enumerate(loops)
    ]


def _laned(loops: list[Loop]) -> list[Loop]:
    """Each way back in the lowest lane that is free over its whole length, short ones first."""
    done: list[Loop] = []
    for loop in sorted(loops, key=lambda one: (one.right - one.left, one.left)):
        taken = {other.lane for other in done if other.left < loop.right + 12 and loop.left < other.right + 12}
        lane = next(number for number in range(len(done) + 1) if number not in taken)
        done.append(Loop(loop.source, loop.target, loop.n, loop.share, loop.left, loop.right, lane))
    return done


def _lane_y(loop: Loop, top: float) -> float:
    return top - 26 - LANE * loop.lane


def _arc(loop: Loop, sheet: Sheet) -> str:
    top, colour = sheet.top, sheet.palette["alarm"]
    y, tip = _lane_y(loop, top), top - 3
    path = f"M{loop.right:.1f} {top} V{y + 8} Q{loop.right:.1f} {y} {loop.right - 8:.1f} {y}"
    path += f" H{loop.left + 8:.1f} Q{loop.left:.1f} {y} {loop.left:.1f} {y + 8} V{tip - 7}"
    return _line(path, colour, "5 4") + _head(loop.left, tip, colour, down=True)


def label_box(loop: Loop, loops: Iterable[Loop], top: float) -> tuple[float, float, float, float]:
    """Where the label of a way back lies (x, y, width, height): on its own line, off the ends of the others where it can."""
    wide, y = _width(loop.label, 12, bold=True) + 6, _lane_y(loop, top)
    legs = [x for other in loops if other.lane > loop.lane for x in (other.left, other.right)]
    middle = (loop.left + loop.right) / 2
    steps = range(int(max(loop.right - loop.left - wide - 24, 0) / 2) + 1)
    tries = sorted({middle + sign * step for step in steps for sign in (1, -1)}, key=lambda x: abs(x - middle))
    free = (x for x in tries if all(abs(x - leg) > wide / 2 + 3 for leg in legs))
    return next(free, middle) - wide / 2, y - 9, wide, 18


def _label(loop: Loop, loops: list[Loop], sheet: Sheet) -> str:
    palette = sheet.palette
    x, y, wide, high = label_box(loop, loops, sheet.top)
    behind = f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{high}" fill="{palette["ground"]}"/>'
    words = _text(x + wide / 2, y + 13, loop.label, palette, 12, "alarm", "middle", bold=True, role="loop")
    return behind + words


# The upper half: boxes, queues, arrows. -----------------------------------------------------------


def _box(stage: Stage, sheet: Sheet) -> str:
    name, palette, x, top = stage["stage"], sheet.palette, sheet.places[stage["stage"]], sheet.top
    lines = _name_lines(name)
    under = top + 29 + LINE * len(lines)
    first = top + sheet.tall - 75
    parts = [
        _frame(stage, sheet),
        *(_text(x + 14, top + 29 + LINE * row, line, palette, 15, bold=True) for row, line in enumerate(lines)),
        _text(x + 14, under, _short(_who(stage), BOX - 26, 12), palette, 12, "muted"),
        *(_row(label, value, x, first + 20 * row, loud, palette) for row, (label, value, loud) in enumerate(_rows(stage))),
    ]
    return "".join([*parts, _badge(x, top, palette)] if name == sheet.constraint else parts)


def _frame(stage: Stage, sheet: Sheet) -> str:
    """The outline of a box: rounder and dashed where work is only held, strong where it is the constraint or chosen."""
    hot, chosen, holds, palette = stage["stage"] == sheet.constraint, stage["stage"] == sheet.selected, _holds(stage), sheet.palette
    stroke = palette["accent" if chosen else "hot" if hot else "stroke" if holds else "line"]
    dashes = ' stroke-dasharray="6 4"' if holds else ""
    return (
        f'<rect x="{sheet.places[stage["stage"]]}" y="{sheet.top}" width="{BOX}" height="{sheet.tall}" rx="{26 if holds else 6}" '
        f'fill="{palette["warm" if hot else "ground" if holds else "panel"]}" stroke="{stroke}" '
        f'stroke-width="{3 if chosen else 2 if hot else 1.25}"{dashes}/>'
    )


def _name_lines(name: str) -> list[str]:
    """A name in one line or two, cut where even two are too short."""
    room, words = BOX - 26, name.split()
    if _width(name, 15, bold=True) <= room or len(words) < 2:
        return [_short(name, room, 15, bold=True)]
    first = words.pop(0)
    while words and _width(f"{first} {words[0]}", 15, bold=True) <= room:
        first = f"{first} {words.pop(0)}"
    return [_short(line, room, 15, bold=True) for line in (first, " ".join(words)) if line]


def _who(stage: Stage) -> str:
    """Who works there: the team, how many people; the last goes first where there is no room for all."""
    people = _known(stage, "people")
    heads = None if not people else f"{people:.0f} {'person' if people == 1 else 'people'}"
    parts = [part for part in ("holds work" if _holds(stage) else None, stage.get("team"), heads) if part]
    while len(parts) > 1 and _width(" · ".join(parts), 12) > BOX - 26:
        parts.pop()
    return " · ".join(parts)


def _rows(stage: Stage) -> list[tuple[str, str, bool]]:
    """The figures in a box: label, value, whether it is an alarm."""
    now, limit = _known(stage, "wip_now"), _known(stage, "wip_limit")
    count = NONE if now is None else f"{now:.0f}" + ("" if limit is None else f" / {limit:.0f}")
    figures = [(name.capitalize(), duration(_known(stage, f"{name}_p50")), False) for name in ("wait", "work")]
    if _holds(stage) and _known(stage, "work_p50") is None:
        figures[1] = ("Work", "none", False)
    over = _over(stage)
    return [
        *figures,
        ("%C&A", percent(_known(stage, "percent_complete_accurate")), False),
        ("WIP over" if over else "WIP", count, over),
    ]


def _row(label: str, value: str, x: float, y: float, loud: bool, palette: Palette) -> str:
    fill = "alarm" if loud else "text"
    return _text(x + 14, y, label, palette, 13, "alarm" if loud else "muted", bold=loud) + _text(
        x + BOX - 14, y, value, palette, 13, fill, "end", bold=True, role="figure"
    )


def _badge(x: float, top: float, palette: Palette) -> str:
    pill = f'<rect x="{x + 10}" y="{top - 11}" width="{BADGE}" height="22" rx="11" fill="{palette["hot"]}"/>'
    return pill + _text(x + 10 + BADGE / 2, top + 4, "Constraint", palette, 12, "ground", "middle", bold=True)


def _queue(stage: Stage, sheet: Sheet) -> str:
    """The triangle before a box: how many wait there now, and the median wait."""
    middle, waiting = sheet.places[stage["stage"]] - GAP / 2, _known(stage, "waiting_now")
    palette, top, hot = sheet.palette, sheet.top, stage["stage"] == sheet.constraint
    shape = (
        f'<path d="M{middle} {top + 6} l24 40 h-48 z" fill="{palette["warm"]}" stroke="{palette["hot" if hot else "stroke"]}" '
        f'stroke-width="{2 if hot else 1.25}" stroke-linejoin="round"/>'
    )
    count = NONE if waiting is None else f"{waiting:.0f}"
    wait = duration(_known(stage, "wait_p50"))
    fill = "hot" if hot else "text"
    return (
        shape
        + _text(middle, top + 39, count, palette, 13, fill, "middle", bold=True, role="figure")
        + _text(middle, top + 62, wait, palette, 12, fill, "middle", bold=hot, role="figure")
    )


def _arrow(stream: "nx.DiGraph[str]", one: str, two: str, sheet: Sheet) -> str:
    """The arrow to the next stage, with the share of moves that change hands where that is the rule."""
    if not stream.has_edge(one, two):
        return ""
    palette, start, end, y = sheet.palette, sheet.places[one] + BOX, sheet.places[two], sheet.top + sheet.tall - 58
    parts = [_line(f"M{start + 4} {y} H{end - 12}", palette["stroke"]), _head(end - 4, y, palette["stroke"])]
    found = handoff(stream.edges[one, two])
    if found:
        value, whose = found
        middle = (start + end) / 2
        parts.append(_text(middle, y + 17, f"handoff {percent(value)}", palette, 12, "text", "middle", role="figure"))
        parts.append(_text(middle, y + 32, whose, palette, 12, "muted", "middle"))
    return "".join(parts)


def handoff(edge: dict[str, Any]) -> tuple[float, str] | None:
    """The share of moves that change hands where it is high: another team weighs more than another person."""
    for name, whose in (("team_changed", "other team"), ("person_changed", "other person")):
        value = _known(edge, name)
        if value is not None and value >= HANDOFF:
            return value, whose
    return None


# The lower half: the ladder, the strip to scale. --------------------------------------------------


def _step(stage: Stage, number: int, y: float, sheet: Sheet) -> str:
    """A step of the ladder: the wait up, the work down, as wide as queue and box; dotted where there is no figure."""
    palette, x, low = sheet.palette, sheet.places[stage["stage"]], y + 26
    wait, work, hot = _known(stage, "wait_p50"), _known(stage, "work_p50"), stage["stage"] == sheet.constraint
    rise = f"M{x - GAP} {low} V{y}" if number else f"M{x - GAP} {y}"
    none = "no work here" if _holds(stage) else NONE
    return (
        _line(f"{rise} H{x} V{low}", palette["hot" if hot else "stroke"], "" if wait is not None else "2 4")
        + _line(f"M{x} {low} H{x + BOX}", palette["stroke"], "" if work is not None else "2 4")
        + _text(x - GAP / 2, y - 6, duration(wait), palette, 12, "hot" if hot else "text", "middle", hot, role="figure")
        + _text(x + BOX / 2, low + 16, none if work is None else duration(work), palette, 12, "text", "middle", role="figure")
    )


def _strip(stages: list[Stage], y: float, width: float, sheet: Sheet) -> str:
    """The same medians to scale: waits stand higher than work, so that the two differ by more than colour."""
    segments = _segments(stages)
    total = sum(segment.hours for segment in segments)
    head = _text(MARGIN, y, _totals(segments, total, _unknown(stages)), sheet.palette, 13, bold=True)
    if not total:
        return head
    parts, x = [head, _legend(segments, MARGIN + width, y, sheet.palette)], float(MARGIN)
    for segment in segments:
        wide = width * segment.hours / total
        parts.append(_piece(segment, x, y + 14, wide, segment.stage == sheet.constraint, sheet.palette))
        x += wide
    return "".join(parts)


def _totals(segments: list[Segment], total: float, unknown: list[str]) -> str:
    if not total:
        return "No times known yet" if not segments else "The medians in a row take no time"
    known = "The known medians" if unknown else "The medians"
    return f"{known} in a row, to scale: {duration(total)}"


def _legend(segments: list[Segment], right: float, y: float, palette: Palette) -> str:
    """What each kind adds up to, with its colour; the share of work only where no piece is of unknown kind."""
    present = [kind for kind in KINDS if any(one.kind == kind for one in segments)]
    sums = {kind: sum(one.hours for one in segments if one.kind == kind) for kind in present}
    parts = []
    if present == ["wait", "work"]:
        words = f"{percent(sums['work'] / (sums['wait'] + sums['work']))} of it work"
        parts.append(_text(right, y, words, palette, 13, "text", "end", bold=True))
        right -= _width(words, 13, bold=True) + 14
    for kind in reversed(present):
        words = f"{KINDS[kind]} {duration(sums[kind])}"
        right -= _width(words, 13)
        parts.append(_text(right, y, words, palette, 13, "muted"))
        parts.append(f'<rect x="{right - 16:.1f}" y="{y - 10}" width="11" height="11" rx="2" fill="{palette[COLOUR[kind]]}"/>')
        right -= 26
    return "".join(parts)


def _piece(segment: Segment, x: float, y: float, wide: float, hot: bool, palette: Palette) -> str:
    colour = "long" if hot and segment.kind == "wait" else COLOUR[segment.kind]
    down = 8 if segment.kind == "work" else 0
    drawn = max(wide - 1, 0.75)  # a hair of ground between pieces, and never so thin that a piece is lost
    bar = f'<rect x="{x:.2f}" y="{y + down}" width="{drawn:.2f}" height="16" fill="{palette[colour]}"/>'
    what = f"{segment.stage} {segment.kind}"
    fits = [text for text in (f"{what} {duration(segment.hours)}", what, segment.stage) if _width(text, 12) + 8 <= wide]
    if not fits:
        return bar
    return bar + _text(x + wide / 2, y + 40, fits[0], palette, 12, "hot" if hot else "muted", "middle", role="scale")


# Strokes and words. -------------------------------------------------------------------------------


def _svg(width: float, height: float, label: str, body: str, palette: Palette, interactive: bool) -> str:
    role = "group" if interactive else "img"
    style = f"min-width:{width * TIGHT:.0f}px;max-width:{width * ROOMY:.0f}px"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="100%" role="{role}" '
        f'aria-label="{_safe(label)}" style="{style}" font-family="{_safe(palette["font"])}">'
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="{palette["ground"]}"/>{body}</svg>'
    )


def _nothing(palette: Palette) -> str:
    words = f'<g aria-hidden="true">{_text(NARROWEST / 2, 64, "No stages yet", palette, 15, "muted", "middle")}</g>'
    return _svg(NARROWEST, 120, "No stages yet", words, palette, interactive=False)


def _button(stage: Stage, sheet: Sheet) -> str:
    """The part of a stage that takes clicks and keys. A label on drawn text would have to repeat it (WCAG 2.5.3)."""
    name, x, y = stage["stage"], sheet.places[stage["stage"]] - 3, sheet.top - 3
    return (
        f'<rect role="button" tabindex="0" class="stage" aria-pressed="{"true" if name == sheet.selected else "false"}" '
        f'data-id="{_safe(name)}" aria-label="{_safe(said(stage, sheet.constraint))}" x="{x}" y="{y}" '
        f'width="{BOX + 6}" height="{sheet.tall + 6}" rx="8" fill="transparent"><title>{_safe(name)}</title></rect>'
    )


def _text(
    x: float,
    y: float,
    words: str,
    palette: Palette,
    size: int = 12,
    fill: str = "text",
    anchor: str = "start",
    bold: bool = False,
    role: str = "",
) -> str:
    kind = f' class="{role}"' if role else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{700 if bold else 400}" text-anchor="{anchor}" '
        f'fill="{palette[fill]}"{kind}>{_safe(words)}</text>'
    )


def _line(path: str, colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dashed}/>'


def _head(x: float, y: float, colour: str, down: bool = False) -> str:
    corners = f"{x},{y} {x - 5},{y - 9} {x + 5},{y - 9}" if down else f"{x},{y} {x - 9},{y - 5} {x - 9},{y + 5}"
    return f'<polygon points="{corners}" fill="{colour}"/>'


def _safe(words: str) -> str:
    """Text from outside, so that it stays text. Signs that XML forbids would make the whole drawing unreadable."""
    return escape("".join(sign if sign.isprintable() else " " for sign in words), quote=True)


def _width(words: str, size: float, bold: bool = False) -> float:
    """How wide a text is at most, in units of the drawing; there is no font to measure with on a server."""
    ems = sum(_em(sign) for sign in words)
    return ems * size * (1.05 if bold else 1)


def _em(sign: str) -> float:
    """The width of a sign in a common sans serif, rounded up."""
    if unicodedata.east_asian_width(sign) in "WF":
        return 1.0
    if sign in "MWmw%@":
        return 0.88
    if sign in "ijlIt.,:;'|! ·":
        return 0.36
    return 0.56 if sign.islower() or sign.isdigit() else 0.68


def _short(words: str, room: float, size: float, bold: bool = False) -> str:
    """A text cut to the room there is, with a sign that it was."""
    if _width(words, size, bold) <= room:
        return words
    while words and _width(words + "…", size, bold) > room:
        words = words[:-1]
    return words.rstrip() + "…"
