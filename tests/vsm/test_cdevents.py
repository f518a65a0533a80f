"""Events of another vocabulary become our facts: told twice they change nothing, in any order they come to the same."""

import base64
import itertools
import json
from pathlib import Path

import pytest

from vsm import cli, store

AT = "2026-03-02T{:02}:00:00Z"


def cdevent(kind: str, subject: str, hour: int, version: str = "0.2.0", **content: object) -> dict:
    """An event as CDEvents 0.4 has it."""
    name = {"type": f"dev.cdevents.{kind}.{version}", "id": f"{kind}-{subject}-{hour}", "source": "/ci/acme", "version": "0.4.1"}
    return {
        "context": name | {"timestamp": AT.format(hour)},
        "subject": {"id": subject, "type": kind.split(".")[0], "content": content},
    }


def deployed(hour: int, **more: object) -> dict:
    content = {"environment": {"id": "production"}, "artifactId": "pkg:oci/shop@0f2c1abd9e4b77aa1234"} | more
    return cdevent("service.deployed", "ns/shop", hour, **content)


@pytest.fixture
def take(tmp_path, capsys):
    """`take(events…)`: exit status, what was printed and what was said of a file of JSON lines."""

    def run(*events: object) -> tuple[int, str, str]:
        file = tmp_path / "events.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" for one in events))
        status = cli.run(["event", "from", str(file), "--store", f"sqlite:///{tmp_path}/vsm.db"])
        out = capsys.readouterr()
        return status, out.out, out.err

    return run


@pytest.fixture
def kept(tmp_path):
    """`kept("builds", "id", "result")`: these columns of a table's rows, as text."""

    def rows(table: str, *names: str) -> list[tuple]:
        with store.opened(f"sqlite:///{tmp_path}/vsm.db") as engine:
            frame = getattr(store.facts(engine), table)[list(names)]
        told = frame.astype("object").where(frame.notna(), None)
        return [tuple(one.isoformat()[11:13] if hasattr(one, "isoformat") else one for one in row) for row in told.to_numpy()]

    return rows


def test_a_service_in_an_environment_is_a_deployment(take, kept):
    assert (
        take(deployed(9), cdevent("service.rolledback", "shop", 10, environment={"id": "prod/eu"}, artifactId="pkg:oci/shop@v1.4"))[
            0
        ]
        == 0
    )
    assert kept("deployments", "application", "environment", "sha", "ref", "finished_at", "result") == [
        ("shop", "production", "0f2c1abd9e4b77aa1234", None, "09", "success"),
        ("shop", "eu", None, "v1.4", "10", "success"),
    ]


def test_an_incident_comes_to_the_same_in_any_order(take, kept, tmp_path):
    story = [
        cdevent("incident.detected", "i1", 9, service={"id": "ns/shop"}, description="Till down", environment={"id": "production"}),
        cdevent("incident.reported", "i1", 10, ticketURI="https://t.example.org/1", environment={"id": "production"}),
        cdevent("incident.resolved", "i1", 12, environment={"id": "production"}),
    ]
    for order in itertools.permutations(story):
        (tmp_path / "vsm.db").unlink(missing_ok=True)
        for one in order:
            assert take(one)[0] == 0
        assert kept("incidents", "id", "application", "title", "opened_at", "detected_at", "resolved_at", "url") == [
            ("cdevents/ci/acme/i1", "shop", "Till down", "09", "09", "12", "https://t.example.org/1")
        ]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_a_run_comes_to_the_same_in_any_order(take, kept, order):
    story = [
        cdevent("pipelinerun.queued", "run-7", 8, pipelineName="build"),
        cdevent("pipelinerun.started", "run-7", 9, pipelineName="build"),
        cdevent("pipelinerun.finished", "run-7", 11, pipelineName="build", outcome="error"),
    ]
    assert take(*(story[place] for place in order))[0] == 0
    assert kept("builds", "id", "job", "queued_at", "started_at", "finished_at", "result") == [
        ("cdevents/ci/acme/run-7", "build", "08", "09", "11", "failure")
    ]


def test_a_change_is_a_pull_request(take, kept):
    of = {"repository": {"id": "acme/shop"}}
    events = [
        cdevent(f"change.{told}", "acme/shop/pull/12", hour, **of)
        for hour, told in ((11, "merged"), (8, "created"), (10, "reviewed"))
    ]
    assert take(*events)[0] == 0
    names = ("repository", "number", "created_at", "first_review_at", "merged_at", "closed_at")
    assert kept("pull_requests", *names) == [("acme/shop", 12, "08", "10", "11", "11")]


def test_the_same_event_twice_changes_nothing(take):
    assert "saved" in take(deployed(9))[1]
    assert take(deployed(9))[1].strip().endswith("unchanged")


