"""A pack and a chart under pseudonyms have the same numbers, and none of the names, keys and titles that were there."""

import csv
import json
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from leaks import leaked
from pypdf import PdfReader

from vsm import cli, journal, store

SAMPLE = Path(__file__).parents[3] / "sample_data"
CONFIG = str(SAMPLE / "vsm.toml")
# Of each table the columns of which no value may be seen.
NAMED = {
    "tickets": ("key", "title", "url", "labels"),
    "repositories": ("url",),
    "commits": ("sha", "author", "subject", "message", "paths"),
    "pull_requests": ("title", "author", "source_branch", "url", "labels"),
    "reviews": ("reviewer",),
    "transitions": ("actor",),
    "identities": ("handle", "person"),
    "incidents": ("id", "title", "url"),
    "deployments": ("id", "url"),
    "builds": ("id", "job"),
}
WORDS = {"", "maintenance", "hotfix"}  # that decide what is counted
CHARTS = ("ageing_wip", "recovery")  # those that name items and deployments


def column(table: str, name: str) -> set[str]:
    with open(SAMPLE / "facts" / f"{table}.csv", newline="", encoding="utf-8") as file:
        return {row[name] for row in csv.DictReader(file)} - WORDS


SECRETS = {value for table, names in NAMED.items() for name in names for value in column(table, name)}
PERSON = min(column("identities", "person"))


@pytest.fixture(scope="module")
def noted(sample_store, tmp_path_factory) -> str:
    """The sample with a note and an experiment that name somebody."""
    path = tmp_path_factory.mktemp("noted") / "noted.db"
    shutil.copy(sample_store.removeprefix("sqlite:///"), path)
    with store.opened(f"sqlite:///{path}") as engine:
        at = datetime(2026, 9, 1, tzinfo=UTC)
        journal.add_note(engine, f"{PERSON} was away, see PAY-12", at, now=at)
        journal.add_experiment(engine, f"{PERSON} pairs", f"PAY-12 was slow for {PERSON}.", "cycle_time", at, now=at)
    return f"sqlite:///{path}"


def told(place: Path) -> dict[str, str]:
    with zipfile.ZipFile(place) as held:
        return {name: held.read(name).decode("utf-8", errors="replace") for name in held.namelist()}


def numbers(files: dict[str, str]) -> list[tuple[str, ...]]:
    defined = json.loads(files["definitions.json"])
    return [tuple(one[key] for key in ("name", "value", "before", "verdict")) for one in defined if "value" in one]


def test_a_pack_under_pseudonyms_says_the_same_numbers_of_nobody(noted, tmp_path):
    call = ["--store", noted, "--config", CONFIG, "--stream", "checkout", "--people"]
    call += [word for name in CHARTS for word in ("--chart", name)]
    for name, *more in (("plain.zip",), ("hidden.zip", "--pseudonyms")):
        assert cli.run(["export", "pack", str(tmp_path / name), *call, *more]) == 0
    plain, hidden = told(tmp_path / "plain.zip"), told(tmp_path / "hidden.zip")

    assert set(plain) == set(hidden)
    assert leaked(SECRETS, "\n".join(hidden.values())) == []
    assert len(leaked(SECRETS, "\n".join(plain.values()))) > 500
    assert numbers(plain) == numbers(hidden)
    assert [text.count("\n") for text in plain.values()] == [text.count("\n") for text in hidden.values()]
    assert "a note" in hidden["notes.csv"]
    assert "Experiment 1" in hidden["index.html"]


def test_a_chart_under_pseudonyms_names_nobody(noted, tmp_path):
    file = tmp_path / "chart.pdf"
    call = ["export", "chart", "ageing_wip", str(file), "--store", noted, "--config", CONFIG, "--stream", "checkout"]
    assert cli.run([*call, "--pseudonyms"]) == 0
    text = "".join(page.extract_text() for page in PdfReader(file).pages)
    assert "older than 85 %" in text
    assert leaked(SECRETS, text) == []
