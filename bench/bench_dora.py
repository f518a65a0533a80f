"""The five DORA metrics, links included, against reading the same rows from the store.

100,000 changes (half of them squashed, half merged with two commits each) of 40 applications, 50,000
deployments, 5,000 incidents; some changes revert others, some are hotfixes, some deployments are
rollbacks. Measured: from the facts in memory to five figures with every link, all reasons and all rows
left out. The peer is `store.facts`: every row of the same store as frames. Best of some runs that take
turns. VSM_BENCH_CHANGES gives another number of changes; the others go with it.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm import store
from vsm.config import Config
from vsm.links import Links, link
from vsm.metrics import dora
from vsm.metrics.figure import Figure
from vsm.metrics.remediation import judged
from vsm.models import TABLES
from vsm.people import People
from vsm.scope import Scope

RUNS = 3
CHANGES = int(os.environ.get("VSM_BENCH_CHANGES", "100000"))
APPLICATIONS = 40
LIMIT, ALONE = 14.0, 2.0  # times the reading: with the links, and the five figures alone
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ZONE = ZoneInfo("UTC")

Rows = dict[str, list[dict[str, Any]]]


def figures() -> list[dict[str, Any]]:
    """The measured figures: name, value and peer in seconds, their ratio, and the limit that it must not pass."""
    rows = synthetic(CHANGES)
    with tempfile.TemporaryDirectory() as folder, store.opened(f"sqlite:///{Path(folder) / 'bench.db'}") as engine:
        with store.transaction(engine) as connection:
            for name, told in rows.items():
                store.save(connection, TABLES[name], told, origin="bench")
        facts = store.facts(engine)
        reading, linking, metrics = (float("inf"),) * 3
        links = linked(facts)
        for _ in range(RUNS):
            reading = min(reading, _seconds(lambda: store.facts(engine)))
            linking = min(linking, _seconds(lambda: linked(facts)))
            metrics = min(metrics, _seconds(lambda: five(links)))
    what = f"{CHANGES:,} changes"
    return [
        _figure(f"links and five metrics of {what} ÷ reading the rows, s", linking + metrics, reading, LIMIT),
        _figure(f"five metrics alone of {what} ÷ reading the rows, s", metrics, reading, ALONE),
    ]


def synthetic(changes: int) -> Rows:
    """Facts of some applications that deploy twice for every four changes."""
    dice = np.random.default_rng(5)
    names = ("repositories", "commits", "pull_requests", "pull_request_commits", "deployments", "deployment_commits", "incidents")
    rows: Rows = {name: [] for name in names}
    for number in range(APPLICATIONS):
        _application(rows, f"app{number:02}", changes // APPLICATIONS, dice)
    return rows


def _application(rows: Rows, name: str, changes: int, dice: np.random.Generator) -> None:
    tip = ""
    versions: list[str] = []
    for number in range(changes):
        at = BEGIN + timedelta(minutes=6 * 40 * number)
        sha = f"{name}{number:08}".ljust(40, "0")
        kind = dice.random()
        title = f'Revert "Change {number - 1}"' if kind < 0.02 else f"Change {number}"
        own = [f"{name}{number:08}{place}".ljust(40, "f") for place in range(2)]
        squashed = number % 2 == 0
        for place, commit in enumerate(own):
            made = at - timedelta(hours=20 - place)
            key = {"repository": name, "number": number, "sha": commit}
            rows["pull_request_commits"].append(key | {"authored_at": made})
            if not squashed:
                parents = own[0] if place else tip
                rows["commits"].append(_commit(name, commit, made, f"Part {place} of {number}", parents))
        rows["commits"].append(_commit(name, sha, at, f"{title} (#{number})", tip if squashed else f"{tip} {own[1]}".strip()))
        tip = sha
        branch = "hotfix/now" if 0.02 <= kind < 0.04 else f"change-{number}"
        rows["pull_requests"].append({
            "repository": name, "number": number, "title": title, "author": f"person{number % 30}", "source_branch": branch,
            "target_branch": "main", "created_at": at - timedelta(hours=10), "merged_at": at, "closed_at": at, "merge_sha": sha,
        })  # fmt: skip
        if number % 2:
            back = kind > 0.98 and len(versions) > 2
            version = versions[-2] if back else tip
            versions.append(version)
            done = at + timedelta(minutes=40)
            rows["deployments"].append({
                "id": f"{name}-{number}", "application": name, "environment": "production", "repository": name, "sha": version,
                "started_at": done - timedelta(minutes=5), "finished_at": done, "result": "failure" if kind > 0.95 else "success",
            })  # fmt: skip
            if number % 20 == 1:
                opened = done + timedelta(minutes=30)
                rows["incidents"].append({
                    "id": f"{name}-i{number}", "application": name, "title": "Down", "opened_at": opened,
                    "resolved_at": opened + timedelta(hours=float(dice.uniform(0.5, 9))),
                    "deployment": f"{name}-{number}" if number % 40 == 1 else None,
                })  # fmt: skip
    rows["repositories"].append({"name": name, "default_branch": "main", "head_sha": tip, "application": name})


def _commit(repository: str, sha: str, at: datetime, subject: str, parents: str) -> dict[str, Any]:
    return {
        "repository": repository, "sha": sha, "authored_at": at, "committed_at": at, "author": "person", "subject": subject,
        "message": subject, "parents": parents or None,
    }  # fmt: skip


def linked(facts: store.Facts) -> Links:
    """Every link."""
    return link(facts, Config(), People.of(facts))


def five(links: Links) -> list[Figure]:
    """The five metrics over all of the time."""
    deployments, pairs, changes = links.deployments, links.deployment_changes, links.changes
    ends = deployments["finished_at"]
    scope = Scope(ends.min() - pd.Timedelta(days=1), ends.max() + pd.Timedelta(days=1))
    remedies, apart = judged(deployments, pairs, changes, links.incidents)
    return [
        dora.deployment_frequency(deployments, scope, ZONE),
        dora.change_lead_time(changes, deployments, pairs, scope, ZONE, links.settled_changes),
        dora.change_fail_rate(deployments, remedies, scope, ZONE, apart=apart[["id", "reason"]]),
        dora.failed_deployment_recovery_time(deployments, remedies, scope, ZONE),
        dora.deployment_rework_rate(deployments, remedies, scope, ZONE),
    ]


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _figure(name: str, value: float, peer: float, limit: float | None) -> dict[str, Any]:
    return {"name": name, "value": value, "peer": peer, "ratio": value / peer, "limit": limit}


def main() -> int:
    """Print the figures as rows of a table; 1 if a limit is passed."""
    measured = figures()
    for figure in measured:
        limit = "" if figure["limit"] is None else f"at most {figure['limit']:g}"
        print(f"| {figure['name']:72} | {figure['value']:8.3f} | {figure['peer']:8.3f} | {figure['ratio']:6.2f} | {limit:12} |")
    return int(any(figure["limit"] is not None and figure["ratio"] > figure["limit"] for figure in measured))


if __name__ == "__main__":
    sys.exit(main())
