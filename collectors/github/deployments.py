"""Deployments that were told to GitHub, by Actions or by any tool, each with its statuses.

A deployment is what its first final status says; one without any is read again until it has one. An
`inactive` after a success says that another one has replaced it; without a success before it, that it
was taken back before it ended. Its task plays no part: whoever makes a deployment says that one was made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from collectors.base import Told
from collectors.github.client import Client, NotThere, Size
from collectors.github.resource import Batch, Repo, Rules
from collectors.github.walks import OVERLAP, Piece, Thing, Walk, instant, moment, piece, read_by

STATUSES = "pageInfo { hasNextPage endCursor } nodes { state createdAt logUrl environmentUrl }"
NODE = f"""
  id databaseId commitOid environment latestEnvironment originalEnvironment task createdAt ref {{ name }}
  statuses(first: 20) {{ {STATUSES} }}
"""
LIST = f"totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {NODE} }}"
ORDER = "orderBy: {field: CREATED_AT, direction: DESC}"
DEPLOYMENTS_QUERY = f"""
query($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{ ... on Repository {{ deployments(first: $first, after: $after, {ORDER}) {{ {LIST} }} }} }}
}}"""
PENDING_QUERY = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Deployment {{ {NODE} }} }} }}"
STATUSES_QUERY = f"""
query($id: ID!, $after: String) {{
  node(id: $id) {{ ... on Deployment {{ statuses(first: 100, after: $after) {{ {STATUSES} }} }} }}
}}"""
FINAL = {"success": "success", "failure": "failure", "error": "failure"}
PATIENCE = timedelta(days=30)  # for a deployment that does not end; most such never will
LOOKS = 200  # and for how many harvests it is looked at, in a repository that has no newer one
ENVIRONMENT = ("latestEnvironment", "environment", "originalEnvironment", "original_environment")
TOGETHER = 50  # deployments that are read again by one request


@dataclass
class Deployments:
    """A repository's deployments."""

    name: ClassVar[str] = "deployments"
    lasting: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[str] = f"deployments(first: 10, {ORDER}) {{ {LIST} }}"

    def batches(self, client: Client, repo: Repo, state: Mapping[str, Any], since: datetime | None, first: Any) -> Iterator[Batch]:
        """The deployments that are new, and those that had not ended."""
        graph, rest = _Graph(client, repo), _Rest(client, repo)
        yield from read_by(
            client, self.name, first, lambda page: graph.batches(state, since, page), lambda: rest.batches(state, since)
        )

    def told(self, answer: Any, rules: Rules) -> Told:
        """A deployment's row."""
        from vsm import models

        statuses = _statuses(answer)
        ended = _ended(statuses)
        begun = [status.at for status in statuses if status.state == "in_progress" and (ended is None or status.at <= ended.at)]
        logs = [status.log for status in reversed(statuses) if status.log]
        places = [status.place for status in reversed(statuses) if status.place]
        environments = (
            answer.get(name) for name in ("latestEnvironment", "environment", "originalEnvironment", "original_environment")
        )
        row = {
            "id": f"github:{_key(answer)}",
            "application": rules.application_of(answer["repository"]),
            "environment": next((name for name in environments if name), "production"),  # GitHub's own default
            "repository": answer["repository"],
            "sha": answer.get("commitOid") or answer.get("sha"),
            "ref": _ref(answer),
            "started_at": min(begun, default=_created(answer)),
            "finished_at": ended.at if ended else None,
            "result": FINAL.get(ended.state, "cancelled") if ended else "unknown",
            "url": next(iter(logs + places), None),
        }
        return {models.Deployment: [row]}


class _Status(NamedTuple):
    """A word on how a deployment goes."""

    at: datetime
    state: str
    log: str | None
    place: str | None


def _key(answer: Thing) -> str:
    """A deployment's number, by either interface."""
    return str(answer.get("databaseId") or answer["id"])


def _created(answer: Thing) -> datetime:
    return moment(answer.get("createdAt") or answer["created_at"])


