"""What leaves as OCEL, XES and CSV is what the report counts, another program reads the same, and hostile text does no harm."""

import csv
import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, redirect_stdout
from datetime import datetime
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from flow_golden import python
from programs import absent

from vsm import cli, config, csv_files, ocel, ocel_json, ocel_sqlite, pipeline, xes
from vsm.scope import Scope
from vsm.store import Facts
from vsm.taken import Taken, taken

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "sample_data" / "vsm.toml")
PEER = ROOT / "tests" / "peers" / "exports_pm4py.py"
XES = "{http://www.xes-standard.org/}"
HOSTILE = {
    "markup": "<script>alert('x')</script> & \"quotes\"",
    "right to left": "\u202eevil\u202c שלום",
    "emoji": "👩\u200d💻 done 🎉",
    "long": "x" * 500,
    "control": "bell\x07 escape\x1b[31m null-like\x01",
    "formula": '=HYPERLINK("https://example.org","click")',
    "lines": "one\r\ntwo\rthree\nfour\t\u2028five",
    "not a letter": "\ufffe\uffff",
}


def asked_pm4py(*paths: Path) -> dict:
    """What pm4py reads in some files."""
    program = python("pm4py")
    if program is None:
        absent(".peers/pm4py")
    asked = subprocess.run([program, PEER, *paths], capture_output=True, text=True, check=False, timeout=300)
    assert asked.returncode == 0, asked.stderr[-3000:]
    return json.loads(asked.stdout)


def whole(facts: Facts, text: str = "", **scope: str) -> Taken:
    """What an export of these facts takes."""
    flow = pipeline.read(facts, config.parse(text, Path("vsm.toml")))
    return taken(flow, Scope(flow.now - pd.Timedelta(weeks=26), flow.now, **scope))


def written(told: Taken, folder: Path) -> dict[str, Path]:
    """All files of what is taken."""
    paths = {name: folder / f"log.{name}" for name in ("json", "sqlite", "xes")}
    log = ocel.ocel(told)
    ocel_json.write_json(log, paths["json"])
    ocel_sqlite.write_sqlite(log, paths["sqlite"])
    xes.write(told, paths["xes"])
    (folder / "csv").mkdir()
    csv_files.write(told, folder / "csv")
    return paths | {"csv": folder / "csv"}


