"""The forge: repositories, branches, commits, pull requests, reviews and builds, as the line makes them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from clock import HOUR, MINUTE, START, WEEK, add_work, local, local_day, next_work
from dice import Dice
from engine import Engine
from organisation import BOT, BOT_EMAIL, STREAMS, WORDS, Application, Person
from tables import Facts, Row

if TYPE_CHECKING:
    from line import Ticket

STAGES_SINCE = local(START) + 39 * WEEK  # stages of builds only for the last quarter: they are many
PIPELINE = (("Checkout", 0.04), ("Compile", 0.26), ("Unit tests", 0.4), ("Integration tests", 0.3))
TAKEN_BACK = date(2026, 7, 9)  # the day after a train: a commit goes straight to main and is taken back at once
LIBRARIES = ("http client", "logging", "date library", "test runner", "linter", "database driver", "build image")
CHORES = ("Update the exchange rate table", "Add a supplier to the import", "Raise the memory of the nightly load",
          "Correct a column name", "Adjust the list of holidays", "Tidy the readme")  # fmt: skip


@dataclass(eq=False)
class Repository:
    """A repository with its graph."""

    application: Application
    row: Row
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    main: list[str] = field(default_factory=list)  # main's first-parent line, oldest first
    pushed: list[Row] = field(default_factory=list)  # commits that went straight to main
    merged_back: list[Row] = field(default_factory=list)  # merges of release branches into main
    numbers: int = 0

    @property
    def name(self) -> str:
        return self.application.repository

    @property
    def tip(self) -> str:
        return self.main[-1]

    def reachable(self, sha: str, known: set[str]) -> set[str]:
        """Commits that can be reached from this one and are not known yet."""
        found: set[str] = set()
        ahead = [sha]
        while ahead:
            commit = ahead.pop()
            if commit not in known and commit not in found:
                found.add(commit)
                ahead.extend(self.parents[commit])
        return found


@dataclass(eq=False)
class Proposal:
    """A branch and, once it is opened, its pull request."""

    repository: Repository
    branch: str
    title: str
    author: Person | None  # None: the bot
    head: str
    ticket: Ticket | None = None
    names_in: frozenset[str] = frozenset()  # where the ticket is named: branch, title, commits
    labels: str | None = None
    commits: list[Row] = field(default_factory=list)
    row: Row | None = None
    merger: Person | None = None  # who merges, where it is not the author
    landed: str | None = None  # the commit that has to reach production

    @property
    def is_open(self) -> bool:
        return self.row is None or (self.row["merged_at"] is None and self.row["closed_at"] is None)

    @property
    def opened(self) -> Row:
        """Its pull request, which must have been opened."""
        if self.row is None:
            raise ValueError(f"{self.branch} has no pull request yet")
        return self.row

    @property
    def email(self) -> str:
        return self.author.email if self.author else BOT_EMAIL


class Forge:
    """All repositories of the organisation."""

    def __init__(self, engine: Engine, facts: Facts, seed: int) -> None:
        self.engine, self.facts = engine, facts
        self.dice, self.talk = Dice(seed, "forge"), Dice(seed, "talk on pull requests")
        self.repositories: dict[str, Repository] = {}
        self.proposals: list[Proposal] = []
        self.said: set[tuple[Proposal, Person, int]] = set()
        self.on_main: Callable[[Application, str], None] = lambda application, sha: None  # a good build of main
        self._shas = self._builds = 0

    # The graph. -----------------------------------------------------------------------------------

    def create(self, application: Application) -> Repository:
        """A repository with its first commit."""
        name = application.repository
        row = self.facts.add("repositories", name=name, url=f"https://forge.example.org/{name}", default_branch="main",
                             application=application.name, head_sha=None)  # fmt: skip
        repository = self.repositories[application.name] = Repository(application, row)
        email = f"forge@{application.name}.invalid"
        self.commit(repository, (), email, f"Import {application.name} from the old forge", to_main=True)
        return repository

    def commit(self, repository: Repository, parents: tuple[str, ...], author: str, subject: str, *,
               message: str | None = None, paths: str | None = None, to_main: bool = False) -> Row:  # fmt: skip
        """A new commit; one in seven was written some minutes before it was committed (amended, rebased)."""
        self._shas += 1
        sha = hashlib.sha1(f"{repository.name}/{self._shas}".encode(), usedforsecurity=False).hexdigest()
        authored = self.engine.now - (self.dice.integer(60, 900) if len(parents) == 1 and self.dice.chance(0.14) else 0)
        row = self.facts.add(
            "commits", repository=repository.name, sha=sha, authored_at=authored, committed_at=self.engine.now,
            author=author, subject=subject, message=f"{subject}\n\n{message}" if message else subject,
            parents=" ".join(parents) or None, paths=paths,
        )  # fmt: skip
        repository.parents[sha] = parents
        if to_main:
            repository.main.append(sha)
            repository.row["head_sha"] = sha
        return row

    def paths(self, application: Application) -> str:
        """The files of a commit: one or two, in a folder of the application."""
        name = self.dice.pick(WORDS[application.name].folder)
        part = self.dice.pick(("rules", "view", "client", "model", "store"))
        return f"src/{name}/{part}.py" + (f";tests/{name}/test_{part}.py" if self.dice.chance(0.4) else "")

    # Work on a branch. ----------------------------------------------------------------------------

    def develop(self, ticket: Ticket, person: Person, seconds: int, again: bool) -> None:
        """Somebody writes commits for a ticket during so many working seconds."""
        for application in ticket.applications:
            proposal = self._branch(ticket, application, person)
            main_part = application is ticket.applications[0]
            count = self.dice.integer(1, 2) if again or not main_part else min(6, 1 + self.dice.integer(1, 4))
            draft = not again and main_part and self.dice.chance(0.14)
            for n in range(count):
                share = (n + 1) / count * self.dice.integer(88, 98) / 100
                subject = self._subject(ticket, n, again)
                when = add_work(self.engine.now, round(seconds * share))
                self.engine.at(when, self._write, proposal, subject, person, draft and n == 0)

    def _branch(self, ticket: Ticket, application: Application, person: Person) -> Proposal:
        repository = self.repositories[application.name]
        for proposal in ticket.open_proposals():
            if proposal.repository is repository:
                return proposal
        places = ("branch title", "branch title commits", "branch", "title commits", "commits")
        names_in = frozenset(self.dice.pick(places).split()) if ticket.linked else frozenset()
        attempts = sum(proposal.repository is repository for proposal in ticket.proposals)
        kind = "fix" if ticket.row["type"] == "Defect" else "feature"
        slug = _slug(ticket.title) + (f"-{attempts + 1}" if attempts else "")
        branch = f"{kind}/{ticket.key}-{slug}" if "branch" in names_in else f"{kind}/{slug}"
        title = f"{ticket.key} {ticket.title}" if "title" in names_in else ticket.title
        proposal = Proposal(repository, branch, title, person, repository.tip, ticket, names_in)
        ticket.proposals.append(proposal)
        self.proposals.append(proposal)
        return proposal

    def _subject(self, ticket: Ticket, n: int, again: bool) -> str:
        if again:
            return self.dice.pick(("Address the review remarks", "Handle the case found in testing", "Rename and tidy"))
        if n == 0:
            return ticket.title
        return self.dice.pick(("Add tests", "Handle empty values", "Wire it up", "Add the missing translation",
                               "Log what was decided", "Cover the edge cases", "Move the check to the border"))  # fmt: skip

    def _write(self, proposal: Proposal, subject: str, person: Person, draft: bool = False) -> None:
        if not proposal.is_open:
            return
        if not proposal.commits:  # a branch starts from main as it is at the first commit
            proposal.head = proposal.repository.tip
        if "commits" in proposal.names_in and proposal.ticket:
            subject = f"{proposal.ticket.key}: {subject}"
        paths = self.paths(proposal.repository.application)
        row = self.commit(proposal.repository, (proposal.head,), person.email, subject, paths=paths)
        self._push(proposal, row)
        if draft and proposal.row is None:
            self.engine.after(self.dice.integer(60, 400), self._open, proposal, False)

    def _push(self, proposal: Proposal, row: Row) -> None:
        proposal.commits.append(row)
        proposal.head = row["sha"]
        if proposal.row is not None:
            self._list_commit(proposal, row)

    def _list_commit(self, proposal: Proposal, row: Row) -> None:
        proposal.opened["head_sha"] = row["sha"]
        self.facts.add("pull_request_commits", repository=proposal.repository.name, number=proposal.opened["number"],
                       sha=row["sha"], authored_at=row["authored_at"])  # fmt: skip

    # Pull requests. -------------------------------------------------------------------------------

    def offer(self, ticket: Ticket, person: Person) -> None:
        """The work goes to review: open the pull requests, or push what was changed."""
        for proposal in ticket.open_proposals():
            earlier = max(proposal.commits[-1]["committed_at"] + 10, self.engine.now - self.dice.integer(40, 420))
            if proposal.row is None:
                self._open(proposal, True, min(earlier, self.engine.now))
            elif proposal.row["ready_at"] is None:
                proposal.row["ready_at"] = min(earlier, self.engine.now)
            self.build(proposal.repository, proposal.head, proposal.branch, proposal)

    def _open(self, proposal: Proposal, ready: bool, when: int | None = None) -> None:
        if proposal.row is not None:
            return
        when = when or self.engine.now
        repository = proposal.repository
        repository.numbers += 1
        number = repository.numbers
        size = max(2, round(self.dice.lognormal(150, 1.3)))
        proposal.row = self.facts.add(
            "pull_requests", repository=repository.name, number=number, title=proposal.title,
            author=proposal.author.login if proposal.author else BOT, source_branch=proposal.branch,
            target_branch="main", created_at=when, ready_at=when if ready else None,
            first_commit_at=min(row["authored_at"] for row in proposal.commits), first_review_at=None,
            approved_at=None, merged_at=None, closed_at=None, merge_sha=None, head_sha=proposal.head,
            labels=proposal.labels, additions=size, deletions=self.dice.integer(0, size),
            url=f"https://forge.example.org/{repository.name}/pull/{number}",
        )  # fmt: skip
        for row in proposal.commits:
            self._list_commit(proposal, row)

    def push_to(self, proposal: Proposal, commit: Row) -> None:
        """Open a pull request in a hurry, with one commit."""
        self._push(proposal, commit)
        self._open(proposal, True, self.engine.now + 25)
        self.build(proposal.repository, commit["sha"], proposal.branch)

    def review(self, ticket: Ticket, reviewer: Person, seconds: int, end: int, sent_back: bool) -> None:
        """Somebody reads the pull requests for so many working seconds, may ask on the way, and says yes or no at the end."""
        for proposal in ticket.open_proposals():
            for _ in range(self.talk.integer(0, 2)):
                asked = add_work(self.engine.now, seconds * self.talk.integer(20, 80) // 100 + self.talk.integer(0, 50))
                if asked < end - 5 * MINUTE:
                    self._discuss(proposal, reviewer, asked)
            state = "changes_requested" if sent_back else "approved"
            self.engine.at(end - self.dice.integer(30, 200), self.submit, proposal, reviewer, state)

    def _discuss(self, proposal: Proposal, reviewer: Person, asked: int) -> None:
        """A question, sometimes as a review of its own, and sometimes an answer."""
        self.engine.at(asked, self._comment, proposal, reviewer)
        if self.talk.chance(0.25):
            self.engine.at(asked + 40, self.submit, proposal, reviewer, "commented")
        if proposal.author and self.talk.chance(0.4):
            self.engine.at(add_work(asked, self.talk.minutes(5, 150)), self._comment, proposal, proposal.author)

    def remark(self, ticket: Ticket, tester: Person, end: int) -> None:
        """What the tester found is said on the pull request."""
        for proposal in ticket.open_proposals()[:1]:
            self.engine.at(end - self.dice.integer(30, 200), self._comment, proposal, tester)

    def submit(self, proposal: Proposal, reviewer: Person, state: str) -> None:
        """A review is handed in."""
        if proposal.row is None or not proposal.is_open:
            return
        row, now = proposal.row, self.engine.now
        self.facts.add("reviews", repository=row["repository"], number=row["number"], submitted_at=now,
                       reviewer=reviewer.login, state=state)  # fmt: skip
        row["first_review_at"] = row["first_review_at"] or now
        if state == "approved":
            row["approved_at"] = now

    def _comment(self, proposal: Proposal, person: Person) -> None:
        said = (proposal, person, self.engine.now)
        if proposal.row is not None and proposal.is_open and said not in self.said:
            self.said.add(said)  # nobody says two things in one second
            self.facts.add("comments", repository=proposal.row["repository"], number=proposal.row["number"],
                           at=self.engine.now, author=person.login)  # fmt: skip

    def merge(self, ticket: Ticket) -> None:
        """Merge what is open, some minutes after the ticket said so."""
        for proposal in ticket.open_proposals():
            self.engine.after(self.dice.minutes(2, 20), self.land, proposal)

    def land(self, proposal: Proposal, base: str | None = None, target: str = "main",
             then: Callable[[], None] | None = None) -> None:  # fmt: skip
        """Merge a pull request as the repository does it: into main, or onto a released commit and so back to main."""
        repository, row, now = proposal.repository, proposal.opened, self.engine.now
        number = row["number"]
        email = proposal.merger.email if proposal.merger else proposal.email
        if repository.application.squash:
            title = proposal.title if len(proposal.commits) > 1 else proposal.commits[0]["subject"]
            merged = self.commit(repository, (repository.tip,), email, f"{title} (#{number})",
                                 message=_squashed(proposal), to_main=True)  # fmt: skip
            merged["authored_at"] = now
            self.facts.remove("commits", proposal.commits)
        else:
            owner = repository.name.split("/")[0]
            subject = f"Merge pull request #{number} from {owner}/{proposal.branch}"
            parents = (base or repository.tip, proposal.head)
            merged = self.commit(repository, parents, email, subject, message=proposal.title, to_main=base is None)
        row |= {"merged_at": now, "closed_at": now, "merge_sha": merged["sha"], "target_branch": target}
        proposal.landed = merged["sha"]
        self.build(repository, merged["sha"], target, None, then)
        if base is not None:
            self.merge_back(repository, merged["sha"], email, target)

    def merge_back(self, repository: Repository, sha: str, email: str, branch: str) -> None:
        """What was mended on a release branch comes back to main."""
        row = self.commit(repository, (repository.tip, sha), email, f"Merge branch '{branch}'", to_main=True)
        repository.merged_back.append(row)
        self.build(repository, repository.tip, "main")

    def abandon(self, ticket: Ticket) -> None:
        """Close what is open, unmerged; the branches are deleted."""
        for proposal in ticket.open_proposals():
            self._close(proposal)

    def _close(self, proposal: Proposal) -> None:
        if proposal.row is None and proposal.commits:
            self._open(proposal, True, max(proposal.commits[-1]["committed_at"] + 20, self.engine.now - 600))
        if proposal.row is not None and proposal.is_open:
            proposal.row["closed_at"] = self.engine.now
            self.facts.remove("commits", proposal.commits)

    # Builds. --------------------------------------------------------------------------------------

    def build(self, repository: Repository, sha: str, branch: str, proposal: Proposal | None = None,
              then: Callable[[], None] | None = None, attempt: int = 1) -> None:  # fmt: skip
        """Build and test a commit; a failed build of a branch is mended, one of main is run again."""
        self._builds += 1
        job = f"{repository.application.name}-ci"
        queued, wait = self.engine.now + self.dice.integer(4, 30), round(self.dice.lognormal(70, 1.2)) + 3
        length = round(self.dice.lognormal(540, 0.25))
        fails = attempt == 1 and self.dice.chance(0.12 if proposal else 0.04)
        row = {"id": f"{job}-{self._builds}", "job": job, "repository": repository.name, "sha": sha, "branch": branch,
               "queued_at": queued}  # fmt: skip
        self.engine.at(queued + wait, self._start_build, row, length, fails, repository, proposal, then)

    def _start_build(self, row: Row, length: int, fails: bool, repository: Repository, proposal: Proposal | None,
                     then: Callable[[], None] | None) -> None:  # fmt: skip
        begun = self.engine.now
        kept = self.facts.add("builds", **row, started_at=begun, finished_at=None, result=None, url=None)
        passed = self.dice.integer(1, 3) if fails else len(PIPELINE)  # stages before the one that fails
        ran = PIPELINE[: passed + 1]
        ends = [round(length * math.fsum(share for _, share in ran[: n + 1])) for n in range(len(ran))]
        if begun >= STAGES_SINCE:
            for n, (name, _) in enumerate(ran):
                self.facts.add("build_stages", build=row["id"], name=name,
                               started_at=begun + (ends[n - 1] if n else 0), finished_at=begun + ends[n],
                               result="failure" if n == passed else "success")  # fmt: skip
        self.engine.after(ends[-1], self._end_build, kept, fails, repository, proposal, then)

    def _end_build(self, row: Row, failed: bool, repository: Repository, proposal: Proposal | None,
                   then: Callable[[], None] | None) -> None:  # fmt: skip
        row |= {"finished_at": self.engine.now, "result": "failure" if failed else "success"}
        if failed and proposal is not None:
            self.engine.after(self.dice.minutes(10, 45), self._mend, proposal)
        elif failed:
            self.build(repository, row["sha"], row["branch"], None, then, attempt=2)
        elif proposal is None:
            if row["branch"] == "main":
                self.on_main(repository.application, row["sha"])
            if then is not None:
                then()

    def _mend(self, proposal: Proposal) -> None:
        person = proposal.author
        if person is None or not proposal.is_open:
            return
        self._write(proposal, self.dice.pick(("Fix the failing test", "Repair the build")), person)
        self.build(proposal.repository, proposal.head, proposal.branch, proposal, attempt=2)

    # Changes without a ticket. --------------------------------------------------------------------

    def plan(self) -> None:
        """Plan the bot's pull requests and the commits that go straight to main."""
        for repository in self.repositories.values():
            for week in range(52):
                monday = local(START, 6, 40) + week * WEEK
                if self.dice.chance(0.33):
                    self.engine.at(monday + self.dice.integer(0, 3000), self._bump, repository)
            if repository.application.pushes:
                for n in range(26):
                    when = next_work(local(START, 10) + n * 2 * WEEK + self.dice.integer(0, 11) * 86000)
                    self.engine.at(when + self.dice.minutes(0, 200), self._chore, repository)
                self.engine.at(local(TAKEN_BACK, 10, 12), self._chore, repository)
                self.engine.at(local(TAKEN_BACK, 14, 47), self._think_better, repository)

    def _bump(self, repository: Repository) -> None:
        library = self.dice.pick(LIBRARIES)
        version = f"{self.dice.integer(1, 9)}.{self.dice.integer(0, 20)}.{self.dice.integer(0, 9)}"
        title = f"Bump the {library} to {version}"
        proposal = Proposal(repository, f"upkeep/{_slug(library)}-{version}", title, None, repository.tip,
                            labels="dependencies")  # fmt: skip
        self.proposals.append(proposal)
        self._push(proposal, self.commit(repository, (repository.tip,), BOT_EMAIL, title, paths="requirements.txt"))
        self._open(proposal, True)
        self.build(repository, proposal.head, proposal.branch)
        if self.dice.chance(0.14):  # superseded by a later version
            self.engine.after(self.dice.integer(24, 60) * HOUR, self._close, proposal)
            return
        person = self.dice.pick(self._team(repository.application))
        proposal.merger = person
        approved = add_work(self.engine.now, self.dice.minutes(20, 200))
        self.engine.at(approved, self.submit, proposal, person, "approved")
        self.engine.at(approved + self.dice.integer(60, 600), self._land_bump, proposal)

    def _land_bump(self, proposal: Proposal) -> None:
        if proposal.is_open:
            self.land(proposal)

    def _chore(self, repository: Repository) -> None:
        person = self.dice.pick(self._team(repository.application))
        self._push_main(repository, person, self.dice.pick(CHORES))

    def _push_main(self, repository: Repository, person: Person, subject: str, message: str | None = None) -> None:
        """A commit straight to main."""
        paths = self.paths(repository.application)
        row = self.commit(repository, (repository.tip,), person.email, subject, message=message, paths=paths, to_main=True)
        repository.pushed.append(row)
        self.build(repository, row["sha"], "main")

    def _think_better(self, repository: Repository) -> None:
        """The last commit that went straight to main is taken back, before it was ever in production."""
        last = repository.pushed[-1]
        person = self.dice.pick(self._team(repository.application))
        self._push_main(repository, person, f'Revert "{last["subject"]}"', f"This reverts commit {last['sha']}.")

    def _team(self, application: Application) -> list[Person]:
        """Who writes and reads code of an application, now."""
        today = local_day(self.engine.now)
        shifts = [shift for stream in STREAMS for stage in (stream.develop, stream.review) for shift in stage.rota]
        return [shift.person for shift in shifts if shift.person.team == application.team and shift.since <= today]


def _slug(title: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in title.lower()).split()
    short = [word for word in words if word not in ("the", "in", "of", "to", "from", "a", "for", "and")]
    return "-".join(short[:4])


def _squashed(proposal: Proposal) -> str | None:
    """What a squash merge says below its subject: which commits it was made of, or what it reverts."""
    if proposal.branch.startswith("revert-"):
        return str(proposal.commits[0]["message"]).split("\n\n", 1)[1]
    if len(proposal.commits) == 1:
        return None
    return "\n".join(f"* {commit['subject']}" for commit in proposal.commits)
