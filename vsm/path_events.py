"""Everything that happened to one item, in order: its own log, and beside it what the log does not count."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pandas as pd

from vsm.frames import TIME, among, plain
from vsm.ordered import RANK
from vsm.path_parts import Parts, Row, records
from vsm.workflow import Workflow

EVENTS = {
    "at": TIME, "lane": "str", "event": "str", "what": "str", "means": "str", "ref": "str", "change": "str", "status": "str",
    "environment": "str", "person": "str", "team": "str", "source": "str", "url": "str", "rule": "str", "strength": "str",
    "counts": "bool", "detail": "bool",
}  # fmt: skip
SAID = {
    "ticket.created": "Created",
    "commit.first": "First commit",
    "pull_request.opened": "Pull request opened",
    "pull_request.ready": "Ready for review",
    "pull_request.approved": "Approved",
    "pull_request.merged": "Merged",
    "pull_request.closed": "Closed",
    "review.submitted": "Reviewed",
    "build.queued": "Build queued",
    "build.started": "Build started",
    "build.finished": "Build finished",
    "deployment.started": "Deployment started",
    "deployment.finished": "Deployed",
    "item.done": "Done: all of it is delivered",
    "item.cancelled": "Given up: closed unmerged",
    "item.settled": "Done by now at the latest: it came with the first deployment known",
}
LANE_OF = {"pull_request": "change", "commit": "change", "review": "change", "build": "build", "deployment": "deployment"}
STEPS = ("build.queued", "build.started", "deployment.started")  # of a run its end is what counts for a reader
MEANS = {"new": "not started", "done": "done", "cancelled": "cancelled", "ignored": "counts for nothing", "unknown": "in no stage"}
VALUES_TOLD = ("flagged", "sprint", "priority", "issuetype", "type", "status", "resolution", "fix version", "story points")


def events(parts: Parts, log: pd.DataFrame, workflow: Workflow | None) -> pd.DataFrame:
    """What happened to an item (columns of EVENTS), in order.

    `log`: the rows of the item's own log, each of which is told once (``counts``); beside them stands what tells the
    item nothing: its parts' own moves, every commit and comment, runs of other applications, incidents.
    ``detail``: a step of something whose end is told, too.
    """
    beside = defaultdict(list)
    for row in [*_of_tickets(parts), *_of_changes(parts), *_of_runs(parts), *_of_incidents(parts)]:
        beside[_mark(row)].append({**dict.fromkeys(EVENTS), "counts": False, "detail": False, **row})
    rows = []
    for row in records(log.drop_duplicates()):
        same = beside.get(_mark(row))
        rows.append((same.pop(0) if same else _bare(row, parts)) | {"counts": True})
    rows += [row for some in beside.values() for row in some]
    rows = [row | {"means": _means(row, workflow), "detail": row["detail"] or _is_detail(row)} for row in rows]
    rows.sort(key=lambda row: (row["at"], 2 * RANK.get(row["event"], len(RANK)) + (row["environment"] == "production")))
    told = pd.DataFrame(rows, columns=list(EVENTS)).astype(EVENTS)
    people, privacy = parts.flow.people, parts.flow.config.privacy.people
    return told.assign(person=people.shown(told["person"], privacy))


def _mark(row: Row) -> tuple[Any, ...]:
    """By what a row of the log and the row beside it are known to be the same."""
    names = ("at", "event", "ref", "environment", "status")
    return tuple(row.get(name) for name in names)


def _bare(row: Row, parts: Parts) -> Row:
    """A row of the log that nothing else tells: an item's end, or what several changes came to together."""
    event, status = str(row["event"]), row["status"]
    lane = LANE_OF.get(event.partition(".")[0], "ticket")
    said = SAID.get(event, event)
    if event == "status":
        said = f"Was created in {status}" if row["source"] == "tickets" else f"As a whole in {status}"
    blank = dict.fromkeys(EVENTS) | {"detail": False}
    told = {name: row[name] for name in ("at", "event", "ref", "status", "environment", "team", "source")}
    return blank | told | {"lane": lane, "what": said, "person": row["actor"], "url": parts.url(str(row["ref"]))}


def _means(row: Row, workflow: Workflow | None) -> str | None:
    if row["event"] != "status" or workflow is None:
        return None
    meaning, place = workflow.meaning(str(row["status"]))
    return MEANS.get(meaning) if place is None else f"{workflow.stages[place].name}, {meaning}"


def _is_detail(row: Row) -> bool:
    return row["event"] in STEPS or (row["event"] == "pull_request.closed" and row["what"] == SAID["pull_request.closed"])


# Tickets. --------------------------------------------------------------------------------------------------------------


