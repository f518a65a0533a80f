"""Tags and releases: names for commits, and those of them that are deployments.

A tag and its release are one answer, since only both together tell when a version came out: at the
release's publication, else at the tagger's or the commit's time. Drafts are not out and do not count;
whether a prerelease does, the patterns say ("!*-rc*").
A tag that the configuration's patterns take is a deployment to production, with the id that the clone's
collector gives it, so that the two tell of one deployment (set the patterns in one of them: they may
differ in the time, since a clone knows nothing of releases).

Neither list can be asked for what changed: a tag may be put on an old commit, and a release be published
long after it was drafted. So the poll looks at the counts and the newest of each; where they are as they
were, nothing is asked, else both lists are read whole, a hundred a request, and compared with what was
told before.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from collectors.base import Told
from collectors.github.client import Answer, Client, NotThere, Size
from collectors.github.queries import PAGE
from collectors.github.resource import Batch, Repo, Rules
from collectors.github.walks import Piece, Thing, instant, piece, read_by
from collectors.patterns import takes

if TYPE_CHECKING:
    from vsm.models import Fact

COMMIT = "... on Commit { committedDate }"
TARGET = f"""target {{ __typename oid {COMMIT} ... on Tag {{ tagger {{ date }}
  target {{ __typename oid {COMMIT} ... on Tag {{ target {{ __typename oid {COMMIT} }} }} }} }} }}"""
RELEASES = f"totalCount {PAGE} nodes {{ tagName publishedAt isDraft isPrerelease url tagCommit {{ oid committedDate }} }}"
TAGS = f"totalCount {PAGE} nodes {{ name {TARGET} }}"
NEWEST_RELEASES = "orderBy: {field: CREATED_AT, direction: DESC}"
NEWEST_TAGS = 'refPrefix: "refs/tags/", orderBy: {field: TAG_COMMIT_DATE, direction: DESC}'
RELEASES_QUERY = f"""
query($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{ ... on Repository {{ releases(first: $first, after: $after, {NEWEST_RELEASES}) {{ {RELEASES} }} }} }}
}}"""
TAGS_QUERY = f"""
query($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{ ... on Repository {{ tags: refs(first: $first, after: $after, {NEWEST_TAGS}) {{ {TAGS} }} }} }}
}}"""
PER_PAGE = 100
OLD = "~"  # before the mark of a tag that is older than what is asked for


@dataclass
class Releases:
    """A repository's tags, each with its release."""

    name: ClassVar[str] = "releases"
    lasting: ClassVar[tuple[str, ...]] = ("known",)
    fields: ClassVar[str] = (
        f"releases(first: 10, {NEWEST_RELEASES}) {{ {RELEASES} }} tags: refs(first: 10, {NEWEST_TAGS}) {{ {TAGS} }}"
    )

    def batches(self, client: Client, repo: Repo, state: Mapping[str, Any], since: datetime | None, first: Any) -> Iterator[Batch]:
        """The tags that are new or have changed, and those that are gone."""
        graph, rest = _Graph(client, repo), _Rest(client, repo)
        yield from read_by(
            client, self.name, first, lambda _: graph.batches(state, since, first), lambda: rest.batches(state, since)
        )

    def told(self, answer: Any, rules: Rules) -> Told:
        """A tag's row, and a deployment's where the tag is one."""
        from vsm import models

        name, sha, at = answer["name"], _sha(answer), _tagged(answer)
        release = answer.get("release") or {}
        rows: dict[Any, list[dict[str, Any]]] = {}
        if sha and answer.get("tag"):
            rows[models.Tag] = [{"repository": answer["repository"], "name": name, "sha": sha, "tagged_at": at}]
        if takes(rules.release_tags, name):
            application = rules.application_of(answer["repository"])
            row = {
                "id": f"git:{application}:{name}",
                "application": application,
                "environment": rules.production,
                "repository": answer["repository"],
                "sha": sha,
                "ref": name,
                "finished_at": _published(answer) or at,
                "result": "success",
            }
            rows[models.Deployment] = [row | ({"url": release["url"]} if release else {})]
        return rows


# What an answer of either interface says. ---------------------------------------------------------


def _targets(answer: Thing) -> Iterator[Thing]:
    """What a tag points at: a commit at once, or over one or more objects of its own."""
    target = (answer.get("tag") or {}).get("target")
    while target:
        yield target
        target = target.get("target")


