"""Lists that are read from their newest thing down, and what of them is read already.

A walk that is broken off leaves a gap: where it would have gone on, and how far down. So every page
can be saved with a state that is true, and the next run reads what is new first and the gaps after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from collectors.base import CollectorError
from collectors.github.client import Client, GraphQLRefused
from collectors.github.resource import Batch

OVERLAP = timedelta(minutes=5)  # that much is read again: a server's lists lag behind its clock
Thing = Mapping[str, Any]


@dataclass(frozen=True)
class Piece:
    """A page of a list: ``after`` is where the list goes on, None at its end."""

    things: Sequence[Thing]
    after: str | None = None
    total: int | None = None
    warnings: tuple[str, ...] = ()


Read = Callable[[str | None], Piece]


def instant(text: str | None) -> datetime | None:
    """A time as GitHub writes it, in UTC; None for none, and for one without an offset.

    >>> instant("2026-03-02T10:00:00+01:00"), instant("")
    (datetime.datetime(2026, 3, 2, 9, 0, tzinfo=datetime.timezone.utc), None)
    """
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else None


def moment(text: str) -> datetime:
    """A time that GitHub's schema promises."""
    time = instant(text)
    if time is None:
        raise CollectorError(f"GitHub gave {text!r} where its schema has a time")
    return time


def piece(connection: Mapping[str, Any], warnings: tuple[str, ...] = ()) -> Piece:
    """A page of a GraphQL connection."""
    info = connection.get("pageInfo") or {}
    things = [node for node in connection.get("nodes") or () if node]
    total = connection.get("totalCount")
    whole = total if isinstance(total, int) and total >= 0 else None  # it is only for who watches, and for what is gone
    return Piece(things, info.get("endCursor") if info.get("hasNextPage") else None, whole, warnings)


@dataclass
class Walk:
    """What of a list is read: everything from ``seen`` down, but for the ``gaps``.

    ``at`` gives the time that the list is ordered by. Nothing older than ``since`` is asked for. ``by``
    names the interface, since no interface knows another's positions; ``anew`` is whether a position was
    not taken any more.
    """

    by: str
    at: Callable[[Thing], datetime]
    since: datetime | None = None
    seen: datetime | None = None
    gaps: list[dict[str, str | None]] = field(default_factory=list)
    anew: bool = False

    @classmethod
    def resumed(cls, state: Mapping[str, Any], by: str, at: Callable[[Thing], datetime], since: datetime | None) -> "Walk":
        """The walk as its state has left it; from the beginning where more of the past is asked for now."""
        before = instant(state.get("since"))
        seen = instant(state.get("seen"))
        gaps = [dict(gap) for gap in state.get("gaps") or ()]
        if before is not None and (since is None or since < before):
            return cls(by, at, since)
        if any(gap["by"] != by for gap in gaps):
            lowest = instant(gaps[-1]["until"])
            return cls(by, at, since, lowest and lowest + OVERLAP)
        return cls(by, at, since, seen, gaps)

    @property
    def state(self) -> dict[str, Any]:
        """What to keep of the walk."""
        return {"seen": _text(self.seen), "gaps": [dict(gap) for gap in self.gaps], "since": _text(self.since)}

    def pieces(self, read: Read, first: Piece | None = None) -> Iterator[Piece]:
        """The news, and then what was left open. After each page the walk's state holds it."""
        top = first or read(None)
        gap: dict[str, str | None] = {"by": self.by, "after": top.after, "until": _text(self.seen and self.seen - OVERLAP)}
        if not self._reached(top, gap):
            self.gaps.insert(0, gap)
        self.seen = max([self.at(thing) for thing in top.things] + ([self.seen] if self.seen else []), default=None)
        yield self._asked(top)
        while self.gaps:
            yield self._asked(self._down(read, self.gaps[0]))

    def _down(self, read: Read, gap: dict[str, str | None]) -> Piece:
        try:
            found = read(gap["after"])
        except CollectorError as error:
            if self.anew or gap["after"] is None or "cursor" not in str(error).lower():
                raise
            self.anew, found = True, read(None)  # positions may not be taken for ever
        gap["after"] = found.after
        if self._reached(found, gap):
            self.gaps.remove(gap)
        return found

    def _reached(self, found: Piece, gap: Mapping[str, str | None]) -> bool:
        """Whether a page ends a gap: what has the very instant of its end may stand on the next page, too.

        A page that is not in its order says nothing of what comes below it.
        """
        until = max((time for time in (instant(gap["until"]), self.since) if time), default=None)
        times = [self.at(thing) for thing in found.things]
        ordered = all(upper >= lower - OVERLAP for upper, lower in pairwise(times))
        below = until is not None and ordered and any(time < until for time in times)
        return found.after is None or below

    def _asked(self, found: Piece) -> Piece:
        things = [thing for thing in found.things if self.since is None or self.at(thing) >= self.since]
        return Piece(things, found.after, found.total, found.warnings)


def read_by(
    client: Client, name: str, first: Any, graph: Callable[[Any], Iterator[Batch]], rest: Callable[[], Iterator[Batch]]
) -> Iterator[Batch]:
    """A list's batches by GraphQL, or by REST where there is none.

    `first` is what the poll answered; a list that is None in it was refused, and the poll has said so.
    """
    if first is not None and not client.graphql_refused:
        if name in first and first[name] is None:
            return
        try:
            yield from graph(first.get(name))
            return
        except GraphQLRefused:
            pass
    yield from rest()


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