def _ref(answer: Thing) -> str | None:
    """The branch or tag that was deployed: REST repeats the commit where none was named."""
    ref = answer.get("ref")
    name = ref.get("name") if isinstance(ref, Mapping) else ref
    return None if name == answer.get("sha") else name


def _statuses(answer: Thing) -> list[_Status]:
    """The statuses of an answer of either interface, the first one first."""
    told = answer.get("statuses") or ()
    nodes = told.get("nodes") or () if isinstance(told, Mapping) else told
    found = []
    for node in nodes:
        if (at := instant(node.get("createdAt") or node.get("created_at"))) is not None:
            log = node.get("logUrl") or node.get("log_url") or node.get("target_url")
            found.append(_Status(at, node["state"].casefold(), log, node.get("environmentUrl") or node.get("environment_url")))
    return sorted(found, key=lambda status: status.at)


def _ended(statuses: Sequence[_Status]) -> _Status | None:
    """The status that says how a deployment ended, None while none does."""
    final = next((status for status in statuses if status.state in FINAL), None)
    return final or next((status for status in statuses if status.state == "inactive"), None)


@dataclass
class _Graph:
    """A repository's deployments by GraphQL."""

    client: Client
    repo: Repo
    size: Size = field(default_factory=lambda: Size(now=50, floor=5, ceiling=50))
    ended: dict[str, str] = field(default_factory=dict)
    by: ClassVar[str] = "graphql"

    def batches(self, state: Mapping[str, Any], since: datetime | None, first: Any = None) -> Iterator[Batch]:
        """The news, what a broken walk left, and at the end those that had not ended when they were read."""
        walk = Walk.resumed(state, self.by, _created, since)
        open_ = {key: list(entry) for key, entry in (state.get("pending") or {}).items()}
        waiting = dict(open_)
        self.ended = dict(state.get("ended") or {})
        before, top = walk.seen, True
        for found in walk.pieces(self.read, piece(first) if first else None):
            news = [thing for thing in found.things if not top or self.worth(thing, before, open_)]
            for thing in found.things:
                waiting.pop(_key(thing), None)  # what is not worth a look is as it was
            answers = [(_key(thing), self.whole(thing)) for thing in news]
            for key, answer in answers:
                _remember(open_, key, answer, walk.seen)
                self.ended |= {} if key in open_ else {key: _created(answer).isoformat()}
            yield Batch(answers, state=self.state(walk, open_), total=found.total, warnings=found.warnings)
            top = False
        yield from self._again(walk, waiting, open_)

    def _again(self, walk: Walk, waiting: Mapping[str, list[Any]], open_: dict[str, list[Any]]) -> Iterator[Batch]:
        keys = [key for key in waiting if key in open_]
        for start in range(0, len(keys), TOGETHER):
            part = keys[start : start + TOGETHER]
            answers: list[tuple[str, Any]] = []
            lost = []
            for key, thing in zip(part, self.these({key: waiting[key][0] for key in part}), strict=True):
                if thing is None:
                    lost.append(key)
                    del open_[key]
                    continue
                answer = self.whole(thing) if self.changed(thing, waiting) else None
                answers += [(key, answer)] if answer else []
                _remember(open_, key, answer or {**thing, "statuses": []}, walk.seen, waiting[key][2] + 1)
            yield Batch(answers, lost=lost, state=self.state(walk, open_))

    def worth(self, thing: Thing, before: datetime | None, pending: Mapping[str, Any]) -> bool:
        """Whether a thing of the newest page is looked at: here it is complete already."""
        return True

    def changed(self, thing: Thing, pending: Mapping[str, Any]) -> bool:
        """Whether a deployment that had not ended may have another status."""
        return True

    def state(self, walk: Walk, pending: Mapping[str, Any]) -> dict[str, Any]:
        """What to keep of the reading."""
        late = walk.seen and walk.seen - OVERLAP
        self.ended = {key: at for key, at in self.ended.items() if late and moment(at) >= late}
        return {**walk.state, "pending": dict(pending), "ended": self.ended}

    def read(self, after: str | None) -> Piece:
        """A page of the list."""
        data = self.size.ask(self.client, DEPLOYMENTS_QUERY, {"id": self.repo.node_id, "after": after})
        if data.get("node") is None:
            raise NotThere(f"{self.client.host}: {self.repo.name} is not there, or not for this token")
        return piece(data["node"].get("deployments") or {}, data.warnings)

    def these(self, ids: Mapping[str, str]) -> list[Any]:
        """The deployments with these numbers and ids, None for one that is gone."""
        found = self.client.graphql(PENDING_QUERY, {"ids": list(ids.values())}, patient=True)["nodes"]
        return [thing or None for thing in found]

    def whole(self, thing: Thing) -> dict[str, Any]:
        """A deployment with all of its statuses, and its repository."""
        statuses = dict(thing.get("statuses") or {"nodes": []})
        page = piece(statuses)
        nodes = list(page.things)
        while page.after:
            data = self.client.graphql(STATUSES_QUERY, {"id": thing["id"], "after": page.after}, patient=True)
            page = piece((data.get("node") or {}).get("statuses") or {})
            nodes += page.things
        return {**thing, "statuses": {"nodes": nodes}, "repository": self.repo.name}