def test_cloudevents_and_version_0_5_and_our_own_events_are_read_too(take, kept):
    newer = deployed(9)
    newer["context"] = {"specversion" if name == "version" else name: value for name, value in newer["context"].items()}
    del newer["subject"]["type"]
    envelope = {"specversion": "1.0", "type": "dev.cdevents.service.deployed.0.2.0", "source": "/ci/acme", "id": "x"}
    binary = base64.b64encode(json.dumps(deployed(11)).encode()).decode()
    bare = envelope | {"id": "y", "time": AT.format(12), "data": {"subject": deployed(12)["subject"]}}
    plain = {"kind": "deployment", "id": "d", "application": "till", "environment": "production", "finished_at": AT.format(13)}
    wrapped = envelope | {"type": "org.example.deployment", "data": plain | {"id": "e", "finished_at": AT.format(14)}}
    events = (newer, envelope | {"data": deployed(10)}, envelope | {"data_base64": binary}, bare, plain, wrapped)
    assert take(*events)[0] == 0
    assert sorted(kept("deployments", "finished_at", "application")) == [
        ("09", "shop"), ("10", "shop"), ("11", "shop"), ("12", "shop"), ("13", "till"), ("14", "till"),
    ]  # fmt: skip


def test_a_part_that_they_cannot_say_stands_in_custom_data(take, kept):
    assert take(deployed(9) | {"customData": {"vsm": {"repository": "acme/shop", "commits": ["0f2c1ab"]}}})[0] == 0
    assert kept("deployments", "repository") == [("acme/shop",)]
    assert kept("deployment_commits", "repository", "sha") == [("acme/shop", "0f2c1ab")]


def test_types_that_say_nothing_here_are_counted_and_said(take):
    packaged = [cdevent("artifact.packaged", "a", hour) for hour in (8, 9)]
    task = cdevent("taskrun.started", "t", 9, pipelineRun={"id": "run-7"}, taskName="compile")
    status, out, said = take(*packaged, task, deployed(10))
    assert (status, out.count("saved")) == (0, 1)
    assert said == (
        "vsm: 3 events say nothing that is kept here: dev.cdevents.artifact.packaged.0.2.0 (2),"
        " dev.cdevents.taskrun.started.0.2.0 of a pipeline run (1)\n"
    )
    assert take(*packaged)[:2] == (0, "")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            deployed(9, environment=None),
            "column subject.content.environment: got nothing, expected an object with the environment's id",
        ),
        (
            cdevent("change.merged", "some-branch", 9, repository={"id": "r"}),
            "column subject.id: got 'some-branch', expected an id that",
        ),
        ({"context": {"type": "dev.cdevents.service.deployed.0.2.0"}}, "column context.timestamp: got nothing, expected text"),
        (deployed(9) | {"subject": []}, "column subject: got [], expected an object with id and content"),
        ({"specversion": "1.0", "type": "x", "data_base64": "%%"}, "column data_base64: got '%%', expected JSON in base 64"),
        ({"kind": "deployment", "colour": "red"}, "column colour: got 'red', expected no column of this name"),
    ],
)
def test_a_wrong_event_is_refused_with_its_place_and_nothing_is_saved(take, tmp_path, event, said):
    status, out, told = take(deployed(8), event)
    assert (status, out) == (2, "")
    assert f"{tmp_path}/events.jsonl, line 2, {said}" in told
    assert "nothing was saved" in told
    assert not (tmp_path / "vsm.db").exists()


def test_a_folder_is_read_whole_and_one_without_events_is_refused(tmp_path, capsys):
    call = ["event", "from", str(tmp_path / "inbox"), "--store", f"sqlite:///{tmp_path}/vsm.db"]
    (tmp_path / "inbox" / "deep").mkdir(parents=True)
    assert cli.run(call) == 2
    assert "no file with events; expected .json, .jsonl or .ndjson" in capsys.readouterr().err
    (tmp_path / "inbox" / "one.json").write_text(json.dumps(deployed(8), indent=2))
    (tmp_path / "inbox" / "deep" / "two.ndjson").write_text(json.dumps(deployed(9)))
    (tmp_path / "inbox" / "notes.txt").write_text("not read")
    assert cli.run(call) == 0
    assert capsys.readouterr().out.count("saved") == 2


def test_a_file_that_is_not_there_is_refused(tmp_path, capsys):
    assert cli.run(["event", "from", str(tmp_path / "no.json"), "--store", f"sqlite:///{tmp_path}/vsm.db"]) == 2
    assert "no.json: cannot be read (No such file or directory), nothing was saved" in capsys.readouterr().err
    assert not Path(tmp_path / "vsm.db").exists()
