"""Lanes: where arcs between stages run, one above the other, so that none hides another or its words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEFT_ENDS, RIGHT_ENDS = (0.55, 0.92), (0.08, 0.45)  # where on a box arcs may end, so that two never share a line
APART = 6.0  # between two arcs in one lane


@dataclass(frozen=True)
class Way:
    """One arc: the x of its two legs, its lane (0 is nearest to the boxes), and the stretch free for its label."""

    left: float
    right: float
    lane: int
    free: tuple[float, float]


def ways(arcs: Sequence[tuple[int, int]], boxes: Sequence[tuple[float, float]]) -> list[Way]:
    """The ways of arcs, each from a box to one further right; boxes by their left and right x.

    Short arcs run inside long ones, and legs stand so that an arc that encloses another never crosses it.

    >>> [way.lane for way in ways([(0, 3), (1, 2), (4, 5)], [(x, x + 50.0) for x in range(0, 600, 100)])]
    [1, 0, 0]
    """
    lefts = _legs([(left, -right) for left, right in arcs], boxes, LEFT_ENDS)
    rights = _legs([(right, -left) for left, right in arcs], boxes, RIGHT_ENDS)
    lanes = _lanes(arcs, lefts, rights)
    return [
        Way(left, right, lane, _free(left, right, [x for i, x in enumerate([*lefts, *rights]) if lanes[i % len(arcs)] > lane]))
        for left, right, lane in zip(lefts, rights, lanes, strict=True)
    ]


def _legs(ends: Sequence[tuple[int, int]], boxes: Sequence[tuple[float, float]], part: tuple[float, float]) -> list[float]:
    """The x of each arc's leg: spread over a part of its box, in the order of the other ends."""
    mine = defaultdict(list)
    for number, (box, other) in enumerate(ends):
        mine[box].append((other, number))
    legs = [0.0] * len(ends)
    for box, found in mine.items():
        start, end = boxes[box]
        for place, (_, number) in enumerate(sorted(found)):
            share = part[0] + (place + 0.5) / len(found) * (part[1] - part[0])
            legs[number] = start + share * (end - start)
    return legs


def _lanes(arcs: Sequence[tuple[int, int]], lefts: Sequence[float], rights: Sequence[float]) -> list[int]:
    """The lowest lane for each arc that is free there, and above every arc that it encloses."""
    lanes: dict[int, int] = {}
    for one in sorted(range(len(arcs)), key=lambda i: (arcs[i][1] - arcs[i][0], arcs[i])):
        taken = {lanes[other] for other in lanes if lefts[one] < rights[other] + APART and lefts[other] < rights[one] + APART}
        inside = [lanes[other] for other in lanes if lefts[one] < lefts[other] and rights[other] < rights[one]]
        lane = max(inside, default=-1) + 1
        while lane in taken:
            lane += 1
        lanes[one] = lane
    return [lanes[one] for one in range(len(arcs))]


def _free(left: float, right: float, crossing: Sequence[float]) -> tuple[float, float]:
    """The longest stretch of an arc that no leg of a higher one crosses."""
    marks = [left, *sorted(x for x in crossing if left < x < right), right]
    return max(pairwise(marks), key=lambda stretch: stretch[1] - stretch[0])
