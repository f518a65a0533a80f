"""`vsm event`: one fact from any script, told once, twice or in parts, and nothing half."""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm import cli, event, store
from vsm.event import KINDS, EventError
from vsm.event_commands import HELP
from vsm.event_commands import event as command
from vsm.models import columns, required

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "docs" / "events.md", ROOT / "README.md")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP = ("deployment", "--id", "d1", "--application", "shop", "--environment", "production")


def at(hour, minute=0):
    return datetime(2026, 3, 2, hour, minute, tzinfo=UTC)


@pytest.fixture(name="url")
def _url(places):
    return places(made=True)


@pytest.fixture
def say(url, capsys, monkeypatch):
    """Tell an event as flags, or lines on standard input: the exit status, what was printed, what was complained of."""

    def told(*flags, lines=None):
        given = lines if isinstance(lines, bytes) else (lines or "").encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        status = cli.run(["event", *flags, "--store", url] if flags else ["event", "--store", url])
        return (status, *capsys.readouterr())

    return told


@pytest.fixture
def kept(url):
    """The rows of a table, of each only what is there."""

    def rows(table, origin=False):
        with store.opened(url) as engine:
            found = getattr(store.facts(engine), table).to_dict("records")
        plain = [{name: value for name, value in row.items() if value == value and value is not None} for row in found]
        return [row if origin else {name: value for name, value in row.items() if name != "origin"} for row in plain]

    return rows


def faults(text, kind=None):
    """What is complained of a text, line by line."""
    with pytest.raises(EventError) as caught:
        event.checked(event.lines(text, kind), NOW)
    return str(caught.value).split("\n  ")


# Flags. ---


def test_a_deployment_is_kept_as_it_was_told(say, kept):
    status, out, err = say(
        *SHOP, "--sha", "4f2c1ab", "--repository", "example/shop", "--ref", "v1.2", "--url", "https://ci.example.org/1",
        "--started-at", "2026-03-02T10:00:00+01:00", "--finished-at", "2026-03-02T09:30:00Z", "--result", "failure",
    )  # fmt: skip

    assert (status, err) == (0, "")
    assert [line.partition(": ")[0] for line in out.splitlines()] == ["deployment d1 saved"]
    assert kept("deployments", origin=True) == [{
        "id": "d1", "application": "shop", "environment": "production", "repository": "example/shop", "sha": "4f2c1ab",
        "ref": "v1.2", "started_at": at(9), "finished_at": at(9, 30), "result": "failure", "url": "https://ci.example.org/1",
        "origin": "event",
    }]  # fmt: skip


def test_the_row_that_is_printed_is_the_row_that_is_kept(say, kept):
    printed = json.loads(say(*SHOP, "--finished-at", "2026-03-02T09:30:00Z")[1].partition("saved: ")[2])

    (row,) = kept("deployments")
    assert printed | {"id": "d1"} == row | {"finished_at": "2026-03-02T09:30:00Z"}


def test_an_incident_a_build_and_a_change_are_kept_as_they_were_told(say, kept):
    assert say("incident", "--id", "i1", "--opened-at", "2026-03-02T09:00:00Z", "--labels", "db;eu", "--deployment", "d1")[0] == 0
    assert say("build", "--id", "b1", "--job", "test", "--started-at", "2026-03-02T09:00:00Z")[0] == 0
    assert say("change", "--repository", "example/shop", "--number", "12", "--author", "ann", "--additions", "3")[0] == 0

    assert kept("incidents") == [{"id": "i1", "opened_at": at(9), "labels": "db;eu", "deployment": "d1"}]
    assert kept("builds") == [{"id": "b1", "job": "test", "started_at": at(9)}]
    assert kept("pull_requests") == [{"repository": "example/shop", "number": 12, "author": "ann", "additions": 3}]


def test_commits_go_to_the_table_of_their_own(say, kept):
    assert say(*SHOP, "--repository", "example/shop", "--commit", "a1", "--commit", "b2", "--finished-at", "now")[0] == 0
    assert say("change", "--repository", "example/shop", "--number", "12", "--commit", "a1")[0] == 0

    assert kept("deployment_commits") == [{"deployment": "d1", "repository": "example/shop", "sha": sha} for sha in ("a1", "b2")]
    assert kept("pull_request_commits") == [{"repository": "example/shop", "number": 12, "sha": "a1"}]


