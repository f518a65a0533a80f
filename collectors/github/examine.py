"""What `vsm doctor` asks GitHub: whether it takes us, what we may read there, its clock, and what it suggests for vsm.toml."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from collectors.base import Check, CollectorError
from collectors.github import queries, repositories
from collectors.github.client import Client, GraphQLRefused, NotAllowed, NotThere
from collectors.github.keys import Keys
from collectors.github.runs import BRINGS

SOME = 20  # repositories that are looked at
SLACK = 60.0  # seconds by which clocks may differ
OTHER = re.compile(r"pre-?prod|non-?prod", re.IGNORECASE)


def checks(client: Client, keys: Keys) -> Iterator[Check]:
    """A check each of sign-in, rate limit, clock, GraphQL and repositories. Raises CollectorError."""
    yield _sign_in(client, keys)
    yield _limit(client, keys.reserve)
    yield _clock(client)
    yield _graphql(client)
    yield from _repositories(client, keys)


def _sign_in(client: Client, keys: Keys) -> Check:
    what = "sign-in"
    if keys.token is None and keys.app is None:
        said = "nobody in particular: only what is public, 60 requests an hour, no GraphQL"
        return Check(what, None, said, 'give the source a token = "env:GITHUB_TOKEN"')
    if keys.app is not None:
        count = client.rest("/installation/repositories", {"per_page": 1}).data.get("total_count")
        return Check(what, True, f"a GitHub App that is installed on {count} repositories")
    try:
        name = client.rest("/user").data.get("login")
    except (NotThere, NotAllowed):
        return Check(what, True, "a token that is nobody's account")
    if client.scopes is None:
        return Check(what, True, f"{name}, by a token with rights of its own")
    enough = "repo" in client.scopes.replace(" ", "").split(",")
    said = f"{name}, by a token with the scopes {client.scopes or '(none)'}"
    return Check(what, True if enough else None, said, "" if enough else "private repositories need the scope repo")


def _limit(client: Client, reserve: int) -> Check:
    try:
        core = (client.rest("/rate_limit").data.get("resources") or {}).get("core") or {}
    except NotThere:  # GitHub Enterprise Server says so where limits are off
        core = {}
    left, most = core.get("remaining"), core.get("limit")
    if left is None or most is None:
        return Check("rate limit", True, "none")
    well = left > min(reserve, most // 10)
    return Check(
        "rate limit", well, f"{left:,} of {most:,} requests left", "" if well else "wait for the next hour, or use another token"
    )


def _clock(client: Client) -> Check:
    if client.date is None:
        return Check("clock", None, "the server does not tell its time")
    apart = client.patience.wall() - client.date.timestamp()
    well = abs(apart) <= SLACK
    said = f"{abs(apart):,.0f} s {'ahead of' if apart > 0 else 'behind'} the server's" if abs(apart) >= 1 else "as the server's"
    return Check("clock", well, said, "" if well else "set this machine's clock: waits for a rate limit would be wrong")


def _graphql(client: Client) -> Check:
    try:
        client.graphql(f"query Left {{ {queries.RATE} }}", {}, patient=True)
    except GraphQLRefused:
        remedy = "with a token that may use GraphQL the same takes a twentieth of the requests"
        return Check("GraphQL", None, "not for us: REST is used, a request a pull request", remedy)
    return Check("GraphQL", True, "there")


def _repositories(client: Client, keys: Keys) -> Iterator[Check]:
    """Whether each named repository can be read, and how many the patterns find."""
    for name in islice(keys.wanted.named, SOME):
        try:
            answer = client.rest(f"/repos/{name}").data
        except (NotThere, NotAllowed) as error:
            yield Check(name, False, "cannot be read", str(error))
            continue
        now = answer["full_name"]
        renamed = now.lower() != name.lower()
        yield Check(
            name,
            None if renamed else True,
            f"is now {now}" if renamed else "can be read",
            "change it in vsm.toml" if renamed else "",
        )
    for owner in keys.wanted.owners():
        try:
            count = sum(keys.wanted.takes(one) for one in repositories.owned(client, owner))
        except CollectorError as error:
            yield Check(owner, False, "cannot be listed", str(error))
        else:
            yield Check(owner, count > 0, f"{count:,} repositories are meant", "" if count else "check the patterns and topics")


def proposal(client: Client, keys: Keys) -> str:
    """Lines for vsm.toml: environments that sound like production, and workflows that sound like deployments."""
    environments: set[str] = set()
    workflows: set[str] = set()
    for one in islice(repositories.found(client, keys.wanted), SOME):
        environments.update(_names(client, f"/repos/{one.name}/environments", "environments"))
        workflows.update(_names(client, f"/repos/{one.name}/actions/workflows", "workflows"))
    live = sorted(name for name in environments if _live(name, keys))
    brings = sorted(name for name in workflows if BRINGS.search(name.casefold()))
    lines = []
    if live and not all(keys.rules.is_production(name) for name in live):
        lines += ["[production]", f"environments = {_list(live)}", ""]
    if brings and not (keys.rules.deploy_workflows or keys.rules.deploy_jobs):
        lines += [
            f'# in the source "{keys.name}":',
            f"# deploy_workflows = {_list([f'^{re.escape(name)}$' for name in brings])}",
            "",
        ]
    return "\n".join(lines)


def _names(client: Client, path: str, key: str) -> list[str]:
    try:
        return [one["name"] for page in client.listed(path, key=key) for one in page]
    except (NotThere, NotAllowed):
        return []


def _live(name: str, keys: Keys) -> bool:
    return keys.rules.is_production(name) or (
        re.search(r"prod|\blive\b", name, re.IGNORECASE) is not None and not OTHER.search(name)
    )


def _list(names: Sequence[str]) -> str:
    return json.dumps(names, ensure_ascii=False)
