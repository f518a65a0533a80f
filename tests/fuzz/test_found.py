"""What fuzzing and hostile sources found, each by its name, so that it stays mended."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from collectors.base import Page
from collectors.harvest import harvest
from collectors.rebuild import rebuild
from vsm import cli, config, facts, models, pipeline, store
from vsm.measure import measure
from vsm.pseudonyms import Pseudonyms
from vsm.reverts import takes_back
from vsm.scope import Scope, window
from vsm.secrecy import concealed
from vsm.store import Facts

AT = "2026-03-02T10:00:00Z"


def test_a_columns_name_that_is_no_text_is_a_problem_of_the_row():
    with pytest.raises(models.RowError, match="names of columns that are UTF-8"):
        models.validate(models.Ticket, {"key": "PAY-1", "created_at": AT, "\udcff": 1})


def test_a_value_of_megabytes_is_not_repeated_in_what_is_said_of_it():
    with pytest.raises(models.RowError) as told:
        models.validate(models.Ticket, {"key": "PAY-1", "created_at": "x" * 10_000_000})
    assert len(str(told.value)) < 300


@pytest.mark.parametrize("text", ["timezone = " + "[" * 5_000, "timezone = " + "9" * 5_000])
def test_settings_too_deep_or_too_long_for_the_reader_are_a_sentence(text, tmp_path):
    with pytest.raises(config.ConfigError, match="not valid TOML"):
        config.parse(text, Path("vsm.toml"))
    (tmp_path / "facts.toml").write_text(text)
    (tmp_path / "tickets.csv").write_text(f"key,created_at\nPAY-1,{AT}\n")
    with pytest.raises(facts.FolderError, match="cannot be read as TOML"):
        facts.check(tmp_path)


def test_a_title_of_ten_thousand_reverts_is_read_to_its_end():
    assert takes_back('Revert "' * 10_001)
    assert not takes_back('Revert "' * 10_000)
    assert "text_" in Pseudonyms(b"a key", Facts.empty()).title('Revert "' * 10_000 + "x" + '"' * 10_000)


@pytest.mark.parametrize("word", ["x", "a-", "eyJ", "eyJ.", "a.", "token-", "a@", "Bearer ", "https://a:", "-----BEGIN A"])
def test_a_text_of_one_long_word_is_searched_for_secrets_in_one_go(word):
    """Searched from each of its letters, as it once was, a title of megabytes would take days."""
    text = word * (2_000_000 // len(word)) + " :// token=abcdef https://ann:hunter2@h"
    assert concealed(text).endswith(" :// token=*** https://ann:***@h")


@dataclass
class Lying:
    """A source of tickets whose answers are what a test says; the table is told by hand."""

    answers: list
    kind = "lying"
    name = "lying"
    fills = frozenset()

    def scope(self):
        return "tickets"

    def recall(self, cursors):
        pass

    def told(self, resource, external_id, answer):
        return {
            models.Ticket: [{"key": answer["key"], "title": answer["title"], "created_at": datetime.fromisoformat(answer["at"])}]
        }

    def pages(self, cursors, full):
        for number, page in enumerate(self.answers):
            yield Page(raw=[("ticket", one.get("key", "?"), one) for one in page], cursors={"tickets": {"page": number}})


class Silent:
    begins = page = ends = lambda self, *told: None


def good(key: str) -> dict:
    return {"key": key, "title": "A title", "at": AT}


def deep(levels: int) -> list:
    told: list = []
    for _ in range(levels):
        told = [told]
    return told


BAD = {
    "a key is missing": ({"key": "PAY-3"}, "there is no 'title'"),
    "another type": ({"key": "PAY-3", "title": "x", "at": 5}, "argument must be str"),
    "no such year": ({"key": "PAY-3", "title": "x", "at": "12026-01-01T00:00:00Z"}, "Invalid isoformat"),
    "a title that is a list": ({"key": "PAY-3", "title": ["x"], "at": AT}, "expected text"),
    "lists without end": ({"key": "PAY-3", "title": deep(5_000), "at": AT}, "lists and objects within each other"),
    "half a letter": ({"key": "PAY-3", "title": "\ud800", "at": AT}, "UTF-8"),
    "before the first year": ({"key": "PAY-3", "title": "x", "at": "0001-01-01T00:00:00+14:00"}, "a time in ISO 8601"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_none_is_one_sentence_and_nothing_of_its_page_is_saved(name, tmp_path):
    answer, said = BAD[name]
    engine = store.open_store(f"sqlite:///{tmp_path}/a.db")
    at = datetime(2026, 3, 3, tzinfo=UTC)
    (outcome,) = harvest(engine, [Lying([[good("PAY-1")], [good("PAY-2"), answer]])], Silent(), now=lambda: at)

    assert said in outcome.error
    assert "nothing of that page was saved" in outcome.error
    assert len(outcome.error) < 900
    assert list(store.facts(engine).tickets["key"]) == ["PAY-1"]
    with engine.connect() as connection:
        assert store.load_cursors(connection, "lying") == {"tickets": {"page": 0}}
    (outcome,) = harvest(engine, [Lying([[good("PAY-1")], [good("PAY-2"), good("PAY-3")]])], Silent(), now=lambda: at)
    assert outcome.error is None
    assert rebuild(engine, [Lying([])], lambda: at)[0].told == 3


def test_a_title_of_ten_megabytes_is_kept_and_read(tmp_path):
    engine = store.open_store(f"sqlite:///{tmp_path}/a.db")
    long = "PAY-1 a@b " * 1_000_000
    (outcome,) = harvest(
        engine, [Lying([[good("PAY-1") | {"title": long}]])], Silent(), now=lambda: datetime(2026, 3, 3, tzinfo=UTC)
    )
    assert outcome.error is None
    assert list(store.facts(engine).tickets["title"]) == [long]


@pytest.mark.filterwarnings("error")
def test_circles_of_parents_and_the_ends_of_the_calendar_are_measured_to_the_end():
    circle = [{"key": f"P-{number}", "created_at": AT, "parent": f"P-{(number + 1) % 3}"} for number in range(3)]
    far = {"key": "P-8", "created_at": "0001-01-01T00:00:00Z", "resolved_at": "9999-12-31T23:59:59Z"}
    moves = [{"ticket": "P-8", "at": at, "to_status": name} for at, name in ((AT, "Doing"), ("9999-12-31T23:59:59Z", "Done"))]
    commits = [
        {"repository": "shop", "sha": sha, "parents": parents, "authored_at": AT, "committed_at": AT, "subject": "x"}
        for sha, parents in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "d"), ("e", "a d"))
    ]
    deployed = [
        {"id": sha, "application": "shop", "environment": "production", "repository": "shop", "sha": sha, "finished_at": at,
         "result": "success"}
        for sha, at in (("a", "2026-03-03T00:00:00Z"), ("e", "2026-03-04T00:00:00Z"))
    ]  # fmt: skip
    every = Facts.of(
        tickets=[*circle, {"key": "P-9", "created_at": AT, "parent": "P-9"}, far], transitions=moves, commits=commits,
        deployments=deployed, repositories=[{"name": "shop", "head_sha": "e"}],
    )  # fmt: skip
    flow = pipeline.read(every, config.parse("", Path("vsm.toml")), pd.Timestamp("2026-03-31", tz="UTC"))
    found = measure(flow, Scope(*window(flow.now, flow.config.zone)))
    assert found.figures["deployment_frequency"].n == 2
    assert not found.quality.empty


def test_a_date_in_the_year_9999_is_no_end_of_a_report(tmp_path, capsys):
    (tmp_path / "tickets.csv").write_text(f"key,created_at\nPAY-1,{AT}\nPAY-2,9999-12-31T23:59:59Z\n")
    url = f"sqlite:///{tmp_path}/a.db"
    assert cli.run(["import", str(tmp_path), "--store", url]) == 0
    for options in ([], ["--to", "9999-12-31"], ["--to", "2026-03-31"], ["--from", "0001-01-01", "--to", "2026-03-31"]):
        status = cli.run(["report", "--store", url, *options])
        told = capsys.readouterr()
        assert status == 0 or (status == 2 and len(told.err.splitlines()) == 1), told.err


def test_done_tickets_of_which_no_history_is_known_are_reported(tmp_path):
    rows = "".join(f"PAY-{number},2026-03-{number:02}T10:00:00Z,2026-04-{number:02}T10:00:00Z,Done\n" for number in range(1, 29))
    (tmp_path / "tickets.csv").write_text("key,created_at,resolved_at,status\n" + rows)
    url = f"sqlite:///{tmp_path}/a.db"
    assert cli.run(["import", str(tmp_path), "--store", url]) == 0
    assert cli.run(["report", "--store", url]) == 0