def test_commits_need_a_repository_told_now_or_before(say, kept):
    status, _, err = say(*SHOP, "--commit", "a1")
    assert (status, kept("deployments")) == (2, [])
    assert "--commit: got ['a1'], expected the repository too" in err

    assert say(*SHOP, "--repository", "example/shop")[0] == 0
    assert say("deployment", "--id", "d1", "--commit", "a1")[0] == 0
    assert kept("deployment_commits") == [{"deployment": "d1", "repository": "example/shop", "sha": "a1"}]


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_has_a_flag_that_says_what_it_is(kind):
    options = {option.name: option for option in command.commands[kind].params if isinstance(option, click.Option)}

    for name in columns(KINDS[kind].table):
        assert options[name].opts == ["--" + name.replace("_", "-")]
        assert options[name].help.startswith(HELP[name])
    assert set(options) - set(columns(KINDS[kind].table)) - {"commits"} == {"store", "config"}


def test_no_help_is_kept_for_a_column_that_is_gone():
    assert set(HELP) == {name for kind in KINDS.values() for name in columns(kind.table)}


def test_help_names_the_kinds_and_the_flags(capsys):
    assert cli.run(["event", "--help"]) == 0
    out = capsys.readouterr().out
    assert [kind for kind in KINDS if kind not in out] == []
    assert cli.run(["event", "incident", "--help"]) == 0
    assert "--opened-at TIME" in capsys.readouterr().out


# Twice, and more later. ---


def test_the_same_event_twice_changes_nothing(say, kept, url):
    flags = (*SHOP, "--sha", "4f2c1ab", "--finished-at", "2026-03-02T09:30:00Z")
    say(*flags)
    before = kept("deployments")

    assert say(*flags)[:2] == (0, "deployment d1 unchanged\n")
    assert kept("deployments") == before
    with store.opened(url) as engine:
        told = store.harvests(engine)[["source", "kind", "scope", "status", "rows", "changed"]].to_dict("records")
    same = {"source": "event", "kind": "event", "scope": "deployment d1", "status": "done", "rows": 1}
    assert told == [same | {"changed": 0}, same | {"changed": 1}]


def test_a_later_event_completes_the_row_and_loses_nothing(say, kept):
    say(*SHOP, "--sha", "4f2c1ab", "--started-at", "2026-03-02T09:00:00Z")
    assert [(row["result"], "finished_at" in row) for row in kept("deployments")] == [("unknown", False)]

    assert say("deployment", "--id", "d1", "--finished-at", "2026-03-02T09:30:00Z", "--result", "success", "--sha", "")[0] == 0

    assert kept("deployments") == [{
        "id": "d1", "application": "shop", "environment": "production", "sha": "4f2c1ab",
        "started_at": at(9), "finished_at": at(9, 30), "result": "success",
    }]  # fmt: skip


def test_a_column_that_is_told_again_replaces_what_was_there(say, kept):
    say(*SHOP, "--finished-at", "2026-03-02T09:30:00Z", "--result", "success")
    say("deployment", "--id", "d1", "--finished-at", "2026-03-02T10:00:00Z", "--result", "failure")

    assert [(row["finished_at"], row["result"]) for row in kept("deployments")] == [(at(10), "failure")]


def test_now_fills_a_time_and_never_moves_one(say, kept):
    say(*SHOP, "--started-at", "now")
    say("deployment", "--id", "d1", "--finished-at", "now")
    before = kept("deployments")
    assert timedelta() <= before[0]["finished_at"] - before[0]["started_at"] < timedelta(minutes=1)

    assert say("deployment", "--id", "d1", "--started-at", "now", "--finished-at", "now")[1] == "deployment d1 unchanged\n"
    assert kept("deployments") == before


def test_a_row_of_another_source_is_completed_and_stays_its_own(say, kept, url):
    with store.opened(url) as engine, store.transaction(engine) as connection:
        store.save(
            connection, KINDS["change"].table, [{"repository": "example/shop", "number": 12, "title": "Pay"}], origin="github"
        )

    assert say("change", "--repository", "example/shop", "--number", "12", "--labels", "hotfix")[0] == 0

    told = {"repository": "example/shop", "number": 12, "title": "Pay", "labels": "hotfix", "origin": "github"}
    assert kept("pull_requests", origin=True) == [told]


