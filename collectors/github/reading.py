"""One repository while it is read: what it is, then list by list what is new."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from collectors.base import Page
from collectors.github.client import Client, NotAllowed, NotThere
from collectors.github.poll import Poll
from collectors.github.resource import Batch, Repo, Resource

ITSELF = "repository"  # the name under which a repository's own answer and cursor are kept

Cursors = Mapping[str, Mapping[str, Any]]


@dataclass
class Reading:
    """One repository while it is read. ``done``: things that the source has read before it."""

    client: Client
    resources: Sequence[Resource]
    since: datetime | None
    poll: Poll
    cursors: Cursors
    full: bool
    done: int = 0

    @property
    def repo(self) -> Repo:
        return self.poll.repo

    @cached_property
    def before(self) -> Mapping[str, Any]:
        return self.cursors.get(place(self.repo.id, ITSELF), {})

    @property
    def anew(self) -> bool:
        """Whether all of it is read again: what was told before stands under another name."""
        return self.full or self.before.get("name", self.repo.name) != self.repo.name

    def pages(self) -> Iterator[Page]:
        """All that is new in it. Raises CollectorError."""
        warnings = [*self.poll.warnings]
        yield self._itself()
        for resource in self.resources:
            for page in self._list(resource):
                warnings += page.warnings
                yield page
        if not warnings and not self._was_whole():
            yield self._page(cursors={place(self.repo.id, ITSELF): self._state(whole=True)}, doing=self.repo.name)

    def _was_whole(self) -> bool:
        """Whether all of it was read before, and nothing can have been added since but what the lists tell."""
        return not self.anew and is_whole(self.before, self.poll.pushed, self.resources, self.since)

    def _itself(self) -> Page:
        """What the repository is. One that is read anew forgets how far its lists were read."""
        repo, old = self.repo, self.before.get("name", self.repo.name)
        keep = {name: getattr(repo, name) for name in ("url", "default_branch", "archived")}
        answer = {"repository": repo.name, **keep, "head_sha": repo.head}
        read = [one for one in self.resources if self.anew and place(repo.id, one.name) in self.cursors]
        forgotten = {place(repo.id, one.name): self._begun(one) for one in read}
        return self._page(
            raw=[(ITSELF, str(repo.id), answer)],
            gone=self._gone(old) if old != repo.name else {},
            cursors={**forgotten, place(repo.id, ITSELF): self._state(whole=self._was_whole())},
            warnings=[*self.poll.warnings, *self._remarks(old)],
            doing=repo.name,
        )

    def _gone(self, old: str) -> dict[Any, list[dict[str, Any]]]:
        """What stands under the old name and would stay: what a clone may tell as well is never taken back answer by answer."""
        from vsm import models

        return {models.Repository: [{"name": old}], models.Commit: [{"repository": old}], models.Tag: [{"repository": old}]}

    def _state(self, whole: bool) -> dict[str, Any]:
        state = {"name": self.repo.name, "pushed": self.poll.pushed}
        return state | ({"whole": _reach(self.resources, self.since)} if whole else {})

    def _remarks(self, old: str) -> Iterator[str]:
        if old != self.repo.name:
            yield f"{old} is now {self.repo.name}: it is read again under its new name; change it in vsm.toml, where it is named"
        if self.repo.head is None:
            yield f"{self.repo.name} has no commits yet"

    def _list(self, resource: Resource) -> Iterator[Page]:
        """The pages of one list; a list that we may not read, or that is switched off, is a warning."""
        here, began = place(self.repo.id, resource.name), self.done
        state = self._begun(resource) if self.anew else self.cursors.get(here, {})
        first, saved = self.anew or not state, json.dumps(state, sort_keys=True)  # a list may go on with parts of it
        try:
            for batch in resource.batches(self.client, self.repo, state, self.since, self.poll.first):
                self.done += len(batch.answers)
                now = saved if batch.state is None else json.dumps(batch.state, sort_keys=True)
                if not (batch.answers or batch.lost or batch.warnings) and now == saved:
                    continue  # no news: a transaction for each quiet list of a thousand repositories would be many
                saved = now
                # Of a list that is read for the first time all is to come; of another, nobody knows how much is new.
                total = began + batch.total if batch.total is not None and first and self.since is None else None
                yield self._batch(resource.name, here, batch, total)
        except (NotThere, NotAllowed) as error:
            yield self._page(warnings=[f"{self.repo.name}: {_words(resource.name)}: {error}"], doing=self.repo.name)

    def _begun(self, resource: Resource) -> dict[str, Any]:
        """The state of a list that is read from its beginning."""
        before = self.cursors.get(place(self.repo.id, resource.name), {})
        return {name: before[name] for name in resource.lasting if name in before}

    def _batch(self, name: str, here: str, batch: Batch, total: int | None) -> Page:
        return self._page(
            raw=[(name, f"{self.repo.id}:{key}", answer) for key, answer in batch.answers],
            lost=[(name, f"{self.repo.id}:{key}") for key in batch.lost],
            gone=batch.gone,
            cursors={here: batch.state} if batch.state is not None else {},
            warnings=[f"{self.repo.name}: {warning}" for warning in batch.warnings],
            doing=f"{self.repo.name}: {_words(name)}",
            total=total,
        )

    def _page(self, **told: Any) -> Page:
        return Page(requests=self.client.patience.taken(), done=self.done, **told)


def is_whole(before: Mapping[str, Any], pushed: str | None, resources: Sequence[Resource], since: datetime | None) -> bool:
    """Whether a repository's cursor says that all of it was read when somebody last pushed to it, and as much as now."""
    return before.get("pushed") == pushed and before.get("whole") == _reach(resources, since)


def place(repository: int | str | None, name: str) -> str:
    """The name of a cursor: the repository's id, which stays, and the list."""
    return f"{repository}:{name}"


def _reach(resources: Sequence[Resource], since: datetime | None) -> list[str | None]:
    return [since.isoformat() if since else None, *(one.name for one in resources)]


def _words(name: str) -> str:
    return name.replace("_", " ")
