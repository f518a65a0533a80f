"""TRUTHS.md: what was planted, as text for people."""

from __future__ import annotations

from typing import Any

Truths = dict[str, Any]

INTRODUCTION = """# What was planted in the sample

This page is written by `generate.py` (seed {seed}), from the simulation's own books. `truths.json` holds the
same figures for tests. Do not edit either by hand.

Quillfeather, which sells walking gear, does not exist, nor does anybody in it. The sample runs from
12 November 2025 to **{now}**, the newest fact; the default window of reports (26 weeks)
is its second half, {second}.

The lines start empty on Monday 17 November 2025. Office hours are nine to five in Vienna, give or take a few
minutes; Austrian holidays are not worked, and the office was closed from 24 December to 2 January. The
`[calendar]` of `vsm.toml` knows no holidays.

Tickets wait because people are busy: no waiting time was drawn. Work times are lognormal, queues are first
come first served with expedites first, returned work goes to who had it where that person is free.

| table | rows |
| --- | --- |
{rows}
"""

CONSTRAINT = """
## The constraint, which moves

People changed places on Monday 18 May 2026. In **checkout** a tester moved from QA to Review: Review was the
constraint before, QA has been since. In **platform** two developers joined and one of the two who accept
left: Build was the constraint before, Accept has been since. The season began in October: checkout takes on
10.2 tickets a week since the 12th, 8.6 before.

*Queue share* is the share of working time in which at least one ticket waits before the stage, parked tickets
(overtaken by eight or more later arrivals) left out. *Utilisation* leaves closed days out. *Stay* is the mean
elapsed time of a visit, queue included: in bold the longest, which is a trap wherever it is another stage.
Check also gets pull requests without a ticket, which these figures do not count.
"""

TRAIN = """
## The release train

Platform goes to production on alternate Wednesdays only, hotfixes, reverts and rollbacks apart. There were
{n} trains from {first} to {last}; the one of {missing} did not run. Tickets wait in "Waiting for train",
which has no people: it only holds work, however long the stay there.
"""

PARKED = """
## Parked tickets

Each was left lying in a queue while later arrivals overtook it. One of them is enough to make "the queue is
never empty" true of a stage that has time to spare.

| ticket | stage | from | taken up | overtaken by |
| --- | --- | --- | --- | --- |
"""

REWORK = """
## Rework

Ended visits of the ordinary line (hotfixes are not counted here) that were sent back to the developers.

| stream | from → to | visits | sent back | share | visits in the last 26 weeks | sent back |
| --- | --- | --- | --- | --- | --- | --- |
"""

FAILED = """
## Deployments that failed

A deployment failed where it needed remediation: an incident that came of it, a rollback, a revert or a
hotfix. The reason is the first of these. A deployment whose result is not "success" never reached anybody;
those are listed apart and are not in this table.

| deployment | reason | evidence |
| --- | --- | --- |
"""


def story(truths: Truths) -> str:
    """The whole page."""
    return "".join((
        _introduction(truths), CONSTRAINT, *(_constraints(name, s) for name, s in truths["streams"].items()),
        _tickets(truths), _train(truths), _parked(truths), _rework(truths), _deployments(truths), _bad_month(truths),
        _failed(truths), _incidents(truths), _changes(truths),
    ))  # fmt: skip


def _introduction(truths: Truths) -> str:
    rows = "\n".join(f"| {table} | {count} |" for table, count in truths["rows"].items())
    second = truths["halves"]["second half"]
    return INTRODUCTION.format(seed=truths["seed"], now=truths["now"], rows=rows, second=f"{second['from']} to {second['to']}")


def _constraints(name: str, stream: Truths) -> str:
    lines = []
    for half, found in stream["constraint"].items():
        lines.append(
            f"\n**{name}, {half}: {found['planted']}** ({found['ratio_to_next']} times the queue share of the next)\n\n"
            "| stage | people | queue share | utilisation | stay, hours |\n| --- | --- | --- | --- | --- |\n"
        )
        for stage, stay in found["mean_dwell_hours"].items():
            stay_text = f"**{stay}**" if stage == found["longest_dwell"] else stay
            cells = [found[key].get(stage, "–") for key in ("people", "queue_share", "utilisation")]
            lines.append(f"| {stage} | {' | '.join(map(str, cells))} | {stay_text} |\n")
    return "".join(lines)


def _tickets(truths: Truths) -> str:
    lines = ["\n## Tickets\n"]
    for name, stream in truths["streams"].items():
        wip = ", ".join(
            f"{stage} {count}" + (f" (limit {stream['wip_limit'][stage]})" if stage in stream["wip_limit"] else "")
            for stage, count in stream["wip_now"].items()
        )
        skipped = ", ".join(f"{stage} {count}" for stage, count in stream["skipped"].items() if count)
        lines.append(
            f"\n**{name}**: {stream['tickets']} tickets (epics not counted), {stream['finished']} of them finished, "
            f"{stream['finished_in_last_26_weeks']} in the last 26 weeks.\n\n"
            f"- work in progress now: {wip}\n"
            f"- cancelled ({len(stream['cancelled'])}): {_keys(stream['cancelled'])}\n"
            f"- reopened after they were done ({len(stream['reopened'])}): {_keys(stream['reopened'])}\n"
            f"- hotfixes ({len(stream['hotfixes'])}): {_keys(stream['hotfixes'])}\n"
            f"- finished without ever being in a stage: {skipped}\n"
            f"- three changes of status at one instant: {_keys(stream['refined_in_an_instant'])}\n"
            f"- flagged at some time: {stream['blocked']}, still flagged: {_keys(stream['blocked_now'])}\n"
        )
    return "".join(lines)


