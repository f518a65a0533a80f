"""The running dashboard in a real Chromium: the map answers, filters stand in the address, a number shows its rows."""

from pathlib import Path

import pytest
from screens import ERRORS, settle

pytestmark = pytest.mark.browser


def test_clicking_a_stage_of_the_map_lists_its_items(visit):
    page, _ = visit("/map?stream=checkout")

    page.get_by_role("button", name="QA", exact=False).first.click()
    settle(page)

    assert page.get_by_role("heading", name="QA: 13 items in it now, its limit is 6 items").is_visible()
    assert page.get_by_role("button", name="Where these numbers come from").is_visible()


def test_the_map_answers_the_keyboard(visit):
    page, _ = visit("/map?stream=checkout")

    page.get_by_role("button", name="Review", exact=False).first.focus()
    page.keyboard.press("Enter")
    settle(page)

    assert page.get_by_role("heading", name="Review: 3 items in it now").is_visible()


def test_a_filter_changes_the_url_and_the_url_sets_the_filter(visit):
    page, _ = visit("/?stream=platform")
    assert page.get_by_role("combobox", name="Value stream").input_value() == "platform"

    page.get_by_text("13 weeks").click()
    settle(page)

    assert "13" in page.url
    assert "stream=platform" in page.url


def test_where_a_number_comes_from_opens_closes_and_gives_its_rows(visit):
    page, _ = visit("/")
    button, dialog = page.get_by_role("button", name="Where this number comes from").nth(2), page.get_by_role("dialog")

    button.click()
    dialog.wait_for(timeout=30_000)
    assert "needed remediation" in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden", timeout=30_000)

    button.click()
    dialog.wait_for(timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="These rows as CSV").click()
    assert Path(download.value.path()).read_text("utf-8-sig").startswith("deployment,")
    assert page.locator(ERRORS).count() == 0
