"""`vsm path KEY`: the same path as the page's, as text and as JSON."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from vsm import cli
from vsm.path_commands import path

FACTS = {
    "tickets": "key,title,status,created_at,url\nPAY-1,\x1b[31m=evil <b> \u202ertl,Doing,2026-03-02T08:00:00Z,https://t.example/1\n",
    "transitions": "ticket,at,from_status,to_status,actor\nPAY-1,2026-03-02T10:00:00Z,To do,Doing,ann\n"
    "PAY-2,2026-03-03T10:00:00Z,To do,Doing,ann\n",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """Run the command on a small store."""
    place = tmp_path_factory.mktemp("path")
    (place / "facts").mkdir()
    for name, rows in FACTS.items():
        (place / "facts" / f"{name}.csv").write_text(rows, encoding="utf-8")
    (place / "vsm.toml").write_text('timezone = "Europe/Vienna"\n')
    store = f"sqlite:///{place / 'one.db'}"
    assert cli.run(["import", str(place / "facts"), "--store", store]) == 0

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(path, [*arguments, "--store", store, "--config", str(place / "vsm.toml")])

    return run


def test_as_text_in_the_reporting_zone(told: Callable[..., Result]) -> None:
    said = told("pay-1").output
    assert "Hours:  outside 2.0 h, unknown" in said
    assert "  2026-03-02 11:00  ticket     Moved from To do to Doing [Doing, active; Person 1]" in said
    assert "=evil <b>" in said
    assert not set("\x1b\u202e") & set(said)


def test_as_json_with_nothing_lost_and_nobody_named(told: Callable[..., Result]) -> None:
    document = json.loads(told("PAY-1", "--format", "json").output)
    assert {name: document[name] for name in ("item", "stream", "state", "url")} == {
        "item": "PAY-1", "stream": "everything", "state": "in progress", "url": "https://t.example/1",
    }  # fmt: skip
    assert [(row["event"], row["at"], row["person"]) for row in document["events"]] == [
        ("ticket.created", "2026-03-02T08:00:00Z", None),
        ("status", "2026-03-02T08:00:00Z", None),
        ("status", "2026-03-02T10:00:00Z", "Person 1"),
    ]
    assert [(row["kind"], row["to"]) for row in document["spans"]] == [("outside", "2026-03-02T10:00:00Z"), ("unknown", None)]


def test_as_things_were_then(told: Callable[..., Result]) -> None:
    document = json.loads(told("PAY-1", "--format", "json", "--to", "2026-03-02T09:00:00Z").output)
    assert (document["state"], len(document["events"])) == ("new", 2)


@pytest.mark.parametrize("key", ["PAY-404", "", "<img src=x>"])
def test_what_is_not_there_is_a_sentence(told: Callable[..., Result], key: str) -> None:
    error = told(key).exception
    assert str(error) == f"no item {key!r}; expected a ticket's key, such as PAY-12, or a change's id, such as shop#7"
