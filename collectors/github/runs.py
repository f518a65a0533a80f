"""Workflow runs of GitHub Actions as builds, and, where the configuration says so, their jobs as stages and deployments.

Only REST has runs. The newest page has an ETag, so a poll of a quiet repository costs nothing of the
rate limit. What is older is read by windows of creation times, each halved while it holds more than the
thousand runs that a search gives. A run that is run again stays the same run, with its old creation, and
no list is ordered by what changed: so the last days are read again once a day, the last month, after which
GitHub runs nothing again, once a week, and runs that have not ended whenever there is a harvest.

A run without its jobs does not tell how long it was queued. `neutral` counts as success, since GitHub
lets it pass; `stale` (GitHub gave up on it) is unknown; `action_required` waits for a person and has not
ended. The attempts of a run are one build, with the times of the last one.

Jobs cost a request a run, so they are asked for only of runs that deploy. Whoever deploys with
`environment:` in a workflow needs no such rule: GitHub tells those deployments itself.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from collectors.base import Told
from collectors.github.client import Client, NotThere
from collectors.github.resource import Batch, Repo, Rules
from collectors.github.walks import OVERLAP, Thing, instant, moment
from vsm.errors import ConfigError

RUN = (
    "id", "name", "path", "head_branch", "head_sha", "event", "status", "conclusion", "created_at", "run_started_at", "updated_at",
    "run_attempt", "html_url",
)  # fmt: skip
JOB = ("id", "name", "status", "conclusion", "started_at", "completed_at", "run_attempt", "html_url")
MOST = 1000  # runs that a search gives, whatever there are
BEGAN = moment("2018-10-16T00:00:00Z")  # the day that Actions were shown first
AGAIN = timedelta(days=3)  # runs are run again after a look at what failed, seldom later
DAILY = timedelta(days=1)
MONTH = timedelta(days=31)  # "created over a month ago", GitHub says of a run that it will not run again
WEEKLY = timedelta(days=7)
LONGEST = timedelta(days=36)  # a run may wait and last 35 days
KEPT = 500  # runs whose jobs are known, by their last change: those of the newest page and of the last days, and more
RESULTS = {
    "success": "success",
    "neutral": "success",
    "failure": "failure",
    "timed_out": "failure",
    "startup_failure": "failure",
    "cancelled": "cancelled",
    "skipped": "skipped",
}
WAITING = "action_required"
PROPOSED = ("pull_request", "pull_request_target", "merge_group")  # events of what is not merged yet
WORST = ("failure", "cancelled", "unknown", "success")  # of several results the first of these
OTHER = re.compile(
    r"(?<![a-z])(?:pre[-_ ]?prod(?:uction)?|non[-_ ]?prod(?:uction)?|staging|stage|stg|uat|qa|dev|development|sandbox|demo|preview"
    r"|test|testing)(?![a-z])"
)
TESTS = ("test", "testing")  # alone these are jobs that test, not places
BRINGS = re.compile(r"deploy|release|rollout|roll[-_ ]out|promote|publish|ship")


@dataclass
class Runs:
    """A repository's workflow runs. The rules say of which the jobs are read."""

    name: ClassVar[str] = "runs"
    lasting: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[str] = ""
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        for key in ("deploy_workflows", "deploy_jobs"):
            for pattern in getattr(self.rules, key):
                try:
                    re.compile(pattern)
                except re.error as error:
                    said = f'{key}: got {pattern!r}, expected a regular expression such as "deploy" ({error})'
                    raise ConfigError(said) from None

    def batches(self, client: Client, repo: Repo, state: Mapping[str, Any], since: datetime | None, first: Any) -> Iterator[Batch]:
        """The runs that are new, those that had not ended, and once a day those of the last days again."""
        yield from _Reading(client, repo, self.rules, since).batches(state)

    def told(self, answer: Any, rules: Rules) -> Told:
        """A build, its jobs as stages where they are known, and the deployments that it made."""
        from vsm import models

        jobs = [_Job.of(job) for job in answer.get("jobs") or ()]
        rows: dict[Any, list[dict[str, Any]]] = {models.Build: [_build(answer, jobs)]}
        if stages := list(_stages(answer, jobs)):
            rows[models.BuildStage] = stages
        if deployments := list(_deployments(answer, jobs, rules)):
            rows[models.Deployment] = deployments
        return rows


