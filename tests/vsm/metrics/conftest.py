"""Builders: journeys of items as text or data, told as visits and items; and a line of queues with planted constraints."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from vsm.scope import Scope
from vsm.workflow import Stage

UTC = ZoneInfo("UTC")
Histories = list[tuple[str, list[tuple[str, float]]]]
TIME = "datetime64[us, UTC]"
VISITS = {
    "item": "str", "stage": "str", "position": "int64", "seq": "int64", "queued": TIME, "started": TIME, "finished": TIME,
    "left": TIME, "actor": "str", "team": "str", "entered_from": "str", "kind_in": "str",
}  # fmt: skip
ITEMS = {
    "item": "str", "created_at": TIME, "first_queued": TIME, "first_started": TIME, "committed_at": TIME, "done_at": TIME,
    "cancelled_at": TIME, "reopened": "int64", "state": "str", "stage": "str", "stage_since": TIME, "in_production_at": TIME,
    "title": "str", "type": "str", "team": "str", "project": "str", "application": "str", "url": "str", "kind": "str",
}  # fmt: skip
LINE = tuple(Stage(name, waiting=(f"for {name}",), active=(name,)) for name in ("Dev", "Review", "Test"))


@dataclass
class Path:
    """What the pipeline hands to the metrics."""

    visits: pd.DataFrame
    items: pd.DataFrame
    line: tuple[Stage, ...] = LINE


def frame(rows: Iterable[dict[str, object]], kinds: dict[str, str]) -> pd.DataFrame:
    """Rows as a frame with the contract's types, also without rows."""
    rows = list(rows)
    return pd.DataFrame(
        {
            name: pd.to_datetime(pd.Series([row.get(name) for row in rows], dtype="object"), utc=True).astype(kind)
            if kind == TIME
            else pd.Series([row.get(name) for row in rows], dtype=kind)
            for name, kind in kinds.items()
        }
    )


