"""Pull requests: what one tells of itself, its commits, reviews and comments, and of who is who.

Only people other than the author review or approve: what a program says counts for neither time. The
approval is the first one, whatever came after it; one that was dismissed is no longer told as one. A
comment in the code is part of a review, and is told as that; `comments` are the others. The first
commit is the one that was authored first, which may be long before the branch was made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from collectors.base import Told
from collectors.github import queries
from collectors.github.client import Client
from collectors.github.people import author, program
from collectors.github.pulls_graphql import ByGraphQL
from collectors.github.pulls_rest import ByRest
from collectors.github.resource import Batch, Repo, Rules
from collectors.github.walks import Thing, Walk, moment

Answer = Mapping[str, Any]
KEPT = 50  # more than what is asked for at once
RANKS = ("commented", "dismissed", "changes_requested", "approved")  # of several reviews of one second the last one counts


@dataclass
class PullRequests:
    """A repository's pull requests, the one that changed last first."""

    name: ClassVar[str] = "pull_requests"
    lasting: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[str] = queries.pull_requests()

    def batches(self, client: Client, repo: Repo, state: Mapping[str, Any], since: datetime | None, first: Any) -> Iterator[Batch]:
        """The news since the state. Raises CollectorError."""
        if first is not None and first.get("pullRequests") is None:
            return  # refused, and the poll has said so
        seen = Seen(client, dict(state.get("known") or {}))
        walk = Walk.resumed(state, "rest" if first is None else "graphql", _changed, since)
        reader: ByRest | ByGraphQL
        if first is None:
            reader = ByRest(client, repo, state.get("etag") if walk.seen and not walk.gaps else None)
        else:
            reader = ByGraphQL(client, repo, first["pullRequests"], state.get("size"))
        for part in walk.pieces(reader.read, reader.first):
            news = reader.whole(seen.news(part.things))
            after = {**walk.state, **seen.state(), **reader.state()}
            warnings, reader.warnings = [*part.warnings, *reader.warnings], []
            yield Batch([(str(one["number"]), one) for one in news], state=after, total=part.total, warnings=warnings)

    def told(self, answer: Answer, rules: Rules) -> Told:
        """Rows of a pull request, its commits, reviews and comments, and the identities that its commits show."""
        from vsm import models

        place = {"repository": answer["repository"], "number": answer["number"]}
        commits = answer["commits"]
        people = [answer["author"], *(one["by"] for name in ("reviews", "comments") for one in answer[name])]
        authors = [row for one in commits for row in author(one["email"], one["login"])]
        return {
            models.PullRequest: [place | _pull_request(answer)],
            models.PullRequestCommit: [place | {"sha": one["sha"], "authored_at": one["authored"]} for one in commits],
            models.Review: [
                place | {"submitted_at": one["at"], "reviewer": one["by"], "state": one["state"]} for one in _submitted(answer)
            ],
            models.Comment: [place | {"at": one["at"], "author": one["by"]} for one in answer["comments"] if one["at"]],
            models.Identity: [*authors, *(row for person in people for row in program(person))],
        }


@dataclass
class Seen:
    """The last pull requests that were read, so that they are not read again only because they stand at the list's front."""

    client: Client
    kept: dict[str, str] = field(default_factory=dict)

    def news(self, things: Sequence[Thing]) -> list[Thing]:
        """Those that have changed since they were read."""
        found = [thing for thing in things if self.kept.get(str(thing["number"])) != thing["updatedAt"]]
        self.kept |= {str(thing["number"]): thing["updatedAt"] for thing in found if not self._just_now(thing)}
        return found

    def state(self) -> dict[str, Any]:
        """What to keep of it."""
        lately = sorted(self.kept.items(), key=lambda one: moment(one[1]), reverse=True)
        self.kept = dict(lately[:KEPT])
        return {"known": self.kept}

    def _just_now(self, thing: Thing) -> bool:
        """Whether it changed while we read it: it may change again within the same second."""
        return self.client.date is not None and abs(self.client.date - _changed(thing)) < timedelta(seconds=2)


def _changed(thing: Thing) -> datetime:
    return moment(thing["updatedAt"])


def _pull_request(answer: Answer) -> dict[str, Any]:
    authored = [one["authored"] for one in answer["commits"] if one["authored"]]
    return {
        "title": answer["title"],
        "author": answer["author"],
        "source_branch": answer["headRefName"],
        "target_branch": answer["baseRefName"],
        "created_at": answer["createdAt"],
        "ready_at": ready_at(answer),
        "first_commit_at": min(authored, key=moment, default=None),
        "first_review_at": _first(_by_others(answer)),
        "approved_at": _first(one for one in _by_others(answer) if one["state"] == "approved"),
        "merged_at": answer["mergedAt"],
        "closed_at": answer["closedAt"],
        "merge_sha": answer["mergeCommit"],
        "head_sha": answer["headRefOid"],
        "labels": ";".join(sorted(label.replace(";", ",") for label in answer["labels"])) or None,
        "additions": answer["additions"],
        "deletions": answer["deletions"],
        "url": answer["url"],
    }


def ready_at(answer: Answer) -> str | None:
    """When a pull request was put up for review: its opening, or the last time it ceased to be a draft before anybody acted.

    To act is to review it or to merge it. One that is a draft is not ready; one that was reviewed
    while it was a draft was ready when it first ceased to be one.
    """
    changes = [one for one in answer["events"] if one["event"] in ("ready_for_review", "convert_to_draft")]
    changes.sort(key=lambda one: moment(one["at"]))
    if answer["isDraft"]:
        return None
    born_draft = bool(changes) and changes[0]["event"] == "ready_for_review"
    ready = [] if born_draft else [answer["createdAt"]]
    ready += [one["at"] for one in changes if one["event"] == "ready_for_review"]
    acts = [at for at in (_first(_by_others(answer)), answer["mergedAt"]) if at]
    act = min(acts, key=moment, default=None)
    before = [at for at in ready if act is None or moment(at) <= moment(act)]
    return max(before, key=moment) if before else next(iter(ready), None)


def _submitted(answer: Answer) -> list[Answer]:
    """Reviews that were handed in."""
    found = [one for one in answer["reviews"] if one["at"] and one["state"] != "pending"]
    return sorted(found, key=lambda one: RANKS.index(one["state"]) if one["state"] in RANKS else -1)


def _by_others(answer: Answer) -> Sequence[Answer]:
    """Reviews by a person other than the author; a program's do not count."""
    author = (answer["author"] or "").casefold()
    return [one for one in _submitted(answer) if (one["by"] or "").casefold() != author and not (one["by"] or "").endswith("[bot]")]


def _first(some: Any) -> str | None:
    return min((one["at"] for one in some), key=moment, default=None)