def test_an_event_that_tells_too_little_of_a_new_fact_is_refused(say, kept, url):
    status, out, err = say("deployment", "--id", "d1", "--finished-at", "now", "--result", "success")

    assert (status, out, kept("deployments")) == (2, "", [])
    assert err.splitlines()[0] == "vsm: vsm event deployment: 2 problems, nothing was saved"
    assert "vsm event deployment --application: got nothing, expected it: no such deployment is there yet" in err
    with store.opened(url) as engine:
        assert store.harvests(engine)[["status", "changed"]].to_dict("records") == [{"status": "failed", "changed": 0}]


def test_two_processes_at_once_make_one_row_with_what_both_told(tmp_path, url, kept):
    call = [sys.executable, "-c", "from vsm.cli import main; main()", "event", *SHOP, "--store", url]
    more = (["--sha", "4f2c1ab"], ["--ref", "v1"], ["--url", "u"], ["--repository", "example/shop"])
    running = [
        subprocess.Popen([*call, *flags, "--started-at", "2026-03-02T09:00:00Z"], stdin=subprocess.DEVNULL) for flags in more
    ]

    assert [one.wait(60) for one in running] == [0, 0, 0, 0]
    assert kept("deployments") == [{
        "id": "d1", "application": "shop", "environment": "production", "sha": "4f2c1ab", "ref": "v1", "url": "u",
        "repository": "example/shop", "started_at": at(9), "result": "unknown",
    }]  # fmt: skip


def test_a_report_counts_what_was_told(say, url, capsys):
    for day in (2, 3, 4):
        say(*SHOP[:2], f"d{day}", *SHOP[3:], "--sha", "4f2c1ab", "--finished-at", f"2026-03-0{day}T09:30:00Z")
    say("incident", "--id", "i1", "--application", "shop", "--opened-at", "2026-03-03T10:00:00Z", "--deployment", "d3")

    assert cli.run(["report", "--format", "json", "--store", url]) == 0
    dora = json.loads(capsys.readouterr().out)["dora"]
    assert dora["deployment_frequency"]["n"] == 3
    assert (dora["change_fail_rate"]["failed"], dora["change_fail_rate"]["n"]) == (1, 3)


def test_caches_notice_every_call(say, url):
    versions = []
    for _ in range(2):
        say(*SHOP, "--finished-at", "2026-03-02T09:30:00Z")
        with store.opened(url) as engine:
            versions.append(store.version(engine))
    assert versions == [(1, 1), (2, 1)]


# What may be left out. ---


def settled(kind, told, kept=None):
    told = {"id": "x"} | told
    return event.settled(KINDS[kind], kept or {}, told, NOW)


BEGUN = {"started_at": at(9), "result": "unknown"}
ENDED = {"finished_at": at(9), "result": "failure"}


@pytest.mark.parametrize(
    ("kept", "told", "expected"),
    [
        ({}, {}, {"finished_at": NOW, "result": "success"}),
        ({}, {"result": "failure"}, {"finished_at": NOW, "result": "failure"}),
        ({}, {"started_at": at(9)}, BEGUN),
        ({}, {"started_at": at(9), "result": "success"}, {"started_at": at(9), "result": "success"}),
        ({}, {"finished_at": at(9)}, {"finished_at": at(9), "result": "success"}),
        (BEGUN, {}, BEGUN),
        (BEGUN, {"url": "u"}, BEGUN | {"url": "u"}),
        (BEGUN, {"result": "failure"}, BEGUN | {"finished_at": NOW, "result": "failure"}),
        (BEGUN, {"finished_at": at(10)}, BEGUN | {"finished_at": at(10), "result": "success"}),
        (ENDED | {"result": "unknown"}, {"url": "u"}, ENDED | {"result": "unknown", "url": "u"}),
        (ENDED, {"finished_at": at(10)}, ENDED | {"finished_at": at(10)}),
    ],
)
def test_a_deployments_end_and_result_are_taken_only_where_they_are_plain(kept, told, expected):
    assert settled("deployment", told, kept) == {"id": "x"} | expected


