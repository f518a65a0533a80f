"""A small Jira, Cloud or Data Center, of our own: no server of Cloud can be had, and the one of Server knows no times.

What it does follows Atlassian's published description of `search/jql`, `changelog/bulkfetch` and `issue/{id}/changelog`
(its answers were compared with that once, by hand), and what others have found: searches lag behind, histories in
a search are cut, times in JQL are read in the account's zone. It understands the JQL that the collector sends and no more.
"""

import base64
import copy
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from zoneinfo import ZoneInfo

SPRINT, FLAGGED, EPIC, TEAM = "customfield_10020", "customfield_10021", "customfield_10014", "customfield_10001"
STATUSES = {"1": ("To Do", "new"), "3": ("In Progress", "indeterminate"), "4": ("Review", "indeterminate"), "5": ("Done", "done")}
STORY = {"id": "1", "name": "Story", "subtask": False, "self": "https://jira.example.org/issuetype/1"}
CATEGORIES = {"new": 2, "indeterminate": 4, "done": 3}
PEOPLE = {
    "acc-ann": {"accountId": "acc-ann", "accountType": "atlassian", "displayName": "Ann", "emailAddress": "ann@example.org"},
    "acc-bob": {"accountId": "acc-bob", "accountType": "atlassian", "displayName": "Bob"},
    "acc-app": {"accountId": "acc-app", "accountType": "app", "displayName": "Rules"},
}
LINKS = {"Blocks": ("blocks", "is blocked by"), "Problem": ("causes", "is caused by"), "Relates": ("relates to", "relates to")}
AGAIN = "again"  # a page token that comes again and again
EMAIL, TOKEN = "ann@example.org", "a-token"
IN_SEARCH, IN_ISSUE, IN_LOG = 40, 100, 100  # newest changes that a search and an issue give, changes in a page of a log
WORDS = re.compile(r'\s*(?:(\()|(\))|(,)|"([^"]*)"|(>=|<=|!=|=|<|>)|([^\s(),=<>!"]+))')


