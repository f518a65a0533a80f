"""Deployments and what goes wrong after them: incidents, rollbacks, reverts and hotfixes.

What is bad about a deployment is decided here, and written down here: `Delivery.failed` and
`Delivery.unplanned` are the planted truth about change failures and rework.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from clock import DAY, END, HOUR, MINUTE, START, add_work, is_workday, local, local_day
from dice import Dice
from engine import Engine
from forge import Forge, Proposal, Repository
from line import Line, Ticket, Visit
from organisation import RHYTHM, SLOT, TRAINS, Application, Person
from tables import Facts, Row

BAD_MONTH = (2026, 3)
LINK_DAYS = 7  # [incidents] link_within_days of vsm.toml

# What happens after a bad deployment, in turn: every kind comes, however few there are.
TROUBLES = {
    "checkout": ("hotfix", "rollback", "by time", "revert", "hotfix by time", "silent rollback", "by time", "late",
                 "silent hotfix", "hotfix", "rollback", "silent revert", "by time"),
    "platform": ("hotfix", "by time", "revert", "rollback", "late", "hotfix by time"),
}  # fmt: skip
SYMPTOMS = {
    "shop": ("Basket shows the wrong total", "Search returns nothing", "Checkout button does nothing on phones",
             "Product pages slow", "Vouchers refused", "Confirmation mails not sent"),
    "payments": ("Card payments refused", "Refunds booked twice", "Payment form times out", "Settlement file empty",
                 "Receipts without tax"),
    "accounts": ("Sign-in loops", "Reset mails not sent", "Sessions end after a minute", "Partner sign-in refused"),
    "insights": ("Nightly load stopped", "Sales report shows yesterday's figures", "Segments empty", "Load doubled rows"),
}  # fmt: skip


@dataclass(eq=False)
class Release:
    """An application on its way to production."""

    application: Application
    line: Line
    repository: Repository
    candidate: str | None = None  # the last commit of main that works on staging
    history: list[Row] = field(default_factory=list)  # successful production deployments, oldest first
    released: set[str] = field(default_factory=set)  # commits that have been in production
    highest: int = 0  # how far on main production has been
    trouble: bool = False
    number: int = 0

    @property
    def live(self) -> str:
        return str(self.history[-1]["sha"])


class Delivery:
    """Everything from a good build of main to a running application, and its failures."""

    def __init__(self, engine: Engine, facts: Facts, forge: Forge, lines: list[Line], seed: int) -> None:
        self.engine, self.facts, self.forge, self.lines = engine, facts, forge, lines
        self.dice = Dice(seed, "delivery")
        self.luck = {line.stream.name: Dice(seed, f"failures of {line.stream.name}") for line in lines}
        self.releases = {
            application.name: Release(application, line, forge.repositories[application.name])
            for line in lines
            for application in line.stream.applications
        }
        self.turns = dict.fromkeys(TROUBLES, 0)
        self.failed: dict[str, list[str]] = {}  # deployment -> what shows that it needed remediation
        self.unplanned: dict[str, str] = {}  # deployment -> why it was made
        self.links: dict[str, str] = {}  # incident -> explicit, time, none, excluded
        self.commits_of: dict[str, int] = {}  # production deployment -> commits that are new in it
        forge.on_main = self._on_main

    def plan(self) -> None:
        """Plan the regular releases and the incidents that have other causes."""
        for release in self.releases.values():
            self._first(release)
            name, line = release.application.name, release.line
            for n in range((END - START).days):
                day = START + timedelta(days=n)
                due = day in TRAINS if line.stream.train else day.weekday() in _rhythm(name, day)
                if due and is_workday(day):
                    when = local(day, *SLOT[name]) + self.dice.integer(0, 35 * 60)
                    self.engine.at(when, self._slot, release)
        for when, application, title, severity, labels in OTHER_CAUSES:
            self.engine.at(when, self._other_cause, application, title, severity, labels)

    def _first(self, release: Release) -> None:
        """What was running when the sample begins."""
        sha = release.repository.tip
        release.candidate = sha
        self.deploy(release, "staging", sha, "main", "success", lambda row: None)
        self.engine.after(2 * HOUR, self.deploy, release, "production", sha, "main", "success", lambda row: None)

    # Deployments. ---------------------------------------------------------------------------------

    def deploy(self, release: Release, environment: str, sha: str, ref: str, result: str,
               then: Callable[[Row], None]) -> None:  # fmt: skip
        """Bring a commit to an environment."""
        name = release.application.name
        release.number += 1
        id_ = f"{name}-{release.number}"
        row = self.facts.add(
            "deployments", id=id_, application=name, environment=environment, repository=release.repository.name,
            sha=sha, ref=ref, started_at=self.engine.now, finished_at=None, result="unknown",
            url=f"https://deploy.example.org/{name}/{release.number}",
        )  # fmt: skip
        if environment == "production":
            fresh = release.repository.reachable(sha, release.released)
            self.commits_of[id_] = len(fresh)
            if release.application.states_commits:
                for commit in sorted(fresh):
                    self.facts.add("deployment_commits", deployment=id_, repository=release.repository.name, sha=commit)
        self.engine.after(self.dice.integer(180, 660), self._end, release, row, result, then)

    def _end(self, release: Release, row: Row, result: str, then: Callable[[Row], None]) -> None:
        row |= {"finished_at": self.engine.now, "result": result}
        if result == "success" and row["environment"] == "production":
            fresh = release.repository.reachable(row["sha"], release.released)
            release.released |= fresh
            release.history.append(row)
            if row["sha"] in release.repository.main:
                release.highest = max(release.highest, release.repository.main.index(row["sha"]))
            self._deliver(release.line)
        then(row)

    def _deliver(self, line: Line) -> None:
        """Close the tickets whose changes are all in production."""
        for ticket in line.tickets:
            if ticket.row["status"] != line.stream.release.waiting or ticket.open_proposals():
                continue
            if all(p.landed is None or p.landed in self._released(p) for p in ticket.proposals):
                by = ticket.developer or line.stream.product
                self.engine.after(self.dice.minutes(4, 85), line.deliver, ticket, by)

    def _released(self, proposal: Proposal) -> set[str]:
        return self.releases[proposal.repository.application.name].released

    def _on_main(self, application: Application, sha: str) -> None:
        """A good build of main goes to staging by itself."""
        release = self.releases[application.name]
        result = "failure" if self.dice.chance(0.03) else "success"
        self.engine.after(self.dice.integer(30, 120), self.deploy, release, "staging", sha, "main", result,
                          lambda row: self._staged(release, row))  # fmt: skip

    def _staged(self, release: Release, row: Row) -> None:
        main = release.repository.main
        if row["result"] != "success":
            self.engine.after(25 * MINUTE, self.deploy, release, "staging", row["sha"], "main", "success",
                              lambda again: self._staged(release, again))  # fmt: skip
        elif release.candidate is None or main.index(row["sha"]) > main.index(release.candidate):
            release.candidate = row["sha"]

    # Regular releases. ----------------------------------------------------------------------------

    def _slot(self, release: Release) -> None:
        """A regular release, where there is something new and nothing is on fire."""
        main, sha = release.repository.main, release.candidate
        if release.trouble or sha is None or main.index(sha) <= release.highest:
            return
        ref = "main"
        if release.line.stream.train:
            today = local_day(self.engine.now)
            ref = f"train-{today:%Y-%m-%d}"
            self.facts.add("tags", repository=release.repository.name, name=ref, sha=sha, tagged_at=self.engine.now - 900,
                           subject=f"Release train of {today}")  # fmt: skip
        self._attempt(release, sha, ref, 1)

    def _attempt(self, release: Release, sha: str, ref: str, attempt: int) -> None:
        luck = self.luck[release.line.stream.name]
        if luck.chance(0.012) and attempt == 1:
            result = "cancelled"
        else:
            result = "failure" if luck.chance(0.2 if self._is_bad(release) else 0.03) and attempt < 3 else "success"

        def then(row: Row) -> None:
            if result == "success":
                self._released_regularly(release, row)
            else:
                self.engine.after(self.dice.minutes(35, 80), self._attempt, release, sha, ref, attempt + 1)

        self.deploy(release, "production", sha, ref, result, then)

    def _is_bad(self, release: Release) -> bool:
        day = local_day(self.engine.now)
        return (day.year, day.month) == BAD_MONTH and not release.line.stream.train

    def _released_regularly(self, release: Release, row: Row) -> None:
        """Some deployments turn out bad."""
        stream = release.line.stream.name
        share = 0.55 if self._is_bad(release) else {"checkout": 0.075, "platform": 0.13}[stream]
        too_late = self.engine.now > local(END - timedelta(days=6))
        if len(release.history) < 3 or too_late or not self.luck[stream].chance(share):
            return
        kinds = TROUBLES[stream]
        kind = kinds[self.turns[stream] % len(kinds)]
        self.turns[stream] += 1
        self._go_wrong(release, row, kind)

    # Bad deployments. -----------------------------------------------------------------------------

    def _go_wrong(self, release: Release, bad: Row, kind: str) -> None:
        """One way of failing, from the first symptom to the remedy."""
        release.trouble = True
        begun = self.engine.now + self.dice.minutes(6, 75)
        if kind == "late":
            release.trouble = False  # nobody knows yet
            begun = local(local_day(self.engine.now) + timedelta(days=3), 9) + self.dice.minutes(0, 400)
        noticed = begun + self.dice.minutes(2, 25)
        incident: Row | None = None
        if not kind.startswith("silent"):
            explicit = "by time" not in kind
            incident = self._incident(release, begun, noticed, bad, explicit)
        remedy = noticed + self.dice.minutes(15, 60)
        if "hotfix" in kind:
            self.engine.at(remedy, self._hotfix, release, bad, incident)
        elif "rollback" in kind:
            self.engine.at(remedy, self._rollback, release, bad, incident)
        elif "revert" in kind:
            self.engine.at(remedy, self._revert, release, bad, incident)
        elif kind == "late" and incident is not None:
            resolved = remedy + self.dice.minutes(20, 200)
            self.engine.at(resolved, incident.update, {"resolved_at": resolved})
        else:  # a switch was turned off, a setting changed: no deployment
            self.engine.at(remedy + self.dice.minutes(20, 200), self._calm, release, incident)

    def _incident(self, release: Release, begun: int, noticed: int, bad: Row, explicit: bool) -> Row:
        """An incident that comes of a deployment; it is in the facts once somebody has opened it."""
        name = release.application.name
        title, severity = self.dice.pick(SYMPTOMS[name]), self.dice.pick(("major", "major", "minor", "critical"))
        row: Row = {}
        self.engine.at(begun, self._open_incident, row, name, title, severity, bad["id"] if explicit else None, None)
        self.engine.at(noticed, row.update, {"detected_at": noticed})
        seen = noticed + self.dice.minutes(2, 13)
        self.engine.at(seen, row.update, {"acknowledged_at": seen})
        if explicit:
            self.engine.at(begun, self._blame, bad["id"], "incident", row)
        return row

    def _open_incident(self, row: Row, application: str | None, title: str, severity: str,
                       deployment: str | None, labels: str | None) -> None:  # fmt: skip
        id_ = f"INC-{len(self.facts.tables['incidents']) + 1}"
        row |= {"id": id_, "application": application, "title": title, "severity": severity,
                "opened_at": self.engine.now, "deployment": deployment, "labels": labels,
                "url": f"https://incidents.example.org/{id_}"}  # fmt: skip
        self.facts.tables["incidents"].append(row)
        if labels:
            self.links[id_] = "excluded"
        elif deployment:
            self.links[id_] = "explicit"
        else:
            self._link_by_time(row)

    def _link_by_time(self, incident: Row) -> None:
        """An incident that names no deployment belongs to the last one of its application, if that is recent."""
        release = self.releases.get(str(incident["application"]))
        last = release.history[-1] if release else None
        if last is None or incident["opened_at"] - last["finished_at"] > LINK_DAYS * DAY:
            self.links[incident["id"]] = "none"
            return
        self.links[incident["id"]] = "time"
        self._blame(last["id"], "incident by time", incident)

    def _blame(self, deployment: str, evidence: str, by: Row) -> None:
        self.failed.setdefault(deployment, []).append(f"{evidence} {by['id']}")

    def _calm(self, release: Release, incident: Row | None) -> None:
        release.trouble = False
        if incident is not None:
            incident["resolved_at"] = self.engine.now

    def _mend(self, release: Release, row: Row, bad: Row, reason: str, incident: Row | None) -> None:
        """The unplanned deployment that mended it is out."""
        self.unplanned[row["id"]] = reason
        self._blame(bad["id"], reason, row)
        self.engine.after(self.dice.minutes(4, 20), self._calm, release, incident)

    def _culprit(self, release: Release, bad: Row) -> Proposal | None:
        """The last pull request that came with the bad deployment, if there is one that of a ticket."""
        before = release.history[release.history.index(bad) - 1]["sha"]
        fresh = release.repository.reachable(bad["sha"], release.repository.reachable(before, set()))
        merged = [p for p in self.forge.proposals if p.row and p.row["merge_sha"] in fresh and
                  p.repository is release.repository and not p.branch.startswith(("revert-", "hotfix/"))]  # fmt: skip
        return max(merged, key=lambda p: (p.ticket is not None, p.row and p.row["merged_at"])) if merged else None

    def _reopen_later(self, release: Release, proposal: Proposal | None) -> None:
        if proposal is not None and proposal.ticket is not None:
            later = add_work(self.engine.now, self.dice.integer(1, 9) * HOUR)
            self.engine.at(later, release.line.reopen, proposal.ticket, release.line.stream.product)

    def _rollback(self, release: Release, bad: Row, incident: Row | None) -> None:
        """Back to the version before."""
        before = release.history[release.history.index(bad) - 1]
        self._reopen_later(release, self._culprit(release, bad))
        self.deploy(release, "production", before["sha"], before["ref"], "success",
                    lambda row: self._mend(release, row, bad, "rollback", incident))  # fmt: skip

    def _ship(self, release: Release, sha: str, ref: str, bad: Row, reason: str, incident: Row | None) -> None:
        self.deploy(release, "production", sha, ref, "success",
                    lambda row: self._mend(release, row, bad, reason, incident))  # fmt: skip

    def _people(self, release: Release) -> tuple[Person, Person]:
        """Who is on call: one of the team's developers, and a lead to read what they wrote."""
        team = release.application.team
        writers = [shift.person for shift in release.line.stream.develop.rota
                   if shift.person.team == team and shift.since <= local_day(self.engine.now)]  # fmt: skip
        lead = next(shift.person for shift in release.line.stream.review.rota if shift.person.team == team)
        return self.dice.pick(writers), lead

    def _revert(self, release: Release, bad: Row, incident: Row | None) -> None:
        """Take back the last change that came with the bad deployment; where none did, mend it."""
        culprit = self._culprit(release, bad)
        if culprit is None:
            self._hotfix(release, bad, incident)
            return
        writer, lead = self._people(release)
        forge, repository = self.forge, release.repository
        base = release.live if release.line.stream.train else repository.tip
        sha = culprit.opened["merge_sha"]
        subject = next(row["subject"] for row in self.facts.tables["commits"] if row["sha"] == sha)
        branch = f"revert-{culprit.opened['number']}-{culprit.branch}"
        proposal = Proposal(repository, branch, f'Revert "{culprit.title}"', writer, base, culprit.ticket, culprit.names_in)
        forge.proposals.append(proposal)
        commit = forge.commit(repository, (base,), writer.email, f'Revert "{subject}"',
                              message=f"This reverts commit {sha}.", paths=culprit.commits[0]["paths"])  # fmt: skip
        self._reopen_later(release, culprit)
        self._hurry(release, proposal, commit, lead, bad, "revert", incident)

    def _hurry(self, release: Release, proposal: Proposal, commit: Row, lead: Person, bad: Row, reason: str,
               incident: Row | None) -> None:  # fmt: skip
        """A pull request that is read at once, merged and shipped."""
        forge, now = self.forge, self.engine.now
        forge.push_to(proposal, commit)
        read = now + self.dice.minutes(8, 35)
        self.engine.at(read, forge.submit, proposal, lead, "approved")

        def land() -> None:
            if proposal.ticket is not None and reason == "hotfix":
                proposal.ticket.visits[-1].left = self.engine.now
                release.line.queue(proposal.ticket, release.line.stream.release, lead)
            base = release.live if release.line.stream.train else None  # nothing else rides along with a train's fix
            ref = f"release/{bad['ref']}" if base else "main"

            def ship() -> None:
                self._ship(release, str(proposal.landed), ref, bad, reason, incident)

            forge.land(proposal, base, ref, ship)

        self.engine.at(read + self.dice.integer(60, 300), land)

    def _hotfix(self, release: Release, bad: Row, incident: Row | None) -> None:
        """A fix outside the order of things: its own ticket, a branch, a quick reading, straight to production."""
        line, (writer, lead) = release.line, self._people(release)
        title = f"Fix: {str(incident['title']) if incident else self.dice.pick(SYMPTOMS[release.application.name])}"
        ticket = line.add("Defect", release.application, "Highest", title, "hotfix")
        ticket.row |= {"team": release.application.team, "application": release.application.name}
        ticket.hotfix = ticket.expedite = True
        ticket.developer = writer
        ticket.skips |= {line.stream.stages[0].name, line.stream.test.name}
        if incident is not None and self.dice.chance(0.6):
            incident["ticket"] = ticket.key
        culprit = self._culprit(release, bad)
        if culprit is not None and culprit.ticket is not None:
            self.facts.add("ticket_links", ticket=culprit.ticket.key, kind="causes", other=ticket.key)
        self.engine.after(self.dice.minutes(4, 12), self._take_up, ticket, release, writer)
        done = self.engine.now + self.dice.minutes(30, 110)
        self.engine.at(done, self._offer_hotfix, ticket, release, writer, lead, bad, incident)

    def _take_up(self, ticket: Ticket, release: Release, writer: Person) -> None:
        self._visit(ticket, release, release.line.stream.develop.name)
        release.line.move(ticket, str(release.line.stream.develop.active), writer)
        release.line.assign(ticket, writer)

    def _offer_hotfix(self, ticket: Ticket, release: Release, writer: Person, lead: Person, bad: Row,
                      incident: Row | None) -> None:  # fmt: skip
        line, repository = release.line, release.repository
        base = release.live if line.stream.train else repository.tip
        proposal = Proposal(repository, f"hotfix/{ticket.key}-{_short(ticket.title)}", f"{ticket.key} {ticket.title}",
                            writer, base, ticket, frozenset({"branch", "title"}), "hotfix")  # fmt: skip
        ticket.proposals.append(proposal)
        self.forge.proposals.append(proposal)
        commit = self.forge.commit(repository, (base,), writer.email, ticket.title,
                                   paths=self.forge.paths(release.application))  # fmt: skip
        self.engine.after(self.dice.minutes(1, 5), self._read_hotfix, ticket, release, lead)
        self._hurry(release, proposal, commit, lead, bad, "hotfix", incident)

    def _read_hotfix(self, ticket: Ticket, release: Release, lead: Person) -> None:
        self._visit(ticket, release, release.line.stream.review.name)
        release.line.move(ticket, str(release.line.stream.review.active), lead)

    def _visit(self, ticket: Ticket, release: Release, stage: str) -> None:
        if ticket.visits:
            ticket.visits[-1].left = self.engine.now
        ticket.visits.append(Visit(stage, self.engine.now, self.engine.now))

    # Incidents of other causes. -------------------------------------------------------------------

    def _other_cause(self, application: str | None, title: str, severity: str, labels: str | None) -> None:
        row: Row = {}
        self._open_incident(row, application, title, severity, None, labels)
        now, last = self.engine.now, self.engine.now > local(END - timedelta(days=3))
        row["detected_at"] = now if labels else now + 3 * MINUTE
        self.engine.at(now + 15 * MINUTE, row.update, {"acknowledged_at": now + 15 * MINUTE})
        if not last and "supplier" not in title:
            ended = now + self.dice.minutes(40, 400)
            self.engine.at(ended, row.update, {"resolved_at": ended})


