"""Issues by REST, where GraphQL is refused.

Only a reading from the beginning (`--full`) tells here which issues are gone: each that it does not find is asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from collectors.github.client import NotThere
from collectors.github.issues_graphql import DOES, Graph, changed_at
from collectors.github.resource import Batch
from collectors.github.walks import OVERLAP, Thing, Walk


@dataclass
class Rest(Graph):
    """A repository's issues by REST: a request more for the timeline of each.

    The list can be asked for what changed since an instant, so it is read from the oldest change up,
    each page from the last change of the one before: what changes meanwhile moves to the end.
    """

    by: ClassVar[str] = "rest"

    def batches(self, state: Mapping[str, Any], since: datetime | None, page: Any = None) -> Iterator[Batch]:
        """The news."""
        walk = self.resumed(state, since)
        walk.gaps = []
        start = max((time for time in (walk.seen and walk.seen - OVERLAP, since) if time), default=None)
        etag, number = state.get("etag"), 1
        while True:
            answer = self.client.rest(f"/repos/{self.repo.name}/issues", _asked(start, number), etag=etag)
            if answer.status == 304:
                return
            etag, things = None, [thing for thing in answer.data or () if thing]  # GitHub's lists have had holes
            last = max((changed_at(thing) for thing in things), default=None)
            walk.seen = max((time for time in (walk.seen, last) if time), default=None)
            answers = self.news(thing for thing in things if "pull_request" not in thing)
            kept = {"etag": answer.etag} if not answer.next and number == 1 and start == self._next(walk, since) else {}
            lost = [] if answer.next else self._missed(since)
            yield Batch(answers, lost=lost, state=self.state(walk, None) | kept)
            if not answer.next:
                return
            # A second earlier, since the server may mean "after" by since, and several may have changed in that second.
            further = last - timedelta(seconds=1) if last else start
            start, number = (further, 1) if further and (start is None or further > start) else (start, number + 1)

    def _missed(self, since: datetime | None) -> list[str]:
        """Of the issues that were known before a reading from the beginning, and that it did not find, those that are gone."""
        unseen, self.old = self.old - self.numbers, set()
        lost = {number for number in unseen if self._is_gone(number)} if since is None else set()
        self.numbers |= unseen - lost
        return [str(number) for number in sorted(lost)]

    def _is_gone(self, number: int) -> bool:
        """Whether an issue was deleted, or lives elsewhere now."""
        try:
            found = self.client.rest(f"/repos/{self.repo.name}/issues/{number}").data
        except NotThere:
            return True
        return bool(found["number"] != number or not found["repository_url"].lower().endswith(f"/repos/{self.repo.name}".lower()))

    def _next(self, walk: Walk, since: datetime | None) -> datetime | None:
        """From where the next reading begins: an ETag is only good for the same question."""
        return max((time for time in (walk.seen and walk.seen - OVERLAP, since) if time), default=None)

    def whole(self, thing: Thing) -> dict[str, Any]:
        """An issue with its events, without what nobody reads."""
        pages = self.client.listed(f"/repos/{self.repo.name}/issues/{thing['number']}/timeline")
        return slim(thing, [event for page in pages for event in page]) | {"repository": self.repo.name}


def _asked(start: datetime | None, number: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"state": "all", "sort": "updated", "direction": "asc", "per_page": 100, "page": number}
    return asked | ({"since": f"{start:%Y-%m-%dT%H:%M:%SZ}"} if start else {})


FIELDS = ("id", "number", "title", "html_url", "state", "state_reason", "created_at", "closed_at", "parent_issue_url")


def slim(issue: Thing, timeline: Iterable[Thing]) -> dict[str, Any]:
    """What is used of REST's answers about an issue."""
    kept: dict[str, Any] = {name: issue[name] for name in FIELDS if issue.get(name) is not None}
    if issue.get("type"):
        kept["type"] = {"name": issue["type"]["name"]}
    kept["user"] = _who(issue.get("user"))
    kept["labels"] = [{"name": label["name"]} for label in issue.get("labels") or ()]
    kept["timeline"] = [_slim_event(event) for event in timeline if event.get("event") in DOES]
    return kept


def _slim_event(event: Thing) -> dict[str, Any]:
    kept: dict[str, Any] = {"event": event["event"], "created_at": event["created_at"], "actor": _who(event.get("actor"))}
    for name, part in (("label", "name"), ("milestone", "title")):
        if event.get(name):
            kept[name] = {part: event[name][part]}
    return kept | ({"assignee": _who(event["assignee"])} if event.get("assignee") else {})


def _who(user: Thing | None) -> dict[str, Any] | None:
    return {"login": user.get("login"), "type": user.get("type")} if user else None
