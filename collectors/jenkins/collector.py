"""A Jenkins server as a source: its builds, their stages, and the deployments among them.

Read are one list of all jobs with their newest builds, and the builds of the jobs that moved, a hundred
a question. Builds that Jenkins has discarded stay as they were told, as do those of a job that was
deleted or renamed; a renamed job goes on under its new name. One question at a time: Jenkins reads each
build from its disk, and a controller's executors are worth more than our minutes.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from collectors.base import Blocked, Check, CollectorError, Context, Page
from collectors.jenkins import builds
from collectors.jenkins.client import Client, Missing
from collectors.jenkins.deploys import proposed, written
from collectors.jenkins.examination import examined
from collectors.jenkins.groups import groups, newest
from collectors.jenkins.history import History, State
from collectors.jenkins.jobs import Job, jobs
from collectors.jenkins.settings import Settings, settings
from collectors.patience import Patience
from collectors.remotes import public

if TYPE_CHECKING:
    from vsm.models import Fact

BUILD = "build"  # the resource of raw answers: a build with its job and stages
JOB = "job:"  # before a job's full name: its cursor
RULES = "rules"  # the cursor that tells by which rules deployments were recognised
PIPELINE = "WorkflowRun"
BATCH = 100  # builds saved together, where several jobs have few
FEW = 50  # jobs saved together
ASKED = 2  # attempts where a person waits for the answer
HOPS = 3  # builds up the stream to where the code was checked out
GIVE_UP = 3  # jobs one after the other that cannot be read: the server is at fault, not the job
TRIES = 5  # builds without stages, after which the plugin for them is taken to be missing

Row = dict[str, Any]
Answer = dict[str, Any]


@dataclass
class Batch:
    """What is saved next: answers, and how far they bring each job. Of ``total`` jobs ``done`` are read."""

    total: int
    raw: list[tuple[str, str, Answer]] = field(default_factory=list)
    histories: dict[str, History] = field(default_factory=dict)
    cursors: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    done: int = 0
    builds: int = 0

    @property
    def full(self) -> bool:
        """Whether it is worth a page."""
        return len(self.raw) >= BATCH or len(self.histories) >= FEW


@dataclass(eq=False)
class JenkinsCollector:
    """All jobs of one server that the configuration selects."""

    kind: ClassVar[str] = "jenkins"
    fills: ClassVar[frozenset[str]] = frozenset()
    name: str
    settings: Settings
    context: Context
    stageless: int = 0  # builds in a row that had no stages to tell, for want of the plugin
    warned: bool = False
    origins: dict[tuple[str, int], Answer | None] = field(default_factory=dict)  # builds upstream, each asked for once a run
    tree: list[Job] | None = None

    @classmethod
    def configured(cls, keys: Mapping[str, Any], context: Context) -> Self:
        """A collector from one ``[[sources]]`` table. Raises ConfigError."""
        told = settings(keys, context)
        return cls(told.name, told, context)

    @cached_property
    def client(self) -> Client:
        """The server, as whom the configuration says that we are. Raises ConfigError where user or token are not there."""
        told = self.settings
        patience = Patience(self.name, most=told.most, pause=self.context.pause)
        return Client(told.url, told.user.reveal() if told.user else None, told.token, patience)

    def scope(self) -> str:
        """Which jobs of which server are read: "3 of 12 jobs of https://ci.example.org". Raises CollectorError."""
        every = self._jobs()
        mine = [job for job in every if self.settings.selection.takes(job.name)]
        many = f"{len(mine):,} of {len(every):,}" if len(mine) < len(every) else f"all {len(every):,}"
        return f"{many} jobs of {self.settings.url}"

    def recall(self, cursors: Mapping[str, Mapping[str, Any]]) -> None:
        """Nothing: a build's answer is read by itself."""

    def pages(self, cursors: Mapping[str, Mapping[str, Any]], full: bool) -> Iterator[Page]:
        """The news of each job that moved. One that cannot be read does not stop the others. Raises CollectorError."""
        moved = [history for job in self._selected() if (history := self._history(job, cursors, full)).state.moved(history.job)]
        together = groups(moved)
        batch, failed, broken = self._begun(len(moved), cursors), list[str](), 0
        try:
            for history in moved:
                try:
                    self._given(history, together)
                    for _ in self._read(history, batch):
                        if batch.full:
                            yield self._page(batch)
                    broken = 0
                except Blocked:
                    raise
                except CollectorError as error:
                    failed, broken = [*failed, str(error)], broken + 1
                if broken == GIVE_UP:
                    break
        except CollectorError:
            yield self._page(batch)  # what was read before it is saved
            raise
        yield self._page(batch)
        if failed:
            raise CollectorError("; ".join(dict.fromkeys(failed)))

    def told(self, resource: str, external_id: str, answer: Any) -> "Mapping[type[Fact], Sequence[Mapping[str, Any]]]":
        """The rows of a build, its stages, and the deployments that it made."""
        from vsm import models

        if resource != BUILD or not answer.get("timestamp"):
            return {}
        rules, key = self.settings.rules, f"{self.kind}:{self.settings.server}:{external_id}"
        row = builds.row(answer, key, rules.unstable)
        parts = builds.stages(answer, key, rules.unstable)
        deployments = rules.deployments(answer, row, parts)
        news = [(one["id"], row["repository"], sha) for one in deployments for sha in builds.commits(answer)]
        return {
            models.Build: [row],
            models.BuildStage: parts,
            models.Deployment: deployments,
            models.DeploymentCommit: [{"deployment": one, "repository": name, "sha": sha} for one, name, sha in news],
        }

    def checks(self) -> Iterator[Check]:
        """The server and its version, who we are to it, its clock, and the plugin that tells stages. Raises CollectorError."""
        self.client.patience.tries = ASKED
        every = self._jobs()
        yield from examined(self.client, every, [job for job in every if self.settings.selection.takes(job.name)])

    def proposal(self) -> str:
        """Lines with the jobs that deploy, by their names."""
        if self.settings.rules.any:
            return ""
        self.client.patience.tries = ASKED
        lines = ",\n".join(f"  {written(one)}" for one in proposed(job.project for job in self._selected()))
        return f"deploy_jobs = [  # jobs whose names say that they deploy\n{lines},\n]" if lines else ""

    def _jobs(self) -> list[Job]:
        """All jobs, asked for once a run."""
        if self.tree is None:
            self.tree = jobs(self.client)
        return self.tree

    def _selected(self) -> list[Job]:
        mine = [job for job in self._jobs() if self.settings.selection.takes(job.name)]
        self.tree = None
        return mine

    def _history(self, job: Job, cursors: Mapping[str, Mapping[str, Any]], full: bool) -> History:
        cursor = {} if full else cursors.get(JOB + job.name, {})
        return History(self.client, job, State.told(cursor, self.settings.reads, self.context.since))

    def _given(self, history: History, together: dict[str, list[History]]) -> None:
        """Read the newest builds of the jobs that go together with this one, when its turn has come."""
        if (group := together.get(history.job.name)) is None:
            return
        for one in group:
            del together[one.job.name]
        try:
            newest(self.client, group)
        except Blocked:
            raise
        except CollectorError:  # one of them cannot be read: each by itself will show which
            return

    def _read(self, history: History, batch: Batch) -> Iterator[None]:
        """Put a job's news into the batch, a build at a time."""
        batch.histories[history.job.name] = history
        for build in history.news():
            batch.raw.append((BUILD, f"{history.job.name}#{build['number']}", self._answer(history.job, build)))
            history.took(build)
            yield
            batch.histories[history.job.name] = history
        batch.done += 1

    def _answer(self, job: Job, build: Answer) -> Answer:
        """What is kept of a build: what facts are told from, without the values of parameters that nobody asked for."""
        answer = kept(build, set(self.settings.rules.parameters or ()) | builds.named(build))
        answer["job"] = job.name
        if job.branch is not None:
            answer["branch"] = job.branch
        if self._has_stages(build) and (stages := self._stages(job.name, build["number"])) is not None:
            answer["stages"] = stages
        if not builds.revisions(answer) and self._deploys(answer) and (origin := self._origin(answer)) is not None:
            answer["upstream"] = origin
        return answer

    def _deploys(self, answer: Answer) -> bool:
        rules = self.settings.rules
        row, parts = builds.row(answer, "", rules.unstable), builds.stages(answer, "", rules.unstable)
        return bool(rules.deployments(answer, row, parts))

    def _origin(self, build: Answer, hops: int = HOPS) -> Answer | None:
        """The build upstream that checked out what a job without a repository deploys."""
        started_by = builds.upstream(build)
        if started_by is None or not hops:
            return None
        if started_by not in self.origins:
            self.origins[started_by] = self._upstream(*started_by)
        found = self.origins[started_by]
        return found if found is None or builds.revisions(found) else self._origin(found, hops - 1)

    def _upstream(self, job: str, number: int) -> Answer | None:
        try:
            build = self.client.build(job, number, builds.TREE)
        except Missing:  # discarded
            return None
        return {"job": job, "number": number, "actions": kept(build, builds.named(build))["actions"]}

    def _has_stages(self, build: Answer) -> bool:
        pipeline = str(build.get("_class", "")).endswith(PIPELINE)
        return self.settings.stages and self.stageless < TRIES and pipeline and not builds.running(build)

    def _stages(self, job: str, number: int) -> Any:
        try:
            answer = self.client.stages(job, number)
        except Missing:
            self.stageless += 1
            return None
        self.stageless = 0
        return answer.get("stages") or []

    def _page(self, batch: Batch) -> Page:
        """All that is in the batch, which is empty afterwards."""
        batch.builds += len(batch.raw)
        page = Page(
            raw=batch.raw,
            cursors={**batch.cursors, **{JOB + name: history.cursor() for name, history in batch.histories.items()}},
            requests=self.client.patience.taken(),
            done=batch.done,
            total=batch.total,
            doing=f"jobs, {batch.builds:,} builds",
            warnings=[*batch.warnings, *self._stages_missing()],
        )
        batch.raw, batch.histories, batch.cursors, batch.warnings = [], {}, {}, []
        return page

    def _begun(self, moved: int, cursors: Mapping[str, Mapping[str, Any]]) -> Batch:
        """A batch with what is to be said once: that earlier builds were told by other rules."""
        batch, before, now = Batch(moved), cursors.get(RULES), self.settings.rules.digest
        if before != {"digest": now}:
            batch.cursors[RULES] = {"digest": now}
        if before is not None and before != {"digest": now}:
            batch.warnings.append(
                f"{self.name}: the rules for deployments, application or unstable have changed: run vsm rebuild, so that the builds"
                " that are already here are told by the new ones"
            )
        return batch

    def _stages_missing(self) -> list[str]:
        """Said once, when it has come to light."""
        if self.stageless != TRIES or self.warned:
            return []
        self.warned = True
        return [
            f"{self.name}: {self.settings.url} tells no stages (wfapi: 404): install the plugin Pipeline: Stage View there;"
            " until then whole builds stand for their stages"
        ]


def kept(build: Answer, names: Set[str]) -> Answer:
    """A build without empty actions, passwords in addresses, and values of other parameters than these."""
    actions = [kept_action(action, names) for action in build.get("actions") or () if action and set(action) != {"_class"}]
    return {**build, "actions": actions}


def kept_action(action: Answer, names: Set[str]) -> Answer:
    """An action as it is kept."""
    told = dict(action)
    if "parameters" in told:
        told["parameters"] = [one for one in told["parameters"] or () if one.get("name") in names]
    if "remoteUrls" in told:
        told["remoteUrls"] = [public(url) for url in told["remoteUrls"] or ()]
    return told
