"""Real answers to begin a search for broken ones with, read from the folder VSM_RECORDED_DATA where it is; nothing of them is kept.

A pull request and an issue of GitHub are told as REST gives them: what takes them to pieces for keeping is searched, too.
"""

import gzip
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from collectors.github import issues_rest, pulls_rest
from collectors.jira.issues import kept
from collectors.telling import MALFORMED

MOST, LONGEST = 40, 15_000  # answers of a file, letters of one: more would only take time
LISTS = {"commits": pulls_rest.commit, "reviews": pulls_rest.review, "comments": pulls_rest.comment}
NOTE = {"base": "https://jira.example", "names": {}, "fields": {"sprint": ["customfield_10020"], "epic": ["customfield_10014"]}}
Answer = tuple[str, str, Any]


class Untold(Exception):
    """What a source tells is not as it tells such things: a harvest ends in a sentence."""


def there() -> Path | None:
    """The folder."""
    told = os.environ.get("VSM_RECORDED_DATA", "")
    return Path(told) if told and Path(told).is_dir() else None


@cache
def answers(kind: str) -> tuple[Answer, ...]:
    """Real answers of a kind of source: resource, id, answer; none where the folder is not there."""
    folder = there()
    return tuple(one for one in FROM[kind](folder) if len(json.dumps(one[2])) < LONGEST) if folder else ()


@cache
def events() -> tuple[str, ...]:
    """Real events, as text."""
    folder = there()
    return tuple(path.read_text(encoding="utf-8") for path in sorted((folder / "cdevents").glob("*.json"))) if folder else ()


@cache
def messages() -> tuple[str, ...]:
    """Messages of real commits."""
    folder = there()
    return tuple(_messages(folder / "git_history/alloy-history.fi.gz")) if folder else ()


def trimmed(resource: str, answer: Any) -> tuple[str, Any]:
    """The resource and the answer as a collector keeps them. Raises Untold for one that cannot be trimmed."""
    if resource not in TRIMMED:
        return resource, answer
    name, trim = TRIMMED[resource]
    try:
        return name, trim(answer)
    except MALFORMED as error:
        raise Untold(str(error)[:300]) from error


def _pull(told: Mapping[str, Any]) -> Any:
    lists = {name: [take(one) for one in told[name]] for name, take in LISTS.items()}
    return pulls_rest.plain(told["pull"], {**lists, "events": pulls_rest.told(told["timeline"])["events"]}, "acme/shop")


def _issue(told: Mapping[str, Any]) -> Any:
    return issues_rest.slim(told["issue"], told["timeline"]) | {"repository": "acme/shop"}


TRIMMED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a pull request by REST": ("pull_requests", _pull),
    "an issue by REST": ("issues", _issue),
    "an issue of Jira": ("issue", lambda told: {**kept(told), "vsm": NOTE}),
}


def _github(folder: Path) -> Iterator[Answer]:
    ants = folder / "github/devlake_ants"
    reviews, events, commits, comments, jobs = (
        _lines(ants / f"{name}.jsonl") for name in ("pull_request_reviews", "events", "pull_request_commits", "comments", "jobs")
    )
    for place, pull in enumerate(_lines(ants / "pull_requests.jsonl")):
        some = {"commits": commits, "reviews": reviews, "comments": comments, "timeline": events}
        told = {"pull": pull, **{name: _turn(several, place) for name, several in some.items()}}
        yield "a pull request by REST", f"1:{pull['number']}", told
    for place, issue in enumerate(_lines(ants / "issues.jsonl")):
        yield "an issue by REST", f"1:{issue['number']}", {"issue": issue, "timeline": _turn(events, place)}
    for place, run in enumerate(_lines(ants / "runs.jsonl")):
        yield "runs", f"1:{run['id']}", {**run, "repository": "acme/shop", "jobs": _turn(jobs, place)}


def _jenkins(folder: Path) -> Iterator[Answer]:
    stages = _lines(folder / "jenkins/devlake/stages_multibranch.jsonl")
    for name in ("builds", "builds_multibranch"):
        for place, build in enumerate(_lines(folder / f"jenkins/devlake/{name}.jsonl")):
            yield "build", f"shop/deploy#{build['number']}", {**build, "job": "shop/deploy", "stages": _turn(stages, place)}


def _jira(folder: Path) -> Iterator[Answer]:
    logs = _lines(folder / "jira/devlake_merico/issue_changelogs.jsonl")
    for name in ("devlake_merico", "tidev_alloy"):
        for place, issue in enumerate(_lines(folder / f"jira/{name}/issues.jsonl")):
            told = issue if "changelog" in issue else {**issue, "changelog": {"histories": _turn(logs, place, 5)}}
            yield "an issue of Jira", str(issue["id"]), told


FROM: dict[str, Callable[[Path], Iterator[Answer]]] = {"github": _github, "jenkins": _jenkins, "jira": _jira}


def _lines(path: Path) -> list[Any]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:: max(len(lines) // MOST, 1)][:MOST]]


def _turn(several: list[Any], place: int, most: int = 3) -> list[Any]:
    """A few of several, others at each place."""
    return [several[(place * most + number) % len(several)] for number in range(most)]


def _messages(path: Path) -> Iterator[str]:
    """Of a stream of `git fast-export` the messages of its first commits."""
    with gzip.open(path) as stream:
        in_commit = False
        for _ in range(20_000):
            line = stream.readline()
            in_commit = line.startswith((b"commit ", b"mark ", b"author ", b"committer ", b"original-oid ")) or (
                in_commit and line.startswith(b"data ")
            )
            if in_commit and line.startswith(b"data "):
                yield stream.read(int(line[5:])).decode("utf-8", "replace")[:2_000]
                in_commit = False
