"""Whoever asks to be forgotten is: everywhere, for good, and without a number that changes."""

import json
import shutil
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vsm import cli, erasure, facts, journal, models, store
from vsm.config import load
from vsm.erased import Erased
from vsm.errors import UsageError
from vsm.store import Engine

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "sample_data"
WHO = Erased("00" * 16, {}).with_names(["ann", "Ann Lee", "mail:ab12", "Ann van Dyck"], "erased-1")
Told = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Reviewed by Ann Lee, thanks", "Reviewed by erased-1, thanks"),
        ("ask ANN LEE.", "ask erased-1."),
        ("ask Ann van Dyck!", "ask erased-1!"),
        ("@ann please look; cc @annika", "@erased-1 please look; cc @annika"),
        ("Co-authored-by: Ann Lee <mail:ab12>", "Co-authored-by: erased-1 <erased-1>"),
        ("ann/fix-login", "erased-1/fix-login"),
        ("an ann in a sentence stays", "an ann in a sentence stays"),
        ("Ann  Lee", "erased-1"),
        ("nothing at all", "nothing at all"),
        ("", ""),
    ],
)
def test_names_go_from_texts_where_they_can_only_be_names(text: str, left: str) -> None:
    assert WHO.text(text) == left


def test_a_name_alone_goes_from_an_answer_however_deep() -> None:
    answer = {"user": {"login": "ann", "id": 7}, "labels": ["annoying"], "by": [{"name": "Ann Lee"}], "none": None}
    assert WHO.value(answer) == {
        "user": {"login": "erased-1", "id": 7},
        "labels": ["annoying"],
        "by": [{"name": "erased-1"}],
        "none": None,
    }


def test_what_is_kept_of_a_name_is_no_name() -> None:
    assert "ann" not in json.dumps(WHO.state)
    assert Erased.of(WHO.state) == WHO
    assert Erased.of(None) is None


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A store in which Ann is an account, a name, a commit's address, and a word in texts."""
    made = store.open_store(f"sqlite:///{tmp_path}/vsm.db")
    harvest = store.begin_harvest(made, "jira", "jira", "all of Ann Lee's", at=AT)
    with store.transaction(made) as connection:
        save(connection, "tickets", {"key": "A-1", "created_at": AT, "title": "Ann Lee cannot pay"})
        save(connection, "transitions", {"ticket": "A-1", "at": AT, "to_status": "Done", "actor": "acc-77"})
        save(
            connection,
            "ticket_changes",
            {"ticket": "A-1", "at": AT, "field": "assignee", "to": "acc-77", "from": "acc-9", "actor": "acc-9"},
        )
        save(
            connection,
            "commits",
            {
                "repository": "shop",
                "sha": "a" * 40,
                "authored_at": AT,
                "committed_at": AT,
                "author": "mail:ab12",
                "message": "Fix (Ann Lee)",
            },
        )
        save(
            connection,
            "reviews",
            {"repository": "shop", "number": 1, "submitted_at": AT, "reviewer": "annlee", "state": "approved"},
        )
        for source, handle in (("jira", "acc-77"), ("git", "mail:ab12"), ("github", "annlee")):
            save(connection, "identities", {"source": source, "handle": handle, "person": "Ann Lee"})
        save(connection, "identities", {"source": "jira", "handle": "acc-9", "person": "Bo Berg"})
        answers = [("1", {"author": {"accountId": "acc-77", "displayName": "Ann Lee"}}), ("2", {"author": {"accountId": "acc-9"}})]
        store.save_raw(connection, "jira", "issue", answers, harvest=harvest, at=AT)
        delivery = {"source": "jira", "delivery": "d1", "received_at": AT, "body": b'{"user": "acc-77"}'}
        connection.execute(sa.insert(store.table_of(models.WebhookDelivery)), delivery)
    store.finish_harvest(made, harvest, at=AT, status="failed", rows=1, changed=1, error="Ann Lee is not there")
    journal.add_note(made, "Ann Lee joined", AT, now=AT)
    yield made
    made.dispose()


def save(connection: Any, table: str, row: dict[str, Any]) -> None:
    store.save(connection, table, [row], origin="jira")


def everything(engine: Engine) -> str:
    """All that a store holds, as text."""
    told = []
    with engine.connect() as connection:
        for table in models.SQLModel.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                told += [
                    zlib.decompress(value).decode() if table.name == "raw_records" and isinstance(value, bytes) else str(value)
                    for value in row
                ]
    return "\n".join(told).casefold()


