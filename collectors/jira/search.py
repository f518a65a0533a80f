"""Lists of issues, whole: Cloud's pages by token, the other Jiras' by offset, each issue with its complete history."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.base import CollectorError
from collectors.jira.client import Client, Misread, NotThere
from collectors.jira.issues import kept
from collectors.jira.site import Site

PAGE = 100  # issues with their fields; servers give fewer where that is too much
BATCH = 500  # issues whose histories are asked for together, and that are saved together
KEYS = 5000  # issues of which only the id is asked for; Server and Data Center give a thousand
LOGS = 10_000  # changes in one page of Cloud's histories
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

    ``bulk`` says whether the histories of many issues can be had at once, ``logs`` whether one's own page by page.
    """

    client: Client
    site: Site
    bulk: bool = True
    logs: bool = True

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
        passed: set[str] = set()
        token: str | None = None
        while True:
            answer = self.client.get("search/jql", {**asked, **({"nextPageToken": token} if token else {})})
            yield _issues(answer, self.client.host)
            token = answer.get("nextPageToken")
            if not token or answer.get("isLast") is True:
                return
            if token in passed:
                raise CollectorError(
                    f"{self.client.host}: a search gives the same page token again; what was read is saved: run it again later"
                )
            passed.add(token)

    def _by_offset(self, asked: Mapping[str, Any]) -> Iterator[list[Issue]]:
        """Each page begins with the last issue of the one before it: where that is not so, some went away in between."""
        history = {"expand": "changelog"} if asked["maxResults"] == PAGE else {}
        start, before = 0, set[str]()
        while True:
            answer = self.client.get("search", {**asked, **history, "startAt": start})
            issues, total = _issues(answer, self.client.host), int(answer.get("total") or 0)
            here = {str(issue["id"]) for issue in issues}
            if start > 0 and not here & before:
                start = max(start - PAGE, 0)
                continue
            yield [issue for issue in issues if str(issue["id"]) not in before]
            if start + len(issues) >= total or not issues:
                return
            start += max(len(issues) - 1, 1)
            before = here

    def _bulk(self, ids: Sequence[str]) -> dict[str, list[Any]] | None:
        """The histories of many issues by id; None where this site does not give them so."""
        found: dict[str, list[Any]] = {}
        passed: set[str] = set()
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
            body["nextPageToken"] = token

    def _history(self, issue: Issue) -> list[Any] | None:
        """An issue's history, from the search where that is all of it; None where the server does not tell it. Raises NotThere."""
        told = issue.get("changelog") or {}
        histories = list(told.get("histories") or ())
        if "total" in told and told["total"] <= len(histories):
            return histories
        return self._log(str(issue["id"]), str(issue["key"]))

    def _log(self, number: str, key: str) -> list[Any] | None:
        """An issue's own history: page by page, or from a server that has no pages of it, with the issue."""
        found: list[Any] = []
        while self.logs:
            try:
                answer = self.client.get(f"issue/{number}/changelog", {"startAt": len(found), "maxResults": ENTRIES})
            except NotThere:
                break
            some = answer.get("values") or answer.get("histories") or []
            found += some
            if not some or answer.get("isLast") is True or len(found) >= int(answer.get("total") or 0):
                return found
        answer = self.client.get(f"issue/{key}", {"fields": "updated", "expand": "changelog"})
        self.logs = False  # the issue is there, so its log is not to be had
        return list(answer["changelog"].get("histories") or ()) if answer.get("changelog") else None


def _issues(answer: Mapping[str, Any], host: str) -> list[Issue]:
    issues = answer.get("issues")
    if not isinstance(issues, list):
        raise CollectorError(f"{host}: a search answers without issues: check the source's url, and that it is a Jira")
    return issues
