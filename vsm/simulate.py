"""The line as a simulation: people who take work from queues. It is the test bench of the constraint finder, and its what-if.

Time runs in working hours; a calendar turns them into times of the week. The same line and seed give the same bytes.
"""

import heapq
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import simpy

from vsm.config import DAYS, Calendar, minutes
from vsm.frames import no_text, no_times, text
from vsm.quick import BEGUN as BEGUN
from vsm.quick import DONE as DONE
from vsm.quick import FINISHED as FINISHED
from vsm.quick import LAST, Quick, Told, plain
from vsm.quick import QUEUED as QUEUED
from vsm.scope import Scope
from vsm.visits import visits
from vsm.workflow import Stage, Workflow
from vsm.working_time import HOUR, Floats, Micros, micro

START = pd.Timestamp("2024-01-01", tz="UTC").as_unit("us")  # a Monday
DRAWS = 8  # visits of one item to one stage; who came so often is never sent back again
TEXT = ("title", "type", "status", "project", "team", "application", "repository", "priority", "parent", "url")

Board = Literal["split", "single", "pull"]
Process = Generator[simpy.Event, Any, Any]


@dataclass(frozen=True)
class Step:
    """One stage of a simulated line. Without ``hours`` nobody works in it: it only holds what is there."""

    name: str
    people: int = 1
    hours: float = 0.0  # mean work on one item
    spread: float = 1.0  # standard deviation ÷ mean of the work
    law: Literal["lognormal", "exponential"] = "lognormal"
    sample: tuple[float, ...] = ()  # work times to draw from instead
    pool: str = ""  # people shared with other stages of the same pool; else the stage's own
    hold: float = 0.0  # mean hours, lognormal, that an item lies after the work
    rests: tuple[float, ...] = ()  # hours to draw from instead
    every: float = 0.0  # hours between trains: items leave only then
    batch: int = 1  # items leave in groups of so many
    limit: int | None = None  # items inside at once, waiting and worked on
    skip: float = 0.0  # share of items that pass it by
    back: tuple[tuple[int, float], ...] = ()  # (place of an earlier stage, share of items sent back there after the work)

    @property
    def crew(self) -> str:
        """Whose work it is."""
        return self.pool or self.name


@dataclass(frozen=True)
class Line:
    """A line of stages, what arrives, and how its people choose and divide their time."""

    steps: tuple[Step, ...]
    per_hour: float = 0.0  # items that arrive in an hour
    batch: int = 1  # items that arrive together
    every: float = 0.0  # hours between the batches; 0: at random
    arrivals: tuple[float, ...] | None = None  # these hours instead
    order: Literal["first come", "downstream", "upstream"] = "first come"  # which stage's work shared people take first
    urgent: float = 0.0  # share of items that go before all others
    low: float = 0.0  # share of items that go behind all others
    at_once: int = 1  # items that one person has in work at the same time
    slice: float = 2.0  # hours that a person with several stays at one of them
    switch: float = 0.0  # hours lost with each change from one to another
    hidden: tuple[tuple[str, float], ...] = ()  # (crew, share of its time that goes into work that nobody logs)
    parked: int = 0  # items in each stage's queue that nobody will ever take
    calendar: Calendar | None = None  # when people work; without one always
    nights: bool = False  # items arrive at any hour, not only when people work

    def crews(self) -> dict[str, int]:
        """How many people are in each crew; a shared one's first stage says so."""
        found: dict[str, int] = {}
        for step in self.steps:
            if works(step):
                found.setdefault(step.crew, step.people)
        return found


def works(step: Step) -> bool:
    """Whether people work in a stage."""
    return step.hours > 0 or bool(step.sample)


@dataclass(frozen=True)
class Run:
    """What happened: events as columns (item, hour of work, what, place, who), and when each item came, in hours since START."""

    line: Line
    item: npt.NDArray[np.int64]
    at: Floats
    what: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    who: npt.NDArray[np.int64]
    born: Floats
    hours: float
    people: tuple[str, ...]


@dataclass(frozen=True)
class Traced:
    """What is known of the items: hours of work and of lying by stage, item and visit, and what decides their ways; NaN: drawn.

    ``fates``: first whether a stage is skipped (below 0: yes, above 1: no), then whether the work is sent
    back; by item, stage and visit.
    """

    work: Floats
    holds: Floats
    fates: Floats


@dataclass(frozen=True)
class Seen:
    """What a tracker shows of a run: the frames that the metrics take, the stages, and the window."""

    visits: pd.DataFrame
    items: pd.DataFrame
    stages: tuple[Stage, ...]
    scope: Scope