# Incidents that no deployment of the application caused. Where one names an application, the train
# left more than a week before, or the office had been closed; the first of them is also a plain
# maintenance window, whose label keeps it out of every count.
OTHER_CAUSES: tuple[tuple[int, str | None, str, str, str | None], ...] = (
    (local(date(2025, 12, 6), 22), "shop", "Planned maintenance of the database", "minor", "maintenance"),
    (local(date(2026, 1, 2), 8, 12), "shop", "Name service of the hosting provider down", "critical", None),
    (local(date(2026, 2, 16), 10, 41), "accounts", "Certificate of the sign-in page expired", "major", None),
    (local(date(2026, 4, 11), 3, 7), "insights", "Disk of the data mart full", "minor", None),
    (local(date(2026, 4, 21), 15, 30), None, "Office network down", "minor", None),
    (local(date(2026, 6, 13), 21, 30), "payments", "Planned maintenance of the card provider", "minor", "maintenance"),
    (local(date(2026, 6, 23), 11, 5), "accounts", "Mail provider refuses reset mails", "major", None),
    (local(date(2026, 8, 31), 7, 50), "insights", "Feed of a supplier delayed", "minor", None),
    (local(date(2026, 9, 15), 16, 20), "warehouse", "Label printers offline", "minor", None),
    (local(date(2026, 10, 24), 22), "accounts", "Planned maintenance of the directory", "minor", "maintenance"),
    (local(date(2026, 11, 15), 19, 5), "shop", "Slow answers on the basket page", "minor", None),
)


def _rhythm(name: str, day: date) -> tuple[int, ...]:
    return [weekdays for since, weekdays in RHYTHM[name] if since <= day][-1]


def _short(title: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in title.lower()).split()
    return "-".join(words[1:4])
