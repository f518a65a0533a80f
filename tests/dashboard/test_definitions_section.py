"""The definitions as one drawing: all of them, in their groups, and no text of them is markup."""

import re
from html import unescape

from dashboard import definitions_section
from vsm.definitions import METRICS, definitions


def test_every_group_and_metric_stands_there_once_in_order_with_all_that_is_said_of_it():
    page = definitions_section.drawn(definitions())
    cards = re.findall(
        r"<div><p>(.*?)</p><p>(.*?)</p>(?:<details><summary>In full</summary><div>(.*?)</div></details>)?</div>", page, re.S
    )

    assert [unescape(one) for one in re.findall("<h3>(.*?)</h3>", page)] == list(METRICS)
    assert [tuple(map(unescape, card)) for card in cards] == [row[1:] for row in definitions()]


def test_no_text_is_read_as_markup():
    hostile = "<img src=x onerror=alert(1)>"
    page = definitions_section.drawn([(hostile, hostile, hostile, hostile)])

    assert "<img" not in page
    assert unescape(page).count(hostile) == 4


def test_the_page_shows_it_in_one_element(look, stores):
    page = look("data")

    assert [one.value for one in page.header][-1] == "Definitions"
    assert [one.proto.body for one in page.get("html")].count(definitions_section.drawn(definitions())) == 1