# The clock: working hours to times. -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Clock:
    """Each working day's first hour since START, and the working hours before it."""

    opens: Floats
    before: Floats

    @classmethod
    def of(cls, calendar: Calendar | None, hours: float) -> "_Clock":
        if calendar is None:
            return cls(np.zeros(1), np.zeros(1))
        first, last = (minutes(clock) / 60 for clock in calendar.hours)
        days = np.array([day for day in range(int(hours / 24) + 9) if DAYS[day % 7] in calendar.workdays])
        return cls(np.asarray(days * 24.0 + first, dtype="float64"), np.arange(len(days), dtype="float64") * (last - first))

    def real(self, worked: Floats, begins: npt.NDArray[np.bool_]) -> Floats:
        """Hours since START of a working hour; what begins at a day's edge begins in the morning, what ends, in the evening."""
        day = np.where(begins, np.searchsorted(self.before, worked, "right"), np.searchsorted(self.before, worked, "left")) - 1
        day = np.maximum(day, 0)
        return np.asarray(self.opens[day] + worked - self.before[day])

    def worked(self, real: Floats) -> Floats:
        """Working hours that had passed at hours since START."""
        if len(self.opens) == 1:
            return real
        day = np.searchsorted(self.opens, real, "right") - 1
        length = self.before[1] - self.before[0]
        today = np.clip(real - self.opens[np.maximum(day, 0)], 0, length)
        return np.where(day < 0, 0.0, self.before[np.maximum(day, 0)] + today)


# The engine. ------------------------------------------------------------------------------------------------------------


class _Moment(simpy.Event):
    """An event that happens at this instant, after everything else."""

    def __init__(self, env: simpy.Environment, then: Callable[[simpy.Event], None]) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        self.callbacks.append(then)
        env.schedule(self, priority=LAST)  # type: ignore[arg-type]  # simpy takes any number, its stub only its own two


class _Crew:
    """People and what waits for them; who is free takes what comes first by the key."""

    def __init__(self, env: simpy.Environment, people: Sequence[int], at_once: int) -> None:
        self.env, self.at_once = env, at_once
        self.slots = dict.fromkeys(people, at_once)
        self.hands = {person: simpy.Resource(env, 1) for person in people} if at_once > 1 else {}
        self.last: dict[int, int] = {}
        self.waiting: list[tuple[tuple[float, ...], int, simpy.Event]] = []
        self.asked, self.looking = 0, False

    def ask(self, key: tuple[float, ...]) -> simpy.Event:
        """An event whose value is the person who takes the work."""
        event = simpy.Event(self.env)
        self.asked += 1
        heapq.heappush(self.waiting, (key, self.asked, event))
        self._look()
        return event

    def give_back(self, person: int) -> None:
        slots = self.slots.pop(person)
        self.slots[person] = slots + 1  # behind the others: who was free the longest goes first
        self._look()

    def _look(self) -> None:
        if not self.looking:
            self.looking = True
            _Moment(self.env, self._hand_out)

    def _hand_out(self, _: simpy.Event) -> None:
        self.looking = False
        while self.waiting:
            person = max(self.slots, key=self.slots.__getitem__)
            if not self.slots[person]:
                return
            self.slots[person] -= 1
            heapq.heappop(self.waiting)[2].succeed(person)

    def work(self, person: int, item: int, hours: float, piece: float, switch: float) -> Process:
        """Work of one item: in one go, or in slices among the other items that the person has in work."""
        if self.at_once == 1:
            yield self.env.timeout(hours)
            return
        while hours > 0:
            with self.hands[person].request() as turn:
                yield turn
                lost = switch if self.last.get(person, item) != item else 0.0
                self.last[person] = item
                now = min(piece, hours)
                yield self.env.timeout(now + lost)
                hours -= now


