"""Issues by GraphQL: what is asked, and what of a repository's issues is new, has changed or is gone.

An issue that was deleted or moved elsewhere is in no list any more. It is missed by the number of issues,
which each page tells, or by a reading from the beginning, which does not find it; then the numbers of all
are compared with those that were read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from collectors.github.client import Client, NotThere, Size
from collectors.github.queries import ACTOR, PAGE
from collectors.github.resource import Batch, Repo
from collectors.github.walks import OVERLAP, Piece, Thing, Walk, moment, piece

EVENTS = {
    "CLOSED_EVENT": ("ClosedEvent", ""),
    "REOPENED_EVENT": ("ReopenedEvent", ""),
    "LABELED_EVENT": ("LabeledEvent", "label { name }"),
    "UNLABELED_EVENT": ("UnlabeledEvent", "label { name }"),
    "ASSIGNED_EVENT": ("AssignedEvent", f"assignee {{ ... on Actor {ACTOR} }}"),
    "UNASSIGNED_EVENT": ("UnassignedEvent", f"assignee {{ ... on Actor {ACTOR} }}"),
    "MILESTONED_EVENT": ("MilestonedEvent", "milestoneTitle"),
    "DEMILESTONED_EVENT": ("DemilestonedEvent", "milestoneTitle"),
}
DOES = {kind.removesuffix("Event").casefold() for kind, _ in EVENTS.values()}
EVENT = " ".join(f"... on {kind} {{ createdAt actor {ACTOR} {more} }}" for kind, more in EVENTS.values())
LABELS = f"{PAGE} nodes {{ name }}"
TIMELINE = f"{PAGE} nodes {{ __typename {EVENT} }}"
TYPES = f"itemTypes: [{', '.join(EVENTS)}]"
ISSUE = f"""
  id number title url state stateReason createdAt updatedAt closedAt author {ACTOR}
  parent {{ number repository {{ nameWithOwner }} }}
  labels(first: 20) {{ {LABELS} }} timelineItems(first: 30, {TYPES}) {{ {TIMELINE} }}
