"""What a Jira is like: Cloud or not, what its statuses are called, which fields hold what, and how it reads times.

All of it is asked once and kept in the cursor, so that a harvest with nothing new does not pay for it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from collectors.jira.client import Client

VERSION = 1  # of what is kept here and in raw answers: a store harvested by another version is read again from the start
ROLES = {  # what a custom field is for, by the type that Jira itself gives it
    "com.pyxis.greenhopper.jira:gh-sprint": "sprint",
    "com.pyxis.greenhopper.jira:gh-epic-link": "epic",
}
ZONES = timedelta(hours=14)  # how far a zone can be ahead of UTC, for an account whose zone is not known
DAY = timedelta(days=1)
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)  # before the first Jira


@dataclass
class Site:
    """What was learned of a Jira.

    ``statuses``: name and category by id. ``unknown``: ids that histories have and the site no longer
    does. ``fields``: id and name of the custom fields by what they are for. ``millis``: whether JQL takes
    times as milliseconds; else they are minutes in ``zone``. ``renames`` counts how often a status got
    another name: what was read under an older count is read again.
    """

    version: int = VERSION
    cloud: bool = False
    base: str = ""
    release: str = ""
    statuses: dict[str, list[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)
    team: str | None = None
    millis: bool | None = None
    zone: str | None = None
    renames: int = 0

    @classmethod
    def told(cls, cursor: Mapping[str, Any]) -> Self:
        """The site as a store has kept it."""
        return cls(**{name: cursor[name] for name in cls.__dataclass_fields__ if name in cursor})

    def state(self) -> dict[str, Any]:
        """The site for a cursor."""
        return {**vars(self), "statuses": dict(self.statuses), "unknown": list(self.unknown)}

    def learn(self, client: Client, team: str | None) -> None:
        """Ask the site what it is. Raises CollectorError."""
        server = client.get("serverInfo")
        self.cloud = server.get("deploymentType") == "Cloud"
        self.base, self.release = str(server.get("baseUrl") or client.url).rstrip("/"), str(server.get("version") or "")
        client.version(self.api)
        self.fields, self.team = _roles(client.list("field"), team), team
        self.name_statuses(client)

    @property
    def api(self) -> str:
        """The version of the API that this site is asked by."""
        return "3" if self.cloud else "2"

    def name_statuses(self, client: Client, seen: Collection[str] = ()) -> bool:
        """Ask what the statuses are called now; whether one has another name than before. Raises CollectorError."""
        before = {key: name for key, (name, _) in self.statuses.items()}
        for told in client.list("status"):
            self.statuses[str(told["id"])] = [str(told["name"]), str((told.get("statusCategory") or {}).get("key") or "")]
        self.unknown = sorted({*self.unknown, *seen} - set(self.statuses))
        renamed = any(self.statuses[key][0] != name for key, name in before.items())
        self.renames += renamed
        return renamed

    def strange(self, names: Iterable[tuple[str, str | None]]) -> set[str]:
        """Of status ids with the name that an issue gives them now, if it does, those that are not known by it."""
        return {
            key
            for key, name in names
            if (key not in self.statuses and key not in self.unknown)
            or (name is not None and key in self.statuses and self.statuses[key][0] != name)
        }

    def probe(self, client: Client, scope: str) -> None:
        """Find out how this site reads times in JQL, by questions whose answer is known. Raises CollectorError."""
        now = client.date or datetime.fromtimestamp(client.patience.wall(), UTC)
        future = self._one(client, f"({scope}) AND updated >= {_millis(now + DAY)}")
        past = self._one(client, f"({scope}) AND updated >= {_millis(LONG_AGO)}") if future == [] else None
        if future == [] and past == []:
            return  # a project without issues says nothing
        self.millis = future == [] and bool(past)
        if not self.millis and client.token is not None:
            self.zone = str(client.get("myself").get("timeZone") or "") or None

    def _one(self, client: Client, jql: str) -> list[Any] | None:
        path = "search/jql" if self.cloud else "search"
        answer = client.tried(path, {"jql": jql, "maxResults": 1, "fields": "updated"})
        issues = answer.get("issues") if answer is not None else None
        return issues if isinstance(issues, list) else None

    def time(self, at: datetime) -> str:
        """An instant, or one shortly before it, as this site's JQL reads it.

        >>> Site(millis=True).time(datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
        '1772443800000'
        >>> Site(millis=False, zone="Asia/Shanghai").time(datetime(2026, 3, 2, 9, 30, 59, tzinfo=UTC))
        '"2026-03-02 17:30"'
        """
        if self.millis:
            return str(_millis(at))
        try:
            zone = ZoneInfo(self.zone or "")
        except (KeyError, ValueError, OSError):
            return f'"{at.astimezone(UTC) - ZONES:%Y-%m-%d %H:%M}"'
        told = at.astimezone(zone).replace(second=0, microsecond=0, tzinfo=None)
        # An hour that is there twice, when summer time ends, may be read as the later one.
        while told.replace(tzinfo=zone, fold=1).astimezone(UTC) > at:
            told -= timedelta(hours=1)
        return f'"{told:%Y-%m-%d %H:%M}"'

    def asked(self) -> list[str]:
        """The fields that a search asks for."""
        return [*FIELDS, *(key for key, _ in self.fields.values())]

    def logged(self) -> list[str]:
        """The fields whose history is asked for; ten at most."""
        custom = [self.fields[role][0] for role in ("sprint", "flagged") if role in self.fields]
        return ["status", "assignee", "priority", "fixVersions", "resolution", *custom]

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """What those of some statuses that the site has are called."""
        return {key: self.statuses[key][0] for key in sorted(set(ids)) if key in self.statuses}


FIELDS = (
    "summary", "issuetype", "status", "created", "updated", "resolutiondate", "resolution", "project", "priority", "parent",
    "labels", "components", "fixVersions", "issuelinks", "assignee", "reporter", "creator",
)  # fmt: skip


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _roles(told: Iterable[Mapping[str, Any]], team: str | None) -> dict[str, list[str]]:
    """Which fields hold the sprint, the epic, the flag and the team: id and name of each."""
    found: dict[str, list[str]] = {}
    for one in told:
        key, name = str(one.get("id")), str(one.get("name"))
        role = ROLES.get(str((one.get("schema") or {}).get("custom")))
        if role is None and one.get("custom") and name.casefold() == "flagged":
            role = "flagged"
        if role is not None:
            found.setdefault(role, [key, name])
        if team is not None and team in (key, name):
            found.setdefault("team", [key, name])
    return found