@dataclass
class JiraCloud:
    """The site. `now` is its clock; `handle` answers requests, as `Served` wants it.

    `millis`: whether JQL takes times as milliseconds. `late`: how long a change is not seen by searches.
    `page`, `log_page`: how much a page has at most. `created`: how histories of many issues tell times.
    """

    cloud: bool = True
    now: datetime = datetime(2026, 3, 2, 9, 0, 0, 123000, UTC)
    zone: str = "UTC"
    millis: bool = True
    late: timedelta = timedelta()
    page: int = 100
    log_page: int = 1000
    bulk: bool = True
    created: str = "millis"
    statuses: dict = field(default_factory=lambda: dict(STATUSES))
    projects: list = field(default_factory=lambda: ["PAY", "SHOP"])
    people: dict = field(default_factory=lambda: copy.deepcopy(PEOPLE))
    columns: list = field(default_factory=lambda: [("To Do", ["1"]), ("Doing", ["3", "4"]), ("Done", ["5"])])
    issues: dict = field(default_factory=dict)
    seen: dict = field(default_factory=dict)  # what searches see: the issue as it was when they looked last
    waiting: list = field(default_factory=list)  # (when, id): changes that searches do not see yet
    repeats: bool = False  # a fault: the same page token again and again

    def __post_init__(self):
        self.numbers, self.logs, self.links, self.keys = count(10_001), count(1), count(1), {}

    # What happens on the site. -------------------------------------------------------------------------

    def tick(self, **span):
        """Let time pass."""
        self.now += timedelta(**span)

    def make(self, project="PAY", kind="Story", status="1", by="acc-ann", **fields):
        """A new issue; its id."""
        number = str(next(self.numbers))
        made = _time(self.now)
        self.issues[number] = {
            "id": number,
            "key": self._key(project),
            "fields": {
                "summary": f"Issue {number}", "issuetype": {"id": "1", "name": kind, "subtask": False}, "status": {"id": status},
                "created": made, "updated": made, "resolutiondate": None, "resolution": None,
                "project": {"id": project, "key": project, "name": project.title()}, "priority": {"id": "3", "name": "Medium"},
                "labels": [], "components": [], "fixVersions": [], "issuelinks": [], "assignee": None,
                "reporter": self.people[by], "creator": self.people[by], **fields,
            },
            "histories": [],
        }  # fmt: skip
        self._changed(number)
        return number

    def recorded(self, issue):
        """An issue as another site has told it."""
        told = copy.deepcopy(issue)
        number, histories = str(told["id"]), (told.pop("changelog", None) or {}).get("histories") or []
        status = told["fields"]["status"]
        self.statuses.setdefault(status["id"], (status["name"], status["statusCategory"]["key"]))
        self.issues[number] = {**told, "id": number, "histories": sorted(histories, key=lambda one: int(one["id"]))}
        self.seen[number] = copy.deepcopy(self.issues[number])

    def move(self, number, status, by="acc-ann"):
        """Another status."""
        fields = self.issues[number]["fields"]
        was = fields["status"]["id"]
        fields["status"] = {"id": status}
        done = self.statuses[status][1] == "done"
        fields["resolutiondate"] = _time(self.now) if done else None
        fields["resolution"] = {"id": "1", "name": "Done"} if done else None
        self.log(number, by, ("status", "jira", was, self.statuses[was][0], status, self.statuses[status][0]))

    def assign(self, number, person, by="acc-ann"):
        """Another person."""
        fields = self.issues[number]["fields"]
        was, new = fields["assignee"] or {}, self.people.get(person, {})
        fields["assignee"] = self.people.get(person)
        self.log(number, by, ("assignee", "jira", was.get("accountId"), was.get("displayName"), person, new.get("displayName")))

    def flag(self, number, up, by="acc-ann"):
        """Flagged, or not any more."""
        words = (None, "", "[10019]", "Impediment") if up else ("[10019]", "Impediment", None, "")
        self.log(number, by, ("Flagged", "custom", *words))

    def sprint(self, number, was, now, by="acc-ann"):
        """From one sprint to another, by (id, name)."""
        self.log(number, by, ("Sprint", "custom", *(was or ("", "")), *(now or ("", ""))))

    def edit(self, number, **fields):
        """Other values, which no history tells that the collector asks for."""
        self.issues[number]["fields"].update(fields)
        self.log(number, "acc-bob", ("summary", "jira", None, "old", None, "new"))

    def link(self, number, kind, other):
        """A link of a type, outward from the first; both issues have changed with it, and both show it."""
        told = {"id": str(next(self.links)), "type": {"name": kind, "outward": LINKS[kind][0], "inward": LINKS[kind][1]}}
        for one, end, way in ((number, other, "outwardIssue"), (other, number, "inwardIssue")):
            self.issues[one]["fields"]["issuelinks"].append({**told, way: {"id": end}})
            self.log(one, "acc-ann", ("Link", "jira", None, None, end, "This issue has another link"))
        return told["id"]

    def unlink(self, link):
        """Away with a link, at both of its ends."""
        for number, issue in self.issues.items():
            links = issue["fields"]["issuelinks"]
            issue["fields"]["issuelinks"] = [one for one in links if one["id"] != link]
            if len(issue["fields"]["issuelinks"]) < len(links):
                self.log(number, "acc-ann", ("Link", "jira", None, None, None, None))

    def carry(self, number, project):
        """Into another project, under another key."""
        issue = self.issues[number]
        was, issue["key"] = issue["key"], self._key(project)
        issue["fields"]["project"] = {"id": project, "key": project, "name": project.title()}
        self.log(number, "acc-ann", ("Key", "jira", None, was, None, issue["key"]))

    def delete(self, number):
        """Away with it."""
        del self.issues[number]
        self._changed(number)

    def log(self, number, by, *items):
        """A change, as the history tells it."""
        ids = {"Flagged": FLAGGED, "Sprint": SPRINT, "Fix Version": "fixVersions", "Key": None, "Link": None}
        told = []
        for name, kind, was, was_name, now, now_name in items:
            item = {"field": name, "fieldtype": kind, "from": was, "fromString": was_name, "to": now, "toString": now_name}
            if self.cloud and ids.get(name, name):
                item["fieldId"] = ids.get(name, name)
            told.append(item)
        history = {"id": str(next(self.logs)), "created": _time(self.now), "items": told}
        if by is not None:
            history["author"] = self.people[by]
        self.issues[number]["histories"].append(history)
        self.issues[number]["fields"]["updated"] = _time(self.now)
        self._changed(number)

    def _key(self, project):
        return f"{project}-{next(self.keys.setdefault(project, count(1)))}"

    def _changed(self, number):
        self.waiting.append((self.now + self.late, number))

    def _look(self):
        for when, number in self.waiting:
            if when <= self.now and number in self.issues:
                self.seen[number] = copy.deepcopy(self.issues[number])
            elif when <= self.now:
                self.seen.pop(number, None)
        self.waiting = [(when, number) for when, number in self.waiting if when > self.now]

    # What it answers. ----------------------------------------------------------------------------------

    def handle(self, method, path, query, headers, body):
        """The answer to a request."""
        date = {"Date": format_datetime(self.now.replace(microsecond=0), usegmt=True)}
        asked = {name: values[-1] for name, values in query.items()} | (json.loads(body) if body else {})
        signed = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        if headers.get("Authorization") not in (f"Basic {signed}", f"Bearer {TOKEN}"):
            return 401, date, {"errorMessages": ["You are not authenticated."], "errors": {}}
        self._look()
        try:
            status, answer = self._answer(method, re.sub(r"^/rest/(api/\d|agile/1.0)/", r"\1 ", path), asked)
        except _BadQuery as error:
            status, answer = 400, {"errorMessages": [str(error)], "errors": {}}
        return status, date, answer

    def _answer(self, method, path, asked):
        api, _, what = path.partition(" ")
        whole = {"serverInfo": self._server, "myself": self._me, "status": self._statuses, "field": _fields}
        if what in whole:
            return 200, whole[what]()
        if what == "search/jql" and self.cloud:
            return 200, self._search(asked)
        if what == "search" and not self.cloud:
            return 200, self._by_offset(asked)
        if what == "changelog/bulkfetch" and self.cloud and self.bulk and method == "POST":
            return 200, self._bulk(asked)
        if what == "mypermissions":
            return 200, {"permissions": {"BROWSE_PROJECTS": {"havePermission": asked["projectKey"] in self.projects}}}
        if found := re.fullmatch(r"project/(\w+)/statuses", what):
            return (200, [{**STORY, "statuses": self._statuses()}]) if found[1] in self.projects else _none()
        if api == "agile/1.0":
            return self._board(what, asked)
        if found := re.fullmatch(r"issue/([\w-]+)(/changelog)?", what):
            return self._issue(found[1], bool(found[2]), asked)
        return _none()

    def _server(self):
        kind = "Cloud" if self.cloud else "Server"
        return {"baseUrl": "https://jira.example.org", "version": "1001.0.0" if self.cloud else "9.12.5", "deploymentType": kind}

    def _me(self):
        return {**self.people["acc-ann"], "timeZone": self.zone}

    def _status(self, key):
        name, category = self.statuses[key]
        kind = {"id": CATEGORIES[category], "key": category, "name": category, "colorName": "green"}
        return {"id": key, "name": name, "statusCategory": kind, "self": f"https://jira.example.org/status/{key}"}

    def _statuses(self):
        return [self._status(key) for key in self.statuses]

    def _board(self, what, asked):
        if what == "board":
            keys = [asked["projectKeyOrId"]] if "projectKeyOrId" in asked else self.projects
            boards = [{"id": 1 + self.projects.index(key), "name": f"{key} board", "location": {"projectKey": key}} for key in keys]
            start, size = int(asked["startAt"]), int(asked["maxResults"])
            return 200, {"values": boards[start : start + size], "isLast": start + size >= len(boards)}
        number = int(re.search(r"\d+", what)[0])
        place = {"projectKey": self.projects[number - 1]} if number <= len(self.projects) else None
        if place is None:
            return _none()
        if not what.endswith("configuration"):
            return 200, {"id": number, "name": f"{place['projectKey']} board", "location": place}
        columns = [{"name": name, "statuses": [{"id": key} for key in keys]} for name, keys in self.columns]
        return 200, {"id": number, "columnConfig": {"columns": columns}}

    def _search(self, asked):
        found = self._found(asked["jql"])
        light = set(asked.get("fields", "id").split(",")) <= {"id", "key"}
        size = min(int(asked["maxResults"]), 5000 if light else self.page)
        token = asked.get("nextPageToken")
        after = _read(token) if token and token != AGAIN else None
        rest = [issue for order, issue in found if after is None or list(order) > after]
        orders = [list(order) for order, _ in found if after is None or list(order) > after]
        answer = {"issues": [self._shown(issue, asked, IN_SEARCH) for issue in rest[:size]]}
        if len(rest) > size:
            answer["nextPageToken"] = AGAIN if self.repeats else _token(orders[size - 1])
        return answer if self.repeats else {**answer, "isLast": len(rest) <= size}

    def _by_offset(self, asked):
        found = [issue for _, issue in self._found(asked["jql"])]
        start, size = int(asked["startAt"]) if "startAt" in asked else 0, min(int(asked["maxResults"]), 1000)
        size = min(size, self.page) if "expand" in asked else size
        issues = [self._shown(issue, asked, None) for issue in found[start : start + size]]
        return {"startAt": start, "maxResults": size, "total": len(found), "issues": issues}

    def _bulk(self, asked):
        ids, fields = asked["issueIdsOrKeys"], set(asked.get("fieldIds") or ())
        if not 1 <= len(ids) <= 1000 or len(fields) > 10:
            raise _BadQuery("too many issues or fields")
        changes = []
        for number in ids:
            for history in self.issues.get(number, {}).get("histories", ()):
                items = [item for item in history["items"] if not fields or item.get("fieldId") in fields]
                if items:
                    changes.append((_at(history["created"]), int(number), {**history, "items": items}))
        changes.sort(key=lambda change: change[:2])
        start = _read(asked["nextPageToken"]) if asked.get("nextPageToken") else 0
        size = min(int(asked.get("maxResults", 1000)), self.log_page)
        by_issue = {}
        for when, number, history in changes[start : start + size]:
            seconds = when.timestamp()
            told = {"millis": round(seconds * 1000), "seconds": int(seconds), "text": history["created"]}[self.created]
            by_issue.setdefault(str(number), []).append({**history, "created": told})
        answer = {"issueChangeLogs": [{"issueId": key, "changeHistories": some} for key, some in by_issue.items()]}
        if start + size < len(changes):
            answer["nextPageToken"] = _token(start + size)
        return answer

    def _issue(self, key, log, asked):
        issue = next((issue for issue in self.issues.values() if key in (issue["id"], issue["key"])), None)
        if issue is None or (log and not self.cloud):
            return _none()
        if not log:
            return 200, self._shown(issue, asked, IN_ISSUE if self.cloud else None)
        start, size = int(asked.get("startAt", 0)), min(int(asked.get("maxResults", IN_LOG)), IN_LOG)
        some, total = issue["histories"][start : start + size], len(issue["histories"])
        return 200, {"startAt": start, "maxResults": size, "total": total, "isLast": start + size >= total, "values": some}

    def _shown(self, issue, asked, most):
        wanted = asked.get("fields", "").split(",")
        status = issue["fields"]["status"]["id"]
        fields = {name: value for name, value in issue["fields"].items() if name in wanted}
        if "status" in fields:
            fields["status"] = self._status(status) if status in self.statuses else issue["fields"]["status"]
        if "issuelinks" in fields:
            fields["issuelinks"] = [*map(self._linked, filter(self._there, fields["issuelinks"]))]
        shown = {"id": issue["id"], "self": f"https://jira.example.org/issue/{issue['id']}"}
        shown |= {} if wanted == ["id"] else {"key": issue["key"]}
        shown |= {"fields": fields} if fields else {}
        if "changelog" in asked.get("expand", ""):
            newest = issue["histories"][::-1][:most]
            shown["changelog"] = {"startAt": 0, "maxResults": len(newest), "total": len(issue["histories"]), "histories": newest}
        return shown

    def _there(self, link):
        end = link.get("outwardIssue") or link["inwardIssue"]
        return "key" in end or end["id"] in self.issues  # one that was recorded is as it was

    def _linked(self, link):
        """A link with the key that the other end has now."""
        way = "outwardIssue" if "outwardIssue" in link else "inwardIssue"
        return link if "key" in link[way] else {**link, way: {**link[way], "key": self.issues[link[way]["id"]]["key"]}}

    # JQL. ----------------------------------------------------------------------------------------------

    def _found(self, jql):
        where, _, order = jql.partition(" ORDER BY ")
        names = [part.split()[0] for part in (order or "key").split(",")]
        words = [next(word for word in found.groups() if word is not None) for found in WORDS.finditer(where)]
        matches = _Query(self, words).whole()
        found = [(self._order(issue, names), issue) for issue in self.seen.values() if matches(issue)]
        return sorted(found, key=lambda pair: pair[0])

    def _order(self, issue, names):
        project, _, number = issue["key"].rpartition("-")
        keys = {"key": (project, int(number))}
        keys |= {name: (_at(issue["fields"][name]).timestamp(),) for name in ("updated", "created")}
        return tuple(part for name in names for part in keys[name])