@dataclass
class Journey:
    """One item's way, word by word: created, production, new, done, cancelled, or a stage: `Dev~` waits for it,
    `Dev` is worked on, `Dev.` has been worked on. `Dev@ann/Core` says who works, and of which team."""

    item: str
    line: Sequence[Stage] = LINE
    visits: list[dict[str, object]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    inside: dict[str, object] | None = None

    def tell(self, word: str, at: pd.Timestamp) -> None:
        word, _, who = word.partition("@")
        if word in ("created", "production"):
            self.facts[{"created": "created_at", "production": "in_production_at"}[word]] = at
        elif word in ("new", "done", "cancelled"):
            self.leave(at)
            self.end(word, at)
        else:
            self.stage(word, at, who)

    def end(self, word: str, at: pd.Timestamp) -> None:
        self.facts["state"] = word
        if word != "new":
            self.facts[f"{word}_at"] = at

    def stage(self, word: str, at: pd.Timestamp, who: str) -> None:
        name = word.rstrip("~.")
        if word.endswith("."):
            assert self.inside is not None
            self.inside["finished"] = at
            return
        if self.inside is None or self.inside["stage"] != name or (word.endswith("~") and self.inside.get("started")):
            self.enter(name, at)
        assert self.inside is not None
        if not word.endswith("~") and not self.inside.get("started"):
            person, _, team = who.partition("/")
            self.inside |= {"started": at, "actor": person or None, "team": team or None}

    def enter(self, name: str, at: pd.Timestamp) -> None:
        if self.facts.get("done_at") is not None:
            self.facts["reopened"] = int(str(self.facts.get("reopened", 0))) + 1
        self.facts |= {"state": "in progress", "done_at": None, "cancelled_at": None}
        self.leave(at)
        place = [stage.name for stage in self.line].index(name)
        before = self.visits[-1] if self.visits else None
        self.inside = {
            "item": self.item, "stage": name, "position": place, "seq": len(self.visits), "queued": at,
            "entered_from": before and before["stage"], "kind_in": kind(before and int(str(before["position"])), place),
        }  # fmt: skip
        self.visits.append(self.inside)

    def leave(self, at: pd.Timestamp) -> None:
        if self.inside is not None:
            self.inside["left"] = at
            if self.inside.get("started"):
                self.inside["finished"] = self.inside.get("finished") or at
        self.inside = None

    def row(self) -> dict[str, object]:
        """The item."""
        starts = [visit["started"] for visit in self.visits if visit.get("started")]
        first = self.visits[0]["queued"] if self.visits else None
        here = self.inside or {}
        return {
            "item": self.item, "state": "no events", "reopened": 0, "title": f"Title of {self.item}", "type": "Feature",
            "kind": "ticket", "first_queued": first, "committed_at": first, "first_started": min(starts, default=None),
            "stage": here.get("stage"), "stage_since": here.get("queued"), **self.facts,
        }  # fmt: skip


def kind(before: int | None, place: int) -> str:
    if before is None:
        return "first"
    if place <= before:
        return "again" if place == before else "back"
    return "forward" if place == before + 1 else "skip"


def told(journeys: Iterable[Journey], line: Sequence[Stage] = LINE) -> Path:
    journeys = list(journeys)
    visits = frame((visit for journey in journeys for visit in journey.visits), VISITS)
    return Path(visits, frame((journey.row() for journey in journeys), ITEMS), tuple(line))


def read(text: str, line: Sequence[Stage] = LINE) -> Path:
    """Journeys from text: an item a line, `A-1: created 01-02, Dev 01-03 10:00, done 01-09`; the year is 2026, in UTC."""
    journeys = []
    for row in filter(None, map(str.strip, text.splitlines())):
        item, _, words = row.partition(":")
        journey = Journey(item, line)
        for told_word in filter(None, map(str.strip, words.split(","))):
            word, _, at = told_word.partition(" ")
            journey.tell(word, pd.Timestamp(f"2026-{at}", tz="UTC"))
        journeys.append(journey)
    return told(journeys, line)


@pytest.fixture(scope="session", name="path")
def _path() -> Callable[..., Path]:
    """Journeys from text, or from (item, [(word, hours after the new year)])."""

    def build(journeys: str | Histories, line: Sequence[Stage] = LINE) -> Path:
        if isinstance(journeys, str):
            return read(journeys, line)
        made = []
        for item, words in journeys:
            made.append(Journey(item, line))
            for word, hour in words:
                made[-1].tell(word, pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(hours=hour))
        return told(made, line)

    return build


@pytest.fixture(scope="session", name="scope")
def _scope() -> Callable[[str, str], Scope]:
    """A window of 2026 in UTC."""

    def build(start: str = "01-01", end: str = "01-29") -> Scope:
        first, last = (pd.Timestamp(f"2026-{text}", tz="UTC").as_unit("us") for text in (start, end))
        return Scope(first, last)

    return build


WORDS = [f"{stage.name}{side}" for stage in LINE for side in ("~", "")] + ["done", "new", "cancelled"]


@pytest.fixture(scope="session", name="histories")
def _histories() -> st.SearchStrategy[Histories]:
    """Any history: items that wait, work, skip, go back, end, begin again, some of it at one instant. Whole hours."""
    words = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 60)), max_size=9)
    return st.lists(st.tuples(st.integers(0, 300), words), max_size=6).map(
        lambda items: [
            (f"A-{number}", [("created", float(begin)), *_after(begin, told_words)])
            for number, (begin, told_words) in enumerate(items)
        ]
    )


def _after(begin: float, words: list[tuple[str, int]]) -> Iterator[tuple[str, float]]:
    """Words with the hours between them, as words with their hour."""
    for word, gap in words:
        begin += gap
        yield word, float(begin)


