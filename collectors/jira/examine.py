"""How a Jira is: version, who we are there, what we may see, its clock, and how it reads times."""

from collections.abc import Iterator
from datetime import UTC, datetime

from collectors.base import Check
from collectors.jira.client import Client, Misread, NotThere
from collectors.jira.settings import Settings
from collectors.jira.site import Site

SKEW = 300.0  # seconds between the server's clock and ours that nobody needs to look after


def checks(client: Client, told: Settings) -> Iterator[Check]:
    """One thing after the other. Raises CollectorError."""
    site = Site()
    site.learn(client, told.team)
    kind = "Cloud" if site.cloud else "Server or Data Center"
    yield Check("server", True, f"{client.host} is Jira {kind} {site.release}".rstrip())
    if site.cloud and told.token is not None and "@" not in (client.user or ""):
        yield Check("token", None, "Cloud takes a token only with an email", 'give the source email = "env:JIRA_EMAIL"')
    yield _account(client) if told.token is not None else Check("account", None, "nobody is signed in: only what is public is seen")
    for scope in told.scopes:
        yield _visible(client, site, scope.name, scope.jql)
    if told.team is not None and "team" not in site.fields:
        yield Check(
            "team_field", False, f"no field is called {told.team!r}", "give a field's name or id, such as customfield_10001"
        )
    yield _clock(client)
    site.probe(client, told.scopes[0].jql)
    yield _times(site)


def _account(client: Client) -> Check:
    me = client.get("myself")
    name = me.get("displayName") or me.get("name") or "an account without a name"
    return Check("account", True, f"signed in as {name}, whose time zone is {me.get('timeZone') or 'not told'}")


def _visible(client: Client, site: Site, name: str, jql: str) -> Check:
    """Whether the account sees any issue: a list without issues and a list that is not for us look alike."""
    remedy = "check the key, and give the account the permission Browse Projects"
    try:
        path = "search/jql" if site.cloud else "search"
        seen = client.get(path, {"jql": f"({jql})", "maxResults": 1, "fields": "updated"}).get("issues")
        if seen:
            return Check(name, True, "its issues can be read")
        if name != "jql" and not _browses(client, name):
            return Check(name, False, "the account may not browse it", remedy)
    except (Misread, NotThere) as error:
        return Check(name, False, str(error), remedy)
    return Check(name, None, "no issue can be seen", remedy)


def _browses(client: Client, project: str) -> bool:
    answer = client.get("mypermissions", {"projectKey": project, "permissions": "BROWSE_PROJECTS"})
    return bool(((answer.get("permissions") or {}).get("BROWSE_PROJECTS") or {}).get("havePermission"))


def _clock(client: Client) -> Check:
    if client.date is None:
        return Check("clock", None, "the server does not tell its time")
    apart = abs((client.date - datetime.fromtimestamp(client.patience.wall(), UTC)).total_seconds())
    if apart <= SKEW:
        return Check("clock", True, "the server's clock and this machine's agree")
    return Check(
        "clock", None, f"the server's clock is {apart / 60:,.0f} minutes from this machine's",
        "set the clock that is wrong; nothing is lost by it, for only the server's counts",
    )  # fmt: skip


def _times(site: Site) -> Check:
    if site.millis is None:
        return Check("times", None, "how times in JQL are read cannot be told without an issue")
    if site.millis:
        return Check("times", True, "JQL takes times in milliseconds")
    if site.zone:
        return Check("times", True, f"JQL takes times in minutes, in the account's zone {site.zone}")
    remedy = "set a time zone in the account's profile"
    return Check("times", None, "JQL takes times in minutes, and the account's zone is not known", remedy)
