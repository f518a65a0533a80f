"""A real history and nothing else: what the report says of it, checked against the git program, and what it must not say."""

import gzip
import json
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vsm import cli, report_words
from vsm.copies import LIKE


@pytest.fixture(scope="module")
def clone(recorded, tmp_path_factory):
    """A clone rebuilt from pytest's recorded history."""
    path = tmp_path_factory.mktemp("history") / "project"
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(path)], check=True)
    stream = gzip.decompress((recorded / "git_history" / "pytest-history.fi.gz").read_bytes())
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=stream, check=True)
    return path


@pytest.fixture(scope="module")
def place(clone, tmp_path_factory):
    """A configuration and the URL of a store that was harvested with it, as a user would."""
    folder = tmp_path_factory.mktemp("store")
    config = folder / "vsm.toml"
    config.write_text(f'[[sources]]\nkind = "git"\npath = "{clone}"\napplication = "project"\nrelease_tags = "*"\n')
    url = f"sqlite:///{folder / 'vsm.db'}"
    assert cli.run(["collect", "git", "--store", url, "--config", str(config)]) == 0
    return ["--store", url, "--config", str(config)]


def said(capsys, *arguments):
    assert cli.run(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.fixture
def report(place, capsys):
    """The report of a window as JSON."""

    def told(*options):
        capsys.readouterr()
        return json.loads(said(capsys, "report", "--format", "json", *place, *options))

    return told


def git(clone, *arguments):
    return subprocess.run(["git", "-C", str(clone), *arguments], capture_output=True, check=True, text=True).stdout


def tagged(clone, start, end):
    """How many tags git dates into a window, both ends included: the tagger's date, or a plain tag's commit's."""
    dates = [int(line) for line in git(clone, "for-each-ref", "--format=%(creatordate:unix)", "refs/tags").split()]
    return sum(start <= datetime.fromtimestamp(date, UTC) <= end for date in dates)


@pytest.mark.parametrize(("start", "end"), [("2015-01-01", "2019-12-31"), ("2026-02-01", "2026-08-20")])
def test_releases_are_deployments(report, clone, start, end):
    told = report("--from", start, "--to", end)
    window = told["window"]

    often = told["dora"]["deployment_frequency"]
    assert often["n"] == tagged(clone, datetime.fromisoformat(window["from"]), datetime.fromisoformat(window["to"]))
    days = (datetime.fromisoformat(window["to"]) - datetime.fromisoformat(window["from"])).total_seconds() / 86400
    assert often["per_week"] == pytest.approx(often["n"] / (days / 7))


def test_the_report_says_which_refs_it_speaks_of(place, clone, capsys):
    capsys.readouterr()

    assert f"all refs of {clone} (1 branch, 224 tags)" in said(capsys, "report", *place)


def test_every_fact_is_counted_as_git_counts_it(report, clone):
    facts = report()["facts"]

    assert facts["commits"] == int(git(clone, "rev-list", "--all", "--count")) == 18591
    assert facts["tags"] == facts["deployments"] == len(git(clone, "tag").split()) == 224


def test_a_change_came_with_the_first_release_that_contains_it(place, clone, capsys):
    """Checked against `git tag --contains` for a sample of changes."""
    capsys.readouterr()
    explained = json.loads(
        said(capsys, "explain", "change_lead_time", "--format", "json", *place, "--from", "2022-01-01", "--to", "2022-12-31")
    )

    rows = explained["rows"]
    assert len(rows) == explained["n"] > 100
    dates = dict(
        line.split(" ")
        for line in git(clone, "for-each-ref", "--format=%(refname:short) %(creatordate:unix)", "refs/tags").splitlines()
    )
    log = git(clone, "log", "main", "--first-parent", "--format=%H %s", "--grep=^Merge pull request #").splitlines()
    merges = {line.split("#")[1].split(" ")[0]: line.split(" ")[0] for line in log if " Merge pull request #" in line}
    checked = 0
    for row in rows[:: max(1, len(rows) // 12)]:
        number = row["change"].rpartition("#")[2]
        if number not in merges:
            continue
        if row["rule"] == LIKE:
            continue
        first = min(git(clone, "tag", "--contains", merges[number]).split(), key=lambda tag: int(dates[tag]))
        assert row["deployment"] == f"git:project:{first}"
        checked += 1
    assert checked >= 5


def test_what_could_not_be_measured_is_said_with_its_reason(place, capsys):
    capsys.readouterr()
    explained = json.loads(
        said(capsys, "explain", "change_lead_time", "--format", "json", *place, "--from", "2025-01-01", "--to", "2025-12-31")
    )

    reasons = Counter(row["reason"] for row in explained["left_out"])
    assert any("squash" in reason for reason in reasons)
    assert explained["n"] < explained["of"]
    assert explained["coverage"] == pytest.approx(explained["n"] / explained["of"])


def test_reverts_are_failures(report, place, capsys):
    told = report("--from", "2015-01-01", "--to", "2024-12-31")["dora"]["change_fail_rate"]
    explained = json.loads(
        said(capsys, "explain", "change_fail_rate", "--format", "json", *place, "--from", "2015-01-01", "--to", "2024-12-31")
    )

    assert told["failed"] > 0
    assert {row["reason"] for row in explained["rows"] if row["failed"]} <= {"revert", "hotfix", "rollback"}
    assert any(row["failed"] and row["reason"] == "revert" for row in explained["rows"])


def test_the_figures_are_those_of_the_worked_example(report):
    """And the reverts of what had been released long before are no failures."""
    page = (Path(__file__).parents[1] / "docs" / "dora-worked-example.md").read_text(encoding="utf-8")
    rows = page[page.index("| 2015 to 2024 |") :].split("\n\n")[0].splitlines()[2:]
    told = report("--from", "2015-01-01", "--to", "2024-12-31")["dora"]

    assert [f"| {name} | {value} | {n} |" for name, value, n, _ in report_words._dora_rows(told)] == rows


def test_a_planned_release_with_an_old_revert_is_neither_a_failure_nor_unplanned(place, capsys):
    window = ("--from", "2026-06-01", "--to", "2026-06-30")
    capsys.readouterr()
    rework, fails = (
        json.loads(said(capsys, "explain", name, "--format", "json", *place, *window))
        for name in ("deployment_rework_rate", "change_fail_rate")
    )

    assert [row["deployment"] for row in rework["rows"] if row["unplanned"]] == []
    assert "git:project:9.1.0" in {row["deployment"] for row in rework["rows"]}
    assert any("217 days after git:project:9.0.0 had brought it: more than 28 days" in row["reason"]
               for row in fails["left_out"])  # fmt: skip


def test_what_git_alone_cannot_tell_is_no_data(report):
    told = report()

    assert told["coverage"]["tickets_linked"] == {"value": None, "n": 0}
    assert told["coverage"]["incidents_linked"] == {"value": None, "n": 0}
    assert told["dora"]["change_lead_time"]["parts"]["review"]["n"] == 0
    assert told["dora"]["change_lead_time"]["parts"]["review"]["p50"] is None
    assert told["flow"]["flow_efficiency"]["value"] is None
    assert told["workflow"]["derived"]