def test_an_incident_without_a_time_was_opened_now_and_one_that_is_over_must_say_when(say, kept):
    assert settled("incident", {}) == {"id": "x", "opened_at": NOW}
    assert settled("incident", {"resolved_at": at(9)}, {"opened_at": at(8)}) == {
        "id": "x",
        "opened_at": at(8),
        "resolved_at": at(9),
    }

    status, _, err = say("incident", "--id", "i1", "--resolved-at", "now")
    assert (status, kept("incidents")) == (2, [])
    assert "--opened-at: got nothing" in err


@pytest.mark.parametrize(
    ("kind", "told", "expected"),
    [
        (
            "deployment",
            {"application": "shop", "environment": "eu:1", "sha": "a1", "ref": "v1"},
            "shop:eu%3A1:a1:2026-03-02T12:00:00Z",
        ),
        (
            "deployment",
            {"application": "shop", "environment": "live", "ref": "v1", "finished_at": "2026-03-02T09:00:00Z"},
            "shop:live:v1:2026-03-02T09:00:00Z",
        ),
        ("incident", {"application": "shop", "title": "Down"}, "shop:Down:2026-03-02T12:00:00Z"),
        ("build", {"job": "test", "branch": "main", "started_at": "2026-03-02T10:00:00+01:00"}, "test:main:2026-03-02T09:00:00Z"),
    ],
)
def test_an_id_that_is_left_out_is_made_of_what_identifies_the_fact(kind, told, expected):
    (found,) = event.checked(event.lines(json.dumps(told), kind), NOW)
    assert found.row["id"] == expected


def test_the_id_that_is_made_is_the_same_when_the_deployment_begins_and_when_it_ends():
    begun = {"application": "shop", "environment": "live", "sha": "a1", "started_at": "2026-03-02T09:00:00Z"}
    ended = begun | {"started_at": "2026-03-02T10:00:00+01:00", "finished_at": "2026-03-02T09:30:00Z"}

    first, second = event.checked(event.lines(json.dumps([begun, ended]), "deployment"), NOW)
    assert first.row["id"] == second.row["id"]


def test_a_long_title_makes_an_id_of_a_decent_length():
    titles = [{"kind": "incident", "title": "Down " * 1000}, {"kind": "incident", "title": "Down " * 1000 + "again"}]

    first, second = event.checked(event.lines(json.dumps(titles), None), NOW)
    assert first.row["id"] != second.row["id"]
    assert len(first.row["id"]) < 150


def test_an_id_cannot_be_made_of_nothing():
    assert faults("{}", "build")[1:] == [
        f"standard input, line 1, column {name}: got nothing, expected it, or the id of a build that is there already"
        for name in ("job", "started_at")
    ]
    assert faults("{}", "incident")[1:] == [
        "standard input, line 1, column id: got nothing, expected one, or application or title to make one of"
    ]


# Standard input. ---

LINES = """
{"kind": "deployment", "id": "d1", "application": "shop", "environment": "live", "finished_at": "2026-03-02T09:30:00Z"}

{"kind": "change", "repository": "example/shop", "number": 12, "labels": ["hot", "fix"], "title": null, "url": ""}\r
{"kind": "incident", "id": "i1", "opened_at": "2026-03-02T09:40:00Z", "deployment": "d1"}
"""
ROWS = {
    "deployments": [{"id": "d1", "application": "shop", "environment": "live", "finished_at": at(9, 30), "result": "success"}],
    "pull_requests": [{"repository": "example/shop", "number": 12, "labels": "hot;fix"}],
    "incidents": [{"id": "i1", "opened_at": at(9, 40), "deployment": "d1"}],
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(LINES, id="lines"),
        pytest.param("\ufeff" + LINES, id="lines after a byte order mark"),
        pytest.param(json.dumps([json.loads(line) for line in LINES.split("\n") if line.strip()], indent=2), id="an array"),
    ],
)
@pytest.mark.parametrize("flags", [(), ("-",)], ids=["piped", "asked for"])
def test_lines_tell_facts_of_all_kinds(say, kept, text, flags):
    status, out, err = say(*flags, lines=text)

    assert (status, err) == (0, "")
    assert [line.partition(" saved")[0] for line in out.splitlines()] == ["deployment d1", "change example/shop#12", "incident i1"]
    assert {table: kept(table) for table in ROWS} == ROWS


