"""The read-only interface beside the pages: the report's numbers, sentences for mistakes, a real Prometheus that reads it."""

import contextlib
import io
import json
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import jsonschema
import pytest
from programs import Program, absent, free_port

from vsm import cli
from vsm.schema import schema

CONFIG = str(Path(__file__).parents[2] / "sample_data" / "vsm.toml")


@pytest.fixture(scope="module")
def server(sample_store, tmp_path_factory):
    """`vsm dashboard` on the sample."""
    port = free_port()
    call = [Path(sys.executable).with_name("vsm"), "dashboard", "--port", port, "--store", sample_store, "--config", CONFIG]
    running = Program(call, port, "/_stcore/health", tmp_path_factory.mktemp("api") / "log")
    yield f"http://127.0.0.1:{port}"
    running.close()


def ask(address, method="GET"):
    """Status, content type and body of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=60) as answer:  # noqa: S310
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers["Content-Type"], refused.read().decode()


def printed(store, *arguments):
    """What the program prints, as JSON."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run([*arguments, "--format", "json", "--store", store, "--config", CONFIG]) == 0
    return json.loads(out.getvalue())


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({}, ()),
        ({"stream": "checkout", "from": "2026-03-01", "to": "2026-08-31"},
         ("--stream", "checkout", "--from", "2026-03-01", "--to", "2026-08-31")),
    ],
)  # fmt: skip
def test_the_report_is_what_the_program_prints(server, sample_store, asked, options):
    status, kind, body = ask(f"{server}/api/v1/report?{urllib.parse.urlencode(asked)}")

    told = json.loads(body)
    assert (status, kind) == (200, "application/json")
    jsonschema.validate(told, schema(), format_checker=jsonschema.FormatChecker())
    assert told == printed(sample_store, "report", *options)


def test_the_rows_behind_a_number_are_those_that_the_program_prints(server, sample_store):
    _, _, body = ask(f"{server}/api/v1/explain/stage:QA?stream=checkout")
    assert json.loads(body) == printed(sample_store, "explain", "stage:QA", "--stream", "checkout")

    _, _, body = ask(f"{server}/api/v1/explain")
    assert "change_lead_time" in json.loads(body)


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/api/v1/report?stream=nope", 400, "no stream 'nope'; expected one of 'checkout', 'platform'"),
        ("/api/v1/report?to=soon", 400, "'soon' is no time: expected a date (2026-03-02) or an instant (2026-03-02T09:30:00Z)"),
        ("/api/v1/report?people=all", 400, "no option 'people'; expected any of stream, application, team, from, to"),
        ("/api/v1/report?team=a&team=b", 400, "the option 'team' stands twice; give it once"),
        ("/api/v1/explain/stage:Nowhere?stream=checkout", 400,
         "no stage 'Nowhere'; expected one of 'Refine', 'Develop', 'Review', 'QA', 'Release'"),
        ("/api/v2/report", 404, "nothing is at /api/v2/report; see /api/v1/report, /schema, /explain, /metrics"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_with_a_sentence(server, path, status, sentence):
    told, kind, body = ask(server + path)
    assert (told, kind, json.loads(body)) == (status, "application/json", {"error": sentence})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(server, method):
    assert ask(f"{server}/api/v1/report", method)[0] == 405


def test_a_store_that_is_not_there_is_told_as_such(stores, tmp_path):
    port = free_port()
    call = [Path(sys.executable).with_name("vsm"), "dashboard", "--port", port, "--store", stores["none"]]
    running = Program(call, port, "/_stcore/health", tmp_path / "log")
    try:
        status, _, body = ask(f"http://127.0.0.1:{port}/metrics")
    finally:
        running.close()
    assert (status, "There is no store at" in json.loads(body)["error"]) == (503, True)


def test_a_prometheus_reads_the_numbers_of_the_report(server, sample_store, tmp_path):
    """Debian's Prometheus, with nothing but the address told to it."""
    program = shutil.which("prometheus")
    if program is None:
        absent("prometheus")
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: vsm, static_configs: [{{targets: ['{server.removeprefix('http://')}']}}]}}]\n"
    )
    port = free_port()
    call = [
        program, f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    ask(f"{server}/metrics")  # measured once, so that Prometheus need not wait for the first report
    prometheus = Program(call, port, "/-/ready", tmp_path / "prometheus.log")
    try:
        found = _asked(prometheus.port, 'vsm_change_lead_time_seconds{percentile="50", stream="", application=""}')
        up = _asked(prometheus.port, "up")
        confident = _asked(prometheus.port, "vsm_constraint_confidence_ratio")
    finally:
        prometheus.close()

    told = printed(sample_store, "report")
    assert [float(one["value"][1]) for one in up] == [1.0]
    assert [float(one["value"][1]) for one in found] == [pytest.approx(told["dora"]["change_lead_time"]["p50"] * 3600)]
    assert {(one["metric"]["stream"], one["metric"]["stage"]) for one in confident} == {
        (one["stream"], one["constraint"]["stage"]) for one in told["streams"]
    }


def _asked(port, query):
    """What Prometheus answers, as soon as it has read something."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        _, _, body = ask(f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        if found := json.loads(body)["data"]["result"]:
            return found
        time.sleep(0.2)
    raise AssertionError(f"Prometheus has read nothing for {query}")