# Which runs deploy, and to where. -----------------------------------------------------------------


def _deploys(run: Thing, rules: Rules, repository: str) -> bool:
    """Whether a run's workflow is one that deploys: by its name, its file, or the build's whole name."""
    if not rules.deploy_workflows:
        return bool(rules.deploy_jobs)
    name, path = run.get("name") or "", run.get("path") or ""
    return any(
        _found(pattern, name) or _found(pattern, path) or re.fullmatch(pattern, _name(run, repository), re.IGNORECASE)
        for pattern in rules.deploy_workflows
    )


def _found(pattern: str, name: str) -> bool:
    return re.search(pattern, name, re.IGNORECASE) is not None


def environment_in(name: str, rules: Rules) -> str | None:
    """The environment that a workflow's or job's name speaks of, None where it speaks of none.

    >>> [environment_in(name, Rules()) for name in ("Deploy to staging", "deploy (production)", "Pre-prod rollout", "Deploy")]
    ['staging', 'production', 'pre-prod', None]
    """
    words = re.findall(r"[^\W_]+", name.casefold())
    other = OTHER.search(name.casefold())
    if rules.is_production(name):
        return next((word for word in words if rules.is_production(word)), rules.production)
    if other:
        return str(other[0])
    return next((word for word in words if rules.is_production(word)), None)


# Rows. --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    """A job of one attempt at a run."""

    name: str
    attempt: int
    started: datetime | None
    finished: datetime | None
    result: str | None
    url: str | None

    @classmethod
    def of(cls, job: Thing) -> "_Job":
        """A job as it is told; one that waits has a time of a start that is none."""
        ended = _is_over(job)
        begun = ended or (job.get("status") or "").casefold() == "in_progress"
        return cls(
            name=job["name"],
            attempt=job.get("run_attempt") or 1,
            started=instant(job.get("started_at")) if begun else None,
            finished=instant(job.get("completed_at")) if ended else None,
            result=_result(job) if ended else None,
            url=job.get("html_url"),
        )

    @property
    def ran(self) -> bool:
        """Whether the job was not passed over."""
        return self.result != "skipped"


def _is_over(thing: Thing) -> bool:
    """Whether a run or a job has ended."""
    said = (thing.get("conclusion") or "").casefold()
    return bool(said) and said != WAITING


def _result(thing: Thing) -> str:
    return RESULTS.get((thing.get("conclusion") or "").casefold(), "unknown")


def _name(run: Thing, repository: str) -> str:
    """The job that a run is one of: the workflow's name, as people know it, within its repository."""
    return f"{repository}/{run.get('name') or run.get('path') or run.get('workflow_id') or 'workflow'}"


def _build(run: Thing, jobs: Sequence[_Job]) -> dict[str, Any]:
    asked = instant(run.get("run_started_at")) or moment(run["created_at"])
    last = [job for job in jobs if job.attempt == (run.get("run_attempt") or 1) and job.ran]
    starts = [job.started for job in last if job.started]
    ends = [job.finished for job in last if job.finished]
    over = _is_over(run)
    return {
        "id": f"github:{run['id']}",
        "job": _name(run, run["repository"]),
        "repository": run["repository"],
        "sha": run.get("head_sha"),
        "branch": run.get("head_branch"),
        "queued_at": asked if starts and asked <= min(starts) else None,
        "started_at": min(starts, default=asked),
        "finished_at": max(ends, default=instant(run.get("updated_at"))) if over else None,
        "result": _result(run) if over else None,
        "url": run.get("html_url"),
    }


