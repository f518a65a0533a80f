"""The simulation's own event loop: the same line, draws and events as simpy's, in a third of the time.

It knows neither people with several items at once nor unlogged work nor groups that leave together: those are simpy's.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vsm.working_time import Floats

if TYPE_CHECKING:
    from vsm.simulate import Line, Step

QUEUED, BEGUN, FINISHED, DONE = range(4)
FIRST, THEN, LAST = range(3)  # at one instant; people choose among all that is there by then
ARRIVES, LETS_IN, ENTERS, WORKED, RESTED, GOES, CHOOSE = range(7)
Told = list[float]  # item, hour, what, place, who; item, hour, … of all events in one list, which no garbage collector walks


def plain(line: "Line") -> bool:
    """Whether a line has nothing that only simpy's simulation knows."""
    return line.at_once == 1 and not line.hidden and all(step.batch == 1 for step in line.steps)


class Quick:
    """One run: what happens next is on a heap, by time, then rank, then order."""

    def __init__(self, line: "Line", works: Sequence[bool], work: Floats, holds: Floats, fates: Floats, ranks: Floats) -> None:
        self.steps: tuple[Step, ...] = line.steps
        items, self.width, self.draws = len(ranks), len(line.steps), int(work.shape[2])
        self.height = items * self.draws
        self.work, self.holds, self.ranks = work.ravel().tolist(), holds.ravel().tolist(), ranks.tolist()
        self.skips, self.backs = (fate.ravel().tolist() for fate in fates)
        self.among = [{"first come": 0, "downstream": -place, "upstream": place}[line.order] for place in range(len(line.steps))]
        self.works, sizes = list(works), line.crews()
        names = list(sizes)
        self.crew = [names.index(step.crew) if at_work else -1 for step, at_work in zip(line.steps, works, strict=True)]
        first = [sum(list(sizes.values())[:place]) for place in range(len(names))]
        self.free = [deque(range(begin, begin + sizes[name])) for begin, name in zip(first, names, strict=True)]
        self.waiting: list[list[tuple[float, int, float, int, int, int]]] = [[] for _ in names]
        self.looking = [False] * len(names)
        self.rooms = [step.limit for step in line.steps]
        self.outside: list[deque[int]] = [deque() for _ in line.steps]
        self.seen = [0] * (items * self.width)
        self.room = [-1] * len(self.ranks)  # which stage's limit each item counts for
        self.person = [-1] * len(self.ranks)
        self.heap: list[tuple[float, int, int, int, int, int]] = []
        self.number = 0
        self.log: Told = []

    def run(self, times: Floats, end: float) -> Told:
        """What happens until the end, to items that come at these times."""
        arrivals = times.tolist()
        self._coming(arrivals, 0)
        does = (self._arrive, self._let_in, self._enter, self._worked, self._rested, self._go, self._choose)
        heap, pop = self.heap, heapq.heappop
        while heap and heap[0][0] <= end:
            now, _, _, kind, item, place = pop(heap)
            if kind == ARRIVES:
                self._coming(arrivals, item + 1)
            does[kind](now, item, place)
        return self.log

    def _coming(self, arrivals: list[float], item: int) -> None:
        if item < len(arrivals):
            self._later(arrivals[item], FIRST, ARRIVES, item, 0)

    def _later(self, at: float, rank: int, kind: int, item: int, place: int) -> None:
        self.number += 1
        heapq.heappush(self.heap, (at, rank, self.number, kind, item, place))

    def _arrive(self, now: float, item: int, _: int) -> None:
        self._move(now, item, self._next(item, 0), back=False)

    def _next(self, item: int, place: int) -> int:
        """The first stage from a place on that the item does not skip."""
        while place < self.width and self.skips[self._fate(item, place)] < self.steps[place].skip:
            place += 1
        return place

    def _draw(self, item: int, place: int) -> int:
        """Where the work and rest of an item's present visit to a stage stand."""
        return place * self.height + item * self.draws + self.seen[item * self.width + place]

    def _fate(self, item: int, place: int) -> int:
        visit = item * self.width + place
        return visit * self.draws + self.seen[visit]

    def _move(self, now: float, item: int, place: int, *, back: bool) -> None:
        """Into a stage, or in front of it while it holds as many as it may; who comes back always gets in."""
        if place == self.width:
            self._leave_room(now, item)
            self.log.extend((item, now, DONE, -1, -1))
        elif back or self.rooms[place] is None:
            self._leave_room(now, item)
            self._in(now, item, place)
        else:
            self.outside[place].append(item)
            self._let_in(now, -1, place)

    def _let_in(self, now: float, _: int, place: int) -> None:
        while self.outside[place] and (room := self.rooms[place] or 0):
            self.rooms[place] = room - 1
            self._later(now, THEN, ENTERS, self.outside[place].popleft(), place)

    def _enter(self, now: float, item: int, place: int) -> None:
        """In, where a room is kept for the item."""
        self._leave_room(now, item)
        self.room[item] = place
        self._in(now, item, place)

    def _leave_room(self, now: float, item: int) -> None:
        place, self.room[item] = self.room[item], -1
        if place >= 0:
            self.rooms[place] = (self.rooms[place] or 0) + 1
            if self.outside[place]:
                self._later(now, THEN, LETS_IN, -1, place)

    def _in(self, now: float, item: int, place: int) -> None:
        self.log.extend((item, now, QUEUED, place, -1))
        if not self.works[place]:
            self._rest(now, item, place)
            return
        crew = self.crew[place]
        self.number += 1
        heapq.heappush(self.waiting[crew], (self.ranks[item], self.among[place], now, self.number, item, place))
        self._look(now, crew)

    def _look(self, now: float, crew: int) -> None:
        if self.waiting[crew] and self.free[crew] and not self.looking[crew]:
            self.looking[crew] = True
            self._later(now, LAST, CHOOSE, crew, -1)

    def _choose(self, now: float, crew: int, _: int) -> None:
        self.looking[crew] = False
        waiting, free = self.waiting[crew], self.free[crew]
        while waiting and free:
            item, place = heapq.heappop(waiting)[4:]
            who = self.person[item] = free.popleft()
            self.log.extend((item, now, BEGUN, place, who))
            self._later(now + self.work[self._draw(item, place)], THEN, WORKED, item, place)

    def _worked(self, now: float, item: int, place: int) -> None:
        who, crew = self.person[item], self.crew[place]
        self.log.extend((item, now, FINISHED, place, who))
        self.free[crew].append(who)
        self._look(now, crew)
        self._rest(now, item, place)

    def _rest(self, now: float, item: int, place: int) -> None:
        step = self.steps[place]
        if step.hold or step.rests:
            self._later(now + self.holds[self._draw(item, place)], THEN, RESTED, item, place)
        else:
            self._rested(now, item, place)

    def _rested(self, now: float, item: int, place: int) -> None:
        """Wait for a train."""
        every = self.steps[place].every
        if every:
            self._later(now + -now % every, THEN, GOES, item, place)
        else:
            self._go(now, item, place)

    def _go(self, now: float, item: int, place: int) -> None:
        """On to the next stage, or back to an earlier one."""
        visit = item * self.width + place
        fate = self.backs[self._fate(item, place)] if self.seen[visit] < self.draws - 1 else 1.0
        self.seen[visit] = min(self.seen[visit] + 1, self.draws - 1)
        to = -1
        for target, share in self.steps[place].back:
            if fate < share:
                to = target
                break
            fate -= share
        if to < 0:
            to = self._next(item, place + 1)
        self._move(now, item, to, back=to <= place)
