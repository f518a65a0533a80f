"""`vsm report --engine`: the report of the sample from an engine is that of the store, but for what it says it leaves out."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from vsm import cli
from vsm.report_words import markdown, text
from vsm.schema import schema
from vsm.warehouse.measured import LEFT_OUT

SAMPLE = Path(__file__).parents[3] / "sample_data"
CONFIG = ["--config", str(SAMPLE / "vsm.toml")]
WHERE_FROM = {"store", "sources", "facts", "engine"}


@pytest.fixture(scope="module")
def filled_duckdb(sample_duckdb) -> str:
    return f"duckdb://{sample_duckdb}"


@pytest.fixture(scope="module")
def everything(filled_duckdb) -> dict[str, Any]:
    """The report of everything from the engine."""
    return report("--engine", filled_duckdb)


def report(*options: str) -> dict[str, Any]:
    done = CliRunner().invoke(cli.vsm, ["report", "--format", "json", *CONFIG, *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def refused(capsys: pytest.CaptureFixture, *words: str) -> str:
    assert cli.run([*words]) == 2
    return capsys.readouterr().err


def without(told: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A document without what an engine leaves out (`handoffs.between_people`: within the handoffs); numbers to nine digits."""
    kept = {key: value for key, value in told.items() if key not in {*keys, *LEFT_OUT}}
    for whole, part in (key.split(".") for key in LEFT_OUT if "." in key):
        if isinstance(kept.get(whole), dict):
            kept[whole] = {key: value for key, value in kept[whole].items() if key != part}
    return {key: rounded(value) for key, value in kept.items()}


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def same(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Every key that the engine fills, of the whole and of each stream."""
    assert without(found, "streams", *WHERE_FROM) == without(expected, "streams", *WHERE_FROM)
    assert [without(one) for one in found["streams"]] == [without(one) for one in expected["streams"]]


def test_the_report_of_everything_is_that_of_the_store(sample_store, everything) -> None:
    same(report("--store", sample_store), everything)  # "now", too: the newest fact is an incident's
    assert everything["stages"] is None
    assert everything["streams"][0]["stages"][0]["queue_share"] is not None
    assert all(one["constraint"]["history"] and one["lead_time_lever"] for one in everything["streams"])
    assert everything["engine"]["sampled"] == []
    jsonschema.validate(everything, schema())


def test_the_report_of_a_team_some_time_ago_is_that_of_the_store(sample_store, filled_duckdb, everything) -> None:
    scope = ["--team", "Payments", "--stream", "checkout", "--to", "2026-09-30"]
    found = report("--engine", filled_duckdb, *scope)
    same(report("--store", sample_store, *scope), found)
    assert 0 < found["facts"]["events"] < everything["facts"]["events"]


def test_what_is_left_out_is_null_and_named_with_its_reason(everything) -> None:
    assert {one["key"]: one["reason"] for one in everything["engine"]["left_out"]} == LEFT_OUT
    found = everything["streams"][0]
    assert found["batch_size"]["p50"] is None
    assert found["handoffs"]["between_people"] == []
    assert found["forecast"]["hit_rate"] is not None  # promises of the past are checked by the counts of weeks alone
    for written in (text(everything), markdown(everything)):
        assert "Not counted there: " in written
        assert written.count("the checks read the sources' own facts") == 1


def test_a_companys_own_tables_are_read_by_the_names_that_the_configuration_gives_them(tmp_path, capsys) -> None:
    import duckdb

    with duckdb.connect(str(tmp_path / "own.duckdb")) as own:
        own.execute("CREATE SCHEMA jira")
        own.execute("CREATE TABLE jira.issues (key VARCHAR, created TIMESTAMP)")
        own.execute("INSERT INTO jira.issues VALUES ('A-1', '2026-03-02 08:00'), ('A-2', '2026-03-02 08:00')")
        own.execute("CREATE TABLE jira.changelog (issue VARCHAR, moved TIMESTAMP, status VARCHAR, id INTEGER)")
        own.execute("""INSERT INTO jira.changelog VALUES ('A-1', '2026-03-02 09:00', 'Doing', 1),
            ('A-1', '2026-03-04 09:00', 'Done', 2), ('A-2', '2026-03-05 09:00', 'Doing', 3)""")
        for name, columns in {
            "deployments": "deployment VARCHAR, application VARCHAR, finished_at TIMESTAMP",
            "changes": "change VARCHAR, merged_at TIMESTAMP",
            "deployment_changes": "deployment VARCHAR, change VARCHAR",
            "item_changes": "item VARCHAR, change VARCHAR",
            "remedies": "deployment VARCHAR, reason VARCHAR",
        }.items():
            own.execute(f"CREATE TABLE vsm_{name} ({columns})")
    (tmp_path / "vsm.toml").write_text("""
[[streams]]
name = "shop"
done = ["Done"]
[[streams.stages]]
name = "Dev"
active = ["Doing"]
[warehouse.tables]
items = "jira.issues"
events = "jira.changelog"
[warehouse.columns]
items = { item = "key", created_at = "created" }
events = { item = "issue", at = "moved", place = "id" }
""")
    url = f"duckdb://{tmp_path / 'own.duckdb'}"
    words = ["report", "--format", "json", "--engine", url, "--config", str(tmp_path / "vsm.toml")]
    told = json.loads(CliRunner().invoke(cli.vsm, words, catch_exceptions=False).stdout)
    assert told["flow"]["cycle_time"] == {"p50": 48.0, "p85": 48.0, "p95": 48.0, "n": 1, "of": "first work to done"}
    assert told["flow"]["wip"]["now"] == 1
    assert told["stages"][0]["dwell"]["total"] == 48.0
    assert told["dora"]["deployment_frequency"]["per_week"] is None
    assert cli.run([*words, "--fail-if", "cycle_time.p85 > 47"]) == 1
    assert "cycle_time.p85" in capsys.readouterr().err


def test_what_cannot_be_is_refused_in_one_sentence(tmp_path, capsys, monkeypatch, filled_duckdb) -> None:
    assert "no engine of that kind; expected duckdb://FILE" in refused(capsys, "report", "--engine", "oracle://x")
    empty = f"duckdb://{tmp_path / 'empty.duckdb'}"
    assert "has no table vsm_items to read" in refused(capsys, "report", "--engine", empty, *CONFIG)
    wrong = refused(capsys, "report", "--engine", "postgresql://me:secret@127.0.0.1:1/x", *CONFIG)
    assert "cannot be opened" in wrong
    assert "secret" not in wrong
    assert "leave them out with --engine" in refused(capsys, "report", "--engine", filled_duckdb, "--policy", "pm4py", *CONFIG)
    assert "no stream 'x'; expected one of 'checkout'" in refused(
        capsys, "report", "--engine", filled_duckdb, "--stream", "x", *CONFIG
    )
    (tmp_path / "bare.toml").write_text('[[streams]]\nname = "shop"\n')
    bare = refused(capsys, "report", "--engine", filled_duckdb, "--config", str(tmp_path / "bare.toml"))
    assert "'shop' has no stages in the configuration" in bare
    (tmp_path / "wrong.toml").write_text('[warehouse.columns.items]\nitem = "number"\n')
    wrong = refused(capsys, "report", "--engine", filled_duckdb, "--config", str(tmp_path / "wrong.toml"))
    assert "the table vsm_items has no column number, expected as items.item" in wrong
    monkeypatch.setitem(sys.modules, "ibis", None)
    assert "needs the extra [warehouse]" in refused(capsys, "report", "--engine", filled_duckdb, *CONFIG)