def _of_tickets(parts: Parts) -> Iterator[Row]:
    for ticket in records(parts.tickets):
        own = {"lane": _lane(parts, ticket["key"]), "ref": ticket["key"], "source": "tickets", "url": ticket["url"]}
        whose = _whose(parts, ticket["key"])
        yield {**own, "at": ticket["created_at"], "event": "ticket.created", "what": f"{whose}Created"}
        if ticket["resolved_at"] is not None:
            how = f" as {ticket['resolution']}" if ticket["resolution"] else ""
            yield {**own, "at": ticket["resolved_at"], "event": "ticket.resolved", "what": f"{whose}Resolved{how}", "detail": True}
    persons = plain(parts.flow.people.persons(parts.moves["actor"], "transitions"))
    for move, person in zip(records(parts.moves), persons, strict=True):
        before = f"from {move['from_status']} " if move["from_status"] else ""
        yield {
            "lane": _lane(parts, move["ticket"]), "ref": move["ticket"], "source": "transitions", "url": parts.url(move["ticket"]),
            "at": move["at"], "event": "status", "status": move["to_status"], "team": move["team"], "person": person,
            "what": f"{_whose(parts, move['ticket'])}Moved {before}to {move['to_status']}",
        }  # fmt: skip
    yield from _of_fields(parts)


def _of_fields(parts: Parts) -> Iterator[Row]:
    """Other fields. Whom a ticket was given to is a person, too: only what may be shown of them is told."""
    told, people = parts.ticket_changes, parts.flow.people
    actors, given = (plain(people.persons(told[name], "ticket_changes")) for name in ("actor", "to"))
    shown = plain(people.shown(pd.Series(given, index=told.index, dtype="str"), parts.flow.config.privacy.people))
    for row, actor, person in zip(records(told), actors, shown, strict=True):
        yield {
            "lane": "blocked" if row["field"].casefold() == "flagged" else _lane(parts, row["ticket"]), "ref": row["ticket"],
            "source": "ticket_changes", "url": parts.url(row["ticket"]), "at": row["at"], "event": "ticket.changed",
            "person": actor, "what": _whose(parts, row["ticket"]) + _field_said(row, person),
            "detail": row["field"].casefold() != "flagged",
        }  # fmt: skip


def _field_said(row: Row, person: str | None) -> str:
    field, value = row["field"].casefold(), (row["to"] or "").strip()
    if field == "flagged":
        return f"Flagged: {value}" if value else "Flag taken away"
    if field == "assignee":
        return (f"Given to {person}" if person else "Given to somebody") if value else "Given to nobody"
    if field in VALUES_TOLD:
        return f"{row['field']} set to {value}" if value else f"{row['field']} taken away"
    return f"{row['field']} changed"


def _lane(parts: Parts, ticket: str) -> str:
    return "ticket" if ticket == parts.key else "part"


def _whose(parts: Parts, ticket: str) -> str:
    return "" if ticket == parts.key else f"{ticket}: "


# Changes. --------------------------------------------------------------------------------------------------------------

OF_CHANGES = (
    ("pull_request.opened", "opened_at", "pull_requests"),
    ("pull_request.ready", "ready_at", "pull_requests"),
    ("pull_request.approved", "approved_at", "reviews"),
    ("pull_request.merged", "merged_at", "pull_requests"),
    ("pull_request.closed", "closed_at", "pull_requests"),
)


def _of_changes(parts: Parts) -> Iterator[Row]:
    named = parts.flow.links.change_tickets
    named = named[among(named["ticket"], [parts.key, *parts.parts])]
    strengths = dict(zip(plain(named["change"]), plain(named["strength"]), strict=True))
    for change in records(parts.changes):
        name = change["change"]
        own = {"lane": "change", "ref": name, "change": name, "url": change["url"], "rule": parts.rules[name]}
        own["strength"] = strengths.get(name)
        yield from _commits(parts, change, own)
        yield from _steps_of(change | {"closed_at": change["merged_at"] or change["closed_at"]}, own)
        yield from _talk(parts, change, own)
    yield from _reverts(parts)


def _steps_of(change: Row, own: Row) -> Iterator[Row]:
    for event, column, source in OF_CHANGES:
        if change[column] is not None:
            # Who approved is told by the review; who merged, by nothing.
            person = change["author"] if event in ("pull_request.opened", "pull_request.ready") else None
            same = event == "pull_request.ready" and change["opened_at"] == change["ready_at"]
            said = _change_said(event, change)
            yield {**own, "at": change[column], "event": event, "what": said, "source": source, "person": person, "detail": same}


def _reverts(parts: Parts) -> Iterator[Row]:
    every = parts.flow.links.changes
    for one in records(every[among(every["reverts"], parts.changes["change"]) & every["merged_at"].notna()]):
        yield {
            "lane": "change", "ref": one["change"], "change": one["change"], "url": one["url"], "source": "pull_requests",
            "at": one["merged_at"], "event": "revert.merged", "what": f"{one['reverts']} taken back by {one['change']}",
            "rule": "it says which change it reverts",
        }  # fmt: skip


