"""Facts written as text: a line a row, hours after the first Monday of March 2026 for every time."""

import itertools
import re
import shlex
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import pytest

from vsm.models import TABLES, columns, kind
from vsm.store import Facts

MONDAY = pd.Timestamp("2026-03-02", tz="UTC")
# The words that stand first in a line, what a line need not say, and shorter names of columns.
FIRST = {
    "deployments": ("id",),
    "incidents": ("id",),
    "builds": ("id",),
    "repositories": ("name",),
    "identities": ("source", "handle"),
}
USUAL: dict[str, dict[str, str]] = {
    "deployments": {"application": "shop", "environment": "production", "result": "success", "repository": "shop"},
    "incidents": {"application": "shop"},
    "builds": {"job": "build", "repository": "shop", "result": "success"},
    "reviews": {"repository": "shop", "state": "approved"},
    "comments": {"repository": "shop"},
    "pull_requests": {"repository": "shop"},
    "pull_request_commits": {"repository": "shop"},
    "deployment_commits": {"repository": "shop"},
}
SHORT = {
    "branch": "source_branch", "target": "target_branch", "created": "created_at", "ready": "ready_at", "first": "first_commit_at",
    "approved": "approved_at", "merged": "merged_at", "closed": "closed_at", "app": "application", "env": "environment",
    "repo": "repository", "started": "started_at", "opened": "opened_at", "resolved": "resolved_at", "detected": "detected_at",
}  # fmt: skip
STATUS = re.compile(r"(.+?) (-?[\d.]+)(?: (\S+))?$")


def hour(number: float | str) -> pd.Timestamp:
    """So many hours after the Monday."""
    return (MONDAY + pd.Timedelta(hours=float(number))).as_unit("us")


def lines(text: str) -> Iterable[str]:
    return filter(None, map(str.strip, text.splitlines()))


def row(table: str, line: str) -> dict[str, Any]:
    """`d1 sha=b at=5`: words without a name are the key's, those with one any column's."""
    words = [word.partition("=") for word in shlex.split(line)]
    names = iter(FIRST.get(table, [name for name in columns(TABLES[table]) if name != "repository"]))
    short = SHORT | ({"sha": "merge_sha"} if table == "pull_requests" else {})
    told: dict[str, str | None] = {**USUAL.get(table, {})}
    told |= {short.get(name, name) if equals else next(names): (value or None) if equals else name for name, equals, value in words}
    if table == "deployments":
        told["finished_at"] = told.pop("at", None) or told.get("finished_at")
    times = {name for name in columns(TABLES[table]) if kind(TABLES[table], name) == "time"}
    return {name: hour(value) if value and name in times else value for name, value in told.items()}


def commits(text: str, repository: str) -> list[dict[str, Any]]:
    """`m at=5 < b x | Merge it`: a commit with its parents and message; without a time an hour after the line before."""
    found = []
    for place, line in enumerate(lines(text)):
        left, _, message = line.partition("|")
        own, _, parents = left.partition("<")
        sha, *more = shlex.split(own)
        told = dict(word.split("=", 1) for word in more)
        at = told.pop("at", place)
        said = message.strip().replace("\\n", "\n") or None
        found.append({
            "repository": repository, "sha": sha, "committed_at": hour(at), "authored_at": hour(told.pop("authored", at)),
            "parents": parents.strip(), "message": said, "subject": said and said.partition("\n")[0], **told,
        })  # fmt: skip
    return found


def ticket(line: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`PAY-1 type=Story: Todo 0, Doing 5 ann, Done 9`: the first status is the one it was created with."""
    about, _, path = line.partition(": ")
    key, *more = shlex.split(about)
    told = {name: hour(value) if name.endswith("_at") else value for name, value in (word.split("=", 1) for word in more)}
    steps = [found.groups() for word in path.split(",") if (found := STATUS.match(word.strip()))]
    moves = [
        {"ticket": key, "at": hour(at), "from_status": was, "to_status": is_, "actor": actor}
        for (was, *_), (is_, at, actor) in itertools.pairwise(steps)
    ]
    created = hour(steps[0][1]) if steps else hour(0)
    return {"key": key, "created_at": created, "status": steps[-1][0] if steps else None, **told}, moves


def told(code: str = "", pulls: str = "", tickets: str = "", more: dict[str, str] | None = None, **tables: str) -> Facts:
    """Facts from text. `code` is the repository shop's, `more` that of other repositories; of a pull request `commits=x,y@3`
    are its own, the number when they were authored."""
    found: dict[str, list[dict[str, Any]]] = {name: [row(name, line) for line in lines(text)] for name, text in tables.items()}
    found["commits"] = [one for name, text in {"shop": code, **(more or {})}.items() for one in commits(text, name)]
    found["pull_requests"], found["pull_request_commits"] = [], found.get("pull_request_commits", [])
    for line in lines(pulls):
        pull = row("pull_requests", line)
        own = filter(None, pull.pop("commits", "").split(","))
        found["pull_requests"].append(pull)
        for sha, _, at in (word.partition("@") for word in own):
            key = {"repository": pull["repository"], "number": pull["number"], "sha": sha}
            found["pull_request_commits"].append(key | {"authored_at": hour(at) if at else None})
    paths = [ticket(line) for line in lines(tickets)]
    found["tickets"] = [one for one, _ in paths]
    found["transitions"] = [move for _, moves in paths for move in moves] + found.get("transitions", [])
    return Facts.of(**found)


@pytest.fixture(scope="session", name="told")
def _told() -> Callable[..., Facts]:
    return told


@pytest.fixture(scope="session", name="hour")
def _hour() -> Callable[[float], pd.Timestamp]:
    return hour
