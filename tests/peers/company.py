"""A whole company to harvest: GitHub, Jenkins, Jira and a clone, on peers of our own; and a program that can be killed at will.

The program runs in children of a process that has imported it already, so that a thousand kills take minutes.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import github_lists as lists
from github_graphql import at, comment, commit, pull, repository, review
from jenkins_peer import FREESTYLE, PIPELINE, Jenkins
from jira_cloud import EMAIL, TOKEN, JiraCloud
from served import Served

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
SECRETS = {"T_GITHUB": "gh-token", "T_JENKINS": "jenkins-token", "T_JIRA": TOKEN, "T_KEY": "the key of these tests"}
CONFIG = """
[privacy]
key = "env:T_KEY"

[[sources]]
kind = "git"
path = "clone"
release_tags = "v*"

[[sources]]
kind = "github"
url = "{github}"
repositories = ["acme/shop"]
token = "env:T_GITHUB"

[[sources]]
kind = "jenkins"
url = "{jenkins}"
user = "builder"
token = "env:T_JENKINS"
deploy_jobs = ["deploy"]

[[sources]]
kind = "jira"
url = "{jira}"
email = "{email}"
token = "env:T_JIRA"
projects = ["PAY", "SHOP"]
"""

# A process that has everything imported; each line on its input is a call that a child makes.
NURSERY = """
import json, os, sys
import collectors.commands, collectors.harvest, collectors.identities, collectors.git
import collectors.github.collector, collectors.jenkins.collector, collectors.jira.collector
import github, jenkins, jira
import pandas, pyarrow, adbc_driver_sqlite.dbapi, vsm.facts, vsm.facts_commands
import alembic.command, adbc_driver_postgresql.dbapi, vsm.migrations, vsm.postgres_read
from vsm import cli, store
for line in sys.stdin:
    child = os.fork()
    if not child:
        os.setsid()
        out = os.open(os.devnull, os.O_WRONLY)
        os.dup2(out, 1)
        os._exit(cli.run(json.loads(line)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def github_of(schema: Any, pulls: int, rng: random.Random) -> Any:
    """A repository with pull requests, deployments, releases, runs and issues."""
    head = None
    for number in range(pulls):
        head = commit(f"{number + 1:040x}", at(number), *([head] if head else []))
    made = [
        pull(
            number,
            at(number * 2),
            commits=[
                {"commit": commit(f"{number * 7 + part:040x}", at(number * 2 - 1 + part))} for part in range(rng.randint(1, 3))
            ],
            reviews=[review("bob", at(number * 2 + 1))],
            comments=[comment("cleo", at(number * 2 + 1.5))],
            **({"mergedAt": at(number * 2 + 3), "mergeCommit": {"oid": f"{number:040x}"}} if rng.random() < 0.8 else {}),
        )
        for number in range(1, pulls + 1)
    ]
    one = repository(
        "acme/shop",
        pulls=made,
        head=head,
        deployments=[
            lists.deployment(
                number, at(number * 5), lists.status("IN_PROGRESS", at(number * 5)), lists.status("SUCCESS", at(number * 5 + 1))
            )
            for number in range(1, pulls // 3)
        ],
        releases=[lists.release(f"v{number}", at(number * 9), at(number * 9)) for number in range(1, pulls // 5)],
        runs=[lists.run(number, at(number * 3)) for number in range(1, pulls)],
        issues=[
            lists.issue(1000 + number, at(number), lists.event("LabeledEvent", at(number + 1), "ann", "bug"))
            for number in range(1, pulls)
        ],
    )
    return lists.Lists(schema, [one])


def jenkins_of(builds: int) -> Jenkins:
    """Jobs with builds in folders, one of which deploys."""
    peer = Jenkins(user="builder", token=SECRETS["T_JENKINS"])
    for place, (name, kind) in enumerate({"shop/build": FREESTYLE, "shop/deploy": PIPELINE, "web/main": PIPELINE}.items()):
        peer.job(name, kind)
        for number in range(1, builds + 1):
            begun = int((START + timedelta(hours=number * 3 + place)).timestamp() * 1000)
            result = "SUCCESS" if number % 5 else "FAILURE"
            peer.build(name, number, timestamp=begun, duration=60_000, building=False, result=result)
    return peer


def jira_of(issues: int, rng: random.Random) -> JiraCloud:
    """Two projects with histories."""
    peer = JiraCloud(now=START)
    made = []
    for _ in range(issues):
        peer.tick(minutes=rng.randint(5, 90))
        made.append(peer.make(rng.choice(["PAY", "SHOP"])))
        for number in rng.sample(made, min(len(made), 2)):
            peer.tick(minutes=3)
            peer.move(number, rng.choice(["1", "3", "4", "5"]), by="acc-bob")
    peer.tick(days=1)
    return peer


def clone_of(folder: Path, commits: int) -> Path:
    """A clone with merges' subjects and tags."""
    path = folder / "clone"
    first = int(START.timestamp())
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(path)], check=True)
    stream = "".join(
        f"commit refs/heads/main\ncommitter Ann <ann@example.org> {first + n * 600} +0000\ndata <<.\nWork (#{n})\n.\n"
        for n in range(1, commits)
    )
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=stream.encode(), check=True)
    subprocess.run(["git", "-C", str(path), "tag", "v1"], check=True)
    return path


@dataclass
class Company:
    """The four sources, one configuration, and stores that are filled from them."""

    folder: Path
    schema: Any
    size: int = 60
    seed: int = 7
    killed: int = 0
    asked: int = 0
    place: Callable[[], str] | None = None  # gives the URL of a store that is not there yet, where it is to be no file
    _urls: dict[str, str] = field(default_factory=dict)
    _kill_at: int | None = None
    _child: int = 0
    _servers: list[Served] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        self.rng = random.Random(self.seed + 1)
        self.jira = jira_of(self.size * 3, rng)
        peers = [github_of(self.schema, self.size, rng), jenkins_of(self.size * 3), self.jira.handle]
        self._servers = [Served(self._watched(peer)) for peer in peers]
        github, jenkins, jira = (server.url for server in self._servers)
        clone_of(self.folder, self.size * 5)
        config = CONFIG.format(github=github, jenkins=jenkins, jira=jira, email=EMAIL)
        (self.folder / "vsm.toml").write_text(config)
        self._errors = (self.folder / "errors.txt").open("w")
        search = os.pathsep.join(map(str, (Path(__file__).parents[2],)))
        self._nursery = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **SECRETS, "PYTHONPATH": search, "NO_PROXY": "127.0.0.1"},
        )

    def _watched(self, peer: Callable[..., Any]) -> Callable[..., Any]:
        """The peer, which kills its client when its hour has come: before the answer, or a moment after it."""

        def handler(*request: Any) -> Any:
            self.asked += 1
            if self._kill_at is not None and self.asked >= self._kill_at:
                self._kill_at = None
                if self.rng.random() < 0.3:
                    self._kill()
                else:
                    threading.Timer(self.rng.uniform(0, 0.03), self._kill).start()
            return peer(*request)

        return handler

    def _kill(self) -> None:
        with suppress(ProcessLookupError):  # it was faster
            os.killpg(self._child, signal.SIGKILL)

    def call(self, *arguments: str, kill_at: int | None = None, kill_after: float | None = None) -> int:
        """Run the program; its exit status, −9 where it was killed at a request or after some seconds."""
        self.asked, self._kill_at = 0, kill_at
        print(json.dumps(arguments), file=self._nursery.stdin, flush=True)
        self._child = int(self._nursery.stdout.readline())
        timer = threading.Timer(kill_after or 0, self._kill)
        if kill_after is not None:
            timer.start()
        status = int(self._nursery.stdout.readline())
        timer.cancel()
        self._kill_at = None
        self.killed += status == -signal.SIGKILL
        return status

    def store(self, name: str) -> str:
        """The URL of a store."""
        if name not in self._urls:
            self._urls[name] = self.place() if self.place else f"sqlite:///{self.folder / name}.db"
        return self._urls[name]

    def facts(self, name: str) -> dict[str, str]:
        """All facts of a store, as the folder of facts has them."""
        folder = self.folder / f"{name}-facts"
        shutil.rmtree(folder, ignore_errors=True)
        assert self.call("export", "facts", str(folder), "--store", self.store(name)) == 0, self.errors()
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}

    def errors(self) -> str:
        """What the program said of errors, the last of it."""
        return (self.folder / "errors.txt").read_text()[-3000:]

    def undisturbed(self) -> tuple[dict[str, str], int]:
        """The facts of a harvest that nobody disturbs, and how many requests it took."""
        assert self.call("collect", "--store", self.store("whole")) == 0, self.errors()
        asked = self.asked
        return self.facts("whole"), asked

    def disturbed(self, name: str, asked: int) -> tuple[dict[str, str], int]:
        """The facts after a harvest was killed again and again until it got through; and how often it was killed."""
        before = self.killed
        while self.call("collect", "--store", self.store(name), kill_at=self.rng.randint(1, max(asked // 2, 2))) != 0:
            assert self.killed - before < 200, "it gets no further"
        return self.facts(name), self.killed - before

    def close(self) -> None:
        """End everything."""
        with self._nursery:
            self._nursery.stdin.close()
        self._errors.close()
        for server in self._servers:
            server.close()
