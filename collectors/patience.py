"""How long a client waits for a server that will not answer now, and when it gives up for this time.

The server's own word goes first: Retry-After, or the instant at which a rate limit is lifted. Without
one the pauses double. A wait that is longer than it is worth parks the source until then (`Blocked`),
so that the others have their turn.
"""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from collectors.base import Blocked, CollectorError

T = TypeVar("T")
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be gone at the next attempt


class Refused(Exception):
    """An answer, or none, that another attempt may mend: raised within `Patience.ask`.

    ``status`` is None where there was no answer (a reset, a timeout, a body cut short); ``headers``
    in any case of letters; ``limited`` where the server said that we ask too much.
    """

    def __init__(
        self, reason: str, status: int | None = None, headers: Mapping[str, str] | None = None, limited: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.status, self.limited = reason, status, limited
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}


@dataclass
class Patience:
    """One source's patience and budget.

    ``tries``: attempts at one request. ``longest``: seconds that a wait may last before the source is
    parked. ``most``: requests that one run may make, None for as many as it takes; ``made`` counts them.
    ``blind``: seconds to wait where the server says that we ask too much, but not for how long.
    """

    source: str
    tries: int = 6
    longest: float = 120.0
    most: int | None = None
    blind: float = 60.0
    pause: Callable[[float], None] = time.sleep
    wall: Callable[[], float] = time.time
    made: int = field(default=0, init=False)
    _taken: int = field(default=0, init=False)

    def ask(self, request: Callable[[], T]) -> T:
        """What a request answers, tried again where it raises `Refused`.

        Raises Blocked where the wait is too long or the budget is used up, CollectorError where every
        attempt failed.
        """
        for attempt in range(self.tries):
            self.spend()
            try:
                return request()
            except Refused as refused:
                if attempt == self.tries - 1:
                    raise CollectorError(self._gave_up(refused)) from None
                self.wait(refused, attempt)
        raise AssertionError("a loop that returns or raises")

    def spend(self) -> None:
        """One request more. Raises Blocked where the run's budget is used up."""
        if self.most is not None and self.made >= self.most:
            raise Blocked(
                f"max_requests allows {self.most:,} a run, and they are used up; what is read is saved: run it again to go on"
            )
        self.made += 1

    def taken(self) -> int:
        """Requests since this was last asked: what a page cost."""
        news, self._taken = self.made - self._taken, self.made
        return news

    def wait(self, refused: Refused, attempt: int) -> None:
        """Wait as the server asks, or as long as before twice over. Raises Blocked for a wait that is too long."""
        now = self.wall()
        seconds = asked(refused.headers, now)
        if seconds is None:
            seconds = self.blind if refused.limited else min(2.0**attempt, 60.0) * random.uniform(0.75, 1.25)  # noqa: S311  # a pause
        if seconds > self.longest:
            until = datetime.fromtimestamp(math.ceil(now + seconds), UTC)
            raise Blocked(f"{refused.reason}; the server asks to wait until {until:%Y-%m-%d %H:%M} UTC", until)
        self.pause(seconds)

    def _gave_up(self, refused: Refused) -> str:
        return f"{refused.reason}, {self.tries} times; what was read before is saved: run it again when the server is well"


def asked(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that a server asks to wait, by lower-case header names; None where it does not say.

    >>> asked({"retry-after": "12"}, 0), asked({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "100"}, 40)
    (12.0, 61.0)
    >>> asked({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 20.0), asked({"retry-after": "soon"}, 0)
    (40.0, None)
    """
    if (told := _seconds(headers.get("retry-after", ""), now)) is not None:
        return told
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining", "0") == "0" and reset.isdigit():
        return max(float(reset) - now, 0.0) + 1.0  # the server's second may not be over yet
    return None


def _seconds(told: str, now: float) -> float | None:
    try:
        return (
            max(float(told), 0.0) if told.replace(".", "", 1).isdigit() else max(parsedate_to_datetime(told).timestamp() - now, 0.0)
        )
    except (TypeError, ValueError):
        return None
