"""What a browser gets where a page offers a file: each opens as what it says that it is."""

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from pptx import Presentation
from pypdf import PdfReader
from screens import settle

pytestmark = pytest.mark.browser
PATIENCE = 60_000


@pytest.fixture
def page_of(dashboard, window):
    """Open a page of the sample in the window that tests share."""
    return lambda path: window(False).open(path)


def got(page, button) -> tuple[str, bytes]:
    """The name and the content of the file that a button gives."""
    with page.expect_download(timeout=PATIENCE) as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_a_chart_can_be_taken_as_png_svg_and_csv(page_of):
    page = page_of("/delivery")
    page.locator("[data-testid=stPopover] button").filter(has_text="Download").first.click()
    files = dict(got(page, page.get_by_role("button", name=kind, exact=True)) for kind in ("PNG", "SVG", "CSV"))
    kinds = {Path(name).suffix: content for name, content in files.items()}

    assert Image.open(io.BytesIO(kinds[".png"])).size[0] > 1000
    svg = ElementTree.fromstring(kinds[".svg"])  # noqa: S314 - our own file
    assert svg.tag.endswith("svg")
    assert len(kinds[".csv"].decode("utf-8-sig").splitlines()) > 2


def test_a_period_can_be_taken_in_four_forms(page_of):
    page = page_of("/retro")
    settle(page)
    found = {}
    for label in ("Web page", "PDF", "Slides", "Archive"):
        name, content = got(page, page.get_by_role("button", name=label, exact=True))
        found[Path(name).suffix] = content

    assert found[".html"].startswith(b"<!doctype html>")
    assert len(PdfReader(io.BytesIO(found[".pdf"])).pages) >= 4
    assert len(Presentation(io.BytesIO(found[".pptx"])).slides) >= 4
    with zipfile.ZipFile(io.BytesIO(found[".zip"])) as held:
        assert held.testzip() is None
        assert "manifest.json" in held.namelist()
