"""`vsm export pack` as a user calls it."""

import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from dashboard.charts.catalogue import CATALOGUE
from dashboard.export.pack import USUAL
from dashboard.export.pack_command import pack
from vsm.errors import UsageError

CONFIG = str(Path(__file__).parents[3] / "sample_data" / "vsm.toml")


def call(store, *arguments):
    told = CliRunner().invoke(pack, [*map(str, arguments), "--store", store, "--config", CONFIG])
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return told.output


def test_a_chart_of_stages_is_there_once_for_each_stream_and_the_same_call_gives_the_same_bytes(sample_store, tmp_path):
    options = ("--chart", "fail_rate", "--chart", "stage_dwell", "--alone")
    said = call(sample_store, tmp_path / "a.zip", *options)
    call(sample_store, tmp_path / "b.zip", *options)

    with zipfile.ZipFile(tmp_path / "a.zip") as held:
        drawn = [name for name in held.namelist() if name.endswith(".svg")]
    assert drawn == ["charts/fail_rate.svg", "charts/stage_dwell_checkout.svg", "charts/stage_dwell_platform.svg"]
    assert "12 numbers, 3 charts, 0 notes" in said
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_usual_charts_are_ten_of_the_catalogue():
    assert len(set(USUAL)) == 10
    assert set(USUAL) <= set(CATALOGUE)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("pack.doc",), "a pack cannot be written as .doc; expected .html, .pdf, .pptx, .zip"),
        (("pack",), "a pack cannot be written as a file without an ending; expected .html, .pdf, .pptx, .zip"),
        (("pack.html", "--chart", "pie"), "no chart 'pie'; expected any of deployment_frequency"),
        (("there.html",), "there.html is there already"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_measured(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    Path("there.html").write_text("mine")
    with pytest.raises(UsageError, match=sentence):
        call("sqlite:///none.db", *arguments)
    assert [file.name for file in tmp_path.iterdir()] == ["there.html"]
    assert Path("there.html").read_text() == "mine"
