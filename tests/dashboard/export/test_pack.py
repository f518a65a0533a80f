"""A pack: the pages' numbers, laid out four ways; the same inputs give the same bytes, and what comes from outside stays text."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from pptx import Presentation
from programs import absent
from pypdf import PdfReader

from dashboard.export import archive, paper, slides
from dashboard.export import page as pages
from dashboard.export.content import NUMBERS, Picture, gathered
from vsm import config, measure, pipeline, store
from vsm.explain import PEOPLE
from vsm.scope import Scope, window

CONFIG = Path(__file__).parents[3] / "sample_data" / "vsm.toml"
EVIL = "<script>window.__hacked=1</script><img src=x onerror=alert(1)> ]]> &amp; \u202e مرحبا 🌊 " + "long" * 120
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="100" viewBox="0 0 300 100"><defs><clipPath id="c"><rect '
    'width="300" height="100"/></clipPath></defs><g clip-path="url(#c)"><rect width="200" height="50" fill="#1d5fd1"/>'
    '<text x="10" y="80" font-family="Liberation Sans" font-size="14">a label in the chart</text></g></svg>'
)
NOTES = pd.DataFrame(
    {"at": pd.to_datetime(["2026-09-01T00:00Z", "2020-01-01T00:00Z"]), "until": pd.to_datetime([None, None], utc=True),
     "stream": [None, None], "text": [EVIL, "of another time"]}
)  # fmt: skip


def picture(name="one", title="A chart", finding="It rose."):
    import vl_convert

    rows = pd.DataFrame({"week": pd.to_datetime(["2026-09-07"]), "=n": ["=1+1"]})
    return Picture(name, title, finding, "What it is.", SVG, lambda: vl_convert.svg_to_png(SVG), rows)


@pytest.fixture(scope="module")
def measured(sample_store):
    """The sample's last half year and the one before."""
    with store.opened(sample_store, create=False) as engine:
        told = config.load(CONFIG)
        flow = pipeline.read(store.facts(engine), told, harvested=store.filled_at(store.harvests(engine)))
    scope = Scope(*window(flow.now, told.zone))
    return measure.measure(flow, scope), measure.measure(flow, scope.before())


@pytest.fixture(scope="module")
def pack(measured):
    return gathered(*measured, [picture(), picture("two", EVIL, EVIL)], NOTES, [f"A limit: {EVIL}"])


WRITERS = {
    "html": pages.html, "pdf": paper.pdf, "pptx": slides.pptx, "zip": lambda told: archive.archive(told, "1.0", "7"),
}  # fmt: skip


@pytest.fixture(scope="module")
def written(pack):
    return {kind: write(pack) for kind, write in WRITERS.items()}


@pytest.mark.parametrize("kind", list(WRITERS))
def test_the_same_inputs_give_the_same_bytes(measured, pack, written, kind):
    again = gathered(*measured, [picture(), picture("two", EVIL, EVIL)], NOTES, [f"A limit: {EVIL}"])
    assert WRITERS[kind](again) == written[kind]


def test_every_number_is_the_figures_own(measured, pack):
    """The four that are easily read back, and how many rows are behind each of them."""
    now, _ = measured
    said = {one.name: one.value for one in pack.numbers}

    assert [one.name for one in pack.numbers] == [name for _, name, *_ in NUMBERS]
    assert said["deployment_frequency"] == f"{now.figures['deployment_frequency'].values['per_week']:.1f} / week"
    assert said["change_fail_rate"] == f"{now.figures['change_fail_rate'].values['value'] * 100:.1f} %"
    assert said["change_lead_time"] == f"{now.figures['change_lead_time'].values['p50'] / 24:.1f} d"
    assert said["wip"] == f"{now.figures['wip'].values['now']:.0f}"
    assert {name: len(rows) for name, rows in pack.rows.items()} == {name: len(now.figures[name].rows) for _, name, *_ in NUMBERS}


def test_people_are_in_the_rows_only_if_they_are_asked_for_and_then_as_pseudonyms(measured):
    now, before = measured
    without, asked = (gathered(now, before, [], NOTES, people=people) for people in (False, True))
    known = {name for _, name, *_ in NUMBERS if set(PEOPLE) & set(now.figures[name].rows)}

    assert not any(set(PEOPLE) & set(rows) for rows in without.rows.values())
    assert known == {name for name, rows in asked.rows.items() if set(PEOPLE) & set(rows)}
    handles = set(now.flow.facts.identities["handle"])
    for name in known:
        for column in set(PEOPLE) & set(asked.rows[name]):
            assert not handles & set(asked.rows[name][column].dropna())


def test_only_notes_of_the_window_are_in_it(pack):
    assert pack.notes.to_dict("records") == [{"day": "1 Sep 2026", "until": "", "stream": "", "note": EVIL}]


