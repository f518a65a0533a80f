"""One job's builds since its cursor, newest first, a hundred a question, so that a harvest can stop anywhere.

The list is walked downwards, so what was there before the walk is known to be whole only at its end;
until then the cursor holds how far down the walk has come. Builds are made and discarded meanwhile,
which moves the list: each question begins with the build that the one before ended with.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from collectors.base import CollectorError
from collectors.courses import endless
from collectors.jenkins import builds
from collectors.jenkins.client import Client, Missing
from collectors.jenkins.jobs import Job

PAGE = 100  # builds a question
OVERLAP = 20  # numbers read again: builds are run again in place, and Jenkins may hide a running one from its list
IN_VAIN = 30  # questions after which a list has given no build that was not there before
NEAR = 80  # numbers: a build that has been running since then is read with the list, an older one by itself

Build = dict[str, Any]


@dataclass
class Walk:
    """How far down a walk has come. ``known`` and ``running`` are of the builds that it has passed.

    ``anew``: the job's numbers have gone back. Either its newest builds were deleted, or the job was, and made again.
    """

    top: int
    stop: int
    last: list[Any]
    anew: bool = False
    below: int | None = None
    offset: int = 0
    running: list[int] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)


@dataclass
class State:
    """A job's cursor.

    Builds from ``next`` on have not been seen. ``running``: those that had not ended. ``known``: what
    the newest ones said, so that they need not be told again. ``last``: what the tree said of the job.
    """

    reads: str
    since: str | None = None
    next: int = 0
    last: list[Any] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    walk: Walk | None = None

    @classmethod
    def told(cls, cursor: Mapping[str, Any], reads: str, since: datetime | None) -> Self:
        """The state that a store has kept; a new one where it was read otherwise, or not from as early."""
        asked = since.isoformat() if since else None
        if cursor.get("reads") != reads or not _covers(cursor.get("since"), since):
            return cls(reads, asked)
        kept = {one.name: cursor[one.name] for one in fields(cls) if one.name in cursor}
        walk = kept.pop("walk", None)
        return cls(**kept, walk=Walk(**walk) if walk else None)

    def moved(self, job: Job) -> bool:
        """Whether the job has something that is not known: a new build, one that has ended, or one run again."""
        if job.number is None:
            return False
        return self.walk is not None or self.last != job.last or any(number != job.number for number in self.running)


def _covers(before: str | None, since: datetime | None) -> bool:
    return before is None or (since is not None and datetime.fromisoformat(before) <= since)


@dataclass
class History:
    """The news of one job. Each build of `news` is handed back with `took`; then `cursor` covers it."""

    client: Client
    job: Job
    state: State
    given: list[Build] | None = None  # the newest builds, read together with other jobs'

    @property
    def fresh(self) -> bool:
        """Whether nothing of the job is known."""
        return self.state.next == 0 and self.state.walk is None

    def cursor(self) -> dict[str, Any]:
        """How far all builds that were taken bring us."""
        return asdict(self.state)

    def news(self) -> Iterator[Build]:
        """The builds that are new or may have changed. Raises CollectorError."""
        if self.state.walk is not None:  # what an earlier harvest was stopped at
            yield from self._walk(self.state.walk)
        if self.state.moved(self.job):
            yield from self._stragglers(stop := self._stop())
            yield from self._newest(stop)

    def took(self, build: Build) -> None:
        """The build has been told."""
        walk, number = self.state.walk, int(build["number"])
        if walk is None:  # a straggler
            if not builds.running(build):
                self.state.running = [one for one in self.state.running if one != number]
            return
        walk.below = number
        if builds.running(build):
            walk.running.append(number)
        elif number > walk.top - OVERLAP - NEAR:
            walk.known[str(number)] = digest(build)

    def _stop(self) -> int:
        """The number down to which the list is read."""
        if self._anew():
            return 0
        stop = self.state.next - OVERLAP
        near = [number for number in self.state.running if stop - NEAR <= number < stop]
        return max(min([stop, *near]), 0)

    def _anew(self) -> bool:
        return self.job.number is not None and self.job.number < self.state.next - 1

    def _newest(self, stop: int) -> Iterator[Build]:
        """The list down to a number, unless nothing but stragglers was open."""
        listed = any(number >= stop and number != self.job.number for number in self.state.running)
        if listed or self.state.last != self.job.last:
            running = [number for number in self.state.running if number < stop]
            walk = Walk(top=self.job.number or 0, stop=stop, last=self.job.last, anew=self._anew(), running=running)
            self.state.walk = walk
            yield from self._walk(walk)

    def _stragglers(self, stop: int) -> Iterator[Build]:
        """Builds that have been running since long before the list's part that is read."""
        for number in [number for number in self.state.running if number < stop]:
            try:
                yield self.client.build(self.job.name, number, self._fields())
            except Missing:  # discarded; what was told of it stays
                self.state.running.remove(number)

    def _walk(self, walk: Walk) -> Iterator[Build]:
        size, turns, place = min(PAGE, walk.top - walk.stop + 1) + 1, 0, walk.offset
        while True:
            turns += 1
            if turns > IN_VAIN:
                walk.offset = place  # where the last build was found, to go on from there
                raise CollectorError(endless(f"{self.client.url}: the list of builds of {self.job.name}"))
            page, size = self._newest_given() or (self._page(walk.offset, size), size)
            if walk.below is None and page:
                walk.top = page[0]["number"]
            if walk.below is not None and walk.offset and not (page and page[0]["number"] >= walk.below):
                walk.offset = max(walk.offset - PAGE, 0)  # builds above were discarded: what we want has moved up
                continue
            news = [build for build in page if walk.below is None or build["number"] < walk.below]
            same = {build["number"] for build in news if self.state.known.get(str(build["number"])) == digest(build)}
            if walk.anew and same:  # it is the job that we know, and below these builds nothing is new
                walk.anew, walk.stop = False, min(same)
                walk.running += [number for number in self.state.running if number < walk.stop]
            wanted = [build for build in news if self._wanted(build, walk)]
            turns, place = (0, walk.offset) if news else (turns, place)
            for build in wanted:
                if build["number"] in same:
                    self.took(build)
                else:
                    yield build
            if len(page) < size or len(wanted) < len(news) or page[-1]["number"] <= walk.stop:
                return self._done(walk)
            walk.below, walk.offset, size = page[-1]["number"], walk.offset + len(page) - 1, PAGE + 1

    def _wanted(self, build: Build, walk: Walk) -> bool:
        started = builds.at(build.get("timestamp"))
        early = self.state.since is not None and started is not None and started < datetime.fromisoformat(self.state.since)
        return int(build["number"]) >= walk.stop and not early

    def _done(self, walk: Walk) -> None:
        state = self.state
        state.next, state.last, state.running = walk.top + 1, walk.last, sorted(set(walk.running))
        least = min([state.next - OVERLAP, *(number for number in state.running if number >= state.next - OVERLAP - NEAR)])
        state.known = {number: said for number, said in {**state.known, **walk.known}.items() if int(number) >= least}
        state.walk = None

    def _newest_given(self) -> tuple[list[Build], int] | None:
        """What was read together with other jobs, once, and how many builds it could have been."""
        given, self.given = self.given, None
        return None if given is None else (given, PAGE + 1)

    def _page(self, offset: int, size: int) -> list[Build]:
        try:
            answer = self.client.job(self.job.name, f"allBuilds[{self._fields()}]{{{offset},{offset + size}}}")
        except Missing:  # the job went away in between; what was told of it stays
            return []
        return answer.get("allBuilds") or []

    def _fields(self) -> str:
        return builds.TREE + builds.PARTS.get(self.job.kind, "")


def digest(build: Build) -> int:
    """What tells whether a build says the same as before."""
    return zlib.crc32(json.dumps(build, sort_keys=True).encode())