@dataclass
class _Engine:
    """One run: draws made beforehand by item, stage and visit, so that two lines with one seed differ only in what was changed."""

    line: Line
    env: simpy.Environment
    crews: dict[str, _Crew]
    rooms: list[simpy.Resource | None]
    work: Floats
    holds: Floats
    fates: Floats
    ranks: Floats
    groups: list[list[simpy.Event]]
    log: Told

    def tell(self, item: int, what: int, place: int = -1, who: int = -1) -> None:
        self.log.extend((item, self.env.now, what, place, who))

    def source(self, times: Floats) -> Process:
        """Items come in, each at its time."""
        for item, at in enumerate(times.tolist()):
            if at > self.env.now:
                yield self.env.timeout(at - self.env.now)
            self.env.process(self.travel(item))

    def travel(self, item: int) -> Process:
        """One item's way down the line, and back where it is sent back."""
        seen = [0] * len(self.line.steps)
        place, held, back = self.next(item, 0, seen), None, False
        while place < len(self.line.steps):
            room = None if back else self.rooms[place]
            mine = None if room is None else room.request()
            if mine is not None:
                yield mine
            if held is not None:
                held.resource.release(held)
            held = mine
            self.tell(item, QUEUED, place)
            yield from self.stay(item, place, seen[place])
            before = place
            place = self.onward(item, place, seen)
            back = place <= before
        if held is not None:
            held.resource.release(held)
        self.tell(item, DONE)

    def next(self, item: int, place: int, seen: list[int]) -> int:
        """The first stage from a place on that the item does not skip."""
        steps = self.line.steps
        while place < len(steps) and self.fates[0, item, place, min(seen[place], DRAWS - 1)] < steps[place].skip:
            place += 1
        return place

    def onward(self, item: int, place: int, seen: list[int]) -> int:
        fate = self.fates[1, item, place, seen[place]] if seen[place] < DRAWS - 1 else 1.0
        seen[place] = min(seen[place] + 1, DRAWS - 1)
        for target, share in self.line.steps[place].back:
            if fate < share:
                return target
            fate -= share
        return self.next(item, place + 1, seen)

    def stay(self, item: int, place: int, visit: int) -> Process:
        """One visit: wait for somebody, be worked on, then lie until it may leave."""
        step = self.line.steps[place]
        if works(step):
            crew = self.crews[step.crew]
            who = yield crew.ask(self.key(item, place))
            self.tell(item, BEGUN, place, who)
            yield from crew.work(who, item, self.work[place, item, visit], self.line.slice, self.line.switch)
            self.tell(item, FINISHED, place, who)
            crew.give_back(who)
        if step.hold or step.rests:
            yield self.env.timeout(self.holds[place, item, visit])
        if step.every:
            yield self.env.timeout(-self.env.now % step.every)
        if step.batch > 1:
            yield self.gathered(place, step.batch)

    def gathered(self, place: int, size: int) -> simpy.Event:
        """An event that happens when a whole group is there."""
        event = simpy.Event(self.env)
        group = self.groups[place]
        group.append(event)
        if len(group) == size:
            for one in group:
                one.succeed()
            group.clear()
        return event

    def key(self, item: int, place: int) -> tuple[float, ...]:
        """What is taken first: the more urgent, then by the order among stages, then what came first."""
        among = {"first come": 0, "downstream": -place, "upstream": place}[self.line.order]
        return (self.ranks[item], among, self.env.now)

    def unlogged(self, crew: str, mean: float, gap: float, dice: np.random.Generator) -> Process:
        """Work that takes people's time and leaves no record."""
        while True:
            yield self.env.timeout(dice.exponential(gap))
            self.env.process(self.unlogged_one(self.crews[crew], dice.exponential(mean)))

    def unlogged_one(self, crew: _Crew, hours: float) -> Process:
        who = yield crew.ask((1.0, 0.0, self.env.now))
        yield from crew.work(who, -1, hours, self.line.slice, self.line.switch)
        crew.give_back(who)


def simulate(line: Line, seed: int, hours: float, traced: Traced | None = None, *, simply: bool = False) -> Run:
    """Run a line for so many hours (elapsed ones), from empty; of items that are `traced` what is known is not drawn.

    `simply`: by simpy in any case, not by the quicker loop that lines without its rarer parts take.
    """
    clock = _Clock.of(line.calendar, hours)
    dice = np.random.default_rng(seed).spawn(6)
    end = float(clock.worked(np.array([hours]))[0])
    born, times = _arrivals(line, hours, end, clock, dice[0])
    shape = (len(line.steps), len(times), DRAWS)
    urgency = dice[4].random(len(times))
    work = _drawn(line.steps, shape, dice[1])
    holds = _rests(line.steps, shape, dice[2])
    fates = dice[3].random((2, len(times), len(line.steps), DRAWS))
    if traced is not None:
        known = ((traced.work, work), (traced.holds, holds), (traced.fates, fates))
        work, holds, fates = (np.where(np.isnan(own), drawn, own) for own, drawn in known)
    ranks = np.where(urgency < line.urgent, 0.0, np.where(urgency > 1 - line.low, 2.0, 1.0))
    until = min(end * 0.1, 200.0)
    lying, log = _parked(line, len(times), until)
    if plain(line) and not simply:
        log += Quick(line, [works(step) for step in line.steps], work, holds, fates, ranks).run(times, end)
    else:
        env = simpy.Environment()
        rooms = [None if step.limit is None else simpy.Resource(env, step.limit) for step in line.steps]
        engine = _Engine(line, env, _crews(line, env), rooms, work, holds, fates, ranks, [[] for _ in line.steps], log)
        env.process(engine.source(times))
        _unlogged(engine, dice[5])
        env.run(until=np.nextafter(end, np.inf))
    people = tuple(f"{crew} {number + 1}" for crew, size in line.crews().items() for number in range(size))
    told = np.array(log, dtype="float64").reshape(-1, 5).T
    item, what, place, who = told[[0, 2, 3, 4]].astype("int64")
    return Run(line, item, told[1].copy(), what, place, who, np.append(born, lying), hours, people)


