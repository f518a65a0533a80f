"""Checks of delivery: what belongs together and is not linked, clocks that disagree, incidents, dates in the future."""

from collections.abc import Iterator
from dataclasses import fields

import pandas as pd

from vsm.frames import among, looked_up
from vsm.links import Links
from vsm.metrics.figure import hours
from vsm.metrics.finding import Finding, about, items_of
from vsm.models import SEPARATOR, TABLES, kind
from vsm.pipeline import Flow, StreamFlow

LOW = 0.5  # of what could be linked; with less, a number that needs the link speaks of the smaller part
FEW = 10  # of so few a share says nothing
SETTLED = pd.Timedelta(days=28)  # a change merged longer ago should have reached production
AHEAD = pd.Timedelta(hours=1)  # by which a source's clock may be ahead of ours


def of_links(flow: Flow) -> Iterator[Finding]:
    """Changes, tickets and deployments that nothing links."""
    linked = flow.links
    tracked = len(flow.facts.tickets) > 0
    alone = among(linked.changes["change"], linked.items.loc[linked.items["kind"] == "change", "item"]) & tracked
    merged = linked.changes["merged_at"].notna()
    pull = linked.changes["kind"] == "pull_request"
    columns = ["change", "title", "repository", "merged_at", "url"]
    yield Finding(
        "pull requests without a ticket",
        linked.changes.loc[alone & pull, columns],
        "they flow as items of their own",
        "name the ticket in the branch, the title or a commit message",
    )
    yield Finding(
        "commits to the default branch without a ticket",
        linked.changes.loc[alone & ~pull, columns],
        "they flow as items of their own",
        "name the ticket in the commit message, or merge by pull request",
    )
    yield Finding(
        "merged changes of which the first commit is not known",
        linked.changes.loc[merged & linked.changes["first_commit_at"].isna(), [*columns, "start_rule"]],
        "they have no change lead time",
        "collect the pull requests from their forge: a squash merge hides the branch's commits from git",
    )
    live = linked.deployments[linked.deployments["production"]]
    yield Finding(
        "deployments of which the commit is not known",
        live.loc[live["sha"].isna(), ["id", "application", "environment", "finished_at", "url"]],
        "their changes are guessed by time",
        "let the pipeline report the commit that it deploys",
    )
    stuck = _never_shipped(flow)
    yield Finding(
        "changes merged four weeks ago or longer that no deployment holds",
        stuck[columns],
        "they have no change lead time, and their items no lead time to production",
        "let every deployment report its commit; name other names of production in [production] environments",
    )


def _never_shipped(flow: Flow) -> pd.DataFrame:
    """Merged changes of repositories from which something is deployed to production, that are not known to have got there."""
    linked = flow.links
    shipped = pd.concat([linked.deployment_changes["change"], linked.settled_changes["change"]])
    changes = linked.changes[linked.changes["merged_at"].notna()]
    held = among(changes["change"], shipped)
    deployed = among(changes["repository"], changes.loc[held, "repository"])
    if flow.now is None:
        return changes.head(0)
    return changes[deployed & ~held & (changes["merged_at"] < flow.now - SETTLED)]