def _stages(run: Thing, jobs: Iterable[_Job]) -> Iterator[dict[str, Any]]:
    for job in jobs:
        yield {
            "build": f"github:{run['id']}",
            "name": job.name,
            "started_at": job.started,
            "finished_at": job.finished,
            "result": job.result,
        }


def _deployments(run: Thing, jobs: Sequence[_Job], rules: Rules) -> Iterator[dict[str, Any]]:
    """The deployments of a run: one an environment where its jobs name some, else the run as a whole.

    A run for a pull request is only one where a name says to which environment: production it is not.
    """
    if not _deploys(run, rules, run["repository"]) or (run.get("conclusion") or "").casefold() == WAITING:
        return
    plain = None if run.get("event") in PROPOSED else rules.production
    workflow = environment_in(run.get("name") or "", rules) or plain
    for environment, part in _by_environment(jobs, rules, workflow).items():
        yield from _deployment(run, part, rules, environment, f"github-run:{run['id']}:{environment}")
    if workflow is None or rules.deploy_jobs or _by_environment(jobs, rules, workflow):
        return
    if jobs:
        yield from _deployment(run, jobs, rules, workflow, f"github-run:{run['id']}")
    else:
        build = _build(run, jobs)
        alone = _Job("", 1, build["started_at"], build["finished_at"], build["result"], build["url"])
        yield from _deployment(run, [alone], rules, workflow, f"github-run:{run['id']}")


def _by_environment(jobs: Iterable[_Job], rules: Rules, workflow: str | None) -> dict[str, list[_Job]]:
    """The jobs that deploy, by where to: those that the rules name, else those whose names speak of it."""
    found: dict[str, list[_Job]] = {}
    for job in jobs:
        named, environment = job.name.casefold(), environment_in(job.name, rules)
        if rules.deploy_jobs:
            place = environment or workflow
            if place and any(_found(pattern, job.name) for pattern in rules.deploy_jobs):
                found.setdefault(place, []).append(job)
        elif environment and (BRINGS.search(named) or (named == environment and environment not in TESTS)):
            found.setdefault(environment, []).append(job)
    return found


def _deployment(run: Thing, jobs: Sequence[_Job], rules: Rules, environment: str, key: str) -> Iterator[dict[str, Any]]:
    """Jobs as one deployment: from the first start to the last end, and a failure fails all.

    Of a job that was run again the last attempt says how it ended, since only what failed is run again.
    """
    last = {job.name: job for job in sorted(jobs, key=lambda job: job.attempt)}
    ran = [job for job in last.values() if job.ran]
    if not ran:
        return
    over = all(job.result is not None for job in ran)
    results = {job.result for job in ran}
    starts = [job.started for job in jobs if job.started and job.ran]
    ends = [job.finished for job in ran if job.finished]
    yield {
        "id": key,
        "application": rules.application_of(run["repository"]),
        "environment": environment,
        "repository": run["repository"],
        "sha": run.get("head_sha"),
        "ref": run.get("head_branch"),
        "started_at": min(starts, default=None),
        "finished_at": max(ends, default=None) if over else None,
        "result": next((result for result in WORST if result in results), "unknown") if over else "unknown",
        "url": ran[0].url if len(ran) == 1 and ran[0].url else run.get("html_url"),
    }


# Reading. -----------------------------------------------------------------------------------------


