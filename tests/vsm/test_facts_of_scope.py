"""The facts of a scope, imported elsewhere, tell the scope's numbers, and hold nothing that these do not need."""

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from vsm import cli, config, pipeline
from vsm.facts_of_scope import facts_of
from vsm.scope import Scope

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "sample_data" / "vsm.toml")
# What looks at all facts that are there, or at the window before: see docs/exports.md.
BACK = ("forecast", "lead_time_lever", "constraint")


def said(*call: str) -> str:
    with redirect_stdout(StringIO()) as out:
        assert cli.run(list(call)) == 0
    return out.getvalue()


def report(store: str, settings: str, *options: str) -> dict:
    text = said("report", "--store", store, "--config", settings, "--format", "json", *options)
    told = json.loads(
        text, parse_float=lambda number: float(f"{float(number):.9g}")
    )  # sums in another order differ in the last digit
    told["streams"] = [
        body for body in told["streams"] if body["flow"]["throughput_per_week"]["n"]
    ]  # others have nothing of the scope
    for name in ("store", "sources", "facts"):
        told.pop(name, None)
    for body in (told, *told["streams"]):
        del body["quality"]
        body["handoffs"]["between_people"] = sorted(edge["n"] for edge in body["handoffs"]["between_people"])
        body["waste"] = [one for one in body["waste"] if one["class"] != "task switching"]
    return told


def taken_along(store: str, tmp_path: Path, *options: str) -> tuple[str, str]:
    """The store of an export, and the instant that the export names."""
    url, folder = f"sqlite:///{tmp_path}/part.db", str(tmp_path / "part")
    instant = said("export", "facts", folder, "--store", store, "--config", CONFIG, *options).split("as of ")[1].strip()
    said("import", folder, "--store", url)
    return url, instant


@pytest.mark.parametrize("options", [("--team", "Basket"), ("--application", "payments")])
def test_a_scope_tells_the_same_numbers_from_its_own_facts(sample_store, tmp_path, options):
    url, now = taken_along(sample_store, tmp_path, *options)
    assert report(url, CONFIG, *options, "--to", now) == report(sample_store, CONFIG, *options, "--to", now)


def test_a_window_tells_what_happened_in_it_from_what_was_not_over_before(sample_store, tmp_path):
    options = ("--stream", "platform", "--from", "2026-03-01", "--to", "2026-05-31")
    url, _ = taken_along(sample_store, tmp_path, *options)
    one, other = (report(store, CONFIG, *options) for store in (url, sample_store))
    for name in BACK:
        del one[name], other[name]
    one["streams"] = other["streams"] = []
    assert one == other
    tickets = pd.read_csv(tmp_path / "part" / "tickets.csv")
    assert len(tickets) < len(pd.read_csv(ROOT / "sample_data" / "facts" / "tickets.csv").query("project == 'PLT'"))


def test_under_pseudonyms_a_scope_tells_the_same_numbers(sample_store, tmp_path, monkeypatch):
    monkeypatch.setenv("VSM_PSEUDONYM_KEY", "a secret of some length")
    url, now = taken_along(sample_store, tmp_path, "--stream", "platform", "--pseudonyms")
    settings = str(tmp_path / "part" / "vsm.toml")
    hidden, plain = (
        report(store, of, "--stream", "platform", "--to", now) for store, of in ((url, settings), (sample_store, CONFIG))
    )
    assert (hidden["flow"], hidden["dora"], hidden["constraint"]) == (plain["flow"], plain["dora"], plain["constraint"])
    assert "PLT-" not in "".join(path.read_text() for path in (tmp_path / "part").iterdir())


TWO_TEAMS = {
    "code": "a at=1 | Start\nb at=2 < a | PAY-1 Sort (#1)\nc at=3 < b | WEB-1 Colour (#2)",
    "pulls": "1 sha=b branch=PAY-1 created=1 merged=2 author=ann commits=x\n2 sha=c branch=WEB-1 created=1 merged=3 author=bea",
    "more": {"site": "d at=1 | WEB-2 Colour\ne at=2 < d | WEB-1 Colour\nf at=3 < e | Nothing"},
    "tickets": """
        PAY-1 team=Pay parent=EPIC-1: Todo 0, Done 9 ann
        WEB-1 team=Web: Todo 0, Done 9 bea
        WEB-2 team=Web: Todo 0, Done 9 cid
        EPIC-1 type=Epic: Open 0
        OPS-1 team=Ops: Todo 0
        PAY-2 team=Pay: Todo 0
        WEB-3 team=Web: Todo 1
    """,
    "deployments": "d1 sha=a at=1.5\nd2 sha=c at=4\nd3 app=site repo=site sha=f at=5",
    "incidents": "i1 opened=4.5\ni2 app=site opened=5.5",
    "ticket_links": "PAY-2 blocks OPS-1",
    "identities": 'git ann "person=Ann Lee"\ngit cid "person=Cid Roe"\nmail "Ann Lee" "person=Ann L."',
}


def test_code_goes_by_repositories_and_tickets_one_by_one(told):
    flow = pipeline.read(told(**TWO_TEAMS), config.parse("", Path("vsm.toml")))
    part = facts_of(flow, Scope(flow.now - pd.Timedelta(days=7), flow.now, team="Pay"))

    assert sorted(part.tickets["key"]) == ["EPIC-1", "OPS-1", "PAY-1", "PAY-2", "WEB-1"]
    assert sorted(part.transitions["ticket"]) == ["PAY-1", "WEB-1"]
    assert sorted(part.commits["sha"]) == ["a", "b", "c", "e"]
    assert sorted(part.pull_requests["number"]) == [1, 2]
    assert sorted(part.deployments["id"]) == ["d1", "d2"]
    assert sorted(part.incidents["id"]) == ["i1"]
    assert len(part.ticket_links) == 1
    assert sorted(part.identities["person"]) == ["Ann L.", "Ann Lee"]


def test_without_a_scope_all_facts_go_along(told):
    flow = pipeline.read(told(**TWO_TEAMS), config.parse("", Path("vsm.toml")))
    assert facts_of(flow, Scope(flow.now - pd.Timedelta(days=7), flow.now)) is flow.facts


def test_a_scope_that_is_not_there_is_one_sentence_and_no_folder(sample_store, tmp_path, capsys):
    call = ["export", "facts", str(tmp_path / "out"), "--store", sample_store, "--config", CONFIG, "--team", "Nobody"]
    assert cli.run(call) == 2
    assert "no team 'Nobody'; expected one of 'Basket'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
