"""A chart as a file stands alone: its words are in it, it fetches nothing, and names from outside stay text."""

import io
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pypdf
import pytest

from dashboard.charts import flow
from dashboard.charts.catalogue import CATALOGUE, drawn
from dashboard.charts.entry import Asked, Drawn
from dashboard.export import pictures
from vsm import cli, config, measure, pipeline, store
from vsm.metrics.figure import Figure
from vsm.scope import Scope

ROOT = Path(__file__).parents[2]
SAMPLE = ["--config", str(ROOT / "sample_data" / "vsm.toml"), "--stream", "checkout"]
HOSTILE = {
    "markup": "</text><script>alert(1)</script><img src=x onerror=alert(1)>",
    "quotes": "\"]; alert('x') //",
    "formula": "=HYPERLINK(\"http://evil.example\")",
    "right to left": "\u202eevil \u05e9\u05dc\u05d5\u05dd",
    "emoji": "🚢 ship it 👩‍💻",
    "500 characters": "very long " * 50,
    "controls": "a\x00b\x07c",
}  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"
DRAWS = {"svg", "g", "path", "text", "rect", "line", "title", "defs", "clipPath", "linearGradient", "stop", "tspan"}


@pytest.fixture(scope="module")
def asked(sample_store) -> Asked:
    """One stream of the sample."""
    with store.opened(sample_store, create=False) as engine:
        told = pipeline.read(store.facts(engine), config.load(ROOT / "sample_data" / "vsm.toml"))
    return Asked(measure.measure(told, Scope(told.now - pd.Timedelta(weeks=26), told.now, stream="checkout")))


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own drawing


def texts(svg: str) -> str:
    return " ".join(part.text or "" for part in parsed(svg).iter(f"{SVG}text"))


def hostile(name: str) -> Drawn:
    """A chart whose every word comes from outside."""
    types = pd.DataFrame({"type": pd.Series([name, "Feature"], dtype="str"), "n": [3, 1], "share": [0.75, 0.25]})
    figure = Figure("distribution", {}, 4, "items", f"Definition {name}", name, types)
    return Drawn(
        "flow_distribution", "flow", f"Title {name}", f"Finding {name}.", "Reading.", figure, types, "", f"stream {name}",
        flow.distribution(types),
    )  # fmt: skip


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_chart_becomes_every_kind_of_file(asked, name):
    told = drawn(name, asked)
    svg = pictures.drawing(told)

    words = texts(svg)
    for said in (told.title, *told.finding.split()[:3], "Definition:", "stream checkout", "data as of"):
        assert said in words
    assert pictures.converted(svg, "png").startswith(b"\x89PNG\r\n\x1a\n")
    pdf = pypdf.PdfReader(io.BytesIO(pictures.converted(svg, "pdf"))).pages[0]
    assert told.title.split()[0] in pdf.extract_text()


@pytest.mark.parametrize("kind", [*pictures.KINDS, "csv"])
def test_the_same_chart_has_the_same_bytes(asked, kind):
    first, again = (pictures.written(drawn("cumulative_flow", asked), kind) for _ in range(2))
    assert first == again


def test_a_page_runs_nothing_and_asks_for_nothing(asked):
    page = pictures.written(drawn("handoffs", asked), "html").decode()

    assert "default-src 'none'" in page
    assert set(tags(page)) & {"script", "img", "link", "iframe", "object"} == set()
    assert "http" not in page.replace("http://www.w3.org/", "").replace("http-equiv", "")


def tags(page: str) -> list[str]:
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.extend([tag, *(name for name, _ in attributes)])  # type: ignore[method-assign]
    parser.feed(page)
    return found


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_names_stay_text_in_a_drawing_and_in_a_page(name):
    told = hostile(name)
    svg = pictures.drawing(told)

    parts = {part.tag.removeprefix(SVG) for part in parsed(svg).iter()}
    assert parts <= DRAWS
    assert not [key for part in parsed(svg).iter() for key in part.attrib if key.startswith("on")]
    page = tags(pictures.page(told, svg))
    assert not {"script", "img", "onerror", "onload"} & set(page)
    assert "Title" in texts(svg)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_names_are_no_formulas_in_a_file_for_spreadsheets(name):
    content = pictures.written(hostile(name), "csv")

    assert content.startswith(b"\xef\xbb\xbf")
    back = pd.read_csv(io.BytesIO(content.replace(b"\x00", b"")), encoding="utf-8-sig")
    assert not str(back["type"][0]).startswith(("=", "+", "-", "@"))
    assert len(back) == 2


def test_a_long_name_is_cut_and_stays_inside_the_picture():
    svg = pictures.drawing(hostile(HOSTILE["500 characters"]))
    wide = float(parsed(svg).attrib["width"])

    assert wide <= pictures.WIDE
    assert "…" in texts(svg)


def test_nothing_to_draw_is_a_sentence():
    empty = replace(hostile("x"), chart=None, why="No item was finished.")
    with pytest.raises(ValueError, match="there is nothing to draw: no item was finished"):
        pictures.written(empty, "svg")


# The command. -----------------------------------------------------------------------------------------------------------


def test_without_arguments_it_lists_the_names(capsys):
    assert cli.run(["export", "chart"]) == 0

    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == list(CATALOGUE)


def test_a_chart_is_written_once_and_replaced_only_when_told_to(sample_store, tmp_path, capsys):
    file = tmp_path / "lead.svg"
    call = ["export", "chart", "lead_time_bands", str(file), "--store", sample_store, *SAMPLE]

    assert cli.run(call) == 0
    assert "Change lead time" in texts(file.read_text())
    first = file.read_bytes()
    assert cli.run(call) == 2
    assert "--force" in capsys.readouterr().err
    assert cli.run([*call, "--force"]) == 0
    assert file.read_bytes() == first
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense", "a.png"], "no chart 'nonsense'; expected one of deployment_frequency"),
        (["recovery"], "no file is named: give one such as recovery.png"),
        (["recovery", "a.gif"], "cannot be written as .gif; expected .png, .svg, .pdf, .html, .csv"),
        (["recovery", "a"], "cannot be written as a file without an ending"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(arguments, said, capsys):
    assert cli.run(["export", "chart", *arguments, "--store", "sqlite:////nowhere/at/all.db"]) == 2
    assert said in capsys.readouterr().err


def test_a_chart_of_stages_asks_for_a_stream(sample_store, tmp_path, capsys):
    call = ["export", "chart", "cumulative_flow", str(tmp_path / "a.svg"), "--store", sample_store, *SAMPLE[:2]]

    assert cli.run(call) == 2
    assert "choose one with --stream ('checkout', 'platform')" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


KILLED = """
    import sys, time
    from pathlib import Path
    from vsm import cli
    def half(self, content):
        with self.open("wb") as out:
            out.write(content[:100])
            out.flush()
            print("begun", flush=True)
            time.sleep(60)
    Path.write_bytes = half
    cli.run(["export", "chart", "deployment_frequency", *sys.argv[1:]])
"""


def test_killed_in_the_middle_it_leaves_no_half_file(stores, tmp_path):
    file = tmp_path / "often.svg"
    call = [str(file), "--store", stores["one change"]]
    running = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), *call], stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=os.environ
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    running.send_signal(signal.SIGKILL)
    running.communicate()

    assert not file.exists()
    assert cli.run(["export", "chart", "deployment_frequency", *call]) == 0
    assert list(tmp_path.iterdir()) == [file], "what the killed one left is cleared"