def test_after_the_name_of_a_kind_lines_are_just_rows(say, kept):
    assert (
        say(
            "incident",
            "-",
            lines='{"id": "i1", "opened_at": "2026-03-02T09:40:00Z"}\n{"id": "i2", "kind": "incident", "opened_at": "now"}',
        )[0]
        == 0
    )
    assert [row["id"] for row in kept("incidents")] == ["i1", "i2"]
    assert faults('{"kind": "build", "id": "b"}', "incident")[1:] == [
        "standard input, line 1, column kind: got 'build', expected incident"
    ]


def test_one_object_over_several_lines_is_an_event(say, kept):
    assert say("incident", lines=json.dumps({"id": "i1", "opened_at": "2026-03-02T09:40:00Z"}, indent=2))[0] == 0
    assert kept("incidents") == [{"id": "i1", "opened_at": at(9, 40)}]


def test_several_lines_of_one_fact_complete_it_in_their_order(say, kept):
    started = {"kind": "build", "id": "b1", "job": "test", "started_at": "2026-03-02T09:00:00Z"}
    status, out, _ = say(lines="\n".join(map(json.dumps, [started, {"kind": "build", "id": "b1", "result": "failure"}, started])))

    assert status == 0
    assert [line.split()[2] for line in out.splitlines()] == ["saved:", "saved:", "unchanged"]
    assert kept("builds") == [{"id": "b1", "job": "test", "started_at": at(9), "result": "failure"}]


def test_all_lines_are_taken_or_none(say, kept):
    lines = LINES + '{"kind": "build", "id": "b1", "result": "success"}\n'
    status, out, err = say(lines=lines)

    assert (status, out) == (2, "")
    expected = "it: no such build is there yet, and the first event of one tells it"
    assert err.splitlines()[1:] == [
        f"  standard input, line 6, column {name}: got nothing, expected {expected}" for name in ("job", "started_at")
    ]
    assert {table: kept(table) for table in ROWS} == {table: [] for table in ROWS}


def test_everything_that_is_wrong_is_told_at_once_with_its_place():
    told = faults("""
{"kind": "deployment", "id": "d1", "finished_at": "2026-03-02 09:30", "result": "fine", "colour": "red"}
{"kind": "party"}
{"kind": "change", "repository": "example/shop", "number": "twelve", "author": "ann@example.org"}
{"kind": "incident", "id": {"a": 1}, "opened_at": 1772443800}
["kind", "build"]
{"id": "d2"}
{"kind": "deployment", "id": "d3", "commits": ["a1", 7]}
""")

    assert told == [
        "standard input: 11 problems, nothing was saved",
        "standard input, line 2, column colour: got 'red', expected no column of this name, but one of id, application, "
        "environment, repository, sha, ref, started_at, finished_at, result, url, commits",
        "standard input, line 2, column finished_at: got '2026-03-02 09:30', expected a time in ISO 8601 with an offset or Z, "
        "such as 2026-03-02T09:30:00Z",
        "standard input, line 2, column result: got 'fine', expected one of success, failure, cancelled, skipped, unknown",
        "standard input, line 3, column kind: got 'party', expected one of deployment, incident, build, change",
        "standard input, line 4, column author: got an @, expected a handle, such as the login: e-mail addresses are not kept",
        "standard input, line 4, column number: got 'twelve', expected a whole number",
        "standard input, line 5, column id: got {'a': 1}, expected text",
        "standard input, line 5, column opened_at: got 1772443800, expected a time in ISO 8601 with an offset or Z, "
        "such as 2026-03-02T09:30:00Z; seconds since 1970 are not taken",
        "standard input, line 6: got ['kind', 'build'], expected a JSON object",
        "standard input, line 7, column kind: got nothing, expected one of deployment, incident, build, change",
        "standard input, line 8, column commits: got ['a1', 7], expected a list of commits' shas",
    ]


def test_of_many_problems_the_first_fifty_are_told():
    told = faults('{"kind": "party"}\n' * 1234)
    assert (told[0], len(told), told[-1]) == ("standard input: 1,234 problems, nothing was saved", 52, "and 1,184 more")


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff", "[]", "  [ ]\n"])
def test_nothing_to_take_is_refused_with_a_sentence(say, text):
    status, out, err = say(lines=text)
    assert (status, out) == (2, "")
    assert err.startswith("vsm: standard input: ")
    assert "nothing was saved; expected" in err