@pytest.mark.parametrize("called", ["acc-77", "ann lee", "mail:ab12", "AnnLee"])
def test_a_person_is_found_by_any_of_their_names(engine: Engine, called: str) -> None:
    assert erasure.find(engine, load(None), called).names == ("Ann Lee", "acc-77", "annlee", "mail:ab12")


def test_nobody_is_said_to_be_nobody(engine: Engine) -> None:
    with pytest.raises(UsageError, match="knows nobody called 'cy'"):
        erasure.find(engine, load(None), "cy")


def test_every_name_goes_from_every_table_and_from_the_bytes_of_the_file(engine: Engine, tmp_path: Path) -> None:
    changed = erasure.erase(engine, erasure.find(engine, load(None), "annlee"), at=AT)
    assert changed == {
        "tickets": 1, "transitions": 1, "ticket_changes": 1, "commits": 1, "reviews": 1, "identities": 3,
        "raw_records": 1, "webhook_deliveries": 1, "harvests": 1, "notes": 1,
    }  # fmt: skip
    left = everything(engine)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("vsm.db*")).lower()
    for name in ("ann lee", "acc-77", "annlee", "mail:ab12"):
        assert name not in left
        assert name.encode() not in kept
    assert "bo berg" in left, "others stay"
    found = store.facts(engine)
    aliases = {*found.transitions["actor"], *found.commits["author"], *found.reviews["reviewer"], *found.identities["person"]} - {
        "Bo Berg"
    }
    assert len(aliases) == 1, "one person stays one person"


def test_what_a_source_tells_again_comes_in_without_the_name(engine: Engine) -> None:
    erasure.erase(engine, erasure.find(engine, load(None), "annlee"), at=AT)
    alias = store.facts(engine).transitions["actor"].iloc[0]
    with store.transaction(engine) as connection:
        save(connection, "transitions", {"ticket": "A-2", "at": AT, "to_status": "Done", "actor": "ACC-77"})
        save(connection, "identities", {"source": "jira", "handle": "acc-77", "person": "Ann Lee"})
        store.complete(connection, models.Ticket, [{"key": "A-3", "created_at": AT, "title": "For Ann Lee"}], origin="event")
        store.save_raw(connection, "jira", "issue", [("3", {"by": "acc-77"})], harvest=1, at=AT)
    found = store.facts(engine)
    assert list(found.transitions["actor"]) == [alias, alias]
    assert found.tickets.set_index("key")["title"]["A-3"] == f"For {alias}"
    assert sorted(found.identities["person"]) == ["Bo Berg", alias, alias, alias]
    assert not any(name in everything(engine) for name in ("ann lee", "acc-77"))


def test_a_rehearsal_changes_nothing(engine: Engine) -> None:
    before = everything(engine)
    assert erasure.erase(engine, erasure.find(engine, load(None), "annlee"), at=AT, rehearse=True)["identities"] == 3
    assert everything(engine) == before


def test_no_number_of_the_sample_changes_and_its_facts_come_in_again_without_the_name(tmp_path: Path, capsys: Told) -> None:
    url, config = f"sqlite:///{tmp_path}/vsm.db", ["--config", str(SAMPLE / "vsm.toml")]
    with store.opened(url) as engine:
        facts.load(engine, facts.check(SAMPLE / "facts", None), lambda: AT)
        person = store.facts(engine).identities["person"].iloc[0]

    def told() -> dict[str, Any]:
        assert cli.run(["report", "--format", "json", "--store", url, *config]) == 0
        report = json.loads(capsys.readouterr().out)
        for part in [report, *report["streams"]]:  # who is Person 7 depends on the names
            part["handoffs"]["between_people"] = sorted(pair["n"] for pair in part["handoffs"]["between_people"])
        report["quality"] = [check | {"remedy": None} for check in report["quality"]]
        return report

    before = told()
    assert cli.run(["erase", person, "--store", url, *config]) == 0
    assert "nothing was changed" in capsys.readouterr().err
    assert cli.run(["erase", person, "--store", url, *config, "--yes"]) == 0
    assert "rows changed" in capsys.readouterr().out
    assert told() == before
    copy = tmp_path / "facts"
    shutil.copytree(SAMPLE / "facts", copy)
    assert cli.run(["import", str(copy), "--store", url]) == 0
    assert not capsys.readouterr().err
    with store.opened(url) as engine:
        assert person.casefold() not in everything(engine)
