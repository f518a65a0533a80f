"""What is shared under pseudonyms names nobody and nothing, links as before, and tells the same numbers."""

import csv
import json
import math
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from leaks import leaked

from vsm import cli, config, pipeline
from vsm.disguise import disguised, names_of
from vsm.pseudonyms import Pseudonyms
from vsm.store import Facts

ROOT = Path(__file__).parents[2]
FACTS = ROOT / "sample_data" / "facts"
CONFIG = str(ROOT / "sample_data" / "vsm.toml")
SECRET = b"a secret of some length"
# Of each table the columns of which no value may be seen.
NAMED = {
    "tickets": ("key", "title", "url", "labels"),
    "repositories": ("name", "url"),
    "commits": ("sha", "author", "subject", "message", "paths"),
    "pull_requests": ("title", "author", "source_branch", "url", "labels"),
    "reviews": ("reviewer",),
    "transitions": ("actor",),
    "identities": ("handle", "person"),
    "incidents": ("id", "title", "url"),
    "deployments": ("id", "url"),
    "builds": ("id", "job"),
}


def column(table: str, name: str) -> set[str]:
    with open(FACTS / f"{table}.csv", newline="", encoding="utf-8") as file:
        return {row[name] for row in csv.DictReader(file)} - {"", "maintenance", "hotfix"}  # words that decide what is counted


@pytest.fixture(scope="module")
def shared(tmp_path_factory, sample_copy) -> Path:
    """The sample under pseudonyms, in every form."""
    folder = tmp_path_factory.mktemp("shared")
    for kind, name in (("facts", "facts"), ("csv", "csv"), ("ocel", "log.json"), ("ocel", "log.sqlite"), ("xes", "log.xes")):
        call = ["export", kind, str(folder / name), "--store", sample_copy, "--config", CONFIG, "--pseudonyms"]
        with redirect_stdout(StringIO()):
            assert cli.run(call) == 0
    return folder