def _sha(answer: Thing) -> str | None:
    """The commit that a tag names; None where it names a tree or a file."""
    for target in _targets(answer):
        if target["__typename"] == "Commit":
            return str(target["oid"])
    commit = (answer.get("release") or {}).get("tagCommit")
    return commit["oid"] if commit and not answer.get("tag") else None


def _tagged(answer: Thing) -> datetime | None:
    """When a tag was made, as far as it is known: a plain one has the time of its commit."""
    for target in _targets(answer):
        if at := instant((target.get("tagger") or {}).get("date") or target.get("committedDate")):
            return at
    commit = (answer.get("release") or {}).get("tagCommit") or {}
    return instant(commit.get("committedDate"))


def _published(answer: Thing) -> datetime | None:
    return instant((answer.get("release") or {}).get("publishedAt"))


# Reading. -----------------------------------------------------------------------------------------


@dataclass
class _Graph:
    """A repository's tags and releases by GraphQL."""

    client: Client
    repo: Repo
    size: Size = field(default_factory=lambda: Size(now=100, floor=10, ceiling=100))
    page: int = 500  # tags that are saved together: the state that goes with them names every tag

    def batches(self, state: Mapping[str, Any], since: datetime | None, first: Any = None) -> Iterator[Batch]:
        """What of the tags and their releases is not as it was told."""
        from vsm import models

        look = self.looked(state, since, first)
        if look is None:
            return
        known, listed, answers = dict(state.get("known") or {}), set(), []
        if "since" not in state:
            known = dict.fromkeys(known, "")  # from the beginning: all is told again
        for answer in self.answers(first):
            name, mark = answer["name"], _mark(answer)
            listed.add(name)
            if known.get(name) == mark or (known.get(name) == OLD + mark and state.get("since") == look["since"]):
                continue
            answer = self.whole(answer)
            if _asked(answer, since):
                answers.append((name, answer))
            known[name] = mark if _asked(answer, since) else OLD + mark
            if len(answers) >= self.page:
                yield Batch(answers, state={"known": dict(known), "since": look["since"]})
                answers = []
        lost = sorted(set(known) - listed)
        gone: dict[type[Fact], list[dict[str, Any]]] = {models.Tag: [{"repository": self.repo.name, "name": name} for name in lost]}
        left = {name: mark for name, mark in known.items() if name in listed}
        yield Batch(answers, lost=lost, gone=gone, state={**look, "known": left})

    def looked(self, state: Mapping[str, Any], since: datetime | None, first: Any) -> dict[str, Any] | None:
        """What is kept of this look at the lists, None where they are as they were at the last one."""
        if first is not None and first.get("tags") is None:
            return None  # the poll has said that they were refused
        poll = _digest([str(since), *((first or {}).get(name) for name in ("releases", "tags"))])
        return None if first is not None and state.get("poll") == poll else {"poll": poll, "since": str(since)}

    def answers(self, first: Any) -> Iterator[dict[str, Any]]:
        """Every tag with its release, and releases whose tag is gone."""
        started = first or {}
        releases = {
            release["tagName"]: dict(release)
            for found in self._all("releases", RELEASES_QUERY, started.get("releases"))
            for release in found.things
            if not release["isDraft"]
        }
        for found in self._all("tags", TAGS_QUERY, started.get("tags")):
            for tag in found.things:
                yield self._answer(tag["name"], {"target": tag["target"]}, releases.pop(tag["name"], None))
        for name, release in releases.items():
            yield self._answer(name, None, release)

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer with all that its rows need."""
        return answer

    def _answer(self, name: str, tag: Any, release: Any) -> dict[str, Any]:
        return {"name": name, "tag": tag, "release": release, "repository": self.repo.name}

    def _all(self, name: str, query: str, connection: Any) -> Iterator[Piece]:
        found = piece(connection) if connection else self._page(name, query, None)
        yield found
        while found.after:
            found = self._page(name, query, found.after)
            yield found

    def _page(self, name: str, query: str, after: str | None) -> Piece:
        data = self.size.ask(self.client, query, {"id": self.repo.node_id, "after": after})
        if not data.get("node") or data["node"].get(name) is None:
            raise NotThere(f"{self.client.host}: the {name} of {self.repo.name} are not there, or not for this token")
        return piece(data["node"][name])


@dataclass
class _Rest(_Graph):
    """A repository's tags and releases by REST: a request more for each tag that is new, since lists have no times."""

    page: int = 50
    _refs: list[Thing] = field(default_factory=list)
    _releases: list[Thing] = field(default_factory=list)

    def looked(self, state: Mapping[str, Any], since: datetime | None, first: Any) -> dict[str, Any] | None:
        """What is kept of this look at the lists, None where they are as they were at the last one."""
        before = state.get("etags") or {} if state.get("since") == str(since) else {}
        answers = {name: self._first(path, before.get(name)) for name, path in self._paths.items()}
        if all(answer is not None and answer.status == 304 for answer in answers.values()):
            return None
        self._refs, self._releases = (self._listed(path, answers[name]) for name, path in self._paths.items())
        # Tags come in the order of their names: of several pages the first one says little. Releases come newest first.
        etags = {name: answer.etag for name, answer in answers.items() if answer and (name == "releases" or not answer.next)}
        return {"etags": etags, "since": str(since)}

    @property
    def _paths(self) -> dict[str, str]:
        place = f"/repos/{self.repo.name}"
        return {"tags": f"{place}/git/matching-refs/tags/", "releases": f"{place}/releases"}

    def _first(self, path: str, etag: str | None) -> Answer | None:
        size = {} if path.endswith("/tags/") else {"per_page": PER_PAGE}  # the list of refs knows no size of a page
        try:
            return self.client.rest(path, size, etag=etag)
        except NotThere:  # an empty repository has no refs
            return None

    def _listed(self, path: str, answer: Answer | None) -> list[Thing]:
        if answer is not None and answer.status == 304:
            answer = self._first(path, None)
        if answer is None:
            return []
        things = list(answer.data or [])
        while answer.next:
            answer = self.client.rest(answer.next)
            things += answer.data or []
        return things

    def answers(self, first: Any) -> Iterator[dict[str, Any]]:
        """Every tag with its release, and releases whose tag is gone."""
        releases = {release["tag_name"]: slim(release) for release in self._releases if not release["draft"]}
        for ref in self._refs:
            name = ref["ref"].removeprefix("refs/tags/")
            yield self._answer(name, {"target": _target(ref["object"])}, releases.pop(name, None))
        for name, release in releases.items():
            yield self._answer(name, None, release)

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer with what its tag points at."""
        return {**answer, "tag": answer["tag"] and {"target": self._followed(answer["tag"]["target"])}}

    def _followed(self, target: dict[str, Any]) -> dict[str, Any]:
        kind = {"Commit": "commits", "Tag": "tags"}.get(target["__typename"])
        if kind is None:
            return target
        found = self.client.rest(f"/repos/{self.repo.name}/git/{kind}/{target['oid']}").data
        if kind == "commits":
            return {**target, "committedDate": found["committer"]["date"]}
        date, inner = (found.get("tagger") or {}).get("date"), _target(found["object"])
        dated = date and inner["__typename"] == "Commit"
        return {**target, "tagger": {"date": date}, "target": inner if dated else self._followed(inner)}


def _target(thing: Thing) -> dict[str, Any]:
    """What REST says of a git object, in GraphQL's words."""
    return {"__typename": str(thing["type"]).capitalize(), "oid": thing["sha"]}


def slim(release: Thing) -> dict[str, Any]:
    """What is used of REST's answer about a release, in GraphQL's words: the two lists are one answer here."""
    return {
        "tagName": release["tag_name"],
        "publishedAt": release["published_at"],
        "isDraft": release["draft"],
        "isPrerelease": release["prerelease"],
        "url": release["html_url"],
    }


def _asked(answer: Thing, since: datetime | None) -> bool:
    """Whether a tag is asked for; one without a time always is."""
    at = _published(answer) or _tagged(answer)
    return since is None or at is None or at >= since


def _mark(answer: Thing) -> str:
    """What tells a tag from itself as it was: what it points at, and its release."""
    targets = [target["oid"] for target in _targets(answer)][:1]
    release = answer.get("release") or {}
    return _digest([targets, [release.get(name) for name in ("publishedAt", "isPrerelease", "url")]])


def _digest(thing: Any) -> str:
    return hashlib.blake2b(json.dumps(thing, sort_keys=True).encode(), digest_size=5).hexdigest()
