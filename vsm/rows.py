"""Rows that surely are facts, told by looking at whole columns: a tenth of the time that `models.validate` takes for each.

A harvest brings rows by the thousand, and this is all that it needs to know of their tables. Nothing
here imports the models, which take longer to load than a harvest takes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from typing import Any, Literal, NamedTuple

SELDOM_TOLD = {"pull_requests": ("additions", "deletions")}  # in no list of a forge's REST interface, while a clone may know them
RESULTS = ("success", "failure", "cancelled", "skipped", "unknown")

Kind = Literal["text", "time", "number"]


class Shape(NamedTuple):
    """What rows of a table must be: its name, its key, what each column holds, and those that may not be missing."""

    name: str
    key: tuple[str, ...]
    kinds: Mapping[str, Kind]
    needed: frozenset[str]


def gathered(shape: Shape, rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]] | None:
    """What `models.validate` makes of the rows, column by column; None where it takes `models.validate` to tell.

    A page that a collector made has rows of one form, and their values have the types that are kept already.
    """
    names = tuple(rows[0])
    if not {*shape.key} <= {*names} <= {*shape.kinds} or {*map(len, rows)} != {len(names)} or len(names) < 2:
        return None
    try:
        found = dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
    except KeyError:
        return None
    for name, values in found.items():
        if "" in values:
            found[name] = tuple(None if value == "" else value for value in values)
    plain = shape.needed <= {*names} and all(_plain(shape, name, values) for name, values in found.items())
    return found if plain and len({*zip(*(found[name] for name in shape.key), strict=True)}) == len(rows) else None


def _plain(shape: Shape, name: str, values: Sequence[Any]) -> bool:
    """Whether all values of a column surely are what is kept."""
    what, types = shape.kinds[name], {*map(type, values)}
    there = [value for value in values if value is not None]
    if len(there) < len(values) and name in shape.needed:
        return False
    if what == "time":
        return types <= {datetime, type(None)} and {*map(attrgetter("tzinfo"), there)} <= {UTC}
    if what == "number":
        return types <= {int, type(None)} and all(-(2**63) <= number < 2**63 for number in there)
    if not types <= {str, type(None)} or (name == "result" and not {*there} <= {*RESULTS}):
        return False
    text = "".join(there)
    return "\0" not in text and (text.isascii() or _is_unicode(text))


def _is_unicode(text: str) -> bool:
    """Whether a text has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def written(times: Iterable[datetime | None]) -> tuple[str | None, ...]:
    """Times as SQLAlchemy writes them for SQLite: isoformat(" ", "microseconds") without the offset.

    That takes long for each of a history's times, of which many fall on one day: each day is written once.
    """
    days: dict[int, str] = {}
    found: list[str | None] = []
    for at in times:
        if at is None:
            found.append(None)
        elif at.microsecond:
            found.append(at.isoformat(" ", "microseconds")[:26])
        else:
            ordinal = at.toordinal()
            if ordinal not in days:
                days[ordinal] = at.isoformat()[:10]
            found.append(f"{days[ordinal]} {_MINUTES[at.hour * 60 + at.minute]}:{_SECONDS[at.second]}")
    return tuple(found)


_MINUTES = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60)]
_SECONDS = [f"{second:02}.000000" for second in range(60)]
