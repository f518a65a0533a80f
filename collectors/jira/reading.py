"""One run over a Jira: what it has told since the last time, page by page, with how far we are.

Of each project one search gives what was changed since the watermark, a quarter of an hour less, for
Cloud's searches lag behind; what is known already is passed over. The watermark is the newest time of
change that was seen, never later than the beginning of the run by the server's clock.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, Self

from collectors.base import CollectorError, Page
from collectors.jira.client import Client, Misread, NotThere
from collectors.jira.issues import ISSUE, NOTE, at, status_ids
from collectors.jira.search import Issue, Search
from collectors.jira.settings import Scope, Settings
from collectors.jira.site import VERSION, Site

SITE, INCIDENTS, RULES = "site", "incidents", "rules"
OVERLAP = timedelta(minutes=15)  # how late an issue may show up in a search, as others have found
MINUTE = timedelta(minutes=1)  # how finely some servers read times
FEW = 20  # issues that may be gone at once without a doubt
TOGETHER = 50  # projects in one question, or it would get too long for an address

Cursors = Mapping[str, Mapping[str, Any]]


@dataclass
class State:
    """How far a list of issues has been read: its cursor.

    ``watermark``: all that was changed before has been read. ``seen``: id and time of change of what
    was read around it, which the next search finds again. ``fresh``: ids that came after the last list
    of all. ``began``, ``newest`` and ``created`` are of a search that is under way: when it began, the
    newest change that it showed, and how far it is where it goes by time of creation.
    """

    version: int = 0
    jql: str = ""
    since: str | None = None
    renames: int = 0
    watermark: str | None = None
    seen: dict[str, str] = field(default_factory=dict)
    fresh: list[int] = field(default_factory=list)
    began: str | None = None
    newest: str | None = None
    created: str | None = None

    @classmethod
    def told(cls, cursor: Mapping[str, Any]) -> Self:
        """The state as a store has kept it."""
        return cls(**{name: cursor[name] for name in cls.__dataclass_fields__ if name in cursor})

    def goes_on(self, other: "State") -> bool:
        """Whether what was read as this state is what would be read as another one."""
        reaches = self.since is None or (other.since is not None and other.since >= self.since)
        mine, others = ((one.version, one.jql, one.renames) for one in (self, other))
        return mine == others and reaches

    def further(self, issues: Iterable[Issue], began: datetime | None, ends: bool, ascending: bool) -> "State":
        """The state with some more issues read; `ascending` where they come in the order of their changes."""
        read = {str(issue["id"]): str(issue["fields"]["updated"]) for issue in issues}
        times = [time for told in read.values() if (time := at(told))]
        newest = max([*times, *_some(self.newest)], default=None)
        start = min([*_some(self.began), *([began] if began else [])], default=None)
        watermark = at(self.watermark)
        if newest is not None and (ends or ascending):
            reached = min(newest, start) if start else newest
            watermark = max([reached, *([watermark] if watermark else [])])
        around = watermark or newest
        floor = around - OVERLAP - MINUTE if around else None
        seen = {key: told for key, told in {**self.seen, **read}.items() if floor is None or (at(told) or floor) >= floor}
        created = max([time for issue in issues if (time := at(issue["fields"].get("created")))], default=at(self.created))
        return replace(
            self,
            watermark=_text(watermark),
            seen=seen,
            began=None if ends else _text(start),
            newest=None if ends else _text(newest),
            created=None if ends or ascending else _text(created),
        )


class Reading:
    """One run."""

    def __init__(self, client: Client, told: Settings, since: datetime | None, cursors: Cursors, full: bool) -> None:
        self.client, self.settings, self.cursors, self.full = client, told, cursors, full
        self.since = _text(since.astimezone(UTC)) if since else None
        self.site = Site.told({} if full else cursors.get(SITE, {}))
        self.search = Search(client, self.site)
        self.states: dict[str, State] = {}
        self.lists: dict[str, set[str]] = {}  # ids of all issues of a scope, as this run was told them
        self.read: dict[str, set[str]] = {}  # ids of the issues that this run has read
        self.incidents = set(cursors.get(INCIDENTS, {}).get("ids", ()))
        self.asked: set[str] = set()  # statuses that were not known by their name
        self.saved: dict[str, Any] = {name: cursors.get(name) for name in (SITE, RULES)}

    def pages(self) -> Iterator[Page]:
        """All of it. Raises CollectorError, for a project when all others have been read."""
        self._meet()
        failed: list[str] = []
        healthy: list[Scope] = []
        for scope in self.settings.scopes:
            try:
                yield from self._scope(scope, self.full)
                healthy.append(scope)
            except (Misread, NotThere) as error:
                failed.append(f"{scope.name}: {error}; check that it is there and not archived, and that the account may browse it")
        yield from self._renamed(healthy)
        if self.settings.incident_jql is not None:
            yield from self._by_query(healthy)
        if failed:
            raise CollectorError("; ".join(failed))
        yield from self._swept()

    # What this Jira is. --------------------------------------------------------------------------

    def _meet(self) -> None:
        """Learn what the site is, where that is not known."""
        before = self.cursors.get(SITE, {})
        now = (VERSION, self.settings.team)
        if (self.site.version, self.site.team) != now or not self.site.base:
            self.site.learn(self.client, self.settings.team)
            # Other fields are asked for: everything is read again.
            anew = bool(before) and (before.get("version"), before.get("team")) != now
            self.site.version, self.site.renames = VERSION, int(before.get("renames", 0)) + anew
        self.client.version(self.site.api)

    def _renamed(self, scopes: Iterable[Scope]) -> Iterator[Page]:
        """What was read by a status's old name is read again."""
        for scope in scopes:
            if self.states[scope.name].renames != self.site.renames:
                yield from self._scope(scope, anew=True)

    def _name(self, issues: Iterable[Issue]) -> None:
        """Ask what the statuses are called where an issue has one that is not known by its name."""
        strange = self.site.strange(pair for issue in issues for pair in status_ids(issue)) - self.asked
        if strange:
            self.asked |= strange
            self.site.name_statuses(self.client, strange)

    def _page(self, cursors: Cursors, warnings: Iterable[str] = (), **more: Any) -> Page:
        """A page with what it cost, and with the cursors of the site and the rules where these have changed."""
        told, said = dict(cursors), list(warnings)
        rules = self.settings.rules
        lists = [sorted(rules.incident_types), sorted(rules.incident_labels), rules.application, rules.application_from]
        for name, state in ((SITE, self.site.state()), (RULES, {"told": lists, "links": True})):
            if state != self.saved[name]:
                if name == RULES and self.saved[name] is not None:
                    said.append(OTHER_RULES if self.saved[name].get("told") != lists else NEWLY_TOLD)
                self.saved[name] = told[name] = state
        return Page(cursors=told, warnings=said, requests=self.client.patience.taken(), **more)

    def _raw(self, issues: Iterable[Issue]) -> list[tuple[str, str, Issue]]:
        """Raw answers, each with what it is to be read by."""
        found = []
        for issue in issues:
            names = self.site.names(key for key, _ in status_ids(issue))
            note: dict[str, Any] = {"base": self.site.base, "names": names, "fields": self.site.fields}
            if str(issue["id"]) in self.incidents:
                note["incident"] = True
            found.append((ISSUE, str(issue["id"]), {**issue, NOTE: note}))
        return found

    # A list of issues. ---------------------------------------------------------------------------

    def _scope(self, scope: Scope, anew: bool) -> Iterator[Page]:
        begin = State(version=VERSION, jql=scope.jql, since=self.since, renames=self.site.renames)
        state = self.states.get(scope.name) or State.told(self.cursors.get(_issues(scope), {}))
        anew = anew or not state.goes_on(begin)
        self.states[scope.name] = replace(begin, fresh=state.fresh) if anew else state
        if self.site.millis is None:
            self.site.probe(self.client, scope.jql)
        first = _ids(scope) not in self.cursors
        if (first or self.full) and scope.name not in self.lists:
            self.lists[scope.name] = self.search.ids(self._all(scope))
            if first:
                listed = self.lists[scope.name]
                yield self._page({_ids(scope): self._listing(listed)}, total=len(listed), doing=f"{scope.name}: issues to read")
        yield from self._walk(scope)
        if anew and (missed := self.lists.get(scope.name, set()) - self.read[scope.name]):
            yield from self._some(missed, [scope])  # pages that go on for very long are said to end too early
        if self.search.early and not anew:
            raise CollectorError(f"{self.client.host}: a search said that it goes on, but not where: run it again for the rest")

    def _walk(self, scope: Scope, again: bool = False) -> Iterator[Page]:
        before = self.states[scope.name]
        known = self._known(scope)
        total = len(self.lists[scope.name]) if scope.name in self.lists and before.watermark is None else None
        met = done = 0
        for found in self.search.walk(self._news(scope, before), before.seen):
            met, done = met + found.known, done + len(found.issues)
            self._name(found.issues)
            state = self.states[scope.name].further(found.issues, self.client.began, found.last, self.site.cloud)
            ids = {str(issue["id"]) for issue in found.issues}
            self.read.setdefault(scope.name, set()).update(ids)
            state = replace(state, fresh=sorted({*state.fresh, *map(int, ids - known)}))
            self.states[scope.name] = state
            yield self._page(
                {_issues(scope): vars(state)},
                raw=self._raw(found.issues),
                done=done,
                total=None if total is None else max(total, done),
                doing=f"{scope.name}: issues",
            )
        # What is known is always found again, unless it is gone, or times are read otherwise than we think.
        looks_wrong = before.watermark and before.seen and not met and not before.created and not again
        if looks_wrong and self._reads_otherwise(scope):
            self.states[scope.name] = before
            yield from self._walk(scope, again=True)

    def _reads_otherwise(self, scope: Scope) -> bool:
        before = (self.site.millis, self.site.zone)
        self.site.millis = None
        self.site.probe(self.client, scope.jql)
        if self.site.millis is None:
            self.site.millis = before[0]
        return before != (self.site.millis, self.site.zone)

    def _known(self, scope: Scope) -> set[str]:
        """The ids of all issues as the store has the list of them."""
        saved = self.cursors.get(_ids(scope))
        return self.lists.get(scope.name, set()) if saved is None else {str(key) for key in accumulate(saved["ids"])}

    def _all(self, scope: Scope) -> str:
        """The query for all issues of a scope that are asked for."""
        since = at(self.states[scope.name].since)
        return f"({scope.jql})" + (f" AND updated >= {self.site.time(since)}" if since else "")

    def _news(self, scope: Scope, state: State) -> str:
        watermark, created = at(state.watermark), at(state.created)
        query = f"({scope.jql}) AND updated >= {self.site.time(watermark - OVERLAP)}" if watermark else self._all(scope)
        return query + (f" AND created >= {self.site.time(created)}" if created else "")

    def _some(self, ids: Collection[str], scopes: Sequence[Scope]) -> Iterator[Page]:
        """Issues by their ids, as far as they belong to a scope."""
        within, first, done = " OR ".join(f"({scope.jql})" for scope in scopes), scopes[0], 0
        known = self._known(first)
        for found in self.search.some(ids, within):
            done += len(found.issues)
            self._name(found.issues)
            state = self.states[first.name]
            here = {int(issue["id"]) for issue in found.issues if str(issue["id"]) not in known}
            self.states[first.name] = replace(state, fresh=sorted({*state.fresh, *here}))
            cursors = {_issues(first): vars(self.states[first.name])}
            yield self._page(cursors, raw=self._raw(found.issues), done=done, total=len(ids), doing="single issues")

    # Incidents by a query of their own, and issues that are gone. --------------------------------------

    def _by_query(self, scopes: list[Scope]) -> Iterator[Page]:
        """Issues that have become incidents by the query, or ceased to be, are read again."""
        now: set[str] = set()
        parts = [scopes[start : start + TOGETHER] for start in range(0, len(scopes), TOGETHER)]
        for part in parts:
            try:
                now |= self.search.ids(f"({' OR '.join(self._all(scope) for scope in part)}) AND ({self.settings.incident_jql})")
            except Misread as error:
                raise CollectorError(f"incident_jql: {error}; try the query in Jira's own search, then put it right here") from None
        changed, self.incidents = now ^ self.incidents, now
        for part in parts:
            yield from self._some(changed, part)
        yield self._page({INCIDENTS: {"ids": sorted(now, key=int)}} if changed else {}, doing="incidents")

    def _swept(self) -> Iterator[Page]:
        """What is gone is taken back, and what no search has shown is read."""
        scopes = self.settings.scopes
        if not self._due(scopes):
            return
        if not self.full:
            self.site.name_statuses(self.client)
            yield from self._renamed(scopes)
        now: dict[str, set[str]] = {}
        for scope in scopes:
            listed = self.lists.get(scope.name)
            now[scope.name] = self.search.ids(self._all(scope)) if listed is None else listed | self.read[scope.name]
        known = {scope.name: self._known(scope) | {str(key) for key in self.states[scope.name].fresh} for scope in scopes}
        there, before = set[str]().union(*now.values()), set[str]().union(*known.values())
        lost = before - there
        for scope in scopes:
            if missed := now[scope.name] - before - self.read[scope.name]:
                yield from self._some(missed, [scope])
        doubt = len(lost) > FEW and 2 * len(lost) > len(before) and not self.full
        warnings = [f"{len(lost):,} of {len(before):,} issues are no longer to be seen, and were kept: {DOUBT}"] if doubt else []
        yield self._page(
            dict(self._after_sweep(now, known if doubt else {}, lost)),
            warnings,
            lost=[(ISSUE, key) for key in sorted(lost, key=int) if not doubt],
            doing="issues that are gone",
        )

    def _due(self, scopes: Iterable[Scope]) -> bool:
        times = [time for scope in scopes if (time := at(self.cursors.get(_ids(scope), {}).get("at")))]
        return self.full or any(self.client.date and time + self.settings.sweep <= self.client.date for time in times)

    def _after_sweep(self, now: Mapping[str, set[str]], kept: Mapping[str, set[str]], lost: set[str]) -> Iterator[tuple[str, Any]]:
        for scope in self.settings.scopes:
            state = self.states[scope.name]
            seen = {key: told for key, told in state.seen.items() if key not in lost}
            self.states[scope.name] = replace(state, fresh=[], seen=seen)
            yield _issues(scope), vars(self.states[scope.name])
            yield _ids(scope), self._listing(now[scope.name] | kept.get(scope.name, set()))

    def _listing(self, ids: set[str]) -> dict[str, Any]:
        """Ids for a cursor, each as its distance from the one before, which takes less room."""
        numbers = [0, *sorted(map(int, ids))]
        return {"at": _text(self.client.date), "ids": [after - before for before, after in pairwise(numbers)]}


OTHER_RULES = "the rules for incidents and applications have changed: run vsm rebuild to apply them to what was read"
NEWLY_TOLD = "links between issues are told now: run vsm rebuild to tell those of what was read by an older version, too"
DOUBT = "if that is right, run it with --full; else check what the account may browse"


def _issues(scope: Scope) -> str:
    return f"issues {scope.name}"


def _ids(scope: Scope) -> str:
    return f"ids {scope.name}"


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _some(told: str | None) -> list[datetime]:
    time = at(told)
    return [time] if time else []