@pytest.fixture(scope="module")
def sample_copy(tmp_path_factory) -> str:
    """A store of the sample that may be written to."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sample') / 'sample.db'}"
    with redirect_stdout(StringIO()):
        assert cli.run(["import", str(FACTS), "--store", url]) == 0
    return url


def report(store: str, settings: str) -> dict:
    with redirect_stdout(StringIO()) as out:
        assert cli.run(["report", "--store", store, "--config", settings, "--format", "json"]) == 0
    told = json.loads(out.getvalue())
    del told["store"], told["sources"]
    for body in (told, *told["streams"]):  # in the order of the people's names, which are other ones
        body["handoffs"]["between_people"] = sorted(edge["n"] for edge in body["handoffs"]["between_people"])
    return told


def differences(one: object, other: object, place: str = "") -> list[str]:
    """Where two documents differ; sums of the same numbers in another order may do so in the last digit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [line for key in one.keys() | other.keys() for line in differences(one.get(key), other.get(key), f"{place}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [line for at, pair in enumerate(zip(one, other, strict=True)) for line in differences(*pair, f"{place}[{at}]")]
    if isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=1e-9):
        return []
    return [] if one == other else [f"{place}: {one!r}, {other!r}"]


def test_no_name_of_the_sample_is_in_any_byte(shared):
    secrets = {value for table, names in NAMED.items() for name in names for value in column(table, name)}
    assert len(secrets) > 10_000
    files = [path for path in shared.rglob("*") if path.is_file()]
    assert len(files) > 25
    for path in files:
        text = path.read_bytes().decode("utf-8", errors="replace")
        assert leaked(secrets, text) == [], path.name


def test_the_store_that_is_made_of_it_tells_the_same_numbers(shared, sample_copy, tmp_path):
    url = f"sqlite:///{tmp_path}/again.db"
    assert cli.run(["import", str(shared / "facts"), "--store", url]) == 0
    assert differences(report(sample_copy, CONFIG), report(url, str(shared / "facts" / "vsm.toml"))) == []


def test_every_export_of_a_store_gives_the_same_names(shared):
    with open(shared / "csv" / "items.csv", newline="", encoding="utf-8") as items:
        tickets = {row["item"] for row in csv.DictReader(items) if row["kind"] == "ticket"}
    with open(shared / "facts" / "tickets.csv", newline="", encoding="utf-8") as facts:
        assert tickets < {row["key"] for row in csv.DictReader(facts)}
    log = json.loads((shared / "log.json").read_text())
    assert {f"ticket:{key}" for key in tickets} < {one["id"] for one in log["objects"]}
    text = (shared / "log.xes").read_text()
    with open(shared / "csv" / "visits.csv", newline="", encoding="utf-8") as visits:
        visiting = {row["item"] for row in csv.DictReader(visits)}
    assert all(f'<trace><string key="concept:name" value="{item}"/>' in text for item in visiting)


def test_another_key_gives_other_names_and_the_same_key_the_same(told):
    facts = told(tickets="PAY-1: Todo 0, Done 1")
    one, again, other = (Pseudonyms(secret, facts).ticket("PAY-1") for secret in (SECRET, SECRET, b"another"))
    assert (one == again, one == other) == (True, False)


def hidden(facts: Facts, settings: str = "") -> tuple[Facts, config.Config, Pseudonyms]:
    plain = config.parse(settings, Path("vsm.toml"))
    names = names_of(facts, plain, SECRET)
    return *disguised(facts, plain, names), names


def linked(facts: Facts, told: config.Config) -> dict[str, int | list]:
    """How much is linked to what, and by which rules."""
    found = pipeline.read(facts, told).links
    return {
        "tickets": sorted(found.change_tickets["rule"]), "items": sorted(found.item_changes["rule"]),
        "reverts": int(found.changes["reverts"].notna().sum()), "again": int(found.changes["reapplies"].notna().sum()),
        "deployed": sorted(found.deployment_changes["rule"]), "hotfixes": sorted(found.deployments["hotfix_rule"].dropna()),
        "incidents": sorted(found.incidents["rule"].dropna()), "excluded": sorted(found.excluded_incidents["id"].notna()),
        "placed": len(found.unplaced_changes), "applications": int(found.changes["application"].nunique()),
    }  # fmt: skip


MIXED = {
    "code": """
        a at=1 | Start
        b at=2 < a | Sort (#1)
        c at=3 < b | Revert "Sort (#1)" (#2)\\n\\nReverts ann/shop#1
        d at=4 < c | Reapply "Sort (#1)"\\n\\nThis reverts commit c00000000.
        e at=5 < d | Hotfix: the till\\n\\nsee pay-2 and UTF-8
        f at=6 < e | Merge branch 'hotfix/PAY-3'
    """,
    "pulls": """
        1 sha=b branch=feature/old_PAY-1-sort merged=2 created=1 labels=HotFix author=Ann "title=Sort (#1)"
        2 sha=c branch=revert-1-sort merged=3 created=3 author=ann 'title=Revert "Sort (#1)"'
    """,
    "tickets": "PAY-1: Todo 0, Done 9\nPAY-2: Todo 0, Done 9\nPAY-3: Todo 0, Done 9",
    "deployments": "d1 sha=a at=1.5\nd2 sha=c at=3.5\nd3 sha=e at=5.5 ref=hotfix-till\nd4 sha=f at=7",
    "incidents": 'i1 opened=4 "title=Till down" labels=Mine\ni2 opened=5 "title=a DRILL again"\ni3 opened=6 labels=drill',
}


def test_what_links_keeps_linking(told):
    settings = '[incidents]\nexclude_labels = ["Drill"]\nexclude_titles = ["drill.*"]\n'
    facts = told(**MIXED)
    other, config_of, _ = hidden(facts, settings)
    before, after = linked(facts, config.parse(settings, Path("vsm.toml"))), linked(other, config_of)
    assert before == after
    assert before["reverts"] == 1
    assert before["tickets"]
    assert before["hotfixes"]
    assert before["excluded"] == [True, True]


def test_words_that_numbers_are_told_in_stay_and_those_with_a_name_in_them_go(told):
    facts = told(tickets="PAY-1 team=Blue type=Story: Todo 0, Done 1", identities='git ann "person=Ann Lee"')
    names = Pseudonyms(SECRET, facts)
    assert [names.kept(word) for word in ("In review", "Blue", "production")] == ["In review", "Blue", "production"]
    assert all(names.kept(word).startswith("word-") for word in ("Team of Ann Lee", "Blocked by PAY-1"))


def test_one_person_stays_one_and_a_program_a_program(told):
    names = Pseudonyms(SECRET, told())
    assert names.person("Ann").casefold() == names.person("ann").casefold()
    assert names.person("Ann") != names.person("ann")
    assert names.person("fixer[bot]").endswith("[bot]")
    assert names.person("bot:fixer").startswith("bot:")


def test_path_rules_place_as_before_and_no_path_is_seen(told):
    settings = "".join(
        f'[[applications]]\nname = "{name}"\nrepository = "shop"\npaths = ["{path}"]\n'
        for name, path in (("till", "services/till/**"), ("docs", "**/*.md"))
    )
    commits = [
        {"repository": "shop", "sha": sha, "authored_at": f"2026-03-0{at}T00:00:00Z", "committed_at": f"2026-03-0{at}T00:00:00Z",
         "parents": parents, "paths": paths, "subject": sha}
        for at, (sha, parents, paths) in enumerate(
            [("a" * 40, "", "services/till/a.py;README.md"), ("b" * 40, "a" * 40, "docs/x.md"), ("c" * 40, "b" * 40, "setup.py")], 1
        )
    ]  # fmt: skip
    facts = Facts.of(commits=commits)
    other, config_of, names = hidden(facts, settings)
    one, two = pipeline.read(facts, config.parse(settings, Path("vsm.toml"))), pipeline.read(other, config_of)
    place = {names.repository("shop") + "@" + names.sha(sha * 40)[:12]: f"shop@{sha * 12}" for sha in "abc"}
    before, after = (dict(zip(of.links.changes["change"], of.links.changes["application"], strict=True)) for of in (one, two))
    assert {place[change]: name for change, name in after.items()} == before | {f"shop@{'c' * 12}": names.kept("shop")}
    assert set(before.values()) == {"till", "docs", "shop"}
    assert not other.commits["paths"].str.contains("till|docs|setup|README").any()


def test_a_short_secret_is_refused(sample_copy, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VSM_PSEUDONYM_KEY", "short")
    assert cli.run(["export", "facts", str(tmp_path / "out"), "--store", sample_copy, "--pseudonyms"]) == 2
    assert "VSM_PSEUDONYM_KEY: expected a secret of 16 characters or more" in capsys.readouterr().err
