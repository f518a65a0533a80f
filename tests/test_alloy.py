"""A real project end to end: the tickets, commits and releases of tidev/alloy, harvested from two sources and joined."""

import json
import subprocess
import zlib
from datetime import UTC, datetime

import pandas as pd
import pytest
from jira_cloud import TOKEN, JiraCloud

from vsm import cli, config, pipeline, store
from vsm.measure import measure
from vsm.metrics.figure import nearest_rank
from vsm.scope import Scope

CONFIG = """
[[sources]]
kind = "git"
path = "clone"
repository = "tidev/alloy"
application = "alloy"
release_tags = ["[0-9]*.[0-9]*", "!*[a-zA-Z]*"]

[[sources]]
kind = "jira"
url = "{url}"
token = "env:ALOY_TOKEN"
projects = ["ALOY"]
application = "alloy"
"""


@pytest.fixture
def alloy(recorded, served, tmp_path, monkeypatch):
    """The whole way from both sources to items, and the clone."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(clone)], check=True)
    stream = zlib.decompress((recorded / "git_history" / "alloy-history.fi.gz").read_bytes(), wbits=31)
    subprocess.run(["git", "-C", str(clone), "fast-import", "--quiet"], input=stream, check=True)
    site = JiraCloud(cloud=False, projects=["ALOY"], now=datetime(2021, 11, 1, tzinfo=UTC))
    for line in (recorded / "jira/tidev_alloy/issues.jsonl").read_text(encoding="utf-8").splitlines():
        site.recorded(json.loads(line))
    (tmp_path / "vsm.toml").write_text(CONFIG.format(url=served(site.handle).url))
    monkeypatch.setenv("ALOY_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["collect"]) == 0
    with store.opened("sqlite:///vsm.db", create=False) as engine:
        return pipeline.read(store.facts(engine), config.Config()), clone


def test_tickets_named_by_commits_reach_a_release_and_have_a_lead_time(alloy):
    flow, clone = alloy
    tickets = flow.streams[0].items.query("kind == 'ticket'")
    named = tickets[tickets["item"].isin(flow.links.item_changes["item"])]
    released = tickets[tickets["in_production_at"].notna()]
    days = (released["in_production_at"] - released["created_at"]) / pd.Timedelta(days=1)
    parts = flow.links.item_tickets.merge(flow.facts.tickets, left_on="ticket", right_on="key")
    assert len(flow.facts.tickets) == 935
    assert parts["type"].value_counts().to_dict() == {"Sub-task": 57, "Technical task": 9}
    assert (len(tickets), len(named), len(released)) == (865, 295, 212)
    assert (round(nearest_rank(days, 0.5), 1), round(nearest_rank(days, 0.85), 1)) == (140.7, 411.9)
    assert days.min() > 0
    assert checked_by_git(flow, clone, "ALOY-765") == ("1.3.0", released.set_index("item").loc["ALOY-765", "in_production_at"])


def test_links_between_tickets_are_told_once_and_those_that_block_what_is_in_progress_are_found(alloy):
    flow, _ = alloy
    assert flow.facts.ticket_links["kind"].value_counts().to_dict() == {
        "relates to": 208, "depends on": 165, "blocks": 37, "is cloned from": 17, "duplicates": 8, "is triggering": 6,
        "includes": 2,
    }  # fmt: skip
    found = measure(flow, Scope(flow.now - pd.Timedelta(days=182), flow.now)).figures["blocked_by"]
    assert found.values == {"now": 0, "share": 0}
    unread = "the ticket that blocks it was not read: TISTUD-7022"  # of another project
    assert found.left_out.to_dict("records") == [{"id": "ALOY-710", "reason": unread}]


def checked_by_git(flow, clone, ticket: str) -> tuple[str, pd.Timestamp]:
    """The first release that has the ticket's one change, and when it was tagged, as the git program tells it."""
    (change,) = flow.links.item_changes.loc[flow.links.item_changes["item"] == ticket, "change"]
    sha = flow.links.changes.set_index("change").loc[change, "sha"]
    command = ["git", "-C", str(clone), "tag", "--contains", sha, "--format=%(creatordate:unix) %(refname:strip=2)"]
    tags = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    first = min((int(at), name) for at, _, name in (line.partition(" ") for line in tags) if not any(map(str.isalpha, name)))
    return first[1], pd.Timestamp(first[0], unit="s", tz="UTC")
