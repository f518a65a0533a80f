"""Builds, from Jenkins' JSON to rows.

Jenkins makes a build when an executor takes it from the queue: its ``timestamp`` is the start (the
word "scheduled" in Jenkins' own documentation notwithstanding), and ``duration`` counts from there.
How long it had waited before, only the Metrics plugin tells (``queuingDurationMillis``). A pipeline
starts at once on the controller and waits for its agent within its duration.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

from collectors.remotes import repository

NAMES = re.compile(r"\$(?:\{(\w+)\}|(\w+))")  # of parameters in a remote's URL
TREE = (
    "number,url,timestamp,duration,building,result,queueId,"
    "actions[_class,causes[_class,upstreamProject,upstreamBuild],parameters[name,value],"
    "lastBuiltRevision[SHA1,branch[name]],remoteUrls,queuingDurationMillis],"
    "changeSet[kind,items[commitId,timestamp]],changeSets[kind,items[commitId,timestamp]]"
)
# A build of many configurations, or of many jobs, tells its parts without another request.
PARTS = {"MatrixProject": ",runs[number,url,timestamp,duration,building,result]", "MultiJobProject": ",subBuilds[jobName,result]"}
RESULTS = {"SUCCESS": "success", "FAILURE": "failure", "ABORTED": "cancelled", "NOT_BUILT": "skipped"}
STATUSES = {"SUCCESS": "success", "FAILED": "failure", "ABORTED": "cancelled", "NOT_EXECUTED": "skipped"}
UNFINISHED = ("IN_PROGRESS", "PAUSED_PENDING_INPUT", "QUEUED")
UNSTABLE = "UNSTABLE"
WORST = ("failure", "unknown", "cancelled", "success", "skipped")  # what a whole is, of what its parts are
BRIEF = 250  # milliseconds: a stage that is over sooner did not start a single program
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LIBRARY = re.compile(r"librar|shared[-_.]?lib|pipeline[-_.]?lib|jenkins[-_.]?lib", re.IGNORECASE)

Row = dict[str, Any]


class Revision(NamedTuple):
    """What a build checked out of one repository."""

    repository: str | None
    sha: str | None
    branch: str | None


def at(milliseconds: Any) -> datetime | None:
    """An instant from milliseconds since 1970; Jenkins writes 0 for what it does not know.

    >>> at(1650024049161).isoformat(), at(0), at(None)
    ('2022-04-15T12:00:49.161000+00:00', None, None)
    """
    return EPOCH + timedelta(milliseconds=milliseconds) if isinstance(milliseconds, (int, float)) and milliseconds > 0 else None


def after(start: datetime | None, milliseconds: Any) -> datetime | None:
    """The end of what began then and took so long."""
    return start + timedelta(milliseconds=milliseconds) if start and isinstance(milliseconds, (int, float)) else None


def running(build: Mapping[str, Any]) -> bool:
    """Whether a build has not come to its end; Jenkins may name a result before that."""
    return bool(build["building"]) if "building" in build else build.get("result") is None


def result(word: str | None, unstable: str) -> str | None:
    """Jenkins' word for how a build ended, in ours."""
    if word is None:
        return None
    return unstable if word == UNSTABLE else RESULTS.get(word, "unknown")


def worst(results: Iterable[str | None]) -> str:
    """The result of a whole, by those of its parts: one failure fails all."""
    return min((one or "unknown" for one in results), key=WORST.index)


def parameters(build: Mapping[str, Any]) -> dict[str, str]:
    """The build's parameters that have a value, as text."""
    told = [one for action in _actions(build) for one in action.get("parameters") or ()]
    return {one["name"]: _text(one["value"]) for one in told if one.get("name") and one.get("value") is not None}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def row(build: Mapping[str, Any], key: str, unstable: str) -> Row:
    """The row of a build; `key` is its id."""
    revision, started = own(build), at(build["timestamp"])
    ended = not running(build)
    return {
        "id": key,
        "job": build["job"],
        "repository": revision.repository,
        "sha": revision.sha,
        "branch": build.get("branch") or revision.branch,
        "queued_at": _queued(build, started),
        "started_at": started,
        "finished_at": after(started, build.get("duration")) if ended else None,
        "result": result(build.get("result"), unstable) if ended else None,
        "url": build.get("url"),
    }


def _queued(build: Mapping[str, Any], started: datetime | None) -> datetime | None:
    waits = [action["queuingDurationMillis"] for action in _actions(build) if "queuingDurationMillis" in action]
    return started - timedelta(milliseconds=waits[0]) if waits and started else None