def of_coverage(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    """Where less than half of what could be linked is."""
    linked = flow.links
    items = items_of(streams) if streams else linked.items.head(0).assign(done_at=pd.NaT)
    done = items[(items["kind"] == "ticket") & items["done_at"].notna()]
    with_change = among(done["item"], linked.item_changes["item"])
    merged = linked.changes[linked.changes["merged_at"].notna()]
    shipped = among(merged["change"], pd.concat([linked.deployment_changes["change"], linked.settled_changes["change"]]))
    yield Finding(
        "finished tickets to which no change is linked, and that is most of them",
        _if_low(done[[*about(done), "done_at"]], with_change, bool(len(linked.changes))),
        "what needs both, such as lead time to production, speaks of the smaller part",
        "name the ticket in the branch, the title or a commit message; collect the repositories that are missing",
    )
    yield Finding(
        "merged changes that no deployment holds, and that is most of them",
        _if_low(merged[["change", "title", "repository", "merged_at"]], shipped, bool(linked.deployments["production"].any())),
        "change lead time speaks of the smaller part",
        "let every deployment report its commit; name other names of production in [production] environments",
    )
    laid = linked.incidents["deployment"].notna()
    yield Finding(
        "incidents that are laid to no deployment, and that is most of them",
        _if_low(linked.incidents[["id", "application", "title", "opened_at"]], laid, bool(linked.deployments["production"].any())),
        "the change fail rate is too low",
        "name the deployment or at least the application in the incident",
    )


def _if_low(of: pd.DataFrame, linked: "pd.Series[bool]", could: bool) -> pd.DataFrame:
    """What is not linked, if it could be and most is not."""
    low = could and len(of) >= FEW and float(linked.mean()) < LOW
    return of[~linked] if low else of.head(0)


def of_clocks(flow: Flow) -> Iterator[Finding]:
    """Events in an order that cannot be, so that clocks disagree."""
    facts, linked = flow.facts, flow.links
    yield Finding(
        "commits newer than the deployment that holds them",
        _newer_than_deployed(flow),
        "their change lead time is negative and left out, or too short",
        "compare the clocks of the build server and of those who commit; a deployment may report the wrong commit",
    )
    pulls = facts.pull_requests
    opened = looked_up(_number(facts.reviews), pulls.set_index(_number(pulls))["created_at"])
    early = facts.reviews.assign(created_at=opened)[facts.reviews["submitted_at"] < opened]
    yield Finding(
        "reviews before their pull request was opened",
        early[["repository", "number", "submitted_at", "created_at"]],
        "review seems to take no time, and the wait for it is lost",
        "check the clocks and time zones of the forge and of what was imported",
    )
    ended = pulls["merged_at"].fillna(pulls["closed_at"])
    yield Finding(
        "pull requests that ended before they were opened",
        pulls.loc[ended < pulls["created_at"], ["repository", "number", "title", "created_at", "merged_at", "closed_at"]],
        "their stages and lead times are wrong",
        "check the clocks and time zones of the forge and of what was imported",
    )
    merged = pulls[pulls["merge_sha"].notna() & pulls["merged_at"].notna()]
    committed = looked_up(_sha(merged["repository"], merged["merge_sha"]), _committed(flow))
    apart = (hours(merged["merged_at"] - committed).abs() > AHEAD / pd.Timedelta(hours=1)) & (committed > merged["merged_at"])
    yield Finding(
        "pull requests merged an hour or more before their merge commit was made",
        merged.assign(committed_at=committed).loc[apart, ["repository", "number", "title", "merged_at", "committed_at"]],
        "git and the forge disagree on when things happened: waits between them are wrong",
        "check the clock and time zone of the forge; a rewritten history looks like this, too",
    )
    yield Finding(
        "builds, deployments or incidents that ended before they began",
        _backwards(flow, linked),
        "they last less than no time and are left out of durations",
        "check the clocks and time zones of their sources",
    )


def _newer_than_deployed(flow: Flow) -> pd.DataFrame:
    """Commits that a source says were deployed, and that were made after the deployment was finished."""
    runs = flow.links.deployments[["id", "repository", "sha", "finished_at"]].rename(columns={"id": "deployment"})
    stated = flow.facts.deployment_commits[["deployment", "repository", "sha"]]
    ended = looked_up(stated["deployment"], runs.set_index("deployment")["finished_at"])
    pairs = pd.concat([runs[runs["sha"].notna()], stated.assign(finished_at=ended)], ignore_index=True)
    pairs = pairs.assign(committed_at=looked_up(_sha(pairs["repository"], pairs["sha"]), _committed(flow)))
    late = pairs[pairs["committed_at"] > pairs["finished_at"]].drop_duplicates(["deployment", "repository", "sha"])
    return late.sort_values(["deployment", "repository", "sha"])


def _committed(flow: Flow) -> "pd.Series[pd.Timestamp]":
    """When each commit was made, by repository and sha."""
    commits = flow.facts.commits
    return commits.set_index(_sha(commits["repository"], commits["sha"]))["committed_at"]


def _sha(repository: pd.Series, sha: pd.Series) -> pd.Series:
    return (repository + SEPARATOR + sha).astype("str")


def _number(frame: pd.DataFrame) -> pd.Series:
    return (frame["repository"] + SEPARATOR + frame["number"].astype("str")).astype("str")


def _backwards(flow: Flow, linked: Links) -> pd.DataFrame:
    """What ended before it began: table, id, began, ended."""
    parts = [
        frame.loc[frame[end] < frame[begin], ["id", begin, end]].set_axis(["id", "began", "ended"], axis=1).assign(table=table)
        for table, frame, begin, end in (
            ("builds", flow.facts.builds, "started_at", "finished_at"),
            ("deployments", flow.facts.deployments, "started_at", "finished_at"),
            ("incidents", linked.excluded_incidents[linked.excluded_incidents["refused"]], "opened_at", "resolved_at"),
        )
    ]
    return pd.concat(parts, ignore_index=True)[["table", "id", "began", "ended"]].astype({"table": "str"})


def of_incidents(linked: Links) -> Iterator[Finding]:
    """Incidents that are laid to nothing or left out, and changes of no application."""
    columns = ["id", "application", "title", "opened_at", "url"]
    yield Finding(
        "incidents that are laid to no deployment",
        linked.incidents.loc[linked.incidents["deployment"].isna(), columns],
        "they are not in the change fail rate",
        "name the deployment or at least the application in the incident",
    )
    apart = linked.excluded_incidents
    yield Finding(
        "incidents left out by a label or title",
        apart.loc[~apart["refused"], [*columns, "reason"]],
        "they are in no number",
        "nothing to mend: [incidents] exclude_labels and exclude_titles say so",
    )
    yield Finding(
        "incidents refused for their dates",
        apart.loc[apart["refused"], [*columns, "resolved_at", "reason"]],
        "they are in no number",
        "correct the dates in the incidents' source",
    )
    yield Finding(
        "changes that no path rule places",
        linked.unplaced_changes,
        "no deployment of their repository's applications brings them: they have no lead time",
        "add their paths to an [[applications]] table; read paths with changed_paths = true",
    )


def of_the_future(flow: Flow, harvested: pd.Timestamp) -> Iterator[Finding]:
    """Dates after the store was filled: nobody could know them."""
    parts = []
    for table in (field.name for field in fields(flow.facts)):
        frame, key = getattr(flow.facts, table), TABLES[table].key_columns
        for column in frame.columns:
            if column != "origin" and kind(TABLES[table], column) == "time":
                late = frame[frame[column] > harvested + AHEAD]
                named = [late[name].astype("str") for name in key if kind(TABLES[table], name) != "time"]
                told = named[0].str.cat(named[1:], sep=" ") if named else late[column].astype("str")
                parts.append(pd.DataFrame({"table": table, "row": told, "column": column, "at": late[column]}))
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    yield Finding(
        "dates in the future",
        found.sort_values(["at", "table", "row"], ignore_index=True),
        "now is the newest fact: with it the window lies in the future, and everything seems old",
        "check the clock and time zone of the source, or ask for a report up to a day with --to",
    )
