"""The sample keeps its promises: it is ours, whole, consistent, and what TRUTHS.md says of it is so.

Nothing here asks the product for a number; tests of the product's answers are in test_sample.py.
"""

import csv
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from vsm import models

SAMPLE = Path(__file__).parents[1] / "sample_data"
FACTS = SAMPLE / "facts"
TRUTHS = json.loads((SAMPLE / "truths.json").read_text(encoding="utf-8"))
CONFIG = tomllib.loads((SAMPLE / "vsm.toml").read_text(encoding="utf-8"))
NOW = datetime.fromisoformat(TRUTHS["now"])


@cache
def rows(table):
    """The rows of a file, as text."""
    with (FACTS / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def facts(table):
    """The rows of a file, as the store would take them."""
    return [models.validate(models.TABLES[table], row) for row in rows(table)]


@cache
def parents():
    """What each commit of a repository was made from."""
    graph = defaultdict(dict)
    for commit in facts("commits"):
        graph[commit["repository"]][commit["sha"]] = (commit["parents"] or "").split()
    return graph


def reachable(repository, sha):
    graph, found, ahead = parents()[repository], set(), [sha]
    while ahead:
        commit = ahead.pop()
        if commit not in found:
            found.add(commit)
            ahead.extend(graph[commit])
    return found


@cache
def histories():
    """Each ticket's changes of status, in the order of their chain."""
    grouped = defaultdict(list)
    for change in facts("transitions"):
        grouped[change["ticket"]].append(change)
    return {ticket: chained(changes) for ticket, changes in grouped.items()}


def chained(changes):
    """Changes in order of time; those of one instant so that each begins where the one before ended."""
    ordered, left = [], sorted(changes, key=lambda change: change["at"])
    while left:
        now = [change for change in left if change["at"] == left[0]["at"]]
        at = ordered[-1]["to_status"] if ordered else None
        ends = {change["to_status"] for change in now}
        step = next((c for c in now if c["from_status"] == at or (at is None and c["from_status"] not in ends)), now[0])
        ordered.append(step)
        left.remove(step)
    return ordered


def production(result="success"):
    return [
        row for row in sorted(facts("deployments"), key=lambda row: row["finished_at"])
        if row["environment"] == "production" and row["result"] == result
    ]  # fmt: skip


def stream_of(key):
    return "checkout" if key.startswith("PAY-") else "platform"


class TestFiles:
    @pytest.mark.parametrize("table", models.TABLES)
    def test_every_row_is_a_fact(self, table):
        assert len(facts(table)) == TRUTHS["rows"][table] > 0

    @pytest.mark.parametrize("table", models.TABLES)
    def test_columns_stand_in_the_order_of_the_model(self, table):
        with (FACTS / f"{table}.csv").open(encoding="utf-8") as file:
            assert file.readline() == ",".join(models.columns(models.TABLES[table])) + "\n"

    @pytest.mark.parametrize("table", models.TABLES)
    def test_no_key_comes_twice(self, table):
        keys = Counter(models.uid(models.TABLES[table], row) for row in facts(table))
        assert [key for key, n in keys.items() if n > 1] == []

    def test_there_is_nothing_else(self):
        assert sorted(path.name for path in FACTS.iterdir()) == sorted(f"{table}.csv" for table in models.TABLES)

    def test_it_stays_small(self):
        assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 5_000_000

    def test_the_generator_makes_these_very_bytes(self, tmp_path):
        environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([sys.executable, SAMPLE / "generate.py", tmp_path], check=True, cwd=tmp_path, env=environment)
        made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert {path: content == (SAMPLE / path).read_bytes() for path, content in made.items()} == dict.fromkeys(made, True)
        assert len(made) == len(models.TABLES) + 2

    def test_nothing_happens_after_the_newest_fact(self):
        times = [value for table in models.TABLES for row in facts(table) for value in row.values() if isinstance(value, datetime)]
        assert max(times) == NOW
        assert min(times) > datetime(2025, 11, 10, tzinfo=UTC)

    def test_all_addresses_are_in_reserved_domains(self):
        words = [word for table in models.TABLES for row in rows(table) for value in row.values() for word in (value or "").split()]
        hosts = {word.split("@")[1] for word in words if "@" in word}
        hosts |= {word.split("/")[2] for word in words if "://" in word}
        assert hosts
        assert {host for host in hosts if not host.endswith((".example.org", ".invalid")) and host != "example.org"} == set()


class TestTickets:
    def test_no_change_of_status_comes_before_its_ticket(self):
        created = {ticket["key"]: ticket["created_at"] for ticket in facts("tickets")}
        assert [c for c in facts("transitions") if c["at"] < created[c["ticket"]]] == []

    def test_each_change_begins_where_the_one_before_ended(self):
        broken = [
            ticket for ticket, changes in histories().items()
            if any(a["to_status"] != b["from_status"] for a, b in pairwise(changes))
        ]  # fmt: skip
        assert broken == []

    def test_the_status_is_where_the_last_change_led(self):
        status = {ticket["key"]: ticket["status"] for ticket in facts("tickets")}
        assert {key: changes[-1]["to_status"] for key, changes in histories().items()}.items() <= status.items()

    def test_every_status_has_one_place_in_its_stream(self):
        for stream in CONFIG["streams"]:
            places = [stream["new"], stream["done"], stream["cancelled"], stream["ignored"]]
            places += [stage.get(kind, []) for stage in stream["stages"] for kind in ("waiting", "active")]
            known = Counter(status for place in places for status in place)
            mine = [c for c in facts("transitions") if stream_of(c["ticket"]) == stream["name"]]
            assert set(known.values()) == {1}
            assert {c["from_status"] for c in mine} | {c["to_status"] for c in mine} == set(known)

    def test_people_and_limits_are_those_of_the_second_half(self):
        for stream in CONFIG["streams"]:
            told = TRUTHS["streams"][stream["name"]]
            staffed = {stage["name"]: stage["people"] for stage in stream["stages"] if "people" in stage}
            limits = {stage["name"]: stage["wip_limit"] for stage in stream["stages"] if "wip_limit" in stage}
            people = told["constraint"]["second half"]["people"]
            assert staffed == {stage: n for stage, n in people.items() if stage in staffed}
            assert limits == told["wip_limit"]

    @pytest.mark.parametrize("name", ["checkout", "platform"])
    def test_counts_are_as_told(self, name):
        told, stream = TRUTHS["streams"][name], next(s for s in CONFIG["streams"] if s["name"] == name)
        mine = [t for t in facts("tickets") if stream_of(t["key"]) == name and t["type"] != "Epic"]
        done = [t for t in mine if t["status"] in stream["done"]]
        assert len(mine) == told["tickets"]
        assert len(done) == told["finished"]
        assert sum(t["resolved_at"] >= NOW - timedelta(weeks=26) for t in done) == told["finished_in_last_26_weeks"]
        assert sorted(t["key"] for t in mine if t["status"] in stream["cancelled"]) == told["cancelled"]
        left_done = {c["ticket"] for c in facts("transitions") if c["from_status"] in stream["done"]}
        assert sorted(left_done & {t["key"] for t in mine}) == told["reopened"]
        for stage in stream["stages"]:
            here = [*stage["waiting"], *stage.get("active", [])]
            assert sum(t["status"] in here for t in mine) == told["wip_now"][stage["name"]]

    def test_somewhere_there_is_more_work_than_the_limit_allows(self):
        over = [
            stage for stream in TRUTHS["streams"].values()
            for stage, limit in stream["wip_limit"].items() if stream["wip_now"][stage] > limit
        ]  # fmt: skip
        assert over


class TestConstraint:
    """The planted constraint shows in the simulation's own queues, and stays longest elsewhere do not fool anybody."""

    @pytest.mark.parametrize("half", ["first half", "second half"])
    @pytest.mark.parametrize("stream", ["checkout", "platform"])
    def test_its_queue_is_seldom_empty_and_all_others_mostly_are(self, stream, half):
        told = TRUTHS["streams"][stream]["constraint"][half]
        share, planted = told["queue_share"], told["planted"]
        assert told["worst_queue"] == planted
        assert share[planted] > 0.6
        assert all(share[planted] > 1.3 * other for stage, other in share.items() if stage != planted)
        assert 0.9 <= told["utilisation"][planted] <= 1.05
        assert all(used <= 0.7 for stage, used in told["utilisation"].items() if stage != planted)

    def test_it_moves_in_both_streams(self):
        for stream in TRUTHS["streams"].values():
            assert stream["constraint"]["first half"]["planted"] != stream["constraint"]["second half"]["planted"]

    def test_the_longest_stay_is_another_stage(self):
        halves = [half for stream in TRUTHS["streams"].values() for half in stream["constraint"].values()]
        assert sum(half["longest_dwell"] != half["planted"] for half in halves) >= 3

    def test_the_queue_shares_are_in_the_facts(self):
        """Told again from the statuses alone, in elapsed time of weekdays: the worst queue is the planted one."""
        for stream in CONFIG["streams"]:
            told = TRUTHS["streams"][stream["name"]]["constraint"]["second half"]
            share = {s["name"]: waiting_share(stream["name"], s) for s in stream["stages"] if "people" in s}
            assert max(share, key=share.get) == told["planted"]
            assert share == pytest.approx(told["queue_share"], abs=0.03)

    def test_parked_tickets_lay_there(self):
        for stream in CONFIG["streams"]:
            for parked in TRUTHS["streams"][stream["name"]]["parked"]:
                stage = next(stage for stage in stream["stages"] if stage["name"] == parked["stage"])
                wait = next(w for w in waits(stream["name"], stage) if w[2] == parked["ticket"] and w[0].isoformat()[:19] ==
                            parked["from"][:19])  # fmt: skip
                assert (wait[1].isoformat()[:19] if wait[1] else None) == (parked["to"] and parked["to"][:19])
                assert parked["overtaken_by"] > 24


def waits(stream, stage):
    """Waits before a stage: from, to or None, ticket."""
    found = []
    for ticket, changes in histories().items():
        if stream_of(ticket) == stream:
            found += [
                (change["at"], after["at"] if after else None, ticket)
                for change, after in zip(changes, [*changes[1:], None], strict=True)
                if change["to_status"] in stage["waiting"]
            ]
    return found


def waiting_share(stream, stage):
    """The share of office hours of the last 26 weeks in which a wait is open that fewer than eight later ones overtook."""
    zone, never = ZoneInfo(CONFIG["timezone"]), datetime.max.replace(tzinfo=UTC)
    everything = [(begin, end or never) for begin, end, _ in waits(stream, stage)]
    kept = [w for w in everything if sum(w[0] < other[0] and other[1] < w[1] for other in everything) < 8]
    minutes = [NOW - timedelta(minutes=5 * n) for n in range(26 * 7 * 24 * 12)]
    office = [m for m in minutes if (local := m.astimezone(zone)).weekday() < 5 and 9 <= local.hour < 17]
    return sum(any(begin <= m < end for begin, end in kept) for m in office) / len(office)


class TestGit:
    def test_parents_exist_and_are_not_younger(self):
        when = {(c["repository"], c["sha"]): c["committed_at"] for c in facts("commits")}
        for commit in facts("commits"):
            assert commit["authored_at"] <= commit["committed_at"]
            for parent in parents()[commit["repository"]][commit["sha"]]:
                assert when[commit["repository"], parent] <= commit["committed_at"]

    def test_merges_are_on_their_branch_and_deployed_commits_exist(self):
        for deployment in facts("deployments"):
            assert deployment["sha"] in parents()[deployment["repository"]]
        for pull in facts("pull_requests"):
            assert (pull["merge_sha"] is None) == (pull["merged_at"] is None)
            assert pull["merge_sha"] is None or pull["merge_sha"] in parents()[pull["repository"]]

    def test_what_was_merged_reached_production(self):
        live = defaultdict(set)
        for deployment in production():
            live[deployment["repository"]] |= reachable(deployment["repository"], deployment["sha"])
        merged = [pull for pull in facts("pull_requests") if pull["merged_at"]]
        there = [pull for pull in merged if pull["merge_sha"] in live[pull["repository"]]]
        assert len(merged) == TRUTHS["changes"]["merged"]
        assert len(there) == TRUTHS["changes"]["merged_and_in_production"]

    def test_the_head_is_the_newest_commit_of_main(self):
        for repository in facts("repositories"):
            name = repository["name"]
            of_main = reachable(name, repository["head_sha"])
            merged = {p["merge_sha"] for p in facts("pull_requests") if p["repository"] == name and p["merge_sha"]}
            assert merged <= of_main

    def test_a_squashed_branch_leaves_one_commit(self):
        squashed = [p for p in facts("pull_requests") if p["repository"] == "quillfeather/payments" and p["merged_at"]]
        listed = {(row["repository"], row["number"], row["sha"]) for row in facts("pull_request_commits")}
        assert all(len(parents()[p["repository"]][p["merge_sha"]]) == 1 for p in squashed)
        heads = {(p["repository"], p["number"], p["head_sha"]) for p in squashed}
        assert heads <= listed
        assert not {sha for _, _, sha in heads} & parents()["quillfeather/payments"].keys()

    def test_a_pull_request_lives_forward(self):
        for pull in facts("pull_requests"):
            order = ["first_commit_at", "created_at", "ready_at", "first_review_at", "approved_at", "merged_at", "closed_at"]
            times = [pull[name] for name in order if pull[name] is not None]
            assert times == sorted(times), pull["number"]

    def test_stated_commits_are_those_of_the_graph(self):
        stated, seen = defaultdict(set), set()
        for row in facts("deployment_commits"):
            stated[row["deployment"]].add(row["sha"])
        for deployment in (d for d in production() if d["application"] == "accounts"):
            held = reachable(deployment["repository"], deployment["sha"])
            assert stated[deployment["id"]] == held - seen
            seen |= held

    def test_reverts_name_what_they_take_back(self):
        reverts = [c for c in facts("commits") if (c["subject"] or "").startswith('Revert "') and len(c["parents"].split()) == 1]
        assert len(reverts) > len([why for why in TRUTHS["deployments"]["unplanned"].values() if why == "revert"])
        for commit in reverts:
            taken = commit["message"].split("This reverts commit ")[1].rstrip(".")
            assert taken in reachable(commit["repository"], commit["sha"])


class TestDelivery:
    def test_a_ticket_is_done_after_its_change_is_in_production(self):
        live = {}
        for deployment in production():
            for sha in reachable(deployment["repository"], deployment["sha"]):
                live.setdefault((deployment["repository"], sha), deployment["finished_at"])
        done = {t["key"]: t["resolved_at"] for t in facts("tickets") if t["status"] in ("Done", "Released")}
        checked = 0
        for pull in facts("pull_requests"):
            key = next((word for word in (pull["title"] or "").split() if word in done), None)
            if pull["merged_at"] and key and not pull["title"].startswith("Revert"):
                checked += 1
                assert live[pull["repository"], pull["merge_sha"]] <= done[key]
        assert checked > 300

    def test_production_deployments_are_as_told(self):
        told = TRUTHS["deployments"]
        for application, counts in told["production"].items():
            for result in ("success", "failure", "cancelled"):
                assert sum(d["application"] == application for d in production(result)) == counts[result]
        odd = {d["id"]: d["result"] for result in ("failure", "cancelled") for d in production(result)}
        assert odd == told["not_successful"]

    def test_the_train_leaves_on_alternate_wednesdays(self):
        unplanned = TRUTHS["deployments"]["unplanned"]
        planned = [d for d in production() if d["application"] in ("accounts", "insights") and d["id"] not in unplanned]
        days = {d["finished_at"].date() for d in planned}
        assert {day.weekday() for day in days} == {2}
        assert {(day - min(days)).days % 14 for day in days} == {0}

    def test_failed_and_unplanned_deployments_got_to_production(self):
        ids = {deployment["id"] for deployment in production()}
        assert TRUTHS["deployments"]["failed"].keys() <= ids
        assert TRUTHS["deployments"]["unplanned"].keys() <= ids
        assert {failed["reason"] for failed in TRUTHS["deployments"]["failed"].values()} == {
            "incident", "rollback", "revert", "hotfix"
        }  # fmt: skip

    def test_only_rollbacks_bring_back_an_earlier_version(self):
        back, seen = set(), defaultdict(list)
        for deployment in production():
            if deployment["sha"] in seen[deployment["application"]]:
                back.add(deployment["id"])
            seen[deployment["application"]].append(deployment["sha"])
        assert back == {id_ for id_, reason in TRUTHS["deployments"]["unplanned"].items() if reason == "rollback"}

    def test_the_bad_month_stands_out(self):
        bad = TRUTHS["deployments"]["bad_month"]
        there = [d for d in production() if d["application"] in ("shop", "payments")
                 and d["finished_at"].isoformat().startswith(bad["month"])]  # fmt: skip
        assert len(there) == bad["successful"]
        assert len(bad["failed"]) / bad["successful"] > 4 * bad["failed_share_in_other_months"]

    def test_incidents_are_linked_as_told(self):
        """By the deployment they name, else by time: the last success of their application within the days configured."""
        days, told = timedelta(days=CONFIG["incidents"]["link_within_days"]), TRUTHS["incidents"]["linked"]
        found = defaultdict(set)
        for incident in facts("incidents"):
            before = [d for d in production() if d["application"] == incident["application"]
                      and d["finished_at"] <= incident["opened_at"] <= d["finished_at"] + days]  # fmt: skip
            link = "explicit" if incident["deployment"] else "time" if before else "none"
            link = "excluded" if incident["labels"] in CONFIG["incidents"]["exclude_labels"] else link
            found[link].add(incident["id"])
            if link in ("explicit", "time"):
                culprit = incident["deployment"] or before[-1]["id"]
                evidence = " ".join(TRUTHS["deployments"]["failed"][culprit]["evidence"]) + ","
                assert f" {incident['id']}" in evidence.replace(",", " ")
        assert found == {link: set(ids) for link, ids in told.items()}
        assert [i["id"] for i in facts("incidents") if i["resolved_at"] is None] == TRUTHS["incidents"]["open"]


class TestPeople:
    def test_each_person_has_three_handles(self):
        handles = defaultdict(set)
        for row in facts("identities"):
            handles[row["person"]].add(row["source"])
        assert set(map(frozenset, handles.values())) == {frozenset({"git", "github", "jira"})}

    def test_every_human_handle_is_known(self):
        known = {(row["source"], row["handle"]) for row in facts("identities")}
        used = {("jira", row["actor"]) for table in ("transitions", "ticket_changes") for row in facts(table)}
        used |= {("github", row["author"]) for table in ("pull_requests", "comments") for row in facts(table)}
        used |= {("github", row["reviewer"]) for row in facts("reviews")}
        used |= {("git", row["author"]) for row in facts("commits") if row["author"].endswith("@example.org")}
        assert used - known == {("github", "upkeep[bot]")}

    def test_nobody_reviews_their_own_work(self):
        author = {(pull["repository"], pull["number"]): pull["author"] for pull in facts("pull_requests")}
        own = [r for r in facts("reviews") if r["reviewer"] == author[r["repository"], r["number"]]]
        assert own == []