def _change_said(event: str, change: Row) -> str:
    if change["kind"] == "commit" and event == "pull_request.merged":
        return f"{change['change']} pushed to {change['target_branch'] or 'the default branch'}"
    if event == "pull_request.closed":
        return SAID[event] if change["merged_at"] is not None else f"{change['change']} closed without a merge"
    if event == "pull_request.opened":
        return f"{change['change']} opened: {change['title'] or 'no title'}"
    return f"{change['change']} {SAID[event][0].lower()}{SAID[event][1:]}"


def _commits(parts: Parts, change: Row, own: Row) -> Iterator[Row]:
    """Each commit; the first tells the item that work on the change began."""
    mine = parts.commits[parts.commits["change"] == change["change"]]
    facts = parts.flow.facts.commits
    about = facts[among(facts["sha"], mine["sha"])]
    about = about[about["repository"] == change["repository"]]
    persons = plain(parts.flow.people.persons(about["author"], "commits"))
    known = {row["sha"]: (row["subject"], person) for row, person in zip(records(about), persons, strict=True)}
    first, own = change["first_commit_at"], own | {"source": "commits"}
    for row in sorted(records(mine[mine["authored_at"].notna()]), key=lambda one: (one["authored_at"], one["sha"])):
        subject, person = known.get(row["sha"], (None, change["author"]))
        begins = first is not None and row["authored_at"] == first
        first = None if begins else first
        event, said = "commit.first" if begins else "commit", f"Commit {row['sha'][:10]}" + (f": {subject}" if subject else "")
        yield {**own, "at": row["authored_at"], "event": event, "person": person, "what": said, "detail": not begins}
    if first is not None:
        said = f"{change['change']} begun: {change['start_rule'] or 'first commit'}"
        yield {**own, "at": first, "event": "commit.first", "person": change["author"], "what": said}


def _talk(parts: Parts, change: Row, own: Row) -> Iterator[Row]:
    """Reviews and comments of a pull request, the author's own too."""
    if change["number"] is None:
        return
    for table, when, who in (("reviews", "submitted_at", "reviewer"), ("comments", "at", "author")):
        frame = getattr(parts.flow.facts, table)
        mine = frame[(frame["number"] == change["number"]).fillna(False).to_numpy(dtype="bool")]
        mine = mine[mine["repository"] == change["repository"]]
        for row, person in zip(records(mine), plain(parts.flow.people.persons(mine[who], table)), strict=True):
            event, said = "comment", "Comment"
            if table == "reviews":
                other = person != change["author"]
                event, said = ("review.submitted", "Review") if other else ("review", "The author's own review")
                said = f"{said}: {row['state'].replace('_', ' ')}"
            what = f"{said} ({change['change']})"
            yield {
                **own,
                "at": row[when],
                "event": event,
                "what": what,
                "source": table,
                "person": person,
                "detail": event == "comment",
            }


# Runs and incidents. ---------------------------------------------------------------------------------------------------


def _of_runs(parts: Parts) -> Iterator[Row]:
    for run in records(parts.builds):
        ended = {"queued": "queued", "started": "started", "finished": run["result"] or "finished"}
        yield from _steps(run, "build", ended, f"{run['job']} {run['id']}", None)
    for run in records(parts.deployments):
        ended = {"started": "started", "finished": "finished" if run["result"] == "success" else run["result"]}
        where = "production" if run["production"] else run["environment"]
        yield from _steps(run, "deployment", ended, f"{run['id']}: {run['application']} to {run['environment']}", where)
    about = parts.flow.links.deployments
    for back in records(about[among(about["rollback_of"], parts.live) & about["finished_at"].notna()]):
        yield {
            "lane": "deployment", "ref": back["id"], "url": back["url"], "environment": back["environment"],
            "source": "deployments", "at": back["finished_at"], "event": "rollback.finished",
            "what": f"{back['rollback_of']} taken back by {back['id']}",
            "rule": "it brought an earlier version",
        }  # fmt: skip


def _steps(run: Row, what: str, words: dict[str, str], said: str, where: str | None) -> Iterator[Row]:
    """The steps of a build or a deployment, with the rule that links it to a change of the item."""
    own = {name: run.get(name) for name in ("change", "url", "rule", "strength")}
    own |= {"lane": what, "ref": run["id"], "environment": where, "source": f"{what}s"}
    for step, word in words.items():
        if run.get(f"{step}_at") is not None:
            yield {**own, "at": run[f"{step}_at"], "event": f"{what}.{step}", "what": f"{said}: {word}"}


def _of_incidents(parts: Parts) -> Iterator[Row]:
    for one in records(parts.incidents):
        rule, strength = parts.why_incident(one)
        own = {"lane": "incident", "ref": one["id"], "url": one["url"], "source": "incidents", "rule": rule, "strength": strength}
        for step in ("opened", "detected", "acknowledged", "resolved"):
            if one[f"{step}_at"] is not None:
                said = f"{one['id']} {step}" + (f": {one['title']}" if step == "opened" and one["title"] else "")
                seen = step in ("detected", "acknowledged")
                yield {**own, "at": one[f"{step}_at"], "event": f"incident.{step}", "what": said, "detail": seen}
