"""What is kept for how long: raw answers, facts of work that is over, messages, the record of who did what."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vsm import models, store
from vsm.config import Retention
from vsm.store import Connection, Engine, table_of

PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # what goes with a row: its key there, and here
    "transitions": (("ticket",), ("key",)),
    "ticket_changes": (("ticket",), ("key",)),
    "ticket_links": (("ticket",), ("key",)),
    "pull_request_commits": (("repository", "number"), ("repository", "number")),
    "reviews": (("repository", "number"), ("repository", "number")),
    "comments": (("repository", "number"), ("repository", "number")),
    "build_stages": (("build",), ("id",)),
    "deployment_commits": (("deployment",), ("id",)),
}
WHOLES = {
    "tickets": ("transitions", "ticket_changes", "ticket_links"),
    "pull_requests": ("pull_request_commits", "reviews", "comments"),
    "builds": ("build_stages",),
    "deployments": ("deployment_commits",),
    "incidents": (),
}


def prune(engine: Engine, kept: Retention, *, now: datetime, rehearse: bool = False) -> dict[str, int]:
    """Delete what is older than it is kept, in one transaction; returns the rows that went by table. With `rehearse` nothing goes.

    Of facts only what is over goes: tickets resolved and not moved since, pull requests merged or closed, builds and
    deployments that ended, incidents resolved, each with its parts; then the commits that nothing left names. What an
    application runs now (its newest successful deployment to an environment) stays, and so do people, repositories and tags.
    """
    gone: dict[str, int] = {}
    with store.transaction(engine) as connection:
        for table, where in _old(kept, now):
            gone[table.name] = connection.execute(sa.delete(table).where(where)).rowcount
        if kept.facts_days is not None:
            gone |= _over(connection, now - timedelta(days=kept.facts_days))
        if rehearse:
            connection.rollback()
    found = {name: rows for name, rows in gone.items() if rows}
    if found and not rehearse:
        store.changed_beside(engine, "prune", sum(found.values()), at=now)
        store.forgotten(engine)
    return found


def _old(kept: Retention, now: datetime) -> Iterator[tuple[sa.Table, sa.ColumnElement[bool]]]:
    """Tables beside the facts, and which of their rows are old."""
    raw, sent, did = (table_of(table) for table in (models.RawRecord, models.WebhookDelivery, models.AuditEntry))
    if kept.raw_days is not None:
        yield raw, raw.c.last_seen < now - timedelta(days=kept.raw_days)
    if kept.deliveries_days is not None:
        yield sent, sent.c.received_at < now - timedelta(days=kept.deliveries_days)
    if kept.audit_days is not None:
        yield did, did.c.at < now - timedelta(days=kept.audit_days)


def _over(connection: Connection, before: datetime) -> dict[str, int]:
    """Facts that are over since an instant."""
    gone: dict[str, int] = {}
    for name, parts in WHOLES.items():
        whole = table_of(models.TABLES[name])
        where = _is_over(name, whole, before)
        for part in parts:
            theirs, ours = PARTS[part]
            table = table_of(models.TABLES[part])
            same = sa.and_(*(table.c[a] == whole.c[b] for a, b in zip(theirs, ours, strict=True)))
            gone[part] = connection.execute(sa.delete(table).where(sa.exists().where(same, where))).rowcount
        gone[name] = connection.execute(sa.delete(whole).where(where)).rowcount
    commits = table_of(models.Commit)
    gone["commits"] = connection.execute(sa.delete(commits).where(commits.c.committed_at < before, *_unnamed(commits))).rowcount
    return gone


def _is_over(name: str, whole: sa.Table, before: datetime) -> sa.ColumnElement[bool]:
    if name == "tickets":
        moves = table_of(models.Transition)
        since = sa.exists().where(moves.c.ticket == whole.c.key, moves.c.at >= before)
        return sa.and_(whole.c.resolved_at < before, ~since)
    if name == "pull_requests":
        return sa.func.coalesce(whole.c.merged_at, whole.c.closed_at) < before
    if name == "builds":
        return whole.c.finished_at < before
    if name == "incidents":
        return whole.c.resolved_at < before
    later = whole.alias()
    ended = sa.func.coalesce(whole.c.finished_at, whole.c.started_at)
    newer = sa.exists().where(
        later.c.application == whole.c.application,
        later.c.environment == whole.c.environment,
        later.c.result == "success",
        sa.func.coalesce(later.c.finished_at, later.c.started_at) > ended,
    )
    return sa.and_(ended < before, sa.or_(newer, whole.c.result != "success"))


def _unnamed(commits: sa.Table) -> Iterator[sa.ColumnElement[bool]]:
    """Commits that no pull request, deployment or tag that stays names."""
    for table, column in (
        (models.PullRequestCommit, "sha"), (models.PullRequest, "merge_sha"), (models.PullRequest, "head_sha"),
        (models.Deployment, "sha"), (models.DeploymentCommit, "sha"), (models.Tag, "sha"),
    ):  # fmt: skip
        other: Any = table_of(table)
        yield ~sa.exists().where(other.c.repository == commits.c.repository, other.c[column] == commits.c.sha)