KNOWN = """
A-1: created 01-01, Dev 01-02 09:00, Review 01-04 09:00, Test 01-07 09:00, done 01-08 09:00
A-2: created 01-01, Dev 01-01 12:00, Review 01-03 12:00, Dev 01-05 12:00, Review 01-06 12:00, Test 01-09 12:00, done 01-11 12:00
A-3: created 01-01, Dev 01-03, Test 01-04, Dev 01-05, Test 01-06, done 01-07
A-4: created 01-01, Dev 01-09 08:00, Review 01-11 08:00
"""


@pytest.fixture(scope="session", name="known")
def _known() -> Path:
    """A log to which jirametrics, jira-agile-metrics and pm4py gave known answers."""
    return read(KNOWN)


@dataclass(frozen=True)
class Step:
    """A stage of a planted line: how many work there and how long one item takes them; or how often its train leaves."""

    name: str
    people: int = 1
    hours: float = 0.0
    every: float = 0.0  # hours between trains; such a stage only holds
    spread: float = 0.9  # standard deviation ÷ mean of the work


@pytest.fixture(scope="session", name="planted")
def _planted() -> Callable[..., Path]:
    return planted


def planted(
    steps: Sequence[Step], seed: int, per_week: float = 21.0, weeks: int = 17, parked: int = 0, queues: bool = True
) -> Path:
    """A line of queues, first come first served, that ran for some weeks: what a tracker would have seen of it.

    `parked` tickets lie in each queue from early on and are never taken. Without `queues` no status
    says that work waits for a stage: it stays in the stage before, which is thus not left.
    """
    dice = np.random.default_rng(seed)
    end = weeks * 7 * 24.0
    arrivals = np.cumsum(dice.exponential(7 * 24 / per_week, int(per_week * weeks * 2)))
    arrivals = arrivals[arrivals < end]
    line = [Stage(step.name, waiting=(f"for {step.name}",), active=() if step.every else (step.name,)) for step in steps]
    stays: list[list[tuple[int, float, float, float]]] = [[] for _ in arrivals]
    due = arrivals
    for place, step in enumerate(steps):
        order = np.argsort(due, kind="stable")
        gone = np.empty(len(due))
        free = [0.0] * step.people
        width = np.log(1 + step.spread**2)
        work = step.hours * dice.lognormal(-width / 2, np.sqrt(width), len(due))
        for item in order:
            begin = due[item] if step.every else max(due[item], heapq.heappop(free))
            gone[item] = np.ceil(begin / step.every) * step.every if step.every else begin + work[item]
            if not step.every:
                heapq.heappush(free, gone[item])
            stays[item].append((place, due[item], np.inf if step.every else begin, gone[item]))
        due = gone
    journeys = []
    for number, stay in enumerate(stays):
        words = [word for place, *times in stay for word in _words(line[place].name, *times)] + [("done", stay[-1][3])]
        journeys.append((f"A-{number}", words))
    for place, step in enumerate(steps):
        journeys += [(f"P-{place}-{number}", [(f"{step.name}~", 200.0 + number)]) for number in range(parked)]
    return _as_seen(journeys, line, end, queues)


def _words(name: str, due: float, begin: float, gone: float) -> list[tuple[str, float]]:
    return [(f"{name}~", due)] if begin == np.inf else [(f"{name}~", due), (name, begin)]


def _as_seen(journeys: Histories, line: list[Stage], end: float, queues: bool) -> Path:
    """The journeys up to now; without queues, as a tracker without waiting statuses shows them."""
    names = {stage.name for stage in line if stage.has_capacity}
    told_ = []
    for item, words in journeys:
        journey = Journey(item, line)
        for word, hour in words:
            if hour <= end and (queues or word.rstrip("~") not in names or not word.endswith("~")):
                journey.tell(word, pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(hours=round(hour, 3)))
        told_.append(journey)
    if not queues:
        line = [Stage(stage.name, active=stage.active, waiting=() if stage.active else stage.waiting) for stage in line]
    return told(told_, line)


@pytest.fixture(scope="session", name="step")
def _step() -> type[Step]:
    return Step
