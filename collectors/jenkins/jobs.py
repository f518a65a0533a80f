"""Which jobs a Jenkins server has: one question for ten levels of folders, with each job's newest build."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from collectors.base import CollectorError
from collectors.jenkins.client import Client, Missing

LEVELS = 10  # folders within folders that one question reaches
FIELDS = "name,fullName,url,color,lastBuild[number,timestamp,building,result],lastCompletedBuild[number]"
MULTIBRANCH = "MultiBranchProject"


@dataclass(frozen=True)
class Job:
    """A job as the tree tells it.

    ``last`` is what is known of its newest builds: as long as that stays the same, nothing has moved.
    """

    name: str  # full, with its folders; a branch is written feature%2Fcard, as Jenkins does
    kind: str  # the last part of its class: FreeStyleProject, WorkflowJob, MatrixProject, MultiJobProject …
    branch: str | None  # of a multibranch project
    number: int | None
    building: bool
    last: list[Any]
    folder: str = ""
    place: int = 0  # among all that is in the folder

    @property
    def project(self) -> str:
        """The name of what is built: of a branch its multibranch project, with a slash at its end."""
        return f"{self.name.rpartition('/')[0]}/" if self.branch is not None else self.name


def tree(levels: int = LEVELS) -> str:
    """The question for the jobs of this many levels; the level below shows only whether there is more.

    >>> tree(1).replace(FIELDS, "…")
    'jobs[…,jobs]'
    """
    asked = "jobs"
    for _ in range(levels):
        asked = f"jobs[{FIELDS},{asked}]"
    return asked


def jobs(client: Client) -> list[Job]:
    """All jobs that the user may see, by name. Raises CollectorError."""
    answer = client.server(tree())
    if not isinstance(answer, dict) or not isinstance(answer.get("jobs"), list):
        raise CollectorError(f"{client.url} answers, but not as Jenkins does: check url, with its path")
    return sorted(_within(client, answer["jobs"], "", False), key=lambda job: job.name)


def _within(client: Client, entries: Sequence[Any], folder: str, multibranch: bool) -> Iterator[Job]:
    for place, entry in enumerate(entries):
        name = entry["fullName"] if "fullName" in entry else f"{folder}/{entry['name']}".lstrip("/")
        if "jobs" in entry:
            inside = entry["jobs"] if _told(entry["jobs"]) else _deeper(client, name)
            yield from _within(client, inside, name, _kind(entry).endswith(MULTIBRANCH))
        else:
            yield _job(entry, name, multibranch, folder, place)


def _told(entries: Sequence[Any]) -> bool:
    return all("name" in entry for entry in entries)


def _deeper(client: Client, folder: str) -> Sequence[Any]:
    """The jobs of a folder that lies below what one question reaches."""
    try:
        answer = client.job(folder, tree())
    except Missing:  # it went away in between
        return []
    return answer.get("jobs") or []


def _job(entry: Any, name: str, multibranch: bool, folder: str, place: int) -> Job:
    last, done = entry.get("lastBuild") or {}, entry.get("lastCompletedBuild") or {}
    seen = [last.get("number"), last.get("timestamp"), last.get("result"), done.get("number")]
    branch = unquote(name.rpartition("/")[2]) if multibranch else None
    return Job(name, _kind(entry), branch, last.get("number"), bool(last.get("building")), seen, folder, place)


def _kind(entry: Any) -> str:
    return str(entry.get("_class", "")).rpartition(".")[2]


@dataclass(frozen=True)
class Selection:
    """Which jobs are read: those that one expression finds and none of the others does."""

    wanted: tuple[re.Pattern[str], ...] = ()
    unwanted: tuple[re.Pattern[str], ...] = ()

    def takes(self, name: str) -> bool:
        """Whether a job of this full name is read; an expression may mean feature/card or feature%2Fcard."""
        return (not self.wanted or found(self.wanted, name)) and not found(self.unwanted, name)


def found(expressions: Sequence[re.Pattern[str]], name: str) -> bool:
    """Whether one of the expressions is found in a full name, as Jenkins or as a person writes it."""
    return any(one.search(text) for one in expressions for text in (name, unquote(name)))