@dataclass
class _Rest(_Graph):
    """A repository's deployments by REST: a request more for the statuses of each."""

    by: ClassVar[str] = "rest"

    def worth(self, thing: Thing, before: datetime | None, pending: Mapping[str, Any]) -> bool:
        """Whether a thing of the newest page is looked at, which costs a request: where it is new, or had not ended."""
        key = _key(thing)
        if key in pending:
            return self.changed(thing, pending)
        return before is None or (_created(thing) >= before - OVERLAP and key not in self.ended)

    def changed(self, thing: Thing, pending: Mapping[str, Any]) -> bool:
        """Whether a deployment that had not ended may have another status: its last change is then a later one."""
        late = self.client.date and self.client.date - OVERLAP  # what changed just now may change again within the second
        updated = thing.get("updated_at")
        return pending[_key(thing)][3] != updated or updated is None or late is None or moment(updated) > late

    def read(self, after: str | None) -> Piece:
        """A page of the list; a position is the page's number."""
        number = int(after or 1)
        answer = self.client.rest(f"/repos/{self.repo.name}/deployments", {"per_page": 100, "page": number})
        return Piece([thing for thing in answer.data or () if thing], str(number + 1) if answer.next else None)

    def these(self, ids: Mapping[str, str]) -> list[Any]:
        """The deployments with these numbers and ids, None for one that is gone."""
        return [self._one(key) for key in ids]

    def _one(self, key: str) -> Any:
        try:
            return self.client.rest(f"/repos/{self.repo.name}/deployments/{key}").data
        except NotThere:
            return None

    def whole(self, thing: Thing) -> dict[str, Any]:
        """A deployment with its statuses, without what nobody reads."""
        pages = self.client.listed(f"/repos/{self.repo.name}/deployments/{thing['id']}/statuses")
        return {**slim(thing, [status for page in pages for status in page]), "repository": self.repo.name}


DEPLOYMENT = ("id", "node_id", "sha", "ref", "task", "environment", "original_environment", "created_at", "updated_at")
STATUS = ("state", "created_at", "log_url", "target_url", "environment_url")


def slim(deployment: Thing, statuses: Sequence[Thing]) -> dict[str, Any]:
    """What is used of REST's answers about a deployment."""
    kept = [{name: status[name] for name in STATUS if status.get(name)} for status in statuses]
    return {**{name: deployment[name] for name in DEPLOYMENT if name in deployment}, "statuses": kept}


def _remember(pending: dict[str, list[Any]], key: str, answer: Thing, newest: datetime | None, looks: int = 0) -> None:
    """Keep a deployment that has not ended among those to be read again, for as long as that is worth it."""
    created = _created(answer)
    given_up = looks >= LOOKS or (newest is not None and newest - created > PATIENCE)
    if _ended(_statuses(answer)) is None and not given_up:
        node = answer["id"] if "databaseId" in answer else answer.get("node_id")
        pending[key] = [node, created.isoformat(), looks, answer.get("updated_at")]
    else:
        pending.pop(key, None)
