"""The queueing line of one value stream: tickets wait for people, people work, work goes on or comes back.

A stage is a queue before a few people. They work in office hours, first come first served, expedites
first; a returned ticket goes to who had it, where that person is free. All waiting in the sample
comes from here: nothing is drawn as "wait".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clock import DAY, HOUR, MINUTE, START, WEEK, add_work, local, local_day, next_work
from dice import Dice
from engine import Engine
from forge import Forge, Proposal
from organisation import PARKING, TITLES, WORDS, Application, Parking, Person, Stage, Stream
from tables import Facts, Row


@dataclass(eq=False)
class Visit:
    """A stay in a stage, as it really was."""

    stage: str
    queued: int
    started: int | None = None
    finished: int | None = None  # hands were off it from here, where it was held up
    left: int | None = None
    person: Person | None = None
    parked: Parking | None = None
    sent_back: bool = False


@dataclass(eq=False)
class Ticket:
    """A ticket with what the tracker does not know of it."""

    row: Row
    stream: Stream
    applications: list[Application]
    expedite: bool = False
    fate: str = "done"  # or "abandoned in development", "dropped after refinement"
    skips: set[str] = field(default_factory=set)
    linked: bool = True  # whether its pull requests name it
    developer: Person | None = None
    assignee: Person | None = None
    visits: list[Visit] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    reopened: list[int] = field(default_factory=list)
    flagged: list[tuple[int, int]] = field(default_factory=list)
    hotfix: bool = False
    caught_up: bool = False  # refined without the board, which was told afterwards

    @property
    def key(self) -> str:
        return str(self.row["key"])

    @property
    def title(self) -> str:
        return str(self.row["title"])

    def open_proposals(self) -> list[Proposal]:
        """Its pull requests that are neither merged nor closed."""
        return [proposal for proposal in self.proposals if proposal.is_open]


@dataclass(eq=False)
class Epic:
    """A parent of tickets, closed when all of them are."""

    row: Row
    children: list[Ticket] = field(default_factory=list)


class Line:
    """One value stream at work."""

    def __init__(self, stream: Stream, engine: Engine, facts: Facts, forge: Forge, seed: int) -> None:
        self.stream, self.engine, self.facts, self.forge = stream, engine, facts, forge
        self.dice = Dice(seed, f"line of {stream.name}")
        self.words = Dice(seed, f"titles of {stream.name}")
        self.tickets: list[Ticket] = []
        self.epics: list[Epic] = []
        self.queues: dict[str, list[tuple[Ticket, Visit]]] = {stage.name: [] for stage in stream.stages}
        self.busy: set[Person] = set()
        self.parking = [spot for spot in PARKING if spot.stream == stream.name]
        self._keys = 0

    # Demand: what is asked for, and when it is committed to. -------------------------------------

    def plan(self) -> None:
        """Plan the whole year's demand."""
        for n in range(5):
            self.engine.at(local(START, 9, 40 + n) + n * 49 * DAY, self._open_epic)
        committed = local(START, 9)
        while committed < self.engine.end + 6 * WEEK:
            rate = self.stream.rate(local_day(committed))
            committed = add_work(committed, round(self.dice.erlang(40 / rate) * HOUR))
            self.engine.at(self._asked(committed), self._create, committed)
        for n in range(24):
            asked = local(START, 11) + round((n + self.dice.integer(1, 9) / 10) * 52 * WEEK / 25)
            self.engine.at(next_work(asked), self._create_never, self.dice.chance(0.3))

    def _asked(self, committed: int) -> int:
        """When a ticket was created that is committed to then: mostly in office hours, never before the sample."""
        asked = committed - round(self.dice.lognormal(13, 0.9) * DAY) - HOUR
        if self.dice.chance(0.85):
            asked = min(next_work(asked) + self.dice.minutes(0, 300), committed - HOUR)
        first = local(START, 8, 30)
        return asked if asked > first else first + (committed - first) * self.dice.integer(10, 80) // 100

    def _create(self, committed: int) -> None:
        ticket = self._ticket()
        self.engine.at(committed, self._commit, ticket)

    def _create_never(self, cancelled: bool) -> None:
        ticket = self._ticket()
        if cancelled:
            later = add_work(self.engine.now, self.dice.integer(15, 70) * 8 * HOUR)
            self.engine.at(later, self.cancel, ticket, self.stream.product)

    def _ticket(self) -> Ticket:
        """A new ticket, with what will be special about it."""
        dice = self.dice
        type_ = dice.weighted({"Feature": 0.52, "Defect": 0.25, "Debt": 0.15, "Risk": 0.08})
        first, second = self.stream.applications
        application = first if dice.chance(self.stream.share[0]) else second
        both = not self.stream.train and type_ == "Feature" and dice.chance(0.08)
        ticket = self.add(type_, application, dice.weighted({"High": 0.2, "Medium": 0.6, "Low": 0.2}))
        if both:
            ticket.applications.append(second if application is first else first)
        if dice.chance(0.03):
            ticket.expedite, ticket.row["priority"] = True, "Highest"
        if type_ == "Defect" and dice.chance(0.35):
            ticket.skips.add(self.stream.stages[0].name)
        if type_ == "Debt" and dice.chance(0.2):
            ticket.skips.add(self.stream.test.name)
        ticket.fate = dice.weighted({"done": 0.97, "abandoned in development": 0.015, "dropped after refinement": 0.015})
        ticket.linked = both or not dice.chance(0.05)
        return ticket

    def add(self, type_: str, application: Application, priority: str, title: str | None = None,
            labels: str | None = None) -> Ticket:  # fmt: skip
        """Put a ticket into the tracker."""
        words = self.words
        label = words.weighted({"": 0.72, "customer": 0.1, "mobile": 0.07, "security": 0.04, "quick-win": 0.07})
        known = not words.chance(0.03)
        team = application.team if not words.chance(0.02) else None
        row = self._row(title or self._title(type_, application), type_, priority)
        row |= {"team": team, "labels": labels or label or None, "application": application.name if known else None}
        ticket = Ticket(row, self.stream, [application])
        if self.epics and type_ in ("Feature", "Risk") and words.chance(0.3) and not labels:
            epic = self.epics[-1]
            row["parent"] = epic.row["key"]
            epic.children.append(ticket)
        self.tickets.append(ticket)
        return ticket

    def _row(self, title: str, type_: str, priority: str | None) -> Row:
        self._keys += 1
        key = f"{self.stream.project}-{self._keys}"
        return self.facts.add(
            "tickets", key=key, title=title, type=type_, status=self.stream.new, created_at=self.engine.now,
            resolved_at=None, resolution=None, project=self.stream.project, team=None, priority=priority,
            parent=None, labels=None, application=None, url=f"https://tracker.example.org/browse/{key}",
        )  # fmt: skip

    def _title(self, type_: str, application: Application) -> str:
        words = WORDS[application.name]
        thing, place = self.words.pick(words.things), self.words.pick(words.places)
        title = self.words.pick(TITLES[type_]).format(thing=thing, Thing=thing[0].upper() + thing[1:], place=place)
        return title[0].upper() + title[1:]

    # Epics have a board of their own, which the stream ignores. ----------------------------------

    def _open_epic(self) -> None:
        word = self.words.pick(("Renew", "Simplify", "Prepare", "Open up", "Secure"))
        application = self.words.pick(self.stream.applications)
        row = self._row(f"{word} {self.words.pick(WORDS[application.name].things)}", "Epic", "Medium")
        row |= {"status": "Epic open", "team": application.team, "application": application.name}
        self.epics.append(Epic(row))
        self.engine.after(14 * WEEK, self._close_epic, self.epics[-1])

    def _close_epic(self, epic: Epic) -> None:
        if epic is self.epics[-1] or any(child.row["resolution"] is None for child in epic.children):
            self.engine.after(WEEK, self._close_epic, epic)
            return
        self._transition(epic.row, "Epic closed", self.stream.product, self.stream.product.team)
        epic.row |= {"resolution": "Done", "resolved_at": self.engine.now}

    # The way through the stages. -----------------------------------------------------------------

    def _commit(self, ticket: Ticket) -> None:
        """The stream takes the ticket on."""
        refine = self.stream.stages[0]
        if refine.name in ticket.skips:
            self.queue(ticket, self.stream.develop, self.stream.product)
        elif self.dice.chance(0.012):
            self._catch_up(ticket, refine)
        else:
            self.queue(ticket, refine, self.stream.product)

    def _catch_up(self, ticket: Ticket, stage: Stage) -> None:
        """It was refined in a meeting: the board is told all at once, three changes at one instant."""
        by, now = self.stream.product, self.engine.now
        ticket.caught_up = True
        for status in (stage.waiting, str(stage.active)):
            self.move(ticket, status, by)
        ticket.visits.append(Visit(stage.name, now, now, now, now))
        self.queue(ticket, self.stream.develop, by)

    def queue(self, ticket: Ticket, stage: Stage, by: Person, team: str | None = None) -> None:
        """The ticket now waits before a stage."""
        self.move(ticket, stage.waiting, by, team)
        visit = Visit(stage.name, self.engine.now)
        ticket.visits.append(visit)
        if stage.active is None:
            return
        visit.parked = self._parking(ticket, stage)
        self.queues[stage.name].append((ticket, visit))
        if visit.parked and visit.parked.weeks:
            self.engine.after(visit.parked.weeks * WEEK, self._unpark, ticket, visit, stage)
        self.engine.at(next_work(self.engine.now), self._dispatch, stage)

    def _parking(self, ticket: Ticket, stage: Stage) -> Parking | None:
        first_time = sum(visit.stage == stage.name for visit in ticket.visits) == 1
        if ticket.expedite or ticket.fate != "done" or not first_time:
            return None
        for spot in self.parking:
            if spot.stage == stage.name and self.engine.now >= local(spot.since):
                self.parking.remove(spot)
                return spot
        return None

    def _unpark(self, ticket: Ticket, visit: Visit, stage: Stage) -> None:
        waiting = self.queues[stage.name]
        waiting.remove((ticket, visit))
        waiting.insert(0, (ticket, visit))  # remembered at last, and taken up next
        ticket.expedite = True
        self.engine.at(next_work(self.engine.now), self._dispatch, stage)

    def _dispatch(self, stage: Stage) -> None:
        """Give waiting tickets to free people; who takes one up needs some minutes to notice."""
        now = self.engine.now
        if next_work(now) != now:
            self.engine.at(next_work(now), self._dispatch, stage)
            return
        while free := [shift for shift in self._shifts(stage) if shift not in self.busy]:
            ready = [entry for entry in self.queues[stage.name] if not self._is_parked(entry)]
            if not ready:
                return
            ticket, visit = min(ready, key=lambda entry: not entry[0].expedite)
            person = self._who(ticket, free)
            self.queues[stage.name].remove((ticket, visit))
            self.busy.add(person)
            self.engine.at(add_work(now, self.dice.integer(60, 13 * 60)), self._start, ticket, visit, stage, person)

    def _is_parked(self, entry: tuple[Ticket, Visit]) -> bool:
        ticket, visit = entry
        return visit.parked is not None and not ticket.expedite

    def _shifts(self, stage: Stage) -> list[Person]:
        today = local_day(self.engine.now)
        return [shift.person for shift in stage.rota if shift.since <= today < shift.until]

    def _who(self, ticket: Ticket, free: list[Person]) -> Person:
        before = {visit.person for visit in ticket.visits}
        mates = [person for person in free if person.team == ticket.applications[0].team]
        return next((person for person in free if person in before), None) or self.dice.pick(mates or free)

    def _start(self, ticket: Ticket, visit: Visit, stage: Stage, person: Person) -> None:
        now = self.engine.now
        visit.started, visit.person = now, person
        self.move(ticket, str(stage.active), person, self._team(stage, person))
        self.assign(ticket, person)
        again = sum(old.stage == stage.name for old in ticket.visits) > 1
        hours = self.dice.lognormal(stage.hours * (stage.again if again else 1), stage.spread)
        seconds = max(12 * MINUTE, round(hours * 60) * MINUTE + self.dice.integer(0, 59))
        end = add_work(now, seconds)
        if stage is self.stream.develop:
            ticket.developer = person
            self.forge.develop(ticket, person, seconds, again)
        elif stage.sends_back:
            visit.sent_back = self.dice.chance(stage.sends_back * (0.3 if again else 1))
            if stage is self.stream.review:
                self.forge.review(ticket, person, seconds, end, visit.sent_back)
            elif visit.sent_back:
                self.forge.remark(ticket, person, end)
        self.engine.at(end, self._finish, ticket, visit, stage, person)

    def _finish(self, ticket: Ticket, visit: Visit, stage: Stage, person: Person) -> None:
        now = self.engine.now
        self.busy.discard(person)
        self.engine.at(next_work(now), self._dispatch, stage)
        for other in self.stream.stages:  # whoever changed places is free for the new one
            if other is not stage and person in self._shifts(other):
                self.engine.at(next_work(now), self._dispatch, other)
        visit.finished = now
        if stage is self.stream.develop and self.dice.chance(0.055):
            self._flag(ticket, person)
            until = add_work(now, round(self.dice.lognormal(22, 0.7) * HOUR))
            self.engine.at(until, self._unflag, ticket, visit, stage, person)
        else:
            self._leave(ticket, visit, stage, person)

    def _flag(self, ticket: Ticket, person: Person) -> None:
        ticket.flagged.append((self.engine.now, 0))
        self.facts.add("ticket_changes", ticket=ticket.key, at=self.engine.now, field="flagged", to="Impediment",
                       from_=None, actor=person.account)  # fmt: skip

    def _unflag(self, ticket: Ticket, visit: Visit, stage: Stage, person: Person) -> None:
        ticket.flagged[-1] = (ticket.flagged[-1][0], self.engine.now)
        self.facts.add("ticket_changes", ticket=ticket.key, at=self.engine.now, field="flagged", to=None,
                       from_="Impediment", actor=person.account)  # fmt: skip
        self.engine.after(self.dice.minutes(2, 20), self._leave, ticket, visit, stage, person)

    def _leave(self, ticket: Ticket, visit: Visit, stage: Stage, person: Person) -> None:
        """Work at a stage has ended: where to now?"""
        visit.left = self.engine.now
        stream, team = self.stream, self._team(stage, person)
        if stage is stream.develop:
            if ticket.fate == "abandoned in development":
                self.forge.abandon(ticket)
                self.cancel(ticket, person)
            else:
                self.forge.offer(ticket, person)
                self.queue(ticket, stream.review, person, team)
        elif visit.sent_back:
            self.queue(ticket, stream.develop, person, team)
        elif stage is stream.review and stream.test.name not in ticket.skips:
            self.queue(ticket, stream.test, person, team)
        elif stage is stream.review or stage is stream.test:
            self.queue(ticket, stream.release, person, team)
            self.forge.merge(ticket)
        elif ticket.fate == "dropped after refinement":
            self.cancel(ticket, stream.product)
        else:
            self.queue(ticket, stream.develop, person, team)

    def _team(self, stage: Stage, person: Person) -> str:
        """Who changed places works for the developers now."""
        moved = any(shift.person is person and shift.since > START for shift in stage.rota)
        return "Payments" if moved and stage is self.stream.review else person.team

    # Ends. ----------------------------------------------------------------------------------------

    def deliver(self, ticket: Ticket, by: Person) -> None:
        """Its changes are in production: somebody closes it."""
        if ticket.row["status"] != self.stream.release.waiting:
            return
        self.move(ticket, self.stream.done, by)
        ticket.visits[-1].left = self.engine.now
        ticket.done.append(self.engine.now)
        ticket.row |= {"resolution": "Done", "resolved_at": self.engine.now}
        if not ticket.hotfix and self.dice.chance(0.006):
            later = add_work(self.engine.now, self.dice.integer(6, 60) * HOUR)
            self.engine.at(later, self.reopen, ticket, self.stream.product)

    def reopen(self, ticket: Ticket, by: Person) -> None:
        """It was not done after all."""
        if ticket.row["status"] != self.stream.done:
            return
        ticket.reopened.append(self.engine.now)
        ticket.expedite = True
        ticket.row |= {"resolution": None, "resolved_at": None}
        self.queue(ticket, self.stream.develop, by)

    def cancel(self, ticket: Ticket, by: Person) -> None:
        """It will not be done."""
        self.move(ticket, self.stream.cancelled, by)
        if ticket.visits:
            ticket.visits[-1].left = self.engine.now
        ticket.row |= {"resolution": "Won't do", "resolved_at": self.engine.now}

    # What the tracker records. --------------------------------------------------------------------

    def move(self, ticket: Ticket, status: str, by: Person, team: str | None = None) -> None:
        """Change the ticket's status."""
        self._transition(ticket.row, status, by, team or by.team)

    def _transition(self, row: Row, status: str, by: Person, team: str) -> None:
        self.facts.add("transitions", ticket=row["key"], at=self.engine.now, from_status=row["status"],
                       to_status=status, actor=by.account, team=team)  # fmt: skip
        row["status"] = status

    def assign(self, ticket: Ticket, person: Person) -> None:
        """Somebody takes the ticket."""
        before = ticket.assignee
        if before is person:
            return
        self.facts.add("ticket_changes", ticket=ticket.key, at=self.engine.now, field="assignee", to=person.account,
                       from_=before.account if before else None, actor=person.account)  # fmt: skip
        ticket.assignee = person
