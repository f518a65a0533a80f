"""Where everything on the map is: boxes in columns and rows, the ways of arcs, and the strips below."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from dashboard import lanes
from dashboard.map.model import MapModel, Move
from dashboard.svg import wrapped

MARGIN = 20.0  # beside the drawing
GAP, NARROW_GAP, WIDE_GAP = 78.0, 62.0, 104.0  # before each box, for what waits and the arrow; of many boxes; of branches
MANY = 6  # columns; of more the gaps are narrower
WIDE = 1260.0  # what fits a page of 1,440 pixels
NARROWEST, WIDEST = 124.0, 190.0  # a box
NAME_SIZE, NAME_LINE = 14.0, 17.0
HEAD, FOOT = 54.0, 20.0  # of a box: above its rows, and below them where a limit is exceeded
ROW, TALL_ROW = 22.0, 36.0  # a row of a box; and one that says what was before
BADGE, LANE = 22.0, 25.0
BETWEEN = 50.0  # two boxes of a column
HEADER = 26.0  # the name of an opened group, above its stages
LADDER_HIGH, SCALE_HIGH = 104.0, 92.0
LOOPS, SKIPS = 6, 3  # more arcs than these hide the map; the table below it has them all
BESIDE = {True: (2.0, 12.0), False: (11.0, 20.0)}  # how far beside a box legs run that cannot leave it upwards (downwards)
SPLIT, MERGE = 25.0, 12.0  # behind a box and before one: where arrows turn into another row
INVENTORY = 39.0  # before a box: the middle of the triangle


@dataclass(frozen=True)
class Box:
    """A stage's box, with its column and row."""

    left: float
    right: float
    top: float
    column: int
    row: int
    last: bool  # nothing of its column stands below it


@dataclass(frozen=True)
class Layout:
    """Where everything is: the boxes in the order of the stages, and the tops of what lies one below the other."""

    boxes: tuple[Box, ...]
    names: dict[str, int]
    back: tuple[tuple[Move, lanes.Way], ...]
    over: tuple[tuple[Move, lanes.Way], ...]
    gap: float
    top: float
    rows: tuple[float, ...]  # below a box's top
    high_box: float
    bottom: float
    ladder: float
    scale: float
    wide: float
    high: float

    @classmethod
    def of(cls, told: MapModel) -> "Layout":
        """Of a map with at least one stage."""
        at, facts = told.places, rows_of(told)
        columns = max(place.column for place in at.values()) + 1
        branching = any(place.row for place in at.values())
        gap = WIDE_GAP if branching else GAP if columns <= MANY else NARROW_GAP
        wide_box = min(max((WIDE - 2 * MARGIN) / columns - gap, NARROWEST), WIDEST)
        lines = max(len(wrapped(stage.name, wide_box - 22, NAME_SIZE, True)) for stage in told.stages)
        tall = [TALL_ROW if any(name in stage.changes for stage in told.stages) else ROW for name in facts]
        rows = tuple(accumulate(tall, initial=HEAD + (lines - 1) * NAME_LINE))
        over_limit = any(stage.over_limit for stage in told.stages)
        high = rows[-1] + (FOOT if over_limit else 0.0)
        lefts = {name: MARGIN + gap + place.column * (wide_box + gap) for name, place in at.items()}
        names = {stage.name: i for i, stage in enumerate(told.stages)}
        flat = tuple(
            Box(
                lefts[name], lefts[name] + wide_box, at[name].row * (high + BETWEEN), at[name].column, at[name].row,
                not any(other.column == at[name].column and other.row > at[name].row for other in at.values()),
            )
            for name in names
        )  # fmt: skip
        back = _arcs(flat, names, loops_drawn(told), LOOPS, up=True)
        over = _arcs(flat, names, skips(told), SKIPS, up=False)
        badge = BADGE if told.constraint is not None and at[told.constraint].row == 0 else 0.0
        top = 14.0 + deep(back) + badge + (HEADER if told.opened else 0.0)
        boxes = tuple(Box(box.left, box.right, box.top + top, box.column, box.row, box.last) for box in flat)
        bottom = max(box.top for box in boxes) + high
        ladder = bottom + 22 + deep(over)
        wide = max(*(box.right + MARGIN for box in boxes), 640.0)
        scale = ladder + LADDER_HIGH
        return cls(
            boxes, names, back, over, gap, top, rows, high, bottom, ladder, scale, wide, scale + SCALE_HIGH
        )  # fmt: skip

    def box(self, name: str) -> Box:
        """The box of a stage."""
        return self.boxes[self.names[name]]

    def middle(self, place: Box) -> float:
        """The x of what stands before a box."""
        return place.left - min(INVENTORY, self.gap / 2)

    def around(self, i: int, told: MapModel) -> dict[str, Any]:
        """The rectangle around a stage, its badge included."""
        box = self.boxes[i]
        top = box.top - (BADGE if told.stages[i].name == told.constraint else 0.0) - 5
        bottom = box.top + self.high_box + 5
        return {"x": box.left - 5, "y": top, "width": box.right - box.left + 10, "height": bottom - top, "rx": 11.0}

    @property
    def columns(self) -> list[list[int]]:
        """The stages' numbers by column, each column by row."""
        order = sorted(range(len(self.boxes)), key=lambda i: (self.boxes[i].column, self.boxes[i].row))
        return [[i for i in order if self.boxes[i].column == column] for column in sorted({box.column for box in self.boxes})]


