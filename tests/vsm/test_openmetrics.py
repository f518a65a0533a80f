"""The report as OpenMetrics text: another's parser reads it, units are base units, no data is no sample."""

import contextlib
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from programs import absent
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from vsm import cli, openmetrics

CONFIG = str(Path(__file__).parents[2] / "sample_data" / "vsm.toml")
EVIL = 'a"b\\c\nd <img src=x> \u202e 🌊'


def reported(store, *options):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run(["report", "--format", "json", "--store", store, *options]) == 0
    return json.loads(out.getvalue())


@pytest.fixture(scope="module")
def document(sample_store):
    return reported(sample_store, "--config", CONFIG)


def samples(document):
    """Every sample's value by its name and the labels that are not empty, as the library's parser reads them."""
    found = {}
    for family in text_string_to_metric_families(openmetrics.text(document)):
        assert family.type == "gauge"
        for sample in family.samples:
            key = (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()) if value))
            assert key not in found
            found[key] = sample.value
    return found


def test_durations_are_seconds_and_shares_ratios_with_the_numbers_of_the_report(document):
    found = samples(document)
    dora, checkout = document["dora"], document["streams"][0]

    assert found["vsm_change_lead_time_seconds", "percentile=50"] == pytest.approx(dora["change_lead_time"]["p50"] * 3600)
    assert found["vsm_change_lead_time_observations",] == dora["change_lead_time"]["n"]
    assert found["vsm_change_fail_rate_ratio", "bound=high"] == dora["change_fail_rate"]["high"]
    assert found["vsm_wip_items", "stream=checkout"] == checkout["flow"]["wip"]["now"]
    (qa,) = (row for row in checkout["stages"] if row["stage"] == "QA")
    assert found["vsm_stage_wait_seconds", "stage=QA", "stream=checkout"] == pytest.approx(qa["wait"]["p50"] * 3600)
    assert found["vsm_constraint_confidence_ratio", "stage=QA", "stream=checkout"] == checkout["constraint"]["confidence"]
    assert (
        found["vsm_deployment_frequency_per_week", f"application={document['applications'][0]['application']}"]
        == (document["applications"][0]["dora"]["deployment_frequency"]["per_week"])
    )


def test_what_has_no_data_has_no_sample_and_is_never_zero(tmp_path):
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "tickets.csv").write_text("key,title,created_at\nPAY-1,x,2026-11-01T10:00:00Z\n")
    store = f"sqlite:///{tmp_path / 'one.db'}"
    assert cli.run(["import", str(tmp_path / "facts"), "--store", store]) == 0

    document = reported(store)
    found = samples(document)

    assert document["dora"]["change_lead_time"]["p50"] is None
    assert not [key for key in found if key[0] in ("vsm_change_lead_time_seconds", "vsm_change_fail_rate_ratio")]
    assert found["vsm_change_lead_time_observations",] == 0


def test_names_of_streams_and_stages_stay_text(document):
    one = document["streams"][0] | {"stream": EVIL}
    (named,) = {
        sample.labels["stream"]
        for family in text_string_to_metric_families(openmetrics.text(document | {"streams": [one]}))
        for sample in family.samples
        if sample.labels.get("stream")
    }
    assert named == EVIL


def test_prometheus_own_checker_finds_nothing_wrong(document):
    promtool = shutil.which("promtool")
    if promtool is None:
        absent("promtool")
    told = subprocess.run([promtool, "check", "metrics"], input=openmetrics.text(document), capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
