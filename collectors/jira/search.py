"""Lists of issues, whole: Cloud's pages by token, the other Jiras' by offset, each issue with its complete history."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.base import CollectorError
from collectors.courses import Course, endless
from collectors.jira.client import Client, Misread, NotThere
from collectors.jira.issues import kept
from collectors.jira.site import Site

PAGE = 100  # issues with their fields; servers give fewer where that is too much
BATCH = 500  # issues whose histories are asked for together, and that are saved together
KEYS = 5000  # issues of which only the id is asked for; Server and Data Center give a thousand
LOGS = 10_000  # changes in one page of Cloud's histories
TURNED = 50  # steps back in a list whose pages do not join
ENTRIES = 100  # changes in one page of an issue's own history

Issue = dict[str, Any]


@dataclass
class Found:
    """Issues that were read together.

    ``known`` is how many were passed over or read for being known, ``last`` whether the list ends here.
    """

    issues: list[Issue]
    known: int = 0
    last: bool = False


@dataclass
class Search:
    """The searches of one site.

    ``bulk`` says whether the histories of many issues can be had at once, ``logs`` whether one's own page by page,
    ``early`` whether a search ended that said it goes on.
    """

    client: Client
    site: Site
    bulk: bool = True
    logs: bool = True
    early: bool = False

    def walk(self, jql: str, known: Mapping[str, Any]) -> Iterator[Found]:
        """The issues of a query with their histories, those left out that are known with the same `updated`."""
        waiting: list[Issue] = []
        met = 0
        for issues in self.pages(f"{jql} ORDER BY {self._order()}", self.site.asked(), PAGE):
            met += sum(str(issue["id"]) in known for issue in issues)
            waiting += [issue for issue in issues if known.get(str(issue["id"])) != issue["fields"]["updated"]]
            while len(waiting) > BATCH:
                yield Found(self.whole(waiting[:BATCH]), met)
                waiting, met = waiting[BATCH:], 0
        yield Found(self.whole(waiting), met, last=True)

    def ids(self, jql: str) -> set[str]:
        """The ids of all issues of a query."""
        name = "id" if self.site.cloud else "key"  # other Jiras have no such field as the id, and give it anyway
        return {str(issue["id"]) for issues in self.pages(f"{jql} ORDER BY key ASC", [name], KEYS) for issue in issues}

    def some(self, ids: Collection[str], within: str) -> Iterator[Found]:
        """Issues by their ids with their histories; those that are gone, or not within a query, are left out."""
        order = sorted(ids, key=int)
        for start in range(0, len(order), PAGE):
            part = order[start : start + PAGE]
            try:
                yield Found(self.whole(self._within(part, within)))
            except Misread:  # Jira refuses the whole list for one that is gone
                yield Found(self.whole([issue for key in part for issue in self._alone(key, within)]))

    def _within(self, ids: Sequence[str], within: str) -> list[Issue]:
        query = f"id in ({', '.join(ids)}) AND ({within}) ORDER BY key ASC"
        return [issue for issues in self.pages(query, self.site.asked(), PAGE) for issue in issues]

    def _alone(self, key: str, within: str) -> list[Issue]:
        try:
            return self._within([key], within)
        except Misread:
            return []

    def whole(self, issues: Sequence[Issue]) -> list[Issue]:
        """The issues with complete histories, and without what no fact follows from.

        An issue that changes while pages are read comes twice: its later state counts.
        """
        last = {str(issue["id"]): issue for issue in issues}
        logs = self._bulk(list(last)) if last and self.site.cloud and self.bulk else None
        found = []
        for issue in last.values():
            try:
                histories = logs.get(str(issue["id"]), []) if logs is not None else self._history(issue)
            except NotThere:  # deleted since the search
                continue
            told = {name: value for name, value in issue.items() if name != "changelog"}
            found.append(kept(told if histories is None else {**told, "changelog": {"histories": histories}}))
        return found

    def pages(self, jql: str, fields: Sequence[str], size: int) -> Iterator[list[Issue]]:
        """The pages of a query. Raises CollectorError."""
        asked = {"jql": jql, "fields": ",".join(fields), "maxResults": size}
        return self._by_token(asked) if self.site.cloud else self._by_offset(asked)

    def _order(self) -> str:
        """By time of change where pages go on from a token; an offset counts only in an order that no change disturbs."""
        return "updated ASC, key ASC" if self.site.cloud else "created ASC, key ASC"

    def _by_token(self, asked: Mapping[str, Any]) -> Iterator[list[Issue]]:
        course, passed = Course(f"{self.client.host}: a search"), set[str]()
        token: str | None = None
        while True:
            answer = self.client.get("search/jql", {**asked, **({"nextPageToken": token} if token else {})})
            issues = _issues(answer, self.client.host)
            yield issues
            token = answer.get("nextPageToken")
            if not token or answer.get("isLast") is True:
                self.early = self.early or answer.get("isLast") is False
                return
            if token in passed:
                raise CollectorError(
                    f"{self.client.host}: a search gives the same page token again; what was read is saved: run it again later"
                )
            passed.add(token)
            course.page([issue["id"] for issue in issues])

    def _by_offset(self, asked: Mapping[str, Any]) -> Iterator[list[Issue]]:
        """Each page begins with the last issue of the one before it: where that is not so, some went away in between.

        A total that is not what was given is not believed: then the list goes on until it gives nothing new.
        """
        history = {"expand": "changelog"} if asked["maxResults"] == PAGE else {}
        start, furthest, before, passed, back = 0, 0, set[str](), set[str](), 0
        while True:
            answer = self.client.get("search", {**asked, **history, "startAt": start})
            issues = _issues(answer, self.client.host)
            here = {str(issue["id"]) for issue in issues}
            if start > 0 and not here & before:
                start, back = max(start - PAGE, 0), back + 1
                if back > TURNED:
                    raise CollectorError(endless(f"{self.client.host}: a search"))
                continue
            yield [issue for issue in issues if str(issue["id"]) not in before]
            end = start + len(issues)
            if end > furthest > 0 and not here - passed:
                raise CollectorError(endless(f"{self.client.host}: a search"))
            if (end <= furthest and not here - passed and start + 1 >= furthest) or self._is_end(answer, end):
                return
            furthest, passed = max(furthest, end), passed | here
            start += max(len(issues) - 1, 1)
            before = here

    def _is_end(self, answer: Mapping[str, Any], given: int) -> bool:
        """Whether a page is the last one by what it says of itself, if that can be."""
        total, most = str(answer.get("total")), str(answer.get("maxResults"))
        full = most.isdecimal() and len(answer["issues"]) >= int(most) > 1  # then a total that ends here may be one of a page
        return total.isdecimal() and int(total) == given and not full

    def _bulk(self, ids: Sequence[str]) -> dict[str, list[Any]] | None:
        """The histories of many issues by id; None where this site does not give them so."""
        found: dict[str, list[Any]] = {}
        course, passed = Course(f"{self.client.host}: a list of histories"), set[str]()
        body: dict[str, Any] = {"issueIdsOrKeys": list(ids), "fieldIds": self.site.logged(), "maxResults": LOGS}
        while True:
            try:
                answer = self.client.post("changelog/bulkfetch", body)
            except (NotThere, Misread):  # not on this site, or not for these fields
                self.bulk = False
                return None
            for one in answer.get("issueChangeLogs") or ():
                found.setdefault(str(one["issueId"]), []).extend(one.get("changeHistories") or ())
            token = answer.get("nextPageToken")
            if not token:
                return found
            if token in passed:
                raise CollectorError(
                    f"{self.client.host}: histories give the same page token again; what was read is saved: run it again later"
                )
            passed.add(token)
            course.page(answer.get("issueChangeLogs"))
            body["nextPageToken"] = token

    def _history(self, issue: Issue) -> list[Any] | None:
        """An issue's history, from the search where that is all of it; None where the server does not tell it. Raises NotThere."""
        told = issue.get("changelog") or {}
        histories = list(told.get("histories") or ())
        if told.get("total") == len(histories):  # of any other total nobody knows what it means
            return histories
        return self._log(str(issue["id"]), str(issue["key"]))

    def _log(self, number: str, key: str) -> list[Any] | None:
        """An issue's own history: page by page, or from a server that has no pages of it, with the issue."""
        found: list[Any] = []
        course = Course(f"{self.client.host}: the history of {key}")
        while self.logs:
            try:
                answer = self.client.get(f"issue/{number}/changelog", {"startAt": len(found), "maxResults": ENTRIES})
            except NotThere:
                break
            some = answer.get("values") or answer.get("histories") or []
            found += some
            if not some or answer.get("isLast") is True or answer.get("total") == len(found):
                return found
            course.page(some)
        answer = self.client.get(f"issue/{key}", {"fields": "updated", "expand": "changelog"})
        self.logs = False  # the issue is there, so its log is not to be had
        return list(answer["changelog"].get("histories") or ()) if answer.get("changelog") else None


def _issues(answer: Mapping[str, Any], host: str) -> list[Issue]:
    issues = answer.get("issues")
    if not isinstance(issues, list):
        raise CollectorError(f"{host}: a search answers without issues: check the source's url, and that it is a Jira")
    return issues
