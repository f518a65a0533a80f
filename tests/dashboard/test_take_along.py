"""The pack of the retrospective's page: the pages' own numbers, as a file that a browser gets."""

import re
from html import unescape

import pytest

from dashboard import data
from dashboard.data import Choice

CHOICE = Choice(None, None, 26, True)


@pytest.mark.parametrize("page", ["overview", "flow"])
def test_the_numbers_of_a_pack_are_those_of_the_pages_tiles(look, page):
    """Value and verdict, as they stand on the tile."""
    tiles = {tile.label: (tile.value, tile.delta) for tile in look(page).metric}

    told = data.pack(CHOICE, ("deployment_frequency",), "html", False).decode()
    found = re.findall(r'<tr><th scope="row">(.*?)</th><td class="value">(.*?)</td><td>.*?</td><td>.*?</td><td>(.*?)</td>', told)
    numbers = {unescape(label): (unescape(value), unescape(verdict)) for label, value, verdict in found}

    same = set(tiles) & set(numbers)
    assert len(same) >= 5
    for label in same:
        value, delta = tiles[label]
        assert numbers[label][0] == value
        if numbers[label][1] != "not compared":
            assert numbers[label][1] == delta


def test_its_charts_are_those_that_were_picked(look):
    look("retro")
    told = data.pack(CHOICE, ("fail_rate", "throughput"), "html", False).decode()
    assert re.findall(r'<figure id="chart-(.*?)"', told) == ["fail_rate", "throughput_checkout", "throughput_platform"]
    assert told.encode() == data.pack(CHOICE, ("fail_rate", "throughput"), "html", False)


def test_the_page_offers_all_four_forms(look):
    offered = [one for one in look("retro").get("download_button") if "pack" in one.key]
    assert [one.label for one in offered] == ["Web page", "PDF", "Slides", "Archive"]