@dataclass
class _Reading:
    """One reading of a repository's runs.

    ``gaps`` are windows of creation times, both ends included, that are still to be read; True with those that
    were read before, and of which only what was run again is news. ``reach`` is how far back the newest page
    goes, None where it holds all there is. ``looked`` and ``combed``: the last daily and weekly look.
    """

    client: Client
    repo: Repo
    rules: Rules
    since: datetime | None
    seen: datetime | None = None
    reach: datetime | None = None
    looked: datetime | None = None
    combed: datetime | None = None
    etag: str | None = None
    gaps: list[tuple[datetime, datetime, bool]] = field(default_factory=list)
    pending: dict[str, list[str]] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def batches(self, state: Mapping[str, Any]) -> Iterator[Batch]:
        """The newest page, the windows that it does not reach, and the runs that had not ended."""
        self._resume(state)
        before = dict(self.pending)
        top = self.client.rest(self._place, {"per_page": 100, "exclude_pull_requests": "true"}, etag=self.etag)
        daily = self.looked is None or self.client.date is None or self.client.date - self.looked >= DAILY
        back = AGAIN if daily else OVERLAP
        self.looked = self.client.date if daily else self.looked
        before_that = self.seen
        if top.status != 304:
            self._newest(top.data["workflow_runs"], top.next is not None, back)
            self.etag = top.etag
            yield self._batch(top.data["workflow_runs"], whole(top.data.get("total_count")))
        elif daily and self.seen and self.reach:
            self._open(self.seen - back, self.reach)
        self._comb(before_that)
        yield from self._windows()
        yield from self._unended(before, daily, fresh=top.status != 304)
        if top.status == 304 and daily:
            yield self._batch([])

    @property
    def _place(self) -> str:
        return f"/repos/{self.repo.name}/actions/runs"

    def _resume(self, state: Mapping[str, Any]) -> None:
        """Take up the state; from the beginning where the rules are others, or more of the past is asked for."""
        asked = instant(state.get("since"))
        further = bool(state.get("since")) and asked is not None and (self.since is None or self.since < asked)
        if further or state.get("rules") != self._rules:
            return
        self.seen, self.reach, self.looked = (instant(state.get(name)) for name in ("seen", "reach", "looked"))
        self.combed = instant(state.get("combed")) or self.looked  # an older program kept none
        self.etag = state.get("etag")
        self.gaps = [(moment(low), moment(high), any(again)) for low, high, *again in state.get("gaps") or ()]
        self.pending = {key: list(entry) for key, entry in (state.get("pending") or {}).items()}
        self.jobs = dict(state.get("jobs") or {})

    @property
    def _rules(self) -> list[list[str]]:
        return [list(self.rules.deploy_workflows), list(self.rules.deploy_jobs)]

    def _newest(self, runs: Sequence[Thing], more: bool, back: timedelta) -> None:
        """Take note of the newest page, and of the gap between it and what need not be read again."""
        times = [moment(run["created_at"]) for run in runs]
        low = self.seen - back if self.seen else BEGAN
        self.reach = min(times) if more and times else None
        if self.reach is not None:
            self._open(low, self.reach)
        self.seen = max([*times, *([self.seen] if self.seen else [])], default=None)

    def _open(self, low: datetime, high: datetime) -> None:
        low = max(low, self.since) if self.since else low
        if low <= high:
            self.gaps.insert(0, (low, high, False))

    def _comb(self, seen: datetime | None) -> None:
        """Once a week look for what was run again late: between the last days before `seen` and as long ago as that may happen."""
        now = self.client.date
        if now is None or (self.combed is not None and now - self.combed < WEEKLY):
            return
        self.combed = now
        low = max(time for time in (now - MONTH, self.since) if time)
        if seen is not None and self.reach is not None and low <= (high := min(seen - AGAIN, self.reach)):
            self.gaps.append((low, high, True))

    def _windows(self) -> Iterator[Batch]:
        while self.gaps:
            low, high, again = self.gaps[0]
            answer = self.client.rest(self._place, self._window(low, high))
            middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
            # What a search says of its total counts only where it goes on: else all that there is has been given.
            total = whole(answer.data.get("total_count")) if answer.next else 0
            if total > MOST and middle < high:
                self.gaps[:1] = [(middle + timedelta(seconds=1), high, again), (low, middle, again)]
                continue
            given = len(answer.data["workflow_runs"])
            while answer.next:
                yield self._batch(_news(answer.data["workflow_runs"], again))
                answer = self.client.rest(answer.next)
                given += len(answer.data["workflow_runs"])
            if total < given >= MOST and middle < high:  # it has more than it said
                self.gaps[:1] = [(middle + timedelta(seconds=1), high, again), (low, middle, again)]
                continue
            left_out = total - MOST
            self.gaps.pop(0)
            warnings = (
                [f"{left_out:,} workflow runs of one second ({low:%Y-%m-%d %H:%M:%S}) cannot be asked for"] if left_out > 0 else []
            )
            yield self._batch(_news(answer.data["workflow_runs"], again), warnings=warnings)

    def _window(self, low: datetime, high: datetime) -> dict[str, Any]:
        window = "..".join(f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (low, high))
        return {"per_page": 100, "exclude_pull_requests": "true", "created": window}

    def _unended(self, before: Mapping[str, list[str]], daily: bool, fresh: bool) -> Iterator[Batch]:
        """Runs that had not ended at the last harvest and are in no page of this one."""
        found, lost = [], []
        for key, (created, status) in before.items():
            old = self.seen is not None and self.seen - moment(created) > LONGEST
            as_it_was = not fresh and (self.reach is None or moment(created) >= self.reach)
            if old:
                self.pending.pop(key, None)
            elif key not in self.read and (daily if status == WAITING else not as_it_was):
                try:
                    found.append(self.client.rest(f"{self._place}/{key}", {"exclude_pull_requests": "true"}).data)
                except NotThere:
                    self.pending.pop(key, None)
                    lost.append(key)
        if found or lost:
            yield self._batch(found, lost=lost)

    def _batch(
        self, runs: Sequence[Thing], total: int | None = None, lost: Sequence[str] = (), warnings: Sequence[str] = ()
    ) -> Batch:
        answers = [answer for run in runs if (answer := self._answer(run)) is not None]
        return Batch(answers, lost=lost, state=self._state(), total=total, warnings=warnings)

    def _answer(self, run: Thing) -> tuple[str, Any] | None:
        """A run as it is kept; None for one that is not asked for, or is as it was."""
        key, kept = str(run["id"]), {name: run.get(name) for name in RUN} | {"repository": self.repo.name}
        self.read.add(key)
        if self.since and moment(run["created_at"]) < self.since:
            return None
        said = (run.get("conclusion") or "").casefold()
        if _is_over(run):
            self.pending.pop(key, None)
        else:
            self.pending[key] = [run["created_at"], said]
        if _deploys(run, self.rules, self.repo.name) and said not in ("skipped", WAITING):
            if self.jobs.get(key) == run["updated_at"]:
                return None
            kept["jobs"] = self._jobs(key)
            self.jobs[key] = run["updated_at"]
        return key, kept

    def _jobs(self, key: str) -> list[dict[str, Any]]:
        try:
            pages = list(self.client.listed(f"{self._place}/{key}/jobs", {"filter": "all"}, key="jobs"))
        except NotThere:
            return []
        return [{name: job.get(name) for name in JOB} for page in pages for job in page]

    def _state(self) -> dict[str, Any]:
        newest = sorted(self.jobs, key=int)[-KEPT:]
        times = {name: getattr(self, name) for name in ("seen", "reach", "looked", "combed", "since")}
        return {
            **{name: time.isoformat() if time else None for name, time in times.items()},
            "etag": self.etag,
            "gaps": [[low.isoformat(), high.isoformat(), again] for low, high, again in self.gaps],
            "pending": self.pending,
            "jobs": {key: self.jobs[key] for key in newest},
            "rules": self._rules,
        }


def whole(total: Any) -> int:
    """A number of things as a source tells it; 0 for what is none.

    >>> whole(3), whole("3"), whole(-1), whole("many"), whole(None)
    (3, 3, 0, 0, 0)
    """
    return int(total) if str(total).isdecimal() else 0


def _news(runs: Sequence[Thing], again: bool) -> Sequence[Thing]:
    """The runs of a page; where they were read before, those that were run again."""
    return [run for run in runs if not again or (run.get("run_attempt") or 1) > 1]
