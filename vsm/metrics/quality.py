"""Data quality: what in the data makes numbers smaller, later or silent than they should be, and what to do about it."""

from dataclasses import dataclass

import pandas as pd

from vsm.pipeline import Flow, StreamFlow

COLUMNS = ("check", "rows", "effect", "remedy")


@dataclass(frozen=True)
class Finding:
    """One check: how many rows it concerns, what that does to the numbers, what would mend it."""

    check: str
    rows: int
    effect: str
    remedy: str


def quality(flow: Flow, streams: tuple[StreamFlow, ...]) -> pd.DataFrame:
    """Every check that found something: check, rows, effect, remedy; the most rows first."""
    found = [*_of_configuration(flow, streams), *_of_tickets(flow), *_of_items(streams), *_of_delivery(flow)]
    found = sorted((finding for finding in found if finding.rows), key=lambda finding: (-finding.rows, finding.check))
    return pd.DataFrame([finding.__dict__ for finding in found], columns=list(COLUMNS)).astype({"rows": "int64"})


def _of_configuration(flow: Flow, streams: tuple[StreamFlow, ...]) -> list[Finding]:
    findings = [
        Finding(
            f"status {status!r} of stream {stream.name!r} has no meaning",
            count,
            "items stay in the stage that they were in before",
            "name it in the stream's new, done, cancelled, ignored or in a stage",
        )
        for stream in streams
        for status, count in stream.unknown.items()
    ]
    homeless = Finding(
        "items that no stream claims",
        len(flow.homeless),
        "they are in no number",
        "add their application, project, team or repository to a stream",
    )
    return [*findings, homeless]


def _of_tickets(flow: Flow) -> list[Finding]:
    moves, tickets = flow.facts.transitions, flow.facts.tickets
    created = moves.merge(tickets[["key", "created_at"]], left_on="ticket", right_on="key")
    silent = ~tickets["key"].isin(moves["ticket"])
    return [
        Finding(
            "transitions of tickets that were never read",
            int((~moves["ticket"].isin(tickets["key"])).sum()),
            "they are not counted",
            "collect or import the tickets that they belong to",
        ),
        Finding(
            "transitions before their ticket was created",
            int((created["at"] < created["created_at"]).sum()),
            "the ticket seems to have started before it was asked for",
            "check the clock and the time zone of the tracker",
        ),
        Finding(
            "tickets without any change of status",
            int(silent.sum()),
            "they have no stages and no cycle time",
            "collect the tickets' histories, or leave such tickets out",
        ),
    ]


def _of_items(streams: tuple[StreamFlow, ...]) -> list[Finding]:
    if not streams:
        return []
    items = pd.concat([stream.items for stream in streams], ignore_index=True)
    done = items["done_at"].notna()
    return [
        Finding(
            "items that were done without ever being started",
            int((done & items["first_started"].isna()).sum()),
            "they count as throughput and have no cycle time: cycle time speaks of the others only",
            "record when work begins, or give the stage a starting event",
        ),
        Finding(
            "items that were reopened after they were done",
            int((items["reopened"] > 0).sum()),
            "they are done when they were done for good",
            "nothing to mend: a sign of quality",
        ),
    ]


def _of_delivery(flow: Flow) -> list[Finding]:
    linked = flow.links
    alone = linked.items["kind"] == "change"
    merged = linked.changes["merged_at"].notna()
    deployments = linked.deployments
    return [
        Finding(
            "changes without a ticket",
            int(alone.sum()) if len(flow.facts.tickets) else 0,
            "they flow as items of their own",
            "name the ticket in the branch, the title or a commit message",
        ),
        Finding(
            "merged changes of which the first commit is not known",
            int((merged & linked.changes["first_commit_at"].isna()).sum()),
            "they have no change lead time",
            "collect the pull requests from their forge: a squash merge hides the branch's commits from git",
        ),
        Finding(
            "deployments of which the commit is not known",
            int((deployments["production"] & deployments["sha"].isna()).sum()),
            "their changes are guessed by time",
            "let the pipeline report the commit that it deploys",
        ),
        Finding(
            "incidents that are laid to no deployment",
            int(linked.incidents["deployment"].isna().sum()),
            "they are not in the change fail rate",
            "name the deployment or at least the application in the incident",
        ),
        Finding(
            "incidents left out by a label",
            len(linked.excluded_incidents),
            "they are in no number",
            "nothing to mend: [incidents] exclude_labels says so",
        ),
    ]
