"""Of one item: when it waited, was worked on, was blocked, or nobody knows; and the runs and incidents beside that."""

from collections.abc import Iterator
from itertools import pairwise

import pandas as pd

from vsm.frames import TIME, among, plain
from vsm.metrics.blocked import flags
from vsm.ordered import ENDS
from vsm.path_parts import LANES, Parts, Row, records
from vsm.workflow import Stage, Workflow

SPANS = {
    "lane": "str", "row": "str", "line": "int64", "kind": "str", "name": "str", "from": TIME, "to": TIME, "hours": "float64",
    "ref": "str", "said": "str", "url": "str", "rule": "str", "strength": "str",
}  # fmt: skip
# What a stretch of time was. unknown: whether that was waiting or work. outside: before all stages, or over.
KINDS = ("wait", "work", "unknown", "blocked", "outside", "passed", "failed", "incident")
OF_MEANINGS = {"waiting": "wait", "active": "work", "new": "outside", "done": "outside", "cancelled": "outside"}
HIDDEN = "waiting is hidden in it: nothing tells when work on it was begun"
UNSEEN = "queued; that work on it began was never recorded"
NO_STAY = "no stay in any stage is recorded"
Said = list[tuple[pd.Timestamp, str]]


def spans(parts: Parts, about: Row, visits: pd.DataFrame, log: pd.DataFrame, workflow: Workflow | None) -> pd.DataFrame:
    """The spans of an item (columns of SPANS), lane by lane. In one row of a lane, two at a time are on two lines.

    ``to`` is missing while one goes on, ``hours`` are up to now then. Those of the lane "ticket" follow each other without a gap
    from when the item was created until it was over, or until now.
    """
    now = parts.flow.now
    rows = [
        *_stays(parts, about, visits, log, workflow, now),
        *(row for part in parts.parts for row in _by_statuses(parts, part, workflow, "part")),
        *_flagged(parts),
        *_changes(parts),
        *_runs(parts),
        *_incidents(parts),
    ]
    rows.sort(key=lambda row: (LANES.index(row["lane"]), row["from"]))
    ends: dict[tuple[str, str], list[pd.Timestamp]] = {}
    for row in rows:
        taken = ends.setdefault((row["lane"], row["row"]), [])
        until = max(now if row["to"] is None else row["to"], row["from"])
        row["line"] = next((place for place, end in enumerate(taken) if end <= row["from"]), len(taken))
        taken[row["line"] : row["line"] + 1] = [until]
        row["hours"] = (until - row["from"]) / pd.Timedelta(hours=1)
    return pd.DataFrame([dict.fromkeys(SPANS) | row for row in rows], columns=list(SPANS)).astype(SPANS)


# The item's own lane. --------------------------------------------------------------------------------------------------


def _stays(
    parts: Parts, about: Row, visits: pd.DataFrame, log: pd.DataFrame, workflow: Workflow | None, now: pd.Timestamp
) -> Iterator[Row]:
    """Stretch by stretch from when it was created until it was over, or until now."""
    stays = records(visits.sort_values("seq")) if workflow is not None else []
    begin = min((time for time in (about["created_at"], *(stay["queued"] for stay in stays)) if time is not None), default=None)
    if begin is None:
        return
    end, is_open = _over(parts, about, log), False
    if end is None:
        end, is_open = now, True
    own = {"lane": "ticket", "row": "Stages", "ref": about["item"], "url": about["url"]}
    told = list(_stretches(parts, about, stays, _said(log, workflow), workflow, begin, end))
    clipped = [
        own | row | {"from": max(row["from"], begin), "to": end if row["to"] is None else min(row["to"], end)} for row in told
    ]
    lasting = [row for row in clipped if row["from"] < row["to"]] or clipped[-1:]
    for row in lasting:
        yield row | {"to": None if is_open and row["to"] == end else row["to"]}


def _stretches(
    parts: Parts, about: Row, stays: list[Row], said: Said, workflow: Workflow | None, begin: pd.Timestamp, end: pd.Timestamp
) -> Iterator[Row]:
    if about["state"] in ("no events", None):
        statuses = [] if workflow is not None else list(_by_statuses(parts, about["item"], workflow, "ticket"))
        name = about.get("status") or "Unknown"
        yield from statuses or [{"kind": "unknown", "name": name, "from": begin, "to": end, "said": NO_STAY}]
        return
    stages = {} if workflow is None else {stage.name: stage for stage in workflow.stages}
    at = begin
    for stay in stays:
        yield from _outside(at, stay["queued"], said)
        yield from _stay(stay, stages[stay["stage"]])
        at = end if stay["left"] is None else max(at, stay["left"])
    yield from _outside(at, end, said)