def _arrivals(line: Line, hours: float, end: float, clock: _Clock, dice: np.random.Generator) -> tuple[Floats, Floats]:
    """When items come: in hours since START and in working hours."""
    span = hours if line.nights else end
    if line.arrivals is not None:
        times = np.array(line.arrivals, dtype="float64")
    elif line.every:
        times = np.repeat(np.arange(line.every / 2, span, line.every), line.batch)
    else:
        number = int(span * line.per_hour / line.batch * 1.5 + 50)
        times = np.repeat(np.cumsum(dice.exponential(line.batch / max(line.per_hour, 1e-12), number)), line.batch)
    times = times[times <= span]
    if line.nights:
        return times, clock.worked(times)
    return clock.real(times, np.ones(len(times), dtype=bool)), times


def _crews(line: Line, env: simpy.Environment) -> dict[str, _Crew]:
    first, crews = 0, {}
    for crew, size in line.crews().items():
        crews[crew] = _Crew(env, range(first, first + size), line.at_once)
        first += size
    return crews


def _drawn(steps: Sequence[Step], shape: tuple[int, ...], dice: np.random.Generator) -> Floats:
    """Hours of work by stage, item and visit."""
    mean, spread = (np.array([getattr(step, name) for step in steps]) for name in ("hours", "spread"))
    hours = _lognormal(mean, spread, shape, dice)
    picks, flat = dice.random(shape), dice.exponential(1.0, shape)
    for place, step in enumerate(steps):
        if step.sample:
            hours[place] = np.array(step.sample)[(picks[place] * len(step.sample)).astype("int64")]
        elif step.law == "exponential":
            hours[place] = flat[place] * step.hours
    return hours


def _rests(steps: Sequence[Step], shape: tuple[int, ...], dice: np.random.Generator) -> Floats:
    """Hours that items lie after the work, by stage, item and visit."""
    hours = _lognormal(np.array([step.hold for step in steps]), np.full(shape[0], 0.7), shape, dice)
    picks = dice.random(shape)
    for place, step in enumerate(steps):
        if step.rests:
            hours[place] = np.array(step.rests)[(picks[place] * len(step.rests)).astype("int64")]
    return hours


def _lognormal(mean: Floats, spread: Floats, shape: tuple[int, ...], dice: np.random.Generator) -> Floats:
    width = np.sqrt(np.log1p(spread**2))[:, None, None]
    return np.asarray(mean[:, None, None] * np.exp(width * dice.standard_normal(shape) - width**2 / 2))


def _unlogged(engine: _Engine, dice: np.random.Generator) -> None:
    crews = engine.line.crews()
    for (crew, share), own in zip(engine.line.hidden, dice.spawn(len(engine.line.hidden)), strict=True):
        mean = next(step.hours for step in engine.line.steps if step.crew == crew and works(step))
        engine.env.process(engine.unlogged(crew, mean, mean / (share * crews[crew]), own))


def _parked(line: Line, first: int, until: float) -> tuple[Floats, Told]:
    """Items that come early and that nobody ever takes: when they came, and that they did."""
    born: list[float] = []
    log: Told = []
    for place, step in enumerate(line.steps):
        for number in range(line.parked if works(step) else 0):
            born.append(until * (number + 1) / (line.parked + 1))
            log.extend((first + len(born) - 1, born[-1], QUEUED, place, -1))
    return np.array(born), log


# What is seen of it. ----------------------------------------------------------------------------------------------------