def _train(truths: Truths) -> str:
    deployments = truths["deployments"]
    trains, missing = deployments["release_trains"], deployments["trains_without_release"]
    return TRAIN.format(n=len(trains), first=trains[0], last=trains[-1], missing=_keys(missing))


def _parked(truths: Truths) -> str:
    return PARKED + "".join(
        f"| {p['ticket']} | {p['stage']} | {p['from']} | {p['to'] or 'not yet'} | {p['overtaken_by']} |\n"
        for stream in truths["streams"].values()
        for p in stream["parked"]
    )


def _rework(truths: Truths) -> str:
    return REWORK + "".join(
        f"| {name} | {stage} → {r['to']} | {r['visits']} | {r['sent_back']} | {r['sent_back'] / r['visits']:.0%} "
        f"| {r['visits_in_last_26_weeks']} | {r['sent_back_in_last_26_weeks']} |\n"
        for name, stream in truths["streams"].items()
        for stage, r in stream["rework"].items()
    )


def _deployments(truths: Truths) -> str:
    deployments = truths["deployments"]
    lines = [
        "\n## Production deployments\n\n"
        "| application | success | failure | cancelled | success in the last 26 weeks | success by quarter, oldest first |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
    ]
    for name, n in deployments["production"].items():
        counts = f"{n['success']} | {n['failure']} | {n['cancelled']} | {n['success_in_last_26_weeks']}"
        lines.append(f"| {name} | {counts} | {', '.join(map(str, deployments['success_by_quarter'][name]))} |\n")
    odd = ", ".join(f"{id_} ({result})" for id_, result in deployments["not_successful"].items())
    lines.append(f"\nNot successful: {odd}.\n")
    lines.append(
        "\nUnplanned, made because of a failure before: "
        + ", ".join(f"{id_} ({reason})" for id_, reason in deployments["unplanned"].items())
        + ".\n\nThe first deployment of each application, on 12 November 2025, brought what was already running. Only the\n"
        "deployments of accounts say which commits they held; elsewhere that follows from the graph.\n"
    )
    return "".join(lines)


def _bad_month(truths: Truths) -> str:
    month = truths["deployments"]["bad_month"]
    share = len(month["failed"]) / month["successful"]
    return (
        f"\n## The bad month\n\nIn {month['month']} checkout brought {month['successful']} deployments to production, and "
        f"{len(month['failed'])} of them needed remediation: {share:.0%}, against "
        f"{month['failed_share_in_other_months']:.1%} in the other months. They are {_keys(month['failed'])}. "
        f"{len(month['result_failure'])} more did not get there at all: {_keys(month['result_failure'])}.\n"
    )


def _failed(truths: Truths) -> str:
    recent = truths["deployments"]["in_last_26_weeks"]
    summary = (
        f"\nOf the {recent['success']} successful ones of the last 26 weeks, {len(recent['failed'])} failed and "
        f"{len(recent['unplanned'])} were unplanned.\n"
    )
    table = "".join(
        f"| {id_} | {failed['reason']} | {', '.join(failed['evidence'])} |\n"
        for id_, failed in truths["deployments"]["failed"].items()
    )
    return FAILED + table + summary


def _incidents(truths: Truths) -> str:
    linked, days = truths["incidents"]["linked"], truths["incidents"]["link_within_days"]
    return (
        "\n## Incidents\n\n"
        f"- name their deployment: {_keys(linked['explicit'])}\n"
        f"- belong to the last deployment of their application, at most {days} days before: {_keys(linked['time'])}\n"
        f"- have another cause, or an application that is not deployed here: {_keys(linked['none'])}\n"
        f"- are left out for their label: {_keys(linked['excluded'])}\n"
        f"- are still open: {_keys(truths['incidents']['open'])}\n"
    )


def _changes(truths: Truths) -> str:
    changes = truths["changes"]
    return (
        "\n## Changes\n\n"
        f"{changes['merged']} pull requests were merged. {changes['merged_and_naming_a_ticket']} name a ticket in branch, "
        f"title or commits, {changes['merged_without_ticket_by_bot']} are a bot's, and the rest belong to a ticket that "
        f"they do not name. {changes['merged_and_in_production']} had reached production at the end. "
        f"{changes['closed_unmerged']} were closed unmerged, {changes['open']} are open. Commits straight to main: "
        f"{_counts(changes['straight_to_main'])}; merges of release branches: "
        f"{_counts(changes['release_branches_merged_back'])}. One of the former takes back another of the same day "
        "(9 July 2026) that was never in production. Merges in payments are squashed.\n"
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} in {name}" for name, count in counts.items())


def _keys(keys: list[str]) -> str:
    return ", ".join(keys) or "none"