def _over(parts: Parts, about: Row, log: pd.DataFrame) -> pd.Timestamp | None:
    """When an item was over; None while it is not."""
    if about["state"] == "done" and about["done_at"] is None:  # since when is not known, by when is
        settled = plain(log.loc[log["event"] == "item.settled", "at"])
        return settled[-1] if settled else None
    if about["state"] in ("done", "cancelled"):
        return about["done_at"] if about["state"] == "done" else about["cancelled_at"]
    if about["state"] in ("no events", None):  # of what has no stages, its own records say it
        ended = [
            *plain(parts.tickets.loc[parts.tickets["key"] == parts.key, "resolved_at"]),
            *(plain(parts.changes["merged_at"].fillna(parts.changes["closed_at"])) if about["kind"] == "change" else []),
        ]
        return next((at for at in ended if at is not None), None)
    return None


def _said(log: pd.DataFrame, workflow: Workflow | None) -> Said:
    """When an item was said to be before, or beyond, all stages, and in which word."""
    told = []
    for at, event, status in zip(*(plain(log[name]) for name in ("at", "event", "status")), strict=True):
        if event in ENDS:
            told.append((at, "Given up" if event == "item.cancelled" else "Done"))
        elif event == "status" and workflow is not None and workflow.meaning(status)[0] in ("new", "done", "cancelled"):
            told.append((at, status))
    return told


def _outside(first: pd.Timestamp, last: pd.Timestamp, said: Said) -> Iterator[Row]:
    """The time in which an item was in no stage, by what it was said to be."""
    before = [word for at, word in said if at <= first]
    cuts = [(first, before[-1] if before else "Not started"), *((at, word) for at, word in said if first < at < last), (last, "")]
    for (since, word), (until, _) in pairwise(cuts):
        yield {"kind": "outside", "name": word, "from": since, "to": until, "said": "in no stage"}


def _stay(stay: Row, stage: Stage) -> Iterator[Row]:
    """One stay in a stage as waiting, work, and waiting to go on, where `metrics.stages.split` knows that."""
    own, left, finished = {"name": stage.name}, stay["left"], stay["finished"]
    if not stage.has_capacity:
        yield own | {"kind": "wait", "from": stay["queued"], "to": left, "said": "nobody works here: it only holds work"}
    elif stay["started"] is None:
        waits = stage.has_queue and left is None and finished is None
        kind, said = ("wait", "waits for work") if waits else ("unknown", UNSEEN if stage.has_queue else HIDDEN)
        yield own | {"kind": kind, "from": stay["queued"], "to": left, "said": said}
    elif not stage.has_queue:
        yield own | {"kind": "unknown", "from": stay["queued"], "to": left, "said": HIDDEN}
    else:
        until = left if finished is None else finished
        yield own | {"kind": "wait", "from": stay["queued"], "to": stay["started"], "said": "waits for work"}
        yield own | {"kind": "work", "from": stay["started"], "to": until, "said": "worked on"}
        if until is not None and until != left:
            yield own | {"kind": "wait", "from": until, "to": left, "said": "work is done; waits to go on"}


def _by_statuses(parts: Parts, ticket: str, workflow: Workflow | None, lane: str) -> Iterator[Row]:
    """A ticket by its own statuses, from its first to its last; the last goes on unless it ends the ticket."""
    rows = records(parts.tickets[parts.tickets["key"] == ticket])
    if not rows:
        return
    moves = records(parts.moves[parts.moves["ticket"] == ticket])
    cuts = [
        (rows[0]["created_at"], moves[0]["from_status"] if moves else rows[0]["status"]),
        *((move["at"], move["to_status"]) for move in moves),
        (None, None),
    ]
    for (since, status), (until, _) in pairwise(cuts):
        meaning = "unknown" if workflow is None or status is None else workflow.meaning(status)[0]
        over = until is None and (meaning in ("done", "cancelled") or rows[0]["resolved_at"] is not None)
        if not over and (until is None or until > since):
            yield {"lane": lane, "row": ticket, "kind": OF_MEANINGS.get(meaning, "unknown"), "name": status or "Unknown",
                   "from": since, "to": until, "ref": ticket, "said": f"{ticket}: {meaning}", "url": rows[0]["url"]}  # fmt: skip


# The other lanes. ------------------------------------------------------------------------------------------------------


def _flagged(parts: Parts) -> Iterator[Row]:
    for row in records(flags(parts.ticket_changes, parts.tickets.rename(columns={"key": "item"}))):
        yield {"lane": "blocked", "row": "Flagged", "kind": "blocked", "name": "Flagged", "from": row["from"], "to": row["to"],
               "ref": row["item"], "said": "flagged in the tracker", "url": parts.url(row["item"])}  # fmt: skip


