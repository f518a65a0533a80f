"""The map as a file: the page's own drawing in fixed colours, text stays text, and files that open."""

import io
import xml.etree.ElementTree as ET

import networkx as nx
import pandas as pd
import pytest
from pypdf import PdfReader

from dashboard.export import map_picture
from dashboard.map import MapModel, Stage, value_stream_svg
from dashboard.svg import DARK_PAPER, LIGHT_PAPER

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "<img src=x onerror=alert(1)>"


def told(name="QA"):
    graph = nx.DiGraph()
    graph.add_node("Dev", position=0, wait_p50=2.0, work_p50=70.0, wait_n=9, work_n=9, wip_now=3, waiting_now=1, has_capacity=True)
    graph.add_node(name, position=1, wait_p50=120.5, work_p50=5.7, wait_n=9, work_n=9, wip_now=8, waiting_now=7, has_capacity=True)
    graph.add_edge("Dev", name, n=9, backward=False)
    return MapModel.of(graph, name)


@pytest.mark.parametrize("palette", [LIGHT_PAPER, DARK_PAPER], ids=["light", "dark"])
def test_the_file_holds_the_pages_drawing_in_fixed_colours(palette):
    drawn = map_picture.picture(told(), "checkout", "QA holds it back.", "26 weeks up to 15 Nov 2026", palette)
    inner = value_stream_svg(told(), palette, interactive=False)

    assert inner.removeprefix("<svg ") in drawn
    assert "var(" not in drawn
    words = [text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")]  # noqa: S314 - our own drawing
    assert {"checkout", "QA holds it back.", "26 weeks up to 15 Nov 2026", "Constraint"} <= set(words)
    weights = {text.get("font-weight") for text in ET.fromstring(drawn).iter(f"{SVG}text")}  # noqa: S314 - our own drawing
    assert weights <= {None, "700"}, "what draws files knows no others"


def test_names_from_outside_stay_text_and_long_words_stay_inside():
    drawn = map_picture.picture(told(EVIL), EVIL * 9, f"{'x' * 500} {EVIL} {'word ' * 300}", EVIL * 9)
    root = ET.fromstring(drawn)  # noqa: S314 - our own drawing
    assert "<img" not in drawn
    wide = float(root.get("width"))
    assert all(len(text.text or "") * 5 < wide for text in root.iter(f"{SVG}text"))


def test_files_open():
    drawn = map_picture.picture(told(), "checkout", "QA holds it back.")
    png, pdf = (map_picture.written(drawn, kind) for kind in ("png", "pdf"))

    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 2 * int(ET.fromstring(drawn).get("width"))  # noqa: S314 - our own drawing
    assert "Constraint" in PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    assert map_picture.written(drawn, "svg").decode() == drawn
    with pytest.raises(ValueError, match="not as 'gif'"):
        map_picture.written(drawn, "gif")


def test_the_table_says_what_is_measured_what_it_was_and_what_is_an_estimate():
    stages = pd.DataFrame({"stage": ["Dev", "=QA"], "wait_p50": [2.0, 120.5]})
    changes = pd.DataFrame({"stage": ["Dev"], "number": ["wait"], "before": [1.0], "verdict": ["clearly longer"]})
    found = pd.read_csv(io.BytesIO(map_picture.csv(stages, [Stage("Board", wait=72.0, work=0.5, estimate="by us")], changes)))

    assert found["stage"].tolist() == ["Dev", "'=QA", "Board"]
    assert found["source"].tolist() == ["measured", "measured", "estimate by us"]
    assert found["wait_p50"].tolist() == [2.0, 120.5, 72.0]
    assert found.loc[0, ["wait_before", "wait_verdict"]].tolist() == [1.0, "clearly longer"]
