"""How far a clone has been read, and what of that it no longer tells.

A cursor remembers the refs. Commits that only an old tip reached go with it, where the clone can say
which they are: a shallow clone cannot, since what it does not reach may lie beyond its edge, so such
tips are kept in doubt until it is complete. Where an old tip is in the clone no more, nobody can say
what it had, and the repository is read anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from collectors.base import CollectorError
from collectors.clone import Clone
from collectors.reading import Look

DOUBTS = 1000  # old tips in doubt: a shallow clone that is fetched every hour for weeks

LATER = ("deployments", "tagged", "doubtful", "forges")  # known only at the end of a reading


@dataclass(frozen=True)
class State:
    """A clone's cursor: from what and as what it was read. What equal states tell is equal.

    ``edge`` is where a shallow clone ended. Known only at the end are ``deployments`` (their ids),
    ``tagged`` (the commit of each tag), ``doubtful`` (old tips that may be lost) and ``forges`` (whose
    numbers the pull requests have).
    """

    version: int = 0
    place: list[str | None] = field(default_factory=list)
    release_tags: list[str] = field(default_factory=list)
    production: str = ""
    since: str | None = None
    paths: bool = False
    sizes: bool = False
    refs: dict[str, str] = field(default_factory=dict)
    edge: list[str] = field(default_factory=list)
    deployments: list[str] = field(default_factory=list)
    tagged: dict[str, str] = field(default_factory=dict)
    doubtful: list[str] = field(default_factory=list)
    forges: list[str] = field(default_factory=list)

    @classmethod
    def told(cls, cursor: Mapping[str, Any]) -> Self:
        """The state as a store has kept it, also one of another version."""
        return cls(**{name: cursor[name] for name in cls.__dataclass_fields__ if name in cursor})

    def says(self, now: "State") -> bool:
        """Whether a reading now would tell the same."""
        later = {name: getattr(self, name) for name in LATER}
        return self == replace(now, **later)

    def covers(self, now: "State") -> bool:
        """Whether the commits of these refs are in the store as they would be read now."""
        same = self.version == now.version and self.place[:1] == now.place[:1] and self.paths == now.paths
        return same and self.reaches_back(now)

    def reaches_back(self, now: "State") -> bool:
        """Whether all the time that is asked for now was asked for then."""
        asked = now.since is not None and datetime.fromisoformat(now.since).timestamp()
        return self.since is None or (asked is not False and self.asks(int(asked)))

    def asks(self, at: int | None) -> bool:
        """Whether what happened at a time is asked for; what has no time always is."""
        return self.since is None or at is None or at >= datetime.fromisoformat(self.since).timestamp()

    def tags(self) -> set[str]:
        """The names of all tags."""
        return {name.removeprefix("refs/tags/") for name in self.refs if name.startswith("refs/tags/")}

    def tips(self) -> set[str]:
        """The commits that everything read hung on. Of a tag its commit: the tag itself may be gone without a loss."""
        branches = {sha for name, sha in self.refs.items() if not name.startswith("refs/tags/")}
        return branches | set(self.tagged.values()) | set(self.doubtful)


class Past(NamedTuple):
    """What an earlier reading told beyond what there is now.

    ``anew``: nobody can say, so all is taken back and read again. ``tips`` are old tips that no ref
    reaches, ``lost`` the commits that only they reached, ``doubtful`` tips of which a shallow clone cannot
    tell. ``deeper``: there are older commits now than there were then.
    """

    anew: bool = False
    tips: list[str] = []  # noqa: RUF012  # never changed
    lost: list[str] = []  # noqa: RUF012
    doubtful: list[str] = []  # noqa: RUF012
    deeper: bool = False


def past(clone: Clone, seen: Look, before: State, now: State) -> Past:
    """What an earlier reading of the same repository told that no longer holds. Raises CollectorError."""
    if not before.refs:
        return Past()
    if before.version != now.version:
        return Past(anew=True)
    tips = list(seen.refs.tips.values())
    old = before.tips() - set(tips)
    if seen.edge:
        there = set(clone.beyond(tips, ()))
        doubtful = sorted(old - there)[:DOUBTS]
        return Past(doubtful=doubtful, deeper=any(sha in there and sha not in seen.edge for sha in before.edge))
    left = sorted(clone.existing(old))
    if len(left) < len(old):
        return Past(anew=True)
    try:
        lost = clone.beyond(left, tips)
    except CollectorError:  # the tip is still there, but not all that it stood on
        return Past(anew=True)
    return Past(tips=left if lost else [], lost=lost, deeper=bool(before.edge))
