"""What was planted, told from the simulation's own books: never from the facts, never by the product."""

from __future__ import annotations

from typing import Any

from clock import CHANGE, CLOSED, HOUR, WEEK, local, local_day, office_time, stamp
from delivery import BAD_MONTH, LINK_DAYS, Delivery
from forge import Forge
from line import Line, Ticket, Visit
from organisation import TRAINS, Stage
from tables import Facts

OVERTAKEN = 8  # a visit that so many later arrivals overtake is parked: it says nothing about capacity
Window = tuple[int, int]
Truths = dict[str, Any]


def truths(seed: int, facts: Facts, lines: list[Line], forge: Forge, delivery: Delivery) -> Truths:
    """Everything that tests may look for, as plain values."""
    now = facts.newest()
    halves = {"first half": (now - 52 * WEEK, now - 26 * WEEK), "second half": (now - 26 * WEEK, now)}
    return {
        "seed": seed,
        "now": stamp(now),
        "halves": {name: {"from": stamp(begin), "to": stamp(end)} for name, (begin, end) in halves.items()},
        "people_moved_on": CHANGE.isoformat(),
        "rows": facts.count(),
        "streams": {line.stream.name: _stream(line, halves, now) for line in lines},
        "deployments": _deployments(delivery, facts, halves["second half"]),
        "incidents": _incidents(delivery, facts),
        "changes": _changes(forge, facts, delivery),
    }


# The line. ----------------------------------------------------------------------------------------


def _stream(line: Line, halves: dict[str, Window], now: int) -> Truths:
    tickets, stream = line.tickets, line.stream
    return {
        "tickets": len(tickets),
        "finished": sum(_is_done(line, ticket) for ticket in tickets),
        "finished_in_last_26_weeks": sum(_finished_in(line, ticket, halves["second half"]) for ticket in tickets),
        "cancelled": sorted(ticket.key for ticket in tickets if ticket.row["status"] == stream.cancelled),
        "reopened": sorted(ticket.key for ticket in tickets if ticket.reopened),
        "skipped": {stage.name: sum(_skipped(line, ticket, stage) for ticket in tickets) for stage in stream.stages[:4]},
        "refined_in_an_instant": sorted(ticket.key for ticket in tickets if ticket.caught_up),
        "hotfixes": sorted(ticket.key for ticket in tickets if ticket.hotfix),
        "blocked": sum(bool(ticket.flagged) for ticket in tickets),
        "blocked_now": sorted(ticket.key for ticket in tickets if ticket.flagged and not ticket.flagged[-1][1]),
        "wip_now": {stage.name: _wip(line, stage) for stage in stream.stages},
        "wip_limit": {stage.name: stage.wip_limit for stage in stream.stages if stage.wip_limit},
        "constraint": {name: _constraint(line, window) for name, window in halves.items()},
        "parked": [_parked(line, ticket, visit, now) for ticket in tickets for visit in ticket.visits if visit.parked],
        "rework": {stage.name: _rework(line, stage, halves["second half"]) for stage in (stream.review, stream.test)},
    }


def _is_done(line: Line, ticket: Ticket) -> bool:
    return bool(ticket.row["status"] == line.stream.done)


def _skipped(line: Line, ticket: Ticket, stage: Stage) -> bool:
    return _is_done(line, ticket) and all(visit.stage != stage.name for visit in ticket.visits)


def _finished_in(line: Line, ticket: Ticket, window: Window) -> bool:
    return _is_done(line, ticket) and window[0] <= ticket.done[-1] <= window[1]


def _wip(line: Line, stage: Stage) -> int:
    return sum(ticket.row["status"] in (stage.waiting, stage.active) for ticket in line.tickets)


def _visits(line: Line, stage: Stage) -> list[Visit]:
    return [visit for ticket in line.tickets for visit in ticket.visits if visit.stage == stage.name]


def _overtaken(visit: Visit, others: list[Visit]) -> int:
    """How many came later and were taken up earlier."""
    never = 1 << 60
    mine = visit.started or never
    return sum(visit.queued < other.queued and (other.started or never) < mine for other in others)