def _changes(parts: Parts) -> Iterator[Row]:
    """Each change from its first commit to production. Where a person's turn and a queue cannot be told apart, it is unknown."""
    live, waiting = _first_live(parts), _undeployed(parts)
    for change in records(parts.changes):
        own = {"lane": "change", "row": change["change"], "ref": change["change"], "url": change["url"]}
        over = change["merged_at"] or change["closed_at"]
        known = {name: change[f"{name}_at"] for name in ("first_commit", "opened", "ready", "first_review", "approved")}
        begun, opened, ready, review, approved = known.values()
        marks = [
            ("Coding", "unknown", begun, opened or over, "from its first commit on; waiting is hidden in it"),
            ("Draft", "unknown", opened, ready or over if ready != opened else opened, "not offered for review yet"),
            ("Waits for its first review", "wait", ready or opened, review or approved or over, "no review is handed in yet"),
            ("In review", "unknown", review or approved, approved or over, "it goes to and fro: whose turn it was is not recorded"),
            ("Waits for its merge", "wait", approved, over, "approved"),
        ]
        if change["merged_at"] is not None and change["change"] in (*live, *waiting):
            marks.append(("Waits for production", "wait", over, live.get(change["change"]), "merged, and not in production yet"))
        yield from _in_turn(own | {"rule": parts.rules.get(change["change"])}, marks)


def _in_turn(own: Row, marks: list[tuple[str, str, pd.Timestamp | None, pd.Timestamp | None, str]]) -> Iterator[Row]:
    """Steps one after the other: each begins where the one before it ended, and none follows one that goes on."""
    at: pd.Timestamp | None = None
    for name, kind, since, until, said in marks:
        first = since if at is None or since is None else max(since, at)
        if first is None or (until is not None and until <= first):
            continue
        yield own | {"kind": kind, "name": name, "from": first, "to": until, "said": said}
        if until is None:
            return
        at = until


def _first_live(parts: Parts) -> dict[str, pd.Timestamp]:
    """When each change first came to production."""
    at = dict(zip(plain(parts.deployments["id"]), plain(parts.deployments["finished_at"]), strict=True))
    found: dict[str, pd.Timestamp] = {}
    for deployment, change in zip(plain(parts.brought["deployment"]), plain(parts.brought["change"]), strict=True):
        if at.get(deployment) is not None:
            found[change] = min(found.get(change, at[deployment]), at[deployment])
    return found


def _undeployed(parts: Parts) -> set[str]:
    """The changes of applications that are deployed of which no deployment is known to have held them."""
    links = parts.flow.links
    applications = links.deployments.loc[links.deployments["production"], "application"]
    mine = parts.changes[among(parts.changes["application"], applications)]
    return set(plain(mine["change"])) - set(plain(parts.brought["change"])) - set(plain(parts.settled["change"]))


def _runs(parts: Parts) -> Iterator[Row]:
    for lane, runs, row in (("build", parts.builds, "job"), ("deployment", parts.deployments, "environment")):
        for run in records(runs):
            begun = run["started_at"] or run["finished_at"]
            if begun is None:
                continue
            own = {"lane": lane, "row": run[row], "ref": run["id"], "url": run["url"], "rule": run["rule"]}
            own["strength"] = run.get("strength")
            if run.get("queued_at") is not None and run["queued_at"] < begun:
                yield own | {"kind": "wait", "name": "Build queued", "from": run["queued_at"], "to": begun, "said": run["id"]}
            name = "Build" if lane == "build" else f"Deployment of {run['application']}"
            kind = {"success": "passed", "failure": "failed"}.get(run["result"], "unknown")
            # What tells only when it ended took no time that is known; what has an end before its start, none either.
            until = (
                None
                if run["finished_at"] is None and run["result"] in (None, "unknown")
                else max(run["finished_at"] or begun, begun)
            )
            yield own | {
                "kind": kind,
                "name": name,
                "from": begun,
                "to": until,
                "said": f"{run['id']}: {run['result'] or 'unknown'}",
            }


def _incidents(parts: Parts) -> Iterator[Row]:
    for one in records(parts.incidents):
        rule, strength = parts.why_incident(one)
        until = None if one["resolved_at"] is None else max(one["resolved_at"], one["opened_at"])
        yield {"lane": "incident", "row": one["id"], "kind": "incident", "name": one["title"] or one["id"],
               "from": one["opened_at"],
               "to": until, "ref": one["id"], "said": f"{one['id']}: {one['severity'] or 'no severity is told'}",
               "url": one["url"], "rule": rule, "strength": strength}  # fmt: skip
