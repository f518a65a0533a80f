"""A clock that jumps from one event to the next."""

import heapq
from collections.abc import Callable
from typing import Any


class Engine:
    """Events in order of time; those of one instant in the order in which they were planned."""

    def __init__(self, start: int, end: int) -> None:
        self.now, self.end = start, end
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._planned = 0

    def at(self, instant: int, action: Callable[..., None], *arguments: Any) -> None:
        """Plan an event; one that lies in the past happens now."""
        self._planned += 1
        heapq.heappush(self._events, (max(instant, self.now), self._planned, action, arguments))

    def after(self, seconds: int, action: Callable[..., None], *arguments: Any) -> None:
        """Plan an event so many seconds from now."""
        self.at(self.now + seconds, action, *arguments)

    def run(self) -> None:
        """Let everything happen that lies before the end; the rest has not happened yet."""
        while self._events and self._events[0][0] <= self.end:
            self.now, _, action, arguments = heapq.heappop(self._events)
            action(*arguments)