def _queue_share(line: Line, stage: Stage, window: Window) -> float:
    """The share of working time in which somebody's work waits before the stage, parked work left out."""
    visits = _visits(line, stage)
    waits = sorted(
        (max(visit.queued, window[0]), min(visit.started or window[1], window[1]))
        for visit in visits
        if _overtaken(visit, visits) < OVERTAKEN
    )
    waited, until = 0, window[0]
    for begin, end in waits:
        if end > until:
            waited += office_time(max(begin, until), end)
            until = end
    return round(waited / office_time(*window), 3)


def _utilisation(line: Line, stage: Stage, window: Window) -> float:
    """Working time that people spent on tickets, of the working time they had (closed days left out)."""
    spent = sum(
        office_time(max(visit.started, window[0]), min(visit.finished or window[1], window[1]), CLOSED)
        for visit in _visits(line, stage)
        if visit.person and visit.started and visit.started < window[1] and (visit.finished or window[1]) > window[0]
    )
    had = office_time(*window, CLOSED)
    people = stage.people(local_day((window[0] + window[1]) // 2))
    return round(spent / (had * people), 3)


def _mean_dwell(line: Line, stage: Stage, window: Window) -> float:
    """Mean elapsed hours of the visits that ended in the window."""
    stays = [
        visit.left - visit.queued
        for visit in _visits(line, stage)
        if visit.left is not None and window[0] <= visit.left <= window[1]
    ]
    return round(sum(stays) / len(stays) / HOUR, 1)


def _constraint(line: Line, window: Window) -> Truths:
    stages = [stage for stage in line.stream.stages if stage.active]
    shares = {stage.name: _queue_share(line, stage, window) for stage in stages}
    worst = max(shares, key=lambda name: shares[name])
    dwell = {stage.name: _mean_dwell(line, stage, window) for stage in line.stream.stages}
    return {
        "planted": PLANTED[line.stream.name][window[0] >= local(CHANGE) - WEEK],
        "worst_queue": worst,
        "queue_share": shares,
        "ratio_to_next": round(shares[worst] / sorted(shares.values())[-2], 2),
        "utilisation": {stage.name: _utilisation(line, stage, window) for stage in stages},
        "people": {stage.name: stage.people(local_day((window[0] + window[1]) // 2)) for stage in stages},
        "mean_dwell_hours": dwell,
        "longest_dwell": max(dwell, key=lambda name: dwell[name]),
    }


PLANTED = {"checkout": ("Review", "QA"), "platform": ("Build", "Accept")}


def _parked(line: Line, ticket: Ticket, visit: Visit, now: int) -> Truths:
    stage = next(stage for stage in line.stream.stages if stage.name == visit.stage)
    return {
        "ticket": ticket.key,
        "stage": visit.stage,
        "from": stamp(visit.queued),
        "to": stamp(visit.started) if visit.started else None,
        "overtaken_by": _overtaken(visit, _visits(line, stage)),
    }


def _rework(line: Line, stage: Stage, window: Window) -> Truths:
    """Ended visits of the ordinary line (hotfixes left out) and how many of them were sent back to the developers."""
    ended = [visit for visit in _visits(line, stage) if visit.person and visit.left is not None]
    recent = [visit for visit in ended if window[0] <= (visit.left or 0) <= window[1]]
    return {
        "to": line.stream.develop.name,
        "visits": len(ended),
        "sent_back": sum(visit.sent_back for visit in ended),
        "visits_in_last_26_weeks": len(recent),
        "sent_back_in_last_26_weeks": sum(visit.sent_back for visit in recent),
    }


# Delivery. ----------------------------------------------------------------------------------------


def _deployments(delivery: Delivery, facts: Facts, recent: Window) -> Truths:
    rows = [row for row in facts.tables["deployments"] if row["environment"] == "production"]
    month = f"{BAD_MONTH[0]}-{BAD_MONTH[1]:02}"
    ids = {row["id"]: row for row in rows}
    failed = {id_: delivery.failed[id_] for id_ in ids if id_ in delivery.failed}
    in_month = [row for row in rows if stamp(row["finished_at"]).startswith(month)]
    checkout = [row for row in in_month if row["application"] in ("shop", "payments")]
    return {
        "production": {
            name: {
                **{result: _count(rows, name, result) for result in ("success", "failure", "cancelled")},
                "success_in_last_26_weeks": _count(_within(rows, recent), name, "success"),
            }
            for name in delivery.releases
        },
        "success_by_quarter": _by_quarter(rows),
        "release_trains": sorted({row["ref"][6:] for row in rows if row["ref"].startswith("train-")}),
        "trains_without_release": sorted(
            {day.isoformat() for day in TRAINS} - {row["ref"][6:] for row in rows if row["ref"].startswith("train-")}
        ),
        "not_successful": {id_: row["result"] for id_, row in ids.items() if row["result"] != "success"},
        "failed": {id_: {"reason": _reason(evidence), "evidence": evidence} for id_, evidence in failed.items()},
        "unplanned": {id_: delivery.unplanned[id_] for id_ in ids if id_ in delivery.unplanned},
        "in_last_26_weeks": {
            "success": sum(row["result"] == "success" for row in _within(rows, recent)),
            "failed": [row["id"] for row in _within(rows, recent) if row["id"] in failed],
            "unplanned": [row["id"] for row in _within(rows, recent) if row["id"] in delivery.unplanned],
        },
        "bad_month": {
            "month": month,
            "stream": "checkout",
            "successful": sum(row["result"] == "success" for row in checkout),
            "failed": [row["id"] for row in checkout if row["id"] in failed],
            "result_failure": [row["id"] for row in checkout if row["result"] == "failure"],
            "failed_share_in_other_months": _share_elsewhere(rows, failed, month),
        },
    }


def _within(rows: list[dict[str, Any]], window: Window) -> list[dict[str, Any]]:
    return [row for row in rows if window[0] <= row["finished_at"] <= window[1]]


def _count(rows: list[dict[str, Any]], application: str, result: str) -> int:
    return sum(row["application"] == application and row["result"] == result for row in rows)


def _by_quarter(rows: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Successful production deployments in the four quarters (13 weeks each) of the sample, oldest first."""
    end = max(row["finished_at"] for row in rows) + 1
    counts: dict[str, list[int]] = {}
    for row in rows:
        quarter = 3 - (end - row["finished_at"]) // (13 * WEEK)
        if row["result"] == "success" and quarter >= 0:
            counts.setdefault(row["application"], [0, 0, 0, 0])[quarter] += 1
    return counts


def _reason(evidence: list[str]) -> str:
    """The first of: an incident, a rollback, a revert, a hotfix."""
    words = [entry.split()[0] for entry in evidence]
    return next(reason for reason in ("incident", "rollback", "revert", "hotfix") if reason in words)


def _share_elsewhere(rows: list[dict[str, Any]], failed: dict[str, Any], month: str) -> float:
    other = [
        row for row in rows
        if row["application"] in ("shop", "payments") and row["result"] == "success"
        and not stamp(row["finished_at"]).startswith(month)
    ]  # fmt: skip
    return round(sum(row["id"] in failed for row in other) / len(other), 3)


def _incidents(delivery: Delivery, facts: Facts) -> Truths:
    rows = facts.tables["incidents"]
    by_link: dict[str, list[str]] = {"explicit": [], "time": [], "none": [], "excluded": []}
    for row in rows:
        by_link[delivery.links[row["id"]]].append(row["id"])
    return {
        "link_within_days": LINK_DAYS,
        "linked": by_link,
        "open": [row["id"] for row in rows if row.get("resolved_at") is None],
    }


def _changes(forge: Forge, facts: Facts, delivery: Delivery) -> Truths:
    merged = [proposal for proposal in forge.proposals if proposal.row and proposal.row["merged_at"]]
    named = [proposal for proposal in merged if proposal.ticket and proposal.names_in]
    deployed = [p for p in merged if p.landed in delivery.releases[p.repository.application.name].released]
    rows = facts.tables["pull_requests"]
    return {
        "merged": len(merged),
        "merged_and_naming_a_ticket": len(named),
        "merged_without_ticket_by_bot": sum(proposal.author is None for proposal in merged),
        "merged_and_in_production": len(deployed),
        "closed_unmerged": sum(row["closed_at"] is not None and row["merged_at"] is None for row in rows),
        "open": sum(row["closed_at"] is None for row in rows),
        "straight_to_main": {
            repository.name: len(repository.pushed) for repository in forge.repositories.values() if repository.pushed
        },
        "release_branches_merged_back": {
            repository.name: len(repository.merged_back) for repository in forge.repositories.values() if repository.merged_back
        },
    }