"""
LIST = f"totalCount {PAGE} nodes {{ {ISSUE} }}"
ORDER = "orderBy: {field: UPDATED_AT, direction: DESC}"
NEWEST = f"issues(first: 10, {ORDER}) {{ {LIST} }}"
ISSUES_QUERY = f"""
query($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{ ... on Repository {{ issues(first: $first, after: $after, {ORDER}) {{ {LIST} }} }} }}
}}"""
LABELS_QUERY = f"""
query($id: ID!, $after: String) {{ node(id: $id) {{ ... on Issue {{ labels(first: 100, after: $after) {{ {LABELS} }} }} }} }}"""
TIMELINE_QUERY = f"""
query($id: ID!, $after: String) {{
  node(id: $id) {{ ... on Issue {{ timelineItems(first: 100, after: $after, {TYPES}) {{ {TIMELINE} }} }} }}
}}"""
NUMBERS_QUERY = f"""
query($id: ID!, $after: String) {{
  node(id: $id) {{ ... on Repository {{
    issues(first: 100, after: $after, orderBy: {{field: CREATED_AT, direction: ASC}}) {{ {PAGE} nodes {{ number }} }}
  }} }}
}}"""
NESTED = {"labels": LABELS_QUERY, "timelineItems": TIMELINE_QUERY}
KEPT = 50  # issues that are known by their last change, more than a poll asks for


def changed_at(answer: Thing) -> datetime:
    """When an issue changed last, as either interface says it."""
    return moment(answer.get("updatedAt") or answer["updated_at"])


@dataclass
class Graph:
    """A repository's issues by GraphQL."""

    client: Client
    repo: Repo
    size: Size = field(default_factory=Size)
    kept: dict[str, str] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    old: set[int] = field(default_factory=set)  # those that were known before a reading from the beginning
    by: ClassVar[str] = "graphql"

    def batches(self, state: Mapping[str, Any], since: datetime | None, page: Any) -> Iterator[Batch]:
        """The news, what a broken walk left, and whether any are gone."""
        walk = self.resumed(state, since)
        count, total, first = state.get("count"), None, piece(page) if page else None
        for found in walk.pieces(self.read, first):
            total = found.total if total is None else total
            yield Batch(self.news(found.things), state=self.state(walk, count), total=found.total, warnings=found.warnings)
        if total is not None and (self.old or count != [total, max(self.numbers, default=0)]):
            yield self._counted(walk, count, total)

    def resumed(self, state: Mapping[str, Any], since: datetime | None) -> Walk:
        """Take up the state."""
        walk = Walk.resumed(state, self.by, changed_at, since)
        self.kept = dict(state.get("kept") or {}) if walk.seen else {}
        self.numbers, self.old = unpacked(state.get("numbers") or ""), unpacked(state.get("old") or "")
        if "seen" not in state:
            self.numbers, self.old = set(), self.numbers
        return walk

    def state(self, walk: Walk, count: Any) -> dict[str, Any]:
        """What to keep of the reading."""
        lately = sorted(self.kept.items(), key=lambda one: moment(one[1]), reverse=True)
        state = {**walk.state, "kept": dict(lately[:KEPT]), "numbers": packed(self.numbers), "count": count}
        return state | ({"old": packed(self.old)} if self.old else {})

    def news(self, things: Iterable[Thing]) -> list[tuple[str, Any]]:
        """Those that are not as they were when they were read last."""
        answers = []
        for thing in things:
            key, updated = str(thing["number"]), changed_at(thing)
            if self.kept.get(key) == updated.isoformat():
                continue
            self.kept.pop(key, None)
            if self.client.date is not None and self.client.date - updated > OVERLAP:
                self.kept[key] = updated.isoformat()  # else it may change again within the second
            self.numbers.add(thing["number"])
            answers.append((key, self.whole(thing)))
        return answers

    def read(self, after: str | None) -> Piece:
        """A page of the list."""
        return self._page(self.size.ask(self.client, ISSUES_QUERY, {"id": self.repo.node_id, "after": after}))

    def _page(self, data: Any) -> Piece:
        if not data.get("node") or data["node"].get("issues") is None:
            raise NotThere(f"{self.client.host}: the issues of {self.repo.name} are not there, or not for this token")
        return piece(data["node"]["issues"], data.warnings)

    def whole(self, thing: Thing) -> dict[str, Any]:
        """An issue with all of its labels and events, and its repository."""
        lists = {name: {"nodes": self._all(thing, name, query)} for name, query in NESTED.items()}
        return {name: value for name, value in thing.items() if name != "updatedAt"} | lists | {"repository": self.repo.name}

    def _all(self, thing: Thing, name: str, query: str) -> list[Thing]:
        found = piece(thing.get(name) or {})
        nodes = list(found.things)
        while found.after:
            data = self.client.graphql(query, {"id": thing["id"], "after": found.after}, patient=True)
            found = piece((data.get("node") or {}).get(name) or {})
            nodes += found.things
        return nodes

    def _counted(self, walk: Walk, count: Sequence[int] | None, total: int) -> Batch:
        """Where there are fewer than there were and came, or old ones were not found: those whose numbers are gone."""
        fewer = count is not None and total < count[0] + sum(number > count[1] for number in self.numbers)
        unseen = bool(self.old - self.numbers)
        self.numbers, self.old = self.numbers | self.old, set()
        lost = self.numbers - self._numbers() if fewer or unseen else set()
        self.numbers -= lost
        keys = [str(number) for number in sorted(lost)]
        for key in keys:
            self.kept.pop(key, None)
        return Batch(lost=keys, state=self.state(walk, [total, max(self.numbers, default=0)]))

    def _numbers(self) -> set[int]:
        found, after = set(), None
        while True:
            data = self.client.graphql(NUMBERS_QUERY, {"id": self.repo.node_id, "after": after}, patient=True)
            page = self._page(data)
            found |= {thing["number"] for thing in page.things}
            if (after := page.after) is None:
                return found


def packed(numbers: Iterable[int]) -> str:
    """Whole numbers as a short text.

    >>> packed({1, 2, 3, 5, 8, 9}), unpacked("1-3,5,8-9") == {1, 2, 3, 5, 8, 9}, packed(()), unpacked("")
    ('1-3,5,8-9', True, '', set())
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def unpacked(text: str) -> set[int]:
    """The whole numbers of a text that `packed` made."""
    ends = [part.split("-") for part in text.split(",") if part]
    return {number for end in ends for number in range(int(end[0]), int(end[-1]) + 1)}