def rows_of(told: MapModel) -> tuple[str, ...]:
    """What stands in a box: what stages wait only where the ladder below cannot say it of all, or beside what it was before."""
    wait = ("wait",) if told.compared or any(place.row for place in told.places.values()) else ()
    return (*wait, "work", "accurate", "wip")


def deep(arcs: Sequence[tuple[Move, lanes.Way]]) -> float:
    """The room that arcs take above or below the boxes."""
    return LANE * (max(way.lane for _, way in arcs) + 1) + 6 if arcs else 0.0


def loops_drawn(told: MapModel) -> list[Move]:
    """The moves back that are arcs: between stages beside each other there is no back."""
    at = told.places
    return [move for move in told.loops if at[move.origin].column != at[move.to].column]


def skips(told: MapModel) -> list[Move]:
    """The moves onward that pass by a column, so that an arrow from one to the next does not tell them."""
    at = told.places
    return [move for move in told.onward if at[move.to].column - at[move.origin].column not in (0, 1)]


def passed(told: MapModel, move: Move) -> list[str]:
    """The stages in the columns that a move passes by."""
    at = told.places
    low, high = sorted((at[move.origin].column, at[move.to].column))
    return [stage.name for stage in told.stages if low < at[stage.name].column < high and not stage.estimate]


def _arcs(
    boxes: Sequence[Box], names: dict[str, int], moves: Sequence[Move], most: int, up: bool
) -> tuple[tuple[Move, lanes.Way], ...]:
    """The most frequent of some moves with the ways of their arcs.

    A leg leaves its box upwards or downwards; where another box stands there it runs beside its own.
    """
    kept = sorted(moves, key=lambda move: -move.n)[:most]
    spans = [
        (box.left, box.right) if straight(box, up) else (box.right + BESIDE[up][0], box.right + BESIDE[up][1]) for box in boxes
    ]
    order = sorted(range(len(boxes)), key=lambda i: (boxes[i].column, spans[i][0], boxes[i].row))
    rank = {i: place for place, i in enumerate(order)}
    ends = [sorted((rank[names[move.origin]], rank[names[move.to]])) for move in kept]
    return tuple(zip(kept, lanes.ways([(left, right) for left, right in ends], [spans[i] for i in order]), strict=True))


def straight(box: Box, up: bool) -> bool:
    """Whether nothing stands in the way above (or below) a box."""
    return box.row == 0 if up else box.last