def test_flags_are_refused_by_name(say):
    status, _, err = say(*SHOP, "--finished-at", "1772443800", "--result", "good")
    assert status == 2
    assert err.splitlines()[1:] == [
        "  vsm event deployment --finished-at: got '1772443800', expected a time in ISO 8601 with an offset or Z, "
        "such as 2026-03-02T09:30:00Z; seconds since 1970 are not taken",
        "  vsm event deployment --result: got 'good', expected one of success, failure, cancelled, skipped, unknown",
    ]


def test_flags_and_lines_together_are_refused(say):
    status, _, err = say(*SHOP, "-", lines=LINES)
    assert status == 2
    assert "and not both" in err


def test_with_flags_standard_input_is_left_alone(url, monkeypatch):
    class Forbidden:
        def __getattr__(self, name):
            raise AssertionError(f"standard input was asked for {name}")

    monkeypatch.setattr(sys, "stdin", Forbidden())
    assert cli.run(["event", *SHOP, "--store", url]) == 0


@pytest.mark.parametrize("flags", [("event",), ("event", "build")])
def test_at_a_keyboard_a_call_without_anything_says_what_to_do(flags, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert cli.run([*flags]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Usage: ")
    assert "standard input" in err.lower()


# Hostile input. ---


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"kind": "build", "id": "b", "job": "a\\u0000b"}', id="a NUL"),
        pytest.param(b"\0\0\0", id="only NULs"),
        pytest.param(b'{"kind": "build", "id": "b", "job": "\xff\xfe"}', id="bytes that are no UTF-8"),
        pytest.param(b'{"kind": "build", "id": "b", "\xff\xfe": "1"}', id="a column that is no UTF-8"),
        pytest.param(b'{"kind": "build", "id": "b", "job": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"kind": "build", "id": "b", "job": ' + b'"x' * 1, id="cut off"),
        pytest.param(b'{"kind": "build", "id": "b", "job": "' + b"x" * 10_000_000 + b'"}', id="a value of ten megabytes"),
        pytest.param(b'{"kind": "build", "id": "b", "' + b"x" * 10_000_000 + b'": "1"}', id="a column of ten megabytes"),
        pytest.param(b"[" * 10_000_000, id="ten megabytes of brackets"),
        pytest.param(b'{"kind": "change", "repository": "r", "number": ' + b"9" * 1_000_000 + b"}", id="a million digits"),
        pytest.param(b'{"kind": "change", "repository": "r", "number": 1e999}', id="an infinite number"),
        pytest.param(b'{"kind": "change", "repository": "r", "number": NaN}', id="no number"),
        pytest.param(b'{"kind": "change", "repository": "r", "number": true}', id="a truth for a number"),
        pytest.param(b'{"kind": "change", "repository": "r", "number": 1, "number": 2}', id="a column twice"),
        pytest.param(b'{"kind": ["deployment"], "id": "d"}', id="a list of kinds"),
        pytest.param(b'{"kind": "incident", "id": "i", "labels": ["a", {"b": 1}]}', id="labels that are no texts"),
        pytest.param(b'{"kind": "incident", "id": "i", "labels": {"a": "b"}}', id="labels with values"),
        pytest.param(b'{"kind": "deployment", "id": "i", "commits": "a1 b2"}', id="commits that are no list"),
        pytest.param(b'{"kind": "deployment", "id": "i", "commits": ["a1\\n"]}', id="a sha with a line end"),
        pytest.param(b'{"kind": "build", "id": "b", "origin": "jenkins"}', id="the origin"),
        pytest.param(
            b'{"kind": "incident", "id": "i", "opened_at": "0001-01-01T00:00:00+01:00"}', id="a time before the first year"
        ),
        pytest.param(b"null", id="null"),
        pytest.param(b'"deployment"', id="a text"),
        pytest.param(b'[{"kind": "build"}', id="an array without an end"),
    ],
)
def test_hostile_input_ends_in_a_short_sentence_and_an_unchanged_store(say, text, tmp_path):
    status, out, err = say(lines=text)

    assert (status, out) == (2, "")
    assert err.startswith("vsm: standard input: one problem, nothing was saved\n  standard input")
    assert len(err) < 1000
    assert err.replace("\n", "").isprintable()
    assert not (tmp_path / "vsm.db").exists()