def seen(run: Run, board: Board = "split", finishes: bool = True, people: bool = True, actors: bool = True) -> Seen:
    """The run as a tracker shows it, told by `vsm.visits`.

    Boards: ``split`` has a status for waiting and one for work in each stage; ``single`` one status for
    both; ``pull`` only one that begins with the work, so that what waits lies in the stage before.
    ``finishes``: it is recorded when work ends, also where the item cannot move on yet; ``people``: the
    number of people is configured; ``actors``: who works is recorded.
    """
    flow = _workflow(run.line, board, finishes, people)
    items = _items(run)
    path = visits(_log(run, flow, board, finishes, actors), items, flow)
    scope = Scope(START, START + pd.Timedelta(hours=run.hours))
    return Seen(path.visits, path.items.assign(in_production_at=no_times(items.index)), flow.stages, scope)


def _workflow(line: Line, board: Board, finishes: bool, people: bool) -> Workflow:
    stages = [
        Stage(
            step.name,
            waiting=(f"{step.name}: ready",) if board == "split" or not works(step) else (),
            active=(step.name,) if works(step) else (),
            closes=(f"{step.name}: finished".casefold(),) if finishes and board == "split" and works(step) else (),
            people=float(line.crews()[step.crew]) if people and works(step) else None,
            wip_limit=step.limit,
            team=step.crew if works(step) else None,
        )
        for step in line.steps
    ]
    return Workflow("simulated", tuple(stages), done=("Done",))


def _items(run: Run) -> pd.DataFrame:
    names = pd.Series([f"A-{number}" for number in range(len(run.born))], dtype="str")
    created = pd.Series(_times(run.born).view("datetime64[us]")).dt.tz_localize("UTC")
    told = pd.DataFrame({"item": names, "kind": text("ticket", names.index), "created_at": created})
    return told.assign(**{name: no_text(names.index) for name in TEXT})


def _times(hours: Floats) -> Micros:
    return micro(START) + np.round(hours * HOUR).astype("int64")


def _log(run: Run, flow: Workflow, board: Board, finishes: bool, actors: bool) -> pd.DataFrame:
    """The events that a board records, item by item."""
    order = np.argsort(run.item, kind="stable")
    item, what, place, who = (column[order] for column in (run.item, run.what, run.place, run.who))
    at = run.at[order]
    real = _Clock.of(run.line.calendar, run.hours).real(at, what == BEGUN)
    first = np.append(True, item[1:] != item[:-1]) if len(item) else np.array([], dtype=bool)
    born = run.born[item]
    at_once = first & (np.abs(_Clock.of(run.line.calendar, run.hours).worked(born) - at) < 1e-9)
    real = np.where(at_once, born, real)
    event, status = _words(flow, board)
    code = what * (len(flow.stages) + 1) + place
    frame = pd.DataFrame(
        {
            "item": pd.Series(np.array([f"A-{number}" for number in range(len(run.born))], dtype=object)[item], dtype="str"),
            "at": pd.Series(_times(real).view("datetime64[us]")).dt.tz_localize("UTC"),
            "event": pd.Series(event[code], dtype="str"),
            "status": pd.Series(status[code], dtype="str"),
            "environment": pd.Series(None, index=range(len(item)), dtype="str"),
            "actor": pd.Series(np.array([*run.people, None], dtype=object)[who if actors else np.full(len(who), -1)], dtype="str"),
            "team": pd.Series(None, index=range(len(item)), dtype="str"),
        }
    )
    return frame[frame["event"].notna()].reset_index(drop=True)


def _words(flow: Workflow, board: Board) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Event and status by what happened and where; None where the board records nothing."""
    width = len(flow.stages) + 1
    event, status = np.full(4 * width, None, dtype=object), np.full(4 * width, None, dtype=object)
    for place, stage in enumerate(flow.stages):
        status[QUEUED * width + place] = (*stage.waiting, *(stage.active if board == "single" else ()), None)[0]
        status[BEGUN * width + place] = (*(() if board == "single" else stage.active), None)[0]
        event[FINISHED * width + place] = (*stage.closes, None)[0]
    status[DONE * width - 1] = "Done"
    event[[place for place, name in enumerate(status) if name is not None]] = "status"
    return event, status


def with_more(line: Line, place: int, share: float = 0.25) -> Line:
    """The same line with more capacity in one stage: its work takes less time."""
    step = line.steps[place]
    faster = replace(step, hours=step.hours / (1 + share), sample=tuple(hours / (1 + share) for hours in step.sample))
    return replace(line, steps=(*line.steps[:place], faster, *line.steps[place + 1 :]))