class _BadQuery(Exception):
    """The site cannot make sense of a query."""


class _Query:
    """The conditions that the collector sends: field, operator, value; AND, OR and brackets."""

    def __init__(self, site, words):
        self.site, self.words = site, words

    def whole(self):
        matches = self.any()
        if self.words:
            raise _BadQuery(f"Error in the JQL Query: {self.words[0]!r}")
        return matches

    def any(self):
        parts = [self.all()]
        while self.words and self.words[0].upper() == "OR":
            self.words.pop(0)
            parts.append(self.all())
        return lambda issue: any(part(issue) for part in parts)

    def all(self):
        parts = [self.one()]
        while self.words and self.words[0].upper() == "AND":
            self.words.pop(0)
            parts.append(self.one())
        return lambda issue: all(part(issue) for part in parts)

    def one(self):
        if self.words[0] == "(":
            self.words.pop(0)
            inner = self.any()
            self.words.pop(0)
            return inner
        name, operator = self.words.pop(0).lower(), self.words.pop(0).lower()
        values = self.values() if operator == "in" else [self.words.pop(0)]
        return self.condition(name, operator, values)

    def values(self):
        self.words.pop(0)
        found = []
        while (word := self.words.pop(0)) != ")":
            found += [word] if word != "," else []
        return found

    def condition(self, name, operator, values):
        if name in ("updated", "created"):
            if operator != ">=":
                raise _BadQuery(f"The operator {operator!r} is not understood")
            start = self.time(name, values[0])
            return lambda issue: _at(issue["fields"][name]) >= start
        if name == "id":
            gone = next((value for value in values if value not in self.site.seen), None)
            if gone:
                raise _BadQuery(f"Issue with id '{gone}' does not exist or you do not have permission to view it.")
            return lambda issue: issue["id"] in values
        if name == "project":
            wrong = next((value for value in values if value not in self.site.projects), None)
            if wrong:
                raise _BadQuery(f"The value '{wrong}' does not exist for the field 'project'.")
            return lambda issue: issue["fields"]["project"]["key"] in values
        if name == "labels":
            return lambda issue: set(issue["fields"]["labels"]) & set(values)
        if name in ("type", "issuetype"):
            return lambda issue: issue["fields"]["issuetype"]["name"] in values
        raise _BadQuery(f"Field '{name}' does not exist or you do not have permission to view it.")

    def time(self, name, value):
        if re.fullmatch(r"-?\d+", value) and self.site.millis:
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", value):
            raise _BadQuery(f"Date value '{value}' for field '{name}' is invalid.")
        # An hour that is there twice is read as the later one: that is where something could be lost.
        return datetime.fromisoformat(value).replace(tzinfo=ZoneInfo(self.site.zone), fold=1)


def _fields():
    def custom(key, name, kind):
        return {"id": key, "name": name, "custom": True, "schema": {"type": "any", "custom": kind}}

    return [
        {"id": "summary", "name": "Summary", "custom": False, "schema": {"type": "string", "system": "summary"}},
        custom(SPRINT, "Sprint", "com.pyxis.greenhopper.jira:gh-sprint"),
        custom(FLAGGED, "Flagged", "com.atlassian.jira.plugin.system.customfieldtypes:multicheckboxes"),
        custom(EPIC, "Epic Link", "com.pyxis.greenhopper.jira:gh-epic-link"),
        custom(TEAM, "Team", "com.atlassian.jira.plugin.system.customfieldtypes:atlassian-team"),
    ]


def _time(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


def _at(told):
    return datetime.fromisoformat(told).astimezone(UTC)


def _token(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


def _read(token):
    return json.loads(base64.b64decode(token))


def _none():
    return 404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."], "errors": {}}