@pytest.mark.parametrize("depth", [*range(930, 1000, 3), 5000])
def test_nesting_of_any_depth_is_a_wrong_value_and_no_accident(depth):
    text = '{"kind": "build", "id": "b", "job": ' + "[" * depth + "]" * depth + "}"
    assert len(faults(text)) == 2


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["now", "2026-03-02T09:30:00Z", "success"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["kind", *sorted({name for kind in KINDS.values() for name in kind.takes})]) | st.text(max_size=5)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.dictionaries(NAMES, VALUES), min_size=1, max_size=3), st.sampled_from([None, *KINDS]))
def test_whatever_json_says_is_taken_or_refused_with_a_sentence(rows, kind):
    said = ""
    try:
        found = event.checked(event.lines(json.dumps(rows), kind), NOW)
    except EventError as error:
        found, said = [], str(error)
    assert len(found) == len(rows) or "nothing was saved" in said


def test_more_than_the_largest_input_is_refused(say, monkeypatch):
    monkeypatch.setattr("vsm.event_commands.LARGEST", 1000)
    status, _, err = say(lines=b" " * 1001)
    assert status == 2
    assert "`vsm import`" in err


def test_control_characters_are_kept_and_never_printed(say, kept):
    status, out, _ = say("incident", "--id", "i\x1b[2J", "--title", "a\nb\x9b", "--opened-at", "2026-03-02T09:40:00Z")

    assert status == 0
    assert out.count("\n") == 1
    assert out.rstrip("\n").isprintable()
    assert kept("incidents") == [{"id": "i\x1b[2J", "title": "a\nb\x9b", "opened_at": at(9, 40)}]


def test_a_store_that_cannot_be_written_is_told_as_such(say, url, tmp_path, monkeypatch):
    say(*SHOP)

    def locked(*_, **__):
        raise store.DBAPIError("", {}, Exception("database is locked"))

    monkeypatch.setattr(store, "complete", locked)
    status, out, err = say(*SHOP, "--sha", "a1")
    assert (status, out) == (1, "")
    assert err == "vsm: the store could not be written (database is locked): nothing was saved, try again\n"


# The documents. ---


def blocks(language):
    for document in DOCUMENTS:
        found = re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), flags=re.S | re.M)
        yield from ((document.name, text) for text in found if language == "json" or "vsm event" in text or "template." in text)


SCRIPTS = list(blocks("sh"))
APPLICATIONS = {
    "items": [
        {
            "metadata": {"name": "shop", "namespace": "argocd", "labels": {"environment": "production"}},
            "spec": {"destination": {"namespace": "shop-live"}},
            "status": {
                "history": [
                    {
                        "id": 7, "revision": "4f2c1ab", "source": {"repoURL": "https://git.example.org/example/shop.git"},
                        "deployStartedAt": "2026-03-02T09:00:00Z", "deployedAt": "2026-03-02T09:30:00Z",
                    }
                ]
            },
        },
        {"metadata": {"name": "new", "namespace": "argocd"}, "spec": {"destination": {}}, "status": {}},
    ]
}  # fmt: skip


STUB = """#!/bin/sh
call=$(ls {folder} | wc -l)
printf '%s\\0' "$@" > "{folder}/$(printf %04d "$call").flags"
cat > "{folder}/$(printf %04d "$call").lines"
"""