def _actions(build: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [action for action in build.get("actions") or () if action]


# Revisions. --------------------------------------------------------------------------------------


def revisions(build: Mapping[str, Any]) -> list[Revision]:
    """What the build checked out, a repository once, in the order of the first time."""
    values = parameters(build)
    seen: dict[str | None, Revision] = {}
    for action in _actions(build):
        if action.get("lastBuiltRevision"):
            told, urls = action["lastBuiltRevision"], action.get("remoteUrls") or [None]
            branches = [branch["name"] for branch in told.get("branch") or () if branch.get("name")]
            name = repository(_filled(urls[0], values)) if urls[0] else None
            seen.setdefault(name, Revision(name, told.get("SHA1"), _branch(branches[0]) if branches else None))
    return list(seen.values())


def own(build: Mapping[str, Any]) -> Revision:
    """The revision of the repository that the build is of, not of a library that its pipeline loads.

    Of several the one whose branch the job is of, then the one that the job is named after, then one
    that is not named as a library is; then the first.
    """
    return min(revisions(build), key=lambda one: _strange(one, build), default=Revision(None, None, None))


def upstream(build: Mapping[str, Any]) -> tuple[str, int] | None:
    """The build that started this one: its job's full name and number."""
    causes = [cause for action in _actions(build) for cause in action.get("causes") or ()]
    told = [(cause["upstreamProject"], cause["upstreamBuild"]) for cause in causes if cause.get("upstreamProject")]
    return next(((str(job), number) for job, number in told if isinstance(number, int)), None)


def _strange(one: Revision, build: Mapping[str, Any]) -> tuple[bool, ...]:
    name = (one.repository or "").rpartition("/")[2].casefold()
    path = unquote(build["job"]).casefold().split("/")
    branch = build.get("branch")
    return (
        branch is not None and one.branch != branch,
        name not in path,
        not any(name and (name in part or part in name) for part in path),
        bool(LIBRARY.search(name)),
    )


def named(build: Mapping[str, Any]) -> set[str]:
    """The parameters that a remote's URL is made of: git@github.com:$ORG/$REPO.git."""
    urls = [url for action in _actions(build) for url in action.get("remoteUrls") or ()]
    return {a or b for url in urls for a, b in NAMES.findall(url)}


def _filled(url: str, values: Mapping[str, str]) -> str:
    return NAMES.sub(lambda name: values.get(name[1] or name[2], name[0]), url)


def _branch(name: str) -> str | None:
    """A branch without where it was fetched to.

    >>> _branch("refs/remotes/origin/feature/card"), _branch("origin/main"), _branch("main"), _branch("detached")
    ('feature/card', 'main', 'main', None)
    """
    short = re.sub(r"^(refs/remotes/[^/]+/|refs/heads/|origin/)", "", name)
    return None if short in ("detached", "HEAD") else short


def commits(build: Mapping[str, Any]) -> list[str]:
    """The commits that are new in this build, of its own repository.

    A change log does not say of which repository it is. Where several were checked out, it is the
    one that the built commit is in; where none has it, nothing is known.
    """
    logs = [[item["commitId"] for item in log.get("items") or () if item.get("commitId")] for log in _logs(build)]
    mine = own(build)
    if len(revisions(build)) > 1:
        logs = [log for log in logs if mine.sha in log]
    return list(dict.fromkeys(sha for log in logs for sha in log)) if mine.repository else []


def _logs(build: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    one = build.get("changeSet")
    logs = [*([one] if one else []), *(build.get("changeSets") or ())]
    return [log for log in logs if log.get("kind", "git") in ("git", None)]


# Stages. -----------------------------------------------------------------------------------------


def stages(build: Mapping[str, Any], key: str, unstable: str) -> list[Row]:
    """The rows of a build's parts: stages of a pipeline, configurations of a matrix, jobs of a multi-job."""
    told = [
        *(_stage(one, unstable) for one in _begun(build.get("stages") or ())),
        *(_configuration(one, unstable) for one in build.get("runs") or () if one.get("number") == build["number"]),
        *(_part(one["jobName"], None, None, result(one.get("result"), unstable)) for one in build.get("subBuilds") or ()),
    ]
    return _once([{"build": key, **part} for part in told])


def _begun(told: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The stages, with those marked that a declarative pipeline ran through after it had failed.

    Jenkins tells them as failed, too: with the error of the stage that failed, and over in an instant.
    """
    failed: list[Any] = []
    for one in told:
        error = (one.get("status"), one.get("error"))
        if one.get("status") in ("FAILED", "ABORTED"):
            if error in failed and one.get("durationMillis", BRIEF) < BRIEF:
                one = {**one, "status": "NOT_EXECUTED"}
            failed.append(error)
        yield one


def _stage(one: Mapping[str, Any], unstable: str) -> Row:
    status = one.get("status")
    started = at(one.get("startTimeMillis"))
    if status in UNFINISHED:
        return _part(one["name"], started, None, None)
    if status == "NOT_EXECUTED":
        return _part(one["name"], started, None, "skipped")
    ended = after(started, one.get("durationMillis"))
    return _part(one["name"], started, ended, unstable if status == UNSTABLE else STATUSES.get(status or "", "unknown"))


def _configuration(one: Mapping[str, Any], unstable: str) -> Row:
    """A configuration's run; of one that was not run again, the matrix tells an earlier number."""
    started = at(one.get("timestamp"))
    name = unquote(str(one.get("url", "")).rstrip("/").rpartition("/")[0].rpartition("/")[2])
    if running(one):
        return _part(name, started, None, None)
    return _part(name, started, after(started, one.get("duration")), result(one.get("result"), unstable))


def _part(name: str, started: datetime | None, finished: datetime | None, told: str | None) -> Row:
    return {"name": name, "started_at": started, "finished_at": finished, "result": told}


def _once(parts: Sequence[Row]) -> list[Row]:
    """Stages of one name that began at one instant, such as two branches of a parallel step, as one."""
    seen: dict[tuple[Any, ...], Row] = {}
    for part in parts:
        key = (part["name"], part["started_at"])
        seen[key] = together(seen[key], part) if key in seen else part
    return list(seen.values())


def together(one: Row, other: Row) -> Row:
    """Two parts as one: from the earlier start to the later end, and a failure fails both."""
    starts = [part["started_at"] for part in (one, other) if part["started_at"]]
    ends = [part["finished_at"] for part in (one, other) if part["finished_at"]]
    open_ = any(part["result"] is None for part in (one, other))
    return {
        **one,
        "started_at": min(starts, default=None),
        "finished_at": None if open_ else max(ends, default=None),
        "result": None if open_ else worst([one["result"], other["result"]]),
    }