@pytest.fixture(scope="module")
def sample(sample_store, tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The sample, exported by the program, with what it said."""
    folder = tmp_path_factory.mktemp("exports")
    said = {}
    for kind, name in (("ocel", "log.json"), ("ocel", "log.sqlite"), ("xes", "log.xes"), ("csv", "csv")):
        with redirect_stdout(StringIO()) as out:
            assert cli.run(["export", kind, str(folder / name), "--store", sample_store, "--config", CONFIG]) == 0
        said[name] = out.getvalue()
    return folder, said


@pytest.fixture(scope="module")
def read(sample) -> dict:
    """What pm4py reads in the sample's exports."""
    folder, _ = sample
    return asked_pm4py(*(folder / name for name in ("log.json", "log.sqlite", "log.xes")))


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Another program. ---------------------------------------------------------------------------------


@pytest.mark.peer
def test_the_relational_file_passes_every_check_of_pm4py(read):
    assert (read["log.sqlite"]["passed"], read["log.sqlite"]["failed"]) == (24, [])


@pytest.mark.peer
@pytest.mark.parametrize("name", ["log.json", "log.sqlite"])
def test_pm4py_reads_as_many_objects_events_and_relations_as_we_wrote(read, sample, name):
    told, said = read[name], sample[1][name]
    counts = {
        "objects": sum(told["objects"].values()), "events": sum(told["events"].values()),
        "event-to-object relations": told["touched"], "object-to-object relations": told["ties"],
        "attribute changes": told["values"],
    }  # fmt: skip
    assert said.strip().partition(": ")[2] == ", ".join(f"{count:,} {what}" for what, count in counts.items())


@pytest.mark.peer
def test_both_forms_of_the_object_centric_log_say_the_same(read):
    apart = {"passed", "failed"}
    one, other = ({key: value for key, value in read[name].items() if key not in apart} for name in ("log.json", "log.sqlite"))
    assert one == other


@pytest.mark.peer
def test_the_objects_are_those_of_the_facts(read):
    facts = ROOT / "sample_data" / "facts"
    told = read["log.json"]["objects"]
    counts = {name: len(rows(facts / f"{name}.csv")) for name in ("tickets", "builds", "deployments")}
    assert (told["ticket"], told["build"], told["deployment"]) == tuple(counts.values())
    assert told["incident"] == len([row for row in rows(facts / "incidents.csv") if "maintenance" not in row["labels"]])
    assert read["log.json"]["cases"] == told["ticket"]  # every ticket has an end-to-end case


@pytest.mark.peer
def test_pm4py_reads_the_cases_with_the_hours_of_work_that_we_count(read, sample):
    visits = rows(sample[0] / "csv" / "visits.csv")
    told = read["log.xes"]
    assert told["traces"] == len({row["item"] for row in visits})
    started, left = ([row for row in visits if row[name]] for name in ("started", "left"))
    assert told["lifecycle"]["start"] == len(started)
    assert told["lifecycle"]["complete"] == len([row for row in visits if row["finished" if row["started"] else "left"]])
    assert len(left) > 3000
    ours: dict[str, float] = {}
    for row in started:
        if row["finished"]:
            hours = (datetime.fromisoformat(row["finished"]) - datetime.fromisoformat(row["started"])).total_seconds() / 3600
            ours[row["stage"]] = ours.get(row["stage"], 0.0) + hours
    assert {stage: hours for stage, hours in told["hours"].items() if hours} == pytest.approx(ours)


@pytest.mark.peer
def test_pm4py_reads_text_that_means_harm(tmp_path):
    facts = Facts.of(
        tickets=[
            {"key": f"T-{place}", "title": words, "created_at": "2026-03-02T00:00:00Z", "status": "Done"}
            for place, words in enumerate(HOSTILE.values())
        ],
        transitions=[
            {
                "ticket": f"T-{place}",
                "at": "2026-03-03T00:00:00Z",
                "from_status": "<b>Todo</b>",
                "to_status": words,
                "actor": "=ann",
            }
            for place, words in enumerate(HOSTILE.values())
        ],
    )
    paths = written(whole(facts), tmp_path)
    found = asked_pm4py(paths["json"], paths["sqlite"], paths["xes"])
    assert found["log.sqlite"]["failed"] == []
    assert found["log.json"]["titles"] == found["log.sqlite"]["titles"] == sorted(HOSTILE.values())
    assert found["log.json"]["events"] == found["log.sqlite"]["events"]
    assert found["log.xes"]["titles"] == sorted(map(xes.harmless, HOSTILE.values()))


# The files themselves. ----------------------------------------------------------------------------


def small(told) -> Facts:
    """A ticket with a change, its build, its deployment and the incident that came of it."""
    return told(
        code="a at=1\nb at=6 < a | PAY-1: sort\nc at=7 < b | Pushed",
        pulls="1 sha=b branch=PAY-1-sort created=4 merged=6 commits=b@3 author=ann",
        tickets="PAY-1 type=Story parent=PAY-9: Todo 0, Doing 2 ann, Done 12\nPAY-9 type=Epic: Todo 0",
        builds="b1 sha=b started=5 finished_at=5.5",
        deployments="d1 sha=a at=2\nd2 sha=b at=8",
        incidents="i1 opened=9 resolved=10 deployment=d2 ticket=PAY-1",
    )


def test_one_event_touches_all_that_it_happened_to(told):
    log = ocel.ocel(whole(small(told)))
    touched = log.touched[log.touched["event"] == "deployment.finished:d2"]
    assert list(touched[["object", "qualifier"]].itertuples(index=False, name=None)) == [
        ("deployment:d2", "about"), ("change:shop#1", "brought"), ("ticket:PAY-1", "brought"),
    ]  # fmt: skip
    assert [*log.events.loc[log.events["type"].str.startswith("status "), "id"]] == [
        "status Todo:PAY-1", "status Doing:PAY-1", "status Done:PAY-1"
    ]  # fmt: skip
    assert {tuple(row) for row in log.ties.to_numpy()} >= {
        ("change:shop#1", "ticket:PAY-1", "is for"), ("build:b1", "change:shop#1", "built"),
        ("deployment:d1", "change:shop@a", "held"),
        ("deployment:d2", "change:shop#1", "brought"), ("deployment:d2", "deployment:d1", "came after"),
        ("incident:i1", "deployment:d2", "is laid to"), ("incident:i1", "ticket:PAY-1", "is recorded in"),
        ("ticket:PAY-1", "ticket:PAY-9", "is part of"),
    }  # fmt: skip


def test_an_attribute_has_a_first_value_and_then_those_that_it_took(told, tmp_path):
    written(whole(small(told)), tmp_path)
    objects = json.loads((tmp_path / "log.json").read_text())["objects"]
    [ticket] = [one for one in objects if one["id"] == "ticket:PAY-1"]
    status = [(value["time"], value["value"]) for value in ticket["attributes"] if value["name"] == "status"]
    assert status == [("1970-01-01T00:00:00Z", "Todo"), ("2026-03-02T02:00:00Z", "Doing"), ("2026-03-02T12:00:00Z", "Done")]
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as connection:
        query = "SELECT ocel_time, status, ocel_changed_field FROM object_ticket WHERE ocel_id = 'ticket:PAY-1'"
        assert connection.execute(query).fetchall() == [
            (at, value, None if place == 0 else "status") for place, (at, value) in enumerate(status)
        ]


def test_the_relational_file_breaks_none_of_its_foreign_keys(told, tmp_path):
    written(whole(small(told)), tmp_path)
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_people_leave_as_the_configuration_says(told, tmp_path):
    for privacy, there in (("names", True), ("pseudonyms", False), ("none", False)):
        folder = tmp_path / privacy
        folder.mkdir()
        written(whole(small(told), f'[privacy]\npeople = "{privacy}"'), folder)
        text = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert (b"ann" in text, b"Person 1" in text) == (there, privacy == "pseudonyms")


def test_a_trace_has_the_start_and_the_completion_of_each_visit(told, tmp_path):
    stages = '[[streams]]\nname = "s"\nnew = ["New"]\ndone = ["Done"]\n[[streams.stages]]\nname = "Build"\n'
    stages += 'waiting = ["Todo"]\nactive = ["Doing"]\n'
    facts = told(
        tickets="PAY-1: New 0, Todo 1, Doing 2, Todo 3, Doing 4, Done 5\nPAY-2: New 0, Todo 6\nPAY-3: New 0, Todo 1, Done 2"
    )
    assert xes.write(whole(facts, stages), tmp_path / "log.xes") == {"traces": 3, "events": 6}
    found = {}
    log = ElementTree.parse(tmp_path / "log.xes").getroot()  # noqa: S314
    for trace in log.iter(f"{XES}trace"):
        events = [{one.get("key"): one.get("value") for one in event} for event in trace.iter(f"{XES}event")]
        words = [(event["concept:name"], event["lifecycle:transition"], event["time:timestamp"][11:13]) for event in events]
        found[trace.find(f"{XES}string").get("value")] = words
    assert found == {
        "PAY-1": [("Build", "start", "02"), ("Build", "complete", "03"), ("Build", "start", "04"), ("Build", "complete", "05")],
        "PAY-2": [("Build", "schedule", "06")],
        "PAY-3": [("Build", "complete", "02")],
    }


def test_a_spreadsheet_runs_nothing_and_no_row_breaks(tmp_path):
    titles = list(HOSTILE.values())
    facts = Facts.of(
        tickets=[{"key": f"T-{n}", "title": title, "created_at": "2026-03-02T00:00:00Z"} for n, title in enumerate(titles)]
    )
    written(whole(facts), tmp_path)
    found = [row["title"] for row in rows(tmp_path / "csv" / "items.csv")]
    assert found == [csv_files.harmless(title) for title in titles]
    assert not [cell for cell in found if cell.startswith(csv_files.FORMULA)]


def test_the_rows_of_the_folder_are_those_of_the_derived_frames(told, tmp_path):
    written(whole(small(told)), tmp_path)
    [deployment] = [row for row in rows(tmp_path / "csv" / "deployments.csv") if row["id"] == "d2"]
    assert (deployment["changes"], deployment["tickets"], deployment["incidents"]) == ("shop#1", "PAY-1", "i1")
    [item] = [row for row in rows(tmp_path / "csv" / "items.csv") if row["item"] == "PAY-1"]
    assert (item["changes"], item["deployments"], item["in_production_at"]) == ("shop#1", "d2", "2026-03-02T08:00:00Z")
    assert [path.stem for path in sorted((tmp_path / "csv").iterdir())] == sorted(csv_files.FILES)


def test_a_scope_takes_its_own_and_a_start_what_was_still_going_on(sample_store, tmp_path, capsys):
    counts = {}
    for name, options in {"all": (), "team": ("--stream", "checkout"), "late": ("--from", "2026-07-01")}.items():
        call = ["export", "csv", str(tmp_path / name), "--store", sample_store, "--config", CONFIG, *options]
        assert cli.run(call) == 0
        counts[name] = rows(tmp_path / name / "items.csv")
    assert {row["stream"] for row in counts["team"]} == {"checkout"}
    assert 0 < len(counts["late"]) < len(counts["all"])
    over = [row for row in counts["late"] if row["done_at"] and max(row["done_at"], row["in_production_at"]) < "2026-06-30T22:00"]
    assert over == []


# The door. ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [["ocel", "log.json"], ["ocel", "log.sqlite"], ["xes", "log.xes"]])
def test_a_file_that_is_there_is_refused_in_a_sentence(sample_store, tmp_path, capsys, call):
    target = tmp_path / call[1]
    target.write_text("mine")
    assert cli.run(["export", call[0], str(target), "--store", sample_store, "--config", CONFIG]) == 2
    assert capsys.readouterr().err == f"vsm: {target} is there already: give another name, or --force to replace it\n"
    assert target.read_text() == "mine"


@pytest.mark.parametrize("kind", ["csv", "facts"])
def test_a_folder_with_such_files_is_refused_in_a_sentence(sample_store, tmp_path, capsys, kind):
    (tmp_path / "deployments.csv").write_text("mine")
    assert cli.run(["export", kind, str(tmp_path), "--store", sample_store, "--config", CONFIG]) == 2
    said = f"vsm: {tmp_path} already has deployments.csv: give another folder, or --force to replace them\n"
    assert capsys.readouterr().err == said
    assert [path.name for path in tmp_path.iterdir()] == ["deployments.csv"]


@pytest.mark.parametrize(("kind", "name", "known"), [("ocel", "log.xml", ".json or .sqlite"), ("xes", "log.json", ".xes")])
def test_a_form_that_is_none_is_refused(sample_store, capsys, kind, name, known):
    assert cli.run(["export", kind, name, "--store", sample_store]) == 2
    assert capsys.readouterr().err == f"vsm: {name}: expected a name that ends in {known}\n"


def test_a_stream_that_is_none_is_refused(sample_store, tmp_path, capsys):
    call = ["export", "xes", str(tmp_path / "log.xes"), "--store", sample_store, "--config", CONFIG, "--stream", "chekout"]
    assert cli.run(call) == 2
    assert "no stream 'chekout'; expected one of 'checkout', 'platform'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_program_killed_while_it_writes_leaves_no_half_of_a_file(sample_store, tmp_path):
    target = tmp_path / "log.json"
    call = ["export", "ocel", str(target), "--store", sample_store, "--config", CONFIG]
    running = subprocess.Popen([sys.executable, "-c", "from vsm.cli import main; main()", *call], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < end:
        if any(path.stat().st_size for path in tmp_path.glob(".log.json.*.part/log.json")):
            running.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    running.wait(60)
    assert not target.exists() or json.loads(target.read_text())["events"]
    assert cli.run([*call, "--force"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["log.json"]
    assert json.loads(target.read_text())["objects"]
