"""GitHub as a source: each repository is asked once for what is new in all of its lists, and then only for the rest of that.

A repository is known by its id, so one that was renamed is found again under its new name. One that
cannot be read is a sentence, and does not stop the others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

from collectors.base import Blocked, Check, CollectorError, Context, Page, Told
from collectors.courses import Courses
from collectors.github import examine, lists, poll, repositories
from collectors.github.client import Client, GraphQLRefused, NotAllowed, NotThere
from collectors.github.connection import Unreachable
from collectors.github.keys import Keys, keys
from collectors.github.poll import Poll
from collectors.github.pulls import PullRequests
from collectors.github.reading import ITSELF, Cursors, Reading, is_whole, place
from collectors.github.refusal import Refusal
from collectors.github.repositories import Found
from collectors.github.resource import Resource
from collectors.patience import Patience

TURN = "turn"  # the cursor that says which of several repositories a run had come to
SOME = 10  # pull requests that are asked for where most of them are known
MANY = 25  # where none is
IN_A_ROW = 3  # repositories that may fail one after the other before the server is taken to be down


@dataclass(eq=False)
class GitHubCollector:
    """Repositories of one GitHub server."""

    kind: ClassVar[str] = "github"
    fills: ClassVar[frozenset[str]] = frozenset({"commits", "identities", "repositories", "tags"})
    name: str
    keys: Keys
    context: Context
    read: set[int] = field(default_factory=set)
    done: int = 0
    refusal: Refusal = field(init=False)
    turns: bool = False

    @classmethod
    def configured(cls, told: Mapping[str, Any], context: Context) -> Self:
        """A collector from one ``[[sources]]`` table. Raises ConfigError."""
        return cls(str(told.get("name", cls.kind)), keys(told, context), context)

    @cached_property
    def client(self) -> Client:
        """The server, as whom the configuration says that we are."""
        patience = Patience(self.name, most=self.keys.most, pause=self.context.pause)
        return Client(patience, self.keys.url, self.keys.auth(), self.keys.reserve)

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """The lists that are read of each repository."""
        return lists.asked(self.keys)

    @cached_property
    def tellers(self) -> Mapping[str, Resource]:
        """All lists by name, those too that are no longer asked for."""
        return {one.name: one for one in lists.every(self.keys)}

    def scope(self) -> str:
        """What this source speaks of: "acme/shop, tools/* without forks at https://api.github.com"."""
        return f"{self.keys.wanted.words()} at {self.keys.url}"

    def recall(self, cursors: Cursors) -> None:
        """Nothing: an answer carries all that it is read by."""

    def told(self, resource: str, external_id: str, answer: Any) -> Told:
        """The facts that one raw answer tells."""
        if resource == ITSELF:
            from vsm import models

            columns = ("url", "default_branch", "head_sha")
            row = {"name": answer["repository"], "application": self.keys.rules.application}
            return {models.Repository: [row | {name: answer[name] for name in columns}]}
        teller = self.tellers.get(resource)
        told = teller.told(answer, self.keys.rules) if teller else {}
        left_out = () if self.keys.tickets else ("tickets", "transitions", "ticket_changes")
        return {table: rows for table, rows in told.items() if table.__tablename__ not in left_out}

    def pages(self, cursors: Cursors, full: bool) -> Iterator[Page]:
        """The news of each repository. Raises CollectorError for what could not be read, when all others have been."""
        failed: list[str] = []
        missing: list[str] = []
        in_a_row, turn = 0, dict[str, Mapping[str, Any]]()
        self.client.courses = Courses()
        self.refusal = Refusal.recalled(self.client, cursors, anew=full)
        for found in self._in_turn(list(repositories.found(self.client, self.keys.wanted)), cursors):
            try:
                yield from self._repository(found, cursors, full)
                in_a_row = 0
            except (Blocked, Unreachable):
                yield self._spent(found.name)
                raise
            except (NotThere, NotAllowed) as error:
                missing.append(str(error))
                yield self._spent(found.name, f"{found.name}: {error}")
            except CollectorError as error:
                failed.append(f"{found.name}: {error}")
                in_a_row += 1
                yield self._spent(found.name)
                if in_a_row == IN_A_ROW:
                    break
        else:
            turn = {TURN: {}} if self.turns else {}
        # What is left was asked for repositories that need not be read, and for lists without news.
        if (spent := self.client.patience.taken()) or turn:
            yield Page(requests=spent, done=self.done, cursors=turn)
        if failed or (missing and not self.read):
            raise CollectorError("; ".join(failed or missing))

    def _in_turn(self, found: list[Found], cursors: Cursors) -> list[Found]:
        """The repositories in the order in which they are read: new ones first, then from where a run before was broken off.

        A run that may make fewer requests than there are repositories comes to all of them so, in several runs.
        """
        named = _named(cursors)
        known = [replace(one, id=named.get(one.name.lower())) if one.id is None and not one.error else one for one in found]
        self.turns = len(found) > 1
        at = cursors.get(TURN, {}).get("at")
        start = next((number for number, one in enumerate(known) if one.name == at), 0)
        return sorted(known[start:] + known[:start], key=lambda one: place(one.id, ITSELF) in cursors)

    def _spent(self, name: str, *warnings: str) -> Page:
        """A page that tells only what was asked in vain."""
        return Page(requests=self.client.patience.taken(), done=self.done, doing=name, warnings=warnings)

    def _repository(self, found: Found, cursors: Cursors, full: bool) -> Iterator[Page]:
        """The pages of one repository."""
        if found.error:
            raise found.error
        since = self.context.since
        before = cursors.get(place(found.id, ITSELF), {})
        if found.archived and not full and is_whole(before, found.pushed, self.resources, since):
            self.read.add(found.id or 0)
            return  # nothing can change in it
        size = cursors.get(place(found.id, PullRequests.name), {}).get("size", MANY)
        polled = self._poll(found.name, min(size, SOME) if before else size)
        if polled.repo.id in self.read:
            return  # asked for under two names
        self.read.add(polled.repo.id)
        if news := self.refusal.news():
            yield Page(cursors=news, requests=self.client.patience.taken(), done=self.done, doing=polled.repo.name)
        reading = Reading(self.client, self.resources, since, polled, cursors, full, self.done)
        turn: dict[str, Mapping[str, Any]] = {TURN: {"at": found.name}} if self.turns else {}
        for page in reading.pages():
            self.done = page.done
            yield replace(page, cursors={**page.cursors, **turn})
            turn = {}

    def _poll(self, name: str, first: int) -> Poll:
        """What a repository is, and the newest of its lists. Raises NotThere."""
        if not self.client.graphql_refused:
            try:
                return poll.by_graphql(self.client, name, [one.fields for one in self.resources if one.fields], first)
            except GraphQLRefused:
                pass
        return poll.by_rest(self.client, name)

    def checks(self) -> Iterator[Check]:
        """Whether the server takes us, what we may read, and whether its clock is ours. Raises CollectorError."""
        yield from examine.checks(self.client, self.keys)

    def proposal(self) -> str:
        """Lines for vsm.toml: production environments, and workflows that look like deployments."""
        return examine.proposal(self.client, self.keys)


def _named(cursors: Cursors) -> dict[str, int]:
    """The ids of repositories by the names that they had when they were last read."""
    mine = {place.removesuffix(f":{ITSELF}"): state for place, state in cursors.items() if place.endswith(f":{ITSELF}")}
    return {str(state.get("name", "")).lower(): int(key) for key, state in mine.items()}