@pytest.fixture
def run(tmp_path, say):
    """Run a script of the documents, with a kubectl that knows two applications, and make its calls: what each printed.

    The program itself runs in this process: starting it anew for every call takes ten times as long.
    """
    calls = tmp_path / "calls"
    calls.mkdir()
    (tmp_path / "applications.json").write_text(json.dumps(APPLICATIONS))
    stubs = {
        "vsm": STUB.format(folder=shlex.quote(str(calls))),
        "kubectl": f"#!/bin/sh\ncat {shlex.quote(str(tmp_path))}/applications.json\n",
    }
    for name, text in stubs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    circle = dict.fromkeys(("CIRCLE_WORKFLOW_JOB_ID", "CIRCLE_SHA1", "CIRCLE_JOB", "CIRCLE_BRANCH"), "4f2c1ab")
    variables = {**os.environ, **circle, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    def done(script):
        if "jq" in script and shutil.which("jq") is None:
            pytest.skip("no jq on this machine")
        ran = subprocess.run(["sh", "-euc", script], env=variables, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
        said = []
        for flags in sorted(calls.glob("*.flags")):
            subcommand, *rest = flags.read_text().split("\0")[:-1]
            assert subcommand == "event"
            status, out, err = say(*rest, lines=flags.with_suffix(".lines").read_bytes())
            assert (status, err) == (0, "")
            said += out.splitlines()
            flags.unlink()
        return said

    return done


@pytest.mark.parametrize(
    "script", [text for _, text in SCRIPTS], ids=[f"{name} {place}" for place, (name, _) in enumerate(SCRIPTS)]
)
def test_every_script_of_the_documents_tells_its_facts(run, script):
    said = run(script)

    assert said
    assert [line for line in said if " saved: " not in line] == []


def test_the_scripts_of_other_tools_give_the_rows_that_they_promise(run, kept):
    scripts = [text for name, text in SCRIPTS if name == "events.md" and "jq" in text]
    assert [" saved: " in line for script in scripts for line in run(script)] == [True] * 3
    assert [" unchanged" in line for script in scripts for line in run(script)] == [True] * 3

    assert kept("deployments") == [{
        "id": "argocd/argocd/shop/7", "application": "shop", "environment": "production", "repository": "example/shop",
        "sha": "4f2c1ab", "started_at": at(9), "finished_at": at(9, 30), "result": "success",
    }]  # fmt: skip
    assert kept("incidents") == [
        {
            "id": "alertmanager/1a30ba71cca2921f/2026-03-02T09:30:00.828Z", "application": "shop", "title": "Checkout fails",
            "severity": "critical", "opened_at": at(9, 30) + timedelta(milliseconds=828), "url": "https://prometheus.example.org/graph",
        },
        {
            "id": "datadog/1234/6312985", "application": "shop", "title": "[Triggered] Checkout errors", "severity": "P1",
            "opened_at": at(9, 30), "detected_at": at(9, 30), "labels": "env:production,service:shop".replace(",", ";"),
            "url": "https://app.datadoghq.com/monitors/1234",
        },
    ]  # fmt: skip


def calls():
    """Every call of `vsm event` with flags in the documents, wherever it stands."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8").replace("\\\n", " ")
        yield from re.findall(r"\bvsm event ((?:deployment|incident|build|change) --[^|`\n]*)", text)


CALLS = sorted(set(calls()))


@pytest.mark.parametrize("call", CALLS)
def test_every_flag_of_the_documents_is_a_flag(call):
    kind, *flags = shlex.split(call)
    context = command.commands[kind].make_context(kind, flags, resilient_parsing="--help" in flags)

    assert context.args == []


def test_the_documents_have_calls_to_check():
    assert len(CALLS) >= 10
    assert len(SCRIPTS) >= 8


def test_the_notification_template_of_argo_cd_is_an_event():
    (text,) = (text for _, text in blocks("yaml") if "template." in text)
    body = re.search(r"body: \|\n(.*?\n {10}\}\n)", text, flags=re.S)[1]
    filled = re.sub(r"\{\{[^}]*At\}\}", "2026-03-02T09:00:00Z", body)

    (found,) = event.checked(event.lines(re.sub(r"\{\{.*?\}\}", "shop", filled), None), NOW)
    assert found.row == {
        "id": "argocd/shop/shop/2026-03-02T09:00:00Z", "application": "shop", "environment": "shop", "sha": "shop",
        "started_at": at(9), "finished_at": at(9), "result": "failure",
    }  # fmt: skip


def test_the_page_says_what_the_first_event_must_tell():
    told = dict(
        re.findall(r"^\| `(\w+)` \| .* \| ([^|]*) \|$", (ROOT / "docs" / "events.md").read_text(encoding="utf-8"), flags=re.M)
    )

    for kind in KINDS.values():
        needed = {name for name in columns(kind.table) if required(kind.table, name)} - {
            "result",
            "opened_at",
            *kind.table.key_columns,
        }
        assert set(re.findall(r"--([a-z-]+)", told[kind.name])) == {name.replace("_", "-") for name in needed}