def test_the_page_has_no_script_and_asks_for_nothing(written, tmp_path):
    told = written["html"].decode()

    assert "<script" not in told
    assert "default-src 'none'" in told
    assert not re.findall(r'(?:src|href)="(?!data:text/csv;base64,|#)[^"]*"', told)
    ids = re.findall(r'\bid="([^"]*)"', told)
    assert len(ids) == len(set(ids))


def test_the_page_opens_offline_in_a_browser_and_shows_text_as_text(written, tmp_path, browser):
    (tmp_path / "pack.html").write_bytes(written["html"])
    context = browser.new_context(offline=True)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "pack.html").as_uri())

    assert (asked, said) == (["file"], [])
    assert page.evaluate("window.__hacked") is None
    assert page.locator("img").count() == 0
    assert EVIL[:60] in page.locator("figure h3").nth(1).inner_text()
    assert page.locator("figure > svg").count() == 2
    with page.expect_download() as download:
        page.get_by_text("What it draws, as CSV").first.click()
    assert download.value.suggested_filename == "one.csv"
    assert Path(download.value.path()).read_bytes().startswith(b"\xef\xbb\xbfweek,'=n\r\n"[:8])
    context.close()


def test_text_in_the_pdf_can_be_selected_and_charts_are_vectors(pack, written):
    document = PdfReader(io.BytesIO(written["pdf"]))
    told = [page.extract_text() for page in document.pages]

    assert "What happened, in numbers" in told[0]
    words = " ".join(" ".join(told).split())
    assert [one.label for one in pack.numbers if one.label not in words] == []
    assert sum("a label in the chart" in words for words in told) == 2
    assert [list(page.images) for page in document.pages] == [[]] * len(document.pages)
    assert [item.title for item in document.outline][:3] == ["What happened, in numbers", "The numbers", "A chart"]


def test_every_slide_says_what_was_found_and_its_picture_has_words_beside_it(written):
    deck = Presentation(io.BytesIO(written["pptx"]))
    titles = [slide.shapes.title.text for slide in deck.slides]
    drawn = [shape for slide in deck.slides for shape in slide.shapes if shape.shape_type is not None and shape.shape_type == 13]

    assert titles[0] == "What happened, in numbers"
    assert "It rose." in titles
    assert drawn[0]._element.nvPicPr.cNvPr.get("descr") == "A chart. It rose."
    assert all(shape.left >= 0 and shape.left + shape.width <= deck.slide_width for shape in drawn)
    assert all(shape.top + shape.height <= deck.slide_height for shape in drawn)


def test_libreoffice_opens_the_slides_with_all_of_their_words(written, tmp_path):
    office = shutil.which("soffice")
    if office is None:
        absent("soffice")
    (tmp_path / "pack.pptx").write_bytes(written["pptx"])
    call = [
        office,
        f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
        "--headless",
        "--convert-to",
        "pdf",
        "--outdir",
        tmp_path,
    ]
    subprocess.run([*call, tmp_path / "pack.pptx"], check=True, capture_output=True, timeout=120)

    shown = PdfReader(tmp_path / "pack.pdf")
    deck = Presentation(io.BytesIO(written["pptx"]))
    assert len(shown.pages) == len(deck.slides)
    assert "What happened, in numbers" in shown.pages[0].extract_text()
    assert "Deployment frequency" in shown.pages[1].extract_text()
    assert len(shown.pages[3].images) == 1


def test_the_archive_is_what_its_manifest_says(pack, written):
    with zipfile.ZipFile(io.BytesIO(written["zip"])) as held:
        files = {name: held.read(name) for name in held.namelist()}
    manifest = json.loads(files.pop("manifest.json"))

    assert {one["name"]: (one["bytes"], one["sha256"]) for one in manifest["files"]} == {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()
    }
    assert (manifest["data_version"], manifest["filters"]) == ("7", dict(pack.about))
    assert files["index.html"] == written["html"]
    assert files["charts/one.png"].startswith(b"\x89PNG")
    assert "'=1+1" in files["charts/one.csv"].decode("utf-8-sig")
    assert {one["name"] for one in json.loads(files["definitions.json"])} == {*(name for _, name, *_ in NUMBERS), "one", "two"}


def test_ten_charts_are_ten_pages_of_one_each(measured):
    """Nothing in it grows faster than what is in it: ten charts' page is at most ten of one's, and holds each once."""
    one, ten = (gathered(*measured, [picture(f"p{place}") for place in range(n)], NOTES) for n in (1, 10))
    assert pages.html(ten).count(b"<figure") == 10 * pages.html(one).count(b"<figure")
    assert len(PdfReader(io.BytesIO(paper.pdf(ten))).pages) == len(PdfReader(io.BytesIO(paper.pdf(one))).pages) + 9
