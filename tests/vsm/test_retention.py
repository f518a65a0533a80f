"""What is over for longer than it is kept goes with all its parts; what is open, or runs now, stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vsm import audit, cli, models, retention, store
from vsm.config import Retention
from vsm.store import Engine

NOW = datetime(2026, 9, 1, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=400), NOW - timedelta(days=10)
YEAR = Retention(facts_days=365)
Told = pytest.CaptureFixture[str]


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    made = store.open_store(f"sqlite:///{tmp_path}/vsm.db")
    yield made
    made.dispose()


def save(engine: Engine, **tables: list[dict[str, Any]]) -> None:
    with store.transaction(engine) as connection:
        for table, rows in tables.items():
            store.save(connection, table, rows, origin="jira")


def ticket(key: str, resolved: datetime | None, moved: datetime = OLD) -> dict[str, list[dict[str, Any]]]:
    return {
        "tickets": [{"key": key, "created_at": OLD, "resolved_at": resolved}],
        "transitions": [{"ticket": key, "at": moved, "to_status": "Done"}],
        "ticket_changes": [{"ticket": key, "at": OLD, "field": "assignee"}],
        "ticket_links": [{"ticket": key, "kind": "blocks", "other": "X"}],
    }


@pytest.mark.parametrize(
    ("resolved", "moved", "goes"), [(OLD, OLD, True), (None, OLD, False), (NEW, OLD, False), (OLD, NEW, False)]
)
def test_a_ticket_goes_with_its_parts_once_it_is_over(engine: Engine, resolved: Any, moved: datetime, goes: bool) -> None:
    save(engine, **ticket("A", resolved, moved))
    gone = retention.prune(engine, YEAR, now=NOW)
    assert gone == (dict.fromkeys(("transitions", "ticket_changes", "ticket_links", "tickets"), 1) if goes else {})
    assert [len(getattr(store.facts(engine), table)) for table in ("tickets", "transitions")] == ([0, 0] if goes else [1, 1])


def test_a_pull_request_goes_with_its_commits_and_leaves_those_that_another_names(engine: Engine) -> None:
    commit = {"repository": "shop", "authored_at": OLD, "committed_at": OLD}
    save(
        engine,
        pull_requests=[{"repository": "shop", "number": 1, "merged_at": OLD}, {"repository": "shop", "number": 2}],
        pull_request_commits=[{"repository": "shop", "number": number, "sha": sha} for number, sha in ((1, "a"), (2, "b"))],
        reviews=[{"repository": "shop", "number": 1, "submitted_at": OLD, "state": "approved"}],
        commits=[commit | {"sha": sha} for sha in "abc"],
        tags=[{"repository": "shop", "name": "v1", "sha": "c"}],
    )
    assert retention.prune(engine, YEAR, now=NOW) == {"pull_request_commits": 1, "reviews": 1, "pull_requests": 1, "commits": 1}
    assert list(store.facts(engine).commits["sha"]) == ["b", "c"]


def test_what_an_application_runs_now_stays_however_old(engine: Engine) -> None:
    def deployed(key: str, days: int, result: str = "success") -> dict[str, Any]:
        at = OLD + timedelta(days=days)
        return {"id": key, "application": "shop", "environment": "production", "finished_at": at, "result": result}

    save(engine, deployments=[deployed("1", 0), deployed("2", 1), deployed("3", 2, "failure")])
    assert retention.prune(engine, YEAR, now=NOW) == {"deployments": 2}
    assert list(store.facts(engine).deployments["id"]) == ["2"]


def test_answers_messages_and_who_did_what_have_their_own_times(engine: Engine) -> None:
    harvest = store.begin_harvest(engine, "jira", "jira", "all", at=OLD)
    for key, at in (("old", OLD), ("new", NEW)):
        audit.add(engine, "ann", "note.add", None, now=at)
        with store.transaction(engine) as connection:
            store.save_raw(connection, "jira", "issue", [(key, {"a": 1})], harvest=harvest, at=at)
            row = {"source": "jira", "delivery": key, "received_at": at, "body": b"{}"}
            connection.execute(sa.insert(store.table_of(models.WebhookDelivery)), row)
    kept = Retention(raw_days=365, deliveries_days=30, audit_days=365)
    assert retention.prune(engine, kept, now=NOW) == {"raw_records": 1, "webhook_deliveries": 1, "audit": 1}
    assert [key for _, key, _ in store.raw_records(engine, "jira")] == ["new"]
    assert list(audit.entries(engine)["at"]) == [NEW]


def test_a_rehearsal_changes_nothing_and_a_pruned_store_has_another_version(engine: Engine) -> None:
    save(engine, **ticket("A", OLD))
    before = store.version(engine)
    assert retention.prune(engine, YEAR, now=NOW, rehearse=True)["tickets"] == 1
    assert store.version(engine) == before
    retention.prune(engine, YEAR, now=NOW)
    assert store.version(engine) != before
    assert store.filled_at(store.harvests(engine)) is None, "nothing was read from a source"


def test_the_command_asks_first_and_needs_to_be_told_how_long(tmp_path: Path, engine: Engine, capsys: Told) -> None:
    save(engine, **ticket("A", OLD))
    config = tmp_path / "vsm.toml"
    call = ["prune", "--store", str(engine.url), "--config", str(config)]
    config.write_text("")
    assert cli.run(call) == 2
    assert "say in [retention] how many days" in capsys.readouterr().err
    config.write_text("[retention]\nfacts_days = 0\n")
    assert cli.run(call) == 2
    config.write_text("[retention]\nfacts_days = 30\n")
    assert cli.run(call) == 0
    assert "would go" in capsys.readouterr().out
    assert len(store.facts(engine).tickets) == 1
    assert cli.run([*call, "--yes"]) == 0
    assert len(store.facts(engine).tickets) == 0
    assert list(audit.entries(engine)["what"]) == ["store.prune"]
